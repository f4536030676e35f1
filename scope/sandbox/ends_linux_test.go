package sandbox

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lasting says its number once it runs in a session of its own, and holds
// standard output open as long as it runs.
const lasting = `setsid sh -c 'echo $$; exec sleep 600' & sleep 600`

// TestHostChild is the host of TestHostKilled.
func TestHostChild(t *testing.T) {
	text := os.Getenv("SANDBOX_TEST_HOST_CHILD")
	if text == "" {
		t.Skip("runs only as the child of another test")
	}
	var p struct {
		Level   Level
		Plain   bool
		Profile Profile
	}
	require.NoError(t, json.Unmarshal([]byte(text), &p))
	b, err := New(helper, Options{Level: p.Level})
	require.NoError(t, err)
	b.plain = p.Plain
	cmd, err := b.Command(t.Context(), p.Profile, "sh", "-c", lasting)
	require.NoError(t, err)
	cmd.Stdout = os.Stdout
	_ = cmd.Run()
}

// When the host is killed every process of the command ends, in every session.
func TestHostKilled(t *testing.T) {
	run := func(t *testing.T, cmd *exec.Cmd) (r *os.File, pid int) {
		r, w := ioPipe(t)
		cmd.Stdout = w
		require.NoError(t, cmd.Start())
		w.Close()
		require.NoError(t, r.SetReadDeadline(time.Now().Add(2*time.Minute)))
		buf := make([]byte, 20)
		n, err := r.Read(buf)
		require.NoError(t, err)
		pid, err = strconv.Atoi(strings.TrimSpace(string(buf[:n])))
		require.NoError(t, err)
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		return r, pid
	}
	r, pid := run(t, exec.Command("sh", "-c", strings.TrimSuffix(lasting, " sleep 600")+" exec sleep 600"))
	require.NoError(t, r.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
	_, err := r.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "with the guard off it runs on")
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))

	eachBox(t, func(t *testing.T, b *Box) {
		t.Parallel()
		p := newPlace(t)
		text, err := json.Marshal(map[string]any{"Level": b.report.Level, "Plain": b.plain, "Profile": p.profile(t, ProfileOptions{Unguarded: []string{"."}})})
		require.NoError(t, err)
		host := exec.Command(os.Args[0], "-test.run=^TestHostChild$")
		host.Env = append(p.env(), "GORACE="+quickRace, "TMPDIR="+p.out, "SANDBOX_TEST_HOST_CHILD="+string(text))
		r, _ := run(t, host)
		_, err = io.ReadAll(r)
		require.NoError(t, err, "nothing holds the output open")
	})
}

// The signals that end programs end the command from outside, and not from
// inside.
func TestSignalsToFirst(t *testing.T) {
	b := boxes(t)[Namespaces]
	if b == nil {
		t.Skip("this machine has no namespaces for this user")
	}
	p := newPlace(t)
	r := p.runner(t, b, p.profile(t, ProfileOptions{Unguarded: []string{"."}}))
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		cmd := p.prepared(`echo up; sleep 600`)
		read, w := ioPipe(t)
		cmd.Stdout = w
		require.NoError(t, r.Start(cmd))
		_, err := read.Read(make([]byte, 3))
		require.NoError(t, err)
		require.NoError(t, cmd.Process.Signal(sig))
		var ee *exec.ExitError
		require.ErrorAs(t, cmd.Wait(), &ee)
		require.Equal(t, 128+int(sig), ee.ExitCode())
	}
	if b.report.ABI < 6 {
		t.Skip("Landlock restricts signals from ABI 6 on")
	}
	out, err := confined(t, b, p, p.profile(t, ProfileOptions{Unguarded: []string{"."}}), `for s in TERM INT HUP QUIT KILL STOP ABRT SEGV; do kill -$s 1; done; echo lives`)
	require.NoError(t, err, out)
	require.Contains(t, out, "lives")
}

// Without "/" the file system is empty but for what is named, and read-only.
func TestFreshRoot(t *testing.T) {
	b := boxes(t)[Namespaces]
	if b == nil {
		t.Skip("this machine has no namespaces for this user (bwrap starts a program that is linked dynamically, as this one, only where its linker is named)")
	}
	// The linker by its real name: a profile names no links.
	linkers, err := filepath.Glob("/lib*/ld-linux*.so.*")
	require.NoError(t, err)
	if len(linkers) == 0 {
		t.Skip("there is no linker of the GNU C library to start a shell with")
	}
	linker, err := filepath.EvalSymlinks(linkers[0])
	require.NoError(t, err)
	p := newPlace(t)
	prof := Profile{Dir: p.root, Entries: []Entry{{Path: "/usr", Access: Read, Dir: true}, {Path: p.root, Access: Write, Dir: true},
		{Path: p.root + "/.env"}, {Path: p.root + "/.mcp.json", Access: Read, Missing: true}}}
	if !within(linker, "/usr") {
		prof.Entries = append(prof.Entries, Entry{Path: filepath.Dir(linker), Access: Read, Dir: true})
	}
	before := p.state(t)
	// What the shell does by itself: every other program needs the links of /.
	script := `for f in "$H/notes" "$P/.env" /etc/passwd /proc/1/root/etc/passwd "/proc/1/root$H/notes" "/proc/self/root$H/notes"; do v=; read v < "$f"; test -z "$v" || echo "LEAK $f"; done
		for f in $MADE "$P/.mcp.json" "$P/.env"; do (: > "$f") && echo "LEAK $f"; done
		(echo x > "$P/src/a.go") && read v < "$P/src/a.go" && printf 'package a' > "$P/src/a.go" && : > "${SCRATCH:-$P/src/s}" && : > /dev/null && echo "wrote $v" /*`
	shell, err := filepath.EvalSymlinks("/bin/sh")
	require.NoError(t, err)
	cmd, err := b.Command(t.Context(), prof, linker, shell, "-c", script)
	require.NoError(t, err)
	// Only in the sandbox.
	cmd.Env = append(p.env(), "MADE=/made /usr/made", "SCRATCH=/tmp/f")
	out, err := cmd.Output()
	require.NoError(t, err, string(out))
	require.NotContains(t, string(out), "LEAK")
	require.Contains(t, string(out), "wrote x /")
	require.NotContains(t, string(out), "/etc")
	require.Equal(t, before, p.state(t), string(out))
	text, err := free(t, p, script)
	require.NoError(t, err, text)
	require.Contains(t, text, "LEAK", "with the guard off")
}
