package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLines(t *testing.T) {
	var out bytes.Buffer
	in := "{\"id\":\"a\",\"command\":\"ls -la\"}\n\n{\"id\":2,\"command\":\"rm -rf \\u0000/\"}\n{\"command\":\"echo hi > out.txt\"}\n"
	require.NoError(t, run([]string{"-jsonl"}, strings.NewReader(in), &out))
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, got, 3)
	var v []answer
	for _, line := range got {
		var a answer
		require.NoError(t, json.Unmarshal([]byte(line), &a))
		v = append(v, a)
	}
	require.JSONEq(t, `"a"`, string(v[0].ID))
	require.True(t, v[0].ReadOnly)
	require.Equal(t, []string{"ls", "-la"}, v[0].Commands[0].Argv)
	require.JSONEq(t, `2`, string(v[1].ID))
	require.False(t, v[1].ReadOnly)
	require.False(t, v[1].Parsed)
	require.NotEmpty(t, v[1].Findings)
	require.False(t, v[2].ReadOnly)
	require.Contains(t, out.String(), `"write","target":"out.txt","exact":true`)
	require.NotContains(t, out.String(), "null,\"effects\"")
}

func TestExplains(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run([]string{"git status && rm -rf build"}, nil, &out))
	require.Contains(t, out.String(), "not provably read-only")
	require.Error(t, run(nil, nil, &out))
	require.Error(t, run([]string{"-shell", "fish", "ls"}, nil, &out))
	require.Error(t, run([]string{"-jsonl"}, strings.NewReader("{\"id\":1}\n"), &out))
}
