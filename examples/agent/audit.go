package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"

	"github.com/clearance-go/clearance/permission/audit"
)

// auditKey is the entry of the secret store that holds the key of the log.
const auditKey = "agent/audit-key"

// auditLog is the log of a run: each decision is on the disk before the call
// runs, in a chain that nobody without the key can change unseen.
type auditLog struct {
	*audit.Log
	path string
	key  []byte
}

// newAuditKey makes a key for the log of a run.
func newAuditKey() ([]byte, error) {
	key := make([]byte, 32)
	_, err := rand.Read(key)
	return key, err
}

// openAudit opens the log in dir with a key that the secret store keeps.
func openAudit(dir string, key []byte) (*auditLog, error) {
	path := filepath.Join(dir, "audit.jsonl")
	log, err := audit.Open(path, key)
	if err != nil {
		return nil, err
	}
	return &auditLog{Log: log, path: path, key: key}, nil
}

// verify reads the log back from the disk and checks it up to the last line
// that was written.
func (l *auditLog) verify() (audit.Report, error) {
	f, err := os.Open(l.path)
	if err != nil {
		return audit.Report{}, err
	}
	defer f.Close()
	return audit.Verify(f, l.key, l.Head())
}

// verified says in a sentence what verify found.
func (l *auditLog) verified() (text string, ok bool) {
	r, err := l.verify()
	if err != nil {
		return "The audit log cannot be verified: " + err.Error(), false
	}
	if !r.OK() || !r.TailVerified {
		return fmt.Sprintf("The audit log does NOT verify: %s.", r), false
	}
	return fmt.Sprintf("The audit log verifies: %s.", r), true
}
