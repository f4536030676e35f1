package permission

import (
	"fmt"
	"strconv"
)

// Text is a text that may be made only when somebody reads it: most calls are
// decided without anybody asking what they do. A Text is plain data to whoever
// receives it: it reads the same every time and is a string in JSON and for
// package fmt. The zero Text is empty. It is safe for concurrent use.
type Text struct {
	s    string
	late fmt.Stringer
}

// TextOf returns the text s.
func TextOf(s string) Text { return Text{s: s} }

// LateText returns the text that from.String returns. What it is made from must
// not change any more, so that it is the same for everybody who asks.
func LateText(from fmt.Stringer) Text { return Text{late: from} }

// String returns the text.
func (t Text) String() string {
	if t.late != nil {
		return t.late.String()
	}
	return t.s
}

// GoString returns the text as a Go string literal.
func (t Text) GoString() string { return strconv.Quote(t.String()) }

// IsZero says that the text is empty.
func (t Text) IsZero() bool { return t.String() == "" }

// MarshalText returns the text.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText sets the text.
func (t *Text) UnmarshalText(b []byte) error {
	*t = Text{s: string(b)}
	return nil
}
