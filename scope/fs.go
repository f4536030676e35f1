package scope

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// FS returns the read side of the root as an [fs.FS], for walks and for code
// that takes one. Names that may not be read (sensitive and forbidden ones, and
// what no permit opens) are not listed and do not exist. Links are
// listed as links; opening one goes where it may go. Each operation is
// race-free by itself. The FS implements fs.ReadDirFS, fs.ReadFileFS and
// fs.StatFS, is safe for concurrent use, and ends with the guard.
func (g *Guard) FS() fs.FS { return guardFS{g} }

type guardFS struct{ g *Guard }

var (
	_ fs.ReadDirFS  = guardFS{}
	_ fs.ReadFileFS = guardFS{}
	_ fs.StatFS     = guardFS{}
)

// name maps a name of an FS.
func (f guardFS) name(op, name string) (string, error) {
	if !fs.ValidPath(name) || strings.IndexByte(name, 0) >= 0 || filepath.Separator != '/' && strings.ContainsRune(name, filepath.Separator) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return filepath.FromSlash(name), nil
}

// hide turns the refusal of a hidden name into its absence.
func hide(op, name string, err error) error {
	if errors.Is(err, ErrSensitive) || errors.Is(err, ErrForbidden) {
		return &fs.PathError{Op: op, Path: name, Err: errors.Join(fs.ErrNotExist, err)}
	}
	return err
}

func (f guardFS) Open(name string) (fs.File, error) {
	p, err := f.name("open", name)
	if err != nil {
		return nil, err
	}
	file, err := f.g.Open(p)
	if err != nil {
		return nil, hide("open", name, err)
	}
	if fi, err := file.Stat(); err != nil || !fi.IsDir() {
		if err != nil {
			file.Close()
			return nil, err
		}
		return file, nil
	}
	return &guardDir{File: file, fsys: f, name: name}, nil
}

func (f guardFS) ReadFile(name string) ([]byte, error) {
	p, err := f.name("read", name)
	if err != nil {
		return nil, err
	}
	data, err := f.g.ReadFile(p)
	return data, hide("read", name, err)
}

func (f guardFS) Stat(name string) (fs.FileInfo, error) {
	p, err := f.name("stat", name)
	if err != nil {
		return nil, err
	}
	r := f.g.Check(p, Read)
	if err := f.g.refuse(&r); errors.Is(err, ErrSensitive) || errors.Is(err, ErrForbidden) {
		return nil, hide("stat", name, err)
	}
	return f.g.Stat(p)
}

// ReadDir lists a directory in the order of the names.
func (f guardFS) ReadDir(name string) ([]fs.DirEntry, error) {
	p, err := f.name("readdir", name)
	if err != nil {
		return nil, err
	}
	var out []fs.DirEntry
	err = f.g.at(p, List, func(p *place) error {
		file, err := p.dir.open(p.name, os.O_RDONLY, 0)
		if err != nil {
			return err
		}
		defer file.Close()
		list, err := file.ReadDir(-1)
		out = f.visible(p.Real, list)
		return err
	})
	if err != nil {
		return nil, hide("readdir", name, err)
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out, nil
}

// visible drops what may not be read.
func (f guardFS) visible(real string, list []fs.DirEntry) []fs.DirEntry {
	names := f.g.space.namesOf(real)
	judge := f.g.space.judge(names)
	out := make([]fs.DirEntry, 0, len(list))
	entries := make([]entry, 0, len(list))
	prefix := real
	if !strings.HasSuffix(prefix, string(filepath.Separator)) {
		prefix += string(filepath.Separator)
	}
	for _, e := range list {
		if v := judge.class(e.Name(), Read); v.class > Protected {
			if v.class == Forbidden || f.g.permits == nil || !f.g.permits(Read, prefix+e.Name()) {
				continue
			}
		}
		entries = append(entries, entry{DirEntry: e, g: f.g, dir: prefix})
		out = append(out, &entries[len(entries)-1])
	}
	return out
}

// guardDir is an open directory that lists what may be seen.
type guardDir struct {
	*os.File
	fsys guardFS
	name string
	list []fs.DirEntry
	read bool
}

func (d *guardDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if !d.read {
		list, err := d.fsys.ReadDir(d.name)
		if err != nil {
			return nil, err
		}
		d.list, d.read = list, true
	}
	if n <= 0 || n >= len(d.list) {
		out := d.list
		d.list = nil
		if n > 0 && len(out) == 0 {
			return nil, io.EOF
		}
		return out, nil
	}
	out := d.list[:n]
	d.list = d.list[n:]
	return out, nil
}

// Readdir and Readdirnames would list everything.

// Readdir lists what may be seen.
func (d *guardDir) Readdir(n int) ([]fs.FileInfo, error) {
	list, err := d.ReadDir(n)
	var out []fs.FileInfo
	for _, e := range list {
		if fi, err := e.Info(); err == nil {
			out = append(out, fi)
		}
	}
	return out, err
}

// Readdirnames lists the names of what may be seen.
func (d *guardDir) Readdirnames(n int) ([]string, error) {
	list, err := d.ReadDir(n)
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out, err
}
