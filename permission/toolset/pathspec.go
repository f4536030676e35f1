package toolset

import (
	"path"
	"path/filepath"
	"strings"
)

// pathspecs narrow what a git command shows (gitglossary(7), "pathspec"). Only
// what is understood narrows: names, "*" and "?", and exclusions by name. The
// zero value takes everything.
type pathspecs struct {
	// in is what the positive ones take, from the top of the repository.
	in []string
	// out is what the others leave out.
	out []string
	// wide says that the positive ones do not narrow: one was not understood, or
	// a flag shows more.
	wide bool
	// any says that there was one.
	any bool
	// all says that they choose commits, and everything in these is shown.
	all bool
}

// none says that nothing chooses paths.
func (s *pathspecs) none() bool { return !s.any && !s.wide && !s.all }

// add takes one word for a command in dir, of a repository at top.
func (s *pathspecs) add(text, dir, top string) {
	s.any = true
	exclude, fromTop, rest := false, false, text
	switch {
	case strings.HasPrefix(rest, ":("):
		long, after, ok := strings.Cut(rest[2:], ")")
		if !ok {
			s.wide = true
			return
		}
		for _, m := range strings.Split(long, ",") {
			switch m {
			case "exclude":
				exclude = true
			case "top":
				fromTop = true
			case "":
			default: // literal, glob, icase, attr
				s.wide = true
				return
			}
		}
		rest = after
	case strings.HasPrefix(rest, ":"):
		for rest = rest[1:]; rest != ""; rest = rest[1:] {
			if rest[0] == '!' || rest[0] == '^' {
				exclude = true
			} else if rest[0] == '/' {
				fromTop = true
			} else {
				break
			}
		}
		rest = strings.TrimPrefix(rest, ":")
		if rest != "" && strings.IndexByte("\"#%&',-;<=>@_`~$+", rest[0]) >= 0 {
			s.wide = true
			return
		}
	}
	if strings.ContainsAny(rest, `[\`) || strings.Contains(rest, "**") {
		s.wide = s.wide || !exclude
		return
	}
	from := dir
	if fromTop {
		from = top
	}
	full := path.Join(from, rest)
	if path.IsAbs(rest) {
		full = path.Clean(rest)
	}
	rel, err := filepath.Rel(top, full)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		// Reached through a link, perhaps.
		s.wide = s.wide || !exclude
		return
	}
	// What stands before a pattern is taken literally by git only where it holds
	// no wildcard of its own.
	if strings.ContainsAny(strings.TrimSuffix(full, rest), "*?[") {
		s.wide = s.wide || !exclude
		return
	}
	if rel = filepath.ToSlash(rel); rel == "." {
		rel = ""
	}
	if exclude {
		s.out = append(s.out, rel)
		return
	}
	s.in = append(s.in, rel)
}

// takes says whether a name may be shown.
func (s *pathspecs) takes(name string) bool {
	if s.all {
		return true
	}
	for _, p := range s.out {
		if specMatches(p, name) {
			return false
		}
	}
	if s.wide || len(s.in) == 0 {
		return true
	}
	for _, p := range s.in {
		if specMatches(p, name) {
			return true
		}
	}
	return false
}

// reaches says whether something below a directory may be shown.
func (s *pathspecs) reaches(dir string) bool {
	if s.all {
		return true
	}
	for _, p := range s.out {
		if specMatches(p, dir) && dir != "" {
			return false
		}
	}
	if s.wide || len(s.in) == 0 || dir == "" {
		return true
	}
	for _, p := range s.in {
		if strings.ContainsAny(p, "*?") || p == "" || specMatches(p, dir) || strings.HasPrefix(p, dir+"/") {
			return true
		}
	}
	return false
}

// specMatches says whether a pathspec is the name, a directory above it, or a
// pattern for one of these, in which a star spans slashes.
func specMatches(spec, name string) bool {
	if spec == "" {
		return true
	}
	for at := name; at != "." && at != ""; at = path.Dir(at) {
		if at == spec || strings.ContainsAny(spec, "*?") && wildMatch(spec, at) {
			return true
		}
	}
	return false
}

// wildMatch matches a pattern of "*" (anything, slashes too) and "?".
func wildMatch(pattern, s string) bool {
	star, mark := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// plainSpec is the path that a pathspec names literally, or "".
func plainSpec(text string) string {
	if text == "" || text[0] == ':' || strings.ContainsAny(text, `*?[\`) {
		return ""
	}
	return text
}
