package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSubAgentIsNarrower: what the parent may do by a rule of the session its
// explorer may not, even where the person would say yes; without the narrower
// session the same steps do it.
func TestSubAgentIsNarrower(t *testing.T) {
	steps := `"steps":[{"tool":"Write","input":{"file_path":"$WORK/NOTES.txt","content":"planted"},"answer":"y"}]`
	first := `{"tool":"Bash","input":{"command":"echo done > NOTES.txt"},"answer":"s","expect":"ran"}` + "\n"
	for kind, want := range map[string]string{"explore": "done\n", "general": "planted"} {
		scratch, out, ok := play(t, first+`{"tool":"Agent","input":{"subagent_type":"`+kind+`"},"answer":"y","expect":"ran",`+steps+`}`, nil)
		require.True(t, ok, out)
		notes, err := os.ReadFile(filepath.Join(scratch, "work", "calc", "NOTES.txt"))
		require.NoError(t, err)
		require.Equal(t, want, string(notes), "%s: %s", kind, out)
	}
}
