package toolset_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"mvdan.cc/sh/v3/syntax"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/toolset"
	"github.com/clearance-go/clearance/scope"
)

// BenchmarkInspectAndDecide decides a short Bash call under many rules, without
// a disk, beside the parse alone.
func BenchmarkInspectAndDecide(b *testing.B) {
	for _, command := range []string{"ls -la", "git status && git diff | head", "cp a.txt b.txt"} {
		b.Run("parse/"+command, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(command), "")
				require.NoError(b, err)
			}
		})
		for _, n := range []int{100, 1000, 10_000} {
			b.Run(fmt.Sprintf("%d rules/%s", n, command), func(b *testing.B) {
				var allow, deny []string
				for i := range n / 2 {
					allow = append(allow, fmt.Sprintf("Bash(tool%d run *)", i))
					deny = append(deny, fmt.Sprintf("Bash(evil%d *)", i))
				}
				data, err := json.Marshal(map[string]any{"permissions": map[string]any{"allow": allow, "deny": deny}})
				require.NoError(b, err)
				policy, err := permission.ParsePolicy("/home/u", permission.Source{Layer: permission.LayerUser, Name: "s", Base: "/home/u/proj", Data: data})
				require.NoError(b, err)
				files, err := scope.NewLexical("/home/u/proj", scope.Options{Home: "/home/u"}, nil)
				require.NoError(b, err)
				tools, err := toolset.NewWith(toolset.Options{Files: files, Offline: true, Analyzer: bashcheck.New(bashcheck.Options{Home: "/home/u"}), Assume: bashcheck.SafeEnvAssumptions()})
				require.NoError(b, err)
				eval, err := permission.New(permission.Config{Policy: policy, Inspector: tools})
				require.NoError(b, err)
				in, err := json.Marshal(map[string]string{"command": command})
				require.NoError(b, err)
				st := permission.State{Mode: permission.ModeAcceptEdits, Dir: "/home/u/proj"}
				call := permission.Call{Tool: "Bash", Input: in, Dir: "/home/u/proj"}
				b.ReportAllocs()
				for b.Loop() {
					ins, _ := eval.Inspect(context.Background(), st, call)
					if eval.Decide(st, call, ins).Verdict != permission.Allow {
						b.Fatal("not allowed")
					}
				}
			})
		}
	}
}
