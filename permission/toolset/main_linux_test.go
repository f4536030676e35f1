package toolset_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// TestMain puts the projects of the tests into memory, where there is room for
// them and programs may be started: they are some thousand small repositories.
func TestMain(m *testing.M) {
	dir := inMemory()
	status := m.Run()
	if dir != "" {
		os.RemoveAll(dir)
	}
	os.Exit(status)
}

func inMemory() string {
	var fs syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs("/dev/shm", &fs) != nil || fs.Bavail*uint64(fs.Bsize) < 512<<20 {
		return ""
	}
	dir, err := os.MkdirTemp("/dev/shm", "toolset")
	if err != nil {
		return ""
	}
	script := filepath.Join(dir, "run")
	if os.WriteFile(script, []byte("#!/bin/sh\n"), 0o700) != nil || exec.Command(script).Run() != nil || os.Setenv("TMPDIR", dir) != nil {
		os.RemoveAll(dir)
		return ""
	}
	return dir
}
