package toolset

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzGitStore: whatever a repository holds, reading it ends, and in no panic.
// The seeds are a real pack with deltas, its index, and a loose object.
func FuzzGitStore(f *testing.F) {
	dir := f.TempDir()
	git, err := exec.LookPath("git")
	if err != nil {
		require.NotEqual(f, "true", os.Getenv("CI"), "git is missing")
		f.Skip("git is missing: there is no pack to start from")
	}
	script := `git init -q . && for i in $(seq 30); do mkdir -p d/$i; seq $i 200 > d/$i/f; git add . ; git commit -qm $i; done; git gc -q --aggressive; git rev-parse HEAD > head; echo y > z; git add z; git commit -qm loose; git rev-parse HEAD > loose`
	c := exec.Command("bash", "-c", script)
	c.Dir = dir
	c.Env = []string{"PATH=" + filepath.Dir(git) + ":/usr/bin:/bin", "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b"}
	out, err := c.CombinedOutput()
	require.NoError(f, err, "%s", out)
	one := func(pattern string) []byte {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		require.NoError(f, err)
		require.NotEmpty(f, names, pattern)
		data, err := os.ReadFile(names[0])
		require.NoError(f, err)
		return data
	}
	head, ok := parseHash(string(bytes.TrimSpace(one("head"))))
	require.True(f, ok)
	last := string(bytes.TrimSpace(one("loose")))
	pack, idx, loose := one(".git/objects/pack/*.pack"), one(".git/objects/pack/*.idx"), one(".git/objects/"+last[:2]+"/"+last[2:])
	read := func(t testing.TB, pack, idx, loose []byte) int {
		at := t.TempDir()
		objects := filepath.Join(at, ".git", "objects")
		require.NoError(t, os.MkdirAll(filepath.Join(objects, "pack"), 0o755))
		require.NoError(t, os.MkdirAll(filepath.Join(objects, last[:2]), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(objects, "pack", "x.pack"), pack, 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(objects, "pack", "x.idx"), idx, 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(objects, last[:2], last[2:]), loose, 0o644))
		s, err := openGit(at)
		if err != nil {
			return 0
		}
		defer s.close()
		n := 0
		for _, h := range []string{last, head.text()} {
			from, _ := parseHash(h)
			w := gitWalk{g: &gitCall{store: s, gitReader: gitReader{walks: true}}, names: map[string]bool{}, done: map[[2]gitHash]map[string]bool{}, tick: func() error { return nil }}
			commits, _ := w.commits([]gitHash{from}, nil)
			for _, c := range commits {
				_ = w.changed(c)
			}
			n += len(w.names)
		}
		return n
	}
	// The tree of the loose commit is not there.
	require.Equal(f, 30+30, read(f, pack, idx, loose), "the seeds are read as they are")
	f.Add(pack, idx, loose)
	for i := range 40 {
		p, x, l := bytes.Clone(pack), bytes.Clone(idx), bytes.Clone(loose)
		p[(i*97+13)%len(p)] ^= 0x40
		x[(i*131+9)%len(x)] ^= 0x80
		l[(i*7)%len(l)] ^= 1
		f.Add(p, idx, loose)
		f.Add(pack, x, l)
	}
	f.Fuzz(func(t *testing.T, pack, idx, loose []byte) {
		if len(pack)+len(idx)+len(loose) < 1<<20 {
			read(t, pack, idx, loose)
		}
	})
}
