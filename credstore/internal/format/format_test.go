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

// TestDerive compares with crypto/hkdf, and with RFC 5869 test case 3, which has no salt.
func TestDerive(t *testing.T) {
	assert.Equal(t, bytesOf(t, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"), derive(bytes.Repeat([]byte{0x0b}, 22), nil, ""))
	for n := range 200 {
		secret, salt, info := Random(32), Random(16+n%80), string(Random(n))
		want, err := hkdf.Key(sha256.New, secret, salt, info, KeySize)
		require.NoError(t, err)
		assert.Equal(t, want, derive(secret, salt, info))
	}
}

// TestFIPSOnly runs the other tests where Go refuses every algorithm that is not approved.
func TestFIPSOnly(t *testing.T) {
	if fips140.Enforced() {
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
