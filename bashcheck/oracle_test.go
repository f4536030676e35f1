//go:build linux

package bashcheck

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck/internal/oracle"
)

var oracleTools struct {
	sync.Mutex
	tools *oracle.Tools
}

// oracleBox starts a sandbox. Where bubblewrap is missing the test is skipped,
// under CI=true it fails.
func oracleBox(t testing.TB, o oracle.Options) *oracle.Sandbox {
	t.Helper()
	oracleNeeds(t, "bwrap")
	oracleTools.Lock()
	defer oracleTools.Unlock()
	if oracleTools.tools == nil {
		dir, err := os.MkdirTemp("", "oracle")
		require.NoError(t, err)
		oracleTools.tools, err = oracle.Build(dir)
		require.NoError(t, err)
	}
	box, err := oracleTools.tools.Start(t.TempDir(), o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = box.Close() })
	if _, err := box.Run(oracle.Request{}); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the sandbox does not start: %v", err)
		}
		t.Skipf("the sandbox does not start on this machine: %v", err)
	}
	return box
}

func oracleNeeds(t testing.TB, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing: the oracle tests cannot run", program)
		}
		t.Skipf("%s is missing: the oracle tests cannot run", program)
	}
}

// TestMain removes the programs that the oracle tests built.
func TestMain(m *testing.M) {
	code := m.Run()
	if tools := oracleTools.tools; tools != nil {
		_ = os.RemoveAll(tools.Dir())
	}
	os.Exit(code)
}

// TestOracleSandbox shows that what the oracle tests run cannot reach the
// machine: nothing outside is killed or written, no name is reached, and the
// next request finds everything as before.
func TestOracleSandbox(t *testing.T) {
	box := oracleBox(t, oracle.Options{Stubs: []string{"ls"}, Real: []string{"bash"}})
	outside := exec.Command("sleep", "600")
	require.NoError(t, outside.Start())
	defer func() { _ = outside.Process.Kill(); _ = outside.Wait() }()
	limit := time.Minute
	bash := func(src string) oracle.Result {
		res, err := box.Run(oracle.Request{Argv: []string{oracle.RealDir + "/bash", "--norc", "--noprofile", "-c", src}, Env: []string{"PATH=" + oracle.BinDir}, Timeout: limit})
		require.NoError(t, err)
		return res
	}
	res := bash("kill -9 -1; echo x >/etc/canary")
	_ = res
	assert.NoFileExists(t, "/etc/canary")
	assert.NoError(t, outside.Process.Signal(syscall.Signal(0)), "a process outside was ended")
	res = bash("echo x >/etc/canary; (kill -9 -1)")
	assert.Equal(t, []oracle.Change{{Path: "/etc/canary", Op: "created"}}, res.Changes)
	assert.NoFileExists(t, "/etc/canary")
	assert.NoError(t, outside.Process.Signal(syscall.Signal(0)), "a process outside was ended")

	res = bash("ls a 'b c'; ls &")
	assert.False(t, res.TimedOut)
	require.Len(t, res.Execs, 2, "the sandbox serves on, and what runs in the background is seen")
	assert.Equal(t, []string{"ls", "a", "b c"}, res.Execs[0].Argv)
	assert.Equal(t, oracle.WorkDir, res.Execs[0].Dir)
	assert.Empty(t, res.Changes, "the file is gone again")

	limit = time.Second
	res = bash("while :; do :; done & kill -STOP $$; ls")
	assert.True(t, res.TimedOut)
	assert.Empty(t, res.Execs)
	limit = time.Minute
	res = bash("echo x > /proc/1/fd/1; echo x > /usr/lib/x; echo x > /oracle/bin/x; : > /dev/tcp/127.0.0.1/22; kill -9 1; kill 1; kill -HUP 1; kill -SEGV 1; echo $? > done")
	assert.Equal(t, []oracle.Change{{Path: "/w/done", Op: "created"}}, res.Changes)
	assert.NoFileExists(t, "/usr/lib/x")
	res = bash("printf '%s ' /*")
	assert.Equal(t, 0, res.Status)
	t.Logf("the sandbox holds %s", res.Output)
}

// TestOracleStubs: the stub in C records and answers as the one in Go does.
func TestOracleStubs(t *testing.T) {
	real := []string{"bash", "env", "xargs"}
	fast, slow := oracleBox(t, oracle.Options{Stubs: []string{"ls", "hit", "["}, Real: real}), oracleBox(t, oracle.Options{Stubs: []string{"ls", "hit", "["}, Real: real, GoStub: true})
	if err := oracleTools.tools.GoOnly(); err != nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "the oracles run the stub in Go: %v", err)
		t.Skipf("the oracles run the stub in Go, so there is nothing to compare: %v", err)
	}
	t.Log("the oracles run the stub in C")
	for _, src := range []string{
		"ls", "ls a '' 'b c'", "ls ''", "env -i ls a", "env -i A=1 B= ls", "cd / && ls", "cd /usr/lib && hit $'a\nb' \"$(hit x)\"", "[ a = b ] || ls; ls ab && hit; ls abc && hit abcd", "echo a b | xargs -n 1 ls", "exec -a other ls x", "ls | xargs hit",
		"ls x > /dev/full; ls x >&-; echo $?", "rm -rf /oracle/rec; : > /w/gone; ls", "ls " + strings.Repeat("x", 100_000), "ls $(printf 'x%s ' {1..3000})", "mkdir -p /w/" + strings.Repeat("d", 200),
	} {
		for fail, output := range []string{"", "w1 w2\nw3\n", strings.Repeat("0123456789\n", 1000)} {
			req := oracle.Request{Argv: []string{oracle.RealDir + "/bash", "--norc", "--noprofile", "-c", src}, Env: oracleEnv(), Output: output, FailMod: fail}
			want, err := slow.Run(req)
			require.NoError(t, err)
			got, err := fast.Run(req)
			require.NoError(t, err)
			for _, list := range [][]oracle.Exec{want.Execs, got.Execs} { // both sides of a pipe at once
				slices.SortFunc(list, func(a, b oracle.Exec) int { return strings.Compare(a.File, b.File) })
			}
			require.Equal(t, want, got, "%.100q", src)
			require.True(t, len(got.Execs) > 0 || strings.Contains(src, "/w/"), "%.100q", src)
		}
	}
}

func TestOracleMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := (&oracle.Tools{}).Start(t.TempDir(), oracle.Options{})
	assert.True(t, errors.Is(err, oracle.ErrMissing))
}

func BenchmarkOracle(b *testing.B) {
	box := oracleBox(b, oracle.Options{Stubs: []string{"ls"}, Real: []string{"bash", "dash", "zsh"}})
	for _, shell := range []string{"bash", "dash", "zsh"} {
		b.Run(shell, func(b *testing.B) {
			for b.Loop() {
				_, err := box.Run(oracle.Request{Argv: []string{oracle.RealDir + "/" + shell, "-c", "ls a; ls b | ls c"}, Env: []string{"PATH=" + oracle.BinDir}})
				require.NoError(b, err)
			}
		})
	}
}
