//go:build unix

package settings_test

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/settings"
)

// A named pipe in the place of a settings file: opening it the plain way waits
// for ever, and with it every call.
func TestPipeInPlaceOfSettingsDoesNotHang(t *testing.T) {
	for _, name := range []string{"/home/proj/.claude/settings.json", "/home/proj/.claude/settings.local.json", "/home/.claude/settings.json", "/etc/managed-settings.json"} {
		p := newPlace(t)
		p.write("home/proj/.claude/x", "")
		p.write("home/.claude/x", "")
		p.write("etc/x", "")
		require.NoError(t, syscall.Mkfifo(p.root+name, 0o600))
		done := make(chan *settings.Settings, 1)
		go func() {
			s, err := settings.Load(context.Background(), p.src)
			assert.Error(t, err, name)
			done <- s
		}()
		select {
		case s := <-done:
			assert.NotEqual(t, permission.Allow, verdict(t, s.Policy(), "ls"), name)
		case <-time.After(time.Minute):
			// Let the reader go.
			if f, err := os.OpenFile(p.root+name, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
				f.Close()
			}
			t.Fatalf("%s: reading a named pipe hangs", name)
		}
	}
}

// A managed file that is there and cannot be used, or that anybody can write, is
// not an absent one: its deny rules are unknown.
func TestManagedFileThatIsThereIsNeverAbsent(t *testing.T) {
	const text = `{"permissions":{"allow":["Bash(ls)"]}}`
	for name, plant := range map[string]func(t *testing.T, file string){
		"empty":            func(t *testing.T, file string) { require.NoError(t, os.WriteFile(file, nil, 0o644)) },
		"folder":           func(t *testing.T, file string) { require.NoError(t, os.Mkdir(file, 0o755)) },
		"dangling link":    func(t *testing.T, file string) { require.NoError(t, os.Symlink("gone", file)) },
		"link to itself":   func(t *testing.T, file string) { require.NoError(t, os.Symlink(file, file)) },
		"null device":      func(t *testing.T, file string) { require.NoError(t, os.Symlink("/dev/null", file)) },
		"socket-like zero": func(t *testing.T, file string) { require.NoError(t, os.Symlink("/dev/zero", file)) },
		"drop-ins are a file": func(t *testing.T, file string) {
			require.NoError(t, os.WriteFile(file[:len(file)-len(".json")]+".d", nil, 0o644))
		},
		"drop-ins are a dangling link": func(t *testing.T, file string) {
			require.NoError(t, os.Symlink("gone", file[:len(file)-len(".json")]+".d"))
		},
		"writable by everybody": func(t *testing.T, file string) {
			require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
			require.NoError(t, os.Chmod(file, 0o666))
		},
		"of another user": func(t *testing.T, file string) {
			if os.Geteuid() != 0 {
				t.Skip("only root can give a file away")
			}
			require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
			require.NoError(t, os.Chown(file, 12345, 12345))
		},
		"of another group that may write": func(t *testing.T, file string) {
			if os.Geteuid() != 0 {
				t.Skip("only root can give a file to another group")
			}
			require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
			require.NoError(t, os.Chown(file, 0, 12345))
			require.NoError(t, os.Chmod(file, 0o664))
		},
		"in a folder that everybody can write": func(t *testing.T, file string) {
			require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
			require.NoError(t, os.Chmod(file[:len(file)-len("/managed-settings.json")], 0o777))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.write("etc/x", "")
			p.write("home/.claude/settings.json", text)
			require.Equal(t, permission.Allow, verdict(t, p.load().Policy(), "ls"), "without a managed file")
			plant(t, p.src.Managed)
			s, err := settings.Load(context.Background(), p.src)
			require.Error(t, err)
			assert.NotEqual(t, permission.Allow, verdict(t, s.Policy(), "ls"))
			_, _, ok := s.Value("permissions")
			_, layer, _ := s.Value("permissions")
			assert.True(t, ok && layer == permission.LayerUser, "nothing of the managed file counts, and the others do")
		})
	}
	// A link to a good file, and one that the group may write, are in use.
	p := newPlace(t)
	p.write("etc/real.json", text)
	require.NoError(t, os.Symlink("real.json", p.src.Managed))
	assert.Equal(t, permission.Allow, verdict(t, p.load().Policy(), "ls"))
}
