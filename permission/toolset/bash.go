package toolset

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope"
)

// runnerWarning is what a rule for a runner of the workspace means.
const runnerWarning = " An approval of it means: run anything that this workspace contains."

// shellCall is what is known while one command text is turned into actions.
type shellCall struct {
	rep *bashcheck.Report
	// first is the index of the first Run in the inspection.
	first int
	// parts are what is known of each command, and at last of the effects that
	// belong to none.
	parts []part
	// unordered: loops, pipelines and background jobs, where a later part may
	// run before an earlier one.
	unordered bool
	// own says that git finds the repository of the project.
	own bool
}

// part is what is known of one command of a text.
type part struct {
	// program is the base name of its program, or "".
	program string
	// parent says that it starts another command of the text.
	parent bool
	// opaque says that no allow rule may speak of it.
	opaque bool
	// described and unknown say that it made, moved or may have made links or
	// names: one whose description tells, or a program that is not described.
	described, unknown bool
}

func (b *builder) bash() error {
	b.ins.Family = "Bash"
	command, err := text(b.in, "command")
	if err != nil {
		return err
	}
	if strings.TrimSpace(command) == "" {
		return errors.New("the command is empty")
	}
	b.params("command")
	b.ins.Unconfined = boolField(b.in, "dangerouslyDisableSandbox")
	rep := b.t.o.Analyzer.Analyze(command)
	b.ins.Report = rep.Digest()
	b.ins.Explanation = rep.Explain()
	b.ins.Risk = risk(rep.Risk())
	s := &shellCall{rep: &rep, first: len(b.ins.Actions), own: true}
	proven := true
	for _, a := range rep.Assumptions {
		proven = proven && slices.Contains(b.t.o.Assume, a)
		if a == "git-config-trusted" && !b.ownRepository() {
			proven, s.own = false, false
			b.ins.Explanation += " git would use another repository than the project's own, whose configuration may start programs."
		}
	}
	if !rep.Parsed {
		// Any rule may mean a text that is not understood.
		b.add(permission.Action{Kind: permission.Run, Origin: permission.Tool, Command: permission.Command{
			Deny: []string{permission.DynamicWord}, Opaque: true, Dynamic: true,
		}})
		s.first++
	}
	for i := range rep.Findings {
		f := &rep.Findings[i]
		if f.Code == bashcheck.CodeForeignRepository && b.stays(&rep, f) {
			continue
		}
		if f.Blocks || f.Severity >= bashcheck.Suspicious {
			b.ins.Findings = append(b.ins.Findings, permission.Finding{Code: f.Code, Text: f.Text, Span: span(f.Span)})
		}
	}
	// The Runs come first, so that the effects can name them.
	n := len(rep.Commands)
	s.parts = make([]part, n+1)
	effects := len(rep.Loose)
	for i := range rep.Commands {
		c := &rep.Commands[i]
		s.parts[i].program = program(c)
		effects += len(c.Effects)
		if c.Parent > 0 {
			s.parts[c.Parent-1].parent = true
		}
	}
	b.ins.Actions = slices.Grow(b.ins.Actions, n+effects)
	var texts []string
	if n > 0 {
		texts = make([]string, 0, n)
	}
	for i := range rep.Commands {
		c, at := &rep.Commands[i], &s.parts[i]
		if c.Parent > 0 {
			at.opaque = !c.Transparent || s.parts[c.Parent-1].opaque
		}
		run := b.addRun()
		texts = b.run(&rep, c, at, texts, run)
		run.Command.Closed = run.Command.Closed && proven && closed(c, at.parent)
		if c.Parent > 0 {
			run.Of = s.first + c.Parent
			// What a transparent wrapper adds is settled like what it wraps.
			if c.Transparent && c.Edits {
				b.ins.Actions[s.first+c.Parent-1].Command.Edits = true
			}
		}
		if run.Command.Runner && !strings.Contains(b.ins.Explanation, runnerWarning) {
			b.ins.Explanation += runnerWarning
		}
	}
	s.unordered = unordered(rep.Source)
	for i := range rep.Commands {
		s.parts[i].described, s.parts[i].unknown = b.makesLinks(&rep.Commands[i])
	}
	for i := range rep.Commands {
		b.command(s, i)
		b.ins.Brings |= brought(&rep.Commands[i])
	}
	for j := range rep.Loose {
		b.effect(s, &rep.Loose[j], n, 0, nil)
	}
	b.reportReads()
	return nil
}

// stays says that git, in a finding about another directory, uses the approved
// repository of the session all the same: cd went nowhere, or into a folder from
// which git finds the same repository, and nothing in the text can put another
// one there first.
func (b *builder) stays(rep *bashcheck.Report, f *bashcheck.Finding) bool {
	for i := range rep.Commands {
		c := &rep.Commands[i]
		if c.Span != f.Span && i+1 != f.Command {
			continue
		}
		places := b.places(c.Dir)
		for _, d := range places {
			if d != b.dir && !(onlyReads(rep) && b.inOwnRepository(d)) {
				return false
			}
		}
		if len(places) == 0 {
			return false
		}
	}
	return true
}

// onlyReads says that every command of the text is described and does no more
// than read and list.
func onlyReads(rep *bashcheck.Report) bool {
	if len(rep.Loose) > 0 {
		return false
	}
	for i := range rep.Commands {
		c := &rep.Commands[i]
		if !c.Described {
			return false
		}
		for j := range c.Effects {
			if k := c.Effects[j].Kind; k != bashcheck.Read && k != bashcheck.List {
				return false
			}
		}
	}
	return true
}

// inert says whether an assignment changes no more than how a program talks:
// those that the analyzer knows, and variables that build tools read for the
// name of a profile or a platform, with a plain value.
func inert(a *bashcheck.Assignment) bool {
	if a.Inert {
		return true
	}
	switch a.Name {
	case "NODE_ENV", "GOOS", "GOARCH", "RUST_BACKTRACE", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE":
	default:
		return false
	}
	if !a.Value.Static || a.Value.Glob {
		return false
	}
	for i := 0; i < len(a.Value.Text); i++ {
		if c := a.Value.Text[i] | 0x20; !(c >= 'a' && c <= 'z') && !(a.Value.Text[i] >= '0' && a.Value.Text[i] <= '9') {
			return false
		}
	}
	return true
}

// withoutInert returns the text of a command without its inert assignments, or
// "" where it has others.
func withoutInert(c *bashcheck.Command) string {
	text := c.Text
	for i := range c.Assignments {
		a := &c.Assignments[i]
		if a.Inert {
			continue
		}
		rest, ok := strings.CutPrefix(text, a.Name+"="+a.Value.Text+" ")
		if !inert(a) || !ok {
			return ""
		}
		text = rest
	}
	return text
}

// reportReads raises the risk of a call that reads what may be secret: a
// harmless program does not make that harmless.
func (b *builder) reportReads() {
	for i := range b.ins.Actions {
		a := &b.ins.Actions[i]
		if (a.Kind == permission.Read || a.Kind == permission.Write) && a.Path.Class == permission.Sensitive {
			b.ins.Brings |= permission.SensitiveData
			if b.ins.Risk == permission.RiskLow {
				b.ins.Risk = permission.RiskMedium
				b.ins.Explanation += " " + a.Path.Clean + " may hold secrets."
			}
		}
	}
}

func boolField(in fields, name string) bool {
	f, ok := in.get(name)
	return ok && string(f.raw) != "false" && string(f.raw) != "null"
}

func span(s bashcheck.Span) permission.Span { return permission.Span{Start: s.Start, End: s.End} }

// ordering are the bytes with which begins what unordered looks for.
var ordering = [256]bool{'&': true, '|': true, '>': true, '<': true, '(': true, 'f': true, 'w': true, 'u': true, 's': true, 'c': true, 't': true, 'r': true}

// unordered says whether the parts of a text may run in another order than
// they are written in. It errs towards true.
func unordered(src string) bool {
	for i := 0; i < len(src); i++ {
		if !ordering[src[i]] {
			continue
		}
		rest := src[i:]
		var next byte
		if len(rest) > 1 {
			next = rest[1]
		}
		switch rest[0] {
		case '&':
			if next != '&' && next != '>' {
				return true
			}
			i++
		case '|':
			if next != '|' {
				return true
			}
			i++
		case '>', '<':
			if next == '&' || next == '|' && rest[0] == '>' {
				i++
			}
		case '(':
			if next == ')' {
				return true
			}
		case 'f', 'w', 'u', 's', 'c', 't', 'r':
			for _, w := range [...]string{"for", "function", "while", "until", "select", "coproc", "trap", "repeat"} {
				if w[0] == rest[0] && w[1] == next && strings.HasPrefix(rest, w) {
					return true
				}
			}
		}
	}
	return false
}

// starters are programs that run what their operands say, for commands whose
// form is not understood. Deny and ask rules see every word of theirs as the
// beginning of a command.
var starters = map[string]bool{
	"busybox": true, "toybox": true, "sudo": true, "doas": true, "su": true, "runuser": true, "setpriv": true, "capsh": true, "env": true,
	"nice": true, "ionice": true, "chrt": true, "taskset": true, "timeout": true, "time": true, "nohup": true, "stdbuf": true,
	"setsid": true, "watch": true, "flock": true, "xargs": true, "parallel": true, "script": true, "unbuffer": true, "chronic": true,
	"firejail": true, "bwrap": true, "unshare": true, "nsenter": true, "chroot": true, "proot": true, "fakeroot": true, "strace": true,
	"ltrace": true, "gdb": true, "valgrind": true, "perf": true, "systemd-run": true, "proxychains": true, "proxychains4": true, "torsocks": true,
	"caffeinate": true, "arch": true, "setarch": true, "linux32": true, "linux64": true, "prlimit": true, "cgexec": true, "numactl": true,
	"catchsegv": true, "exec": true, "command": true, "builtin": true, "direnv": true, "devbox": true, "mise": true, "nocorrect": true,
	"ssh-agent": true, "dbus-run-session": true, "entr": true, "at": true, "batch": true, "tsp": true, "rlwrap": true, "socat": true, "dumb-init": true, "tini": true,
}

// addRun adds an empty action for a Run, to be filled in.
func (b *builder) addRun() *permission.Action {
	b.ins.Actions = append(b.ins.Actions, permission.Action{Kind: permission.Run, Origin: permission.Tool})
	return &b.ins.Actions[len(b.ins.Actions)-1]
}

// run describes a command to the rules. It keeps the texts for allow rules in
// room, an empty slice, and returns what is left of that.
func (b *builder) run(rep *bashcheck.Report, c *bashcheck.Command, at *part, room []string, run *permission.Action) []string {
	run.Span = span(c.Span)
	out := &run.Command
	out.Closed, out.ExactOnly, out.Opaque, out.Dynamic = c.Described, c.ExactOnly, at.opaque, c.Dynamic
	out.Edits, out.Prefix, out.Runner = c.Edits, c.Prefix, c.Class == bashcheck.Runner
	out.Digest, out.Inputs = b.content(c)
	if !at.opaque {
		out.Allow = appendNew(room, c.Text)
		out.Allow = appendNew(out.Allow, withoutInert(c))
		if c.Span.Start >= 0 && c.Span.Start < c.Span.End && c.Span.End <= len(rep.Source) {
			verbatim := rep.Source[c.Span.Start:c.Span.End]
			if len(c.Effects) == 0 || !redirected(c) {
				out.Allow = appendNew(out.Allow, verbatim)
			}
		}
		n := len(out.Allow)
		if room = out.Allow[n:]; n == 0 {
			out.Allow = nil
		}
		out.Allow = out.Allow[:n:n]
	}
	dynamic := c.Dynamic
	for i := range c.Argv {
		dynamic = dynamic || !c.Argv[i].Static || c.Argv[i].Glob
	}
	out.Dynamic = dynamic
	starts := !c.Described && (c.Class == bashcheck.Wrapper || starters[at.program])
	if !dynamic && !starts && len(c.Plain) == 1 && c.Plain[0] != "" && plainly(c) {
		// The usual case: the text is spelled one way.
		out.Deny = c.Plain[:1:1]
	} else {
		out.Deny = denied(c, dynamic, starts)
	}
	if c.Dir.Known && len(c.Dir.Paths) == 1 {
		out.Dir = b.at(c.Dir.Paths[0])
	}
	return room
}

// plainly says that joining the words of a command gives its plain form, and
// that its program has no other spelling.
func plainly(c *bashcheck.Command) bool {
	rest := c.Plain[0]
	for i := range c.Argv {
		w := c.Argv[i].Text
		if i == 0 {
			for j := 0; j < len(w); j++ {
				if c := w[j]; c == '/' || c >= 'A' && c <= 'Z' || c >= 0x80 {
					return false
				}
			}
		} else {
			if rest == "" || rest[0] != ' ' {
				return false
			}
			rest = rest[1:]
		}
		if !strings.HasPrefix(rest, w) {
			return false
		}
		rest = rest[len(w):]
	}
	return rest == "" && len(c.Argv) > 0 && c.Argv[0].Text != ""
}

// denied are the texts of a command for deny and ask rules. starts says that
// any of its words may be a program that it starts.
func denied(c *bashcheck.Command, dynamic, starts bool) []string {
	var out []string
	if !dynamic {
		for _, p := range c.Plain {
			out = appendNew(out, p)
		}
	}
	words := make([]string, len(c.Argv))
	for i := range c.Argv {
		if w := &c.Argv[i]; w.Static && !w.Glob {
			words[i] = w.Text
		} else {
			words[i] = permission.DynamicWord
		}
	}
	if len(words) > 0 {
		out = appendNew(out, strings.Join(words, " "))
		if base := path.Base(words[0]); base != words[0] {
			words[0] = base
			out = appendNew(out, strings.Join(words, " "))
		}
		// Programs are found without regard to case on some file systems.
		if lower := strings.ToLower(words[0]); lower != words[0] {
			words[0] = lower
			out = appendNew(out, strings.Join(words, " "))
		}
	}
	if starts {
		// Which word is the program that it starts is not known: each may be.
		for i := 1; i < len(words) && len(out) < 64; i++ {
			if w := words[i]; strings.HasPrefix(w, "-") {
				continue
			}
			rest := append([]string{path.Base(words[i])}, words[i+1:]...)
			out = appendNew(out, strings.Join(words[i:], " "))
			out = appendNew(out, strings.Join(rest, " "))
		}
	}
	if len(out) == 0 {
		return []string{permission.DynamicWord}
	}
	return out
}

func redirected(c *bashcheck.Command) bool {
	for i := range c.Effects {
		if c.Effects[i].ByShell {
			return true
		}
	}
	return false
}

func appendNew(list []string, s string) []string {
	if s == "" {
		return list
	}
	for _, x := range list {
		if x == s {
			return list
		}
	}
	return append(list, s)
}

// closed says whether every effect of a described command becomes an action.
func closed(c *bashcheck.Command, hasChild bool) bool {
	switch c.Class {
	case bashcheck.Plain, bashcheck.Wrapper, bashcheck.Interpreter:
	default:
		// A shell runs what it reads, a runner what the workspace defines.
		return false
	}
	for i := range c.Effects {
		e := &c.Effects[i]
		switch e.Kind {
		case bashcheck.Unknown:
			return false
		case bashcheck.Execute:
			if !hasChild || e.Target != "" {
				return false
			}
		}
	}
	return true
}

// program is the base name of the program of a command, or "".
func program(c *bashcheck.Command) string {
	if c == nil || len(c.Argv) == 0 || !c.Argv[0].Static || c.Argv[0].Glob {
		return ""
	}
	return path.Base(c.Argv[0].Text)
}

// at is a directory of the analyzer, put onto the directory of the call.
func (b *builder) at(d string) string {
	if d == "." {
		return b.dir
	}
	return join(b.call.Dir, d)
}

// places are the directories that a command may run in. The answer is shared
// and must not be changed.
func (b *builder) places(d bashcheck.Dir) []string {
	if !d.Known {
		return nil
	}
	if len(d.Paths) == 1 && d.Paths[0] == "." {
		return b.here
	}
	out := make([]string, 0, len(d.Paths))
	for _, p := range d.Paths {
		out = append(out, b.at(p))
	}
	return out
}

// makesLinks says whether a command may make links or give things other names,
// so that a later path may lead elsewhere than now. described: its description
// tells so. unknown: it is not described.
func (b *builder) makesLinks(c *bashcheck.Command) (described, unknown bool) {
	if !c.Described {
		return false, true
	}
	name := program(c)
	for i := range c.Effects {
		e := &c.Effects[i]
		if e.Own {
			continue
		}
		switch e.Kind {
		case bashcheck.Change:
			described = described || name != "chmod" && name != "chown" && name != "chgrp"
		case bashcheck.Write:
			if e.ByShell || e.Extent == bashcheck.Exact || e.Extent == bashcheck.Glob {
				continue
			}
			if name != "cp" && name != "mv" || b.copiesLinks(c) {
				described = true
			}
		}
	}
	return described, false
}

// copiesLinks says whether a cp or mv may put a link at its destination. What
// it copies is looked at; on a machine that cannot be, only the form counts.
func (b *builder) copiesLinks(c *bashcheck.Command) bool {
	kind := bashcheck.Delete
	if program(c) == "cp" {
		kind = bashcheck.Read
		links := false
		for _, w := range c.Argv[1:] {
			links = links || !w.Static || len(w.Text) > 1 && w.Text[0] == '-' && (w.Text[1] == '-' || strings.ContainsAny(w.Text, "PdalsRr"))
		}
		if !links {
			return false
		}
	}
	for i := range c.Effects {
		e := &c.Effects[i]
		if e.Kind != kind || e.ByShell {
			continue
		}
		if b.t.o.Offline {
			if e.Extent == bashcheck.Anywhere || e.Extent == bashcheck.Glob {
				return true
			}
			continue
		}
		names, dirs, ok := b.sources(c, e)
		if !ok {
			return true
		}
		for _, d := range dirs {
			for _, n := range names {
				if b.holdsLinks(absolute(d, n)) {
					return true
				}
			}
		}
	}
	return false
}

// holdsLinks says whether a name is, or has below it, a symbolic link. What is
// not there yet, or too large to look at, may be.
func (b *builder) holdsLinks(name string) bool {
	return filepath.WalkDir(name, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type()&os.ModeSymlink != 0 {
			err = errors.New("a link")
		}
		if err == nil {
			err = b.count()
		}
		return err
	}) != nil
}

func absolute(dir, name string) string {
	if path.IsAbs(name) {
		return name
	}
	return dir + "/" + name
}

// sources lists the names that an operand stands for, and the directories that
// they are relative to. ok is false where they are not known.
func (b *builder) sources(c *bashcheck.Command, e *bashcheck.Effect) (names, dirs []string, ok bool) {
	target := e.Target
	pattern := e.Extent == bashcheck.Glob
	if p := writtenAs(c, e); p != "" {
		target, pattern = p, true
	}
	dirs = b.places(e.Dir)
	if path.IsAbs(target) {
		dirs = []string{"/"}
	}
	if e.Target == "" || len(dirs) == 0 {
		return nil, nil, false
	}
	if !pattern && e.Extent != bashcheck.Exact && e.Extent != bashcheck.Tree {
		return nil, nil, false
	}
	if !pattern {
		return []string{target}, dirs, true
	}
	for _, d := range dirs {
		n, ok := b.expand(d, target)
		if !ok {
			return nil, nil, false
		}
		names = append(names, n...)
	}
	return names, dirs, true
}

// shaky says whether the paths of command i may lead elsewhere by the time it
// runs, because of another part of the text.
func (s *shellCall) shaky(i int) (described, unknown bool) {
	for j := range s.parts {
		if j == i && !s.unordered || j > i && !s.unordered {
			continue
		}
		described = described || s.parts[j].described
		unknown = unknown || s.parts[j].unknown && j != i
	}
	return described, unknown
}

// command adds the actions of one command.
func (b *builder) command(s *shellCall, i int) {
	c := &s.rep.Commands[i]
	of := s.first + i + 1
	name := s.parts[i].program
	if name == "git" {
		b.gitHistory(c, of)
	}
	copies := c.Described && (name == "cp" || name == "mv")
	for j := range c.Effects {
		e := &c.Effects[j]
		if e.Kind == bashcheck.Environment && assigned(c, e.Target) {
			continue // told of as an assignment
		}
		if copies && e.Kind == bashcheck.Write && e.Extent == bashcheck.Within && !e.ByShell && e.Target != "" {
			b.into(s, i, e)
			continue
		}
		if copies && e.Kind == bashcheck.Write && e.Extent == bashcheck.Exact && !e.ByShell && b.isDir(e) && !b.changedBefore(s, i) {
			continue // a directory, in which the names below are made
		}
		b.effect(s, e, i, of, c)
	}
	if c.Described && name == "ln" {
		b.linked(c, of)
	}
	if !c.Described || vague(c) {
		b.operands(c, of)
	}
	for i := range c.Assignments {
		a := &c.Assignments[i]
		if !inert(a) {
			b.add(permission.Action{Kind: permission.Use, Of: of, Origin: permission.Shell, Name: "environment", Span: span(a.Value.Span)})
		}
	}
}

// vague says whether a description leaves open which files a command reaches.
func vague(c *bashcheck.Command) bool {
	for i := range c.Effects {
		e := &c.Effects[i]
		switch e.Kind {
		case bashcheck.Unknown, bashcheck.Execute:
			return true
		case bashcheck.Read, bashcheck.Write, bashcheck.Delete, bashcheck.Change:
			if e.Extent == bashcheck.Anywhere {
				return true
			}
		}
	}
	return false
}

// assigned says whether a variable is one that the command line itself gives to
// the command.
func assigned(c *bashcheck.Command, name string) bool {
	for i := range c.Assignments {
		if name != "" && c.Assignments[i].Name == name {
			return true
		}
	}
	return false
}

// isDir says whether the target of an effect is a directory now, wherever the
// command may run.
func (b *builder) isDir(e *bashcheck.Effect) bool {
	dirs := b.places(e.Dir)
	for _, d := range dirs {
		if !b.look(d, e.Target, scope.Write).dir {
			return false
		}
	}
	return len(dirs) > 0
}

// into adds the writes of a cp or mv whose destination may be a directory: the
// names there come from what is copied.
func (b *builder) into(s *shellCall, i int, dst *bashcheck.Effect) {
	c := &s.rep.Commands[i]
	a := permission.Action{Kind: permission.Write, Of: s.first + i + 1, Origin: permission.Operand, Own: dst.Own, Span: span(dst.Span)}
	described, unknown := s.shaky(i)
	unsure := func(why string) {
		for _, d := range b.places(dst.Dir) {
			e := a
			e.Path = b.resolve(d, dst.Target, scope.Write)
			e.Path.Extent = permission.Within
			if e.Path.Class == permission.Ordinary {
				e.Path.Class, e.Path.ClassName = permission.Unclassified, why
			}
			b.add(e)
		}
		if !dst.Dir.Known {
			a.Path = permission.Path{Extent: permission.Anywhere}
			b.add(a)
		}
	}
	kind := bashcheck.Read
	if program(c) == "mv" {
		kind = bashcheck.Delete
	}
	dirs := b.places(dst.Dir)
	if path.IsAbs(dst.Target) {
		dirs = []string{"/"}
	}
	if len(dirs) == 0 {
		unsure("")
		return
	}
	nsources := 0
	for j := range c.Effects {
		if e := &c.Effects[j]; e.Kind == kind && !e.ByShell {
			nsources++
		}
	}
	for j := range c.Effects {
		src := &c.Effects[j]
		if src.Kind != kind || src.ByShell {
			continue
		}
		names, from, ok := b.sources(c, src)
		if !ok || len(from) != len(dirs) && !path.IsAbs(src.Target) && !path.IsAbs(dst.Target) {
			if b.t.o.Offline && src.Target != "" {
				unsure("the names are not known")
				continue
			}
			unsure("which names are made there is not known")
			continue
		}
		tree := src.Extent != bashcheck.Exact && (src.Extent != bashcheck.Glob || src.Below)
		for _, d := range dirs {
			here := b.look(d, dst.Target, scope.Write)
			if here.regular && nsources == 1 && len(names) == 1 && !b.changedBefore(s, i) {
				continue // a file, which the exact action names
			}
			for _, n := range names {
				base := path.Base(n)
				if base == "." {
					base = ""
				}
				if base == ".." || base == "/" {
					unsure("which names are made there is not known")
					continue
				}
				e := a
				e.Path = b.resolve(d, strings.TrimSuffix(dst.Target, "/")+"/"+base, scope.Create)
				e.Path.Extent = permission.Exact
				b.unsteady(&e, described, unknown)
				b.add(e)
				if !tree || b.t.o.Offline {
					continue
				}
				if described || unknown {
					// What is copied may not be there yet.
					unsure("an earlier part of the command may change what is copied")
					continue
				}
				for _, f := range from {
					b.copied(&a, absolute(f, n), d, []string{dst.Target, strings.TrimSuffix(dst.Target, "/") + "/" + base})
				}
			}
		}
	}
}

// changedBefore says whether a part that runs before command i may remove or
// replace names.
func (b *builder) changedBefore(s *shellCall, i int) bool {
	for j := range s.rep.Commands {
		if j >= i && !s.unordered {
			break
		}
		if j == i {
			continue
		}
		c := &s.rep.Commands[j]
		if !c.Described {
			return true
		}
		for _, e := range c.Effects {
			if e.Kind == bashcheck.Delete || e.Kind == bashcheck.Change || e.Kind == bashcheck.Write && e.Extent != bashcheck.Exact {
				return true
			}
		}
	}
	return false
}

// copied adds a write for each entry below src that would be no ordinary file
// below one of the places in dir.
func (b *builder) copied(a *permission.Action, src, dir string, to []string) {
	seen := map[string]bool{}
	err := filepath.WalkDir(src, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			if name == src && errors.Is(err, os.ErrNotExist) {
				return nil
			}
			return err
		}
		if err := b.count(); err != nil {
			return err
		}
		rel, err := filepath.Rel(src, name)
		if err != nil {
			return err
		}
		if rel == "." {
			return nil
		}
		for _, t := range to {
			p := b.ask(dir, t+"/"+rel, scope.Create).path
			at := b.ask(dir, t, scope.Create).path
			_, denied := b.deniesWriting(p.Clean)
			if (p.Class != permission.Ordinary || p.Zone != at.Zone || denied) && !seen[p.Clean] {
				seen[p.Clean] = true
				e := *a
				e.Path = p
				e.Path.Extent = permission.Exact
				b.add(e)
			}
		}
		return nil
	})
	// Rules over editing may speak of what is made below.
	for _, t := range to {
		e := *a
		e.Path = b.resolve(dir, t, scope.Create)
		e.Path.Extent = permission.Within
		e.Path.Walked = err == nil && (b.writing != nil || b.rules == nil)
		if err != nil {
			e.Path.Class, e.Path.ClassName = permission.Unclassified, "not everything that is copied could be looked at"
		}
		b.add(e)
	}
}

// linked adds the reads that a link would make possible: what it points to,
// from where the command runs and from where the link stands.
func (b *builder) linked(c *bashcheck.Command, of int) {
	var words []bashcheck.Word
	for _, w := range c.Argv[1:] {
		if w.Static && strings.HasPrefix(w.Text, "-") {
			continue
		}
		words = append(words, w)
	}
	for i, w := range words {
		if i > 0 && i == len(words)-1 {
			break // the name of the link
		}
		last := words[len(words)-1]
		for _, d := range b.places(c.Dir) {
			if !w.Static {
				continue
			}
			dirs := []string{d}
			if last.Static && !path.IsAbs(w.Text) {
				dirs = append(dirs, path.Dir(absolute(d, last.Text)), absolute(d, last.Text))
			}
			for _, from := range dirs {
				a := permission.Action{Kind: permission.Read, Of: of, Origin: permission.Operand, Free: true, Span: span(w.Span)}
				a.Path = b.resolve(from, w.Text, scope.Read)
				a.Path.Extent = permission.Exact
				if a.Path.Class == permission.Unclassified && a.Path.Zone == permission.Outside && from != d {
					continue // no such place
				}
				b.add(a)
			}
		}
	}
}

// writers are the programs whose operands are what they change, so that an
// operand is looked at even where the form is not understood.
var writers = map[string]bool{
	"cp": true, "mv": true, "ln": true, "install": true, "rm": true, "rmdir": true, "mkdir": true, "touch": true, "tee": true,
	"sed": true, "truncate": true, "dd": true, "rsync": true, "tar": true, "unzip": true, "chmod": true, "chown": true, "chgrp": true,
	"shred": true, "unlink": true, "patch": true, "split": true, "scp": true, "gzip": true, "gunzip": true, "xz": true, "zip": true,
}

// operands looks at the words of a command that is not understood. A word that
// names a file which may hold secrets, or which rules speak of, is an action:
// no rule for the command covers that. The words of a program that writes are
// places where it may write, as far as they are protected.
func (b *builder) operands(c *bashcheck.Command, of int) {
	name := program(c)
	for i, w := range c.Argv {
		if i == 0 || !w.Static || w.Text == "" || len(w.Text) > 4096 {
			continue
		}
		for _, t := range candidates(w.Text, c.Class) {
			for _, d := range b.places(c.Dir) {
				b.operand(t, d, of, name, span(w.Span))
			}
		}
	}
}

func (b *builder) operand(t, d string, of int, name string, at permission.Span) {
	a := permission.Action{Kind: permission.Read, Of: of, Origin: permission.Operand, Free: true, Span: at}
	r := b.look(d, t, scope.Read)
	if _, denied := b.denies(&r.path); denied || r.path.Class == permission.Sensitive || r.path.Class == permission.Forbidden {
		a.Path = r.path
		a.Path.Extent = permission.Exact
		b.add(a)
	}
	if !writers[name] {
		return
	}
	op, kind := scope.Write, permission.Write
	if name == "rm" || name == "rmdir" || name == "shred" || name == "unlink" {
		op, kind = scope.Delete, permission.Delete
	}
	p := b.resolve(d, t, op)
	if p.Class == permission.Protected || p.Class == permission.Forbidden || p.Critical && kind == permission.Delete {
		a.Kind, a.Free, a.Path = kind, false, p
		a.Path.Extent = permission.Exact
		b.add(a)
	}
}

// candidates are the paths that a word may name: itself, what stands after a
// "=" or a short flag, and, in the text of a program, every piece that could
// be a path.
func candidates(t string, class bashcheck.Class) []string {
	var out []string
	add := func(s string) {
		if s = strings.TrimPrefix(s, "@"); s != "" && !strings.ContainsAny(s, "\n\x00") {
			out = appendNew(out, s)
		}
	}
	if !strings.HasPrefix(t, "-") {
		add(t)
	} else if len(t) > 2 && t[1] != '-' {
		add(t[2:])
	}
	if _, v, ok := strings.Cut(t, "="); ok {
		add(v)
	}
	if class == bashcheck.Interpreter || class == bashcheck.Shell {
		for _, s := range strings.FieldsFunc(t, func(r rune) bool {
			return !(r == '/' || r == '.' || r == '_' || r == '-' || r == '~' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80)
		}) {
			if len(out) < 64 && strings.ContainsAny(s, "./") {
				add(s)
			}
		}
	}
	return out
}

// unsteady marks a target that may lead elsewhere by the time it is used, so
// that no allow rule over paths and no mode settles it.
func (b *builder) unsteady(a *permission.Action, described, unknown bool) {
	reading := a.Kind == permission.Read || a.Kind == permission.List
	if !described && !(unknown && !reading) || a.Kind == permission.List {
		return
	}
	if a.Path.Class == permission.Ordinary {
		a.Path.Class = permission.Unclassified
		a.Path.ClassName = "another part of the command may change where it leads"
	}
	a.Path.Real = ""
	a.Free = false
}

// effect turns an effect into actions. i is the index of its command, of the
// number of its Run.
func (b *builder) effect(s *shellCall, e *bashcheck.Effect, i, of int, c *bashcheck.Command) {
	hasChild := c != nil && s.parts[i].parent
	a := permission.Action{Of: of, Origin: permission.Operand, Own: e.Own, Span: span(e.Span)}
	if e.ByShell || c == nil {
		a.Origin = permission.Shell
	}
	switch e.Kind {
	case bashcheck.Read:
		a.Kind = permission.Read
	case bashcheck.List:
		a.Kind = permission.List
	case bashcheck.Write, bashcheck.Change:
		a.Kind = permission.Write
	case bashcheck.Delete:
		a.Kind = permission.Delete
	case bashcheck.Execute:
		if !hasChild || e.Target != "" {
			a.Kind = permission.KindUnknown
			b.add(a)
		}
		return
	case bashcheck.Connect:
		a.Kind, a.Port, a.PlainGet = permission.Connect, e.Port, e.PlainGet
		// A host that cannot be read as one stays unknown: any rule may mean it.
		if host, err := canonicalHost(e.Target); err == nil {
			a.Host = host
		} else {
			a.PlainGet = false
		}
		b.ins.Brings |= permission.Untrusted
		b.add(a)
		return
	case bashcheck.Environment:
		a.Kind, a.Name = permission.Use, "environment"
		b.add(a)
		return
	case bashcheck.Process:
		a.Kind, a.Name = permission.Use, "process"
		b.add(a)
		return
	case bashcheck.Privilege:
		a.Kind, a.Name = permission.Use, "privilege"
		b.add(a)
		return
	default:
		a.Kind = permission.KindUnknown
		b.add(a)
		return
	}
	b.pathEffect(s, &a, e, i, c)
}

// pathEffect resolves the target of an effect on files, for every directory
// that the command may be in.
func (b *builder) pathEffect(s *shellCall, a *permission.Action, e *bashcheck.Effect, i int, c *bashcheck.Command) {
	target := e.Target
	reading := a.Kind == permission.Read || a.Kind == permission.List
	if e.Extent == bashcheck.Exact && a.Kind != permission.Delete && e.Kind != bashcheck.Change && device(target, !reading) {
		// Nothing is kept of what is written there, and nothing is told.
		return
	}
	dirs := b.places(e.Dir)
	if strings.HasPrefix(target, "/") {
		dirs = []string{"/"}
	}
	pattern := e.Extent == bashcheck.Glob
	below := pattern && e.Below
	if e.Extent == bashcheck.Tree || e.Extent == bashcheck.Within {
		// A pattern over whole trees (grep -r x s*) is told as the folder that it
		// begins in.
		if p := writtenAs(c, e); p != "" && !e.ByShell {
			target, pattern, below = p, true, true
			if strings.HasPrefix(target, "/") {
				dirs = []string{"/"}
			}
		}
	}
	if e.Extent == bashcheck.Anywhere && !pattern || len(dirs) == 0 || e.Plain && (!reading || b.t.o.Offline || !plainName(target)) {
		a.Path = permission.Path{Extent: permission.Anywhere}
		if a.Kind == permission.Delete && c != nil && belowVariable(c) {
			a.Path.Under, a.Path.Critical = true, true
		}
		b.add(*a)
		return
	}
	t := target1{s: s, i: i, c: c, op: effectOp(e), ext: extent(e.Extent), plain: e.Plain}
	if c != nil {
		t.program = s.parts[i].program
	}
	if e.Listed > 0 && e.Listed <= len(s.rep.Commands) {
		t.listed = &s.rep.Commands[e.Listed-1]
	}
	t.described, t.unknown = s.shaky(i)
	for _, d := range dirs {
		if pattern {
			if t.ext = permission.Exact; below {
				t.ext = permission.Tree
			}
			b.pattern(*a, d, target, t)
			continue
		}
		b.target(a, d, target, &t)
	}
}

// writtenAs is the shell pattern that an effect comes from, or "".
func writtenAs(c *bashcheck.Command, e *bashcheck.Effect) string {
	if c == nil {
		return ""
	}
	for _, w := range c.Argv {
		if w.Glob && w.Static && w.Span == e.Span {
			return w.Text
		}
	}
	return ""
}

// target1 is what is known about the target of one effect.
type target1 struct {
	s                  *shellCall
	i                  int
	c                  *bashcheck.Command
	program            string // of the command
	op                 scope.Op
	ext                permission.Extent
	described, unknown bool
	listed             *bashcheck.Command // chose the names that are reached
	plain              bool               // no name may hold a blank or a quote
}

func effectOp(e *bashcheck.Effect) scope.Op {
	switch e.Kind {
	case bashcheck.Read:
		return scope.Read
	case bashcheck.List:
		return scope.List
	case bashcheck.Delete:
		return scope.Delete
	case bashcheck.Change:
		return scope.Chmod
	}
	return scope.Write
}

// pattern adds the actions for the names that a shell pattern matches.
func (b *builder) pattern(a permission.Action, dir, pattern string, t target1) {
	reading := a.Kind == permission.Read || a.Kind == permission.List
	base := orDot(patternBase(pattern))
	if a.Kind == permission.Delete {
		// A pattern for everything in a directory empties it, and everything
		// right below the root is as critical as the root.
		at := b.resolve(dir, base, scope.List)
		r := b.t.o.Files.CheckFrom("/", at.Clean, scope.Delete)
		whole := r.Critical || r.Rel == "."
		rest := strings.Trim(pattern[len(patternBase(pattern)):], "*?.[]!^/")
		if whole && (rest == "" || at.Clean == "/" || at.Real == "/") {
			a.Path = b.resolve(dir, base, scope.Write)
			a.Path.Extent, a.Path.Critical = permission.Within, true
			b.add(a)
			return
		}
	}
	names, ok := b.expand(dir, pattern)
	if ok {
		if len(names) == 0 {
			// Nothing matches: the pattern itself is the name.
			names = []string{pattern}
			t.ext = permission.Exact
		}
		for _, n := range names {
			b.target(&a, dir, n, &t)
		}
		return
	}
	// The names are not known: any below the directory that the pattern
	// starts in.
	a.Path = b.resolve(dir, base, t.op)
	a.Path.Extent = permission.Within
	switch {
	case !reading:
		if a.Path.Class == permission.Ordinary {
			a.Path.Class, a.Path.ClassName = permission.Unclassified, "which names the pattern matches is not known"
		}
		b.add(a)
	case a.Kind == permission.List:
		a.Free = true
		b.add(a)
	default:
		a.Free = a.Path.Zone == permission.Outside
		b.unsteady(&a, t.described, t.unknown)
		b.readTree(&a, filter{follow: true})
	}
}

// target adds the actions for one target in one directory, each like of but for
// the path.
func (b *builder) target(of *permission.Action, dir, name string, t *target1) {
	at := len(b.ins.Actions)
	b.add(*of) // built where it stands
	a := &b.ins.Actions[at]
	reading := a.Kind == permission.Read || a.Kind == permission.List
	a.Path = b.look(dir, name, t.op).path
	p := &a.Path
	p.Extent = t.ext
	if a.Kind == permission.Delete && strings.HasSuffix(name, "/") && p.Zone != permission.Inside {
		p.Critical = p.Critical || b.resolve(dir, name, scope.Delete).Critical
	}
	if reading {
		a.Free = p.Zone == permission.Outside
		b.brings(p)
		if t.program == "git" {
			// git reads what the directory that it runs in makes it find.
			a.Free = a.Free && t.s.own
		}
	}
	// nohup writes its file only where its output is a terminal, which that of
	// a tool never is.
	if a.Kind == permission.Write && t.ext == permission.Exact && t.program == "nohup" && a.Origin == permission.Operand &&
		name == "nohup.out" && p.Class == permission.Ordinary && p.Zone != permission.Outside {
		a.Free = true
	}
	if a.Kind == permission.Write && t.ext == permission.Exact && t.program == "flock" && p.Class == permission.Ordinary && p.Zone == permission.Outside {
		// Of a lock file only the name matters, and the usual place for it is
		// outside: a rule that spells the command covers it.
		a.Kind, a.Free = permission.Read, true
		b.add(permission.Action{Kind: permission.Use, Of: a.Of, Origin: permission.Operand, Name: "the lock file " + p.Clean, Span: a.Span})
		return
	}
	b.unsteady(a, t.described, t.unknown)
	switch {
	case t.ext != permission.Tree && t.ext != permission.Within, a.Path.Real == "", a.Kind == permission.List:
	case reading && t.program == "git" && a.Own:
		a.Path.Walked = true
	default:
		whole := *a
		b.ins.Actions = b.ins.Actions[:at]
		b.targetTree(whole, dir, name, t)
	}
}

// targetTree is target for a tree, whose names may have to be looked at one by
// one.
func (b *builder) targetTree(a permission.Action, dir, name string, t *target1) {
	reading := a.Kind == permission.Read
	switch {
	case reading && t.program == "git":
		if b.t.o.Offline {
			b.readTree(&a, filter{})
			return
		}
		b.gitTree(&a, name, *t)
	case reading && t.listed != nil && program(t.listed) == "git" && !listsUntracked(t.listed) && !b.t.o.Offline:
		names, ok := tracked(a.Path.Real)
		odd := func(name string) bool { return !plainName(strings.TrimPrefix(name, a.Path.Real)) }
		if !ok || t.plain && slices.ContainsFunc(names, odd) {
			b.readTree(&a, t.filter())
			return
		}
		b.readNames(&a, names)
	case reading:
		b.readTree(&a, t.filter())
	case t.program == "git":
		// What a revision holds is known to git alone; it writes below its
		// work tree and never removes that.
		a.Path = b.resolve(dir, name, scope.Write)
		a.Path.Extent, a.Path.Critical = permission.Within, false
		b.unsteady(&a, t.described, t.unknown)
		b.add(a)
	case t.program == "find" && a.Kind == permission.Delete:
		b.findDelete(a, *t)
	case a.Own:
		b.add(a)
	default:
		b.walkWrite(&a, t.op, nil)
	}
}

// untrackedToo says whether a git command also reads files that are not in the
// index.
func untrackedToo(c *bashcheck.Command) bool {
	for _, w := range c.Argv {
		if !w.Static || strings.HasPrefix(w.Text, "--no-i") || strings.HasPrefix(w.Text, "--untracked") {
			return true
		}
	}
	return false
}

// listsUntracked says that git ls-files may name other files than those in the
// index.
func listsUntracked(c *bashcheck.Command) bool {
	for _, w := range c.Argv[1:] {
		switch t := w.Text; {
		case !w.Static:
			return true
		case strings.HasPrefix(t, "--"):
			if t != "--" && t != "--cached" && t != "--full-name" && t != "--deduplicate" {
				return true
			}
		case strings.HasPrefix(t, "-") && strings.Trim(t, "-cz") != "":
			return true
		}
	}
	return false
}

// findDelete adds what find -delete removes: entries below its start, and the
// start itself only where that is named by something else than ".". A plain
// list of tests that all must hold narrows it to the names that pass -name.
func (b *builder) findDelete(a permission.Action, t target1) {
	var names []string
	all := true
	for i, w := range t.c.Argv {
		switch w.Text {
		case "-o", "-or", "!", "-not", "(", ")", ",":
			all = false
		case "-name":
			if i+1 < len(t.c.Argv) && t.c.Argv[i+1].Static {
				if n := t.c.Argv[i+1].Text; !strings.ContainsAny(n, `[\/`) {
					names = append(names, n)
				}
			}
		}
	}
	var keep func(string) bool
	if all && len(names) > 0 {
		keep = func(name string) bool {
			for _, n := range names {
				if ok, err := path.Match(n, filepath.Base(name)); err != nil || !ok {
					return false
				}
			}
			return true
		}
		a.Path.Extent, a.Path.Critical = permission.Within, false
		if start := path.Base(a.Path.Clean); keep(start) {
			a.Path.Extent = permission.Tree
			a.Path.Critical = b.resolve("/", a.Path.Clean, scope.Delete).Critical
		}
		a.Path.Class = b.resolve("/", a.Path.Clean, scope.Write).Class
	}
	b.walkWrite(&a, scope.Delete, keep)
}

// belowVariable says whether a word of the command is a variable followed by a
// slash, or by a slash and a glob: with the variable empty it is the root.
func belowVariable(c *bashcheck.Command) bool {
	for _, w := range c.Argv {
		if w.Static {
			continue
		}
		s := strings.NewReplacer(`"`, "", "'", "", "{", "", "}", "").Replace(w.Text)
		if !strings.HasPrefix(s, "$") {
			continue
		}
		i := 1
		for i < len(s) && (s[i] == '_' || 'a' <= s[i]|0x20 && s[i]|0x20 <= 'z' || '0' <= s[i] && s[i] <= '9') {
			i++
		}
		if rest := s[i:]; i > 1 && strings.HasPrefix(rest, "/") && strings.Trim(rest, "/*") == "" {
			return true
		}
	}
	return false
}
