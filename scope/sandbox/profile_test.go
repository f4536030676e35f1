package sandbox

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/clearance-go/clearance/scope"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

func example() Profile {
	return Profile{
		Entries: []Entry{
			{Path: "/w/proj", Access: Write, Dir: true},
			{Path: "/w/proj/.git", Access: Read, Dir: true},
			{Path: "/w/proj/.mcp.json", Access: Read, Missing: true},
			{Path: "/w/proj/sub/.claude", Access: Read, Dir: true},
			{Path: "/w/proj/.env", Access: Hidden},
			{Path: "/home/u/.ssh", Access: Hidden, Dir: true},
			{Path: "/home/u/.ssh/known_hosts", Access: Read},
			{Path: "/", Access: Read, Dir: true},
			{Path: "/tmp/lib", Access: Read, Dir: true},
			{Path: "/usr/lib", Access: Read, Dir: true},
			{Path: `/w/a "quoted" \ name`, Access: Write, Dir: true},
		},
		Network: Network{Reach: Hosts, Hosts: []string{"registry.example", "*.example.com:8443"}},
	}
}

func golden(t *testing.T, name, have string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(have), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), have)
}

func TestExports(t *testing.T) {
	args, err := example().Bubblewrap()
	require.NoError(t, err)
	golden(t, "bubblewrap.txt", strings.Join(args, "\n")+"\n")
	text, err := example().Seatbelt()
	require.NoError(t, err)
	golden(t, "seatbelt.sb", text)
	data, err := example().SandboxRuntime()
	require.NoError(t, err)
	golden(t, "sandbox-runtime.json", string(data)+"\n")

	p := example()
	p.Entries = append(p.Entries, Entry{Path: "/w/a*b", Access: Write})
	_, err = p.SandboxRuntime()
	require.ErrorIs(t, err, ErrProfile, "srt would take it for a pattern")
	_, err = p.Bubblewrap()
	require.NoError(t, err)
}

// The arguments by themselves, without this package around them.
func TestBubblewrapArgumentsWork(t *testing.T) {
	bwrap, err := exec.LookPath("bwrap")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("bwrap is not installed")
		}
		t.Skip("bwrap is not installed")
	}
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(root, ".git"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, ".git", "config"), []byte("good"), 0o644))
	g, err := scope.New(root, scope.Options{})
	require.NoError(t, err)
	defer g.Close()
	p, err := FromGuard(g, ProfileOptions{})
	require.NoError(t, err)
	args, err := p.Bubblewrap()
	require.NoError(t, err)
	script := `cd "` + root + `"; echo evil > .git/config; mv .git x; echo evil > .mcp.json; echo ok > file`
	out, err := exec.Command(bwrap, append(args, "sh", "-c", script)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	data, err := os.ReadFile(filepath.Join(root, ".git", "config"))
	require.NoError(t, err)
	require.Equal(t, "good", string(data))
	data, err = os.ReadFile(filepath.Join(root, ".mcp.json"))
	require.NoError(t, err)
	require.Empty(t, data, "what bwrap leaves is empty")
	require.FileExists(t, filepath.Join(root, "file"))
}

func TestProfileIsData(t *testing.T) {
	p, err := example().clean()
	require.NoError(t, err)
	data, err := json.Marshal(p)
	require.NoError(t, err)
	var q Profile
	require.NoError(t, json.Unmarshal(data, &q))
	require.Equal(t, p, q)
	require.Error(t, json.Unmarshal([]byte(`{"entries":[{"path":"/a","access":"all"}]}`), &q))
	require.Error(t, json.Unmarshal([]byte(`{"network":{"reach":"all"}}`), &q))

	for path, want := range map[string]Access{
		"/w/proj/a": Write, "/w/proj/.git/config": Read, "/w/proj": Write, "/w/proj/.mcp.json": Read, "/w/proj-evil": Read,
		"/home/u/.ssh/id": Hidden, "/home/u/.ssh/known_hosts": Read, "/etc": Read, "/w/proj/../x": Read,
	} {
		require.Equal(t, want, p.Access(path), path)
	}
	require.Equal(t, Hidden, Profile{}.Access("/"))
	require.Equal(t, []string{"/w/proj/sub"}, p.pins())

	for name, bad := range map[string]Profile{
		"relative":        {Entries: []Entry{{Path: "a", Access: Read}}},
		"not clean":       {Entries: []Entry{{Path: "/a/../b", Access: Read}}},
		"NUL":             {Entries: []Entry{{Path: "/a\x00b", Access: Read}}},
		"access":          {Entries: []Entry{{Path: "/a", Access: 9}}},
		"missing, write":  {Entries: []Entry{{Path: "/a", Access: Write, Missing: true}}},
		"reach":           {Network: Network{Reach: 9}},
		"no hosts":        {Network: Network{Reach: Hosts}},
		"hosts, but off":  {Network: Network{Hosts: []string{"a"}}},
		"host with slash": {Network: Network{Reach: Hosts, Hosts: []string{"a/b"}}},
		"host with star":  {Network: Network{Reach: Hosts, Hosts: []string{"a.*.b"}}},
		"only a star":     {Network: Network{Reach: Hosts, Hosts: []string{"*"}}},
		"directory":       {Dir: "x"},
	} {
		_, err := bad.Bubblewrap()
		require.ErrorIs(t, err, ErrProfile, name)
		_, err = bad.Seatbelt()
		require.ErrorIs(t, err, ErrProfile, name)
		_, err = bad.SandboxRuntime()
		require.ErrorIs(t, err, ErrProfile, name)
	}
	// The lower of two accesses wins.
	two := Profile{Entries: []Entry{{Path: "/a", Access: Write}, {Path: "/a", Access: Hidden}}}
	require.Equal(t, Hidden, two.Access("/a/b"))
}

func TestFromGuard(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("paths are those of Unix")
	}
	base, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	root, home, lib, store := filepath.Join(base, "proj"), filepath.Join(base, "home"), filepath.Join(base, "lib"), filepath.Join(base, "store")
	for _, f := range []string{"proj/.git/config", "proj/a/.env", "proj/node_modules/x/.npmrc", "lib/.git/config", "lib/server.pem", "home/.netrc", "store/key", "proj/gd/HEAD", "proj/gd/objects/x", "proj/gd/refs/x"} {
		f = filepath.Join(base, f)
		require.NoError(t, os.MkdirAll(filepath.Dir(f), 0o755))
		require.NoError(t, os.WriteFile(f, nil, 0o644))
	}
	guard := func() *scope.Guard {
		g, err := scope.New(root, scope.Options{Home: home, ReadOnly: []string{lib}, Protect: []string{store, filepath.Join(root, "own.json")}})
		require.NoError(t, err)
		t.Cleanup(func() { g.Close() })
		return g
	}
	g := guard()
	p, err := FromGuard(g, ProfileOptions{})
	require.NoError(t, err)
	for path, want := range map[string]Access{
		"proj": Write, "proj/src/x": Write, "proj/.git/config": Read, "proj/.mcp.json": Read, "proj/a/.env": Hidden, "proj/a": Write,
		"lib": Read, "lib/.git/config": Read, "lib/server.pem": Hidden, "home": Read, "home/.netrc": Hidden, "store/key": Hidden,
		"proj/own.json": Read, "proj/gd/config": Read, "proj/node_modules/x/.npmrc": Write, "other": Read,
	} {
		require.Equal(t, want, p.Access(filepath.Join(base, path)), path)
	}
	planted, err := Planted(g, p, ProfileOptions{})
	require.NoError(t, err)
	require.Empty(t, planted)
	deep := filepath.Join(root, "deep", ".git")
	require.NoError(t, os.MkdirAll(deep, 0o755))
	planted, err = Planted(g, p, ProfileOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{deep}, planted)

	free, err := FromGuard(g, ProfileOptions{Unguarded: []string{".git", "a"}})
	require.NoError(t, err)
	require.Equal(t, Write, free.Access(filepath.Join(root, ".git", "config")))
	require.Equal(t, Write, free.Access(filepath.Join(root, "a", ".env")))
	require.Equal(t, Hidden, free.Access(filepath.Join(store, "key")))
	all, err := FromGuard(g, ProfileOptions{Unguarded: []string{"."}})
	require.NoError(t, err)
	require.Equal(t, Read, all.Access(filepath.Join(root, "own.json")), "the host's own files stay")
	lean, err := FromGuard(g, ProfileOptions{Lean: true})
	require.NoError(t, err)
	require.Less(t, len(lean.Entries), len(p.Entries)/2)
	require.Equal(t, Read, lean.Access(filepath.Join(root, ".claude", "settings.json")))

	_, err = FromGuard(g, ProfileOptions{MaxEntries: 3})
	require.ErrorIs(t, err, scope.ErrTooLarge)
	link := filepath.Join(root, ".claude")
	require.NoError(t, os.Symlink(lib, link))
	_, err = FromGuard(g, ProfileOptions{})
	require.ErrorIs(t, err, ErrProfile)
	require.ErrorContains(t, err, link)
	_, err = FromGuard(g, ProfileOptions{Unguarded: []string{".claude"}})
	require.NoError(t, err)
}

func TestHostRules(t *testing.T) {
	rules, err := parseHosts([]string{"Example.com", "*.golang.org", "api.test:8080", "[::1]:90", "10.0.0.1"})
	require.NoError(t, err)
	p := &proxy{rules: rules}
	for hp, want := range map[string]bool{
		"example.com 443": true, "EXAMPLE.com. 80": true, "example.com 8443": false, "a.example.com 443": false, "evilexample.com 443": false,
		"golang.org 443": false, "c.golang.org 443": true, "a.b.golang.org 443": true, "evilgolang.org 443": false, "golang.org.evil 443": false,
		"api.test 8080": true, "api.test 443": false, "::1 90": true, "10.0.0.1 443": true, "10.0.0.1 22": false, " 443": false,
	} {
		host, port, _ := strings.Cut(hp, " ")
		require.Equal(t, want, p.allows(host, port), hp)
	}
	for _, bad := range []string{"", "*", "*.", "a:0", "a:x", "a b", "http://a", "a/b", "u@a", "*.1.2.3.4", "a%b"} {
		_, err := parseHosts([]string{bad})
		require.Error(t, err, "%q", bad)
	}
}
