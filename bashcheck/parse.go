package bashcheck

import (
	"fmt"
	"strings"
	"sync"

	"mvdan.cc/sh/v3/syntax"
)

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
