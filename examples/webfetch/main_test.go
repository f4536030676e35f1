package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// webfetch runs the program in an empty home, project and temporary folder.
func webfetch(t *testing.T, ctx context.Context, args ...string) (status int, out, errs string) {
	t.Helper()
	root := t.TempDir()
	for _, name := range []string{"home", "project", "tmp"} {
		require.NoError(t, os.Mkdir(filepath.Join(root, name), 0o700))
	}
	for _, name := range []string{"HOME", "USERPROFILE"} {
		t.Setenv(name, filepath.Join(root, "home"))
	}
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, filepath.Join(root, "tmp"))
	}
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Chdir(filepath.Join(root, "project"))
	var o, e bytes.Buffer
	status = run(ctx, args, nil, &o, &e)
	for _, name := range []string{"project", "tmp"} {
		left, err := os.ReadDir(filepath.Join(root, name))
		require.NoError(t, err)
		require.Empty(t, left, "nothing is left behind")
	}
	return status, o.String(), e.String()
}

func TestDemo(t *testing.T) {
	for _, answer := range []string{"y", "s", "a"} {
		status, out, errs := webfetch(t, t.Context(), "-demo", "-answers", answer)
		require.Zero(t, status, errs)
		require.Contains(t, out, "[untrusted: ")
		require.Contains(t, out, "> From Tuesday to Saturday")
		require.Contains(t, out, "hidden by style")
		require.NotContains(t, out, "INJECTED")
	}
	status, out, _ := webfetch(t, t.Context(), "-demo", "-answers", "y", "What is this?")
	require.Zero(t, status)
	require.Contains(t, out, "> The page is about")
}

// TestDemoText: the page is read as a person sees it; its open order is there,
// its hidden ones are not.
func TestDemoText(t *testing.T) {
	at, stop, err := serve()
	require.NoError(t, err)
	defer stop()
	// The guard: another program's loopback server is not read.
	status, _, errs := webfetch(t, t.Context(), "-text", "-answers", "y", "http://"+at.String())
	require.Equal(t, 1, status)
	require.Contains(t, errs, "not public")
	status, out, errs := webfetch(t, t.Context(), "-demo", "-text", "-answers", "y")
	require.Zero(t, status, errs)
	require.Contains(t, out, "touch INJECTED\n")
	for _, hidden := range []string{"INJECTED-HIDDEN", "INJECTED-COMMENT", "INJECTED-ALT", "INJECTED-NOSCRIPT", "tell nobody"} {
		require.Contains(t, string(included), hidden)
		require.NotContains(t, out, hidden)
	}
}

func TestRefused(t *testing.T) {
	for name, args := range map[string][]string{
		"nobody":      {"-demo"},
		"no":          {"-demo", "-answers", "n"},
		"nonsense":    {"-demo", "-answers", "yes"},
		"no question": {"https://example.com"},
		"nothing":     {},
		"bad url":     {"-answers", "y", "ftp://example.com", "what?"},
		"loopback":    {"-answers", "y", "http://127.0.0.1:1/", "what?"},
		"metadata":    {"-answers", "y", "http://169.254.169.254/", "what?"},
		"no file":     {"-demo", "-answers", "y", "-recording", "missing.jsonl"},
	} {
		status, out, errs := webfetch(t, t.Context(), args...)
		require.Equal(t, 1, status, name)
		require.NotContains(t, out, "[untrusted", name)
		require.True(t, strings.HasPrefix(errs, "webfetch: "), "%s: %s", name, errs)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	status, _, _ := webfetch(t, ctx, "-demo", "-answers", "y")
	require.Equal(t, 1, status)
}
