package toolset_test

import (
	"fmt"
	"testing"

	"github.com/clearance-go/clearance/permission/internal/vectortest"
)

// TestPeerDenyRules runs the spellings by which a denied command passed another
// agent's rules (measured on Codex 0.169) against our rules for the same
// commands: none runs, in the modes that ask least, under a rule that allows
// every command.
func TestPeerDenyRules(t *testing.T) {
	counts := map[string]int{}
	vectortest.Run(t, "peer-codex.jsonl", func(tb testing.TB, v vectortest.Vector) vectortest.Result {
		if v.String("should_be") != "forbidden" {
			return vectortest.Result{Skip: "about no denied command"}
		}
		for _, mode := range []string{"default", "bypassPermissions"} {
			got, why := decideVector(t, vectortest.Vector{
				"mode": mode, "tool": "Bash", "input": map[string]any{"command": v.String("command")}, "cwd": "/home/u/proj",
				"rules": map[string]any{"deny": []string{"Bash(rm:*)", "Bash(git push:*)"}, "allow": []string{"Bash"}},
			})
			counts[got]++
			if got == "allow" {
				return vectortest.Result{Detail: fmt.Sprintf("%s in mode %s: %s", v.String("command"), mode, why)}
			}
		}
		return vectortest.Result{OK: true}
	})
	t.Logf("denied %d, asked %d", counts["deny"], counts["ask"])
}
