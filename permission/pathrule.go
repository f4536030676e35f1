package permission

import (
	"errors"
	"path"
	"strings"
	"unicode"
)

// pathRule is the specifier of a Read or Edit rule: a gitignore pattern and
// the directory that it starts from.
type pathRule struct {
	// base is the anchor, absolute and clean; empty where the rule starts at
	// the session's directory.
	base    string
	text    string // the pattern below base
	pattern pathPattern
	// folded is the same pattern over folded names, for deny and ask.
	folded     pathPattern
	foldedBase string
}

var (
	errNoHome = errors.New("the rule starts with ~ and no home directory is known")
	errUp     = errors.New("a path that starts with ../ lies outside its own directory: write the absolute path as //path")
)

// compilePathRule reads the four forms of a path specifier: //p from the root
// of the file system, ~/p from home, /p from the directory of the settings
// file (base), p and ./p from the session's start directory. Deny and ask
// rules take the wider reading wherever two exist.
func compilePathRule(spec, home, base string, effect Verdict) (pathRule, error) {
	var r pathRule
	wide := effect != Allow
	pattern := spec
	switch {
	case strings.HasPrefix(spec, "//"):
		r.base, pattern = "/", "/"+strings.TrimLeft(spec, "/")
	case spec == "~" || strings.HasPrefix(spec, "~/"):
		if home == "" {
			return r, errNoHome
		}
		r.base, pattern = home, strings.TrimPrefix(spec, "~")
		if pattern == "" || pattern == "/" {
			pattern = "/**"
		}
	case strings.HasPrefix(spec, "/"):
		if base == "" {
			return r, errNoBase
		}
		r.base = base
	case spec == "." || spec == "./":
		pattern = "/**"
	case strings.HasPrefix(spec, "../") || spec == "..":
		return r, errUp
	default:
		for strings.HasPrefix(pattern, "./") {
			pattern = strings.TrimLeft(pattern[2:], "/")
		}
		// One relative directory (src/**): an allow rule means the one in the
		// start directory, a deny or ask rule means it at any depth.
		if dir, ok := strings.CutSuffix(pattern, "/**"); ok && wide && !strings.Contains(dir, "/") {
			pattern = "**/" + pattern
		}
	}
	if strings.HasPrefix(pattern, "!") {
		return r, errors.New("a negated pattern grants and denies nothing: write the rule for the other effect")
	}
	if pattern == "/" {
		pattern = "/**"
	}
	if r.base != "" {
		r.base = path.Clean(r.base)
	}
	r.text = pattern
	var err error
	if r.pattern, err = compilePathPattern(pattern, wide); err != nil {
		return r, err
	}
	if wide {
		r.foldedBase = foldPath(r.base)
		if r.folded, err = compilePathPattern(foldPatternText(pattern), true); err != nil {
			return r, err
		}
	}
	return r, nil
}

// below returns the path relative to base; ok is false where it is not below.
func below(base, p string) (string, bool) {
	if base == "/" {
		return strings.TrimPrefix(p, "/"), strings.HasPrefix(p, "/")
	}
	if p == base {
		return "", true
	}
	if len(p) > len(base) && p[len(base)] == '/' && p[:len(base)] == base {
		return p[len(base)+1:], true
	}
	return "", false
}

// covers says whether the rule matches the absolute path exactly as written.
// dir is the session's start directory.
func (r *pathRule) covers(p, dir string, isDir bool) bool {
	base := r.base
	if base == "" {
		base = dir
	}
	if base == "" {
		return false
	}
	rel, ok := below(base, p)
	return ok && r.pattern.match(rel, isDir)
}

// coversFolded says whether the rule matches the path with case and Unicode
// spelling set aside; p is already folded.
func (r *pathRule) coversFolded(p, foldedDir string, isDir bool) bool {
	base := r.foldedBase
	if r.base == "" {
		base = foldedDir
	}
	if base == "" {
		return false
	}
	rel, ok := below(base, p)
	return ok && r.folded.match(rel, isDir)
}

// mayBeBelow says whether the rule could name something below the folded
// directory p. It errs towards true.
func (r *pathRule) mayBeBelow(p, foldedDir string) bool {
	base := r.foldedBase
	if r.base == "" {
		base = foldedDir
	}
	if base == "" {
		return true
	}
	if rel, ok := below(base, p); ok {
		return r.folded.mayBeBelow(rel)
	}
	// p contains the anchor, so it contains what lies below the anchor.
	_, ok := below(p, base)
	return ok
}

// foldPath sets aside upper and lower case, rune by rune, the way names are
// compared on file systems that ignore case. Forms that need a Unicode table
// (composed and decomposed letters) are the inspector's business: it adds the
// folded name to [PathDetails.Also].
func foldPath(s string) string {
	ascii := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x80 {
			return strings.Map(foldRune, s)
		}
		if 'A' <= c && c <= 'Z' {
			ascii = false
		}
	}
	if ascii {
		return s
	}
	return strings.ToLower(s)
}

// foldRune returns the smallest rune that equals r under simple case folding
// and is lower case where there is one.
func foldRune(r rune) rune {
	if r < 0x80 {
		return unicode.ToLower(r)
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		if f < least {
			least = f
		}
	}
	return unicode.ToLower(least)
}

// foldPatternText folds a pattern; the class [:upper:] must then mean lower.
func foldPatternText(s string) string {
	return strings.ReplaceAll(foldPath(s), "[:upper:]", "[:lower:]")
}
