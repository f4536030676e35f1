package mcptrust

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// The operations of an [Event].
const (
	OpApprove = "approve"
	OpRevoke  = "revoke"
	OpForget  = "forget"
)

// Event is one decision in the history. The history is for people: no decision
// reads it.
type Event struct {
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	PID     int       `json:"pid"`
	Op      string    `json:"op"`
	Project string    `json:"project,omitempty"`
	Kind    string    `json:"kind"` // as in [Record]
	Server  string    `json:"server,omitempty"`
	Name    string    `json:"name,omitempty"`
	Before  string    `json:"before,omitempty"` // the digest that the decision replaced
	Digest  string    `json:"digest,omitempty"` // the digest that was approved
	// Generation is the number of the write to the project's file.
	Generation uint64 `json:"generation"`

	file string
}

const (
	historyFile    = "history.jsonl"
	maxHistory     = 4 << 20 // then the file moves to oldHistoryFile
	oldHistoryFile = "history-old.jsonl"
	maxHistoryLine = 16 << 10
)

// historyLine is an event with its place in the chain: the keyed digest of the
// line before it, and of itself.
type historyLine struct {
	Event json.RawMessage `json:"event"`
	File  string          `json:"file"`
	Prev  string          `json:"prev"`
	MAC   string          `json:"mac"`
}

// HistoryError is a history that does not hold together: a line was changed,
// removed, or the end was cut off.
type HistoryError struct {
	File string
	Line int // 1-based; 0: the end
	Msg  string
}

// Error returns file, line and problem.
func (e *HistoryError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("mcptrust: %s: %s", Escape(e.File), e.Msg)
	}
	return fmt.Sprintf("mcptrust: %s:%d: %s", Escape(e.File), e.Line, e.Msg)
}

// record appends events to the history under its lock and syncs it.
func (s *store) record(ctx context.Context, events []Event) error {
	path := filepath.Join(s.dir, historyFile)
	fail := func(what string, err error) error {
		return &StoreError{Path: path, Code: CodeStoreIO, Msg: what, Err: err, Fix: "without its history no trust is given: make room, or move the file away"}
	}
	unlock, err := s.lock(ctx, historyFile)
	if err != nil {
		return err
	}
	defer unlock()
	f, err := openAppend(path)
	if err != nil {
		return fail("cannot open the history as a plain file", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fail("cannot look at the history", err)
	}
	if msg := unsafeInfo(info); msg != "" || !info.Mode().IsRegular() {
		return &StoreError{Path: path, Code: CodeStoreUnsafe, Msg: "the history is not a plain file of yours: " + msg, Fix: "move it away"}
	}
	end, last, err := s.lastLine(f, info.Size())
	if err != nil {
		return fail("cannot read the end of the history", err)
	}
	seq, prev := uint64(0), ""
	if last != nil {
		var e Event
		if json.Unmarshal(last.Event, &e) != nil {
			return fail("the last line of the history is damaged", nil)
		}
		seq, prev = e.Seq, last.MAC
	}
	var out []byte
	for i := range events {
		e := &events[i]
		seq++
		e.Seq, e.Time, e.PID = seq, time.Now().UTC().Truncate(time.Millisecond), os.Getpid()
		b, err := json.Marshal(e)
		if err != nil {
			return fail("cannot encode", err)
		}
		l := historyLine{Event: b, File: filepath.ToSlash(e.file), Prev: prev}
		l.MAC = s.mac("history/v1", string(b), l.File, prev)
		prev = l.MAC
		line, err := json.Marshal(l)
		if err != nil {
			return fail("cannot encode", err)
		}
		out = append(append(out, line...), '\n')
	}
	if end > maxHistory {
		// The chain goes on in a new file.
		if err := os.Rename(path, filepath.Join(s.dir, oldHistoryFile)); err != nil {
			return fail("cannot move the full history", err)
		}
		g, err := openAppend(path)
		if err != nil {
			return fail("cannot start a new history", err)
		}
		defer g.Close()
		f, end = g, 0
	}
	// A torn line at the end is what a crash left; its decision was not made.
	if err := f.Truncate(end); err != nil {
		return fail("cannot write", err)
	}
	if _, err := f.WriteAt(out, end); err != nil {
		_ = f.Truncate(end)
		return fail("cannot write", err)
	}
	if err := f.Sync(); err != nil {
		return fail("cannot sync", err)
	}
	if end == 0 {
		if err := syncDir(s.dir); err != nil {
			return fail("cannot sync the folder", err)
		}
	}
	return nil
}

// lastLine returns the last whole line and the offset behind it.
func (s *store) lastLine(f *os.File, size int64) (int64, *historyLine, error) {
	from := max(0, size-2*maxHistoryLine)
	b := make([]byte, size-from)
	if _, err := f.ReadAt(b, from); err != nil && !errors.Is(err, io.EOF) {
		return 0, nil, err
	}
	i := bytes.LastIndexByte(b, '\n')
	if i < 0 {
		if from > 0 {
			return 0, nil, errors.New("a line is too long")
		}
		return 0, nil, nil
	}
	end := from + int64(i) + 1
	j := bytes.LastIndexByte(b[:i], '\n')
	if j < 0 && from > 0 {
		return 0, nil, errors.New("a line is too long")
	}
	var l historyLine
	if err := json.Unmarshal(b[j+1:i], &l); err != nil {
		return 0, nil, errors.New("the last line is damaged")
	}
	return end, &l, nil
}

// History returns the decisions, oldest first, and verifies their chain and
// that the store holds no decision that the history lacks. Errors:
// *[HistoryError], with what could be read before it, and *[StoreError]. It
// detects changes by a program that cannot read the store's key. The oldest part
// is dropped when a history of two files of some megabytes is full.
func (r *Registry) History(ctx context.Context) ([]Event, error) {
	s := r.store
	unlock, err := s.lock(ctx, historyFile)
	if err != nil {
		return nil, err
	}
	defer unlock()
	var out []Event
	prev, first := "", true
	last := map[string]uint64{}
	for _, name := range [...]string{oldHistoryFile, historyFile} {
		path := filepath.Join(s.dir, name)
		b, _, err := s.readRaw(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return out, err
		}
		// What follows the last newline is what a crash left.
		if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
			b = b[:i+1]
		} else {
			b = nil
		}
		n := 0
		for line := range bytes.Lines(b) {
			n++
			var l historyLine
			var e Event
			switch {
			case json.Unmarshal(line, &l) != nil || json.Unmarshal(l.Event, &e) != nil:
				return out, &HistoryError{path, n, "not a history line"}
			case !equalMAC(l.MAC, s.mac("history/v1", string(l.Event), l.File, l.Prev)):
				return out, &HistoryError{path, n, "the line was changed"}
			case first && l.Prev != "" && name == historyFile || !first && l.Prev != prev:
				return out, &HistoryError{path, n, "a line before this one is missing"}
			}
			first, prev = false, l.MAC
			last[l.File] = max(last[l.File], e.Generation)
			out = append(out, e)
		}
	}
	names, err := s.files()
	if err != nil {
		return out, err
	}
	for _, name := range names {
		f, err := s.read(name)
		if err != nil {
			continue // List and Doctor report it
		}
		if g, ok := last[filepath.ToSlash(name)]; f.Generation > 0 && (ok || first) && g < f.Generation {
			return out, &HistoryError{filepath.Join(s.dir, historyFile), 0, fmt.Sprintf("the end is missing: %s is at write %d, the history at %d", Escape(name), f.Generation, g)}
		}
	}
	return out, nil
}
