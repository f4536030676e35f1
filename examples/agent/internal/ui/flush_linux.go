package ui

import (
	"os"

	"golang.org/x/sys/unix"
)

// dropInput drops what was typed and not read yet, a begun line included.
func dropInput(f *os.File) error {
	return unix.IoctlSetInt(int(f.Fd()), unix.TCFLSH, unix.TCIFLUSH)
}
