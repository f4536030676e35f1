//go:build unix

package credstore

import (
	"os/exec"
	"syscall"
)

// ownGroup starts cmd in a process group of its own, and ends the whole group when its context does.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
