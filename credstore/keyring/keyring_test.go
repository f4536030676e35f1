package keyring

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	zkeyring "github.com/zalando/go-keyring"

	"github.com/clearance-go/clearance/credstore"
)

// fake is a back end in memory.
type fake struct {
	mu    sync.Mutex
	items map[string]string
	err   error
	block chan struct{} // never answers until closed
}

func (f *fake) enter() error {
	if f.block != nil {
		<-f.block
	}
	f.mu.Lock()
	return f.err
}

func (f *fake) Set(service, user, password string) error {
	err := f.enter()
	defer f.mu.Unlock()
	if err == nil {
		f.items[service+"/"+user] = password
	}
	return err
}

func (f *fake) Get(service, user string) (string, error) {
	err := f.enter()
	defer f.mu.Unlock()
	text, ok := f.items[service+"/"+user]
	if err == nil && !ok {
		err = zkeyring.ErrNotFound
	}
	return text, err
}

func (f *fake) Delete(service, user string) error {
	err := f.enter()
	defer f.mu.Unlock()
	delete(f.items, service+"/"+user)
	return err
}

func with(f *fake, o Options) *source {
	if f.items == nil {
		f.items = map[string]string{}
	}
	c := newClient(o)
	c.backend = f
	return &source{c}
}

func TestStoreInKeyring(t *testing.T) {
	f := &fake{}
	src := with(f, Options{})
	dir, o := t.TempDir(), credstore.Options{StateDir: t.TempDir(), Keys: []credstore.KeySource{src}}
	s, err := credstore.Open(t.Context(), dir, o)
	require.NoError(t, err)
	require.NoError(t, s.Set(t.Context(), "a", credstore.NewSecret([]byte("value")), credstore.Meta{}))
	st, err := s.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, credstore.SessionProtection, st.Protection)
	require.Len(t, f.items, 1)
	for _, text := range f.items {
		assert.Len(t, text, 44, "32 bytes and nothing else")
	}
	require.NoError(t, s.Rotate(t.Context(), credstore.RotateOptions{}))
	require.Len(t, f.items, 1, "the old item is gone")
	_, err = credstore.Open(t.Context(), dir, o)
	require.NoError(t, err)

	f.err = errors.New(`exec: "dbus-launch": executable file not found in $PATH`)
	_, err = credstore.Open(t.Context(), dir, o)
	require.ErrorIs(t, err, credstore.ErrNoKey)
	require.ErrorIs(t, err, ErrUnavailable)
	f.err = errors.New("failed to unlock correct collection '/org/freedesktop/secrets/aliases/default'")
	_, err = credstore.Open(t.Context(), dir, o)
	require.ErrorIs(t, err, ErrLocked)
	_, err = credstore.Open(t.Context(), t.TempDir(), credstore.Options{StateDir: t.TempDir(), Keys: []credstore.KeySource{src, credstore.AutoKeyFile()}})
	require.ErrorIs(t, err, ErrLocked, "a locked desktop does not end in a weaker store")
	f.err = errors.New("something new")
	_, err = credstore.Open(t.Context(), dir, o)
	require.ErrorContains(t, err, "something new", "an unknown error is no absence")
	assert.NotErrorIs(t, err, credstore.ErrNoKey)
	f.err = nil
	for k := range f.items {
		f.items[k] = "not a key"
	}
	_, err = credstore.Open(t.Context(), dir, o)
	require.ErrorIs(t, err, credstore.ErrBadKey)
}

func TestFallsBackOnlyWhereListed(t *testing.T) {
	f := &fake{err: errors.New("The name org.freedesktop.secrets was not provided by any .service files")}
	src := with(f, Options{})
	_, err := credstore.Open(t.Context(), t.TempDir(), credstore.Options{StateDir: t.TempDir(), Keys: []credstore.KeySource{src}})
	require.ErrorIs(t, err, credstore.ErrNoKey)
	s, err := credstore.Open(t.Context(), t.TempDir(), credstore.Options{StateDir: t.TempDir(), Keys: []credstore.KeySource{src, credstore.AutoKeyFile()}})
	require.NoError(t, err)
	st, err := s.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, credstore.Obfuscation, st.Protection)
	assert.Contains(t, strings.Join(st.Warnings, "\n"), "absent", "and Status says so")
	_, err = credstore.Open(t.Context(), t.TempDir(), credstore.Options{StateDir: t.TempDir(), RequireProtection: credstore.SessionProtection,
		Keys: []credstore.KeySource{src, credstore.AutoKeyFile()}})
	require.ErrorIs(t, err, credstore.ErrProtection)
}

func TestRecoverySlotBehindTheKeyring(t *testing.T) {
	f := &fake{}
	src := with(f, Options{})
	dir, state := t.TempDir(), t.TempDir()
	pass := credstore.StaticPassphrase(credstore.NewSecret([]byte("recovery")))
	o := credstore.Options{StateDir: state, Keys: []credstore.KeySource{src, pass}, InsecureFastKDF: true}
	s, err := credstore.Open(t.Context(), dir, o)
	require.NoError(t, err)
	_, err = s.AddSlot(t.Context(), pass, "recovery")
	require.NoError(t, err)
	f.err = errors.New("Cannot get secret of a locked object")
	again, err := credstore.Open(t.Context(), dir, o)
	require.NoError(t, err)
	st, err := again.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "passphrase", st.Source)
	assert.Contains(t, strings.Join(st.Warnings, "\n"), "locked")
}

// TestK20 is vector K20: a prompt that nobody answers.
func TestK20(t *testing.T) {
	f := &fake{}
	src := with(f, Options{Wait: time.Hour})
	dir, o := t.TempDir(), credstore.Options{StateDir: t.TempDir(), Keys: []credstore.KeySource{src}}
	_, err := credstore.Open(t.Context(), dir, o)
	require.NoError(t, err)
	f.block = make(chan struct{})
	defer close(f.block)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = credstore.Open(ctx, dir, o)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	src.o.Wait = 20 * time.Millisecond // the first request still hangs: there is no second one
	_, err = credstore.Open(t.Context(), dir, o)
	require.ErrorIs(t, err, ErrLocked)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestBadNames(t *testing.T) {
	for _, name := range []string{"-s", "a\nadd-generic-password", "a b", "é", strings.Repeat("a", 65), "a/b", "$(x)"} {
		_, err := credstore.Open(t.Context(), t.TempDir(), credstore.Options{StateDir: t.TempDir(), Keys: []credstore.KeySource{with(&fake{}, Options{Service: name})}})
		require.ErrorIs(t, err, ErrBadService, "%q", name)
	}
}

func TestAnchorInKeyring(t *testing.T) {
	f := &fake{items: map[string]string{}}
	a := &anchor{with(f, Options{}).client, "anchor-of-test"}
	dir, o := t.TempDir(), credstore.Options{StateDir: t.TempDir(), Anchor: a}
	s, err := credstore.Open(t.Context(), dir, o)
	require.NoError(t, err)
	old, err := os.ReadFile(filepath.Join(dir, "credentials.store"))
	require.NoError(t, err)
	for _, value := range []string{"one-value", "two-value"} {
		require.NoError(t, s.Set(t.Context(), "a", credstore.NewSecret([]byte(value)), credstore.Meta{}))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "credentials.store"), old, 0o600))
	_, err = credstore.Open(t.Context(), dir, o)
	require.ErrorIs(t, err, credstore.ErrRollback)
	f.items["clearance/anchor-of-test"] = "{"
	_, err = credstore.Open(t.Context(), dir, o)
	require.ErrorIs(t, err, credstore.ErrAnchor)
}

// TestSecretService runs against a real keyring daemon on a session bus of its own: unlocked, locked and absent.
func TestSecretService(t *testing.T) {
	mode := os.Getenv("KEYRING_TEST_MODE")
	if mode != "" {
		inSession(t, mode)
		return
	}
	for _, program := range []string{"dbus-run-session", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing: install the packages dbus and gnome-keyring", program)
			}
			t.Skipf("%s is missing: install the packages dbus and gnome-keyring", program)
		}
	}
	for mode, start := range map[string]string{
		"unlocked": `printf testpass | gnome-keyring-daemon --unlock --components=secrets --daemonize >/dev/null`,
		"locked":   `gnome-keyring-daemon --start --components=secrets --daemonize >/dev/null`,
		"absent":   `true`,
	} {
		t.Run(mode, func(t *testing.T) {
			home, run := t.TempDir(), t.TempDir()
			require.NoError(t, os.Chmod(run, 0o700))
			script := start + "\nexec " + os.Args[0] + " -test.run '^TestSecretService$' -test.v"
			cmd := exec.CommandContext(t.Context(), "dbus-run-session", "--", "sh", "-c", script)
			if mode == "absent" { // no bus at all
				cmd = exec.CommandContext(t.Context(), "sh", "-c", script)
			}
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_RUNTIME_DIR=" + run, "XDG_DATA_HOME=" + home, "KEYRING_TEST_MODE=" + mode, "TMPDIR=" + t.TempDir()}
			cmd.WaitDelay = time.Second // the daemon may outlive the bus for a moment and holds our pipe
			out, err := cmd.CombinedOutput()
			if errors.Is(err, exec.ErrWaitDelay) {
				err = nil
			}
			require.NoError(t, err, "%s", out)
			require.Contains(t, string(out), "mode "+mode+" was tested")
		})
	}
}

// inSession is the part that runs on the other bus.
func inSession(t *testing.T, mode string) {
	src := New(Options{Service: "clearance-test", Wait: time.Minute})
	dir, o := t.TempDir(), credstore.Options{StateDir: t.TempDir(), Keys: []credstore.KeySource{src}}
	s, err := credstore.Open(t.Context(), dir, o)
	switch mode {
	case "unlocked":
		require.NoError(t, err)
		require.NoError(t, s.Set(t.Context(), "big/token", credstore.NewSecret([]byte(strings.Repeat("0123456789", 10_000))), credstore.Meta{}))
		again, err := credstore.Open(t.Context(), dir, o)
		require.NoError(t, err)
		value, err := again.Get(t.Context(), "big/token")
		require.NoError(t, err)
		assert.Equal(t, 100_000, value.Len())
		require.NoError(t, again.Rotate(t.Context(), credstore.RotateOptions{}))
		a := Anchor(Options{Service: "clearance-test", Wait: time.Minute}, "test-anchor")
		record, err := a.Load(t.Context())
		require.NoError(t, err)
		assert.Nil(t, record)
		require.NoError(t, a.Save(t.Context(), &credstore.AnchorRecord{Version: 1, StoreID: "x"}))
		record, err = a.Load(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "x", record.StoreID)
	case "locked":
		require.ErrorIs(t, err, ErrLocked)
		assert.NoFileExists(t, filepath.Join(dir, "credentials.store"))
	case "absent":
		require.ErrorIs(t, err, ErrUnavailable)
		require.ErrorIs(t, err, credstore.ErrNoKey)
	default:
		t.Fatal("unknown mode")
	}
	fmt.Println("mode", mode, "was tested")
}
