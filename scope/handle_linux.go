package scope

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

const (
	openNonblock = unix.O_NONBLOCK
	// maxAgain is how often openat2 is asked again when something was renamed
	// meanwhile.
	maxAgain = 128
)

var (
	errNotDir error = unix.ENOTDIR
	errIsDir  error = unix.EISDIR
)

// fdDir is a dir made of a descriptor.
type fdDir int

// beneath opens a path without any link in it below a descriptor. What it
// opens is therefore exactly the path named, whatever is being renamed.
func beneath(at int, rel string, flags uint64, resolve uint64) (int, error) {
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: resolve | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	var err error
	for range maxAgain {
		var fd int
		fd, err = unix.Openat2(at, rel, &how)
		switch err {
		case nil:
			return fd, nil
		case unix.EAGAIN, unix.EINTR:
			continue
		case unix.ENOSYS, unix.EPERM, unix.EINVAL, unix.E2BIG:
			// An old kernel, or a seccomp filter. The answer is not kept:
			// a filter may come later.
			return -1, errNoHandle
		case unix.ELOOP, unix.EXDEV:
			return -1, errMoved
		}
		return -1, &fs.PathError{Op: "open", Path: rel, Err: err}
	}
	return -1, errMoved
}

const inRoot = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV

// openHeld opens the directory at rel below a held root.
func openHeld(h *held, rel string) (dir, error) {
	if h.dir != nil && !h.portable {
		resolve := uint64(inRoot)
		if h.whole {
			resolve = unix.RESOLVE_BENEATH
		}
		fd, err := beneath(int(h.dir.Fd()), rel, unix.O_PATH|unix.O_DIRECTORY, resolve)
		if err == nil {
			return fdDir(fd), nil
		}
		if !errors.Is(err, errNoHandle) {
			return nil, err
		}
	}
	return openRootDir(h.root, rel)
}

// openHandle opens the directory that a held root stands on.
func openHandle(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// glance looks at a path without links below a held root in one step. ok is
// false where that needs a walk.
func glance(h *held, rel string) (n node, ok bool) {
	if h.dir == nil || h.portable {
		return n, false
	}
	fd, err := beneath(int(h.dir.Fd()), rel, unix.O_PATH|unix.O_NOFOLLOW, inRoot)
	if err != nil {
		return n, false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return n, false
	}
	return nodeOf(&st), true
}

// openBeneath opens a regular file or directory for reading by one openat2, nil
// where that does not work.
func openBeneath(h *held, rel string) *os.File {
	if h.dir == nil || h.portable {
		return nil
	}
	fd, err := beneath(int(h.dir.Fd()), rel, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, inRoot)
	if err != nil {
		return nil
	}
	f, err := plainFile(fd, rel)
	if err != nil {
		return nil
	}
	return f
}

// plainFile makes an os.File of a descriptor that was opened without waiting.
// It closes the descriptor of anything but a regular file or a directory.
func plainFile(fd int, name string) (*os.File, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return nil, &fs.PathError{Op: "fstat", Path: name, Err: err}
	}
	if n := nodeOf(&st); n.kind != directory && !n.mode.IsRegular() {
		unix.Close(fd)
		return nil, ErrSpecial
	}
	// Only opening could have waited; a regular file that stays non-blocking
	// would be handed to the poller in vain. No other flag that this call can
	// change was set.
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, 0); err != nil {
		unix.Close(fd)
		return nil, &fs.PathError{Op: "fcntl", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// crosses tells whether a path without links below a held root lies behind a
// mount point.
func crosses(h *held, rel string) bool {
	if h.dir == nil || h.portable {
		return false
	}
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: inRoot}
	for range maxAgain {
		fd, err := unix.Openat2(int(h.dir.Fd()), rel, &how)
		switch err {
		case nil:
			unix.Close(fd)
			return false
		case unix.EAGAIN, unix.EINTR:
			continue
		}
		return err == unix.EXDEV
	}
	return true
}

func nodeOf(st *unix.Stat_t) node {
	n := node{kind: other, mode: fs.FileMode(st.Mode & 0o777), links: uint64(st.Nlink)}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		n.kind, n.mode = directory, n.mode|fs.ModeDir
	case unix.S_IFLNK:
		n.kind, n.mode = link, n.mode|fs.ModeSymlink
	case unix.S_IFIFO:
		n.mode |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		n.mode |= fs.ModeSocket
	case unix.S_IFCHR:
		n.mode |= fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFBLK:
		n.mode |= fs.ModeDevice
	default:
		n.mode |= fs.ModeIrregular
	}
	if st.Mode&unix.S_ISUID != 0 {
		n.mode |= fs.ModeSetuid
	}
	if st.Mode&unix.S_ISGID != 0 {
		n.mode |= fs.ModeSetgid
	}
	if st.Mode&unix.S_ISVTX != 0 {
		n.mode |= fs.ModeSticky
	}
	return n
}

// lookPath is the look of a space on this machine.
func lookPath(path string) (n node) {
	for range maxLinks {
		if n = lookOnce(path); n.kind != failed || !errors.Is(n.err, unix.EINVAL) {
			break
		}
		// It was a link, and was none when it was read: look again.
	}
	return n
}

func lookOnce(path string) node {
	var st unix.Stat_t
	var err error
	for {
		if err = unix.Lstat(path, &st); err != unix.EINTR {
			break
		}
	}
	switch err {
	case nil:
	case unix.ENOENT, unix.ENOTDIR:
		return node{}
	default:
		return node{kind: failed, err: &fs.PathError{Op: "lstat", Path: path, Err: err}}
	}
	n := nodeOf(&st)
	if n.kind == link {
		if n.target, err = os.Readlink(path); err != nil {
			return node{kind: failed, err: err}
		}
	}
	return n
}

func retry[T any](f func() (T, error)) (v T, err error) {
	for {
		if v, err = f(); err != unix.EINTR {
			return v, err
		}
	}
}

func (d fdDir) open(name string, flag int, perm fs.FileMode) (*os.File, error) {
	fd, err := retry(func() (int, error) {
		return unix.Openat(int(d), name, flag|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, uint32(perm.Perm()))
	})
	switch err {
	case nil:
	case unix.ELOOP:
		return nil, errMoved
	case unix.ENXIO:
		return nil, ErrSpecial
	default:
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return plainFile(fd, name)
}

func (d fdDir) lstat(name string) (fs.FileInfo, error) {
	fd, err := retry(func() (int, error) {
		return unix.Openat(int(d), name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "lstat", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	return f.Stat()
}

func (d fdDir) mkdir(name string) error {
	if err := unix.Mkdirat(int(d), name, 0o777); err != nil {
		return &fs.PathError{Op: "mkdir", Path: name, Err: err}
	}
	return nil
}

func (d fdDir) remove(name string, directory bool) error {
	flags := 0
	if directory {
		flags = unix.AT_REMOVEDIR
	}
	if err := unix.Unlinkat(int(d), name, flags); err != nil {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	return nil
}

func (d fdDir) rename(name string, to dir, toName string) error {
	t, ok := to.(fdDir)
	if !ok {
		return errNoHandle
	}
	if err := unix.Renameat(int(d), name, int(t), toName); err != nil {
		return &os.LinkError{Op: "rename", Old: name, New: toName, Err: err}
	}
	return nil
}

func (d fdDir) sub(name string) (dir, error) {
	fd, err := retry(func() (int, error) {
		return unix.Openat(int(d), name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return fdDir(fd), nil
}

func (d fdDir) here(name string) (dir, error) {
	fd, err := beneath(int(d), name, unix.O_PATH|unix.O_DIRECTORY, inRoot)
	switch {
	case err == nil:
		return fdDir(fd), nil
	case errors.Is(err, errNoHandle):
		// Without openat2 nothing tells a bind mount of the same device.
		return nil, fmt.Errorf("%w: this kernel does not tell about mount points", ErrUnresolved)
	case errors.Is(err, errMoved):
		return nil, fmt.Errorf("%w: %s is a mount point or has become a link", ErrOutside, name)
	}
	return nil, err
}

func (d fdDir) renameNew(name, toName string) error {
	err := unix.Renameat2(int(d), name, int(d), toName, unix.RENAME_NOREPLACE)
	if err == unix.EINVAL || err == unix.ENOSYS {
		// A file system that cannot: two names for a moment.
		if err = unix.Linkat(int(d), name, int(d), toName, 0); err == nil {
			err = unix.Unlinkat(int(d), name, 0)
		}
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: name, New: toName, Err: err}
	}
	return nil
}

func (d fdDir) link(name string, to dir, toName string) error {
	t, ok := to.(fdDir)
	if !ok {
		return errNoHandle
	}
	if err := unix.Linkat(int(d), name, int(t), toName, 0); err != nil {
		return &os.LinkError{Op: "link", Old: name, New: toName, Err: err}
	}
	return nil
}

func (d fdDir) symlink(target, name string) error {
	if err := unix.Symlinkat(target, int(d), name); err != nil {
		return &os.LinkError{Op: "symlink", Old: target, New: name, Err: err}
	}
	return nil
}

func (d fdDir) readlink(name string) (string, error) {
	// Longer ones the kernel does not make (PATH_MAX).
	buf := make([]byte, unix.PathMax)
	n, err := retry(func() (int, error) { return unix.Readlinkat(int(d), name, buf) })
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	return string(buf[:n]), nil
}

func (d fdDir) close() error { return unix.Close(int(d)) }

// keepOwner gives a new file the owner of the one it replaces, where that is
// permitted.
func keepOwner(f *os.File, old fs.FileInfo) {
	if st, ok := old.Sys().(*unixStat); ok {
		_ = f.Chown(int(st.Uid), int(st.Gid))
	}
}
