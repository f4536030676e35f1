package toolset

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/clearance-go/clearance/permission"
)

// Limits of a [Ledger].
const (
	maxKept      = 256 << 10 // bytes of one file whose text is kept
	maxKeptFiles = 2000      // texts, and commands, that are kept
	maxWritten   = 16 << 20  // bytes of the list of written places
	maxDiff      = 64 << 10  // bytes of a diff that is shown
	maxDiffLines = 4000      // lines of one file that are compared

	minText      = 4        // bytes of a text that is known again under another name
	maxHashed    = 4 << 20  // bytes of one file that is read to know it again
	maxHashedAll = 64 << 20 // bytes that are read for that in one call
	maxOpen      = 256      // names without a digest that are compared with others
	maxTreeFiles = 2000     // files of a new tree that are noted one by one
	maxTreeNames = 20000    // names that are looked at for that

	clockStep = 20 * time.Millisecond // by which the times of files lag behind
)

// Ledger keeps, in a folder outside of every project and readable by its owner
// only, which files sessions wrote that had read untrusted text, and
// the text of what commands of a workspace ran when they were approved. Several
// processes may use one folder. It is safe for concurrent use; a nil Ledger
// knows of nothing.
//
// A written file is known again by its path and by its content, wherever it has
// got to meanwhile: moved, copied, linked, unpacked or taken out of git. One that
// somebody else replaced is not theirs any more. Files of the size of a noted one
// are read to compare them; one of more than 4 MiB counts as noted by its size
// alone. What is not known again: a copy that was changed; a file of less than 4
// bytes under another name; a copy below a directory that is searched as a whole,
// until it is read by its name.
//
// It does not protect against a process that can write to the folder: hand its
// [Ledger.Files] to the guard as protected.
type Ledger struct {
	dir string

	mu    sync.Mutex
	read  int64       // bytes of the list that were read
	of    fs.FileInfo // the list that they were read from
	exact map[string]string
	trees []string
	// contents are the digests of everything noted, sizes how long they are, open
	// the paths that have no digest yet.
	contents map[string]struct{}
	sizes    map[int64]struct{}
	open     map[string]struct{}
	broken   error
}

var _ permission.Ledger = (*Ledger)(nil)

// OpenLedger opens or creates the folder.
func OpenLedger(dir string) (*Ledger, error) {
	if !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("toolset: the folder of the ledger, %q, is not absolute", dir)
	}
	for _, d := range []string{dir, filepath.Join(dir, "text"), filepath.Join(dir, "run")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("toolset: %w", err)
		}
	}
	l := &Ledger{dir: dir}
	l.forget()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refresh()
	return l, l.broken
}

// forget empties what was read of the list.
func (l *Ledger) forget() {
	l.read, l.of, l.trees = 0, nil, nil
	l.exact, l.contents, l.sizes, l.open = map[string]string{}, map[string]struct{}{}, map[int64]struct{}{}, map[string]struct{}{}
}

// Files returns what no call may ever change.
func (l *Ledger) Files() []string {
	if l == nil {
		return nil
	}
	return []string{l.dir}
}

// written is one line of the list. A line of a file without a digest is of one
// that is being written: it is untrusted whatever it holds. A line without a path
// is of a file below a tree.
type written struct {
	Path   string `json:"path,omitempty"`
	Digest string `json:"digest,omitempty"`
	Size   int64  `json:"size,omitempty"`
	Tree   bool   `json:"tree,omitempty"`
}

func (l *Ledger) list() string { return filepath.Join(l.dir, "written.jsonl") }

// Wrote notes the places.
func (l *Ledger) Wrote(_ context.Context, places []permission.Place, done bool) error {
	if l == nil {
		return errors.New("toolset: there is no ledger")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refresh()
	var b bytes.Buffer
	for _, p := range places {
		if p.Tree {
			if !p.Since.IsZero() {
				if done && l.read < maxWritten/2 {
					b.Write(l.belowTree(p.Path, p.Since))
				}
				continue
			}
			if st, err := os.Lstat(p.Path); err == nil && st.Mode().IsRegular() {
				p.Tree = false
			}
		}
		w := written{Path: p.Path, Tree: p.Tree}
		if done && !p.Tree {
			st, err := os.Stat(p.Path)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				w.Digest = "-" // nothing came of it
			case err != nil || !st.Mode().IsRegular():
				continue // it stays noted without a digest
			default:
				in, err := input(p.Path)
				if err != nil {
					continue
				}
				w.Digest, w.Size = in.Digest, in.Size
			}
		}
		if p.Tree && done && l.read < maxWritten/2 {
			b.Write(l.belowTree(p.Path, time.Time{}))
		}
		if p.Tree && slices.Contains(l.trees, p.Path) {
			continue
		}
		if old, ok := l.exact[p.Path]; ok && !p.Tree && old == w.Digest {
			continue
		}
		line, err := json.Marshal(w)
		if err != nil {
			return fmt.Errorf("toolset: %w", err)
		}
		b.Write(append(line, '\n'))
	}
	if b.Len() == 0 {
		return nil
	}
	if l.read+int64(b.Len()) > maxWritten {
		return fmt.Errorf("toolset: %s is full: look through it and remove it", l.list())
	}
	f, err := os.OpenFile(l.list(), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("toolset: %w", err)
	}
	_, err = f.Write(b.Bytes())
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("toolset: %w", err)
	}
	l.refresh()
	return l.broken
}

// belowTree are the lines for the files below a tree, so that they are known
// again elsewhere; with since of those that changed after it.
func (l *Ledger) belowTree(dir string, since time.Time) []byte {
	var b bytes.Buffer
	files, names, left := maxTreeFiles, maxTreeNames, int64(maxHashedAll)
	_ = filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil
		case e.IsDir() && (e.Name() == ".git" || e.Name() == "node_modules") && name != dir:
			return fs.SkipDir
		case names <= 0:
			return fs.SkipAll
		}
		names--
		if !e.Type().IsRegular() {
			return nil
		}
		st, err := e.Info()
		if err != nil || !since.IsZero() && changed(st).Before(since.Add(-clockStep)) {
			return nil
		}
		w := written{Path: name}
		if since.IsZero() {
			w.Path = ""
		}
		if w.Path == "" && st.Size() < minText {
			return nil
		}
		if files--; files < 0 {
			return fs.SkipAll
		}
		if left -= min(st.Size(), maxContent); left < 0 {
			return fs.SkipAll
		}
		in, err := input(name)
		if _, known := l.contents[in.Digest]; err != nil || known && (w.Path == "" || l.exact[name] == in.Digest) {
			return nil
		}
		w.Digest, w.Size = in.Digest, in.Size
		if line, err := json.Marshal(w); err == nil {
			b.Write(append(line, '\n'))
		}
		return nil
	})
	return b.Bytes()
}

// refresh reads what was added to the list since.
func (l *Ledger) refresh() {
	if st, err := os.Stat(l.list()); err == nil && l.of != nil && l.broken == nil && os.SameFile(l.of, st) && st.Size() == l.read {
		return
	}
	f, err := os.Open(l.list())
	if errors.Is(err, fs.ErrNotExist) {
		l.forget()
		l.broken = nil
		return
	}
	if err != nil {
		l.broken = fmt.Errorf("toolset: %w", err)
		return
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		l.broken = fmt.Errorf("toolset: %w", err)
		return
	}
	if l.of == nil || !os.SameFile(l.of, st) || st.Size() < l.read {
		l.forget()
	}
	l.of, l.broken = st, nil
	if st.Size() == l.read {
		return
	}
	if st.Size() > 2*maxWritten {
		l.broken = fmt.Errorf("toolset: %s is larger than %d bytes", l.list(), 2*maxWritten)
		return
	}
	if _, err := f.Seek(l.read, 0); err != nil {
		l.broken = fmt.Errorf("toolset: %w", err)
		return
	}
	r := bufio.NewReader(f)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return // a line that is being written, or the end
		}
		l.read += int64(len(line))
		var w written
		switch {
		case json.Unmarshal(line, &w) != nil || w.Path == "" && w.Digest == "":
			// Cut short by a crash, which nothing can follow on the same line:
			// the call that it was for did not run.
		case w.Tree:
			l.trees = append(l.trees, w.Path)
		default:
			if w.Path != "" {
				l.exact[w.Path] = w.Digest
				delete(l.open, w.Path)
			}
			if w.Digest == "" {
				l.open[w.Path] = struct{}{}
				continue
			}
			l.contents[w.Digest] = struct{}{}
			l.sizes[w.Size] = struct{}{}
		}
	}
}

// Untrusted says whether a file (absolute, resolved) holds what a session wrote
// that had read untrusted text, or something below a directory does. A host asks
// before it gives a session the instructions of a project, and labels it.
func (l *Ledger) Untrusted(path string) bool {
	var read int64
	if st, err := os.Stat(path); err == nil && st.IsDir() && l.holdsBelow(path, &read) {
		return true
	}
	return l.holds(path, nil, &read)
}

// holds says whether the file holds what an untrusted session wrote. in is what
// is known of its content, nil to look; read counts the bytes that are read.
func (l *Ledger) holds(name string, in *permission.Input, read *int64) bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refresh()
	if l.broken != nil || slices.ContainsFunc(l.trees, func(t string) bool { return beneath(t, name) }) {
		return true
	}
	want, named := l.exact[name]
	if named && want == "" {
		return true
	}
	if !named && len(l.contents)+len(l.open) == 0 {
		return false
	}
	st, err := os.Stat(name)
	if err != nil || !st.Mode().IsRegular() {
		return named && err != nil && !errors.Is(err, fs.ErrNotExist)
	}
	if l.linked(st) {
		return true
	}
	size := st.Size()
	_, alike := l.sizes[size]
	if _, old := l.sizes[0]; !alike && !(named && old) {
		return false // no noted content is as long; lines of before hold no size
	}
	switch {
	case in == nil && size > maxHashed || size > maxContent:
		return true
	case in == nil:
		if *read += size; *read > maxHashedAll {
			return true
		}
		now, err := input(name)
		if err != nil {
			return true
		}
		in = &now
	}
	_, known := l.contents[in.Digest]
	return named && want == in.Digest || known && size >= minText
}

// linked says whether a file is another name of one that is being written.
func (l *Ledger) linked(st fs.FileInfo) bool {
	if len(l.open) == 0 || !severalNames(st) {
		return false
	}
	left := maxOpen
	for name := range l.open {
		if left--; left < 0 {
			return true
		}
		if other, err := os.Stat(name); err == nil && os.SameFile(st, other) {
			return true
		}
	}
	return false
}

// holdsBelow says whether something below the directory is what an untrusted
// session wrote.
func (l *Ledger) holdsBelow(dir string, read *int64) bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	l.refresh()
	if l.broken != nil || slices.ContainsFunc(l.trees, func(t string) bool { return beneath(t, dir) || beneath(dir, t) }) {
		l.mu.Unlock()
		return true
	}
	var names []string
	for name := range l.exact {
		if beneath(dir, name) {
			names = append(names, name)
		}
	}
	l.mu.Unlock()
	for _, name := range names {
		if _, err := os.Lstat(name); err == nil && l.holds(name, nil, read) {
			return true
		}
	}
	return false
}

func beneath(dir, name string) bool {
	return name == dir || strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/")
}

// ran is what is kept of a command.
type ran struct {
	Command string             `json:"command"`
	Digest  string             `json:"digest"`
	Inputs  []permission.Input `json:"inputs"`
}

func (l *Ledger) run(command string) string {
	sum := sha256.Sum256([]byte(command))
	return filepath.Join(l.dir, "run", hex.EncodeToString(sum[:16])+".json")
}

func (l *Ledger) text(digest string) string { return filepath.Join(l.dir, "text", digest) }

// Approved keeps the inputs of a command, and the text of those that are text
// of at most 256 KiB and still what was approved.
func (l *Ledger) Approved(_ context.Context, command, digest string, inputs []permission.Input) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, in := range inputs {
		if _, err := os.Lstat(l.text(in.Digest)); err == nil || in.Size > maxKept {
			continue
		}
		if data, ok := textOf(in.Path, in.Digest); ok {
			_ = l.keep(l.text(in.Digest), data)
		}
	}
	if data, err := json.Marshal(ran{command, digest, inputs}); err == nil {
		_ = l.keep(l.run(command), data)
	}
}

// keep writes a file in one step, and removes the oldest of too many.
func (l *Ledger) keep(name string, data []byte) error {
	dir := filepath.Dir(name)
	if entries, err := os.ReadDir(dir); err == nil && len(entries) >= maxKeptFiles {
		age := func(e os.DirEntry) int64 {
			if st, err := e.Info(); err == nil {
				return st.ModTime().UnixNano()
			}
			return 0
		}
		slices.SortFunc(entries, func(a, b os.DirEntry) int { return int(min(1, max(-1, age(a)-age(b)))) })
		for _, e := range entries[:maxKeptFiles/10] {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
	f, err := os.CreateTemp(dir, ".tmp-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// Last returns what was kept of a command.
func (l *Ledger) Last(_ context.Context, command string) (digest string, inputs []permission.Input) {
	if l == nil {
		return "", nil
	}
	data, err := os.ReadFile(l.run(command))
	var r ran
	if err != nil || json.Unmarshal(data, &r) != nil || r.Command != command {
		return "", nil
	}
	return r.Digest, r.Inputs
}

// textOf reads a file of the given digest that a person can read.
func textOf(name, digest string) ([]byte, bool) {
	st, err := os.Stat(name)
	if err != nil || !st.Mode().IsRegular() || st.Size() > maxKept {
		return nil, false
	}
	data, err := os.ReadFile(name)
	sum := sha256.Sum256(data)
	if err != nil || hex.EncodeToString(sum[:]) != digest || !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return nil, false
	}
	return data, true
}

// Diff returns a unified diff of the files that differ. Of one that is larger
// than 256 KiB, no text, or whose text was not kept it says sizes and digests.
func (l *Ledger) Diff(_ context.Context, was, now []permission.Input) string {
	before := map[string]permission.Input{}
	for _, in := range was {
		before[in.Path] = in
	}
	var b strings.Builder
	for _, in := range now {
		old, ok := before[in.Path]
		delete(before, in.Path)
		if ok && old.Digest == in.Digest {
			continue
		}
		var one, oldList []permission.Input
		one = []permission.Input{in}
		if ok {
			oldList = []permission.Input{old}
		}
		var a, z []byte
		readA, readZ := !ok, false
		if ok && l != nil {
			a, readA = textOf(l.text(old.Digest), old.Digest)
		}
		if z, readZ = textOf(in.Path, in.Digest); !readA || !readZ {
			b.WriteString(permission.DescribeInputs(oldList, one))
			switch {
			case !readZ:
				b.WriteString("  (it is too large to show, is no text, or changed again)\n")
			default:
				b.WriteString("  (the text of before was not kept: what follows is the whole file)\n")
				a = nil
			}
			if !readZ {
				continue
			}
		}
		fmt.Fprintf(&b, "--- %q\n+++ %q\n%s", in.Path, in.Path, unified(string(a), string(z)))
	}
	for _, in := range was {
		if _, gone := before[in.Path]; gone {
			b.WriteString(permission.DescribeInputs([]permission.Input{in}, nil))
		}
	}
	out := b.String()
	if len(out) > maxDiff {
		out = strings.ToValidUTF8(out[:maxDiff], "") + fmt.Sprintf("\n(%d more bytes are not shown: look at the files)\n", len(out)-maxDiff)
	}
	return visible(out)
}

// visible writes what a terminal would act on, and what hides text, as escapes.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "\\u{%x}", r)
		}
	}
	return b.String()
}

// unified compares line by line and returns hunks with three lines around each
// change.
func unified(a, b string) string {
	x, y := lines(a), lines(b)
	head := 0
	for head < len(x) && head < len(y) && x[head] == y[head] {
		head++
	}
	tail := 0
	for tail < len(x)-head && tail < len(y)-head && x[len(x)-1-tail] == y[len(y)-1-tail] {
		tail++
	}
	type edit struct {
		op   byte
		text string
	}
	var edits []edit
	for _, s := range x[:head] {
		edits = append(edits, edit{' ', s})
	}
	p, q := x[head:len(x)-tail], y[head:len(y)-tail]
	if len(p) > maxDiffLines || len(q) > maxDiffLines || len(p)*len(q) > 4<<20 {
		// Too long to find what stayed: all of it went and came.
		for _, s := range p {
			edits = append(edits, edit{'-', s})
		}
		for _, s := range q {
			edits = append(edits, edit{'+', s})
		}
	} else {
		// The longest common subsequence of the lines from i and j on.
		w := len(q) + 1
		lcs := make([]int32, (len(p)+1)*w)
		for i := len(p) - 1; i >= 0; i-- {
			for j := len(q) - 1; j >= 0; j-- {
				if p[i] == q[j] {
					lcs[i*w+j] = lcs[(i+1)*w+j+1] + 1
				} else {
					lcs[i*w+j] = max(lcs[(i+1)*w+j], lcs[i*w+j+1])
				}
			}
		}
		i, j := 0, 0
		for i < len(p) || j < len(q) {
			switch {
			case i < len(p) && j < len(q) && p[i] == q[j]:
				edits = append(edits, edit{' ', p[i]})
				i, j = i+1, j+1
			case j == len(q) || i < len(p) && lcs[(i+1)*w+j] >= lcs[i*w+j+1]:
				edits = append(edits, edit{'-', p[i]})
				i++
			default:
				edits = append(edits, edit{'+', q[j]})
				j++
			}
		}
	}
	for _, s := range x[len(x)-tail:] {
		edits = append(edits, edit{' ', s})
	}
	const around = 3
	var out strings.Builder
	oldAt, newAt := 1, 1
	for i := 0; i < len(edits); {
		if edits[i].op == ' ' {
			i, oldAt, newAt = i+1, oldAt+1, newAt+1
			continue
		}
		start := max(0, i-around)
		end, quiet := i, 0
		for k := i; k < len(edits) && quiet <= 2*around; k++ {
			if quiet++; edits[k].op != ' ' {
				end, quiet = k+1, 0
			}
		}
		end = min(len(edits), end+around)
		back := i - start
		oldFrom, newFrom, oldN, newN := oldAt-back, newAt-back, 0, 0
		var hunk strings.Builder
		for _, e := range edits[start:end] {
			if e.op != '+' {
				oldN++
			}
			if e.op != '-' {
				newN++
			}
			hunk.WriteByte(e.op)
			hunk.WriteString(e.text)
			hunk.WriteByte('\n')
		}
		if oldN == 0 {
			oldFrom--
		}
		if newN == 0 {
			newFrom--
		}
		fmt.Fprintf(&out, "@@ -%d,%d +%d,%d @@\n%s", oldFrom, oldN, newFrom, newN, hunk.String())
		oldAt, newAt = oldAt-back+oldN, newAt-back+newN
		i = end
	}
	return out.String()
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}
