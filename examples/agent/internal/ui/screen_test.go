package ui

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gdamore/tcell/v3"
	"github.com/gdamore/tcell/v3/vt"
	"github.com/stretchr/testify/require"
)

// terminal is an emulated terminal with the screen on it.
type terminal struct {
	vt.MockTerm
	*Screen
	out         *bytes.Buffer
	interrupted chan struct{}
	mu          sync.Mutex
	cols, rows  int
	clock       *stopped
}

// stopped is a time that only a test moves.
type stopped struct {
	mu    sync.Mutex
	t     time.Time
	waits []wait
}

type wait struct {
	until time.Time
	c     chan time.Time
}

func (s *stopped) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.t
}

func (s *stopped) after(d time.Duration) <-chan time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := make(chan time.Time, 1)
	s.waits = append(s.waits, wait{s.t.Add(d), c})
	return c
}

// move lets time pass.
func (s *stopped) move(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.t = s.t.Add(d)
	s.waits = slices.DeleteFunc(s.waits, func(w wait) bool {
		if w.until.After(s.t) {
			return false
		}
		w.c <- s.t
		return true
	})
}

func newTerminal(t *testing.T, cols, rows int) *terminal {
	t.Helper()
	m := vt.NewMockTerm(vt.MockOptSize{X: vt.Col(cols), Y: vt.Row(rows)})
	s, err := tcell.NewTerminfoScreenFromTty(m)
	require.NoError(t, err)
	x := &terminal{MockTerm: m, out: &bytes.Buffer{}, interrupted: make(chan struct{}), cols: cols, rows: rows, clock: &stopped{t: time.Unix(1e9, 0)}}
	x.Screen, err = newScreen(s, x.out, sync.OnceFunc(func() { close(x.interrupted) }), clock{x.clock.now, x.clock.after})
	require.NoError(t, err)
	t.Cleanup(x.Screen.Close)
	return x
}

func (x *terminal) resize(cols, rows int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.cols, x.rows = cols, rows
	x.SetSize(vt.Coord{X: vt.Col(cols), Y: vt.Row(rows)})
}

// picture is what the terminal shows.
func (x *terminal) picture() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var b strings.Builder
	for y := range x.rows {
		for c := 0; c < x.cols; c++ {
			cell := x.Backend().GetCell(vt.Coord{X: vt.Col(c), Y: vt.Row(y)})
			if cell.C == "" {
				b.WriteByte(' ')
				continue
			}
			b.WriteString(cell.C)
			c += max(0, cell.W-1)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// until waits for a picture that shows the text and was whole: two looks at it
// are the same.
func (x *terminal) until(t *testing.T, text string) string {
	t.Helper()
	var p string
	require.Eventually(t, func() bool {
		before := p
		p = x.picture()
		return p == before && strings.Contains(p, text)
	}, 2*time.Minute, 5*time.Millisecond, "%q in:\n%s", text, lazy(x.picture))
	return p
}

// eventually waits until what the screen knows of itself is so.
func (x *terminal) eventually(t *testing.T, f func(u *Screen) bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		x.Screen.mu.Lock()
		defer x.Screen.mu.Unlock()
		return f(x.Screen)
	}, 2*time.Minute, time.Millisecond)
}

// types sends keys and waits until the screen has dealt with all n of them (a
// paste has a beginning and an end besides).
func (x *terminal) types(t *testing.T, keys string, n int) {
	t.Helper()
	x.Screen.mu.Lock()
	want := x.Screen.taken + n
	x.Screen.mu.Unlock()
	x.SendRaw([]byte(keys))
	x.eventually(t, func(u *Screen) bool { return u.taken >= want })
}

// quiet lets the time pass in which no key may come, and waits for the text.
func (x *terminal) quiet(t *testing.T, text string) string {
	t.Helper()
	x.until(t, "one moment")
	// The picture may be there before the screen has noted it.
	x.eventually(t, func(u *Screen) bool { return u.q != nil && u.q.drawn })
	x.clock.move(armAfter)
	return x.until(t, text)
}

type lazy func() string

func (l lazy) String() string { return l() }

// ask puts a question in the background.
func (x *terminal) ask(ctx context.Context, q Question) (answer chan Answer) {
	answer = make(chan Answer, 1)
	go func() {
		a, err := x.Ask(ctx, q)
		if err == nil {
			answer <- a
		} else {
			close(answer)
		}
	}()
	return answer
}

var question = Question{
	Title: "May the model use Bash?", Explanation: "Removes x.", Subject: []Line{{Plain, "rm x"}}, Risk: "high", Why: []string{"No rule allows it."},
	Session: &Keep{[]string{"Bash(rm x)"}, "until this run ends"}, Always: &Keep{[]string{"Bash(rm x)"}, "in settings.local.json"},
}

const ready = "Tab: no, and why"

func TestScreenAsks(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]Answer{"y": {Key: 'y'}, "s": {Key: 's'}, "a": {Key: 'a'}, "n": {Key: 'n'}, "\x1b": {Key: 'n'},
		"\tnot n\x7fthat\r": {Key: 'n', Feedback: "not that"}, "\t\r": {Key: 'n'}} {
		t.Run(fmt.Sprintf("%q", key), func(t *testing.T) {
			t.Parallel()
			x := newTerminal(t, 80, 24)
			answer := x.ask(t.Context(), question)
			p := x.quiet(t, ready)
			for _, text := range []string{"May the model use Bash?", " Removes x.", " │ rm x", "Risk: high", "Why: No rule allows it.",
				"s keeps Bash(rm x) until this run ends", "a keeps Bash(rm x) in settings.local.json", "[y] once  [s] session  [a] always  [n] no"} {
				require.Contains(t, p, text)
			}
			require.Less(t, strings.Index(p, "Removes x."), strings.Index(p, "│ rm x"), "the explanation comes first")
			x.SendRaw([]byte(key))
			require.Equal(t, want, <-answer)
			x.Screen.Close()
			require.Contains(t, x.out.String(), "answer: ")
		})
	}
}

// TestScreenDropsWhatWasTypedBefore: keys that came before the question, or
// while it came up, answer nothing; the same key afterwards does.
func TestScreenDropsWhatWasTypedBefore(t *testing.T) {
	t.Parallel()
	x := newTerminal(t, 80, 24)
	x.types(t, "yyyysa", 6)
	answer := x.ask(t.Context(), question)
	x.until(t, "one moment")
	x.types(t, "y", 1)
	x.clock.move(armAfter - 1)
	x.types(t, "y\x1b[200~y\x1b[201~", 4)
	// The time counts from the last key.
	x.clock.move(armAfter - 1)
	x.types(t, "y", 1)
	require.Empty(t, answer, "answered by what was typed before")
	x.quiet(t, ready)
	require.Empty(t, answer, "answered by what was typed before")
	x.types(t, "y", 1)
	require.Equal(t, Answer{Key: 'y'}, <-answer)
	// The next question does not take the rest of the burst.
	x.until(t, "working…")
	answer = x.ask(t.Context(), question)
	x.until(t, "one moment")
	x.types(t, "yyy", 3)
	x.quiet(t, ready)
	require.Empty(t, answer)
	x.types(t, "n", 1)
	require.Equal(t, Answer{Key: 'n'}, <-answer)
}

// TestScreenTakesNoOtherKey: a paste, a capital, a key with Alt, Enter and keys
// that are not offered answer nothing.
func TestScreenTakesNoOtherKey(t *testing.T) {
	t.Parallel()
	x := newTerminal(t, 80, 24)
	q := question
	q.Session, q.Always = nil, nil
	answer := x.ask(t.Context(), q)
	x.quiet(t, ready)
	x.SendRaw([]byte("\x1b[200~y\x1b[201~Y\x1by\r\nsa \x1b[A"))
	x.SendRaw([]byte("\tseen"))
	x.until(t, "seen") // what was typed before has been dealt with
	x.SendRaw([]byte("\x1b"))
	x.until(t, ready)
	require.Empty(t, answer)
	x.SendRaw([]byte("n"))
	require.Equal(t, Answer{Key: 'n'}, <-answer)
}

func TestScreenTypedConfirmation(t *testing.T) {
	t.Parallel()
	q := Question{Title: "Trust?", Subject: []Line{{Plain, "x"}}, Trust: true, Type: "notes"}
	for in, want := range map[string]Answer{"notes\r": {Key: 'y', Typed: "notes"}, "y\r": {Key: 'n'}, "note\r": {Key: 'n'}, "\x1b": {Key: 'n'},
		"\x1b[200~notes\x1b[201~\r": {Key: 'n'}} {
		t.Run(fmt.Sprintf("%q", in), func(t *testing.T) {
			t.Parallel()
			x := newTerminal(t, 80, 24)
			answer := x.ask(t.Context(), q)
			x.quiet(t, "Type notes: ")
			x.SendRaw([]byte(in))
			require.Equal(t, want, <-answer)
		})
	}
}

// TestScreenKeepsTextInItsField: whatever the model sends, the program's own
// rows are what they are, and nothing reaches the terminal but text.
func TestScreenKeepsTextInItsField(t *testing.T) {
	t.Parallel()
	hostile := []string{
		"\x1b[2J\x1b[H", "\x1b]52;c;cm0gLXJmIC8=\a", "\x1b]0;title\a", "\a\a", "ok\rrm x", "\x1b[24;1H [y] once  [n] no", "\u202egnp.exe", "\x9b2J",
		"\x1b[?1049l", "\x1bc", "\u2028[y] once", strings.Repeat("界", 300), "e" + strings.Repeat("\u0301", 300), "\x1bP$q\x1b\\", strings.Repeat(" ", 90) + "[y] once",
	}
	show := func(texts []string) (string, *terminal) {
		x := newTerminal(t, 80, 40)
		for _, h := range texts {
			x.Say(h)
		}
		q := question
		for _, h := range texts {
			q.Subject = append(q.Subject, Line{Plain, h})
		}
		q.Explanation += strings.Join(texts, " ")
		if len(texts) > 0 {
			q.Explanation = "Removes x. " + hostile[0] + hostile[5]
		}
		_ = x.ask(t.Context(), q)
		return x.quiet(t, ready), x
	}
	plain, _ := show(nil)
	p, x := show(hostile)
	tail := func(p string, n int) string {
		lines := strings.Split(strings.TrimSuffix(p, "\n"), "\n")
		return strings.Join(lines[len(lines)-n:], "\n")
	}
	require.Equal(t, tail(plain, 6), tail(p, 6), "the rows below the subject are the program's own")
	require.Zero(t, x.Backend().Bells())
	require.Empty(t, x.Backend().GetClipboard())
	require.NotEqual(t, "title", x.Backend().GetTitle())
	// A row that looks like the keys stands behind the gutter.
	for line := range strings.Lines(p) {
		if strings.Contains(line, "[y] once") && !strings.Contains(line, "[a] always") {
			require.True(t, strings.HasPrefix(line, " │") || strings.Contains(line, `\u{1B}`) || strings.Contains(line, `\u{2028}`), line)
		}
	}
}

func TestScreenScrollsTheSubject(t *testing.T) {
	t.Parallel()
	x := newTerminal(t, 64, 20)
	q := question
	q.Subject = nil
	for i := range 100 {
		q.Subject = append(q.Subject, Line{Plain, fmt.Sprintf("line %d.", i+1)})
	}
	answer := x.ask(t.Context(), q)
	p := x.quiet(t, "Tab")
	require.Contains(t, p, "of 100:")
	require.Contains(t, p, "line 1.")
	x.SendRaw([]byte("\x1b[F"))
	x.until(t, "line 100.")
	x.SendRaw([]byte("\x1b[H"))
	x.until(t, "line 1.")
	x.resize(100, 130)
	x.until(t, "line 50.")
	require.Eventually(t, func() bool {
		p = x.picture()
		return strings.Contains(p, "line 100.") && !strings.Contains(p, "of 100:")
	}, 2*time.Minute, 5*time.Millisecond)
	x.SendRaw([]byte("n"))
	<-answer
}

// TestScreenThatIsTooSmallApprovesNothing: what cannot be read is not approved.
func TestScreenThatIsTooSmallApprovesNothing(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]int{{20, 24}, {80, 6}, {31, 10}, {1, 1}, {2, 40}} {
		x := newTerminal(t, 80, 24)
		answer := x.ask(t.Context(), question)
		x.quiet(t, ready)
		x.resize(size[0], size[1])
		x.eventually(t, func(u *Screen) bool { return u.q.tooSmall })
		x.types(t, "ysa", 3)
		x.resize(80, 24)
		x.quiet(t, ready)
		require.Empty(t, answer, "%v", size)
		x.SendRaw([]byte("y"))
		require.Equal(t, Answer{Key: 'y'}, <-answer)
	}
}

func TestScreenShowsWhatRuns(t *testing.T) {
	t.Parallel()
	x := newTerminal(t, 80, 24)
	ctx, task := x.Screen.Start(t.Context(), "Bash make")
	task.Line("compiling \x1b[31mx.c")
	p := x.until(t, `compiling \u{1B}[31mx.c`)
	require.Contains(t, p, "Bash make")
	require.Contains(t, p, "0.0s")
	x.clock.move(3 * time.Second)
	x.until(t, "3.0s")
	require.Contains(t, p, "Esc cancels, Ctrl-C ends")
	x.SendRaw([]byte("\x1b"))
	<-ctx.Done()
	require.ErrorIs(t, context.Cause(ctx), ErrCancelled)
	task.Done()
	x.until(t, "working…")

	outer, t1 := x.Screen.Start(t.Context(), "outer")
	inner, t2 := x.Screen.Start(outer, "inner")
	x.until(t, "inner")
	x.SendRaw([]byte("\x1b"))
	<-inner.Done()
	t2.Done()
	x.until(t, "outer")
	require.NoError(t, outer.Err(), "only what runs on top is cancelled")
	t1.Done()

	x.SendRaw([]byte("\x03"))
	<-x.interrupted
}

// TestScreenInterruptedQuestion: Ctrl-C in a question ends the program and
// approves nothing.
func TestScreenInterruptedQuestion(t *testing.T) {
	t.Parallel()
	x := newTerminal(t, 80, 24)
	ctx, cancel := context.WithCancel(t.Context())
	answer := x.ask(ctx, question)
	x.until(t, "one moment")
	x.SendRaw([]byte("\x03"))
	<-x.interrupted
	cancel()
	_, ok := <-answer
	require.False(t, ok)
}

// TestScreenLeavesWhatWasSaid: the log is on the ordinary screen afterwards, with
// everything in it visible.
func TestScreenLeavesWhatWasSaid(t *testing.T) {
	t.Parallel()
	x := newTerminal(t, 40, 10)
	for i := range 50 {
		x.Say(fmt.Sprintf("said %d \x1b[1m", i))
	}
	p := x.until(t, "said 49")
	require.NotContains(t, p, "said 1 ")
	x.SendRaw([]byte("\x1b[5~"))
	x.until(t, "said 37")
	x.Screen.Close()
	x.Screen.Close()
	require.Contains(t, x.out.String(), "said 0 \\u{1B}[1m\n")
	require.NotContains(t, x.out.String(), "\x1b")
}

func TestScreenWithoutColour(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	m := vt.NewMockTerm(vt.MockOptSize{X: 80, Y: 24})
	s, err := tcell.NewTerminfoScreenFromTty(m)
	require.NoError(t, err)
	x := &terminal{MockTerm: m, out: &bytes.Buffer{}, cols: 80, rows: 24, clock: &stopped{}}
	x.Screen, err = newScreen(s, x.out, func() {}, clock{x.clock.now, x.clock.after})
	require.NoError(t, err)
	defer x.Screen.Close()
	q := question
	q.Subject = append(q.Subject, Line{Added, "+x"}, Line{Removed, "-y"})
	_ = x.ask(t.Context(), q)
	x.quiet(t, ready)
	colours := map[string]bool{}
	for y := range 24 {
		for c := range 80 {
			st := m.Backend().GetCell(vt.Coord{X: vt.Col(c), Y: vt.Row(y)}).S
			colours[fmt.Sprint(st.Fg(), st.Bg())] = true
		}
	}
	require.Len(t, colours, 1)
}

func TestScriptedAnswers(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Answer{"y": {Key: 'y'}, "s": {Key: 's'}, "a": {Key: 'a'}, "n": {Key: 'n'}, "": {Key: 'n'}, "yes": {Key: 'n', Feedback: "yes"},
		"n not that": {Key: 'n', Feedback: "not that"}, "y please": {Key: 'n', Feedback: "y please"}, "x": {Key: 'n'}} {
		require.Equal(t, want, readAnswer(question, in), "%q", in)
	}
	q := question
	q.Session, q.Always = nil, nil
	require.Equal(t, 'n', readAnswer(q, "a").Key)
	q.Type = "notes"
	require.Equal(t, 'n', readAnswer(q, "y").Key)
	require.Equal(t, 'y', readAnswer(q, "notes").Key)
	var out bytes.Buffer
	_, err := NewLines(nil, &out, nil).Ask(t.Context(), question)
	require.ErrorIs(t, err, ErrNobody)
	require.Contains(t, out.String(), "Removes x.")
}
