package bashcheck

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDeclarationsRunCode: bash runs what stands in a subscript that a
// declaration is given, however it is quoted, and in values of numbers and of
// references. Each is first shown to do so.
func TestDeclarationsRunCode(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "bash is missing")
		t.Skip("bash is missing: that it runs these cannot be shown")
	}
	for _, src := range []string{
		`"typeset" 'a[$(touch hit)]='`, `declare 'a[$(touch hit)]=1'`, `command declare 'a[$(touch hit)]=1'`, `builtin typeset 'a[$(touch hit)]=1'`,
		`declare -i x='a[$(touch hit)]'`, `declare -i x; x='a[$(touch hit)]'`, `declare -n r='a[$(touch hit)]'; : "$r"`, `declare {-i,x='a[$(touch hit)]'}`, `x='a[$(touch hit)]=1'; declare "$x"`,
	} {
		dir := t.TempDir()
		c := exec.Command(bash, "--norc", "-c", src)
		c.Dir = dir
		_ = c.Run()
		assert.FileExists(t, filepath.Join(dir, "hit"), "%s: bash runs it", src)
		blocked := false
		for _, f := range Analyze(src).Findings {
			blocked = blocked || f.Blocks
		}
		assert.True(t, blocked, src)
	}
	for _, src := range []string{"export FOO=bar", `export "FOO=$x"`, "declare -a list", "local x=1 y", "declare -p", `export PATH="$HOME/bin:$PATH"`, "typeset -x FOO=1"} {
		for _, f := range Analyze(src).Findings {
			assert.False(t, f.Blocks, "%s: %s", src, f.Text)
		}
	}
}
