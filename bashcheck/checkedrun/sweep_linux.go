package checkedrun

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"os"
	"os/exec"
	"strconv"
	"strings"

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

// sweep ends every process that carries the mark. first is the process id of
// the first one: later ones are higher, until the numbers begin anew.
func sweep(mark string, first int) {
	if mark == "" {
		return
	}
	if lastProcess() < first {
		first = 0
	}
	want := []byte(markName + "=" + mark)
	// One may be just starting another one: until there are none.
	for range 1000 {
		var found []process
		proc, err := os.Open("/proc")
		if err != nil {
			return
		}
		names, _ := proc.Readdirnames(-1)
		_ = proc.Close()
		for _, n := range names {
			if pid, err := strconv.Atoi(n); err == nil && pid >= first && pid != os.Getpid() {
				if p, ok := endMarked(pid, want); ok {
					found = append(found, p)
				}
			}
		}
		for _, p := range found {
			p.wait()
		}
		if len(found) == 0 {
			return
		}
	}
}

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

// endMarked kills a process if its environment holds the mark; found says that
// it was ended or has to be looked at again. The handle is taken first, so that
// the number cannot come to mean another process.
func endMarked(pid int, want []byte) (p process, found bool) {
	handle, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return process{}, false
	}
	p.handle = handle
	dir := "/proc/" + strconv.Itoa(pid)
	env, err := environ(dir)
	switch {
	case err != nil:
	case len(env) == 0:
		stat, err := os.ReadFile(dir + "/stat")
		found = err == nil && changing(string(stat))
	case marked(env, want):
		p.ended = unix.PidfdSendSignal(handle, unix.SIGKILL, nil, 0) == nil
		found = p.ended
	}
	if !found {
		_ = unix.Close(handle)
	}
	return p, found
}

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
// place yet, or is by now (proc_pid_stat(5), fields 23, 50 and 51).
func changing(stat string) bool {
	f := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
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
