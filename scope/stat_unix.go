//go:build unix

package scope

import (
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
