package bashcheck

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// word is a Word with what matters only while a command is judged.
type word struct {
	Word
	lead   byte   // not static: the first byte of every field it becomes, 0 not known
	fields bool   // may become any number of fields
	later  bool   // fields after the first may begin with anything
	proc   bool   // a process substitution
	odd    bool   // written with quotes or escapes inside
	guess  *guess // not static: what else is known; may be nil
}

// guess is what is known about a word that is not static.
type guess struct {
	user   bool     // it is $USER or $LOGNAME, as the environment has it
	prefix string   // what it begins with for certain
	like   string   // the text with 1 for each unknown number, where nothing else is unknown
	one    []Word   // it is one of these, or a name that one of these patterns matches
	below  []Effect // the trees in which the names lie that the word stands for
	feed   *feed    // they come out of a pipe, or find -exec
}

// guessed is what is known about a word that is not static.
func (o *word) guessed() guess {
	if o.guess == nil {
		return guess{}
	}
	return *o.guess
}

// leadName is the lead of the names that a pattern without a folder matches:
// any first byte but a slash.
const leadName = 1

// leadObject is the lead of the digest of an object that the text does not show:
// no dash, and git may print of it what no path of the text names.
const leadObject = 2

// mayBeFlag says that a word which is not known may begin with a dash.
func (o word) mayBeFlag() bool {
	return o.lead == 0 || o.lead == '-' || o.lead == leadName || o.later
}

// ctx says where a part stands.
type ctx uint8

const (
	cWord        ctx = iota
	cDquot           // double quotes
	cHdoc            // here-document body
	cArith           // arithmetic, subscripts, slices
	cParam           // inside a parameter expansion
	cParamQuoted     // the same below double quotes or in a here-document
)

// word evaluates a word where the shell splits and globs.
func (w *walker) word(n *syntax.Word) (out word) {
	w.eval(n, true, &out)
	return out
}

// value evaluates a word where it does not (assignments, here-strings).
func (w *walker) value(n *syntax.Word) (out word) {
	w.eval(n, false, &out)
	return out
}

func (w *walker) hereDoc(n *syntax.Word) {
	w.hdoc++
	defer func() { w.hdoc-- }()
	for _, p := range n.Parts {
		w.part(p, cHdoc)
	}
}

// wordShape is what the unquoted literals of a word hold.
type wordShape struct {
	glob  bool // a live pattern character
	brace bool // braces that may expand
}

// scanShape looks at all unquoted literals of a word together: a pattern or a
// brace may begin in one part and end in another.
func scanShape(n *syntax.Word) (s wordShape) {
	open, sep, bracket := false, false, false
	for part, p := range n.Parts {
		l, ok := p.(*syntax.Lit)
		if !ok {
			continue
		}
		v := l.Value
		for i := 0; i < len(v); i++ {
			switch v[i] {
			case '\\':
				i++
			case '*', '?':
				s.glob = true
			case '[':
				bracket = true
			case ']':
				s.glob = s.glob || bracket
			case '{':
				open = true
			case ',':
				sep = true
			case '.':
				// The two dots may stand in two parts, so one is enough there.
				sep = sep || i+1 < len(v) && v[i+1] == '.' || i == 0 && part > 0 || i == len(v)-1 && part < len(n.Parts)-1
			}
		}
	}
	s.brace = open && sep
	return s
}

// oneOf are the items of a loop that a word stands for which is nothing but the
// loop's variable. Without quotes only items that are one field remain.
func (w *walker) oneOf(n *syntax.Word, split bool) []Word {
	if len(n.Parts) != 1 {
		return nil
	}
	p, quoted := n.Parts[0], false
	if q, ok := p.(*syntax.DblQuoted); ok && !q.Dollar && len(q.Parts) == 1 {
		p, quoted = q.Parts[0], true
	}
	x, ok := p.(*syntax.ParamExp)
	if !ok {
		return nil
	}
	v := w.param(x)
	if v.known || v.one == nil {
		return nil
	}
	if split && !quoted {
		for _, o := range *v.one {
			if o.Glob || strings.ContainsAny(o.Text, " \t\n*?[\\") {
				return nil
			}
		}
	}
	return *v.one
}

// eval evaluates a word into out, which is empty.
func (w *walker) eval(n *syntax.Word, split bool, out *word) {
	l := onlyLit(n)
	if l != nil {
		out.Span = w.span(int(l.ValuePos.Offset()), int(l.ValueEnd.Offset()))
	} else {
		out.Span = w.nodeSpan(n)
	}
	if !w.enter(n) {
		return
	}
	if l != nil && plainLit(l.Value) {
		w.nodes++
		out.Text, out.Static = l.Value, true
		w.zshLit(l)
	} else {
		w.evalParts(n, split, out)
	}
	w.leave()
}

// onlyLit is the literal that the word consists of, or nil.
func onlyLit(n *syntax.Word) *syntax.Lit {
	if len(n.Parts) != 1 {
		return nil
	}
	l, _ := n.Parts[0].(*syntax.Lit)
	return l
}

// pieces joins strings; one alone is not copied.
type pieces struct {
	first string
	all   strings.Builder // where there are more
}

func (p *pieces) add(s string) {
	switch {
	case p.all.Len() > 0:
	case p.first == "":
		p.first = s
		return
	default:
		p.all.WriteString(p.first)
	}
	p.all.WriteString(s)
}

func (p *pieces) empty() bool { return p.first == "" }

func (p *pieces) String() string {
	if p.all.Len() > 0 {
		return p.all.String()
	}
	return p.first
}

// evalParts evaluates a word that is more than plain text.
func (w *walker) evalParts(n *syntax.Word, split bool, out *word) {
	src := w.src[n.Pos().Offset():n.End().Offset()]
	var shape wordShape
	if split {
		shape = scanShape(n)
	}
	static, glob := true, shape.glob
	out.fields = glob
	var b, like pieces
	likely := true  // nothing but numbers is unknown
	known := true   // everything so far is known
	splits := false // fields of unknown beginnings
	hollow := false // everything so far may turn out to be empty
	first := func(c byte) {
		if hollow {
			out.lead, hollow = mergeLead(out.lead, c), false
		} else if known && b.empty() {
			out.lead = c
		}
	}
	// perhaps is first for what may be empty, so that the word may begin with
	// what follows: "$(wc -l < none)-o" is -o.
	perhaps := func(c byte) {
		if hollow || known && b.empty() {
			first(c)
			hollow = true
		}
	}
	emit := func(s string) {
		if known {
			b.add(s)
		} else if likely {
			like.add(s)
		}
	}
	// quoted text inside a pattern means itself
	emitQuoted := func(s string) {
		if glob && known && strings.ContainsAny(s, "*?[]\\") {
			for i := range len(s) {
				if strings.IndexByte("*?[]\\", s[i]) >= 0 {
					b.add("\\")
				}
				b.add(s[i : i+1])
			}
			return
		}
		emit(s)
	}
	unknown := func() { static, known, likely = false, false, false }
	number := func() { // an unknown number
		if known {
			like.add(b.String())
		}
		static, known = false, false
		if likely {
			like.add("1")
		}
	}
	for i, p := range n.Parts {
		if !w.part(p, cWord) {
			perhaps(0)
			unknown()
			out.fields = true
			continue
		}
		switch x := p.(type) {
		case *syntax.Lit:
			text, odd := unescape(x.Value, glob)
			out.odd = out.odd || odd
			if i == len(n.Parts)-1 && strings.HasSuffix(x.Value, "}") && (w.d == Zsh || w.d == Any) && strayBrace(n) {
				w.block(CodeDialect, w.nodeSpan(n), "zsh ends a group at a brace that ends a word")
			}
			if i == 0 && strings.HasPrefix(x.Value, "~") {
				// A quoted slash ends no tilde prefix: ~\/x is ./~/x in bash.
				name, _, _ := strings.Cut(x.Value, "/")
				switch home := w.get("HOME"); {
				case name == "~" && home.known && (len(n.Parts) == 1 || strings.Contains(x.Value, "/")):
					text = home.text + text[1:]
				case name == "~" || name == "~+" || name == "~-":
					first('/')
					unknown()
				default:
					unknown()
				}
			} else if i > 0 && (w.d == Zsh || w.d == Any) && b.empty() && strings.HasPrefix(x.Value, "~") {
				first('/') // zsh expands a tilde behind empty quotes
				unknown()
			} else if !split && strings.Contains(x.Value, ":~") || split && strings.Contains(x.Value, "=") && (strings.Contains(x.Value, "=~") || strings.Contains(x.Value, ":~")) {
				unknown() // a tilde is expanded after a colon in an assignment, and in a word that looks like one
			}
			if text != "" {
				if c := text[0]; glob && (c == '*' || c == '?' || c == '[') {
					first(leadName)
				} else if glob && c == '\\' && len(text) > 1 {
					first(text[1])
				} else {
					first(c)
				}
			}
			emit(text)
		case *syntax.SglQuoted:
			out.odd = true
			text, ok := x.Value, true
			if x.Dollar {
				text, ok = ansiC(x.Value)
			}
			if !ok {
				perhaps(0)
				unknown()
				break
			}
			if text != "" {
				first(text[0])
			}
			emitQuoted(text)
		case *syntax.DblQuoted:
			out.odd = true
			for _, q := range x.Parts {
				switch y := q.(type) {
				case *syntax.Lit:
					text := unescapeQuoted(y.Value)
					if text != "" {
						first(text[0])
					}
					emitQuoted(text)
				case *syntax.ParamExp:
					v := w.param(y)
					if v.known {
						if v.text != "" {
							first(v.text[0])
						}
						emitQuoted(v.text)
					} else {
						perhaps(v.lead)
						if manyFields(y) {
							out.fields, splits = true, true
						}
						if v.integer {
							number()
						} else {
							unknown()
						}
					}
				case *syntax.ArithmExp:
					perhaps(0)
					number()
				case *syntax.CmdSubst:
					perhaps(substValue(y).lead)
					unknown()
				default:
					perhaps(0)
					unknown()
				}
			}
		case *syntax.ParamExp:
			v := w.param(x)
			switch {
			case v.known && v.text != "" && !strings.ContainsAny(v.text, " \t\n*?[\\"):
				first(v.text[0])
				emit(v.text)
			case !split && v.known:
				emit(v.text)
			default:
				if v.integer { // digits do not split
					perhaps(0)
					number()
					break
				}
				if v.solid && v.lead == leadObject { // nor does a digest
					perhaps(v.lead)
					unknown()
					break
				}
				out.fields, splits = out.fields || split, splits || split
				if split {
					perhaps(0)
				} else {
					perhaps(v.lead)
				}
				unknown()
			}
		case *syntax.ArithmExp:
			perhaps(0)
			number()
		case *syntax.ProcSubst:
			first('/')
			out.proc = len(n.Parts) == 1
			unknown()
		case *syntax.ExtGlob:
			perhaps(0)
			glob, out.fields = true, true
			unknown()
		case *syntax.CmdSubst:
			v := substValue(x)
			perhaps(v.lead)
			out.fields = out.fields || split && !v.solid
			splits = splits || split && !v.solid && (v.lead == 0 || v.lead == leadObject && i > 0)
			out.later = out.later || split && v.lead == '/' // a path may hold blanks
			unknown()
		default:
			perhaps(0)
			out.fields, splits = out.fields || split, splits || split
			unknown()
		}
	}
	var one []Word
	if !static {
		one = w.oneOf(n, split)
	}
	if splits {
		out.lead = 0
		if one != nil { // each item is one field
			out.fields, out.lead = false, leadOf(one)
		}
	}
	if shape.brace {
		static, out.fields, out.lead = false, true, 0
		if l, ok := n.Parts[0].(*syntax.Lit); ok && strings.IndexByte("{\\~*?[", l.Value[0]) < 0 {
			out.lead = l.Value[0]
		}
	}
	if static && glob {
		if name, ok := onlyName(b.String()); ok {
			one = []Word{{Text: b.String(), Static: true, Span: out.Span}, {Text: name, Static: true, Span: out.Span}}
			static, glob, likely, out.fields, out.lead = false, false, false, false, leadOf(one)
			b = pieces{}
		}
	}
	out.Static = static
	out.Glob = glob
	if static {
		out.Text = b.String()
	} else {
		out.Text = src
		g := guess{one: one, prefix: b.String()}
		if likely && !glob && !shape.brace {
			g.like = like.String()
		}
		g.user = w.userName(n)
		if g.one != nil || g.prefix != "" || g.like != "" || g.user {
			out.guess = &guess{user: g.user, prefix: g.prefix, like: g.like, one: g.one}
		}
	}
}

// onlyName is the only name that a pattern matches whose brackets each hold one
// letter or digit ([n]ode), as people write it so that grep does not find itself.
// Where there is no such file the word stays as it is.
func onlyName(pattern string) (name string, ok bool) {
	if strings.ContainsAny(pattern, "*?\\") {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		if c == '[' {
			if i+2 >= len(pattern) || pattern[i+2] != ']' {
				return "", false
			}
			if c = pattern[i+1]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') {
				return "", false
			}
			i += 2
		} else if c == ']' {
			return "", false
		}
		b.WriteByte(c)
	}
	return b.String(), true
}

// userName says that a word is nothing but the name of the user, as the
// environment has it.
func (w *walker) userName(n *syntax.Word) bool {
	if len(n.Parts) != 1 {
		return false
	}
	p := n.Parts[0]
	if q, ok := p.(*syntax.DblQuoted); ok && !q.Dollar && len(q.Parts) == 1 {
		p = q.Parts[0]
	}
	x, ok := p.(*syntax.ParamExp)
	if !ok || x.Param == nil || x.Param.Value != "USER" && x.Param.Value != "LOGNAME" ||
		x.Excl || x.Length || x.Width || x.Index != nil || x.Slice != nil || x.Repl != nil || x.Exp != nil || x.Names != 0 || w.st.forget {
		return false
	}
	_, set := w.st.vars[x.Param.Value]
	return !set
}

// plainUser makes of $USER one word that is no flag, under an assumption.
func (w *walker) plainUser(o *word) {
	if o.guess != nil && o.guess.user && o.mayBeFlag() {
		w.assume(AssumeUserName)
		o.lead, o.fields, o.later = 'x', false, false
	}
}

// leadOf is the first byte of all of them, 0 where they differ in whether it
// may mean something to a program.
func leadOf(list []Word) byte {
	lead := list[0].Text[0]
	for _, o := range list[1:] {
		lead = mergeLead(lead, o.Text[0])
	}
	return lead
}

// substValue is what is known about the output of a substitution of one plain
// command: numbers, object names and absolute paths.
func substValue(x *syntax.CmdSubst) value {
	if len(x.Stmts) != 1 {
		return value{}
	}
	if b, ok := x.Stmts[0].Cmd.(*syntax.BinaryCmd); ok && b.Op == syntax.Pipe && len(x.Stmts[0].Redirs) == 0 && !x.Stmts[0].Negated && !x.Stmts[0].Background {
		v := substValue(&syntax.CmdSubst{Stmts: []*syntax.Stmt{b.X}})
		if v.lead == '/' { // a path may hold anything
			return value{}
		}
		picks, one := picksLines(b.Y)
		if !picks {
			return value{}
		}
		v.solid = v.solid || one && v.lead != 0
		return v
	}
	c, ok := x.Stmts[0].Cmd.(*syntax.CallExpr)
	if !ok || len(c.Assigns) > 0 || len(c.Args) == 0 || x.Stmts[0].Negated || x.Stmts[0].Background {
		return value{}
	}
	input := false
	for _, r := range x.Stmts[0].Redirs {
		if r.Op != syntax.RdrIn {
			return value{}
		}
		input = true
	}
	// What is known is short.
	var few [64]byte
	b := few[:0]
	for i, a := range c.Args {
		l := a.Lit()
		if l == "" || !plainLit(l) && strings.ContainsAny(l, "\\*?[{~$") {
			return value{}
		}
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, l...)
	}
	switch s := string(b); {
	case input && (s == "wc -l" || s == "wc -c" || s == "wc -w"), s == "nproc", s == "date +%s", s == "id -u",
		s == "git rev-list --count HEAD":
		return value{lead: '0', integer: true}
	case s == "whoami", s == "id -un", s == "uname", s == "uname -s", s == "uname -m", s == "uname -r":
		return value{lead: 'x', solid: true}
	case s == "date +%F", s == "date +%Y", s == "date +%Y-%m-%d", s == "date +%Y%m%d", s == "date +%Y-%m", s == "date +%m", s == "date +%d", s == "date +%H":
		return value{lead: '0', solid: true}
	case strings.HasPrefix(s, "docker ps ") && printsIDs(strings.Fields(s)[2:]), s == "docker images -q", s == "docker images -aq":
		return value{lead: 'x'}
	case strings.HasPrefix(s, "pgrep ") && printsProcesses(strings.Fields(s)[1:]):
		return value{lead: '0', solid: strings.HasPrefix(s, "pgrep -n") || strings.HasPrefix(s, "pgrep -o")}
	case strings.HasPrefix(s, "kubectl get ") && (strings.HasSuffix(s, " -o name") || strings.HasSuffix(s, " -oname") || strings.HasSuffix(s, " --output=name")):
		return value{lead: 'x'} // pod/NAME
	case s == "pwd", s == "git rev-parse --show-toplevel":
		return value{lead: '/'}
	case s == "git rev-parse --abbrev-ref HEAD", s == "git branch --show-current":
		return value{solid: true}
	case s == "git rev-parse HEAD", s == "git rev-parse --short HEAD", strings.HasPrefix(s, "git merge-base ") && !strings.Contains(s, " -"):
		return value{lead: 'x'}
	case strings.HasPrefix(s, "git ") && printsObjects(strings.Fields(s)[1:]):
		return value{lead: leadObject}
	case strings.HasPrefix(s, "which ") && strings.Trim(s[6:], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._") == "":
		return value{lead: '/'} // nothing, or where it lies below a folder of PATH
	}
	return value{}
}

// objectsOnly says that a word is nothing but digests of git objects, or what
// the text spells, each a word of its own.
func objectsOnly(n *syntax.Word) bool {
	if len(n.Parts) != 1 {
		return false
	}
	x, ok := n.Parts[0].(*syntax.CmdSubst)
	return ok && substValue(x).lead == leadObject
}

// picksLines says that a part of a pipe passes lines on as they are, and
// whether at most one.
func picksLines(s *syntax.Stmt) (picks, one bool) {
	if s.Negated || s.Background || len(s.Redirs) > 0 {
		return false, false
	}
	if b, ok := s.Cmd.(*syntax.BinaryCmd); ok && b.Op == syntax.Pipe {
		first, a := picksLines(b.X)
		second, b := picksLines(b.Y)
		return first && second, a || b
	}
	c, ok := s.Cmd.(*syntax.CallExpr)
	if !ok || len(c.Args) == 0 || len(c.Args) > 3 || len(c.Assigns) > 0 {
		return false, false
	}
	var words [3]string
	for i, a := range c.Args {
		if words[i] = a.Lit(); words[i] == "" {
			return false, false
		}
	}
	switch words[0] {
	case "head", "tail": // -5, -n5, -n 5
		n := strings.TrimPrefix(strings.TrimPrefix(words[1], "-"), "n") + words[2]
		if len(words[1]) < 2 || words[1][0] != '-' || n == "" || strings.Trim(n, "0123456789") != "" || words[2] != "" && words[1] != "-n" {
			return false, false
		}
		return true, n == "1"
	case "sort", "uniq":
		return words[2] == "" && (words[1] == "" || words[0] == "sort" && (words[1] == "-u" || words[1] == "-r" || words[1] == "-n")), false
	}
	return false, false
}

// printsIDs says that docker ps, called with these words, prints nothing but the
// digests of containers.
func printsIDs(args []string) bool {
	quiet := false
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "-q" || a == "-aq" || a == "-qa" || a == "--quiet" || a == "-lq" || a == "-ql":
			quiet = true
		case a == "-a" || a == "--all" || a == "-l" || a == "--latest" || strings.HasPrefix(a, "--filter="):
		case (a == "-f" || a == "--filter") && i+1 < len(args):
			i++
		default:
			return false
		}
	}
	return quiet
}

// printsProcesses says that pgrep, called with these words, prints nothing but
// numbers, one a line.
func printsProcesses(args []string) bool {
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "-f" || a == "-x" || a == "-n" || a == "-o" || a == "-i" || a == "-nf" || a == "-of" || a == "-fn" || a == "-fo" || a == "-xn" || a == "-fx":
		case a == "-u" && i+1 < len(args):
			i++
		case a[0] == '-':
			return false
		}
	}
	return true
}

// printsObjects says that git, called with these words, prints nothing but
// digests of objects, or the words themselves. It does not hold for names of
// branches: one that came with a clone may begin with a dash, as
// git-check-ref-format(1) forbids it to the commands that make branches alone.
func printsObjects(args []string) bool {
	sub := args[0]
	digest := sub != "log"
	for i := 1; i < len(args); i++ {
		a := args[i]
		if a[0] != '-' {
			continue
		}
		name, val, _ := strings.Cut(a, "=")
		switch sub {
		case "rev-parse":
			if name != "--short" && a != "--verify" && a != "-q" && a != "--quiet" {
				return false
			}
		case "rev-list", "log":
			switch {
			case isInteger(a):
			case a == "-n" && i+1 < len(args) && isInteger(args[i+1]):
				i++
			case sub == "log" && (name == "--format" || name == "--pretty") && (val == "%H" || val == "%h"):
				digest = true
			case a == "--":
				return digest
			case name == "--max-count" || name == "--max-parents" || name == "--since" || name == "--until",
				a == "--all" || a == "--tags" || a == "--branches" || a == "--remotes" || a == "--first-parent" || a == "--merges" || a == "--no-merges" || a == "--reverse":
			default:
				return false
			}
		default:
			return false
		}
	}
	return digest && (sub == "rev-parse" || sub == "rev-list" || sub == "log" || sub == "merge-base" || sub == "hash-object")
}

func manyFields(p *syntax.ParamExp) bool {
	if p.Param != nil && (p.Param.Value == "@" || p.Param.Value == "*") {
		return true
	}
	return p.Index != nil || p.Excl || p.Names != 0
}

// strayBrace says that a word closes a brace, plainly written, that it does not
// open.
func strayBrace(n *syntax.Word) bool {
	open := 0
	for _, p := range n.Parts {
		lit, ok := p.(*syntax.Lit)
		if !ok {
			continue
		}
		for i := 0; i < len(lit.Value); i++ {
			switch lit.Value[i] {
			case '\\':
				i++
			case '{':
				open++
			case '}':
				if open--; open < 0 {
					return true
				}
			}
		}
	}
	return false
}
