package credstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Protection is how much the place of the key protects, from weakest to strongest. The zero value protects nothing.
type Protection int

// The levels of protection.
const (
	// NoProtection is the zero value; no source has it.
	NoProtection Protection = iota
	// Obfuscation: the key lies on the same disk as the store. Stops accidental commits, configuration sync and partial
	// backups; does not stop anyone who has a full copy of the home directory.
	Obfuscation
	// EnvironmentProtection: the key comes from the process environment. Stops theft of the files; does not stop anyone
	// who reads the environment or the configuration of the CI.
	EnvironmentProtection
	// SessionProtection: the key lies in the keyring of the desktop session. Stops theft of the disk, backups and other
	// users; does not stop any code in the session (CVE-2018-19358).
	SessionProtection
	// PassphraseProtection: the key is derived from a passphrase. Stops theft of the disk, backups and other users; does
	// not stop a keylogger, a reader of memory while unlocked, or guessing of a weak passphrase.
	PassphraseProtection
	// HardwareProtection: the key never leaves a device. Stops copying to another machine; does not stop code of the same
	// user while unlocked.
	HardwareProtection
)

// String returns one word: none, obfuscation, environment, session, passphrase or hardware.
func (p Protection) String() string {
	switch p {
	case Obfuscation:
		return "obfuscation"
	case EnvironmentProtection:
		return "environment"
	case SessionProtection:
		return "session"
	case PassphraseProtection:
		return "passphrase"
	case HardwareProtection:
		return "hardware"
	}
	return "none"
}

// Explain says in one sentence what the level stops and what it does not.
func (p Protection) Explain() string {
	switch p {
	case Obfuscation:
		return "obfuscation: the key lies on the same disk; this stops accidental commits, synced configuration and partial backups, not a full copy of your home directory or programs that run as you"
	case EnvironmentProtection:
		return "environment: the key comes from the process environment; this stops theft of the files, not anyone who reads the environment or the CI configuration"
	case SessionProtection:
		return "session: the key lies in the session keyring; this stops disk theft, backups and other users, not programs in your session"
	case PassphraseProtection:
		return "passphrase: the key is derived from a passphrase; this stops disk theft, backups and other users, not a keylogger, a memory reader while unlocked, or a weak passphrase"
	case HardwareProtection:
		return "hardware: the key is bound to a device; this stops copying the files to another machine, not programs that run as you while unlocked"
	}
	return "none: no key source is known"
}

// KeyKind says what the bytes of a source are.
type KeyKind int

// The kinds of key material.
const (
	// UnknownKey is the zero value and refused.
	UnknownKey KeyKind = iota
	// PassphraseKey: text of any length that goes through a slow derivation (argon2id; PBKDF2 in FIPS mode).
	PassphraseKey
	// RawKey: exactly 32 random bytes.
	RawKey
	// KeyringKey: 32 random bytes in an OS keyring.
	KeyringKey
	// AgeKey: 32 random bytes in an age file that the slot carries.
	AgeKey
)

// SourceInfo describes a key source for people; it holds no key.
type SourceInfo struct {
	Name       string // for Status, such as "key file /path" or "environment variable CI_KEY"
	Kind       KeyKind
	Protection Protection
	Files      []string // absolute paths of key files, for Store.Files
}

// Forgetter is what a KeySource that makes its own keys implements as well. Rotate gives such a source a new key, and the
// key of a slot that is gone is removed.
type Forgetter interface {
	Forget(context.Context, SlotInfo) error
}

// SlotInfo tells a source which slot is to be opened or made.
type SlotInfo struct {
	StoreID  string // hex, stable for the life of the store
	SlotID   string // hex
	StateDir string // the state directory of the store
	Data     []byte // what Enroll kept in the slot; in the clear, authenticated with the store
}

// KeySource gives the key that opens a store. Implementations must be safe for concurrent use and keep to ctx.
// An error must not hold key material.
type KeySource interface {
	// Info describes the source for this slot. It does no I/O and asks nobody.
	Info(SlotInfo) SourceInfo
	// Unlock returns the key for an existing slot; ErrSourceAbsent lets the next source try.
	// The caller clears the returned slice.
	Unlock(context.Context, SlotInfo) ([]byte, error)
	// Enroll returns the key for a new slot, made now if the source makes keys, and data to keep in the slot (nil for
	// most). ErrSourceAbsent lets the next source try.
	Enroll(context.Context, SlotInfo) (key, data []byte, err error)
}

// Passphrase is a source that asks ask for a passphrase at each unlock. Protection: passphrase.
func Passphrase(ask func(context.Context) (Secret, error)) KeySource { return passphraseSource{ask} }

// StaticPassphrase is a source with a passphrase that the caller already has. Protection: passphrase.
func StaticPassphrase(passphrase Secret) KeySource {
	return passphraseSource{func(context.Context) (Secret, error) { return passphrase, nil }}
}

type passphraseSource struct {
	ask func(context.Context) (Secret, error)
}

func (p passphraseSource) Info(SlotInfo) SourceInfo {
	return SourceInfo{Name: "passphrase", Kind: PassphraseKey, Protection: PassphraseProtection}
}

func (p passphraseSource) Unlock(ctx context.Context, _ SlotInfo) ([]byte, error) {
	if p.ask == nil {
		return nil, fmt.Errorf("credstore: passphrase source without a function: %w", ErrBadKey)
	}
	secret, err := p.ask(ctx)
	if err != nil {
		return nil, err
	}
	if secret.Len() == 0 {
		return nil, fmt.Errorf("credstore: %w", ErrEmptyPassphrase)
	}
	return secret.bytes(), nil
}

func (p passphraseSource) Enroll(ctx context.Context, slot SlotInfo) ([]byte, []byte, error) {
	key, err := p.Unlock(ctx, slot)
	return key, nil, err
}

// bytes returns a copy for the package's own use; the caller clears it.
func (s Secret) bytes() []byte {
	var out []byte
	_ = s.view(func(b []byte) error { out = append(out, b...); return nil })
	return out
}

// Key is a source with a key of 32 random bytes that the caller already has. Where the key really comes from is the
// caller's knowledge, so the caller states the protection.
func Key(key Secret, protection Protection) KeySource { return rawSource{key, protection} }

type rawSource struct {
	key        Secret
	protection Protection
}

func (r rawSource) Info(SlotInfo) SourceInfo {
	return SourceInfo{Name: "key from the program", Kind: RawKey, Protection: r.protection}
}

func (r rawSource) Unlock(context.Context, SlotInfo) ([]byte, error) {
	return parseKey(r.key.bytes(), "the program's key")
}

func (r rawSource) Enroll(ctx context.Context, slot SlotInfo) ([]byte, []byte, error) {
	key, err := r.Unlock(ctx, slot)
	return key, nil, err
}

// KeyFile is a source that reads 32 raw bytes, 64 hex digits or 44 base64 characters (one trailing newline is allowed)
// from a file that only its owner can read. A missing file is an error, not a reason to try the next source.
// Protection: obfuscation, because the file is a plain copy of the key wherever it lies.
func KeyFile(path string) KeySource { return fileSource{path} }

type fileSource struct{ path string }

func (f fileSource) Info(SlotInfo) SourceInfo {
	path, err := filepath.Abs(f.path)
	if err != nil {
		path = f.path
	}
	return SourceInfo{Name: "key file " + path, Kind: RawKey, Protection: Obfuscation, Files: []string{path}}
}

func (f fileSource) Unlock(context.Context, SlotInfo) ([]byte, error) {
	raw, err := readPrivate(f.path, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("credstore: key file: %w", err)
	}
	return parseKey(raw, "the key file")
}

func (f fileSource) Enroll(ctx context.Context, slot SlotInfo) ([]byte, []byte, error) {
	key, err := f.Unlock(ctx, slot)
	return key, nil, err
}

// Environment is a source that reads the variable name: 64 hex digits or 44 base64 characters. An unset variable lets
// the next source try; a set but empty or malformed one is an error (a missing CI secret must not select another key).
// The variable is removed from this process's environment once read, so that children do not inherit it.
// Protection: environment.
func Environment(name string) KeySource { return &environmentSource{name: name} }

// AutoKeyFile is the source of the zero Options: a file of 32 random bytes, mode 0600, in the state directory, made when
// the slot is made and named after the store and the slot. Protection: obfuscation.
func AutoKeyFile() KeySource { return autoSource{} }

type autoSource struct{}

func (autoSource) path(slot SlotInfo) string {
	return filepath.Join(slot.StateDir, slot.StoreID+"-"+slot.SlotID+".key")
}

func (a autoSource) Info(slot SlotInfo) SourceInfo {
	path := a.path(slot)
	return SourceInfo{Name: "automatic key file " + path, Kind: RawKey, Protection: Obfuscation, Files: []string{path}}
}

func (a autoSource) Unlock(_ context.Context, slot SlotInfo) ([]byte, error) {
	raw, err := readPrivate(a.path(slot), maxKeyFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrSourceAbsent
	}
	if err != nil {
		return nil, fmt.Errorf("credstore: automatic key file: %w", err)
	}
	return parseKey(raw, "the automatic key file")
}

func (a autoSource) Enroll(_ context.Context, slot SlotInfo) ([]byte, []byte, error) {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
	if err := createPrivate(osDisk{}, a.path(slot), key); err != nil {
		return nil, nil, fmt.Errorf("credstore: automatic key file: %w", err)
	}
	return key, nil, nil
}

// Forget removes the key file of a slot that is gone.
func (a autoSource) Forget(_ context.Context, slot SlotInfo) error {
	err := os.Remove(a.path(slot))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// PassphraseFile is a source that reads a passphrase (the first line) from a file that only its owner can read, as
// container secrets are given. A missing file is an error. Protection: obfuscation, because the passphrase lies there in
// the clear.
func PassphraseFile(path string) KeySource { return passphraseFile{path} }

type passphraseFile struct{ path string }

func (p passphraseFile) Info(slot SlotInfo) SourceInfo {
	info := fileSource(p).Info(slot)
	info.Name, info.Kind = "passphrase file "+info.Files[0], PassphraseKey
	return info
}

func (p passphraseFile) Unlock(context.Context, SlotInfo) ([]byte, error) {
	raw, err := readPrivate(p.path, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("credstore: passphrase file: %w", err)
	}
	line := bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte("\n")), []byte("\r"))
	if len(line) == 0 {
		return nil, fmt.Errorf("credstore: passphrase file: %w", ErrEmptyPassphrase)
	}
	if bytes.ContainsAny(line, "\r\n\x00") {
		clear(raw)
		return nil, fmt.Errorf("credstore: passphrase file: %w: more than one line", ErrBadKey)
	}
	return line, nil
}

func (p passphraseFile) Enroll(ctx context.Context, slot SlotInfo) ([]byte, []byte, error) {
	key, err := p.Unlock(ctx, slot)
	return key, nil, err
}

// SystemdCredential is a source that reads the key that the service manager decrypted for this service
// ($CREDENTIALS_DIRECTORY/name; systemd.exec(5), LoadCredentialEncrypted=). Forms as for KeyFile. Without
// $CREDENTIALS_DIRECTORY the next source may try; a directory without the file is an error. Protection: environment, or
// what the caller knows better: with a credential sealed to the TPM pass HardwareProtection.
func SystemdCredential(name string, protection Protection) KeySource {
	if protection == NoProtection {
		protection = EnvironmentProtection
	}
	return systemdSource{name, protection}
}

type systemdSource struct {
	name       string
	protection Protection
}

func (s systemdSource) Info(SlotInfo) SourceInfo {
	return SourceInfo{Name: "systemd credential " + s.name, Kind: RawKey, Protection: s.protection}
}

func (s systemdSource) Unlock(context.Context, SlotInfo) ([]byte, error) {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return nil, fmt.Errorf("$CREDENTIALS_DIRECTORY is not set: %w", ErrSourceAbsent)
	}
	if !filepath.IsAbs(dir) || s.name == "" || strings.ContainsAny(s.name, "/\\\x00") || s.name == "." || s.name == ".." {
		return nil, fmt.Errorf("credstore: systemd credential %+q: %w: not a file name in an absolute directory", s.name, ErrBadKey)
	}
	f, err := openNoFollow(filepath.Join(dir, s.name))
	if err != nil {
		return nil, fmt.Errorf("credstore: systemd credential: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	// The manager may own the file and let the service read it by an access list, which shows as the group's bit.
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o037 != 0 {
		return nil, &PermissionError{Path: f.Name(), Mode: info.Mode(), Reason: "a credential is a file that only the service reads"}
	}
	raw := make([]byte, maxKeyFile)
	n, err := io.ReadFull(f, raw)
	if err == nil {
		return nil, fmt.Errorf("credstore: systemd credential: %w: over %d bytes", ErrBadKey, maxKeyFile-1)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return parseKey(raw[:n], "systemd credential "+s.name)
}

func (s systemdSource) Enroll(ctx context.Context, slot SlotInfo) ([]byte, []byte, error) {
	key, err := s.Unlock(ctx, slot)
	return key, nil, err
}

const (
	keySize    = 32
	maxKeyFile = 4096
)

// parseKey accepts 32 raw bytes, 64 hex digits or 44 base64 characters. It clears raw unless it returns it.
func parseKey(raw []byte, from string) ([]byte, error) {
	refuse := func(why string) ([]byte, error) {
		clear(raw)
		return nil, fmt.Errorf("credstore: %s: %w: %s", from, ErrBadKey, why)
	}
	key := raw
	if len(raw) != keySize {
		text := strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r")
		var err error
		switch len(text) {
		case 2 * keySize:
			key, err = hex.DecodeString(text)
		case 44:
			key, err = base64.StdEncoding.Strict().DecodeString(text)
			if err != nil {
				key, err = base64.URLEncoding.Strict().DecodeString(text)
			}
		default:
			return refuse("want 32 raw bytes, 64 hex digits or 44 base64 characters")
		}
		if err != nil || len(key) != keySize {
			return refuse("neither hex nor base64 of 32 bytes")
		}
		clear(raw)
	}
	for _, b := range key {
		if b != key[0] {
			return key, nil
		}
	}
	clear(key)
	return refuse("all bytes are equal")
}
