package checkedrun_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/bashcheck/checkedrun"
)

var analyzer = bashcheck.New(bashcheck.Options{})

func project(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	dir = filepath.Join(dir, "project") // alone in its folder, which ls -a shows too
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "src"), 0o755))
	// In one order: some file systems list files as they were made.
	for _, f := range [][2]string{{"a.txt", "one\ntwo\nthree\n"}, {"b.txt", "four\n"}, {"src/x.go", "package x\n"}, {"src/y.go", "package y\n// TODO\n"}} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, f[0]), []byte(f[1]), 0o644))
	}
	// The same times in every project, so that ls -l prints the same.
	then := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, name := range []string{"a.txt", "b.txt", "src/x.go", "src/y.go", "src", ".", ".."} {
		require.NoError(t, os.Chtimes(filepath.Join(dir, name), then, then))
	}
	return dir
}

func env() []string { return bashcheck.SafeEnv(bashcheck.EnvOptions{}) }

// granted are the options of a host that approved the text as it is.
func granted(text, dir string) checkedrun.Options {
	return checkedrun.Options{
		Analyzer: analyzer, Digest: analyzer.Analyze(text).Digest(), Dir: dir, Env: env(), Unconfined: true,
		Recheck: func(bashcheck.Kind, string) error { return nil },
	}
}

func play(t *testing.T, dir, text string, change func(*checkedrun.Options)) (string, int, error) {
	t.Helper()
	var out bytes.Buffer
	o := granted(text, dir)
	o.Stdout, o.Stderr = &out, &out
	if change != nil {
		change(&o)
	}
	status, err := checkedrun.Run(context.Background(), analyzer.Analyze(text), o)
	return out.String(), status, err
}

func TestRunsWhatItSays(t *testing.T) {
	dir := project(t)
	for text, want := range map[string]string{
		"cat a.txt | head -1":                                    "one\n",
		"cd src && ls":                                           "x.go\ny.go\n",
		"for f in src/*.go; do echo \"$f\"; done":                "src/x.go\nsrc/y.go\n",
		"echo \"$(wc -l < a.txt)\"":                              "3\n",
		"grep -l TODO src/*.go 2>/dev/null":                      "src/y.go\n",
		"if [ -f a.txt ]; then echo yes; else echo no; fi":       "yes\n",
		"echo hi > new.txt && cat new.txt":                       "hi\n",
		"ls missing 2>/dev/null || echo none":                    "none\n",
		"printf '%s\\n' a b | sort -r":                           "b\na\n",
		"x=a.txt; head -1 \"$x\"":                                "one\n",
		"head -1 [!b].txt":                                       "one\n",
		"find . -name '*.go' | sort | xargs grep -l 'package x'": "./src/x.go\n",
	} {
		out, status, err := play(t, dir, text, nil)
		require.NoError(t, err, text)
		require.Zero(t, status, text)
		require.Equal(t, want, out, text)
	}
	_, status, err := play(t, dir, "grep -q nothing a.txt", nil)
	require.NoError(t, err)
	require.Equal(t, 1, status)
}

// TestAnotherReport: what was approved is one report, so that nothing else runs
// in its place.
func TestAnotherReport(t *testing.T) {
	dir := project(t)
	const text = "cat a.txt b.txt"
	refused := func(name string, rep bashcheck.Report, o checkedrun.Options) {
		var e *checkedrun.DigestError
		status, err := checkedrun.Run(context.Background(), rep, o)
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, -1, status)
		status, err = checkedrun.Shell(context.Background(), rep, "/bin/bash", o)
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, -1, status)
		require.NoFileExists(t, filepath.Join(dir, "pwned"), name)
	}
	forged := analyzer.Analyze(text)
	forged.Source = "touch pwned"
	refused("another text", forged, granted(text, dir))
	refused("a report that says the digest of another text", analyzer.Analyze("touch pwned"), granted(text, dir))

	none := granted(text, dir)
	none.Digest = ""
	refused("no digest", analyzer.Analyze(text), none)
	refused("no report", bashcheck.Report{}, none)

	// Another analyzer would judge the expanded words otherwise.
	other := granted(text, dir)
	other.Analyzer = bashcheck.New(bashcheck.Options{Programs: []bashcheck.Source{{Name: "mine", Text: "program cat\n  summary does anything\n"}}})
	refused("another analyzer", analyzer.Analyze(text), other)

	// What a report says besides its text is not taken from the caller: here it
	// would have let everything through.
	wide := analyzer.Analyze("for f in *; do sort \"$f\"; done")
	for i := range wide.Commands {
		wide.Commands[i].Effects = []bashcheck.Effect{{Kind: bashcheck.Write}, {Kind: bashcheck.Read}}
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "-opwned"), []byte("x\n"), 0o644))
	_, err := checkedrun.Run(context.Background(), wide, granted(wide.Source, dir))
	var not *checkedrun.NotApprovedError
	require.ErrorAs(t, err, &not)
	require.NoFileExists(t, filepath.Join(dir, "pwned"))

	// The same text that came through JSON is the same report.
	b, err := json.Marshal(analyzer.Analyze(text))
	require.NoError(t, err)
	var back bashcheck.Report
	require.NoError(t, json.Unmarshal(b, &back))
	_, err = checkedrun.Run(context.Background(), back, granted(text, dir))
	require.NoError(t, err)
}

// TestExpandsToMore: a word that was not known becomes an option that writes.
// A real shell shows that it can.
func TestExpandsToMore(t *testing.T) {
	dir := project(t)
	text := "for f in *; do sort \"$f\"; done"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "-oa.txt"), []byte("x\n"), 0o644))
	before, err := os.ReadFile(filepath.Join(dir, "a.txt"))
	require.NoError(t, err)
	_, _, err = play(t, dir, text, nil)
	after, rerr := os.ReadFile(filepath.Join(dir, "a.txt"))
	require.NoError(t, rerr)
	require.Equal(t, string(before), string(after), "%v", err)
	var refused *checkedrun.NotApprovedError
	require.ErrorAs(t, err, &refused)

	if bash, err := exec.LookPath("bash"); err == nil {
		cmd := exec.Command(bash, "-c", text)
		cmd.Dir, cmd.Env = dir, env()
		_ = cmd.Run()
		after, err := os.ReadFile(filepath.Join(dir, "a.txt"))
		require.NoError(t, err)
		require.NotEqual(t, string(before), string(after), "the attack does not work even without the check")
	}
}

func TestUnsupportedIsRefusedBeforeItStarts(t *testing.T) {
	dir := project(t)
	for _, text := range []string{
		"touch mark; sleep 1 &", "touch mark; coproc cat", "touch mark; select x in a; do :; done", "touch mark; trap 'x' EXIT",
		"touch mark; echo <(ls)", "touch mark; cat --a=<(ls)", "touch mark; $x <(ls)", "touch mark; \\eval ls", "touch mark; 'eval' ls", "touch mark; ls 0>x", "touch mark; ls 2<x",
		"touch mark; ls >&-", "touch mark; ls > *", "touch mark; ls >&x", "touch mark; echo {1..100000}", "touch mark; echo {1..99}{1..99}", "touch mark; export A=b", "touch mark; x=$?$y", "touch mark; time ls",
		"touch mark; [[ x == @(a|b) ]]", "touch mark; shopt", "touch mark; ulimit -n", "touch mark; f() { ls; }; f", "touch mark; exec 3>x", "touch mark; set -e", "touch mark; (", "touch mark; eval ls",
	} {
		_, _, err := play(t, dir, text, nil)
		require.ErrorIs(t, err, checkedrun.ErrUnsupported, text)
		require.NoFileExists(t, filepath.Join(dir, "mark"), text)
	}
}

func TestLimits(t *testing.T) {
	dir := project(t)
	_, _, err := play(t, dir, "yes", func(o *checkedrun.Options) { o.Limits.Output = 1 << 16 })
	require.ErrorIs(t, err, checkedrun.ErrOutput)
	start := time.Now()
	_, _, err = play(t, dir, "sleep 60", func(o *checkedrun.Options) { o.Limits.Time = 200 * time.Millisecond })
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(start), 20*time.Second)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = checkedrun.Run(ctx, analyzer.Analyze("touch mark"), granted("touch mark", dir))
	require.ErrorIs(t, err, context.Canceled)
	require.NoFileExists(t, filepath.Join(dir, "mark"))
}

func TestHostDecides(t *testing.T) {
	dir := project(t)
	// The host's sandbox refuses: the run ends, and nothing started.
	_, _, err := play(t, dir, "touch mark; echo after", func(o *checkedrun.Options) {
		o.Sandbox.Start = func(*exec.Cmd) error { return errors.New("no sandbox here") }
	})
	require.ErrorContains(t, err, "no sandbox here")
	require.NoFileExists(t, filepath.Join(dir, "mark"))
	// Output passes the redactor, across the writes of several programs.
	out, _, err := play(t, dir, "printf sec; printf 'ret one\\n'; cat a.txt", func(o *checkedrun.Options) {
		o.Redact = func(w io.Writer) io.WriteCloser { return &lines{w: w} }
	})
	require.NoError(t, err)
	require.Equal(t, "[redacted] one\none\ntwo\nthree\n", out)
	// Nothing of the process environment reaches a program.
	t.Setenv("CHECKEDRUN_PROBE", "leak")
	out, _, err = play(t, dir, "printenv", nil)
	require.NoError(t, err)
	require.False(t, strings.Contains(out, "leak"))
	// The zero Options run nothing.
	_, err = checkedrun.Run(context.Background(), analyzer.Analyze("ls"), checkedrun.Options{})
	require.Error(t, err)
	o := granted("ls", dir)
	o.Recheck = nil
	_, err = checkedrun.Run(context.Background(), analyzer.Analyze("ls"), o)
	require.ErrorContains(t, err, "Recheck")
}

// lines is a redactor that holds back unfinished lines.
type lines struct {
	w    io.Writer
	held []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.held = append(l.held, p...)
	return len(p), nil
}

func (l *lines) Close() error {
	_, err := l.w.Write(bytes.ReplaceAll(l.held, []byte("secret"), []byte("[redacted]")))
	return err
}
