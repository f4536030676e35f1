package bashcheck

import (
	"maps"
	"slices"
	"sync"
)

// Dialect is the shell that will run the text.
type Dialect uint8

// The dialects. Zsh accepts only text that bash and zsh read alike; POSIX only
// what bash and a POSIX shell read alike; Any is for when the shell is not
// known: the text must mean the same in all of them.
const (
	Bash Dialect = iota
	POSIX
	Zsh
	Any
)

// Options configure an [Analyzer]. The zero value analyzes for bash with the
// built-in descriptions and the default limits.
type Options struct {
	// Shell is the shell that will run the text.
	Shell Dialect
	// Home is the home directory, an absolute path, for ~ and $HOME. Empty:
	// not known.
	Home string
	// Vars are variables whose values the caller knows and vouches for.
	Vars map[string]string
	// Programs are descriptions of further programs, in the format of the
	// built-in ones. A program described here replaces the built-in
	// description of that name.
	Programs []Source
	// Limits bound the work that one text may cause.
	Limits Limits
}

// Source is one text of program descriptions; Name is for error messages.
type Source struct{ Name, Text string }

// Limits bound one analysis. A zero field means the default. A text over a
// limit is not provable; it is never judged in part.
type Limits struct {
	Bytes    int // length of the text; default 10,000, never more than 1 GiB
	Depth    int // nesting; default 20
	Nodes    int // syntax nodes; default 20,000
	Commands int // simple commands; default 200
}

func (l Limits) withDefaults() Limits {
	set := func(p *int, d int) {
		if *p <= 0 {
			*p = d
		}
	}
	set(&l.Bytes, 10_000)
	l.Bytes = min(l.Bytes, 1<<30) // a Span has no more
	set(&l.Depth, 20)
	set(&l.Nodes, 20_000)
	set(&l.Commands, 200)
	return l
}

// Analyzer tells what command lines would do. It is immutable and safe for
// concurrent use.
type Analyzer struct {
	opts Options
	own  map[string]*program
	err  error
	// table is builtin; it is what a test may have other descriptions in.
	table func() *programTable
	keys  func() map[string]bool // keyFlags, likewise
	id    func() string          // Report.Analyzer; made on first use
	// always: print and reparse plain text too (for the fuzz test that shows it changes nothing)
	always bool
}

// New returns an analyzer. A description in opts.Programs that cannot be
// loaded does not disable the analyzer silently: Err returns the error, and
// every Report then has a blocking finding that names it.
func New(opts Options) *Analyzer {
	a := &Analyzer{opts: opts, table: builtin, keys: keyFlags}
	a.opts.Limits = opts.Limits.withDefaults()
	a.opts.Vars = maps.Clone(opts.Vars)
	named := a.opts
	named.Programs = slices.Clone(opts.Programs)
	a.id = sync.OnceValue(func() string { return identify(named) })
	a.opts.Programs = nil
	if len(opts.Programs) > 0 {
		a.own = map[string]*program{}
		for _, s := range opts.Programs {
			if err := loadPrograms(s.Name, s.Text, a.own); err != nil {
				a.err = err
				break
			}
		}
	}
	return a
}

// Err returns why a description in Options.Programs could not be loaded (a
// [*DescriptionError]), or nil.
func (a *Analyzer) Err() error { return a.err }

var defaultAnalyzer = sync.OnceValue(func() *Analyzer { return New(Options{}) })

// Analyze analyzes src for bash with the built-in descriptions.
func Analyze(src string) Report { return defaultAnalyzer().Analyze(src) }

// lookup finds the description of a program by the word that names it. One that
// cannot be read describes nothing, and says so.
func (w *walker) lookup(name string) *program {
	if p := w.a.own[name]; p != nil {
		return p
	}
	p, err := w.table.lookup(name)
	if err != nil {
		w.block(CodeBadDescription, Span{}, "the built-in description of %s cannot be loaded: %s", escape(name), escape(err.Error()))
	}
	return p
}
