package sandbox

import (
	"errors"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// withinReach returns the profile without what it hides and the user can neither
// open nor change the mode, the owner or the place of, such as /etc/shadow: the
// command has no more rights than the user, and after no_new_privs gets none from
// a program either. Each entry costs a mount, or with Landlock a rule for every
// neighbour. What the person at the machine opens to the user while the command
// runs is open to the command too.
//
// The profile is clean, and nothing is left out for root.
func (p Profile) withinReach() Profile {
	uid := os.Geteuid()
	if uid == 0 || os.Getuid() != uid {
		return p
	}
	fixed := map[string]bool{}
	out := p
	out.Entries = make([]Entry, 0, len(p.Entries))
	for i, e := range p.Entries {
		if e.Access == Hidden && e.Path != "/" {
			n := nearest(p.Entries, path.Dir(e.Path))
			// What lies below it follows it.
			alone := i+1 == len(p.Entries) || !within(p.Entries[i+1].Path, e.Path)
			if alone && n != nil && n.Access == Read && closed(e.Path, uid) && isFixed(path.Dir(e.Path), uid, fixed) {
				continue
			}
		}
		out.Entries = append(out.Entries, e)
	}
	return out
}

// closed tells whether a file or directory of another user lets this one neither
// read nor write nor execute or search.
func closed(name string, uid int) bool {
	var st unix.Stat_t
	if unix.Lstat(name, &st) != nil || int(st.Uid) == uid {
		return false
	}
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFREG && kind != unix.S_IFDIR {
		return false
	}
	for _, right := range []uint32{unix.R_OK, unix.W_OK, unix.X_OK} {
		if !refused(name, right) {
			return false
		}
	}
	return true
}

// isFixed tells whether a directory and all above it belong to others, who do not
// let this user put something else in the place of what lies there and is not its
// own. known holds answers.
func isFixed(dir string, uid int, known map[string]bool) bool {
	is, ok := known[dir]
	if !ok {
		var st unix.Stat_t
		is = unix.Lstat(dir, &st) == nil && int(st.Uid) != uid && st.Mode&unix.S_IFMT == unix.S_IFDIR && (st.Mode&unix.S_ISVTX != 0 || refused(dir, unix.W_OK))
		is = is && (dir == "/" || isFixed(path.Dir(dir), uid, known))
		known[dir] = is
	}
	return is
}

// refused tells whether the kernel refuses a right to the user by its modes, with
// what else decides there. It is asked itself (Linux 5.8): a library that works it
// out from the mode would not see an access list.
func refused(name string, right uint32) bool {
	err := unix.Faccessat2(unix.AT_FDCWD, name, right, unix.AT_EACCESS|unix.AT_SYMLINK_NOFOLLOW)
	return errors.Is(err, unix.EACCES)
}
