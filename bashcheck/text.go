package bashcheck

import "strings"

func isInteger(s string) bool {
	s = strings.TrimPrefix(s, "-")
	if s == "" || len(s) > 18 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// byteSet is a set of bytes.
type byteSet [256]bool

// bytesBut is the set of all bytes that are not in s.
func bytesBut(s string) (set byteSet) {
	for c := range set {
		set[c] = strings.IndexByte(s, byte(c)) < 0
	}
	return set
}

// all says that s consists of bytes of the set.
func (set *byteSet) all(s string) bool {
	for i := range len(s) {
		if !set[s[i]] {
			return false
		}
	}
	return true
}
