package bashcheck

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// need finds an outside program, or skips and says which is missing.
func need(t *testing.T, name string) string {
	p, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing", name)
		}
		t.Skipf("%s is missing, so the attack cannot be run", name)
	}
	return p
}

// without is the safe environment with some entries taken out or replaced:
// what an attack meets where they are not set.
func without(env []string, drop ...string) []string {
	out := slices.Clone(env)
	for _, d := range drop {
		name, value, set := strings.Cut(d, "=")
		out = slices.DeleteFunc(out, func(e string) bool { return strings.HasPrefix(e, name+"=") })
		if set {
			out = append(out, name+"="+value)
		}
	}
	return out
}

// noConfig takes one of the settings that git is given out of the environment.
func noConfig(t *testing.T, env []string, key string) []string {
	for _, e := range env {
		if name, v, _ := strings.Cut(e, "="); strings.HasPrefix(name, "GIT_CONFIG_KEY_") && v == key {
			return without(env, name+"=x.y")
		}
	}
	t.Fatalf("SafeEnv sets no %s", key)
	return nil
}

// repository is a repository with one commit, made in the safe environment.
func repository(t *testing.T) string {
	git := need(t, "git")
	dir := t.TempDir()
	env := append(SafeEnv(EnvOptions{Home: dir}), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
	require.NoError(t, os.WriteFile(dir+"/f", []byte("one\n"), 0o600))
	for _, args := range [][]string{{"init", "-q", "."}, {"add", "f"}, {"commit", "-q", "-m", "x"}} {
		cmd := exec.Command(git, args...)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	return dir
}

func in(dir string, env []string, name string, args ...string) string {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, env
	out, _ := cmd.CombinedOutput()
	return strings.TrimSpace(string(out))
}

func setConfig(t *testing.T, dir, text string) {
	f, err := os.OpenFile(dir+"/.git/config", os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func hit(dir string) bool {
	_, err := os.Stat(dir + "/HIT")
	_ = os.Remove(dir + "/HIT")
	return err == nil
}

// script writes a program that leaves the mark HIT in dir.
func script(t *testing.T, dir, name string) string {
	p := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(p, []byte("#!/bin/sh\n: >"+dir+"/HIT\n"), 0o700))
	return p
}

func TestSafeEnvGit(t *testing.T) {
	env := SafeEnv(EnvOptions{})
	t.Run("fsmonitor", func(t *testing.T) {
		dir := repository(t)
		setConfig(t, dir, "[core]\n\tfsmonitor = "+script(t, dir, "evil")+"\n")
		in(dir, noConfig(t, env, "core.fsmonitor"), "git", "status")
		assert.True(t, hit(dir), "git status runs the program")
		in(dir, env, "git", "status")
		assert.False(t, hit(dir))
	})
	refresh := func(t *testing.T, dir string) { // makes the index out of date, but not the content
		require.NoError(t, os.WriteFile(dir+"/f", []byte("one\n"), 0o600))
		old, err := os.Stat(dir + "/.git/index")
		require.NoError(t, err)
		when := old.ModTime().Add(-1e12)
		require.NoError(t, os.Chtimes(dir+"/f", when, when))
	}
	t.Run("hooks", func(t *testing.T) {
		dir := repository(t)
		script(t, dir, ".git/hooks/post-index-change")
		locks := without(env, "GIT_OPTIONAL_LOCKS")
		refresh(t, dir)
		in(dir, noConfig(t, locks, "core.hooksPath"), "git", "status")
		assert.True(t, hit(dir), "git status runs the hook")
		refresh(t, dir)
		in(dir, locks, "git", "status")
		assert.False(t, hit(dir))
	})
	index := func(t *testing.T, dir string) string {
		b, err := os.ReadFile(dir + "/.git/index")
		require.NoError(t, err)
		return string(b)
	}
	t.Run("optional locks", func(t *testing.T) {
		dir := repository(t)
		refresh(t, dir)
		before := index(t, dir)
		in(dir, env, "git", "status")
		assert.Equal(t, before, index(t, dir))
		in(dir, without(env, "GIT_OPTIONAL_LOCKS"), "git", "status")
		assert.NotEqual(t, before, index(t, dir), "git status writes the index")
	})
	t.Run("refresh of the index", func(t *testing.T) {
		dir := repository(t)
		locks := without(env, "GIT_OPTIONAL_LOCKS")
		refresh(t, dir)
		before := index(t, dir)
		in(dir, locks, "git", "diff")
		assert.Equal(t, before, index(t, dir))
		in(dir, noConfig(t, locks, "diff.autoRefreshIndex"), "git", "diff")
		assert.NotEqual(t, before, index(t, dir), "git diff writes the index")
	})
	t.Run("pager", func(t *testing.T) {
		dir := repository(t)
		setConfig(t, dir, "[core]\n\tpager = evil\n")
		assert.Equal(t, "evil", in(dir, noConfig(t, without(env, "GIT_PAGER"), "core.pager"), "git", "var", "GIT_PAGER"))
		assert.Equal(t, "cat", in(dir, without(env, "GIT_PAGER"), "git", "var", "GIT_PAGER"))
		assert.Equal(t, "cat", in(dir, noConfig(t, env, "core.pager"), "git", "var", "GIT_PAGER"))
	})
	t.Run("bare repository", func(t *testing.T) {
		dir := repository(t)
		bare := dir + "/docs"
		in(dir, env, "git", "clone", "-q", "--bare", ".", bare)
		assert.Contains(t, in(bare, noConfig(t, env, "safe.bareRepository"), "git", "log", "--format=%s"), "x")
		assert.Contains(t, in(bare, env, "git", "log", "--format=%s"), "cannot use bare repository")
	})
	t.Run("ext protocol", func(t *testing.T) {
		dir := repository(t)
		setConfig(t, dir, "[protocol \"ext\"]\n\tallow = always\n")
		remote := "ext::" + script(t, dir, "evil")
		in(dir, noConfig(t, env, "protocol.ext.allow"), "git", "ls-remote", remote)
		assert.True(t, hit(dir), "git runs the program that the address names")
		in(dir, env, "git", "ls-remote", remote)
		assert.False(t, hit(dir))
	})
	t.Run("lazy fetch", func(t *testing.T) {
		// GIT_NO_LAZY_FETCH exists since git 2.44.
		if v := strings.Fields(in(".", env, "git", "--version")); len(v) < 3 || v[2] < "2.44" {
			t.Skipf("git is older than 2.44 and has no GIT_NO_LAZY_FETCH")
		}
		src := repository(t)
		setConfig(t, src, "[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n")
		dir := t.TempDir() + "/c"
		in(src, env, "git", "clone", "-q", "--no-checkout", "--filter=blob:none", "file://"+src, dir)
		setConfig(t, dir, "[remote \"origin\"]\n\tuploadpack = "+script(t, dir, "evil")+"\n")
		in(dir, without(env, "GIT_NO_LAZY_FETCH"), "git", "show", "HEAD:f")
		assert.True(t, hit(dir), "git fetches the missing object")
		in(dir, env, "git", "show", "HEAD:f")
		assert.False(t, hit(dir))
	})
}

func TestSafeEnvShell(t *testing.T) {
	bash := need(t, "bash")
	dir := t.TempDir()
	touch := script(t, dir, "evil")
	require.NoError(t, os.MkdirAll(dir+"/other/src", 0o700))
	require.NoError(t, os.MkdirAll(dir+"/src", 0o700))
	require.NoError(t, os.WriteFile(dir+"/start", []byte("touch "+dir+"/HIT\n"), 0o600))
	for _, a := range []struct {
		name, value, run string
		marks            bool   // the attack leaves the mark
		shows            string // or changes the output to hold this
	}{
		{"BASH_FUNC_ls%%", "() { touch " + dir + "/HIT; }", "ls", true, ""},
		{"BASH_ENV", dir + "/start", ":", true, ""},
		{"CDPATH", dir + "/other", "cd src && pwd", false, "/other/src"},
		{"SHELLOPTS", "noglob", "cd " + dir + " && touch a.go && echo *.go", false, "*.go"},
		{"PATH", dir, "evil", true, ""},
		{"PAGER", touch, "$PAGER", true, ""},
		{"EDITOR", touch, "$EDITOR", true, ""},
		{"LD_PRELOAD", dir + "/none.so", "/bin/true", false, "cannot be preloaded"},
		{"API_TOKEN", "secret", "echo $API_TOKEN", false, "secret"},
		{"https_proxy", "http://evil", "echo $https_proxy", false, "evil"},
		{"HTTPS_PROXY", "http://evil", "echo $HTTPS_PROXY", false, "evil"},
		{"RIPGREP_CONFIG_PATH", "/x", "echo $RIPGREP_CONFIG_PATH", false, "/x"},
		{"DOCKER_HOST", "tcp://evil", "echo $DOCKER_HOST", false, "evil"},
		{"GIT_DIR", "/evil", "echo $GIT_DIR", false, "evil"},
		{"GIT_EXTERNAL_DIFF", "evil", "echo $GIT_EXTERNAL_DIFF", false, "evil"},
		{"GOFLAGS", "-toolexec=evil", "echo $GOFLAGS", false, "evil"},
		{"GOTOOLCHAIN", "evil", "echo $GOTOOLCHAIN", false, "evil"},
		{"GOPROXY", "https://evil", "echo $GOPROXY", false, "evil"},
		{"LESSOPEN", "|evil %s", "echo $LESSOPEN", false, "evil"},
		{"NODE_OPTIONS", "--require evil", "echo $NODE_OPTIONS", false, "evil"},
		{"PYTHONSTARTUP", "evil", "echo $PYTHONSTARTUP", false, "evil"},
		{"JAVA_TOOL_OPTIONS", "evil", "echo $JAVA_TOOL_OPTIONS", false, "evil"},
	} {
		t.Run(a.name, func(t *testing.T) {
			run := func(env []string) bool {
				out := in(dir, env, bash, "-c", a.run)
				return a.marks && hit(dir) || !a.marks && strings.Contains(out, a.shows)
			}
			base := append(SafeEnv(EnvOptions{}), "X=1")
			assert.True(t, run(without(base, a.name+"="+a.value)), "the attack works where the variable is passed")
			t.Setenv(a.name, a.value)
			assert.False(t, run(SafeEnv(EnvOptions{})))
			assert.False(t, run(SafeEnv(EnvOptions{Keep: []string{a.name}})), "not even on demand")
		})
	}
}

func TestSafeEnvPath(t *testing.T) {
	root := t.TempDir()
	open, link := t.TempDir(), t.TempDir()+"/link"
	require.NoError(t, os.Chmod(open, 0o777))
	require.NoError(t, os.Mkdir(root+"/bin", 0o755))
	require.NoError(t, os.Symlink(root+"/bin", link))
	good := t.TempDir()
	require.NoError(t, os.Chmod(good, 0o755))
	path := func(o EnvOptions) string {
		for _, e := range SafeEnv(o) {
			if v, ok := strings.CutPrefix(e, "PATH="); ok {
				return v
			}
		}
		return "none"
	}
	all := []string{"", ".", "bin", "../x", open, root + "/bin", link, "/does/not/exist", "/etc/passwd", good, "/a:/b"}
	assert.Equal(t, good, path(EnvOptions{Path: all, Roots: []string{root}}))
	assert.Equal(t, strings.Join([]string{root + "/bin", link, good}, ":"), path(EnvOptions{Path: all}), "where the roots are not named")
	assert.NotContains(t, path(EnvOptions{}), "::")
	assert.True(t, slices.Contains(SafeEnv(EnvOptions{}), "GOPROXY=off"))
	assert.False(t, slices.Contains(SafeEnv(EnvOptions{Online: true}), "GOPROXY=off"))
	assert.Contains(t, SafeEnv(EnvOptions{Home: "/h", Temp: "/t"}), "HOME=/h")
	t.Setenv("MY_SETTING", "1")
	assert.Contains(t, SafeEnv(EnvOptions{Keep: []string{"MY_SETTING"}}), "MY_SETTING=1")
}

// TestSafeEnvGo: what the go command itself says about its settings.
func TestSafeEnvGo(t *testing.T) {
	gobin := need(t, "go")
	home := t.TempDir()
	require.NoError(t, os.MkdirAll(home+"/.config/go", 0o700))
	require.NoError(t, os.WriteFile(home+"/.config/go/env", []byte("GOFLAGS=-toolexec=evil\nGONOSUMDB=evil\n"), 0o600))
	env := SafeEnv(EnvOptions{Home: home})
	assert.Contains(t, in(home, without(env, "GOENV"), gobin, "env", "GONOSUMDB"), "evil", "the user's file counts")
	assert.Equal(t, "", in(home, env, gobin, "env", "GONOSUMDB"))
	assert.Contains(t, in(home, without(env, "GOENV", "GOFLAGS"), gobin, "env", "GOFLAGS"), "evil")
	assert.Equal(t, "off\nlocal\n-mod=readonly", in(home, env, gobin, "env", "GOPROXY", "GOTOOLCHAIN", "GOFLAGS"))
}

// TestSafeEnvPip: pip asks the index whether there is a newer pip where nothing
// forbids it. Upstream's asks by itself; Debian's, in which that is switched off,
// where a settings file switches it on again.
func TestSafeEnvPip(t *testing.T) {
	bash := need(t, "bash")
	var asked atomic.Int32
	index := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusNotFound)
	}))
	defer index.Close()
	home := t.TempDir()
	require.NoError(t, os.MkdirAll(home+"/.config/pip", 0o700))
	require.NoError(t, os.WriteFile(home+"/.config/pip/pip.conf", []byte("[global]\ndisable-pip-version-check = no\nindex-url = "+index.URL+"/simple\n"), 0o600))
	env := SafeEnv(EnvOptions{Home: home})
	if out := in(home, env, bash, "-c", "python3 -m pip --version"); !strings.HasPrefix(out, "pip ") {
		if os.Getenv("CI") == "true" {
			t.Fatalf("pip is missing: %s", out)
		}
		t.Skipf("python3 -m pip is missing, so the attack cannot be run: %s", out)
	}
	assert.Contains(t, Analyze("pip list").Assumptions, AssumeQuietManagers)
	in(home, env, bash, "-c", "python3 -m pip list")
	assert.Zero(t, asked.Load())
	in(home, without(env, "PIP_DISABLE_PIP_VERSION_CHECK"), bash, "-c", "python3 -m pip list")
	assert.NotZero(t, asked.Load(), "pip asks the index")
}

// TestSafeEnvPager: what less runs for a pipe by LESSOPEN, or by the key file in
// the home directory. The pipe's text alone tells nothing of it.
func TestSafeEnvPager(t *testing.T) {
	bash := need(t, "bash")
	need(t, "less")
	assert.Contains(t, Analyze("echo x | less").Assumptions, AssumePager)
	home := t.TempDir()
	open := "|-" + script(t, home, "evil") + " %s"
	env := SafeEnv(EnvOptions{Home: home})
	for name, vars := range map[string][]string{"LESSOPEN": {"LESSOPEN=" + open}, "a key file": {"LESSKEYIN=" + home + "/keys"}} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(home+"/keys", []byte("#env\nLESSOPEN="+open+"\n"), 0o600))
			in(home, append(without(env, "LESSOPEN", "LESSSECURE"), vars...), bash, "-c", "echo x | less")
			assert.True(t, hit(home), "less runs the program")
			in(home, append(without(env, "LESSOPEN"), vars...), bash, "-c", "echo x | less")
			assert.False(t, hit(home))
		})
	}
}

// TestSafeEnvTerraform: terraform version asks for a newer one, and notes a
// number for that in the home directory.
func TestSafeEnvTerraform(t *testing.T) {
	terraform, err := exec.LookPath("terraform")
	if err != nil {
		t.Skip("terraform is missing, so the attack cannot be run")
	}
	assert.Contains(t, Analyze("terraform version").Assumptions, AssumeNoCheckpoint)
	home := t.TempDir()
	env := append(SafeEnv(EnvOptions{Home: home}), "https_proxy=http://127.0.0.1:1/") // nothing leaves this machine
	in(home, env, terraform, "version")
	in(home, env, terraform, "fmt", "-check")
	assert.NoFileExists(t, home+"/.terraform.d/checkpoint_signature")
	in(home, without(env, "CHECKPOINT_DISABLE"), terraform, "version")
	assert.FileExists(t, home+"/.terraform.d/checkpoint_signature")
}

// TestSafeEnvUser: ps -u takes what USER holds; were it no name, a flag of
// another word could become one that shows environments.
func TestSafeEnvUser(t *testing.T) {
	bash := need(t, "bash")
	need(t, "ps")
	const src = `ps -x -ww -u "$USER"`
	assert.Contains(t, Analyze(`ps -f -u "$USER"`).Assumptions, AssumeUserName)
	run := func(env []string) string {
		return in(t.TempDir(), append(env, "Q7S=q7sesame"), bash, "-c", src+" && :")
	}
	t.Setenv("USER", "-e")
	assert.Contains(t, run(append(SafeEnv(EnvOptions{}), "USER=-e")), "Q7S=q7sesame")
	assert.NotContains(t, run(SafeEnv(EnvOptions{})), "Q7S=q7sesame")
	assert.NotContains(t, strings.Join(SafeEnv(EnvOptions{}), " "), "USER=")
	t.Setenv("USER", "ann.b-c")
	assert.Contains(t, SafeEnv(EnvOptions{}), "USER=ann.b-c")
}

// TestProjectsChooseRustc: what .cargo/config.toml names is run by cargo tree,
// and not by what is called read-only.
func TestProjectsChooseRustc(t *testing.T) {
	cargo, err := exec.LookPath("cargo")
	if err != nil {
		t.Skip("cargo is missing, so the attack cannot be run")
	}
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(dir+"/.cargo", 0o700))
	require.NoError(t, os.MkdirAll(dir+"/src", 0o700))
	evil := script(t, dir, "evil")
	for name, text := range map[string]string{"Cargo.toml": "[package]\nname = \"a\"\nversion = \"0.1.0\"\n", "src/main.rs": "fn main() {}\n",
		".cargo/config.toml": "[build]\nrustc = \"" + evil + "\"\nrustc-wrapper = \"" + evil + "\"\n"} {
		require.NoError(t, os.WriteFile(dir+"/"+name, []byte(text), 0o600))
	}
	for _, k := range []struct {
		args []string
		runs bool
	}{
		{[]string{"tree", "--offline"}, true}, {[]string{"metadata", "--format-version=1", "--offline"}, true},
		{[]string{"metadata", "--format-version=1", "--no-deps"}, false}, {[]string{"locate-project"}, false}, {[]string{"read-manifest"}, false}, {[]string{"--version"}, false},
	} {
		src := "cargo " + strings.Join(k.args, " ")
		in(dir, os.Environ(), cargo, k.args...) // the toolchain is found by the user's own environment
		assert.Equal(t, k.runs, hit(dir), src)
		assert.Equal(t, !k.runs, Analyze(src).ReadOnly(), src)
		_ = os.Remove(dir + "/Cargo.lock")
	}
}
