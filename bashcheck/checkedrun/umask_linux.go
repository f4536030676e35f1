package checkedrun

import (
	"bytes"
	"os"
	"strconv"
)

// umask is the mask that new files get; it is read, for setting it to look
// would concern the whole process.
func umask() (mask int, ok bool) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, false
	}
	_, rest, found := bytes.Cut(b, []byte("\nUmask:"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	n, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 8, 32)
	return int(n), found && err == nil
}
