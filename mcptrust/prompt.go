package mcptrust

import (
	"fmt"
	"slices"
	"strings"
)

// promptWord is the first word of a prompt.
func promptWord(s Status) string {
	switch s {
	case Changed:
		return "CHANGED"
	case Revoked:
		return "REVOKED"
	}
	return "New"
}

// serverPrompt is the text that a person approves: nothing is cut and nothing
// is unescaped. Of env and headers, values that come from variables or look like
// secrets stay out, and the prompt says so.
func serverPrompt(c *ServerCheck, p place) string {
	s := &c.Server
	var b strings.Builder
	fmt.Fprintf(&b, "%s MCP server %s\n", promptWord(c.Status), quote(s.Name))
	if p.path == "" {
		b.WriteString("  for: every project\n")
	} else {
		fmt.Fprintf(&b, "  for: %s\n", quote(p.path))
	}
	fmt.Fprintf(&b, "  from: %s", Escape(s.Source.String()))
	if s.Source.File != "" {
		fmt.Fprintf(&b, " %s", quote(s.Source.File))
		if s.Source.Line > 0 {
			fmt.Fprintf(&b, " line %d", s.Source.Line)
		}
	}
	fmt.Fprintf(&b, "\n  type: %s\n", Escape(string(s.Transport)))
	if s.Transport == Stdio {
		b.WriteString("  It starts this program on this machine, with your rights:\n")
	}
	for field, v := range s.values() {
		name, ok := strings.CutPrefix(field, "env.")
		if !ok {
			name, ok = strings.CutPrefix(field, "headers.")
		}
		switch {
		case ok && v.variables():
			var names []string
			for _, q := range v.parts {
				if q.name != "" {
					names = append(names, "${"+q.name+"}")
				}
			}
			fmt.Fprintf(&b, "  %s %s: from %s\n", field[:strings.IndexByte(field, '.')], quote(name), strings.Join(names, " "))
			written := 0
			for _, q := range v.parts {
				written += len(q.literal) + len(q.fallback)
			}
			// What the file adds, or has in its place where the variable is not
			// set, is the definition's and not the user's.
			switch {
			case written == 0:
			case mayShow(name, v):
				fmt.Fprintf(&b, "    written as: %s\n", quote(maskSecrets(v.Template())))
			default:
				fmt.Fprintf(&b, "    with %d characters written in the file (hidden)\n", written)
			}
			if loaderVariable(name) {
				fmt.Fprintf(&b, "    now: %s\n", quote(v.display()))
			}
		case ok && !mayShow(name, v):
			fmt.Fprintf(&b, "  %s %s: %d characters written in the file (hidden)\n", field[:strings.IndexByte(field, '.')], quote(name), len(v.Expanded()))
		case ok || field == "url":
			fmt.Fprintf(&b, "  %s: %s\n", Escape(field), quote(maskSecrets(v.display())))
			if v.variables() {
				fmt.Fprintf(&b, "    written as: %s\n", quote(maskSecrets(v.Template())))
			}
		default:
			fmt.Fprintf(&b, "  %s: %s\n", Escape(field), quote(v.display()))
			if v.variables() {
				fmt.Fprintf(&b, "    written as: %s\n", quote(v.Template()))
			}
		}
	}
	if p.start != "" {
		fmt.Fprintf(&b, "  starts in: %s below the project\n", quote(p.start))
	}
	if s.OAuth != nil {
		fmt.Fprintf(&b, "  oauth: %s\n", Escape(maskSecrets(string(s.OAuth))))
	}
	for _, k := range sortedKeys(s.Extra) {
		// Only a text can be the credential; an object that is named like one is
		// shown with what is in it.
		if raw := string(s.Extra[k]); secretName(k) && !strings.HasPrefix(raw, "{") && !strings.HasPrefix(raw, "[") {
			fmt.Fprintf(&b, "  %s: (hidden)\n", Escape(k))
		} else {
			fmt.Fprintf(&b, "  %s: %s\n", Escape(k), Escape(maskSecrets(raw)))
		}
	}
	if e := s.Evidence; e.Executable != "" {
		fmt.Fprintf(&b, "  executable: %s\n", quote(e.Executable))
	}
	if e := s.Evidence; e.SHA256 != "" {
		fmt.Fprintf(&b, "  sha256: %s\n", Escape(e.SHA256))
	}
	for _, k := range sortedKeys(s.Evidence.Files) {
		fmt.Fprintf(&b, "  file %s: sha256 %s\n", quote(k), Escape(s.Evidence.Files[k]))
	}
	if e := s.Evidence; e.Image != "" {
		fmt.Fprintf(&b, "  image: %s\n", quote(e.Image))
	}
	tail(&b, c.Reasons, c.Findings, c.Diff, c.Confirm)
	return b.String()
}

// mayShow reports that what the file writes as the value of a variable or header
// is no credential: by its name and text, or because it is an address or no more
// than the word before a token.
func mayShow(name string, v Value) bool {
	if !secretName(name) {
		return !secretLooking(v) || strings.Contains(v.Template(), "://")
	}
	for _, p := range v.parts {
		for _, text := range [...]string{p.literal, p.fallback} {
			switch {
			case text == "", text == "Bearer ", text == "Basic ", text == "token ", strings.Contains(text, "://"):
			default:
				return false
			}
		}
	}
	return true
}

func tail(b *strings.Builder, reasons []Reason, findings []Finding, diff []Change, confirm string) {
	for _, r := range reasons {
		fmt.Fprintf(b, "Why: %s (%s)\n", r.Text, r.Code)
	}
	if len(diff) > 0 {
		b.WriteString("What changed since it was approved:\n")
		for _, d := range diff {
			old, now := d.Old, d.New
			if old == "" {
				old = "(absent)"
			}
			if now == "" {
				now = "(absent)"
			}
			fmt.Fprintf(b, "  %s\n    - %s\n    + %s\n", d.Field, old, now)
		}
	}
	if len(findings) > 0 {
		b.WriteString("Take care:\n")
		for _, f := range findings {
			fmt.Fprintf(b, "  %s: %s (%s)\n", f.Field, f.Text, f.Code)
		}
	}
	if confirm != "" {
		fmt.Fprintf(b, "To approve, type %s\n", quote(confirm))
	}
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
