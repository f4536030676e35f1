package sandbox

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clearance-go/clearance/scope"
	"github.com/stretchr/testify/require"
)

var helper Helper

const quickRace = "atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	helper = Enter()
	// Else a program with the race detector in it sleeps a second at its end.
	helper.race = quickRace
	// Most of the parallel tests wait for something.
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = f.Value.Set("8")
	}
	os.Exit(m.Run())
}

// full says that everything is run at its full size: every row in a sandbox of
// its own.
func full() bool { return os.Getenv("CI") == "true" }

var levels = []Level{Landlock, Bubblewrap, Namespaces}

// probed is what New says of each level, once for all tests.
var probed = sync.OnceValues(func() (out map[Level]*Box, missing map[Level]error) {
	out, missing = map[Level]*Box{}, map[Level]error{}
	for _, l := range levels {
		if b, err := New(helper, Options{Level: l}); err != nil {
			missing[l] = err
		} else {
			out[l] = b
		}
	}
	return out, missing
})

// boxes returns the boxes of this machine by level. A level that is missing
// fails under CI=true.
func boxes(t testing.TB) map[Level]*Box {
	t.Helper()
	out, missing := probed()
	for l, err := range missing {
		if full() {
			t.Fatalf("%s is missing: %v", l, err)
		}
		t.Logf("%s is not tested: %v", l, err)
	}
	if len(out) == 0 {
		t.Skip("this machine has neither Landlock nor bubblewrap")
	}
	return out
}

func eachBox(t *testing.T, run func(t *testing.T, b *Box)) {
	t.Helper()
	for l, b := range boxes(t) {
		t.Run(l.String(), func(t *testing.T) { run(t, b) })
		if l == Bubblewrap {
			require.False(t, b.plain, "the helper makes the mounts here")
			plain := *b
			plain.plain = true
			t.Run("bubblewrap-plain", func(t *testing.T) { run(t, &plain) })
		}
	}
}

// place is a workspace with a repository, a secret, a home and an outside.
type place struct{ root, home, out string }

func newPlace(t testing.TB) place {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	p := place{filepath.Join(base, "proj"), filepath.Join(base, "home"), filepath.Join(base, "out")}
	for path, text := range map[string]string{
		"proj/.git/config": "good", "proj/.git/hooks/post-commit": "good", "proj/.git/HEAD": "ref: refs/heads/main",
		"proj/.env": "TOKEN=1", "proj/src/a.go": "package a", "proj/.github/workflows/ci.yml": "good", "proj/sub/.claude/settings.json": "good",
		"home/.ssh/id_rsa": "KEY", "home/notes": "n", "out/f": "out",
	} {
		path = filepath.Join(base, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return p
}

func (p place) guard(t testing.TB) *scope.Guard {
	t.Helper()
	g, err := scope.New(p.root, scope.Options{Home: p.home, ReadOnly: []string{filepath.Dir(p.root)}})
	require.NoError(t, err)
	t.Cleanup(func() { g.Close() })
	return g
}

func (p place) profile(t testing.TB, o ProfileOptions) Profile {
	t.Helper()
	prof, err := FromGuard(p.guard(t), o)
	require.NoError(t, err)
	return prof
}

// state is every name below the place with its content, without those that
// each attack makes for itself.
func (p place) state(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, filepath.WalkDir(filepath.Dir(p.root), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		data := []byte{}
		if d.Type().IsRegular() {
			if data, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		fmt.Fprintf(&b, "%s %s %q\n", path, d.Type(), data)
		return nil
	}))
	return b.String()
}

// script returns a command that runs sh, with P, H and O as the places.
func (p place) env() []string {
	return []string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "P=" + p.root, "H=" + p.home, "O=" + p.out}
}

func confined(t testing.TB, b *Box, p place, prof Profile, script string) (string, error) {
	t.Helper()
	cmd, err := b.Command(t.Context(), prof, "sh", "-c", script)
	require.NoError(t, err)
	cmd.Env = p.env()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func free(t testing.TB, p place, script string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Env, cmd.Dir = p.env(), p.root
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Every script changes something that must stay. Without the sandbox it does.
func TestWritesThatMustFail(t *testing.T) {
	attacks := map[string]string{
		"outside":                `echo x > "$O/f"`,
		"outside, new":           `echo x > "$O/new"`,
		"home":                   `echo x >> "$H/.bashrc"`,
		"through a link":         `ln -s "$O" "$P/src/l"; echo x > "$P/src/l/f"; rm "$P/src/l"`,
		"git hook":               `echo evil > "$P/.git/hooks/post-commit"`,
		"new git hook":           `echo evil > "$P/.git/hooks/pre-commit"`,
		"git config":             `echo evil > "$P/.git/config"`,
		"git config, replaced":   `echo evil > "$P/src/c"; mv -f "$P/src/c" "$P/.git/config"; rm -f "$P/src/c"`,
		"mv .git":                `mv "$P/.git" "$P/x"; mkdir "$P/.git"; echo evil > "$P/.git/config"`,
		"rm .git":                `rm -rf "$P/.git"`,
		"workflow":               `echo evil > "$P/.github/workflows/ci.yml"`,
		"mv .github":             `mv "$P/.github" "$P/src/g"`,
		"deep settings":          `echo evil > "$P/sub/.claude/settings.json"`,
		"mv of a parent":         `mv "$P/sub" "$P/src/sub2"`,
		"missing .mcp.json":      `echo evil > "$P/.mcp.json"`,
		"missing .claude":        `mkdir -p "$P/.claude"; echo evil > "$P/.claude/settings.json"`,
		"missing .claude, moved": `mkdir "$P/src/c"; echo evil > "$P/src/c/settings.json"; mv "$P/src/c" "$P/.claude"; rm -rf "$P/src/c"`,
		"missing .vscode, link":  `ln -s src "$P/.vscode"`,
		"missing .envrc":         `echo evil > "$P/.envrc"`,
		"the root itself":        `mv "$P" "$P.old"`,
		"hard link out":          `ln "$O/f" "$P/src/h"; echo x > "$P/src/h"; rm -f "$P/src/h"`,
		"hard link to a config":  `ln "$P/.git/config" "$P/src/h"; echo x > "$P/src/h"; rm -f "$P/src/h"`,
		"unmount":                `umount "$P/.git/config" 2>/dev/null; umount -l "$P/.git" 2>/dev/null; echo evil > "$P/.git/config"`,
		"unmount in a namespace": `unshare -Urm sh -c 'umount "$P/.git/config"; umount -l "$P/.git"; mount -o remount,rw "$P/.git"; mount -o remount,rw,bind "$P/.git"; echo evil > "$P/.git/config"'`,
		"remount":                `mount -o remount,rw,bind "$P/.git"; mount -o remount,rw /; echo evil > "$P/.git/config"`,
		"config by process 1":    `for i in 1 self; do echo evil > "/proc/$i/root$P/.git/config"; done`,
		"missing by process 1":   `for i in 1 self; do echo evil > "/proc/$i/root$P/.mcp.json"; done`,
		"truncate":               `(: > "$O/f")`,
		"delete":                 `rm -f "$O/f"`,
		"proc root":              `echo x > "/proc/self/root$O/f"; echo x > "/proc/1/root$O/f"`,
	}
	for name, script := range attacks {
		t.Run("off/"+name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			before := p.state(t)
			_, err := free(t, p, script+"; :")
			require.NoError(t, err)
			require.NotEqual(t, before, p.state(t), "with the guard off the attack works")
		})
	}
	eachBox(t, func(t *testing.T, b *Box) {
		t.Parallel()
		rows(t, attacks, func(t *testing.T, names []string) {
			t.Parallel()
			p := newPlace(t)
			before := p.state(t)
			var all strings.Builder
			for _, n := range names {
				fmt.Fprintf(&all, "echo '%s:'; (%s); ", n, attacks[n])
			}
			out, err := confined(t, b, p, p.profile(t, ProfileOptions{}), all.String()+":")
			require.NoError(t, err, "the script itself ran: %s", out)
			require.Equal(t, before, p.state(t), "%s", out)
			for _, n := range names {
				require.Contains(t, out, n+":\n", "it was tried")
			}
		})
	})
}

// rows runs a test with each name of a table, or with all at once: none of them
// may change anything, so that they do not mind each other.
func rows[V any](t *testing.T, table map[string]V, run func(t *testing.T, names []string)) {
	t.Helper()
	names := slices.Sorted(maps.Keys(table))
	if !full() {
		t.Run("all", func(t *testing.T) { run(t, names) })
		return
	}
	for _, n := range names {
		t.Run(n, func(t *testing.T) { run(t, []string{n}) })
	}
}

// Root could have the kernel run a program outside. The value stays what it is.
func TestKernelSettings(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may write them")
	}
	script := `read v < /proc/sys/vm/swappiness; echo "$v" > /proc/sys/vm/swappiness`
	eachBox(t, func(t *testing.T, b *Box) {
		p := newPlace(t)
		out, err := confined(t, b, p, p.profile(t, ProfileOptions{Unguarded: []string{"."}}), script)
		require.Error(t, err, out)
		if out, err := free(t, p, script); err != nil {
			t.Skipf("with the guard off they cannot be written here either: %s", out)
		}
	})
}

func TestReadsThatMustFail(t *testing.T) {
	t.Setenv("MARK_OF_THE_TEST", "TOKEN KEY")
	attacks := map[string]string{
		"env file":          `cat "$P/.env"`,
		"key":               `cat "$H/.ssh/id_rsa"`,
		"through a link":    `ln -s "$H/.ssh/id_rsa" "$P/src/k"; cat "$P/src/k"`,
		"copy":              `cp "$H/.ssh/id_rsa" /tmp/k$$; cat /tmp/k$$; rm -f /tmp/k$$`,
		"by process 1":      `cat "/proc/1/root$P/.env"; cat "/proc/self/root$P/.env"`,
		"hard link":         `ln "$P/.env" "$P/src/e"; cat "$P/src/e"`,
		"rename":            `mv "$P/.env" "$P/src/e"; cat "$P/src/e"`,
		"environ of parent": `cat /proc/$PPID/environ /proc/[0-9]*/environ | tr '\0' '\n' | grep MARK_OF_THE_TEST`,
	}
	for name, script := range attacks {
		if name == "environ of parent" {
			// exec.Cmd of the test hands over another environment.
			script = fmt.Sprintf(`cat /proc/%d/environ`, os.Getpid())
		}
		out, err := free(t, newPlace(t), script)
		require.NoError(t, err, "with the guard off: %s", out)
		require.NotEmpty(t, out, name)
	}
	eachBox(t, func(t *testing.T, b *Box) {
		rows(t, attacks, func(t *testing.T, names []string) {
			p := newPlace(t)
			var all strings.Builder
			for _, n := range names {
				fmt.Fprintf(&all, "echo '%s:'; (%s); ", n, attacks[n])
			}
			out, err := confined(t, b, p, p.profile(t, ProfileOptions{}), all.String()+":")
			require.NoError(t, err, out)
			require.NotContains(t, out, "TOKEN=1")
			require.NotContains(t, out, "KEY")
			for _, n := range names {
				require.Contains(t, out, n+":\n", "it was tried")
			}
		})
	})
}

// A hidden directory with one readable file in it.
func TestHiddenWithWayIn(t *testing.T) {
	eachBox(t, func(t *testing.T, b *Box) {
		p := newPlace(t)
		require.NoError(t, os.WriteFile(filepath.Join(p.home, ".ssh", "known_hosts"), []byte("host"), 0o644))
		prof := p.profile(t, ProfileOptions{Lean: true})
		prof.Entries = append(prof.Entries, Entry{Path: filepath.Join(p.home, ".ssh", "known_hosts"), Access: Read})
		out, err := confined(t, b, p, prof, `cat "$H/.ssh/known_hosts"`)
		require.NoError(t, err, out)
		require.Equal(t, "host", out)
		out, err = confined(t, b, p, prof, `cat "$H/.ssh/id_rsa"`)
		require.Error(t, err, out)
	})
}

// What a developer does every minute.
func TestWorkThatMustPass(t *testing.T) {
	eachBox(t, func(t *testing.T, b *Box) {
		t.Parallel()
		p := newPlace(t)
		prof := p.profile(t, ProfileOptions{})
		work := []string{
			`echo x > "$P/src/new" && cat "$P/src/new" && rm "$P/src/new"`,
			`mkdir -p "$P/src/d/e" && mv "$P/src/d" "$P/src/f" && rm -r "$P/src/f"`,
			`cat "$P/.git/config" "$P/.github/workflows/ci.yml" "$H/notes" /etc/hostname > /dev/null`,
			`t=$(mktemp) && echo x > "$t" && rm "$t"`,
			`ls "$P" "$H" / > /dev/null && echo x | cat | sort > /dev/null 2>&1`,
			`sh -c 'exit 0' & wait; test "$(pwd)" = "$P"`,
			`head -c 10 /dev/urandom > /dev/null; : > /dev/null`,
		}
		if !full() {
			work = []string{"set -ex; " + strings.Join(work, "; ")}
		}
		for _, script := range work {
			cmd, err := b.Command(t.Context(), prof, "sh", "-c", script)
			require.NoError(t, err)
			// The environment of the sandbox, which names the temporary directory.
			cmd.Env = append(environment(nil, "/tmp"), p.env()[1:]...)
			if b.report.Level == Landlock {
				cmd.Env = slices.DeleteFunc(cmd.Env, func(e string) bool { return strings.HasPrefix(e, "TMPDIR=") })
				cmd.Env = append(cmd.Env, "TMPDIR="+filepath.Join(p.root, "src"))
			}
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s: %s", script, out)
		}
		if b.report.Level >= Bubblewrap {
			out, err := confined(t, b, p, prof, `echo x > "$P/top" && mkdir "$P/dir" && mv "$P/top" "$P/dir/top"`)
			require.NoError(t, err, out)
			require.FileExists(t, filepath.Join(p.root, "dir", "top"))
		} else {
			prof = p.profile(t, ProfileOptions{Unguarded: []string{"."}})
			out, err := confined(t, b, p, prof, `echo x > "$P/top" && mkdir "$P/dir" && mv "$P/top" "$P/dir/top"`)
			require.NoError(t, err, out)
		}
	})
}

// A missing name that is covered leaves nothing behind, even where two
// commands run at once or a host was killed.
func TestPlaceholders(t *testing.T) {
	b := boxes(t)[Bubblewrap]
	if b == nil {
		t.Skip("bubblewrap is not here")
	}
	p := newPlace(t)
	prof := p.profile(t, ProfileOptions{})
	before := p.state(t)
	var missing int
	for _, e := range prof.Entries {
		if e.Missing {
			missing++
		}
	}
	require.Greater(t, missing, 20)

	// As after a kill: the placeholders stay, and the next command owns them.
	held, err := b.Runner(t.Context(), prof)
	require.NoError(t, err)
	held.mu.Lock()
	_, err = held.cover(prof.Entries)
	held.mu.Unlock()
	require.NoError(t, err)
	require.NotEqual(t, before, p.state(t), "they are files while a command runs")
	again := p.profile(t, ProfileOptions{})
	require.Equal(t, prof.Entries, again.Entries, "a profile made meanwhile is the same")

	ended := make(chan error, 1)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	slow, err := b.Command(t.Context(), again, "sh", "-c", "read x; echo evil > "+p.root+"/.mcp.json")
	require.NoError(t, err)
	slow.Stdin = r
	require.NoError(t, slow.Start())
	go func() { ended <- slow.Wait() }()
	_, err = confined(t, b, p, prof, "true")
	require.NoError(t, err)
	require.NoError(t, held.Close())
	require.FileExists(t, filepath.Join(p.root, ".mcp.json"), "the slow one still needs it")
	_, err = w.WriteString("go\n")
	require.NoError(t, err)
	require.Error(t, <-ended, "it was still protected")
	w.Close()
	require.Equal(t, before, p.state(t))

	// A program that fails to start leaves nothing either.
	c, err := b.Command(t.Context(), prof, "no-such-program")
	require.NoError(t, err)
	require.ErrorIs(t, c.Run(), fs.ErrNotExist)
	require.Equal(t, before, p.state(t))
}

func TestNetworkOff(t *testing.T) {
	eachBox(t, func(t *testing.T, b *Box) {
		tcp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "reached") }))
		defer tcp.Close()
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		defer udp.Close()
		go func() {
			buf := make([]byte, 10)
			for {
				n, from, err := udp.ReadFrom(buf)
				if err != nil {
					return
				}
				_, _ = udp.WriteTo(buf[:n], from)
			}
		}()
		p := newPlace(t)
		unixPath := filepath.Join(p.out, "sock")
		ul, err := net.Listen("unix", unixPath)
		require.NoError(t, err)
		defer ul.Close()
		abs, err := net.Listen("unix", "@clearance-test-"+rand.Text()) // one name space for the whole machine
		require.NoError(t, err)
		defer abs.Close()
		for _, target := range []string{"tcp " + tcp.Listener.Addr().String(), "udp " + udp.LocalAddr().String(), "unix " + unixPath, "unix " + abs.Addr().String()} {
			network, addr, _ := strings.Cut(target, " ")
			dial := func(c *exec.Cmd, s *Cmd) (string, error) {
				if c != nil {
					out, err := c.CombinedOutput()
					return string(out), err
				}
				out, err := s.CombinedOutput()
				return string(out), err
			}
			env := []string{"GORACE=" + quickRace, "SANDBOX_TEST_DIAL=" + network + " " + addr}
			off := exec.Command(os.Args[0], "-test.run=^TestDialChild$", "-test.v")
			off.Env = env
			out, err := dial(off, nil)
			require.NoError(t, err, "with the guard off %s is reached: %s", target, out)
			require.Contains(t, out, "--- PASS: TestDialChild", out)

			prof := p.profile(t, ProfileOptions{})
			on, err := b.Command(t.Context(), prof, testBinary(t, b), "-test.run=^TestDialChild$", "-test.v")
			require.NoError(t, err)
			on.Env = env
			out, err = dial(nil, on)
			require.Error(t, err, "%s: %s", target, out)
			require.Contains(t, out, "--- FAIL: TestDialChild", out)
		}
	})
}

// testBinary is this program as a confined program can start it.
func testBinary(t testing.TB, b *Box) string {
	t.Helper()
	if b.report.Level >= Bubblewrap {
		return helperPath
	}
	return helper.exe
}

// TestDialChild is the child of TestNetworkOff.
func TestDialChild(t *testing.T) {
	network, addr, ok := strings.Cut(os.Getenv("SANDBOX_TEST_DIAL"), " ")
	if !ok {
		t.Skip("runs only as the child of another test")
	}
	c, err := net.DialTimeout(network, addr, 30*time.Second)
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Write([]byte("x"))
	require.NoError(t, err)
	if network == "udp" {
		require.NoError(t, c.SetDeadline(time.Now().Add(30*time.Second)))
		_, err = c.Read(make([]byte, 1))
		require.NoError(t, err)
	}
}

func TestNetworkHosts(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "reached "+r.Host) }))
	defer srv.Close()
	all := boxes(t)
	if b := all[Landlock]; b != nil {
		_, err := b.Command(t.Context(), Profile{Entries: []Entry{{Path: "/", Access: Read}}, Network: Network{Reach: Hosts, Hosts: []string{"a"}}}, "true")
		require.ErrorIs(t, err, ErrUnavailable)
	}
	for _, l := range []Level{Bubblewrap, Namespaces} {
		if b := all[l]; b != nil {
			t.Run(l.String(), func(t *testing.T) { networkHosts(t, b, srv) })
		}
	}
}

func networkHosts(t *testing.T, b *Box, srv *httptest.Server) {
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	get := func(host string) string {
		return fmt.Sprintf("http://%s:%s/", host, port)
	}
	p := newPlace(t)
	run := func(n Network, url string, tunnel bool) (string, error) {
		cmd, err := b.Command(t.Context(), p.profile(t, ProfileOptions{Network: n}), helperPath, "-test.run=^TestGetChild$", "-test.v")
		require.NoError(t, err)
		cmd.Env = []string{"GORACE=" + quickRace, "SANDBOX_TEST_GET=" + url, fmt.Sprintf("SANDBOX_TEST_TUNNEL=%v", tunnel)}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	named := Network{Reach: Hosts, Hosts: []string{"localhost:" + port}, Private: true}
	for _, tunnel := range []bool{false, true} {
		out, err := run(named, get("localhost"), tunnel)
		require.NoError(t, err, out)
		require.Contains(t, out, "reached")
		out, err = run(named, get("127.0.0.1"), tunnel)
		require.Error(t, err, "another name of the same host was not named: %s", out)
		out, err = run(Network{Reach: Hosts, Hosts: []string{"localhost:" + port}}, get("localhost"), tunnel)
		require.Error(t, err, "a private address: %s", out)
		out, err = run(Network{Reach: Hosts, Hosts: []string{"localhost"}, Private: true}, get("localhost"), tunnel)
		require.Error(t, err, "another port: %s", out)
		out, err = run(Network{}, get("localhost"), tunnel)
		require.Error(t, err, "no network: %s", out)
		out, err = run(Network{Reach: Open}, get("localhost"), tunnel)
		require.NoError(t, err, out)
	}
}

// TestGetChild is the child of TestNetworkHosts.
func TestGetChild(t *testing.T) {
	url := os.Getenv("SANDBOX_TEST_GET")
	if url == "" {
		t.Skip("runs only as the child of another test")
	}
	client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
	if proxy := os.Getenv("HTTP_PROXY"); proxy != "" {
		// net/http asks no proxy for localhost: speak to it by hand.
		c, err := net.Dial("tcp", strings.TrimPrefix(proxy, "http://"))
		require.NoError(t, err)
		defer c.Close()
		host := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/")
		req := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", url, "other.example")
		if os.Getenv("SANDBOX_TEST_TUNNEL") == "true" {
			fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", host, host)
			buf := make([]byte, 200)
			n, err := c.Read(buf)
			require.NoError(t, err)
			require.Contains(t, string(buf[:n]), " 200 ", string(buf[:n]))
			req = fmt.Sprintf("GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
		}
		fmt.Fprint(c, req)
		data := make([]byte, 4096)
		n, _ := c.Read(data)
		require.Contains(t, string(data[:n]), " 200 ", string(data[:n]))
		fmt.Println(string(data[:n]))
		require.NotContains(t, string(data[:n]), "other.example")
		return
	}
	resp, err := client.Get(url)
	require.NoError(t, err)
	resp.Body.Close()
	fmt.Println("reached")
}

// A confined program cannot reach processes outside, nor this one.
func TestSignals(t *testing.T) {
	eachBox(t, func(t *testing.T, b *Box) {
		if b.report.Level == Landlock && b.report.ABI < 6 {
			t.Skip("Landlock restricts signals from ABI 6 on")
		}
		victim := exec.Command("sleep", "600")
		require.NoError(t, victim.Start())
		died := make(chan error, 1)
		go func() { died <- victim.Wait() }()
		defer victim.Process.Kill()
		p := newPlace(t)
		script := fmt.Sprintf(`kill -9 %d; kill -9 $PPID; kill -TERM %d; :`, victim.Process.Pid, os.Getpid())
		// Which of its threads the helper starts the command from is chance.
		times := 20
		if !full() && b.report.Level != Landlock {
			times = 3
		}
		for range times {
			_, err := confined(t, b, p, p.profile(t, ProfileOptions{Unguarded: []string{"."}}), script)
			require.NoError(t, err)
		}
		require.NoError(t, victim.Process.Signal(syscall.Signal(0)), "it lives")
		// A command that ends itself at once has run all the same.
		_, err := confined(t, b, p, p.profile(t, ProfileOptions{Unguarded: []string{"."}}), `kill -9 $$`)
		var ee *exec.ExitError
		require.ErrorAs(t, err, &ee)
		require.NotErrorIs(t, err, ErrSetup)
		require.Equal(t, 137, ee.ExitCode())
		_, err = free(t, p, fmt.Sprintf(`kill -9 %d`, victim.Process.Pid))
		require.NoError(t, err)
		require.Error(t, <-died, "with the guard off the signal arrives")
	})
}

// When the context ends every process ends, those in other sessions too.
func TestCancelEndsAll(t *testing.T) {
	eachBox(t, func(t *testing.T, b *Box) {
		t.Parallel()
		p := newPlace(t)
		ctx, cancel := context.WithCancel(t.Context())
		cmd, err := b.Command(ctx, p.profile(t, ProfileOptions{}), "sh", "-c",
			`for i in 1 2 3; do (setsid sh -c 'while :; do echo x >> "$P/src/beat"; sleep 0.01; done' >/dev/null 2>&1 &) ; done; while [ ! -s "$P/src/beat" ]; do sleep 0.01; done; echo up; sleep 600`)
		require.NoError(t, err)
		cmd.Env = p.env()
		r, w := ioPipe(t)
		cmd.Stdout = w
		require.NoError(t, cmd.Start())
		_, err = r.Read(make([]byte, 3))
		require.NoError(t, err)
		cancel()
		require.ErrorIs(t, cmd.Wait(), context.Canceled)
		fi, err := os.Stat(filepath.Join(p.root, "src", "beat"))
		require.NoError(t, err)
		before := fi.Size()
		// The last look may come when the test is over and the file gone.
		require.Never(t, func() bool {
			fi, err := os.Stat(filepath.Join(p.root, "src", "beat"))
			return err == nil && fi.Size() != before
		}, 200*time.Millisecond, 20*time.Millisecond, "nothing runs on")
	})
}

func ioPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func TestLimits(t *testing.T) {
	eachBox(t, func(t *testing.T, b *Box) {
		t.Parallel()
		p := newPlace(t)
		run := func(l Limits, script string) (string, error) {
			return confined(t, b, p, p.profile(t, ProfileOptions{Limits: l}), script)
		}
		// Long enough to begin, where the machine is busy too.
		for limit := time.Second; ; limit *= 2 {
			start := time.Now()
			out, err := run(Limits{Time: limit}, "echo up; sleep 600 & sleep 600")
			require.ErrorIs(t, err, ErrTime)
			require.Less(t, time.Since(start), 300*time.Second)
			if strings.Contains(out, "up") {
				break
			}
			require.Less(t, limit, time.Minute, "it does not begin")
		}
		// Even where it is up before the command runs.
		_, err := run(Limits{Time: time.Microsecond}, "sleep 60")
		require.ErrorIs(t, err, ErrTime)

		out, err := run(Limits{Output: 1000}, "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxx; echo y >&2; done")
		require.ErrorIs(t, err, ErrOutput)
		require.Len(t, out, 1000)
		out, err = run(Limits{Output: 1000}, "head -c 1000 /dev/zero")
		require.NoError(t, err)
		require.Len(t, out, 1000)

		// awk doubles a string: 64 MiB with the limit off.
		grow := `awk 'BEGIN { s = "xxxxxxxxxxxxxxxx"; while (length(s) < 67108864) s = s s; print "grown" }'`
		out, _ = run(Limits{Memory: 32 << 20}, grow)
		require.NotContains(t, out, "grown")
		out, err = run(Limits{}, grow)
		require.NoError(t, err)
		require.Contains(t, out, "grown")

		_, err = run(Limits{FileSize: 1000}, `head -c 2000 /dev/zero > "$P/src/big"; :`)
		require.NoError(t, err)
		fi, err := os.Stat(filepath.Join(p.root, "src", "big"))
		require.NoError(t, err)
		require.LessOrEqual(t, fi.Size(), int64(1000))
	})
}

func TestStatusAndStreams(t *testing.T) {
	eachBox(t, func(t *testing.T, b *Box) {
		p := newPlace(t)
		prof := p.profile(t, ProfileOptions{})
		_, err := confined(t, b, p, prof, "exit 7")
		var ee *exec.ExitError
		require.ErrorAs(t, err, &ee)
		require.Equal(t, 7, ee.ExitCode())
		_, err = confined(t, b, p, prof, "kill -9 $$")
		require.ErrorAs(t, err, &ee)
		require.Equal(t, 137, ee.ExitCode())

		cmd, err := b.Command(t.Context(), prof, "sh", "-c", `cat; echo err >&2; echo "$A"; env | wc -l`)
		require.NoError(t, err)
		var stdout, stderr strings.Builder
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("in\n"), &stdout, &stderr
		cmd.Env = []string{"A=b c", "PATH=/usr/bin:/bin"}
		require.NoError(t, cmd.Run())
		require.Equal(t, "err\n", stderr.String())
		require.True(t, strings.HasPrefix(stdout.String(), "in\nb c\n"), stdout.String())
		require.Equal(t, 0, cmd.ExitCode())
		require.Error(t, cmd.Run(), "only once")

		// A large command line and environment.
		cmd, err = b.Command(t.Context(), prof, "sh", "-c", `printf %s "$BIG" | wc -c`)
		require.NoError(t, err)
		cmd.Env = []string{"PATH=/usr/bin:/bin", "BIG=" + strings.Repeat("x", 100_000)}
		out, err := cmd.Output()
		require.NoError(t, err)
		require.Equal(t, "100000", strings.TrimSpace(string(out)))

		for name, want := range map[string]error{"no-such-program": fs.ErrNotExist, filepath.Join(p.root, "src", "a.go"): fs.ErrPermission, p.root: fs.ErrPermission} {
			cmd, err := b.Command(t.Context(), prof, name)
			require.NoError(t, err)
			err = cmd.Run()
			require.ErrorIs(t, err, want, name)
			require.NotErrorIs(t, err, ErrSetup)
		}
		cmd, err = b.Command(t.Context(), prof, "true")
		require.NoError(t, err)
		cmd.Dir = filepath.Join(p.root, "nope")
		require.Error(t, cmd.Run())
		// The relative program means the directory, not the PATH.
		require.NoError(t, os.WriteFile(filepath.Join(p.root, "src", "tool"), []byte("#!/bin/sh\necho tool\n"), 0o755))
		cmd, err = b.Command(t.Context(), prof, "./tool")
		require.NoError(t, err)
		cmd.Dir = filepath.Join(p.root, "src")
		out, err = cmd.Output()
		require.NoError(t, err)
		require.Equal(t, "tool\n", string(out))
	})
}

// The host's environment does not come in.
func TestEnvironmentIsOwn(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "harmless")
	eachBox(t, func(t *testing.T, b *Box) {
		p := newPlace(t)
		cmd, err := b.Command(t.Context(), p.profile(t, ProfileOptions{}), "env")
		require.NoError(t, err)
		out, err := cmd.Output()
		require.NoError(t, err)
		require.NotContains(t, string(out), "AWS_SECRET")
		require.Contains(t, string(out), "TMPDIR=")
	})
}

// What seccomp refuses. With the guard off each call does something else.
func TestSeccomp(t *testing.T) {
	eachBox(t, func(t *testing.T, b *Box) {
		p := newPlace(t)
		off := exec.Command(os.Args[0], "-test.run=^TestCallsChild$", "-test.v")
		off.Env = []string{"GORACE=" + quickRace, "SANDBOX_TEST_CALLS=open"}
		out, err := off.CombinedOutput()
		require.NoError(t, err, string(out))
		cmd, err := b.Command(t.Context(), p.profile(t, ProfileOptions{}), testBinary(t, b), "-test.run=^TestCallsChild$", "-test.v")
		require.NoError(t, err)
		cmd.Env = []string{"GORACE=" + quickRace, "SANDBOX_TEST_CALLS=closed " + b.report.Level.String()}
		out, err = cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "--- PASS: TestCallsChild")
	})
}

// No helper, no level, no fallback.
func TestNoFallback(t *testing.T) {
	_, err := New(Helper{}, Options{})
	require.ErrorIs(t, err, ErrNoHelper)
	_, err = New(helper, Options{Level: Seatbelt})
	require.ErrorIs(t, err, ErrUnavailable)
	_, err = New(helper, Options{Level: Bubblewrap, Bubblewrap: "bwrap"})
	require.ErrorIs(t, err, ErrUnavailable)
	_, err = New(helper, Options{Level: Bubblewrap, Bubblewrap: "/bin/false"})
	require.ErrorIs(t, err, ErrUnavailable)
	var none *Box
	require.ErrorIs(t, none.Require(Landlock), ErrUnavailable)
	all := boxes(t)
	if b := all[Landlock]; b != nil {
		require.NoError(t, b.Require(Landlock))
		require.ErrorIs(t, b.Require(Bubblewrap), ErrUnavailable)
		require.NotEmpty(t, b.Gaps(Profile{}))
	}
	for _, l := range []Level{Bubblewrap, Namespaces} {
		b := all[l]
		if b == nil {
			continue
		}
		require.NoError(t, b.Require(l))
		_, err := b.Command(t.Context(), Profile{})
		require.ErrorIs(t, err, ErrProfile)
		c, err := b.Command(t.Context(), Profile{}, "true")
		require.NoError(t, err)
		require.Error(t, c.Run(), "the zero profile has no file system")
	}
}

// Several commands at once.
func TestConcurrent(t *testing.T) {
	eachBox(t, func(t *testing.T, b *Box) {
		p := newPlace(t)
		prof := p.profile(t, ProfileOptions{})
		before := p.state(t)
		var wg sync.WaitGroup
		errs := make(chan error, 8)
		for range 8 {
			wg.Go(func() {
				cmd, err := b.Command(t.Context(), prof, "sh", "-c", "echo evil > "+p.root+"/.mcp.json")
				if err == nil {
					if cmd.Run() == nil {
						err = errors.New("it was written")
					}
				}
				errs <- err
			})
		}
		wg.Wait()
		for range 8 {
			require.NoError(t, <-errs)
		}
		require.Equal(t, before, p.state(t))
	})
}
