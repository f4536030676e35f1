package mcptrust

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"unsafe"
)

// unsafeInfo does not read access control lists: on Windows the protection is
// that of the user's profile folder.
func unsafeInfo(info fs.FileInfo) string { return "" }

func openNoFollow(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("a link or not a regular file")
	}
	return os.Open(path)
}

func openFile(path string) (*os.File, error) { return os.Open(path) }

func openLock(path string) (*os.File, error) {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, errors.New("a link or not a regular file")
	}
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}

func openAppend(path string) (*os.File, error) { return openLock(path) }

func tryLock(f *os.File) (bool, error) {
	const exclusive, immediately = 2, 1
	const errorLockViolation = syscall.Errno(33)
	lockFileEx := syscall.NewLazyDLL("kernel32.dll").NewProc("LockFileEx")
	var ol syscall.Overlapped
	r, _, err := lockFileEx.Call(f.Fd(), exclusive|immediately, 0, 1, 0, uintptr(unsafe.Pointer(&ol)))
	switch {
	case r != 0:
		return true, nil
	case errors.Is(err, errorLockViolation), errors.Is(err, syscall.ERROR_IO_PENDING):
		return false, nil
	}
	return false, err
}

// syncDir does nothing: Windows has no way to sync a folder.
func syncDir(dir string) error { return nil }
