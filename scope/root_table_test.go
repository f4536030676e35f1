package scope

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The situations of the tests of os.Root (Go's src/os/root_test.go), written
// anew for the operations of a Guard: what is in the tree ("name => target" is
// a link, a trailing slash a directory), what is opened, and what it must be.
// Where os.Root refuses an absolute link that stays inside, a Guard follows it.
func TestRootTable(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the links of the table are those of Unix")
	}
	for _, c := range []struct {
		name string
		fs   []string
		open string
		// target is the file that it is; "out" means that it leaves the root,
		// "" that it does not exist or cannot be used.
		target string
	}{
		{"plain path", nil, "target", "target"},
		{"path in directory", []string{"a/b/c/"}, "a/b/c/target", "a/b/c/target"},
		{"symlink", []string{"link => target"}, "link", "target"},
		{"symlink dotdot slash", []string{"link => ../"}, "link", "out"},
		{"symlink ending in slash", []string{"dir/", "link => dir/"}, "link/target", "dir/target"},
		{"symlink dotdot dotdot slash", []string{"dir/link => ../../"}, "dir/link", "out"},
		{"symlink chain", []string{"link => a/b/c/target", "a/b => e", "a/e => ../f", "f => g/h/i", "g/h/i => ..", "g/c/"}, "link", "g/c/target"},
		{"path with dot", []string{"a/b/"}, "./a/./b/./target", "a/b/target"},
		{"path with dotdot", []string{"a/b/"}, "a/../a/b/../../a/b/../b/target", "a/b/target"},
		{"path with dotdot slash", []string{"a/"}, "a/../target", "target"},
		{"path with dotdot no slash", []string{"a/"}, "a/../a/target", "a/target"},
		{"dotdot no symlink", []string{"a/"}, "a/../../out/secret", "out"},
		{"dotdot after symlink", []string{"a => b/c", "b/c/"}, "a/../target", "b/target"},
		{"dotdot before symlink", []string{"a => b/c", "b/c/"}, "b/../a/target", "b/c/target"},
		{"symlink ends in dot", []string{"a => b/.", "b/"}, "a/target", "b/target"},
		{"symlink to dot", []string{"a => ."}, "a/target", "target"},
		{"directory does not exist", nil, "nope/target", ""},
		{"empty path", nil, "", ""},
		{"symlink cycle", []string{"a => a"}, "a", ""},
		{"symlink cycle of two", []string{"a => b", "b => a"}, "a/x", ""},
		{"path escapes", nil, "../root2/target", "out"},
		{"long path escapes", []string{"a/"}, "a/../../out/secret", "out"},
		{"absolute symlink", []string{"link => $ROOT/dir/target", "dir/"}, "link", "dir/target"},
		{"absolute symlink out", []string{"link => $OUT/secret"}, "link", "out"},
		{"relative symlink leaves and returns", []string{"link => ../root/target"}, "link", "target"},
		{"relative symlink out", []string{"link => ../out/secret"}, "link", "out"},
		{"symlink chain escapes", []string{"link => a/secret", "a => b", "b => ../out"}, "link", "out"},
		{"symlink to dangling out", []string{"link => $OUT/new"}, "link", "out"},
		// The kernel minds the slash; a Guard takes it for what it resolves to.
		{"symlink to file with slash", []string{"link => target/"}, "link", "target"},
		{"file with slash", nil, "target/", ""},
		{"file as directory", nil, "target/x", ""},
		{"nine links", []string{"l1 => l2", "l2 => l3", "l3 => l4", "l4 => l5", "l5 => l6", "l6 => l7", "l7 => l8", "l8 => l9", "l9 => target"}, "l1", "target"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			base, err := filepath.EvalSymlinks(t.TempDir())
			require.NoError(t, err)
			root, out := filepath.Join(base, "root"), filepath.Join(base, "out")
			tree := func() {
				require.NoError(t, os.RemoveAll(root))
				require.NoError(t, os.RemoveAll(out))
				put(t, root, "target")
				put(t, out, "secret")
				put(t, base, "root2/target")
				if c.target != "" && c.target != "out" {
					put(t, root, c.target)
				}
				for _, line := range c.fs {
					p, to, link := strings.Cut(line, " => ")
					p = filepath.Join(root, p)
					require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
					if link {
						require.NoError(t, os.Symlink(strings.NewReplacer("$ROOT", root, "$OUT", out).Replace(to), p))
					} else {
						require.NoError(t, os.MkdirAll(p, 0o755))
					}
				}
			}
			ops := map[string]func(g *Guard) error{
				"Open": func(g *Guard) error {
					f, err := g.Open(c.open)
					if err == nil {
						f.Close()
					}
					return err
				},
				"ReadFile":  func(g *Guard) error { _, err := g.ReadFile(c.open); return err },
				"Stat":      func(g *Guard) error { _, err := g.Stat(c.open); return err },
				"WriteFile": func(g *Guard) error { return g.WriteFile(c.open, []byte("new")) },
				"InPlace":   func(g *Guard) error { return g.Write(c.open, []byte("new"), WriteOptions{InPlace: true}) },
				"Create": func(g *Guard) error {
					f, err := g.Create(c.open)
					if err == nil {
						_, err = f.WriteString("new")
						f.Close()
					}
					return err
				},
				"MkdirAll":  func(g *Guard) error { return g.MkdirAll(c.open) },
				"Remove":    func(g *Guard) error { return g.Remove(c.open + "/x") },
				"RemoveAll": func(g *Guard) error { return g.RemoveAll(c.open + "/x/y") },
				"Rename":    func(g *Guard) error { return g.Rename("target", c.open+"/x") },
			}
			for name, op := range ops {
				for _, portable := range []bool{false, true} {
					if portable && !full() && name != "ReadFile" && name != "WriteFile" && name != "Create" {
						continue
					}
					tree()
					g, err := New(root, Options{})
					require.NoError(t, err)
					g.held[0].portable = portable
					before := snapshot(t, out)
					err = op(g)
					require.NoError(t, g.Close())
					require.Equal(t, before, snapshot(t, out), name)
					switch {
					case c.target == "out":
						require.ErrorIs(t, err, ErrOutside, name)
					case name == "MkdirAll" || name == "Remove" || name == "RemoveAll" || name == "Rename":
					case c.target == "":
						if name == "WriteFile" || name == "Create" || name == "InPlace" {
							require.Error(t, err, name)
						}
					default:
						require.NoError(t, err, "%s portable %v", name, portable)
						data, err := os.ReadFile(filepath.Join(root, c.target))
						require.NoError(t, err)
						want := "x"
						if name == "WriteFile" || name == "Create" || name == "InPlace" {
							want = "new"
						}
						require.Equal(t, want, string(data), name)
					}
				}
			}
			if c.target == "out" && !strings.Contains(c.name, "dotdot") && !strings.Contains(c.name, "dangling") {
				tree()
				_, err := os.ReadFile(root + "/" + c.open)
				require.NoError(t, err, "without the guard it is reached")
			}
		})
	}
}
