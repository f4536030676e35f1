package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clearance-go/clearance/scope/sandbox/internal/confine"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func (p place) runner(t testing.TB, b *Box, prof Profile) *Runner {
	t.Helper()
	r, err := b.Runner(t.Context(), prof)
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// prepared is a command as os/exec makes it.
func (p place) prepared(script string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Env = p.env()
	return cmd
}

// Many commands under one runner, at the same time, and what they leave.
func TestRunner(t *testing.T) {
	eachBox(t, func(t *testing.T, b *Box) {
		p := newPlace(t)
		before := p.state(t)
		prof := p.profile(t, ProfileOptions{})
		r := p.runner(t, b, prof)
		require.Equal(t, b.Report(), r.Report())
		var wg sync.WaitGroup
		errs := make(chan error, 8)
		for i := range 8 {
			wg.Go(func() {
				cmd := p.prepared(fmt.Sprintf(`echo evil > "$P/.mcp.json"; echo evil > "$P/.git/config"; cat; echo %d; exit %d`, i, i))
				var out bytes.Buffer
				cmd.Stdin, cmd.Stdout = strings.NewReader("in "), &out
				if err := r.Start(cmd); err != nil {
					errs <- err
					return
				}
				_ = cmd.Wait()
				if code := cmd.ProcessState.ExitCode(); code != i || out.String() != fmt.Sprintf("in %d\n", i) {
					errs <- fmt.Errorf("status %d, output %q", code, out.String())
				}
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			require.NoError(t, err)
		}
		require.NoError(t, r.Close())
		require.NoError(t, r.Close(), "twice is nothing")
		require.Equal(t, before, p.state(t))
		require.ErrorIs(t, r.Start(p.prepared("true")), ErrClosed)

		cmd := p.prepared(`echo evil > "$P/.mcp.json"; echo evil > "$P/.git/config"`)
		require.NoError(t, cmd.Run())
		require.NotEqual(t, before, p.state(t), "with the guard off")
	})
}

// Every field of the command that is taken.
func TestRunnerFields(t *testing.T) {
	eachBox(t, func(t *testing.T, b *Box) {
		t.Setenv("SECRET_OF_THE_HOST", "1")
		p := newPlace(t)
		r := p.runner(t, b, p.profile(t, ProfileOptions{Lean: true}))

		// Path apart from argv[0], Dir, Env, files beside the standard ones,
		// pipes, one writer for both outputs.
		in, w := ioPipe(t)
		_, err := w.WriteString("three\n")
		require.NoError(t, err)
		w.Close()
		back, out := ioPipe(t)
		cmd := &exec.Cmd{Path: "/bin/sh", Args: []string{"other", "-c", `echo "$0 $A $(pwd)"; cat <&3; echo four >&4; ls /proc/self/fd | wc -l; echo err >&2`},
			Env: []string{"A=a b", "PATH=/bin:/usr/bin"}, Dir: filepath.Join(p.root, "src"), ExtraFiles: []*os.File{in, out}}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		var both bytes.Buffer
		cmd.Stdout, cmd.Stderr = &both, &both
		require.NoError(t, r.Start(cmd))
		require.Equal(t, "/bin/sh", cmd.Path, "what was given is there again")
		require.Len(t, cmd.ExtraFiles, 2)
		require.NoError(t, cmd.Wait())
		out.Close()
		// 0, 1, 2, the two files, and the folder that ls reads.
		require.Equal(t, "other a b "+cmd.Dir+"\nthree\n6\nerr\n", both.String())
		data, err := io.ReadAll(back)
		require.NoError(t, err)
		require.Equal(t, "four\n", string(data))

		cmd = p.prepared(`echo piped; echo "$SECRET_OF_THE_HOST"; pwd`)
		cmd.Env = nil
		pipe, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, r.Start(cmd))
		data, err = io.ReadAll(pipe)
		require.NoError(t, err)
		require.NoError(t, cmd.Wait())
		require.Equal(t, "piped\n\n"+p.root+"\n", string(data))

		// What cannot run.
		require.ErrorIs(t, r.Start(&exec.Cmd{Path: "/no/such/program"}), fs.ErrNotExist)
		require.ErrorIs(t, r.Start(&exec.Cmd{Path: filepath.Join(p.root, "src", "a.go")}), fs.ErrPermission)
		require.ErrorIs(t, r.Start(exec.Command("no-such-program-anywhere")), exec.ErrNotFound)
		// What is refused.
		dir, err := os.Open(p.out)
		require.NoError(t, err)
		defer dir.Close()
		for name, bad := range map[string]*exec.Cmd{
			"nothing":          {},
			"relative dir":     {Path: "/bin/true", Dir: "src"},
			"nil file":         {Path: "/bin/true", ExtraFiles: []*os.File{nil}},
			"directory":        {Path: "/bin/true", ExtraFiles: []*os.File{dir}},
			"directory, stdin": {Path: "/bin/true", Stdin: dir},
			"credential":       {Path: "/bin/true", SysProcAttr: &syscall.SysProcAttr{Credential: &syscall.Credential{}}},
			"namespaces":       {Path: "/bin/true", SysProcAttr: &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}},
			"chroot":           {Path: "/bin/true", SysProcAttr: &syscall.SysProcAttr{Chroot: "/"}},
			"capabilities":     {Path: "/bin/true", SysProcAttr: &syscall.SysProcAttr{AmbientCaps: []uintptr{1}}},
			"terminal":         {Path: "/bin/true", SysProcAttr: &syscall.SysProcAttr{Setctty: true}},
		} {
			require.ErrorIs(t, r.Start(bad), ErrCommand, name)
		}
		require.ErrorIs(t, r.Start(nil), ErrCommand)
		cmd = p.prepared("true")
		require.NoError(t, r.Start(cmd))
		require.Error(t, r.Start(cmd), "only once")
		require.NoError(t, cmd.Wait())
	})
}

// What this process inherited without close-on-exec stays out: with such a
// directory a command would reach everything.
func TestInheritedFiles(t *testing.T) {
	fd, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD, 77)
	require.NoError(t, err)
	defer unix.Close(high)
	script := fmt.Sprintf("ls /proc/self/fd/%d/", high)
	eachBox(t, func(t *testing.T, b *Box) {
		p := newPlace(t)
		out, err := confined(t, b, p, p.profile(t, ProfileOptions{Lean: true}), script)
		require.Error(t, err, out)
		out, err = free(t, p, script)
		require.NoError(t, err, out)
		require.Contains(t, out, "etc", "with the guard off")
	})
}

// An open directory leads out: with it let through, the same command writes
// outside.
func TestRunnerOpenDirectory(t *testing.T) {
	b := boxes(t)[Bubblewrap]
	if b == nil {
		t.Skip("bubblewrap is not here")
	}
	p := newPlace(t)
	dir, err := os.Open(p.out)
	require.NoError(t, err)
	defer dir.Close()
	attack := p.prepared(`echo evil > /proc/self/fd/3/f; :`)
	attack.ExtraFiles = []*os.File{dir}
	r := p.runner(t, b, p.profile(t, ProfileOptions{Lean: true}))
	require.ErrorIs(t, r.Start(attack), ErrCommand)
	c, err := r.begin(attack)
	require.NoError(t, err)
	require.NoError(t, attack.Wait())
	c.finish()
	data, err := os.ReadFile(filepath.Join(p.out, "f"))
	require.NoError(t, err)
	require.Equal(t, "evil\n", string(data))
}

// The context of the command, that of the runner, the limits and Close end
// every process.
func TestRunnerEnds(t *testing.T) {
	beat := `for i in 1 2; do (setsid sh -c 'while :; do echo x >> "$P/src/beat"; sleep 0.01; done' >/dev/null 2>&1 &) ; done; while [ ! -s "$P/src/beat" ]; do sleep 0.01; done; echo up; sleep 600`
	eachBox(t, func(t *testing.T, b *Box) {
		t.Parallel()
		for name, limits := range map[string]Limits{"cancel": {}, "runner": {}, "close": {}, "time": {Time: time.Second}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := newPlace(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				own, cancelOwn := context.WithCancel(t.Context())
				defer cancelOwn()
				var r *Runner
				var cmd *exec.Cmd
				for {
					var err error
					r, err = b.Runner(ctx, p.profile(t, ProfileOptions{Lean: true, Limits: limits}))
					require.NoError(t, err)
					defer r.Close()
					cmd = exec.CommandContext(own, "/bin/sh", "-c", beat)
					cmd.Env = p.env()
					read, w := ioPipe(t)
					cmd.Stdout = w
					err = r.Start(cmd)
					w.Close()
					if err == nil {
						if _, err = read.Read(make([]byte, 3)); err == nil {
							break
						}
						require.ErrorIs(t, err, io.EOF)
						require.Error(t, cmd.Wait())
						err = r.Close()
					}
					// Its time was up before it began, where the machine is busy.
					require.ErrorIs(t, err, ErrTime)
					_ = os.Remove(filepath.Join(p.root, "src", "beat"))
					limits.Time *= 2
					require.Less(t, limits.Time, time.Minute, "it does not begin")
				}
				switch name {
				case "cancel":
					cancelOwn()
					require.Error(t, cmd.Wait())
				case "runner":
					cancel()
					require.Error(t, cmd.Wait())
				case "close":
					require.NoError(t, r.Close())
					require.Error(t, cmd.Wait())
				case "time":
					require.Error(t, cmd.Wait())
					require.ErrorIs(t, r.Close(), ErrTime)
				}
				require.NoError(t, r.Close())
				fi, err := os.Stat(filepath.Join(p.root, "src", "beat"))
				require.NoError(t, err)
				before := fi.Size()
				require.Never(t, func() bool {
					fi, err := os.Stat(filepath.Join(p.root, "src", "beat"))
					return err == nil && fi.Size() != before
				}, 100*time.Millisecond, 20*time.Millisecond, "nothing runs on")
			})
		}
		p := newPlace(t)
		r := p.runner(t, b, p.profile(t, ProfileOptions{Lean: true, Limits: Limits{Output: 1000}}))
		cmd := p.prepared("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxx; echo y >&2; done")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		require.NoError(t, r.Start(cmd))
		require.Error(t, cmd.Wait())
		require.Equal(t, 1000, out.Len())
		cmd = p.prepared("true")
		cmd.Stdout = os.Stdout
		require.ErrorIs(t, r.Start(cmd), ErrCommand, "a file cannot be counted")
		require.ErrorIs(t, r.Close(), ErrOutput)

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		gone, err := b.Runner(ctx, p.profile(t, ProfileOptions{Lean: true}))
		require.NoError(t, err)
		require.ErrorIs(t, gone.Start(p.prepared("true")), context.Canceled)
		require.NoError(t, gone.Close())
	})
}

// A protected name that another program makes meanwhile is told.
func TestRunnerPlanted(t *testing.T) {
	eachBox(t, func(t *testing.T, b *Box) {
		p := newPlace(t)
		r := p.runner(t, b, p.profile(t, ProfileOptions{Lean: true}))
		planted := filepath.Join(p.root, ".mcp.json")
		require.NoError(t, os.WriteFile(planted, []byte("x"), 0o644))
		cmd := p.prepared(`echo evil > "$P/.mcp.json"`)
		require.NoError(t, r.Start(cmd))
		require.Error(t, cmd.Wait(), "it is protected all the same")
		var pe *PlantedError
		require.ErrorAs(t, r.Close(), &pe)
		require.Equal(t, []string{planted}, pe.Paths)
		require.ErrorContains(t, pe, planted)
	})
}

// More output than is held back during the set-up arrives whole.
func TestEarlyOutput(t *testing.T) {
	eachBox(t, func(t *testing.T, b *Box) {
		p := newPlace(t)
		out, err := confined(t, b, p, p.profile(t, ProfileOptions{Unguarded: []string{"."}}), `head -c 1000000 /dev/zero >&2; echo end >&2`)
		require.NoError(t, err)
		require.Len(t, out, 1000004)
	})
	var to bytes.Buffer
	w := newEarlyWriter(&to)
	done := make(chan error)
	go func() {
		for range 3 {
			if _, err := w.Write(make([]byte, maxEarly)); err != nil {
				done <- err
			}
		}
		close(done)
	}()
	w.pass(true)
	require.NoError(t, <-done)
	require.Equal(t, 3*maxEarly, to.Len())
	w = newEarlyWriter(&to)
	_, err := w.Write([]byte("why\nmore"))
	require.NoError(t, err)
	w.pass(false)
	require.Equal(t, "why", w.text())
	require.Equal(t, 3*maxEarly, to.Len(), "a set-up that failed is no output")
}

// It is initialised where the program of a helper is.
var _ = func() bool {
	if os.Getenv("SANDBOX_TEST_STARTED") != "" {
		fmt.Println("the program runs")
	}
	return true
}()

// What a program does when it starts it does not do in a helper.
func TestHelperRunsNoProgram(t *testing.T) {
	for mark, want := range map[string]bool{confine.Mark: false, "-test.run=^$": true} {
		cmd := exec.Command(os.Args[0], mark)
		cmd.Env = []string{"GORACE=" + quickRace, "SANDBOX_TEST_STARTED=1"}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		require.Equal(t, want, strings.Contains(string(out), "the program runs"), mark)
		if !want {
			var ee *exec.ExitError
			require.ErrorAs(t, err, &ee)
			require.Equal(t, 125, ee.ExitCode())
			require.Equal(t, "sandbox child: this process was not started by a sandbox\n", stderr.String())
		}
	}
}
