//go:build unix

package toolset

import (
	"io/fs"
	"syscall"
)

// severalNames says that a file has more than one name.
func severalNames(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Nlink > 1
}
