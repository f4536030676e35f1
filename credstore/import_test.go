//go:build linux

package credstore_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/credstore"
)

// found is what an import gave, without its values: name → value, refresh token, label, hosts, variable.
func found(t *testing.T, format, text string) map[string][]string {
	t.Helper()
	all, err := credstore.ParseImport(format, []byte(text))
	require.NoError(t, err, format)
	out := map[string][]string{}
	for _, c := range all {
		out[c.Name] = []string{reveal(c.Token.Value), reveal(c.Token.Refresh), c.Meta.Label, strings.Join(c.Meta.Hosts, " "), c.Meta.Env}
	}
	return out
}

func TestParseImport(t *testing.T) {
	assert.Equal(t, map[string][]string{
		"env/A": {"one", "", "", "", "A"}, "env/B": {"two words", "", "", "", "B"}, "env/C": {"a\"b\n", "", "", "", "C"},
		"env/D": {"x#y", "", "", "", "D"}, "env/PATH": {"/bin", "", "", "", ""},
	}, found(t, "dotenv", "# comment\nA=one\nexport B='two words' # c\n\nC=\"a\\\"b\\n\"\nD=x#y # note\nE=\nPATH=/bin\n"))
	assert.Equal(t, map[string][]string{"claude-code/oauth": {"acc", "ref", "", "", ""}},
		found(t, "claude-code", `{"claudeAiOauth":{"accessToken":"acc","refreshToken":"ref","expiresAt":1,"scopes":["x"]},"other":1}`))
	assert.Equal(t, map[string][]string{"codex/api-key": {"key", "", "", "api.openai.com", "OPENAI_API_KEY"}, "codex/oauth": {"acc", "ref", "", "", ""}},
		found(t, "codex", `{"OPENAI_API_KEY":"key","tokens":{"id_token":"x","access_token":"acc","refresh_token":"ref"}}`))
	assert.Equal(t, map[string][]string{"codex/api-key": {"key", "", "", "api.openai.com", "OPENAI_API_KEY"}}, found(t, "codex", `{"OPENAI_API_KEY":"key","tokens":null}`))
	assert.Equal(t, map[string][]string{"gemini/oauth": {"acc", "ref", "", "", ""}}, found(t, "gemini", `{"access_token":"acc","refresh_token":"ref","expiry_date":1}`))
	assert.Equal(t, map[string][]string{
		"gh/github.com/me": {"tok1", "", "", "github.com api.github.com", "GH_TOKEN"}, "gh/github.com": {"tok2", "", "", "github.com api.github.com", "GH_TOKEN"},
		"gh/ghe.example": {"tok3", "", "", "ghe.example", "GH_TOKEN"},
	}, found(t, "gh", "github.com:\n    users:\n        me:\n            oauth_token: tok1\n    git_protocol: https\n    oauth_token: tok2\n    user: me\nghe.example:\n    oauth_token: tok3\n"))
	assert.Equal(t, map[string][]string{
		"aws/default/aws_access_key_id": {"id", "", "", "", "AWS_ACCESS_KEY_ID"}, "aws/default/aws_secret_access_key": {"se=cret", "", "", "", "AWS_SECRET_ACCESS_KEY"},
	}, found(t, "aws", "[default]\naws_access_key_id = id\naws_secret_access_key=se=cret\nregion = x\n; c\n"))
	assert.Equal(t, map[string][]string{"netrc/h.example/me": {"pw", "", "me", "h.example", ""}, "netrc/default": {"x", "", "", "", ""}},
		found(t, "netrc", "machine h.example login me password pw\ndefault password x\n"))
	assert.Equal(t, map[string][]string{"docker/registry.example": {"pa:ss", "", "me", "registry.example", ""}},
		found(t, "docker", `{"auths":{"https://registry.example/v1/":{"auth":"bWU6cGE6c3M="},"kept.example":{}},"credsStore":"x"}`))
	assert.Equal(t, map[string][]string{"sops/a/b": {"v", "", "", "", ""}, "sops/n": {"5", "", "", "", ""}}, found(t, "sops-json", `{"a":{"b":"v"},"n":5,"e":"","z":null}`))
}

func TestParseImportRefuses(t *testing.T) {
	for format, texts := range map[string][]string{
		"json":        {"", "{}", "[]", `{"entries":[{"name":"a"}]}`, `{"entries":[{"name":"../a","value":"canary"}]}`, `{"entries":[{"name":"a","value":"canary"},{"name":"a","value":"canary"}]}`, `{"entries":[{"name":"a","value":1}]}`, `{"entries":[],"x":1}`, `{"entries":[{"name":"a","value":"[redacted]"}]}`, `{"entries":[]}{"entries":[]}`},
		"dotenv":      {"canary", "A=$(canary)", "A=\"$canary\"", "A='canary", "A=\"canary", "A=`canary`", "A=can ary", "1A=canary", "A=x\nA=canary", `A="\q"`, "A='x' canary"},
		"claude-code": {"", "{}", `{"claudeAiOauth":{}}`, `{"claudeAiOauth":{"accessToken":5}}`, "canary"},
		"codex":       {"", "{}", `{"tokens":{}}`},
		"gemini":      {"", "{}"},
		"gh":          {"github.com:\n    oauth_token: \"canary\"\n", "oauth_token: canary\n", "a: [canary]\n", "a: &x\n", "canary\n"},
		"aws":         {"key = canary\n", "[a]\ncanary\n"},
		"netrc":       {"password canary", "machine a macdef init canary", "machine"},
		"docker":      {"canary", `{"auths":{"x":{"auth":"!!canary"}}}`, `{"auths":{"x":{"auth":"bm9jb2xvbg=="}}}`},
		"sops-json":   {"", "5", `{"a":["canary"]}`, `{"a b":"canary"}`, `{"sops":{},"a":"ENC[canary]"}`},
		"unknown":     {"canary"},
	} {
		for _, text := range texts {
			_, err := credstore.ParseImport(format, []byte(text))
			require.ErrorIs(t, err, credstore.ErrImport, "%s: %s", format, text)
			assert.NotContains(t, err.Error(), "canary", format)
		}
	}
}

func TestExportAndImport(t *testing.T) {
	s := open(t, t.TempDir(), options(t))
	expires := time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC)
	require.NoError(t, s.SetToken(t.Context(), "a/b", credstore.Token{Value: credstore.NewSecret([]byte("v\"\\\n\x01é")), Refresh: credstore.NewSecret([]byte("r\xff")), Expires: expires},
		credstore.Meta{Label: "L", Hosts: []string{"x.example"}, Env: "E", Commands: []string{"/bin/x"}}))
	set(t, s, "bin", "\x00\xff\xfe")
	set(t, s, "plain", "it is $plain")
	var out bytes.Buffer
	require.NoError(t, s.Export(t.Context(), &out, credstore.ExportJSON))
	other := open(t, t.TempDir(), options(t))
	all, err := credstore.ParseImport("json", out.Bytes())
	require.NoError(t, err)
	existing, err := other.Import(t.Context(), all, false)
	require.NoError(t, err)
	assert.Empty(t, existing)
	want, err := s.List(t.Context())
	require.NoError(t, err)
	have, err := other.List(t.Context())
	require.NoError(t, err)
	for i := range want {
		assert.Equal(t, want[i].Meta, have[i].Meta)
		assert.Equal(t, get(t, s, want[i].Name), get(t, other, want[i].Name))
	}
	var again bytes.Buffer
	require.NoError(t, other.Export(t.Context(), &again, credstore.ExportJSON))
	assert.Equal(t, out.String(), again.String(), "refresh tokens too")
	existing, err = other.Import(t.Context(), all, false)
	require.NoError(t, err)
	assert.Len(t, existing, 3)

	out.Reset()
	require.NoError(t, s.Export(t.Context(), &out, credstore.ExportDotenv, "plain"))
	assert.Equal(t, "PLAIN='it is $plain'\n", out.String())
	shell, err := exec.CommandContext(t.Context(), "sh", "-c", out.String()+"printf %s \"$PLAIN\"").Output()
	require.NoError(t, err)
	assert.Equal(t, "it is $plain", string(shell), "a shell reads the same")
	assert.Equal(t, "it is $plain", found(t, "dotenv", out.String())["env/PLAIN"][0])
	require.ErrorIs(t, s.Export(t.Context(), &out, credstore.ExportDotenv, "a/b"), credstore.ErrBadValue)
	require.ErrorIs(t, s.Export(t.Context(), &out, credstore.ExportJSON, "missing"), credstore.ErrNotFound)
	require.ErrorIs(t, s.Export(t.Context(), &out, credstore.ExportJSON, "../x"), credstore.ErrBadName)
}

func TestFindAndErase(t *testing.T) {
	home := t.TempDir()
	path := filepath.Join(home, ".aws", "credentials")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	text := []byte("[default]\naws_access_key_id = the-id\n")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	files := credstore.FindImports(home)
	assert.Equal(t, []credstore.ImportFile{{Format: "aws", Path: path}}, files)
	s := open(t, t.TempDir(), options(t))
	require.ErrorIs(t, s.EraseImported(t.Context(), files[0]), credstore.ErrImport, "not stored yet")
	all, err := credstore.ReadImport(t.Context(), files[0], credstore.ImportOptions{})
	require.NoError(t, err)
	_, err = s.Import(t.Context(), all, false)
	require.NoError(t, err)
	still, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, text, still, "importing changes nothing")
	alias := filepath.Join(home, "alias")
	require.NoError(t, os.Link(path, alias))
	require.NoError(t, s.EraseImported(t.Context(), files[0]))
	assert.NoFileExists(t, path)
	left, err := os.ReadFile(alias)
	require.NoError(t, err)
	assert.Empty(t, left, "another name of the same file is empty too")
}
