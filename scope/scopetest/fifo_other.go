//go:build !unix

package scopetest

import "errors"

func mkfifo(string) error { return errors.New("no FIFOs here") }
