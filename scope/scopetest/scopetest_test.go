package scopetest

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/clearance-go/clearance/scope"
	"github.com/stretchr/testify/require"
)

func TestScope(t *testing.T) {
	Run(t, func(root string) (Guard, error) { return scope.New(root, scope.Options{}) })
}

// Every attack works without a guard, so every case can fail.
func TestUnguarded(t *testing.T) {
	names := map[string]bool{}
	for _, c := range Cases() {
		require.False(t, names[c.Name], "%s twice", c.Name)
		names[c.Name] = true
		require.NotEmpty(t, c.Why, c.Name)
		if c.Harmless {
			continue
		}
		err := c.Try(t.TempDir(), time.Second, Unguarded)
		if errors.Is(err, ErrSkipped) {
			t.Logf("%s: %v", c.Name, err)
			continue
		}
		if c.Works && c.Name != "hardlink-write" {
			require.NoError(t, err, c.Name)
		} else {
			require.Error(t, err, c.Name)
		}
	}
}

// refuser refuses everything: the cases that must work find it out.
type refuser struct{}

func (refuser) ReadFile(string) ([]byte, error) { return nil, errors.New("no") }
func (refuser) WriteFile(string, []byte) error  { return errors.New("no") }
func (refuser) RemoveAll(string) error          { panic("a bug") }
func (refuser) Remove(string) error             { time.Sleep(time.Hour); return nil }

func TestBadGuards(t *testing.T) {
	var worked, panicked, hung int
	for _, c := range Cases() {
		if c.Op == Remove && hung > 0 {
			continue
		}
		err := c.Try(t.TempDir(), 50*time.Millisecond, func(string) (Guard, error) { return refuser{}, nil })
		switch {
		case errors.Is(err, ErrSkipped), err == nil:
		case errors.Is(err, errPanic):
			panicked++
		case err.Error() == "it hangs":
			hung++
		case c.Works:
			worked++
		}
	}
	require.Greater(t, worked, 5)
	require.Positive(t, panicked)
	require.Positive(t, hung)
}

// os.Root passes what it is for, and fails what it says it is not for.
func TestRoot(t *testing.T) {
	failed := map[string]bool{}
	for _, c := range Cases() {
		if c.Protected || c.Name == "fifo-write" || c.Name == "fifo-read" {
			continue
		}
		err := c.Try(t.TempDir(), 2*time.Second, func(root string) (Guard, error) {
			r, err := os.OpenRoot(root)
			return rootGuard{r}, err
		})
		if err != nil && !errors.Is(err, ErrSkipped) {
			failed[c.Name] = true
		}
	}
	require.True(t, failed["removeall-dotdot"], "%v", failed)
	require.True(t, failed["symlink-escape"], "%v", failed)
	require.False(t, failed["link-dir-write"], "%v", failed)
	require.False(t, failed["link-dangling-write"], "%v", failed)
}

type rootGuard struct{ *os.Root }

func (r rootGuard) WriteFile(p string, d []byte) error { return r.Root.WriteFile(p, d, 0o644) }
func (r rootGuard) MkdirAll(p string) error            { return r.Root.MkdirAll(p, 0o755) }
