package permission

import (
	"fmt"
	"strings"
)

// Derivation is the whole way to a decision: every action of the call, every
// rule that matches or may match it, and what settled it.
type Derivation struct {
	Decision Decision `json:"decision"`
	// Mode is the mode that decided; it differs from the session's where the
	// settings close that one.
	Mode  Mode   `json:"mode"`
	Steps []Step `json:"steps"`
}

// Step is what was found for the call itself (Action 0) or for one action.
type Step struct {
	Action int `json:"action"`
	// What says in words what it is.
	What string `json:"what"`
	// Rules are all that match, deny before ask before allow, whether or not
	// they decided.
	Rules []RuleMatch `json:"rules,omitempty"`
	// Reasons are those of the decision for this action.
	Reasons []Reason `json:"reasons,omitempty"`
}

// RuleMatch is a rule that matches, or may match once the call runs.
type RuleMatch struct {
	Rule RuleRef `json:"rule"`
	May  bool    `json:"may,omitempty"`
}

// Explain decides the call and derives the decision. It looks at every rule
// and is meant for persons, not for every call.
func (e *Evaluator) Explain(st State, call Call, ins Inspection, opinions ...Opinion) Derivation {
	out := Derivation{Decision: e.Decide(st, call, ins, opinions...), Mode: e.policy.effective(st)}
	d := decider{p: e.policy, interpreter: e.interpreter, servers: e.servers, st: st, call: call, ins: ins, dir: st.Dir, starts: startsOf(st.Dir, call.Dir)}
	d.st.Mode = out.Mode
	for n := 0; n <= len(ins.Actions); n++ {
		step := Step{Action: n, What: "the call of " + call.Tool}
		if n > 0 {
			step.What = ins.Actions[n-1].String()
		}
		for _, effect := range []Verdict{Deny, Ask, Allow} {
			for r := range e.policy.each() {
				if r.ref.Effect != effect {
					continue
				}
				if m := d.explains(r, n); m != matchNo {
					step.Rules = append(step.Rules, RuleMatch{r.ref, m == matchMay})
				}
			}
		}
		for _, r := range out.Decision.Reasons {
			if r.Action == n {
				step.Reasons = append(step.Reasons, r)
			}
		}
		out.Steps = append(out.Steps, step)
	}
	return out
}

// explains matches one rule against the call (0) or one action.
func (d *decider) explains(r *Rule, n int) match {
	if r.ref.Effect != Allow {
		if n > 0 {
			return d.matchAction(r, &d.ins.Actions[n-1])
		}
		m := r.matchCall(&d.call, &d.ins)
		for _, s := range d.ins.Strings {
			if m != matchYes && d.names(r, s) {
				m = matchYes
			}
		}
		for _, f := range d.ins.Folders {
			if m == matchNo && d.namesBelow(r, f) {
				m = matchMay
			}
		}
		return m
	}
	yes := func(b bool) match {
		if b {
			return matchYes
		}
		return matchNo
	}
	if n == 0 {
		return yes(r.kind == ruleBare && r.matchTool(d.call.Tool, d.ins.Family, d.servers))
	}
	a := &d.ins.Actions[n-1]
	c := a.command()
	switch {
	case r.kind == ruleCommand && a.Kind == Run && r.family == d.ins.Family && !c.Opaque && (!c.ExactOnly || r.command.exact() || r.command.spells(c.Allow)):
		for _, text := range c.Allow {
			if r.command.matches(text) && (!r.command.climbs(text, c.Deny) || r.command.spells(c.Allow)) && !d.suspended(r, c) {
				return matchYes
			}
		}
	case r.kind == rulePath && (a.Kind == Read || a.Kind == List || a.Kind == Write || a.Kind == Delete):
		return yes(d.grantable(a) && d.pathAllows(r, a))
	case r.kind == ruleHost && a.Kind == Connect:
		return yes(r.host.matches(a.Host))
	case r.kind == ruleName && a.Kind == Use && a.Origin == Tool:
		return yes(r.matchTool(d.call.Tool, d.ins.Family, d.servers) && r.command.matches(a.Name))
	}
	return matchNo
}

// names says whether a deny or ask rule means a string of an input whose
// meaning is not declared, as a path or as a host.
func (d *decider) names(r *Rule, s string) bool {
	if r.broken || len(s) > maxRuleBytes {
		return false
	}
	if r.hasPath() {
		for _, p := range d.pathsIn(s) {
			if d.coversFolded(r, p, true) {
				return true
			}
		}
	}
	host := hostIn(s)
	return r.kind == ruleHost && host != "" && r.host.matches(host)
}

// String says in a few words what the action is.
func (a Action) String() string {
	switch a.Kind {
	case Run:
		return "run " + quoteCommand(a.command())
	case Connect:
		return "connect to " + hostName(&a)
	case Use:
		return "use " + a.Name
	case Read, List, Write, Delete:
		s := a.Kind.String() + " " + show(&a.Path)
		switch a.Path.Extent {
		case Exact:
		case Anywhere:
			s = a.Kind.String() + " files that are not known"
		default:
			s += " (" + a.Path.Extent.String() + ")"
		}
		return s
	}
	return "something that is not known"
}

// String prints the derivation for a person, a line for each step and rule.
// What decided a refusal or a question is marked with a star.
func (d Derivation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (mode %s", d.Decision.Verdict, d.Mode)
	if d.Decision.Verdict == Ask {
		fmt.Fprintf(&b, ", may be settled by %s", d.Decision.Asked)
	}
	b.WriteString(")\n")
	for _, s := range d.Steps {
		if s.Action == 0 && s.Rules == nil && s.Reasons == nil {
			continue
		}
		fmt.Fprintf(&b, "%s\n", s.What)
		for _, m := range s.Rules {
			how := "matches"
			if m.May {
				how = "may match"
			}
			fmt.Fprintf(&b, "  %s %s\n", m.Rule, how)
		}
		for _, r := range s.Reasons {
			mark := " "
			if r.Verdict == d.Decision.Verdict && r.Verdict != Allow {
				mark = "*"
			}
			fmt.Fprintf(&b, "%s %s: %s [%s]\n", mark, r.Verdict, r.Text, r.Code)
		}
	}
	return b.String()
}

// String names the settlers.
func (s Settlers) String() string {
	var out []string
	for i, n := range []string{"the bypass mode", "a hook", "the classifier", "the sandbox", "a person"} {
		if s&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	if out == nil {
		return "nobody"
	}
	return strings.Join(out, ", ")
}
