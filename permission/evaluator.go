package permission

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
)

// Config configures an [Evaluator].
type Config struct {
	// Policy holds the rules; nil is no rules, under which only reading is
	// settled.
	Policy *Policy
	// Inspector translates calls. Required.
	Inspector Inspector
}

// Evaluator decides calls by one policy. It is immutable and safe for
// concurrent use.
type Evaluator struct {
	policy    *Policy
	inspector Inspector
}

// New returns an evaluator. A missing inspector is an error.
func New(c Config) (*Evaluator, error) {
	if c.Inspector == nil {
		return nil, errors.New("permission: Config.Inspector is missing: use package permission/toolset")
	}
	if c.Policy == nil {
		c.Policy = &Policy{}
	}
	return &Evaluator{policy: c.Policy, inspector: c.Inspector}, nil
}

// Policy returns the rules in force.
func (e *Evaluator) Policy() *Policy { return e.policy }

// Inspect translates the call. An error of the inspector becomes an inspection
// that asks, with the error as the reason; it is returned as well.
func (e *Evaluator) Inspect(ctx context.Context, st State, call Call) (Inspection, error) {
	ins, err := e.inspector.Inspect(ctx, call, lookout{e.policy, st.Dir, call.Dir})
	if err != nil {
		return Inspection{
			Family:   family(call.Tool),
			Actions:  []Action{{Kind: KindUnknown}},
			Findings: []Finding{{Code: CodeInspection, Text: "The call could not be inspected: " + err.Error() + "."}},
		}, err
	}
	return ins, nil
}

// Decide combines rules, mode, inspection and opinions into a Decision. It is
// a pure function of its arguments and the policy.
func (e *Evaluator) Decide(st State, call Call, ins Inspection, opinions ...Opinion) Decision {
	d := decider{p: e.policy, st: st, call: &call, ins: &ins, asked: ^Settlers(0)}
	d.dir, d.foldedDir = st.Dir, foldPath(st.Dir)
	d.foldedCallDir = foldPath(call.Dir)
	if st.Mode == ModeBypass && e.policy.locks.disableBypass || st.Mode > ModeBypass {
		d.st.Mode = ModeDefault
	}
	if st.Mode == ModeAuto && (!st.Classifier || e.policy.locks.disableAuto) {
		d.st.Mode = ModeDefault
	}
	d.rules()
	d.demands()
	for i := range ins.Actions {
		d.action(i)
	}
	if len(ins.Actions) == 0 {
		d.ask(askedPlain, Reason{Code: CodeNoAction, Text: "What this call would do is not known."})
	}
	return d.finish(opinions)
}

// decider is the state of one decision.
type decider struct {
	p             *Policy
	st            State
	call          *Call
	ins           *Inspection
	dir           string
	foldedDir     string
	foldedCallDir string

	denied  bool
	asks    int
	asked   Settlers
	reasons []Reason // deny and ask
	settled []Reason // allow
}

func (d *decider) deny(r Reason) {
	r.Verdict = Deny
	d.denied = true
	d.reasons = append(d.reasons, r)
}

func (d *decider) ask(who Settlers, r Reason) {
	r.Verdict = Ask
	d.asks++
	d.asked &= who
	d.reasons = append(d.reasons, r)
}

func (d *decider) settle(r Reason) {
	r.Verdict = Allow
	d.settled = append(d.settled, r)
}

// rules applies every deny and ask rule to the call and to each action.
func (d *decider) rules() {
	for i := range d.p.deny {
		d.strict(&d.p.deny[i])
	}
	for i := range d.p.ask {
		d.strict(&d.p.ask[i])
	}
}

func (d *decider) strict(r *Rule) {
	best, action := r.matchCall(d.call, d.ins), 0
	if best != matchYes {
		for i := range d.ins.Actions {
			if m := d.matchAction(r, &d.ins.Actions[i]); m > best {
				best, action = m, i+1
				if m == matchYes {
					break
				}
			}
		}
	}
	if best != matchYes && len(d.ins.Strings) > 0 && d.matchStrings(r) {
		best, action = matchYes, 0
	}
	if best == matchNo {
		return
	}
	ref := r.ref
	reason := Reason{Rule: &ref, Action: action}
	if action > 0 {
		reason.Span = d.ins.Actions[action-1].Span
	}
	switch {
	case best == matchYes && ref.Effect == Deny:
		reason.Code = CodeDenyRule
		reason.Text = fmt.Sprintf("Refused by the %s.", ref)
		d.deny(reason)
	case best == matchYes:
		reason.Code = CodeAskRule
		reason.Text = fmt.Sprintf("The %s wants a person to be asked.", ref)
		who := askedRule
		if r.bare() && r.family == "Bash" && r.tool == "Bash" && d.st.Mode != ModePlan {
			who = askedBareBash
		}
		d.ask(who, reason)
	case r.broken:
		reason.Code = CodeMayMatch
		reason.Text = fmt.Sprintf("The %s cannot be read, so it may mean this call. Correct it.", ref)
		d.ask(askedRule, reason)
	default:
		reason.Code = CodeMayMatch
		reason.Text = fmt.Sprintf("The %s may match: %s is not known before the call runs.", ref, unknownPart(d.ins, action))
		d.ask(askedRule, reason)
	}
}

func unknownPart(ins *Inspection, action int) string {
	if action > 0 && ins.Actions[action-1].Kind == Run {
		return "a word of the command"
	}
	return "which files or hosts it reaches"
}

// matchAction matches a deny or ask rule against one action.
func (d *decider) matchAction(r *Rule, a *Action) match {
	may := matchNo
	switch r.kind {
	case ruleCommand:
		if a.Kind != Run || r.family == "PowerShell" && d.ins.Family != "PowerShell" {
			return matchNo
		}
		for _, text := range a.Command.Deny {
			// A star that spans an unknown word matches whatever it is.
			if r.command.matches(text) {
				return matchYes
			}
			if strings.Contains(text, DynamicWord) && r.command.mayMatch(text) {
				may = matchMay
			}
		}
		return may
	case rulePath:
		switch a.Kind {
		case Read, List:
			if r.family != "Read" {
				return matchNo
			}
		case Write, Delete:
		default:
			return matchNo
		}
		return d.matchPath(r, a)
	case ruleHost:
		if a.Kind != Connect {
			return matchNo
		}
		if a.Host == "" {
			return matchMay
		}
		if r.host.matches(a.Host) {
			return matchYes
		}
	}
	return matchNo
}

func (d *decider) matchPath(r *Rule, a *Action) match {
	p := &a.Path
	if p.Extent == Anywhere {
		if a.Kind == List {
			return matchNo
		}
		return matchMay
	}
	dirLike := p.Extent == Tree || p.Extent == Within || a.Kind == List
	if d.coversFolded(r, p.Clean, dirLike) || p.Real != p.Clean && d.coversFolded(r, p.Real, dirLike) {
		return matchYes
	}
	for _, also := range p.Also {
		if d.coversFolded(r, also, dirLike) {
			return matchYes
		}
	}
	if p.Extent == Exact || p.Walked || a.Kind == List {
		return matchNo
	}
	if d.mayBeBelow(r, p.Clean) || p.Real != p.Clean && d.mayBeBelow(r, p.Real) {
		return matchMay
	}
	return matchNo
}

// coversFolded tests a deny or ask path rule; a relative rule starts at the
// session's directory and at the call's.
func (d *decider) coversFolded(r *Rule, p string, isDir bool) bool {
	if p == "" {
		return false
	}
	p = foldPath(p)
	return r.path.coversFolded(p, d.foldedDir, isDir) ||
		r.path.base == "" && d.foldedCallDir != d.foldedDir && r.path.coversFolded(p, d.foldedCallDir, isDir)
}

func (d *decider) mayBeBelow(r *Rule, p string) bool {
	p = foldPath(p)
	return r.path.mayBeBelow(p, d.foldedDir) ||
		r.path.base == "" && d.foldedCallDir != d.foldedDir && r.path.mayBeBelow(p, d.foldedCallDir)
}

// matchStrings tests a path or host rule against the scalars of an input whose
// meaning is not declared.
func (d *decider) matchStrings(r *Rule) bool {
	for _, s := range d.ins.Strings {
		switch r.kind {
		case rulePath:
			p := s
			if !path.IsAbs(p) {
				p = path.Join(d.call.Dir, p)
			}
			if d.coversFolded(r, path.Clean(p), false) {
				return true
			}
		case ruleHost:
			host := s
			if _, rest, ok := strings.Cut(s, "://"); ok {
				host, _, _ = strings.Cut(rest, "/")
				if at := strings.LastIndexByte(host, '@'); at >= 0 {
					host = host[at+1:]
				}
				if h, _, ok := strings.Cut(host, ":"); ok && !strings.HasPrefix(host, "[") {
					host = h
				}
			}
			if !strings.ContainsAny(host, " /") && r.host.matches(canonicalHost(host)) {
				return true
			}
		}
	}
	return false
}

// demands adds what the call itself and its findings ask for.
func (d *decider) demands() {
	if d.ins.MustAsk != "" {
		d.ask(askedInteraction, Reason{Code: CodeInteraction, Text: d.ins.MustAsk})
	}
	for _, f := range d.ins.Findings {
		d.ask(askedPlain, Reason{Code: CodeFinding, Text: f.Text, Span: f.Span})
	}
}

// action settles one action or asks for it.
func (d *decider) action(i int) {
	a := &d.ins.Actions[i]
	at := Reason{Action: i + 1, Span: a.Span}
	switch a.Kind {
	case Run:
		d.run(i, a, at)
	case Read, List:
		d.read(a, at)
	case Write, Delete:
		d.write(a, at)
	case Connect:
		d.connect(a, at)
	case Use:
		d.use(a, at)
	default:
		if r := d.ruleOver(a); r != nil && a.Origin != Shell {
			d.byRule(at, r)
			return
		}
		at.Code, at.Text = CodeUnmatched, "What this reaches is not known."
		d.ask(askedPlain, at)
	}
}

func (d *decider) byRule(at Reason, r *Rule) {
	ref := r.ref
	at.Code, at.Rule, at.Text = CodeAllowRule, &ref, fmt.Sprintf("Settled by the %s.", ref)
	d.settle(at)
}

// planned says that plan mode holds back what allow rules would settle.
func (d *decider) planned() bool { return d.st.Mode == ModePlan }

func (d *decider) run(i int, a *Action, at Reason) {
	c := &a.Command
	if c.Closed {
		at.Code, at.Text = CodeClosed, "The command is fully described and does no more than what is listed."
		d.settle(at)
		return
	}
	if !d.planned() {
		if r := d.runRule(i); r != nil {
			d.byRule(at, r)
			return
		}
		if r := d.wrappedBy(i); r != nil {
			d.byRule(at, r)
			return
		}
	}
	at.Code = CodeUnmatched
	if d.planned() {
		at.Code = CodePlan
	}
	at.Text = fmt.Sprintf("No rule allows %s.", quoteCommand(c))
	d.ask(askedPlain, at)
}

func quoteCommand(c *Command) string {
	if len(c.Allow) > 0 {
		return fmt.Sprintf("%q", shorten(c.Allow[0], 80))
	}
	if len(c.Deny) > 0 {
		return fmt.Sprintf("%q", shorten(strings.ReplaceAll(c.Deny[0], DynamicWord, "…"), 80))
	}
	return "this command"
}

func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// runRule returns an allow rule that speaks of the Run itself.
func (d *decider) runRule(i int) *Rule {
	a := &d.ins.Actions[i]
	for j := range d.p.allow {
		r := &d.p.allow[j]
		switch {
		case r.kind == ruleBare && d.ins.Family == r.family && r.matchTool(d.call.Tool, d.ins.Family):
			return r
		case r.kind == ruleCommand && r.family == d.ins.Family && !a.Command.Opaque:
			if a.Command.ExactOnly && !r.command.exact() && !r.command.spells(a.Command.Allow) {
				continue
			}
			for _, text := range a.Command.Allow {
				if r.command.matches(text) {
					return r
				}
			}
		}
	}
	return nil
}

// wrappedBy returns the rule that allows a Run which starts this one. A rule
// with a wildcard for one of the transparent wrappers does not speak of what
// it starts; only one that spells the whole command does.
func (d *decider) wrappedBy(i int) *Rule {
	child := i
	for n := 0; n < len(d.ins.Actions); n++ {
		parent := d.ins.Actions[child].Of - 1
		if parent < 0 || parent >= len(d.ins.Actions) || d.ins.Actions[parent].Kind != Run {
			return nil
		}
		if r := d.runRule(parent); r != nil {
			if d.ins.Actions[child].Command.Opaque || r.command.exact() && r.kind == ruleCommand {
				return r
			}
		}
		child = parent
	}
	return nil
}

// ruleOver returns the allow rule of the Run that the action belongs to.
func (d *decider) ruleOver(a *Action) *Rule {
	if d.planned() || a.Of <= 0 || a.Of > len(d.ins.Actions) || d.ins.Actions[a.Of-1].Kind != Run {
		return nil
	}
	if r := d.runRule(a.Of - 1); r != nil {
		return r
	}
	return d.wrappedBy(a.Of - 1)
}

// pathRule returns an allow rule that names the path. An Edit rule grants
// reading too.
func (d *decider) pathRule(a *Action) *Rule {
	write := a.Kind == Write || a.Kind == Delete
	if write && d.planned() {
		return nil
	}
	p := &a.Path
	if p.Extent == Anywhere || p.Extent == Glob || p.Clean == "" {
		return nil
	}
	for i := range d.p.allow {
		r := &d.p.allow[i]
		if r.kind != rulePath || write && r.family != "Edit" {
			continue
		}
		if d.allows(r, p.Clean, p.Extent) && (p.Real == p.Clean || d.allows(r, p.Real, p.Extent)) {
			return r
		}
	}
	return nil
}

func (d *decider) allows(r *Rule, p string, e Extent) bool {
	// A name that no literal pattern holds stands for everything below.
	const anyChild = "/\x00"
	switch e {
	case Exact:
		return r.path.covers(p, d.dir, false)
	case Within:
		return r.path.covers(p+anyChild, d.dir, false)
	case Tree:
		return r.path.covers(p, d.dir, true) && r.path.covers(p+anyChild, d.dir, false)
	}
	return false
}

// bareRule returns an allow rule for the whole tool of the call.
func (d *decider) bareRule(a *Action) *Rule {
	if a.Of != 0 || a.Origin != Tool {
		return nil
	}
	for i := range d.p.allow {
		if r := &d.p.allow[i]; r.kind == ruleBare && r.matchTool(d.call.Tool, d.ins.Family) {
			return r
		}
	}
	return nil
}

func (d *decider) read(a *Action, at Reason) {
	p := &a.Path
	switch p.Class {
	case Forbidden:
		at.Code, at.Text = CodeForbidden, fmt.Sprintf("%s belongs to the host itself.", show(p))
		d.deny(at)
		return
	case Sensitive:
		if a.Kind == List {
			break
		}
		if r := d.pathRule(a); r != nil {
			d.byRule(at, r)
			return
		}
		at.Code, at.Text = CodeSensitive, fmt.Sprintf("%s may hold secrets%s.", show(p), className(p))
		d.ask(askedProtected, at)
		return
	}
	known := p.Extent != Anywhere && p.Class != Unclassified
	if known && p.Zone != Outside {
		at.Code, at.Text = CodeWorkspace, "Reading inside the working directories."
		d.settle(at)
		return
	}
	if d.p.locks.blockReadsOutside && p.Zone == Outside {
		at.Code = CodeBlocked
		at.Text = fmt.Sprintf("The settings block reading outside the working directories: %s.", show(p))
		if a.Of == 0 && a.Origin == Tool {
			d.deny(at)
		} else {
			d.ask(askedRule, at)
		}
		return
	}
	if known && a.Free {
		at.Code, at.Text = CodeClosed, "A described command only reads there."
		d.settle(at)
		return
	}
	if r := d.pathRule(a); r != nil {
		d.byRule(at, r)
		return
	}
	if r := d.bareRule(a); r != nil {
		d.byRule(at, r)
		return
	}
	if a.Origin == Operand {
		if r := d.ruleOver(a); r != nil {
			d.byRule(at, r)
			return
		}
	}
	at.Code, at.Text = CodeOutside, fmt.Sprintf("%s lies outside the working directories.", show(p))
	if !known {
		at.Code, at.Text = CodeUnmatched, "Which files this reads is not known."
	}
	d.ask(askedPlain, at)
}

func (d *decider) write(a *Action, at Reason) {
	p := &a.Path
	verb := "Writing"
	if a.Kind == Delete {
		verb = "Removing"
	}
	if p.Class == Forbidden {
		at.Code, at.Text = CodeForbidden, fmt.Sprintf("%s belongs to the host itself.", show(p))
		d.deny(at)
		return
	}
	if a.Kind == Delete && p.Critical {
		at.Code, at.Text = CodeCritical, fmt.Sprintf("Removing %s would destroy far more than one project.", show(p))
		if p.Under {
			at.Text = "What this removes hangs on a variable whose value is not known; empty, it is everything."
		}
		d.ask(askedCritical, at)
		return
	}
	if a.Own {
		if r := d.ruleOver(a); r != nil {
			d.byRule(at, r)
			return
		}
	}
	if p.Class == Protected {
		at.Code, at.Text = CodeProtected, fmt.Sprintf("%s %s changes what other programs run or trust%s.", verb, show(p), className(p))
		d.ask(askedProtected, at)
		return
	}
	if d.p.locks.blockWritesOutside && p.Zone == Outside && a.Origin == Tool {
		at.Code = CodeBlocked
		at.Text = fmt.Sprintf("The settings block writing outside the working directories: %s.", show(p))
		d.deny(at)
		return
	}
	if a.Free {
		at.Code, at.Text = CodeClosed, "Nothing is kept of what is written there."
		d.settle(at)
		return
	}
	if d.planned() {
		at.Code, at.Text = CodePlan, fmt.Sprintf("Plan mode changes nothing: %s.", show(p))
		d.ask(askedPlain&^ByBypass, at)
		return
	}
	if r := d.pathRule(a); r != nil && !p.ReadOnly {
		d.byRule(at, r)
		return
	}
	ordinary := p.Class == Ordinary && p.Extent != Anywhere && p.Zone != Outside && !p.ReadOnly
	if ordinary {
		if a.Origin == Operand {
			if r := d.ruleOver(a); r != nil {
				d.byRule(at, r)
				return
			}
		}
		if r := d.bareRule(a); r != nil {
			d.byRule(at, r)
			return
		}
		if d.st.Mode == ModeAcceptEdits || d.st.Mode == ModeAuto && a.Origin == Tool {
			if a.Origin == Tool || a.Origin == Shell || d.edits(a) {
				at.Code, at.Text = CodeMode, "The mode accepts edits inside the working directories."
				d.settle(at)
				return
			}
		}
	}
	switch {
	case p.Class == Sensitive:
		at.Code, at.Text = CodeSensitive, fmt.Sprintf("%s may hold secrets%s.", show(p), className(p))
		d.ask(askedProtected, at)
	case p.Extent == Anywhere:
		at.Code, at.Text = CodeUnmatched, "Which files this changes is not known."
		d.ask(askedPlain, at)
	case p.Zone == Outside || p.ReadOnly:
		at.Code, at.Text = CodeOutside, fmt.Sprintf("%s lies outside the directories that may be written.", show(p))
		d.ask(askedPlain, at)
	default:
		at.Code, at.Text = CodeEdit, fmt.Sprintf("%s %s needs approval.", verb, show(p))
		d.ask(askedPlain, at)
	}
}

// edits says whether the action belongs to a command whose writes accept-edits
// mode may settle.
func (d *decider) edits(a *Action) bool {
	if a.Of <= 0 || a.Of > len(d.ins.Actions) {
		return false
	}
	run := &d.ins.Actions[a.Of-1]
	return run.Kind == Run && run.Command.Edits && run.Command.Closed
}

func (d *decider) connect(a *Action, at Reason) {
	if a.Host != "" && (a.Origin == Tool || a.PlainGet) {
		for i := range d.p.allow {
			r := &d.p.allow[i]
			if r.kind == ruleHost && r.host.matches(a.Host) {
				d.byRule(at, r)
				return
			}
		}
	}
	if r := d.bareRule(a); r != nil {
		d.byRule(at, r)
		return
	}
	if a.Origin == Operand {
		if r := d.ruleOver(a); r != nil {
			d.byRule(at, r)
			return
		}
	}
	at.Code, at.Text = CodeNetwork, "This connects to "+hostName(a)+"."
	d.ask(askedPlain, at)
}

func hostName(a *Action) string {
	if a.Host == "" {
		return "a host that is not known before it runs"
	}
	return a.Host
}

func (d *decider) use(a *Action, at Reason) {
	if a.Free {
		at.Code, at.Text = CodeClosed, "This needs nobody's approval by itself."
		d.settle(at)
		return
	}
	if a.Origin == Tool && !(d.planned() && d.ins.Family == "mcp") {
		if r := d.bareRule(a); r != nil {
			d.byRule(at, r)
			return
		}
		for i := range d.p.allow {
			r := &d.p.allow[i]
			if r.kind == ruleName && r.matchTool(d.call.Tool, d.ins.Family) && r.command.matches(a.Name) {
				d.byRule(at, r)
				return
			}
		}
	}
	if a.Origin != Tool {
		if r := d.ruleOver(a); r != nil && (a.Origin == Operand || r.kind == ruleCommand && r.command.exact()) {
			d.byRule(at, r)
			return
		}
	}
	at.Code, at.Text = CodeUnmatched, fmt.Sprintf("No rule allows %s.", a.Name)
	d.ask(askedPlain, at)
}

func show(p *Path) string {
	if p.Clean == "" {
		return "a path that is not known"
	}
	if p.Real != "" && p.Real != p.Clean {
		return fmt.Sprintf("%s (really %s)", p.Clean, p.Real)
	}
	return p.Clean
}

func className(p *Path) string {
	if p.ClassName == "" {
		return ""
	}
	return " (" + p.ClassName + ")"
}

// finish applies opinions, the sandbox and the mode to what is left.
func (d *decider) finish(opinions []Opinion) Decision {
	out := Decision{Explanation: d.ins.Explanation, Risk: d.ins.Risk, Confinement: ConfinementNotRequired}
	sandbox := d.p.locks.sandbox
	shell := d.ins.Family == "Bash" || d.ins.Family == "PowerShell"
	unconfined := d.ins.Unconfined && sandbox.AllowUnsandboxed || d.excluded()
	if shell && sandbox.Enabled && !unconfined {
		out.Confinement = ConfinementRequired
	}
	var allowed Settlers
	for _, o := range opinions {
		reason := Reason{Code: CodeOpinion, Text: o.From.String() + ": " + o.Reason}
		switch o.Verdict {
		case Allow:
			switch o.From {
			case FromHook:
				allowed |= ByHook
			case FromClassifier:
				if d.st.Mode == ModeAuto {
					allowed |= ByClassifier
				}
			case FromPerson:
				allowed |= ByPerson
			}
		case Ask:
			d.ask(ByPerson, reason)
		default:
			d.deny(reason)
		}
	}
	switch {
	case d.denied:
		out.Verdict = Deny
	case d.asks == 0:
		out.Verdict = Allow
	default:
		out.Verdict = Ask
		out.Asked = d.asked
		settle := func(code, text string) {
			out.Verdict = Allow
			d.settled = append([]Reason{{Code: code, Verdict: Allow, Text: text}}, d.settled...)
		}
		switch {
		case d.asked&allowed&ByPerson != 0:
			settle(CodeOpinion, "A person allowed it.")
		case d.asked&allowed != 0:
			settle(CodeOpinion, "Allowed by "+map[Settlers]string{ByHook: "a hook", ByClassifier: "the classifier"}[lowest(d.asked&allowed)]+".")
		case d.st.Mode == ModeBypass && d.asked&ByBypass != 0:
			settle(CodeMode, "The mode bypasses prompts.")
		case d.asked&BySandbox != 0 && out.Confinement == ConfinementRequired && sandbox.AutoAllowBash && d.st.Enforces && !d.planned():
			settle(CodeSandbox, "It runs inside the sandbox.")
		case d.st.Mode == ModeDontAsk:
			out.Verdict = Deny
			d.reasons = append([]Reason{{Code: CodeMode, Verdict: Deny, Text: "It would need a person's approval, and the mode asks nobody."}}, d.reasons...)
		case d.p.locks.denyInsteadOfPrompts:
			out.Verdict = Deny
			d.reasons = append([]Reason{{Code: CodeMode, Verdict: Deny, Text: "It would need a person's approval, and the settings deny instead of prompting."}}, d.reasons...)
		}
	}
	// The deciding reasons first, then the rest.
	for _, r := range d.reasons {
		if r.Verdict == out.Verdict {
			out.Reasons = append(out.Reasons, r)
		}
	}
	if out.Verdict == Allow {
		out.Reasons = append(out.Reasons, d.settled...)
	}
	for _, r := range d.reasons {
		if r.Verdict != out.Verdict {
			out.Reasons = append(out.Reasons, r)
		}
	}
	return out
}

func lowest(s Settlers) Settlers { return s & -s }

// excluded says whether a command of the call is one that the settings run
// outside the sandbox. One part takes the whole call with it.
func (d *decider) excluded() bool {
	for _, text := range d.p.locks.sandbox.ExcludedCommands {
		pattern := compileCommandPattern(text)
		for i := range d.ins.Actions {
			for _, t := range d.ins.Actions[i].Command.Allow {
				if pattern.matches(t) {
					return true
				}
			}
		}
	}
	return false
}

// lookout answers an inspector's questions about path rules.
type lookout struct {
	p       *Policy
	dir     string
	callDir string
}

func (l lookout) each(writing bool, f func(r *Rule) bool) (RuleRef, bool) {
	for _, list := range [][]Rule{l.p.deny, l.p.ask} {
		for i := range list {
			if r := &list[i]; r.kind == rulePath && (writing || r.family == "Read") && f(r) {
				return r.ref, true
			}
		}
	}
	return RuleRef{}, false
}

// Below reports the deny and ask rules that could name something below dir.
func (l lookout) Below(dir string) []RuleRef {
	var out []RuleRef
	d := decider{foldedDir: foldPath(l.dir), foldedCallDir: foldPath(l.callDir)}
	l.each(false, func(r *Rule) bool {
		if d.mayBeBelow(r, dir) || d.coversFolded(r, dir, true) {
			out = append(out, r.ref)
		}
		return false
	})
	return out
}

// Denies reports the deny or ask rule that matches reading path.
func (l lookout) Denies(p string) (RuleRef, bool) {
	d := decider{foldedDir: foldPath(l.dir), foldedCallDir: foldPath(l.callDir)}
	return l.each(false, func(r *Rule) bool { return d.coversFolded(r, p, false) })
}

// DeniesWriting reports the deny or ask rule that matches writing path, if any.
func (l lookout) DeniesWriting(p string) (RuleRef, bool) {
	d := decider{foldedDir: foldPath(l.dir), foldedCallDir: foldPath(l.callDir)}
	return l.each(true, func(r *Rule) bool { return d.coversFolded(r, p, false) })
}
