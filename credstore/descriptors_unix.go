//go:build unix

package credstore

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxDescriptor bounds the search where nothing lists the open descriptors.
const maxDescriptor = 1 << 16

// keepDescriptors marks every open descriptor above 2 as close-on-exec. Marking one twice, or one that is closed or opened
// meanwhile, changes nothing for anybody.
func keepDescriptors() {
	entries, err := os.ReadDir("/dev/fd") // fd(4), proc_pid_fd(5)
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	if err != nil || len(entries) <= 3 { // not there, or a /dev/fd that shows the first three only
		keepUnlisted()
	}
}

// keepUnlisted marks every descriptor that the limit of this process allows.
func keepUnlisted() {
	last := maxDescriptor
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil && uint64(limit.Cur) < maxDescriptor {
		last = max(1024, int(limit.Cur)) // a limit that was lowered leaves what was open
	}
	for fd := 3; fd < last; fd++ {
		unix.CloseOnExec(fd)
	}
}
