package sandbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path"
	"strconv"

	"github.com/clearance-go/clearance/scope/sandbox/internal/confine"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// The rights of Landlock.
const (
	lookFile  = ll.AccessFSExecute | ll.AccessFSReadFile
	lookDir   = lookFile | ll.AccessFSReadDir
	writeFile = lookFile | ll.AccessFSWriteFile | ll.AccessFSTruncate | ll.AccessFSIoctlDev
	writeDir  = lookDir | writeFile | ll.AccessFSRemoveDir | ll.AccessFSRemoveFile | ll.AccessFSMakeDir | ll.AccessFSMakeReg |
		ll.AccessFSMakeSock | ll.AccessFSMakeFifo | ll.AccessFSMakeSym | ll.AccessFSRefer
	allOfABI3 = 1<<15 - 1
)

// minABI is the first Landlock that restricts truncation: below it a file that
// may not be written can be emptied.
const minABI = 3

// ruleset returns a ruleset of Landlock that holds the entries, to be closed. It
// restricts nobody yet.
func ruleset(entries []Entry, abi int, closed bool) (fd int, err error) {
	if abi < minABI {
		return -1, fmt.Errorf("ABI %d, want at least %d", abi, minABI)
	}
	attr := ll.RulesetAttr{HandledAccessFS: allOfABI3}
	if abi >= 5 {
		attr.HandledAccessFS |= ll.AccessFSIoctlDev
	}
	if abi >= 9 {
		attr.HandledAccessFS |= ll.AccessFSResolveUnix
	}
	if abi >= 4 && closed {
		attr.HandledAccessNet = ll.AccessNetBindTCP | ll.AccessNetConnectTCP
	}
	if abi >= 6 {
		attr.Scoped = ll.ScopeAbstractUnixSocket | ll.ScopeSignal
	}
	made, err := ll.LandlockCreateRuleset(&attr, 0)
	if err != nil {
		return -1, err
	}
	defer func() {
		if err != nil {
			unix.Close(made)
		}
	}()
	g := granter{ruleset: made, handled: attr.HandledAccessFS, named: map[string]bool{}, below: map[string]Access{}}
	for _, e := range entries {
		g.named[e.Path] = true
		for d := e.Path; d != "/" && d != "."; {
			d = path.Dir(d)
			if have, ok := g.below[d]; ok && have <= e.Access {
				break // and so have all above it
			}
			g.below[d] = e.Access
		}
	}
	for _, e := range entries {
		if e.Access != Hidden && !e.Missing {
			if err := g.grant(unix.AT_FDCWD, e.Path, e.Path, e.Access); err != nil {
				return -1, err
			}
		}
	}
	for _, d := range []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts"} {
		if err := g.rule(unix.AT_FDCWD, d, writeFile|ll.AccessFSReadDir); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENXIO) {
			return -1, err
		}
	}
	return made, nil
}

type granter struct {
	ruleset int
	handled uint64
	// named are the paths of the entries.
	named map[string]bool
	// below is the least access of the entries that lie below a path.
	below map[string]Access
}

// grant gives an access to a path, which has a name in a directory, and what
// lies below, except where an entry below has less. Rights only add up, so there
// every neighbour is named.
func (g *granter) grant(dir int, name, at string, a Access) error {
	rights := rights(a)
	if least, ok := g.below[at]; !ok || least >= a {
		return g.rule(dir, name, rights)
	}
	if err := g.rule(dir, name, ll.AccessFSReadDir); err != nil {
		return err
	}
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: at, Err: err}
	}
	f := os.NewFile(uintptr(fd), at)
	defer f.Close()
	list, err := f.ReadDir(-1)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return nil
		}
		return err
	}
	for _, l := range list {
		child := path.Join(at, l.Name())
		if l.Type()&os.ModeSymlink != 0 || g.named[child] {
			// What it points to has its own rule, or none; what is named is granted
			// by itself.
			continue
		}
		if _, ok := g.below[child]; !ok && g.add(fd, l.Name(), a, l.IsDir()) == nil {
			continue
		}
		if err := g.grant(fd, l.Name(), child, a); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EACCES) {
			return err
		}
	}
	return nil
}

// rights are those of an access to a directory.
func rights(a Access) uint64 {
	if a == Write {
		return writeDir
	}
	return lookDir
}

// add gives an access to what a list says is a directory, or something else. The
// kernel refuses the rights of a directory to anything else; one that has taken
// the place of a file gets those of a file.
func (g *granter) add(dir int, name string, a Access, isDir bool) error {
	rights := rights(a)
	if !isDir {
		rights &= writeFile
	}
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return ll.LandlockAddPathBeneathRule(g.ruleset, &ll.PathBeneathAttr{ParentFd: fd, AllowedAccess: rights & g.handled}, 0)
}

// rule gives rights to what has a name in a directory, which must be no link.
func (g *granter) rule(dir int, name string, rights uint64) error {
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		return nil
	case unix.S_IFDIR:
	default:
		rights &= writeFile
	}
	if rights &= g.handled; rights == 0 {
		return nil
	}
	if err := ll.LandlockAddPathBeneathRule(g.ruleset, &ll.PathBeneathAttr{ParentFd: fd, AllowedAccess: rights}, 0); err != nil {
		return &os.PathError{Op: "landlock", Path: name, Err: err}
	}
	return nil
}

// landlock has the ruleset made, and the temporary directory of the commands,
// while the helper starts. The ruleset is handed over with the number of
// processes that the user has beside the helper.
func (r *Runner) landlock(l *launch) {
	rules := -1
	l.late = func(p *confine.Plan) (err error) {
		r.mu.Lock()
		tmp, err := r.tempDir()
		r.mu.Unlock()
		if err != nil {
			return err
		}
		p.Env = environment(p.Env, tmp)
		now, err := r.profile.current()
		if err != nil {
			return err
		}
		now.Entries = append(now.Entries, Entry{Path: tmp, Access: Write, Dir: true})
		if now, err = now.clean(); err != nil {
			return err
		}
		if rules, err = ruleset(now.withinReach().Entries, r.box.report.ABI, r.profile.Network.Reach == Off); err != nil {
			return fmt.Errorf("%w: landlock: %w", ErrSetup, err)
		}
		return nil
	}
	l.release = func() {
		if rules >= 0 {
			unix.Close(rules)
		}
	}
	l.then = func(conn *net.UnixConn, helper int) error {
		others := 0
		if r.limits.Processes > 0 && os.Getuid() != 0 {
			others = countOwn(strconv.Itoa(helper))
		}
		_, _, err := conn.WriteMsgUnix(binary.BigEndian.AppendUint32(nil, uint32(others)), unix.UnixRights(rules), nil)
		if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
			return nil // it ended; the handshake tells
		}
		return err
	}
}

// countOwn counts the processes and threads of this user without one process.
func countOwn(without string) (n int) {
	dir, err := os.Open("/proc")
	if err != nil {
		return 0
	}
	defer dir.Close()
	list, err := dir.Readdirnames(-1)
	if err != nil {
		return 0
	}
	for _, name := range list {
		if name[0] >= '0' && name[0] <= '9' && name != without {
			n += tasks(name)
		}
	}
	return n
}

// tasks counts the threads of a process by the links of a folder, which are ".",
// ".." and one for each; 0 for a process of another user.
func tasks(pid string) int {
	var st unix.Stat_t
	if unix.Stat("/proc/"+pid+"/task", &st) != nil || st.Uid != uint32(os.Getuid()) {
		return 0
	}
	return max(1, int(st.Nlink)-2)
}
