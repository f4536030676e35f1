//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package settings

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// stale is the age after which a lock of this kind is taken to be left behind.
const stale = 30 * time.Second

// tryLock makes a file beside the lock file, which only one can.
func tryLock(f *os.File) (bool, error) {
	name := f.Name() + ".held"
	h, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if st, err := os.Stat(name); err == nil && time.Since(st.ModTime()) > stale {
			_ = os.Remove(name)
		}
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, h.Close()
}

func releaseLock(f *os.File) { _ = os.Remove(f.Name() + ".held") }
