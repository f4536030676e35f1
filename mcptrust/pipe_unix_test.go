//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package mcptrust

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func testPipe(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	_, err := ReadFile(ParseOptions{Source: Source{File: path}})
	require.Error(t, err)
	_, err = ReadLock(path)
	require.Error(t, err)
}
