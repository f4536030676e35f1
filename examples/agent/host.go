package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/clearance-go/clearance/credstore"
	"github.com/clearance-go/clearance/mcptrust"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/settings"
	"github.com/clearance-go/clearance/permission/toolset"
	"github.com/clearance-go/clearance/scope"
)

// Limits of what a tool returns and how long it runs.
const (
	maxResult   = 64 << 10
	toolTimeout = 2 * time.Minute
)

// host is the agent's side: it runs what the gate lets through.
type host struct {
	w       *workspace
	person  *person
	out     io.Writer
	rules   *settings.Settings
	trust   *mcptrust.Registry
	guard   *scope.Guard
	tools   *toolset.Tools
	gate    *permission.Gate
	session *permission.Session
	redact  *credstore.Redactor
	servers map[string]*connection
}

type connection struct {
	session *mcp.ClientSession
	server  mcptrust.Server
}

func (h *host) close() {
	for _, c := range h.servers {
		_ = c.session.Close()
	}
}

// do runs one step and says how it ended.
func (h *host) do(ctx context.Context, n int, s *step) row {
	h.person.step, h.person.asked = s.Answer, 0
	r := row{n: n, step: s, what: h.redact.String(describe(s))}
	if s.Needs != "" {
		if _, err := exec.LookPath(s.Needs); err != nil {
			r.outcome, r.why = "stepped over", s.Needs+" is not installed"
			return r
		}
	}
	h.say("%2d %s %s", n, r.what, note(s))
	var result string
	var err error
	switch s.Host {
	case "":
		result, err = h.call(ctx, s, &r)
	case "workspace":
		result, err = h.trustWorkspace(ctx)
	case "server":
		result, err = h.connect(ctx, s.Name)
	default:
		err = fmt.Errorf("unknown host step %q", s.Host)
	}
	r.asked = h.person.asked > 0
	var refused *permission.RefusedError
	var missing *missingError
	switch {
	case err == nil:
		r.outcome = "ran"
		if r.why == "" {
			r.why = result
		}
	case errors.As(err, &missing):
		r.outcome, r.why = "stepped over", err.Error()
	case errors.As(err, &refused):
		r.outcome, r.why = "refused", reasons(refused.Decision)
	default:
		r.outcome, r.why = "refused", err.Error()
	}
	r.why = h.w.shorten(h.redact.String(r.why))
	if s.Host == "" {
		shown := result
		if err != nil {
			shown = err.Error()
		}
		for _, line := range strings.Split(strings.TrimRight(shown, "\n"), "\n") {
			h.say("     %s", mcptrust.Escape(line))
		}
	}
	return r
}

type missingError struct{ text string }

func (e *missingError) Error() string { return e.text }

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
	for _, field := range []string{"command", "file_path", "url", "pattern", "text"} {
		var v string
		if json.Unmarshal(in[field], &v) == nil && v != "" {
			return s.Tool + " " + mcptrust.Escape(v)
		}
	}
	return s.Tool
}

// call authorizes a tool call and runs it.
func (h *host) call(ctx context.Context, s *step, r *row) (string, error) {
	if s.Tool == "Bash" && h.w.bash == "" {
		return "", &missingError{"bash is not installed"}
	}
	call := permission.Call{Tool: s.Tool, Input: h.w.fill(s.Input), Dir: h.w.project}
	// A tool that is withheld does not exist for the model.
	if strings.HasPrefix(call.Tool, "mcp__") {
		if err := h.checkTool(ctx, call.Tool); err != nil {
			return "", err
		}
	}
	grant, err := h.session.Authorize(ctx, call)
	if err != nil {
		return "", err
	}
	r.why = reasons(grant.Decision())
	if grant.Confined() {
		return "", errors.New("it may run only inside a sandbox, and this program has none")
	}
	ctx, cancel := context.WithTimeout(ctx, toolTimeout)
	defer cancel()
	out, err := h.run(ctx, grant)
	out = h.redact.String(cut(out))
	if err != nil {
		// The call ran; that it failed is a result like any other.
		out = strings.TrimRight(out, "\n") + "\n(" + h.redact.String(err.Error()) + ")"
	}
	return out, nil
}

func cut(s string) string {
	if len(s) > maxResult {
		return strings.ToValidUTF8(s[:maxResult], "") + "…"
	}
	return s
}

// run does what was granted.
func (h *host) run(ctx context.Context, grant *permission.Grant) (string, error) {
	call := grant.Call()
	var in struct {
		Command   string `json:"command"`
		FilePath  string `json:"file_path"`
		Content   string `json:"content"`
		OldString string `json:"old_string"`
		NewString string `json:"new_string"`
		Pattern   string `json:"pattern"`
		Path      string `json:"path"`
	}
	if err := json.Unmarshal(call.Input, &in); err != nil && !strings.HasPrefix(call.Tool, "mcp__") {
		return "", err
	}
	files := toolset.Files(h.guard, grant)
	switch call.Tool {
	case "Bash":
		return h.bash(ctx, in.Command)
	case "Read":
		b, err := files.ReadFile(in.FilePath)
		return string(b), err
	case "Write":
		return "written", files.WriteFile(in.FilePath, []byte(in.Content))
	case "Edit":
		b, err := files.ReadFile(in.FilePath)
		if err != nil {
			return "", err
		}
		if n := bytes.Count(b, []byte(in.OldString)); n != 1 {
			return "", fmt.Errorf("the old text stands %d times in the file, want once", n)
		}
		return "edited", files.WriteFile(in.FilePath, bytes.Replace(b, []byte(in.OldString), []byte(in.NewString), 1))
	case "Glob":
		return h.walk(files, grant, in.Path, func(rel string, _ []byte) string {
			if ok, _ := filepath.Match(filepath.Base(in.Pattern), filepath.Base(rel)); ok {
				return rel + "\n"
			}
			return ""
		}, false)
	case "Grep":
		return h.walk(files, grant, in.Path, func(rel string, data []byte) string {
			var out strings.Builder
			for i, line := range strings.Split(string(data), "\n") {
				if strings.Contains(line, in.Pattern) {
					fmt.Fprintf(&out, "%s:%d: %s\n", rel, i+1, line)
				}
			}
			return out.String()
		}, true)
	}
	if server, tool, ok := splitTool(call.Tool); ok {
		return h.callServer(ctx, server, tool, call.Input)
	}
	return "", fmt.Errorf("this program has no tool %s", call.Tool)
}

// walk shows every file below a folder that may be read, and none that the
// rules or the guard hide.
func (h *host) walk(files *scope.Guard, grant *permission.Grant, dir string, show func(string, []byte) string, content bool) (string, error) {
	if dir == "" {
		dir = h.w.project
	}
	var out strings.Builder
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return fs.SkipDir
		}
		if !d.Type().IsRegular() || !grant.Permits(permission.List, name) {
			return nil
		}
		rel, err := filepath.Rel(h.w.project, name)
		if err != nil {
			return err
		}
		var data []byte
		if content {
			if data, err = files.ReadFile(name); err != nil {
				// Hidden by the guard: a file that may hold secrets.
				return nil
			}
		}
		out.WriteString(show(filepath.ToSlash(rel), data))
		return nil
	})
	return out.String(), err
}

// bash runs a command by a shell that reads no start-up files, in the
// environment that the analyzer's verdict rests on.
func (h *host) bash(ctx context.Context, command string) (string, error) {
	cmd := exec.CommandContext(ctx, h.w.bash, "--noprofile", "--norc", "-c", command)
	cmd.Dir, cmd.Env = h.w.project, h.w.env
	cmd.WaitDelay = 2 * time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// trustWorkspace shows what the repository's settings would loosen.
func (h *host) trustWorkspace(ctx context.Context) (string, error) {
	l := h.rules.Loosening()
	if l.Digest == "" || l.Trusted {
		return "nothing to trust", nil
	}
	prompt := "Trusting this workspace would put in force:\n  " + strings.Join(escapeAll(l.Entries), "\n  ")
	yes, err := h.person.confirm(ctx, prompt)
	if err != nil {
		return "", err
	}
	if !yes {
		return "", errors.New("not trusted: the repository's settings may only tighten")
	}
	if err := h.trust.ApproveWorkspace(ctx, h.w.project, l.Digest); err != nil {
		return "", err
	}
	if err := h.rules.Reload(ctx); err != nil {
		return "", err
	}
	eval, err := permission.New(permission.Config{Policy: h.rules.Policy(), Inspector: h.tools})
	if err != nil {
		return "", err
	}
	h.gate.Swap(eval)
	return "trusted", nil
}

func escapeAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = mcptrust.Escape(s)
	}
	return out
}

// connect starts an MCP server of the project after a person saw its whole
// definition, and approves those of its tools that carry no finding.
func (h *host) connect(ctx context.Context, name string) (string, error) {
	servers, err := mcptrust.ReadFile(mcptrust.ParseOptions{
		Source: mcptrust.Source{Scope: mcptrust.ScopeProject, File: filepath.Join(h.w.project, ".mcp.json")}, Lookup: os.LookupEnv,
	})
	if err != nil {
		return "", err
	}
	for _, s := range servers {
		if s.Name != name {
			continue
		}
		check, err := h.trust.Check(ctx, h.w.project, s)
		if err != nil {
			return "", err
		}
		if check.Status != mcptrust.Trusted {
			if check.Token == "" {
				return "", fmt.Errorf("the server cannot be approved: %s", check.Status)
			}
			yes, err := h.person.confirm(ctx, check.Prompt)
			if err != nil {
				return "", err
			}
			if !yes || check.Flagged() {
				return "", errors.New("the server is not trusted, so it was not started")
			}
			if err := h.trust.Approve(ctx, check.Token); err != nil {
				return "", err
			}
		}
		argv := check.Server.Argv()
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Dir, cmd.Env = h.w.project, h.w.env
		session, err := mcp.NewClient(&mcp.Implementation{Name: "clearance-agent", Version: "1.0.0"}, nil).
			Connect(ctx, &mcp.CommandTransport{Command: cmd}, nil)
		if err != nil {
			return "", err
		}
		if h.servers == nil {
			h.servers = map[string]*connection{}
		}
		h.servers[name] = &connection{session, check.Server}
		return h.approveTools(ctx, name)
	}
	return "", fmt.Errorf("no server %q in .mcp.json", name)
}

// approveTools looks at the tools of a new server. Approving the server is
// taken for those that nothing is found in; the others stay withheld.
func (h *host) approveTools(ctx context.Context, name string) (string, error) {
	checks, err := h.checkTools(ctx, name)
	if err != nil {
		return "", err
	}
	var tokens []mcptrust.Token
	var passed, withheld []string
	for _, c := range checks {
		switch {
		case c.Status == mcptrust.Trusted:
			passed = append(passed, c.Name)
		case c.Token == "" || len(c.Findings) > 0:
			withheld = append(withheld, c.Name)
			for _, f := range c.Findings {
				h.say("     withheld %s: %s (%s)", mcptrust.Escape(c.Name), f.Text, f.Code)
			}
		default:
			tokens = append(tokens, c.Token)
			passed = append(passed, c.Name)
		}
	}
	if len(tokens) > 0 {
		if err := h.trust.Approve(ctx, tokens...); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("offers %s; withheld: %s", strings.Join(passed, ", "), strings.Join(withheld, ", ")), nil
}

func (h *host) checkTools(ctx context.Context, name string) ([]mcptrust.ItemCheck, error) {
	c := h.servers[name]
	if c == nil {
		return nil, fmt.Errorf("the server %q is not connected", name)
	}
	list, err := c.session.ListTools(ctx, nil)
	if err != nil {
		return nil, err
	}
	var tools []mcptrust.Tool
	for _, t := range list.Tools {
		b, err := json.Marshal(t)
		if err != nil {
			return nil, err
		}
		tool, err := mcptrust.ParseTool(b)
		if err != nil {
			return nil, err
		}
		// The model gets the SDK's typed value, so that is what is pinned.
		tool.Raw = false
		tools = append(tools, tool)
	}
	return h.trust.CheckTools(ctx, h.w.project, c.server, tools)
}

// checkTool refuses a tool that was not approved as it is now.
func (h *host) checkTool(ctx context.Context, name string) error {
	server, tool, ok := splitTool(name)
	if !ok {
		return fmt.Errorf("%s names no tool of a server", name)
	}
	checks, err := h.checkTools(ctx, server)
	if err != nil {
		return err
	}
	for _, c := range checks {
		if c.Name == tool {
			if c.Status == mcptrust.Trusted {
				return nil
			}
			text := "not approved"
			if len(c.Findings) > 0 {
				text = c.Findings[0].Text
			}
			return fmt.Errorf("the tool %s is withheld: %s", name, text)
		}
	}
	return fmt.Errorf("the server lists no tool %s", name)
}

func splitTool(name string) (server, tool string, ok bool) {
	rest, ok := strings.CutPrefix(name, "mcp__")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "__")
}

func (h *host) callServer(ctx context.Context, server, tool string, input json.RawMessage) (string, error) {
	c := h.servers[server]
	if c == nil {
		return "", fmt.Errorf("the server %q is not connected", server)
	}
	res, err := c.session.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: input})
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, item := range res.Content {
		if t, ok := item.(*mcp.TextContent); ok {
			out.WriteString(t.Text + "\n")
		}
	}
	return out.String(), nil
}

// auditLog keeps one JSON line a decision, on the disk before the call runs.
type auditLog struct {
	path  string
	mu    sync.Mutex
	lines int
}

// Record appends a decision.
func (l *auditLog) Record(_ context.Context, r permission.Record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		l.lines++
	}
	return err
}

// row is one line of the closing table.
type row struct {
	n       int
	step    *step
	what    string
	outcome string
	asked   bool
	why     string
}

// reasons puts the deciding reasons into a few words: the rules first.
func reasons(d permission.Decision) string {
	seen := map[string]bool{}
	var out []string
	for _, r := range d.Reasons {
		if r.Verdict != d.Verdict && !(d.Verdict == permission.Deny && r.Verdict == permission.Ask) {
			continue
		}
		text := r.Text
		if r.Rule != nil {
			text = r.Rule.String()
		}
		if text != "" && !seen[text] {
			seen[text] = true
			out = append(out, text)
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return strings.Contains(out[i], " rule ") && !strings.Contains(out[j], " rule ") })
	return strings.Join(out, " ")
}

// printTable prints what ran, what was asked and what was refused, and says
// whether all of it was expected.
func printTable(out io.Writer, rows []row) bool {
	ok := true
	fmt.Fprintf(out, "\n%-3s %-13s %-6s %-46s %s\n", "#", "outcome", "asked", "call", "why")
	for _, r := range rows {
		asked := ""
		if r.asked {
			asked = "asked"
		}
		mark := ""
		if r.step.Expect != "" && r.outcome != "stepped over" && r.outcome != r.step.Expect {
			ok = false
			mark = "  <- expected: " + r.step.Expect
		}
		fmt.Fprintf(out, "%-3d %-13s %-6s %-46s %s%s\n", r.n, r.outcome, asked, short(r.what, 46), short(mcptrust.Escape(r.why), 150), mark)
	}
	return ok
}

func short(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
