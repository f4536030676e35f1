//go:build linux

package credstore_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/credstore"
)

// foundIn is what ReadImport gave: name → value and label.
func foundIn(t *testing.T, file credstore.ImportFile, o credstore.ImportOptions) map[string]string {
	t.Helper()
	all, err := credstore.ReadImport(t.Context(), file, o)
	require.NoError(t, err)
	out := map[string]string{}
	for _, c := range all {
		out[c.Name] = reveal(c.Token.Value) + "|" + c.Meta.Label
	}
	return out
}

// copyTree copies the files of a directory, and is what shows afterwards that nothing was changed.
func copyTree(t *testing.T, from, to string) {
	require.NoError(t, os.CopyFS(to, os.DirFS(from)))
}

// TestImportKeyringFiles reads what github.com/99designs/keyring wrote; interop runs the library itself.
func TestImportKeyringFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ".awsvault", "keys")
	copyTree(t, filepath.Join("testdata", "keyring-files"), path)
	files := credstore.FindImports(dir)
	require.Equal(t, []credstore.ImportFile{{Format: "keyring-files", Path: path, Encrypted: true}}, files)
	right := credstore.ImportOptions{Passphrase: credstore.NewSecret([]byte("fixture passphrase"))}
	want := map[string]string{"keyring/plain": "value-one|label of plain", "keyring/team/api_key": "value-two|label of team/api key"}
	assert.Equal(t, want, foundIn(t, files[0], right))
	require.NoError(t, os.WriteFile(filepath.Join(path, ".DS_Store"), []byte("x"), 0o600))
	assert.Equal(t, want, foundIn(t, files[0], right), "a desktop's own file is stepped over")
	for _, wrong := range []struct {
		text string
		want error
	}{{"", credstore.ErrEmptyPassphrase}, {"fixture", credstore.ErrWrongKey}} {
		_, err := credstore.ReadImport(t.Context(), files[0], credstore.ImportOptions{Passphrase: credstore.NewSecret([]byte(wrong.text))})
		require.ErrorIs(t, err, wrong.want)
		if wrong.text != "" {
			assert.NotContains(t, err.Error(), wrong.text+`"`)
		}
	}
	_, err := credstore.ParseImport("keyring-files", []byte("x"))
	require.ErrorIs(t, err, credstore.ErrImport)
	s := open(t, t.TempDir(), options(t))
	require.ErrorIs(t, s.EraseImported(t.Context(), files[0]), credstore.ErrImport, "read-only, always")
	raw, err := os.ReadFile(filepath.Join(path, "plain"))
	require.NoError(t, err)
	for name, change := range map[string]func(string){
		"renamed":         func(dir string) { _ = os.Rename(filepath.Join(dir, "plain"), filepath.Join(dir, "other")) },
		"doubled":         func(dir string) { _ = os.WriteFile(filepath.Join(dir, "again"), raw, 0o600) },
		"not one of them": func(dir string) { _ = os.WriteFile(filepath.Join(dir, "x"), []byte("value-canary"), 0o600) },
		"a link out of it": func(dir string) {
			_ = os.Remove(filepath.Join(dir, "plain"))
			_ = os.Symlink(filepath.Join(path, "plain"), filepath.Join(dir, "plain"))
		},
	} {
		broken := filepath.Join(t.TempDir(), "keys")
		copyTree(t, path, broken)
		change(broken)
		_, err = credstore.ReadImport(t.Context(), credstore.ImportFile{Format: "keyring-files", Path: broken}, right)
		require.Error(t, err, name)
		assert.NotContains(t, err.Error(), "canary")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = credstore.ReadImport(ctx, files[0], right)
	require.ErrorIs(t, err, context.Canceled)
}

// scratchGPG makes a key in a home of its own and returns what encrypts to it.
func scratchGPG(t *testing.T) (encrypt func(path, text string)) {
	gpg, err := exec.LookPath("gpg")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("gpg is missing: install the package gnupg")
		}
		t.Skip("gpg is missing: install the package gnupg")
	}
	home, err := os.MkdirTemp("", "gpg") // short: the agent's socket lies in it
	require.NoError(t, err)
	t.Setenv("GNUPGHOME", home)
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		_ = os.RemoveAll(home)
	})
	run := func(in string, args ...string) {
		cmd := exec.CommandContext(t.Context(), gpg, append([]string{"--batch", "--no-tty", "--quiet", "--yes"}, args...)...)
		cmd.Stdin = strings.NewReader(in)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	run("", "--passphrase", "", "--quick-gen-key", "Scratch <scratch@example.invalid>", "default", "default", "never")
	return func(path, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		run(text, "--trust-model", "always", "--recipient", "scratch@example.invalid", "--output", path, "--encrypt")
	}
}

// TestImportPass reads a tree of password-store that the real gpg encrypted.
func TestImportPass(t *testing.T) {
	notInShort(t, "it waits for gpg, and nothing runs beside it")
	encrypt := scratchGPG(t)
	dir := t.TempDir()
	tree := filepath.Join(dir, ".password-store")
	require.NoError(t, os.MkdirAll(filepath.Join(tree, ".git"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(tree, ".gpg-id"), []byte("scratch\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(tree, ".git", "x.gpg"), []byte("no entry"), 0o600))
	mark := filepath.Join(dir, "mark")
	for name, text := range map[string]string{
		"plain":                "value-one\n",
		"web/example.com":      "value-two\r\nurl: https://example.com\nLogin: me@example.com\n",
		"with blank/ü":         "value-three",
		"keys/deploy":          "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n",
		"--output=" + "x":      "value-four",
		"$(touch mark);`id`|&": "value-five",
		"empty":                "\n",
	} {
		encrypt(filepath.Join(tree, name+".gpg"), text)
	}
	require.NoError(t, os.Symlink("plain.gpg", filepath.Join(tree, "alias.gpg")))
	files := credstore.FindImports(dir)
	require.Equal(t, []credstore.ImportFile{{Format: "pass", Path: tree, Encrypted: true}}, files)
	t.Chdir(dir)
	assert.Equal(t, map[string]string{
		"pass/plain": "value-one|", "pass/alias": "value-one|",
		"pass/web/example.com":      "value-two|me@example.com",
		"pass/web/example.com+rest": "url: https://example.com\nLogin: me@example.com|me@example.com",
		"pass/with_blank/_":         "value-three|with blank/ü",
		"pass/keys/deploy":          "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----|",
		"pass/--output_x":           "value-four|--output=x",
		"pass/__touch_mark___id___": "value-five|$(touch mark);`id`|&",
	}, foundIn(t, files[0], credstore.ImportOptions{}))
	assert.NoFileExists(t, mark)
	control := exec.Command("sh", "-c", "true $(touch mark)")
	require.NoError(t, control.Run())
	assert.FileExists(t, mark, "the control: a shell would have run the name")

	encrypt(filepath.Join(tree, "big.gpg"), strings.Repeat("x", 70_000))
	_, err := credstore.ReadImport(t.Context(), files[0], credstore.ImportOptions{})
	require.Error(t, err, "gpg stops at the limit")
	require.NoError(t, os.Remove(filepath.Join(tree, "big.gpg")))

	require.NoError(t, os.Symlink("/etc/hostname", filepath.Join(tree, "out.gpg")))
	_, err = credstore.ReadImport(t.Context(), files[0], credstore.ImportOptions{})
	require.Error(t, err, "a link out of the tree")
	require.NoError(t, os.Remove(filepath.Join(tree, "out.gpg")))

	require.NoError(t, os.WriteFile(filepath.Join(tree, "bad.gpg"), []byte("value-canary"), 0o600))
	_, err = credstore.ReadImport(t.Context(), files[0], credstore.ImportOptions{})
	require.ErrorIs(t, err, credstore.ErrHelper)
	assert.ErrorContains(t, err, "bad.gpg")
	assert.NotContains(t, err.Error(), "canary")
	require.NoError(t, os.Remove(filepath.Join(tree, "bad.gpg")))

	for _, program := range []string{"no-such-gpg", "./gpg"} {
		_, err = credstore.ReadImport(t.Context(), files[0], credstore.ImportOptions{GPG: program})
		require.ErrorIs(t, err, credstore.ErrHelper, program)
	}
	encrypt(filepath.Join(tree, "with_blank", "_.gpg"), "another")
	_, err = credstore.ReadImport(t.Context(), files[0], credstore.ImportOptions{})
	require.ErrorIs(t, err, credstore.ErrImport, "two names that become the same")
}
