//go:build darwin || freebsd || netbsd || openbsd || dragonfly

package ui

import (
	"os"

	"golang.org/x/sys/unix"
)

// flushRead is FREAD of <sys/fcntl.h>.
const flushRead = 1

// dropInput drops what was typed and not read yet, a begun line included.
func dropInput(f *os.File) error {
	return unix.IoctlSetPointerInt(int(f.Fd()), unix.TIOCFLUSH, flushRead)
}
