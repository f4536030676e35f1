package permission

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Choice is a person's answer. The zero Choice refuses.
type Choice uint8

// The choices: refuse, allow this call, allow what the suggestion says until
// the session ends, allow it from now on.
const (
	No Choice = iota
	Once
	ForSession
	Always
)

var choiceNames = []string{"no", "once", "session", "always"}

func (c Choice) String() string { return name(choiceNames, uint8(c)) }

// Request is a call that waits for a person.
type Request struct {
	// Token names exactly this request: call, inspection, rules and mode.
	Token      string
	Call       Call
	Inspection Inspection
	Decision   Decision
	// Suggestions are the rules that a session or always answer would add;
	// together they would have settled this call. Empty where only a one-time
	// answer is possible.
	Suggestions []string
}

// Answer is what a person said to a [Request].
type Answer struct {
	Token  string
	Choice Choice
	// Rules are the suggestions to keep, for ForSession and Always; nil keeps
	// all of them.
	Rules []string
	// Layer is where Always saves: LayerUser, LayerProject or LayerLocal
	// (the default).
	Layer Layer
	// Feedback is passed to the model with a refusal.
	Feedback string
}

// Approver asks a person. It must return an Answer with the Request's token;
// an error, another token or a nil Approver refuses. It may be called from
// several goroutines.
type Approver interface {
	Approve(ctx context.Context, r Request) (Answer, error)
}

// Rememberer keeps approved rules beyond the session. Package settings has one.
type Rememberer interface {
	Remember(ctx context.Context, layer Layer, rules []string) error
}

// Adviser has an opinion on calls: a hook or a classifier. Its error counts as
// no opinion of a classifier and as Ask of anything else.
type Adviser interface {
	Advise(ctx context.Context, st State, call Call, ins Inspection) (Opinion, error)
}

// Record is one decision for an audit log.
type Record struct {
	Time       time.Time       `json:"time"`
	Session    string          `json:"session"`
	Tool       string          `json:"tool"`
	Input      json.RawMessage `json:"input"`
	Dir        string          `json:"dir"`
	Mode       Mode            `json:"mode"`
	Inspection Inspection      `json:"inspection"`
	Decision   Decision        `json:"decision"`
	Answer     string          `json:"answer,omitempty"`
	Digest     string          `json:"digest"`
	Duration   time.Duration   `json:"duration"`
}

// Recorder keeps decisions. An error refuses the call, so that nothing runs
// that is not on record.
type Recorder interface {
	Record(ctx context.Context, r Record) error
}

// GateOptions configure a [Gate]. Zero: nobody is asked, so an Ask refuses.
type GateOptions struct {
	Approver Approver
	Remember Rememberer
	Advisers []Adviser
	Audit    Recorder
	// Redact removes secrets from what is shown and recorded.
	Redact func([]byte) []byte
	// Enforces says that the host runs confined calls inside a sandbox.
	Enforces bool
}

// Gate asks, remembers and records around an [Evaluator]. It is safe for
// concurrent use.
type Gate struct {
	eval atomic.Pointer[Evaluator]
	opts GateOptions
}

// NewGate returns a gate over the evaluator.
func NewGate(eval *Evaluator, opts GateOptions) *Gate {
	g := &Gate{opts: opts}
	g.eval.Store(eval)
	return g
}

// Swap puts another evaluator in place, after settings were loaded again.
// Calls that are being decided finish with the old one and are decided again
// before they are granted.
func (g *Gate) Swap(eval *Evaluator) { g.eval.Store(eval) }

// SessionOptions configure a [Session].
type SessionOptions struct {
	// Dir is the absolute directory in which the session starts.
	Dir string
	// Mode overrides the mode of the settings.
	Mode *Mode
}

// Session is one run of an agent. It is safe for concurrent use.
type Session struct {
	gate    *Gate
	id      string
	parent  *Session
	mu      sync.Mutex
	mode    Mode
	modeSet bool
	dir     string
	labels  Labels
	allow   []string
	waiting map[string]*pending
}

type pending struct {
	req Request
}

// Session starts a session.
func (g *Gate) Session(o SessionOptions) *Session {
	s := &Session{gate: g, id: token(), dir: o.Dir, waiting: map[string]*pending{}}
	if o.Mode != nil {
		s.mode, s.modeSet = *o.Mode, true
	}
	return s
}

func token() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Mode returns the session's mode.
func (s *Session) Mode() Mode { return s.state().Mode }

// SetMode changes the mode. A child session refuses a mode that settles more
// than its parent's.
func (s *Session) SetMode(m Mode) error {
	if s.parent != nil && wider(m, s.parent.Mode()) {
		return fmt.Errorf("permission: a sub-agent cannot enter mode %s: its parent is in %s", m, s.parent.Mode())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode, s.modeSet = m, true
	return nil
}

// wider says whether mode a could run what mode b would not.
func wider(a, b Mode) bool {
	if a == b || b == ModeBypass {
		return false
	}
	switch a {
	case ModePlan, ModeDontAsk:
		// Both run less than any other mode, but not less than each other.
		return b == ModePlan || b == ModeDontAsk
	case ModeDefault:
		return b == ModePlan || b == ModeDontAsk
	}
	return true
}

// Child starts a session of a sub-agent: the parent's directory, mode, labels
// and session rules, and never more than the parent at any time.
func (s *Session) Child(m *Mode) (*Session, error) {
	c := s.gate.Session(SessionOptions{Dir: s.dir})
	c.parent = s
	st := s.state()
	c.mode, c.modeSet, c.labels = st.Mode, true, st.Labels
	if m != nil {
		if err := c.SetMode(*m); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Label puts labels on the session and on its parents: what a child has read
// flows back with its result.
func (s *Session) Label(l Labels) {
	for ; s != nil; s = s.parent {
		s.mu.Lock()
		s.labels |= l
		s.mu.Unlock()
	}
}

func (s *Session) state() State {
	s.mu.Lock()
	st := State{Mode: s.mode, Dir: s.dir, Labels: s.labels, Enforces: s.gate.opts.Enforces}
	set := s.modeSet
	s.mu.Unlock()
	if !set {
		st.Mode = s.gate.eval.Load().policy.DefaultMode()
	}
	if s.parent != nil {
		p := s.parent.state()
		st.Labels |= p.Labels
		if wider(st.Mode, p.Mode) {
			st.Mode = p.Mode
		}
	}
	for _, a := range s.gate.opts.Advisers {
		if _, ok := a.(Classifier); ok {
			st.Classifier = true
		}
	}
	return st
}

// Classifier is an [Adviser] that judges calls in auto mode.
type Classifier interface {
	Adviser
	// Classifies marks the adviser as a classifier.
	Classifies()
}

// evaluator returns the evaluator with the session's own rules.
func (s *Session) evaluator() (*Evaluator, error) {
	e := s.gate.eval.Load()
	var rules []string
	for t := s; t != nil; t = t.parent {
		t.mu.Lock()
		rules = append(rules, t.allow...)
		t.mu.Unlock()
	}
	if len(rules) == 0 {
		return e, nil
	}
	p, err := e.policy.With(LayerSession, s.dir, Allow, rules...)
	if err != nil {
		return nil, err
	}
	return e.with(p), nil
}

// maxRounds bounds how often a call is decided again because it changed while
// a person was asked.
const maxRounds = 3

// Authorize decides the call and, where that asks, waits for the Approver. It
// returns a Grant, or a [*RefusedError], or the context's error. After a wait
// the call is inspected again, and what changed asks again.
func (s *Session) Authorize(ctx context.Context, call Call) (*Grant, error) {
	start := time.Now()
	var said *Answer
	approved := ""
	for round := 0; ; round++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		g, req, err := s.decide(ctx, call, approved)
		if err != nil {
			return nil, err
		}
		if req == nil {
			return s.conclude(ctx, g, said, start)
		}
		if s.gate.opts.Approver == nil || round >= maxRounds {
			g.decision.Reasons = append(g.decision.Reasons, Reason{Code: CodeMode, Verdict: Ask, Text: "No person was there to answer."})
			return s.conclude(ctx, g, said, start)
		}
		answer, err := s.gate.opts.Approver.Approve(ctx, *req)
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			g.decision.Reasons = append(g.decision.Reasons, Reason{Code: CodeOpinion, Verdict: Ask, Text: "The person could not be asked: " + err.Error() + "."})
			return s.conclude(ctx, g, said, start)
		}
		if answer.Token != req.Token {
			return nil, fmt.Errorf("permission: the answer is for another request")
		}
		said = &answer
		if answer.Choice == No {
			g.decision.Verdict = Deny
			g.decision.Reasons = append([]Reason{{Code: CodeOpinion, Verdict: Deny, Text: "The user refused it."}}, g.decision.Reasons...)
			return s.conclude(ctx, g, said, start)
		}
		if err := s.keep(ctx, answer, req.Suggestions); err != nil {
			return nil, err
		}
		approved = req.Token
	}
}

// Check decides the call without asking. A nil Request is a final answer: a
// Grant or a [*RefusedError]. Otherwise the Request waits for [Session.Resolve].
func (s *Session) Check(ctx context.Context, call Call) (*Grant, *Request, error) {
	g, req, err := s.decide(ctx, call, "")
	if err != nil {
		return nil, nil, err
	}
	if req == nil {
		g, err = s.conclude(ctx, g, nil, time.Now())
		return g, nil, err
	}
	s.mu.Lock()
	s.waiting[req.Token] = &pending{*req}
	s.mu.Unlock()
	return nil, req, nil
}

// ErrStale is returned for an answer to a request that is not waiting.
var ErrStale = errors.New("permission: no request is waiting for this answer")

// Resolve takes a person's answer to a Request of Check. The call is inspected
// and decided again: where it changed, a new Request is returned.
func (s *Session) Resolve(ctx context.Context, a Answer) (*Grant, *Request, error) {
	s.mu.Lock()
	p, ok := s.waiting[a.Token]
	delete(s.waiting, a.Token)
	s.mu.Unlock()
	if !ok {
		return nil, nil, ErrStale
	}
	if a.Choice == No {
		g := &Grant{call: p.req.Call, ins: p.req.Inspection, decision: p.req.Decision}
		g.decision.Verdict = Deny
		g.decision.Reasons = append([]Reason{{Code: CodeOpinion, Verdict: Deny, Text: "The user refused it."}}, g.decision.Reasons...)
		g, err := s.conclude(ctx, g, &a, time.Now())
		return g, nil, err
	}
	if err := s.keep(ctx, a, p.req.Suggestions); err != nil {
		return nil, nil, err
	}
	g, req, err := s.decide(ctx, p.req.Call, a.Token)
	if err != nil {
		return nil, nil, err
	}
	if req != nil {
		s.mu.Lock()
		s.waiting[req.Token] = &pending{*req}
		s.mu.Unlock()
		return nil, req, nil
	}
	g, err = s.conclude(ctx, g, &a, time.Now())
	return g, nil, err
}

// decide runs one round. approved is the token of the request that a person
// said yes to; it counts only while everything it was made of is the same.
func (s *Session) decide(ctx context.Context, call Call, approved string) (*Grant, *Request, error) {
	if call.Dir == "" {
		call.Dir = s.dir
	}
	e, err := s.evaluator()
	if err != nil {
		return nil, nil, err
	}
	st := s.state()
	// An inspection that failed asks, and says why.
	ins, _ := e.Inspect(ctx, st, call)
	dig := digest(call, ins)
	g := &Grant{call: call, ins: ins, digest: dig}
	var opinions []Opinion
	for _, a := range s.gate.opts.Advisers {
		o, err := a.Advise(ctx, st, call, ins)
		if err != nil {
			if _, ok := a.(Classifier); ok {
				continue
			}
			o = Opinion{From: o.From, Verdict: Ask, Reason: "failed: " + err.Error()}
		}
		opinions = append(opinions, o)
	}
	g.decision = e.Decide(st, call, ins, opinions...)
	if g.decision.Verdict != Ask {
		return g, nil, nil
	}
	req := &Request{Call: call, Inspection: ins, Decision: g.decision}
	req.Token = dig + "." + st.Mode.String()
	if approved == req.Token {
		g.decision = e.Decide(st, call, ins, append(opinions, Opinion{From: FromPerson, Verdict: Allow})...)
		if g.decision.Verdict != Ask {
			return g, nil, nil
		}
	}
	req.Suggestions = e.Suggest(st, call, ins)
	return g, req, nil
}

// keep adds the rules that an answer wants kept.
func (s *Session) keep(ctx context.Context, a Answer, suggested []string) error {
	if a.Choice != ForSession && a.Choice != Always {
		return nil
	}
	rules := a.Rules
	if rules == nil {
		rules = suggested
	}
	known := "\n" + strings.Join(suggested, "\n") + "\n"
	for _, r := range rules {
		if !strings.Contains(known, "\n"+r+"\n") {
			return fmt.Errorf("permission: %q was not among the suggested rules", r)
		}
	}
	if len(rules) == 0 {
		return nil
	}
	if a.Choice == Always && s.gate.opts.Remember != nil {
		layer := a.Layer
		if layer == LayerUnknown {
			layer = LayerLocal
		}
		if err := s.gate.opts.Remember.Remember(ctx, layer, rules); err != nil {
			return fmt.Errorf("permission: the approval was not saved: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.allow = append(s.allow, rules...)
	return nil
}

// conclude records the decision and turns it into a grant or a refusal.
func (s *Session) conclude(ctx context.Context, g *Grant, said *Answer, start time.Time) (*Grant, error) {
	if s.gate.opts.Audit != nil {
		rec := Record{
			Time: start.UTC(), Session: s.id, Tool: g.call.Tool, Input: g.call.Input, Dir: g.call.Dir, Mode: s.Mode(),
			Inspection: g.ins, Decision: g.decision, Digest: g.digest, Duration: time.Since(start),
		}
		if said != nil {
			rec.Answer = said.Choice.String()
		}
		if redact := s.gate.opts.Redact; redact != nil {
			rec.Input = redact(rec.Input)
			if !json.Valid(rec.Input) {
				rec.Input = json.RawMessage(`"[redacted]"`)
			}
		}
		if err := s.gate.opts.Audit.Record(ctx, rec); err != nil {
			return nil, fmt.Errorf("permission: the decision could not be recorded, so nothing runs: %w", err)
		}
	}
	if g.decision.Verdict != Allow {
		e := &RefusedError{Call: g.call, Decision: g.decision}
		if said != nil {
			e.Feedback = said.Feedback
		}
		return nil, e
	}
	s.Label(g.ins.Brings)
	return g, nil
}

// Offers says whether the model should be shown the tool: false where a deny
// rule refuses every call of it.
func (s *Session) Offers(tool string) bool {
	e := s.gate.eval.Load()
	fam := family(tool)
	offered := true
	for _, t := range e.policy.strict {
		t.eachTool(tool, fam, func(i int32) {
			if r := &t.rules[i]; r.ref.Effect == Deny && r.kind == ruleBare && r.matchTool(tool, fam) {
				offered = false
			}
		})
	}
	return offered
}
