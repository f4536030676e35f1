package toolset

import (
	"io/fs"
	"syscall"
	"time"
)

// changed is when a file was last made, written, renamed or linked; programs that
// unpack archives set the other times as they like.
func changed(info fs.FileInfo) time.Time {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(st.Ctimespec.Unix())
	}
	return info.ModTime()
}
