package bashcheck

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

// Analyze returns what src would do. It never panics and never touches the
// disk; the time it takes is bounded by the limits.
func (a *Analyzer) Analyze(src string) (rep Report) {
	defer func() {
		// A bug must not take the host down, and must not pass for a verdict.
		if p := recover(); p != nil {
			rep = Report{Source: src, Analyzer: a.identity(), Findings: []Finding{{
				Code: CodeInternal, Severity: Suspicious, Blocks: true, Span: spanAt(0, len(src)),
				Text: "the analyzer failed on this text: " + escape(fmt.Sprint(p)),
			}}}
		}
	}()
	w := newWalker(a, src)
	if a.err != nil {
		w.block(CodeBadDescription, Span{}, "a program description cannot be loaded: %s", escape(a.err.Error()))
	}
	if err := w.table.err; err != nil {
		w.block(CodeBadDescription, Span{}, "a built-in program description cannot be loaded: %s", escape(err.Error()))
	}
	w.rep.Parsed = w.text(src, a.opts.Shell, nil, 0)
	w.rep.Loose = append(w.rep.Loose, w.secretsSince(0)...)
	w.strictSets()
	w.suspect()
	if w.rep.Parsed {
		w.assume(assumeShell(a.opts.Shell))
		if len(w.rep.Commands) > 0 {
			w.assume(AssumePath)
			w.assume(AssumeNoFunctions)
		}
	}
	rep = w.rep
	w.release() // not after a panic: the walker may then be in any state
	return rep
}

// startDir is where every text begins; it is never changed.
var startDir = newDir(".")

func assumeShell(d Dialect) Assumption {
	switch d {
	case Bash:
		return "shell=bash"
	case POSIX:
		return "shell=sh"
	case Zsh:
		return "shell=zsh"
	}
	return "shell=any"
}

// walker collects the report of one text and of the texts inside it.
type walker struct {
	a     *Analyzer
	table *programTable
	rep   Report
	reading
	flows []flow
	room  room
	// words that braces made
	expanded int
	stdin    *word    // the literal text that the command reads, where it is spelled
	typed    string   // what the command reads, as the source spells it
	piped    string   // what comes out of the pipe before it, spelled so
	input    *feed    // what the next command reads from a pipe
	fed      *feed    // what the command that is judged reads from a pipe
	output   *feed    // what the last command printed
	secrets  []secret // expansions of credentials that no command has taken yet
	st       state
	depth    int
	nodes    int
	subst    int // depth of substitutions
	hdoc     int // depth of here-documents
	parent   int // index+1 of the command that runs what is being walked
	transp   bool
}

// reading is what belongs to one text: the source or a text inside it.
type reading struct {
	src   string
	outer *Span // where an inner text stands in the source
	base  int   // where in the source an inner text begins, byte for byte; -1 where it is written otherwise
	d     Dialect
	odd   bool // the text holds an invisible or odd rune

	// For the self-check: substitutions that the walk visited.
	seenDollar, seenTicks, seenProcs int
	oddAllowed                       []Span // single-quoted data, where odd is set
}

func (w *walker) block(code string, s Span, format string, args ...any) {
	w.find(code, Dangerous, true, s, format, args...)
}

func (w *walker) find(code string, sev Severity, blocks bool, s Span, format string, args ...any) {
	if len(w.rep.Findings) >= 64 { // a blocking one stands among them already or follows below
		if !blocks || slices.ContainsFunc(w.rep.Findings, func(f Finding) bool { return f.Blocks }) {
			return
		}
	}
	w.rep.Findings = append(w.rep.Findings, Finding{Code: code, Severity: sev, Blocks: blocks, Text: fmt.Sprintf(format, args...), Span: s})
}

// unproven reports something that is not suspicious but may run code: no
// finding blocks, and an unknown effect keeps the text from being read-only.
func (w *walker) unproven(code string, s Span, format string, args ...any) {
	w.find(code, Notice, false, s, format, args...)
	w.rep.Loose = append(w.rep.Loose, Effect{Kind: Unknown, ByShell: true, Dir: w.st.dir, Span: s})
}

func (w *walker) assume(a Assumption) {
	if !slices.Contains(w.rep.Assumptions, a) {
		w.rep.Assumptions = append(w.rep.Assumptions, a)
	}
}

// text analyzes a whole program text and says whether it was understood. What
// was being read is the caller's to keep; w.reading is empty.
func (w *walker) text(src string, d Dialect, outer *Span, base int) bool {
	w.src, w.base, w.d = src, base, d
	put(&w.outer, outer)
	facts, bad := checkBytes(src, w.a.opts.Limits)
	if bad != nil {
		bad.Span = w.span(int(bad.Span.Start), int(bad.Span.End))
		w.rep.Findings = append(w.rep.Findings, *bad)
		return false
	}
	f, err := parse(src, false)
	if err != nil {
		w.block(CodeSyntax, w.span(0, len(src)), "the text cannot be parsed: %s", escape(err.Error()))
		return false
	}
	if d == POSIX || d == Any {
		g, err := parse(src, true)
		if err != nil || !sameFile(f, g) {
			w.block(CodeDialect, w.span(0, len(src)), "a POSIX shell may read the text otherwise than bash")
			return false
		}
	}
	if len(f.Stmts) == 0 {
		w.block(CodeEmpty, w.span(0, len(src)), "the text holds no command")
	}
	w.odd = facts.odd >= 0
	// A plain text holds no byte that opens a substitution.
	dollar, ticks, procs := facts.tokens(src)
	if outer == nil {
		w.furnish(f.Stmts, dollar+ticks/2+procs)
	}
	w.stmts(f.Stmts)
	if dollar != w.seenDollar || ticks != 2*w.seenTicks || procs != w.seenProcs {
		w.block(CodeHiddenByParser, w.span(0, len(src)), "the text seems to hold a substitution that the parser did not find")
	}
	if w.odd {
		w.oddRunes(src)
	}
	if !facts.plain || w.a.always {
		w.roundTrip(f)
	}
	return true
}

// oddRunes reports invisible and odd characters: blocking outside single quotes.
func (w *walker) oddRunes(src string) {
	for i, r := range src {
		if r < 0x80 || !oddRune(r) {
			continue
		}
		if (r == 0xfe0f || r == 0x200d) && i > 0 {
			// The form of an emoji, not something hidden.
			if before, _ := utf8.DecodeLastRuneInString(src[:i]); before >= 0x2190 && !oddRune(before) || before == 0xfe0f {
				continue
			}
		}
		quoted := slices.ContainsFunc(w.oddAllowed, func(s Span) bool { return int(s.Start) <= i && i < int(s.End) })
		w.find(CodeUnicodeControl, Suspicious, !quoted, w.span(i, i+utf8.RuneLen(r)), "the text holds the invisible or odd character %U", r)
		if !quoted {
			return
		}
	}
}

// roundTrip prints the tree, parses the print and compares.
func (w *walker) roundTrip(f *syntax.File) {
	sc := scratches.Get().(*scratch)
	ok := false
	func() {
		defer func() {
			if recover() != nil { // a panic in the printer leaves ok false
				sc = nil
			}
		}()
		sc.text.Reset()
		if sc.printer.Print(&sc.text, f) != nil {
			return
		}
		g, err := parse(sc.text.String(), false)
		ok = err == nil && sameFile(f, g)
	}()
	if sc != nil && sc.text.Cap() < 1<<16 {
		scratches.Put(sc)
	}
	if !ok {
		w.block(CodeHiddenByParser, w.span(0, len(w.src)), "the text reads otherwise after printing and parsing it again")
	}
}

func (w *walker) span(start, end int) Span {
	if w.outer == nil {
		return spanAt(start, end)
	}
	if w.base >= 0 {
		return spanAt(w.base+start, w.base+end)
	}
	return *w.outer
}

func (w *walker) nodeSpan(n syntax.Node) Span {
	return w.span(int(n.Pos().Offset()), int(n.End().Offset()))
}

// enter counts a node and a level; it returns false when a limit is reached.
func (w *walker) enter(n syntax.Node) bool {
	w.depth++
	w.nodes++
	if w.depth > w.a.opts.Limits.Depth*3 || w.nodes > w.a.opts.Limits.Nodes {
		if !slices.ContainsFunc(w.rep.Findings, func(f Finding) bool { return f.Code == CodeLimit }) {
			w.block(CodeLimit, w.nodeSpan(n), "the text has too many parts to be judged")
		}
		return false
	}
	return true
}

func (w *walker) leave() { w.depth-- }
