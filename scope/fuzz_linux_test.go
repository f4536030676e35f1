package scope

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What Check says is inside and exists, the kernel opens at the real path that
// Check names; what the kernel opens below the root, Check finds inside; what it
// opens elsewhere, Check finds outside.
func FuzzCheckAgainstKernel(f *testing.F) {
	for _, s := range []string{"a", "a/b", "../x", "a/l/../f", "abs/b", "up/out/secret", "loop", "d/./../f", "\xff", "a\x00b", "l1/l2", "dang", "f/", "f/x", "a//b/.",
		"/etc/passwd", "/proc/self/root", "/dev/fd/0", "d\\f", "a:b", ".git/../f", "fifo", strings.Repeat("a/../", 200) + "f"} {
		f.Add(s)
	}
	base, err := os.MkdirTemp("", "fuzz")
	require.NoError(f, err)
	f.Cleanup(func() { os.RemoveAll(base) })
	base, err = filepath.EvalSymlinks(base)
	require.NoError(f, err)
	root := filepath.Join(base, "r")
	put(f, root, "a/b", "f", "d/f", ".git/config", "d/e/g")
	put(f, base, "out/secret")
	for l, to := range map[string]string{"a/l": "../d", "abs": filepath.Join(root, "a"), "up": "..", "loop": "loop", "l1": "d", "d/l2": "../a/b", "dang": "nope/x", "o": filepath.Join(base, "out")} {
		require.NoError(f, os.Symlink(to, filepath.Join(root, l)))
	}
	require.NoError(f, unix.Mkfifo(filepath.Join(root, "fifo"), 0o600))
	g, err := New(root, Options{})
	require.NoError(f, err)
	f.Cleanup(func() { g.Close() })
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	require.NoError(f, err)
	f.Cleanup(func() { unix.Close(dir) })
	f.Fuzz(func(t *testing.T, path string) {
		r := g.Check(path, Stat)
		if strings.HasPrefix(path, "/") {
			// The machine around it is not ours to compare with.
			require.True(t, r.Err != nil || r.Zone == Outside || strings.HasPrefix(r.Real, root))
			return
		}
		fd, err := unix.Openat(dir, path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if path == "" || strings.IndexByte(path, 0) >= 0 {
			require.ErrorIs(t, r.Err, ErrInvalid)
			return
		}
		if err != nil {
			// The kernel stops where a name is missing or no directory; Check
			// goes on as text, and says so or finds what nothing opens.
			if r.Err == nil && r.Exists && r.Reason == "" {
				require.True(t, strings.Contains(path, "..") || len(r.Via) > 0, "%q: kernel %v, Check %+v", path, err, r)
			}
			return
		}
		real, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		unix.Close(fd)
		require.NoError(t, err)
		if r.Err != nil {
			require.True(t, strings.Contains(path, "..") && strings.Contains(real, "/proc") || len(path) > MaxPath || strings.Contains(real, "/dev/fd") || strings.HasPrefix(real, "/proc") || strings.HasPrefix(real, "/dev"), "%q: kernel %s, Check %v", path, real, r.Err)
			return
		}
		require.Equal(t, real, r.Real, "%q", path)
		require.True(t, r.Exists)
		require.Equal(t, real == root || strings.HasPrefix(real, root+"/"), r.Zone == Inside, "%q", path)
		// RESOLVE_BENEATH is stricter with absolute links; what it opens is
		// inside.
		how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS}
		if fd, err := unix.Openat2(dir, path, &how); err == nil {
			unix.Close(fd)
			require.Equal(t, Inside, r.Zone, "%q", path)
		}
	})
}
