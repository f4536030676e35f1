// Package audit keeps the records of a permission.Gate as a file of JSON lines
// that shows when it was tampered with, and learns from it: which past calls
// other rules would decide otherwise ([Replay]), and which few rules would have
// saved the most prompts ([Mine]).
//
// Each line carries a digest of itself and of the line before. With a key it is
// an HMAC-SHA-256 (RFC 2104), and nobody without the key can change, remove,
// insert or reorder lines unseen; without one it is SHA-256, which shows
// accidents and no attacker. Lines that are cut off at the end are seen only by
// who kept the head ([Log.Head]) elsewhere: [Verify] says so.
package audit

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/clearance-go/clearance/permission"
)

// Version is the schema of the lines that this package writes. Lines of another
// version are an error and are not guessed at.
const Version = 1

// Limits of a log that is read.
const (
	MaxLine = 32 << 20
)

// line is one line of the file. Its digest is made over the line as it stands
// without the digest's own field, which is the last one.
type line struct {
	V      int               `json:"v"`
	Seq    uint64            `json:"seq"`
	Prev   string            `json:"prev"`
	Record permission.Record `json:"record"`
}

// Log is an append-only log. It is safe for concurrent use by one process. Where
// the system has flock(2), a second one cannot open it meanwhile; elsewhere it
// would break the chain, which Verify then reports.
type Log struct {
	mu   sync.Mutex
	f    *os.File
	key  []byte
	seq  uint64
	head string
	err  error
}

var _ permission.Recorder = (*Log)(nil)

// ErrInUse is returned for a log that is open already. Give each process a log of
// its own.
var ErrInUse = errors.New("the log is in use by another process")

// Open opens or creates the log at path, readable by its owner only, and checks
// its chain up to the end. A key, of 16 bytes or more, makes the chain
// unforgeable; nil chains without one. A log that does not verify is an error
// ([*BrokenError]): continuing it would hide the break. A last line that was
// cut off by a crash is moved aside to path.torn, and the log goes on before it.
func Open(path string, key []byte) (*Log, error) {
	if key != nil && len(key) < 16 {
		return nil, errors.New("audit: the key is shorter than 16 bytes")
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	l := &Log{f: f, key: bytes.Clone(key)}
	if err := l.resume(path); err != nil {
		f.Close()
		return nil, err
	}
	return l, nil
}

func (l *Log) resume(path string) error {
	st, err := l.f.Stat()
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("audit: %s is not a regular file", path)
	}
	switch held, err := lock(l.f); {
	case err != nil:
		return fmt.Errorf("audit: %s: %w", path, err)
	case !held:
		return fmt.Errorf("audit: %s: %w", path, ErrInUse)
	}
	if runtime.GOOS != "windows" && st.Mode().Perm()&0o077 != 0 {
		if err := l.f.Chmod(0o600); err != nil {
			return fmt.Errorf("audit: %w", err)
		}
	}
	v := verifier{key: l.key}
	whole, torn, err := v.read(l.f)
	if err != nil {
		return err
	}
	if torn != nil {
		if err := setAside(path+".torn", torn); err != nil {
			return fmt.Errorf("audit: the torn last line could not be kept: %w", err)
		}
		if err := l.f.Truncate(whole); err != nil {
			return fmt.Errorf("audit: %w", err)
		}
	}
	if _, err := l.f.Seek(whole, io.SeekStart); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	l.seq, l.head = v.seq, v.prev
	if st.Size() == 0 {
		// A new file is durable once its name is.
		if err := syncDir(filepath.Dir(path)); err != nil {
			return fmt.Errorf("audit: %w", err)
		}
	}
	return nil
}

// setAside adds a torn line to those of earlier crashes.
func setAside(path string, torn []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if st, serr := f.Stat(); serr == nil && st.Size() > 0 {
		torn = append([]byte("\n"), torn...)
	}
	_, err = f.Write(torn)
	return errors.Join(err, f.Sync(), f.Close())
}

// Record appends a record and returns once it is on the disk. Nothing runs after
// the refusal or the outcome of a call, so these two are handed to the system at
// once and are on the disk no later than the next record of another kind: the
// end of this process loses none of them, that of the machine may lose the last
// ones. Every grant is on the disk before it is given. After a failed write
// every further one fails as well, because the end of the file is then not
// known; so it does once the file was removed (seen where the system counts the
// names of a file), and not where it was given another name. Input that is no
// JSON is recorded as a JSON string, with Redacted set.
func (l *Log) Record(ctx context.Context, r permission.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	if len(r.Input) > 0 && !json.Valid(r.Input) {
		// It was refused or asked about, and that is on record as well; nobody
		// can decide it again from what stands here.
		text, _ := json.Marshal(string(r.Input))
		r.Input, r.Redacted = text, true
	}
	b, sum, err := seal(line{V: Version, Seq: l.seq + 1, Prev: l.head, Record: r}, l.key)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if len(b) > MaxLine {
		return fmt.Errorf("audit: the record is larger than %d bytes", MaxLine)
	}
	if _, err = l.f.Write(b); err == nil && !last(r) {
		if err = l.f.Sync(); err == nil {
			err = removed(l.f)
		}
	}
	if err != nil {
		l.err = fmt.Errorf("audit: %w", err)
		return l.err
	}
	l.seq, l.head = l.seq+1, sum
	return nil
}

// last says that nothing runs because of the record.
func last(r permission.Record) bool {
	return r.Event == permission.EventOutcome || r.Event == permission.EventDecision && r.Decision.Verdict != permission.Allow
}

// Head is the digest of the last line, "" of an empty log. Kept where the log's
// writer cannot reach, it lets Verify see that lines are missing at the end.
func (l *Log) Head() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// Close brings what was recorded to the disk and closes the file. Later records
// fail.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	if l.err == nil {
		err = l.f.Sync()
		l.err = errors.New("audit: the log is closed")
	}
	return errors.Join(err, l.f.Close())
}

// seal returns the line with its digest and a newline.
func seal(ln line, key []byte) (b []byte, sum string, err error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(ln); err != nil {
		return nil, "", err
	}
	body := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	sum = digest(body, key)
	b = append(body[:len(body)-1:len(body)-1], []byte(`,"sum":"`+sum+"\"}\n")...)
	return b, sum, nil
}

func digest(body, key []byte) string {
	var h hash.Hash
	if key != nil {
		h = hmac.New(sha256.New, key)
	} else {
		h = sha256.New()
	}
	h.Write([]byte("clearance/audit/v1\n"))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// sumField is the length of `,"sum":"…"}`.
const sumField = len(`,"sum":""}`) + 2*sha256.Size

// BrokenError is a line of a log that is not what was written.
type BrokenError struct {
	Line    int // from 1
	Problem string
}

// Error names the line and the problem.
func (e *BrokenError) Error() string { return fmt.Sprintf("audit: line %d: %s", e.Line, e.Problem) }

// Report is what Verify found.
type Report struct {
	Lines int
	Head  string // of the last line
	// Problems are the breaks in the chain, at most 100.
	Problems []*BrokenError
	// TailVerified says that the last line is the expected one. Without an
	// expected head nobody can know whether lines are missing at the end.
	TailVerified bool
	// Keyed says that the chain was checked with a key.
	Keyed bool
}

// OK says that nothing is wrong. It is true as well where the tail was not
// verified: see String.
func (r Report) OK() bool { return len(r.Problems) == 0 }

// String sums the report up for a person.
func (r Report) String() string {
	s := fmt.Sprintf("%d lines, chain whole", r.Lines)
	if !r.OK() {
		s = fmt.Sprintf("%d lines, %d problems, the first: %s", r.Lines, len(r.Problems), r.Problems[0])
	}
	if !r.Keyed {
		s += ", not keyed (shows accidents, no attacker)"
	}
	if !r.TailVerified {
		s += ", tail not verified"
	}
	return s
}

// Verify checks a log against its key (nil where it has none) and reports
// changed, removed, inserted and reordered lines, and with the expected head
// (from Log.Head, "" if it is not known) lines missing at the end. The error is
// one of reading; what is wrong with the log stands in the report.
func Verify(log io.Reader, key []byte, expectedHead string) (Report, error) {
	v := verifier{key: key, all: true}
	_, torn, err := v.read(log)
	if err != nil {
		return Report{}, err
	}
	r := Report{Lines: v.lines, Head: v.prev, Problems: v.problems, Keyed: key != nil}
	if torn != nil {
		r.Problems = append(r.Problems, &BrokenError{v.lines + 1, "the last line is cut off"})
	}
	switch {
	case expectedHead == "":
	case expectedHead == v.prev && torn == nil:
		r.TailVerified = len(v.problems) == 0
	default:
		r.Problems = append(r.Problems, &BrokenError{v.lines + 1, "the log does not end with the expected line: lines at the end are missing or others were added"})
	}
	return r, nil
}

const maxProblems = 100

type verifier struct {
	key      []byte
	all      bool // go on after a problem
	seq      uint64
	prev     string
	lines    int
	problems []*BrokenError
}

// records goes through the lines without looking at the chain.
func records(r io.Reader, yield func(line)) (lines int, torn []byte, err error) {
	br := bufio.NewReaderSize(r, 64<<10)
	for {
		b, err := readLine(br)
		if err == io.EOF {
			if len(b) > 0 {
				torn = b
			}
			return lines, torn, nil
		}
		if err != nil {
			return lines, nil, fmt.Errorf("audit: %w", err)
		}
		lines++
		var ln line
		if err := json.Unmarshal(b, &ln); err != nil {
			return lines, nil, &BrokenError{lines, "it cannot be read: " + err.Error()}
		}
		if ln.V != Version {
			return lines, nil, &BrokenError{lines, fmt.Sprintf("its schema has version %d and not %d", ln.V, Version)}
		}
		yield(ln)
	}
}

// read goes through the lines. whole is the length of the complete ones, torn
// what follows without a newline.
func (v *verifier) read(r io.Reader) (whole int64, torn []byte, err error) {
	br := bufio.NewReaderSize(r, 64<<10)
	for {
		b, err := readLine(br)
		if err == io.EOF {
			if len(b) > 0 {
				torn = b
			}
			return whole, torn, nil
		}
		if err != nil {
			return 0, nil, fmt.Errorf("audit: %w", err)
		}
		whole += int64(len(b))
		v.lines++
		if problem := v.line(bytes.TrimSuffix(b, []byte("\n"))); problem != "" {
			e := &BrokenError{v.lines, problem}
			if !v.all {
				return 0, nil, e
			}
			if len(v.problems) < maxProblems {
				v.problems = append(v.problems, e)
			}
		}
	}
}

func readLine(br *bufio.Reader) ([]byte, error) {
	var out []byte
	for {
		part, err := br.ReadSlice('\n')
		if len(out)+len(part) > MaxLine+1 {
			return nil, fmt.Errorf("a line is longer than %d bytes", MaxLine)
		}
		out = append(out, part...)
		if err != bufio.ErrBufferFull {
			return out, err
		}
	}
}

// line checks one line and goes on from it, whether or not it is good.
func (v *verifier) line(b []byte) (problem string) {
	if len(b) <= sumField || !bytes.HasPrefix(b[len(b)-sumField:], []byte(`,"sum":"`)) || b[len(b)-2] != '"' {
		v.seq++
		return "it has no digest at its end"
	}
	sum := string(b[len(b)-2-2*sha256.Size : len(b)-2])
	body := append(b[:len(b)-sumField:len(b)-sumField], '}')
	var ln line
	d := json.NewDecoder(bytes.NewReader(body))
	err := d.Decode(&ln)
	prev, seq := v.prev, v.seq
	v.prev, v.seq = sum, max(ln.Seq, seq+1)
	switch {
	case !hmac.Equal([]byte(digest(body, v.key)), []byte(sum)):
		return "it was changed, or written with another key"
	case err != nil:
		return "it cannot be read: " + err.Error()
	case ln.V != Version:
		return fmt.Sprintf("its schema has version %d and not %d", ln.V, Version)
	case ln.Seq != seq+1 && ln.Prev != prev:
		return fmt.Sprintf("it is number %d where %d was expected: lines were removed, repeated or reordered before it", ln.Seq, seq+1)
	case ln.Seq != seq+1 || ln.Prev != prev:
		return "it does not follow the line before it"
	}
	return ""
}
