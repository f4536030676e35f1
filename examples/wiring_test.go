package examples

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/credstore"
	"github.com/clearance-go/clearance/mcptrust"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/settings"
	"github.com/clearance-go/clearance/permission/toolset"
	"github.com/clearance-go/clearance/scope"
)

// write is the wiring that the README shows: it asks the person and then
// writes what was approved.
func write(ctx context.Context, conf, home, dir string, person permission.Approver, call permission.Call, path string, data []byte) error {
	secrets, err1 := credstore.Open(ctx, conf+"/secrets", credstore.Options{StateDir: conf + "/state"})
	trust, err2 := mcptrust.Open(mcptrust.Options{Dir: conf + "/trust"})
	rules, err3 := settings.Load(ctx, settings.Sources{Home: home, Dir: dir, Trust: trust})
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	own := append(append(rules.Files(), trust.Paths()...), secrets.Files()...)
	guard, err := scope.New(dir, scope.Options{Home: home, Additional: rules.Directories(), Protect: own})
	if err != nil {
		return err
	}
	tools := toolset.New(guard, bashcheck.New(bashcheck.Options{Home: home}))
	eval, err := permission.New(permission.Config{Policy: rules.Policy(), Inspector: tools})
	if err != nil {
		return err
	}
	gate := permission.NewGate(eval, permission.GateOptions{Approver: person, Remember: rules, Redact: secrets.Redactor().Bytes})
	session := gate.Session(permission.SessionOptions{Dir: dir})

	grant, err := session.Authorize(ctx, call) // err: tell the model err.Error()
	if err != nil {
		return err
	}
	return toolset.Files(guard, grant).WriteFile(path, data)
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

	path := dir + "/hello.txt"
	input, _ := json.Marshal(map[string]string{"file_path": path, "content": "hello"})
	call := permission.Call{Tool: "Write", Input: input, Dir: dir}
	fmt.Println(write(context.Background(), scratch+"/conf", home, dir, once{}, call, path, []byte("hello")))

	// Nobody to ask: refused, and nothing is written.
	err = write(context.Background(), scratch+"/conf", home, dir, nil, call, path, []byte("bye"))
	var refused *permission.RefusedError
	fmt.Println(errors.As(err, &refused), refused.Decision.Verdict)
	data, _ := os.ReadFile(path)
	fmt.Println(string(data))
	// Output:
	// <nil>
	// true ask
	// hello
}

// TestReadmeShowsTheWiring holds the README to the lines that compile above.
func TestReadmeShowsTheWiring(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, block, ok := strings.Cut(string(readme), "```go\n")
	require.True(t, ok)
	block, _, ok = strings.Cut(block, "```")
	require.True(t, ok)
	source, err := os.ReadFile("wiring_test.go")
	require.NoError(t, err)
	squash := func(s string) string { return regexp.MustCompile(`\s+`).ReplaceAllString(s, " ") }
	want := strings.Replace(squash(string(source)), "credstore.Options{StateDir: conf + \"/state\"}", "credstore.Options{}", 1)
	require.Contains(t, want, strings.TrimSpace(squash(block)))
}
