package credstore

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
func NewSecret(value []byte) Secret {
	held := bytes.Clone(value)
	return Secret{with: func(f func([]byte) error) error { return f(held) }}
}

// Use calls f with a copy of the bytes and clears the copy when f returns or panics. f must not keep the slice.
// Use returns what f returns. An empty Secret gives f an empty slice.
func (s Secret) Use(f func([]byte) error) error {
	return s.view(func(held []byte) error {
		private := bytes.Clone(held)
		defer clear(private)
		return f(private)
	})
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
	_ = s.view(func(a []byte) error {
		return other.view(func(b []byte) error {
			equal = subtle.ConstantTimeCompare(a, b) == 1
			return nil
		})
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
// written with the secret hidden cannot be read back over the real key. The decoder's own copies are not cleared.
func (s *Secret) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		return errors.New("credstore: a secret in JSON must be a string")
	}
	return s.UnmarshalText([]byte(text))
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
