//go:build unix

package credstore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A named pipe in the place of a file to import, or of a helper's script, does
// not hang.
func TestPipeToImportDoesNotHang(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".env")
	require.NoError(t, syscall.Mkfifo(path, 0o700))
	done := make(chan error, 2)
	go func() {
		_, err := ReadImport(t.Context(), ImportFile{Format: "dotenv", Path: path}, ImportOptions{})
		done <- err
	}()
	go func() {
		_, err := HelperCommand{Argv: []string{path}}.Digest()
		done <- err
	}()
	for range 2 {
		select {
		case err := <-done:
			assert.ErrorIs(t, err, ErrNotRegular)
		case <-time.After(time.Minute):
			if f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
				f.Close() // let the reader go
			}
			t.Fatal("reading a named pipe hangs")
		}
	}
}

// plainDescriptor makes a descriptor that a started program inherits, as one that
// this program was started with.
func plainDescriptor(t *testing.T, at int) int {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { r.Close(); w.Close() })
	fd, err := unix.FcntlInt(w.Fd(), unix.F_DUPFD, at)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func inherited(t *testing.T, fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	require.NoError(t, err)
	return flags&unix.FD_CLOEXEC == 0
}

// Where nothing lists the open descriptors, those with high numbers are marked as
// well.
func TestHighDescriptorsStayHere(t *testing.T) {
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	at := 1500
	if uint64(limit.Cur) <= uint64(at) {
		at = int(limit.Cur) - 10
	}
	fd := plainDescriptor(t, at)
	require.True(t, inherited(t, fd), "the control: it would be inherited")
	keepUnlisted()
	assert.False(t, inherited(t, fd))
}

// A helper gets none of our open files, as Command's programs get none.
func TestHelperInheritsNoDescriptor(t *testing.T) {
	fd := plainDescriptor(t, 20)
	require.True(t, inherited(t, fd), "the control: it would be inherited")
	script := fmt.Sprintf("if (: >&%d) 2>/dev/null; then echo open; else echo closed-here; fi", fd)
	token, err := HelperCommand{Argv: []string{"/bin/bash", "-c", script}, Trusted: TrustedByProgram}.Refresh(t.Context(), Refreshing{Name: "x"})
	if err != nil && strings.Contains(err.Error(), "no such file") {
		t.Skip("bash is missing: nothing can look at descriptor 20")
	}
	require.NoError(t, err)
	assert.True(t, token.Value.Equal(NewSecret([]byte("closed-here"))))
}
