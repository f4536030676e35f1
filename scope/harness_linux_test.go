package scope

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Four attackers at once exchange directories and files for links to the
// outside and into .git, while every operation runs against them. Nothing
// outside and nothing in .git may change, and nothing of the outside be read.
// Under CI=true there are at least 100,000 attempts, and at least one success
// and one refusal of each kind that matters.
func TestRaceHarness(t *testing.T) {
	// The same attackers at the same pace, against look and then write.
	t.Run("guard off", func(t *testing.T) { guardOff(t, make(chan struct{}, 1)) })
	attempts := 2_500
	if full() && os.Getenv("SCOPE_TEST_AGAIN") == "" {
		attempts = 100_000
	}
	for _, portable := range []bool{false, true} {
		if portable {
			attempts /= 5
		}
		t.Run(fmt.Sprintf("portable %v", portable), func(t *testing.T) {
			base, err := filepath.EvalSymlinks(t.TempDir())
			require.NoError(t, err)
			root, out := filepath.Join(base, "proj"), filepath.Join(base, "out")
			put(t, root, ".git/f", ".git/hooks/g", "d/f", "d/leaf", "e/f", "h/i/f", "leaf")
			put(t, out, "f", "leaf", "i/f", "tree/x")
			for _, d := range []string{out, filepath.Join(root, ".git")} {
				require.NoError(t, filepath.WalkDir(d, func(p string, e fs.DirEntry, err error) error {
					if err == nil && e.Type().IsRegular() {
						err = os.WriteFile(p, []byte("secret"), 0o644)
					}
					return err
				}))
			}
			links := map[string]string{"evil-d": out, "evil-e": filepath.Join(root, ".git"), "evil-h": "../out", "evil-leaf": filepath.Join(out, "leaf")}
			for l, to := range links {
				require.NoError(t, os.Symlink(to, filepath.Join(root, l)))
			}
			state := func() string {
				s := snapshot(t, out)
				return s + snapshot(t, filepath.Join(root, ".git"))
			}
			before := state()
			g, err := New(root, Options{})
			require.NoError(t, err)
			defer g.Close()
			g.held[0].portable = portable

			at := func(p string) string { return filepath.Join(root, p) }
			var ticks []chan struct{}
			var stops []func() int64
			for _, name := range []string{"d", "e", "h", "leaf"} {
				tick := make(chan struct{}, 1)
				ticks = append(ticks, tick)
				stops = append(stops, attackAt(t, at(name), at("evil-"+name), tick, nil))
			}
			var data []byte
			ops := map[string]func(i int) error{
				"ReadFile":  func(int) (err error) { data, err = g.ReadFile("d/f"); return err },
				"ReadDeep":  func(int) (err error) { data, err = g.ReadFile("h/i/f"); return err },
				"WriteFile": func(int) error { return g.WriteFile("d/f", []byte("x")) },
				"ReadLeaf":  func(int) (err error) { data, err = g.ReadFile("leaf"); return err },
				"WriteLeaf": func(int) error { return g.WriteFile("leaf", []byte("x")) },
				"WriteGit":  func(int) error { return g.WriteFile("e/f", []byte("x")) },
				"InPlace":   func(int) error { return g.Write("h/i/f", []byte("x"), WriteOptions{InPlace: true}) },
				"Create": func(int) error {
					f, err := g.Create("d/leaf")
					if err == nil {
						err = f.Close()
					}
					return err
				},
				"Mkdir":     func(i int) error { return g.Mkdir(fmt.Sprintf("d/m%d", i%7)) },
				"MkdirAll":  func(i int) error { return g.MkdirAll(fmt.Sprintf("h/i/tree%d/a", i%5)) },
				"RemoveAll": func(i int) error { return g.RemoveAll(fmt.Sprintf("h/i/tree%d", i%5)) },
				"Remove":    func(i int) error { return g.Remove(fmt.Sprintf("d/m%d", i%7)) },
				"Rename":    func(i int) error { return g.Rename("d/f", "d/f2") },
				"RenameIn":  func(i int) error { return g.Rename("d/f2", "d/f") },
				"Symlink":   func(i int) error { return g.Symlink("f", "e/s") },
				"Unlink":    func(i int) error { return g.Remove("e/s") },
				"Link":      func(i int) error { return g.Link("e/f", "e/second") },
				"Unlink2":   func(i int) error { return g.Remove("e/second") },
			}
			done, refused := map[string]int{}, map[string]int{}
			mustDo := []string{"ReadFile", "WriteFile", "WriteGit", "InPlace", "Mkdir", "RemoveAll"}
			mustRefuse := []string{"ReadFile", "WriteFile", "WriteGit", "InPlace"}
			// Few attempts may by chance come out one way only: then there are more.
			oneWay := func() bool {
				return slices.ContainsFunc(mustDo, func(s string) bool { return done[s] == 0 }) ||
					slices.ContainsFunc(mustRefuse, func(s string) bool { return refused[s] == 0 })
			}
			n := 0
			for n < attempts || n < 40*attempts && oneWay() {
				for name, op := range ops {
					n++
					data = nil
					for i := range ticks {
						if rand.IntN(2) == 0 {
							select {
							case ticks[i] <- struct{}{}:
							default: // it is at work already
							}
						}
					}
					if err := op(n); err == nil {
						done[name]++
						require.NotEqual(t, "secret", string(data), "%s read it", name)
					} else {
						refused[name]++
						var pe *PathError
						require.True(t, errors.As(err, &pe) || errors.Is(err, ErrInvalid), "%s: %v", name, err)
					}
				}
			}
			for i, stop := range stops {
				require.Positive(t, stop(), "attacker %d did nothing", i)
			}
			t.Logf("%d attempts; done %v; refused %v", n, done, refused)
			require.Positive(t, done["ReadFile"]+done["ReadDeep"])
			for _, name := range mustDo {
				require.Positive(t, done[name], name)
			}
			for _, name := range mustRefuse {
				require.Positive(t, refused[name], name)
			}
			require.Equal(t, before, state())
		})
	}
}
