package scope

import (
	"errors"
	"fmt"
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
	// renameNew renames within the directory and fails where the new name is
	// taken.
	renameNew(name, toName string) error
	link(name string, to dir, toName string) error
	symlink(target, name string) error
	readlink(name string) (string, error)
	// sub opens a directory below.
	sub(name string) (dir, error)
	// here is sub for a directory on the same file system: behind a mount point
	// it is ErrOutside.
	here(name string) (dir, error)
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
	if err := d.same(to); err != nil {
		return err
	}
	return d.root.Rename(name, toName)
}

// same returns nil where both are one directory.
func (d rootDir) same(to dir) error {
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
	return nil
}

func (d rootDir) link(name string, to dir, toName string) error {
	if err := d.same(to); err != nil {
		return err
	}
	return d.root.Link(name, toName)
}

func (d rootDir) readlink(name string) (string, error) { return d.root.Readlink(name) }

func (d rootDir) symlink(target, name string) error { return d.root.Symlink(target, name) }

// renameNew makes a second name, which fails where it is taken, and removes the
// first.
func (d rootDir) renameNew(name, toName string) error {
	if err := d.root.Link(name, toName); err != nil {
		return err
	}
	return d.root.Remove(name)
}

// here can tell other devices only.
func (d rootDir) here(name string) (dir, error) {
	sub, err := d.sub(name)
	if err != nil {
		return nil, err
	}
	a, err1 := d.root.Stat(".")
	b, err2 := sub.(rootDir).root.Stat(".")
	if err := errors.Join(err1, err2); err != nil {
		sub.close()
		return nil, err
	}
	if deviceOf(a) != deviceOf(b) {
		sub.close()
		return nil, fmt.Errorf("%w: %s is a mount point", ErrOutside, name)
	}
	return sub, nil
}
