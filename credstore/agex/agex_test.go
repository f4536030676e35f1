package agex_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/credstore"
	"github.com/clearance-go/clearance/credstore/agex"
)

// identity writes an identity file and returns options that use it.
func identity(t *testing.T) agex.Options {
	id, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "identity.txt")
	require.NoError(t, os.WriteFile(path, []byte("# created for a test\n"+id.String()+"\n"), 0o600))
	return agex.Options{Recipients: []string{id.Recipient().String()}, IdentityFile: path}
}

func store(t *testing.T, o credstore.Options) (*credstore.Store, string) {
	dir := t.TempDir()
	if o.StateDir == "" {
		o.StateDir = t.TempDir()
	}
	s, err := credstore.Open(t.Context(), dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s, dir
}

func TestSlot(t *testing.T) {
	o := identity(t)
	options := credstore.Options{StateDir: t.TempDir(), Keys: []credstore.KeySource{agex.Slot(o)}}
	s, dir := store(t, options)
	require.NoError(t, s.Set(t.Context(), "a", credstore.NewSecret([]byte("value")), credstore.Meta{}))
	require.NoError(t, s.Rotate(t.Context(), credstore.RotateOptions{}))
	again, err := credstore.Open(t.Context(), dir, options)
	require.NoError(t, err)
	st, err := again.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "age", st.Slots[0].Type)
	assert.Contains(t, st.Source, "age identity")
	_, err = credstore.Open(t.Context(), dir, credstore.Options{StateDir: options.StateDir, Keys: []credstore.KeySource{agex.Slot(identity(t))}})
	require.ErrorIs(t, err, credstore.ErrNoKey)
	require.NoError(t, os.Chmod(o.IdentityFile, 0o644))
	_, err = credstore.Open(t.Context(), dir, options)
	require.ErrorIs(t, err, credstore.ErrPermissions)
	other := identity(t)
	other.Recipients = identity(t).Recipients
	_, err = credstore.Open(t.Context(), t.TempDir(), credstore.Options{StateDir: t.TempDir(), Keys: []credstore.KeySource{agex.Slot(other)}})
	require.ErrorIs(t, err, credstore.ErrBadKey, "a store that its own identity does not open is not made")
	for _, bad := range []string{"", "age1", "age-plugin-x", "AGE-SECRET-KEY-1", "age1\nage1"} {
		other.Recipients = []string{bad}
		_, err = credstore.Open(t.Context(), t.TempDir(), credstore.Options{StateDir: t.TempDir(), Keys: []credstore.KeySource{agex.Slot(other)}})
		require.ErrorIs(t, err, credstore.ErrBadKey, bad)
	}
}

func TestHybridRecipient(t *testing.T) {
	id, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "identity.txt")
	require.NoError(t, os.WriteFile(path, []byte(id.String()+"\n"), 0o600))
	store(t, credstore.Options{Keys: []credstore.KeySource{agex.Slot(agex.Options{Recipients: []string{id.Recipient().String()}, IdentityFile: path})}})
}

// TestAgeReadsExport: the age program reads what Export writes, and Import reads what age writes.
func TestAgeReadsExport(t *testing.T) {
	program, err := exec.LookPath("age")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("the age program is missing: install the package age")
		}
		t.Skip("the age program is missing: install the package age")
	}
	s, _ := store(t, credstore.Options{})
	require.NoError(t, s.Set(t.Context(), "a", credstore.NewSecret([]byte("value one")), credstore.Meta{Env: "ONE"}))
	require.NoError(t, s.SetToken(t.Context(), "b", credstore.Token{Value: credstore.NewSecret([]byte("two\xff")), Refresh: credstore.NewSecret([]byte("again"))}, credstore.Meta{Hosts: []string{"x.example"}}))
	o := identity(t)
	var sealed bytes.Buffer
	require.NoError(t, agex.Export(t.Context(), s, &sealed, credstore.ExportDotenv, o, "a"))
	assert.NotContains(t, sealed.String(), "value")
	cmd := exec.CommandContext(t.Context(), program, "-d", "-i", o.IdentityFile)
	cmd.Stdin = bytes.NewReader(sealed.Bytes())
	out, err := cmd.Output()
	require.NoError(t, err)
	assert.Equal(t, "ONE='value one'\n", string(out))

	sealed.Reset()
	require.NoError(t, agex.Export(t.Context(), s, &sealed, credstore.ExportJSON, o))
	other, _ := store(t, credstore.Options{})
	found, err := agex.Import(&sealed, "json", o)
	require.NoError(t, err)
	_, err = other.Import(t.Context(), found, false)
	require.NoError(t, err)
	for _, name := range []string{"a", "b"} {
		want, err := s.Get(t.Context(), name)
		require.NoError(t, err)
		have, err := other.Get(t.Context(), name)
		require.NoError(t, err)
		assert.True(t, want.Equal(have))
	}

	for _, armored := range []bool{false, true} {
		args := []string{"-r", o.Recipients[0]}
		if armored {
			args = append(args, "-a")
		}
		cmd = exec.CommandContext(t.Context(), program, args...)
		cmd.Stdin = strings.NewReader("API_KEY=from-age-program\n")
		out, err = cmd.Output()
		require.NoError(t, err)
		found, err = agex.Import(bytes.NewReader(out), "dotenv", o)
		require.NoError(t, err)
		require.Len(t, found, 1)
		assert.True(t, found[0].Token.Value.Equal(credstore.NewSecret([]byte("from-age-program"))))
	}
}

func passphraseFile(t *testing.T, factor int, armored bool) []byte {
	r, err := age.NewScryptRecipient("pass")
	require.NoError(t, err)
	r.SetWorkFactor(factor)
	var out bytes.Buffer
	var to io.Writer = &out
	a := armor.NewWriter(&out)
	if armored {
		to = a
	}
	w, err := age.Encrypt(to, r)
	require.NoError(t, err)
	_, err = w.Write([]byte("K=value-1\n"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	if armored {
		require.NoError(t, a.Close())
	}
	return out.Bytes()
}

func TestImportPassphrase(t *testing.T) {
	o := agex.Options{Passphrase: credstore.NewSecret([]byte("pass"))}
	for _, armored := range []bool{false, true} {
		found, err := agex.Import(bytes.NewReader(passphraseFile(t, 10, armored)), "dotenv", o)
		require.NoError(t, err)
		assert.Len(t, found, 1)
	}
	_, err := agex.Import(bytes.NewReader(passphraseFile(t, 10, false)), "dotenv", agex.Options{Passphrase: credstore.NewSecret([]byte("wrong"))})
	require.ErrorIs(t, err, credstore.ErrWrongKey)
	raw := passphraseFile(t, 10, false)
	for _, bad := range [][]byte{nil, []byte("x"), []byte("age-encryption.org/v1\n"), raw[:len(raw)-1], raw[:60]} {
		_, err = agex.Import(bytes.NewReader(bad), "dotenv", o)
		require.ErrorIs(t, err, credstore.ErrImport)
		assert.NotContains(t, err.Error(), "value")
	}
}
