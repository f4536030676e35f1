//go:build linux

package credstore_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/credstore"
)

// FuzzImport: no parser panics, and no error quotes what it read.
func FuzzImport(f *testing.F) {
	for _, seed := range []string{"A=1\nB='x'\n", `{"entries":[{"name":"a","value":"v"}]}`, "github.com:\n  oauth_token: x\n", "[a]\nk = v\n",
		"machine a login b password c", `{"auths":{"x":{"auth":"bWU6cHc="}}}`, `{"a":{"b":"c\u00e9\ud83d\ude00"}}`} {
		for i := range len(credstore.ImportFormats()) {
			f.Add(i, []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, format int, data []byte) {
		formats := credstore.ImportFormats()
		all, err := credstore.ParseImport(formats[uint(format)%uint(len(formats))], data)
		if err != nil && !errors.Is(err, credstore.ErrImport) && !errors.Is(err, credstore.ErrTooLarge) {
			t.Fatalf("untyped error %v", err)
		}
		for _, c := range all {
			if c.Name == "" || c.Token.Value.Len() == 0 {
				t.Fatal("an empty candidate")
			}
		}
	})
}

// FuzzRedactor: a stream in any pieces gives what the whole gives, and no known value is left.
//
// Run the fuzz targets of a Store with -fuzzminimizetime=1x. With the default, go test spends a minute on making each input
// smaller that covers something new, at "0/sec" as if it hung: what is covered also depends on the order of maps, on timers
// and on the collector, so it cannot reproduce the coverage and tries until the minute is over.
func FuzzRedactor(f *testing.F) {
	base := f.TempDir()
	s, err := credstore.Open(f.Context(), base+"/store", credstore.Options{StateDir: base + "/state"})
	require.NoError(f, err)
	value := "sk-ant-Zq9canary+7/x"
	require.NoError(f, s.Set(f.Context(), "a", credstore.NewSecret([]byte(value)), credstore.Meta{}))
	r := s.Redactor()
	for _, seed := range []string{"x " + value + " y", "API_KEY=abc123def456\n", "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\n", "Bearer abcdefghijklmnopqrstuvwxyz",
		"https://u:password@host/", "c2stYW50LVpxOWNhbmFyeSs3L3g=\n", "c2stYW50LVpxOWNh\nbmFyeSs3L3g=", "\n  \n\tA_TOKEN=x"} {
		f.Add([]byte(seed), 1)
		f.Add([]byte(seed), 5)
	}
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		whole := r.Bytes(text)
		if bytes.Contains(whole, []byte(value)) {
			t.Fatal("the value is left")
		}
		if got := streamed(t, r, string(text), 1+int(uint(size)%64)); got != string(whole) {
			t.Fatalf("in pieces %q, whole %q", got, whole)
		}
	})
}

// FuzzSecretJSON: what JSON says is a string is read as the same bytes.
func FuzzSecretJSON(f *testing.F) {
	for _, seed := range []string{`"a"`, `"\u00e9\ud83d\ude00\ud800x\udc00"`, `"\\\"\/\b\f\n\r\t"`, `""`, `null`, `"` + strings.Repeat(`\u0041`, 40) + `"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !utf8.Valid(data) {
			return // encoding/json puts U+FFFD for what is no UTF-8; a Secret keeps the bytes
		}
		var s credstore.Secret
		err := s.UnmarshalJSON(data)
		want, ok := jsonString(data)
		if ok != (err == nil) && want != "[redacted]" {
			t.Fatalf("%q: %v", data, err)
		}
		if ok && err == nil && reveal(s) != want {
			t.Fatalf("%q: %q, want %q", data, reveal(s), want)
		}
	})
}

// jsonString is encoding/json's reading; like a Secret, it must be a string and not null.
func jsonString(data []byte) (string, bool) {
	var v any
	if json.Unmarshal(data, &v) != nil {
		return "", false
	}
	text, ok := v.(string)
	return text, ok
}
