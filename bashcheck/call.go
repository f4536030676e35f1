package bashcheck

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// call reports one simple command.
func (w *walker) call(x *syntax.CallExpr, redirs []*syntax.Redirect) dirs {
	here := dirs{w.st.dir, w.st.dir}
	expanded := len(w.secrets)
	assigns := w.assigns(x.Assigns, len(x.Args) == 0)
	if len(x.Args) == 0 {
		w.bareRedirect(redirs)
		if len(redirs) > 0 && w.d != Bash {
			// dash and busybox redirect first, and assign nothing where that fails.
			for _, a := range x.Assigns {
				if a.Name != nil {
					w.set(a.Name.Value, value{})
				}
			}
		}
		w.rep.Loose = append(w.rep.Loose, w.redirects(redirs)...)
		return here
	}
	first := len(w.rep.Commands)
	argv := take(&w.room.argv, len(x.Args))
	for _, a := range x.Args {
		argv = w.words(a, argv)
	}
	if len(argv) == 0 { // {,}
		w.block(CodeDynamicCommand, w.nodeSpan(x), "the braces leave no command")
		return here
	}
	if w.d == Zsh || w.d == Any {
		w.foreignName(x.Args[0])
	}
	if argv[0].Static && argv[0].Text == "read" {
		separators(assigns, x.Assigns)
	}
	s := spelling{assigns: assigns}
	if s.text, s.plain = w.plainText(argv); s.plain && len(assigns) == 0 && len(argv) == len(x.Args) {
		s.at = spanOf(argv)
	} else {
		s.plain = false
		s.at, s.text = w.nodeSpan(x), w.sources(assigns, x.Assigns, x.Args)
	}
	s.redirected = w.redirects(redirs)
	own := len(w.rep.Commands)
	put(&w.stdin, nil)
	for _, r := range redirs {
		switch {
		case r.Op == syntax.WordHdoc:
			if v := w.inputText(r.Word); v != nil {
				w.stdin = v
			}
		case r.Hdoc != nil:
			if text := r.Hdoc.Lit(); text != "" && (quotedDelimiter(r.Word) || !strings.ContainsAny(text, "\\$`")) && r.Op == syntax.Hdoc {
				w.stdin = &word{Word: Word{Text: text, Static: true, Span: w.nodeSpan(r.Hdoc)}}
			}
		}
	}
	put(&w.typed, w.typedText(redirs))
	if !readsPipe(redirs) {
		put(&w.input, nil)
	}
	if len(w.secrets) > expanded {
		if !showsSecrets(argv) {
			w.unshown(expanded)
		}
		s.shown = w.secretsSince(expanded)
	}
	out := w.run(s, argv)
	if own > first {
		w.flows = append(w.flows, flow{first, own, own, len(w.rep.Commands), false})
	}
	return out
}

// plainText returns the text of words that stand there as they are, with one
// blank after each.
func (w *walker) plainText(argv []word) (text string, ok bool) {
	from := 0 // of the text in the source
	if w.outer != nil {
		if from = w.base; from < 0 {
			return "", false
		}
	}
	start := int(argv[0].Span.Start) - from
	at := start
	for i := range argv {
		end := at + len(argv[i].Text)
		if s := argv[i].Span; int(s.Start)-from != at || int(s.End)-from != end || i > 0 && w.src[at-1] != ' ' || w.src[at:end] != argv[i].Text {
			return "", false
		}
		at = end + 1
	}
	return w.src[start : at-1], true
}

// sources returns the text of a command as the source has it.
func (w *walker) sources(known []Assignment, assigns []*syntax.Assign, args []*syntax.Word) string {
	first, last := int(args[0].Pos().Offset()), int(args[len(args)-1].End().Offset())
	var b strings.Builder
	for i, a := range assigns {
		if i < len(known) && !known[i].Inert {
			b.WriteString(w.src[a.Pos().Offset():a.End().Offset()])
			b.WriteByte(' ')
		}
	}
	if b.Len() == 0 && tight(args) {
		return w.src[first:last]
	}
	for i, a := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w.src[a.Pos().Offset():a.End().Offset()])
	}
	return b.String()
}

// tight says that one blank separates the words.
func tight(args []*syntax.Word) bool {
	for i := 1; i < len(args); i++ {
		if args[i].Pos().Offset() != args[i-1].End().Offset()+1 {
			return false
		}
	}
	return true
}

// fill sets what follows from the words alone.
func (w *walker) fill(c *Command, text string, spelled bool, argv []word) {
	args := take(&w.room.words, len(argv))[:len(argv)]
	c.Argv = args
	n, at := len(argv), 0
	for i := range argv {
		args[i] = argv[i].Word
		if !argv[i].Static || argv[i].Glob {
			c.Dynamic = true
		}
		if spelled {
			continue
		}
		n += len(argv[i].Text)
		// at follows the text as long as it spells the words as they are.
		if t := argv[i].Text; at >= 0 && i > 0 && at < len(text) && text[at] == ' ' && strings.HasPrefix(text[at+1:], t) {
			at += 1 + len(t)
		} else if i == 0 && strings.HasPrefix(text, t) {
			at = len(t)
		} else {
			at = -1
		}
	}
	c.Dir = w.st.dir
	c.Parent, c.Transparent = w.parent, w.parent > 0 && w.transp
	c.Substituted = w.subst > 0
	plain := text
	if !spelled && (at != len(text) || at == 0) {
		var b strings.Builder
		b.Grow(n)
		for i := range argv {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(argv[i].Text)
		}
		plain = b.String()
	}
	if text == "" {
		text = plain
	}
	c.Text = text
	if name := argv[0].Text; argv[0].Static && baseName(name) != name {
		c.Plain = append(take(&w.room.plain, 2), plain, baseName(name)+plain[len(name):])
	} else {
		c.Plain = append(take(&w.room.plain, 1), plain)
	}
}

// add puts the command that open returned into the report and returns its index
// from 1.
func (w *walker) add() int {
	n := len(w.rep.Commands)
	if n < w.a.opts.Limits.Commands {
		w.rep.Commands = w.rep.Commands[:n+1]
		return n + 1
	}
	c := w.open()
	if !slices.ContainsFunc(w.rep.Findings, func(f Finding) bool { return f.Code == CodeLimit }) {
		w.block(CodeLimit, c.Span, "there are more than %d commands", n)
	}
	*c = Command{}
	return n
}

// spelling is what the source says of a command besides its words.
type spelling struct {
	at         Span
	text       string // empty where the command stands inside another
	plain      bool   // text is the words with one blank after each
	assigns    []Assignment
	redirected []Effect
	shown      []Effect // credentials that it expands
}

// run describes, records and follows one command.
func (w *walker) run(s spelling, argv []word) dirs {
	here := dirs{w.st.dir, w.st.dir}
	put(&w.fed, w.input)
	put(&w.input, nil)
	put(&w.output, nil)
	if len(argv) == 0 {
		return here
	}
	c := w.open()
	c.Span = s.at
	w.fill(c, s.text, s.plain, argv)
	name := &argv[0]
	if !name.Static || name.Glob {
		w.find(CodeDynamicCommand, Dangerous, true, name.Span, "which program runs is known only then: %s", escape(name.Text))
		c.Effects = append([]Effect{{Kind: Unknown, Dir: c.Dir, Span: c.Span}}, s.redirected...)
		c.Assignments = s.assigns
		w.add()
		return dirs{}
	}
	for i := range argv {
		a := &argv[i]
		if !a.odd || !a.Static || w.outer != nil && w.base < 0 || i > 0 && (len(a.Text) > 16 || !strings.HasPrefix(a.Text, "-") || strings.IndexByte(a.Text, '=') > 0) {
			continue
		}
		src := w.rep.Source[a.Span.Start:a.Span.End]
		switch {
		case !splitFlag(src):
		case i == 0 && src[0] == '\\' && src[1:] == a.Text:
			w.find(CodeObfuscatedWord, Notice, false, a.Span, "the backslash before %s passes over an alias", escape(a.Text))
		case i == 0:
			w.find(CodeObfuscatedWord, Suspicious, false, a.Span, "the name of the program is split by quotes or escapes: %s", escape(a.Text))
		case !textTail(src):
			w.find(CodeObfuscatedWord, Suspicious, false, a.Span, "a flag is split by quotes or escapes: %s", escape(a.Text))
		}
	}
	p := w.lookup(name.Text)
	trusted := true
	if p == nil && strings.HasPrefix(name.Text, "/") {
		// A program named by an absolute path in a system folder.
		switch path.Dir(name.Text) {
		case "/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin", "/opt/homebrew/bin":
			p = w.lookup(path.Base(name.Text))
		}
	}
	if p == nil && strings.Contains(name.Text, "/") {
		if q := w.lookup(path.Base(name.Text)); q != nil && q.reader == 0 {
			p, trusted = q, false
		}
	}
	if name.Text == "cd" || (name.Text == "pushd" || name.Text == "popd") && (w.d == Bash || w.d == Zsh) {
		c.Assignments = s.assigns
		return w.cd(c, argv, append(s.shown, s.redirected...))
	}
	var j judged
	var effects []Effect
	if p != nil {
		args, start := argv, w.st.dir
		switch p.names[0] {
		case "git":
			args, effects = w.gitDir(c, argv)
		case "yq":
			// The sub-command of Go's yq that is meant where none stands. To
			// Python's it is a filter that is not there.
			if len(argv) > 2 && argv[1].Static && (argv[1].Text == "e" || argv[1].Text == "eval") {
				args = append(argv[:1:1], argv[2:]...)
			}
		}
		w.judge(p, args, &j)
		put(&w.st.dir, start)
		w.special(p, argv, &j)
		c.Class, c.ExactOnly, c.Edits = j.class, j.exact, j.edits && j.ok
		c.Described = j.ok && trusted
		if c.Described && j.names && !j.other {
			w.output = feedOf(p, &j, len(w.rep.Commands)+1)
		}
		c.Summary, c.Told = j.say, j.told
		if effects == nil {
			effects = j.effects
		} else {
			effects = append(effects, j.effects...)
		}
		prefix, n := prefixOf(c.Plain[0], argv, j.prefix)
		if len(p.subs) == 0 || n == j.prefix { // the name of the program alone is too much
			c.Prefix = prefix
		}
		if j.ok && trusted && plainGet(argv) {
			w.assume(AssumeNoProxy)
			n := 0
			for i := range effects {
				if e := &effects[i]; e.Kind == Connect {
					e.PlainGet, e.URL = true, w.literalURL(argv, n)
					n++
				}
			}
		}
		if j.ok && trusted {
			for i := range j.assume {
				for _, as := range j.assume[i] {
					w.assume(as)
					if as == AssumeGitConfig && !sameDir(c.Dir, startDir) {
						w.find(CodeForeignRepository, Suspicious, true, c.Span, "git runs in another directory, whose configuration may run programs")
					}
				}
			}
		}
		w.rebinding(name, argv)
	}
	if !c.Described {
		effects = append(effects, Effect{Kind: Unknown, Dir: c.Dir, Span: c.Span})
	}
	for _, a := range s.assigns {
		if !a.Inert {
			effects = append(effects, Effect{Kind: Environment, Target: a.Name, Extent: Exact, Dir: c.Dir, Span: a.Value.Span})
		}
	}
	if usesSecrets(effects) {
		s.shown = nil
	}
	effects = append(append(effects, s.shown...), s.redirected...)
	if assigns := append(s.assigns, j.assigns...); assigns != nil {
		c.Assignments = assigns
	}
	switch name.Text {
	case "read", "mapfile", "readarray", "getopts", "printf", "unset", "wait", "eval", ".", "source", "let", "local", "shift", "zparseopts", "vared":
		// printf only with -v, which is never described.
		if (name.Text != "printf" && name.Text != "read") || !c.Described {
			w.st.forget, w.st.vars = true, nil
		}
	}
	c.Effects = w.room.closeEffects(effects)
	index := w.add()
	for _, l := range j.warnings {
		if l.control {
			w.findAt(CodeGivesControl, Suspicious, s.at, index, "%s", l.text)
		} else {
			w.findAt(CodeDestructive, Notice, s.at, index, "%s", l.text)
		}
	}
	inside := w.follow(index, &j)
	switch name.Text {
	case "command", "builtin", "noglob", "nocorrect":
		if len(j.inner) > 0 {
			w.st.forget, w.st.vars = true, nil // it may be a builtin that assigns
			if w.d == Zsh || w.d == Any || w.d == POSIX && name.Text != "command" {
				return dirs{} // zsh's command runs no builtin, so not cd; to dash the others are programs
			}
			return inside
		}
	case "eval", ".", "source", "-":
		return dirs{}
	}
	return here
}

// special is what descriptions cannot say: what depends on the dialect, on how
// the words of eval are joined, and on a shell's input.
func (w *walker) special(p *program, argv []word, j *judged) {
	switch p.names[0] {
	case "eval":
		j.shells = nil
		var b strings.Builder
		joined := word{Word: Word{Static: true, Span: spanOf(argv)}}
		for i, a := range argv[1:] {
			if i > 0 {
				b.WriteByte(' ')
			} else if a.Text == "--" {
				continue
			}
			joined.Static = joined.Static && a.Static && !a.Glob
			b.WriteString(a.Text)
		}
		if len(argv) == 2 {
			joined.Span = argv[1].Span
		}
		joined.Text = strings.TrimPrefix(b.String(), " ")
		if len(argv) > 1 {
			j.shells = []word{joined}
		}
	case "kill":
		// One quoted word after -0 is no flag that a shell knows there: it asks
		// about a process, or about a group.
		if len(argv) == 3 && argv[1].Static && argv[1].Text == "-0" && !argv[2].fields && !argv[2].Glob {
			j.ok = true
		}
	case "command":
		// zsh looks for flags in every word with a dash. Where one is none of its
		// own, command has no flags: command -v -x runs a program called -v.
		if (w.d == Zsh || w.d == Any) && len(j.inner) == 0 {
			for _, a := range argv[1:] {
				if !a.Static && a.mayBeFlag() || a.Static && strings.HasPrefix(a.Text, "-") && strings.Trim(a.Text, "-pvV") != "" {
					j.ok = false
				}
			}
		}
	case "printf", "exit", "return", "break", "continue", "shift", "wait", "read", "ulimit", "umask", "let":
		if w.d == Zsh || w.d == Any { // zsh evaluates numbers as arithmetic
			for _, a := range argv[1:] {
				if !a.Static || strings.IndexByte(a.Text, '[') >= 0 {
					j.ok = false
				}
			}
		}
	}
	if j.class == Shell && len(j.shells) == 0 && w.stdin != nil && (len(argv) == 1 || argv[len(argv)-1].Text == "-s" || argv[len(argv)-1].Text == "-") {
		j.shells = append(j.shells, *w.stdin)
	}
}

// literalURL is the n-th URL of a plain GET.
func (w *walker) literalURL(argv []word, n int) string {
	for _, a := range argv[1:] {
		if strings.Contains(a.Text, "://") {
			if n == 0 {
				return a.Text
			}
			n--
		}
	}
	return ""
}

// prefixOf is the beginning of plain that holds the first n words, as far as
// they are literal and no flags, and how many these are.
func prefixOf(plain string, argv []word, n int) (prefix string, words int) {
	end, i := 0, 0
	for ; i < n && i < len(argv); i++ {
		t := argv[i].Text
		if !argv[i].Static || argv[i].Glob || strings.HasPrefix(t, "-") || !prefixBytes.all(t) {
			break
		}
		if i > 0 {
			end++
		}
		end += len(t)
	}
	return plain[:end], i
}

// prefixBytes are what the words of a saved rule's prefix may hold.
var prefixBytes = bytesBut(" \t\n*\"'$`\\")

// rebinding reports builtins that change what later names mean.
func (w *walker) rebinding(name *word, argv []word) {
	switch name.Text {
	case "alias", "unalias", "enable", "shopt", "set", "trap":
		if len(argv) > 1 {
			switch {
			case name.Text == "set" && safeSet(argv[1:]):
			case name.Text == "trap" && w.d == Bash && argv[1].Static && (argv[1].Text == "-p" || argv[1].Text == "-l"):
			case name.Text == "shopt" && argv[1].Text != "-s" && argv[1].Text != "-u":
			default:
				w.find(CodeRebindsName, Suspicious, name.Text != "set", name.Span, "%s may change what later words mean", name.Text)
			}
		}
	case "hash":
		for _, a := range argv[1:] {
			if !a.Static || strings.HasPrefix(a.Text, "-p") || strings.HasPrefix(a.Text, "-") && strings.Contains(a.Text, "p") {
				w.block(CodeRebindsName, name.Span, "hash may change what later words mean")
			}
		}
	case "unset":
		for _, a := range argv[1:] {
			if !a.Static || strings.Contains(a.Text, "[") {
				w.block(CodeArithmetic, name.Span, "unset evaluates a subscript, in which a shell may run code")
			}
		}
	case "export", "readonly", "declare", "typeset", "local":
		w.declared(name.Span, argv[1:])
	case "eval", ".", "source":
		sev := Suspicious
		if name.Text != "eval" && len(argv) > 1 && argv[1].Static && !argv[1].Glob {
			sev = Notice // a file that the text names
		}
		w.find(CodeIndirectExecution, sev, name.Text == "eval", name.Span, "%s runs text as a program of this shell", name.Text)
	}
}

func safeSet(args []word) bool {
	for _, a := range args {
		switch a.Text {
		case "-e", "-u", "-eu", "-ue", "-euo", "-o", "pipefail", "-eo", "-uo", "errexit", "nounset", "+e", "+u", "-f", "-x", "-ex", "-eux", "-euxo", "-exo":
		default:
			return false
		}
	}
	return true
}
