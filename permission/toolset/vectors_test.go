package toolset_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/internal/vectortest"
	"github.com/clearance-go/clearance/permission/toolset"
	"github.com/clearance-go/clearance/scope"
)

// TestVectors decides the permission vectors for a machine that does not
// exist: home /home/u, project /home/u/proj.
func TestVectors(t *testing.T) {
	vectortest.Run(t, "permission.jsonl", func(tb testing.TB, v vectortest.Vector) vectortest.Result {
		got, why := decideVector(t, v)
		if v.String("confidence") == "low" {
			return vectortest.Result{Skip: "low confidence: reported, not counted"}
		}
		return vectortest.Result{OK: got == v.String("expect"), Detail: fmt.Sprintf("got %s, want %s: %s", got, v.String("expect"), why)}
	})
}

func decideVector(t *testing.T, v vectortest.Vector) (verdict, why string) {
	ctx, _ := v["ctx"].(map[string]any)
	const home = "/home/u"
	cwd := v.String("cwd")
	settings := map[string]any{}
	rules, _ := v["rules"].(map[string]any)
	perm := map[string]any{}
	for k, r := range rules {
		perm[k] = r
	}
	if d, ok := ctx["additionalDirectories"]; ok {
		perm["additionalDirectories"] = d
	}
	settings["permissions"] = perm
	if s, ok := ctx["sandbox"]; ok {
		settings["sandbox"] = s
	}
	data, err := json.Marshal(settings)
	require.NoError(t, err)
	src := permission.Source{Layer: permission.LayerProject, Name: "settings.json", Base: cwd, Data: data}
	if ctx["ruleSource"] == "user" {
		src.Layer, src.Base = permission.LayerUser, path.Join(home, ".claude")
	}
	if trusted, ok := ctx["trusted"].(bool); ok && !trusted {
		src.TightenOnly = true
	}
	sources := []permission.Source{src}
	if only, ok := ctx["allowManagedPermissionRulesOnly"].(bool); ok && only {
		sources = append(sources, permission.Source{Layer: permission.LayerManaged, Name: "managed", Data: []byte(`{"allowManagedPermissionRulesOnly":true}`)})
	}
	// Rules that cannot be read as written are part of what is tested.
	policy, _ := permission.ParsePolicy(home, sources...)

	links := map[string]string{}
	if m, ok := ctx["symlinks"].(map[string]any); ok {
		for k, to := range m {
			links[k] = to.(string)
		}
	}
	files, err := scope.NewLexical(cwd, scope.Options{Home: home, Additional: policy.Directories()}, links)
	require.NoError(t, err)
	meta, _ := ctx["toolMeta"].(map[string]any)
	tools, err := toolset.NewWith(toolset.Options{
		Files: files, Offline: true,
		Analyzer: bashcheck.New(bashcheck.Options{Home: home}),
		Assume:   bashcheck.SafeEnvAssumptions(),
		Meta: func(string) json.RawMessage {
			if f, ok := meta["anthropic/requiresUserInteraction"]; ok {
				b, _ := json.Marshal(f)
				return b
			}
			return nil
		},
	})
	require.NoError(t, err)
	eval, err := permission.New(permission.Config{Policy: policy, Inspector: tools})
	require.NoError(t, err)

	mode, err := permission.ParseMode(v.String("mode"))
	require.NoError(t, err)
	input, err := json.Marshal(v["input"])
	require.NoError(t, err)
	st := permission.State{Mode: mode, Dir: cwd, Enforces: true}
	call := permission.Call{Tool: v.String("tool"), Input: input, Dir: cwd}
	ins, _ := eval.Inspect(context.Background(), st, call)
	var opinions []permission.Opinion
	hook := func(h any) {
		m, _ := h.(map[string]any)
		o := permission.Opinion{From: permission.FromHook}
		switch m["permissionDecision"] {
		case "allow":
			o.Verdict = permission.Allow
		case "ask":
			o.Verdict = permission.Ask
		case "deny":
			o.Verdict = permission.Deny
		default:
			if m["exitCode"] == float64(2) {
				o.Verdict = permission.Deny
				break
			}
			return
		}
		opinions = append(opinions, o)
	}
	if h, ok := ctx["hook"]; ok {
		hook(h)
	}
	if list, ok := ctx["hooks"].([]any); ok {
		for _, h := range list {
			hook(h)
		}
	}
	d := eval.Decide(st, call, ins, opinions...)
	var texts []string
	for _, r := range d.Reasons {
		texts = append(texts, r.Verdict.String()+"/"+r.Code+": "+r.Text)
	}
	return d.Verdict.String(), strings.Join(texts, " | ")
}

func TestInspectRefusesAmbiguousInput(t *testing.T) {
	files, err := scope.NewLexical("/p", scope.Options{}, nil)
	require.NoError(t, err)
	tools, err := toolset.NewWith(toolset.Options{Files: files, Analyzer: bashcheck.New(bashcheck.Options{}), Offline: true})
	require.NoError(t, err)
	for _, in := range []string{
		`{"command":"ls","command":"rm x"}`, `{"command":"ls","Command":"rm x"}`, `{"command":`, `[]`, `null`, ``,
		`{"command":1}`, `{"command":""}`, `{}`, "{\"command\":\"\xff\"}", `{"command":"ls"} {"command":"rm"}`,
	} {
		_, err := tools.Inspect(context.Background(), permission.Call{Tool: "Bash", Input: json.RawMessage(in), Dir: "/p"}, nil)
		require.Error(t, err, "%s", in)
	}
	_, err = (*toolset.Tools)(nil).Inspect(context.Background(), permission.Call{}, nil)
	require.Error(t, err)
	require.False(t, errors.Is(err, context.Canceled))
}
