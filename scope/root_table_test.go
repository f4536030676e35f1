package scope

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
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
		{"symlink to file with slash", []string{"link => target/"}, "link", ""},
		{"file with slash", nil, "target/", ""},
		{"file as directory", nil, "target/x", ""},
		{"slash after symlink to file", []string{"link => ../root/target"}, "link/", ""},
		{"slash after symlink to dir", []string{"link => ../root/d", "d/"}, "link/target", "d/target"},
		{"dotdot slash", nil, "../", "out"},
		{"dotdot dotdot slash", []string{"a/"}, "a/../../", "out"},
		{"path leaves and returns", nil, "../root/target", "target"},
		{"long path leaves and returns", []string{"a/"}, "a/../../root/target", "target"},
		{"symlink chain leaves and returns", []string{"link => a/b/c/target", "a/b => e", "a/e => ../../root", "c/"}, "link", "c/target"},
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

// Where nothing leaves the root a Guard does what os does: the situations of
// the consistency tests of os.Root. What a Guard does, os does too, and the
// trees are the same then. It may refuse more, or more gently; consistencyExceptions
// say where and why.
func TestRootConsistency(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the links of the table are those of Unix")
	}
	used := map[string]bool{}
	excepted := func(at, how string) bool {
		used[at] = true
		e, ok := consistencyExceptions[at]
		return ok && strings.HasPrefix(e, how+": ")
	}
	for name, c := range map[string]struct {
		fs   []string
		open string
	}{
		"file":                         {[]string{"target"}, "target"},
		"dir slash dot":                {[]string{"target/file"}, "target/."},
		"dot":                          {[]string{"file"}, "."},
		"file slash dot":               {[]string{"target"}, "target/."},
		"dir slash":                    {[]string{"target/file"}, "target/"},
		"dot slash":                    {[]string{"file"}, "./"},
		"file slash":                   {[]string{"target"}, "target/"},
		"file in path":                 {[]string{"file"}, "file/target"},
		"directory in path missing":    {nil, "dir/target"},
		"target does not exist":        {nil, "target"},
		"symlink slash":                {[]string{"target/file", "link => target"}, "link/"},
		"symlink slash dot":            {[]string{"target/file", "link => target"}, "link/."},
		"unresolved symlink":           {[]string{"link => target"}, "link"},
		"unresolved symlink slash":     {[]string{"link => target"}, "link/"},
		"unresolved symlink slash dot": {[]string{"link => target"}, "link/."},
		"unresolved symlink in path":   {[]string{"link => target"}, "link/f"},
		"symlink to file slash":        {[]string{"target", "link => target"}, "link/"},
		"symlink to file slash dot":    {[]string{"target", "link => target"}, "link/."},
		"symlink to file in path":      {[]string{"target", "link => target"}, "link/../target"},
		"missing slash":                {nil, "target/"},
		"missing slash dot":            {nil, "target/."},
		"missing dotdot":               {[]string{"target"}, "dir/../target"},
		"file dotdot":                  {[]string{"file", "target"}, "file/../target"},
		"many slashes":                 {[]string{"target"}, "target///"},
		"symlink to dir many slashes":  {[]string{"target/file", "link => target"}, "link//"},
		"resolved symlink":             {[]string{"link => target", "target"}, "link"},
		"dotdot in path after symlink": {[]string{"a => b/c", "b/c/", "b/target"}, "a/../target"},
		"symlink to dir with slash":    {[]string{"dir/", "link => dir/"}, "link"},
		"symlink to file with slash":   {[]string{"file", "link => file/"}, "link"},
		"long file name":               {nil, strings.Repeat("a", 500)},
		"unreadable directory":         {[]string{"dir/target", "chmod dir"}, "dir/target"},
		"socket":                       {[]string{"socket a"}, "a"},
		"socket in path":               {[]string{"socket a"}, "a/b"},
		"question mark":                {nil, "?"},
		"nul byte":                     {nil, "\x00"},
	} {
		ops := map[string][2]func(g *Guard, root string) error{
			"Open": {func(g *Guard, _ string) error { f, err := g.Open(c.open); f.Close(); return err },
				func(_ *Guard, root string) error { f, err := os.Open(root + "/" + c.open); f.Close(); return err }},
			"Stat": {func(g *Guard, _ string) error { _, err := g.Stat(c.open); return err },
				func(_ *Guard, root string) error { _, err := os.Stat(root + "/" + c.open); return err }},
			"ReadFile": {func(g *Guard, _ string) error { _, err := g.ReadFile(c.open); return err },
				func(_ *Guard, root string) error { _, err := os.ReadFile(root + "/" + c.open); return err }},
			"ReadDir": {func(g *Guard, _ string) error { _, err := g.ReadDir(c.open); return err },
				func(_ *Guard, root string) error { _, err := os.ReadDir(root + "/" + c.open); return err }},
			"Create": {func(g *Guard, _ string) error { f, err := g.Create(c.open); f.Close(); return err },
				func(_ *Guard, root string) error { f, err := os.Create(root + "/" + c.open); f.Close(); return err }},
			"Mkdir": {func(g *Guard, _ string) error { return g.Mkdir(c.open) },
				func(_ *Guard, root string) error { return os.Mkdir(root+"/"+c.open, 0o777) }},
			"MkdirAll": {func(g *Guard, _ string) error { return g.MkdirAll(c.open) },
				func(_ *Guard, root string) error { return os.MkdirAll(root+"/"+c.open, 0o777) }},
			"Remove": {func(g *Guard, _ string) error { return g.Remove(c.open) },
				func(_ *Guard, root string) error { return os.Remove(root + "/" + c.open) }},
			"RemoveAll": {func(g *Guard, _ string) error { return g.RemoveAll(c.open) },
				func(_ *Guard, root string) error { return os.RemoveAll(root + "/" + c.open) }},
			"Rename": {func(g *Guard, _ string) error { return g.Rename(c.open, "new") },
				func(_ *Guard, root string) error { return os.Rename(root+"/"+c.open, root+"/new") }},
		}
		for op, run := range ops {
			for _, portable := range []bool{false, true} {
				var errs [2]error
				var trees [2]string
				for i := range run {
					base, err := filepath.EvalSymlinks(t.TempDir())
					require.NoError(t, err)
					root := filepath.Join(base, "r")
					require.NoError(t, os.Mkdir(root, 0o755))
					for _, line := range c.fs {
						p, to, link := strings.Cut(line, " => ")
						what, dir, special := strings.Cut(line, " ")
						switch {
						case link:
							require.NoError(t, os.Symlink(to, filepath.Join(root, p)))
						case special && what == "chmod":
							require.NoError(t, os.Chmod(filepath.Join(root, dir), 0))
						case special:
							l, err := net.Listen("unix", filepath.Join(root, dir))
							if err != nil {
								t.Skipf("no socket with such a long name: %v", err)
							}
							defer l.Close()
						case strings.HasSuffix(line, "/"):
							require.NoError(t, os.MkdirAll(filepath.Join(root, line), 0o755))
						default:
							put(t, root, line)
						}
					}
					g, err := New(root, Options{})
					require.NoError(t, err)
					g.held[0].portable = portable
					errs[i] = run[i](g, root)
					require.NoError(t, g.Close())
					_ = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
						if err == nil {
							if d.Name() == "dir" && strings.HasPrefix(name, "unreadable") {
								_ = os.Chmod(p, 0o755)
							}
							trees[i] += strings.TrimPrefix(p, root) + " " + d.Type().String() + "\n"
						}
						return nil
					})
				}
				at := name + ": " + op
				switch {
				case errs[0] != nil && errs[1] == nil:
					assert.True(t, excepted(at, "stricter"), "%s: only os does it, the guard says %v", at, errs[0])
				case errs[0] == nil && errs[1] != nil:
					assert.True(t, excepted(at, "laxer"), "%s: only the guard does it, os says %v", at, errs[1])
				case trees[0] != trees[1]:
					assert.True(t, excepted(at, "other"), "%s: os leaves %q, the guard %q (%v)", at, trees[1], trees[0], errs[1])
				}
			}
		}
	}
	for at := range consistencyExceptions {
		assert.True(t, used[at], "%s: the exception is not needed", at)
	}
}

// consistencyExceptions are what a Guard does otherwise than os, as
// "stricter", "laxer" or "other: reason".
var consistencyExceptions = map[string]string{
	"dot slash: RemoveAll":     "other: both fail, but os empties the directory before (os.Root too); a Guard refuses first",
	"missing dotdot: MkdirAll": "other: both fail at the file, but os makes the first part of the path before; a Guard looks at the whole path first",
}
