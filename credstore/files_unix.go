//go:build unix

package credstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

const (
	noFollow = syscall.O_NOFOLLOW | noWait
	noWait   = syscall.O_NONBLOCK // for the other end of a named pipe
	canChmod = true
)

// openNoFollow opens for reading without following a final link and without waiting for the other end of a pipe.
func openNoFollow(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|noFollow, 0)
	if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EMLINK) || errors.Is(err, syscall.ENXIO) {
		return nil, fmt.Errorf("credstore: %s: %w", path, ErrNotRegular)
	}
	return f, err
}

func checkOwner(path string, info fs.FileInfo, forbidden fs.FileMode, repair string) error {
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Geteuid() {
		return &PermissionError{Path: path, Mode: info.Mode(), Reason: "it belongs to another user: make your own"}
	}
	if info.Mode().Perm()&forbidden != 0 {
		return &PermissionError{Path: path, Mode: info.Mode(), Reason: "others have access: " + repair}
	}
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func links(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink)
	}
	return 1
}
