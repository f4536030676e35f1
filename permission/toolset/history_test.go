package toolset_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
)

// past is a repository with a secret that was committed and deleted again, one
// that was only kept aside, and one that left the index but not the commits.
const past = `git init -q -b main . && echo a > a.txt && git add . && git commit -qm one
echo TOP-SECRET > .env && echo 0 >> a.txt && git add -f .env && git commit -qam two && git rm -q .env && git commit -qm three
mkdir -p src conf && echo b > src/b.go && git add . && git commit -qm four
for i in 1 2 3 4 5 6; do echo $i >> a.txt; git commit -qam more$i; done
git branch old HEAD~8; git tag -a -m t v1 HEAD~8; git checkout -qb side HEAD~1; echo TOP-SECRET > conf/prod.env; git add conf; git commit -qm conf; git checkout -q main
echo TOP-SECRET > .env; git add -f .env; git stash -q; rm -f .env; printf 'another\nTOP-SECRET\n' > src/key.pem; git add -f src; git commit -qm key; git branch key; git tag clean HEAD~1
for i in 7 8 9; do echo $i >> src/b.go; git commit -qam more$i; done; git rm -q --cached src/key.pem; rm src/key.pem; echo x >> a.txt
`

// showsSecret are commands that print the secret, each with what it takes.
var showsSecret = []string{
	"git log -p", "git log -p --all", "git log -p -20", "git log --patch -- .env", "git log -p main", "git log -p old~1..old --all", "git log -p --follow -- .env", "git log -p clean..main", "git log -p -4",
	"git show old", "git show main~11", "git show main~12", "git show key", "git show v1", "git show old:.env", "git show main~12:.env", "git show main~11^", "git show $(git rev-parse old)", "git show key HEAD",
	"git diff old HEAD", "git diff old", "git diff old main", "git diff old..main", "git diff main...side", "git diff --cached", "git diff HEAD", "git diff old^ old -- .env", "git diff side main",
	"git diff-tree -p old", "git diff-tree -p main~11", "git whatchanged -p", "git stash show -p", "git stash show -p stash@{0}", "git stash list -p", "git log -p stash@{0}", "git show -m stash",
	"git grep TOP old", "git grep TOP main~12 -- .", "git blame old -- .env", "git cat-file -p old:.env", "git cat-file blob old:.env", "git log -L1,1:.env old", "git log -p -S TOP", "git log -p --reverse", "git -C src log -p", "cd src && git log -p",
	"cd src && git diff --cached", "cd src && git show old:.env", "git --no-pager show old", "git --no-pager -C src show old", "git -C src log -p -- ../.env", "git log -p --diff-filter=D", "git show -U0 old", "git log -c -p old", "git log -p HEAD@{14}", "git log -p -- ':!conf'", "git log -p --full-diff -- a.txt",
	"git blame -s old -- .env", "git annotate -s old -- .env", "git -c user.name=a -c user.email=a@b format-patch -s --stdout -20", "git format-patch -q --stdout -20", "git show -s old:.env", "git show --stat old:.env",
	"git diff old: HEAD:src", "git diff clean:src key:src", "git diff key:src", "git diff key:./src clean:./src", "git diff-tree -p key:src/ clean:src", "cd src && git diff key:./ clean:src", "git grep TOP key:src -- key.pem", "git diff --stat -p key:src clean:src",
	"git commit --dry-run -v", "git commit -v --dry-run", "git commit -nvv --dry-run -m x", "git commit --dry-run --verb", "git -c commit.verbose=true commit --dry-run", "cd src && git commit --dry-run -v", "git commit --dry-run $'-v'",
	"git reset -p", "git reset --patch -q", "git fast-export --all", "git fast-export old", "git fast-export clean..key", "git request-pull old~1 . old -p", "git difftool -y -x cat old", "git -C src reset -p",
	"git format-patch --stdout -20", "git archive old", "git log -p -g", "git log -p old -- .e*", "git show --stat -p old", "git log -1 -p old", "git log -p --first-parent -n 13",
}

// harmless are commands that people type in the same repository, with the same
// rules.
var harmless = []string{
	"git show", "git show HEAD~2", "git show clean", "git show --stat", "git show --stat old", "git show --name-only old", "git log", "git log --oneline -20", "git log --stat", "git log --oneline --graph --all",
	"git log -p -3", "git log -p -n 3", "git log -p -1 HEAD~2", "git log -p HEAD~2..HEAD", "git log -p clean~4..clean", "git log -p -- a.txt", "git log -p -- src/b.go", "git log -p a.txt", "git log --follow --oneline a.txt", "git log -p -2 --graph --decorate",
	"git diff", "git diff HEAD~2 HEAD", "git diff clean~5..clean~2", "git diff HEAD~8 HEAD~2 -- a.txt", "git diff --stat", "git diff --stat old", "git diff --name-only old main", "git diff --name-status HEAD~9", "git diff -- a.txt",
	"git diff --cached --stat", "git diff HEAD -- a.txt", "git blame a.txt", "git blame -L 1,3 a.txt", "git blame HEAD~3 -- a.txt", "git show HEAD:a.txt", "git show old:a.txt", "git show HEAD~3:./a.txt",
	"git status", "git status -s", "git branch -a", "git log --oneline old..main", "git rev-parse HEAD", "git ls-files", "git log --format=%H -5", "git shortlog -sn HEAD", "git stash list", "git stash show", "git tag", "git describe --tags",
	"git diff HEAD~3 -- a.txt src/b.go", "git grep -n x -- a.txt", "git grep TODO HEAD -- a.txt", "git log -p -S x -- a.txt", "git show HEAD~3 -- a.txt", "git log -p HEAD -- '*.txt'", "git log -p -- . ':!.env' ':!src/key.pem' ':!conf'", "git log --all --oneline -- .env", "cd src && git show HEAD~2", "git -C src log -p -- b.go",
	"git show HEAD~1 | head -50", "git cat-file -t old", "git cat-file -p HEAD", "git log -p --since=yesterday -- a.txt", "git diff HEAD~2...HEAD~1", "git log -p -2 HEAD~8", "git diff clean~1 clean", "git diff clean:src clean~1:src", "git diff HEAD~1:src HEAD:src", "git diff old:a.txt HEAD:a.txt", "git show old:", "git show key:src", "git show -s old", "git show -s v1", "git show --stat v1", "git status -sb", "git diff 4b825dc642cb6eb9a060e54bf8d69288fbee4904 HEAD -- a.txt",
}

// TestGitHistory: what a deleted file said stands in the history. Each command
// is first run by git alone, where it shows the secret; a deny rule for the file
// stops it. And no rule stops what does not show it.
func TestGitHistory(t *testing.T) {
	needs(t, "git")
	for _, packed := range []bool{false, true} {
		t.Run(fmt.Sprintf("packed=%v", packed), func(t *testing.T) {
			t.Parallel()
			setup := past
			if packed {
				setup += "git gc -q --aggressive --prune=now; git repack -qad"
			}
			m := newMachine(t, setup, `"allow":["Bash"],"deny":["Read(.env)","Read(**/prod.env)","Read(*.pem)"]`)
			free := newMachineIn(t, m.home, m.dir, "")
			for _, c := range showsSecret {
				out := m.output(t, c)
				assert.Contains(t, out, "TOP-SECRET", "%s: with nothing in between it shows the secret", c)
				d := m.command(t, permission.ModeBypass, c)
				assert.NotEqual(t, permission.Allow, d.Verdict, "%s: %v", c, d.Reasons)
				if strings.Contains(c, "$(") {
					continue // which commit is not known: then only rules count
				}
				d = free.command(t, permission.ModeDefault, c)
				assert.NotEqual(t, permission.Allow, d.Verdict, "without a rule: %s: %v", c, d.Reasons)
			}
			m = newMachineIn(t, m.home, m.dir, `"deny":["Read(.env)","Read(**/prod.env)","Read(*.pem)"]`)
			asked := 0
			for _, c := range harmless {
				assert.NotContains(t, m.output(t, c), "TOP-SECRET", c)
				if d := m.command(t, permission.ModeDefault, c); d.Verdict != permission.Allow {
					asked++
					t.Logf("asks: %s: %s", c, d.Text())
				}
			}
			t.Logf("%d of %d harmless commands ask", asked, len(harmless))
			assert.LessOrEqual(t, asked, 2)
		})
	}
}

// TestGitCommitsAlone: what records or chooses commits, and prints no contents,
// runs under a rule for git beside a deny rule for files; what prints those of a
// conflict or packs them up does not.
func TestGitCommitsAlone(t *testing.T) {
	needs(t, "git")
	const conflict = `git init -q -b main . && git config rerere.enabled true && echo a > .env && git add -f . && git commit -qm one
git checkout -qb side; echo SIDE > .env; git commit -qam two; git checkout -q main; echo TOP-SECRET > .env; git commit -qam three; git merge -q side; echo TOP-SECRET > .env`
	m := newMachine(t, conflict, `"allow":["Bash(git *)"],"deny":["Read(.env)"]`)
	const c = "git rerere diff"
	assert.Contains(t, m.output(t, c), "TOP-SECRET")
	for _, c := range []string{c, "git bundle create - --all", "git pack-objects --stdout --all"} {
		assert.NotEqual(t, permission.Allow, m.command(t, permission.ModeBypass, c).Verdict, c)
	}
	m = newMachine(t, past, `"allow":["Bash(git *)"],"deny":["Read(.env)","Read(**/prod.env)","Read(*.pem)"]`)
	for _, c := range []string{"git commit -m 'very patchy'", "git commit -am vp", `git commit -m "$MSG"`, "git commit -m \"$(cat <<'EOF'\n-v\nEOF\n)\"", "git commit --amend --no-edit", "git commit -qm x a.txt", "git commit --dry-run --short", "git commit --dry-run -mvp", `git commit --dry-run -m "$(date) -v"`, "git request-pull HEAD~2 . main",
		"git reset", "git reset HEAD a.txt", "git checkout -b vp", "git checkout main", "git checkout -- a.txt", "git rerere", "git bundle verify x"} {
		d := m.command(t, permission.ModeDefault, c)
		assert.Equal(t, permission.Allow, d.Verdict, "%s: %s", c, d.Text())
	}
}

// needs skips a test whose program is missing, except under CI.
func needs(t testing.TB, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "%s is missing", program)
		t.Skipf("%s is missing: what it shows cannot be seen", program)
	}
}

// output runs a text in the project and returns what it prints.
func (m *machine) output(t testing.TB, text string) string {
	t.Helper()
	c := exec.Command("bash", "--norc", "-c", text)
	c.Dir = m.dir
	c.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + m.home, "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1"}
	out, _ := c.CombinedOutput()
	return string(out)
}

// TestGitHistoryThatIsNotUnderstood: where the store cannot be read, rules over
// paths may match, and without a rule nothing changes.
func TestGitHistoryThatIsNotUnderstood(t *testing.T) {
	needs(t, "git")
	for name, setup := range map[string]string{
		"a replaced object": "git replace HEAD~1 HEAD~2", "a graft": "mkdir -p .git/info; echo $(git rev-parse HEAD) > .git/info/grafts",
		"a broken pack":    "git gc -q; chmod u+w .git/objects/pack/*; for f in .git/objects/pack/*.pack; do head -c 40 $f > x; cat x > $f; done",
		"a missing object": "git gc -q; rm -f .git/objects/pack/*.idx", "a broken index of a pack": "git gc -q; chmod u+w .git/objects/pack/*; for f in .git/objects/pack/*.idx; do echo x > $f; done",
	} {
		m := newMachine(t, past+setup, `"deny":["Read(.env)"]`)
		d := m.command(t, permission.ModeBypass, "git log -p -1 HEAD~2")
		assert.Equal(t, permission.Ask, d.Verdict, "%s: %v", name, d.Reasons)
		assert.Contains(t, d.Text(), "of the past", name)
		m = newMachineIn(t, m.home, m.dir, "")
		d = m.command(t, permission.ModeDefault, "git log -p -1 HEAD~2")
		assert.Equal(t, permission.Allow, d.Verdict, "%s: %v", name, d.Reasons)
	}
	m := newMachine(t, past, `"deny":["Read(.env)"]`)
	for _, c := range []string{"git show nosuch", "git show ':/two'", "git show HEAD^{/two}", "git log -p $x", "git show $(git hash-object a.txt)", "git cat-file -p $(git rev-parse old:.env)",
		"git diff --merge-base old", "git diff " + strings.TrimSpace(m.output(t, "git rev-parse old^{tree}")) + " HEAD -- .env", "git grep TOP " + strings.TrimSpace(m.output(t, "git rev-parse key:src")) + " -- key.pem",
		"git cat-file --batch < a.txt", "git show " + strings.TrimSpace(m.output(t, "git rev-parse old:.env")), "git cat-file -p " + strings.TrimSpace(m.output(t, "git rev-parse old:.env"))} {
		d := m.command(t, permission.ModeBypass, c)
		assert.NotEqual(t, permission.Allow, d.Verdict, "%s: %v", c, d.Reasons)
	}
}

// TestGitStatusVerbose: with -v git status shows what changed, and what was
// taken out of the index.
func TestGitStatusVerbose(t *testing.T) {
	needs(t, "git")
	const setup = `git init -q -b main . && echo a > a.txt && echo TOP-SECRET > .env && mkdir src && git add -f . && git commit -qm one && echo b >> a.txt; git tag blob HEAD:.env; `
	for _, k := range []struct{ more, command string }{
		{"echo TOP-SECRET >> .env; git add -f .env", "git status -v"}, {"echo TOP-SECRET >> .env", "git status -vv"}, {"echo TOP-SECRET >> .env", "git status --verbose -v"}, {"git rm -q --cached .env", "git status -v"},
		{"git rm -q .env", "git status -bv"}, {"echo TOP-SECRET > src/x.env; git add -f src", "cd src && git status -v"}, {"echo TOP-SECRET >> .env", "git status -vv .env"}, {"echo TOP-SECRET >> .env; git add .", "git status -v ."}, {"git rm -q --cached .env", "git status -v a.txt"}, {"git rm -q --cached .env", "cd src && git status -v ."}, {"", "git show -s blob"}, {"", "git show --stat blob"},
	} {
		m := newMachine(t, setup+k.more, `"allow":["Bash"],"deny":["Read(*.env)"]`)
		require.Contains(t, m.output(t, k.command), "TOP-SECRET", "%s: with nothing in between", k.command)
		d := m.command(t, permission.ModeBypass, k.command)
		assert.NotEqual(t, permission.Allow, d.Verdict, "%s: %v", k.command, d.Reasons)
	}
	m := newMachine(t, setup+"git add a.txt", `"deny":["Read(*.env)"]`)
	for _, c := range []string{"git status", "git status -sb", "git status --short", "git status a.txt"} {
		require.NotContains(t, m.output(t, c), "TOP-SECRET")
		d := m.command(t, permission.ModeDefault, c)
		assert.Equal(t, permission.Allow, d.Verdict, "%s: %s", c, d.Text())
	}
}

// TestGitOptionsThatAreNotUnderstood: an option may ask for more than it
// looks like, so under a rule for the command everything that it may show counts.
func TestGitOptionsThatAreNotUnderstood(t *testing.T) {
	needs(t, "git")
	m := newMachine(t, past, `"allow":["Bash(git *)"],"deny":["Read(**/prod.env)"]`)
	for _, c := range []string{"git log -p --al", "git log --output-indicator-new=% -p side", "git log -p --bran -- conf", "git show --pat side", "git diff --merge-b side", "git whatchanged -p --glo=refs/heads/side"} {
		d := m.command(t, permission.ModeDefault, c)
		assert.NotEqual(t, permission.Allow, d.Verdict, "%s: %v", c, d.Reasons)
	}
	require.Contains(t, m.output(t, "git log --output-indicator-new=% -p side"), "TOP-SECRET", "with nothing in between")
}

// TestLinkedWorkTree: a work tree of its own has its index and its history
// elsewhere.
func TestLinkedWorkTree(t *testing.T) {
	needs(t, "git")
	m := newMachine(t, "mkdir main && cd main && "+past+"git worktree add -q ../tree clean", "")
	inner := newMachineIn(t, m.home, filepath.Join(m.dir, "tree"), `"deny":["Read(.env)"]`)
	require.Contains(t, inner.output(t, "git show old"), "TOP-SECRET")
	assert.Equal(t, permission.Deny, inner.command(t, permission.ModeDefault, "git show old").Verdict)
	d := inner.command(t, permission.ModeDefault, "git show HEAD~2")
	assert.Equal(t, permission.Allow, d.Verdict, "%v", d.Reasons)
	// Through a link git is where the link leads.
	m.bash(t, "ln -s main/src link; cd main; echo TOP-SECRET > .env; git add -f .env; git commit -qm env -- .env")
	m = newMachineIn(t, m.home, m.dir, `"allow":["Bash(git *)"],"deny":["Read(.env)"]`)
	require.Contains(t, m.output(t, "cd link && git show"), "TOP-SECRET")
	assert.NotEqual(t, permission.Allow, m.command(t, permission.ModeBypass, "cd link && git show").Verdict)
	assert.NotEqual(t, permission.Allow, m.command(t, permission.ModeBypass, "git -C link show").Verdict)
	d = inner.command(t, permission.ModeDefault, "git diff")
	assert.Equal(t, permission.Allow, d.Verdict, "%v", d.Reasons)
}
