package ui

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/diff"
)

// The comparison is the one of the Go project itself (cmd/go's internal/diff,
// anchored on lines that stand once), in a form that others may import: it is
// O(n log n) on hostile input, and only this example links it.

// Limits of a diff that is made.
const (
	maxDiffBytes = 1 << 20
	maxDiffLines = 4000
)

// Diff returns a unified diff of a file's text before and after. What is too
// large, or not text, is said and not compared.
func Diff(before, after []byte, isNew bool) []Line {
	switch {
	case bytes.Equal(before, after) && !isNew:
		return []Line{{Note, "The file would stay as it is."}}
	case len(before)+len(after) > maxDiffBytes:
		return []Line{{Note, fmt.Sprintf("Too large to compare: %d bytes become %d.", len(before), len(after))}}
	case !utf8.Valid(after) || bytes.IndexByte(after, 0) >= 0:
		return []Line{{Note, fmt.Sprintf("Not text: %d bytes become %d.", len(before), len(after))}}
	}
	var out []Line
	if isNew {
		out = append(out, Line{Note, "A new file."})
		if len(after) == 0 {
			return append(out, Line{Note, "It is empty."})
		}
	}
	lines := strings.Split(strings.TrimSuffix(string(diff.Diff("a", before, "b", after)), "\n"), "\n")
	for i, l := range lines {
		switch {
		case i < 3 && (strings.HasPrefix(l, "diff ") || strings.HasPrefix(l, "--- ") || strings.HasPrefix(l, "+++ ")):
		case strings.HasPrefix(l, "@@"):
			out = append(out, Line{Hunk, l})
		case strings.HasPrefix(l, "+"):
			out = append(out, Line{Added, l})
		case strings.HasPrefix(l, "-"):
			out = append(out, Line{Removed, l})
		case strings.HasPrefix(l, `\`):
			out = append(out, Line{Note, l})
		default:
			out = append(out, Line{Plain, l})
		}
		if len(out) == maxDiffLines {
			return append(out, Line{Note, fmt.Sprintf("… %d more lines", len(lines)-i-1)})
		}
	}
	return out
}
