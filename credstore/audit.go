package credstore

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/clearance-go/clearance/credstore/internal/format"
)

// AuditPolicy says what the audit log records.
type AuditPolicy int

// The policies. No record holds a value: only a fingerprint of 8 bytes, keyed with the store's key.
const (
	// AuditChanges records every change of the store, and exports.
	AuditChanges AuditPolicy = iota
	// AuditAll also records every use of a value. A use is not flushed to the disk before it is allowed.
	AuditAll
	// AuditOff records nothing.
	AuditOff
)

// The files of the log, and when it is renamed.
const (
	auditFile  = "credentials.audit"
	auditOld   = ".1"       // the part before, after a rotation
	auditBad   = ".damaged" // a log that did not match the store
	auditLock  = "credentials.audit.lock"
	auditLimit = 8 << 20
	auditMax   = 64 << 20 // of a part that only grew by reading
	auditLine  = 4 << 10
)

// AuditRecord is one line of the audit log: what an operation was about to do. A change whose Generation is not in the
// store's history did not come to pass; the record "failed" that follows says so, unless the machine stopped.
type AuditRecord struct {
	Sequence    uint64    `json:"seq"` // from 1, without gaps
	Time        time.Time `json:"time"`
	PID         int       `json:"pid"`
	UID         int       `json:"uid"`
	Op          string    `json:"op"`               // create set refresh delete slot-add slot-remove rotate get use export reanchor restart failed
	Name        string    `json:"name,omitempty"`   // of the entry: HiddenName, or in the clear with Options.AuditNames
	Target      string    `json:"target,omitempty"` // the host or the program that a value was used for
	Generation  uint64    `json:"gen"`
	Fingerprint string    `json:"fp,omitempty"` // hex; the same for the same value in one store
	Previous    string    `json:"prev"`         // hex; the MAC of the record before
	MAC         string    `json:"mac"`          // hex; HMAC-SHA256 of the line without this field
}

type auditRecord = AuditRecord

// AuditReport is what VerifyAudit found.
type AuditReport struct {
	Records     int
	First, Last uint64 // numbers of the oldest and the newest record
	Restarts    int    // times that the log was begun anew because it was missing or damaged
}

// AuditError says where the log breaks. It is ErrAuditChain.
type AuditError struct {
	Path   string
	Record uint64 // the number of the first record that is wrong or missing
	Reason string
}

// Error names the file and the record.
func (e *AuditError) Error() string {
	return fmt.Sprintf("credstore: %s: record %d: %s", e.Path, e.Record, e.Reason)
}

// Unwrap returns ErrAuditChain.
func (e *AuditError) Unwrap() error { return ErrAuditChain }

// auditState is what this process knows of the log.
type auditState struct {
	info     fs.FileInfo // of the file when last was its last record
	size     int64
	last     AuditRecord
	known    bool
	failures uint64
}

func auditMAC(anchorKey []byte, r AuditRecord) string {
	r.MAC = ""
	raw, _ := json.Marshal(r) // a struct of numbers, strings and a time
	return hex.EncodeToString(format.AuditMAC(anchorKey, raw))
}

// auditSave records the change that tx makes and puts the new head into the body.
func (s *Store) auditSave(tx *Tx) error {
	if s.options.Audit == AuditOff || len(tx.records) == 0 {
		return nil
	}
	for i := range tx.records {
		tx.records[i].Generation = tx.body.Generation
	}
	head, err := s.auditAppend(tx.body, tx.body.Audit, true, tx.records...)
	if err != nil {
		return s.auditFailed(err)
	}
	tx.body.Audit = head
	return nil
}

// auditFailure records that a change did not come to pass.
func (s *Store) auditFailure(tx *Tx) {
	if s.options.Audit == AuditOff || len(tx.records) == 0 {
		return
	}
	if _, err := s.auditAppend(tx.body, tx.body.Audit, true, AuditRecord{Op: "failed", Generation: tx.body.Generation}); err != nil {
		_ = s.auditFailed(err)
	}
}

// auditUse records that a value is about to be used; s.mu is held.
func (s *Store) auditUse(snap *snapshot, op, name, target string, value Secret) error {
	if s.options.Audit == AuditOff || s.options.ReadOnly || s.options.Audit != AuditAll && op != "export" {
		return nil
	}
	r := AuditRecord{Op: op, Name: name, Target: target, Generation: snap.body.Generation}
	if value.Len() > 0 {
		_ = value.view(func(b []byte) error {
			r.Fingerprint = hex.EncodeToString(format.Fingerprint(snap.body.AnchorKey, b))
			return nil
		})
	}
	if _, err := s.auditAppend(snap.body, snap.body.Audit, false, r); err != nil {
		return s.auditFailed(err)
	}
	return nil
}

func (s *Store) auditFailed(err error) error {
	s.log.known = false
	s.log.failures++
	if s.options.RequireAudit {
		return fmt.Errorf("credstore: %w: %w", ErrAudit, err)
	}
	s.warn("the audit log could not be written: " + err.Error())
	return nil
}

// checkAudit tells at Open when the log does not reach as far as the store remembers.
func (s *Store) checkAudit() {
	if s.options.Audit == AuditOff || s.now == nil || s.now.body.Audit.Sequence == 0 {
		return
	}
	last, _, err := s.auditTail(s.now.body.AnchorKey)
	if err == nil {
		err = s.auditBehind(last, s.now.body.Audit)
	}
	if err != nil {
		s.warn("the audit log does not match the store: " + err.Error())
	} else if last.Generation > s.now.body.Generation && last.Op != "failed" {
		s.warn(fmt.Sprintf("the audit log records generation %d and the store has %d: a save was cut short, or the store was rolled back by one", last.Generation, s.now.body.Generation))
	}
}

// auditLimit is where a save renames the log.
func (s *Store) auditLimit() int64 {
	if s.options.auditMax > 0 {
		return int64(s.options.auditMax)
	}
	return auditLimit
}

func (s *Store) auditBehind(last AuditRecord, head format.AuditHead) error {
	if last.Sequence < head.Sequence {
		return &AuditError{Path: s.path(auditFile), Record: last.Sequence + 1, Reason: "missing: the log was cut off"}
	}
	if last.Sequence == head.Sequence && last.MAC != hex.EncodeToString(head.MAC) {
		return &AuditError{Path: s.path(auditFile), Record: last.Sequence, Reason: "not the record that the store remembers"}
	}
	return nil
}

// auditTail reads the last whole record, and the size of the file up to its end.
func (s *Store) auditTail(anchorKey []byte) (AuditRecord, int64, error) {
	f, err := openNoFollow(s.path(auditFile))
	if errors.Is(err, fs.ErrNotExist) {
		return AuditRecord{}, 0, nil
	}
	if err != nil {
		return AuditRecord{}, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return AuditRecord{}, 0, err
	}
	if !info.Mode().IsRegular() {
		return AuditRecord{}, 0, fmt.Errorf("%s: %w", s.path(auditFile), ErrNotRegular)
	}
	size := info.Size()
	from := max(0, size-2*auditLine)
	tail := make([]byte, size-from)
	if _, err := f.ReadAt(tail, from); err != nil && err != io.EOF {
		return AuditRecord{}, 0, err
	}
	end := bytes.LastIndexByte(tail, '\n') + 1 // what follows was torn by a crash and never acknowledged
	if end == 0 {
		if from == 0 {
			return AuditRecord{}, 0, nil
		}
		return AuditRecord{}, 0, &AuditError{Path: s.path(auditFile), Reason: "the last line is too long"}
	}
	line := tail[bytes.LastIndexByte(tail[:end-1], '\n')+1 : end-1]
	var last AuditRecord
	if json.Unmarshal(line, &last) != nil || last.MAC != auditMAC(anchorKey, last) {
		return AuditRecord{}, 0, &AuditError{Path: s.path(auditFile), Record: last.Sequence, Reason: "the last record is not authentic"}
	}
	return last, from + int64(end), nil
}

// auditAppend adds records and returns the new head. A log that does not match the store is put aside and begun anew, with
// a record that says so, unless Options.RequireAudit.
func (s *Store) auditAppend(body *format.Body, head format.AuditHead, durable bool, records ...AuditRecord) (format.AuditHead, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	release, err := acquire(ctx, s.path(auditLock))
	if err != nil {
		return head, err
	}
	defer release()
	d, path := s.options.disk, s.path(auditFile)
	info, err := os.Lstat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return head, err
	}
	last, whole := s.log.last, s.log.size
	if err != nil || !s.log.known || info.Size() != s.log.size || !os.SameFile(info, s.log.info) {
		var e error
		last, whole, e = s.auditTail(body.AnchorKey)
		if e == nil {
			e = s.auditBehind(last, head)
		}
		var chain *AuditError
		if errors.As(e, &chain) && !s.options.RequireAudit {
			s.warn("the audit log was begun anew: " + e.Error())
			if e := d.Rename(path, path+auditBad); e != nil && !errors.Is(e, fs.ErrNotExist) {
				return head, e
			}
			last, whole = AuditRecord{Sequence: head.Sequence, MAC: hex.EncodeToString(head.MAC)}, 0
			head.First = head.Sequence + 1
			records = append([]AuditRecord{{Op: "restart", Generation: body.Generation}}, records...)
		} else if e != nil {
			return head, e
		}
	}
	if durable && whole > s.auditLimit() { // only a save may rename it: the store remembers where the log begins
		if err := d.Rename(path, path+auditOld); err != nil {
			return head, err
		}
		if old := s.auditFirst(path + auditOld); old > 0 {
			head.First = old
		}
		whole = 0
	} else if whole > auditMax {
		return head, fmt.Errorf("%s is over %d bytes; it is renamed at the next change", path, auditMax)
	}
	if head.First == 0 {
		head.First = 1
	}
	if err := truncateTo(path, whole); err != nil {
		return head, err
	}
	var lines []byte
	for _, r := range records {
		r.Sequence, r.Time, r.PID, r.UID, r.Previous = last.Sequence+1, s.options.Now().UTC(), os.Getpid(), os.Getuid(), last.MAC
		r.Target = shortTarget(r.Target)
		if r.Name != "" && !s.options.AuditNames {
			r.Name = hex.EncodeToString(format.HiddenName(body.AnchorKey, r.Name))
		}
		r.MAC = auditMAC(body.AnchorKey, r)
		line, err := json.Marshal(r)
		if err != nil {
			return head, err
		}
		if len(line) > auditLine {
			return head, fmt.Errorf("a record of %d bytes", len(line))
		}
		lines = append(append(lines, line...), '\n')
		last = r
	}
	f, err := d.Append(path)
	if err != nil {
		return head, err
	}
	n, err := f.Write(lines)
	if err == nil && n < len(lines) {
		err = io.ErrShortWrite
	}
	if err == nil && durable {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil && durable && whole == 0 {
		err = d.SyncDir(s.dir)
	}
	if err != nil {
		_ = truncateTo(path, whole)
		return head, err
	}
	s.log.info, err = os.Lstat(path)
	s.log.last, s.log.size, s.log.known = last, whole+int64(len(lines)), err == nil
	head.Sequence = last.Sequence
	head.MAC, err = hex.DecodeString(last.MAC)
	return head, err
}

// shortTarget keeps a record within a line: no length of a path or host keeps its use out of the log.
func shortTarget(target string) string {
	const most = 512
	if len(target) <= most {
		return target
	}
	sum := format.Hash([]byte(target))
	return strings.ToValidUTF8(target[:most/2], "") + "... (SHA-256 " + hex.EncodeToString(sum[:]) + ")"
}

// truncateTo cuts off what a crash or a full disk left behind the last whole record.
func truncateTo(path string, size int64) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || info.Size() <= size {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: %w", path, ErrNotRegular)
	}
	return os.Truncate(path, size)
}

// auditFirst is the number of the first record of a part.
func (s *Store) auditFirst(path string) uint64 {
	f, err := openNoFollow(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	buffer := make([]byte, auditLine+1)
	n, _ := io.ReadFull(f, buffer)
	line, _, _ := bytes.Cut(buffer[:n], []byte("\n"))
	var r AuditRecord
	if json.Unmarshal(line, &r) != nil {
		return 0
	}
	return r.Sequence
}

// VerifyAudit checks the whole log against the store: each MAC, the chain, and that it reaches from the oldest record to
// the newest one that the store remembers. An *AuditError names the first record that is wrong. Uses that were recorded
// after the last save can be cut off without a trace until the next one; changes cannot.
func (s *Store) VerifyAudit(ctx context.Context) (AuditReport, error) {
	var report AuditReport
	err := s.see(ctx, func(snap *snapshot) (err error) {
		report, err = s.verifyAudit(ctx, snap.body)
		return err
	})
	return report, err
}

func (s *Store) verifyAudit(ctx context.Context, body *format.Body) (AuditReport, error) {
	var report AuditReport
	if !s.options.ReadOnly {
		release, err := acquire(ctx, s.path(auditLock))
		if err != nil {
			return report, err
		}
		defer release()
	}
	head := body.Audit
	if head.Sequence == 0 {
		return report, nil
	}
	next, previous := head.First, ""
	for _, path := range []string{s.path(auditFile + auditOld), s.path(auditFile)} {
		raw, err := readPrivate(path, auditMax+auditLine)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return report, err
		}
		whole := bytes.LastIndexByte(raw, '\n') + 1
		for line := range bytes.Lines(raw[:whole]) {
			bad := func(why string) (AuditReport, error) {
				return report, &AuditError{Path: path, Record: next, Reason: why}
			}
			var r AuditRecord
			if len(line) > auditLine+1 || json.Unmarshal(line, &r) != nil {
				return bad("not a record")
			}
			if report.Records == 0 && r.Sequence < head.First && filepath.Ext(path) == auditOld {
				break // the part before a log that was begun anew
			}
			again, _ := json.Marshal(r)
			if !bytes.Equal(append(again, '\n'), line) || r.MAC != auditMAC(body.AnchorKey, r) {
				return bad("it was changed")
			}
			if r.Sequence != next {
				return bad(fmt.Sprintf("missing or out of order: record %d stands here", r.Sequence))
			}
			if previous != "" && r.Previous != previous {
				return bad("it does not follow the record before")
			}
			if r.Sequence == head.Sequence && r.MAC != hex.EncodeToString(head.MAC) {
				return bad("not the record that the store remembers")
			}
			if r.Op == "restart" {
				report.Restarts++
			}
			if report.Records == 0 {
				report.First = r.Sequence
			}
			report.Records++
			report.Last, previous = r.Sequence, r.MAC
			next++
		}
	}
	if next <= head.Sequence {
		return report, &AuditError{Path: s.path(auditFile), Record: next, Reason: "missing: the log was cut off"}
	}
	return report, nil
}

// HiddenName is what stands for an entry's name in the audit log unless Options.AuditNames: 32 hex digits.
func (s *Store) HiddenName(ctx context.Context, name string) (string, error) {
	hidden := ""
	err := s.see(ctx, func(snap *snapshot) error {
		hidden = hex.EncodeToString(format.HiddenName(snap.body.AnchorKey, name))
		return nil
	})
	return hidden, err
}

// AuditFile is the path of the newest part of the audit log: one AuditRecord in JSON a line. The part before is beside it,
// with the ending ".1".
func (s *Store) AuditFile() string { return s.path(auditFile) }
