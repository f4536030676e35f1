package scope

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The kernel is the oracle: what it opens is what Check says, over random
// trees of links, with and without the one-step look.
func TestResolveLikeTheKernel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	names := []string{"a", "b", "c", "d"}
	word := func() string {
		n := 1 + rnd.IntN(5)
		parts := make([]string, n)
		for i := range parts {
			parts[i] = append(names, "..", ".", "")[rnd.IntN(len(names)+3)]
		}
		return strings.Join(parts, "/")
	}
	var opened, outside, links int
	for range scaled(60) {
		base, err := filepath.EvalSymlinks(t.TempDir())
		require.NoError(t, err)
		root := filepath.Join(base, "r")
		require.NoError(t, os.Mkdir(root, 0o755))
		for range 25 {
			p := filepath.Join(root, filepath.Join(word(), names[rnd.IntN(4)]))
			if !strings.HasPrefix(p, base+"/") {
				continue
			}
			switch rnd.IntN(4) {
			case 0, 1:
				_ = os.Mkdir(p, 0o755)
			case 2:
				_ = os.WriteFile(p, nil, 0o644)
			case 3:
				target := word()
				if rnd.IntN(3) == 0 {
					target = filepath.Join(root, target)
				}
				if target != "" {
					_ = os.Symlink(target, p)
				}
			}
		}
		g, err := New(root, Options{})
		require.NoError(t, err)
		for range 300 {
			p := word()
			if p == "" || strings.HasPrefix(p, "/") {
				continue
			}
			r := g.Check(p, Stat)
			g.held[0].portable = true
			slow := g.Check(p, Stat)
			g.held[0].portable = false
			require.Equal(t, fmt.Sprintf("%+v", slow), fmt.Sprintf("%+v", r), "%s", p)
			fd, err := unix.Open(root+"/"+p, unix.O_PATH|unix.O_CLOEXEC, 0)
			if err != nil {
				// Behind a missing name Check goes on as text, so after ".." it
				// may find what the kernel does not look for.
				require.False(t, r.Err == nil && r.Exists && r.Reason == "" && !strings.Contains(p, "..") && len(r.Via) == 0, "%s: the kernel says %v, Check %+v", p, err, r)
				continue
			}
			real, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
			unix.Close(fd)
			require.NoError(t, err)
			require.NoError(t, r.Err, p)
			require.Equal(t, real, r.Real, p)
			require.True(t, r.Exists, p)
			in := real == root || strings.HasPrefix(real, root+"/")
			require.Equal(t, in, r.Zone == Inside, p)
			opened++
			links += len(r.Via)
			if !in {
				outside++
			}
		}
		require.NoError(t, g.Close())
	}
	require.Greater(t, opened, 300)
	require.Greater(t, outside, 30)
	require.Greater(t, links, 30)
}

// What lies behind a mount point in the root is not in the root, unless the
// host says so. os.Root goes there.
func TestMounts(t *testing.T) {
	for _, v := range []vector{
		{ID: "bind-mount", Setup: []string{"mkdir -p $T/proj/m $T/out; printf s > $T/out/secret; mount --bind $T/out $T/proj/m"},
			Op: "read", Path: "$T/proj/m/secret", Root: "$T/proj", Expect: "outside"},
		{ID: "bind-mount-new", Setup: []string{"mkdir -p $T/proj/m $T/out; mount --bind $T/out $T/proj/m"},
			Op: "create", Path: "$T/proj/m/x/y", Root: "$T/proj", Expect: "outside"},
		{ID: "bind-mount-file", Setup: []string{"mkdir -p $T/proj $T/out; printf s > $T/out/secret; : > $T/proj/f; mount --bind $T/out/secret $T/proj/f"},
			Op: "read", Path: "$T/proj/f", Root: "$T/proj", Expect: "outside"},
		{ID: "mount-beside", Setup: []string{"mkdir -p $T/proj/m $T/proj/n $T/out; mount --bind $T/out $T/proj/m"},
			Op: "create", Path: "$T/proj/n/x", Root: "$T/proj", Expect: "inside"},
	} {
		msg, skip := runMountVector(t, &v, t.TempDir())
		if skip != "" {
			t.Skip(skip)
		}
		require.Empty(t, msg, v.ID)
	}
}
