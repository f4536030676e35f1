package permission_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	. "github.com/clearance-go/clearance/permission"
	"github.com/stretchr/testify/require"
)

// noInspector is for tests that decide inspections made by hand.
type noInspector struct{}

func (noInspector) Inspect(context.Context, Call, Lookout) (Inspection, error) {
	return Inspection{}, errors.New("not used")
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }
func chance(r *rand.Rand, n int) bool       { return r.IntN(n) == 0 }

var (
	someCommands = []string{"ls", "ls -la", "git status", "git push origin main", "git push", "npm test", "npm test x", "python x.py", "rm x", "rm -rf build",
		"timeout 5 npm test", "xargs -n1 rm", "echo a", "./run.sh", "curl https://a.example.com/x", "git -c a=b push main", "find . -name *.o -delete"}
	someTexts  = append([]string{"\x00", "git \x00", "rm \x00", "\x00 -rf", "npm \x00 x", "git push\x00"}, someCommands...)
	allowSpecs = []string{"Bash", "Bash(ls *)", "Bash(ls)", "Bash(git *)", "Bash(git push:*)", "Bash(git push)", "Bash(npm test *)", "Bash(npm*)", "Bash(python *)", "Bash(python*)",
		"Bash(* main)", "Bash(git * main)", "Bash(*)", "Bash(rm x)", "Bash(timeout *)", "Bash(timeout 5 npm test)", "Bash(xargs *)", "Bash(xargs -n1 rm)", "Bash(./run.sh)", "Bash(find . -name *.o -delete)", "Bash(curl *)",
		"Monitor", "Monitor(ls *)", "Read", "Read(src/**)", "Read(/src/**)", "Read(//etc/**)", "Read(~/x)", "Read(.env)", "Read(*.pem)", "Read(//**)", "Edit", "Edit(src/**)", "Edit(/src/*)", "Edit(docs/)", "Edit(/src/?)",
		"Edit(//etc/**)", "Edit(~/**)", "Edit(./a.go)", "Write", "WebFetch", "WebFetch(domain:a.example.com)", "WebFetch(domain:*.example.com)", "WebFetch(domain:*)", "WebFetch(domain:169.254.169.254)", "WebFetch(domain:*.internal)", "WebFetch(domain:a.*)", "WebSearch",
		"Agent", "Agent(helper)", "Skill(doc *)", "Skill", "mcp__s", "mcp__s__*", "mcp__s__t", "mcp__s__get_*", "mcp__s__a__*", "mcp__z", "mcp__z__*", "mcp__z__y__*", "mcp__z__y", "mcp__q", "mcp__q__a__*", "mcp__s__a__c", "PowerShell", "Other"}
	strictSpecs = append([]string{"*", "mcp__*", "B*", "Bash(rm *)", "Bash(* push)", "Bash(git push*)", "Bash(*main)", "Bash(run_in_background:true)", "Bash(run_in_background:true)",
		"Read([a)", "Bash(:*)", "WebFetch(x)", "Edit(../x)", "mcp__s__a", "Grep", "Edit(.env)", "Read(secrets/**)", "Read(/build/)", "Read(**/x/y)", "Edit(//home/U/proj/SRC/**)", "Read(a*)"}, allowSpecs...)
	someTools = []string{"Bash", "Bash", "Bash", "Monitor", "Read", "Grep", "Edit", "Write", "WebFetch", "WebSearch", "Agent", "Skill", "mcp__s__t", "mcp__s__get_x", "mcp__s__a__b", "mcp__s__a__c__t", "mcp__z__t", "mcp__z__y__t", "mcp__q__a__b", "PowerShell", "Other"}
	somePaths = []string{"/home/u/proj/src/a.go", "/home/u/proj/src", "/home/u/proj/a.go", "/home/u/proj/.env", "/home/u/proj/src/deep/.env", "/etc/passwd", "/home/u/x", "/home/u/proj/docs/b",
		"/home/u/proj/Secrets/k.pem", "/home/u/proj/src/x/y", "/home/u/proj/build", "/home/u/proj/build/o", "/", "/home/u/proj", "/home/u", "/home/u/proj/sub/src/q", "/home/u/proj/src/a"}
	someHosts = []string{"a.example.com", "example.com", "x.y.example.com", "evil.com", "", "a.org", "169.254.169.254", "metadata.google.internal"}
)

func randomWorld(r *rand.Rand) *slowWorld {
	w := &slowWorld{home: "/home/u", base: "/home/u/proj", autoAllow: !chance(r, 4), allowUnsandboxed: !chance(r, 4)}
	for range r.IntN(4) {
		w.rules = append(w.rules, slowRule{Allow, pick(r, allowSpecs...)})
	}
	if chance(r, 2) {
		for range r.IntN(3) {
			w.rules = append(w.rules, slowRule{pick(r, Deny, Ask), pick(r, strictSpecs...)})
		}
	}
	w.sandbox = chance(r, 5)
	if chance(r, 8) {
		w.excluded = []string{pick(r, "git *", "npm test", "docker *")}
	}
	if chance(r, 4) {
		w.domains = []string{pick(r, "a.example.com", "*.example.com", "a.org:443", "*")}
	}
	if chance(r, 6) {
		w.notDomains = []string{pick(r, "evil.com", "*.example.com", "a.org:80", "*")}
	}
	w.strictDomains = chance(r, 6)
	w.disableBypass, w.disableAuto, w.denyInstead = chance(r, 12), chance(r, 12), chance(r, 20)
	w.blockReads, w.blockWrites = chance(r, 12), chance(r, 12)
	return w
}

func randomPath(r *rand.Rand) Path {
	p := Path{Extent: pick(r, Exact, Exact, Exact, Exact, Tree, Within, Glob, Anywhere), Zone: pick(r, Inside, Inside, Additional, Outside),
		Class: pick(r, Ordinary, Ordinary, Ordinary, Ordinary, Protected, Sensitive, Unclassified, Forbidden)}
	if chance(r, 40) {
		p.Class = Class(9)
	}
	if chance(r, 40) {
		p.Zone = Zone(7)
	}
	if chance(r, 40) {
		p.Extent = Extent(8)
	}
	if !chance(r, 30) {
		p.Clean = pick(r, somePaths...)
		if !chance(r, 30) {
			p.Real = p.Clean
		}
		if chance(r, 6) {
			p.Real = pick(r, somePaths...)
		}
		if chance(r, 10) {
			p.Describe(PathDetails{Also: []string{pick(r, somePaths...)}})
		}
	}
	if chance(r, 3) {
		p.Describe(PathDetails{Also: p.Also(), Secret: pick(r, somePaths...)})
	}
	// What could lie below a tree is an estimate of the matcher; it has a test
	// of its own.
	p.Walked = p.Extent != Exact
	p.Critical, p.ReadOnly, p.Under = chance(r, 12), chance(r, 12), chance(r, 20)
	return p
}

func randomInspection(r *rand.Rand, call Call) Inspection {
	ins := Inspection{Family: slowFamily(call.Tool)}
	if chance(r, 25) {
		ins.Family = pick(r, "Bash", "Read", "", "Edit")
	}
	n := 1 + r.IntN(4)
	if chance(r, 25) {
		n = 0
	}
	for i := range n {
		a := Action{Kind: pick(r, Read, Read, List, Write, Write, Delete, Run, Run, Run, Connect, Use, KindUnknown), Origin: pick(r, Tool, Tool, Operand, Operand, Shell)}
		if chance(r, 30) {
			a.Origin = OriginUnknown
		}
		if chance(r, 2) {
			a.Of = r.IntN(n + 1)
		}
		if chance(r, 40) {
			a.Of = pick(r, -1, 9, i+1)
		}
		switch a.Kind {
		case Read, List, Write, Delete:
			a.Path = randomPath(r)
			a.Own = chance(r, 8)
			a.Path.Steers = chance(r, 8)
		case Run:
			if chance(r, 40) {
				break
			}
			a.Command = &Command{}
			for range r.IntN(3) {
				a.Command.Allow = append(a.Command.Allow, pick(r, someCommands...))
			}
			for range r.IntN(4) {
				a.Command.Deny = append(a.Command.Deny, pick(r, someTexts...))
			}
			if chance(r, 6) {
				a.Command.Describe(CommandDetails{MayRun: []string{pick(r, someTexts...)}})
			}
			c := a.Command
			c.Closed, c.ExactOnly, c.Opaque, c.Dynamic, c.Edits, c.Runner = chance(r, 3), chance(r, 6), chance(r, 4), chance(r, 8), chance(r, 3), chance(r, 6)
		case Connect:
			a.Host, a.PlainGet, a.Port = pick(r, someHosts...), chance(r, 2), pick[uint16](r, 0, 0, 80, 443)
			a.Own = chance(r, 4)
		case Use:
			a.Name = pick(r, call.Tool, "helper", "doc x", "environment", "process")
		}
		a.Free, a.Maybe = chance(r, 6), chance(r, 8)
		ins.Actions = append(ins.Actions, a)
	}
	if chance(r, 10) {
		ins.Findings = []Finding{{Code: "x", Text: "x"}}
	}
	if chance(r, 20) {
		ins.MustAsk = "must ask"
	}
	if chance(r, 8) {
		ins.Params = map[string]string{"run_in_background": "true"}
	}
	ins.Unconfined = chance(r, 10)
	if chance(r, 6) {
		ins.Brings = Labels(r.IntN(4))
	}
	return ins
}

func randomState(r *rand.Rand) State {
	st := State{Mode: Mode(r.IntN(6)), Dir: "/home/u/proj", Classifier: chance(r, 2), Enforces: chance(r, 2)}
	if chance(r, 40) {
		st.Mode = Mode(77)
	}
	if chance(r, 3) {
		st.Labels = Labels(r.IntN(4))
	}
	st.Provenance = pick(r, ProvenanceAsk, ProvenanceAsk, ProvenanceWarn, ProvenanceOff)
	if chance(r, 3) {
		st.Destinations = map[string]bool{"host:" + pick(r, someHosts...): true, "run:" + pick(r, someCommands...): true, "tool:" + pick(r, someTools...): true}
	}
	return st
}

func randomOpinions(r *rand.Rand) []Opinion {
	var out []Opinion
	if chance(r, 3) {
		for range 1 + r.IntN(2) {
			out = append(out, Opinion{From: pick(r, FromHook, FromClassifier, FromPerson, FromUnknown), Verdict: pick(r, Allow, Allow, Allow, Ask, Deny)})
		}
	}
	return out
}

// evaluator reads the world's settings the way a program does.
func (w *slowWorld) evaluator(t testing.TB) *Evaluator {
	p, _ := ParsePolicy(w.home, Source{Layer: LayerProject, Name: "settings.json", Base: w.base, Data: w.data()})
	e, err := New(Config{Policy: p, Inspector: noInspector{}, Servers: slowServers})
	require.NoError(t, err)
	return e
}

type tuple struct {
	w    *slowWorld
	st   State
	call Call
	ins  Inspection
	ops  []Opinion
}

func randomTuple(r *rand.Rand) tuple {
	call := Call{Tool: pick(r, someTools...), Dir: pick(r, "/home/u/proj", "/home/u/proj", "/home/u/proj/sub")}
	return tuple{randomWorld(r), randomState(r), call, randomInspection(r, call), randomOpinions(r)}
}

func (tu tuple) String() string {
	j := func(v any) string { b, _ := json.Marshal(v); return string(b) }
	return fmt.Sprintf("settings %s\nstate %s\ncall %s\ninspection %s\nopinions %s", tu.w.data(), j(tu.st), j(tu.call), j(tu.ins), j(tu.ops))
}

// count is n under CI=true and a twentieth of it otherwise.
func count(n int) int {
	if os.Getenv("CI") == "true" {
		return n
	}
	return n / 20
}

// TestAgreesWithTheSlowEvaluator compares the evaluator with one that was
// written from the model alone.
func TestAgreesWithTheSlowEvaluator(t *testing.T) {
	const seed = 20261123
	r := rand.New(rand.NewPCG(seed, 1))
	seen := map[Verdict]int{}
	for i := range count(200_000) {
		tu := randomTuple(r)
		d := tu.w.evaluator(t).Decide(tu.st, tu.call, tu.ins, tu.ops...)
		v, c, asked := tu.w.decide(tu.st, tu.call, tu.ins, tu.ops)
		if d.Verdict != v || d.Confinement != c || v == Ask && d.Asked != asked {
			for _, r := range d.Reasons {
				t.Logf("%s/%s action %d %s", r.Verdict, r.Code, r.Action, r.Text)
			}
			t.Fatalf("case %d: the evaluator says %s %s %05b, the slow one %s %s %05b\n%s", i, d.Verdict, d.Confinement, d.Asked, v, c, asked, tu)
		}
		seen[d.Verdict]++
	}
	t.Logf("verdicts: %v", seen)
	for _, v := range []Verdict{Deny, Ask, Allow} {
		require.Greater(t, seen[v], count(200_000)/50, "too few %s to prove anything", v)
	}
}

func (w *slowWorld) without(i int) *slowWorld {
	o := *w
	o.rules = slices.Delete(slices.Clone(w.rules), i, i+1)
	return &o
}

// TestMonotone: a further deny or ask rule never loosens, an allow rule that
// goes never loosens, and the order of rules in a list never matters.
//
// One case is looked at more closely. A WebFetch rule also opens the sandbox's
// network, so a session that knows secrets and untrusted text is asked before a
// command runs inside. Without the rule the sandbox lets nothing out, and there
// is nothing to ask: the verdict is looser and what can happen is less. The test
// takes that for no loosening only where the question was about sending alone,
// the call is confined, and the sandbox without the rule names no host.
func TestMonotone(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	changed, closed := 0, 0
	for range count(60_000) {
		tu := randomTuple(r)
		before := tu.w.evaluator(t).Decide(tu.st, tu.call, tu.ins, tu.ops...)
		more := *tu.w
		more.rules = append(slices.Clone(tu.w.rules), slowRule{pick(r, Deny, Ask), pick(r, strictSpecs...)})
		after := more.evaluator(t).Decide(tu.st, tu.call, tu.ins, tu.ops...)
		if after.Verdict > before.Verdict || after.Verdict == Ask && before.Verdict == Ask && after.Asked&^before.Asked != 0 {
			t.Fatalf("%v made %s %s\n%s", more.rules[len(more.rules)-1], before.Verdict, after.Verdict, tu)
		}
		if after.Verdict != before.Verdict {
			changed++
		}
		for i, rule := range tu.w.rules {
			if rule.effect != Allow {
				continue
			}
			e := tu.w.without(i).evaluator(t)
			less := e.Decide(tu.st, tu.call, tu.ins, tu.ops...)
			if less.Verdict <= before.Verdict {
				continue
			}
			sends := true
			for _, r := range before.Reasons {
				sends = sends && (r.Verdict == Allow || r.Code == CodeSend || r.Code == CodeMode || slices.Contains(less.Reasons, r))
			}
			net := e.Policy().Sandbox(tu.st.Dir).Network
			if strings.HasPrefix(rule.text, "WebFetch(") && sends && less.Confinement == ConfinementRequired && tu.st.Enforces && len(net.AllowedDomains)+len(net.AllowUnixSockets) == 0 && !net.AllowAllUnixSockets {
				closed++
				continue
			}
			t.Fatalf("without %v it is %s, with it %s\n%s\n%+v\n%+v", rule, less.Verdict, before.Verdict, tu, before.Reasons, less)
		}
		mixed := *tu.w
		mixed.rules = slices.Clone(tu.w.rules)
		r.Shuffle(len(mixed.rules), func(i, j int) { mixed.rules[i], mixed.rules[j] = mixed.rules[j], mixed.rules[i] })
		if other := mixed.evaluator(t).Decide(tu.st, tu.call, tu.ins, tu.ops...); other.Verdict != before.Verdict || other.Asked != before.Asked {
			t.Fatalf("the order of the rules changed %s to %s\n%s", before.Verdict, other.Verdict, tu)
		}
	}
	require.Positive(t, changed, "no added rule ever changed anything")
	t.Logf("%d calls were asked about for a network that the rule opens", closed)
}

// TestStrictModes: plan and dontAsk never run what default would ask about,
// and no mode runs what a deny rule refuses.
func TestStrictModes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	for range count(100_000) {
		tu := randomTuple(r)
		e := tu.w.evaluator(t)
		in := func(m Mode) Verdict {
			st := tu.st
			st.Mode = m
			return e.Decide(st, tu.call, tu.ins, tu.ops...).Verdict
		}
		base := in(ModeDefault)
		for _, m := range []Mode{ModePlan, ModeDontAsk} {
			if in(m) > base {
				t.Fatalf("%s runs what default does not (%s)\n%s", m, base, tu)
			}
		}
		if base == Deny && tu.ops == nil && !tu.w.denyInstead {
			for m := ModeDefault; m <= ModeBypass; m++ {
				if in(m) != Deny {
					t.Fatalf("%s does not refuse what is denied\n%s", m, tu)
				}
			}
		}
	}
}

// TestZeroValuesRefuse: nothing that is zero runs anything.
func TestZeroValuesRefuse(t *testing.T) {
	require.Equal(t, Deny, Decision{}.Verdict)
	require.Equal(t, ConfinementRequired, Decision{}.Confinement)
	require.Equal(t, Settlers(0), Decision{}.Asked)
	require.Equal(t, Outside, Path{}.Zone)
	require.Equal(t, Unclassified, Path{}.Class)
	require.Equal(t, Anywhere, Path{}.Extent)
	require.Equal(t, OriginUnknown, Action{}.Origin)
	require.Equal(t, KindUnknown, Action{}.Kind)
	require.Equal(t, No, Answer{}.Choice)
	var grant *Grant
	for _, g := range []*Grant{grant, {}} {
		require.True(t, g.Confined())
		require.False(t, g.Permits(Read, "/x"))
	}
	var none *Evaluator
	require.Equal(t, Deny, none.Decide(State{}, Call{}, Inspection{}).Verdict)
	require.Equal(t, Deny, (&Evaluator{}).Decide(State{Mode: ModeBypass}, Call{}, Inspection{}).Verdict)
	_, err := New(Config{})
	require.Error(t, err)
	e, err := New(Config{Inspector: noInspector{}})
	require.NoError(t, err)
	for k := range Kind(12) {
		for _, o := range []Origin{OriginUnknown, Tool, Operand, Shell, 9} {
			d := e.Decide(State{}, Call{}, Inspection{Actions: []Action{{Kind: k, Origin: o}}})
			require.NotEqual(t, Allow, d.Verdict, "%s %s", k, o)
		}
	}
	require.Equal(t, Ask, e.Decide(State{}, Call{}, Inspection{}).Verdict)
	require.Equal(t, Deny, e.Decide(State{}, Call{}, Inspection{}, Opinion{}).Verdict)
	require.Equal(t, Ask, e.Decide(State{}, Call{}, Inspection{}, Opinion{Verdict: Allow}).Verdict, "an opinion of nobody settles nothing")
	for _, v := range []interface{ UnmarshalText([]byte) error }{new(Verdict), new(Kind), new(Origin), new(Extent), new(Zone), new(Class), new(Risk), new(Confinement), new(Mode), new(Layer), new(Provenance)} {
		require.Error(t, v.UnmarshalText([]byte("no such name")), "%T", v)
	}
	var r Rule
	require.Empty(t, r.String())
	require.False(t, strings.Contains(r.Ref().Text, "*"))
}
