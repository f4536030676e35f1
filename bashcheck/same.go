package bashcheck

import (
	"slices"

	"mvdan.cc/sh/v3/syntax"
)

// Two trees are the same where everything in them is but positions, comments,
// layout and the choice between two spellings of one thing ($x and ${x},
// backquotes and $( )). The lists of kinds are closed: two nodes of a kind that
// is not on them are not the same.

// sameFile says that two trees are the same: their texts mean the same.
func sameFile(f, g *syntax.File) bool { return sameStmts(f.Stmts, g.Stmts) }

func sameStmts(f, g []*syntax.Stmt) bool { return slices.EqualFunc(f, g, sameStmt) }
func sameWords(f, g []*syntax.Word) bool { return slices.EqualFunc(f, g, sameWord) }

func sameParts(f, g []syntax.WordPart) bool { return slices.EqualFunc(f, g, samePart) }

func sameStmt(f, g *syntax.Stmt) bool {
	if f == nil || g == nil {
		return f == g
	}
	return f.Negated == g.Negated && f.Background == g.Background && f.Coprocess == g.Coprocess && f.Disown == g.Disown &&
		sameCommand(f.Cmd, g.Cmd) && slices.EqualFunc(f.Redirs, g.Redirs, sameRedirect)
}

func sameRedirect(f, g *syntax.Redirect) bool {
	return f.Op == g.Op && sameLit(f.N, g.N) && sameWord(f.Word, g.Word) && sameWord(f.Hdoc, g.Hdoc)
}

func sameCommand(f, g syntax.Command) bool {
	switch x := f.(type) {
	case nil:
		return g == nil
	case *syntax.CallExpr:
		y, ok := g.(*syntax.CallExpr)
		return ok && slices.EqualFunc(x.Assigns, y.Assigns, sameAssign) && sameWords(x.Args, y.Args)
	case *syntax.BinaryCmd:
		y, ok := g.(*syntax.BinaryCmd)
		return ok && x.Op == y.Op && sameStmt(x.X, y.X) && sameStmt(x.Y, y.Y)
	case *syntax.Subshell:
		y, ok := g.(*syntax.Subshell)
		return ok && sameStmts(x.Stmts, y.Stmts)
	case *syntax.Block:
		y, ok := g.(*syntax.Block)
		return ok && sameStmts(x.Stmts, y.Stmts)
	case *syntax.IfClause:
		y, ok := g.(*syntax.IfClause)
		return ok && sameIf(x, y)
	case *syntax.WhileClause:
		y, ok := g.(*syntax.WhileClause)
		return ok && x.Until == y.Until && sameStmts(x.Cond, y.Cond) && sameStmts(x.Do, y.Do)
	case *syntax.ForClause:
		y, ok := g.(*syntax.ForClause)
		return ok && x.Select == y.Select && sameLoop(x.Loop, y.Loop) && sameStmts(x.Do, y.Do)
	case *syntax.CaseClause:
		y, ok := g.(*syntax.CaseClause)
		return ok && sameWord(x.Word, y.Word) && slices.EqualFunc(x.Items, y.Items, sameItem)
	case *syntax.FuncDecl:
		y, ok := g.(*syntax.FuncDecl)
		return ok && sameLit(x.Name, y.Name) && slices.EqualFunc(x.Names, y.Names, sameLit) && sameStmt(x.Body, y.Body)
	case *syntax.ArithmCmd:
		y, ok := g.(*syntax.ArithmCmd)
		return ok && x.Unsigned == y.Unsigned && sameArithm(x.X, y.X)
	case *syntax.TestClause:
		y, ok := g.(*syntax.TestClause)
		return ok && sameTest(x.X, y.X)
	case *syntax.DeclClause:
		y, ok := g.(*syntax.DeclClause)
		return ok && sameLit(x.Variant, y.Variant) && slices.EqualFunc(x.Args, y.Args, sameAssign)
	case *syntax.LetClause:
		y, ok := g.(*syntax.LetClause)
		return ok && slices.EqualFunc(x.Exprs, y.Exprs, sameArithm)
	case *syntax.TimeClause:
		y, ok := g.(*syntax.TimeClause)
		return ok && x.PosixFormat == y.PosixFormat && sameStmt(x.Stmt, y.Stmt)
	case *syntax.CoprocClause:
		y, ok := g.(*syntax.CoprocClause)
		return ok && sameWord(x.Name, y.Name) && sameStmt(x.Stmt, y.Stmt)
	}
	return false
}

func sameIf(f, g *syntax.IfClause) bool {
	for ; f != nil && g != nil; f, g = f.Else, g.Else {
		if !sameStmts(f.Cond, g.Cond) || !sameStmts(f.Then, g.Then) {
			return false
		}
	}
	return f == g
}

func sameLoop(f, g syntax.Loop) bool {
	switch x := f.(type) {
	case *syntax.WordIter:
		y, ok := g.(*syntax.WordIter)
		return ok && x.InPos.IsValid() == y.InPos.IsValid() && sameLit(x.Name, y.Name) && sameWords(x.Items, y.Items)
	case *syntax.CStyleLoop:
		y, ok := g.(*syntax.CStyleLoop)
		return ok && sameArithm(x.Init, y.Init) && sameArithm(x.Cond, y.Cond) && sameArithm(x.Post, y.Post)
	}
	return false
}

func sameItem(f, g *syntax.CaseItem) bool {
	return f.Op == g.Op && sameWords(f.Patterns, g.Patterns) && sameStmts(f.Stmts, g.Stmts)
}

func sameAssign(f, g *syntax.Assign) bool {
	if f.Append != g.Append || f.Naked != g.Naked || !sameLit(f.Name, g.Name) || !sameArithm(f.Index, g.Index) || !sameWord(f.Value, g.Value) {
		return false
	}
	if f.Array == nil || g.Array == nil {
		return f.Array == g.Array
	}
	return slices.EqualFunc(f.Array.Elems, g.Array.Elems, func(f, g *syntax.ArrayElem) bool {
		return sameArithm(f.Index, g.Index) && sameWord(f.Value, g.Value)
	})
}

func sameLit(f, g *syntax.Lit) bool {
	if f == nil || g == nil {
		return f == g
	}
	return f.Value == g.Value
}

func sameWord(f, g *syntax.Word) bool {
	if f == nil || g == nil {
		return f == g
	}
	return sameParts(f.Parts, g.Parts)
}

func samePart(f, g syntax.WordPart) bool {
	switch x := f.(type) {
	case *syntax.Lit:
		y, ok := g.(*syntax.Lit)
		return ok && x.Value == y.Value
	case *syntax.SglQuoted:
		y, ok := g.(*syntax.SglQuoted)
		return ok && x.Dollar == y.Dollar && x.Value == y.Value
	case *syntax.DblQuoted:
		y, ok := g.(*syntax.DblQuoted)
		return ok && x.Dollar == y.Dollar && sameParts(x.Parts, y.Parts)
	case *syntax.ParamExp:
		y, ok := g.(*syntax.ParamExp)
		return ok && sameParam(x, y)
	case *syntax.CmdSubst:
		y, ok := g.(*syntax.CmdSubst)
		return ok && x.TempFile == y.TempFile && x.ReplyVar == y.ReplyVar && sameStmts(x.Stmts, y.Stmts)
	case *syntax.ArithmExp:
		y, ok := g.(*syntax.ArithmExp)
		return ok && x.Unsigned == y.Unsigned && sameArithm(x.X, y.X)
	case *syntax.ProcSubst:
		y, ok := g.(*syntax.ProcSubst)
		return ok && x.Op == y.Op && sameStmts(x.Stmts, y.Stmts)
	case *syntax.ExtGlob:
		y, ok := g.(*syntax.ExtGlob)
		return ok && x.Op == y.Op && sameLit(x.Pattern, y.Pattern)
	}
	return false
}

func sameParam(f, g *syntax.ParamExp) bool {
	if f.Excl != g.Excl || f.Length != g.Length || f.Width != g.Width || f.IsSet != g.IsSet || f.Names != g.Names ||
		f.Split != g.Split || f.GlobSubst != g.GlobSubst || f.RcExpand != g.RcExpand ||
		f.NestedParam != nil || g.NestedParam != nil || // zsh's
		!sameLit(f.Flags, g.Flags) || !sameLit(f.Param, g.Param) || !slices.EqualFunc(f.Modifiers, g.Modifiers, sameLit) || !sameArithm(f.Index, g.Index) {
		return false
	}
	if (f.Slice == nil) != (g.Slice == nil) || (f.Repl == nil) != (g.Repl == nil) || (f.Exp == nil) != (g.Exp == nil) {
		return false
	}
	return (f.Slice == nil || sameArithm(f.Slice.Offset, g.Slice.Offset) && sameArithm(f.Slice.Length, g.Slice.Length)) &&
		(f.Repl == nil || f.Repl.All == g.Repl.All && sameWord(f.Repl.Orig, g.Repl.Orig) && sameWord(f.Repl.With, g.Repl.With)) &&
		(f.Exp == nil || f.Exp.Op == g.Exp.Op && sameWord(f.Exp.Word, g.Exp.Word))
}

func sameArithm(f, g syntax.ArithmExpr) bool {
	switch x := f.(type) {
	case nil:
		return g == nil
	case *syntax.Word:
		y, ok := g.(*syntax.Word)
		return ok && sameWord(x, y)
	case *syntax.BinaryArithm:
		y, ok := g.(*syntax.BinaryArithm)
		return ok && x.Op == y.Op && sameArithm(x.X, y.X) && sameArithm(x.Y, y.Y)
	case *syntax.UnaryArithm:
		y, ok := g.(*syntax.UnaryArithm)
		return ok && x.Op == y.Op && x.Post == y.Post && sameArithm(x.X, y.X)
	case *syntax.ParenArithm:
		y, ok := g.(*syntax.ParenArithm)
		return ok && sameArithm(x.X, y.X)
	}
	return false
}

func sameTest(f, g syntax.TestExpr) bool {
	switch x := f.(type) {
	case *syntax.Word:
		y, ok := g.(*syntax.Word)
		return ok && sameWord(x, y)
	case *syntax.BinaryTest:
		y, ok := g.(*syntax.BinaryTest)
		return ok && x.Op == y.Op && sameTest(x.X, y.X) && sameTest(x.Y, y.Y)
	case *syntax.UnaryTest:
		y, ok := g.(*syntax.UnaryTest)
		return ok && x.Op == y.Op && sameTest(x.X, y.X)
	case *syntax.ParenTest:
		y, ok := g.(*syntax.ParenTest)
		return ok && sameTest(x.X, y.X)
	}
	return false
}
