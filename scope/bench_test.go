package scope

import (
	"fmt"
	"io/fs"
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

// Open beside its floors, at three depths.
func BenchmarkOpenDepth(b *testing.B) {
	for _, depth := range []int{2, 8, 16} {
		root, err := filepath.EvalSymlinks(b.TempDir())
		require.NoError(b, err)
		rel := strings.Repeat("dir/", depth-1)
		require.NoError(b, os.MkdirAll(filepath.Join(root, rel), 0o755))
		rel += "file.go"
		full := filepath.Join(root, rel)
		require.NoError(b, os.WriteFile(full, []byte("x"), 0o644))
		g, err := New(root, Options{Home: "/home/u"})
		require.NoError(b, err)
		r, err := os.OpenRoot(root)
		require.NoError(b, err)
		for name, open := range map[string]func() (*os.File, error){
			"floor-os.Open": func() (*os.File, error) { return os.Open(full) },
			"floor-os.Root": func() (*os.File, error) { return r.Open(rel) },
			"floor-EvalSymlinks": func() (*os.File, error) {
				p, err := filepath.EvalSymlinks(full)
				if err != nil {
					return nil, err
				}
				return os.Open(p)
			},
			"guard": func() (*os.File, error) { return g.Open(rel) },
		} {
			b.Run(fmt.Sprintf("%d/%s", depth, name), func(b *testing.B) {
				for b.Loop() {
					f, err := open()
					if err != nil {
						b.Fatal(err)
					}
					f.Close()
				}
			})
		}
		g.Close()
		r.Close()
	}
}

// A walk over 100,000 files, beside the same by filepath.WalkDir.
func BenchmarkWalk(b *testing.B) {
	root, err := filepath.EvalSymlinks(b.TempDir())
	require.NoError(b, err)
	const dirs, files = 1000, 100
	for d := range dirs {
		p := filepath.Join(root, fmt.Sprintf("pkg%d", d%10), fmt.Sprintf("mod%d", d))
		require.NoError(b, os.MkdirAll(p, 0o755))
		for i := range files {
			f, err := os.Create(filepath.Join(p, fmt.Sprintf("file%d.%s", i, []string{"go", "ts", "json", "md"}[i%4])))
			require.NoError(b, err)
			f.Close()
		}
	}
	g, err := New(root, Options{Home: "/home/u"})
	require.NoError(b, err)
	defer g.Close()
	count := 0
	visit := func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			count++
		}
		return err
	}
	b.Run("floor-filepath.WalkDir", func(b *testing.B) {
		for b.Loop() {
			count = 0
			require.NoError(b, filepath.WalkDir(root, visit))
			require.Equal(b, dirs*files, count)
		}
	})
	b.Run("guard", func(b *testing.B) {
		for b.Loop() {
			count = 0
			require.NoError(b, fs.WalkDir(g.FS(), ".", visit))
			require.Equal(b, dirs*files, count)
		}
	})
}
