package toolset

import (
	"errors"
	"slices"
	"strings"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
)

// runnerWarning is what a rule for a runner of the workspace means.
const runnerWarning = "An approval of it means: run anything that this workspace contains."

// shellCall is what is known while one command text is turned into actions.
type shellCall struct {
	rep *bashcheck.Report
	// first is the index of the first Run in the inspection.
	first int
	// parts are what is known of each command, and at last of the effects that
	// belong to none.
	parts []part
	// steady says that no part makes, moves or may make links or names.
	steady bool
	// mixed is the answer of unordered, once it was asked for.
	mixed, mixedKnown bool
	// own says that git finds the repository of the project.
	own bool
	// The last answer of shaky, for the command before asked.
	asked              int
	described, unknown bool
}

// part is what is known of one command of a text.
type part struct {
	// program is the base name of its program, or "".
	program string
	// parent says that it starts another command of the text.
	parent bool
	// opaque says that no allow rule may speak of it.
	opaque bool
	// fed says that xargs gives it further words.
	fed bool
	// described and unknown say that it made, moved or may have made links or
	// names: one whose description tells, or a program that is not described.
	described, unknown bool
}

// account tells what a command text does, for those who ask.
type account struct {
	rep bashcheck.Report
	// more are sentences about the machine, which the analyzer does not know.
	more string
}

// String is the explanation.
func (a *account) String() string { return a.rep.Explain() + a.more }

// Most texts are short. What is told of one, its commands as rules see them and
// its actions are then allocated at once, as one of these: a call of one
// program that does one thing or more, and a line of a few calls. Their sizes are
// those that the runtime allocates (on 64 bits 256, 512 and, with its header, 1408
// bytes).
type (
	oneRun struct {
		account
		runs    [1]permission.Command
		actions [2]permission.Action
	}
	busyRun struct {
		account
		runs [1]permission.Command
	}
	fewRuns struct {
		account
		runs    [3]permission.Command
		actions [7]permission.Action
	}
)

// furnish returns room for the account of a report, for its commands and for as
// many actions as these and their effects make.
func furnish(rep *bashcheck.Report) (told *account, runs []permission.Command, actions []permission.Action) {
	n := len(rep.Commands)
	all := n + len(rep.Loose)
	for i := range rep.Commands {
		all += len(rep.Commands[i].Effects)
	}
	switch {
	case all == 0:
		told = new(account)
	case n <= len(oneRun{}.runs) && all <= len(oneRun{}.actions):
		r := new(oneRun)
		told, runs, actions = &r.account, r.runs[:n], r.actions[:0]
	case n <= len(busyRun{}.runs):
		r := new(busyRun)
		told, runs, actions = &r.account, r.runs[:n], make([]permission.Action, 0, all)
	case n <= len(fewRuns{}.runs) && all <= len(fewRuns{}.actions):
		r := new(fewRuns)
		told, runs, actions = &r.account, r.runs[:n], r.actions[:0]
	default:
		told, runs, actions = new(account), make([]permission.Command, n), make([]permission.Action, 0, all)
	}
	setReport(&told.rep, rep)
	return told, runs, actions
}

func (a *account) add(sentence string) {
	if !strings.Contains(a.more, sentence) {
		a.more += " " + sentence
	}
}

// setReport copies a report into an empty one, field by field: copying the whole
// takes longer while memory is collected.
func setReport(to, from *bashcheck.Report) {
	to.Source, to.Analyzer, to.Parsed = from.Source, from.Analyzer, from.Parsed
	to.Commands = from.Commands
	if from.Loose != nil {
		to.Loose = from.Loose
	}
	if from.Findings != nil {
		to.Findings = from.Findings
	}
	to.Assumptions = from.Assumptions
}

// identity names the report of an account.
type identity account

func (id *identity) String() string { return id.rep.Digest() }

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
	b.analyzed(&rep)
	return nil
}

// analyzed turns the report on a command into actions.
func (b *builder) analyzed(from *bashcheck.Report) {
	told, runs, actions := furnish(from)
	s, rep := &b.shell, &told.rep
	b.ins.Actions = actions
	s.rep = rep
	b.ins.Report, b.ins.Explanation = permission.LateText((*identity)(told)), permission.LateText(told)
	b.source = rep.Source
	b.ins.Risk = risk(rep.Risk())
	s.first, s.own, s.steady = len(b.ins.Actions), true, true
	proven := true
	for _, a := range rep.Assumptions {
		proven = proven && slices.Contains(b.t.o.Assume, a)
		if a == "git-config-trusted" && !b.ownRepository() {
			proven, s.own = false, false
			told.add("git would use another repository than the project's own, whose configuration may start programs.")
		} else if a == "git-config-trusted" && !b.submodulesHarmless() {
			proven = false
			told.add("The configuration of a submodule may start programs.")
		}
	}
	if !rep.Parsed {
		// Any rule may mean a text that is not understood.
		b.add(permission.Action{Kind: permission.Run, Origin: permission.Tool, Command: &permission.Command{
			Deny: []string{permission.DynamicWord}, Opaque: true, Dynamic: true,
		}})
		b.add(permission.Action{Kind: permission.Write, Of: 1, Origin: permission.Operand, Maybe: true, Path: permission.Path{Extent: permission.Anywhere}})
		b.add(permission.Action{Kind: permission.Connect, Of: 1, Origin: permission.Operand, Maybe: true})
		s.first += 3
	}
	for i := range rep.Findings {
		f := &rep.Findings[i]
		if f.Code == bashcheck.CodeForeignRepository && b.stays(rep, f) {
			continue
		}
		if f.Blocks || f.Severity >= bashcheck.Suspicious {
			b.ins.Findings = append(b.ins.Findings, permission.Finding{Code: f.Code, Text: sentence(f.Text), Span: span(f.Span)})
		}
	}
	// The Runs come first, so that the effects can name them.
	n := len(rep.Commands)
	s.parts = slices.Grow(s.parts, n+1)[:n+1]
	for i := range rep.Commands {
		c := &rep.Commands[i]
		s.parts[i].program = program(c)
		if c.Parent > 0 {
			s.parts[c.Parent-1].parent = true
		}
	}
	var texts []string
	for i := range rep.Commands {
		c, at := &rep.Commands[i], &s.parts[i]
		if c.Parent > 0 {
			at.opaque = !c.Transparent || s.parts[c.Parent-1].opaque
			at.fed = s.parts[c.Parent-1].fed || s.parts[c.Parent-1].program == "xargs"
		}
		run := b.addRun(&runs[i])
		texts = b.run(rep, c, at, texts, run)
		b.mayRun(c, at, run)
		run.Command.Closed = run.Command.Closed && proven && closed(c, at.parent)
		if c.Parent > 0 {
			run.Of = s.first + c.Parent
			// What a transparent wrapper adds is settled like what it wraps.
			if c.Transparent && c.Edits {
				b.ins.Actions[s.first+c.Parent-1].Command.Edits = true
			}
		}
		if run.Command.Runner {
			told.add(runnerWarning)
		}
	}
	for i := range rep.Commands {
		at := &s.parts[i]
		at.described, at.unknown = b.makesLinks(&rep.Commands[i], at.program)
		s.steady = s.steady && !at.described && !at.unknown
	}
	for i := range rep.Commands {
		b.command(s, i)
		b.ins.Brings |= brought(&rep.Commands[i], s.parts[i].program)
	}
	for j := range rep.Loose {
		b.effect(s, &rep.Loose[j], n, 0, nil)
	}
	b.reportReads(told)
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

// reportReads raises the risk of a call that reads what may be secret: a
// harmless program does not make that harmless.
func (b *builder) reportReads(told *account) {
	for i := range b.ins.Actions {
		a := &b.ins.Actions[i]
		if (a.Kind == permission.Read || a.Kind == permission.Write) && a.Path.Class == permission.Sensitive {
			b.ins.Brings |= permission.SensitiveData
			if b.ins.Risk == permission.RiskLow {
				b.ins.Risk = permission.RiskMedium
				told.more += " " + a.Path.Clean + " may hold secrets."
			}
		}
	}
}

func boolField(in fields, name string) bool {
	f, ok := in.get(name)
	return ok && string(f.raw) != "false" && string(f.raw) != "null"
}

func span(s bashcheck.Span) permission.Span {
	return permission.Span{Start: s.Start, End: s.End}
}

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
		case 'f':
			if strings.HasPrefix(rest, "for") || strings.HasPrefix(rest, "function") {
				return true
			}
		case 'w':
			if strings.HasPrefix(rest, "while") {
				return true
			}
		case 'u':
			if strings.HasPrefix(rest, "until") {
				return true
			}
		case 's':
			if strings.HasPrefix(rest, "select") {
				return true
			}
		case 'c':
			if strings.HasPrefix(rest, "coproc") {
				return true
			}
		case 't':
			if strings.HasPrefix(rest, "trap") {
				return true
			}
		case 'r':
			if strings.HasPrefix(rest, "repeat") {
				return true
			}
		}
	}
	return false
}

// unordered says that a later part may run before an earlier one: in loops,
// pipelines and background jobs, and where a program starts several commands.
func (s *shellCall) unordered() bool {
	if !s.mixedKnown {
		s.mixed, s.mixedKnown = unordered(s.rep.Source) || s.repeats(), true
	}
	return s.mixed
}

// shaky says whether the paths of command i may lead elsewhere by the time it
// runs, because of another part of the text.
func (s *shellCall) shaky(i int) (described, unknown bool) {
	if s.steady {
		return false, false
	}
	if s.asked == i+1 {
		return s.described, s.unknown
	}
	for j := range s.parts {
		if j >= i && !s.unordered() {
			continue
		}
		described = described || s.parts[j].described
		unknown = unknown || s.parts[j].unknown && j != i
	}
	s.asked, s.described, s.unknown = i+1, described, unknown
	return described, unknown
}

// command adds the actions of one command.
func (b *builder) command(s *shellCall, i int) {
	c := &s.rep.Commands[i]
	of := s.first + i + 1
	name := s.parts[i].program
	if name == "git" {
		b.gitHistory(c, of)
		b.gitWorkTree(c, of)
	}
	copies := c.Described && (name == "cp" || name == "mv" || name == "install" || name == "rsync" && localOnly(c))
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

// localOnly says that a command connects nowhere.
func localOnly(c *bashcheck.Command) bool {
	return !slices.ContainsFunc(c.Effects, func(e bashcheck.Effect) bool { return e.Kind == bashcheck.Connect })
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
