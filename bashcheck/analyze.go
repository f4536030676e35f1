package bashcheck

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

// Analyze returns what src would do. It never panics and never touches the
// disk; the time it takes is bounded by the limits.
func (a *Analyzer) Analyze(src string) (rep Report) {
	defer func() {
		// A bug must not take the host down, and must not pass for a verdict.
		if p := recover(); p != nil {
			rep = Report{Source: src, Analyzer: a.identity(), Findings: []Finding{{
				Code: CodeInternal, Severity: Suspicious, Blocks: true, Span: Span{0, len(src)},
				Text: "the analyzer failed on this text: " + escape(fmt.Sprint(p)),
			}}}
		}
	}()
	w := newWalker(a, src)
	if a.err != nil {
		w.block(CodeBadDescription, Span{}, "a program description cannot be loaded: %s", escape(a.err.Error()))
	}
	if err := w.table.err; err != nil {
		w.block(CodeBadDescription, Span{}, "a built-in program description cannot be loaded: %s", escape(err.Error()))
	}
	w.rep.Parsed = w.text(src, a.opts.Shell, nil, 0)
	w.suspect()
	if w.rep.Parsed {
		w.assume(assumeShell(a.opts.Shell))
		if len(w.rep.Commands) > 0 {
			w.assume(AssumePath)
			w.assume(AssumeNoFunctions)
		}
	}
	rep = w.pack()
	w.release() // not after a panic: the walker may then be in any state
	return rep
}

// startPaths is where every text begins; it is never changed.
var startPaths = []string{"."}

func assumeShell(d Dialect) Assumption {
	switch d {
	case Bash:
		return "shell=bash"
	case POSIX:
		return "shell=sh"
	case Zsh:
		return "shell=zsh"
	}
	return "shell=any"
}

// walker collects the report of one text and of the texts inside it.
type walker struct {
	a     *Analyzer
	table *programTable
	rep   Report
	reading
	flows []flow
	room  room
	// words that braces made
	expanded int
	stdin    *word // the literal text that the command reads, where it is spelled
	input    *feed // what the next command reads from a pipe
	fed      *feed // what the command that is judged reads from a pipe
	output   *feed // what the last command printed
	st       state
	depth    int
	nodes    int
	subst    int // depth of substitutions
	hdoc     int // depth of here-documents
	parent   int // index+1 of the command that runs what is being walked
	transp   bool
}

// reading is what belongs to one text: the source or a text inside it.
type reading struct {
	src   string
	outer *Span // where an inner text stands in the source
	base  int   // where in the source an inner text begins, byte for byte; -1 where it is written otherwise
	d     Dialect
	odd   bool // the text holds an invisible or odd rune

	// For the self-check: substitutions that the walk visited.
	seenDollar, seenTicks, seenProcs int
	oddAllowed                       []Span // single-quoted data, where odd is set
}

// state is what a list of commands changes for what follows.
type state struct {
	dir  Dir
	vars map[string]value // never changed in place
	// forget: a command assigned variables that the text may not name, so
	// only what is assigned after it is known.
	forget bool
}

// value is what is known about a variable.
type value struct {
	text    string
	known   bool
	lead    byte // of a value not known: its first byte, 0 not known
	integer bool
	solid   bool    // of a value not known: it holds no blank and no pattern
	one     *[]Word // of a value not known: it is one of these literals, or matches one of these patterns
}

// maxChoices is how many items of a loop are followed one by one.
const maxChoices = 16

// choices are the items of a loop where each is a literal or a pattern.
func choices(items []word) *[]Word {
	if len(items) == 0 || len(items) > maxChoices {
		return nil
	}
	var out []Word
	for _, o := range items {
		if !o.Static || o.Text == "" {
			return nil
		}
		out = append(out, o.Word)
	}
	return &out
}

func (w *walker) set(name string, v value) {
	if len(w.st.vars) >= 64 { // copying them would cost more than knowing them brings
		w.st.forget, w.st.vars = true, nil
		return
	}
	n := make(map[string]value, len(w.st.vars)+1)
	for k, x := range w.st.vars {
		n[k] = x
	}
	n[name] = v
	w.st.vars = n
}

func (w *walker) get(name string) value {
	if v, ok := w.st.vars[name]; ok {
		return v
	}
	if w.st.forget {
		return value{}
	}
	if v, ok := w.a.opts.Vars[name]; ok {
		return value{text: v, known: true}
	}
	if name == "HOME" && w.a.opts.Home != "" {
		return value{text: w.a.opts.Home, known: true}
	}
	return value{}
}

func (w *walker) block(code string, s Span, format string, args ...any) {
	w.find(code, Dangerous, true, s, format, args...)
}

func (w *walker) find(code string, sev Severity, blocks bool, s Span, format string, args ...any) {
	if len(w.rep.Findings) >= 64 { // a blocking one stands among them already or follows below
		if !blocks || slices.ContainsFunc(w.rep.Findings, func(f Finding) bool { return f.Blocks }) {
			return
		}
	}
	w.rep.Findings = append(w.rep.Findings, Finding{Code: code, Severity: sev, Blocks: blocks, Text: fmt.Sprintf(format, args...), Span: s})
}

// unproven reports something that is not suspicious but may run code: no
// finding blocks, and an unknown effect keeps the text from being read-only.
func (w *walker) unproven(code string, s Span, format string, args ...any) {
	w.find(code, Notice, false, s, format, args...)
	w.rep.Loose = append(w.rep.Loose, Effect{Kind: Unknown, ByShell: true, Dir: w.st.dir, Span: s})
}

func (w *walker) assume(a Assumption) {
	if !slices.Contains(w.rep.Assumptions, a) {
		w.rep.Assumptions = append(w.rep.Assumptions, a)
	}
}

var parsers = [...]*sync.Pool{
	{New: newParser(syntax.LangBash)},
	{New: newParser(syntax.LangPOSIX)},
}

// parse uses a pooled parser; a panic in the parser is a parse error.
func parse(src string, posix bool) (f *syntax.File, err error) {
	pool := parsers[0]
	if posix {
		pool = parsers[1]
	}
	p := pool.Get().(*pooledParser)
	defer func() {
		if r := recover(); r != nil {
			f, err = nil, fmt.Errorf("the parser failed: %v", r)
			return
		}
		p.text.Reset("") // or the pool would keep the text
		pool.Put(p)
	}()
	p.text.Reset(src)
	return p.parser.Parse(&p.text, "")
}

type pooledParser struct {
	parser *syntax.Parser
	text   strings.Reader
}

func newParser(l syntax.LangVariant) func() any {
	return func() any { return &pooledParser{parser: syntax.NewParser(syntax.Variant(l))} }
}

// text analyzes a whole program text and says whether it was understood.
func (w *walker) text(src string, d Dialect, outer *Span, base int) bool {
	saved := w.reading
	w.reading = reading{src: src, outer: outer, base: base, d: d}
	defer func() { w.reading = saved }()
	facts, bad := checkBytes(src, w.a.opts.Limits)
	if bad != nil {
		bad.Span = w.span(bad.Span.Start, bad.Span.End)
		w.rep.Findings = append(w.rep.Findings, *bad)
		return false
	}
	f, err := parse(src, false)
	if err != nil {
		w.block(CodeSyntax, w.span(0, len(src)), "the text cannot be parsed: %s", escape(err.Error()))
		return false
	}
	if d == POSIX || d == Any {
		g, err := parse(src, true)
		sc := scratches.Get().(*scratch)
		same := err == nil && sc.sameShape(f, g)
		scratches.Put(sc)
		if !same {
			w.block(CodeDialect, w.span(0, len(src)), "a POSIX shell may read the text otherwise than bash")
			return false
		}
	}
	if len(f.Stmts) == 0 {
		w.block(CodeEmpty, w.span(0, len(src)), "the text holds no command")
	}
	w.odd = facts.odd >= 0
	w.stmts(f.Stmts)
	// A plain text holds no byte that opens a substitution.
	if dollar, ticks, procs := facts.tokens(src); dollar != w.seenDollar || ticks != 2*w.seenTicks || procs != w.seenProcs {
		w.block(CodeHiddenByParser, w.span(0, len(src)), "the text seems to hold a substitution that the parser did not find")
	}
	if w.odd {
		w.oddRunes(src)
	}
	if !facts.plain || w.a.always {
		w.roundTrip(f)
	}
	return true
}

// oddRunes reports invisible and odd characters: blocking outside single quotes.
func (w *walker) oddRunes(src string) {
	for i, r := range src {
		if r < 0x80 || !oddRune(r) {
			continue
		}
		if (r == 0xfe0f || r == 0x200d) && i > 0 {
			// The form of an emoji, not something hidden.
			if before, _ := utf8.DecodeLastRuneInString(src[:i]); before >= 0x2190 && !oddRune(before) || before == 0xfe0f {
				continue
			}
		}
		quoted := slices.ContainsFunc(w.oddAllowed, func(s Span) bool { return s.Start <= i && i < s.End })
		w.find(CodeUnicodeControl, Suspicious, !quoted, w.span(i, i+utf8.RuneLen(r)), "the text holds the invisible or odd character %U", r)
		if !quoted {
			return
		}
	}
}

// roundTrip prints the tree, parses the print and compares.
func (w *walker) roundTrip(f *syntax.File) {
	sc := scratches.Get().(*scratch)
	ok := false
	func() {
		defer func() {
			if recover() != nil { // a panic in the printer leaves ok false
				sc = nil
			}
		}()
		sc.text.Reset()
		if sc.printer.Print(&sc.text, f) != nil {
			return
		}
		g, err := parse(sc.text.String(), false)
		ok = err == nil && sc.sameShape(f, g)
	}()
	if sc != nil && sc.text.Cap() < 1<<16 {
		scratches.Put(sc)
	}
	if !ok {
		w.block(CodeHiddenByParser, w.span(0, len(w.src)), "the text reads otherwise after printing and parsing it again")
	}
}

func (w *walker) span(start, end int) Span {
	if w.outer == nil {
		return Span{start, end}
	}
	if w.base >= 0 {
		return Span{w.base + start, w.base + end}
	}
	return *w.outer
}

func (w *walker) nodeSpan(n syntax.Node) Span {
	return w.span(int(n.Pos().Offset()), int(n.End().Offset()))
}

// enter counts a node and a level; it returns false when a limit is reached.
func (w *walker) enter(n syntax.Node) bool {
	w.depth++
	w.nodes++
	if w.depth > w.a.opts.Limits.Depth*3 || w.nodes > w.a.opts.Limits.Nodes {
		if !slices.ContainsFunc(w.rep.Findings, func(f Finding) bool { return f.Code == CodeLimit }) {
			w.block(CodeLimit, w.nodeSpan(n), "the text has too many parts to be judged")
		}
		return false
	}
	return true
}

func (w *walker) leave() { w.depth-- }

// dirs are where the shell stands after success and after failure.
type dirs struct{ ok, fail Dir }

func union(a, b Dir) Dir {
	if !a.Known || !b.Known {
		return Dir{}
	}
	if slices.Equal(a.Paths, b.Paths) {
		return a
	}
	out := slices.Clone(a.Paths)
	for _, p := range b.Paths {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	if len(out) > 16 {
		return Dir{}
	}
	return Dir{Known: true, Paths: out}
}

func (d dirs) any() Dir { return union(d.ok, d.fail) }

func (w *walker) stmts(list []*syntax.Stmt) dirs {
	out := dirs{w.st.dir, w.st.dir}
	for _, s := range list {
		out = w.stmt(s)
		w.st.dir = out.any()
	}
	return out
}

// isolated walks in a subshell: nothing it changes is seen outside.
func (w *walker) isolated(f func()) {
	saved := w.st
	f()
	w.st = saved
}

// maybe walks something that may not run: variables it sets are unknown after.
func (w *walker) maybe(f func() dirs) dirs {
	before := w.st.vars
	d := f()
	after := w.st.vars
	if w.st.forget {
		w.st.vars = nil
		return d
	}
	w.st.vars = before
	for k := range after {
		b, ok := before[k]
		if !ok || b != after[k] {
			w.set(k, value{})
		}
	}
	return d
}

// loop prepares for a body that runs any number of times.
func (w *walker) loop(n syntax.Node, f func() dirs) dirs {
	cds := false
	syntax.Walk(n, func(n syntax.Node) bool {
		switch x := n.(type) {
		case *syntax.Subshell, *syntax.CmdSubst, *syntax.ProcSubst:
			return true // variables set there do no harm as unknown
		case *syntax.Assign:
			if x.Name != nil {
				w.set(x.Name.Value, value{integer: w.get(x.Name.Value).integer && integerAssign(x)})
			}
		case *syntax.BinaryArithm:
			if assigns(x.Op) {
				if l, ok := x.X.(*syntax.Word); ok {
					w.set(l.Lit(), value{integer: w.get(l.Lit()).integer})
				}
			}
		case *syntax.DeclClause, *syntax.LetClause:
			w.st.forget, w.st.vars = true, nil
		case *syntax.WordIter:
			w.set(x.Name.Value, value{})
		case *syntax.UnaryArithm:
			if l, ok := x.X.(*syntax.Word); ok && (x.Op == syntax.Inc || x.Op == syntax.Dec) {
				w.set(l.Lit(), value{integer: w.get(l.Lit()).integer})
			}
		case *syntax.CallExpr:
			if len(x.Args) > 0 {
				switch x.Args[0].Lit() {
				case "read", "mapfile", "readarray", "getopts", "printf", "unset", "wait", "let", "eval", ".", "source", "command", "builtin", "":
					w.st.forget, w.st.vars = true, nil
				}
				switch x.Args[0].Lit() {
				case "cd", "pushd", "popd", "builtin", "command", "eval", "":
					cds = true
				}
			}
		}
		return true
	})
	before, in := w.st.dir, w.nodeSpan(n)
	d := w.maybe(f)
	if after := d.any(); cds && !sameDir(before, after) {
		// The body was judged from its first start only.
		for i := range w.rep.Commands {
			if s := w.rep.Commands[i].Span; s.Start >= in.Start && s.End <= in.End {
				w.rep.Commands[i].Dir = Dir{}
				for j := range w.rep.Commands[i].Effects {
					w.rep.Commands[i].Effects[j].Dir = Dir{}
				}
			}
		}
		return dirs{}
	}
	return dirs{union(before, d.ok), union(before, d.fail)}
}

// integerAssign says that the assignment leaves a number whatever else holds.
func integerAssign(a *syntax.Assign) bool {
	if a.Append || a.Index != nil || a.Array != nil || a.Value == nil {
		return false
	}
	if isInteger(a.Value.Lit()) {
		return true
	}
	if len(a.Value.Parts) != 1 {
		return false
	}
	_, ok := a.Value.Parts[0].(*syntax.ArithmExp)
	return ok
}

func sameDir(a, b Dir) bool { return a.Known == b.Known && slices.Equal(a.Paths, b.Paths) }

func (w *walker) stmt(s *syntax.Stmt) (out dirs) {
	if !w.enter(s) {
		return dirs{}
	}
	defer w.leave()
	if s.Coprocess || s.Disown {
		w.block(CodeUnsupported, w.nodeSpan(s), "this kind of background statement is not understood")
	}
	run := func() { out = w.command(s) }
	if b, ok := s.Cmd.(*syntax.BinaryCmd); ok && s.Background && (b.Op == syntax.AndStmt || b.Op == syntax.OrStmt) && (w.d == Zsh || w.d == Any) {
		w.block(CodeDialect, w.nodeSpan(s), "zsh runs only the last part of a list in the background")
	}
	if s.Background {
		before := w.st.dir
		w.isolated(run)
		out = dirs{before, before}
	} else {
		run()
	}
	if s.Negated {
		out.ok, out.fail = out.fail, out.ok
	}
	return out
}

// command is the closed list of commands.
func (w *walker) command(s *syntax.Stmt) dirs {
	here := dirs{w.st.dir, w.st.dir}
	loose := func() {
		w.rep.Loose = append(w.rep.Loose, w.redirects(s.Redirs)...)
	}
	switch x := s.Cmd.(type) {
	case nil:
		w.bareRedirect(s.Redirs)
		loose()
		return here
	case *syntax.CallExpr:
		return w.call(x, s.Redirs)
	case *syntax.DeclClause:
		w.decl(x, s.Redirs)
		return here
	case *syntax.BinaryCmd:
		loose()
		return w.list(x)
	case *syntax.Subshell:
		loose()
		w.isolated(func() { w.stmts(x.Stmts) })
		return here
	case *syntax.Block:
		loose()
		return w.stmts(x.Stmts)
	case *syntax.IfClause:
		loose()
		return w.ifClause(x)
	case *syntax.WhileClause:
		loose()
		return w.loop(x, func() dirs {
			c := w.stmts(x.Cond)
			w.st.dir = c.any()
			d := w.stmts(x.Do)
			return dirs{union(c.any(), d.any()), union(c.any(), d.any())}
		})
	case *syntax.ForClause:
		loose()
		if x.Select {
			w.block(CodeUnsupported, w.nodeSpan(x), "select is not understood")
		}
		switch l := x.Loop.(type) {
		case *syntax.WordIter:
			v := value{}
			var items []word
			for _, item := range l.Items {
				items = w.words(item, items)
			}
			for i, iw := range items {
				lead := iw.lead
				if iw.Static && !iw.Glob && iw.Text != "" {
					lead = iw.Text[0]
				}
				integer := iw.Static && !iw.Glob && isInteger(iw.Text) || !iw.Static && iw.guessed().like == "1"
				if i == 0 {
					v.lead, v.integer = lead, integer
				} else {
					v.lead = mergeLead(v.lead, lead)
					v.integer = v.integer && integer
				}
			}
			v.one = choices(items)
			w.assignName(l.Name.Value, w.nodeSpan(l.Name))
			return w.loop(x, func() dirs {
				w.set(l.Name.Value, v)
				return w.stmts(x.Do)
			})
		case *syntax.CStyleLoop:
			w.arithm(l.Init)
			// The condition and the step see what the body assigns.
			return w.loop(x, func() dirs {
				w.arithm(l.Cond)
				d := w.stmts(x.Do)
				w.arithm(l.Post)
				return d
			})
		}
		w.block(CodeUnsupported, w.nodeSpan(x), "this loop is not understood")
		return dirs{}
	case *syntax.CaseClause:
		loose()
		w.word(x.Word)
		out := here
		for _, item := range x.Items {
			for _, p := range item.Patterns {
				w.word(p)
			}
			w.st.dir = out.any()
			d := w.maybe(func() dirs { return w.stmts(item.Stmts) })
			out = dirs{union(out.ok, d.ok), union(out.fail, d.fail)}
		}
		return out
	case *syntax.FuncDecl:
		loose()
		w.block(CodeRebindsName, w.nodeSpan(x), "a function is defined, which may change what later names mean")
		w.isolated(func() {
			w.st = state{}
			w.stmt(x.Body)
		})
		return dirs{}
	case *syntax.ArithmCmd:
		loose()
		w.arithm(x.X)
		return here
	case *syntax.TestClause:
		loose()
		w.test(x.X)
		return here
	case *syntax.LetClause:
		loose()
		w.block(CodeArithmetic, w.nodeSpan(x), "let evaluates its arguments as arithmetic, in which a shell may run code")
		for _, e := range x.Exprs {
			w.arithm(e)
		}
		return here
	case *syntax.TimeClause:
		loose()
		if x.PosixFormat && (w.d == Zsh || w.d == Any) {
			w.block(CodeDialect, w.nodeSpan(x), "zsh runs a program called -p here")
		}
		if x.Stmt == nil {
			return here
		}
		if c, ok := x.Stmt.Cmd.(*syntax.CallExpr); ok && len(c.Assigns) == 0 && len(c.Args) > 1 && c.Args[0].Lit() == "--" {
			// For bash the dashes end the options of time.
			if w.d == Zsh || w.d == Any {
				w.block(CodeDialect, w.nodeSpan(x), "zsh runs a program called -- here")
			}
			inner, outer := *c, *x.Stmt
			inner.Args = c.Args[1:]
			outer.Cmd = &inner
			return w.stmt(&outer)
		}
		if c, ok := x.Stmt.Cmd.(*syntax.CallExpr); ok && len(c.Args) > 0 && strings.HasPrefix(c.Args[0].Lit(), "-") {
			// bash takes -- for itself and runs what follows.
			w.block(CodeHiddenByParser, w.nodeSpan(x), "what time runs is read otherwise by the parser")
		}
		return w.stmt(x.Stmt)
	case *syntax.CoprocClause:
		loose()
		w.block(CodeUnsupported, w.nodeSpan(x), "coproc is not understood")
		if x.Name != nil {
			w.word(x.Name)
		}
		w.isolated(func() { w.stmt(x.Stmt) })
		return here
	}
	w.block(CodeUnsupported, w.nodeSpan(s), "this statement is not understood")
	return dirs{}
}

// bareRedirect: zsh runs a program (NULLCMD) where only redirections stand.
func (w *walker) bareRedirect(list []*syntax.Redirect) {
	if len(list) > 0 && (w.d == Zsh || w.d == Any) {
		w.block(CodeDialect, w.nodeSpan(list[0]), "zsh runs a program of its own for a redirection without a command")
	}
}

// mergeLead is the lead of a word that is one of two.
func mergeLead(a, b byte) byte {
	switch {
	case a == b:
		return a
	case a == 0 || b == 0:
		return 0
	case a != '/' && b != '/' && (a == '-' || b == '-' || a == leadName || b == leadName):
		return leadName
	case a == '-' || b == '-' || a == leadName || b == leadName:
		return 0
	case a == '/' || b == '/':
		return '/' // no dash, and it may be absolute
	case a == leadObject || b == leadObject:
		return leadObject
	}
	return 'x' // neither
}

// list walks a && b || c and a | b | c. Long lists are deep trees, so they are
// walked link by link and not by recursion: ten links nest no deeper than one.
func (w *walker) list(x *syntax.BinaryCmd) dirs {
	if x.Op == syntax.Pipe || x.Op == syntax.PipeAll {
		return w.pipe(x)
	}
	var few [8]*syntax.BinaryCmd
	chain := append(few[:0], x) // the outermost first
	for b := sameList(x.X, false); b != nil; b = sameList(b.X, false) {
		chain = append(chain, b)
	}
	out := w.stmt(chain[len(chain)-1].X)
	for i := len(chain) - 1; i >= 0; i-- {
		b, l := chain[i], out
		if !w.link(b) {
			return dirs{}
		}
		switch b.Op {
		case syntax.AndStmt:
			w.st.dir = l.ok
			r := w.maybe(func() dirs { return w.stmt(b.Y) })
			out = dirs{r.ok, union(l.fail, r.fail)}
		case syntax.OrStmt:
			w.st.dir = l.fail
			r := w.maybe(func() dirs { return w.stmt(b.Y) })
			out = dirs{union(l.ok, r.ok), r.fail}
		default:
			w.block(CodeUnsupported, w.nodeSpan(b), "this operator is not understood")
			return dirs{}
		}
	}
	return out
}

// pipe walks a | b | c. Every part starts from the same state; only the last
// may run in the shell itself (zsh, lastpipe).
func (w *walker) pipe(x *syntax.BinaryCmd) dirs {
	var few [8]*syntax.Stmt
	parts := pipeParts(x, few[:0])
	for _, p := range parts[1:] {
		if _, ok := p.Cmd.(*syntax.TimeClause); ok {
			w.block(CodeHiddenByParser, w.nodeSpan(p), "after a pipe, time is a program and not a word of the shell")
		}
	}
	first := len(w.rep.Commands)
	last := len(parts) - 1
	for _, p := range parts[:last] {
		if !w.link(x) {
			return dirs{}
		}
		start := len(w.rep.Commands)
		w.output = nil
		w.isolated(func() { w.stmt(p) })
		w.input = nil
		if feeds(p) && len(w.rep.Commands) == start+1 && !pipesErrors(x) {
			w.input = w.output
		}
		if start > first {
			w.flows = append(w.flows, flow{first, start, start, len(w.rep.Commands), true, w.nodeSpan(x)})
		}
	}
	start := len(w.rep.Commands)
	before := w.st.dir
	d := w.maybe(func() dirs { return w.stmt(parts[last]) })
	w.input, w.output = nil, nil
	w.st.dir = before
	w.flows = append(w.flows, flow{first, start, start, len(w.rep.Commands), true, w.nodeSpan(x)})
	return dirs{union(before, d.ok), union(before, d.fail)}
}

// pipeParts appends the parts of a pipe in their order.
func pipeParts(b *syntax.BinaryCmd, parts []*syntax.Stmt) []*syntax.Stmt {
	for b != nil {
		if in := sameList(b.X, true); in != nil {
			parts = pipeParts(in, parts)
		} else {
			parts = append(parts, b.X)
		}
		in := sameList(b.Y, true)
		if in == nil {
			parts = append(parts, b.Y)
		}
		b = in
	}
	return parts
}

// sameList returns the list, or the pipe, that s is nothing but, or nil.
func sameList(s *syntax.Stmt, pipe bool) *syntax.BinaryCmd {
	b, ok := s.Cmd.(*syntax.BinaryCmd)
	if !ok || s.Negated || s.Background || s.Coprocess || s.Disown || len(s.Redirs) > 0 || pipe != (b.Op == syntax.Pipe || b.Op == syntax.PipeAll) {
		return nil
	}
	return b
}

// link counts the nodes of a list that are not entered.
func (w *walker) link(n syntax.Node) bool {
	w.nodes += 2
	if w.nodes > w.a.opts.Limits.Nodes {
		w.enter(n)
		w.leave()
		return false
	}
	return true
}

func (w *walker) ifClause(x *syntax.IfClause) dirs {
	if !w.enter(x) {
		return dirs{}
	}
	defer w.leave()
	if len(x.Cond) == 0 { // else
		return w.maybe(func() dirs { return w.stmts(x.Then) })
	}
	c := w.stmts(x.Cond)
	w.st.dir = c.ok
	t := w.maybe(func() dirs { return w.stmts(x.Then) })
	w.st.dir = c.fail
	e := dirs{c.fail, c.fail}
	if x.Else != nil {
		e = w.maybe(func() dirs { return w.ifClause(x.Else) })
	}
	return dirs{union(t.ok, e.ok), union(t.fail, e.fail)}
}

// commonName lists names that scripts use for themselves and that no described
// program reads from its environment.
func commonName(w string) bool {
	switch w {
	case "DIR", "FILE", "FILES", "DIRS", "NAME", "NAMES", "SRC", "DST", "DEST", "OUT", "OUTPUT", "RESULT", "RESULTS", "COUNT", "TOTAL", "SUM",
		"LINE", "MSG", "MESSAGE", "BRANCH", "COMMIT", "SHA", "REV", "REF", "VERSION", "VER", "URL", "PATTERN", "QUERY", "NUM", "IDX", "INDEX",
		"START", "END", "FIRST", "LAST", "BASE", "PKG", "MOD", "MODULE", "ITEM", "KEY", "VAL", "VALUE", "ARG", "ARGS", "dir", "file", "files",
		"dirs", "name", "names", "src", "dst", "dest", "out", "output", "result", "results", "count", "total", "sum", "line", "msg", "message",
		"branch", "commit", "sha", "rev", "ref", "version", "ver", "url", "pattern", "query", "num", "idx", "index", "start", "end", "first",
		"last", "base", "pkg", "mod", "module", "item", "key", "val", "value", "arg", "args", "word", "words", "text", "size", "ext", "tmp", "id",
		"ok", "rc", "ret":
		return true
	}
	return false
}

func (w *walker) safeName(name string) bool {
	if w.d == Zsh || w.d == Any {
		return len(name) == 1 && plainName(name) && name != "_" || commonName(name)
	}
	return safeName(name)
}

// safeName says that assigning the variable changes no program's behaviour:
// it is one letter, one of the common names or, in bash and POSIX shells, which
// give them no meaning, a name without capitals. Proxies are the variables in
// small letters that programs do read.
func safeName(name string) bool {
	if len(name) == 1 {
		return name[0] >= 'a' && name[0] <= 'z' || name[0] >= 'A' && name[0] <= 'Z'
	}
	if commonName(name) {
		return true
	}
	if name == "" || name == "histchars" || name == "auto_resume" || strings.HasSuffix(name, "_proxy") || name[0] == '_' {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !(c >= 'a' && c <= 'z' || i > 0 && (c == '_' || c >= '0' && c <= '9')) {
			return false
		}
	}
	return true
}

// assignName reports the assignment of a variable that may matter to programs.
func (w *walker) assignName(name string, s Span) {
	if !w.safeName(name) && !inertName(name) {
		w.rep.Loose = append(w.rep.Loose, Effect{Kind: Environment, Target: name, Extent: Exact, ByShell: true, Dir: w.st.dir, Span: s})
	}
}

func inertName(name string) bool {
	switch name {
	case "LANG", "LC_ALL", "TZ", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "TERM", "COLUMNS", "LINES", "CI", "GREP_COLORS",
		"LC_CTYPE", "LC_COLLATE", "LC_MESSAGES", "LC_NUMERIC", "LC_TIME", "LC_MONETARY", "LC_PAPER", "LC_NAME", "LC_ADDRESS", "LC_TELEPHONE", "LC_MEASUREMENT", "LC_IDENTIFICATION":
		return true
	}
	return false
}

// inertAssign says that NAME=VALUE is one of those that are known to change
// no more than language, colours or paging.
func inertAssign(name string, v word) bool {
	if !v.Static || v.Glob {
		return false
	}
	switch name + "=" + v.Text {
	case "GIT_PAGER=cat", "PAGER=cat", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "MANPAGER=cat":
		return true
	}
	if !inertName(name) {
		return false
	}
	for i := range len(v.Text) {
		if c := v.Text[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_.,:+@=-", c) >= 0) {
			return false
		}
	}
	return true
}

func isInteger(s string) bool {
	s = strings.TrimPrefix(s, "-")
	if s == "" || len(s) > 18 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// assigns handles NAME=VALUE. alone says that no command follows.
func (w *walker) assigns(list []*syntax.Assign, alone bool) []Assignment {
	var out []Assignment
	for _, a := range list {
		if a.Name == nil {
			w.block(CodeUnsupported, w.nodeSpan(a), "this assignment is not understood")
			continue
		}
		name := a.Name.Value
		if a.Index != nil {
			w.arithm(a.Index)
		}
		var v word
		v.Static = true
		if a.Value != nil {
			v = w.value(a.Value)
		}
		if a.Array != nil {
			v = word{Word: Word{Text: w.src[a.Array.Pos().Offset():a.Array.End().Offset()], Span: w.nodeSpan(a.Array)}}
			for _, e := range a.Array.Elems {
				if e.Index != nil {
					w.arithm(e.Index)
				}
				if e.Value != nil {
					w.word(e.Value)
				}
			}
		}
		out = append(out, Assignment{Name: name, Value: v.Word, Inert: inertAssign(name, v) && !a.Append && a.Index == nil && a.Array == nil})
		if alone {
			if !out[len(out)-1].Inert {
				w.assignName(name, w.nodeSpan(a))
			}
			val := value{}
			if v.Static && !v.Glob && !a.Append && a.Index == nil && a.Array == nil {
				val = value{text: v.Text, known: true, integer: isInteger(v.Text)}
			} else if a.Index == nil && a.Array == nil && !a.Append {
				val = value{lead: v.lead, integer: w.integerValue(a)}
			}
			w.set(name, val)
		}
	}
	return out
}

// integerValue says that the value of an assignment is one expansion that is a
// number.
func (w *walker) integerValue(a *syntax.Assign) bool {
	if a.Value == nil || len(a.Value.Parts) != 1 {
		return false
	}
	p := a.Value.Parts[0]
	if d, ok := p.(*syntax.DblQuoted); ok && len(d.Parts) == 1 {
		p = d.Parts[0]
	}
	switch x := p.(type) {
	case *syntax.ArithmExp:
		return true
	case *syntax.ParamExp:
		return w.param(x).integer
	case *syntax.CmdSubst:
		return substValue(x).integer
	}
	return false
}

// redirects turns redirections into effects.
func (w *walker) redirects(list []*syntax.Redirect) []Effect {
	var out []Effect
	for _, r := range list {
		if !w.enter(r) {
			return out
		}
		w.leave()
		s := w.nodeSpan(r)
		if r.N != nil && len(r.N.Value) > 1 && w.d != Bash {
			w.block(CodeDialect, s, "other shells than bash take a number of two digits before a redirection for a word")
		}
		if r.N != nil && !isInteger(r.N.Value) {
			w.block(CodeUnsupported, s, "a redirection that sets a variable is not understood")
		}
		if r.Hdoc != nil && !quotedDelimiter(r.Word) {
			w.hereDoc(r.Hdoc)
		}
		switch r.Op {
		case syntax.Hdoc, syntax.DashHdoc:
			if w.hdoc > 0 {
				// The outer one ends at the first line with its mark, wherever that stands.
				w.block(CodeHiddenByParser, s, "a here-document stands inside another one")
			}
			if w.subst > 0 && !w.nothingAfter(r) {
				w.block(CodeHiddenByParser, s, "bash joins what follows a here-document in a substitution with the command before")
			}
			for _, p := range r.Word.Parts {
				switch q := p.(type) {
				case *syntax.Lit:
				case *syntax.SglQuoted:
					if q.Dollar {
						w.block(CodeHiddenByParser, s, "the end mark of a here-document is not plain")
					}
				case *syntax.DblQuoted:
					if q.Dollar || len(q.Parts) > 1 {
						w.block(CodeHiddenByParser, s, "the end mark of a here-document is not plain")
					}
				default:
					w.block(CodeHiddenByParser, s, "the end mark of a here-document is not plain")
				}
			}
			continue
		case syntax.WordHdoc:
			w.value(r.Word)
			continue
		}
		t := w.word(r.Word)
		e := Effect{Dir: w.st.dir, ByShell: true, Span: s, Extent: Exact, Target: t.Text}
		if !t.Static || t.Glob {
			e.Extent = Anywhere
			e.Target = ""
		}
		switch r.Op {
		case syntax.DplIn, syntax.DplOut:
			fd := strings.TrimSuffix(t.Text, "-")
			if len(t.Text) > 1 && t.Text[0] == '-' {
				w.block(CodeHiddenByParser, s, "bash reads what follows >&- as a word of its own")
				continue
			}
			if t.Static && (t.Text == "-" || isInteger(fd)) {
				continue
			}
			if strings.IndexFunc(t.Text, func(c rune) bool {
				return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("_./,:+@%-", c))
			}) >= 0 {
				w.block(CodeHiddenByParser, s, "bash expands what follows >& a second time, after its quotes are removed")
				continue
			}
			if r.Op == syntax.DplIn || !t.Static || r.N != nil {
				w.block(CodeUnsupported, s, "this redirection is not understood")
				continue
			}
			e.Kind = Write
			out = w.shellEffect(out, e)
		case syntax.RdrIn:
			e.Kind = Read
			if t.proc {
				continue
			}
			out = w.shellEffect(out, e)
			if e.Extent == Anywhere && (t.lead == 0 || t.lead == '/') {
				// The shell opens a connection where the name begins with /dev/tcp/.
				e.Kind = Connect
				out = append(out, e)
			}
		case syntax.RdrOut, syntax.AppOut, syntax.RdrClob, syntax.RdrAll, syntax.AppAll:
			if at := int(r.OpPos.Offset()); (r.Op == syntax.RdrAll || r.Op == syntax.AppAll) && (w.d == Zsh || w.d == Any) &&
				at > 0 && at <= len(w.src) && w.src[at-1] >= '0' && w.src[at-1] <= '9' {
				w.block(CodeDialect, s, "zsh takes a number right before &> for a descriptor")
			}
			e.Kind = Write
			if t.proc {
				continue
			}
			out = w.shellEffect(out, e)
		case syntax.RdrInOut:
			e.Kind = Read
			out = w.shellEffect(out, e)
			e.Kind = Write
			out = w.shellEffect(out, e)
		default:
			w.block(CodeUnsupported, s, "this redirection is not understood")
		}
	}
	return out
}

// quotedDelimiter says that the body of a here-document is data.
func quotedDelimiter(n *syntax.Word) bool {
	for _, p := range n.Parts {
		l, ok := p.(*syntax.Lit)
		if !ok || strings.IndexByte(l.Value, '\\') >= 0 {
			return true
		}
	}
	return false
}

// nothingAfter says that neither on the line of a here-document nor after its
// end another command follows in the same substitution. bash 5.2 loses the
// separator there: $(cat <<E … E, newline, uniq a;b) runs uniq a b.
func (w *walker) nothingAfter(r *syntax.Redirect) bool {
	mark := strings.NewReplacer("'", "", `"`, "", `\`, "").Replace(w.src[r.Word.Pos().Offset():r.Word.End().Offset()])
	line, rest, ok := strings.Cut(w.src[r.Word.End().Offset():], "\n")
	plain := strings.NewReplacer("&&", "", ">&", "").Replace(line)
	if !ok || strings.ContainsAny(plain, ";&") {
		return false
	}
	for ok {
		line, rest, ok = strings.Cut(rest, "\n")
		if strings.TrimLeft(line, "\t") == mark {
			after := strings.TrimLeft(rest, " \t\n")
			return after != "" && (after[0] == ')' || after[0] == '`')
		}
	}
	return false
}

func (w *walker) shellEffect(out []Effect, e Effect) []Effect {
	if e.Extent == Exact {
		clean := path.Clean(e.Target)
		if rest, ok := cutAny(clean, "/dev/tcp/", "/dev/udp/"); ok {
			host, _, _ := strings.Cut(rest, "/")
			w.find(CodeNetworkRedirect, Dangerous, false, e.Span, "a redirection opens a network connection to %s", escape(host))
			e.Kind, e.Target = Connect, host
			return append(out, e)
		}
		switch e.Target {
		case "/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/zero", "/dev/fd/0", "/dev/fd/1", "/dev/fd/2":
			return out
		}
	}
	return append(out, e)
}

func cutAny(s string, prefixes ...string) (string, bool) {
	for _, p := range prefixes {
		if r, ok := strings.CutPrefix(s, p); ok {
			return r, true
		}
	}
	return "", false
}
