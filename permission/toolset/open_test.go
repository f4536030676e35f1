package toolset_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission/toolset"
	"github.com/clearance-go/clearance/scope"
)

// TestOpen: redirections go through the guard.
func TestOpen(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	dir := filepath.Join(root, "work")
	require.NoError(t, os.Mkdir(dir, 0o700))
	guard, err := scope.New(dir, scope.Options{})
	require.NoError(t, err)
	defer guard.Close()
	open := toolset.Open(guard, nil)
	const add = os.O_WRONLY | os.O_APPEND | os.O_CREATE
	file := filepath.Join(dir, "a.txt")
	require.NoError(t, os.WriteFile(file, []byte("1\n"), 0o600))

	// Somebody else's change meanwhile is not lost: the append fails.
	f, err := open(file, add)
	require.NoError(t, err)
	_, err = f.Write([]byte("2\n"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte("somebody else's\n"), 0o600))
	require.Error(t, f.Close())
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "somebody else's\n", string(b))

	// An endless writer is stopped, in bounded memory.
	f, err = open(file, add)
	require.NoError(t, err)
	for err == nil {
		_, err = f.Write([]byte(strings.Repeat("x", 1<<20)))
	}
	require.ErrorContains(t, err, "would be larger")

	_, err = open(file, os.O_RDWR|os.O_CREATE)
	require.ErrorContains(t, err, "not supported")
	for _, flag := range []int{add, os.O_WRONLY | os.O_CREATE | os.O_TRUNC} {
		_, err = open(filepath.Join(root, "outside.txt"), flag)
		require.Error(t, err)
		// A protected file is refused at the latest when it would be changed.
		hook := filepath.Join(dir, ".git", "hooks", "pre-commit")
		f, err := open(hook, flag)
		if err == nil {
			err = f.Close()
		}
		require.Error(t, err)
		require.NoFileExists(t, hook)
	}
	require.NoFileExists(t, filepath.Join(root, "outside.txt"))

	// A link that was swapped in leads a plain open out, and this one nowhere.
	require.NoError(t, os.Remove(file))
	require.NoError(t, os.Symlink(filepath.Join(root, "stolen.txt"), file))
	for _, flag := range []int{add, os.O_WRONLY | os.O_CREATE | os.O_TRUNC} {
		f, err := open(file, flag)
		if err == nil {
			_, _ = f.Write([]byte("x"))
			err = f.Close()
		}
		require.Error(t, err)
		require.NoFileExists(t, filepath.Join(root, "stolen.txt"))
		plain, err := os.OpenFile(file, flag, 0o600)
		require.NoError(t, err)
		require.NoError(t, plain.Close())
		require.FileExists(t, filepath.Join(root, "stolen.txt"), "the attack does not work even without the guard")
		require.NoError(t, os.Remove(filepath.Join(root, "stolen.txt")))
	}
}
