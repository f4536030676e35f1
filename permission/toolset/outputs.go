package toolset

import (
	"path"
	"slices"
	"strings"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope"
)

// A rule that allows a command covers what the command writes to ordinary files
// of the workspace, also where its form is not understood. A rule that denies
// editing must hold all the same. So the words of such a command are read once
// more, generously: a place in the text that names an output is a Write, which
// deny and ask rules see; an output that cannot be read (-o "$x") is one that
// may be anywhere; and a name in the text of a program, or among the operands of
// one that edits files, may be written where a rule speaks of it. Nothing here
// ever makes a rule allow more.
//
// It does not see what a program writes that no word of the command names: a
// script in a file does what it likes (of sed and awk it is read), and so does
// what a variable holds inside of a script. That takes a sandbox.

// outputs collects what a command that is not understood names for its output.
type outputs struct {
	b     *builder
	c     *bashcheck.Command
	of    int
	names []string     // of the programs that it may be
	rows  []*outputRow // of them, and that of all
	// dirs are the folders that relative names may start at (go build -C, curl
	// --output-dir).
	dirs []string
	// unread says that an output was told of which cannot be read.
	unread bool
}

// programs sets which programs the command may be, and says whether it changes
// the files among its operands.
func (o *outputs) programs() (edits bool) {
	if len(o.c.Argv) == 0 {
		return false
	}
	table := knownOutputs()
	if o.rows = append(o.rows, table["*"]); o.rows[0] == nil {
		o.rows = nil
		o.unknown(o.c.Argv[0])
		return true
	}
	name := program(o.c)
	o.names = append(o.names, name)
	if row := table[name]; starters[name] || row != nil && row.launches {
		for _, w := range o.c.Argv[1:min(len(o.c.Argv), 9)] {
			o.names = append(o.names, path.Base(w.Text))
		}
	}
	for _, n := range o.names {
		if row := table[n]; row != nil && n != "*" && !slices.Contains(o.rows, row) {
			o.rows = append(o.rows, row)
		}
	}
	for _, row := range o.rows {
		edits = edits || row.edits || row.changes
		for _, w := range o.c.Argv[1:] {
			edits = edits || row.inPlaceBy(w.Text)
		}
	}
	return edits
}

// find adds what the command may write, as far as that is protected or a rule
// over editing speaks of it.
func (o *outputs) find() {
	c := o.c
	if len(c.Argv) == 0 || len(o.rows) == 0 {
		return
	}
	for i, w := range c.Argv {
		flag, v, has := strings.Cut(w.Text, "=")
		switch flag {
		case "-C", "--directory", "--output-dir", "--prefix", "--cwd":
			if !has && i+1 < len(c.Argv) && c.Argv[i+1].Static {
				v = c.Argv[i+1].Text
			}
			if w.Static && v != "" && len(o.dirs) < 4 && program(c) != "git" {
				o.dirs = append(o.dirs, v)
			}
		}
	}
	o.flags()
	for _, row := range o.rows {
		if row.last && len(c.Argv) > 2 {
			o.at(len(c.Argv) - 1)
		}
		if row.assigned != "" {
			o.assigned(row.assigned)
		}
		if len(row.behind) > 0 {
			if i := o.word(row.behind[0]); i > 0 && o.word(row.behind[1]) == i+1 {
				o.at(i + 2)
			}
		}
	}
	for _, n := range o.names {
		switch n {
		case "sed", "gsed":
			o.sed()
		case "awk", "gawk", "mawk", "nawk", "original-awk", "busybox":
			o.awk()
		case "curl":
			o.upload()
			if o.remoteName() {
				o.downloads(false)
			}
		case "wget":
			o.downloads(true)
		}
	}
}

// word is the place of a word, or -1.
func (o *outputs) word(text string) int {
	for i, w := range o.c.Argv {
		if i > 0 && w.Static && w.Text == text {
			return i
		}
	}
	return -1
}

// at takes word i for an output, unless it is a flag.
func (o *outputs) at(i int) {
	if i < 1 || i >= len(o.c.Argv) {
		return
	}
	w := o.c.Argv[i]
	switch {
	case !w.Static || w.Glob:
		o.unknown(w)
	case !strings.HasPrefix(w.Text, "-"):
		o.writes(w.Text, w)
	}
}

func (o *outputs) assigned(prefix string) {
	for _, w := range o.c.Argv[1:] {
		if v, ok := strings.CutPrefix(w.Text, prefix); ok && w.Static {
			o.writes(v, w)
		} else if ok {
			o.unknown(w)
		}
	}
}

// long says that a flag, without its dashes, names an output. whole wants its
// whole name.
func (o *outputs) long(name string, whole bool) bool {
	for _, row := range o.rows {
		for _, f := range row.long {
			if f == name || !whole && strings.HasPrefix(f, name) && (len(name) > 2 || name != "" && name[0] == 'o') {
				return true
			}
		}
	}
	return strings.HasSuffix(name, "_out") // protoc --go_out=
}

// letter says that the short flag names an output: surely, where the row is that
// of the program.
func (o *outputs) letter(c byte) bool {
	return len(o.rows) > 1 && slices.ContainsFunc(o.rows[1:], func(row *outputRow) bool { return strings.IndexByte(row.letters, c) >= 0 })
}

// flags reads the flags that name an output: --output=f, --output f, a beginning
// of it, -o f, -of, -o=f and -xof.
func (o *outputs) flags() {
	for i, w := range o.c.Argv {
		t := w.Text
		if i == 0 || len(t) < 2 || t[0] != '-' {
			continue
		}
		if !w.Static {
			// What stands before the part that is not known.
			t = strings.NewReplacer(`"`, "", `'`, "").Replace(t)
			if k := strings.IndexAny(t, "$`<>("); k >= 0 {
				t = t[:k]
			}
			if len(t) < 2 {
				continue
			}
		}
		name, value, has := strings.Cut(strings.TrimLeft(t, "-"), "=")
		if o.long(name, t[:2] != "--") && (t[:2] == "--" || len(name) > 1) {
			o.value(i, value, has)
			continue
		}
		if t[:2] == "--" {
			continue
		}
		for k := 1; k < len(t); k++ {
			c := t[k]
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
				break
			}
			if !o.letter(c) && strings.IndexByte(o.rows[0].letters, c) < 0 {
				continue
			}
			rest := t[k+1:]
			if k > 1 && !o.letter(c) {
				// Among other letters of a program that is not known here.
				if rest != "" {
					o.may(rest, w)
				} else if i+1 < len(o.c.Argv) && o.c.Argv[i+1].Static {
					o.may(o.c.Argv[i+1].Text, o.c.Argv[i+1])
				}
				break
			}
			if v, ok := strings.CutPrefix(rest, "="); ok {
				o.value(i, v, true)
			}
			o.value(i, rest, rest != "")
			break
		}
	}
}

// value takes the value of a flag in word i for an output: the one that is
// attached, or the next word.
func (o *outputs) value(i int, value string, attached bool) {
	w := o.c.Argv[i]
	switch {
	case !w.Static || attached && w.Glob:
		o.unknown(w)
	case attached:
		o.writes(value, w)
	default:
		o.at(i + 1)
	}
}

// upload: curl -T writes what a file: URL names.
func (o *outputs) upload() {
	uploads := false
	for _, w := range o.c.Argv[1:] {
		uploads = uploads || strings.HasPrefix(w.Text, "-T") || strings.HasPrefix(w.Text, "--upload")
	}
	for _, w := range o.c.Argv[1:] {
		if _, rest, ok := strings.Cut(w.Text, "file:"); ok && uploads {
			if !w.Static {
				o.unknown(w)
				continue
			}
			rest = strings.TrimPrefix(strings.TrimPrefix(rest, "//"), "localhost")
			o.writes(rest, w)
		}
	}
}

// remoteName says that curl names its output as the URL does.
func (o *outputs) remoteName() bool {
	for _, w := range o.c.Argv[1:] {
		t := w.Text
		if strings.HasPrefix(t, "--remote-n") || len(t) > 1 && t[0] == '-' && t[1] != '-' && strings.Contains(t, "O") {
			return true
		}
	}
	return false
}

// downloads adds what is named after the last part of a URL.
func (o *outputs) downloads(maybe bool) {
	for _, w := range o.c.Argv[1:] {
		t := w.Text
		if strings.HasPrefix(t, "-") || !strings.Contains(t, "/") {
			continue
		}
		t, _, _ = strings.Cut(t, "?")
		t, _, _ = strings.Cut(t, "#")
		t = t[strings.LastIndexByte(t, '/')+1:]
		switch {
		case !w.Static && (t == "" || strings.ContainsAny(t, "$`\"'")):
			if !maybe {
				o.unknown(w)
			}
		case t != "":
			o.place(t, w, maybe)
		}
	}
}

// writes adds an output that the text names.
func (o *outputs) writes(name string, w bashcheck.Word) { o.place(name, w, false) }

// may adds a name that may be an output, where a rule over editing speaks of it.
func (o *outputs) may(name string, w bashcheck.Word) { o.place(name, w, true) }

func (o *outputs) place(name string, w bashcheck.Word, maybe bool) {
	if name == "" || len(name) > 4096 || strings.ContainsRune(name, 0) || device(name, true) {
		return
	}
	b := o.b
	a := permission.Action{Kind: permission.Write, Of: o.of, Origin: permission.Operand, Span: span(w.Span)}
	dirs := b.places(o.c.Dir)
	for _, in := range o.dirs {
		for _, d := range dirs {
			dirs = append(dirs[:len(dirs):len(dirs)], absolute(d, in))
		}
	}
	for _, d := range dirs {
		p := b.resolve(d, name, scope.Write)
		a.Path = p
		a.Path.Extent = permission.Exact
		switch {
		case !maybe && (p.Class == permission.Protected || p.Class == permission.Forbidden || p.Class == permission.Sensitive):
			b.addOnce(a)
		case b.namedForWriting(&p):
			b.addMaybe(a, maybe)
		default:
			// A rule for everything in a directory means what is made in it.
			if p = b.resolve(d, strings.TrimSuffix(name, "/")+"/\u2026", scope.Write); b.namedForWriting(&p) {
				a.Path = p
				a.Path.Extent = permission.Exact
				b.addMaybe(a, maybe)
			}
		}
	}
}

// addMaybe adds an action, as one that may happen where maybe is set. Such a one
// has no class: nothing but rules judges it.
func (b *builder) addMaybe(a permission.Action, maybe bool) {
	if a.Maybe = maybe; maybe {
		classless(&a.Path)
	}
	b.addOnce(a)
}

// unknown adds an output of which the text does not tell where it is.
func (o *outputs) unknown(w bashcheck.Word) {
	if o.unread {
		return
	}
	o.unread = true
	o.b.add(permission.Action{Kind: permission.Write, Of: o.of, Origin: permission.Operand, Maybe: true, Path: permission.Path{Extent: permission.Anywhere}, Span: span(w.Span),
		Note: "Where the command writes its output is not known before it runs."})
}

// namedForWriting says that a deny or ask rule speaks of writing the path.
func (b *builder) namedForWriting(p *permission.Path) bool {
	if _, ok := b.rules.(writeLookout); !ok || p.Clean == "" {
		return false
	}
	if _, ok := b.deniesWriting(p.Clean); ok {
		return true
	}
	if p.Real != p.Clean && p.Real != "" {
		if _, ok := b.deniesWriting(p.Real); ok {
			return true
		}
	}
	for _, also := range p.Also() {
		if _, ok := b.deniesWriting(also); ok {
			return true
		}
	}
	return false
}
