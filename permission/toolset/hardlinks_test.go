package toolset_test

import (
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
)

// TestHardLinks: a second name of a file that a rule denies, as an unpacked
// archive can make it, is the file.
func TestHardLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the number of names of a file is not looked at here")
	}
	// The names are made by tar, as an attacker would have them made.
	const setup = `mkdir -p ../.ssh docs sub/deep pack && echo TOP-SECRET > .env && echo TOP-SECRET > ../.ssh/id_rsa && echo TOP-SECRET > sub/deep/key.txt && echo KEEP > notes.md && echo open > a.txt && ln a.txt b.txt
(cd pack && echo x > .env && ln .env notes.txt && tar cf ../x.tar .env notes.txt && tar --delete -f ../x.tar .env); tar xf x.tar; ln ../.ssh/id_rsa docs/r.txt; ln sub/deep/key.txt k.txt; ln notes.md n2.md; rm -r pack`
	m := newMachine(t, setup, `"allow":["Bash(python3 *)","Edit(/n2.md)"],"deny":["Read(./.env)","Read(sub/deep/key.txt)","Edit(./notes.md)"]`)
	free := newMachine(t, setup, "")
	for _, name := range []string{"notes.txt", "k.txt"} {
		require.Contains(t, m.output(t, "cat "+name), "TOP-SECRET", "with nothing in between it shows the secret")
		d, _ := m.decide(t, permission.ModeBypass, "Read", map[string]any{"file_path": filepath.Join(m.dir, name)})
		assert.Equal(t, permission.Deny, d.Verdict, "%s: %s", name, d.Text())
		for _, c := range []string{"cat " + name, "head -1 < " + name, "cp " + name + " out", "cat *.txt", "grep -r TOP .", "python3 -c 'print(open(\"" + name + "\").read())'"} {
			d = m.command(t, permission.ModeBypass, c)
			assert.NotEqual(t, permission.Allow, d.Verdict, "%s: %s", c, d.Text())
		}
	}
	// With no rule, a secret is one under each of its names.
	for _, name := range []string{"notes.txt", "docs/r.txt"} {
		d := free.command(t, permission.ModeDefault, "cat "+name)
		assert.Equal(t, permission.Ask, d.Verdict, "%s: %s", name, d.Text())
	}
	d, _ := m.decide(t, permission.ModeDefault, "Edit", map[string]any{"file_path": filepath.Join(m.dir, "n2.md"), "old_string": "a", "new_string": "b"})
	assert.Equal(t, permission.Deny, d.Verdict, d.Text())
	assert.Equal(t, permission.Deny, m.command(t, permission.ModeAcceptEdits, "echo x > n2.md").Verdict)
	// Two ordinary names of one file are nothing special.
	for _, c := range []string{"cat b.txt", "cat a.txt b.txt", "grep x b.txt"} {
		d := m.command(t, permission.ModeDefault, c)
		assert.Equal(t, permission.Allow, d.Verdict, "%s: %s", c, d.Text())
	}
}
