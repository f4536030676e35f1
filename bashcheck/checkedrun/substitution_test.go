//go:build unix

package checkedrun_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
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

// A process substitution runs beside the text: what it is about to start when
// the run ends is waited for, and ended too.
func TestNothingStartsAfterwards(t *testing.T) {
	dir := project(t)
	ctx, cancel := context.WithCancel(context.Background())
	rep := analyzer.Analyze("cat <(sleep 60)")
	o := granted(rep.Source, dir)
	returned, starting := make(chan struct{}), make(chan *exec.Cmd, 1)
	o.Sandbox.Start = func(cmd *exec.Cmd) error {
		if filepath.Base(cmd.Path) != "sleep" {
			return cmd.Start()
		}
		cancel()
		select {
		case <-returned:
			t.Error("Run has returned while it starts a program")
		case <-time.After(300 * time.Millisecond): // without the wait, it takes less than one
		}
		// As a sandbox may, it does not look at the context any more.
		late := exec.Command(cmd.Path, cmd.Args[1:]...)
		late.Env, late.Stdout, late.SysProcAttr = cmd.Env, cmd.Stdout, cmd.SysProcAttr
		err := late.Start()
		starting <- late
		if err != nil {
			return err
		}
		cmd.Process = late.Process
		return context.Canceled
	}
	_, err := checkedrun.Run(ctx, rep, o)
	close(returned)
	require.ErrorIs(t, err, context.Canceled)
	late := <-starting
	require.NotNil(t, late.Process)
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(late.Process.Pid, &status, syscall.WNOHANG, nil)
	require.NoError(t, err)
	if pid == 0 {
		_ = late.Process.Kill()
		_, _ = late.Process.Wait()
	}
	if runtime.GOOS == "linux" { // elsewhere only groups are ended
		require.Equal(t, late.Process.Pid, pid, "it still runs")
		require.Equal(t, syscall.SIGKILL, status.Signal())
	}
}

// A redirection from a fifo that nobody opens waits, as in every shell, but no
// longer than the run may.
func TestFifoWaits(t *testing.T) {
	dir := project(t)
	fifo := filepath.Join(dir, "queue")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	for _, text := range []string{"cat < queue", "echo x > queue", "cat <(cat < queue)"} {
		_, _, err := play(t, dir, text, func(o *checkedrun.Options) { o.Limits.Time = 200 * time.Millisecond })
		require.ErrorIs(t, err, context.DeadlineExceeded, text)
	}
	// With somebody at the other side it is a file like others.
	go func() { _ = os.WriteFile(fifo, []byte("from outside\n"), 0) }()
	out, _, err := play(t, dir, "cat < queue", nil)
	require.NoError(t, err)
	require.Equal(t, "from outside\n", out)
}
