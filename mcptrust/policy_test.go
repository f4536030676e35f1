package mcptrust

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPolicySources(t *testing.T) {
	node := Server{Name: "a", Transport: Stdio, Command: Literal("node"), Args: Literals("a.js")}
	evil := Server{Name: "evil", Transport: Stdio, Command: Literal("evil")}
	managed := PolicySource{File: "managed.json", Managed: true, Data: []byte("{\n\"allowedMcpServers\":\n[{\"serverCommand\":[\"node\",\"a.js\"]}]}")}
	load := func(sources ...PolicySource) *Policy {
		p, err := LoadPolicy(sources)
		require.NoError(t, err)
		return p
	}
	v := load(managed).Evaluate(node)
	assert.True(t, v.Allowed)
	assert.Equal(t, "managed.json", v.File)
	assert.Equal(t, 3, v.Line)

	// A repository cannot put its server on the list; the user's file can.
	wish := []byte(`{"allowedMcpServers":[{"serverCommand":["evil"]}]}`)
	assert.True(t, load(managed, PolicySource{File: "user.json", Data: wish}).Evaluate(evil).Allowed, "as documented, user lists merge")
	assert.False(t, load(managed, PolicySource{File: ".claude/settings.json", Project: true, Data: wish}).Evaluate(evil).Allowed)
	assert.False(t, load(managed, PolicySource{File: ".claude/settings.json", Project: true, Data: wish}).Evaluate(node).Allowed, "it narrows")
	assert.True(t, load(PolicySource{Project: true, Data: wish}).Evaluate(evil).Allowed)
	assert.False(t, load(PolicySource{Project: true, Data: wish}).Evaluate(node).Allowed)
	assert.False(t, load(PolicySource{Project: true, Data: []byte(`{"deniedMcpServers":[{"serverName":"a"}]}`)}).Evaluate(node).Allowed)

	only := []byte(`{"allowManagedMcpServersOnly":true}`)
	assert.True(t, load(PolicySource{Project: true, Managed: true, Data: only}, PolicySource{Data: wish}).Evaluate(evil).Allowed, "a project's file is never managed")
	for _, bad := range []string{`{"deniedMcpServers":"x"}`, `{"deniedMcpServers":[{"serverName":""}]}`, `{`, `[]`} {
		p, err := LoadPolicy([]PolicySource{{File: "x", Data: []byte(bad)}})
		require.Error(t, err, bad)
		v := p.Evaluate(node)
		assert.False(t, v.Allowed, bad)
		assert.Equal(t, CodePolicyInvalidDeny, v.Reason.Code)
		assert.Equal(t, "x", v.File)
	}
}
