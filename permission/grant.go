package permission

import (
	"fmt"
	"time"
)

// Grant is the proof that a call may run: this call, these paths, once. The
// zero Grant and a nil Grant permit nothing.
type Grant struct {
	call     Call
	ins      Inspection
	decision Decision
	digest   string
	gen      *generation
	version  uint64 // of the session's own rules
	eval     *Evaluator
	state    State
	opinions []Opinion
	unsaved  *UnsavedError
	since    time.Time // when it was given
}

// Permits says whether the grant covers an action of the kind on the resolved
// absolute path. It is what a file guard asks before it touches a file outside
// its ordinary reach, and a tool that walks a tree before it shows a name:
// below an approved tree nothing is permitted that a deny or ask rule names.
// Reading permits listing; writing permits reading back. It says nothing of
// what class of file the path is.
func (g *Grant) Permits(kind Kind, real string) bool {
	if g == nil || g.decision.Verdict != Allow || real == "" {
		return false
	}
	for i := range g.ins.Actions {
		a := &g.ins.Actions[i]
		if a.Path.Class == Forbidden || a.Maybe {
			continue
		}
		if !(a.Kind == kind || kind == List && a.Kind == Read || kind == Read && a.Kind == Write) {
			continue
		}
		p := a.Path.Real
		if p == "" {
			p = a.Path.Clean
		}
		switch a.Path.Extent {
		case Exact:
			if p == real {
				return true
			}
		case Tree:
			if _, ok := below(p, real); ok && !g.hidden(kind, real, p) {
				return true
			}
		case Within:
			if rel, ok := below(p, real); ok && rel != "" && !g.hidden(kind, real, p) {
				return true
			}
		}
	}
	return false
}

// hidden says whether a deny or ask rule names a path below the root of an
// approved tree. The rule for the root itself was decided.
func (g *Grant) hidden(kind Kind, real, root string) bool {
	if real == root {
		return false
	}
	if g.eval == nil {
		return true
	}
	l := newLookout(g.eval.policy, g.state.Dir, g.call.Dir)
	families := []string{"Read"}
	if kind == Write || kind == Delete {
		families = append(families, "Edit")
	}
	for _, t := range l.p.strict {
		for _, i := range t.broken {
			if t.rules[i].family == "Read" || t.rules[i].tool == "*" {
				return true
			}
		}
	}
	return l.denies(real, families...) != nil
}

// Confined says whether the call must run inside the sandbox. It is true for
// the zero Grant.
func (g *Grant) Confined() bool {
	return g == nil || g.decision.Verdict != Allow || g.decision.Confinement == ConfinementRequired
}

// Unsaved returns why the rules that a person approved for good are kept for this
// session only, nil where they were saved or none were to be. A host tells the
// person.
func (g *Grant) Unsaved() *UnsavedError {
	if g == nil {
		return nil
	}
	return g.unsaved
}

// Call returns the granted call; the zero Call for a nil Grant.
func (g *Grant) Call() Call {
	if g == nil {
		return Call{}
	}
	return g.call
}

// Decision returns the decision that the grant rests on.
func (g *Grant) Decision() Decision {
	if g == nil {
		return Decision{}
	}
	return g.decision
}

// Inspection returns what the granted call would do.
func (g *Grant) Inspection() Inspection {
	if g == nil {
		return Inspection{}
	}
	return g.ins
}

// Digest identifies call and inspection, resolved paths included.
func (g *Grant) Digest() string {
	if g == nil {
		return ""
	}
	return g.digest
}

// ReportDigest returns the digest of the command analysis that was judged
// (Inspection.Report); empty where there was none, and for a nil Grant. What
// runs the command compares it with the analysis that it runs by.
func (g *Grant) ReportDigest() string {
	if g == nil || g.decision.Verdict != Allow {
		return ""
	}
	return g.ins.Report.String()
}

// RefusedError is a call that may not run. Its Error text is meant for the
// model.
type RefusedError struct {
	Call     Call
	Decision Decision
	// Feedback is what the person said, if anything.
	Feedback string
	// Unsaved is set where an answer to an earlier question about this call kept
	// rules that could not be saved.
	Unsaved *UnsavedError
}

// Error says for the model why the call may not run, and that it should not
// try another way, or what to correct. Secrets that Redact knows are taken out,
// and control characters are written as \xNN or \u{NNNN}.
func (e *RefusedError) Error() string {
	s := fmt.Sprintf("The call of %s was refused. %s", visible(e.Call.Tool), e.Decision.Text())
	if e.Decision.Verdict == Ask {
		s = fmt.Sprintf("The call of %s was not approved. %s", visible(e.Call.Tool), e.Decision.Text())
	}
	if e.Feedback != "" {
		s += " The user says: " + e.Feedback
	} else if e.Decision.Verdict == Ask && e.Decision.uninspected() {
		return s
	}
	return s + " Do not try to reach the same end another way."
}
