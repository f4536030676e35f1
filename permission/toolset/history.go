package toolset

import (
	"container/heap"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope"
)

// The index tells which files a repository holds now. What a deleted file said
// stands in its history, so commands that print the contents of commits are
// looked at commit by commit, as far as they say which: the trees that they
// compare are read from the object store, and a name that a rule speaks of, or
// that may hold secrets, becomes an action of its own. The alternative, to ask
// for every git show in a project that denies .env, would teach people to say
// yes. Where it cannot be told which commits are meant, where the repository is
// laid out in a way that is not understood, or where there is more history than
// can be looked at, deny and ask rules over paths may match.

// gitReader is how a sub-command of git prints contents.
type gitReader struct {
	words int  // of its name
	patch bool // only with a flag that asks for a patch
	walks bool // goes on to parents
	whole bool // shows whole trees rather than what changed
	pair  bool // compares two revisions with each other, or one with the index
	stash bool // reads the stash
	all   bool // takes further revisions than it is told
	none  bool // shows only the paths that it is given
	own   bool // its description does not say that it reads the files
	one   bool // shows a single object
	loud  bool // whatever its flags say: -s of blame and of format-patch is another one
	blob  bool // shows a file that is named by an object, whatever its flags say
	// only are the flags with which it shows contents, all that the index holds
	// among them: one letter each, and the word of that letter in onlyWords; "*"
	// is always.
	only string
	// parent says that a single commit is compared with its parents.
	parent bool
}

var gitReaders = map[string]gitReader{
	"log": {words: 1, patch: true, walks: true}, "whatchanged": {words: 1, patch: true, walks: true}, "reflog": {words: 1, patch: true, walks: true, all: true, own: true},
	"show": {words: 1, blob: true}, "status": {words: 1, patch: true, pair: true, only: "v"}, "diff": {words: 1, pair: true}, "diff-tree": {words: 1, patch: true, pair: true, parent: true}, "diff-index": {words: 1, patch: true, pair: true},
	"range-diff": {words: 1, walks: true, all: true}, "format-patch": {words: 1, walks: true, all: true, own: true, loud: true},
	"merge-tree": {words: 1, whole: true, own: true}, "grep": {words: 1, whole: true}, "archive": {words: 1, whole: true, own: true, loud: true}, "cat-file": {words: 1, one: true},
	"blame": {words: 1, none: true, loud: true}, "annotate": {words: 1, none: true, loud: true},
	"commit": {words: 1, pair: true, only: "vp", own: true}, "reset": {words: 1, pair: true, only: "p", own: true}, "checkout": {words: 1, pair: true, only: "p", own: true},
	"rerere diff": {words: 2, pair: true, only: "*", own: true}, "request-pull": {words: 1, walks: true, all: true, patch: true, only: "p", own: true}, "difftool": {words: 1, pair: true, own: true, loud: true},
	"fast-export": {words: 1, walks: true, all: true, patch: true, own: true, loud: true}, "bundle create": {words: 2, walks: true, own: true, loud: true}, "pack-objects": {words: 1, walks: true, all: true, patch: true, own: true, loud: true},
	"stash show": {words: 2, patch: true, stash: true}, "stash list": {words: 2, patch: true, stash: true, own: true},
}

// onlyWords are the long forms of gitReader.only. git takes the beginning of one
// for the whole.
var onlyWords = map[rune][]string{'v': {"--verbose"}, 'p': {"--patch", "--interactive"}}

// beforeText are flags of those commands that take the next word for a value,
// beside clusters that end in m.
var beforeText = map[string]bool{"--message": true, "-F": true, "--file": true, "--author": true, "--date": true, "--trailer": true, "-b": true, "-B": true}

// asksFor says whether a word is, or may be, one of the flags of gitReader.only.
func (r gitReader) asksFor(w bashcheck.Word) bool {
	if !w.Static {
		return true
	}
	for _, letter := range r.only {
		for _, long := range onlyWords[letter] {
			if len(w.Text) > 2 && strings.HasPrefix(long, w.Text) {
				return true
			}
		}
	}
	if !strings.HasPrefix(w.Text, "-") || strings.HasPrefix(w.Text, "--") {
		return false
	}
	flags := w.Text[1:]
	if i := strings.IndexAny(flags, "mFcCtSu"); i >= 0 {
		flags = flags[:i] // the rest is a value
	}
	return strings.ContainsAny(flags, r.only)
}

// valueFlags take their value from the next word. moreValues do so with some
// sub-commands only.
var moreValues = map[string]bool{"-n": true, "-L": true, "-e": true, "-f": true, "-A": true, "-B": true, "-C": true, "-m": true, "-o": true}

var valueFlags = map[string]bool{
	"-S": true, "-G": true, "-l": true, "-I": true, "-O": true,
	"--max-count": true, "--since": true, "--until": true, "--after": true, "--before": true, "--author": true, "--committer": true, "--grep": true, "--grep-reflog": true,
	"--skip": true, "--diff-algorithm": true, "--inter-hunk-context": true, "--anchored": true, "--find-object": true, "--rotate-to": true, "--skip-to": true,
	"--ignore-matching-lines": true, "--date": true, "--encoding": true, "--format": true, "--pretty": true, "--max-depth": true, "--threads": true, "--ignore-revs-file": true,
	"--since-as-filter": true, "--max-parents": true, "--min-parents": true, "--exclude": true, "--exclude-hidden": true, "--decorate-refs": true, "--decorate-refs-exclude": true,
	"--stat-width": true, "--stat-name-width": true, "--stat-count": true,
}

// quiet says that a flag stands for an output without contents.
func quiet(flag string) bool {
	name, _, _ := strings.Cut(flag, "=")
	switch name {
	case "-s", "--no-patch", "--stat", "--name-only", "--name-status", "--numstat", "--shortstat", "--summary", "--raw", "--dirstat", "--dirstat-by-file", "--compact-summary", "-q", "--quiet":
		return true
	}
	return false
}

// shows says that a flag may ask for contents, whatever the others say.
func shows(flag string) bool {
	if strings.HasPrefix(flag, "--") {
		for _, p := range []string{"--patch", "--unified", "--cc", "--word-diff", "--color-words", "--function-context", "--binary", "--remerge", "--dd", "--diff-merges", "--check", "--submodule", "--ws-error"} {
			if strings.HasPrefix(flag, p) {
				return true
			}
		}
		return false
	}
	return len(flag) > 1 && flag[0] == '-' && strings.ContainsAny(flag, "puULcWm")
}

// plainLog says that a flag leaves every commit of a walk in its output, so
// that -n counts them.
func plainLog(flag string) bool {
	name, _, _ := strings.Cut(flag, "=")
	switch name {
	case "-p", "-u", "--patch", "--oneline", "--graph", "--decorate", "--no-decorate", "--abbrev-commit", "--no-abbrev-commit", "--unified", "--cc", "-c", "-m", "-w", "-b",
		"--date", "--name-only", "--name-status", "--numstat", "--shortstat", "--summary", "--stat", "--word-diff", "--color-words", "--no-ext-diff", "--no-textconv",
		"--patch-with-stat", "-n", "--max-count", "--minimal", "--patience", "--histogram", "--no-renames", "--find-renames", "--topo-order", "--date-order", "--reverse",
		"--color", "--no-color", "--format", "--pretty", "--abbrev", "--full-index", "--function-context", "-W", "-M", "-C":
		return true
	}
	return strings.HasPrefix(flag, "-U") || number(flag[1:]) || strings.HasPrefix(flag, "-n") && number(flag[2:])
}

func number(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// gitCall is what a git command says of the history that it shows.
type gitCall struct {
	gitReader
	dir     string // where it runs
	top     string
	store   *gitStore
	index   map[string]bool // absolute names
	judged  bool            // those of the index are looked at anyway
	tips    []gitHash
	not     []gitHash
	left    []gitHash // of A...B
	right   []gitHash
	limit   int  // commits of the walk; 0 is no limit
	plain   bool // nothing but -n chooses commits
	limited bool // with -n
	specs   pathspecs
	unknown string // why it is not known which commits are meant
	cached  bool
	files   bool // some are named by REVISION:PATH
	below   []namedTree
}

// namedTree is a folder that REVISION:PATH names, of a command that shows what
// lies in it.
type namedTree struct {
	hash gitHash
	at   string // from the top of the repository
}

// gitWords finds the sub-command of a git command. ok is false where words that
// are not understood stand before it.
func gitWords(c *bashcheck.Command) (r gitReader, rest []bashcheck.Word, in string, ok bool) {
	words, in, ok := gitCommand(c)
	if !ok {
		return r, nil, "", false
	}
	name := words[0].Text
	if r, ok = gitReaders[name]; !ok && len(words) > 1 {
		r, ok = gitReaders[name+" "+words[1].Text]
	}
	if !ok {
		return r, nil, "", false
	}
	return r, words[r.words:], in, true
}

// gitSeen is what is known of a git command beside its history.
type gitSeen struct {
	known  bool // which paths it is about
	specs  pathspecs
	silent bool // it prints no contents
	here   bool // it is about the directory that it runs in only
}

// gitTree adds what git reads of the files that its index holds: all of the
// repository, wherever it starts.
func (b *builder) gitTree(a *permission.Action, name string, t target1) {
	seen := b.git
	if seen.silent {
		a.Path.Walked = true
		b.add(*a)
		return
	}
	if top, bare := repository(a.Path.Real); name == "." && !seen.here && top != "" && !bare {
		a.Path = b.resolve(".", top, t.op)
		a.Path.Extent = t.ext
		a.Free = a.Path.Zone == permission.Outside && t.s.own
	}
	names, ok := tracked(a.Path.Real)
	if !ok || untrackedToo(t.c) {
		b.readTree(a, readerFilter(t.c))
		return
	}
	if st, err := os.Lstat(a.Path.Real); err != nil || !st.IsDir() {
		// A name of an object: what it was called in the repository.
		a.Path.Walked = true
		b.add(*a)
		return
	}
	if top, _ := repository(a.Path.Real); seen.known && name == "." {
		names = slices.DeleteFunc(names, func(n string) bool {
			rel, err := filepath.Rel(top, n)
			return err == nil && !seen.specs.takes(filepath.ToSlash(rel))
		})
	}
	b.readNames(a, names, t.c)
}

// gitHistory adds the names that a git command shows out of the history.
func (b *builder) gitHistory(c *bashcheck.Command, of int) {
	b.git = gitSeen{}
	if b.t.o.Offline {
		return
	}
	r, words, in, ok := gitWords(c)
	places := b.places(c.Dir)
	if !ok {
		if _, _, known := gitCommand(c); !known && !c.Described {
			for _, d := range places {
				b.mayShow(&gitCall{dir: d, top: d}, c, of, notUnderstood)
			}
		}
		return
	}
	defer func() { b.git.known = b.git.known && len(places) == 1 }()
	b.git.here = r.whole
	for _, d := range places {
		g := gitCall{gitReader: r, dir: d, plain: true, judged: c.Described && !r.own}
		if in != "" {
			g.dir = absolute(d, in)
		}
		// git goes by where it really is, not by the links on the way.
		real, err := filepath.EvalSymlinks(g.dir)
		if err != nil {
			g.top = g.dir
			b.mayShow(&g, c, of, "its directory is not there")
			continue
		}
		g.dir = real
		top, bare := repository(real)
		if top == "" {
			continue // git stops there
		}
		g.top = top
		if bare {
			b.mayShow(&g, c, of, "the repository has no work tree")
			continue
		}
		b.history(&g, c, words, of)
	}
}

// withoutSettings is a git command as if it were described, where it is without
// the settings that -c gives: none of them makes git show contents that it would
// not show otherwise.
func (b *builder) withoutSettings(c *bashcheck.Command) *bashcheck.Command {
	words, _, _ := gitCommand(c)
	if c.Described || len(words) == 0 || !slices.ContainsFunc(c.Argv[:len(c.Argv)-len(words)], func(w bashcheck.Word) bool { return w.Text == "-c" }) {
		return c
	}
	text := "git"
	for _, w := range words {
		if !w.Static || w.Glob || strings.Contains(w.Text, "'") {
			return c
		}
		text += " " + shellWord(w.Text)
	}
	rep := b.t.o.Analyzer.Analyze(text)
	if len(rep.Commands) != 1 || !rep.Commands[0].Described {
		return c
	}
	out := *c
	out.Described = true
	return &out
}

// history is gitHistory in one directory.
func (b *builder) history(g *gitCall, c *bashcheck.Command, words []bashcheck.Word, of int) {
	if !g.contents(b.withoutSettings(c), words) && !g.namesFile(words) {
		b.git.silent = true
		return
	}
	if g.only != "" && g.pair { // it compares everything in the index, whatever paths it is given
		g.cached, g.specs.all = true, true
		if !g.own {
			words = nil
		}
	}
	var err error
	if !g.none {
		if g.store, err = openGit(g.top); err == nil {
			defer g.store.close()
		}
	}
	names, _ := tracked(g.top)
	g.index = make(map[string]bool, len(names))
	for _, n := range names {
		g.index[n] = true
	}
	b.gitOperands(g, c, words, of)
	if !c.Described && g.store != nil {
		// Its options may be abbreviated, or say anything.
		g.plain, g.specs.all = false, true
		if g.walks || g.stash {
			g.everything(true)
		} else if g.pair || len(g.tips) == 0 {
			g.unknown = "an option that is not understood"
		}
	}
	if err == nil && g.unknown == "" && !g.none {
		b.git.known, b.git.specs = true, g.specs
		// What is named as REVISION:PATH is looked at by itself.
		b.git.silent = g.files && len(g.tips)+len(g.left)+len(g.not) == 0 && len(g.below) != 1 && g.specs.none() && !g.walks && !g.whole
	}
	if g.none {
		b.git.silent = true
	}
	switch {
	case g.none:
		return
	case err != nil:
	case g.unknown != "":
		err = errors.New(g.unknown)
	default:
		var names []string
		if names, err = g.names(b); err == nil {
			for n := range g.index {
				if rel, ok := strings.CutPrefix(n, strings.TrimSuffix(g.top, "/")+"/"); ok && g.only != "" && g.pair && g.own {
					names = append(names, rel)
				}
			}
			b.shown(g, c, of, names)
			return
		}
	}
	b.mayShow(g, c, of, err.Error())
}

// contents says whether the command prints contents of files.
func (g *gitCall) contents(c *bashcheck.Command, words []bashcheck.Word) bool {
	if g.only != "" {
		for i, w := range words {
			value := i > 0 && words[i-1].Static && (beforeText[words[i-1].Text] || strings.HasPrefix(words[i-1].Text, "-") && !strings.HasPrefix(words[i-1].Text, "--") && strings.HasSuffix(words[i-1].Text, "m"))
			if !value && g.asksFor(w) {
				return true
			}
		}
		return g.only == "*" || slices.ContainsFunc(c.Argv, verboseSetting)
	}
	if !c.Described {
		return true
	}
	silent, patch := false, false
	if g.loud {
		return true
	}
	if g.one {
		for _, w := range words {
			silent = silent || w.Text == "-t" || w.Text == "-s" || w.Text == "-e"
		}
		return !silent
	}
	for _, w := range words {
		if !w.Static {
			return true
		}
		if w.Text == "--" {
			break
		}
		silent, patch = silent || quiet(w.Text), patch || strings.HasPrefix(w.Text, "-") && shows(w.Text)
	}
	return patch || !g.patch && !silent
}

// verboseSetting says that a word of git -c makes commits verbose.
func verboseSetting(w bashcheck.Word) bool {
	return strings.HasPrefix(strings.ToLower(w.Text), "commit.verbose")
}

// namesFile says that the command may show a file that is named by an object,
// as a tag may be, or as REVISION:PATH. Flags do not keep git show from that.
func (g *gitCall) namesFile(words []bashcheck.Word) bool {
	if !g.blob {
		return false
	}
	store, err := openGit(g.top)
	if err != nil {
		return true
	}
	defer store.close()
	for _, w := range words {
		if w.Text == "--" {
			break
		}
		if strings.HasPrefix(w.Text, "-") {
			continue
		}
		if strings.Contains(w.Text, ":") {
			return true
		}
		list, err := store.revision(w.Text)
		if err != nil && !errors.Is(err, errRevision) {
			return true
		}
		for _, h := range list {
			if _, kind, err := store.peel(h); err != nil || kind == gitBlob {
				return true
			}
		}
	}
	return false
}

// gitOperands reads the words of the command: revisions, paths, limits. A path
// that is named is looked at whether or not the index holds it.
func (b *builder) gitOperands(g *gitCall, c *bashcheck.Command, words []bashcheck.Word, of int) {
	name := func(w bashcheck.Word, dir, rel string) {
		a := permission.Action{Kind: permission.Read, Of: of, Origin: permission.Operand, Free: true, Span: span(w.Span)}
		a.Path = b.resolve(dir, rel, scope.Read)
		a.Path.Extent = permission.Exact
		if _, denied := b.denies(&a.Path); denied || a.Path.Class == permission.Sensitive || a.Path.Class == permission.Forbidden {
			b.addOnce(a)
		}
	}
	paths, pattern := false, g.whole && !g.own
	for i := 0; i < len(words); i++ {
		w := words[i]
		t := w.Text
		switch {
		case !w.Static || w.Glob:
			if g.specs.wide = true; !paths {
				g.unknown = "a word of the command is not known"
			}
			continue
		case !paths && t == "--":
			paths = true
			continue
		case paths:
			g.specs.add(t, g.dir, g.top)
			if p := plainSpec(t); p != "" {
				name(w, g.dir, p)
			}
			continue
		case strings.HasPrefix(t, "-") && t != "-":
			g.flag(t)
			if j := strings.LastIndexByte(t, ':'); strings.HasPrefix(t, "-L") && j >= 0 {
				name(w, g.dir, t[j+1:])
			}
			if t == "-e" || t == "-f" {
				pattern = false
			}
			if (valueFlags[t] || moreValues[t] && !g.pair) && i+1 < len(words) {
				i++
				v := words[i].Text
				if j := strings.LastIndexByte(v, ':'); t == "-L" && j >= 0 {
					name(words[i], g.dir, v[j+1:])
				}
				if t == "-n" || t == "--max-count" {
					if n, err := strconv.Atoi(v); err == nil && n >= 0 {
						g.limit, g.limited = n, true
					}
				}
				if !g.pair {
					// Where the flag takes none, it is what it looks like.
					g.operand(v, true)
				}
			}
			continue
		}
		if rev, file, ok := strings.Cut(t, ":"); ok && !(rev == "" && file != "" && strings.IndexByte("!^(/", file[0]) >= 0) {
			// REVISION:PATH starts at the top of the repository.
			if len(file) > 1 && rev == "" && file[0] >= '0' && file[0] <= '3' && file[1] == ':' {
				file = file[2:]
			}
			from := g.top
			if strings.HasPrefix(file, "./") || strings.HasPrefix(file, "../") {
				from = g.dir
			}
			if file != "" {
				name(w, from, file)
				g.files = true
			}
			if g.whole {
				g.operand(rev, false)
				g.specs.all = true // they begin at the folder that is named
			}
			if g.pair {
				g.folder(rev, absolute(from, file))
			}
			continue
		}
		if strings.HasPrefix(t, ":") {
			if strings.HasPrefix(t, ":/") {
				g.unknown = "a commit that is looked for by its message"
			}
			g.specs.add(t, g.dir, g.top)
			continue
		}
		if pattern || g.one && i+1 < len(words) {
			pattern = false
			g.operand(t, true) // or the type of an object
			continue
		}
		if !g.operand(t, false) {
			g.specs.add(t, g.dir, g.top)
		}
		name(w, g.dir, t)
	}
}

// folder takes what REVISION:PATH names for a command that compares: of a folder
// everything below it is shown.
func (g *gitCall) folder(rev, name string) {
	rel, err := filepath.Rel(g.top, path.Clean(name))
	if g.store == nil || err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		g.unknown = "what is named behind a colon"
		return
	}
	if rev == "" {
		return // the index, which holds files only
	}
	list, err := g.store.revision(rev)
	if err != nil || len(list) == 0 {
		g.unknown = "what " + strconv.Quote(rev) + " means is not known"
		return
	}
	for _, h := range list {
		h, dir, err := g.store.folder(h, filepath.ToSlash(rel))
		if err != nil {
			g.unknown = err.Error()
		} else if dir {
			g.below = append(g.below, namedTree{h, strings.TrimPrefix(filepath.ToSlash(rel), ".")})
		}
	}
}

func (g *gitCall) flag(t string) {
	g.plain = g.plain && plainLog(t)
	name, value, has := strings.Cut(t, "=")
	switch {
	case number(t[1:]):
		value, has, name = t[1:], true, "-n"
	case strings.HasPrefix(t, "-n") && number(t[2:]):
		value, has, name = t[2:], true, "-n"
	}
	switch name {
	case "-n", "--max-count":
		if n, err := strconv.Atoi(value); has && err == nil {
			g.limit, g.limited = n, true
		}
	case "--all", "--branches", "--remotes", "--tags", "--glob":
		g.everything(false)
	case "-g", "--walk-reflogs", "--reflog", "--alternate-refs":
		g.everything(true)
	case "--follow", "--full-diff":
		g.specs.all = true
	case "--cached", "--staged":
		g.cached = true
	case "--submodule", "--batch", "--batch-command", "--batch-check", "--batch-all-objects", "--stdin", "--merge-base":
		if name == "--submodule" && value != "diff" {
			break
		}
		g.unknown = "which commits " + name + " shows"
	}
}

// everything takes all references.
func (g *gitCall) everything(logs bool) {
	if g.store == nil {
		return
	}
	list, err := g.store.allRefs(logs)
	if err != nil {
		g.unknown = err.Error()
	}
	g.tips = append(g.tips, list...)
}

// operand takes a word for a revision or a range. It returns false where it is
// neither. loose says that it need not be one.
func (g *gitCall) operand(t string, loose bool) bool {
	if g.store == nil {
		return false
	}
	if g.stash && number(t) {
		return true // an entry of the stash, all of which count
	}
	list := func(s string) []gitHash {
		if s == "" {
			s = "HEAD"
		}
		l, err := g.store.revision(s)
		switch {
		case len(l) > 0 && err == nil || loose:
		case (err == nil || errors.Is(err, errRevision)) && g.exists(t):
			// A path.
		default:
			g.unknown = "what " + strconv.Quote(s) + " means is not known"
		}
		return l
	}
	if a, z, ok := strings.Cut(t, "..."); ok {
		x, y := list(a), list(z)
		if g.left, g.right = append(g.left, x...), append(g.right, y...); !g.pair {
			g.tips = append(append(g.tips, x...), y...)
		}
		return len(x)+len(y) > 0
	}
	if a, z, ok := strings.Cut(t, ".."); ok && t != ".." && !strings.Contains(t, "/..") && !strings.Contains(t, "../") {
		x, y := list(a), list(z)
		g.not, g.tips = append(g.not, x...), append(g.tips, y...)
		return len(x)+len(y) > 0
	}
	if rest, ok := strings.CutPrefix(t, "^"); ok {
		x := list(rest)
		g.not = append(g.not, x...)
		return len(x) > 0
	}
	for _, s := range []string{"^@", "^!"} {
		if rest, ok := strings.CutSuffix(t, s); ok {
			t = rest
		}
	}
	x := list(t)
	g.tips = append(g.tips, x...)
	return len(x) > 0
}

// exists says whether a word names something in the work tree or the index.
func (g *gitCall) exists(name string) bool {
	name = absolute(g.dir, name)
	if _, err := os.Lstat(name); err == nil {
		return true
	}
	name = path.Clean(name)
	for n := range g.index {
		if n == name || strings.HasPrefix(n, name+"/") {
			return true
		}
	}
	return false
}

// names are the paths, from the top of the repository, whose contents the
// command may print and which the index does not tell.
func (g *gitCall) names(b *builder) ([]string, error) {
	w := gitWalk{g: g, names: map[string]bool{}, done: map[[2]gitHash]map[string]bool{}, tick: func() error { return b.ctx.Err() }}
	if b.rules == nil || len(b.rules.Below(g.top)) == 0 {
		// Only names that look like secrets count then.
		g.store.read = maxGitObjects - maxGitObjects/10
	}
	if l := g.below; len(l) == 2 && l[0].at == l[1].at && len(g.tips)+len(g.not)+len(g.left) == 0 {
		if err := w.trees(l[0].hash, l[1].hash, l[0].at); err != nil {
			return nil, err
		}
		g.below = nil
	}
	for _, t := range g.below {
		// All that lies in it, though only what differs is shown.
		if err := w.trees(t.hash, gitHash{}, t.at); err != nil {
			return nil, err
		}
	}
	if err := w.run(); err != nil {
		return nil, err
	}
	out := make([]string, 0, len(w.names))
	for n := range w.names {
		out = append(out, n)
	}
	slices.Sort(out)
	return out, nil
}

// gitWalk collects names from commits and trees.
type gitWalk struct {
	g     *gitCall
	names map[string]bool
	done  map[[2]gitHash]map[string]bool
	tick  func() error
}

func (w *gitWalk) run() error {
	g, s := w.g, w.g.store
	tips := slices.Clone(g.tips)
	add := func(more []gitHash, err error) error {
		tips = append(tips, more...)
		return err
	}
	var err error
	switch {
	case g.one:
		for _, h := range tips {
			if _, kind, err := s.peel(h); err != nil || kind == gitBlob {
				return errors.Join(err, errNameless)
			}
		}
		return nil
	case g.stash:
		err = add(s.stash())
	case g.all && g.patch:
		err = add(s.allRefs(true))
	case g.all:
		// What it takes for the end of a series is not followed.
		tips = append(tips, g.not...)
		g.not = nil
		err = add(s.revision("HEAD"))
	case g.pair:
		return w.pair(append(tips, g.not...))
	case g.whole:
		for _, h := range tips {
			if err := w.whole(h); err != nil {
				return err
			}
		}
		return nil
	case len(tips) == 0 && !g.files:
		err = add(s.revision("HEAD"))
	}
	if err != nil {
		return err
	}
	if len(g.left)+len(g.right) > 0 {
		common, err := w.bases(g.left, g.right)
		if err != nil {
			return err
		}
		g.not = append(g.not, common...)
	}
	commits, err := w.commits(tips, g.not)
	if err != nil {
		return err
	}
	for _, h := range commits {
		if err := w.changed(h); err != nil {
			return err
		}
	}
	return nil
}

var errNameless = errors.New("an object of the repository that has no name")

// bases are commits that both sides come from, the youngest among them.
func (w *gitWalk) bases(left, right []gitHash) ([]gitHash, error) {
	const stale = 4
	flags := map[gitHash]int{}
	q := &commitQueue{}
	push := func(h gitHash, f int) error {
		if flags[h]&f == f {
			return nil
		}
		c, err := w.g.store.commit(h)
		if err != nil {
			return err
		}
		flags[h] |= f
		heap.Push(q, queued{h, c.date})
		return nil
	}
	for i, side := range [][]gitHash{left, right} {
		for _, h := range side {
			h, kind, err := w.g.store.peel(h)
			if err == nil && kind == gitCommit {
				err = push(h, 1<<i)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	var out []gitHash
	for q.Len() > 0 && slices.ContainsFunc(*q, func(c queued) bool { return flags[c.hash]&stale == 0 }) {
		if err := w.tick(); err != nil {
			return nil, err
		}
		at := heap.Pop(q).(queued)
		f := flags[at.hash]
		if f == 3 {
			out = append(out, at.hash)
			f |= stale
		}
		c, err := w.g.store.commit(at.hash)
		if err != nil {
			return nil, err
		}
		for _, p := range c.parents {
			if err := push(p, f); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// commits are those that are shown, or more.
func (w *gitWalk) commits(tips, without []gitHash) ([]gitHash, error) {
	g, s := w.g, w.g.store
	var start []gitHash
	for _, h := range tips {
		h, kind, err := s.peel(h)
		if err != nil {
			return nil, err
		}
		switch kind {
		case gitCommit:
			start = append(start, h)
		case gitTree: // its names
		default:
			return nil, errNameless
		}
	}
	if !g.walks && len(without) == 0 {
		return start, nil
	}
	depth := 0
	if g.limited && g.plain && g.specs.none() {
		if depth = g.limit; depth == 0 {
			return nil, nil
		}
	}
	q := &commitQueue{}
	seen := map[gitHash]bool{} // true: not wanted
	push := func(h gitHash, not bool) error {
		if was, ok := seen[h]; ok && (was || !not) {
			return nil
		}
		c, err := s.commit(h)
		if err != nil {
			return err
		}
		seen[h] = not
		heap.Push(q, queued{h, c.date})
		return nil
	}
	for _, h := range start {
		if err := push(h, false); err != nil {
			return nil, err
		}
	}
	if depth > 0 {
		// The commits of so many generations hold the ones that are shown.
		var out []gitHash
		level := start
		for n := 0; n < depth && len(level) > 0; n++ {
			var next []gitHash
			for _, h := range level {
				if err := w.tick(); err != nil {
					return nil, err
				}
				out = append(out, h)
				c, err := s.commit(h)
				if err != nil {
					return nil, err
				}
				for _, p := range c.parents {
					if _, ok := seen[p]; !ok {
						seen[p] = false
						next = append(next, p)
					}
				}
			}
			level = next
		}
		return out, nil
	}
	for _, h := range without {
		h, kind, err := s.peel(h)
		if err == nil && kind == gitCommit {
			err = push(h, true)
		}
		if err != nil {
			return nil, err
		}
	}
	var out []gitHash
	for q.Len() > 0 && q.wanted(seen) {
		if err := w.tick(); err != nil {
			return nil, err
		}
		at := heap.Pop(q).(queued)
		not := seen[at.hash]
		if !not {
			out = append(out, at.hash)
		}
		c, err := s.commit(at.hash)
		if err != nil {
			return nil, err
		}
		for _, p := range c.parents {
			if err := push(p, not); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

type queued struct {
	hash gitHash
	date int64
}

// commitQueue gives the youngest commit first.
type commitQueue []queued

func (q commitQueue) Len() int           { return len(q) }
func (q commitQueue) Less(i, j int) bool { return q[i].date > q[j].date }
func (q commitQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *commitQueue) Push(x any)        { *q = append(*q, x.(queued)) }
func (q *commitQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// wanted says whether something in the queue is still to be shown.
func (q commitQueue) wanted(not map[gitHash]bool) bool {
	for _, c := range q {
		if !not[c.hash] {
			return true
		}
	}
	return false
}

// changed takes what a commit changed against each of its parents.
func (w *gitWalk) changed(h gitHash) error {
	c, err := w.g.store.commit(h)
	if err != nil {
		return err
	}
	if len(c.parents) == 0 {
		return w.trees(c.tree, gitHash{}, "")
	}
	for _, p := range c.parents {
		parent, err := w.g.store.commit(p)
		if err != nil {
			return err
		}
		if err := w.trees(parent.tree, c.tree, ""); err != nil {
			return err
		}
	}
	return nil
}

// whole takes everything in what a revision names.
func (w *gitWalk) whole(h gitHash) error {
	t, err := w.treeOf(h)
	if err != nil {
		return err
	}
	return w.trees(t, gitHash{}, "")
}

func (w *gitWalk) treeOf(h gitHash) (gitHash, error) {
	h, kind, err := w.g.store.peel(h)
	switch {
	case err != nil:
		return h, err
	case kind == gitTree:
		// Which folder it is nothing tells, unless it is an empty one.
		if list, err := w.g.store.tree(h); err != nil || len(list) > 0 {
			return h, errors.Join(err, errNameless)
		}
		return h, nil
	case kind != gitCommit:
		return h, errNameless
	}
	c, err := w.g.store.commit(h)
	return c.tree, err
}

// pair compares revisions with each other, or one with the index: what a tree
// holds and the index does not tells of files that were removed since.
func (w *gitWalk) pair(revs []gitHash) error {
	g, s := w.g, w.g.store
	if len(g.left)+len(g.right) > 0 {
		// A...B is what changed in B since they parted.
		common, err := w.bases(g.left, g.right)
		if err != nil {
			return err
		}
		revs = append(append(revs, common...), g.right...)
	}
	if len(revs) == 0 && g.cached {
		list, err := s.revision("HEAD")
		if err != nil {
			return err
		}
		revs = list
	}
	switch len(revs) {
	case 0:
		return nil // the index and the files
	case 1:
		if g.parent {
			return w.changed(revs[0])
		}
		return w.whole(revs[0])
	}
	for i := 1; i < len(revs); i++ {
		for j := range i {
			a, err := w.treeOf(revs[j])
			if err != nil {
				return err
			}
			z, err := w.treeOf(revs[i])
			if err != nil {
				return err
			}
			if err := w.trees(a, z, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// trees takes the names in which two trees differ; the zero tree is empty.
func (w *gitWalk) trees(a, z gitHash, at string) error {
	if a == z || !w.g.specs.reaches(at) {
		return nil
	}
	key := [2]gitHash{a, z}
	if w.done[key][at] {
		return nil
	}
	if w.done[key] == nil {
		w.done[key] = map[string]bool{}
	}
	w.done[key][at] = true
	if err := w.tick(); err != nil {
		return err
	}
	read := func(h gitHash) ([]treeEntry, error) {
		if h == (gitHash{}) {
			return nil, nil
		}
		return w.g.store.tree(h)
	}
	x, err := read(a)
	if err != nil {
		return err
	}
	y, err := read(z)
	if err != nil {
		return err
	}
	other := make(map[string]treeEntry, len(y))
	for _, e := range y {
		other[e.name] = e
	}
	one := func(e treeEntry, dir bool, a, z gitHash) error {
		name := path.Join(at, e.name)
		switch {
		case dir:
			return w.trees(a, z, name)
		case e.link:
			return nil // another repository, of which only the name is shown
		}
		if w.g.specs.takes(name) && !(w.g.judged && w.g.index[path.Join(w.g.top, name)]) {
			if w.names[name] = true; len(w.names) > maxTargets {
				return errGitLimit
			}
		}
		return nil
	}
	for _, e := range x {
		o, both := other[e.name]
		delete(other, e.name)
		if both && o.hash == e.hash && o.mode == e.mode {
			continue
		}
		if both && e.dir && o.dir {
			err = one(e, true, e.hash, o.hash)
		} else if err = one(e, e.dir, e.hash, gitHash{}); err == nil && both {
			err = one(o, o.dir, o.hash, gitHash{})
		}
		if err != nil {
			return err
		}
	}
	for _, e := range other {
		if err := one(e, e.dir, e.hash, gitHash{}); err != nil {
			return err
		}
	}
	return nil
}

// shown adds the names out of the history that a rule speaks of or that may
// hold secrets.
func (b *builder) shown(g *gitCall, c *bashcheck.Command, of int, names []string) {
	var found []permission.Action
	for _, n := range names {
		if b.count() != nil {
			b.mayShow(g, c, of, "too many files")
			return
		}
		p := b.ask(".", path.Join(g.top, n), scope.Read).path
		if _, denied := b.denies(&p); denied || p.Class == permission.Sensitive || p.Class == permission.Forbidden {
			p.Extent = permission.Exact
			found = append(found, permission.Action{Kind: permission.Read, Of: of, Origin: permission.Operand, Free: true, Path: p, Span: span(c.Span)})
		}
	}
	note := b.leaveOutOfGit(c, found)
	for _, a := range found {
		a.Note = note
		b.addOnce(a)
	}
}

// leaveOutOfGit is leaveOut for the pathspecs of git.
func (b *builder) leaveOutOfGit(c *bashcheck.Command, found []permission.Action) string {
	places := b.places(c.Dir)
	r, rest, in, ok := gitWords(c)
	if !ok || r.stash || r.none || r.one || r.all || len(found) == 0 || len(found) > 16 || len(places) != 1 {
		return ""
	}
	dir := places[0]
	if in != "" {
		dir = absolute(dir, in)
	}
	top, _ := repository(dir)
	var specs []string
	for _, a := range found {
		rel, ok := strings.CutPrefix(a.Path.Clean, top+"/")
		if !ok || strings.ContainsAny(rel, "*?[\\'") || !printable(rel) {
			return ""
		}
		magic := ":!"
		if path.Clean(dir) != top || strings.IndexByte("\"#%&',-;<=>@_`~$+!^/(:", rel[0]) >= 0 {
			magic = ":(top,exclude)"
		}
		specs = appendNew(specs, "'"+magic+rel+"'")
	}
	what := strings.Join(specs, " ")
	if !slices.ContainsFunc(rest, func(w bashcheck.Word) bool { return w.Text == "--" }) {
		if b.git.known && b.git.specs.any {
			return "To leave it out, add " + what + " behind \"--\" and the paths."
		}
		what = "-- " + what
	}
	return b.rewritten(int(c.Argv[len(c.Argv)-1].Span.End), what)
}

// mayShow adds that it is not known which files of the past the command shows.
// Rules over paths may then match; without such a rule it changes nothing.
func (b *builder) mayShow(g *gitCall, c *bashcheck.Command, of int, why string) {
	a := permission.Action{Kind: permission.Read, Of: of, Origin: permission.Operand, Free: true, Span: span(c.Span)}
	a.Path = b.resolve(g.dir, g.top, scope.Read)
	a.Path.Extent = permission.Within
	a.Note = "Which files of the past this shows could not be told (" + why + "): name few commits, or the files behind \"--\"."
	b.add(a)
}

// addOnce adds a read that the Run has not got already.
func (b *builder) addOnce(a permission.Action) {
	for i := range b.ins.Actions {
		o := &b.ins.Actions[i]
		if o.Kind == a.Kind && o.Of == a.Of && o.Path.Clean == a.Path.Clean && o.Path.Extent == a.Path.Extent && o.Path.Real == a.Path.Real && (a.Maybe || !o.Maybe) {
			return
		}
	}
	b.add(a)
}
