package bashcheck

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestZshStack: to zsh cd +1 leads to an entry of the stack of folders, and is no
// folder of that name.
func TestZshStack(t *testing.T) {
	zsh := need(t, "zsh")
	const src = "pushd sub && cd +1 && rm x"
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(dir+"/sub/+1", 0o755))
	for _, f := range []string{"/x", "/sub/+1/x"} {
		require.NoError(t, os.WriteFile(dir+f, nil, 0o644))
	}
	in(dir, SafeEnv(EnvOptions{}), zsh, "-fc", src)
	assert.NoFileExists(t, dir+"/x")
	assert.FileExists(t, dir+"/sub/+1/x")
	for _, d := range []Dialect{Zsh, Any} {
		for _, e := range New(Options{Shell: d}).Analyze(src).Effects() {
			assert.False(t, e.Kind == Delete && e.Dir.Known(), "%+v", e)
		}
	}
	r := Analyze("cd +1 && rm x")
	assert.Equal(t, []string{"+1"}, r.Commands[1].Dir.Paths(), "to bash it is a folder")
}
