package format

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// inMemory counts how often the bytes stand in the writable memory of this process. It gets them masked, each bit turned
// around, and compares without making the copy that it looks for.
func inMemory(t *testing.T, masked []byte) int {
	maps, err := os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
	mem, err := os.Open("/proc/self/mem")
	require.NoError(t, err)
	defer mem.Close()
	part := make([]byte, 1<<20)
	defer clear(part)
	count := 0
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") {
			continue
		}
		for at := from; at < to; at += int64(len(part) - len(masked)) {
			n, _ := mem.ReadAt(part[:min(int64(len(part)), to-at)], at)
			for i := range part[:n] {
				part[i] ^= 0xff // so that no later piece finds it here
			}
			count += bytes.Count(part[:n], masked)
		}
	}
	return count
}

// TestDeriveLeavesNoCopy looks for the secret in the memory of this process after a derivation.
func TestDeriveLeavesNoCopy(t *testing.T) {
	if testing.Short() {
		t.Skip("not in short: the memory of the race detector is looked through with the rest, and it is large")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // what is left behind stays
	salt := Random(16)
	once := func(derive func(secret []byte)) int {
		masked := Random(KeySize)
		for range 8 {
			secret := make([]byte, KeySize)
			for i := range secret {
				secret[i] = masked[i] ^ 0xff
			}
			derive(secret)
			clear(secret)
		}
		return inMemory(t, masked)
	}
	// The fewest of some tries: the runtime may stop a goroutine anywhere and save its registers, secret and all. That happens
	// now and then; a buffer that is left behind is there each time.
	after := func(derive func(secret []byte)) int {
		fewest := once(derive)
		for tries := 1; tries < 8 && fewest > 0; tries++ {
			fewest = min(fewest, once(derive))
		}
		return fewest
	}
	assert.Zero(t, after(func(secret []byte) { derive(secret, salt, "entry v1") }))
	assert.Positive(t, after(func(secret []byte) { _, _ = hkdf.Key(sha256.New, secret, salt, "entry v1", KeySize) }), "the control: crypto/hkdf leaves copies")
}
