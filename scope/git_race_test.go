package scope

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// repository tells what git takes for one.
func repository(dir string) bool {
	return isGitDir(func(n string) bool { _, err := os.Lstat(filepath.Join(dir, n)); return err == nil })
}

// Each of two operations at the same time makes a part of a bare repository,
// and neither sees that of the other when it looks. What came last is taken
// back.
func TestHalvesOfRepository(t *testing.T) {
	g, root := newGuard(t, Options{})
	base := filepath.Join(root, "halves")
	n := 0
	fresh := func() string {
		n++
		d := filepath.Join(base, string(rune('a'+n)))
		require.NoError(t, os.MkdirAll(filepath.Join(d, "refs"), 0o755))
		require.NoError(t, os.MkdirAll(filepath.Join(d, "full", "x"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(d, "file"), []byte("f"), 0o644))
		return d
	}
	head := func(g *Guard, d string) error { return g.WriteFile(filepath.Join(d, "HEAD"), []byte("ref: x")) }
	// The last part, each way of making it, between its look and its act.
	last := map[string]func(g *Guard, d string) error{
		"mkdir":     func(g *Guard, d string) error { return g.Mkdir(filepath.Join(d, "objects")) },
		"mkdir all": func(g *Guard, d string) error { return g.MkdirAll(filepath.Join(d, "objects")) },
		"rename":    func(g *Guard, d string) error { return g.Rename(filepath.Join(d, "full"), filepath.Join(d, "objects")) },
		"symlink":   func(g *Guard, d string) error { return g.Symlink("full", filepath.Join(d, "objects")) },
	}
	heads := map[string]func(g *Guard, d string) error{
		"write": head,
		"create": func(g *Guard, d string) error {
			f, err := g.Create(filepath.Join(d, "HEAD"))
			if f != nil {
				f.Close()
			}
			return err
		},
		"link":        func(g *Guard, d string) error { return g.Link(filepath.Join(d, "file"), filepath.Join(d, "HEAD")) },
		"rename file": func(g *Guard, d string) error { return g.Rename(filepath.Join(d, "file"), filepath.Join(d, "HEAD")) },
	}
	// With the guard off the same steps make one.
	off := fresh()
	require.NoError(t, os.WriteFile(filepath.Join(off, "HEAD"), nil, 0o644))
	require.False(t, repository(off))
	require.NoError(t, os.Mkdir(filepath.Join(off, "objects"), 0o755))
	require.True(t, repository(off))

	between := func(act, meanwhile func(g *Guard, d string) error, d string) error {
		raced := *g
		done := false
		raced.hook = func(string) {
			if !done {
				done = true
				require.NoError(t, meanwhile(g, d), "nothing is complete yet")
			}
		}
		err := act(&raced, d)
		require.True(t, done)
		return err
	}
	for name, act := range last {
		d := fresh()
		require.ErrorIs(t, between(act, head, d), ErrProtected, name)
		require.False(t, repository(d), name)
		require.FileExists(t, filepath.Join(d, "HEAD"), name)
		require.DirExists(t, filepath.Join(d, "full", "x"), "%s: what was moved is back", name)
	}
	for name, act := range heads {
		d := fresh()
		require.ErrorIs(t, between(act, last["mkdir"], d), ErrProtected, name)
		require.False(t, repository(d), name)
		data, err := os.ReadFile(filepath.Join(d, "file"))
		require.NoError(t, err)
		require.Equal(t, "f", string(data), name)
		left, err := filepath.Glob(filepath.Join(d, ".scope-*"))
		require.NoError(t, err)
		require.Empty(t, left, name)
	}
	// Whoever may change the repository may make one.
	all := g.With(func(Op, string) bool { return true })
	d := fresh()
	require.NoError(t, head(all, d))
	require.NoError(t, all.Mkdir(filepath.Join(d, "objects")))
	require.True(t, repository(d))

	// All at once.
	for range 100 {
		d := fresh()
		require.NoError(t, os.Remove(filepath.Join(d, "refs")))
		var wg sync.WaitGroup
		var start sync.WaitGroup
		start.Add(1)
		for _, act := range []func(){
			func() { _ = head(g, d) },
			func() { _ = g.Mkdir(filepath.Join(d, "objects")) },
			func() { _ = g.MkdirAll(filepath.Join(d, "refs")) },
		} {
			wg.Go(func() {
				start.Wait()
				act()
			})
		}
		start.Done()
		wg.Wait()
		require.False(t, repository(d))
		n--
		require.NoError(t, os.RemoveAll(d))
	}
}
