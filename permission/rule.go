package permission

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Layer is where a rule comes from.
type Layer uint8

// The layers, weakest source of authority first. Rules of all layers apply
// together: deny before ask before allow, whatever the layer.
const (
	LayerUnknown Layer = iota
	LayerSession
	LayerUser
	LayerProject
	LayerLocal
	LayerCommandLine
	LayerManaged
)

var layerNames = []string{"unknown", "session", "user", "project", "local", "command-line", "managed"}

// String returns the layer in lower case.
func (l Layer) String() string { return name(layerNames, uint8(l)) }

// MarshalText writes the name of the layer.
func (l Layer) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads a name and refuses an unknown one.
func (l *Layer) UnmarshalText(b []byte) error {
	i, err := parseName(layerNames, b, "layer")
	*l = Layer(i)
	return err
}

// RuleRef names a rule: what it says and where it stands.
type RuleRef struct {
	Effect Verdict `json:"effect"`
	Text   string  `json:"text"`
	Layer  Layer   `json:"layer"`
	File   string  `json:"file,omitempty"`
	// Line counts from 1; 0 where the rule does not come from a file.
	Line int `json:"line,omitempty"`
}

// String returns the rule with its effect, and its file and line or its layer.
func (r RuleRef) String() string {
	where := r.Layer.String() + " settings"
	if r.File != "" {
		where = fmt.Sprintf("%s:%d", r.File, r.Line)
	}
	return fmt.Sprintf("%s rule %s (%s)", r.Effect, r.Text, where)
}

// RuleError is a rule that cannot be read as written.
type RuleError struct {
	Rule   RuleRef
	Column int // byte column of the rule in its line, from 1; 0 if unknown
	// Problem says what is wrong, Fix what to write instead.
	Problem, Fix string
	// Inert says that the rule can never match, rather than being malformed.
	Inert bool
}

// Error names file, line, column, the rule, the problem and the fix.
func (e *RuleError) Error() string {
	where := e.Rule.File
	if where == "" {
		where = e.Rule.Layer.String()
	} else {
		where = fmt.Sprintf("%s:%d:%d", where, e.Rule.Line, e.Column)
	}
	s := fmt.Sprintf("%s: %s rule %q: %s", where, e.Rule.Effect, e.Rule.Text, e.Problem)
	if e.Fix != "" {
		s += "; " + e.Fix
	}
	return s
}

// Rule is one parsed rule. The zero Rule matches nothing.
type Rule struct {
	ref  RuleRef
	tool string // as written, may be a glob
	spec string
	has  bool // a specifier stands in parentheses

	kind   ruleKind
	family string
	// What the specifier says, by the kind of the rule. Most of these are the
	// empty ones that all rules share, so that a long list stays small.
	command *commandPattern
	path    *pathRule
	host    *hostPattern
	param   string
	value   *commandPattern
	// broken says that a deny or ask rule cannot be read: it may mean any
	// call of its tool and any action that its family speaks of.
	broken bool
	// problem says why, and what to write instead; whole that a layer or a list
	// cannot be read, not this rule.
	problem string
	whole   bool
	// alsoPath says that a parameter rule of a file tool may as well be a path
	// that holds a colon: it is both.
	alsoPath bool
	// alsoName says that a parameter rule of Agent or Skill may as well be a name
	// that holds a colon: it is both.
	alsoName bool
	// toolParts is the tool name around its stars, nil without a star.
	toolParts []string
	// bound, when not nil, are the content digests that an approval of a
	// workspace script was given to.
	bound map[string]bool
	// shared is the ref that Reasons point to, and allowed their text.
	shared  *RuleRef
	allowed string
}

// What a rule says that has no such specifier: it matches nothing.
var (
	noCommandPattern commandPattern
	noPathRule       pathRule
	noHostPattern    hostPattern
)

// newRule returns a rule that matches nothing yet.
func newRule(ref RuleRef) Rule {
	return Rule{ref: ref, command: &noCommandPattern, path: &noPathRule, host: &noHostPattern, value: &noCommandPattern}
}

type ruleKind uint8

const (
	ruleInert ruleKind = iota
	ruleBare
	ruleCommand
	rulePath
	ruleHost
	ruleParam
	ruleName
)

// bind makes of a rule for a command one for what the command runs today. That
// nothing of the workspace is run, or nothing was there, is content as well: a
// script that is written later was not approved.
func (r *Rule) bind(ins *Inspection) {
	if r.kind != ruleCommand {
		return
	}
	r.bound = map[string]bool{}
	for i := range ins.Actions {
		if a := &ins.Actions[i]; a.Kind == Run && slices.ContainsFunc(a.command().Allow, r.command.matches) {
			r.bound[a.command().Digest()] = true
		}
	}
}

// maxRuleBytes bounds one rule.
const maxRuleBytes = 8 << 10

// Families of tools whose rules share a specifier.
var toolFamily = map[string]string{
	"Bash": "Bash", "Monitor": "Bash",
	"PowerShell": "PowerShell",
	"Read":       "Read", "Grep": "Read", "Glob": "Read", "LSP": "Read", "LS": "Read", "NotebookRead": "Read",
	"Edit": "Edit", "Write": "Edit", "NotebookEdit": "Edit", "MultiEdit": "Edit",
	"WebFetch": "WebFetch", "WebSearch": "WebSearch",
	"Agent": "Agent", "Task": "Agent", "Skill": "Skill",
}

// family returns the rule family of a tool.
func family(tool string) string {
	if f, ok := toolFamily[tool]; ok {
		return f
	}
	if strings.HasPrefix(tool, "mcp__") {
		return "mcp"
	}
	return tool
}

// primary are the content fields that a parameter rule may not name, with the
// family whose own specifier means the same.
var primary = map[string]bool{"command": true, "file_path": true, "path": true, "notebook_path": true, "url": true}

// bashParams are the input fields of Bash beside its command.
var bashParams = map[string]bool{"description": true, "timeout": true, "run_in_background": true, "dangerouslyDisableSandbox": true}

// ParseRule reads a rule as it stands in a settings file: `Tool` or
// `Tool(specifier)` (https://code.claude.com/docs/en/permissions). home and
// base are the directories that "~/" and "/" paths start at. The error is a
// [*RuleError]; the returned Rule then still has its safe meaning: an allow
// rule allows nothing, a deny or ask rule is honoured as meant or, where that
// is not clear, asks for every call of its tool.
func ParseRule(ref RuleRef, home, base string) (Rule, error) {
	r, err := parseRule(ref, home, base)
	shared := r.ref
	r.shared = &shared
	if ref.Effect == Allow {
		r.allowed = "Settled by the " + ref.String() + "."
	}
	if strings.Contains(r.tool, "*") {
		r.toolParts = strings.Split(r.tool, "*")
	}
	return r, err
}

func parseRule(ref RuleRef, home, base string) (Rule, error) {
	r := newRule(ref)
	fail := func(inert bool, problem, fix string) (Rule, error) {
		if ref.Effect != Allow && !inert {
			r.broken = true
			r.problem = problem
			if fix != "" {
				r.problem += "; " + fix
			}
		}
		return r, &RuleError{Rule: ref, Problem: problem, Fix: fix, Inert: inert}
	}
	text := strings.TrimSpace(ref.Text)
	if len(text) > maxRuleBytes {
		r.tool = "*"
		return fail(false, fmt.Sprintf("longer than %d bytes", maxRuleBytes), "split it")
	}
	if !utf8.ValidString(text) {
		r.tool = "*"
		return fail(false, "not valid UTF-8", "")
	}
	open := strings.IndexByte(text, '(')
	r.tool = text
	if open >= 0 {
		r.tool = text[:open]
	}
	if problem := checkToolName(r.tool); problem != "" {
		r.tool = "*"
		return fail(false, problem, "write Tool or Tool(specifier), for instance Bash(npm test *)")
	}
	r.family = family(r.tool)
	if open >= 0 {
		if !strings.HasSuffix(text, ")") {
			return fail(false, "the closing parenthesis is missing", "end the rule with \")\"")
		}
		r.spec = text[open+1 : len(text)-1]
		r.has = true
		if strings.TrimSpace(r.spec) == "" {
			return fail(false, "the parentheses are empty", "write "+r.tool+" for every call of the tool")
		}
	}
	if server := strings.TrimRight(r.tool, "_"); strings.HasPrefix(r.tool, "mcp__") && strings.HasSuffix(r.tool, "__") {
		// What it means is clear; and a deny rule that means nothing would be gone.
		problem, fix := "no tool has a name that ends in \"__\"", "write "+server+"__*"
		if ref.Effect == Allow {
			return fail(true, problem, fix)
		}
		return honoured(ref, server+"__*", home, base, problem)
	}
	if near := nearTool(r.tool); near != "" && near != r.tool && r.has && ref.Effect != Allow {
		// A tool of the host's own may have such a name, with input fields that a
		// rule may name. Nothing else than the standard tool takes a specifier.
		if name, value, ok := cutParam(r.spec); !ok || primary[name] || value == "*" || name == "domain" {
			return honoured(ref, near+text[open:], home, base, "no standard tool has the name "+r.tool)
		}
	}
	glob := strings.Contains(r.tool, "*")
	if ref.Effect == Allow && glob && !allowedGlob(r.tool) {
		return fail(true, "an allow rule may have a wildcard in the tool name only after mcp__server__",
			"name the tool, or write mcp__server__*")
	}
	if r.has && r.spec == "*" {
		// Tool(*) is Tool.
		r.has = false
	}
	if !r.has {
		r.kind = ruleBare
		return r, nil
	}
	if glob {
		return fail(false, "a specifier needs a tool name without wildcard", "name one tool")
	}

	name, value, isParam := cutParam(r.spec)
	if isParam && primary[name] {
		if ref.Effect == Allow {
			return fail(true, "allow rules cannot name an input field", fmt.Sprintf("write %s(%s)", r.tool, value))
		}
		switch r.family {
		case "Bash", "PowerShell", "Read", "Edit":
			return honoured(ref, r.tool+"("+value+")", home, base, "the content field "+name+" cannot be matched by name")
		}
	}

	switch r.family {
	case "Bash", "PowerShell":
		if isParam && ref.Effect != Allow && value != "*" && (bashParams[name] || r.family == "PowerShell") {
			return r.asParam(name, value), nil
		}
		if isParam && ref.Effect == Allow && bashParams[name] && value != "*" {
			return fail(true, "allow rules cannot name an input field", "allow the command itself, for instance Bash(npm run dev)")
		}
		spec, suffix := strings.TrimSpace(r.spec), ""
		if spec == ":*" {
			return fail(false, "a pattern of nothing but \":*\" matches no command", "write "+r.tool+" for every command")
		}
		if strings.ContainsRune(spec, 0) {
			return fail(false, "the pattern holds a NUL byte, which no command holds", "")
		}
		if spec != r.spec {
			suffix = "blanks around the pattern belong to no command"
			if ref.Effect == Allow {
				return fail(true, suffix, "write "+r.tool+"("+spec+")")
			}
			// A deny or ask rule is meant without them.
			if spec == "*" {
				r.kind = ruleBare
				return fail(true, suffix, "write "+r.tool)
			}
		}
		r.kind = ruleCommand
		r.command = compileCommandPattern(spec)
		if r.family == "PowerShell" {
			r.command = compileCommandPattern(strings.ToLower(spec))
		}
		if suffix != "" {
			return fail(true, suffix, "write "+r.tool+"("+spec+")")
		}
		return r, nil
	case "Read", "Edit":
		meant, problem := meantPath(r.spec)
		switch {
		case problem != "" && meant == "":
			return fail(false, problem, "write the path from the root as //path, or from the home directory as ~/path")
		case problem != "" && ref.Effect == Allow:
			return fail(true, problem, fmt.Sprintf("write %s(%s)", r.tool, meant))
		case problem != "":
			return honoured(ref, r.tool+"("+meant+")", home, base, problem)
		case bracesIn(r.spec) >= 0:
			return fail(ref.Effect == Allow, "braces are letters of a name in a path pattern", "write one rule for each name")
		}
		var inert *RuleError
		if r.tool != r.family {
			inert = &RuleError{Rule: ref, Inert: true,
				Problem: "path rules are written for Read or Edit; " + r.tool + "(path) is never consulted",
				Fix:     fmt.Sprintf("write %s(%s)", r.family, r.spec)}
			if ref.Effect == Allow {
				return r, inert
			}
		}
		if isDrive(r.spec) {
			return fail(false, "a Windows path is written with slashes from the root", fmt.Sprintf("write %s(//%s%s)", r.family, strings.ToLower(r.spec[:1]), strings.ReplaceAll(r.spec[2:], "\\", "/")))
		}
		if isParam && ref.Effect != Allow && !strings.Contains(value, "/") {
			// An input field, or a file name with a colon: both are meant.
			r = r.asParam(name, value)
			if p, err := compilePathRule(r.spec, home, base, ref.Effect); err == nil {
				r.path, r.alsoPath = &p, true
			}
			return r, nil
		}
		p, err := compilePathRule(r.spec, home, base, ref.Effect)
		r.path = &p
		if err != nil {
			return fail(false, err.Error(), "")
		}
		r.kind = rulePath
		if inert != nil {
			return r, inert
		}
		return r, nil
	case "WebFetch":
		isDomain := isParam && strings.EqualFold(name, "domain")
		if isParam && !isDomain && ref.Effect != Allow && !primary[name] && !strings.Contains(value, "/") {
			return r.asParam(name, value), nil
		}
		problem, from := errHost.Error(), value
		if !isDomain || name != "domain" {
			problem = "the specifier of WebFetch is domain:HOST"
		}
		if !isDomain {
			from = r.spec
		}
		h, err := compileHostPattern(value)
		if err != nil && isDomain {
			problem = err.Error()
		}
		if err != nil || name != "domain" || !isParam {
			// An address or a host without its key says which host is meant.
			meant := urlHost(from)
			if _, err := compileHostPattern(meant); err != nil || meant == "" {
				return fail(false, problem, "write WebFetch(domain:example.com) or WebFetch(domain:*.example.com)")
			}
			meant = "WebFetch(domain:" + meant + ")"
			if ref.Effect == Allow {
				return fail(false, problem, "write "+meant)
			}
			return honoured(ref, meant, home, base, problem)
		}
		r.kind, r.host = ruleHost, &h
		return r, nil
	case "Agent", "Skill":
		if spec := strings.TrimSpace(r.spec); spec != r.spec {
			problem := "blanks around the name belong to none"
			if ref.Effect == Allow {
				return fail(true, problem, "write "+r.tool+"("+spec+")")
			}
			return honoured(ref, r.tool+"("+spec+")", home, base, problem)
		}
		if strings.Contains(r.spec, ",") {
			return fail(ref.Effect == Allow, "no name holds a comma", "write one rule for each name")
		}
		r.command = compileCommandPattern(r.spec)
		if isParam && ref.Effect != Allow {
			// An input field, or the name of something that a plug-in brings
			// (plugin:name): both are meant.
			r.alsoName = true
			return r.asParam(name, value), nil
		}
		r.kind = ruleName
		return r, nil
	case "Cd":
		// About a command of the person, which no call of a model is.
		if _, err := compilePathRule(r.spec, home, base, ref.Effect); err != nil {
			return fail(false, err.Error(), "")
		}
		return r, nil
	}
	if isParam && ref.Effect != Allow {
		return r.asParam(name, value), nil
	}
	if ref.Effect == Allow {
		return fail(true, r.tool+" takes no specifier in an allow rule", "write "+r.tool)
	}
	return fail(false, r.tool+" takes no specifier", "write "+r.tool+", or "+r.tool+"(field:value) for an input field")
}

// honoured reads a deny or ask rule as what it clearly means instead of what it
// says, which would be nothing. The error says so.
func honoured(ref RuleRef, meant, home, base, problem string) (Rule, error) {
	as := ref
	as.Text = meant
	r, err := parseRule(as, home, base)
	r.ref = ref
	var inner *RuleError
	switch {
	case err == nil:
		err = &RuleError{Rule: ref, Inert: true, Problem: problem + "; honoured as " + meant, Fix: "write " + meant}
	case errors.As(err, &inner):
		inner.Rule = ref
	}
	return r, err
}

// expand returns the rules that a deny or ask rule stands for, where one text
// clearly means several: a tool's name in another case, which a tool of the
// host's own may have as well, and the words between braces.
func expand(effect Verdict, text string) []string {
	if effect == Allow {
		return []string{text}
	}
	if near := nearTool(text); near != "" && near != text {
		return []string{text, near}
	}
	tool, spec, ok := strings.Cut(text, "(")
	if ok && nearTool(tool) != "" && (family(nearTool(tool)) == "Read" || family(nearTool(tool)) == "Edit") {
		if all := expandBraces(spec); len(all) > 1 {
			for i := range all {
				all[i] = tool + "(" + all[i]
			}
			return all
		}
	}
	return []string{text}
}

func (r Rule) asParam(name, value string) Rule {
	r.kind, r.param = ruleParam, name
	r.value = &commandPattern{parts: strings.Split(value, "*")}
	return r
}

// cutParam splits "name:value" where name looks like an input field.
func cutParam(spec string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(spec, ":")
	if !ok {
		return "", "", false
	}
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if name == "" || value == "" {
		return "", "", false
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if !(c == '_' || c == '-' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || i > 0 && '0' <= c && c <= '9') {
			return "", "", false
		}
	}
	return name, value, true
}

// isDrive says whether a path starts with a drive letter.
func isDrive(s string) bool {
	return len(s) > 2 && s[1] == ':' && (s[2] == '\\' || s[2] == '/') && ('a' <= s[0]|0x20 && s[0]|0x20 <= 'z')
}

func checkToolName(s string) string {
	if s == "" {
		return "the tool name is missing"
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c >= 0x80:
		case c == '_', c == '-', c == '.', c == '/', c == '*', c == ' ': // blanks: below
		case c == ':' && strings.HasPrefix(s, "mcp__"):
		default:
			return fmt.Sprintf("the tool name holds %q", c)
		}
	}
	if strings.Contains(s, " ") {
		return "the tool name holds a blank"
	}
	return ""
}

// allowedGlob says whether the wildcard of an allow rule's tool name stands
// only in the tool part of one literal MCP server.
func allowedGlob(tool string) bool {
	rest, ok := strings.CutPrefix(tool, "mcp__")
	if !ok {
		return false
	}
	server, _, ok := strings.Cut(rest, "__")
	return ok && server != "" && !strings.Contains(server, "*")
}

// Ref returns what the rule says and where it stands.
func (r Rule) Ref() RuleRef { return r.ref }

// String returns the rule's text in its canonical form; parsing it again gives
// an equal rule.
func (r Rule) String() string {
	if r.has {
		return r.tool + "(" + r.spec + ")"
	}
	return r.tool
}

// match is the outcome of a rule against an action.
type match uint8

const (
	matchNo match = iota
	matchMay
	matchYes
)

// matchTool says whether the rule's tool name covers the tool. fam is the rule
// family that the inspector names. Deny and ask rules take every wider reading;
// an allow rule for an MCP server has to mean each server that the tool may be
// of, as far as the known ones tell.
func (r *Rule) matchTool(tool, fam string, known []string) bool {
	strict := r.ref.Effect != Allow
	switch {
	case r.tool == tool:
		return true
	case strings.HasPrefix(r.tool, "mcp__") && !strict:
		return r.allowsServers(tool, known)
	case r.toolParts != nil:
		return globMatch(r.toolParts, tool)
	case strings.HasPrefix(r.tool, "mcp__"):
		// mcp__server is mcp__server__*. A server name may itself hold "__":
		// a deny rule for mcp__a__b then means the server "a__b" as well.
		return len(tool) > len(r.tool)+2 && strings.HasPrefix(tool, r.tool) && strings.HasPrefix(tool[len(r.tool):], "__")
	case r.tool == "" || r.tool != r.family:
		return false
	}
	// A rule for a family's name covers the tools of the family.
	if strict {
		return fam == r.family || toolFamily[tool] == r.family
	}
	return r.family == fam && toolFamily[tool] == fam
}

// allowsServers says whether an allow rule covers the tool of whichever of the
// servers it belongs to.
func (r *Rule) allowsServers(tool string, known []string) bool {
	all, any := true, false
	eachServer(tool, known, func(server string) {
		rest, ok := strings.CutPrefix(r.tool[len("mcp__"):], server)
		all = all && ok && (rest == "" || strings.HasPrefix(rest, "__") && r.toolParts != nil && globMatch(r.toolParts, tool))
		any = true
	})
	return all && any
}

// eachServer yields the servers that an MCP tool may belong to. A tool name is
// mcp__server__tool, and both parts may hold "__" themselves: of the servers
// that the host knows those that fit, else every reading.
func eachServer(tool string, known []string, yield func(server string)) {
	rest, ok := strings.CutPrefix(tool, "mcp__")
	if !ok {
		return
	}
	found := false
	for _, s := range known {
		if after, ok := strings.CutPrefix(rest, s); ok && s != "" && len(after) > 2 && strings.HasPrefix(after, "__") {
			found = true
			yield(s)
		}
	}
	for i := 1; !found && i+2 < len(rest); i++ {
		if rest[i] == '_' && rest[i+1] == '_' {
			yield(rest[:i])
		}
	}
}

// matchCall matches what a deny or ask rule says about the call as such.
func (r *Rule) matchCall(call *Call, ins *Inspection) match {
	if !r.matchTool(call.Tool, ins.Family, nil) {
		return matchNo
	}
	if r.broken {
		return matchMay
	}
	switch r.kind {
	case ruleBare:
		return matchYes
	case ruleParam:
		if v, ok := ins.Params[r.param]; ok && globMatch(r.value.parts, v) {
			return matchYes
		}
		// Whatever value the field has that the inspector takes for true.
		if r.param == "dangerouslyDisableSandbox" && ins.Unconfined && globMatch(r.value.parts, "true") {
			return matchYes
		}
		if r.alsoName && r.namesUse(ins) {
			return matchYes
		}
	case ruleName:
		if r.namesUse(ins) {
			return matchYes
		}
	}
	return matchNo
}

// namesUse says whether the call itself uses what the rule names.
func (r *Rule) namesUse(ins *Inspection) bool {
	for i := range ins.Actions {
		a := &ins.Actions[i]
		if a.Kind != Use || a.Of != 0 || a.Origin != Tool {
			continue
		}
		// Everything of a plug-in is written as its prefix with the colon.
		plugin, every := strings.CutSuffix(r.spec, "*")
		if r.command.matches(a.Name) || r.alsoName && every && strings.HasSuffix(plugin, ":") && strings.HasPrefix(a.Name, plugin) {
			return true
		}
	}
	return false
}

var errNoBase = errors.New("the rule has no directory to start from")
