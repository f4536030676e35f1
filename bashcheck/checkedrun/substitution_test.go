//go:build unix

package checkedrun_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck/checkedrun"
)

func TestProcessSubstitution(t *testing.T) {
	dir := project(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	for text, want := range map[string]string{
		"diff <(echo a) <(echo a) && echo same":                                "same\n",
		"diff <(echo a) <(echo b); echo $?":                                    "1c1\n< a\n---\n> b\n1\n",
		"comm -12 <(sort a.txt) <(sort a.txt | head -2)":                       "one\nthree\n",
		"cat < <(echo in)":                                                     "in\n",
		"echo x | tee >(tr x y > out.txt) ; cat out.txt":                       "x\ny\n",
		"echo deep > >(tr a-z A-Z)":                                            "DEEP\n",
		"for i in 1 2; do cat <(echo $i); done":                                "1\n2\n",
		"(cat <(echo sub))":                                                    "sub\n",
		"echo \"$(cat <(echo inner))\"":                                        "inner\n",
		"! cat <(false) && echo no; echo $?":                                   "1\n",
		"cat <(cat <(echo nested))":                                            "nested\n",
		"timeout 5 cat <(echo wrapped)":                                        "wrapped\n",
		"if cat missing <(echo yes) 2>/dev/null; then echo t; else echo f; fi": "yes\nf\n",
		"head -1 <(yes)":                                                       "y\n",
		"nosuchprogram <(echo a) 2>/dev/null; echo $?":                         "127\n",
		"true; cat <(exit 3); echo $?":                                         "0\n",
		"cat <(echo a) | cat - <(echo b)":                                      "a\nb\n",
		"[ -f a.txt ] && cat <(sort -r a.txt) || echo none":                    "two\nthree\none\n",
	} {
		out, _, err := play(t, dir, text, func(o *checkedrun.Options) { o.Limits.Time = 2 * time.Minute })
		require.NoError(t, err, text)
		require.Equal(t, want, out, text)
	}
	// What is inside is checked like the rest.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "-opwned"), []byte("x\n"), 0o644))
	var refused *checkedrun.NotApprovedError
	_, _, err := play(t, dir, "cat <(for f in -*; do sort \"$f\"; done)", nil)
	require.ErrorAs(t, err, &refused)
	require.NoFileExists(t, filepath.Join(dir, "pwned"))
	// A refused command does not leave its substitutions waiting.
	_, _, err = play(t, dir, "for f in -*; do sort \"$f\" <(cat a.txt); done", nil)
	require.ErrorAs(t, err, &refused)
	ctx, cancel := context.WithCancel(context.Background())
	rep := analyzer.Analyze("cat <(sleep 60)")
	o := granted(rep.Source, dir)
	o.Sandbox.Start = func(cmd *exec.Cmd) error { defer cancel(); return cmd.Start() }
	_, err = checkedrun.Run(ctx, rep, o)
	require.ErrorIs(t, err, context.Canceled)
	// Nothing is left of the fifos.
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
}
