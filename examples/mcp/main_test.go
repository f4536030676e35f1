package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain lets the test program be the built-in server.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == serveFlag {
		if err := serve(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	p := program{in: strings.NewReader(""), out: &out}
	err := p.run(t.Context(), args)
	return out.String(), err
}

func TestDemo(t *testing.T) {
	dir := t.TempDir()
	out, err := run(t, "-dir", dir, "-answers", "y,y")
	require.NoError(t, err, out)
	for _, want := range []string{`New MCP server "demo"`, "It starts this program on this machine", `New tool "greet"`, "Hello, you.",
		`CHANGED tool "greet"`, "+ \"Greets. <IMPORTANT>", "A call now: the tool \"greet\" was not used"} {
		assert.Contains(t, out, want)
	}
	out, err = run(t, "-dir", dir)
	require.ErrorContains(t, err, "not started", "nobody answers")
	assert.NotContains(t, out, "The model may use")
	out, err = run(t, "-dir", dir, "-answers", "y,n")
	require.Error(t, err, out)
	assert.Contains(t, out, "The model may use 0 tools")
}

func project(t *testing.T, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, args...)
	return dir
}

func write(t *testing.T, dir string, args ...string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	b, err := json.Marshal(map[string]any{"mcpServers": map[string]any{"greeter": map[string]any{"command": self, "args": args}}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".mcp.json"), b, 0o600))
}

func TestProjectServer(t *testing.T) {
	dir, store := project(t, serveFlag), filepath.Join(t.TempDir(), "trust")
	out, err := run(t, "-dir", dir, "-store", store, "-answers", "y,y", "-call", "greet", "-input", `{"name":"a"}`)
	require.NoError(t, err, out)
	assert.Contains(t, out, "Answer of greeter/greet (untrusted text):")

	out, err = run(t, "-dir", dir, "-store", store, "-call", "greet", "-input", `{"name":"b"}`)
	require.NoError(t, err, out)
	assert.NotContains(t, out, "Approve?", "what is approved does not ask again")

	mark := filepath.Join(t.TempDir(), "mark")
	self, err := os.Executable()
	require.NoError(t, err)
	b, err := json.Marshal(map[string]any{"mcpServers": map[string]any{"greeter": map[string]any{"command": "sh", "args": []string{"-c", "touch " + mark + "; exec " + self + " " + serveFlag}}}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".mcp.json"), b, 0o600))
	out, err = run(t, "-dir", dir, "-store", store, "-answers", "y")
	require.Error(t, err, "a yes is not enough here: %s", out)
	assert.Contains(t, out, `CHANGED MCP server "greeter"`)
	assert.Contains(t, out, "SHELL_COMMAND")
	assert.Contains(t, out, "To approve, type \"greeter\"")
	assert.NoFileExists(t, mark)
	out, err = run(t, "-dir", dir, "-store", store, "-answers", "greeter")
	require.NoError(t, err, out)
	assert.FileExists(t, mark, "the control: approved by its name it runs")
	assert.Contains(t, out, "greet", "its tools are still approved")
}

func TestLockFile(t *testing.T) {
	dir, store := project(t, serveFlag), filepath.Join(t.TempDir(), "trust")
	_, err := run(t, "-dir", dir, "-store", filepath.Join(t.TempDir(), "ci"), "-headless")
	require.Error(t, err, "headless and undecided is blocked")
	out, err := run(t, "-dir", dir, "-store", store, "-answers", "y,y", "-print-lock")
	require.NoError(t, err, out)
	lock := filepath.Join(t.TempDir(), "mcptrust.lock")
	require.NoError(t, os.WriteFile(lock, []byte(out[strings.Index(out, "{\n  \"mcptrust.lock\""):]), 0o600))
	out, err = run(t, "-dir", dir, "-store", filepath.Join(t.TempDir(), "ci"), "-headless", "-lock", lock, "-call", "greet", "-input", `{"name":"ci"}`)
	require.NoError(t, err, out)
	assert.Contains(t, out, "Hello, ci.")

	write(t, dir, serveFlag, "more")
	_, err = run(t, "-dir", dir, "-store", filepath.Join(t.TempDir(), "ci"), "-headless", "-lock", lock)
	require.Error(t, err, "another definition is not in the lock file")
}

func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(t.TempDir(), "trust")
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".mcp.json"), []byte(`{"mcpServers":{"a":{"url":"https://x.example"}}}`), 0o600))
	out, err := run(t, "-dir", dir, "-store", store)
	require.Error(t, err)
	assert.Contains(t, out, "url without type")
	for _, args := range [][]string{{"-nonsense"}, {"-dir", dir, "-store", store, "-server", "none"}, {"-dir", dir, "-store", store, "-lock", dir}} {
		_, err := run(t, args...)
		require.Error(t, err)
	}
}
