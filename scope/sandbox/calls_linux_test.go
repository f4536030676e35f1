package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestCallsChild is the child of TestSeccomp.
func TestCallsChild(t *testing.T) {
	mode := os.Getenv("SANDBOX_TEST_CALLS")
	if mode == "" {
		t.Skip("runs only as the child of another test")
	}
	socket := func(family, kind int) error {
		fd, err := unix.Socket(family, kind, 0)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
	_, _, ring := unix.Syscall(unix.SYS_IO_URING_SETUP, 0, 0, 0)
	_, keys := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
	unixSocket, vsock, inet := socket(unix.AF_UNIX, unix.SOCK_STREAM), socket(unix.AF_PACKET, unix.SOCK_DGRAM), socket(unix.AF_INET, unix.SOCK_STREAM)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	require.NoError(t, err, "pairs are pipes and stay")
	unix.Close(pair[0])
	unix.Close(pair[1])
	if mode == "open" {
		require.NotEqual(t, unix.EPERM, ring)
		require.NoError(t, unixSocket)
		require.NoError(t, inet)
		return
	}
	require.Equal(t, unix.EPERM, ring)
	require.ErrorIs(t, keys, unix.EPERM)
	require.ErrorIs(t, unixSocket, unix.EPERM)
	require.ErrorIs(t, vsock, unix.EPERM)
	if strings.HasSuffix(mode, "landlock") {
		require.ErrorIs(t, inet, unix.EPERM)
	} else {
		require.NoError(t, inet)
	}
}

// reach tries every way into another process and returns those that are open. An
// address that is not mapped and a descriptor that is not open are found out only
// by who may look.
func reach(pid int) (open []string) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	try := func(name string, err error, is ...error) {
		for _, e := range append(is, nil) {
			if errors.Is(err, e) {
				open = append(open, name)
				return
			}
		}
	}
	err := unix.PtraceAttach(pid)
	try("ptrace", err)
	if err == nil {
		_, _ = unix.Wait4(pid, nil, unix.WALL, nil)
		_ = unix.PtraceDetach(pid)
	}
	buf := []byte{0}
	local := unix.Iovec{Base: &buf[0], Len: 1}
	far := unix.RemoteIovec{Base: 1, Len: 1}
	_, _, errno := unix.Syscall6(unix.SYS_PROCESS_VM_WRITEV, uintptr(pid), uintptr(unsafe.Pointer(&local)), 1, uintptr(unsafe.Pointer(&far)), 1, 0)
	err = nil
	if errno != 0 {
		err = errno
	}
	try("process_vm_writev", err, unix.EFAULT)
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	try("mem", err)
	f.Close()
	fd, err := unix.PidfdOpen(pid, 0)
	if err == nil {
		_, err = unix.PidfdGetfd(fd, 0, 0)
		unix.Close(fd)
		try("pidfd_getfd", err, unix.EBADF)
	}
	return open
}

// TestReachChild is the child of TestTracing.
func TestReachChild(t *testing.T) {
	pids := os.Getenv("SANDBOX_TEST_REACH")
	if pids == "" {
		t.Skip("runs only as the child of another test")
	}
	for p := range strings.FieldsSeq(pids) {
		pid, err := strconv.Atoi(p)
		if p == "parent" {
			pid, err = os.Getppid(), nil
		}
		require.NoError(t, err)
		fmt.Printf("reached %s: %q\n", p, reach(pid))
	}
}

// The processes that a sandbox is made of are bound by no filter, and some of
// them hold rights: who could write into one would be as free as it is.
func TestTracing(t *testing.T) {
	const all = `["ptrace" "process_vm_writev" "mem" "pidfd_getfd"]`
	env := []string{"GORACE=" + quickRace, "SANDBOX_TEST_REACH=1 parent"}
	child := []string{"-test.run=^TestReachChild$", "-test.v"}
	if bwrap, err := exec.LookPath("bwrap"); err == nil {
		off := exec.Command(bwrap, append([]string{"--unshare-all", "--bind", "/", "/", "--proc", "/proc", os.Args[0]}, child...)...)
		off.Env = env
		out, err := off.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "reached 1: "+all, "with the guard off")
		require.Contains(t, string(out), "reached parent: "+all)
	}
	eachBox(t, func(t *testing.T, b *Box) {
		p := newPlace(t)
		ways := []*Box{b}
		// For bwrap under root that is a gap, and told.
		if b.report.Level > Landlock && (os.Getuid() != 0 || b.report.Level == Namespaces) && !b.plain {
			ways = append(ways, withoutLandlock(b))
		}
		for i := range 2 * len(ways) {
			b, namespaces := ways[i/2], i%2 == 1
			prof := p.profile(t, ProfileOptions{Unguarded: []string{"."}})
			prof.Namespaces = namespaces
			cmd, err := b.Command(t.Context(), prof, append([]string{testBinary(t, b)}, child...)...)
			require.NoError(t, err)
			cmd.Env = env
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			require.Contains(t, string(out), "reached 1: []")
			require.Contains(t, string(out), "reached parent: []")
		}
	})
}

// TestProcChild is the child of TestProcFiles.
func TestProcChild(t *testing.T) {
	if os.Getenv("SANDBOX_TEST_PROC") == "" {
		t.Skip("runs only as the child of another test")
	}
	require.NoError(t, filepath.WalkDir("/proc", func(path string, d fs.DirEntry, err error) error {
		rel := strings.TrimPrefix(path, "/proc/")
		if err != nil || d.IsDir() && (rel[0] >= '0' && rel[0] <= '9' || strings.Count(rel, "/") > 3) {
			return fs.SkipDir
		}
		if d.Type().IsRegular() {
			// Nothing is written.
			if f, err := os.OpenFile(path, os.O_WRONLY, 0); err == nil {
				f.Close()
				fmt.Println("writable:", path)
			}
		}
		return nil
	}))
}

// What is about the machine and not about a process cannot be opened for
// writing: /proc/sys, mtrr, pressure and what other kernels have.
func TestProcFiles(t *testing.T) {
	args := []string{"-test.run=^TestProcChild$", "-test.v"}
	env := []string{"GORACE=" + quickRace, "SANDBOX_TEST_PROC=1"}
	off := exec.Command(os.Args[0], args...)
	off.Env = env
	out, err := off.CombinedOutput()
	require.NoError(t, err, string(out))
	if os.Getuid() == 0 {
		require.Contains(t, string(out), "writable: /proc/sys/", "with the guard off")
	}
	eachBox(t, func(t *testing.T, b *Box) {
		p := newPlace(t)
		cmd, err := b.Command(t.Context(), p.profile(t, ProfileOptions{Unguarded: []string{"."}}), append([]string{testBinary(t, b)}, args...)...)
		require.NoError(t, err)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "--- PASS: TestProcChild")
		require.NotContains(t, string(out), "writable:")
	})
}

// TestTablesChild is the child of TestNetworkTables.
func TestTablesChild(t *testing.T) {
	mark := os.Getenv("SANDBOX_TEST_TABLES")
	if mark == "" {
		t.Skip("runs only as the child of another test")
	}
	// /proc lists processes only, but finds threads by their number too.
	for id := 1; id < 200; id++ {
		for _, name := range []string{fmt.Sprintf("/proc/%d/net/tcp", id), fmt.Sprintf("/proc/1/task/%d/net/tcp", id)} {
			if data, err := os.ReadFile(name); err == nil && strings.Contains(string(data), mark) {
				fmt.Println("seen:", name)
			}
		}
	}
}

// The sockets of the machine cannot be seen by way of the processes that the
// sandbox is made of, some threads of which are in the network of the machine.
func TestNetworkTables(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	env := []string{"GORACE=" + quickRace, "SANDBOX_TEST_TABLES=" + fmt.Sprintf(":%04X ", l.Addr().(*net.TCPAddr).Port)}
	args := []string{"-test.run=^TestTablesChild$", "-test.v"}
	if bwrap, err := exec.LookPath("bwrap"); err == nil {
		off := exec.Command(bwrap, append([]string{"--unshare-user", "--unshare-pid", "--cap-add", "ALL", "--uid", "0", "--bind", "/", "/", "--proc", "/proc", "unshare", "-n", os.Args[0]}, args...)...)
		off.Env = append(env, "PATH=/usr/bin:/bin")
		out, err := off.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "seen: /proc/1/net/tcp", "with a /proc that shows all processes")
	}
	eachBox(t, func(t *testing.T, b *Box) {
		if b.report.Level == Landlock {
			t.Skip("Landlock leaves all processes of the machine visible, and says so")
		}
		p := newPlace(t)
		for _, b := range []*Box{b, withoutLandlock(b)} {
			cmd, err := b.Command(t.Context(), p.profile(t, ProfileOptions{Unguarded: []string{"."}}), append([]string{testBinary(t, b)}, args...)...)
			require.NoError(t, err)
			cmd.Env = env
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			require.Contains(t, string(out), "--- PASS: TestTablesChild")
			require.NotContains(t, string(out), "seen:")
		}
	})
}

// withoutLandlock is a box as on a kernel that has none.
func withoutLandlock(b *Box) *Box {
	c := *b
	c.report.ABI, c.nested = 0, os.Getuid() != 0 && !b.plain
	return &c
}

// New user namespaces give rights over their own mounts and network. They are
// closed, and where a profile opens them, mounts stay closed.
func TestNamespaces(t *testing.T) {
	const user, mounts = `unshare -U true`, `unshare -Urm mount -t tmpfs none "$P/src"`
	eachBox(t, func(t *testing.T, b *Box) {
		p := newPlace(t)
		prof := p.profile(t, ProfileOptions{Unguarded: []string{"."}})
		for _, script := range []string{user, mounts} {
			out, err := free(t, p, script)
			require.NoError(t, err, "with the guard off: %s", out)
			out, err = confined(t, b, p, prof, script)
			require.Error(t, err, "%s: %s", script, out)
		}
		prof.Namespaces = true
		out, err := confined(t, b, p, prof, user)
		require.NoError(t, err, out)
		out, err = confined(t, b, p, prof, mounts)
		require.Error(t, err, out)
		// Threads and processes start as ever.
		out, err = confined(t, b, p, p.profile(t, ProfileOptions{}), `sh -c 'echo 1 | cat' & wait; git --version; `+testBinary(t, b)+` -test.run=^$`)
		require.NoError(t, err, out)
		require.Contains(t, out, "PASS")
	})
}

// The command holds no capability, whoever runs it, and gets none back.
func TestNoCapabilities(t *testing.T) {
	eachBox(t, func(t *testing.T, b *Box) {
		p := newPlace(t)
		out, err := confined(t, b, p, p.profile(t, ProfileOptions{Unguarded: []string{"."}}), `grep -E '^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs)' /proc/self/status; id -u`)
		require.NoError(t, err, out)
		none := "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n"
		require.Equal(t, none+strconv.Itoa(os.Getuid())+"\n", out)
		if b.report.Level == Landlock {
			return // the devices are those of the machine
		}
		out, err = confined(t, b, p, p.profile(t, ProfileOptions{Unguarded: []string{"."}}), `test -c /dev/ptmx && test -c /dev/null && echo x > /dev/null && head -c 1 /dev/urandom > /dev/null && ls /dev/pts /dev/shm && echo x > /dev/shm/f && ls -l /proc/self/fd/0`)
		require.NoError(t, err, out)
	})
}

// schedule makes every call that says when a process runs, for one process.
func schedule(pid int) map[string]error {
	var cpus unix.CPUSet
	_ = unix.SchedGetaffinity(0, &cpus)
	var param int32
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Nice: 19}
	group := pid
	if pid != 0 {
		group, _ = unix.Getpgid(pid)
	}
	out := map[string]error{
		"setpriority":        unix.Setpriority(unix.PRIO_PROCESS, pid, 19),
		"ioprio_set":         call(unix.SYS_IOPRIO_SET, 1, uintptr(pid), 3<<13),
		"sched_setaffinity":  unix.SchedSetaffinity(pid, &cpus),
		"sched_setscheduler": call(unix.SYS_SCHED_SETSCHEDULER, uintptr(pid), unix.SCHED_BATCH, uintptr(unsafe.Pointer(&param))),
		"sched_setparam":     call(unix.SYS_SCHED_SETPARAM, uintptr(pid), uintptr(unsafe.Pointer(&param))),
		"sched_setattr":      unix.SchedSetAttr(pid, &attr, 0),
	}
	if pid != 0 {
		out["setpriority of a group"] = unix.Setpriority(unix.PRIO_PGRP, group, 19)
		out["ioprio_set of a group"] = call(unix.SYS_IOPRIO_SET, 2, uintptr(group), 3<<13)
		// What the upper half of an argument holds the kernel does not see.
		out["setpriority, long number"] = call(unix.SYS_SETPRIORITY, 1<<32, uintptr(pid)|1<<32, 19)
		out["sched_setaffinity, long number"] = call(unix.SYS_SCHED_SETAFFINITY, uintptr(pid)|1<<32, unsafe.Sizeof(cpus), uintptr(unsafe.Pointer(&cpus)))
	}
	return out
}

// TestScheduleChild is the child of TestScheduling.
func TestScheduleChild(t *testing.T) {
	pid, err := strconv.Atoi(os.Getenv("SANDBOX_TEST_SCHEDULE"))
	if err != nil {
		t.Skip("runs only as the child of another test")
	}
	runtime.LockOSThread() // never unlocked: some calls change the thread
	for name, err := range schedule(pid) {
		fmt.Printf("other %s: %v.\n", name, err)
	}
	for name, err := range schedule(0) {
		fmt.Printf("own %s: %v.\n", name, err)
	}
}

// A command cannot slow down the person's other programs, nor keep them from a
// processor; itself it can.
func TestScheduling(t *testing.T) {
	args := []string{"-test.run=^TestScheduleChild$", "-test.v"}
	victim := func(t *testing.T) (pid int) {
		t.Helper()
		cmd := exec.Command("sleep", "600")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		require.NoError(t, cmd.Start())
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
		return cmd.Process.Pid
	}
	state := func(t *testing.T, pid int) string {
		t.Helper()
		attr, err := unix.SchedGetAttr(pid, 0)
		require.NoError(t, err)
		io, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, 1, uintptr(pid), 0)
		require.Zero(t, errno)
		return fmt.Sprint(attr.Policy, attr.Nice, io)
	}
	env := func(pid int) []string {
		return []string{"GORACE=" + quickRace, fmt.Sprintf("SANDBOX_TEST_SCHEDULE=%d", pid)}
	}
	pid := victim(t)
	before := state(t, pid)
	off := exec.Command(os.Args[0], args...)
	off.Env = env(pid)
	text, err := off.CombinedOutput()
	require.NoError(t, err, string(text))
	require.Equal(t, 10, strings.Count(string(text), "other "))
	require.NotRegexp(t, `(other|own) [^:]*: [^<]`, string(text), "with the guard off")
	require.NotEqual(t, before, state(t, pid), "with the guard off")
	eachBox(t, func(t *testing.T, b *Box) {
		p, pid := newPlace(t), victim(t)
		before := state(t, pid)
		cmd, err := b.Command(t.Context(), p.profile(t, ProfileOptions{Unguarded: []string{"."}}), append([]string{testBinary(t, b)}, args...)...)
		require.NoError(t, err)
		cmd.Env = env(pid)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Equal(t, 10, strings.Count(string(out), "other "))
		require.NotRegexp(t, `other [^:]*: <nil>`, string(out))
		require.NotRegexp(t, `own [^:]*: [^<]`, string(out))
		require.Equal(t, before, state(t, pid))
	})
}
