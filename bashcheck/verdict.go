package bashcheck

import (
	"path"
	"strings"
)

// ReadOnly says that running the text changes nothing, under the assumptions
// that the Report lists: it was understood whole, no finding blocks, every
// command is described, and every effect reads or lists.
func (r Report) ReadOnly() bool { return r.readOnly() }

func (r *Report) readOnly() bool {
	if !r.Parsed {
		return false
	}
	for i := range r.Findings {
		if r.Findings[i].unproven() {
			return false
		}
	}
	for i := range r.Commands {
		if c := &r.Commands[i]; !c.Described || c.Class == Shell || harmful(c.Effects) {
			return false
		}
	}
	return !harmful(r.Loose)
}

// unproven says that a finding keeps a text from being read-only.
func (f *Finding) unproven() bool { return f.Blocks || f.Code == CodeNestedSubstitution }

// notReadOnly is one plain sentence that says why a text is not read-only. It
// is for one that is not.
func (r *Report) notReadOnly() string {
	const unproven = "It is not proven to only read"
	if !r.Parsed {
		for i := range r.Findings {
			if f := &r.Findings[i]; f.Blocks {
				return unproven + ": " + f.Text + "."
			}
		}
		return unproven + "."
	}
	for i := range r.Findings {
		if f := &r.Findings[i]; f.unproven() {
			return unproven + ": " + f.Text + "."
		}
	}
	for i := range r.Commands {
		c := &r.Commands[i]
		if !c.Described {
			return unproven + ": what " + escape(short(c)) + " does in this form is not known."
		}
		if c.Class == Shell {
			return "A shell may run anything: " + escape(short(c)) + "."
		}
		for j := range c.Effects {
			if e := &c.Effects[j]; !e.harmless() {
				return e.harm()
			}
		}
	}
	for i := range r.Loose {
		e := &r.Loose[i]
		if e.Kind == Unknown {
			for k := range r.Findings {
				if f := &r.Findings[k]; f.Span == e.Span {
					return unproven + ": " + f.Text + "."
				}
			}
		}
		if !e.harmless() {
			return e.harm()
		}
	}
	return ""
}

func harmful(list []Effect) bool {
	for i := range list {
		if !list[i].harmless() {
			return true
		}
	}
	return false
}

// harmless says that an effect is read-only.
func (e *Effect) harmless() bool { return e.Kind == List || e.Kind == Read && !e.readsEnvironment() }

// harm says why an effect is not read-only, or is empty.
func (e *Effect) harm() string {
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
		return "It writes " + place(e) + "."
	case Delete:
		return "It deletes " + place(e) + "."
	case Change:
		return "It changes the mode, owner or links of " + place(e) + "."
	case Execute:
		if e.Target == "" {
			return "It runs other programs."
		}
		return "It runs " + place(e) + "."
	case Connect:
		return "It connects to " + place(e) + "."
	case Environment:
		if e.Target == "" {
			return "It shows or changes the environment."
		}
		return "It shows or sets the variable " + place(e) + "."
	case Process:
		return "It acts on processes."
	case Privilege:
		return "It uses other rights."
	}
	return "It does something that is not known."
}

// readsEnvironment says that a read may show the environment of a process.
func (e *Effect) readsEnvironment() bool {
	if strings.HasPrefix(e.Target, "/") {
		return e.leadsToEnvironment(e.Target)
	}
	for _, d := range e.Dir.Paths() {
		// No path that begins below the start is one of /proc.
		if (d == "" || d[0] == '/') && e.leadsToEnvironment(d+"/"+e.Target) {
			return true
		}
	}
	// Out of an unknown place, or up out of the start, anything can be named.
	return throughOpenFile(e.Target) || e.Extent != Anywhere && strings.Contains(e.Target, "environ") ||
		strings.Contains(e.Target, "proc") && strings.Contains(path.Clean(e.Target), "../proc/")
}

// throughOpenFile says that a path goes on behind a file that a process has open,
// which may be any folder: cat /dev/stdin/self/environ < /proc.
func throughOpenFile(p string) bool {
	if !strings.Contains(p, "dev") {
		return false
	}
	parts := strings.FieldsFunc(strings.ReplaceAll(p, "/./", "/"), func(c rune) bool { return c == '/' })
	for i, name := range parts {
		if rest := parts[i+1:]; name == "dev" && len(rest) > 1 {
			switch rest[0] {
			case "stdin", "stdout", "stderr":
				return true
			case "fd":
				return rest[1] == ".." || len(rest) > 2
			}
		}
	}
	return false
}

// leadsToEnvironment is readsEnvironment for the target as an absolute path.
func (e *Effect) leadsToEnvironment(p string) bool {
	if throughOpenFile(p) {
		return true
	}
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
		return e.Extent == Glob && strings.ContainsAny(strings.SplitN(p[1:], "/", 2)[0], "*?[")
	}
	first, name, _ := strings.Cut(rest, "/")
	if e.Extent == Exact && (first == "self" || strings.Trim(first, "0123456789") == "") {
		switch name { // what ps shows too
		case "status", "stat", "statm", "comm", "cmdline", "limits", "maps", "io", "cgroup", "mounts", "mountinfo", "wchan", "oom_score", "oom_score_adj", "sched", "schedstat":
			return false
		}
	}
	switch first {
	case "cpuinfo", "meminfo", "version", "loadavg", "uptime", "mounts", "filesystems", "partitions", "stat", "vmstat", "sys", "net", "swaps", "diskstats", "devices", "interrupts", "modules", "cgroups", "mdstat", "cmdline", "softirqs", "buddyinfo", "zoneinfo", "pressure", "crypto", "locks", "misc", "iomem", "ioports", "slabinfo":
		return strings.ContainsAny(first, "*?[")
	}
	return true
}

// Effects returns the effects of all commands, then those that belong to none.
func (r Report) Effects() []Effect {
	var out []Effect
	for i := range r.Commands {
		out = append(out, r.Commands[i].Effects...)
	}
	return append(out, r.Loose...)
}

// Risk is how much harm the text can do. [Report.RiskReason] says why.
func (r Report) Risk() Risk {
	risk, _ := r.risk()
	return risk
}

// RiskReason is one sentence that says why the risk is what it is.
func (r Report) RiskReason() string {
	_, why := r.risk()
	switch {
	case why.finding != nil:
		return sentence(why.finding.Text)
	case why.effect != nil:
		return why.effect.harm()
	case why.command != nil:
		return "It is not known what " + escape(short(why.command)) + " does."
	case r.readOnly():
		return "It only reads."
	}
	return r.notReadOnly()
}

// cause is what in a report a risk comes from; none where it is the report as a
// whole.
type cause struct {
	finding *Finding
	effect  *Effect
	command *Command
}

func (r *Report) risk() (Risk, cause) {
	if r.readOnly() {
		return RiskLow, cause{}
	}
	if !r.Parsed {
		return RiskHigh, cause{}
	}
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Severity == Dangerous {
			return RiskHigh, cause{finding: f}
		}
	}
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Code == CodeDestructive || f.Code == CodeGivesControl {
			return RiskHigh, cause{finding: f}
		}
	}
	for i := range r.Commands {
		if e := worst(r.Commands[i].Effects); e != nil {
			return RiskHigh, cause{effect: e}
		}
	}
	if e := worst(r.Loose); e != nil {
		return RiskHigh, cause{effect: e}
	}
	for i := range r.Commands {
		if c := &r.Commands[i]; !c.Described && c.Class == UnknownClass {
			return RiskHigh, cause{command: c}
		}
	}
	return RiskMedium, cause{}
}

// worst returns the first effect that makes the risk high, or nil.
func worst(list []Effect) *Effect {
	for i := range list {
		e := &list[i]
		switch e.Kind {
		case Privilege:
			return e
		case Write, Delete, Change:
			if !e.Own && (e.Extent == Anywhere || e.Kind == Delete && e.Extent != Exact && !e.kept || outward(e)) {
				return e
			}
		}
	}
	return nil
}

// outward says that a target is not plainly below the start.
func outward(e *Effect) bool {
	t := path.Clean(e.Target)
	if strings.HasPrefix(t, "/") {
		return !strings.HasPrefix(t, "/tmp/")
	}
	if t == ".." || strings.HasPrefix(t, "../") || !e.Dir.Known() {
		return true
	}
	for _, d := range e.Dir.Paths() {
		if d == "." {
			continue // t is clean and leads not up
		}
		p := path.Join(d, t)
		if p == ".." || strings.HasPrefix(p, "../") {
			return true
		}
	}
	return false
}

func short(c *Command) string {
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
