//go:build darwin || freebsd

package credstore

import (
	"strings"

	"golang.org/x/sys/unix"
)

// statFS names the file system of a directory; the kernel says whether it is local (MNT_LOCAL, statfs(2)).
func statFS(dir string) (name string, where locality, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return "", unknownFS, err
	}
	name = unix.ByteSliceToString(st.Fstypename[:])
	if uint64(st.Flags)&unix.MNT_LOCAL == 0 {
		return name, remoteFS, nil
	}
	if strings.Contains(name, "fuse") { // it says of itself what it is
		return name, unknownFS, nil
	}
	return name, localFS, nil
}
