package toolset

import (
	_ "embed" // the table
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed launchers.txt
var launcherText string

// knownLaunchers is the table of launchers.txt. One that cannot be read is nil,
// and every word of every program may be run.
var knownLaunchers = sync.OnceValue(func() map[string]*launcher {
	t, err := loadLaunchers(launcherText)
	if err != nil {
		return nil
	}
	return t
})

// launcher says which words of a program it runs.
type launcher struct {
	all     bool     // every one
	behind  []string // those behind one of these
	why     bool
	yes, no []string // examples
}

// loadLaunchers reads the table.
func loadLaunchers(text string) (map[string]*launcher, error) {
	t := map[string]*launcher{}
	var row *launcher
	var first int
	finish := func() error {
		if row != nil && (!row.why || !row.all && len(row.behind) == 0 || len(row.yes) == 0 || len(row.no) == 0) {
			return fmt.Errorf("launchers.txt:%d: a program needs why, behind, and examples of both kinds", first)
		}
		return nil
	}
	for at, words := range tableLines(text) {
		key, args := words[0], words[1:]
		bad := func(why string) error { return fmt.Errorf("launchers.txt:%d: %s %s", at, key, why) }
		switch {
		case key != "program" && row == nil:
			return nil, bad("stands before the first program")
		case key != "behind" && len(args) == 0:
			return nil, bad("needs words")
		}
		switch key {
		case "program":
			if err := finish(); err != nil {
				return nil, err
			}
			row, first = &launcher{}, at
			for _, n := range args {
				if t[n] != nil {
					return nil, bad("names " + n + " twice")
				}
				t[n] = row
			}
		case "why":
			row.why = true
		case "behind":
			if row.all || len(row.behind) > 0 {
				return nil, bad("stands once")
			}
			row.all, row.behind = len(args) == 0, slices.Clone(args)
		case "yes":
			row.yes = append(row.yes, strings.Join(args, " "))
		case "no":
			row.no = append(row.no, strings.Join(args, " "))
		default:
			return nil, bad("is no keyword")
		}
	}
	return t, finish()
}
