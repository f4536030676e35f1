package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/credstore"
	"github.com/clearance-go/clearance/examples/agent/internal/ui"
	"github.com/clearance-go/clearance/examples/internal/webread"
	"github.com/clearance-go/clearance/mcptrust"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/settings"
	"github.com/clearance-go/clearance/permission/toolset"
	"github.com/clearance-go/clearance/scope"
	"github.com/clearance-go/clearance/scope/sandbox"
)

// Limits of what a tool returns and how long it runs.
const (
	maxResult   = 64 << 10
	maxOutput   = 16 << 20
	toolTimeout = 2 * time.Minute
)

// host is the agent's side: it runs what the gate lets through.
type host struct {
	w        *workspace
	person   *person
	ui       ui.UI
	clock    *clock
	rules    *settings.Settings
	trust    *mcptrust.Registry
	guard    *scope.Guard
	analyzer *bashcheck.Analyzer
	tools    *toolset.Tools
	gate     *permission.Gate
	secrets  *credstore.Store
	redact   redactors
	servers  servers
	box      *sandbox.Box
	noBox    string
	web      *web
	rows     []row
}

// actor is the agent or one of its sub-agents.
type actor struct {
	session *permission.Session
	model   model
	history []turn
	// prefix stands before the numbers of a sub-agent's steps.
	prefix string
}

// loop asks the model for steps and does them until it has no more.
func (h *host) loop(ctx context.Context, a *actor) error {
	for n := 1; ; n++ {
		wait := h.clock.outside()
		s, err := a.model.Next(ctx, a.history)
		wait()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		place := len(h.rows)
		h.rows = append(h.rows, row{})
		r, result := h.do(ctx, a, fmt.Sprintf("%s%d", a.prefix, n), &s)
		h.rows[place] = r
		a.history = append(a.history, turn{Step: &s, Result: result, Failed: r.outcome != "ran"})
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// do runs one step and says how it ended; result is what the model is told.
func (h *host) do(ctx context.Context, a *actor, n string, s *step) (r row, result string) {
	h.person.begin(s)
	start := time.Now()
	r = row{n: n, step: s, what: h.redact.String(describe(s))}
	defer func() { r.took = time.Since(start) }()
	defer func() { r.asked = h.person.end() }()
	if s.Needs != "" {
		if _, err := exec.LookPath(s.Needs); err != nil {
			r.outcome, r.why = "stepped over", s.Needs+" is not installed"
			return r, r.why
		}
	}
	h.say("%s %s%s", ui.Pad(n, 4), r.what, note(s))
	ctx, task := h.ui.Start(ctx, r.what)
	defer task.Done()
	var err error
	switch s.Host {
	case "":
		result, err = h.call(ctx, a, s, n, task, &r)
	case "workspace":
		result, err = h.trustWorkspace(ctx)
	case "server":
		result, err = h.connect(ctx, s.Name)
	default:
		err = fmt.Errorf("unknown host step %q", s.Host)
	}
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, ui.ErrCancelled) {
		err = cause
	}
	var refused *permission.RefusedError
	switch {
	case err == nil:
		r.outcome = "ran"
		if r.why == "" {
			r.why = result
		}
	case errors.As(err, &refused):
		r.outcome, r.why, r.decision = "refused", reasons(refused.Decision), &refused.Decision
	default:
		r.outcome, r.why = "refused", err.Error()
	}
	r.why = h.w.shorten(h.redact.String(r.why))
	if err != nil {
		result = h.redact.String(err.Error())
	}
	if s.Host == "" {
		for line := range strings.Lines(strings.TrimRight(result, "\n")) {
			h.say("     %s", strings.TrimSuffix(line, "\n"))
		}
	}
	return r, result
}

func note(s *step) string {
	if s.Note == "" {
		return ""
	}
	return "   # " + s.Note
}

// describe says a step in one line.
func describe(s *step) string {
	if s.Host != "" {
		return strings.TrimSpace("trust the " + s.Host + " " + s.Name)
	}
	var in map[string]json.RawMessage
	_ = json.Unmarshal(s.Input, &in)
	for _, field := range []string{"command", "file_path", "url", "pattern", "description", "text"} {
		var v string
		if json.Unmarshal(in[field], &v) == nil && v != "" {
			return s.Tool + " " + v
		}
	}
	return s.Tool
}

// call authorizes a tool call and runs it. What the call returned, failed or
// not, is a result; the error is that of a call that did not run.
func (h *host) call(ctx context.Context, a *actor, s *step, n string, task *ui.Task, r *row) (string, error) {
	call := permission.Call{ID: s.id, Tool: s.Tool, Input: s.Input, Dir: h.w.project}
	if s.id == "" {
		call.Input = h.w.fill(s.Input)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout(s.Tool))
	defer cancel()
	var grant *permission.Grant
	var out string
	var labels permission.Labels
	var err error
	if strings.HasPrefix(call.Tool, "mcp__") {
		out, grant, err = h.callServer(ctx, a.session, call)
		if grant == nil {
			return "", err
		}
	} else if grant, err = a.session.Authorize(ctx, call); err != nil {
		return "", err
	}
	decision := grant.Decision()
	r.decision, r.why = &decision, reasons(decision)
	if err := grant.Unsaved(); err != nil {
		h.say("     %s", err)
	}
	if grant.Confined() && h.box == nil {
		return "", fmt.Errorf("it may run only inside a sandbox, and there is none: %s", h.noBox)
	}
	r.where = h.where(grant)
	if !strings.HasPrefix(call.Tool, "mcp__") {
		out, labels, err = h.run(ctx, a, grant, s, n, task)
	}
	out = cut(out)
	// What a secret was in is told before it is taken out.
	labels |= a.session.LabelsOf([]byte(out))
	out = h.redact.String(out)
	ended := "ended well"
	if err != nil && errors.Is(context.Cause(ctx), ui.ErrCancelled) {
		err = ui.ErrCancelled
		r.why = err.Error()
	}
	if err != nil {
		// The call ran; that it failed is a result like any other.
		ended = h.redact.String(err.Error())
		out = strings.TrimLeft(strings.TrimRight(out, "\n")+"\n("+ended+")", "\n")
	}
	if err := a.session.Outcome(ctx, grant, ended, labels); err != nil {
		return "", err
	}
	return out, nil
}

// callTimeout bounds a call. A sub-agent's calls are bounded one by one.
func callTimeout(tool string) time.Duration {
	if tool == "Agent" {
		return time.Hour
	}
	return personTimeout + toolTimeout
}

// personTimeout is how long a question waits for an answer.
const personTimeout = 30 * time.Minute

func cut(s string) string {
	if len(s) > maxResult {
		return strings.ToValidUTF8(s[:maxResult], "") + "…"
	}
	return s
}

// run does what was granted. labels are what only it knows of the result.
func (h *host) run(ctx context.Context, a *actor, grant *permission.Grant, s *step, n string, task *ui.Task) (out string, labels permission.Labels, err error) {
	call := grant.Call()
	var in input
	if err := json.Unmarshal(call.Input, &in); err != nil {
		return "", 0, err
	}
	if out, known, err := h.fileTool(ctx, grant, in); known {
		return out, 0, err
	}
	switch call.Tool {
	case "Bash":
		return h.shell(ctx, a.session, grant, in.Command, task.Line)
	case webread.Name:
		out, err = h.fetch(ctx, a.session, grant)
		return out, permission.Untrusted, err
	case "Agent":
		out, err = h.subagent(ctx, a, s, n)
		return out, 0, err
	}
	return "", 0, fmt.Errorf("this program has no tool %s", call.Tool)
}

// say shows one line with the values of the secret store taken out.
func (h *host) say(format string, args ...any) {
	h.ui.Say(h.redact.String(fmt.Sprintf(format, args...)))
}
