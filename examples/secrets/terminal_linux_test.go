package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// terminal runs the program on a terminal of its own (pty(7)), types answer when the screen shows question, and returns what
// the screen showed.
func terminal(t *testing.T, cmd *exec.Cmd, question, answer string) string {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	defer master.Close()
	var name string
	connection, err := master.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, connection.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			var n int
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
			name = fmt.Sprintf("/dev/pts/%d", n)
		}
	}))
	require.NoError(t, err)
	slave, err := os.OpenFile(name, os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, cmd.Start())
	slave.Close()
	stop := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer stop.Stop()
	var screen bytes.Buffer
	var once sync.Once
	part := make([]byte, 1024)
	for {
		n, err := master.Read(part)
		screen.Write(part[:n])
		if question != "" && strings.Contains(screen.String(), question) {
			once.Do(func() { _, _ = io.WriteString(master, answer) })
		}
		if err != nil { // EIO: the other side is closed
			break
		}
	}
	require.NoError(t, cmd.Wait(), "%s", screen.String())
	return screen.String()
}

func itself(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), "SECRETS_TEST_MAIN=1")
	return cmd
}

// TestTerminal: a value that is typed on a terminal is not shown.
func TestTerminal(t *testing.T) {
	home(t)
	must(t, "", "init")
	screen := terminal(t, itself(t, "set", "test/key"), "not shown): ", "typed-canary\n")
	assert.Contains(t, screen, "value of test/key")
	assert.NotContains(t, screen, "canary")
	assert.Equal(t, "typed-canary", must(t, "", "get", "test/key"))
	assert.Equal(t, "typed-canary\r\n", terminal(t, itself(t, "get", "test/key"), "", ""), "on a terminal with a line end")
	control := terminal(t, exec.CommandContext(t.Context(), "sh", "-c", "printf 'value: '; read x"), "value: ", "typed-canary\n")
	assert.Contains(t, control, "canary", "the control: a terminal shows what is typed")
}

// TestProcess: what other programs rely on is what a process does: its status, and on which stream it speaks.
func TestProcess(t *testing.T) {
	home(t)
	run := func(in string, args ...string) (out, stderr string, status int) {
		cmd := itself(t, args...)
		var o, e bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &o, &e
		_ = cmd.Run()
		return o.String(), e.String(), cmd.ProcessState.ExitCode()
	}
	out, stderr, status := run("", "get", "test/key")
	assert.Equal(t, 1, status)
	assert.Empty(t, out)
	assert.Contains(t, stderr, "run secrets init")
	_, _, status = run("", "init")
	assert.Zero(t, status)
	_, stderr, status = run("a-canary-value\n", "set", "test/key")
	assert.Zero(t, status)
	assert.Empty(t, stderr)
	out, stderr, status = run("", "get", "test/missing")
	assert.Equal(t, 1, status)
	assert.Empty(t, out)
	assert.Contains(t, stderr, "no such entry")
	out, _, status = run("", "run", "-env", "X_KEY=test/key", "--", "sh", "-c", "echo $X_KEY; echo $X_KEY >&2; exit 7")
	assert.Equal(t, "[redacted]\n", out)
	assert.Equal(t, 7, status)

	// docker-credential-helpers: what is wrong stands on standard output, and the status is 1.
	out, _, status = run("https://index.docker.io/v1/\n", "docker-credential", "get")
	assert.Equal(t, "credentials not found in native keychain\n", out)
	assert.Equal(t, 1, status)
	out, _, status = run(`{"ServerURL":"https://index.docker.io/v1/","Username":"me","Secret":"hub-canary"}`, "docker-credential", "store")
	assert.Empty(t, out)
	assert.Zero(t, status)
	out, _, _ = run("", "docker-credential", "list")
	assert.JSONEq(t, `{"https://index.docker.io/v1/":"me"}`, out, "docker looks Docker Hub up by exactly this")
	out, _, status = run("https://index.docker.io/v1/", "docker-credential", "get")
	assert.JSONEq(t, `{"ServerURL":"https://index.docker.io/v1/","Username":"me","Secret":"hub-canary"}`, out)
	assert.Zero(t, status)
	out, _, status = run("", "docker-credential", "version")
	assert.Zero(t, status)
	assert.NotEmpty(t, out)
	out, _, status = run("", "docker-credential", "nonsense")
	assert.NotEmpty(t, out)
	assert.Equal(t, 1, status)
	_, _, status = run("https://index.docker.io/v1/", "docker-credential", "erase")
	assert.Zero(t, status)
}

// TestGitRoundTrip: the real git stores, finds and erases a login through the helper.
func TestGitRoundTrip(t *testing.T) {
	home(t)
	must(t, "", "init")
	program, err := exec.LookPath("git")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is missing: install the package git")
		}
		t.Skip("git is missing: install the package git")
	}
	git := func(operation, in string) string {
		cmd := exec.CommandContext(t.Context(), program, "-c", "credential.helper=", "-c", "credential.helper=!SECRETS_TEST_MAIN=1 "+os.Args[0]+" git-credential", "credential", operation)
		cmd.Stdin = strings.NewReader(in)
		cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=true", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		out, _ := cmd.Output()
		return string(out)
	}
	ask := "protocol=https\nhost=git.example:8443\n"
	git("approve", ask+"username=me@example.com\npassword=p=w canary\n\n")
	assert.Equal(t, "git/git.example:8443/me@example.com\n", must(t, "", "list"))
	assert.Contains(t, git("fill", ask+"\n"), "username=me@example.com\npassword=p=w canary\n")
	assert.NotContains(t, git("fill", "protocol=https\nhost=other.example\n\n"), "canary")
	assert.NotContains(t, git("fill", "protocol=http\nhost=git.example:8443\n\n"), "canary")
	git("reject", ask+"username=me@example.com\npassword=p=w canary\n\n")
	assert.Empty(t, must(t, "", "list"))
	git("approve", ask+"username=me\npassword=old-canary\n\n")
	git("approve", ask+"username=me\npassword=new-canary\n\n")
	assert.Contains(t, git("fill", ask+"\n"), "password=new-canary\n")
}
