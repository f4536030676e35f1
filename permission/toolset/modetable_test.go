package toolset_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
)

// modeTable is what the documents say of each mode
// (https://code.claude.com/docs/en/permission-modes), kind of call by kind of
// call. The columns are default, acceptEdits, plan, auto with a classifier,
// dontAsk and bypassPermissions: A allow, D deny, ? ask, and in the column of
// auto C for an ask that the classifier may settle.
const modeTable = `
# reads (working directories; read-only commands)
A A A A A A |                      | Read $PWD/a.txt
A A A A A A |                      | Grep {"pattern":"x","path":"src"}
A A A A A A |                      | Glob {"pattern":"**/*.go"}
? ? ? C D A |                      | Read /etc/hostname
? ? ? C D A |                      | Grep {"pattern":"x","path":"/etc/default"}
? ? ? C D A |                      | Glob {"pattern":"*","path":"/etc/default"}
A A A A A A | +Read(//etc/**)      | Read /etc/hostname
A A A A A A |                      | Bash ls -la
A A A A A A |                      | Bash cat a.txt | head -5
A A A A A A |                      | Bash cat /etc/hostname
A A A A A A |                      | Bash cd src && ls
? ? ? C D A |                      | Bash foo
# an edit in a working directory: a tool's and a command's
? A ? A D A |                      | Write $PWD/new.txt
? A ? A D A |                      | Edit $PWD/a.txt
A A ? A A A | +Edit(/**)           | Edit $PWD/a.txt
? A ? C D A |                      | Bash mkdir x
? A ? C D A |                      | Bash touch x
? A ? C D A |                      | Bash rm a.txt
? A ? C D A |                      | Bash rmdir empty
? A ? C D A |                      | Bash mv a.txt c.txt
? A ? C D A |                      | Bash cp a.txt c.txt
? A ? C D A |                      | Bash sed -i s/a/b/ a.txt
? A ? C D A |                      | Bash LANG=C NO_COLOR=1 timeout 5 nice nohup touch x </dev/null >/dev/null 2>&1
? ? ? C D A |                      | Bash ln a.txt x
? ? ? C D A |                      | Bash chmod +x a.txt
# outside
? ? ? C D A |                      | Write $HOME/out.txt
? ? ? C D A |                      | Edit $HOME/other/x
? ? ? C D A |                      | Bash mkdir ../x
? ? ? C D A |                      | Bash cp a.txt ../x
? ? ? C D A |                      | Bash echo x > ../x
# rules
A A ? A A A | +Bash(foo *)         | Bash foo x
A A ? A A A | +Bash(foo)           | Bash foo
A A ? C A A | +Bash                | Bash foo
A A ? C A A | +Bash(*)             | Bash foo
A A ? C A A | +Bash(python *)      | Bash python x.py
A A ? C A A | +Bash(npm run *)     | Bash npm run x
? ? ? ? D ? | ?Bash(ls *)          | Bash ls
? ? ? ? D ? | +Bash(foo *) ; ?Bash(foo *) | Bash foo x
? ? ? ? D ? | ?Read(a.txt)         | Read $PWD/a.txt
? ? ? ? D ? | ?Edit                | Write $PWD/new.txt
D D D D D D | -Bash(ls *)          | Bash ls
D D D D D D | -Read(a.txt)         | Bash cat a.txt
D D D D D D | -Edit(/**)           | Write $PWD/new.txt
D D D D D D | -WebFetch(domain:a.example) ; +WebFetch | WebFetch https://a.example/
# protected paths: allow rules do not help
? ? ? C D A |                      | Write $PWD/.git/config
? ? ? C D A | +Edit(/**)           | Write $PWD/.vscode/settings.json
? ? ? C D A | +Edit                | Edit $PWD/.npmrc
? ? ? C D A | +Bash(cp *)          | Bash cp a.txt .envrc
? ? ? C D A | +Bash                | Bash echo x > .claude/settings.json
A A ? A A A | +Edit(/**)           | Write $PWD/.claude/worktrees/w/a.txt
# critical paths
? ? ? C D ? |                      | Bash rm -rf /
? ? ? C D ? | +Bash(rm *)          | Bash rm -rf ~
? ? ? C D ? | +Bash                | Bash echo $(rm -rf .)
? ? ? C D ? | +Bash(rm -rf /usr)   | Bash rm -rf /usr
? ? ? C D ? | +Bash(rm *)          | Bash rm -rf "$X"/*
D D D D D D | -Bash(rm *)          | Bash rm -rf /
# network
? ? ? C D A |                      | WebFetch https://a.example/
A A A A A A | +WebFetch(domain:a.example) | WebFetch https://a.example/
? ? ? C D A |                      | WebSearch x
A A A A A A | +WebSearch           | WebSearch x
? ? ? C D A |                      | Bash curl https://a.example/
# others
? ? ? C D A |                      | mcp__s__t {}
A A ? A A A | +mcp__s              | mcp__s__t {}
? ? ? ? D ? |                      | AskUserQuestion {"questions":[]}
? ? ? ? D ? | +AskUserQuestion     | AskUserQuestion {"questions":[]}
A A A A A A |                      | Agent {"prompt":"x","subagent_type":"y"}
D D D D D D | -Agent(y)            | Agent {"prompt":"x","subagent_type":"y"}
? ? ? C D ? | +PowerShell          | PowerShell {"command":"Get-ChildItem"}
`

// TestModeTable decides modeTable on a real tree, through the tools.
func TestModeTable(t *testing.T) {
	modes := []permission.Mode{permission.ModeDefault, permission.ModeAcceptEdits, permission.ModePlan, permission.ModeAuto, permission.ModeDontAsk, permission.ModeBypass}
	fields := map[string]string{"Bash": "command", "Read": "file_path", "Edit": "file_path", "Write": "file_path", "WebFetch": "url", "WebSearch": "query"}
	machines := map[string]*machine{}
	base := newMachine(t, "mkdir -p src empty .git .claude/worktrees/w ../other; echo a > a.txt; echo x > ../other/x", "")
	rows := 0
	for _, line := range strings.Split(strings.TrimSpace(modeTable), "\n") {
		if line[0] == '#' {
			continue
		}
		cols := strings.SplitN(line, "|", 3)
		require.Len(t, cols, 3, line)
		want := strings.Fields(cols[0])
		require.Len(t, want, len(modes), line)
		m := machines[cols[1]]
		if m == nil {
			lists := map[string][]string{}
			for _, r := range strings.Split(strings.TrimSpace(cols[1]), " ; ") {
				if r != "" {
					key := map[byte]string{'+': "allow", '?': "ask", '-': "deny"}[r[0]]
					lists[key] = append(lists[key], r[1:])
				}
			}
			b, err := json.Marshal(lists)
			require.NoError(t, err)
			m = newMachineIn(t, base.home, base.dir, strings.Trim(string(b), "{}"))
			machines[cols[1]] = m
		}
		tool, text, _ := strings.Cut(strings.TrimSpace(cols[2]), " ")
		input := map[string]any{}
		if strings.HasPrefix(text, "{") {
			require.NoError(t, json.Unmarshal([]byte(text), &input), line)
		} else {
			input[fields[tool]] = strings.NewReplacer("$PWD", base.dir, "$HOME", base.home).Replace(text)
		}
		in, err := json.Marshal(input)
		require.NoError(t, err)
		call := permission.Call{Tool: tool, Input: in, Dir: base.dir}
		for i, mode := range modes {
			st := permission.State{Mode: mode, Dir: base.dir, Classifier: true}
			ins, _ := m.eval.Inspect(context.Background(), st, call)
			d := m.eval.Decide(st, call, ins)
			got := map[permission.Verdict]string{permission.Allow: "A", permission.Deny: "D", permission.Ask: "?"}[d.Verdict]
			if mode == permission.ModeAuto && got == "?" && d.Asked&permission.ByClassifier != 0 {
				got = "C"
			}
			assert.Equal(t, want[i], got, "%s in %s: %s", line, mode, d.Text())
			rows++
		}
	}
	t.Logf("%d cells", rows)
}

// TestHooksInEachMode: what an allowing hook settles, and what it does not
// (https://code.claude.com/docs/en/permissions, hooks).
func TestHooksInEachMode(t *testing.T) {
	yes := permission.Opinion{From: permission.FromHook, Verdict: permission.Allow}
	no := permission.Opinion{From: permission.FromHook, Verdict: permission.Deny}
	m := newMachine(t, "mkdir .git; echo a > a.txt", `"ask":["Bash(git push *)"],"deny":["Bash(sudo *)"]`)
	for _, mode := range []permission.Mode{permission.ModeDefault, permission.ModeAcceptEdits, permission.ModePlan, permission.ModeDontAsk, permission.ModeBypass} {
		left := permission.Ask
		if mode == permission.ModeDontAsk {
			left = permission.Deny
		}
		for command, want := range map[string]permission.Verdict{"foo": permission.Allow, "touch .git/x": permission.Allow, "git push origin": left, "rm -rf /": left, "sudo ls": permission.Deny} {
			if mode == permission.ModePlan && want == permission.Allow {
				continue // not documented
			}
			st := permission.State{Mode: mode, Dir: m.dir}
			in, err := json.Marshal(map[string]string{"command": command})
			require.NoError(t, err)
			call := permission.Call{Tool: "Bash", Input: in, Dir: m.dir}
			ins, err := m.eval.Inspect(context.Background(), st, call)
			require.NoError(t, err)
			assert.Equal(t, want, m.eval.Decide(st, call, ins, yes).Verdict, "%s in %s after a hook's yes", command, mode)
			assert.Equal(t, permission.Deny, m.eval.Decide(st, call, ins, no).Verdict, "%s in %s after a hook's no", command, mode)
			assert.Equal(t, permission.Deny, m.eval.Decide(st, call, ins, yes, no).Verdict, "%s in %s after two hooks", command, mode)
		}
	}
}
