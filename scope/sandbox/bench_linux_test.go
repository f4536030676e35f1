package sandbox

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/clearance-go/clearance/scope/sandbox/internal/confine"
	"github.com/stretchr/testify/require"
)

// host is the program in testdata/host, running.
type host struct {
	in  io.Writer
	out *bufio.Reader
}

// buildHost builds the program in testdata/host, with cgo or without.
// SANDBOX_TEST_HOST names one that is built already, for machines without Go.
func buildHost(b *testing.B, cgo string) string {
	b.Helper()
	if p := os.Getenv("SANDBOX_TEST_HOST"); p != "" {
		return p
	}
	dir, err := os.MkdirTemp("/tmp", "host-")
	require.NoError(b, err)
	b.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(b, os.Chmod(dir, 0o755))
	bin := filepath.Join(dir, "host")
	build := exec.Command("go", "build", "-o", bin, "./testdata/host")
	build.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	text, err := build.CombinedOutput()
	require.NoError(b, err, "%s", text)
	return bin
}

// startHost runs it under a user, with so much memory in use.
func startHost(b *testing.B, bin string, uid, megabytes int) host {
	b.Helper()
	cmd := exec.Command(bin, strconv.Itoa(megabytes))
	cmd.Dir, cmd.Env, cmd.Stderr = "/", []string{"PATH=/usr/bin:/bin", "TMPDIR=/tmp"}, os.Stderr
	if uid != os.Getuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	return host{in, bufio.NewReader(out)}
}

// starts has it start /bin/true n times and returns the median in milliseconds:
// other work on the machine makes a few of them very long.
func (h host) starts(b *testing.B, l Level, p Profile, n int) float64 {
	b.Helper()
	require.NoError(b, json.NewEncoder(h.in).Encode(struct {
		Level   Level
		Profile Profile
		N       int
	}{l, p, n}))
	line, err := h.out.ReadBytes('\n')
	require.NoError(b, err)
	var answer struct {
		Took []time.Duration
		Err  string
	}
	require.NoError(b, json.Unmarshal(line, &answer))
	require.Empty(b, answer.Err)
	slices.Sort(answer.Took)
	return answer.Took[len(answer.Took)/2].Seconds() * 1000
}

// The start and end of a command that does nothing: bare, by bwrap with the
// least that it can do, and in each level, with the profile of a small workspace
// and with barer ones, by root and by another user, from a program that has
// nothing but the sandbox in it ("helper" is what starting that program takes).
// median-ms is one start, over-ms what it takes beyond the bare one of the same
// run. A program with cgo in it ("cgo-") takes longer to start, each helper too,
// one with much memory ("large-") does not.
func BenchmarkStart(b *testing.B) {
	for _, host := range []struct {
		name, cgo string
		megabytes int
	}{{"", "0", 0}, {"cgo-", "1", 0}, {"large-", "0", 500}} {
		if host.cgo == "1" {
			if _, err := exec.LookPath("gcc"); err != nil {
				b.Logf("cgo is not measured: %v", err)
				continue
			}
		}
		benchmarkStart(b, host.name, buildHost(b, host.cgo), host.megabytes)
	}
}

func benchmarkStart(b *testing.B, prefix, bin string, megabytes int) {
	users := map[string]int{prefix + "user": os.Getuid()}
	if os.Getuid() == 0 {
		users = map[string]int{prefix + "root": 0, prefix + "user": 40_000 + os.Getpid()%20_000}
	}
	for user, uid := range users {
		h := startHost(b, bin, uid, megabytes)
		bare := 0.0
		// run measures as a start is used: over a floor of the same run.
		run := func(name string, l Level, p Profile) {
			b.Run(user+"-"+name, func(b *testing.B) {
				h.starts(b, l, p, 3)
				b.ResetTimer()
				ms := h.starts(b, l, p, b.N)
				b.StopTimer()
				b.ReportMetric(ms, "median-ms")
				if l == None {
					bare = ms
					return
				}
				b.ReportMetric(ms-bare, "over-ms")
				b.ReportMetric(float64(len(p.Entries)), "entries")
			})
		}
		run("floor-bare", None, Profile{})
		command := func(name string, argv ...string) {
			b.Run(user+"-"+name, func(b *testing.B) {
				for b.Loop() {
					cmd := exec.Command(argv[0], argv[1:]...)
					if uid != os.Getuid() {
						cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
					}
					cmd.Dir = "/"
					_ = cmd.Run()
				}
			})
		}
		command("floor-helper", bin, confine.Mark)
		if bwrap, err := exec.LookPath("bwrap"); err == nil {
			command("floor-bwrap", bwrap, "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-all", "/bin/true")
		}
		p := newPlace(b)
		for _, d := range []string{filepath.Dir(filepath.Dir(p.root)), filepath.Dir(p.root)} {
			require.NoError(b, os.Chmod(d, 0o755))
		}
		if uid != os.Getuid() {
			require.NoError(b, filepath.WalkDir(filepath.Dir(p.root), func(path string, _ os.DirEntry, err error) error {
				require.NoError(b, err)
				return os.Chown(path, uid, uid)
			}))
		}
		workspace, lean, unguarded := p.profile(b, ProfileOptions{}), p.profile(b, ProfileOptions{Lean: true}), p.profile(b, ProfileOptions{Unguarded: []string{"."}})
		for _, l := range []Level{Landlock, Bubblewrap, Namespaces} {
			if _, err := New(helper, Options{Level: l}); err != nil {
				b.Logf("%s is not measured: %v", l, err)
				continue
			}
			run(l.String()+"-workspace", l, workspace)
			run(l.String()+"-lean", l, lean)
			run(l.String()+"-unguarded", l, unguarded)
		}
	}
}
