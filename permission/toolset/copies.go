package toolset

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope"
)

// makesLinks says whether a command may make links or give things other names,
// so that a later path may lead elsewhere than now. described: its description
// tells so. unknown: it is not described.
func (b *builder) makesLinks(c *bashcheck.Command, name string) (described, unknown bool) {
	if !c.Described {
		return false, true
	}
	for i := range c.Effects {
		e := &c.Effects[i]
		if e.Own {
			continue
		}
		switch e.Kind {
		case bashcheck.Change:
			described = described || name != "chmod" && name != "chown" && name != "chgrp"
		case bashcheck.Write:
			if e.ByShell || e.Extent == bashcheck.Exact || e.Extent == bashcheck.Glob {
				continue
			}
			if name != "cp" && name != "mv" || b.copiesLinks(c) {
				described = true
			}
		}
	}
	return described, false
}

// copiesLinks says whether a cp or mv may put a link at its destination. What
// it copies is looked at; on a machine that cannot be, only the form counts.
func (b *builder) copiesLinks(c *bashcheck.Command) bool {
	kind := bashcheck.Delete
	if program(c) == "cp" {
		kind = bashcheck.Read
		links := false
		for _, w := range c.Argv[1:] {
			links = links || !w.Static || len(w.Text) > 1 && w.Text[0] == '-' && (w.Text[1] == '-' || strings.ContainsAny(w.Text, "PdalsRr"))
		}
		if !links {
			return false
		}
	}
	for i := range c.Effects {
		e := &c.Effects[i]
		if e.Kind != kind || e.ByShell {
			continue
		}
		if b.t.o.Offline {
			if e.Extent == bashcheck.Anywhere || e.Extent == bashcheck.Glob {
				return true
			}
			continue
		}
		names, dirs, ok := b.sources(c, e)
		if !ok {
			return true
		}
		for _, d := range dirs {
			for _, n := range names {
				if b.holdsLinks(absolute(d, n)) {
					return true
				}
			}
		}
	}
	return false
}

// holdsLinks says whether a name is, or has below it, a symbolic link. What is
// not there yet, or too large to look at, may be.
func (b *builder) holdsLinks(name string) bool {
	return filepath.WalkDir(name, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type()&os.ModeSymlink != 0 {
			err = errors.New("a link")
		}
		if err == nil {
			err = b.count()
		}
		return err
	}) != nil
}

// sources lists the names that an operand stands for, and the directories that
// they are relative to. ok is false where they are not known. The answer holds
// until the next question.
func (b *builder) sources(c *bashcheck.Command, e *bashcheck.Effect) (names, dirs []string, ok bool) {
	target := e.Target
	pattern := e.Extent == bashcheck.Glob
	if p := writtenAs(c, e); p != "" {
		target, pattern = p, true
	}
	dirs = b.places(e.Dir)
	if path.IsAbs(target) {
		dirs = []string{"/"}
	}
	if e.Target == "" || len(dirs) == 0 {
		return nil, nil, false
	}
	if !pattern && e.Extent != bashcheck.Exact && e.Extent != bashcheck.Tree {
		return nil, nil, false
	}
	if !pattern {
		b.lone[0] = target
		return b.lone[:], dirs, true
	}
	for _, d := range dirs {
		n, ok := b.expand(d, target)
		if !ok {
			return nil, nil, false
		}
		names = append(names, n...)
	}
	return names, dirs, true
}

// isDir says whether the target of an effect is a directory now, wherever the
// command may run.
func (b *builder) isDir(e *bashcheck.Effect) bool {
	dirs := b.places(e.Dir)
	for _, d := range dirs {
		if !b.look(d, e.Target, scope.Write).dir {
			return false
		}
	}
	return len(dirs) > 0
}

// into adds the writes of a cp, mv, install or rsync whose destination may be a directory: the
// names there come from what is copied.
func (b *builder) into(s *shellCall, i int, dst *bashcheck.Effect) {
	c := &s.rep.Commands[i]
	a := permission.Action{Kind: permission.Write, Of: s.first + i + 1, Origin: permission.Operand, Own: dst.Own, Span: span(dst.Span)}
	described, unknown := s.shaky(i)
	unsure := func(why string) {
		for _, d := range b.places(dst.Dir) {
			e := a
			e.Path = b.resolve(d, dst.Target, scope.Write)
			e.Path.Extent = permission.Within
			if e.Path.Class == permission.Ordinary {
				unclassified(&e.Path, why)
			}
			b.add(e)
		}
		if !dst.Dir.Known() {
			a.Path = permission.Path{Extent: permission.Anywhere}
			b.add(a)
		}
	}
	kind := bashcheck.Read
	if program(c) == "mv" {
		kind = bashcheck.Delete
	}
	var leaves *filter // what it does not copy
	if program(c) == "rsync" {
		f := readerFilter(c)
		leaves = &f
	}
	dirs := b.places(dst.Dir)
	if path.IsAbs(dst.Target) {
		dirs = []string{"/"}
	}
	if len(dirs) == 0 {
		unsure("")
		return
	}
	nsources := 0
	for j := range c.Effects {
		if e := &c.Effects[j]; e.Kind == kind && !e.ByShell {
			nsources++
		}
	}
	for j := range c.Effects {
		src := &c.Effects[j]
		if src.Kind != kind || src.ByShell {
			continue
		}
		names, from, ok := b.sources(c, src)
		if !ok || len(from) != len(dirs) && !path.IsAbs(src.Target) && !path.IsAbs(dst.Target) {
			if b.t.o.Offline && src.Target != "" {
				unsure("the names are not known")
				continue
			}
			unsure("which names are made there is not known")
			continue
		}
		tree := src.Extent != bashcheck.Exact && (src.Extent != bashcheck.Glob || src.Below)
		for _, d := range dirs {
			here := b.look(d, dst.Target, scope.Write)
			if here.regular && nsources == 1 && len(names) == 1 && !b.changedBefore(s, i) {
				continue // a file, which the exact action names
			}
			for _, n := range names {
				base := path.Base(n)
				if base == "." || leaves != nil && strings.HasSuffix(n, "/") {
					base = ""
				}
				if base == ".." || base == "/" {
					unsure("which names are made there is not known")
					continue
				}
				p := &b.look(d, strings.TrimSuffix(dst.Target, "/")+"/"+base, scope.Create).path
				e := b.slot()
				setLike(e, &a)
				setPath(&e.Path, p)
				e.Path.Extent = permission.Exact
				if nsources == 1 && !here.exists && !b.changedBefore(s, i) {
					e.Path.Steers = false // no folder that it could get into
				}
				b.unsteady(e, described, unknown)
				if !tree || b.t.o.Offline {
					continue
				}
				if described || unknown {
					// What is copied may not be there yet.
					unsure("an earlier part of the command may change what is copied")
					continue
				}
				for _, f := range from {
					b.copied(&a, absolute(f, n), d, []string{dst.Target, strings.TrimSuffix(dst.Target, "/") + "/" + base}, leaves)
				}
			}
		}
	}
}

// pieces are what programs put into the names of what they make, as far as it is
// tried out: two letters or digits and three digits, as split and csplit do, and
// numbers, as wget does. Behind them come some that only a pattern with as many
// places would mean: split goes on with four characters after 650 pieces, and
// javac takes names out of the source. A rule that spells one of those, of a file
// that is not there yet, is not met.
var pieces = sync.OnceValue(func() (out struct{ numbers, all []string }) {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	for i := range 100 {
		out.numbers = append(out.numbers, strconv.Itoa(i))
	}
	out.all = append(out.all, "zaaa", "9000", "a", "A")
	for _, x := range letters {
		for _, y := range letters {
			out.all = append(out.all, string(x)+string(y))
		}
	}
	for i := range 1000 {
		out.all = append(out.all, fmt.Sprintf("%03d", i))
	}
	return out
})

// made adds the writes of files whose names a program makes of a text with a
// star: those that are there, one that may come to be, and those that rules
// speak of. It returns false where the text is no such one.
func (b *builder) made(m *common, dir, name string, t *target1) bool {
	before, after, ok := strings.Cut(name, "*")
	if !ok || strings.ContainsAny(before, `*?[{(\`) || strings.ContainsAny(after, `*?[{(\/`) {
		return false
	}
	there, ok := b.expand(dir, name)
	if !ok {
		return false
	}
	for _, n := range there {
		b.target(m, dir, n, t)
	}
	one := before + "aa" + after
	b.target(m, dir, one, t)
	if b.rules == nil {
		return true
	}
	p := b.look(dir, one, t.op).path
	places := []string{p.Clean}
	if p.Real != p.Clean && p.Real != "" {
		places = append(places, p.Real)
	}
	tried := pieces().all
	if t.program == "wget" {
		tried = pieces().numbers
	}
	for _, place := range places {
		begin, ok := strings.CutSuffix(place, "aa"+after)
		if !ok {
			return false
		}
		for i, piece := range tried {
			if i%2 == 0 && b.count() != nil {
				return false
			}
			if _, denied := b.deniesWriting(begin + piece + after); denied {
				b.target(m, dir, before+piece+after, t)
				return true
			}
		}
	}
	return true
}

// changedBefore says whether a part that runs before command i may remove or
// replace names.
func (b *builder) changedBefore(s *shellCall, i int) bool {
	if len(s.rep.Commands) == 1 {
		return false
	}
	for j := range s.rep.Commands {
		if j >= i && !s.unordered() {
			break
		}
		if j == i {
			continue
		}
		c := &s.rep.Commands[j]
		if !c.Described {
			return true
		}
		for _, e := range c.Effects {
			if e.Kind == bashcheck.Delete || e.Kind == bashcheck.Change || e.Kind == bashcheck.Write && e.Extent != bashcheck.Exact {
				return true
			}
		}
	}
	return false
}

// copied adds a write for each entry below src that would be no ordinary file
// below one of the places in dir. leaves, where not nil, is what is left out.
func (b *builder) copied(a *permission.Action, src, dir string, to []string, leaves *filter) {
	seen := map[string]bool{}
	err := filepath.WalkDir(src, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			if name == src && errors.Is(err, os.ErrNotExist) {
				return nil
			}
			return err
		}
		if err := b.count(); err != nil {
			return err
		}
		rel, err := filepath.Rel(src, name)
		if err != nil {
			return err
		}
		if rel == "." {
			return nil
		}
		if leaves != nil && d.IsDir() && leaves.skipDir(rel, d.Name()) {
			return filepath.SkipDir
		} else if leaves != nil && leaves.skipFile(rel, d.Name()) {
			return nil
		}
		for _, t := range to {
			p := b.ask(dir, t+"/"+rel, scope.Create).path
			at := b.ask(dir, t, scope.Create).path
			_, denied := b.deniesWriting(p.Clean)
			if (p.Class != permission.Ordinary || p.Zone != at.Zone || denied || p.Steers) && !seen[p.Clean] {
				seen[p.Clean] = true
				e := *a
				e.Path = p
				e.Path.Extent = permission.Exact
				b.add(e)
			}
		}
		return nil
	})
	// Rules over editing may speak of what is made below.
	for _, t := range to {
		e := *a
		e.Path = b.resolve(dir, t, scope.Create)
		e.Path.Extent = permission.Within
		e.Path.Walked = err == nil && b.toldOfWriting()
		if err != nil {
			unclassified(&e.Path, "not everything that is copied could be looked at")
		}
		b.add(e)
	}
}

// linked adds the reads that a link would make possible: what it points to,
// from where the command runs and from where the link stands.
func (b *builder) linked(c *bashcheck.Command, of int) {
	var words []bashcheck.Word
	for _, w := range c.Argv[1:] {
		if w.Static && strings.HasPrefix(w.Text, "-") {
			continue
		}
		words = append(words, w)
	}
	for i, w := range words {
		if i > 0 && i == len(words)-1 {
			break // the name of the link
		}
		last := words[len(words)-1]
		for _, d := range b.places(c.Dir) {
			if !w.Static {
				continue
			}
			dirs := []string{d}
			if last.Static && !path.IsAbs(w.Text) {
				dirs = append(dirs, path.Dir(absolute(d, last.Text)), absolute(d, last.Text))
			}
			for _, from := range dirs {
				a := permission.Action{Kind: permission.Read, Of: of, Origin: permission.Operand, Free: true, Span: span(w.Span)}
				a.Path = b.resolve(from, w.Text, scope.Read)
				a.Path.Extent = permission.Exact
				if a.Path.Class == permission.Unclassified && a.Path.Zone == permission.Outside && from != d {
					continue // no such place
				}
				b.recognize(&a.Path)
				b.add(a)
			}
		}
	}
}
