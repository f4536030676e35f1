package gosdk

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/mcptrust"
)

// example builds a server of the SDK from the module cache.
func example(t *testing.T, dir, name string) string {
	t.Helper()
	bin := filepath.Join(dir, name)
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	if _, err := os.Stat(bin); err == nil {
		return bin
	}
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", bin, "github.com/modelcontextprotocol/go-sdk/examples/server/"+name).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return bin
}

// drive goes the whole way with a server that nobody here wrote: unknown and not
// started, approved, its tools withheld, approved, listed again and unchanged in
// a second process, one tool called, one refused, all withdrawn.
func drive(t *testing.T, s mcptrust.Server, project string, opts Options, tool string, args map[string]any) {
	t.Helper()
	r, err := mcptrust.Open(mcptrust.Options{Dir: filepath.Join(t.TempDir(), "trust"), Home: t.TempDir()})
	require.NoError(t, err)
	var held withheld
	opts.Registry, opts.Project, opts.Withheld = r, project, held.add
	_, err = Connect(t.Context(), s, opts)
	var nt *mcptrust.NotTrustedError
	require.ErrorAs(t, err, &nt)
	require.NoError(t, r.Approve(t.Context(), nt.Check.Token.Confirm(nt.Check.Confirm)))

	connect := func() *Session {
		cs, err := Connect(t.Context(), s, opts)
		require.NoError(t, err)
		t.Cleanup(func() { _ = cs.Close() })
		return cs
	}
	cs := connect()
	assert.Empty(t, names(t, cs.ClientSession))
	for _, c := range held.take() {
		require.NotEmpty(t, c.Token, "%s: %v", c.Name, c.Reasons)
		for _, f := range c.Findings {
			// Honest servers: at most a name outside the usual characters.
			assert.Contains(t, []mcptrust.Code{mcptrust.CodeBadName}, f.Code, "%s: %s", c.Name, f.Text)
		}
		require.NoError(t, r.Approve(t.Context(), c.Token.Confirm(c.Confirm)))
	}
	listed := names(t, cs.ClientSession)
	assert.Contains(t, listed, tool)
	assert.Empty(t, held.take())

	again := connect()
	assert.ElementsMatch(t, listed, names(t, again.ClientSession), "the same in another process")
	assert.Empty(t, held.take(), "nothing changed by starting it again")
	res, err := again.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
	require.NoError(t, err)
	assert.False(t, res.IsError, "%v", res.Content)
	from, ok := Untrusted(res)
	assert.True(t, ok)
	assert.Equal(t, s.Name+"/"+tool, from)

	require.NoError(t, r.RevokeTool(t.Context(), project, s.Name, tool))
	_, err = again.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
	require.Error(t, err)
	require.NoError(t, r.Revoke(t.Context(), project, s.Name))
	assert.Empty(t, names(t, again.ClientSession))
	_, err = Connect(t.Context(), s, opts)
	require.ErrorAs(t, err, &nt)
}

// The SDK's own example servers, over stdio and over streamable HTTP.
func TestSDKExampleServers(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: building the SDK's example servers takes a while")
	}
	bins := t.TempDir()
	parse := func(t *testing.T, text string) mcptrust.Server {
		ss, err := mcptrust.Parse([]byte(text), mcptrust.ParseOptions{Source: mcptrust.Source{File: ".mcp.json"}})
		require.NoError(t, err)
		require.Len(t, ss, 1)
		return ss[0]
	}
	stdio := func(t *testing.T, bin string, args ...string) mcptrust.Server {
		b, err := json.Marshal(map[string]any{"mcpServers": map[string]any{"sdk": map[string]any{"command": bin, "args": append([]string{}, args...)}}})
		require.NoError(t, err)
		return parse(t, string(b))
	}
	eachProtocol(t, func(t *testing.T, protocol string) {
		opts := Options{Protocol: protocol}
		t.Run("hello", func(t *testing.T) {
			drive(t, stdio(t, example(t, bins, "hello")), t.TempDir(), opts, "greet", map[string]any{"name": "x"})
		})
		t.Run("everything", func(t *testing.T) {
			drive(t, stdio(t, example(t, bins, "everything")), t.TempDir(), opts, "greet", map[string]any{"name": "x"})
		})
		t.Run("memory", func(t *testing.T) {
			dir := t.TempDir()
			drive(t, stdio(t, example(t, bins, "memory"), "-memory", filepath.Join(dir, "mem.json")), dir, opts, "read_graph", map[string]any{})
		})
		t.Run("everything over http", func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			addr := l.Addr().String()
			require.NoError(t, l.Close())
			cmd := exec.CommandContext(t.Context(), example(t, bins, "everything"), "-http", addr)
			stderr, err := cmd.StderrPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
			up := make(chan struct{})
			go func() {
				sc := bufio.NewScanner(stderr)
				for sc.Scan() {
					if strings.Contains(sc.Text(), "listening") {
						close(up)
						break
					}
				}
				for sc.Scan() {
				}
			}()
			select {
			case <-up:
			case <-time.After(2 * time.Minute):
				t.Fatal("the server did not come up")
			}
			wait(t, addr)
			drive(t, parse(t, `{"mcpServers":{"sdk":{"type":"http","url":"http://`+addr+`"}}}`), t.TempDir(), opts, "greet", map[string]any{"name": "x"})
		})
	})
}

// wait connects until somebody listens.
func wait(t *testing.T, addr string) {
	t.Helper()
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		return c.Close() == nil
	}, 2*time.Minute, 5*time.Millisecond)
}

// The servers everything, filesystem and memory as they are installed with npm:
// $CLEARANCE_NPM is a folder with their node_modules.
func TestNPMServers(t *testing.T) {
	dir := os.Getenv("CLEARANCE_NPM")
	if dir == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("CLEARANCE_NPM is not set: install the npm servers and name their folder")
		}
		t.Skip("CLEARANCE_NPM does not name a folder with the npm servers in node_modules")
	}
	node, err := exec.LookPath("node")
	require.NoError(t, err, "the npm servers need node")
	for name, c := range map[string]struct {
		args []string
		env  string
		tool string
		in   map[string]any
	}{
		"everything": {[]string{"stdio"}, "", "echo", map[string]any{"message": "x"}},
		"filesystem": {nil, "", "list_allowed_directories", map[string]any{}},
		"memory":     {nil, "MEMORY_FILE_PATH", "read_graph", map[string]any{}},
	} {
		t.Run(name, func(t *testing.T) {
			project, err := filepath.EvalSymlinks(t.TempDir())
			require.NoError(t, err)
			script := filepath.Join(dir, "node_modules", "@modelcontextprotocol", "server-"+name, "dist", "index.js")
			require.FileExists(t, script)
			s := mcptrust.Server{Name: name, Transport: mcptrust.Stdio, Command: mcptrust.Literal(node), Args: mcptrust.Literals(append([]string{script}, c.args...)...)}
			if name == "filesystem" {
				s.Args = append(s.Args, mcptrust.Literal(project))
			}
			if c.env != "" {
				s.Env = map[string]mcptrust.Value{c.env: mcptrust.Literal(filepath.Join(project, "memory.json"))}
			}
			drive(t, s, project, Options{}, c.tool, c.in)
		})
	}
}
