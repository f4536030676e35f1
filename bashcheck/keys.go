package bashcheck

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
)

// keysFile holds the flags whose value is used and not sent, in the format that
// it tells.
//
//go:embed keys.txt
var keysFile string

// keyRow is a row of the table.
type keyRow struct {
	flags   []string
	why     bool
	yes, no []string
	line    int
}

// keyFlags are the flags of the table. A table that cannot be read has none, so
// that more is reported.
var keyFlags = sync.OnceValue(func() map[string]bool {
	rows, err := loadKeys("keys.txt", keysFile)
	if err != nil {
		return nil
	}
	flags := map[string]bool{}
	for _, r := range rows {
		for _, f := range r.flags {
			flags[f] = true
		}
	}
	return flags
})

// loadKeys reads the table strictly.
func loadKeys(file, text string) (rows []keyRow, err error) {
	seen := map[string]bool{}
	line := 0
	fail := func(at int, format string, args ...any) error {
		return &DescriptionError{file, at, 1, fmt.Sprintf(format, args...)}
	}
	for raw := range strings.SplitSeq(text, "\n") {
		line++
		key, rest, _ := strings.Cut(strings.TrimSpace(raw), " ")
		rest = strings.TrimSpace(rest)
		switch {
		case key == "" || strings.HasPrefix(key, "#"):
			continue
		case rest == "":
			return nil, fail(line, "%s needs something behind it", key)
		case key == "keys":
			r := keyRow{flags: strings.Fields(rest), line: line}
			for _, f := range r.flags {
				if len(f) < 2 || f[0] != '-' || seen[f] {
					return nil, fail(line, "%q is not a flag, or stands here twice", f)
				}
				seen[f] = true
			}
			rows = append(rows, r)
			continue
		case len(rows) == 0:
			return nil, fail(line, "%q before the first row: write keys FLAG…", key)
		}
		switch r := &rows[len(rows)-1]; key {
		case "why":
			r.why = true
		case "yes":
			r.yes = append(r.yes, rest)
		case "no":
			r.no = append(r.no, rest)
		default:
			return nil, fail(line, "unknown keyword %q: write keys, why, yes or no", key)
		}
	}
	for _, r := range rows {
		if !r.why || len(r.yes) == 0 || len(r.no) == 0 {
			return nil, fail(r.line, "keys %s needs a why, a yes and a no", r.flags[0])
		}
	}
	return rows, nil
}
