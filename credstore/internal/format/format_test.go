package format

import (
	"bytes"
	"crypto/fips140"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func sample(t testing.TB) (file []byte, dek []byte) {
	h, dek := NewHeader()
	slot := DefaultPolicy().NewSlot(false, Raw)
	require.NoError(t, DefaultPolicy().Wrap(h, slot, bytes.Repeat([]byte("k1"), 16), dek))
	h.Slots = []Slot{*slot}
	e, err := SealValue(dek, "a", 1, []byte("{}"), []byte("value"), []byte("refresh"))
	require.NoError(t, err)
	file, err = Encode(h, &Body{Generation: 1, AnchorKey: Random(KeySize), Entries: map[string]*Entry{"a": e}}, dek)
	require.NoError(t, err)
	return file, dek
}

// Values do not change places: not between names, versions, metadata, stores, nor between value and refresh token.
func TestSealBinds(t *testing.T) {
	dek := Random(KeySize)
	e, err := SealValue(dek, "a", 1, []byte("{}"), []byte("value"), []byte("refresh"))
	require.NoError(t, err)
	value, err := OpenValue(dek, "a", e)
	require.NoError(t, err)
	assert.Equal(t, "value", string(value))
	for name, change := range map[string]func(*Entry){
		"version": func(e *Entry) { e.Version = 2 },
		"meta":    func(e *Entry) { e.Meta = []byte("{ }") },
		"id":      func(e *Entry) { e.ID = Random(16) },
		"swap":    func(e *Entry) { e.Value, e.Refresh = e.Refresh, e.Value },
	} {
		other := &Entry{ID: e.ID, Version: e.Version, Meta: e.Meta, Value: e.Value, Refresh: e.Refresh}
		change(other)
		_, err = OpenValue(dek, "a", other)
		require.ErrorIs(t, err, ErrTampered, name)
		_, err = OpenRefresh(dek, "a", other)
		require.ErrorIs(t, err, ErrTampered, name)
	}
	_, err = OpenRefresh(dek, "b", e)
	require.ErrorIs(t, err, ErrTampered)
	_, err = OpenRefresh(Random(KeySize), "a", e)
	require.ErrorIs(t, err, ErrTampered)
}

// FuzzParse: whatever stands in a file, reading it gives a typed error and takes memory in proportion to it.
func FuzzParse(f *testing.F) {
	file, dek := sample(f)
	f.Add(file)
	f.Add(file[:100])
	f.Add([]byte(Magic))
	policy := FastPolicy()
	f.Fuzz(func(t *testing.T, data []byte) {
		h, additional, sealed, err := ParseHeader(data)
		if err == nil {
			err = policy.CheckAll(h)
		}
		if err == nil {
			_, err = DecodeBody(h, additional, sealed, dek)
		}
		if err == nil && !bytes.Equal(data, file) {
			t.Fatal("another file opened under the key")
		}
		if err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTampered) && !errors.Is(err, ErrWrongKey) && !errors.Is(err, ErrKDFPolicy) {
			t.Fatalf("untyped error %v", err)
		}
	})
}

func TestParseAllocations(t *testing.T) {
	file, dek := sample(t)
	huge := append(bytes.Clone(file[:8]), 0xff, 0xff, 0xff, 0xff)
	assert.LessOrEqual(t, testing.AllocsPerRun(20, func() { _, _, _, _ = ParseHeader(huge) }), 8.0)
	e, err := SealValue(dek, "a", 1, []byte("{}"), []byte("value"), nil)
	require.NoError(t, err)
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = OpenValue(dek, "a", e) }), 3.0)
}

// TestKnownAnswer is a file that an earlier build made: a change of the format that cannot read it is a new version.
func TestKnownAnswer(t *testing.T) {
	raw, err := base64.StdEncoding.DecodeString(knownFile)
	require.NoError(t, err)
	h, additional, sealed, err := ParseHeader(raw)
	require.NoError(t, err)
	dek, err := DefaultPolicy().Unwrap(h, &h.Slots[0], bytes.Repeat([]byte("k1"), 16))
	require.NoError(t, err)
	body, err := DecodeBody(h, additional, sealed, dek)
	require.NoError(t, err)
	value, err := OpenValue(dek, "a", body.Entries["a"])
	require.NoError(t, err)
	assert.Equal(t, "value", string(value))
	refresh, err := OpenRefresh(dek, "a", body.Entries["a"])
	require.NoError(t, err)
	assert.Equal(t, "refresh", string(refresh))
}

// TestDerive has the test cases of RFC 5869 for SHA-256 (appendix A.1 to A.3), as far as one block of output reaches.
func TestDerive(t *testing.T) {
	count := func(from, n int) []byte {
		out := make([]byte, n)
		for i := range out {
			out[i] = byte(from + i)
		}
		return out
	}
	input := bytes.Repeat([]byte{0x0b}, 22)
	for _, c := range []struct {
		secret, salt, info []byte
		want               string
	}{
		{input, count(0, 13), count(0xf0, 10), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"},
		{count(0, 80), count(0x60, 80), count(0xb0, 80), "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"},
		{input, nil, nil, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"},
	} {
		if fips140.Enforced() && len(c.salt) == 13 {
			continue // refused there
		}
		assert.Equal(t, bytesOf(t, c.want), derive(c.secret, c.salt, string(c.info)))
	}
}

// FuzzDerive compares with crypto/hkdf, for lengths around the block of the hash and all others.
func FuzzDerive(f *testing.F) {
	for _, n := range []int{14, 16, 31, 32, 33, 55, 56, 63, 64, 65, 127, 128, 129} {
		f.Add(bytes.Repeat([]byte{1}, n), []byte(nil), "body v1")
		f.Add(bytes.Repeat([]byte{2}, 32), bytes.Repeat([]byte{3}, n), "entry v1")
		f.Add(bytes.Repeat([]byte{4}, 32), bytes.Repeat([]byte{5}, 16), string(bytes.Repeat([]byte{6}, n)))
	}
	f.Fuzz(func(t *testing.T, secret, salt []byte, info string) {
		if fips140.Enforced() && (len(secret) < 14 || len(salt) < 14) {
			return // crypto/hkdf and crypto/hmac refuse short keys
		}
		want, err := hkdf.Key(sha256.New, secret, salt, info, KeySize)
		if err != nil {
			t.Fatal(err)
		}
		kept := bytes.Clone(secret)
		if got := derive(secret, salt, info); !bytes.Equal(got, want) {
			t.Fatalf("%x, crypto/hkdf has %x", got, want)
		}
		if !bytes.Equal(secret, kept) {
			t.Fatal("the secret was changed")
		}
	})
}

// TestFIPSOnly runs the other tests where Go refuses every algorithm that is not approved.
func TestFIPSOnly(t *testing.T) {
	if fips140.Enforced() {
		return
	}
	if testing.Short() {
		t.Skip("not in short: other algorithms, no goroutines")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
