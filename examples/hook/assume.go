package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/clearance-go/clearance/bashcheck"
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
	"git-config-trusted":     func(s *seen) bool { return gitTrusted(s.dir, s.vars) },
	"go-toolchain-trusted":   func(s *seen) bool { return s.vars["GOTOOLCHAIN"] == "local" },
	"go-offline":             func(s *seen) bool { return goOffline(s.vars) },
	"toolchain-trusted":      func(s *seen) bool { return noShims(s) },
	"quiet-package-managers": func(s *seen) bool { return quietManagers(s.vars) },
	"debuginfod-unset":       func(s *seen) bool { return unset(s.vars, "DEBUGINFOD_URLS") },
	"pager-restricted":       func(s *seen) bool { return s.vars["LESSSECURE"] == "1" },
	"checkpoint-disabled":    func(s *seen) bool { return s.vars["CHECKPOINT_DISABLE"] != "" },
	"user-name-plain":        func(s *seen) bool { return plainName(s.vars["USER"]) && plainName(s.vars["LOGNAME"]) },
	"docker-daemon-trusted":  func(s *seen) bool { return dockerLocal(s) },
	"kubeconfig-trusted":     func(s *seen) bool { return kubeconfigPlain(s) },
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

// gitKeys are the configuration keys of a repository that start no program and
// read no further file. A key that is not here is not understood.
var gitKeys = map[string]bool{
	"core.repositoryformatversion": true, "core.filemode": true, "core.bare": true, "core.logallrefupdates": true,
	"core.ignorecase": true, "core.precomposeunicode": true, "core.symlinks": true, "core.autocrlf": true, "core.eol": true,
	"core.quotepath": true, "core.abbrev": true, "core.longpaths": true, "core.untrackedcache": true, "core.commentchar": true,
	"remote.url": true, "remote.fetch": true, "remote.pushurl": true, "remote.tagopt": true, "remote.prune": true,
	"remote.gh-resolved": true,
	"branch.remote":      true, "branch.merge": true, "branch.rebase": true, "branch.autosetuprebase": true, "branch.autosetupmerge": true,
	"branch.description": true, "branch.vscode-merge-base": true, "branch.gh-merge-base": true,
	"user.name": true, "user.email": true, "init.defaultbranch": true, "pull.rebase": true, "pull.ff": true, "push.default": true,
	"push.autosetupremote": true, "fetch.prune": true, "merge.conflictstyle": true, "rebase.autostash": true, "rerere.enabled": true,
	"submodule.url": true, "submodule.active": true, "gc.auto": true, "extensions.objectformat": true, "lfs.repositoryformatversion": true,
	"log.date": true, "log.decorate": true, "color.ui": true, "status.branch": true, "status.short": true, "advice.detachedhead": true,
}

// gitTrusted says whether git, run in dir, reads no configuration of a
// repository that starts programs, and finds no hook that a reading command
// starts. There being no repository is fine. What the user's and the system's
// own configuration say is the person's business.
func gitTrusted(dir string, vars map[string]string) bool {
	for name := range vars {
		if !strings.HasPrefix(name, "GIT_") {
			continue
		}
		switch name {
		case "GIT_PAGER", "GIT_OPTIONAL_LOCKS", "GIT_TERMINAL_PROMPT", "GIT_EDITOR", "GIT_ASKPASS":
			// Used where git talks to a terminal, which it has none of here.
		default:
			if !strings.HasPrefix(name, "GIT_AUTHOR_") && !strings.HasPrefix(name, "GIT_COMMITTER_") {
				return false
			}
		}
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false
	}
	for d := real; ; {
		git := filepath.Join(d, ".git")
		st, err := os.Lstat(git)
		switch {
		case err == nil && st.IsDir():
			return gitDirHarmless(git, git) && submodulesHarmless(d, git, 0)
		case err == nil && st.Mode().IsRegular():
			// A linked work tree or a submodule.
			at, ok := pointer(git, "gitdir: ", d)
			if !ok {
				return false
			}
			common, ok := pointer(filepath.Join(at, "commondir"), "", at)
			if !ok {
				common = at
			}
			return gitDirHarmless(at, common) && submodulesHarmless(d, at, 0)
		case err == nil || !errors.Is(err, fs.ErrNotExist):
			return false
		}
		if bare(d) {
			return false
		}
		up := filepath.Dir(d)
		if up == d {
			return true
		}
		d = up
	}
}

// submodulesHarmless says whether the repositories that the index of the work
// tree top names as submodules are harmless too. git status and git diff start
// git in each of them that is there, without the configuration that the
// environment gives, so that what the submodule's own configuration names runs.
func submodulesHarmless(top, git string, depth int) bool {
	links, ok := gitLinks(filepath.Join(git, "index"))
	if !ok || len(links) > 0 && depth > 4 || len(links) > 256 {
		return false
	}
	for _, l := range links {
		dir := filepath.Join(top, filepath.FromSlash(l))
		sub := filepath.Join(dir, ".git")
		st, err := os.Lstat(sub)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // git looks no further
		case err != nil:
			return false
		case st.Mode().IsRegular():
			if sub, ok = pointer(sub, "gitdir: ", dir); !ok {
				return false
			}
		case !st.IsDir():
			return false
		}
		if _, err := os.Lstat(filepath.Join(sub, "commondir")); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
		if !gitDirHarmless(sub, sub) || !submodulesHarmless(dir, sub, depth+1) {
			return false
		}
	}
	return true
}

// maxIndex is the largest index that is looked at, in bytes: some 100,000 files.
const maxIndex = 16 << 20

// gitLinks returns the paths of the submodules in an index (gitformat-index(5)),
// in the versions 2 and 3. ok is false for what is not understood: another
// version, another hash than SHA-1, an index in two files.
func gitLinks(name string) (links []string, ok bool) {
	st, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, true
	}
	if err != nil || !st.Mode().IsRegular() || st.Size() > maxIndex {
		return nil, false
	}
	data, err := os.ReadFile(name)
	const head, fixed, sum = 12, 62, 20
	if err != nil || len(data) < head+sum || string(data[:4]) != "DIRC" {
		return nil, false
	}
	version, n := binary.BigEndian.Uint32(data[4:]), binary.BigEndian.Uint32(data[8:])
	if version != 2 && version != 3 {
		return nil, false
	}
	data = data[:len(data)-sum]
	at := head
	for range n {
		if len(data)-at < fixed {
			return nil, false
		}
		start := at
		mode, flags := binary.BigEndian.Uint32(data[at+24:]), binary.BigEndian.Uint16(data[at+60:])
		at += fixed
		if flags&0x4000 != 0 {
			at += 2
		}
		if at > len(data) {
			return nil, false
		}
		end := bytes.IndexByte(data[at:], 0)
		if end <= 0 {
			return nil, false
		}
		if mode == 0o160000 {
			links = append(links, string(data[at:at+end]))
		}
		// One to eight NUL bytes, to a multiple of eight.
		at = start + (at+end-start+8)/8*8
	}
	for len(data)-at >= 8 {
		size := binary.BigEndian.Uint32(data[at+4:])
		if string(data[at:at+4]) == "link" || size > maxIndex {
			return nil, false
		}
		at += 8 + int(size)
	}
	return links, at == len(data)
}

// pointer reads a file of one line that names a directory.
func pointer(name, prefix, from string) (string, bool) {
	data, err := os.ReadFile(name)
	if err != nil || len(data) > 8<<10 {
		return "", false
	}
	target, ok := strings.CutPrefix(strings.TrimRight(string(data), "\r\n"), prefix)
	if !ok || target == "" || strings.ContainsAny(target, "\n\x00") {
		return "", false
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(from, target)
	}
	return target, true
}

// gitDirHarmless looks at everything in a git directory that can start a
// program when git reads.
func gitDirHarmless(git, common string) bool {
	for _, n := range []string{
		filepath.Join(git, "config.worktree"), filepath.Join(common, "config.worktree"),
		filepath.Join(common, "info", "attributes"), filepath.Join(git, "info", "attributes"),
		// Started when a reading command refreshes the index (githooks(5)).
		filepath.Join(common, "hooks", "post-index-change"), filepath.Join(common, "hooks", "fsmonitor-watchman"),
	} {
		if _, err := os.Lstat(n); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return gitConfigHarmless(filepath.Join(common, "config"))
}

// bare says whether git could take d itself for a repository.
func bare(d string) bool {
	for _, n := range []string{"HEAD", "objects", "refs"} {
		if _, err := os.Lstat(filepath.Join(d, n)); err != nil {
			return false
		}
	}
	return true
}

// section is a line that holds a section header and nothing else: git takes
// what follows a header on its line for a key.
var section = regexp.MustCompile(`^\[([A-Za-z0-9.-]+)(?:[ \t]+"(?:[^"\\]|\\.)*")?\]$`)

// gitConfigHarmless reads a configuration file of the plain form and says
// whether every key in it is known to be harmless.
func gitConfigHarmless(name string) bool {
	data, err := os.ReadFile(name)
	if err != nil || len(data) > 1<<20 || bytes.IndexByte(data, 0) >= 0 {
		return false
	}
	in := ""
	for _, line := range strings.Split(string(data), "\n") {
		line = strings.Trim(line, " \t\r\f\v")
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case strings.HasSuffix(line, "\\"):
			return false
		case line[0] == '[':
			m := section.FindStringSubmatch(line)
			if m == nil {
				return false
			}
			in = strings.ToLower(m[1])
		default:
			key, _, _ := strings.Cut(line, "=")
			if !gitKeys[in+"."+strings.ToLower(strings.TrimSpace(key))] {
				return false
			}
		}
	}
	return true
}
