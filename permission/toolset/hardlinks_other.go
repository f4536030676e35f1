//go:build !unix

package toolset

import "io/fs"

// severalNames says that a file has more than one name, which is not told here.
func severalNames(fs.FileInfo) bool { return false }
