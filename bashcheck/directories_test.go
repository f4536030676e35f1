package bashcheck

import (
	"os"
	"os/exec"
	"strings"
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

// TestZshTilde: zsh expands a tilde that stands behind empty quotes.
func TestZshTilde(t *testing.T) {
	const src = `cat ''~/.ssh/id_rsa ""~`
	assert.True(t, Analyze(src).Commands[0].Argv[1].Static)
	for _, d := range []Dialect{Zsh, Any} {
		for _, a := range New(Options{Shell: d}).Analyze(src).Commands[0].Argv[1:] {
			assert.False(t, a.Static, a.Text)
		}
	}
	out, err := exec.Command(need(t, "zsh"), "-fc", `HOME=/h; print -r -- ''~/.ssh/id_rsa ""~`).CombinedOutput()
	assert.NoError(t, err)
	assert.Equal(t, "/h/.ssh/id_rsa /h\n", string(out))
}

// TestQuotedTilde: a tilde stands for a home only where no rune up to the slash,
// nor the slash, is quoted.
func TestQuotedTilde(t *testing.T) {
	a := New(Options{Home: "/h"})
	for src, want := range map[string]string{`cat ~/x`: "/h/x", `cat ~\/x`: "", `cat \~/x`: "~/x", `cat '~'/x`: "~/x", `cat ~"/"x`: "", `cat ~/\x`: "/h/x"} {
		w := a.Analyze(src).Commands[0].Argv[1]
		out, err := exec.Command(need(t, "bash"), "-c", "HOME=/h; echo "+strings.TrimPrefix(src, "cat ")).CombinedOutput()
		require.NoError(t, err)
		if want == "" {
			assert.False(t, w.Static, src)
			assert.Equal(t, "~/x\n", string(out), src)
		} else {
			assert.Equal(t, want, w.Text, src)
			assert.Equal(t, want+"\n", string(out), src)
		}
	}
}
