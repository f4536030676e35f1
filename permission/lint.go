package permission

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// Lint is a remark on a rule that is not what it seems.
type Lint struct {
	Code string  `json:"code"`
	Rule RuleRef `json:"rule"`
	// Problem says what the rule really does, Fix what to write instead.
	Problem string `json:"problem"`
	Fix     string `json:"fix,omitempty"`
	// By is the rule that makes this one superfluous, for [LintShadowed].
	By *RuleRef `json:"by,omitempty"`
}

// String says on one line what the rule really does and what to write instead.
func (l Lint) String() string {
	s := l.Rule.String() + ": " + l.Problem
	if l.Code == LintMisplaced {
		s = fmt.Sprintf("%s:%d: the key %q: %s", l.Rule.File, l.Rule.Line, l.Rule.Text, l.Problem)
	}
	if l.Fix != "" {
		s += "; " + l.Fix
	}
	return s
}

// The codes of lints.
const (
	LintUnreadable = "unreadable" // cannot be read as written; what it does instead
	LintInert      = "inert"      // can never match
	LintShadowed   = "shadowed"   // a stricter rule always decides first
	LintRepeated   = "repeated"   // another rule of the same list says it already
	LintWide       = "wide"       // allows more than it seems to
	LintBare       = "bare"       // is about calls of the tool, not about effects
	LintNarrow     = "narrow"     // covers less than it seems to
	LintUnknown    = "unknown"    // names a tool that is not a standard one
	LintMisplaced  = "misplaced"  // a key of a settings file that decides nothing; Rule holds its name and place
	LintHeldBack   = "held-back"  // not in force: the workspace is not trusted, or managed rules only
)

// maxLints bounds what Lint returns, and maxShadow how many rules are compared
// with each other.
const (
	maxLints  = 1000
	maxShadow = 2000
)

// Lint looks for rules that can never match, are decided by another rule, name
// what is never consulted, or are wider or narrower than they look. It has
// nothing to say about most policies.
func (e *Evaluator) Lint() []Lint {
	l := linter{e: e}
	var before RuleRef
	for r := range e.policy.each() {
		// One text may stand for several rules.
		if r.ref != before || len(expand(r.ref.Effect, r.ref.Text)) == 1 {
			l.rule(r)
		}
		before = r.ref
	}
	for _, ref := range e.policy.unread {
		l.add(Lint{Code: LintUnreadable, Rule: ref.Rule, Problem: ref.Problem + "; it allows nothing", Fix: ref.Fix})
	}
	for _, x := range e.policy.strays {
		l.add(x)
	}
	for _, ref := range e.policy.inert {
		l.add(Lint{Code: LintHeldBack, Rule: ref, Problem: "it is not in force", Fix: "trust the workspace, or put it into settings that may allow"})
	}
	l.shadows()
	return l.out
}

type linter struct {
	e   *Evaluator
	out []Lint
}

func (l *linter) add(x Lint) {
	if len(l.out) < maxLints {
		l.out = append(l.out, x)
	}
}

func (l *linter) rule(r *Rule) {
	say := func(code, problem, fix string) { l.add(Lint{Code: code, Rule: r.ref, Problem: problem, Fix: fix}) }
	var re *RuleError
	_, err := readRules(r.ref, l.e.policy.home, "/")
	errors.As(err, &re)
	switch {
	case r.broken && re == nil:
		say(LintUnreadable, "it cannot be read as written, so it asks for every call it may mean", "correct it: see the error of the settings file")
		return
	case r.broken:
		say(LintUnreadable, re.Problem+"; so it asks for every call it may mean", re.Fix)
		return
	case re != nil && re.Inert:
		say(LintInert, re.Problem, re.Fix)
		return
	}
	if r.toolParts == nil && r.kind != ruleInert && !strings.HasPrefix(r.tool, "mcp__") && !standardTools[r.tool] && toolFamily[r.tool] == "" {
		near := nearTool(r.ref.Text)
		if near == "" {
			near = nearTool(r.tool)
		}
		lower := strings.ToLower(r.tool)
		switch {
		case near != "" && r.ref.Effect != Allow && r.kind == ruleBare:
			say(LintInert, "no standard tool has this name; honoured as "+near+" as well", "write "+near)
		case near != "":
			say(LintInert, "no standard tool has this name", "write "+near)
		case strings.HasPrefix(lower, "mcp_") || strings.HasPrefix(lower, "mcp-") || strings.HasPrefix(lower, "mcp."):
			say(LintInert, "the name of an MCP tool is mcp__server__tool, with two underscores", "write mcp__server__tool or mcp__server__*")
		case r.ref.Effect != Allow && !strings.Contains(r.tool, "_"):
			say(LintUnknown, "no standard tool has this name; unless the host brings one, it never matches", "write the name of the tool, for instance Bash, Read, Edit, WebFetch")
		}
	}
	switch r.kind {
	case ruleBare:
		l.bare(r, say)
	case ruleCommand:
		l.command(r, say)
	case rulePath:
		l.path(r, say)
	}
}

// standardTools are the documented tools beside those of toolFamily
// (https://code.claude.com/docs/en/tools-reference).
var standardTools = map[string]bool{
	"AskUserQuestion": true, "BashOutput": true, "KillShell": true, "KillBash": true, "EnterPlanMode": true, "ExitPlanMode": true, "EnterWorktree": true, "ExitWorktree": true,
	"TodoWrite": true, "TodoRead": true, "TaskCreate": true, "TaskGet": true, "TaskList": true, "TaskUpdate": true, "TaskOutput": true, "TaskStop": true,
	"ToolSearch": true, "EndConversation": true, "SlashCommand": true, "SendMessage": true, "CronCreate": true, "CronDelete": true, "CronList": true,
	"ListMcpResourcesTool": true, "ReadMcpResourceTool": true, "Cd": true,
}

// nearTool returns the tool that has the name in another case.
func nearTool(name string) string {
	for known := range toolFamily {
		if strings.EqualFold(known, name) {
			return known
		}
	}
	return ""
}

func (l *linter) bare(r *Rule, say func(code, problem, fix string)) {
	switch {
	case r.ref.Effect == Allow && r.family == "Bash":
		say(LintWide, "it allows every command", "name the commands: Bash(npm test), Bash(git status *)")
	case r.ref.Effect == Allow && r.tool == "WebFetch":
		say(LintWide, "it allows every host", "name the hosts: WebFetch(domain:example.com)")
	case r.ref.Effect != Allow && (r.family == "Read" || r.family == "Edit" || r.family == "WebFetch"):
		say(LintBare, "it is about calls of the tool: a shell command that does the same is not meant",
			map[string]string{"Read": "write Read(//**) for every way to read", "Edit": "write Edit(//**) for every way to write", "WebFetch": "write WebFetch(domain:*) for every connection"}[r.family])
	}
}

func (l *linter) command(r *Rule, say func(code, problem, fix string)) {
	p := r.command
	word, rest, _ := strings.Cut(p.parts[0], " ")
	whole := strings.Join(p.parts, "*")
	if op := operatorIn(whole); op != "" {
		say(LintInert, "commands are matched one by one, and no single command holds "+op, "write one rule for each command")
		return
	}
	switch name, _, colon := strings.Cut(word, ":"); {
	case strings.HasSuffix(word, ",") && rest != "":
		say(LintNarrow, fmt.Sprintf("the comma is a letter of the name, and it means the program %q", word), "write one rule for each command")
		return
	case colon && name != "" && !strings.Contains(name, "/"):
		meant := name + " " + strings.TrimLeft(strings.TrimPrefix(whole, name+":"), " ")
		if p.word {
			meant += " *"
		}
		fix := "write " + r.tool + "(" + meant + ")"
		say(LintNarrow, fmt.Sprintf("a colon is a letter unless \":*\" ends the rule, and it means programs that begin with %q", name+":"), fix)
		return
	}
	if r.ref.Effect != Allow {
		last := p.parts[0][strings.LastIndexByte(p.parts[0], ' ')+1:]
		switch {
		case p.exact() && last == p.parts[0]:
			say(LintNarrow, fmt.Sprintf("it means %q without arguments only", p.parts[0]), "write "+r.tool+"("+p.parts[0]+" *)")
		case p.exact() && (strings.HasPrefix(last, "-") || strings.Count(p.parts[0], " ") == 1):
			say(LintNarrow, fmt.Sprintf("it means %q without further arguments only", p.parts[0]), "write "+r.tool+"("+p.parts[0]+" *)")
		}
		return
	}
	if p.exact() {
		return
	}
	base := path.Base(word)
	switch {
	case word == "" || len(p.parts) > 1 && !strings.Contains(p.parts[0], " "):
		say(LintWide, "the name of the program is not spelled out, so it allows other programs as well", "write the program and a blank before the star")
	case named(projectRunners, base):
		if over := runnerOver(base, strings.Fields(rest)); over != "" {
			say(LintWide, over, "spell the sub-command, or the whole command without a star")
		}
	case startsOne(base, strings.Fields(rest)):
		// One package or module, whatever stands behind it.
	case l.e.interpreter(base):
		say(LintWide, word+" runs other commands or code that is given to it, so it allows anything", "spell the whole command, without a star")
	case len(p.parts) > 1 && (rest == "" || base == "git" && strings.HasPrefix(rest, "-")) && strings.Trim(strings.Join(p.parts[1:], ""), " ") != "":
		say(LintWide, "a star before the sub-command lets options in, for instance "+word+" -c …", subCommandFirst(word, p.parts[len(p.parts)-1]))
	}
}

// startsOne says that the words behind an interpreter name the package or the module
// that it starts.
func startsOne(program string, words []string) bool {
	switch program {
	case "npx", "pnpx", "bunx", "uvx":
		return len(words) > 0 && !strings.HasPrefix(words[0], "-")
	}
	return named(map[string]bool{"python": true, "pypy": true}, program) && len(words) > 1 && words[0] == "-m"
}

// subCommandFirst is the fix for a rule with a star in place of a sub-command.
func subCommandFirst(program, last string) string {
	if last = strings.TrimSpace(last); strings.HasPrefix(last, "-") {
		return "write the sub-command in place of the star: " + program + " … " + last
	}
	return "write the sub-command first: " + program + " " + last + " *"
}

// runnerOver says why a rule with a star behind these words of a program that runs
// what a project or a registry defines is wider than it looks; "" where it is not.
// With a target of the project (npm run test, make lint) the star adds options only.
func runnerOver(program string, words []string) string {
	sub := ""
	if len(words) > 0 {
		sub = words[0]
	}
	every := program + " runs whatever the workspace or a registry defines, so it allows anything"
	switch program {
	case "pytest", "tox", "nox", "jest", "vitest", "mocha":
		return "" // one thing, whatever stands behind it
	case "npm", "pnpm", "yarn", "cargo", "pip", "poetry", "uv", "bundle", "gem", "composer", "dotnet", "swift", "mix":
		if sub == "" || len(words) == 1 && (sub == "run" || sub == "run-script" || sub == "exec" || sub == "x" || sub == "dlx") {
			return every
		}
		return ""
	case "docker", "podman", "kubectl", "helm", "terraform", "vagrant", "ansible-playbook":
		switch {
		case sub == "":
			return "it allows every sub-command of " + program + ", those that run code or change what runs elsewhere among them"
		case sub == "run" || sub == "exec":
			return program + " " + sub + " runs any command that is given to it, so it allows anything"
		}
		return ""
	}
	if sub == "" {
		return every
	}
	return ""
}

// operatorIn returns the first operator of the shell that stands in a pattern
// outside of quotes, "" where there is none.
func operatorIn(pattern string) string {
	var quote byte
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\' && quote != '\'':
			i++
		case quote != 0:
		case c == '\'' || c == '"':
			quote = c
		case c == '|' || c == ';':
			return pattern[i : i+1]
		case c == '&' && (i == 0 || pattern[i-1] != '>' && pattern[i-1] != '<') && !strings.HasPrefix(pattern[i:], "&>"):
			return "&"
		}
	}
	return ""
}

func (l *linter) path(r *Rule, say func(code, problem, fix string)) {
	segs := r.path.pattern.segs
	if i := strings.IndexByte(r.spec, ','); i > 0 && strings.ContainsAny(r.spec[i+1:], "./*") && !strings.ContainsAny(r.spec, "{[") {
		say(LintNarrow, "the comma is a letter of one name", "write one rule for each path")
		return
	}
	everything := len(segs) > 0
	for _, s := range segs {
		everything = everything && (s.any || len(s.tokens) == 1 && s.tokens[0].kind == '*')
	}
	switch {
	case r.ref.Effect == Allow && everything && r.path.base == "/":
		say(LintWide, "it means every file of the machine, but for those that may hold secrets", "name the directory: "+r.family+"(~/project/**)")
	case r.ref.Effect == Allow && everything && r.path.base == l.e.policy.home && r.path.base != "":
		say(LintWide, "it means everything in the home directory, but for what is known to hold secrets", "name a directory below it")
	case strings.HasPrefix(r.spec, "/") && !strings.HasPrefix(r.spec, "//") && looksAbsolute(r.spec):
		say(LintNarrow, "a path with one slash starts at the directory of the settings file ("+r.path.base+"), not at the root", "write "+r.family+"(/"+r.spec+")")
	case r.ref.Effect != Allow && r.path.base == "" && namesHome(segs):
		say(LintNarrow, "it means files below the directory that the session starts in, and those of this name lie in the home directory", "write "+r.family+"(//**/"+strings.TrimPrefix(strings.TrimPrefix(r.spec, "./"), "**/")+") for the whole machine")
	case r.ref.Effect != Allow && r.path.pattern.anchored && len(segs) > 2 && segs[len(segs)-1].any && !segs[0].any && r.path.base == "":
		say(LintNarrow, "it means one place below the directory that the session starts in, and no directory of that name elsewhere", "write "+r.family+"(**/"+strings.TrimPrefix(r.spec, "./")+") for any depth")
	}
}

// homeNames are files and folders with secrets that lie in home directories.
var homeNames = map[string]bool{".ssh": true, ".aws": true, ".gnupg": true, ".kube": true, ".netrc": true, "id_rsa": true, "id_ed25519": true, "id_ecdsa": true, ".bash_history": true, ".zsh_history": true}

func namesHome(segs []patternSegment) bool {
	for _, s := range segs {
		if !s.any && s.tokens == nil && homeNames[s.literal] {
			return true
		}
	}
	return false
}

func looksAbsolute(spec string) bool {
	first, _, _ := strings.Cut(spec[1:], "/")
	switch first {
	case "etc", "home", "Users", "usr", "var", "tmp", "opt", "root", "proc", "sys", "dev", "mnt", "private":
		return true
	}
	return false
}

// shadows compares the rules with each other.
func (l *linter) shadows() {
	var rules []*Rule
	for r := range l.e.policy.each() {
		if !r.broken && r.kind != ruleInert {
			rules = append(rules, r)
		}
		if len(rules) == maxShadow {
			break
		}
	}
	for _, r := range rules {
		for _, by := range rules {
			if r == by || by.ref.Effect > r.ref.Effect || !by.includes(r) {
				continue
			}
			ref := by.ref
			if by.ref.Effect < r.ref.Effect {
				l.add(Lint{Code: LintShadowed, Rule: r.ref, By: &ref, Problem: fmt.Sprintf("the %s always decides first", by.ref), Fix: "remove one of the two"})
				break
			}
			if !r.includes(by) || before(by, r, rules) {
				l.add(Lint{Code: LintRepeated, Rule: r.ref, By: &ref, Problem: fmt.Sprintf("the %s says it already", by.ref), Fix: "remove it"})
				break
			}
		}
	}
}

func before(a, b *Rule, rules []*Rule) bool {
	for _, r := range rules {
		if r == a || r == b {
			return r == a
		}
	}
	return false
}

// includes says whether the rule matches whatever the other one does, as far
// as that can be told from their texts. It errs towards false.
func (r *Rule) includes(o *Rule) bool {
	strict := r.ref.Effect != Allow
	switch {
	case r.kind == ruleBare && r.toolParts != nil:
		return o.toolParts == nil && globMatch(r.toolParts, o.tool)
	case r.kind == ruleBare:
		if r.tool == o.tool && o.kind == ruleBare {
			return true
		}
		// A bare rule is about calls: it includes the others of its tool only
		// where these are about nothing else.
		about := o.kind == ruleParam || o.kind == ruleName || o.kind == ruleBare || o.kind == ruleCommand && o.tool == r.tool && (!strict || r.tool == "Bash")
		return about && o.toolParts == nil && r.matchTool(o.tool, o.family, nil)
	case r.kind != o.kind || r.tool != o.tool:
		return false
	}
	switch r.kind {
	case ruleCommand:
		if o.command.exact() {
			return r.command.matches(o.command.parts[0])
		}
		if r.command.raw == o.command.raw {
			return true // "x:*" is "x *"
		}
		return r.command.word && len(r.command.parts) == 1 && o.command.word && len(o.command.parts) == 1 &&
			strings.HasPrefix(o.command.parts[0], r.command.parts[0]+" ")
	case ruleHost:
		return r.host.any || r.String() == o.String() || o.host.labels != nil && !strings.Contains(strings.Join(o.host.labels, "."), "*") && r.host.matches(strings.Join(o.host.labels, "."))
	}
	return r.spec == o.spec && r.path.base == o.path.base
}
