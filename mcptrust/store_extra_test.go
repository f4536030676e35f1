package mcptrust

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHistory(t *testing.T) {
	ctx := t.Context()
	make3 := func(t *testing.T) (*Registry, string) {
		r, project, _, _ := approved(t)
		require.NoError(t, r.Revoke(ctx, project, "fs"))
		require.NoError(t, r.Forget(ctx, project, "fs"))
		require.NoError(t, r.ApproveWorkspace(ctx, project, "d"))
		return r, filepath.Join(r.store.dir, historyFile)
	}
	r, _ := make3(t)
	events, err := r.History(ctx)
	require.NoError(t, err)
	var ops []string
	for i, e := range events {
		assert.EqualValues(t, i+1, e.Seq)
		assert.Equal(t, os.Getpid(), e.PID)
		ops = append(ops, e.Op+" "+e.Kind)
	}
	assert.Equal(t, []string{"approve server", "revoke server", "forget server", "approve workspace"}, ops)

	for name, damage := range map[string]func(lines [][]byte) [][]byte{
		"changed":     func(l [][]byte) [][]byte { l[1] = bytes.Replace(l[1], []byte("revoke"), []byte("forget"), 1); return l },
		"removed":     func(l [][]byte) [][]byte { return append(l[:1:1], l[2:]...) },
		"first":       func(l [][]byte) [][]byte { return l[1:] },
		"end cut":     func(l [][]byte) [][]byte { return l[:2] },
		"swapped":     func(l [][]byte) [][]byte { l[0], l[1] = l[1], l[0]; return l },
		"nothing":     func(l [][]byte) [][]byte { return nil },
		"not a line":  func(l [][]byte) [][]byte { return append(l, []byte("{}\n")) },
		"other's MAC": func(l [][]byte) [][]byte { l[3] = append(l[3][:0:0], l[2]...); return l },
	} {
		t.Run(name, func(t *testing.T) {
			r, file := make3(t)
			b, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(file, bytes.Join(damage(bytes.SplitAfter(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))), nil), 0o600))
			if name != "not a line" {
				b, err = os.ReadFile(file)
				require.NoError(t, err)
				if len(b) > 0 && b[len(b)-1] != '\n' {
					require.NoError(t, os.WriteFile(file, append(b, '\n'), 0o600))
				}
			}
			_, err = r.History(ctx)
			var he *HistoryError
			require.ErrorAs(t, err, &he)
		})
	}
	t.Run("torn line", func(t *testing.T) {
		r, file := make3(t)
		f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.WriteString(`{"event":{"seq":`)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		_, err = r.History(ctx)
		require.NoError(t, err, "what a crash left is not a decision")
		require.NoError(t, r.Revoke(ctx, t.TempDir(), "x"))
		events, err := r.History(ctx)
		require.NoError(t, err)
		assert.Len(t, events, 5)
	})
	t.Run("no history, no trust", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("links are not made on Windows")
		}
		r, project, s, _ := approved(t)
		file := filepath.Join(r.store.dir, historyFile)
		c, err := r.Check(ctx, project, Server{Name: "b", Transport: Stdio, Command: Literal("b")})
		require.NoError(t, err)
		require.NoError(t, os.Rename(file, file+".x"))
		require.NoError(t, os.Symlink(file+".x", file))
		require.Error(t, r.Approve(ctx, c.Token))
		c, err = r.Check(ctx, project, Server{Name: "b", Transport: Stdio, Command: Literal("b")})
		require.NoError(t, err)
		assert.Equal(t, Unknown, c.Status)
		require.Error(t, r.Revoke(ctx, project, "fs"), "reported")
		c, err = r.Check(ctx, project, s)
		require.NoError(t, err)
		assert.Equal(t, Revoked, c.Status, "but never held up")
	})
	t.Run("full", func(t *testing.T) {
		if testing.Short() {
			t.Skip("in short, no history of megabytes: one goroutine writes it, and the race detector makes that slow without a use")
		}
		r, project, _, _ := approved(t)
		for i := range 3 {
			events := make([]Event, 8000)
			for j := range events {
				events[j] = Event{Op: OpRevoke, Kind: "server", Server: strings.Repeat("x", 200), Generation: 1}
			}
			require.NoError(t, r.store.record(ctx, events), i)
		}
		require.NoError(t, r.Revoke(ctx, project, "fs"))
		_, err := r.History(ctx)
		require.NoError(t, err)
		assert.FileExists(t, filepath.Join(r.store.dir, oldHistoryFile))
	})
}

// gcm is a sealer as a host with a keychain would give it.
type gcm struct{ cipher.AEAD }

func newGCM(t *testing.T) gcm {
	key := make([]byte, 32)
	rand.Read(key)
	b, err := aes.NewCipher(key)
	require.NoError(t, err)
	a, err := cipher.NewGCM(b)
	require.NoError(t, err)
	return gcm{a}
}

func (g gcm) Seal(plain []byte) ([]byte, error) {
	nonce := make([]byte, g.NonceSize())
	rand.Read(nonce)
	return g.AEAD.Seal(nonce, nonce, plain, nil), nil
}

func (g gcm) Open(sealed []byte) ([]byte, error) {
	if len(sealed) < g.NonceSize() {
		return nil, errors.New("too short")
	}
	return g.AEAD.Open(nil, sealed[:g.NonceSize()], sealed[g.NonceSize():], nil)
}

func TestSealer(t *testing.T) {
	ctx, seal, home := t.Context(), newGCM(t), t.TempDir()
	dir, project, second := filepath.Join(t.TempDir(), "trust"), t.TempDir(), t.TempDir()
	open := func(s Sealer) (*Registry, error) { return Open(Options{Dir: dir, Home: home, Sealer: s}) }
	r, err := open(seal)
	require.NoError(t, err)
	s := Server{Name: "distinct-name", Transport: Stdio, Command: Literal("srv")}
	for _, p := range []string{project, second} {
		c, err := r.Check(ctx, p, s)
		require.NoError(t, err)
		approve(t, r, c)
	}
	r, err = open(seal)
	require.NoError(t, err)
	c, err := r.Check(ctx, project, s)
	require.NoError(t, err)
	assert.Equal(t, Trusted, c.Status)
	file := func(p string) string {
		w, err := r.resolve(p)
		require.NoError(t, err)
		return filepath.Join(dir, projectFile(w.root))
	}
	b, err := os.ReadFile(file(project))
	require.NoError(t, err)
	assert.NotContains(t, string(b), "distinct-name")

	for name, content := range map[string][]byte{
		"plain":         []byte(`{"schema":1,"servers":{}}`),
		"changed":       append([]byte{b[0] ^ 1}, b[1:]...),
		"other project": func() []byte { o, _ := os.ReadFile(file(second)); return o }(),
	} {
		require.NoError(t, os.WriteFile(file(project), content, 0o600))
		c, err := r.Check(ctx, project, s)
		var se *StoreError
		require.ErrorAs(t, err, &se, name)
		assert.Equal(t, CodeStoreSealed, se.Code, name)
		assert.NotEqual(t, Trusted, c.Status)
		after, err := os.ReadFile(file(project))
		require.NoError(t, err)
		assert.Equal(t, content, after, "left as it is")
	}
	_, err = open(newGCM(t))
	require.Error(t, err, "another key")
	_, err = open(nil)
	require.Error(t, err, "no key")
}

func TestLockFile(t *testing.T) {
	ctx := t.Context()
	author, project := registry(t, Options{}), t.TempDir()
	home, err := Expand("${HOME}/bin/srv", func(string) (string, bool) { return "/home/a", true })
	require.NoError(t, err)
	token, err := Expand("${TOKEN}", func(string) (string, bool) { return "s3cr3t", true })
	require.NoError(t, err)
	s := Server{Name: "fs", Transport: Stdio, Command: home, Env: map[string]Value{"API_TOKEN": token}}
	live := openSession(t, author, project, s)
	cs, err := live.Tools(ctx, live.Begin(KindTool, true), Page{true, true}, simple("a", "b"))
	require.NoError(t, err)
	approveItems(t, author, cs)
	b, err := author.ExportLock(ctx, project, []Server{s})
	require.NoError(t, err)
	assert.NotContains(t, string(b), "s3cr3t")
	assert.NotContains(t, string(b), "/home/a")
	assert.Contains(t, string(b), "Does a.")
	lock, err := ParseLock("x", b)
	require.NoError(t, err)

	// Another machine: other values, the same file.
	s.Command, _ = Expand("${HOME}/bin/srv", func(string) (string, bool) { return "/ci", true })
	where := t.TempDir()
	ci := registry(t, Options{Headless: true, Lock: lock})
	c, err := ci.Check(ctx, where, s)
	require.NoError(t, err)
	assert.Equal(t, Trusted, c.Status)
	changed := simple("a", "b", "c")
	changed[1].Description = "Does more."
	cs, err = ci.CheckTools(ctx, where, s, changed)
	require.NoError(t, err)
	assert.Equal(t, []Status{Trusted, Blocked, Blocked}, []Status{cs[0].Status, cs[1].Status, cs[2].Status})
	for _, x := range cs {
		assert.Empty(t, x.Token)
	}
	require.NoError(t, ci.RevokeTool(ctx, where, "fs", "a"))
	cs, err = ci.CheckTools(ctx, where, s, changed)
	require.NoError(t, err)
	assert.Equal(t, Revoked, cs[0].Status, "a person's no beats the lock file")
	require.NoError(t, ci.Revoke(ctx, where, "fs"))
	c, err = ci.Check(ctx, where, s)
	require.NoError(t, err)
	assert.Equal(t, Revoked, c.Status)

	elsewhere := t.TempDir()
	more := s
	more.Args = Literals("--more")
	c, err = ci.Check(ctx, elsewhere, more)
	require.NoError(t, err)
	assert.Equal(t, Blocked, c.Status)
	assert.Equal(t, CodeLockMismatch, c.Reasons[0].Code)
	plugin := s
	plugin.Source = Source{Scope: ScopePlugin, Name: "p"}
	c, err = ci.Check(ctx, elsewhere, plugin)
	require.NoError(t, err)
	assert.Equal(t, Blocked, c.Status)

	// A lock file in the checkout is mentioned and has no effect.
	require.NoError(t, os.WriteFile(filepath.Join(elsewhere, LockName), b, 0o644))
	plain := registry(t, Options{})
	c, err = plain.Check(ctx, elsewhere, s)
	require.NoError(t, err)
	assert.Equal(t, Unknown, c.Status)
	assert.Contains(t, c.Prompt, LockName)

	literal := Server{Name: "l", Transport: Stdio, Command: Literal("srv"), Env: map[string]Value{"API_TOKEN": Literal("s3cr3t-literal")}}
	openSession(t, author, project, literal)
	_, err = author.ExportLock(ctx, project, []Server{literal})
	var ce *ConfigError
	require.ErrorAs(t, err, &ce)
	assert.Equal(t, CodeLockSecret, ce.Code)
	assert.NotContains(t, err.Error(), "s3cr3t")
	_, err = author.ExportLock(ctx, project, []Server{{Name: "new", Transport: Stdio, Command: Literal("x")}})
	var nt *NotTrustedError
	require.ErrorAs(t, err, &nt)

	for _, bad := range []string{``, `{}`, `[]`, `{"mcptrust.lock":2}`, `{"mcptrust.lock":1,"mcptrust.lock":1}`, `{"mcptrust.lock":1,"x":1}`,
		`{"mcptrust.lock":1,"servers":{"a":null}}`, `{"mcptrust.lock":1,"servers":{"a":{}}}`, `{"mcptrust.lock":1,"servers":{"a":{"definition":{"a":1,"a":2}}}}`,
		`{"mcptrust.lock":1,"servers":{"a":{"definition":{},"items":{"tool:a":null}}}}`} {
		_, err := ParseLock("x", []byte(bad))
		assert.Error(t, err, bad)
	}
	_, err = ReadLock(t.TempDir())
	require.Error(t, err)
	_, err = ReadLock(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestDoctor(t *testing.T) {
	ctx := t.Context()
	pol, err := LoadPolicy([]PolicySource{{File: "managed.json", Managed: true, Data: []byte(`{
 "allowManagedMcpServersOnly": true,
 "allowedMcpServers": [{"serverName":"github"}, {"serverCommand":["npx","-y","@acme/mcp"]}, {"serverCommand":["node","x.js"]},
  {"serverUrl":"https://*example.com/*"}, {"serverUrl":"http://mcp.example.com"}, {"serverUrl":"https://mcp.example.com/*"}, {"serverUrl":"https://*.com"}],
 "deniedMcpServers": [{"serverName":"evil"}, {"serverUrl":"https://evil.example"}]}`)}, {File: "user.json", Data: []byte(`{"allowedMcpServers":[]}`)}})
	require.NoError(t, err)
	r := registry(t, Options{Policy: pol})
	got := map[string]Code{}
	ps, err := r.Doctor(ctx)
	require.NoError(t, err)
	for _, p := range ps {
		got[p.Where] = p.Code
		assert.NotEmpty(t, p.Fix)
	}
	assert.Equal(t, map[string]Code{"managed.json:3": CodePolicyFloating, "managed.json:4": CodePolicyWide, "managed.json:5": CodePolicyLabel, "user.json": CodePolicyIgnored}, got)

	r, project, _, file := approved(t)
	ps, err = r.Doctor(ctx)
	require.NoError(t, err)
	assert.Empty(t, ps, "a healthy store has no problems")
	require.NoError(t, os.RemoveAll(project))
	ps, err = r.Doctor(ctx)
	require.NoError(t, err)
	require.Len(t, ps, 1)
	assert.Equal(t, CodeProjectGone, ps[0].Code)
	require.NoError(t, os.WriteFile(file, []byte("{"), 0o600))
	ps, err = r.Doctor(ctx)
	require.NoError(t, err)
	assert.Equal(t, CodeStoreCorrupt, ps[0].Code)
	require.NoError(t, os.Remove(filepath.Join(r.store.dir, historyFile)))
	require.NoError(t, os.WriteFile(file, []byte(`{"schema":1,"generation":3}`), 0o600))
	ps, err = r.Doctor(ctx)
	require.NoError(t, err)
	assert.Equal(t, CodeHistoryBroken, ps[len(ps)-1].Code)
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = r.Doctor(canceled)
	require.Error(t, err)
}
