package permission

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// demands adds what the call itself and its findings ask for.
func (d *decider) demands() {
	if d.ins.MustAsk != "" {
		d.ask(askedInteraction, &Reason{Code: CodeInteraction, Text: d.ins.MustAsk})
	}
	for _, f := range d.ins.Findings {
		d.ask(askedPlain, &Reason{Code: CodeFinding, Text: f.Text, Span: f.Span})
	}
}

// action settles one action or asks for it.
func (d *decider) action(i int) {
	a := &d.ins.Actions[i]
	if a.Maybe && (a.Kind == Read || a.Kind == List || a.Kind == Write || a.Kind == Delete || a.Kind == Connect) {
		return // for the rules that deny and ask, which saw it
	}
	at := &Reason{Action: i + 1, Span: a.Span}
	if a.Origin != Tool && a.Origin != Operand && a.Origin != Shell {
		if slices.ContainsFunc(d.ins.Findings, func(f Finding) bool { return f.Code == CodeInspection }) {
			return // the finding asks already, and says more
		}
		at.Code, at.Text = CodeUnmatched, "The inspector does not say whether the tool, a command or the shell does this, so a person decides."
		d.ask(askedPlain, at)
		return
	}
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
		if a.Origin == Operand {
			if r := d.ruleOver(a, false); r != nil {
				d.byRule(at, r)
				return
			}
		}
		at.Code, at.Text = CodeUnmatched, "What this reaches is not known."
		d.ask(askedPlain, at)
	}
}

func (d *decider) byRule(at *Reason, r *Rule) {
	at.Code, at.Rule, at.Text = CodeAllowRule, r.shared, r.allowed
	d.settle(at)
}

// planned says that plan mode holds back what allow rules would settle.
func (d *decider) planned() bool { return d.st.Mode == ModePlan }

func (d *decider) run(i int, a *Action, at *Reason) {
	c := a.command()
	if d.ins.Family == "PowerShell" {
		// Not analyzed: neither a rule nor a mode knows what it does.
		at.Code, at.Text = CodeUnmatched, "PowerShell commands are not analyzed, so a person decides on each."
		d.ask(askedPlain&^(ByBypass|BySandbox), at)
		return
	}
	if c.CommandDetails != nil && c.Digest() != "" {
		d.content(c, at)
	}
	if c.Closed {
		at.Code, at.Text = CodeClosed, "The command is fully described and does no more than what is listed."
		d.settle(at)
		return
	}
	d.climbed = nil
	if !d.planned() {
		if r := d.runRule(i, false); r != nil {
			d.byRule(at, r)
			return
		}
		if r := d.wrappedBy(i, false); r != nil {
			d.byRule(at, r)
			return
		}
	}
	at.Code, at.Text = CodeUnmatched, fmt.Sprintf("No rule allows %s.", quoteCommand(c))
	if a.Note != "" && !c.Opaque && len(c.Allow) == 0 {
		at.Text += " " + a.Note
	}
	if r := d.climbed; r != nil {
		at.Text += fmt.Sprintf(" The %s means names below the directory before its *, and here a path leads up with .. or may.", r.ref)
	}
	if d.planned() {
		at.Code, at.Text = CodePlan, fmt.Sprintf("Plan mode runs only what provably changes nothing, and %s does not.", quoteCommand(c))
	}
	d.ask(askedPlain, at)
}

// content asks where what a command runs out of the workspace is not what was
// approved, and somebody else than the user may have written it.
func (d *decider) content(c *Command, at *Reason) {
	old, ran := d.st.Contents[contentKey(c)]
	if ran && old == c.Digest() {
		return
	}
	at.Code = CodeChanged
	untrusted := slices.IndexFunc(c.Inputs(), func(in Input) bool { return in.Untrusted })
	switch {
	case untrusted >= 0:
		at.Text = fmt.Sprintf("%s runs %s, which a session wrote that had read untrusted text.", quoteCommand(c), c.Inputs()[untrusted].Path)
	case ran && d.st.Labels&Untrusted != 0:
		at.Text = fmt.Sprintf("What %s runs has changed since it last ran, and the session has read untrusted text in between.", quoteCommand(c))
	default:
		return
	}
	d.ask(askedRule, at)
}

// contentKey names a command for [State.Contents].
func contentKey(c *Command) string {
	if c.Dir == "" {
		return commandText(c)
	}
	return c.Dir + ": " + commandText(c)
}

// commandText is the text that stands for a command.
func commandText(c *Command) string {
	if len(c.Allow) > 0 {
		return c.Allow[0]
	}
	if len(c.Deny) > 0 {
		return c.Deny[0]
	}
	return ""
}

func quoteCommand(c *Command) string {
	if len(c.Allow) > 0 {
		return fmt.Sprintf("%q", shorten(strings.ReplaceAll(c.Allow[0], DynamicWord, "…"), 80))
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

// runRule returns an allow rule that speaks of the Run itself; exact wants one
// that spells the whole command.
func (d *decider) runRule(i int, exact bool) *Rule {
	c := d.ins.Actions[i].command()
	if r := d.toolRule(); !exact && r != nil && r.family == d.ins.Family && !d.suspended(r, c) {
		return r
	}
	if c.Opaque {
		return nil
	}
	var found *Rule
	for _, t := range d.p.allow {
		for _, text := range c.Allow {
			t.eachCommand(text, true, func(n int32) {
				r := &t.rules[n]
				if found != nil || r.family != d.ins.Family || (exact || c.ExactOnly) && !r.command.exact() && !r.command.spells(c.Allow) ||
					r.bound != nil && !r.bound[c.Digest()] || !r.command.matches(text) {
					return
				}
				if r.command.climbs(text, c.Deny) && !r.command.spells(c.Allow) {
					d.climbed = r
					return
				}
				if !d.suspended(r, c) {
					found = r
				}
			})
		}
	}
	return found
}

// suspended says that auto mode sets a broad allow rule aside: one for a whole
// shell, for an interpreter with a wildcard, or for a project's runners.
func (d *decider) suspended(r *Rule, c *Command) bool {
	if d.st.Mode != ModeAuto {
		return false
	}
	if r.kind == ruleBare || r.tool == "Monitor" || d.p.locks.host.ClassifyAllShell {
		return true
	}
	if r.command.exact() {
		return false
	}
	word, _, whole := strings.Cut(r.command.parts[0], " ")
	whole = whole || r.command.word && len(r.command.parts) == 1
	return c.Runner || !whole || d.interpreter(path.Base(word))
}

// toolRule returns an allow rule for the whole tool of the call.
func (d *decider) toolRule() *Rule {
	if d.toolRuleKnown {
		return d.toolAllow
	}
	d.toolRuleKnown = true
	for _, t := range d.p.allow {
		t.eachTool(d.call.Tool, d.ins.Family, func(n int32) {
			if r := &t.rules[n]; d.toolAllow == nil && r.kind == ruleBare && r.matchTool(d.call.Tool, d.ins.Family, d.servers) {
				d.toolAllow = r
			}
		})
	}
	return d.toolAllow
}

// wrappedBy returns the rule that allows a Run which starts this one. A rule
// with a wildcard for one of the transparent wrappers does not speak of what
// it starts; only one that spells the whole command does.
func (d *decider) wrappedBy(i int, exact bool) *Rule {
	child := i
	for n := 0; n < len(d.ins.Actions); n++ {
		parent := d.ins.Actions[child].Of - 1
		if parent < 0 || parent >= len(d.ins.Actions) || d.ins.Actions[parent].Kind != Run {
			return nil
		}
		if r := d.runRule(parent, exact || !d.ins.Actions[child].command().Opaque); r != nil {
			return r
		}
		child = parent
	}
	return nil
}

// ruleOver returns the allow rule of the Run that the action belongs to.
func (d *decider) ruleOver(a *Action, exact bool) *Rule {
	if d.planned() || a.Of <= 0 || a.Of > len(d.ins.Actions) || d.ins.Actions[a.Of-1].Kind != Run {
		return nil
	}
	// Most commands have several actions.
	if o := &d.over; o.of != a.Of || o.exact != exact {
		r := d.runRule(a.Of-1, exact)
		if r == nil {
			r = d.wrappedBy(a.Of-1, exact)
		}
		o.of, o.exact, o.rule = a.Of, exact, r
	}
	return d.over.rule
}

// pathRule returns an allow rule that names the path. An Edit rule grants
// reading too.
func (d *decider) pathRule(a *Action) *Rule {
	if !d.grantable(a) {
		return nil
	}
	var found *Rule
	for _, t := range d.p.allow {
		t.eachPath(a.Path.Clean, func(n int32) {
			if r := &t.rules[n]; found == nil && d.pathAllows(r, a) {
				found = r
			}
		})
	}
	return found
}

// grantable says whether allow rules over paths may speak of the action.
func (d *decider) grantable(a *Action) bool {
	write := a.Kind == Write || a.Kind == Delete
	p := &a.Path
	return !(write && d.planned()) && p.known() && p.Extent != Glob && p.Class != Unclassified
}

// pathAllows says whether one allow rule covers the path of an action. What may
// hold secrets it covers only where it says so: see [CodeSensitive].
func (d *decider) pathAllows(r *Rule, a *Action) bool {
	p := &a.Path
	if (a.Kind == Write || a.Kind == Delete) && r.family != "Edit" ||
		!d.allows(r, p.Clean, p.Extent) || p.Real != p.Clean && !d.allows(r, p.Real, p.Extent) {
		return false
	}
	return p.Class != Sensitive || a.Kind == List || d.tells(r, p.Clean, p.Clean, p.Extent) || d.tells(r, p.Real, p.Secret(), p.Extent)
}

// tells says whether an allow rule spells a part of the name of p, at secret or
// below it: whether it would not cover a file that only differs in such a part.
func (d *decider) tells(r *Rule, p, secret string, e Extent) bool {
	if _, ok := below(secret, p); secret == "" || !ok {
		secret = p
	}
	for at := len(secret); ; {
		start := strings.LastIndexByte(p[:at], '/') + 1
		name, rest := p[start:at], p[at:]
		differs := len(name) > 0
		// Names that nobody has: of any length, of this one, hidden ones.
		for _, other := range []string{"\x00", "\x00\x00", strings.Repeat("\x00", len(name)), "." + strings.Repeat("\x00", max(len(name)-1, 1))} {
			differs = differs && !d.allows(r, p[:start]+other+rest, e)
		}
		if differs {
			return true
		}
		if at == len(p) {
			return false
		}
		if i := strings.IndexByte(p[at+1:], '/'); i >= 0 {
			at += 1 + i
		} else {
			at = len(p)
		}
	}
}

// known says that the path names something definite; everything that is not
// one of the words of this package makes it unknown.
func (p *Path) known() bool {
	return p.Clean != "" && p.Real != "" && p.Extent > Anywhere && p.Extent <= Within &&
		p.Zone <= Inside && p.Class <= Forbidden
}

func (d *decider) allows(r *Rule, p string, e Extent) bool {
	// Two names that nothing but a star matches both of stand for everything
	// below: no name holds a NUL.
	const child, other = "/\x00", "/\x00\x00"
	switch e {
	case Exact:
		return r.path.covers(p, d.dir, false)
	case Within:
		return r.path.covers(p+child, d.dir, false) && r.path.covers(p+other, d.dir, false)
	case Tree:
		return r.path.covers(p, d.dir, true) && r.path.covers(p+child, d.dir, false) && r.path.covers(p+other, d.dir, false)
	}
	return false
}

// bareRule returns an allow rule for the whole tool of the call.
func (d *decider) bareRule(a *Action) *Rule {
	if a.Of != 0 || a.Origin != Tool {
		return nil
	}
	r := d.toolRule()
	if r == nil || d.st.Mode == ModeAuto && d.suspendedTool(r) {
		return nil
	}
	if d.planned() && d.ins.Family != "Read" && d.ins.Family != "WebFetch" && d.ins.Family != "WebSearch" {
		return nil
	}
	return r
}

// suspendedTool says that auto mode sets an allow rule for a whole tool aside.
func (d *decider) suspendedTool(r *Rule) bool {
	switch r.family {
	case "Bash", "PowerShell", "Agent":
		return true
	}
	return false
}

func (d *decider) read(a *Action, at *Reason) {
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
		if a.Note != "" {
			at.Text += " " + a.Note
		}
		d.ask(askedProtected, at)
		return
	}
	known := p.known() && p.Class != Unclassified
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
		if r := d.ruleOver(a, false); r != nil {
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

func (d *decider) write(a *Action, at *Reason) {
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
	if a.Own && a.Origin == Operand {
		if r := d.ruleOver(a, false); r != nil {
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
	if a.Free && p.known() && p.Class == Ordinary {
		at.Code, at.Text = CodeClosed, "Nothing is kept of what is written there."
		d.settle(at)
		return
	}
	if d.planned() {
		at.Code, at.Text = CodePlan, fmt.Sprintf("Plan mode changes nothing: %s.", show(p))
		d.ask(askedPlain&^ByBypass, at)
		return
	}
	if p.Steers && d.st.Provenance == ProvenanceAsk && (d.st.Labels|d.ins.Brings)&Untrusted != 0 {
		at.Code = CodeSteers
		at.Text = fmt.Sprintf("%s %s instructs every agent that works here later, and this session has read text that somebody else may have written.", verb, show(p))
		d.ask(askedProtected, at)
		return
	}
	if r := d.pathRule(a); r != nil && !p.ReadOnly {
		d.byRule(at, r)
		return
	}
	ordinary := p.known() && p.Class == Ordinary && p.Zone != Outside && !p.ReadOnly
	if ordinary {
		if a.Origin == Operand {
			if r := d.ruleOver(a, false); r != nil {
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
	case !p.known():
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
	c := run.command()
	return run.Kind == Run && c.Edits && c.Closed
}

func (d *decider) connect(a *Action, at *Reason) {
	who := askedPlain
	if d.ins.Family == "Bash" {
		// The settings of the sandbox name hosts for shell commands. Those that
		// it denies are denied outside of it as well.
		denied, allowed := d.sandboxed(a)
		inside := d.confined && d.st.Enforces
		switch {
		case denied == matchYes:
			at.Code, at.Text = CodeNetwork, fmt.Sprintf("The sandbox settings deny connecting to %s.", hostName(a))
			d.deny(at)
			return
		case denied == matchMay && !inside:
			may := *at
			may.Code, may.Text = CodeMayMatch, "The sandbox settings deny some hosts, and this connects to "+hostName(a)+"."
			d.ask(askedRule, &may)
		case d.confined && d.p.locks.sandbox.Network.StrictAllowlist && a.Host != "" && allowed != matchYes:
			at.Code, at.Text = CodeNetwork, fmt.Sprintf("The sandbox settings allow connecting to certain hosts only, and %s is not one of them.", hostName(a))
			d.deny(at)
			return
		}
		if a.Host != "" && allowed != matchYes {
			who &^= BySandbox // the sandbox would ask
		}
	}
	credentials := metadataHost(a.Host)
	if a.Host != "" && (a.Origin == Tool || a.PlainGet) {
		var found *Rule
		for _, t := range d.p.allow {
			t.eachHost(a.Host, func(n int32) {
				if r := &t.rules[n]; found == nil && r.host.matches(a.Host) && (!credentials || r.host.exact()) {
					found = r
				}
			})
		}
		if found != nil {
			d.byRule(at, found)
			return
		}
	}
	if credentials {
		at.Code, at.Text = CodeNetwork, a.Host+" gives the credentials of the machine to whoever asks, where it is one of a cloud. Only a rule that names it allows that."
		d.ask(who&^BySandbox, at)
		return
	}
	if r := d.bareRule(a); r != nil {
		d.byRule(at, r)
		return
	}
	if a.Origin == Operand {
		if r := d.ruleOver(a, false); r != nil {
			d.byRule(at, r)
			return
		}
	}
	at.Code, at.Text = CodeNetwork, "This connects to "+hostName(a)+"."
	d.ask(who, at)
}

func hostName(a *Action) string {
	if a.Host == "" {
		return "a host that is not known before it runs"
	}
	return a.Host
}

func (d *decider) use(a *Action, at *Reason) {
	if a.Free {
		at.Code, at.Text = CodeClosed, "This needs nobody's approval by itself."
		d.settle(at)
		return
	}
	if a.Origin == Tool {
		if r := d.bareRule(a); r != nil {
			d.byRule(at, r)
			return
		}
		if !d.planned() && !(d.st.Mode == ModeAuto && d.ins.Family == "Agent") {
			var found *Rule
			for _, t := range d.p.allow {
				t.eachTool(d.call.Tool, d.ins.Family, func(n int32) {
					if r := &t.rules[n]; found == nil && r.kind == ruleName && r.matchTool(d.call.Tool, d.ins.Family, d.servers) && r.command.matches(a.Name) {
						found = r
					}
				})
			}
			if found != nil {
				d.byRule(at, found)
				return
			}
		}
	}
	if a.Origin != Tool {
		// The environment outlives the command: only a rule that spells it out
		// speaks of it, as of what the shell does by itself.
		if r := d.ruleOver(a, a.Origin != Operand || a.Name == "environment"); r != nil {
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
	if p.ClassName() == "" {
		return ""
	}
	return " (" + p.ClassName() + ")"
}
