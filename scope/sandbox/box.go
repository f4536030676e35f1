package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"sync"
)

// Level says how strongly a child is confined. A higher one holds more.
type Level uint8

// The levels, in rising order.
const (
	// None: not confined. No [Box] has it.
	None Level = iota
	// Landlock: Linux Landlock (ABI 3 or later) and seccomp.
	Landlock
	// Seatbelt: sandbox-exec of macOS.
	Seatbelt
	// Bubblewrap: Linux namespaces by bwrap, and seccomp.
	Bubblewrap
	// Namespaces: Linux namespaces by this program itself, and seccomp. It
	// holds what Bubblewrap holds, starts faster and needs no other program,
	// but a system that lets only bwrap make user namespaces has it not.
	Namespaces
)

// String returns "none", "landlock", "seatbelt", "bubblewrap" or "namespaces".
func (l Level) String() string {
	switch l {
	case None:
		return "none"
	case Landlock:
		return "landlock"
	case Seatbelt:
		return "seatbelt"
	case Bubblewrap:
		return "bubblewrap"
	case Namespaces:
		return "namespaces"
	}
	return "level(" + strconv.Itoa(int(l)) + ")"
}

// Options configure a [Box]. Zero stands for the strongest level that works.
type Options struct {
	// Level is the one level to use; None stands for the strongest one.
	Level Level
	// Bubblewrap is the path of bwrap, absolute. "" looks in the places where
	// systems put it, never in $PATH, which others may set.
	Bubblewrap string
}

// Report says what a [Box] has reached.
type Report struct {
	Level Level
	// ABI is the version of Landlock in the kernel, 0 for none.
	ABI int
	// Program is the program that makes the sandbox, "" for this one.
	Program string
	// Why says for each stronger level why it is not used.
	Why []string
}

// String returns the level with its version, such as "landlock abi 7".
func (r Report) String() string {
	if r.Level == Landlock {
		return fmt.Sprintf("landlock abi %d", r.ABI)
	}
	return r.Level.String()
}

// Helper proves that the program called [Enter]. The zero Helper proves
// nothing.
type Helper struct {
	exe string
	// race is what the helpers get in GORACE, "" for nothing.
	race string
}

// Box starts children in the sandbox of this machine. It is immutable and safe
// for concurrent use.
type Box struct {
	helper Helper
	report Report
	// plain says that bwrap makes all mounts.
	plain bool
	// unwritten are the files of /proc that nobody may write.
	unwritten []string
	// nested says that the command needs a user namespace of its own.
	nested bool
}

// New finds the strongest level of the machine by starting a child in it, and
// returns ErrUnavailable, with all reasons, when there is none: there is no
// fallback to an unconfined child. Without a helper it is ErrNoHelper.
func New(h Helper, o Options) (*Box, error) {
	if h.exe == "" {
		return nil, ErrNoHelper
	}
	return probe(h, o)
}

// Report returns what was reached.
func (b *Box) Report() Report {
	r := b.report
	r.Why = slices.Clone(r.Why)
	return r
}

// Require returns ErrUnavailable if the box has less than a level.
func (b *Box) Require(l Level) error {
	if b == nil || b.report.Level < l {
		have := None
		if b != nil {
			have = b.report.Level
		}
		return fmt.Errorf("%w: %s is required, this machine has %s", ErrUnavailable, l, have)
	}
	return nil
}

// Gaps says, one sentence each, what of a profile this box does not enforce.
func (b *Box) Gaps(p Profile) []string { return gaps(b.report, p) }

// Command returns a command that runs argv confined by a profile. Nothing is
// started yet. argv[0] without a slash is looked up in the PATH of Cmd.Env,
// inside the sandbox. When ctx ends, all processes of the command end.
//
// Errors: ErrProfile, and ErrUnavailable where the level of the box cannot
// enforce the network or the limits that the profile names.
func (b *Box) Command(ctx context.Context, p Profile, argv ...string) (*Cmd, error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, fmt.Errorf("%w: no program", ErrProfile)
	}
	p, err := p.clean()
	if err != nil {
		return nil, err
	}
	if err := supported(b.report, p); err != nil {
		return nil, err
	}
	return &Cmd{box: b, ctx: ctx, profile: p, argv: slices.Clone(argv)}, nil
}

// Cmd is a command in a sandbox, in the manner of os/exec. It is used once,
// and not by two goroutines at a time.
type Cmd struct {
	// Stdin is read from, Stdout and Stderr are written to; nil is nothing.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Env is the environment, as in os/exec; nil is a small one (PATH, LANG,
	// TMPDIR), never that of this process, which holds secrets.
	Env []string
	// Dir is where it starts, absolute; "" is that of the profile.
	Dir string

	box     *Box
	ctx     context.Context
	profile Profile
	argv    []string

	runner *Runner
	cmd    *exec.Cmd
	child  *child
	ended  bool
}

// Start starts the command and returns when it runs inside the sandbox. If the
// sandbox cannot be set up the error is ErrSetup, and the program has not run;
// if the program cannot be started in it, that error matches what os/exec gives
// (such as fs.ErrNotExist).
func (c *Cmd) Start() error {
	if c.cmd != nil || c.ended {
		return errors.New("sandbox: already started")
	}
	r := newRunner(c.ctx, c.box, c.profile)
	cmd := &exec.Cmd{Args: c.argv, Env: c.Env, Dir: c.Dir, Stdin: c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr, WaitDelay: grace}
	if len(c.argv) > 0 {
		cmd.Path = c.argv[0]
	}
	ch, err := r.start(cmd)
	if err != nil {
		c.ended = true
		return errors.Join(err, r.close())
	}
	c.runner, c.cmd, c.child = r, cmd, ch
	return nil
}

// Wait waits until every process of the command has ended and cleans up. The
// error is an *exec.ExitError for a status other than 0 (128 and the number of
// a signal that ended it), and matches ErrTime, ErrOutput or the error of the
// context where one of them ended it.
func (c *Cmd) Wait() error {
	if c.cmd == nil || c.ended {
		return errors.New("sandbox: not started, or waited for already")
	}
	c.ended = true
	err := c.cmd.Wait()
	if cause := c.child.why(); cause != nil {
		err = errors.Join(cause, err)
	}
	return errors.Join(err, c.runner.close())
}

// Run starts the command and waits for it.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs the command and returns its standard output.
func (c *Cmd) Output() ([]byte, error) {
	if c.Stdout != nil {
		return nil, errors.New("sandbox: Stdout already set")
	}
	var b buffer
	c.Stdout = &b
	err := c.Run()
	return b.data, err
}

// CombinedOutput runs the command and returns its standard output and error.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	if c.Stdout != nil || c.Stderr != nil {
		return nil, errors.New("sandbox: Stdout or Stderr already set")
	}
	var b buffer
	c.Stdout, c.Stderr = &b, &b
	err := c.Run()
	return b.data, err
}

// ExitCode returns the status of a command that was waited for, -1 otherwise.
func (c *Cmd) ExitCode() int {
	if c.cmd == nil || c.cmd.ProcessState == nil {
		return -1
	}
	return c.cmd.ProcessState.ExitCode()
}

type buffer struct {
	mu   sync.Mutex
	data []byte
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data = append(b.data, p...)
	return len(p), nil
}
