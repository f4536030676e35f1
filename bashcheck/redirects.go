package bashcheck

import (
	"path"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// bareRedirect: zsh runs a program (NULLCMD) where only redirections stand.
func (w *walker) bareRedirect(list []*syntax.Redirect) {
	if len(list) > 0 && (w.d == Zsh || w.d == Any) {
		w.block(CodeDialect, w.nodeSpan(list[0]), "zsh runs a program of its own for a redirection without a command")
	}
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
				if t.Text != "-" && fd != t.Text && (w.d == Zsh || w.d == Any) {
					w.block(CodeDialect, s, "zsh moves no descriptor: what follows >& is the name of a file to it")
				}
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

// inputText is the text of a here-string that the source spells.
func (w *walker) inputText(n *syntax.Word) *word {
	v := word{Word: Word{Static: true, Span: w.nodeSpan(n)}}
	if len(n.Parts) != 1 {
		return nil
	}
	switch x := n.Parts[0].(type) {
	case *syntax.SglQuoted:
		if v.Text = x.Value; x.Dollar {
			return nil
		}
	case *syntax.DblQuoted:
		l, ok := oneLit(x.Parts)
		if !ok {
			return nil
		}
		v.Text = unescapeQuoted(l)
	default:
		if v.Text = n.Lit(); !plainLit(v.Text) {
			return nil
		}
	}
	return &v
}

func oneLit(parts []syntax.WordPart) (string, bool) {
	if len(parts) != 1 {
		return "", false
	}
	l, ok := parts[0].(*syntax.Lit)
	if !ok {
		return "", false
	}
	return l.Value, true
}
