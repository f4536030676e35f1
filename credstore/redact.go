package credstore

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// minRedact is the shortest value that is searched for: shorter ones would blot out ordinary words.
const minRedact = 8

// unreadable replaces a whole text when the values to look for are not known.
const unreadable = "[redacted: the credential store could not be read]"

// Redactor replaces by "[redacted]"
//
//   - the values and refresh tokens of a store wherever they appear raw, in base64 (standard and URL alphabet, at each of the
//     three alignments, so also inside a longer encoded text), hex (plain, or with blanks, colons or \x between the bytes),
//     URL-escaped, JSON-escaped (Go, Python, PHP), quoted for Go or a shell, HTML- or XML-escaped, in quoted-printable, or
//     in UTF-16 (little-endian, plain or base64); raw, base64, hex and quoted-printable also wrapped into lines;
//   - what looks like a credential of a known vendor, a private key in PEM, or NAME=value where the name says that it is a
//     secret, whether the store knows it or not.
//
// Values that were replaced or deleted since the Redactor was made stay redacted. If the store was never readable the whole
// text is replaced.
//
// It is a net, not a wall: a program that saw a value can spell it in a way that no list has (reversed, split, encrypted).
// Values under 8 bytes or with fewer than 4 distinct bytes are skipped; Skipped names them.
//
// A Redactor is safe for concurrent use; each Writer is not.
type Redactor struct {
	load func(ctx context.Context, seen any) (any, map[string]Secret, error)

	mu      sync.Mutex
	seen    any // what load returned for the values in m
	m       *matcher
	vendors []*vendorPattern
	known   map[string]bool // form → whether it may be wrapped
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
	version, values, err := r.load(ctx, r.seen)
	if err != nil || (r.m != nil && version == r.seen) {
		return r.m
	}
	if r.known == nil {
		r.known = map[string]bool{}
	}
	if r.vendors == nil {
		if r.vendors, err = loadPatterns(patternFile); err != nil {
			return r.m // the embedded file is broken: everything is redacted
		}
	}
	r.skipped = nil
	for name, value := range values {
		_ = value.view(func(b []byte) error {
			if len(b) < minRedact || distinct(b) < 4 {
				r.skipped = append(r.skipped, name)
				return nil
			}
			forms(b, func(form string, wrapped bool) {
				if len(form) >= minRedact {
					r.known[form] = r.known[form] || wrapped
				}
			})
			return nil
		})
	}
	slices.Sort(r.skipped)
	r.m, r.seen = newMatcher(r.known, r.vendors), version
	return r.m
}

// Bytes returns a redacted copy of text.
func (r *Redactor) Bytes(text []byte) []byte {
	m := r.current()
	if m == nil {
		return []byte(unreadable)
	}
	out, _ := m.scan(make([]byte, 0, len(text)+len(text)/16), text, &scanState{}, true)
	return out
}

// String returns text redacted.
func (r *Redactor) String(text string) string { return string(r.Bytes([]byte(text))) }

// Error returns an error with the same chain whose text is redacted, nil for nil. errors.Is and As still find what is
// inside, unredacted.
func (r *Redactor) Error(err error) error {
	if err == nil {
		return nil
	}
	return &redactedError{text: r.String(err.Error()), err: err}
}

type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.err }

// Writer returns a writer that redacts what it passes on to w, also where a value is split over several writes. It holds
// back only what may be the beginning of a value (or an unfinished line that begins like a variable); Close writes that and
// does not close w.
func (r *Redactor) Writer(w io.Writer) io.WriteCloser { return &redactingWriter{r: r, w: w} }

type redactingWriter struct {
	r      *Redactor
	w      io.Writer
	held   []byte
	state  scanState
	closed bool
	said   bool
}

// Write implements io.Writer. After an error of w the bytes are lost, never shown.
func (w *redactingWriter) Write(p []byte) (int, error) {
	if w.closed {
		return 0, errors.New("credstore: write to a closed redactor")
	}
	w.held = append(w.held, p...)
	if w.state.tokens && len(w.held) < maxVendor && tokenRun(p) == len(p) {
		return len(p), nil // nothing can be known yet: not the same work again for each byte
	}
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
		w.held, w.state = w.held[:0], scanState{}
	} else {
		var used int
		out, used = m.scan(nil, w.held, &w.state, final)
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

// forms calls add for the spellings of value that are searched for, and whether line breaks may stand inside.
func forms(value []byte, add func(form string, wrapped bool)) {
	text := string(value)
	add(text, true) // wrapped as mail (quoted-printable), fold(1) and terminals do
	digits := hex.EncodeToString(value)
	for _, digits := range []string{digits, strings.ToUpper(digits)} {
		add(digits, true)
		add(spread(digits, "", " "), true) // as od(1) prints; a line break may stand for each blank
		add(spread(digits, "", ":"), true)
		add(spread(digits, `\x`, ""), true)
	}
	for _, escaped := range []string{url.QueryEscape(text), url.PathEscape(text)} {
		add(escaped, false)
		add(lowerPercent(escaped), false)
	}
	quoted := [][]byte{[]byte(strconv.Quote(text)), []byte(strconv.QuoteToASCII(text))}
	var plain bytes.Buffer
	e := json.NewEncoder(&plain)
	e.SetEscapeHTML(false)
	if e.Encode(text) == nil {
		quoted = append(quoted, bytes.TrimSuffix(plain.Bytes(), []byte("\n")))
	}
	if marshaled, err := json.Marshal(text); err == nil {
		quoted = append(quoted, marshaled)
	}
	for _, q := range quoted {
		inner := string(q[1 : len(q)-1])
		add(inner, false)
		add(asciiJSON(inner), false)
		add(strings.ReplaceAll(inner, "/", `\/`), false) // as PHP does
		add(strings.ReplaceAll(asciiJSON(inner), "/", `\/`), false)
	}
	add(strings.ReplaceAll(text, "'", `'\''`), false)
	add(shellEscape(text), false)
	page := html.EscapeString(text) // with &#34; and &#39;, as Go writes them
	add(page, false)
	for _, names := range [][2]string{{"&quot;", "&#39;"}, {"&quot;", "&#x27;"}, {"&quot;", "&apos;"}, {`"`, "'"}} { // and others
		add(strings.NewReplacer("&#34;", names[0], "&#39;", names[1]).Replace(page), false)
	}
	var buffer bytes.Buffer
	if xml.EscapeText(&buffer, value) == nil {
		add(buffer.String(), false)
	}
	add(quotedPrintable(value, false), true)
	add(quotedPrintable(value, true), true)
	wide := make([]byte, 0, 2*len(value)) // PowerShell's -EncodedCommand and exports of the registry
	for _, unit := range utf16.Encode([]rune(text)) {
		wide = binary.LittleEndian.AppendUint16(wide, unit)
	}
	add(string(wide), false)
	for _, raw := range [][]byte{value, wide} {
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			for shift := range 3 {
				padded := append(make([]byte, shift), raw...)
				encoded := enc.EncodeToString(padded)
				// Only the characters that the value alone decides: the first ones share bits with what stands before it.
				add(encoded[(shift*8+5)/6:len(padded)*8/6], true)
			}
		}
	}
}

// spread puts mark before each pair of hex digits and between after all but the last.
func spread(digits, mark, between string) string {
	var out strings.Builder
	for i := 0; i+2 <= len(digits); i += 2 {
		if i > 0 {
			out.WriteString(between)
		}
		out.WriteString(mark)
		out.WriteString(digits[i : i+2])
	}
	return out.String()
}

// asciiJSON escapes what is not ASCII, as Python's json does.
func asciiJSON(text string) string {
	var out strings.Builder
	for _, r := range text {
		if r < utf8.RuneSelf {
			out.WriteByte(byte(r))
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&out, `\u%04x`, unit)
		}
	}
	return out.String()
}

// shellEscape puts a backslash before what is special to a shell, as printf %q of bash does.
func shellEscape(text string) string {
	var out strings.Builder
	for i := range len(text) {
		if c := text[i]; c < utf8.RuneSelf && c > ' ' && !wordByte(c) && strings.IndexByte("-./:=@%+", c) < 0 || c == ' ' {
			out.WriteByte('\\')
		}
		out.WriteByte(text[i])
	}
	return out.String()
}

// quotedPrintable is RFC 2045 §6.7 without soft line breaks, which match looks over. all: also what RFC 2045 advises to escape for EBCDIC gateways.
func quotedPrintable(value []byte, all bool) string {
	var out strings.Builder
	for _, c := range value {
		if c < ' ' && c != '\t' && !(c == '\n' || c == '\r') || c == '=' || c > '~' || all && strings.IndexByte("!\"#$@[\\]^`{|}~", c) >= 0 {
			fmt.Fprintf(&out, "=%02X", c)
			continue
		}
		out.WriteByte(c)
	}
	return out.String()
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

// form is one spelling of a value.
type form struct {
	text    string
	wrapped bool // line breaks and indentation may stand inside
}

// vendorPrefix is one prefix of a row.
type vendorPrefix struct {
	row    *vendorPattern
	prefix string
}

// matcher finds the longest of many forms at a position, or a vendor's pattern. A bit set over a hash of four bytes rejects
// almost every position; the four bytes select the candidates.
type matcher struct {
	filter  []uint64
	shift   uint
	forms   map[uint32][]form         // by their first four bytes, longest first
	vendors map[uint32][]vendorPrefix // by their first four bytes
	inLine  map[uint32][]form         // tails of wrapped forms, for a line break within their first four bytes
	starts  map[string]struct{}       // the first one, two and three bytes of everything
	env     bool
}

func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

func (m *matcher) bit(key uint32) uint32 { return key * 0x9E3779B1 >> m.shift }

func newMatcher(known map[string]bool, rows []*vendorPattern) *matcher {
	m := &matcher{forms: map[uint32][]form{}, vendors: map[uint32][]vendorPrefix{}, inLine: map[uint32][]form{}, starts: map[string]struct{}{}}
	start := func(text string) {
		for n := 1; n <= 3; n++ {
			m.starts[text[:n]] = struct{}{}
		}
	}
	for text, wrapped := range known {
		start(text)
		f := form{text, wrapped}
		key := le32([]byte(text[:4]))
		m.forms[key] = append(m.forms[key], f)
		for skip := 1; wrapped && skip < 4 && len(text)-skip >= minRedact; skip++ {
			tail := form{text[skip:], true}
			key := le32([]byte(tail.text[:4]))
			m.inLine[key] = append(m.inLine[key], tail)
		}
	}
	for _, group := range []map[uint32][]form{m.forms, m.inLine} {
		for _, list := range group {
			slices.SortFunc(list, func(a, b form) int { return len(b.text) - len(a.text) })
		}
	}
	for _, row := range rows {
		if row.Rest == restEnv {
			m.env = true
			continue
		}
		for _, prefix := range row.Prefixes {
			if len(prefix) > 3 {
				start(prefix)
				key := le32([]byte(prefix[:4]))
				m.vendors[key] = append(m.vendors[key], vendorPrefix{row, prefix})
				continue
			}
			start(prefix)
			for c := range 256 { // the byte after a short prefix
				if wordByte(byte(c)) || row.ID == urlPassword && row.goesOn(byte(c)) {
					key := le32([]byte{prefix[0], prefix[1], prefix[2], byte(c)})
					m.vendors[key] = append(m.vendors[key], vendorPrefix{row, prefix})
				}
			}
		}
	}
	// 64 bits for each key keep the filter sparse: one position in 64 gets further by chance.
	size := uint(16)
	for 1<<size < 64*(len(m.forms)+len(m.vendors)) && size < 26 {
		size++
	}
	m.shift, m.filter = 32-size, make([]uint64, 1<<size/64)
	set := func(key uint32) { b := m.bit(key); m.filter[b>>6] |= 1 << (b & 63) }
	for key := range m.forms {
		set(key)
	}
	for key := range m.vendors {
		set(key)
	}
	return m
}

// match returns how much of text the form covers, 0 if it does not. more: text ends inside the form.
func (f form) match(text []byte) (n int, more bool) {
	if !f.wrapped {
		if len(text) < len(f.text) {
			return 0, string(text) == f.text[:len(text)]
		}
		if string(text[:len(f.text)]) == f.text {
			return len(f.text), false
		}
		return 0, false
	}
	i, breaks := 0, false
	for j := 0; j < len(f.text); {
		if i == len(text) {
			return 0, true
		}
		switch c := text[i]; {
		case c == f.text[j]:
			i, j, breaks = i+1, j+1, false
		case j > 0 && f.text[j] == ' ' && (c == '\n' || c == '\r'): // wrapped at a blank
			for i < len(text) && i <= 8*len(f.text)+64 && (text[i] == '\n' || text[i] == '\r' || text[i] == ' ' || text[i] == '\t') {
				i++
			}
			if i == len(text) {
				return 0, true
			}
			j, breaks = j+1, true
		case j > 0 && c == '=' && i+1 == len(text):
			return 0, true
		case j > 0 && c == '=' && (text[i+1] == '\n' || text[i+1] == '\r'): // a soft line break of quoted-printable
			i++
		case j > 0 && (c == '\n' || c == '\r'):
			i, breaks = i+1, true
		case breaks && (c == ' ' || c == '\t'):
			i++
		default:
			return 0, false
		}
		if i > 8*len(f.text)+64 { // mostly blanks: not a wrapped text
			return 0, false
		}
	}
	return i, false
}

// longestOf tries the forms, longest first.
func longestOf(list []form, text []byte, final bool) (n int, more bool) {
	for _, f := range list {
		k, cut := f.match(text)
		if cut && !final {
			return 0, true
		}
		if k > 0 {
			return k, false
		}
	}
	return 0, false
}

// found is what stands at a place of a text.
type found struct {
	skip, n int  // the secret is what follows skip, up to n
	more    bool // that is not known before the text goes on
	tokens  bool // more, and it will not be known before a byte that is no tokenByte, or maxVendor bytes
	tried   bool // an expression of a vendor had to be run
}

// at looks at text, which begins after before. covered: text begins inside a secret already found, so a private key there is
// no news, and looking for its end again and again would take quadratic time. flooded: no vendor's patterns at all.
func (m *matcher) at(text []byte, before byte, covered, flooded, final bool) (f found) {
	if len(text) < 4 {
		_, more := m.starts[string(text)]
		return found{more: more && !final}
	}
	key := le32(text)
	if f.n, f.more = longestOf(m.forms[key], text, final); f.more {
		return found{more: true}
	}
	if flooded {
		return f
	}
	known := f.n > 0
	for _, v := range m.vendors[key] {
		if covered && v.row.Rest == restPEM || !v.row.begins(text, v.prefix, before, final) {
			continue
		}
		k, cut := v.row.match(text, v.prefix, final)
		if cut {
			return found{more: true, tokens: v.row.rest != nil && len(text) >= len(v.prefix)+8}
		}
		f.tried = f.tried || v.row.rest != nil
		if k > f.n {
			f.n, f.skip = k, 0
			if v.row.Keep && !known {
				f.skip = len(v.prefix)
			}
		}
	}
	return f
}

// line looks at a line as a whole: a variable with a secret's name, or the rest of a form that was wrapped. It returns the
// place of the secret, -1 if there is none.
func (m *matcher) line(text []byte, variables, final bool) (at, n int, more bool) {
	if m.env && variables {
		from, to, more := matchVariable(text, final)
		if more {
			return -1, 0, true
		}
		if to > from {
			return from, to - from, false
		}
	}
	k := 0
	for k < len(text) && (text[k] == ' ' || text[k] == '\t') {
		k++
	}
	if k+4 > len(text) {
		return -1, 0, !final && len(m.inLine) > 0 && len(text) < 64
	}
	if n, more = longestOf(m.inLine[le32(text[k:])], text[k:], final); more || n > 0 {
		return k, n, more
	}
	return -1, 0, false
}

// scanState is what a scan leaves for the next piece of the same text.
type scanState struct {
	begun  bool // there was a piece before
	before byte // its last byte; 0 if there was none
	cover  int  // how many bytes of the next piece belong to a secret that was already replaced
	pem    bool // inside a private key that was longer than what is held back
	tokens bool // what was not used goes on as found.tokens says
	hits   int  // how often an expression was run in the present run of tokenBytes
	flood  bool // inside a run of tokenBytes that had too many of them
}

// maxHits bounds how often the expressions of vendors are run in one run of tokenBytes. Each may look at maxVendor bytes, so
// "xoxb-xoxb-xoxb-…" would take thousands of times as long as ordinary text. What follows the last one, up to the end of the
// run, is replaced unseen.
const maxHits = 16

// tokenRun is how many bytes text begins with that are all tokenBytes.
func tokenRun(text []byte) int {
	for i, c := range text {
		if !tokenByte(c) {
			return i
		}
	}
	return len(text)
}

// scan appends src to dst with each secret replaced and returns how many bytes of src were used: unless final, it stops
// where a secret could reach beyond src. Secrets that overlap are covered together, so no piece of the second stays.
func (m *matcher) scan(dst, src []byte, st *scanState, final bool) ([]byte, int) {
	cover := st.cover
	if st.pem {
		end := bytes.Index(src, pemEnd)
		if end < 0 {
			keep := 0
			if !final {
				keep = min(len(src), len(pemEnd)-1)
			}
			return dst, len(src) - keep
		}
		last := end + len(pemEnd)
		tail := src[last:min(len(src), last+64)]
		dashes := bytes.Index(tail, []byte("-----"))
		if dashes < 0 && len(tail) < 64 && !final {
			return dst, end
		}
		st.pem = false
		if dashes >= 0 {
			last += dashes + 5
		}
		cover = max(cover, last)
	}
	flood := 0 // up to there vendors are not looked for
	if st.flood {
		flood = tokenRun(src)
		st.flood = flood == len(src)
		cover = max(cover, flood)
	}
	hits, counted := st.hits, 0 // in the run of tokenBytes that counted lies in
	from, end, i := min(cover, len(src)), len(src), 0
	st.tokens = false
	hide := func(at, n int) {
		if at+n <= cover {
			return
		}
		if at >= cover {
			dst = append(append(dst, src[min(from, at):at]...), redacted...)
		}
		cover = at + n
		from = min(cover, len(src))
	}
	filter, shift := m.filter, m.shift
	looked := -1             // the start of the line that was looked at as a whole
	laterAt, laterN := -1, 0 // a secret further on in that line
scan:
	for i < len(src) {
		if i == laterAt {
			hide(laterAt, laterN)
			laterAt = -1
		}
		before := st.before
		if i > 0 {
			before = src[i-1]
		}
		if (before == '\n' || i == 0 && !st.begun) && looked != i {
			looked, laterAt = i, -1
			var more bool
			if laterAt, laterN, more = m.line(src[i:], i >= cover, final); more {
				end = i
				break scan
			}
			if laterAt >= 0 {
				laterAt += i
				continue
			}
		}
		// To the end of the line or the secret further on.
		stop := bytes.IndexByte(src[i:], '\n')
		if stop < 0 {
			stop = len(src)
		} else {
			stop += i + 1
		}
		if laterAt > i {
			stop = min(stop, laterAt)
		}
		for ; i < stop; i++ {
			if i+4 <= len(src) {
				b := le32(src[i:]) * 0x9E3779B1 >> shift
				if filter[b>>6]&(1<<(b&63)) == 0 {
					continue
				}
			}
			if i > 0 {
				before = src[i-1]
			}
			f := m.at(src[i:], before, i < cover, i < flood, final)
			if f.more {
				end, st.tokens = i, f.tokens
				break scan
			}
			if f.tried {
				if counted+tokenRun(src[counted:i]) < i {
					hits = 0
				}
				counted = i
				if hits++; hits > maxHits {
					flood = i + tokenRun(src[i:])
					st.flood = flood == len(src)
					hide(i, flood-i)
				}
			}
			if f.n > 0 {
				if !final && i+f.n == len(src) && bytes.HasPrefix(src[i:], []byte("-----BEGIN ")) && !bytes.Contains(src[i:], pemEnd) {
					st.pem = true
				}
				hide(i+f.skip, f.n-f.skip)
			}
		}
	}
	if end > from {
		dst = append(dst, src[from:end]...)
	}
	if end > 0 {
		st.begun, st.before = true, src[end-1]
	}
	if counted+tokenRun(src[counted:end]) < end {
		hits = 0
	}
	st.hits = hits
	st.cover = max(0, cover-end)
	return dst, end
}
