package scope

import (
	"fmt"
	"path"
	"strings"
)

// Lexical judges paths of a machine that need not exist: nothing is looked up
// on a disk, every name is taken to be a directory or a file as the path needs
// it, and links are only those it was told of. All its answers are advice. It
// is immutable and safe for concurrent use.
//
// A root such as `C:\proj` selects the rules of Windows: both separators, no
// UNC and device paths, no streams, no reserved names, names compared without
// case. Those rules can so be tested everywhere.
type Lexical struct {
	space *space
	root  []string
}

// NewLexical returns a checker for a root (absolute) and the symbolic links of
// the imagined machine: absolute path → target, as readlink would return it.
// Options.Mounts is not used. Errors are those of [New] that concern options.
func NewLexical(root string, opts Options, links map[string]string) (*Lexical, error) {
	st := posix
	if len(root) >= 2 && root[1] == ':' && isLetter(root[0]) || strings.HasPrefix(root, `\\`) {
		st = windows
	} else if !strings.HasPrefix(root, "/") {
		return nil, fmt.Errorf("scope: root %q: want an absolute path", root)
	}
	cleaned := make(map[string]string, len(links))
	probe := &space{style: st}
	for k, v := range links {
		start, rest, err := probe.split(k, []string{"C:"})
		if err != nil {
			return nil, fmt.Errorf("scope: link %q: %w", k, err)
		}
		cleaned[probe.join(probe.cleanNames(start, rest))] = v
	}
	look := func(p string) node {
		if t, ok := cleaned[p]; ok {
			return node{kind: link, target: t}
		}
		return node{kind: assumed}
	}
	probe.look = look
	probe.class = &classifier{}
	forms := func(p string) ([][]string, error) {
		abs := strings.HasPrefix(p, "/")
		if st == windows {
			abs = len(p) >= 3 && p[1] == ':'
		}
		if !abs {
			return nil, fmt.Errorf("want an absolute path")
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
	s.look = look
	add := func(p string, z Zone, ro bool) error {
		if z != Inside && st == posix && !path.IsAbs(p) {
			p = root + "/" + p
		}
		f, err := forms(p)
		if err != nil {
			return fmt.Errorf("scope: root %q: %w", p, err)
		}
		s.addRoot(zoneRoot{path: s.join(f[1]), names: f[1], zone: z, readOnly: ro})
		return nil
	}
	if err := add(root, Inside, false); err != nil {
		return nil, err
	}
	if err := addAll(opts, add); err != nil {
		return nil, err
	}
	return &Lexical{space: s, root: s.roots[0].names}, nil
}

// addAll adds the additional directories, the read-only ones first, so that
// they win over a read-write entry for the same directory.
func addAll(o Options, add func(p string, z Zone, ro bool) error) error {
	for _, p := range o.ReadOnly {
		if err := add(p, Additional, true); err != nil {
			return err
		}
	}
	for _, p := range o.Additional {
		if err := add(p, Additional, false); err != nil {
			return err
		}
	}
	return nil
}

// Check tells what the path is for an operation. Exists, Mode and Links are
// not known and stay zero.
func (l *Lexical) Check(path string, op Op) Resolution { return l.space.check(path, l.root, op) }

// CheckFrom is Check with a relative path relative to dir.
func (l *Lexical) CheckFrom(dir, path string, op Op) Resolution {
	return l.space.checkFrom(dir, path, op)
}

// Root returns the root with its links resolved.
func (l *Lexical) Root() string { return l.space.roots[0].path }

// checkFrom resolves dir as a directory first. Where that fails, the failure
// is the answer.
func (s *space) checkFrom(dir, path string, op Op) Resolution {
	r, _ := s.resolveFrom(dir, path, op)
	return r
}

func (s *space) resolveFrom(dir, path string, op Op) (Resolution, int) {
	if dir == "" {
		return s.resolve(path, s.roots[0].names, op)
	}
	w, err := s.walk(dir, s.roots[0].names, Stat)
	if err != nil {
		r, _ := s.resolve(dir, s.roots[0].names, Stat)
		r.Path, r.Op = path, op
		return r, -1
	}
	return s.resolve(path, w.real, op)
}
