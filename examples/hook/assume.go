package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission/toolset"
)

// shell picks the dialect: the flag, else the user's login shell, which is what
// agents start; where it is not known, a text must mean the same in all.
func shell(flag, login string) (bashcheck.Dialect, error) {
	name := flag
	if name == "" {
		name = filepath.Base(login)
	}
	switch name {
	case "bash":
		return bashcheck.Bash, nil
	case "zsh":
		return bashcheck.Zsh, nil
	case "sh", "dash":
		return bashcheck.POSIX, nil
	}
	if flag != "" && flag != "any" {
		return bashcheck.Any, fmt.Errorf("unknown shell %q: write bash, sh, zsh or any", flag)
	}
	return bashcheck.Any, nil
}

// seen is what the hook can look at: the environment that the agent passes on,
// the directories, the files of the user.
type seen struct {
	home string
	dir  string            // where the call starts
	own  []string          // the project and the additional directories
	vars map[string]string // the environment
	// mounts is the list of mounts, /proc/self/mounts on Linux; "" for none.
	mounts string
}

// verified are the assumptions that the hook can check, each with the check.
// One that is not here is granted by -assume alone.
var verified = map[bashcheck.Assumption]func(*seen) bool{
	"path-trusted":           func(s *seen) bool { return trustedPath(s.vars["PATH"], s.own) },
	"no-function-shadowing":  func(s *seen) bool { return clean(s.vars) },
	"cdpath-unset":           func(s *seen) bool { return unset(s.vars, "CDPATH") },
	"ripgrep-config-trusted": func(s *seen) bool { return unset(s.vars, "RIPGREP_CONFIG_PATH") },
	"no-auto-mount":          func(s *seen) bool { return noAutoMount(s.mounts) },
	"git-config-trusted":     func(s *seen) bool { return toolset.GitConfigTrusted(s.dir, s.vars) },
	"go-toolchain-trusted":   func(s *seen) bool { return s.vars["GOTOOLCHAIN"] == "local" },
	"go-offline":             func(s *seen) bool { return goOffline(s.vars) },
	"toolchain-trusted":      func(s *seen) bool { return noShims(s) },
	"quiet-package-managers": func(s *seen) bool { return quietManagers(s.vars) },
	"debuginfod-unset":       func(s *seen) bool { return unset(s.vars, "DEBUGINFOD_URLS") },
	"pager-restricted": func(s *seen) bool {
		for _, name := range []string{"PAGER", "SYSTEMD_PAGER", "MANPAGER", "BAT_PAGER", "APT_PAGER"} {
			if !plainPager(s.vars[name]) {
				return false
			}
		}
		return s.vars["LESSSECURE"] == "1" && unset(s.vars, "BAT_CONFIG_PATH") && unset(s.vars, "BAT_CONFIG_DIR") && unset(s.vars, "BAT_OPTS") && unset(s.vars, "MANOPT")
	},
	"checkpoint-disabled":     func(s *seen) bool { return s.vars["CHECKPOINT_DISABLE"] != "" },
	"exiftool-config-trusted": func(s *seen) bool { return filepath.IsAbs(s.vars["HOME"]) && unset(s.vars, "EXIFTOOL_HOME") },
	"user-name-plain":         func(s *seen) bool { return plainName(s.vars["USER"]) && plainName(s.vars["LOGNAME"]) },
	"docker-daemon-trusted":   func(s *seen) bool { return dockerLocal(s) },
	"kubeconfig-trusted":      func(s *seen) bool { return kubeconfigPlain(s) },
}

// assumptions are those that hold as far as can be seen, and those of -assume.
func assumptions(flag string, d bashcheck.Dialect, s *seen) []bashcheck.Assumption {
	var out []bashcheck.Assumption
	for _, a := range strings.Split(flag, ",") {
		if a = strings.TrimSpace(a); a != "" {
			out = append(out, bashcheck.Assumption(a))
		}
	}
	switch d {
	case bashcheck.Bash:
		out = append(out, "shell=bash")
	case bashcheck.Zsh:
		out = append(out, "shell=zsh")
	case bashcheck.POSIX:
		out = append(out, "shell=posix")
	default:
		out = append(out, "shell=any")
	}
	for a, holds := range verified {
		if holds(s) {
			out = append(out, a)
		}
	}
	return out
}

// plainName says whether a text is empty or the plain name of a user.
func plainName(s string) bool {
	return !strings.HasPrefix(s, "-") && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
}

func unset(vars map[string]string, name string) bool {
	_, ok := vars[name]
	return !ok
}

// trustedPath says whether every directory of PATH is absolute, outside of the
// directories that the agent may write, with links resolved, and not writable
// by everybody. Of a missing one the nearest directory that is there counts.
func trustedPath(path string, own []string) bool {
	if path == "" {
		return false
	}
	for _, d := range filepath.SplitList(path) {
		if !filepath.IsAbs(d) {
			return false
		}
		d = filepath.Clean(d)
		real, err := filepath.EvalSymlinks(d)
		for at := d; err != nil; {
			if !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
				return false
			}
			at = filepath.Dir(at)
			real, err = filepath.EvalSymlinks(at)
		}
		st, err := os.Stat(real)
		if err != nil || runtime.GOOS != "windows" && st.Mode().Perm()&0o002 != 0 {
			return false
		}
		for _, o := range own {
			if within(o, d) || within(o, real) {
				return false
			}
		}
	}
	return true
}

func within(dir, p string) bool {
	rel, err := filepath.Rel(dir, p)
	return err != nil || rel == "." || rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// clean says whether no variable of the environment defines functions, names a
// start-up file, loads code into programs or changes how the shell reads text.
func clean(vars map[string]string) bool {
	for name := range vars {
		for _, p := range []string{"BASH_FUNC_", "LD_", "DYLD_"} {
			if strings.HasPrefix(name, p) {
				return false
			}
		}
		switch name {
		case "BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PS4", "GLOBIGNORE", "IFS", "ZDOTDIR",
			"TAR_OPTIONS", "GREP_OPTIONS", "POSIXLY_CORRECT", "GCONV_PATH", "LOCPATH", "NLSPATH", "LESSOPEN", "LESSCLOSE":
			if name == "LESSOPEN" || name == "LESSCLOSE" {
				continue // only less reads them, and less is not described
			}
			return false
		}
	}
	return true
}

// noAutoMount says whether nothing is mounted on demand where a path of a call
// could name it. The boot partitions and the kernel's own are not.
func noAutoMount(mounts string) bool {
	sc := bufio.NewScanner(strings.NewReader(mounts))
	for sc.Scan() {
		f := strings.Fields(sc.Text())
		if len(f) < 3 || f[2] != "autofs" {
			continue
		}
		switch {
		case f[1] == "/boot", f[1] == "/efi", strings.HasPrefix(f[1], "/boot/"), strings.HasPrefix(f[1], "/proc/"), strings.HasPrefix(f[1], "/sys/"):
		default:
			return false
		}
	}
	return sc.Err() == nil
}

func mounts() string {
	if runtime.GOOS != "linux" {
		return ""
	}
	data, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "unknown unknown autofs"
	}
	return string(data)
}

// goOffline says whether the environment keeps the go command from fetching
// modules and from changing go.mod.
func goOffline(vars map[string]string) bool {
	return vars["GOPROXY"] == "off" && (vars["GOFLAGS"] == "-mod=readonly" || vars["GOFLAGS"] == "-mod=vendor") && unset(vars, "GOWORK")
}

// noShims says whether compilers and build tools are found in directories that
// are trusted and hold no shims of a version manager, which run what a file of
// the project names.
func noShims(s *seen) bool {
	if !trustedPath(s.vars["PATH"], s.own) {
		return false
	}
	for _, d := range filepath.SplitList(s.vars["PATH"]) {
		for _, n := range strings.Split(strings.ToLower(filepath.ToSlash(d)), "/") {
			switch n {
			case "shims", ".cargo", ".rustup", ".asdf", ".pyenv", ".rbenv", ".nodenv", ".jenv", ".volta", ".proto", "mise", ".sdkman", "node_modules":
				return false
			}
		}
	}
	return true
}

// quietManagers says whether npm and pip are told, by what a file of the project
// cannot change, to keep to what they are called for.
func quietManagers(vars map[string]string) bool {
	return vars["npm_config_logs_max"] == "0" && vars["npm_config_logs_dir"] == "/dev/null" && vars["npm_config_timing"] == "false" &&
		vars["npm_config_update_notifier"] == "false" && vars["npm_config_cache"] != "" && vars["PIP_DISABLE_PIP_VERSION_CHECK"] == "1"
}

// dockerLocal says whether nothing names another container daemon than the
// machine's own, or a program for its client.
func dockerLocal(s *seen) bool {
	for name := range s.vars {
		if strings.HasPrefix(name, "DOCKER_") || strings.HasPrefix(name, "CONTAINER_") {
			return false
		}
	}
	data, err := os.ReadFile(filepath.Join(s.home, ".docker", "config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	var c map[string]json.RawMessage
	if err != nil || json.Unmarshal(data, &c) != nil {
		return false
	}
	for k := range c {
		switch k {
		case "auths", "credsStore", "credHelpers", "psFormat", "imagesFormat", "detachKeys", "HttpHeaders":
			// Used where images are moved, or for looks.
		default:
			return false
		}
	}
	return true
}

// kubeconfigPlain says whether the kubectl configuration starts no program.
func kubeconfigPlain(s *seen) bool {
	if !unset(s.vars, "KUBECONFIG") {
		return false
	}
	data, err := os.ReadFile(filepath.Join(s.home, ".kube", "config"))
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	return err == nil && !bytes.Contains(data, []byte("exec")) && !bytes.Contains(data, []byte("auth-provider"))
}

// plainPager says that a variable names no pager, or one that is known.
func plainPager(name string) bool { return name == "" || name == "cat" || name == "less" }
