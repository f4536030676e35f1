package toolset

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"

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
// keep, where not nil, says which entries are reached at all.
func (b *builder) walkWrite(a *permission.Action, op scope.Op, keep func(name string) bool) {
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
		a.Path.Class = permission.Unclassified
		a.Path.ClassName = "not everything below it could be looked at"
	} else {
		a.Path.Walked = b.writing != nil || b.rules == nil
	}
	b.add(*a)
	b.ins.Actions = append(b.ins.Actions, found...)
}

// writeLookout is a Lookout that also tells of the rules over editing.
type writeLookout interface {
	DeniesWriting(path string) (permission.RuleRef, bool)
}

func (b *builder) deniesWriting(name string) (permission.RuleRef, bool) {
	if b.writing == nil {
		return permission.RuleRef{}, false
	}
	return b.writing.DeniesWriting(name)
}

// plainName says that xargs takes a name for one word.
func plainName(name string) bool { return !strings.ContainsAny(name, " \t\n\v\f\r\"'\\") }

// filter is what a reader over a tree leaves out by itself.
type filter struct {
	plain    bool // every name must be plain
	hidden   bool // leaves out names that begin with a dot
	follow   bool // follows links that it meets
	include  []string
	exclude  []string
	skipDirs []string
}

func (f *filter) skipDir(base string) bool {
	return f.hidden && strings.HasPrefix(base, ".") || matchAny(f.skipDirs, base)
}

func (f *filter) skipFile(base string) bool {
	return f.hidden && strings.HasPrefix(base, ".") || matchAny(f.exclude, base) ||
		len(f.include) > 0 && !matchAny(f.include, base)
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
	f := filter{follow: true}
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
		plain := true
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
			if !w.Static || w.Glob || strings.ContainsAny(value, `/[\`) || value == "" {
				plain = false
				continue
			}
			switch name {
			case "--include":
				in = append(in, value)
			case "--exclude":
				ex = append(ex, value)
			default:
				f.skipDirs = append(f.skipDirs, value)
			}
		}
		// With both, the last one that matches decides; that is not followed.
		if plain && (len(in) == 0 || len(ex) == 0) {
			f.include, f.exclude = in, ex
		}
		if !plain {
			f.skipDirs = nil
		}
	case "rg":
		f.follow = short("L") || long("--follow")
		f.hidden = !(short("u") || short(".") || long("--hidden", "--unrestricted", "--no-ignore"))
	case "fd", "fdfind":
		f.follow = short("L") || long("--follow")
		f.hidden = !(short("u") || short("H") || long("--hidden", "--unrestricted", "--no-ignore"))
	case "ag":
		f.follow = short("f") || long("--follow")
	case "cp":
		f.follow = short("L") || short("H") || long("--deref")
	case "find":
		f.follow = short("L") || long("-follow")
		f.include = findNames(c)
	case "git", "diff", "wc", "du", "ls", "tree":
		f.follow = short("L") || long("--deref")
	}
	return f
}

// filter is that of the command, and of the one that chose the names for it.
func (t *target1) filter() filter {
	f := readerFilter(t.c)
	if t.listed != nil {
		by := readerFilter(t.listed)
		by.follow = by.follow || f.follow
		f = by
	}
	f.plain = t.plain
	return f
}

var errNotPlain = errors.New("a name with a blank or a quote")

// findNames is the pattern of a find that chooses by -name alone, joined by
// nothing but "and"; nil where it may choose more.
func findNames(c *bashcheck.Command) []string {
	var names []string
	for i, w := range c.Argv {
		switch w.Text {
		case "-o", "-or", "!", "-not", "(", ")", ",":
			return nil
		case "-exec", "-execdir", "-ok", "-okdir", "-print", "-print0", "-delete":
			return names // a test that follows chooses nothing
		case "-name":
			if i+1 < len(c.Argv) && c.Argv[i+1].Static && !strings.ContainsAny(c.Argv[i+1].Text, `[\\`) {
				names = []string{c.Argv[i+1].Text}
			}
		}
		if !w.Static {
			return nil
		}
	}
	return names
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
	var found []permission.Action
	told := map[permission.RuleRef]bool{}
	top := a.Path.Real
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
			return nil
		}
		base := d.Name()
		if d.IsDir() && f.skipDir(base) {
			return filepath.SkipDir
		}
		if !d.IsDir() && f.skipFile(base) {
			return nil
		}
		if f.plain && !plainName(base) {
			return errNotPlain
		}
		link := d.Type()&os.ModeSymlink != 0
		if link && !f.follow {
			return nil
		}
		r := b.ask(top, name, scope.Read)
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
		case denied && !told[ref]:
			// One file tells what the rule says of all of them.
			told[ref] = true
			found = append(found, e)
		case link && (r.dir || r.path.Zone != a.Path.Zone):
			// The reader goes on where the link leads.
			e.Path.Class = permission.Unclassified
			e.Path.ClassName = "a link below the tree that is read"
			found = append(found, e)
		}
		return nil
	})
	switch {
	case errors.Is(err, errNotPlain):
		a.Path = permission.Path{Extent: permission.Anywhere}
	case err != nil:
		a.Path.Class = permission.Unclassified
		a.Path.ClassName = "not everything below it could be looked at: narrow the search to a directory"
	}
	a.Path.Walked = err == nil
	b.add(*a)
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

// denies reports the deny or ask rule that matches reading the path.
func (b *builder) denies(p *permission.Path) (permission.RuleRef, bool) {
	if b.rules == nil || p.Clean == "" {
		return permission.RuleRef{}, false
	}
	ref, ok := b.rules.Denies(p.Clean)
	if !ok && p.Real != p.Clean && p.Real != "" {
		ref, ok = b.rules.Denies(p.Real)
	}
	return ref, ok
}

// readNames is readTree over names that are known already: those in the index
// of a repository.
func (b *builder) readNames(a *permission.Action, names []string) {
	a.Path.Walked = true
	b.add(*a)
	for _, name := range names {
		if rel, err := filepath.Rel(a.Path.Real, name); err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
			continue
		}
		if b.count() != nil {
			e := *a
			e.Path.Class = permission.Unclassified
			e.Path.ClassName = "the repository holds too many files to look at one by one"
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
