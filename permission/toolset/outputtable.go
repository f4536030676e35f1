package toolset

import (
	_ "embed" // the table
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
)

//go:embed outputs.txt
var outputText string

// knownOutputs is the table of outputs.txt. One that cannot be read makes every
// output unknown.
var knownOutputs = sync.OnceValue(func() outputTable {
	t, err := loadOutputs(outputText)
	if err != nil {
		return outputTable{}
	}
	return t
})

// outputRow is what the words of a program say of what it writes.
type outputRow struct {
	letters string   // of short flags whose value is written
	long    []string // long flags, without their dashes
	// assigned begins a word that names an output.
	assigned string
	behind   []string // two words, and the one behind them is written
	last     bool     // the last operand is written
	changes  bool     // every operand is changed
	edits    bool     // files among the operands may be changed
	inPlace  []string
	guards   bool // an operand that is protected is written
	deletes  bool // or removed
	launches bool
	why      bool
	yes, no  []string // examples
}

// outputTable is the row of each program. The one called * is of all.
type outputTable map[string]*outputRow

// inPlaceBy says that with this word the operands are changed. A pattern for
// letters behind one dash is about no other flag.
func (r *outputRow) inPlaceBy(word string) bool {
	for _, p := range r.inPlace {
		if wildMatch(p, word) && (p[0] != '-' || strings.HasPrefix(p, "--") == strings.HasPrefix(word, "--")) {
			return true
		}
	}
	return false
}

// tableLines are the lines of a table that say something, by their numbers from
// 1, in words.
func tableLines(text string) iter.Seq2[int, []string] {
	return func(yield func(int, []string) bool) {
		for i, raw := range strings.Split(text, "\n") {
			if words := strings.Fields(raw); len(words) > 0 && words[0][0] != '#' && !yield(i+1, words) {
				return
			}
		}
	}
}

// loadOutputs reads the table.
func loadOutputs(text string) (outputTable, error) {
	t := outputTable{}
	var row *outputRow
	var first int
	finish := func() error {
		if row != nil && (!row.why || len(row.yes) == 0 || len(row.no) == 0) {
			return fmt.Errorf("outputs.txt:%d: a program needs why, and examples of both kinds", first)
		}
		return nil
	}
	for at, words := range tableLines(text) {
		key, args := words[0], words[1:]
		rest := strings.Join(args, " ")
		bad := func(why string) error { return fmt.Errorf("outputs.txt:%d: %s %s", at, key, why) }
		if key == "program" {
			if err := finish(); err != nil {
				return nil, err
			}
			row, first = &outputRow{}, at
			for _, n := range args {
				if t[n] != nil {
					return nil, bad("names " + n + " twice")
				}
				t[n] = row
			}
		} else if row == nil {
			return nil, bad("stands before the first program")
		}
		switch key {
		case "last", "changes", "launches":
			if len(args) > 0 {
				return nil, bad("stands alone")
			}
		case "edits", "guards":
		default:
			if len(args) == 0 {
				return nil, bad("needs words")
			}
		}
		switch key {
		case "program":
		case "why":
			row.why = true
		case "output":
			for _, f := range args {
				name := strings.TrimLeft(f, "-")
				switch dashes := len(f) - len(name); {
				case dashes == 1 && len(name) == 1:
					row.letters += name
				case dashes == 2 && name != "" && !slices.Contains(row.long, name):
					row.long = append(row.long, name)
				default:
					return nil, bad("takes -x and --name, once, not " + f)
				}
			}
		case "assigned":
			row.assigned = rest
		case "behind":
			if row.behind = args; len(args) != 2 {
				return nil, bad("needs two words")
			}
		case "last":
			row.last = true
		case "changes":
			row.changes = true
		case "edits":
			row.edits = row.edits || len(args) == 0
			row.inPlace = append(row.inPlace, args...)
		case "guards":
			if rest != "" && rest != "delete" {
				return nil, bad("takes delete or nothing")
			}
			row.guards, row.deletes = true, rest == "delete"
		case "launches":
			row.launches = true
		case "yes":
			row.yes = append(row.yes, rest)
		case "no":
			row.no = append(row.no, rest)
		default:
			return nil, bad("is no keyword")
		}
	}
	if err := finish(); err != nil {
		return nil, err
	}
	if t["*"] == nil {
		return nil, fmt.Errorf("outputs.txt: the program * is missing")
	}
	return t, nil
}
