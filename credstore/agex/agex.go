// Package agex connects a credstore with age (https://age-encryption.org/v1): a store that an age identity opens, and exports
// that the age program reads.
//
// It does not run under GODEBUG=fips140=only: everything returns credstore.ErrNotFIPS there at once (X25519 and scrypt are
// not approved, and key generation for the hybrid recipients of filippo.io/age v1.3.2 would never return).
//
// An age recipient is public, so a slot of this kind says nothing about who made the store: anybody can make one that your
// identity opens (https://github.com/FiloSottile/age/discussions/59). What ties a store to you is its anchor. Keep it, and set
// credstore.Options.StrictAnchor where the state directory is there to stay.
package agex

import (
	"bytes"
	"context"
	"crypto/fips140"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/clearance-go/clearance/credstore"
)

const (
	maxWorkFactor = 20       // scrypt, 2^20: a second or two; age's own limit of 22 takes 24 seconds and 4 GiB
	maxPlain      = 16 << 20 // bytes of a decrypted import
	maxIdentities = 1 << 20  // bytes of an identity file
)

// Options say who opens what. Plugins are not supported: their names choose programs to run (GHSA-32gq-x56h-299c).
type Options struct {
	// Recipients are age1… public keys, X25519 or post-quantum hybrid, that new slots and exports are encrypted to.
	Recipients []string
	// IdentityFile is the path of an identity file in the clear, as age-keygen writes it, readable only by its owner.
	IdentityFile string
	// Passphrase opens imported files that were encrypted with one. Slots and exports never use one.
	Passphrase credstore.Secret
	// Protection is what the caller knows about the identity's place. Zero means obfuscation: a file on the same disk.
	Protection credstore.Protection
}

func (o Options) recipients() ([]age.Recipient, error) {
	if fips140.Enforced() {
		return nil, fmt.Errorf("agex: %w", credstore.ErrNotFIPS)
	}
	if len(o.Recipients) == 0 {
		return nil, fmt.Errorf("agex: %w: no recipients: set Options.Recipients to age1… public keys", credstore.ErrBadKey)
	}
	var out []age.Recipient
	for _, text := range o.Recipients {
		found, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil || len(found) != 1 {
			return nil, fmt.Errorf("agex: %w: %+.16q… is not one age1… recipient", credstore.ErrBadKey, text)
		}
		out = append(out, found...)
	}
	return out, nil
}

func (o Options) identities() ([]age.Identity, error) {
	if fips140.Enforced() {
		return nil, fmt.Errorf("agex: %w", credstore.ErrNotFIPS)
	}
	if o.IdentityFile == "" {
		return nil, fmt.Errorf("agex: no identity file: %w", credstore.ErrSourceAbsent)
	}
	raw, err := credstore.ReadPrivateFile(o.IdentityFile, maxIdentities)
	if err != nil {
		return nil, fmt.Errorf("agex: identity file: %w", err)
	}
	defer clear(raw)
	out, err := age.ParseIdentities(bytes.NewReader(raw))
	if err != nil { // its text quotes the line
		return nil, fmt.Errorf("agex: identity file %s: %w: not what age-keygen writes", o.IdentityFile, credstore.ErrBadKey)
	}
	return out, nil
}

// Slot is a key source: the key of a slot lies in an age file inside the store, encrypted to Recipients, and the identity
// opens it. It makes its own keys, so Rotate gives it new ones.
func Slot(o Options) credstore.KeySource { return slot{o} }

type slot struct{ o Options }

// Info describes the source.
func (s slot) Info(credstore.SlotInfo) credstore.SourceInfo {
	info := credstore.SourceInfo{Name: "age identity " + s.o.IdentityFile, Kind: credstore.AgeKey, Protection: s.o.Protection}
	if info.Protection == credstore.NoProtection {
		info.Protection = credstore.Obfuscation
	}
	if s.o.IdentityFile != "" {
		info.Files = []string{s.o.IdentityFile}
	}
	return info
}

// Enroll makes a key and encrypts it to the recipients. It checks that the identity opens it, if there is one.
func (s slot) Enroll(ctx context.Context, about credstore.SlotInfo) ([]byte, []byte, error) {
	recipients, err := s.o.recipients()
	if err != nil {
		return nil, nil, err
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
	var data bytes.Buffer
	w, err := age.Encrypt(&data, recipients...)
	if err == nil {
		_, err = w.Write(key)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("agex: %w", err)
	}
	about.Data = data.Bytes()
	if s.o.IdentityFile != "" {
		again, err := s.Unlock(ctx, about)
		same := bytes.Equal(again, key)
		clear(again)
		if err != nil || !same {
			clear(key)
			return nil, nil, fmt.Errorf("agex: %w: the identity does not open what the recipients get: %w", credstore.ErrBadKey, err)
		}
	}
	return key, data.Bytes(), nil
}

// Unlock opens the age file of a slot. A file that the identity does not open is credstore.ErrSourceAbsent: another source
// may have the slot.
func (s slot) Unlock(_ context.Context, about credstore.SlotInfo) ([]byte, error) {
	identities, err := s.o.identities()
	if err != nil {
		return nil, err
	}
	r, err := age.Decrypt(bytes.NewReader(about.Data), identities...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return nil, fmt.Errorf("agex: the identity is not a recipient of this slot: %w", credstore.ErrSourceAbsent)
	}
	if err != nil {
		return nil, fmt.Errorf("agex: %w: the slot's age file is damaged", credstore.ErrBadKey)
	}
	key := make([]byte, 33)
	n, err := io.ReadFull(r, key)
	if n != 32 || !errors.Is(err, io.ErrUnexpectedEOF) {
		clear(key)
		return nil, fmt.Errorf("agex: %w: the slot's age file does not hold a key", credstore.ErrBadKey)
	}
	return key[:32], nil
}

// Forget has nothing to remove: the key lies in the store.
func (s slot) Forget(context.Context, credstore.SlotInfo) error { return nil }

// Export writes the named entries (all if none is named) to w, in format, encrypted to o.Recipients. "age -d -i FILE" reads
// it. Errors: credstore.ErrBadKey, credstore.ErrNotFIPS, those of Store.Export and of w.
func Export(ctx context.Context, s *credstore.Store, w io.Writer, format credstore.ExportFormat, o Options, names ...string) error {
	recipients, err := o.recipients()
	if err != nil {
		return err
	}
	out, err := age.Encrypt(w, recipients...)
	if err != nil {
		return fmt.Errorf("agex: %w", err)
	}
	if err := s.Export(ctx, out, format, names...); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("agex: %w", err)
	}
	return nil
}

// Import reads an age file, binary or armored, that holds credentials in a format of credstore.ImportFormats; give them to
// Store.Import. Errors: credstore.ErrKDFPolicy for a passphrase file with a work factor over 20, before anything is derived;
// credstore.ErrWrongKey; credstore.ErrTooLarge; those of credstore.ParseImport.
func Import(r io.Reader, format string, o Options) ([]credstore.Candidate, error) {
	if fips140.Enforced() {
		return nil, fmt.Errorf("agex: %w", credstore.ErrNotFIPS)
	}
	var identities []age.Identity
	if o.IdentityFile != "" {
		var err error
		if identities, err = o.identities(); err != nil {
			return nil, err
		}
	}
	guard := &workFactor{}
	if o.Passphrase.Len() > 0 {
		var scrypt *age.ScryptIdentity
		_ = o.Passphrase.Use(func(b []byte) (err error) { scrypt, err = age.NewScryptIdentity(string(b)); return err })
		scrypt.SetMaxWorkFactor(maxWorkFactor)
		guard.inner = scrypt
	}
	identities = append(identities, guard)
	head := make([]byte, len(armor.Header))
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("agex: %w", err)
	}
	all := io.MultiReader(bytes.NewReader(head[:n]), r)
	if string(head[:n]) == armor.Header {
		all = armor.NewReader(all)
	}
	plain, err := age.Decrypt(all, identities...)
	if err != nil {
		var none *age.NoIdentityMatchError
		switch {
		case errors.Is(err, credstore.ErrKDFPolicy):
			return nil, fmt.Errorf("agex: %w", credstore.ErrKDFPolicy)
		case errors.As(err, &none):
			return nil, fmt.Errorf("agex: %w", credstore.ErrWrongKey)
		}
		return nil, fmt.Errorf("agex: %w: not a readable age file", credstore.ErrImport)
	}
	data, err := io.ReadAll(io.LimitReader(plain, maxPlain+1))
	defer clear(data)
	if err != nil {
		return nil, fmt.Errorf("agex: %w: the age file is damaged or cut off", credstore.ErrImport)
	}
	if len(data) > maxPlain {
		return nil, fmt.Errorf("agex: %w of %d bytes", credstore.ErrTooLarge, maxPlain)
	}
	return credstore.ParseImport(format, data)
}

// workFactor looks at the work factor itself, so that one over the limit has its own error, and refuses it before deriving.
type workFactor struct{ inner *age.ScryptIdentity }

func (w *workFactor) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	for _, s := range stanzas {
		if s.Type != "scrypt" || len(s.Args) != 2 {
			continue
		}
		factor := 0
		if _, err := fmt.Sscanf(s.Args[1], "%d", &factor); err != nil || factor < 1 || factor > maxWorkFactor {
			return nil, credstore.ErrKDFPolicy
		}
	}
	if w.inner == nil {
		return nil, age.ErrIncorrectIdentity
	}
	return w.inner.Unwrap(stanzas)
}
