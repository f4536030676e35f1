package main

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/toolset"
	"github.com/clearance-go/clearance/scope/sandbox"
)

// needBox skips where the machine has no sandbox.
func needBox(t *testing.T) {
	t.Helper()
	box, why := machine()
	if box == nil && os.Getenv("CI") == "true" && runtime.GOOS == "linux" {
		t.Fatal(why)
	}
	if box == nil {
		t.Skip("there is no sandbox here: " + why)
	}
}

// TestConfinement: a program that nobody can look into writes outside the
// project when a person lets it run; in the sandbox it cannot.
func TestConfinement(t *testing.T) {
	needBox(t)
	const script = `{"tool":"Write","input":{"file_path":"$WORK/x.sh","content":"echo x > $OUT/escaped; echo y > docs/inside.txt; cat .env\n"},"answer":"y","expect":"ran"}` + "\n"
	const call = `{"tool":"Bash","input":{"command":"sh x.sh"},"answer":"y"}`
	for _, confined := range []bool{true, false} {
		scratch, out, _, err := try(t, recordedText(t.Context(), "t", script+call), nil, func(o *options) {
			if !confined {
				o.box, o.noBox = nil, "none for this test"
			}
		})
		require.NoError(t, err)
		require.FileExists(t, filepath.Join(scratch, "work", "calc", "docs", "inside.txt"), out)
		if confined {
			require.NoFileExists(t, filepath.Join(scratch, "outside", "escaped"), out)
			require.NotContains(t, out, "do-not-read-me")
		} else {
			require.FileExists(t, filepath.Join(scratch, "outside", "escaped"), "the guard is off")
			require.Contains(t, out, "do-not-read-me")
			require.Contains(t, out, "No sandbox was used: none for this test.")
		}
	}
}

// TestConfinementIsObeyed: what is to run in a sandbox does not run without
// one; what a person lets out of it runs outside; a file that a person lets a
// command read is there for it.
func TestConfinementIsObeyed(t *testing.T) {
	needBox(t)
	const call = `{"tool":"Bash","input":{"command":"touch a.txt"},"answer":"y"}`
	m := recordedText(t.Context(), "t", call)
	scratch, out, _, err := try(t, m, nil, func(o *options) {
		o.model = func(h *host, _ *permission.Session) (model, error) {
			h.box, h.noBox = nil, "it went away"
			return m, nil
		}
	})
	require.NoError(t, err)
	require.Contains(t, out, "it may run only inside a sandbox, and there is none: it went away")
	require.NoFileExists(t, filepath.Join(scratch, "work", "calc", "a.txt"))

	scratch, out, ok := play(t, `{"tool":"Bash","input":{"command":"touch $OUT/free","dangerouslyDisableSandbox":true},"answer":"y","expect":"ran"}
{"tool":"Bash","input":{"command":"head -1 .env"},"answer":"y","expect":"ran"}`, nil)
	require.True(t, ok, out)
	require.FileExists(t, filepath.Join(scratch, "outside", "free"))
	require.Regexp(t, `(?m)^1 +ran +asked +unconfined`, out)
	require.Contains(t, out, "API_KEY=")
}

// TestRealShellInTheSandbox: what the interpreter does not run as bash does,
// bash runs, held by the sandbox; without one it does not run.
func TestRealShellInTheSandbox(t *testing.T) {
	needBox(t)
	const call = `{"tool":"Bash","input":{"command":"shopt -s extglob; echo $((6*7)) shell"},"answer":"y"}`
	_, out, _ := play(t, call, nil)
	require.Contains(t, out, "     42 shell\n")
	_, out, _, err := try(t, recordedText(t.Context(), "t", call), nil, func(o *options) { o.box, o.noBox = nil, "none" })
	require.NoError(t, err)
	require.NotContains(t, out, "     42 shell\n")
	require.Contains(t, out, "not run: ")
}

// TestEntries: a wildcard never lets more be written than the settings say, and
// never less be hidden.
func TestEntries(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	dir, file := filepath.Join(root, "d"), filepath.Join(root, "f")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.Equal(t, []sandbox.Entry{
		{Path: dir, Access: sandbox.Write, Dir: true}, {Path: file, Access: sandbox.Read},
		{Path: root, Access: sandbox.Read, Dir: true}, {Path: dir, Access: sandbox.Hidden, Dir: true},
	}, entries(permission.SandboxFilesystem{
		AllowWrite: []string{dir, dir + "/*.txt", root + "/missing"}, AllowRead: []string{file},
		DenyWrite: []string{root + "/f*"}, DenyRead: []string{dir + "/**/.env"},
	}))
}

// TestLedgerOutlivesTheRun: what one session wrote after it had read untrusted
// text asks in the next one, which has read none, when it is run.
func TestLedgerOutlivesTheRun(t *testing.T) {
	const wrote = `{"host":"server","name":"notes","answer":"y","expect":"ran"}
{"tool":"mcp__notes__count_words","input":{"text":"x"},"answer":"y","expect":"ran"}
{"tool":"Write","input":{"file_path":"$WORK/new.sh","content":"echo new\n"},"answer":"y","expect":"ran"}`
	for name, text := range map[string]string{"untrusted": wrote, "trusted": wrote[len(wrote)-len(`{"tool":"Write","input":{"file_path":"$WORK/new.sh","content":"echo new\n"},"answer":"y","expect":"ran"}`):]} {
		scratch, out, ok := play(t, text, nil)
		require.True(t, ok, out)
		ledger, err := toolset.OpenLedger(filepath.Join(scratch, "conf", "ledger"))
		require.NoError(t, err)
		list, err := os.ReadFile(filepath.Join(ledger.Files()[0], "written.jsonl"))
		if name == "trusted" {
			require.ErrorIs(t, err, os.ErrNotExist)
			continue
		}
		require.NoError(t, err)
		require.Contains(t, string(list), "new.sh")
	}
}

// TestRecordedRunElsewhere: the demonstration ends the same on a machine with a
// weaker sandbox and on one with none.
func TestRecordedRunElsewhere(t *testing.T) {
	boxes := map[string]*sandbox.Box{"none": nil}
	if box, err := sandbox.New(helper, sandbox.Options{Level: sandbox.Landlock}); err == nil {
		boxes["landlock"] = box
	} else {
		t.Log("without Landlock: ", err)
	}
	for name, box := range boxes {
		t.Run(name, func(t *testing.T) {
			scratch, out, ok, err := try(t, recordedText(t.Context(), "transcript.jsonl", demonstration), nil, func(o *options) { o.box, o.noBox = box, "none for this test" })
			require.NoError(t, err)
			require.True(t, ok, out)
			for _, mark := range attacked {
				require.NoFileExists(t, filepath.Join(scratch, "outside", mark))
			}
			if box != nil {
				require.Regexp(t, `(?m)^10 +ran +landlock +Bash go test`, out)
			} else {
				require.Regexp(t, `(?m)^10 +ran +unconfined +Bash go test`, out)
			}
		})
	}
}
