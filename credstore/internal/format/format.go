// Package format is the one place that reads and writes the bytes of a store file. It does no file I/O. The package
// documentation of credstore specifies the format.
package format

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The errors of this package.
var (
	ErrFormat    = errors.New("not a readable store file")
	ErrTampered  = errors.New("the store's contents were changed")
	ErrKDFPolicy = errors.New("key derivation outside the limits")
	ErrWrongKey  = errors.New("the key does not open this slot")
)

// The limits of a file.
const (
	Magic       = "CREDST1\n"
	MaxFile     = 16 << 20
	MaxHeader   = 64 << 10
	MaxSlots    = 8
	MaxSlotData = 16 << 10
	MaxEntries  = 10_000
	prefix      = len(Magic) + 4
	padTo       = 512
	version     = 1
)

// The slot types.
const (
	Argon2id = "argon2id"
	PBKDF2   = "pbkdf2"
	Raw      = "raw"
	Keyring  = "keyring"
	Age      = "age"
)

// Header is the part in the clear. It is authenticated as bytes, as additional data of the body.
type Header struct {
	V      int    `json:"v"`
	ID     []byte `json:"id"`     // 16 bytes, for the life of the store
	KID    []byte `json:"kid"`    // 8 bytes, for the life of the data key
	Commit []byte `json:"commit"` // 32 bytes: derive(DEK, ID, "commit v1")
	Salt   []byte `json:"salt"`   // 32 bytes, fresh for each save
	Slots  []Slot `json:"slots"`

	optional map[string]json.RawMessage // opt_ fields of later versions, kept and authenticated
}

// Slot wraps the data key for one way to open the store.
type Slot struct {
	Type  string `json:"type"`
	ID    []byte `json:"id"` // 8 bytes
	Label string `json:"label,omitempty"`
	Salt  []byte `json:"salt"`           // 32 bytes
	M     uint32 `json:"m,omitempty"`    // argon2id: KiB
	T     uint32 `json:"t,omitempty"`    // argon2id: passes
	P     uint8  `json:"p,omitempty"`    // argon2id: lanes
	Iter  int    `json:"iter,omitempty"` // pbkdf2
	Data  []byte `json:"data,omitempty"` // of the key source
	Wrap  []byte `json:"wrap"`
}

// Body is the sealed part.
type Body struct {
	Generation uint64            `json:"gen"`
	Previous   []byte            `json:"prev"` // SHA-256 of the file before, empty in the first
	Created    time.Time         `json:"created"`
	AnchorKey  []byte            `json:"anchorKey"` // MAC key of the anchor; survives rotation of the data key
	Audit      AuditHead         `json:"audit,omitzero"`
	Entries    map[string]*Entry `json:"entries"`
}

// AuditHead is where the audit log stood when the store was saved.
type AuditHead struct {
	First    uint64 `json:"first"`    // the number of the oldest record that must be there
	Sequence uint64 `json:"sequence"` // the number of the newest record
	MAC      []byte `json:"mac"`      // its MAC
}

// Entry is one credential; its value and its refresh token are sealed apart, under keys of their own. OpenValue keeps
// the cipher of an entry that was opened, so calls for one Entry must not overlap.
type Entry struct {
	ID      []byte `json:"id"` // 16 bytes, fresh for each write
	Version uint64 `json:"ver"`
	Meta    []byte `json:"meta"` // exact JSON bytes: they are additional data
	Value   []byte `json:"val"`
	Refresh []byte `json:"ref,omitempty"` // the token that buys the next value, where there is one

	opener cipher.AEAD
}

func bad(why string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(why, args...))
}

// ParseHeader splits file into the header, the bytes that authenticate the body, and the sealed body. It checks lengths
// before it allocates and accepts exactly one spelling of a header.
func ParseHeader(file []byte) (*Header, []byte, []byte, error) {
	if len(file) > MaxFile {
		return nil, nil, nil, bad("over %d bytes", MaxFile)
	}
	if len(file) < prefix || string(file[:len(Magic)]) != Magic {
		why := "it does not start with the magic bytes"
		if bytes.HasPrefix(file, []byte("CREDST1\r\n")) || bytes.HasPrefix(file, []byte("\xef\xbb\xbf")) {
			why = "line ends or a byte order mark were changed: the file is binary; mark it so in .gitattributes"
		}
		return nil, nil, nil, bad("%s", why)
	}
	n := binary.BigEndian.Uint32(file[len(Magic):prefix])
	if n > MaxHeader || int(n) > len(file)-prefix {
		return nil, nil, nil, bad("header length %d", n)
	}
	end := prefix + int(n)
	h, err := decodeHeader(file[prefix:end])
	if err != nil {
		return nil, nil, nil, err
	}
	if len(file)-end < sealOverhead+padTo {
		return nil, nil, nil, bad("truncated body")
	}
	return h, file[:end], file[end:], nil
}

func decodeHeader(raw []byte) (*Header, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, bad("header is not JSON")
	}
	h := &Header{}
	known := make(map[string]json.RawMessage, 6)
	for name, value := range all {
		if strings.HasPrefix(name, "opt_") {
			if h.optional == nil {
				h.optional = map[string]json.RawMessage{}
			}
			h.optional[name] = value
			continue
		}
		known[name] = value
	}
	plain, err := json.Marshal(known)
	if err != nil {
		return nil, bad("header is not JSON")
	}
	d := json.NewDecoder(bytes.NewReader(plain))
	d.DisallowUnknownFields()
	if err := d.Decode(h); err != nil {
		return nil, bad("header fields") // the decoder's text may quote the file
	}
	// One spelling only: this refuses duplicate names, other orders, blanks, and base64 with stray bits or newlines.
	again, err := h.encode()
	if err != nil || !bytes.Equal(again, raw) {
		return nil, bad("header is not in canonical form")
	}
	return h, h.check()
}

func (h *Header) encode() ([]byte, error) {
	raw, err := json.Marshal(h)
	if err != nil || len(h.optional) == 0 {
		return raw, err
	}
	names := make([]string, 0, len(h.optional))
	for name := range h.optional {
		names = append(names, name)
	}
	slices.Sort(names)
	raw = raw[:len(raw)-1]
	for _, name := range names {
		quoted, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		raw = append(append(append(append(raw, ','), quoted...), ':'), h.optional[name]...)
	}
	return append(raw, '}'), nil
}

func (h *Header) check() error {
	switch {
	case h.V != version:
		return bad("version %d; this program reads version %d", h.V, version)
	case len(h.ID) != 16 || len(h.KID) != 8 || len(h.Commit) != 32 || len(h.Salt) != 32:
		return bad("length of a header field")
	case len(h.Slots) == 0 || len(h.Slots) > MaxSlots:
		return bad("%d slots, want 1 to %d", len(h.Slots), MaxSlots)
	}
	for i := range h.Slots {
		if err := h.Slots[i].check(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Slot) check() error {
	if len(s.ID) != 8 || len(s.Salt) != 32 || len(s.Wrap) != KeySize+sealOverhead || len(s.Data) > MaxSlotData || len(s.Label) > 256 {
		return bad("length of a slot field")
	}
	argon, pbkdf := s.M != 0 || s.T != 0 || s.P != 0, s.Iter != 0
	switch s.Type {
	case Argon2id:
		if pbkdf {
			return bad("slot parameters")
		}
	case PBKDF2:
		if argon {
			return bad("slot parameters")
		}
	case Raw, Keyring, Age:
		if argon || pbkdf {
			return bad("slot parameters")
		}
	default:
		return bad("unknown slot type")
	}
	return nil
}

// DecodeBody opens the sealed body. ErrWrongKey when dek is not this file's key, else ErrTampered when the bytes changed.
func DecodeBody(h *Header, additional, sealed, dek []byte) (*Body, error) {
	if !equal(h.Commit, derive(dek, h.ID, "commit v1")) {
		return nil, ErrWrongKey
	}
	plain, ok := open(derive(dek, h.Salt, "body v1"), sealed, additional)
	if !ok {
		return nil, ErrTampered
	}
	defer clear(plain)
	if len(plain) < 4 {
		return nil, ErrTampered
	}
	n := binary.BigEndian.Uint32(plain)
	if uint64(n) > uint64(len(plain)-4) || len(plain)%padTo != 0 {
		return nil, ErrTampered
	}
	b := &Body{}
	d := json.NewDecoder(bytes.NewReader(plain[4 : 4+n]))
	d.DisallowUnknownFields()
	if err := d.Decode(b); err != nil {
		return nil, bad("body fields")
	}
	if len(b.AnchorKey) != KeySize || len(b.Entries) > MaxEntries {
		return nil, bad("body fields")
	}
	for _, e := range b.Entries {
		if e == nil || len(e.ID) != 16 || len(e.Value) < sealOverhead || e.Refresh != nil && len(e.Refresh) < sealOverhead {
			return nil, bad("body fields")
		}
	}
	return b, nil
}

// Encode seals body under a fresh salt, which it puts into h, and returns the whole file.
func Encode(h *Header, b *Body, dek []byte) ([]byte, error) {
	h.Salt = Random(32)
	if err := h.check(); err != nil {
		return nil, err
	}
	head, err := h.encode()
	if err != nil {
		return nil, err
	}
	if len(head) > MaxHeader {
		return nil, bad("header over %d bytes", MaxHeader)
	}
	body, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, (4+len(body)+padTo-1)/padTo*padTo)
	defer clear(plain)
	binary.BigEndian.PutUint32(plain, uint32(len(body)))
	copy(plain[4:], body)
	clear(body)
	file := make([]byte, 0, prefix+len(head)+len(plain)+sealOverhead)
	file = append(file, Magic...)
	file = binary.BigEndian.AppendUint32(file, uint32(len(head)))
	file = append(file, head...)
	sealed, err := seal(derive(dek, h.Salt, "body v1"), plain, file)
	if err != nil {
		return nil, err
	}
	if len(file)+len(sealed) > MaxFile {
		return nil, bad("over %d bytes", MaxFile)
	}
	return append(file, sealed...), nil
}

// NewHeader makes the header of a new store and its data key; the caller adds a slot.
func NewHeader() (*Header, []byte) {
	h := &Header{V: version, ID: Random(16)}
	return h, h.NewKey()
}

// SealValue seals value, and refresh if it is not empty, into a new entry.
func SealValue(dek []byte, name string, ver uint64, meta, value, refresh []byte) (*Entry, error) {
	e := &Entry{ID: Random(16), Version: ver, Meta: meta}
	var err error
	e.Value, err = seal(derive(dek, e.ID, "entry v1"), value, entryAdditional(name, e))
	if err == nil && len(refresh) > 0 {
		e.Refresh, err = seal(derive(dek, e.ID, "refresh v1"), refresh, entryAdditional(name, e))
	}
	return e, err
}

// OpenValue returns the value of an entry, or ErrTampered when name, version, metadata or value are not what was sealed.
func OpenValue(dek []byte, name string, e *Entry) ([]byte, error) {
	if e.opener == nil {
		key := derive(dek, e.ID, "entry v1")
		defer clear(key)
		var err error
		if e.opener, err = aead(key); err != nil {
			return nil, err
		}
	}
	value, err := e.opener.Open(nil, nil, e.Value, entryAdditional(name, e))
	if err != nil {
		return nil, ErrTampered
	}
	return value, nil
}

// OpenRefresh returns the refresh token of an entry, nil if it has none, or ErrTampered.
func OpenRefresh(dek []byte, name string, e *Entry) ([]byte, error) {
	if len(e.Refresh) == 0 {
		return nil, nil
	}
	token, ok := open(derive(dek, e.ID, "refresh v1"), e.Refresh, entryAdditional(name, e))
	if !ok {
		return nil, ErrTampered
	}
	return token, nil
}

// Reseal makes the entry anew under another data key, with the same version and metadata.
func Reseal(from, to []byte, name string, e *Entry) (*Entry, error) {
	value, err := OpenValue(from, name, e)
	if err != nil {
		return nil, err
	}
	defer clear(value)
	refresh, err := OpenRefresh(from, name, e)
	if err != nil {
		return nil, err
	}
	defer clear(refresh)
	return SealValue(to, name, e.Version, e.Meta, value, refresh)
}

// NewKey gives h a new data key and key ID and returns the key. The slots still wrap the old one.
func (h *Header) NewKey() []byte {
	dek := Random(KeySize)
	h.KID, h.Commit = Random(8), derive(dek, h.ID, "commit v1")
	return dek
}

func entryAdditional(name string, e *Entry) []byte {
	out := make([]byte, 0, 12+len(name)+len(e.Meta))
	out = binary.BigEndian.AppendUint32(out, uint32(len(name)))
	out = append(out, name...)
	out = binary.BigEndian.AppendUint64(out, e.Version)
	return append(out, e.Meta...)
}

// AnchorMAC authenticates an anchor record.
func AnchorMAC(anchorKey, record []byte) []byte {
	return mac(derive(anchorKey, nil, "anchor v1"), record)
}

// AuditMAC authenticates a line of the audit log.
func AuditMAC(anchorKey, line []byte) []byte {
	return mac(derive(anchorKey, nil, "audit v1"), line)
}

// Fingerprint is 8 bytes that tell values apart and that nobody without the store's key can compute.
func Fingerprint(anchorKey, value []byte) []byte {
	return mac(derive(anchorKey, nil, "fingerprint v1"), value)[:8]
}

// HiddenName is what stands for a name outside the store.
func HiddenName(anchorKey []byte, name string) []byte {
	return mac(derive(anchorKey, nil, "name v1"), []byte(name))[:16]
}

// SameMAC compares in constant time.
func SameMAC(a, b []byte) bool { return equal(a, b) }
