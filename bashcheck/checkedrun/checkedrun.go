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
// redirection that it does not name. What an external program opens by itself
// is guaranteed only inside a sandbox: give one as [Options.Start].
//
// # What is not run
//
// What the interpreter does not do as bash does (coproc, select, job control,
// shell options, a few builtins) is refused before anything starts, with
// [ErrUnsupported]. Background processes end with the run.
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
	"sync"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"github.com/clearance-go/clearance/bashcheck"
)

// ErrUnsupported is returned for a text that the interpreter does not run as
// the shell would. Nothing was started. The way out is a shell in a sandbox.
var ErrUnsupported = errors.New("checkedrun: the text needs a real shell")

// ErrOutput is returned when a run wrote more than its limit.
var ErrOutput = errors.New("checkedrun: too much output")

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

func (e *NotApprovedError) Error() string {
	what := fmt.Sprintf("the command %q", e.Argv)
	if e.Argv == nil {
		what = fmt.Sprintf("opening %q", e.Path)
	}
	return fmt.Sprintf("checkedrun: %s was not approved: %s", what, e.Reason)
}

// Limits of a run; a zero field is the default.
type Limits struct {
	Time   time.Duration // default 2 minutes
	Output int64         // bytes to both outputs together; default 16 MiB
}

// Options configure a run.
type Options struct {
	// Analyzer is the analyzer that made the report. Required: expanded
	// commands are analyzed again by it.
	Analyzer *bashcheck.Analyzer
	// Dir is the absolute directory that the run starts in.
	Dir string
	// Env is the whole environment; use [bashcheck.SafeEnv]. Nil is empty.
	Env []string
	// Stdin may be nil. Stdout and Stderr may be nil to discard.
	Stdin          *os.File
	Stdout, Stderr io.Writer
	// Start starts an external program: a sandbox. Nil is (*exec.Cmd).Start.
	Start func(cmd *exec.Cmd) error
	// Open opens the file of a redirection: a guard. Nil is os.OpenFile.
	Open func(path string, flag int) (io.ReadWriteCloser, error)
	// Redact changes what the run writes, line by line where it can.
	Redact func([]byte) []byte
	Limits Limits
}

// Run runs the text of the report and returns its exit status. The error is
// [ErrUnsupported], a [*NotApprovedError], [ErrOutput], the context's error, or
// that of an operation of the host; a program that fails is no error but a
// status. Whatever was started is ended when Run returns.
func Run(ctx context.Context, rep bashcheck.Report, o Options) (status int, err error) {
	if o.Analyzer == nil {
		return 0, errors.New("checkedrun: Options.Analyzer is missing")
	}
	if !filepath.IsAbs(o.Dir) {
		return 0, fmt.Errorf("checkedrun: Options.Dir %q is not absolute", o.Dir)
	}
	if !rep.Parsed {
		return 0, fmt.Errorf("%w: it was not understood", ErrUnsupported)
	}
	if o.Limits.Time <= 0 {
		o.Limits.Time = 2 * time.Minute
	}
	if o.Limits.Output <= 0 {
		o.Limits.Output = 16 << 20
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(rep.Source), "")
	if err != nil {
		return 0, fmt.Errorf("%w: %v", ErrUnsupported, err)
	}
	if what := unsupported(file); what != "" {
		return 0, fmt.Errorf("%w: %s", ErrUnsupported, what)
	}
	ctx, cancel := context.WithTimeout(ctx, o.Limits.Time)
	defer cancel()
	r := &run{rep: rep, o: o, cancel: cancel, at: map[int]*bashcheck.Command{}}
	for i := range rep.Commands {
		if c := &rep.Commands[i]; c.Parent == 0 {
			if _, twice := r.at[c.Span.Start]; twice {
				return 0, fmt.Errorf("%w: two commands stand at byte %d", ErrUnsupported, c.Span.Start)
			}
			r.at[c.Span.Start] = c
			if len(c.Argv) > 0 {
				// Behind its assignments.
				r.at[c.Argv[0].Span.Start] = c
			}
		}
	}
	out, errs := r.writer(o.Stdout), r.writer(o.Stderr)
	var in io.Reader
	if o.Stdin != nil {
		in = o.Stdin
	}
	home := false
	for _, e := range o.Env {
		home = home || strings.HasPrefix(e, "HOME=")
	}
	if !home {
		// The interpreter would look it up by itself.
		o.Env = append(o.Env[:len(o.Env):len(o.Env)], "HOME=")
	}
	runner, err := interp.New(
		interp.Env(expand.ListEnviron(o.Env...)), interp.Dir(o.Dir), interp.StdIO(in, out, errs),
		interp.CallHandler(r.call), interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return r.exec }),
		interp.OpenHandler(r.open),
	)
	if err != nil {
		return 0, err
	}
	err = runner.Run(ctx, file)
	out.flush()
	errs.flush()
	r.mu.Lock()
	stopped := r.stopped
	r.mu.Unlock()
	switch {
	case stopped != nil:
		return 0, stopped
	case ctx.Err() != nil:
		return 0, ctx.Err()
	}
	var s interp.ExitStatus
	if errors.As(err, &s) {
		return int(s), nil
	}
	return 0, err
}

// run is the state of one run.
type run struct {
	rep    bashcheck.Report
	o      Options
	at     map[int]*bashcheck.Command
	cancel context.CancelFunc

	mu      sync.Mutex
	stopped error
	written int64
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

// call checks a simple command with its words expanded, before a builtin, a
// function or a program runs.
func (r *run) call(ctx context.Context, args []string) ([]string, error) {
	hc := interp.HandlerCtx(ctx)
	refuse := func(reason string, span bashcheck.Span) ([]string, error) {
		return nil, r.stop(&NotApprovedError{Argv: args, Reason: reason, Span: span})
	}
	if !hc.Pos.IsValid() {
		return refuse("it stands nowhere in the text", bashcheck.Span{})
	}
	c, ok := r.at[int(hc.Pos.Offset())]
	if !ok {
		return refuse("no command of the report stands there", bashcheck.Span{})
	}
	if reason := r.words(c, args); reason != "" {
		return refuse(reason, c.Span)
	}
	if reason := r.effects(c, args, hc.Dir); reason != "" {
		return refuse(reason, c.Span)
	}
	return args, nil
}

// words compares the expanded words with those of the report: a literal word
// is itself, a pattern or a word that was not known is any number of words.
func (r *run) words(c *bashcheck.Command, args []string) string {
	if len(c.Argv) == 0 {
		return "the report has no words for it"
	}
	// Between two literal words anything may stand where the report had words
	// that were not known; so the literals must appear in order, those before
	// the first unknown word and after the last one at their place.
	first, last := 0, len(c.Argv)
	for first < len(c.Argv) && known(c.Argv[first]) {
		if first >= len(args) || args[first] != c.Argv[first].Text {
			return fmt.Sprintf("word %d is not %q", first+1, c.Argv[first].Text)
		}
		first++
	}
	if first == len(c.Argv) {
		if len(args) != first {
			return "it has more words"
		}
		return ""
	}
	for end := len(args); last > first && known(c.Argv[last-1]); last-- {
		end--
		if end < first || args[end] != c.Argv[last-1].Text {
			return fmt.Sprintf("the last words are not those of the report (%q)", c.Argv[last-1].Text)
		}
	}
	rest := args[first : len(args)-(len(c.Argv)-last)]
	if reason := options(c, args[:first], rest); reason != "" {
		return reason
	}
	for _, w := range c.Argv[first:last] {
		if !known(w) {
			continue
		}
		i := 0
		for i < len(rest) && rest[i] != w.Text {
			i++
		}
		if i == len(rest) {
			return fmt.Sprintf("the word %q is missing", w.Text)
		}
		rest = rest[i+1:]
	}
	return ""
}

// options refuses a word that was not known and became an option: the person
// saw an operand there. After "--" there are no options, and in a described
// command the effects tell.
func options(c *bashcheck.Command, before, words []string) string {
	if c.Described {
		return ""
	}
	for _, w := range before {
		if w == "--" {
			return ""
		}
	}
	literal := map[string]bool{}
	for _, w := range c.Argv {
		if known(w) {
			literal[w.Text] = true
		}
	}
	for _, w := range words {
		if w == "--" && literal[w] {
			return ""
		}
		if len(w) > 1 && w[0] == '-' && !literal[w] {
			return fmt.Sprintf("a word that was not known became the option %q", w)
		}
	}
	return ""
}

func known(w bashcheck.Word) bool { return w.Static && !w.Glob }

// effects analyzes the command as it stands now and compares what it would do
// with what the report says. A command that was not described was approved by
// its words, so there is nothing more to compare.
func (r *run) effects(c *bashcheck.Command, args []string, dir string) string {
	if !c.Described {
		return ""
	}
	var b strings.Builder
	for i, a := range args {
		q, err := syntax.Quote(a, syntax.LangBash)
		if err != nil {
			return "a word cannot be written down: " + err.Error()
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(q)
	}
	now := r.o.Analyzer.Analyze(b.String())
	if !now.Parsed || len(now.Commands) == 0 {
		return "with these words it is not understood"
	}
	nc := &now.Commands[0]
	if !nc.Described {
		return "with these words it is not described"
	}
	for i := range nc.Effects {
		e := &nc.Effects[i]
		if e.ByShell {
			continue
		}
		if !r.covered(c, e, dir) {
			return fmt.Sprintf("it would reach %q in another way than the report says", e.Target)
		}
	}
	return ""
}

// covered says whether an effect of the expanded command in dir is one of the
// report's.
func (r *run) covered(c *bashcheck.Command, e *bashcheck.Effect, dir string) bool {
	for i := range c.Effects {
		old := &c.Effects[i]
		if old.ByShell || old.Kind != e.Kind {
			continue
		}
		switch e.Kind {
		case bashcheck.Read, bashcheck.List, bashcheck.Write, bashcheck.Delete, bashcheck.Change:
			if r.coversPath(old, e, dir) {
				return true
			}
		case bashcheck.Connect:
			if old.Extent == bashcheck.Anywhere || old.Target == e.Target && (old.PlainGet == e.PlainGet || !old.PlainGet) {
				return true
			}
		default:
			if old.Extent == bashcheck.Anywhere || old.Target == e.Target {
				return true
			}
		}
	}
	return false
}

func (r *run) coversPath(old, e *bashcheck.Effect, dir string) bool {
	if old.Extent == bashcheck.Anywhere {
		return true
	}
	if e.Extent == bashcheck.Anywhere {
		return false
	}
	now := absolute(dir, e.Target)
	dirs := old.Dir.Paths
	if strings.HasPrefix(old.Target, "/") {
		dirs = []string{"/"}
	} else if !old.Dir.Known {
		return true
	}
	for _, d := range dirs {
		base := absolute(r.o.Dir, d)
		was := absolute(base, old.Target)
		switch old.Extent {
		case bashcheck.Exact:
			if was == now && e.Extent == bashcheck.Exact {
				return true
			}
		case bashcheck.Tree:
			if was == now || strings.HasPrefix(now, strings.TrimSuffix(was, "/")+"/") {
				return true
			}
		case bashcheck.Within:
			if strings.HasPrefix(now, strings.TrimSuffix(was, "/")+"/") || was == now && e.Extent == bashcheck.Within {
				return true
			}
		case bashcheck.Glob:
			// The names that the pattern matches, and the pattern itself where
			// it matches none.
			if ok, err := filepath.Match(was, now); err == nil && ok || was == now {
				return true
			}
		}
	}
	return false
}

func absolute(dir, p string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(dir, p)
}

// open checks and opens the file of a redirection.
func (r *run) open(ctx context.Context, path string, flag int, _ os.FileMode) (io.ReadWriteCloser, error) {
	hc := interp.HandlerCtx(ctx)
	abs := absolute(hc.Dir, path)
	kind := bashcheck.Read
	if flag&(os.O_WRONLY|os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND) != 0 {
		kind = bashcheck.Write
	}
	if path != os.DevNull && !r.redirected(kind, abs) {
		return nil, r.stop(&NotApprovedError{Path: abs, Reason: "no redirection of the report names it"})
	}
	if r.o.Open != nil {
		return r.o.Open(abs, flag)
	}
	return os.OpenFile(abs, flag, 0o666)
}

// redirected says whether a redirection of the report covers the path.
func (r *run) redirected(kind bashcheck.Kind, abs string) bool {
	now := bashcheck.Effect{Kind: kind, Target: abs, Extent: bashcheck.Exact}
	match := func(effects []bashcheck.Effect) bool {
		for i := range effects {
			e := &effects[i]
			if (e.ByShell || len(effects) == len(r.rep.Loose)) && e.Kind == kind && r.coversPath(e, &now, r.o.Dir) {
				return true
			}
		}
		return false
	}
	for i := range r.rep.Commands {
		if match(r.rep.Commands[i].Effects) {
			return true
		}
	}
	for i := range r.rep.Loose {
		e := &r.rep.Loose[i]
		if e.Kind == kind && r.coversPath(e, &now, r.o.Dir) {
			return true
		}
	}
	return false
}
