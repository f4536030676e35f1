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

// meantPath returns what a path specifier clearly means where it says something
// else, and why: what stands there would be a name that no file has. An empty
// meant is one that cannot be told.
func meantPath(spec string) (meant, problem string) {
	// Blanks at the end mean nothing in any case (gitignore(5)).
	if s := strings.Trim(spec, " \t"); s != strings.TrimRight(spec, " ") && !strings.HasSuffix(s, `\`) {
		return s, "blanks around the path belong to no name"
	}
	if n := len(spec); n > 2 && (spec[0] == '"' || spec[0] == '\'') && spec[n-1] == spec[0] {
		return spec[1 : n-1], "the quotes are letters of the name"
	}
	if rest, ok := strings.CutPrefix(spec, "file:///"); ok {
		return "//" + rest, "a path is written without a scheme"
	}
	first, rest, below := strings.Cut(strings.ReplaceAll(spec, `\`, "/"), "/")
	switch {
	case first == "$HOME" || first == "${HOME}" || strings.EqualFold(first, "%USERPROFILE%") || strings.EqualFold(first, "$env:USERPROFILE"):
		return strings.TrimSuffix("~/"+rest, "/"), "variables are not expanded"
	case isVariable(first):
		return "", "variables are not expanded"
	case below && len(first) > 1 && first[0] == '~':
		return "", "the home directory of another user is not looked up"
	}
	for i := 0; i+1 < len(spec); i++ {
		if spec[i] != '\\' {
			continue
		}
		i++
		if c := spec[i]; !isDrive(spec) && ('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9') {
			return strings.ReplaceAll(spec, `\`, "/"), "a backslash only says that the character behind it is a letter"
		}
	}
	return spec, ""
}

// isVariable says that a name is $NAME, ${NAME} or %NAME% in capital letters.
func isVariable(s string) bool {
	name := ""
	switch n := len(s); {
	case n > 3 && strings.HasPrefix(s, "${") && s[n-1] == '}':
		name = s[2 : n-1]
	case n > 1 && s[0] == '$':
		name = s[1:]
	case n > 2 && s[0] == '%' && s[n-1] == '%':
		name = s[1 : n-1]
	}
	return name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") == ""
}

// bracesIn returns where an alternative {a,b} begins in a pattern, -1 for nowhere.
// Braces without a comma are the letters of some names ({{cookiecutter.slug}}).
func bracesIn(pattern string) int {
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i++
		case '{':
			if end := strings.IndexAny(pattern[i+1:], "{}"); end >= 0 && pattern[i+1+end] == '}' && strings.Contains(pattern[i+1:i+1+end], ",") {
				return i
			}
		}
	}
	return -1
}

// maxAlternatives bounds how many patterns one with braces stands for.
const maxAlternatives = 64

// expandBraces returns the patterns that one with {a,b} stands for, or itself
// where they are too many.
func expandBraces(pattern string) []string {
	todo, out := []string{pattern}, []string(nil)
	for len(todo) > 0 {
		p := todo[0]
		todo = todo[1:]
		i := bracesIn(p)
		if i < 0 {
			out = append(out, p)
			continue
		}
		end := i + strings.IndexByte(p[i:], '}')
		for _, word := range strings.Split(p[i+1:end], ",") {
			todo = append(todo, p[:i]+strings.TrimSpace(word)+p[end+1:])
		}
		if len(todo)+len(out) > maxAlternatives {
			return []string{pattern}
		}
	}
	return out
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
