package permission

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMayBelowFindsAll: the index of where patterns begin leaves out no rule
// that may name something below a directory.
func TestMayBelowFindsAll(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	segment := func() string {
		return pick("a", "b", "c", "A", "src", "*", "**", "*.key", "x*", "[ab]", "c**", "srcs", "a.b", "é")
	}
	pathOf := func(n int, seg func() string) string {
		var b strings.Builder
		for range n {
			b.WriteByte('/')
			b.WriteString(seg())
		}
		return b.String()
	}
	name := func() string { return pick("a", "b", "c", "src", "srcs", "a.b", "é", "home", "u", "p") }
	few, found := 0, 0
	rounds := 300
	if testing.Short() {
		rounds = 40 // one goroutine: the race detector has nothing to see here
	}
	for range rounds {
		var deny []string
		for range 80 {
			p := pathOf(rng.IntN(4)+1, segment)
			switch rng.IntN(6) {
			case 0:
				p = "/" + p
			case 1:
				p = "~" + p
			case 2:
				p = p[1:]
			case 3:
				p = fmt.Sprintf("//far/away%d", rng.IntN(50)) + p
			case 4:
				p = fmt.Sprintf("/far/away%d", rng.IntN(50)) + p
			}
			deny = append(deny, "Read("+p+")")
		}
		policy, _ := ParsePolicy("/home/u", Source{Layer: LayerUser, Name: "s", Base: pick("/home/u/p", "/", "/a"), Data: []byte(`{"permissions":{"deny":["` + strings.Join(deny, `","`) + `"]}}`)})
		for range 50 {
			d := startsOf(pick("/home/u/p", "/home/u/P/src", "/", "/a/b", ""), pick("/home/u/p", "/a", "/home/u/p/src", ""))
			dir := pick("/home/u/p", "/", "/home", "/a", "/home/u/p/src/a", "/nowhere", pathOf(rng.IntN(4)+1, name))
			for _, table := range policy.strict {
				list := table.mayBelow(foldPath(dir), d.foldedDir, d.foldedCallDir)
				require.True(t, slices.IsSorted(list))
				if len(list) < len(table.paths) {
					few++
				}
				for _, i := range table.paths {
					if d.mayBeBelow(&table.rules[i], dir) {
						found++
						require.Contains(t, list, i, "%s below %q of %+v", table.rules[i].ref.Text, dir, d.foldedDir)
					}
				}
			}
		}
	}
	require.Greater(t, few, 1000, "the index never narrows")
	require.Greater(t, found, 1000)
}
