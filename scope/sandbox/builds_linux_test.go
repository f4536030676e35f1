package sandbox

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// installed returns where a program is. One that is missing fails under CI=true.
func installed(t *testing.T, name string) string {
	t.Helper()
	p, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return p
}

// What people build with works in the default profile, in a workspace that is a
// repository and in one that is none.
func TestOrdinaryBuilds(t *testing.T) {
	git := installed(t, "git")
	for name, need := range map[string]string{"go": "go", "make": "make", "npm": "npm", "git": "git"} {
		t.Run(name, func(t *testing.T) {
			if os.Getenv("CI") != "true" && (name == "go" || name == "npm") {
				t.Skip("it takes ten seconds: run in CI, or with CI=true")
			}
			if name == "go" && os.Getenv("SANDBOX_TEST_AGAIN") != "" {
				t.Skip("this user has no build cache, and filling one takes minutes; root has run it")
			}
			bin := installed(t, need)
			cache := ""
			if name == "go" {
				out, err := exec.Command(bin, "env", "GOCACHE").Output()
				require.NoError(t, err)
				cache = strings.TrimSpace(string(out))
				if _, err := os.Stat(filepath.Join(cache, "README")); err != nil {
					t.Skip("this user has no build cache yet, and filling one takes minutes")
				}
				if real, err := filepath.EvalSymlinks(cache); err == nil {
					cache = real
				}
			}
			eachBox(t, func(t *testing.T, b *Box) {
				for _, repository := range []bool{true, false} {
					p := newPlace(t)
					require.NoError(t, os.RemoveAll(filepath.Join(p.root, ".git")))
					for path, text := range map[string]string{
						"go.mod": "module example.com/m\n\ngo 1.21\n", "main.go": "package main\n\nfunc main() { println(answer()) }\n\nfunc answer() int { return 42 }\n",
						"main_test.go": "package main\n\nimport \"testing\"\n\nfunc TestAnswer(t *testing.T) {\n\tif answer() != 42 {\n\t\tt.Fatal()\n\t}\n}\n",
						"Makefile":     "out: in\n\tcp in out\n", "in": "made\n",
						"package.json": `{"name":"m","version":"1.0.0"}`, "dep/package.json": `{"name":"dep","version":"1.0.0","main":"i.js"}`, "dep/i.js": "module.exports = 42\n",
					} {
						path = filepath.Join(p.root, "src", "app", path)
						require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
						require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
					}
					if repository {
						initial(t, git, p.root)
					}
					prof := p.profile(t, ProfileOptions{})
					if cache != "" {
						prof.Entries = append(prof.Entries, Entry{Path: cache, Access: Write, Dir: true})
					}
					head := `cd "$P/src/app" && export HOME="${TMPDIR:-/tmp}" GOCACHE='` + cache + `' GOFLAGS= GOTOOLCHAIN=local GOPROXY=off PATH='` + filepath.Dir(bin) + `':"$PATH" && `
					scripts := map[string][]string{
						"go":   {`go build -o prog . && test "$(./prog 2>&1)" = 42`, `go test ./...`, `go vet ./...`},
						"make": {`make && test "$(cat out)" = made`, `make`},
						"npm":  {`npm install --offline --no-audit --no-fund ./dep && test "$(node -p 'require("dep")')" = 42`},
						"git":  {`git --version`},
					}[name]
					if name == "git" && repository {
						scripts = []string{`git status --short`, `git log --oneline`, `git diff`, `git ls-files`, `! git add in`, `! git commit -m x --allow-empty`}
					}
					if b.report.Level == Landlock {
						head = strings.Replace(head, `${TMPDIR:-/tmp}`, `$P/src/home`, 1) + `export TMPDIR="$P/src/tmp" && mkdir -p "$HOME" "$TMPDIR" && `
					}
					if !full() {
						scripts = []string{"set -x; " + strings.Join(scripts, " && ")}
					}
					for _, script := range scripts {
						out, err := confined(t, b, p, prof, head+script)
						require.NoError(t, err, "repository %v: %s: %s", repository, script, out)
					}
				}
			})
		})
	}
}

// initial makes a repository with one commit.
func initial(t *testing.T, git, dir string) {
	t.Helper()
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"config", "user.email", "a@example.com"}, {"config", "user.name", "a"}, {"add", "src"}, {"commit", "-qm", "one"}} {
		cmd := exec.Command(git, args...)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + dir}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%v: %s", args, out)
	}
}

// With Commits git works, and what makes it run things stays as it is.
func TestCommits(t *testing.T) {
	git := installed(t, "git")
	b := boxes(t)[Bubblewrap]
	if b == nil {
		t.Skip("bubblewrap is not here")
	}
	ways := map[string]*Box{"own": b}
	plain := *b
	plain.plain = true
	ways["plain"] = &plain
	if b := boxes(t)[Namespaces]; b != nil {
		ways["namespaces"] = b
	}
	attacks := map[string]string{
		"config":           `git config core.fsmonitor evil; echo evil >> .git/config`,
		"config, replaced": `cp .git/config .git/c; echo evil >> .git/c; mv -f .git/c .git/config; rm -f .git/c`,
		"hook":             `mkdir -p .git/hooks; echo evil > .git/hooks/pre-commit`,
		"hooks, moved":     `mv .git/hooks .git/h; mkdir .git/hooks; echo evil > .git/hooks/pre-commit`,
		"attributes":       `mkdir -p .git/info; echo '* filter=evil' > .git/info/attributes`,
		"info, moved":      `mv .git/info .git/i; mkdir .git/info; echo '* filter=evil' > .git/info/attributes`,
		"commondir":        `mkdir src/evil; echo ../src/evil > .git/commondir`,
		"commondir, moved": `echo ../src > .git/x; mv -f .git/x .git/commondir; rm -f .git/x`,
		"config.worktree":  `echo evil > .git/config.worktree`,
		"modules":          `mkdir -p .git/modules/m; echo evil > .git/modules/m/config`,
		"worktrees":        `mkdir -p .git/worktrees/w; echo evil > .git/worktrees/w/commondir`,
		".git, moved":      `mv .git x; mkdir .git; echo evil > .git/config`,
	}
	guarded := func(p place) string {
		var s strings.Builder
		for _, g := range gitGuarded {
			_ = filepath.WalkDir(filepath.Join(p.root, ".git", g), func(path string, _ os.DirEntry, err error) error {
				if err == nil {
					data, _ := os.ReadFile(path)
					rel, _ := filepath.Rel(p.root, path)
					s.WriteString(rel + " " + string(data) + "\n")
				}
				return nil
			})
		}
		return s.String()
	}
	first := newPlace(t)
	require.NoError(t, os.RemoveAll(filepath.Join(first.root, ".git")))
	initial(t, git, first.root)
	setup := func(t *testing.T) place {
		p := newPlace(t)
		require.NoError(t, os.RemoveAll(filepath.Join(p.root, ".git")))
		require.NoError(t, os.CopyFS(filepath.Join(p.root, ".git"), os.DirFS(filepath.Join(first.root, ".git"))))
		return p
	}
	for attack, script := range attacks {
		p := setup(t)
		before := guarded(p)
		_, err := free(t, p, script+`; :`)
		require.NoError(t, err)
		require.NotEqual(t, before, guarded(p), "%s works with the guard off", attack)
	}
	for name, b := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := setup(t)
			before := guarded(p)
			out, err := confined(t, b, p, p.profile(t, ProfileOptions{Commits: true}), `cd "$P" && export HOME=/tmp && echo x > src/new && git add src && git commit -qm two && git checkout -qb side && echo y > src/new && git commit -qam three && git checkout -q main && git merge -q side && git stash list && git tag v1 && git gc -q && git status --porcelain src && git log --oneline | wc -l`)
			require.NoError(t, err, out)
			require.Equal(t, "3\n", out)
			require.Equal(t, before, guarded(p), "nothing is left behind")
			check := exec.Command(git, "fsck", "--strict")
			check.Dir = p.root
			text, err := check.CombinedOutput()
			require.NoError(t, err, string(text))

			rows(t, attacks, func(t *testing.T, names []string) {
				p := setup(t)
				before := guarded(p)
				prof := p.profile(t, ProfileOptions{Commits: true, Lean: true})
				script := `cd "$P"; export HOME=/tmp; `
				for _, n := range names {
					script += "(" + attacks[n] + "); "
				}
				out, err := confined(t, b, p, prof, script+":")
				require.NoError(t, err, out)
				require.Equal(t, before, guarded(p), "%q: %s", names, out)
			})
			p = setup(t)
			require.NoError(t, os.RemoveAll(filepath.Join(p.root, ".git", "hooks")))
			require.NoError(t, os.Symlink("../src", filepath.Join(p.root, ".git", "hooks")))
			g := p.guard(t)
			_, err = FromGuard(g, ProfileOptions{Commits: true})
			require.ErrorIs(t, err, ErrProfile, "a link cannot be held")
		})
	}
}
