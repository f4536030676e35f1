package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
)

var (
	// ErrCommand: the command has a field that a sandbox cannot honour.
	ErrCommand = errors.New("sandbox: the command cannot be confined")
	// ErrClosed: the runner was closed.
	ErrClosed = errors.New("sandbox: the runner is closed")
)

// PlantedError says that names which the profile had as missing, and which must
// not come into being, are there now.
type PlantedError struct {
	// Paths are absolute and sorted.
	Paths []string
}

// Error names the first ten.
func (e *PlantedError) Error() string {
	list, more := e.Paths, ""
	if len(list) > 10 {
		list, more = list[:10], fmt.Sprintf(" and %d more", len(e.Paths)-10)
	}
	return "sandbox: protected names have come into being; look at them before anything outside the sandbox reads them: " + strings.Join(list, ", ") + more
}

// Runner runs commands that the caller has prepared, all under one profile. It
// is safe for concurrent use; commands may run at the same time.
//
// What covers the missing names lies in the writable roots from the first Start
// until Close, as empty read-only files.
type Runner struct {
	box     *Box
	ctx     context.Context
	cancel  context.CancelCauseFunc
	profile Profile
	limits  Limits

	starting sync.WaitGroup
	mu       sync.Mutex
	closed   bool
	children []*child
	cleanup  []func() error
	// tmp is the temporary directory of all commands where a level has none of
	// its own.
	tmp string
	// roots hold the locks on the roots that placeholders lie in.
	roots map[string]*lockedRoot
	// proxyPort is the port of the proxy of all commands, where there is one.
	//lint:ignore U1000 used on macOS
	proxyPort int
	// ended are the limits that have ended commands.
	ended []error
}

// Runner returns a runner for a profile. Nothing is started yet, but it must be
// closed. When ctx ends, all its commands end. [Limits] hold for each command.
//
// Errors: those of [Box.Command].
func (b *Box) Runner(ctx context.Context, p Profile) (*Runner, error) {
	p, err := p.clean()
	if err != nil {
		return nil, err
	}
	if err := supported(b.report, p); err != nil {
		return nil, err
	}
	return newRunner(ctx, b, p), nil
}

// newRunner takes a clean profile.
func newRunner(ctx context.Context, b *Box, p Profile) *Runner {
	r := &Runner{box: b, profile: p, limits: p.Limits.inForce()}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	return r
}

// Report returns what the sandbox has reached.
func (r *Runner) Report() Report { return r.box.Report() }

// Start starts a command inside the sandbox, in place of cmd.Start. It returns
// when the command runs; the caller then calls cmd.Wait, which reports a signal
// that ended the command as the exit status 128 and its number.
//
// These fields mean what they mean in os/exec: Path (inside the sandbox), Args,
// Dir, Stdin, Stdout, Stderr, ExtraFiles, WaitDelay and, of SysProcAttr,
// Setpgid and Setsid; a command always has a group of its own. These differ:
//
//   - Env nil is a small environment (PATH, LANG, TMPDIR), never that of this
//     process, which holds secrets.
//   - Dir "" is the directory of the profile.
//   - Cancel, where it is set, is replaced by one that ends every process of the
//     command. Killing cmd.Process ends them all, but with Landlock
//     what has left the session of the command lives until it ends by itself.
//
// Any other field of SysProcAttr, and a directory among the open files, is
// ErrCommand. A file is handed over as it is: what it reads or writes is not
// confined. Of the limits, Output counts what goes through a Stdout or Stderr
// that is no *os.File; an Output that the profile names is ErrCommand where one
// of them is.
//
// If the sandbox cannot be set up the error is ErrSetup, and the program has not
// run. If the program cannot be started in it, the error matches what os/exec
// gives (such as fs.ErrNotExist). Time and output limits end the command, so
// that cmd.Wait tells of a kill; Close tells which it was.
func (r *Runner) Start(cmd *exec.Cmd) error {
	if cmd == nil || cmd.Path == "" {
		return fmt.Errorf("%w: no program", ErrCommand)
	}
	_, err := r.start(cmd)
	return err
}

// start starts a command; an empty path is the empty command.
func (r *Runner) start(cmd *exec.Cmd) (*child, error) {
	switch {
	case cmd.Err != nil:
		return nil, cmd.Err
	case cmd.Process != nil:
		return nil, errors.New("sandbox: already started")
	}
	if err := r.accept(cmd); err != nil {
		return nil, err
	}
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, ErrClosed
	}
	r.starting.Add(1)
	r.prune()
	r.mu.Unlock()
	defer r.starting.Done()
	if err := context.Cause(r.ctx); err != nil {
		return nil, err
	}
	c, err := r.begin(cmd)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.children = append(r.children, c)
	r.mu.Unlock()
	return c, nil
}

// accept refuses what a sandbox cannot honour.
func (r *Runner) accept(cmd *exec.Cmd) error {
	if cmd.Dir != "" && !filepath.IsAbs(cmd.Dir) {
		return fmt.Errorf("%w: the directory %q is not absolute", ErrCommand, cmd.Dir)
	}
	open := []any{cmd.Stdin, cmd.Stdout, cmd.Stderr}
	for _, f := range cmd.ExtraFiles {
		if f == nil {
			return fmt.Errorf("%w: a file in ExtraFiles is nil", ErrCommand)
		}
		open = append(open, f)
	}
	for _, o := range open {
		f, ok := o.(*os.File)
		if !ok || f == nil {
			continue
		}
		fi, err := f.Stat()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrCommand, err)
		}
		if fi.IsDir() {
			return fmt.Errorf("%w: %s is a directory, and an open directory leads out", ErrCommand, f.Name())
		}
	}
	if r.profile.Limits.Output > 0 && (isFile(cmd.Stdout) || isFile(cmd.Stderr)) {
		return fmt.Errorf("%w: the profile limits the output, which cannot be counted in a file", ErrCommand)
	}
	return acceptAttr(cmd.SysProcAttr)
}

func isFile(w io.Writer) bool {
	_, ok := w.(*os.File)
	return ok
}

// prune forgets the commands that have ended. r.mu is held.
func (r *Runner) prune() {
	kept := r.children[:0]
	for _, c := range r.children {
		if !c.over() {
			kept = append(kept, c)
			continue
		}
		r.settle(c)
	}
	clear(r.children[len(kept):])
	r.children = kept
}

// Close ends the commands that still run, waits until they are gone and takes
// away what covered the missing names. It may be called more than once.
//
// The error is a *[PlantedError] where names have come into being that the
// profile has as missing ([Planted] looks for those deeper in the tree), and
// matches ErrTime and ErrOutput where a limit has ended a command.
func (r *Runner) Close() error {
	err := r.close()
	r.mu.Lock()
	ended := r.ended
	r.ended = nil
	r.mu.Unlock()
	return errors.Join(err, r.planted(), errors.Join(ended...))
}

func (r *Runner) close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel(ErrClosed)
	r.starting.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, c := range r.children {
		if !c.over() {
			c.abort(nil)
		}
		r.settle(c)
	}
	r.children = nil
	for i := len(r.cleanup) - 1; i >= 0; i-- {
		errs = append(errs, r.cleanup[i]())
	}
	r.cleanup = nil
	return errors.Join(errs...)
}

// settle lets go of a command that has ended.
func (r *Runner) settle(c *child) {
	c.finish()
	if why := c.why(); errors.Is(why, ErrTime) || errors.Is(why, ErrOutput) {
		r.ended = append(r.ended, why)
	}
}

func (r *Runner) planted() error {
	var out []string
	for _, e := range r.profile.Entries {
		if !e.Missing {
			continue
		}
		if fi, err := os.Lstat(e.Path); err == nil && !isPlaceholderInfo(fi) {
			out = append(out, e.Path)
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("sandbox: %w", err)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return &PlantedError{Paths: out}
}

// limited counts what is written and ends the command when it is too much. Both
// outputs share a lock: they may be one writer.
type limited struct {
	w     io.Writer
	mu    *sync.Mutex
	left  *atomic.Int64
	abort func()
}

func (l *limited) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := int64(len(p))
	left := l.left.Add(-n)
	if left >= 0 {
		return l.w.Write(p)
	}
	l.abort()
	if keep := n + left; keep > 0 {
		if k, err := l.w.Write(p[:keep]); err != nil {
			return k, err
		}
	}
	return 0, ErrOutput
}

// bound puts the limit of output on both outputs. One writer stays one.
func bound(cmd *exec.Cmd, l Limits, abort func()) {
	left := new(atomic.Int64)
	left.Store(l.Output)
	if l.Output == 0 {
		left.Store(math.MaxInt64)
	}
	mu := new(sync.Mutex)
	wrap := func(w io.Writer) io.Writer {
		if w == nil || isFile(w) {
			return w
		}
		return &limited{w, mu, left, abort}
	}
	one := same(cmd.Stdout, cmd.Stderr)
	cmd.Stdout = wrap(cmd.Stdout)
	if one {
		cmd.Stderr = cmd.Stdout
	} else {
		cmd.Stderr = wrap(cmd.Stderr)
	}
}

func same(a, b io.Writer) (eq bool) {
	defer func() { _ = recover() }() // writers that cannot be compared
	return a != nil && a == b
}

// environment returns the environment of a command.
func environment(env []string, tmp string) []string {
	if env != nil {
		return env
	}
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "TMPDIR=" + tmp}
}
