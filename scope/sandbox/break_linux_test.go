package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// breakout is one try of a command to get at what holds it.
type breakout struct {
	name string
	try  func() error
	// plain says that it stays open where bwrap makes all mounts: /proc shows all
	// processes there.
	plain bool
	// limit says that where the command is in a user namespace below, what refuses
	// it is the limit on namespaces, which "clone user" shows.
	limit bool
	// maybe says that the machine may refuse it without a guard too.
	maybe bool
}

// call makes a system call whose arguments may make no sense: what is asked is
// who may call it.
func call(nr uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	if _, _, errno := unix.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
		return errno
	}
	return nil
}

func opened(name string, flags int) error {
	fd, err := unix.Open(name, flags|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func setns(name string) error {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Setns(fd, 0)
}

// breakouts are in the order in which they are tried; dir may be written.
func breakouts(dir string) []breakout {
	all := []breakout{
		{name: "mount", try: func() error { return unix.Mount("none", dir, "tmpfs", 0, "") }},
		{name: "remount", try: func() error { return unix.Mount("", "/proc", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_NOSUID, "") }},
		{name: "open_tree", try: func() error {
			_, err := unix.OpenTree(unix.AT_FDCWD, "/proc", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
			return err
		}},
		{name: "move_mount", try: func() error {
			return unix.MoveMount(-1, "", -1, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
		}},
		{name: "mount_setattr", try: func() error {
			return unix.MountSetattr(-1, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY})
		}},
		{name: "fsopen", try: func() error { _, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC); return err }},
		{name: "fsmount", try: func() error { _, err := unix.Fsmount(-1, unix.FSMOUNT_CLOEXEC, 0); return err }},
		{name: "fspick", try: func() error { _, err := unix.Fspick(unix.AT_FDCWD, "/proc", unix.FSPICK_CLOEXEC); return err }},
		{name: "pivot_root", try: func() error { return unix.PivotRoot("/", "/") }},
		{name: "chroot", try: func() error { return unix.Chroot("/") }},
		{name: "sethostname", try: func() error {
			name, err := os.Hostname()
			if err != nil {
				return err
			}
			return unix.Sethostname([]byte(name)) // what it is, in case it works
		}},
		{name: "unshare user", try: func() error { return unix.Unshare(unix.CLONE_NEWUSER) }, limit: true},
		{name: "unshare mount", try: func() error { return unix.Unshare(unix.CLONE_NEWNS) }},
		{name: "unshare net", try: func() error { return unix.Unshare(unix.CLONE_NEWNET) }},
		{name: "clone user", try: func() error {
			// What the kernel then refuses is to execute a directory.
			_, err := syscall.ForkExec("/", []string{"/"}, &syscall.ProcAttr{Sys: &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}})
			if errors.Is(err, unix.EACCES) {
				return nil
			}
			return err
		}},
		{name: "clone3", try: func() error { return call(unix.SYS_CLONE3, 0, 0) }, limit: true},
		{name: "keyctl", try: func() error { _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false); return err }},
		{name: "add_key", try: func() error {
			_, err := unix.AddKey("user", "sandbox-test", []byte("x"), unix.KEY_SPEC_PROCESS_KEYRING)
			return err
		}},
		{name: "io_uring", try: func() error { return call(unix.SYS_IO_URING_SETUP, 0, 0) }, maybe: true},
		{name: "userfaultfd", try: func() error { return call(unix.SYS_USERFAULTFD, 1|unix.O_CLOEXEC) }},
		{name: "inherited", try: func() error {
			for fd := 3; fd < 64; fd++ {
				var st unix.Stat_t
				if unix.Fstat(fd, &st) != nil {
					continue
				}
				switch st.Mode & unix.S_IFMT {
				case unix.S_IFREG:
					// The Go runtime of this program holds its own.
					name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
					if err == nil && strings.HasPrefix(name, "/sys/fs/cgroup/") {
						continue
					}
					return nil
				case unix.S_IFSOCK, unix.S_IFDIR, unix.S_IFLNK:
					return nil
				}
			}
			return unix.EPERM
		}},
		{name: "terminal", try: func() error { return opened("/dev/tty", unix.O_RDWR) }, maybe: true},
		{name: "cgroup", try: func() error {
			err := fs.ErrPermission
			_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, e error) error {
				if e == nil && d.Type().IsRegular() && opened(path, unix.O_WRONLY) == nil {
					err = nil
					return fs.SkipAll
				}
				return nil
			})
			return err
		}, maybe: true},
	}
	if runtime.GOARCH == "amd64" {
		all = append(all, breakout{name: "x32 unshare", try: func() error { return call(0x4000_0000|unix.SYS_UNSHARE, unix.CLONE_NEWUSER) }, maybe: true})
	}
	for who, pid := range map[string]int{"first": 1, "parent": os.Getppid()} {
		proc := fmt.Sprintf("/proc/%d/", pid)
		for _, f := range []string{"root", "cwd", "fd/0", "mem", "maps", "environ", "ns/mnt", "ns/user"} {
			all = append(all, breakout{name: who + " " + f, try: func() error { return opened(proc+f, unix.O_RDONLY) }, maybe: f == "fd/0"})
		}
		for _, f := range []string{"oom_score_adj", "coredump_filter", "comm", "clear_refs", "uid_map", "setgroups"} {
			all = append(all, breakout{name: who + " write " + f, try: func() error { return opened(proc+f, unix.O_WRONLY) }, plain: true})
		}
		for _, f := range []string{"mnt", "net", "uts", "ipc", "cgroup", "user"} {
			all = append(all, breakout{name: who + " setns " + f, try: func() error { return setns(proc + "ns/" + f) }})
		}
		all = append(all, breakout{name: who + " setns by pidfd", try: func() error {
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.Setns(fd, unix.CLONE_NEWNET)
		}}, breakout{name: who + " process_vm_readv", try: func() error {
			buf := []byte{0}
			local, far := unix.Iovec{Base: &buf[0], Len: 1}, unix.RemoteIovec{Base: 1, Len: 1}
			return call(unix.SYS_PROCESS_VM_READV, uintptr(pid), uintptr(unsafe.Pointer(&local)), 1, uintptr(unsafe.Pointer(&far)), 1, 0)
		}}, breakout{name: who + " prlimit", try: func() error {
			var l unix.Rlimit
			return unix.Prlimit(pid, unix.RLIMIT_CORE, nil, &l)
		}})
	}
	return append(all,
		breakout{name: "setns of its own", try: func() error { return setns("/proc/self/ns/uts") }},
		// The rest needs what these take away.
		breakout{name: "capset", try: func() error {
			var data [2]unix.CapUserData
			data[0].Effective, data[0].Permitted = 1<<unix.CAP_SYS_ADMIN, 1<<unix.CAP_SYS_ADMIN
			h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			return unix.Capset(&h, &data[0])
		}},
		breakout{name: "umount2", try: func() error { return unix.Unmount("/proc", unix.MNT_DETACH) }})
}

// TestBreakChild is the child of TestBreakouts.
func TestBreakChild(t *testing.T) {
	dir := os.Getenv("SANDBOX_TEST_BREAK")
	if dir == "" {
		t.Skip("runs only as the child of another test")
	}
	runtime.LockOSThread() // never unlocked: some tries change the thread
	for _, b := range breakouts(dir) {
		err := b.try()
		switch {
		case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.ENOSYS), errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENXIO), errors.Is(err, unix.EROFS), errors.Is(err, unix.ENOSPC), errors.Is(err, unix.ESRCH):
			fmt.Printf("shut: %s: %v\n", b.name, err)
		default:
			// Allowed, or refused only because the arguments make no sense.
			fmt.Printf("open: %s: %v\n", b.name, err)
		}
	}
}

// The command of the levels with namespaces of their own shares the user
// namespace that owns the mounts. Nothing of what a program can try gets it a
// right there, or anything of the processes that have rights.
func TestBreakouts(t *testing.T) {
	args := []string{"-test.run=^TestBreakChild$", "-test.v"}
	run := func(p place, cmd *exec.Cmd) string {
		cmd.Env = append(p.env(), "GORACE="+quickRace, "SANDBOX_TEST_BREAK="+p.root+"/src")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), ": umount2:", "all were tried")
		return string(out)
	}
	// With the guard off: the same namespaces, and the rights in them.
	p := newPlace(t)
	f, err := os.Open(filepath.Join(p.out, "f"))
	require.NoError(t, err)
	defer f.Close()
	off := exec.Command("unshare", append([]string{"-UrmupinCf", "--mount-proc", "sh", "-c", `"$@"; :`, "sh", os.Args[0]}, args...)...)
	off.ExtraFiles = []*os.File{f}
	out := run(p, off)
	for _, b := range breakouts("") {
		if !b.maybe {
			require.Contains(t, out, "open: "+b.name+":", "with the guard off")
		}
	}
	eachBox(t, func(t *testing.T, b *Box) {
		ways := []*Box{b}
		if b.report.Level == Namespaces {
			ways = append(ways, withoutLandlock(b))
		}
		for _, b := range ways {
			p := newPlace(t)
			cmd, err := b.Command(t.Context(), p.profile(t, ProfileOptions{Unguarded: []string{"."}}), append([]string{testBinary(t, b)}, args...)...)
			require.NoError(t, err)
			cmd.Env = append(p.env(), "GORACE="+quickRace, "SANDBOX_TEST_BREAK="+p.root+"/src")
			text, err := cmd.CombinedOutput()
			require.NoError(t, err, string(text))
			out := string(text)
			for _, a := range breakouts("") {
				if a.plain && b.plain || a.limit && b.nested {
					continue
				}
				require.Contains(t, out, "shut: "+a.name+":", "%v", strings.Split(out, "\n"))
			}
		}
	})
}
