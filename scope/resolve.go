package scope

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Limits on what is looked at; beyond them a path is invalid.
const (
	// MaxPath is the longest accepted path in bytes.
	MaxPath = 32767
	// maxSteps bounds the components walked, those of links included.
	maxSteps = 4096
	// maxLinks is the kernel's own limit.
	maxLinks = 40
)

// style is how a path is written.
type style uint8

const (
	posix style = iota
	windows
)

// node is what a file system says about one name.
type node struct {
	kind   kind
	target string // of a link
	mode   fs.FileMode
	links  uint64
	err    error
}

type kind uint8

const (
	missing kind = iota
	directory
	link
	other
	failed
	assumed // nothing is known: go on as through a directory
)

// space is the part that a Guard and a Lexical share: roots, rules, and a way
// to look at names. It is immutable after construction.
type space struct {
	style style
	roots []zoneRoot // the main root first
	class *classifier
	// look tells about the name at a path whose parent is resolved.
	look func(path string) node
	// glance, where there is one, looks at a path below a root in one step and
	// fails where a link, a mount or anything unusual is on the way.
	glance func(root int, rel string) (node, bool)
	// own are the paths of the host, as given and resolved.
	own [][]string
	// gitDirs are git directories that lie elsewhere.
	gitDirs [][]string
	// mounted tells whether a path below a root lies behind a mount point.
	mounted func(root int, rel string) bool
	// gitDir tells whether the components below the root make the path a part
	// of a git directory that is not called .git.
	gitDir func(names []string, base int, op Op) bool
}

type zoneRoot struct {
	path     string
	names    []string
	zone     Zone
	readOnly bool
}

// split cuts a path into the components of an absolute one and tells where it
// starts. Empty components stay: a last one means a trailing slash.
func (s *space) split(path string, from []string) (start, rest []string, err error) {
	switch {
	case path == "":
		return nil, nil, &invalid{ReasonInvalid, "it is empty"}
	case len(path) > MaxPath:
		return nil, nil, &invalid{ReasonTooLong, fmt.Sprintf("longer than %d bytes", MaxPath)}
	case strings.IndexByte(path, 0) >= 0:
		return nil, nil, &invalid{ReasonInvalid, "it holds a NUL byte"}
	}
	if s.style == windows {
		p := strings.ReplaceAll(path, "\\", "/")
		switch {
		case strings.HasPrefix(p, "//"), strings.HasPrefix(p, "/??/"):
			return nil, nil, &invalid{ReasonWindows, "a network or device path"}
		case len(p) >= 2 && p[1] == ':':
			if !isLetter(p[0]) || len(p) == 2 || p[2] != '/' {
				return nil, nil, &invalid{ReasonWindows, "relative to the current directory of a drive"}
			}
			return []string{strings.ToUpper(p[:2])}, strings.Split(p[3:], "/"), nil
		case strings.HasPrefix(p, "/"):
			return from[:1:1], strings.Split(p[1:], "/"), nil
		}
		return from, strings.Split(p, "/"), nil
	}
	if path[0] == '/' {
		return nil, strings.Split(path[1:], "/"), nil
	}
	return from, strings.Split(path, "/"), nil
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// join is the inverse of split.
func (s *space) join(names []string) string {
	if s.style == windows {
		if len(names) == 1 {
			return names[0] + "\\"
		}
		return strings.Join(names, "\\")
	}
	return "/" + strings.Join(names, "/")
}

// namesOf returns the components of an absolute clean path.
func (s *space) namesOf(path string) []string {
	start, rest, err := s.split(path, nil)
	if err != nil {
		return nil
	}
	return s.cleanNames(start, rest)
}

// floor is how many components ".." cannot remove.
func (s *space) floor() int {
	if s.style == windows {
		return 1
	}
	return 0
}

// invalid is an ErrInvalid with its code.
type invalid struct{ reason, text string }

func (e *invalid) Error() string        { return ErrInvalid.Error() + ": " + e.text }
func (e *invalid) Is(target error) bool { return target == ErrInvalid }

// walked is the outcome of a walk.
type walked struct {
	clean   []string
	real    []string
	via     [][]string
	last    node
	exists  bool
	notDir  bool // a component that is no directory was walked through
	slash   bool // the path ended with a slash or a dot
	glanced bool // resolved in one step, so no mount is on the way
	known
}

// known is what a walk has found that a [Resolution] does not tell: where the
// path leads is one thing, that the kernel would not go there another.
type known struct {
	link     bool  // the last component is a link and was followed
	dangling bool  // a link was crossed that leads to nothing
	broken   error // why the kernel would not resolve it: through a file, or up from nothing
}

// walk resolves a path component by component, as the kernel does: links
// before "..", absolute and relative ones, the last one only where the
// operation follows it. Where a component is missing the rest is judged as
// text, so that a missing name never skips the check.
func (s *space) walk(path string, from []string, op Op) (w walked, err error) {
	start, rest, err := s.split(path, from)
	if err != nil {
		return w, err
	}
	w.clean = s.cleanNames(start, rest)
	if s.style == windows {
		for _, n := range rest {
			if why := badWindowsName(n); why != "" {
				return w, &invalid{ReasonWindows, why}
			}
		}
	}
	switch rest[len(rest)-1] {
	case "", ".", "..":
		w.slash = true
	}
	if s.glance != nil && !slices.Contains(rest, "..") {
		if root := s.rootOf(w.clean); root >= 0 {
			rel := strings.Join(w.clean[len(s.roots[root].names):], "/")
			if rel == "" {
				rel = "."
			}
			n, ok := s.glance(root, rel)
			if ok && (n.kind != link || op.entry() && !w.slash) {
				w.real, w.last, w.exists, w.glanced = w.clean, n, true, true
				if w.notDir = w.slash && n.kind == other; w.notDir {
					w.broken = errNotDir
				}
				return w, nil
			}
		}
	}
	stack := append([]string{}, start...)
	exist := len(stack) // so many components of stack are known to exist
	w.last = node{kind: directory, mode: fs.ModeDir}
	// Relative paths start at a directory that may itself be reached by links
	// that came after: look at it again from the top.
	if len(start) > s.floor() {
		rest = append(slices.Clone(start[s.floor():]), rest...)
		stack, exist = stack[:s.floor()], s.floor()
	}
	pending := slices.Clone(rest)
	slices.Reverse(pending)
	links, own := 0, len(pending) // own of the pending components are of the path itself
	for steps := 0; len(pending) > 0; steps++ {
		if steps > maxSteps {
			return w, &invalid{ReasonTooLong, fmt.Sprintf("more than %d components", maxSteps)}
		}
		name := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		ofLink := len(pending) >= own
		own = min(own, len(pending))
		switch name {
		case "", ".":
			continue
		case "..":
			if len(stack) > exist && w.broken == nil {
				w.broken = fs.ErrNotExist
				if w.notDir {
					w.broken = errNotDir
				}
			}
			if len(stack) > s.floor() {
				stack = stack[:len(stack)-1]
			}
			exist = min(exist, len(stack))
			w.last = node{kind: directory, mode: fs.ModeDir}
			continue
		}
		stack = append(stack, name)
		if s.style == posix && isMagic(stack) {
			w.real = stack
			return w, &invalid{ReasonMagic, "what it means depends on the process that opens it"}
		}
		if len(stack)-1 > exist {
			w.last = node{}
			w.dangling = w.dangling || ofLink
			continue
		}
		n := s.look(s.join(stack))
		w.last = n
		switch n.kind {
		case missing:
			w.dangling = w.dangling || ofLink
		case directory, assumed:
			exist = len(stack)
		case other:
			// Nothing can lie below it; what follows is found to be missing.
			w.notDir = w.notDir || len(pending) > 0
			exist = len(stack)
		case failed:
			w.real = stack
			return w, n.err
		case link:
			if len(pending) == 0 && op.entry() {
				exist = len(stack)
				continue
			}
			if links++; links > maxLinks {
				return w, &invalid{ReasonLoop, fmt.Sprintf("more than %d links", maxLinks)}
			}
			if s.style == posix && len(stack) >= 3 && stack[0] == "proc" {
				w.real = stack
				return w, &invalid{ReasonMagic, "what it means depends on the process that opens it"}
			}
			w.via = append(w.via, slices.Clone(stack))
			w.link = w.link || !ofLink && !slices.ContainsFunc(pending[:own], func(n string) bool { return n != "" && n != "." })
			from := stack[: len(stack)-1 : len(stack)-1]
			to, more, err := s.split(n.target, from)
			if err != nil {
				return w, err
			}
			stack = slices.Clone(to)
			exist = min(len(stack), exist)
			if len(to) == s.floor() {
				exist = s.floor()
			}
			if len(more)+len(pending) > maxSteps {
				return w, &invalid{ReasonTooLong, fmt.Sprintf("more than %d components", maxSteps)}
			}
			for _, m := range slices.Backward(more) {
				pending = append(pending, m)
			}
			w.last = node{kind: directory, mode: fs.ModeDir}
		}
	}
	w.real = stack
	w.exists = exist >= len(stack) && w.last.kind != missing && w.last.kind != assumed
	if w.slash && w.last.kind == other {
		w.notDir = true
	}
	if w.notDir && w.broken == nil {
		w.broken = errNotDir
	}
	return w, nil
}

// cleanNames cleans as text.
func (s *space) cleanNames(start, rest []string) []string {
	out := append([]string{}, start...)
	for _, n := range rest {
		switch n {
		case "", ".":
		case "..":
			if len(out) > s.floor() {
				out = out[:len(out)-1]
			}
		default:
			out = append(out, n)
		}
	}
	return out
}

// isMagic tells of names under /proc and /dev that lead to a different file in
// every process: whoever checks them checks somebody else's.
func isMagic(names []string) bool {
	switch names[0] {
	case "dev":
		if len(names) == 2 {
			switch names[1] {
			case "fd", "stdin", "stdout", "stderr":
				return true
			}
		}
	case "proc":
		if len(names) < 3 {
			return false
		}
		n := names[2:]
		if n[0] == "task" && len(n) >= 3 {
			n = n[2:]
		}
		if len(n) == 1 {
			switch n[0] {
			case "root", "cwd", "exe", "fd", "map_files", "ns":
				return true
			}
		}
	}
	return false
}

// badWindowsName says why a component is not an ordinary name on Windows.
func badWindowsName(n string) string {
	if n == "" || n == "." || n == ".." {
		return ""
	}
	if strings.ContainsAny(n, ":") {
		return "an alternate data stream"
	}
	if strings.ContainsAny(n, "<>\"|?*") {
		return "a character that Windows gives another meaning"
	}
	base, _, _ := strings.Cut(n, ".")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return "a device name"
	}
	if r := []rune(base); len(r) == 4 && (strings.HasPrefix(base, "COM") || strings.HasPrefix(base, "LPT")) && strings.ContainsRune("0123456789¹²³", r[3]) {
		return "a device name"
	}
	if strings.TrimRight(n, ". ") != n {
		return "Windows drops the dot or blank at its end"
	}
	return ""
}

// same compares components as the style does.
func (s *space) same(a, b string) bool {
	return a == b || s.style == windows && strings.EqualFold(a, b)
}

func (s *space) under(path, dir []string) bool {
	return len(path) >= len(dir) && slices.EqualFunc(path[:len(dir)], dir, s.same)
}

// addRoot adds a root. Where the main root is named as a read-only directory it
// is one.
func (s *space) addRoot(z zoneRoot) {
	s.roots = append(s.roots, z)
	if main := &s.roots[0]; z.readOnly && len(z.names) == len(main.names) && s.under(z.names, main.names) {
		main.readOnly = true
	}
}

// rootOf returns the index of the most specific root that holds the path, -1
// for none.
func (s *space) rootOf(names []string) int {
	best := -1
	for i := range s.roots {
		if s.under(names, s.roots[i].names) && (best < 0 || len(s.roots[i].names) > len(s.roots[best].names)) {
			best = i
		}
	}
	return best
}

func (s *space) base(names []string) int {
	if i := s.rootOf(names); i >= 0 {
		return len(s.roots[i].names)
	}
	return -1
}

// check is Check for both checkers.
func (s *space) check(path string, from []string, op Op) Resolution {
	r, _ := s.resolve(path, from, op)
	return r
}

// resolve returns the resolution and the index of its root.
func (s *space) resolve(path string, from []string, op Op) (Resolution, int) {
	r := Resolution{Path: path, Op: op}
	w, err := s.walk(path, from, op)
	if w.clean != nil {
		r.Clean = s.join(w.clean)
	}
	v := verdict{}
	judge := func(names []string) {
		if names != nil {
			v.raise(s.class.classify(names, s.base(names), op))
			r.Critical = r.Critical || s.critical(names, from)
		}
	}
	judge(w.clean)
	for _, l := range w.via {
		r.Via = append(r.Via, s.join(l))
		v.raise(s.class.classify(l, s.base(l), op))
	}
	if err != nil {
		// What the name alone tells stays true; that it is ordinary does not.
		judge(w.real)
		if v.class > Ordinary {
			r.Class, r.ClassName, r.ClassReason = v.class, v.name, v.reason
		}
		r.Err, r.Reason = err, ReasonUnknown
		var inv *invalid
		if errors.As(err, &inv) {
			r.Reason = inv.reason
		} else {
			r.Err = fmt.Errorf("%w: %w", ErrUnresolved, err)
		}
		return r, -1
	}
	if !slices.Equal(w.clean, w.real) {
		judge(w.real)
	}
	r.known = w.known
	r.Real = s.join(w.real)
	r.Exists, r.Mode = w.exists, w.last.mode
	if !r.Exists {
		r.Mode = 0
	} else if r.Mode.IsRegular() {
		r.Links = w.last.links
	}

	root := s.rootOf(w.real)
	if root >= 0 {
		z := &s.roots[root]
		r.Zone, r.ReadOnly, r.Root = z.zone, z.readOnly, z.path
		r.Rel = strings.Join(w.real[len(z.names):], "/")
		if r.Rel == "" {
			r.Rel = "."
		}
		if s.mounted != nil && !w.glanced && s.mounted(root, r.Rel) {
			r.Zone, r.ReadOnly, r.Root, r.Rel, r.Reason = Outside, false, "", "", ReasonMount
			root = -1
		}
	}
	if !op.reads() && v.class < Protected {
		if base := s.base(w.real); s.gitDir != nil && base >= 0 && s.gitDir(w.real, base, op) {
			v = gitDirectory
		}
	}
	if op.tree() && v.class < Protected {
		for i := range s.roots {
			if s.under(s.roots[i].names, w.real) {
				v = verdict{Protected, "root", "it is a working directory, or holds one", -1}
				r.Reason = ReasonRoot
				break
			}
		}
	}
	r.Class, r.ClassName, r.ClassReason = v.class, v.name, v.reason

	regular := r.Mode.IsRegular() || r.Mode.IsDir() || r.Mode&fs.ModeSymlink != 0
	switch {
	case root < 0:
		if r.Reason == "" {
			r.Reason = ReasonOutside
		}
	case r.Exists && !regular && op != Stat && op != Delete && op != RenameFrom && op != RenameTo:
		r.Reason, r.Err = ReasonSpecial, ErrSpecial
	case r.Links > 1 && op.inPlace():
		r.Reason, r.Err = ReasonHardLink, ErrHardLink
	case r.ReadOnly && !op.reads():
		r.Reason = ReasonReadOnly
	case r.Reason != "":
	case v.class != Ordinary:
		r.Reason = ReasonClass
	case w.notDir:
		r.Reason = ReasonDirectory
	}
	return r, root
}

// critical tells whether removing the path is critical. dir is the directory
// of the call.
func (s *space) critical(names, dir []string) bool {
	if len(names) <= s.floor()+1 {
		return true
	}
	if len(names) == 2 && names[0] == "private" {
		switch names[1] {
		case "etc", "var", "tmp", "home":
			return true
		}
	}
	for _, h := range s.class.homes {
		if s.under(h, names) {
			return true
		}
	}
	return s.under(s.roots[0].names, names) || s.under(dir, names)
}

// newSpace makes the shared part. The roots must be absolute and resolved; the
// resolve function maps a path of the options to its components, as given and
// resolved.
func newSpace(st style, o Options, forms func(path string) ([][]string, error)) (*space, error) {
	c, err := newClassifier(o)
	if err != nil {
		return nil, err
	}
	s := &space{style: st, class: c}
	if o.Home != "" {
		if c.homes, err = forms(o.Home); err != nil {
			return nil, fmt.Errorf("scope: Home %q: %w", o.Home, err)
		}
	}
	for _, p := range o.Protect {
		f, err := forms(p)
		if err != nil {
			return nil, fmt.Errorf("scope: Protect %q: %w", p, err)
		}
		for _, names := range f {
			c.protect = append(c.protect, foldComponents(names))
			s.own = append(s.own, names)
		}
	}
	return s, nil
}
