package examples

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/bashcheck/checkedrun"
	"github.com/clearance-go/clearance/credstore"
	"github.com/clearance-go/clearance/mcptrust"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/settings"
	"github.com/clearance-go/clearance/permission/toolset"
	"github.com/clearance-go/clearance/scope"
	"github.com/clearance-go/clearance/scope/sandbox"
)

var helper sandbox.Helper

func TestMain(m *testing.M) {
	helper = sandbox.Enter()
	os.Exit(m.Run())
}

// runner is a host with everything that a command needs.
type runner struct {
	dir, scratch string
	analyzer     *bashcheck.Analyzer
	guard        *scope.Guard
	session      *permission.Session
}

func newRunner(t *testing.T, user string, enforces bool, person permission.Approver) *runner {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no POSIX system here: the commands of this test cannot run")
	}
	scratch, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	home, dir := scratch+"/home", scratch+"/project"
	require.NoError(t, os.MkdirAll(home+"/.claude", 0o700))
	require.NoError(t, os.MkdirAll(dir, 0o700))
	require.NoError(t, os.WriteFile(home+"/.claude/settings.json", []byte(user), 0o600))
	trust, err := mcptrust.Open(mcptrust.Options{Dir: scratch + "/trust"})
	require.NoError(t, err)
	rules, err := settings.Load(t.Context(), settings.Sources{Home: home, Dir: dir, Trust: trust})
	require.NoError(t, err)
	guard, err := scope.New(dir, scope.Options{Home: home})
	require.NoError(t, err)
	t.Cleanup(func() { _ = guard.Close() })
	analyzer := bashcheck.New(bashcheck.Options{Home: home})
	eval, err := permission.New(permission.Config{Policy: rules.Policy(), Inspector: toolset.New(guard, analyzer)})
	require.NoError(t, err)
	gate := permission.NewGate(eval, permission.GateOptions{Approver: person, Enforces: enforces})
	return &runner{dir, scratch, analyzer, guard, gate.Session(permission.SessionOptions{Dir: dir})}
}

func (r *runner) authorize(t *testing.T, command string) (*permission.Grant, error) {
	t.Helper()
	input, err := json.Marshal(map[string]string{"command": command})
	require.NoError(t, err)
	return r.session.Authorize(t.Context(), permission.Call{Tool: "Bash", Input: input, Dir: r.dir})
}

// options are what a grant gives to the run.
func (r *runner) options(grant *permission.Grant, out *bytes.Buffer) checkedrun.Options {
	return checkedrun.Options{
		Analyzer: r.analyzer, Digest: grant.ReportDigest(), Dir: r.dir, Env: bashcheck.SafeEnv(bashcheck.EnvOptions{}), Stdout: out, Stderr: out,
		Unconfined: !grant.Confined(), Recheck: toolset.Recheck(r.guard, grant),
	}
}

// TestRunWhatWasGranted is the way of a command from the call to its output.
func TestRunWhatWasGranted(t *testing.T) {
	r := newRunner(t, `{}`, false, nil)
	require.NoError(t, os.WriteFile(r.dir+"/a.txt", []byte("one\ntwo\n"), 0o600))
	const command = "head -1 a.txt && ls *.txt | wc -l"
	grant, err := r.authorize(t, command)
	require.NoError(t, err)
	var out bytes.Buffer
	status, err := checkedrun.Run(t.Context(), r.analyzer.Analyze(command), r.options(grant, &out))
	require.NoError(t, err)
	require.Zero(t, status)
	require.Equal(t, "one\n1\n", out.String())

	// Another text under the same grant does not run.
	var digest *checkedrun.DigestError
	_, err = checkedrun.Run(t.Context(), r.analyzer.Analyze("touch pwned"), r.options(grant, &out))
	require.ErrorAs(t, err, &digest)
	_, err = checkedrun.Run(t.Context(), r.analyzer.Analyze(command), r.options(nil, &out))
	require.ErrorAs(t, err, &digest)
	require.NoFileExists(t, r.dir+"/pwned")
}

// TestSwappedAfterApproval: a link, a directory or the target of a redirection
// leads elsewhere when the command starts than when it was approved.
func TestSwappedAfterApproval(t *testing.T) {
	for _, c := range []struct{ name, command, swap string }{
		{"file", "cat notes.txt", "notes.txt"},
		{"directory", "cat docs/secret.txt", "docs"},
		{"behind cd", "cd docs && cat secret.txt", "docs"},
		{"pattern", "cat note*", "notes.txt"},
		{"in a pipeline", "cat notes.txt | head -1", "notes.txt"},
		{"redirection in", "cat < notes.txt", "notes.txt"},
		{"builtin and program", "[ -f notes.txt ] && cat notes.txt", "notes.txt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRunner(t, `{}`, false, once{})
			outside := r.scratch + "/outside"
			require.NoError(t, os.MkdirAll(outside, 0o700))
			require.NoError(t, os.MkdirAll(r.dir+"/docs", 0o700))
			for _, f := range []string{r.dir + "/notes.txt", r.dir + "/docs/secret.txt"} {
				require.NoError(t, os.WriteFile(f, []byte("ordinary\n"), 0o600))
			}
			require.NoError(t, os.WriteFile(outside+"/secret.txt", []byte("stolen\n"), 0o600))
			rep := r.analyzer.Analyze(c.command)
			grant, err := r.authorize(t, c.command)
			require.NoError(t, err)
			var out bytes.Buffer
			_, err = checkedrun.Run(t.Context(), rep, r.options(grant, &out))
			require.NoError(t, err, "nothing was swapped")
			require.Equal(t, "ordinary\n", out.String())

			target := outside
			if strings.HasSuffix(c.swap, ".txt") {
				target += "/secret.txt"
			}
			require.NoError(t, os.RemoveAll(filepath.Join(r.dir, c.swap)))
			require.NoError(t, os.Symlink(target, filepath.Join(r.dir, c.swap)))
			out.Reset()
			blind := r.options(grant, &out)
			blind.Recheck = func(bashcheck.Kind, string) error { return nil }
			_, err = checkedrun.Run(t.Context(), rep, blind)
			require.NoError(t, err)
			require.Equal(t, "stolen\n", out.String(), "the attack does not work even without the check")

			out.Reset()
			_, err = checkedrun.Run(t.Context(), rep, r.options(grant, &out))
			var changed *checkedrun.ChangedError
			require.ErrorAs(t, err, &changed)
			var moved *toolset.MovedError
			require.ErrorAs(t, err, &moved)
			require.NotContains(t, out.String(), "stolen")
		})
	}
}

// TestConfinementIsObeyed: what the settings say of the sandbox decides where a
// command runs, and it does not run where that is missing.
func TestConfinementIsObeyed(t *testing.T) {
	const user = `{"sandbox":{"enabled":true,"excludedCommands":["rmdir *"]}}`
	const command = "touch mark"
	// autoAllowBashIfSandboxed: nobody is asked, because it runs confined.
	r := newRunner(t, user, true, nil)
	grant, err := r.authorize(t, command)
	require.NoError(t, err)
	require.True(t, grant.Confined())
	var out bytes.Buffer
	var missing *checkedrun.ConfinementError
	_, err = checkedrun.Run(t.Context(), r.analyzer.Analyze(command), r.options(grant, &out))
	require.ErrorAs(t, err, &missing)
	undeclared := r.options(grant, &out)
	undeclared.Sandbox.Start = (*exec.Cmd).Start
	_, err = checkedrun.Run(t.Context(), r.analyzer.Analyze(command), undeclared)
	require.ErrorAs(t, err, &missing)
	more := r.options(grant, &out)
	more.Sandbox = checkedrun.Sandbox{Start: (*exec.Cmd).Start, Level: checkedrun.Files}
	more.Need = checkedrun.Isolated
	_, err = checkedrun.Run(t.Context(), r.analyzer.Analyze(command), more)
	require.ErrorAs(t, err, &missing)
	require.NoFileExists(t, r.dir+"/mark")

	// A host that does not enforce it gets no such allow.
	r = newRunner(t, user, false, nil)
	_, err = r.authorize(t, command)
	var refused *permission.RefusedError
	require.ErrorAs(t, err, &refused)

	// An excluded part takes the whole command outside, and so it is asked for.
	const mixed = "touch mark; rmdir empty"
	r = newRunner(t, user, true, nil)
	_, err = r.authorize(t, mixed)
	require.ErrorAs(t, err, &refused)
	r = newRunner(t, user, true, once{})
	require.NoError(t, os.Mkdir(r.dir+"/empty", 0o700))
	grant, err = r.authorize(t, mixed)
	require.NoError(t, err)
	require.False(t, grant.Confined())
	_, err = checkedrun.Run(t.Context(), r.analyzer.Analyze(mixed), r.options(grant, &out))
	require.NoError(t, err)
	require.FileExists(t, r.dir+"/mark")
	require.NoDirExists(t, r.dir+"/empty")
}

// TestRunInTheSandbox runs a granted command under a real sandbox, by the
// interpreter where it can and by a real bash where it cannot.
func TestRunInTheSandbox(t *testing.T) {
	box, err := sandbox.New(helper, sandbox.Options{})
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("this machine has no sandbox: %v", err)
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	r := newRunner(t, `{"sandbox":{"enabled":true}}`, true, nil)
	profile, err := sandbox.FromGuard(r.guard, sandbox.ProfileOptions{Lean: true})
	require.NoError(t, err)
	confined, err := box.Runner(t.Context(), profile)
	require.NoError(t, err)
	defer func() { require.NoError(t, confined.Close()) }()
	var level checkedrun.Level
	switch confined.Report().Level {
	case sandbox.Landlock, sandbox.Seatbelt:
		level = checkedrun.Files
	case sandbox.Bubblewrap, sandbox.Namespaces:
		level = checkedrun.Isolated
	}
	play := func(command string) (string, error) {
		grant, err := r.authorize(t, command)
		require.NoError(t, err, command)
		require.True(t, grant.Confined())
		var out bytes.Buffer
		o := r.options(grant, &out)
		o.Sandbox = checkedrun.Sandbox{Start: confined.Start, Level: level}
		rep := r.analyzer.Analyze(command)
		_, err = checkedrun.Run(t.Context(), rep, o)
		if errors.Is(err, checkedrun.ErrUnsupported) {
			_, err = checkedrun.Shell(t.Context(), rep, bash, o)
		}
		return out.String(), err
	}
	require.NoError(t, os.Mkdir(r.dir+"/sub", 0o700))
	out, err := play("cd sub && printf 'a\\nb\\n' | sort -r | tee made.txt")
	require.NoError(t, err)
	require.Equal(t, "b\na\n", out)
	require.FileExists(t, r.dir+"/sub/made.txt")
	out, err = play("f() { echo \"by bash $1\"; }; f 1; cd sub && touch two")
	require.NoError(t, err)
	require.Equal(t, "by bash 1\n", out)
	require.FileExists(t, r.dir+"/sub/two")
	// What the program does by itself is held too, in both.
	outside := r.scratch + "/outside"
	require.NoError(t, os.Mkdir(outside, 0o755))
	for _, command := range []string{
		"sh -c 'd=../../out; touch ${d}side/pwned' || echo held",
		"f() { sh -c 'd=../../out; touch ${d}side/pwned'; }; f || echo held",
	} {
		out, err = play("cd sub; " + command)
		require.NoError(t, err)
		require.Contains(t, out, "held")
		require.NoFileExists(t, outside+"/pwned")
	}
	// Without a sandbox there is no bash.
	grant, err := r.authorize(t, "f() { touch x; }; f")
	require.NoError(t, err)
	o := r.options(grant, &bytes.Buffer{})
	o.Unconfined = true
	var missing *checkedrun.ConfinementError
	_, err = checkedrun.Shell(t.Context(), r.analyzer.Analyze("f() { touch x; }; f"), bash, o)
	require.ErrorAs(t, err, &missing)
}

// TestRunIsRedacted: a secret does not get out, however it is split.
func TestRunIsRedacted(t *testing.T) {
	r := newRunner(t, `{}`, false, once{})
	const secret = "tok-4f9a81c6d2e07b35"
	store, err := credstore.Open(t.Context(), r.scratch+"/secrets", credstore.Options{StateDir: r.scratch + "/state"})
	require.NoError(t, err)
	defer store.Close()
	require.NoError(t, store.Set(t.Context(), "test/token", credstore.NewSecret([]byte(secret)), credstore.Meta{}))
	for _, command := range []string{
		"printf tok-4f9a81; printf 'c6d2e07b35 end\\n'",
		"printf tok-4f9; sh -c 'printf a81c6d2'; printf 'e07b35 end\\n'",
		"printf tok-4f9a81; printf 'c6d2e07b35' >&2; echo ' end'",
		"head -c 65530 /dev/zero | tr '\\0' x; printf tok-4f9a81; printf 'c6d2e07b35 end\\n'",
		"printf tok-4f9a81c6d2e07b35; echo ' end'; false",
	} {
		grant, err := r.authorize(t, command)
		require.NoError(t, err)
		run := func(redact bool) string {
			var out bytes.Buffer
			o := r.options(grant, &out)
			if redact {
				o.Redact = store.Redactor().Writer
			}
			_, err := checkedrun.Run(context.Background(), r.analyzer.Analyze(command), o)
			require.NoError(t, err, command)
			return out.String()
		}
		require.Contains(t, run(false), secret, "nothing leaks even without the redactor")
		out := run(true)
		require.NotContains(t, out, secret, command)
		require.Contains(t, out, "[redacted]", command)
		require.Contains(t, out, " end\n", command)
	}
}
