package format

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func bytesOf(t testing.TB, digits string) []byte {
	b, err := hex.DecodeString(digits)
	require.NoError(t, err)
	return b
}

// TestUnwrapKey has the vectors of RFC 3394 §4.1, §4.3 and §4.6.
func TestUnwrapKey(t *testing.T) {
	const kek, data = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F", "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F"
	for _, v := range []struct {
		kek, data int // bytes
		wrapped   string
	}{
		{16, 16, "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5"},
		{32, 16, "64E8C3F9CE0F5BA263E9777905818A2A93C8191E7D6E8AE7"},
		{32, 32, "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"},
	} {
		wrapped := bytesOf(t, v.wrapped)
		key, ok := unwrapKey(bytesOf(t, kek[:2*v.kek]), wrapped)
		require.True(t, ok)
		assert.Equal(t, bytesOf(t, data[:2*v.data]), key)
		for i := range wrapped {
			wrapped[i] ^= 1
			_, ok = unwrapKey(bytesOf(t, kek[:2*v.kek]), wrapped)
			assert.False(t, ok, "byte %d", i)
			wrapped[i] ^= 1
		}
	}
	for _, wrapped := range []string{"", "00", "0011223344556677", "00112233445566778899AABBCCDDEEFF", "00112233445566778899AABBCCDDEEFF00"} {
		_, ok := unwrapKey(make([]byte, 16), bytesOf(t, wrapped))
		assert.False(t, ok)
	}
}

// fixture is a file that github.com/99designs/keyring wrote; see ../../interop.
func fixture(t testing.TB) []byte {
	raw, err := os.ReadFile("../../testdata/keyring-files/plain")
	require.NoError(t, err)
	return raw
}

func TestOpenPasswordJWE(t *testing.T) {
	text, pass := fixture(t), []byte("fixture passphrase")
	plain, err := OpenPasswordJWE(text, pass)
	require.NoError(t, err)
	assert.Contains(t, string(plain), `"Key":"plain"`)
	_, err = OpenPasswordJWE(text, []byte("fixture passphrasE"))
	require.ErrorIs(t, err, ErrWrongKey)
	parts := strings.Split(string(text), ".")
	head, err := base64.RawURLEncoding.DecodeString(parts[0])
	require.NoError(t, err)
	with := func(old, changed string) string {
		require.Contains(t, string(head), old)
		changed = strings.Replace(string(head), old, changed, 1)
		return strings.Join(append([]string{base64.RawURLEncoding.EncodeToString([]byte(changed))}, parts[1:]...), ".")
	}
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"a header that was changed":            {with(`"p2c":8192`, `"p2c":8192,"x":1`), ErrTampered},
		"another count":                        {with(`8192`, `8193`), ErrWrongKey},
		"CVE-2023-50658 (jose2go): a p2c bomb": {with(`8192`, `2000000000`), ErrKDFPolicy},
		"hardly any":                           {with(`8192`, `1`), ErrKDFPolicy},
		"a negative count":                     {with(`8192`, `-8192`), ErrKDFPolicy},
		"another algorithm":                    {with(`PBES2-HS256+A128KW`, `dir`), ErrFormat},
		"another cipher":                       {with(`A256GCM`, `A128GCM`), ErrFormat},
		"an extension":                         {with(`"p2c"`, `"crit":["p2c"],"p2c"`), ErrFormat},
		"compression":                          {with(`"p2c"`, `"zip":"DEF","p2c"`), ErrFormat},
		"four parts":                           {strings.Join(parts[:4], "."), ErrFormat},
		"no tag":                               {strings.Join(parts[:4], ".") + ".", ErrFormat},
		"padding":                              {string(text) + "=", ErrFormat},
		"nothing":                              {"", ErrFormat},
		"dots":                                 {"....", ErrFormat},
	} {
		_, err := OpenPasswordJWE([]byte(c.text), pass)
		require.ErrorIs(t, err, c.want, name)
	}
	step := 7
	if testing.Short() { // each is 8,192 hashes, which the race detector slows down without a use
		step = 97
	}
	for i := len(parts[0]) + 1; i < len(text); i += step {
		if text[i] == '.' {
			continue
		}
		changed := []byte(string(text))
		changed[i] ^= 3 // a digit of base64url becomes another one, or none
		_, err := OpenPasswordJWE(changed, pass)
		require.True(t, errors.Is(err, ErrFormat) || errors.Is(err, ErrWrongKey) || errors.Is(err, ErrTampered), "byte %d: %v", i, err)
	}
}

func FuzzOpenPasswordJWE(f *testing.F) {
	f.Add(fixture(f))
	f.Add([]byte("eyJ9.e.e.e.e"))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := OpenPasswordJWE(text, []byte("p"))
		if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrWrongKey) && !errors.Is(err, ErrKDFPolicy) {
			t.Fatalf("%v", err)
		}
	})
}
