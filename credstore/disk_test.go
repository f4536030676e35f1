//go:build linux

package credstore_test

import (
	"sync"

	"github.com/clearance-go/clearance/credstore"
)

// faultyDisk fails an operation on purpose: one kind of it, or the one with a number.
type faultyDisk struct {
	credstore.Disk
	mu    sync.Mutex
	count int    // operations so far
	at    int    // the number of the one that fails; 0: none
	kind  string // the kind that fails; empty: none
	err   error
	ops   []string
	then  func(n int, op, path string) // told of every operation before it
}

func (d *faultyDisk) fail(kind string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kind, d.err = kind, err
}

func (d *faultyDisk) step(op, path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count++
	d.ops = append(d.ops, op)
	if d.then != nil {
		d.then(d.count, op, path)
	}
	if d.err != nil && (d.count == d.at || d.kind == op) {
		return d.err
	}
	return nil
}

func (d *faultyDisk) Create(path string) (credstore.DiskFile, error) {
	if err := d.step("Create", path); err != nil {
		return nil, err
	}
	f, err := d.Disk.Create(path)
	if err != nil {
		return nil, err
	}
	return &faultyFile{f, d, path}, nil
}

func (d *faultyDisk) Append(path string) (credstore.DiskFile, error) {
	if err := d.step("Append", path); err != nil {
		return nil, err
	}
	f, err := d.Disk.Append(path)
	if err != nil {
		return nil, err
	}
	return &faultyFile{f, d, path}, nil
}

func (d *faultyDisk) Link(from, to string) error {
	if err := d.step("Link", to); err != nil {
		return err
	}
	return d.Disk.Link(from, to)
}

func (d *faultyDisk) Rename(from, to string) error {
	if err := d.step("Rename", to); err != nil {
		return err
	}
	return d.Disk.Rename(from, to)
}

func (d *faultyDisk) SyncDir(path string) error {
	if err := d.step("SyncDir", path); err != nil {
		return err
	}
	return d.Disk.SyncDir(path)
}

type faultyFile struct {
	credstore.DiskFile
	d    *faultyDisk
	path string
}

// Write writes half of it when it fails, as a full disk does.
func (f *faultyFile) Write(p []byte) (int, error) {
	if err := f.d.step("Write", f.path); err != nil {
		n, _ := f.DiskFile.Write(p[:len(p)/2])
		return n, err
	}
	return f.DiskFile.Write(p)
}

func (f *faultyFile) Sync() error {
	if err := f.d.step("Sync", f.path); err != nil {
		return err
	}
	return f.DiskFile.Sync()
}
