// Package interop checks credstore against libraries that are too heavy for the root module.
package interop

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/99designs/keyring"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/credstore"
)

// fill writes items with the real file backend.
func fill(t *testing.T, dir, passphrase string, items map[string]string) {
	ring, err := keyring.Open(keyring.Config{AllowedBackends: []keyring.BackendType{keyring.FileBackend}, FileDir: dir,
		FilePasswordFunc: keyring.FixedStringPrompt(passphrase)})
	require.NoError(t, err)
	for key, value := range items {
		require.NoError(t, ring.Set(keyring.Item{Key: key, Data: []byte(value), Label: "label of " + key}))
	}
}

// TestKeyringFiles: what the real library wrote is read, whatever the keys and values look like. With KEYRING_FIXTURE set to
// ../testdata/keyring-files it makes the files that the tests of the root module read.
func TestKeyringFiles(t *testing.T) {
	dir, passphrase := t.TempDir(), "p\u00e4ss phrase"
	if fixture := os.Getenv("KEYRING_FIXTURE"); fixture != "" {
		fill(t, fixture, "fixture passphrase", map[string]string{"plain": "value-one", "team/api key": "value-two"})
	}
	items := map[string]string{"plain": "value-one", "a/b": "value\x00\xff two", "with blank": "3", "per%cent%2F": "value-four", "ünïcode": "value-five"}
	fill(t, dir, passphrase, items)
	file := credstore.ImportFile{Format: "keyring-files", Path: dir}
	all, err := credstore.ReadImport(t.Context(), file, credstore.ImportOptions{Passphrase: credstore.NewSecret([]byte(passphrase))})
	require.NoError(t, err)
	found := map[string]string{}
	for _, c := range all {
		require.NoError(t, c.Token.Value.Use(func(b []byte) error { found[c.Name+"|"+c.Meta.Label] = string(b); return nil }))
	}
	assert.Equal(t, map[string]string{"keyring/plain|label of plain": "value-one", "keyring/a/b|label of a/b": "value\x00\xff two",
		"keyring/with_blank|label of with blank": "3", "keyring/per_cent_2F|label of per%cent%2F": "value-four",
		"keyring/_n_code|label of ünïcode": "value-five"}, found)
	_, err = credstore.ReadImport(t.Context(), file, credstore.ImportOptions{Passphrase: credstore.NewSecret([]byte("wrong"))})
	require.ErrorIs(t, err, credstore.ErrWrongKey)
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.NoError(t, os.Rename(names[0], names[1]))
	_, err = credstore.ReadImport(t.Context(), file, credstore.ImportOptions{Passphrase: credstore.NewSecret([]byte(passphrase))})
	require.ErrorIs(t, err, credstore.ErrImport, "a swapped file")
}
