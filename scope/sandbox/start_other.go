//go:build !linux && !darwin

package sandbox

import (
	"fmt"
	"os"
	"runtime"
)

// Enter must be the first thing that main does. It returns the Helper that
// [New] wants.
func Enter() Helper {
	exe, err := os.Executable()
	if err != nil {
		return Helper{}
	}
	return Helper{exe}
}

func probe(Helper, Options) (Report, error) {
	return Report{}, fmt.Errorf("%w: no sandbox for %s", ErrUnavailable, runtime.GOOS)
}

func supported(Report, Profile) error { return ErrUnavailable }

func gaps(Report, Profile) []string { return nil }

func (c *Cmd) start() error { return ErrUnavailable }
