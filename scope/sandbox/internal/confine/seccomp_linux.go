package confine

import (
	"errors"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// FilterArch returns the number by which seccomp knows this architecture. Others
// reach sockets also through socketcall(2), which a filter cannot look into.
func FilterArch() (uint32, bool) {
	switch runtime.GOARCH {
	case "amd64":
		return unix.AUDIT_ARCH_X86_64, true
	case "arm64":
		return unix.AUDIT_ARCH_AARCH64, true
	case "riscv64":
		return unix.AUDIT_ARCH_RISCV64, true
	}
	return 0, false
}

// refused are the system calls that no command needs and that reach around the
// rest: io_uring makes sockets without socket(2), the key rings hold the
// person's secrets, mounts are what the sandbox is made of, and the others have
// been the way into the kernel often.
var refused = []uint32{
	unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
	unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE, unix.SYS_MOUNT_SETATTR,
	unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_SETNS, unix.SYS_KEXEC_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE,
}

// scheduled are the system calls that say when a process runs, by its number,
// which is 0 for the caller itself. Landlock does not look at them.
var scheduled = []uint32{unix.SYS_SCHED_SETAFFINITY, unix.SYS_SCHED_SETSCHEDULER, unix.SYS_SCHED_SETPARAM, unix.SYS_SCHED_SETATTR}

// ranked are those that name a kind of number first: what stands for one process
// is in it.
var ranked = map[uint32]uint32{unix.SYS_SETPRIORITY: unix.PRIO_PROCESS, unix.SYS_IOPRIO_SET: 1} // IOPRIO_WHO_PROCESS

// Offsets in struct seccomp_data.
const (
	dataNr   = 0
	dataArch = 4
	dataArg0 = 16
	dataArg1 = 24
)

// program returns the filter: another architecture and what is refused get
// EPERM, socket(2) only the families named, and limits are those of the caller
// itself: a limit of processor time ends another process as a signal does, and
// Landlock does not look at it. closed refuses new user namespaces:
// in one a program has rights over its own network and mounts, and so reaches
// more of the kernel. clone3(2), whose flags a filter cannot see, is then not
// there: C libraries use clone(2). alone refuses to say when others than the caller
// run, for a command that can name the processes of the machine; a number may
// change hands between the question and the call, so that those of its own
// children and threads are refused too.
func program(arch uint32, families []int, closed, alone bool) []unix.SockFilter {
	const (
		ld  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		jeq = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		jge = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		set = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		ret = unix.BPF_RET | unix.BPF_K
	)
	deny := unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)}
	allow := unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW}
	f := []unix.SockFilter{
		{Code: ld, K: dataArch},
		{Code: jeq, K: arch, Jt: 1},
		deny,
		{Code: ld, K: dataNr},
	}
	if arch == unix.AUDIT_ARCH_X86_64 {
		// The x32 numbers.
		f = append(f, unix.SockFilter{Code: jge, K: 0x4000_0000, Jf: 1}, deny)
	}
	for _, nr := range refused {
		f = append(f, unix.SockFilter{Code: jeq, K: nr, Jf: 1}, deny)
	}
	if closed {
		for _, nr := range []uint32{unix.SYS_CLONE, unix.SYS_UNSHARE} {
			f = append(f, unix.SockFilter{Code: jeq, K: nr, Jf: 4},
				unix.SockFilter{Code: ld, K: dataArg0}, unix.SockFilter{Code: set, K: unix.CLONE_NEWUSER, Jf: 1}, deny, allow)
		}
		f = append(f, unix.SockFilter{Code: jeq, K: unix.SYS_CLONE3, Jf: 1}, unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)})
	}
	own := []uint32{unix.SYS_PRLIMIT64}
	if alone {
		own = append(own, scheduled...)
		for nr, one := range ranked {
			f = append(f, unix.SockFilter{Code: jeq, K: nr, Jf: 6},
				unix.SockFilter{Code: ld, K: dataArg0}, unix.SockFilter{Code: jeq, K: one, Jf: 3},
				unix.SockFilter{Code: ld, K: dataArg1}, unix.SockFilter{Code: jeq, K: 0, Jf: 1}, allow, deny)
		}
	}
	for _, nr := range own {
		f = append(f, unix.SockFilter{Code: jeq, K: nr, Jf: 4},
			unix.SockFilter{Code: ld, K: dataArg0}, unix.SockFilter{Code: jeq, K: 0, Jf: 1}, allow, deny)
	}
	f = append(f, unix.SockFilter{Code: jeq, K: unix.SYS_SOCKET, Jt: 1}, allow, unix.SockFilter{Code: ld, K: dataArg0})
	for _, n := range families {
		f = append(f, unix.SockFilter{Code: jeq, K: uint32(n), Jf: 1}, allow)
	}
	return append(f, deny)
}

// filter loads the program for the calling thread, for good.
func filter(families []int, closed, alone bool) error {
	arch, ok := FilterArch()
	if !ok {
		return errors.New("no filter for " + runtime.GOARCH)
	}
	f := program(arch, slices.Clone(families), closed, alone)
	prog := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
	runtime.KeepAlive(f)
	return err
}
