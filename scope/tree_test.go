package scope

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
)

func put(t testing.TB, root string, files ...string) {
	t.Helper()
	for _, f := range files {
		f = filepath.Join(root, f)
		require.NoError(t, os.MkdirAll(filepath.Dir(f), 0o755))
		require.NoError(t, os.WriteFile(f, []byte("x"), 0o644))
	}
}

func TestRemoveAll(t *testing.T) {
	each(t, func(t *testing.T, g *Guard, root string) {
		out := t.TempDir()
		put(t, out, "f")
		put(t, root, "d/a/b/f", "d/g", "keep", "e/.git/config", "e/x", "s/.env", "s/x", "node/.github/workflows/ci.yml")
		require.NoError(t, os.Symlink(out, filepath.Join(root, "d", "l")))
		require.NoError(t, os.Symlink(out, filepath.Join(root, "l")))
		require.NoError(t, g.RemoveAll("d/"))
		require.NoDirExists(t, filepath.Join(root, "d"))
		require.NoError(t, g.RemoveAll("d"), "it is gone")
		require.NoError(t, g.RemoveAll("l"))
		require.FileExists(t, filepath.Join(out, "f"))
		put(t, root, "inner/f")
		for _, p := range []string{"m/", "m//"} {
			require.NoError(t, os.Symlink("inner", filepath.Join(root, "m")))
			require.ErrorIs(t, g.Remove(p), errNotDir, "as rmdir(2) does")
			require.NoError(t, g.RemoveAll(p), "the link, as os.RemoveAll does")
			require.NoFileExists(t, filepath.Join(root, "m"))
			require.FileExists(t, filepath.Join(root, "inner", "f"))
		}

		before := snapshot(t, root)
		for p, want := range map[string]error{
			"e": ErrProtected, "e/.git": ErrProtected, "s": ErrSensitive, "node": ErrProtected, ".": ErrInvalid, "e/..": ErrInvalid,
			"s/./..": ErrInvalid, "..": ErrInvalid, root: ErrProtected, filepath.Dir(root): ErrProtected, out: ErrOutside,
			"/": ErrProtected,
		} {
			require.ErrorIs(t, g.RemoveAll(p), want, p)
		}
		require.Equal(t, before, snapshot(t, root), "nothing went before it was refused")
		require.FileExists(t, filepath.Join(out, "f"))

		w := g.With(func(op Op, real string) bool { return op == Delete && real == filepath.Join(root, "e", ".git") })
		require.NoError(t, w.RemoveAll("e"), "what was permitted goes with the rest")
		require.ErrorIs(t, w.RemoveAll("s"), ErrSensitive)
		require.NoError(t, g.RemoveAll("s/x"))

		// More names than one listing holds, and a deep tree.
		require.NoError(t, os.Mkdir(filepath.Join(root, "many"), 0o755))
		for i := range 1100 {
			f, err := os.Create(filepath.Join(root, "many", time.Duration(i).String()))
			require.NoError(t, err)
			require.NoError(t, f.Close())
		}
		require.NoError(t, os.MkdirAll(filepath.Join(root, "deep", strings.Repeat("x/", 100)), 0o755))
		require.NoError(t, g.RemoveAll("many"))
		require.NoError(t, g.RemoveAll("deep"))
		require.NoDirExists(t, filepath.Join(root, "many"))
		require.NoDirExists(t, filepath.Join(root, "deep"))
	})
}

func TestSymlink(t *testing.T) {
	each(t, func(t *testing.T, g *Guard, root string) {
		put(t, root, "src/a", ".env", ".git/config")
		require.NoError(t, g.Symlink("a", "src/l"))
		require.NoError(t, g.Symlink("../src/a", "src/m"))
		require.NoError(t, g.Symlink(filepath.Join(root, "src"), "abs"))
		require.NoError(t, g.Symlink("not-yet", "dangling"))
		data, err := g.ReadFile("src/m")
		require.NoError(t, err)
		require.Equal(t, "x", string(data))
		for target, want := range map[string]error{
			"/etc/passwd": ErrOutside, "../x": ErrOutside, "src/../../x": ErrOutside, ".env": ErrSensitive, ".git/config": ErrProtected,
			"": ErrInvalid, "a\x00": ErrInvalid, "src/l/../../../x": ErrOutside, "/proc/self/root": ErrInvalid,
		} {
			require.ErrorIs(t, g.Symlink(target, "new"), want, "%q", target)
			require.NoFileExists(t, filepath.Join(root, "new"))
		}
		require.ErrorIs(t, g.Symlink("src", ".claude"), ErrProtected)
		require.ErrorIs(t, g.Symlink("src", "../x"), ErrOutside)
		require.ErrorIs(t, g.Symlink("src/a", "src/l"), fs.ErrExist)
		require.ErrorIs(t, g.Symlink("src", "x/.."), ErrInvalid)
		w := g.With(func(op Op, real string) bool { return op == Symlink && real == "/etc/passwd" })
		require.NoError(t, w.Symlink("/etc/passwd", "p"))
		_, err = w.ReadFile("p")
		require.ErrorIs(t, err, ErrOutside, "the link was permitted, not what it leads to")
	})
}

func TestLink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("link counts are those of Unix")
	}
	each(t, func(t *testing.T, g *Guard, root string) {
		put(t, root, "a", "d/b", ".env", ".git/config")
		require.NoError(t, os.Symlink(".env", filepath.Join(root, "l")))
		require.NoError(t, g.Link("a", "a2"))
		require.NoError(t, g.Link("a", "d/a3"))
		fi, err := g.Stat("a")
		require.NoError(t, err)
		require.Equal(t, uint64(3), linksOf(fi))
		for old, want := range map[string]error{".env": ErrSensitive, ".git/config": ErrProtected, "/etc/passwd": ErrOutside, "l": ErrSpecial, "d": ErrSpecial, "nope": fs.ErrNotExist} {
			require.ErrorIs(t, g.Link(old, "n"), want, old)
		}
		require.ErrorIs(t, g.Link("a", ".git/hooks"), ErrProtected)
		require.ErrorIs(t, g.Link("a", "../x"), ErrOutside)
		require.ErrorIs(t, g.Link("a", "d/b"), fs.ErrExist)
	})
}

func TestWriteInPlace(t *testing.T) {
	each(t, func(t *testing.T, g *Guard, root string) {
		put(t, root, "f", "h", ".git/config")
		before, err := os.Stat(filepath.Join(root, "f"))
		require.NoError(t, err)
		require.NoError(t, g.Write("f", []byte("longer than before"), WriteOptions{InPlace: true, Sync: true}))
		require.NoError(t, g.Write("f", []byte("s"), WriteOptions{InPlace: true}))
		after, err := os.Stat(filepath.Join(root, "f"))
		require.NoError(t, err)
		require.True(t, os.SameFile(before, after))
		data, err := g.ReadFile("f")
		require.NoError(t, err)
		require.Equal(t, "s", string(data))
		require.NoError(t, g.Write("new", []byte("n"), WriteOptions{InPlace: true}))
		require.NoError(t, g.Write("f", []byte("replaced"), WriteOptions{Sync: true}))
		replaced, err := os.Stat(filepath.Join(root, "f"))
		require.NoError(t, err)
		require.False(t, os.SameFile(before, replaced))
		if runtime.GOOS != "windows" {
			require.NoError(t, os.Link(filepath.Join(root, "h"), filepath.Join(root, "h2")))
			require.ErrorIs(t, g.Write("h", nil, WriteOptions{InPlace: true}), ErrHardLink)
			// A second name that comes after the look.
			put(t, root, "late")
			g.hook = func(real string) {
				if strings.HasSuffix(real, "late") {
					_ = os.Link(real, filepath.Join(root, "late2"))
				}
			}
			require.ErrorIs(t, g.Write("late", nil, WriteOptions{InPlace: true}), ErrHardLink)
			g.hook = nil
		}
		require.ErrorIs(t, g.Write(".git/config", nil, WriteOptions{InPlace: true}), ErrProtected)
	})
}

// An edit fails where somebody else has written since the file was read.
func TestExpect(t *testing.T) {
	each(t, func(t *testing.T, g *Guard, root string) {
		for _, inPlace := range []bool{false, true} {
			put(t, root, "f")
			file := filepath.Join(root, "f")
			write := func(v Version, data string) error {
				return g.Write("f", []byte(data), WriteOptions{Expect: &v, InPlace: inPlace})
			}
			_, v, err := g.ReadVersion("f")
			require.NoError(t, err)
			require.NoError(t, os.Chtimes(file, time.Time{}, time.Unix(1, 0)), "a touch is no change")
			require.NoError(t, write(v, "1"))
			require.ErrorIs(t, write(v, "2"), ErrChanged)
			_, v, err = g.ReadVersion("f")
			require.NoError(t, err)

			// Somebody writes the same length, then puts the times back.
			fi, err := os.Stat(file)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(file, []byte("X"), 0o644))
			require.NoError(t, os.Chtimes(file, fi.ModTime(), fi.ModTime()))
			require.ErrorIs(t, write(v, "2"), ErrChanged)
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, "X", string(data), "theirs stays")
			require.NoError(t, g.Write("f", []byte("2"), WriteOptions{}), "without Expect it is overwritten")

			require.ErrorIs(t, write(Version{}, "3"), ErrChanged, "it was to be missing")
			require.NoError(t, os.Remove(file))
			require.ErrorIs(t, write(v, "3"), ErrChanged, "it was to be there")
			_, v, err = g.ReadVersion("f")
			require.ErrorIs(t, err, fs.ErrNotExist)
			require.NoError(t, write(v, "3"))

			// It comes while the new one is being written.
			require.NoError(t, os.Remove(file))
			g.hook = func(string) { _ = os.WriteFile(file, []byte("theirs"), 0o644) }
			require.ErrorIs(t, write(Version{}, "4"), ErrChanged)
			g.hook = nil
			left, err := os.ReadDir(root)
			require.NoError(t, err)
			require.Len(t, left, 1, "no temporary file stays")
		}
	})
}

func TestFS(t *testing.T) {
	each(t, func(t *testing.T, g *Guard, root string) {
		put(t, root, "a.go", "src/b.go", "src/.env", ".env", "keys/server.pem", "keys/server.pub", ".ssh/id_rsa", ".git/config")
		require.NoError(t, os.Symlink("/etc", filepath.Join(root, "etc")))
		require.NoError(t, os.Symlink(".env", filepath.Join(root, "l")))
		fsys := g.FS()
		var seen []string
		require.NoError(t, fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
			require.NoError(t, err, p)
			seen = append(seen, p)
			return nil
		}))
		require.Equal(t, []string{".", ".git", ".git/config", "a.go", "etc", "keys", "keys/server.pub", "l", "src", "src/b.go"}, seen)
		for _, p := range []string{".env", "src/.env", "l", ".ssh/id_rsa", "keys/server.pem"} {
			_, err := fs.ReadFile(fsys, p)
			require.ErrorIs(t, err, fs.ErrNotExist, p)
			require.ErrorIs(t, err, ErrSensitive, p)
			_, err = fs.Stat(fsys, p)
			require.ErrorIs(t, err, fs.ErrNotExist, p)
		}
		_, err := fs.ReadFile(fsys, "etc/passwd")
		require.ErrorIs(t, err, ErrOutside)
		list, err := fs.ReadDir(fsys, ".ssh")
		require.NoError(t, err)
		require.Empty(t, list)
		for _, p := range []string{"../x", "/etc/passwd", "a/../b", "", "a\x00"} {
			_, err := fsys.Open(p)
			require.ErrorIs(t, err, fs.ErrInvalid, "%q", p)
		}
		// With the permit of a grant the name is there again.
		w := g.With(func(op Op, real string) bool { return op == Read && real == filepath.Join(root, ".env") }).FS()
		data, err := fs.ReadFile(w, ".env")
		require.NoError(t, err)
		require.Equal(t, "x", string(data))
		list, err = fs.ReadDir(w, ".")
		require.NoError(t, err)
		require.True(t, slices.ContainsFunc(list, func(e fs.DirEntry) bool { return e.Name() == ".env" }))
		require.NoError(t, os.Remove(filepath.Join(root, "etc")))
		require.NoError(t, os.Remove(filepath.Join(root, "l")))
		require.NoError(t, fstest.TestFS(fsys, "a.go", "src/b.go", "keys/server.pub"))
	})
}

// What is asked about one name in a directory is what is asked about the path.
func TestJudgement(t *testing.T) {
	l, err := NewLexical("/home/u/proj", Options{Home: "/home/u", Profile: Strict, Protect: []string{"/home/u/proj/own/settings"},
		Classes: []Rule{{Name: "late", Class: Sensitive, Patterns: []string{"vault/*", "a*/b", "x/y/*z"}, Reason: "r"}}}, nil)
	require.NoError(t, err)
	s := l.space
	var words []string
	for _, r := range s.class.rules {
		for _, p := range append(slices.Clone(r.Patterns), r.Except...) {
			p = strings.TrimPrefix(strings.TrimPrefix(p, "~/"), "/")
			words = append(words, strings.Split(strings.ReplaceAll(p, "*", "x"), "/")...)
		}
	}
	words = append(words, "src", "a.go", ".GIT", "x.PEM.", ".env:s", "own", "settings", "vault", "ab", "b", "claude~1", "README.md")
	rnd := rand.New(rand.NewPCG(3, 4))
	classes := map[Class]int{}
	for range scaled(50_000) {
		names := []string{"home", "u", "proj"}
		for range rnd.IntN(3) {
			names = append(names, words[rnd.IntN(len(words))])
		}
		last := words[rnd.IntN(len(words))]
		op := []Op{Read, Create, Delete, RenameFrom, Write}[rnd.IntN(5)]
		want := s.class.classify(append(slices.Clone(names), last), s.base(names), op)
		got := s.judge(names).class(last, op)
		require.Equal(t, want, got, "%s %v %s", op, names, last)
		classes[got.class]++
	}
	require.Len(t, classes, 4)
}

func TestSurvey(t *testing.T) {
	g, root := newGuard(t, Options{})
	put(t, root, ".git/config", "a/.env", "b/.github/workflows/ci.yml", "node_modules/x/.npmrc", "bare/HEAD", "bare/objects/x", "bare/refs/x")
	list, err := g.Survey(0, "node_modules")
	require.NoError(t, err)
	have := map[string]bool{}
	for _, m := range list {
		if m.Root == "" {
			continue // of the machine that this runs on
		}
		rel, err := filepath.Rel(root, m.Path)
		require.NoError(t, err)
		if m.Exists {
			have[filepath.ToSlash(rel)] = true
		} else {
			r := g.Check(m.Path, Create)
			require.True(t, r.Class >= Protected || g.Check(m.Path, Delete).Class >= Protected, "%s", m.Path)
		}
	}
	for _, want := range []string{".git", "a/.env", "b/.github/workflows", "bare"} {
		require.True(t, have[want], "%s in %v", want, have)
	}
	require.Len(t, have, 4)
	require.True(t, slices.ContainsFunc(list, func(m Marked) bool { return strings.HasSuffix(m.Path, "Jenkinsfile") && !m.Exists }), "as it is spelled")
	_, err = g.Survey(2)
	require.ErrorIs(t, err, ErrTooLarge)
	require.True(t, errors.Is(err, ErrTooLarge))
	require.NoError(t, g.Close())
	_, err = g.Survey(0)
	require.ErrorIs(t, err, ErrClosed)
}
