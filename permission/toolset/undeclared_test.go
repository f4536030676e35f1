package toolset_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
)

// TestUndeclaredInputs: what the input of an MCP tool means is not declared, and
// a rule allows the tool. Strings that name a denied file in some spelling are
// refused, and folders in which a rule names something ask; what people do all
// day runs. Without the deny rules all of it would run.
func TestUndeclaredInputs(t *testing.T) {
	const setup = `mkdir -p secrets/deep conf src docs/private lib; echo k > secrets/key; echo k > conf/prod.txt; echo k > list.txt; ln -s secrets linked; ln -s list.txt other`
	const deny = `"deny":["Read(secrets/**)","Edit(docs/private/**)","Read(list.txt)","Read(**/*.priv)","Read(**/conf/prod.txt)"],`
	guarded := newMachine(t, setup, deny+`"allow":["mcp__fs"]`)
	free := newMachineIn(t, guarded.home, guarded.dir, `"allow":["mcp__fs"]`)
	decide := func(m *machine, in string) permission.Decision {
		var input map[string]any
		require.NoError(t, json.Unmarshal([]byte(in), &input), in)
		d, _ := m.decide(t, permission.ModeDefault, "mcp__fs__do", input)
		return d
	}
	p, err := json.Marshal(filepath.ToSlash(guarded.dir))
	require.NoError(t, err)
	dir := string(p[1 : len(p)-1])
	for _, in := range []string{
		`{"path":"secrets"}`, `{"path":"./secrets"}`, `{"path":"src/../secrets"}`, `{"path":"linked"}`, `{"a":[{"b":["secrets"]}]}`, `{"path":"` + dir + `/secrets"}`,
		`{"path":"file://` + dir + `/secrets"}`, `{"path":"secrets/deep"}`, `{"path":" secrets "}`, `{"path":"secrets#x"}`, `{"path":"docs/private"}`, `{"path":"docs"}`, `{"a":"secrets","b":"src"}`,
		`{"dir":"secrets","name":"key"}`, `{"dir":"conf","name":"prod.txt"}`, `{"name":"prod.txt","dir":"` + dir + `/conf"}`, `{"dir":"linked","name":"key"}`,
		`{"path":"list.txt#L1"}`, `{"path":"list.txt?x=1"}`, `{"path":"list.txt:3:1"}`, `{"path":" list.txt"}`, `{"path":"list.txt\n"}`, `{"path":"file:list.txt"}`, `{"path":"file:` + dir + `/list.txt"}`,
		`{"path":"file://localhost` + dir + `/list.txt#L1"}`, `{"path":"file://` + dir + `/list%2Etxt?a"}`, `{"path":"other"}`, `{"path":"other#L1"}`, `{"path":"lib/a.priv#x"}`,
	} {
		d := decide(guarded, in)
		assert.NotEqual(t, permission.Allow, d.Verdict, in)
		d = decide(free, in)
		assert.Equal(t, permission.Allow, d.Verdict, "without the deny rules: %s: %s", in, d.Text())
	}
	for _, in := range []string{
		`{"path":"."}`, `{"path":"` + dir + `"}`, `{"path":"src"}`, `{"path":"lib"}`, `{"owner":"a","repo":"src","path":"README.md"}`, `{"q":"the secrets of list.txt and conf"}`, `{"path":"src/a.go#L10"}`, `{"n":3,"b":true}`,
		`{"query":"what is in secrets?"}`, `{"time":"10:30","url":"https://example.com/a#b"}`, `{"body":"first line\nsecrets\nlast"}`,
	} {
		d := decide(guarded, in)
		assert.Equal(t, permission.Allow, d.Verdict, "%s: %s", in, d.Text())
	}
	require.NoError(t, os.RemoveAll(filepath.Join(guarded.dir, "secrets")))
	assert.Equal(t, permission.Allow, decide(guarded, `{"topic":"secrets"}`).Verdict, "a word that names no folder is a word")
}
