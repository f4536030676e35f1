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
				return "It is not proven to only read: " + f.Text + "."
			}
		}
		return "It is not proven to only read."
	}
	for _, f := range r.Findings {
		if f.Blocks || f.Code == CodeNestedSubstitution {
			return "It is not proven to only read: " + f.Text + "."
		}
	}
	for _, c := range r.Commands {
		if !c.Described {
			return "It is not proven to only read: what " + escape(short(c)) + " does in this form is not known."
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
		if e.Kind == Unknown {
			for _, f := range r.Findings {
				if f.Span == e.Span {
					return "It is not proven to only read: " + f.Text + "."
				}
			}
		}
		if why := e.harm(); why != "" {
			return why
		}
	}
	return ""
}

// harm says why an effect is not read-only, or is empty.
func (e Effect) harm() string {
	t := place(e)
	switch e.Kind {
	case List:
		return ""
	case Read:
		if e.readsEnvironment() {
			return "It reads the environment of a process."
		}
		return ""
	case Write:
		if e.Own && e.Target == "" {
			return "It writes files of its own."
		}
		return "It writes " + t + "."
	case Delete:
		return "It deletes " + t + "."
	case Change:
		return "It changes the mode, owner or links of " + t + "."
	case Execute:
		if e.Target == "" {
			return "It runs other programs."
		}
		return "It runs " + t + "."
	case Connect:
		return "It connects to " + t + "."
	case Environment:
		if e.Target == "" {
			return "It shows or changes the environment."
		}
		return "It shows or sets the variable " + t + "."
	case Process:
		return "It acts on processes."
	case Privilege:
		return "It uses other rights."
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
