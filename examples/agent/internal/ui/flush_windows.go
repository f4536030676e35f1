package ui

import (
	"os"

	"golang.org/x/sys/windows"
)

// dropInput drops what was typed and not read yet, a begun line included.
func dropInput(f *os.File) error {
	return windows.FlushConsoleInputBuffer(windows.Handle(f.Fd()))
}
