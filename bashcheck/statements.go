package bashcheck

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

func (w *walker) stmts(list []*syntax.Stmt) dirs {
	out := dirs{w.st.dir, w.st.dir}
	for _, s := range list {
		out = w.stmt(s)
		put(&w.st.dir, out.any())
	}
	return out
}

// strictSets takes the effect from set -e and its like where more commands
// follow: then it is about these, of which it can only make fewer run, and all
// were judged. Standing alone or last it is about what the shell is told later.
func (w *walker) strictSets() {
	list := w.rep.Commands
	last := len(list) - 1
	for last >= 0 && (list[last].Parent != 0 || list[last].Argv[0].Text == "set") {
		last--
	}
	for i := 0; i < last; i++ {
		if c := &list[i]; c.Described && c.Parent == 0 && c.Argv[0].Text == "set" && onlyStricter(c.Argv[1:]) && len(c.Effects) == 1 && c.Effects[0].Kind == Environment && c.Effects[0].Own {
			c.Effects = nil
		}
	}
}

// onlyStricter says that the words of set are -e, -u and -o pipefail in one of
// their spellings, which mean the same in every shell.
func onlyStricter(args []Word) bool {
	named := false // the name of an option follows
	for _, a := range args {
		switch {
		case !a.Static || a.Glob:
			return false
		case named:
			named = false
			if a.Text != "pipefail" && a.Text != "errexit" && a.Text != "nounset" {
				return false
			}
		default:
			switch a.Text {
			case "-e", "-u", "-eu", "-ue":
			case "-o", "-eo", "-uo", "-euo", "-ueo":
				named = true
			default:
				return false
			}
		}
	}
	return len(args) > 0 && !named
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
				w.set(x.Name.Value, value{integer: w.get(x.Name.Value).integer && integerAssign(x), own: w.get(x.Name.Value).own})
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

func (w *walker) stmt(s *syntax.Stmt) (out dirs) {
	if !w.enter(s) {
		return dirs{}
	}
	if s.Coprocess || s.Disown {
		w.block(CodeUnsupported, w.nodeSpan(s), "this kind of background statement is not understood")
	}
	if b, ok := s.Cmd.(*syntax.BinaryCmd); ok && s.Background && (b.Op == syntax.AndStmt || b.Op == syntax.OrStmt) && (w.d == Zsh || w.d == Any) {
		w.block(CodeDialect, w.nodeSpan(s), "zsh runs only the last part of a list in the background")
	}
	if s.Background {
		before := w.st
		w.command(s)
		w.restore(before)
		out = dirs{before.dir, before.dir}
	} else {
		out = w.command(s)
	}
	if s.Negated {
		out.ok, out.fail = out.fail, out.ok
	}
	w.leave()
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
			put(&w.st.dir, c.any())
			if !x.Until {
				w.readInto(x.Cond)
			}
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
			v.one, v.own = choices(items), true
			v.solid = len(l.Items) > 0 && !slices.ContainsFunc(l.Items, func(item *syntax.Word) bool { return !objectsOnly(item) })
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
			put(&w.st.dir, out.any())
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
		if (w.d == Zsh || w.d == Any) && !timedAlike(x.Stmt.Cmd) {
			w.block(CodeDialect, w.nodeSpan(x), "zsh times this in another shell, or takes the second time for a program")
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

// timedAlike says that zsh times the command in the shell itself, as bash does.
// Of assignments, arithmetic and groups it forgets what they set; time behind
// time is a program to it.
func timedAlike(c syntax.Command) bool {
	switch x := c.(type) {
	case *syntax.CallExpr:
		return len(x.Args) > 0
	case *syntax.BinaryCmd:
		return x.Y.Cmd != nil && timedAlike(x.Y.Cmd)
	case nil, *syntax.TimeClause, *syntax.Block, *syntax.ArithmCmd:
		return false
	}
	return true
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
			put(&w.st.dir, l.ok)
			r := w.maybe(func() dirs { return w.stmt(b.Y) })
			out = dirs{r.ok, union(l.fail, r.fail)}
		case syntax.OrStmt:
			put(&w.st.dir, l.fail)
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
		put(&w.output, nil)
		w.isolated(func() { w.stmt(p) })
		put(&w.input, nil)
		put(&w.piped, w.printed(start))
		if feeds(p) && len(w.rep.Commands) == start+1 && !pipesErrors(x) {
			w.input = w.output
		}
		if start > first {
			w.flows = append(w.flows, flow{first, start, start, len(w.rep.Commands), true})
		}
	}
	start := len(w.rep.Commands)
	before := w.st.dir
	d := w.maybe(func() dirs { return w.stmt(parts[last]) })
	put(&w.input, nil)
	put(&w.output, nil)
	put(&w.st.dir, before)
	put(&w.piped, "")
	w.flows = append(w.flows, flow{first, start, start, len(w.rep.Commands), true})
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
	put(&w.st.dir, c.ok)
	t := w.maybe(func() dirs { return w.stmts(x.Then) })
	put(&w.st.dir, c.fail)
	e := dirs{c.fail, c.fail}
	if x.Else != nil {
		e = w.maybe(func() dirs { return w.ifClause(x.Else) })
	}
	return dirs{union(t.ok, e.ok), union(t.fail, e.fail)}
}
