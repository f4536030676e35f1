package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/clearance-go/clearance/permission"
)

// step is one line of a transcript: a tool call of the model, or (host) a
// decision that the program puts to the person by itself.
type step struct {
	Tool  string          `json:"tool,omitempty"`
	Input json.RawMessage `json:"input,omitempty"`
	// Host is "workspace" or "server": the trust prompts.
	Host string `json:"host,omitempty"`
	// Name is the server of a "server" step.
	Name string `json:"name,omitempty"`
	// Steps are what the sub-agent does that this step starts.
	Steps []step `json:"steps,omitempty"`
	// Answer is what a script says when this step asks: y, s, a or n.
	Answer string `json:"answer,omitempty"`
	// Expect is "ran" or "refused"; empty expects nothing.
	Expect string `json:"expect,omitempty"`
	// Note says what the step is about.
	Note string `json:"note,omitempty"`
	// Needs names a program without which the step is stepped over.
	Needs string `json:"needs,omitempty"`

	// id is what a live model calls the call.
	id string
}

// Limits of a transcript.
const (
	maxSteps = 1000
	maxLine  = 4 << 20
	maxText  = 64 << 20
	// lineWait is how long a transcript that comes from a program may be silent.
	lineWait = time.Minute
)

// recorded is a model that says what a transcript says, line by line. In the
// input, $WORK is the workspace and $OUT a folder outside of it.
type recording struct {
	name  string
	lines chan recordedLine
	ctx   context.Context
	n     int // steps so far
	wait  time.Duration
}

type recordedLine struct {
	n    int
	text []byte
	err  error
}

// recorded reads a transcript from open, which may block: reading it ends with
// the context.
func recorded(ctx context.Context, name string, open func() (io.ReadCloser, error)) *recording {
	r := &recording{name: name, lines: make(chan recordedLine), ctx: ctx, wait: lineWait}
	go r.read(open)
	return r
}

func recordedFile(ctx context.Context, name string) *recording {
	return recorded(ctx, name, func() (io.ReadCloser, error) { return os.Open(name) })
}

func recordedText(ctx context.Context, name, text string) *recording {
	return recorded(ctx, name, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil })
}

func (r *recording) read(open func() (io.ReadCloser, error)) {
	send := func(l recordedLine) bool {
		select {
		case r.lines <- l:
			return true
		case <-r.ctx.Done():
			return false
		}
	}
	in, err := open()
	if err != nil {
		send(recordedLine{0, nil, err})
		return
	}
	defer in.Close()
	sc := bufio.NewScanner(io.LimitReader(in, maxText+1))
	sc.Buffer(make([]byte, 0, 64<<10), maxLine)
	total := 0
	for n := 1; ; n++ {
		if !sc.Scan() {
			err := sc.Err()
			switch {
			case errors.Is(err, bufio.ErrTooLong):
				err = fmt.Errorf("the line is longer than %d bytes", maxLine)
			case err == nil && total >= maxText:
				err = fmt.Errorf("more than %d bytes", maxText)
			case err == nil:
				err = io.EOF
			}
			send(recordedLine{n, nil, err})
			return
		}
		total += len(sc.Bytes()) + 1
		text := bytes.TrimSpace(sc.Bytes())
		if len(text) > 0 && !send(recordedLine{n, bytes.Clone(text), nil}) {
			return
		}
	}
}

// Next returns the next line.
func (r *recording) Next(ctx context.Context, _ []turn) (step, error) {
	late := time.NewTimer(r.wait)
	defer late.Stop()
	var l recordedLine
	select {
	case <-ctx.Done():
		return step{}, ctx.Err()
	case <-late.C:
		return step{}, fmt.Errorf("%s: no line came for %s", r.name, r.wait)
	case l = <-r.lines:
	}
	fail := func(err error) (step, error) { return step{}, fmt.Errorf("%s:%d: %w", r.name, l.n, err) }
	switch {
	case l.err == io.EOF && r.n == 0:
		return fail(errors.New("the transcript is empty"))
	case l.err == io.EOF:
		return step{}, io.EOF
	case l.err != nil && l.n == 0:
		return step{}, l.err
	case l.err != nil:
		return fail(l.err)
	}
	if r.n++; r.n > maxSteps {
		return fail(fmt.Errorf("more than %d steps", maxSteps))
	}
	s, err := readStep(l.text)
	if err != nil {
		return fail(err)
	}
	return s, nil
}

// readStep reads one JSON object and nothing behind it.
func readStep(text []byte) (step, error) {
	var s step
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return step{}, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return step{}, errors.New("more than one JSON value in a line")
	}
	return s, s.check(true)
}

func (s *step) check(top bool) error {
	switch {
	case s.Tool == "" && s.Host == "":
		return errors.New(`no "tool"`)
	case s.Expect != "" && s.Expect != "ran" && s.Expect != "refused":
		return errors.New(`"expect" must be ran or refused`)
	case len(s.Steps) > 0 && (!top || s.Tool != "Agent"):
		return errors.New(`only an Agent call has "steps", and not one of a sub-agent`)
	case len(s.Steps) > maxSteps:
		return fmt.Errorf("more than %d steps", maxSteps)
	}
	if s.Input == nil {
		s.Input = json.RawMessage("{}")
	}
	for i := range s.Steps {
		if err := s.Steps[i].check(false); err != nil {
			return fmt.Errorf("step %d of the sub-agent: %w", i+1, err)
		}
	}
	return nil
}

// Child plays the steps that the transcript has for a sub-agent.
func (r *recording) Child(s *step, _ *permission.Session) (model, error) {
	return &playing{steps: s.Steps}, nil
}

// Said is empty: a recording only acts.
func (r *recording) Said() string { return "" }

// playing is the model of a recorded sub-agent.
type playing struct{ steps []step }

func (p *playing) Next(ctx context.Context, history []turn) (step, error) {
	if len(p.steps) == 0 {
		return step{}, io.EOF
	}
	s := p.steps[0]
	p.steps = p.steps[1:]
	return s, ctx.Err()
}

func (p *playing) Said() string { return "" }

func (p *playing) Child(*step, *permission.Session) (model, error) {
	return nil, errors.New("a sub-agent starts no sub-agent")
}
