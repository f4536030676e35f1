package toolset

import (
	"encoding/json"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope"
)

// maxTargets bounds how many files of a target set are looked at one by one.
const maxTargets = 10_000

func (b *builder) bash() error {
	b.ins.Family = "Bash"
	command, err := text(b.in, "command")
	if err != nil {
		return err
	}
	if strings.TrimSpace(command) == "" {
		return errors.New("the command is empty")
	}
	b.ins.Params = params(b.in, "command")
	b.ins.Unconfined = boolField(b.in, "dangerouslyDisableSandbox")
	rep := b.t.o.Analyzer.Analyze(command)
	b.ins.Explanation = rep.Explain()
	b.ins.Risk = risk(rep.Risk())
	proven := true
	for _, a := range rep.Assumptions {
		proven = proven && b.t.assume[a]
	}
	if !rep.Parsed {
		// Any rule may mean a text that is not understood.
		b.add(permission.Action{Kind: permission.Run, Origin: permission.Tool, Command: permission.Command{
			Deny: []string{permission.DynamicWord}, Opaque: true, Dynamic: true,
		}})
	}
	for _, f := range rep.Findings {
		if f.Blocks || f.Severity >= bashcheck.Suspicious {
			b.ins.Findings = append(b.ins.Findings, permission.Finding{Code: f.Code, Text: f.Text, Span: span(f.Span)})
		}
	}
	// The Runs come first, so that the effects can name them.
	runs := len(b.ins.Actions)
	children := make([]bool, len(rep.Commands)+1)
	for _, c := range rep.Commands {
		if c.Parent > 0 {
			children[c.Parent] = true
		}
	}
	opaque := make([]bool, len(rep.Commands)+1)
	for i := range rep.Commands {
		c := &rep.Commands[i]
		if c.Parent > 0 {
			opaque[i+1] = !c.Transparent || opaque[c.Parent]
		}
		run := b.run(&rep, c, opaque[i+1])
		run.Command.Closed = run.Command.Closed && proven && closed(c, children[i+1])
		if c.Parent > 0 {
			run.Of = runs + c.Parent
		}
		b.add(run)
	}
	links := false // an earlier command may have made or moved names
	for i := range rep.Commands {
		c := &rep.Commands[i]
		for j := range c.Effects {
			b.effect(&c.Effects[j], runs+i+1, children[i+1], &rep, c, links)
		}
		for _, e := range c.Effects {
			if e.Kind == bashcheck.Change || e.Kind == bashcheck.Write && e.Extent != bashcheck.Exact || !c.Described {
				links = true
			}
		}
		for _, a := range c.Assignments {
			if !a.Inert {
				b.add(permission.Action{Kind: permission.Use, Of: runs + i + 1, Origin: permission.Shell, Name: "environment", Span: span(a.Value.Span)})
			}
		}
	}
	for j := range rep.Loose {
		b.effect(&rep.Loose[j], 0, false, &rep, nil, links)
	}
	if len(b.ins.Actions) == 0 && rep.Parsed && len(rep.Commands) == 0 && len(rep.Findings) == 0 {
		// Comments and blank lines alone.
		b.add(permission.Action{Kind: permission.Use, Origin: permission.Shell, Name: "nothing", Free: true})
	}
	return nil
}

func boolField(in map[string]json.RawMessage, field string) bool {
	v, ok := in[field]
	return ok && string(v) != "false" && string(v) != "null"
}

func span(s bashcheck.Span) permission.Span { return permission.Span{Start: s.Start, End: s.End} }

// run describes a command to the rules.
func (b *builder) run(rep *bashcheck.Report, c *bashcheck.Command, opaque bool) permission.Action {
	out := permission.Command{
		Closed: c.Described, ExactOnly: c.ExactOnly, Opaque: opaque, Dynamic: c.Dynamic,
		Edits: c.Edits, Prefix: c.Prefix, Runner: c.Class == bashcheck.Runner,
	}
	if !opaque {
		out.Allow = appendNew(out.Allow, c.Text)
		if c.Span.Start >= 0 && c.Span.Start < c.Span.End && c.Span.End <= len(rep.Source) {
			verbatim := rep.Source[c.Span.Start:c.Span.End]
			if len(c.Effects) == 0 || !redirected(c) {
				out.Allow = appendNew(out.Allow, verbatim)
			}
		}
	}
	var words []string
	dynamic := c.Dynamic
	for _, w := range c.Argv {
		if w.Static && !w.Glob {
			words = append(words, w.Text)
		} else {
			words = append(words, permission.DynamicWord)
			dynamic = true
		}
	}
	out.Dynamic = dynamic
	if !dynamic {
		for _, p := range c.Plain {
			out.Deny = appendNew(out.Deny, p)
		}
	}
	if len(words) > 0 {
		out.Deny = appendNew(out.Deny, strings.Join(words, " "))
		if base := path.Base(words[0]); base != words[0] {
			words[0] = base
			out.Deny = appendNew(out.Deny, strings.Join(words, " "))
		}
		// Programs are found without regard to case on some file systems.
		if lower := strings.ToLower(words[0]); lower != words[0] {
			words[0] = lower
			out.Deny = appendNew(out.Deny, strings.Join(words, " "))
		}
	}
	if len(out.Deny) == 0 {
		out.Deny = []string{permission.DynamicWord}
	}
	if c.Dir.Known && len(c.Dir.Paths) == 1 {
		out.Dir = join(b.call.Dir, c.Dir.Paths[0])
	}
	return permission.Action{Kind: permission.Run, Origin: permission.Tool, Command: out, Span: span(c.Span)}
}

func redirected(c *bashcheck.Command) bool {
	for _, e := range c.Effects {
		if e.ByShell {
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
	if c.Class == bashcheck.Runner || c.Class == bashcheck.UnknownClass {
		return false
	}
	for _, e := range c.Effects {
		switch e.Kind {
		case bashcheck.Unknown:
			return false
		case bashcheck.Execute:
			if !hasChild {
				return false
			}
		}
	}
	return true
}

// effect turns an effect into actions.
func (b *builder) effect(e *bashcheck.Effect, of int, hasChild bool, rep *bashcheck.Report, c *bashcheck.Command, links bool) {
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
		if !hasChild {
			a.Kind = permission.KindUnknown
			b.add(a)
		}
		return
	case bashcheck.Connect:
		a.Kind, a.Host, a.Port, a.PlainGet = permission.Connect, strings.TrimSuffix(strings.ToLower(e.Target), "."), e.Port, e.PlainGet
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
	b.pathEffect(a, e, rep, c, links)
}

// pathEffect resolves the target of an effect on files, for every directory
// that the command may be in.
func (b *builder) pathEffect(a permission.Action, e *bashcheck.Effect, rep *bashcheck.Report, c *bashcheck.Command, links bool) {
	target := e.Target
	if target == "/dev/null" && e.Extent == bashcheck.Exact && a.Kind != permission.Delete {
		// A null device keeps nothing and tells nothing.
		return
	}
	op := effectOp(e)
	dirs := []string{""}
	if !strings.HasPrefix(target, "/") {
		if !e.Dir.Known || len(e.Dir.Paths) == 0 {
			dirs = nil
		} else {
			dirs = e.Dir.Paths
		}
	}
	if e.Extent == bashcheck.Anywhere || dirs == nil {
		a.Path = permission.Path{Extent: permission.Anywhere}
		if a.Kind == permission.Delete && c != nil && belowVariable(c) {
			a.Path.Under, a.Path.Critical = true, true
		}
		b.add(a)
		return
	}
	for _, d := range dirs {
		b.target(a, join(b.call.Dir, d), target, extent(e.Extent), op, links)
	}
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

// join puts a directory of the analyzer onto the directory of the call.
func join(dir, d string) string {
	if strings.HasPrefix(d, "/") {
		return path.Clean(d)
	}
	return path.Join(dir, d)
}

// target adds the actions for one target in one directory.
func (b *builder) target(a permission.Action, dir, target string, ext permission.Extent, op scope.Op, links bool) {
	reading := a.Kind == permission.Read || a.Kind == permission.List
	if ext == permission.Glob {
		names, ok := b.expand(dir, target)
		if ok && len(names) > 0 {
			for _, n := range names {
				b.target(a, dir, n, permission.Exact, op, links)
			}
			return
		}
		// The names are not known: everything below the directory that the
		// pattern starts in.
		base := patternBase(target)
		parent := a.Kind == permission.Delete
		p := b.resolve(dir, orDot(base), listOp(op))
		if parent {
			// A glob right below a directory empties it.
			whole := b.t.o.Files.CheckFrom(dir, orDot(base), scope.Delete)
			p.Critical = whole.Critical || whole.Rel == "."
		}
		p.Extent = permission.Within
		a.Path = p
		if !reading && !ok {
			a.Path.Class = permission.Unclassified
		}
		if !reading && ok {
			// Nothing matches today: the pattern itself is the name.
			a.Path = b.resolve(dir, target, op)
			a.Path.Extent = permission.Exact
			a.Path.Critical = a.Path.Critical || p.Critical
		}
		a.Free = reading
		b.add(a)
		return
	}
	p := b.resolve(dir, target, op)
	p.Extent = ext
	if a.Kind == permission.Delete && strings.HasSuffix(target, "/") && p.Zone != permission.Inside {
		p.Critical = p.Critical || b.resolve(dir, target, scope.Delete).Critical
	}
	a.Path = p
	a.Free = reading && p.Zone == permission.Outside
	if reading {
		b.brings(p)
	}
	if !reading && links && p.Class == permission.Ordinary {
		// A name may lead elsewhere by the time the command gets to it.
		a.Path.Class = permission.Unclassified
		a.Path.ClassName = "an earlier part of the command may change where it leads"
	}
	if (ext == permission.Tree || ext == permission.Within) && !reading {
		b.walk(&a, op)
		return
	}
	if ext == permission.Tree || ext == permission.Within {
		b.walkDenied(&a)
		return
	}
	b.add(a)
}

func orDot(s string) string {
	if s == "" {
		return "."
	}
	return s
}

func listOp(op scope.Op) scope.Op {
	if op == scope.Read || op == scope.List {
		return op
	}
	return scope.Write
}

// walk looks at everything below the target of a write or a removal and adds
// an action for each entry that is not an ordinary file of the same zone.
func (b *builder) walk(a *permission.Action, op scope.Op) {
	if b.t.o.Offline || a.Path.Zone == permission.Outside || a.Path.Class != permission.Ordinary {
		b.add(*a)
		return
	}
	n := 0
	var found []permission.Action
	err := filepath.WalkDir(a.Path.Real, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			if name == a.Path.Real && errors.Is(err, os.ErrNotExist) {
				return nil
			}
			return err
		}
		if n++; n > maxTargets {
			return errors.New("too many files")
		}
		if err := b.ctx.Err(); err != nil {
			return err
		}
		if name == a.Path.Real {
			return nil
		}
		p := b.resolve(a.Path.Real, name, op)
		if p.Class != permission.Ordinary || p.Zone != a.Path.Zone {
			p.Extent = permission.Exact
			e := *a
			e.Path = p
			found = append(found, e)
		}
		return nil
	})
	if err != nil {
		a.Path.Class = permission.Unclassified
		a.Path.ClassName = "not everything below it could be looked at"
	} else {
		a.Path.Walked = len(found) == 0
	}
	b.add(*a)
	b.ins.Actions = append(b.ins.Actions, found...)
}

// walkDenied looks below a tree that is read for the names that a deny or ask
// rule speaks of. None: the rules are no obstacle.
func (b *builder) walkDenied(a *permission.Action) {
	if b.rules == nil || len(b.rules.Below(a.Path.Real)) == 0 {
		a.Path.Walked = true
		b.add(*a)
		return
	}
	if b.t.o.Offline {
		b.add(*a)
		return
	}
	n := 0
	var found []permission.Action
	err := filepath.WalkDir(a.Path.Real, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if n++; n > maxTargets {
			return errors.New("too many files")
		}
		if err := b.ctx.Err(); err != nil {
			return err
		}
		if _, ok := b.rules.Denies(name); ok && name != a.Path.Real {
			e := *a
			e.Path = b.resolve(a.Path.Real, name, scope.Read)
			e.Path.Extent = permission.Exact
			found = append(found, e)
			if d.IsDir() {
				return filepath.SkipDir
			}
		}
		return nil
	})
	a.Path.Walked = err == nil
	b.add(*a)
	b.ins.Actions = append(b.ins.Actions, found...)
}

// expand lists what a shell pattern matches now. ok is false where the pattern
// is more than a plain one or this machine cannot tell.
func (b *builder) expand(dir, pattern string) (names []string, ok bool) {
	if b.t.o.Offline || strings.Contains(pattern, "**") || strings.ContainsAny(pattern, `\(){}!`) {
		return nil, false
	}
	full := pattern
	if !strings.HasPrefix(pattern, "/") {
		full = escapeGlob(dir) + "/" + pattern
	}
	names, err := filepath.Glob(full)
	if err != nil || len(names) > maxTargets {
		return nil, false
	}
	return names, true
}

func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(s)
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
