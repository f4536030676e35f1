package toolset

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

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

// GitConfigTrusted says whether the assumption "git-config-trusted" of the
// analyzer holds for git started in dir with the environment vars, as far as can
// be seen: no variable takes git elsewhere, no configuration of the repository
// or of one of its submodules starts programs, and there is no hook that a
// reading command starts. What is not understood is not trusted. There being no
// repository is fine. What the user's and the system's own configuration say is
// the person's business. The answer is about a moment: see the package comment.
//
// It is for a host that does not start commands in the environment of
// bashcheck.SafeEnv, which overrules most of the repository's configuration.
// Submodules, whose filters that environment does not reach, [Tools] looks at by
// itself, whatever [Options.Assume] says.
//
// Sources: git-config(1), githooks(5), gitattributes(5), gitformat-index(5),
// gitrepository-layout(5).
func GitConfigTrusted(dir string, vars map[string]string) bool {
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
	top, bare := repository(real)
	switch {
	case bare:
		return false
	case top == "":
		return true
	}
	git, common, ok := gitDirs(top)
	return ok && gitDirHarmless(git, common, top) && submodulesHarmless(top, git, 0)
}

// submodulesHarmless says whether the repositories that the index of the work
// tree top names as submodules are harmless. git status and git diff start git
// in each of them that is there, and what its own configuration names runs.
func submodulesHarmless(top, git string, depth int) bool {
	_, links, ok := indexed(git)
	if !ok || len(links) > 0 && depth > 4 || len(links) > 256 {
		return false
	}
	for _, l := range links {
		dir := filepath.Join(top, filepath.FromSlash(l))
		if _, err := os.Lstat(filepath.Join(dir, ".git")); errors.Is(err, fs.ErrNotExist) {
			continue // git looks no further
		}
		sub, common, ok := gitDirs(dir)
		if !ok || common != sub || !gitDirHarmless(sub, sub, dir) || !submodulesHarmless(dir, sub, depth+1) {
			return false
		}
	}
	return true
}

// gitDirHarmless looks at everything in a git directory that can start a
// program when git reads. top is its work tree.
func gitDirHarmless(git, common, top string) bool {
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
	return gitConfigHarmless(filepath.Join(common, "config"), top)
}

// section is a line that holds a section header and nothing else: git takes
// what follows a header on its line for a key.
var section = regexp.MustCompile(`^\[([A-Za-z0-9.-]+)(?:[ \t]+"(?:[^"\\]|\\.)*")?\]$`)

// gitConfigHarmless reads a configuration file of the plain form and says
// whether every key in it is known to be harmless. The work tree that it may
// name, as that of a submodule does, is top.
func gitConfigHarmless(name, top string) bool {
	data, err := readSmall(name, 1<<20)
	if err != nil || bytes.IndexByte(data, 0) >= 0 {
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
			key, value, _ := strings.Cut(line, "=")
			if in == "core" && strings.EqualFold(strings.TrimSpace(key), "worktree") && sameDir(filepath.Dir(name), strings.TrimSpace(value), top) {
				continue
			}
			if !gitKeys[in+"."+strings.ToLower(strings.TrimSpace(key))] {
				return false
			}
		}
	}
	return true
}

// sameDir says that a name, seen from a directory, is top.
func sameDir(from, name, top string) bool {
	if name == "" || strings.ContainsAny(name, `"\#;`) {
		return false
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(from, name)
	}
	a, err := os.Stat(name)
	if err != nil {
		return false
	}
	b, err := os.Stat(top)
	return err == nil && os.SameFile(a, b)
}

// submodulesHarmless says whether git, in the directory of the call, finds no
// submodule whose configuration starts programs.
func (b *builder) submodulesHarmless() bool {
	if b.t.o.Offline {
		return true
	}
	real, err := filepath.EvalSymlinks(b.call.Dir)
	if err != nil {
		return false
	}
	top, bare := repository(real)
	if top == "" || bare {
		return true // the repository itself was looked at
	}
	git, _, ok := gitDirs(top)
	return ok && submodulesHarmless(top, git, 0)
}
