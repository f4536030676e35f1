package bashcheck

import (
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

// integerAssign says that the assignment leaves a number whatever else holds.
func integerAssign(a *syntax.Assign) bool {
	if a.Append || a.Index != nil || a.Array != nil || a.Value == nil {
		return false
	}
	if isInteger(a.Value.Lit()) {
		return true
	}
	if len(a.Value.Parts) != 1 {
		return false
	}
	_, ok := a.Value.Parts[0].(*syntax.ArithmExp)
	return ok
}

// commonName lists names that scripts use for themselves and that no described
// program reads from its environment.
func commonName(w string) bool {
	switch w {
	case "DIR", "FILE", "FILES", "DIRS", "NAME", "NAMES", "SRC", "DST", "DEST", "OUT", "OUTPUT", "RESULT", "RESULTS", "COUNT", "TOTAL", "SUM",
		"LINE", "MSG", "MESSAGE", "BRANCH", "COMMIT", "SHA", "REV", "REF", "VERSION", "VER", "URL", "PATTERN", "QUERY", "NUM", "IDX", "INDEX",
		"START", "END", "FIRST", "LAST", "BASE", "PKG", "MOD", "MODULE", "ITEM", "KEY", "VAL", "VALUE", "ARG", "ARGS", "dir", "file", "files",
		"dirs", "name", "names", "src", "dst", "dest", "out", "output", "result", "results", "count", "total", "sum", "line", "msg", "message",
		"branch", "commit", "sha", "rev", "ref", "version", "ver", "url", "pattern", "query", "num", "idx", "index", "start", "end", "first",
		"last", "base", "pkg", "mod", "module", "item", "key", "val", "value", "arg", "args", "word", "words", "text", "size", "ext", "tmp", "id",
		"ok", "rc", "ret":
		return true
	}
	return false
}

func (w *walker) safeName(name string) bool {
	if w.d == Zsh || w.d == Any {
		return len(name) == 1 && plainName(name) && name != "_" || commonName(name)
	}
	return safeName(name)
}

// safeName says that assigning the variable changes no program's behaviour:
// it is one letter, one of the common names or, in bash and POSIX shells, which
// give them no meaning, a name without capitals. Proxies are the variables in
// small letters that programs do read.
func safeName(name string) bool {
	if name == "_" { // the shell sets it again after each command
		return true
	}
	if len(name) == 1 {
		return name[0] >= 'a' && name[0] <= 'z' || name[0] >= 'A' && name[0] <= 'Z'
	}
	if commonName(name) {
		return true
	}
	if name == "" || name == "histchars" || name == "auto_resume" || strings.HasSuffix(name, "_proxy") || name[0] == '_' {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !(c >= 'a' && c <= 'z' || i > 0 && (c == '_' || c >= '0' && c <= '9')) {
			return false
		}
	}
	return true
}

// assignName reports the assignment of a variable that may matter to programs.
func (w *walker) assignName(name string, s Span) {
	if !w.safeName(name) && !inertName(name) {
		w.rep.Loose = append(w.rep.Loose, Effect{Kind: Environment, Target: name, Extent: Exact, ByShell: true, Dir: w.st.dir, Span: s})
	}
}

func inertName(name string) bool {
	switch name {
	case "LANG", "LC_ALL", "TZ", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "TERM", "COLUMNS", "LINES", "CI", "GREP_COLORS",
		"LC_CTYPE", "LC_COLLATE", "LC_MESSAGES", "LC_NUMERIC", "LC_TIME", "LC_MONETARY", "LC_PAPER", "LC_NAME", "LC_ADDRESS", "LC_TELEPHONE", "LC_MEASUREMENT", "LC_IDENTIFICATION":
		return true
	}
	return false
}

// inertAssign says that NAME=VALUE is one of those that are known to change
// no more than language, colours or paging.
func inertAssign(name string, v word) bool {
	if !v.Static || v.Glob {
		return false
	}
	switch name + "=" + v.Text {
	case "GIT_PAGER=cat", "PAGER=cat", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "MANPAGER=cat":
		return true
	}
	if !inertName(name) {
		return false
	}
	folder := name == "TZ" && !strings.HasPrefix(v.Text, "/") && !strings.ContainsAny(v.Text, ".:") // Europe/Rome, below the system's folder of time zones
	for i := range len(v.Text) {
		if c := v.Text[i]; !(folder && c == '/' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_.,:+@=-", c) >= 0) {
			return false
		}
	}
	return true
}

// assigns handles NAME=VALUE. alone says that no command follows.
func (w *walker) assigns(list []*syntax.Assign, alone bool) []Assignment {
	var out []Assignment
	for _, a := range list {
		if a.Name == nil {
			w.block(CodeUnsupported, w.nodeSpan(a), "this assignment is not understood")
			continue
		}
		name := a.Name.Value
		if !plainName(name) { // ./x=[ is a program to the shell, and an assignment to the parser
			w.block(CodeHiddenByParser, w.nodeSpan(a), "to the shell this is the name of a program, and no assignment: %s", escape(name))
		}
		if a.Index != nil {
			w.arithm(a.Index)
		}
		var v word
		v.Static = true
		if a.Value != nil {
			v = w.value(a.Value)
		}
		if a.Array != nil {
			v = word{Word: Word{Text: w.src[a.Array.Pos().Offset():a.Array.End().Offset()], Span: w.nodeSpan(a.Array)}}
			for _, e := range a.Array.Elems {
				if e.Index != nil {
					w.arithm(e.Index)
				}
				if e.Value != nil {
					w.word(e.Value)
				}
			}
		}
		out = append(out, Assignment{Name: name, Value: v.Word, Inert: inertAssign(name, v) && !a.Append && a.Index == nil && a.Array == nil})
		if alone {
			if !out[len(out)-1].Inert {
				w.assignName(name, w.nodeSpan(a))
			}
			val := value{}
			if v.Static && !v.Glob && !a.Append && a.Index == nil && a.Array == nil {
				val = value{text: v.Text, known: true, integer: isInteger(v.Text)}
			} else if a.Index == nil && a.Array == nil && !a.Append {
				val = value{lead: v.lead, integer: w.integerValue(a)}
			}
			val.own = surely(a) || a.Append && w.get(name).own
			w.set(name, val)
		}
	}
	return out
}

// integerValue says that the value of an assignment is one expansion that is a
// number.
func (w *walker) integerValue(a *syntax.Assign) bool {
	if a.Value == nil || len(a.Value.Parts) != 1 {
		return false
	}
	p := a.Value.Parts[0]
	if d, ok := p.(*syntax.DblQuoted); ok && len(d.Parts) == 1 {
		p = d.Parts[0]
	}
	switch x := p.(type) {
	case *syntax.ArithmExp:
		return true
	case *syntax.ParamExp:
		return w.param(x).integer
	case *syntax.CmdSubst:
		return substValue(x).integer
	}
	return false
}

// foreignName: in zsh the name of a variable may hold any letter of the locale,
// so that é=1 in front of a command is an assignment (zshoptions(1),
// POSIX_IDENTIFIERS), which is no part of the command here.
func (w *walker) foreignName(n *syntax.Word) {
	l, ok := n.Parts[0].(*syntax.Lit)
	if !ok {
		return
	}
	name, _, ok := strings.Cut(l.Value, "=")
	if ok && strings.IndexFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
		w.block(CodeDialect, w.nodeSpan(n), "zsh takes this for an assignment")
	}
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
	c := Command{Span: w.nodeSpan(x)}
	prints := w.d == Bash && printsDeclared(x, argv)
	if prints {
		effects = nil
	} else if len(effects) == 0 {
		effects = append(effects, Effect{Kind: Environment, Dir: w.st.dir, Span: c.Span})
	}
	w.fill(&c, text, false, argv)
	var loose []word // what the grammar takes for no assignment
	for i, a := range x.Args {
		if a.Name == nil {
			loose = append(loose, argv[i+1])
		}
	}
	w.declared(argv[0].Span, loose)
	c.Effects = append(effects, w.redirects(redirs)...)
	c.Class, c.Prefix, c.Summary = Plain, "", "sets variables"
	if prints {
		c.Described, c.Summary = true, "prints what is declared"
	}
	if x.Variant.Value == "export" || x.Variant.Value == "readonly" {
		c.Described = len(x.Args) > 0
		for _, a := range x.Args {
			// A flag or a word that is not known may do more.
			c.Described = c.Described && a.Name != nil && a.Index == nil && a.Array == nil
		}
	}
	*w.open() = c
	w.add()
}

// printsDeclared: declare -p prints the variables that follow, none of which
// holds a credential by its name, declare -F the names of functions and -f their
// texts (bash manual, 4.2; to zsh -F makes a number).
func printsDeclared(x *syntax.DeclClause, argv []word) bool {
	if name := argv[0].Text; name != "declare" && name != "typeset" || len(argv) < 2 || !argv[1].Static {
		return false
	}
	flag := argv[1].Text
	if flag != "-F" && flag != "-f" && (flag != "-p" || len(argv) == 2) {
		return false
	}
	for i, a := range argv[2:] {
		if y := x.Args[i+1]; !y.Naked || !a.Static || a.Glob || !syntax.ValidName(a.Text) || flag == "-p" && secretName(a.Text) {
			return false
		}
	}
	return true
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
