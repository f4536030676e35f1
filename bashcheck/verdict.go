package bashcheck

import (
	"path"
	"strings"
)

// ReadOnly says that running the text changes nothing, under the assumptions
// that the Report lists: it was understood whole, no finding blocks, every
// command is described, and every effect reads or lists.
func (r Report) ReadOnly() bool { return r.notReadOnly() == "" }

// notReadOnly is one plain sentence that says why not, or empty.
func (r Report) notReadOnly() string {
	if !r.Parsed {
		for _, f := range r.Findings {
			if f.Blocks {
				return sentence(f.Text)
			}
		}
		return "The text was not understood."
	}
	for _, f := range r.Findings {
		if f.Blocks || f.Code == CodeNestedSubstitution {
			return sentence(f.Text)
		}
	}
	for _, c := range r.Commands {
		if !c.Described {
			return "It is not known what " + escape(short(c)) + " does in this form."
		}
		if c.Class == Shell {
			return "A shell may run anything: " + escape(short(c)) + "."
		}
		for _, e := range c.Effects {
			if why := e.harm(); why != "" {
				return why
			}
		}
	}
	for _, e := range r.Loose {
		if why := e.harm(); why != "" {
			return why
		}
	}
	return ""
}

// harm says why an effect is not read-only, or is empty.
func (e Effect) harm() string {
	t := escape(e.Target)
	if t == "" {
		t = "something that the text does not name"
	}
	switch e.Kind {
	case List:
		return ""
	case Read:
		if e.readsEnvironment() {
			return "It reads the environment of a process through " + t + "."
		}
		return ""
	case Write:
		return "It writes " + t + "."
	case Delete:
		return "It deletes " + t + "."
	case Change:
		return "It changes the mode, owner or links of " + t + "."
	case Execute:
		return "It runs " + t + "."
	case Connect:
		return "It connects to " + t + "."
	case Environment:
		return "It reads or sets the environment: " + t + "."
	case Process:
		return "It signals or inspects processes: " + t + "."
	case Privilege:
		return "It raises privileges."
	}
	return "It does something that is not known."
}

// readsEnvironment says that a read may show the environment of a process.
func (e Effect) readsEnvironment() bool {
	check := func(p string) bool {
		if rest, ok := strings.CutPrefix(p, "/dev/fd"); ok {
			p = "/proc/self/fd" + rest // a link: .. leads up from where it leads
		}
		if p = path.Clean(p); strings.HasPrefix(p, "/proc/self/fd/") && strings.Count(p, "/") == 4 && e.Extent == Exact && strings.HasPrefix(e.Target, "/dev/fd/") {
			return false // one of the shell's own files
		}
		if e.Extent == Tree && (p == "/" || p == "/proc") {
			return true
		}
		rest, ok := strings.CutPrefix(p, "/proc/")
		if !ok {
			return e.Extent == Glob && strings.HasPrefix(p, "/") && strings.ContainsAny(strings.SplitN(p[1:], "/", 2)[0], "*?[")
		}
		first, _, _ := strings.Cut(rest, "/")
		switch first {
		case "cpuinfo", "meminfo", "version", "loadavg", "uptime", "mounts", "filesystems", "partitions", "stat", "vmstat", "sys", "net", "swaps", "diskstats", "devices", "interrupts", "modules", "cgroups":
			return strings.ContainsAny(first, "*?[")
		}
		return true
	}
	if strings.HasPrefix(e.Target, "/") {
		return check(e.Target)
	}
	for _, d := range e.Dir.Paths {
		if check(d + "/" + e.Target) {
			return true
		}
	}
	// Out of an unknown place, or up out of the start, anything can be named.
	return e.Extent != Anywhere && strings.Contains(e.Target, "environ") || strings.Contains(path.Clean(e.Target), "../proc/")
}

// Effects returns the effects of all commands, then those that belong to none.
func (r Report) Effects() []Effect {
	var out []Effect
	for _, c := range r.Commands {
		out = append(out, c.Effects...)
	}
	return append(out, r.Loose...)
}

// Risk is how much harm the text can do. [Report.RiskReason] says why.
func (r Report) Risk() Risk { k, _ := r.risk(); return k }

// RiskReason is one sentence that says why the risk is what it is.
func (r Report) RiskReason() string { _, why := r.risk(); return why }

func (r Report) risk() (Risk, string) {
	if r.ReadOnly() {
		return RiskLow, "It only reads."
	}
	if !r.Parsed {
		return RiskHigh, r.notReadOnly()
	}
	for _, f := range r.Findings {
		if f.Severity == Dangerous {
			return RiskHigh, sentence(f.Text)
		}
	}
	medium := r.notReadOnly()
	for _, e := range r.Effects() {
		switch {
		case e.Kind == Privilege:
			return RiskHigh, e.harm()
		case (e.Kind == Write || e.Kind == Delete || e.Kind == Change) && !e.Own && (e.Extent == Anywhere || outward(e)):
			return RiskHigh, e.harm()
		case e.Kind == Delete && e.Extent != Exact && !e.Own:
			return RiskHigh, e.harm()
		}
	}
	for _, c := range r.Commands {
		if !c.Described && c.Class == UnknownClass {
			return RiskHigh, "It is not known what " + escape(short(c)) + " does."
		}
	}
	return RiskMedium, medium
}

// outward says that a target is not plainly below the start.
func outward(e Effect) bool {
	t := path.Clean(e.Target)
	if strings.HasPrefix(t, "/") {
		return !strings.HasPrefix(t, "/tmp/")
	}
	if t == ".." || strings.HasPrefix(t, "../") || !e.Dir.Known {
		return true
	}
	for _, d := range e.Dir.Paths {
		p := path.Join(d, t)
		if p == ".." || strings.HasPrefix(p, "../") {
			return true
		}
	}
	return false
}

// Explain says in plain sentences what the text does and, where it is not
// read-only, why. Control and invisible characters are escaped.
func (r Report) Explain() string {
	var b strings.Builder
	for i, c := range r.Commands {
		switch {
		case i == 0:
			b.WriteString("Runs ")
		case i == len(r.Commands)-1:
			b.WriteString(", and ")
		default:
			b.WriteString(", ")
		}
		b.WriteByte('`')
		b.WriteString(escape(c.Text))
		b.WriteByte('`')
		if s := phrase(c); s != "" {
			b.WriteString(" (")
			b.WriteString(s)
			b.WriteString(")")
		}
	}
	if len(r.Commands) > 0 {
		b.WriteString(".")
	} else {
		b.WriteString("Runs no program.")
	}
	if why := r.notReadOnly(); why != "" {
		b.WriteString(" Not provably read-only: ")
		b.WriteString(why)
	} else {
		b.WriteString(" It only reads.")
	}
	return b.String()
}

// phrase says what a command does, from its effects.
func phrase(c Command) string {
	var parts []string
	for _, e := range c.Effects {
		if e.Own {
			continue
		}
		verb := ""
		switch e.Kind {
		case Read:
			verb = "reads "
		case List:
			verb = "lists "
		case Write:
			verb = "writes "
		case Delete:
			verb = "deletes "
		case Change:
			verb = "changes mode, owner or links of "
		case Execute:
			verb = "runs "
		case Connect:
			verb = "connects to "
		case Environment:
			verb = "reads or sets the environment "
		case Process:
			verb = "signals processes "
		case Privilege:
			verb = "raises privileges "
		default:
			verb = "does something not known "
		}
		t := escape(e.Target)
		if e.Kind == Unknown {
			t = ""
		} else if t == "" {
			t = "what only the run tells"
		}
		s := strings.TrimSpace(verb + t)
		if len(parts) > 0 && parts[len(parts)-1] == s {
			continue
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, ", ")
}

func short(c Command) string {
	if len(c.Argv) == 0 {
		return "a command"
	}
	return c.Argv[0].Text
}

func sentence(s string) string {
	if s == "" {
		return "A finding stands."
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}
