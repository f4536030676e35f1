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
		var ended []int
		proc, err := os.Open("/proc")
		if err != nil {
			return
		}
		names, _ := proc.Readdirnames(-1)
		_ = proc.Close()
		for _, n := range names {
			if pid, err := strconv.Atoi(n); err == nil && pid >= first && pid != os.Getpid() {
				if fd, ok := endMarked(pid, want); ok {
					ended = append(ended, fd)
				}
			}
		}
		for _, fd := range ended {
			// Until it is gone, for at most a second.
			for {
				_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 1000)
				if err != unix.EINTR {
					break
				}
			}
			_ = unix.Close(fd)
		}
		if len(ended) == 0 {
			return
		}
	}
}

// endMarked kills a process if its environment holds the mark. The handle is
// taken first, so that the number cannot come to mean another process.
func endMarked(pid int, want []byte) (fd int, ok bool) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0, false
	}
	env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil || !marked(env, want) || unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) != nil {
		_ = unix.Close(fd)
		return 0, false
	}
	return fd, true
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
