//go:build !unix

package scope

import (
	"errors"
	"io/fs"
	"os"
)

const openNonblock = 0

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

func linksOf(fs.FileInfo) uint64 { return 0 }

func keepOwner(*os.File, fs.FileInfo) {}

// deviceOf: not told here.
func deviceOf(fs.FileInfo) uint64 { return 0 }

// ignoreSync: directories cannot be synced here.
func ignoreSync(error) error { return nil }
