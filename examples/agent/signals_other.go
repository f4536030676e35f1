//go:build !unix

package main

import "os"

// endSignals end the run: nothing that it started stays behind.
var endSignals = []os.Signal{os.Interrupt}
