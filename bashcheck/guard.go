package bashcheck

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

// textFacts is what one pass over the bytes tells before any parsing.
type textFacts struct {
	plain bool // only bytes in which parsers and shells are known to agree
	odd   int  // offset of the first invisible or odd rune, or -1
}

// plainByte lists the bytes whose presence does not call for printing and
// parsing again: no quotes, expansions, brackets, comments or line breaks.
var plainByte = func() (t [256]bool) {
	for c := range 256 {
		t[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(" _-./,:=+@%^|&;<>*?", byte(c)) >= 0
	}
	return t
}()

// checkBytes applies the rules that need no syntax. A non-nil finding means
// that the text must not be parsed.
func checkBytes(src string, lim Limits) (textFacts, *Finding) {
	facts := textFacts{plain: true, odd: -1}
	block := func(code string, at int, format string, args ...any) (textFacts, *Finding) {
		return facts, &Finding{Code: code, Severity: Suspicious, Blocks: true, Text: fmt.Sprintf(format, args...), Span: spanAt(at, min(at+1, len(src)))}
	}
	if len(src) > lim.Bytes {
		return block(CodeLimit, 0, "the text has %d bytes; at most %d are judged", len(src), lim.Bytes)
	}
	depth, lineStart := 0, 0
	for i := 0; i < len(src); {
		c := src[i]
		if plainByte[c] {
			i++
			continue
		}
		facts.plain = false
		switch {
		case c == '\n':
			lineStart = i + 1
		case c == '\t':
		case c < 0x20 || c == 0x7f:
			return block(CodeUnicodeControl, i, "the text holds the control character %q", rune(c))
		case c == '(' || c == '{' || c == '[' || c == '`':
			// Closing brackets are counted only to keep long flat texts
			// acceptable; a bracket in quotes counts too.
			if depth++; depth > 4*lim.Depth {
				return block(CodeLimit, i, "the text nests too deeply to be judged")
			}
		case c == ')' || c == '}' || c == ']':
			if depth > 0 {
				depth--
			}
		case c == '\\' && i+1 < len(src) && src[i+1] == '\n':
			if i == 0 || src[i-1] != ' ' && src[i-1] != '\t' || strings.IndexByte(src[lineStart:i], '#') >= 0 {
				return block(CodeHiddenByParser, i, "a line is continued where parsers and shells disagree")
			}
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(src[i:])
			if r == utf8.RuneError && n <= 1 {
				return block(CodeUnicodeControl, i, "the text is not valid UTF-8")
			}
			if oddRune(r) && facts.odd < 0 {
				facts.odd = i
			}
			i += n
			continue
		}
		i++
	}
	// A keyword and the blank after it have three bytes at least.
	if len(src)/3 >= 4*lim.Depth && keywordDepth(src) > 4*lim.Depth {
		return block(CodeLimit, 0, "the text nests too deeply to be judged")
	}
	return facts, nil
}

// keywordDepth over-counts nesting by keywords (if, while, case, …), which
// need no brackets.
func keywordDepth(src string) int {
	depth, deepest := 0, 0
	for i := 0; i < len(src); {
		if src[i] < 'a' || src[i] > 'z' {
			// A chain of ! or of && does not nest in the parser.
			i++
			continue
		}
		j := i
		for j < len(src) && src[j] >= 'a' && src[j] <= 'z' {
			j++
		}
		switch src[i:j] {
		case "if", "elif", "while", "until", "for", "select", "case", "time", "coproc", "function":
			if depth++; depth > deepest {
				deepest = depth
			}
		case "fi", "done", "esac":
			if depth > 0 {
				depth--
			}
		}
		i = j
	}
	return deepest
}

func oddRune(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Zs, unicode.Zl, unicode.Zp, unicode.Cc, unicode.Co, unicode.Variation_Selector) ||
		r == 0x115f || r == 0x1160 || r == 0x3164 || r == 0xffa0 || r == 0x034f || r == 0x17b4 || r == 0x17b5 || r == 0x2800
}

// tokens counts the openings of substitutions; a plain text holds no byte that
// one needs.
func (f textFacts) tokens(src string) (dollar, ticks, procs int) {
	if f.plain {
		return 0, 0, 0
	}
	return countTokens(src)
}

// countTokens counts the openings of substitutions that a shell would see,
// with a scanner that shares nothing with the parser: $( and $((, backticks,
// <( and >(. It is the net for parser errors that nobody has found yet.
func countTokens(src string) (dollar, ticks, procs int) {
	const (
		top    = iota // commands
		dq            // inside double quotes
		brace         // ${ } outside double quotes
		qbrace        // ${ } inside double quotes or a here-document
		paren         // inside $( ( <(
	)
	stack := make([]byte, 1, 8)
	type hdoc struct {
		delim     string
		quoted, t bool
	}
	var pending []hdoc
	in := func() byte { return stack[len(stack)-1] }
	push := func(b byte) { stack = append(stack, b) }
	pop := func() {
		if len(stack) > 1 {
			stack = stack[:len(stack)-1]
		}
	}
	wordStart := true
	body := func(s string) {
		for i := 0; i < len(s); i++ {
			switch {
			case s[i] == '\\':
				i++
			case s[i] == '`':
				ticks++
			case s[i] == '$' && i+1 < len(s) && s[i+1] == '(':
				dollar++
			}
		}
	}
	for i := 0; i < len(src); i++ {
		c := src[i]
		ctx := in()
		quoted := ctx == dq || ctx == qbrace
		start := wordStart
		wordStart = false
		switch c {
		case '\\':
			i++
		case '\'':
			if quoted {
				break
			}
			ansi := i > 0 && src[i-1] == '$'
			for i++; i < len(src) && src[i] != '\''; i++ {
				if ansi && src[i] == '\\' {
					i++
				}
			}
		case '"':
			if ctx == dq {
				pop()
			} else {
				push(dq)
			}
		case '`':
			ticks++
			wordStart = true
		case '$':
			if i+1 < len(src) && src[i+1] == '(' {
				dollar++
				push(paren)
				i++
				wordStart = true
			} else if i+1 < len(src) && src[i+1] == '{' {
				if quoted {
					push(qbrace)
				} else {
					push(brace)
				}
				i++
			}
		case '<', '>':
			if quoted {
				break
			}
			wordStart = true
			if i+1 < len(src) && src[i+1] == '(' {
				procs++
				push(paren)
				i++
				break
			}
			if c == '<' && ctx != brace && strings.HasPrefix(src[i:], "<<<") {
				i += 2
				break
			}
			if c == '<' && ctx != brace && strings.HasPrefix(src[i:], "<<") {
				j := i + 2
				h := hdoc{}
				if j < len(src) && src[j] == '-' {
					h.t = true
					j++
				}
				for j < len(src) && (src[j] == ' ' || src[j] == '\t') {
					j++
				}
				for j < len(src) && strings.IndexByte(" \t\n;&|()<>", src[j]) < 0 {
					switch src[j] {
					case '\\', '\'', '"':
						h.quoted = true
					default:
						h.delim += string(src[j])
					}
					j++
				}
				if h.delim != "" {
					pending = append(pending, h)
				}
				i = j - 1
			}
		case '(':
			if !quoted && ctx != brace {
				push(paren)
				wordStart = true
			}
		case ')':
			if ctx == paren {
				pop()
			}
			wordStart = true
		case '}':
			if ctx == brace || ctx == qbrace {
				pop()
			}
		case '#':
			if start && !quoted && ctx != brace {
				for i < len(src) && src[i] != '\n' {
					i++
				}
				i--
			}
		case ' ', '\t', ';', '&', '|':
			wordStart = !quoted
		case '\n':
			wordStart = !quoted
			for len(pending) > 0 && !quoted {
				h := pending[0]
				pending = pending[1:]
				pos := i + 1
				for {
					if pos >= len(src) {
						i = len(src)
						break
					}
					lineEnd := strings.IndexByte(src[pos:], '\n')
					line := src[pos:]
					if lineEnd >= 0 {
						line = src[pos : pos+lineEnd]
					}
					cmp := line
					if h.t {
						cmp = strings.TrimLeft(cmp, "\t")
					}
					next := pos + len(line)
					if cmp == h.delim {
						i = next
						break
					}
					if !h.quoted {
						body(line)
					}
					i = next
					pos = next + 1
				}
			}
		}
	}
	return dollar, ticks, procs
}

// scratch is what printing a tree needs; it is pooled.
type scratch struct {
	printer *syntax.Printer
	text    bytes.Buffer
}

var scratches = sync.Pool{New: func() any { return &scratch{printer: syntax.NewPrinter()} }}
