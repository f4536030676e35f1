package permission

import (
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"
)

// maxSuggestions bounds how many rules one answer may add.
const maxSuggestions = 5

// Suggest returns allow rules that together would settle the call, one for
// each part that needs approval, or nil where no rule can: only a one-time
// answer is then possible. Each set is verified by deciding the call again.
func (e *Evaluator) Suggest(st State, call Call, ins Inspection) []string {
	return e.suggest(st, call, ins, nil)
}

func (e *Evaluator) suggest(st State, call Call, ins Inspection, opinions []Opinion) []string {
	if e.policy.locks.managedRulesOnly {
		return nil
	}
	var rules []string
	add := func(rule string) {
		if len(rule) > 300 || strings.ContainsAny(rule, "\n\r\x00") {
			rules = append(rules, "")
			return
		}
		for _, r := range rules {
			if r == rule {
				return
			}
		}
		rules = append(rules, rule)
	}
	if e.policy.effective(st) == ModePlan {
		return nil
	}
	d := e.Decide(st, call, ins, opinions...)
	if d.Verdict != Ask {
		return nil
	}
	for _, r := range d.Reasons {
		if r.Verdict != Ask {
			continue
		}
		if r.Action == 0 {
			return nil
		}
		a := &ins.Actions[r.Action-1]
		if r.Code == CodeChanged || r.Code == CodeSend {
			continue // the answer settles it: see answered
		}
		if a.Origin == Operand && a.Of > 0 && a.Of <= len(ins.Actions) {
			// An effect of a command is covered by a rule for the command.
			switch r.Code {
			case CodeEdit, CodeNetwork, CodeUnmatched, CodeProtected, CodeOutside:
				rule := e.suggestRun(call, &ins, a.Of-1)
				if rule == "" {
					return nil
				}
				add(rule)
				continue
			}
			return nil
		}
		switch {
		case a.Kind == Run && r.Code == CodeUnmatched:
			rule := e.suggestRun(call, &ins, r.Action-1)
			if rule == "" {
				return nil
			}
			add(rule)
		case r.Code == CodeNetwork && a.Origin == Tool && a.Host != "" && !strings.Contains(a.Host, "*"):
			add("WebFetch(domain:" + a.Host + ")")
		case r.Code == CodeUnmatched && a.Kind == Use && a.Origin == Tool:
			if ins.Family == "Skill" || ins.Family == "Agent" {
				if a.Name == "" || strings.ContainsAny(a.Name, "*:()") {
					return nil
				}
				add(ruleText(ins.Family, a.Name))
				break
			}
			if !namesOneTool(call.Tool) || toolFamily[call.Tool] != "" && call.Tool != "WebSearch" {
				// The rules of the standard tools say of what.
				return nil
			}
			add(call.Tool)
		case r.Code == CodeEdit && a.Path.Extent == Exact && a.Origin != Operand:
			add("Edit(/" + escapePattern(a.Path.Clean) + ")")
		case r.Code == CodeOutside && a.Path.Extent == Exact && (a.Kind == Read || a.Kind == List):
			add("Read(/" + escapePattern(a.Path.Clean) + ")")
		default:
			return nil
		}
	}
	if len(rules) == 0 || len(rules) > maxSuggestions || slices.Contains(rules, "") {
		return nil
	}
	p, err := e.policy.With(LayerSession, st.Dir, Allow, rules...)
	if err != nil {
		return nil
	}
	if e.with(p).Decide(e.answered(st, call, ins, &d), call, ins, opinions...).Verdict != Allow {
		return nil
	}
	return rules
}

// answered is the state once a person said yes for the session: what the call runs
// and where it may send is settled by the answer itself, and not by its rules.
func (e *Evaluator) answered(st State, call Call, ins Inspection, d *Decision) State {
	at := decider{p: e.policy, st: st, call: call, ins: ins}
	at.confine()
	for _, r := range d.Reasons {
		if r.Verdict != Ask || r.Action == 0 {
			continue
		}
		switch c := ins.Actions[r.Action-1].command(); r.Code {
		case CodeChanged:
			if st.Contents = maps.Clone(st.Contents); st.Contents == nil {
				st.Contents = map[string]string{}
			}
			st.Contents[contentKey(c)] = c.Digest()
		case CodeSend:
			name := at.destination(r.Action - 1)
			if name == toHost || strings.Contains(name, DynamicWord) {
				continue // that is asked about each time
			}
			if st.Destinations = maps.Clone(st.Destinations); st.Destinations == nil {
				st.Destinations = map[string]bool{}
			}
			st.Destinations[name] = true
		}
	}
	return st
}

// namesOneTool reports a tool name that a rule takes for this tool and no other:
// the model chooses it, and mcp__server and mcp__server__* are rules for a whole
// server.
func namesOneTool(name string) bool {
	if name == "" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.") != "" {
		return false
	}
	rest, mcp := strings.CutPrefix(name, "mcp__")
	if !mcp {
		return true
	}
	server, tool, _ := strings.Cut(rest, "__")
	return server != "" && tool != ""
}

// widened are the prefixes that a suggestion may end with a wildcard. What they
// do with any arguments is to make or stage files, and where is decided on its
// own. Everything else is suggested word for word: "rm *" or "git branch *"
// would be far more than what was approved.
var widened = map[string]bool{"git add": true, "mkdir": true, "touch": true}

// suggestRun returns a rule for a command: its prefix with a wildcard where
// that allows nothing but more of the same, else its exact text, else "".
func (e *Evaluator) suggestRun(call Call, ins *Inspection, i int) string {
	run := &ins.Actions[i]
	c := run.command()
	if run.Kind != Run || ins.Family != "Bash" || c.Opaque || c.Dynamic || len(c.Allow) == 0 {
		return ""
	}
	text := c.Allow[0]
	word, _, _ := strings.Cut(text, " ")
	if codeRunner(path.Base(word)) && c.Digest() == "" {
		// It runs what is given to it, and a rule would be for any of that.
		return ""
	}
	if !c.Closed && (fed(call, run.Span) || startsOthers(text)) || takesInput(text) {
		// What it is fed, or told to start, is no part of what a rule means.
		return ""
	}
	wild := widened[c.Prefix] && !c.ExactOnly && !c.Runner && c.Digest() == "" &&
		(text == c.Prefix || strings.HasPrefix(text, c.Prefix+" ")) && !e.interpreter(path.Base(word))
	for j := range ins.Actions {
		a := &ins.Actions[j]
		switch {
		case a.Of != i+1:
		case a.Kind == Run:
			// It starts other commands: a wildcard would be for any of them.
			wild = false
		case a.Kind == Connect && !a.Own:
			// It sends where the words say: no rule says what.
			return ""
		case a.Kind == Connect, a.Kind == KindUnknown, a.Kind == Use:
			wild = false
		case (a.Kind == Write || a.Kind == Delete) && !a.Own && (!a.Path.known() || a.Path.Zone == Outside || a.Path.Class != Ordinary):
			// What it changed this time lies elsewhere, and so may the next.
			wild = false
		}
	}
	if wild {
		return ruleText(ins.Family, c.Prefix+" *")
	}
	if strings.Contains(text, "*") || strings.HasSuffix(text, ":") {
		// An exact rule cannot spell a star.
		return ""
	}
	return ruleText(ins.Family, text)
}

// codeReaders are the programs that run the code that they read.
var codeReaders = map[string]bool{"sh": true, "bash": true, "dash": true, "zsh": true, "ksh": true, "fish": true, "busybox": true, "pwsh": true, "python": true, "perl": true, "ruby": true, "node": true, "php": true, "psql": true, "mysql": true, "sqlite3": true, "redis-cli": true}

// startsOthers says that words of a command name what it starts, or that it reads
// what to do from its input.
func startsOthers(text string) bool {
	words := strings.Fields(text)
	for i, w := range words {
		switch {
		case w == "-" && words[0] != "git" || i > 0 && named(codeReaders, strings.TrimPrefix(strings.TrimPrefix(strings.Trim(w, `'"`), "/usr"), "/bin/")):
			return true
		case i == 2 && words[0] == "git" && (words[1] == "bisect" && w == "run" || words[1] == "submodule" && w == "foreach"):
			return true
		}
	}
	return len(words) > 1 && (words[0] == "git" && words[1] == "filter-branch" || words[0] == "npm" && words[1] == "exec")
}

// takesInput says that a command changes what its input says: the rule for it
// would be for any input.
func takesInput(text string) bool {
	words := strings.Fields(text)
	if len(words) == 0 {
		return false
	}
	switch path.Base(words[0]) {
	case "patch":
		return true
	case "docker", "podman", "nerdctl", "kubectl":
		return slices.ContainsFunc(words, func(w string) bool { return w == "-i" || w == "-it" || w == "-ti" || w == "--interactive" })
	case "swift", "vagrant":
		return len(words) == 1 || words[1] == "ssh"
	case "git":
		return len(words) > 1 && (words[1] == "apply" || words[1] == "am") && strings.HasPrefix(words[len(words)-1], "-") || len(words) == 2 && (words[1] == "apply" || words[1] == "am")
	}
	return false
}

// fed says whether a command of the call reads what a here-document, a file or
// another command gives it, as far as the text shows. It errs towards true.
func fed(call Call, at Span) bool {
	var in struct {
		Command string `json:"command"`
	}
	if json.Unmarshal(call.Input, &in) != nil {
		// Not the input of a shell: there is no text that feeds it.
		return false
	}
	if strings.Contains(in.Command, "<") {
		return true
	}
	if at.Start <= 0 || int(at.Start) > len(in.Command) {
		return false
	}
	before := strings.TrimRight(in.Command[:at.Start], " \t\n({")
	return strings.HasSuffix(before, "|") && !strings.HasSuffix(before, "||") || strings.HasSuffix(before, "|&")
}

func ruleText(family, spec string) string { return family + "(" + spec + ")" }

// escapePattern makes a path mean itself as a gitignore pattern.
func escapePattern(p string) string {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if strings.IndexByte(`*?[\!# `, p[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(p[i])
	}
	return b.String()
}
