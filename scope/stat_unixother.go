//go:build unix && !linux

package scope

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

const openNonblock = syscall.O_NONBLOCK

func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// keepOwner gives a new file the owner of the one it replaces, where that is
// permitted.
func keepOwner(f *os.File, old fs.FileInfo) {
	if st, ok := old.Sys().(*unixStat); ok {
		_ = f.Chown(int(st.Uid), int(st.Gid))
	}
}
