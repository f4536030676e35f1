// Package checkedrun runs a shell command that was analyzed by package
// bashcheck with the same parser that judged it: mvdan.cc/sh's interpreter
// instead of another shell that might read the text differently. Each simple
// command, redirection and change of directory is checked at the moment it
// happens, with its words expanded, against the report that was approved.
// Anything more than that is refused.
//
// # What is guaranteed
//
// Builtins, redirections and the arguments of every program: no program starts
// with other arguments than the report covers, and no file is opened by a
// redirection that it does not name. The report is the one whose digest the
// approval holds ([Options].Digest), made again here from the text.
//
// What an external program opens by itself is guaranteed only inside a sandbox:
// give one as [Options].Sandbox. Without one, the paths of a command that was
// judged by its effects are resolved again right before it starts
// ([Options].Recheck), which leaves the moment between that answer and the
// program's own opening.
//
// # What is ended
//
// When Run returns, nothing that it started runs any more: each program has a
// process group that ends with it, and on Linux every process that carries the
// variable CLEARANCE_RUN of this run is found and ended, in whatever session it
// is. A program that leaves its group and clears its environment escapes that;
// only a sandbox with processes of its own ([Isolated]) holds it. On other
// systems the groups alone are ended.
//
// # What is not run
//
// What the interpreter does not do as bash does (background jobs, coproc,
// select, functions, shell options, a few builtins and redirections), and what
// could use up the memory of this process, is refused before anything starts,
// with [ErrUnsupported]. [Shell] runs the same text by a real shell, inside a
// sandbox only.
package checkedrun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"github.com/clearance-go/clearance/bashcheck"
)

// ErrUnsupported is returned for a text that the interpreter does not run as
// the shell would. Nothing was started. The way out is [Shell].
var ErrUnsupported = errors.New("checkedrun: the text needs a real shell")

// ErrOutput is returned when a run wrote more than its limit.
var ErrOutput = errors.New("checkedrun: too much output")

// ErrMemory is returned when the variables and command substitutions of a run
// grew over what is kept for them, and for a limit of memory that cannot be set
// on this system.
var ErrMemory = errors.New("checkedrun: too much memory")

// DigestError is a report that is not the one that was approved.
type DigestError struct {
	// Granted is the digest of the approval, Got that of the report here.
	Granted, Got string
}

// Error names both digests and the fix.
func (e *DigestError) Error() string {
	if e.Granted == "" {
		return "checkedrun: no digest was granted: set Options.Digest to that of the approved inspection"
	}
	return fmt.Sprintf("checkedrun: the report %.12s is not the approved one %.12s: authorize the call again", e.Got, e.Granted)
}

// ConfinementError is a run that may happen only in a sandbox that is not there.
// Nothing was started.
type ConfinementError struct {
	Need, Has Level
}

// Error names both levels and the fix.
func (e *ConfinementError) Error() string {
	return fmt.Sprintf("checkedrun: it may run only in a sandbox of the level %s or more, and the level here is %s: set Options.Sandbox to one (package scope/sandbox)", e.Need, e.Has)
}

// NotApprovedError is something that a run would have done and that the report
// does not cover. The run was ended before it happened.
type NotApprovedError struct {
	// Argv are the expanded words of a command; nil for a redirection.
	Argv []string
	// Path is the target of a redirection.
	Path string
	// Reason is one sentence.
	Reason string
	Span   bashcheck.Span
}

// Error names the command or path, and the reason.
func (e *NotApprovedError) Error() string {
	what := fmt.Sprintf("the command %q", e.Argv)
	if e.Argv == nil {
		what = fmt.Sprintf("opening %q", e.Path)
	}
	return fmt.Sprintf("checkedrun: %s was not approved: %s", what, e.Reason)
}

// ChangedError is a path that Options.Recheck refused right before it would
// have been used. The run was ended before that.
type ChangedError struct {
	// Argv are the words of the command; nil for a redirection.
	Argv []string
	Path string
	// Err is what Options.Recheck said.
	Err error
}

// Error names the path and what Options.Recheck said.
func (e *ChangedError) Error() string {
	return fmt.Sprintf("checkedrun: %s is not what was approved: %v", e.Path, e.Err)
}

// Unwrap returns what Options.Recheck said.
func (e *ChangedError) Unwrap() error { return e.Err }

// Limits of a run; a zero field is the default.
type Limits struct {
	Time   time.Duration // default 2 minutes
	Output int64         // bytes to both outputs together; default 16 MiB
	// Memory is the private memory in bytes of each process (RLIMIT_DATA on
	// Linux). It is set right after a program was started, so that a program
	// which multiplies in its first microseconds may slip through: a sandbox,
	// whose profile counts instead of this, has no such gap. Default 8 GiB on
	// Linux and none elsewhere, where a value is ErrMemory.
	Memory int64
}

// Level is how strongly a sandbox holds what it starts; a higher one holds
// more.
type Level uint8

// The levels. The zero Level is no sandbox.
const (
	// None: programs may do what this process may.
	None Level = iota
	// Files: what they read and write is held (Landlock, Seatbelt).
	Files
	// Isolated: besides, their processes and network are their own, and all of
	// them end with the first (bubblewrap).
	Isolated
)

// String returns "none", "files" or "isolated".
func (l Level) String() string {
	switch l {
	case None:
		return "none"
	case Files:
		return "files"
	case Isolated:
		return "isolated"
	}
	return "unknown"
}

// Sandbox starts programs confined.
type Sandbox struct {
	// Start starts a prepared command as (*exec.Cmd).Start does
	// ((*sandbox.Runner).Start). An error means that it did not run.
	Start func(cmd *exec.Cmd) error
	// Level is what Start really reaches, never what was hoped for.
	Level Level
}

// Options configure a run. The zero Options run nothing.
type Options struct {
	// Analyzer is the analyzer that made the report. Required: the text and
	// expanded commands are analyzed again by it.
	Analyzer *bashcheck.Analyzer
	// Digest is that of the report that was approved (Grant.ReportDigest of a
	// grant of package permission). Required.
	Digest string
	// Dir is the absolute directory that the run starts in.
	Dir string
	// Env is the whole environment; use [bashcheck.SafeEnv]. Nil is empty.
	// Programs find PWD in it besides, and CLEARANCE_RUN outside of an Isolated
	// sandbox on Linux.
	Env []string
	// Stdin may be nil. Stdout and Stderr may be nil to discard; one writer for
	// both keeps their order. They are written to by one goroutine each, until
	// Run returns.
	Stdin          *os.File
	Stdout, Stderr io.Writer
	// Unconfined says that the decision does not demand a sandbox
	// (Grant.Confined is false). Without it, Sandbox must reach Files or more.
	Unconfined bool
	// Sandbox is where every external program is started, whether the decision
	// demands it or not. For a call that is excluded from confinement
	// (excludedCommands), leave it out: the whole command then runs outside.
	Sandbox Sandbox
	// Need is the level that Sandbox must reach besides. Zero adds nothing.
	Need Level
	// Recheck resolves an absolute path again, right before what was judged by
	// its effects does kind to it, and returns an error where it leads elsewhere
	// than when it was approved (toolset.Recheck). Required without a Sandbox;
	// within one it may be nil.
	Recheck func(kind bashcheck.Kind, path string) error
	// Open opens the file of a redirection: a guard (toolset.Open). Nil is
	// os.OpenFile, which follows a link that was changed after Recheck looked.
	Open func(path string, flag int) (io.ReadWriteCloser, error)
	// Redact wraps each output ((*credstore.Redactor).Writer). It sees all that
	// is written, so that a secret may be split over writes, programs and lines.
	// Close writes what it holds back; a run that is cut off drops that.
	Redact func(io.Writer) io.WriteCloser
	Limits Limits
}

// Run runs the text of the report and returns its exit status, -1 beside an
// error. The error is
// [ErrUnsupported], a [*DigestError] or a [*ConfinementError] where nothing was
// started; a [*NotApprovedError], a [*ChangedError], [ErrOutput], [ErrMemory] or
// the context's error (context.DeadlineExceeded for the limit of time) where
// the run was ended; or that of an operation of the host. A program that fails
// is no error but a status. Whatever was started is ended when Run returns.
// Run may be called by several goroutines at once.
func Run(ctx context.Context, rep bashcheck.Report, o Options) (status int, err error) {
	defer failed(&status, &err)
	r, err := prepare(rep, o, None)
	if err != nil {
		return 0, err
	}
	if !r.rep.Parsed {
		return 0, fmt.Errorf("%w: it was not understood", ErrUnsupported)
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(r.rep.Source), "")
	if err != nil {
		return 0, fmt.Errorf("%w: %v", ErrUnsupported, err)
	}
	if what := unsupported(file); what != "" {
		return 0, fmt.Errorf("%w: %s", ErrUnsupported, what)
	}
	if err := r.index(); err != nil {
		return 0, err
	}
	end, err := r.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { status, err = end(status, err) }()
	fifos, err := r.fifos(file)
	if err != nil {
		return 0, err
	}
	r.procs = instrument(file, len(r.rep.Source))
	r.whole = bringsFiles(file)
	env := &environment{list: expand.ListEnviron(r.env...), temp: fifos}
	var in io.Reader
	if r.o.Stdin != nil {
		in = r.o.Stdin
	}
	runner, err := interp.New(
		interp.Env(env), interp.Dir(r.o.Dir), interp.StdIO(in, r.stdout, r.stderr),
		interp.CallHandler(r.call), interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return r.exec }),
		interp.OpenHandler(r.open),
	)
	if err != nil {
		return 0, err
	}
	runner.Reset()
	// The folder for fifos is taken over now; the text sees the real one.
	env.temp = ""
	err = runner.Run(r.ctx, file)
	var s interp.ExitStatus
	if errors.As(err, &s) {
		return int(s), nil
	}
	return 0, err
}

// failed keeps a status that nobody should take for success from a run that
// failed.
func failed(status *int, err *error) {
	if *err != nil {
		*status = -1
	}
}

// prepare checks what a run needs before anything starts. least is the level
// of sandbox that it needs in any case.
func prepare(rep bashcheck.Report, o Options, least Level) (*run, error) {
	if o.Analyzer == nil {
		return nil, errors.New("checkedrun: Options.Analyzer is missing")
	}
	if !filepath.IsAbs(o.Dir) {
		return nil, fmt.Errorf("checkedrun: Options.Dir %q is not absolute", o.Dir)
	}
	if got := rep.Digest(); o.Digest == "" || got != o.Digest {
		return nil, &DigestError{o.Digest, got}
	}
	// What came with the text may have been changed on its way here.
	rep = o.Analyzer.Analyze(rep.Source)
	if got := rep.Digest(); got != o.Digest {
		return nil, &DigestError{o.Digest, got}
	}
	need := max(o.Need, least)
	if !o.Unconfined {
		need = max(need, Files)
	}
	has := o.Sandbox.Level
	if o.Sandbox.Start == nil {
		has = None
	}
	if has < need || has > Isolated {
		return nil, &ConfinementError{need, has}
	}
	if has == None && o.Recheck == nil {
		return nil, errors.New("checkedrun: Options.Recheck is missing: without a sandbox, paths must be resolved again before they are used: give toolset.Recheck(guard, grant), or Options.Sandbox")
	}
	if o.Limits.Time <= 0 {
		o.Limits.Time = 2 * time.Minute
	}
	if o.Limits.Output <= 0 {
		o.Limits.Output = 16 << 20
	}
	switch {
	case has != None: // its profile limits the memory
		o.Limits.Memory = 0
	case o.Limits.Memory > 0 && !canLimitMemory:
		return nil, fmt.Errorf("%w: it cannot be limited on this system without a sandbox", ErrMemory)
	case o.Limits.Memory <= 0 && canLimitMemory:
		o.Limits.Memory = 8 << 30
	}
	r := &run{rep: rep, o: o, level: has, env: o.Env}
	r.start = o.Sandbox.Start
	if r.start == nil {
		r.start = (*exec.Cmd).Start
	}
	home := false
	for _, e := range o.Env {
		home = home || strings.HasPrefix(e, "HOME=")
	}
	if !home {
		// The interpreter would look it up by itself.
		r.env = append(o.Env[:len(o.Env):len(o.Env)], "HOME=")
		r.noHome = true
	}
	return r, nil
}
