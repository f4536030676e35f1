package permission

import (
	"testing"

	"github.com/stretchr/testify/require"
)

type said struct{ text string }

func (s *said) String() string { return s.text }

// TestDigest: it is made from what an inspection says, wherever that lies in
// memory and whether or not a text was made before.
func TestDigest(t *testing.T) {
	inspection := func(text, command string) Inspection {
		return Inspection{Explanation: LateText(&said{text}), Actions: []Action{{Kind: Run, Command: &Command{Deny: []string{command}}}, {Kind: Read}}}
	}
	call := Call{ID: "1", Tool: "Bash"}
	one := digest(call, inspection("a", "ls"))
	require.Equal(t, one, digest(Call{ID: "2", Tool: "Bash"}, inspection("a", "ls")))
	plain := inspection("a", "ls")
	plain.Explanation = TextOf("a")
	require.Equal(t, one, digest(call, plain))
	require.NotEqual(t, one, digest(call, inspection("b", "ls")))
	require.NotEqual(t, one, digest(call, inspection("a", "rm")))
	require.NotEqual(t, one, digest(Call{Tool: "Monitor"}, inspection("a", "ls")))
}
