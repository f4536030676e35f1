package bashcheck

import (
	"fmt"
	"slices"
	"strconv"
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
	help         bool       // --help alone explains the program or the sub-command before it
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

func (l *loader) line(raw string, line int) error {
	fail := func(col int, format string, args ...any) error {
		return &DescriptionError{l.file, line, col, fmt.Sprintf(format, args...)}
	}
	if strings.HasPrefix(strings.TrimLeft(raw, " \t"), "#") {
		return nil
	}
	words, cols := l.fields(raw)
	if len(words) == 0 {
		return nil
	}
	key := words[0]
	rest := strings.TrimSpace(raw[cols[0]-1+len(key):])
	if key != "yes" && key != "no" && key != "why" && key != "say" && key != "lost" && key != "control" && key != "show" {
		for i, w := range words {
			if w == "#" {
				words, cols = words[:i], cols[:i]
				break
			}
		}
	}
	args := words[1:]
	col := func(i int) int { return cols[i+1] }
	if key == "program" {
		if err := l.finish(); err != nil {
			return err
		}
		if len(args) == 0 {
			return fail(cols[0], "program needs a name")
		}
		p := &program{names: slices.Clone(args), class: Plain, flags: map[string]*flagSpec{}, forms: map[string]*form{}, subs: map[string]*program{}, file: l.file, line: line}
		p.prefix = -1
		for i, n := range args {
			if l.into[n] != nil && l.into[n].file == l.file || l.seen[n] {
				return fail(col(i), "program %q is described twice", n)
			}
			if l.into[n] != nil {
				return fail(col(i), "program %q is already described in %s", n, l.into[n].file)
			}
			l.seen[n] = true
		}
		l.top, l.cur, l.form = p, p, &p.form
		return nil
	}
	if l.top == nil {
		return fail(cols[0], "%q before the first program", key)
	}
	switch key {
	case "why":
		if rest == "" {
			return fail(cols[0], "why needs a text")
		}
		l.top.why = true
	case "class":
		if len(args) != 1 || classWords[args[0]] == 0 {
			return fail(cols[0], "class is one of plain, wrapper, interpreter, shell, runner")
		}
		if l.form == &l.cur.form {
			l.cur.class = classWords[args[0]]
		} else {
			l.form.kind = classWords[args[0]]
		}
	case "say":
		if rest == "" || l.form.say != "" {
			return fail(cols[0], "say needs one text, once")
		}
		l.form.say = rest
	case "flags":
		if len(args) == 0 {
			return fail(cols[0], "flags needs flags")
		}
		for i, f := range args {
			if err := l.addFlag(f, &flagSpec{}); err != "" {
				return fail(col(i), "%s", err)
			}
		}
	case "flag":
		if len(args) < 2 {
			return fail(cols[0], "flag needs a kind and flags")
		}
		kind, optional := strings.CutSuffix(args[0], "?")
		v, problem := parseKind(kind)
		if problem != "" {
			return fail(col(0), "%s", problem)
		}
		for i, f := range args[1:] {
			spec := &flagSpec{takes: true, optional: optional, value: v}
			if v.kind == vRefuse {
				spec.takes = false
			}
			if err := l.addFlag(f, spec); err != "" {
				return fail(col(i+1), "%s", err)
			}
		}
	case "mode":
		if len(args) < 2 {
			return fail(cols[0], "mode needs a name and flags")
		}
		for i, f := range args[1:] {
			spec := l.cur.flags[f]
			if spec == nil {
				spec = &flagSpec{}
				if err := l.addFlag(f, spec); err != "" {
					return fail(col(i+1), "%s", err)
				}
			}
			if spec.mode != "" {
				return fail(col(i+1), "flag %s already has a mode", f)
			}
			spec.mode = args[0]
		}
	case "operands":
		if len(args) == 0 || l.form.operands != nil {
			return fail(cols[0], "operands needs kinds, once")
		}
		repeats := 0
		for i, a := range args {
			var o operandSpec
			name := a
			if n, ok := strings.CutSuffix(name, "*"); ok {
				name, o.repeat, o.optional = n, true, true
			} else if n, ok := strings.CutSuffix(name, "+"); ok {
				name, o.repeat = n, true
			} else if n, ok := strings.CutSuffix(name, "?"); ok {
				name, o.optional = n, true
			}
			v, problem := parseKind(name)
			if problem != "" {
				return fail(col(i), "%s", problem)
			}
			if o.repeat {
				if repeats++; repeats > 1 {
					return fail(col(i), "only one operand may repeat")
				}
			}
			if (v.kind == vCommand || v.kind == vFind || v.kind == vTest) && i != len(args)-1 {
				return fail(col(i), "%s must be the last operand", name)
			}
			if v.kind == vFind || v.kind == vTest {
				if i != 0 {
					return fail(col(i), "%s must be the only operand", name)
				}
				l.cur.reader = v.kind
			}
			o.valueSpec = v
			l.form.operands = append(l.form.operands, o)
		}
	case "effect":
		fe, at, problem := l.effect(args)
		if problem != "" {
			return fail(cols[at], "%s", problem)
		}
		l.form.effects = append(l.form.effects, fe)
	case "own":
		l.form.own = true
	case "assume":
		if len(args) != 1 {
			return fail(cols[0], "assume needs one name")
		}
		l.form.assume = append(l.form.assume, Assumption(args[0]))
	case "glob":
		switch strings.Join(args, " ") {
		case "ok":
			l.form.globOK = true
		case "below":
			l.form.globBelow = true
		case "dot":
			l.form.globDot = true
		default:
			return fail(cols[0], "the line is: glob ok, glob dot or glob below")
		}
	case "names", "nul", "other", "first", "apart":
		if len(args) == 0 {
			if key != "names" {
				return fail(cols[0], "%s needs flags", key)
			}
			l.form.prints = true
		}
		for i, f := range args {
			spec := l.cur.flags[f]
			if spec == nil {
				return fail(col(i), "flag %s is not described above this line", f)
			}
			spec.names, spec.nul, spec.other, spec.first = spec.names || key == "names", spec.nul || key == "nul", spec.other || key == "other", spec.first || key == "first"
			spec.apart = spec.apart || key == "apart"
		}
	case "mark":
		if problem := l.mark(args); problem != "" {
			return fail(cols[0], "%s", problem)
		}
	case "letters":
		l.top.oldLetters = true
	case "script":
		l.top.script = true
	case "argfiles":
		l.top.argFiles = true
	case "whole":
		l.cur.whole = true
	case "help":
		if l.cur.parent != nil {
			return fail(cols[0], "help stands before the first sub-command")
		}
		l.cur.help = true
	case "group":
		if l.cur.parent == nil || len(l.cur.operands) > 0 {
			return fail(cols[0], "group is about a sub-command without operands")
		}
		l.cur.group = true
	case "posix":
		l.form.posix = true
	case "words":
		l.form.words = true
	case "alone":
		if l.form == &l.cur.form {
			return fail(cols[0], "alone belongs to a form that flags choose")
		}
		l.form.alone = true
	case "exact":
		l.form.exact = true
	case "edits":
		l.form.edits = true
	case "prefix":
		n, err := strconv.Atoi(strings.Join(args, " "))
		if err != nil || n < 0 || n > 3 {
			return fail(cols[0], "prefix is a number from 0 to 3")
		}
		l.form.prefix = n
	case "form":
		if len(args) != 1 || l.cur.forms[args[0]] != nil {
			return fail(cols[0], "form needs one new name")
		}
		if l.cur.parent != nil && indentation(raw) <= l.subIndent {
			return fail(cols[0], "a form of the sub-command is indented deeper than its sub; one of the program stands before the first sub")
		}
		f := &form{name: args[0], prefix: -1}
		l.cur.forms[args[0]] = f
		l.form = f
	case "sub":
		if len(args) == 0 {
			return fail(cols[0], "sub needs a name")
		}
		p := &program{class: l.top.class, flags: map[string]*flagSpec{}, forms: map[string]*form{}, subs: map[string]*program{}, parent: l.top, file: l.file, line: line}
		p.prefix = -1
		// Two words in quotes are a sub-command of a sub-command.
		names, err := subNames(rest)
		if err != "" {
			return fail(col(0), "%s", err)
		}
		for _, n := range names {
			if l.top.subs[n] != nil {
				return fail(col(0), "sub-command %q is described twice", n)
			}
			l.top.subs[n] = p
		}
		p.names = names
		l.cur, l.form, l.subIndent = p, &p.form, indentation(raw)
	case "lost", "control", "show", "told":
		if problem := l.form.tell(key, rest); problem != "" {
			return fail(cols[0], "%s", problem)
		}
	case "yes", "no":
		if rest == "" {
			return fail(cols[0], "%s needs a command", key)
		}
		l.top.examples = append(l.top.examples, example{rest, key == "yes", l.file, line})
	default:
		return fail(cols[0], "unknown keyword %q", key)
	}
	return nil
}

// subNames reads names; a name of two words stands in double quotes.
func subNames(s string) (names []string, problem string) {
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		if s[0] == '#' {
			break
		}
		if s[0] == '"' {
			end := strings.IndexByte(s[1:], '"')
			if end < 0 {
				return nil, "missing closing quote"
			}
			names, s = append(names, s[1:1+end]), s[end+2:]
			continue
		}
		w, rest, _ := strings.Cut(s, " ")
		names, s = append(names, w), rest
	}
	return names, ""
}

func (l *loader) addFlag(f string, spec *flagSpec) string {
	if len(f) < 2 || f[0] != '-' && f[0] != '+' {
		return fmt.Sprintf("%q is not a flag", f)
	}
	if l.cur.flags[f] != nil {
		return fmt.Sprintf("flag %s stands here twice", f)
	}
	l.cur.flags[f] = spec
	return ""
}

// finish checks and stores the program that was read.
func (l *loader) finish() error {
	p := l.top
	if p == nil {
		return nil
	}
	fail := func(format string, args ...any) error {
		return &DescriptionError{l.file, p.line, 1, fmt.Sprintf("program %s: ", p.names[0]) + fmt.Sprintf(format, args...)}
	}
	all := []*program{p}
	for _, s := range p.subs {
		all = append(all, s)
	}
	for _, q := range all {
		q.whole = q.whole || p.whole
		q.index(l.specs)
	}
	for _, q := range all {
		if flag := q.shownUndescribed(); flag != "" {
			return fail("show names the flag %s, which is not described", flag)
		}
		for name, f := range q.flags {
			if f.mode != "" && q.forms[f.mode] == nil {
				return fail("mode %q of %s has no form", f.mode, name)
			}
		}
		for name := range q.forms {
			used := name == "operands" || name == "bare"
			for part := range strings.SplitSeq(name, "+") {
				one := false
				for _, f := range q.flags {
					one = one || f.mode == part
				}
				used = used || one
			}
			if !used {
				return fail("no flag chooses form %q", name)
			}
		}
		if q.globOK {
			for name, f := range q.flags {
				if !f.value.harmless() {
					return fail("glob ok, but flag %s does more than read", name)
				}
			}
			for _, o := range q.operands {
				if !o.harmless() {
					return fail("glob ok, but an operand does more than read")
				}
			}
			if len(q.forms) > 0 {
				for _, f := range q.forms {
					for _, o := range f.operands {
						if !o.harmless() {
							return fail("glob ok, but form %s does more than read", f.name)
						}
					}
				}
			}
		}
	}
	if p.say == "" && len(p.subs) == 0 {
		return fail("say is missing")
	}
	if !p.why {
		return fail("why is missing")
	}
	if len(p.subs) > 0 && (len(p.operands) > 0 || p.withOperands != nil) {
		return fail("operands beside sub-commands: a word that is no sub-command would be one of them")
	}
	if len(p.examples) == 0 {
		return fail("there is no example")
	}
	for _, e := range p.examples {
		if !e.calls(p.names) {
			return &DescriptionError{l.file, e.line, 1, fmt.Sprintf("program %s: the example calls another program", p.names[0])}
		}
	}
	for _, n := range p.names {
		l.into[n] = p
	}
	l.top, l.cur, l.form = nil, nil, nil
	return nil
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
