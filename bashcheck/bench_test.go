package bashcheck

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	listText  = "ls -la"
	gitText   = "git status && git diff | head"
	guardText = `echo "$(git rev-parse HEAD)-${B:-main}"` // is printed and parsed again
)

// text488 is what an agent writes on an ordinary day, in 488 bytes.
const text488 = `cd services/api && git fetch --prune origin && git log --oneline --decorate -n 20 origin/main..HEAD
for f in handlers/*.go; do
  if grep -q "TODO(perf)" "$f"; then
    echo "== $f"; grep -n "TODO(perf)" "$f" | sort -t: -k1,1n | head -n 5
  fi
done
find . -name '*_test.go' -newer go.sum -print | xargs wc -l | tail -n 1
go vet ./... 2>&1 | tee /tmp/vet.log | head -n 40
test -s /tmp/vet.log || echo "clean: $(git rev-parse --short HEAD) on ${BRANCH:-main}, $(date +%F)"
git status --short`

// text5K is ten of them, one after the other.
var text5K = strings.TrimSuffix(strings.Repeat(text488+"\n", 10), "\n")

func TestBenchmarkTexts(t *testing.T) {
	require.Len(t, text488, 488)
	require.Len(t, text5K, 4889)
	for _, src := range []string{text488, text5K} {
		r := Analyze(src)
		require.True(t, r.Parsed)
		for _, c := range r.Commands {
			assert.True(t, c.Described, c.Text)
		}
	}
}

// BenchmarkAnalyze prints the parser alone beside the whole analysis, and how
// many times the parse an analysis costs.
func BenchmarkAnalyze(b *testing.B) {
	Analyze(listText) // the descriptions are loaded for both
	for _, c := range []struct{ name, src string }{
		{listText, listText}, {gitText, gitText}, {guardText, guardText}, {"488 bytes", text488}, {"5 KB", text5K},
	} {
		againstParse(b, c.name, c.src)
	}
}

// BenchmarkHostile are the most expensive texts that are still judged.
func BenchmarkHostile(b *testing.B) {
	Analyze(listText)
	texts := hostile()
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		againstParse(b, name, texts[name])
	}
}

func againstParse(b *testing.B, name, src string) {
	b.Run("parse/"+name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = parse(src, false)
		}
	})
	b.Run("analyze/"+name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Analyze(src)
		}
		b.ReportMetric(timesParse(src), "×parse")
	})
}

// timesParse measures both by turns, so that what else the machine does slows
// both, and returns the median of the quotients.
func timesParse(src string) float64 {
	clock := func(n int, f func()) time.Duration {
		start := time.Now()
		for range n {
			f()
		}
		return time.Since(start)
	}
	floor := func() { _, _ = parse(src, false) }
	whole := func() { Analyze(src) }
	// Long enough for each to collect its own garbage.
	n := max(1, int(10*time.Millisecond/max(1, clock(3, whole)/3)))
	quotients := make([]float64, 11)
	for i := range quotients {
		quotients[i] = float64(clock(n, whole)) / float64(max(1, clock(n, floor)))
	}
	slices.Sort(quotients)
	return quotients[len(quotients)/2]
}

// TestAllocations bounds what an analysis allocates, the parse included, and
// that nothing but the explanation itself is allocated to explain a plain text
// and to tell its risk. An analysis has 9, 20 and 43; under the race detector, whose pools forget, a few more.
func TestAllocations(t *testing.T) {
	for src, most := range map[string]float64{listText: 13, gitText: 24, guardText: 54} {
		a := New(Options{})
		a.Analyze(src)
		got := testing.AllocsPerRun(200, func() { a.Analyze(src) })
		floor := testing.AllocsPerRun(200, func() { _, _ = parse(src, false) })
		t.Logf("%s: %.0f allocations, the parse alone %.0f", src, got, floor)
		assert.LessOrEqual(t, got, most, src)
		if r := a.Analyze(src); src != guardText {
			assert.LessOrEqual(t, testing.AllocsPerRun(200, func() { r.Explain(); r.Risk() }), 2.0, src)
		}
	}
}
