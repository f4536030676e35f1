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
	"strings"

	"github.com/clearance-go/clearance/permission"
)

// ErrUntrusted is returned where a rule would be saved into a file that the
// repository brought along and that nobody has trusted: saving there would
// vouch for the rest of it.
var ErrUntrusted = errors.New("the file holds settings that nobody has approved: trust the workspace first, or save to the user settings")

// Remember adds allow rules to the settings file of a layer (user, project or
// local) and keeps the rest of the file as it is. The file is replaced in one
// step. The rules are in force after it returned.
func (s *Settings) Remember(ctx context.Context, layer permission.Layer, rules []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var name string
	switch layer {
	case permission.LayerUser:
		name = filepath.Join(s.src.Home, ".claude", "settings.json")
	case permission.LayerProject:
		name = filepath.Join(s.src.Dir, ".claude", "settings.json")
	case permission.LayerLocal:
		name = filepath.Join(s.src.Dir, ".claude", "settings.local.json")
	default:
		return fmt.Errorf("settings: rules cannot be saved to the %s layer", layer)
	}
	for _, r := range rules {
		if _, err := permission.ParseRule(permission.RuleRef{Effect: permission.Allow, Text: r, Layer: layer}, s.src.Home, s.src.Dir); err != nil {
			return fmt.Errorf("settings: not saved: %w", err)
		}
	}
	s.mu.Lock()
	own, trusted := s.localOwn, s.loosen.Trusted || s.loosen.Digest == ""
	s.mu.Unlock()
	if layer == permission.LayerLocal && !own || layer == permission.LayerProject && !trusted {
		return fmt.Errorf("settings: %s: %w", name, ErrUntrusted)
	}
	old, err := readFile(name)
	if err != nil {
		return err
	}
	data, err := addAllow(old, rules)
	if err != nil {
		return fmt.Errorf("settings: %s: %w", name, err)
	}
	if err := writeFile(name, data); err != nil {
		return err
	}
	if layer == permission.LayerLocal {
		if err := s.claimLocal(data); err != nil {
			return err
		}
	}
	return s.Reload(ctx)
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
func (s *Settings) claim() string {
	sum := sha256.Sum256([]byte(filepath.Join(s.src.Dir, ".claude", "settings.local.json")))
	return filepath.Join(s.src.State, "local-"+hex.EncodeToString(sum[:16]))
}

func (s *Settings) claimLocal(data []byte) error {
	sum := sha256.Sum256(data)
	if err := os.MkdirAll(s.src.State, 0o700); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	return writeFile(s.claim(), []byte(hex.EncodeToString(sum[:])+"\n"))
}

func (s *Settings) wroteLocal(data []byte) bool {
	got, err := readFile(s.claim())
	sum := sha256.Sum256(data)
	return err == nil && strings.TrimSpace(string(got)) == hex.EncodeToString(sum[:])
}
