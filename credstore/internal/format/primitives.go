package format

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"

	"golang.org/x/crypto/argon2"
)

// This file holds every call of a cryptographic primitive.

// KeySize is the length of every symmetric key.
const KeySize = 32

// sealOverhead is what seal adds: a 96-bit nonce and a 128-bit tag.
const sealOverhead = 12 + 16

// Random returns n random bytes.
func Random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return b
}

// Hash is SHA-256.
func Hash(data []byte) [32]byte { return sha256.Sum256(data) }

// derive is HKDF-SHA256 (RFC 5869) with one block of output, over the HMAC of crypto/hmac. crypto/hkdf would be the better
// choice if it did not leave secret, which is the data key, in the buffer of a hash that it drops: Store.Lock promises that
// the data key is gone, and the collector may not take that buffer back for long. Here it is overwritten.
// TestDeriveLeavesNoCopy finds the copies of crypto/hkdf and none of this (only a goroutine that is stopped in the middle may
// have its registers saved: what the experiment runtimesecret is for); FuzzDerive compares the two. What stays until it
// is collected is made of keys that are derived, each good for one file or one entry: the pads of crypto/hmac, the key
// schedules of crypto/aes.
//
// A salt has at least 14 bytes, or none: crypto/hmac refuses shorter ones under fips140=only.
func derive(secret, salt []byte, info string) []byte {
	if len(salt) == 0 {
		salt = make([]byte, sha256.Size)
	}
	extracted := macOnce(salt, secret)
	defer clear(extracted)
	return macOnce(extracted, append([]byte(info), 1))
}

// macOnce is HMAC-SHA256 that leaves no copy of data behind, neither on the heap nor, as far as Go lets anybody say so, on
// the stack: the same calls with other bytes end in the same places.
func macOnce(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	out := h.Sum(nil)
	h.Reset()
	h.Write(make([]byte, sha256.BlockSize-1)) // one less than a block, or it would not go through the buffer
	var none [sha256.Size]byte
	h.Sum(none[:0])
	return out
}

// aead is AES-256-GCM with a random nonce in front of the ciphertext (NIST SP 800-38D §8.2.2).
func aead(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// seal and open encrypt and decrypt under a derived key and clear it.
func seal(key, plain, additional []byte) ([]byte, error) {
	defer clear(key)
	a, err := aead(key)
	if err != nil {
		return nil, err
	}
	return a.Seal(nil, nil, plain, additional), nil
}

func open(key, sealed, additional []byte) ([]byte, bool) {
	defer clear(key)
	a, err := aead(key)
	if err != nil {
		return nil, false
	}
	plain, err := a.Open(nil, nil, sealed, additional)
	return plain, err == nil
}

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

func mac(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}

func argon2id(passphrase, salt []byte, t, m uint32, p uint8) []byte {
	return argon2.IDKey(passphrase, salt, t, m, p, KeySize)
}

func pbkdf2SHA256(passphrase, salt []byte, iterations int) ([]byte, error) {
	return pbkdf2Bytes(passphrase, salt, iterations, KeySize)
}

func pbkdf2Bytes(passphrase, salt []byte, iterations, n int) ([]byte, error) {
	return pbkdf2.Key(sha256.New, string(passphrase), salt, iterations, n)
}

// decrypter returns the decryption of single AES blocks, for key unwrapping.
func decrypter(key []byte) (func(dst, src []byte), error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return block.Decrypt, nil
}

// fipsMode reports whether Go runs with the FIPS 140-3 module on; argon2id is not an approved algorithm.
func fipsMode() bool { return fips140.Enabled() }
