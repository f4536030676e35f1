//go:build unix

package scope

import (
	"errors"
	"io/fs"
	"syscall"
)

type unixStat = syscall.Stat_t

// linksOf returns the number of hard links, 0 for unknown.
func linksOf(fi fs.FileInfo) uint64 {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink)
	}
	return 0
}

// deviceOf returns the device that a file lies on.
func deviceOf(fi fs.FileInfo) uint64 {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev)
	}
	return 0
}

// ignoreSync drops the error of a file system that cannot sync directories.
func ignoreSync(err error) error {
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}
