//go:build linux

package bashcheck

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck/internal/oracle"
)

// TestOracleSeesTheGuard switches the guard off: the oracle then finds the
// hidden command of each parser differential. With the guard it finds none,
// because nothing is claimed about these texts.
func TestOracleSeesTheGuard(t *testing.T) {
	oracleNeeds(t, "bash")
	oracleNeeds(t, "zsh")
	a := New(Options{Home: oracle.Home})
	var texts []string
	for _, d := range differentials {
		texts = append(texts, d.src)
	}
	box := oracleBox(t, oracle.Options{Stubs: oracleStubs(texts, []string{"touch", "!touch=["}), Real: oracleReal})
	_, err := box.Run(oracle.Request{Put: oracleFiles(), Save: true})
	require.NoError(t, err)
	for _, d := range differentials {
		t.Run(d.name, func(t *testing.T) {
			shell, src := "bash", d.src
			if strings.HasPrefix(d.name, "P10 ") {
				// bash drops NUL bytes as the parser does; zsh runs what stands
				// before one.
				shell, src = "zsh", "touch\x00ed HIT"
			}
			if strings.HasPrefix(d.name, "P14 ") {
				// The stub of chmod makes nothing executable; the name that bash
				// looks for is recorded all the same.
				src = "!touch=[ HIT"
			}
			req := oracleCase{output: "w1\n"}.request(shell, src)
			req.Timeout = 10 * time.Second
			req.Env = oracleEnv()[:2] // no variable x
			res, err := box.Run(req)
			require.NoError(t, err)
			off := judgeRun(AnalyzeUnguarded(src), res)
			assert.NotEmpty(t, off, "the oracle does not notice that the guard is off: %v", res.Execs)
			t.Logf("guard off: %s", off)
			assert.Empty(t, judgeRun(a.Analyze(src), res))
		})
	}
}

// TestOracleHereDocumentInSubstitution: bash 5.2 loses the separator between the
// commands that follow a here-document in a substitution, so that uniq gets a
// second operand, which it writes.
func TestOracleHereDocumentInSubstitution(t *testing.T) {
	oracleNeeds(t, "bash")
	box := oracleBox(t, oracle.Options{Stubs: []string{"ls", "hit"}, Real: oracleReal})
	const src = "echo $(cat <<E\nE\nuniq /dev/null;hit)"
	res, err := box.Run(oracleCase{}.request("bash", src))
	require.NoError(t, err)
	if slices.ContainsFunc(res.Execs, func(e oracle.Exec) bool { return e.File == "hit" }) {
		t.Skip("this bash does not have the error of bash 5.2")
	}
	assert.Contains(t, res.Changes, oracle.Change{Path: "/w/hit", Op: "created"}, "uniq wrote the file")
	assert.NotEmpty(t, judgeRun(AnalyzeUnguarded(src), res), "the oracle notices it")
	assert.False(t, provable(Analyze(src)))
	for _, fine := range []string{"git log --grep=\"$(cat <<'E'\nx; y & z\nE\n)\"", "echo $(cat <<E | sort 2>&1\nE\n)", "echo $(ls; cat <<E\nx\nE\n)"} {
		assert.True(t, Analyze(fine).ReadOnly(), "%s: %s", fine, Analyze(fine).Explain())
	}
}

// TestOracleGeneratedSeesTheGuard shows the same for scripts that the generator
// makes by itself.
func TestOracleGeneratedSeesTheGuard(t *testing.T) {
	a := New(Options{Home: oracle.Home})
	run := oracleRun{name: "bash without the guard", shells: []string{"bash"}, analyze: AnalyzeUnguarded, seed: oracleSeed(t), count: 400, quick: true}
	failures := run.run(t, oracleSeeds(t))
	assert.NotEmpty(t, failures, "no generated script notices that the guard is off")
	for i, f := range failures {
		if i < 5 {
			t.Logf("%s: %q", f.problem, f.c.src)
		}
		r := a.Analyze(f.c.src)
		if slices.ContainsFunc(r.Commands, func(c Command) bool { return c.Parent != 0 }) {
			continue // what a wrapper runs is no matter of the guard, and the parser alone does not know it
		}
		assert.False(t, r.ReadOnly(), "%q", f.c.src)
	}
}
