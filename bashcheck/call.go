package bashcheck

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// call reports one simple command.
func (w *walker) call(x *syntax.CallExpr, redirs []*syntax.Redirect) dirs {
	here := dirs{w.st.dir, w.st.dir}
	assigns := w.assigns(x.Assigns, len(x.Args) == 0)
	if len(x.Args) == 0 {
		w.bareRedirect(redirs)
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
	if argv[0].Static && argv[0].Text == "read" {
		separators(assigns, x.Assigns)
	}
	c := &Command{Assignments: assigns, Span: w.nodeSpan(x)}
	w.sources(c, x.Assigns, x.Args)
	effects := w.redirects(redirs)
	own := len(w.rep.Commands)
	w.stdin = nil
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
	if !readsPipe(redirs) {
		w.input = nil
	}
	out := w.run(c, argv, effects)
	if own > first {
		w.flows = append(w.flows, flow{first, own, own, len(w.rep.Commands), false, c.Span})
	}
	return out
}

// separators marks IFS=, before read as inert: read is a regular builtin, so the
// variable has its old value again afterwards (POSIX 2.9.1), and it only says
// where the line is cut, into variables whose values are not known anyway.
func separators(assigns []Assignment, source []*syntax.Assign) {
	for i, a := range source {
		if len(assigns) == len(source) && assigns[i].Name == "IFS" && assigns[i].Value.Static && !assigns[i].Value.Glob && !a.Append && a.Index == nil && a.Array == nil {
			assigns[i].Inert = true
		}
	}
}

// inputText is the text of a here-string that the source spells.
func (w *walker) inputText(n *syntax.Word) *word {
	v := word{Word: Word{Static: true, Span: w.nodeSpan(n)}}
	if len(n.Parts) != 1 {
		return nil
	}
	switch x := n.Parts[0].(type) {
	case *syntax.SglQuoted:
		if v.Text = x.Value; x.Dollar {
			return nil
		}
	case *syntax.DblQuoted:
		l, ok := oneLit(x.Parts)
		if !ok {
			return nil
		}
		v.Text = unescapeQuoted(l)
	default:
		if v.Text = n.Lit(); !plainLit(v.Text) {
			return nil
		}
	}
	return &v
}

func oneLit(parts []syntax.WordPart) (string, bool) {
	if len(parts) != 1 {
		return "", false
	}
	l, ok := parts[0].(*syntax.Lit)
	if !ok {
		return "", false
	}
	return l.Value, true
}

// decl reports export, declare and their like, which the grammar sets apart.
func (w *walker) decl(x *syntax.DeclClause, redirs []*syntax.Redirect) {
	argv := []word{{Word: Word{Text: x.Variant.Value, Static: true, Span: w.nodeSpan(x.Variant)}}}
	effects := []Effect(nil)
	for _, a := range x.Args {
		s := w.nodeSpan(a)
		t := word{Word: Word{Text: w.src[a.Pos().Offset():a.End().Offset()], Static: true, Span: s}}
		if a.Name == nil {
			if a.Value != nil {
				t = w.word(a.Value)
			}
			w.st.forget, w.st.vars = true, nil
		} else {
			w.assigns([]*syntax.Assign{a}, false)
			w.set(a.Name.Value, value{})
			effects = append(effects, Effect{Kind: Environment, Target: a.Name.Value, Extent: Exact, Dir: w.st.dir, Span: s})
		}
		argv = append(argv, t)
	}
	text := x.Variant.Value
	for _, a := range x.Args {
		text += " " + w.src[a.Pos().Offset():a.End().Offset()]
	}
	c := Command{Span: w.nodeSpan(x), Text: text}
	if len(effects) == 0 {
		effects = append(effects, Effect{Kind: Environment, Dir: w.st.dir, Span: c.Span})
	}
	w.fill(&c, argv)
	var loose []word // what the grammar takes for no assignment
	for i, a := range x.Args {
		if a.Name == nil {
			loose = append(loose, argv[i+1])
		}
	}
	w.declared(argv[0].Span, loose)
	c.Effects = append(effects, w.redirects(redirs)...)
	c.Class, c.Prefix, c.Summary = Plain, "", "sets variables"
	if x.Variant.Value == "export" || x.Variant.Value == "readonly" {
		c.Described = len(x.Args) > 0
		for _, a := range x.Args {
			// A flag or a word that is not known may do more.
			c.Described = c.Described && a.Name != nil && a.Index == nil && a.Array == nil
		}
	}
	w.add(&c)
}

// sources fills Text from the source.
func (w *walker) sources(c *Command, assigns []*syntax.Assign, args []*syntax.Word) {
	first, last := int(args[0].Pos().Offset()), int(args[len(args)-1].End().Offset())
	var b strings.Builder
	for i, a := range assigns {
		if i < len(c.Assignments) && !c.Assignments[i].Inert {
			b.WriteString(w.src[a.Pos().Offset():a.End().Offset()])
			b.WriteByte(' ')
		}
	}
	if b.Len() == 0 && tight(args) {
		c.Text = w.src[first:last]
		return
	}
	for i, a := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w.src[a.Pos().Offset():a.End().Offset()])
	}
	c.Text = b.String()
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
func (w *walker) fill(c *Command, argv []word) {
	c.Argv = take(&w.room.words, len(argv))[:len(argv)]
	n, at := len(argv), 0
	for i := range argv {
		c.Argv[i] = argv[i].Word
		n += len(argv[i].Text)
		// at follows c.Text as long as it spells the words as they are.
		if t := argv[i].Text; at >= 0 && i > 0 && at < len(c.Text) && c.Text[at] == ' ' && strings.HasPrefix(c.Text[at+1:], t) {
			at += 1 + len(t)
		} else if i == 0 && strings.HasPrefix(c.Text, t) {
			at = len(t)
		} else {
			at = -1
		}
		if !argv[i].Static || argv[i].Glob {
			c.Dynamic = true
		}
	}
	c.Dir = w.st.dir
	c.Parent, c.Transparent = w.parent, w.parent > 0 && w.transp
	c.Substituted = w.subst > 0
	plain := c.Text
	if at != len(c.Text) || at == 0 {
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
	if c.Text == "" {
		c.Text = plain
	}
	if base := path.Base(argv[0].Text); argv[0].Static && base != argv[0].Text {
		c.Plain = append(take(&w.room.plain, 2), plain, base+plain[len(argv[0].Text):])
	} else {
		c.Plain = append(take(&w.room.plain, 1), plain)
	}
}

func (w *walker) add(c *Command) int {
	lim := w.a.opts.Limits.Commands
	if len(w.rep.Commands) >= lim {
		if len(w.rep.Commands) == lim {
			for _, f := range w.rep.Findings {
				if f.Code == CodeLimit {
					return len(w.rep.Commands)
				}
			}
			w.block(CodeLimit, c.Span, "there are more than %d commands", lim)
		}
		return len(w.rep.Commands)
	}
	w.rep.Commands = append(w.rep.Commands, *c)
	return len(w.rep.Commands)
}

// judged is what a description says about one argument list.
type judged struct {
	ok        bool
	effects   []Effect
	class     Class
	prefix    int
	exact     bool
	edits     bool
	say       string
	inner     []word   // a command that is run
	transp    bool     // the inner command is seen through by allow rules
	execs     [][]word // commands of find -exec
	away      bool     // they start in folders that are not known
	shells    []word   // texts of shell programs
	assigns   []Assignment
	assume    []Assumption
	globBelow bool   // a pattern may become a flag that makes it act on trees
	mixed     bool   // a flag was given that chooses no form
	replace   string // what xargs replaces in the inner command
	argv      []word
	names     bool // it prints nothing but names of what its effects reach
	nul       bool // they end with NUL; xargs: it splits at NUL
	other     bool // it prints something else
}

// run describes, records and follows one command.
func (w *walker) run(c *Command, argv []word, redirected []Effect) dirs {
	here := dirs{w.st.dir, w.st.dir}
	w.fed, w.input, w.output = w.input, nil, nil
	if len(argv) == 0 {
		return here
	}
	w.fill(c, argv)
	name := argv[0]
	if !name.Static || name.Glob {
		w.find(CodeDynamicCommand, Dangerous, true, name.Span, "which program runs is known only then: %s", escape(name.Text))
		c.Effects = append([]Effect{{Kind: Unknown, Dir: c.Dir, Span: c.Span}}, redirected...)
		w.add(c)
		return dirs{}
	}
	for i, a := range argv {
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
		return w.cd(c, argv, redirected)
	}
	var j judged
	if p != nil {
		args, start := argv, w.st.dir
		if p.names[0] == "git" {
			args = w.gitDir(c, argv)
		}
		w.judge(p, args, &j)
		w.st.dir = start
		w.special(p, argv, &j)
		c.Class, c.ExactOnly, c.Edits = j.class, j.exact, j.edits && j.ok
		c.Described = j.ok && trusted
		if c.Described && j.names && !j.other {
			w.output = feedOf(p, &j, len(w.rep.Commands)+1)
		}
		c.Summary = j.say
		if c.Effects == nil {
			c.Effects = j.effects
		} else {
			c.Effects = append(c.Effects, j.effects...)
		}
		c.Prefix = prefixOf(c.Plain[0], argv, j.prefix)
		if len(p.subs) > 0 && strings.Count(c.Prefix, " ") != j.prefix-1 {
			c.Prefix = "" // the name of the program alone is too much
		}
		if j.ok && trusted && plainGet(argv) {
			w.assume(AssumeNoProxy)
			n := 0
			for i := range c.Effects {
				if e := &c.Effects[i]; e.Kind == Connect {
					e.PlainGet, e.URL = true, w.literalURL(argv, n)
					n++
				}
			}
		}
		if j.ok && trusted {
			for _, as := range j.assume {
				w.assume(as)
				if as == AssumeGitConfig && !sameDir(c.Dir, Dir{Known: true, Paths: []string{"."}}) {
					w.find(CodeForeignRepository, Suspicious, true, c.Span, "git runs in another directory, whose configuration may run programs")
				}
			}
		}
		w.rebinding(name, argv)
	}
	if !c.Described {
		c.Effects = append(c.Effects, Effect{Kind: Unknown, Dir: c.Dir, Span: c.Span})
	}
	for _, a := range c.Assignments {
		if !a.Inert {
			c.Effects = append(c.Effects, Effect{Kind: Environment, Target: a.Name, Extent: Exact, Dir: c.Dir, Span: a.Value.Span})
		}
	}
	c.Effects = append(c.Effects, redirected...)
	c.Assignments = append(c.Assignments, j.assigns...)
	switch name.Text {
	case "read", "mapfile", "readarray", "getopts", "printf", "unset", "wait", "eval", ".", "source", "let", "local", "shift", "zparseopts", "vared":
		// printf only with -v, which is never described.
		if (name.Text != "printf" && name.Text != "read") || !c.Described {
			w.st.forget, w.st.vars = true, nil
		}
	}
	c.Effects = w.room.closeEffects(c.Effects)
	index := w.add(c)
	inside := w.follow(index, &j)
	switch name.Text {
	case "command", "builtin", "noglob", "nocorrect":
		if len(j.inner) > 0 {
			w.st.forget, w.st.vars = true, nil // it may be a builtin that assigns
			if w.d == Zsh || w.d == Any {
				return dirs{} // zsh's command runs no builtin, so not cd
			}
			return inside
		}
	case "eval", ".", "source", "-":
		return dirs{}
	}
	return here
}

// gitDir follows `git -C dir`, which is cd for this one command.
func (w *walker) gitDir(c *Command, argv []word) []word {
	if len(argv) < 4 || argv[1].Text != "-C" || !argv[1].Static || !argv[2].Static || argv[2].Glob || argv[2].Text == "" || argv[2].Text[0] == '-' {
		return argv
	}
	from := w.st.dir
	d := enterDir(from, argv[2].Text)
	w.st.dir, c.Dir = d, d
	c.Effects = append(c.Effects, Effect{Kind: List, Target: argv[2].Text, Extent: Exact, Dir: from, Span: argv[2].Span})
	return append([]word{argv[0]}, argv[3:]...)
}

// enterDir is where a change to the directory leads.
func enterDir(from Dir, to string) Dir {
	if strings.HasPrefix(to, "/") {
		return Dir{Known: true, Paths: []string{path.Clean(to)}}
	}
	if !from.Known {
		return Dir{}
	}
	out := Dir{Known: true}
	for _, p := range from.Paths {
		if q := path.Join(p, to); !slices.Contains(out.Paths, q) {
			out.Paths = append(out.Paths, q)
		}
	}
	return out
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

func splitFlag(src string) bool {
	return !(src[0] == '"' || src[0] == '\'') || src[0] != src[len(src)-1] || strings.Count(src, src[:1]) != 2
}

// textTail says that a flag is written plainly up to its value: -F',' or -n"5".
func textTail(src string) bool {
	i := 0
	for i < len(src) && (src[i] == '-' || src[i] >= 'a' && src[i] <= 'z' || src[i] >= 'A' && src[i] <= 'Z') {
		i++
	}
	return i == 2 && src[0] == '-' && src[1] != '-' && (src[i] == '"' || src[i] == '\'') && strings.Count(src, src[i:i+1]) == 2 && src[len(src)-1] == src[i]
}

// follow analyzes the commands and texts inside a command. It returns where
// the wrapped command, run by the shell itself, would leave the shell.
func (w *walker) follow(index int, j *judged) (inside dirs) {
	if len(j.inner) == 0 && len(j.execs) == 0 && len(j.shells) == 0 {
		return
	}
	parent, transp := w.parent, w.transp
	w.stdin = nil
	defer func() { w.parent, w.transp = parent, transp }()
	w.depth++
	defer func() { w.depth-- }()
	if w.depth > w.a.opts.Limits.Depth*3 {
		w.block(CodeLimit, Span{}, "commands nest too deeply to be judged")
		return
	}
	w.parent, w.transp = index, j.transp
	if len(j.inner) > 0 {
		w.isolated(func() { inside = w.run(&Command{Span: spanOf(j.inner)}, j.inner, nil) })
	}
	w.transp = false
	for _, e := range j.execs {
		if len(e) > 0 {
			w.isolated(func() {
				if j.away {
					w.st.dir = Dir{}
				}
				w.run(&Command{Span: spanOf(e)}, e, nil)
			})
		}
	}
	for _, t := range j.shells {
		if !t.Static || t.Glob {
			w.block(CodeIndirectExecution, t.Span, "the text of a shell program is known only when it runs")
			continue
		}
		s := t.Span
		d := w.d
		if d == Bash {
			d = Any // which shell it is depends on the machine
			if w.shellIs("bash", index) {
				d = Bash
			} else if !w.shellIs("zsh", index) {
				d = POSIX
			}
		}
		w.isolated(func() {
			w.st.vars = nil
			base := -1
			if w.outer == nil || w.base >= 0 {
				// Quoted once and without escapes, the text stands in the source as it is.
				for quote := 0; quote <= 1; quote++ {
					if a, z := s.Start+quote, s.End-quote; a <= z && w.rep.Source[a:z] == t.Text {
						base = a
						break
					}
				}
			}
			if !w.text(t.Text, d, &s, base) {
				w.block(CodeIndirectExecution, s, "the text of a shell program inside the command was not understood")
			}
		})
	}
	return inside
}

func (w *walker) shellIs(name string, index int) bool {
	if index < 1 || index > len(w.rep.Commands) {
		return false
	}
	return path.Base(w.rep.Commands[index-1].Argv[0].Text) == name
}

func spanOf(ws []word) Span {
	return Span{ws[0].Span.Start, max(ws[len(ws)-1].Span.End, ws[0].Span.End)}
}

// prefixOf is the beginning of plain that holds the first n words, as far as
// they are literal and no flags.
func prefixOf(plain string, argv []word, n int) string {
	end := 0
	for i := 0; i < n && i < len(argv); i++ {
		t := argv[i].Text
		if !argv[i].Static || argv[i].Glob || strings.HasPrefix(t, "-") || !prefixBytes.all(t) {
			break
		}
		if i > 0 {
			end++
		}
		end += len(t)
	}
	return plain[:end]
}

// byteSet is a set of bytes.
type byteSet [256]bool

// bytesBut is the set of all bytes that are not in s.
func bytesBut(s string) (set byteSet) {
	for c := range set {
		set[c] = strings.IndexByte(s, byte(c)) < 0
	}
	return set
}

// all says that s consists of bytes of the set.
func (set *byteSet) all(s string) bool {
	for i := range len(s) {
		if !set[s[i]] {
			return false
		}
	}
	return true
}

// prefixBytes are what the words of a saved rule's prefix may hold.
var prefixBytes = bytesBut(" \t\n*\"'$`\\")

// rebinding reports builtins that change what later names mean.
func (w *walker) rebinding(name word, argv []word) {
	switch name.Text {
	case "alias", "unalias", "enable", "shopt", "set", "trap":
		if len(argv) > 1 {
			switch {
			case name.Text == "set" && safeSet(argv[1:]):
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

// declared looks at what the grammar does not take for assignments after
// declare and its like. Quoted, the builtin reads NAME[SUBSCRIPT]=VALUE out of
// it, and the shell runs code in a subscript. With -i or -n it runs code in what
// the variable gets, then and later.
func (w *walker) declared(at Span, args []word) {
	for _, a := range args {
		text := a.Text
		if !a.Static {
			text = a.guessed().prefix
		}
		if a.Static && len(text) > 1 && (text[0] == '-' || text[0] == '+') {
			if strings.Trim(text[1:], "aAgprxfFtlu-") != "" {
				w.block(CodeArithmetic, at, "this flag of a declaration makes the shell evaluate what variables get, in which it may run code")
				return
			}
			continue
		}
		if name, _, assigns := strings.Cut(text, "="); strings.ContainsAny(name, "[{") || !a.Static && !assigns { // braces become several words
			w.block(CodeArithmetic, at, "a declaration evaluates a subscript, in which a shell may run code")
			return
		}
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

// cd follows a change of directory.
func (w *walker) cd(c *Command, argv []word, redirected []Effect) dirs {
	before := w.st.dir
	c.Class, c.Prefix, c.Summary = Plain, argv[0].Text, "goes back to the folder before"
	if len(argv) == 1 && argv[0].Text == "cd" {
		c.Summary = "goes"
	}
	if argv[0].Text != "popd" && len(argv) > 1 {
		c.Summary = "goes"
		if argv[1].Text == "-" {
			c.Summary = "goes back to the folder before"
		}
	}
	args := argv[1:]
	for len(args) > 0 && args[0].Static && (args[0].Text == "-L" || args[0].Text == "-P" || args[0].Text == "--") {
		if args[0].Text == "-P" {
			before = Dir{}
		}
		args = args[1:]
	}
	target, known := "", false
	switch {
	case argv[0].Text == "popd" && len(args) == 0:
		c.Described = true // back to where nothing in this text tells
	case argv[0].Text == "popd" || len(args) > 1 || argv[0].Text == "pushd" && (len(args) == 0 || strings.HasPrefix(args[0].Text, "+")):
	case len(args) == 0:
		home := w.get("HOME")
		target, known = home.text, home.known && strings.HasPrefix(home.text, "/")
		c.Described = true
	case args[0].Static && !args[0].Glob && args[0].Text != "-" && args[0].Text != "" && !strings.HasPrefix(args[0].Text, "-"):
		target, known = args[0].Text, true
		c.Described = true
	case !args[0].mayBeFlag(), args[0].lead == '/': // several words are an error
		c.Described = true
	}
	after := Dir{}
	e := Effect{Kind: List, Dir: c.Dir, Span: c.Span}
	if known {
		e.Target, e.Extent = target, Exact
		if !strings.HasPrefix(target, "/") && !strings.HasPrefix(target, ".") {
			w.assume(AssumeNoCDPATH)
		}
		after = enterDir(before, target)
	}
	c.Effects = append([]Effect{e}, redirected...)
	if !c.Described {
		c.Effects = append(c.Effects, Effect{Kind: Unknown, Dir: c.Dir, Span: c.Span})
	}
	for _, a := range c.Assignments {
		if !a.Inert {
			c.Effects = append(c.Effects, Effect{Kind: Environment, Target: a.Name, Extent: Exact, Span: a.Value.Span})
			after = Dir{}
		}
	}
	w.add(c)
	return dirs{after, w.st.dir}
}

func onlyHelp(a word) bool { return a.Static && !a.Glob && a.Text == "--help" }

// judge applies a description to an argument list.
func (w *walker) judge(p *program, argv []word, j *judged) {
	j.ok, j.class, j.say, j.argv, j.effects = true, p.class, p.say, argv, w.room.openEffects()
	args := argv[1:]
	words := 1 // words that a prefix may hold
	if p.reader != 0 {
		j.prefix = max(p.prefix, 0)
		if p.prefix < 0 {
			j.prefix = 1
		}
		w.reader(p, args, j)
		w.fixed(&p.form, nil, j, argv)
		return
	}
	if p.help && len(args) == 1 && onlyHelp(args[0]) {
		j.class, j.say, j.prefix = Plain, "explains itself", 1
		return
	}
	operands, mode, command, ok := w.flags(p, args, j, len(p.subs) > 0)
	j.ok = ok && !(p.argFiles && slices.ContainsFunc(args, word.mayNameArguments))
	base := p
	if len(p.subs) > 0 && mode == "" && len(operands) > 0 {
		name := operands[0]
		var sub *program
		if name.Static && !name.Glob {
			if len(operands) > 1 && operands[1].Static {
				if sub = p.subs[name.Text+" "+operands[1].Text]; sub != nil {
					words, operands = 3, operands[2:]
				}
			}
			if sub == nil {
				if sub = p.subs[name.Text]; sub != nil {
					words, operands = 2, operands[1:]
				}
				if sub != nil && sub.group {
					rest, m, _, fine := w.flags(sub, operands, j, true)
					if len(rest) > 0 && rest[0].Static {
						if inner := p.subs[name.Text+" "+rest[0].Text]; inner != nil {
							sub, words, operands, j.ok = inner, 3, rest[1:], j.ok && fine && m == ""
						}
					}
				}
			}
		}
		if sub == nil {
			if len(p.form.operands) == 0 {
				j.ok = false
				j.prefix = 2
				if p.prefix >= 0 {
					j.prefix = p.prefix
				}
				return
			}
		} else {
			p = sub
			j.class = p.class
			j.assume = append(j.assume, base.assume...)
			if base.help && len(operands) == 1 && onlyHelp(operands[0]) {
				j.class, j.say, j.prefix = Plain, "explains itself", words
				return
			}
			var ok bool
			operands, mode, command, ok = w.flags(p, operands, j, false)
			j.ok = j.ok && ok
		}
	}
	if len(p.subs) > 0 && mode == "" && len(operands) == 0 && p.bare == nil {
		j.ok = false
	}
	f := &p.form
	if chosen := p.forms[mode]; mode != "" && chosen != nil {
		f = chosen
	} else if len(operands) > 0 && p.withOperands != nil {
		f = p.withOperands
	} else if len(operands) == 0 && len(command) == 0 && p.bare != nil {
		f = p.bare
	}
	if f.kind != 0 {
		j.class = f.kind
	}
	if f.alone && j.mixed {
		j.ok = false
	}
	j.exact, j.edits = f.exact || p.exact, f.edits
	j.names = j.names || f.prints || p.prints
	j.assume = append(j.assume, p.assume...)
	if f != &p.form {
		j.assume = append(j.assume, f.assume...)
	}
	j.prefix = words
	switch {
	case f.prefix >= 0:
		j.prefix = f.prefix
	case p.prefix >= 0:
		j.prefix = p.prefix
	case j.class != Plain && j.class != Runner:
		j.prefix = 0
	}
	if p.say != "" {
		j.say = p.say
	}
	if f.say != "" {
		j.say = f.say
	}
	w.operands(p, f, operands, command, j)
	if base.names[0] == "xargs" && len(args) > 0 && strings.HasPrefix(args[0].Text, "-") {
		j.transp = false // allow rules look through bare xargs only
	}
	w.fixed(f, operands, j, argv)
	if f.own {
		for i := range j.effects {
			j.effects[i].Own = true
		}
	}
}

// cluster says whether the word is nothing but described flags of one letter
// without values.
func (p *program) cluster(t string) bool {
	if len(t) < 2 || t[0] != '-' {
		return false
	}
	for i := 1; i < len(t); i++ {
		if s := p.letter(t[i]); s == nil || s.value.kind != vNone {
			return false
		}
	}
	return true
}

// flags separates flags from operands. subs: stop at the first operand, which
// names a sub-command.
func (w *walker) flags(p *program, args []word, j *judged, subs bool) (operands []word, mode string, command []word, ok bool) {
	ok = true
	operands = take(&w.room.argv, len(args))
	f := &p.form
	if f.words {
		n := 0
		for n < len(args) && args[n].Static && p.cluster(args[n].Text) {
			n++
		}
		return append(operands, args[n:]...), "", nil, true
	}
	at := -1 // the operand at which a command begins
	for i, o := range f.operands {
		if o.kind == vCommand {
			at = i
		}
	}
	setMode := func(s *flagSpec) {
		if s.first && len(operands) > 0 {
			ok = false // an operand to the program, which does what it does without the flag
		}
		j.names, j.nul, j.other = j.names || s.names, j.nul || s.nul, j.other || s.other
		j.mixed = j.mixed || s.mode == ""
		if s.mode != "" {
			switch {
			case mode == "" || mode == s.mode:
				mode = s.mode
			case p.forms[mode+"+"+s.mode] != nil:
				mode += "+" + s.mode
			case p.forms[s.mode+"+"+mode] != nil:
				mode = s.mode + "+" + mode
			case slices.Contains(strings.Split(mode, "+"), s.mode):
			default:
				ok = false
			}
		}
	}
	for i := 0; i < len(args); i++ {
		a := args[i]
		if at >= 0 && len(operands) == at && !(a.Static && strings.HasPrefix(a.Text, "-") && a.Text != "-") {
			// NAME=VALUE operands before the command are matched by count.
			return operands, mode, args[i:], ok
		}
		if !a.Static || a.Glob {
			if s, v := longFlag(p, a); s != nil && (!a.fields || a.Glob && a.Static || f.globOK) {
				setMode(s)
				ok = w.useValue(s.value, v, j) && ok
				continue
			}
			switch {
			case f.globBelow && a.Static && a.lead == leadName:
				j.globBelow = true
			case a.lead == '-' || a.mayBeFlag() && !f.globOK && !a.proc:
				ok = false
			}
			operands = append(operands, a)
			if subs || f.posix {
				return append(operands, args[i+1:]...), mode, nil, ok
			}
			continue
		}
		t := a.Text
		if t == "--" {
			if at >= 0 {
				rest := args[i+1:]
				n := min(at-len(operands), len(rest))
				if n < 0 {
					// More operands than stand before a command.
					return append(operands, rest...), mode, nil, false
				}
				return append(operands, rest[:n]...), mode, rest[n:], ok
			}
			return append(operands, args[i+1:]...), mode, nil, ok
		}
		if len(t) < 2 || t[0] != '-' && !(t[0] == '+' && p.flags[t] != nil) {
			operands = append(operands, a)
			if subs || f.posix {
				return append(operands, args[i+1:]...), mode, nil, ok
			}
			continue
		}
		name, val, has := strings.Cut(t, "=")
		if has {
			if s := p.flags[t]; s != nil { // described with this value alone
				setMode(s)
				ok = ok && s.value.kind != vRefuse
				continue
			}
		}
		if s := p.flag(name); s != nil && (len(name) > 2 || !has) {
			setMode(s)
			switch {
			case s.value.kind == vRefuse:
				ok = false
			case s.value.kind == vPair:
				if has || i+2 >= len(args) || args[i+1].fields || args[i+2].fields {
					ok = false
				}
				i += 2
			case !s.takes:
				if has {
					ok = false
				}
			case has:
				v := a
				v.Text = val
				ok = w.useValue(s.value, v, j) && ok
			case s.optional:
			case i+1 < len(args):
				i++
				if args[i].fields && !f.globOK || flagLike(s, args[i]) {
					ok = false
				}
				ok = w.useValue(s.value, args[i], j) && ok
			default:
				ok = false
			}
			continue
		}
		if p.number && t[0] == '-' {
			if s := p.flags["-NUM"]; s != nil && isInteger(t) {
				setMode(s)
				continue
			}
			if n := len(t) - 1; n > 1 && p.flags["-NUM"+t[n:]] != nil && isInteger(t[:n]) {
				j.mixed = true
				continue
			}
		}
		if strings.HasPrefix(t, "--") || t[0] == '+' {
			ok = false
			continue
		}
		// A cluster of short flags.
		for k := 1; k < len(t); k++ {
			s := p.letter(t[k])
			if s == nil || s.value.kind == vRefuse {
				ok = false
				break
			}
			setMode(s)
			if !s.takes {
				continue
			}
			if k+1 < len(t) {
				v := a
				v.Text = t[k+1:]
				if v.Text[0] == '=' && s.value.kind != vText && s.value.kind != vPattern && s.value.kind != vLiteral {
					ok = false // -o=f is f to some programs and =f to others
				}
				ok = w.useValue(s.value, v, j) && ok
			} else if !s.optional {
				if i+1 >= len(args) {
					ok = false
					break
				}
				i++
				if args[i].fields && !f.globOK || flagLike(s, args[i]) {
					ok = false
				}
				ok = w.useValue(s.value, args[i], j) && ok
			}
			break
		}
	}
	return operands, mode, nil, ok
}

// longFlag finds the flag of a word --name=VALUE in which only the value is not
// known, or is a pattern: whatever names the pattern matches begin alike.
func longFlag(p *program, a word) (*flagSpec, word) {
	known := a.guessed().prefix
	if a.Static {
		known = a.Text
		if i := strings.IndexAny(known, "*?[\\"); i >= 0 {
			known = known[:i]
		}
	}
	name, _, has := strings.Cut(known, "=")
	s := p.flags[name]
	if !has || !strings.HasPrefix(name, "--") || s == nil || !s.takes {
		return nil, a
	}
	v := a
	v.Static, v.lead = false, 0
	return s, v
}

// flagLike says that the separate value of a flag looks like a flag itself. A
// program that takes no such value would read it as one: git log knows only
// --format=X, so that `git log --format --output=f` writes f before it fails.
func flagLike(s *flagSpec, v word) bool {
	if s.value.kind == vPattern || len(v.Text) < 2 || v.Text[0] != '-' || isInteger(v.Text) {
		return false
	}
	c := v.Text[1]
	return c == '-' || c == '"' || c == '\'' || c == '$' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// operands matches operands against the form.
func (w *walker) operands(p *program, f *form, ops, command []word, j *judged) {
	specs := f.operands
	if n := len(specs); len(command) > 0 && (n == 0 || specs[n-1].kind != vCommand) {
		ops, command = append(ops, command...), nil
	}
	if len(command) > 0 {
		n := len(specs) - 1
		if n < 0 || specs[n].kind != vCommand {
			j.ok = false
			return
		}
		for i, o := range ops {
			if i < n {
				j.ok = w.useValue(specs[i].valueSpec, o, j) && j.ok
			}
		}
		if len(ops) < n {
			j.ok = false
		}
		w.inner(p, j.argv[1:len(j.argv)-len(command)], command, j)
		return
	}
	if len(specs) == 0 {
		if len(ops) > 0 {
			j.ok = false
		}
		return
	}
	repeat, required := -1, 0
	for i, s := range specs {
		if s.repeat {
			repeat = i
		}
		if !s.optional {
			required++
		}
	}
	many := false
	for _, o := range ops {
		many = many || o.fields
	}
	if len(ops) < required && !many || repeat < 0 && len(ops) > len(specs) || many && repeat < 0 {
		j.ok = false
	}
	tail := 0
	if repeat >= 0 {
		tail = len(specs) - 1 - repeat
	}
	for i, o := range ops {
		var s operandSpec
		switch {
		case repeat < 0:
			if i >= len(specs) {
				return
			}
			s = specs[i]
		case i < repeat:
			s = specs[i]
		case i >= len(ops)-tail:
			s = specs[len(specs)-(len(ops)-i)]
		default:
			s = specs[repeat]
		}
		if o.fields && repeat >= 0 && !s.repeat {
			j.ok = false // it may be several operands, and they shift
		}
		j.ok = w.useValue(s.valueSpec, o, j) && j.ok
	}
}

// useValue adds what a flag's value or an operand stands for.
func (w *walker) useValue(v valueSpec, o word, j *judged) bool {
	switch v.kind {
	case vText, vPattern:
		return true
	case vNumber:
		return !o.Static || number(o.Text)
	case vPlus:
		return o.Static && strings.HasPrefix(o.Text, "+")
	case vPath:
		return w.usePath(v, o, j)
	case vHost:
		e := Effect{Kind: Connect, Dir: w.st.dir, Span: o.Span}
		if o.Static && !o.Glob {
			e.Target, e.Extent = o.Text, Exact
		}
		j.effects = append(j.effects, e)
		return true
	case vURL:
		e := Effect{Kind: Connect, Dir: w.st.dir, Span: o.Span}
		if o.Static && !o.Glob {
			e.Target, e.Port = hostOf(o.Text)
			if e.Target != "" {
				e.Extent = Exact
			}
		}
		j.effects = append(j.effects, e)
		return true
	case vEnvName:
		switch o.Text {
		case "PATH", "HOME", "USER", "SHELL", "PWD", "LANG", "TERM", "TZ", "LOGNAME", "HOSTNAME", "EDITOR", "GOPATH", "GOROOT", "VIRTUAL_ENV", "JAVA_HOME":
			return o.Static
		}
		j.effects = append(j.effects, Effect{Kind: Environment, Target: o.Text, Extent: Exact, Dir: w.st.dir, Span: o.Span})
		return true
	case vLiteral:
		return o.Static && !o.Glob
	case vVarName:
		if !o.Static || o.Glob {
			return false
		}
		w.set(o.Text, value{})
		if !w.safeName(o.Text) {
			j.effects = append(j.effects, Effect{Kind: Environment, Target: o.Text, Extent: Exact, Dir: w.st.dir, Span: o.Span})
		}
		return strings.IndexByte(o.Text, '[') < 0
	case vGitObject:
		w.gitObject(o, j)
		return true
	case vFormat:
		return o.Static && !checksSignature(o.Text)
	case vGitKey:
		// Of the words that git config takes instead of the name of a setting
		// (edit, from 2.46) none has a dot.
		return o.Static && !o.Glob && strings.IndexByte(o.Text, '.') > 0
	case vComposeFile:
		// Anything else may be the address of a repository or an image.
		return o.Static && !o.Glob && o.Text != "-" && !strings.ContainsAny(o.Text, ":#") && !strings.HasPrefix(o.Text, "github.com/") &&
			w.usePath(valueSpec{kind: vPath, effect: Read, extent: Exact}, o, j)
	case vGitSort:
		return o.Static && !strings.Contains(o.Text, "signature")
	case vKubeOutput:
		// go-template-file, jsonpath-file, custom-columns-file and templatefile
		// print what is in a file.
		name, _, _ := strings.Cut(o.Text, "=")
		return o.Static && !strings.Contains(name, "file")
	case vRevision:
		switch o.Text {
		case "expire", "delete", "drop", "write":
			return false
		}
		return o.Static
	case vUpload:
		file, at := strings.CutPrefix(o.Text, "@")
		if _, v, ok := strings.Cut(o.Text, "=@"); ok && !at {
			file, at = v, true
		} else if _, v, ok := strings.Cut(o.Text, "=<"); ok && !at {
			file, at = v, true
		}
		switch {
		case !o.Static:
			if strings.Contains(o.Text, "@") || o.lead == 0 {
				j.effects = append(j.effects, Effect{Kind: Read, Dir: w.st.dir, Span: o.Span})
			}
		case at && file != "-":
			file, _, _ = strings.Cut(file, ";")
			return w.usePath(valueSpec{vPath, Read, Exact}, word{Word: Word{Text: file, Static: true, Span: o.Span}}, j)
		}
		return true
	case vSetOption:
		switch o.Text {
		case "errexit", "nounset", "pipefail", "errtrace", "functrace", "noclobber":
			return o.Static
		}
		return false
	case vPSLetters:
		return o.Static && strings.Trim(strings.TrimSuffix(o.Text, "o"), "auxfwlj") == "" // o: the columns follow
	case vPSFormat:
		return o.Static && psColumns(o.Text)
	case vSysctlName:
		return o.Static && strings.Contains(o.Text, ".") && !strings.ContainsAny(o.Text, "=/")
	case vLocalFile:
		return o.isLocalFile() &&
			w.usePath(valueSpec{kind: vPath, effect: Read, extent: Exact}, o, j)
	case vAwkFile:
		if o.Static && !o.Glob && awkAssignment(o.Text) {
			return true
		}
		return !mayBeInet(o) && w.usePath(valueSpec{kind: vPath, effect: Read, extent: Exact}, o, j)
	case vInet:
		like := o.guessed().like // :$port
		return (o.Static && !o.Glob || like != "") && socketFilter(cmp.Or(like, o.Text))
	case vSSFilter:
		return o.Static && !o.Glob && ssFilter(o.Text)
	case vUsedFile:
		return o.Static && !o.Glob && !strings.Contains(o.Text, ",") &&
			w.usePath(valueSpec{kind: vPath, effect: List, extent: Exact}, o, j)
	case vPrintf:
		return w.printfFormat(o, j)
	case vDD:
		return w.ddOperand(o, j)
	case vZipFile:
		// unzip looks for NAME.zip where there is no NAME, and takes patterns (unzip(1)).
		if !o.Static || o.Glob || o.Text == "-" || strings.ContainsAny(o.Text, "*?[") {
			return false
		}
		read := valueSpec{kind: vPath, effect: Read, extent: Exact}
		switch path.Ext(o.Text) {
		case ".zip", ".jar", ".war", ".ear", ".aar", ".apk", ".ipa", ".whl", ".egg", ".epub", ".docx", ".xlsx", ".pptx", ".odt", ".xpi", ".crx", ".vsix", ".nupkg":
		default:
			for _, ext := range []string{".zip", ".ZIP"} {
				named := o
				named.Text += ext
				w.usePath(read, named, j)
			}
		}
		return w.usePath(read, o, j)
	case vOutput:
		return o.Static && o.Text == "-" || w.usePath(valueSpec{kind: vPath, effect: Write, extent: Exact}, o, j)
	case vReplace:
		j.replace = o.Text
		return o.Static && o.Text != ""
	case vShell:
		j.shells = append(j.shells, o)
		return true
	case vSed:
		like := o.guessed().like
		return (o.Static && !o.Glob || like != "") && sedOnlyPrints(cmp.Or(like, o.Text))
	case vAwk:
		like := o.guessed().like
		return (o.Static && !o.Glob || like != "") && awkOnlyPrints(cmp.Or(like, o.Text))
	case vJq:
		return o.Static && !o.Glob && jqOnlyReads(o.Text)
	case vAssign:
		name, val, _ := strings.Cut(o.Text, "=")
		if !o.Static {
			name = ""
		}
		vw := o
		vw.Text = val
		a := Assignment{Name: name, Value: vw.Word, Inert: inertAssign(name, vw)}
		j.assigns = append(j.assigns, a)
		if !a.Inert {
			e := Effect{Kind: Environment, Target: name, Dir: w.st.dir, Span: o.Span}
			if name != "" {
				e.Extent = Exact
			}
			j.effects = append(j.effects, e)
		}
		return true
	}
	return false
}

// gitObject adds what an operand reads that may be a revision, REVISION:PATH,
// :PATH (the index) or a path. Paths in the working tree are covered by the
// effects of the sub-command; those that lead out of it are not (git diff shows
// any two files when one of them lies outside: git-diff(1), --no-index).
func (w *walker) gitObject(o word, j *judged) {
	read := func(target string) {
		j.effects = append(j.effects, Effect{Kind: Read, Target: target, Extent: Tree, Dir: w.st.dir, Span: o.Span})
	}
	if !o.Static {
		if o.lead == '/' || o.lead == 0 || o.lead == '.' || o.lead == leadObject {
			j.effects = append(j.effects, Effect{Kind: Read, Dir: w.st.dir, Span: o.Span})
		}
		return
	}
	t := o.Text
	for i := strings.IndexByte(t, ':'); i >= 0; {
		file := strings.TrimPrefix(t[i+1:], "./")
		if len(file) > 2 && (file[0] >= '0' && file[0] <= '3') && file[1] == ':' {
			file = file[2:]
		}
		if file != "" && file[0] != '/' && file[0] != '(' && file[0] != '!' && file[0] != '^' {
			read(file)
		}
		next := strings.IndexByte(t[i+1:], ':')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	if clean := path.Clean(t); strings.HasPrefix(clean, "/") || clean == ".." || strings.HasPrefix(clean, "../") {
		read(clean)
	}
}

// checksSignature says that a git format starts the program that verifies
// signatures: %G? and its like, which a sign may precede (%+G?, git-log(1)), and
// the field signature of references.
func checksSignature(format string) bool {
	for rest := format; ; {
		_, after, found := strings.Cut(rest, "%")
		if !found {
			return strings.Contains(format, "%(signature") || strings.Contains(format, "%(*signature")
		}
		if strings.HasPrefix(strings.TrimLeft(after, "+- "), "G") {
			return true
		}
		rest = after
	}
}

func number(s string) bool {
	s = strings.TrimLeft(s, "+-")
	if s == "" || len(s) > 20 {
		return false
	}
	if hex, ok := strings.CutPrefix(s, "0x"); ok {
		return hex != "" && strings.Trim(hex, "0123456789abcdefABCDEF") == ""
	}
	digits := 0
	for digits < len(s) && (s[digits] >= '0' && s[digits] <= '9' || s[digits] == '.' || s[digits] == ',') {
		digits++
	}
	return digits > 0 && len(s)-digits <= 3 && strings.Trim(s[digits:], "bcwkKmMgGtTpPiBshd") == "" || s == "inf" || s == "infinity"
}

// usePath adds the effect on a path.
func (w *walker) usePath(v valueSpec, o word, j *judged) bool {
	if o.proc && (v.effect == Read || v.effect == List || v.effect == Write) {
		return true
	}
	if o.Static && o.Text == "-" && (v.effect == Read || v.effect == List) {
		return true
	}
	e := Effect{Kind: v.effect, Extent: v.extent, Dir: w.st.dir, Span: o.Span}
	switch {
	case o.Static && !o.Glob:
		e.Target = o.Text
		if o.Text == "" {
			return false
		}
		if v.extent == Within {
			// The target itself, where it is no directory.
			x := e
			x.Extent = Exact
			j.effects = append(j.effects, x)
		}
	case o.Static && o.Glob:
		e.Target = o.Text
		switch {
		case v.extent == Exact, e.Kind == List:
			e.Extent, e.Below = Glob, j.globBelow && e.Kind == Delete
		case e.Kind == Delete || e.Kind == Change:
			e.Extent, e.Below = Glob, true
		default:
			// Everything below the folder in which the pattern begins.
			e.Target, e.Extent = globBase(o.Text), Tree
		}
	case o.guess != nil && len(o.guess.one) > 0:
		for _, item := range o.guess.one {
			item.Span = o.Span
			if !w.usePath(v, word{Word: item}, j) {
				return false
			}
		}
		return true
	case o.guess != nil && len(o.guess.below) > 0:
		for _, p := range o.guess.below {
			if e.Target, e.Extent = p.Target, p.Extent; e.Extent == Glob {
				e.Target, e.Extent = globBase(p.Target), Tree
			}
			if e.Kind != Read && e.Kind != List && e.Extent == Tree {
				e.Extent = Within // what find finds below
			}
			if e.Listed = 0; o.guess.feed != nil {
				e.Plain = !o.guess.feed.nul
				if v.extent == Exact { // one that goes on below a folder reads what was not named
					e.Listed = o.guess.feed.command
				}
			}
			j.effects = append(j.effects, e)
		}
		return true
	default:
		e.Extent = Anywhere
		if e.Kind == Read && (strings.Contains(o.Text, "proc") || strings.Contains(o.Text, "environ")) {
			j.effects = append(j.effects, Effect{Kind: Environment, Dir: e.Dir, Span: o.Span})
		}
	}
	if e.Kind == Write && e.Extent == Exact && e.Target == "/dev/null" {
		return true
	}
	j.effects = append(j.effects, e)
	return true
}

// globBase is the folder in which the names that a pattern matches lie.
func globBase(pattern string) string {
	if i := strings.IndexAny(pattern, "*?[\\"); i >= 0 {
		pattern = pattern[:i]
	}
	switch i := strings.LastIndexByte(pattern, '/'); {
	case i > 0:
		return pattern[:i]
	case i == 0:
		return "/"
	}
	return "."
}

// fixed adds the effects that a form always has.
func (w *walker) fixed(f *form, operands []word, j *judged, argv []word) {
	if len(f.effects) == 0 {
		return
	}
	named := false
	for i := range j.effects {
		k := j.effects[i].Kind
		named = named || k == Read || k == List
	}
	for i := range f.effects {
		fe := &f.effects[i]
		switch {
		case fe.instead && named || len(operands) < fe.least:
		case fe.operand == 0:
			j.effects = append(j.effects, Effect{Kind: fe.kind, Extent: fe.extent, Target: fe.target, Own: fe.own, Dir: w.st.dir, Span: Span{argv[0].Span.Start, argv[len(argv)-1].Span.End}})
		case fe.operand == allOperands:
			for _, o := range operands {
				w.usePath(valueSpec{vPath, fe.kind, fe.extent}, o, j)
			}
		case fe.operand <= len(operands):
			w.usePath(valueSpec{vPath, fe.kind, fe.extent}, operands[fe.operand-1], j)
		}
	}
}

// inner prepares the command that a wrapper runs; before are the words between
// the two names.
func (w *walker) inner(p *program, before, command []word, j *judged) {
	name := p.names[0]
	switch name {
	case "timeout", "time", "nice", "nohup", "stdbuf", "command", "builtin", "noglob":
		j.transp = true
	case "env":
		for len(command) > 0 && command[0].Static && strings.Contains(command[0].Text, "=") {
			w.useValue(valueSpec{kind: vAssign}, command[0], j)
			command = command[1:]
		}
		if len(command) == 0 {
			j.effects = append(j.effects, Effect{Kind: Environment, Dir: w.st.dir})
		}
	case "xargs":
		if j.replace != "" {
			command = slices.Clone(command)
			for i := range command {
				if command[i].Static && command[i].Text == j.replace {
					command[i] = w.fedWord(before, j.nul, false, command[i].Span)
				} else if strings.Contains(command[i].Text, j.replace) {
					command[i].Static, command[i].lead = false, 0
					if t := command[i].Text; !strings.HasPrefix(t, j.replace) {
						command[i].lead = t[0]
					}
				}
			}
			break
		}
		j.transp = true
		command = append(append([]word{}, command...), w.fedWord(before, j.nul, true, command[len(command)-1].Span))
	}
	j.inner = command
}

func hostOf(u string) (host string, port int) {
	rest := u
	if i := strings.Index(rest, "://"); i >= 0 {
		rest = rest[i+3:]
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	if strings.ContainsAny(rest, "{}[]*\\ ") {
		return "", 0
	}
	if h, p, ok := strings.Cut(rest, ":"); ok {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 || n > 65535 {
			return "", 0
		}
		return strings.ToLower(h), n
	}
	return strings.ToLower(rest), 0
}

// psColumns says whether the text names only columns of ps that tell of a
// process without its environment (procps-ng 4, macOS).
func psColumns(text string) bool {
	for _, c := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		name, _, _ := strings.Cut(c, "=")
		name, _, _ = strings.Cut(name, ":")
		switch name {
		case "pid", "ppid", "pgid", "pgrp", "sid", "sess", "tid", "lwp", "spid", "nlwp", "thcount", "tgid", "tpgid",
			"user", "euser", "ruser", "suser", "uid", "euid", "ruid", "uname", "group", "egroup", "gid", "egid", "rgid", "rgroup",
			"comm", "ucmd", "ucomm", "cmd", "args", "command", "exe", "fname",
			"%cpu", "pcpu", "c", "cp", "%mem", "pmem", "rss", "rssize", "rsz", "vsz", "vsize", "size", "sz", "drs", "trs", "pss", "uss",
			"stat", "state", "s", "pri", "ni", "nice", "cls", "class", "rtprio", "policy", "psr", "wchan", "flags", "f",
			"start", "lstart", "bsdstart", "start_time", "stime", "etime", "etimes", "time", "bsdtime", "cputime", "cputimes", "times",
			"tty", "tt", "tname", "maj_flt", "min_flt", "cgroup", "label", "unit", "slice", "numa":
		default:
			return false
		}
	}
	return true
}
