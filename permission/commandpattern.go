package permission

import (
	"slices"
	"strings"
)

// DynamicWord stands in [Command.Deny] for a word whose value is not known
// before the command runs.
const DynamicWord = "\x00"

// commandPattern is a Bash specifier: literal parts around stars. A star is
// any text, blanks included.
type commandPattern struct {
	parts []string
	// word says that the pattern ended in " *" (or ":*"): the part before it
	// is followed by a blank or by the end.
	word bool
	// raw is the specifier with its blanks collapsed: a rule for one command
	// that holds stars itself spells exactly that text.
	raw string
}

// compileCommandPattern reads a specifier. ":*" at the end is " *"; a colon
// elsewhere is a colon.
func compileCommandPattern(spec string) commandPattern {
	if p, ok := strings.CutSuffix(spec, ":*"); ok {
		spec = p + " *"
	}
	spec = collapseBlanks(spec)
	if p, ok := strings.CutSuffix(spec, " *"); ok && p != "" {
		return commandPattern{parts: strings.Split(p, "*"), word: true, raw: spec}
	}
	return commandPattern{parts: strings.Split(spec, "*"), raw: spec}
}

// spells says that the pattern is the text, letter by letter.
func (p *commandPattern) spells(texts []string) bool { return slices.Contains(texts, p.raw) }

// exact says that the pattern is one literal text.
func (p *commandPattern) exact() bool { return len(p.parts) == 1 && !p.word }

// matches says whether the pattern covers the text.
func (p *commandPattern) matches(text string) bool {
	if !p.word {
		return globMatch(p.parts, text)
	}
	if len(p.parts) == 1 {
		return strings.HasPrefix(text, p.parts[0]) && (len(text) == len(p.parts[0]) || text[len(p.parts[0])] == ' ')
	}
	if globMatch(p.parts, text) {
		return true
	}
	// parts then " " then anything: the last part must be followed by a blank
	// somewhere, so it may match at any place and not only at the end.
	for i := 0; i < len(text); i++ {
		if text[i] == ' ' && globMatch(p.parts, text[:i]) {
			return true
		}
	}
	return false
}

// mayMatch says whether the pattern could cover the text for some value of
// its dynamic words. Both sides then hold wildcards.
func (p *commandPattern) mayMatch(text string) bool {
	pattern := strings.Join(p.parts, "*")
	if intersects(pattern, text) {
		return true
	}
	return p.word && intersects(pattern+" *", text)
}

// intersects says whether the glob and the text with DynamicWord wildcards
// have a string in common. It is bounded by the product of the lengths.
func intersects(pattern, text string) bool {
	// row[j] says: pattern[:i] and text[:j] have a string in common.
	row := make([]bool, len(text)+1)
	row[0] = true
	for j := 0; j < len(text); j++ {
		row[j+1] = row[j] && text[j] == DynamicWord[0]
	}
	for i := 0; i < len(pattern); i++ {
		next := make([]bool, len(text)+1)
		star := pattern[i] == '*'
		next[0] = row[0] && star
		for j := 0; j < len(text); j++ {
			dyn := text[j] == DynamicWord[0]
			switch {
			case star && dyn:
				next[j+1] = row[j+1] || next[j] || row[j]
			case star:
				next[j+1] = row[j+1] || next[j]
			case dyn:
				next[j+1] = next[j] || row[j+1] || row[j]
			default:
				next[j+1] = row[j] && pattern[i] == text[j]
			}
		}
		row = next
	}
	return row[len(text)]
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
