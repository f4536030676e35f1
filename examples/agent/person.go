package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/clearance-go/clearance/examples/agent/internal/ui"
	"github.com/clearance-go/clearance/permission"
)

// person asks whoever is there: the permission.Approver of the gate, and the
// one who is shown what would be trusted.
type person struct {
	ui ui.UI
	// before reads the file that a call would change, for the diff.
	before func(path string) (data []byte, err error)
	// home and where name the files of saved rules.
	home  string
	where func() string
	clock *clock

	mu    sync.Mutex
	steps []asking // the running step, below it the sub-agent's that it started
}

// asking is a running step and what was asked in it.
type asking struct {
	step  *step
	asked []exchange
}

// exchange is a question and what was answered.
type exchange struct {
	Question ui.Question
	Answer   string
	Waited   time.Duration
}

// begin starts a step; end ends it and returns what was asked in it.
func (p *person) begin(s *step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.steps = append(p.steps, asking{step: s})
}

func (p *person) end() []exchange {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := p.steps[len(p.steps)-1]
	p.steps = p.steps[:len(p.steps)-1]
	return last.asked
}

// ask puts a question and keeps what was answered.
func (p *person) ask(ctx context.Context, q ui.Question) (ui.Answer, error) {
	start := time.Now()
	stop := p.clock.outside()
	a, err := p.ui.Ask(ctx, q)
	stop()
	e := exchange{Question: q, Waited: time.Since(start)}
	if err != nil {
		e.Answer = err.Error()
	} else {
		e.Answer = map[rune]string{'y': "yes, once", 's': "yes, for the session", 'a': "yes, always", 'n': "no"}[a.Key]
		if q.Trust && a.Key == 'y' {
			e.Answer = "trusted"
		}
		if a.Feedback != "" {
			e.Answer += ": " + a.Feedback
		}
	}
	p.mu.Lock()
	if n := len(p.steps); n > 0 {
		p.steps[n-1].asked = append(p.steps[n-1].asked, e)
	}
	p.mu.Unlock()
	return a, err
}

// Approve asks about a tool call.
func (p *person) Approve(ctx context.Context, r permission.Request) (permission.Answer, error) {
	a, err := p.ask(ctx, p.question(r))
	if err != nil {
		return permission.Answer{}, err
	}
	out := permission.Answer{Token: r.Token, Feedback: a.Feedback, Layer: permission.LayerLocal}
	switch a.Key {
	case 'y':
		out.Choice = permission.Once
	case 's':
		out.Choice = permission.ForSession
	case 'a':
		out.Choice = permission.Always
	}
	return out, nil
}

// confirm puts a trust prompt. typed is what must be typed in place of y.
func (p *person) confirm(ctx context.Context, title, prompt, typed string) (bool, error) {
	q := ui.Question{Title: title, Trust: true, Type: typed}
	for _, line := range strings.Split(strings.TrimRight(prompt, "\n"), "\n") {
		q.Subject = append(q.Subject, ui.Line{Text: line})
	}
	a, err := p.ask(ctx, q)
	if errors.Is(err, ui.ErrNobody) {
		return false, nil
	}
	return err == nil && a.Key == 'y', err
}

// question says what a call would do, why it asks, and what each answer keeps.
func (p *person) question(r permission.Request) ui.Question {
	q := ui.Question{Title: "May the model use " + r.Call.Tool + "?", Explanation: r.Inspection.Explanation.String(), Risk: r.Inspection.Risk.String()}
	q.Subject = append(p.subject(r), changes(r.Changes)...)
	seen := map[string]bool{}
	for _, reason := range r.Decision.Reasons {
		if reason.Verdict != r.Decision.Verdict {
			continue
		}
		text := reason.Text
		if reason.Rule != nil && !strings.Contains(text, reason.Rule.Text) {
			text += " (" + reason.Rule.String() + ")"
		}
		if text != "" && !seen[text] {
			seen[text] = true
			q.Why = append(q.Why, text)
		}
	}
	if r.Redacted {
		q.Subject = append(q.Subject, ui.Line{Kind: ui.Note, Text: "Secrets were taken out of what is shown."})
	}
	if len(r.Suggestions) > 0 {
		q.Session = &ui.Keep{Rules: r.Suggestions, Where: "until this run ends"}
		q.Always = &ui.Keep{Rules: r.Suggestions, Where: "in " + short(p.where(), p.home)}
	}
	return q
}

// changes shows how what a command runs differs from what was approved.
func changes(diff string) []ui.Line {
	if diff == "" {
		return nil
	}
	out := []ui.Line{{Kind: ui.Note, Text: "What it runs has changed:"}}
	for _, l := range strings.Split(strings.TrimRight(diff, "\n"), "\n") {
		kind := ui.Plain
		switch {
		case strings.HasPrefix(l, "@@"):
			kind = ui.Hunk
		case strings.HasPrefix(l, "+"):
			kind = ui.Added
		case strings.HasPrefix(l, "-"):
			kind = ui.Removed
		}
		out = append(out, ui.Line{Kind: kind, Text: l})
	}
	return out
}

// short writes a path below the home directory with a tilde.
func short(path, home string) string {
	if rest, ok := strings.CutPrefix(path, home+string(os.PathSeparator)); ok {
		return "~" + string(os.PathSeparator) + rest
	}
	return path
}

// subject is the call itself: a command by its lines, a change as a diff, any
// other input field by field.
func (p *person) subject(r permission.Request) []ui.Line {
	var in input
	known := json.Unmarshal(r.Call.Input, &in) == nil
	var out []ui.Line
	switch {
	case known && r.Call.Tool == "Bash":
		for _, l := range strings.Split(in.Command, "\n") {
			out = append(out, ui.Line{Text: l})
		}
		return out
	case known && (r.Call.Tool == "Edit" || r.Call.Tool == "Write"):
		out = append(out, ui.Line{Kind: ui.Note, Text: in.FilePath})
		before, err := p.before(in.FilePath)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			// What the guard does not let it read is not compared.
			out = append(out, ui.Line{Kind: ui.Note, Text: "The file cannot be read to compare it."})
			break
		}
		after := []byte(in.Content)
		if r.Call.Tool == "Edit" {
			if after, err = in.edit(before); err != nil {
				out = append(out, ui.Line{Kind: ui.Note, Text: "It would fail: " + err.Error()})
				break
			}
		}
		return append(out, ui.Diff(before, after, before == nil)...)
	}
	return append(out, fields(r.Call.Input)...)
}

// fields shows an input field by field, as it was sent.
func fields(in json.RawMessage) []ui.Line {
	var out []ui.Line
	dec := json.NewDecoder(strings.NewReader(string(in)))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return []ui.Line{{Text: string(in)}}
	}
	for dec.More() {
		name, err := dec.Token()
		var value json.RawMessage
		if err != nil || dec.Decode(&value) != nil {
			return []ui.Line{{Text: string(in)}}
		}
		text := string(value)
		var s string
		if json.Unmarshal(value, &s) == nil {
			text = s
		}
		for i, l := range strings.Split(text, "\n") {
			if key, _ := name.(string); i == 0 {
				l = key + ": " + l
			} else {
				l = "    " + l
			}
			out = append(out, ui.Line{Text: l})
		}
	}
	return out
}

// script answers what no terminal asks: by what the transcript says of the step.
// One recorded answer is for one question.
func (p *person) script(ui.Question) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.steps) == 0 {
		return "", false
	}
	now := p.steps[len(p.steps)-1]
	return now.step.Answer, now.step.Answer != "" && len(now.asked) == 0
}
