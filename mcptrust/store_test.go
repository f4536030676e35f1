package mcptrust

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const helperEnv = "MCPTRUST_TEST_HELPER"

// TestMain lets the test program act as another process of the user.
func TestMain(m *testing.M) {
	if spec := os.Getenv(helperEnv); spec != "" {
		if err := helper(strings.Split(spec, "|")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// helper approves n servers: dir|home|project|id|n|how. With how "snapshot" it
// writes the whole file from what it read first, as clients with one shared file
// did: the negative control.
func helper(a []string) error {
	ctx := context.Background()
	var n int
	fmt.Sscan(a[4], &n)
	if a[5] == "in place" {
		// As clients did that wrote their one file over itself.
		b := []byte(`{"schema":1,"path":"x","servers":{` + strings.Repeat(`"a":{"status":"trusted","rev":1},`, 1<<15) + `"b":{"status":"trusted","rev":1}}}`)
		for i := range n {
			if err := os.WriteFile(a[0], b, 0o600); err != nil {
				return err
			}
			fmt.Println(i)
		}
		return nil
	}
	r, err := Open(Options{Dir: a[0], Home: a[1]})
	if err != nil {
		return err
	}
	if a[5] == "limit" {
		if err := limitFileSize(uint64(n)); err != nil {
			return err
		}
		n = 1000
	}
	for i := range n {
		s := Server{Name: fmt.Sprintf("s-%s-%d", a[3], i), Transport: Stdio, Command: Literal("srv")}
		if a[5] == "snapshot" {
			w, err := r.resolve(a[2])
			if err != nil {
				return err
			}
			f, _, err := r.store.load(projectFile(w.root))
			if err != nil {
				return err
			}
			f.Path = w.root
			if f.Servers == nil {
				f.Servers = map[string]*serverRecord{}
			}
			f.Servers[s.Name] = &serverRecord{Status: wordTrusted, Rev: 1}
			b, _ := json.Marshal(f)
			if err := r.store.replace(projectFile(w.root), b); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			continue
		}
		c, err := r.Check(ctx, a[2], s)
		if err != nil {
			return err
		}
		if err := r.Approve(ctx, c.Token); err != nil {
			return err
		}
		if a[5] == "report" || a[5] == "limit" {
			fmt.Println(s.Name)
		}
	}
	return nil
}

func helperCommand(dir, home, project, id string, n int, how string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), helperEnv+"="+strings.Join([]string{dir, home, project, id, fmt.Sprint(n), how}, "|"))
	return cmd
}

// killed starts a helper and kills it -9 after it has reported some lines. It
// returns what was reported.
func killed(t *testing.T, cmd *exec.Cmd, after int) []string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var lines []string
	sc := bufio.NewScanner(out)
	for sc.Scan() {
		lines = append(lines, sc.Text())
		if len(lines) == after {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	_ = cmd.Wait()
	return lines
}

// A process that is killed at any moment loses no decision that it reported and
// leaves no file that cannot be read. The control writes its file in place.
func TestKillNine(t *testing.T) {
	dir, home, project := filepath.Join(t.TempDir(), "trust"), t.TempDir(), t.TempDir()
	reported := map[string]bool{}
	rounds := 40
	if testing.Short() {
		rounds = 6
	}
	for round := range rounds {
		for _, name := range killed(t, helperCommand(dir, home, project, fmt.Sprint(round), 1000, "report"), 1+round%7) {
			reported[name] = true
		}
		r := registry(t, Options{Dir: dir, Home: home})
		list, err := r.List(t.Context())
		require.NoError(t, err, "round %d", round)
		kept := map[string]bool{}
		for _, rec := range list {
			kept[rec.Server] = true
		}
		for name := range reported {
			require.True(t, kept[name], "round %d: %s was reported and is lost", round, name)
		}
		_, err = r.History(t.Context())
		require.NoError(t, err, "round %d", round)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "projects"))
	require.NoError(t, err)
	assert.LessOrEqual(t, len(entries), 3, "the file, its lock, and at most one temporary file")

	file := filepath.Join(t.TempDir(), "user.json")
	corrupt := 0
	for round := 0; round < 200 && corrupt == 0; round++ {
		killed(t, helperCommand(file, home, project, "c", 1<<20, "in place"), 1+round%3)
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		if !json.Valid(b) {
			corrupt++
		}
	}
	assert.Positive(t, corrupt, "the control writes in place and leaves half a file")
}

// When no more can be written, the decision fails and the store stays as it was.
func TestDiskFull(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no limit on the size of files to be set on Windows")
	}
	dir, home, project := filepath.Join(t.TempDir(), "trust"), t.TempDir(), t.TempDir()
	runHelpers(t, dir, home, project, "update", 1, 3)
	cmd := helperCommand(dir, home, project, "full", 6000, "limit")
	out, err := cmd.Output()
	require.Error(t, err, "the control: there is an end")
	said := strings.Fields(string(out))
	require.NotEmpty(t, said)
	r := registry(t, Options{Dir: dir, Home: home})
	list, err := r.List(t.Context())
	require.NoError(t, err)
	assert.Len(t, list, 3+len(said))
	_, err = r.History(t.Context())
	require.NoError(t, err)
	c, err := r.Check(t.Context(), project, Server{Name: "next", Transport: Stdio, Command: Literal("srv")})
	require.NoError(t, err)
	require.NoError(t, r.Approve(t.Context(), c.Token), "with room again it goes on")
}

func runHelpers(t *testing.T, dir, home, project, how string, procs, n int) {
	t.Helper()
	var cmds []*exec.Cmd
	for p := range procs {
		cmd := helperCommand(dir, home, project, fmt.Sprint(p), n, how)
		cmd.Stderr = os.Stderr
		require.NoError(t, cmd.Start())
		cmds = append(cmds, cmd)
	}
	for _, c := range cmds {
		require.NoError(t, c.Wait())
	}
}

// Eight processes approve at the same time and no decision is lost. The same
// load written as snapshots without the lock loses some: the test can fail.
func TestStoreConcurrentProcesses(t *testing.T) {
	procs, each, control := 8, 20, 5 // a control of some saves loses decisions already
	if testing.Short() {
		procs, each = 4, 5
	} else if os.Getenv("CI") == "true" {
		each, control = 100, 25
	}
	dir, home, project := filepath.Join(t.TempDir(), "trust"), t.TempDir(), t.TempDir()
	runHelpers(t, dir, home, project, "update", procs, each)
	r := registry(t, Options{Dir: dir, Home: home})
	list, err := r.List(t.Context())
	require.NoError(t, err)
	assert.Len(t, list, procs*each)
	events, err := r.History(t.Context())
	require.NoError(t, err)
	assert.Len(t, events, procs*each, "and each is in the history")

	// The control may be lucky more than once, and on one processor they hardly
	// meet unless they last.
	lost := 0
	for try := 0; try < 20 && lost == 0; try++ {
		unlocked := filepath.Join(t.TempDir(), "trust")
		saves := control * (1 + try)
		runHelpers(t, unlocked, home, project, "snapshot", procs, saves)
		list, err = registry(t, Options{Dir: unlocked, Home: home}).List(t.Context())
		require.NoError(t, err)
		lost = procs*saves - len(list)
	}
	assert.Positive(t, lost, "the control writes snapshots without the lock and loses decisions")
}

func approved(t *testing.T) (r *Registry, project string, s Server, file string) {
	t.Helper()
	r, project = registry(t, Options{}), t.TempDir()
	s = Server{Name: "fs", Transport: Stdio, Command: Literal("node"), Args: Literals("server.js")}
	c, err := r.Check(t.Context(), project, s)
	require.NoError(t, err)
	require.Equal(t, Unknown, c.Status)
	approve(t, r, c)
	c, err = r.Check(t.Context(), project, s)
	require.NoError(t, err)
	require.Equal(t, Trusted, c.Status)
	w, err := r.resolve(project)
	require.NoError(t, err)
	return r, project, s, filepath.Join(r.store.dir, projectFile(w.root))
}

func TestStoreCorruptIsNeverOverwritten(t *testing.T) {
	for name, damage := range map[string]func(b []byte) []byte{
		"cut":           func(b []byte) []byte { return b[:len(b)/2] },
		"empty":         func(b []byte) []byte { return nil },
		"duplicate":     func(b []byte) []byte { return append([]byte(`{"schema":1,`), b[1:]...) },
		"status":        func(b []byte) []byte { return []byte(strings.Replace(string(b), `"trusted"`, `"allow"`, 1)) },
		"null server":   func(b []byte) []byte { return []byte(`{"schema":1,"servers":{"x":null}}`) },
		"other project": func(b []byte) []byte { return []byte(strings.Replace(string(b), `"path": "`, `"path": "/x`, 1)) },
		"no schema":     func(b []byte) []byte { return []byte(`{}`) },
	} {
		t.Run(name, func(t *testing.T) {
			r, project, s, file := approved(t)
			good, err := r.Check(t.Context(), project, Server{Name: "b", Transport: Stdio, Command: Literal("b")})
			require.NoError(t, err)
			b, err := os.ReadFile(file)
			require.NoError(t, err)
			bad := damage(b)
			require.NoError(t, os.WriteFile(file, bad, 0o600))
			var se *StoreError
			c, err := r.Check(t.Context(), project, s)
			require.ErrorAs(t, err, &se)
			assert.Equal(t, CodeStoreCorrupt, se.Code)
			assert.NotEqual(t, Trusted, c.Status)
			require.ErrorAs(t, r.Approve(t.Context(), good.Token), &se)
			after, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, bad, append([]byte(nil), after...)[:len(bad):len(bad)], "left as it is")
			assert.Len(t, after, len(bad))
		})
	}
}

// A text that was put beside another digest is not trusted.
func TestStoreTextFitsDigest(t *testing.T) {
	r, project, s, file := approved(t)
	cs, err := r.CheckTools(t.Context(), project, s, simple("a"))
	require.NoError(t, err)
	approveItems(t, r, cs)
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(b), "Does a.")
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(b), "Does a.", "Does b.", 1)), 0o600))
	evil := simple("a")
	evil[0].Description = "Does b."
	_, err = r.CheckTools(t.Context(), project, s, evil)
	var se *StoreError
	require.ErrorAs(t, err, &se)
	assert.Equal(t, CodeStoreCorrupt, se.Code)
}

func TestStorePlants(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links and modes are checked on unix only: Windows access control lists are not read")
	}
	for name, plant := range map[string]func(t *testing.T, file string){
		"symlink": func(t *testing.T, file string) {
			evil := filepath.Join(t.TempDir(), "evil")
			require.NoError(t, os.Rename(file, evil))
			require.NoError(t, os.Symlink(evil, file))
		},
		"hard link": func(t *testing.T, file string) { require.NoError(t, os.Link(file, file+".second")) },
		"mode":      func(t *testing.T, file string) { require.NoError(t, os.Chmod(file, 0o666)) },
		"folder": func(t *testing.T, file string) {
			require.NoError(t, os.Remove(file))
			require.NoError(t, os.Mkdir(file, 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, project, s, file := approved(t)
			plant(t, file)
			fresh := registry(t, Options{Dir: r.store.dir, Home: r.home})
			for _, reg := range []*Registry{r, fresh} {
				c, err := reg.Check(t.Context(), project, s)
				var se *StoreError
				require.ErrorAs(t, err, &se)
				assert.Equal(t, CodeStoreUnsafe, se.Code)
				assert.NotEqual(t, Trusted, c.Status)
			}
		})
	}
	t.Run("lock", func(t *testing.T) {
		r, project, _, file := approved(t)
		mark := filepath.Join(t.TempDir(), "mark")
		require.NoError(t, os.Remove(file+".lock"))
		require.NoError(t, os.Symlink(mark, file+".lock"))
		require.Error(t, r.Revoke(t.Context(), project, "fs"))
		assert.NoFileExists(t, mark)
	})
	t.Run("store folder", func(t *testing.T) {
		real, link := t.TempDir(), filepath.Join(t.TempDir(), "link")
		require.NoError(t, os.Symlink(real, link))
		_, err := Open(Options{Dir: link})
		assert.Error(t, err)
		open := t.TempDir()
		require.NoError(t, os.Chmod(open, 0o777))
		_, err = Open(Options{Dir: open})
		assert.Error(t, err)
		_, err = Open(Options{Dir: "relative"})
		assert.Error(t, err)
		_, err = Open(Options{})
		assert.Error(t, err)
	})
}

func TestStoreInsideProject(t *testing.T) {
	project := t.TempDir()
	r := registry(t, Options{Dir: filepath.Join(project, "trust")})
	_, err := r.Check(t.Context(), project, Server{Name: "a", Transport: Stdio, Command: Literal("a")})
	var se *StoreError
	require.ErrorAs(t, err, &se)
}

func TestStoreKeepsUnknownFields(t *testing.T) {
	r, project, _, file := approved(t)
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	s := strings.Replace(string(b), `"schema"`, `"later": {"a": [1]}, "schema"`, 1)
	s = strings.Replace(s, `"rev"`, `"note": "kept", "rev"`, 1)
	require.NoError(t, os.WriteFile(file, []byte(s), 0o600))
	require.NoError(t, r.Revoke(t.Context(), project, "other"))
	b, err = os.ReadFile(file)
	require.NoError(t, err)
	assert.Contains(t, string(b), `"later"`)
	assert.Contains(t, string(b), `"note": "kept"`)
}

func TestStoreHoldsNoSecret(t *testing.T) {
	r, project := registry(t, Options{}), t.TempDir()
	lookup := func(string) (string, bool) { return "s3cr3t-variable", true }
	env, err := Expand("Bearer ${TOKEN}", lookup)
	require.NoError(t, err)
	arg, err := Expand("--x=${MY_TOKEN}", lookup)
	require.NoError(t, err)
	s := Server{Name: "a", Transport: Stdio, Command: Literal("a"),
		Args: append(Literals("--api-key", "s3cr3t-flag", "--token=s3cr3t-assigned"), arg),
		Env:  map[string]Value{"A": env, "B": Literal("s3cr3t-literal")}}
	remote := Server{Name: "b", Transport: HTTP, URL: Literal("https://u:s3cr3t-user@h.example/?api_key=s3cr3t-query"),
		Headers: map[string]Value{"Authorization": Literal("Bearer s3cr3t-header")}}
	for _, sv := range []Server{s, remote} {
		c, err := r.Check(t.Context(), project, sv)
		require.NoError(t, err)
		approve(t, r, c)
		assert.NotContains(t, fmt.Sprintf("%v %+v %#v", sv, sv, sv), "s3cr3t-variable")
	}
	require.NoError(t, filepath.Walk(r.store.dir, func(p string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			b, err := os.ReadFile(p)
			require.NoError(t, err)
			assert.NotContains(t, string(b), "s3cr3t", p)
		}
		return err
	}))
}

// One registry used by many goroutines loses nothing either.
func TestStoreConcurrentGoroutines(t *testing.T) {
	r, project := registry(t, Options{}), t.TempDir()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 5 {
				c, err := r.Check(t.Context(), project, Server{Name: fmt.Sprintf("s%d-%d", g, i), Transport: Stdio, Command: Literal("srv")})
				if assert.NoError(t, err) {
					assert.NoError(t, r.Approve(t.Context(), c.Token))
				}
			}
		})
	}
	wg.Wait()
	list, err := r.List(t.Context())
	require.NoError(t, err)
	assert.Len(t, list, 40)
}
