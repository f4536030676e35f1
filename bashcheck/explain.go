package bashcheck

import (
	"bytes"
	"slices"
	"strings"
)

// Explain says in one or two plain sentences what the text does: every simple
// command with what it works on, and then whether it only reads or what makes
// it more. Control and invisible characters are escaped.
func (r Report) Explain() string { return r.explain() }

func (r *Report) explain() string {
	var t teller
	t.out, t.names, t.list = t.outRoom[:0], t.namesRoom[:0], t.listRoom[:0]
	if !r.Parsed && len(r.Commands) == 0 {
		t.say("The text was not understood, so nothing is known about what it does")
	} else {
		t.report(r)
	}
	if t.out[len(t.out)-1] != '.' {
		t.say(".")
	}
	if r.readOnly() {
		t.add("It only reads")
	} else if s := r.unsaid(); s != "" {
		t.add(s)
	}
	n := 0
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Severity >= Suspicious && !f.Blocks && n < 3 {
			n++
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
		if !r.Commands[i].Described {
			return "It may do anything"
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
	more  [4]string // what follows the first sentence
	nmore int

	// What is known of the effects that are told of: their names, one after
	// the other, and what they belong to.
	names []byte
	list  []touched
	count [nTouches]int32
	touches

	outRoom   [512]byte
	namesRoom [192]byte
	listRoom  [12]touched
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
	tInput  // of the shell: a redirection
	tOutput // likewise
	tGet    // a plain GET
	nTouches
)

// touched is one target of a command.
type touched struct {
	what     touch
	from, to int32 // of names
}

// touches are what needs no target.
type touches struct{ process, ownConnect bool }

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

// report is one sentence over all commands and over what the shell does by
// itself.
func (t *teller) report(r *Report) {
	at := len(t.out)
	told, last := 0, at
	nested := false
	for i := range r.Commands {
		nested = nested || r.Commands[i].Parent != 0
	}
	for i := range r.Commands {
		if r.Commands[i].Parent != 0 {
			continue
		}
		before := len(t.out)
		if told > 0 {
			t.say(", then ")
		}
		start := len(t.out)
		t.command(r, i, nested)
		if told > 0 && bytes.Equal(t.out[start:], t.out[last:before]) {
			t.out = t.out[:before]
			continue
		}
		told, last = told+1, start
	}
	before := len(t.out)
	if told > 0 {
		t.say(", then ")
	}
	if t.shell(r.Loose) {
		told++
	} else {
		t.out = t.out[:before]
	}
	if told == 0 {
		t.say("Runs no program")
	}
	t.upper(at)
}

// command says what a command does and then what it runs. nested says that some
// command of the report is run by another one.
func (t *teller) command(r *Report, i int, nested bool) {
	parent := false
	for k := i + 1; nested && k < len(r.Commands) && !parent; k++ {
		parent = r.Commands[k].Parent == i+1
	}
	t.phrase(&r.Commands[i], parent)
	if !parent {
		return
	}
	sep := ": "
	for k := i + 1; k < len(r.Commands); k++ {
		if r.Commands[k].Parent == i+1 {
			t.say(sep)
			t.command(r, k, nested)
			sep = ", then "
		}
	}
}

// touch notes the targets of effects. What is not known at all is told
// elsewhere.
func (t *teller) touch(effects []Effect) {
	t.names, t.list, t.count, t.touches = t.names[:0], t.list[:0], [nTouches]int32{}, touches{}
	for i := range effects {
		e := &effects[i]
		if e.Own {
			t.ownConnect = t.ownConnect || e.Kind == Connect
			continue
		}
		switch e.Kind {
		case List:
			t.target(tList, e)
		case Read:
			if e.ByShell {
				t.target(tInput, e)
			} else {
				t.target(tRead, e)
			}
		case Write:
			switch {
			case e.ByShell:
				t.target(tOutput, e)
			case e.Extent == Within && writesExactly(effects, i):
			default:
				t.target(tWrite, e)
			}
		case Delete:
			t.target(tRemove, e)
		case Change:
			t.target(tChange, e)
		case Execute:
			t.target(tRun, e)
		case Connect:
			if e.PlainGet {
				t.target(tGet, e)
			} else {
				t.target(tConnect, e)
			}
		case Environment:
			t.target(tEnv, e)
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

// target notes a target, once for each thing that happens to it.
func (t *teller) target(what touch, e *Effect) {
	from := len(t.names)
	if what == tGet {
		t.names = append(t.names, escape(e.URL)...)
	} else {
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
		b = append(b, "the current folder"...)
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
	t.touch(c.Effects)
	switch {
	case c.Summary == "":
		t.text(c, "runs ", "")
		if !c.Described {
			t.say(", a program that is not known")
		}
	case !c.Described && !parent && (c.Class == Plain || c.Class == Runner):
		t.text(c, "runs ", ", a form of ")
		t.say(escape(short(c)))
		t.say(" that is not known")
	default:
		t.summary(c, parent)
	}
	t.shellTail()
}

// text says the text of the command.
func (t *teller) text(c *Command, before, after string) {
	t.say(before)
	t.say("`")
	t.say(escape(c.Text))
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
	switch {
	case strings.HasPrefix(say, "goes back"):
	case say == "goes":
		again("goes to ")
		n := len(t.out)
		t.all(tList)
		if where := string(t.out[n:]); strings.Contains(where, "files that") {
			t.out = append(t.out[:n], strings.ReplaceAll(where, "files that", "a folder that")...)
		}
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
	if !used && !t.any(tInput) && c.Class == Plain && !t.any(tRead) && !t.any(tList) && !t.any(tWrite) && !t.any(tRemove) && !t.any(tChange) {
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
	t.rest(tRead, ", reading ")
	t.rest(tRemove, ", deleting ")
	t.rest(tWrite, ", writing ")
	t.rest(tChange, ", changing the rights or links of ")
	if t.any(tConnect) {
		t.rest(tConnect, ", connecting to ")
	} else if t.ownConnect {
		t.say(", over the network")
	}
	if t.any(tRun) && !parent {
		switch c.Class {
		case Runner:
			t.say(", which runs whatever the project says")
		case Interpreter, Shell:
			t.say(", which can do anything")
		default:
			t.rest(tRun, ", running ")
		}
	}
	if t.any(tEnv) && c.Described {
		if len(c.Assignments) > 0 {
			t.rest(tEnv, ", with ")
			t.say(" set")
		} else if !bytes.Contains(told, []byte("environment")) && !bytes.Contains(told, []byte("variable")) {
			t.rest(tEnv, ", which shows or changes ")
		} else if string(t.first(tEnv)) != "the environment" {
			t.rest(tEnv, ", namely ")
		}
	}
	if t.process && !bytes.Contains(told, []byte("process")) {
		t.say(", which acts on processes")
	}
	if !c.Described || c.Class == Runner || c.Class == Interpreter || c.Class == Shell && !parent {
		t.text(c, " (", ")")
	}
	if !c.Described {
		t.say(", in a form that is not known")
	}
}

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
}

// shell says what effects do that belong to no command. It is false where there
// is nothing to say.
func (t *teller) shell(effects []Effect) bool {
	if len(effects) == 0 {
		return false
	}
	t.touch(effects)
	at := len(t.out)
	part := func(say string, what ...touch) {
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
	}
	part("reads ", tInput, tRead)
	part("writes to ", tOutput, tWrite)
	part("sets ", tEnv)
	part("connects to ", tConnect)
	return len(t.out) > at
}
