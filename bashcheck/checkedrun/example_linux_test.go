package checkedrun_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/bashcheck/checkedrun"
	"github.com/clearance-go/clearance/scope"
)

// A host without rules and without anybody to ask: what provably only reads, and
// only in the project, runs. (With the gate of package permission the digest is
// that of the grant, and Recheck and Open come from permission/toolset.)
func Example() {
	base, err := os.MkdirTemp("", "checkedrun")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(base)
	dir := filepath.Join(base, "project")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		panic(err)
	}
	for name, text := range map[string]string{"notes.txt": "one\ntwo\n", ".env": "KEY=1\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			panic(err)
		}
	}
	guard, err := scope.New(dir, scope.Options{})
	if err != nil {
		panic(err)
	}
	defer guard.Close()
	analyzer := bashcheck.New(bashcheck.Options{})
	// inside is asked right before a path is used.
	inside := func(kind bashcheck.Kind, path string) error {
		op := map[bashcheck.Kind]scope.Op{bashcheck.Read: scope.Read, bashcheck.List: scope.List}[kind] // any other: the strictest
		if r := guard.Check(path, op); r.Err != nil || r.Zone == scope.Outside || r.Class != scope.Ordinary {
			return fmt.Errorf("%s is not an ordinary file of the project", filepath.Base(path))
		}
		return nil
	}
	for _, text := range []string{"grep -c o notes.txt", "cat .env", "cat /etc/passwd", "rm notes.txt"} {
		report := analyzer.Analyze(text)
		if !report.ReadOnly() {
			fmt.Println("no:", text)
			continue
		}
		status, err := checkedrun.Run(context.Background(), report, checkedrun.Options{
			Analyzer: analyzer, Digest: report.Digest(), Dir: guard.Root(), Env: bashcheck.SafeEnv(bashcheck.EnvOptions{}),
			Stdout: os.Stdout, Unconfined: true, Recheck: inside,
		})
		fmt.Println(status, err != nil)
	}
	// Output:
	// 2
	// 0 false
	// -1 true
	// -1 true
	// no: rm notes.txt
}
