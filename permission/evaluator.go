package permission

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
)

// Config configures an [Evaluator].
type Config struct {
	// Policy holds the rules; nil is no rules, under which only reading is
	// settled.
	Policy *Policy
	// Inspector translates calls. Required.
	Inspector Inspector
	// Interpreter says whether a program runs code given to it, so that Lint
	// can warn of rules for it and auto mode sets them aside. Nil knows the
	// common ones.
	Interpreter func(program string) bool
	// Servers are the names of the MCP servers that are connected, as they
	// stand in the names of their tools. mcp__a__b__t may be a tool of a server
	// "a" or of one named "a__b"; an allow rule for one of them (mcp__a,
	// mcp__a__*) covers such a tool only where this tells them apart. Deny and
	// ask rules mean both.
	Servers []string
}

// Evaluator decides calls by one policy. It is immutable and safe for
// concurrent use.
type Evaluator struct {
	policy      *Policy
	inspector   Inspector
	interpreter func(program string) bool
	servers     []string
	last        *atomic.Pointer[lookout] // what lookout returned last
}

// New returns an evaluator. A missing inspector is an error.
func New(c Config) (*Evaluator, error) {
	if c.Inspector == nil {
		return nil, errors.New("permission: Config.Inspector is missing: use package permission/toolset")
	}
	if c.Policy == nil {
		c.Policy = &Policy{}
	}
	if c.Interpreter == nil {
		c.Interpreter = commonInterpreter
	}
	return &Evaluator{policy: c.Policy, inspector: c.Inspector, interpreter: c.Interpreter, servers: slices.Clone(c.Servers),
		last: new(atomic.Pointer[lookout])}, nil
}

// with returns the evaluator with other rules.
func (e *Evaluator) with(p *Policy) *Evaluator {
	f := *e
	f.policy, f.last = p, new(atomic.Pointer[lookout])
	return &f
}

// Policy returns the rules in force.
func (e *Evaluator) Policy() *Policy { return e.policy }

// Inspect translates the call. An error of the inspector becomes an inspection
// that asks, with the error as the reason; it is returned as well.
func (e *Evaluator) Inspect(ctx context.Context, st State, call Call) (Inspection, error) {
	ins, err := e.inspector.Inspect(ctx, call, e.lookout(st.Dir, call.Dir))
	if err != nil {
		return Inspection{
			Family:   family(call.Tool),
			Actions:  []Action{{Kind: KindUnknown}},
			Findings: []Finding{{Code: CodeInspection, Text: notInspected + strings.TrimRight(err.Error(), ".") + ". Correct the call and send it again, or let a person judge it as it stands."}},
		}, err
	}
	return ins, nil
}

// notInspected begins the finding of a call that could not be inspected.
const notInspected = "The call could not be inspected: "

// lookout returns the answers to an inspector's questions. Most calls of a
// program start in the directory of the one before.
func (e *Evaluator) lookout(dir, callDir string) *lookout {
	if e.last == nil {
		return newLookout(e.policy, dir, callDir)
	}
	l := e.last.Load()
	if l == nil || l.p != e.policy || l.dir != dir || l.callDir != callDir {
		l = newLookout(e.policy, dir, callDir)
		e.last.Store(l)
	}
	return l
}

// Decide combines rules, mode, inspection and opinions into a Decision. It is
// a pure function of its arguments and the policy. The rules that its reasons
// point to are shared and must not be changed.
func (e *Evaluator) Decide(st State, call Call, ins Inspection, opinions ...Opinion) Decision {
	if e == nil || e.policy == nil {
		return Decision{Reasons: []Reason{{Code: CodeNoAction, Text: "There are no rules to decide by."}}}
	}
	// The decider stays on the stack, with the inspection in it.
	d := decider{p: e.policy, interpreter: e.interpreter, servers: e.servers, st: st, call: call, ins: ins, asked: ^Settlers(0)}
	d.dir, d.starts = st.Dir, startsOf(st.Dir, call.Dir)
	d.st.Mode = e.policy.effective(st)
	d.confine()
	d.rules()
	d.demands()
	for i := range ins.Actions {
		d.action(i)
	}
	if len(ins.Actions) == 0 {
		d.ask(askedPlain, &Reason{Code: CodeNoAction, Text: "What this call would do is not known."})
	}
	d.provenance()
	return d.finish(opinions)
}

// effective is the mode that a state decides in: a mode that the settings
// close, or that is not one, is default.
func (p *Policy) effective(st State) Mode {
	switch {
	case st.Mode > ModeBypass, st.Mode == ModeBypass && p.locks.disableBypass,
		st.Mode == ModeAuto && (!st.Classifier || p.locks.disableAuto):
		return ModeDefault
	}
	return st.Mode
}

// decider is the state of one decision.
type decider struct {
	p           *Policy
	interpreter func(string) bool
	st          State
	call        Call
	ins         Inspection
	dir         string
	starts

	confined bool // the settings want it to run inside the sandbox
	// toolAllow is the allow rule for the whole tool, once it was looked for.
	toolAllow     *Rule
	toolRuleKnown bool
	// over is what ruleOver found last: for the Run with the number of, 0 for none.
	over struct {
		rule  *Rule
		of    int
		exact bool
	}
	// climbed is an allow rule that a path with ".." kept from covering a Run.
	climbed *Rule
	servers []string // the MCP servers that the host knows

	hits []hit
	// unnamed are the last paths that the table which is looked through has no
	// rule for, whatever is done with them: the actions of a call name the same
	// few again and again.
	unnamed [2]string
	// unnamedDir is a directory, folded and with its last slash, of whose names
	// the table has no rule for any.
	unnamedDir string
	denied     bool
	asks       int
	asked      Settlers
	reasons    []Reason // deny and ask
	settled    []Reason // allow
}

func (d *decider) deny(r *Reason) {
	d.denied = true
	d.reasons = append(d.reasons, *r)
	d.reasons[len(d.reasons)-1].Verdict = Deny
}

func (d *decider) ask(who Settlers, r *Reason) {
	d.asks++
	d.asked &= who
	d.reasons = append(d.reasons, *r)
	d.reasons[len(d.reasons)-1].Verdict = Ask
}

func (d *decider) settle(r *Reason) {
	n := len(d.settled)
	switch {
	case n < cap(d.settled):
	case n == 0:
		d.settled = make([]Reason, 0, max(1, len(d.ins.Actions)-max(0, r.Action-1)))
	default:
		d.settled = slices.Grow(d.settled, 1)
	}
	d.settled = d.settled[:n+1]
	// Field by field: copying the whole takes longer while memory is collected.
	at := &d.settled[n]
	at.Code, at.Verdict, at.Rule = r.Code, Allow, r.Rule
	at.Action, at.Text, at.Span = r.Action, r.Text, r.Span
}

// finish applies opinions, the sandbox and the mode to what is left.
func (d *decider) finish(opinions []Opinion) Decision {
	out := Decision{Explanation: d.ins.Explanation, Risk: d.ins.Risk, Confinement: ConfinementNotRequired}
	if d.confined {
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
			d.ask(ByPerson, &reason)
		default:
			d.deny(&reason)
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
		case d.asked&BySandbox != 0 && out.Confinement == ConfinementRequired && d.p.locks.sandbox.AutoAllowBash && d.st.Enforces && !d.planned():
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
	if out.Verdict == Allow {
		out.Reasons = append(d.settled, d.reasons...)
		return out
	}
	for _, r := range d.reasons {
		if r.Verdict == out.Verdict {
			out.Reasons = append(out.Reasons, r)
		}
	}
	for _, r := range d.reasons {
		if r.Verdict != out.Verdict {
			out.Reasons = append(out.Reasons, r)
		}
	}
	return out
}

func lowest(s Settlers) Settlers { return s & -s }

// confine sets whether the settings want the call to run inside the sandbox.
func (d *decider) confine() {
	sandbox := &d.p.locks.sandbox
	shell := d.ins.Family == "Bash" || d.ins.Family == "PowerShell"
	d.confined = shell && sandbox.Enabled && !(d.ins.Unconfined && sandbox.AllowUnsandboxed) && !d.excluded()
}

// excluded says whether a command of the call is one that the settings run
// outside the sandbox. One part takes the whole call with it.
func (d *decider) excluded() bool {
	for i := range d.p.locks.excluded {
		for j := range d.ins.Actions {
			for _, t := range d.ins.Actions[j].command().Allow {
				if d.p.locks.excluded[i].matches(t) {
					return true
				}
			}
		}
	}
	return false
}
