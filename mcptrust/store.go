package mcptrust

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"time"
)

// Codes of [StoreError].
const (
	CodeStoreCorrupt Code = "STORE_CORRUPT"
	CodeStoreNewer   Code = "STORE_NEWER"
	CodeStoreUnsafe  Code = "STORE_UNSAFE"
	CodeStoreIO      Code = "STORE_IO"
	CodeStoreBusy    Code = "STORE_BUSY"
	CodeStoreSealed  Code = "STORE_SEAL"
)

const (
	storeSchema = 1
	lockWait    = 30 * time.Second
	lockPoll    = 2 * time.Millisecond
	userFile    = "user.json"
	keyFile     = "key"
)

// One small file per project: writers of different projects never meet, and a
// damaged file costs one project. Every write takes the file's lock, reads it
// again, applies one operation, and renames a synced temporary file over it.
type store struct {
	dir    string
	key    []byte
	sealer Sealer

	mu    sync.Mutex
	cache map[string]cached
}

// Sealer protects the store's files against a writer that cannot use its key:
// an AES-GCM key from the system's keychain, say. Open must fail for bytes that
// Seal did not make. Both must be safe for concurrent use. It does not protect
// against who puts an older sealed file back.
type Sealer interface {
	Seal(plain []byte) ([]byte, error)
	Open(sealed []byte) ([]byte, error)
}

type cached struct {
	info fs.FileInfo
	file *fileState
}

// fileState is one store file. Values in the cache are shared and not changed.
type fileState struct {
	Schema     int    `json:"schema"`
	Generation uint64 `json:"generation"`
	Path       string `json:"path"`
	// Workspace is the record of the root, Folders those of folders below it by
	// their path with slashes: each has settings of its own.
	Workspace *workspaceRecord            `json:"workspace,omitempty"`
	Folders   map[string]*workspaceRecord `json:"folders,omitempty"`
	Servers   map[string]*serverRecord    `json:"servers,omitempty"`
	extra     map[string]json.RawMessage
}

type workspaceRecord struct {
	Status string `json:"status"`
	Digest string `json:"digest,omitempty"`
	Rev    uint64 `json:"rev,omitempty"`
	// Entries are what the digest stands for, for the next diff.
	Entries []string `json:"entries,omitempty"`
	extra   map[string]json.RawMessage
}

type serverRecord struct {
	Status string                 `json:"status"`
	Rev    uint64                 `json:"rev"`
	Digest string                 `json:"digest,omitempty"`
	Pin    json.RawMessage        `json:"pin,omitempty"`
	Items  map[string]*itemRecord `json:"items,omitempty"`
	extra  map[string]json.RawMessage
}

type itemRecord struct {
	Status string `json:"status"`
	Rev    uint64 `json:"rev"`
	Digest string `json:"digest,omitempty"`
	Raw    bool   `json:"raw,omitempty"`
	Text   string `json:"text,omitempty"`
	extra  map[string]json.RawMessage
}

// The words of the status fields. Any other word is a corrupt file.
const (
	wordTrusted   = "trusted"
	wordRevoked   = "revoked"
	wordForgotten = "forgotten" // kept for Rev, so that an old token stays stale
)

func (f *fileState) UnmarshalJSON(b []byte) error {
	type plain fileState
	return decodeKeep(b, (*plain)(f), &f.extra)
}

func (f *fileState) MarshalJSON() ([]byte, error) {
	type plain fileState
	return encodeKeep((*plain)(f), f.extra)
}

func (r *workspaceRecord) UnmarshalJSON(b []byte) error {
	type plain workspaceRecord
	return decodeKeep(b, (*plain)(r), &r.extra)
}

func (r *workspaceRecord) MarshalJSON() ([]byte, error) {
	type plain workspaceRecord
	return encodeKeep((*plain)(r), r.extra)
}

func (r *serverRecord) UnmarshalJSON(b []byte) error {
	type plain serverRecord
	return decodeKeep(b, (*plain)(r), &r.extra)
}

func (r *serverRecord) MarshalJSON() ([]byte, error) {
	type plain serverRecord
	return encodeKeep((*plain)(r), r.extra)
}

func (r *itemRecord) UnmarshalJSON(b []byte) error {
	type plain itemRecord
	return decodeKeep(b, (*plain)(r), &r.extra)
}

func (r *itemRecord) MarshalJSON() ([]byte, error) {
	type plain itemRecord
	return encodeKeep((*plain)(r), r.extra)
}

// decodeKeep decodes b into v and the fields that v does not have into extra.
func decodeKeep(b []byte, v any, extra *map[string]json.RawMessage) error {
	if err := json.Unmarshal(b, v); err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	if all == nil {
		return errors.New("null where an object belongs")
	}
	t := reflect.TypeOf(v).Elem()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		delete(all, name)
	}
	if len(all) > 0 {
		*extra = all
	}
	return nil
}

func encodeKeep(v any, extra map[string]json.RawMessage) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil || len(extra) == 0 {
		return b, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, err
	}
	for k, x := range extra {
		if _, ok := all[k]; !ok {
			all[k] = x
		}
	}
	return json.Marshal(all)
}

func (f *fileState) check() error {
	if f.Schema < 1 {
		return errors.New("no schema number")
	}
	word := func(w string) error {
		switch w {
		case wordTrusted, wordRevoked, wordForgotten:
			return nil
		}
		return fmt.Errorf("unknown status %q", Escape(w))
	}
	if f.Workspace != nil {
		if err := word(f.Workspace.Status); err != nil {
			return err
		}
	}
	for rel, w := range f.Folders {
		if w == nil {
			return fmt.Errorf("folder %q is null", Escape(rel))
		}
		if err := word(w.Status); err != nil {
			return err
		}
	}
	for name, s := range f.Servers {
		if s == nil {
			return fmt.Errorf("server %q is null", Escape(name))
		}
		if err := word(s.Status); err != nil {
			return err
		}
		for key, it := range s.Items {
			if it == nil {
				return fmt.Errorf("server %q has a null item", Escape(name))
			}
			if err := word(it.Status); err != nil {
				return err
			}
			if kind, _, _ := strings.Cut(key, ":"); it.Status == wordTrusted && it.Digest != itemDigest(kind, name, it.Text) {
				return fmt.Errorf("the text of an item of server %q does not fit its digest", Escape(name))
			}
		}
	}
	return nil
}

func openStore(ctx context.Context, dir string, sealer Sealer) (*store, error) {
	if !filepath.IsAbs(dir) {
		return nil, &StoreError{Path: dir, Code: CodeStoreUnsafe, Msg: "the store folder is not an absolute path", Fix: "give a folder below the user's own configuration folder"}
	}
	dir = filepath.Clean(dir)
	if err := os.MkdirAll(filepath.Join(dir, "projects"), 0o700); err != nil {
		return nil, &StoreError{Path: dir, Code: CodeStoreIO, Msg: "cannot create the store folder", Err: err}
	}
	for _, d := range []string{dir, filepath.Join(dir, "projects")} {
		info, err := os.Lstat(d)
		if err != nil {
			return nil, &StoreError{Path: d, Code: CodeStoreIO, Msg: "cannot look at the store folder", Err: err}
		}
		if !info.IsDir() {
			return nil, &StoreError{Path: d, Code: CodeStoreUnsafe, Msg: "the store folder is a link or not a folder", Fix: "give the real folder"}
		}
		if msg := unsafeInfo(info); msg != "" {
			return nil, &StoreError{Path: d, Code: CodeStoreUnsafe, Msg: msg, Fix: "chown it to you and chmod 700"}
		}
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, &StoreError{Path: dir, Code: CodeStoreIO, Msg: "cannot resolve the store folder", Err: err}
	}
	s := &store{dir: real, sealer: sealer, cache: map[string]cached{}}
	return s, s.loadKey(ctx)
}

// loadKey reads the key of this installation, or makes it once.
func (s *store) loadKey(ctx context.Context) error {
	path := filepath.Join(s.dir, keyFile)
	read := func() (bool, error) {
		b, _, err := s.readRaw(path)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err == nil {
			b, err = s.unwrap(keyFile, b)
		}
		if err != nil {
			return false, err
		}
		if len(b) != 32 {
			return false, &StoreError{Path: path, Code: CodeStoreCorrupt, Msg: "the key is not 32 bytes", Fix: "restore it, or delete the store folder and approve again"}
		}
		s.key = b
		return true, nil
	}
	if ok, err := read(); ok || err != nil {
		return err
	}
	unlock, err := s.lock(ctx, keyFile)
	if err != nil {
		return err
	}
	defer unlock()
	if ok, err := read(); ok || err != nil {
		return err
	}
	key := make([]byte, 32)
	rand.Read(key)
	if err := s.replace(keyFile, key); err != nil {
		return err
	}
	s.key = key
	return nil
}

// wrap seals the content of a file. The file's name is sealed with it, so that
// one file cannot stand in for another.
func (s *store) wrap(name string, b []byte) ([]byte, error) {
	if s.sealer == nil {
		return b, nil
	}
	name = filepath.ToSlash(name)
	plain := make([]byte, 0, len(name)+1+len(b))
	plain = append(append(append(plain, name...), 0), b...)
	out, err := s.sealer.Seal(plain)
	if err != nil {
		return nil, &StoreError{Path: filepath.Join(s.dir, name), Code: CodeStoreSealed, Msg: "cannot seal", Err: err}
	}
	return out, nil
}

func (s *store) unwrap(name string, b []byte) ([]byte, error) {
	if s.sealer == nil {
		return b, nil
	}
	plain, err := s.sealer.Open(b)
	if err != nil {
		return nil, &StoreError{Path: filepath.Join(s.dir, name), Code: CodeStoreSealed, Msg: "the seal is broken; nothing in it is trusted, and it is left as it is", Err: err, Fix: "restore the file or the key, or move the file away and approve again"}
	}
	prefix := filepath.ToSlash(name) + "\x00"
	if !bytes.HasPrefix(plain, []byte(prefix)) {
		return nil, &StoreError{Path: filepath.Join(s.dir, name), Code: CodeStoreSealed, Msg: "sealed under another name: the file was moved here", Fix: "move it away and approve again"}
	}
	return plain[len(prefix):], nil
}

// mac is the keyed digest of a value that must not be stored. The purpose and
// every part are length-prefixed, so no two inputs meet.
func (s *store) mac(purpose string, parts ...string) string {
	h := hmac.New(sha256.New, s.key)
	writeParts(h.Write, purpose, parts...)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func equalMAC(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

func digest(purpose string, parts ...string) string {
	h := sha256.New()
	writeParts(h.Write, purpose, parts...)
	return hex.EncodeToString(h.Sum(nil))
}

func writeParts(write func([]byte) (int, error), purpose string, parts ...string) {
	write([]byte("mcptrust/" + purpose + "\x00"))
	for _, p := range parts {
		var n [8]byte
		for i, l := 7, len(p); l > 0; i, l = i-1, l>>8 {
			n[i] = byte(l)
		}
		write(n[:])
		write([]byte(p))
	}
}

// projectFile returns the store file of a project, by its real path.
func projectFile(real string) string {
	return filepath.Join("projects", digest("project/v1", real)[:32]+".json")
}

// readRaw reads a store file without following a link, and refuses one that
// another user may have written.
func (s *store) readRaw(path string) ([]byte, fs.FileInfo, error) {
	f, err := openNoFollow(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	if err != nil {
		return nil, nil, &StoreError{Path: path, Code: CodeStoreUnsafe, Msg: "cannot open the file as a plain file", Err: err, Fix: "remove it if it is a link that you did not make"}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, &StoreError{Path: path, Code: CodeStoreIO, Msg: "cannot look at the file", Err: err}
	}
	if !info.Mode().IsRegular() {
		return nil, nil, &StoreError{Path: path, Code: CodeStoreUnsafe, Msg: "not a regular file", Fix: "remove it"}
	}
	if msg := unsafeInfo(info); msg != "" {
		return nil, nil, &StoreError{Path: path, Code: CodeStoreUnsafe, Msg: msg, Fix: "look at it, then remove it or chown it to you and chmod 600"}
	}
	if info.Size() > MaxStoreBytes {
		return nil, nil, &StoreError{Path: path, Code: CodeStoreCorrupt, Msg: fmt.Sprintf("larger than %d bytes", MaxStoreBytes), Fix: "remove it and approve again"}
	}
	b := make([]byte, 0, info.Size()+1)
	buf := bytes.NewBuffer(b)
	if _, err := buf.ReadFrom(&limitedFile{f, MaxStoreBytes + 1}); err != nil {
		return nil, nil, &StoreError{Path: path, Code: CodeStoreIO, Msg: "cannot read", Err: err}
	}
	return buf.Bytes(), info, nil
}

type limitedFile struct {
	f    *os.File
	left int
}

func (l *limitedFile) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errors.New("file grew while it was read")
	}
	if len(p) > l.left {
		p = p[:l.left]
	}
	n, err := l.f.Read(p)
	l.left -= n
	return n, err
}

// read returns the state of a file, empty when there is none. The result may be
// shared: do not change it.
func (s *store) read(name string) (*fileState, error) {
	path := filepath.Join(s.dir, name)
	if info, err := os.Lstat(path); err == nil {
		s.mu.Lock()
		c, ok := s.cache[name]
		s.mu.Unlock()
		if ok && unsafeInfo(info) == "" && os.SameFile(info, c.info) && info.Size() == c.info.Size() && info.ModTime().Equal(c.info.ModTime()) && info.Mode() == c.info.Mode() {
			return c.file, nil
		}
	}
	f, info, err := s.load(name)
	if err != nil {
		return nil, err
	}
	if info != nil {
		s.mu.Lock()
		if len(s.cache) >= 64 {
			clear(s.cache)
		}
		s.cache[name] = cached{info, f}
		s.mu.Unlock()
	}
	return f, nil
}

func (s *store) load(name string) (*fileState, fs.FileInfo, error) {
	path := filepath.Join(s.dir, name)
	b, info, err := s.readRaw(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &fileState{Schema: storeSchema}, nil, nil
	}
	if err == nil {
		b, err = s.unwrap(name, b)
	}
	if err != nil {
		return nil, nil, err
	}
	corrupt := func(err error) error {
		return &StoreError{Path: path, Code: CodeStoreCorrupt, Msg: "the file is damaged; nothing in it is trusted, and it is left as it is", Err: err, Fix: "restore it from a backup, or move it away and approve again"}
	}
	n, err := parseJSON(b, false)
	if err != nil {
		return nil, nil, corrupt(err)
	}
	if v := n.get("schema"); v != nil && v.kind == kindNumber {
		var num int
		if json.Unmarshal([]byte(v.text), &num) != nil || num > storeSchema {
			return nil, nil, &StoreError{Path: path, Code: CodeStoreNewer, Msg: "written by a newer version (schema " + v.text + ")", Fix: "update this program"}
		}
	}
	f := new(fileState)
	if err := json.Unmarshal(b, f); err != nil {
		return nil, nil, corrupt(err)
	}
	if err := f.check(); err != nil {
		return nil, nil, corrupt(err)
	}
	return f, info, nil
}

// update applies one operation to a file under its lock. The operation returns
// whether it changed anything.
//
// A decision that gives trust is written to the history first: without the
// history there is no such decision. One that takes trust away is never held up.
func (s *store) update(ctx context.Context, name, projectPath string, op func(*fileState) ([]Event, error)) error {
	unlock, err := s.lock(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	f, _, err := s.load(name)
	if err != nil {
		return err
	}
	if f.Path == "" {
		f.Path = projectPath
	}
	if f.Path != projectPath {
		return &StoreError{Path: filepath.Join(s.dir, name), Code: CodeStoreCorrupt, Msg: "the file belongs to another project", Fix: "move it away and approve again"}
	}
	events, err := op(f)
	if err != nil || len(events) == 0 {
		return err
	}
	f.Generation++
	loosens := false
	for i := range events {
		events[i].Project, events[i].file, events[i].Generation = projectPath, name, f.Generation
		loosens = loosens || events[i].Op == OpApprove
	}
	b, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return &StoreError{Path: filepath.Join(s.dir, name), Code: CodeStoreIO, Msg: "cannot encode", Err: err}
	}
	if len(b)+1 > MaxStoreBytes {
		return &StoreError{Path: filepath.Join(s.dir, name), Code: CodeStoreIO, Msg: fmt.Sprintf("the file would be larger than %d bytes", MaxStoreBytes), Fix: "forget servers that are not in use"}
	}
	if loosens {
		if err := s.record(ctx, events); err != nil {
			return err
		}
		return s.replace(name, append(b, '\n'))
	}
	if err := s.replace(name, append(b, '\n')); err != nil {
		return err
	}
	return s.record(ctx, events)
}

// replace writes a file so that after a crash it is the old or the new one.
func (s *store) replace(name string, data []byte) error {
	path := filepath.Join(s.dir, name)
	fail := func(what string, err error) error {
		return &StoreError{Path: path, Code: CodeStoreIO, Msg: what, Err: err}
	}
	dir, base := filepath.Split(path)
	// The lock is held, so any temporary file of this name was left by a crash.
	if old, _ := filepath.Glob(filepath.Join(escapeGlob(dir), "."+base+".tmp-*")); old != nil {
		for _, o := range old {
			os.Remove(o)
		}
	}
	data, err := s.wrap(name, data)
	if err != nil {
		return err
	}
	var r [12]byte
	rand.Read(r[:])
	tmp := filepath.Join(dir, "."+base+".tmp-"+hex.EncodeToString(r[:]))
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fail("cannot create a temporary file", err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
		return fail("cannot write", err)
	}
	if err := syncDir(dir); err != nil {
		return fail("cannot sync the folder", err)
	}
	return nil
}

func escapeGlob(s string) string {
	return strings.NewReplacer(`[`, `\[`, `*`, `\*`, `?`, `\?`).Replace(s)
}

// lock takes the exclusive lock of a file, waiting for other processes.
func (s *store) lock(ctx context.Context, name string) (func(), error) {
	path := filepath.Join(s.dir, name+".lock")
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	f, err := openLock(path)
	if err != nil {
		return nil, &StoreError{Path: path, Code: CodeStoreUnsafe, Msg: "cannot open the lock", Err: err}
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || unsafeInfo(info) != "" {
		f.Close()
		return nil, &StoreError{Path: path, Code: CodeStoreUnsafe, Msg: "the lock is not a plain file of yours", Err: err, Fix: "remove it"}
	}
	for {
		ok, err := tryLock(f)
		if err != nil {
			f.Close()
			return nil, &StoreError{Path: path, Code: CodeStoreIO, Msg: "cannot lock", Err: err}
		}
		if ok {
			return func() { f.Close() }, nil
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, &StoreError{Path: path, Code: CodeStoreBusy, Msg: "another process holds the lock", Err: ctx.Err(), Fix: "try again"}
		case <-time.After(lockPoll):
		}
	}
}

// files lists the store files that hold decisions.
func (s *store) files() ([]string, error) {
	names := []string{userFile}
	entries, err := os.ReadDir(filepath.Join(s.dir, "projects"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, &StoreError{Path: s.dir, Code: CodeStoreIO, Msg: "cannot list", Err: err}
	}
	for _, e := range entries {
		if n := e.Name(); strings.HasSuffix(n, ".json") && !strings.HasPrefix(n, ".") {
			names = append(names, filepath.Join("projects", n))
		}
	}
	return names, nil
}
