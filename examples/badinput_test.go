package examples

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/credstore"
	"github.com/clearance-go/clearance/mcptrust"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/settings"
	"github.com/clearance-go/clearance/permission/toolset"
	"github.com/clearance-go/clearance/scope"
)

// world is a scratch home and project.
type world struct{ root, home, dir string }

func newWorld(t *testing.T) world {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	w := world{root, filepath.Join(root, "home"), filepath.Join(root, "project")}
	for _, d := range []string{filepath.Join(w.home, ".claude"), filepath.Join(w.dir, ".claude")} {
		require.NoError(t, os.MkdirAll(d, 0o700))
	}
	return w
}

func (w world) load(t *testing.T) (*settings.Settings, error) {
	t.Helper()
	return settings.Load(context.Background(), settings.Sources{Home: w.home, Dir: w.dir, Managed: filepath.Join(w.root, "managed.json")})
}

// session decides with nobody to ask.
func (w world) session(t *testing.T, rules *settings.Settings) *permission.Session {
	t.Helper()
	guard, err := scope.New(w.dir, scope.Options{Home: w.home, Protect: rules.Files()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = guard.Close() })
	eval, err := permission.New(permission.Config{Policy: rules.Policy(),
		Inspector: toolset.New(guard, bashcheck.New(bashcheck.Options{Home: w.home}))})
	require.NoError(t, err)
	return permission.NewGate(eval, permission.GateOptions{}).Session(permission.SessionOptions{Dir: w.dir})
}

func call(tool string, input map[string]any) permission.Call {
	b, _ := json.Marshal(input)
	return permission.Call{Tool: tool, Input: b}
}

// TestBrokenSettingsAskForEverything: what cannot be read may hold a deny rule.
func TestBrokenSettingsAskForEverything(t *testing.T) {
	for name, text := range map[string]string{
		"malformed":      "{\n  \"permissions\": {\n    \"deny\": [\"Read(.env)\",]\n  }\n}",
		"duplicate keys": `{"permissions":{"deny":["Bash(ls)"]},"permissions":{}}`,
		"wrong type":     `{"permissions":{"deny":"Bash(ls)"}}`,
		"deep":           `{"a":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`,
		"not UTF-8":      "{\"a\":\"\xff\"}",
		"truncated":      `{"permissions":`,
		"trailing":       `{} {}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			file := filepath.Join(w.home, ".claude", "settings.json")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			rules, err := w.load(t)
			var broken *permission.SettingsError
			require.ErrorAs(t, err, &broken)
			require.Equal(t, file, broken.File)
			_, err = w.session(t, rules).Authorize(context.Background(), call("Bash", map[string]any{"command": "ls"}))
			var refused *permission.RefusedError
			require.ErrorAs(t, err, &refused, "ls must not run while rules are unknown")
			require.Contains(t, refused.Error(), file)
		})
	}
	// The same session with settings that can be read runs it.
	w := newWorld(t)
	rules, err := w.load(t)
	require.NoError(t, err)
	_, err = w.session(t, rules).Authorize(context.Background(), call("Bash", map[string]any{"command": "ls"}))
	require.NoError(t, err)
}

func TestUnknownModeIsAnError(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(w.home, ".claude", "settings.json")
	require.NoError(t, os.WriteFile(file, []byte("{\n  \"permissions\": {\n    \"defaultMode\": \"yolo\"\n  }\n}"), 0o600))
	rules, err := w.load(t)
	var broken *permission.SettingsError
	require.ErrorAs(t, err, &broken)
	require.Equal(t, 3, broken.Line)
	require.Equal(t, permission.ModeDefault, rules.Policy().DefaultMode())
}

// TestHostileCalls: nothing is allowed by accident and the process lives.
func TestHostileCalls(t *testing.T) {
	w := newWorld(t)
	rules, err := w.load(t)
	require.NoError(t, err)
	s := w.session(t, rules)
	for name, c := range map[string]permission.Call{
		"10 MB command":       call("Bash", map[string]any{"command": "ls " + strings.Repeat("a", 10<<20)}),
		"300,000 brackets":    call("Bash", map[string]any{"command": strings.Repeat("(", 300_000)}),
		"300,000 substitutes": call("Bash", map[string]any{"command": strings.Repeat("$(", 300_000)}),
		"NUL in a command":    call("Bash", map[string]any{"command": "ls\x00; touch x"}),
		"NUL in a path":       call("Read", map[string]any{"file_path": w.dir + "/a\x00b"}),
		"1 MB path":           call("Read", map[string]any{"file_path": w.dir + "/" + strings.Repeat("a/", 1<<19)}),
		"no input":            {Tool: "Bash"},
		"array":               {Tool: "Read", Input: json.RawMessage("[]")},
		"deep input":          {Tool: "Bash", Input: json.RawMessage(`{"command":` + strings.Repeat("[", 100_000))},
		"no tool":             {Input: json.RawMessage("{}")},
		"empty path":          call("Write", map[string]any{"file_path": "", "content": "x"}),
	} {
		_, err := s.Authorize(context.Background(), c)
		require.Error(t, err, name)
	}
}

// TestBrokenStores: a store that cannot be read trusts and reveals nothing and
// is left as it is.
func TestBrokenStores(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)

	dir := filepath.Join(w.root, "trust")
	trust, err := mcptrust.Open(mcptrust.Options{Dir: dir, Home: w.home})
	require.NoError(t, err)
	require.NoError(t, trust.ApproveWorkspace(ctx, w.dir, "digest"))
	ok, err := trust.Trusted(ctx, w.dir, "digest")
	require.NoError(t, err)
	require.True(t, ok)
	damaged := 0
	require.NoError(t, filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		require.NoError(t, err)
		if filepath.Ext(name) == ".json" {
			damaged++
			return os.WriteFile(name, []byte("{broken"), 0o600)
		}
		return nil
	}))
	require.NotZero(t, damaged)
	trust, err = mcptrust.Open(mcptrust.Options{Dir: dir, Home: w.home})
	if err == nil {
		ok, err = trust.Trusted(ctx, w.dir, "digest")
		require.False(t, ok)
	}
	var storeErr *mcptrust.StoreError
	require.ErrorAs(t, err, &storeErr)

	secrets := filepath.Join(w.root, "secrets")
	opts := credstore.Options{StateDir: filepath.Join(w.root, "state")}
	store, err := credstore.Open(ctx, secrets, opts)
	require.NoError(t, err)
	require.NoError(t, store.Set(ctx, "test/key", credstore.NewSecret([]byte("a-value-to-keep")), credstore.Meta{}))
	file := filepath.Join(secrets, "credentials.store")
	require.NoError(t, store.Close())
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	data[len(data)/2] ^= 1
	require.NoError(t, os.WriteFile(file, data, 0o600))
	_, err = credstore.Open(ctx, secrets, opts)
	require.Error(t, err)
	require.True(t, errors.Is(err, credstore.ErrTampered) || errors.Is(err, credstore.ErrFormat) || errors.Is(err, credstore.ErrForked), "%v", err)
	require.NotContains(t, err.Error(), "a-value-to-keep")
	after, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, data, after, "a damaged store is left for a person to look at")
}
