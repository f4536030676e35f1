package scope

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold returns the form of one path component under which protected and denied
// names are compared, on every platform: two names that some file system takes
// for the same file have the same fold. It
//
//   - removes the characters that HFS+ (CVE-2014-9390) and ext4 and f2fs with
//     case folding ignore in names: Unicode's Default_Ignorable_Code_Point,
//   - applies Unicode NFKC and full case folding (APFS, NTFS, ext4 casefold),
//   - cuts an NTFS stream (":x") and trailing dots and blanks (CVE-2019-1352),
//   - replaces the NTFS short names of .git and .gitmodules.
//
// Other short names are compared by the rules themselves. Fold of a fold is
// the fold. It is never used to tell whether a path lies below a directory:
// for that, distinct files that look alike must stay distinct.
func Fold(name string) string {
	return foldNTFS(foldUnicode(name))
}

// foldUnicode is the part of Fold that keeps every visible character.
func foldUnicode(name string) string {
	ascii, lower := true, true
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c >= utf8.RuneSelf {
			ascii = false
			break
		}
		if 'A' <= c && c <= 'Z' {
			lower = false
		}
	}
	if ascii {
		if lower {
			return name
		}
		return strings.ToLower(name)
	}
	// Case folding can produce what NFKC changes again, and the other way
	// round; three rounds reach the fixed point for every assigned character.
	for range 4 {
		before := name
		name = strings.Map(dropIgnorable, name)
		name = norm.NFKC.String(name)
		name = cases.Fold().String(name)
		if name == before {
			break
		}
	}
	return name
}

// dropIgnorable removes what HFS+ ignores (Apple TN1150, HFS+ string comparison)
// and what the case folding of ext4 and f2fs ignores: every
// Default_Ignorable_Code_Point (Unicode 16, DerivedCoreProperties.txt). No name
// needs one.
func dropIgnorable(r rune) rune {
	switch {
	case r < 0xad:
		return r
	case r == 0xad, r == 0x34f, r == 0x61c, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5,
		r >= 0x180b && r <= 0x180f, r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x206f,
		r == 0x3164, r >= 0xfe00 && r <= 0xfe0f, r == 0xfeff, r == 0xffa0, r >= 0xfff0 && r <= 0xfff8,
		r >= 0x1bca0 && r <= 0x1bca3, r >= 0x1d173 && r <= 0x1d17a, r >= 0xe0000 && r <= 0xe0fff:
		return -1
	}
	return r
}

// foldNTFS maps the spellings that NTFS and Win32 take for the same name. It
// expects a name folded by foldUnicode.
func foldNTFS(name string) string {
	if i := strings.IndexByte(name, ':'); i > 0 {
		name = name[:i]
	}
	if t := strings.TrimRight(name, ". "); t != "" {
		name = t
	}
	if isNumbered(name, "git~", '9') {
		return ".git"
	}
	// git's own list: gitmod~1 … gitmod~4, and the hashed form after that.
	if isNumbered(name, "gitmod~", '4') || isNumbered(name, "gi7eba~", '9') {
		return ".gitmodules"
	}
	return name
}

func isNumbered(name, prefix string, last byte) bool {
	return len(name) == len(prefix)+1 && strings.HasPrefix(name, prefix) && name[len(prefix)] >= '1' && name[len(prefix)] <= last
}

// shortName splits a folded NTFS 8.3 name such as "gitmod~1" or "id_rsa~2.key"
// into its stem and extension; ok is false where name has not that form.
func shortName(name string) (stem, ext string, ok bool) {
	if len(name) > 12 {
		return "", "", false
	}
	tilde := strings.LastIndexByte(name, '~')
	if tilde < 1 || tilde > 6 {
		return "", "", false
	}
	rest := name[tilde+1:]
	if dot := strings.IndexByte(rest, '.'); dot >= 0 {
		rest, ext = rest[:dot], rest[dot+1:]
	}
	if rest == "" || len(ext) > 3 {
		return "", "", false
	}
	for i := 0; i < len(rest); i++ {
		if rest[i] < '0' || rest[i] > '9' {
			return "", "", false
		}
	}
	return name[:tilde], ext, true
}

// isShort tells whether a folded name fits in eight and three characters as it
// is.
func isShort(name string) bool {
	base, ext, dot := strings.Cut(name, ".")
	if base == "" || len(base) > 8 || len(ext) > 3 || dot && ext == "" {
		return false
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; c <= ' ' || c >= utf8.RuneSelf || strings.IndexByte("+,;=[]", c) >= 0 {
			return false
		}
	}
	return strings.IndexByte(ext, '.') < 0
}

// shortOf tells whether stem and ext can be the 8.3 form that Windows makes of
// the folded long name: the first six characters of the base without dots and
// blanks, or two of them and four hexadecimal digits. A name that has that form
// itself gets no other one ([MS-FSCC] 2.1.5.2.1): "id_rsa~1" is not id_rsa.
func shortOf(stem, ext, long string) bool {
	if isShort(long) {
		return false
	}
	base, longExt := strings.TrimLeft(long, "."), ""
	if i := strings.LastIndexByte(base, '.'); i > 0 {
		base, longExt = base[:i], base[i+1:]
	}
	clean := func(s string, n int) string {
		s = strings.Map(func(r rune) rune {
			if r == '.' || r == ' ' {
				return -1
			}
			if strings.ContainsRune("+,;=[]", r) || r >= utf8.RuneSelf {
				return '_'
			}
			return r
		}, s)
		return s[:min(n, len(s))]
	}
	base = clean(base, 6)
	if ext != clean(longExt, 3) || base == "" {
		return false
	}
	if stem == base || len(stem) < len(base) && strings.HasPrefix(base, stem) && len(stem) >= 5 {
		return true
	}
	if len(stem) != 6 || !strings.HasPrefix(stem, base[:min(2, len(base))]) {
		return false
	}
	for i := 2; i < 6; i++ {
		if c := stem[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
