//go:build !linux

package checkedrun

import (
	"os/exec"
)

// markName is the variable that tells the processes of a run on Linux.
const markName = "CLEARANCE_RUN"

func newMark(Level) (string, error) { return "", nil }

func sweep(string, int) {}

const canLimitMemory = false

func limitMemory(*exec.Cmd, int64) error { return nil }
