package toolset

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestKeyOnTheLineOfAHeader proves that git reads what the check refuses.
func TestKeyOnTheLineOfAHeader(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "git is missing")
		t.Skip("git is missing")
	}
	name := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(name, []byte("[core]\n\tbare = false\n[diff \"x\"] textconv = ./x #]\n"), 0o600))
	out, err := exec.Command(git, "config", "-f", name, "diff.x.textconv").Output()
	require.NoError(t, err)
	require.Equal(t, "./x", strings.TrimSpace(string(out)))
	assert.False(t, gitConfigHarmless(name, ""))
	require.NoError(t, os.WriteFile(name, []byte("[core]\n\tbare = false\n[remote \"o\\\"r\"]\n\turl = x\n[Branch \"a b\"]\nremote = o\n"), 0o600))
	assert.True(t, gitConfigHarmless(name, ""))
}
