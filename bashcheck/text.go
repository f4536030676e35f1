package bashcheck

import (
	"path"
	"strings"
)

func isInteger(s string) bool {
	s = strings.TrimPrefix(s, "-")
	if s == "" || len(s) > 18 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// isNumeral says that arithmetic takes a word for a number: 12, 0x1f, 16#ff.
func isNumeral(s string) bool {
	if base, digits, ok := strings.Cut(s, "#"); ok {
		return isInteger(base) && base[0] != '-' && digits != "" && len(digits) < 18 && strings.Trim(digits, "0123456789abcdefABCDEF") == ""
	}
	if digits, ok := cutAny(s, "0x", "0X"); ok {
		return digits != "" && len(digits) < 18 && strings.Trim(digits, "0123456789abcdefABCDEF") == ""
	}
	return isInteger(s)
}

// byteSet is a set of bytes.
type byteSet [256]bool

// bytesBut is the set of all bytes that are not in s.
func bytesBut(s string) (set byteSet) {
	for c := range set {
		set[c] = strings.IndexByte(s, byte(c)) < 0
	}
	return set
}

// all says that s consists of bytes of the set.
func (set *byteSet) all(s string) bool {
	for i := range len(s) {
		if !set[s[i]] {
			return false
		}
	}
	return true
}

// plainLit says that a literal means itself.
func plainLit(s string) bool { return plainLitBytes.all(s) }

var plainLitBytes = bytesBut("\\*?[{}~$`()<>^#!]")

// unescape removes backslashes from an unquoted literal. pattern: the word is a
// glob, in which an escaped pattern character keeps its backslash.
func unescape(s string, pattern bool) (text string, odd bool) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, false
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		odd = true
		if i++; i < len(s) && s[i] != '\n' {
			if pattern && strings.IndexByte("*?[]\\", s[i]) >= 0 {
				b.WriteByte('\\')
			}
			b.WriteByte(s[i])
		}
	}
	return b.String(), odd
}

// unescapeQuoted removes the backslashes that double quotes remove.
func unescapeQuoted(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			switch s[i+1] {
			case '$', '`', '"', '\\':
				i++
			case '\n':
				i++
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// ansiC decodes the few escapes of $'…' whose meaning is the same everywhere.
func ansiC(s string) (string, bool) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", false
		}
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case '\\', '\'', '"':
			b.WriteByte(s[i])
		default:
			return "", false
		}
	}
	return b.String(), true
}

func plainName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return s != ""
}

// printable are the bytes that escape leaves alone wherever they stand.
var printable = func() (set byteSet) {
	for c := 0x20; c < 0x7f; c++ {
		set[c] = true
	}
	return set
}()

// escape makes control and invisible characters visible.
func escape(s string) string {
	const most = 2000
	if len(s) <= most && printable.all(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if i > most {
			b.WriteString("…")
			break
		}
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f || r >= 0x80 && (oddRune(r) || r == 0xfffd):
			const hex = "0123456789ABCDEF"
			b.WriteString("<U+")
			for shift := 16; shift >= 0; shift -= 4 {
				b.WriteByte(hex[r>>shift&15])
			}
			b.WriteByte('>')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// baseName is the last part of a path (path.Base).
func baseName(s string) string {
	if s != "" && strings.IndexByte(s, '/') < 0 {
		return s // as most names are written
	}
	return path.Base(s)
}
