package toolset_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/toolset"
)

// TestMistakenDenyRulesHold: a deny rule with a mistake that people make never
// vanishes. What it means does not run, even in the mode that bypasses prompts,
// while without the rule it does; Lint names the rule; and where it was honoured,
// other calls are not asked about.
func TestMistakenDenyRulesHold(t *testing.T) {
	m := newMachine(t, "mkdir -p src/secrets ../.ssh; echo a > src/secrets/k; echo x > .env; echo k > ../.ssh/id; echo p > a.pem; echo y > plain.txt", "")
	const (
		held = iota // refused, and only what is meant
		asks        // cannot be read: whatever it may mean asks
	)
	for _, c := range []struct {
		rule, call string
		how        int
	}{
		{"bash(rm *)", "Bash rm plain.txt", held},
		{"bash(rm:*)", "Bash rm plain.txt", held},
		{"BASH", "Bash foo", held},
		{"read(.env)", "Read $PWD/.env", held},
		{"Read( .env)", "Bash cat .env", held},
		{"Read(\t.env)", "Read $PWD/.env", held},
		{"Read(.env )", "Read $PWD/.env", held},
		{"Read('.env')", "Read $PWD/.env", held},
		{"Read(\".env\")", "Read $PWD/.env", held},
		{"Read($HOME/.ssh/**)", "Bash cat ~/.ssh/id", held},
		{"Read(${HOME}/.ssh/id)", "Read $HOME/.ssh/id", held},
		{"Read(%USERPROFILE%\\.ssh\\**)", "Read $HOME/.ssh/id", held},
		{"Read(file:///etc/passwd)", "Read /etc/passwd", held},
		{"Read(src\\secrets\\**)", "Read $PWD/src/secrets/k", held},
		{"Read(*.{pem,key})", "Bash cat a.pem", held},
		{"Edit(src/{a,secrets}/**)", "Write $PWD/src/secrets/new", held},
		{"Read($SECRETS/**)", "Read $PWD/.env", asks},
		{"Read(~bob/**)", "Read $PWD/.env", asks},
		{"Read(../x)", "Read $HOME/x", asks},
		{"Bash [rm *]", "Bash rm plain.txt", asks},
		{"Bash[rm *]", "Bash rm plain.txt", asks},
		{"Bash:rm *", "Bash rm plain.txt", asks},
		{"Bash (rm *)", "Bash rm plain.txt", asks},
		{"Bash,Read", "Bash rm plain.txt", asks},
		{"!Bash(rm *)", "Bash rm plain.txt", asks},
		{"WebFetch(https://example.com/*)", "WebFetch https://example.com/x", held},
		{"WebFetch(http://example.com)", "Bash curl https://example.com/x", held},
		{"WebFetch(example.com)", "WebFetch https://example.com/x", held},
		{"WebFetch(Domain:example.com)", "WebFetch https://example.com/x", held},
		{"WebFetch(domain:https://example.com/)", "WebFetch https://example.com/x", held},
		{"WebFetch(domain:example.com/x)", "WebFetch https://example.com/x", asks},
		{"WebFetch(domain:example.com:443)", "WebFetch https://example.com/x", asks},
		{"WebFetch(domain:a.org,example.com)", "WebFetch https://example.com/x", asks},
		{"mcp__s__", "mcp__s__t {}", held},
		{"mcp__", "mcp__s__t {}", held},
		{"Agent( y )", `Agent {"prompt":"x","subagent_type":"y"}`, held},
		{"Agent(y, z)", `Agent {"prompt":"x","subagent_type":"y"}`, asks},
		{"Agent(plug:y)", `Agent {"prompt":"x","subagent_type":"plug:y"}`, held},
		{"Skill(plug:y)", `Skill {"skill":"plug:y"}`, held},
		{"Skill(plug:*)", `Skill {"skill":"plug:y"}`, held},
	} {
		b, err := json.Marshal(map[string]any{"permissions": map[string]any{"deny": []string{c.rule}}})
		require.NoError(t, err)
		policy, err := permission.ParsePolicy(m.home, permission.Source{Layer: permission.LayerUser, Name: "settings.json", Base: m.dir, Data: b})
		if c.how == asks {
			require.Error(t, err, c.rule)
		}
		with, without := evaluatorOf(t, m, policy), evaluatorOf(t, m, nil)
		d := bypassed(t, m, with, c.call)
		assert.NotEqual(t, permission.Allow, d.Verdict, "%s: %s", c.rule, c.call)
		if c.how == held {
			assert.Equal(t, permission.Deny, d.Verdict, "%s: %s: %s", c.rule, c.call, d.Text())
			assert.Contains(t, d.Text(), strings.ReplaceAll(c.rule, "\t", `\u{9}`))
			for _, other := range []string{"Bash ls src", "Read $PWD/plain.txt", "WebFetch https://other.example/", "Edit $PWD/plain.txt"} {
				if c.rule != "BASH" {
					d := bypassed(t, m, with, other)
					assert.Equal(t, permission.Allow, d.Verdict, "%s: %s: %s", c.rule, other, d.Text())
				}
			}
		}
		d = bypassed(t, m, without, c.call)
		assert.Equal(t, permission.Allow, d.Verdict, "%s without a rule: %s", c.call, d.Text())
		if !strings.Contains(c.rule, "plug") && c.rule != "Read(.env )" {
			assert.NotEmpty(t, with.Lint(), c.rule)
		}
	}
}

func evaluatorOf(t *testing.T, m *machine, p *permission.Policy) *permission.Evaluator {
	tools, err := toolset.NewWith(toolset.Options{Files: m.guard, Home: m.home, Analyzer: bashcheck.New(bashcheck.Options{Home: m.home}), Assume: bashcheck.SafeEnvAssumptions()})
	require.NoError(t, err)
	e, err := permission.New(permission.Config{Policy: p, Inspector: tools})
	require.NoError(t, err)
	return e
}

func bypassed(t *testing.T, m *machine, e *permission.Evaluator, call string) permission.Decision {
	tool, text, _ := strings.Cut(call, " ")
	input := map[string]any{}
	if strings.HasPrefix(text, "{") {
		require.NoError(t, json.Unmarshal([]byte(text), &input))
	} else {
		field := map[string]string{"Bash": "command", "Read": "file_path", "Edit": "file_path", "Write": "file_path", "WebFetch": "url"}[tool]
		input[field] = strings.NewReplacer("$PWD", m.dir, "$HOME", m.home).Replace(text)
	}
	in, err := json.Marshal(input)
	require.NoError(t, err)
	st := permission.State{Mode: permission.ModeBypass, Dir: m.dir}
	c := permission.Call{Tool: tool, Input: in, Dir: m.dir}
	ins, err := e.Inspect(context.Background(), st, c)
	require.NoError(t, err)
	return e.Decide(st, c, ins)
}
