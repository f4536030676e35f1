//go:build unix

package audit_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/audit"
)

// TestFullDisk: where the disk takes no more, nothing runs from then on, and what
// was recorded before stays a whole chain. A limit of the file size stands for
// the full disk: the kernel refuses the write in the middle of a line.
func TestFullDisk(t *testing.T) {
	if path := os.Getenv("AUDIT_FULL_DISK"); path != "" {
		signal.Ignore(syscall.SIGXFSZ)
		const limit = 20_000
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}))
		l := open(t, path, key)
		e, err := permission.New(permission.Config{Policy: policy(t, `{"permissions":{"allow":["Bash"]}}`), Inspector: tool{}})
		require.NoError(t, err)
		s := permission.NewGate(e, permission.GateOptions{Audit: l}).Session(permission.SessionOptions{Dir: "/p"})
		granted, refused := 0, 0
		for range 200 {
			g, err := s.Authorize(context.Background(), permission.Call{Tool: "Bash", Input: json.RawMessage(`"a"`), Dir: "/p"})
			if err == nil {
				require.Zero(t, refused, "a grant after the disk was full")
				granted++
				continue
			}
			require.Nil(t, g)
			require.ErrorIs(t, err, syscall.EFBIG)
			refused++
		}
		require.Positive(t, granted)
		require.Positive(t, refused)
		st, err := os.Stat(path)
		require.NoError(t, err)
		require.EqualValues(t, limit, st.Size(), "the last line is cut off in the middle")
		return
	}
	path := filepath.Join(t.TempDir(), "log")
	cmd := exec.Command(os.Args[0], "-test.run=^TestFullDisk$")
	cmd.Env = append(os.Environ(), "AUDIT_FULL_DISK="+path)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	// The next start sets the torn line aside and goes on.
	l := open(t, path, key)
	require.NoError(t, l.Record(context.Background(), permission.Record{Event: permission.EventMode, Text: "plan"}))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	r := verify(t, data, key, l.Head())
	require.True(t, r.OK() && r.TailVerified, "%v", r)
	require.NoError(t, l.Close())
	_, err = audit.Open(path, []byte("another key, long enough"))
	var be *audit.BrokenError
	require.ErrorAs(t, err, &be)
}
