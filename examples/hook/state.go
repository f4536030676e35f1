package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/toolset"
)

// store is what the hook remembers between two events where -state names a
// folder: what each session has been in touch with, and the ledger of files
// that sessions wrote after they had read untrusted text. A session's folder
// holds an empty file for each label, so that hooks which run at the same time
// lose none. A nil store remembers nothing.
type store struct {
	dir    string // of the session
	ledger *toolset.Ledger
}

// keepSessions is how long the labels of a session are kept.
const keepSessions = 60 * 24 * time.Hour

var labelFiles = map[string]permission.Labels{"untrusted": permission.Untrusted, "sensitive": permission.SensitiveData}

// openStore opens or makes the folder.
func openStore(dir, project, session string) (*store, error) {
	if dir == "" {
		return nil, nil
	}
	if session == "" {
		return nil, errors.New("the event names no session, and -state keeps what sessions have read")
	}
	if err := os.MkdirAll(filepath.Join(dir, "sessions"), 0o700); err != nil {
		return nil, err
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	top, err := filepath.EvalSymlinks(project)
	if err != nil {
		return nil, err
	}
	if within(top, real) {
		return nil, fmt.Errorf("-state %s lies inside the project, which the agent may write", dir)
	}
	sum := sha256.Sum256([]byte(session))
	s := &store{dir: filepath.Join(real, "sessions", hex.EncodeToString(sum[:16]))}
	if _, err := os.Lstat(s.dir); errors.Is(err, fs.ErrNotExist) {
		forget(filepath.Join(real, "sessions"))
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	s.ledger, err = toolset.OpenLedger(filepath.Join(real, "ledger"))
	return s, err
}

// forget removes the sessions of long ago.
func forget(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if st, err := e.Info(); err == nil && time.Since(st.ModTime()) > keepSessions {
			_ = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
}

// labels are those of the session.
func (s *store) labels() (permission.Labels, error) {
	var out permission.Labels
	for name, l := range labelFiles {
		switch _, err := os.Lstat(filepath.Join(s.dir, name)); {
		case err == nil:
			out |= l
		case !errors.Is(err, fs.ErrNotExist):
			return 0, err
		}
	}
	return out, nil
}

// label adds labels.
func (s *store) label(l permission.Labels) error {
	for name, one := range labelFiles {
		if l&one == 0 {
			continue
		}
		f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// files are what no call may ever change.
func (s *store) files() []string {
	if s == nil {
		return nil
	}
	return []string{filepath.Dir(filepath.Dir(s.dir))}
}
