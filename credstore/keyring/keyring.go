// Package keyring keeps the key of a credstore in the keyring of the operating system: the Secret Service on Linux and BSD
// desktops, the login keychain on macOS, the Credential Manager on Windows.
//
// Only 32 random bytes lie there, written once for a slot, so tokens of any size fit (the Credential Manager takes 2,560
// bytes), renewing a token does not make the desktop ask again, and no credential passes through the command line tool that
// the macOS back end is. What the level "session" means: any program of the session can read an unlocked keyring without a
// question (CVE-2018-19358), and on macOS any program that may run /usr/bin/security.
//
// The service name and the account are checked against a narrow alphabet before they reach a back end: the macOS one speaks
// a line protocol.
package keyring

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	zkeyring "github.com/zalando/go-keyring"

	"github.com/clearance-go/clearance/credstore"
)

// The errors of this package; each is credstore.ErrSourceAbsent when a store is opened, so that the next key source, a
// recovery passphrase say, may try. Nothing falls back by itself: only the sources in credstore.Options.Keys are tried.
var (
	// ErrUnavailable: there is no keyring service, as on a server or in a container.
	ErrUnavailable = errors.New("no keyring service")
	// ErrLocked: the keyring is locked and nobody unlocked it in time.
	ErrLocked = errors.New("the keyring is locked")
	// ErrBadService: the service name has other characters than A-Z a-z 0-9 . _ -, begins with - or is over 64 bytes.
	ErrBadService = errors.New("bad keyring service name")
)

// wait is how long a back end may take by default. A keyring that asks a person to unlock it needs longer.
const wait = 500 * time.Millisecond

// Options configure the access to the keyring.
type Options struct {
	// Service is the name that people see in the keyring's own program. Empty means "clearance".
	Service string
	// Wait is how long one request may take; the context may end it sooner. Zero means 500 milliseconds; give a minute where
	// a person may have to type a password. The D-Bus calls below take no context, so a request that is given up lives on
	// in the background until the service answers; there is never more than one of them.
	Wait time.Duration
}

// backend is the part of go-keyring that is used.
type backend interface {
	Set(service, user, password string) error
	Get(service, user string) (string, error)
	Delete(service, user string) error
}

type system struct{}

func (system) Set(service, user, password string) error { return zkeyring.Set(service, user, password) }
func (system) Get(service, user string) (string, error) { return zkeyring.Get(service, user) }
func (system) Delete(service, user string) error        { return zkeyring.Delete(service, user) }

// New returns a key source in the keyring. It makes a key of its own for each slot. Protection: session.
func New(o Options) credstore.KeySource { return &source{client: newClient(o)} }

// Anchor returns an anchor in the keyring, under a name of the caller's choice (the alphabet of Service): stronger than a
// file, because restoring a home directory does not restore it where the keyring lies elsewhere. Each save of the store
// writes it twice.
func Anchor(o Options, name string) credstore.Anchor { return &anchor{newClient(o), name} }

type client struct {
	o       Options
	backend backend
	turn    chan struct{} // one request at a time, also one that was given up
}

func newClient(o Options) *client {
	if o.Service == "" {
		o.Service = "clearance"
	}
	if o.Wait <= 0 {
		o.Wait = wait
	}
	return &client{o: o, backend: system{}, turn: make(chan struct{}, 1)}
}

func checkService(name string) error {
	if name == "" || len(name) > 64 || name[0] == '-' {
		return fmt.Errorf("keyring: %+q: %w", name, ErrBadService)
	}
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._-", c) >= 0) {
			return fmt.Errorf("keyring: %+q: %w", name, ErrBadService)
		}
	}
	return nil
}

// do runs one request, bounded in time.
func (c *client) do(ctx context.Context, account string, f func() (string, error)) (string, error) {
	if err := checkService(c.o.Service); err != nil {
		return "", err
	}
	if err := checkService(account); err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("keyring: %w", err)
	}
	timer := time.NewTimer(c.o.Wait)
	defer timer.Stop()
	late := func() error {
		return fmt.Errorf("keyring: %w: no answer within %s: %w", ErrLocked, c.o.Wait, context.DeadlineExceeded)
	}
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return "", fmt.Errorf("keyring: %w", ctx.Err())
	case <-timer.C:
		return "", late()
	}
	type reply struct {
		text string
		err  error
	}
	answer := make(chan reply, 1)
	go func() {
		defer func() { <-c.turn }()
		text, err := f()
		answer <- reply{text, err}
	}()
	select {
	case r := <-answer:
		return r.text, classify(r.err)
	case <-ctx.Done():
		return "", fmt.Errorf("keyring: %w", ctx.Err())
	case <-timer.C:
		return "", late()
	}
}

// errNoItem: the keyring answers and has no such item.
var errNoItem = errors.New("no such item in the keyring")

// classify sorts the errors of the back ends, which have no types. What is not known is an error of its own, never absence.
func classify(err error) error {
	if err == nil {
		return nil
	}
	text := strings.ToLower(err.Error())
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	switch {
	case errors.Is(err, zkeyring.ErrNotFound):
		return fmt.Errorf("keyring: %w", errNoItem)
	case errors.Is(err, zkeyring.ErrUnsupportedPlatform),
		has("dbus-launch", "serviceunknown", "was not provided by any .service files", "dbus_session_bus_address", "couldn't determine address",
			"connect: no such file or directory", "connect: connection refused", "noreply", "spawn.execfailed", "spawn.childexited"):
		return fmt.Errorf("keyring: %w: %w", ErrUnavailable, err)
	case has("unlock", "locked", "dismissed", "user canceled", "user interaction is not allowed", "exit status 36", "exit status 51"):
		return fmt.Errorf("keyring: %w: %w", ErrLocked, err)
	}
	return fmt.Errorf("keyring: %w", err)
}

// absent makes the two errors that another source may make good for into credstore.ErrSourceAbsent.
func absent(err error) error {
	if errors.Is(err, ErrUnavailable) || errors.Is(err, ErrLocked) {
		return fmt.Errorf("%w: %w", credstore.ErrSourceAbsent, err)
	}
	return err
}

type source struct{ *client }

func account(about credstore.SlotInfo) string { return about.StoreID + "-" + about.SlotID }

// Info describes the source.
func (s *source) Info(credstore.SlotInfo) credstore.SourceInfo {
	return credstore.SourceInfo{Name: "keyring item of " + s.o.Service, Kind: credstore.KeyringKey, Protection: credstore.SessionProtection}
}

// Unlock reads the key of a slot. An unavailable or locked keyring, and one that never had this slot (the store was made on
// another machine), lets the next source try; a damaged item does not.
func (s *source) Unlock(ctx context.Context, about credstore.SlotInfo) ([]byte, error) {
	text, err := s.do(ctx, account(about), func() (string, error) { return s.backend.Get(s.o.Service, account(about)) })
	if errors.Is(err, errNoItem) {
		return nil, fmt.Errorf("%w: %w", credstore.ErrSourceAbsent, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	if err != nil {
		return nil, absent(err)
	}
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(key) != 32 {
		clear(key)
		return nil, fmt.Errorf("keyring: %w: the item does not hold a key of this store", credstore.ErrBadKey)
	}
	return key, nil
}

// Enroll makes a key, writes it and reads it back. An unavailable keyring is credstore.ErrSourceAbsent; a locked one is an
// error, because a desktop that is only locked must not end in a store that is protected less for good.
func (s *source) Enroll(ctx context.Context, about credstore.SlotInfo) ([]byte, []byte, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
	text := base64.StdEncoding.EncodeToString(key)
	again, err := s.do(ctx, account(about), func() (string, error) {
		if err := s.backend.Set(s.o.Service, account(about), text); err != nil {
			return "", err
		}
		return s.backend.Get(s.o.Service, account(about))
	})
	if errors.Is(err, ErrUnavailable) {
		return nil, nil, absent(err)
	}
	if err != nil {
		return nil, nil, err
	}
	if again != text {
		clear(key)
		return nil, nil, fmt.Errorf("keyring: %w: the keyring gave back something else than was written", credstore.ErrBadKey)
	}
	return key, nil, nil
}

// Forget deletes the item of a slot.
func (s *source) Forget(ctx context.Context, about credstore.SlotInfo) error {
	_, err := s.do(ctx, account(about), func() (string, error) { return "", s.backend.Delete(s.o.Service, account(about)) })
	if errors.Is(err, errNoItem) {
		return nil
	}
	return err
}

type anchor struct {
	*client
	name string
}

// Describe names the place.
func (a *anchor) Describe() string { return "keyring item " + a.name + " of " + a.o.Service }

// Load returns the record, nil if there is none.
func (a *anchor) Load(ctx context.Context) (*credstore.AnchorRecord, error) {
	text, err := a.do(ctx, a.name, func() (string, error) { return a.backend.Get(a.o.Service, a.name) })
	if errors.Is(err, errNoItem) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	record := &credstore.AnchorRecord{}
	if json.Unmarshal([]byte(text), record) != nil {
		return nil, errors.New("keyring: the item is not an anchor record")
	}
	return record, nil
}

// Save replaces the record.
func (a *anchor) Save(ctx context.Context, record *credstore.AnchorRecord) error {
	raw, err := json.Marshal(record)
	if err != nil {
		return err
	}
	_, err = a.do(ctx, a.name, func() (string, error) { return "", a.backend.Set(a.o.Service, a.name, string(raw)) })
	return err
}
