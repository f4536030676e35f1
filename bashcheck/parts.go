package bashcheck

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// zshLit refuses what zsh reads otherwise than bash.
func (w *walker) zshLit(l *syntax.Lit) {
	if w.d != Zsh && w.d != Any {
		return
	}
	v := l.Value
	bad := strings.ContainsAny(v, "()^#<>]!{[$") && v != "{}" || strings.HasPrefix(v, "=") ||
		strings.Contains(strings.TrimPrefix(v, "~/"), "~") && v != "~"
	if v == "[" || v == "]" || v == "!" {
		bad = v == "!"
	}
	if bad {
		w.block(CodeDialect, w.nodeSpan(l), "zsh may read %s otherwise than bash", escape(v))
	}
}

// zshQuoted refuses in double quotes what zsh expands and bash does not: $=x,
// $~x and a subscript after a variable without braces ("$x[1]").
func (w *walker) zshQuoted(l *syntax.Lit) {
	v := l.Value
	start := int(l.Pos().Offset())
	after := start > 0 && start <= len(w.src) && v != "" && v[0] == '[' && w.src[start-1] != '}' && w.src[start-1] != ')' && w.src[start-1] != '"' && w.src[start-1] != '`'
	for i := 0; i < len(v) && !after; i++ {
		switch v[i] {
		case '\\':
			i++
		case '$':
			after = start+i+1 < len(w.src) && w.src[start+i+1] != '"'
		}
	}
	if after {
		w.block(CodeDialect, w.nodeSpan(l), "zsh may expand %s, which bash takes for text", escape(v))
	}
}

// noEscapes takes away the escapes of blank characters.
var noEscapes = strings.NewReplacer(`\n`, "", `\t`, "", `\r`, "")

// part checks one part of a word against the closed list of what is
// understood and walks what it contains. It returns false for what is not
// understood; a blocking finding then stands.
func (w *walker) part(p syntax.WordPart, c ctx) bool {
	if !w.enter(p) {
		return false
	}
	defer w.leave()
	switch x := p.(type) {
	case *syntax.Lit:
		if c == cWord {
			w.zshLit(x)
		} else if c == cDquot && (w.d == Zsh || w.d == Any) {
			w.zshQuoted(x)
		}
		return w.lit(x, c)
	case *syntax.SglQuoted:
		text := x.Value
		if c == cParamQuoted && strings.Contains(text, `\`) {
			// "${PATH//:/$'\n'}": whether the quotes count or are text, a backslash
			// before these letters hides nothing.
			text = noEscapes.Replace(text)
		}
		if c != cWord && c != cParam && strings.ContainsAny(text, "$`[\\") {
			w.block(CodeHiddenByParser, w.nodeSpan(x), "single quotes do not protect here, and they hold code")
			return false
		}
		if w.odd && c == cWord && !x.Dollar {
			w.oddAllowed = append(w.oddAllowed, spanAt(int(x.Pos().Offset()), int(x.End().Offset())))
		}
		return true
	case *syntax.DblQuoted:
		if x.Dollar {
			w.block(CodeUnsupported, w.nodeSpan(x), "translated strings are not understood")
			return false
		}
		in := cDquot
		switch c {
		case cArith:
			in = cArith
		case cParam, cParamQuoted:
			in = cParamQuoted
		}
		ok := true
		for _, q := range x.Parts {
			ok = w.part(q, in) && ok
		}
		return ok
	case *syntax.ParamExp:
		return w.paramExp(x, c)
	case *syntax.CmdSubst:
		if x.TempFile || x.ReplyVar {
			w.block(CodeUnsupported, w.nodeSpan(x), "this substitution is not understood by every bash")
			return false
		}
		if x.Backquotes {
			w.seenTicks++
			if strings.Contains(w.src[x.Pos().Offset():x.End().Offset()], "\\") {
				w.block(CodeHiddenByParser, w.nodeSpan(x), "a backslash stands inside backquotes")
			}
		} else {
			w.seenDollar++
		}
		if c == cHdoc || c == cParam || c == cParamQuoted {
			w.find(CodeNestedSubstitution, Notice, false, w.nodeSpan(x), "a command is run inside a here-document or a parameter expansion")
		}
		if c == cArith && !substValue(x).integer {
			w.unproven(CodeArithmetic, w.nodeSpan(x), "the output of a command is evaluated as arithmetic, in which a shell may run code")
		}
		w.substituted(x.Stmts)
		return true
	case *syntax.ProcSubst:
		if x.Op != syntax.CmdIn && x.Op != syntax.CmdOut || c != cWord {
			w.block(CodeUnsupported, w.nodeSpan(x), "this process substitution is not understood")
			return false
		}
		w.seenProcs++
		w.substituted(x.Stmts)
		return true
	case *syntax.ArithmExp:
		if x.Bracket || x.Unsigned {
			w.block(CodeUnsupported, w.nodeSpan(x), "this form of arithmetic is not understood")
		} else {
			w.seenDollar++
		}
		return w.arithm(x.X)
	case *syntax.ExtGlob:
		if w.d == Zsh || w.d == Any {
			w.block(CodeDialect, w.nodeSpan(x), "for zsh a parenthesis after a pattern may hold code")
			return false
		}
		for i := range len(x.Pattern.Value) {
			if c := x.Pattern.Value[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_.|*?-", c) >= 0) {
				w.block(CodeHiddenByParser, w.nodeSpan(x), "an extended pattern may hold code that the shell runs")
				return false
			}
		}
		return true
	}
	w.block(CodeUnsupported, w.nodeSpan(p), "this part of a word is not understood")
	return false
}

// lit looks at the source of a literal for what a shell would still expand.
func (w *walker) lit(l *syntax.Lit, c ctx) bool {
	start, end := int(l.Pos().Offset()), int(l.End().Offset())
	if end > len(w.src) || start > end {
		return false
	}
	s := w.src[start:end]
	for i := 0; i < len(s); i++ {
		bad := false
		switch s[i] {
		case '\\':
			i++
			continue
		case '`':
			bad = true
		case '$':
			next := byte(' ')
			if start+i+1 < len(w.src) {
				next = w.src[start+i+1]
			}
			ok := " \t\n|)/.,;:%=+]}^&"
			if c == cDquot || c == cHdoc {
				ok += "\"'<>~"
			}
			bad = strings.IndexByte(ok, next) < 0 || c == cArith
			if next == '\\' && start+i+2 < len(w.src) && w.src[start+i+2] != '\n' && c != cArith {
				bad = false
			}
		case '(':
			bad = c == cWord || c == cArith || c == cParam
		case '<', '>':
			bad = (c == cWord || c == cParam) && i+1 < len(s) && s[i+1] == '('
		}
		if bad {
			w.block(CodeHiddenByParser, w.nodeSpan(l), "a shell may run or expand what the parser takes for plain text: %s", escape(s))
			return false
		}
	}
	return true
}

func (w *walker) substituted(list []*syntax.Stmt) {
	w.subst++
	w.isolated(func() { w.stmts(list) })
	w.subst--
}

// paramExp allows the expansions that neither assign nor evaluate.
func (w *walker) paramExp(x *syntax.ParamExp, c ctx) bool {
	bad := func(code, text string) bool {
		w.block(code, w.nodeSpan(x), "%s", text)
		return false
	}
	if x.Param == nil || x.Excl || x.Width || x.IsSet || x.Flags != nil || x.NestedParam != nil || x.Names != 0 ||
		x.Split != 0 || x.GlobSubst != 0 || x.RcExpand != 0 || len(x.Modifiers) > 0 {
		return bad(CodeExpansion, "this expansion evaluates or indirects")
	}
	if c == cArith && !w.param(x).integer {
		w.unproven(CodeArithmetic, w.nodeSpan(x), "a variable that is not provably a number is evaluated as arithmetic, in which a shell may run code")
		return false
	}
	w.expands(x)
	inner := c
	switch c {
	case cWord:
		inner = cParam
	case cDquot, cHdoc:
		inner = cParamQuoted
	}
	ok := true
	if x.Index != nil {
		if iw, isWord := x.Index.(*syntax.Word); !isWord || iw.Lit() != "@" && iw.Lit() != "*" {
			ok = w.arithm(x.Index) && ok
		}
	}
	if x.Slice != nil {
		if x.Slice.Offset != nil {
			ok = w.arithm(x.Slice.Offset) && ok
		}
		if x.Slice.Length != nil {
			ok = w.arithm(x.Slice.Length) && ok
		}
	}
	if x.Repl != nil {
		for _, v := range []*syntax.Word{x.Repl.Orig, x.Repl.With} {
			ok = w.wordParts(v, inner) && ok
		}
	}
	if x.Exp != nil {
		switch x.Exp.Op {
		case syntax.AlternateUnset, syntax.AlternateUnsetOrNull, syntax.DefaultUnset, syntax.DefaultUnsetOrNull,
			syntax.RemSmallPrefix, syntax.RemLargePrefix, syntax.RemSmallSuffix, syntax.RemLargeSuffix,
			syntax.UpperFirst, syntax.UpperAll, syntax.LowerFirst, syntax.LowerAll:
			ok = w.wordParts(x.Exp.Word, inner) && ok
		case syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
			mark := len(w.secrets)
			ok = w.wordParts(x.Exp.Word, inner) && ok
			w.shownAnyhow(mark)
		case syntax.OtherParamOps:
			if x.Exp.Word == nil || x.Exp.Word.Lit() != "Q" {
				return bad(CodeExpansion, "this expansion evaluates its value")
			}
		default:
			return bad(CodeExpansion, "this expansion assigns or evaluates")
		}
	}
	return ok
}

func (w *walker) wordParts(n *syntax.Word, c ctx) bool {
	ok := true
	if n != nil {
		for _, p := range n.Parts {
			ok = w.part(p, c) && ok
		}
	}
	return ok
}

// param is what is known about the value of an expansion that was accepted.
func (w *walker) param(x *syntax.ParamExp) value {
	if x.Param == nil {
		return value{}
	}
	if x.Length || x.Param.Value == "#" || x.Param.Value == "?" || x.Param.Value == "$" {
		return value{lead: '0', integer: true}
	}
	if w.d == Bash && !w.st.forget && w.numberOfShell(x.Param.Value) && x.Exp == nil && x.Index == nil && x.Slice == nil && x.Repl == nil && !x.Excl {
		return value{lead: '0', integer: true}
	}
	if x.Excl || x.Index != nil || x.Slice != nil || x.Repl != nil || x.Names != 0 || x.Exp != nil || x.Width {
		return value{}
	}
	return w.get(x.Param.Value)
}
