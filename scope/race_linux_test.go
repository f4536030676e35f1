package scope

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// attack swaps two names, which has begun when it returns, until stop is called,
// which returns how often it did.
func attack(t *testing.T, a, b string) (stop func() int64) {
	t.Helper()
	always, begun := make(chan struct{}), make(chan struct{})
	close(always)
	stop = attackAt(t, a, b, always, begun)
	<-begun
	return stop
}

// attackAt swaps two names a few times for every tick that it gets, or without
// end where ticks is closed. An attacker that never waits takes the processor,
// and the kernel's lock on names, from the operation that it attacks: then most
// of the time goes by with nothing to attack.
// begun, where it is not nil, is closed after the first of them.
func attackAt(t *testing.T, a, b string, ticks <-chan struct{}, begun chan<- struct{}) (stop func() int64) {
	t.Helper()
	require.NoError(t, unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE))
	var n atomic.Int64
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-ticks:
			}
			for range 1 + rand.IntN(6) {
				if unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE) == nil {
					n.Add(1)
				}
			}
			if begun != nil {
				close(begun)
				begun = nil
			}
		}
	})
	return func() int64 {
		close(done)
		wg.Wait()
		return n.Load()
	}
}

// runRaceVector knows the two kinds of race in the vectors: a leaf that is
// swapped for a link outside, and two names that are exchanged. The words of
// "race" name the paths.
func runRaceVector(t *testing.T, v *vector, g *Guard, path, race, invariant, dir string) (msg, skip string) {
	t.Helper()
	var paths []string
	for _, w := range strings.Fields(race) {
		if w = strings.Trim(w, ";,"); strings.HasPrefix(w, dir+"/") {
			paths = append(paths, w)
		}
	}
	secret := filepath.Join(dir, "out", "secret")
	outside := func() string { return snapshot(t, filepath.Join(dir, "out")) }
	before := outside()
	var a, b string
	switch {
	case strings.Contains(race, "exchange") && len(paths) >= 2:
		a, b = paths[0], paths[1]
	case len(paths) > 0:
		a, b = path, filepath.Join(dir, "proj", "swap-link")
		if err := os.Symlink(secret, b); err != nil {
			return err.Error(), ""
		}
	default:
		return "", "a race that the runner does not know: " + race
	}
	stop := attack(t, a, b)
	tries := scaled(2000)
	var done, refused int
	for range tries {
		var err error
		switch v.Op {
		case "read":
			var data []byte
			if data, err = g.ReadFile(path); err == nil && string(data) == "s" {
				stop()
				return "the secret was read", ""
			}
		case "delete":
			err = g.Remove(filepath.Join(a, "secret"))
		default:
			err = g.WriteFile(path, []byte("x"))
		}
		if err == nil {
			done++
		} else {
			refused++
		}
	}
	swaps := stop()
	if swaps == 0 || v.Op != "delete" && (done == 0 || refused == 0) && v.Op != "read" && swaps < 100 {
		return "", fmt.Sprintf("idle: %d swaps, %d done, %d refused", swaps, done, refused)
	}
	if after := outside(); after != before {
		return fmt.Sprintf("outside changed (%s): %s", invariant, after), ""
	}
	return "", ""
}

// swapTree is a root with a directory that an attacker exchanges with a link
// to the outside.
func swapTree(t *testing.T) (root, out string) {
	t.Helper()
	base := t.TempDir()
	root, out = filepath.Join(base, "proj"), filepath.Join(base, "out")
	require.NoError(t, os.MkdirAll(filepath.Join(root, "d"), 0o755))
	require.NoError(t, os.Mkdir(out, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "d", "f"), []byte("inside"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(out, "f"), []byte("secret"), 0o644))
	require.NoError(t, os.Symlink(out, filepath.Join(root, "evil")))
	return root, out
}

// guardOff looks where a path leads and then writes it by name, while an
// attacker swaps the directory for a link, until a write lands outside. With
// ticks the attacker gets one for each try, else it never waits.
func guardOff(t *testing.T, ticks chan struct{}) {
	t.Helper()
	root, out := swapTree(t)
	a, b := filepath.Join(root, "d"), filepath.Join(root, "evil")
	var stop func() int64
	if ticks == nil {
		stop = attack(t, a, b)
	} else {
		stop = attackAt(t, a, b, ticks, nil)
	}
	defer stop()
	p := filepath.Join(a, "f")
	for range 500_000 {
		select {
		case ticks <- struct{}{}:
		default: // it is at work already, or needs none
		}
		real, err := filepath.EvalSymlinks(p)
		if err != nil {
			continue
		}
		if rel, err := filepath.Rel(root, real); err != nil || !filepath.IsLocal(rel) {
			continue
		}
		_ = os.WriteFile(p, []byte("pwned"), 0o644)
		if data, _ := os.ReadFile(filepath.Join(out, "f")); string(data) == "pwned" {
			return
		}
	}
	t.Fatal("the attack never succeeded, so what follows proves nothing")
}

// TestCVE_2026_88968_EditRace: the check sees a directory, the write finds a
// link. With the guard off (check, then write by path) the attack succeeds;
// with it, never, in both ways of holding a directory.
func TestCVE_2026_88968_EditRace(t *testing.T) {
	tries := scaled(5000)
	t.Run("guard off", func(t *testing.T) { guardOff(t, nil) })
	for _, portable := range []bool{false, true} {
		t.Run(fmt.Sprintf("guard on, portable %v", portable), func(t *testing.T) {
			root, out := swapTree(t)
			g, err := New(root, Options{})
			require.NoError(t, err)
			defer g.Close()
			g.held[0].portable = portable
			stop := attack(t, filepath.Join(root, "d"), filepath.Join(root, "evil"))
			var done, refused int
			// On one processor the attacker may not get its turn for long.
			for i := 0; i < tries || i < 40*tries && (done == 0 || refused == 0); i++ {
				if i%2 == 0 {
					data, err := g.ReadFile("d/f")
					require.False(t, err == nil && string(data) == "secret", "read outside")
				}
				if err := g.WriteFile("d/f", []byte("x")); err == nil {
					done++
				} else {
					refused++
					require.True(t, errors.Is(err, ErrOutside) || errors.Is(err, ErrRaced) || errors.Is(err, fs.ErrNotExist), "%v", err)
				}
			}
			swaps := stop()
			t.Logf("%d writes done, %d refused, %d swaps", done, refused, swaps)
			require.Positive(t, done)
			require.Positive(t, refused)
			data, err := os.ReadFile(filepath.Join(out, "f"))
			require.NoError(t, err)
			require.Equal(t, "secret", string(data))
			entries, err := os.ReadDir(out)
			require.NoError(t, err)
			require.Len(t, entries, 1, "nothing was made outside")
		})
	}
}

// A directory that becomes a link to .git while it is held: what was judged
// is what is opened.
func TestRaceIntoProtected(t *testing.T) {
	for _, portable := range []bool{false, true} {
		root := t.TempDir()
		require.NoError(t, os.MkdirAll(filepath.Join(root, ".git"), 0o755))
		require.NoError(t, os.Mkdir(filepath.Join(root, "d"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, ".git", "config"), []byte("good"), 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(root, "d", "config"), []byte("x"), 0o644))
		require.NoError(t, os.Symlink(".git", filepath.Join(root, "l")))
		g, err := New(root, Options{})
		require.NoError(t, err)
		g.held[0].portable = portable
		stop := attack(t, filepath.Join(root, "d"), filepath.Join(root, "l"))
		for range scaled(2000) {
			_ = g.WriteFile("d/config", []byte("evil"))
		}
		require.Positive(t, stop())
		data, err := os.ReadFile(filepath.Join(root, ".git", "config"))
		require.NoError(t, err)
		require.Equal(t, "good", string(data), "portable %v", portable)
		require.NoError(t, g.Close())
	}
}

// The path that was permitted is the path that is opened.
func TestWithRaced(t *testing.T) {
	base := t.TempDir()
	root, a, b := filepath.Join(base, "proj"), filepath.Join(base, "a"), filepath.Join(base, "b")
	for _, d := range []string{root, a, b} {
		require.NoError(t, os.Mkdir(d, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(d, "f"), []byte(d), 0o644))
	}
	l := filepath.Join(root, "l")
	require.NoError(t, os.Symlink(a, l))
	guard, err := New(root, Options{})
	require.NoError(t, err)
	defer guard.Close()
	_, err = guard.ReadFile("l/f")
	require.ErrorIs(t, err, ErrOutside)

	g := guard.With(func(op Op, real string) bool { return op == Read && real == filepath.Join(a, "f") })
	data, err := g.ReadFile("l/f")
	require.NoError(t, err)
	require.Equal(t, a, string(data))
	require.ErrorIs(t, g.WriteFile("l/f", nil), ErrOutside, "only reading was permitted")

	require.NoError(t, os.Remove(l))
	require.NoError(t, os.Symlink(b, l))
	_, err = g.ReadFile("l/f")
	require.ErrorIs(t, err, ErrOutside, "the link leads elsewhere now")
}

// What is permitted outside the roots is opened by the path that was permitted,
// while the directory above it is exchanged for a link elsewhere. Without the
// guard the same look and then open reads the secret.
func TestWithRacedOutside(t *testing.T) {
	place := func(t *testing.T) (root, d, permitted, secret string) {
		base, err := filepath.EvalSymlinks(t.TempDir())
		require.NoError(t, err)
		root, d, secret = filepath.Join(base, "proj"), filepath.Join(base, "d"), filepath.Join(base, "secret")
		put(t, root, "x")
		put(t, d, "in/f")
		put(t, secret, "in/f")
		require.NoError(t, os.WriteFile(filepath.Join(secret, "in", "f"), []byte("secret"), 0o644))
		require.NoError(t, os.Symlink(secret, filepath.Join(base, "evil")))
		return root, d, filepath.Join(d, "in", "f"), secret
	}
	t.Run("guard off", func(t *testing.T) {
		_, d, p, _ := place(t)
		stop := attack(t, d, filepath.Join(filepath.Dir(d), "evil"))
		defer stop()
		for range 500_000 {
			if real, err := filepath.EvalSymlinks(p); err == nil && real == p {
				if data, err := os.ReadFile(p); err == nil && string(data) == "secret" {
					return
				}
			}
		}
		t.Fatal("the attack never succeeded, so what follows proves nothing")
	})
	for _, portable := range []bool{false, true} {
		t.Run(fmt.Sprintf("guard on, portable %v", portable), func(t *testing.T) {
			root, d, p, secret := place(t)
			guard, err := New(root, Options{})
			require.NoError(t, err)
			defer guard.Close()
			guard.held[0].portable = portable
			g := guard.With(func(_ Op, real string) bool { return filepath.Dir(real) == filepath.Dir(p) })
			before := snapshot(t, secret)
			stop := attack(t, d, filepath.Join(filepath.Dir(d), "evil"))
			done, refused := 0, 0
			n := scaled(8000)
			for i := 0; i < n || i < 40*n && (done == 0 || refused == 0); i++ {
				switch i % 4 {
				case 0, 2:
					var data []byte
					data, err = g.ReadFile(p)
					require.False(t, err == nil && string(data) == "secret", "it read elsewhere")
				case 1:
					err = g.WriteFile(p, []byte("x"))
				case 3:
					err = g.Write(p, []byte("x"), WriteOptions{InPlace: true})
				}
				if err == nil {
					done++
					continue
				}
				refused++
				var pe *PathError
				require.ErrorAs(t, err, &pe)
			}
			require.Positive(t, stop())
			require.Positive(t, done)
			require.Positive(t, refused)
			require.Equal(t, before, snapshot(t, secret))
		})
	}
}
