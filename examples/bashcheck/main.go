// Command bashcheck tells what a shell command line would do, without running
// it.
//
//	bashcheck 'find . -name "*.go" | xargs wc -l'
//	bashcheck -jsonl < commands.jsonl
//
// With -jsonl it reads {"id","command"} lines and writes one JSON line each, in
// order. The exit status says nothing of the verdict: 0, or 2 for wrong usage
// or unreadable input.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/clearance-go/clearance/bashcheck"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bashcheck:", err)
		os.Exit(2)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("bashcheck", flag.ContinueOnError)
	jsonl := flags.Bool("jsonl", false, "read {\"id\",\"command\"} lines, write one JSON line each")
	shell := flags.String("shell", "bash", "the shell that would run it: bash, sh, zsh, any")
	home := flags.String("home", "", "home directory, for ~ and $HOME")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dialect, ok := map[string]bashcheck.Dialect{
		"bash": bashcheck.Bash, "sh": bashcheck.POSIX, "dash": bashcheck.POSIX, "zsh": bashcheck.Zsh, "any": bashcheck.Any,
	}[*shell]
	if !ok {
		return fmt.Errorf("unknown shell %q: write bash, sh, zsh or any", *shell)
	}
	a := bashcheck.New(bashcheck.Options{Shell: dialect, Home: *home})
	if *jsonl {
		if flags.NArg() > 0 {
			return errors.New("-jsonl takes its commands from standard input")
		}
		return lines(a, in, out)
	}
	if flags.NArg() != 1 {
		return errors.New("usage: bashcheck 'COMMAND', or bashcheck -jsonl")
	}
	r := a.Analyze(flags.Arg(0))
	verdict := "not provably read-only"
	if r.ReadOnly() {
		verdict = "read-only"
	}
	_, err := fmt.Fprintf(out, "%s\n\n%s\nRisk: %s\n", r.Explain(), verdict, r.Risk().String())
	said := map[string]bool{}
	for _, f := range r.Findings {
		if line := fmt.Sprintf("- %s (%s)\n", f.Text, f.Code); !said[line] {
			said[line] = true
			fmt.Fprint(out, line)
		}
	}
	if len(r.Assumptions) > 0 {
		names := make([]string, len(r.Assumptions))
		for i, a := range r.Assumptions {
			names[i] = string(a)
		}
		fmt.Fprintf(out, "Assuming: %s\n", strings.Join(names, ", "))
	}
	return err
}

// maxLine bounds one line of input.
const maxLine = 16 << 20

type effect struct {
	Kind   string `json:"kind"`
	Target string `json:"target"`
	Exact  bool   `json:"exact"`
}

type command struct {
	Argv    []string `json:"argv"`
	Effects []effect `json:"effects"`
}

type finding struct {
	Code     string `json:"code"`
	Severity string `json:"severity"`
	Text     string `json:"text"`
	Start    int    `json:"start"`
	End      int    `json:"end"`
}

type answer struct {
	ID          json.RawMessage        `json:"id"`
	Command     string                 `json:"command"`
	Parsed      bool                   `json:"parsed"`
	ReadOnly    bool                   `json:"readOnly"`
	Commands    []command              `json:"commands"`
	Findings    []finding              `json:"findings"`
	Assumptions []bashcheck.Assumption `json:"assumptions"`
	Risk        string                 `json:"risk"`
	Explanation string                 `json:"explanation"`
}

func lines(a *bashcheck.Analyzer, in io.Reader, out io.Writer) error {
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, maxLine)
	w := bufio.NewWriter(out)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for n := 1; sc.Scan(); n++ {
		if strings.TrimSpace(sc.Text()) == "" {
			continue
		}
		var q struct {
			ID      json.RawMessage `json:"id"`
			Command *string         `json:"command"`
		}
		if err := json.Unmarshal(sc.Bytes(), &q); err != nil || q.Command == nil {
			return fmt.Errorf("line %d: want {\"id\":…,\"command\":\"…\"}", n)
		}
		if err := enc.Encode(describe(a, q.ID, *q.Command)); err != nil {
			return err
		}
		// Each answer leaves at once, so that a caller may wait for it.
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return sc.Err()
}

func describe(a *bashcheck.Analyzer, id json.RawMessage, text string) answer {
	r := a.Analyze(text)
	if id == nil {
		id = json.RawMessage("null")
	}
	out := answer{
		ID: id, Command: text, Parsed: r.Parsed, ReadOnly: r.ReadOnly(),
		Commands: []command{}, Findings: []finding{}, Assumptions: []bashcheck.Assumption{},
		Risk: r.Risk().String(), Explanation: r.Explain(),
	}
	for _, c := range r.Commands {
		v := command{Argv: []string{}, Effects: effects(c.Effects)}
		for _, w := range c.Argv {
			v.Argv = append(v.Argv, w.Text)
		}
		out.Commands = append(out.Commands, v)
	}
	if len(r.Loose) > 0 {
		out.Commands = append(out.Commands, command{Argv: []string{}, Effects: effects(r.Loose)})
	}
	for _, f := range r.Findings {
		out.Findings = append(out.Findings, finding{f.Code, f.Severity.String(), f.Text, int(f.Span.Start), int(f.Span.End)})
	}
	out.Assumptions = append(out.Assumptions, r.Assumptions...)
	return out
}

func effects(list []bashcheck.Effect) []effect {
	out := []effect{}
	for _, e := range list {
		out = append(out, effect{e.Kind.String(), e.Target, e.Extent == bashcheck.Exact})
	}
	return out
}
