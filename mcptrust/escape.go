package mcptrust

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape returns s on one line with every character that does not plainly show
// itself written as \n, \t, \xNN or \u{NNNN}: control and format characters,
// bidirectional controls, odd spaces, fillers, private use, unassigned, broken
// UTF-8, and the backslash. Nothing is left out. Look-alike letters stay.
func Escape(s string) string {
	clean := true
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f || s[i] == '\\' {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02X`, s[i])
		case r == '\\':
			b.WriteString(`\\`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == ' ' || unicode.IsPrint(r) && !invisible(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u{%X}`, r)
		}
		i += size
	}
	return b.String()
}

// invisible reports characters that Unicode calls letters, marks or symbols and
// that render as nothing or as a blank (UTS #39; Default_Ignorable_Code_Point).
func invisible(r rune) bool {
	switch {
	case r == 0x034F, r == 0x115F, r == 0x1160, r == 0x17B4, r == 0x17B5, r == 0x2800, r == 0x3164, r == 0xFFA0,
		r >= 0x180B && r <= 0x180F, r >= 0xFE00 && r <= 0xFE0F, r >= 0xE0000 && r <= 0xE0FFF,
		r >= 0x2065 && r <= 0x2069, r == 0x1D159:
		return true
	}
	return false
}

// Hidden reports whether a JSON value holds, in a key or a string, a character
// that a person would not see as it is: a control or terminal sequence, a
// bidirectional control, an invisible or private-use character. Text that is not
// JSON counts as hidden.
func Hidden(raw []byte) bool {
	n, err := parseJSON(raw, false)
	if err != nil {
		return true
	}
	found := false
	walkStrings("", &n, func(_, text string) {
		if code, _ := hidden(text, true); code != "" {
			found = true
		}
	})
	return found
}
