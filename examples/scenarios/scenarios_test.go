// Package scenarios replays published incidents and ordinary working sessions
// against the wired layer. A scenario is a txtar file with a sentence on top.
//
// An incident first runs unguarded.sh in a fresh scratch world, after which
// harmed.sh must succeed: the attack works. In a second world its calls are
// decided, what is allowed is run, and harmed.sh must fail.
//
// A session lists calls with the verdict that a person would expect, and for
// every prompt the one reason.
package scenarios

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/settings"
	"github.com/clearance-go/clearance/permission/toolset"
	"github.com/clearance-go/clearance/scope"
)

// scene is a scratch world: a home, a project, a folder outside of it, and
// programs of its own before the system's.
type scene struct {
	home, project, out, bin string
	env                     []string
	files                   map[string]string
}

func newScene(t *testing.T, ar *txtar.Archive) *scene {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	s := &scene{home: root + "/home", project: root + "/project", out: root + "/out", bin: root + "/bin", files: map[string]string{}}
	for _, d := range []string{s.home + "/.claude", s.project, s.out, s.bin} {
		require.NoError(t, os.MkdirAll(d, 0o755))
	}
	for _, f := range ar.Files {
		s.files[f.Name] = string(f.Data)
	}
	// Programs that would reach the network leave a mark instead.
	for _, name := range []string{"curl", "wget", "nslookup", "ping", "open"} {
		require.NoError(t, os.WriteFile(filepath.Join(s.bin, name), []byte("#!/bin/sh\necho \"$0 $*\" >> \""+s.out+"/network\"\ncat >> \""+s.out+"/network\" </dev/null\necho 'touch "+s.out+"/fetched'\n"), 0o755))
	}
	s.env = []string{"HOME=" + s.home, "WORK=" + s.project, "OUT=" + s.out, "PATH=" + s.bin + ":/usr/local/bin:/usr/bin:/bin",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.test", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.test", "LC_ALL=C"}
	if text, ok := s.files["user.json"]; ok {
		require.NoError(t, os.WriteFile(s.home+"/.claude/settings.json", []byte(text), 0o600))
	}
	if _, ok := s.files["setup.sh"]; ok {
		out, err := s.shell("setup.sh")
		require.NoError(t, err, "setup.sh: %s", out)
	}
	return s
}

func (s *scene) shell(file string) (string, error) {
	cmd := exec.Command("bash", "--noprofile", "--norc", "-c", s.files[file])
	cmd.Dir, cmd.Env = s.project, s.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// line is one call of a scenario.
type line struct {
	Tool  string          `json:"tool"`
	Input json.RawMessage `json:"input"`
	Mode  string          `json:"mode"`
	// Want is the verdict; Code is the code of the deciding reason.
	Want string `json:"want"`
	Code string `json:"code"`
}

func (s *scene) lines(t *testing.T) []line {
	t.Helper()
	var out []line
	quote := func(v string) string { b, _ := json.Marshal(v); return string(b[1 : len(b)-1]) }
	fill := strings.NewReplacer("$WORK", quote(s.project), "$OUT", quote(s.out))
	for sc := bufio.NewScanner(strings.NewReader(s.files["calls"])); sc.Scan(); {
		if strings.TrimSpace(sc.Text()) == "" {
			continue
		}
		var l line
		require.NoError(t, json.Unmarshal([]byte(fill.Replace(sc.Text())), &l), sc.Text())
		require.NotEmpty(t, l.Want, sc.Text())
		out = append(out, l)
	}
	require.NotEmpty(t, out)
	return out
}

// decide wires the packages over the scene and decides each call. Commands
// that are allowed run, in the environment that the analysis rests on.
func (s *scene) decide(t *testing.T, run bool) {
	t.Helper()
	ctx := context.Background()
	rules, err := settings.Load(ctx, settings.Sources{Home: s.home, Dir: s.project, Managed: s.home + "/none.json"})
	require.NoError(t, err)
	guard, err := scope.New(s.project, scope.Options{Home: s.home, Protect: rules.Files()})
	require.NoError(t, err)
	defer guard.Close()
	tools := toolset.New(guard, bashcheck.New(bashcheck.Options{Home: s.home}))
	eval, err := permission.New(permission.Config{Policy: rules.Policy(), Inspector: tools})
	require.NoError(t, err)
	safe := append(bashcheck.SafeEnv(bashcheck.EnvOptions{Home: s.home, Path: []string{s.bin, "/usr/local/bin", "/usr/bin", "/bin"}}),
		"GIT_CONFIG_NOSYSTEM=1")
	for _, l := range s.lines(t) {
		mode := rules.Policy().DefaultMode()
		if l.Mode != "" {
			mode, err = permission.ParseMode(l.Mode)
			require.NoError(t, err)
		}
		st := permission.State{Mode: mode, Dir: s.project}
		c := permission.Call{Tool: l.Tool, Input: l.Input, Dir: s.project}
		ins, _ := eval.Inspect(ctx, st, c)
		d := eval.Decide(st, c, ins)
		var got []string
		for _, r := range d.Reasons {
			if r.Verdict == d.Verdict {
				got = append(got, r.Code+": "+r.Text)
			}
		}
		require.Equal(t, l.Want, d.Verdict.String(), "%s %s\n%s", l.Tool, l.Input, strings.Join(got, "\n"))
		if l.Code != "" {
			require.Contains(t, strings.Join(got, "\n"), l.Code+": ", "%s %s", l.Tool, l.Input)
		}
		if run && d.Verdict == permission.Allow && l.Tool == "Bash" {
			var in struct{ Command string }
			require.NoError(t, json.Unmarshal(l.Input, &in))
			cmd := exec.Command("bash", "--noprofile", "--norc", "-c", in.Command)
			cmd.Dir, cmd.Env = s.project, safe
			_ = cmd.Run() // what it prints and how it ends is its own affair
		}
	}
}

func each(t *testing.T, dir string, least int, f func(t *testing.T, ar *txtar.Archive)) {
	for _, tool := range []string{"bash", "git"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not installed", tool)
			}
			t.Skipf("%s is not installed: the scenarios cannot be played", tool)
		}
	}
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), least)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			ar, err := txtar.ParseFile(file)
			require.NoError(t, err)
			require.NotEmpty(t, strings.TrimSpace(string(ar.Comment)), "no sentence on top")
			f(t, ar)
		})
	}
}

func TestIncidents(t *testing.T) {
	each(t, "incidents", 25, func(t *testing.T, ar *txtar.Archive) {
		open := newScene(t, ar)
		out, _ := open.shell("unguarded.sh")
		harm, err := open.shell("harmed.sh")
		require.NoError(t, err, "the attack does not work even without the layer: %s%s", out, harm)

		guarded := newScene(t, ar)
		guarded.decide(t, true)
		harm, err = guarded.shell("harmed.sh")
		require.Error(t, err, "harm was done: %s", harm)
	})
}

func TestSessions(t *testing.T) {
	each(t, "sessions", 10, func(t *testing.T, ar *txtar.Archive) {
		newScene(t, ar).decide(t, true)
	})
}
