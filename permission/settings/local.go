package settings

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// localFile is where the local settings of a start directory stand: at the root
// of the main checkout of the git repository that holds it, so that
// subdirectories and work trees share them; in the start directory itself
// outside a repository, where that root is the home directory or belongs to
// somebody else, and on Windows
// (https://code.claude.com/docs/en/settings).
func localFile(dir, home string) string {
	own := filepath.Join(dir, ".claude", "settings.local.json")
	if runtime.GOOS == "windows" {
		return own
	}
	top := ""
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Lstat(filepath.Join(d, ".git")); err == nil {
			top = mainCheckout(d)
			break
		}
		if d == filepath.Dir(d) {
			return own
		}
	}
	if top == "" || top == filepath.Clean(home) || !sameOwner(top, dir) {
		return own
	}
	return filepath.Join(top, ".claude", "settings.local.json")
}

// below is where a directory stands in the git checkout that holds it, in
// slashes; "." is its root, and every directory outside of a checkout.
func below(dir string) string {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	for d := filepath.Clean(dir); d != filepath.Dir(d); d = filepath.Dir(d) {
		if _, err := os.Lstat(filepath.Join(d, ".git")); err == nil {
			if rel, err := filepath.Rel(d, filepath.Clean(dir)); err == nil {
				return filepath.ToSlash(rel)
			}
		}
	}
	return "."
}

// mainCheckout is the directory of the main work tree for a directory with an
// entry .git, or "" where that cannot be told. A linked work tree counts only
// where the repository that it names knows it: anybody may write a .git file.
func mainCheckout(top string) string {
	git := filepath.Join(top, ".git")
	st, err := os.Lstat(git)
	if err != nil {
		return ""
	}
	if st.IsDir() {
		return top
	}
	target, ok := strings.CutPrefix(line(git), "gitdir: ")
	if !ok {
		return ""
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(top, target)
	}
	back := line(filepath.Join(target, "gitdir"))
	if back == "" {
		return top // a submodule: its own checkout is the main one
	}
	if !filepath.IsAbs(back) {
		back = filepath.Join(target, back)
	}
	a, err1 := os.Stat(back)
	b, err2 := os.Stat(git)
	if err1 != nil || err2 != nil || !os.SameFile(a, b) {
		return ""
	}
	// The repository is the one that holds the work tree's folder. What a
	// commondir file says is not asked: whoever writes .git can write it as
	// well, and name any other repository (GHSA-q5hj-mxqh-vv77).
	target, err = filepath.EvalSymlinks(target)
	if err != nil || filepath.Base(filepath.Dir(target)) != "worktrees" {
		return ""
	}
	common := filepath.Dir(filepath.Dir(target))
	if filepath.Base(common) != ".git" {
		return "" // a bare repository has no main checkout
	}
	return filepath.Dir(common)
}

// line reads a file of one short line.
func line(name string) string {
	st, err := os.Stat(name)
	if err != nil || !st.Mode().IsRegular() || st.Size() > 8<<10 {
		return ""
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(data), "\r\n")
}
