//go:build linux

package credstore_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/credstore"
)

func keysOf(texts ...string) []credstore.KeySource {
	var out []credstore.KeySource
	for _, text := range texts {
		out = append(out, credstore.StaticPassphrase(credstore.NewSecret([]byte(text))))
	}
	return out
}

func TestSlots(t *testing.T) {
	dir, o := t.TempDir(), passphrase(options(t), "first")
	s := open(t, dir, o)
	set(t, s, "a", canary)
	recovery, err := s.AddSlot(t.Context(), keysOf("recovery")[0], "recovery code")
	require.NoError(t, err)
	auto, err := s.AddSlot(t.Context(), credstore.AutoKeyFile(), "")
	require.NoError(t, err)
	assert.Equal(t, "raw", auto.Type)
	for _, text := range []string{"first", "recovery"} {
		assert.Equal(t, canary, get(t, open(t, dir, passphrase(o, text)), "a"))
	}
	o.Keys = []credstore.KeySource{credstore.AutoKeyFile()}
	assert.Equal(t, canary, get(t, open(t, dir, o), "a"))
	st, err := s.Status(t.Context())
	require.NoError(t, err)
	require.Len(t, st.Slots, 3)
	assert.Equal(t, "recovery code", st.Slots[1].Label)
	require.ErrorIs(t, s.RemoveSlot(t.Context(), "0000"), credstore.ErrNotFound)
	withAuto := open(t, dir, o)
	require.NoError(t, withAuto.RemoveSlot(t.Context(), auto.ID))
	left, err := filepath.Glob(filepath.Join(o.StateDir, "*.key"))
	require.NoError(t, err)
	assert.Empty(t, left, "its key file is gone")
	require.NoError(t, s.RemoveSlot(t.Context(), st.Slots[0].ID))
	_, err = credstore.Open(t.Context(), dir, passphrase(o, "first"))
	require.ErrorIs(t, err, credstore.ErrWrongKey)
	require.ErrorIs(t, s.RemoveSlot(t.Context(), recovery.ID), credstore.ErrLastSlot)
	for range 7 {
		_, err = s.AddSlot(t.Context(), keysOf("more")[0], "")
		require.NoError(t, err)
	}
	_, err = s.AddSlot(t.Context(), keysOf("more")[0], "")
	require.ErrorIs(t, err, credstore.ErrTooLarge)
	_, err = s.AddSlot(t.Context(), keysOf("more")[0], "bad\nlabel")
	require.ErrorIs(t, err, credstore.ErrTooLarge)
	o.RequireProtection = credstore.PassphraseProtection
	_, err = open(t, dir, passphrase(o, "recovery")).AddSlot(t.Context(), credstore.AutoKeyFile(), "")
	require.ErrorIs(t, err, credstore.ErrProtection)
}

func TestRotate(t *testing.T) {
	dir, o := t.TempDir(), options(t)
	s := open(t, dir, o)
	set(t, s, "a", canary)
	require.NoError(t, s.SetToken(t.Context(), "b", credstore.Token{Value: credstore.NewSecret([]byte("value-b")), Refresh: credstore.NewSecret([]byte("refresh-b"))}, credstore.Meta{Label: "B"}))
	before, err := filepath.Glob(filepath.Join(o.StateDir, "*.key"))
	require.NoError(t, err)
	require.Len(t, before, 1)
	oldKey, err := os.ReadFile(before[0])
	require.NoError(t, err)
	entries, err := s.List(t.Context())
	require.NoError(t, err)
	old := read(t, dir)
	require.NoError(t, s.Rotate(t.Context(), credstore.RotateOptions{}))
	after, err := filepath.Glob(filepath.Join(o.StateDir, "*.key"))
	require.NoError(t, err)
	require.Len(t, after, 1)
	assert.NotEqual(t, before, after, "a source that makes its keys makes a new one")
	assert.Equal(t, canary, get(t, s, "a"))
	fresh := open(t, dir, o)
	assert.Equal(t, "value-b", get(t, fresh, "b"))
	same, err := fresh.List(t.Context())
	require.NoError(t, err)
	assert.Equal(t, entries, same)
	backup, err := os.ReadFile(data(dir) + ".bak")
	require.NoError(t, err)
	assert.Equal(t, read(t, dir), backup, "nothing in the directory opens under the old key")
	set(t, s, "c", "after the rotation")
	require.NoError(t, s.Delete(t.Context(), "c"))
	left, err := filepath.Glob(filepath.Join(dir, ".credentials-*"))
	require.NoError(t, err)
	assert.Empty(t, left, "nor does a save afterwards leave a third name")
	copied := options(t)
	copied.Keys = []credstore.KeySource{credstore.Key(credstore.NewSecret(oldKey), credstore.Obfuscation)}
	elsewhere := t.TempDir()
	require.NoError(t, os.WriteFile(data(elsewhere), old, 0o600))
	assert.Equal(t, canary, get(t, open(t, elsewhere, copied), "a"), "the control: the old copy opens under the old key")
	require.NoError(t, os.WriteFile(data(elsewhere), read(t, dir), 0o600))
	_, err = credstore.Open(t.Context(), elsewhere, credstore.Options{Keys: copied.Keys, StateDir: t.TempDir()})
	require.ErrorIs(t, err, credstore.ErrWrongKey)
}

func TestRotateWithLockedSlot(t *testing.T) {
	dir, o := t.TempDir(), passphrase(options(t), "mine")
	s := open(t, dir, o)
	set(t, s, "a", canary)
	_, err := s.AddSlot(t.Context(), keysOf("theirs")[0], "theirs")
	require.NoError(t, err)
	require.ErrorIs(t, s.Rotate(t.Context(), credstore.RotateOptions{}), credstore.ErrSlotLocked)
	assert.Equal(t, canary, get(t, open(t, dir, passphrase(o, "theirs")), "a"))
	both := o
	both.Keys = keysOf("mine", "theirs")
	require.NoError(t, open(t, dir, both).Rotate(t.Context(), credstore.RotateOptions{}))
	assert.Equal(t, canary, get(t, open(t, dir, passphrase(o, "theirs")), "a"))
	require.NoError(t, s.Rotate(t.Context(), credstore.RotateOptions{RemoveLocked: true}))
	_, err = credstore.Open(t.Context(), dir, passphrase(o, "theirs"))
	require.ErrorIs(t, err, credstore.ErrWrongKey)
	assert.Equal(t, canary, get(t, s, "a"))
}

func TestBackupAndRecover(t *testing.T) {
	dir, o := t.TempDir(), passphrase(options(t), "p")
	s := open(t, dir, o)
	set(t, s, "a", "first-value")
	path := filepath.Join(t.TempDir(), "backup")
	require.NoError(t, s.Backup(t.Context(), path))
	require.ErrorIs(t, s.Backup(t.Context(), path), os.ErrExist)
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, read(t, dir), raw)
	set(t, s, "a", "second-value")
	for name, damage := range map[string]func([]byte) []byte{
		"header":  func(raw []byte) []byte { raw[20] ^= 1; return raw },
		"body":    func(raw []byte) []byte { raw[len(raw)-1] ^= 1; return raw },
		"cut":     func(raw []byte) []byte { return raw[:100] },
		"empty":   func([]byte) []byte { return nil },
		"missing": nil,
	} {
		good := read(t, dir)
		if damage == nil {
			require.NoError(t, os.Remove(data(dir)))
		} else {
			write(t, dir, damage(bytes.Clone(good)))
		}
		_, err = credstore.Open(t.Context(), dir, o)
		require.Error(t, err, name)
		recovering := o
		recovering.Recover = true
		back := open(t, dir, recovering)
		assert.Equal(t, "first-value", get(t, back, "a"), name)
		st, err := back.Status(t.Context())
		require.NoError(t, err)
		assert.Contains(t, strings.Join(st.Warnings, "\n"), "recovered", name)
		if damage != nil {
			assert.FileExists(t, data(dir)+".damaged", name)
		}
		set(t, back, "a", "second-value") // the generation before this one is first-value again
	}
	// A wrong passphrase is no damage: everything stays as it is.
	wrong := passphrase(o, "wrong")
	wrong.Recover = true
	was := read(t, dir)
	_, err = credstore.Open(t.Context(), dir, wrong)
	require.ErrorIs(t, err, credstore.ErrWrongKey)
	assert.Equal(t, was, read(t, dir))
	assert.Equal(t, "second-value", get(t, open(t, dir, o), "a"))
}

func TestSystemdCredential(t *testing.T) {
	o := options(t)
	o.Keys = []credstore.KeySource{credstore.SystemdCredential("store.key", credstore.NoProtection)}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	_, err := credstore.Open(t.Context(), t.TempDir(), o)
	require.ErrorIs(t, err, credstore.ErrNoKey)
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	_, err = credstore.Open(t.Context(), t.TempDir(), o)
	require.ErrorIs(t, err, os.ErrNotExist)
	path := filepath.Join(dir, "store.key")
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("0123456789abcdef", 4)+"\n"), 0o400))
	store := t.TempDir()
	s := open(t, store, o)
	set(t, s, "a", canary)
	assert.Equal(t, canary, get(t, open(t, store, o), "a"))
	st, err := s.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "systemd credential store.key", st.Source)
	require.NoError(t, os.Chmod(path, 0o444))
	_, err = credstore.Open(t.Context(), store, o)
	require.ErrorIs(t, err, credstore.ErrPermissions)
	for _, bad := range []string{"../store.key", "", "..", "a/b"} {
		o.Keys = []credstore.KeySource{credstore.SystemdCredential(bad, credstore.NoProtection)}
		_, err = credstore.Open(t.Context(), store, o)
		require.ErrorIs(t, err, credstore.ErrBadKey, bad)
	}
}

func TestPassphraseFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pass")
	require.NoError(t, os.WriteFile(path, []byte("correct horse\n"), 0o600))
	dir, o := t.TempDir(), passphrase(options(t), "correct horse")
	set(t, open(t, dir, o), "a", canary)
	o.Keys = []credstore.KeySource{credstore.PassphraseFile(path)}
	s := open(t, dir, o)
	assert.Equal(t, canary, get(t, s, "a"))
	st, err := s.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, credstore.Obfuscation, st.Protection)
	for text, want := range map[string]error{"": credstore.ErrEmptyPassphrase, "\n": credstore.ErrEmptyPassphrase, "a\nb": credstore.ErrBadKey} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err = credstore.Open(t.Context(), dir, o)
		require.ErrorIs(t, err, want)
	}
}

// rotateWorker rotates; the fault point is the number of the disk operation before which it kills itself.
func rotateWorker(dir string) error {
	dir, at, _ := strings.Cut(dir, "|")
	o := passphrase(credstore.Options{StateDir: filepath.Join(dir, "state")}, "p")
	o.Keys = append(o.Keys, credstore.AutoKeyFile())
	disk := &faultyDisk{Disk: credstore.OSDisk()}
	s, err := credstore.Open(context.Background(), filepath.Join(dir, "store"), credstore.WithDisk(o, disk))
	if err != nil {
		return err
	}
	disk.then = func(n int, _, _ string) {
		if fmt.Sprint(n) == at {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	}
	disk.count = 0
	if err := s.Rotate(context.Background(), credstore.RotateOptions{}); err != nil {
		return err
	}
	fmt.Println(disk.count)
	return nil
}

func vectorK23(t *testing.T) {
	make := func() (string, credstore.Options) {
		dir := t.TempDir()
		o := passphrase(credstore.Options{StateDir: filepath.Join(dir, "state")}, "p")
		s := open(t, filepath.Join(dir, "store"), o)
		set(t, s, "a", canary)
		set(t, s, "b", "value-b")
		_, err := s.AddSlot(t.Context(), credstore.AutoKeyFile(), "")
		require.NoError(t, err)
		require.NoError(t, s.Close())
		return dir, o
	}
	dir, _ := make()
	out, err := spawnOutput(t, "rotate|"+dir+"|0")
	require.NoError(t, err)
	steps := 0
	_, err = fmt.Sscan(out, &steps)
	require.NoError(t, err)
	require.Greater(t, steps, 10)
	oldKid, newKid := 0, 0
	for at := 1; at <= steps; at += sized(1, 1, 6) {
		dir, o := make()
		before := kid(t, filepath.Join(dir, "store"))
		_, err := spawnOutput(t, fmt.Sprintf("rotate|%s|%d", dir, at))
		require.Error(t, err, "killed at %d", at)
		for _, keys := range [][]credstore.KeySource{keysOf("p"), {credstore.AutoKeyFile()}} {
			o.Keys = keys
			s, err := credstore.Open(t.Context(), filepath.Join(dir, "store"), o)
			require.NoError(t, err, "killed at %d", at)
			assert.Equal(t, canary, get(t, s, "a"))
			assert.Equal(t, "value-b", get(t, s, "b"))
			require.NoError(t, s.Close())
		}
		if bytes.Equal(before, kid(t, filepath.Join(dir, "store"))) {
			oldKid++
		} else {
			newKid++
		}
	}
	assert.Positive(t, oldKid)
	if !testing.Short() { // which goes over the few last steps
		assert.Positive(t, newKid)
	}
	t.Logf("%d fault points: %d left the old key, %d the new one", steps, oldKid, newKid)
}

// kid is the key ID in the header of a store.
func kid(t *testing.T, dir string) []byte {
	raw := read(t, dir)
	i := bytes.Index(raw, []byte(`"kid":"`))
	require.Positive(t, i)
	return bytes.Clone(raw[i+7 : i+19])
}

func spawnOutput(t *testing.T, work string) (string, error) {
	cmd := spawn(t, work)
	out, err := cmd.Output()
	return string(out), err
}

// setWorker sets an entry for each line of standard input.
func setWorker(dir string) error {
	o := passphrase(credstore.Options{StateDir: filepath.Join(dir, "state")}, "p")
	s, err := credstore.Open(context.Background(), filepath.Join(dir, "store"), o)
	if err != nil {
		return err
	}
	fmt.Println("open")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), "=")
		fmt.Println(s.Set(context.Background(), name, credstore.NewSecret([]byte(value)), credstore.Meta{}))
	}
	return nil
}

func vectorK24(t *testing.T) {
	dir := t.TempDir()
	o := passphrase(credstore.Options{StateDir: filepath.Join(dir, "state")}, "p")
	s := open(t, filepath.Join(dir, "store"), o)
	set(t, s, "a", canary)
	cmd := spawn(t, "set|"+dir)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() { in.Close(); _ = cmd.Wait() }()
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	require.NoError(t, s.Rotate(t.Context(), credstore.RotateOptions{}))
	rotated := kid(t, filepath.Join(dir, "store"))
	fmt.Fprintln(in, "b=from the other process")
	require.True(t, lines.Scan())
	assert.Equal(t, "<nil>", lines.Text())
	assert.Equal(t, rotated, kid(t, filepath.Join(dir, "store")), "nothing is written with the old key")
	assert.Equal(t, "from the other process", get(t, s, "b"))
	assert.Equal(t, canary, get(t, s, "a"))
	// And when the other process has no key any more.
	_, err = s.AddSlot(t.Context(), keysOf("new")[0], "")
	require.NoError(t, err)
	st, err := s.Status(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.RemoveSlot(t.Context(), st.Slots[0].ID))
	renewed := open(t, filepath.Join(dir, "store"), passphrase(o, "new"))
	require.NoError(t, renewed.Rotate(t.Context(), credstore.RotateOptions{}))
	was := read(t, filepath.Join(dir, "store"))
	fmt.Fprintln(in, "c=value-c")
	require.True(t, lines.Scan())
	assert.Contains(t, lines.Text(), credstore.ErrKeyChanged.Error())
	assert.Equal(t, was, read(t, filepath.Join(dir, "store")))
	_, err = s.Get(t.Context(), "a")
	require.ErrorIs(t, err, credstore.ErrKeyChanged)
}

func slotVectors() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"K23": vectorK23,
		"K24": vectorK24,
		"T04": func(t *testing.T) {
			dir, o := t.TempDir(), passphrase(options(t), "one")
			s := open(t, dir, o)
			set(t, s, "a", canary)
			_, err := s.AddSlot(t.Context(), keysOf("two")[0], "recovery")
			require.NoError(t, err)
			raw := read(t, dir)
			end := 12 + int(raw[10])<<8 + int(raw[11])
			header := string(raw[12:end])
			second := strings.LastIndex(header, `,{"type"`)
			header = header[:second] + "]}"
			cut := append(bytes.Clone(raw[:10]), byte(len(header)>>8), byte(len(header)))
			refuse(t, dir, append(append(cut, header...), raw[end:]...), o, credstore.ErrTampered)
		},
	}
}

// An error of Open says which source had nothing, and how to go on.
func TestOpenSaysTheFix(t *testing.T) {
	o := options(t)
	o.Keys = []credstore.KeySource{credstore.Environment("CREDSTORE_TEST_UNSET"), credstore.SystemdCredential("k", credstore.NoProtection)}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	_, err := credstore.Open(t.Context(), t.TempDir(), o)
	require.ErrorIs(t, err, credstore.ErrNoKey)
	require.ErrorContains(t, err, "environment variable CREDSTORE_TEST_UNSET: it is not set")
	require.ErrorContains(t, err, "$CREDENTIALS_DIRECTORY is not set")
	o = options(t)
	o.ReadOnly = true
	_, err = credstore.Open(t.Context(), t.TempDir(), o)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "open it without Options.ReadOnly")
}
