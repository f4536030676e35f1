package credstore

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

//go:embed patterns.jsonl
var patternFile []byte

// vendorPattern is one row of patterns.jsonl: a credential that is known by its own looks. Each row holds examples that it
// must and must not match; a test runs them.
type vendorPattern struct {
	ID       string   `json:"id"`
	Reason   string   `json:"reason"`
	Prefixes []string `json:"prefixes"` // literal; found first, so that the expression runs rarely
	Rest     string   `json:"rest"`     // what follows: an RE2 expression, or PEM or ENV for what no expression can hold in a stream
	Keep     bool     `json:"keep"`     // the prefix is no part of the secret and stays
	Yes      []string `json:"yes"`
	No       []string `json:"no"`

	rest *regexp.Regexp
}

const (
	restPEM   = "PEM"
	restEnv   = "ENV"
	maxVendor = 4 << 10  // bytes of a credential that is known by its looks
	maxPEM    = 32 << 10 // bytes of a private key that a stream holds back
)

// loadPatterns reads the rows strictly.
func loadPatterns(data []byte) ([]*vendorPattern, error) {
	var out []*vendorPattern
	seen := map[string]bool{}
	for line := range bytes.Lines(data) {
		p := &vendorPattern{}
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(p); err != nil {
			return nil, fmt.Errorf("pattern row %d: %w", len(out)+1, err)
		}
		if p.ID == "" || seen[p.ID] || p.Reason == "" || len(p.Prefixes) == 0 || len(p.Yes) == 0 || len(p.No) == 0 {
			return nil, fmt.Errorf("pattern row %d (%s): a field is missing or the id is taken", len(out)+1, p.ID)
		}
		seen[p.ID] = true
		if p.Rest != restPEM && p.Rest != restEnv {
			var err error
			if p.rest, err = regexp.Compile("^(?:" + p.Rest + ")"); err != nil {
				return nil, fmt.Errorf("pattern %s: %w", p.ID, err)
			}
			for _, prefix := range p.Prefixes {
				if len(prefix) < 3 {
					return nil, fmt.Errorf("pattern %s: a prefix has at least 3 bytes", p.ID)
				}
			}
		}
		out = append(out, p)
	}
	if len(out) == 0 {
		return nil, errors.New("no patterns")
	}
	return out, nil
}

// credentialShape reports a text that looks like a credential of a known vendor.
func credentialShape(text string) bool {
	rows, err := loadPatterns(patternFile)
	if err != nil {
		return true // unknown is not shown
	}
	out, _ := newMatcher(nil, rows).scan(nil, []byte(text), &scanState{}, true)
	return string(out) != text
}

// tokenByte reports whether c can stand inside a credential; a stream is held back until another byte comes.
func tokenByte(c byte) bool {
	return wordByte(c) || c == '-' || c == '.' || c == '~' || c == '+' || c == '/' || c == '=' || c == ':' || c == '@' || c == '%'
}

// goesOn reports whether a credential of this row may go on after c.
func (p *vendorPattern) goesOn(c byte) bool {
	return tokenByte(c) || p.ID == urlPassword && strings.IndexByte("\t\n\f\r '\"`<>{}", c) < 0
}

// urlPassword is the row of passwords in URLs, which hold more bytes than tokens do.
const urlPassword = "url-password"

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// begins reports whether text starts with prefix, or may when it goes on, where a credential can start. before is the byte in
// front of text, 0 at the start.
func (p *vendorPattern) begins(text []byte, prefix string, before byte, final bool) bool {
	if len(text) < len(prefix) {
		return !final && string(text) == prefix[:len(text)]
	}
	return string(text[:len(prefix)]) == prefix && !(wordByte(prefix[0]) && wordByte(before))
}

// match returns the length of the credential that text starts with, 0 if it does not; text begins as it must. more: text may
// become one when it goes on.
func (p *vendorPattern) match(text []byte, prefix string, final bool) (n int, more bool) {
	if len(text) < len(prefix) {
		return 0, true
	}
	if p.Rest == restPEM {
		return matchPEM(text, final)
	}
	window := text[:min(len(text), maxVendor)]
	if !final && len(text) < maxVendor {
		end := len(prefix)
		for end < len(window) && (p.goesOn(window[end]) || end < len(prefix)+8 && (window[end] == ' ' || window[end] == '"' || window[end] == '\t')) {
			end++
		}
		if end == len(window) {
			return 0, true
		}
	}
	at := p.rest.FindIndex(window[len(prefix):])
	if at == nil {
		return 0, false
	}
	n = len(prefix) + at[1]
	if n < len(window) && wordByte(window[n]) && wordByte(window[n-1]) {
		return 0, false // it goes on, so it is something else
	}
	return n, false
}

var (
	pemPrivate = []byte("PRIVATE KEY")
	pemEnd     = []byte("-----END ")
)

// matchPEM covers a private key up to the end of its END line. A key without an end covers the rest of the text.
func matchPEM(text []byte, final bool) (n int, more bool) {
	const start = len("-----BEGIN ")
	label, _, closed := bytes.Cut(text[start:min(len(text), start+64)], []byte("-----"))
	if !closed {
		return 0, !final && len(text) < start+64
	}
	if !bytes.Contains(label, pemPrivate) || bytes.ContainsAny(label, "\r\n") {
		return 0, false
	}
	body := start + len(label) + 5
	end := bytes.Index(text[body:], pemEnd)
	if end < 0 {
		if !final && len(text) < body+maxPEM {
			return 0, true
		}
		return len(text), false
	}
	last := body + end + len(pemEnd)
	close := bytes.Index(text[last:min(len(text), last+64)], []byte("-----"))
	if close < 0 {
		if !final && len(text) < last+64 {
			return 0, true
		}
		return last, false
	}
	return last + close + 5, false
}

// secretVariable reports whether a variable of this name holds a secret.
func secretVariable(name []byte) bool {
	for _, end := range []string{"TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "API_KEY", "APIKEY", "ACCESS_KEY", "SECRET_KEY", "PRIVATE_KEY", "AUTH_KEY", "CREDENTIAL", "CREDENTIALS"} {
		if bytes.HasSuffix(name, []byte(end)) {
			return true
		}
	}
	return false
}

// matchVariable finds the value in a line "NAME=value", with or without "export " in front: from and to are its place.
func matchVariable(line []byte, final bool) (from, to int, more bool) {
	i := 0
	for i < len(line) && (line[i] == ' ' || line[i] == '\t') && i < 16 {
		i++
	}
	const export = "export "
	if rest := line[i:]; len(rest) < len(export) && !final && string(rest) == export[:len(rest)] {
		return 0, 0, true
	} else if bytes.HasPrefix(rest, []byte(export)) {
		i += len(export)
	}
	start := i
	for i < len(line) && i-start < 64 && (line[i] >= 'A' && line[i] <= 'Z' || line[i] >= '0' && line[i] <= '9' || line[i] == '_') {
		i++
	}
	if i == len(line) {
		return 0, 0, !final && i > 0 && i-start < 64
	}
	if line[i] != '=' || i == start || !secretVariable(line[start:i]) {
		return 0, 0, false
	}
	i++
	end := bytes.IndexByte(line[i:min(len(line), i+maxVendor)], '\n')
	if end < 0 {
		if !final && len(line) < i+maxVendor {
			return 0, 0, true
		}
		end = min(len(line), i+maxVendor) - i
	}
	value := bytes.TrimRight(line[i:i+end], "\r \t")
	if len(value) >= 2 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
		value = value[1 : len(value)-1]
		i++
	}
	letters, digits := false, false
	for _, c := range value {
		switch {
		case c >= '0' && c <= '9':
			digits = true
		case wordByte(c):
			letters = true
		case c == '$' || c == '(' || c == '[' || c == '{' || c == ' ' || c == '<' || c == '"' || c == '\'':
			return 0, 0, false // code, not a value
		}
	}
	if len(value) < minRedact || !letters || !digits || value[0] == '/' || value[0] == '.' || value[0] == '~' {
		return 0, 0, false
	}
	return i, i + len(value), false
}
