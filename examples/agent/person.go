package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/clearance-go/clearance/mcptrust"
	"github.com/clearance-go/clearance/permission"
)

// person answers what is asked: at a terminal, by a list of answers, or by
// what the transcript says. Who gives no answer refuses.
type person struct {
	in      *bufio.Reader
	out     io.Writer
	screen  bool
	script  []string
	scripts bool
	// step is the answer of the running step; asked counts its questions.
	step  string
	asked int
}

func newPerson(in *os.File, out io.Writer, answers string) *person {
	p := &person{out: out}
	if answers != "" {
		p.scripts = true
		p.script = strings.Split(answers, ",")
		return p
	}
	if in != nil && term.IsTerminal(int(in.Fd())) {
		p.in, p.screen = bufio.NewReader(in), true
	}
	return p
}

// errNobody is what a question without an answer ends in: it is refused.
var errNobody = errors.New("nobody is there to answer")

// answer returns y, s, a or n, and what the person added.
func (p *person) answer(ctx context.Context, keys string) (key, feedback string, err error) {
	p.asked++
	switch {
	case p.scripts:
		if len(p.script) == 0 {
			return "", "", errNobody
		}
		key, p.script = strings.TrimSpace(p.script[0]), p.script[1:]
	case p.screen:
		type line struct {
			text string
			err  error
		}
		read := make(chan line, 1)
		go func() {
			text, err := p.in.ReadString('\n')
			read <- line{text, err}
		}()
		fmt.Fprintf(p.out, "%s ", keys)
		select {
		case <-ctx.Done():
			return "n", "", ctx.Err()
		case l := <-read:
			if l.err != nil {
				return "n", "", nil
			}
			key, feedback, _ = strings.Cut(strings.TrimSpace(l.text), " ")
		}
	default:
		// One recorded answer is for one question.
		if p.step == "" || p.asked > 1 {
			return "", "", errNobody
		}
		key = p.step
	}
	switch key {
	case "y", "s", "a":
		return key, feedback, nil
	}
	return "n", feedback, nil
}

// Approve asks about a tool call.
func (p *person) Approve(ctx context.Context, r permission.Request) (permission.Answer, error) {
	fmt.Fprintf(p.out, "  asks: %s\n", mcptrust.Escape(r.Inspection.Explanation))
	fmt.Fprintf(p.out, "        %s\n", mcptrust.Escape(r.Decision.Text()))
	fmt.Fprintf(p.out, "        %s %s\n        risk: %s\n", r.Call.Tool, mcptrust.Escape(string(r.Call.Input)), r.Inspection.Risk)
	keys := "[y] once  [n] no, with a word why >"
	if len(r.Suggestions) > 0 {
		fmt.Fprintf(p.out, "        s or a would keep: %s\n", mcptrust.Escape(strings.Join(r.Suggestions, ", ")))
		keys = "[y] once  [s] session  [a] always  [n] no, with a word why >"
	}
	key, feedback, err := p.answer(ctx, keys)
	if err != nil {
		fmt.Fprintf(p.out, "  %v\n", err)
		return permission.Answer{}, err
	}
	a := permission.Answer{Token: r.Token, Feedback: feedback}
	switch key {
	case "y":
		a.Choice = permission.Once
	case "s":
		a.Choice = permission.ForSession
	case "a":
		a.Choice = permission.Always
	}
	fmt.Fprintf(p.out, "  answer: %s\n", a.Choice)
	return a, nil
}

// confirm puts a trust prompt.
func (p *person) confirm(ctx context.Context, prompt string) (bool, error) {
	for _, line := range strings.Split(strings.TrimRight(prompt, "\n"), "\n") {
		fmt.Fprintf(p.out, "  | %s\n", line)
	}
	key, _, err := p.answer(ctx, "[y] trust  [n] no >")
	if errors.Is(err, errNobody) {
		err = nil
	}
	yes := err == nil && key == "y"
	fmt.Fprintf(p.out, "  answer: %v\n", map[bool]string{true: "trust", false: "no"}[yes])
	return yes, err
}
