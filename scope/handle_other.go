//go:build !linux

package scope

import (
	"io/fs"
	"os"
	"syscall"
)

var (
	errNotDir error = syscall.ENOTDIR
	errIsDir  error = syscall.EISDIR
)

func openHeld(h *held, rel string) (dir, error) { return openRootDir(h.root, rel) }

// openHandle: os.Root holds the directory here.
func openHandle(string) (*os.File, error) { return nil, nil }

// openBeneath: there is no call for it here.
func openBeneath(*held, string) *os.File { return nil }

func glance(*held, string) (node, bool) { return node{}, false }

// crosses: os.Root does not tell about mount points.
func crosses(*held, string) bool { return false }

// lookPath is the look of a space on this machine.
func lookPath(path string) node {
	fi, err := os.Lstat(path)
	if err != nil {
		if isMissing(err) {
			return node{}
		}
		return node{kind: failed, err: err}
	}
	n := node{kind: other, mode: fi.Mode(), links: linksOf(fi)}
	switch {
	case fi.IsDir():
		n.kind = directory
	case fi.Mode()&fs.ModeSymlink != 0:
		n.kind = link
		if n.target, err = os.Readlink(path); err != nil {
			return node{kind: failed, err: err}
		}
	case fi.Mode()&fs.ModeIrregular != 0:
		// A reparse point that Go does not take for a link.
		return node{kind: failed, err: &fs.PathError{Op: "lstat", Path: path, Err: ErrSpecial}}
	}
	return n
}
