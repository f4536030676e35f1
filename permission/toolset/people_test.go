package toolset_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
)

// TestSettingsPeopleHave reads the settings files in testdata/people.json, as
// people write them with their mistakes: Lint names each mistake and nothing
// else, and everyday commands are decided as the rules plainly say.
func TestSettingsPeopleHave(t *testing.T) {
	needs(t, "git")
	data, err := os.ReadFile("testdata/people.json")
	require.NoError(t, err)
	var people []struct {
		Name     string          `json:"name"`
		Managed  bool            `json:"managed"`
		Settings json.RawMessage `json:"settings"`
		Lint     []string        `json:"lint"`
		Allow    []string        `json:"allow"`
		Ask      []string        `json:"ask"`
		Deny     []string        `json:"deny"`
	}
	require.NoError(t, json.Unmarshal(data, &people))
	m := newMachine(t, `git init -q .; mkdir -p src tests cmd/app scripts secrets .venv/bin chart node_modules/x ../.aws ../.ssh ../.kube
echo '{"name":"x","scripts":{"test":"jest","lint":"eslint .","build":"tsc"}}' > package.json; echo 'module x' > go.mod; printf 'test:\n\techo\n' > Makefile
for f in src/app.ts README.md a.txt script.py scripts/load.py main.go run.sh requirements.txt .env server.pem secrets/k.txt ../.ssh/id_rsa ../.aws/credentials ../.zshrc .venv/bin/activate; do echo x > $f; done
printf '.env*\n*.pem\nsecrets\nnode_modules\n.venv\n' > .gitignore; git add -A; git commit -qm one; echo y >> a.txt; git commit -qam two`, "")
	calls := 0
	for _, p := range people {
		layer := permission.LayerUser
		if p.Managed {
			layer = permission.LayerManaged
		}
		policy, _ := permission.ParsePolicy(m.home, permission.Source{Layer: layer, Name: p.Name + ".json", Base: m.dir, Data: p.Settings})
		e := evaluatorOf(t, m, policy)
		lint := []string{}
		for _, l := range e.Lint() {
			lint = append(lint, l.Code+" "+l.Rule.Text)
			require.NotEmpty(t, l.Fix, "%s: %s", p.Name, l)
		}
		assert.ElementsMatch(t, p.Lint, lint, p.Name)
		for want, list := range map[permission.Verdict][]string{permission.Allow: p.Allow, permission.Ask: p.Ask, permission.Deny: p.Deny} {
			for _, c := range list {
				in, err := json.Marshal(map[string]string{"command": c})
				require.NoError(t, err)
				st := permission.State{Mode: policy.DefaultMode(), Dir: m.dir}
				call := permission.Call{Tool: "Bash", Input: in, Dir: m.dir}
				ins, err := e.Inspect(t.Context(), st, call)
				require.NoError(t, err)
				d := e.Decide(st, call, ins)
				assert.Equal(t, want, d.Verdict, "%s: %s: %s", p.Name, c, d.Text())
				calls++
			}
		}
	}
	require.GreaterOrEqual(t, calls, 200)
}
