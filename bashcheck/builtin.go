package bashcheck

import (
	"bytes"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"sync"
)

//go:embed programs/*.txt
var programFiles embed.FS

// programFolder is where the descriptions stand; README.md tells there how they
// are written.
const programFolder = "programs"

// builtin is the table of the embedded descriptions.
var builtin = sync.OnceValue(func() *programTable { return indexPrograms(programFiles) })

// programTable finds the description of a program by its name. It knows where
// each description stands in the files and reads one, as strictly as any, when
// a command first names its program. It is safe for concurrent use.
type programTable struct {
	files        fs.FS
	descriptions map[string]*description // by every name of the program
	err          error                   // the files cannot be told apart into descriptions
}

// description is one program's part of a file of descriptions.
type description struct {
	file string
	line int // of its first line, from 1
	// The part begins with the line "program NAME…" and ends before the next one.
	start, end int
	names      int

	once    sync.Once
	program *program
	err     error
}

// eachProgramFile calls do with every file of the folder, in the order of their
// names. The data is valid during the call only.
func eachProgramFile(files fs.FS, do func(name string, data []byte) error) error {
	entries, err := fs.ReadDir(files, programFolder)
	if err != nil {
		return err
	}
	var room []byte // for one after the other: to touch fresh memory for each costs more than to read it
	for _, e := range entries {
		name := programFolder + "/" + e.Name()
		info, err := e.Info()
		if err != nil {
			return err
		}
		if size := int(info.Size()); size > cap(room) {
			room = make([]byte, max(size, 1<<16))
		}
		data := room[:info.Size()]
		if err := readProgramFile(files, name, data, 0); err != nil {
			return err
		}
		if err := do(name, data); err != nil {
			return err
		}
	}
	return nil
}

// readProgramFile fills data with what stands in the file from that offset on.
func readProgramFile(files fs.FS, name string, data []byte, from int) error {
	f, err := files.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	at, ok := f.(io.ReaderAt)
	if !ok {
		return fmt.Errorf("%s cannot be read in parts", name)
	}
	if n, err := at.ReadAt(data, int64(from)); n < len(data) {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// indexPrograms finds where the descriptions begin. What stands in them it does
// not look at.
func indexPrograms(files fs.FS) *programTable {
	const most = 2048 // names, somewhat more than there are
	t := &programTable{files: files, descriptions: make(map[string]*description, most)}
	err := eachProgramFile(files, t.index)
	if err != nil {
		return &programTable{err: err}
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
			last = &description{file: file, line: line, start: start, end: len(data)}
			if err := t.name(last, string(data[start:end])); err != nil {
				return err
			}
		case last == nil && at < end && data[at] != '#':
			word, _ := nextWord(string(data[at:end]), 0)
			return &DescriptionError{file, line, at - start + 1, beforePrograms(word)}
		}
		start = end + 1
	}
	return nil
}

// name reads the names in the first line of d, as the loader does.
func (t *programTable) name(d *description, line string) error {
	for at := 0; ; {
		word, start := nextWord(line, at)
		if word == "" || word == "#" && at > 0 {
			break
		}
		if at > 0 { // the first is the keyword
			d.names++
			known := len(t.descriptions)
			if t.descriptions[word] = d; len(t.descriptions) == known {
				return &DescriptionError{d.file, d.line, start + 1, fmt.Sprintf("program %q is described twice", word)}
			}
		}
		at = start + len(word)
	}
	if d.names == 0 {
		return &DescriptionError{d.file, d.line, 1, programUnnamed}
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
	d.once.Do(func() { d.program, d.err = t.read(d) })
	return d.program, d.err
}

func (t *programTable) read(d *description) (*program, error) {
	data := make([]byte, d.end-d.start)
	if err := readProgramFile(t.files, d.file, data, d.start); err != nil {
		return nil, err
	}
	into := make(map[string]*program, d.names)
	if err := loadLines(d.file, string(data), d.line, into); err != nil {
		return nil, err
	}
	var p *program
	same := len(into) == d.names
	for name, q := range into {
		same = same && t.descriptions[name] == d && (p == nil || p == q)
		p = q
	}
	if !same {
		return nil, &DescriptionError{d.file, d.line, 1, "the index and the loader disagree about where the description ends"}
	}
	return p, nil
}
