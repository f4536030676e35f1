package permission

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// shown is a request without secrets, for persons and records. Its token still
// names the whole.
func (g *Gate) shown(r Request) Request {
	redact := g.opts.Redact
	if redact == nil {
		return r
	}
	var changed bool
	// Names of fields and paths come again and again.
	done := map[string]string{}
	// What was a secret in the input is one in the pieces of it too, where nothing
	// stands around it that tells (-p before a password).
	var lost []string
	text := func(s string) string {
		out, ok := done[s]
		if !ok {
			out = string(redact([]byte(s)))
			for _, w := range lost {
				out = strings.ReplaceAll(out, w, redactedWord)
			}
			done[s] = out
			changed = changed || out != s
		}
		return out
	}
	var input any
	if decode(r.Call.Input, &input) == nil {
		b, err := encode(redactValue(input, text))
		if err == nil && changed {
			r.Call.Input = b
		}
		for s, out := range done {
			if s != out {
				lost = append(lost, lostWords(s, out)...)
			}
		}
		if len(lost) > 0 {
			// Longer ones may hold others.
			slices.SortFunc(lost, func(a, b string) int { return len(b) - len(a) })
			clear(done)
		}
	} else if len(r.Call.Input) > 0 {
		r.Call.Input, changed = json.RawMessage(`"[redacted]"`), true
	}
	if ins, ok := redactStruct(r.Inspection, text); ok {
		r.Inspection = ins
	} else {
		r.Inspection, changed = Inspection{Family: r.Inspection.Family, Risk: r.Inspection.Risk}, true
	}
	r.Call.Dir = text(r.Call.Dir)
	// The rules that reasons name are shared.
	reasons := make([]Reason, len(r.Decision.Reasons))
	for i, reason := range r.Decision.Reasons {
		reason.Text = text(reason.Text)
		if rule := reason.Rule; rule != nil {
			if t := text(rule.Text); t != rule.Text {
				other := *rule
				other.Text, reason.Rule = t, &other
			}
		}
		reasons[i] = reason
	}
	if r.Decision.Reasons != nil {
		r.Decision.Reasons = reasons
	}
	r.Decision.Explanation = TextOf(text(r.Decision.Explanation.String()))
	r.Changes = text(r.Changes)
	// A rule that holds a secret is not offered: it would be saved.
	var rules []string
	for _, rule := range r.Suggestions {
		if text(rule) != rule {
			rules = nil
			break
		}
		rules = append(rules, rule)
	}
	r.Suggestions = rules
	r.Redacted = changed
	return r
}

// redactedWord stands for a word that was a secret elsewhere.
const redactedWord = "[redacted]"

// lostWords are the words of a text that are gone from what was left of it, as
// far as they are long enough not to be part of everything.
func lostWords(text, left string) []string {
	if len(text) > maxRedactWords {
		return nil
	}
	var out []string
	for _, w := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n\r\"'`=:;,()<>|&@", r) }) {
		if len(w) >= 6 && !strings.Contains(left, w) && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out[:min(len(out), 100)]
}

// maxRedactWords bounds the text whose words are compared.
const maxRedactWords = 1 << 20

func (g *Gate) redactText(s string) string {
	if g.opts.Redact == nil || s == "" {
		return s
	}
	return string(g.opts.Redact([]byte(s)))
}

// shownState is a state without secrets: what it names are commands.
func (g *Gate) shownState(st State) State {
	if g.opts.Redact == nil {
		return st
	}
	st.Dir = g.redactText(st.Dir)
	if len(st.Destinations)+len(st.Contents) == 0 {
		return st
	}
	destinations, contents := map[string]bool{}, map[string]string{}
	for k, v := range st.Destinations {
		destinations[g.redactText(k)] = v
	}
	for k, v := range st.Contents {
		contents[g.redactText(k)] = v
	}
	st.Destinations, st.Contents = destinations, contents
	return st
}

func redactStruct[T any](v T, text func(string) string) (out T, ok bool) {
	b, err := encode(v)
	if err != nil {
		return out, false
	}
	var tree any
	if decode(b, &tree) != nil {
		return out, false
	}
	if b, err = encode(redactValue(tree, text)); err != nil {
		return out, false
	}
	return out, json.Unmarshal(b, &out) == nil
}

func decode(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(v)
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// redactValue redacts every string of a JSON value, names of fields included.
func redactValue(v any, text func(string) string) any {
	switch v := v.(type) {
	case string:
		return text(v)
	case []any:
		for i := range v {
			v[i] = redactValue(v[i], text)
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			out[text(k)] = redactValue(item, text)
		}
		return out
	}
	return v
}
