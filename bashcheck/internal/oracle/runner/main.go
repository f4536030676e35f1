//go:build linux

// Runner is the first process of a sandbox: it reads requests from standard
// input and answers on standard output until the input ends.
package main

import (
	"bytes"
	"encoding/gob"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/clearance-go/clearance/bashcheck/internal/oracle"
)

func main() {
	// One request at a time, some hundred thousand of them: a second processor
	// and early collections would only take time from what is tested.
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(1000)
	_ = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 32 << 20, Max: 32 << 20})
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	// Not dumpable: what runs here cannot reach the pipes through /proc/1/fd.
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0)
	// Caught and dropped, so that a kill from inside does not end the sandbox.
	signal.Notify(make(chan os.Signal, 1))
	in, out := gob.NewDecoder(os.Stdin), gob.NewEncoder(os.Stdout)
	tree := scan(true)
	for {
		var req oracle.Request
		if err := in.Decode(&req); err != nil {
			return
		}
		res := handle(&tree, req)
		if err := out.Encode(res); err != nil {
			return
		}
	}
}

func handle(tree *map[string]entry, req oracle.Request) (res oracle.Result) {
	fail := func(err error) oracle.Result { return oracle.Result{Err: err.Error()} }
	for _, f := range names(oracle.RecordDir) {
		_ = os.Remove(oracle.RecordDir + "/" + f)
	}
	if err := os.WriteFile(oracle.LogFile, nil, 0o666); err != nil {
		return fail(err)
	}
	if err := os.WriteFile(oracle.ReplyFile, []byte(strconv.Itoa(req.FailMod)+"\n"+req.Output), 0o666); err != nil {
		return fail(err)
	}
	log, err := os.Open(oracle.LogFile)
	if err != nil {
		return fail(err)
	}
	defer log.Close()
	before := *tree
	if len(req.Put) > 0 {
		for _, f := range req.Put {
			if err := put(f); err != nil && !errors.Is(err, syscall.ENOTDIR) { // below a file
				return fail(err)
			}
		}
		before = scan(req.Save)
	}
	if len(req.Argv) > 0 {
		run(req, &res)
	}
	data, err := io.ReadAll(log)
	if err != nil {
		return fail(err)
	}
	if st, err := os.Stat(oracle.LogFile); err != nil || st.Size() != int64(len(data)) {
		res.Lost = true
	}
	if !records(data, &res) {
		res.Lost = true
	}
	for _, f := range names(oracle.RecordDir) {
		number, ok := strings.CutPrefix(f, filepath.Base(oracle.TraceFile)+".")
		if !ok {
			continue
		}
		pid, err := strconv.Atoi(number)
		text, err2 := os.ReadFile(oracle.RecordDir + "/" + f)
		if err != nil || err2 != nil {
			continue
		}
		if res.Traces == nil {
			res.Traces = map[int]string{}
		}
		res.Traces[pid] = string(text[:min(len(text), 8<<20)])
	}
	after := scan(req.Save)
	res.Changes = compare(before, after)
	if req.Save {
		*tree = after
		return res
	}
	restore(*tree, after)
	return res
}

// run starts the program and waits until every process in the sandbox has
// ended. What is left when the time is over is killed.
func run(req oracle.Request, res *oracle.Result) {
	name := req.Name
	if name == "" {
		name = req.Argv[0]
	}
	dir := req.Dir
	if dir == "" {
		dir = oracle.WorkDir
	}
	outFile := oracle.RecordDir + "/out"
	stdout, err := os.OpenFile(outFile, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o666)
	if err != nil {
		res.Err = err.Error()
		return
	}
	defer stdout.Close()
	stdin, err := os.Open(os.DevNull)
	if len(req.Stdin) > 0 {
		inFile := oracle.RecordDir + "/in"
		if err = os.WriteFile(inFile, req.Stdin, 0o666); err == nil {
			stdin, err = os.Open(inFile)
		}
	}
	if err != nil {
		res.Err = err.Error()
		return
	}
	defer stdin.Close()
	pid, err := syscall.ForkExec(req.Argv[0], append([]string{name}, req.Argv[1:]...), &syscall.ProcAttr{
		Dir: dir, Env: req.Env, Files: []uintptr{stdin.Fd(), stdout.Fd(), stdout.Fd()}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		res.Err = err.Error()
		return
	}
	// The time runs anew when the first process has ended, for what it left in
	// the background. The kernel spares the sender, the first process here.
	ended, killed := make(chan struct{}), make(chan struct{})
	limit := time.AfterFunc(req.Timeout, func() {
		defer close(killed)
		for {
			_ = syscall.Kill(-1, syscall.SIGKILL)
			select {
			case <-ended:
				return
			case <-time.After(20 * time.Millisecond): // one that was just being born
			}
		}
	})
	status := -1
	for {
		var ws syscall.WaitStatus
		p, err := syscall.Wait4(-1, &ws, 0, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil { // no process is left
			break
		}
		if p == pid {
			status = ws.ExitStatus()
			if limit.Stop() {
				limit.Reset(min(req.Timeout, time.Second))
			} else {
				res.TimedOut = true
			}
		}
	}
	close(ended)
	if !limit.Stop() {
		// Not before its last signal: it would hit what the next request starts.
		<-killed
		res.TimedOut = true
	}
	res.Status = status
	buf := make([]byte, 16<<10)
	n, _ := stdout.ReadAt(buf, 0)
	res.Output = bytes.Clone(buf[:n])
}

// records reads what the stubs wrote.
func records(data []byte, res *oracle.Result) bool {
	for len(data) > 0 {
		if len(data) < 8 {
			return false
		}
		n, err := strconv.ParseInt(string(data[:8]), 16, 64)
		if err != nil || int64(len(data)-8) < n {
			return false
		}
		f := strings.Split(string(data[8:8+n]), "\x00")
		data = data[8+n:]
		if len(f) < 4 {
			return false
		}
		e := oracle.Exec{File: f[0], Dir: f[1]}
		argc, err := strconv.Atoi(f[2])
		if err != nil || len(f) < 4+argc {
			return false
		}
		e.Argv = f[3 : 3+argc]
		e.Env = f[4+argc:]
		res.Execs = append(res.Execs, e)
	}
	return true
}

// entry is what is known about one file.
type entry struct {
	mode       uint32
	ino        uint64
	size       int64
	mtim, ctim syscall.Timespec
	nlink      uint64
	data       []byte
	link       string
}

const (
	dirMode  = syscall.S_IFDIR
	fileMode = syscall.S_IFREG
	linkMode = syscall.S_IFLNK
)

func (e entry) kind() uint32 { return e.mode & syscall.S_IFMT }

// left says which folders are not looked at: what the kernel and the runner
// keep. What is mounted from the machine is told by its device.
func left(path string) bool {
	switch path {
	case "/proc", "/sys", "/oracle", "/dev/pts", "/dev/fd":
		return true
	}
	return false
}

// names lists a folder, in no order. It is os.ReadDir without what that does for
// others.
func names(dir string) (list []string) {
	fd, err := syscall.Open(dir, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer syscall.Close(fd)
	buf := make([]byte, 4096)
	for {
		n, err := syscall.ReadDirent(fd, buf)
		if n <= 0 || err != nil {
			return list
		}
		_, _, list = syscall.ParseDirent(buf[:n], -1, list)
	}
}

func scan(withData bool) map[string]entry {
	out := map[string]entry{}
	own := map[uint64]bool{}
	for _, p := range []string{"/", "/dev"} {
		var st syscall.Stat_t
		if syscall.Lstat(p, &st) == nil {
			own[uint64(st.Dev)] = true
		}
	}
	var walk func(dir string)
	walk = func(dir string) {
		for _, name := range names(dir) {
			path := dir + name
			if left(path) {
				continue
			}
			var st syscall.Stat_t
			if syscall.Lstat(path, &st) != nil || !own[uint64(st.Dev)] {
				continue
			}
			e := entry{mode: st.Mode, ino: st.Ino, size: st.Size, mtim: st.Mtim, ctim: st.Ctim, nlink: uint64(st.Nlink)}
			if withData {
				switch e.kind() {
				case fileMode:
					e.data, _ = os.ReadFile(path)
				case linkMode:
					e.link, _ = os.Readlink(path)
				}
			}
			out[path] = e
			if e.kind() == dirMode {
				walk(path + "/")
			}
		}
	}
	walk("/")
	return out
}

func changed(a, b entry) bool {
	if a.mode != b.mode || a.ino != b.ino {
		return true
	}
	// A folder's times change with what is in it.
	return a.kind() == fileMode && (a.size != b.size || a.mtim != b.mtim || a.ctim != b.ctim)
}

func compare(before, after map[string]entry) (out []oracle.Change) {
	for p, a := range after {
		if b, ok := before[p]; !ok {
			out = append(out, oracle.Change{Path: p, Op: "created"})
		} else if changed(b, a) {
			out = append(out, oracle.Change{Path: p, Op: "changed"})
		}
	}
	for p := range before {
		if _, ok := after[p]; !ok {
			out = append(out, oracle.Change{Path: p, Op: "removed"})
		}
	}
	return out
}

// restore makes the files those of tree again.
func restore(tree, now map[string]entry) {
	again := false
	for p, e := range now {
		if want, ok := tree[p]; !ok || want.kind() != e.kind() {
			_ = os.RemoveAll(p)
			again = true
		}
	}
	// Folders before what is in them: a path is longer than that of its folder.
	var todo []string
	for p, want := range tree {
		if e, ok := now[p]; !ok || changed(want, e) || again && !exists(p) {
			todo = append(todo, p)
		}
	}
	for len(todo) > 0 {
		short := 0
		for i := range todo {
			if len(todo[i]) < len(todo[short]) {
				short = i
			}
		}
		p := todo[short]
		todo[short] = todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		want := tree[p]
		switch want.kind() {
		case dirMode:
			_ = os.MkdirAll(p, 0o755)
			_ = syscall.Chmod(p, want.mode&0o7777)
		case linkMode:
			_ = os.Remove(p)
			_ = os.Symlink(want.link, p)
		case fileMode:
			_ = os.Remove(p)
			_ = os.WriteFile(p, want.data, 0o600)
			_ = syscall.Chmod(p, want.mode&0o7777)
			_ = syscall.UtimesNano(p, []syscall.Timespec{want.mtim, want.mtim})
		default:
			continue
		}
		var st syscall.Stat_t
		if syscall.Lstat(p, &st) == nil {
			want.mode, want.ino, want.size, want.mtim, want.ctim = st.Mode, st.Ino, st.Size, st.Mtim, st.Ctim
			tree[p] = want
		}
	}
}

func exists(p string) bool {
	_, err := os.Lstat(p)
	return err == nil
}

// put makes a file unless something of that name is there.
func put(f oracle.File) error {
	if exists(f.Path) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return err
	}
	switch {
	case f.Dir:
		return os.MkdirAll(f.Path, 0o755)
	case f.Link != "":
		return os.Symlink(f.Link, f.Path)
	}
	mode := os.FileMode(f.Mode)
	if mode == 0 {
		mode = 0o644
	}
	if err := os.WriteFile(f.Path, f.Data, mode); err != nil {
		return err
	}
	return os.Chmod(f.Path, mode)
}
