//go:build linux

// Stub records how it was called and does nothing else, or hands over to the
// real program of its name.
package main

import (
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"

	"github.com/clearance-go/clearance/bashcheck/internal/oracle"
)

func main() {
	buf := make([]byte, 4096)
	n, _ := syscall.Readlink("/proc/self/exe", buf)
	exe := string(buf[:max(n, 0)])
	cwd, _ := syscall.Getwd()
	env := syscall.Environ()
	fields := append([]string{path.Base(exe), cwd, strconv.Itoa(len(os.Args))}, os.Args...)
	fields = append(append(fields, strconv.Itoa(len(env))), env...)
	body := strings.Join(fields, "\x00")
	size := strconv.FormatInt(int64(len(body)), 16)
	record := strings.Repeat("0", 8-len(size)) + size + body
	fd, err := syscall.Open(oracle.LogFile, syscall.O_WRONLY|syscall.O_APPEND|syscall.O_CLOEXEC, 0)
	if err != nil {
		os.Exit(99)
	}
	if n, err := syscall.Write(fd, []byte(record)); err != nil || n != len(record) {
		os.Exit(99)
	}
	real := oracle.RealDir + "/" + path.Base(exe)
	if syscall.Access(real, 1) == nil {
		_ = syscall.Exec(real, os.Args, env)
	}
	reply, _ := os.ReadFile(oracle.ReplyFile)
	mod, out, _ := strings.Cut(string(reply), "\n")
	_, _ = syscall.Write(1, []byte(out))
	if m, _ := strconv.Atoi(mod); m > 0 {
		length := 0
		for _, a := range os.Args {
			length += len(a)
		}
		if length%m == 0 {
			os.Exit(1)
		}
	}
}
