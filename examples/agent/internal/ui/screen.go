package ui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gdamore/tcell/v3"
	"github.com/gdamore/tcell/v3/color"
)

const (
	// armAfter is how long no key may come after a question was drawn before it
	// takes an answer. Keys in that time are dropped: who types while a question
	// comes up answers nothing.
	armAfter = 400 * time.Millisecond
	// tick is how often the elapsed time is drawn anew.
	tick = 200 * time.Millisecond
	// maxLog is how many lines the log keeps, maxFeedback how long a word why
	// may be.
	maxLog      = 20_000
	maxFeedback = 1000
	// Below this size nothing is asked, because nothing could be read.
	minCols, minRows = 30, 10
)

// ErrCancelled is the cause of the context of a Task that the person cancelled.
var ErrCancelled = errors.New("cancelled by the person")

// Screen is the interface on a whole terminal screen. One goroutine draws it
// and reads the keys.
type Screen struct {
	s         tcell.Screen
	out       io.Writer
	interrupt func()
	styles    [frame + 1]tcell.Style
	time      clock

	wake chan struct{}
	quit chan struct{}
	done chan struct{}

	mu     sync.Mutex
	log    []string
	scroll int      // rows of the log below the window
	tasks  []*shown // the last one is shown
	q      *asked
	taken  int // events that were dealt with
}

// clock is the time; tests bring their own.
type clock struct {
	now   func() time.Time
	after func(time.Duration) <-chan time.Time
}

var realTime = clock{time.Now, time.After}

// shown is a task on the screen, with the newest line of it.
type shown struct {
	*Task
	last   string
	cancel context.CancelCauseFunc
}

// asked is a question on the screen.
type asked struct {
	Question
	answer chan Answer
	// drawn is set once it is on the screen; it is armed after quiet, which each
	// dropped key moves on.
	drawn, armed bool
	quiet        time.Time
	// field is what the person writes, where writing says that they do.
	writing bool
	field   []rune
	pasting bool
	// top is the first row of the subject that is shown; rows is how many there
	// are and fit how many fit.
	top, rows, fit int
	tooSmall       bool
	laid           struct {
		cols                int
		head, subject, foot []row
	}
}

// NewScreen takes the terminal. out gets what was said when the screen closes;
// interrupt is called for Ctrl-C and when the terminal is gone.
func NewScreen(out io.Writer, interrupt func()) (*Screen, error) {
	s, err := tcell.NewScreen()
	if err != nil {
		return nil, err
	}
	return newScreen(s, out, interrupt, realTime)
}

func newScreen(s tcell.Screen, out io.Writer, interrupt func(), c clock) (*Screen, error) {
	if err := s.Init(); err != nil {
		return nil, err
	}
	s.EnablePaste()
	u := &Screen{s: s, out: out, interrupt: interrupt, time: c, wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
	d := tcell.StyleDefault
	u.styles = [...]tcell.Style{
		normal: d, strong: d.Bold(true), faint: d.Dim(true),
		added: d.Foreground(color.Green), removed: d.Foreground(color.Red), hunk: d.Foreground(color.Teal),
		riskLow: d.Foreground(color.Green), riskMedium: d.Foreground(color.Olive).Bold(true), riskHigh: d.Foreground(color.Red).Bold(true),
		keys: d.Reverse(true).Bold(true), frame: d.Foreground(color.Teal),
	}
	go u.loop()
	return u, nil
}

// Say adds a line to the log.
func (u *Screen) Say(text string) {
	u.mu.Lock()
	if len(u.log) >= maxLog {
		u.log = append(u.log[:0], u.log[maxLog/10:]...)
	}
	u.log = append(u.log, Visible(text))
	u.mu.Unlock()
	u.redraw()
}

// Start shows that something runs.
func (u *Screen) Start(ctx context.Context, title string) (context.Context, *Task) {
	ctx, cancel := context.WithCancelCause(ctx)
	t := &shown{Task: &Task{Title: Visible(title), Started: u.time.now()}, cancel: cancel}
	t.line = func(text string) {
		u.mu.Lock()
		t.last = text
		u.mu.Unlock()
	}
	t.done = func() {
		cancel(nil)
		u.mu.Lock()
		u.tasks = slices.DeleteFunc(u.tasks, func(x *shown) bool { return x == t })
		u.mu.Unlock()
		u.redraw()
	}
	u.mu.Lock()
	u.tasks = append(u.tasks, t)
	u.mu.Unlock()
	u.redraw()
	return ctx, t.Task
}

// Ask puts a question.
func (u *Screen) Ask(ctx context.Context, q Question) (Answer, error) {
	a := &asked{Question: q, answer: make(chan Answer, 1), writing: q.Type != ""}
	u.mu.Lock()
	u.q, u.scroll = a, 0
	u.mu.Unlock()
	u.redraw()
	defer func() {
		u.mu.Lock()
		u.q = nil
		for _, t := range u.tasks {
			t.Started = u.time.now() // what was waited for is not what runs
		}
		u.mu.Unlock()
		u.redraw()
	}()
	tell := func(answer string) {
		u.Say("  ? " + strings.TrimSpace(q.Title+" "+q.Explanation))
		u.Say("    answer: " + answer)
	}
	select {
	case <-ctx.Done():
		tell("none")
		return Answer{}, ctx.Err()
	case <-u.done:
		tell("none")
		return Answer{}, ErrNobody
	case got := <-a.answer:
		tell(answerName(q, got))
		return got, nil
	}
}

// Close gives the terminal back and prints what was said.
func (u *Screen) Close() {
	select {
	case <-u.quit:
		return
	default:
	}
	close(u.quit)
	<-u.done
	u.s.Fini()
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, l := range u.log {
		fmt.Fprintln(u.out, l)
	}
}

func (u *Screen) redraw() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

func (u *Screen) loop() {
	defer close(u.done)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var armed <-chan time.Time
	u.draw()
	for {
		select {
		case <-u.quit:
			return
		case ev, ok := <-u.s.EventQ():
			if !ok {
				u.interrupt()
				return
			}
			u.event(ev)
			u.mu.Lock()
			u.taken++
			u.mu.Unlock()
		case <-u.wake:
		case <-armed:
		case <-ticker.C:
			u.mu.Lock()
			idle := len(u.tasks) == 0
			u.mu.Unlock()
			if idle {
				continue
			}
		}
		armed = u.draw()
	}
}

// event takes a key, a paste or a new size.
func (u *Screen) event(ev tcell.Event) {
	switch ev := ev.(type) {
	case *tcell.EventResize:
		u.s.Sync()
	case *tcell.EventError:
		u.interrupt()
	case *tcell.EventPaste:
		u.mu.Lock()
		if u.q != nil {
			u.q.pasting = ev.Start()
			u.q.dropped(u.time.now())
		}
		u.mu.Unlock()
	case *tcell.EventKey:
		if ev.Key() == tcell.KeyCtrlC {
			u.interrupt()
			return
		}
		if ev.Key() == tcell.KeyCtrlL {
			u.s.Sync()
			return
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.q != nil {
			u.q.key(ev, u.time.now())
			return
		}
		switch ev.Key() {
		case tcell.KeyEscape:
			if n := len(u.tasks); n > 0 {
				u.tasks[n-1].cancel(ErrCancelled)
				u.tasks[n-1].last = "cancelling…"
			}
		case tcell.KeyPgUp:
			u.scroll = min(u.scroll+10, len(u.log))
		case tcell.KeyPgDn:
			u.scroll = max(u.scroll-10, 0)
		case tcell.KeyEnd:
			u.scroll = 0
		}
	}
}

// dropped puts off the moment from which the question takes an answer.
func (q *asked) dropped(now time.Time) {
	if !q.armed {
		q.quiet = now.Add(armAfter)
	}
}

// key takes one key of a question.
func (q *asked) key(ev *tcell.EventKey, now time.Time) {
	if !ev.Pressed() {
		return
	}
	if !q.drawn || !q.armed {
		q.dropped(now)
		return
	}
	plain := ev.Key() == tcell.KeyRune && ev.Modifiers()&(tcell.ModCtrl|tcell.ModAlt|tcell.ModMeta) == 0
	var r rune
	if s := []rune(ev.Str()); plain && len(s) == 1 {
		r = s[0]
	}
	switch {
	case q.writing:
		q.write(ev, r)
	case q.pasting:
	case ev.Key() == tcell.KeyUp:
		q.top--
	case ev.Key() == tcell.KeyDown:
		q.top++
	case ev.Key() == tcell.KeyPgUp:
		q.top -= max(q.fit, 1)
	case ev.Key() == tcell.KeyPgDn:
		q.top += max(q.fit, 1)
	case ev.Key() == tcell.KeyHome:
		q.top = 0
	case ev.Key() == tcell.KeyEnd:
		q.top = q.rows
	case ev.Key() == tcell.KeyTab && !q.Trust:
		q.writing = true
	case ev.Key() == tcell.KeyEscape:
		q.give(Answer{Key: 'n'})
	case r != 0 && q.offers(r) && (r == 'n' || !q.tooSmall):
		q.give(Answer{Key: r})
	}
}

// write takes one key of the field: a word why, or the name that must be typed.
// A pasted text may be a word why and is no name that was typed.
func (q *asked) write(ev *tcell.EventKey, r rune) {
	switch {
	case q.pasting && q.Type != "":
	case ev.Key() == tcell.KeyEscape && q.Type != "":
		q.give(Answer{Key: 'n'})
	case ev.Key() == tcell.KeyEscape:
		q.writing, q.field = false, nil
	case ev.Key() == tcell.KeyEnter && q.pasting:
		q.field = append(q.field, ' ')
	case ev.Key() == tcell.KeyEnter && q.Type != "":
		if text := string(q.field); text == q.Type && !q.tooSmall {
			q.give(Answer{Key: 'y', Typed: text})
		} else {
			q.give(Answer{Key: 'n'})
		}
	case ev.Key() == tcell.KeyEnter:
		q.give(Answer{Key: 'n', Feedback: strings.TrimSpace(string(q.field))})
	case ev.Key() == tcell.KeyBackspace:
		if n := len(q.field); n > 0 {
			q.field = q.field[:n-1]
		}
	case ev.Key() == tcell.KeyCtrlU:
		q.field = nil
	case r >= ' ' && len(q.field) < maxFeedback:
		q.field = append(q.field, r)
	}
}

func (q *asked) give(a Answer) {
	select {
	case q.answer <- a:
	default:
	}
}
