package scope

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// Guard confines file operations to a root and its additional directories,
// and tells about paths. It holds its roots open: what they were called when
// the guard was made matters only for the paths that it is given. It is
// immutable and safe for concurrent use.
//
// It confines only the code that uses it. A program that is started, and a
// process that already holds a file open, are not confined.
type Guard struct {
	space   *space
	held    []*held
	permits func(op Op, real string) bool
	maxRead int64
	closed  *sync.RWMutex
	state   *state
	// hook, in tests, runs between holding a directory and acting in it.
	hook func(real string)
}

type state struct{ closed bool }

// held is a root held open.
type held struct {
	root *os.Root
	dir  *os.File // Linux only
	// whole says that this is the root of the file system, where mounts are
	// no border.
	whole bool
	// portable leaves openat2 alone, as on other systems.
	portable bool
}

func openHeldRoot(path string) (*held, error) {
	r, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	d, err := openHandle(path)
	if err != nil {
		r.Close()
		return nil, err
	}
	h := &held{root: r, dir: d}
	if d != nil {
		a, err1 := r.Stat(".")
		b, err2 := d.Stat()
		if err1 != nil || err2 != nil || !os.SameFile(a, b) {
			h.close()
			return nil, ErrRaced
		}
	}
	return h, nil
}

func (h *held) close() error {
	err := h.root.Close()
	if h.dir != nil {
		err = errors.Join(err, h.dir.Close())
	}
	return err
}

// New returns a guard for a root directory, which must exist, as must the
// additional directories. A relative root is relative to the current
// directory. Links in all of them are resolved once, here. Close frees the
// handles.
//
// Errors: what the file system said, or that an option is not usable (a home
// or protected path that is not absolute, an unknown name in Lift, a pattern
// that could never match).
func New(root string, opts Options) (*Guard, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("scope: root: %w", err)
	}
	if root == "" {
		return nil, fmt.Errorf("scope: root: %w", &invalid{ReasonInvalid, "it is empty"})
	}
	st := posix
	if runtime.GOOS == "windows" {
		st = windows
	}
	probe := &space{style: st, look: lookPath, class: &classifier{}}
	forms := func(p string) ([][]string, error) {
		if !filepath.IsAbs(p) {
			return nil, errors.New("want an absolute path")
		}
		w, err := probe.walk(p, nil, Stat)
		if err != nil {
			return nil, err
		}
		return [][]string{w.clean, w.real}, nil
	}
	s, err := newSpace(st, opts, forms)
	if err != nil {
		return nil, err
	}
	g := &Guard{space: s, maxRead: DefaultMaxRead, closed: new(sync.RWMutex), state: new(state)}
	s.look = lookPath
	s.glance = func(root int, rel string) (node, bool) { return glance(g.held[root], rel) }
	s.mounted = func(root int, rel string) bool { return crosses(g.held[root], rel) }
	s.gitDir = s.looksLikeGitDir
	add := func(p string, z Zone, ro bool) error {
		if !filepath.IsAbs(p) {
			p = filepath.Join(s.roots[0].path, p)
		}
		f, err := forms(p)
		if err != nil {
			return fmt.Errorf("scope: directory %q: %w", p, err)
		}
		real := s.join(f[1])
		h, err := openHeldRoot(real)
		if err != nil {
			return fmt.Errorf("scope: directory %q: %w", p, err)
		}
		g.held = append(g.held, h)
		s.addRoot(zoneRoot{path: real, names: f[1], zone: z, readOnly: ro})
		return nil
	}
	err = add(abs, Inside, false)
	if err == nil {
		err = addAll(opts, add)
	}
	for _, m := range opts.Mounts {
		if err != nil {
			break
		}
		// A mount that belongs to a root is a root of its own with the same
		// zone: the handle of the outer one stops at it.
		if !filepath.IsAbs(m) {
			m = filepath.Join(s.roots[0].path, m)
		}
		var f [][]string
		if f, err = forms(m); err != nil {
			break
		}
		i := s.rootOf(f[1])
		if i < 0 {
			err = fmt.Errorf("scope: mount %q lies below no root", m)
			break
		}
		err = add(m, s.roots[i].zone, s.roots[i].readOnly)
	}
	if err != nil {
		g.Close()
		return nil, err
	}
	s.gitDirs = s.gitPointers()
	return g, nil
}

// Check tells what a path is for an operation, without side effects. A
// relative path is relative to the root; "~" and "$" mean nothing special.
// The answer is advice about a moment: the operations check again.
func (g *Guard) Check(path string, op Op) Resolution {
	return g.CheckFrom(".", path, op)
}

// CheckFrom is Check with a relative path relative to dir, which is relative
// to the root itself where it is not absolute; "" is the root.
func (g *Guard) CheckFrom(dir, path string, op Op) Resolution {
	g.closed.RLock()
	defer g.closed.RUnlock()
	if g.state.closed {
		return Resolution{Path: path, Op: op, Reason: ReasonUnknown, Err: ErrClosed}
	}
	if dir == "" || dir == "." {
		return g.space.check(path, g.space.roots[0].names, op)
	}
	return g.space.checkFrom(dir, path, op)
}

// Root returns the root with its links resolved.
func (g *Guard) Root() string { return g.space.roots[0].path }

// Roots returns the root and the additional directories, links resolved.
func (g *Guard) Roots() []string {
	var out []string
	for _, r := range g.space.roots {
		out = append(out, r.path)
	}
	return out
}

// With returns a guard that does, besides what g does, exactly what permits
// allows: it is asked with the operation and the resolved path for everything
// that g would refuse as outside, read-only, protected or sensitive. What is
// forbidden, special or invalid stays refused. The path that was permitted is
// the path that is opened: where a link changes that in between, the operation
// fails with ErrRaced or is refused. The two guards share their handles;
// closing one closes both.
func (g *Guard) With(permits func(op Op, real string) bool) *Guard {
	c := *g
	if old := g.permits; old != nil && permits != nil {
		c.permits = func(op Op, real string) bool { return old(op, real) || permits(op, real) }
	} else if permits != nil {
		c.permits = permits
	}
	return &c
}

// Close closes the handles. Operations after it fail with ErrClosed. Files
// that were opened stay open. A second Close does nothing.
func (g *Guard) Close() error {
	g.closed.Lock()
	defer g.closed.Unlock()
	if g.state.closed {
		return nil
	}
	g.state.closed = true
	var errs []error
	for _, h := range g.held {
		errs = append(errs, h.close())
	}
	return errors.Join(errs...)
}

// gitNames are the names in a git directory that make git run or load things.
var gitNames = []string{"head", "objects", "refs", "config", "config.worktree", "hooks", "info", "commondir", "gitdir", "modules", "worktrees", "packed-refs", "alternates", "branches", "remotes", "rebase-merge", "rebase-apply", "sequencer"}

// looksLikeGitDir tells whether a component below base stands directly in a
// directory that is a git directory by its content, or would become one by
// this change: HEAD with objects and refs (a bare repository), or HEAD with
// commondir (a work tree), or one that a .git file beside it names.
func (s *space) looksLikeGitDir(names []string, base int, op Op) bool {
	for _, d := range s.gitDirs {
		if s.under(names, d) {
			return true
		}
	}
	if op.tree() && len(names) > base {
		d := s.join(names) + string(filepath.Separator)
		// What cannot be looked into cannot be moved or removed either.
		if isGitDir(func(n string) bool { k := s.look(d + n).kind; return k != missing && k != failed }) {
			return true
		}
	}
	for i := len(names) - 1; i >= base; i-- {
		n := Fold(names[i])
		if !slices.Contains(gitNames, n) {
			continue
		}
		d := s.join(names[:i])
		has := func(what string) bool {
			return n == strings.ToLower(what) || s.look(d+string(filepath.Separator)+what).kind != missing
		}
		if isGitDir(has) {
			return true
		}
		if s.namedByPointer(names[:i], base) {
			return true
		}
	}
	return false
}

// isGitDir tells whether a directory with such names is what git takes for a
// repository or a work tree's part of one.
func isGitDir(has func(name string) bool) bool {
	return has("HEAD") && (has("objects") && has("refs") || has("commondir"))
}

// gitParts are the names of isGitDir, folded.
var gitParts = []string{"head", "objects", "refs", "commondir"}

// completed looks again after a name has been made: two operations at the same
// time, each with a part, make a git directory that neither of them saw coming.
// The last one of them sees all parts, and undoes its own.
func (g *Guard) completed(p *place, undo func() error) error {
	if p.Exists || p.Class >= Protected || !slices.Contains(gitParts, Fold(p.name)) ||
		!isGitDir(func(n string) bool { _, err := p.dir.lstat(n); return !errors.Is(err, fs.ErrNotExist) }) {
		return nil
	}
	if err := g.refuseBelow(g.space.namesOf(p.Real), gitDirectory, p.Op); err != nil {
		return errors.Join(err, undo())
	}
	return nil
}

// unmake takes away what was made at a place. A directory that is not empty any
// more stays under another name.
func (p *place) unmake() error {
	tmp := tempName()
	if err := p.dir.rename(p.name, p.dir, tmp); err != nil {
		return err
	}
	fi, err := p.dir.lstat(tmp)
	if err != nil {
		return err
	}
	if err := p.dir.remove(tmp, fi.IsDir()); err != nil {
		return fmt.Errorf("what was made is now called %s: %w", tmp, err)
	}
	return nil
}

// gitDirectory is the verdict on one.
var gitDirectory = verdict{Protected, "git-directory", "the folder is a git directory by its content; git runs what is configured in it", -1}

// maxPointers bounds how many neighbours are looked at for a .git file.
const maxPointers = 512

// namedByPointer tells whether a .git file in a directory beside or above d
// names d as its git directory.
func (s *space) namedByPointer(d []string, base int) bool {
	for up := len(d); up >= base && up >= len(d)-3; up-- {
		parent := s.join(d[:up])
		if g, ok := s.readPointer(d[:up]); ok && s.under(d, g) {
			return true
		}
		f, err := os.Open(parent)
		if err != nil {
			continue
		}
		entries, _ := f.ReadDir(maxPointers)
		f.Close()
		for _, e := range entries {
			if !e.IsDir() {
				continue
			}
			if g, ok := s.readPointer(append(slices.Clone(d[:up]), e.Name())); ok && s.under(d, g) {
				return true
			}
		}
	}
	return false
}

// readPointer reads the git directory that the file .git in a directory names.
func (s *space) readPointer(names []string) ([]string, bool) {
	p := s.join(append(slices.Clone(names), ".git"))
	n := s.look(p)
	if n.kind != other || !n.mode.IsRegular() {
		return nil, false
	}
	return s.readReference(p, names, "gitdir: ")
}

// readReference reads a small file that holds a path after a prefix.
func (s *space) readReference(file string, from []string, prefix string) ([]string, bool) {
	data, err := readSmall(file)
	if err != nil {
		return nil, false
	}
	target, ok := strings.CutPrefix(strings.TrimRight(data, "\r\n"), prefix)
	if !ok || target == "" {
		return nil, false
	}
	w, err := s.walk(target, from, Stat)
	if err != nil {
		return nil, false
	}
	return w.real, true
}

func readSmall(file string) (string, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|openNonblock, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		return "", ErrSpecial
	}
	buf := make([]byte, 4096)
	n, err := f.Read(buf)
	if n == 0 {
		return "", err
	}
	return string(buf[:n]), nil
}

// gitPointers returns the git directories and common directories that the
// roots themselves name, so that they are protected wherever they lie.
func (s *space) gitPointers() [][]string {
	var out [][]string
	for _, r := range s.roots {
		g, ok := s.readPointer(r.names)
		if !ok {
			continue
		}
		out = append(out, g)
		if c, ok := s.readReference(s.join(append(slices.Clone(g), "commondir")), g, ""); ok {
			out = append(out, c)
		}
	}
	// A pointer at a root or above it would protect everything.
	return slices.DeleteFunc(out, func(g []string) bool {
		return slices.ContainsFunc(s.roots, func(r zoneRoot) bool { return s.under(r.names, g) })
	})
}
