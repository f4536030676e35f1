package toolset_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
)

// usualRules are allow and deny rules as people have them, wideRules are those
// that an attacker hopes for.
const (
	usualRules = `"allow":["Bash(npm run test:*)","Bash(npm test:*)","Bash(npm run lint:*)","Bash(npm run build)","Bash(npx tsc:*)","Bash(go test:*)","Bash(go build:*)","Bash(go vet:*)","Bash(gofmt:*)",
"Bash(make:*)","Bash(pytest:*)","Bash(python -m pytest:*)","Bash(git add:*)","Bash(git commit:*)","Bash(git log:*)","Bash(git diff:*)","Bash(git status:*)","Bash(ls:*)","Bash(find:*)","Bash(cat:*)",
"Bash(grep:*)","Bash(mkdir:*)","Bash(gh pr view:*)","Bash(gh issue list:*)","WebFetch(domain:docs.python.org)","WebFetch(domain:pkg.go.dev)","WebSearch","mcp__github__get_issue","mcp__fs__read_file"],
"deny":["Read(./.env)","Read(./secrets/**)","Bash(curl:*)"]`
	wideRules = `"allow":["Bash(npm run test:*)","Bash(git log:*)","Bash(git diff:*)","Bash(ls:*)","Bash(find:*)","Bash(cat:*)","Bash(grep:*)","Bash(echo:*)","Edit(src/**)","Edit(docs/**)","Bash(git add:*)",
"Bash(git commit:*)","Bash(go test:*)","Bash(timeout:*)","Bash(xargs:*)","mcp__fs__*","mcp__github","WebFetch(domain:*.example.com)","Bash(sed:*)","Bash(cp:*)","Bash(mkdir:*)"],
"deny":["Read(./.env)","Bash(curl:*)","WebFetch(domain:evil.example.com)","Edit(src/generated/**)"],"ask":["Bash(git push:*)"]`
	// A project in Go, Node and Python at once, with a secret that git ignores.
	workspace = `mkdir -p src cmd/app tests docs scripts internal/x node_modules/a dist build .github/workflows .claude ../.ssh ../out
printf '.env\nnode_modules\ndist\n__pycache__\n' > .gitignore; echo S=1 > .env; echo x > README.md; echo x > CLAUDE.md; echo a > src/a.txt; echo x > docs/x.md; echo on: push > .github/workflows/ci.yml; printf 'all:\n\ttrue\n' > Makefile
echo '#!/bin/sh' > scripts/run.sh; echo '{}' > .claude/settings.json; echo module x > go.mod; touch go.sum; echo package main > main.go; echo package x > internal/x/x.go; echo '{"scripts":{"test":"jest"}}' > package.json
touch src/index.ts src/app.test.ts tsconfig.json node_modules/a/index.js package-lock.json pyproject.toml src/app.py tests/test_app.py requirements.txt dist/a.js build/x.o; echo k > ../.ssh/id_rsa; echo x > ../out/f
git init -q -b main . && git add . && git commit -qm one; echo b >> src/a.txt; git commit -qam two; echo c >> src/a.txt
`
	// What a repository may bring along to lead an agent elsewhere.
	traps = `ln -s ../../out link; ln -s ../../out/f flink; ln -s .git notgit; ln -s ../../.ssh/id_rsa docs/key.md
`
)

// sessionCalls reads a list of calls.
func sessionCalls(t *testing.T, name string, m *machine) (calls []permission.Call, asks []bool) {
	data, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	r := strings.NewReplacer("$P", m.dir, "$H", m.home, "$O", m.home+"/out")
	for _, line := range strings.Split(string(data), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		line, ask := strings.CutPrefix(line, "? ")
		call := permission.Call{Tool: "Bash", Dir: m.dir}
		if rest, ok := strings.CutPrefix(line, "@"); ok {
			tool, input, _ := strings.Cut(rest, " ")
			call.Tool, call.Input = tool, json.RawMessage(r.Replace(input))
		} else {
			call.Input, err = json.Marshal(map[string]string{"command": strings.ReplaceAll(r.Replace(line), `\n`, "\n")})
			require.NoError(t, err)
		}
		calls, asks = append(calls, call), append(asks, ask)
	}
	return calls, asks
}

// TestSession decides what an agent does all day, and what it must not do.
func TestSession(t *testing.T) {
	decide := func(m *machine, mode permission.Mode, call permission.Call) permission.Decision {
		st := permission.State{Mode: mode, Dir: m.dir}
		ins, _ := m.eval.Inspect(context.Background(), st, call)
		return m.eval.Decide(st, call, ins)
	}
	for _, list := range []struct {
		name, setup, rules string
		mode               permission.Mode
		least              int
	}{
		{"everyday.txt", "", usualRules, permission.ModeDefault, 180},
		{"edits.txt", "", usualRules, permission.ModeAcceptEdits, 60},
	} {
		m := newMachine(t, workspace+list.setup, list.rules)
		calls, asks := sessionCalls(t, list.name, m)
		require.Greater(t, len(calls), list.least)
		asked := 0
		for i, call := range calls {
			want := permission.Allow
			if asks[i] {
				want = permission.Ask
				asked++
			}
			d := decide(m, list.mode, call)
			assert.Equal(t, want, d.Verdict, "%s %s: %s", call.Tool, call.Input, d.Text())
		}
		t.Logf("%s: %d of %d calls ask", list.name, asked, len(calls))
	}
	m := newMachine(t, workspace+traps, wideRules)
	calls, _ := sessionCalls(t, "attacks.txt", m)
	require.Greater(t, len(calls), 200)
	for _, call := range calls {
		d := decide(m, permission.ModeAcceptEdits, call)
		assert.NotEqual(t, permission.Allow, d.Verdict, "%s %s: %v", call.Tool, call.Input, d.Reasons)
	}
}
