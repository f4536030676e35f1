package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gdamore/tcell/v3/vt"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// asProgram makes the test binary be the program.
const asProgram = "CLEARANCE_AGENT_TEST_PROGRAM"

// console is the program on a pseudo-terminal of the kernel, with an emulated
// terminal on the other side.
type console struct {
	t      *testing.T
	master *os.File
	screen vt.MockTerm
	cmd    *exec.Cmd
	ended  chan struct{}
	tmp    string

	mu         sync.Mutex
	cols, rows int
	raw        bytes.Buffer
}

// newConsole starts the program with a transcript on a terminal of 100 columns
// and 40 rows.
func newConsole(t *testing.T, transcript string, env ...string) *console {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	fd := int(master.Fd())
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	tmp, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	file := filepath.Join(tmp, "t.jsonl")
	require.NoError(t, os.WriteFile(file, []byte(transcript), 0o600))

	c := &console{t: t, master: master, tmp: tmp, ended: make(chan struct{}), screen: vt.NewMockTerm(vt.MockOptSize{X: 100, Y: 40})}
	require.NoError(t, c.screen.Start())
	c.resize(100, 40)
	self, err := os.Executable()
	require.NoError(t, err)
	c.cmd = exec.Command(self, "-transcript", file, "-gocache", buildCache(t))
	c.cmd.Env = append(os.Environ(), append([]string{asProgram + "=1", "TERM=xterm-256color", "NO_COLOR=", "TMPDIR=" + tmp}, env...)...)
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = slave, slave, slave
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, c.cmd.Start())
	require.NoError(t, slave.Close())
	go func() { // what the program draws
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			c.mu.Lock()
			c.raw.Write(buf[:n])
			c.mu.Unlock()
			if n > 0 {
				_, _ = c.screen.Write(buf[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	go func() { // what the terminal answers
		buf := make([]byte, 4096)
		for {
			n, err := c.screen.Read(buf)
			if err != nil {
				return
			}
			if n > 0 {
				_, _ = master.Write(buf[:n])
			}
		}
	}()
	go func() {
		_ = c.cmd.Wait()
		close(c.ended)
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.ended
		_ = master.Close()
		_ = c.screen.Stop()
		removeScratch(tmp)
	})
	return c
}

func (c *console) resize(cols, rows int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cols, c.rows = cols, rows
	c.screen.SetSize(vt.Coord{X: vt.Col(cols), Y: vt.Row(rows)})
	require.NoError(c.t, unix.IoctlSetWinsize(int(c.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(rows), Col: uint16(cols)}))
}

func (c *console) types(keys string) {
	_, err := c.master.WriteString(keys)
	require.NoError(c.t, err)
}

func (c *console) picture() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for y := range c.rows {
		for x := 0; x < c.cols; x++ {
			cell := c.screen.GetCell(vt.Coord{X: vt.Col(x), Y: vt.Row(y)})
			if cell.C == "" {
				b.WriteByte(' ')
				continue
			}
			b.WriteString(cell.C)
			x += max(0, cell.W-1)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (c *console) output() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raw.String()
}

// until waits for a whole picture with all of the texts.
func (c *console) until(texts ...string) string {
	c.t.Helper()
	var p string
	require.Eventually(c.t, func() bool {
		before := p
		p = c.picture()
		for _, text := range texts {
			if !strings.Contains(p, text) {
				return false
			}
		}
		return p == before
	}, 60*time.Second, 10*time.Millisecond, "%q in:\n%s", texts, picture{c})
	return p
}

type picture struct{ c *console }

func (p picture) String() string { return p.c.picture() }

// status waits for the end.
func (c *console) status() int {
	c.t.Helper()
	select {
	case <-c.ended:
	case <-time.After(60 * time.Second):
		require.Fail(c.t, "the program does not end", c.picture())
	}
	// What is written last may still be under way.
	return c.cmd.ProcessState.ExitCode()
}

// said waits until the program has written the text.
func (c *console) said(text string) {
	c.t.Helper()
	require.Eventually(c.t, func() bool { return strings.Contains(c.output(), text) }, 60*time.Second, 10*time.Millisecond, "%q in %s", text, rest{c})
}

type rest struct{ c *console }

func (r rest) String() string { return r.c.output() }

const armed = "Tab: no, and why"

func write(name string) string {
	return `{"tool":"Write","input":{"file_path":"$WORK/` + name + `","content":"1\n"}}` + "\n"
}

// TestTerminal is a whole run at a terminal: once, no with a word why, always,
// and a call that asks no more.
func TestTerminal(t *testing.T) {
	t.Parallel()
	c := newConsole(t, write("a.txt")+write("b.txt")+write("c.txt")+write("c.txt")+
		`{"tool":"Bash","input":{"command":"ls; cat .claude/settings.local.json"},"answer":"y"}`+"\n")
	p := c.until("a.txt", "A new file.", "Risk: ", armed)
	require.Less(t, strings.Index(p, "Writes"), strings.Index(p, "│ +1"), "the explanation comes first")
	c.types("y")
	c.until("b.txt", armed)
	c.types("\tnot this one\r")
	c.until("c.txt", "a keeps Edit(", armed)
	// The picture follows the size of the window.
	c.resize(70, 30)
	c.until("c.txt", "Risk: ", armed)
	c.resize(20, 5)
	c.until("This window is too")
	c.types("y") // nothing is approved that cannot be read
	c.resize(100, 40)
	c.until("c.txt", armed)
	c.types("a")
	require.Equal(t, 0, c.status(), c.output())
	c.said("The agent itself took")
	// The log and the table stay on the ordinary screen.
	out := c.output()
	end := out[strings.LastIndex(out, "\x1b[?1049l"):]
	for _, text := range []string{"answer: once", "answer: no: not this one", "answer: always", "outcome", "The audit log verifies", "Edit("} {
		require.Contains(t, end, text)
	}
	require.Equal(t, 3, strings.Count(end, "answer: "), "the fourth write asks no more")
	require.Regexp(t, `refused +asked +Write \$WORK/b.txt`, end)
	require.Contains(t, end, "c.txt\r\n", "ls shows what was written")
	require.NotContains(t, end, "     b.txt\r\n")
	require.Empty(t, leftovers(t, c.tmp))
}

// leftovers are the scratch folders and processes that a run left behind.
func leftovers(t *testing.T, tmp string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(tmp)
	require.NoError(t, err)
	for _, e := range entries {
		if e.IsDir() {
			list = append(list, e.Name())
		}
	}
	return append(list, processes(t, tmp)...)
}

// processes are those that were started below a folder: it stands in their
// command line, environment or working directory.
func processes(t *testing.T, tmp string) (list []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	for _, p := range all {
		if p == fmt.Sprintf("/proc/%d", os.Getpid()) {
			continue
		}
		words, _ := os.ReadFile(p + "/cmdline")
		env, _ := os.ReadFile(p + "/environ")
		dir, _ := os.Readlink(p + "/cwd")
		if strings.Contains(string(words)+string(env)+dir, tmp) {
			list = append(list, strings.ReplaceAll(string(words), "\x00", " "))
		}
	}
	return list
}

// TestTerminalTypedAhead: what was typed before the question answers nothing.
func TestTerminalTypedAhead(t *testing.T) {
	t.Parallel()
	c := newConsole(t, write("a.txt"))
	c.types(strings.Repeat("y", 50))
	c.until("a.txt", armed)
	select {
	case <-c.ended:
		require.Fail(t, "answered by what was typed before")
	default:
	}
	c.types("n")
	require.Equal(t, 0, c.status())
	c.said("The agent itself took")
	require.Regexp(t, `refused +asked +Write`, c.output())
}

// TestTerminalInterrupted: Ctrl-C ends the program in a question, and with all
// that it started while a command runs.
func TestTerminalInterrupted(t *testing.T) {
	t.Parallel()
	t.Run("question", func(t *testing.T) {
		t.Parallel()
		c := newConsole(t, write("a.txt"))
		c.until("a.txt", "[y] once")
		c.types("\x03")
		require.Equal(t, 1, c.status())
		c.said("the run was ended")
		require.NotContains(t, c.output(), "answer: once")
		require.Empty(t, leftovers(t, c.tmp))
	})
	t.Run("command", func(t *testing.T) {
		t.Parallel()
		c := newConsole(t, `{"host":"server","name":"notes"}`+"\n"+`{"tool":"Bash","input":{"command":"sleep 600 | sleep 601"},"answer":"y"}`+"\n")
		c.until("[y] trust")
		c.until("notes")
		require.Eventually(t, func() bool { return !strings.Contains(c.picture(), "one moment") }, 60*time.Second, 10*time.Millisecond)
		c.types("y")
		sleeping := regexp.MustCompile(`sleep 60[01] `)
		require.Eventually(t, func() bool {
			n := 0
			for _, p := range processes(t, c.tmp) {
				if sleeping.MatchString(p) && !strings.Contains(p, "--") {
					n++
				}
			}
			return n >= 2
		}, 60*time.Second, 20*time.Millisecond, "%s", picture{c})
		c.until("Esc cancels, Ctrl-C ends")
		c.types("\x03")
		require.Equal(t, 1, c.status())
		c.said("the run was ended")
		c.said("The audit log verifies")
		require.Empty(t, leftovers(t, c.tmp))
	})
}

// TestTerminalWithoutColour: NO_COLOR is heeded on the wire; without it there is
// colour.
func TestTerminalWithoutColour(t *testing.T) {
	t.Parallel()
	colour := regexp.MustCompile(`\x1b\[(?:[0-9;:]*[;:])?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:[;:][0-9;:]*)?m`)
	for value, want := range map[string]bool{"": true, "1": false} {
		c := newConsole(t, write("a.txt"), "NO_COLOR="+value)
		c.until("a.txt", armed)
		c.types("n")
		require.Equal(t, 0, c.status())
		c.said("The agent itself took")
		require.Equal(t, want, colour.MatchString(c.output()), "NO_COLOR=%s", value)
	}
}

// TestTerminalThatIsDumb: lines only, and no control character but the end of a
// line.
func TestTerminalThatIsDumb(t *testing.T) {
	t.Parallel()
	c := newConsole(t, write("a.txt")+write("b.txt"), "TERM=dumb")
	c.types("y\ny\n") // before anything was asked
	c.said("after n you may say why: ")
	first := strings.Count(c.output(), "answer: ")
	require.Zero(t, first)
	c.ask("y\n", 1)
	c.ask("n because\n", 2)
	require.Equal(t, 0, c.status())
	c.said("The agent itself took")
	out := c.output()
	require.Contains(t, out, "answer: no: because")
	for _, r := range out {
		require.True(t, r == '\r' || r == '\n' || r >= ' ', "%U", r)
	}
}

// ask answers the question number n by lines, again where the line came too
// early to count.
func (c *console) ask(line string, n int) {
	c.t.Helper()
	require.Eventually(c.t, func() bool {
		out := c.output()
		if strings.Count(out, "    answer: ") >= n {
			return true
		}
		if strings.Count(out, "you may say why: ") >= n {
			c.types(line)
		}
		return false
	}, 60*time.Second, 200*time.Millisecond)
}
