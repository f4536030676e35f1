package bashcheck

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Explain says in one or two plain sentences what the text does: every simple
// command with what it works on, and then whether it only reads or what makes
// it more. Control and invisible characters are escaped.
func (r Report) Explain() string { return r.explain() }

func (r *Report) explain() string {
	t := tellers.Get().(*teller)
	defer t.release()
	t.src, t.quiet = r.Source, r.readOnly()
	t.alone = t.quiet && len(r.Commands) == 1
	if !r.Parsed && len(r.Commands) == 0 {
		t.say("The text was not understood, so nothing is known about what it does")
	} else {
		t.report(r)
	}
	if t.out[len(t.out)-1] != '.' {
		t.say(".")
	}
	if t.quiet {
		t.add("It only reads")
	} else if s := r.unsaid(); s != "" {
		t.add(s)
	}
	n, lost := 0, 0
	for i := range r.Findings {
		switch f := &r.Findings[i]; {
		case f.Severity >= Suspicious && !f.Blocks && n < 3:
			n++
			t.add(f.Text)
		case f.Code == CodeDestructive && f.Severity == Notice && lost < 3:
			lost++
			t.add(f.Text)
		}
	}
	if t.nmore > 0 {
		t.say(" ")
		at := len(t.out)
		for i, s := range t.more[:t.nmore] {
			if i > 0 {
				t.say("; ")
			}
			t.say(s)
		}
		t.upper(at)
		if len(t.out) == at {
			t.say("A finding stands.")
		} else if t.out[len(t.out)-1] != '.' {
			t.say(".")
		}
	}
	return string(t.out)
}

// unsaid is why the text is not read-only, where the first sentence does not
// tell.
func (r *Report) unsaid() string {
	for i := range r.Findings {
		if f := &r.Findings[i]; f.unproven() {
			return "It is not proven to only read: " + f.Text
		}
	}
	for i := range r.Commands {
		if c := &r.Commands[i]; !c.Described {
			switch w := c.unknownWord(); {
			case w == nil || w == &c.Argv[0]:
				return "It may do anything"
			case w.Text == fedText:
				return "What its input holds is known only when it runs, so it may do anything"
			default:
				return "Part of it is known only when it runs, so it may do anything"
			}
		}
	}
	for i := range r.Loose {
		if r.Loose[i].Kind == Unknown {
			return strings.TrimSuffix(r.notReadOnly(), ".")
		}
	}
	for i := range r.Commands {
		for j := range r.Commands[i].Effects {
			e := &r.Commands[i].Effects[j]
			if r.Commands[i].Told && (e.Own || e.Kind == Environment) {
				continue
			}
			if (e.Own && e.Kind != Connect && e.Target != "" || e.Kind == Read || e.Kind == Environment && e.Target == "") && !e.harmless() {
				return e.harm()
			}
		}
	}
	for i := range r.Loose {
		if e := &r.Loose[i]; e.Kind == Read && !e.harmless() {
			return e.harm()
		}
	}
	return ""
}

// teller writes an explanation. Everything goes into one buffer; what is said
// first and then put another way is cut off and written again.
type teller struct {
	out   []byte
	more  [8]string // what follows the first sentence
	nmore int
	src   string
	quiet bool // the text is read-only
	alone bool // and one command

	// What is known of the effects that are told of: their names, one after
	// the other, and what they belong to.
	names []byte
	list  []touched
	count [nTouches]int32
	touches
}

var tellers = sync.Pool{New: func() any {
	return &teller{out: make([]byte, 0, 1024), names: make([]byte, 0, 512), list: make([]touched, 0, 16)}
}}

// release gives the teller back, without the texts that it holds.
func (t *teller) release() {
	if cap(t.out) > 1<<16 || cap(t.names) > 1<<16 || cap(t.list) > 1<<12 {
		return
	}
	*t = teller{out: t.out[:0], names: t.names[:0], list: t.list[:0]}
	tellers.Put(t)
}

// touch is what happens to a target.
type touch uint8

const (
	tList touch = iota
	tRead
	tWrite
	tRemove
	tChange
	tRun
	tConnect
	tEnv
	tInput   // of the shell: a redirection
	tOutput  // likewise, to what is no ordinary file or in a way that is not known
	tReplace // likewise, to a file that begins anew
	tAppend  // likewise, to the end of a file
	tGet     // a plain GET
	nTouches
)

// touched is one target of a command.
type touched struct {
	what     touch
	from, to int32 // of names
}

// touches are what needs no target.
type touches struct {
	process, ownConnect bool
	unnamed             [nTouches]bool // it happens to what the text does not name
}

func (t *teller) say(s string) { t.out = append(t.out, s...) }

// add adds a sentence, once, without its full stop.
func (t *teller) add(s string) {
	s = strings.TrimSuffix(s, ".")
	if !slices.Contains(t.more[:t.nmore], s) {
		t.more[t.nmore] = s
		t.nmore++
	}
}

// upper makes the first letter at a place a capital one.
func (t *teller) upper(at int) {
	if at < len(t.out) && t.out[at] >= 'a' && t.out[at] <= 'z' {
		t.out[at] -= 'a' - 'A'
	}
}

// A sentence that is longer than this tells no more of commands that only read,
// and at the second length of none.
const (
	longSentence = 900
	endSentence  = 4000
)

// report is one sentence over all commands and over what the shell does by
// itself.
func (t *teller) report(r *Report) {
	at := len(t.out)
	told, last := 0, at
	nested := false
	for i := range r.Commands {
		nested = nested || r.Commands[i].Parent != 0
	}
	made := r.made()
	open, next := -1, 0 // the function whose body is told, and the first that was not told of
	reading, more := 0, 0
	inner := false // the last one told what it runs
	then := func() {
		switch {
		case told == 0 || t.out[len(t.out)-1] == '(':
		case inner:
			t.say("; then ")
		default:
			t.say(", then ")
		}
	}
	// define tells of the functions that begin before a place.
	define := func(s Span) {
		if open >= 0 && s.Start >= made[open].span.End {
			t.say(")")
			open = -1
		}
		for ; next < len(made) && made[next].span.Start <= s.Start; next++ {
			m := &made[next]
			if m.alias {
				continue
			}
			then()
			inner = false
			t.say("defines the function `")
			t.say(cut(escape(m.name), mostWord))
			t.say("`")
			if told++; s.Start < m.span.End && open < 0 {
				t.say(" (")
				open = next
			}
		}
	}
	for i := range r.Commands {
		c := &r.Commands[i]
		if c.Parent != 0 {
			continue
		}
		if len(made) > 0 {
			define(c.Span)
		}
		if n := len(t.out) - at; n > longSentence {
			if r.onlyReads(i) {
				reading++
				continue
			}
			if n > endSentence {
				more++
				continue
			}
		}
		before := len(t.out)
		then()
		start, ran := len(t.out), false
		if m := c.calls(made); m != nil {
			switch {
			case m.alias:
				t.text(c, "runs ", ", which may be an alias now")
			case open >= 0 && &made[open] == m:
				t.say("calls itself")
			default:
				t.text(c, "calls ", "")
			}
			t.touch(c)
			t.shellTail()
		} else {
			ran = t.command(r, i, nested)
		}
		if len(t.out) == start || told > 0 && bytes.Equal(t.out[start:], t.out[last:before]) {
			t.out = t.out[:before]
			continue
		}
		told, last, inner = told+1, start, ran
	}
	if len(made) > 0 {
		define(spanAt(len(r.Source)+1, len(r.Source)+1))
	}
	if told == 0 && len(r.Commands) > 0 {
		t.text(&r.Commands[0], "runs ", "")
		told++
	}
	before := len(t.out)
	then()
	if t.shell(r.Loose) {
		told++
	} else {
		t.out = t.out[:before]
	}
	for _, rest := range []struct {
		n   int
		say string
	}{{reading, " more that only read"}, {more, " more commands"}} {
		if rest.n > 0 {
			t.say(", and ")
			t.out = strconv.AppendInt(t.out, int64(rest.n), 10)
			t.say(rest.say)
		}
	}
	if told == 0 {
		t.say("Runs no program")
	}
	t.upper(at)
}

// onlyReads says that a command and what it runs change nothing.
func (r *Report) onlyReads(i int) bool {
	if c := &r.Commands[i]; !c.Described || c.Class == Shell || harmful(c.Effects) {
		return false
	}
	for k := i + 1; k < len(r.Commands); k++ {
		if r.Commands[k].Parent == i+1 && !r.onlyReads(k) {
			return false
		}
	}
	return true
}

// madeName is a name that the text gives a new meaning.
type madeName struct {
	name  string
	alias bool
	span  Span // of what makes it
}

// made are the functions and aliases of the text, in its order.
func (r *Report) made() (out []madeName) {
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Code != CodeRebindsName || !f.Blocks || f.Span.Start < 0 || int(f.Span.End) > len(r.Source) || f.Span.Start >= f.Span.End {
			continue
		}
		if name := functionName(r.Source[f.Span.Start:f.Span.End]); name != "" {
			out = append(out, madeName{name: name, span: f.Span})
			continue
		}
		for k := range r.Commands {
			c := &r.Commands[k]
			if c.Span.Start != f.Span.Start || len(c.Argv) == 0 || c.Argv[0].Text != "alias" {
				continue
			}
			for _, a := range c.Argv[1:] {
				if name, _, ok := strings.Cut(a.Text, "="); ok {
					out = append(out, madeName{name, true, c.Span})
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b madeName) int { return cmp.Compare(a.span.Start, b.span.Start) })
	return out
}

// functionName is the name in the text of a function; empty where it is none.
func functionName(s string) string {
	rest, keyword := strings.CutPrefix(s, "function")
	name := strings.TrimLeft(rest, " \t")
	end := strings.IndexAny(name, " \t\n(){")
	if end <= 0 || !keyword && !strings.HasPrefix(strings.TrimLeft(name[end:], " \t"), "(") {
		return ""
	}
	return name[:end]
}

// calls is the name, made in the text, that a command calls.
func (c *Command) calls(made []madeName) *madeName {
	if len(made) == 0 || len(c.Argv) == 0 || !c.Argv[0].Static {
		return nil
	}
	for i := range made {
		if m := &made[i]; m.name == c.Argv[0].Text && m.span.Start < c.Span.Start {
			return m
		}
	}
	return nil
}

// command says what a command does and then what it runs, if anything. nested
// says that some command of the report is run by another one.
func (t *teller) command(r *Report, i int, nested bool) (ran bool) {
	parent := false
	for k := i + 1; nested && k < len(r.Commands) && !parent; k++ {
		parent = r.Commands[k].Parent == i+1
	}
	t.phrase(&r.Commands[i], parent)
	if !parent {
		return false
	}
	sep := ": "
	for k := i + 1; k < len(r.Commands); k++ {
		if r.Commands[k].Parent == i+1 {
			t.say(sep)
			t.command(r, k, nested)
			sep = ", then "
		}
	}
	return true
}

// touch notes the targets of effects. What is not known at all is told
// elsewhere.
func (t *teller) touch(c *Command) {
	effects := c.Effects
	t.names, t.list, t.count, t.touches = t.names[:0], t.list[:0], [nTouches]int32{}, touches{}
	for i := range effects {
		e := &effects[i]
		if e.Own {
			t.ownConnect = t.ownConnect || e.Kind == Connect
			continue
		}
		switch e.Kind {
		case List:
			t.target(tList, c, e)
		case Read:
			if e.ByShell {
				t.target(tInput, c, e)
			} else {
				t.target(tRead, c, e)
			}
		case Write:
			switch {
			case e.ByShell:
				t.target(t.output(e), c, e)
			case e.Extent == Within && writesExactly(effects, i):
			default:
				t.target(tWrite, c, e)
			}
		case Delete:
			t.target(tRemove, c, e)
		case Change:
			t.target(tChange, c, e)
		case Execute:
			t.target(tRun, c, e)
		case Connect:
			if e.PlainGet {
				t.target(tGet, c, e)
			} else {
				t.target(tConnect, c, e)
			}
		case Environment:
			t.target(tEnv, c, e)
		case Process:
			t.process = true
		}
	}
}

// writesExactly says that the target of effect i is also written itself, which
// mostly stands right before it.
func writesExactly(effects []Effect, i int) bool {
	is := func(e *Effect) bool { return e.Kind == Write && e.Extent == Exact && e.Target == effects[i].Target }
	for k := i - 1; k >= 0; k-- {
		if is(&effects[k]) {
			return true
		}
	}
	return slices.ContainsFunc(effects[i+1:], func(e Effect) bool { return is(&e) })
}

// output is what a redirection does with its target.
func (t *teller) output(e *Effect) touch {
	if strings.HasPrefix(e.Target, "/dev/") {
		return tOutput
	}
	switch op := strings.TrimLeft(t.at(e.Span), "&0123456789"); {
	case strings.HasPrefix(op, ">>"):
		return tAppend
	case strings.HasPrefix(op, ">"):
		return tReplace
	}
	return tOutput
}

// at is what the text holds there.
func (t *teller) at(s Span) string {
	if s.Start < 0 || s.Start >= s.End || int(s.End) > len(t.src) {
		return ""
	}
	return t.src[s.Start:s.End]
}

// target notes a target, once for each thing that happens to it.
func (t *teller) target(what touch, c *Command, e *Effect) {
	from := len(t.names)
	switch {
	case e.Target == "-" && what == tWrite:
		return // the output
	case what == tGet:
		t.names = append(t.names, escape(e.URL)...)
	case e.Target == "" || e.Extent == Anywhere:
		word := t.wordOf(c, e)
		if word == "" && what != tEnv {
			t.unnamed[what] = true
			return
		}
		if word == "" {
			t.names = appendPlace(t.names, e)
		} else {
			t.names = appendWord(t.names, e, word, strings.HasSuffix(c.Summary, " trees"))
		}
	default:
		t.names = appendPlace(t.names, e)
	}
	name := t.names[from:]
	if t.count[what] > 0 {
		for i := range t.list {
			if o := &t.list[i]; o.what == what && bytes.Equal(t.names[o.from:o.to], name) {
				t.names = t.names[:from]
				return
			}
		}
	}
	t.list = append(t.list, touched{what, int32(from), int32(len(t.names))})
	t.count[what]++
}

// wordOf is the word of the text, not known before it runs, that names what an
// effect reaches; empty where there is none.
func (t *teller) wordOf(c *Command, e *Effect) string {
	if e.ByShell {
		return strings.TrimLeft(t.at(e.Span), "&0123456789<>| \t")
	}
	for i := range c.Argv {
		if w := &c.Argv[i]; !w.Static && w.Span == e.Span {
			return w.Text
		}
	}
	return ""
}

// unknownWord is the first word that is known only when the command runs.
func (c *Command) unknownWord() *Word {
	for i := range c.Argv {
		if !c.Argv[i].Static {
			return &c.Argv[i]
		}
	}
	return nil
}

// mostWord is how many letters of a word that is not known are told.
const mostWord = 120

// appendWord names what an effect reaches by a word that is not known before
// the command runs. tree: with everything below it.
func appendWord(b []byte, e *Effect, word string, tree bool) []byte {
	text := cut(escape(word), mostWord)
	below := ""
	changes := e.Kind == Delete || e.Kind == Change || e.Kind == Write
	if tree && changes {
		below = belowIt
	}
	switch variable, rest := leadingVariable(word); {
	case word == fedText && e.Kind == Connect:
		return append(b, "the hosts that its input names"...)
	case word == fedText:
		return append(b, "what its input names"...)
	case e.Kind == Connect:
		return append(append(append(b, "the host that `"...), text...), "` names"...)
	case word[0] == '~':
		return append(append(b, text...), below...)
	case changes && (rest == "/*" || rest == "/"):
		b = append(append(b, "everything in the folder that $"...), variable...)
		return append(b, " names (if it is empty, everything in /)"...)
	case changes && len(rest) > 1 && rest[0] == '/':
		b = append(append(append(append(b, "what `"...), text...), "` names"...), below...)
		return append(append(append(append(append(b, " (if $"...), variable...), " is empty, "...), escape(rest)...), ")"...)
	}
	return append(append(append(append(b, "what `"...), text...), "` names"...), below...)
}

// leadingVariable takes a word like "$X"/rest apart; empty where it is none.
func leadingVariable(word string) (variable, rest string) {
	s, quoted := strings.CutPrefix(word, `"`)
	s, ok := strings.CutPrefix(s, "$")
	if !ok {
		return "", ""
	}
	s, braced := strings.CutPrefix(s, "{")
	n := 0
	for n < len(s) && plainName(s[:n+1]) {
		n++
	}
	variable, rest = s[:n], s[n:]
	if braced {
		if rest, ok = strings.CutPrefix(rest, "}"); !ok {
			return "", ""
		}
	}
	if quoted {
		rest = strings.Replace(rest, `"`, "", 1)
	}
	if variable == "" || !restBytes.all(rest) {
		return "", ""
	}
	return variable, rest
}

// restBytes are what may follow the variable for leadingVariable.
var restBytes = bytesBut("\"'$`\\ \t\n")

func (t *teller) any(what touch) bool { return t.count[what] > 0 }

// drop forgets targets that were told.
func (t *teller) drop(what ...touch) {
	for _, w := range what {
		t.count[w] = 0
	}
}

// first is the first target to which something happens.
func (t *teller) first(what touch) []byte {
	for i := range t.list {
		if o := &t.list[i]; o.what == what {
			return t.names[o.from:o.to]
		}
	}
	return nil
}

// all says the targets to which one of these things happens: a, b and c.
func (t *teller) all(what ...touch) { t.and(false, what...) }

func (t *teller) and(trimTree bool, what ...touch) {
	left := int32(0)
	for _, w := range what {
		left += t.count[w]
	}
	n := left
	for _, w := range what {
		if t.count[w] == 0 {
			continue
		}
		for i := range t.list {
			o := &t.list[i]
			if o.what != w {
				continue
			}
			switch {
			case left == n:
			case left == 1:
				t.say(" and ")
			default:
				t.say(", ")
			}
			left--
			name := t.names[o.from:o.to]
			if trimTree {
				name = bytes.TrimSuffix(bytes.TrimSuffix(name, []byte(belowIt)), []byte(belowThem))
			}
			t.out = append(t.out, name...)
		}
	}
}

const (
	belowIt   = " and everything below it"
	belowThem = " and everything below them"
)

// place names a target as a person would.
func place(e *Effect) string { return string(appendPlace(nil, e)) }

func appendPlace(b []byte, e *Effect) []byte {
	if e.Target == "" || e.Extent == Anywhere {
		switch e.Kind {
		case Connect:
			return append(b, "a host that the text does not name"...)
		case Execute:
			return append(b, "other programs"...)
		case Environment:
			return append(b, "the environment"...)
		}
		return append(b, "files that the text does not name"...)
	}
	switch {
	case e.Extent == Within && e.Kind == Delete:
		b = append(b, "what it finds below "...)
	case e.Extent == Within && e.Kind == Write:
		b = append(b, "files in "...)
	}
	switch s := escape(e.Target); {
	case s == ".":
		b = append(b, currentFolder...)
	case !bareName.all(s) || s != e.Target:
		b = append(append(append(b, "“"...), s...), "”"...)
	default:
		b = append(b, s...)
	}
	switch e.Kind {
	case Delete, Change, Write:
		switch {
		case e.Extent == Tree:
			b = append(b, belowIt...)
		case e.Extent == Within && e.Kind != Change:
		case e.Below:
			b = append(b, belowThem...)
		}
	}
	return b
}

// bareName is what may stand in a sentence without quotation marks.
var bareName = bytesBut(" ;|&`'\"()")

// phrase says what a command does. parent: what it runs is told after it.
func (t *teller) phrase(c *Command, parent bool) {
	t.touch(c)
	switch {
	case c.Summary == "":
		t.text(c, "runs ", "")
		if !c.Described {
			t.say(", a program that is not known")
		}
	case c.Summary == "does nothing" && !t.alone:
		switch {
		case len(c.Effects) == 0 && c.Parent == 0:
			return
		case t.any(tReplace) && int(t.count[tReplace]) == len(t.list) && t.unnamed == [nTouches]bool{}:
			t.rest(tReplace, "empties ")
			t.drop(tReplace)
		default:
			t.text(c, "runs ", "")
		}
	case !c.Described && !parent && (c.Class == Plain || c.Class == Runner) && c.unknownWord() == nil:
		t.text(c, "runs ", ", a form of ")
		t.say(escape(short(c)))
		t.say(" that is not known")
	default:
		t.summary(c, parent)
	}
	t.shellTail()
}

// mostText is how many letters of a command are told as they stand.
const mostText = 500

// text says the text of the command.
func (t *teller) text(c *Command, before, after string) {
	t.say(before)
	t.say("`")
	t.say(cut(escape(c.Text), mostText))
	t.say("`")
	t.say(after)
}

// nouns are what a summary may end with that the targets take the place of.
var nouns = [...]string{"files", "trees", "a file", "directories", "empty directories", "folders"}

// summary is phrase for a command whose description says what it does.
func (t *teller) summary(c *Command, parent bool) {
	at := len(t.out)
	say := c.Summary
	verb, object, _ := strings.Cut(say, " ")
	used := false // the targets are in the sentence
	t.say(say)
	// again begins the sentence again.
	again := func(s string) { t.out = append(t.out[:at], s...) }
	put := func(what touch) {
		used = true
		for _, noun := range nouns {
			if object != noun {
				continue
			}
			again(verb)
			switch noun {
			case "directories", "empty directories", "folders":
				t.say(" the ")
				if noun == "empty directories" {
					t.say("empty ")
				}
				if t.count[what] > 1 {
					t.say("directories ")
				} else {
					t.say("directory ")
				}
				if bytes.HasPrefix(t.first(what), []byte("what ")) {
					n := len(t.out)
					t.all(what)
					copy(t.out[n:], "that")
					return
				}
			default:
				t.say(" ")
			}
			t.all(what)
			return
		}
		if rest, ok := strings.CutSuffix(say, " files"); ok {
			again(rest)
			t.say(" ")
		} else {
			t.say(" in ")
		}
		t.all(what)
	}
	shown := strings.IndexByte(say, '`') >= 0
	switch {
	case shown || c.Told:
		t.forget(say)
		used = true
	case strings.HasPrefix(say, "goes back"):
	case say == "goes":
		switch w := c.unknownWord(); {
		case t.any(tList):
			again("goes to ")
			t.all(tList)
		case w == nil:
			again("goes to the home folder")
		default:
			again("goes to the folder that `")
			t.say(cut(escape(w.Text), mostWord))
			t.say("` names")
		}
		t.drop(tList)
		t.unnamed[tList] = false
	case t.any(tGet):
		again("fetches ")
		t.all(tGet)
		used = true
		t.drop(tGet, tConnect)
	case t.any(tConnect) && t.any(tRead):
		again("sends the file")
		if t.count[tRead] > 1 {
			t.say("s")
		}
		t.say(" ")
		t.all(tRead)
		t.say(" to ")
		t.all(tConnect)
		used = true
		t.drop(tConnect, tRead)
	case t.any(tRemove) && t.any(tWrite) && verb == "moves":
		again("moves ")
		t.and(true, tRemove)
		t.say(" to ")
		t.all(tWrite)
		used = true
		t.drop(tRemove, tWrite)
	case t.any(tRead) && t.any(tWrite) && verb == "copies":
		again("copies ")
		t.all(tRead)
		t.say(" to ")
		t.all(tWrite)
		used = true
		t.drop(tRead, tWrite)
	case t.any(tRemove):
		if verb == "deletes" || verb == "removes" || verb == "destroys" {
			put(tRemove)
		} else {
			t.say(", deleting ")
			t.all(tRemove)
		}
		t.drop(tRemove)
	case verb == "edits" && t.any(tWrite):
		if object == "files in place" {
			again("edits ")
			t.all(tWrite)
			t.say(" in place")
			used = true
			t.drop(tWrite)
		}
	case t.any(tRead):
		put(tRead)
		t.drop(tRead)
	case t.any(tWrite) && (strings.HasSuffix(say, "files") || strings.HasSuffix(say, "directories")):
		put(tWrite)
		t.drop(tWrite)
	case t.any(tChange):
		if strings.Contains(object, "links") {
			t.say(" at ")
		} else {
			t.say(" of ")
		}
		t.all(tChange)
		t.drop(tChange)
	case t.any(tList) && (verb == "lists" || verb == "finds" || strings.HasPrefix(say, "changes to")):
		if rest, ok := strings.CutSuffix(say, " files"); ok && t.patterns(tList) {
			again(rest)
			t.say(" ")
		} else {
			t.say(" in ")
		}
		t.all(tList)
		used = true
		t.drop(tList)
	case t.any(tList):
		put(tList)
		t.drop(tList)
	}
	if !used && t.unnamed == [nTouches]bool{} && !t.any(tInput) && c.Class == Plain && !t.any(tRead) && !t.any(tList) && !t.any(tWrite) && !t.any(tRemove) && !t.any(tChange) {
		switch {
		case object == "files":
			again(verb)
			t.say(" its input")
		case bytes.HasSuffix(t.out[at:], []byte(" of files")):
			t.out = t.out[:len(t.out)-len("files")]
			t.say("its input")
		}
	}
	told := t.out[at:len(t.out):len(t.out)]
	if shown || c.Told {
		t.rest(tList, ", in ")
	}
	t.rest(tRead, ", reading ")
	t.rest(tRemove, ", deleting ")
	t.rest(tWrite, ", writing ")
	t.rest(tChange, ", changing the rights or links of ")
	vague := 0 // how many kinds of things happen to what the text does not name
	for _, w := range [...]touch{tRead, tList, tWrite, tRemove, tChange, tConnect, tRun} {
		if t.unnamed[w] {
			vague++
		}
	}
	// What the phrase names no target of is told by its text.
	bare := !shown && !c.Told && len(t.list) == 0 && len(c.Argv) > 1 && harmful(c.Effects) && !parent
	texted := !c.Described || bare || !shown && (vague > 2 && !c.Told || c.Class == Runner || c.Class == Interpreter || c.Class == Shell && !parent)
	early := texted && vague > 2 && !c.Told && c.Class != Runner && c.Class != Interpreter && c.Class != Shell
	if early {
		t.text(c, " (", ")")
	}
	if t.any(tConnect) {
		t.rest(tConnect, ", connecting to ")
	} else if (t.ownConnect || t.unnamed[tConnect] && !c.Told) && !strings.Contains(say, "network") && !strings.Contains(say, "another machine") {
		t.say(", over the network")
	}
	runs := (t.any(tRun) || t.unnamed[tRun]) && !parent
	switch {
	case c.Class == Runner || c.Class == Interpreter || c.Class == Shell:
		if runs && !c.Told {
			if c.Class == Runner {
				t.say(", which runs whatever the project says")
			} else {
				t.say(", which can do anything")
			}
		} else if !c.Told {
			t.vague(false)
		}
	default:
		if runs {
			t.rest(tRun, ", running ")
		}
		if !c.Told {
			t.vague(t.unnamed[tRun] && !parent)
		}
	}
	if t.any(tEnv) && c.Described && !(c.Told && len(c.Assignments) == 0 && string(t.first(tEnv)) == "the environment") {
		if len(c.Assignments) > 0 {
			t.rest(tEnv, ", with ")
			t.say(" set")
		} else if !bytes.Contains(told, []byte("environment")) && !bytes.Contains(told, []byte("variable")) {
			if verb == "prints" {
				t.rest(tEnv, ", showing ")
			} else {
				t.rest(tEnv, ", which shows or changes ")
			}
		} else if string(t.first(tEnv)) != "the environment" {
			t.rest(tEnv, ", namely ")
		}
	}
	if t.process && !c.Told && !bytes.Contains(told, []byte("process")) {
		t.say(", which acts on processes")
	}
	if texted && !early {
		t.text(c, " (", ")")
	}
	if !c.Described && c.unknownWord() == nil {
		t.say(", in a form that is not known")
	}
}

// vague says what may happen to files and programs that the text does not name.
func (t *teller) vague(runs bool) {
	var verbs [5]string
	list := verbs[:0]
	for _, w := range [...]struct {
		what touch
		verb string
	}{{tRead, "read"}, {tWrite, "write"}, {tRemove, "delete"}, {tChange, "change"}} {
		if t.unnamed[w.what] {
			list = append(list, w.verb)
		}
	}
	if len(list) == 0 {
		if runs {
			t.say(", running other programs")
		}
		return
	}
	t.say(", which may ")
	for i, verb := range list {
		switch {
		case i == 0:
		case i == len(list)-1 && !runs:
			t.say(" and ")
		default:
			t.say(", ")
		}
		t.say(verb)
	}
	t.say(" files that the text does not name")
	if runs {
		t.say(" and run other programs")
	}
}

// forget drops targets that a phrase names already, and where git looks.
func (t *teller) forget(say string) {
	shown := func(name string) bool {
		for i, part := range strings.Split(say, "`") {
			if i%2 == 1 && (part == name || slices.Contains(strings.Fields(part), name)) {
				return true
			}
		}
		return false
	}
	for i := range t.list {
		o := &t.list[i]
		if name := strings.TrimSuffix(string(t.names[o.from:o.to]), belowIt); shown(name) || (o.what == tRead || o.what == tList) && name == currentFolder {
			t.count[o.what]--
			o.what = nTouches
		}
	}
}

const currentFolder = "the current folder"

// rest says what happens to targets that the sentence did not tell of.
func (t *teller) rest(what touch, say string) {
	if t.any(what) {
		t.say(say)
		t.all(what)
	}
}

// patterns says that all of the targets are patterns.
func (t *teller) patterns(what touch) bool {
	for i := range t.list {
		if o := &t.list[i]; o.what == what && !bytes.ContainsAny(t.names[o.from:o.to], "*?[") {
			return false
		}
	}
	return true
}

// shellTail says what the redirections of a command do.
func (t *teller) shellTail() {
	t.rest(tInput, ", from ")
	t.rest(tOutput, ", and writes the output to ")
	t.rest(tAppend, ", and adds the output to ")
	if t.any(tReplace) {
		t.rest(tReplace, ", and replaces ")
		t.say(" with the output")
	}
}

// shell says what effects do that belong to no command. It is false where there
// is nothing to say.
func (t *teller) shell(effects []Effect) bool {
	if len(effects) == 0 {
		return false
	}
	t.touch(&Command{Effects: effects})
	at := len(t.out)
	part := func(say, after string, what ...touch) {
		n := int32(0)
		for _, w := range what {
			n += t.count[w]
		}
		if n == 0 {
			return
		}
		if len(t.out) > at {
			t.say(" and ")
		}
		t.say(say)
		t.all(what...)
		t.say(after)
	}
	part("reads ", "", tInput, tRead)
	part("writes to ", "", tOutput, tWrite)
	part("adds output to ", "", tAppend)
	if t.bare(effects) {
		part("empties ", "", tReplace)
	} else {
		part("replaces ", " with output", tReplace)
	}
	part("sets ", "", tEnv)
	part("connects to ", "", tConnect)
	return len(t.out) > at
}

// bare says that redirections stand where a command would.
func (t *teller) bare(effects []Effect) bool {
	for i := range effects {
		if e := &effects[i]; e.ByShell && e.Kind == Write {
			before := strings.TrimRight(t.src[:max(0, min(int(e.Span.Start), len(t.src)))], " \t")
			return before == "" || strings.IndexByte(";&|(\n{", before[len(before)-1]) >= 0
		}
	}
	return false
}
