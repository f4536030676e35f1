package permission

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
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

// String returns "no", "once", "session" or "always".
func (c Choice) String() string { return name(choiceNames, uint8(c)) }

// Request is a call that waits for a person. [Request.Prompt] is the text to
// show; the fields hold what the model and files chose as it came, with control
// characters, and a program that shows them itself must escape them.
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
	// Changes shows, where the call asks because of what it runs ([CodeChanged]),
	// what changed: a unified diff, or sizes and digests where the text is not
	// known.
	Changes string
	// Redacted says that secrets were taken out of what is shown.
	Redacted bool
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
// It saves all of the rules or, with an error that says why and what to do, none.
type Rememberer interface {
	Remember(ctx context.Context, layer Layer, rules []string) error
}

// UnsavedError says that the rules of an [Always] could not be saved. The yes
// itself stands: the call runs, and the rules count until the session ends.
type UnsavedError struct {
	Layer Layer
	Rules []string
	// Err is what the [Rememberer] said.
	Err error
}

// Error says where the rules were to be saved, why they are not, and what holds.
func (e *UnsavedError) Error() string {
	return fmt.Sprintf("permission: the approval could not be saved to the %s settings and holds for this session only: %v", e.Layer, e.Err)
}

// Unwrap returns what the Rememberer said.
func (e *UnsavedError) Unwrap() error { return e.Err }

// Adviser has an opinion on calls: a hook or a classifier. Its error counts as
// no opinion of a classifier and as Ask of anything else. An Allow of it never
// counts as a person's, whatever it says.
type Adviser interface {
	Advise(ctx context.Context, st State, call Call, ins Inspection) (Opinion, error)
}

// Event is what a [Record] tells of.
type Event string

// The events.
const (
	EventDecision Event = "decision" // a call was decided
	EventOutcome  Event = "outcome"  // what came of a granted call
	EventMode     Event = "mode"     // a session changed its mode
	EventSettings Event = "settings" // other rules were put in force
	EventTrust    Event = "trust"    // trust was given or taken
)

// Record is one line of an audit log.
type Record struct {
	Event Event     `json:"event"`
	Time  time.Time `json:"time"`
	// Session and Parent name the session and the one that started it.
	Session string `json:"session,omitempty"`
	Parent  string `json:"parent,omitempty"`
	// Text says what happened, for events other than decisions.
	Text string `json:"text,omitempty"`

	Tool  string          `json:"tool,omitempty"`
	Input json.RawMessage `json:"input,omitempty"`
	// Dir is where the call starts. State is what the decision rests on.
	Dir        string     `json:"dir,omitempty"`
	State      State      `json:"state,omitzero"`
	Inspection Inspection `json:"inspection,omitzero"`
	Opinions   []Opinion  `json:"opinions,omitempty"`
	Decision   Decision   `json:"decision,omitzero"`
	// Redacted says that input, inspection or reasons are not what was decided,
	// because secrets were taken out.
	Redacted bool `json:"redacted,omitempty"`
	// Answer is the choice of the person, where one was asked, and Feedback
	// what they said.
	Answer   string `json:"answer,omitempty"`
	Feedback string `json:"feedback,omitempty"`
	// Kept are the rules that the answer added, and Unsaved why they hold for the
	// session only where the answer was for good.
	Kept    []string `json:"kept,omitempty"`
	Unsaved string   `json:"unsaved,omitempty"`
	// Digest stands for call and inspection; an outcome carries that of its
	// decision.
	Digest   string        `json:"digest,omitempty"`
	Duration time.Duration `json:"duration,omitempty"`
}

// Recorder keeps records. Record returns once the record is durable; those of a
// refusal and of an outcome, after which nothing runs, may become so with the
// next one. An error refuses the call, so that nothing runs that is not on
// record.
type Recorder interface {
	Record(ctx context.Context, r Record) error
}

// GateOptions configure a [Gate]. Zero: nobody is asked, so an Ask refuses.
type GateOptions struct {
	// Approver asks a person; nil refuses what asks.
	Approver Approver
	// Remember keeps the rules of an Always for later processes; nil makes of it
	// a ForSession, and so does a failure to save them, which [Grant.Unsaved], the
	// decision ([CodeUnsaved]) and the record tell. They count at once in the session that asked and in its
	// children; in other sessions of this gate after Swap.
	Remember Rememberer
	// Advisers have opinions on calls, each before a person is asked.
	Advisers []Adviser
	// Audit records each decision before the call runs; nil records nothing.
	Audit Recorder
	// AuditBestEffort lets calls run whose decision could not be recorded.
	AuditBestEffort bool
	// Redact removes secrets from what is shown and recorded. It is given
	// single strings.
	Redact func([]byte) []byte
	// Enforces says that the host runs confined calls inside a sandbox.
	Enforces bool
	// Provenance is what happens when a session that has read untrusted text
	// and sensitive data wants to send something. Zero asks.
	Provenance Provenance
	// Ledger remembers which files untrusted sessions wrote, and the text of
	// what was approved to run. Without one both end with the session, and
	// changes are shown without their text.
	Ledger Ledger
}

// Gate asks, remembers and records around an [Evaluator]. It is safe for
// concurrent use.
type Gate struct {
	current atomic.Pointer[generation]
	opts    GateOptions
	// unrecorded is set when a change of settings could not be recorded.
	unrecorded atomic.Pointer[error]
}

// generation is an evaluator and how many there were before it.
type generation struct {
	eval *Evaluator
	n    uint64
}

// NewGate returns a gate over the evaluator. A nil evaluator refuses every
// call.
func NewGate(eval *Evaluator, opts GateOptions) *Gate {
	g := &Gate{opts: opts}
	g.current.Store(&generation{eval: orNone(eval)})
	return g
}

// noRules inspects nothing.
type noRules struct{}

func (noRules) Inspect(context.Context, Call, Lookout) (Inspection, error) {
	return Inspection{}, errors.New("the gate has no evaluator")
}

func orNone(e *Evaluator) *Evaluator {
	if e == nil || e.policy == nil {
		return &Evaluator{policy: &Policy{}, inspector: noRules{}, interpreter: commonInterpreter}
	}
	return e
}

// Swap puts another evaluator in place, after settings were loaded again.
// Calls that are being decided are decided again before they are granted, and
// what a person is being asked is asked again.
func (g *Gate) Swap(eval *Evaluator) {
	for {
		old := g.current.Load()
		if g.current.CompareAndSwap(old, &generation{eval: orNone(eval), n: old.n + 1}) {
			break
		}
	}
	g.unrecorded.Store(nil)
	if err := g.Note(context.Background(), EventSettings, "Other settings are in force."); err != nil {
		g.unrecorded.Store(&err)
	}
}

// Note records an event that the host knows of: trust given to a workspace or
// a server, settings that were changed.
func (g *Gate) Note(ctx context.Context, event Event, text string) error {
	return g.record(ctx, Record{Event: event, Time: time.Now().UTC(), Text: g.redactText(text)})
}

func (g *Gate) record(ctx context.Context, r Record) error {
	if g.opts.Audit == nil {
		return nil
	}
	// A caller that went away does not take the record with it.
	err := g.opts.Audit.Record(context.WithoutCancel(ctx), r)
	if err != nil && !g.opts.AuditBestEffort {
		return fmt.Errorf("permission: it could not be recorded, so nothing runs: %w", err)
	}
	return nil
}

// SessionOptions configure a [Session].
type SessionOptions struct {
	// Dir is the absolute directory in which the session starts.
	Dir string
	// Mode overrides the mode of the settings.
	Mode *Mode
}

// Session is one run of an agent. It is safe for concurrent use.
type Session struct {
	gate   *Gate
	id     string
	parent *Session
	root   *Session
	dir    string

	mu      sync.Mutex
	mode    Mode
	modeSet bool
	labels  Labels
	strict  []Rule // what Restrict added
	waiting map[string]*pending
	cache   *Evaluator // for the rules below
	cacheOf cacheKey

	// Of the root session only, for all of its children.
	shared       sync.Mutex
	allow        []Rule
	version      uint64 // changes with allow and with any strict
	destinations map[string]bool
	contents     map[string]string
	inputs       map[string][]Input // what contents stand for
	all          map[*pending]bool  // requests of Authorize that wait
}

type cacheKey struct {
	eval    *Evaluator
	version uint64
}

// pending is a request that waits for a person.
type pending struct {
	req  Request // as it was decided, not redacted
	what string  // see approval
	st   State
	ops  []Opinion
	of   *Session
	stop context.CancelFunc // for Authorize
	done bool               // another answer settled it
}

// Session starts a session.
func (g *Gate) Session(o SessionOptions) *Session {
	s := &Session{gate: g, id: token(), dir: o.Dir, waiting: map[string]*pending{}, all: map[*pending]bool{}}
	s.root = s
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

// ID names the session in records.
func (s *Session) ID() string { return s.id }

// Mode returns the session's mode.
func (s *Session) Mode() Mode { return s.state().Mode }

// SetMode changes the mode. A child session refuses a mode that settles more
// than its parent's. What a person is being asked is asked again.
func (s *Session) SetMode(m Mode) error {
	if m > ModeBypass {
		return fmt.Errorf("permission: %s is not a mode", m)
	}
	if s.parent != nil && wider(m, s.parent.Mode()) {
		return fmt.Errorf("permission: a sub-agent cannot enter mode %s: its parent is in %s", m, s.parent.Mode())
	}
	err := s.gate.record(context.Background(), Record{Event: EventMode, Time: time.Now().UTC(), Session: s.id, Parent: s.parentID(), Text: m.String()})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode, s.modeSet = m, true
	return nil
}

func (s *Session) parentID() string {
	if s.parent == nil {
		return ""
	}
	return s.parent.id
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
// and session rules, and never more than the parent at any time. What a person
// answers for the session in a child holds for the whole session.
func (s *Session) Child(m *Mode) (*Session, error) {
	c := s.gate.Session(SessionOptions{Dir: s.dir})
	c.parent, c.root = s, s.root
	st := s.state()
	c.mode, c.modeSet, c.labels = st.Mode, true, st.Labels
	if m != nil {
		if err := c.SetMode(*m); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Restrict adds deny rules to the session and to its children, for a sub-agent
// that may do less than its parent. A rule that cannot be read is an error,
// and none is added.
func (s *Session) Restrict(deny ...string) error {
	rules, err := parseRules(s.gate.current.Load().eval.policy, s.dir, Deny, deny)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.strict = append(s.strict, rules...)
	s.mu.Unlock()
	s.root.shared.Lock()
	s.root.version++
	s.root.shared.Unlock()
	return nil
}

func parseRules(p *Policy, dir string, effect Verdict, texts []string) ([]Rule, error) {
	var rules []Rule
	for _, text := range texts {
		r, err := ParseRule(RuleRef{Effect: effect, Text: text, Layer: LayerSession}, p.home, dir)
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, nil
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

// Labels returns the labels of the session and of those that it was started by. A
// host that takes a session up again in another process keeps them and puts them
// on the new one: a new session knows of nothing that was read before.
func (s *Session) Labels() Labels { return s.state().Labels }

func (s *Session) state() State {
	s.mu.Lock()
	st := State{Mode: s.mode, Dir: s.dir, Labels: s.labels, Enforces: s.gate.opts.Enforces, Provenance: s.gate.opts.Provenance}
	set := s.modeSet
	s.mu.Unlock()
	if !set {
		st.Mode = s.gate.current.Load().eval.policy.DefaultMode()
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
	s.root.shared.Lock()
	st.Destinations, st.Contents = s.root.destinations, s.root.contents
	s.root.shared.Unlock()
	return st
}

// Classifier is an [Adviser] that judges calls in auto mode.
type Classifier interface {
	Adviser
	// Classifies marks the adviser as a classifier.
	Classifies()
}

// evaluator returns the evaluator with the session's own rules, and the
// generation that it is made of.
func (s *Session) evaluator() (*Evaluator, *generation) {
	g := s.gate.current.Load()
	s.root.shared.Lock()
	key := cacheKey{g.eval, s.root.version}
	allow := s.root.allow[:len(s.root.allow):len(s.root.allow)]
	s.root.shared.Unlock()
	s.mu.Lock()
	if s.cacheOf == key && s.cache != nil {
		defer s.mu.Unlock()
		return s.cache, g
	}
	s.mu.Unlock()
	var strict []Rule
	for t := s; t != nil; t = t.parent {
		t.mu.Lock()
		strict = append(strict, t.strict...)
		t.mu.Unlock()
	}
	e := g.eval
	if len(allow)+len(strict) > 0 {
		e = e.with(e.policy.withRules(Allow, allow).withRules(Deny, strict))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cache, s.cacheOf = e, key
	return e, g
}

// ruleVersion changes with the session's own rules, those of its parents among
// them.
func (s *Session) ruleVersion() uint64 {
	s.root.shared.Lock()
	defer s.root.shared.Unlock()
	return s.root.version
}

// maxRounds bounds how often a call is decided again because it changed while
// a person was asked.
const maxRounds = 3

// Authorize decides the call and, where that asks, waits for the Approver. It
// returns a Grant, or a [*RefusedError], or the context's error. After a wait
// the call is inspected again, and what changed asks again: the call, what it
// reaches, the reasons, the settings, the mode. When an answer to another call
// settles this one meanwhile, the Approver's context ends and the call is
// decided again.
func (s *Session) Authorize(ctx context.Context, call Call) (_ *Grant, err error) {
	run := round{start: time.Now()}
	defer func() { err = cmp.Or(s.left(ctx, &run), err) }()
	for asked := 0; ; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		g, p := s.decide(ctx, call, &run)
		if p == nil {
			g, again, err := s.conclude(ctx, g, &run)
			if again {
				continue
			}
			return g, err
		}
		if s.gate.opts.Approver == nil || asked >= maxRounds {
			g.decision.Reasons = append(g.decision.Reasons, Reason{Code: CodeMode, Verdict: Ask, Text: "No person was there to answer."})
			g, _, err := s.conclude(ctx, g, &run)
			return g, err
		}
		answer, settled, err := s.approve(ctx, p)
		if settled {
			continue
		}
		asked++
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			g.decision.Reasons = append(g.decision.Reasons, Reason{Code: CodeOpinion, Verdict: Ask, Text: "The person could not be asked: " + err.Error() + "."})
			g, _, err := s.conclude(ctx, g, &run)
			return g, err
		}
		if err := s.answer(ctx, g, p, answer, &run); err != nil {
			return nil, err
		}
		if g.decision.Verdict == Deny {
			g, _, err := s.conclude(ctx, g, &run)
			return g, err
		}
	}
}

// approve waits for the Approver; settled says that another answer made it
// superfluous.
func (s *Session) approve(ctx context.Context, p *pending) (a Answer, settled bool, err error) {
	ctx, p.stop = context.WithCancel(ctx)
	defer p.stop()
	root := s.root
	root.shared.Lock()
	root.all[p] = true
	root.shared.Unlock()
	defer func() { // also where the Approver panics
		root.shared.Lock()
		delete(root.all, p)
		root.shared.Unlock()
	}()
	a, err = s.gate.opts.Approver.Approve(ctx, s.gate.shown(p.req))
	root.shared.Lock()
	defer root.shared.Unlock()
	// What the person said counts where they said something.
	if p.done && (err != nil || a.Token != p.req.Token) {
		return Answer{}, true, nil
	}
	if err == nil && a.Token != p.req.Token {
		err = errors.New("the answer is for another request")
	}
	return a, false, err
}

// round is what a call carries from one decision to the next.
type round struct {
	start    time.Time
	approved *approval
	said     *Answer
	kept     []string
	unsaved  *UnsavedError
	recorded bool // kept is on record
}

// notSaved says why the rules of an answer were not saved, "" where they were.
func (r *round) notSaved() string {
	if r.unsaved == nil {
		return ""
	}
	return r.unsaved.Err.Error()
}

// left puts rules on record that were kept for a call of which nothing else is:
// the caller went away, or the call has to be asked about again.
func (s *Session) left(ctx context.Context, run *round) error {
	if run.kept == nil || run.recorded || s.gate.opts.Audit == nil {
		return nil
	}
	return s.gate.record(ctx, Record{Event: EventSettings, Time: time.Now().UTC(), Session: s.id, Parent: s.parentID(),
		Text: "A person's answer added rules.", Answer: run.said.Choice.String(), Kept: run.kept, Unsaved: s.gate.redactText(run.notSaved())})
}

// Check decides the call without asking. A nil Request is a final answer: a
// Grant or a [*RefusedError]. Otherwise the Request waits for [Session.Resolve].
func (s *Session) Check(ctx context.Context, call Call) (*Grant, *Request, error) {
	return s.check(ctx, call, &round{start: time.Now()})
}

func (s *Session) check(ctx context.Context, call Call, run *round) (*Grant, *Request, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		g, p := s.decide(ctx, call, run)
		if p == nil {
			g, again, err := s.conclude(ctx, g, run)
			if again {
				continue
			}
			return g, nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.waiting) >= maxWaiting {
			return nil, nil, fmt.Errorf("permission: %d requests are waiting: answer them first", maxWaiting)
		}
		s.waiting[p.req.Token] = p
		req := s.gate.shown(p.req)
		return nil, &req, nil
	}
}

// maxWaiting bounds the requests of Check that wait in one session.
const maxWaiting = 1000

// ErrStale is returned for an answer to a request that is not waiting: it was
// answered before, or was never made.
var ErrStale = errors.New("permission: no request is waiting for this answer")

// Resolve takes a person's answer to a Request of Check; the first answer
// counts. The call is inspected and decided again: where it changed, a new
// Request is returned.
func (s *Session) Resolve(ctx context.Context, a Answer) (_ *Grant, _ *Request, err error) {
	s.mu.Lock()
	p, ok := s.waiting[a.Token]
	delete(s.waiting, a.Token)
	s.mu.Unlock()
	if !ok {
		return nil, nil, ErrStale
	}
	run := round{start: time.Now()}
	defer func() { err = cmp.Or(s.left(ctx, &run), err) }()
	g := &Grant{call: p.req.Call, ins: p.req.Inspection, decision: p.req.Decision, state: p.st, opinions: p.ops, digest: digest(p.req.Call, p.req.Inspection)}
	if err := s.answer(ctx, g, p, a, &run); err != nil {
		return nil, nil, err
	}
	if g.decision.Verdict == Deny {
		g, _, err := s.conclude(ctx, g, &run)
		return g, nil, err
	}
	return s.check(ctx, p.req.Call, &run)
}

// Waiting returns the requests of Check that wait for an answer in this
// session, without those that another answer has settled meanwhile: to these,
// Check gives a final answer now.
func (s *Session) Waiting() []Request {
	s.mu.Lock()
	var list []*pending
	for _, p := range s.waiting {
		list = append(list, p)
	}
	s.mu.Unlock()
	var out []Request
	for _, p := range list {
		if !s.covered(p) {
			out = append(out, s.gate.shown(p.req))
		}
	}
	slices.SortFunc(out, func(a, b Request) int { return strings.Compare(a.Token, b.Token) })
	return out
}

// covered says whether the rules of now settle a request.
func (s *Session) covered(p *pending) bool {
	e, _ := p.of.evaluator()
	return e.Decide(p.of.state(), p.req.Call, p.req.Inspection, p.ops...).Verdict == Allow
}

// answer applies a person's answer: a refusal turns the decision of g, an
// approval is remembered in run, and what is to be kept is kept.
func (s *Session) answer(ctx context.Context, g *Grant, p *pending, a Answer, run *round) error {
	run.said = &a
	switch a.Choice {
	case Once, ForSession, Always:
	default:
		g.decision.Verdict = Deny
		g.decision.Reasons = append([]Reason{{Code: CodeOpinion, Verdict: Deny, Text: "The user refused it."}}, g.decision.Reasons...)
		return nil
	}
	if err := s.keep(ctx, a, p, run); err != nil {
		return err
	}
	run.approved = &approval{what: p.what, reasons: map[string]bool{}}
	for i := range p.req.Decision.Reasons {
		run.approved.reasons[p.req.Decision.Reasons[i].key()] = true
	}
	return nil
}

// approval is what a person said yes to: a call with what it reaches, under these
// rules and in this mode, for these reasons.
type approval struct {
	what    string
	reasons map[string]bool
}

// covers says whether the approval is for a decision: there is nothing to ask about
// that was not asked. The rules of the answer may have settled a part of it.
func (a *approval) covers(what string, d *Decision) bool {
	if a == nil || a.what != what {
		return false
	}
	for i := range d.Reasons {
		if r := &d.Reasons[i]; r.Verdict != Allow && !a.reasons[r.key()] {
			return false
		}
	}
	return true
}

func (r *Reason) key() string { return fmt.Sprintf("%s\x00%d\x00%s", r.Code, r.Action, r.Text) }

// decide runs one round. What a person said yes to counts only while
// everything that it was made of is the same.
func (s *Session) decide(ctx context.Context, call Call, run *round) (*Grant, *pending) {
	if call.Dir == "" {
		call.Dir = s.dir
	}
	version := s.ruleVersion()
	e, gen := s.evaluator()
	st := s.state()
	// An inspection that failed asks, and says why.
	ins, _ := e.Inspect(ctx, st, call)
	st = s.known(ctx, st, &ins)
	g := &Grant{call: call, ins: ins, digest: digest(call, ins), gen: gen, version: version, eval: e, state: st}
	g.opinions = s.advise(ctx, e, st, call, ins)
	g.decision = e.Decide(st, call, ins, g.opinions...)
	if g.decision.Verdict != Ask {
		return g, nil
	}
	h := sha256.New()
	fmt.Fprintf(h, "clearance/request/v2 %s %d %s %s", g.digest, gen.n, s.id, st.Mode)
	what := hex.EncodeToString(h.Sum(nil))
	if run.approved.covers(what, &g.decision) {
		all := append(slices.Clip(g.opinions), Opinion{From: FromPerson, Verdict: Allow})
		if d := e.Decide(st, call, ins, all...); d.Verdict != Ask {
			s.sends(e, g, run)
			g.decision, g.opinions = d, all
			return g, nil
		}
	}
	for i := range g.decision.Reasons {
		fmt.Fprintf(h, "\x00%s", g.decision.Reasons[i].key())
	}
	p := &pending{what: what, st: st, ops: g.opinions, of: s}
	p.req = Request{Token: hex.EncodeToString(h.Sum(nil)) + "." + token(), Call: call, Inspection: ins, Decision: g.decision, Suggestions: e.suggest(st, call, ins, g.opinions),
		Changes: s.changes(ctx, &ins, &g.decision)}
	return g, p
}

// advise asks the advisers. Classifiers are asked in auto mode, and only about
// what is left to ask.
func (s *Session) advise(ctx context.Context, e *Evaluator, st State, call Call, ins Inspection) []Opinion {
	var opinions []Opinion
	for _, a := range s.gate.opts.Advisers {
		if _, ok := a.(Classifier); ok {
			continue
		}
		o, err := a.Advise(ctx, st, call, ins)
		if err != nil {
			o = Opinion{From: o.From, Verdict: Ask, Reason: "failed: " + err.Error()}
		}
		if o.From == FromPerson && o.Verdict == Allow {
			o.From = FromHook // persons answer requests
		}
		opinions = append(opinions, o)
	}
	if e.policy.effective(st) != ModeAuto {
		return opinions
	}
	for _, a := range s.gate.opts.Advisers {
		if _, ok := a.(Classifier); !ok {
			continue
		}
		d := e.Decide(st, call, ins, opinions...)
		if d.Verdict != Ask || d.Asked&ByClassifier == 0 {
			break
		}
		// A classifier that fails has no opinion: a person is asked.
		if o, err := a.Advise(ctx, st, call, ins); err == nil {
			o.From = FromClassifier
			opinions = append(opinions, o)
		}
	}
	return opinions
}

// sends notes the destinations that an approved call may send to: a host is
// answered once for the session, everything else for a session answer.
func (s *Session) sends(e *Evaluator, g *Grant, run *round) {
	d := decider{p: e.policy, st: g.state, call: g.call, ins: g.ins}
	d.confine()
	var to []string
	for _, r := range g.decision.Reasons {
		if r.Code != CodeSend || r.Action == 0 {
			continue
		}
		name := d.destination(r.Action - 1)
		if strings.Contains(name, DynamicWord) {
			continue // it may be another one each time
		}
		if strings.HasPrefix(name, toHost) && name != toHost || run.said.Choice != Once && name != toHost {
			to = append(to, name)
		}
	}
	if to == nil {
		return
	}
	s.root.shared.Lock()
	defer s.root.shared.Unlock()
	next := maps.Clone(s.root.destinations)
	if next == nil {
		next = map[string]bool{}
	}
	for _, name := range to {
		next[name] = true
	}
	s.root.destinations = next
}

// keep adds the rules that an answer wants kept, and wakes the requests that
// they settle.
func (s *Session) keep(ctx context.Context, a Answer, p *pending, run *round) error {
	if a.Choice != ForSession && a.Choice != Always {
		return nil
	}
	texts, shown := a.Rules, s.gate.shown(p.req).Suggestions
	if texts == nil {
		texts = shown
	}
	for _, r := range texts {
		if !slices.Contains(shown, r) {
			return fmt.Errorf("permission: %q was not among the suggested rules", r)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	rules, err := parseRules(s.gate.current.Load().eval.policy, s.dir, Allow, texts)
	if err != nil {
		return err
	}
	saved := false
	if a.Choice == Always && s.gate.opts.Remember != nil {
		layer := a.Layer
		if layer == LayerUnknown {
			layer = LayerLocal
		}
		if err := s.gate.opts.Remember.Remember(ctx, layer, texts); err != nil {
			run.unsaved = &UnsavedError{Layer: layer, Rules: slices.Clone(texts), Err: err}
		}
		saved = run.unsaved == nil
	}
	if !saved {
		for i := range rules {
			rules[i].bind(&p.req.Inspection)
		}
	}
	run.kept = texts
	root := s.root
	root.shared.Lock()
	root.allow = append(root.allow[:len(root.allow):len(root.allow)], rules...)
	root.version++
	var others []*pending
	for o := range root.all {
		if o != p {
			others = append(others, o)
		}
	}
	root.shared.Unlock()
	for _, o := range others {
		if s.covered(o) {
			root.shared.Lock()
			o.done = true
			root.shared.Unlock()
			o.stop()
		}
	}
	return nil
}

// conclude records the decision and turns it into a grant or a refusal. again
// says that the rules, the mode or the labels changed under an Allow, which
// is then not given.
func (s *Session) conclude(ctx context.Context, g *Grant, run *round) (_ *Grant, again bool, err error) {
	if run.unsaved != nil {
		g.decision.Reasons = append(g.decision.Reasons, Reason{Code: CodeUnsaved, Verdict: Allow,
			Text: fmt.Sprintf("The rules could not be saved to the %s settings, so they hold for this session only: %v.", run.unsaved.Layer, run.unsaved.Err)})
		g.unsaved = run.unsaved
	}
	if g.decision.Verdict == Allow {
		if now := s.state(); s.gate.current.Load() != g.gen || s.ruleVersion() != g.version || now.Mode != g.state.Mode || now.Labels != g.state.Labels {
			return nil, true, nil
		}
		if err := s.wrote(ctx, g, false); err != nil {
			return nil, false, err
		}
	}
	if broken := s.gate.unrecorded.Load(); broken != nil {
		return nil, false, *broken
	}
	if s.gate.opts.Audit != nil {
		rec := Record{
			Event: EventDecision, Time: run.start.UTC(), Session: s.id, Parent: s.parentID(), Tool: g.call.Tool, Dir: g.call.Dir,
			Digest: g.digest, Duration: time.Since(run.start), Kept: run.kept, Unsaved: s.gate.redactText(run.notSaved()),
		}
		shown := s.gate.shown(Request{Call: g.call, Inspection: g.ins, Decision: g.decision})
		rec.Input, rec.Inspection, rec.Decision, rec.Dir = shown.Call.Input, shown.Inspection, shown.Decision, shown.Call.Dir
		rec.Redacted = shown.Redacted
		rec.State, rec.Opinions = s.gate.shownState(g.state), slices.Clone(g.opinions)
		for i := range rec.Opinions {
			rec.Opinions[i].Reason = s.gate.redactText(rec.Opinions[i].Reason)
		}
		if run.said != nil {
			rec.Answer, rec.Feedback = run.said.Choice.String(), s.gate.redactText(run.said.Feedback)
		}
		if err := s.gate.record(ctx, rec); err != nil {
			return nil, false, err
		}
		run.recorded = true
	}
	if g.decision.Verdict != Allow {
		// The model reads it. What a hook or an approver said when it failed may
		// hold what they know.
		e := &RefusedError{Call: g.call, Decision: s.gate.shown(Request{Decision: g.decision}).Decision, Unsaved: run.unsaved}
		if run.said != nil {
			e.Feedback = run.said.Feedback
		}
		return nil, false, e
	}
	s.Label(g.ins.Brings)
	s.ran(ctx, g)
	g.since = time.Now()
	return g, false, nil
}

// ran notes the content of the workspace programs that a granted call runs.
func (s *Session) ran(ctx context.Context, g *Grant) {
	root := s.root
	for i := range g.ins.Actions {
		c := g.ins.Actions[i].command()
		if c.Digest() == "" {
			continue
		}
		key := contentKey(c)
		root.shared.Lock()
		same := root.contents[key] == c.Digest()
		if !same {
			// What a state holds is never changed.
			contents, inputs := maps.Clone(root.contents), maps.Clone(root.inputs)
			if contents == nil {
				contents, inputs = map[string]string{}, map[string][]Input{}
			}
			contents[key], inputs[key] = c.Digest(), c.Inputs()
			root.contents, root.inputs = contents, inputs
		}
		root.shared.Unlock()
		if l := s.gate.opts.Ledger; l != nil && !same {
			l.Approved(context.WithoutCancel(ctx), key, c.Digest(), c.Inputs())
		}
	}
}

// Outcome records what came of a granted call, in a few words. labels are what
// its result puts on the session, beyond what the inspection foretold: see
// [Session.LabelsOf].
func (s *Session) Outcome(ctx context.Context, g *Grant, text string, labels Labels) error {
	s.Label(labels)
	if err := s.wrote(ctx, g, true); err != nil {
		return err
	}
	return s.gate.record(ctx, Record{Event: EventOutcome, Time: time.Now().UTC(), Session: s.id, Parent: s.parentID(),
		Tool: g.Call().Tool, Digest: g.Digest(), Text: s.gate.redactText(text)})
}

// LabelsOf returns what the output of a call would put on the session: sensitive
// where Redact finds a secret in it, known or only shaped like one. The host
// passes it to Outcome with what it knows itself, a credential that it used.
func (s *Session) LabelsOf(output []byte) Labels {
	redact := s.gate.opts.Redact
	if redact == nil || bytes.Equal(redact(bytes.Clone(output)), output) {
		return 0
	}
	return SensitiveData
}

// Offers says whether the model should be shown the tool: false where a deny
// rule refuses every call of it.
func (s *Session) Offers(tool string) bool {
	e, _ := s.evaluator()
	fam := family(tool)
	offered := true
	for _, t := range e.policy.strict {
		t.eachTool(tool, fam, func(i int32) {
			if r := &t.rules[i]; r.ref.Effect == Deny && r.kind == ruleBare && r.matchTool(tool, fam, nil) {
				offered = false
			}
		})
	}
	return offered
}
