package checkedrun

import (
	"fmt"

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
	syntax.Walk(file, func(n syntax.Node) bool {
		if what != "" {
			return false
		}
		switch n := n.(type) {
		case nil, *syntax.File, *syntax.Comment, *syntax.Word, *syntax.Lit, *syntax.SglQuoted, *syntax.DblQuoted, *syntax.Assign,
			*syntax.BinaryCmd, *syntax.Block, *syntax.Subshell, *syntax.IfClause, *syntax.CaseClause, *syntax.CaseItem,
			*syntax.WordIter, *syntax.CStyleLoop, *syntax.CmdSubst, *syntax.ParamExp, *syntax.ArithmExp, *syntax.ArithmCmd,
			*syntax.BinaryArithm, *syntax.UnaryArithm, *syntax.ParenArithm, *syntax.TestClause, *syntax.BinaryTest, *syntax.UnaryTest,
			*syntax.ParenTest, *syntax.ArrayExpr, *syntax.ArrayElem, *syntax.BraceExp:
		case *syntax.Stmt:
			if n.Background || n.Coprocess || n.Disown {
				return refuse(n, "a background job")
			}
		case *syntax.Redirect:
			switch n.Op {
			case syntax.RdrOut, syntax.AppOut, syntax.RdrIn, syntax.DplOut, syntax.Hdoc, syntax.DashHdoc, syntax.WordHdoc,
				syntax.RdrAll, syntax.AppAll:
			default:
				return refuse(n, "a redirection of this kind")
			}
			if n.N != nil && n.N.Value != "0" && n.N.Value != "1" && n.N.Value != "2" {
				return refuse(n, "a redirection of another descriptor")
			}
		case *syntax.ForClause:
			if n.Select {
				return refuse(n, "select")
			}
		case *syntax.WhileClause:
		case *syntax.ProcSubst:
			return refuse(n, "a process substitution")
		case *syntax.TimeClause:
			return refuse(n, "time")
		case *syntax.CallExpr:
			if len(n.Args) > 0 {
				if name := n.Args[0].Lit(); interp.IsBuiltin(name) && !builtins[name] {
					return refuse(n, "the builtin "+name)
				}
			}
		default:
			return refuse(n, fmt.Sprintf("%T", n)[len("*syntax."):])
		}
		return true
	})
	return what
}
