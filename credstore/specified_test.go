//go:build linux

package credstore_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/credstore"
)

// TestAsSpecified reads a store, its anchor and its audit log with nothing but the package's documentation and other code for
// every primitive: what stands under "Format" is enough for somebody else's implementation.
func TestAsSpecified(t *testing.T) {
	derive := func(key, salt []byte, info string) []byte {
		out, err := hkdf.Key(sha256.New, key, salt, info, 32)
		require.NoError(t, err)
		return out
	}
	unseal := func(key, sealed, additional []byte) []byte {
		block, err := aes.NewCipher(key)
		require.NoError(t, err)
		gcm, err := cipher.NewGCM(block)
		require.NoError(t, err)
		plain, err := gcm.Open(nil, sealed[:12], sealed[12:], additional)
		require.NoError(t, err)
		return plain
	}
	key := []byte("0123456789abcdefghijklmnopqrstuv")
	dir, o := t.TempDir(), options(t)
	o.Keys = []credstore.KeySource{credstore.Key(credstore.NewSecret(key), credstore.EnvironmentProtection)}
	s := open(t, dir, o)
	expires := time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC)
	require.NoError(t, s.SetToken(t.Context(), "team/key", credstore.Token{Value: credstore.NewSecret([]byte(canary)), Refresh: credstore.NewSecret([]byte("refresh")), Expires: expires},
		credstore.Meta{Label: "L", Hosts: []string{"x.example"}, Env: "E", Commands: []string{"/bin/x"}}))
	before := read(t, dir)
	set(t, s, "team/key", "second value")

	raw := read(t, dir)
	require.Equal(t, "CREDST1\n", string(raw[:8]))
	end := 12 + binary.BigEndian.Uint32(raw[8:])
	var header struct {
		V                     int
		ID, KID, Commit, Salt []byte
		Slots                 []struct {
			Type           string
			ID, Salt, Wrap []byte
		}
	}
	require.NoError(t, json.Unmarshal(raw[12:end], &header))
	slot := header.Slots[0]
	require.Equal(t, "raw", slot.Type)
	dek := unseal(derive(key, slot.Salt, "slot v1"), slot.Wrap, bytes.Join([][]byte{[]byte("wrap v1\x00"), header.ID, slot.ID, []byte(slot.Type)}, nil))
	assert.Equal(t, header.Commit, derive(dek, header.ID, "commit v1"))
	plain := unseal(derive(dek, header.Salt, "body v1"), raw[end:], raw[:end])
	require.Zero(t, len(plain)%512)
	text := plain[4 : 4+binary.BigEndian.Uint32(plain)]
	assert.Empty(t, bytes.Trim(plain[4+len(text):], "\x00"))
	var body struct {
		Gen             uint64
		Prev, AnchorKey []byte
		Created         time.Time
		Audit           struct {
			First, Sequence uint64
			MAC             []byte
		}
		Entries map[string]struct {
			ID, Meta, Val, Ref []byte
			Ver                uint64
		}
	}
	require.NoError(t, json.Unmarshal(text, &body))
	sum := sha256.Sum256(before)
	assert.Equal(t, sum[:], body.Prev)
	assert.EqualValues(t, 3, body.Gen)
	e := body.Entries["team/key"]
	additional := binary.BigEndian.AppendUint64(append(binary.BigEndian.AppendUint32(nil, 8), "team/key"...), e.Ver)
	additional = append(additional, e.Meta...)
	assert.Equal(t, "second value", string(unseal(derive(dek, e.ID, "entry v1"), e.Val, additional)))
	assert.Empty(t, e.Ref)
	var meta map[string]any
	require.NoError(t, json.Unmarshal(e.Meta, &meta))
	assert.Contains(t, meta, "updated")

	// The generation before, with everything that an entry can have.
	end = 12 + binary.BigEndian.Uint32(before[8:])
	require.NoError(t, json.Unmarshal(before[12:end], &header))
	plain = unseal(derive(dek, header.Salt, "body v1"), before[end:], before[:end])
	require.NoError(t, json.Unmarshal(plain[4:4+binary.BigEndian.Uint32(plain)], &body))
	e = body.Entries["team/key"]
	additional = append(binary.BigEndian.AppendUint64(append(binary.BigEndian.AppendUint32(nil, 8), "team/key"...), e.Ver), e.Meta...)
	assert.Equal(t, canary, string(unseal(derive(dek, e.ID, "entry v1"), e.Val, additional)))
	assert.Equal(t, "refresh", string(unseal(derive(dek, e.ID, "refresh v1"), e.Ref, additional)))
	require.NoError(t, json.Unmarshal(e.Meta, &meta))
	delete(meta, "updated")
	assert.Equal(t, map[string]any{"label": "L", "hosts": []any{"x.example"}, "env": "E", "commands": []any{"/bin/x"}, "expires": "2099-01-02T03:04:05Z"}, meta)

	mac := func(key []byte, record map[string]any, fields []string) []byte {
		var out bytes.Buffer // the record's fields in the order of the file
		out.WriteByte('{')
		for i, name := range fields {
			if i > 0 {
				out.WriteByte(',')
			}
			value, err := json.Marshal(record[name])
			require.NoError(t, err)
			out.WriteString(`"` + name + `":` + string(value))
		}
		out.WriteByte('}')
		h := hmac.New(sha256.New, key)
		h.Write(out.Bytes())
		return h.Sum(nil)
	}
	files, err := filepath.Glob(filepath.Join(o.StateDir, "*.anchor"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	anchor, err := os.ReadFile(files[0])
	require.NoError(t, err)
	var record map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(anchor, &record))
	assert.JSONEq(t, `"`+hex.EncodeToString(header.ID)+`"`, string(record["storeId"]))
	var point struct {
		Generation uint64
		Hash       []byte
	}
	require.NoError(t, json.Unmarshal(record["committed"], &point))
	sum = sha256.Sum256(raw)
	assert.Equal(t, sum[:], point.Hash)
	assert.EqualValues(t, 3, point.Generation)
	var have []byte
	require.NoError(t, json.Unmarshal(record["mac"], &have))
	parts := map[string]any{}
	for name, value := range record {
		parts[name] = value
	}
	parts["mac"] = nil
	assert.Equal(t, mac(derive(body.AnchorKey, nil, "anchor v1"), parts, []string{"version", "storeId", "committed", "mac"}), have)

	lines, err := os.ReadFile(s.AuditFile())
	require.NoError(t, err)
	previous := ""
	for line := range bytes.Lines(lines) {
		var r credstore.AuditRecord
		require.NoError(t, json.Unmarshal(line, &r))
		assert.Equal(t, previous, r.Previous)
		line = bytes.TrimSuffix(line, []byte("\n"))
		h := hmac.New(sha256.New, derive(body.AnchorKey, nil, "audit v1"))
		h.Write(bytes.Replace(line, []byte(r.MAC), nil, 1))
		assert.Equal(t, hex.EncodeToString(h.Sum(nil)), r.MAC, "the line with an empty mac")
		previous = r.MAC
	}
	h := hmac.New(sha256.New, derive(body.AnchorKey, nil, "fingerprint v1"))
	h.Write([]byte(canary))
	assert.Equal(t, hex.EncodeToString(h.Sum(nil)[:8]), records(t, s)[1].Fingerprint)
}
