package toolset

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"mvdan.cc/sh/v3/syntax"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope"
)

// plainCommands are those that the budget is about.
var plainCommands = []string{"ls -la", "git status && git diff | head"}

// fixed answers for a few paths as a guard would for ordinary files of the
// project, without looking: what resolving costs is measured on its own.
type fixed []scope.Resolution

func (f fixed) Check(name string, op scope.Op) scope.Resolution { return f.CheckFrom("", name, op) }

func (f fixed) CheckFrom(_, name string, _ scope.Op) scope.Resolution {
	for i := range f {
		if f[i].Path == name {
			return f[i]
		}
	}
	panic("no answer for " + name)
}

func (fixed) Root() string { return "/home/u/proj" }

func newFixed(names ...string) fixed {
	var f fixed
	for _, n := range names {
		p := path.Join("/home/u/proj", n)
		f = append(f, scope.Resolution{Path: n, Clean: p, Real: p, Zone: scope.Inside, Class: scope.Ordinary, Root: "/home/u/proj", Rel: n})
	}
	return f
}

// decoded is an inspector that stands behind the decoding of the input.
type decoded struct {
	t  *Tools
	in fields
}

func (d decoded) Inspect(ctx context.Context, call permission.Call, rules permission.Lookout) (permission.Inspection, error) {
	return d.t.inspect(ctx, call, d.in, rules)
}

// speedRules are n rules of the kinds that people have.
func speedRules(tb testing.TB, n int) *permission.Policy {
	var allow, deny []string
	for i := range n / 5 {
		allow = append(allow, fmt.Sprintf("Bash(tool%d run *)", i), fmt.Sprintf("Edit(/src/pkg%d/**)", i), fmt.Sprintf("mcp__server%d__*", i))
		deny = append(deny, fmt.Sprintf("Bash(evil%d *)", i), fmt.Sprintf("Read(//srv/secrets/file%d.key)", i))
	}
	data, err := json.Marshal(map[string]any{"permissions": map[string]any{"allow": allow, "deny": deny}})
	require.NoError(tb, err)
	policy, err := permission.ParsePolicy("/home/u", permission.Source{Layer: permission.LayerUser, Name: "s", Base: "/home/u/proj", Data: data})
	require.NoError(tb, err)
	return policy
}

// speedCase is one command, ready to be inspected and decided.
type speedCase struct {
	command string
	tools   *Tools
	eval    *permission.Evaluator
	state   permission.State
	call    permission.Call
}

func newSpeedCase(tb testing.TB, command string, rules int) speedCase {
	tools, err := NewWith(Options{
		Files: newFixed(".", ".git", "a.txt", "b.txt", "b.txt/a.txt"), Offline: true, Home: "/home/u",
		Analyzer: bashcheck.New(bashcheck.Options{Home: "/home/u"}), Assume: bashcheck.SafeEnvAssumptions(),
	})
	require.NoError(tb, err)
	input, err := json.Marshal(map[string]string{"command": command})
	require.NoError(tb, err)
	in, err := readInput(input)
	require.NoError(tb, err)
	eval, err := permission.New(permission.Config{Policy: speedRules(tb, rules), Inspector: decoded{tools, in}})
	require.NoError(tb, err)
	return speedCase{
		command: command, tools: tools, eval: eval, state: permission.State{Mode: permission.ModeAcceptEdits, Dir: "/home/u/proj"},
		call: permission.Call{Tool: "Bash", Input: input, Dir: "/home/u/proj"},
	}
}

func (c *speedCase) decide(tb testing.TB) {
	ins, err := c.eval.Inspect(context.Background(), c.state, c.call)
	if err != nil {
		tb.Fatal(err)
	}
	if d := c.eval.Decide(c.state, c.call, ins); d.Verdict != permission.Allow {
		tb.Fatal(d.Text())
	}
}

var speedParsers = sync.Pool{New: func() any { return syntax.NewParser(syntax.Variant(syntax.LangBash)) }}

// parseAlone is the floor: a parser that is used again, as the analyzer does.
func parseAlone(tb testing.TB, command string) {
	p := speedParsers.Get().(*syntax.Parser)
	if _, err := p.Parse(strings.NewReader(command), ""); err != nil {
		tb.Fatal(err)
	}
	speedParsers.Put(p)
}

// interleave runs f and the floor by turns, so that a busy machine slows both, and
// reports how many times the floor it takes: the median over the turns. A turn is
// long enough for each to collect its own garbage, and what counts is the time of
// the processor, in which the collector's is.
func interleave(b *testing.B, floor, f func()) {
	clock := func(n int, f func()) time.Duration {
		start := processorTime()
		for range n {
			f()
		}
		return processorTime() - start
	}
	const few = 3000
	n := max(1, int(100*time.Millisecond/max(1, clock(few, f)/few)))
	var ratios, times []float64
	for range 11 {
		own := clock(n, f)
		ratios = append(ratios, float64(own)/float64(max(1, clock(n, floor))))
		times = append(times, float64(own.Nanoseconds())/float64(n))
	}
	for b.Loop() {
		f()
	}
	slices.Sort(ratios)
	slices.Sort(times)
	b.ReportMetric(times[len(times)/2], "ns/op")
	b.ReportMetric(testing.AllocsPerRun(100, f), "allocs")
	b.ReportMetric(ratios[len(ratios)/2], "×parse")
}

// BenchmarkInspectAndDecide measures the inspection of a decoded command under
// a path resolver that answers at once, and the decision on it, beside the
// parse alone. Parts of that and what the same call spends elsewhere stand in
// the same run: analyzing; telling what the text does and naming the report,
// which is done for those who ask; decoding the input; resolving the directory
// as a guard does without a disk.
func BenchmarkInspectAndDecide(b *testing.B) {
	for _, command := range append(plainCommands, "cp a.txt b.txt") {
		floor := func() { parseAlone(b, command) }
		c := newSpeedCase(b, command, 0)
		rep := c.tools.o.Analyzer.Analyze(command)
		ins, err := c.eval.Inspect(context.Background(), c.state, c.call)
		require.NoError(b, err)
		lexical, err := scope.NewLexical("/home/u/proj", scope.Options{Home: "/home/u"}, nil)
		require.NoError(b, err)
		for _, part := range []struct {
			name string
			f    func()
		}{
			{"parse", floor},
			{"analyze", func() { c.tools.o.Analyzer.Analyze(command) }},
			{"explain and risk", func() {
				rep := c.tools.o.Analyzer.Analyze(command)
				rep.Explain()
				rep.Risk()
			}},
			{"digest", func() { rep.Digest() }},
			{"inspect", func() {
				if _, err := c.eval.Inspect(context.Background(), c.state, c.call); err != nil {
					b.Fatal(err)
				}
			}},
			{"decide", func() { c.eval.Decide(c.state, c.call, ins) }},
			{"decode", func() {
				if _, err := readInput(c.call.Input); err != nil {
					b.Fatal(err)
				}
			}},
			{"resolve", func() { lexical.CheckFrom("/home/u/proj", ".", scope.List) }},
		} {
			b.Run(part.name+"/"+command, func(b *testing.B) { interleave(b, floor, part.f) })
		}
		for _, n := range []int{100, 1000, 10_000} {
			b.Run(fmt.Sprintf("%d rules/%s", n, command), func(b *testing.B) {
				c := newSpeedCase(b, command, n)
				interleave(b, floor, func() { c.decide(b) })
			})
		}
	}
}

// TestInspectAndDecideAllocations bounds what a decision on a plain command
// allocates: as a whole, and beside what the analyzer says of it.
func TestInspectAndDecideAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget: allocations are counted without it")
	}
	for _, command := range plainCommands {
		c := newSpeedCase(t, command, 1000)
		all := testing.AllocsPerRun(100, func() { c.decide(t) })
		said := testing.AllocsPerRun(100, func() { c.tools.o.Analyzer.Analyze(command) })
		t.Logf("%s: %v allocations, of which %v are the analyzer's", command, all, said)
		// The report with the commands and the actions; the reasons.
		require.LessOrEqual(t, all-said, 2.0, command)
		more := newSpeedCase(t, command, 10_000)
		require.LessOrEqual(t, testing.AllocsPerRun(100, func() { more.decide(t) }), all, "ten times the rules: %s", command)
		require.LessOrEqual(t, all, map[string]float64{"ls -la": 11, "git status && git diff | head": 22}[command], command)
	}
}
