package scenarios

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
)

// hook asks the built hook program about one call, as an agent would.
func (s *scene) hook(t *testing.T, program string, l line) string {
	t.Helper()
	mode := l.Mode
	if mode == "" {
		mode = "default"
	}
	event, err := json.Marshal(map[string]any{
		"hook_event_name": "PreToolUse", "session_id": "s", "tool_name": l.Tool, "tool_input": l.Input, "cwd": s.project, "permission_mode": mode, "tool_use_id": "t",
	})
	require.NoError(t, err)
	cmd := exec.Command(program, "-home", s.home, "-project", s.project, "-managed", s.home+"/none.json", "-timeout", "30s")
	cmd.Dir = s.project
	cmd.Env = append([]string{"SHELL=/bin/bash"}, s.env...)
	cmd.Stdin = strings.NewReader(string(event))
	out, err := cmd.Output()
	require.NoError(t, err, "%s %s", l.Tool, l.Input)
	var answer struct {
		HookSpecificOutput struct{ PermissionDecision, PermissionDecisionReason string }
	}
	require.NoError(t, json.Unmarshal(out, &answer), "%s", out)
	return answer.HookSpecificOutput.PermissionDecision
}

// TestIncidentsThroughTheHook puts the calls of the incidents to the hook
// program. It does not run the commands and so grants less than a host that
// does: what is refused there is refused here, what asks there never runs here
// unasked.
func TestIncidentsThroughTheHook(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("go is not installed")
		}
		t.Skip("the go command is not on PATH: the hook cannot be built")
	}
	program := filepath.Join(t.TempDir(), "hook")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	build := exec.Command("go", "build", "-o", program, "../hook")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	// In a group, so that the program is there until all have asked it.
	t.Run("incidents", func(t *testing.T) {
		each(t, "incidents", 40, func(t *testing.T, ar *txtar.Archive) {
			s := newScene(t, ar)
			for _, l := range s.lines(t) {
				got := s.hook(t, program, l)
				switch l.Want {
				case "deny":
					require.Equal(t, "deny", got, "%s %s", l.Tool, l.Input)
				case "ask":
					require.Contains(t, []string{"ask", "deny"}, got, "%s %s", l.Tool, l.Input)
				}
			}
		})
	})
	// It does let ordinary work pass.
	s := newScene(t, &txtar.Archive{Files: []txtar.File{{Name: "calls", Data: []byte(`{"tool": "Read", "input": {"file_path": "$WORK/a.txt"}, "want": "allow"}`)}}})
	require.NoError(t, os.WriteFile(s.project+"/a.txt", nil, 0o600))
	require.Equal(t, "allow", s.hook(t, program, s.lines(t)[0]))
}
