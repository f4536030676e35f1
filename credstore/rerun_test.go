//go:build linux

package credstore_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// again runs some tests of this program in another process and wants them to pass.
func again(t *testing.T, cmd *exec.Cmd, passed ...string) {
	t.Helper()
	cmd.Env = append(cmd.Env, "TEST_AGAIN=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, name := range passed {
		assert.Contains(t, string(out), "--- PASS: "+name, "%s", out)
	}
}

// TestFIPSOnly runs the store where Go refuses every algorithm that is not approved.
func TestFIPSOnly(t *testing.T) {
	if os.Getenv("TEST_AGAIN") != "" {
		t.Skip("this is the other process")
	}
	notInShort(t, "other algorithms, the same goroutines")
	t.Parallel()
	which := "^(TestVectors|TestSlots|TestRotate|TestBackup.*|TestRedactor.*|TestSecret.*|TestTransport.*|TestCommand.*|TestExport.*|TestGoroutines.*|TestAuditRotation)$/^(F|T0|T11|T12|T13|C02|C04|C06|C07|C09|E|V|P|A|K02|K14|K15|K16|K17|K23|K24|R|N|M02)"
	if os.Getenv("CI") != "true" {
		which = "^(TestVectors|TestRotate|TestTransport.*)$/^(F0|T0|C04|K02|R)"
	}
	// In short: the loops are there for crashes and races, which do not depend on the algorithms.
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.short", "-test.run", which)
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only", "CI=", "CLEARANCE_VECTORS="+filepath.Dir(vectorFile(t)))
	again(t, cmd, "TestRotate", "TestVectors/F06", "TestVectors/T02", "TestTransport", "TestVectors/F03", "TestVectors/C04")
}

// TestAsNobody runs the tests of permissions as a user who is not root, for whom permissions mean something.
func TestAsNobody(t *testing.T) {
	if os.Getenv("TEST_AGAIN") != "" {
		t.Skip("this is the other process")
	}
	if os.Geteuid() != 0 {
		t.Skip("this is not root, so the tests of permissions ran as they are")
	}
	notInShort(t, "another user, the same goroutines")
	t.Parallel()
	path := forEverybody(t, os.Args[0])
	raw, err := os.ReadFile(vectorFile(t))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), "cred.jsonl"), raw, 0o644))
	home := nobodyDir(t)
	cmd := exec.CommandContext(t.Context(), path, "-test.v", "-test.run", "^(TestZeroOptions.*|TestVectors|TestSystemdCredential|TestForeignDirectory)$/^(P0|C0[267]|T09|K15)")
	cmd.Dir = home
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "CLEARANCE_VECTORS=" + filepath.Dir(path)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	again(t, cmd, "TestZeroOptionsOnAFreshMachine", "TestVectors/P01", "TestVectors/P05", "TestVectors/P08", "TestForeignDirectory")
}

// TestForeignDirectory: directories that others own or write to are refused, and what cannot be written is an error, not a
// store somewhere else.
func TestForeignDirectory(t *testing.T) {
	o := options(t)
	shared := t.TempDir()
	require.NoError(t, os.Chmod(shared, 0o777))
	_, err := openErr(t, shared, o)
	require.ErrorContains(t, err, "others have access")
	if os.Geteuid() == 0 {
		return // root may write everywhere
	}
	_, err = openErr(t, "/", o)
	require.ErrorContains(t, err, "belongs to another user")
	closed := filepath.Join(t.TempDir(), "closed")
	require.NoError(t, os.Mkdir(closed, 0o500))
	_, err = openErr(t, filepath.Join(closed, "store"), o)
	require.ErrorIs(t, err, os.ErrPermission)
	_, err = openErr(t, closed, o)
	require.ErrorIs(t, err, os.ErrPermission)
	left, err := os.ReadDir(closed)
	require.NoError(t, err)
	assert.Empty(t, left)
}
