package scope

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// ErrChanged: the file is not what it was when it was read.
var ErrChanged = errors.New("the file has changed since it was read")

// Version says what a file was when it was read: enough to see that it has been
// changed, replaced or removed since. It is plain data and survives JSON. The
// zero Version is that of a file that does not exist.
type Version struct {
	// Exists says that there was a file.
	Exists bool
	// Size is its length in bytes.
	Size int64
	// ModTime is when it was changed last. It is compared only to be shown: the
	// content decides.
	ModTime time.Time
	// Sum is the SHA-256 of its content.
	Sum [sha256.Size]byte
}

// ReadVersion returns the content of a regular file, as [Guard.ReadFile] does,
// with its version. A file that does not exist is an error that matches
// fs.ErrNotExist, and the zero Version, which a later write may expect.
func (g *Guard) ReadVersion(path string) ([]byte, Version, error) {
	f, err := g.Open(path)
	if err != nil {
		return nil, Version{}, err
	}
	defer f.Close()
	data, v, err := g.version(f)
	if err != nil {
		return nil, Version{}, &PathError{Op: Read, Resolution: g.Check(path, Read), Err: err}
	}
	return data, v, nil
}

// version reads an open file.
func (g *Guard) version(f *os.File) ([]byte, Version, error) {
	data, err := io.ReadAll(io.LimitReader(f, g.maxRead+1))
	if err != nil {
		return nil, Version{}, err
	}
	if int64(len(data)) > g.maxRead {
		return nil, Version{}, ErrTooLarge
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, Version{}, err
	}
	return data, Version{Exists: true, Size: int64(len(data)), ModTime: fi.ModTime(), Sum: sha256.Sum256(data)}, nil
}

// WriteOptions say how [Guard.Write] writes. The zero WriteOptions are those
// of [Guard.WriteFile].
type WriteOptions struct {
	// Expect refuses with ErrChanged unless the file is still this version, by
	// its content (or still missing, for the zero Version). The last look is
	// directly before the rename; a writer that hits that moment wins or loses
	// whole. nil expects nothing.
	Expect *Version
	// InPlace changes the file that is there instead of replacing it: owner,
	// access lists, extended attributes and watches stay, others may see
	// half of it, and a failure may leave half of it. A file with more than one
	// hard link is refused with ErrHardLink. A missing file is made.
	InPlace bool
	// Sync forces the data, and the new name, to the disk before it returns.
	Sync bool
}

// Write is [Guard.WriteFile] with options.
func (g *Guard) Write(path string, data []byte, o WriteOptions) error {
	op := Create
	if o.InPlace {
		op = Write
	}
	return g.at(path, op, func(p *place) error {
		if trailing(path) || p.name == "." {
			return p.fail("write", errIsDir)
		}
		old, err := p.dir.lstat(p.name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			old = nil
		case err != nil:
			return err
		case old.Mode()&fs.ModeSymlink != 0:
			return errMoved
		case old.IsDir():
			return p.fail("write", errIsDir)
		case !old.Mode().IsRegular():
			return ErrSpecial
		}
		if o.InPlace && old != nil {
			return g.inPlace(p, data, o)
		}
		return g.replace(p, old, data, o)
	})
}

// expect compares the file at a place with a version.
func (g *Guard) expect(p *place, want *Version) error {
	if want == nil {
		return nil
	}
	f, err := p.dir.open(p.name, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if want.Exists {
			return ErrChanged
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	_, have, err := g.version(f)
	if errors.Is(err, ErrTooLarge) || err == nil && (!want.Exists || have.Sum != want.Sum || have.Size != want.Size) {
		return ErrChanged
	}
	return err
}

func (g *Guard) inPlace(p *place, data []byte, o WriteOptions) error {
	f, err := p.dir.open(p.name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if linksOf(fi) > 1 {
		return ErrHardLink
	}
	if o.Expect != nil {
		have, v, err := g.version(f)
		if err != nil && !errors.Is(err, ErrTooLarge) {
			return err
		}
		if err != nil || !o.Expect.Exists || v.Sum != o.Expect.Sum {
			return ErrChanged
		}
		if bytes.Equal(have, data) {
			return nil
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	// Afterwards, so that a full disk is met before the end is cut off.
	if err := f.Truncate(int64(len(data))); err != nil {
		return err
	}
	if o.Sync {
		return f.Sync()
	}
	return nil
}

// replace writes a temporary file and renames it.
func (g *Guard) replace(p *place, old fs.FileInfo, data []byte, o WriteOptions) error {
	perm := fs.FileMode(0o666)
	if old != nil {
		perm = 0o600
	}
	tmp := tempName()
	f, err := p.dir.open(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && old != nil {
		keepOwner(f, old)
		err = f.Chmod(old.Mode().Perm())
	}
	if err == nil && o.Sync {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = g.expect(p, o.Expect)
	}
	if err == nil {
		if o.Expect != nil && !o.Expect.Exists {
			err = p.dir.renameNew(tmp, p.name)
			if errors.Is(err, fs.ErrExist) {
				err = ErrChanged
			}
		} else {
			err = p.dir.rename(tmp, p.dir, p.name)
		}
	}
	if err != nil {
		_ = p.dir.remove(tmp, false)
		return err
	}
	if err := g.completed(p, p.unmake); err != nil {
		return err
	}
	if o.Sync {
		return syncDir(p.dir)
	}
	return nil
}

// syncDir forces the names of a directory to the disk, where the system can.
func syncDir(d dir) error {
	f, err := d.open(".", os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	err = f.Sync()
	return errors.Join(ignoreSync(err), f.Close())
}
