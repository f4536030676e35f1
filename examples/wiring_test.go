package examples

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
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

// host is what the snippets of the README build.
type host struct {
	secrets  *credstore.Store
	guard    *scope.Guard
	analyzer *bashcheck.Analyzer
	session  *permission.Session
}

// wire is the first snippet of the README.
func wire(ctx context.Context, conf, home, dir string, person permission.Approver) (*host, error) {
	secrets, err1 := credstore.Open(ctx, conf+"/secrets", credstore.Options{StateDir: conf + "/state"})
	trust, err2 := mcptrust.Open(mcptrust.Options{Dir: conf + "/trust"})
	rules, err3 := settings.Load(ctx, settings.Sources{Home: home, Dir: dir, Trust: trust})
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err // err3 names each file and line that is not in force as written
	}
	own := slices.Concat(rules.Files(), trust.Paths(), secrets.Files())
	guard, err := scope.New(dir, scope.Options{Home: home, Additional: rules.Directories(), Protect: own})
	if err != nil {
		return nil, err
	}
	analyzer := bashcheck.New(bashcheck.Options{Home: home})
	eval, err := permission.New(permission.Config{Policy: rules.Policy(), Inspector: toolset.New(guard, analyzer)})
	if err != nil {
		return nil, err
	}
	gate := permission.NewGate(eval, permission.GateOptions{Approver: person, Remember: rules, Redact: secrets.Redactor().Bytes})
	session := gate.Session(permission.SessionOptions{Dir: dir})
	return &host{secrets, guard, analyzer, session}, nil
}

// write asks the person and then writes what was approved.
func (h *host) write(ctx context.Context, call permission.Call, path string, data []byte) error {
	session, guard := h.session, h.guard
	grant, err := session.Authorize(ctx, call)
	if err != nil {
		return err // tell the model err.Error()
	}
	return toolset.Files(guard, grant).WriteFile(path, data)
}

// run runs a granted command. box is nil where there is no sandbox: what the
// decision confines is then refused.
func (h *host) run(ctx context.Context, box *sandbox.Box, grant *permission.Grant, home, dir, command string, out io.Writer) (int, error) {
	analyzer, guard, secrets := h.analyzer, h.guard, h.secrets
	o := checkedrun.Options{
		Analyzer: analyzer, Digest: grant.ReportDigest(), Dir: dir,
		Env:    bashcheck.SafeEnv(bashcheck.EnvOptions{Home: home, Roots: guard.Roots()}),
		Stdout: out, Stderr: out, Redact: secrets.Redactor().Writer,
		Unconfined: !grant.Confined(), // without a Sandbox, what is confined is then an error
		Recheck:    toolset.Recheck(guard, grant), Open: toolset.Open(guard, grant),
	}
	if box != nil {
		profile, err := sandbox.FromGuard(guard, sandbox.ProfileOptions{
			Network: sandbox.Network{Reach: sandbox.Hosts, Hosts: []string{"example.com", "*.golang.org"}}, // zero: none
		})
		if err != nil {
			return -1, err
		}
		runner, err := box.Runner(ctx, profile)
		if err != nil {
			return -1, err
		}
		defer runner.Close()
		o.Sandbox = checkedrun.Sandbox{Start: runner.Start, Level: checkedrun.Files}
		if runner.Report().Level >= sandbox.Bubblewrap {
			o.Sandbox.Level = checkedrun.Isolated
		}
	}
	return checkedrun.Run(ctx, analyzer.Analyze(command), o)
}

// secret gives an API key to a program and shows its output without it.
func secret(ctx context.Context, secrets *credstore.Store, key []byte) (string, error) {
	err := secrets.Set(ctx, "github/token", credstore.NewSecret(key), credstore.Meta{Hosts: []string{"api.github.com"}})
	if err != nil {
		return "", err
	}
	cmd, release, err := secrets.Command(ctx, credstore.CommandOptions{Env: map[string]string{"GH_TOKEN": "github/token"}}, "env")
	if err != nil {
		return "", err
	}
	defer release()
	out, err := cmd.CombinedOutput()
	return secrets.Redactor().String(string(out)), err
}

// once says yes to every request, once.
type once struct{}

func (once) Approve(_ context.Context, r permission.Request) (permission.Answer, error) {
	return permission.Answer{Token: r.Token, Choice: permission.Once}, nil
}

func Example() {
	scratch, err := os.MkdirTemp("", "clearance-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(scratch)
	scratch, _ = filepath.EvalSymlinks(scratch)
	home, dir := scratch+"/home", scratch+"/project"
	_ = os.MkdirAll(home, 0o700)
	_ = os.MkdirAll(dir, 0o700)

	ctx := context.Background()
	h, err := wire(ctx, scratch+"/conf", home, dir, once{})
	if err != nil {
		fmt.Println(err)
		return
	}
	path := dir + "/hello.txt"
	input, _ := json.Marshal(map[string]string{"file_path": path, "content": "hello"})
	call := permission.Call{Tool: "Write", Input: input, Dir: dir}
	fmt.Println(h.write(ctx, call, path, []byte("hello")))

	// Nobody to ask: refused, and nothing is written.
	alone, err := wire(ctx, scratch+"/other", home, dir, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = alone.write(ctx, call, path, []byte("bye"))
	var refused *permission.RefusedError
	fmt.Println(errors.As(err, &refused), refused.Decision.Verdict)
	data, _ := os.ReadFile(path)
	fmt.Println(string(data))
	// Output:
	// <nil>
	// true ask
	// hello
}

// TestReadmeRuns is the README's way of a command and of a secret.
func TestReadmeRuns(t *testing.T) {
	for _, program := range []string{"sh", "cat", "env"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("there is no " + program + " here: the commands of this test cannot run")
		}
	}
	scratch, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	home, dir := scratch+"/home", scratch+"/project"
	require.NoError(t, os.Mkdir(home, 0o700))
	require.NoError(t, os.Mkdir(dir, 0o700))
	h, err := wire(t.Context(), scratch+"/conf", home, dir, once{})
	require.NoError(t, err)
	const key = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"
	text, err := secret(t.Context(), h.secrets, []byte(key))
	require.NoError(t, err)
	require.Contains(t, text, "GH_TOKEN=[redacted]")
	require.NotContains(t, text, key)

	command := "echo " + key + " >> notes.txt; cat notes.txt"
	input, err := json.Marshal(map[string]string{"command": command})
	require.NoError(t, err)
	grant, err := h.session.Authorize(t.Context(), permission.Call{Tool: "Bash", Input: input, Dir: dir})
	require.NoError(t, err)
	boxes := []*sandbox.Box{nil}
	if box, err := sandbox.New(helper, sandbox.Options{}); err == nil {
		boxes = append(boxes, box)
	}
	for i, box := range boxes {
		var out bytes.Buffer
		status, err := h.run(t.Context(), box, grant, home, dir, command, &out)
		require.NoError(t, err)
		require.Zero(t, status)
		require.Equal(t, strings.Repeat("[redacted]\n", i+1), out.String())
	}
	var confined *checkedrun.DigestError
	status, err := h.run(t.Context(), nil, nil, home, dir, command, io.Discard)
	require.ErrorAs(t, err, &confined)
	require.Equal(t, -1, status)
}

// TestReadmeSnippets holds every snippet of Go in the documents to lines that
// compile above, and every relative link to a file that is there.
func TestReadmeSnippets(t *testing.T) {
	source, err := os.ReadFile("wiring_test.go")
	require.NoError(t, err)
	squash := func(s string) string {
		s = regexp.MustCompile(`\s+`).ReplaceAllString(s, " ")
		// The README says return err where the test returns a value besides.
		return regexp.MustCompile(`return (nil|-1|""), err`).ReplaceAllString(s, "return err")
	}
	have := strings.ReplaceAll(squash(string(source)), `credstore.Options{StateDir: conf + "/state"}`, "credstore.Options{}")
	snippets, links := 0, 0
	err = filepath.WalkDir("..", func(name string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".md") {
			return err
		}
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		for i, part := range strings.Split(string(b), "```") {
			if code, ok := strings.CutPrefix(part, "go\n"); ok && i%2 == 1 {
				snippets++
				for _, piece := range strings.Split(code, "\n\n") {
					require.Contains(t, have, strings.TrimSpace(squash(piece)), name)
				}
			}
		}
		for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(string(b), -1) {
			if target, _, _ := strings.Cut(m[1], "#"); target != "" && !strings.Contains(target, "://") {
				links++
				require.FileExists(t, existing(filepath.Join(filepath.Dir(name), target)), "%s links %s", name, m[1])
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.GreaterOrEqual(t, snippets, 3)
	require.GreaterOrEqual(t, links, 20)
}

// existing names a file in a directory that is there.
func existing(name string) string {
	if list, err := os.ReadDir(name); err == nil && len(list) > 0 {
		for _, d := range list {
			if !d.IsDir() {
				return filepath.Join(name, d.Name())
			}
		}
		return existing(filepath.Join(name, list[0].Name()))
	}
	return name
}
