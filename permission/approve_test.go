package permission_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	. "github.com/clearance-go/clearance/permission"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// unsaving remembers nothing.
type unsaving struct{ err error }

func (u unsaving) Remember(context.Context, Layer, []string) error { return u.err }

// TestKeptRulesAreOnRecord: whatever becomes of the call, rules that an answer
// added stand in the log once, with why they could not be saved.
func TestKeptRulesAreOnRecord(t *testing.T) {
	const secret = "hunter2hunter2"
	redact := func(b []byte) []byte {
		if string(b) == "token "+secret {
			return []byte("[redacted]")
		}
		return b
	}
	ctx := context.Background()
	kept := func(m *memory) (out []Record) {
		for _, r := range m.records {
			if len(r.Kept) > 0 {
				out = append(out, r)
			}
		}
		return out
	}
	for name, fail := range map[string]error{"saved": nil, "unsaved": errors.New("token " + secret)} {
		// The caller goes away while the answer is given.
		m, f := &memory{}, &tool{}
		o := GateOptions{Audit: m, Remember: unsaving{fail}, Redact: redact}
		gone, cancel := context.WithCancel(ctx)
		withPerson := o
		withPerson.Approver = person(func(_ context.Context, r Request) (Answer, error) {
			cancel()
			return Answer{Token: r.Token, Choice: Always}, nil
		})
		_, err := NewGate(eval(t, f, `{}`), withPerson).Session(SessionOptions{Dir: proj}).Authorize(gone, bash("foo"))
		require.ErrorIs(t, err, context.Canceled)
		require.Len(t, kept(m), 1, name)
		require.Equal(t, EventSettings, kept(m)[0].Event)
		require.Equal(t, []string{"Bash(foo)"}, kept(m)[0].Kept)
		if fail != nil {
			require.Equal(t, "[redacted]", kept(m)[0].Unsaved)
		}
		// The call changed, so that it is asked about again.
		m = &memory{}
		o.Audit = m
		s := NewGate(eval(t, f, `{}`), o).Session(SessionOptions{Dir: proj})
		_, req, err := s.Check(ctx, bash("foo"))
		require.NoError(t, err)
		f.set("foo", shell(command("foo"), file(Write, "/etc/x", Outside, Ordinary)))
		g, next, err := s.Resolve(ctx, Answer{Token: req.Token, Choice: Always})
		require.NoError(t, err)
		require.Nil(t, g)
		require.NotNil(t, next)
		require.Len(t, kept(m), 1, name)
		// Not twice.
		_, _, err = s.Resolve(ctx, Answer{Token: next.Token, Choice: No})
		refused(t, err)
		require.Len(t, kept(m), 1, name)
		f.set("foo", shell(command("foo")))
		// Refused in the end: the person is told all the same.
		m = &memory{}
		o.Audit = m
		n := 0
		o.Approver = person(func(_ context.Context, r Request) (Answer, error) {
			if n++; n == 1 {
				f.set("foo", shell(command("foo"), file(Write, "/etc/x", Outside, Ordinary)))
				return Answer{Token: r.Token, Choice: Always}, nil
			}
			return Answer{Token: r.Token, Choice: No}, nil
		})
		_, err = NewGate(eval(t, f, `{}`), o).Session(SessionOptions{Dir: proj}).Authorize(ctx, bash("foo"))
		e := refused(t, err)
		require.Equal(t, fail != nil, e.Unsaved != nil)
		require.NotContains(t, e.Error(), secret)
		require.Len(t, m.records, 1)
		require.Equal(t, fail != nil, m.records[0].Unsaved != "")
		f.set("foo", shell(command("foo")))
	}
}

// TestSessionRuleIsForWhatWasThere: a yes for the session to a script is for its
// content, also where there was none yet, and where it is swapped for one that is
// not read at all.
func TestSessionRuleIsForWhatWasThere(t *testing.T) {
	ctx := context.Background()
	script := func(text, digest string) Action {
		a := command(text)
		a.Command.Describe(CommandDetails{Digest: digest})
		return a
	}
	for name, c := range map[string]struct {
		then, now Inspection
		asks      bool
	}{
		"the same":              {shell(script("./x", "a")), shell(script("./x", "a")), false},
		"another content":       {shell(script("./x", "a")), shell(script("./x", "b")), true},
		"written later":         {shell(script("./x", "")), shell(script("./x", "b")), true},
		"nothing to read":       {shell(script("./x", "a")), shell(script("./x", "")), true},
		"the one of another":    {shell(script("./x", "a"), script("./y", "b")), shell(script("./x", "b"), script("./y", "a")), true},
		"both as they were":     {shell(script("./x", "a"), script("./y", "b")), shell(script("./y", "b"), script("./x", "a")), false},
		"no file beside a file": {shell(script("./x", "a"), script("foo", "")), shell(script("./x", ""), script("foo", "")), true},
	} {
		f, asked := &tool{}, 0
		s := NewGate(eval(t, f, `{}`), GateOptions{Approver: person(func(_ context.Context, r Request) (Answer, error) {
			asked++
			return Answer{Token: r.Token, Choice: ForSession}, nil
		})}).Session(SessionOptions{Dir: proj})
		f.set("c", c.then)
		_, err := s.Authorize(ctx, bash("c"))
		require.NoError(t, err, name)
		require.Equal(t, 1, asked, name)
		f.set("c", c.now)
		_, err = s.Authorize(ctx, bash("c"))
		require.NoError(t, err, name)
		assert.Equal(t, c.asks, asked == 2, name)
	}
}

// TestWhatCannotBeInspected: the model and the person are told what failed and
// what to do, once, and nothing that only confuses.
func TestWhatCannotBeInspected(t *testing.T) {
	ctx := context.Background()
	for text, c := range map[string]struct{ mode Mode }{`{"permissions":{"allow":["Bash"]}}`: {ModeDefault}, `{}`: {ModeDontAsk}, `{"permissions":{"deny":["Read(x)"]}}`: {ModeBypass}} {
		f := &tool{err: errors.New("the input has two fields named command")}
		var asked Request
		s := NewGate(eval(t, f, text), GateOptions{Approver: person(func(_ context.Context, r Request) (Answer, error) {
			asked = r
			return Answer{}, errors.New("gone")
		})}).Session(SessionOptions{Dir: proj, Mode: &c.mode})
		_, err := s.Authorize(ctx, bash("ls"))
		e := refused(t, err)
		assert.Contains(t, e.Error(), "could not be inspected: the input has two fields named command.", text)
		assert.Contains(t, e.Error(), "Correct the call and send it again", text)
		assert.NotContains(t, e.Error(), "does this", text)
		if c.mode != ModeDontAsk {
			assert.Contains(t, asked.Prompt(), "Correct the call and send it again")
		}
		_, err = NewGate(eval(t, f, text), GateOptions{}).Session(SessionOptions{Dir: proj}).Authorize(ctx, bash("ls"))
		if text == `{"permissions":{"allow":["Bash"]}}` {
			assert.NotContains(t, err.Error(), "Do not try", "sending it again corrected is what it should do")
		}
	}
	// A refusal by a person is one, whatever else stands beside it.
	s := NewGate(eval(t, &tool{err: errors.New("x")}, `{}`), GateOptions{Approver: says(No)}).Session(SessionOptions{Dir: proj})
	_, err := s.Authorize(ctx, bash("ls"))
	assert.Contains(t, err.Error(), "Do not try")
}

// TestTextIsSafeToPrint: what a terminal would act on does not reach it through
// the text of a decision or of a refusal. The control is the reason as it came.
func TestTextIsSafeToPrint(t *testing.T) {
	for _, odd := range []string{"\x1b[2J\x1b[H", "\r", "\x07", "\u202e", "\u200b", "\x9b31m", "\xff", "\n  Risk: low", "\x00", "\u2066", "\x1b]0;x\x07", "\b\b", "\u2028", "\x7f"} {
		ins := shell(file(Write, "/etc/"+odd+"x", Outside, Ordinary))
		f := &tool{}
		f.set("c", ins)
		s := NewGate(eval(t, f, `{}`), GateOptions{}).Session(SessionOptions{Dir: proj})
		c := bash("c")
		_, err := s.Authorize(context.Background(), c)
		e := refused(t, err)
		raw := ""
		for _, r := range e.Decision.Reasons {
			raw += r.Text
		}
		require.Contains(t, raw, odd, "the control")
		c.Tool = "T" + odd
		_, err = s.Authorize(context.Background(), c)
		for _, text := range []string{e.Decision.Text(), e.Error(), err.Error()} {
			assert.NotContains(t, text, odd, "%q", odd)
			for _, r := range text {
				assert.True(t, r >= ' ' && r != 0x7f && !(r >= 0x80 && r < 0xa0), "%q in %q", r, text)
			}
		}
	}
}

// advises says what it was made with.
type advises struct{ o Opinion }

func (a advises) Advise(context.Context, State, Call, Inspection) (Opinion, error) { return a.o, nil }

// TestAdviserIsNoPerson: only an answer to a request is a person's.
func TestAdviserIsNoPerson(t *testing.T) {
	o := Opinion{From: FromPerson, Verdict: Allow}
	e := eval(t, &tool{}, `{"permissions":{"ask":["Bash(foo)"]}}`)
	st := State{Dir: proj}
	ins, err := e.Inspect(context.Background(), st, bash("foo"))
	require.NoError(t, err)
	require.Equal(t, Allow, e.Decide(st, bash("foo"), ins, o).Verdict, "the control: as a person's it would settle the ask rule")
	_, err = NewGate(e, GateOptions{Advisers: []Adviser{advises{o}}}).Session(SessionOptions{Dir: proj}).Authorize(context.Background(), bash("foo"))
	require.Equal(t, Ask, refused(t, err).Decision.Verdict)
	o.Verdict = Deny
	_, err = NewGate(e, GateOptions{Advisers: []Adviser{advises{o}}}).Session(SessionOptions{Dir: proj}).Authorize(context.Background(), bash("foo"))
	require.Equal(t, Deny, refused(t, err).Decision.Verdict)
}

// TestSettledDestinations: one answer settles the host that was asked about and
// no other: not a part of its name, not its address, not another program of the
// same text. Ports and schemes are the same host, as in rules.
func TestSettledDestinations(t *testing.T) {
	ctx := context.Background()
	host := func(host string, port uint16) Inspection {
		return Inspection{Family: "WebFetch", Brings: Untrusted, Actions: []Action{{Kind: Connect, Origin: Tool, Host: host, Port: port}}}
	}
	in := func(text, dir string) Inspection {
		a := command(text)
		a.Command.Dir = dir
		return shell(a)
	}
	dynamic := shell(Action{Kind: Run, Origin: Tool, Command: &Command{Deny: []string{"deploy " + DynamicWord}, Dynamic: true}})
	for _, c := range []struct {
		then, now Inspection
		settled   bool
	}{
		{host("a.org", 443), host("a.org", 443), true},
		{host("a.org", 443), host("a.org", 8080), true},
		{host("a.org", 0), host("www.a.org", 0), false},
		{host("www.a.org", 0), host("a.org", 0), false},
		{host("a.org", 0), host("a.org.evil.example", 0), false},
		{host("localhost", 3000), host("127.0.0.1", 3000), false},
		{host("127.0.0.1", 0), host("127.0.0.2", 0), false},
		{host("", 0), host("", 0), false},
		{host("", 0), host("a.org", 0), false},
		{in("./deploy", proj), in("./deploy", proj), true},
		{in("./deploy", proj), in("./deploy", "/tmp"), false},
		{in("./deploy", proj), in("./deploy x", proj), false},
		{dynamic, dynamic, false},
	} {
		f, sends := &tool{}, 0
		s := NewGate(eval(t, f, `{"permissions":{"allow":["WebFetch","Bash"]}}`), GateOptions{Approver: person(func(_ context.Context, r Request) (Answer, error) {
			for _, reason := range r.Decision.Reasons {
				if reason.Code == CodeSend {
					sends++
				}
			}
			return Answer{Token: r.Token, Choice: ForSession}, nil
		})}).Session(SessionOptions{Dir: proj})
		s.Label(Untrusted | SensitiveData)
		f.set("c", c.then)
		_, err := s.Authorize(ctx, bash("c"))
		require.NoError(t, err)
		require.Equal(t, 1, sends, "%+v", c.then.Actions)
		f.set("c", c.now)
		_, err = s.Authorize(ctx, bash("c"))
		require.NoError(t, err)
		assert.Equal(t, c.settled, sends == 1, "%+v then %+v", c.then.Actions[0], c.now.Actions[0])
	}
}

// TestTokensAreForOneRequest: a token answers one request of one session of one
// gate once, whoever asks first.
func TestTokensAreForOneRequest(t *testing.T) {
	ctx := context.Background()
	gate := func() *Gate { return NewGate(eval(t, &tool{}, `{}`), GateOptions{}) }
	g := gate()
	s := g.Session(SessionOptions{Dir: proj})
	child, err := s.Child(nil)
	require.NoError(t, err)
	_, req, err := s.Check(ctx, bash("foo"))
	require.NoError(t, err)
	_, twin, err := s.Check(ctx, bash("foo"))
	require.NoError(t, err)
	require.NotEqual(t, req.Token, twin.Token, "two requests for the same call")
	what, random, ok := strings.Cut(req.Token, ".")
	require.True(t, ok)
	require.GreaterOrEqual(t, len(random), 32, "128 bits that nobody can guess")
	stale := func(s *Session, token string) {
		t.Helper()
		grant, next, err := s.Resolve(ctx, Answer{Token: token, Choice: Once})
		require.ErrorIs(t, err, ErrStale)
		require.Nil(t, grant)
		require.Nil(t, next)
	}
	stale(child, req.Token)
	stale(g.Session(SessionOptions{Dir: proj}), req.Token)
	stale(gate().Session(SessionOptions{Dir: proj}), req.Token)
	for _, token := range []string{"", what, what + ".", random, "." + random, req.Token + " ", strings.ToUpper(req.Token), what + "." + strings.Repeat("0", 32)} {
		stale(s, token)
	}
	// Many at once: one of them counts.
	var granted, late atomic.Int32
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			grant, _, err := s.Resolve(ctx, Answer{Token: req.Token, Choice: []Choice{No, Once}[i%2]})
			switch {
			case errors.Is(err, ErrStale):
				late.Add(1)
			case grant != nil || err != nil:
				granted.Add(1)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, granted.Load())
	require.EqualValues(t, 49, late.Load())
	// The other request still waits, and a yes to it is not a yes to a third.
	require.Len(t, s.Waiting(), 1)
	grant, _, err := s.Resolve(ctx, Answer{Token: twin.Token, Choice: Once})
	require.NoError(t, err)
	require.Equal(t, Allow, grant.Decision().Verdict)
	_, again, err := s.Check(ctx, bash("foo"))
	require.NoError(t, err)
	require.NotNil(t, again, "once is once")
	// Rules that were not offered are not kept.
	_, _, err = s.Resolve(ctx, Answer{Token: again.Token, Choice: Always, Rules: []string{"Bash"}})
	require.ErrorContains(t, err, "not among the suggested rules")
	_, again, err = s.Check(ctx, bash("foo"))
	require.NoError(t, err)
	require.NotNil(t, again)
}

// TestYesIsForThatCall: an answer is for this tool, this input byte for byte, this
// directory and this session, not for what looks like it.
func TestYesIsForThatCall(t *testing.T) {
	ctx := context.Background()
	var sOther *Session
	for name, other := range map[string]func(s *Session) (*Session, Call){
		"another tool":              func(s *Session) (*Session, Call) { c := bash("foo"); c.Tool = "Monitor"; return s, c },
		"a name in other case":      func(s *Session) (*Session, Call) { c := bash("foo"); c.Tool = "bash"; return s, c },
		"another directory":         func(s *Session) (*Session, Call) { c := bash("foo"); c.Dir = "/tmp"; return s, c },
		"another text":              func(s *Session) (*Session, Call) { return s, bash("foo ") },
		"the same, once more":       func(s *Session) (*Session, Call) { return s, bash("foo") },
		"the same in a child":       func(s *Session) (*Session, Call) { c, _ := s.Child(nil); return c, bash("foo") },
		"the same in its parent":    func(s *Session) (*Session, Call) { c, _ := s.Child(nil); _ = c; return s, bash("foo") },
		"spelled with an escape":    func(s *Session) (*Session, Call) { c := bash("foo"); c.Input = []byte(`"fo\u006f"`); return s, c },
		"in another session":        func(s *Session) (*Session, Call) { return sOther, bash("foo") },
		"with another ID, replayed": func(s *Session) (*Session, Call) { c := bash("foo"); c.ID = "2"; return s, c },
	} {
		asked := 0
		g := NewGate(eval(t, &tool{}, `{}`), GateOptions{Approver: person(func(_ context.Context, r Request) (Answer, error) {
			asked++
			return Answer{Token: r.Token, Choice: Once}, nil
		})})
		s := g.Session(SessionOptions{Dir: proj})
		sOther = g.Session(SessionOptions{Dir: proj})
		_, err := s.Authorize(ctx, bash("foo"))
		require.NoError(t, err)
		next, c := other(s)
		_, err = next.Authorize(ctx, c)
		require.NoError(t, err)
		assert.Equal(t, 2, asked, name)
	}
}
