package format

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// The limits of the iterations of a JWE: the floor is that of RFC 7518 §4.8.1.2, the ceiling about a third of a second.
const (
	minJWEIterations = 1_000
	maxJWEIterations = 1_000_000
)

// OpenPasswordJWE decrypts a JWE in compact serialization (RFC 7516 §7.1) that a passphrase opens: alg PBES2-HS256+A128KW
// (RFC 7518 §4.8) and enc A256GCM (§5.3), no others. It exists to read what other programs wrote; nothing is written so: the
// derivation is cheap and the file does not commit to its key. Errors: ErrFormat, ErrKDFPolicy, ErrWrongKey, ErrTampered.
func OpenPasswordJWE(text, passphrase []byte) ([]byte, error) {
	parts := bytes.Split(bytes.TrimSpace(text), []byte("."))
	if len(parts) != 5 {
		return nil, fmt.Errorf("%w: not a JWE of five parts", ErrFormat)
	}
	var raw [5][]byte
	for i, part := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.Strict().AppendDecode(nil, part); err != nil {
			return nil, fmt.Errorf("%w: part %d is not base64url", ErrFormat, i+1)
		}
	}
	var h struct {
		Alg  string          `json:"alg"`
		Enc  string          `json:"enc"`
		P2C  int             `json:"p2c"`
		P2S  string          `json:"p2s"`
		Crit json.RawMessage `json:"crit"`
		Zip  json.RawMessage `json:"zip"`
	}
	if json.Unmarshal(raw[0], &h) != nil {
		return nil, fmt.Errorf("%w: the JWE header is not JSON of the expected shape", ErrFormat)
	}
	if h.Alg != jweAlg || h.Enc != "A256GCM" || h.Crit != nil || h.Zip != nil {
		return nil, fmt.Errorf("%w: only %s with A256GCM, without extensions and compression, is read", ErrFormat, jweAlg)
	}
	if h.P2C < minJWEIterations || h.P2C > maxJWEIterations {
		return nil, fmt.Errorf("%w: pbkdf2 with %d iterations", ErrKDFPolicy, h.P2C)
	}
	salt, err := base64.RawURLEncoding.Strict().DecodeString(h.P2S)
	if err != nil || len(salt) < 8 || len(salt) > 256 {
		return nil, fmt.Errorf("%w: p2s is not 8 to 256 bytes in base64url", ErrFormat)
	}
	if len(raw[1]) != KeySize+8 || len(raw[2]) != 12 || len(raw[4]) != 16 {
		return nil, fmt.Errorf("%w: key, nonce or tag has another size than A256GCM wants", ErrFormat)
	}
	kek, err := pbkdf2Bytes(passphrase, append([]byte(jweAlg+"\x00"), salt...), h.P2C, 16)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKDFPolicy, err)
	}
	cek, ok := unwrapKey(kek, raw[1])
	clear(kek)
	if !ok {
		return nil, ErrWrongKey
	}
	plain, ok := open(cek, bytes.Join(raw[2:], nil), parts[0])
	if !ok {
		return nil, ErrTampered
	}
	return plain, nil
}

const jweAlg = "PBES2-HS256+A128KW"

// unwrapKey is AES key unwrap (RFC 3394 §2.2.2); ok is its integrity check.
func unwrapKey(kek, wrapped []byte) (key []byte, ok bool) {
	n := len(wrapped)/8 - 1
	block, err := decrypter(kek)
	if err != nil || n < 2 || len(wrapped)%8 != 0 {
		return nil, false
	}
	key = bytes.Clone(wrapped[8:])
	var b [16]byte
	defer clear(b[:])
	copy(b[:8], wrapped)
	for j := 5; j >= 0; j-- {
		for i := n; i >= 1; i-- {
			binary.BigEndian.PutUint64(b[:8], binary.BigEndian.Uint64(b[:8])^uint64(n*j+i))
			copy(b[8:], key[(i-1)*8:])
			block(b[:], b[:])
			copy(key[(i-1)*8:], b[8:])
		}
	}
	if !equal(b[:8], bytes.Repeat([]byte{0xA6}, 8)) {
		clear(key)
		return nil, false
	}
	return key, true
}
