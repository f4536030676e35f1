// Command hook is a PreToolUse and PermissionRequest hook: an agent that knows
// such hooks (https://code.claude.com/docs/en/hooks) asks it before each tool
// call, and it answers by the user's permission rules. It reads one JSON event
// on standard input and writes exactly one JSON object.
//
// PreToolUse: on any failure of its own it writes the reason to standard error
// and exits 2, which blocks the call. PermissionRequest ignores that status, so
// there a failure is "no decision" and the person is asked.
//
// It keeps nothing between two events, unless -state names a folder for what
// sessions have read and written.
//
// The hook does not run the command. It grants an assumption of the analysis
// only where it can see for itself that it holds; -assume names further ones.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/settings"
	"github.com/clearance-go/clearance/permission/toolset"
	"github.com/clearance-go/clearance/scope"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ())) }

// maxEvent bounds the event.
const maxEvent = 32 << 20

type event struct {
	Name      string          `json:"hook_event_name"`
	Tool      string          `json:"tool_name"`
	Input     json.RawMessage `json:"tool_input"`
	Dir       string          `json:"cwd"`
	Mode      string          `json:"permission_mode"`
	ToolUseID string          `json:"tool_use_id"`
	Session   string          `json:"session_id"`
}

type config struct {
	home, managed, settings, project, assume, shell string
	state, servers                                  string
	trusted, classifier                             bool
	timeout                                         time.Duration
}

// run returns the exit status.
func run(args []string, in io.Reader, out, errs io.Writer, env []string) (status int) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintln(errs, "hook: the call is blocked: internal error:", printable(fmt.Sprint(p)))
			status = 2
		}
	}()
	var c config
	flags := flag.NewFlagSet("hook", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.StringVar(&c.home, "home", "", "home directory (default: the user's)")
	flags.StringVar(&c.managed, "managed", "", "managed settings file (default: the system's)")
	flags.StringVar(&c.settings, "settings", "", "further settings file, as on the agent's command line")
	flags.StringVar(&c.project, "project", "", "project directory (default: CLAUDE_PROJECT_DIR, else the event's cwd)")
	flags.StringVar(&c.assume, "assume", "", "assumptions that hold although the hook cannot see it, separated by commas")
	flags.StringVar(&c.shell, "shell", "", "shell that runs Bash calls: bash, sh, zsh, any (default: from SHELL)")
	flags.StringVar(&c.state, "state", "", "folder outside of every project in which the hook keeps what sessions have read and written (default: it keeps nothing)")
	flags.StringVar(&c.servers, "servers", "", "names of all MCP servers that the agent connects to, separated by commas (default: not known)")
	flags.BoolVar(&c.trusted, "trusted", false, "the project's settings may also loosen")
	flags.BoolVar(&c.classifier, "classifier", false, "in auto mode, leave to the agent's classifier what that may settle")
	flags.DurationVar(&c.timeout, "timeout", 5*time.Second, "give up after this time")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		fmt.Fprintln(errs, "hook: wrong usage")
		return 2
	}
	var ev event
	fail := func(err error) int {
		if ev.Name == "PermissionRequest" {
			fmt.Fprintln(errs, "hook: no decision:", printable(err.Error()))
			_, _ = io.WriteString(out, "{}\n")
			return 0
		}
		fmt.Fprintln(errs, "hook: the call is blocked:", printable(err.Error()))
		return 2
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	data, err := readEvent(ctx, in)
	if err == nil {
		err = json.Unmarshal(data, &ev)
	}
	if err != nil {
		return fail(err)
	}
	if ev.Name != "PreToolUse" && ev.Name != "PermissionRequest" {
		fmt.Fprintf(errs, "hook: unknown event %q\n", ev.Name)
		return 2
	}

	type result struct {
		d       permission.Decision
		changes string
		err     error
	}
	done := make(chan result, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- result{err: fmt.Errorf("internal error: %v", p)}
			}
		}()
		d, changes, err := decide(ctx, c, ev, env)
		done <- result{d, changes, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		r.err = fmt.Errorf("no answer within %s", c.timeout)
	}
	if r.err != nil {
		return fail(r.err)
	}
	answer, err := encode(ev.Name, r.d, r.changes)
	if err != nil {
		return fail(err)
	}
	if c.leaves(ev) && r.d.Verdict == permission.Ask && r.d.Asked&permission.ByClassifier != 0 {
		answer = []byte("{}")
	}
	if _, err := out.Write(append(answer, '\n')); err != nil {
		return fail(err)
	}
	return 0
}

// leaves says that the agent decides in auto mode and has a classifier for it.
func (c *config) leaves(ev event) bool {
	return c.classifier && ev.Mode == permission.ModeAuto.String()
}

// readEvent reads all of in, unless it is too large or ctx ends first: an agent
// that gives up waiting for a hook lets the call through.
func readEvent(ctx context.Context, in io.Reader) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		data, err := io.ReadAll(io.LimitReader(in, maxEvent+1))
		done <- result{data, err}
	}()
	select {
	case r := <-done:
		if r.err == nil && len(r.data) > maxEvent {
			r.err = fmt.Errorf("the event is larger than %d bytes", maxEvent)
		}
		return r.data, r.err
	case <-ctx.Done():
		return nil, errors.New("the event did not come in time")
	}
}

func decide(ctx context.Context, c config, ev event, env []string) (d permission.Decision, changes string, err error) {
	var none permission.Decision
	vars := environ(env)
	userDir := ""
	if c.home == "" {
		c.home = vars["HOME"]
		if c.home == "" {
			c.home = vars["USERPROFILE"]
		}
		userDir = vars["CLAUDE_CONFIG_DIR"]
	} else if st, err := os.Stat(c.home); err != nil || !st.IsDir() {
		// All rules of the user would be gone by a slip of the pen.
		return none, "", fmt.Errorf("-home %s is not a directory", c.home)
	}
	if c.home == "" {
		return none, "", errors.New("no home directory: set HOME or use -home")
	}
	if !filepath.IsAbs(ev.Dir) {
		return none, "", fmt.Errorf("the event's cwd %q is not an absolute path", ev.Dir)
	}
	if c.project == "" {
		c.project = vars["CLAUDE_PROJECT_DIR"]
	}
	if c.project == "" {
		c.project = ev.Dir
	}
	for _, p := range []*string{&c.home, &c.project, &c.managed, &c.settings, &c.state, &userDir} {
		if *p == "" {
			continue
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return none, "", err
		}
		*p = abs
	}
	mode := permission.ModeDefault
	if ev.Mode != "" {
		m, err := permission.ParseMode(ev.Mode)
		if err != nil {
			return none, "", err
		}
		mode = m
	}
	src := settings.Sources{Home: c.home, Dir: c.project, Managed: c.managed, UserDir: userDir}
	if c.settings != "" {
		src.CommandLine = []string{c.settings}
	}
	if c.trusted {
		src.Trust = trustAll{}
	}
	// A broken file is no reason to stop: its rules then ask for every call,
	// and the reason names the file.
	rules, err := settings.Load(ctx, src)
	if err != nil {
		var se *permission.SettingsError
		var re *permission.RuleError
		if !errors.As(err, &se) && !errors.As(err, &re) {
			return none, "", err
		}
	}
	kept, err := openStore(c.state, c.project, ev.Session)
	if err != nil {
		return none, "", err
	}
	guard, err := scope.New(c.project, scope.Options{Home: c.home, Additional: rules.Directories(), Protect: append(rules.Files(), kept.files()...)})
	if err != nil {
		return none, "", err
	}
	defer guard.Close()
	dialect, err := shell(c.shell, vars["SHELL"])
	if err != nil {
		return none, "", err
	}
	var ledger *toolset.Ledger
	if kept != nil {
		ledger = kept.ledger
	}
	tools, err := toolset.NewWith(toolset.Options{
		Files: guard, Home: c.home, Ledger: ledger,
		Analyzer: bashcheck.New(bashcheck.Options{Home: c.home, Shell: dialect}),
		Assume: assumptions(c.assume, dialect, &seen{
			home: c.home, dir: ev.Dir, own: guard.Roots(), vars: vars, mounts: mounts(),
		}),
	})
	if err != nil {
		return none, "", err
	}
	eval, err := permission.New(permission.Config{Policy: rules.Policy(), Inspector: tools, Servers: names(c.servers)})
	if err != nil {
		return none, "", err
	}
	// The project is where relative rules start, the event's cwd where the
	// call does.
	st := permission.State{Mode: mode, Dir: c.project, Classifier: c.leaves(ev)}
	call := permission.Call{ID: ev.ToolUseID, Tool: ev.Tool, Input: ev.Input, Dir: ev.Dir}
	if call.Tool == "" {
		return none, "", errors.New("the event names no tool")
	}
	if kept == nil {
		ins, _ := eval.Inspect(ctx, st, call)
		return eval.Decide(st, call, ins), "", nil
	}
	return remembered(ctx, eval, kept, st, call, ev.Name == "PreToolUse")
}

// remembered decides a call as part of its session. Whether a person allows
// what is asked about the hook does not learn, so it takes that to have run.
func remembered(ctx context.Context, eval *permission.Evaluator, kept *store, st permission.State, call permission.Call, note bool) (d permission.Decision, changes string, err error) {
	labels, err := kept.labels()
	if err != nil {
		return d, "", err
	}
	session := permission.NewGate(eval, permission.GateOptions{Ledger: kept.ledger}).Session(permission.SessionOptions{Dir: st.Dir, Mode: &st.Mode})
	session.Label(labels)
	grant, req, err := session.Check(ctx, call)
	var refused *permission.RefusedError
	switch {
	case errors.As(err, &refused):
		return refused.Decision, "", nil
	case err != nil:
		return d, "", err
	case req != nil:
		d, changes = req.Decision, req.Changes
		if labels |= req.Inspection.Brings; note && labels&permission.Untrusted != 0 {
			if places := written(req.Inspection); len(places) > 0 {
				err = kept.ledger.Wrote(ctx, places, false)
			}
		}
	default:
		d, labels = grant.Decision(), grant.Inspection().Brings
	}
	if note && err == nil {
		err = kept.label(labels)
	}
	return d, changes, err
}

// written are the files that an asked-about call would write.
func written(ins permission.Inspection) []permission.Place {
	var out []permission.Place
	for _, a := range ins.Actions {
		if a.Kind == permission.Write && a.Path.Extent == permission.Exact && a.Path.Real != "" {
			out = append(out, permission.Place{Path: a.Path.Real})
		}
	}
	return out
}

func names(list string) []string {
	var out []string
	for _, n := range strings.Split(list, ",") {
		if n = strings.TrimSpace(n); n != "" {
			out = append(out, n)
		}
	}
	return out
}

type trustAll struct{}

func (trustAll) Trusted(context.Context, string, string) (bool, error) { return true, nil }

func environ(env []string) map[string]string {
	out := make(map[string]string, len(env))
	for _, e := range env {
		if k, v, ok := strings.Cut(e, "="); ok {
			out[k] = v
		}
	}
	return out
}

// printable is a text that the agent can show on its terminal: names of files
// stand in it, and a repository chooses them.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

func encode(name string, d permission.Decision, changes string) ([]byte, error) {
	text := d.Text()
	if said := d.Explanation.String(); said != "" && d.Verdict != permission.Allow {
		text += " " + printable(said)
	}
	if changes != "" && d.Verdict == permission.Ask {
		text += "\nWhat changed since it last ran:\n" + changes
	}
	if len(text) > 9000 {
		text = strings.ToValidUTF8(text[:9000], "") + "…"
	}
	if name == "PermissionRequest" {
		if d.Verdict == permission.Ask {
			return []byte("{}"), nil
		}
		decision := map[string]any{"behavior": d.Verdict.String()}
		if d.Verdict == permission.Deny {
			decision["message"] = text
		}
		return json.Marshal(map[string]any{"hookSpecificOutput": map[string]any{"hookEventName": name, "decision": decision}})
	}
	return json.Marshal(map[string]any{"hookSpecificOutput": map[string]any{
		"hookEventName": name, "permissionDecision": d.Verdict.String(), "permissionDecisionReason": text,
	}})
}
