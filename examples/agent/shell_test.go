package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/scope"
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

func TestOpenThrough(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	dir := filepath.Join(root, "work")
	require.NoError(t, os.Mkdir(dir, 0o700))
	guard, err := scope.New(dir, scope.Options{})
	require.NoError(t, err)
	defer guard.Close()
	const add = os.O_WRONLY | os.O_APPEND | os.O_CREATE
	file := filepath.Join(dir, "a.txt")
	require.NoError(t, os.WriteFile(file, []byte("1\n"), 0o600))

	// Somebody else's change meanwhile is not lost: the append fails.
	f, err := openThrough(guard, file, add)
	require.NoError(t, err)
	_, err = f.Write([]byte("2\n"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte("somebody else's\n"), 0o600))
	require.Error(t, f.Close())
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "somebody else's\n", string(b))

	// An endless writer is stopped, in bounded memory.
	f, err = openThrough(guard, file, add)
	require.NoError(t, err)
	for err == nil {
		_, err = f.Write([]byte(strings.Repeat("x", 1<<20)))
	}
	require.ErrorContains(t, err, "would be larger")

	_, err = openThrough(guard, file, os.O_RDWR|os.O_CREATE)
	require.ErrorContains(t, err, "not supported")
	for _, flag := range []int{add, os.O_WRONLY | os.O_CREATE | os.O_TRUNC} {
		_, err = openThrough(guard, filepath.Join(root, "outside.txt"), flag)
		require.Error(t, err)
		// A protected file is refused at the latest when it would be changed.
		hook := filepath.Join(dir, ".git", "hooks", "pre-commit")
		f, err := openThrough(guard, hook, flag)
		if err == nil {
			err = f.Close()
		}
		require.Error(t, err)
		require.NoFileExists(t, hook)
	}
	require.NoFileExists(t, filepath.Join(root, "outside.txt"))
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
