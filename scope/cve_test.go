//go:build unix

package scope

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each test below first does the attack without the guard and asserts that it
// works, then with it.

// victim is a root beside a directory that must stay as it is.
func victim(t *testing.T) (g *Guard, root, out string) {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	root, out = filepath.Join(base, "proj"), filepath.Join(base, "proj-evil")
	require.NoError(t, os.Mkdir(root, 0o755))
	require.NoError(t, os.Mkdir(out, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(out, "secret"), []byte("secret"), 0o644))
	g, err = New(root, Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	return g, root, out
}

// A sibling whose name begins like the root.
func TestCVE_2025_54794_CVE_2025_53110_CVE_2026_34451_Prefix(t *testing.T) {
	g, root, out := victim(t)
	p := filepath.Join(out, "secret")
	require.Equal(t, root, p[:len(root)], "a check of the prefix alone lets it pass")
	_, err := g.ReadFile(p)
	require.ErrorIs(t, err, ErrOutside)
}

// A link to an outside file.
func TestCVE_2025_53109_Symlink(t *testing.T) {
	g, root, out := victim(t)
	l := filepath.Join(root, "l")
	require.NoError(t, os.Symlink(filepath.Join(out, "secret"), l))
	data, err := os.ReadFile(l)
	require.NoError(t, err)
	require.Equal(t, "secret", string(data), "without the guard the link is followed")
	_, err = g.ReadFile("l")
	require.ErrorIs(t, err, ErrOutside)
	require.ErrorIs(t, g.WriteFile("l", []byte("x")), ErrOutside)
}

// A link planted by a confined process, followed by an unconfined one.
func TestCVE_2026_39861_PlantedLink(t *testing.T) {
	g, root, out := victim(t)
	require.NoError(t, g.Mkdir("d"))
	require.NoError(t, g.WriteFile("d/f", []byte("1")))
	require.NoError(t, os.RemoveAll(filepath.Join(root, "d")))
	require.NoError(t, os.Symlink(out, filepath.Join(root, "d")))
	require.ErrorIs(t, g.WriteFile("d/f", []byte("2")), ErrOutside, "nothing that was resolved before is kept")
	require.NoFileExists(t, filepath.Join(out, "f"))
	require.NoError(t, os.WriteFile(filepath.Join(root, "d", "f"), nil, 0o644))
	require.FileExists(t, filepath.Join(out, "f"), "without the guard the link is followed")
}

// Resolution fails, so the raw path is used: a dangling link.
func TestCVE_2026_50549_DanglingLink(t *testing.T) {
	g, root, out := victim(t)
	l := filepath.Join(root, "l")
	require.NoError(t, os.Symlink(filepath.Join(out, "new"), l))
	_, err := g.Create("l")
	require.ErrorIs(t, err, ErrOutside)
	require.ErrorIs(t, g.WriteFile("l", nil), ErrOutside)
	require.ErrorIs(t, g.MkdirAll("l/x"), ErrOutside)
	require.NoFileExists(t, filepath.Join(out, "new"))
	require.NoError(t, os.WriteFile(l, nil, 0o644))
	require.FileExists(t, filepath.Join(out, "new"), "without the guard the file is made outside")
}

// A trailing slash follows the last link.
func TestCVE_2026_39822_TrailingSlash(t *testing.T) {
	g, root, out := victim(t)
	require.NoError(t, os.Symlink(out, filepath.Join(root, "l")))
	list, err := os.ReadDir(filepath.Join(root, "l") + "/")
	require.NoError(t, err)
	require.Len(t, list, 1, "without the guard the link is followed")
	for _, p := range []string{"l/", "l/.", "l//", "l/./"} {
		_, err := g.ReadDir(p)
		require.ErrorIs(t, err, ErrOutside, p)
		require.Error(t, g.Remove(p), p)
	}
	require.NoError(t, g.Remove("l"), "the link itself may go")
	require.DirExists(t, out)
}

// A rule is tested on the name of the link only.
func TestCVE_2026_25724_RuleOnLinkName(t *testing.T) {
	g, root, _ := victim(t)
	require.NoError(t, os.WriteFile(filepath.Join(root, ".env"), []byte("TOKEN"), 0o644))
	require.NoError(t, os.Symlink(".env", filepath.Join(root, "notes.txt")))
	data, err := os.ReadFile(filepath.Join(root, "notes.txt"))
	require.NoError(t, err)
	require.Equal(t, "TOKEN", string(data))
	_, err = g.ReadFile("notes.txt")
	require.ErrorIs(t, err, ErrSensitive)
}

// A protected file that does not exist when the session starts.
func TestCVE_2026_25725_MissingSettings(t *testing.T) {
	g, root, _ := victim(t)
	require.NoFileExists(t, filepath.Join(root, ".claude", "settings.json"))
	require.ErrorIs(t, g.WriteFile(".claude/settings.json", nil), ErrProtected)
	require.ErrorIs(t, g.MkdirAll(".claude"), ErrProtected)
	require.NoError(t, g.Mkdir("x"))
	require.ErrorIs(t, g.Rename("x", ".claude"), ErrProtected)
}

// Names that other file systems take for .git.
func TestCVE_2014_9390_CVE_2019_1352_GitNames(t *testing.T) {
	g, _, _ := victim(t)
	for _, n := range []string{".GIT", ".Git", ".g\u200cit", "git~1", ".git ", ".git.", ".git::$INDEX_ALLOCATION", "．git"} {
		require.ErrorIs(t, g.WriteFile(n+"/config", nil), ErrProtected, "%q", n)
		require.ErrorIs(t, g.MkdirAll(n+"/hooks"), ErrProtected, "%q", n)
	}
}

// Settings with other case (the check was exact, the file system was not).
func TestCVE_2025_59944_Case(t *testing.T) {
	g, _, _ := victim(t)
	require.ErrorIs(t, g.MkdirAll(".CURSOR/x"), ErrProtected)
	require.ErrorIs(t, g.WriteFile(".Cursor/mcp.json", nil), ErrProtected)
}

// A directory that is a git directory though nothing is called .git.
func TestCVE_2026_26268_BareRepository(t *testing.T) {
	g, root, _ := victim(t)
	require.NoError(t, g.MkdirAll("x/objects"))
	require.NoError(t, g.WriteFile("x/config", nil), "not yet a repository")
	require.NoError(t, g.WriteFile("x/HEAD", nil))
	require.ErrorIs(t, g.Mkdir("x/refs"), ErrProtected, "the step that makes it one")
	require.NoError(t, os.Mkdir(filepath.Join(root, "x", "refs"), 0o755))
	require.ErrorIs(t, g.WriteFile("x/config", nil), ErrProtected)
	require.ErrorIs(t, g.MkdirAll("x/hooks"), ErrProtected)
	require.NoError(t, g.WriteFile("x/README", nil), "git does not look at it")
}

// A .git file that names a directory elsewhere in the root.
func TestGitPointer(t *testing.T) {
	g, root, _ := victim(t)
	require.NoError(t, os.MkdirAll(filepath.Join(root, "wt"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "gd"), 0o755))
	require.NoError(t, g.WriteFile("gd/config", nil))
	require.NoError(t, os.WriteFile(filepath.Join(root, "wt", ".git"), []byte("gitdir: ../gd\n"), 0o644))
	require.ErrorIs(t, g.WriteFile("gd/config", nil), ErrProtected)
	require.ErrorIs(t, g.WriteFile("wt/.git", nil), ErrProtected)
}

// CVE-2024-21626 and its like: magic links.
func TestCVE_2024_21626_MagicLinks(t *testing.T) {
	if _, err := os.Stat("/proc/self/root"); err != nil {
		t.Skip("no /proc here")
	}
	g, root, _ := victim(t)
	require.NoError(t, os.WriteFile(filepath.Join(root, "f"), []byte("x"), 0o644))
	data, err := os.ReadFile("/proc/self/root" + filepath.Join(root, "f"))
	require.NoError(t, err)
	require.Equal(t, "x", string(data), "without the guard it is followed")
	_, err = g.ReadFile("/proc/self/root" + filepath.Join(root, "f"))
	require.ErrorIs(t, err, ErrInvalid)
	require.NoError(t, os.Symlink("/proc/self/root", filepath.Join(root, "pr")))
	all := g.With(func(Op, string) bool { return true })
	_, err = all.ReadFile("pr/etc/hostname")
	require.ErrorIs(t, err, ErrInvalid, "not even when everything is permitted")
}

// Opening a FIFO for reading waits for ever; os.Root waits too.
func TestFIFO(t *testing.T) {
	each(t, func(t *testing.T, g *Guard, root string) {
		require.NoError(t, syscall.Mkfifo(filepath.Join(root, "p"), 0o600))
		_, err := g.ReadFile("p")
		require.ErrorIs(t, err, ErrSpecial)
		require.ErrorIs(t, g.WriteFile("p", nil), ErrSpecial)
		_, err = g.Create("p")
		require.ErrorIs(t, err, ErrSpecial)
		// Even if the name was a file when it was looked at.
		require.NoError(t, os.WriteFile(filepath.Join(root, "f"), nil, 0o600))
		g.hook = func(string) {
			_ = os.Remove(filepath.Join(root, "f"))
			_ = syscall.Mkfifo(filepath.Join(root, "f"), 0o600)
		}
		_, err = g.ReadFile("f")
		require.Error(t, err)
		require.NoError(t, g.Remove("p"), "it may be removed")
	})
}

// os.Root.RemoveAll("dir/..") empties the root; Remove refuses the form.
func TestRemoveDotDot(t *testing.T) {
	g, root, _ := victim(t)
	require.NoError(t, os.MkdirAll(filepath.Join(root, "dir"), 0o755))
	for _, p := range []string{"dir/..", "./dir/..", "dir/../", "dir/.", ".", "..", "dir/x/../.."} {
		require.ErrorIs(t, g.Remove(p), ErrInvalid, p)
	}
	require.DirExists(t, filepath.Join(root, "dir"))
}

// One held directory is swapped for another after it was judged: what is
// written lands in the directory that was judged.
func TestHeldDirectory(t *testing.T) {
	each(t, func(t *testing.T, g *Guard, root string) {
		out := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(root, "d"), 0o755))
		done := false
		g.hook = func(string) {
			if !done {
				done = true
				require.NoError(t, os.Rename(filepath.Join(root, "d"), filepath.Join(root, "e")))
				require.NoError(t, os.Symlink(out, filepath.Join(root, "d")))
			}
		}
		require.NoError(t, g.WriteFile("d/f", []byte("x")))
		require.True(t, done)
		require.FileExists(t, filepath.Join(root, "e", "f"))
		require.NoFileExists(t, filepath.Join(out, "f"))
		// The same without the guard: the path is followed anew.
		require.NoError(t, os.WriteFile(filepath.Join(root, "d", "f"), nil, 0o644))
		require.FileExists(t, filepath.Join(out, "f"))
	})
}

// A pattern with braces grows without bound in matchers that expand them. Here
// such a rule is refused, and the worst pattern that is accepted costs at most
// its length times that of the name.
func TestCVE_2026_13149_PatternBraces(t *testing.T) {
	var expand func(p string) int
	expand = func(p string) int {
		before, rest, ok := strings.Cut(p, "{")
		if !ok {
			return 1
		}
		group, after, _ := strings.Cut(rest, "}")
		_ = before
		return (strings.Count(group, ",") + 1) * expand(after)
	}
	braces := strings.Repeat("{a,a*,*a,aa}", 12) + "c"
	require.Greater(t, expand(braces), 16_000_000, "as many patterns are tried without the refusal")
	_, err := New(t.TempDir(), Options{Classes: []Rule{{Name: "x", Class: Sensitive, Patterns: []string{braces}, Reason: "r"}}})
	require.ErrorContains(t, err, "refused")

	worst := strings.Repeat("a*", 2047) + "b"
	g, err := New(t.TempDir(), Options{Classes: []Rule{{Name: "x", Class: Sensitive, Patterns: []string{worst}, Reason: "r"}}})
	require.NoError(t, err)
	defer g.Close()
	long := strings.Repeat(strings.Repeat("a", 250)+"/", 100)
	require.Equal(t, Ordinary, g.Check(long, Read).Class)
	require.Equal(t, Sensitive, g.Check(strings.Repeat("a", 5000)+"b", Read).Class)
}
