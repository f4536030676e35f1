//go:build linux

package bashcheck

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck/internal/oracle"
)

// playerBox is a sandbox with stubs and the program that runs texts by
// package checkedrun.
func playerBox(t testing.TB, stubs []string) (box *oracle.Sandbox, player string) {
	t.Helper()
	player = filepath.Join(t.TempDir(), "player")
	cmd := exec.Command("go", "build", "-o", player, "./checkedrun/internal/player")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	box = oracleBox(t, oracle.Options{Stubs: stubs, Real: oracleReal, ReadOnly: []string{player}})
	_, err = box.Run(oracle.Request{Put: oracleFiles(), Save: true})
	require.NoError(t, err)
	return box, player
}

// play runs a case by the player; what it executed must have been reported.
func play(t testing.TB, box *oracle.Sandbox, player string, c oracleCase) oracle.Result {
	t.Helper()
	res, err := box.Run(oracle.Request{Argv: []string{player, c.src}, Env: oracleEnv(), Timeout: 2 * time.Second, Output: c.output, FailMod: c.fail})
	require.NoError(t, err)
	for i := range res.Execs {
		res.Execs[i].Env = slices.DeleteFunc(res.Execs[i].Env, func(v string) bool { return strings.HasPrefix(v, "CLEARANCE_RUN=") })
	}
	if problem := judgeRun(c.rep, res); problem != "" {
		t.Errorf("checkedrun: %s\n  %q", problem, c.src)
	}
	return res
}

// TestOraclePlayer runs generated scripts by checkedrun and by bash: nothing is
// executed that was not reported. It prints how many were run, and how many of
// these executed the same.
func TestOraclePlayer(t *testing.T) {
	a := New(Options{Home: oracle.Home})
	run := oracleRun{name: "player", analyze: a.Analyze, seed: oracleSeed(t), count: 60}
	if os.Getenv("CI") == "true" {
		run.count = 1500
	}
	list, _ := run.cases(oracleSeeds(t))
	var texts []string
	for _, c := range list {
		texts = append(texts, c.src)
	}
	box, player := playerBox(t, oracleStubs(texts))
	ran, same, unsupported, refused, failed := 0, 0, 0, 0, 0
	for _, c := range list {
		if strings.Contains(c.src, "\x00") {
			continue
		}
		c.stdin = false
		res := play(t, box, player, c)
		switch res.Status {
		case oracle.PlayerUnsupported:
			unsupported++
			require.Empty(t, res.Execs, "something was executed before it was refused: %q", c.src)
			continue
		case oracle.PlayerRefused:
			refused++
			continue
		case oracle.PlayerFailed:
			failed++
			continue
		}
		ran++
		want, err := box.Run(c.request("bash", c.src))
		require.NoError(t, err)
		argv := func(list []oracle.Exec) (out []string) {
			for _, e := range list {
				out = append(out, strings.Join(e.Argv, "\x00"))
			}
			slices.Sort(out)
			return out
		}
		if slices.Equal(argv(res.Execs), argv(want.Execs)) {
			same++
		} else {
			t.Logf("other programs than bash: %q\n  here %q\n  bash %q", c.src, argv(res.Execs), argv(want.Execs))
		}
	}
	t.Logf("player: %d scripts: %d run, %d of them execute the same as bash, %d unsupported, %d refused while they ran, %d failed", len(list), ran, same, unsupported, refused, failed)
	require.Greater(t, ran, len(list)/5)
}

// FuzzPlayer is for hours: go test -fuzz FuzzPlayer ./bashcheck. The number
// chooses a script of the generator.
func FuzzPlayer(f *testing.F) {
	oracleNeeds(f, "bwrap")
	a := New(Options{Home: oracle.Home})
	seeds := oracleSeeds(f)
	box, player := playerBox(f, oracleStubs(oracleNames, oracleShapes, oracleFragments, seeds))
	for n := range uint64(10) {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, n uint64) {
		src := (&oracleGen{rand.New(rand.NewPCG(n, 1)), seeds}).script()
		rep := a.Analyze(src)
		if !provable(rep) || len(src) > 2000 || strings.Contains(src, "\x00") {
			return
		}
		play(t, box, player, oracleCase{src: src, rep: rep, output: "w1 w2\n"})
	})
}
