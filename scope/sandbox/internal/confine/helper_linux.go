package confine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const rlimitNproc = unix.RLIMIT_NPROC

func dup(from, to int) error { return unix.Dup3(from, to, 0) }

const fdDir = "/proc/self/fd"

// markRange is one call from Linux 5.11 on.
func markRange(first int) bool {
	return unix.CloseRange(uint(first), math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) == nil
}

// confine restricts and runs the command.
func confine(p *Plan, c control) error {
	if p.Stay {
		return confineBelow(p, c)
	}
	if p.Own {
		return confineInNamespace(p, c)
	}
	runtime.LockOSThread()
	if err := p.proxied(c); err != nil {
		return err
	}
	if err := restrict(p); err != nil {
		return err
	}
	return becomeHere(p, c).fail(c)
}

// becomeHere runs the command in place of this process. It returns only where
// there is none.
func becomeHere(p *Plan, c control) started {
	if p.Path == "" {
		_ = c.say("ok", "")
		return started{}
	}
	if err := os.Chdir(p.Dir); err != nil {
		return started{err: err}
	}
	name, err := look(p)
	if err := c.say("ok", ""); err != nil {
		return started{err: err}
	}
	if err == nil {
		err = c.become(name, p)
	}
	// It has moved the channel.
	return started{err: started{err: err, exec: true}.fail(c)}
}

// confineInNamespace makes the mounts and runs the command, which holds no
// capability. What does not depend on another goes on at the same time: making
// a network takes as long as all mounts.
//
// The first process of the sandbox stays to tell how the command ended. It is
// out of reach, as the one of bwrap is: they have rights that the command has
// not, and are in no domain of it.
func confineInNamespace(p *Plan, c control) error {
	spared := make(chan struct{})
	mounted, ready := make(chan error, 1), make(chan started, 1)
	// First what takes longest.
	go onThread(func() {
		ready <- p.launchInNamespace(c, mounted, spared)
	})
	if p.Init {
		go func() {
			// Before the limit holds, which counts the threads of this process too.
			end := endWithHost(c)
			if p.Limits.Processes > 0 {
				spareThreads()
			}
			close(spared)
			end()
		}()
	} else {
		close(spared)
	}
	namespaces := 0
	switch {
	case p.Namespaces:
		namespaces = -1
	case p.Below:
		namespaces = 1
	}
	err := applyMounts(p, namespaces)
	if err == nil && p.Init && !p.Below {
		// From here on nobody but root of the machine can look into it.
		err = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	}
	mounted <- err
	s := <-ready
	if s.pid == 0 {
		return s.fail(c)
	}
	if p.Below {
		// The kernel lets nobody write the numbers of what such a process starts.
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
			return err
		}
	}
	_ = c.say("run", "")
	if !p.Init {
		c.f.Close()
	}
	for {
		var ws unix.WaitStatus
		// Those whose parent has ended come to the first process.
		pid, err := unix.Wait4(-1, &ws, 0, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			os.Exit(125)
		}
		if pid == s.pid {
			os.Exit(exitCode(ws))
		}
	}
}

// launchInNamespace confines the calling thread, which ends then, and starts the
// command from it, or becomes the command.
func (p *Plan) launchInNamespace(c control, mounted <-chan error, spared <-chan struct{}) started {
	if p.Unshare != 0 {
		// Other threads of this process stay in those of the machine. /proc shows
		// the command none of them.
		if err := unix.Unshare(p.Unshare); err != nil {
			return started{err: fmt.Errorf("namespaces: %w", err)}
		}
	}
	if p.Unshare&unix.CLONE_NEWNET != 0 {
		if err := loopback(); err != nil {
			return started{err: fmt.Errorf("the loopback: %w", err)}
		}
	}
	if err := p.proxied(c); err != nil {
		return started{err: err}
	}
	attr := &syscall.SysProcAttr{Setsid: true}
	if p.Below {
		attr.Cloneflags = syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: p.User, HostID: 0, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: p.Group, HostID: 0, Size: 1}}
	} else if err := dropCapabilities(); err != nil {
		return started{err: err}
	}
	if err := restrictCalls(p); err != nil {
		return started{err: err}
	}
	if err := <-mounted; err != nil {
		return started{err: err}
	}
	<-spared
	if p.Limits.Processes > 0 {
		// The namespaces hold this process and the first one.
		own, err := tasks()
		if err != nil {
			return started{err: err}
		}
		p.Limits.Processes += own + 1
	}
	if p.Path != "" {
		if err := os.Chdir(p.Dir); err != nil {
			return started{err: err}
		}
	}
	if err := restrictFiles(p); err != nil {
		return started{err: err}
	}
	switch {
	case p.Path == "" && p.Below:
		// All but the command itself: a directory cannot be executed.
		_, err := syscall.ForkExec("/", []string{"/"}, &syscall.ProcAttr{Sys: attr})
		if !errors.Is(err, unix.EACCES) {
			return started{err: fmt.Errorf("a user namespace below: %w", err)}
		}
		_ = c.say("ok", "")
		return started{}
	case p.Path == "":
		_ = c.say("ok", "")
		return started{}
	case p.Below || p.Init:
		return launchBelow(p, c, attr)
	}
	return becomeHere(p, c)
}

// endWithHost has this process, and with it all in its namespaces, end when the
// host closes the channel or is gone. wait does so when the host sends a signal
// that ends programs.
func endWithHost(c control) (wait func()) {
	go func() {
		_, _ = io.Copy(io.Discard, c.f)
		os.Exit(137)
	}()
	status := endingSignal()
	return func() { os.Exit(status()) }
}

// endingSignal catches the signals that end programs, and does not ignore them,
// which the command would inherit. wait returns the status of the first.
func endingSignal() (wait func() int) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM)
	return func() int {
		s, _ := (<-signals).(syscall.Signal)
		return 128 + int(s)
	}
}

// loopback brings up the loopback of a new network; its addresses come with it.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}

// started is how the start of a command went.
type started struct {
	// pid is 0 where there is no command.
	pid int
	err error
	// exec says that it was the program that could not be executed.
	exec bool
}

// fail ends this process where there is no command; an error is for the caller
// to tell.
func (s started) fail(c control) error {
	if s.exec {
		_ = c.say("exec", execError(s.err))
		os.Exit(127)
	}
	if s.err == nil {
		os.Exit(0)
	}
	return s.err
}

// launchBelow starts the command from the calling thread, which is confined.
func launchBelow(p *Plan, c control, attr *syscall.SysProcAttr) started {
	// Now, not when it runs: from then on it may end this process.
	if err := c.say("ok", ""); err != nil {
		return started{err: err}
	}
	name, err := look(p)
	if err != nil {
		return started{err: err, exec: true}
	}
	files := []uintptr{0, 1, 2}
	for i := range p.Extra {
		files = append(files, uintptr(p.First+i))
	}
	// os.StartProcess would try out first whether the kernel has pidfds.
	pid, err := syscall.ForkExec(name, p.Argv, &syscall.ProcAttr{Dir: p.Dir, Env: p.Env, Files: files, Sys: attr})
	// The command has its own copies; were these open, nobody would see it
	// close them.
	for _, f := range files {
		_ = unix.Close(int(f))
	}
	if err != nil {
		return started{err: err, exec: true}
	}
	return started{pid: pid}
}

func exitCode(ws unix.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// confineBelow runs the command as a child and ends all that it leaves behind.
// Only the thread that the command is started from is restricted, and it ends
// then: what is in the same Landlock domain as the command can get signals from
// it.
func confineBelow(p *Plan, c control) error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return err
	}
	spared := make(chan struct{})
	ready := make(chan started)
	go onThread(func() { ready <- launchRestricted(p, c, spared) })
	// Once: the first to come knows why.
	var ending sync.Mutex
	exit := func(code int) {
		ending.Lock()
		endAll()
		_ = c.say("end", "")
		os.Exit(code)
	}
	status := endingSignal()
	go func() { exit(status()) }()
	if p.Limits.Processes > 0 {
		spareThreads()
	}
	close(spared)
	s := <-ready
	if s.pid == 0 {
		return s.fail(c)
	}
	_ = c.say("run", "")
	// The parent closes the channel, or ends: then everything ends.
	go func() {
		_, _ = io.Copy(io.Discard, c.f)
		exit(137)
	}()
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, 0, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			exit(125)
		}
		if pid != s.pid {
			continue
		}
		exit(exitCode(ws))
	}
}

// launchRestricted confines the calling thread, which ends then, and starts the
// command from it. What the host does not need to tell goes first: it makes the
// rules of Landlock meanwhile.
func launchRestricted(p *Plan, c control, spared <-chan struct{}) started {
	if err := restrictCalls(p); err != nil {
		return started{err: err}
	}
	if err := dropOwnCapabilities(); err != nil {
		return started{err: err}
	}
	rules, others, err := c.rules()
	if err != nil {
		return started{err: fmt.Errorf("reading the rules: %w", err)}
	}
	defer unix.Close(rules)
	<-spared
	if p.Limits.Processes > 0 {
		// Without a user namespace the kernel counts all processes of the user.
		own, err := tasks()
		if err != nil {
			return started{err: err}
		}
		p.Limits.Processes += others + own
	}
	if err := enforce(rules); err != nil {
		return started{err: fmt.Errorf("landlock: %w", err)}
	}
	if err := setLimits(p.Limits); err != nil {
		return started{err: err}
	}
	if p.Path == "" {
		_ = c.say("ok", "")
		return started{}
	}
	return launchBelow(p, c, nil)
}

// rules receives a ruleset of Landlock, and how many processes and threads the
// user has beside this one.
func (c control) rules() (ruleset, others int, err error) {
	var count [4]byte
	oob := make([]byte, unix.CmsgSpace(4))
	for {
		n, oobn, _, _, err := unix.Recvmsg(controlFD, count[:], oob, unix.MSG_WAITALL|unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return -1, 0, err
		}
		if n == 0 {
			return -1, 0, io.EOF
		}
		msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil || len(msgs) != 1 || n != len(count) {
			return -1, 0, errors.New("none came")
		}
		fds, err := unix.ParseUnixRights(&msgs[0])
		if err != nil || len(fds) != 1 {
			return -1, 0, errors.New("none came")
		}
		return fds[0], int(binary.BigEndian.Uint32(count[:])), nil
	}
}

// onThread runs f on a thread that ends with it, and that is not the first one:
// that one stands for the process when a signal is sent, so it must never be in
// the domain of the command.
func onThread(f func()) {
	runtime.LockOSThread() // never unlocked, so the thread ends
	if unix.Gettid() == unix.Getpid() {
		// It stays taken until another thread has run f.
		done := make(chan struct{})
		go func() {
			defer close(done)
			onThread(f)
		}()
		<-done
		runtime.UnlockOSThread()
		return
	}
	f()
}

// endAll kills every descendant of this process. As their reaper it gets
// those whose parent ended, so there is always a child as long as one lives.
func endAll() {
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		if _, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err == unix.ECHILD {
			return
		}
		// Stop them first: what is stopped starts nothing new.
		for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
			for _, pid := range descendants(os.Getpid()) {
				_ = syscall.Kill(pid, sig)
			}
		}
		runtime.Gosched()
	}
}

func descendants(pid int) (out []int) {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil
	}
	for _, t := range tasks {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		if err != nil {
			continue
		}
		for f := range strings.FieldsSeq(string(data)) {
			if n, err := strconv.Atoi(f); err == nil {
				out = append(append(out, n), descendants(n)...)
			}
		}
	}
	return out
}

// restrict confines the calling thread and what it starts.
func restrict(p *Plan) error {
	if err := restrictCalls(p); err != nil {
		return err
	}
	return restrictFiles(p)
}

// restrictCalls takes from the calling thread the system calls that no command
// needs; the mounts need not have been made.
func restrictCalls(p *Plan) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	if p.Families != nil {
		// Where the limit on namespaces holds, the command itself is started in
		// one.
		if err := filter(p.Families, !p.Namespaces && !p.Below, p.Stay); err != nil {
			return fmt.Errorf("seccomp: %w", err)
		}
	}
	return nil
}

// restrictFiles puts the calling thread into a domain of Landlock, and applies
// the limits.
func restrictFiles(p *Plan) error {
	if p.ABI >= FenceABI {
		if err := fence(p.ABI); err != nil {
			return fmt.Errorf("landlock: %w", err)
		}
	}
	return setLimits(p.Limits)
}

// spareThreads makes threads that stay. The runtime makes one whenever it has
// none, and ends the process where the system refuses: a command that has used
// up the limit of processes would so end its helper. (It collects no garbage,
// see helperEnv, which would take threads too.)
func spareThreads() {
	const spare = 1
	begun, release := make(chan struct{}), make(chan struct{})
	for range spare {
		go func() {
			// Locked, so that each needs a thread of its own.
			runtime.LockOSThread()
			begun <- struct{}{}
			<-release
			runtime.UnlockOSThread()
		}()
	}
	for range spare {
		<-begun
	}
	close(release)
}

// tasks counts the threads of this process by the links of a folder, which are
// ".", ".." and one for each: to list it takes a quarter of a millisecond in a
// new /proc.
func tasks() (int, error) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/task", &st); err != nil {
		return 0, err
	}
	if st.Nlink < 3 {
		return 0, errors.New("/proc does not count the threads of this process")
	}
	return int(st.Nlink) - 2, nil
}

// FenceABI is the first Landlock that lets files be moved between directories.
const FenceABI = 2

// fence puts the calling thread into a domain that may do with files what it
// could, but neither change mounts, nor trace or (ABI 6) signal what is not in
// the domain, as the first process of the sandbox, which no filter binds.
func fence(abi int) error {
	const rights = unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK | unix.LANDLOCK_ACCESS_FS_REFER
	attr := unix.LandlockRulesetAttr{Handled_access_fs: rights}
	// Older kernels want the fields that they do not know to be zero.
	if abi >= 6 {
		attr.Scoped = unix.LANDLOCK_SCOPE_SIGNAL
	}
	n, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return errno
	}
	fd := int(n)
	defer unix.Close(fd)
	root, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(root)
	rule := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(root)}
	if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, n, unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 {
		return errno
	}
	return enforce(fd)
}

// enforce puts the calling thread into the domain of a ruleset.
func enforce(ruleset int) error {
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(ruleset), 0, 0); errno != 0 {
		return errno
	}
	return nil
}
