package sandbox

import (
	"cmp"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The order of paths is that of their elements: what lies below a path follows
// it, before any neighbour whose name begins the same.
func TestPathOrder(t *testing.T) {
	require.Negative(t, comparePaths("/a", "/a/b"))
	require.Negative(t, comparePaths("/a/b", "/a-b"))
	require.Positive(t, strings.Compare("/a/b", "/a-b"), "the order of the bytes is another")
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		name := func() string {
			b := make([]byte, r.IntN(6))
			for i := range b {
				b[i] = "/a-b\xff"[r.IntN(5)]
			}
			return "/" + string(b)
		}
		a, b := name(), name()
		want := strings.Compare(strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00"))
		require.Equal(t, want, cmp.Compare(comparePaths(a, b), 0), "%q %q", a, b)
	}
	require.Zero(t, testing.AllocsPerRun(10, func() { _ = comparePaths("/a/b/c", "/a/b/d") }))
}

// A directory that many entries share is a pin once, each by itself.
func TestPins(t *testing.T) {
	p, err := Profile{Entries: []Entry{
		{Path: "/", Access: Read, Dir: true}, {Path: "/w", Access: Write, Dir: true}, {Path: "/w/top", Access: Read},
		{Path: "/w/a/b/x", Access: Read}, {Path: "/w/a/b/y", Access: Hidden}, {Path: "/w/a/z", Access: Read},
		{Path: "/w/c/d", Access: Read, Dir: true}, {Path: "/w/c/d/e/w", Access: Write, Dir: true}, {Path: "/w/c/d/e/w/f/g", Access: Read},
	}}.clean()
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"/w/a", "/w/a/b", "/w/c", "/w/c/d/e/w/f"}, p.pins())
}
