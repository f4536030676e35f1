package permission

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of one path pattern. A pattern over a limit is an error of its rule.
const (
	maxPatternBytes   = 4 << 10
	maxPatternRunsAny = 64 // "**" segments
)

// pathPattern is one gitignore pattern (gitignore(5)), matched against slash
// paths relative to its anchor. It is linear in pattern times path: a segment
// star backtracks only to the last star, and so does "**" over segments.
type pathPattern struct {
	negated  bool
	dirOnly  bool
	anchored bool
	segs     []patternSegment
	// prefix and rest hold git's treatment of "foo**/bar": the literal prefix
	// is stripped first, so that "**/bar" is left and crosses directories. It
	// is kept for deny and ask patterns only, where matching more is safe.
	prefix string
	rest   []patternSegment
}

type patternSegment struct {
	any     bool   // "**"
	literal string // when tokens is nil
	tokens  []globToken
}

type globToken struct {
	kind  byte // 'c' literal rune, '?' one rune, '*' any runes, '[' class
	r     rune
	class *runeClass
}

type runeClass struct {
	negated bool
	ranges  []rune // lo, hi pairs
	posix   []func(rune) bool
}

var (
	errPatternEmpty     = errors.New("the pattern is empty and can match nothing")
	errPatternComment   = errors.New("a pattern that starts with # is a comment and matches nothing: write \\#")
	errPatternLong      = errors.New("the pattern is longer than 4096 bytes")
	errPatternAny       = errors.New("the pattern has more than 64 \"**\" segments")
	errPatternBracket   = errors.New("the pattern has an unterminated '[', which matches nothing: close it or write \\[")
	errPatternBackslash = errors.New("the pattern ends in a backslash, which matches nothing: write \\\\ for a backslash")
	errPatternDots      = errors.New("the pattern has a \".\" or \"..\" segment, which matches nothing: write the path without it")
	errPatternSlashes   = errors.New("the pattern has an empty segment (\"//\" inside), which matches nothing")
)

// compilePathPattern reads one gitignore line. The error names why the pattern
// can never match; the pattern is then usable all the same and never matches.
// wide adds git's literal-prefix quirk.
func compilePathPattern(pattern string, wide bool) (pathPattern, error) {
	var p pathPattern
	if len(pattern) > maxPatternBytes {
		return p, errPatternLong
	}
	pattern = strings.TrimSuffix(pattern, "\r")
	pattern = trimTrailingSpaces(pattern)
	if pattern == "" {
		return p, errPatternEmpty
	}
	if pattern[0] == '#' {
		return p, errPatternComment
	}
	if pattern[0] == '!' {
		p.negated = true
		pattern = pattern[1:]
	}
	if strings.HasSuffix(pattern, "/") && !endsEscaped(pattern) {
		p.dirOnly = true
		pattern = pattern[:len(pattern)-1]
	}
	if strings.HasPrefix(pattern, "/") {
		p.anchored = true
		pattern = pattern[1:]
	}
	if pattern == "" {
		return pathPattern{}, errPatternEmpty
	}
	if strings.Contains(pattern, "/") {
		p.anchored = true
	}
	var err error
	p.segs, err = compileSegments(pattern)
	if err != nil {
		return pathPattern{}, err
	}
	if wide && p.anchored {
		if i := strings.IndexAny(pattern, "*?[\\"); i > 0 && pattern[i-1] != '/' && strings.HasPrefix(pattern[i:], "**") && strings.HasPrefix(strings.TrimLeft(pattern[i:], "*"), "/") {
			p.prefix = pattern[:i]
			if p.rest, err = compileSegments(pattern[i:]); err != nil {
				return pathPattern{}, err
			}
		}
	}
	return p, nil
}

// trimTrailingSpaces removes trailing spaces that are not escaped.
func trimTrailingSpaces(s string) string {
	for strings.HasSuffix(s, " ") {
		if endsEscaped(s) {
			return s
		}
		s = s[:len(s)-1]
	}
	return s
}

// endsEscaped says whether the last byte of s is preceded by an odd number of
// backslashes.
func endsEscaped(s string) bool {
	n := 0
	for i := len(s) - 2; i >= 0 && s[i] == '\\'; i-- {
		n++
	}
	return n%2 == 1
}

func compileSegments(pattern string) ([]patternSegment, error) {
	var segs []patternSegment
	anys := 0
	for _, part := range splitSegments(pattern) {
		switch {
		case part == "":
			return nil, errPatternSlashes
		case part == "." || part == "..":
			return nil, errPatternDots
		case len(part) >= 2 && strings.Trim(part, "*") == "":
			if anys++; anys > maxPatternRunsAny {
				return nil, errPatternAny
			}
			// Adjacent "**" are one.
			if len(segs) > 0 && segs[len(segs)-1].any {
				continue
			}
			segs = append(segs, patternSegment{any: true})
		default:
			seg, err := compileSegment(part)
			if err != nil {
				return nil, err
			}
			segs = append(segs, seg)
		}
	}
	return segs, nil
}

// splitSegments cuts at slashes that stand outside brackets; a slash inside a
// bracket never matches, which compileSegment sees as an unterminated bracket.
func splitSegments(pattern string) []string { return strings.Split(pattern, "/") }

func compileSegment(s string) (patternSegment, error) {
	if !strings.ContainsAny(s, `*?[\`) {
		return patternSegment{literal: s}, nil
	}
	var tokens []globToken
	wild := false
	for i := 0; i < len(s); {
		switch s[i] {
		case '*':
			wild = true
			if n := len(tokens); n == 0 || tokens[n-1].kind != '*' {
				tokens = append(tokens, globToken{kind: '*'})
			}
			i++
		case '?':
			wild = true
			tokens = append(tokens, globToken{kind: '?'})
			i++
		case '[':
			wild = true
			class, n, ok := compileClass(s[i:])
			if !ok {
				return patternSegment{}, errPatternBracket
			}
			tokens = append(tokens, globToken{kind: '[', class: class})
			i += n
		case '\\':
			i++
			if i == len(s) {
				return patternSegment{}, errPatternBackslash
			}
			r, n := utf8.DecodeRuneInString(s[i:])
			tokens = append(tokens, globToken{kind: 'c', r: r})
			i += n
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			tokens = append(tokens, globToken{kind: 'c', r: r})
			i += n
		}
	}
	if !wild {
		var b strings.Builder
		for _, t := range tokens {
			b.WriteRune(t.r)
		}
		return patternSegment{literal: b.String()}, nil
	}
	return patternSegment{tokens: tokens}, nil
}

var posixClasses = map[string]func(rune) bool{
	"alnum": func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) },
	"alpha": unicode.IsLetter,
	"blank": func(r rune) bool { return r == ' ' || r == '\t' },
	"cntrl": unicode.IsControl,
	"digit": func(r rune) bool { return '0' <= r && r <= '9' },
	"graph": func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) },
	"lower": unicode.IsLower,
	"print": unicode.IsPrint,
	"punct": func(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) },
	"space": unicode.IsSpace,
	"upper": unicode.IsUpper,
	"xdigit": func(r rune) bool {
		return '0' <= r && r <= '9' || 'a' <= r && r <= 'f' || 'A' <= r && r <= 'F'
	},
}

// compileClass reads a bracket expression at the start of s and returns its
// length; ok is false where it is not terminated or names an unknown class.
func compileClass(s string) (c *runeClass, length int, ok bool) {
	c = new(runeClass)
	i := 1
	if i < len(s) && (s[i] == '!' || s[i] == '^') {
		c.negated = true
		i++
	}
	first := true
	for i < len(s) {
		if s[i] == ']' && !first {
			return c, i + 1, true
		}
		first = false
		if strings.HasPrefix(s[i:], "[:") {
			end := strings.Index(s[i+2:], ":]")
			if end < 0 {
				return nil, 0, false
			}
			f, known := posixClasses[s[i+2:i+2+end]]
			if !known {
				return nil, 0, false
			}
			c.posix = append(c.posix, f)
			i += end + 4
			continue
		}
		lo, n, ok := classRune(s[i:])
		if !ok {
			return nil, 0, false
		}
		i += n
		hi := lo
		if i+1 < len(s) && s[i] == '-' && s[i+1] != ']' {
			hi, n, ok = classRune(s[i+1:])
			if !ok {
				return nil, 0, false
			}
			i += 1 + n
		}
		c.ranges = append(c.ranges, lo, hi)
	}
	return nil, 0, false
}

func classRune(s string) (rune, int, bool) {
	if s[0] == '\\' {
		if len(s) == 1 {
			return 0, 0, false
		}
		r, n := utf8.DecodeRuneInString(s[1:])
		return r, n + 1, true
	}
	r, n := utf8.DecodeRuneInString(s)
	return r, n, true
}

func (c *runeClass) matches(r rune) bool {
	if r == '/' || r == 0 {
		return false
	}
	in := false
	for i := 0; i < len(c.ranges); i += 2 {
		if c.ranges[i] <= r && r <= c.ranges[i+1] {
			in = true
		}
	}
	for _, f := range c.posix {
		in = in || f(r)
	}
	return in != c.negated
}

func (s *patternSegment) matches(name string) bool {
	if s.tokens == nil {
		return s.literal == name
	}
	// Two pointers with one point to fall back to: the last star.
	ti, ni := 0, 0
	starT, starN := -1, 0
	for ni < len(name) || ti < len(s.tokens) {
		if ti < len(s.tokens) {
			t := &s.tokens[ti]
			if t.kind == '*' {
				starT, starN = ti, ni
				ti++
				continue
			}
			if ni < len(name) {
				r, n := utf8.DecodeRuneInString(name[ni:])
				if t.kind == '?' || t.kind == 'c' && t.r == r || t.kind == '[' && t.class.matches(r) {
					ti++
					ni += n
					continue
				}
			}
		}
		if starT < 0 || starN >= len(name) {
			return false
		}
		_, n := utf8.DecodeRuneInString(name[starN:])
		starN += n
		ti, ni = starT+1, starN
	}
	return true
}

// matchSegments matches whole against the path; a trailing "**" needs at
// least one segment, every other one may match none.
func matchSegments(segs []patternSegment, path string) bool {
	si, pi := 0, 0
	anyS, anyP := -1, 0
	done := false // an empty path is one empty name
	for {
		if si < len(segs) && segs[si].any {
			if si == len(segs)-1 {
				return !done
			}
			anyS, anyP = si, pi
			si++
			continue
		}
		if !done && si < len(segs) {
			seg, next, last := cutSegment(path, pi)
			if segs[si].matches(seg) {
				si++
				pi = next
				done = last
				continue
			}
		}
		if done && si == len(segs) {
			return true
		}
		// Fall back to the last "**" and let it take one segment more.
		if anyS < 0 || anyP > len(path) {
			return false
		}
		_, next, last := cutSegment(path, anyP)
		if last {
			return false
		}
		anyP = next
		si, pi, done = anyS+1, anyP, false
	}
}

func cutSegment(path string, at int) (seg string, next int, last bool) {
	if i := strings.IndexByte(path[at:], '/'); i >= 0 {
		return path[at : at+i], at + i + 1, false
	}
	return path[at:], len(path) + 1, true
}

// matchExact matches one name (not its parents) relative to the anchor.
func (p *pathPattern) matchExact(rel string, dir bool) bool {
	if p.segs == nil || p.dirOnly && !dir {
		return false
	}
	if !p.anchored {
		return p.segs[0].any || p.segs[0].matches(rel[strings.LastIndexByte(rel, '/')+1:])
	}
	if matchSegments(p.segs, rel) {
		return true
	}
	return p.rest != nil && strings.HasPrefix(rel, p.prefix) && matchSegments(p.rest, rel[len(p.prefix):])
}

// match says whether the pattern covers rel: itself, or a directory above it.
// rel is a slash path below the anchor without a leading slash; dir says that
// it is a directory.
func (p *pathPattern) match(rel string, dir bool) bool {
	if rel == "" {
		return false
	}
	for i := 0; i < len(rel); i++ {
		if rel[i] == '/' && p.matchExact(rel[:i], true) {
			return true
		}
	}
	return p.matchExact(rel, dir)
}

// mayBeBelow says whether the pattern could match something below the
// directory rel ("" is the anchor itself). It errs towards true.
func (p *pathPattern) mayBeBelow(rel string) bool {
	if p.segs == nil {
		return false
	}
	if !p.anchored || rel == "" || p.rest != nil {
		return true
	}
	si := 0
	for at := 0; at <= len(rel); {
		if si == len(p.segs) || p.segs[si].any {
			return true
		}
		seg, next, _ := cutSegment(rel, at)
		if !p.segs[si].matches(seg) {
			return false
		}
		si++
		at = next
	}
	return true
}
