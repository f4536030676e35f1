package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/clearance-go/clearance/permission"
)

// stored cannot inspect: everything here is decided from what was stored.
type stored struct{}

func (stored) Inspect(context.Context, permission.Call, permission.Lookout) (permission.Inspection, error) {
	return permission.Inspection{}, errors.New("audit: stored calls are not inspected again")
}

func evaluator(p *permission.Policy) (*permission.Evaluator, error) {
	return permission.New(permission.Config{Policy: p, Inspector: stored{}})
}

// Change is a past call that two policies decide differently.
type Change struct {
	Record permission.Record
	A, B   permission.Decision
}

// Replayed is what Replay found.
type Replayed struct {
	// Calls were decided again by both policies; Changes are those that came
	// out differently, in the order of the log.
	Calls   int
	Changes []Change
	// NotReplayable were skipped: secrets were taken out of them, or the
	// evaluator never saw what they would do.
	NotReplayable int
}

// Replay decides the calls of a log again under two policies, from the stored
// inspections and without the answers of persons. It does not check the chain:
// see Verify. A line that cannot be read is an error.
func Replay(log io.Reader, a, b *permission.Policy) (Replayed, error) {
	var out Replayed
	ea, err := evaluator(a)
	if err != nil {
		return out, err
	}
	eb, err := evaluator(b)
	if err != nil {
		return out, err
	}
	out.NotReplayable, err = calls(log, func(r permission.Record, call permission.Call, opinions []permission.Opinion) {
		out.Calls++
		da, db := ea.Decide(r.State, call, r.Inspection, opinions...), eb.Decide(r.State, call, r.Inspection, opinions...)
		if da.Verdict != db.Verdict {
			out.Changes = append(out.Changes, Change{r, da, db})
		}
	})
	return out, err
}

// calls yields the decisions of a log that can be made again, with the opinions
// of programs. It does not care for keys.
func calls(log io.Reader, yield func(permission.Record, permission.Call, []permission.Opinion)) (skipped int, err error) {
	n := 0
	one := func(r permission.Record) {
		if r.Event != permission.EventDecision {
			return
		}
		if r.Redacted || failed(r.Inspection) {
			skipped++
			return
		}
		var opinions []permission.Opinion
		for _, o := range r.Opinions {
			if o.From != permission.FromPerson {
				opinions = append(opinions, o)
			}
		}
		yield(r, permission.Call{Tool: r.Tool, Input: r.Input, Dir: r.Dir}, opinions)
	}
	_, torn, err := records(log, func(ln line) { n++; one(ln.Record) })
	if err == nil && torn != nil {
		err = &BrokenError{n + 1, "the last line is cut off"}
	}
	return skipped, err
}

func failed(ins permission.Inspection) bool {
	for _, f := range ins.Findings {
		if f.Code == permission.CodeInspection {
			return true
		}
	}
	return false
}

// Proposal is a rule that would have saved prompts.
type Proposal struct {
	Rule string
	// Prompts is how many approved prompts of the log it takes part in saving.
	Prompts int
	// Examples are up to three of the calls, as the log explains them.
	Examples []string
}

// Mined is what Mine found.
type Mined struct {
	// Proposals are narrow allow rules, the most useful first.
	Proposals []Proposal
	// Prompts are the calls of the log that asked a person under the policy
	// and were approved; Saved are those that the proposals settle.
	Prompts, Saved int
	// NotReplayable were skipped: see Replayed.
	NotReplayable int
}

// Mine proposes the fewest narrow allow rules that would have saved the most
// prompts of the log under the policy, at most limit (0 is 20). Only calls that
// a person approved count, and a rule that would run a call that a person
// refused is not proposed. Each rule is one that the prompt itself could have
// offered.
func Mine(log io.Reader, p *permission.Policy, limit int) (Mined, error) {
	var out Mined
	if limit <= 0 {
		limit = 20
	}
	e, err := evaluator(p)
	if err != nil {
		return out, err
	}
	var prompts, refusals []prompt
	out.NotReplayable, err = calls(log, func(r permission.Record, call permission.Call, opinions []permission.Opinion) {
		d := e.Decide(r.State, call, r.Inspection, opinions...)
		if d.Verdict != permission.Ask {
			return
		}
		switch r.Answer {
		case permission.Once.String(), permission.ForSession.String(), permission.Always.String():
			out.Prompts++
			if rules := e.Suggest(r.State, call, r.Inspection); rules != nil {
				prompts = append(prompts, prompt{r, call, opinions, rules})
			}
		case permission.No.String():
			refusals = append(refusals, prompt{r, call, opinions, nil})
		}
	})
	if err != nil {
		return out, err
	}
	with := func(rules ...string) *permission.Evaluator {
		q, err := p.With(permission.LayerSession, "", permission.Allow, rules...)
		if err != nil {
			return nil
		}
		e, err := evaluator(q)
		if err != nil {
			return nil
		}
		return e
	}
	// Greedily, the set of rules of one prompt that saves the most prompts for
	// each rule that it adds.
	var chosen []string
	left := prompts
	for len(chosen) < limit && len(left) > 0 {
		best := pick(left, chosen)
		add := missing(left[best].rules, chosen)
		next := with(append(slices.Clone(chosen), add...)...)
		bad := next == nil || len(chosen)+len(add) > limit
		for _, r := range refusals {
			bad = bad || r.settledBy(next)
		}
		var rest []prompt
		for i, pr := range left {
			switch {
			case bad && i == best:
			case !bad && pr.settledBy(next):
				out.Saved++
				out.propose(pr)
			default:
				rest = append(rest, pr)
			}
		}
		if !bad {
			chosen = append(chosen, add...)
		}
		left = rest
	}
	slices.SortFunc(out.Proposals, func(a, b Proposal) int {
		return cmp.Or(-cmp.Compare(a.Prompts, b.Prompts), cmp.Compare(a.Rule, b.Rule))
	})
	return out, nil
}

// prompt is a call of the log that asks a person under the policy.
type prompt struct {
	r        permission.Record
	call     permission.Call
	opinions []permission.Opinion
	rules    []string // that would settle it
}

func (p *prompt) settledBy(e *permission.Evaluator) bool {
	return e.Decide(p.r.State, p.call, p.r.Inspection, p.opinions...).Verdict == permission.Allow
}

// missing are the rules that are not chosen yet.
func missing(rules, chosen []string) []string {
	var out []string
	for _, r := range rules {
		if !slices.Contains(chosen, r) {
			out = append(out, r)
		}
	}
	return out
}

// pick returns the index of the prompt whose rules save the most.
func pick(left []prompt, chosen []string) int {
	tried := map[string]int{}
	for _, pr := range left {
		fresh := missing(pr.rules, chosen)
		slices.Sort(fresh)
		tried[fmt.Sprintf("%q", fresh)]++
	}
	best := 0
	for i := range left {
		if score(left[i].rules, chosen, tried) > score(left[best].rules, chosen, tried) {
			best = i
		}
	}
	return best
}

// propose counts a saved prompt for each of its rules.
func (m *Mined) propose(pr prompt) {
	for _, rule := range pr.rules {
		n := slices.IndexFunc(m.Proposals, func(p Proposal) bool { return p.Rule == rule })
		if n < 0 {
			m.Proposals = append(m.Proposals, Proposal{Rule: rule})
			n = len(m.Proposals) - 1
		}
		prop := &m.Proposals[n]
		said := pr.r.Inspection.Explanation.String()
		if prop.Prompts++; len(prop.Examples) < 3 && said != "" && !slices.Contains(prop.Examples, said) {
			prop.Examples = append(prop.Examples, said)
		}
	}
}

// score is how many prompts have the same rules still to add, over how many
// rules that are.
func score(rules, chosen []string, tried map[string]int) float64 {
	fresh := missing(rules, chosen)
	slices.Sort(fresh)
	return float64(tried[fmt.Sprintf("%q", fresh)]) / float64(max(len(fresh), 1))
}
