package credstore_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clearance-go/clearance/credstore"
)

func filled(b *testing.B, entries int) *credstore.Store {
	base := b.TempDir()
	s, err := credstore.Open(b.Context(), filepath.Join(base, "store"), credstore.Options{StateDir: filepath.Join(base, "state")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	if err := s.Update(b.Context(), func(tx *credstore.Tx) error {
		for i := range entries {
			if err := tx.Set(fmt.Sprint("n", i), credstore.NewSecret(fmt.Appendf(nil, "sk-%d-secret-%d", i*7919, i)), credstore.Meta{}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	return s
}

func BenchmarkGet(b *testing.B) {
	s := filled(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Get(b.Context(), "n500"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRedactor(b *testing.B) {
	r := filled(b, 200).Redactor()
	text := []byte(strings.Repeat("The quick brown fox jumps over the lazy dog; path=/usr/local/lib id=12345\n", 4000))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		r.Bytes(text)
	}
}
