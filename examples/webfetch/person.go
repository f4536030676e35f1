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

	"github.com/clearance-go/clearance/permission"
)

// person answers at a terminal or by a list. Who gives no answer refuses.
type person struct {
	in     *bufio.Reader
	out    io.Writer
	script []string
}

func newPerson(in *os.File, out io.Writer, answers string) *person {
	p := &person{out: out}
	switch {
	case answers != "":
		p.script = strings.Split(answers, ",")
	case in != nil && term.IsTerminal(int(in.Fd())):
		p.in = bufio.NewReader(in)
	}
	return p
}

var errNobody = errors.New("nobody is there to answer; allow the host with a rule WebFetch(domain:HOST), or give -answers")

// Approve asks for one page.
func (p *person) Approve(ctx context.Context, r permission.Request) (permission.Answer, error) {
	fmt.Fprint(p.out, r.Prompt())
	keys := "[y] once  [n] no"
	if len(r.Suggestions) > 0 {
		keys = "[y] once  [s] session  [a] always  [n] no"
	}
	key, err := p.key(ctx, keys)
	if err != nil {
		return permission.Answer{}, err
	}
	a := permission.Answer{Token: r.Token, Choice: map[string]permission.Choice{
		"y": permission.Once, "s": permission.ForSession, "a": permission.Always}[key]}
	fmt.Fprintf(p.out, "answer: %s\n", a.Choice)
	return a, nil
}

func (p *person) key(ctx context.Context, keys string) (string, error) {
	if len(p.script) > 0 {
		key := strings.TrimSpace(p.script[0])
		p.script = p.script[1:]
		return key, nil
	}
	if p.in == nil {
		return "", errNobody
	}
	fmt.Fprint(p.out, keys+" > ")
	line := make(chan string, 1)
	go func() {
		text, _ := p.in.ReadString('\n')
		line <- strings.TrimSpace(text)
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case key := <-line:
		return key, nil
	}
}
