package toolset_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
)

// TestStarBehindASlash: an allow rule for what lies in a directory does not
// cover a path that leads out of it. Each of the first commands runs x.py, which
// lies beside the directory, when nothing is in between.
func TestStarBehindASlash(t *testing.T) {
	needs(t, "python3")
	const setup = `mkdir -p src/sub 'src/a b'; echo 'print("OUTSIDE")' > x.py; echo 'print("inside")' > src/a.py; cp src/a.py src/sub/b.py; cp src/a.py src/a..b.py; cp src/a.py src/..c.py; cp src/a.py 'src/a b/c.py'`
	m := newMachine(t, setup, `"allow":["Bash(python3 src/*)","Bash(python3 ./src/*.py)","Bash(./src/*)"]`)
	for _, c := range []string{
		"python3 src/../x.py", "python3 src//../x.py", "python3 src/./../x.py", "python3 src/sub/../../x.py", "python3 src/'..'/x.py", "python3 src/\"..\"/x.py", "python3 'src/../x.py'", "python3 \"src/..\"/x.py", "python3 src/\\.\\./x.py", "python3 src/.\\./x.py",
		"python3 src/.\"\"./x.py", "python3 src/$'..'/x.py", "python3 src/$'\\x2e.'/x.py", "python3 src/{..,nothing}/x.py", "python3 src/.{.,x}/x.py", "python3 src/{sub/..,x}/../x.py", "python3 src/.*/x.py", "python3 src/.?/x.py", "x=..; python3 src/$x/x.py", "python3 src/$(echo ..)/x.py",
		"python3 src/`echo ..`/x.py", "python3 ./src/../x.py", "python3 src/sub/../../src/../x.py", "timeout 5 python3 src/../x.py", "python3 src/../x.py && echo", "echo a | python3 src/../x.py", "python3  src/../x.py", "python3 src/..//x.py", "python3 src/\\\n../x.py", "for d in ..; do python3 src/$d/x.py; done",
	} {
		d := m.command(t, permission.ModeDefault, c)
		assert.Equal(t, permission.Ask, d.Verdict, "%s: %s", c, d.Text())
		if !strings.Contains(c, "src/.*") && !strings.Contains(c, "src/.?") { // bash 5.2 leaves "..": globskipdots
			assert.Contains(t, m.output(t, c), "OUTSIDE", c)
		}
	}
	d := m.command(t, permission.ModeDefault, "python3 src/../x.py")
	assert.Contains(t, d.Text(), "leads up with ..")
	assert.Contains(t, d.Text(), "Bash(python3 src/*)")
	for _, c := range []string{
		"python3 src/a.py", "python3 src/sub/b.py", "python3 src/a.py ../data.csv", "python3 src/a.py --out ../x", "python3 ./src/a.py", "python3 src/a..b.py", "python3 src/..c.py", "python3 src/a.py 'a/../b'", "python3 src/*.py",
		"python3 src/{a,sub/b}.py", "python3 src/a.py \"$x\"", "cd . && python3 src/a.py",
	} {
		d := m.command(t, permission.ModeDefault, c)
		assert.Equal(t, permission.Allow, d.Verdict, "%s: %s", c, d.Text())
	}
	// What the rule itself spells is meant, and deny rules read the star wide.
	m = newMachine(t, setup+"; mkdir in", `"allow":["Bash(python3 in/../src/*)","Bash(python3 src/../x.py)","Bash(git log origin/*..HEAD)","Bash(curl https://example.com/*)","Bash(git diff main..*)"]`)
	for _, c := range []string{"python3 in/../src/a.py", "python3 src/../x.py", "git diff main..topic"} {
		d := m.command(t, permission.ModeDefault, c)
		assert.Equal(t, permission.Allow, d.Verdict, "%s: %s", c, d.Text())
	}
	assert.Equal(t, permission.Ask, m.command(t, permission.ModeDefault, "python3 in/../src/../x.py").Verdict)
	m = newMachine(t, setup, `"allow":["Bash"],"deny":["Bash(python3 src/*)"]`)
	d = m.command(t, permission.ModeDefault, "python3 src/../x.py")
	require.Equal(t, permission.Deny, d.Verdict, d.Text())
}
