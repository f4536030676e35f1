package toolset

import (
	"bytes"
	"crypto/sha1" // the name of a blob; nothing rests on it
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope"
)

// What git writes to its work tree is its own business: a rule for .env is not
// one about every git checkout. But git touches a file that a rule speaks of
// where the command spells its name, and where the index, or the tree that it
// goes to, tracks it. The first is a write like any other. The second is looked
// up: git switch changes what differs between two commits, git stash and git
// reset --hard what differs from one. A merge, a rebase or a pull may change
// whatever is tracked. A name that is not tracked is in nobody's way.

// gitWriter is how a sub-command of git changes the work tree.
type gitWriter struct {
	paths bool // its operands may be paths
	goes  bool // its operand may be a revision that it goes to
	back  bool // it takes the files back to a revision
	fresh bool // it may change whatever is tracked
	patch bool // it reads patches
}

var gitWriters = map[string]gitWriter{
	"checkout": {paths: true, goes: true}, "switch": {goes: true}, "restore": {paths: true}, "reset": {goes: true, back: true}, "stash": {back: true},
	"rm": {paths: true}, "mv": {paths: true}, "apply": {patch: true}, "am": {patch: true, fresh: true},
	"clean": {paths: true, fresh: true}, "checkout-index": {paths: true, fresh: true}, "read-tree": {fresh: true}, "merge-file": {paths: true}, "sparse-checkout": {fresh: true}, "bisect": {fresh: true},
	"merge": {fresh: true}, "rebase": {fresh: true}, "pull": {fresh: true}, "cherry-pick": {fresh: true}, "revert": {fresh: true},
}

// gitCommand skips the options of git that stand before its sub-command. in is
// what they say of the directory.
func gitCommand(c *bashcheck.Command) (words []bashcheck.Word, in string, ok bool) {
	words = c.Argv[1:]
	for len(words) > 0 && words[0].Static && strings.HasPrefix(words[0].Text, "-") {
		switch t := words[0].Text; t {
		case "--no-pager", "--no-optional-locks", "--literal-pathspecs", "--no-replace-objects", "-P", "-p", "--paginate":
		case "-c":
			// A setting; the command is then not described, so that everything it
			// may show or change counts.
			if len(words) < 2 || !words[1].Static || words[1].Glob || alias(words[1].Text) {
				return nil, "", false
			}
			words = words[1:]
		case "-C":
			if len(words) < 2 || !words[1].Static || words[1].Glob {
				return nil, "", false
			}
			// The analyzer follows one that stands first: Command.Dir is there.
			if to := words[1].Text; len(words)+1 != len(c.Argv) || len(c.Argv) < 4 || to == "" || to[0] == '-' {
				in = path.Join(in, to)
				if path.IsAbs(to) {
					in = to
				}
			}
			words = words[1:]
		default:
			return nil, "", false
		}
		words = words[1:]
	}
	return words, in, len(words) > 0 && words[0].Static
}

// alias says that a setting gives sub-commands other names, or may bring in such
// settings.
func alias(setting string) bool {
	name := strings.ToLower(setting)
	return strings.HasPrefix(name, "alias.") || strings.HasPrefix(name, "include") || strings.HasPrefix(name, "core.worktree") || strings.HasPrefix(name, "core.bare")
}

// notUnderstood is why nothing is known of a git command.
const notUnderstood = "what stands before its sub-command is not understood"

// gitTouches is a git command that changes the work tree.
type gitTouches struct {
	gitWriter
	b     *builder
	c     *bashcheck.Command
	of    int
	name  string
	dir   string
	top   string
	words []bashcheck.Word
	// names are those of the index that a rule over writing speaks of.
	names []string
	told  int
}

// gitWorkTree adds what a git command writes to files that a rule speaks of.
func (b *builder) gitWorkTree(c *bashcheck.Command, of int) {
	if b.t.o.Offline {
		return
	}
	if _, ok := b.rules.(writeLookout); !ok {
		return
	}
	words, in, ok := gitCommand(c)
	if !ok {
		if !c.Described {
			g := gitTouches{b: b, c: c, of: of}
			g.may("", notUnderstood)
		}
		return
	}
	w, ok := gitWriters[words[0].Text]
	if !ok {
		return
	}
	for _, d := range b.places(c.Dir) {
		if in != "" {
			d = absolute(d, in)
		}
		real, err := filepath.EvalSymlinks(d)
		if err != nil {
			continue
		}
		top, bare := repository(real)
		if top == "" || bare {
			continue
		}
		g := gitTouches{gitWriter: w, b: b, c: c, of: of, name: words[0].Text, dir: real, top: top, words: words[1:]}
		g.run()
	}
}

// has says that one of the flags stands among the words; a short one may stand
// among other letters.
func (g *gitTouches) has(flags ...string) bool {
	for _, w := range g.words {
		if w.Text == "--" {
			return false
		}
		for _, f := range flags {
			if w.Text == f || len(f) == 2 && len(w.Text) > 2 && w.Text[0] == '-' && w.Text[1] != '-' && strings.Contains(w.Text[1:], f[1:]) {
				return true
			}
		}
	}
	return false
}

func (g *gitTouches) run() {
	// The index alone, or nothing at all.
	switch g.name {
	case "rm":
		if g.has("--cached", "-n", "--dry-run") {
			return
		}
	case "restore":
		if g.has("--staged", "-S") && !g.has("--worktree", "-W") {
			return
		}
	case "reset":
		if !g.has("--hard", "--merge", "--keep") {
			return
		}
	case "apply":
		if g.has("--cached", "--check", "--stat", "--numstat", "--summary") {
			return
		}
	case "merge", "rebase", "cherry-pick", "revert", "am":
		if g.has("--quit") {
			return
		}
	case "clean":
		if g.has("-n", "--dry-run") {
			return
		}
	case "read-tree":
		if g.c.Described || !g.has("-u", "--reset") {
			return
		}
	case "merge-file":
		if g.has("-p", "--stdout") {
			return
		}
	case "bisect":
		if len(g.words) > 0 && (g.words[0].Text == "log" || g.words[0].Text == "view" || g.words[0].Text == "visualize" || g.words[0].Text == "terms") {
			return
		}
	case "sparse-checkout":
		if len(g.words) > 0 && g.words[0].Text == "list" {
			return
		}
	case "checkout", "switch":
		if g.has("-b", "-c", "-B", "-C", "--orphan") && len(g.words) == 2 {
			return // a new branch at the same commit
		}
	case "stash":
		if len(g.words) > 0 {
			switch g.words[0].Text {
			case "list", "show", "drop", "clear", "create", "store":
				return
			case "pop", "apply", "branch":
				g.back, g.fresh = false, true
			case "push":
				g.paths = true
			}
		}
	}
	index, known := tracked(g.top)
	for _, n := range index {
		if _, ok := g.b.deniesWriting(n); ok && len(g.names) < maxTold {
			g.names = append(g.names, n)
		}
	}
	if !known {
		g.may("", "what the repository holds could not be read")
		return
	}
	if g.name == "clean" {
		// It removes what is not tracked; what is ignored only with -x or -X.
		if g.names = nil; g.has("-x", "-X") && !g.untracked(index) {
			g.may("", "not everything that is not tracked could be looked at")
		}
	}
	var paths []string
	var revs []string
	dashed, unread := false, false
	for i, w := range g.words {
		switch {
		case !w.Static || w.Glob:
			unread = true
		case w.Text == "--":
			dashed = true
		case !dashed && strings.HasPrefix(w.Text, "-") && w.Text != "-":
		case g.name == "stash" && i == 0:
		case !dashed && i > 0 && takesWord(g.words[i-1].Text):
		case !dashed && g.goes && !g.exists(w.Text):
			revs = append(revs, w.Text)
		default:
			paths = append(paths, w.Text)
		}
	}
	if dashed && g.goes && len(revs) == 0 && len(paths) > 0 {
		// REVISION -- PATH: a word before the dashes is never a path.
		for i, w := range g.words {
			if w.Text == "--" && i > 0 && !strings.HasPrefix(g.words[i-1].Text, "-") {
				revs, paths = append(revs, paths[0]), paths[1:]
			}
		}
	}
	switch {
	case g.patch && !g.fresh:
		g.patches(paths)
		return
	case g.paths && len(paths) > 0:
		for _, p := range paths {
			g.path(p)
		}
	case unread:
		g.all("a word of the command is not known before it runs")
	case g.fresh:
		g.all("")
	case g.back || g.goes:
		g.compare(revs)
	}
	if unread && g.paths {
		g.all("a word of the command is not known before it runs")
	}
}

// untracked looks for names that a rule speaks of and the index does not hold.
// It returns false where it could not look at all of them.
func (g *gitTouches) untracked(index []string) bool {
	held := make(map[string]bool, len(index))
	for _, n := range index {
		held[n] = true
	}
	err := filepath.WalkDir(g.dir, func(name string, d os.DirEntry, err error) error {
		switch {
		case err != nil && errors.Is(err, os.ErrPermission):
			return nil
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return filepath.SkipDir
		case d.IsDir():
			return g.b.count()
		}
		if err := g.b.count(); err != nil {
			return err
		}
		if _, ok := g.b.deniesWriting(name); ok && !held[name] && len(g.names) < maxTold {
			g.names = append(g.names, name)
		}
		return nil
	})
	return err == nil
}

// takesWord says that the word after a flag is its value: a message, the name of
// a new branch, or a revision that only named paths are taken from.
func takesWord(flag string) bool {
	switch flag {
	case "-m", "--message", "-b", "-B", "-c", "-C", "--orphan", "-s", "--source", "--conflict", "--pathspec-from-file":
		return true
	}
	// Among other letters.
	return len(flag) > 2 && flag[0] == '-' && flag[1] != '-' && strings.IndexByte("bBcCms", flag[len(flag)-1]) >= 0
}

// exists says that a word names a file that is there or tracked.
func (g *gitTouches) exists(name string) bool {
	if strings.HasPrefix(name, ":") || strings.ContainsAny(name, "*?[") {
		return true
	}
	full := filepath.Join(g.dir, name)
	if filepath.IsAbs(name) {
		full = filepath.Clean(name)
	}
	if _, err := os.Lstat(full); err == nil {
		return true
	}
	return slices.Contains(g.names, full)
}

// path adds one path that the command spells.
func (g *gitTouches) path(name string) {
	if strings.HasPrefix(name, ":") || strings.ContainsAny(name, `*?[\`) {
		var specs pathspecs
		specs.add(name, g.dir, g.top)
		for _, n := range g.names {
			if rel, err := filepath.Rel(g.top, n); err == nil && (specs.wide || specs.takes(filepath.ToSlash(rel))) {
				g.may(n, "")
			}
		}
		return
	}
	p := g.b.resolve(g.dir, name, scope.Write)
	a := permission.Action{Kind: permission.Write, Of: g.of, Origin: permission.Operand, Path: p, Span: span(g.c.Span)}
	a.Path.Extent = permission.Exact
	if g.b.namedForWriting(&p) || g.name == "mv" && p.Class == permission.Sensitive {
		g.b.addOnce(a)
		return
	}
	for _, n := range g.names {
		if rest, ok := strings.CutPrefix(n, strings.TrimSuffix(p.Clean, "/")); ok && strings.HasPrefix(rest, "/") {
			g.may(n, "")
		}
	}
	if g.name == "mv" {
		// What is moved, into what may be a directory.
		if last := g.words[len(g.words)-1]; last.Static && last.Text != name {
			into := g.b.resolve(g.dir, strings.TrimSuffix(last.Text, "/")+"/"+path.Base(name), scope.Write)
			if a.Path = into; g.b.namedForWriting(&into) {
				a.Path.Extent = permission.Exact
				g.b.addOnce(a)
			}
		}
	}
}

// all adds every tracked name that a rule speaks of.
func (g *gitTouches) all(why string) {
	for _, n := range g.names {
		g.may(n, why)
	}
}

// may adds a name that the command may change; "" is any that rules speak of.
func (g *gitTouches) may(name, why string) {
	a := permission.Action{Kind: permission.Write, Of: g.of, Origin: permission.Operand, Maybe: true, Span: span(g.c.Span)}
	if why != "" {
		a.Note = fmt.Sprintf("Which files git changes could not be told: %s.", why)
	}
	if name != "" {
		a.Path = g.b.resolve(g.dir, name, scope.Write)
		a.Path.Extent = permission.Exact
	}
	g.b.addMaybe(a, true)
}

// compare adds the names that going to a revision changes: those that differ
// between it and HEAD, and, for a command that takes files back, those that were
// changed since.
func (g *gitTouches) compare(revs []string) {
	if len(revs) > 1 || g.name == "stash" {
		revs = nil
	}
	store, err := openGit(g.top)
	if err != nil {
		g.all(err.Error())
		return
	}
	defer store.close()
	head, err := store.revision("HEAD")
	if err != nil || len(head) != 1 {
		if err == nil {
			return // nothing was committed
		}
		g.all(err.Error())
		return
	}
	if len(revs) == 1 && revs[0] != "HEAD" {
		if revs[0] == "-" {
			revs[0] = "@{-1}"
		}
		to, err := store.revision(revs[0])
		if err == nil && len(to) == 0 && !g.back {
			// No such thing here: a branch of a remote that is tracked, or none.
			to, err = store.allRefs(false)
		}
		if err != nil {
			g.all(err.Error())
			return
		}
		for _, h := range to {
			call := gitCall{gitReader: gitReader{pair: true}, dir: g.dir, top: g.top, store: store, tips: []gitHash{head[0], h}}
			changed, err := call.names(g.b)
			if errors.Is(err, errNameless) {
				continue
			}
			if err != nil {
				g.all(err.Error())
				return
			}
			for _, n := range changed {
				n = filepath.Join(g.top, filepath.FromSlash(n))
				if _, denied := g.b.deniesWriting(n); denied && g.told < maxTold {
					g.told++
					g.may(n, "")
				}
			}
		}
	}
	if !g.back && !g.has("-f", "--force", "--discard-changes") {
		return
	}
	w := gitWalk{g: &gitCall{store: store}}
	root, err := w.treeOf(head[0])
	for _, n := range g.names {
		same := false
		if rel, e := filepath.Rel(g.top, n); e == nil && err == nil {
			same = unchanged(store, root, filepath.ToSlash(rel), n)
		}
		if !same {
			g.may(n, "")
		}
	}
}

// maxBlob bounds a file that is compared with what was committed, in bytes.
const maxBlob = 4 << 20

// unchanged says that a file holds what a tree holds under its name. It says no
// where that is not known, as with line ends that git rewrites.
func unchanged(store *gitStore, root gitHash, rel, name string) bool {
	at := root
	parts := strings.Split(rel, "/")
	for i, part := range parts {
		entries, err := store.tree(at)
		if err != nil {
			return false
		}
		k := slices.IndexFunc(entries, func(e treeEntry) bool { return e.name == part })
		if k < 0 || entries[k].dir != (i < len(parts)-1) {
			return false
		}
		at = entries[k].hash
	}
	if st, err := os.Lstat(name); err != nil || !st.Mode().IsRegular() {
		return false
	}
	data, err := readSmall(name, maxBlob)
	if err != nil {
		return false
	}
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(data))
	h.Write(data)
	return bytes.Equal(h.Sum(nil), at[:])
}

// patches adds the names in patches that are applied (git-apply(1)).
func (g *gitTouches) patches(files []string) {
	if len(files) == 0 {
		g.all("the patch comes from elsewhere")
		return
	}
	for _, f := range files {
		data, err := readSmall(absolute(g.dir, f), 1<<20)
		if err != nil {
			g.all("the patch could not be read")
			continue
		}
		for _, line := range strings.Split(string(data), "\n") {
			name := ""
			for _, p := range []string{"+++ ", "--- ", "rename from ", "rename to ", "copy to "} {
				if rest, ok := strings.CutPrefix(line, p); ok {
					name, _, _ = strings.Cut(strings.TrimRight(rest, "\r"), "\t")
				}
			}
			if rest, ok := strings.CutPrefix(line, "diff --git "); ok {
				if i := strings.LastIndex(rest, " b/"); i >= 0 {
					name = strings.TrimRight(rest[i+1:], "\r")
				}
			}
			name = strings.Trim(name, `"`)
			// -p leaves out names at the start, any number of them.
			for n := name; n != "" && n != "/dev/null"; {
				for _, d := range []string{g.dir, g.top} {
					p := g.b.resolve(d, n, scope.Write)
					if g.b.namedForWriting(&p) {
						a := permission.Action{Kind: permission.Write, Of: g.of, Origin: permission.Operand, Path: p, Span: span(g.c.Span)}
						a.Path.Extent = permission.Exact
						g.b.addMaybe(a, true)
					}
				}
				i := strings.IndexByte(n, '/')
				if i < 0 {
					break
				}
				n = n[i+1:]
			}
		}
	}
}
