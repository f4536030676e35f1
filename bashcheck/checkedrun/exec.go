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
	"mvdan.cc/sh/v3/syntax"
)

// exec runs an external program. Its words were checked by call.
func (r *run) exec(ctx context.Context, args []string) error {
	done, err := r.act()
	if err != nil {
		return err
	}
	defer done()
	hc := interp.HandlerCtx(ctx)
	// These wait for each other: also where the command does not run.
	words, files, err := r.substituted(int(hc.Pos.Offset()), args)
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	if err != nil {
		return r.stop(err)
	}
	path, err := interp.LookPathDir(hc.Dir, hc.Env, args[0])
	if err != nil {
		fmt.Fprintf(hc.Stderr, "%s: command not found\n", args[0])
		return interp.ExitStatus(127)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(hc.Dir, path)
	}
	cmd := exec.CommandContext(ctx, path)
	cmd.Args = words
	cmd.Dir = hc.Dir
	cmd.Env = r.environ(hc.Env, hc.Dir)
	cmd.Stdin = hc.Stdin
	cmd.ExtraFiles = files
	// The last thing before it starts.
	if c := r.at[int(hc.Pos.Offset())]; c != nil {
		now, reason := r.again(c, args)
		if reason != "" {
			return r.refuse(args, c.Span, reason)
		}
		if err := r.recheck(now, args, hc.Dir); err != nil {
			return err
		}
	}
	return r.spawn(ctx, cmd, hc.Stdout, hc.Stderr, func() {
		for _, f := range files {
			_ = f.Close()
		}
	})
}

// spawn starts a prepared program and waits until it and its group have ended.
// started is called as soon as it runs.
func (r *run) spawn(ctx context.Context, cmd *exec.Cmd, stdout, stderr io.Writer, started func()) error {
	var taken []*capture
	file := func(w io.Writer) (*os.File, error) {
		if f, ok := w.(*os.File); ok {
			return f, nil
		}
		c, err := r.capture(w)
		if err != nil {
			return nil, err
		}
		taken = append(taken, c)
		return c.in, nil
	}
	var err error
	var out, errs *os.File
	if out, err = file(stdout); err == nil {
		if errs = out; !same(stdout, stderr) {
			errs, err = file(stderr)
		}
	}
	end := func() {
		for _, c := range taken {
			c.finish()
		}
	}
	if err != nil {
		end()
		return r.stop(err)
	}
	cmd.Stdout, cmd.Stderr = out, errs
	ownGroup(cmd)
	r.mu.Lock()
	if r.since.IsZero() {
		r.since, r.first = time.Now(), lastProcess()
	}
	r.mu.Unlock()
	if err := r.start(cmd); err != nil {
		end()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// A program that cannot be started, or not in the sandbox that it
		// needs, ends the run: going on would be another run than approved.
		return r.stop(fmt.Errorf("checkedrun: %s was not started: %w", cmd.Args[0], err))
	}
	started()
	for _, c := range taken {
		_ = c.in.Close()
	}
	if r.o.Limits.Memory > 0 {
		if err := limitMemory(cmd, r.o.Limits.Memory); err != nil {
			_ = r.stop(fmt.Errorf("%w: the limit cannot be set: %v", ErrMemory, err))
		}
	}
	err = cmd.Wait()
	endGroup(cmd)
	for _, c := range taken {
		c.wait(ctx)
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		return nil
	case errors.As(err, &exit):
		if s := exitStatus(exit.ProcessState); s != 0 {
			return interp.ExitStatus(s)
		}
		return nil
	}
	return r.stop(err)
}

// substituted connects the process substitutions among the words: each is a
// fifo that the interpreter made, and becomes a descriptor of the program, which
// it finds in a sandbox too. A pipe stands between, because a program that opens
// /dev/fd of a fifo would wait for another other side.
func (r *run) substituted(offset int, args []string) (words []string, files []*os.File, err error) {
	if r.temp == "" {
		return args, nil, nil
	}
	ops := r.procs[offset]
	words = append(words, args...)
	for i, a := range args {
		if !r.fifo(a) {
			continue
		}
		if len(files) >= len(ops) {
			return nil, files, errors.New("checkedrun: a process substitution stands where none was seen")
		}
		in := ops[len(files)] == syntax.CmdIn
		flag := os.O_RDONLY
		if !in {
			flag = os.O_WRONLY
		}
		// This waits for the other side, which the interpreter opens.
		fifo, err := os.OpenFile(a, flag, 0)
		if err != nil {
			return nil, files, err
		}
		from, to, err := os.Pipe()
		if err != nil {
			_ = fifo.Close()
			return nil, files, err
		}
		words[i] = fmt.Sprintf("/dev/fd/%d", 3+len(files))
		if in {
			files = append(files, from)
			go relay(to, fifo)
		} else {
			files = append(files, to)
			go relay(fifo, from)
		}
	}
	return words, files, nil
}

// relay copies until one side is closed.
func relay(to, from *os.File) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}

// environ is the environment of a program.
func (r *run) environ(env expand.Environ, dir string) []string {
	var out []string
	env.Each(func(name string, v expand.Variable) bool {
		switch {
		case name == "PWD" || name == markName:
		case name == "HOME" && r.noHome && v.String() == "":
		case v.Exported && v.IsSet() && v.Kind == expand.String:
			out = append(out, name+"="+v.String())
		}
		return true
	})
	out = append(out, "PWD="+dir)
	if r.mark != "" {
		out = append(out, markName+"="+r.mark)
	}
	return out
}

// exitStatus is the status as a shell says it.
func exitStatus(s *os.ProcessState) uint8 {
	if n, ok := signalOf(s); ok {
		return uint8(128 + n)
	}
	return uint8(s.ExitCode())
}
