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
		"GIT_PAGER=cat", "PAGER=cat", "MANPAGER=cat", "LESSOPEN=", "LESSCLOSE=",
		"GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "GIT_NO_LAZY_FETCH=1",
		"GIT_CONFIG_COUNT=6",
		"GIT_CONFIG_KEY_0=core.fsmonitor", "GIT_CONFIG_VALUE_0=false",
		"GIT_CONFIG_KEY_1=core.pager", "GIT_CONFIG_VALUE_1=cat",
		"GIT_CONFIG_KEY_2=core.hooksPath", "GIT_CONFIG_VALUE_2=/dev/null",
		"GIT_CONFIG_KEY_3=safe.bareRepository", "GIT_CONFIG_VALUE_3=explicit",
		"GIT_CONFIG_KEY_4=diff.autoRefreshIndex", "GIT_CONFIG_VALUE_4=false",
		"GIT_CONFIG_KEY_5=protocol.ext.allow", "GIT_CONFIG_VALUE_5=never",
		"GOTOOLCHAIN=local", "GOPROXY=off", "GOFLAGS=-mod=readonly", "GOTELEMETRY=off",
	}
	if o.Home != "" {
		env = append(env, "HOME="+o.Home)
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
		if trustedDir(d) {
			path = append(path, d)
		}
	}
	env = append(env, "PATH="+strings.Join(path, string(os.PathListSeparator)))
	for _, name := range append(append([]string(nil), kept...), o.Keep...) {
		if v, ok := os.LookupEnv(name); ok && keepable(name) {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// trustedDir says whether programs may be looked for in d: absolute, there, and
// not writable by everybody.
func trustedDir(d string) bool {
	if !filepath.IsAbs(d) || strings.ContainsRune(d, os.PathListSeparator) {
		return false
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
	upper := strings.ToUpper(name)
	for _, p := range []string{"LD_", "DYLD_", "GIT_", "BASH", "PYTHON", "PERL5", "RUBY", "NODE_", "SSH_", "AWS_", "DOCKER_", "GO", "CARGO_", "RUST", "XDG_"} {
		if strings.HasPrefix(upper, p) {
			return false
		}
	}
	switch upper {
	case "ENV", "IFS", "CDPATH", "GLOBIGNORE", "SHELLOPTS", "PS4", "PROMPT_COMMAND", "PATH", "HOME", "TMPDIR", "EDITOR", "VISUAL", "BROWSER":
		return false
	}
	for _, w := range []string{"TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "KEY", "AUTH", "COOKIE", "DSN", "CREDENTIAL", "PROXY", "PAGER", "OPTIONS", "OPTS"} {
		if strings.Contains(upper, w) {
			return false
		}
	}
	return true
}

// SafeEnvAssumptions are the assumptions that hold for a command that bash
// runs in the environment of [SafeEnv], without start-up files, in a
// repository whose own configuration is trusted.
func SafeEnvAssumptions() []Assumption {
	return []Assumption{"shell=bash", "path-trusted", "no-function-shadowing", "cdpath-unset", "ripgrep-config-trusted",
		"no-auto-mount", "git-config-trusted", "go-offline", "go-toolchain-trusted", "toolchain-trusted", "docker-daemon-trusted"}
}
