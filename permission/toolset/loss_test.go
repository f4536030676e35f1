package toolset_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/clearance-go/clearance/permission"
)

// TestLossIsTold: what cannot be taken back makes the risk high and is told; it
// is no reason to ask where a rule allows the command.
func TestLossIsTold(t *testing.T) {
	without := newMachine(t, "git init -q .", "")
	with := newMachine(t, "git init -q .", `"allow":["Bash(git push *)","Bash(git reset *)"]`)
	for _, c := range []string{"git push --force origin main", "git push origin +main", "git reset --hard HEAD~1"} {
		d, ins := without.decide(t, permission.ModeDefault, "Bash", map[string]any{"command": c})
		assert.Equal(t, permission.Ask, d.Verdict, c)
		assert.Equal(t, permission.RiskHigh, ins.Risk, c)
		assert.Contains(t, ins.Explanation.String(), "lost", c)
		assert.Equal(t, permission.Allow, with.command(t, permission.ModeDefault, c).Verdict, c)
	}
	_, ins := without.decide(t, permission.ModeDefault, "Bash", map[string]any{"command": "git push origin main"})
	assert.NotEqual(t, permission.RiskHigh, ins.Risk)
	assert.NotContains(t, ins.Explanation.String(), "lost")
}
