package scope

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A checker that looks at a directory and then copies into it by name: the
// copy tools of containers, and the memory tools of two SDKs. The swap happens
// between look and use, once, so that no luck is needed; the harness of races
// does the same with luck.
func TestCVE_CopyRaces(t *testing.T) {
	for i, cve := range []string{"CVE-2018-15664", "CVE-2021-30465", "CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881", "CVE-2026-34452",
		"CVE-2026-41568", "CVE-2026-42306", "CVE-2026-103916", "CVE-2026-32977", "CVE-2026-32988", "CVE-2026-44113"} {
		t.Run(cve, func(t *testing.T) {
			each(t, func(t *testing.T, g *Guard, root string) {
				out := t.TempDir()
				swap := func() {
					require.NoError(t, os.Rename(filepath.Join(root, "d"), filepath.Join(root, "was")))
					require.NoError(t, os.Symlink(out, filepath.Join(root, "d")))
				}
				put(t, root, "d/f")
				put(t, out, "secret")
				// Without the guard: look, swap, use.
				fi, err := os.Lstat(filepath.Join(root, "d"))
				require.NoError(t, err)
				require.True(t, fi.IsDir())
				swap()
				require.NoError(t, os.WriteFile(filepath.Join(root, "d", "copied"), nil, 0o644))
				require.FileExists(t, filepath.Join(out, "copied"))
				require.NoError(t, os.Remove(filepath.Join(out, "copied")))
				require.NoError(t, os.Remove(filepath.Join(root, "d")))
				require.NoError(t, os.Rename(filepath.Join(root, "was"), filepath.Join(root, "d")))

				// Each takes one or two of the operations in turn.
				ops := []func() error{
					func() error { return g.WriteFile("d/copied", nil) },
					func() error { return g.Mkdir("d/copied") },
					func() error { return g.Rename("src", "d/copied") },
					func() error { return g.RemoveAll("d/secret") },
					func() error { return g.Symlink("f", "d/copied") },
				}
				for name, op := range []func() error{ops[i%len(ops)], ops[0]} {
					put(t, root, "src")
					swapped := false
					g.hook = func(string) {
						if !swapped {
							swapped = true
							swap()
						}
					}
					_ = op()
					g.hook = nil
					if swapped {
						require.NoError(t, os.Remove(filepath.Join(root, "d")))
						require.NoError(t, os.Rename(filepath.Join(root, "was"), filepath.Join(root, "d")))
					}
					left, err := os.ReadDir(out)
					require.NoError(t, err)
					require.Len(t, left, 1, "%d", name)
					require.NoError(t, os.RemoveAll(filepath.Join(root, "d", "copied")))
				}
			})
		})
	}
}

// An archive holds a link, and then a file below the link.
func TestCVE_2026_27976_ArchiveThroughLink(t *testing.T) {
	type member struct{ name, link, data string }
	archive := []member{{name: "d", link: "$OUT"}, {name: "d/planted", data: "x"}}
	unpack := func(out string, symlink func(target, name string) error, write func(name string, data []byte) error) error {
		for _, m := range archive {
			err := error(nil)
			if m.link != "" {
				err = symlink(strings.ReplaceAll(m.link, "$OUT", out), m.name)
			} else {
				err = write(m.name, []byte(m.data))
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	g, root, out := victim(t)
	require.ErrorIs(t, unpack(out, g.Symlink, g.WriteFile), ErrOutside)
	// Even where the link is there already.
	require.NoError(t, os.Symlink(out, filepath.Join(root, "d")))
	require.ErrorIs(t, g.WriteFile("d/planted", nil), ErrOutside)
	require.NoFileExists(t, filepath.Join(out, "planted"))
	require.NoError(t, os.Remove(filepath.Join(root, "d")))
	at := func(p string) string { return filepath.Join(root, p) }
	require.NoError(t, unpack(out, func(to, p string) error { return os.Symlink(to, at(p)) }, func(p string, d []byte) error { return os.WriteFile(at(p), d, 0o644) }))
	require.FileExists(t, filepath.Join(out, "planted"), "without the guard it is planted")
}

// Dots behind a directory of the workspace.
func TestCVE_2026_45482_Dots(t *testing.T) {
	g, root, out := victim(t)
	require.NoError(t, g.MkdirAll("a/b"))
	p := "a/b/../../../" + filepath.Base(out) + "/secret"
	data, err := os.ReadFile(root + "/" + p)
	require.NoError(t, err)
	require.Equal(t, "secret", string(data), "without the guard")
	_, err = g.ReadFile(p)
	require.ErrorIs(t, err, ErrOutside)
	require.ErrorIs(t, g.WriteFile(p, nil), ErrOutside)
	require.ErrorIs(t, g.MkdirAll("a/b/../../../new"), ErrOutside)
	require.ErrorIs(t, g.Rename("a", "a/../../x"), ErrOutside)
}

// The model chooses the directory that a relative path starts from.
func TestCVE_2026_50548_ChosenDirectory(t *testing.T) {
	g, root, out := victim(t)
	require.NoError(t, os.Symlink(out, filepath.Join(root, "l")))
	for _, dir := range []string{out, "..", "l", filepath.Join(root, "l"), "/", "l/.."} {
		require.Equal(t, Outside, g.CheckFrom(dir, "secret", Write).Zone, dir)
	}
	require.Equal(t, Inside, g.CheckFrom(".", "secret", Write).Zone)
	// Without the guard: joined to the directory, it is there.
	require.FileExists(t, filepath.Join(out, "secret"))
	require.Equal(t, filepath.Join(out, "secret"), filepath.Join(out, "", "secret"))
}

// os.Root.Chmod could be raced through a link. A Guard has no Chmod; WriteFile
// keeps the mode through the descriptor of the file that it has just made.
func TestCVE_2026_32282_ChmodThroughLink(t *testing.T) {
	each(t, func(t *testing.T, g *Guard, root string) {
		out := t.TempDir()
		put(t, out, "f")
		put(t, root, "f")
		require.NoError(t, os.Chmod(filepath.Join(out, "f"), 0o600))
		require.NoError(t, os.Chmod(filepath.Join(root, "f"), 0o777))
		g.hook = func(string) {
			g.hook = nil
			_ = os.Remove(filepath.Join(root, "f"))
			_ = os.Symlink(filepath.Join(out, "f"), filepath.Join(root, "f"))
		}
		_ = g.WriteFile("f", []byte("x"))
		fi, err := os.Stat(filepath.Join(out, "f"))
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), fi.Mode())
		require.NoError(t, os.Remove(filepath.Join(root, "f")))
		require.NoError(t, os.Symlink(filepath.Join(out, "f"), filepath.Join(root, "f")))
		require.NoError(t, os.Chmod(filepath.Join(root, "f"), 0o777))
		fi, err = os.Stat(filepath.Join(out, "f"))
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o777), fi.Mode(), "without the guard chmod follows the link")
	})
}

// The FileInfo of a listed entry is asked of the handle, not of a path.
func TestCVE_2026_27139_EntryInfo(t *testing.T) {
	each(t, func(t *testing.T, g *Guard, root string) {
		out := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(out, "f"), make([]byte, 4321), 0o644))
		put(t, root, "d/f")
		list, err := g.ReadDir("d")
		require.NoError(t, err)
		plain, err := os.ReadDir(filepath.Join(root, "d"))
		require.NoError(t, err)
		require.NoError(t, os.Rename(filepath.Join(root, "d"), filepath.Join(root, "e")))
		require.NoError(t, os.Symlink(out, filepath.Join(root, "d")))
		fi, err := plain[0].Info()
		require.NoError(t, err)
		require.Equal(t, int64(4321), fi.Size(), "without the guard it tells about the outside")
		_, err = list[0].Info()
		require.ErrorIs(t, err, ErrOutside)
	})
}

// Settings that approve what an agent asks.
func TestCVE_2025_53773_CVE_2025_59536_CVE_2026_33068_Settings(t *testing.T) {
	g, root, _ := victim(t)
	for _, p := range []string{".vscode/settings.json", ".claude/settings.json", ".claude/settings.local.json", ".mcp.json", ".cursor/mcp.json", ".gemini/settings.json"} {
		require.ErrorIs(t, g.WriteFile(p, nil), ErrProtected, p)
		require.ErrorIs(t, g.MkdirAll(filepath.Dir(p)+"/x"), map[bool]error{true: nil, false: ErrProtected}[filepath.Dir(p) == "."], p)
		put(t, root, p)
		require.FileExists(t, filepath.Join(root, p), "without the guard it is written")
		require.ErrorIs(t, g.Remove(p), ErrProtected, p)
	}
}

// Names of Windows that lead elsewhere.
func TestCVE_WindowsNames(t *testing.T) {
	l, err := NewLexical(`C:\proj`, Options{}, nil)
	require.NoError(t, err)
	for cve, paths := range map[string][]string{
		"CVE-2022-41722": {`a/../c:/b`, `a\..\c:\b`},
		"CVE-2022-29804": {`.\c:\b`, `./c:/b`},
		"CVE-2023-45283": {`\??\c:\b`, `\\?\c:\b`, `\??\C:\proj\x`},
		"CVE-2023-45284": {`COM1 `, `COM1 .txt`, `lpt¹`, `nul `},
		"CVE-2019-1352":  {`.git::$INDEX_ALLOCATION\config`},
	} {
		for _, p := range paths {
			r := l.Check(p, Write)
			require.True(t, r.Zone == Outside || r.Err != nil || r.Class == Protected, "%s %q: %+v", cve, p, r)
		}
	}
}

// What cannot be read is an error of its own kind, and no reason to guess.
func TestUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads everything; TestAsNobody runs this")
	}
	each(t, func(t *testing.T, g *Guard, root string) {
		put(t, root, "d/f", "f", "e/.git/config")
		require.NoError(t, os.Chmod(filepath.Join(root, "d"), 0))
		require.NoError(t, os.Chmod(filepath.Join(root, "f"), 0))
		require.NoError(t, os.Chmod(filepath.Join(root, "e"), 0))
		defer os.Chmod(filepath.Join(root, "d"), 0o755)
		defer os.Chmod(filepath.Join(root, "e"), 0o755)
		r := g.Check("d/f", Write)
		require.ErrorIs(t, r.Err, ErrUnresolved)
		require.ErrorIs(t, r.Err, fs.ErrPermission)
		require.Equal(t, Unclassified, r.Class)
		_, err := g.ReadFile("d/f")
		require.ErrorIs(t, err, fs.ErrPermission)
		_, err = g.ReadFile("f")
		require.ErrorIs(t, err, fs.ErrPermission)
		require.ErrorIs(t, g.WriteFile("d/f", nil), fs.ErrPermission)
		require.ErrorIs(t, g.RemoveAll("e"), fs.ErrPermission, "what cannot be looked through is not removed")
		require.ErrorIs(t, g.Rename("e", "x"), fs.ErrPermission)
		_, err = g.Survey(0)
		require.NoError(t, err)
	})
}

// A root that is replaced or goes: the handle stays what it was.
func TestRootReplaced(t *testing.T) {
	each(t, func(t *testing.T, g *Guard, root string) {
		put(t, root, "f")
		require.NoError(t, os.Rename(root, root+".old"))
		t.Cleanup(func() { os.RemoveAll(root + ".old") })
		require.NoError(t, os.Mkdir(root, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, "other"), nil, 0o644))
		_, err := g.ReadFile("other")
		require.Error(t, err, "that is not the root that was given")
		require.NoError(t, os.RemoveAll(root))
		err = g.WriteFile("new/x", nil)
		require.Error(t, err)
	})
}

// TestAsNobody runs these tests as a user without rights: root reads files of mode 000.
func TestAsNobody(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become nobody; the tests have run as they should")
	}
	dir, err := os.MkdirTemp("/tmp", "nobody-")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	require.NoError(t, os.Chmod(dir, 0o755))
	in, err := os.Open(os.Args[0])
	require.NoError(t, err)
	defer in.Close()
	bin, tmp := filepath.Join(dir, "test"), filepath.Join(dir, "tmp")
	out, err := os.OpenFile(bin, os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(out, in)
	require.NoError(t, err)
	require.NoError(t, out.Close())
	require.NoError(t, os.Mkdir(tmp, 0o700))
	// A number of its own, so that two runs have nothing to do with each other.
	uid := 40_000 + os.Getpid()%20_000
	require.NoError(t, os.Chown(tmp, uid, uid))
	run := "^(TestUnreadable|TestOperations|TestRefusals|TestLink)$"
	if full() {
		run = "."
	}
	// The vectors and the mounts are root's, and were run by it.
	cmd := exec.CommandContext(t.Context(), bin, "-test.run="+run, "-test.v", "-test.timeout=300s", "-test.skip=^(TestVectors|TestMounts|TestMountChild|TestAsNobody)$")
	cmd.Dir = tmp
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "TMPDIR=" + tmp, "HOME=" + tmp, fmt.Sprintf("CI=%s", os.Getenv("CI")), "SCOPE_TEST_AGAIN=1", "GORACE=atexit_sleep_ms=0"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", text)
	require.Contains(t, string(text), "--- PASS: TestUnreadable")
}
