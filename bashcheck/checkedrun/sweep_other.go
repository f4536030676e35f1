//go:build !linux

package checkedrun

import (
	"os/exec"
	"time"
)

// markName is the variable that tells the processes of a run on Linux.
const markName = "CLEARANCE_RUN"

func newMark(Level) (string, error) { return "", nil }

func sweep(string, int, time.Time) {}

func lastProcess() int { return 0 }

const canLimitMemory = false

func limitMemory(*exec.Cmd, int64) error { return nil }
