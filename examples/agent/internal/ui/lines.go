package ui

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// Lines is the interface without a screen: for a terminal that can do nothing
// but print lines (TERM=dumb), and for a run that a script answers. It writes
// no control character but the line break.
type Lines struct {
	out    io.Writer
	script func(q Question) (answer string, ok bool)
	cols   func() int

	mu sync.Mutex // out

	in    *os.File
	start sync.Once
	lines chan line
}

// settle is how long after a question a line still counts as typed before it:
// it may have left the terminal already when the question was drawn.
const settle = 50 * time.Millisecond

type line struct {
	text string
	at   time.Time
	err  error
}

// NewLines returns the interface. in is the terminal that answers; nil: script
// answers, "y", "s", "a" or "n" with a word why, and where it has none the
// question ends in ErrNobody.
func NewLines(in *os.File, out io.Writer, script func(Question) (answer string, ok bool)) *Lines {
	l := &Lines{in: in, out: out, script: script, cols: func() int { return 100 }}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		l.cols = func() int {
			if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 20 {
				return n
			}
			return 80
		}
	}
	return l
}

func (l *Lines) printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.out, format, args...)
}

// Say prints a line.
func (l *Lines) Say(text string) { l.printf("%s\n", Visible(text)) }

// Close does nothing.
func (l *Lines) Close() {}

// Start says nothing: without a screen, what runs shows itself when it is done.
func (l *Lines) Start(ctx context.Context, title string) (context.Context, *Task) {
	return ctx, &Task{Title: title, Started: time.Now()}
}

// Ask prints the question and takes the answer.
func (l *Lines) Ask(ctx context.Context, q Question) (Answer, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "  ? %s\n", Visible(q.Title))
	head, subject, foot := layout(q, l.cols()-4)
	for _, rows := range [][]row{head, subject, foot} {
		for _, r := range rows {
			b.WriteString("    " + r.gutter)
			for _, s := range r.spans {
				b.WriteString(s.text)
			}
			b.WriteByte('\n')
		}
	}
	l.printf("%s", b.String())
	text, err := l.answer(ctx, q)
	if err != nil {
		l.printf("    answer: none (%v)\n", err)
		return Answer{}, err
	}
	a := readAnswer(q, text)
	l.printf("    answer: %s\n", answerName(q, a))
	return a, nil
}

// readAnswer reads "y", "s", "a" or "n why"; what is not offered refuses.
func readAnswer(q Question, text string) Answer {
	text = strings.TrimSpace(text)
	if q.Type != "" {
		if text == q.Type {
			return Answer{Key: 'y', Typed: text}
		}
		return Answer{Key: 'n'}
	}
	word, rest, _ := strings.Cut(text, " ")
	if len(word) == 1 && word != "n" && rest == "" && q.offers(rune(word[0])) {
		return Answer{Key: rune(word[0])}
	}
	if word != "n" {
		rest = text
		if len(text) == 1 {
			rest = ""
		}
	}
	return Answer{Key: 'n', Feedback: strings.TrimSpace(rest)}
}

func answerName(q Question, a Answer) string {
	name := map[rune]string{'y': "once", 's': "session", 'a': "always", 'n': "no"}[a.Key]
	if a.Key == 'y' && q.Trust {
		name = "trust"
	}
	if a.Feedback != "" {
		name += ": " + Visible(a.Feedback)
	}
	return name
}

func (l *Lines) answer(ctx context.Context, q Question) (string, error) {
	if l.in == nil {
		if l.script == nil {
			return "", ErrNobody
		}
		text, ok := l.script(q)
		if !ok {
			return "", ErrNobody
		}
		return text, nil
	}
	why := "; after n you may say why"
	if q.Trust || q.Type != "" {
		why = ""
	}
	l.start.Do(func() {
		l.lines = make(chan line)
		go l.read()
	})
	// What was typed before the question stood there answers nothing: not whole
	// lines, and not the beginning of one.
	l.printf("    %s%s: ", keyLine(q), why)
	if err := dropInput(l.in); err != nil {
		l.printf("\n")
		return "", fmt.Errorf("what was typed before the question cannot be dropped: %w", err)
	}
	asked := time.Now().Add(settle)
	for {
		select {
		case <-ctx.Done():
			l.printf("\n")
			return "", ctx.Err()
		case got := <-l.lines:
			if got.err != nil {
				l.printf("\n")
				return "", ErrNobody
			}
			if got.at.Before(asked) {
				continue
			}
			return got.text, nil
		}
	}
}

// read passes on the lines of the terminal with the time of their arrival.
func (l *Lines) read() {
	var held []byte
	buf := make([]byte, 4096)
	for {
		n, err := l.in.Read(buf)
		at := time.Now()
		held = append(held, buf[:n]...)
		for {
			i := strings.IndexByte(string(held), '\n')
			if i < 0 {
				break
			}
			l.lines <- line{text: string(held[:i]), at: at}
			held = held[i+1:]
		}
		if len(held) > 64<<10 {
			held = nil
		}
		if err != nil || n == 0 {
			for {
				l.lines <- line{at: at, err: io.EOF}
			}
		}
	}
}
