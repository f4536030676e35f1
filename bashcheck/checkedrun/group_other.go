//go:build !unix

package checkedrun

import (
	"os"
	"os/exec"
)

func ownGroup(*exec.Cmd) {}

func endGroup(*exec.Cmd) {}

func signalOf(*os.ProcessState) (int, bool) { return 0, false }

func openFifo(string) (*os.File, error) { return nil, os.ErrInvalid }

const canSubstitute = false
