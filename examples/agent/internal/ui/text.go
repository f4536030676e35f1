package ui

import (
	"strings"

	"github.com/clipperhouse/displaywidth"

	"github.com/clearance-go/clearance/mcptrust"
)

// span is a part of a line: hot parts stand for characters that do not show
// themselves.
type span struct {
	text string
	hot  bool
}

// visible returns one line as it may be drawn. A line break in it is made
// visible like every other control character. Backslashes stay as they are; the
// style of the hot parts tells an escape from text that looks like one.
func visible(line string) []span {
	var out []span
	add := func(text string, hot bool) {
		if n := len(out); n > 0 && out[n-1].hot == hot {
			out[n-1].text += text
		} else if text != "" {
			out = append(out, span{text, hot})
		}
	}
	line = strings.ReplaceAll(line, "\t", "    ")
	for g := range graphemes(line) {
		for i, part := range strings.Split(g, `\`) {
			if i > 0 {
				add(`\`, false)
			}
			shown := mcptrust.Escape(part)
			switch {
			case shown == part && displaywidth.String(part) > 0:
				add(part, false)
			case shown == part && part != "":
				// It takes no room of its own, so it is not drawn as itself.
				for _, r := range part {
					add(escapeRune(r), true)
				}
			default:
				add(shown, true)
			}
		}
	}
	return out
}

// graphemes goes through the user-perceived characters of a text. Clusters of
// more than a few runes are taken apart: a pile of accents paints over the
// lines around it.
func graphemes(s string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for g := displaywidth.StringGraphemes(s); g.Next(); {
			v := g.Value()
			if len([]rune(v)) <= maxCluster {
				if !yield(v) {
					return
				}
				continue
			}
			for _, r := range v {
				if !yield(string(r)) {
					return
				}
			}
		}
	}
}

const maxCluster = 4

func escapeRune(r rune) string {
	const digits = "0123456789ABCDEF"
	var b []byte
	for ; r > 0; r >>= 4 {
		b = append([]byte{digits[r&15]}, b...)
	}
	return `\u{` + string(b) + `}`
}

// Visible is one line of text with everything in it visible, without styles.
func Visible(line string) string {
	var b strings.Builder
	for _, s := range visible(line) {
		b.WriteString(s.text)
	}
	return b.String()
}

// width is the number of cells that visible text takes.
func width(s string) int {
	n := 0
	for g := range graphemes(s) {
		n += displaywidth.String(g)
	}
	return n
}

// wrap breaks visible spans into rows of at most cols cells, at blanks where
// that leaves no row nearly empty. The rows after the first start with indent
// blanks.
func wrap(spans []span, cols, indent int) [][]span {
	cols = max(cols, 4)
	indent = min(indent, cols/2)
	type cell struct {
		text string
		hot  bool
		w    int
	}
	var cells []cell
	for _, s := range spans {
		for g := range graphemes(s.text) {
			cells = append(cells, cell{g, s.hot, displaywidth.String(g)})
		}
	}
	var rows [][]span
	for first := true; len(cells) > 0 || first; first = false {
		room := cols
		var row []span
		if !first {
			room -= indent
			if indent > 0 {
				row = append(row, span{strings.Repeat(" ", indent), false})
			}
		}
		used, n, blank := 0, 0, -1
		for n < len(cells) && used+cells[n].w <= room {
			used += cells[n].w
			if cells[n].text == " " {
				blank = n
			}
			n++
		}
		if n < len(cells) && cells[n].text != " " && blank > n/2 {
			n = blank + 1
		}
		n = max(n, min(1, len(cells)))
		rest := cells[n:]
		if len(rest) > 1 && rest[0].text == " " && !rest[0].hot && rest[1].text != " " {
			rest = rest[1:] // the end of the row stands for the blank
		}
		for _, c := range cells[:n] {
			if k := len(row); k > 0 && row[k-1].hot == c.hot {
				row[k-1].text += c.text
			} else {
				row = append(row, span{c.text, c.hot})
			}
		}
		cells = rest
		rows = append(rows, row)
	}
	return rows
}

// cut shortens visible text to cols cells.
func cut(s string, cols int) string {
	if width(s) <= cols {
		return s
	}
	var b strings.Builder
	used := 0
	for g := range graphemes(s) {
		w := displaywidth.String(g)
		if used+w > cols-1 {
			break
		}
		b.WriteString(g)
		used += w
	}
	return b.String() + "…"
}

// Cut shortens visible text to cols cells.
func Cut(s string, cols int) string { return cut(s, cols) }

// Pad cuts visible text to cols cells and fills it up to them with blanks.
func Pad(s string, cols int) string {
	s = cut(s, cols)
	return s + strings.Repeat(" ", max(0, cols-width(s)))
}
