package toolset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope"
)

// internalTools change only the agent's own notes and screens.
var internalTools = map[string]bool{
	"TodoWrite": true, "TodoRead": true, "TaskCreate": true, "TaskGet": true, "TaskList": true, "TaskUpdate": true,
	"TaskOutput": true, "TaskStop": true, "BashOutput": true, "KillShell": true, "EnterPlanMode": true, "ToolSearch": true,
	"EndConversation": true,
}

// askingTools are answered by a person by their nature.
var askingTools = map[string]string{
	"AskUserQuestion": "This tool puts a question to the user.",
	"ExitPlanMode":    "Leaving plan mode is the user's decision.",
}

// Inspect translates a call. Its error says what could not be understood; the
// evaluator then asks.
func (t *Tools) Inspect(ctx context.Context, call permission.Call, rules permission.Lookout) (permission.Inspection, error) {
	if t == nil || t.o.Files == nil || t.o.Analyzer == nil {
		return permission.Inspection{}, errors.New("toolset: not set up: the guard or the analyzer is missing")
	}
	if !filepath.IsAbs(call.Dir) && !(t.o.Offline && strings.HasPrefix(call.Dir, "/")) {
		return permission.Inspection{}, fmt.Errorf("the directory of the call, %q, is not absolute", call.Dir)
	}
	in, err := readInput(call.Input)
	if err != nil {
		return permission.Inspection{}, err
	}
	b := builder{t: t, ctx: ctx, call: call, in: in, rules: rules}
	b.ins.Risk = permission.RiskMedium
	switch tool := call.Tool; {
	case tool == "Bash" || tool == "Monitor":
		err = b.bash()
	case tool == "PowerShell":
		err = b.powerShell()
	case tool == "Read" || tool == "NotebookRead":
		err = b.file("Read", "file_path", permission.Read)
	case tool == "Write":
		err = b.file("Edit", "file_path", permission.Write)
	case tool == "Edit" || tool == "MultiEdit":
		err = b.file("Edit", "file_path", permission.Write)
	case tool == "NotebookEdit":
		err = b.file("Edit", "notebook_path", permission.Write)
	case tool == "Grep":
		err = b.search(permission.Read)
	case tool == "Glob" || tool == "LS":
		err = b.search(permission.List)
	case tool == "WebFetch":
		err = b.webFetch()
	case tool == "WebSearch":
		b.use("WebSearch", tool, false)
		b.ins.Brings = permission.Untrusted
		b.say("Searches the web.")
	case tool == "Agent" || tool == "Task":
		kind := ""
		if v, ok := in["subagent_type"]; ok {
			if json.Unmarshal(v, &kind) != nil {
				return permission.Inspection{}, errors.New("the input field \"subagent_type\" is not a string")
			}
		}
		b.use("Agent", kind, true)
		b.say("Starts a sub-agent, whose own calls are decided one by one.")
	case tool == "Skill":
		err = b.skill()
	case askingTools[tool] != "":
		b.use(tool, tool, true)
		b.ins.MustAsk = askingTools[tool]
	case internalTools[tool]:
		b.use(tool, tool, true)
		b.ins.Risk = permission.RiskLow
	case strings.HasPrefix(tool, "mcp__"):
		err = b.mcp()
	default:
		b.use(tool, tool, false)
		b.say(fmt.Sprintf("Uses the tool %s, whose effects are not known.", tool))
	}
	if err != nil {
		return permission.Inspection{}, err
	}
	if b.ins.Params == nil {
		b.ins.Params = params(in)
	}
	return b.ins, nil
}

// builder collects one inspection.
type builder struct {
	t     *Tools
	ctx   context.Context
	call  permission.Call
	in    map[string]json.RawMessage
	rules permission.Lookout
	ins   permission.Inspection
}

func (b *builder) say(s string) { b.ins.Explanation = s }

func (b *builder) add(a permission.Action) { b.ins.Actions = append(b.ins.Actions, a) }

func (b *builder) use(family, name string, free bool) {
	b.ins.Family = family
	b.add(permission.Action{Kind: permission.Use, Origin: permission.Tool, Name: name, Free: free})
}

func (b *builder) file(family, field string, kind permission.Kind) error {
	b.ins.Family = family
	path, err := text(b.in, field)
	if err != nil {
		return err
	}
	p, err := b.path(b.call.Dir, path, opOf(kind))
	if err != nil {
		return err
	}
	p.Extent = permission.Exact
	b.add(permission.Action{Kind: kind, Origin: permission.Tool, Path: p})
	b.ins.Params = params(b.in, field)
	b.ins.Risk = permission.RiskMedium
	verb := "Writes"
	if kind == permission.Read {
		verb = "Reads"
		b.ins.Risk = permission.RiskLow
		b.brings(p)
	}
	b.say(fmt.Sprintf("%s %s.", verb, strconv.Quote(p.Clean)))
	return nil
}

// search is a reader over a tree that leaves out what the rules deny
// (Grant.Permits), so that a denied name below does not stop it.
func (b *builder) search(kind permission.Kind) error {
	b.ins.Family = "Read"
	dir := b.call.Dir
	if raw, ok := b.in["path"]; ok && string(raw) != "null" {
		path, err := text(b.in, "path")
		if err != nil {
			return err
		}
		if path != "" {
			dir = path
		}
	}
	if kind == permission.List {
		if raw, ok := b.in["pattern"]; ok {
			var pattern string
			if err := json.Unmarshal(raw, &pattern); err != nil {
				return errors.New("the input field \"pattern\" is not a string")
			}
			// A pattern may name a directory of its own.
			if base := patternBase(pattern); base != "" {
				if !filepath.IsAbs(base) {
					base = filepath.Join(dir, base)
				}
				dir = base
			}
		}
	}
	op := scope.List
	p, err := b.path(b.call.Dir, dir, op)
	if err != nil {
		return err
	}
	p.Extent, p.Walked = permission.Tree, true
	b.add(permission.Action{Kind: kind, Origin: permission.Tool, Path: p})
	b.ins.Params = params(b.in, "path")
	b.ins.Risk = permission.RiskLow
	b.say(fmt.Sprintf("Searches in %s.", strconv.Quote(p.Clean)))
	b.brings(p)
	return nil
}

// patternBase is the literal directory that a glob pattern starts with.
func patternBase(pattern string) string {
	i := strings.IndexAny(pattern, `*?[{\`)
	if i < 0 {
		i = len(pattern)
	}
	dir := pattern[:i]
	if j := strings.LastIndexByte(dir, '/'); j >= 0 {
		return dir[:j+1]
	}
	if strings.HasPrefix(pattern, "..") {
		return pattern[:i]
	}
	return ""
}

func (b *builder) brings(p permission.Path) {
	if p.Zone == permission.Outside {
		b.ins.Brings |= permission.Untrusted
	}
	if p.Class == permission.Sensitive {
		b.ins.Brings |= permission.SensitiveData
	}
}

func (b *builder) webFetch() error {
	b.ins.Family = "WebFetch"
	b.ins.Brings = permission.Untrusted
	raw, err := text(b.in, "url")
	if err != nil {
		return err
	}
	host, port, err := hostOf(raw)
	if err != nil {
		return err
	}
	b.add(permission.Action{Kind: permission.Connect, Origin: permission.Tool, Host: host, Port: port, PlainGet: true})
	b.ins.Params = params(b.in, "url")
	b.say(fmt.Sprintf("Fetches a page from %s.", strconv.Quote(host)))
	return nil
}

// hostOf returns the host that a client connects to for an http URL.
func hostOf(raw string) (string, int, error) {
	if strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
		return "", 0, errors.New("the URL holds a blank, a backslash or a control character")
	}
	if !strings.Contains(raw, "://") {
		raw = "https://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", 0, errors.New("the URL cannot be read")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", 0, fmt.Errorf("the URL's scheme is %q, not http or https", u.Scheme)
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if host == "" {
		return "", 0, errors.New("the URL names no host")
	}
	port := 0
	if p := u.Port(); p != "" {
		if port, err = strconv.Atoi(p); err != nil || port < 1 || port > 65535 {
			return "", 0, errors.New("the URL's port is not a number from 1 to 65535")
		}
	}
	return host, port, nil
}

func (b *builder) skill() error {
	name, err := text(b.in, "skill")
	if err != nil {
		return err
	}
	if raw, ok := b.in["args"]; ok {
		var args string
		if json.Unmarshal(raw, &args) != nil {
			return errors.New("the input field \"args\" is not a string")
		}
		if args != "" {
			name += " " + args
		}
	}
	b.use("Skill", name, false)
	b.say("Loads a skill.")
	return nil
}

func (b *builder) powerShell() error {
	b.ins.Family = "PowerShell"
	command, err := text(b.in, "command")
	if err != nil {
		return err
	}
	// Not analyzed: rules that deny or ask see the whole text, and any text of
	// theirs may stand anywhere in it.
	b.add(permission.Action{Kind: permission.Run, Origin: permission.Tool, Command: permission.Command{
		Deny:   []string{command, permission.DynamicWord + command + permission.DynamicWord},
		Opaque: true, Dynamic: true,
	}})
	b.ins.Params = params(b.in, "command")
	b.ins.Findings = append(b.ins.Findings, permission.Finding{Code: "powershell", Text: "PowerShell is not analyzed."})
	b.ins.Risk = permission.RiskHigh
	b.say("Runs a PowerShell command, which is not analyzed.")
	return nil
}

func (b *builder) mcp() error {
	b.ins.Family = "mcp"
	b.ins.Brings = permission.Untrusted
	b.ins.Params = params(b.in)
	if b.t.o.Meta != nil {
		if v := b.t.o.Meta(b.call.Tool); len(v) > 0 && string(v) != "false" {
			b.ins.MustAsk = "The tool demands a person's answer on every call."
			if string(v) != "true" {
				b.ins.MustAsk = "The tool's requiresUserInteraction flag is not a boolean, so it is taken as set."
			}
		}
	}
	if fields, ok := b.t.o.Fields[b.call.Tool]; ok {
		return b.mcpFields(fields)
	}
	var err error
	if b.ins.Strings, err = stringsIn(b.in); err != nil {
		return err
	}
	b.add(permission.Action{Kind: permission.Use, Origin: permission.Tool, Name: b.call.Tool})
	b.say(fmt.Sprintf("Uses %s, a tool of an MCP server, whose effects are not known.", b.call.Tool))
	return nil
}

func (b *builder) mcpFields(fields map[string]permission.Kind) error {
	for field, kind := range fields {
		raw, ok := b.in[field]
		if !ok || string(raw) == "null" {
			continue
		}
		var list []string
		var one string
		if json.Unmarshal(raw, &one) == nil {
			list = []string{one}
		} else if json.Unmarshal(raw, &list) != nil {
			return fmt.Errorf("the input field %q is neither a path nor a list of paths", field)
		}
		for _, s := range list {
			p, err := b.path(b.call.Dir, s, opOf(kind))
			if err != nil {
				return err
			}
			p.Extent = permission.Exact
			if kind == permission.List {
				p.Extent = permission.Tree
			}
			b.add(permission.Action{Kind: kind, Origin: permission.Tool, Path: p})
		}
	}
	b.say(fmt.Sprintf("Uses %s on the named files.", b.call.Tool))
	return nil
}

func opOf(kind permission.Kind) scope.Op {
	switch kind {
	case permission.Read:
		return scope.Read
	case permission.List:
		return scope.List
	case permission.Delete:
		return scope.Delete
	case permission.Write:
		return scope.Create
	}
	return scope.OpUnknown
}

// path resolves a path for an operation.
func (b *builder) path(dir, name string, op scope.Op) (permission.Path, error) {
	if strings.HasPrefix(name, "~") && (len(name) == 1 || name[1] == '/') {
		return permission.Path{}, errors.New("a path of a file tool must be written out: ~ is not expanded")
	}
	return b.resolve(dir, name, op), nil
}

func (b *builder) resolve(dir, name string, op scope.Op) permission.Path {
	r := b.t.o.Files.CheckFrom(dir, name, op)
	p := permission.Path{
		Clean: r.Clean, Real: r.Real, Zone: zone(r.Zone), Class: class(r.Class), ClassName: r.ClassName,
		Critical: r.Critical, ReadOnly: r.ReadOnly,
	}
	p.Also = append(p.Also, r.Via...)
	if r.Err != nil && p.Class == permission.Ordinary {
		// What cannot be resolved is not ordinary.
		p.Class = permission.Unclassified
	}
	for _, s := range []string{r.Clean, r.Real} {
		if f := foldAll(s); f != "" && f != s {
			p.Also = append(p.Also, f)
		}
	}
	return p
}

// foldAll folds every name of a path, where that is more than lower case.
func foldAll(p string) string {
	plain := true
	for i := 0; i < len(p); i++ {
		if p[i] >= 0x80 || p[i] == '~' || p[i] == ' ' || p[i] == ':' {
			plain = false
		}
	}
	if plain {
		return ""
	}
	parts := strings.Split(filepath.ToSlash(p), "/")
	for i := range parts {
		if parts[i] != "" {
			parts[i] = scope.Fold(parts[i])
		}
	}
	return strings.Join(parts, "/")
}
