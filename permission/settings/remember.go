package settings

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/clearance-go/clearance/permission"
)

// ErrUntrusted is returned where a rule would be saved into a file that the
// repository brought along and that nobody has trusted: saving there would
// vouch for the rest of it.
var ErrUntrusted = errors.New("the file holds settings that nobody has approved: trust the workspace first, or save to the user settings")

// Remember adds allow rules to the settings file of a layer (user, project or
// local) and keeps every other byte of the file. The file is replaced in one
// step, under a lock that other processes of this package respect, so that
// rules saved at the same time are all kept. The rules are in force after it
// returned.
//
// Errors: [ErrUntrusted]; a [*permission.RuleError] for a rule that cannot be
// read; what the file system says. Rules saved to the project's shared settings
// change what the workspace loosens: where the Truster cannot approve that
// (a method ApproveWorkspace like that of mcptrust.Registry), the error is
// ErrUntrusted and nothing is saved.
func (s *Settings) Remember(ctx context.Context, layer permission.Layer, rules []string) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	local, _, trusted, loaded := s.standing()
	var name string
	switch layer {
	case permission.LayerUser:
		name = filepath.Join(s.src.UserDir, "settings.json")
	case permission.LayerProject:
		name = filepath.Join(s.src.Dir, ".claude", "settings.json")
	case permission.LayerLocal:
		if name = local; name == "" {
			name = localFile(s.src.Dir, s.src.Home)
		}
	default:
		return fmt.Errorf("settings: rules cannot be saved to the %s layer", layer)
	}
	for _, r := range rules {
		if _, err := permission.ParseRule(permission.RuleRef{Effect: permission.Allow, Text: r, Layer: layer}, s.src.Home, s.src.Dir); err != nil {
			return fmt.Errorf("settings: not saved: %w", err)
		}
	}
	approver, canApprove := s.src.Trust.(interface {
		ApproveWorkspace(ctx context.Context, dir, looseningDigest string) error
	})
	untrusted := fmt.Errorf("settings: %s: %w", name, ErrUntrusted)
	if layer == permission.LayerProject && (!trusted || !canApprove) {
		return untrusted
	}
	if layer != permission.LayerUser {
		// Through a link the rules would land in another project's settings,
		// or in the user's.
		if st, err := os.Lstat(filepath.Dir(name)); err == nil && !st.IsDir() {
			return fmt.Errorf("settings: %s is not a directory of the project itself", filepath.Dir(name))
		}
	} else if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real // kept in a repository of dot files
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	var before []string
	if layer == permission.LayerProject {
		// The approval below is for the whole workspace: what changed since it was
		// looked at has not been shown to anybody.
		if err := s.reload(ctx, true); err != nil {
			return err
		}
		if _, before, trusted, loaded = s.standing(); !trusted {
			return untrusted
		}
	}
	old, err := readFile(name)
	if err != nil {
		return err
	}
	// Whose the file is counts now, under the lock, not when it was loaded:
	// other processes save too.
	wrote := layer == permission.LayerLocal && old != nil && s.wroteLocal(name, old)
	if layer != permission.LayerUser && old != nil && !wrote && (!trusted || !bytes.Equal(old, loaded[layer])) {
		// Nobody approved it, or somebody else changed it since it was looked at.
		return untrusted
	}
	data, err := addAllow(old, rules)
	if err != nil {
		return fmt.Errorf("settings: %s: %w", name, err)
	}
	if bytes.Equal(data, old) {
		return s.reload(ctx, true)
	}
	if layer == permission.LayerLocal {
		// First the claim, for both: whichever the file holds if this is cut
		// short, or while others read it, it was written here. The workspace's
		// trust covers what was not.
		both := [][]byte{data}
		if wrote {
			both = append(both, old)
		}
		s.step("before")
		if err := s.claimLocal(name, both...); err != nil {
			return err
		}
		s.step("claimed")
	}
	if err := writeFile(name, data); err != nil {
		return err
	}
	if layer == permission.LayerLocal {
		s.step("written")
		if err := s.claimLocal(name, data); err != nil {
			return err
		}
		s.step("done")
	}
	if err := s.reload(ctx, true); err != nil || layer != permission.LayerProject {
		return err
	}
	if l := s.Loosening(); l.Digest != "" && !l.Trusted {
		// Others can write the project's files at any moment.
		was, err1 := loosening(permission.Source{Name: name, Data: old})
		now, err2 := loosening(permission.Source{Name: name, Data: data})
		if err := errors.Join(err1, err2); err != nil {
			return fmt.Errorf("settings: %s: %w", name, err)
		}
		if len(was) > len(before) || !slices.Equal(was, before[:len(was)]) || !slices.Equal(l.Entries, append(now, before[len(was):]...)) {
			return fmt.Errorf("settings: the rule was saved, but the project's files changed in other ways as well: %w", untrusted)
		}
		if err := approver.ApproveWorkspace(ctx, s.src.Dir, l.Digest); err != nil {
			return fmt.Errorf("settings: %s was saved, but could not be approved: %w", name, err)
		}
		return s.reload(ctx, true)
	}
	return nil
}

// standing is what the last load found: the local file, what the workspace
// loosens, whether all of that is trusted, and the bytes of each layer.
func (s *Settings) standing() (local string, entries []string, trusted bool, loaded map[permission.Layer][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	loaded = map[permission.Layer][]byte{}
	for _, l := range s.layers {
		loaded[l.Layer] = l.Data
	}
	return s.local, s.loosen.Entries, s.loosen.Trusted || s.loosen.Digest == "", loaded
}

// lock waits for the lock that all processes with the same State share.
func (s *Settings) lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(s.src.State, 0o700); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(s.src.State, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	for {
		ok, err := tryLock(f)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("settings: lock: %w", err)
		}
		if ok {
			return func() {
				releaseLock(f)
				f.Close()
			}, nil
		}
		wait := time.NewTimer(2 * time.Millisecond)
		select {
		case <-ctx.Done():
			wait.Stop()
			f.Close()
			return nil, fmt.Errorf("settings: waiting for another process: %w", ctx.Err())
		case <-wait.C:
		}
	}
}

// addAllow inserts rules at the end of permissions.allow and leaves every other
// byte alone.
func addAllow(data []byte, rules []string) ([]byte, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		data = []byte("{\n  \"permissions\": {\n    \"allow\": []\n  }\n}\n")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	var rootAt, permAt, listAt, listEnd int
	var present []string
	rootEmpty, permEmpty := true, true
	t, err := dec.Token()
	if err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	rootAt = int(dec.InputOffset())
	for dec.More() {
		rootEmpty = false
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		if key != "permissions" {
			var skip json.RawMessage
			if err := dec.Decode(&skip); err != nil {
				return nil, err
			}
			continue
		}
		if t, err := dec.Token(); err != nil || t != json.Delim('{') {
			return nil, errors.New("permissions is not an object")
		}
		permAt = int(dec.InputOffset())
		for dec.More() {
			permEmpty = false
			key, err := dec.Token()
			if err != nil {
				return nil, err
			}
			if key != "allow" {
				var skip json.RawMessage
				if err := dec.Decode(&skip); err != nil {
					return nil, err
				}
				continue
			}
			if t, err := dec.Token(); err != nil || t != json.Delim('[') {
				return nil, errors.New("permissions.allow is not a list")
			}
			listAt = int(dec.InputOffset())
			listEnd = listAt
			for dec.More() {
				var rule string
				if err := dec.Decode(&rule); err != nil {
					return nil, err
				}
				present = append(present, rule)
				listEnd = int(dec.InputOffset())
			}
			if _, err := dec.Token(); err != nil {
				return nil, err
			}
		}
		if _, err := dec.Token(); err != nil {
			return nil, err
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	var items []string
	for _, r := range rules {
		if !contains(present, r) {
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(r); err != nil {
				return nil, err
			}
			items = append(items, strings.TrimSuffix(b.String(), "\n"))
			present = append(present, r)
		}
	}
	if len(items) == 0 {
		return data, nil
	}
	const indent = "\n      "
	list := strings.Join(items, ","+indent)
	comma := func(empty bool) string {
		if empty {
			return ""
		}
		return ","
	}
	at, text := 0, ""
	switch {
	case listAt > 0 && listEnd > listAt:
		at, text = listEnd, ","+indent+list
	case listAt > 0:
		at, text = listAt, indent+list+"\n    "
	case permAt > 0:
		at, text = permAt, "\n    \"allow\": ["+indent+list+"\n    ]"+comma(permEmpty)
	default:
		at, text = rootAt, "\n  \"permissions\": {\n    \"allow\": ["+indent+list+"\n    ]\n  }"+comma(rootEmpty)
	}
	out := append([]byte(nil), data[:at]...)
	out = append(out, text...)
	out = append(out, data[at:]...)
	if !json.Valid(out) {
		return nil, errors.New("the file could not be extended")
	}
	return out, nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// writeFile replaces the file in one durable step.
func writeFile(name string, data []byte) (err error) {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	mode := os.FileMode(0o600)
	if st, err := os.Lstat(name); err == nil {
		if !st.Mode().IsRegular() {
			return fmt.Errorf("settings: %s is not a regular file", name)
		}
		mode = st.Mode().Perm()
	}
	tmp, err := os.CreateTemp(dir, ".settings-*.tmp")
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	if _, err = tmp.Write(data); err == nil {
		err = tmp.Chmod(mode)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	if d, e := os.Open(dir); e == nil {
		// Some file systems cannot sync a directory; the rename stands anyway.
		_ = d.Sync()
		_ = d.Close()
	}
	return nil
}

// claim is the file outside the project that says which local settings this
// package wrote.
func (s *Settings) claim(local string) string {
	sum := sha256.Sum256([]byte(local))
	return filepath.Join(s.src.State, "local-"+hex.EncodeToString(sum[:16]))
}

func (s *Settings) step(name string) {
	if s.fault != nil {
		s.fault(name)
	}
}

// readTries is how often the local file and its claim are read again without
// the lock while other processes save.
const readTries = 8

// readLocal reads the local file and whether this package wrote it, as they
// were together. data is nil where there is no file.
//
// A save claims what it is about to write, writes it, and drops the claim of
// what was there. So a file without a claim is somebody else's only if it is
// still the same after the claim was read; else it was replaced meanwhile.
func (s *Settings) readLocal(ctx context.Context, name string, locked bool) (data []byte, own bool, err error) {
	if data, err = readFile(name); err != nil {
		return nil, false, err
	}
	for try := 0; ; try++ {
		if !locked {
			s.step("read")
		}
		if data == nil || s.wroteLocal(name, data) {
			return data, true, nil
		}
		if locked {
			return data, false, nil
		}
		if try == readTries {
			unlock, err := s.lock(ctx)
			if err != nil {
				return nil, false, err
			}
			defer unlock()
			locked = true
		}
		again, err := readFile(name)
		if err != nil {
			return nil, false, err
		}
		if !locked && again != nil && bytes.Equal(again, data) {
			return data, false, nil
		}
		data = again
	}
}

func (s *Settings) claimLocal(local string, contents ...[]byte) error {
	var b strings.Builder
	for _, data := range contents {
		sum := sha256.Sum256(data)
		b.WriteString(hex.EncodeToString(sum[:]))
		b.WriteByte('\n')
	}
	return writeFile(s.claim(local), []byte(b.String()))
}

func (s *Settings) wroteLocal(local string, data []byte) bool {
	got, err := readFile(s.claim(local))
	if err != nil || data == nil {
		return false
	}
	sum := sha256.Sum256(data)
	return contains(strings.Fields(string(got)), hex.EncodeToString(sum[:]))
}
