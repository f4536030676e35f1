package ui

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain":              "plain",
		"a\tb":               "a    b",
		`sed 's/\./x/'`:      `sed 's/\./x/'`,
		"\x1b[2J":            `\u{1B}[2J`,
		"\x1b]52;c;eA==\x07": `\u{1B}]52;c;eA==\u{7}`,
		"a\rb":               `a\u{D}b`,
		"a\nb":               `a\nb`,
		"\u009b31m":          `\u{9B}31m`,
		"x\u202ey":           `x\u{202E}y`,
		"\u2066x\u2069":      `\u{2066}x\u{2069}`,
		"a\u200bb":           `a\u{200B}b`,
		"\ufeffa":            `\u{FEFF}a`,
		"\xffa":              `\xFFa`,
		"日本語 ✓ é":            "日本語 ✓ é",
		"e\u0301":            "e\u0301",
		"\u0301":             `\u{301}`,
		"\U000E0041":         `\u{E0041}`,
		"\u00ad":             `\u{AD}`,
		"\u3164":             `\u{3164}`,
	} {
		require.Equal(t, want, Visible(in), "%q", in)
	}
	// A pile of accents does not paint over the rows around it.
	require.Contains(t, Visible("e"+strings.Repeat("\u0301", 50)), `\u{301}`)
}

// shows says why a text must not be drawn, "" where it may.
func shows(s string) string {
	for _, r := range s {
		if r != ' ' && !unicode.IsPrint(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Cc, r) || r == unicode.ReplacementChar && !strings.ContainsRune(s, '\uFFFD') {
			return fmt.Sprintf("%U", r)
		}
	}
	return ""
}

func FuzzVisible(f *testing.F) {
	for _, s := range []string{"", "a b", "\x1b[31m", "日本\u202e", "👨\u200d👩\u200d👧", "e\u0301\u0302\u0303\u0304\u0305", "\xff\xfe", strings.Repeat(" ", 50) + "x", "ا ب"} {
		f.Add(s, 10)
	}
	f.Fuzz(func(t *testing.T, s string, cols int) {
		if len(s) > 4096 {
			s = s[:4096]
		}
		cols = 4 + (cols%200+200)%200
		spans := visible(s)
		for _, sp := range spans {
			require.Empty(t, shows(sp.text), "%q", s)
		}
		for _, r := range wrap(spans, cols, 2) {
			n := 0
			for _, sp := range r {
				n += width(sp.text)
			}
			require.LessOrEqual(t, n, cols, "%q", s)
		}
		require.LessOrEqual(t, width(cut(Visible(s), cols)), cols)
		q := Question{Explanation: s, Subject: []Line{{Plain, s}}, Risk: "low", Why: []string{s}, Session: &Keep{[]string{s}, s}}
		head, subject, foot := layout(q, cols+20)
		for _, rows := range [][]row{head, subject, foot} {
			for _, r := range rows {
				n := width(r.gutter)
				for _, sp := range r.spans {
					n += width(sp.text)
					require.Empty(t, shows(sp.text))
				}
				require.LessOrEqual(t, n, cols+20)
			}
		}
		for _, r := range subject {
			require.Equal(t, subjectGutter, r.gutter)
		}
	})
}

func text(rows []row) string {
	var b strings.Builder
	for _, r := range rows {
		b.WriteString(r.gutter)
		for _, s := range r.spans {
			b.WriteString(s.text)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// TestPaddingHidesNothing: blanks and empty lines do not push a command out of
// sight.
func TestPaddingHidesNothing(t *testing.T) {
	q := Question{Subject: []Line{{Plain, "ls" + strings.Repeat(" ", 5000) + "; evil"}}}
	_, subject, _ := layout(q, 80)
	require.Len(t, subject, 1)
	require.Contains(t, text(subject), "ls(5000 blanks); evil")

	q.Subject = []Line{{Plain, "ls"}}
	for range 5000 {
		q.Subject = append(q.Subject, Line{Plain, "  \t"})
	}
	q.Subject = append(q.Subject, Line{Plain, "evil"})
	_, subject, _ = layout(q, 80)
	require.Len(t, subject, 3)
	require.Contains(t, text(subject), "5000 empty lines")
	require.Contains(t, text(subject), "evil")

	// An indented text stays as it is.
	q.Subject = []Line{{Plain, strings.Repeat(" ", 24) + "return"}}
	_, subject, _ = layout(q, 80)
	require.Contains(t, text(subject), strings.Repeat(" ", 24)+"return")
	// What is too much is said, not left out.
	q.Subject = nil
	for range maxRows + 500 {
		q.Subject = append(q.Subject, Line{Plain, "x"})
	}
	_, subject, _ = layout(q, 80)
	require.Contains(t, text(subject[len(subject)-1:]), "499 more lines are not shown")
	q.Subject = []Line{{Plain, strings.Repeat("x", maxLineBytes+7)}}
	_, subject, _ = layout(q, 80)
	require.Contains(t, text(subject[len(subject)-1:]), "7 more bytes")
}

func TestWhatTheKeysKeep(t *testing.T) {
	q := Question{Session: &Keep{[]string{"Bash(ls *)"}, "until this run ends"}, Always: &Keep{[]string{"Bash(ls *)", "Read(/a)"}, "in f.json"}}
	_, _, foot := layout(q, 80)
	require.Equal(t, " s keeps Bash(ls *) until this run ends\n a keeps these 2 rules in f.json:\n     Bash(ls *)\n     Read(/a)\n", text(foot))
	require.Equal(t, "[y] once  [s] session  [a] always  [n] no", keyLine(q))
	require.Equal(t, "[y] once  [n] no", keyLine(Question{}))
	require.Equal(t, "[y] trust  [n] no", keyLine(Question{Trust: true, Session: q.Session}))
	require.False(t, Question{}.offers('s'))
	require.False(t, Question{Trust: true, Always: q.Always}.offers('a'))
	require.False(t, Question{Type: "x"}.offers('y'))
}

func TestDiff(t *testing.T) {
	kinds := func(lines []Line) (s string) {
		for _, l := range lines {
			s += string("p+-@n"[l.Kind])
		}
		return s
	}
	require.Equal(t, "@p-+p", kinds(Diff([]byte("a\nb\nc\n"), []byte("a\nx\nc\n"), false)))
	require.Equal(t, "n@+", kinds(Diff(nil, []byte("a\n"), true)))
	require.Equal(t, "nn", kinds(Diff(nil, nil, true)))
	require.Equal(t, "n", kinds(Diff([]byte("a"), []byte("a"), false)))
	require.Equal(t, "n", kinds(Diff([]byte("a"), []byte("a\x00"), false)))
	require.Equal(t, "n", kinds(Diff(nil, make([]byte, maxDiffBytes+1), true)))
	// A line that looks like a file header is a line.
	d := Diff([]byte("-- a\n"), []byte("++ b\n"), false)
	require.Equal(t, "@-+", kinds(d))
	require.Equal(t, "--- a", d[1].Text)
	big := Diff(nil, []byte(strings.Repeat("x\n", 2*maxDiffLines)), true)
	require.LessOrEqual(t, len(big), maxDiffLines+1)
	require.Contains(t, big[len(big)-1].Text, "more lines")
}
