package toolset

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope"
)

// maxTargets bounds how many files of a target set are looked at one by one.
const maxTargets = 10_000

var errTooMany = errors.New("too many files to look at one by one")

// count charges one looked-at file against the bound of the inspection.
func (b *builder) count() error {
	if b.looked++; b.looked > maxTargets {
		return errTooMany
	}
	if b.looked%256 == 0 {
		return b.ctx.Err()
	}
	return nil
}

// walkWrite looks at everything below the target of a write or a removal and
// adds an action for each entry that is not an ordinary file of the same zone.
// keep, where not nil, says which entries are reached at all. brings says that
// names may be made there that are not there yet, and that no text spells.
func (b *builder) walkWrite(a *permission.Action, op scope.Op, keep func(name string) bool, brings bool) {
	if a.Own {
		// The program's own business, which a rule for it covers as a whole.
		b.add(*a)
		return
	}
	if b.t.o.Offline || a.Path.Zone == permission.Outside || a.Path.Class != permission.Ordinary {
		b.add(*a)
		return
	}
	var found []permission.Action
	told := map[permission.RuleRef]bool{}
	top := a.Path.Real
	err := filepath.WalkDir(top, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			if name == top && errors.Is(err, os.ErrNotExist) {
				return nil
			}
			return err
		}
		if err := b.count(); err != nil {
			return err
		}
		if name == top || keep != nil && !keep(name) {
			return nil
		}
		e := *a
		e.Path = b.ask(top, name, op).path
		e.Path.Extent = permission.Exact
		if a.Kind == permission.Write && a.Path.Extent == permission.Within && b.namedForWriting(&e.Path) {
			// Which of the names below it are written is not known (patch).
			e.Maybe = true
			classless(&e.Path)
			if ref, _ := b.deniesWriting(name); !told[ref] {
				told[ref] = true
				found = append(found, e)
			}
			return nil
		}
		if e.Path.Class != permission.Ordinary || e.Path.Zone != a.Path.Zone {
			if d.IsDir() && e.Path.Class != permission.Unclassified && keep == nil {
				// What lies below is of the same class.
				e.Path.Extent = permission.Tree
				found = append(found, e)
				return filepath.SkipDir
			}
			found = append(found, e)
			return nil
		}
		if ref, denied := b.deniesWriting(name); denied && !told[ref] {
			told[ref] = true
			found = append(found, e)
		}
		return nil
	})
	if err != nil {
		unclassified(&a.Path, "not everything below it could be looked at")
	} else {
		a.Path.Walked = b.toldOfWriting() && !brings
	}
	b.add(*a)
	b.ins.Actions = append(b.ins.Actions, found...)
}

// writeLookout is a Lookout that also tells of the rules over editing.
type writeLookout interface {
	DeniesWriting(path string) (permission.RuleRef, bool)
}

func (b *builder) deniesWriting(name string) (permission.RuleRef, bool) {
	if l, ok := b.rules.(writeLookout); ok {
		return l.DeniesWriting(name)
	}
	return permission.RuleRef{}, false
}

// toldOfWriting says that deniesWriting misses no rule over editing.
func (b *builder) toldOfWriting() bool {
	_, ok := b.rules.(writeLookout)
	return ok || b.rules == nil
}

// plainName says that xargs takes a name for one word.
func plainName(name string) bool { return !strings.ContainsAny(name, " \t\n\v\f\r\"'\\") }

// filter is what a reader over a tree leaves out by itself.
type filter struct {
	// by is the command that it is read off.
	by       *bashcheck.Command
	plain    bool // every name must be plain
	hidden   bool // leaves out names that begin with a dot
	follow   bool // opens what links that it meets lead to
	descend  bool // goes below links to directories
	include  []string
	exclude  []string
	skipDirs []string
	// notPaths are patterns for the whole path, in which a star spans slashes.
	// Each begins with one.
	notPaths []string
	// shown are patterns for hidden names that an ignore file makes visible.
	shown []string
}

func (f *filter) hides(base string) bool {
	return f.hidden && strings.HasPrefix(base, ".") && !matchAny(f.shown, base)
}

func (f *filter) skipDir(rel, base string) bool {
	return f.hides(base) || matchAny(f.skipDirs, base) || slices.ContainsFunc(f.notPaths, func(p string) bool {
		return strings.HasSuffix(p, "/*") && wildMatch(p, "./"+rel+"/")
	})
}

func (f *filter) skipFile(rel, base string) bool {
	return f.hides(base) || matchAny(f.exclude, base) || len(f.include) > 0 && !matchAny(f.include, base) ||
		slices.ContainsFunc(f.notPaths, func(p string) bool { return wildMatch(p, "./"+rel) })
}

// ignoreFiles are read by rg and fd, which then show what a line with "!"
// names, hidden or not.
var ignoreFiles = []string{".gitignore", ".ignore", ".rgignore", ".fdignore", ".git/info/exclude"}

// unhides takes what the ignore files of a directory make visible.
func (f *filter) unhides(dir string) {
	if !f.hidden {
		return
	}
	for _, n := range ignoreFiles {
		data, err := readSmall(dir+"/"+n, 1<<20)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			f.shown = append(f.shown, "*")
			continue
		}
		for _, line := range strings.Split(string(data), "\n") {
			p, ok := strings.CutPrefix(strings.TrimRight(line, " \t\r/"), "!")
			if !ok {
				continue
			}
			p = p[strings.LastIndexByte(p, '/')+1:]
			if p == "" || strings.ContainsAny(p, `[{\`) {
				p = "*"
			}
			f.shown = append(f.shown, p)
		}
	}
}

// unhidesAbove is unhides for every directory above.
func (f *filter) unhidesAbove(dir string) {
	for at := path.Dir(dir); f.hidden; at = path.Dir(at) {
		f.unhides(strings.TrimSuffix(at, "/"))
		if at == path.Dir(at) {
			return
		}
	}
}

func matchAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if ok, err := path.Match(p, name); ok && err == nil {
			return true
		}
	}
	return false
}

// readerFilter reads the filters of a reader off its words. Only what is
// understood narrows; everything else leaves the filter wide.
func readerFilter(c *bashcheck.Command) filter {
	f := filter{follow: true, by: c}
	if c == nil || len(c.Argv) == 0 {
		return f
	}
	short := func(letter string) bool {
		for _, w := range c.Argv[1:] {
			if t := w.Text; !w.Static || len(t) > 1 && t[0] == '-' && t[1] != '-' && strings.Contains(t, letter) {
				return true
			}
		}
		return false
	}
	long := func(names ...string) bool {
		for _, w := range c.Argv[1:] {
			for _, n := range names {
				if strings.HasPrefix(w.Text, n) {
					return true
				}
			}
		}
		return false
	}
	switch path.Base(c.Argv[0].Text) {
	case "grep", "egrep", "fgrep":
		f.follow = short("R") || long("--deref")
		var in, ex []string
		plain, excluded := true, false
		for i, w := range c.Argv[1:] {
			name, value, attached := strings.Cut(w.Text, "=")
			switch name {
			case "--include", "--exclude", "--exclude-dir":
			default:
				if strings.HasPrefix(name, "--exclude") {
					plain = false
				}
				continue
			}
			if !attached {
				if i+2 >= len(c.Argv) || !c.Argv[i+2].Static {
					plain = false
					continue
				}
				value = c.Argv[i+2].Text
			}
			// A file could be named like the whole word; what the shell makes of
			// it is then still matched by the pattern.
			glob := w.Glob && !(name == "--include" && attached && !strings.ContainsAny(value, "?"))
			if !w.Static || glob || strings.ContainsAny(value, `/[\`) || value == "" {
				plain = false
				continue
			}
			switch name {
			case "--include":
				// With both, the last one that matches decides.
				plain = plain && !excluded
				in = append(in, value)
			case "--exclude":
				excluded = true
				ex = append(ex, value)
			default:
				f.skipDirs = append(f.skipDirs, value)
			}
		}
		if plain {
			f.include, f.exclude = in, ex
		} else {
			f.skipDirs = nil
		}
	case "rg":
		f.follow = short("L") || long("--follow")
		f.hidden = !(short("u") || short(".") || long("--hidden", "--unrestricted", "--no-ignore"))
		f.globs(c)
	case "fd", "fdfind":
		f.follow = short("L") || long("--follow")
		f.hidden = !(short("u") || short("H") || long("--hidden", "--unrestricted", "--no-ignore"))
	case "ag":
		f.follow = short("f") || long("--follow")
	case "rsync":
		f.follow = false
		if !long("--include", "--filter", "--exclude-from") {
			f.leaves(c, "--exclude", "")
		}
	case "tar", "gtar", "bsdtar":
		f.follow = short("h") || long("--deref") || len(c.Argv) > 1 && !strings.HasPrefix(c.Argv[1].Text, "-") && strings.Contains(c.Argv[1].Text, "h")
		if !long("--no-w") {
			f.leaves(c, "--exclude", "")
		}
	case "zip":
		f.follow = !short("y") && !long("--symlinks")
		f.leaves(c, "-x", "*")
	case "cp":
		f.follow = short("L") || short("H") || long("--deref")
	case "find":
		f.follow = short("L") || long("-follow")
		f.find()
	case "gofmt":
		f.include = []string{"*.go"}
	case "go":
		// Names that begin with a dot or "_" are no part of a package.
		f.hidden = len(c.Argv) > 1 && (c.Argv[1].Text == "list" || c.Argv[1].Text == "vet" || c.Argv[1].Text == "doc")
	case "diff":
		// It goes through links, unless it is told not to.
		f.follow = !long("--no-dereference")
	case "git", "wc", "du", "ls", "tree":
		f.follow = short("L") || long("--deref")
	}
	return f
}

// leaves takes the names that a flag of an archiver leaves out, wherever they
// lie. Patterns that do not begin like that are passed over: to zip they mean
// whole paths.
func (f *filter) leaves(c *bashcheck.Command, flag, begin string) {
	for i, w := range c.Argv[1:] {
		name, value, attached := strings.Cut(w.Text, "=")
		if name != flag || !w.Static || w.Glob {
			continue
		}
		if !attached {
			if i+2 >= len(c.Argv) || !c.Argv[i+2].Static || c.Argv[i+2].Glob {
				continue
			}
			value = c.Argv[i+2].Text
		}
		if value != "" && strings.IndexByte("+-!", value[0]) >= 0 {
			// To rsync a rule of another kind: ! forgets all before it.
			f.exclude, f.skipDirs = nil, nil
			return
		}
		if value != "" && strings.HasPrefix(value, begin) && !strings.ContainsAny(value, `/[\?`) && !strings.Contains(value, "**") {
			f.exclude = append(f.exclude, value)
			if begin == "" {
				f.skipDirs = append(f.skipDirs, value)
			}
		}
	}
}

// filter is that of the command, and of the one that chose the names for it.
func (t *target1) filter() filter {
	f := readerFilter(t.c)
	f.descend = f.follow
	if t.listed != nil {
		by := readerFilter(t.listed)
		by.descend = by.follow
		by.follow = by.follow || f.follow
		f = by
	}
	f.plain = t.plain
	return f
}

var errNotPlain = errors.New("a name with a blank or a quote")

// plainTypes are the types of rg whose names are never hidden.
var plainTypes = map[string]bool{"go": true, "py": true, "python": true, "js": true, "ts": true, "rust": true, "java": true, "c": true, "cpp": true, "md": true, "markdown": true,
	"json": true, "yaml": true, "html": true, "css": true, "toml": true, "txt": true, "csharp": true, "swift": true, "kotlin": true, "php": true, "xml": true, "sql": true}

// globs reads the globs of rg, the last of which decides. Those that take names
// take no others, and these hidden or not, as a type does; those that leave out
// count only where all of them do.
func (f *filter) globs(c *bashcheck.Command) {
	var out, in []string
	known := true
	glob := func(p string, ok bool) {
		p, not := strings.CutPrefix(p, "!")
		switch {
		case !ok || p == "" || strings.ContainsAny(p, `/[{\`) || strings.Contains(p, "**"):
			known, f.hidden = false, false
		case not:
			out = append(out, p)
		default:
			in = append(in, p)
		}
	}
	for i := 1; i < len(c.Argv); i++ {
		t, ok := c.Argv[i].Text, c.Argv[i].Static
		if t == "--" {
			break
		}
		next := func() (string, bool) {
			if i+1 == len(c.Argv) {
				return "", false
			}
			i++
			return c.Argv[i].Text, c.Argv[i].Static
		}
		name, value, attached := strings.Cut(t, "=")
		switch {
		case !ok:
			glob("", false)
		case name == "--glob" || t == "-g":
			if !attached || t == "-g" {
				value, ok = next()
			}
			glob(value, ok)
		case name == "--iglob", strings.HasPrefix(name, "--type-"), name == "--regex-size-limit" && !attached:
			if name != "--type-not" && name != "--type-list" {
				glob("", false)
			}
		case name == "--type" || t == "-t":
			if !attached || t == "-t" {
				value, ok = next()
			}
			f.hidden = f.hidden && ok && plainTypes[value]
		case strings.HasPrefix(t, "-t") && len(t) > 2:
			f.hidden = f.hidden && plainTypes[t[2:]]
		case strings.HasPrefix(t, "-g") && len(t) > 2:
			glob(t[2:], true)
		case len(t) > 2 && t[0] == '-' && t[1] != '-' && strings.ContainsAny(t, "gt"):
			glob("", false) // among other letters
		}
	}
	switch {
	case !known:
	case len(in) > 0:
		f.include, f.shown = in, append(f.shown, in...)
	default:
		f.exclude, f.skipDirs = append(f.exclude, out...), append(f.skipDirs, out...)
	}
}

// findTests are the tests and options of find that are understood, with the
// number of words that follow.
var findTests = map[string]int{
	"-name": 1, "-iname": 1, "-path": 1, "-wholename": 1, "-ipath": 1, "-type": 1, "-xtype": 1, "-size": 1, "-mtime": 1, "-mmin": 1, "-atime": 1, "-amin": 1, "-ctime": 1, "-cmin": 1,
	"-newer": 1, "-anewer": 1, "-cnewer": 1, "-newermt": 1, "-maxdepth": 1, "-mindepth": 1, "-user": 1, "-group": 1, "-perm": 1, "-regex": 1, "-iregex": 1, "-regextype": 1, "-links": 1,
	"-empty": 0, "-readable": 0, "-writable": 0, "-executable": 0, "-mount": 0, "-xdev": 0, "-follow": 0, "-depth": 0, "-daystart": 0, "-noleaf": 0, "-true": 0,
}

// find narrows to what a find chooses whose tests are joined by nothing but
// "and", up to its first action.
func (f *filter) find() {
	argv := f.by.Argv
	for i := 1; i < len(argv); i++ {
		if argv[i].Text == "-o" || argv[i].Text == "-or" || argv[i].Text == "," || argv[i].Text == "(" || !argv[i].Static {
			return
		}
	}
	var include, exclude, notPaths []string
	not, tests := false, false
	i := 1
	for ; i < len(argv); i++ {
		t := argv[i].Text
		if !tests && (!strings.HasPrefix(t, "-") && t != "!" || t == "-L" || t == "-P" || t == "-H" || strings.HasPrefix(t, "-O")) {
			continue // where it starts
		}
		tests = true
		if t == "!" || t == "-not" {
			not = !not
			continue
		}
		n, ok := findTests[t]
		if !ok || i+n >= len(argv) && n > 0 {
			break // an action, or what is not understood: nothing behind it counts
		}
		if n == 1 {
			i++
		}
		switch v := argv[i].Text; {
		case t == "-name" && strings.ContainsAny(v, `[\`), t == "-path" && strings.ContainsAny(v, `[\?`):
		case t == "-name" && not:
			exclude = append(exclude, v)
		case t == "-name":
			include = []string{v}
		case (t == "-path" || t == "-wholename") && not && strings.HasPrefix(v, "*"):
			notPaths = append(notPaths, v)
		}
		not = false
	}
	f.include, f.exclude, f.notPaths = include, exclude, notPaths
}

// leaveOut is the sentence that says how a command leaves out what was found
// below a tree: the same text with the options that its reader has for that. It
// is "" where there are none, or too many.
func (b *builder) leaveOut(by *bashcheck.Command, found []permission.Action) string {
	if by == nil || len(found) == 0 || len(found) > 16 || len(by.Argv) == 0 {
		return ""
	}
	var options []string
	end := len(by.Argv)
	for _, a := range found {
		base, dir := path.Base(a.Path.Clean), a.Path.Extent != permission.Exact
		if base == "/" || strings.ContainsAny(base, "*?[{\\!'\"") || !printable(base) {
			return ""
		}
		option := ""
		switch program(by) {
		case "grep", "egrep", "fgrep":
			if option = "--exclude=" + shellWord(base); dir {
				option = "--exclude-dir=" + shellWord(base)
			}
		case "rg":
			option = "-g '!" + base + "'"
		case "find":
			if option = "-not -path '*/" + base + "'"; dir {
				option = "-not -path '*/" + base + "/*'"
			}
			for end > 1 && !findAction(by, end) {
				end--
			}
		}
		if option == "" {
			return ""
		}
		options = appendNew(options, option)
	}
	for i, w := range by.Argv {
		if program(by) != "find" && w.Text == "--" && end == len(by.Argv) {
			end = i
		}
	}
	if program(by) == "find" && end <= 1 {
		end = len(by.Argv)
	}
	return b.rewritten(int(by.Argv[end-1].Span.End), strings.Join(options, " "))
}

// findAction says whether the word at a place is the first action of a find.
func findAction(c *bashcheck.Command, at int) bool {
	if at >= len(c.Argv) {
		return false
	}
	switch c.Argv[at].Text {
	case "-exec", "-execdir", "-ok", "-okdir", "-print", "-print0", "-printf", "-ls", "-quit", "-delete":
		for _, w := range c.Argv[1:at] {
			switch w.Text {
			case "-exec", "-execdir", "-ok", "-okdir", "-print", "-print0", "-printf", "-ls", "-quit", "-delete":
				return false
			}
		}
		return true
	}
	return false
}

// rewritten is the sentence for a text with something put in.
func (b *builder) rewritten(at int, what string) string {
	if at <= 0 || at > len(b.source) || len(b.source)+len(what) > 400 || !printable(b.source) {
		return "To leave it out, add " + what + "."
	}
	return "To leave it out, write: " + b.source[:at] + " " + what + b.source[at:]
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

func shellWord(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+@/=:,") == "" {
		return s
	}
	return "'" + s + "'"
}

// readTree looks below a tree that is read for the names that a rule speaks of
// and for files that may hold secrets, and adds each as an action of its own.
// None: the tree is no obstacle.
func (b *builder) readTree(a *permission.Action, f filter) {
	if b.t.o.Offline {
		a.Path.Walked = b.noneBelow(a.Path.Real)
		b.add(*a)
		return
	}
	b.lookBelow(a, f)
}

// lookBelow is readTree on the disk.
func (b *builder) lookBelow(a *permission.Action, f filter) {
	var found []permission.Action
	type hit struct {
		rule permission.RuleRef
		base string
	}
	told := map[hit]bool{}
	top := a.Path.Real
	f.unhidesAbove(top)
	err := filepath.WalkDir(top, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			if name == top && errors.Is(err, os.ErrNotExist) {
				return nil
			}
			if errors.Is(err, os.ErrPermission) {
				// The reader cannot read it either.
				return nil
			}
			return err
		}
		if err := b.count(); err != nil {
			return err
		}
		if name == top {
			if d.IsDir() {
				f.unhides(top)
			}
			return nil
		}
		base, rel := d.Name(), strings.TrimPrefix(name, strings.TrimSuffix(top, "/")+"/")
		if d.IsDir() && f.skipDir(rel, base) {
			return filepath.SkipDir
		}
		link := d.Type()&os.ModeSymlink != 0
		if link && !f.follow {
			return nil
		}
		var r resolved
		if link {
			r = b.ask(top, name, scope.Read)
		}
		// A filter of names chooses among files. A link to a directory is none:
		// what is behind it has other names.
		if !d.IsDir() && !(link && r.dir && f.descend) && f.skipFile(rel, base) {
			return nil
		}
		if d.IsDir() {
			f.unhides(name)
		}
		if f.plain && !plainName(base) {
			return errNotPlain
		}
		if !link {
			r = b.ask(top, name, scope.Read)
		}
		e := *a
		e.Path = r.path
		e.Path.Extent = permission.Exact
		ref, denied := b.denies(&r.path)
		switch {
		case r.path.Class == permission.Sensitive, r.path.Class == permission.Forbidden:
			if d.IsDir() {
				e.Path.Extent = permission.Tree
				found = append(found, e)
				return filepath.SkipDir
			}
			found = append(found, e)
		case denied && !told[hit{ref, base}] && len(told) < maxTold:
			// One file tells what the rule says of all of that name.
			told[hit{ref, base}] = true
			found = append(found, e)
		case link && (r.dir || r.path.Zone != a.Path.Zone):
			// The reader goes on where the link leads.
			unclassified(&e.Path, "a link below the tree that is read")
			found = append(found, e)
		}
		return nil
	})
	switch {
	case errors.Is(err, errNotPlain):
		a.Path = permission.Path{Extent: permission.Anywhere}
	case err != nil:
		unclassified(&a.Path, "not everything below it could be looked at: narrow the search to a directory")
	}
	a.Path.Walked = err == nil
	b.add(*a)
	note := b.leaveOut(f.by, found)
	for i := range found {
		found[i].Note = note
	}
	b.ins.Actions = append(b.ins.Actions, found...)
}

// noneBelow says that no rule names anything below a directory.
func (b *builder) noneBelow(dir string) bool {
	switch {
	case b.rules == nil, b.hasClear && b.clear == dir:
		return true
	case len(b.rules.Below(dir)) > 0:
		return false
	}
	b.clear, b.hasClear = dir, true
	return true
}

// maxTold bounds how many names below a tree are told of for what rules say of
// them.
const maxTold = 50

// denies reports the deny or ask rule that matches reading the path.
func (b *builder) denies(p *permission.Path) (permission.RuleRef, bool) {
	if b.rules == nil || p.Clean == "" {
		return permission.RuleRef{}, false
	}
	ref, ok := b.rules.Denies(p.Clean)
	if !ok && p.Real != p.Clean && p.Real != "" {
		ref, ok = b.rules.Denies(p.Real)
	}
	for also := p.Also(); len(also) > 0 && !ok; also = also[1:] {
		ref, ok = b.rules.Denies(also[0])
	}
	return ref, ok
}

// readNames is readTree over names that are known already: those in the index
// of a repository.
func (b *builder) readNames(a *permission.Action, names []string, c *bashcheck.Command) {
	a.Path.Walked = true
	b.add(*a)
	first := len(b.ins.Actions)
	defer func() {
		if c != nil {
			note := b.leaveOutOfGit(c, b.ins.Actions[first:])
			for i := range b.ins.Actions[first:] {
				b.ins.Actions[first+i].Note = note
			}
		}
	}()
	for _, name := range names {
		if rel, err := filepath.Rel(a.Path.Real, name); err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
			continue
		}
		if b.count() != nil {
			e := *a
			unclassified(&e.Path, "the repository holds too many files to look at one by one")
			b.add(e)
			return
		}
		p := b.ask(b.call.Dir, name, scope.Read).path
		if _, denied := b.denies(&p); denied || p.Class == permission.Sensitive || p.Class == permission.Forbidden {
			e := *a
			e.Path = p
			e.Path.Extent = permission.Exact
			b.add(e)
		}
	}
}

// expand lists the names that a shell pattern may match now: at least those
// that any shell would find. Everything but "*" and "?" in a component is
// widened to "*". ok is false where the names are not known.
func (b *builder) expand(dir, pattern string) (names []string, ok bool) {
	if b.t.o.Offline || strings.Contains(pattern, "**") || !path.IsAbs(dir) {
		return nil, false
	}
	base, rest := dir, pattern
	if strings.HasPrefix(pattern, "/") {
		base, rest = "/", strings.TrimLeft(pattern, "/")
	}
	parts := strings.Split(rest, "/")
	// text is the name as the shell would spell it, at the place of the file.
	type place struct{ text, at string }
	places := []place{{"", base}}
	if base == "/" && strings.HasPrefix(pattern, "/") {
		places[0].text = "/"
	}
	for i, part := range parts {
		last := i == len(parts)-1
		if part == "" {
			if last {
				for j := range places {
					places[j].text += "/"
				}
			}
			continue
		}
		var next []place
		add := func(p place, name string) {
			text := name
			if p.text != "" {
				text = strings.TrimSuffix(p.text, "/") + "/" + name
			}
			next = append(next, place{text, p.at + "/" + name})
		}
		glob, widened := widen(part)
		for _, p := range places {
			if !strings.ContainsAny(glob, "*?") {
				if b.count() != nil {
					return nil, false
				}
				if _, err := os.Lstat(p.at + "/" + part); err == nil {
					add(p, part)
				}
				continue
			}
			f, err := os.Open(p.at)
			if err != nil {
				continue
			}
			entries, err := f.Readdirnames(maxTargets + 1)
			f.Close()
			if err != nil && len(entries) == 0 {
				continue
			}
			for _, name := range entries {
				if b.count() != nil {
					return nil, false
				}
				if strings.HasPrefix(name, ".") && !strings.HasPrefix(part, ".") && !widened {
					continue
				}
				if m, err := path.Match(glob, name); err == nil && m {
					add(p, name)
				}
			}
		}
		places = next
	}
	for _, p := range places {
		names = append(names, p.text)
	}
	return names, true
}

// widen replaces a component from the first character that is special beyond
// "*" and "?" by "*". start says that this is at its beginning, where the
// pattern may then match names that begin with a dot.
func widen(part string) (glob string, start bool) {
	i := strings.IndexAny(part, `[\{(`)
	if i < 0 {
		return part, false
	}
	if part[i] == '(' && i > 0 && strings.IndexByte("?*+@!", part[i-1]) >= 0 {
		i--
	}
	return part[:i] + "*", i == 0
}
