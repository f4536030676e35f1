package permission

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// maxMay bounds how many rules that may match one action are named: one is
// enough to ask.
const maxMay = 8

// hit is a deny or ask rule that matches, or may.
type hit struct {
	rule        *Rule
	table, rank int32
	match       match
	action      int // index+1, 0 for the call
}

// rules applies every deny and ask rule to the call and to each action.
func (d *decider) rules() {
	for n, t := range d.p.strict {
		d.table(int32(n), t)
	}
	if len(d.hits) == 0 {
		return
	}
	// In the order of the rules, whatever the order of the look-ups; for each
	// rule the clearest match.
	slices.SortFunc(d.hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.rank, b.rank), -cmp.Compare(a.match, b.match), cmp.Compare(a.action, b.action))
	})
	var last *Rule
	for i := range d.hits {
		if h := &d.hits[i]; h.rule != last {
			last = h.rule
			d.strictly(h)
		}
	}
}

func (d *decider) hit(t *ruleTable, table, i int32, m match, action int) {
	if m != matchNo {
		d.hits = append(d.hits, hit{&t.rules[i], table, i, m, action})
	}
}

func (d *decider) table(n int32, t *ruleTable) {
	t.eachTool(d.call.Tool, d.ins.Family, func(i int32) {
		d.hit(t, n, i, t.rules[i].matchCall(&d.call, &d.ins), 0)
	})
	d.unnamed, d.unnamedDir = [2]string{}, ""
	for i := range d.ins.Actions {
		d.tableAction(n, t, i)
	}
	for _, s := range d.ins.Strings {
		d.tableString(n, t, s)
	}
	for _, f := range d.ins.Folders {
		for _, i := range t.mayBelow(foldPath(f), d.foldedDir, d.foldedCallDir) {
			if d.namesBelow(&t.rules[i], f) {
				d.hit(t, n, i, matchMay, 0)
			}
		}
	}
}

// namesBelow says whether a path rule means something in this folder rather
// than in any: secrets/** does of secrets, **/.env does not.
func (d *decider) namesBelow(r *Rule, folder string) bool {
	if !r.hasPath() || r.broken {
		return false
	}
	another := path.Dir(folder) + anyChild
	return d.mayBeBelow(r, folder) && !d.mayBeBelow(r, another) || d.coversFolded(r, folder+anyChild, false) && !d.coversFolded(r, another, false)
}

// tableAction looks the rules up that can speak of one action.
func (d *decider) tableAction(n int32, t *ruleTable, i int) {
	a := &d.ins.Actions[i]
	try := func(r int32) { d.hit(t, n, r, d.matchAction(&t.rules[r], a), i+1) }
	for _, r := range t.broken {
		try(r)
	}
	switch a.Kind {
	case Run:
		if d.unknownText(a.command()) || d.ins.Family == "PowerShell" {
			d.some(t, n, t.commands, i)
			return
		}
		for _, text := range a.command().Deny {
			t.eachCommand(text, !strings.Contains(text, DynamicWord), try)
		}
		for _, text := range a.command().MayRun() {
			t.eachCommand(text, !strings.Contains(text, DynamicWord), try)
		}
	case Read, List, Write, Delete:
		p := &a.Path
		if !p.known() {
			if !ownBusiness(a) {
				d.some(t, n, t.paths, i)
			}
			return
		}
		if plain := p.Real == p.Clean && p.PathDetails == nil; !plain || p.Clean != d.unnamed[0] && p.Clean != d.unnamed[1] {
			if plain {
				d.tablePath(t, p.Clean, try)
			} else {
				d.eachName(p, func(name string) { t.eachPath(name, try) })
			}
		}
		if p.Extent != Exact && !p.Walked && a.Kind != List {
			if ownBusiness(a) {
				t.eachPath(foldPath(p.Clean)+anyChild, try)
			} else {
				d.someBelow(t, n, p, i)
			}
		}
	case Connect:
		if a.Host == "" {
			d.some(t, n, t.allHosts, i)
			return
		}
		t.eachHost(a.Host, try)
	case KindUnknown:
		if a.Origin == OriginUnknown {
			d.some(t, n, t.commands, i)
			d.some(t, n, t.paths, i)
			d.some(t, n, t.allHosts, i)
		}
	}
}

// tablePath looks the rules up for a path with one name, and keeps that there
// are none. The names of one directory have those of the directory in common.
func (d *decider) tablePath(t *ruleTable, clean string, try func(int32)) {
	name, none := foldPath(clean), true
	look := name
	if rest, ok := strings.CutPrefix(name, d.unnamedDir); ok && d.unnamedDir != "" {
		look = rest
	}
	t.eachPath(look, func(r int32) {
		none = false
		try(r)
	})
	if none {
		d.unnamed[0], d.unnamed[1] = clean, d.unnamed[0]
		d.unnamedDir = name[:strings.LastIndexByte(name, '/')+1]
	}
}

// some tries a whole list and stops once enough of its rules may match: it is
// for what is not known, where none can match for certain, and for what lies
// below a tree, where those that do were looked up before.
func (d *decider) some(t *ruleTable, n int32, list []int32, i int) {
	may := 0
	for _, r := range list {
		m := d.matchAction(&t.rules[r], &d.ins.Actions[i])
		if m == matchMay {
			if may++; may > maxMay && d.ins.Family != "PowerShell" {
				return
			}
		}
		d.hit(t, n, r, m, i+1)
	}
}

// someBelow is some for the path rules that may name something below a tree.
func (d *decider) someBelow(t *ruleTable, n int32, p *Path, i int) {
	list := t.mayBelow(foldPath(p.Clean), d.foldedDir, d.foldedCallDir)
	if p.Real != p.Clean {
		list = slices.Concat(list, t.mayBelow(foldPath(p.Real), d.foldedDir, d.foldedCallDir))
		slices.Sort(list)
		list = slices.Compact(list)
	}
	d.some(t, n, list, i)
}

// eachName yields the folded names of a path.
func (d *decider) eachName(p *Path, yield func(string)) {
	yield(foldPath(p.Clean))
	if p.Real != p.Clean {
		yield(foldPath(p.Real))
	}
	for _, also := range p.Also() {
		yield(foldPath(also))
	}
}

// unknownText says that nothing is known of the words of a command, so that
// any rule for commands may mean it.
func (d *decider) unknownText(c *Command) bool {
	if len(c.Deny) == 0 {
		return true
	}
	if !c.Dynamic {
		return false
	}
	for _, text := range c.Deny {
		if strings.Contains(text, DynamicWord) {
			return false
		}
	}
	return true
}

// strictly denies or asks because of a rule.
func (d *decider) strictly(h *hit) {
	r := h.rule
	reason := Reason{Rule: r.shared, Action: h.action}
	note := ""
	if h.action > 0 {
		a := &d.ins.Actions[h.action-1]
		if reason.Span = a.Span; a.Note != "" {
			note = " " + a.Note
		}
	}
	switch {
	case h.match == matchYes && r.ref.Effect == Deny:
		reason.Code = CodeDenyRule
		reason.Text = fmt.Sprintf("Refused by the %s%s.", r.ref, hitPath(&d.ins, h.action)) + note
		d.deny(&reason)
	case h.match == matchYes:
		reason.Code = CodeAskRule
		reason.Text = fmt.Sprintf("The %s wants a person to be asked%s.", r.ref, hitPath(&d.ins, h.action)) + note
		who := askedRule
		if r.kind == ruleBare && r.tool == "Bash" && d.st.Mode != ModePlan {
			who = askedBareBash
		}
		d.ask(who, &reason)
	case r.broken:
		reason.Code = CodeMayMatch
		reason.Text = fmt.Sprintf("The %s cannot be read, so it may mean this call: %s.", r.ref, strings.TrimSuffix(r.problem, "."))
		if r.whole {
			reason.Text = fmt.Sprintf("The %s settings (%s:%d) cannot be read, and may hold a rule against this call: %s.", r.ref.Layer, r.ref.File, r.ref.Line, strings.TrimSuffix(r.problem, "."))
		}
		d.ask(askedRule, &reason)
	default:
		reason.Code = CodeMayMatch
		reason.Text = fmt.Sprintf("The %s may match: %s is not known before the call runs.", r.ref, unknownPart(&d.ins, h.action)) + note
		d.ask(askedRule, &reason)
	}
}

// hitPath names the path that a rule met, where the command does not spell it.
func hitPath(ins *Inspection, action int) string {
	if action == 0 || ins.Actions[action-1].Note == "" || ins.Actions[action-1].Path.Extent != Exact {
		return ""
	}
	return ", which means " + show(&ins.Actions[action-1].Path)
}

func unknownPart(ins *Inspection, action int) string {
	if action > 0 && ins.Actions[action-1].Maybe && ins.Actions[action-1].Path.known() {
		return "whether the command writes " + show(&ins.Actions[action-1].Path)
	}
	if action > 0 && ins.Actions[action-1].Kind == Run {
		if ins.Actions[action-1].command().MayRun() != nil {
			return "what the command runs"
		}
		return "a word of the command"
	}
	if action == 0 && len(ins.Folders) > 0 {
		return "which files it reaches in a folder that its input names"
	}
	return "which files or hosts it reaches"
}

// matchAction matches a deny or ask rule against one action.
func (d *decider) matchAction(r *Rule, a *Action) match {
	if r.broken {
		return brokenMatch(r, a)
	}
	if a.Kind == KindUnknown && a.Origin == OriginUnknown {
		return d.mayMean(r)
	}
	switch {
	case r.kind == ruleCommand:
		if a.Kind == Run {
			return d.matchCommand(r, a.command())
		}
	case r.hasPath():
		switch a.Kind {
		case Read, List:
			if r.family != "Read" {
				return matchNo
			}
		case Write, Delete:
		default:
			return matchNo
		}
		m := d.matchPath(r, a)
		if m == matchYes && a.Maybe {
			m = matchMay
		}
		return m
	case r.kind == ruleHost:
		switch {
		case a.Kind != Connect:
		case a.Host == "" && a.Own && a.Origin == Operand:
		case a.Host == "":
			return matchMay
		case r.host.matches(a.Host) && a.Maybe:
			return matchMay
		case r.host.matches(a.Host):
			return matchYes
		}
	}
	return matchNo
}

// mayMean says whether a rule may speak of a call that could not be inspected: by
// what its tool is for, and any rule where that is not known.
func (d *decider) mayMean(r *Rule) match {
	mean := r.kind == ruleCommand || r.hasPath() || r.kind == ruleHost
	switch d.ins.Family {
	case "Read":
		mean = r.hasPath() && r.family == "Read"
	case "Edit":
		mean = r.hasPath()
	case "WebFetch":
		mean = r.kind == ruleHost
	}
	if mean {
		return matchMay
	}
	return matchNo
}

// brokenMatch says whether a rule that cannot be read may mean the action, by
// the family of its tool.
func brokenMatch(r *Rule, a *Action) match {
	may := false
	switch r.family {
	case "Bash", "PowerShell":
		may = a.Kind == Run
	case "Read":
		may = a.Kind == Read || a.Kind == List || a.Kind == Write || a.Kind == Delete
	case "Edit":
		may = a.Kind == Write || a.Kind == Delete
	case "WebFetch":
		may = a.Kind == Connect
	}
	if may {
		return matchMay
	}
	return matchNo
}

func (d *decider) matchCommand(r *Rule, c *Command) match {
	if r.family == "PowerShell" {
		if d.ins.Family != "PowerShell" {
			return matchNo
		}
		return powerShellMatch(r.command, c.Deny)
	}
	if d.unknownText(c) {
		return matchMay
	}
	may := matchNo
	for _, text := range c.Deny {
		// A star that spans an unknown word matches whatever it is.
		if r.command.matches(text) {
			return matchYes
		}
		if strings.Contains(text, DynamicWord) && r.command.mayMatch(text) {
			may = matchMay
		}
	}
	for _, text := range c.MayRun() {
		if r.command.matches(text) || strings.Contains(text, DynamicWord) && r.command.mayMatch(text) {
			may = matchMay
		}
	}
	return may
}

// powerShellMatch looks for the pattern behind every word boundary of the
// text, without regard to case: PowerShell is not analyzed, and a rule that
// matches too much asks or refuses. What it does not find may still be there
// under an alias.
func powerShellMatch(p *commandPattern, texts []string) match {
	if len(p.parts) == 0 {
		return matchNo
	}
	parts := append(slices.Clip(p.parts), "")
	for _, text := range texts {
		if strings.Contains(text, DynamicWord) {
			continue
		}
		text = strings.Join(strings.Fields(strings.ToLower(text)), " ")
		for i := range len(text) {
			if i > 0 && !strings.ContainsRune(" ;|&({[`'\"=.\\/", rune(text[i-1])) || !strings.HasPrefix(text[i:], p.parts[0]) {
				continue
			}
			if globMatch(parts, text[i:]) {
				return matchYes
			}
			if p.parts[0] == "" {
				break
			}
		}
	}
	return matchMay
}

// ownBusiness says that an action reaches what a program keeps for itself (the
// inside of .git, a build cache). A rule that names such a place, or everything
// in it, means it, but a rule for .env is not one about whatever git writes
// below .git.
// anyChild is a name below a directory that no rule has in mind.
const anyChild = "/\x00"

func ownBusiness(a *Action) bool { return a.Own && a.Origin == Operand && a.Path.Extent != Exact }

func (d *decider) matchPath(r *Rule, a *Action) match {
	p := &a.Path
	if !p.known() {
		if ownBusiness(a) {
			return matchNo
		}
		return matchMay
	}
	dirLike := p.Extent == Tree || p.Extent == Within || a.Kind == List
	if d.coversFolded(r, p.Clean, dirLike) || p.Real != p.Clean && d.coversFolded(r, p.Real, dirLike) {
		return matchYes
	}
	for _, also := range p.Also() {
		if d.coversFolded(r, also, dirLike) {
			return matchYes
		}
	}
	if p.Extent == Exact || p.Walked || a.Kind == List {
		return matchNo
	}
	if ownBusiness(a) {
		if d.coversFolded(r, p.Clean+anyChild, false) {
			return matchYes
		}
		return matchNo
	}
	if d.mayBeBelow(r, p.Clean) || p.Real != p.Clean && d.mayBeBelow(r, p.Real) {
		return matchMay
	}
	return matchNo
}

// starts are the directories, folded, in which relative deny and ask rules
// start: that of the session and that of the call.
type starts struct{ foldedDir, foldedCallDir string }

func startsOf(session, call string) starts {
	s := starts{foldedDir: foldPath(session)}
	s.foldedCallDir = s.foldedDir
	if call != session {
		s.foldedCallDir = foldPath(call)
	}
	return s
}

// coversFolded tests a deny or ask path rule.
func (s *starts) coversFolded(r *Rule, p string, isDir bool) bool {
	if p == "" {
		return false
	}
	p = foldPath(p)
	return r.path.coversFolded(p, s.foldedDir, isDir) ||
		r.path.base == "" && s.foldedCallDir != s.foldedDir && r.path.coversFolded(p, s.foldedCallDir, isDir)
}

func (s *starts) mayBeBelow(r *Rule, p string) bool {
	p = foldPath(p)
	return r.path.mayBeBelow(p, s.foldedDir) ||
		r.path.base == "" && s.foldedCallDir != s.foldedDir && r.path.mayBeBelow(p, s.foldedCallDir)
}

// tableString takes a string of an input whose meaning is not declared for a
// path and for a host.
func (d *decider) tableString(n int32, t *ruleTable, s string) {
	if len(s) > maxRuleBytes {
		return
	}
	for _, p := range d.pathsIn(s) {
		p = foldPath(p)
		t.eachPath(p, func(i int32) {
			if d.coversFolded(&t.rules[i], p, true) {
				d.hit(t, n, i, matchYes, 0)
			}
		})
	}
	if host := hostIn(s); host != "" {
		t.eachHost(host, func(i int32) {
			if t.rules[i].host.matches(host) {
				d.hit(t, n, i, matchYes, 0)
			}
		})
	}
}

// pathsIn are the absolute paths that a string may stand for.
func (d *decider) pathsIn(s string) []string {
	if rest, ok := cutPrefixFold(s, "file://"); ok {
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			s = rest[i:]
		}
	}
	if home := d.p.home; home != "" && (s == "~" || strings.HasPrefix(s, "~/")) {
		s = home + s[1:]
	}
	s = strings.ReplaceAll(s, `\`, "/")
	if path.IsAbs(s) {
		return []string{path.Clean(s)}
	}
	out := []string{path.Join(d.call.Dir, s)}
	if d.st.Dir != d.call.Dir {
		out = append(out, path.Join(d.st.Dir, s))
	}
	return out
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return s, false
}

// hostIn is the host that a string may name: a URL's, host, host:port,
// user@host. It is "" where it names none.
func hostIn(s string) string {
	if i := strings.Index(s, "://"); i >= 0 {
		s = s[i+3:]
	} else {
		s = strings.TrimPrefix(s, "//")
	}
	if i := strings.IndexAny(s, `/?#\`); i >= 0 {
		s = s[:i]
	}
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		s = s[i+1:]
	}
	if strings.HasPrefix(s, "[") {
		s, _, _ = strings.Cut(s[1:], "]")
	} else if strings.Count(s, ":") == 1 {
		s, _, _ = strings.Cut(s, ":")
	}
	if strings.ContainsAny(s, " \t\n") {
		return ""
	}
	return canonicalHost(s)
}

// lookout answers an inspector's questions about path rules.
type lookout struct {
	p       *Policy
	dir     string
	callDir string
	starts
}

func newLookout(p *Policy, dir, callDir string) *lookout {
	return &lookout{p, dir, callDir, startsOf(dir, callDir)}
}

// Below reports deny and ask rules that could name something below dir, the
// first few where there are many.
func (l *lookout) Below(dir string) []RuleRef {
	var out []RuleRef
	folded := foldPath(dir)
	for _, t := range l.p.strict {
		if len(t.paths) == 0 {
			continue
		}
		list := t.mayBelow(folded, l.foldedDir, l.foldedCallDir)
		for _, i := range list {
			if r := &t.rules[i]; r.family == "Read" && (l.mayBeBelow(r, dir) || l.coversFolded(r, dir, true)) {
				if out = append(out, r.ref); len(out) == maxMay {
					return out
				}
			}
		}
	}
	return out
}

// Denies reports the deny or ask rule that matches reading path.
func (l *lookout) Denies(p string) (RuleRef, bool) {
	if r := l.denies(p, "Read"); r != nil {
		return r.ref, true
	}
	return RuleRef{}, false
}

// DeniesWriting reports the deny or ask rule that matches writing or removing
// path. An inspector that looks below a tree may ask for it.
func (l *lookout) DeniesWriting(p string) (RuleRef, bool) {
	if r := l.denies(p, "Read", "Edit"); r != nil {
		return r.ref, true
	}
	return RuleRef{}, false
}

// DeniesCommand says whether a deny or ask rule for commands begins with this
// word. An inspector that finds commands in the words of others may ask for it.
func (l *lookout) DeniesCommand(word string) bool {
	for _, t := range l.p.strict {
		if len(t.firstWords[word]) > 0 {
			return true
		}
	}
	return false
}

// denies returns the deny rule, else the ask rule, that matches the path, of
// one of the families.
func (l *lookout) denies(p string, families ...string) *Rule {
	var found *Rule
	folded := foldPath(p)
	for _, t := range l.p.strict {
		t.eachPath(folded, func(i int32) {
			r := &t.rules[i]
			if (found == nil || found.ref.Effect > r.ref.Effect) && slices.Contains(families, r.family) && l.coversFolded(r, folded, false) {
				found = r
			}
		})
	}
	return found
}
