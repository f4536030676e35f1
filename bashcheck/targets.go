package bashcheck

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// What a program makes has a name that its arguments spell, or one that it puts
// together from them: a.o for a.c, part-aa for the prefix part-.

// conditions say when a fixed effect holds; all of them must.
type conditions struct {
	unnamed       bool   // only where no flag or operand names a path that is read or listed
	unclear       bool   // only where something of the command is not described
	with, without uint16 // marks that must and must not be there
	least         int    // how many operands there must be
	most          int    // how many operands there may be, plus one; 0: any number
}

// derived says how the target of a fixed effect is put together.
type derived struct {
	mark uint16 // the flag whose value target names; 0: an operand
	rest bool   // every operand from the one on
	last bool   // the last operand
	how  string // "", "dir", "unpacked", "url", a suffix that takes the place of another, / and one, + and one
	tail string // what follows
}

// marked is the value of a flag that has a mark.
type marked struct {
	mark  uint16
	value word
}

// start is a folder that operands are relative to, from the one of that index.
type start struct {
	dir Dir
	at  int
}

// markOf is the bit of a mark. The mark remote is given where an operand of the
// kind remote lies on another machine.
func (p *program) markOf(name string) uint16 {
	if name == remoteForm {
		return 1 << mostMarks
	}
	return 1 << slices.Index(p.marks, name)
}

// mostMarks is how many marks a program may have; one more bit is for remote.
const mostMarks = 15

// Conditions that are no marks.
const (
	unnamedWord = "unnamed"
	unclearWord = "unclear"
)

// effect reads the line effect KIND TARGET [own] [if CONDITION…].
func (l *loader) effect(t *tableLine) (at int, problem string) {
	var fe fixedEffect
	args := t.args
	if n := slices.Index(args, "if"); n >= 0 {
		if n == len(args)-1 {
			return n + 1, "if needs conditions: write if NAME, if !NAME, if 2+, if 1-, if unnamed or if unclear"
		}
		for i, word := range args[n+1:] {
			if problem := fe.condition(l.top, word); problem != "" {
				return n + 2 + i, problem
			}
		}
		args = args[:n]
	}
	if len(args) < 2 || len(args) > 3 || len(args) == 3 && args[2] != "own" {
		return 0, "effect needs a kind and a target: write effect KIND TARGET [own] [if CONDITION…]"
	}
	if fe.kind, fe.extent, problem = parseEffect(args[0]); problem != "" {
		return 1, problem
	}
	fe.target, fe.own = args[1], len(args) == 3
	if problem := fe.aim(l.top); problem != "" {
		return 2, problem
	}
	l.form.effects = append(l.form.effects, fe)
	return 0, ""
}

// condition reads one word behind if.
func (c *conditions) condition(p *program, word string) (problem string) {
	name, not := strings.CutPrefix(word, "!")
	number, most := strings.CutSuffix(word, "-")
	if !most {
		number, _ = strings.CutSuffix(word, "+")
	}
	switch n, err := strconv.Atoi(number); {
	case word == unnamedWord:
		c.unnamed = true
	case word == unclearWord:
		c.unclear = true
	case err == nil && number != word && n >= 0 && most:
		c.most = n + 1
	case err == nil && number != word && n >= 1:
		c.least = n
	case name != remoteForm && !slices.Contains(p.marks, name):
		return fmt.Sprintf("there is no mark %q above this line: write mark %s FLAG… there, or one of the conditions 2+, 1-, unnamed, unclear and remote", name, name)
	case not:
		c.without |= p.markOf(name)
	default:
		c.with |= p.markOf(name)
	}
	return ""
}

// aim reads the target.
func (fe *fixedEffect) aim(p *program) (problem string) {
	if fe.target == "?" {
		fe.target, fe.extent = "", Anywhere
		return ""
	}
	inner, tail, ok := strings.Cut(strings.TrimPrefix(fe.target, "{"), "}")
	if !strings.HasPrefix(fe.target, "{") || !ok {
		if strings.HasSuffix(fe.target, "*") && fe.extent == Exact {
			fe.extent = Glob
		}
		return ""
	}
	name, how, has := strings.Cut(inner, ":")
	if has && how != "dir" && how != "unpacked" && how != "url" && !strings.HasPrefix(strings.TrimLeft(how, "/+"), ".") {
		return "behind the colon stands dir, unpacked, url or a suffix, perhaps with / or + before it: write {1:dir}, {1:.o}, {1:/.o} or {1:+.zip}"
	}
	fe.how, fe.tail = how, tail
	if strings.Count(tail, "*") > 1 || strings.ContainsAny(tail, "?[\\") {
		return "behind the brace stands a text with one star at most: write {1}.gz or {1}*"
	}
	switch number, rest := strings.CutSuffix(name, "*"); {
	case name == "*":
		fe.operand = allOperands
	case name == "$":
		fe.last = true
	case slices.Contains(p.marks, name):
		fe.mark = p.markOf(name)
	default:
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			return "no such target: write {1}, {2}, {2*}, {$} or {*} for operands, and {NAME} for the value of a flag with that mark"
		}
		fe.operand, fe.rest = n, rest
	}
	return ""
}

// holds says that the effect is one of this command.
func (c *conditions) holds(operands int, named bool, j *judged) bool {
	return !(c.unnamed && named) && !(c.unclear && j.ok) && j.marks&c.with == c.with && j.marks&c.without == 0 && operands >= c.least && (c.most == 0 || operands < c.most)
}

// computed says that the target is more than an operand or a text.
func (fe *fixedEffect) computed() bool {
	return fe.mark != 0 || fe.rest || fe.last || fe.how != "" || fe.tail != ""
}

// compute adds the effect on targets that are put together.
func (w *walker) compute(fe *fixedEffect, operands []word, j *judged) {
	add := func(o word) { w.made(fe, o, j) }
	switch {
	case fe.mark != 0:
		for i := range j.marked {
			if j.marked[i].mark&fe.mark != 0 {
				add(j.marked[i].value)
			}
		}
	case fe.last:
		if len(operands) > 0 {
			add(operands[len(operands)-1])
		}
	case fe.operand == allOperands:
		for _, o := range operands {
			add(o)
		}
	case fe.rest:
		for _, o := range operands[min(fe.operand-1, len(operands)):] {
			add(o)
		}
	case fe.operand <= len(operands):
		add(operands[fe.operand-1])
	}
}

// made adds the effect on what is made of a word.
func (w *walker) made(fe *fixedEffect, o word, j *judged) {
	spec := pathOf(fe.kind, fe.extent)
	if fe.how == "" && fe.tail == "" && (fe.kind != Delete || fe.extent != Within) {
		if fe.mark == 0 || !o.Static || o.Text != "-" { // the program's input or output
			w.usePath(spec, o, j)
		}
		return
	}
	e := Effect{Kind: fe.kind, Extent: fe.extent, Own: fe.own, Dir: w.st.dir, Span: o.Span}
	one := o.guessed().one
	switch {
	case !o.Static && len(one) > 0:
		for _, item := range one {
			item.Span = o.Span
			w.made(fe, word{Word: item}, j)
		}
		return
	case o.Static && !o.Glob:
		e.Target = fe.put(o.Text)
	}
	switch {
	case e.Target == "":
		e.Extent = Anywhere
	case strings.Contains(fe.tail, "*"):
		if e.Extent = Glob; strings.ContainsAny(strings.TrimSuffix(e.Target, fe.tail), "*?[\\{(") {
			e.Target, e.Extent = "", Anywhere
		}
	}
	j.effects = append(j.effects, e)
}

// put makes a name of a text, or "" where there is none.
func (d *derived) put(t string) string {
	base := path.Base(t)
	if d.how == "" && d.tail == "" {
		return t
	}
	if strings.HasPrefix(d.tail, "/") && t != "" {
		return strings.TrimRight(t, "/") + d.tail
	}
	if d.how == "url" {
		if t = downloaded(t); t == "" {
			return ""
		}
		return t + d.tail
	}
	if t == "" || len(t) > 4096 || d.how != "dir" && d.tail != "*" && (base == "." || base == ".." || strings.HasSuffix(t, "/")) {
		return ""
	}
	switch {
	case d.how == "":
	case d.how == "dir":
		t = t[:strings.LastIndexByte(t, '/')+1]
	case d.how == "unpacked":
		t = unpacked(t)
	case d.how[0] == '+':
		if path.Ext(t) == "" {
			t += d.how[1:]
		}
	default:
		suffix := d.how
		if rest, here := strings.CutPrefix(d.how, "/"); here {
			t, suffix = base, rest
		}
		if ext := path.Ext(t); ext != path.Base(t) {
			t = strings.TrimSuffix(t, ext)
		}
		t += suffix
	}
	return t + d.tail
}

// downloaded is the name that wget gives to what it gets from a URL (wget(1),
// "Directory Options"), or "" where that is none or several.
func downloaded(u string) string {
	if _, rest, ok := strings.Cut(u, "://"); ok {
		u = rest
	}
	u, _, _ = strings.Cut(u, "#")
	file, query, asks := strings.Cut(u, "?")
	_, file, _ = strings.Cut(file, "/")
	file = file[strings.LastIndexByte(file, '/')+1:]
	name, err := url.PathUnescape(file)
	if err != nil || strings.Contains(query, "%") || strings.ContainsAny(name, "/*[\x00") || name == "." || name == ".." {
		return ""
	}
	if name == "" {
		name = "index.html"
	}
	if asks {
		name += "?" + query
	}
	if strings.ContainsAny(name, "/\\") { // escaped in one way or another
		return ""
	}
	return name
}

// packedEnds are the endings of packed files, and what takes their place
// (gzip(1), bzip2(1), xz(1), zstd(1)).
var packedEnds = [][2]string{
	{".tgz", ".tar"}, {".taz", ".tar"}, {".tbz2", ".tar"}, {".tbz", ".tar"}, {".txz", ".tar"}, {".tlz", ".tar"}, {".tzst", ".tar"},
	{".gz", ""}, {".z", ""}, {".Z", ""}, {"-gz", ""}, {"-z", ""}, {"_z", ""}, {".bz2", ""}, {".bz", ""}, {".xz", ""}, {".lzma", ""}, {".zst", ""},
}

// unpacked is the name of what a packed file holds, or "" where the name has
// none of the endings.
func unpacked(name string) string {
	for _, e := range packedEnds {
		if rest, ok := strings.CutSuffix(name, e[0]); ok && rest != "" && !strings.HasSuffix(rest, "/") {
			return rest + e[1]
		}
	}
	return ""
}

// packed adds what unpacking does to a packed file, which is read, and to what
// takes its place.
func (w *walker) packed(o word, j *judged) bool {
	if !o.Static || o.Glob || o.Text == "" {
		j.effects = append(j.effects, Effect{Kind: Write, Dir: w.st.dir, Span: o.Span})
		return w.usePath(pathOf(Read, Exact), o, j)
	}
	made := o
	if made.Text = unpacked(o.Text); made.Text == "" {
		return false
	}
	return w.usePath(pathOf(Read, Exact), o, j) && w.usePath(pathOf(Write, Exact), made, j)
}

// remote uses an operand that may lie on another machine.
func (w *walker) remote(v valueSpec, o word, j *judged) bool {
	known := o.Text
	if !o.Static || o.Glob {
		known = o.guessed().prefix
	}
	slash, colon := strings.IndexByte(known, '/'), strings.IndexByte(known, ':')
	if colon > 0 && (slash < 0 || colon < slash) {
		if j.marks&(1<<mostMarks) == 0 {
			j.marks |= 1 << mostMarks
			j.effects = append(j.effects, Effect{Kind: Connect, Dir: w.st.dir, Span: o.Span})
		}
		return true
	}
	v.kind, v.narrow = vPath, nLocal|nSingle
	return w.useValue(v, o, j)
}

// source adds the read of what a C compiler compiles or links. A name that it
// may take for a header is none: of that it makes one more file.
func (w *walker) source(o word, j *judged) bool {
	for _, one := range o.guessed().one {
		if one.Span = o.Span; o.Static || !w.source(word{Word: one}, j) {
			return false
		}
	}
	if len(o.guessed().one) > 0 {
		return true
	}
	if !o.Static || strings.HasPrefix(o.Text, "@") {
		return false
	}
	switch path.Ext(o.Text) {
	case ".c", ".C", ".cc", ".cp", ".cpp", ".cxx", ".c++", ".CPP", ".m", ".mm", ".i", ".ii", ".s", ".S", ".o", ".a", ".so", ".obj", ".lo":
		return w.usePath(pathOf(Read, Exact), o, j)
	}
	return false
}

// startAt sets where the operands that follow begin. A second one is relative
// to the first, which is not followed.
func (w *walker) startAt(o word, j *judged) bool {
	if !o.Static || o.Glob || o.Text == "" || j.start != nil {
		return false
	}
	j.start = &start{dir: enterDir(w.st.dir, o.Text)}
	return w.usePath(pathOf(List, Exact), o, j)
}

// flagValue uses the value of a flag that stands behind so many operands.
func (w *walker) flagValue(s *flagSpec, v word, operands int, j *judged) bool {
	if s.mark != 0 {
		j.marked = append(j.marked, marked{s.mark, v})
	}
	ok := w.useValue(s.value, v, j)
	if s.value.kind == vStart && j.start != nil {
		j.start.at = operands
	}
	return ok
}

// operand uses the operand of that index.
func (w *walker) operand(v valueSpec, o word, i int, j *judged) bool {
	if j.start == nil || i < j.start.at {
		return w.useValue(v, o, j)
	}
	here := w.st.dir
	w.st.dir = j.start.dir
	ok := w.useValue(v, o, j)
	w.st.dir = here
	return ok
}

// spellLetters spells letters of flags without a dash in the first word as
// flags, each with its value behind it: cfz a.tar is -c -f a.tar -z.
func (p *program) spellLetters(args []word) []word {
	if len(args) == 0 || !args[0].Static || args[0].Glob || args[0].Text == "" || args[0].Text[0] == '-' {
		return args
	}
	out := make([]word, 0, len(args)+len(args[0].Text))
	rest := args[1:]
	for i := range len(args[0].Text) {
		flag := args[0]
		flag.Text, flag.odd = "-"+args[0].Text[i:i+1], false
		out = append(out, flag)
		if s := p.letter(args[0].Text[i]); s != nil && s.takes && !s.optional && len(rest) > 0 {
			out, rest = append(out, rest[0]), rest[1:]
		}
	}
	return append(out, rest...)
}
