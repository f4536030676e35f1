package bashcheck

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// AnalyzeUnguarded is what the parser alone says: its tree with every simple
// command in it, and no guard before or after. It exists to show that the tests
// notice when the guard is gone.
func AnalyzeUnguarded(src string) Report {
	r := Report{Source: src}
	f, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(src), "")
	if err != nil {
		return r
	}
	r.Parsed = true
	syntax.Walk(f, func(n syntax.Node) bool {
		switch x := n.(type) {
		case *syntax.Redirect:
			r.Loose = append(r.Loose, Effect{Kind: Write}) // files are not the point here
		case *syntax.Assign:
			r.Loose = append(r.Loose, Effect{Kind: Environment})
		case *syntax.CallExpr:
			if len(x.Args) == 0 {
				break
			}
			c := Command{Described: true, Class: Plain}
			for _, a := range x.Args {
				c.Argv = append(c.Argv, unguardedWord(a.Parts))
			}
			r.Commands = append(r.Commands, c)
		}
		return true
	})
	return r
}

func unguardedWord(parts []syntax.WordPart) Word {
	w := Word{Static: true}
	for _, p := range parts {
		switch x := p.(type) {
		case *syntax.Lit:
			text, _ := unescape(x.Value, false)
			w.Text += text
			w.Glob = w.Glob || strings.ContainsAny(x.Value, "*?[{~")
		case *syntax.SglQuoted:
			w.Text += x.Value
			w.Static = w.Static && !x.Dollar
		case *syntax.DblQuoted:
			in := unguardedWord(x.Parts)
			w.Text += unescapeQuoted(in.Text)
			w.Static = w.Static && in.Static && !strings.Contains(in.Text, "\\")
		default:
			w.Static = false
		}
	}
	return w
}
