package checkedrun

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// markName is the variable that tells the processes of a run.
const markName = "CLEARANCE_RUN"

// newMark returns the mark of a run. A sandbox that isolates processes ends
// them itself.
func newMark(l Level) (string, error) {
	if l >= Isolated {
		return "", nil
	}
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}

// newNumbers is a time in which no machine gives all its process ids.
const newNumbers = 100 * time.Millisecond

// sweep ends every process that carries the mark. first is a process id that was
// given before the first of them, at the time since: theirs are higher, until the
// numbers begin anew.
func sweep(mark string, first int, since time.Time) {
	if mark == "" {
		return
	}
	want := []byte(markName + "=" + mark)
	var over map[int]bool
	idle := 0
	// One may be just starting another one: until there are none.
	for range 1000 {
		last := lastProcess()
		if last < first || time.Since(since) > newNumbers {
			first = 0
		}
		proc, err := os.Open("/proc")
		if err != nil {
			return
		}
		names, _ := proc.Readdirnames(-1)
		_ = proc.Close()
		var found []process
		// A list is made by rising numbers: one that was started meanwhile is in
		// it, unless they began anew.
		after := lastProcess()
		missed, now := after < last, map[int]bool{}
		for _, pid := range newestFirst(names, after) {
			if pid < first || pid == os.Getpid() {
				continue
			}
			switch p, l := endMarked(pid, want); l {
			case lookEnded, lookAgain:
				found = append(found, p)
			case lookOver:
				// What it started after the list was made is not in it; before
				// that, it is.
				missed = missed || !over[pid]
				now[pid] = true
			}
		}
		over = now
		for _, p := range found {
			p.wait()
		}
		if idle++; len(found) > 0 {
			idle = 0
		}
		// Others end too, on a busy machine all the time.
		if len(found) == 0 && !missed || idle == 300 {
			return
		}
	}
}

// newestFirst are the process ids among names, last was given last: those that
// may soon have ended come first.
func newestFirst(names []string, last int) []int {
	var pids []int
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil {
			pids = append(pids, pid)
		}
	}
	age := func(pid int) int {
		if pid > last {
			pid -= 1 << 30 // from before the numbers began anew
		}
		return -pid
	}
	slices.SortFunc(pids, func(a, b int) int { return age(a) - age(b) })
	return pids
}

// look is what was seen of a process.
type look uint8

const (
	lookOther look = iota // it is none of the run
	lookEnded             // it was one
	lookAgain             // it could not be told yet
	lookOver              // it has ended by itself
)

// process is one that was ended, or that could not be told yet.
type process struct {
	handle int
	ended  bool
}

// wait waits until the process is gone, for at most a second, or a moment where
// it was not ended.
func (p process) wait() {
	limit := 1000
	if !p.ended {
		limit = 1
	}
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(p.handle), Events: unix.POLLIN}}, limit)
		if err != unix.EINTR {
			break
		}
	}
	_ = unix.Close(p.handle)
}

// endMarked kills a process if its environment holds the mark. The handle, which
// is open after lookEnded and lookAgain, is taken first, so that the number
// cannot come to mean another process.
func endMarked(pid int, want []byte) (p process, l look) {
	handle, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return process{}, lookOver
	}
	if err != nil {
		return process{}, lookOther
	}
	p.handle = handle
	dir := "/proc/" + strconv.Itoa(pid)
	env, err := environ(dir)
	if len(env) == 0 && (err == nil || gone(err)) {
		env, l = unseen(dir)
	}
	if marked(env, want) {
		err := unix.PidfdSendSignal(handle, unix.SIGKILL, nil, 0)
		switch {
		case err == nil:
			p.ended, l = true, lookEnded
		case gone(err):
			l = lookOver
		}
	}
	if l != lookEnded && l != lookAgain {
		_ = unix.Close(handle)
	}
	return p, l
}

// kernelThread is PF_KTHREAD of the flags in proc_pid_stat(5), field 9.
const kernelThread = 0x200000

// unseen looks again at a process that shows no environment: it has ended, or
// its first thread has, or it is becoming another program.
func unseen(dir string) (env []byte, l look) {
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return nil, lookOver
	}
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if changing(f) {
		return nil, lookAgain
	}
	if len(f) < 21 || f[20] != "0" {
		return nil, lookOther // it has memory, and its environment is empty
	}
	if flags, err := strconv.ParseUint(f[6], 10, 64); err == nil && flags&kernelThread != 0 {
		return nil, lookOther
	}
	// Threads share their memory, and the others go on.
	tasks, err := os.ReadDir(dir + "/task")
	if err != nil {
		return nil, lookOver
	}
	for _, t := range tasks {
		if env, err := environ(dir + "/task/" + t.Name()); err == nil && len(env) > 0 {
			return env, lookOther
		}
	}
	return nil, lookOver
}

// gone says whether an error about a process tells that it has ended.
func gone(err error) bool { return errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT) }

// environ reads the environment of a process in one turn: between two it may
// become another program, and then the rest is missing.
func environ(dir string) ([]byte, error) {
	f, err := os.Open(dir + "/environ")
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	// The kernel gives a program 6 MB of arguments and environment at most
	// (execve(2)).
	for size := 1 << 15; ; size *= 16 {
		b := make([]byte, size)
		n, err := unix.Pread(int(f.Fd()), b, 0)
		for err == unix.EINTR {
			n, err = unix.Pread(int(f.Fd()), b, 0)
		}
		if err != nil || n < size || size > 6<<20 {
			return b[:max(n, 0)], err
		}
	}
}

// changing says whether a process that told no environment is just becoming
// another program: it has memory already, and what it was given is not in its
// place yet, or is by now (proc_pid_stat(5), fields 23, 50 and 51; f begins
// with field 3).
func changing(f []string) bool {
	if len(f) < 49 {
		return false
	}
	memory, from, to := f[20], f[47], f[48]
	return memory != "0" && (to == "0" || from != to)
}

func marked(env, want []byte) bool {
	for len(env) > 0 {
		var entry []byte
		if entry, env, _ = bytes.Cut(env, []byte{0}); bytes.Equal(entry, want) {
			return true
		}
	}
	return false
}

// lastProcess is the process id that was given last; 0 where it is not told.
func lastProcess() int {
	b, _ := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(b))
	if len(f) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(f[len(f)-1])
	return n
}

const canLimitMemory = true

// limitMemory bounds the private memory of a program and of what it starts.
func limitMemory(cmd *exec.Cmd, n int64) error {
	l := unix.Rlimit{Cur: uint64(n), Max: uint64(n)}
	err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_DATA, &l, nil)
	if err == unix.ESRCH {
		return nil // it has ended already
	}
	return err
}
