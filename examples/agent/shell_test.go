package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAppending: a redirection that appends keeps what is there, makes what is
// not, and goes through the guard.
func TestAppending(t *testing.T) {
	scratch, out, ok := play(t, `{"tool":"Bash","input":{"command":"echo a >> log.txt; echo b >> log.txt; { echo c; echo d; } >> log.txt"},"answer":"y","expect":"ran"}
{"tool":"Bash","input":{"command":"echo e >> deploy.log"},"answer":"y","expect":"ran"}
{"tool":"Bash","input":{"command":"echo x >> docs/latest/linked.txt"},"expect":"refused"}
{"tool":"Bash","input":{"command":"echo x > /dev/null"},"expect":"ran"}`, nil)
	require.True(t, ok, out)
	b, err := os.ReadFile(filepath.Join(scratch, "work", "calc", "log.txt"))
	require.NoError(t, err)
	require.Equal(t, "a\nb\nc\nd\n", string(b))
	b, err = os.ReadFile(filepath.Join(scratch, "work", "calc", "deploy.log"))
	require.NoError(t, err)
	require.Equal(t, "deployed with tok-4f9c1d7be2a85063\ne\n", string(b))
	require.NoFileExists(t, filepath.Join(scratch, "outside", "linked.txt"))
}

// TestClock: waits are not the agent's own time, and those that lie in one
// another count once.
func TestClock(t *testing.T) {
	now := time.Unix(0, 0)
	pass := func(s int) { now = now.Add(time.Duration(s) * time.Second) }
	c := newClock(func() time.Time { return now })
	pass(1)
	end := c.outside()
	pass(10)
	inner := c.outside()
	pass(10)
	own, _ := c.own()
	require.Equal(t, time.Second, own, "a wait that is under way counts already")
	inner()
	inner()
	pass(10)
	end()
	pass(2)
	own, whole := c.own()
	require.Equal(t, 3*time.Second, own)
	require.Equal(t, 33*time.Second, whole)
	require.Contains(t, c.share(), "took 3s of 33s (9.1 %)")
}
