package confine

import (
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// namespaceLimit says how many user namespaces may be made below this one. It
// belongs to the user namespace that writes it.
const namespaceLimit = "/proc/sys/user/max_user_namespaces"

// applyMounts makes the mounts, in the file system of the machine or, fresh, in
// an empty one. namespaces is how many user namespaces may be made below,
// negative for as many as the machine allows.
func applyMounts(p *Plan, namespaces int) error {
	list, private, fresh := p.Mounts, p.Private, p.Fresh
	m := mounter{null: -1, empty: -1, dir: -1}
	// While the old one is there: without one that is wholly visible nobody gets
	// another.
	// The command sees no process that it may not trace.
	proc, err := newFS("proc", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC, "hidepid=ptraceable")
	if err != nil {
		return fmt.Errorf("/proc: %w", err)
	}
	// What the machine has, before it is changed.
	trees := make([]int, len(list))
	for i, k := range list {
		trees[i] = -1
		if k.Kind != MountBind && k.Kind != MountBindRead {
			continue
		}
		from := k.From
		if from == "" {
			from = k.Path
		}
		var err error
		if trees[i], err = m.source(from, k.Kind); err != nil {
			return fmt.Errorf("opening %s: %w", from, err)
		}
	}
	devices := map[string]int{}
	for _, d := range []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"} {
		tree, err := m.device(d)
		if errors.Is(err, unix.ENOENT) && d != "/dev/null" {
			continue
		}
		if err != nil {
			return fmt.Errorf("opening %s: %w", d, err)
		}
		devices[d] = tree
	}
	// Nothing is written, nor comes from outside later.
	all := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV, Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &all); err != nil {
		return fmt.Errorf("mount_setattr /: %w", err)
	}
	if fresh {
		if err := m.pivot(); err != nil {
			return fmt.Errorf("/: %w", err)
		}
	}
	if err := m.proc(proc, namespaces, p.Unwritten); err != nil {
		return fmt.Errorf("/proc: %w", err)
	}
	if err := m.dev(devices); err != nil {
		return fmt.Errorf("/dev: %w", err)
	}
	for _, d := range private {
		// Where it is a link, what it leads to is another of them, or the
		// machine's own and read-only.
		if fi, err := os.Lstat(d); !fresh && (err != nil || !fi.IsDir()) {
			continue
		}
		if err := m.tmpfs(d, "0755"); err != nil {
			return fmt.Errorf("%s: %w", d, err)
		}
	}
	var shut []string
	if fresh {
		shut = append(shut, "/")
	}
	for i, k := range list {
		var err error
		switch k.Kind {
		case MountBind, MountBindRead:
			err = m.attach(trees[i], k.Path)
		case MountShut:
			shut = append(shut, k.Path)
			err = m.tmpfs(k.Path, "0111")
		default:
			err = m.apply(k)
			if (within(k.Path, "/dev") || within(k.Path, "/proc")) && errors.Is(err, unix.ENOENT) {
				err = nil // the sandbox has none
			}
		}
		if err != nil {
			return fmt.Errorf("covering %s: %w", k.Path, err)
		}
	}
	for _, d := range shut {
		if err := unix.MountSetattr(unix.AT_FDCWD, d, 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
			return fmt.Errorf("covering %s: %w", d, err)
		}
	}
	return nil
}

type mounter struct {
	// null and empty are what is put over files and directories, mounted once
	// already: what is mounted can be copied with its attributes, which costs
	// less than a new one. -1 for not yet.
	null, empty int
	// dir is a directory that is held, by the name dirName, for what is mounted
	// in it one after the other.
	dir     int
	dirName string
	// made are the file systems that are this sandbox's own: there a place to
	// mount on is made where it is missing.
	made []uint64
}

// source returns a copy of what the machine has at a path.
func (m *mounter) source(name string, kind MountKind) (int, error) {
	fd, err := locate(name)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	attr := uint64(unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV)
	if kind == MountBindRead {
		attr |= unix.MOUNT_ATTR_RDONLY
	}
	return clone(fd, attr)
}

// device returns a copy of a device that stays usable.
func (m *mounter) device(name string) (int, error) {
	fd, err := locate(name)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	return clone(fd, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
}

// clone copies a mount with all below it. It is not attached yet.
func clone(fd int, attr uint64) (int, error) {
	tree, err := unix.OpenTree(fd, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE)
	if err != nil {
		return -1, fmt.Errorf("open_tree: %w", err)
	}
	if attr != 0 {
		if err := restrictTree(tree, attr); err != nil {
			unix.Close(tree)
			return -1, err
		}
	}
	return tree, nil
}

// restrictTree sets attributes on a tree that is not attached yet.
func restrictTree(tree int, attr uint64) error {
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: attr, Propagation: unix.MS_PRIVATE}); err != nil {
		return fmt.Errorf("mount_setattr: %w", err)
	}
	return nil
}

// attach puts a tree at a path and closes it. In a file system of the sandbox's
// own the place is made.
func (m *mounter) attach(tree int, name string) error {
	defer unix.Close(tree)
	fd, err := m.locate(name)
	if errors.Is(err, unix.ENOENT) {
		if err = m.place(tree, name); err != nil {
			return err
		}
		fd, err = m.locate(name)
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return m.move(tree, fd, name)
}

// move mounts a tree on what fd holds, which has a name.
func (m *mounter) move(tree, fd int, name string) error {
	if within(m.dirName, name) {
		m.let() // something else is there from now on
	}
	if err := unix.MoveMount(tree, "", fd, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH); err != nil {
		return fmt.Errorf("move_mount: %w", err)
	}
	return nil
}

// locate is locate of a path, by way of its directory.
func (m *mounter) locate(name string) (int, error) {
	if err := m.enter(path.Dir(name)); err != nil {
		return -1, err
	}
	return locateAt(m.dir, path.Base(name))
}

// enter holds a directory, for what is mounted in it one after the other.
func (m *mounter) enter(dir string) error {
	if m.dir >= 0 && m.dirName == dir {
		return nil
	}
	fd, err := locate(dir)
	if err != nil {
		return err
	}
	m.let()
	m.dir, m.dirName = fd, dir
	return nil
}

// let lets go of the directory that is held.
func (m *mounter) let() {
	if m.dir >= 0 {
		unix.Close(m.dir)
		m.dir = -1
	}
}

// place makes the directory or file that a tree is mounted on.
func (m *mounter) place(tree int, name string) error {
	var st unix.Stat_t
	for d := path.Dir(name); ; d = path.Dir(d) {
		fd, err := locate(d)
		if errors.Is(err, unix.ENOENT) && d != "/" {
			continue
		}
		if err == nil {
			err = unix.Fstat(fd, &st)
			unix.Close(fd)
		}
		if err != nil {
			return err
		}
		break
	}
	if !slices.Contains(m.made, uint64(st.Dev)) {
		return fmt.Errorf("%w: it has gone while the sandbox is set up", unix.ENOENT)
	}
	if err := unix.Fstat(tree, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return os.MkdirAll(name, 0o755)
	}
	if err := os.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444)
	if err != nil {
		return err
	}
	return f.Close()
}

// newFS returns a new file system, not attached yet.
func newFS(kind string, attr int, options ...string) (int, error) {
	fs, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("fsopen %s: %w", kind, err)
	}
	defer unix.Close(fs)
	for _, o := range options {
		k, v, _ := strings.Cut(o, "=")
		if err := unix.FsconfigSetString(fs, k, v); err != nil {
			return -1, fmt.Errorf("fsconfig %s: %w", o, err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, fmt.Errorf("fsconfig %s: %w", kind, err)
	}
	tree, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, attr)
	if err != nil {
		return -1, fmt.Errorf("fsmount %s: %w", kind, err)
	}
	return tree, nil
}

// tmpfs mounts an empty directory that is the sandbox's own.
func (m *mounter) tmpfs(name, mode string) error {
	tree, err := m.newTmpfs(mode)
	if err != nil {
		return err
	}
	return m.attach(tree, name)
}

func (m *mounter) newTmpfs(mode string) (int, error) {
	tree, err := newFS("tmpfs", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV, "mode="+mode)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(tree, &st); err != nil {
		unix.Close(tree)
		return -1, err
	}
	m.made = append(m.made, uint64(st.Dev))
	return tree, nil
}

// pivot makes an empty directory the root of the file system.
func (m *mounter) pivot() error {
	tree, err := m.newTmpfs("0755")
	if err != nil {
		return err
	}
	// Any place will do: it goes away with the old root.
	if err := m.attach(tree, "/proc"); err != nil {
		return err
	}
	if err := os.Chdir("/proc"); err != nil {
		return err
	}
	// The old root lies on the new one then, and comes off.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	m.let()
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("umount: %w", err)
	}
	return os.Chdir("/")
}

// proc mounts the processes of the sandbox. All in it that is not about one
// process is about the machine, and becomes read-only: file modes alone would
// let root change it. Files that nobody may write, as those with the names in
// unwritten, need no mount.
func (m *mounter) proc(tree, namespaces int, unwritten []string) error {
	if err := m.attach(tree, "/proc"); err != nil {
		return err
	}
	if namespaces >= 0 {
		if err := os.WriteFile(namespaceLimit, fmt.Append(nil, namespaces), 0); err != nil {
			return err
		}
	}
	dir, err := os.Open("/proc")
	if err != nil {
		return err
	}
	defer dir.Close()
	list, err := dir.ReadDir(-1)
	if err != nil {
		return err
	}
	for _, e := range list {
		if !e.IsDir() && !e.Type().IsRegular() || e.Name()[0] >= '0' && e.Name()[0] <= '9' {
			continue
		}
		if !e.IsDir() {
			if _, known := slices.BinarySearch(unwritten, e.Name()); known {
				continue
			}
			var st unix.Stat_t
			if err := unix.Fstatat(int(dir.Fd()), e.Name(), &st, unix.AT_SYMLINK_NOFOLLOW); err == nil && st.Mode&0o222 == 0 {
				continue
			}
		}
		if err := m.apply(Mount{Path: "/proc/" + e.Name(), Kind: MountRead}); err != nil {
			return fmt.Errorf("%s: %w", e.Name(), err)
		}
	}
	return nil
}

// dev mounts a /dev with the devices that every program may use, and terminals
// of its own.
func (m *mounter) dev(devices map[string]int) error {
	dev, err := m.newTmpfs("0755")
	if err != nil {
		return err
	}
	// All places are made before it is attached, with no way to look for them.
	named := func(name string, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	for name := range devices {
		fd, err := unix.Openat(dev, path.Base(name), unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o444)
		if err := named(name, err); err != nil {
			return err
		}
		unix.Close(fd)
	}
	for _, link := range [][2]string{{"ptmx", "pts/ptmx"}, {"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"}, {"core", "/proc/kcore"}} {
		if err := named(link[0], unix.Symlinkat(link[1], dev, link[0])); err != nil {
			return err
		}
	}
	if err := errors.Join(named("pts", unix.Mkdirat(dev, "pts", 0o755)), named("shm", unix.Mkdirat(dev, "shm", 0o777))); err != nil {
		return err
	}
	if err := named("shm", unix.Fchmodat(dev, "shm", unix.S_ISVTX|0o777, 0)); err != nil {
		return err
	}
	if err := m.attach(dev, "/dev"); err != nil {
		return err
	}
	for name, tree := range devices {
		if err := m.attach(tree, name); err != nil {
			return err
		}
	}
	pts, err := newFS("devpts", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC, "ptmxmode=0666", "mode=620")
	if err != nil {
		return err
	}
	return m.attach(pts, "/dev/pts")
}

// locate opens what a path names without following any link.
func locate(name string) (int, error) { return locateAt(unix.AT_FDCWD, name) }

func locateAt(dir int, name string) (int, error) {
	return unix.Openat2(dir, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS})
}

// apply makes a mount that takes something away.
func (m *mounter) apply(k Mount) error {
	if k.Kind == MountPin || k.Kind == MountRead {
		return m.hold(k)
	}
	fd, err := m.locate(k.Path)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	kind := st.Mode & unix.S_IFMT
	if kind == unix.S_IFLNK || (kind == unix.S_IFDIR) != (k.Kind == MountDir) {
		return errChanges
	}
	tree, err := m.nothing(k.Kind)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	if err := m.move(tree, fd, k.Path); err != nil {
		return err
	}
	switch {
	case k.Kind == MountDir && m.empty < 0:
		m.empty, err = locate(k.Path)
	case k.Kind == MountFile && m.null < 0:
		m.null, err = locate(k.Path)
	}
	return err
}

var errChanges = errors.New("it changes while the sandbox is set up")

// hold mounts what has a name on itself, read-only unless it is a pin. Should
// something else take the name meanwhile, that is what is covered.
func (m *mounter) hold(k Mount) error {
	if err := m.enter(path.Dir(k.Path)); err != nil {
		return err
	}
	name := path.Base(k.Path)
	tree, err := unix.OpenTree(m.dir, name, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE|unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	var st unix.Stat_t
	if err := unix.Fstat(tree, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return errChanges
	}
	if k.Kind == MountRead {
		if err := restrictTree(tree, unix.MOUNT_ATTR_RDONLY); err != nil {
			return err
		}
	}
	if err := unix.MoveMount(tree, "", m.dir, name, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("move_mount: %w", err)
	}
	return nil
}

// nothing returns what is mounted over a file or a directory, not attached yet.
func (m *mounter) nothing(kind MountKind) (int, error) {
	const none = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC
	switch kind {
	case MountFile:
		if m.null >= 0 {
			return clone(m.null, 0)
		}
		null, err := locate("/dev/null")
		if err != nil {
			return -1, err
		}
		defer unix.Close(null)
		return clone(null, none)
	case MountDir:
		if m.empty >= 0 {
			return clone(m.empty, 0)
		}
		return emptyDir(none)
	}
	return -1, fmt.Errorf("unknown kind %d", kind)
}

// emptyDir returns a mount with an empty directory that nobody may look into.
func emptyDir(attr int) (int, error) {
	return newFS("tmpfs", attr, "mode=0000", "size=4096", "nr_inodes=1")
}

// dropCapabilities takes every capability from the calling thread and what it
// becomes. An empty bounding set keeps uid 0 from getting them back.
func dropCapabilities() error {
	for c := uintptr(0); ; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if err == unix.EINVAL && c > 0 {
			break
		}
		if err != nil {
			return fmt.Errorf("bounding set: %w", err)
		}
	}
	return dropOwnCapabilities()
}

// dropOwnCapabilities takes every capability from the calling thread. After
// no_new_privs no program that it becomes has more than it, whoever runs it: the
// bounding set, which only who holds CAP_SETPCAP may change, is not needed.
func dropOwnCapabilities() error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("ambient set: %w", err)
	}
	var none [2]unix.CapUserData
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
		return fmt.Errorf("capset: %w", err)
	}
	runtime.KeepAlive(&none)
	var data [2]unix.CapUserData
	if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]); err != nil {
		return fmt.Errorf("capget: %w", err)
	}
	if data != none {
		return os.ErrPermission
	}
	return nil
}

// within tells whether a path is dir or lies below it.
func within(p, dir string) bool {
	return p == dir || dir == "/" || strings.HasPrefix(p, dir) && len(p) > len(dir) && p[len(dir)] == '/'
}
