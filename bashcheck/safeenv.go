package bashcheck

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// EnvOptions configure [SafeEnv].
type EnvOptions struct {
	// Home is the value of HOME; empty leaves HOME out.
	Home string
	// Path are the directories of PATH, in order. A relative or missing entry
	// and one that others may write to is left out. Empty means the system's
	// own directories.
	Path []string
	// Temp is the value of TMPDIR; empty leaves it out.
	Temp string
	// Roots are the directories that the model may write to. An entry of PATH at
	// or below one of them is left out.
	Roots []string
	// Online leaves out what keeps the go command from fetching (GOPROXY=off,
	// GOFLAGS=-mod=readonly, GOENV=off) and programs in Python from writing
	// __pycache__ (PYTHONDONTWRITEBYTECODE=1). Set it for a command that a person or a
	// rule approved, such as go get. A command that runs because it only reads
	// needs it off: go list fetches modules otherwise, so that the assumption
	// [AssumeGoOffline] does not hold.
	Online bool
	// Keep names further variables that are taken from the process. Variables
	// that start programs, load code or hold credentials are not taken even
	// when named here.
	Keep []string
}

// kept are the variables that change no program's behaviour beyond its language
// and looks.
var kept = []string{"LANG", "LC_ALL", "LC_CTYPE", "LC_COLLATE", "LC_MESSAGES", "LC_NUMERIC", "LC_TIME", "TZ", "TERM", "COLUMNS", "LINES",
	"NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CI", "USER", "LOGNAME"}

// SafeEnv builds, from nothing, an environment in which the assumptions of
// [SafeEnvAssumptions] hold: no exported functions, no start-up files, no
// loader variables, no proxies, no pagers and editors, no credentials, a PATH
// without relative directories, and a git that starts no program which a
// repository's configuration names for reading commands (core.fsmonitor,
// hooks, pagers) and does not fetch missing objects.
//
// It does not switch off a repository's filters and text converters, for which
// git has no switch; commands that use them are under the assumption
// git-config-trusted.
func SafeEnv(o EnvOptions) []string {
	env := []string{
		"GIT_PAGER=cat", "PAGER=cat", "MANPAGER=cat", "LESSOPEN=", "LESSCLOSE=", "LESSSECURE=1",
		"GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "GIT_NO_LAZY_FETCH=1",
		"GIT_CONFIG_COUNT=6",
		"GIT_CONFIG_KEY_0=core.fsmonitor", "GIT_CONFIG_VALUE_0=false",
		"GIT_CONFIG_KEY_1=core.pager", "GIT_CONFIG_VALUE_1=cat",
		"GIT_CONFIG_KEY_2=core.hooksPath", "GIT_CONFIG_VALUE_2=/dev/null",
		"GIT_CONFIG_KEY_3=safe.bareRepository", "GIT_CONFIG_VALUE_3=explicit",
		"GIT_CONFIG_KEY_4=diff.autoRefreshIndex", "GIT_CONFIG_VALUE_4=false",
		"GIT_CONFIG_KEY_5=protocol.ext.allow", "GIT_CONFIG_VALUE_5=never",
		"npm_config_update_notifier=false", "npm_config_logs_max=0", "npm_config_logs_dir=/dev/null", "npm_config_timing=false",
		"PIP_DISABLE_PIP_VERSION_CHECK=1", "CHECKPOINT_DISABLE=1",
		"GOTOOLCHAIN=local", "GOTELEMETRY=off",
	}
	if !o.Online {
		// Programs in Python keep what they read of themselves and of their parts
		// beside it (__pycache__) unless the variable says no.
		env = append(env, "GOPROXY=off", "GOFLAGS=-mod=readonly", "GOENV=off", "PYTHONDONTWRITEBYTECODE=1")
	}
	if o.Home != "" {
		env = append(env, "HOME="+o.Home)
		if !o.Online {
			env = append(env, "npm_config_cache="+filepath.Join(o.Home, ".npm"))
		}
	}
	if o.Temp != "" {
		env = append(env, "TMPDIR="+o.Temp)
	}
	dirs := o.Path
	if len(dirs) == 0 {
		dirs = []string{"/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/go/bin", "/opt/homebrew/bin"}
	}
	var path []string
	for _, d := range dirs {
		if trustedDir(d, o.Roots) {
			path = append(path, d)
		}
	}
	env = append(env, "PATH="+strings.Join(path, string(os.PathListSeparator)))
	for _, name := range append(append([]string(nil), kept...), o.Keep...) {
		if v, ok := os.LookupEnv(name); ok && keepable(name) && (name != "USER" && name != "LOGNAME" || userName(v)) {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// userName says that a text is a plain name of a user.
func userName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || i > 0 && (c == '.' || c == '-')) {
			return false
		}
	}
	return s != ""
}

// trustedDir says whether programs may be looked for in d: absolute, there, and
// not writable by everybody, and not where the model may write.
func trustedDir(d string, roots []string) bool {
	if !filepath.IsAbs(d) || strings.ContainsRune(d, os.PathListSeparator) {
		return false
	}
	real, err := filepath.EvalSymlinks(d)
	if err != nil {
		return false
	}
	for _, r := range roots {
		if rr, err := filepath.EvalSymlinks(r); err == nil {
			r = rr
		}
		if rel, err := filepath.Rel(r, real); err != nil || rel == "." || filepath.IsLocal(rel) {
			return false
		}
	}
	st, err := os.Stat(d)
	if err != nil || !st.IsDir() {
		return false
	}
	return runtime.GOOS == "windows" || st.Mode().Perm()&0o002 == 0
}

// keepable refuses names of variables that start programs, load code, redirect
// what is read, or hold credentials, by the words in the name.
func keepable(name string) bool {
	if secretName(name) {
		return false
	}
	upper := strings.ToUpper(name)
	for _, p := range []string{"LD_", "DYLD_", "GIT_", "BASH", "PYTHON", "PERL5", "RUBY", "NODE_", "SSH_", "AWS_", "DOCKER_", "GO", "CARGO_", "RUST", "XDG_", "LESS", "RIPGREP", "MAN", "BAT_", "FZF_", "MAKE", "GREP", "JAVA", "KUBE", "CURL", "WGET", "EXIFTOOL", "NPM_", "YARN_", "PIP_", "DEBUGINFOD", "ZSH", "ZDOTDIR", "TAR_", "AWK"} {
		if strings.HasPrefix(upper, p) {
			return false
		}
	}
	switch upper {
	case "ENV", "IFS", "CDPATH", "GLOBIGNORE", "SHELLOPTS", "PS4", "PROMPT_COMMAND", "PATH", "HOME", "TMPDIR", "EDITOR", "VISUAL", "BROWSER":
		return false
	}
	for _, w := range []string{"TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "KEY", "AUTH", "COOKIE", "DSN", "CREDENTIAL", "PROXY", "PAGER", "OPTIONS", "OPTS", "CONFIG", "PRELOAD", "LIBRARY", "STARTUP"} {
		if strings.Contains(upper, w) {
			return false
		}
	}
	return true
}

// The assumptions that a [Report] may name. What is said here about SafeEnv
// holds for a shell that is started by its absolute path, without start-up
// files and with the environment of [SafeEnv] and nothing else.
const (
	// AssumeShellBash, AssumeShellPOSIX, AssumeShellZsh and AssumeShellAny: the
	// text is run by that shell, with its default options. The host's promise.
	AssumeShellBash  Assumption = "shell=bash"
	AssumeShellPOSIX Assumption = "shell=sh"
	AssumeShellZsh   Assumption = "shell=zsh"
	AssumeShellAny   Assumption = "shell=any"
	// AssumePath: the programs found by PATH are the ones described. SafeEnv
	// leaves out what is relative, writable by everybody or below Roots; that the
	// rest is well kept is the host's promise.
	AssumePath Assumption = "path-trusted"
	// AssumeNoFunctions: no functions or aliases have these names. SafeEnv passes
	// no exported function and no start-up file.
	AssumeNoFunctions Assumption = "no-function-shadowing"
	// AssumeNoCDPATH: CDPATH is not set. SafeEnv makes it true.
	AssumeNoCDPATH Assumption = "cdpath-unset"
	// AssumeGitConfig: what git's configuration and attributes run is trusted.
	// SafeEnv switches off fsmonitor, hooks, pagers, the ext protocol, lazy
	// fetches and bare repositories that nobody named. Filters (clean, smudge,
	// process), text converters and external diff programs of the repository's
	// own configuration it cannot switch off, nor anything in that of a
	// submodule, in which git status and git diff start git without what the
	// environment says: that those are trusted is the host's promise, which it can
	// check with git config --get-regexp.
	AssumeGitConfig Assumption = "git-config-trusted"
	// AssumeRipgrepConfig: RIPGREP_CONFIG_PATH is not set. SafeEnv makes it true.
	AssumeRipgrepConfig Assumption = "ripgrep-config-trusted"
	// AssumeGoToolchain: no toolchain that go.mod names is fetched and run.
	// SafeEnv makes it true (GOTOOLCHAIN=local).
	AssumeGoToolchain Assumption = "go-toolchain-trusted"
	// AssumeGoOffline: the go command fetches no modules. SafeEnv makes it true
	// unless EnvOptions.Online is set.
	AssumeGoOffline Assumption = "go-offline"
	// AssumeToolchain: a compiler or build tool that prints its version is no
	// wrapper that the project chooses (rust-toolchain.toml). The host's promise.
	AssumeToolchain Assumption = "toolchain-trusted"
	// AssumeQuietManagers: npm and pip only do what they are called for. npm makes
	// no log, deletes no old ones, writes no times and asks for no newer npm,
	// whatever the .npmrc of the project says; pip asks for no newer pip. SafeEnv
	// makes it true if EnvOptions.Home is set and Online is not.
	AssumeQuietManagers Assumption = "quiet-package-managers"
	// AssumeNoDebuginfod: no variable names servers that readers of object files
	// fetch symbols from. SafeEnv makes it true.
	AssumeNoDebuginfod Assumption = "debuginfod-unset"
	// AssumePager: less starts nothing and writes nothing, whatever LESSOPEN and
	// the key files of the user say, and no variable names another pager or, for
	// bat, a file that may. SafeEnv makes it true (LESSSECURE=1, PAGER=cat).
	AssumePager Assumption = "pager-restricted"
	// AssumeNoCheckpoint: terraform asks nobody for a newer terraform, and notes
	// nothing about it. SafeEnv makes it true (CHECKPOINT_DISABLE=1).
	AssumeNoCheckpoint Assumption = "checkpoint-disabled"
	// AssumeExifToolConfig: exiftool runs no code of the current folder. Without
	// HOME it looks for its configuration, which is a program, there. SafeEnv makes
	// it true if EnvOptions.Home is set.
	AssumeExifToolConfig Assumption = "exiftool-config-trusted"
	// AssumeUserName: USER and LOGNAME hold the name of a user and nothing else.
	// SafeEnv leaves out what is none.
	AssumeUserName Assumption = "user-name-plain"
	// AssumeDocker: the container daemon of the user's own configuration may be
	// asked. SafeEnv passes no DOCKER_HOST; the rest is the host's promise.
	AssumeDocker Assumption = "docker-daemon-trusted"
	// AssumeComposeFile: the compose file of the project includes nothing from
	// other machines; docker compose fetches what it names, whatever it is called
	// for. Not among the assumptions of SafeEnv, as the file is part of the project.
	AssumeComposeFile Assumption = "compose-file-trusted"
	// AssumeKubeconfig: the kubectl configuration runs no plugins. Not among the
	// assumptions of SafeEnv.
	AssumeKubeconfig Assumption = "kubeconfig-trusted"
	// AssumeNoAutoMount: listing a directory mounts nothing. The host's promise.
	AssumeNoAutoMount Assumption = "no-auto-mount"
	// AssumeNoProxy: no variable sends requests to a proxy. SafeEnv makes it true.
	AssumeNoProxy Assumption = "no-proxy"
)

// SafeEnvAssumptions are the assumptions that hold for a command that a bash,
// started by its absolute path and without start-up files, runs in the
// environment of [SafeEnv] with Online off, if the host keeps the promises that
// the constants name: it trusts the programs in its own PATH, the repository's
// filters and converters, the user's container configuration and toolchains.
func SafeEnvAssumptions() []Assumption {
	return []Assumption{AssumeShellBash, AssumePath, AssumeNoFunctions, AssumeNoCDPATH, AssumeRipgrepConfig, AssumeNoAutoMount,
		AssumeGitConfig, AssumeGoOffline, AssumeGoToolchain, AssumeToolchain, AssumeQuietManagers, AssumeNoDebuginfod, AssumeDocker, AssumeNoProxy,
		AssumePager, AssumeNoCheckpoint, AssumeExifToolConfig, AssumeUserName}
}
