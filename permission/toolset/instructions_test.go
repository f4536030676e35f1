package toolset_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/toolset"
)

// TestInstructionFiles: once a session has read untrusted text, what agents take
// for instructions is written in no mode but bypass without a person, in no way.
// Before that, and for everything else, accept-edits mode is as it was.
func TestInstructionFiles(t *testing.T) {
	const setup = "mkdir -p sub docs .github/instructions in; echo x > CLAUDE.md; echo x > n.md; ln -s CLAUDE.md notes.txt; echo y > in/AGENTS.md; echo z > sub/a.txt"
	m := newMachine(t, setup, "")
	decide := func(mode permission.Mode, labels permission.Labels, tool string, input map[string]any) permission.Decision {
		data, err := json.Marshal(input)
		require.NoError(t, err)
		st := permission.State{Mode: mode, Dir: m.dir, Labels: labels}
		call := permission.Call{Tool: tool, Input: data, Dir: m.dir}
		ins, _ := m.eval.Inspect(context.Background(), st, call)
		return m.eval.Decide(st, call, ins)
	}
	write := func(name string) map[string]any {
		return map[string]any{"file_path": filepath.Join(m.dir, name), "content": "x"}
	}
	for _, name := range []string{"CLAUDE.md", "sub/CLAUDE.md", "claude.md", "CLAUDE.local.md", "AGENTS.md", "sub/agents.md", "GEMINI.md", ".cursorrules", ".windsurfrules", ".github/copilot-instructions.md", ".github/instructions/go.instructions.md",
		"notes.txt", ".junie/guidelines.md", ".goosehints", "sub/.amazonq/rules/a.md"} {
		d := decide(permission.ModeAcceptEdits, permission.Untrusted, "Write", write(name))
		assert.Equal(t, permission.Ask, d.Verdict, name)
		assert.Contains(t, d.Text(), "instructs every agent", name)
		assert.Equal(t, permission.Allow, decide(permission.ModeAcceptEdits, 0, "Write", write(name)).Verdict, name)
		assert.Equal(t, permission.Allow, decide(permission.ModeBypass, permission.Untrusted, "Write", write(name)).Verdict, name)
		assert.Equal(t, permission.Allow, decide(permission.ModeDefault, permission.Untrusted, "Read", map[string]any{"file_path": filepath.Join(m.dir, name)}).Verdict, name)
	}
	for _, c := range []string{"echo x >> CLAUDE.md", "cat n.md > AGENTS.md", "cp n.md CLAUDE.md", "mv n.md sub/CLAUDE.md", "sed -i s/x/y/ CLAUDE.md", "tee CLAUDE.md < n.md", "touch .cursorrules", "cp -r in docs", "cp in/* .", "mv in/AGENTS.md .", "echo x > notes.txt"} {
		d := decide(permission.ModeAcceptEdits, permission.Untrusted, "Bash", map[string]any{"command": c})
		assert.Equal(t, permission.Ask, d.Verdict, c)
		d = decide(permission.ModeAcceptEdits, 0, "Bash", map[string]any{"command": c})
		assert.Equal(t, permission.Allow, d.Verdict, "%s: %s", c, d.Text())
	}
	for _, name := range []string{"README.md", "docs/agents.txt", "claude.py", "src/rules.go", "x.rules", "myCLAUDE.md", "AGENTS.md.bak", "a.instructions.md", ".github/pull_request_template.md"} {
		d := decide(permission.ModeAcceptEdits, permission.Untrusted, "Write", write(name))
		assert.Equal(t, permission.Allow, d.Verdict, "%s: %s", name, d.Text())
	}
	for _, c := range []string{"cat CLAUDE.md", "grep -rn x .", "cp CLAUDE.md docs/old.txt", "echo x >> n.md", "cp -r sub docs"} {
		d := decide(permission.ModeAcceptEdits, permission.Untrusted, "Bash", map[string]any{"command": c})
		assert.Equal(t, permission.Allow, d.Verdict, "%s: %s", c, d.Text())
	}
}

// TestInstructionsUnderUntrustedText: a page tells a session to write CLAUDE.md,
// which a rule allows. That is asked about; once a person agreed, the file is
// known as one that such a session wrote, and reading it labels the next one.
func TestInstructionsUnderUntrustedText(t *testing.T) {
	m := newMachine(t, "true", `"allow":["Edit(/**)","WebFetch(domain:example.com)"]`)
	ledger, err := toolset.OpenLedger(filepath.Join(m.home, "ledger"))
	require.NoError(t, err)
	tools, err := toolset.NewWith(toolset.Options{Files: m.guard, Home: m.home, Ledger: ledger, Analyzer: bashcheck.New(bashcheck.Options{Home: m.home}), Assume: bashcheck.SafeEnvAssumptions()})
	require.NoError(t, err)
	eval, err := permission.New(permission.Config{Policy: m.eval.Policy(), Inspector: tools})
	require.NoError(t, err)
	gate := permission.NewGate(eval, permission.GateOptions{Ledger: ledger})
	ctx := context.Background()
	input := func(v map[string]any) json.RawMessage {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		return b
	}
	write := permission.Call{ID: "1", Tool: "Write", Dir: m.dir, Input: input(map[string]any{"file_path": m.dir + "/CLAUDE.md", "content": "x"})}

	session := gate.Session(permission.SessionOptions{Dir: m.dir})
	grant, req, err := session.Check(ctx, write)
	require.NoError(t, err)
	require.Nil(t, req, "with nothing read, the rule settles it")
	require.NotNil(t, grant)

	_, _, err = session.Check(ctx, permission.Call{ID: "2", Tool: "WebFetch", Dir: m.dir, Input: input(map[string]any{"url": "https://example.com/", "prompt": "x"})})
	require.NoError(t, err)
	_, req, err = session.Check(ctx, write)
	require.NoError(t, err)
	require.NotNil(t, req)
	assert.Equal(t, permission.CodeSteers, req.Decision.Reasons[0].Code)
	assert.Empty(t, req.Suggestions, "no rule would change that")
	_, _, err = session.Resolve(ctx, permission.Answer{Token: req.Token, Choice: permission.Once})
	require.NoError(t, err)

	next := gate.Session(permission.SessionOptions{Dir: m.dir})
	grant, _, err = next.Check(ctx, permission.Call{ID: "3", Tool: "Read", Dir: m.dir, Input: input(map[string]any{"file_path": m.dir + "/CLAUDE.md"})})
	require.NoError(t, err)
	assert.NotZero(t, grant.Inspection().Brings&permission.Untrusted)
}
