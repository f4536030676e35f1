package toolset

import (
	"errors"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope"
)

// resolved is one answer of the path resolver, kept for the inspection.
type resolved struct {
	path permission.Path
	// exists, dir and link say what is there now; false on a machine that
	// cannot be looked at.
	exists, dir, regular bool
}

type pathKey struct {
	dir, name string
	op        scope.Op
}

// answer is a question about a path and what was found.
type answer struct {
	pathKey
	resolved
}

// path resolves a path that a file tool was given.
func (b *builder) path(dir, name string, op scope.Op) (permission.Path, error) {
	if strings.HasPrefix(name, "~") && (len(name) == 1 || name[1] == '/') {
		return permission.Path{}, errors.New("a path of a file tool must be written out: ~ is not expanded")
	}
	return b.resolve(dir, name, op), nil
}

func (b *builder) resolve(dir, name string, op scope.Op) permission.Path {
	return b.look(dir, name, op).path
}

// look resolves a path for an operation, once for each distinct question. The
// answer is shared and must not be changed.
func (b *builder) look(dir, name string, op scope.Op) *resolved {
	for i := range b.first {
		if k := &b.first[i].pathKey; k.op == op && k.name == name && k.dir == dir {
			return &b.first[i].resolved
		}
	}
	key := pathKey{dir, name, op}
	if r, ok := b.seen[key]; ok {
		return r
	}
	// Most calls ask few questions.
	if n := len(b.first); n < cap(b.first) {
		b.first = b.first[:n+1]
		a := &b.first[n]
		a.pathKey = key
		b.answer(&a.resolved, dir, name, op)
		return &a.resolved
	}
	if b.seen == nil {
		b.seen = map[pathKey]*resolved{}
	}
	out := new(resolved)
	b.answer(out, dir, name, op)
	b.seen[key] = out
	return out
}

// setPath copies a path. Most have no details.
func setPath(to, from *permission.Path) {
	if to.PathDetails != from.PathDetails {
		to.PathDetails = from.PathDetails
	}
	to.Clean, to.Real = from.Clean, from.Real
	to.Extent, to.Zone, to.Class = from.Extent, from.Zone, from.Class
	to.Under, to.Critical, to.ReadOnly, to.Walked, to.Steers = from.Under, from.Critical, from.ReadOnly, from.Walked, from.Steers
}

// ask resolves a path without keeping the answer, for walks.
func (b *builder) ask(dir, name string, op scope.Op) (out resolved) {
	b.answer(&out, dir, name, op)
	return out
}

// answer asks the resolver of paths.
func (b *builder) answer(out *resolved, dir, name string, op scope.Op) {
	if path.IsAbs(name) {
		dir = "." // plays no part, and the root needs no resolving
	}
	r := b.t.o.Files.CheckFrom(dir, name, op)
	out.exists, out.dir, out.regular = r.Exists, r.Exists && r.Mode.IsDir(), r.Exists && r.Mode.IsRegular()
	p := &out.path
	p.Clean, p.Real, p.Zone, p.Class = r.Clean, r.Real, zone(r.Zone), class(r.Class)
	more := permission.PathDetails{Also: slices.Clip(r.Via), ClassName: r.ClassName}
	p.Critical, p.ReadOnly = r.Critical, r.ReadOnly
	if op != scope.Read && op != scope.List {
		p.Steers = steers(r.Real) || r.Real != r.Clean && steers(r.Clean)
	}
	if r.Err != nil && p.Class == permission.Ordinary {
		// What cannot be resolved is not ordinary.
		p.Class = permission.Unclassified
	}
	if p.Zone == permission.Outside && p.Class == permission.Ordinary && op == scope.Read {
		switch {
		case b.foreignHome(r.Real):
			p.Class, more.ClassName, more.Secret = permission.Sensitive, "another user's home directory", homeOf(r.Real)
		case r.Exists && r.Mode.IsRegular() && r.Mode.Perm()&0o004 == 0:
			// Under the usual umask of some that is every file: a rule for a
			// directory of the home directory, or of the root, means them too.
			p.Class, more.ClassName, more.Secret = permission.Sensitive, "not readable by everybody", firstBelow(b.t.home, r.Real)
		}
	} else if p.Class == permission.Sensitive {
		more.Secret = b.secretPart(r.Real, op)
	}
	if r.Links > 1 {
		b.secondNames(p, &more)
	}
	if f := foldAll(r.Clean); f != "" && f != r.Clean {
		more.Also = append(more.Also, f)
	}
	if r.Real != r.Clean {
		if f := foldAll(r.Real); f != "" && f != r.Real {
			more.Also = append(more.Also, f)
		}
	}
	p.Describe(more)
}

// unclassified takes the class of a path away, with the reason. What else is known
// of it stays.
func unclassified(p *permission.Path, why string) {
	more := p.Details()
	more.ClassName = why
	p.Class = permission.Unclassified
	p.Describe(more)
}

// classless takes the class of a path away, with all that says why it has it.
func classless(p *permission.Path) {
	p.Class = permission.Unclassified
	p.Describe(permission.PathDetails{Also: p.Also()})
}

// foreignHome says whether a path lies in a home directory that is not the
// user's own. Where the user's home is not told, it is taken to be the one
// that holds the project.
func (b *builder) foreignHome(p string) bool {
	home := b.t.home
	for _, parent := range []string{"/home/", "/Users/"} {
		rest, ok := strings.CutPrefix(p, parent)
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(rest, "/")
		return name != "" && name != "Shared" && parent+name != home
	}
	return home != "/root" && (p == "/root" || strings.HasPrefix(p, "/root/"))
}

// secretPart is the highest directory above a path that is Sensitive by itself,
// or the path.
func (b *builder) secretPart(p string, op scope.Op) string {
	for i := 1; i < len(p); i++ {
		if p[i] == '/' && b.t.o.Files.CheckFrom(".", p[:i], op).Class == scope.Sensitive {
			return p[:i]
		}
	}
	return p
}

// firstBelow is the part of a path that ends with its first name below home, or
// below the root where it lies elsewhere.
func firstBelow(home, p string) string {
	at := 1
	if rest, ok := strings.CutPrefix(p, home+"/"); ok && home != "" {
		at = len(p) - len(rest)
	}
	if i := strings.IndexByte(p[min(at, len(p)):], '/'); i >= 0 {
		return p[:at+i]
	}
	return p
}

// homeOf is the home directory that a path lies in, as far as the usual
// places tell.
func homeOf(p string) string {
	for _, parent := range []string{"/home/", "/Users/"} {
		if rest, ok := strings.CutPrefix(p, parent); ok {
			name, _, _ := strings.Cut(rest, "/")
			return parent + name
		}
	}
	if p == "/root" || strings.HasPrefix(p, "/root/") {
		return "/root"
	}
	return ""
}

// foldsFurther are the bytes of a name that some file systems read otherwise:
// short names, blanks at the end, streams.
var foldsFurther = [256]bool{'~': true, ' ': true, ':': true}

// foldAll folds every name of a path, where that is more than lower case.
func foldAll(p string) string {
	plain := true
	for i := 0; i < len(p) && plain; i++ {
		c := p[i]
		plain = c < 0x80 && !foldsFurther[c]
	}
	if plain {
		return ""
	}
	parts := strings.Split(filepath.ToSlash(p), "/")
	for i := range parts {
		if parts[i] != "" {
			parts[i] = scope.Fold(parts[i])
		}
	}
	return strings.Join(parts, "/")
}

// join puts a directory of the analyzer onto the directory of the call.
func join(dir, d string) string {
	if strings.HasPrefix(d, "/") {
		return path.Clean(d)
	}
	return path.Join(dir, d)
}

func orDot(s string) string {
	if s == "" {
		return "."
	}
	return s
}

// device says that reading or writing the path touches no file: the null and
// random devices and the streams of the command itself.
func device(p string, write bool) bool {
	switch p {
	case "/dev/null", "/dev/stdout", "/dev/stderr", "/dev/fd/1", "/dev/fd/2":
		return true
	case "/dev/zero", "/dev/random", "/dev/urandom", "/dev/stdin", "/dev/fd/0":
		return !write
	}
	return false
}

func opOf(kind permission.Kind) scope.Op {
	switch kind {
	case permission.Read:
		return scope.Read
	case permission.List:
		return scope.List
	case permission.Delete:
		return scope.Delete
	case permission.Write:
		return scope.Create
	}
	return scope.OpUnknown
}
