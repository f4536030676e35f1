package permission

import (
	"slices"
	"strings"
)

// DynamicWord stands in [Command.Deny] and [Command.Allow] for a word whose value is not known
// before the command runs.
const DynamicWord = "\x00"

// commandPattern is a Bash specifier: literal parts around stars. A star is
// any text, blanks included.
type commandPattern struct {
	parts []string
	// word says that the pattern ended in " *" (or ":*"): the part before it
	// is followed by a blank or by the end.
	word bool
	// tail is the pattern with the blank and the star spelled out, for word.
	tail []string
	// raw is the specifier with its blanks collapsed: a rule for one command
	// that holds stars itself spells exactly that text.
	raw string
	// paths are its words that hold a star behind a slash: see climbs.
	paths [][]string
}

// compileCommandPattern reads a specifier. ":*" at the end is " *"; a colon
// elsewhere is a colon.
func compileCommandPattern(spec string) *commandPattern {
	if p, ok := strings.CutSuffix(spec, ":*"); ok {
		spec = p + " *"
	}
	spec = collapseBlanks(spec)
	if p, ok := strings.CutSuffix(spec, " *"); ok && p != "" {
		parts := strings.Split(p, "*")
		return &commandPattern{parts: parts, word: true, tail: strings.Split(spec, "*"), raw: spec, paths: pathWords(parts)}
	}
	parts := strings.Split(spec, "*")
	return &commandPattern{parts: parts, raw: spec, paths: pathWords(parts)}
}

// head returns the literal words that every text of the pattern starts with
// and that end at a blank or at the end of the text; ok is false where there
// are none.
func (p *commandPattern) head() (words string, ok bool) {
	if len(p.parts) == 0 {
		return "", false
	}
	first := p.parts[0]
	if len(p.parts) == 1 {
		return first, true
	}
	i := strings.LastIndexByte(first, ' ')
	if i <= 0 {
		return "", false
	}
	return first[:i], true
}

// spells says that the pattern is the text, letter by letter.
func (p *commandPattern) spells(texts []string) bool { return slices.Contains(texts, p.raw) }

// exact says that the pattern is one literal text.
func (p *commandPattern) exact() bool { return len(p.parts) == 1 && !p.word }

// matches says whether the pattern covers the text. It is linear in the text
// for each part of the pattern.
func (p *commandPattern) matches(text string) bool {
	if p.parts == nil {
		return false
	}
	if globMatch(p.parts, text) {
		return true
	}
	// "a *" is also "a" followed by a blank and anything.
	return p.word && globMatch(p.tail, text)
}

// mayMatch says whether the pattern could cover the text for some value of
// its dynamic words. Both sides then hold wildcards.
func (p *commandPattern) mayMatch(text string) bool {
	if p.parts == nil {
		return false
	}
	words := strings.Split(text, DynamicWord)
	return intersects(p.parts, words) || p.word && intersects(p.tail, words)
}

// intersects says whether two globs, given as the literal parts around their
// stars, have a string in common. Where both hold a star, whatever stands
// between the outermost literals fits into the other one's star, so only these
// have to agree.
func intersects(a, b []string) bool {
	switch {
	case len(a) == 1:
		return globMatch(b, a[0])
	case len(b) == 1:
		return globMatch(a, b[0])
	}
	headA, headB := a[0], b[0]
	tailA, tailB := a[len(a)-1], b[len(b)-1]
	return (strings.HasPrefix(headA, headB) || strings.HasPrefix(headB, headA)) &&
		(strings.HasSuffix(tailA, tailB) || strings.HasSuffix(tailB, tailA))
}

// globMatch matches literal parts around stars against the whole text.
func globMatch(parts []string, text string) bool {
	if len(parts) == 1 {
		return parts[0] == text
	}
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return len(text) >= len(last) && strings.HasSuffix(text, last)
}

// collapseBlanks turns runs of spaces and tabs outside quotes into one space.
func collapseBlanks(s string) string {
	if !strings.ContainsAny(s, "\t") && !strings.Contains(s, "  ") {
		return s
	}
	var b strings.Builder
	var quote byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '\\' && i+1 < len(s):
			b.WriteByte(c)
			i++
			c = s[i]
		case c == ' ' || c == '\t':
			if n := b.Len(); n > 0 && b.String()[n-1] == ' ' {
				continue
			}
			c = ' '
		}
		b.WriteByte(c)
	}
	return b.String()
}
