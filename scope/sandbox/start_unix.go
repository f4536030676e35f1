//go:build linux || darwin

package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/clearance-go/clearance/scope/sandbox/internal/confine"
	"golang.org/x/sys/unix"
)

// grace is how long processes that were killed may take to be gone.
const grace = 5 * time.Second

// helperEnv has the Go runtime of a helper collect no garbage: it does little,
// and has to do without new threads where the command has used up the limit of
// processes.
var helperEnv = []string{"GOGC=off"}

// Enter must be the first thing that main does. It returns the Helper that [New]
// wants.
//
// A child is this program started with one special argument. It confines itself
// and becomes the command before main begins: package variables and init
// functions of the program may run there too, those that Go initialises first.
func Enter() Helper {
	exe, err := os.Executable()
	if err != nil {
		return Helper{}
	}
	return Helper{exe: exe}
}

// syncFD is the descriptor of bwrap that is open as long as a process lives.
const syncFD = 4

// launch is how one level starts a child.
type launch struct {
	path string
	args []string
	plan confine.Plan
	// session starts the child in a session of its own; else in a process
	// group of its own.
	session bool
	// sync says that descriptor 4 is open as long as a process lives.
	sync bool
	// attr starts the child in another way, which makes it the first process of
	// its namespaces: when it ends, all have ended. nil is the ordinary way.
	attr *syscall.SysProcAttr
	// late completes the plan while the child starts; nil for nothing.
	late func(*confine.Plan) error
	// begun does what is left to do for the child with a number before it gets its
	// plan, nil for nothing.
	begun func(pid int) error
	// then sends what follows the plan to the child with a number, nil for
	// nothing.
	then func(conn *net.UnixConn, pid int) error
	// release lets go of what late has made, nil for nothing.
	release func()
}

// child is a command that runs.
type child struct {
	cmd     *exec.Cmd
	control *net.UnixConn
	// alive is at its end when every process has ended; nil where the helper
	// sees to that, who has ended when control is at its end.
	alive *os.File
	stay  bool
	// first, where it is not -1, is a pidfd of the first process of the
	// namespaces, which is readable when every process has ended.
	first int
	proxy func()
	quiet []func() bool

	mu    sync.Mutex
	cause error
}

// why returns what ended the command before its time, nil for nothing.
func (c *child) why() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// abort ends every process of the command. The first cause counts.
func (c *child) abort(cause error) {
	c.mu.Lock()
	if c.cause == nil {
		c.cause = cause
	}
	c.mu.Unlock()
	if c.stay {
		// The helper ends all descendants, then itself.
		_ = c.control.CloseWrite()
		return
	}
	if c.first >= 0 {
		// The kernel ends those in its namespaces with it.
		_ = c.cmd.Process.Kill()
		return
	}
	if c.cmd.Process.Signal(syscall.Signal(0)) == nil {
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	}
	_ = c.cmd.Process.Kill()
}

// over tells whether every process has ended, without waiting.
func (c *child) over() bool {
	if c.first >= 0 {
		return ended(c.first, 0)
	}
	var end interface {
		SyscallConn() (syscall.RawConn, error)
	} = c.control
	if c.alive != nil {
		end = c.alive
	}
	raw, err := end.SyscallConn()
	if err != nil {
		return true
	}
	over := true
	if err := raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		over = err == nil && n > 0
	}); err != nil {
		return true
	}
	return over
}

// finish waits until every process has ended, for a time, and lets go of what
// the command held.
func (c *child) finish() {
	for _, q := range c.quiet {
		q()
	}
	deadline := time.Now().Add(grace)
	if c.first >= 0 {
		ended(c.first, grace)
		unix.Close(c.first)
	}
	if c.alive != nil {
		_ = c.alive.SetReadDeadline(deadline)
		_, _ = c.alive.Read(make([]byte, 1))
		c.alive.Close()
	}
	if c.stay {
		_ = c.control.SetReadDeadline(deadline)
		text, _ := io.ReadAll(io.LimitReader(c.control, 100))
		if !bytes.Contains(text, []byte("end")) {
			// The helper itself was killed.
			_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
		}
	}
	c.control.Close()
	if c.proxy != nil {
		c.proxy()
	}
}

// ended tells whether a pidfd becomes readable within a time.
func ended(pidfd int, within time.Duration) bool {
	deadline := time.Now().Add(within)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, int(max(0, time.Until(deadline).Milliseconds())))
		if err != unix.EINTR {
			return err != nil || n > 0
		}
	}
}

// acceptAttr refuses attributes that a sandbox sets by itself or that lead out
// of it.
func acceptAttr(a *syscall.SysProcAttr) error {
	if a == nil {
		return nil
	}
	rest := *a
	rest.Setpgid, rest.Setsid = false, false
	if !reflect.DeepEqual(rest, syscall.SysProcAttr{}) {
		return fmt.Errorf("%w: of SysProcAttr only Setpgid and Setsid may be set", ErrCommand)
	}
	return nil
}

// begin starts the child and waits until it runs the command.
func (r *Runner) begin(cmd *exec.Cmd) (c *child, err error) {
	l, err := r.launch(cmd)
	if err != nil {
		return nil, err
	}
	ours, theirs, err := channel()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSetup, err)
	}
	defer theirs.Close()
	c = &child{cmd: cmd, control: ours, stay: l.plan.Stay, first: -1}

	given := *cmd
	restore := func() {
		cmd.Path, cmd.Args, cmd.Env, cmd.Dir = given.Path, given.Args, given.Env, given.Dir
		cmd.ExtraFiles, cmd.SysProcAttr = given.ExtraFiles, given.SysProcAttr
	}
	defer restore()
	cmd.Path, cmd.Args = l.path, append([]string{l.path}, l.args...)
	// The command gets its own environment from the plan.
	cmd.Env = slices.Clone(helperEnv)
	if r.box.helper.race != "" {
		cmd.Env = append(cmd.Env, "GORACE="+r.box.helper.race)
	}
	cmd.Dir = "/"
	bound(cmd, r.limits, func() { c.abort(ErrOutput) })
	// Until the command runs, what is written is about the set-up. A helper that
	// stays keeps its errors to the channel.
	early := newEarlyWriter(cmd.Stderr)
	if !l.plan.Stay && !isFile(cmd.Stderr) && (cmd.Stderr != nil || !l.plan.Init) {
		if same(cmd.Stdout, cmd.Stderr) {
			cmd.Stdout = early
		}
		cmd.Stderr = early
	}
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: !l.session, Setsid: l.session}
	if l.attr != nil {
		cmd.SysProcAttr = l.attr
		firstPidfd(l.attr, &c.first)
	}
	if cmd.Cancel != nil {
		cmd.Cancel = func() error {
			c.abort(nil)
			return nil
		}
	}
	var w *os.File
	if l.sync {
		if c.alive, w, err = os.Pipe(); err != nil {
			ours.Close()
			return nil, fmt.Errorf("%w: %w", ErrSetup, err)
		}
		defer w.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, w)
	}
	l.plan.First, l.plan.Extra = 3+len(cmd.ExtraFiles), len(given.ExtraFiles)
	cmd.ExtraFiles = append(cmd.ExtraFiles, given.ExtraFiles...)
	fail := func(err error) (*child, error) {
		c.abort(nil)
		early.pass(false)
		waited := cmd.Wait()
		c.finish()
		if text := early.text(); text != "" {
			err = fmt.Errorf("%w: %s", err, text)
		} else if waited != nil && errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: %w", err, waited)
		}
		if cause := c.why(); cause != nil {
			// The time may be up before the command runs.
			err = fmt.Errorf("%w: %w", cause, err)
		} else if cause := context.Cause(r.ctx); cause != nil {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return nil, err
	}
	completed := make(chan error, 1)
	go func() {
		if l.late == nil {
			completed <- nil
			return
		}
		completed <- l.late(&l.plan)
	}()
	if l.release != nil {
		defer l.release()
	}
	if err := cmd.Start(); err != nil {
		<-completed
		ours.Close()
		if c.alive != nil {
			c.alive.Close()
		}
		return nil, fmt.Errorf("%w: %w", ErrSetup, err)
	}
	theirs.Close()
	if w != nil {
		w.Close()
	}
	c.quiet = append(c.quiet, context.AfterFunc(r.ctx, func() { c.abort(context.Cause(r.ctx)) }))
	if r.limits.Time > 0 {
		c.quiet = append(c.quiet, time.AfterFunc(r.limits.Time, func() { c.abort(ErrTime) }).Stop)
	}
	// While the child starts.
	if l.begun != nil {
		if err := l.begun(cmd.Process.Pid); err != nil {
			<-completed
			return fail(fmt.Errorf("%w: %w", ErrSetup, err))
		}
	}
	if err := <-completed; err != nil {
		return fail(err)
	}
	if err := sendPlan(ours, &l.plan); err != nil {
		return fail(fmt.Errorf("%w: %w", ErrSetup, err))
	}
	if l.then != nil {
		if err := l.then(ours, cmd.Process.Pid); err != nil {
			return fail(err)
		}
	}
	if err := c.handshake(r.profile.Network, given.Path); err != nil {
		return fail(err)
	}
	early.pass(true)
	return c, nil
}

// channel returns a connected pair of sockets.
func channel() (*net.UnixConn, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, err
	}
	f := os.NewFile(uintptr(fds[0]), "control")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		unix.Close(fds[1])
		return nil, nil, err
	}
	return conn.(*net.UnixConn), os.NewFile(uintptr(fds[1]), "control"), nil
}

func sendPlan(conn *net.UnixConn, p *confine.Plan) error {
	data := p.Marshal()
	if len(data) > confine.MaxPlan {
		return errors.New("the command is too large")
	}
	_, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...))
	if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		return nil // it ended; the handshake tells
	}
	return err
}

// handshake reads what the child says, a line each: "listen PORT" with a
// descriptor, "ok" when it is confined, then "run" from a helper that stays, or
// the end of the channel, which closes when the command is executed. "error
// TEXT" and "exec ERRNO TEXT" say that there is no command. A child that ends
// after "ok" was confined: how it ended is for Wait to tell.
func (c *child) handshake(n Network, name string) error {
	var text []byte
	ok := false
	for {
		buf, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
		k, oobn, _, _, err := c.control.ReadMsgUnix(buf, oob)
		if oobn > 0 {
			if err := c.serveProxy(n, oob[:oobn]); err != nil {
				return fmt.Errorf("%w: %w", ErrSetup, err)
			}
		}
		text = append(text, buf[:max(k, 0)]...)
		for {
			line, rest, found := bytes.Cut(text, []byte("\n"))
			if !found {
				break
			}
			text = rest
			kind, what, _ := strings.Cut(string(line), " ")
			switch kind {
			case "listen":
			case "ok":
				ok = true
			case "run":
				if ok {
					return nil
				}
				return fmt.Errorf("%w: the command runs, but is not confined", ErrSetup)
			case "exec":
				number, msg, _ := strings.Cut(what, " ")
				if errno, _ := strconv.Atoi(number); errno != 0 {
					return &fs.PathError{Op: "exec", Path: name, Err: syscall.Errno(errno)}
				}
				return errors.New("sandbox: " + msg)
			default:
				return fmt.Errorf("%w: %s", ErrSetup, line)
			}
		}
		if len(text) > 1<<16 {
			return fmt.Errorf("%w: the child says too much", ErrSetup)
		}
		if err != nil || k <= 0 {
			if ok {
				return nil
			}
			return fmt.Errorf("%w: the child ended before it ran: %w", ErrSetup, io.EOF)
		}
	}
}

// serveProxy starts the proxy on the listener that the child made in its own
// network.
func (c *child) serveProxy(n Network, oob []byte) error {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(msgs) != 1 {
		return errors.New("no listener came")
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) != 1 {
		return errors.New("no listener came")
	}
	unix.CloseOnExec(fds[0])
	f := os.NewFile(uintptr(fds[0]), "listener")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return err
	}
	c.proxy, err = startProxy(n, l)
	return err
}

// startProxy serves the named hosts until stop is called.
func startProxy(n Network, l net.Listener) (stop func(), err error) {
	p, err := newProxy(n)
	if err != nil {
		l.Close()
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.serve(l)
	}()
	return func() {
		p.close(l)
		<-done
	}, nil
}

// earlyWriter holds back what is written before the command runs: it is the
// set-up that speaks then.
type earlyWriter struct {
	to      io.Writer
	mu      sync.Mutex
	decided *sync.Cond
	held    []byte
	open    bool // hold nothing more
	drop    bool
}

// maxEarly bounds what is held; who writes more waits.
const maxEarly = 1 << 16

func newEarlyWriter(to io.Writer) *earlyWriter {
	w := &earlyWriter{to: to}
	w.decided = sync.NewCond(&w.mu)
	return w
}

func (w *earlyWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.open && len(w.held) >= maxEarly {
		w.decided.Wait()
	}
	switch {
	case !w.open:
		w.held = append(w.held, p...)
	case w.to != nil && !w.drop:
		return w.to.Write(p)
	}
	return len(p), nil
}

// pass ends the holding back. What was held is passed on if the command runs.
func (w *earlyWriter) pass(runs bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open, w.drop = true, !runs
	if runs {
		if len(w.held) > 0 && w.to != nil {
			_, _ = w.to.Write(w.held)
		}
		w.held = nil
	}
	w.decided.Broadcast()
}

func (w *earlyWriter) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	line, _, _ := bufio.NewReader(bytes.NewReader(w.held)).ReadLine()
	return strings.TrimSpace(string(line))
}

// try starts the empty command in a box: it sets everything up, with something
// hidden, and ends.
func try(b *Box) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	p := Profile{Entries: []Entry{{Path: "/", Access: Read, Dir: true}, {Path: "/etc", Access: Hidden, Dir: true}}, Dir: "/"}
	return (&Cmd{box: b, ctx: ctx, profile: p}).Run()
}

// plan returns what the helper is told of a command.
func (r *Runner) plan(cmd *exec.Cmd) confine.Plan {
	p := confine.Plan{Path: cmd.Path, Argv: cmd.Args, Dir: cmd.Dir, Limits: confine.Limits{Memory: r.limits.Memory, Processes: r.limits.Processes, FileSize: r.limits.FileSize}}
	if len(p.Argv) == 0 && p.Path != "" {
		p.Argv = []string{p.Path}
	}
	if p.Dir == "" {
		p.Dir = r.profile.Dir
	}
	return p
}

// tempDir returns the temporary directory of all commands. r.mu is held.
func (r *Runner) tempDir() (string, error) {
	if r.tmp != "" {
		return r.tmp, nil
	}
	tmp, err := os.MkdirTemp("", "sandbox-")
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrSetup, err)
	}
	r.cleanup = append(r.cleanup, func() error { return os.RemoveAll(tmp) })
	if r.tmp, err = filepath.EvalSymlinks(tmp); err != nil {
		return "", fmt.Errorf("%w: %w", ErrSetup, err)
	}
	return r.tmp, nil
}

// current returns the entries as they are now: what has gone since the profile
// was made must stay away, what has come is there.
func (p Profile) current() (Profile, error) {
	out := p
	out.Entries = nil
	for _, e := range p.Entries {
		fi, err := os.Lstat(e.Path)
		switch {
		case err != nil && e.Access == Write:
			return out, fmt.Errorf("%w: %w", ErrProfile, err)
		case errors.Is(err, fs.ErrPermission):
			// The owner could change that from inside.
			return out, fmt.Errorf("%w: %w", ErrProfile, err)
		case err != nil:
			if n := nearest(p.Entries, filepath.Dir(e.Path)); n == nil || n.Access != Write {
				continue
			}
			e = Entry{Path: e.Path, Access: Read, Missing: true}
		case fi.Mode()&fs.ModeSymlink != 0 && e.Path != "/":
			return out, fmt.Errorf("%w: %s has become a symbolic link", ErrProfile, e.Path)
		default:
			e.Missing, e.Dir = false, fi.IsDir()
		}
		out.Entries = append(out.Entries, e)
	}
	return out, nil
}
