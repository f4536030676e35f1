package permission

import (
	"slices"
	"strings"
)

// A star of a command rule is any text (https://code.claude.com/docs/en/permissions,
// "Wildcard patterns"), and the documents do not say what that means behind a
// slash: taken to the letter, python3 src/* covers python3 src/../../tmp/x.py.
// Whoever writes a directory before the star means what lies below it, so an
// allow rule does not cover a word that leads up again there, or may. Deny and
// ask rules keep the wide reading.

// pathWords returns the words of a pattern that hold a star behind a slash, each
// as the literal parts around its stars.
func pathWords(parts []string) [][]string {
	var out [][]string
	for _, w := range strings.Fields(strings.Join(parts, "*")) {
		slash, star := strings.IndexByte(w, '/'), strings.LastIndexByte(w, '*')
		if slash >= 0 && star > slash && !strings.Contains(w, "://") { // in a URL it leads no further than the host
			out = append(out, strings.Split(w, "*"))
		}
	}
	return out
}

// climbs says that a word which one of the path words of the pattern covers has
// a component "..", or may have one, beyond those that the pattern spells. text
// is a command as it is written; plain are its words without quotes, joined by
// blanks.
func (p *commandPattern) climbs(text string, plain []string) bool {
	if p.paths == nil {
		return false
	}
	for _, t := range plain {
		if strings.Contains(t, "..") && slices.ContainsFunc(strings.Fields(t), p.leadsUp) {
			return true
		}
	}
	return strings.ContainsAny(text, ".$`{\\'\"") && slices.ContainsFunc(shellWords(text), p.leadsUp)
}

func (p *commandPattern) leadsUp(word string) bool {
	for _, parts := range p.paths {
		if !strings.HasPrefix(word, parts[0]) {
			continue
		}
		// What is not known may be anything, and so may what the star covers.
		if strings.Contains(word, DynamicWord) || ups(word) > ups(strings.Join(parts, "*")) {
			return true
		}
	}
	return false
}

// ups counts the components of a path that lead up, or that a shell may turn
// into one that does: to some, .* and .? match "..".
func ups(word string) int {
	n := 0
	for _, c := range strings.Split(word, "/") {
		if c == ".." || len(c) > 1 && c[0] == '.' && strings.Trim(c[1:], ".*?") == "" && c != "." {
			n++
		} else if strings.HasPrefix(c, ".") && strings.ContainsAny(c, "[(") || strings.HasPrefix(c, "@(") || strings.HasPrefix(c, "+(") {
			n++
		}
	}
	return n
}

// maxBraces bounds the words that braces make of one.
const maxBraces = 64

// shellWords splits a command into its words and removes quotes. What is not
// known before it runs is a DynamicWord in its word.
func shellWords(text string) []string {
	var out []string
	var word strings.Builder
	open, braces := false, false
	flush := func() {
		if open {
			if braces {
				out = append(out, braced(word.String())...)
			} else {
				out = append(out, word.String())
			}
		}
		word.Reset()
		open, braces = false, false
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case ' ', '\t', '\n', ';', '&', '|', '<', '>':
			flush()
			continue
		case '\'':
			end := strings.IndexByte(text[i+1:], '\'')
			if end < 0 {
				end = len(text) - i - 1
			}
			word.WriteString(text[i+1 : i+1+end])
			i += end + 1
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				switch {
				case text[i] == '\\' && i+1 < len(text):
					i++
					word.WriteByte(text[i])
				case text[i] == '$' || text[i] == '`':
					word.WriteString(DynamicWord)
				default:
					word.WriteByte(text[i])
				}
			}
		case '\\':
			if i++; i < len(text) && text[i] != '\n' {
				word.WriteByte(text[i])
			}
		case '$', '`':
			word.WriteString(DynamicWord)
			if c == '$' && i+1 < len(text) && text[i+1] == '\'' {
				// $'…' may spell anything.
				i++
				for i++; i < len(text) && text[i] != '\''; i++ {
					if text[i] == '\\' {
						i++
					}
				}
			}
		case '{':
			braces = true
			word.WriteByte(c)
		default:
			word.WriteByte(c)
		}
		open = true
	}
	flush()
	return out
}

// braced returns the words that brace expansion makes of one. One that is not
// understood is not known.
func braced(word string) []string {
	list := []string{word}
	for range 8 {
		var next []string
		more := false
		for _, w := range list {
			start := strings.IndexByte(w, '{')
			end := strings.IndexByte(w, '}')
			if start < 0 || end < start {
				next = append(next, w)
				continue
			}
			inside := w[start+1 : end]
			switch {
			case strings.Contains(inside, "{") || strings.Contains(inside, "..") && strings.Contains(inside, ","):
				return []string{word[:strings.IndexByte(word, '{')] + DynamicWord}
			case !strings.Contains(inside, ",") && !strings.Contains(inside, ".."):
				return append(next, w) // as it is written
			}
			more = true
			for _, alt := range strings.Split(inside, ",") {
				if strings.Contains(alt, "..") {
					alt = "1" // a sequence
				}
				next = append(next, w[:start]+alt+w[end+1:])
			}
		}
		if list = next; len(list) > maxBraces {
			break
		}
		if !more {
			return list
		}
	}
	return []string{word[:strings.IndexByte(word, '{')] + DynamicWord}
}
