package ui

import (
	"fmt"
	"strings"
)

// style is how a row is drawn; a screen gives it colours.
type style uint8

const (
	normal style = iota
	strong
	faint
	added
	removed
	hunk
	riskLow
	riskMedium
	riskHigh
	keys
	frame
)

// row is one row of a question. The gutter is the program's own and marks what
// the rest is.
type row struct {
	gutter string
	spans  []span
	style  style
}

// Gutters: a subject can never look like the program's own words.
const (
	ownGutter     = " "
	subjectGutter = " │ "
)

// maxBlank is how many blanks in the middle of a line are shown as blanks, and
// maxIndent at its start.
const (
	maxBlank  = 20
	maxIndent = 60
)

// maxRows is how many rows a subject has at most.
const maxRows = 2000

// maxLineBytes is how much of one line of a subject is shown.
const maxLineBytes = 32 << 10

// layout returns the rows of a question for a width: what stands above the
// subject, the subject, and what stands below it.
func layout(q Question, cols int) (head, subject, foot []row) {
	own := func(rows []row, st style, text string) []row {
		for _, r := range wrap(visible(text), cols-len(ownGutter)-1, 2) {
			rows = append(rows, row{ownGutter, r, st})
		}
		return rows
	}
	if q.Explanation != "" {
		head = own(head, strong, q.Explanation)
	}
	subject = subjectRows(q.Subject, cols)
	if q.Risk != "" {
		st := riskHigh
		switch q.Risk {
		case "low":
			st = riskLow
		case "medium":
			st = riskMedium
		}
		foot = own(foot, st, "Risk: "+q.Risk)
	}
	for _, w := range q.Why {
		foot = own(foot, normal, "Why: "+w)
	}
	keep := func(key string, k *Keep) {
		if k == nil {
			return
		}
		if len(k.Rules) == 1 {
			foot = own(foot, faint, fmt.Sprintf("%s keeps %s %s", key, k.Rules[0], k.Where))
			return
		}
		foot = own(foot, faint, fmt.Sprintf("%s keeps these %d rules %s:", key, len(k.Rules), k.Where))
		for _, r := range k.Rules {
			foot = own(foot, faint, "    "+r)
		}
	}
	keep("s", q.Session)
	keep("a", q.Always)
	return head, subject, foot
}

func subjectRows(lines []Line, cols int) []row {
	var out []row
	empty := 0
	flush := func() {
		if empty > 3 {
			out = append(out, row{subjectGutter, []span{{fmt.Sprintf("… %d empty lines", empty), true}}, normal})
		} else {
			for range empty {
				out = append(out, row{subjectGutter, nil, normal})
			}
		}
		empty = 0
	}
	for i, l := range lines {
		if l.Kind == Plain && strings.TrimSpace(l.Text) == "" {
			empty++
			continue
		}
		flush()
		st := map[LineKind]style{Added: added, Removed: removed, Hunk: hunk, Note: faint}[l.Kind]
		text := l.Text
		if len(text) > maxLineBytes {
			text = strings.ToValidUTF8(text[:maxLineBytes], "")
		}
		for _, r := range wrap(blanks(visible(text)), cols-len([]rune(subjectGutter))-1, 4) {
			out = append(out, row{subjectGutter, r, st})
		}
		if text != l.Text {
			out = append(out, row{subjectGutter, []span{{fmt.Sprintf("… %d more bytes of this line are not shown", len(l.Text)-len(text)), true}}, normal})
		}
		if len(out) > maxRows {
			return append(out, row{subjectGutter, []span{{fmt.Sprintf("… %d more lines are not shown", len(lines)-i-1), true}}, normal})
		}
	}
	flush()
	return out
}

// blanks shows a long run of blanks as what it is: padding hides what stands
// behind it.
func blanks(spans []span) []span {
	var out []span
	for i, s := range spans {
		if s.hot {
			out = append(out, s)
			continue
		}
		text, start := s.text, i == 0
		for text != "" {
			n := strings.Index(text, strings.Repeat(" ", maxBlank))
			if n < 0 {
				out = append(out, span{text, false})
				break
			}
			run := len(text[n:]) - len(strings.TrimLeft(text[n:], " "))
			if start && n == 0 && run <= maxIndent {
				out = append(out, span{text[:run], false})
			} else {
				out = append(out, span{text[:n], false}, span{fmt.Sprintf("(%d blanks)", run), true})
			}
			text, start = text[n+run:], false
		}
	}
	return out
}

// keyLine names the keys of a question.
func keyLine(q Question) string {
	switch {
	case q.Type != "":
		return fmt.Sprintf("Type %s and Enter to trust it, Esc for no", Visible(q.Type))
	case q.Trust:
		return "[y] trust  [n] no"
	}
	list := []string{"[y] once"}
	if q.Session != nil {
		list = append(list, "[s] session")
	}
	if q.Always != nil {
		list = append(list, "[a] always")
	}
	return strings.Join(append(list, "[n] no"), "  ")
}

// offers says whether a question takes a key.
func (q Question) offers(key rune) bool {
	switch key {
	case 'n':
		return true
	case 'y':
		return q.Type == ""
	case 's':
		return !q.Trust && q.Session != nil
	case 'a':
		return !q.Trust && q.Always != nil
	}
	return false
}
