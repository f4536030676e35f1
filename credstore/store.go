package credstore

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/clearance-go/clearance/credstore/internal/format"
)

// The limits of a store.
const (
	MaxName    = 255     // bytes of a name
	MaxValue   = 1 << 20 // bytes of a value
	MaxEntries = format.MaxEntries
	maxMeta    = 16 << 10
)

// The files of a store directory.
const (
	dataFile   = "credentials.store"
	backupFile = "credentials.store.bak"
	lockFile   = "credentials.lock"
	lockDir    = "credentials.locks" // one lock for each entry that is being refreshed
	tempMark   = ".credentials-"
)

// kdfTurn lets one slow key derivation run at a time in the process: ten at once would need ten times the memory.
var kdfTurn = make(chan struct{}, 1)

// Store is an open credential store. It is safe for concurrent use by goroutines and by processes.
type Store struct {
	dir      string
	file     string // the store file
	options  Options
	policy   format.KDFPolicy
	stateDir string
	anchor   Anchor
	redactor func() *Redactor

	start time.Time

	mu       sync.Mutex
	closed   bool
	page     *keyPage
	dek      []byte // lies in page; nil until unlocked
	kid      []byte
	source   SourceInfo
	slot     string // the ID of the slot that opened the store
	now      *snapshot
	header   *format.Header // of the newest snapshot; stays when the store locks itself
	idle     idleState
	high     uint64 // the newest generation this process has seen
	rollback string
	warnings []string
	log      auditState
	renewal  renewalState
}

// snapshot is one generation of the file; it never changes.
type snapshot struct {
	info   fs.FileInfo
	header *format.Header
	body   *format.Body
	hash   [32]byte
	metas  map[string]*storedMeta // those that were asked for
}

// Open opens the store in dir and makes it if there is none. It makes dir (mode 0700) and the state directory as needed.
//
// Errors: ErrWrongKey and ErrNoKey when no source opens it; ErrFormat, ErrTampered, ErrKDFPolicy for a bad file;
// ErrRollback, ErrForked, ErrStoreReplaced, ErrStoreMissing, ErrAnchor, ErrAnchorBehind against the anchor;
// ErrPermissions, ErrNotRegular, ErrLocked, ErrRemote, ErrProtection, ErrBadKey, ErrEmptyPassphrase, ErrSave; those of a KeySource.
func Open(ctx context.Context, dir string, options Options) (*Store, error) {
	if options.Keys == nil {
		options.Keys = []KeySource{AutoKeyFile()}
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if dir == "" {
		return nil, errors.New("credstore: empty directory name")
	}
	if options.disk == nil {
		options.disk = osDisk{}
	}
	if options.statfs == nil {
		options.statfs = statFS
	}
	s := &Store{options: options, policy: format.DefaultPolicy(), stateDir: options.StateDir, anchor: options.Anchor, start: time.Now()}
	if s.options.elapsed == nil {
		s.options.elapsed = func() time.Duration { return time.Since(s.start) }
	}
	if options.InsecureFastKDF {
		s.policy = format.FastPolicy()
		s.warnings = append(s.warnings, "InsecureFastKDF is set: passphrase slots are cheap to guess")
	}
	s.redactor = sync.OnceValue(func() *Redactor { return &Redactor{load: s.values} })
	if s.stateDir == "" {
		var err error
		if s.stateDir, err = defaultStateDir(); err != nil {
			return nil, fmt.Errorf("credstore: no state directory (set Options.StateDir): %w", err)
		}
	}
	for _, d := range []*string{&dir, &s.stateDir} {
		if *d == "" {
			continue
		}
		absolute, err := filepath.Abs(*d)
		if err == nil {
			if err = makeDir(absolute, !options.ReadOnly); err == nil {
				absolute, err = filepath.EvalSymlinks(absolute)
			}
		}
		if err != nil {
			if options.ReadOnly && d == &s.stateDir && errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return nil, err
		}
		*d = absolute
	}
	s.dir, s.file = dir, filepath.Join(dir, dataFile)
	for _, d := range []struct{ path, what string }{{dir, "store"}, {s.stateDir, "state directory"}} {
		if _, err := os.Lstat(d.path); err != nil {
			continue // opened read-only, and there is none
		}
		if err := s.checkFileSystem(d.path, d.what); err != nil {
			return nil, err
		}
	}
	if s.anchor == nil {
		place := format.Hash([]byte(dir))
		s.anchor = fileAnchor{filepath.Join(s.stateDir, hex.EncodeToString(place[:16])+".anchor"), options.disk}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.load(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		if options.ReadOnly {
			err = fmt.Errorf("credstore: there is no store in %s: open it without Options.ReadOnly to make one: %w", dir, err)
		} else {
			err = s.create(ctx)
		}
	}
	if err != nil && options.Recover && !options.ReadOnly {
		err = s.recover(ctx, err)
	}
	if err != nil {
		s.forgetKey()
		return nil, err
	}
	s.checkAudit()
	return s, nil
}

// holdKey keeps a copy of dek in the key page and clears dek.
func (s *Store) holdKey(dek, kid []byte) {
	if s.page == nil {
		s.page = newKeyPage()
		runtime.AddCleanup(s, func(p *keyPage) { p.release() }, s.page)
	}
	s.dek, s.kid = s.page.hold(dek), kid
	s.used()
}

// forgetKey clears the data key and what was decrypted with it.
func (s *Store) forgetKey() {
	if s.now != nil {
		clear(s.now.body.AnchorKey)
	}
	s.dek, s.now = nil, nil
	if s.page != nil {
		s.page.release()
		s.page = nil
	}
}

func (s *Store) path(name string) string { return filepath.Join(s.dir, name) }

// create makes the first generation. Another process may have been faster.
func (s *Store) create(ctx context.Context) error {
	release, err := acquire(ctx, s.path(lockFile))
	if err != nil {
		return err
	}
	defer release()
	if _, err = s.loadLocked(ctx); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	record, err := s.anchor.Load(ctx)
	if err != nil {
		return fmt.Errorf("credstore: %w: %s: %w", ErrAnchor, s.anchor.Describe(), err)
	}
	if record != nil && record.Committed != nil && !s.options.Reanchor {
		return fmt.Errorf("credstore: %s: %w: restore it (%s holds the generation before), or open with Options.Reanchor to start anew", s.file, ErrStoreMissing, backupFile)
	}
	h, dek := format.NewHeader()
	forget, err := s.enroll(ctx, h, dek)
	if err != nil {
		clear(dek)
		return err
	}
	body := &format.Body{Created: s.options.Now().UTC(), AnchorKey: format.Random(format.KeySize), Entries: map[string]*format.Entry{}}
	tx := &Tx{store: s, header: *h, body: body, dek: dek}
	tx.record("create", "", nil)
	s.rollback = "anchored (" + s.anchor.Describe() + ")"
	if err = s.save(ctx, &snapshot{header: h, body: body}, tx, nil); err != nil && !visible(err) {
		forget()
	}
	return err
}

// enroll puts the first slot into h, from the first source that is not absent. forget takes a key that was made back.
func (s *Store) enroll(ctx context.Context, h *format.Header, dek []byte) (forget func(), err error) {
	var absent []error
	for _, source := range s.options.Keys {
		slot, key, err := s.newSlot(ctx, hex.EncodeToString(h.ID), source)
		if errors.Is(err, ErrSourceAbsent) {
			err = fmt.Errorf("%s: %w", source.Info(SlotInfo{StateDir: s.stateDir}).Name, err)
			absent = append(absent, err)
			s.warn("a key source was absent when the store was made: " + err.Error())
			continue
		}
		if err != nil {
			return nil, err
		}
		about := s.about(hex.EncodeToString(h.ID), slot)
		err = s.wrap(ctx, h, slot, source, key, dek)
		clear(key)
		if err != nil {
			s.forgetSlot(ctx, source, about)
			return nil, err
		}
		h.Slots = append(h.Slots, *slot)
		s.source, s.slot = source.Info(about), about.SlotID
		return func() { s.forgetSlot(ctx, source, about) }, nil
	}
	return nil, fmt.Errorf("credstore: %w", errors.Join(append([]error{ErrNoKey}, absent...)...))
}

// keyError says which source was wrong.
func keyError(info SourceInfo, err error) error {
	if errors.Is(err, format.ErrWrongKey) {
		return fmt.Errorf("credstore: %s: %w", info.Name, ErrWrongKey)
	}
	return fmt.Errorf("credstore: %s: %w", info.Name, err)
}

// slotType is the type of the slots that a kind of key makes; a passphrase slot is typed by its derivation.
func slotType(k KeyKind) (string, bool) {
	switch k {
	case PassphraseKey:
		return format.Argon2id, true
	case RawKey:
		return format.Raw, true
	case KeyringKey:
		return format.Keyring, true
	case AgeKey:
		return format.Age, true
	}
	return "", false
}

// slow runs a passphrase derivation alone in the process.
func (s *Store) slow(ctx context.Context, k KeyKind, f func() error) error {
	if k == PassphraseKey {
		select {
		case kdfTurn <- struct{}{}:
			defer func() { <-kdfTurn }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return f()
}

// unlock finds the data key of h with the sources in order.
func (s *Store) unlock(ctx context.Context, h *format.Header) error {
	tried := false
	absent := []error{ErrNoKey}
	for _, source := range s.options.Keys {
		typ, ok := slotType(source.Info(s.about(hex.EncodeToString(h.ID), nil)).Kind)
		if !ok {
			return fmt.Errorf("credstore: %w: a source of unknown kind", ErrBadKey)
		}
		var key []byte // asked for once, unless the slot has a say in it
		for i := range h.Slots {
			slot := &h.Slots[i]
			if slot.Type != typ && !(typ == format.Argon2id && slot.Type == format.PBKDF2) {
				continue
			}
			about := s.about(hex.EncodeToString(h.ID), slot)
			info := source.Info(about)
			if info.Protection < s.options.RequireProtection {
				return fmt.Errorf("credstore: %s gives %s: %w %s", info.Name, info.Protection, ErrProtection, s.options.RequireProtection)
			}
			if key == nil || ownKey(source) || slot.Data != nil {
				clear(key)
				var err error
				key, err = source.Unlock(ctx, about)
				if errors.Is(err, ErrSourceAbsent) {
					absent = append(absent, fmt.Errorf("%s: %w", info.Name, err))
					continue
				}
				if err != nil {
					return err
				}
			}
			var dek []byte
			err := s.slow(ctx, info.Kind, func() (err error) { dek, err = s.policy.Unwrap(h, slot, key); return err })
			if err == nil {
				clear(key)
				for _, err := range absent[1:] {
					s.warn("a key source before " + info.Name + " was absent: " + err.Error())
				}
				s.holdKey(dek, h.KID)
				s.source, s.slot = info, about.SlotID
				return nil
			}
			tried = true
			if !errors.Is(err, format.ErrWrongKey) {
				clear(key)
				return keyError(info, err)
			}
		}
		clear(key)
	}
	if tried {
		return fmt.Errorf("credstore: %s: %w", s.file, ErrWrongKey)
	}
	return fmt.Errorf("credstore: %s: %w (offered: %s)", s.file, errors.Join(absent...), s.sourceNames(h))
}

func (s *Store) sourceNames(h *format.Header) string {
	names := make([]string, 0, len(s.options.Keys))
	for _, source := range s.options.Keys {
		names = append(names, source.Info(s.about(hex.EncodeToString(h.ID), nil)).Name)
	}
	return strings.Join(names, ", ")
}

// warn keeps a sentence for Status.
func (s *Store) warn(text string) {
	if len(s.warnings) < 32 && !slices.Contains(s.warnings, text) {
		s.warnings = append(s.warnings, text)
	}
}

// load returns the present generation without the lock: a rename replaces the file at once, so what is read is whole.
// Only when the anchor disagrees, which may be a save in progress, it looks again under the lock.
func (s *Store) load(ctx context.Context) (*snapshot, error) {
	if s.now != nil {
		if info, err := os.Lstat(s.file); err == nil && sameFile(info, s.now.info) {
			return s.now, nil
		}
	}
	snap, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	verdict, _ := s.judge(ctx, snap)
	if verdict == nil {
		return s.adopt(snap), nil
	}
	if s.options.ReadOnly {
		return nil, verdict
	}
	release, err := acquire(ctx, s.path(lockFile))
	if err != nil {
		return nil, err
	}
	defer release()
	return s.loadLocked(ctx)
}

func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size() && a.Mode() == b.Mode()
}

// loadLocked is load under the lock, where the anchor's word is final; it settles what a crash left open.
func (s *Store) loadLocked(ctx context.Context) (*snapshot, error) {
	snap, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	verdict, settle := s.judge(ctx, snap)
	if verdict != nil && (settle || s.options.Reanchor) {
		if !settle {
			s.warn("accepted by Options.Reanchor: " + verdict.Error())
			s.options.Reanchor = false
		} else if !errors.Is(verdict, errUnsettled) {
			s.rollback = "unverified: " + verdict.Error()
		}
		point := &Point{Generation: snap.body.Generation, Hash: snap.hash[:]}
		if err := s.saveAnchor(ctx, snap, &AnchorRecord{Committed: point}); err != nil {
			return nil, err
		}
		verdict = nil
		if s.rollback == "" {
			s.rollback = "anchored (" + s.anchor.Describe() + ")"
		}
		s.high = snap.body.Generation
	}
	if verdict != nil {
		return nil, verdict
	}
	return s.adopt(snap), nil
}

func (s *Store) adopt(snap *snapshot) *snapshot {
	if s.rollback == "" {
		s.rollback = "anchored (" + s.anchor.Describe() + ")"
	}
	s.high = max(s.high, snap.body.Generation)
	s.now, s.header = snap, snap.header
	return snap
}

// read reads, checks and decrypts the file.
func (s *Store) read(ctx context.Context) (*snapshot, error) {
	path := s.file
	raw, info, err := readPrivateInfo(path, format.MaxFile)
	if err != nil {
		return nil, err
	}
	h, additional, sealed, err := format.ParseHeader(raw)
	if err == nil {
		err = s.policy.CheckAll(h)
	}
	if err != nil {
		return nil, fmt.Errorf("credstore: %s: %w; %s holds the generation before", path, err, backupFile)
	}
	if record, err := s.anchor.Load(ctx); err == nil && record != nil && record.StoreID != hex.EncodeToString(h.ID) && !s.options.Reanchor {
		return nil, fmt.Errorf("credstore: %s: %w: its ID is not the one that %s remembers; restore the file, or open with Options.Reanchor", path, ErrStoreReplaced, s.anchor.Describe())
	}
	if s.dek == nil || !slices.Equal(s.kid, h.KID) {
		had := s.dek != nil
		if err := s.unlock(ctx, h); err != nil && had {
			return nil, fmt.Errorf("%w: %w", ErrKeyChanged, err)
		} else if err != nil {
			return nil, err
		}
	}
	body, err := format.DecodeBody(h, additional, sealed, s.dek)
	if errors.Is(err, format.ErrWrongKey) {
		return nil, fmt.Errorf("credstore: %s: %w", path, ErrWrongKey)
	}
	if err != nil {
		return nil, fmt.Errorf("credstore: %s: %w; %s holds the generation before", path, err, backupFile)
	}
	return &snapshot{info: info, header: h, body: body, hash: format.Hash(raw)}, nil
}

// errUnsettled: a save ended between its rename and its commit.
var errUnsettled = errors.New("a save was not committed")

// judge compares a generation with the anchor. settle: under the lock the difference may be put right.
func (s *Store) judge(ctx context.Context, snap *snapshot) (verdict error, settle bool) {
	path := s.file
	if snap.body.Generation < s.high {
		return &RollbackError{Have: snap.body.Generation, Want: s.high}, false
	}
	record, err := s.anchor.Load(ctx)
	if err != nil {
		return fmt.Errorf("credstore: %w: %s: %w; remove it, or open with Options.Reanchor", ErrAnchor, s.anchor.Describe(), err), false
	}
	if record == nil && s.source.Kind == AgeKey {
		return fmt.Errorf("credstore: %w: %s has no record, and anybody can make a store that an age identity opens; if this one is yours, open it once with Options.Reanchor", ErrAnchor, s.anchor.Describe()), false
	}
	if record == nil {
		return fmt.Errorf("credstore: %w: %s did not exist when the store was opened", ErrAnchor, s.anchor.Describe()), !s.options.StrictAnchor
	}
	if record.StoreID != hex.EncodeToString(snap.header.ID) || !format.SameMAC(record.MAC, s.anchorMAC(snap, record)) {
		return fmt.Errorf("credstore: %s: %w: %s remembers another store", path, ErrStoreReplaced, s.anchor.Describe()), false
	}
	at := func(p *Point) bool {
		return p != nil && p.Generation == snap.body.Generation && slices.Equal(p.Hash, snap.hash[:])
	}
	switch {
	case at(record.Committed):
		return nil, false
	case at(record.Prepared):
		return errUnsettled, true
	case record.Committed != nil && snap.body.Generation < record.Committed.Generation:
		return &RollbackError{Have: snap.body.Generation, Want: record.Committed.Generation}, false
	case record.Committed != nil && snap.body.Generation == record.Committed.Generation:
		return fmt.Errorf("credstore: %s: %w at generation %d: two copies were changed apart; choose one, then open with Options.Reanchor", path, ErrForked, snap.body.Generation), false
	}
	return fmt.Errorf("credstore: %w: the state directory may come from a backup", ErrAnchorBehind), !s.options.StrictAnchor
}

func (s *Store) anchorMAC(snap *snapshot, record *AnchorRecord) []byte {
	plain := *record
	plain.MAC = nil
	raw, _ := json.Marshal(&plain) // a struct of numbers, strings and bytes
	return format.AnchorMAC(snap.body.AnchorKey, raw)
}

func (s *Store) saveAnchor(ctx context.Context, snap *snapshot, record *AnchorRecord) error {
	record.Version, record.StoreID = 1, hex.EncodeToString(snap.header.ID)
	record.MAC = s.anchorMAC(snap, record)
	if err := s.anchor.Save(ctx, record); err != nil {
		return fmt.Errorf("credstore: %w: %s: %w", ErrAnchor, s.anchor.Describe(), err)
	}
	return nil
}

// save makes tx the next generation, under the lock. Order: audit record appended and flushed, anchor prepared, temporary
// file written and flushed, the old file kept as backup, rename, directory flushed, anchor committed. A crash at any point
// leaves the old or the new file, and the anchor accepts both. Once it begins it does not stop for ctx.
func (s *Store) save(ctx context.Context, base *snapshot, tx *Tx, old *Point) error {
	ctx = context.WithoutCancel(ctx)
	d, body, h := s.options.disk, tx.body, tx.header
	body.Generation = base.body.Generation + 1
	if err := s.auditSave(tx); err != nil {
		return err
	}
	fail := func(err error) error {
		s.auditFailure(tx)
		return &SaveError{cause: err}
	}
	raw, err := format.Encode(&h, body, tx.dek)
	if err != nil {
		return fail(err)
	}
	next := &snapshot{header: &h, body: body, hash: format.Hash(raw)}
	point := &Point{Generation: body.Generation, Hash: next.hash[:]}
	if err := s.saveAnchor(ctx, next, &AnchorRecord{Committed: old, Prepared: point}); err != nil {
		return fail(err)
	}
	temp := s.path(fmt.Sprintf("%s%x.tmp", tempMark, format.Random(8)))
	if err := writePrivate(d, temp, raw); err != nil {
		return fail(err)
	}
	err = s.keepBackup()
	if err == nil {
		err = d.Rename(temp, s.file)
	}
	if err != nil {
		_ = d.Remove(temp)
		return fail(err)
	}
	// From here on every reader sees the new generation, whatever fails.
	synced := d.SyncDir(s.dir)
	next.info, err = os.Lstat(s.file)
	if err != nil {
		return &SaveError{Visible: true, cause: err}
	}
	if !slices.Equal(s.kid, h.KID) {
		s.holdKey(tx.dek, h.KID)
	}
	s.adopt(next)
	if synced != nil { // the anchor stays prepared, so it accepts both generations after a power cut
		return &SaveError{Visible: true, cause: synced}
	}
	// The file is durable and the anchor has it as prepared: the next open settles a failure here.
	if err := s.saveAnchor(ctx, next, &AnchorRecord{Committed: point}); err != nil {
		s.warn(err.Error())
	}
	return nil
}

// keepBackup gives the present file a second name, by rename so that there is always a backup.
func (s *Store) keepBackup() error {
	d := s.options.disk
	// It may have the name already, from Rotate or a save that was killed. A rename between two names of one file does nothing
	// and leaves both (rename(2)).
	if now, err := os.Lstat(s.file); err == nil {
		if kept, err := os.Lstat(s.path(backupFile)); err == nil && os.SameFile(now, kept) {
			return nil
		}
	}
	temp := s.path(fmt.Sprintf("%s%x.tmp", tempMark, format.Random(8)))
	err := d.Link(s.file, temp)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil { // a file system without hard links
		raw, e := readPrivate(s.file, format.MaxFile)
		if e != nil {
			return e
		}
		if err = writePrivate(d, temp, raw); err != nil {
			return err
		}
	}
	if err = d.Rename(temp, s.path(backupFile)); err != nil {
		_ = d.Remove(temp)
	}
	return err
}

// sweep removes what killed saves left behind; under the lock nobody else is writing.
func (s *Store) sweep() {
	left, _ := filepath.Glob(filepath.Join(globQuote(s.dir), tempMark+"*.tmp"))
	for _, path := range left {
		_ = os.Remove(path)
	}
}

func globQuote(dir string) string {
	if os.PathSeparator == '\\' {
		return dir
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// Update runs change on the newest state under the store's lock and saves once, if change changed anything and returned
// nil. Its error is returned as it is and nothing is saved. When Update returns nil the change is durable. change must not
// use the Store (it would wait for itself) and should not wait for people or networks.
func (s *Store) Update(ctx context.Context, change func(*Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	release, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer release()
	_, err = s.update(ctx, change)
	return err
}

// begin takes the lock for a change; s.mu is held.
func (s *Store) begin(ctx context.Context) (func(), error) {
	if s.closed {
		return nil, ErrClosed
	}
	if s.options.ReadOnly {
		return nil, fmt.Errorf("credstore: the store was opened read-only: %w", fs.ErrPermission)
	}
	s.lockIfIdle()
	s.used()
	return acquire(ctx, s.path(lockFile))
}

// update is Update under both locks; it reports whether a new generation is in the file.
func (s *Store) update(ctx context.Context, change func(*Tx) error) (saved bool, err error) {
	s.sweep()
	base := s.now
	if info, err := os.Lstat(s.file); base == nil || err != nil || !sameFile(info, base.info) {
		if base, err = s.loadLocked(ctx); errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("credstore: %s: %w", s.file, ErrStoreMissing)
		} else if err != nil {
			return false, err
		}
	}
	body := *base.body
	body.Entries = maps.Clone(base.body.Entries)
	body.Previous = base.hash[:]
	tx := &Tx{store: s, header: *base.header, body: &body, dek: s.dek}
	tx.header.Slots = slices.Clone(base.header.Slots)
	err = change(tx)
	tx.store = nil
	if err != nil || !tx.changed {
		return false, err
	}
	if len(body.Entries) > MaxEntries {
		return false, fmt.Errorf("credstore: %w: at most %d entries", ErrTooLarge, MaxEntries)
	}
	err = s.save(ctx, base, tx, &Point{Generation: base.body.Generation, Hash: base.hash[:]})
	return err == nil || visible(err), err
}

// Tx is the state inside Update. It is not safe for concurrent use and ends with the function it was given to.
type Tx struct {
	store   *Store
	header  format.Header
	body    *format.Body
	dek     []byte
	changed bool
	records []auditRecord
}

// Get returns the value of an entry; errors as for Store.Get.
func (tx *Tx) Get(name string) (Secret, error) {
	if tx.store == nil {
		return Secret{}, ErrClosed
	}
	return tx.store.open(tx.body, tx.dek, name)
}

// Set stores a value; errors as for Store.Set.
func (tx *Tx) Set(name string, value Secret, meta Meta) error {
	return tx.SetToken(name, Token{Value: value, Expires: meta.Expires}, meta)
}

// SetToken stores a value with its refresh token; errors as for Store.Set.
func (tx *Tx) SetToken(name string, token Token, meta Meta) error {
	return tx.put("set", name, token, meta)
}

func (tx *Tx) put(op, name string, token Token, meta Meta) error {
	if tx.store == nil {
		return ErrClosed
	}
	if err := checkName(name); err != nil {
		return err
	}
	if err := checkToken(token); err != nil {
		return fmt.Errorf("credstore: %q: %w", name, err)
	}
	meta.Expires = token.Expires
	raw, err := sealedMeta(meta, tx.store.options.Now())
	if err != nil {
		return fmt.Errorf("credstore: %q: %w", name, err)
	}
	ver := uint64(1)
	if old := tx.body.Entries[name]; old != nil {
		ver = old.Version + 1
	}
	value, refresh := token.Value.bytes(), token.Refresh.bytes()
	defer clear(value)
	defer clear(refresh)
	e, err := format.SealValue(tx.dek, name, ver, raw, value, refresh)
	if err == nil {
		tx.body.Entries[name] = e
		tx.record(op, name, value)
	}
	return err
}

// record marks the state as changed and says so in the audit log.
func (tx *Tx) record(op, name string, value []byte) {
	tx.changed = true
	if tx.store.options.Audit == AuditOff {
		return
	}
	r := auditRecord{Op: op, Name: name}
	if value != nil {
		r.Fingerprint = hex.EncodeToString(format.Fingerprint(tx.body.AnchorKey, value))
	}
	tx.records = append(tx.records, r)
}

// Delete removes an entry, or returns ErrNotFound.
func (tx *Tx) Delete(name string) error {
	if tx.store == nil {
		return ErrClosed
	}
	if err := checkName(name); err != nil {
		return err
	}
	if tx.body.Entries[name] == nil {
		return fmt.Errorf("credstore: %q: %w", name, ErrNotFound)
	}
	delete(tx.body.Entries, name)
	tx.record("delete", name, nil)
	return nil
}

// List returns the entries, sorted by name.
func (tx *Tx) List() ([]Entry, error) {
	if tx.store == nil {
		return nil, ErrClosed
	}
	return list(tx.body)
}

// Set stores value under name, in place of an earlier value. It returns when the change is durable. Errors: ErrBadName,
// ErrTooLarge, ErrEmptyValue, ErrRedactedValue, ErrBadMeta, and those of Update.
func (s *Store) Set(ctx context.Context, name string, value Secret, meta Meta) error {
	return s.Update(ctx, func(tx *Tx) error { return tx.Set(name, value, meta) })
}

// SetToken is Set for a value with a refresh token: what a Refresher needs to buy the next one. token.Expires stands in
// place of meta.Expires.
func (s *Store) SetToken(ctx context.Context, name string, token Token, meta Meta) error {
	return s.Update(ctx, func(tx *Tx) error { return tx.SetToken(name, token, meta) })
}

// Delete removes an entry. ErrNotFound if there is none. Copies in backups of the disk, and the kept previous generation
// until the next save, still hold it: revoke the credential where it was issued.
func (s *Store) Delete(ctx context.Context, name string) error {
	return s.Update(ctx, func(tx *Tx) error { return tx.Delete(name) })
}

// List returns the entries without their values, sorted by name. No value is decrypted.
func (s *Store) List(ctx context.Context) ([]Entry, error) {
	var out []Entry
	err := s.see(ctx, func(snap *snapshot) (err error) { out, err = list(snap.body); return err })
	return out, err
}

// see runs f on the present generation. It is a use of the store.
func (s *Store) see(ctx context.Context, f func(*snapshot) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lockIfIdle()
	s.used()
	return s.peek(ctx, f)
}

// peek is see under s.mu, and no use.
func (s *Store) peek(ctx context.Context, f func(*snapshot) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed {
		return ErrClosed
	}
	snap, err := s.load(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("credstore: %s: %w", s.file, ErrStoreMissing)
	}
	if err != nil {
		return err
	}
	return f(snap)
}

func (s *Store) open(body *format.Body, dek []byte, name string) (Secret, error) {
	if err := checkName(name); err != nil {
		return Secret{}, err
	}
	e := body.Entries[name]
	if e == nil {
		return Secret{}, fmt.Errorf("credstore: %q: %w", name, ErrNotFound)
	}
	value, err := format.OpenValue(dek, name, e)
	if err != nil {
		return Secret{}, fmt.Errorf("credstore: %q: %w", name, err)
	}
	return ownSecret(value), nil
}

func (s *Store) openRefresh(body *format.Body, name string) (Secret, error) {
	token, err := format.OpenRefresh(s.dek, name, body.Entries[name])
	if err != nil {
		return Secret{}, fmt.Errorf("credstore: %q: %w", name, err)
	}
	return ownSecret(token), nil
}

// values is what the Redactor looks for (values and refresh tokens), and a token that changes with it. seen is the token that
// it has. A locked store is not unlocked for values that are known already, and redacting does not keep a store unlocked.
func (s *Store) values(ctx context.Context, seen any) (any, map[string]Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lockIfIdle()
	if last := s.idle.last; last != nil && seen == last && s.now == nil {
		if info, err := os.Lstat(s.file); err == nil && sameFile(info, last.info) {
			return last, nil, nil
		}
	}
	var out map[string]Secret
	var at *snapshot
	err := s.peek(ctx, func(snap *snapshot) error {
		if at = snap; seen == snap {
			return nil // it has these values already
		}
		out = make(map[string]Secret, len(snap.body.Entries))
		for name, e := range snap.body.Entries {
			value, err := s.open(snap.body, s.dek, name)
			if err != nil {
				return err
			}
			out[name] = value
			if len(e.Refresh) == 0 {
				continue
			}
			if out[name+" (refresh token)"], err = s.openRefresh(snap.body, name); err != nil {
				return err
			}
		}
		return nil
	})
	return at, out, err
}

// Redactor returns the store's Redactor, always the same one. It follows changes of the store.
func (s *Store) Redactor() *Redactor { return s.redactor() }

// Status describes the store as it is now.
func (s *Store) Status(ctx context.Context) (Status, error) {
	var st Status
	err := s.see(ctx, func(snap *snapshot) error {
		st = Status{Path: s.file, StoreID: hex.EncodeToString(snap.header.ID), Generation: snap.body.Generation,
			Entries: len(snap.body.Entries), Source: s.source.Name, Protection: s.source.Protection,
			Explanation: s.source.Protection.Explain(), Rollback: s.rollback, Warnings: slices.Clone(s.warnings),
			AuditFailures: s.log.failures}
		for _, slot := range snap.header.Slots {
			st.Slots = append(st.Slots, slotStatus(&slot))
		}
		for _, path := range s.source.Files {
			if within(s.dir, path) {
				st.Protection, st.Explanation = Obfuscation, Obfuscation.Explain()
				st.Warnings = append(st.Warnings, "the key file lies in the directory of the store: whoever copies the directory has both")
			}
		}
		if info, err := os.Lstat(s.file); err == nil && links(info) > 1 {
			st.Warnings = append(st.Warnings, "the store file has a second hard link")
		}
		s.addClockWarnings(&st, snap)
		return nil
	})
	return st, err
}

func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// Files returns the absolute paths that tools of an agent must not touch: the directories of the store and of its state,
// and every file in them that belongs to the store, with the key files. It does no I/O.
func (s *Store) Files() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []string{s.dir, s.file, s.path(damagedFile), s.path(auditFile + auditBad), s.path(backupFile), s.path(lockFile), s.path(lockDir), s.path(auditFile),
		s.path(auditFile + auditOld), s.path(auditLock), s.stateDir}
	if f, ok := s.anchor.(fileAnchor); ok {
		out = append(out, f.path)
	}
	if s.header != nil {
		for i := range s.header.Slots {
			about := s.about(hex.EncodeToString(s.header.ID), &s.header.Slots[i])
			for _, source := range s.options.Keys {
				out = append(out, source.Info(about).Files...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Close clears the data key. Secrets already given out stay usable; every other call then returns ErrClosed.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.forgetKey()
	s.idle.stop()
	return nil
}

type storedMeta struct {
	Meta
	Updated time.Time `json:"updated"`
}

func sealedMeta(meta Meta, now time.Time) ([]byte, error) {
	printable := func(text string) bool {
		return strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
	}
	if !printable(meta.Label) {
		return nil, fmt.Errorf("%w: the label has characters that do not print", ErrBadMeta)
	}
	for _, host := range meta.Hosts {
		if host == "" || strings.IndexFunc(host, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune(".-:[]", r))
		}) >= 0 {
			return nil, fmt.Errorf("%w: host %+q is not a plain lower-case host name", ErrBadMeta, host)
		}
	}
	if meta.Env != "" && (!variableName(meta.Env) || dangerousVariable(meta.Env)) {
		return nil, fmt.Errorf("%w: %+q is not the name of a variable for a secret", ErrBadMeta, meta.Env)
	}
	for _, path := range meta.Commands {
		if !filepath.IsAbs(path) || !printable(path) {
			return nil, fmt.Errorf("%w: command %+q is not an absolute path", ErrBadMeta, path)
		}
	}
	raw, err := json.Marshal(storedMeta{Meta: meta, Updated: now.UTC()})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadMeta, err)
	}
	if len(raw) > maxMeta {
		return nil, fmt.Errorf("%w: metadata over %d bytes", ErrTooLarge, maxMeta)
	}
	return raw, nil
}

func list(body *format.Body) ([]Entry, error) {
	out := make([]Entry, 0, len(body.Entries))
	for _, name := range slices.Sorted(maps.Keys(body.Entries)) {
		e := body.Entries[name]
		var m storedMeta
		if json.Unmarshal(e.Meta, &m) != nil {
			return nil, fmt.Errorf("credstore: %q: %w", name, ErrTampered)
		}
		out = append(out, Entry{Name: name, Version: e.Version, Updated: m.Updated, Meta: m.Meta})
	}
	return out, nil
}

func checkValue(value Secret) error {
	switch n := value.Len(); {
	case n == 0:
		return ErrEmptyValue
	case n > MaxValue:
		return fmt.Errorf("%w: a value has at most %d bytes", ErrTooLarge, MaxValue)
	}
	if value.Equal(NewSecret([]byte(redacted))) {
		return ErrRedactedValue
	}
	return nil
}

func checkToken(token Token) error {
	if token.Refresh.Len() > 0 {
		if err := checkValue(token.Refresh); err != nil {
			return fmt.Errorf("refresh token: %w", err)
		}
	}
	return checkValue(token.Value)
}

// checkName accepts names that mean the same in a path, a line protocol, a terminal and an argument list.
func checkName(name string) error {
	refuse := func(kind error, why string) error { return &NameError{Name: name, Reason: why, kind: kind} }
	switch {
	case name == "":
		return refuse(ErrBadName, "it is empty")
	case len(name) > MaxName:
		return &NameError{Name: name[:32] + "...", Reason: fmt.Sprintf("longer than %d bytes", MaxName), kind: ErrTooLarge}
	case name[0] == '-':
		return refuse(ErrBadName, "it starts with '-', so a program would take it for an option")
	}
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._/@:+-", c) >= 0) {
			return refuse(ErrBadName, "only A-Z a-z 0-9 . _ / @ : + - are allowed")
		}
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return refuse(ErrBadName, `a segment is empty, "." or ".."`)
		}
	}
	return nil
}
