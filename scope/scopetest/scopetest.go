// Package scopetest is a table of published attacks on path guards, to be run
// against any guard: the one of package scope, or the one of your own agent.
//
//	func TestMyGuard(t *testing.T) {
//		scopetest.Run(t, func(root string) (scopetest.Guard, error) { return newMyGuard(root) })
//	}
//
// Each [Case] makes a workspace and an outside, lets the guard do one operation,
// and looks whether the outside is as it was and its secret unread. For
// [Unguarded], which does what it is told, every attack succeeds: the tests of
// this package assert it.
package scopetest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// Guard is what is tested. Paths are absolute or relative to the root. An error
// is a refusal, whatever it says.
type Guard interface {
	// ReadFile returns the content of a file.
	ReadFile(path string) ([]byte, error)
	// WriteFile makes a file or replaces its content.
	WriteFile(path string, data []byte) error
}

// What a guard may do besides. Cases for operations that it does not have are
// skipped.
type (
	// Remover removes a file or an empty directory.
	Remover interface{ Remove(path string) error }
	// AllRemover removes a tree.
	AllRemover interface{ RemoveAll(path string) error }
	// Renamer moves.
	Renamer interface {
		Rename(oldpath, newpath string) error
	}
	// DirMaker makes a directory and those above it.
	DirMaker interface{ MkdirAll(path string) error }
	// Lister returns the names in a directory.
	Lister interface {
		ReadDir(path string) ([]fs.DirEntry, error)
	}
	// Linker makes a symbolic link.
	Linker interface {
		Symlink(target, newpath string) error
	}
	// HardLinker makes a hard link.
	HardLinker interface {
		Link(oldpath, newpath string) error
	}
)

// Op is the operation of a case.
type Op string

// The operations.
const (
	Read      Op = "read"
	Write     Op = "write"
	Remove    Op = "remove"
	RemoveAll Op = "removeall"
	Rename    Op = "rename" // from Path to To
	MkdirAll  Op = "mkdirall"
	List      Op = "list"
	Symlink   Op = "symlink" // To is the target
	Link      Op = "link"    // from Path to To
)

// Case is one attack, or one thing that must keep working.
type Case struct {
	// Name is stable.
	Name string
	// Why says what it is about, with the CVE where there is one.
	Why string
	// Setup are the lines of the workspace: "dir P", "file P", "link P TARGET",
	// "hardlink P OLD", "fifo P". Paths are below the folder that holds the
	// workspace "root" and the "out" side; $T in a target or a path stands for
	// that folder. out/secret always exists.
	Setup []string
	// Op, Path and To are the operation. Path and To are relative to the root
	// unless they begin with $T.
	Op       Op
	Path, To string
	// Works says that the guard must do it. Otherwise it must refuse, leaving
	// the outside and what Keep names as they are.
	Works bool
	// MayRefuse says that refusing is right too.
	MayRefuse bool
	// Keep are paths (as in Setup) that must stay besides the outside.
	Keep []string
	// Protected says that the attack stays inside the workspace: a guard that
	// knows no protected files fails it, and may leave it out.
	Protected bool
	// Harmless says that even [Unguarded] does no harm here: the case is
	// about refusing without hanging or panicking.
	Harmless bool
	// Unix says that the set-up needs Unix.
	Unix bool
}

// Options choose cases.
type Options struct {
	// NoProtected leaves out the cases about protected files.
	NoProtected bool
	// Timeout is how long one case may take; 0 stands for 10 seconds.
	Timeout time.Duration
}

// Run runs every case against the guards that make returns, each in a sub-test
// of its name.
func Run(t *testing.T, make func(root string) (Guard, error), opts ...Options) {
	t.Helper()
	var o Options
	if len(opts) > 0 {
		o = opts[0]
	}
	for _, c := range Cases() {
		if o.NoProtected && c.Protected {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			err := c.Try(t.TempDir(), o.Timeout, make)
			if errors.Is(err, ErrSkipped) {
				t.Skip(err.Error())
			}
			if err != nil {
				t.Errorf("%v\n%s", err, c.Why)
			}
		})
	}
}

// ErrSkipped: the guard or the system does not have what the case needs.
var ErrSkipped = errors.New("skipped")

// Secret is the content of out/secret.
const Secret = "the secret of the outside"

// Try runs one case in an empty directory and returns what the guard did wrong,
// nil for nothing.
func (c Case) Try(dir string, timeout time.Duration, make func(root string) (Guard, error)) error {
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	if c.Unix && runtime.GOOS == "windows" {
		return fmt.Errorf("%w: the set-up needs Unix", ErrSkipped)
	}
	if err := c.setUp(dir); err != nil {
		return fmt.Errorf("%w: the set-up does not work here: %w", ErrSkipped, err)
	}
	g, err := make(filepath.Join(dir, "root"))
	if err != nil {
		return fmt.Errorf("making the guard: %w", err)
	}
	if closer, ok := g.(interface{ Close() error }); ok {
		defer closer.Close()
	}
	before, err := c.snapshot(dir)
	if err != nil {
		return err
	}
	type result struct {
		data []byte
		err  error
	}
	done := newChan[result]()
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- result{err: fmt.Errorf("%w: %v", errPanic, v)}
			}
		}()
		data, err := c.do(g, dir)
		done <- result{data, err}
	}()
	var r result
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case r = <-done:
	case <-timer.C:
		c.release(dir)
		return errors.New("it hangs")
	}
	switch {
	case errors.Is(r.err, ErrSkipped), errors.Is(r.err, errPanic):
		return r.err
	case c.MayRefuse && r.err != nil:
	case c.Works && r.err != nil:
		return fmt.Errorf("it must work, but: %w", r.err)
	case !c.Works && strings.Contains(string(r.data), Secret):
		return errors.New("it gave the secret away")
	}
	after, err := c.snapshot(dir)
	if err != nil {
		return err
	}
	if before != after {
		return fmt.Errorf("what must stay has changed:\n%s---\n%s", before, after)
	}
	if !c.Works && r.err == nil && (c.Op != List || len(r.data) > 0) {
		return errors.New("it did it")
	}
	return nil
}

var errPanic = errors.New("it panics")

// newChan is make(chan T, 1), which the parameter named make hides.
func newChan[T any]() chan T { return make(chan T, 1) }

func (c Case) setUp(dir string) error {
	for _, d := range []string{"root", "out"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "out", "secret"), []byte(Secret), 0o644); err != nil {
		return err
	}
	for _, line := range c.Setup {
		f := strings.Fields(line)
		if len(f) < 2 {
			return fmt.Errorf("bad line %q", line)
		}
		p := filepath.Join(dir, filepath.FromSlash(f[1]))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		var err error
		switch {
		case f[0] == "dir":
			err = os.MkdirAll(p, 0o755)
		case f[0] == "file":
			err = os.WriteFile(p, []byte("old "+f[1]), 0o644)
		case f[0] == "link" && len(f) == 3:
			err = os.Symlink(strings.ReplaceAll(f[2], "$T", dir), p)
		case f[0] == "hardlink" && len(f) == 3:
			err = os.Link(filepath.Join(dir, f[2]), p)
		case f[0] == "fifo":
			err = mkfifo(p)
		default:
			err = fmt.Errorf("bad line %q", line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// release frees an operation that waits at a FIFO.
func (c Case) release(dir string) {
	for _, line := range c.Setup {
		if p, ok := strings.CutPrefix(line, "fifo "); ok {
			if f, err := os.OpenFile(filepath.Join(dir, p), os.O_RDWR, 0); err == nil {
				f.Close()
			}
		}
	}
}

func (c Case) do(g Guard, dir string) ([]byte, error) {
	x := func(p string) string { return strings.ReplaceAll(p, "$T", dir) }
	path, to := x(c.Path), x(c.To)
	switch c.Op {
	case Read:
		return g.ReadFile(path)
	case Write:
		return nil, g.WriteFile(path, []byte("pwned"))
	case Remove:
		if g, ok := g.(Remover); ok {
			return nil, g.Remove(path)
		}
	case RemoveAll:
		if g, ok := g.(AllRemover); ok {
			return nil, g.RemoveAll(path)
		}
	case Rename:
		if g, ok := g.(Renamer); ok {
			return nil, g.Rename(path, to)
		}
	case MkdirAll:
		if g, ok := g.(DirMaker); ok {
			return nil, g.MkdirAll(path)
		}
	case List:
		if g, ok := g.(Lister); ok {
			list, err := g.ReadDir(path)
			var names []byte
			for _, e := range list {
				names = append(names, e.Name()+"\n"...)
			}
			return names, err
		}
	case Symlink:
		if g, ok := g.(Linker); ok {
			return nil, g.Symlink(to, path)
		}
	case Link:
		if g, ok := g.(HardLinker); ok {
			return nil, g.Link(path, to)
		}
	default:
		return nil, fmt.Errorf("unknown operation %q", c.Op)
	}
	return nil, fmt.Errorf("%w: the guard has no operation %s", ErrSkipped, c.Op)
}

// snapshot describes what must stay.
func (c Case) snapshot(dir string) (string, error) {
	var out []string
	for _, top := range append([]string{"out"}, c.Keep...) {
		top = filepath.Join(dir, filepath.FromSlash(top))
		if _, err := os.Lstat(top); err != nil {
			out = append(out, top+" is missing")
			continue
		}
		err := filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			line := p + " " + d.Type().String()
			if d.Type().IsRegular() {
				data, err := os.ReadFile(p)
				if err != nil {
					return err
				}
				line += " " + string(data)
			}
			out = append(out, line)
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n") + "\n", nil
}

// Unguarded is a Guard with every operation and no care: the package os. It
// shows that an attack works.
func Unguarded(root string) (Guard, error) { return unguarded{root}, nil }

type unguarded struct{ root string }

func (u unguarded) at(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	// Not filepath.Join, which cleans.
	return u.root + string(filepath.Separator) + p
}

func (u unguarded) ReadFile(p string) ([]byte, error)       { return os.ReadFile(u.at(p)) }
func (u unguarded) WriteFile(p string, d []byte) error      { return os.WriteFile(u.at(p), d, 0o644) }
func (u unguarded) Remove(p string) error                   { return os.Remove(u.at(p)) }
func (u unguarded) RemoveAll(p string) error                { return os.RemoveAll(u.at(p)) }
func (u unguarded) Rename(a, b string) error                { return os.Rename(u.at(a), u.at(b)) }
func (u unguarded) MkdirAll(p string) error                 { return os.MkdirAll(u.at(p), 0o755) }
func (u unguarded) ReadDir(p string) ([]fs.DirEntry, error) { return os.ReadDir(u.at(p)) }
func (u unguarded) Symlink(target, p string) error          { return os.Symlink(target, u.at(p)) }
func (u unguarded) Link(a, b string) error                  { return os.Link(u.at(a), u.at(b)) }
