package credstore

import (
	"bytes"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// redacted is what a Secret prints as.
const redacted = "[redacted]"

// Secret holds the bytes of one credential and never shows them: every fmt verb, slog, JSON and text encoding gives
// "[redacted]", gob and binary encoding fail.
//
// The bytes live in a closure, not in a field. A type that only redacts through methods is printed in full when it sits in
// an unexported field (fmt may not call methods there), and printers that walk memory by reflection follow pointers;
// neither can look into a closure. The func field also makes == impossible; use Equal.
//
// The zero Secret is empty. A Secret is safe for concurrent use. It does not protect against code in this process that
// calls Use, nor against a debugger or a reader of this process's memory.
type Secret struct {
	with func(func([]byte) error) error
}

// NewSecret returns a Secret that holds a copy of value. The caller still owns value and should clear it.
func NewSecret(value []byte) Secret { return ownSecret(bytes.Clone(value)) }

// held is what a Secret's closure points to.
type held struct {
	mu    sync.RWMutex
	bytes []byte
}

// ownSecret takes value over. Its bytes are cleared by Clear, or when the garbage collector finds the Secret gone.
func ownSecret(value []byte) Secret {
	h := &held{bytes: value}
	runtime.AddCleanup(h, func(b []byte) { clear(b) }, value)
	return Secret{with: h.with}
}

func (h *held) with(f func([]byte) error) error {
	if f == nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		clear(h.bytes)
		h.bytes = nil
		return nil
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	defer runtime.KeepAlive(h)
	return f(h.bytes)
}

// Clear overwrites the bytes of this Secret and of all its copies, which are empty from then on. Without Clear they are
// overwritten some time after the last copy is gone.
func (s Secret) Clear() {
	if s.with == nil {
		return
	}
	_ = s.with(nil)
}

// Use calls f with a copy of the bytes and clears the copy when f returns or panics. f must not keep the slice.
// Use returns what f returns. An empty Secret gives f an empty slice.
func (s Secret) Use(f func([]byte) error) error {
	private := s.bytes()
	defer clear(private)
	return wiped(func() error { return f(private) })
}

// view gives f the held bytes themselves; f neither keeps nor changes them.
func (s Secret) view(f func([]byte) error) error {
	if s.with == nil {
		return f(nil)
	}
	return s.with(f)
}

// Len returns the length in bytes.
func (s Secret) Len() int {
	n := 0
	_ = s.view(func(b []byte) error { n = len(b); return nil })
	return n
}

// Equal reports whether both secrets hold the same bytes, in time that depends only on their lengths.
func (s Secret) Equal(other Secret) bool {
	equal := false
	mine := s.bytes() // a copy: two read locks of one Secret could wait for a Clear between them
	defer clear(mine)
	_ = other.view(func(b []byte) error {
		equal = subtle.ConstantTimeCompare(mine, b) == 1
		return nil
	})
	return equal
}

// Format implements fmt.Formatter for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String returns "[redacted]".
func (s Secret) String() string { return redacted }

// GoString returns "[redacted]".
func (s Secret) GoString() string { return redacted }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns the JSON string "[redacted]".
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns "[redacted]"; XML, YAML and TOML encoders use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalJSON takes a JSON string. It returns ErrRedactedValue for "[redacted]", so that a configuration which was
// written with the secret hidden cannot be read back over the real key. It makes no copy that is not cleared; the decoder
// may.
func (s *Secret) UnmarshalJSON(data []byte) error {
	text, ok := unquote(data)
	if !ok {
		return errors.New("credstore: a secret in JSON must be a string")
	}
	defer clear(text)
	return s.UnmarshalText(text)
}

// unquote decodes a JSON string without the immutable copy that a Go string would be.
func unquote(data []byte) ([]byte, bool) {
	data = bytes.Trim(data, " \t\r\n") // JSON's blanks, no others
	if len(data) < 2 || data[0] != '"' || data[len(data)-1] != '"' || !json.Valid(data) {
		return nil, false
	}
	data = data[1 : len(data)-1]
	out := make([]byte, 0, len(data))
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' {
			out = append(out, data[i])
			continue
		}
		i++
		switch data[i] { // json.Valid has seen that something stands here
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r := hexRune(data[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if i+6 < len(data) && data[i+1] == '\\' && data[i+2] == 'u' {
					low = hexRune(data[i+3:])
				}
				if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
					r = pair
					i += 6
				} else {
					r = utf8.RuneError
				}
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, data[i])
		}
	}
	return out, true
}

func hexRune(digits []byte) rune {
	var b [2]byte
	if len(digits) < 4 {
		return -1
	}
	if _, err := hex.Decode(b[:], digits[:4]); err != nil {
		return -1
	}
	return rune(b[0])<<8 | rune(b[1])
}

// UnmarshalText takes the bytes of text. It returns ErrRedactedValue for "[redacted]".
func (s *Secret) UnmarshalText(text []byte) error {
	if string(text) == redacted {
		return ErrRedactedValue
	}
	*s = NewSecret(text)
	return nil
}

// errNoBinary is what binary encoders get.
var errNoBinary = errors.New("credstore: a Secret cannot be encoded; call Use and encode the bytes on purpose")

// GobEncode fails: a silent "[redacted]" in a binary stream would be found out too late.
func (s Secret) GobEncode() ([]byte, error) { return nil, errNoBinary }

// GobDecode fails.
func (s *Secret) GobDecode([]byte) error { return errNoBinary }

// MarshalBinary fails, as GobEncode does.
func (s Secret) MarshalBinary() ([]byte, error) { return nil, errNoBinary }
