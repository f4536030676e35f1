//go:build unix

package settings

import (
	"os"
	"syscall"
)

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
