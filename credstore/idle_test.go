//go:build linux

package credstore_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/credstore"
	"github.com/clearance-go/clearance/credstore/internal/format"
)

// asked is options with a passphrase that counts how often it was asked for.
func asked(t *testing.T, after time.Duration) (o credstore.Options, c *clock, times *atomic.Int32, refuse *atomic.Bool) {
	times, refuse = &atomic.Int32{}, &atomic.Bool{}
	c = newClock()
	o = c.in(options(t))
	o.InsecureFastKDF = true
	o.LockAfter = after
	o.Keys = []credstore.KeySource{credstore.Passphrase(func(context.Context) (credstore.Secret, error) {
		times.Add(1)
		if refuse.Load() {
			return credstore.Secret{}, errors.New("the person said no")
		}
		return credstore.NewSecret([]byte("p")), nil
	})}
	return o, c, times, refuse
}

// TestLock: every operation unlocks again through the key source, and none works when the source refuses.
func TestLock(t *testing.T) {
	dir := t.TempDir()
	o, _, times, refuse := asked(t, 0)
	o.Audit = credstore.AuditAll
	s := open(t, dir, o)
	set(t, s, "a", canary)
	files := s.Files()
	sh := func() error {
		cmd, release, err := s.Command(t.Context(), credstore.CommandOptions{Stdin: "a"}, "cat")
		if err == nil {
			_ = cmd
			release()
		}
		return err
	}
	for name, use := range map[string]func() error{
		"get":    func() error { _, err := s.Get(t.Context(), "a"); return err },
		"list":   func() error { _, err := s.List(t.Context()); return err },
		"set":    func() error { return s.Set(t.Context(), "b", credstore.NewSecret([]byte("value")), credstore.Meta{}) },
		"status": func() error { _, err := s.Status(t.Context()); return err },
		"audit":  func() error { _, err := s.VerifyAudit(t.Context()); return err },
		"export": func() error { return s.Export(t.Context(), &strings.Builder{}, credstore.ExportJSON) },
		"backup": func() error { return s.Backup(t.Context(), filepath.Join(t.TempDir(), "b")) },
		"rotate": func() error { return s.Rotate(t.Context(), credstore.RotateOptions{}) },
		"hidden": func() error { _, err := s.HiddenName(t.Context(), "a"); return err },
		"slot": func() error {
			slot, err := s.AddSlot(t.Context(), credstore.StaticPassphrase(credstore.NewSecret([]byte("q"))), "")
			if err == nil {
				err = s.RemoveSlot(t.Context(), slot.ID)
			}
			return err
		},
		"command": sh,
		"resolve": func() error { _, err := s.Resolve(t.Context(), "a"); return err },
	} {
		s.Lock()
		assert.True(t, credstore.Locked(s), name)
		assert.Equal(t, files, s.Files(), "what must be protected does not change")
		refuse.Store(true)
		require.ErrorContains(t, use(), "said no", name)
		refuse.Store(false)
		before := times.Load()
		require.NoError(t, use(), name)
		assert.Greater(t, times.Load(), before, "%s: the source was asked", name)
		assert.False(t, credstore.Locked(s), name)
	}
	s.Lock()
	s.Lock()
	require.NoError(t, s.Close())
	_, err := s.Get(t.Context(), "a")
	require.ErrorIs(t, err, credstore.ErrClosed)
	s.Lock()

	// What was put back while it was locked is noticed.
	s = open(t, dir, o)
	old := read(t, dir)
	set(t, s, "a", "newer")
	s.Lock()
	write(t, dir, old)
	_, err = s.Get(t.Context(), "a")
	require.ErrorIs(t, err, credstore.ErrRollback)
}

// TestLockAfter: idle time locks, by whichever clock says more; use does not let it.
func TestLockAfter(t *testing.T) {
	o, c, times, _ := asked(t, 10*time.Minute)
	s := open(t, t.TempDir(), o)
	set(t, s, "a", canary)
	assert.EqualValues(t, 1, times.Load())
	for range 5 {
		c.pass(9 * time.Minute)
		assert.Equal(t, canary, get(t, s, "a"))
	}
	assert.EqualValues(t, 1, times.Load(), "in use")
	c.pass(10 * time.Minute)
	get(t, s, "a")
	assert.EqualValues(t, 2, times.Load())
	c.jump(11 * time.Minute)
	set(t, s, "a", canary)
	assert.EqualValues(t, 3, times.Load(), "the machine slept")
	c.jump(-time.Hour)
	get(t, s, "a")
	assert.EqualValues(t, 3, times.Load(), "a clock that was set back keeps nothing open: the other one still counts")
	c.pass(10 * time.Minute)
	require.NoError(t, s.Rotate(t.Context(), credstore.RotateOptions{}))
	assert.Greater(t, times.Load(), int32(3))

	// With the real clock the timer does it, with nobody calling.
	o, _, times, _ = asked(t, 20*time.Millisecond)
	o = credstore.WithElapsed(o, nil)
	o.Now = nil
	s = open(t, t.TempDir(), o)
	set(t, s, "a", canary)
	require.Eventually(t, func() bool { return credstore.Locked(s) }, 2*time.Minute, time.Millisecond)
	before := times.Load()
	assert.Equal(t, canary, get(t, s, "a"))
	assert.Greater(t, times.Load(), before)
	o.LockAfter = 0
	never := open(t, t.TempDir(), o)
	assert.False(t, credstore.Locked(never))
}

// TestLockAndRedactor: a locked store redacts what it knows without asking anybody, what it does not know it asks for, and
// redacting is no use that keeps it open.
func TestLockAndRedactor(t *testing.T) {
	dir := t.TempDir()
	o, c, times, refuse := asked(t, 10*time.Minute)
	s := open(t, dir, o)
	set(t, s, "a", canary)
	r := s.Redactor()
	assert.NotContains(t, r.String(canary), "canary")
	s.Lock()
	assert.NotContains(t, r.String("x "+canary), "canary")
	assert.Contains(t, r.String("x "+canary), "x ")
	assert.EqualValues(t, 1, times.Load(), "nobody was asked")
	set(t, open(t, dir, o), "b", "set by another process")
	before := times.Load()
	assert.NotContains(t, r.String("set by another process"), "another", "the file changed: the new values are looked up")
	assert.Equal(t, before+1, times.Load())
	c.pass(6 * time.Minute)
	r.String("x")
	c.pass(6 * time.Minute)
	r.String("x")
	assert.True(t, credstore.Locked(s))
	set(t, s, "c", "set and locked at once")
	s.Lock()
	refuse.Store(true)
	assert.NotContains(t, r.String("x "+canary+" y"), "canary", "what was known stays hidden when nobody unlocks")
	refuse.Store(false)
	assert.NotContains(t, r.String("set and locked at once"), "locked at")
	s.Lock()
	fresh := open(t, dir, o)
	fresh.Lock()
	refuse.Store(true)
	assert.NotContains(t, fresh.Redactor().String("x "+canary), "canary", "a redactor that never knew the values hides everything")
}

// TestLockedMemory looks for the data key in the memory of another process.
func TestLockedMemory(t *testing.T) {
	notInShort(t, "the memory of the race detector is looked through with the rest, and it is large")
	dir := t.TempDir()
	key := format.Random(format.KeySize)
	o := credstore.Options{StateDir: filepath.Join(dir, "state"), Keys: []credstore.KeySource{credstore.KeyFile(filepath.Join(dir, "key"))}}
	writeKey(t, filepath.Join(dir, "key"), key)
	s := open(t, filepath.Join(dir, "store"), o)
	set(t, s, "a", canary)
	h, _, _, err := format.ParseHeader(read(t, filepath.Join(dir, "store")))
	require.NoError(t, err)
	dek, err := format.DefaultPolicy().Unwrap(h, &h.Slots[0], key)
	require.NoError(t, err)
	assert.Positive(t, copies(t, dir, "unlocked", string(dek)), "the control: an open store holds its key")
	assert.Zero(t, copies(t, dir, "locked", string(dek)))
}

// TestFileSystems: what other machines may share is named in Status, and refused on demand.
func TestFileSystems(t *testing.T) {
	for where, c := range map[string]struct {
		warns   string
		refused bool
	}{"local": {"", false}, "remote": {"lies on NFS, which other machines can share", true}, "unknown": {"may not be a local disk", true}, "no answer": {"not known", true}} {
		dir := t.TempDir()
		o := credstore.WithFileSystem(options(t), "NFS", where)
		s := open(t, dir, o)
		set(t, s, "a", canary)
		st, err := s.Status(t.Context())
		require.NoError(t, err)
		all := strings.Join(st.Warnings, "\n")
		if c.warns == "" {
			assert.Empty(t, all)
		} else {
			assert.Contains(t, all, "the store")
			assert.Contains(t, all, "the state directory")
			assert.Contains(t, all, c.warns)
		}
		o.RequireLocal = true
		again, err := credstore.Open(t.Context(), dir, o)
		if !c.refused {
			require.NoError(t, err)
			require.NoError(t, again.Close())
			continue
		}
		require.ErrorIs(t, err, credstore.ErrRemote, where)
		assert.NoFileExists(t, data(filepath.Join(dir, "other")))
		fresh := t.TempDir()
		_, err = credstore.Open(t.Context(), fresh, o)
		require.ErrorIs(t, err, credstore.ErrRemote, where)
		assert.NoFileExists(t, data(fresh), "nothing is written there")
	}
	// The kernel's own answer, and the table: one number of each kind (linux/magic.h).
	name, where := credstore.FileSystem(0x6969)
	assert.Equal(t, "NFS remote", name+" "+where)
	name, where = credstore.FileSystem(0xfe534d42)
	assert.Equal(t, "SMB (CIFS) remote", name+" "+where)
	name, where = credstore.FileSystem(0x01021997)
	assert.Equal(t, "9P remote", name+" "+where)
	name, where = credstore.FileSystem(0xef53)
	assert.Equal(t, "ext4 local", name+" "+where)
	name, where = credstore.FileSystem(0x65735546)
	assert.Equal(t, "FUSE unknown", name+" "+where)
	name, where = credstore.FileSystem(0x12345678)
	assert.Equal(t, "a file system of unknown type 0x12345678 unknown", name+" "+where)
	name, where, err := credstore.StatFS("/proc/self")
	require.NoError(t, err)
	assert.Equal(t, "a file system of unknown type 0x9fa0 unknown", name+" "+where, "proc(5), by the real statfs")
	_, _, err = credstore.StatFS("/no/such/dir")
	require.Error(t, err)
}
