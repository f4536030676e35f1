package scope

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Marked is a path that a [Guard] would refuse by its class.
type Marked struct {
	// Path is absolute. Its directory is resolved, the path itself may be a link.
	Path string
	// Class is Protected, Sensitive or Forbidden.
	Class Class
	// Name is the name of the rule.
	Name string
	// Root is the root that it lies below, "" for none.
	Root string
	// ReadOnly says that the root is read-only.
	ReadOnly bool
	// Exists says that it exists, Mode what it is then.
	Exists bool
	Mode   fs.FileMode
}

// Survey lists what is marked, for a sandbox that must know it beforehand:
//
//   - in every root, what exists and is protected, sensitive or forbidden
//     (nothing below it is listed), and as "unreadable" the directories that
//     cannot be looked into;
//   - directly in every writable root, the protected names that do not exist,
//     or the first directory on the way to them; a name that is missing deeper
//     in the tree is not listed;
//   - outside the roots, the sensitive files that exist in the home directory
//     and at fixed places, and the host's own files.
//
// skip are names of directories that are not looked into. More than max
// entries in all are ErrTooLarge (max ≤ 0 stands for 200,000). Like [Guard.Check] it is
// advice about a moment. The order is that of the paths.
func (g *Guard) Survey(max int, skip ...string) ([]Marked, error) {
	g.closed.RLock()
	defer g.closed.RUnlock()
	if g.state.closed {
		return nil, ErrClosed
	}
	if max <= 0 {
		max = 200_000
	}
	v := &survey{g: g, s: g.space, left: max, max: max, skip: skip, seen: map[string]bool{}}
	for i := range v.s.roots {
		if err := v.root(i); err != nil {
			return nil, fmt.Errorf("scope: survey of %s: %w", v.s.roots[i].path, err)
		}
	}
	v.elsewhere()
	slices.SortFunc(v.out, func(a, b Marked) int { return strings.Compare(a.Path, b.Path) })
	return v.out, nil
}

type survey struct {
	g         *Guard
	s         *space
	left, max int
	skip      []string
	seen      map[string]bool
	out       []Marked
}

func (v *survey) add(names []string, class Class, rule string) bool {
	path := v.s.join(names)
	if v.seen[path] {
		return true
	}
	m := Marked{Path: path, Class: class, Name: rule}
	if i := v.s.rootOf(names); i >= 0 {
		m.Root, m.ReadOnly = v.s.roots[i].path, v.s.roots[i].readOnly
	}
	n := v.s.look(path)
	switch n.kind {
	case missing:
	case failed:
		return false
	default:
		m.Exists, m.Mode = true, n.mode
	}
	v.seen[path] = true
	v.out = append(v.out, m)
	return m.Exists
}

func (v *survey) root(i int) error {
	r := &v.s.roots[i]
	for _, d := range v.s.gitDirs {
		if v.s.under(d, r.names) {
			v.add(d, Protected, "git-directory")
		}
	}
	d, err := openHeld(v.g.held[i], ".")
	if err != nil {
		return err
	}
	defer d.close()
	if err := v.walk(d, ".", r.names); err != nil {
		return err
	}
	if r.readOnly {
		return nil
	}
	// What is missing at the top.
	for k := range v.s.class.rules {
		rule := &v.s.class.rules[k]
		if rule.Class == Sensitive {
			continue
		}
		for _, p := range rule.patterns {
			at := r.names
			switch {
			case p.anchor == fromHome && len(v.s.class.homes) > 0 && v.s.under(v.s.class.homes[1], r.names):
				at = v.s.class.homes[1]
			case rule.Name == shellStart && !v.holdsHome(r.names):
				// Shells read them from the home directory only.
				continue
			case p.anchor != anywhere, p.segs[0][0] != '.' && len(p.segs) > 1:
				// A bare "hooks" is an ordinary name.
				continue
			}
			v.missing(at, p.segs, rule)
		}
	}
	return nil
}

// shellStart is the built-in rule for what shells read when they start.
const shellStart = "shell-start"

// holdsHome tells whether the home directory is a directory or lies in it. An
// unknown home may be anywhere.
func (v *survey) holdsHome(dir []string) bool {
	return len(v.s.class.homes) == 0 || v.s.under(v.s.class.homes[1], dir)
}

// missing adds the first component of a pattern that does not exist.
func (v *survey) missing(at, segs []string, rule *compiledRule) {
	names := slices.Clone(at)
	for i, seg := range segs {
		if strings.IndexByte(seg, '*') >= 0 {
			return
		}
		names = append(names, seg)
		switch v.s.look(v.s.join(names)).kind {
		case missing:
			if i < len(segs)-1 && seg == ".config" {
				// An ordinary folder that many programs use.
				return
			}
			// The spelling of the rule: patterns are kept folded, and so are
			// the names that programs look for.
			v.add(append(slices.Clone(at), originalCase(rule, segs[:i+1])...), rule.Class, rule.Name)
			return
		case directory:
		default:
			return
		}
	}
}

// originalCase returns the beginning of a pattern as the rule spells it.
func originalCase(rule *compiledRule, segs []string) []string {
	for _, p := range rule.Patterns {
		p = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(p, "~/"), "/"), "**/")
		have := strings.Split(p, "/")
		if len(have) >= len(segs) && slices.EqualFunc(have[:len(segs)], segs, func(a, b string) bool { return foldUnicode(a) == b }) {
			return have[:len(segs)]
		}
	}
	return segs
}

func (v *survey) walk(d dir, name string, names []string) error {
	f, err := d.open(name, os.O_RDONLY, 0)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			// Its owner could change the mode and reach what is in it.
			v.add(names, Protected, "unreadable")
			return nil
		}
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errMoved) {
			return nil
		}
		return err
	}
	list, err := f.ReadDir(v.left + 1)
	f.Close()
	if err != nil && err != io.EOF {
		return err
	}
	if v.left -= len(list); v.left < 0 {
		return fmt.Errorf("%w: more than %d entries to look through", ErrTooLarge, v.max)
	}
	has := func(n string) bool {
		return slices.ContainsFunc(list, func(e fs.DirEntry) bool { return e.Name() == n })
	}
	if isGitDir(has) {
		v.add(names, Protected, "git-directory")
		return nil
	}
	var sub dir
	judge := v.s.judge(names)
	for _, e := range list {
		path := append(names[:len(names):len(names)], e.Name())
		if w := judge.class(e.Name(), Create); w.class > Ordinary {
			v.add(path, w.class, w.name)
			if w.name == "git" {
				v.pointer(names)
			}
			continue
		}
		if !e.IsDir() || slices.Contains(v.skip, e.Name()) || v.s.rootOf(path) >= 0 && len(v.s.roots[v.s.rootOf(path)].names) == len(path) {
			continue
		}
		if sub == nil {
			if sub, err = d.sub(name); err != nil {
				return nil
			}
			defer sub.close()
		}
		if err := v.walk(sub, e.Name(), path); err != nil {
			return err
		}
	}
	return nil
}

// pointer adds the git directory that a .git file names, where it lies in a
// root and is not a root.
func (v *survey) pointer(names []string) {
	g, ok := v.s.readPointer(names)
	if !ok || v.s.rootOf(g) < 0 || slices.ContainsFunc(v.s.roots, func(r zoneRoot) bool { return v.s.under(r.names, g) }) {
		return
	}
	v.add(g, Protected, "git-directory")
}

// elsewhere adds what lies outside the roots.
func (v *survey) elsewhere() {
	c := v.s.class
	var home []string
	if len(c.homes) > 0 {
		home = c.homes[1]
	}
	for k := range c.rules {
		rule := &c.rules[k]
		if rule.Class == Protected {
			continue
		}
		for _, p := range rule.Patterns {
			p = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(p, "**/"), "/**"), "/")
			var at []string
			switch {
			case strings.HasPrefix(p, "/proc/"), strings.HasPrefix(p, "/dev/"):
				continue
			case strings.HasPrefix(p, "/"):
				p = p[1:]
			case home == nil:
				continue
			default:
				at, p = home, strings.TrimPrefix(p, "~/")
			}
			for _, names := range v.expand(append(slices.Clone(at), strings.Split(p, "/")...)) {
				if w := c.classify(names, v.s.base(names), Read); w.class > Ordinary {
					v.add(names, w.class, w.name)
				}
			}
		}
	}
	for _, p := range v.g.space.own {
		i := v.s.rootOf(p)
		if n := v.s.look(v.s.join(p)); n.kind != missing || i >= 0 {
			v.add(p, Forbidden, "host-file")
		}
	}
}

// expand returns what exists of a path, whose last component may hold stars.
func (v *survey) expand(names []string) (out [][]string) {
	last := len(names) - 1
	if slices.ContainsFunc(names[:last], func(n string) bool { return strings.Contains(n, "*") }) {
		return nil
	}
	if !strings.Contains(names[last], "*") {
		if k := v.s.look(v.s.join(names)).kind; k != missing && k != failed {
			out = append(out, names)
		}
		return out
	}
	list, err := os.ReadDir(v.s.join(names[:last]))
	if err != nil {
		return nil
	}
	for _, e := range list {
		if matchStar(foldUnicode(names[last]), foldUnicode(e.Name())) {
			out = append(out, append(slices.Clone(names[:last]), e.Name()))
		}
	}
	return out
}
