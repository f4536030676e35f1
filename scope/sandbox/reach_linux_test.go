package sandbox

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// outsider is a directory of root for TestWithinReach as another user: what lies
// in it cannot be made by that user.
const outsider = "SANDBOX_TEST_OUTSIDER"

func TestReachAsNobody(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make what another user cannot reach")
	}
	dir, err := os.MkdirTemp("/tmp", "outsider-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	for name, mode := range map[string]os.FileMode{"shut": 0o600, "open": 0o644, "written": 0o602, "run": 0o601, "loose/shut": 0o600, "loose/deep/shut": 0o600, "sticky/shut": 0o600, "vault/key": 0o644} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte("KEY"), 0o600))
		require.NoError(t, os.Chmod(path, mode))
	}
	// Anybody may put something else in the place of what lies there.
	require.NoError(t, os.Chmod(filepath.Join(dir, "loose"), 0o777))
	require.NoError(t, os.Chmod(filepath.Join(dir, "sticky"), 0o777|os.ModeSticky))
	require.NoError(t, os.Chmod(filepath.Join(dir, "vault"), 0o700))
	asNobody(t, "^TestWithinReach$", outsider+"="+dir)
}

// What is hidden and out of reach anyway needs no entry: without one the attack
// fails for that other reason, and where that one is off the entry stays, and
// holds.
func TestWithinReach(t *testing.T) {
	dir := os.Getenv(outsider)
	if dir == "" {
		t.Skip("TestReachAsNobody runs this, with files of root")
	}
	p := newPlace(t)
	mine := filepath.Join(p.home, "mine")
	require.NoError(t, os.WriteFile(mine, []byte("KEY"), 0o000))
	entries := func(hidden ...string) Profile {
		prof := Profile{Entries: []Entry{{Path: "/", Access: Read, Dir: true}, {Path: dir, Access: Read, Dir: true}, {Path: filepath.Dir(p.root), Access: Read, Dir: true}, {Path: p.root, Access: Write, Dir: true}}}
		// They are named, as every sandbox has a /tmp of its own.
		for _, h := range hidden {
			fi, err := os.Lstat(h)
			require.NoError(t, err)
			prof.Entries = append(prof.Entries, Entry{Path: h, Access: Hidden, Dir: fi.IsDir()})
		}
		prof, err := prof.clean()
		require.NoError(t, err)
		return prof
	}
	for _, row := range []struct {
		path string
		// file is what the attack is about, "" for the path; prepare comes before.
		file, prepare string
		out           bool
	}{
		{path: filepath.Join(dir, "shut"), out: true},
		{path: filepath.Join(dir, "vault"), file: filepath.Join(dir, "vault", "key"), out: true},
		{path: filepath.Join(dir, "sticky", "shut"), out: true},
		{path: filepath.Join(dir, "open")},
		{path: filepath.Join(dir, "written")},
		{path: filepath.Join(dir, "run")},
		{path: filepath.Join(dir, "loose", "shut")},
		{path: filepath.Join(dir, "loose", "deep", "shut")},
		{path: mine, prepare: "chmod 600 " + mine + "; "},
	} {
		t.Run(filepath.Base(filepath.Dir(row.path))+"-"+filepath.Base(row.path), func(t *testing.T) {
			prof := entries(row.path)
			left := prof.withinReach()
			require.Equal(t, !row.out, slices.ContainsFunc(left.Entries, func(e Entry) bool { return e.Path == row.path }))
			require.Equal(t, len(prof.Entries)-1, len(entries().Entries))
			if row.file == "" {
				row.file = row.path
			}
			attack := row.prepare + "cat " + row.file
			eachBox(t, func(t *testing.T, b *Box) {
				require.NoError(t, os.Chmod(mine, 0))
				out, err := confined(t, b, p, prof, attack)
				require.Error(t, err)
				require.NotContains(t, out, "KEY")
			})
			require.NoError(t, os.Chmod(mine, 0))
			out, err := free(t, p, attack)
			if row.out {
				require.Error(t, err, "no sandbox is needed")
				require.NotContains(t, out, "KEY")
			} else if row.file == mine || filepath.Base(row.path) == "open" {
				require.NoError(t, err)
				require.Contains(t, out, "KEY", "with the guard off")
			}
		})
	}
	// A directory with a way in stays, as what it leads to says nothing alone.
	way := entries(filepath.Join(dir, "vault"))
	way.Entries = append(way.Entries, Entry{Path: filepath.Join(dir, "vault", "key"), Access: Read})
	way, err := way.clean()
	require.NoError(t, err)
	require.Equal(t, way, way.withinReach())
}

// Root reaches everything, whatever the modes say.
func TestWithinReachOfRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("this is about root")
	}
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("KEY"), 0o000))
	require.NoError(t, os.Chown(secret, 1, 1))
	prof, err := Profile{Entries: []Entry{{Path: "/", Access: Read, Dir: true}, {Path: secret, Access: Hidden}}}.clean()
	require.NoError(t, err)
	require.Equal(t, prof, prof.withinReach())
	f, err := os.Open(secret)
	require.NoError(t, err, "root")
	defer f.Close()
	_, err = io.ReadAll(f)
	require.NoError(t, err)
}
