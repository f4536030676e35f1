package toolset

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope"
)

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
	if !d.Known() {
		return nil
	}
	paths := d.Paths()
	if len(paths) == 1 && paths[0] == "." {
		return b.here[:]
	}
	out := make([]string, 0, len(paths))
	for _, p := range paths {
		out = append(out, b.at(p))
	}
	return out
}

func absolute(dir, name string) string {
	if path.IsAbs(name) {
		return name
	}
	return dir + "/" + name
}

// unsteady marks a target that may lead elsewhere by the time it is used, so
// that no allow rule over paths and no mode settles it.
func (b *builder) unsteady(a *permission.Action, described, unknown bool) {
	reading := a.Kind == permission.Read || a.Kind == permission.List
	if !described && !(unknown && !reading) || a.Kind == permission.List {
		return
	}
	if a.Path.Class == permission.Ordinary {
		unclassified(&a.Path, "another part of the command may change where it leads")
	}
	a.Path.Real = ""
	a.Free = false
}

// effect turns an effect into actions. i is the index of its command, of the
// number of its Run.
func (b *builder) effect(s *shellCall, e *bashcheck.Effect, i, of int, c *bashcheck.Command) {
	m := common{of: of, origin: permission.Operand, own: e.Own || anything(e, c), span: e.Span}
	if e.ByShell || c == nil {
		m.origin = permission.Shell
	}
	switch e.Kind {
	case bashcheck.Read:
		m.kind = permission.Read
	case bashcheck.List:
		m.kind = permission.List
	case bashcheck.Write, bashcheck.Change:
		m.kind = permission.Write
	case bashcheck.Delete:
		m.kind = permission.Delete
	default:
		b.otherEffect(m.action(), e, c != nil && s.parts[i].parent)
		return
	}
	b.pathEffect(s, &m, e, i, c)
}

// anything says that a command runs what its description cannot tell, and that
// this tells of no file and no host at all: the command may do anything, as a
// program without a description may, and a rule for it means all of that. Where a
// description names targets, one that it leaves open may be what a rule is about.
func anything(e *bashcheck.Effect, c *bashcheck.Command) bool {
	if c == nil || c.Class != bashcheck.Runner || e.Kind == bashcheck.Execute || e.ByShell {
		return false
	}
	runs := false
	for i := range c.Effects {
		x := &c.Effects[i]
		if x.ByShell {
			continue
		}
		if x.Target != "" || x.Span != c.Span {
			return false
		}
		runs = runs || x.Kind == bashcheck.Execute
	}
	return runs
}

// common is what the actions for one effect on files have in common.
type common struct {
	kind   permission.Kind
	origin permission.Origin
	own    bool
	of     int
	span   bashcheck.Span
}

// set gives it to an empty action.
func (m *common) set(a *permission.Action) {
	a.Kind, a.Of, a.Origin, a.Own, a.Span = m.kind, m.of, m.origin, m.own, span(m.span)
}

func (m *common) action() (a permission.Action) {
	m.set(&a)
	return a
}

// otherEffect adds the action for an effect on something else than files.
func (b *builder) otherEffect(a permission.Action, e *bashcheck.Effect, hasChild bool) {
	switch e.Kind {
	case bashcheck.Execute:
		if !hasChild || e.Target != "" {
			a.Kind = permission.KindUnknown
			b.add(a)
		}
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
	case bashcheck.Environment:
		a.Kind, a.Name = permission.Use, "environment"
		b.add(a)
	case bashcheck.Process:
		a.Kind, a.Name = permission.Use, "process"
		b.add(a)
	case bashcheck.Privilege:
		a.Kind, a.Name = permission.Use, "privilege"
		b.add(a)
	default:
		a.Kind = permission.KindUnknown
		b.add(a)
	}
}

// pathEffect resolves the target of an effect on files, for every directory
// that the command may be in.
func (b *builder) pathEffect(s *shellCall, m *common, e *bashcheck.Effect, i int, c *bashcheck.Command) {
	target := e.Target
	reading := m.kind == permission.Read || m.kind == permission.List
	if e.Extent == bashcheck.Exact && m.kind != permission.Delete && e.Kind != bashcheck.Change && device(target, !reading) {
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
		a := m.action()
		a.Path = permission.Path{Extent: permission.Anywhere}
		if a.Kind == permission.Delete && c != nil && belowVariable(c) {
			a.Path.Under, a.Path.Critical = true, true
		}
		b.add(a)
		return
	}
	t := target1{s: s, i: i, c: c, op: effectOp(e), ext: extent(e.Extent), plain: e.Plain}
	if c != nil {
		t.program = s.parts[i].program
	}
	if e.Listed > 0 && int(e.Listed) <= len(s.rep.Commands) {
		t.listed = &s.rep.Commands[e.Listed-1]
	}
	t.described, t.unknown = s.shaky(i)
	for _, d := range dirs {
		if pattern {
			if t.ext = permission.Exact; below {
				t.ext = permission.Tree
			}
			if m.kind == permission.Write && !e.ByShell && !below && writtenAs(c, e) == "" && b.made(m, d, target, &t) {
				continue
			}
			b.pattern(m, d, target, t)
			continue
		}
		b.target(m, d, target, &t)
	}
}

// writtenAs is the shell pattern that an effect comes from, or "".
func writtenAs(c *bashcheck.Command, e *bashcheck.Effect) string {
	if c == nil {
		return ""
	}
	for i := range c.Argv {
		if w := &c.Argv[i]; w.Glob && w.Static && w.Span == e.Span {
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
func (b *builder) pattern(m *common, dir, pattern string, t target1) {
	a := m.action()
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
			b.target(m, dir, n, &t)
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
			unclassified(&a.Path, "which names the pattern matches is not known")
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

// setLike gives an empty action all that another one says, but for its path and
// its command.
func setLike(a, of *permission.Action) {
	a.Kind, a.Of, a.Origin, a.Span = of.Kind, of.Of, of.Origin, of.Span
	a.Free, a.Own, a.Maybe, a.Port, a.PlainGet = of.Free, of.Own, of.Maybe, of.Port, of.PlainGet
	if of.Host != "" || of.Name != "" || of.Note != "" {
		a.Host, a.Name, a.Note = of.Host, of.Name, of.Note
	}
}

// edits says that a write may leave a part of the text that was there: all but
// that of a redirection with > and of programs that make the whole file.
func (b *builder) edits(a *permission.Action, t *target1) bool {
	if b.t.o.Ledger == nil {
		return false
	}
	if a.Origin == permission.Shell {
		return a.Span.Start > 0 && int(a.Span.Start) <= len(b.source) && strings.HasSuffix(strings.TrimRight(b.source[:a.Span.Start], " \t"), ">>") ||
			a.Span.Start >= 0 && a.Span.Start < a.Span.End && int(a.Span.End) <= len(b.source) && strings.Contains(b.source[a.Span.Start:a.Span.End], ">>")
	}
	switch t.program {
	case "cp", "mv", "install", "ln", "dd", "sort", "curl", "wget":
		return false
	}
	return true
}

// target adds the actions for one target in one directory.
func (b *builder) target(m *common, dir, name string, t *target1) {
	at := len(b.ins.Actions)
	a := b.slot()
	m.set(a)
	reading := a.Kind == permission.Read || a.Kind == permission.List
	p := &a.Path
	setPath(p, &b.look(dir, name, t.op).path)
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
	if a.Kind == permission.Delete && t.program == "mv" {
		b.brings(p) // what it holds is there under another name afterwards
	}
	if a.Kind == permission.Write && t.op != scope.Chmod && b.edits(a, t) {
		b.recognize(p)
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
	case reading && b.t.o.Offline:
		a.Path.Walked = b.noneBelow(a.Path.Real)
	case !reading && t.program == "git":
		// What a revision holds is known to git alone; it writes below its
		// work tree and never removes that.
		setPath(&a.Path, &b.look(dir, name, scope.Write).path)
		a.Path.Extent, a.Path.Critical = permission.Within, false
		b.unsteady(a, t.described, t.unknown)
	case a.Own && !reading && !(t.program == "find" && a.Kind == permission.Delete):
		// The program's own business, which a rule for it covers as a whole.
	default:
		whole := *a
		*a = permission.Action{}
		b.ins.Actions = b.ins.Actions[:at]
		b.targetTree(&whole, name, t)
	}
}

// targetTree is target for a tree on the disk, whose names may have to be looked at one by
// one.
func (b *builder) targetTree(a *permission.Action, name string, t *target1) {
	reading := a.Kind == permission.Read
	switch {
	case reading && t.program == "git":
		b.gitTree(a, name, *t)
	case reading && t.listed != nil && program(t.listed) == "git" && !listsUntracked(t.listed):
		names, ok := tracked(a.Path.Real)
		odd := func(name string) bool { return !plainName(strings.TrimPrefix(name, a.Path.Real)) }
		if !ok || t.plain && slices.ContainsFunc(names, odd) {
			b.readTree(a, t.filter())
			return
		}
		b.readNames(a, names, nil)
	case reading:
		b.readTree(a, t.filter())
	case t.program == "find" && a.Kind == permission.Delete:
		b.findDelete(*a, *t)
	default:
		b.walkWrite(a, t.op, nil, a.Kind == permission.Write && unpackers[t.program])
	}
}

// unpackers make files whose names stand in other files.
var unpackers = map[string]bool{"unzip": true, "patch": true}

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
	b.walkWrite(&a, scope.Delete, keep, false)
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
