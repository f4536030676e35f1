package credstore

import (
	"os"
	"syscall"
)

// disk is every step of writing that the order of a save depends on. Tests put faults and a recorder in its place.
type disk interface {
	Create(path string) (diskFile, error) // a new file, mode 0600; fails if there is one
	Append(path string) (diskFile, error) // an existing or new file, mode 0600, written at its end
	Link(from, to string) error
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(path string) error
}

// diskFile is an open file of a disk.
type diskFile interface {
	Write([]byte) (int, error)
	Sync() error
	Close() error
}

// osDisk is the real one.
type osDisk struct{}

func (osDisk) Create(path string) (diskFile, error) {
	return private(os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600))
}

func (osDisk) Append(path string) (diskFile, error) {
	return private(os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|noFollow, 0o600))
}

func (osDisk) Link(from, to string) error   { return os.Link(from, to) }
func (osDisk) Rename(from, to string) error { return os.Rename(from, to) }
func (osDisk) Remove(path string) error     { return os.Remove(path) }
func (osDisk) SyncDir(path string) error    { return syncDir(path) }

// private checks an opened file and gives it the mode that a umask may have narrowed.
func private(f *os.File, err error) (diskFile, error) {
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &os.PathError{Op: "open", Path: f.Name(), Err: ErrNotRegular}
	}
	if err == nil {
		err = checkOwner(f.Name(), info, 0o077, "run chmod 600 on it")
	}
	if err == nil && info.Mode().Perm() != 0o600 && canChmod {
		err = f.Chmod(0o600)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// writePrivate makes a new file of mode 0600 with data and flushes it; its name is not flushed. After an error there is
// no such file: a flush that failed is never tried again on the same file, because the kernel may have dropped the data.
func writePrivate(d disk, path string, data []byte) error {
	f, err := d.Create(path)
	if err != nil {
		return err
	}
	n, err := f.Write(data)
	if err == nil && n < len(data) {
		err = syscall.EIO
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		_ = d.Remove(path)
	}
	return err
}
