package toolset_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
)

// A tool for commands in other case is no tool of its own: nobody is offered a rule
// that would let all of it run.
func TestMisnamedTool(t *testing.T) {
	m := newMachine(t, "", `"deny":["Bash(rm *)"]`)
	for tool, input := range map[string]string{"bash": `{"command":"rm x"}`, "BASH": `{"command":"rm x"}`, "powershell": `{"command":"rm x"}`} {
		s, person, _ := m.session(t, "")
		_, err := s.Authorize(t.Context(), permission.Call{Tool: tool, Input: json.RawMessage(input)})
		require.NoError(t, err, "a person may still say yes, once")
		require.Len(t, person.asked, 1)
		require.Empty(t, person.asked[0].Suggestions)
		require.Contains(t, person.asked[0].Prompt(), "the standard one is called")
	}
	s, person, _ := m.session(t, "")
	_, err := s.Authorize(t.Context(), permission.Call{Tool: "Bashful", Input: json.RawMessage(`{}`)})
	require.NoError(t, err)
	require.Equal(t, []string{"Bashful"}, person.asked[0].Suggestions)
}
