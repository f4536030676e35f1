package scope

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

// dir is a directory held open. Every method takes one name, not a path, and
// follows no link, so what it acts on cannot be moved elsewhere by renaming
// or relinking anything above.
type dir interface {
	// open opens for the flag of os.OpenFile; anything but a regular file or a
	// directory is errSpecial, a link errMoved. It does not wait for a FIFO.
	open(name string, flag int, perm fs.FileMode) (*os.File, error)
	lstat(name string) (fs.FileInfo, error)
	mkdir(name string) error
	remove(name string, directory bool) error
	rename(name string, to dir, toName string) error
	// sub opens a directory below.
	sub(name string) (dir, error)
	close() error
}

var (
	// errMoved: a name was not what it had been a moment before.
	errMoved = errors.New("moved")
	// errNoHandle: this way of opening is not to be had here.
	errNoHandle = errors.New("no handle")
)

// rootDir is a dir made of os.Root, for every platform.
type rootDir struct{ root *os.Root }

// openRootDir goes down from a held root, one directory at a time, and demands
// of each that the directory opened is the one that was seen to be no link:
// os.Root alone follows links that stay below its root.
func openRootDir(root *os.Root, rel string) (dir, error) {
	cur, err := root.OpenRoot(".")
	if err != nil {
		return nil, err
	}
	var d dir = rootDir{cur}
	if rel == "." {
		return d, nil
	}
	for name := range strings.SplitSeq(rel, "/") {
		next, err := d.sub(name)
		d.close()
		if err != nil {
			return nil, err
		}
		d = next
	}
	return d, nil
}

func (d rootDir) sub(name string) (dir, error) {
	before, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if before.Mode()&fs.ModeSymlink != 0 {
		return nil, errMoved
	}
	if !before.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errNotDir}
	}
	next, err := d.root.OpenRoot(name)
	if err != nil {
		return nil, movedOr(err)
	}
	after, err := next.Stat(".")
	if err != nil || !os.SameFile(before, after) {
		next.Close()
		return nil, errMoved
	}
	return rootDir{next}, nil
}

// movedOr tells of an error after a successful look: os.Root does not export
// the one for a path that escapes, so what is not plainly about the file
// itself counts as a change.
func movedOr(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrClosed) {
		return err
	}
	return errMoved
}

func (d rootDir) open(name string, flag int, perm fs.FileMode) (*os.File, error) {
	if flag&os.O_EXCL != 0 {
		return d.root.OpenFile(name, flag, perm)
	}
	before, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	switch {
	case before.Mode()&fs.ModeSymlink != 0:
		return nil, errMoved
	case !before.Mode().IsRegular() && !before.IsDir():
		return nil, ErrSpecial
	}
	f, err := d.root.OpenFile(name, flag|openNonblock, perm)
	if err != nil {
		return nil, movedOr(err)
	}
	after, err := f.Stat()
	if err != nil || !os.SameFile(before, after) {
		f.Close()
		return nil, errMoved
	}
	return f, nil
}

func (d rootDir) lstat(name string) (fs.FileInfo, error) { return d.root.Lstat(name) }
func (d rootDir) mkdir(name string) error                { return d.root.Mkdir(name, 0o777) }
func (d rootDir) remove(name string, _ bool) error       { return d.root.Remove(name) }
func (d rootDir) close() error                           { return d.root.Close() }

// rename within one directory goes through its handle. Between two directories
// os.Root has no call; the caller uses a common root then.
func (d rootDir) rename(name string, to dir, toName string) error {
	t, ok := to.(rootDir)
	if !ok {
		return errNoHandle
	}
	a, err := d.root.Stat(".")
	if err != nil {
		return err
	}
	b, err := t.root.Stat(".")
	if err != nil {
		return err
	}
	if !os.SameFile(a, b) {
		return errNoHandle
	}
	return d.root.Rename(name, toName)
}
