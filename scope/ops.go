package scope

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// DefaultMaxRead is the largest file in bytes that ReadFile returns.
const DefaultMaxRead = 64 << 20

// rounds is how often a path that changes under an operation is judged anew.
const rounds = 3

// refuse returns why the guard does not do op at r, nil where it does.
func (g *Guard) refuse(r *Resolution) error {
	if r.Err != nil {
		return r.Err
	}
	if r.Class == Forbidden {
		return ErrForbidden
	}
	var err error
	switch {
	case r.Class == Sensitive:
		err = ErrSensitive
	case r.Class == Protected:
		err = ErrProtected
	case r.Zone == Outside:
		err = ErrOutside
	case r.ReadOnly && !r.Op.reads():
		err = ErrReadOnly
	case r.Class != Ordinary || r.Zone > Inside:
		err = ErrUnresolved
	default:
		return nil
	}
	if g.permits != nil && r.Real != "" && g.permits(r.Op, r.Real) {
		return nil
	}
	if r.Zone == Outside && err != ErrOutside {
		return fmt.Errorf("%w, %w", err, ErrOutside)
	}
	return err
}

// place is a resolved path with its directory held open.
type place struct {
	Resolution
	dir  dir
	name string // "." for a root
}

// place resolves, judges and opens the directory of a path.
func (g *Guard) place(path string, op Op) (p place, err error) {
	r, root := g.space.resolve(path, g.space.roots[0].names, op)
	p.Resolution = r
	if err := g.refuse(&r); err != nil {
		return p, err
	}
	if r.broken != nil {
		return p, p.fail(op.String(), r.broken)
	}
	h, rel := (*held)(nil), r.Rel
	if root >= 0 {
		h = g.held[root]
	} else {
		// Permitted, though outside: from the top of the file system, by the
		// resolved path, with no link in it.
		top := filepath.VolumeName(r.Real) + string(filepath.Separator)
		if h, err = openHeldRoot(top); err != nil {
			return p, err
		}
		defer h.close()
		h.whole, h.portable = true, g.held[0].portable
		rel = strings.TrimPrefix(filepath.ToSlash(r.Real[len(top):]), "/")
		if rel == "" {
			rel = "."
		}
	}
	parent, name := ".", rel
	if i := strings.LastIndexByte(rel, '/'); i >= 0 {
		parent, name = rel[:i], rel[i+1:]
	}
	p.name = name
	p.dir, err = openHeld(h, parent)
	return p, err
}

// at runs do at the place of path, again where the path changed meanwhile.
func (g *Guard) at(path string, op Op, do func(p *place) error) error {
	g.closed.RLock()
	defer g.closed.RUnlock()
	if g.state.closed {
		return &PathError{Op: op, Resolution: Resolution{Path: path, Op: op}, Err: ErrClosed}
	}
	return g.atOpen(path, op, do)
}

// atOpen is at for callers that know that the guard is not closed.
func (g *Guard) atOpen(path string, op Op, do func(p *place) error) error {
	var last Resolution
	for round := range rounds {
		p, err := g.place(path, op)
		last = p.Resolution
		if err == nil {
			if g.hook != nil {
				g.hook(last.Real)
			}
			err = do(&p)
			p.dir.close()
		}
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errMoved):
			continue
		case round > 0 && errors.Is(err, ErrOutside):
			// It was to be done a moment ago.
			err = fmt.Errorf("%w: %w", ErrRaced, err)
		}
		var inner *PathError
		if errors.As(err, &inner) {
			return err
		}
		return &PathError{Op: op, Resolution: last, Err: err}
	}
	return &PathError{Op: op, Resolution: last, Err: ErrRaced}
}

// trailing tells whether the path asks for a directory.
func trailing(path string) bool {
	return lastSlash(path) || lastName(path) == "."
}

func lastSlash(path string) bool {
	return strings.HasSuffix(path, "/") || runtime.GOOS == "windows" && strings.HasSuffix(path, "\\")
}

// lastName returns the last component as written, without trailing slashes.
func lastName(path string) string {
	path = filepath.ToSlash(path)
	path = strings.TrimRight(path, "/")
	return path[strings.LastIndexByte(path, '/')+1:]
}

func (p *place) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: p.Real, Err: err}
}

// Open opens a regular file or a directory for reading. A FIFO, socket or
// device fails with ErrSpecial and is not waited for.
//
// Like all operations it judges the path first and refuses with a *PathError
// what is outside, sensitive, forbidden or, for changes, protected or
// read-only (errors.Is tells which), unless the guard was made with [Guard.With].
// What is opened is the resolved path that was judged, with no link left in
// it.
func (g *Guard) Open(path string) (f *os.File, err error) {
	if f := g.openOrdinary(path); f != nil {
		return f, nil
	}
	err = g.at(path, Read, func(p *place) error {
		if f, err = p.dir.open(p.name, os.O_RDONLY, 0); err != nil {
			return err
		}
		if trailing(path) {
			if fi, err := f.Stat(); err != nil || !fi.IsDir() {
				f.Close()
				f = nil
				return p.fail("open", errNotDir)
			}
		}
		return nil
	})
	return f, err
}

// openOrdinary opens what is plainly readable: the path as text lies in a root,
// its name is ordinary, and the kernel finds it with no link, no mount and no
// ".." on the way, so that the name is the whole truth. It returns nil for
// everything else, whatever the reason; then the long way decides.
func (g *Guard) openOrdinary(path string) *os.File {
	if g.hook != nil || trailing(path) {
		return nil
	}
	g.closed.RLock()
	defer g.closed.RUnlock()
	if g.state.closed {
		return nil
	}
	s := g.space
	start, rest, err := s.split(path, s.roots[0].names)
	if err != nil || slices.Contains(rest, "..") || len(rest) > maxSteps {
		return nil
	}
	names := s.cleanNames(start, rest)
	i := s.rootOf(names)
	if i < 0 || len(names) == len(s.roots[i].names) || s.class.classify(names, len(s.roots[i].names), Read).class != Ordinary {
		return nil
	}
	return openBeneath(g.held[i], strings.Join(names[len(s.roots[i].names):], "/"))
}

// ReadFile returns the content of a regular file. A file larger than
// DefaultMaxRead fails with ErrTooLarge. A file with more than one hard link
// is read: that it is one cannot be told from its path ([Resolution.Links]
// reports it).
func (g *Guard) ReadFile(path string) ([]byte, error) {
	f, err := g.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, g.maxRead+1))
	if err == nil && int64(len(data)) > g.maxRead {
		data, err = nil, ErrTooLarge
	}
	if err != nil {
		return nil, &PathError{Op: Read, Resolution: g.Check(path, Read), Err: err}
	}
	return data, nil
}

// entry is a directory entry whose Info goes through the guard.
type entry struct {
	fs.DirEntry
	g   *Guard
	dir string // with a separator at its end
}

func (e entry) Info() (fs.FileInfo, error) {
	var fi fs.FileInfo
	err := e.g.at(e.dir+e.Name(), Stat, func(p *place) (err error) {
		fi, err = p.dir.lstat(p.name)
		return err
	})
	return fi, err
}

// ReadDir returns the entries of a directory, in the order of the file system.
// Names of files that may not be read are among them.
func (g *Guard) ReadDir(path string) ([]fs.DirEntry, error) {
	var out []fs.DirEntry
	err := g.at(path, List, func(p *place) error {
		f, err := p.dir.open(p.name, os.O_RDONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		list, err := f.ReadDir(-1)
		prefix := p.Real
		if !strings.HasSuffix(prefix, string(filepath.Separator)) {
			prefix += string(filepath.Separator)
		}
		for _, e := range list {
			out = append(out, entry{e, g, prefix})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// WriteFile replaces the content of a file, or makes it, in one step: a
// temporary file in the same directory, then a rename. Nobody sees half of it,
// and a failure leaves the old content. The mode is kept without setuid and
// setgid, the owner where the system permits it; access lists and extended
// attributes are not. Other hard links keep the old content. The directory
// must exist ([Guard.MkdirAll]). The data is not forced to the disk;
// [Guard.Write] can do that, and more.
func (g *Guard) WriteFile(path string, data []byte) error {
	return g.Write(path, data, WriteOptions{})
}

// tempName returns a name that nobody can guess.
func tempName() string {
	var b [12]byte
	rand.Read(b[:])
	return ".scope-" + hex.EncodeToString(b[:])
}

// Create makes a file, or empties an existing one in place, and opens it for
// reading and writing. An existing file with more than one hard link fails
// with ErrHardLink, because the other names would change too.
func (g *Guard) Create(path string) (f *os.File, err error) {
	err = g.at(path, Write, func(p *place) error {
		if trailing(path) || p.name == "." {
			return p.fail("create", errIsDir)
		}
		f, err = p.dir.open(p.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if err == nil {
			if err = g.completed(p, func() error { return errors.Join(f.Close(), p.unmake()) }); err != nil {
				f = nil
			}
		}
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		if f, err = p.dir.open(p.name, os.O_RDWR, 0); err != nil {
			return err
		}
		fi, err := f.Stat()
		if err == nil && linksOf(fi) > 1 {
			err = ErrHardLink
		}
		if err == nil {
			err = f.Truncate(0)
		}
		if err != nil {
			f.Close()
			f = nil
		}
		return err
	})
	return f, err
}

// Mkdir makes a directory. A link is a name that is taken, whatever it leads to.
func (g *Guard) Mkdir(path string) error {
	return g.at(path, Create, func(p *place) error {
		switch {
		case p.link:
			return p.fail("mkdir", fs.ErrExist)
		case lastName(path) == "." && !p.Exists:
			return p.fail("mkdir", fs.ErrNotExist)
		}
		if err := p.dir.mkdir(p.name); err != nil {
			return err
		}
		return g.completed(p, p.unmake)
	})
}

// maxNew is how many directories MkdirAll makes in one call.
const maxNew = 255

// MkdirAll makes a directory and those above it that are missing. An existing
// directory is no error; more than 255 missing ones are ErrInvalid. A link to
// nothing on the way is a name that is taken.
func (g *Guard) MkdirAll(path string) error {
	r := g.Check(path, Create)
	if err := g.refuse(&r); err != nil {
		return &PathError{Op: Create, Resolution: r, Err: err}
	}
	switch {
	case r.broken != nil:
		return &PathError{Op: Create, Resolution: r, Err: r.broken}
	case r.dangling:
		return &PathError{Op: Create, Resolution: r, Err: fs.ErrExist}
	case r.Exists && r.Mode.IsDir():
		return nil
	}
	// Upwards to what exists, then downwards; every step is judged and made on
	// its own handle.
	var todo []string
	for p := r.Real; ; p = filepath.Dir(p) {
		s := g.Check(p, Stat)
		if s.Exists && s.Mode.IsDir() || p == filepath.Dir(p) {
			break
		}
		if todo = append(todo, p); len(todo) > maxNew {
			return &PathError{Op: Create, Resolution: r, Err: &invalid{ReasonTooLong, fmt.Sprintf("more than %d missing directories", maxNew)}}
		}
	}
	for i := len(todo) - 1; i >= 0; i-- {
		err := g.Mkdir(todo[i])
		if errors.Is(err, fs.ErrExist) {
			if s := g.Check(todo[i], Stat); s.Exists && s.Mode.IsDir() {
				err = nil
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Remove removes a file, a link (not what it points to) or an empty directory.
// A path that ends in "." or "..", and a root, are refused.
func (g *Guard) Remove(path string) error {
	if err := endsInDots(path, Delete); err != nil {
		return err
	}
	return g.at(path, Delete, func(p *place) error {
		fi, err := p.dir.lstat(p.name)
		if err != nil {
			return err
		}
		if trailing(path) && (!fi.IsDir() || p.link) {
			return p.fail("remove", errNotDir)
		}
		return p.dir.remove(p.name, fi.IsDir())
	})
}

func endsInDots(path string, op Op) error {
	if n := lastName(path); n == "." || n == ".." {
		return &PathError{Op: op, Resolution: Resolution{Path: path, Op: op}, Err: &invalid{ReasonInvalid, "it ends in " + n}}
	}
	return nil
}

// Rename moves a file, a link or a directory. Both names are judged; a name
// that is replaced must not be protected, sensitive or forbidden either. A
// directory is looked through first (ErrTooLarge over MaxTree entries): it
// must not hold what is sensitive, and nothing in it may become protected by
// its new name or lose a class by it. A relative link must not come to lead out,
// or to what is protected or sensitive. It
// works from one root to another on one file system, on systems without
// openat2 only within one directory or root.
func (g *Guard) Rename(oldpath, newpath string) error {
	if err := errors.Join(endsInDots(oldpath, RenameFrom), endsInDots(newpath, RenameTo)); err != nil {
		return err
	}
	return g.at(oldpath, RenameFrom, func(from *place) error {
		fi, err := from.dir.lstat(from.name)
		if err != nil {
			return err
		}
		if (!fi.IsDir() || from.link) && (trailing(oldpath) || trailing(newpath)) {
			return from.fail("rename", errNotDir)
		}
		return g.atOpen(newpath, RenameTo, func(to *place) error {
			if to.link {
				return to.fail("rename", errNotDir)
			}
			if fi.Mode()&fs.ModeSymlink != 0 {
				if err := g.turns(from.dir, from.name, g.parentOf(from), g.parentOf(to)); err != nil {
					return err
				}
			}
			if fi.IsDir() {
				if err := g.launders(from, to); err != nil {
					return err
				}
			}
			move := func(from, to *place) error {
				err := from.dir.rename(from.name, to.dir, to.name)
				if errors.Is(err, errNoHandle) {
					if h := g.common(from, to); h != nil {
						return h.root.Rename(filepath.FromSlash(from.Rel), filepath.FromSlash(to.Rel))
					}
					return errCross
				}
				return err
			}
			if err := move(from, to); err != nil {
				return err
			}
			return g.completed(to, func() error { return move(to, from) })
		})
	})
}

func (g *Guard) parentOf(p *place) []string {
	names := g.space.namesOf(p.Real)
	return names[:max(0, len(names)-1)]
}

// turns refuses to move a relative link that stays inside from a directory to
// another from which it leads where [Guard.Symlink] would not let it: the two
// together would make any link.
func (g *Guard) turns(d dir, name string, oldDir, newDir []string) error {
	target, err := d.readlink(name)
	if err != nil {
		return err
	}
	if filepath.IsAbs(target) || slices.Equal(oldDir, newDir) {
		return nil
	}
	refused := func(from []string) (r Resolution, err error) {
		r, _ = g.space.resolve(target, from, Create)
		r.Op = Symlink
		if errors.Is(r.Err, ErrHardLink) {
			r.Err = nil
		}
		return r, g.refuse(&r)
	}
	if _, err := refused(oldDir); err != nil {
		return nil // it did so before
	}
	if r, err := refused(newDir); err != nil {
		return &PathError{Op: RenameTo, Resolution: r, Err: err}
	}
	return nil
}

// MaxTree is how many entries of a directory Rename looks through.
const MaxTree = 10_000

// launders tells whether moving a directory would give something in it
// another class: that is how a secret becomes test data, and a harmless folder
// a folder of hooks. Names alone are judged, on the handles that are held.
func (g *Guard) launders(from, to *place) error {
	s := g.space
	oldNames, newNames := s.namesOf(from.Real), s.namesOf(to.Real)
	count := 0
	var walk func(d dir, name string, below []string) error
	walk = func(d dir, name string, below []string) error {
		f, err := d.open(name, os.O_RDONLY, 0)
		if err != nil {
			return err
		}
		list, err := f.ReadDir(MaxTree + 1 - count)
		f.Close()
		if err != nil && err != io.EOF {
			return err
		}
		if count += len(list); count > MaxTree {
			return fmt.Errorf("%w: more than %d entries to look through", ErrTooLarge, MaxTree)
		}
		var sub dir
		for _, e := range list {
			path := append(below[:len(below):len(below)], e.Name())
			o := append(oldNames[:len(oldNames):len(oldNames)], path...)
			n := append(newNames[:len(newNames):len(newNames)], path...)
			before, after := s.class.classify(o, s.base(o), Write), s.class.classify(n, s.base(n), Write)
			if before.class >= Sensitive || before.class != after.class {
				v := before
				v.raise(after)
				if err := g.refuseBelow(o, v, RenameFrom); err != nil {
					return err
				}
			}
			isLink := e.Type()&fs.ModeSymlink != 0
			if sub == nil && (isLink || e.IsDir()) {
				if sub, err = d.sub(name); err != nil {
					return err
				}
				defer sub.close()
			}
			if isLink {
				if err := g.turns(sub, e.Name(), o[:len(o)-1], n[:len(n)-1]); err != nil {
					return err
				}
			}
			if e.IsDir() {
				if err := walk(sub, e.Name(), path); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return walk(from.dir, from.name, nil)
}
