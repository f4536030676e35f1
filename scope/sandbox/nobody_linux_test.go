package sandbox

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// asNobody runs tests of this program as a user without rights, with a home of its own: root
// reads files of mode 000 and is not counted by the limit of processes.
func asNobody(t *testing.T, run string, env ...string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can become nobody; the tests have run as they should")
	}
	dir, err := os.MkdirTemp("/tmp", "nobody-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	bin, tmp := filepath.Join(dir, "test"), filepath.Join(dir, "tmp")
	in, err := os.Open(os.Args[0])
	require.NoError(t, err)
	defer in.Close()
	out, err := os.OpenFile(bin, os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(out, in)
	require.NoError(t, err)
	require.NoError(t, out.Close())
	require.NoError(t, os.Mkdir(tmp, 0o700))
	// A number of its own: the kernel counts all processes of a user, also those
	// of another run of this test.
	uid := 40_000 + os.Getpid()%20_000
	require.NoError(t, os.Chown(tmp, uid, uid))
	cmd := exec.CommandContext(t.Context(), bin, "-test.run="+run, "-test.v", "-test.timeout=300s", fmt.Sprintf("-test.short=%v", testing.Short()), "-test.skip=^(TestExports|TestAsNobody|TestReachAsNobody|TestProcessLimitOfRoot)$")
	cmd.Dir = tmp
	cmd.Env = append([]string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "TMPDIR=" + tmp, "HOME=" + tmp, "CI=" + os.Getenv("CI"), "GORACE=" + quickRace, "SANDBOX_TEST_AGAIN=1"}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", text)
	require.Contains(t, string(text), "--- PASS", "%s", text)
}

func TestAsNobody(t *testing.T) {
	run := "^(TestForkBomb|TestHelperAtLimit|TestPlaceholders|TestHiddenWithWayIn|TestUnreadableDirectory|TestTracing|TestNoCapabilities|TestNetworkTables|TestNamespaces|TestBreakouts|TestScheduling)$"
	if full() {
		run = "."
	} else {
		t.Parallel()
	}
	asNobody(t, run)
}

// A program that starts others without end stops at the limit.
func TestForkBomb(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("the kernel does not count the processes of root; TestAsNobody runs this")
	}
	eachBox(t, func(t *testing.T, b *Box) {
		p := newPlace(t)
		many := `i=0; all=; while [ $i -lt 150 ]; do sleep 600 >/dev/null 2>&1 & all="$all $!"; i=$((i+1)); done; echo started $i; kill $all`
		prof := p.profile(t, ProfileOptions{Limits: Limits{Processes: 60, Time: 10 * time.Second}})
		out, err := confined(t, b, p, prof, many)
		require.Error(t, err)
		require.NotContains(t, out, "started 150")
		out, err = free(t, p, many)
		require.NoError(t, err, out)
		require.Contains(t, out, "started 150", "with the guard off they all start")

		// Long enough to begin, where the machine is busy too.
		for limit := time.Second; ; limit *= 2 {
			prof.Limits.Time = limit
			out, err = confined(t, b, p, prof, `echo up; (f() { f | f & }; f); exec sleep 600`)
			require.ErrorIs(t, err, ErrTime)
			if strings.Contains(out, "up") {
				break
			}
			require.Less(t, limit, time.Minute, "it does not begin")
		}
		for _, g := range b.Gaps(prof) {
			require.NotContains(t, g, "processes are not limited")
		}
	})
}

// Where a command has used up the limit of processes, its helper can have no new
// thread either, and still tells how it ended, or ends it.
func TestHelperAtLimit(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("the kernel does not count the processes of root; TestAsNobody runs this")
	}
	const full = `(i=0; while [ $i -lt 150 ]; do sleep 600 & i=$((i+1)); done) 2> /dev/null; echo full; `
	eachBox(t, func(t *testing.T, b *Box) {
		p := newPlace(t)
		r := p.runner(t, b, p.profile(t, ProfileOptions{Unguarded: []string{"."}, Limits: Limits{Processes: 40}}))
		run := func(script string, with func(*exec.Cmd)) (status int) {
			cmd := p.prepared(full + script)
			said, err := os.CreateTemp(p.out, "said")
			require.NoError(t, err)
			defer said.Close()
			read, w := ioPipe(t)
			cmd.Stdout, cmd.Stderr = w, said
			require.NoError(t, r.Start(cmd))
			w.Close()
			buf := make([]byte, 5)
			_, err = io.ReadFull(read, buf)
			require.NoError(t, err)
			require.Equal(t, "full\n", string(buf))
			if with != nil {
				with(cmd)
			}
			var ee *exec.ExitError
			require.ErrorAs(t, cmd.Wait(), &ee)
			// All have ended: nobody holds the output.
			_, err = io.ReadAll(read)
			require.NoError(t, err)
			text, err := os.ReadFile(said.Name())
			require.NoError(t, err)
			require.Empty(t, string(text))
			return ee.ExitCode()
		}
		for range 5 {
			require.Equal(t, 7, run("exit 7", nil))
			status := run("while :; do :; done", func(cmd *exec.Cmd) { require.NoError(t, cmd.Process.Signal(syscall.SIGTERM)) })
			if b.report.Level != Bubblewrap {
				require.Equal(t, 128+int(syscall.SIGTERM), status)
			}
		}
	})
}

// A directory that cannot be read could hold a repository: its owner must not
// be able to open it from inside.
func TestUnreadableDirectory(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads everything; TestAsNobody runs this")
	}
	b := boxes(t)[Bubblewrap]
	if b == nil {
		t.Skip("bubblewrap is not here")
	}
	attack := `chmod 700 "$P/shut"; echo evil > "$P/shut/.git/config"; :`
	p := newPlace(t)
	config := filepath.Join(p.root, "shut", ".git", "config")
	require.NoError(t, os.MkdirAll(filepath.Dir(config), 0o755))
	require.NoError(t, os.WriteFile(config, []byte("good"), 0o644))
	shut := filepath.Join(p.root, "shut")
	require.NoError(t, os.Chmod(shut, 0))
	defer os.Chmod(shut, 0o700)
	_, err := confined(t, b, p, p.profile(t, ProfileOptions{Lean: true}), attack)
	require.NoError(t, err)
	require.NoError(t, os.Chmod(shut, 0o700))
	data, err := os.ReadFile(config)
	require.NoError(t, err)
	require.Equal(t, "good", string(data))
	require.NoError(t, os.Chmod(shut, 0))
	_, err = free(t, p, attack)
	require.NoError(t, err)
	data, err = os.ReadFile(config)
	require.NoError(t, err)
	require.Equal(t, "evil\n", string(data), "with the guard off")
}

// Root is told that its processes are not counted.
func TestProcessLimitOfRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("this is about root")
	}
	eachBox(t, func(t *testing.T, b *Box) {
		p := newPlace(t)
		_, err := b.Command(t.Context(), p.profile(t, ProfileOptions{Limits: Limits{Processes: 10}}), "true")
		require.ErrorIs(t, err, ErrUnavailable)
		require.Contains(t, b.Gaps(Profile{})[0], "processes are not limited")
	})
}
