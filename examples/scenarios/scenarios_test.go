// Package scenarios replays published incidents and ordinary working sessions
// against the wired layer. A scenario is a txtar file with a sentence on top.
//
// An incident first runs unguarded.sh in a fresh scratch world, after which
// harmed.sh must succeed: the attack works. In a second world its calls are
// decided, what is allowed is run, and harmed.sh must fail. Where it has
// servers, those definitions and tools are checked in their order: a trusted
// server starts, and a trusted tool's description reaches the model. What the
// model is told is the file $OUT/model, without the value of the file "secret";
// model.sh, if there is one, is a model that does what it is told, in both
// worlds.
//
// A session lists calls with the verdict that a person would expect, and for
// every prompt and refusal the code of the one reason that it is there for.
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
	"github.com/clearance-go/clearance/credstore"
	"github.com/clearance-go/clearance/mcptrust"
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
	return out
}

// server is a definition that a client finds, or a list of tools that a server
// sends.
type server struct {
	// Config and Tools name a file of the scenario: a whole .mcp.json, or the
	// result of tools/list.
	Config string `json:"config"`
	Tools  string `json:"tools"`
	// Want is the status of the definition, or of each tool.
	Want map[string]string `json:"want"`
	// Approve says that a person approves the definition, or of the tools those
	// that nothing is found in.
	Approve bool `json:"approve"`
}

// connect checks definitions and tools as a client does, and starts what is
// trusted.
func (s *scene) connect(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	trust, err := mcptrust.Open(mcptrust.Options{Dir: s.home + "/.config/trust", Home: s.home})
	require.NoError(t, err)
	fill := strings.NewReplacer("$WORK", s.project, "$OUT", s.out)
	var now mcptrust.Server
	for sc := bufio.NewScanner(strings.NewReader(s.files["servers"])); sc.Scan(); {
		var one server
		require.NoError(t, json.Unmarshal(sc.Bytes(), &one), sc.Text())
		require.NotEmpty(t, one.Want, sc.Text())
		got := map[string]string{}
		if one.Tools != "" {
			var list struct{ Tools []mcptrust.Tool }
			require.NoError(t, json.Unmarshal([]byte(fill.Replace(s.files[one.Tools])), &list))
			check := func() []mcptrust.ItemCheck {
				checks, err := trust.CheckTools(ctx, s.project, now, list.Tools)
				require.NoError(t, err)
				return checks
			}
			for _, c := range check() {
				got[c.Name] = c.Status.String()
				if one.Approve && c.Token != "" && !c.Flagged() {
					require.NoError(t, trust.Approve(ctx, c.Token))
				}
			}
			require.Equal(t, one.Want, got, one.Tools)
			for i, c := range check() {
				if c.Status == mcptrust.Trusted {
					s.tell(t, []byte(list.Tools[i].Description+"\n"))
				}
			}
			continue
		}
		file := s.project + "/.mcp.json"
		require.NoError(t, os.WriteFile(file, []byte(fill.Replace(s.files[one.Config])), 0o600))
		defined, err := mcptrust.ReadFile(mcptrust.ParseOptions{Source: mcptrust.Source{Scope: mcptrust.ScopeProject, File: file}})
		require.NoError(t, err)
		for _, d := range defined {
			c, err := trust.Check(ctx, s.project, d)
			require.NoError(t, err)
			got[d.Name] = c.Status.String()
			if one.Approve {
				require.NoError(t, trust.Approve(ctx, c.Token.Confirm(c.Confirm)))
				c, err = trust.Check(ctx, s.project, d)
				require.NoError(t, err)
			}
			if c.Status == mcptrust.Trusted {
				now = c.Server
				cmd, err := c.Server.Start(ctx, mcptrust.Start{Project: s.project, Env: s.env})
				require.NoError(t, err)
				require.NoError(t, cmd.Run())
			}
		}
		require.Equal(t, one.Want, got, one.Config)
	}
}

// tell appends to what the model is told. A secret that the store knows is taken
// out.
func (s *scene) tell(t *testing.T, text []byte) {
	t.Helper()
	if value, ok := s.files["secret"]; ok {
		store, err := credstore.Open(t.Context(), s.home+"/.config/secrets", credstore.Options{StateDir: s.home + "/.state"})
		require.NoError(t, err)
		defer store.Close()
		require.NoError(t, store.Set(t.Context(), "test/secret", credstore.NewSecret([]byte(strings.TrimSpace(value))), credstore.Meta{}))
		text = store.Redactor().Bytes(text)
	}
	f, err := os.OpenFile(s.out+"/model", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.Write(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// obey lets the model do what it was told.
func (s *scene) obey(t *testing.T) {
	t.Helper()
	if _, ok := s.files["model.sh"]; ok {
		out, err := s.shell("model.sh")
		require.NoError(t, err, out)
	}
}

// decide wires the packages over the scene and decides each call. Commands
// that are allowed run, in the environment that the analysis rests on.
func (s *scene) decide(t *testing.T, reasons bool) {
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
		if reasons && d.Verdict != permission.Allow {
			require.NotEmpty(t, l.Code, "%s %s: a prompt of a session names its reason\n%s", l.Tool, l.Input, strings.Join(got, "\n"))
		}
		if l.Code != "" {
			require.Contains(t, strings.Join(got, "\n"), l.Code+": ", "%s %s", l.Tool, l.Input)
		}
		if d.Verdict == permission.Allow && l.Tool == "Bash" {
			var in struct{ Command string }
			require.NoError(t, json.Unmarshal(l.Input, &in))
			cmd := exec.Command("bash", "--noprofile", "--norc", "-c", in.Command)
			cmd.Dir, cmd.Env = s.project, safe
			out, _ := cmd.CombinedOutput() // how it ends is its own affair
			s.tell(t, out)
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
	each(t, "incidents", 40, func(t *testing.T, ar *txtar.Archive) {
		open := newScene(t, ar)
		out, _ := open.shell("unguarded.sh")
		open.obey(t)
		harm, err := open.shell("harmed.sh")
		require.NoError(t, err, "the attack does not work even without the layer: %s%s", out, harm)

		guarded := newScene(t, ar)
		require.NotEmpty(t, guarded.files["calls"]+guarded.files["servers"])
		guarded.decide(t, false)
		guarded.connect(t)
		guarded.obey(t)
		harm, err = guarded.shell("harmed.sh")
		require.Error(t, err, "harm was done: %s", harm)
	})
}

func TestSessions(t *testing.T) {
	each(t, "sessions", 25, func(t *testing.T, ar *txtar.Archive) {
		s := newScene(t, ar)
		require.NotEmpty(t, s.files["calls"])
		s.decide(t, true)
	})
}
