package bashcheck

import (
	"fmt"
	"slices"
	"strings"
)

// DescriptionError says where and why a program description is wrong.
type DescriptionError struct {
	File         string
	Line, Column int // from 1; the column counts bytes
	Reason       string
}

// Error names file, line, column and the reason.
func (e *DescriptionError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Reason)
}

type flagSpec struct {
	takes    bool // a value follows
	optional bool // only attached
	names    bool // the output is nothing but names
	nul      bool // names end with NUL
	other    bool // the output is something else than names
	first    bool // means what it says only before the operands
	apart    bool // its value stands in a word of its own
	mark     uint16
	value    valueSpec
	mode     string
}

type operandSpec struct {
	valueSpec
	repeat   bool
	optional bool
}

type fixedEffect struct {
	kind    Kind
	extent  Extent
	target  string // "?" not known, "{1}", "{*}" or a literal
	own     bool
	operand int // the operand that target names, from 1; allOperands; 0 none
	conditions
	derived
}

const allOperands = -1

type example struct {
	command string
	yes     bool
	file    string
	line    int
}

// form is one way of calling a program or a sub-command.
type form struct {
	name      string
	say       string
	operands  []operandSpec
	effects   []fixedEffect
	own       bool
	globOK    bool
	globDot   bool // a pattern whose end has a dot matches no flag
	globBelow bool // a flag among the names of a pattern does no more than act on whole trees
	prints    bool // the output is nothing but names of what the effects reach
	posix     bool // flags end at the first operand
	words     bool // flags end at the first word that is none; every other word is data
	exact     bool
	edits     bool
	alone     bool // no flag may stand beside those that choose the form
	prefix    int  // -1: not said
	assume    []Assumption
	kind      Class // of this form alone; 0: the program's
	telling
}

// program is a program or a sub-command.
type program struct {
	form
	names        []string
	class        Class
	flags        map[string]*flagSpec
	forms        map[string]*form
	subs         map[string]*program
	parent       *program
	help         bool // --help alone explains the program or the sub-command before it
	about        []about
	pairs        bool       // a sub-command has two words
	group        bool       // a sub-command whose flags may stand before the second word of its own
	letters      [128]uint8 // where in short the flag of one letter stands, plus one
	short        []*flagSpec
	manyLetters  bool // a flag begins with one dash and has more than one letter
	number       bool // -NUM is a flag
	why          bool
	stops        bool     // it looks for some flags before its operands only
	argFiles     bool     // a word @FILE names a file of further arguments
	marks        []string // names for flags, in the order of the bits of flagSpec.mark
	script       bool     // its input is a text like the one in its arguments
	oldLetters   bool     // the first word may be letters of flags without a dash
	whole        bool     // flags of one letter do not stand together
	bare         *form    // without operands
	withOperands *form
	examples     []example
	file         string
	line         int
	reader       valueKind // find, test: the whole argument list has a reader
}

// about lists words that, standing alone, make a program only tell about itself.
type about struct {
	names []string // of the program; nil: all
	words [][]string
}

var classWords = map[string]Class{"plain": Plain, "wrapper": Wrapper, "interpreter": Interpreter, "shell": Shell, "runner": Runner}

type loader struct {
	file  string
	into  map[string]*program
	top   *program // the program of the current description
	cur   *program // the program or sub-command that facts go to
	form  *form
	seen  map[string]bool
	specs map[flagSpec]*flagSpec
	words []string
	cols  []int

	subIndent int // of the line of the current sub-command
}

func indentation(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// loadPrograms reads a whole text of descriptions.
func loadPrograms(file, text string, into map[string]*program) error {
	return loadLines(file, text, 1, into)
}

// loadLines reads a part of a text, which begins with the line of that number.
func loadLines(file, text string, line int, into map[string]*program) error {
	l := &loader{file: file, into: into, seen: map[string]bool{}, specs: map[flagSpec]*flagSpec{}}
	for raw := range strings.SplitSeq(text, "\n") {
		if err := l.line(raw, line); err != nil {
			return err
		}
		line++
	}
	return l.finish()
}

// fields splits a line into words and their columns, in the room of the last line.
func (l *loader) fields(s string) (words []string, cols []int) {
	words, cols = l.words[:0], l.cols[:0]
	for at := 0; ; {
		w, start := nextWord(s, at)
		if w == "" {
			l.words, l.cols = words, cols
			return words, cols
		}
		words, cols = append(words, w), append(cols, start+1)
		at = start + len(w)
	}
}

// nextWord returns the first word of s from that offset on and where it begins.
func nextWord(s string, at int) (word string, start int) {
	for at < len(s) && (s[at] == ' ' || s[at] == '\t') {
		at++
	}
	end := at
	for end < len(s) && s[end] != ' ' && s[end] != '\t' {
		end++
	}
	return s[at:end], at
}

// What the loader and the index both say.
const programUnnamed = "program needs a name: write program NAME…"

func beforePrograms(word string) string {
	return fmt.Sprintf("%q before the first program: write program NAME… above it", word)
}

// line reads one line.
func (l *loader) line(raw string, number int) error {
	words, cols := l.fields(raw)
	if len(words) == 0 || words[0][0] == '#' {
		return nil
	}
	t := tableLine{key: words[0], number: number, indent: indentation(raw)}
	t.rest = strings.TrimSpace(raw[cols[0]-1+len(t.key):])
	if at := slices.Index(words, "#"); at > 0 && !textKeyword(t.key) {
		words = words[:at]
	}
	t.args = words[1:]
	at, problem := 0, ""
	switch read := keywords[t.key]; {
	case t.key == "program":
		if err := l.finish(); err != nil {
			return err
		}
		at, problem = l.program(&t)
	case l.top == nil:
		problem = beforePrograms(t.key)
	case read == nil:
		problem = fmt.Sprintf("unknown keyword %q: write one that bashcheck/programs/README.md lists", t.key)
	default:
		at, problem = read(l, &t)
	}
	if problem == "" {
		return nil
	}
	return &DescriptionError{l.file, number, cols[at], problem}
}

// finish checks and stores the program that was read.
func (l *loader) finish() error {
	p := l.top
	if p == nil {
		return nil
	}
	p.index(l.specs)
	line, problem := p.line, p.unfit()
	for _, q := range p.subs {
		q.whole = q.whole || p.whole
		q.index(l.specs)
		if problem == "" {
			problem = q.unfit()
		}
	}
	switch {
	case problem != "":
	case p.say == "" && len(p.subs) == 0:
		problem = "say is missing: write say and what it does, in the third person"
	case !p.why:
		problem = "why is missing: write why and where the facts come from"
	case len(p.subs) > 0 && (len(p.operands) > 0 || p.withOperands != nil):
		problem = "operands beside sub-commands: a word that is no sub-command would be one of them; write operands below a sub"
	case len(p.examples) == 0:
		problem = "there is no example: write yes COMMAND and no COMMAND"
	}
	for _, e := range p.examples {
		if problem == "" && !e.calls(p.names) {
			line, problem = e.line, "the example calls another program: write one that calls this one"
		}
	}
	if problem != "" {
		return &DescriptionError{l.file, line, 1, fmt.Sprintf("program %s: %s", p.names[0], problem)}
	}
	for _, n := range p.names {
		l.into[n] = p
	}
	l.top, l.cur, l.form = nil, nil, nil
	return nil
}

// unfit tells what in the lines of a program or a sub-command does not fit
// together.
func (p *program) unfit() (problem string) {
	if flag := p.shownUndescribed(); flag != "" {
		return fmt.Sprintf("show names the flag %s, which is not described: write flags %s", flag, flag)
	}
	modes := map[string]bool{}
	for name, f := range p.flags {
		if modes[f.mode] = true; f.mode != "" && p.forms[f.mode] == nil {
			return fmt.Sprintf("mode %q of %s has no form: write form %s", f.mode, name, f.mode)
		}
		if p.globOK && !f.value.harmless() {
			return fmt.Sprintf("glob ok, but flag %s does more than read: leave glob ok out", name)
		}
	}
	for name := range p.forms {
		chosen := true
		for part := range strings.SplitSeq(name, "+") {
			chosen = chosen && modes[part]
		}
		chosen = chosen || name == "operands" || name == "bare"
		if !chosen {
			return fmt.Sprintf("no flag chooses form %q: write mode %s FLAG…", name, name)
		}
	}
	if !p.globOK {
		return ""
	}
	does := func(operands []operandSpec) bool {
		return slices.ContainsFunc(operands, func(o operandSpec) bool { return !o.harmless() })
	}
	if does(p.operands) {
		return "glob ok, but an operand does more than read: leave glob ok out"
	}
	for _, f := range p.forms {
		if does(f.operands) {
			return fmt.Sprintf("glob ok, but form %s does more than read: leave glob ok out", f.name)
		}
	}
	return ""
}

// calls says that one of the names stands as a word of the example.
func (e example) calls(names []string) bool {
	for w := range strings.FieldsFuncSeq(e.command, func(r rune) bool { return strings.ContainsRune(" \t|&;()<>`'\"\\", r) }) {
		if slices.Contains(names, w) || slices.Contains(names, w[strings.LastIndexByte(w, '/')+1:]) {
			return true
		}
	}
	return false
}

// index prepares what is looked up for every command. Equal flags become one.
func (p *program) index(specs map[flagSpec]*flagSpec) {
	for name, spec := range p.flags {
		p.stops = p.stops || spec.first
		if same := specs[*spec]; same != nil {
			spec = same
		} else {
			specs[*spec] = spec
		}
		p.flags[name] = spec
		switch {
		case name[0] != '-':
		case strings.HasPrefix(name, "-NUM"):
			p.number = true
			p.manyLetters = true
		case len(name) == 2 && name[1] < 128:
			at := slices.Index(p.short, spec)
			if at < 0 {
				at = len(p.short)
				p.short = append(p.short, spec)
			}
			p.letters[name[1]] = uint8(at + 1)
		case name[1] != '-':
			p.manyLetters = true
		}
	}
	for name := range p.subs {
		p.pairs = p.pairs || strings.IndexByte(name, ' ') >= 0
	}
	p.bare, p.withOperands = p.forms["bare"], p.forms["operands"]
}

// sub returns the sub-command of two words, or nil.
func (p *program) sub(first, second string) *program {
	if !p.pairs {
		return nil
	}
	return p.subs[first+" "+second]
}

// letter returns the flag -c, or nil.
func (p *program) letter(c byte) *flagSpec {
	if c >= 128 || p.letters[c] == 0 {
		return nil
	}
	return p.short[p.letters[c]-1]
}

// flag returns the flag of that name, or nil.
func (p *program) flag(name string) *flagSpec {
	switch {
	case len(name) == 2 && name[0] == '-':
		return p.letter(name[1])
	case !p.manyLetters && len(name) > 2 && name[0] == '-' && name[1] != '-':
		return nil
	}
	return p.flags[name]
}
