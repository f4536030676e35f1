package bashcheck_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck"
)

func TestDigest(t *testing.T) {
	a := bashcheck.New(bashcheck.Options{})
	rep := a.Analyze("ls -la")
	require.Regexp(t, "^[0-9a-f]{64}$", rep.Digest())
	require.Equal(t, rep.Digest(), bashcheck.New(bashcheck.Options{}).Analyze("ls -la").Digest(), "the same question has one digest")
	require.Equal(t, rep.Digest(), bashcheck.New(bashcheck.Options{Limits: bashcheck.Limits{Depth: 20}}).Analyze("ls -la").Digest(), "a default that is written out is the default")

	b, err := json.Marshal(rep)
	require.NoError(t, err)
	var back bashcheck.Report
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, rep.Digest(), back.Digest())

	// Everything that another report may come from is another digest.
	seen := map[string]string{rep.Digest(): "the first"}
	other := func(name, digest string) {
		require.NotEmpty(t, digest, name)
		require.NotContains(t, seen, digest, "%s is the same as %s", name, seen[digest])
		seen[digest] = name
	}
	other("text", a.Analyze("ls -la ").Digest())
	other("empty text", a.Analyze("").Digest())
	other("no program", a.Analyze("(").Digest())
	for name, o := range map[string]bashcheck.Options{
		"shell": {Shell: bashcheck.POSIX}, "home": {Home: "/home/u"}, "var": {Vars: map[string]string{"A": "b"}}, "vars": {Vars: map[string]string{"A": "b", "C": ""}},
		"var split elsewhere": {Vars: map[string]string{"Ab": ""}}, "limit": {Limits: bashcheck.Limits{Bytes: 7}}, "another limit": {Limits: bashcheck.Limits{Depth: 7}},
		"programs": {Programs: []bashcheck.Source{{Name: "x", Text: "broken {"}}}, "programs' name": {Programs: []bashcheck.Source{{Name: "y", Text: "broken {"}}},
	} {
		other(name, bashcheck.New(o).Analyze("ls -la").Digest())
	}
	// What nobody judged has none.
	require.Empty(t, bashcheck.Report{}.Digest())
	require.Empty(t, bashcheck.Report{Source: "ls -la", Parsed: true}.Digest())
}
