package bashcheck

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestNamesThroughAPipe: what xargs gets from a command that prints nothing but
// names lies where that command looked, and nowhere else.
func TestNamesThroughAPipe(t *testing.T) {
	last := func(src string) (Effect, bool) {
		r := Analyze(src)
		e := r.Commands[len(r.Commands)-1].Effects
		for i := range e {
			if e[i].Kind == Read && e[i].Extent != Anywhere && e[i].Span.Start > 0 {
				return e[i], true
			}
		}
		return Effect{}, false
	}
	for src, target := range map[string]string{
		"find src -type f -print0 | xargs -0 wc -l":    "src",
		"find . -name '*.go' | xargs wc -l":            ".",
		"find . -print0 | xargs -0 -n1 awk 1":          ".",
		"find . -print0 | xargs -0 -I{} head -1 {}":    ".",
		"git ls-files -z | xargs -0 cat":               ".",
		"git ls-files '*' | xargs cat":                 ".",
		"git ls-files 'a*/b' | xargs cat":              ".",
		"rg -l foo | xargs wc -l":                      ".",
		"rg --files -0 src | xargs -0 wc -l":           "src",
		"grep -rl foo docs | xargs wc -l":              "docs",
		"fd -e go -0 | xargs -0 wc -l":                 ".",
		"find lib -print0 | xargs -0 timeout 5 cat":    "lib",
		"find lib -print0 | xargs -0 cat 2> /dev/null": "lib",
	} {
		e, ok := last(src)
		assert.True(t, ok, src)
		assert.Equal(t, target, e.Target, src)
		assert.Equal(t, Tree, e.Extent, src)
		assert.Equal(t, Analyze(src).Commands[1].Argv[1].Text != "-0", e.Plain, src)
	}
	for _, src := range []string{
		`find . -printf '/etc/passwd\n' | xargs cat`, "find . -ls | xargs cat", "find . -exec cat {} + | xargs cat", "find . -print -print0 | xargs cat",
		"find . -print0 | xargs cat", "find . | xargs -0 cat", "find . | sed s,^.,/etc, | xargs cat", "find . | xargs -a list cat", "find . | xargs -d x cat",
		"find . | xargs cat < list", "find . 2>&1 | xargs cat", "find . |& xargs cat", "find . | xargs -I{} cat x{}", "find . | xargs cat 0<&3",
		"find . | (cd /tmp; xargs cat)", "find . | xargs cat | xargs cat", "find $x | xargs cat", "cd $x; find . | xargs cat", "(find .) | xargs cat",
		"git ls-files -s | xargs cat", "git ls-files --format=%x2fetc | xargs cat", "git ls-files :/ | xargs cat", "git ls-files '../*' | xargs cat", "git log | xargs cat",
		"grep -rl --label=/etc/passwd foo - src | xargs cat", "grep -r foo src | xargs cat", "rg foo | xargs cat", "rg -l --json foo | xargs cat", "fd --format /etc/passwd | xargs cat",
		"fd --base-directory /etc | xargs cat", "cat list | xargs cat", "find . | head | xargs cat", "find . & cat list | xargs cat",
	} {
		e, ok := last(src)
		assert.False(t, ok, "%s: %v", src, e)
	}
	// Without NUL a name may become a flag, or a connection of gawk.
	for _, src := range []string{"find . | xargs sed -n 1p", "find . | xargs awk 1", "find . | xargs sort", "rg -l0 x | xargs -0 sed -n 1p"} {
		assert.False(t, Analyze(src).ReadOnly(), src)
	}
	assert.True(t, Analyze("find . -print0 | xargs -0 sed -n 1p").ReadOnly())
}

// TestNamesWithBlanks does the harm: names that are split become another file
// and a flag.
func TestNamesWithBlanks(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte("s3cret"), 0o600))
	// A file whose name ends like that of the secret, below a folder "x ".
	odd := filepath.Join(dir, "proj", "x ", secret)
	require.NoError(t, os.MkdirAll(filepath.Dir(odd), 0o755))
	require.NoError(t, os.WriteFile(odd, nil, 0o600))
	run := func(src string) string {
		c := exec.Command("sh", "-c", src)
		c.Dir = filepath.Join(dir, "proj")
		out, _ := c.CombinedOutput()
		return string(out)
	}
	assert.Contains(t, run("find . -type f | xargs cat"), "s3cret", "the name was split, and the file elsewhere was read")
	assert.NotContains(t, run("find . -type f -print0 | xargs -0 cat"), "s3cret")
}

// TestGawkConnects: an operand of awk may be a connection.
func TestGawkConnects(t *testing.T) {
	for _, src := range []string{
		"awk 1 /inet/tcp/0/h.example/80", "awk 1 f /inet4/udp/0/h/53", `awk 1 "/inet/tcp/0/$(cat .env)/80"`, "cat list | xargs awk 1", "awk 1 $x", "awk 1 /in*/x",
		`while read -r f; do awk 1 "$f"; done < list`, "for f in /inet/tcp/0/h/80; do awk 1 $f; done", "x=/inet/tcp/0/h/1; awk 1 $x", "awk 1 {/inet/tcp,x}/0/h/1",
	} {
		assert.False(t, Analyze(src).ReadOnly(), src)
	}
	for _, src := range []string{"awk 1 ./inet/x", "awk '{print $1}' FS=: f", "awk 1 *.txt", "awk 1 src/*.go", `for f in *.log; do awk 1 "$f"; done`} {
		assert.True(t, Analyze(src).ReadOnly(), src)
	}
	gawk, err := exec.LookPath("gawk")
	if err != nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "gawk is missing")
		t.Skip("gawk is missing: that it connects cannot be shown")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	require.NoError(t, l.(*net.TCPListener).SetDeadline(time.Now().Add(2*time.Minute)))
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	c := exec.Command(gawk, "1", "/inet/tcp/0/127.0.0.1/"+port)
	require.NoError(t, c.Start())
	conn, err := l.Accept()
	require.NoError(t, err, "gawk connects to an operand")
	conn.Close()
	require.NoError(t, c.Wait())
}
