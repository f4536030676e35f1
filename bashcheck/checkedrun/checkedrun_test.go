package checkedrun_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "src"), 0o755))
	for name, text := range map[string]string{"a.txt": "one\ntwo\nthree\n", "b.txt": "four\n", "src/x.go": "package x\n", "src/y.go": "package y\n// TODO\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	return dir
}

func env() []string { return bashcheck.SafeEnv(bashcheck.EnvOptions{}) }

func play(t *testing.T, dir, text string, change func(*checkedrun.Options)) (string, int, error) {
	t.Helper()
	var out bytes.Buffer
	o := checkedrun.Options{Analyzer: analyzer, Dir: dir, Env: env(), Stdout: &out, Stderr: &out}
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

// TestReportOfAnotherText: what was approved is the report, so that a text
// that was put in its place does not run.
func TestReportOfAnotherText(t *testing.T) {
	dir := project(t)
	rep := analyzer.Analyze("cat a.txt b.txt")
	forged := rep
	forged.Source = "touch a.txt pwned"
	var out bytes.Buffer
	_, err := checkedrun.Run(context.Background(), forged, checkedrun.Options{Analyzer: analyzer, Dir: dir, Env: env(), Stdout: &out})
	var refused *checkedrun.NotApprovedError
	require.ErrorAs(t, err, &refused)
	require.NoFileExists(t, filepath.Join(dir, "pwned"))

	forged.Source = "cat a.txt b.txt > pwned"
	_, err = checkedrun.Run(context.Background(), forged, checkedrun.Options{Analyzer: analyzer, Dir: dir, Env: env(), Stdout: &out})
	require.ErrorAs(t, err, &refused)
	require.NoFileExists(t, filepath.Join(dir, "pwned"))
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
		"touch mark; cat <(ls)", "touch mark; ulimit -n", "touch mark; f() { ls; }; f", "touch mark; exec 3>x", "touch mark; set -e", "touch mark; (", "touch mark; eval ls",
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
	_, err = checkedrun.Run(ctx, analyzer.Analyze("touch mark"), checkedrun.Options{Analyzer: analyzer, Dir: dir, Env: env()})
	require.ErrorIs(t, err, context.Canceled)
	require.NoFileExists(t, filepath.Join(dir, "mark"))
}

func TestHostDecides(t *testing.T) {
	dir := project(t)
	// The host's sandbox refuses: the run ends, and nothing started.
	_, _, err := play(t, dir, "touch mark; echo after", func(o *checkedrun.Options) {
		o.Start = func(*exec.Cmd) error { return errors.New("no sandbox here") }
	})
	require.ErrorContains(t, err, "no sandbox here")
	require.NoFileExists(t, filepath.Join(dir, "mark"))
	// Output passes the redactor, across the writes of several programs.
	out, _, err := play(t, dir, "printf sec; printf 'ret one\\n'; cat a.txt", func(o *checkedrun.Options) {
		o.Redact = func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("secret"), []byte("[redacted]")) }
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
	_, err = checkedrun.Run(context.Background(), bashcheck.Report{}, checkedrun.Options{Analyzer: analyzer, Dir: dir})
	require.Error(t, err)
}

// TestLeavesNothingBehind: what a program started ends with the run.
func TestLeavesNothingBehind(t *testing.T) {
	dir := project(t)
	mark := filepath.Join(dir, "late")
	text := "bash -c '(sleep 1; touch late) & exit 0'"
	_, _, err := play(t, dir, text, nil)
	require.NoError(t, err)
	done := make(chan struct{})
	time.AfterFunc(1500*time.Millisecond, func() { close(done) })
	<-done
	require.NoFileExists(t, mark)
}

// TestBenignCorpus compares with a real bash: the same output and status for
// every command of the corpus that is run here, and prints the share.
func TestBenignCorpus(t *testing.T) {
	commands := corpus(t)
	bash, err := exec.LookPath("bash")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("bash is not installed")
		}
		t.Skip("bash is not installed: there is nothing to compare with")
	}
	same, refused, different := 0, 0, 0
	for _, text := range commands {
		rep := analyzer.Analyze(text)
		if !rep.ReadOnly() {
			continue
		}
		dir := project(t)
		var out bytes.Buffer
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		status, err := checkedrun.Run(ctx, rep, checkedrun.Options{Analyzer: analyzer, Dir: dir, Env: env(), Stdout: &out})
		cancel()
		if errors.Is(err, checkedrun.ErrUnsupported) {
			refused++
			t.Logf("refused: %q: %v", text, err)
			continue
		}
		if err != nil {
			refused++
			t.Logf("refused while it ran: %q: %v", text, err)
			continue
		}
		cmd := exec.Command(bash, "--noprofile", "--norc", "-c", text)
		cmd.Dir, cmd.Env = dir, env()
		want, _ := cmd.Output()
		if cmd.ProcessState.ExitCode() == status && (string(want) == out.String() || volatile(text)) {
			same++
			continue
		}
		different++
		t.Errorf("%q: status %d, bash %d\n%s\n-- bash --\n%s", text, status, cmd.ProcessState.ExitCode(), out.String(), want)
	}
	total := same + refused + different
	require.NotZero(t, total)
	share := 100 * float64(same+different) / float64(total)
	t.Logf("checkedrun: %d of %d read-only commands run (%.1f %%), %d the same as bash", same+different, total, share, same)
	require.GreaterOrEqual(t, share, 90.0)
}

// volatile commands print clocks, process lists and sizes that change between
// two runs.
func volatile(text string) bool {
	for _, w := range []string{"date", "ps", "uptime", "free", "top", "df", "du", "ss", "lsof", "pgrep", "who", "w", "dmesg", "docker", "kubectl", "/proc", "stat", "ls -l", "id", "nproc", "$$", "mktemp", "RANDOM"} {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

func corpus(t *testing.T) []string {
	t.Helper()
	dir := os.Getenv("CLEARANCE_VECTORS")
	for up := "."; dir == ""; up = filepath.Join("..", up) {
		if _, err := os.Stat(filepath.Join(up, "go.mod")); err == nil {
			dir = filepath.Join(up, "..", "shared", "vectors")
		} else if len(up) > 40 {
			break
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "bash-benign.jsonl"))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("no test vectors: set CLEARANCE_VECTORS to their folder, or put shared/vectors beside the module")
	}
	var out []string
	for _, line := range strings.Split(string(data), "\n") {
		if line == "" {
			continue
		}
		var v struct{ Command, Expect string }
		require.NoError(t, json.Unmarshal([]byte(line), &v))
		if v.Expect == "readonly" {
			out = append(out, v.Command)
		}
	}
	return out
}
