package credstore

import (
	"bytes"
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An entry for one program is not handed to whoever asks for a string: the
// environment of an MCP server, say.
func TestResolveKeepsToCommands(t *testing.T) {
	s := open(t, t.TempDir(), Options{StateDir: t.TempDir()})
	ctx := t.Context()
	require.NoError(t, s.Set(ctx, "free", NewSecret([]byte("value-1234")), Meta{}))
	require.NoError(t, s.Set(ctx, "bound", NewSecret([]byte("value-5678")), Meta{Commands: []string{"/usr/bin/gh"}}))
	got, err := s.Resolve(ctx, "free")
	require.NoError(t, err)
	assert.Equal(t, "value-1234", got)
	got, err = s.Resolve(ctx, "bound")
	require.ErrorIs(t, err, ErrCommand)
	assert.Empty(t, got)
}

// A project's definition of a remote server names a credential and an address of
// its own choice.
func TestResolveForKeepsToHosts(t *testing.T) {
	s := open(t, t.TempDir(), Options{StateDir: t.TempDir()})
	ctx := t.Context()
	require.NoError(t, s.Set(ctx, "gh", NewSecret([]byte("value-1234")), Meta{Hosts: []string{"api.example.com", "127.0.0.1:9"}}))
	require.NoError(t, s.Set(ctx, "none", NewSecret([]byte("value-5678")), Meta{}))
	got, err := s.Resolve(ctx, "gh")
	require.NoError(t, err)
	require.Equal(t, "value-1234", got, "the control: without an address it is given")
	for address, ok := range map[string]bool{
		"https://api.example.com/mcp": true, "https://API.example.com:443/mcp": true, "http://127.0.0.1:9/mcp": true,
		"https://evil.example/mcp": false, "http://api.example.com/mcp": false, "https://api.example.com:8443/": false, "https://api.example.com@evil.example/": false,
		"https://api.example.com.evil.example/": false, "wss://api.example.com/": false, "": false, ":": false, "//api.example.com/": false,
	} {
		got, err := s.ResolveFor(address)(ctx, "gh")
		assert.Equal(t, ok, err == nil, "%s: %v", address, err)
		assert.Equal(t, ok, got == "value-1234", address)
		if !ok {
			assert.ErrorIs(t, err, ErrHost, address)
		}
	}
	_, err = s.ResolveFor("https://api.example.com/")(ctx, "none")
	assert.ErrorIs(t, err, ErrHost)
}

// A helper that is a shell with a script of the project: another script is
// another command.
func TestHelperScriptIsInItsDigest(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "token.sh")
	require.NoError(t, os.WriteFile(script, []byte("echo good\n"), 0o600))
	sh, err := findProgram("sh")
	if err != nil {
		t.Skip("sh is missing: no script can be run")
	}
	for _, argv := range [][]string{{sh, script}, {sh, "-e", script}, {sh, "--rcfile=" + script}} {
		c := HelperCommand{Argv: argv}
		before, err := c.Digest()
		require.NoError(t, err)
		again, err := c.Digest()
		require.NoError(t, err)
		assert.Equal(t, before, again)
		require.NoError(t, os.WriteFile(script, []byte("echo evil\n"), 0o600))
		after, err := c.Digest()
		require.NoError(t, err)
		assert.NotEqual(t, before, after, argv)
		require.NoError(t, os.WriteFile(script, []byte("echo good\n"), 0o600))
	}
	// A program's own data is none of it: a cache that changes with each run must
	// not ask each time.
	c := HelperCommand{Argv: []string{"cat", script}}
	before, err := c.Digest()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(script, []byte("other\n"), 0o600))
	after, err := c.Digest()
	require.NoError(t, err)
	assert.Equal(t, before, after)
}

// Names and labels are shown in lists: a token in the place of the login goes
// into the value.
func TestImportedLoginThatIsAToken(t *testing.T) {
	token := "ghp_" + strings.Repeat("a1B2", 9)
	for format, data := range map[string]string{
		"netrc":  "machine github.com login " + token + " password x-oauth-basic\n",
		"docker": `{"auths":{"ghcr.io":{"auth":"` + base64.StdEncoding.EncodeToString([]byte(token+":x-oauth-basic")) + `"}}}`,
	} {
		out, err := ParseImport(format, []byte(data))
		require.NoError(t, err, format)
		require.Len(t, out, 1, format)
		assert.NotContains(t, out[0].Name+out[0].Meta.Label, token, format)
		assert.True(t, out[0].Token.Value.Equal(NewSecret([]byte(token))), format)
	}
	out, err := ParseImport("netrc", []byte("machine h.example login jane password hunter2hunter2\n"))
	require.NoError(t, err)
	assert.Equal(t, "netrc/h.example/jane", out[0].Name)
}

// A path as long as the system allows does not keep a use out of the log.
func TestLongTargetIsRecorded(t *testing.T) {
	s := open(t, t.TempDir(), Options{StateDir: t.TempDir(), Audit: AuditAll, RequireAudit: true})
	ctx := t.Context()
	require.NoError(t, s.Set(ctx, "a", NewSecret([]byte("value-1234")), Meta{}))
	for _, target := range []string{strings.Repeat("/a", 2000), strings.Repeat("/\x01", 2000), "/" + strings.Repeat("é", 2000)} {
		_, err := s.get(ctx, "a", "use", target)
		require.NoError(t, err)
	}
	report, err := s.VerifyAudit(ctx)
	require.NoError(t, err)
	raw, err := os.ReadFile(s.AuditFile())
	require.NoError(t, err)
	assert.Equal(t, 3, bytes.Count(raw, []byte("SHA-256")))
	assert.Equal(t, uint64(report.Records), report.Last)
}

// A project's .env does not choose variables that make programs load code.
func TestImportedVariableLoadsNothing(t *testing.T) {
	for _, name := range []string{"LUA_INIT", "LUA_INIT_5_4", "DOTNET_STARTUP_HOOKS", "PHPRC", "ZDOTDIR", "OPENSSL_CONF", "GEM_HOME", "NODE_OPTIONS", "LD_PRELOAD", "VIMINIT", "CC"} {
		out, err := ParseImport("dotenv", []byte(name+"=/tmp/evil-file\n"))
		require.NoError(t, err)
		require.Len(t, out, 1)
		assert.Empty(t, out[0].Meta.Env, name)
	}
	out, err := ParseImport("dotenv", []byte("API_TOKEN=abcdefgh1\n"))
	require.NoError(t, err)
	assert.Equal(t, "API_TOKEN", out[0].Meta.Env)
}

func open(t *testing.T, dir string, options Options) *Store {
	s, err := Open(context.Background(), dir, options)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}
