package bashcheck

import (
	"bytes"
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed programs/*.txt
var programFiles embed.FS

// programTable finds the description of a program by its name. It knows where
// each description stands in the texts and reads one, as strictly as any, when
// a command first names its program. It is safe for concurrent use.
type programTable struct {
	descriptions map[string]*description // by every name of the program
	err          error                   // the texts cannot be told apart into descriptions
}

// description is one program's part of a text of descriptions.
type description struct {
	file string
	data []byte // the whole text of the file
	line int    // of its first line, from 1
	// The part begins with the line "program NAME…" and ends before the next one.
	start, end int
	names      []string

	once    sync.Once
	program *program
	err     error
}

// builtin is the table of the embedded descriptions.
var builtin = sync.OnceValue(func() *programTable {
	files, err := builtinFiles()
	if err != nil {
		return &programTable{err: err}
	}
	return indexPrograms(files)
})

// textFile is one file of descriptions.
type textFile struct {
	name string
	data []byte
}

// builtinFiles are the embedded files of descriptions.
func builtinFiles() ([]textFile, error) {
	entries, err := programFiles.ReadDir("programs")
	if err != nil {
		return nil, err
	}
	files := make([]textFile, 0, len(entries))
	for _, e := range entries {
		if e.Name() == "FORMAT.txt" {
			continue
		}
		name := "programs/" + e.Name()
		data, err := programFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files = append(files, textFile{name, data})
	}
	return files, nil
}

// indexPrograms finds where the descriptions begin. What stands in them it does
// not look at.
func indexPrograms(files []textFile) *programTable {
	t := &programTable{descriptions: make(map[string]*description, 1024)}
	for _, f := range files {
		if err := t.index(f.name, f.data); err != nil {
			return &programTable{err: err}
		}
	}
	return t
}

var programKeyword = []byte("program")

func (t *programTable) index(file string, data []byte) error {
	var last *description
	line := 0
	for start := 0; start < len(data); {
		end := len(data)
		if n := bytes.IndexByte(data[start:], '\n'); n >= 0 {
			end = start + n
		}
		line++
		at := start
		for at < end && (data[at] == ' ' || data[at] == '\t') {
			at++
		}
		rest, is := bytes.CutPrefix(data[at:end], programKeyword)
		switch {
		case is && (len(rest) == 0 || rest[0] == ' ' || rest[0] == '\t'):
			if last != nil {
				last.end = start
			}
			last = &description{file: file, data: data, line: line, start: start, end: len(data)}
			if err := t.name(last, string(data[start:end])); err != nil {
				return err
			}
		case last == nil && at < end && data[at] != '#':
			return &DescriptionError{file, line, at - start + 1, "a line before the first program"}
		}
		start = end + 1
	}
	return nil
}

// name reads the names in the first line of d.
func (t *programTable) name(d *description, line string) error {
	words, cols := fields(line)
	if i := slices.Index(words, "#"); i >= 0 {
		words = words[:i]
	}
	if len(words) == 1 {
		return &DescriptionError{d.file, d.line, cols[0], "program needs a name"}
	}
	d.names = words[1:]
	for i, n := range d.names {
		if other := t.descriptions[n]; other != nil {
			return &DescriptionError{d.file, d.line, cols[i+1], fmt.Sprintf("program %q is already described in %s", n, other.file)}
		}
		t.descriptions[n] = d
	}
	return nil
}

// lookup returns the description of the program of that name, nil where there
// is none, and the error of one that is broken.
func (t *programTable) lookup(name string) (*program, error) {
	d := t.descriptions[name]
	if d == nil {
		return nil, nil
	}
	return d.load()
}

// load reads the description when it is first asked for.
func (d *description) load() (*program, error) {
	d.once.Do(func() {
		into := make(map[string]*program, len(d.names))
		if err := loadLines(d.file, string(d.data[d.start:d.end]), d.line, into); err != nil {
			d.err = err
			return
		}
		// Two readers found the same: the index the names, the loader all else.
		p := into[d.names[0]]
		if p == nil || !slices.Equal(p.names, d.names) || len(into) != len(d.names) {
			d.err = &DescriptionError{d.file, d.line, 1, "the lines read otherwise as the description of " + strings.Join(d.names, ", ")}
			return
		}
		d.program = p
	})
	return d.program, d.err
}
