package bashcheck

import "mvdan.cc/sh/v3/syntax"

func assigns(op syntax.BinAritOperator) bool {
	switch op {
	case syntax.Assgn, syntax.AddAssgn, syntax.SubAssgn, syntax.MulAssgn, syntax.QuoAssgn, syntax.RemAssgn, syntax.AndAssgn, syntax.OrAssgn,
		syntax.XorAssgn, syntax.ShlAssgn, syntax.ShrAssgn, syntax.AndBoolAssgn, syntax.OrBoolAssgn, syntax.XorBoolAssgn, syntax.PowAssgn:
		return true
	}
	return false
}

// numberOfShell lists the variables that bash keeps a number whatever the
// environment holds (bash manual, 5.2).
func (w *walker) numberOfShell(name string) bool {
	if _, set := w.st.vars[name]; set {
		return false
	}
	switch name {
	case "RANDOM", "LINENO", "SECONDS", "UID", "EUID", "PPID":
		return true
	}
	return false
}

// arithm accepts arithmetic over numbers and variables that are numbers.
func (w *walker) arithm(e syntax.ArithmExpr) bool {
	if e == nil {
		return true
	}
	if !w.enter(e) {
		return false
	}
	defer w.leave()
	switch x := e.(type) {
	case *syntax.Word:
		if l := x.Lit(); l != "" {
			if isInteger(l) || w.get(l).integer || w.d == Bash && !w.st.forget && w.numberOfShell(l) {
				return true
			}
			w.unproven(CodeArithmetic, w.nodeSpan(x), "arithmetic uses %s, which is not provably a number; a shell may run code in it", escape(l))
			return false
		}
		ok := true
		for _, p := range x.Parts {
			switch q := p.(type) {
			case *syntax.ParamExp:
				ok = w.part(q, cArith) && ok
			case *syntax.ArithmExp:
				ok = w.part(q, cArith) && ok
			case *syntax.Lit:
				if !isInteger(q.Value) {
					w.block(CodeArithmetic, w.nodeSpan(x), "arithmetic uses something that is not a number")
					ok = false
				}
			case *syntax.CmdSubst:
				ok = w.part(q, cArith) && ok
			default:
				w.part(q, cArith)
				w.block(CodeArithmetic, w.nodeSpan(x), "quoted text is evaluated as arithmetic, in which a shell may run code")
				ok = false
			}
		}
		return ok
	case *syntax.BinaryArithm:
		assign := assigns(x.Op)
		if assign {
			name, ok := x.X.(*syntax.Word)
			if !ok || !plainName(name.Lit()) {
				w.block(CodeArithmetic, w.nodeSpan(x), "an assignment inside arithmetic is not understood")
				return false
			}
			if x.Op != syntax.Assgn && !w.arithm(x.X) {
				return false
			}
			ok = w.arithm(x.Y)
			w.assignName(name.Lit(), w.nodeSpan(x))
			w.set(name.Lit(), value{integer: ok})
			return ok
		}
		l := w.arithm(x.X)
		return w.arithm(x.Y) && l
	case *syntax.UnaryArithm:
		if x.Op == syntax.Inc || x.Op == syntax.Dec {
			if l, ok := x.X.(*syntax.Word); ok && w.get(l.Lit()).integer {
				w.set(l.Lit(), value{integer: true})
				return true
			}
		}
		return w.arithm(x.X)
	case *syntax.ParenArithm:
		return w.arithm(x.X)
	}
	w.block(CodeUnsupported, w.nodeSpan(e), "this arithmetic is not understood")
	return false
}

// test walks a [[ ]] expression.
func (w *walker) test(e syntax.TestExpr) {
	if e == nil || !w.enter(e) {
		return
	}
	defer w.leave()
	switch x := e.(type) {
	case *syntax.Word:
		w.value(x)
	case *syntax.ParenTest:
		w.test(x.X)
	case *syntax.UnaryTest:
		switch x.Op {
		case syntax.TsVarSet, syntax.TsRefVar, syntax.TsOptSet:
			w.block(CodeArithmetic, w.nodeSpan(x), "this test evaluates a variable name, in which a shell may run code")
		case syntax.TsEmpStr, syntax.TsNempStr:
			if v, ok := x.X.(*syntax.Word); ok { // empty or not is no secret
				n := len(w.secrets)
				w.value(v)
				w.unshown(n)
				return
			}
		}
		w.test(x.X)
	case *syntax.BinaryTest:
		switch x.Op {
		case syntax.TsEql, syntax.TsNeq, syntax.TsLeq, syntax.TsGeq, syntax.TsLss, syntax.TsGtr:
			for _, s := range []syntax.TestExpr{x.X, x.Y} {
				if sw, ok := s.(*syntax.Word); ok {
					if v := w.value(sw); v.Static && isInteger(v.Text) || w.integerWord(sw) {
						continue
					}
				}
				w.unproven(CodeArithmetic, w.nodeSpan(x), "this test evaluates its operands as arithmetic, in which a shell may run code")
			}
			return
		}
		w.test(x.X)
		w.test(x.Y)
	default:
		w.block(CodeUnsupported, w.nodeSpan(e), "this test is not understood")
	}
}

func (w *walker) integerWord(n *syntax.Word) bool {
	if len(n.Parts) != 1 {
		return false
	}
	p := n.Parts[0]
	if d, ok := p.(*syntax.DblQuoted); ok && len(d.Parts) == 1 {
		p = d.Parts[0]
	}
	x, ok := p.(*syntax.ParamExp)
	return ok && w.param(x).integer
}
