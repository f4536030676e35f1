package scope

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Limits of RemoveAll.
const (
	maxRemove = 1_000_000 // entries
	maxDepth  = 1000      // directories above one another
)

// RemoveAll removes a file, a link, or a directory with all that lies in it.
// Slashes at the end say nothing, as for os.RemoveAll: a link goes, not what it
// leads to. A path that ends in "." or "..", and a root, are refused; what does not exist is
// no error. Links are removed, never followed. It stops at mount points
// (ErrOutside; without openat2 only at other devices).
//
// A directory is looked through before anything is removed: if something in it
// is protected (a repository, too), sensitive or forbidden the call is refused, with the
// [Resolution] of the first such file. While it removes, every name is judged
// again. An error leaves the rest as it is. More than 1,000,000 entries or
// 1,000 levels are ErrTooLarge.
func (g *Guard) RemoveAll(path string) error {
	if err := endsInDots(path, Delete); err != nil {
		return err
	}
	for len(path) > 1 && lastSlash(path) {
		path = path[:len(path)-1]
	}
	err := g.at(path, Delete, func(p *place) error {
		fi, err := p.dir.lstat(p.name)
		if err != nil {
			return err
		}
		if !fi.IsDir() {
			return p.dir.remove(p.name, false)
		}
		names := g.space.namesOf(p.Real)
		// What the call itself was permitted holds for all of it.
		permitted := g.space.class.classify(names, g.space.base(names), Delete)
		r := remover{g: g, left: maxRemove}
		if err := r.walk(p.dir, p.name, names, 0, permitted); err != nil {
			return err
		}
		r = remover{g: g, left: maxRemove, remove: true}
		return r.walk(p.dir, p.name, names, 0, permitted)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

type remover struct {
	g      *Guard
	left   int
	remove bool
}

// walk looks through, or removes, the directory name in d. What it was permitted
// as holds for what lies below.
func (r *remover) walk(d dir, name string, names []string, depth int, permitted verdict) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: more than %d directories above one another", ErrTooLarge, maxDepth)
	}
	for {
		more, err := r.pass(d, name, names, depth, permitted)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	if !r.remove {
		return nil
	}
	return d.remove(name, true)
}

// pass goes once through a directory, in parts, so that one with very many
// names needs no more memory. more says that names were removed and the rest
// must be listed anew.
func (r *remover) pass(d dir, name string, names []string, depth int, permitted verdict) (more bool, err error) {
	sub, err := d.here(name)
	if err != nil {
		return false, err
	}
	defer sub.close()
	f, err := sub.open(".", os.O_RDONLY, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if depth > 0 && permitted.class < Protected && isGitDir(func(n string) bool { _, err := sub.lstat(n); return err == nil }) {
		if err := r.g.refuseBelow(names, gitDirectory, Delete); err != nil {
			return false, err
		}
		permitted = gitDirectory
	}
	judge := r.g.space.judge(names)
	for {
		list, err := f.ReadDir(1024)
		for _, e := range list {
			if r.left--; r.left < 0 {
				return false, fmt.Errorf("%w: more than %d entries", ErrTooLarge, maxRemove)
			}
			v := judge.class(e.Name(), Delete)
			if v.class != Ordinary && v != permitted {
				if err := r.g.refuseBelow(append(names[:len(names):len(names)], e.Name()), v, Delete); err != nil {
					return false, err
				}
			}
			if e.IsDir() {
				err := r.walk(sub, e.Name(), append(names[:len(names):len(names)], e.Name()), depth+1, v)
				if err != nil && !(r.remove && errors.Is(err, fs.ErrNotExist)) {
					return false, err
				}
				continue
			}
			if r.remove {
				if err := sub.remove(e.Name(), false); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return false, err
				}
			}
		}
		if err == io.EOF || err == nil && len(list) == 0 {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		// Removing while listing may skip names: begin again.
		more = r.remove
		if more {
			return true, nil
		}
	}
}

// refuseBelow is refuse for something that was found below a path that may be
// changed.
func (g *Guard) refuseBelow(names []string, v verdict, op Op) error {
	r := g.space.check(g.space.join(names), g.space.roots[0].names, op)
	r.Class, r.ClassName, r.ClassReason = v.class, v.name, v.reason
	if v.class != Forbidden && r.Err == nil && g.permits != nil && g.permits(op, r.Real) {
		return nil
	}
	kind := ErrForbidden
	switch v.class {
	case Protected:
		kind = ErrProtected
	case Sensitive:
		kind = ErrSensitive
	}
	return &PathError{Op: op, Resolution: r, Err: kind}
}

// judgement classes the names in one directory. Where the directory itself is
// ordinary, only rules that name the last component can say something new.
type judgement struct {
	c     *classifier
	names []string
	base  int
	// all says that every name needs the whole question.
	all bool
}

func (s *space) judge(names []string) *judgement {
	j := &judgement{c: s.class, names: names, base: s.base(names)}
	if s.class.classify(names, j.base, Write).class != Ordinary {
		j.all = true
		return j
	}
	comps := foldComponents(names)
	for _, p := range s.class.protect {
		if under2(p, comps) || under2(comps, p) {
			j.all = true
			return j
		}
	}
	// A rule that is found by a component before the last.
	for _, c := range comps {
		for _, n := range []string{c.plain, c.ntfs} {
			for _, f := range s.class.literal[n] {
				p := s.class.rules[f.rule].patterns[f.pattern]
				if strings.IndexByte(p.segs[len(p.segs)-1], '*') >= 0 {
					j.all = true
					return j
				}
			}
		}
	}
	return j
}

func (j *judgement) class(name string, op Op) verdict {
	if j.all || j.touches(name, op) {
		return j.c.classify(append(j.names[:len(j.names):len(j.names)], name), j.base, op)
	}
	return verdict{class: Ordinary}
}

// touches tells whether some rule may be about this last component.
func (j *judgement) touches(name string, op Op) bool {
	c := j.c
	plain := foldUnicode(name)
	ntfs := foldNTFS(plain)
	if strings.IndexByte(ntfs, '~') > 0 || ntfs != plain || op.tree() && (c.above[plain] || c.above["*"]) {
		return true
	}
	if len(c.literal[plain]) > 0 {
		return true
	}
	var ends []ref
	if dot := strings.LastIndexByte(plain, '.'); dot >= 0 {
		ends = c.suffix[plain[dot:]]
	}
	for i := range len(ends) + len(c.any) {
		var f ref
		if i < len(ends) {
			f = ends[i]
		} else {
			f = c.any[i-len(ends)]
		}
		p := &c.rules[f.rule].patterns[f.pattern]
		if matchStar(p.segs[len(p.segs)-1], plain) {
			return true
		}
	}
	return false
}
