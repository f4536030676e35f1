//go:build !linux && !darwin

package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// Enter must be the first thing that main does. It returns the Helper that
// [New] wants.
func Enter() Helper {
	exe, err := os.Executable()
	if err != nil {
		return Helper{}
	}
	return Helper{exe: exe}
}

func probe(Helper, Options) (*Box, error) {
	return nil, fmt.Errorf("%w: no sandbox for %s", ErrUnavailable, runtime.GOOS)
}

func supported(Report, Profile) error { return ErrUnavailable }

func gaps(Report, Profile) []string { return nil }

const grace = 0

type child struct{}

func (*child) why() error  { return nil }
func (*child) abort(error) {}
func (*child) over() bool  { return true }
func (*child) finish()     {}

func acceptAttr(*syscall.SysProcAttr) error { return nil }

func (*Runner) begin(*exec.Cmd) (*child, error) { return nil, ErrUnavailable }
