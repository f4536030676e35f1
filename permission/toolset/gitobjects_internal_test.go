package toolset

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// packedRepository is a small repository with deltas in one pack; nil where git
// is missing.
func packedRepository(t testing.TB) (idx, pack, refs []byte) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is missing")
		}
		return nil, nil, nil
	}
	dir := t.TempDir()
	script := `git init -q -b main . && for i in 1 2 3 4 5 6 7 8; do seq 1 200 > a.txt; echo $i >> a.txt; mkdir -p d$i; echo $i > d$i/f; git add . && git -c user.name=a -c user.email=a@b.invalid commit -qm c$i; done; git tag -a -m t v1 2>/dev/null; git gc -q --aggressive --prune=now && git pack-refs --all`
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "HOME="+dir)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	read := func(pattern string) []byte {
		names, err := filepath.Glob(filepath.Join(dir, ".git", pattern))
		require.NoError(t, err)
		require.Len(t, names, 1)
		data, err := os.ReadFile(names[0])
		require.NoError(t, err)
		return data
	}
	return read("objects/pack/*.idx"), read("objects/pack/*.pack"), read("packed-refs")
}

// plant writes a repository made of these parts.
func plant(t testing.TB, idx, pack, refs []byte) string {
	t.Helper()
	top := t.TempDir()
	for name, data := range map[string][]byte{"objects/pack/pack-1.idx": idx, "objects/pack/pack-1.pack": pack, "packed-refs": refs, "HEAD": []byte("ref: refs/heads/main\n")} {
		name = filepath.Join(top, ".git", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, data, 0o644))
	}
	return top
}

// walkAll reads every commit and tree that HEAD leads to.
func walkAll(top string) (commits, names int, err error) {
	s, err := openGit(top)
	if err != nil {
		return 0, 0, err
	}
	defer s.close()
	todo, err := s.revision("HEAD")
	if err != nil {
		return 0, 0, err
	}
	seen := map[gitHash]bool{}
	for len(todo) > 0 {
		h := todo[0]
		if todo = todo[1:]; seen[h] {
			continue
		}
		seen[h] = true
		c, err := s.commit(h)
		if err != nil {
			return commits, names, err
		}
		commits++
		trees := []gitHash{c.tree}
		for len(trees) > 0 {
			list, err := s.tree(trees[0])
			if err != nil {
				return commits, names, err
			}
			trees = trees[1:]
			for _, e := range list {
				if names++; e.dir {
					trees = append(trees, e.hash)
				}
			}
		}
		todo = append(todo, c.parents...)
	}
	return commits, names, nil
}

// FuzzGitStore: a repository may be made to hurt who reads it. Whatever its
// bytes are, reading ends within its limits, with an answer or an error.
func FuzzGitStore(f *testing.F) {
	idx, pack, refs := packedRepository(f)
	if idx == nil {
		f.Skip("git is missing: there is no repository to change")
	}
	commits, names, err := walkAll(plant(f, idx, pack, refs))
	require.NoError(f, err)
	require.Equal(f, 8, commits)
	require.Equal(f, 8+1+2+3+4+5+6+7+8+36, names)
	f.Add(idx, pack, refs)
	for i := 0; i < len(pack); i += 37 {
		changed := bytes.Clone(pack)
		changed[i] ^= 0x55
		f.Add(idx, changed, refs)
	}
	for i := 8; i < len(idx); i += 173 {
		changed := bytes.Clone(idx)
		changed[i] ^= 0x80
		f.Add(changed, pack, refs)
	}
	f.Fuzz(func(t *testing.T, idx, pack, refs []byte) {
		if len(idx)+len(pack)+len(refs) > 1<<20 {
			return
		}
		_, _, _ = walkAll(plant(t, idx, pack, refs))
	})
}

// FuzzApplyDelta: no delta reads or writes outside of its base and result.
func FuzzApplyDelta(f *testing.F) {
	f.Add([]byte("base"), []byte{4, 6, 0x90, 4, 2, 'x', 'y'})
	f.Add([]byte("base"), []byte{4, 0xff, 0xff, 0xff, 0x7f, 0xff, 1, 2, 3, 4, 5, 6, 7})
	f.Fuzz(func(t *testing.T, base, delta []byte) {
		out, err := applyDelta(base, delta)
		if err == nil {
			require.LessOrEqual(t, len(out), maxGitObject)
		}
	})
}

// TestGitPipes: a pipe where a pack or an object should be is no reason to
// wait.
func TestGitPipes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no named pipes in directories")
	}
	mkfifo, err := exec.LookPath("mkfifo")
	if err != nil {
		t.Skip("mkfifo is missing: there is no pipe to plant")
	}
	for _, name := range []string{"objects/pack/pack-2.idx", "objects/aa/" + "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"} {
		top := plant(t, nil, nil, []byte("aabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb refs/heads/main\n"))
		require.NoError(t, os.RemoveAll(filepath.Join(top, ".git", "objects", "pack")))
		name = filepath.Join(top, ".git", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, exec.Command(mkfifo, name).Run())
		done := make(chan error, 1)
		go func() {
			_, _, err := walkAll(top)
			done <- err
		}()
		select {
		case err := <-done:
			require.Error(t, err)
		case <-time.After(time.Minute):
			t.Fatal("it waits for a pipe: " + name)
		}
	}
}
