package credstore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/clearance-go/clearance/credstore"
)

func filled(b *testing.B, entries int, o credstore.Options) (*credstore.Store, string) {
	base := b.TempDir()
	if o.StateDir == "" {
		o.StateDir = filepath.Join(base, "state")
	}
	dir := filepath.Join(base, "store")
	s, err := credstore.Open(b.Context(), dir, o)
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
	return s, dir
}

// each runs f and floor in turn, so that both see the same load, and reports the ratio of their times.
func each(b *testing.B, floorName string, f, floor func() error) {
	var ours, theirs time.Duration
	for b.Loop() {
		start := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		if err := floor(); err != nil {
			b.Fatal(err)
		}
		ours += middle.Sub(start)
		theirs += time.Since(middle)
	}
	b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N), "ns/op")
	b.ReportMetric(float64(ours)/float64(theirs), "×"+floorName)
}

// BenchmarkGet is one of 1,000 entries after unlock; the floor is the lstat that finds out whether another process saved.
func BenchmarkGet(b *testing.B) {
	s, dir := filled(b, 1000, credstore.Options{})
	each(b, "lstat", func() error { _, err := s.Get(b.Context(), "n500"); return err },
		func() error { _, err := os.Lstat(filepath.Join(dir, "credentials.store")); return err })
}

// durable writes a file as the store does: new, flushed, renamed, its directory flushed.
func durable(dir, name string, data []byte) error {
	temp := filepath.Join(dir, name+".tmp")
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(temp, filepath.Join(dir, name))
	}
	if err != nil {
		return err
	}
	return flush(dir)
}

func flush(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// steps are the durable steps of a save without anything else: audit record, anchor, store with its backup, anchor.
func steps(b *testing.B, size int) func() error {
	dir := b.TempDir()
	data, record := make([]byte, size), make([]byte, 300)
	store := filepath.Join(dir, "store")
	return func() error {
		log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		if _, err = log.Write(record); err == nil {
			err = log.Sync()
		}
		if e := log.Close(); err == nil {
			err = e
		}
		if err == nil {
			err = durable(dir, "anchor", record)
		}
		if err == nil {
			if _, e := os.Lstat(store); e == nil {
				if err = os.Link(store, store+".link"); err == nil {
					err = os.Rename(store+".link", store+".bak")
				}
			}
		}
		if err == nil {
			err = durable(dir, "store", data)
		}
		if err == nil {
			err = durable(dir, "anchor", record)
		}
		return err
	}
}

// noAnchor remembers nothing durable.
type noAnchor struct{ record *credstore.AnchorRecord }

func (n *noAnchor) Load(context.Context) (*credstore.AnchorRecord, error) { return n.record, nil }
func (n *noAnchor) Save(_ context.Context, r *credstore.AnchorRecord) error {
	n.record = r
	return nil
}
func (n *noAnchor) Describe() string { return "nowhere" }

// BenchmarkSet is a save of a store with 20 entries, in ratios to the same durable steps and to one fsync-rename.
func BenchmarkSet(b *testing.B) {
	value := credstore.NewSecret([]byte("a new value for one entry"))
	size := func(dir string) int {
		info, err := os.Stat(filepath.Join(dir, "credentials.store"))
		if err != nil {
			b.Fatal(err)
		}
		return int(info.Size())
	}
	b.Run("same-steps", func(b *testing.B) {
		s, dir := filled(b, 20, credstore.Options{})
		each(b, "floor", func() error { return s.Set(b.Context(), "n5", value, credstore.Meta{}) }, steps(b, size(dir)))
	})
	b.Run("one-rename", func(b *testing.B) {
		s, dir := filled(b, 20, credstore.Options{})
		to, data := b.TempDir(), make([]byte, size(dir))
		each(b, "rename", func() error { return s.Set(b.Context(), "n5", value, credstore.Meta{}) }, func() error { return durable(to, "store", data) })
	})
	b.Run("no-anchor-no-audit", func(b *testing.B) {
		s, dir := filled(b, 20, credstore.Options{Anchor: &noAnchor{}, Audit: credstore.AuditOff})
		to, data := b.TempDir(), make([]byte, size(dir))
		each(b, "rename", func() error { return s.Set(b.Context(), "n5", value, credstore.Meta{}) }, func() error { return durable(to, "store", data) })
	})
}

// BenchmarkOpen is a store with a passphrase; the floor is its key derivation.
func BenchmarkOpen(b *testing.B) {
	base := b.TempDir()
	o := credstore.Options{StateDir: filepath.Join(base, "state"), Keys: []credstore.KeySource{credstore.StaticPassphrase(credstore.NewSecret([]byte("p")))}}
	_, dir := filled(b, 20, o)
	salt := make([]byte, 32)
	var ours, theirs time.Duration
	for b.Loop() {
		start := time.Now()
		s, err := credstore.Open(b.Context(), dir, o)
		if err != nil {
			b.Fatal(err)
		}
		_ = s.Close()
		middle := time.Now()
		argon2.IDKey([]byte("p"), salt, 3, 64<<10, 4, 32)
		ours += middle.Sub(start)
		theirs += time.Since(middle)
	}
	b.ReportMetric(float64(ours)/float64(theirs), "×kdf")
	b.ReportMetric(float64((ours-theirs).Microseconds())/1000/float64(b.N), "ms-over-kdf")
}

func BenchmarkRedactor(b *testing.B) {
	s, _ := filled(b, 200, credstore.Options{})
	r := s.Redactor()
	text := []byte(strings.Repeat("The quick brown fox jumps over the lazy dog; path=/usr/local/lib id=12345\n", 4000))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		r.Bytes(text)
	}
}
