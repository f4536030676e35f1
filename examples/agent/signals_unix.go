//go:build unix

package main

import (
	"os"
	"syscall"
)

// endSignals end the run: nothing that it started stays behind.
var endSignals = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}
