package bashcheck

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"mvdan.cc/sh/v3/syntax"
)

// TestSameFile compares texts with themselves, printed, and with texts that
// differ in one byte: where the trees are called the same, the printer writes
// the same for both.
func TestSameFile(t *testing.T) {
	print := func(f *syntax.File) string {
		var b strings.Builder
		require.NoError(t, syntax.NewPrinter(syntax.Minify(true)).Print(&b, f))
		return strings.NewReplacer("\\\n", "", " ", "", "\t", "", "\n", "", ";", "").Replace(b.String())
	}
	r := rand.New(rand.NewPCG(1, 2))
	const bytes = "abx01 '\"$\\;|&<>(){}[]*?!#=~`\n-+/.,:@"
	parsed, other, alike := 0, 0, 0
	for _, src := range oracleSeeds(t) {
		f, err := parse(src, false)
		if err != nil {
			continue
		}
		again, err := parse(src, false)
		require.NoError(t, err)
		assert.True(t, sameFile(f, again), src)
		parsed++
		for range 4 {
			at := r.IntN(len(src))
			changed := src[:at] + bytes[r.IntN(len(bytes)):][:1] + src[at+r.IntN(2):]
			g, err := parse(changed, false)
			if err != nil {
				continue
			}
			if other++; sameFile(f, g) {
				alike++
				assert.Equal(t, print(f), print(g), "%q and %q", src, changed)
			}
		}
	}
	t.Logf("%d texts; %d that differ in a byte, of which %d are the same", parsed, other, alike)
	assert.Greater(t, other-alike, parsed/2, "most changes of a byte change the tree")
}
