package sandbox

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestCallsChild is the child of TestSeccomp.
func TestCallsChild(t *testing.T) {
	mode := os.Getenv("SANDBOX_TEST_CALLS")
	if mode == "" {
		t.Skip("runs only as the child of another test")
	}
	socket := func(family, kind int) error {
		fd, err := unix.Socket(family, kind, 0)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
	_, _, ring := unix.Syscall(unix.SYS_IO_URING_SETUP, 0, 0, 0)
	_, keys := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
	unixSocket, vsock, inet := socket(unix.AF_UNIX, unix.SOCK_STREAM), socket(unix.AF_PACKET, unix.SOCK_DGRAM), socket(unix.AF_INET, unix.SOCK_STREAM)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	require.NoError(t, err, "pairs are pipes and stay")
	unix.Close(pair[0])
	unix.Close(pair[1])
	if mode == "open" {
		require.NotEqual(t, unix.EPERM, ring)
		require.NoError(t, unixSocket)
		require.NoError(t, inet)
		return
	}
	require.Equal(t, unix.EPERM, ring)
	require.ErrorIs(t, keys, unix.EPERM)
	require.ErrorIs(t, unixSocket, unix.EPERM)
	require.ErrorIs(t, vsock, unix.EPERM)
	if strings.HasSuffix(mode, "landlock") {
		require.ErrorIs(t, inet, unix.EPERM)
	} else {
		require.NoError(t, inet)
	}
}
