package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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

// assumptions are those that hold as far as can be seen from the environment
// that the agent passes on and from the repository.
func assumptions(c config, d bashcheck.Dialect, dir string, vars map[string]string) []bashcheck.Assumption {
	var out []bashcheck.Assumption
	for _, a := range strings.Split(c.assume, ",") {
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
	if trustedPath(vars["PATH"], c.project) {
		out = append(out, "path-trusted")
	}
	if clean(vars) {
		out = append(out, "no-function-shadowing", "cdpath-unset", "ripgrep-config-trusted", "no-auto-mount")
	}
	if gitTrusted(dir, c.home, vars) {
		out = append(out, "git-config-trusted")
	}
	return out
}

// trustedPath says whether every directory of PATH is absolute, outside of the
// project and not writable by everybody.
func trustedPath(path, project string) bool {
	if path == "" {
		return false
	}
	for _, d := range filepath.SplitList(path) {
		if !filepath.IsAbs(d) {
			return false
		}
		if rel, err := filepath.Rel(project, d); err != nil || rel == "." || !strings.HasPrefix(rel, "..") {
			return false
		}
		if st, err := os.Stat(d); err == nil && st.Mode().Perm()&0o002 != 0 {
			return false
		}
	}
	return true
}

// clean says whether no variable of the environment changes what the shell or
// a described program does.
func clean(vars map[string]string) bool {
	for name := range vars {
		switch {
		case strings.HasPrefix(name, "BASH_FUNC_"), strings.HasPrefix(name, "LD_"), strings.HasPrefix(name, "DYLD_"):
			return false
		}
		switch name {
		case "BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PS4", "CDPATH", "GLOBIGNORE", "IFS", "RIPGREP_CONFIG_PATH",
			"TAR_OPTIONS", "POSIXLY_CORRECT", "GCONV_PATH", "LOCPATH", "NLSPATH":
			return false
		}
	}
	return true
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
// repository that starts programs. There being no repository is fine.
func gitTrusted(dir, home string, vars map[string]string) bool {
	for name := range vars {
		if strings.HasPrefix(name, "GIT_") && name != "GIT_PAGER" && name != "GIT_OPTIONAL_LOCKS" && name != "GIT_TERMINAL_PROMPT" &&
			!strings.HasPrefix(name, "GIT_AUTHOR_") && !strings.HasPrefix(name, "GIT_COMMITTER_") && name != "GIT_EDITOR" {
			return false
		}
	}
	for d := dir; ; {
		git := filepath.Join(d, ".git")
		st, err := os.Lstat(git)
		switch {
		case err == nil && st.IsDir():
			_, werr := os.Lstat(filepath.Join(git, "config.worktree"))
			_, aerr := os.Lstat(filepath.Join(git, "info", "attributes"))
			return errors.Is(werr, fs.ErrNotExist) && errors.Is(aerr, fs.ErrNotExist) && gitConfigHarmless(filepath.Join(git, "config"))
		case err == nil:
			// A pointer to a repository elsewhere.
			return false
		case !errors.Is(err, fs.ErrNotExist):
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

// bare says whether git could take d itself for a repository.
func bare(d string) bool {
	for _, n := range []string{"HEAD", "objects", "refs"} {
		if _, err := os.Lstat(filepath.Join(d, n)); err != nil {
			return false
		}
	}
	return true
}

// gitConfigHarmless reads a configuration file of the plain form and says
// whether every key in it is known to be harmless.
func gitConfigHarmless(name string) bool {
	data, err := os.ReadFile(name)
	if err != nil || len(data) > 1<<20 {
		return false
	}
	section := ""
	for _, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case strings.HasSuffix(line, "\\"):
			return false
		case line[0] == '[':
			if !strings.HasSuffix(line, "]") {
				return false
			}
			section, _, _ = strings.Cut(strings.ToLower(line[1:len(line)-1]), " ")
			if strings.ContainsAny(section, "\"]") {
				return false
			}
		default:
			key, _, _ := strings.Cut(line, "=")
			if !gitKeys[section+"."+strings.ToLower(strings.TrimSpace(key))] {
				return false
			}
		}
	}
	return true
}
