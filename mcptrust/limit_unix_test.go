//go:build darwin || linux

package mcptrust

import (
	"os/signal"
	"syscall"
)

// limitFileSize lets no file of this process grow beyond n bytes.
func limitFileSize(n uint64) error {
	signal.Ignore(syscall.SIGXFSZ)
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: n})
}
