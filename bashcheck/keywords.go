package bashcheck

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// tableLine is one line of a description.
type tableLine struct {
	key    string
	args   []string // the words behind the keyword
	rest   string   // the same as they stand there
	number int      // from 1
	indent int
}

// keyword reads the lines that begin with one word. What it finds wrong it says
// with what to write, and with the word that it is about: 0 is the keyword.
type keyword func(l *loader, t *tableLine) (at int, problem string)

// keywords are all words that a line may begin with, besides program.
var keywords = map[string]keyword{
	"why": (*loader).why, "class": (*loader).class, "say": (*loader).say, "lost": (*loader).telling, "control": (*loader).telling, "show": (*loader).telling,
	"flags": (*loader).plainFlags, "flag": (*loader).valueFlag, "mode": (*loader).mode, "mark": (*loader).mark,
	"names": (*loader).flagFact, "nul": (*loader).flagFact, "other": (*loader).flagFact, "first": (*loader).flagFact, "apart": (*loader).flagFact,
	"operands": (*loader).operands, "effect": (*loader).effect, "assume": (*loader).assume, "glob": (*loader).glob, "prefix": (*loader).prefix,
	"form": (*loader).newForm, "sub": (*loader).newSub, "yes": (*loader).example, "no": (*loader).example,
	"help": (*loader).help, "about": (*loader).about, "group": (*loader).group, "alone": (*loader).alone,
	"own": fact(func(l *loader) *bool { return &l.form.own }), "posix": fact(func(l *loader) *bool { return &l.form.posix }),
	"words": fact(func(l *loader) *bool { return &l.form.words }), "exact": fact(func(l *loader) *bool { return &l.form.exact }),
	"told":  fact(func(l *loader) *bool { return &l.form.told }),
	"edits": fact(func(l *loader) *bool { return &l.form.edits }), "whole": fact(func(l *loader) *bool { return &l.cur.whole }),
	"letters": fact(func(l *loader) *bool { return &l.top.oldLetters }), "script": fact(func(l *loader) *bool { return &l.top.script }),
	"argfiles": fact(func(l *loader) *bool { return &l.top.argFiles }),
}

// textKeywords are those behind which everything is text, # too.
func textKeyword(key string) bool {
	switch key {
	case "why", "say", "lost", "control", "show", "yes", "no":
		return true
	}
	return false
}

// fact is a keyword that stands by itself, once.
func fact(of func(l *loader) *bool) keyword {
	return func(l *loader, t *tableLine) (int, string) { return t.alone(of(l)) }
}

func (t *tableLine) alone(set *bool) (at int, problem string) {
	switch {
	case len(t.args) > 0:
		return 1, fmt.Sprintf("nothing stands behind %s: write %s", t.key, t.key)
	case *set:
		return 0, fmt.Sprintf("%s stands here twice: write it once", t.key)
	}
	*set = true
	return 0, ""
}

// program begins a description.
func (l *loader) program(t *tableLine) (at int, problem string) {
	if len(t.args) == 0 {
		return 0, programUnnamed
	}
	p := newProgram(slices.Clone(t.args), Plain, l.file, t.number)
	for i, n := range t.args {
		if l.into[n] != nil && l.into[n].file == l.file || l.seen[n] {
			return i + 1, fmt.Sprintf("program %q is described twice", n)
		}
		if l.into[n] != nil {
			return i + 1, fmt.Sprintf("program %q is already described in %s", n, l.into[n].file)
		}
		l.seen[n] = true
	}
	l.top, l.cur, l.form = p, p, &p.form
	return 0, ""
}

func newProgram(names []string, class Class, file string, line int) *program {
	return &program{form: form{prefix: -1}, names: names, class: class, flags: map[string]*flagSpec{}, forms: map[string]*form{}, subs: map[string]*program{}, file: file, line: line}
}

func (l *loader) why(t *tableLine) (at int, problem string) {
	if t.rest == "" {
		return 0, "why needs a text: write where the facts come from"
	}
	l.top.why = true
	return 0, ""
}

func (l *loader) class(t *tableLine) (at int, problem string) {
	if len(t.args) != 1 || classWords[t.args[0]] == 0 {
		return 0, "class is one word: write class plain, wrapper, interpreter, shell or runner"
	}
	if l.form == &l.cur.form {
		l.cur.class = classWords[t.args[0]]
	} else {
		l.form.kind = classWords[t.args[0]]
	}
	return 0, ""
}

func (l *loader) say(t *tableLine) (at int, problem string) {
	if t.rest == "" || l.form.say != "" {
		return 0, "say needs one text, once: write say lists files"
	}
	l.form.say = t.rest
	return 0, ""
}

func (l *loader) telling(t *tableLine) (at int, problem string) {
	return 0, l.form.tell(t.key, t.rest)
}

func (l *loader) plainFlags(t *tableLine) (at int, problem string) {
	if len(t.args) == 0 {
		return 0, "flags needs flags: write flags -a --all"
	}
	for i, f := range t.args {
		if problem := l.addFlag(f, &flagSpec{}); problem != "" {
			return i + 1, problem
		}
	}
	return 0, ""
}

func (l *loader) valueFlag(t *tableLine) (at int, problem string) {
	if len(t.args) < 2 {
		return 0, "flag needs a kind and flags: write flag KIND FLAG…"
	}
	kind, optional := strings.CutSuffix(t.args[0], "?")
	v, problem := parseKind(kind)
	if problem != "" {
		return 1, problem
	}
	for i, f := range t.args[1:] {
		spec := &flagSpec{takes: v.kind != vRefuse, optional: optional, value: v}
		if problem := l.addFlag(f, spec); problem != "" {
			return i + 2, problem
		}
	}
	return 0, ""
}

func (l *loader) addFlag(f string, spec *flagSpec) (problem string) {
	if len(f) < 2 || f[0] != '-' && f[0] != '+' {
		return fmt.Sprintf("%q is not a flag: write it with its dash", f)
	}
	if l.cur.flags[f] != nil {
		return fmt.Sprintf("flag %s stands here twice", f)
	}
	l.cur.flags[f] = spec
	return ""
}

// described finds a flag of an earlier line.
func (l *loader) described(f string) (spec *flagSpec, problem string) {
	if spec = l.cur.flags[f]; spec == nil {
		return nil, fmt.Sprintf("flag %s is not described above this line: write flags %s before it", f, f)
	}
	return spec, ""
}

func (l *loader) mode(t *tableLine) (at int, problem string) {
	if len(t.args) < 2 {
		return 0, "mode needs a name and flags: write mode NAME FLAG…"
	}
	for i, f := range t.args[1:] {
		spec := l.cur.flags[f]
		if spec == nil {
			spec = &flagSpec{}
			if problem := l.addFlag(f, spec); problem != "" {
				return i + 2, problem
			}
		}
		if spec.mode != "" {
			return i + 2, fmt.Sprintf("flag %s already has a mode", f)
		}
		spec.mode = t.args[0]
	}
	return 0, ""
}

func (l *loader) mark(t *tableLine) (at int, problem string) {
	if len(t.args) < 2 {
		return 0, "mark needs a name and flags: write mark NAME FLAG…"
	}
	name := t.args[0]
	bit := slices.Index(l.top.marks, name)
	if bit < 0 {
		bit = len(l.top.marks)
		if name == remoteForm || name == unnamedWord || name == unclearWord || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") != "" {
			return 1, fmt.Sprintf("a mark cannot be called %s: write a word in small letters that is not remote, unnamed or unclear", name)
		}
		if bit == mostMarks {
			return 1, fmt.Sprintf("a program has %d marks at most: write one mark for flags that mean the same", mostMarks)
		}
		l.top.marks = append(l.top.marks, name)
	}
	for i, f := range t.args[1:] {
		spec, problem := l.described(f)
		if problem != "" {
			return i + 2, problem
		}
		spec.mark |= 1 << bit
	}
	return 0, ""
}

// flagFact reads the lines names, nul, other, first and apart.
func (l *loader) flagFact(t *tableLine) (at int, problem string) {
	if len(t.args) == 0 {
		if t.key != "names" {
			return 0, fmt.Sprintf("%s needs flags: write %s FLAG…", t.key, t.key)
		}
		l.form.prints = true
	}
	for i, f := range t.args {
		s, problem := l.described(f)
		if problem != "" {
			return i + 1, problem
		}
		*map[string]*bool{"names": &s.names, "nul": &s.nul, "other": &s.other, "first": &s.first, "apart": &s.apart}[t.key] = true
	}
	return 0, ""
}

func (l *loader) operands(t *tableLine) (at int, problem string) {
	if len(t.args) == 0 || l.form.operands != nil {
		return 0, "operands needs kinds, once: write operands KIND…"
	}
	repeats := 0
	for i, word := range t.args {
		o := operandSpec{}
		name := strings.TrimRight(word, "*+?")
		switch count := word[len(name):]; count {
		case "", "*", "+", "?":
			o.repeat, o.optional = count == "*" || count == "+", count == "*" || count == "?"
		default:
			return i + 1, fmt.Sprintf("%q has more than one of * + ? at its end: write one", word)
		}
		if o.valueSpec, problem = parseKind(name); problem != "" {
			return i + 1, problem
		}
		if o.repeat {
			if repeats++; repeats > 1 {
				return i + 1, "only one operand may repeat: write one * or +"
			}
		}
		switch whole := o.kind == vFind || o.kind == vTest; {
		case (whole || o.kind == vCommand) && i != len(t.args)-1:
			return i + 1, fmt.Sprintf("%s must be the last operand", name)
		case whole && i != 0:
			return i + 1, fmt.Sprintf("%s must be the only operand", name)
		case whole:
			l.cur.reader = o.kind
		}
		l.form.operands = append(l.form.operands, o)
	}
	return 0, ""
}

func (l *loader) assume(t *tableLine) (at int, problem string) {
	if len(t.args) != 1 {
		return 0, "assume needs one name: write assume NAME"
	}
	l.form.assume = append(l.form.assume, Assumption(t.args[0]))
	return 0, ""
}

func (l *loader) glob(t *tableLine) (at int, problem string) {
	switch strings.Join(t.args, " ") {
	case "ok":
		l.form.globOK = true
	case "below":
		l.form.globBelow = true
	case "dot":
		l.form.globDot = true
	default:
		return 0, "glob is one word: write glob ok, glob dot or glob below"
	}
	return 0, ""
}

func (l *loader) prefix(t *tableLine) (at int, problem string) {
	n, err := strconv.Atoi(strings.Join(t.args, " "))
	if err != nil || n < 0 || n > 3 {
		return 0, "prefix is a number of words: write prefix 0, 1, 2 or 3"
	}
	l.form.prefix = n
	return 0, ""
}

func (l *loader) help(t *tableLine) (at int, problem string) {
	if l.cur.parent != nil {
		return 0, "help is about the program: write it before the first sub"
	}
	return t.alone(&l.cur.help)
}

func (l *loader) about(t *tableLine) (at int, problem string) {
	if l.form != &l.top.form {
		return 0, "about is about the program: write it before the first form and the first sub"
	}
	var on about
	words, problem := subNames(t.rest)
	if problem != "" {
		return 1, problem
	}
	if i := slices.Index(words, ":"); i > 0 {
		on.names, words = words[:i], words[i+1:]
		for i, n := range on.names {
			if !slices.Contains(l.top.names, n) {
				return i + 1, fmt.Sprintf("%q is no name of the program: write one of its own, or none", n)
			}
		}
	}
	for _, a := range words {
		if strings.Trim(a, "-: ") == "" {
			words = nil
			break
		}
		on.words = append(on.words, strings.Fields(a))
	}
	if len(words) == 0 {
		return 0, "about needs words that are asked for: write about --version"
	}
	l.top.about = append(l.top.about, on)
	return 0, ""
}

func (l *loader) group(t *tableLine) (at int, problem string) {
	if l.cur.parent == nil || len(l.cur.operands) > 0 {
		return 0, "group is about a sub-command without operands: write it below such a sub"
	}
	return t.alone(&l.cur.group)
}

func (l *loader) alone(t *tableLine) (at int, problem string) {
	if l.form == &l.cur.form {
		return 0, "alone belongs to a form that flags choose: write it below form NAME"
	}
	return t.alone(&l.form.alone)
}

func (l *loader) newForm(t *tableLine) (at int, problem string) {
	if len(t.args) != 1 || l.cur.forms[t.args[0]] != nil {
		return 0, "form needs one new name: write form NAME"
	}
	if l.cur.parent != nil && t.indent <= l.subIndent {
		return 0, "a form of the sub-command is indented deeper than its sub; one of the program stands before the first sub"
	}
	l.form = &form{name: t.args[0], prefix: -1}
	l.cur.forms[t.args[0]] = l.form
	return 0, ""
}

func (l *loader) newSub(t *tableLine) (at int, problem string) {
	if len(t.args) == 0 {
		return 0, "sub needs a name: write sub NAME…"
	}
	names, problem := subNames(t.rest)
	if problem != "" {
		return 1, problem
	}
	p := newProgram(names, l.top.class, l.file, t.number)
	p.parent = l.top
	for _, n := range names {
		if l.top.subs[n] != nil {
			return 1, fmt.Sprintf("sub-command %q is described twice", n)
		}
		l.top.subs[n] = p
	}
	l.cur, l.form, l.subIndent = p, &p.form, t.indent
	return 0, ""
}

// subNames reads names; a name of two words, a sub-command of a sub-command,
// stands in double quotes.
func subNames(s string) (names []string, problem string) {
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		if s[0] == '#' {
			break
		}
		if s[0] == '"' {
			end := strings.IndexByte(s[1:], '"')
			if end < 0 {
				return nil, `a closing quote is missing: write sub "remote get-url"`
			}
			names, s = append(names, s[1:1+end]), s[end+2:]
			continue
		}
		w, rest, _ := strings.Cut(s, " ")
		names, s = append(names, w), rest
	}
	return names, ""
}

func (l *loader) example(t *tableLine) (at int, problem string) {
	if t.rest == "" {
		return 0, fmt.Sprintf("%s needs a command: write %s COMMAND", t.key, t.key)
	}
	l.top.examples = append(l.top.examples, example{t.rest, t.key == "yes", l.file, t.number})
	return 0, ""
}
