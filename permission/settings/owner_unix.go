//go:build unix

package settings

import (
	"io/fs"
	"os"
	"syscall"
)

// overflow is the owner that a user namespace shows for everybody whom it does
// not know, root among them (user_namespaces(7)).
const overflow = 65534

// writers says who else than root and this user may change a file or folder;
// "" is nobody.
func writers(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	sticky := info.IsDir() && info.Mode()&fs.ModeSticky != 0
	switch {
	case !ok:
		return "somebody, as its owner is not known"
	case st.Uid != 0 && st.Uid != overflow && int(st.Uid) != os.Geteuid():
		return "its owner, another user"
	case sticky:
		return ""
	case info.Mode().Perm()&0o002 != 0:
		return "every user"
	case info.Mode().Perm()&0o020 != 0 && st.Gid != 0 && st.Gid != overflow && int(st.Gid) != os.Getegid():
		return "another group"
	}
	return ""
}

// open does not wait for the other end of a named pipe.
func open(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// sameOwner says whether two directories belong to the same user.
func sameOwner(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	if err1 != nil || err2 != nil {
		return false
	}
	s, ok1 := x.Sys().(*syscall.Stat_t)
	t, ok2 := y.Sys().(*syscall.Stat_t)
	return ok1 && ok2 && s.Uid == t.Uid
}
