//go:build linux || darwin

package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// grace is how long processes that were killed may take to be gone.
const grace = 5 * time.Second

// launch is how one level starts a child.
type launch struct {
	path string
	args []string
	plan plan
	// session starts the child in a session of its own; else in a process
	// group of its own.
	session bool
	// sync says that descriptor 4 is open as long as a process lives.
	sync bool
}

// start starts the child and waits until it runs the command.
func (c *Cmd) start() (err error) {
	l, err := c.launch()
	if err != nil {
		return err
	}
	ours, theirs, err := channel()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSetup, err)
	}
	defer theirs.Close()
	c.cleanup = append(c.cleanup, ours.Close)
	cmd := exec.CommandContext(c.run, l.path, l.args...)
	cmd.Env = []string{} // the command gets its own from the plan
	cmd.Dir = "/"
	cmd.Stdin = c.Stdin
	cmd.Stdout, cmd.Stderr = c.outputs()
	// Until the command runs, what is written is about the set-up.
	early := &earlyWriter{to: cmd.Stderr}
	if !l.plan.Stay {
		cmd.Stderr = early
		if same(c.Stdout, c.Stderr) {
			// One writer for both would become one descriptor for both.
			cmd.Stdout = &earlyWriter{to: cmd.Stdout, open: true}
		}
	}
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.WaitDelay = grace
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: !l.session, Setsid: l.session}
	if l.session {
		// Should the helper itself have been killed.
		c.gone = func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	}
	if l.sync {
		r, w, err := os.Pipe()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrSetup, err)
		}
		defer w.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, w)
		c.gone = func() {
			_ = r.SetReadDeadline(time.Now().Add(grace))
			_, _ = r.Read(make([]byte, 1))
		}
		c.cleanup = append(c.cleanup, r.Close)
	}
	cmd.Cancel = func() error {
		if l.plan.Stay {
			// The helper ends all descendants, then itself.
			return ours.CloseWrite()
		}
		return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%w: %w", ErrSetup, err)
	}
	theirs.Close()
	for _, f := range cmd.ExtraFiles[1:] {
		f.Close()
	}
	fail := func(err error) error {
		c.cancel(err)
		waited := cmd.Wait()
		if text := early.text(); text != "" {
			err = fmt.Errorf("%w: %s", err, text)
		} else if waited != nil && errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: %w", err, waited)
		}
		if cause := context.Cause(c.ctx); cause != nil {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return err
	}
	if err := sendPlan(ours, &l.plan); err != nil {
		return fail(fmt.Errorf("%w: %w", ErrSetup, err))
	}
	if err := c.handshake(ours, &l.plan); err != nil {
		return fail(err)
	}
	early.pass()
	c.cmd = cmd
	return nil
}

func same(a, b io.Writer) (eq bool) {
	defer func() { _ = recover() }() // writers that cannot be compared
	return a != nil && a == b
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

func sendPlan(conn *net.UnixConn, p *plan) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if len(data) > maxPlan {
		return errors.New("the command is too large")
	}
	_, err = conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...))
	if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		return nil // it ended; the handshake tells
	}
	return err
}

// handshake reads what the child says: lines "listen PORT" with a descriptor,
// "ok", "error TEXT", "exec ERRNO TEXT".
func (c *Cmd) handshake(conn *net.UnixConn, p *plan) error {
	var text []byte
	ok := false
	for {
		buf, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
		n, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
		if oobn > 0 {
			if err := c.serveProxy(oob[:oobn]); err != nil {
				return fmt.Errorf("%w: %w", ErrSetup, err)
			}
		}
		n = max(n, 0)
		text = append(text, buf[:n]...)
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
				if ok = true; p.Stay {
					return nil
				}
			case "exec":
				number, msg, _ := strings.Cut(what, " ")
				if errno, _ := strconv.Atoi(number); errno != 0 {
					return &fs.PathError{Op: "exec", Path: c.name(), Err: syscall.Errno(errno)}
				}
				return errors.New("sandbox: " + msg)
			default:
				return fmt.Errorf("%w: %s", ErrSetup, line)
			}
		}
		if len(text) > 1<<16 {
			return fmt.Errorf("%w: the child says too much", ErrSetup)
		}
		if err != nil || n == 0 {
			if ok {
				return nil
			}
			return fmt.Errorf("%w: the child ended before it ran: %w", ErrSetup, io.EOF)
		}
	}
}

func (c *Cmd) name() string {
	if len(c.argv) == 0 {
		return ""
	}
	return c.argv[0]
}

// serveProxy starts the proxy on the listener that the child made in its own
// network.
func (c *Cmd) serveProxy(oob []byte) error {
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
	return c.proxy(l)
}

func (c *Cmd) proxy(l net.Listener) error {
	p, err := newProxy(c.profile.Network)
	if err != nil {
		l.Close()
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.serve(l)
	}()
	c.cleanup = append(c.cleanup, func() error {
		p.close(l)
		<-done
		return nil
	})
	return nil
}

// earlyWriter holds back what is written before the command runs: it is the
// set-up that speaks then.
type earlyWriter struct {
	mu   sync.Mutex
	to   io.Writer
	held []byte
	open bool
}

func (w *earlyWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open {
		if w.to == nil {
			return len(p), nil
		}
		return w.to.Write(p)
	}
	if len(w.held) < 1<<16 {
		w.held = append(w.held, p...)
	}
	return len(p), nil
}

func (w *earlyWriter) pass() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = true
	if len(w.held) > 0 && w.to != nil {
		_, _ = w.to.Write(w.held)
	}
	w.held = nil
}

func (w *earlyWriter) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	line, _, _ := bufio.NewReader(bytes.NewReader(w.held)).ReadLine()
	return strings.TrimSpace(string(line))
}

// try starts the empty command in a report's level: it sets everything up and
// ends.
func try(h Helper, r Report) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	p := Profile{Entries: []Entry{{Path: "/", Access: Read, Dir: true}}, Dir: "/"}
	c := &Cmd{box: &Box{helper: h, report: r}, ctx: ctx, profile: p, limits: Limits{}.inForce()}
	return c.Run()
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
