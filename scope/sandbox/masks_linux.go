package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"
)

// bwrap reads the table of mounts anew for each mount it makes, which takes a
// third of a millisecond each. So it makes the few that open something, and the
// helper, which runs inside, makes those that only take away. For that bwrap
// leaves it the capability to mount, which it drops before it becomes the
// command. The mounts belong into the namespace of bwrap itself: the first
// process of the sandbox stays there, and /proc/1/root leads to what it sees.
// Where bwrap needs a user namespace more (for /dev of any user but root) the
// helper may not mount there, and bwrap makes all mounts.

// maskCaps are what the helper needs: to mount, to drop capabilities for good,
// and to reach what bwrap would reach.
var maskCaps = []string{"--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_SETPCAP", "--cap-add", "CAP_DAC_OVERRIDE"}

// split returns the profile of what bwrap mounts and the masks for the rest.
// The profile is clean.
func (p Profile) split() (wide Profile, masks []mask) {
	wide = p
	wide.Entries = nil
	own := func(name string) bool { return within(name, "/dev") || within(name, "/proc") }
	fixed := func(name string) bool {
		return slices.ContainsFunc(system, func(d string) bool { return within(name, d) })
	}
	for _, e := range p.Entries {
		parent := (*Entry)(nil)
		if e.Path != "/" {
			parent = nearest(p.Entries, path.Dir(e.Path))
		}
		if parent == nil || parent.Access <= e.Access || own(e.Path) || fixed(e.Path) ||
			slices.ContainsFunc(p.Entries, func(b Entry) bool { return b.Access > e.Access && b.Path != e.Path && within(b.Path, e.Path) }) {
			wide.Entries = append(wide.Entries, e)
			continue
		}
		if isPrivate(e.Path) && !isPrivate(parent.Path) {
			continue // the sandbox has another directory there
		}
		switch {
		case e.Missing:
			masks = append(masks, mask{e.Path, maskFile})
		case e.Access == Read:
			masks = append(masks, mask{e.Path, maskRead})
		case e.Dir:
			masks = append(masks, mask{e.Path, maskDir})
		default:
			masks = append(masks, mask{e.Path, maskFile})
		}
	}
	have := wide.pins()
	for _, d := range p.pins() {
		if !slices.Contains(have, d) {
			masks = append(masks, mask{d, maskPin})
		}
	}
	slices.SortFunc(masks, func(a, b mask) int { return comparePaths(a.Path, b.Path) })
	return wide, masks
}

// applyMasks makes the mounts and drops every capability of the calling thread,
// which must be locked.
func applyMasks(masks []mask) error {
	m := masker{null: -1, empty: -1}
	for _, k := range masks {
		if err := m.apply(k); err != nil {
			return fmt.Errorf("covering %s: %w", k.Path, err)
		}
	}
	return dropCapabilities()
}

type masker struct{ null, empty int }

// locate opens what a path names without following any link.
func locate(name string) (int, error) {
	return unix.Openat2(unix.AT_FDCWD, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS})
}

func (m *masker) apply(k mask) error {
	fd, err := locate(k.Path)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	if st.Mode&unix.S_IFMT == unix.S_IFLNK || isDir != (k.Kind == maskDir) && k.Kind != maskRead && k.Kind != maskPin {
		return errors.New("it changes while the sandbox is set up")
	}
	tree, err := m.tree(k.Kind, fd)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	if err := unix.MoveMount(tree, "", fd, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH); err != nil {
		return fmt.Errorf("move_mount: %w", err)
	}
	if k.Kind == maskDir && m.empty < 0 {
		// What is mounted can be copied, which costs less than a new one.
		m.empty, err = locate(k.Path)
	}
	return err
}

// tree returns a mount, not attached yet, for a kind of mask.
func (m *masker) tree(kind maskKind, fd int) (int, error) {
	const nothing = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC
	var attr uint64
	switch kind {
	case maskPin:
	case maskRead:
		attr = unix.MOUNT_ATTR_RDONLY
	case maskFile:
		if m.null < 0 {
			var err error
			if m.null, err = locate("/dev/null"); err != nil {
				return -1, err
			}
		}
		fd, attr = m.null, nothing
	case maskDir:
		if m.empty < 0 {
			return emptyDir(nothing)
		}
		fd = m.empty
	default:
		return -1, fmt.Errorf("unknown kind %d", kind)
	}
	tree, err := unix.OpenTree(fd, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE)
	if err != nil {
		return -1, fmt.Errorf("open_tree: %w", err)
	}
	if attr != 0 {
		if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: attr}); err != nil {
			unix.Close(tree)
			return -1, fmt.Errorf("mount_setattr: %w", err)
		}
	}
	return tree, nil
}

// emptyDir returns a mount with an empty directory that nobody may look into.
func emptyDir(attr int) (int, error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("fsopen: %w", err)
	}
	defer unix.Close(fs)
	for _, o := range [][2]string{{"mode", "0000"}, {"size", "4096"}, {"nr_inodes", "1"}} {
		if err := unix.FsconfigSetString(fs, o[0], o[1]); err != nil {
			return -1, fmt.Errorf("fsconfig %s: %w", o[0], err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, fmt.Errorf("fsconfig: %w", err)
	}
	tree, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, attr)
	if err != nil {
		return -1, fmt.Errorf("fsmount: %w", err)
	}
	return tree, nil
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
