package mcptrust

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// encoding/json keeps the last of two equal keys, repairs broken UTF-8 and lone
// surrogates, and turns 2^53+1 into 2^53. A pin over a repaired value is a pin
// over something that nobody sent, so this package reads JSON itself and
// refuses what is ambiguous.

type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
)

// node is one JSON value with its offset.
type node struct {
	kind kind
	off  int
	end  int
	text string // string value, number literal, or true/false
	list []node
	obj  []member
}

type member struct {
	key string
	off int
	val node
}

func (n *node) get(key string) *node {
	if n == nil || n.kind != kindObject {
		return nil
	}
	for i := range n.obj {
		if n.obj[i].key == key {
			return &n.obj[i].val
		}
	}
	return nil
}

// syntaxError is a position and what is wrong there.
type syntaxError struct {
	off int
	msg string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("%s at byte %d", e.msg, e.off) }

var errDuplicate = errors.New("duplicate key")

// duplicateError is a key that stands twice in one object.
type duplicateError struct {
	syntaxError
	key string
}

func (e *duplicateError) Is(target error) bool { return target == errDuplicate }

type jsonParser struct {
	src      []byte
	text     string // the same, for strings that need no copy of their own
	pos      int
	depth    int
	comments bool
}

// parseJSON reads one JSON value (RFC 8259) and nothing after it. With comments
// it also takes // and /* */ and a comma before a closing bracket.
func parseJSON(src []byte, comments bool) (node, error) {
	p := jsonParser{src: src, text: string(src), comments: comments}
	n, err := p.value()
	if err != nil {
		return node{}, err
	}
	if err := p.space(); err != nil {
		return node{}, err
	}
	if p.pos < len(p.src) {
		return node{}, p.fail("text after the JSON value")
	}
	return n, nil
}

func (p *jsonParser) fail(msg string) error { return &syntaxError{p.pos, msg} }

func (p *jsonParser) space() error {
	for p.pos < len(p.src) {
		switch c := p.src[p.pos]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			p.pos++
		case c == '/' && p.comments:
			rest := p.src[p.pos:]
			switch {
			case bytes.HasPrefix(rest, []byte("//")):
				// A lone CR ends the line in some editors and not in others.
				i := bytes.IndexByte(rest, '\n')
				if i < 0 {
					i = len(rest)
				}
				if j := bytes.IndexByte(rest[:i], '\r'); j >= 0 && j != i-1 {
					return p.fail("carriage return inside a comment")
				}
				p.pos += i
			case bytes.HasPrefix(rest, []byte("/*")):
				i := bytes.Index(rest[2:], []byte("*/"))
				if i < 0 {
					return p.fail("comment without end")
				}
				p.pos += i + 4
			default:
				return p.fail("unexpected '/'")
			}
		case c == '/':
			return p.fail("comments are not allowed in this file")
		default:
			return nil
		}
	}
	return nil
}

func (p *jsonParser) value() (node, error) {
	if err := p.space(); err != nil {
		return node{}, err
	}
	if p.pos >= len(p.src) {
		return node{}, p.fail("unexpected end")
	}
	n := node{off: p.pos}
	var err error
	switch c := p.src[p.pos]; {
	case c == '{':
		err = p.object(&n)
	case c == '[':
		err = p.array(&n)
	case c == '"':
		n.kind = kindString
		n.text, err = p.str()
	case c == '-' || c >= '0' && c <= '9':
		n.kind = kindNumber
		n.text, err = p.number()
	default:
		for _, w := range [...]string{"null", "true", "false"} {
			if bytes.HasPrefix(p.src[p.pos:], []byte(w)) {
				p.pos += len(w)
				n.text, n.end = w, p.pos
				if w != "null" {
					n.kind = kindBool
				}
				return n, nil
			}
		}
		err = p.fail("unexpected character")
	}
	n.end = p.pos
	return n, err
}

func (p *jsonParser) enter() error {
	p.pos++
	if p.depth++; p.depth > MaxDepth {
		return p.fail(fmt.Sprintf("nested deeper than %d", MaxDepth))
	}
	return nil
}

// next consumes a comma or the closing bracket and reports whether it closed.
func (p *jsonParser) next(closing byte) (bool, error) {
	if err := p.space(); err != nil {
		return false, err
	}
	if p.pos >= len(p.src) {
		return false, p.fail("unexpected end")
	}
	switch p.src[p.pos] {
	case closing:
		p.pos++
		p.depth--
		return true, nil
	case ',':
		p.pos++
		if err := p.space(); err != nil {
			return false, err
		}
		if p.comments && p.pos < len(p.src) && p.src[p.pos] == closing {
			p.pos++
			p.depth--
			return true, nil
		}
		return false, nil
	}
	return false, p.fail("expected ',' or '" + string(closing) + "'")
}

// empty consumes the closing bracket of an empty object or array.
func (p *jsonParser) empty(closing byte) (bool, error) {
	if err := p.space(); err != nil {
		return false, err
	}
	if p.pos < len(p.src) && p.src[p.pos] == closing {
		p.pos++
		p.depth--
		return true, nil
	}
	return false, nil
}

func (p *jsonParser) array(n *node) error {
	n.kind = kindArray
	if err := p.enter(); err != nil {
		return err
	}
	if done, err := p.empty(']'); done || err != nil {
		return err
	}
	for {
		v, err := p.value()
		if err != nil {
			return err
		}
		n.list = append(n.list, v)
		if done, err := p.next(']'); done || err != nil {
			return err
		}
	}
}

func (p *jsonParser) object(n *node) error {
	n.kind = kindObject
	if err := p.enter(); err != nil {
		return err
	}
	if done, err := p.empty('}'); done || err != nil {
		return err
	}
	var seen map[string]struct{}
	for {
		if err := p.space(); err != nil {
			return err
		}
		if p.pos >= len(p.src) || p.src[p.pos] != '"' {
			return p.fail("expected a key in double quotes")
		}
		m := member{off: p.pos}
		var err error
		if m.key, err = p.str(); err != nil {
			return err
		}
		dup := false
		if len(n.obj) < 8 {
			dup = n.get(m.key) != nil
		} else {
			if seen == nil {
				seen = make(map[string]struct{}, 2*len(n.obj))
				for i := range n.obj {
					seen[n.obj[i].key] = struct{}{}
				}
			}
			_, dup = seen[m.key]
			seen[m.key] = struct{}{}
		}
		if dup {
			return &duplicateError{syntaxError{m.off, fmt.Sprintf("key %q stands twice in one object", Escape(m.key))}, m.key}
		}
		if err := p.space(); err != nil {
			return err
		}
		if p.pos >= len(p.src) || p.src[p.pos] != ':' {
			return p.fail("expected ':'")
		}
		p.pos++
		if m.val, err = p.value(); err != nil {
			return err
		}
		if n.obj == nil {
			n.obj = make([]member, 0, 4)
		}
		n.obj = append(n.obj, m)
		if done, err := p.next('}'); done || err != nil {
			return err
		}
	}
}

func (p *jsonParser) number() (string, error) {
	start := p.pos
	digits := func() bool {
		i := p.pos
		for p.pos < len(p.src) && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
			p.pos++
		}
		return p.pos > i
	}
	at := func(set string) bool { return p.pos < len(p.src) && strings.IndexByte(set, p.src[p.pos]) >= 0 }
	if at("-") {
		p.pos++
	}
	if at("0") {
		p.pos++
	} else if !digits() {
		return "", p.fail("bad number")
	}
	if at("0123456789") {
		return "", p.fail("number with a leading zero")
	}
	if at(".") {
		p.pos++
		if !digits() {
			return "", p.fail("bad number")
		}
	}
	if at("eE") {
		p.pos++
		if at("+-") {
			p.pos++
		}
		if !digits() {
			return "", p.fail("bad number")
		}
	}
	return p.text[start:p.pos], nil
}

func (p *jsonParser) str() (string, error) {
	p.pos++
	start := p.pos
	for p.pos < len(p.src) && p.src[p.pos] != '"' && p.src[p.pos] != '\\' && p.src[p.pos] >= 0x20 && p.src[p.pos] < utf8.RuneSelf {
		p.pos++
	}
	if p.pos < len(p.src) && p.src[p.pos] == '"' {
		s := p.text[start:p.pos]
		p.pos++
		return s, nil
	}
	buf := append([]byte(nil), p.src[start:p.pos]...)
	for p.pos < len(p.src) {
		switch c := p.src[p.pos]; {
		case c == '"':
			p.pos++
			return string(buf), nil
		case c < 0x20:
			return "", p.fail("control character in a string")
		case c == '\\':
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			buf = utf8.AppendRune(buf, r)
		case c < utf8.RuneSelf:
			buf = append(buf, c)
			p.pos++
		default:
			r, size := utf8.DecodeRune(p.src[p.pos:])
			if r == utf8.RuneError && size == 1 {
				return "", p.fail("broken UTF-8")
			}
			buf = append(buf, p.src[p.pos:p.pos+size]...)
			p.pos += size
		}
	}
	return "", p.fail("string without end")
}

func (p *jsonParser) escape() (rune, error) {
	if p.pos+1 >= len(p.src) {
		return 0, p.fail("string without end")
	}
	c := p.src[p.pos+1]
	if c != 'u' {
		i := strings.IndexByte(`"\/bfnrt`, c)
		if i < 0 {
			return 0, p.fail("unknown escape")
		}
		p.pos += 2
		return rune("\"\\/\b\f\n\r\t"[i]), nil
	}
	r, err := p.hex4()
	if err != nil {
		return 0, err
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	if p.pos+1 < len(p.src) && p.src[p.pos] == '\\' && p.src[p.pos+1] == 'u' {
		low, err := p.hex4()
		if err != nil {
			return 0, err
		}
		if full := utf16.DecodeRune(r, low); full != utf8.RuneError {
			return full, nil
		}
	}
	return 0, p.fail("lone surrogate")
}

// hex4 reads \uXXXX.
func (p *jsonParser) hex4() (rune, error) {
	if p.pos+6 > len(p.src) {
		return 0, p.fail("bad \\u escape")
	}
	var r rune
	for _, c := range p.src[p.pos+2 : p.pos+6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, p.fail("bad \\u escape")
		}
		r = r<<4 | rune(c)
	}
	p.pos += 6
	return r, nil
}

// line returns the 1-based line of an offset.
func line(src []byte, off int) int {
	if off > len(src) {
		off = len(src)
	}
	return 1 + bytes.Count(src[:off], []byte{'\n'})
}

// canonical appends the canonical form of n: RFC 8785, except that an integer
// that a float64 cannot hold keeps its literal, because two such integers must
// not become one.
func (n *node) canonical(dst []byte) ([]byte, error) {
	var err error
	switch n.kind {
	case kindNull:
		return append(dst, "null"...), nil
	case kindBool:
		return append(dst, n.text...), nil
	case kindNumber:
		s, err := canonicalNumber(n.text)
		return append(dst, s...), err
	case kindString:
		return canonicalString(dst, n.text), nil
	case kindArray:
		dst = append(dst, '[')
		for i := range n.list {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = n.list[i].canonical(dst); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	default:
		dst = append(dst, '{')
		ms := n.sorted()
		for i := range ms {
			m := &ms[i]
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(canonicalString(dst, m.key), ':')
			if dst, err = m.val.canonical(dst); err != nil {
				return nil, err
			}
		}
		return append(dst, '}'), nil
	}
}

// sorted returns the members ordered by UTF-16 code units (RFC 8785 3.2.3).
func (n *node) sorted() []member {
	if slices.IsSortedFunc(n.obj, func(a, b member) int { return compareUTF16(a.key, b.key) }) {
		return n.obj
	}
	ms := slices.Clone(n.obj)
	slices.SortFunc(ms, func(a, b member) int { return compareUTF16(a.key, b.key) })
	return ms
}

func compareUTF16(a, b string) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		if a[i] == b[i] {
			continue
		}
		// Only a pair of supplementary and private-use or later BMP characters
		// orders differently in UTF-8.
		if a[i] >= 0xEE && b[i] >= 0xEE {
			return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
		}
		return int(a[i]) - int(b[i])
	}
	return len(a) - len(b)
}

func canonicalString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	plain := 0
	for plain < len(s) && s[plain] >= 0x20 && s[plain] != '"' && s[plain] != '\\' {
		plain++
	}
	dst = append(dst, s[:plain]...)
	for i := plain; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= 0x20:
			dst = append(dst, c)
		case c == '\b':
			dst = append(dst, `\b`...)
		case c == '\f':
			dst = append(dst, `\f`...)
		case c == '\n':
			dst = append(dst, `\n`...)
		case c == '\r':
			dst = append(dst, `\r`...)
		case c == '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(dst, '"')
}

// canonicalNumber formats as ECMAScript does (RFC 8785 3.2.2.3).
func canonicalNumber(lit string) (string, error) {
	if !strings.ContainsAny(lit, ".eE") {
		// Every integer is its own text. RFC 8785 would merge those beyond 2^53.
		if lit == "-0" {
			return "0", nil
		}
		return lit, nil
	}
	f, err := strconv.ParseFloat(lit, 64)
	if err != nil {
		return "", fmt.Errorf("number %s is out of range", lit)
	}
	if f == 0 {
		return "0", nil
	}
	abs := math.Abs(f)
	if abs >= 1e-6 && abs < 1e21 {
		return strconv.FormatFloat(f, 'f', -1, 64), nil
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	// Go writes at least two exponent digits, ECMAScript the fewest.
	if i := strings.LastIndexAny(s, "+-"); i > 0 && i+2 < len(s) && s[i+1] == '0' {
		s = s[:i+1] + s[i+2:]
	}
	return s, nil
}

// canonicalJSON returns the canonical form of src.
func canonicalJSON(src []byte) ([]byte, error) {
	n, err := parseJSON(src, false)
	if err != nil {
		return nil, err
	}
	return n.canonical(nil)
}
