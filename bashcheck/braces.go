package bashcheck

import (
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// maxBraces bounds the words that one word with braces may become.
const maxBraces = 64

// words evaluates one word of a command or of a for list. In bash, braces of
// plain text become one word each; what is more is not known before it runs.
func (w *walker) words(n *syntax.Word, into []word) []word {
	if w.d != Bash || len(n.Parts) == 0 {
		return append(into, w.word(n))
	}
	if l := onlyLit(n); l != nil && strings.IndexByte(l.Value, '{') < 0 {
		into = append(into, word{})
		w.eval(n, true, &into[len(into)-1])
		return into
	}
	at := -1
	for i, p := range n.Parts {
		switch x := p.(type) {
		case *syntax.Lit:
			if strings.IndexByte(x.Value, '{') >= 0 {
				if at >= 0 {
					return append(into, w.word(n))
				}
				at = i
			}
		case *syntax.SglQuoted:
		case *syntax.ParamExp:
			if x.Exp != nil || x.Repl != nil || x.Slice != nil || x.Index != nil {
				return append(into, w.word(n))
			}
		case *syntax.DblQuoted:
			for _, q := range x.Parts {
				if _, ok := q.(*syntax.Lit); !ok {
					return append(into, w.word(n))
				}
			}
		default:
			return append(into, w.word(n))
		}
	}
	if at < 0 || !scanShape(n).brace {
		return append(into, w.word(n))
	}
	old := n.Parts[at].(*syntax.Lit)
	texts, ok := expandBraces(old.Value)
	if w.expanded += len(texts); !ok || w.expanded > 8*maxBraces {
		return append(into, w.word(n))
	}
	for i, p := range n.Parts {
		// A brace or a separator elsewhere in the word: not so plain.
		if l, ok := p.(*syntax.Lit); ok && i != at && strings.ContainsAny(l.Value, "{},.") {
			return append(into, w.word(n))
		}
	}
	for _, t := range texts {
		l := *old
		l.Value = t
		parts := make([]syntax.WordPart, len(n.Parts))
		copy(parts, n.Parts)
		parts[at] = &l
		if t == "" {
			if parts = append(parts[:at], parts[at+1:]...); len(parts) == 0 {
				continue // an empty unquoted word vanishes
			}
		}
		into = append(into, w.word(&syntax.Word{Parts: parts}))
	}
	return into
}

// expandBraces expands {a,b} and {1..9} in plain text without nesting and
// without escapes (bash manual, 3.5.1).
func expandBraces(s string) ([]string, bool) {
	if strings.ContainsAny(s, "\\$`") {
		return nil, false
	}
	out := []string{""}
	for s != "" {
		open := strings.IndexByte(s, '{')
		if open < 0 {
			if strings.IndexByte(s, '}') >= 0 {
				return nil, false
			}
			for i := range out {
				out[i] += s
			}
			break
		}
		end := strings.IndexByte(s, '}')
		if end < open {
			return nil, false
		}
		group := s[open+1 : end]
		if strings.IndexByte(group, '{') >= 0 {
			return nil, false
		}
		var items []string
		switch {
		case strings.IndexByte(group, ',') >= 0:
			items = strings.Split(group, ",")
		case strings.Contains(group, ".."):
			a, z, _ := strings.Cut(group, "..")
			from, err1 := strconv.Atoi(a)
			to, err2 := strconv.Atoi(z)
			if err1 != nil || err2 != nil || from < 0 || to < from || to-from >= maxBraces || len(a) > 9 || len(z) > 9 || len(a) > 1 && a[0] == '0' {
				return nil, false
			}
			for i := from; i <= to; i++ {
				items = append(items, strconv.Itoa(i))
			}
		case group == "":
			items = []string{"{}"}
		default:
			return nil, false
		}
		if len(out)*len(items) > maxBraces {
			return nil, false
		}
		var next []string
		for _, o := range out {
			for _, it := range items {
				next = append(next, o+s[:open]+it)
			}
		}
		out, s = next, s[end+1:]
	}
	return out, true
}
