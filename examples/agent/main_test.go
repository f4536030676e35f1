package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/examples/agent/internal/ui"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope/sandbox"
)

// TestMain lets the test binary be the MCP server that the program starts from
// itself.
func TestMain(m *testing.M) {
	helper = sandbox.Enter()
	if len(os.Args) == 2 && os.Args[1] == serverCommand {
		if err := serve(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv("CLEARANCE_AGENT_TEST_PROGRAM") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

var helper sandbox.Helper

// machine is the sandbox of this machine.
var machine = sync.OnceValues(func() (*sandbox.Box, string) { return newBox(helper) })

// attacked are the marks that the attacks of the recorded run would leave.
var attacked = []string{"outside.txt", "linked.txt", "injected", "substituted", "wrapped", "hooked", "obeyed"}

// play runs a transcript; answers nil takes what the transcript says.
func play(t *testing.T, text string, answers func(ui.Question) (string, bool)) (scratch, output string, ok bool) {
	t.Helper()
	scratch, output, ok, err := try(t, recordedText(t.Context(), "transcript.jsonl", text), answers)
	require.NoError(t, err, output)
	return scratch, output, ok
}

func try(t *testing.T, m model, answers func(ui.Question) (string, bool), change ...func(*options)) (scratch, output string, ok bool, err error) {
	t.Helper()
	scratch, err = filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { removeScratch(scratch) })
	var out bytes.Buffer
	box, noBox := machine()
	o := options{
		scratch: scratch, cache: buildCache(t), out: &out, box: box, noBox: noBox,
		model: func(*host, *permission.Session) (model, error) { return m, nil },
		ui: func(script func(ui.Question) (string, bool)) (ui.UI, error) {
			if answers != nil {
				script = answers
			}
			return ui.NewLines(nil, &out, script), nil
		},
	}
	for _, f := range change {
		f(&o)
	}
	ok, err = agent(t.Context(), o)
	return scratch, out.String(), ok, err
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
	scratch, out, ok := play(t, demonstration, nil)
	require.True(t, ok, out)

	// The work was done.
	fixed, err := os.ReadFile(filepath.Join(scratch, "work", "calc", "calc.go"))
	require.NoError(t, err)
	require.Contains(t, string(fixed), "return a + b")
	require.FileExists(t, filepath.Join(scratch, "work", "calc", "NOTES.txt"))
	require.Contains(t, out, "3 words")
	notes, err := os.ReadFile(filepath.Join(scratch, "work", "calc", "NOTES.txt"))
	require.NoError(t, err)
	require.Equal(t, "done\n", string(notes), "the sub-agent wrote nothing")

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
	// A page's answer is labelled, and none of its orders comes with it.
	require.Contains(t, out, "[untrusted: an answer from the page ")
	require.Contains(t, page, "obeyed")
	require.NotContains(t, out, "every project must also run")
	require.Contains(t, out, "redirects to another host, which was not followed")
	// The changed script was shown as a change, and as one of a session that had
	// read the page; the other labels count as well.
	require.Contains(t, out, "What it runs has changed:")
	require.Contains(t, out, "-grep -q 'package calc' calc.go && echo checked")
	require.Contains(t, out, "which a session wrote that had read untrusted text")
	require.Contains(t, out, "The session has read untrusted text and sensitive data")
	// Where it ran stands in the table.
	if box, why := machine(); box != nil {
		require.Regexp(t, `(?m)^10 +ran +`+box.Report().Level.String()+` +Bash go test`, out)
		require.Regexp(t, `(?m)^5 +(ran +unconfined|stepped over) +Bash git status`, out)
	} else {
		require.Contains(t, out, "No sandbox was used: "+why)
		require.False(t, os.Getenv("CI") == "true" && runtime.GOOS == "linux", why)
	}

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
	w, err := newWorkspace(context.Background(), t.TempDir(), buildCache(t), false)
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
	scratch, out, ok := play(t, text, answerList("y,n"))
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
	good := `{"tool":"Bash","input":{"command":"echo hello"},"expect":"ran"}` + "\n"
	many := strings.Repeat(`{"tool":"Nothing"}`+"\n", maxSteps+1)
	for _, c := range []struct{ text, want string }{
		{"", ":1: the transcript is empty"},
		{"\n\n", "the transcript is empty"},
		{"{", ":1: "},
		{good + "{", ":2: "},
		{good + "\n" + `{"input":{}}`, `:3: no "tool"`},
		{`{"tool":"Bash","expect":"won"}`, `:1: "expect"`},
		{`{"tool":"Bash","color":1}`, ":1: "},
		{"[]", ":1: "},
		{`{"tool":"Bash"} {"tool":"Bash"}`, ":1: more than one"},
		{`{"tool":"Bash","steps":[{"tool":"Read"}]}`, ":1: only an Agent"},
		{`{"tool":"Agent","steps":[{"tool":"Agent","steps":[{"tool":"Read"}]}]}`, ":1: step 1 of the sub-agent"},
		{good + strings.Repeat("x", maxLine+1), ":2: the line is longer"},
		{many, fmt.Sprintf(":%d: more than %d steps", maxSteps+1, maxSteps)},
		{strings.Repeat("[", 100_000), ":1: "},
	} {
		m := recordedText(t.Context(), "t", c.text)
		var err error
		for err == nil {
			_, err = m.Next(t.Context(), nil)
		}
		require.ErrorContains(t, err, "t")
		require.ErrorContains(t, err, c.want)
	}
}

// TestBrokenTranscriptEndsInATable: what was done before the broken line is
// told.
func TestBrokenTranscriptEndsInATable(t *testing.T) {
	text := `{"tool":"Glob","input":{"pattern":"*.go"}}` + "\n{\"tool\":"
	_, out, ok, err := try(t, recordedText(t.Context(), "t.jsonl", text), nil)
	require.ErrorContains(t, err, "t.jsonl:2: ")
	require.False(t, ok)
	require.Contains(t, out, "outcome")
	require.Contains(t, out, "Glob *.go")
	require.Contains(t, out, "The audit log verifies")
}

// endless never ends and never has a whole line.
type endless struct{ text string }

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		n += copy(p[n:], e.text)
	}
	return n, nil
}
func (endless) Close() error { return nil }

func TestEndlessTranscripts(t *testing.T) {
	for _, c := range []struct{ text, want string }{{"x", "the line is longer"}, {"\n", "more than"}} {
		m := recorded(t.Context(), "t", func() (io.ReadCloser, error) { return endless{c.text}, nil })
		_, err := m.Next(t.Context(), nil)
		require.ErrorContains(t, err, c.want)
	}
	// One that never says anything.
	r, w := io.Pipe()
	defer w.Close()
	m := recorded(t.Context(), "t", func() (io.ReadCloser, error) { return r, nil })
	m.wait = time.Millisecond
	_, err := m.Next(t.Context(), nil)
	require.ErrorContains(t, err, "no line came")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m.wait = time.Hour
	_, err = m.Next(ctx, nil)
	require.ErrorIs(t, err, context.Canceled)
}

func TestCallsThatMakeNoSense(t *testing.T) {
	_, out, ok := play(t, `{"tool":"Bash","input":[1],"expect":"refused"}
{"tool":"Nothing","input":{},"expect":"refused"}
{"tool":"Read","input":{"file_path":"a\u0000b"},"expect":"refused"}
{"tool":"mcp__none__x","input":{},"expect":"refused"}
{"tool":"Agent","input":{"subagent_type":"root"},"answer":"y"}
{"tool":"Edit","input":{"file_path":"$WORK/calc.go","old_string":"","new_string":"x"},"answer":"y"}`, nil)
	require.True(t, ok, out)
	require.Contains(t, out, "there is no sub-agent")
	require.Contains(t, out, "the old text is empty")
}

// TestFlags runs the program as it is called.
func TestFlags(t *testing.T) {
	var errs bytes.Buffer
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer out.Close()
	file := filepath.Join(t.TempDir(), "t.jsonl")
	require.NoError(t, os.WriteFile(file, []byte("{"), 0o600))
	require.Equal(t, 1, run(t.Context(), func() {}, helper, []string{"-transcript", file}, nil, out, &errs))
	require.Contains(t, errs.String(), "t.jsonl:1: ")
	require.Equal(t, 1, run(t.Context(), func() {}, helper, []string{"-transcript", file + "x"}, nil, out, &errs))
	require.Equal(t, 1, run(t.Context(), func() {}, helper, []string{"stray"}, nil, out, &errs))
}
