package toolset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

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
	return t.inspect(ctx, call, in, rules)
}

// inspect is Inspect behind the decoding of the input.
func (t *Tools) inspect(ctx context.Context, call permission.Call, in fields, rules permission.Lookout) (permission.Inspection, error) {
	b := builders.Get().(*builder)
	b.t, b.ctx, b.call, b.in, b.rules = t, ctx, call, in, rules
	b.dir = path.Clean(call.Dir)
	b.here[0] = b.dir
	b.ins.Risk = permission.RiskMedium
	err := b.inspect()
	ins := b.ins
	b.release()
	if err != nil {
		return permission.Inspection{}, err
	}
	return ins, nil
}

// inspect collects what the call does.
func (b *builder) inspect() (err error) {
	switch tool := b.call.Tool; {
	case tool == "Bash" || tool == "Monitor":
		err = b.bash()
	case tool == "PowerShell":
		err = b.powerShell()
	case tool == "Read":
		err = b.file("Read", "file_path", permission.Read)
	case tool == "NotebookRead":
		err = b.file("Read", "notebook_path", permission.Read)
	case tool == "LSP":
		err = b.languageServer()
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
		if _, ok := b.in.get("subagent_type"); ok {
			if kind, err = text(b.in, "subagent_type"); err != nil {
				return err
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
	case misnamed(tool) != "":
		// As a tool of its own a yes for good would be for any command.
		return fmt.Errorf("the tool %q is not known: the standard one is called %q", tool, misnamed(tool))
	default:
		b.use(tool, tool, false)
		b.say(fmt.Sprintf("Uses the tool %s, whose effects are not known.", tool))
	}
	if err == nil && !b.told {
		b.params()
	}
	return err
}

// misnamed returns the tool for commands that is meant by a name in other case,
// "" for none. Names such as read and write are common words, which a host may
// have given to tools of its own.
func misnamed(tool string) string {
	for _, name := range []string{"Bash", "PowerShell"} {
		if strings.EqualFold(tool, name) {
			return name
		}
	}
	return ""
}

// builders are pooled: what an inspection is made in, but for what it returns.
var builders = sync.Pool{New: func() any { return &builder{first: make([]answer, 0, firstAnswers)} }}

// The room that a builder keeps from one inspection to the next.
const (
	firstAnswers = 4
	mostParts    = 256
)

// release forgets everything and gives the builder back. Nothing of it may be
// used after.
func (b *builder) release() {
	first, parts := b.first, b.shell.parts
	clear(first)
	clear(parts)
	*b = builder{}
	b.first = first[:0]
	if cap(parts) <= mostParts {
		b.shell.parts = parts[:0]
	}
	builders.Put(b)
}

// builder collects one inspection.
type builder struct {
	t     *Tools
	ctx   context.Context
	call  permission.Call
	in    fields
	rules permission.Lookout
	ins   permission.Inspection
	// dir is the directory of the call, cleaned; here holds it alone.
	dir  string
	here [1]string
	// lone holds a list of one name.
	lone [1]string
	// told says that the parameters are set.
	told bool
	// first are the first questions about paths, in memory that never moves;
	// seen are the others.
	first   []answer
	seen    map[pathKey]*resolved
	looked  int
	spelled int
	// clear is the last directory below which no rule names anything, where
	// hasClear is set.
	clear    string
	hasClear bool
	// source is the command text that is inspected.
	source string
	// others are files with several names, once they were looked for.
	others []otherName
	// compared counts the bytes that were read to know a file again.
	compared int64
	// shell is what is known of it.
	shell shellCall
	// git is what the command that is looked at shows of its repository.
	git gitSeen
}

func (b *builder) say(s string) { b.ins.Explanation = permission.TextOf(s) }

func (b *builder) add(a permission.Action) { *b.slot() = a }

// slot adds an empty action, to be filled in field by field: copying a whole
// one takes longer while memory is collected. What lies behind the actions is
// empty.
func (b *builder) slot() *permission.Action {
	n := len(b.ins.Actions)
	if n == cap(b.ins.Actions) {
		b.ins.Actions = slices.Grow(b.ins.Actions, 1)
	}
	b.ins.Actions = b.ins.Actions[:n+1]
	return &b.ins.Actions[n]
}

// params sets the parameters of the call: its scalar fields without the named
// one.
func (b *builder) params(without ...string) {
	b.told = true
	b.ins.Params = params(b.in, without...)
}

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
	b.params(field)
	b.say(b.judged(kind, &p))
	return nil
}

// judged sets the risk of an action of a file tool and describes it.
func (b *builder) judged(kind permission.Kind, p *permission.Path) string {
	verb, risk := "Writes", permission.RiskMedium
	switch kind {
	case permission.Read:
		verb, risk = "Reads", permission.RiskLow
		b.brings(p)
	case permission.List:
		verb, risk = "Lists", permission.RiskLow
		b.brings(p)
	case permission.Delete:
		verb = "Removes"
	default:
		if b.call.Tool != "Write" {
			b.recognize(p) // an edit leaves the rest of the text
		}
	}
	writes := kind == permission.Write || kind == permission.Delete
	s := fmt.Sprintf("%s %s.", verb, strconv.Quote(p.Clean))
	if p.Real != "" && p.Real != p.Clean {
		s = fmt.Sprintf("%s %s, which is really %s.", verb, strconv.Quote(p.Clean), strconv.Quote(p.Real))
	}
	switch {
	case p.Class == permission.Sensitive:
		risk = min(risk, permission.RiskMedium)
		if writes {
			risk = permission.RiskHigh
		}
		s += " It may hold secrets."
	case p.Class == permission.Protected && writes:
		risk = permission.RiskHigh
		s += " It changes what other programs run or trust."
	case p.Class != permission.Ordinary || writes && p.Zone == permission.Outside:
		risk = permission.RiskHigh
	}
	if p.Zone == permission.Outside {
		risk = min(risk, permission.RiskMedium)
		s += " It lies outside the working directories."
	}
	b.ins.Risk = risk
	return s
}

// search is a reader over a tree that leaves out what the rules deny
// (Grant.Permits), so that a denied name below does not stop it.
func (b *builder) search(kind permission.Kind) error {
	b.ins.Family = "Read"
	dir, err := optionalText(b.in, "path")
	if err != nil {
		return err
	}
	if dir == "" {
		dir = b.call.Dir
	}
	field := "pattern"
	if kind == permission.Read {
		field = "glob"
	}
	pattern, err := optionalText(b.in, field)
	if err != nil {
		return err
	}
	if pattern == "~" || strings.HasPrefix(pattern, "~/") {
		return errors.New("a pattern must be written out: ~ is not expanded")
	}
	base := patternBase(pattern)
	if kind == permission.Read && !filepath.IsAbs(base) && !strings.Contains(base, "..") {
		base = "" // a filter over what is found
	}
	if strings.Contains(pattern[len(base):], "..") {
		return errors.New("the pattern leads up out of a directory that is not known")
	}
	if base != "" {
		// A pattern may name a directory of its own.
		if !filepath.IsAbs(base) {
			base = strings.TrimSuffix(dir, "/") + "/" + base
		}
		dir = base
	}
	p, err := b.path(b.call.Dir, dir, scope.List)
	if err != nil {
		return err
	}
	p.Extent, p.Walked = permission.Tree, true
	b.add(permission.Action{Kind: kind, Origin: permission.Tool, Path: p})
	// Where a rule speaks of everything below, nothing would be left to show.
	if all := b.resolve(p.Clean, "\u2026", scope.Read); kind == permission.Read {
		if _, denied := b.denies(&all); denied {
			all.Extent = permission.Exact
			b.add(permission.Action{Kind: kind, Origin: permission.Tool, Path: all})
		}
	}
	b.params("path")
	b.ins.Risk = permission.RiskLow
	b.say(fmt.Sprintf("Searches in %s.", strconv.Quote(p.Clean)))
	b.brings(&p)
	return nil
}

// languageServer is a question to a language server about a file. Its answer
// may show lines of other files of the workspace.
func (b *builder) languageServer() error {
	b.ins.Family = "Read"
	for _, field := range []string{"filePath", "file_path", "path"} {
		if _, ok := b.in.get(field); ok {
			return b.file("Read", field, permission.Read)
		}
	}
	p := b.resolve(b.call.Dir, b.call.Dir, scope.List)
	p.Extent, p.Walked = permission.Tree, true
	b.add(permission.Action{Kind: permission.Read, Origin: permission.Tool, Path: p})
	b.ins.Risk = permission.RiskLow
	b.say("Asks a language server about the workspace.")
	return nil
}

// patternBase is the literal directory that a glob pattern starts with, with
// its last slash, or "".
func patternBase(pattern string) string {
	i := strings.IndexAny(pattern, `*?[{(\`)
	if i < 0 {
		if pattern == ".." || strings.HasSuffix(pattern, "/..") {
			return pattern
		}
		i = len(pattern)
	}
	return pattern[:strings.LastIndexByte(pattern[:i], '/')+1]
}

// recognize labels a call that has to do with what an untrusted session wrote.
func (b *builder) recognize(p *permission.Path) {
	if b.t.o.Ledger.holds(p.Real, nil, &b.compared) {
		b.ins.Brings |= permission.Untrusted
	}
}

func (b *builder) brings(p *permission.Path) {
	if p.Zone == permission.Outside || p.Extent != permission.Exact && b.t.o.Ledger.holdsBelow(p.Real, &b.compared) {
		b.ins.Brings |= permission.Untrusted
	}
	b.recognize(p)
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
		// Clients read such a URL in several ways: any rule for hosts may mean it.
		b.ins.Findings = append(b.ins.Findings, permission.Finding{Code: "url", Text: sentence(err.Error())})
		b.ins.Risk = permission.RiskHigh
		host, port = "", 0
	}
	b.add(permission.Action{Kind: permission.Connect, Origin: permission.Tool, Host: host, Port: port, PlainGet: true})
	b.params("url")
	if host == "" {
		b.say("Fetches a page from a host that is not known.")
		return nil
	}
	b.say(fmt.Sprintf("Fetches a page from %s.", strconv.Quote(host)))
	return nil
}

// sentence makes one of a text.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	if c := text[0]; c >= 'a' && c <= 'z' {
		text = string(c-'a'+'A') + text[1:]
	}
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}

func (b *builder) skill() error {
	name, err := text(b.in, "skill")
	if err != nil {
		return err
	}
	args, err := optionalText(b.in, "args")
	if err != nil {
		return err
	}
	if args != "" {
		name += " " + args
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
	b.add(permission.Action{Kind: permission.Run, Origin: permission.Tool, Command: &permission.Command{
		Deny:   []string{command, permission.DynamicWord + command + permission.DynamicWord},
		Opaque: true, Dynamic: true,
	}})
	b.params("command")
	b.ins.Findings = append(b.ins.Findings, permission.Finding{Code: "powershell", Text: "PowerShell is not analyzed."})
	b.ins.Risk = permission.RiskHigh
	b.say("Runs a PowerShell command, which is not analyzed.")
	return nil
}

func (b *builder) mcp() error {
	b.ins.Family = "mcp"
	b.ins.Brings = permission.Untrusted
	b.params()
	if b.t.o.Meta != nil {
		if v := b.t.o.Meta(b.call.Tool); len(v) > 0 && string(v) != "false" {
			b.ins.MustAsk = "The tool demands a person's answer on every call."
			if string(v) != "true" {
				b.ins.MustAsk = "The tool's requiresUserInteraction flag is not a boolean, so it is taken as set."
			}
		}
	}
	if declared, ok := b.t.o.Fields[b.call.Tool]; ok {
		return b.mcpFields(declared)
	}
	all, err := stringsIn(b.in)
	if err != nil {
		return err
	}
	b.undeclared(all)
	b.add(permission.Action{Kind: permission.Use, Origin: permission.Tool, Name: b.call.Tool})
	b.say(fmt.Sprintf("Uses %s, a tool of an MCP server, whose effects are not known.", b.call.Tool))
	return nil
}

// undeclared keeps the strings of an input for the deny and ask rules, each in
// every spelling that could name a path, and behind every folder that another
// one names. One that names a protected file, or one that may hold secrets, is
// a finding; one of the host's own files is what the tool is taken to write.
func (b *builder) undeclared(all []string) {
	b.ins.Strings = all
	var joined []string
	for _, dir := range b.folders(all) {
		for _, s := range all {
			if name := strings.TrimSpace(s); name != "" && len(name) <= maxName && !path.IsAbs(name) && len(joined) < maxSpellings {
				joined = append(joined, path.Join(dir, name))
			}
		}
	}
	for _, s := range slices.Concat(all, joined) {
		for _, name := range b.pathSpellings(s) {
			r := b.look(b.call.Dir, name, scope.Write)
			for _, p := range append([]string{r.path.Clean, r.path.Real}, r.path.Also()...) {
				b.ins.Strings = appendNew(b.ins.Strings, p)
			}
			read := b.resolve(b.call.Dir, name, scope.Read)
			if read.Class == permission.Sensitive {
				b.ins.Brings |= permission.SensitiveData
			}
			switch {
			case r.path.Class == permission.Forbidden:
				p := r.path
				p.Extent = permission.Exact
				b.add(permission.Action{Kind: permission.Write, Origin: permission.Tool, Path: p})
			case r.path.Class == permission.Protected || read.Class == permission.Sensitive:
				b.ins.Findings = append(b.ins.Findings, permission.Finding{Code: "names-protected",
					Text: fmt.Sprintf("The input names %s (%s).", strconv.Quote(r.path.Clean), orText(r.path.ClassName(), read.ClassName()))})
			}
		}
	}
}

// Limits of how strings of an input are taken for folders.
const (
	maxFolders = 8
	maxName    = 255
)

// folders are the existing folders that strings name. Those below the directory
// of the session are kept for the rules; the directory itself and what holds it
// are not, or each listing of a project would ask for each rule in it.
func (b *builder) folders(all []string) []string {
	if b.t.o.Offline {
		return nil
	}
	var out []string
	for i, s := range all {
		if len(s) > 4096 || strings.ContainsAny(s, "\n\x00") || i == maxSpellings || len(out) == maxFolders {
			continue
		}
		for _, name := range b.pathSpellings(s) {
			p := &b.look(b.call.Dir, name, scope.Read).path
			st, err := os.Stat(p.Real)
			if p.Real == "" || err != nil || !st.IsDir() {
				continue
			}
			out = appendNew(out, p.Clean)
			for _, f := range []string{p.Clean, p.Real} {
				if !beneath(f, b.call.Dir) {
					b.ins.Folders = appendNew(b.ins.Folders, f)
				}
			}
		}
	}
	return out
}

func orText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// maxSpellings bounds how many strings of an input are looked up as paths.
const maxSpellings = 200

// pathSpellings returns the paths that a string may mean: itself, without
// file://, a fragment, a query, a line number or blanks around it, with percent
// signs decoded, with ~ written out.
func (b *builder) pathSpellings(s string) []string {
	s = strings.TrimSpace(s)
	if len(s) == 0 || len(s) > 4096 || strings.ContainsAny(s, "\n\x00") || b.spelled >= maxSpellings {
		return nil
	}
	scheme, rest, isURL := strings.Cut(s, "://")
	if isURL {
		if !strings.EqualFold(scheme, "file") {
			return nil
		}
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			s = rest[i:]
		}
	} else if len(s) > 5 && strings.EqualFold(s[:5], "file:") {
		s = s[5:]
	}
	var out []string
	var add func(s string)
	add = func(s string) {
		if i := strings.IndexAny(s, "#?"); i > 0 {
			add(s[:i])
		} else if i := strings.IndexByte(s, ':'); i > 0 && len(s) > i+1 && s[i+1] >= '0' && s[i+1] <= '9' {
			add(s[:i]) // FILE:LINE
		}
		if s == "~" || strings.HasPrefix(s, "~/") {
			if b.t.home == "" {
				return
			}
			s = b.t.home + s[1:]
		}
		if b.spelled < maxSpellings && (strings.ContainsAny(s, "/.") || b.isThere(s)) {
			b.spelled++
			out = appendNew(out, s)
		}
	}
	add(s)
	if strings.Contains(s, "%") {
		if d, err := url.PathUnescape(s); err == nil {
			add(d)
		}
	}
	if strings.Contains(s, `\`) {
		add(strings.ReplaceAll(s, `\`, "/"))
	}
	return out
}

// isThere says whether a word without a slash and a dot is the name of something
// in the directory of the call.
func (b *builder) isThere(name string) bool {
	if b.t.o.Offline || name == "" || len(name) > maxName {
		return false
	}
	_, err := os.Lstat(path.Join(b.call.Dir, name))
	return err == nil
}

func (b *builder) mcpFields(declared map[string]permission.Kind) error {
	b.ins.Risk = permission.RiskLow
	worst := b.ins.Risk
	var said []string
	for _, field := range slices.Sorted(maps.Keys(declared)) {
		kind := declared[field]
		f, ok := b.in.get(field)
		if !ok || string(f.raw) == "null" {
			continue
		}
		var list []string
		if f.isText {
			list = []string{f.text}
		} else if json.Unmarshal(f.raw, &list) != nil {
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
			said = append(said, b.judged(kind, &p))
			worst = min(worst, b.ins.Risk)
			b.add(permission.Action{Kind: kind, Origin: permission.Tool, Path: p})
		}
	}
	b.ins.Risk = worst
	if len(said) == 0 {
		// Without a path the tool works where it likes.
		b.add(permission.Action{Kind: permission.Use, Origin: permission.Tool, Name: b.call.Tool})
		b.ins.Risk = permission.RiskMedium
	}
	// What is not declared may still name something that the rules deny.
	var rest fields
	for i := range b.in {
		if _, ok := declared[b.in[i].name]; !ok {
			rest = append(rest, b.in[i])
		}
	}
	all, err := stringsIn(rest)
	if err != nil {
		return err
	}
	b.undeclared(all)
	b.say(fmt.Sprintf("Uses %s. %s", b.call.Tool, strings.Join(said, " ")))
	return nil
}
