package toolset_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
)

// workTree is a repository whose branch "other" holds another notes.md, and "far"
// the same one but another a.txt.
const workTree = `git init -q -b main . && mkdir -p docs sub && echo one > a.txt && echo ORIGINAL > notes.md && echo d > docs/d.md && echo s > sub/s.txt && echo .env > .gitignore && git add . && git commit -qm one
git checkout -qb far && echo far > a.txt && git commit -qam far && git checkout -qb other main && echo OTHER > notes.md && git commit -qam other && git checkout -q main
git diff main other > notes.patch; git diff main far > far.patch; echo SECRET > .env; echo two >> a.txt; `

// TestGitAndDeniedNames: what git does to the work tree meets a rule over editing
// where it touches the file, and only there. Each command is run first, to see
// whether it does.
func TestGitAndDeniedNames(t *testing.T) {
	needs(t, "git")
	base := newMachine(t, workTree, "")
	workTree := "cp -a " + base.dir + "/. .; "
	for _, c := range everyThird([]struct {
		more, command string
		want          permission.Verdict
	}{
		// The name is spelled.
		{"echo x >> notes.md", "git checkout notes.md", permission.Deny}, {"echo x >> notes.md", "git checkout -- notes.md", permission.Deny}, {"echo x >> notes.md", "git restore notes.md", permission.Deny},
		{"echo x >> notes.md", "cd sub && git restore ../notes.md", permission.Deny}, {"echo x >> notes.md", "git -C sub restore ../notes.md", permission.Deny}, {"", "git checkout other -- notes.md", permission.Deny},
		{"", "git checkout other notes.md", permission.Deny}, {"", "git restore -s other notes.md", permission.Deny}, {"", "git restore --source=other ./notes.md", permission.Deny}, {"", "git rm -q notes.md", permission.Deny},
		{"git checkout -q a.txt", "git mv -f a.txt notes.md", permission.Deny}, {"", "git mv notes.md n.md", permission.Deny}, {"mkdir x; echo y > x/notes.md; git rm -q --cached notes.md; rm notes.md; git add x", "git mv x/notes.md .", permission.Deny},
		// Below what is spelled.
		{"echo x >> notes.md", "git checkout .", permission.Ask}, {"echo x >> notes.md", "git restore .", permission.Ask}, {"", "git rm -rqf .", permission.Ask}, {"echo x >> notes.md", "git checkout -- '*.md'", permission.Ask},
		{"echo x >> notes.md", "git restore :/", permission.Ask}, {"", "git checkout other -- .", permission.Ask},
		// The tree that it goes to has another one.
		{"git checkout -q a.txt", "git checkout -q other", permission.Ask}, {"git checkout -q a.txt", "git switch -q other", permission.Ask}, {"git checkout -q a.txt", "git switch -q --detach other~0", permission.Ask},
		{"", "git reset -q --hard other", permission.Ask}, {"echo x >> notes.md", "git reset -q --hard", permission.Ask}, {"echo x >> notes.md", "git checkout -qf main", permission.Ask}, {"echo x >> notes.md", "git stash -q", permission.Ask},
		{"git checkout -q a.txt", "git checkout -qb new other", permission.Ask}, {"git checkout -q a.txt; git checkout -q other", "git checkout -q -", permission.Ask}, {"echo x >> notes.md; git stash -q", "git stash pop -q", permission.Ask},
		// What it brings is not known.
		{"git checkout -q a.txt", "git merge -q other", permission.Ask}, {"git checkout -q a.txt", "git cherry-pick other", permission.Ask}, {"git checkout -q a.txt", "git rebase -q other", permission.Ask}, {"", "git apply notes.patch", permission.Ask},
		{"", "git apply < notes.patch", permission.Ask},
	}) {
		t.Run(c.command, func(t *testing.T) {
			m := newMachine(t, workTree+c.more, `"allow":["Bash(git *)","Bash(cd *)"],"deny":["Edit(./notes.md)","Read(.env)"]`)
			was := read(t, m.dir+"/notes.md")
			for _, mode := range []permission.Mode{permission.ModeDefault, permission.ModeBypass} {
				d := m.command(t, mode, c.command)
				assert.Equal(t, c.want, d.Verdict, "%s: %s", mode, d.Text())
				assert.Contains(t, d.Text(), "notes.md")
			}
			m.bash(t, c.command)
			require.NotEqual(t, was, read(t, m.dir+"/notes.md"), "with nothing in between it changes the file")
		})
	}
	for _, c := range everyThird([]struct{ more, command string }{
		{"", "git checkout -q a.txt"}, {"", "git restore a.txt sub"}, {"", "git stash -q"}, {"", "git reset -q --hard"}, {"", "git checkout -qf main"}, {"git checkout -q a.txt", "git checkout -q far"}, {"git checkout -q a.txt", "git switch -q far"},
		{"", "git reset -q --hard far"}, {"", "git checkout -qb topic"}, {"", "git switch -qc topic"}, {"", "git rm -q --cached notes.md"}, {"git add -A", "git restore --staged notes.md"}, {"git add -A", "git reset -q notes.md"}, {"git add -A", "git reset -q"},
		{"", "git stash push -q -m notes.md"}, {"", "git stash list"}, {"", "git apply far.patch"}, {"", "git apply --check notes.patch"}, {"", "git rm -rqf docs"}, {"", "git mv docs guide"}, {"", "git mv sub/s.txt docs"}, {"", "git add notes.md"},
		{"", "git commit -qam 'notes.md'"}, {"", "git checkout far -- a.txt"}, {"", "git checkout -qb topic HEAD"}, {"", "git restore --staged ."}, {"git stash -q", "git stash drop -q"}, {"", "git branch notes.md"},
	}) {
		t.Run(c.command, func(t *testing.T) {
			m := newMachine(t, workTree+c.more, `"allow":["Bash(git *)"],"deny":["Edit(./notes.md)","Read(.env)"]`)
			was := read(t, m.dir+"/notes.md")
			d := m.command(t, permission.ModeDefault, c.command)
			assert.Equal(t, permission.Allow, d.Verdict, d.Text())
			m.bash(t, c.command)
			assert.Equal(t, was, read(t, m.dir+"/notes.md"), "it leaves the file as it is")
		})
	}
}

// TestGitWhereASecretIsDenied: the ordinary settings, in a project whose secret
// is not tracked. Nothing that git does every day is asked about.
func TestGitWhereASecretIsDenied(t *testing.T) {
	needs(t, "git")
	m := newMachine(t, workTree, `"allow":["Bash(git *)","Bash(mv *)","Bash(cp *)"],"deny":["Read(.env)","Read(.env.*)","Read(./secrets/**)","Edit(.env)","Read(*.pem)"]`)
	for _, c := range []string{
		"git checkout other", "git checkout -", "git checkout .", "git checkout -- a.txt", "git checkout -b x", "git switch far", "git restore .", "git stash", "git stash pop", "git stash -u", "git pull", "git pull --rebase", "git merge other", "git rebase main",
		"git cherry-pick other", "git revert --no-edit HEAD", "git reset --hard", "git reset --hard HEAD~1", "git rm -r docs", "git mv a.txt b.txt", "git apply far.patch", "git apply < far.patch", "git am < far.patch", "git rebase --continue", "git merge --abort",
		"mv a.txt b.txt", "mv a b", "mv docs guide", "cp a.txt b.txt", "cp -r docs guide", "mv a.txt sub/", "git add -A", "git commit -am x", "git fetch", "git push", "git clean -fd", "git checkout -f main", "git worktree list",
	} {
		d := m.command(t, permission.ModeDefault, c)
		assert.Equal(t, permission.Allow, d.Verdict, "%s: %s", c, d.Text())
	}
	// One that is tracked is another matter.
	m.bash(t, "git add -f .env && git commit -qm env -- .env && echo NEW >> .env")
	for _, c := range []string{"git checkout other", "git stash", "git reset --hard", "git pull", "git checkout ."} {
		d := m.command(t, permission.ModeDefault, c)
		assert.NotEqual(t, permission.Allow, d.Verdict, c)
	}
}
