package scope

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func benchGuard(b *testing.B) (*Guard, string, string) {
	b.Helper()
	root, err := filepath.EvalSymlinks(b.TempDir())
	require.NoError(b, err)
	rel := strings.TrimSuffix(strings.Repeat("dir/", 7), "/")
	require.NoError(b, os.MkdirAll(filepath.Join(root, rel), 0o755))
	rel += "/file.go"
	require.NoError(b, os.WriteFile(filepath.Join(root, rel), []byte("x"), 0o644))
	g, err := New(root, Options{Home: "/home/u"})
	require.NoError(b, err)
	b.Cleanup(func() { g.Close() })
	return g, root, rel
}

// Depth 8. The floors are the sub-benchmarks "floor-…" of the same run.
func BenchmarkCheck(b *testing.B) {
	g, root, rel := benchGuard(b)
	full := filepath.Join(root, rel)
	b.Run("floor-openat2", func(b *testing.B) {
		for b.Loop() {
			glance(g.held[0], rel)
		}
	})
	b.Run("floor-lstat", func(b *testing.B) {
		for b.Loop() {
			_, _ = os.Lstat(full)
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			g.Check(rel, Read)
		}
	})
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			g.Check(full, Write)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	g, root, rel := benchGuard(b)
	full := filepath.Join(root, rel)
	b.Run("floor-os.Open", func(b *testing.B) {
		for b.Loop() {
			f, _ := os.Open(full)
			f.Close()
		}
	})
	b.Run("guard", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f, err := g.Open(rel)
			if err != nil {
				b.Fatal(err)
			}
			f.Close()
		}
	})
}
