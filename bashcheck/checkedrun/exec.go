package checkedrun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
)

// killDelay is how long what a program left behind may hold its output open
// after the program itself has ended.
const killDelay = 100 * time.Millisecond

// exec runs an external program. Its words were checked by call.
func (r *run) exec(ctx context.Context, args []string) error {
	hc := interp.HandlerCtx(ctx)
	path, err := interp.LookPathDir(hc.Dir, hc.Env, args[0])
	if err != nil {
		fmt.Fprintf(hc.Stderr, "%s: command not found\n", args[0])
		return interp.ExitStatus(127)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(hc.Dir, path)
	}
	cmd := exec.CommandContext(ctx, path, args[1:]...)
	cmd.Args[0] = args[0]
	cmd.Dir = hc.Dir
	cmd.Env = environ(hc.Env)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = hc.Stdin, hc.Stdout, hc.Stderr
	cmd.WaitDelay = killDelay
	ownGroup(cmd)
	start := r.o.Start
	if start == nil {
		start = (*exec.Cmd).Start
	}
	if err := start(cmd); err != nil {
		// A program that cannot be started, or not in the sandbox that it
		// needs, ends the run: going on would be another run than approved.
		return r.stop(fmt.Errorf("checkedrun: %s was not started: %w", args[0], err))
	}
	err = cmd.Wait()
	endGroup(cmd)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &exit):
		return interp.ExitStatus(exitStatus(exit.ProcessState))
	case errors.Is(err, exec.ErrWaitDelay):
		// It ended and left something behind that held its output open.
		return nil
	}
	return r.stop(err)
}

func environ(env expand.Environ) []string {
	var out []string
	env.Each(func(name string, v expand.Variable) bool {
		if v.Exported && v.IsSet() && v.Kind == expand.String {
			out = append(out, name+"="+v.String())
		}
		return true
	})
	return out
}

// output passes on what a run writes: bounded, and redacted line by line.
type output struct {
	r    *run
	w    io.Writer
	line []byte
}

// maxHeld is how much of a line is held back for redaction.
const maxHeld = 64 << 10

func (r *run) writer(w io.Writer) *output {
	if w == nil {
		w = io.Discard
	}
	return &output{r: r, w: w}
}

// Write is called by several programs of a pipeline at once.
func (o *output) Write(p []byte) (int, error) {
	o.r.mu.Lock()
	o.r.written += int64(len(p))
	over := o.r.written > o.r.o.Limits.Output
	var err error
	if !over {
		err = o.pass(p)
	}
	o.r.mu.Unlock()
	if over {
		return 0, o.r.stop(ErrOutput)
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (o *output) pass(p []byte) error {
	if o.r.o.Redact == nil {
		_, err := o.w.Write(p)
		return err
	}
	o.line = append(o.line, p...)
	end := -1
	for i := len(o.line) - 1; i >= 0; i-- {
		if o.line[i] == '\n' {
			end = i
			break
		}
	}
	if end < 0 && len(o.line) < maxHeld {
		return nil
	}
	if end < 0 {
		end = len(o.line) - 1
	}
	_, err := o.w.Write(o.r.o.Redact(o.line[:end+1]))
	o.line = append(o.line[:0], o.line[end+1:]...)
	return err
}

func (o *output) flush() {
	o.r.mu.Lock()
	defer o.r.mu.Unlock()
	if len(o.line) > 0 {
		_, _ = o.w.Write(o.r.o.Redact(o.line))
		o.line = nil
	}
}

// exitStatus is the status as a shell says it.
func exitStatus(s *os.ProcessState) uint8 {
	if n, ok := signalOf(s); ok {
		return uint8(128 + n)
	}
	return uint8(s.ExitCode())
}
