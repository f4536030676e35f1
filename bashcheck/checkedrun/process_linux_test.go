package checkedrun_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck/checkedrun"
)

// family is a program with a child, a grandchild and one in a session of its
// own, all of which hold the fifo "alive" open for writing and say so there.
const family = "sh ./family.sh"

func makeFamily(t *testing.T) (dir string, alive *os.File) {
	t.Helper()
	for _, p := range []string{"setsid", "sleep", "sh"} {
		if _, err := exec.LookPath(p); err != nil {
			require.NotEqual(t, "true", os.Getenv("CI"), p+" is missing")
			t.Skip(p + " is missing: a family of processes cannot be started")
		}
	}
	dir = project(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "family.sh"), []byte(
		"exec 3>alive\n(echo 1 >&3; sleep 300 & sleep 300) &\nsetsid sh -c 'echo 2 >&3; sleep 300' &\nsetsid -f sh -c 'echo 3 >&3; sleep 300 & sleep 300'\necho 4 >&3\n[ \"$1\" = leave ] || wait\n"), 0o644))
	fifo := filepath.Join(dir, "alive")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	// Read without waiting for the other side, and later without an end before
	// there was one.
	alive, err := os.OpenFile(fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = alive.Close() })
	return dir, alive
}

// all waits until the four have spoken. Before the first there is an end of
// file, as nobody has opened the fifo yet.
func all(t *testing.T, alive *os.File) {
	t.Helper()
	seen := 0
	buf := make([]byte, 16)
	for limit := time.Now().Add(time.Minute); seen < 4; {
		require.True(t, time.Now().Before(limit), "the programs do not start")
		n, _ := alive.Read(buf)
		seen += bytes.Count(buf[:n], []byte("\n"))
	}
}

// gone waits for the end of the fifo: nobody holds it any more.
func gone(t *testing.T, alive *os.File) {
	t.Helper()
	require.NoError(t, alive.SetReadDeadline(time.Now().Add(time.Minute)))
	buf := make([]byte, 16)
	for {
		n, err := alive.Read(buf)
		if n == 0 {
			require.ErrorContains(t, err, "EOF", "a process is left: %s", holders(alive.Name()))
			return
		}
	}
}

func TestEndsWholeFamilies(t *testing.T) {
	t.Run("cancelled", func(t *testing.T) {
		dir, alive := makeFamily(t)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() {
			_, err := checkedrun.Run(ctx, analyzer.Analyze(family), granted(family, dir))
			done <- err
		}()
		all(t, alive)
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		gone(t, alive)
	})
	t.Run("left behind", func(t *testing.T) {
		dir, alive := makeFamily(t)
		_, status, err := play(t, dir, family+" leave", nil)
		require.NoError(t, err)
		require.Zero(t, status)
		gone(t, alive)
	})
	t.Run("too much output", func(t *testing.T) {
		dir, alive := makeFamily(t)
		_, _, err := play(t, dir, family+" leave; yes", func(o *checkedrun.Options) { o.Limits.Output = 1 << 16 })
		require.ErrorIs(t, err, checkedrun.ErrOutput)
		gone(t, alive)
	})
	t.Run("they can be left", func(t *testing.T) {
		// Without this package the one in its own session lives on.
		dir, alive := makeFamily(t)
		cmd := exec.Command("sh", "./family.sh", "leave")
		cmd.Dir, cmd.Env = dir, env()
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		require.NoError(t, cmd.Start())
		all(t, alive)
		_ = cmd.Wait()
		require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL))
		require.NoError(t, alive.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
		_, err := alive.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, "the attack does not work even without the check")
		// One may be just starting another one.
		for limit := time.Now().Add(time.Minute); ; {
			endHolders(alive.Name())
			require.NoError(t, alive.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
			if _, err := alive.Read(make([]byte, 1)); errors.Is(err, io.EOF) {
				break
			}
			require.True(t, time.Now().Before(limit), "they cannot be ended")
		}
	})
}

// TestEndsWhatIsChanging: a process that is just becoming another program shows
// no environment for a moment, and is ended all the same.
func TestEndsWhatIsChanging(t *testing.T) {
	dir, alive := makeFamily(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "again.sh"), []byte("exec sh ./again.sh\n"), 0o644))
	text := "sh ./start.sh"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "start.sh"), []byte("exec 3>alive\nfor i in 1 2 3 4; do setsid -f sh ./again.sh; done\n"), 0o644))
	for range 20 {
		_, status, err := play(t, dir, text, nil)
		require.NoError(t, err)
		require.Zero(t, status)
		gone(t, alive)
	}
	// The moment is a real one.
	cmd := exec.Command("sh", "./again.sh")
	cmd.Dir, cmd.Env = dir, env()
	require.NoError(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	proc := filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "environ")
	for limit := time.Now().Add(20 * time.Second); ; {
		b, err := os.ReadFile(proc)
		require.NoError(t, err)
		if len(b) == 0 {
			break
		}
		require.True(t, time.Now().Before(limit), "it always shows its environment")
	}
}

// TestEndsWhatGoesOn: a process that ends while it is looked for, because one
// that it started goes on instead, takes nothing away from the search.
func TestEndsWhatGoesOn(t *testing.T) {
	dir, alive := makeFamily(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "on.sh"), []byte("sh ./on.sh &\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "start.sh"), []byte("exec 3>alive\nsetsid -f sh ./on.sh\n"), 0o644))
	for range 50 {
		_, status, err := play(t, dir, "sh ./start.sh", nil)
		require.NoError(t, err)
		require.Zero(t, status)
		gone(t, alive)
	}
}

// It is initialised by the first thread, which ends here while the others of the
// runtime go on.
var _ = func() bool {
	if os.Getenv("CHECKEDRUN_LEADERLESS") != "" {
		_ = os.WriteFile("pid.new", []byte(strconv.Itoa(os.Getpid())), 0o644)
		_ = os.Rename("pid.new", "pid")
		_, _, _ = syscall.RawSyscall(syscall.SYS_EXIT, 0, 0, 0)
	}
	return false
}()

// TestEndsWithoutFirstThread: a process whose first thread has ended shows no
// environment at its own place any more.
func TestEndsWithoutFirstThread(t *testing.T) {
	dir, alive := makeFamily(t)
	require.NoError(t, os.Symlink(os.Args[0], filepath.Join(dir, "program")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "start.sh"), []byte(
		"exec 3>alive\nsetsid -f ./program\nuntil [ -s pid ] && grep -q '^State:.Z' /proc/$(cat pid)/status; do sleep 0.01; done\ncat /proc/$(cat pid)/environ 2>/dev/null | wc -c\n"), 0o644))
	defer func() { // nothing else ends it
		text, _ := os.ReadFile(filepath.Join(dir, "pid"))
		if pid, err := strconv.Atoi(string(text)); err == nil && t.Failed() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}()
	out, status, err := play(t, dir, "sh ./start.sh", func(o *checkedrun.Options) { o.Env = append(o.Env, "CHECKEDRUN_LEADERLESS=1") })
	require.NoError(t, err)
	require.Zero(t, status, out)
	require.Equal(t, "0\n", out)
	gone(t, alive)
}

// holders are the processes that hold a fifo as the family does, with what the
// kernel says of them.
func holders(fifo string) map[int]string {
	held := map[int]string{}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/3")
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil && to == fifo {
			pid, _ := strconv.Atoi(strings.Split(l, "/")[2])
			stat, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
			if pid != os.Getpid() {
				held[pid] = string(stat)
			}
		}
	}
	return held
}

// endHolders ends the processes that this test left: those that hold its fifo.
func endHolders(fifo string) {
	for pid := range holders(fifo) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// TestInterrupt: Ctrl-C in a host leaves no child of it.
func TestInterrupt(t *testing.T) {
	if dir := os.Getenv("CHECKEDRUN_HOST"); dir != "" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		_, err := checkedrun.Run(ctx, analyzer.Analyze(family), granted(family, dir))
		_, _ = os.Stdout.WriteString("ended: " + err.Error() + "\n")
		return
	}
	dir, alive := makeFamily(t)
	host := exec.Command(os.Args[0], "-test.run", "^TestInterrupt$")
	host.Env = append(os.Environ(), "CHECKEDRUN_HOST="+dir)
	out, err := host.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, host.Start())
	all(t, alive)
	require.NoError(t, host.Process.Signal(os.Interrupt))
	line, _ := bufio.NewReader(out).ReadString('\n')
	require.Contains(t, line, "canceled")
	gone(t, alive)
	require.NoError(t, host.Wait())
}

// TestMemory: neither a program nor the interpreter takes all there is.
func TestMemory(t *testing.T) {
	dir := project(t)
	big := "head -c 300000000 /dev/zero | tail -c 200000000 | wc -c"
	out, _, err := play(t, dir, big, func(o *checkedrun.Options) { o.Limits.Memory = 64 << 20 })
	require.NoError(t, err)
	require.NotContains(t, out, "200000000", "tail kept more than it may")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "huge"), nil, 0o644))
	require.NoError(t, os.Truncate(filepath.Join(dir, "huge"), 1<<30))
	for _, text := range []string{
		"x=aaaaaaaaaa; while true; do x=$x$x; done", "x=aaaaaaaaaa; while [ 1 ]; do x+=$x; done", "x=aaaaaaaaaa; for i in {1..99}; do y=$x$x; x=\"$y$y\"; done", "x=aaaaaaaaaa; while true; do x=${x//aaaaaaaaaa/" + strings.Repeat("a", 100) + "}; done",
		"x=$(yes)", "x=$(while true; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done)", "x=$(< huge)", "x=$(cat /dev/zero)", "a=(1 " + strings.Repeat("a", 2000) + "); while true; do a=(\"${a[@]}\" \"${a[@]}\"); done",
	} {
		begin := time.Now()
		_, _, err := play(t, dir, text, func(o *checkedrun.Options) { o.Limits.Time = 10 * time.Minute })
		require.ErrorIs(t, err, checkedrun.ErrMemory, text)
		t.Logf("%.40q after %s", text, time.Since(begin).Round(time.Millisecond))
	}
	// What is kept small runs.
	out, _, err = play(t, dir, "s=; for f in *.txt; do s=\"$s $f\"; done; n=$(wc -l < a.txt); s+=\" $n\"; false; echo $?$s; x=$n; echo $?; y=$(false)$x; echo $?", nil)
	require.NoError(t, err)
	require.Equal(t, "1 a.txt b.txt 3\n0\n1\n", out)
}
