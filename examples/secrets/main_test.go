package main

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/credstore"
)

// TestMain lets the test binary be the program, for helpers that other programs start.
func TestMain(m *testing.M) {
	if os.Getenv("SECRETS_TEST_MAIN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// home is a fresh machine: no store, no desktop, no terminal.
func home(t *testing.T) string {
	if runtime.GOOS == "windows" {
		t.Skip("the folders of this test are those of Unix")
	}
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_STATE_HOME", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY"} {
		t.Setenv(name, "")
	}
	return dir
}

func secrets(t *testing.T, in string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, strings.NewReader(in), &out, io.Discard)
	return out.String(), err
}

func must(t *testing.T, in string, args ...string) string {
	t.Helper()
	out, err := secrets(t, in, args...)
	require.NoError(t, err, "%v", args)
	return out
}

func TestCommands(t *testing.T) {
	dir := home(t)
	_, err := secrets(t, "", "list")
	require.ErrorContains(t, err, "secrets init")
	out := must(t, "", "init")
	assert.Contains(t, out, "obfuscation: the key lies on the same disk")
	must(t, "the-canary-value\n", "set", "test/key")
	assert.Equal(t, "the-canary-value", must(t, "", "get", "test/key"))
	assert.Equal(t, "test/key\n", must(t, "", "list"))
	must(t, "", "rotate")
	assert.Equal(t, "the-canary-value", must(t, "", "get", "test/key"))
	assert.Contains(t, must(t, "", "status"), "generation 3, 1 entries")
	assert.Contains(t, must(t, "", "audit"), "records 1 to 3 are whole")
	must(t, "", "backup", filepath.Join(dir, "backup"))
	for _, bad := range [][]string{{"set", "../x"}, {"set", "-x"}, {"get", "missing"}, {"get"}, {"nonsense"}, {}, {"init", "x"}, {"export"}, {"export", "-plain", "-age", "age1"}} {
		_, err = secrets(t, "value", bad...)
		require.Error(t, err, "%v", bad)
		assert.NotContains(t, err.Error(), "canary")
	}
	_, err = secrets(t, "", "set", "test/empty")
	require.Error(t, err)
	files := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		raw, err := os.ReadFile(path)
		assert.NotContains(t, string(raw), "canary", path)
		return err
	}))
	assert.Positive(t, files)
	must(t, "", "delete", "test/key")
	assert.Empty(t, must(t, "", "list"))
	help := must(t, "", "help")
	for name := range strings.FieldsFuncSeq(strings.TrimSuffix(strings.TrimPrefix(errUsage.Error(), "usage: secrets "), "; secrets help says more"), func(r rune) bool { return r == '|' }) {
		assert.Contains(t, help, "\n  "+name+" ")
	}
}

func TestRun(t *testing.T) {
	home(t)
	must(t, "", "init")
	must(t, "the-canary-value", "set", "test/key")
	t.Setenv("OTHER_VARIABLE", "ours")
	out := must(t, "input", "run", "-env", "API_KEY=test/key", "--", "sh", "-c", `cat; echo " $OTHER_VARIABLE $API_KEY ${#API_KEY}"`)
	assert.Equal(t, "input  [redacted] 16\n", out)
	_, err := secrets(t, "", "run", "--", "sh", "-c", "exit 7")
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 7, exit.ExitCode())
	for _, bad := range [][]string{{"run"}, {"run", "-env", "X", "true"}, {"run", "-env", "PATH=test/key", "true"}, {"run", "-env", "X=missing", "true"}} {
		_, err := secrets(t, "", bad...)
		require.Error(t, err, "%v", bad)
	}
}

func TestImportAndExport(t *testing.T) {
	dir := home(t)
	file := filepath.Join(dir, ".claude", ".credentials.json")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(t, os.WriteFile(file, []byte(`{"claudeAiOauth":{"accessToken":"access-canary","refreshToken":"refresh-canary","expiresAt":4102444800000}}`), 0o600))
	out := must(t, "", "import")
	assert.Contains(t, out, "claude-code/oauth")
	assert.NotContains(t, out, "canary")
	assert.NoDirExists(t, filepath.Join(dir, ".config"), "nothing is stored without -write")
	must(t, "", "import", "-write")
	assert.Equal(t, "access-canary", must(t, "", "get", "claude-code/oauth"))
	assert.Contains(t, must(t, "", "import", "-write"), "kept as it is: claude-code/oauth")
	assert.FileExists(t, file, "other programs keep their file")
	json := must(t, "", "export", "-plain")
	assert.Contains(t, json, "refresh-canary")
	path := filepath.Join(dir, "export.json")
	require.NoError(t, os.WriteFile(path, []byte(json), 0o600))
	must(t, "", "delete", "claude-code/oauth")
	must(t, "", "import", "-write", "-format", "json", path)
	assert.Equal(t, "CLAUDE_CODE_OAUTH='access-canary'\n", must(t, "", "export", "-plain", "-format", "dotenv", "claude-code/oauth"))
	program, err := exec.LookPath("age-keygen")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("age-keygen is missing: install the package age")
		}
		t.Skip("age-keygen is missing: install the package age")
	}
	identity := filepath.Join(dir, "identity")
	require.NoError(t, exec.CommandContext(t.Context(), program, "-o", identity).Run())
	recipient, err := exec.CommandContext(t.Context(), program, "-y", identity).Output()
	require.NoError(t, err)
	sealed := must(t, "", "export", "-age", strings.TrimSpace(string(recipient)))
	assert.NotContains(t, sealed, "canary")
	require.NoError(t, os.WriteFile(path, []byte(sealed), 0o600))
	must(t, "", "delete", "claude-code/oauth")
	must(t, "", "import", "-write", "-identity", identity, "-format", "json", path)
	assert.Equal(t, "access-canary", must(t, "", "get", "claude-code/oauth"))
}

func TestImportEncrypted(t *testing.T) {
	dir := home(t)
	keys := filepath.Join(dir, ".awsvault", "keys")
	require.NoError(t, os.CopyFS(keys, os.DirFS(filepath.Join("..", "..", "credstore", "testdata", "keyring-files"))))
	out := must(t, "", "import")
	assert.Contains(t, out, "encrypted; read it with: secrets import -format keyring-files "+keys)
	assert.Contains(t, out, "0 credentials found")
	out = must(t, "fixture passphrase\n", "import", "-write", "-format", "keyring-files", keys)
	assert.Contains(t, out, "keyring/team/api_key")
	assert.NotContains(t, out, "value-two")
	assert.Equal(t, "value-two", must(t, "", "get", "keyring/team/api_key"))
	private := filepath.Join(dir, "passphrase")
	require.NoError(t, os.WriteFile(private, []byte("wrong\nnot this line\n"), 0o600))
	_, err := secrets(t, "", "import", "-format", "keyring-files", "-passphrase-file", private, keys)
	require.ErrorIs(t, err, credstore.ErrWrongKey)
	require.NoError(t, os.Chmod(private, 0o644))
	_, err = secrets(t, "", "import", "-format", "keyring-files", "-passphrase-file", private, keys)
	require.ErrorIs(t, err, credstore.ErrPermissions)
}

func TestGitCredential(t *testing.T) {
	home(t)
	must(t, "", "init")
	ask := "protocol=https\nhost=git.example\n"
	assert.Empty(t, must(t, ask+"\n", "git-credential", "get"))
	must(t, ask+"username=me\npassword=the-canary\n\n", "git-credential", "store")
	assert.Equal(t, "username=me\npassword=the-canary\n", must(t, ask+"capability[]=authtype\n\n", "git-credential", "get"))
	assert.Empty(t, must(t, ask+"username=somebody\n\n", "git-credential", "get"))
	assert.Empty(t, must(t, "protocol=http\nhost=git.example\n\n", "git-credential", "get"), "not encrypted")
	for _, bad := range []string{"host=git.example\n\n", "protocol=https\n\n", "nonsense\n\n", "protocol=https\nhost=git.example\x00\n\n", ask + "username=a\rb\n\n"} {
		_, err := secrets(t, bad, "git-credential", "get")
		require.Error(t, err, "%q", bad)
	}
	must(t, ask+"username=me\npassword=another\n\n", "git-credential", "erase")
	assert.NotEmpty(t, must(t, ask+"\n", "git-credential", "get"), "a newer value stays")
	if git, err := exec.LookPath("git"); err == nil { // the real one
		cmd := exec.CommandContext(t.Context(), git, "-c", "credential.helper=", "-c", "credential.helper=!SECRETS_TEST_MAIN=1 "+os.Args[0]+" git-credential", "credential", "fill")
		cmd.Stdin = strings.NewReader(ask + "\n")
		cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Contains(t, string(out), "password=the-canary")
	} else if os.Getenv("CI") == "true" {
		t.Fatal("git is missing: install the package git")
	}
	must(t, ask+"username=me\npassword=the-canary\n\n", "git-credential", "erase")
	assert.Empty(t, must(t, ask+"\n", "git-credential", "get"))
}

func TestDockerCredential(t *testing.T) {
	home(t)
	must(t, "", "init")
	must(t, `{"ServerURL":"https://registry.example/v1/","Username":"me","Secret":"the-canary"}`, "docker-credential", "store")
	assert.JSONEq(t, `{"ServerURL":"https://registry.example/v1/","Username":"me","Secret":"the-canary"}`, must(t, "https://registry.example/v1/\n", "docker-credential", "get"))
	assert.JSONEq(t, `{"registry.example/v1":"me"}`, must(t, "", "docker-credential", "list"))
	must(t, "https://registry.example/v1/", "docker-credential", "erase")
	out, err := secrets(t, "https://registry.example/v1/", "docker-credential", "get")
	require.Error(t, err)
	assert.Equal(t, "credentials not found in native keychain\n", out)
	_, err = secrets(t, "{}", "docker-credential", "store")
	require.Error(t, err)
}
