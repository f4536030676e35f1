package toolset_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
)

// TestOptionsBeforeTheSubCommand: a deny or ask rule for a sub-command holds
// whatever options of the program stand before it, and an allow rule does not
// look past them.
func TestOptionsBeforeTheSubCommand(t *testing.T) {
	m := newMachine(t, "", `"allow":["Bash"],"ask":["Bash(git push *)"],"deny":["Bash(npm publish *)","Bash(docker rm *)","Bash(kubectl delete *)","Bash(git commit --amend *)"]`)
	for c, want := range map[string]permission.Verdict{
		"git -c a.b=c push": permission.Ask, "git -C . push origin": permission.Ask, "git --no-pager push origin main": permission.Ask, "git -C . -c a.b=c -p push": permission.Ask, "git --git-dir=.git push": permission.Ask,
		"git --git-dir .git push": permission.Ask, `git -c "a.b=$x" push`: permission.Ask, "/usr/bin/git -P push": permission.Ask, "npm --silent publish": permission.Deny, "npm -w a publish": permission.Deny,
		"docker --context x rm y": permission.Deny, "kubectl -n prod delete pod x": permission.Deny, "kubectl --namespace=prod delete pod x": permission.Deny, "git -c a.b=c commit --amend -m x": permission.Deny,
		"git log push": permission.Allow, "npm run publish": permission.Allow, "git stash push": permission.Allow, "git --no-pager log push": permission.Allow, "kubectl -n prod get delete": permission.Allow,
	} {
		d := m.command(t, permission.ModeDefault, c)
		assert.Equal(t, want, d.Verdict, "%s: %s", c, d.Text())
	}
	m = newMachine(t, "", `"allow":["Bash(git status *)","Bash(npm test *)"]`)
	for _, c := range []string{"git -c core.fsmonitor=./x status", "npm --prefix ../other test", "git --exec-path=. status"} {
		assert.NotEqual(t, permission.Allow, m.command(t, permission.ModeDefault, c).Verdict, c)
	}
}

// TestGitOptionsBeforeTheSubCommand: what git shows and changes is told where an
// option stands first, and where that is not understood it may be anything.
func TestGitOptionsBeforeTheSubCommand(t *testing.T) {
	needs(t, "git")
	m := newMachine(t, past+"echo TOP-SECRET > ignored.env; echo ignored.env > .gitignore", `"allow":["Bash(git *)"],"deny":["Read(*.env)","Edit(./a.txt)"]`)
	for _, c := range []string{"git -c a.b=c show old", "git -c a.b=c -c d.e=f log -p --all", "git --git-dir=.git show old", "git --git-dir .git log -p --all", "git -c alias.x='log -p --all' x", "git -c a.b=c -C src log -p --all", "git add -f ignored.env; echo x >> ignored.env; git -c a.b=c diff"} {
		require.Contains(t, m.output(t, c), "TOP-SECRET", c)
		assert.NotEqual(t, permission.Allow, m.command(t, permission.ModeBypass, c).Verdict, c)
	}
	for _, c := range []string{"git -c user.name=x commit -m y", "git -c a.b=c status", "git clean -fd", "git clean -nx", "git -c a.b=c log --oneline", "git bisect log", "git checkout-index -f src/b.go", "git merge-file -p a.txt a.txt a.txt"} {
		d := m.command(t, permission.ModeDefault, c)
		assert.Equal(t, permission.Allow, d.Verdict, "%s: %s", c, d.Text())
	}
	for _, c := range []string{"git -c a.b=c checkout HEAD -- a.txt", "git --work-tree=. checkout HEAD -- a.txt", "git checkout-index -f a.txt", "git read-tree -u --reset HEAD~3", "git merge-file a.txt a.txt src/b.go", "git clean -fqx", "git clean -qfX .", "git clean -fqx ignored.env"} {
		m := newMachineIn(t, m.home, m.dir, `"allow":["Bash(git *)"],"deny":["Edit(*.env)","Edit(./a.txt)"]`)
		m.bash(t, "echo more >> a.txt; echo TOP-SECRET > ignored.env; echo ignored.env > .gitignore")
		assert.NotEqual(t, permission.Allow, m.command(t, permission.ModeBypass, c).Verdict, c)
		before := m.output(t, "cat a.txt; cat ignored.env")
		m.output(t, c)
		assert.NotEqual(t, before, m.output(t, "cat a.txt; cat ignored.env"), "%s: with nothing in between it changes a file", c)
	}
}
