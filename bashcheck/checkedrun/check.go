package checkedrun

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"github.com/clearance-go/clearance/bashcheck"
)

// call checks a simple command with its words expanded, before a builtin or a
// program runs.
func (r *run) call(ctx context.Context, args []string) ([]string, error) {
	done, err := r.act()
	if err != nil {
		return nil, err
	}
	defer done()
	hc := interp.HandlerCtx(ctx)
	if !hc.Pos.IsValid() {
		return nil, r.refuse(args, bashcheck.Span{}, "it stands nowhere in the text")
	}
	offset := int(hc.Pos.Offset())
	if offset > len(r.rep.Source) {
		return r.own(args)
	}
	c, ok := r.at[offset]
	if !ok {
		return nil, r.refuse(args, bashcheck.Span{}, "no command of the report stands there")
	}
	if reason := r.words(c, args); reason != "" {
		return nil, r.refuse(args, c.Span, reason)
	}
	if name := builtinOf(args); name != "" && !runsBuiltin(name, args) {
		return nil, r.refuse(args, c.Span, "the builtin "+name+" is not run here")
	}
	now, reason := r.again(c, args)
	if reason == "" && !c.spelled {
		reason = r.covers(c, now, hc.Dir)
	}
	if reason != "" {
		return nil, r.refuse(args, c.Span, reason)
	}
	if interp.IsBuiltin(args[0]) {
		if err := r.recheck(now, args, hc.Dir); err != nil {
			return nil, err
		}
		if err := r.writes(hc.Stdout, args); err != nil {
			return nil, err
		}
		return asBash(args), nil
	}
	return args, nil
}

func (r *run) refuse(args []string, span bashcheck.Span, reason string) error {
	return r.stop(&NotApprovedError{Argv: args, Reason: reason, Span: span})
}

// words compares the expanded words with those of the report: a literal word
// is itself, a pattern or a word that was not known is any number of words.
func (r *run) words(c *approved, args []string) string {
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
func options(c *approved, before, words []string) string {
	if c.byEffects {
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

// again analyzes a command that was judged by its effects as it stands now,
// with its words expanded. One that was approved by its words has nothing to
// compare.
func (r *run) again(c *approved, args []string) (now bashcheck.Report, reason string) {
	if !c.byEffects {
		return now, ""
	}
	var b strings.Builder
	for i, a := range args {
		q, err := syntax.Quote(a, syntax.LangBash)
		if err != nil {
			return now, "a word cannot be written down: " + err.Error()
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(q)
	}
	now = r.o.Analyzer.Analyze(b.String())
	if !now.Parsed || len(now.Commands) == 0 {
		return now, "with these words it is not understood"
	}
	for i := range now.Commands {
		if !now.Commands[i].Described {
			return now, "with these words it is not described"
		}
	}
	return now, ""
}

// covers compares what a command would do now with what the report says.
func (r *run) covers(c *approved, now bashcheck.Report, dir string) string {
	for i := range now.Commands {
		for j := range now.Commands[i].Effects {
			if e := &now.Commands[i].Effects[j]; !r.covered(c.effects, e, dir) {
				return fmt.Sprintf("it would reach %q in another way than the report says", e.Target)
			}
		}
	}
	return ""
}

// covered says whether an effect of the expanded command in dir is among those
// that were approved.
func (r *run) covered(effects []*bashcheck.Effect, e *bashcheck.Effect, dir string) bool {
	if onPath(e.Kind) {
		if r.fifo(e.Target) {
			return true
		}
		return r.coversPaths(effects, e, dir)
	}
	for _, old := range effects {
		switch {
		case old.Kind != e.Kind:
		case old.Extent == bashcheck.Anywhere:
			return true
		case old.Target != e.Target:
		case e.Kind == bashcheck.Connect && old.PlainGet && !e.PlainGet:
		default:
			return true
		}
	}
	return false
}

func onPath(k bashcheck.Kind) bool {
	switch k {
	case bashcheck.Read, bashcheck.List, bashcheck.Write, bashcheck.Delete, bashcheck.Change:
		return true
	}
	return false
}

// coversPaths says whether each place that the effect may mean is covered.
func (r *run) coversPaths(effects []*bashcheck.Effect, e *bashcheck.Effect, dir string) bool {
	places, ok := places(e, dir)
	for _, old := range effects {
		if old.Kind != e.Kind {
			continue
		}
		if old.Extent == bashcheck.Anywhere {
			return true
		}
		if !ok {
			continue
		}
		covers := true
		for _, p := range places {
			covers = covers && r.coversPath(old, e, p)
		}
		if covers {
			return true
		}
	}
	return false
}

// places are the absolute paths that an effect may mean in dir; ok is false
// where they are not known.
func places(e *bashcheck.Effect, dir string) (list []string, ok bool) {
	switch {
	case e.Extent == bashcheck.Anywhere:
		return nil, false
	case filepath.IsAbs(e.Target):
		return []string{filepath.Clean(e.Target)}, true
	case !e.Dir.Known():
		return nil, false
	}
	for _, d := range e.Dir.Paths() {
		list = append(list, absolute(absolute(dir, d), e.Target))
	}
	return list, true
}

// coversPath says whether an effect of the report covers e at the absolute path
// now.
func (r *run) coversPath(old, e *bashcheck.Effect, now string) bool {
	if old.Extent == bashcheck.Anywhere {
		return true
	}
	list, ok := places(old, r.o.Dir)
	if !ok {
		// Relative to a place that the text does not tell.
		return true
	}
	for _, was := range list {
		switch old.Extent {
		case bashcheck.Exact:
			if was == now && e.Extent == bashcheck.Exact {
				return true
			}
		case bashcheck.Tree:
			if below(was, now) {
				return true
			}
		case bashcheck.Within:
			if below(was, now) && (was != now || e.Extent == bashcheck.Within) {
				return true
			}
		case bashcheck.Glob:
			// The names that the pattern matches, and the pattern itself where
			// it matches none.
			pattern := goPattern(was)
			for p := now; ; p = filepath.Dir(p) {
				if ok, err := filepath.Match(pattern, p); err == nil && ok || was == p {
					return true
				}
				if !old.Below || p == filepath.Dir(p) {
					break
				}
			}
		}
	}
	return false
}

// goPattern is a shell's pattern as [filepath.Match] reads it, to which a set is
// negated by ^ alone.
func goPattern(p string) string {
	b := []byte(p)
	for i := 0; i+1 < len(b); i++ {
		switch {
		case b[i] == '\\':
			i++
		case b[i] == '[' && b[i+1] == '!':
			b[i+1] = '^'
		}
	}
	return string(b)
}

func below(root, p string) bool {
	return p == root || strings.HasPrefix(p, strings.TrimSuffix(root, "/")+"/")
}

func absolute(dir, p string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(dir, p)
}

// recheck has the host resolve the paths of a command that was judged by its
// effects, right before it runs.
func (r *run) recheck(now bashcheck.Report, args []string, dir string) error {
	if r.o.Recheck == nil {
		return nil
	}
	for i := range now.Commands {
		for j := range now.Commands[i].Effects {
			e := &now.Commands[i].Effects[j]
			if !onPath(e.Kind) || r.fifo(e.Target) {
				continue
			}
			list, _ := places(e, dir)
			for _, p := range list {
				if err := r.o.Recheck(e.Kind, p); err != nil {
					return r.stop(&ChangedError{Argv: args, Path: p, Err: err})
				}
			}
		}
	}
	return nil
}

// open checks and opens the file of a redirection.
func (r *run) open(ctx context.Context, path string, flag int, _ os.FileMode) (io.ReadWriteCloser, error) {
	done, err := r.act()
	if err != nil {
		return nil, err
	}
	defer done()
	hc := interp.HandlerCtx(ctx)
	if path == "" {
		return nil, &os.PathError{Op: "open", Path: path, Err: os.ErrNotExist}
	}
	abs := absolute(hc.Dir, path)
	kind := bashcheck.Read
	if flag&(os.O_WRONLY|os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND) != 0 {
		kind = bashcheck.Write
	}
	if abs != os.DevNull {
		if !r.redirects(kind, abs) {
			return nil, r.stop(&NotApprovedError{Path: abs, Reason: "no redirection of the report names it"})
		}
		if r.o.Recheck != nil {
			if err := r.o.Recheck(kind, abs); err != nil {
				return nil, r.stop(&ChangedError{Path: abs, Err: err})
			}
		}
	}
	if kind == bashcheck.Read && r.whole {
		// It may be brought into this process as a whole.
		st, err := os.Stat(abs)
		if err == nil && (!st.Mode().IsRegular() || st.Size() > maxCaptured) {
			return nil, r.stop(ErrMemory)
		}
		if err == nil {
			if err := r.take(int(st.Size())); err != nil {
				return nil, err
			}
		}
	}
	if r.o.Open == nil {
		return openFile(ctx, abs, flag)
	}
	f, err := r.o.Open(abs, flag)
	if err != nil {
		return nil, err
	}
	if file, ok := f.(*os.File); ok {
		return file, nil
	}
	return redirected{f}, nil
}

// openFile opens a file. A fifo waits for its other side until the run ends.
func openFile(ctx context.Context, path string, flag int) (io.ReadWriteCloser, error) {
	type opened struct {
		f   *os.File
		err error
	}
	got := make(chan opened, 1)
	go func() {
		f, err := os.OpenFile(path, flag, 0o666)
		got <- opened{f, err}
	}()
	var o opened
	select {
	case o = <-got:
	case <-ctx.Done():
		if st, err := os.Stat(path); err == nil && st.Mode()&os.ModeNamedPipe != 0 {
			if other, err := openFifo(path); err == nil {
				defer func() { _ = other.Close() }()
			}
		}
		select {
		case o = <-got:
		case <-time.After(killDelay):
			go func() {
				if o := <-got; o.err == nil {
					_ = o.f.Close()
				}
			}()
			return nil, ctx.Err()
		}
		if o.err == nil {
			_ = o.f.Close()
			o.err = ctx.Err()
		}
	}
	if o.err != nil {
		return nil, o.err
	}
	return o.f, nil
}

// redirected is a file of the host.
type redirected struct{ io.ReadWriteCloser }

// redirects says whether a redirection of the report covers the path.
func (r *run) redirects(kind bashcheck.Kind, abs string) bool {
	now := bashcheck.Effect{Kind: kind, Target: abs, Extent: bashcheck.Exact}
	for i := range r.rep.Commands {
		for j := range r.rep.Commands[i].Effects {
			if e := &r.rep.Commands[i].Effects[j]; e.ByShell && e.Kind == kind && r.coversPath(e, &now, abs) {
				return true
			}
		}
	}
	for i := range r.rep.Loose {
		if e := &r.rep.Loose[i]; e.Kind == kind && r.coversPath(e, &now, abs) {
			return true
		}
	}
	return false
}
