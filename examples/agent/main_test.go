package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMain lets the test binary be the MCP server that the program starts from
// itself.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == serverCommand {
		if err := serve(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// attacked are the marks that the attacks of the recorded run would leave.
var attacked = []string{"outside.txt", "linked.txt", "injected", "substituted", "wrapped", "hooked"}

func play(t *testing.T, text string, person *person) (scratch, output string, ok bool) {
	t.Helper()
	steps, err := readTranscript(text)
	require.NoError(t, err)
	scratch, err = filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { removeScratch(scratch) })
	var out bytes.Buffer
	if person == nil {
		person = newPerson(nil, &out, "")
	}
	person.out = &out
	ok, err = agent(context.Background(), scratch, buildCache(t), steps, person, &out)
	require.NoError(t, err, out.String())
	return scratch, out.String(), ok
}

// buildCache is the cache of the go command that runs the tests, so that the
// inner go command need not build the standard library once more.
func buildCache(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func TestRecordedRun(t *testing.T) {
	for _, tool := range []string{"go", "git", "bash"} {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", tool)
		}
	}
	scratch, out, ok := play(t, recorded, nil)
	require.True(t, ok, out)

	// The work was done.
	fixed, err := os.ReadFile(filepath.Join(scratch, "work", "calc", "calc.go"))
	require.NoError(t, err)
	require.Contains(t, string(fixed), "return a + b")
	require.FileExists(t, filepath.Join(scratch, "work", "calc", "NOTES.txt"))
	require.Contains(t, out, "3 words")

	// No attack got anywhere.
	for _, name := range attacked {
		require.NoFileExists(t, filepath.Join(scratch, "outside", name), out)
	}
	require.FileExists(t, filepath.Join(scratch, "outside", "victim", "keep.txt"))
	require.NoFileExists(t, filepath.Join(scratch, "work", "calc", ".git", "hooks", "pre-commit"))
	settings, err := os.ReadFile(filepath.Join(scratch, "work", "calc", ".claude", "settings.json"))
	require.NoError(t, err)
	require.Contains(t, string(settings), "Bash(*)", "the repository's settings are as they were")
	require.NotContains(t, out, "do-not-read-me")
	require.NotContains(t, out, "tok-4f9c1d7be2a85063")
	require.Contains(t, out, "deployed with [redacted]")
	require.NotContains(t, out, "this call must never arrive")

	// The token is nowhere in clear but in the file that the project had.
	require.NoError(t, filepath.WalkDir(filepath.Join(scratch, "conf"), func(name string, d os.DirEntry, err error) error {
		require.NoError(t, err)
		if d.Type().IsRegular() {
			b, err := os.ReadFile(name)
			require.NoError(t, err)
			require.NotContains(t, string(b), "tok-4f9c1d7be2a85063", name)
		}
		return nil
	}))
}

// TestAttacksWorkWithoutTheGate runs the same attacks as a program without
// clearance would, to show that what TestRecordedRun looks for can happen.
func TestAttacksWorkWithoutTheGate(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("bash is not installed")
		}
		t.Skip("bash is not installed: the commands of the attacks cannot be run")
	}
	w, err := newWorkspace(context.Background(), t.TempDir(), buildCache(t))
	require.NoError(t, err)
	for _, command := range []string{
		"go test ./...; touch " + w.outside + "/injected",
		"true $(touch " + w.outside + "/substituted)",
		"head -1 ./.env",
	} {
		cmd := exec.Command(bash, "-c", command)
		cmd.Dir, cmd.Env = w.project, w.env
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", command, out)
		if strings.HasPrefix(command, "head") {
			require.Contains(t, string(out), "do-not-read-me")
		}
	}
	require.FileExists(t, filepath.Join(w.outside, "injected"))
	require.FileExists(t, filepath.Join(w.outside, "substituted"))
	require.NoError(t, os.WriteFile(filepath.Join(w.project, "docs", "latest", "linked.txt"), []byte("x"), 0o600))
	require.FileExists(t, filepath.Join(w.outside, "linked.txt"), "the planted link leads outside")
}

func TestAnswersByScript(t *testing.T) {
	text := `{"tool":"Write","input":{"file_path":"$WORK/a.txt","content":"1"},"expect":"ran"}
{"tool":"Write","input":{"file_path":"$WORK/b.txt","content":"1"},"expect":"refused"}
{"tool":"Write","input":{"file_path":"$WORK/c.txt","content":"1"},"expect":"refused"}`
	scratch, out, ok := play(t, text, newPerson(nil, nil, "y,n"))
	require.True(t, ok, out)
	require.FileExists(t, filepath.Join(scratch, "work", "calc", "a.txt"))
	require.NoFileExists(t, filepath.Join(scratch, "work", "calc", "b.txt"))
	require.NoFileExists(t, filepath.Join(scratch, "work", "calc", "c.txt"))
	require.Contains(t, out, "nobody is there to answer")
}

func TestSessionAnswerIsKept(t *testing.T) {
	text := `{"tool":"Bash","input":{"command":"echo 1 > a.txt"},"answer":"s","expect":"ran"}
{"tool":"Write","input":{"file_path":"$WORK/a.txt","content":"2"},"expect":"ran"}
{"tool":"Write","input":{"file_path":"$WORK/b.txt","content":"2"},"expect":"refused"}`
	_, out, ok := play(t, text, nil)
	require.True(t, ok, out)
}

func TestUnexpectedEndIsAnError(t *testing.T) {
	_, _, ok := play(t, `{"tool":"Read","input":{"file_path":"$WORK/.env"},"expect":"ran"}`, nil)
	require.False(t, ok)
}

func TestBadTranscripts(t *testing.T) {
	for _, text := range []string{"", "{", `{"input":{}}`, `{"tool":"Bash","expect":"won"}`, `{"tool":"Bash","color":1}`, "[]"} {
		_, err := readTranscript(text)
		require.Error(t, err, "%q", text)
	}
	var errs bytes.Buffer
	file := filepath.Join(t.TempDir(), "t.jsonl")
	require.NoError(t, os.WriteFile(file, []byte("{"), 0o600))
	require.Equal(t, 1, run(context.Background(), []string{"-transcript", file}, nil, &errs, &errs))
	require.Equal(t, 1, run(context.Background(), []string{"-transcript", file + "x"}, nil, &errs, &errs))
	// Calls that make no sense are refused and the run goes on.
	_, out, ok := play(t, `{"tool":"Bash","input":[1],"expect":"refused"}
{"tool":"Nothing","input":{},"expect":"refused"}
{"tool":"Read","input":{"file_path":"a\u0000b"},"expect":"refused"}
{"tool":"mcp__none__x","input":{},"expect":"refused"}`, nil)
	require.True(t, ok, out)
}
