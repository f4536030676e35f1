//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package audit

import "os"

// lock does not know of other processes here.
func lock(*os.File) (bool, error) { return true, nil }
