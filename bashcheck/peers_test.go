package bashcheck

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A peer is a command with what another agent decides for it, and with what would
// be right where that is wrong (research: peers).
type peer struct {
	ID      string `json:"id"`
	Command string `json:"command"`
	Verdict string `json:"peer_verdict"`
	Should  string `json:"should"`
	// ShouldBe is the same in the file of one agent.
	ShouldBe string          `json:"should_be"`
	Rules    json.RawMessage `json:"rules"`
}

// refused are the words of other agents for what does not run unasked.
var refused = []string{"ask", "deny", "prompt", "forbidden", "dangerous", "unsafe"}

// TestPeers compares with what other agents decide. Where their own reporters say
// that a command must not run unasked, it is not read-only here either; otherwise
// the numbers are a report, because a peer's verdict is not a rule for ours.
func TestPeers(t *testing.T) {
	dir := vectorDir(t)
	except := exceptions(t)
	for _, name := range []string{"peer-codex.jsonl", "peer-others.jsonl"} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skipf("the vector file %s is missing", name)
		}
		defer f.Close()
		must, wrong, argued, theyAsk, theyAllow := 0, 0, 0, 0, 0
		a := New(Options{})
		sc := bufio.NewScanner(f)
		sc.Buffer(nil, 1<<20)
		for sc.Scan() {
			var p peer
			require.NoError(t, json.Unmarshal(sc.Bytes(), &p))
			rep := a.Analyze(p.Command)
			readOnly := rep.ReadOnly()
			switch {
			case slices.Contains(refused, p.Should) || slices.Contains(refused, p.ShouldBe):
				must++
				if _, ok := except[p.ID]; ok {
					argued++
				} else if !assert.False(t, readOnly, "%s %q", p.ID, p.Command) {
					wrong++
				}
			case p.Rules != nil: // about a person's rules, not about the command
			case slices.Contains(refused, p.Verdict) && readOnly:
				theyAsk++
			case slices.Contains([]string{"allow", "safe", "read-only"}, p.Verdict) && !readOnly:
				theyAllow++
			}
		}
		require.NoError(t, sc.Err())
		require.NotZero(t, must, name)
		fmt.Printf("vectors %s: %d passed, %d failed, %d skipped\n", name, must-wrong-argued, wrong, argued)
		fmt.Printf("  of the others, read-only where the peer asks: %d, not where it allows: %d\n", theyAsk, theyAllow)
	}
}
