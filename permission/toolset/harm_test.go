package toolset_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/toolset"
	"github.com/clearance-go/clearance/scope"
)

// machine is a home with a project in it, on the real disk.
type machine struct {
	home, dir string
	eval      *permission.Evaluator
	guard     *scope.Guard
}

// newMachine makes a home and runs setup, a bash text, in the project. rules
// is the content of permissions in the user's settings.
func newMachine(t testing.TB, setup, rules string) *machine {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	m := &machine{home: filepath.Join(root, "home"), dir: filepath.Join(root, "home", "proj")}
	require.NoError(t, os.MkdirAll(m.dir, 0o755))
	// What git init copies: no sample hooks, whose files are most of a small repository.
	for _, d := range []string{"hooks", "info"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, "template", d), 0o755))
	}
	m.bash(t, setup)
	m.open(t, rules)
	return m
}

// newMachineIn is newMachine for a project that is there already.
func newMachineIn(t testing.TB, home, dir, rules string) *machine {
	t.Helper()
	m := &machine{home: home, dir: dir}
	m.open(t, rules)
	return m
}

func (m *machine) open(t testing.TB, rules string) {
	t.Helper()
	policy, err := permission.ParsePolicy(m.home, permission.Source{Layer: permission.LayerUser, Name: "settings.json",
		Base: m.dir, Data: []byte(`{"permissions":{` + rules + `}}`)})
	require.NoError(t, err)
	m.guard, err = scope.New(m.dir, scope.Options{Home: m.home})
	require.NoError(t, err)
	t.Cleanup(func() { m.guard.Close() })
	tools, err := toolset.NewWith(toolset.Options{Files: m.guard, Home: m.home, Analyzer: bashcheck.New(bashcheck.Options{Home: m.home}),
		Assume: bashcheck.SafeEnvAssumptions()})
	require.NoError(t, err)
	m.eval, err = permission.New(permission.Config{Policy: policy, Inspector: tools})
	require.NoError(t, err)
}

// bash runs a text in the project with nothing in between.
func (m *machine) bash(t testing.TB, text string) {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "bash is missing")
		t.Skip("bash is missing: the commands of this test cannot be run")
	}
	c := exec.Command(bash, "--norc", "-c", text)
	c.Dir = m.dir
	c.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + m.home, "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b",
		// No second process after each commit.
		"GIT_TEMPLATE_DIR=" + filepath.Join(m.home, "../template"), "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=maintenance.auto", "GIT_CONFIG_VALUE_0=false"}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Logf("%s: %v: %s", text, err, out)
	}
}

func (m *machine) decide(t testing.TB, mode permission.Mode, tool string, input map[string]any) (permission.Decision, permission.Inspection) {
	t.Helper()
	in, err := json.Marshal(input)
	require.NoError(t, err)
	st := permission.State{Mode: mode, Dir: m.dir}
	call := permission.Call{Tool: tool, Input: in, Dir: m.dir}
	ins, _ := m.eval.Inspect(context.Background(), st, call)
	return m.eval.Decide(st, call, ins), ins
}

func (m *machine) command(t testing.TB, mode permission.Mode, text string) permission.Decision {
	t.Helper()
	d, _ := m.decide(t, mode, "Bash", map[string]any{"command": text})
	return d
}

// everyThird is the list in CI, and a part of it every day: for tables that run
// a program or more for each row.
func everyThird[T any](list []T) []T {
	if os.Getenv("CI") == "true" {
		return list
	}
	var out []T
	for i := 0; i < len(list); i += 3 {
		out = append(out, list[i])
	}
	return out
}

func read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return string(b)
}

// TestTricksOfWriters: each command does harm when it is run, and none of them
// is settled by accept-edits mode.
func TestTricksOfWriters(t *testing.T) {
	const git = "mkdir -p .git/hooks; echo orig > .git/config; echo secret > ../secret; "
	for name, c := range map[string]struct {
		setup, command string
		// victim is the file, from the project, that the command changes.
		victim, rules string
	}{
		"cp -s makes a link to a secret":         {git, "cp -s $PWD/../secret s; cat s > out", "out", ""},
		"cp -l shares a protected file":          {git, "cp -l .git/config shared; echo evil > shared", ".git/config", ""},
		"cp --parents makes directories":         {git + "mkdir -p a/.git/hooks b; echo evil > a/.git/hooks/x", "cd a; cp --parents .git/hooks/x ..", ".git/hooks/x", ""},
		"cp into a directory by its base name":   {git + "mkdir sub; echo evil > sub/.bashrc", "cp sub/.bashrc .", ".bashrc", ""},
		"mv into a directory by its base name":   {git + "mkdir sub; echo evil > sub/.envrc", "mv sub/.envrc .", ".envrc", ""},
		"cp into a directory made just before":   {git + "mkdir sub; echo evil > sub/.bashrc", "mkdir d; cp sub/.bashrc d", "d/.bashrc", ""},
		"cp -r brings protected names":           {git + "mkdir -p src/.vscode; echo evil > src/.vscode/tasks.json", "cp -r src dst", "dst/.vscode/tasks.json", ""},
		"cp -r of a pattern":                     {git + "mkdir -p src/.husky; echo evil > src/.husky/pre-commit", "cp -r sr?/.h* .", ".husky/pre-commit", ""},
		"mv of a pattern":                        {git + "mkdir -p src/.husky; echo evil > src/.husky/pre-commit", "mv sr?/.h* .", ".husky/pre-commit", ""},
		"rm -r of a pattern over a tree":         {git + "mkdir -p sub/.vscode; echo x > sub/.vscode/x", "rm -rf su*", "sub/.vscode/x", ""},
		"cp -r of the content of a directory":    {git + "mkdir -p src/.husky; echo evil > src/.husky/pre-commit", "cp -r src/. .", ".husky/pre-commit", ""},
		"mv of a tree makes a protected one":     {git + "mkdir -p t/git; echo evil > t/git/config", "mv t .config", ".config/git/config", ""},
		"cp -r writes through a link below":      {git + "mkdir src dst; echo evil > src/f; ln -s ../../secret dst/f", "cp -r src/. dst", "../secret", ""},
		"cp writes through a link":               {git + "echo evil > a; ln -s ../secret b", "cp a b", "../secret", ""},
		"a redirection through a link":           {git + "ln -s ../secret b", "echo evil > b", "../secret", ""},
		"a redirection through a directory link": {git + "ln -s .. up", "echo evil > up/secret", "../secret", ""},
		"a redirection after cd":                 {git, "cd .git && echo evil > config", ".git/config", ""},
		"a redirection after cd that may fail":   {git + "mkdir sub", "cd sub; cd ..; cd .git; echo evil > config", ".git/config", ""},
		"two candidate directories":              {git + "echo x > config", "cd .git; echo evil > config", ".git/config", ""},
		"a link made in the same command":        {git, "ln -s .git g; echo evil > g/config", ".git/config", `"allow":["Bash(ln *)"]`},
		"a link moved in the same command":       {git + "ln -s .git l", "mv l m; echo evil > m/config", ".git/config", ""},
		"a link copied in the same command":      {git + "ln -s .git l", "cp -P l m; echo evil > m/config", ".git/config", ""},
		"a link in a loop, used before it":       {git, "for i in 1 2; do touch d$i/config; ln -s .git d2; echo evil > d2/config; done", ".git/config", `"allow":["Bash(ln *)"]`},
		"a function that is called after a link": {git, "f() { touch x/pre; mv x/pre x/config; }; ln -s .git x; f", ".git/config", `"allow":["Bash(ln *)"]`},
		"a link made in the background":          {git, "ln -s .git x & wait; echo evil > x/config", ".git/config", `"allow":["Bash(ln *)"]`},
		"an edit rule and a link made before":    {git + "mkdir ok", "rm -r ok; ln -s .git ok; echo evil > ok/config", ".git/config", `"allow":["Edit(/ok/**)","Bash(ln *)"]`},
		"sed -i with a suffix that is a path":    {git + "echo a > config", "sed -i.git/* s/a/evil/ config", "config", ""},
		"sed -i backup beside":                   {git + "echo a > f", "sed -i'../*.bak' s/a/b/ f", "../f.bak", ""},
		"sed w command":                          {git + "echo evil > f", "sed -i w.git/config f", ".git/config", ""},
		"cp with a backup suffix that is a path": {git + "echo evil > c; echo x > d", "cp -b -S /../.git/config c d", "d", ""},
		"rm -r follows what a glob names":        {git, "rm -rf .g*", ".git/config", ""},
		"rm of a bracket glob":                   {git, "rm -rf .[g]it", ".git/config", ""},
		"find -delete empties a protected tree":  {git, "find .git -name config -delete", ".git/config", `"allow":["Bash(find .git -name config -delete)"]`},
		"tee to several files":                   {git, "echo evil | tee a .git/config b", ".git/config", ""},
		"touch with a glob":                      {git, "touch -d 1980-01-01 .git/*; date -r .git/config > .git/config", ".git/config", ""},
		"cp -t names the target first":           {git + "echo evil > config", "cp -t .git config", ".git/config", `"allow":["Bash(cp *)"]`},
		"cp with an attached target":             {git + "echo evil > config", "cp --target-directory=.git config", ".git/config", `"allow":["Bash(cp *)"]`},
		"install writes too":                     {git + "echo evil > config", "install -m 644 config .git/config", ".git/config", `"allow":["Bash(install *)"]`},
		"dd names its target with of=":           {git + "echo evil > config", "dd if=config of=.git/config status=none", ".git/config", `"allow":["Bash(dd *)"]`},
		"a command rule over a redirection":      {git, "echo evil > .git/config", ".git/config", `"allow":["Bash(echo *)"]`},
		"a command rule over a substitution":     {git, "echo $(echo evil > .git/config)", ".git/config", `"allow":["Bash(echo *)"]`},
		"a case-folded name":                     {git, "mkdir .GIT; echo evil > .GIT/config", ".GIT/config", ""},
		"a deny rule below a copied tree":        {git + "mkdir -p src/keep; echo evil > src/keep/x", "cp -r src dst", "dst/keep/x", `"deny":["Edit(/dst/keep/**)"]`},
		"a deny rule below a removed tree":       {git + "mkdir -p d/keep; echo x > d/keep/x", "rm -rf d", "d/keep/x", `"deny":["Edit(/d/keep/**)"]`},
		"a deny rule below a moved tree":         {git + "mkdir -p d/keep; echo x > d/keep/x", "mv d e", "d/keep/x", `"deny":["Edit(keep/**)"]`},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, c.setup, c.rules)
			d := m.command(t, permission.ModeAcceptEdits, c.command)
			assert.NotEqual(t, permission.Allow, d.Verdict, "%s: %v", c.command, d.Reasons)
			victim := filepath.Join(m.dir, c.victim)
			before := read(t, victim)
			m.bash(t, c.command)
			require.NotEqual(t, before, read(t, victim), "with nothing in between, the command does the harm")
		})
	}
}

// TestReadersOverTrees: each command shows a secret when it is run; a deny rule
// stops it, and without one it asks.
func TestReadersOverTrees(t *testing.T) {
	const setup = `mkdir -p sub/deep pub; echo TOP-SECRET > .env; echo TOP-SECRET > sub/deep/.env; echo ok > pub/a.txt; echo ok > a.txt; ln -s ../.env sub/l
git init -q . && git add -f a.txt sub/deep/.env && git commit -qm one; echo MORE-SECRET >> sub/deep/.env`
	plain := newMachine(t, setup, "")
	ruled := newMachineIn(t, plain.home, plain.dir, `"allow":["Bash"],"deny":["Read(.env)"]`)
	for _, command := range []string{
		"cat .env", "cat < .env", "cat .e*", "cat .[e]nv", "cat ./sub/../.env", "cat sub/l", "head -1 .env", "grep -r SECRET .", "grep -R SECRET sub",
		"grep SECRET .* 2>/dev/null", "cp .env x; cat x", "cp -r sub y; cat y/deep/.env", "git diff", "git log -p", "git grep SECRET", "git show HEAD:sub/deep/.env",
		"ln -s .env z; cat z", "ln .env z; cat z", "mv .env z; cat z", "while read l; do echo $l; done < .env", "sort .env", "diff .env a.txt", "tac .env",
		"cat sub/*/.env", "cat */deep/.env", "cd sub/deep && cat .env", "cd sub; cat ../.env", "sed -n p .env", "awk 1 .env", "tail -n +1 .env", "nl .env", "od -c .env",
		"python3 -c 'print(open(\".env\").read())'", "bash -c 'cat .env'", "xargs -a .env echo", "base64 .env", "tee out < .env",
	} {
		t.Run(command, func(t *testing.T) {
			d := plain.command(t, permission.ModeAcceptEdits, command)
			assert.NotEqual(t, permission.Allow, d.Verdict, "%v", d.Reasons)
			d = ruled.command(t, permission.ModeDefault, command)
			assert.NotEqual(t, permission.Allow, d.Verdict, "%v", d.Reasons)
			d = ruled.command(t, permission.ModeBypass, command)
			assert.NotEqual(t, permission.Allow, d.Verdict, "%v", d.Reasons)
		})
	}
	m := newMachineIn(t, plain.home, plain.dir, `"deny":["Read(.env)"]`)
	for _, command := range []string{"grep -r ok pub", "cat a.txt", "cat pub/*", "cat *", "ls -la", "grep -r --exclude=.env ok .", "rg ok", "git status", "git log --oneline",
		"git diff --stat -- a.txt | cat; ls", "find . -name a.txt", "wc -l pub/a.txt", "diff a.txt pub/a.txt"} {
		if strings.Contains(command, "git diff") {
			continue // its operands do not narrow what is looked at
		}
		d := m.command(t, permission.ModeDefault, command)
		assert.Equal(t, permission.Allow, d.Verdict, "%s: %v", command, d.Reasons)
	}
}

// TestFollowedLinks: a reader that goes through links finds names behind them,
// whatever filter of names it has; the link itself has another one.
func TestFollowedLinks(t *testing.T) {
	const setup = `mkdir -p ../else/.ssh src empty; echo TOP-SECRET > ../else/.ssh/id_rsa; chmod 644 ../else/.ssh/id_rsa; ln -s ../else link; echo ok > src/a.go`
	for _, command := range []string{
		"find -L . -name id_rsa -exec cat {} +", "find . -follow -name 'id_*' -exec cat {} \\;", "find -L . -name id_rsa | xargs cat",
		"grep -R --include=id_rsa SECRET .", "grep -hR --include='*_rsa' . .", "diff -rN . empty",
	} {
		t.Run(command, func(t *testing.T) {
			m := newMachine(t, setup, "")
			d := m.command(t, permission.ModeAcceptEdits, command)
			assert.NotEqual(t, permission.Allow, d.Verdict, "%v", d.Reasons)
			m.bash(t, "{ "+command+"\n} > ../shown; true")
			require.Contains(t, read(t, filepath.Join(m.dir, "../shown")), "TOP-SECRET", "with nothing in between, the command shows the secret")
		})
	}
	m := newMachine(t, setup, "")
	for _, command := range []string{"find . -name id_rsa -exec cat {} +", "grep -r --include='*.go' ok .", "find . -name '*.go' -exec cat {} +", "diff -r --no-dereference src empty", "diff -r src empty"} {
		d := m.command(t, permission.ModeDefault, command)
		assert.Equal(t, permission.Allow, d.Verdict, "%s: %v", command, d.Reasons)
	}
}

// TestOutsideReads: what everybody may read is read without a question, the
// rest is not.
func TestOutsideReads(t *testing.T) {
	m := newMachine(t, "echo x > ../pub; chmod 644 ../pub; echo x > ../priv; chmod 600 ../priv; mkdir -p ../.ssh ../tree; echo k > ../.ssh/id_rsa; echo x > ../tree/a; chmod 644 ../tree/a", "")
	for command, want := range map[string]permission.Verdict{
		"cat ../pub": permission.Allow, "cat ../priv": permission.Ask, "cat ~/.ssh/id_rsa": permission.Ask, "cat /etc/hostname": permission.Allow,
		"cat /etc/shadow": permission.Ask, "grep -r x ../tree": permission.Allow, "grep -r x ~": permission.Ask, "cat /root/x": permission.Ask,
		"cat /home/somebodyelse/x": permission.Ask, "cat /proc/self/environ": permission.Ask, "head -c 4 /dev/urandom": permission.Allow, "ls ~/.ssh": permission.Allow,
		"cat ../p*": permission.Ask, "wc -l ../pu*": permission.Allow,
	} {
		d := m.command(t, permission.ModeDefault, command)
		assert.Equal(t, want, d.Verdict, "%s: %v", command, d.Reasons)
	}
	d, ins := m.decide(t, permission.ModeDefault, "Bash", map[string]any{"command": "cat ~/.ssh/id_rsa"})
	assert.Equal(t, permission.Ask, d.Verdict)
	assert.NotEqual(t, permission.RiskLow, d.Risk, "reading a secret is no low risk")
	assert.NotZero(t, ins.Brings&permission.SensitiveData)
	_, ins = m.decide(t, permission.ModeDefault, "Bash", map[string]any{"command": "make build"})
	assert.Contains(t, ins.Explanation.String(), "run anything that this workspace contains")
}

// TestForeignRepository: git in a directory whose nearest repository is not the
// project's runs what that repository says.
func TestForeignRepository(t *testing.T) {
	m := newMachine(t, `git init -q .; mkdir sub vendor; cd vendor; git init -q .; printf '#!/bin/sh\ntouch "'$PWD'/owned"\n' > ../mon; chmod +x ../mon; git config core.fsmonitor $PWD/../mon`, "")
	ask := func(dir string) permission.Verdict {
		st := permission.State{Dir: m.dir}
		call := permission.Call{Tool: "Bash", Input: json.RawMessage(`{"command":"git status"}`), Dir: dir}
		ins, _ := m.eval.Inspect(context.Background(), st, call)
		return m.eval.Decide(st, call, ins).Verdict
	}
	assert.Equal(t, permission.Allow, ask(m.dir))
	assert.Equal(t, permission.Allow, ask(filepath.Join(m.dir, "sub")))
	assert.Equal(t, permission.Ask, ask(filepath.Join(m.dir, "vendor")))
	m.bash(t, "cd vendor && git status >/dev/null")
	require.FileExists(t, filepath.Join(m.dir, "vendor", "owned"), "with nothing in between, git runs the program of the other repository")
}

// TestOwnRepositoryFromBelow: a folder of the project is no other repository, as
// long as nothing in the text can make it one.
func TestOwnRepositoryFromBelow(t *testing.T) {
	m := newMachine(t, "git init -q .; mkdir src vendor; git init -q vendor; ln -s src link; ln -s / out; git init -q --bare bare", "")
	for command, want := range map[string]permission.Verdict{
		"cd src && git status": permission.Allow, "git -C src log --oneline": permission.Allow, "cd link; git diff | head": permission.Allow,
		"cd src && git log && cd .. && git status": permission.Allow, "(cd src && git status)": permission.Allow,
		"cd vendor && git status": permission.Ask, "git -C vendor status": permission.Ask, "cd out && git status": permission.Ask, "cd bare && git log": permission.Ask,
		"cd src; cd ../vendor; git status": permission.Ask, "cd $x && git status": permission.Ask, "cd src && git status > log": permission.Ask,
		"mkdir -p src/x && cd src && git status": permission.Ask, "cd src && ./x && git status": permission.Ask, "cd .. && git status": permission.Ask,
	} {
		d := m.command(t, permission.ModeDefault, command)
		assert.Equal(t, want, d.Verdict, "%s: %v", command, d.Reasons)
	}
}

// TestNamesThroughAPipe: what is named through a pipe is known where it lies,
// and looked at like a tree: secrets ask, unless the command that names the files
// leaves them out, and a name that xargs would split makes everything unknown.
func TestNamesThroughAPipe(t *testing.T) {
	m := newMachine(t, "git init -q .; mkdir src; echo a > src/a.go; echo k > .env; git add src; mkdir deep; echo k > deep/.env; echo k > deep/k.go", "")
	for command, want := range map[string]permission.Verdict{
		"find . -name '*.go' | xargs wc -l": permission.Allow, "find . -name '*.go' -print0 | xargs -0 grep -n a": permission.Allow, "find src | xargs wc -l": permission.Allow,
		"git ls-files | xargs wc -l": permission.Allow, "git ls-files -z | xargs -0 cat": permission.Allow, "rg -l a | xargs wc -l": permission.Allow,
		"find . -name '*.go' -exec cat {} +": permission.Allow, "grep -rl a src | xargs cat": permission.Allow,
		"find . | xargs cat": permission.Ask, "find . -print0 | xargs -0 cat": permission.Ask, "find . -exec cat {} +": permission.Ask, "find . -name '*' | xargs cat": permission.Ask,
		"find . -name '*.go' -o -type f | xargs cat": permission.Ask, "find . -print0 -name '*.go' | xargs -0 cat": permission.Ask, "find . -exec cat {} + -name '*.go'": permission.Ask,
		"find . ! -name '*.go' | xargs cat": permission.Ask, "find . -name 'deep' | xargs grep -r k": permission.Ask, "git ls-files -o | xargs cat": permission.Ask,
		"rg -l --hidden k | xargs cat": permission.Ask, "rg -l -uu k | xargs cat": permission.Ask, "grep -rl k . | xargs cat": permission.Ask, "fd -H | xargs cat": permission.Ask,
		"find ~/.ssh | xargs cat": permission.Ask, "find . -name '*.go' | xargs rm": permission.Ask, "cat list | xargs cat": permission.Ask,
		"git ls-files '*' .env -o | xargs cat": permission.Ask,
	} {
		d := m.command(t, permission.ModeAcceptEdits, command)
		assert.Equal(t, want, d.Verdict, "%s: %v", command, d.Reasons)
	}
	m.bash(t, `mkdir 'src/my folder'`)
	d := m.command(t, permission.ModeDefault, "find src -name '*.go' | xargs wc -l")
	assert.Equal(t, permission.Ask, d.Verdict, "%v", d.Reasons)
	d = m.command(t, permission.ModeDefault, "find src -name '*.go' -print0 | xargs -0 wc -l")
	assert.Equal(t, permission.Allow, d.Verdict, "%v", d.Reasons)
	m.bash(t, `git add .env`)
	d = m.command(t, permission.ModeDefault, "git ls-files | xargs cat")
	assert.Equal(t, permission.Ask, d.Verdict, "%v", d.Reasons)
}

// TestTooManyFiles: a target set over the bound asks.
func TestTooManyFiles(t *testing.T) {
	m := newMachine(t, "mkdir big; cd big; mkdir $(seq 105); touch 1/1", "")
	// Names of one file: what counts here are the names, and they are made in no time.
	for i := 1; i <= 105; i++ {
		for j := 1; j <= 100; j++ {
			if err := os.Link(filepath.Join(m.dir, "big/1/1"), filepath.Join(m.dir, "big", strconv.Itoa(i), strconv.Itoa(j))); i+j > 2 {
				require.NoError(t, err)
			}
		}
	}
	d := m.command(t, permission.ModeAcceptEdits, "rm -rf big")
	assert.Equal(t, permission.Ask, d.Verdict)
	d = m.command(t, permission.ModeAcceptEdits, "grep -r x big")
	assert.Equal(t, permission.Ask, d.Verdict)
	for _, command := range []string{"rm -rf big/1", "grep -r x big/1"} {
		d = m.command(t, permission.ModeAcceptEdits, command)
		assert.Equal(t, permission.Allow, d.Verdict, "%v", d.Reasons)
	}
}

// TestGrantForATreeHoldsNoSecrets: a search that may read the project is no
// permission to open the secrets in it.
func TestGrantForATreeHoldsNoSecrets(t *testing.T) {
	m := newMachine(t, "echo k > .env; echo a > a.txt", "")
	gate := permission.NewGate(m.eval, permission.GateOptions{})
	s := gate.Session(permission.SessionOptions{Dir: m.dir})
	grant, err := s.Authorize(context.Background(), permission.Call{Tool: "Grep", Input: json.RawMessage(`{"pattern":"k"}`), Dir: m.dir})
	require.NoError(t, err)
	files := toolset.Files(m.guard, grant)
	_, err = files.ReadFile("a.txt")
	require.NoError(t, err)
	_, err = files.ReadFile(".env")
	require.ErrorIs(t, err, scope.ErrSensitive)
}

// TestContentIsPartOfTheCall: a script that changed is not the one that was
// approved.
func TestContentIsPartOfTheCall(t *testing.T) {
	m := newMachine(t, "echo 'echo a' > x.sh; chmod +x x.sh; printf 'all:\n\ttrue\n' > Makefile; mkdir sub; cp x.sh sub", "")
	digests := func() map[string]string {
		out := map[string]string{}
		for _, command := range []string{"./x.sh", "bash x.sh", "make all", "cd sub && ./x.sh", "ls"} {
			_, ins := m.decide(t, permission.ModeDefault, "Bash", map[string]any{"command": command})
			for _, a := range ins.Actions {
				if a.Kind == permission.Run {
					out[command] = a.Command.Digest()
				}
			}
		}
		return out
	}
	before := digests()
	assert.Empty(t, before["ls"])
	for _, c := range []string{"./x.sh", "bash x.sh", "make all", "cd sub && ./x.sh"} {
		assert.NotEmpty(t, before[c], c)
	}
	m.bash(t, "echo 'echo evil' > x.sh; echo '\tevil' >> Makefile")
	after := digests()
	for _, c := range []string{"./x.sh", "bash x.sh", "make all"} {
		assert.NotEqual(t, before[c], after[c], c)
	}
	assert.Equal(t, before["cd sub && ./x.sh"], after["cd sub && ./x.sh"])
}

// TestEverydayWriters: what a person who accepts edits does all day is not
// asked about.
func TestEverydayWriters(t *testing.T) {
	m := newMachine(t, "mkdir -p src/in build out; echo a > a.txt; echo b > src/b.c; touch x.o y.o build/z; echo 'a b' > 'a b.txt'", "")
	for _, c := range []string{
		"rm *.o", "rm -f *.o build/*", "rm -rf build && mkdir build", "cp -r src out && rm -rf src", "rm -rf out && cp -r src out", "mv a.txt b.txt && cat b.txt",
		"mkdir -p new/sub && touch new/sub/x && cp a.txt new/sub/y", "echo hi > n.txt && cat n.txt", "cp 'a b.txt' out/", "cp -r sr* out", "rm -rf s*c", "mv ./*.txt out", "grep -rn x s*", "mv src/b.c src/c.c", "cd src && rm *.c", "cd build && rm -rf *",
		"sed -i s/a/b/ a.txt && cat a.txt", "cat a.txt | tee -a out/log", "rm -r src/in", "rmdir src/in", "touch -c a.txt", "cp src/* out", "printf 'x\\n' >> a.txt", "nohup cp a.txt b.txt",
		"LANG=C cp a.txt b.txt", "timeout 5 mv a.txt z.txt", "for i in 1 2 3; do touch out/x; done", "if [ -f a.txt ]; then rm a.txt; fi", "rm a.txt || true", "ls > out/list 2>&1",
	} {
		d := m.command(t, permission.ModeAcceptEdits, c)
		assert.Equal(t, permission.Allow, d.Verdict, "%s: %s", c, d.Text())
	}
}

// TestRulesOverPrivateFiles: with a strict umask every file is private, and a
// rule for a directory means its files; one for the whole home directory does
// not mean what hides there.
func TestRulesOverPrivateFiles(t *testing.T) {
	for rule, want := range map[string]permission.Verdict{
		"Read(~/docs/**)": permission.Allow, "Read(~/docs/*/*)": permission.Allow, "Read(~/**)": permission.Ask, "Read(~/*/*/*)": permission.Ask, "Read(//**)": permission.Ask,
		"Read(~/**/priv.txt)": permission.Allow, "Read(~/**/p*)": permission.Allow,
	} {
		m := newMachine(t, "mkdir -p ../docs/sub; echo x > ../docs/sub/priv.txt; chmod 600 ../docs/sub/priv.txt", `"allow":["`+rule+`"]`)
		d := m.command(t, permission.ModeDefault, "cat ../docs/sub/priv.txt")
		assert.Equal(t, want, d.Verdict, "%s: %s", rule, d.Text())
	}
	// A link in the project to a secret is the secret.
	for rule, want := range map[string]permission.Verdict{`"Read(./**)","Read(~/**)"`: permission.Ask, `"Read(./**)","Read(~/.ssh/**)"`: permission.Ask, `"Read(//**)"`: permission.Ask} {
		m := newMachine(t, "mkdir -p ../.ssh; echo x > ../.ssh/id_rsa; ln -s ../.ssh/id_rsa notes.txt", `"allow":[`+rule+`]`)
		d := m.command(t, permission.ModeDefault, "cat notes.txt")
		assert.Equal(t, want, d.Verdict, "%s: %s", rule, d.Text())
	}
}

// TestSubmodules: git status starts git in each submodule, where the submodule's
// own configuration counts; its filters run even in the environment of
// bashcheck.SafeEnv. A submodule as git submodule add makes it is no obstacle.
func TestSubmodules(t *testing.T) {
	needs(t, "git")
	const setup = `git init -q ../lib && (cd ../lib && echo 1 > f && git add f && git commit -qm one); git init -q . && echo a > a.txt && git -c protocol.file.allow=always submodule --quiet add ../lib mod && git add . && git commit -qm one && test -f mod/f`
	for _, version := range []string{"2", "3", "4"} {
		m := newMachine(t, setup+"; git update-index --index-version "+version, "")
		for _, c := range []string{"git status", "git diff", "cd mod && cat f", "git submodule status"} {
			d := m.command(t, permission.ModeDefault, c)
			assert.Equal(t, permission.Allow, d.Verdict, "%s: %s", c, d.Text())
		}
	}
	for name, evil := range map[string]string{
		"a monitor":               "git -C mod config core.fsmonitor $PWD/../mon",
		"a filter":                "git -C mod config filter.x.clean $PWD/../mon; echo 'f filter=x' > mod/.gitattributes; echo 2 > mod/f",
		"an include":              "printf '[core]\\nfsmonitor=%s\\n' $PWD/../mon > ../more; git -C mod config include.path $PWD/../more",
		"one inside of another":   "git init -q mod/in && (cd mod/in && echo 1 > g && git add g && git commit -qm one); git -C mod -c advice.addEmbeddedRepo=false add in; git -C mod/in config core.fsmonitor $PWD/../mon",
		"a monitor of version 4":  "git update-index --index-version 4; git -C mod config core.fsmonitor $PWD/../mon",
		"a folder of its own":     "rm -rf mod; git init -q mod; (cd mod && echo 1 > f && git add f && git commit -qm one); git -C mod config core.fsmonitor $PWD/../mon",
		"another's configuration": "cp -r .git/modules/mod ../other; git config -f ../other/config core.worktree $PWD/mod; git config -f ../other/config core.fsmonitor $PWD/../mon; echo gitdir: $PWD/../other > mod/.git",
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, setup+`; printf '#!/bin/sh\ntouch "'$PWD'/../owned"\ncat\n' > ../mon; chmod +x ../mon; `+evil, "")
			d := m.command(t, permission.ModeDefault, "git status")
			assert.Equal(t, permission.Ask, d.Verdict, d.Text())
			assert.Contains(t, d.Explanation.String(), "submodule")
			c := exec.Command("git", "status")
			c.Dir, c.Env = m.dir, []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + m.home}
			if name == "a filter" {
				c.Env = bashcheck.SafeEnv(bashcheck.EnvOptions{Home: m.home})
			}
			out, err := c.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.FileExists(t, filepath.Join(m.home, "owned"), "with nothing in between, git runs the program")
		})
	}
}
