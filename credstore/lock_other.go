//go:build !windows && !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd

package credstore

import (
	"errors"
	"os"
)

func openLock(string) (*os.File, error) {
	return nil, errors.New("this system has no lock that the store can use; open it with Options.ReadOnly")
}

func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }
