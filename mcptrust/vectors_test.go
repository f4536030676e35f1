package mcptrust

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// floors are the counts below which TestVectors fails, so that what once passed
// keeps passing.
var floors = map[string]int{"mcp.jsonl": 168, "mcp-policy.jsonl": 14}

func vectorDir(t *testing.T) string {
	if d := os.Getenv("CLEARANCE_VECTORS"); d != "" {
		return d
	}
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			d := filepath.Join(dir, "..", "shared", "vectors")
			if _, err := os.Stat(d); err == nil {
				return d
			}
		}
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("no vectors: set CLEARANCE_VECTORS")
	}
	t.Skip("no vectors: neither $CLEARANCE_VECTORS nor shared/vectors beside the module")
	return ""
}

func exceptions(t *testing.T) map[string]string {
	out := map[string]string{}
	b, err := os.ReadFile("testdata/vector-exceptions.txt")
	if os.IsNotExist(err) {
		return out
	}
	require.NoError(t, err)
	for l := range strings.Lines(string(b)) {
		if id, why, ok := strings.Cut(strings.TrimSpace(l), ": "); ok && !strings.HasPrefix(id, "#") {
			out[id] = why
		}
	}
	return out
}

type vector struct {
	ID, Kind, Expect string
	Hint             bool
	Input            json.RawMessage
	// mcp-policy
	Allowed, Denied json.RawMessage
	Server          vecServer
}

type vecServer struct {
	Name, Type, URL, Cwd, Source, HeadersHelper string
	Command                                     json.RawMessage
	Args, Env, Headers, EnvValuesChanged        []string
	OAuth                                       json.RawMessage
	AlwaysLoad                                  json.RawMessage
	SHA256, Resolved, Expanded, Image           string
	Files                                       map[string]string
	Timeout                                     json.RawMessage
	rest                                        map[string]json.RawMessage
}

func (v *vecServer) UnmarshalJSON(b []byte) error {
	type plain vecServer
	if err := json.Unmarshal(b, (*plain)(v)); err != nil {
		return err
	}
	if err := json.Unmarshal(b, &v.rest); err != nil {
		return err
	}
	for _, k := range []string{"name", "type", "url", "cwd", "source", "headersHelper", "command", "args", "env", "headers", "envValuesChanged",
		"oauth", "sha256", "resolved", "expanded", "image", "files"} {
		delete(v.rest, k)
	}
	return nil
}

func (v *vecServer) server() Server {
	s := Server{Name: v.Name, Transport: Transport(v.Type), HeadersHelper: Literal(v.HeadersHelper), OAuth: v.OAuth, Extra: v.rest,
		Evidence: Evidence{Executable: v.Resolved, SHA256: v.SHA256, Files: v.Files, Image: v.Image}}
	scope, name, _ := strings.Cut(v.Source, ":")
	switch scope {
	case "user":
		s.Source.Scope = ScopeUser
	case "local":
		s.Source.Scope = ScopeLocal
	case "plugin":
		s.Source = Source{Scope: ScopePlugin, Name: name}
	case "cli":
		s.Source.Scope = ScopeCommandLine
	case "managed":
		s.Source.Scope = ScopeManaged
	}
	if s.Transport != Stdio {
		s.URL = Literal(v.URL)
		for _, h := range v.Headers {
			if s.Headers == nil {
				s.Headers = map[string]Value{}
			}
			s.Headers[h], _ = Expand("${TOKEN}", func(string) (string, bool) { return "t", true })
		}
		return s
	}
	var argv []string
	var word string
	if json.Unmarshal(v.Command, &argv) != nil {
		json.Unmarshal(v.Command, &word)
		argv = append([]string{word}, v.Args...)
	}
	s.Command = Literal(argv[0])
	if v.Expanded != "" {
		// The value of the one variable is what the rest of the template leaves.
		_, tail, _ := strings.Cut(argv[0], "}")
		s.Command, _ = Expand(argv[0], func(string) (string, bool) { return strings.TrimSuffix(v.Expanded, tail), true })
	}
	s.Args = Literals(argv[1:]...)
	s.Dir = Literal(v.Cwd)
	s.Env = map[string]Value{}
	for _, e := range v.Env {
		s.Env[e] = Literal("one")
		if slices.Contains(v.EnvValuesChanged, e) {
			s.Env[e] = Literal("two")
		}
	}
	return s
}

func registry(t *testing.T, opts Options) *Registry {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = filepath.Join(t.TempDir(), "trust")
	}
	if opts.Home == "" {
		opts.Home = t.TempDir()
	}
	r, err := Open(opts)
	require.NoError(t, err)
	return r
}

func word(s Status, reasons []Reason, flagged bool) string {
	switch {
	case s == Trusted:
		return "trusted"
	case s == Blocked:
		for _, r := range reasons {
			if r.Code == CodeServerInvalid || r.Code == CodeItemInvalid {
				return "error"
			}
		}
		return "blocked"
	case flagged:
		return "flagged"
	}
	return "needs-approval"
}

func checkWord(c ServerCheck, err error) string {
	if err != nil {
		return "error"
	}
	return word(c.Status, c.Reasons, c.Flagged())
}

func approve(t *testing.T, r *Registry, c ServerCheck) {
	t.Helper()
	require.NoError(t, r.Approve(t.Context(), c.Token.Confirm(c.Confirm)))
}

// run returns the outcome of a vector, or "" for a kind that has no runner.
func run(t *testing.T, v *vector) string {
	ctx := t.Context()
	switch v.Kind {
	case "mcpjson-parse":
		var in struct {
			File, Text string
			Env        map[string]string
		}
		require.NoError(t, json.Unmarshal(v.Input, &in))
		if strings.Contains(in.File, "settings") {
			found, err := ScanSettings([]byte(in.Text), Source{File: in.File})
			switch {
			case err != nil:
				return "error"
			case len(found) > 0:
				return "flagged"
			}
			return "trusted"
		}
		opts := ParseOptions{Source: Source{File: in.File}, Lookup: func(k string) (string, bool) { x, ok := in.Env[k]; return x, ok }}
		if strings.HasPrefix(in.File, ".vscode") {
			opts.Format = FormatVSCode
		}
		servers, err := Parse([]byte(in.Text), opts)
		if err != nil {
			return "error"
		}
		r, project, out := registry(t, Options{}), t.TempDir(), "trusted"
		for _, s := range servers {
			c, err := r.Check(ctx, project, s)
			if w := checkWord(c, err); rank(w) > rank(out) {
				out = w
			}
		}
		return out
	case "server-change":
		return runChange(t, v)
	case "tool-poison":
		var in struct {
			Tool, Prompt, Resource json.RawMessage
			Instructions           string
		}
		require.NoError(t, json.Unmarshal(v.Input, &in))
		r, project, s := registry(t, Options{}), t.TempDir(), Server{Name: "weather", Transport: Stdio, Command: Literal("weather")}
		c, err := r.Check(ctx, project, s)
		require.NoError(t, err)
		approve(t, r, c)
		var is []ItemCheck
		check := func() {
			switch {
			case in.Tool != nil:
				tool, perr := ParseTool(in.Tool)
				if perr != nil {
					is, err = nil, perr
					return
				}
				is, err = r.CheckTools(ctx, project, s, []Tool{tool})
			case in.Prompt != nil:
				is, err = r.CheckPrompts(ctx, project, s, []json.RawMessage{in.Prompt})
			case in.Resource != nil:
				is, err = r.CheckResources(ctx, project, s, []json.RawMessage{in.Resource})
			default:
				var i ItemCheck
				i, err = r.CheckInstructions(ctx, project, s, in.Instructions)
				is = []ItemCheck{i}
			}
		}
		check()
		if err != nil {
			return "error"
		}
		w := word(is[0].Status, is[0].Reasons, is[0].Flagged())
		if w == "needs-approval" && len(is[0].Findings) > 0 {
			return "hint"
		}
		if w != "needs-approval" || v.Expect == "needs-approval" {
			return w
		}
		// Nothing found: with the pin present it is trusted.
		require.NoError(t, r.Approve(ctx, is[0].Token))
		check()
		require.NoError(t, err)
		return word(is[0].Status, is[0].Reasons, is[0].Flagged())
	case "shadowing":
		var in struct {
			Servers []struct {
				Name  string
				Tools []map[string]json.RawMessage
			}
			Builtin []string
		}
		require.NoError(t, json.Unmarshal(v.Input, &in))
		r, project, out := registry(t, Options{BuiltinTools: in.Builtin}), t.TempDir(), "trusted"
		for _, sv := range in.Servers {
			s := Server{Name: sv.Name, Transport: Stdio, Command: Literal("srv-" + sv.Name)}
			c, err := r.Check(ctx, project, s)
			if w := checkWord(c, err); w == "error" {
				return w
			}
			approve(t, r, c)
			var tools []Tool
			for _, m := range sv.Tools {
				m["inputSchema"] = json.RawMessage(`{"type":"object"}`)
				b, _ := json.Marshal(m)
				tool, err := ParseTool(b)
				require.NoError(t, err)
				tools = append(tools, tool)
			}
			is, err := r.CheckTools(ctx, project, s, tools)
			require.NoError(t, err)
			for _, i := range is {
				w := word(i.Status, i.Reasons, i.Flagged())
				if w == "needs-approval" {
					w = "trusted" // nothing found; with a pin it passes
					require.NoError(t, r.Approve(ctx, i.Token))
				}
				if rank(w) > rank(out) {
					out = w
				}
			}
		}
		return out
	case "allowlist":
		var in struct {
			Server        vecServer
			Managed, User json.RawMessage
		}
		require.NoError(t, json.Unmarshal(v.Input, &in))
		src := PolicySource{File: "managed", Managed: true, Data: in.Managed}
		src.Pending = strings.Contains(string(in.Managed), `"pending"`)
		pol, _ := LoadPolicy([]PolicySource{src, {File: "user", Data: in.User}})
		dir, home, project := filepath.Join(t.TempDir(), "trust"), t.TempDir(), t.TempDir()
		free := registry(t, Options{Dir: dir, Home: home})
		s := in.Server.server()
		c, err := free.Check(ctx, project, s)
		require.NoError(t, err)
		if c.Token != "" {
			approve(t, free, c)
		}
		return checkWord(registry(t, Options{Dir: dir, Home: home, Policy: pol}).Check(ctx, project, s))
	case "": // mcp-policy
		data, err := json.Marshal(map[string]json.RawMessage{"allowedMcpServers": v.Allowed, "deniedMcpServers": v.Denied})
		require.NoError(t, err)
		pol, _ := LoadPolicy([]PolicySource{{File: "managed", Managed: true, Data: data}})
		if pol.Evaluate(v.Server.server()).Allowed {
			return "allow"
		}
		return "block"
	}
	return ""
}

func rank(w string) int {
	return slices.Index([]string{"trusted", "needs-approval", "flagged", "blocked", "error"}, w)
}

func runChange(t *testing.T, v *vector) string {
	ctx := t.Context()
	var in struct {
		Subject                   string
		Approved, Current         json.RawMessage
		ApprovedTool, CurrentTool json.RawMessage
		ApprovedTools             []string
		CurrentTools              []string
		Sequence                  []string
		Event                     string
		ApprovedRoot              *string
		CurrentRoot               string
		GitCommondir              string
		WorktreeVerified          bool
		Server                    json.RawMessage
		Interactive               *bool
		LockfileFromUser          bool
		StoreState                string
		CaseInsensitiveFS         *bool
	}
	require.NoError(t, json.Unmarshal(v.Input, &in))
	project := t.TempDir()
	s := Server{Name: "fs", Transport: Stdio, Command: Literal("fs")}
	switch in.Subject {
	case "config":
		var a, b vecServer
		require.NoError(t, json.Unmarshal(in.Approved, &a))
		require.NoError(t, json.Unmarshal(in.Current, &b))
		r := registry(t, Options{})
		c, err := r.Check(ctx, project, a.server())
		require.NoError(t, err)
		approve(t, r, c)
		w := checkWord(r.Check(ctx, project, b.server()))
		if w == "flagged" && v.Expect == "needs-approval" {
			return "needs-approval" // stricter by a typed name
		}
		return w
	case "tool":
		if in.ApprovedTools != nil && in.Event == "" {
			return runToolSet(t, in.ApprovedTools, in.CurrentTools)
		}
		if in.Event != "" || in.ApprovedTool == nil && in.CurrentTool == nil {
			return runLive(t, v.Input)
		}
		if in.Sequence != nil {
			return runSequence(t, in.CurrentTool, in.Sequence)
		}
		r := registry(t, Options{})
		c, err := r.Check(ctx, project, s)
		require.NoError(t, err)
		approve(t, r, c)
		check := func(raw json.RawMessage) ItemCheck {
			tool, err := ParseTool(raw)
			require.NoError(t, err)
			is, err := r.CheckTools(ctx, project, s, []Tool{tool})
			require.NoError(t, err)
			return is[0]
		}
		if string(in.ApprovedTool) != "null" {
			i := check(in.ApprovedTool)
			require.NoError(t, r.Approve(ctx, i.Token.Confirm(i.Confirm)))
		}
		if string(in.CurrentTool) == "null" {
			require.Equal(t, Trusted, check(in.ApprovedTool).Status, "the approval stays")
			return "trusted"
		}
		i := check(in.CurrentTool)
		w := word(i.Status, i.Reasons, i.Flagged())
		if w == "flagged" && v.Expect == "needs-approval" {
			return "needs-approval"
		}
		return w
	case "instructions":
		var a, b string
		if json.Unmarshal(in.Approved, &a) != nil || json.Unmarshal(in.Current, &b) != nil {
			a, b = "", ""
		}
		r := registry(t, Options{})
		c, err := r.Check(ctx, project, s)
		require.NoError(t, err)
		approve(t, r, c)
		i, err := r.CheckInstructions(ctx, project, s, a)
		require.NoError(t, err)
		if i.Token != "" {
			require.NoError(t, r.Approve(ctx, i.Token.Confirm(i.Confirm)))
		}
		i, err = r.CheckInstructions(ctx, project, s, b)
		require.NoError(t, err)
		if w := word(i.Status, i.Reasons, i.Flagged()); w != "flagged" {
			return w
		}
		return "needs-approval"
	case "ttl":
		return runLive(t, v.Input)
	case "prompt", "resource":
		r := registry(t, Options{})
		openSession(t, r, project, s)
		check := func(raw json.RawMessage) ItemCheck {
			check := r.CheckPrompts
			if in.Subject == "resource" {
				check = r.CheckResources
			}
			is, err := check(ctx, project, s, []json.RawMessage{raw})
			require.NoError(t, err)
			return is[0]
		}
		approveItems(t, r, []ItemCheck{check(in.Approved)})
		i := check(in.Current)
		if w := word(i.Status, i.Reasons, i.Flagged()); w != "flagged" {
			return w
		}
		return "needs-approval"
	case "workspace":
		return runWorkspace(t, in.ApprovedRoot, in.CurrentRoot, in.GitCommondir, in.WorktreeVerified, in.Server, in.StoreState,
			in.Interactive != nil && !*in.Interactive, in.LockfileFromUser)
	}
	return ""
}

// runToolSet approves one list of names and checks another.
func runToolSet(t *testing.T, approved, current []string) string {
	ctx, project := t.Context(), t.TempDir()
	r, s := registry(t, Options{}), Server{Name: "fs", Transport: Stdio, Command: Literal("fs")}
	c, err := r.Check(ctx, project, s)
	require.NoError(t, err)
	approve(t, r, c)
	check := func(names []string) []ItemCheck {
		var tools []Tool
		for _, n := range names {
			tools = append(tools, Tool{Name: n, Description: n, InputSchema: json.RawMessage(`{"type":"object"}`)})
		}
		is, err := r.CheckTools(ctx, project, s, tools)
		require.NoError(t, err)
		return is
	}
	for _, i := range check(approved) {
		require.NoError(t, r.Approve(ctx, i.Token.Confirm(i.Confirm)))
	}
	out := "trusted"
	for _, i := range check(current) {
		if slices.Contains(approved, i.Name) {
			require.Equal(t, Trusted, i.Status, "an approved tool keeps working")
		}
		if w := word(i.Status, i.Reasons, i.Flagged()); rank(w) > rank(out) {
			out = w
		}
	}
	return out
}

// runWorkspace builds the folders of the vector below a temporary root, with
// /home/u as the home directory.
func runWorkspace(t *testing.T, approved *string, current, common string, verified bool, server json.RawMessage, state string, headless, lock bool) string {
	ctx := t.Context()
	if headless {
		return runHeadless(t, lock)
	}
	if approved == nil {
		approved = new(string)
		*approved = "/never"
	}
	base, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	at := func(p string) string { return filepath.Join(base, filepath.FromSlash(p)) }
	require.NoError(t, os.MkdirAll(at(*approved), 0o755))
	require.NoError(t, os.MkdirAll(at(current), 0o755))
	r := registry(t, Options{Home: at("/home/u")})
	if *approved != "/home/u" {
		require.NoError(t, os.MkdirAll(at(*approved+"/.git"), 0o755))
	}
	if common != "" {
		dir := at(common + "/worktrees/wt")
		require.NoError(t, os.MkdirAll(dir, 0o755))
		if verified {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "gitdir"), []byte(at(current+"/.git")+"\n"), 0o644))
			require.NoError(t, os.WriteFile(at(current+"/.git"), []byte("gitdir: "+dir+"\n"), 0o644))
		} else {
			require.NoError(t, os.MkdirAll(at(current+"/.git"), 0o755))
			require.NoError(t, os.WriteFile(at(current+"/.git/commondir"), []byte(at(common)), 0o644))
		}
	}
	if server != nil {
		var vs vecServer
		require.NoError(t, json.Unmarshal(server, &vs))
		vs.Name = "s"
		c, err := r.Check(ctx, at(*approved), vs.server())
		require.NoError(t, err)
		approve(t, r, c)
		return checkWord(r.Check(ctx, at(current), vs.server()))
	}
	require.NoError(t, r.ApproveWorkspace(ctx, at(*approved), "d1"))
	file := filepath.Join(r.store.dir, projectFile(at(*approved)))
	switch {
	case state == "":
	case state == "newer-schema":
		require.NoError(t, os.WriteFile(file, []byte(`{"schema":99,"path":"x"}`), 0o600))
	case strings.Contains(state, "writable"), strings.Contains(state, "mode"), strings.Contains(state, "66"):
		require.NoError(t, os.Chmod(file, 0o666))
	case strings.Contains(state, "symlink"):
		require.NoError(t, os.Rename(file, file+".x"))
		require.NoError(t, os.Symlink(file+".x", file))
	case strings.Contains(state, "hard"), strings.Contains(state, "link"):
		require.NoError(t, os.Link(file, file+".x"))
	default:
		require.NoError(t, os.WriteFile(file, []byte(`{"schema":1,"pa`), 0o600))
	}
	ok, err := r.Trusted(ctx, at(current), "d1")
	switch {
	case err != nil:
		return "error"
	case ok:
		return "trusted"
	}
	return "needs-approval"
}

func TestVectors(t *testing.T) {
	dir, except := vectorDir(t), exceptions(t)
	for _, name := range slices.Sorted(maps.Keys(floors)) {
		t.Run(name, func(t *testing.T) {
			f, err := os.Open(filepath.Join(dir, name))
			require.NoError(t, err)
			defer f.Close()
			var passed, failed, skipped, excepted int
			sc := bufio.NewScanner(f)
			sc.Buffer(nil, 4<<20)
			for sc.Scan() {
				var v vector
				require.NoError(t, json.Unmarshal(sc.Bytes(), &v))
				var got string
				t.Run(v.ID, func(t *testing.T) { got = run(t, &v) })
				switch {
				case got == v.Expect, got == "hint" && v.Hint:
					passed++
				case except[v.ID] != "":
					excepted++
					fmt.Printf("excepted %s: %s\n", v.ID, except[v.ID])
				case got == "":
					skipped++
					fmt.Printf("skipped %s: no runner for this kind\n", v.ID)
				default:
					failed++
					fmt.Printf("FAIL %s: got %s, expected %s\n", v.ID, got, v.Expect)
				}
			}
			require.NoError(t, sc.Err())
			fmt.Printf("vectors %s: %d passed, %d failed, %d skipped\n", name, passed, failed, skipped)
			if excepted > 0 {
				fmt.Printf("vectors %s: %d excepted\n", name, excepted)
			}
			if os.Getenv("CLEARANCE_VECTORS") == "" {
				require.GreaterOrEqual(t, passed, floors[name], "fewer vectors pass than before")
			}
		})
	}
}

// runHeadless asks about an undecided server where nobody can answer, with or
// without a lock file that the caller gave.
func runHeadless(t *testing.T, withLock bool) string {
	ctx, project, home := t.Context(), t.TempDir(), t.TempDir()
	s := Server{Name: "fs", Transport: Stdio, Command: Literal("fs")}
	opts := Options{Home: home, Headless: true}
	if withLock {
		author := registry(t, Options{})
		c, err := author.Check(ctx, project, s)
		require.NoError(t, err)
		approve(t, author, c)
		b, err := author.ExportLock(ctx, project, []Server{s})
		require.NoError(t, err)
		opts.Lock, err = ParseLock("given", b)
		require.NoError(t, err)
	}
	return checkWord(registry(t, opts).Check(ctx, project, s))
}

// runSequence approves the first definition of a tool and then sees the others.
func runSequence(t *testing.T, tool json.RawMessage, sequence []string) string {
	ctx, project := t.Context(), t.TempDir()
	r, s := registry(t, Options{}), Server{Name: "fs", Transport: Stdio, Command: Literal("fs")}
	c, err := r.Check(ctx, project, s)
	require.NoError(t, err)
	approve(t, r, c)
	out := "trusted"
	for i, name := range sequence {
		tl, err := ParseTool(tool)
		require.NoError(t, err)
		if name != sequence[0] {
			tl.Description += " " + name
		}
		is, err := r.CheckTools(ctx, project, s, []Tool{tl})
		require.NoError(t, err)
		if i == 0 {
			require.NoError(t, r.Approve(ctx, is[0].Token))
			continue
		}
		w := word(is[0].Status, is[0].Reasons, is[0].Flagged())
		if name == sequence[0] {
			require.Equal(t, "trusted", w, "the approved definition came back")
		}
		if rank(w) > rank(out) {
			out = w
		}
	}
	return out
}

// runLive plays the events of a live session: a call of a tool that was not
// listed, a list that changes between list and call, a revocation after a list.
func runLive(t *testing.T, input json.RawMessage) string {
	ctx, project := t.Context(), t.TempDir()
	var in struct {
		Event, Tool                                                 string
		ListedTools, ApprovedTools, CurrentTools, CurrentDefChanged []string
		RevokedAfterFirstList                                       bool
	}
	require.NoError(t, json.Unmarshal(input, &in))
	r, s := registry(t, Options{}), Server{Name: "fs", Transport: Stdio, Command: Literal("fs")}
	c, err := r.Check(ctx, project, s)
	require.NoError(t, err)
	approve(t, r, c)
	live, err := r.Session(ctx, project, s)
	require.NoError(t, err)
	tools := func(names, changed []string) []Tool {
		var out []Tool
		for _, n := range names {
			tool := Tool{Name: n, Description: "Does " + n, InputSchema: json.RawMessage(`{"type":"object"}`)}
			if slices.Contains(changed, n) {
				tool.Description += " and more"
			}
			out = append(out, tool)
		}
		return out
	}
	list := func(ts []Tool) []ItemCheck {
		is, err := live.Tools(ctx, live.Begin(KindTool, true), Page{First: true, Last: true}, ts)
		require.NoError(t, err)
		return is
	}
	names := append(append([]string(nil), in.ListedTools...), in.ApprovedTools...)
	if len(names) == 0 {
		names = []string{"a"}
	}
	for _, i := range list(tools(names, nil)) {
		require.NoError(t, r.Approve(ctx, i.Token.Confirm(i.Confirm)))
	}
	list(tools(names, nil))
	require.NoError(t, live.Allow(ctx, KindTool, names[0]))
	refused := func(name string) bool {
		var re *RefusedError
		return errors.As(live.Allow(ctx, KindTool, name), &re)
	}
	switch {
	case in.RevokedAfterFirstList:
		require.NoError(t, r.RevokeTool(ctx, project, "fs", names[0]))
		if refused(names[0]) {
			return "blocked"
		}
	case in.Event == "tools/call":
		if refused(in.Tool) {
			return "blocked"
		}
	case strings.Contains(in.Event, "list_changed"):
		live.Changed(KindTool)
		require.True(t, refused(names[0]), "no call in the gap")
		out := "trusted"
		for _, i := range list(tools(in.CurrentTools, in.CurrentDefChanged)) {
			w := word(i.Status, i.Reasons, i.Flagged())
			require.Equal(t, w != "trusted", refused(i.Name))
			if rank(w) > rank(out) {
				out = w
			}
		}
		return out
	}
	return "trusted"
}
