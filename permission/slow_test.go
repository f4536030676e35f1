package permission_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	. "github.com/clearance-go/clearance/permission"
)

// The slow evaluator: the decision model written down a second time, as
// plainly as possible and with nothing of the package but its data types.
// Patterns are regular expressions, every rule is tried on every action.

type slowRule struct {
	effect Verdict
	text   string
}

type slowWorld struct {
	rules []slowRule
	// switches of the settings
	sandbox, autoAllow, allowUnsandboxed    bool
	excluded                                []string
	domains, notDomains                     []string
	strictDomains                           bool
	disableBypass, disableAuto, denyInstead bool
	blockReads, blockWrites                 bool
	home, base                              string
}

// data is the settings file that says the same.
func (w *slowWorld) data() []byte {
	lists := map[Verdict][]string{}
	for _, r := range w.rules {
		lists[r.effect] = append(lists[r.effect], r.text)
	}
	perm := map[string]any{"deny": lists[Deny], "ask": lists[Ask], "allow": lists[Allow]}
	if w.disableBypass {
		perm["disableBypassPermissionsMode"] = "disable"
	}
	if w.disableAuto {
		perm["disableAutoMode"] = "disable"
	}
	if w.denyInstead {
		perm["denyInsteadOfPrompting"] = true
	}
	if w.blockReads {
		perm["blockReadsOutsideWorkingDirectories"] = true
	}
	if w.blockWrites {
		perm["blockWritesOutsideWorkingDirectories"] = true
	}
	b, err := json.Marshal(map[string]any{"permissions": perm, "sandbox": map[string]any{
		"enabled": w.sandbox, "autoAllowBashIfSandboxed": w.autoAllow, "allowUnsandboxedCommands": w.allowUnsandboxed, "excludedCommands": w.excluded,
		"network": map[string]any{"allowedDomains": w.domains, "deniedDomains": w.notDomains, "strictAllowlist": w.strictDomains},
	}})
	if err != nil {
		panic(err)
	}
	return b
}

var families = map[string]string{
	"Bash": "Bash", "Monitor": "Bash", "Read": "Read", "Grep": "Read", "Glob": "Read", "Edit": "Edit", "Write": "Edit",
	"WebFetch": "WebFetch", "WebSearch": "WebSearch", "Agent": "Agent", "Skill": "Skill", "PowerShell": "PowerShell",
}

func slowFamily(tool string) string {
	if f := families[tool]; f != "" {
		return f
	}
	if strings.HasPrefix(tool, "mcp__") {
		return "mcp"
	}
	return tool
}

func slowGlob(glob, text string) bool {
	return regexp.MustCompile(`(?s)^` + strings.ReplaceAll(regexp.QuoteMeta(glob), `\*`, `.*`) + `$`).MatchString(text)
}

// slowCommand matches a Bash pattern.
func slowCommand(spec, text string) bool {
	if s, ok := strings.CutSuffix(spec, ":*"); ok {
		spec = s + " *"
	}
	if s, ok := strings.CutSuffix(spec, " *"); ok && slowGlob(s, text) {
		return true
	}
	return slowGlob(spec, text)
}

// slowMay says whether some value of the unknown words makes the pattern
// match: both sides hold wildcards.
func slowMay(spec, text string) bool {
	if s, ok := strings.CutSuffix(spec, ":*"); ok {
		spec = s + " *"
	}
	var common func(p, t string) bool
	common = func(p, t string) bool {
		if p == "" && t == "" {
			return true
		}
		if p != "" && p[0] == '*' && (common(p[1:], t) || t != "" && common(p, t[1:])) {
			return true
		}
		if t != "" && t[0] == 0 && (common(p, t[1:]) || p != "" && common(p[1:], t)) {
			return true
		}
		return p != "" && t != "" && p[0] == t[0] && p[0] != '*' && common(p[1:], t[1:])
	}
	if s, ok := strings.CutSuffix(spec, " *"); ok && common(s, text) {
		return true
	}
	return common(spec, text)
}

// slowCredentials are the hosts of the random calls at which clouds give out credentials.
var slowCredentials = map[string]bool{"169.254.169.254": true, "metadata.google.internal": true}

// slowRunners are the programs of the random rules that run what they are told or
// what the project defines: auto mode sets rules with a star for them aside.
var slowRunners = regexp.MustCompile(`^(python|npm|timeout|xargs)[ *]`)

// slowPath matches a path specifier against an absolute path, or a directory
// above it.
func slowPath(w *slowWorld, spec string, effect Verdict, dirs []string, p string, isDir bool) bool {
	strict := effect != Allow
	bases := dirs
	pattern := spec
	switch {
	case strings.HasPrefix(spec, "//"):
		bases, pattern = []string{"/"}, spec[1:]
	case strings.HasPrefix(spec, "~/"):
		bases, pattern = []string{w.home}, spec[1:]
	case strings.HasPrefix(spec, "/"):
		bases = []string{w.base}
	default:
		pattern = strings.TrimPrefix(spec, "./")
		if d, ok := strings.CutSuffix(pattern, "/**"); ok && !strings.Contains(d, "/") && strict {
			pattern = "**/" + pattern
		}
	}
	onlyDir := strings.HasSuffix(pattern, "/")
	pattern = strings.TrimSuffix(pattern, "/")
	anchored := strings.Contains(pattern, "/")
	pattern = strings.TrimPrefix(pattern, "/")
	if strict {
		pattern, p = strings.ToLower(pattern), strings.ToLower(p)
	}
	re := "^"
	if !anchored {
		re += "(?:.*/)?"
	}
	for i := 0; i < len(pattern); {
		switch rest := pattern[i:]; {
		case strings.HasPrefix(rest, "**/") && (i == 0 || pattern[i-1] == '/'):
			re += "(?:.*/)?"
			i += 3
		case rest == "**" && (i == 0 || pattern[i-1] == '/'):
			re += ".+"
			i += 2
		case rest[0] == '*':
			re += "[^/]*"
			i++
		case rest[0] == '?':
			re += "[^/]"
			i++
		default:
			re += regexp.QuoteMeta(rest[:1])
			i++
		}
	}
	compiled := regexp.MustCompile(re + "$")
	for _, base := range bases {
		if strict {
			base = strings.ToLower(base)
		}
		rel, ok := strings.CutPrefix(p, strings.TrimSuffix(base, "/")+"/")
		if !ok || rel == "" {
			continue
		}
		parts := strings.Split(rel, "/")
		for n := 1; n <= len(parts); n++ {
			if (n < len(parts) || isDir || !onlyDir) && compiled.MatchString(strings.Join(parts[:n], "/")) {
				return true
			}
		}
	}
	return false
}

func slowHost(pattern, host string) bool {
	pattern = strings.ToLower(pattern)
	switch {
	case host == "":
		return false
	case pattern == "*":
		return true
	case strings.HasPrefix(pattern, "*."):
		return len(host) > len(pattern)-1 && strings.HasSuffix(host, pattern[1:])
	}
	return regexp.MustCompile(`^` + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `[^.]*`) + `$`).MatchString(host)
}

type slowSpec struct{ tool, spec string }

func slowParse(text string) slowSpec {
	tool, spec, ok := strings.Cut(text, "(")
	spec = strings.TrimSuffix(spec, ")")
	if !ok || spec == "*" {
		spec = ""
	}
	return slowSpec{tool, spec}
}

// slowServers are the servers that the host of the random tests knows.
var slowServers = []string{"s", "z__y", "s__a__c", "z"}

func slowTool(tool string, effect Verdict, call Call, ins Inspection) bool {
	switch {
	case tool == call.Tool:
		return true
	case strings.HasPrefix(tool, "mcp__") && effect == Allow:
		// Whichever of the servers it is, the rule has to be for it.
		readings, all := 0, true
		for i := 6; i+2 < len(call.Tool); i++ {
			server := call.Tool[:min(i, len(call.Tool))]
			if !strings.HasPrefix(call.Tool, server+"__") || !strings.HasPrefix(server, "mcp__") {
				continue
			}
			if w := slowServers; w != nil && slices.ContainsFunc(w, func(s string) bool { return strings.HasPrefix(call.Tool, "mcp__"+s+"__") && len(call.Tool) > len(s)+7 }) && !slices.Contains(w, server[5:]) {
				continue
			}
			readings++
			all = all && (tool == server || strings.HasPrefix(tool, server+"__") && slowGlob(tool, call.Tool))
		}
		return readings > 0 && all
	case strings.Contains(tool, "*"):
		return slowGlob(tool, call.Tool)
	case strings.HasPrefix(tool, "mcp__"):
		return strings.HasPrefix(call.Tool, tool+"__") && call.Tool != tool+"__"
	case slowFamily(tool) != tool:
		return false
	case effect == Allow:
		return slowFamily(call.Tool) == tool && ins.Family == tool && families[call.Tool] != ""
	}
	return ins.Family == tool || families[call.Tool] == tool
}

// slowBroken are the deny and ask rules of the tests that cannot be read.
var slowBroken = map[string]bool{"Read([a)": true, "Bash(:*)": true, "WebFetch(x)": true, "Edit(../x)": true}

type match int

const (
	no match = iota
	may
	yes
)

// definite says that a path is one that the inspector could name.
func definite(p Path) bool {
	return p.Clean != "" && p.Real != "" && (p.Extent == Exact || p.Extent == Glob || p.Extent == Tree || p.Extent == Within) &&
		(p.Zone == Inside || p.Zone == Additional || p.Zone == Outside) &&
		slices.Contains([]Class{Unclassified, Ordinary, Protected, Sensitive, Forbidden}, p.Class)
}

func (w *slowWorld) strict(r slowRule, st State, call Call, ins Inspection) match {
	s := slowParse(r.text)
	best := no
	if slowTool(s.tool, r.effect, call, ins) {
		switch {
		case slowBroken[r.text]:
			best = may
		case s.spec == "":
			best = yes
		case s.tool == "Agent" || s.tool == "Skill":
			for _, a := range ins.Actions {
				if a.Kind == Use && a.Of == 0 && a.Origin == Tool && slowCommand(s.spec, a.Name) {
					best = yes
				}
			}
		case s.spec == "run_in_background:true":
			if ins.Params["run_in_background"] == "true" {
				best = yes
			}
		}
	}
	for _, a := range ins.Actions {
		m := w.strictAction(r, s, st, call, ins, a)
		if a.Maybe && m == yes && (a.Kind == Read || a.Kind == List || a.Kind == Write || a.Kind == Delete || a.Kind == Connect) && !slowBroken[r.text] {
			m = may
		}
		best = max(best, m)
	}
	return best
}

func (w *slowWorld) strictAction(r slowRule, s slowSpec, st State, call Call, ins Inspection, a Action) match {
	family := slowFamily(s.tool)
	onPath := a.Kind == Write || a.Kind == Delete || family == "Read" && (a.Kind == Read || a.Kind == List)
	switch {
	case slowBroken[r.text]:
		if family == "Bash" && a.Kind == Run || (family == "Read" || family == "Edit") && onPath || family == "WebFetch" && a.Kind == Connect {
			return may
		}
	case s.spec == "" || s.spec == "run_in_background:true":
	case a.Kind == KindUnknown && a.Origin == OriginUnknown:
		path, host := family == "Read" || family == "Edit", family == "WebFetch"
		switch ins.Family {
		case "Read":
			path, host = family == "Read", false
		case "Edit":
			host = false
		case "WebFetch":
			path = false
		}
		if path || host || family == "Bash" && ins.Family != "Read" && ins.Family != "Edit" && ins.Family != "WebFetch" {
			return may
		}
	case family == "Bash" && a.Kind == Run:
		if len(a.Command.Deny) == 0 || a.Command.Dynamic && !strings.Contains(strings.Join(a.Command.Deny, ""), "\x00") {
			return may
		}
		best := no
		for _, t := range a.Command.Deny {
			if slowCommand(s.spec, t) {
				best = yes
			} else if strings.Contains(t, "\x00") && slowMay(s.spec, t) {
				best = max(best, may)
			}
		}
		for _, t := range a.Command.MayRun() {
			if slowCommand(s.spec, t) || strings.Contains(t, "\x00") && slowMay(s.spec, t) {
				best = max(best, may)
			}
		}
		return best
	case (family == "Read" || family == "Edit") && onPath:
		p := a.Path
		if !definite(p) {
			if a.Own && a.Origin == Operand && p.Extent != Exact {
				return no // the program's own business
			}
			return may
		}
		isDir := p.Extent == Tree || p.Extent == Within || a.Kind == List
		for _, name := range append([]string{p.Clean, p.Real}, p.Also()...) {
			if slowPath(w, s.spec, r.effect, []string{st.Dir, call.Dir}, name, isDir) {
				return yes
			}
		}
		if p.Extent == Exact || p.Walked || a.Kind == List {
			return no
		}
		// Which names lie below is the matcher's estimate: see below in the
		// comparison.
		return slowBelow
	case family == "WebFetch" && a.Kind == Connect && a.Host == "" && a.Own && a.Origin == Operand:
		return no
	case family == "WebFetch" && a.Kind == Connect:
		switch {
		case a.Host == "":
			return may
		case slowHost(strings.TrimPrefix(s.spec, "domain:"), a.Host):
			return yes
		}
	}
	return no
}

// slowBelow is returned where a rule could name something below a tree. The
// generator makes no such rules and trees that are not certain either way.
const slowBelow = may

func (w *slowWorld) allowsRun(st State, call Call, ins Inspection, i int, exactOnly bool) bool {
	c := ins.Actions[i].Command
	for _, r := range w.rules {
		if r.effect != Allow || slowParse(r.text).tool == "" {
			continue
		}
		s := slowParse(r.text)
		if slowFamily(s.tool) != ins.Family {
			continue
		}
		if s.spec == "" {
			if !exactOnly && st.Mode != ModeAuto && slowTool(s.tool, Allow, call, ins) {
				return true
			}
			continue
		}
		if ins.Family != "Bash" || c.Opaque {
			continue
		}
		isExact := !strings.Contains(s.spec, "*")
		spelled := isExact || slices.Contains(c.Allow, s.spec)
		if (exactOnly || c.ExactOnly) && !spelled {
			continue
		}
		if st.Mode == ModeAuto && (s.tool == "Monitor" || !isExact && (c.Runner || slowRunners.MatchString(s.spec) || !strings.Contains(s.spec, " *") || strings.HasPrefix(s.spec, "*"))) {
			continue
		}
		for _, t := range c.Allow {
			if slowCommand(s.spec, t) {
				return true
			}
		}
	}
	return false
}

// covers says whether an allow rule covers the Run, by itself or through what
// starts it.
func (w *slowWorld) covers(st State, call Call, ins Inspection, i int, exactOnly bool) bool {
	if w.allowsRun(st, call, ins, i, exactOnly) {
		return true
	}
	child := i
	for range ins.Actions {
		parent := ins.Actions[child].Of - 1
		if parent < 0 || parent >= len(ins.Actions) || ins.Actions[parent].Kind != Run {
			return false
		}
		if w.allowsRun(st, call, ins, parent, exactOnly || !ins.Actions[child].Command.Opaque) {
			return true
		}
		child = parent
	}
	return false
}

func (w *slowWorld) allowsPath(st State, a Action, families ...string) bool {
	p := a.Path
	if !definite(p) || p.Extent == Glob || p.Class == Unclassified {
		return false
	}
	for _, r := range w.rules {
		s := slowParse(r.text)
		if r.effect != Allow || s.spec == "" || !slices.Contains(families, s.tool) {
			continue
		}
		covers := func(name string) bool {
			ok := true
			switch p.Extent {
			case Exact:
				ok = ok && slowPath(w, s.spec, Allow, []string{st.Dir}, name, false)
			case Tree:
				ok = ok && slowPath(w, s.spec, Allow, []string{st.Dir}, name, true)
				fallthrough
			default:
				// Names that nobody thought of.
				ok = ok && slowPath(w, s.spec, Allow, []string{st.Dir}, name+"/zqxj", false) && slowPath(w, s.spec, Allow, []string{st.Dir}, name+"/q", false)
			}
			return ok
		}
		if !covers(p.Clean) || !covers(p.Real) {
			continue
		}
		if p.Class != Sensitive || a.Kind == List {
			return true
		}
		// A part of the name, from the secret one on, that the rule spells.
		spelled := func(name, secret string) bool {
			if secret != name && !strings.HasPrefix(name, strings.TrimSuffix(secret, "/")+"/") || secret == "" {
				secret = name
			}
			parts := strings.Split(name, "/")
			for i := len(strings.Split(secret, "/")) - 1; i < len(parts); i++ {
				if parts[i] == "" {
					continue
				}
				found := true
				for _, other := range []string{"q", "qz", strings.Repeat("q", len(parts[i])), "." + strings.Repeat("q", max(1, len(parts[i])-1))} {
					changed := slices.Clone(parts)
					changed[i] = other
					found = found && !covers(strings.Join(changed, "/"))
				}
				if found {
					return true
				}
			}
			return false
		}
		if spelled(p.Clean, p.Clean) || spelled(p.Real, p.Secret()) {
			return true
		}
	}
	return false
}

func (w *slowWorld) allowsTool(st State, call Call, ins Inspection, a Action) bool {
	if a.Of != 0 || a.Origin != Tool {
		return false
	}
	if st.Mode == ModePlan && ins.Family != "Read" && ins.Family != "WebFetch" && ins.Family != "WebSearch" {
		return false
	}
	for _, r := range w.rules {
		s := slowParse(r.text)
		if r.effect != Allow || s.spec != "" || !slowTool(s.tool, Allow, call, ins) {
			continue
		}
		if f := slowFamily(s.tool); st.Mode == ModeAuto && (f == "Bash" || f == "Agent" || f == "PowerShell") {
			continue
		}
		return true
	}
	return false
}

const (
	everyone  = ByBypass | ByHook | ByClassifier | BySandbox | ByPerson
	noSandbox = ByBypass | ByHook | ByClassifier | ByPerson
	critical  = ByClassifier | ByPerson
)

// decide is the whole model.
func (w *slowWorld) decide(st State, call Call, ins Inspection, opinions []Opinion) (verdict Verdict, confinement Confinement, asked Settlers) {
	// A Run without a command is one of which nothing is known.
	ins.Actions = slices.Clone(ins.Actions)
	for i := range ins.Actions {
		if ins.Actions[i].Command == nil {
			ins.Actions[i].Command = &Command{}
		}
	}
	if st.Mode > ModeBypass || st.Mode == ModeBypass && w.disableBypass || st.Mode == ModeAuto && (!st.Classifier || w.disableAuto) {
		st.Mode = ModeDefault
	}
	denied, asks, who := false, 0, ^Settlers(0)
	ask := func(s Settlers) { asks++; who &= s }

	for _, r := range w.rules {
		if r.effect == Allow {
			continue
		}
		switch m := w.strict(r, st, call, ins); {
		case m == yes && r.effect == Deny:
			denied = true
		case m == yes && slowParse(r.text) == (slowSpec{"Bash", ""}) && st.Mode != ModePlan:
			ask(ByPerson | BySandbox)
		case m != no:
			ask(ByPerson)
		}
	}
	if ins.MustAsk != "" {
		ask(ByPerson)
	}
	for range ins.Findings {
		ask(everyone)
	}
	if len(ins.Actions) == 0 {
		ask(everyone)
	}

	shell := ins.Family == "Bash" || ins.Family == "PowerShell"
	confined := shell && w.sandbox && !(ins.Unconfined && w.allowUnsandboxed)
	for _, a := range ins.Actions {
		for _, t := range a.Command.Allow {
			for _, e := range w.excluded {
				if slowCommand(e, t) {
					confined = false
				}
			}
		}
	}

	plan := st.Mode == ModePlan
	for i, a := range ins.Actions {
		p := a.Path
		if a.Maybe && (a.Kind == Read || a.Kind == List || a.Kind == Write || a.Kind == Delete || a.Kind == Connect) {
			continue
		}
		overRun, overExact := false, false
		if !plan && a.Of > 0 && a.Of <= len(ins.Actions) && ins.Actions[a.Of-1].Kind == Run {
			overRun, overExact = w.covers(st, call, ins, a.Of-1, false), w.covers(st, call, ins, a.Of-1, true)
		}
		operand := a.Origin == Operand && overRun
		known := definite(p)
		if a.Origin != Tool && a.Origin != Operand && a.Origin != Shell {
			ask(everyone)
			continue
		}
		switch a.Kind {
		case Run:
			if ins.Family == "PowerShell" {
				ask(ByHook | ByClassifier | ByPerson)
				continue
			}
			if !a.Command.Closed && (plan || !w.covers(st, call, ins, i, false)) {
				ask(everyone)
			}
		case Read, List:
			switch {
			case p.Class == Forbidden:
				denied = true
			case p.Class == Sensitive && a.Kind == Read:
				if !w.allowsPath(st, a, "Read", "Edit") {
					ask(noSandbox)
				}
			case known && p.Class != Unclassified && p.Zone != Outside:
			case w.blockReads && p.Zone == Outside:
				if a.Of == 0 && a.Origin == Tool {
					denied = true
				} else {
					ask(ByPerson)
				}
			case known && p.Class != Unclassified && a.Free:
			case w.allowsPath(st, a, "Read", "Edit") || w.allowsTool(st, call, ins, a) || operand:
			default:
				ask(everyone)
			}
		case Write, Delete:
			inside := known && p.Class == Ordinary && p.Zone != Outside && !p.ReadOnly
			editing := a.Origin != Operand
			if a.Of > 0 && a.Of <= len(ins.Actions) {
				if c := ins.Actions[a.Of-1]; c.Kind == Run && c.Command.Edits && c.Command.Closed {
					editing = true
				}
			}
			mode := st.Mode == ModeAcceptEdits && editing || st.Mode == ModeAuto && a.Origin == Tool
			switch {
			case p.Class == Forbidden:
				denied = true
			case a.Kind == Delete && p.Critical:
				ask(critical)
			case a.Own && operand:
			case p.Class == Protected:
				ask(noSandbox)
			case w.blockWrites && p.Zone == Outside && a.Origin == Tool:
				denied = true
			case a.Free && known && p.Class == Ordinary:
			case plan:
				ask(everyone &^ ByBypass)
			case p.Steers && st.Provenance == ProvenanceAsk && (st.Labels&Untrusted != 0 || ins.Brings&Untrusted != 0):
				ask(noSandbox)
			case w.allowsPath(st, a, "Edit") && !p.ReadOnly:
			case inside && (operand || w.allowsTool(st, call, ins, a) || mode):
			case p.Class == Sensitive:
				ask(noSandbox)
			default:
				ask(everyone)
			}
		case Connect:
			ok := (w.allowsTool(st, call, ins, a) || operand) && !slowCredentials[a.Host]
			for _, r := range w.rules {
				s := slowParse(r.text)
				if slowCredentials[a.Host] && (r.effect != Allow || strings.Contains(s.spec, "*")) {
					continue
				}
				if r.effect == Allow && s.tool == "WebFetch" && s.spec != "" && (a.Origin == Tool || a.PlainGet) && slowHost(strings.TrimPrefix(s.spec, "domain:"), a.Host) {
					ok = true
				}
			}
			s := everyone
			if ins.Family == "Bash" {
				denied1, may, listed := false, a.Host == "" && w.notDomains != nil, false
				for _, p := range w.notDomains {
					host, port, _ := strings.Cut(p, ":")
					if slowHost(host, a.Host) {
						denied1 = denied1 || port == "" || port == fmt.Sprint(a.Port)
						may = may || a.Port == 0
					}
				}
				for _, p := range w.domains {
					host, port, _ := strings.Cut(p, ":")
					listed = listed || slowHost(host, a.Host) && (port == "" || port == fmt.Sprint(a.Port))
				}
				for _, r := range w.rules {
					if s := slowParse(r.text); r.effect == Allow && s.tool == "WebFetch" && s.spec != "" {
						listed = listed || slowHost(strings.TrimPrefix(s.spec, "domain:"), a.Host)
					}
				}
				if denied1 {
					denied = true
					continue
				}
				if may && !(confined && st.Enforces) {
					ask(ByPerson)
				} else if confined && w.strictDomains && a.Host != "" && !listed {
					denied = true
					continue
				}
				if a.Host != "" && !listed {
					s &^= BySandbox
				}
			}
			if slowCredentials[a.Host] {
				s &^= BySandbox
			}
			if !ok {
				ask(s)
			}
		case Use:
			ok := a.Free || a.Origin == Tool && w.allowsTool(st, call, ins, a)
			if a.Origin == Tool && !plan {
				for _, r := range w.rules {
					s := slowParse(r.text)
					if r.effect == Allow && (s.tool == "Skill" || s.tool == "Agent" && st.Mode != ModeAuto) && s.spec != "" && slowTool(s.tool, Allow, call, ins) && slowCommand(s.spec, a.Name) {
						ok = true
					}
				}
			}
			if a.Origin != Tool && (operand && a.Name != "environment" || overExact) {
				ok = true
			}
			if !ok {
				ask(everyone)
			}
		default:
			if !operand {
				ask(everyone)
			}
		}
	}

	if st.Labels&Untrusted != 0 && (st.Labels|ins.Brings)&SensitiveData != 0 && st.Provenance == ProvenanceAsk {
		for i, a := range ins.Actions {
			to := ""
			switch a.Kind {
			case Connect:
				to = "host:" + a.Host
			case Run:
				hosts, unknown := false, false
				for _, b := range ins.Actions {
					if b.Of == i+1 {
						hosts = hosts || b.Kind == Connect && b.Host != ""
						unknown = unknown || b.Kind == KindUnknown
					}
				}
				open := w.domains != nil
				for _, r := range w.rules {
					s := slowParse(r.text)
					open = open || r.effect == Allow && s.tool == "WebFetch" && s.spec != ""
				}
				if !a.Command.Closed && !(confined && st.Enforces && !open) && (unknown || !hosts) {
					to = "run:"
					if len(a.Command.Allow) > 0 {
						to += a.Command.Allow[0]
					} else if len(a.Command.Deny) > 0 {
						to += a.Command.Deny[0]
					}
				}
			case Use:
				if !a.Free && a.Origin == Tool && ins.Family != "Skill" && ins.Family != "Agent" {
					to = "tool:" + a.Name
				}
			case Read, List, Write, Delete:
			default:
				if !(a.Of > 0 && a.Of <= len(ins.Actions) && ins.Actions[a.Of-1].Kind == Run) {
					to = "tool:" + call.Tool
				}
			}
			if to != "" && !st.Destinations[to] {
				ask(ByPerson)
			}
		}
	}

	var said Settlers
	for _, o := range opinions {
		switch {
		case o.Verdict == Ask:
			ask(ByPerson)
		case o.Verdict != Allow:
			denied = true
		case o.From == FromHook:
			said |= ByHook
		case o.From == FromClassifier && st.Mode == ModeAuto:
			said |= ByClassifier
		case o.From == FromPerson:
			said |= ByPerson
		}
	}
	confinement = ConfinementNotRequired
	if confined {
		confinement = ConfinementRequired
	}
	switch {
	case denied:
		return Deny, confinement, 0
	case asks == 0, who&said != 0,
		st.Mode == ModeBypass && who&ByBypass != 0,
		who&BySandbox != 0 && confined && w.autoAllow && st.Enforces && !plan:
		return Allow, confinement, 0
	case st.Mode == ModeDontAsk, w.denyInstead:
		return Deny, confinement, 0
	}
	return Ask, confinement, who
}
