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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
)

// Every row of the table: its examples, and that the loader is strict.
func TestRules(t *testing.T) {
	all, err := rows()
	require.NoError(t, err)
	require.Greater(t, len(all), 15)
	for _, r := range all {
		// The row alone, so that another row cannot hide that it fails.
		var lift []string
		for _, o := range all {
			if o.Name != r.Name {
				lift = append(lift, o.Name)
			}
		}
		l, err := NewLexical("/home/u/proj", Options{Home: "/home/u", Profile: Strict, Lift: lift}, nil)
		require.NoError(t, err)
		class := func(p string) Class {
			if rest, ok := strings.CutPrefix(p, "~"); ok {
				p = "/home/u" + rest
			}
			return l.Check(p, Write).Class
		}
		for _, p := range r.yes {
			assert.Equal(t, r.Class, class(p), "%s: %s", r.Name, p)
		}
		for _, p := range r.no {
			assert.Equal(t, Ordinary, class(p), "%s: %s", r.Name, p)
		}
		// Each pattern catches what it says itself.
		for _, p := range r.Patterns {
			assert.Equal(t, r.Class, class(strings.ReplaceAll(p, "*", "x")), "%s: %s", r.Name, p)
		}
	}
}

func TestRulesLoader(t *testing.T) {
	good := "name: a\nclass: protected\nprofile: default\npath: .x\nreason: r\nyes: .x\nno: y\n"
	_, err := parseRows(good)
	require.NoError(t, err)
	for _, bad := range []string{
		strings.Replace(good, "reason: r\n", "", 1),
		strings.Replace(good, "protected", "forbiden", 1),
		strings.Replace(good, "path: .x", "path: a?b", 1),
		strings.Replace(good, "path: .x", "path: a//b", 1),
		strings.Replace(good, "path: .x", "path: **", 1),
		strings.Replace(good, "path: .x", "path: a/**/b", 1),
		strings.Replace(good, "no: y", "nope: y", 1),
		strings.Replace(good, "no: y", "no: y\nno: z", 1),
		good + "\n" + good,
		"name\n",
	} {
		_, err := parseRows(bad)
		require.Error(t, err, bad)
	}
	_, err = NewLexical("/p", Options{Lift: []string{"nothing"}}, nil)
	require.ErrorContains(t, err, "nothing")
	_, err = NewLexical("/p", Options{Protect: []string{"rel"}}, nil)
	require.Error(t, err)
	_, err = NewLexical("/p", Options{Classes: []Rule{{Name: "x", Class: Protected, Patterns: []string{"a[b"}}}}, nil)
	require.Error(t, err)
}

func TestFold(t *testing.T) {
	for _, name := range []string{".git", ".GIT", ".Git", ".g\u200cit", ".git\ufeff", "\u202e.git", ".git.", ".git ", ".git . ",
		".git::$INDEX_ALLOCATION", ".git:x", "git~1", "GIT~2", "．ｇｉｔ", ".gıt"} {
		if name == ".gıt" { // a dotless i is another letter
			assert.NotEqual(t, ".git", Fold(name))
			continue
		}
		assert.Equal(t, ".git", Fold(name), "%q", name)
	}
	for _, name := range []string{".gitignore", "git", ".gitx", "git~", "git~10x", "..", ".", "a.git"} {
		assert.NotEqual(t, ".git", Fold(name), "%q", name)
	}
	assert.Equal(t, Fold("caf\u00e9"), Fold("cafe\u0301"))
	assert.Equal(t, Fold(".hus\u212ay"), ".husky")
	assert.Equal(t, Fold(".v\u017fcode"), ".vscode")
	assert.NotPanics(t, func() { Fold("\xff\xfe.git"); Fold("") })
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{".git", "\u0345\u03b1", "ǰ", "ŉ", "\xff.GIT", "a: .", "İ", "ﬃ", "\u1e9e", "git~1:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := Fold(s)
		if twice := Fold(once); twice != once {
			t.Fatalf("Fold(%q) = %q, again %q", s, once, twice)
		}
		if !strings.ContainsRune(s, 0xfffd) && Fold(norm.NFD.String(s)) != once && !strings.ContainsAny(s, ":. ") {
			t.Fatalf("%q and its NFD differ", s)
		}
	})
}

func TestClassByOperation(t *testing.T) {
	l, err := NewLexical("/home/u/proj", Options{Home: "/home/u", Protect: []string{"/home/u/.config/host"}, ReadOnly: []string{"/lib/ro"}}, map[string]string{
		"/home/u/proj/notes": "/home/u/.ssh/id_rsa", "/home/u/proj/up": "..", "/home/u/proj/.bashrc": "src/a"})
	require.NoError(t, err)
	for _, c := range []struct {
		path  string
		op    Op
		zone  Zone
		class Class
	}{
		{".git/config", Read, Inside, Ordinary},
		{".git/config", Write, Inside, Protected},
		{".git", RenameFrom, Inside, Protected},
		{".github", Delete, Inside, Protected},
		{".github", Create, Inside, Ordinary},
		{".github", Symlink, Inside, Protected},
		{".github/CODEOWNERS", Write, Inside, Protected},
		{".", Delete, Inside, Protected},
		{"src/..", RenameTo, Inside, Protected},
		{".env", Read, Inside, Sensitive},
		{".env", Stat, Inside, Ordinary},
		{".env.example", Read, Inside, Ordinary},
		{"testdata/key.pem", Read, Inside, Ordinary},
		{"testdata/.ssh/key.pem", Read, Inside, Sensitive},
		{"key.pem", Read, Inside, Sensitive},
		{"notes", Read, Outside, Sensitive},
		{"notes", Delete, Inside, Ordinary},
		{"up/x", Write, Outside, Ordinary},
		{".bashrc", Write, Inside, Protected},
		{".claude/worktrees/w/a.go", Write, Inside, Ordinary},
		{".claude/worktrees/w/.git", Write, Inside, Protected},
		{".claude/worktrees", Delete, Inside, Ordinary},
		{".claude", Delete, Inside, Protected},
		{"/home/u/.config/host/settings.json", Read, Outside, Forbidden},
		{"/home/u/.CONFIG/Host/x", Write, Outside, Forbidden},
		{"/home/u/.config", Delete, Outside, Forbidden},
		{"/home/u/.config/other", Write, Outside, Ordinary},
		{"/lib/ro/x", Write, Additional, Ordinary},
		{".git/x", OpUnknown, Inside, Protected},
		{"package.json", Write, Inside, Ordinary},
		{"Claude~1.md", Write, Inside, Ordinary},
		{"claude~1/settings.json", Write, Inside, Protected},
		{"env~1", Read, Inside, Sensitive},
		{"id_ed2~1", Read, Inside, Sensitive},
		{"netrc~1", Read, Inside, Sensitive},
		// Names that are short already have no other short name.
		{"id_rsa~1", Read, Inside, Ordinary},
		{"a~1.txt", Write, Inside, Ordinary},
		{"file~1.txt", Write, Inside, Ordinary},
	} {
		r := l.Check(c.path, c.op)
		assert.Equal(t, c.zone, r.Zone, "%s %s: zone", c.op, c.path)
		assert.Equal(t, c.class, r.Class, "%s %s: class (%s)", c.op, c.path, r.ClassName)
	}
	r := l.Check("/lib/ro/x", Write)
	assert.True(t, r.ReadOnly)
	assert.Equal(t, ReasonReadOnly, r.Reason)
	r = l.Check("notes", Read)
	assert.Equal(t, []string{"/home/u/proj/notes"}, r.Via)
	assert.Equal(t, "/home/u/.ssh/id_rsa", r.Real)
	assert.Equal(t, "/home/u/proj/notes", r.Clean)
	assert.Equal(t, "/home/u/proj/src/b", l.CheckFrom("src", "b", Read).Real)
	assert.Equal(t, "/home/u/b", l.CheckFrom("up", "b", Read).Real)
}

// Everyday paths must not ask.
func TestEverydayIsOrdinary(t *testing.T) {
	l, err := NewLexical("/home/u/proj", Options{Home: "/home/u"}, nil)
	require.NoError(t, err)
	for _, p := range strings.Fields(`main.go src/env.ts src/environment.ts .gitignore .gitkeep .dockerignore .editorconfig .prettierrc .eslintrc.json
		.github/ISSUE_TEMPLATE/bug.md .github/PULL_REQUEST_TEMPLATE.md package.json package-lock.json yarn.lock go.mod Makefile Dockerfile
		docs/ssh.md hooks/useAuth.ts src/hooks/index.js internal/keys/key.go public/key.pub id_ed25519.pub .env.example config/app.yml
		config/config.go config.json src/config git/config objects/x refs/x HEAD info/x scripts/pre-commit.md testdata/tls/server.key CLAUDE.md README.md
		node_modules/x/package.json vendor/a/b.go a~ backup~1.txt file~2 .cache/x build/gradle.log .claude/worktrees/w/src/a.go`) {
		for _, op := range []Op{Read, Create, Write, Append, Delete, RenameFrom, RenameTo} {
			r := l.Check(p, op)
			assert.True(t, r.Class == Ordinary && r.Zone == Inside && r.Err == nil, "%s %s: %s %v", op, p, r.ClassName, r.Err)
		}
	}
	assert.Equal(t, "/home/u/proj/x", l.CheckFrom("", "x", Read).Real)
}

// A work tree of an agent lies in a protected folder, but is a root itself.
func TestRootInWorktrees(t *testing.T) {
	l, err := NewLexical("/home/u/proj/.claude/worktrees/w1", Options{Home: "/home/u"}, nil)
	require.NoError(t, err)
	assert.Equal(t, Ordinary, l.Check("a.go", Write).Class)
	assert.Equal(t, Protected, l.Check(".git", Write).Class)
	l, err = NewLexical("/home/u/testdata", Options{Home: "/home/u"}, nil)
	require.NoError(t, err)
	assert.Equal(t, Sensitive, l.Check("key.pem", Read).Class, "an exception must not begin above the root")
}

// The index gives what trying every rule gives.
func TestRuleIndex(t *testing.T) {
	l, err := NewLexical("/home/u/proj", Options{Home: "/home/u", Profile: Strict}, nil)
	require.NoError(t, err)
	c := l.space.class
	var words []string
	for _, r := range c.rules {
		for _, p := range append(slices.Clone(r.Patterns), r.Except...) {
			p = strings.TrimPrefix(strings.TrimPrefix(p, "~/"), "/")
			words = append(words, strings.Split(strings.ReplaceAll(p, "*", "x"), "/")...)
		}
	}
	words = append(words, "src", "a.go", ".GIT", "x.PEM.", ".env:s", "home", "u")
	rnd := rand.New(rand.NewPCG(1, 2))
	classes := map[Class]int{}
	for range scaled(50_000) {
		names := []string{"home", "u", "proj"}[:rnd.IntN(4)]
		names = slices.Clone(names)
		for range 1 + rnd.IntN(3) {
			names = append(names, words[rnd.IntN(len(words))])
		}
		op := []Op{Read, Write, Create, Chmod}[rnd.IntN(4)]
		got := c.classify(names, l.space.base(names), op)
		want := verdict{class: Ordinary}
		homeLen := -1
		if under(names, c.homes[0]) {
			homeLen = 2
		}
		c.scan(&want, foldComponents(names), homeLen, l.space.base(names), op)
		require.Equal(t, want, got, "%s %v", op, names)
		classes[got.class]++
	}
	require.Len(t, classes, 3, "all classes occur")
}

func TestCritical(t *testing.T) {
	l, err := NewLexical("/srv/w/proj", Options{Home: "/home/u"}, nil)
	require.NoError(t, err)
	for p, want := range map[string]bool{"/": true, "/etc": true, "/home/u": true, "/home/u/": true, "/home": true, ".": true, "..": true,
		"/srv/w": true, "src": false, "/home/u/x": false, "/private/etc": true, "/etc/x": false, "../other": false} {
		assert.Equal(t, want, l.Check(p, Delete).Critical, p)
	}
	assert.True(t, l.CheckFrom("a/b", "..", Delete).Critical, "above the directory of the call")
	w, err := NewLexical(`C:\work\proj`, Options{}, nil)
	require.NoError(t, err)
	for p, want := range map[string]bool{`C:\`: true, `D:\`: true, `C:\Windows`: true, `C:\work\proj\x`: false} {
		assert.Equal(t, want, w.Check(p, Delete).Critical, p)
	}
}

func TestWindowsLexical(t *testing.T) {
	l, err := NewLexical(`C:\proj`, Options{Home: `C:\Users\u`}, nil)
	require.NoError(t, err)
	for p, inside := range map[string]bool{
		`src\a.txt`: true, `src/a.txt`: true, `C:\proj\x`: true, `c:/PROJ/x`: true, `\proj\x`: true, `C:\proj`: true,
		`C:\proj-evil\x`: false, `..\out`: false, `src/..\..\out`: false, `C:x`: false, `D:\proj\x`: false, `\\srv\share`: false,
		`//srv/share/x`: false, `\\?\C:\proj\x`: false, `\??\C:\proj\x`: false, `\\.\NUL`: false, `NUL`: false, `nul.txt`: false,
		`src\COM1.txt`: false, `COM¹`: false, `aux `: false, `CONIN$`: false, `a.txt:s`: false, `a.`: false, `COM10`: true, `console`: true,
	} {
		r := l.Check(p, Write)
		assert.Equal(t, inside, r.Zone == Inside && r.Err == nil, "%s: %+v", p, r)
	}
	assert.Equal(t, Protected, l.Check(`.git::$INDEX_ALLOCATION\config`, Write).Class)
}

func newGuard(t *testing.T, opts Options) (*Guard, string) {
	t.Helper()
	root := t.TempDir()
	root, err := filepath.EvalSymlinks(root)
	require.NoError(t, err)
	g, err := New(root, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	return g, root
}

// each runs a test in both ways of holding a directory.
func each(t *testing.T, run func(t *testing.T, g *Guard, root string)) {
	t.Helper()
	t.Run("native", func(t *testing.T) { g, root := newGuard(t, Options{}); run(t, g, root) })
	t.Run("portable", func(t *testing.T) {
		g, root := newGuard(t, Options{})
		g.held[0].portable = true
		run(t, g, root)
	})
}

func TestOperations(t *testing.T) {
	each(t, func(t *testing.T, g *Guard, root string) {
		require.NoError(t, g.MkdirAll("a/b/c"))
		require.NoError(t, g.MkdirAll("a/b/c"))
		require.NoError(t, g.WriteFile("a/b/c/f", []byte("one")))
		require.NoError(t, g.WriteFile(filepath.Join(root, "a", "b", "..", "b", "c", "f"), []byte("two")))
		data, err := g.ReadFile("a/b/c/f")
		require.NoError(t, err)
		require.Equal(t, "two", string(data))
		require.ErrorIs(t, g.WriteFile("nope/f", nil), fs.ErrNotExist)
		require.ErrorIs(t, g.WriteFile("a/b/c/f/", nil), errNotDir)
		require.Error(t, g.WriteFile("a", nil))
		_, err = g.Open("a/b/c/f/")
		require.ErrorIs(t, err, errNotDir)

		f, err := g.Create("a/n")
		require.NoError(t, err)
		_, err = f.WriteString("new")
		require.NoError(t, err)
		require.NoError(t, f.Close())
		list, err := g.ReadDir("a")
		require.NoError(t, err)
		var names []string
		for _, e := range list {
			names = append(names, e.Name())
			fi, err := e.Info()
			require.NoError(t, err)
			require.Equal(t, e.IsDir(), fi.IsDir())
		}
		slices.Sort(names)
		require.Equal(t, []string{"b", "n"}, names)
		list, err = g.ReadDir(".")
		require.NoError(t, err)
		require.Len(t, list, 1)

		require.NoError(t, g.Rename("a/n", "a/m"))
		require.NoError(t, g.Rename("a/m", "a/b/m"))
		require.FileExists(t, filepath.Join(root, "a", "b", "m"))
		require.Error(t, g.Remove("a/b"), "not empty")
		require.NoError(t, g.Remove("a/b/m"))
		require.NoError(t, g.Mkdir("a/d"))
		require.NoError(t, g.Remove("a/d/"))
		require.ErrorIs(t, g.Remove("."), ErrInvalid)
		require.ErrorIs(t, g.Remove("a/.."), ErrInvalid)
		require.ErrorIs(t, g.Remove(root), ErrProtected)
		require.ErrorIs(t, g.Rename("a/b/..", "x"), ErrInvalid)
		require.ErrorIs(t, g.Remove(root+"/a/../../"+filepath.Base(root)), ErrProtected)
	})
}

func TestRefusals(t *testing.T) {
	each(t, func(t *testing.T, g *Guard, root string) {
		require.NoError(t, os.MkdirAll(filepath.Join(root, ".git", "hooks"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, ".git", "config"), []byte("c"), 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(root, ".env"), []byte("TOKEN=x"), 0o644))
		_, err := g.ReadFile(".git/config")
		require.NoError(t, err, "protection is for writes")
		require.ErrorIs(t, g.WriteFile(".git/config", nil), ErrProtected)
		require.ErrorIs(t, g.WriteFile(".GIT/hooks/x", nil), ErrProtected)
		require.ErrorIs(t, g.Rename(".git", "x"), ErrProtected)
		require.ErrorIs(t, g.MkdirAll(".claude/commands"), ErrProtected)
		_, err = g.ReadFile(".env")
		require.ErrorIs(t, err, ErrSensitive)
		require.ErrorIs(t, g.Rename(".env", "env.txt"), ErrSensitive, "a rename would launder it")
		require.ErrorIs(t, g.WriteFile("../x", nil), ErrOutside)
		_, err = g.ReadFile("/etc/hostname")
		require.ErrorIs(t, err, ErrOutside)

		var pe *PathError
		require.ErrorAs(t, err, &pe)
		require.Equal(t, Outside, pe.Resolution.Zone)
		require.Equal(t, Read, pe.Op)

		w := g.With(func(op Op, real string) bool { return op == Create && real == filepath.Join(root, ".git", "config") })
		require.NoError(t, w.WriteFile(".git/config", []byte("new")))
		require.ErrorIs(t, w.WriteFile(".git/hooks/x", nil), ErrProtected)
	})
}

// Moving a directory must not move what is in it into another class.
func TestRenameDoesNotLaunder(t *testing.T) {
	each(t, func(t *testing.T, g *Guard, root string) {
		mk := func(p string) {
			require.NoError(t, os.MkdirAll(filepath.Join(root, filepath.Dir(p)), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(root, p), []byte("x"), 0o644))
		}
		mk("certs/a/server.pem")
		require.ErrorIs(t, g.Rename("certs", "testdata"), ErrSensitive)
		mk("t/workflows/ci.yml")
		require.ErrorIs(t, g.Rename("t", ".github"), ErrProtected)
		mk("h/pre-commit")
		require.ErrorIs(t, g.Rename("h", "hooks"), ErrProtected)
		mk("lib/.git/config")
		require.NoError(t, g.Rename("lib", "lib2"), "it is protected at both places")
		mk("src/a/b.go")
		require.NoError(t, g.Rename("src", "source"))
	})
}

func TestForbiddenIsNeverGranted(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	g, _ := newGuard(t, Options{Protect: []string{store}})
	all := g.With(func(Op, string) bool { return true })
	require.ErrorIs(t, all.MkdirAll(store), ErrForbidden)
	require.ErrorIs(t, all.WriteFile(filepath.Join(store, "x"), nil), ErrForbidden)
	out := filepath.Join(filepath.Dir(store), "ok")
	require.NoError(t, all.WriteFile(out, []byte("x")))
	require.FileExists(t, out)
}

func TestWriteFileKeepsModeBreaksLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes and link counts are those of Unix")
	}
	each(t, func(t *testing.T, g *Guard, root string) {
		p, q := filepath.Join(root, "run.sh"), filepath.Join(root, "other")
		require.NoError(t, os.WriteFile(p, []byte("old"), 0o600))
		require.NoError(t, os.Chmod(p, 0o751))
		require.NoError(t, os.Link(p, q))
		r := g.Check("run.sh", Write)
		require.Equal(t, uint64(2), r.Links)
		require.ErrorIs(t, r.Err, ErrHardLink)
		_, err := g.Create("run.sh")
		require.ErrorIs(t, err, ErrHardLink)
		require.NoError(t, g.WriteFile("run.sh", []byte("new")))
		fi, err := os.Stat(p)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o751), fi.Mode())
		data, err := os.ReadFile(q)
		require.NoError(t, err)
		require.Equal(t, "old", string(data))
		left, err := os.ReadDir(root)
		require.NoError(t, err)
		require.Len(t, left, 2, "no temporary file stays")
	})
}

// Paths that no honest caller writes: typed errors, no panic, no wait.
func TestHostilePaths(t *testing.T) {
	each(t, func(t *testing.T, g *Guard, root string) {
		require.NoError(t, os.Symlink("loop2", filepath.Join(root, "loop1")))
		require.NoError(t, os.Symlink("loop1", filepath.Join(root, "loop2")))
		for _, p := range []string{"", "a\x00b", strings.Repeat("a/", 500_000), strings.Repeat("x/", 10_000), "loop1", "loop1/x",
			strings.Repeat("../", 10_000) + "etc/passwd", "/proc/self/root/etc/passwd", "/dev/fd/0", "/proc/self/fd/0", "/proc/1/task/1/root/x"} {
			r := g.Check(p, Write)
			require.True(t, r.Err != nil || r.Zone == Outside, "%.40q: %+v", p, r.Zone)
			err := g.WriteFile(p, nil)
			require.Error(t, err)
			require.Error(t, g.MkdirAll(p))
			require.True(t, errors.Is(err, ErrInvalid) || errors.Is(err, ErrOutside) || errors.Is(err, ErrUnresolved), "%.40q: %.200v", p, err)
			require.Less(t, len(err.Error()), 2000)
		}
		require.ErrorIs(t, g.MkdirAll(strings.Repeat("m/", 2000)), ErrInvalid)
		for _, p := range []string{strings.Repeat("n", 300), "\xff\xfe", "a\nb", "~", "$HOME", "-rf", "*"} {
			require.NotPanics(t, func() { g.Check(p, Write) })
		}
		require.NoError(t, g.WriteFile("\xff\xfe", []byte("x")), "names are bytes")
	})
}

func TestClosed(t *testing.T) {
	g, err := New(t.TempDir(), Options{})
	require.NoError(t, err)
	require.NoError(t, g.Close())
	require.NoError(t, g.Close())
	_, err = g.ReadFile("x")
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, g.Check("x", Read).Err, ErrClosed)
}

func TestNewErrors(t *testing.T) {
	_, err := New("", Options{})
	require.ErrorIs(t, err, ErrInvalid)
	_, err = New(filepath.Join(t.TempDir(), "nope"), Options{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = New(t.TempDir(), Options{Additional: []string{"nope"}})
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = New(t.TempDir(), Options{Home: "rel"})
	require.Error(t, err)
}

// full says that the long forms of the tests run.
func full() bool { return os.Getenv("CI") == "true" }

// scaled is n, or a quarter of it where the tests are to be quick.
func scaled(n int) int {
	if full() {
		return n
	}
	return n / 4
}

// The zero values refuse.
func TestZeroValues(t *testing.T) {
	var r Resolution
	require.Equal(t, Outside, r.Zone)
	require.Equal(t, Unclassified, r.Class)
	g, _ := newGuard(t, Options{})
	require.ErrorIs(t, g.refuse(&r), ErrOutside)
	require.Error(t, g.refuse(&Resolution{Zone: Inside}))
}

// A root that is named as a read-only directory too is read-only.
func TestReadOnlyRoot(t *testing.T) {
	root := t.TempDir()
	put(t, root, "f")
	g, err := New(root, Options{ReadOnly: []string{root}})
	require.NoError(t, err)
	defer g.Close()
	require.ErrorIs(t, g.WriteFile("f", nil), ErrReadOnly)
	require.Equal(t, Inside, g.Check("f", Read).Zone)
	l, err := NewLexical("/r", Options{ReadOnly: []string{"/r/"}}, nil)
	require.NoError(t, err)
	require.True(t, l.Check("f", Write).ReadOnly)
	open, err := New(root, Options{})
	require.NoError(t, err)
	defer open.Close()
	require.NoError(t, open.WriteFile("f", nil), "without the option it is written")
}

// Links that are moved keep leading where they may lead.
func TestRenameOfLinks(t *testing.T) {
	each(t, func(t *testing.T, g *Guard, root string) {
		put(t, root, "x", "d/e/f")
		put(t, filepath.Dir(root), "x")
		defer os.Remove(filepath.Join(filepath.Dir(root), "x"))
		for link, target := range map[string]string{"d/out": "../x", "d/e/out": "../../x", "d/e/in": "f", "d/e/back": "../e/f", "d/old": "../../gone", "d/abs": root + "/x"} {
			require.NoError(t, os.Symlink(target, filepath.Join(root, link)))
		}
		require.ErrorIs(t, g.Rename("d/out", "out"), ErrOutside)
		require.ErrorIs(t, g.Rename("d/e", "e"), ErrOutside)
		require.NoError(t, g.Rename("d/out", "d/out2"), "in one directory it leads where it led")
		require.NoError(t, g.Rename("d/abs", "abs"))
		require.NoError(t, g.Rename("d/old", "old"), "it led out before")
		require.NoError(t, os.Remove(filepath.Join(root, "d", "e", "out")))
		require.NoError(t, g.Rename("d/e", "e"), "links that stay in what is moved")
		w := g.With(func(op Op, real string) bool { return op == Symlink && real == filepath.Join(filepath.Dir(root), "x") })
		require.NoError(t, w.Rename("d/out2", "out"), "a permit for where it leads")
		// Without the guard.
		data, err := os.ReadFile(filepath.Join(root, "out"))
		require.NoError(t, err)
		require.Equal(t, "x", string(data), "a program without a guard is led out")
	})
}
