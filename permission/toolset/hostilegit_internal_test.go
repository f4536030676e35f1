package toolset

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

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
		top := t.TempDir()
		name = filepath.Join(top, ".git", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, exec.Command(mkfifo, name).Run())
		done := make(chan error, 1)
		go func() {
			s, err := openGit(top)
			if err == nil {
				h, _ := parseHash("aabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")
				_, err = s.commit(h)
				s.close()
			}
			done <- err
		}()
		select {
		case err := <-done:
			require.Error(t, err)
		case <-time.After(20 * time.Second):
			t.Fatal("it waits for a pipe: " + name)
		}
	}
}
