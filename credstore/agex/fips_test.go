package agex_test

import (
	"bytes"
	"crypto/fips140"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/credstore"
	"github.com/clearance-go/clearance/credstore/agex"
)

// TestNotFIPS: under fips140=only everything refuses at once; age itself would fail late, or never return.
func TestNotFIPS(t *testing.T) {
	if !fips140.Enforced() {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestNotFIPS$")
		cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	o := agex.Options{Recipients: []string{"age1"}, IdentityFile: "/none", Passphrase: credstore.NewSecret([]byte("p"))}
	_, err := agex.Import(bytes.NewReader(nil), "json", o)
	require.ErrorIs(t, err, credstore.ErrNotFIPS)
	_, err = credstore.Open(t.Context(), t.TempDir(), credstore.Options{StateDir: t.TempDir(), Keys: []credstore.KeySource{agex.Slot(o)}})
	require.ErrorIs(t, err, credstore.ErrNotFIPS)
	s, err := credstore.Open(t.Context(), t.TempDir(), credstore.Options{StateDir: t.TempDir()})
	require.NoError(t, err)
	require.ErrorIs(t, agex.Export(t.Context(), s, new(bytes.Buffer), credstore.ExportJSON, o), credstore.ErrNotFIPS)
}
