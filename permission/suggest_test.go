package permission_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clearance-go/clearance/bashcheck"
	. "github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/internal/vectortest"
	"github.com/clearance-go/clearance/permission/toolset"
	"github.com/clearance-go/clearance/scope"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// offline inspects for a machine that does not exist.
func offline(t testing.TB) *toolset.Tools {
	files, err := scope.NewLexical(proj, scope.Options{Home: "/home/u"}, nil)
	require.NoError(t, err)
	tools, err := toolset.NewWith(toolset.Options{Files: files, Offline: true, Analyzer: bashcheck.New(bashcheck.Options{Home: "/home/u"}), Assume: bashcheck.SafeEnvAssumptions()})
	require.NoError(t, err)
	return tools
}

func bashCall(text string) Call {
	b, _ := json.Marshal(map[string]string{"command": text})
	return Call{Tool: "Bash", Input: b, Dir: proj}
}

// vectorCommands reads the commands of a file of vectors.
func vectorCommands(t testing.TB, name string) map[string]string {
	f, err := os.Open(filepath.Join(vectortest.Dir(t), name))
	require.NoError(t, err)
	defer f.Close()
	out := map[string]string{}
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 4<<20)
	for sc.Scan() {
		var v struct{ ID, Command string }
		require.NoError(t, json.Unmarshal(sc.Bytes(), &v))
		out[v.ID] = v.Command
	}
	require.NoError(t, sc.Err())
	require.Greater(t, len(out), 100)
	return out
}

// TestSuggestionsOpenNothing: a person who keeps every suggestion for every
// everyday command has not let one hostile command through.
func TestSuggestionsOpenNothing(t *testing.T) {
	ctx := context.Background()
	tools := offline(t)
	st := State{Dir: proj}
	plain := eval(t, tools, `{}`)
	from := map[string]string{}
	asked, offered, wild := 0, 0, 0
	everyday := vectorCommands(t, "bash-benign.jsonl")
	for _, text := range everyday {
		call := bashCall(text)
		ins, _ := plain.Inspect(ctx, st, call)
		if plain.Decide(st, call, ins).Verdict != Ask {
			continue
		}
		asked++
		rules := plain.Suggest(st, call, ins)
		if rules == nil {
			continue
		}
		offered++
		require.LessOrEqual(t, len(rules), 5)
		p, err := plain.Policy().With(LayerSession, proj, Allow, rules...)
		require.NoError(t, err, "%q", rules)
		e, err := New(Config{Policy: p, Inspector: tools})
		require.NoError(t, err)
		require.Equal(t, Allow, e.Decide(st, call, ins).Verdict, "%q does not settle %q", rules, text)
		if testing.Verbose() {
			t.Logf("%-50q %q", text, rules)
		}
		for _, r := range rules {
			from[r] = text
			if strings.Contains(r, "*") {
				wild++
			}
			require.NotContains(t, r, "\n")
		}
	}
	t.Logf("%d everyday commands ask, %d offer rules, %d of the rules have a wildcard", asked, offered, wild)
	require.Positive(t, wild)
	var all []string
	for r := range from {
		// Rules for paths name one file each, and the vectors have few names.
		if strings.HasPrefix(r, "Bash(") {
			all = append(all, r)
		}
	}
	p, err := plain.Policy().With(LayerSession, proj, Allow, all...)
	require.NoError(t, err)
	open, err := New(Config{Policy: p, Inspector: tools})
	require.NoError(t, err)
	// The approved "rm f" itself, behind one of the documented transparent
	// wrappers.
	same := map[string]bool{"stdbuf -oL rm f": true}
	for id, text := range vectorCommands(t, "bash-bypass.jsonl") {
		call := bashCall(text)
		ins, _ := plain.Inspect(ctx, st, call)
		if plain.Decide(st, call, ins).Verdict == Allow || everydayHas(everyday, text) || same[text] {
			continue
		}
		if d := open.Decide(st, call, ins); d.Verdict == Allow {
			for _, r := range d.Reasons {
				if r.Rule != nil {
					t.Logf("  %s was offered for %q", r.Rule.Text, from[r.Rule.Text])
				}
			}
			t.Errorf("%s: %q is allowed by what everyday commands offered", id, text)
		}
	}
}

func everydayHas(m map[string]string, text string) bool {
	for _, x := range m {
		if x == text {
			return true
		}
	}
	return false
}

// TestSuggestions holds what is offered for particular commands.
func TestSuggestions(t *testing.T) {
	ctx := context.Background()
	tools := offline(t)
	st := State{Dir: proj}
	for text, want := range map[string][]string{
		"python3 x.py":                   nil,
		"python3 <<'E'\nx\nE":            nil,
		"foo | bar":                      nil,
		"foo < x":                        nil,
		"source x":                       nil,
		"ssh h":                          nil,
		"rm x":                           {"Bash(rm x)"},
		"git add x":                      {"Bash(git add *)"},
		"npm run build":                  {"Bash(npm run build)"},
		"bash -c 'foo'":                  nil,
		"sudo ls x":                      nil,
		"curl https://a.org":             nil,
		"curl -d @x https://a.org":       nil,
		"foo $X":                         nil,
		"foo *":                          nil,
		"foo && bar":                     {"Bash(bar)", "Bash(foo)"},
		"a1; a2; a3; a4; a5; a6":         nil,
		"cat <<'E' > out.txt\nsecret\nE": {"Edit(//home/u/proj/out.txt)"},
		"ls > 'a*b[c'":                   {`Edit(//home/u/proj/a\*b\[c)`},
		"timeout 5 foo":                  {"Bash(foo)"},
		"env X=1 foo":                    nil,
		"rm -rf /":                       nil,
		"echo x > .git/config":           nil,
		"ls":                             nil,
	} {
		e := eval(t, tools, `{}`)
		call := bashCall(text)
		ins, _ := e.Inspect(ctx, st, call)
		got := e.Suggest(st, call, ins)
		assert.ElementsMatch(t, want, got, "%q", text)
	}
	// Where managed settings own the rules, nothing is offered.
	p, err := ParsePolicy("/home/u", Source{Layer: LayerManaged, Name: "m", Data: []byte(`{"allowManagedPermissionRulesOnly":true}`)})
	require.NoError(t, err)
	e, err := New(Config{Policy: p, Inspector: tools})
	require.NoError(t, err)
	ins, _ := e.Inspect(ctx, st, bashCall("foo"))
	require.Empty(t, e.Suggest(st, bashCall("foo"), ins))
	require.Empty(t, eval(t, tools, `{}`).Suggest(State{Dir: proj, Mode: ModePlan}, bashCall("foo"), ins))
}
