package checkedrun_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck/checkedrun"
)

// TestBenignCorpus compares with a real bash: the same output and status for
// every command of the corpus that is run here, and prints the share.
func TestBenignCorpus(t *testing.T) {
	commands := corpus(t)
	bash, err := exec.LookPath("bash")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("bash is not installed")
		}
		t.Skip("bash is not installed: there is nothing to compare with")
	}
	same, refused, different := 0, 0, 0
	for _, text := range commands {
		rep := analyzer.Analyze(text)
		if !rep.ReadOnly() {
			continue
		}
		dir := project(t)
		var out bytes.Buffer
		o := granted(text, dir)
		o.Stdout = &out
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		status, err := checkedrun.Run(ctx, rep, o)
		cancel()
		if errors.Is(err, checkedrun.ErrUnsupported) {
			refused++
			t.Logf("refused: %q: %v", text, err)
			continue
		}
		if err != nil {
			refused++
			t.Logf("refused while it ran: %q: %v", text, err)
			continue
		}
		cmd := exec.Command(bash, "--noprofile", "--norc", "-c", text)
		cmd.Dir, cmd.Env = dir, env()
		want, _ := cmd.Output()
		if cmd.ProcessState.ExitCode() == status && (string(want) == out.String() || volatile(text)) {
			same++
			continue
		}
		different++
		t.Errorf("%q: status %d, bash %d\n%s\n-- bash --\n%s", text, status, cmd.ProcessState.ExitCode(), out.String(), want)
	}
	total := same + refused + different
	require.NotZero(t, total)
	share := 100 * float64(same+different) / float64(total)
	t.Logf("checkedrun: %d of %d read-only commands run (%.1f %%), %d the same as bash", same+different, total, share, same)
	require.GreaterOrEqual(t, share, 90.0)
}

// volatile commands print clocks, process lists and sizes that change between
// two runs.
func volatile(text string) bool {
	for _, w := range []string{"date", "ps", "uptime", "free", "top", "df", "du", "ss", "lsof", "pgrep", "who", "w", "dmesg", "docker", "kubectl", "/proc", "stat", "ls -l", "id", "nproc", "$$", "mktemp", "RANDOM"} {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

func corpus(t *testing.T) []string {
	t.Helper()
	dir := os.Getenv("CLEARANCE_VECTORS")
	for up := "."; dir == ""; up = filepath.Join("..", up) {
		if _, err := os.Stat(filepath.Join(up, "go.mod")); err == nil {
			dir = filepath.Join(up, "..", "shared", "vectors")
		} else if len(up) > 40 {
			break
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "bash-benign.jsonl"))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("no test vectors: set CLEARANCE_VECTORS to their folder, or put shared/vectors beside the module")
	}
	var out []string
	for _, line := range strings.Split(string(data), "\n") {
		if line == "" {
			continue
		}
		var v struct{ Command, Expect string }
		require.NoError(t, json.Unmarshal([]byte(line), &v))
		if v.Expect == "readonly" {
			out = append(out, v.Command)
		}
	}
	return out
}
