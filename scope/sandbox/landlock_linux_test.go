package sandbox

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A ruleset that cannot be made leaves nothing open in this process, one that is
// made restricts nothing in it: it is for the helper.
func TestRuleset(t *testing.T) {
	b := boxes(t)[Landlock]
	if b == nil {
		t.Skip("Landlock is not here")
	}
	open := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(list)
	}
	dir := t.TempDir()
	before := open()
	for range 20 {
		_, err := ruleset([]Entry{{Path: filepath.Join(dir, "gone"), Access: Read}}, b.report.ABI, true)
		require.ErrorIs(t, err, fs.ErrNotExist)
		_, err = ruleset(nil, minABI-1, true)
		require.ErrorContains(t, err, "ABI")
	}
	require.Equal(t, before, open())

	p := newPlace(t)
	prof := p.profile(t, ProfileOptions{Unguarded: []string{"."}})
	attack := `echo evil > "$O/f"`
	_, err := confined(t, b, p, prof, "true")
	require.NoError(t, err)
	before = open()
	for range 20 {
		out, err := confined(t, b, p, prof, attack)
		require.Error(t, err, out)
	}
	require.Equal(t, before, open(), "descriptors of commands that have ended")
	done := make(chan error)
	for range 20 {
		// On whatever threads there are.
		go func() { done <- os.WriteFile(filepath.Join(p.out, "f"), []byte("free"), 0o644) }()
	}
	for range 20 {
		require.NoError(t, <-done, "this process is as free as before")
	}
}
