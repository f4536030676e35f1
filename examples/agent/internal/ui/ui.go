// Package ui asks a person and shows what runs: on a whole screen ([NewScreen]),
// or line by line where there is no screen ([NewLines]).
//
// All text that it is given is untrusted. It is shown with everything made
// visible that does not show itself (escape sequences, carriage returns,
// bidirectional controls), cut to its field, and can draw nowhere else: the
// screen is a grid of cells, of which each field fills its own.
package ui

import (
	"context"
	"errors"
	"time"
)

// ErrNobody is what a question without an answer ends in.
var ErrNobody = errors.New("nobody is there to answer")

// UI shows a run and asks a person. Say and Start are safe for concurrent use;
// questions come one at a time.
type UI interface {
	// Say adds a line to what happened.
	Say(text string)
	// Ask puts a question. Input that arrived before the question was on the
	// screen is dropped. The error is ErrNobody or the context's.
	Ask(ctx context.Context, q Question) (Answer, error)
	// Start shows that something runs until the Task is done. The context ends
	// when the person cancels it or ends the program.
	Start(ctx context.Context, title string) (context.Context, *Task)
	// Close gives the terminal back and leaves what was said on it.
	Close()
}

// Question is what a person is asked.
type Question struct {
	// Title is the program's own text.
	Title string
	// Explanation says in plain words what would happen.
	Explanation string
	// Subject is the call itself: a command, a diff, a definition.
	Subject []Line
	// Risk is low, medium or high, or empty; Why are the reasons for asking.
	Risk string
	Why  []string
	// Session and Always are what the answers s and a would keep, and where.
	// Empty: these answers are not offered.
	Session, Always *Keep
	// Trust makes it a question of y or n about what is trusted.
	Trust bool
	// Type is what must be typed in place of a plain y, if anything.
	Type string
}

// Keep is what an answer would save.
type Keep struct {
	Rules []string
	Where string
}

// Line is a line of a question's subject.
type Line struct {
	Kind LineKind
	Text string
}

// LineKind says how a line is drawn.
type LineKind uint8

// The kinds of lines.
const (
	Plain LineKind = iota
	Added
	Removed
	Hunk // where in a file the next lines stand
	Note // the program's own remark
)

// Answer is what the person said: Key is y, s, a or n. Typed is the text that
// Question.Type asked for.
type Answer struct {
	Key      rune
	Feedback string
	Typed    string
}

// Task is something that runs.
type Task struct {
	Title   string
	Started time.Time
	line    func(string)
	done    func()
}

// Line shows the newest line of what runs. A nil Task shows nothing.
func (t *Task) Line(text string) {
	if t != nil && t.line != nil {
		t.line(text)
	}
}

// Done ends it.
func (t *Task) Done() {
	if t != nil && t.done != nil {
		t.done()
	}
}
