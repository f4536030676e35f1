// Package settings finds, reads and saves the settings files that hold
// permission rules, in the places and the JSON format documented for Claude
// Code (https://code.claude.com/docs/en/settings).
//
// Files of the project may only tighten (deny and ask rules, locks) until the
// workspace is trusted, and trust is given to a digest of what they loosen:
// what changes later is inert until it is approved again. The same holds for
// .claude/settings.local.json, except for what [Settings.Remember] wrote there.
package settings

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/clearance-go/clearance/permission"
)

// Truster says whether the workspace at dir is trusted with exactly what the
// digest stands for. mcptrust.Registry is one.
type Truster interface {
	Trusted(ctx context.Context, dir, looseningDigest string) (bool, error)
}

// Sources says where the layers are.
type Sources struct {
	// Home is the user's home directory: user settings are in Home/.claude,
	// "~/" patterns start there. Required.
	Home string
	// Dir is the project's directory: project and local settings are in
	// Dir/.claude. Required.
	Dir string
	// Managed is the organisation's settings file; empty is the documented
	// place of the system. A folder beside it named like it with ".d" instead
	// of ".json" holds drop-ins. On Unix a file of another user than root and
	// this one, or that others may write or replace, is not used, and everything
	// asks; access control lists are not read.
	Managed string
	// CommandLine are settings files named on the command line.
	CommandLine []string
	// State is a folder outside of every project where the digest of saved
	// local settings is kept; empty is Home/.local/state/clearance.
	State string
	// Trust decides whether project files may loosen; nil is never.
	Trust Truster
	// UserDir is the folder of the user settings; empty is Home/.claude.
	UserDir string
	// Also lists what else trusting the workspace would put in force, one line
	// each: the servers of its .mcp.json, say. The lines are part of the
	// digest. Nil is nothing; an error keeps the workspace untrusted.
	Also func(ctx context.Context) ([]string, error)
}

// Settings are the loaded layers. Safe for concurrent use.
type Settings struct {
	src Sources
	// loading serialises Reload and Remember.
	loading sync.Mutex

	mu     sync.Mutex
	policy *permission.Policy
	loosen Loosening
	local  string // the local file
	// said are the errors of the rules in force.
	said map[string]bool
	// layers are those in force, strongest last.
	layers []permission.Source

	// fault is called between the steps of saving and reading, for tests.
	fault func(step string)
}

// Loosening is what trusting the workspace would put in force.
type Loosening struct {
	// Digest stands for the entries; empty where there are none.
	Digest string
	// Entries are lines for a person: file, key and value.
	Entries []string
	// Trusted says that exactly this was approved.
	Trusted bool
}

// maxFile bounds one settings file.
const maxFile = permission.MaxLayerBytes

// Load reads every layer. The Settings are never nil and always safe to use:
// a file that cannot be read makes every call ask. The error names each file
// and rule that is not in force as written.
func Load(ctx context.Context, src Sources) (*Settings, error) {
	if src.State == "" && src.Home != "" {
		src.State = filepath.Join(src.Home, ".local", "state", "clearance")
	}
	if src.Managed == "" {
		src.Managed = managedFile()
	}
	if src.UserDir == "" && src.Home != "" {
		src.UserDir = filepath.Join(src.Home, ".claude")
	}
	src.CommandLine = append([]string(nil), src.CommandLine...)
	s := &Settings{src: src}
	err := s.Reload(ctx)
	if s.policy == nil {
		s.policy, _ = permission.ParsePolicy("", permission.Source{Layer: permission.LayerManaged, Name: "settings", Err: err})
	}
	return s, err
}

func managedFile() string {
	switch runtime.GOOS {
	case "darwin":
		return "/Library/Application Support/ClaudeCode/managed-settings.json"
	case "windows":
		return `C:\Program Files\ClaudeCode\managed-settings.json`
	}
	return "/etc/claude-code/managed-settings.json"
}

// ErrKept is the error of a Reload after which the rules of before stay in force.
var ErrKept = errors.New("settings: the rules of before stay in force")

// Reload reads every layer again and puts them in force together. Where a
// layer is broken the rules of before stay and the error, which is [ErrKept],
// says why, except on the first load. An error that is not ErrKept names rules
// that are in force with another meaning than they seem to have: those that
// allow nothing, those that are honoured as meant, and those that were as broken
// before.
func (s *Settings) Reload(ctx context.Context) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	return s.reload(ctx, false)
}

// reload reads every layer; locked says that the caller holds the lock.
func (s *Settings) reload(ctx context.Context, locked bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !filepath.IsAbs(s.src.Home) || !filepath.IsAbs(s.src.Dir) {
		return fmt.Errorf("settings: Home and Dir must be absolute, got %q and %q", s.src.Home, s.src.Dir)
	}
	f := s.readLayers(ctx, locked)
	loosen := s.judge(ctx, f)
	policy, err := permission.ParsePolicy(s.src.Home, f.layers...)
	f.errs = append(f.errs, err)
	err = errors.Join(f.errs...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.policy != nil && !s.bearable(err) {
		return fmt.Errorf("%w: %w", ErrKept, err)
	}
	s.policy, s.loosen, s.local, s.layers = policy, loosen, f.localName, f.layers
	s.said = map[string]bool{}
	eachError(err, func(err error) bool {
		s.said[err.Error()] = true
		return true
	})
	return err
}

// bearable says that what is wrong has a safe meaning of its own, or was as wrong
// in the rules that are in force: keeping these for it would keep out what else
// has changed, deny rules among it.
func (s *Settings) bearable(err error) bool {
	return eachError(err, func(err error) bool {
		re, ok := err.(*permission.RuleError)
		return ok && (re.Inert || re.Rule.Effect == permission.Allow || s.said[err.Error()])
	})
}

// eachError yields the errors that were joined, until one yields false.
func eachError(err error, yield func(error) bool) bool {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			if !eachError(e, yield) {
				return false
			}
		}
		return true
	}
	return err == nil || yield(err)
}

// found are the layers of one load.
type found struct {
	layers []permission.Source
	// From project on stand the files of the workspace, from local on the local
	// one, which ends before after.
	project, local, after int
	localName             string
	// own says that all of the local file was written here.
	own  bool
	errs []error
}

// plain sets the name of the package before an error aside, which then stands
// behind the name of the file.
func plain(err error) error {
	if err == nil {
		return nil
	}
	return layerError{err}
}

type layerError struct{ error }

func (e layerError) Error() string { return strings.TrimPrefix(e.error.Error(), "settings: ") }

func (e layerError) Unwrap() error { return e.error }

// vouched says that what a layer of the workspace holds was approved rule by rule.
func (f *found) vouched(i int) bool { return i >= f.local && f.own }

// readLayers reads every file. One that cannot be read is a layer of its own,
// whose rules are unknown, and an error.
func (s *Settings) readLayers(ctx context.Context, locked bool) *found {
	f := &found{}
	read := func(layer permission.Layer, name, base string) {
		data, err := readFile(name)
		if layer == permission.LayerManaged && err == nil {
			err = managedProblem(name, data)
		}
		if err != nil {
			data = nil // nothing of it counts
		}
		// Unreadable is not empty: this layer's rules are unknown.
		if data != nil || err != nil {
			f.layers = append(f.layers, permission.Source{Layer: layer, Name: name, Base: base, Data: data, Err: plain(err)})
		}
	}
	read(permission.LayerUser, filepath.Join(s.src.UserDir, "settings.json"), s.src.UserDir)
	f.project = len(f.layers)
	read(permission.LayerProject, filepath.Join(s.src.Dir, ".claude", "settings.json"), s.src.Dir)
	f.local = len(f.layers)
	f.localName = localFile(s.src.Dir, s.src.Home)
	// What this package wrote there was approved rule by rule; nothing there
	// is nothing to approve.
	data, own, err := s.readLocal(ctx, f.localName, locked)
	if err != nil {
		data, own = nil, false
	}
	f.own = own
	if data != nil || err != nil {
		f.layers = append(f.layers, permission.Source{Layer: permission.LayerLocal, Name: f.localName, Base: s.src.Dir, Data: data, Err: plain(err)})
	}
	f.after = len(f.layers)
	for _, name := range s.src.CommandLine {
		data, err := readFile(name)
		if err == nil && data == nil {
			// It was named, so it has to be there.
			err = fmt.Errorf("settings: %s: %w", name, fs.ErrNotExist)
		}
		if err != nil {
			data = nil
		}
		f.layers = append(f.layers, permission.Source{Layer: permission.LayerCommandLine, Name: name, Base: filepath.Dir(name), Data: data, Err: plain(err)})
	}
	managed, err := managedFiles(s.src.Managed)
	if err != nil {
		f.layers = append(f.layers, permission.Source{Layer: permission.LayerManaged, Name: dropIns(s.src.Managed), Err: plain(err)})
	}
	first := len(f.layers)
	for _, name := range managed {
		read(permission.LayerManaged, name, filepath.Dir(name))
	}
	overrideScalars(f.layers[first:])
	return f
}

// judge finds what the files of the workspace loosen, asks whether that is
// trusted, and lets them only tighten where it is not.
func (s *Settings) judge(ctx context.Context, f *found) Loosening {
	loosen, ofDir := Loosening{}, false // ofDir: files of Dir itself loosen
	for i := f.project; i < f.after; i++ {
		if f.vouched(i) {
			continue
		}
		entries, err := loosening(f.layers[i])
		if err != nil {
			// ParsePolicy reports the file; nothing of it loosens.
			f.layers[i].TightenOnly = true
			continue
		}
		ofDir = ofDir || len(entries) > 0 && filepath.Dir(filepath.Dir(f.layers[i].Name)) == filepath.Clean(s.src.Dir)
		loosen.Entries = append(loosen.Entries, entries...)
	}
	alsoFailed := false
	if s.src.Also != nil {
		lines, err := s.src.Also(ctx)
		if err != nil {
			alsoFailed = true
			f.errs = append(f.errs, fmt.Errorf("settings: what else %s would put in force could not be read, so its settings only tighten: %w", s.src.Dir, err))
		}
		ofDir = ofDir || len(lines) > 0
		for _, l := range lines {
			loosen.Entries = append(loosen.Entries, "also: "+l)
		}
	}
	if len(loosen.Entries) > 0 {
		text := quoted(loosen.Entries)
		if where := below(s.src.Dir); where != "." && ofDir {
			// The same text in a folder below is about other files.
			text = quoted([]string{"in " + where}) + text
		}
		sum := sha256.Sum256([]byte("clearance/loosening/v1\x00" + text))
		loosen.Digest = hex.EncodeToString(sum[:])
		if s.src.Trust != nil && !alsoFailed {
			ok, err := s.src.Trust.Trusted(ctx, s.src.Dir, loosen.Digest)
			if err != nil {
				f.errs = append(f.errs, fmt.Errorf("settings: the trust of %s could not be read, so its settings only tighten: %w", s.src.Dir, err))
			}
			loosen.Trusted = ok && err == nil
		}
	}
	for i := f.project; i < f.after; i++ {
		if !loosen.Trusted && !f.vouched(i) {
			f.layers[i].TightenOnly = true
		}
	}
	return loosen
}

// quoted joins entries so that no two lists give the same text.
func quoted(entries []string) string {
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(strconv.Quote(e))
		b.WriteByte('\n')
	}
	return b.String()
}

// Value returns the value of a top-level key (hooks, env, apiKeyHelper, …) from
// the strongest layer that has it. Layers of a workspace that is not trusted
// do not count: what they would start or set is inert. Nor do layers beside a
// managed lock over the key: hooks under allowManagedHooksOnly, and
// allowedMcpServers under allowManagedMcpServersOnly, come from managed files
// alone. ok is false where no layer has the key.
func (s *Settings) Value(key string) (value json.RawMessage, layer permission.Layer, ok bool) {
	s.mu.Lock()
	layers, policy := s.layers, s.policy
	s.mu.Unlock()
	locks := policy.Locks()
	managed := key == "hooks" && locks.ManagedHooksOnly || key == "allowedMcpServers" && locks.ManagedServersOnly
	for i := len(layers) - 1; i >= 0; i-- {
		if layers[i].TightenOnly || managed && layers[i].Layer != permission.LayerManaged {
			continue
		}
		var top map[string]json.RawMessage
		if json.Unmarshal(layers[i].Data, &top) != nil {
			continue
		}
		if v, ok := top[key]; ok {
			return v, layers[i].Layer, true
		}
	}
	return nil, permission.LayerUnknown, false
}

// Env returns the variables that the env keys of the layers in force set,
// stronger layers over weaker ones. A workspace that is not trusted sets none
// (CVE-2026-21852).
func (s *Settings) Env() map[string]string {
	s.mu.Lock()
	layers := s.layers
	s.mu.Unlock()
	out := map[string]string{}
	for _, l := range layers {
		var top struct {
			Env map[string]string `json:"env"`
		}
		if l.TightenOnly || json.Unmarshal(l.Data, &top) != nil {
			continue
		}
		for k, v := range top.Env {
			out[k] = v
		}
	}
	return out
}

// Policy returns the rules in force.
func (s *Settings) Policy() *permission.Policy {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.policy
}

// Directories returns the additional working directories as absolute paths, for
// scope.Options.Additional. What is no directory now is left out: it adds nothing,
// and a guard cannot be made of it. Policy().Directories() names them all.
func (s *Settings) Directories() []string {
	var out []string
	for _, d := range s.Policy().Directories() {
		switch {
		case d == "~" || strings.HasPrefix(d, "~/"):
			d = filepath.Join(s.src.Home, d[1:])
		case !filepath.IsAbs(d):
			d = filepath.Join(s.src.Dir, d)
		}
		if st, err := os.Stat(d); err == nil && st.IsDir() {
			out = append(out, filepath.Clean(d))
		}
	}
	return out
}

// Loosening returns what trusting the workspace would put in force, for the
// prompt that asks for it.
func (s *Settings) Loosening() Loosening {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loosen
}

// Files returns the host's own files, existing or not, which no call may ever
// change. The project's settings files are not among them: they belong to the
// repository, are protected by their name, and a change of what they loosen is
// inert until a person approves it.
func (s *Settings) Files() []string {
	out := []string{filepath.Join(s.src.UserDir, "settings.json"), s.src.Managed, dropIns(s.src.Managed), s.src.State}
	return append(out, s.src.CommandLine...)
}

// readFile returns nil for a file that does not exist.
func readFile(name string) ([]byte, error) {
	f, err := open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("settings: %s is not a regular file", name)
	}
	if st.Size() > maxFile {
		return nil, fmt.Errorf("settings: %s is larger than %d bytes", name, maxFile)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(io.LimitReader(f, maxFile+1)); err != nil {
		return nil, fmt.Errorf("settings: %s: %w", name, err)
	}
	if b.Len() > maxFile {
		return nil, fmt.Errorf("settings: %s grew larger than %d bytes while it was read", name, maxFile)
	}
	if b.Bytes() == nil {
		return []byte{}, nil
	}
	return b.Bytes(), nil
}

// managedProblem says why a managed file is not what the organisation wrote:
// one that is there without content was cut off, a link to nothing lost its
// file, and one that others may write is anybody's. data is nil where reading
// found no file.
func managedProblem(name string, data []byte) error {
	st, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) && data == nil {
		return nil
	}
	if err == nil && st.Mode()&fs.ModeSymlink != 0 {
		st, err = os.Stat(name)
	}
	if err != nil {
		return fmt.Errorf("settings: the managed settings cannot be looked at: %w", err)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return fmt.Errorf("settings: %s is empty: write {} for no settings, or remove it", name)
	}
	dir, err := os.Stat(filepath.Dir(name))
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	if who := writers(st); who != "" {
		return fmt.Errorf("settings: %s can be changed by %s: give it to root and take the right to write from the others", name, who)
	}
	if who := writers(dir); who != "" {
		return fmt.Errorf("settings: %s can be replaced by %s: give its folder to root and take the right to write from the others", name, who)
	}
	return nil
}

// dropIns is the folder of the managed drop-ins.
func dropIns(managed string) string { return strings.TrimSuffix(managed, ".json") + ".d" }

// managedFiles is the managed file and its drop-ins in the order in which
// later ones win. A folder that cannot be listed is an error: its rules are
// unknown.
func managedFiles(name string) ([]string, error) {
	out := []string{name}
	dir := dropIns(name)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if _, link := os.Lstat(dir); link == nil {
			return out, fmt.Errorf("settings: %w", err) // a link to nothing
		}
		return out, nil
	}
	if err != nil {
		return out, fmt.Errorf("settings: %w", err)
	}
	for _, e := range entries {
		// Sorted by name. Editors leave hidden files behind.
		if strings.HasSuffix(e.Name(), ".json") && !strings.HasPrefix(e.Name(), ".") {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out, nil
}

// tightening are the settings that can only restrict.
var tightening = map[string]bool{
	"permissions.deny": true, "permissions.ask": true,
	"permissions.disableBypassPermissionsMode": true, "permissions.disableAutoMode": true,
	"permissions.blockReadsOutsideWorkingDirectories": true, "permissions.blockWritesOutsideWorkingDirectories": true,
	"permissions.denyInsteadOfPrompting": true,
	"disableAutoMode":                    true, "$schema": true,
	"sandbox.filesystem.denyRead": true, "sandbox.filesystem.denyWrite": true, "sandbox.network.deniedDomains": true,
}

// tighteningValue are switches of the sandbox with their strict value.
var tighteningValue = map[string]string{
	"sandbox.enabled": "true", "sandbox.failIfUnavailable": "true", "sandbox.autoAllowBashIfSandboxed": "false", "sandbox.allowUnsandboxedCommands": "false",
	"sandbox.network.strictAllowlist": "true",
	"disableClaudeAiConnectors":       "true", "useAutoModeDuringPlan": "false",
	"allowManagedHooksOnly": "true", "allowManagedMcpServersOnly": "true", "allowManagedPermissionRulesOnly": "true",
}

// loosening lists everything in a layer but what can only restrict.
func loosening(src permission.Source) ([]string, error) {
	var top map[string]json.RawMessage
	if len(bytes.TrimSpace(src.Data)) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(src.Data, &top); err != nil {
		return nil, err
	}
	type entry struct {
		key   string
		value json.RawMessage
	}
	var flat []entry
	var flatten func(prefix string, members map[string]json.RawMessage) error
	flatten = func(prefix string, members map[string]json.RawMessage) error {
		for k, v := range members {
			// A name with a dot in it is not the path of another key.
			if strings.ContainsFunc(k, func(r rune) bool {
				return !(r == '$' || r == '_' || r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
			}) {
				k = strconv.Quote(k)
			}
			k = prefix + k
			switch k {
			case "permissions", "sandbox", "sandbox.filesystem", "sandbox.network":
				var below map[string]json.RawMessage
				if err := json.Unmarshal(v, &below); err != nil {
					return err
				}
				if err := flatten(k+".", below); err != nil {
					return err
				}
			default:
				flat = append(flat, entry{k, v})
			}
		}
		return nil
	}
	if err := flatten("", top); err != nil {
		return nil, err
	}
	var out []string
	for _, e := range flat {
		k, v := e.key, e.value
		if tightening[k] || tighteningValue[k] != "" && tighteningValue[k] == string(bytes.TrimSpace(v)) {
			continue
		}
		var list []json.RawMessage
		if json.Unmarshal(v, &list) != nil {
			list = []json.RawMessage{v}
		}
		for _, item := range list {
			text, err := readable(item)
			if err != nil {
				return nil, err
			}
			out = append(out, fmt.Sprintf("%s: %s: %s", filepath.Base(src.Name), k, text))
		}
	}
	sort.Strings(out)
	return out, nil
}

// readable writes a JSON value as a person should see it: without escapes that
// hide plain letters, and with the members of objects in the order of their
// keys, so that moving them changes nothing. Nothing is left out, not even a key
// that stands twice.
func readable(raw json.RawMessage) (string, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	text := func(v any) (string, error) {
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		err := enc.Encode(v)
		return strings.TrimSuffix(b.String(), "\n"), err
	}
	var value func(depth int) (string, error)
	value = func(depth int) (string, error) {
		tok, err := dec.Token()
		if err != nil {
			return "", err
		}
		open, ok := tok.(json.Delim)
		if !ok {
			return text(tok)
		}
		if depth > 100 {
			return "", errors.New("nested too deeply")
		}
		type member struct{ key, value string }
		var members []member
		for dec.More() {
			var m member
			if open == '{' {
				key, err := dec.Token()
				if err != nil {
					return "", err
				}
				if m.key, err = text(key); err != nil {
					return "", err
				}
				m.key += ":"
			}
			if m.value, err = value(depth + 1); err != nil {
				return "", err
			}
			members = append(members, m)
		}
		end, err := dec.Token()
		if err != nil {
			return "", err
		}
		if open == '{' {
			sort.SliceStable(members, func(i, j int) bool { return members[i].key < members[j].key })
		}
		parts := make([]string, len(members))
		for i, m := range members {
			parts[i] = m.key + m.value
		}
		return open.String() + strings.Join(parts, ",") + end.(json.Delim).String(), nil
	}
	return value(0)
}
