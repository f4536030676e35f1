package toolset_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
)

// TestReasonsNameTheExclusion: a search that would show a denied file is
// refused with the text that would not. That text passes, shows the rest, and
// does not show the secret; the first one does.
func TestReasonsNameTheExclusion(t *testing.T) {
	const setup = `git init -q -b main . && mkdir -p src 'my dir' && for i in a src/b 'my dir/c'; do echo open XY > "$i.txt"; done && git add . && git commit -qm one
echo TOP-SECRET XY > .env; echo TOP-SECRET XY > 'src/my key.pem'; mkdir -p src/.ssh; echo TOP-SECRET XY > src/.ssh/id_rsa; git add -f . && git commit -qm two; echo TOP-SECRET XY >> .env; echo open XY >> a.txt`
	m := newMachine(t, setup, `"deny":["Read(.env)","Read(*.pem)"]`)
	for command, part := range map[string]string{
		"grep -rn XY .":                                    "--exclude=.env",
		"grep -rE 'XY|zz' . | head -20":                    "--exclude-dir=.ssh",
		"grep -rn XY . --include=* -- .":                   "--exclude='my key.pem'",
		"grep -rn -- XY .":                                 "--exclude=.env",
		"cd src && grep -r XY .":                           "--exclude='my key.pem'",
		"rg --hidden XY":                                   "-g '!.env'",
		"rg -uu -n XY . || true":                           "-g '!.env'",
		"rg --hidden --no-ignore -e XY -- .":               "-g '!my key.pem'",
		"find . -type f -exec grep -H XY {} +":             "-not -path '*/.env'",
		"find . -type f -print0 | xargs -0 grep -H XY":     "-not -path '*/.env'",
		"find . -type f -not -name '*.pem' -exec cat {} +": "-not -path '*/.ssh/*'",
		"git diff":                          "':!.env'",
		"git log -p":                        "':!src/my key.pem'",
		"git show HEAD":                     "':!.env'",
		"git show HEAD --":                  "':!.env'",
		"git diff HEAD~1 -- .":              "':!.env'",
		"cd src && git show HEAD | grep XY": "':(top,exclude).env'",
		"git grep XY":                       "':!.env'",
	} {
		t.Run(command, func(t *testing.T) {
			program, _, _ := strings.Cut(strings.TrimPrefix(command, "cd src && "), " ")
			needs(t, program)
			require.Contains(t, m.output(t, command), "TOP-SECRET", "with nothing in between")
			d := m.command(t, permission.ModeBypass, command)
			require.NotEqual(t, permission.Allow, d.Verdict)
			_, better, ok := strings.Cut(d.Text(), "To leave it out, write: ")
			require.True(t, ok, d.Text())
			// The reasons of several rules follow each other with the same text.
			better, _, _ = strings.Cut(better, " Refused by")
			better, _, _ = strings.Cut(better, " "+m.dir+"/")
			assert.Contains(t, better, part)
			d = m.command(t, permission.ModeDefault, better)
			assert.Equal(t, permission.Allow, d.Verdict, "%s: %s", better, d.Text())
			out := m.output(t, better)
			assert.NotContains(t, out, "TOP-SECRET", better)
			if !strings.Contains(command, "HEAD") || strings.Contains(command, "HEAD~1") {
				assert.Contains(t, out, "open XY", better)
			}
		})
	}
}

// TestHiddenNamesThatReadersShow: rg and fd leave hidden names out, unless a
// glob, a type or a line of an ignore file names them.
func TestHiddenNamesThatReadersShow(t *testing.T) {
	const setup = "git init -q .; echo TOP-SECRET > .env; echo open > a.txt; mkdir sub; echo TOP-SECRET > sub/.env; "
	for _, c := range []struct{ more, command string }{
		{"", "rg TOP -g '*'"}, {"", "rg TOP -g .env"}, {"", "rg TOP -g.env"}, {"", "rg TOP --glob=.e*"}, {"", "rg TOP --glob '.env'"}, {"", "rg TOP --iglob .ENV"}, {"", "rg -ng .env TOP"},
		{"", "rg --type-add 'e:.env' -te TOP"}, {"", "rg --type-add 'e:.env' --type e TOP"}, {"", "rg TOP -g '!a' -g '.env'"}, {"", "rg --hidden TOP -g '!.env' -g .env"}, {"", "rg --hidden TOP -g '!/.env'"},
		{"echo '!.env' > .ignore", "rg TOP"}, {"echo '!.env' > .gitignore", "rg TOP"}, {"echo '!*' > .rgignore", "rg TOP"}, {"echo '!/sub/.env' > .gitignore", "rg TOP"}, {"echo '!.env' > sub/.ignore", "rg TOP"},
		{"echo '!.env' > .git/info/exclude", "rg TOP"}, {"echo '!.env' > ../.ignore", "rg TOP"}, {"echo '!.e[n]v' > .ignore", "rg TOP"}, {"echo '!.env' > .ignore", "rg -l . | xargs cat"}, {"echo '!.env' > .ignore", "rg -t go -g '!x' TOP; rg TOP"},
	} {
		t.Run(c.more+"; "+c.command, func(t *testing.T) {
			needs(t, "rg")
			m := newMachine(t, setup+c.more, `"deny":["Read(.env)"]`)
			require.Contains(t, m.output(t, c.command), "TOP-SECRET", "with nothing in between")
			d := m.command(t, permission.ModeBypass, c.command)
			assert.NotEqual(t, permission.Allow, d.Verdict, "%v", d.Reasons)
		})
	}
	m := newMachine(t, setup+"printf '!keep\\n!.gitkeep\\n!dist/.well\\n' > .gitignore", `"deny":["Read(.env)"],"allow":["Bash(gofmt *)"]`)
	for _, c := range []string{"rg open", "rg -n open -t go", "rg open -g '!*.md'", "rg -l open | xargs wc -l", "rg --type py open", "rg --hidden open -g '!.env'", "grep -rn open --include=*.txt .", "gofmt -l .",
		"find . -name '*.txt' -not -path '*/node_modules/*' | xargs wc -l", "find . -type f -not -name .env -exec cat {} +", "find . ! -path '*/.env' -type f -print0 | xargs -0 cat"} {
		d := m.command(t, permission.ModeDefault, c)
		assert.Equal(t, permission.Allow, d.Verdict, "%s: %v", c, d.Reasons)
	}
	for _, c := range []string{"find . -newer -not -name .env -exec cat {} +", "find . -name a.txt -o -not -name .env -exec cat {} +", "find . -not -path './.env' -o -type f -exec cat {} +", "find . -not -path '.env' -type f -exec cat {} +",
		"find . -not -not -name .env -type f -exec cat {} +", "find . -not -name '[.]env' -exec cat {} +", "find . -exec cat {} + -not -name .env", "grep -r TOP . --exclude=.env --include=.env", "grep -r TOP . --exclude=sub/.env"} {
		d := m.command(t, permission.ModeBypass, c)
		assert.NotEqual(t, permission.Allow, d.Verdict, "%s: %v", c, d.Reasons)
	}
}

// TestOutputsOfAllowedCommands: a rule for a command whose form is not
// understood does not cover what it writes where that is protected.
func TestOutputsOfAllowedCommands(t *testing.T) {
	needs(t, "git")
	m := newMachine(t, "git init -q .; git commit -q --allow-empty -m one; echo a > a.txt", `"allow":["Bash(git log:*)","Bash(sed:*)","Bash(tool:*)"],"deny":["Read(.env)"]`)
	for _, c := range []string{"git log --output=.git/hooks/pre-commit", "sed 'w .envrc' a.txt", "sed -n 's/a/b/;w .bashrc' a.txt", "tool -o .mcp.json", "tool --out .claude/settings.json", "tool --log-file=.npmrc", "tool -o.git/config", "tool --output=.env"} {
		d := m.command(t, permission.ModeAcceptEdits, c)
		assert.NotEqual(t, permission.Allow, d.Verdict, "%s: %v", c, d.Reasons)
	}
	for _, c := range []string{"git log --output=log.txt", "sed 'w out.txt' a.txt", "tool -o out.bin", "tool --out ../x", "tool -only .git"} {
		d := m.command(t, permission.ModeDefault, c)
		assert.Equal(t, permission.Allow, d.Verdict, "%s: %v", c, d.Reasons)
	}
	m.bash(t, "git log --output=.git/hooks/pre-commit")
	require.FileExists(t, m.dir+"/.git/hooks/pre-commit", "with nothing in between, git writes there")
}

// TestDeniedFilesAndOwnBusiness: a rule for .env is no rule about what git
// keeps below .git.
func TestDeniedFilesAndOwnBusiness(t *testing.T) {
	m := newMachine(t, "git init -q .; echo a > a.txt; echo x > .env; echo .env > .gitignore; git add .; git commit -qm one; echo b >> a.txt",
		`"allow":["Bash(git add:*)","Bash(git commit:*)","Bash(tool:*)"],"deny":["Read(.env)","Edit(secrets/**)"]`)
	for _, c := range []string{"git add a.txt", "git add -A && git commit -m 'a thing'", "git commit -am x"} {
		d := m.command(t, permission.ModeDefault, c)
		assert.Equal(t, permission.Allow, d.Verdict, "%s: %v", c, d.Reasons)
	}
	for _, c := range []string{"git add .env", "git add -f ./.env", "git add -f a.txt .env", "git commit -m x -- .env"} {
		d := m.command(t, permission.ModeDefault, c)
		assert.Equal(t, permission.Deny, d.Verdict, "%s: %v", c, d.Reasons)
	}
	m.bash(t, "git add -f .env; git cat-file -p :.env > shown")
	require.Equal(t, "x\n", read(t, m.dir+"/shown"), "with nothing in between, git keeps what the file holds")
	m = newMachine(t, "git init -q .", `"allow":["Bash(git commit:*)"],"deny":["Edit(.git/**)"]`)
	assert.Equal(t, permission.Deny, m.command(t, permission.ModeDefault, "git commit -m x").Verdict, "a rule that names the place means it")
}
