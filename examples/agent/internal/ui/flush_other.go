//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !dragonfly && !windows

package ui

import (
	"errors"
	"os"
)

func dropInput(*os.File) error { return errors.ErrUnsupported }
