package bashcheck

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDescriptions(t *testing.T) {
	seen := map[*program]bool{}
	names := 0
	for _, p := range everyProgram() {
		names++
		if seen[p] {
			continue
		}
		seen[p] = true
		for _, e := range p.examples {
			r := Analyze(e.command)
			assert.Equal(t, e.yes, r.ReadOnly(), "%s:%d: %s: %s %v", e.file, e.line, e.command, r.Explain(), r.Findings)
		}
	}
	t.Logf("%d program names, %d descriptions", names, len(seen))
}

type vector struct {
	ID      string   `json:"id"`
	Command string   `json:"command"`
	Expect  string   `json:"expect"`
	Shell   string   `json:"shell"`
	Tags    []string `json:"tags"`
}

func vectorDir(t *testing.T) string {
	if d := os.Getenv("CLEARANCE_VECTORS"); d != "" {
		return d
	}
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	for _, d := range []string{filepath.Join(dir, "..", "shared", "vectors"), filepath.Join(dir, "..", "..", "shared", "vectors")} {
		if _, err := os.Stat(d); err == nil {
			return d
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("the vector files are missing: set CLEARANCE_VECTORS")
	}
	t.Skip("the vector files are missing: set CLEARANCE_VECTORS to their folder")
	return ""
}

func exceptions(t *testing.T) map[string]string {
	out := map[string]string{}
	data, err := os.ReadFile("testdata/vector-exceptions.txt")
	if os.IsNotExist(err) {
		return out
	}
	require.NoError(t, err)
	for line := range strings.SplitSeq(string(data), "\n") {
		if id, reason, ok := strings.Cut(line, ": "); ok && !strings.HasPrefix(line, "#") {
			out[id] = reason
		}
	}
	return out
}

func TestVectors(t *testing.T) {
	dir := vectorDir(t)
	except := exceptions(t)
	// The bounds: nothing that changes something may be called read-only.
	const maxMissed = 0
	for _, name := range []string{"bash-bypass.jsonl", "bash-benign.jsonl"} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skipf("the vector file %s is missing", name)
		}
		defer f.Close()
		passed, failed, skipped, missed, needless, wanted := 0, 0, 0, 0, 0, 0
		var failing []string
		sc := bufio.NewScanner(f)
		sc.Buffer(nil, 1<<20)
		for sc.Scan() {
			var v vector
			require.NoError(t, json.Unmarshal(sc.Bytes(), &v))
			tagged := func(tags ...string) bool {
				for _, a := range v.Tags {
					for _, b := range tags {
						if a == b {
							return true
						}
					}
				}
				return false
			}
			if _, ok := except[v.ID]; ok {
				skipped++
				continue
			}
			a := New(Options{Shell: map[string]Dialect{"zsh": Zsh, "dash": POSIX, "sh": POSIX}[v.Shell]})
			r := a.Analyze(v.Command)
			ok := r.ReadOnly() == (v.Expect == "readonly")
			uncounted := tagged("policy") || v.Expect == "readonly" && tagged("debatable", "remote-read")
			if uncounted {
				skipped++
				continue
			}
			if v.Expect == "readonly" {
				wanted++
			}
			if ok {
				passed++
				continue
			}
			failed++
			why := r.Explain()
			if v.Expect == "readonly" {
				needless++
			} else {
				missed++
			}
			failing = append(failing, fmt.Sprintf("%s %q: %s", v.ID, v.Command, why))
		}
		fmt.Printf("vectors %s: %d passed, %d failed, %d skipped\n", name, passed, failed, skipped)
		fmt.Printf("  missed %d, needless %d of %d\n", missed, needless, wanted)
		for _, l := range failing {
			fmt.Println("  " + l)
		}
		assert.LessOrEqual(t, missed, maxMissed, name)
	}
}
