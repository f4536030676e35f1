package settings

import (
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
	"time"

	"github.com/clearance-go/clearance/permission"
)

// ErrUntrusted is returned where a rule would be saved into a file that the
// repository brought along and that nobody has trusted: saving there would
// vouch for the rest of it.
var ErrUntrusted = errors.New("the file holds settings that nobody has approved: trust the workspace first, or save to the user settings")

// ErrBusy is returned where another process has held the lock of the settings, or
// has kept changing the file, for longer than saving takes.
var ErrBusy = errors.New("another process is busy with the settings: try again")

// Limits of saving.
const (
	lockWait  = 5 * time.Second // for the lock of another process
	saveTries = 5               // to save a file that others change meanwhile
)

// Remember adds allow rules to the settings file of a layer (user, project or
// local) and keeps every other byte of the file. The file is replaced in one
// step, under a lock that other processes of this package respect, so that
// rules saved at the same time are all kept; what another program wrote into the
// file meanwhile is read again and kept. The rules are in force after it returned,
// or, where the settings could not be read before either, as soon as Reload can.
//
// With an error none of the rules is saved. Errors: [ErrUntrusted]; [ErrBusy];
// [fs.ErrPermission] for a file that is marked read-only or may not be written; a [*permission.RuleError] for a rule that cannot be
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
	unread := s.reload(ctx, true)
	if err := ctx.Err(); err != nil {
		return err
	}
	if layer == permission.LayerProject {
		// The approval below is for the whole workspace: what changed since it was
		// looked at has not been shown to anybody.
		if unread != nil {
			return unread
		}
		if _, before, trusted, loaded = s.standing(); !trusted {
			return untrusted
		}
	}
	var old, data []byte
	wrote := false
	for try := 1; ; try++ {
		old, err = readFile(name)
		if err != nil {
			return err
		}
		// Whose the file is counts now, under the lock, not when it was loaded:
		// other processes save too.
		wrote = layer == permission.LayerLocal && old != nil && s.wroteLocal(name, old)
		if layer != permission.LayerUser && old != nil && !wrote && (!trusted || !bytes.Equal(old, loaded[layer])) {
			// Nobody approved it, or somebody else changed it since it was looked at.
			return untrusted
		}
		if data, err = addAllow(old, rules); err != nil {
			return fmt.Errorf("settings: %s: %w", name, err)
		}
		if len(data) > maxFile {
			return fmt.Errorf("settings: %s would be larger than %d bytes: remove rules that nobody needs", name, maxFile)
		}
		if bytes.Equal(data, old) {
			break
		}
		err = s.save(layer, name, data, old, wrote)
		if err == nil {
			break
		}
		if !errors.Is(err, errChanged) || try == saveTries {
			return err
		}
	}
	err = s.inForce(ctx, layer, name, data, old, before, approver, untrusted)
	if err == nil || unread != nil {
		return nil
	}
	if !bytes.Equal(data, old) {
		err = errors.Join(err, s.undo(layer, name, data, old, wrote))
		_ = s.reload(context.WithoutCancel(ctx), true) // it failed before, or says the same again
	}
	return err
}

// save writes a settings file, and claims it where it is the local one.
func (s *Settings) save(layer permission.Layer, name string, data, old []byte, wrote bool) error {
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
	s.step("writing")
	if err := replaceFile(name, data, old); err != nil {
		return err
	}
	if layer != permission.LayerLocal {
		return nil
	}
	s.step("written")
	// The claim of before covers it as well.
	_ = s.claimLocal(name, data)
	s.step("done")
	return nil
}

// undo puts back what a file held, where it still holds what was saved.
func (s *Settings) undo(layer permission.Layer, name string, data, old []byte, wrote bool) error {
	var err error
	if layer == permission.LayerLocal && wrote {
		_ = s.claimLocal(name, data, old)
	}
	if old != nil {
		err = replaceFile(name, old, data)
	} else if now, e := readFile(name); e == nil && bytes.Equal(now, data) {
		err = os.Remove(name)
	}
	if err != nil {
		return fmt.Errorf("settings: %s holds the rules all the same, and they could not be taken out again: %w", name, err)
	}
	return nil
}

// inForce loads what was saved, and has it approved where the workspace's trust
// does not cover it.
func (s *Settings) inForce(ctx context.Context, layer permission.Layer, name string, data, old []byte, before []string, approver interface {
	ApproveWorkspace(ctx context.Context, dir, looseningDigest string) error
}, untrusted error) error {
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
			return fmt.Errorf("settings: the project's files changed in other ways meanwhile: %w", untrusted)
		}
		if err := approver.ApproveWorkspace(ctx, s.src.Dir, l.Digest); err != nil {
			return fmt.Errorf("settings: %s could not be approved with the rules: %w", name, err)
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
	for start := time.Now(); ; {
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
		if time.Since(start) > lockWait {
			f.Close()
			return nil, fmt.Errorf("settings: %s is locked: %w", f.Name(), ErrBusy)
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

// errChanged is returned where a file is not what was read before.
var errChanged = fmt.Errorf("the file was changed meanwhile: %w", ErrBusy)

// replaceFile replaces a file that holds old; nil is no file. Between the last
// look and the replacement there are a few system calls, in which what a program
// without our lock writes would be lost.
func replaceFile(name string, data, old []byte) error {
	if st, err := os.Stat(name); err == nil && st.Mode().Perm()&0o200 == 0 {
		// The folder would allow to replace it all the same.
		return fmt.Errorf("settings: %s is marked read-only: %w", name, fs.ErrPermission)
	}
	return write(name, data, func() error {
		now, err := readFile(name)
		if err == nil && (!bytes.Equal(now, old) || (now == nil) != (old == nil)) {
			return fmt.Errorf("settings: %s: %w", name, errChanged)
		}
		return err
	})
}

// writeFile replaces the file in one durable step.
func writeFile(name string, data []byte) error {
	return write(name, data, func() error { return nil })
}

// write replaces the file in one durable step, unless ready refuses it.
func write(name string, data []byte, ready func() error) (err error) {
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
		err = ready()
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
