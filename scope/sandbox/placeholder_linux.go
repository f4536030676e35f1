package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// A bind mount needs something to stand on. For a protected name that is
// missing that is an empty file, which the host sees as long as the command
// runs. It is known by its form, so that what a killed host left behind is
// taken away by the next command.
var placeholderTime = time.Unix(1, 0)

const placeholderMode = 0o444

func isPlaceholderInfo(fi fs.FileInfo) bool {
	return fi.Mode() == placeholderMode && fi.Size() == int64(len(placeholderText(fi.Name()))) && fi.ModTime().Equal(placeholderTime)
}

// placeholderText is what a placeholder holds. git stops at an empty commondir;
// this one says what is true without it.
func placeholderText(path string) string {
	if filepath.Base(path) == "commondir" {
		return ".\n"
	}
	return ""
}

func isPlaceholder(path string) bool {
	fi, err := os.Lstat(path)
	return err == nil && isPlaceholderInfo(fi)
}

// lockedRoot is a root with a shared lock, which says that a command still needs
// its placeholders.
type lockedRoot struct {
	*os.Root
	// first is a placeholder in it, "" for none.
	first string
}

// cover makes the placeholders for what is missing and arranges that they are
// taken away. r.mu is held.
func (r *Runner) cover(entries []Entry) ([]Entry, error) {
	out := make([]Entry, 0, len(entries))
	for _, e := range entries {
		if !e.Missing && (e.Dir || e.Access != Read || !isPlaceholder(e.Path)) {
			out = append(out, e)
			continue
		}
		n := nearest(entries, filepath.Dir(e.Path))
		if n == nil || n.Access != Write {
			continue
		}
		root := r.roots[n.Path]
		if root == nil {
			var err error
			if root, err = r.lock(n.Path); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrSetup, err)
			}
		}
		rel, err := filepath.Rel(n.Path, e.Path)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSetup, err)
		}
		err = makePlaceholder(root.Root, rel, root.first)
		switch {
		case err == nil && root.first == "" && placeholderText(rel) == "":
			root.first = rel
		case errors.Is(err, fs.ErrExist):
			fi, err := root.Lstat(rel)
			if err != nil || fi.Mode()&fs.ModeSymlink != 0 {
				return nil, fmt.Errorf("%w: %s changes while the sandbox is set up", ErrSetup, e.Path)
			}
			e.Dir = fi.IsDir()
		case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EROFS):
			// Nor can the command make it: it has the same rights.
			continue
		case err != nil:
			return nil, fmt.Errorf("%w: %w", ErrSetup, err)
		}
		e.Missing = false
		out = append(out, e)
	}
	return out, nil
}

// lock opens a root, says that a command needs its placeholders, and arranges
// that the last runner takes them away.
func (r *Runner) lock(path string) (*lockedRoot, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	dir, err := root.Open(".")
	if err != nil {
		root.Close()
		return nil, err
	}
	r.cleanup = append(r.cleanup, func() error {
		defer root.Close()
		defer dir.Close()
		if unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
			return nil // another command needs them, and will do this
		}
		var errs []error
		for _, e := range r.profile.Entries {
			if e.Dir || e.Access != Read || !within(e.Path, path) {
				continue
			}
			rel, err := filepath.Rel(path, e.Path)
			if err != nil {
				continue
			}
			errs = append(errs, removePlaceholder(root, int(dir.Fd()), rel))
		}
		return errors.Join(errs...)
	})
	for {
		if err = unix.Flock(int(dir.Fd()), unix.LOCK_SH); err == nil {
			break
		} else if err != unix.EINTR {
			return nil, err
		}
	}
	l := &lockedRoot{Root: root}
	if r.roots == nil {
		r.roots = map[string]*lockedRoot{}
	}
	r.roots[path] = l
	return l, nil
}

// removePlaceholder takes one away. dir is the directory of the root: what lies
// in it itself needs no walk.
func removePlaceholder(root *os.Root, dir int, rel string) error {
	if filepath.Base(rel) != rel {
		if fi, err := root.Lstat(rel); err == nil && isPlaceholderInfo(fi) {
			return root.Remove(rel)
		}
		return nil
	}
	var st unix.Stat_t
	if unix.Fstatat(dir, rel, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Mode != unix.S_IFREG|placeholderMode ||
		st.Size != int64(len(placeholderText(rel))) || !time.Unix(st.Mtim.Unix()).Equal(placeholderTime) {
		return nil
	}
	if err := unix.Unlinkat(dir, rel, 0); err != nil {
		return &os.PathError{Op: "unlinkat", Path: rel, Err: err}
	}
	return nil
}

// makePlaceholder makes one, as a hard link of the one made before where there
// is one: making a file costs fifty times as much.
func makePlaceholder(root *os.Root, rel, first string) error {
	text := placeholderText(rel)
	if first != "" && text == "" {
		err := root.Link(first, rel)
		if err == nil || errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	f, err := root.OpenFile(rel, os.O_WRONLY|os.O_CREATE|os.O_EXCL, placeholderMode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	t := unix.NsecToTimeval(placeholderTime.UnixNano())
	return errors.Join(err, f.Chmod(placeholderMode), unix.Futimes(int(f.Fd()), []unix.Timeval{t, t}), f.Close())
}
