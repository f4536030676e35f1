package checkedrun

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/clearance-go/clearance/bashcheck"
)

// run is the state of one run.
type run struct {
	rep    bashcheck.Report
	o      Options
	level  Level
	start  func(*exec.Cmd) error
	env    []string // what the interpreter starts with
	noHome bool
	at     map[int]*approved
	procs  map[int][]syntax.ProcOperator // process substitutions by command
	whole  bool                          // $(<file) brings files in whole

	ctx            context.Context
	cancel         context.CancelFunc
	mark           string
	temp           string // the private folder of the fifos; "" where there is none
	stdout, stderr *os.File
	outputs        []*output

	mu       sync.Mutex
	stopped  error
	over     bool // nothing is begun any more
	acts     sync.WaitGroup
	written  int64     // bytes of output
	captured int64     // bytes of command substitutions
	assigned int64     // bytes of variables made of variables
	since    time.Time // when the first program was started, or zero
	first    int       // the process id that was given last before
}

// approved is a command of the report that the shell itself runs, with all
// that it runs in turn.
type approved struct {
	*bashcheck.Command
	// byEffects says that all of it is described, so that it was judged by its
	// effects; otherwise it was approved by its words.
	byEffects bool
	// spelled says that every word was known, so that it runs exactly as it was
	// judged, with what the text around it says of it (find . | xargs grep x).
	spelled bool
	effects []*bashcheck.Effect
}

// index finds the commands of the report by where they stand.
func (r *run) index() error {
	r.at = map[int]*approved{}
	of := make([]*approved, len(r.rep.Commands)+1)
	for i := range r.rep.Commands {
		c := &r.rep.Commands[i]
		a := &approved{Command: c, byEffects: c.Described, spelled: true}
		for _, w := range c.Argv {
			a.spelled = a.spelled && known(w)
		}
		if c.Parent > 0 && c.Parent <= i {
			a = of[c.Parent]
			a.byEffects = a.byEffects && c.Described
		} else {
			if _, twice := r.at[int(c.Span.Start)]; twice {
				return fmt.Errorf("%w: two commands stand at byte %d", ErrUnsupported, c.Span.Start)
			}
			r.at[int(c.Span.Start)] = a
			if len(c.Argv) > 0 {
				// Behind its assignments.
				r.at[int(c.Argv[0].Span.Start)] = a
			}
		}
		of[i+1] = a
		for j := range c.Effects {
			// Redirections of the command itself are checked when they happen.
			if e := &c.Effects[j]; c.Parent > 0 || !e.ByShell {
				a.effects = append(a.effects, e)
			}
		}
	}
	return nil
}

// begin makes the outputs and starts the clock. end gives back what was held,
// ends what is left and returns why the run ended.
func (r *run) begin(ctx context.Context) (end func(int, error) (int, error), err error) {
	if r.mark, err = newMark(r.level); err != nil {
		return nil, err
	}
	r.ctx, r.cancel = context.WithTimeout(ctx, r.o.Limits.Time)
	fail := func(err error) (func(int, error) (int, error), error) {
		r.cancel()
		for _, o := range r.outputs {
			_ = o.in.Close()
			<-o.done
		}
		return nil, err
	}
	if r.stdout, err = r.output(r.o.Stdout); err != nil {
		return fail(err)
	}
	if r.o.Stdout != nil && same(r.o.Stdout, r.o.Stderr) {
		r.stderr = r.stdout
	} else if r.stderr, err = r.output(r.o.Stderr); err != nil {
		return fail(err)
	}
	return func(status int, err error) (int, error) {
		r.mu.Lock()
		r.over = true
		if r.stopped == nil {
			r.stopped = r.ctx.Err()
		}
		r.mu.Unlock()
		r.cancel()
		// Process substitutions run beside the text, and one may be about to
		// start a program.
		letGo := r.release()
		r.acts.Wait()
		letGo()
		if !r.since.IsZero() {
			sweep(r.mark, r.first, r.since)
		}
		r.mu.Lock()
		whole := r.stopped == nil && err == nil
		r.mu.Unlock()
		for _, o := range r.outputs {
			o.finish(whole)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		switch {
		case r.stopped != nil:
			return 0, r.stopped
		case err != nil:
			return 0, err
		}
		return status, nil
	}, nil
}

// act begins something that Run waits for, and refuses once the run is over.
// done ends it.
func (r *run) act() (done func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return nil, context.Canceled
	}
	r.acts.Add(1)
	return r.acts.Done, nil
}

// stop ends the run; the first reason is the one that counts.
func (r *run) stop(err error) error {
	r.mu.Lock()
	if r.stopped == nil {
		r.stopped = err
	}
	err = r.stopped
	r.mu.Unlock()
	r.cancel()
	return err
}

// same says whether two writers are one; those that cannot be compared are
// not.
func same(a, b any) (yes bool) {
	defer func() { _ = recover() }()
	return a == b
}

// environment is what the interpreter starts with. It asks it once for the
// folder in which it makes fifos, which is a private one, and the text must not
// see that.
type environment struct {
	list expand.Environ
	temp string
}

func (e *environment) Get(name string) expand.Variable {
	if name == "TMPDIR" && e.temp != "" {
		return expand.Variable{Set: true, Kind: expand.String, Str: e.temp}
	}
	return e.list.Get(name)
}

func (e *environment) Each(f func(string, expand.Variable) bool) { e.list.Each(f) }

// noFolder is no folder: the interpreter opens what lies in its folder for
// fifos without asking, so nothing may.
const noFolder = "/dev/null/none"

// fifos makes the folder for the fifos of process substitutions, where there
// are any.
func (r *run) fifos(file *syntax.File) (string, error) {
	any := false
	syntax.Walk(file, func(n syntax.Node) bool {
		_, is := n.(*syntax.ProcSubst)
		any = any || is
		return !any
	})
	if !any {
		return noFolder, nil
	}
	dir, err := os.MkdirTemp("", "checkedrun-")
	if err != nil {
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	r.temp = dir
	return dir, nil
}

// fifo says whether a word is the path of a process substitution. The name of
// the folder is not known to the text.
func (r *run) fifo(word string) bool {
	return r.temp != "" && strings.HasPrefix(word, r.temp+"/") && !strings.Contains(word[len(r.temp)+1:], "/")
}

// release has nobody wait for the other side of a process substitution, and
// removes their folder: both sides of each are open until letGo is called.
func (r *run) release() (letGo func()) {
	if r.temp == "" {
		return func() {}
	}
	var held []*os.File
	list, _ := os.ReadDir(r.temp)
	for _, f := range list {
		if h, err := openFifo(filepath.Join(r.temp, f.Name())); err == nil {
			held = append(held, h)
		}
	}
	_ = os.RemoveAll(r.temp)
	return func() {
		for _, h := range held {
			_ = h.Close()
		}
	}
}

// killDelay is how long what cannot be ended may hold an output open.
const killDelay = 100 * time.Millisecond
