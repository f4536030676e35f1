// Package demo sets up a session for the tests of the adapters.
package demo

import (
	"encoding/json"
	"testing"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/toolset"
	"github.com/clearance-go/clearance/scope"
)

// Session decides by the rules, with nobody to ask: what asks is refused.
func Session(t testing.TB, allow, deny []string) *permission.Session {
	t.Helper()
	data, err := json.Marshal(map[string]any{"permissions": map[string]any{"allow": allow, "deny": deny}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	policy, err := permission.ParsePolicy(dir, permission.Source{Layer: permission.LayerUser, Name: "settings.json", Base: dir, Data: data})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := scope.New(dir, scope.Options{Home: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = guard.Close() })
	eval, err := permission.New(permission.Config{Policy: policy, Inspector: toolset.New(guard, bashcheck.New(bashcheck.Options{Home: dir}))})
	if err != nil {
		t.Fatal(err)
	}
	return permission.NewGate(eval, permission.GateOptions{}).Session(permission.SessionOptions{Dir: dir})
}
