package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/clearance-go/clearance/mcptrust"
	"github.com/clearance-go/clearance/mcptrust/gosdk"
	"github.com/clearance-go/clearance/permission"
)

// servers are the live MCP sessions of a run, each behind its guard: only
// approved tools are listed, and a call passes the permission session.
type servers struct {
	sessions []*gosdk.Session
	tools    map[string]remote // by the name that the model uses
	names    []string          // as they stand in the names of the tools
}

type remote struct {
	session *gosdk.Session
	tool    *mcp.Tool
	passed  bool
}

// pendingCall travels with a call through the guard to its authorization.
type pendingCall struct {
	session *permission.Session
	call    permission.Call
	grant   *permission.Grant
	// begin starts the wait for the server, end ends it.
	begin func() (end func())
	end   func()
}

type pendingKey struct{}

// authorize is gosdk.Options.Authorize: the call that the host is making.
func authorize(ctx context.Context, tool string, input json.RawMessage) error {
	p, ok := ctx.Value(pendingKey{}).(*pendingCall)
	if !ok || p.call.Tool != tool {
		return errors.New("the call was not made by the agent")
	}
	p.call.Input = input
	var err error
	if p.grant, err = p.session.Authorize(ctx, p.call); err == nil {
		p.end = p.begin()
	}
	return err
}

func (s *servers) close() {
	for _, c := range s.sessions {
		_ = c.Close()
	}
}

// connect starts an MCP server of the project after a person saw its whole
// definition, and approves those of its tools that carry no finding.
func (h *host) connect(ctx context.Context, name string) (string, error) {
	defined, err := mcptrust.ReadFile(mcptrust.ParseOptions{
		Source: mcptrust.Source{Scope: mcptrust.ScopeProject, File: filepath.Join(h.w.project, ".mcp.json")}, Lookup: os.LookupEnv,
	})
	if err != nil {
		return "", err
	}
	for _, s := range defined {
		if s.Name == name {
			return h.start(ctx, s)
		}
	}
	return "", fmt.Errorf("no server %q in .mcp.json", name)
}

func (h *host) start(ctx context.Context, server mcptrust.Server) (string, error) {
	var held withheld
	// The time from the start of the server to its first words is the server's.
	wait := func() {}
	defer func() { wait() }()
	opts := gosdk.Options{
		Registry: h.trust, Project: h.w.project, Authorize: authorize, Withheld: held.add,
		Resolve: h.secrets.Resolve, Env: h.w.env, Implementation: &mcp.Implementation{Name: "clearance-agent", Version: "1.0.0"},
		Prepare: func(*exec.Cmd) error { wait = h.clock.outside(); return nil },
	}
	if server.Transport != mcptrust.Stdio {
		// The definition comes with the project: it names a credential, and the
		// store says where that may go.
		opts.Resolve = h.secrets.ResolveFor(server.URL.Expanded())
	}
	session, err := gosdk.Connect(ctx, server, opts)
	var nt *mcptrust.NotTrustedError
	if errors.As(err, &nt) {
		if nt.Check.Token == "" {
			return "", err
		}
		yes, err := h.person.confirm(ctx, "Start the MCP server "+server.Name+"?", nt.Check.Prompt, nt.Check.Confirm)
		if err != nil {
			return "", err
		}
		if !yes {
			return "", errors.New("the server is not trusted, so it was not started")
		}
		if err := h.trust.Approve(ctx, nt.Check.Token.Confirm(nt.Check.Confirm)); err != nil {
			return "", err
		}
		if err := h.gate.Note(ctx, permission.EventTrust, "The MCP server "+server.Name+" was trusted."); err != nil {
			return "", err
		}
		session, err = gosdk.Connect(ctx, server, opts)
		if err != nil {
			return "", err
		}
	} else if err != nil {
		return "", err
	}
	wait()
	h.servers.sessions = append(h.servers.sessions, session)
	exposed := strings.TrimSuffix(strings.TrimPrefix(mcptrust.ExposedName(server.Name, "x"), "mcp__"), "__x")
	h.servers.names = append(h.servers.names, exposed)
	if err := h.refresh(); err != nil {
		return "", err
	}
	return h.approveTools(ctx, session, server.Name, &held)
}

// withheld is what the guard held back.
type withheld struct {
	mu     sync.Mutex
	checks []mcptrust.ItemCheck
}

func (w *withheld) add(cs []mcptrust.ItemCheck) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.checks = append(w.checks, cs...)
}

func (w *withheld) take() []mcptrust.ItemCheck {
	w.mu.Lock()
	defer w.mu.Unlock()
	cs := w.checks
	w.checks = nil
	return cs
}

// approveTools looks at the tools of a new server. Approving the server is
// taken for those that nothing is found in; the others stay withheld.
func (h *host) approveTools(ctx context.Context, session *gosdk.Session, server string, held *withheld) (string, error) {
	if _, err := list(ctx, session); err != nil {
		return "", err
	}
	var tokens []mcptrust.Token
	for _, c := range held.take() {
		if c.Token != "" && !c.Flagged() {
			tokens = append(tokens, c.Token)
		}
	}
	if len(tokens) > 0 {
		if err := h.trust.Approve(ctx, tokens...); err != nil {
			return "", err
		}
	}
	tools, err := list(ctx, session)
	if err != nil {
		return "", err
	}
	if h.servers.tools == nil {
		h.servers.tools = map[string]remote{}
	}
	var passed, kept []string
	for _, t := range tools {
		passed = append(passed, t.Name)
		h.servers.tools[mcptrust.ExposedName(server, t.Name)] = remote{session, t, true}
	}
	for _, c := range held.take() {
		kept = append(kept, c.Name)
		h.servers.tools[mcptrust.ExposedName(server, c.Name)] = remote{session, &mcp.Tool{Name: c.Name}, false}
		for _, f := range c.Findings {
			h.say("     withheld %s: %s (%s)", c.Name, f.Text, f.Code)
		}
	}
	return fmt.Sprintf("offers %s; withheld: %s", strings.Join(passed, ", "), strings.Join(kept, ", ")), nil
}

func list(ctx context.Context, session *gosdk.Session) ([]*mcp.Tool, error) {
	var out []*mcp.Tool
	for t, err := range session.Tools(ctx, nil) {
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// callServer calls a tool of a server. The guard asks the registry first, so
// that nobody is asked about a tool that is withheld, and then the permission
// session. What comes back is text of the server.
func (h *host) callServer(ctx context.Context, session *permission.Session, call permission.Call) (out string, grant *permission.Grant, err error) {
	r, ok := h.servers.tools[call.Tool]
	if !ok {
		return "", nil, fmt.Errorf("no connected server has a tool %s", call.Tool)
	}
	p := &pendingCall{session: session, call: call, begin: h.clock.outside, end: func() {}}
	var args map[string]any
	if err := json.Unmarshal(call.Input, &args); err != nil {
		return "", nil, fmt.Errorf("the input is not an object: %w", err)
	}
	res, err := r.session.CallTool(context.WithValue(ctx, pendingKey{}, p), &mcp.CallToolParams{Name: r.tool.Name, Arguments: call.Input})
	p.end()
	if err != nil {
		return "", p.grant, err
	}
	var b strings.Builder
	for _, item := range res.Content {
		if t, ok := item.(*mcp.TextContent); ok {
			b.WriteString(t.Text + "\n")
		} else {
			fmt.Fprintf(&b, "(%T)\n", item)
		}
	}
	if res.IsError {
		err = errors.New("the tool reports an error")
	}
	return b.String(), p.grant, err
}
