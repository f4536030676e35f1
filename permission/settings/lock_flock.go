//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package settings

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes the lock of an open file; false where another process, or
// another goroutine with a handle of its own, has it. The kernel lets go of it
// when the process ends.
func tryLock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return false, nil
	}
	return err == nil, err
}

// releaseLock does nothing: closing the file lets go of the lock.
func releaseLock(*os.File) {}
