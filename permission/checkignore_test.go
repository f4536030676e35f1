package permission

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCheckIgnore compares the matcher with git's own, pattern by pattern: the
// wide form (deny, ask) with equality, the narrow form (allow) as a subset.
func TestCheckIgnore(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is missing")
		}
		t.Skip("git is missing, so there is nothing to compare with")
	}
	patterns, paths := 400, 50
	if os.Getenv("CI") == "true" {
		patterns, paths = 5000, 200
	}
	r := rand.New(rand.NewPCG(11, 4))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	root := t.TempDir()
	env := append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "HOME="+root)
	run := func(in []byte, args ...string) []byte {
		cmd := exec.Command(git, args...)
		cmd.Dir, cmd.Env, cmd.Stdin = root, env, bytes.NewReader(in)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if ee, ok := err.(*exec.ExitError); ok && ee.ExitCode() == 1 {
			err = nil // nothing is ignored
		}
		require.NoError(t, err, "%s", stderr.String())
		return out
	}
	run(nil, "init", "-q")
	run(nil, "config", "core.ignorecase", "false")

	type pair struct {
		pattern string
		path    string
	}
	var pairs []pair
	var in bytes.Buffer
	for n := range patterns {
		var b strings.Builder
		for range 1 + r.IntN(6) {
			b.WriteString(pick("a", "b", "ab", ".", "-", "*", "*", "**", "?", "/", "/", "[ab]", "[!a]", "[^b]", "[a-c]", "[]a]", `\a`, `\*`, "**/", "/**", "[[:alpha:]]", "a*"))
		}
		pattern := b.String()
		dir := fmt.Sprintf("d%05d", n)
		require.NoError(t, os.Mkdir(filepath.Join(root, dir), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, dir, ".gitignore"), []byte(pattern+"\n"), 0o644))
		for range paths {
			var p []string
			for range 1 + r.IntN(4) {
				name := pick("a", "b", "ab", "a.b", "-", "aa", "ba", "c", ".a", "*", "abab", "]a")
				p = append(p, name)
			}
			path := strings.Join(p, "/")
			pairs = append(pairs, pair{pattern, path})
			in.WriteString(dir + "/" + path + "\x00")
		}
	}
	fields := strings.Split(strings.TrimSuffix(string(run(in.Bytes(), "check-ignore", "--no-index", "--stdin", "-z", "-v", "-n")), "\x00"), "\x00")
	require.Len(t, fields, 4*len(pairs))
	matched, refused, differ := 0, 0, map[string]int{}
	for i, p := range pairs {
		want := fields[4*i+2] != ""
		if want {
			matched++
		}
		wide, err := compilePathPattern(p.pattern, true)
		got := wide.match(p.path, false)
		if want && errors.Is(err, errPatternSlashes) && strings.Contains(p.pattern, "*//") {
			// Git takes "a**//b" for "a**/b"; here it is an error of the rule,
			// and a deny or ask rule with an error asks for everything.
			refused++
			continue
		}
		if got != want {
			what := fmt.Sprintf("%q: git %v, we %v (%v)", p.pattern, want, got, err)
			if differ[what]++; differ[what] == 1 && len(differ) < 30 {
				t.Logf("%s for instance on %q", what, p.path)
			}
		}
		if narrow, err := compilePathPattern(p.pattern, false); err == nil && narrow.match(p.path, false) && !want {
			t.Errorf("the narrow form of %q matches %q and git does not", p.pattern, p.path)
		}
	}
	t.Logf("%d pairs, %d match, %d refused here and honoured by git (an empty segment after stars), %d patterns differ", len(pairs), matched, refused, len(differ))
	require.Greater(t, matched, len(pairs)/50)
	require.Empty(t, differ)
}
