package checkedrun

import (
	"fmt"
	"strconv"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// builtins are those that the interpreter does as bash does, as far as they
// are compared in the tests. Every other builtin needs a real shell.
var builtins = map[string]bool{
	":": true, "true": true, "false": true, "echo": true, "printf": true, "test": true, "[": true, "pwd": true, "cd": true,
	"command": true, "builtin": true, "type": true, "exit": true, "return": true, "break": true, "continue": true, "shift": true,
	"read": true, "wait": true, "unset": true,
}

// builtinOf is the builtin that a command is in the end, behind command and
// builtin; "" where it is a program.
func builtinOf(args []string) string {
	for len(args) > 0 && interp.IsBuiltin(args[0]) {
		if args[0] != "command" && args[0] != "builtin" || len(args) == 1 {
			return args[0]
		}
		name := args[0]
		args = args[1:]
		if len(args[0]) > 1 && args[0][0] == '-' {
			return name // of its own options only those are run that it knows
		}
	}
	return ""
}

// runsBuiltin says whether a builtin is run here with these words.
func runsBuiltin(name string, args []string) bool {
	return builtins[name] || asBash(args)[0] != args[0]
}

// asBash puts builtins that bash has and the interpreter has not into others
// that say the same.
func asBash(args []string) []string {
	if len(args) == 1 {
		switch args[0] {
		case "jobs": // there are none
			return []string{"true"}
		case "umask":
			if mask, ok := umask(); ok {
				return []string{"printf", `%04o\n`, strconv.Itoa(mask)}
			}
		}
	}
	return args
}

// Bounds of what is expanded in this process.
const (
	maxExpansions = 200     // of variables in one text
	maxElements   = 4 << 10 // that braces of one word become
)

// unsupported names the first thing in the text that the interpreter does not
// run as a shell would; "" for none. What is not listed here as understood is
// not.
func unsupported(file *syntax.File) (what string) {
	refuse := func(n syntax.Node, s string) bool {
		if what == "" {
			what = fmt.Sprintf("%s at byte %d", s, n.Pos().Offset())
		}
		return false
	}
	expansions := 0
	// Process substitutions stand where they are known to be opened: as a word
	// of a program and behind a redirection.
	placed := map[*syntax.ProcSubst]bool{}
	syntax.Walk(file, func(n syntax.Node) bool {
		if what != "" {
			return false
		}
		switch n := n.(type) {
		case nil, *syntax.File, *syntax.Comment, *syntax.Lit, *syntax.SglQuoted, *syntax.DblQuoted,
			*syntax.BinaryCmd, *syntax.Block, *syntax.Subshell, *syntax.IfClause, *syntax.CaseClause, *syntax.CaseItem,
			*syntax.WordIter, *syntax.CStyleLoop, *syntax.CmdSubst, *syntax.ArithmExp, *syntax.ArithmCmd,
			*syntax.BinaryArithm, *syntax.UnaryArithm, *syntax.ParenArithm, *syntax.TestClause, *syntax.BinaryTest, *syntax.UnaryTest,
			*syntax.ParenTest, *syntax.ArrayExpr, *syntax.ArrayElem, *syntax.BraceExp, *syntax.WhileClause:
		case *syntax.Word:
			if elements(n) > maxElements {
				return refuse(n, "a word that becomes too many")
			}
		case *syntax.ParamExp:
			if expansions++; expansions > maxExpansions {
				return refuse(n, "more expansions than are kept in memory")
			}
		case *syntax.Assign:
			if s := growing(n); s != "" {
				return refuse(n, s)
			}
		case *syntax.Stmt:
			if n.Background || n.Coprocess || n.Disown {
				return refuse(n, "a background job")
			}
			if c, ok := n.Cmd.(*syntax.CallExpr); ok && mixesStatus(n, c.Assigns) {
				return refuse(n, "an assignment of variables beside the last status")
			}
		case *syntax.Redirect:
			if s := redirection(n); s != "" {
				return refuse(n, s)
			}
			if p := processOf(n.Word); p != nil {
				placed[p] = n.Op == syntax.RdrIn && p.Op == syntax.CmdIn || (n.Op == syntax.RdrOut || n.Op == syntax.RdrAll) && p.Op == syntax.CmdOut
			}
		case *syntax.ForClause:
			if n.Select {
				return refuse(n, "select")
			}
		case *syntax.ProcSubst:
			if !canSubstitute || !placed[n] || len(n.Stmts) == 0 {
				return refuse(n, "a process substitution in this place")
			}
		case *syntax.TimeClause:
			return refuse(n, "time")
		case *syntax.CallExpr:
			if len(n.Args) == 0 {
				break
			}
			name := literal(n.Args[0])
			args := []string{name}
			for range n.Args[1:] {
				args = append(args, "?")
			}
			if interp.IsBuiltin(name) && !runsBuiltin(name, args) {
				return refuse(n, "the builtin "+name)
			}
			if name != "" && !interp.IsBuiltin(name) && len(n.Assigns) == 0 {
				for _, w := range n.Args[1:] {
					if p := processOf(w); p != nil {
						placed[p] = true
					}
				}
			}
		default:
			return refuse(n, fmt.Sprintf("%T", n)[len("*syntax."):])
		}
		return true
	})
	return what
}

// processOf is the process substitution that is a whole word, or nil.
func processOf(w *syntax.Word) *syntax.ProcSubst {
	if w == nil || len(w.Parts) != 1 {
		return nil
	}
	p, _ := w.Parts[0].(*syntax.ProcSubst)
	return p
}

// literal is a word without its quotes; "" where it is not known before it is
// expanded.
func literal(w *syntax.Word) string {
	s := ""
	for _, p := range w.Parts {
		switch p := p.(type) {
		case *syntax.Lit:
			for i := 0; i < len(p.Value); i++ {
				if p.Value[i] == '\\' && i+1 < len(p.Value) {
					i++
				}
				s += string(p.Value[i])
			}
		case *syntax.SglQuoted:
			if p.Dollar {
				return ""
			}
			s += p.Value
		case *syntax.DblQuoted:
			for _, q := range p.Parts {
				l, ok := q.(*syntax.Lit)
				if !ok {
					return ""
				}
				s += l.Value
			}
		default:
			return ""
		}
	}
	return s
}

// redirection says why the interpreter does another thing than bash.
func redirection(n *syntax.Redirect) string {
	fd := ""
	if n.N != nil {
		fd = n.N.Value
	}
	switch n.Op {
	case syntax.RdrOut, syntax.AppOut:
		if fd != "" && fd != "1" && fd != "2" {
			return "a redirection of another descriptor"
		}
	case syntax.RdrAll, syntax.AppAll:
		if fd != "" {
			return "a redirection of another descriptor"
		}
	case syntax.DplOut:
		if to := n.Word.Lit(); to != "1" && to != "2" || fd != "" && fd != "1" && fd != "2" {
			return "a redirection of another descriptor"
		}
		return ""
	case syntax.RdrIn, syntax.Hdoc, syntax.DashHdoc, syntax.WordHdoc:
		if fd != "" && fd != "0" {
			return "a redirection of another descriptor"
		}
	default:
		return "a redirection of this kind"
	}
	if n.Op == syntax.Hdoc || n.Op == syntax.DashHdoc {
		return ""
	}
	// bash expands patterns there, and refuses where they are several names.
	for _, p := range n.Word.Parts {
		if l, ok := p.(*syntax.Lit); ok && n.Op != syntax.WordHdoc {
			for i := 0; i < len(l.Value); i++ {
				switch l.Value[i] {
				case '\\':
					i++
				case '*', '?', '[', '{':
					return "a pattern as the target of a redirection"
				}
			}
		}
	}
	return ""
}

// elements bounds how many words the braces of a word become. Those with
// expansions count more: each is made again for every word.
func elements(w *syntax.Word) int {
	split := &syntax.Word{Parts: append([]syntax.WordPart(nil), w.Parts...)}
	if !syntax.SplitBraces(split) {
		return 1
	}
	n := braces(split)
	syntax.Walk(w, func(x syntax.Node) bool {
		switch x.(type) {
		case *syntax.ParamExp, *syntax.CmdSubst:
			n *= 64
			return false
		}
		return n <= maxElements
	})
	return n
}

func braces(w *syntax.Word) int {
	total := 1
	for _, p := range w.Parts {
		b, ok := p.(*syntax.BraceExp)
		if !ok {
			continue
		}
		n := 0
		if b.Sequence {
			from, err1 := strconv.Atoi(b.Elems[0].Lit())
			to, err2 := strconv.Atoi(b.Elems[1].Lit())
			switch {
			case err1 != nil || err2 != nil:
				n = 256 // letters
			case from > 1e9 || to > 1e9 || from < -1e9 || to < -1e9:
				return maxElements + 1
			default:
				n = max(from-to, to-from) + 1
			}
		} else {
			for _, e := range b.Elems {
				n += braces(e)
			}
		}
		if total *= max(n, 1); total > maxElements {
			return maxElements + 1
		}
	}
	return total
}

// growing says why the size of what an assignment makes cannot be told before
// it is made (see instrument).
func growing(a *syntax.Assign) (why string) {
	syntax.Walk(a, func(n syntax.Node) bool {
		p, ok := n.(*syntax.ParamExp)
		if !ok {
			return true
		}
		if p.Param == nil || p.Excl || p.Names != 0 {
			why = "an expansion of this kind in an assignment"
		}
		if p.Repl != nil && p.Repl.With != nil && literal(p.Repl.With) == "" && len(p.Repl.With.Parts) > 0 {
			why = "a replacement in an assignment by what is not known"
		}
		return true
	})
	return why
}

// mixesStatus says whether a command with assignments that are measured first
// asks for the status of the one before it.
func mixesStatus(s *syntax.Stmt, assigns []*syntax.Assign) bool {
	measured, status := false, false
	for _, a := range assigns {
		measured = measured || a.Append
		syntax.Walk(a, func(n syntax.Node) bool {
			p, ok := n.(*syntax.ParamExp)
			measured = measured || ok && p.Param != nil && p.Param.Value != "?"
			return true
		})
	}
	if measured {
		syntax.Walk(s, func(n syntax.Node) bool {
			p, ok := n.(*syntax.ParamExp)
			status = status || ok && p.Param != nil && p.Param.Value == "?"
			return true
		})
	}
	return status
}

// bringsFiles says whether the text reads files into words, which the
// interpreter does by itself: $(<file).
func bringsFiles(file *syntax.File) (yes bool) {
	syntax.Walk(file, func(n syntax.Node) bool {
		c, ok := n.(*syntax.CmdSubst)
		yes = yes || ok && len(c.Stmts) == 1 && c.Stmts[0].Cmd == nil
		return true
	})
	return yes
}
