package scope

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// Symlink makes a symbolic link at newpath that holds the text target. The
// target is judged as what it leads to from there now: it must lie in a root,
// and be neither protected, sensitive nor forbidden; [Guard.With] is asked with
// Symlink and that path. It need not exist. What the text leads to later is
// another question: every operation through the link judges again, programs
// without a guard do not.
func (g *Guard) Symlink(target, newpath string) error {
	if err := endsInDots(newpath, Symlink); err != nil {
		return err
	}
	return g.at(newpath, Symlink, func(p *place) error {
		if trailing(newpath) {
			return p.fail("symlink", errNotDir)
		}
		names := g.space.namesOf(p.Real)
		// As a file that is made there: reading and writing it count.
		r, _ := g.space.resolve(target, names[:len(names)-1], Create)
		r.Op = Symlink
		if r.Err != nil && !errors.Is(r.Err, ErrHardLink) {
			return &PathError{Op: Symlink, Resolution: r, Err: r.Err}
		}
		if err := g.refuse(&r); err != nil {
			return &PathError{Op: Symlink, Resolution: r, Err: err}
		}
		if err := p.dir.symlink(target, p.name); err != nil {
			return err
		}
		return g.completed(p, p.unmake)
	})
}

// Link makes newpath another name of the regular file oldpath. Both are
// judged; a file that is protected or sensitive gets no second name, by
// which it would be neither. A link is not followed. It works within one file
// system, on systems without openat2 only within one directory or root.
func (g *Guard) Link(oldpath, newpath string) error {
	if err := errors.Join(endsInDots(oldpath, Link), endsInDots(newpath, Link)); err != nil {
		return err
	}
	return g.at(oldpath, Link, func(from *place) error {
		fi, err := from.dir.lstat(from.name)
		if err != nil {
			return err
		}
		if trailing(oldpath) || trailing(newpath) {
			return from.fail("link", errNotDir)
		}
		if !fi.Mode().IsRegular() {
			return ErrSpecial
		}
		return g.atOpen(newpath, Link, func(to *place) error {
			err := from.dir.link(from.name, to.dir, to.name)
			if errors.Is(err, errNoHandle) {
				err = errCross
				if h := g.common(from, to); h != nil {
					err = h.root.Link(filepath.FromSlash(from.Rel), filepath.FromSlash(to.Rel))
				}
			}
			if err != nil {
				return err
			}
			return g.completed(to, to.unmake)
		})
	})
}

// errCross: two directories that have no handle in common here.
var errCross = errors.New("the two names lie in different roots, which this system cannot do")

// common returns the root that two places share.
func (g *Guard) common(a, b *place) *held {
	if a.Root == "" || a.Root != b.Root {
		return nil
	}
	for i := range g.space.roots {
		if g.space.roots[i].path == a.Root {
			return g.held[i]
		}
	}
	return nil
}

// Stat returns what the file system says about the file that a path leads to.
// Names and sizes of sensitive files are no secret here.
func (g *Guard) Stat(path string) (fi fs.FileInfo, err error) {
	err = g.at(path, Stat, func(p *place) error {
		if fi, err = p.dir.lstat(p.name); err != nil {
			return err
		}
		if fi.Mode()&fs.ModeSymlink != 0 {
			return errMoved
		}
		if trailing(path) && !fi.IsDir() {
			return p.fail("stat", errNotDir)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return fi, nil
}
