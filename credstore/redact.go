package credstore

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// minRedact is the shortest value that is searched for: shorter ones would blot out ordinary words.
const minRedact = 8

// unreadable replaces a whole text when the values to look for are not known.
const unreadable = "[redacted: the credential store could not be read]"

// Redactor replaces the values of a store by "[redacted]" wherever they appear raw, in base64 (standard and URL alphabet,
// at each of the three alignments, so also inside a longer encoded text), hex, URL-escaped or JSON-escaped. Values that were
// replaced or deleted since the Redactor was made stay redacted. If the store was never readable the whole text is replaced.
//
// It is a net, not a wall: a program that saw a value can spell it in a way that no list has (reversed, split, wrapped
// base64). Values under 8 bytes or with fewer than 4 distinct bytes are skipped; Skipped names them.
//
// A Redactor is safe for concurrent use; each Writer is not.
type Redactor struct {
	load func(context.Context) (any, map[string]Secret, error)

	mu      sync.Mutex
	seen    any // what load returned for the values in m
	m       *matcher
	known   map[string]struct{}
	skipped []string
}

// Skipped returns the names of entries whose values are too short or too plain to be searched for, sorted.
func (r *Redactor) Skipped() []string {
	_ = r.current()
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.skipped)
}

// current returns the matcher for the present values, or nil if they were never readable.
func (r *Redactor) current() *matcher {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	version, values, err := r.load(ctx)
	if err != nil || (r.m != nil && version == r.seen) {
		return r.m
	}
	if r.known == nil {
		r.known = map[string]struct{}{}
	}
	r.skipped = nil
	for name, value := range values {
		_ = value.view(func(b []byte) error {
			if len(b) < minRedact || distinct(b) < 4 {
				r.skipped = append(r.skipped, name)
				return nil
			}
			for _, form := range forms(b) {
				r.known[form] = struct{}{}
			}
			return nil
		})
	}
	slices.Sort(r.skipped)
	r.m, r.seen = newMatcher(r.known), version
	return r.m
}

// Bytes returns a redacted copy of text.
func (r *Redactor) Bytes(text []byte) []byte {
	m := r.current()
	if m == nil {
		return []byte(unreadable)
	}
	out, _, _ := m.scan(nil, text, 0, true)
	return out
}

// String returns text redacted.
func (r *Redactor) String(text string) string { return string(r.Bytes([]byte(text))) }

// Writer returns a writer that redacts what it passes on to w, also where a value is split over several writes. It holds
// back as many bytes as the longest form of a value; Close writes them and does not close w.
func (r *Redactor) Writer(w io.Writer) io.WriteCloser { return &redactingWriter{r: r, w: w} }

type redactingWriter struct {
	r      *Redactor
	w      io.Writer
	held   []byte
	cover  int // how many bytes of held belong to a value that was already replaced
	closed bool
	said   bool
}

// Write implements io.Writer. After an error of w the bytes are lost, never shown.
func (w *redactingWriter) Write(p []byte) (int, error) {
	if w.closed {
		return 0, errors.New("credstore: write to a closed redactor")
	}
	w.held = append(w.held, p...)
	if err := w.flush(false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close writes what is held back.
func (w *redactingWriter) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	return w.flush(true)
}

func (w *redactingWriter) flush(final bool) error {
	m := w.r.current()
	var out []byte
	if m == nil {
		if len(w.held) > 0 && !w.said {
			out, w.said = []byte(unreadable), true
		}
		w.held, w.cover = w.held[:0], 0
	} else {
		var used int
		out, used, w.cover = m.scan(nil, w.held, w.cover, final)
		w.held = append(w.held[:0], w.held[used:]...)
	}
	if len(out) == 0 {
		return nil
	}
	_, err := w.w.Write(out)
	return err
}

func distinct(b []byte) int {
	var seen [256]bool
	n := 0
	for _, c := range b {
		if !seen[c] {
			seen[c] = true
			n++
		}
	}
	return n
}

// forms returns the spellings of value that are searched for.
func forms(value []byte) []string {
	out := []string{string(value), hex.EncodeToString(value), strings.ToUpper(hex.EncodeToString(value))}
	for _, escaped := range []string{url.QueryEscape(string(value)), url.PathEscape(string(value))} {
		out = append(out, escaped, lowerPercent(escaped))
	}
	if quoted, err := json.Marshal(string(value)); err == nil {
		out = append(out, string(quoted[1:len(quoted)-1]))
	}
	var plain bytes.Buffer
	e := json.NewEncoder(&plain)
	e.SetEscapeHTML(false)
	if e.Encode(string(value)) == nil {
		quoted := bytes.TrimSuffix(plain.Bytes(), []byte("\n"))
		out = append(out, string(quoted[1:len(quoted)-1]))
	}
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			padded := append(make([]byte, shift), value...)
			text := enc.EncodeToString(padded)
			// Only the characters that the value alone decides: the first ones share bits with what stands before it.
			out = append(out, text[(shift*8+5)/6:len(padded)*8/6])
		}
	}
	return slices.DeleteFunc(out, func(f string) bool { return len(f) < minRedact })
}

func lowerPercent(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:], bytes.ToLower(b[i+1:i+3]))
		}
	}
	return string(b)
}

// matcher finds the longest of many patterns at a position. A bit set over the first two bytes rejects almost every
// position; the first four bytes select the candidates.
type matcher struct {
	first   [1 << 10]uint64
	by4     map[[4]byte][]string // longest first
	longest int
}

func newMatcher(patterns map[string]struct{}) *matcher {
	m := &matcher{by4: map[[4]byte][]string{}}
	for p := range patterns {
		pair := uint(p[0]) | uint(p[1])<<8
		m.first[pair>>6] |= 1 << (pair & 63)
		key := [4]byte([]byte(p[:4]))
		m.by4[key] = append(m.by4[key], p)
		m.longest = max(m.longest, len(p))
	}
	for _, list := range m.by4 {
		slices.SortFunc(list, func(a, b string) int { return len(b) - len(a) })
	}
	return m
}

// at returns the length of the longest pattern that starts text, or 0.
func (m *matcher) at(text []byte) int {
	if len(text) < minRedact {
		return 0
	}
	pair := uint(text[0]) | uint(text[1])<<8
	if m.first[pair>>6]&(1<<(pair&63)) == 0 {
		return 0
	}
	for _, p := range m.by4[[4]byte(text[:4])] {
		if len(p) <= len(text) && string(text[:len(p)]) == p {
			return len(p)
		}
	}
	return 0
}

// scan appends src to dst with each value replaced. The first cover bytes of src belong to a value already replaced.
// Unless final, it stops where a pattern could reach beyond src. It returns how many bytes of src were used and the cover
// of what is left. Values that overlap are covered together, so no piece of the second stays.
func (m *matcher) scan(dst, src []byte, cover int, final bool) ([]byte, int, int) {
	end := len(src)
	if !final && m.longest > 0 {
		end = max(0, len(src)-m.longest+1)
	}
	dst = slices.Grow(dst, end)
	from := min(cover, end)
	for i := 0; i < end; i++ {
		n := m.at(src[i:])
		if n == 0 || i+n <= cover {
			continue
		}
		if i >= cover {
			if i > from {
				dst = append(dst, src[from:i]...)
			}
			dst = append(dst, redacted...)
		}
		cover = i + n
		from = min(cover, end)
	}
	if end > from {
		dst = append(dst, src[from:end]...)
	}
	return dst, end, max(0, cover-end)
}
