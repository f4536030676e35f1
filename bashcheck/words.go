package bashcheck

import (
	"path"
	"strconv"
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
func (w *walker) word(n *syntax.Word) word { return w.eval(n, true) }

// value evaluates a word where it does not (assignments, here-strings).
func (w *walker) value(n *syntax.Word) word { return w.eval(n, false) }

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

func (w *walker) eval(n *syntax.Word, split bool) word {
	out := word{Word: Word{Span: w.nodeSpan(n)}}
	if !w.enter(n) {
		return out
	}
	defer w.leave()
	if len(n.Parts) == 1 {
		if l, ok := n.Parts[0].(*syntax.Lit); ok && plainLit(l.Value) {
			w.nodes++
			out.Text, out.Static = l.Value, true
			w.zshLit(l)
			return out
		}
	}
	w.evalParts(n, split, &out)
	return out
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
			if i == 0 && strings.HasPrefix(x.Value, "~") {
				name, rest, _ := strings.Cut(text, "/")
				switch home := w.get("HOME"); {
				case name == "~" && home.known && (len(n.Parts) == 1 || strings.Contains(text, "/")):
					text = home.text
					if strings.Contains(x.Value, "/") {
						text += "/" + rest
					}
				case name == "~" || name == "~+" || name == "~-":
					first('/')
					unknown()
				default:
					unknown()
				}
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
		if g.one != nil || g.prefix != "" || g.like != "" {
			out.guess = &guess{prefix: g.prefix, like: g.like, one: g.one}
		}
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

// maxBraces bounds the words that one word with braces may become.
const maxBraces = 64

// words evaluates one word of a command or of a for list. In bash, braces of
// plain text become one word each; what is more is not known before it runs.
func (w *walker) words(n *syntax.Word, into []word) []word {
	if w.d != Bash || len(n.Parts) == 0 {
		return append(into, w.word(n))
	}
	if l, ok := n.Parts[0].(*syntax.Lit); ok && len(n.Parts) == 1 && strings.IndexByte(l.Value, '{') < 0 {
		return append(into, w.word(n))
	}
	at := -1
	for i, p := range n.Parts {
		switch x := p.(type) {
		case *syntax.Lit:
			if strings.IndexByte(x.Value, '{') >= 0 {
				if at >= 0 {
					return append(into, w.word(n))
				}
				at = i
			}
		case *syntax.SglQuoted:
		case *syntax.ParamExp:
			if x.Exp != nil || x.Repl != nil || x.Slice != nil || x.Index != nil {
				return append(into, w.word(n))
			}
		case *syntax.DblQuoted:
			for _, q := range x.Parts {
				if _, ok := q.(*syntax.Lit); !ok {
					return append(into, w.word(n))
				}
			}
		default:
			return append(into, w.word(n))
		}
	}
	if at < 0 || !scanShape(n).brace {
		return append(into, w.word(n))
	}
	old := n.Parts[at].(*syntax.Lit)
	texts, ok := expandBraces(old.Value)
	if w.expanded += len(texts); !ok || w.expanded > 8*maxBraces {
		return append(into, w.word(n))
	}
	for i, p := range n.Parts {
		// A brace or a separator elsewhere in the word: not so plain.
		if l, ok := p.(*syntax.Lit); ok && i != at && strings.ContainsAny(l.Value, "{},.") {
			return append(into, w.word(n))
		}
	}
	for _, t := range texts {
		l := *old
		l.Value = t
		parts := make([]syntax.WordPart, len(n.Parts))
		copy(parts, n.Parts)
		parts[at] = &l
		if t == "" {
			if parts = append(parts[:at], parts[at+1:]...); len(parts) == 0 {
				continue // an empty unquoted word vanishes
			}
		}
		into = append(into, w.word(&syntax.Word{Parts: parts}))
	}
	return into
}

// expandBraces expands {a,b} and {1..9} in plain text without nesting and
// without escapes (bash manual, 3.5.1).
func expandBraces(s string) ([]string, bool) {
	if strings.ContainsAny(s, "\\$`") {
		return nil, false
	}
	out := []string{""}
	for s != "" {
		open := strings.IndexByte(s, '{')
		if open < 0 {
			if strings.IndexByte(s, '}') >= 0 {
				return nil, false
			}
			for i := range out {
				out[i] += s
			}
			break
		}
		end := strings.IndexByte(s, '}')
		if end < open {
			return nil, false
		}
		group := s[open+1 : end]
		if strings.IndexByte(group, '{') >= 0 {
			return nil, false
		}
		var items []string
		switch {
		case strings.IndexByte(group, ',') >= 0:
			items = strings.Split(group, ",")
		case strings.Contains(group, ".."):
			a, z, _ := strings.Cut(group, "..")
			from, err1 := strconv.Atoi(a)
			to, err2 := strconv.Atoi(z)
			if err1 != nil || err2 != nil || from < 0 || to < from || to-from >= maxBraces || len(a) > 9 || len(z) > 9 || len(a) > 1 && a[0] == '0' {
				return nil, false
			}
			for i := from; i <= to; i++ {
				items = append(items, strconv.Itoa(i))
			}
		case group == "":
			items = []string{"{}"}
		default:
			return nil, false
		}
		if len(out)*len(items) > maxBraces {
			return nil, false
		}
		var next []string
		for _, o := range out {
			for _, it := range items {
				next = append(next, o+s[:open]+it)
			}
		}
		out, s = next, s[end+1:]
	}
	return out, true
}

// plainLit says that a literal means itself.
func plainLit(s string) bool { return plainLitBytes.all(s) }

var plainLitBytes = bytesBut("\\*?[{}~$`()<>^#!]")

func manyFields(p *syntax.ParamExp) bool {
	if p.Param != nil && (p.Param.Value == "@" || p.Param.Value == "*") {
		return true
	}
	return p.Index != nil || p.Excl || p.Names != 0
}

// unescape removes backslashes from an unquoted literal. pattern: the word is a
// glob, in which an escaped pattern character keeps its backslash.
func unescape(s string, pattern bool) (text string, odd bool) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, false
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		odd = true
		if i++; i < len(s) && s[i] != '\n' {
			if pattern && strings.IndexByte("*?[]\\", s[i]) >= 0 {
				b.WriteByte('\\')
			}
			b.WriteByte(s[i])
		}
	}
	return b.String(), odd
}

// unescapeQuoted removes the backslashes that double quotes remove.
func unescapeQuoted(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			switch s[i+1] {
			case '$', '`', '"', '\\':
				i++
			case '\n':
				i++
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// ansiC decodes the few escapes of $'…' whose meaning is the same everywhere.
func ansiC(s string) (string, bool) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", false
		}
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case '\\', '\'', '"':
			b.WriteByte(s[i])
		default:
			return "", false
		}
	}
	return b.String(), true
}

// zshLit refuses what zsh reads otherwise than bash.
func (w *walker) zshLit(l *syntax.Lit) {
	if w.d != Zsh && w.d != Any {
		return
	}
	v := l.Value
	bad := strings.ContainsAny(v, "()^#<>]!{[$") && v != "{}" || strings.HasPrefix(v, "=") ||
		strings.Contains(strings.TrimPrefix(v, "~/"), "~") && v != "~"
	if v == "[" || v == "]" || v == "!" {
		bad = v == "!"
	}
	if bad {
		w.block(CodeDialect, w.nodeSpan(l), "zsh may read %s otherwise than bash", escape(v))
	}
}

// zshQuoted refuses in double quotes what zsh expands and bash does not: $=x,
// $~x and a subscript after a variable without braces ("$x[1]").
func (w *walker) zshQuoted(l *syntax.Lit) {
	v := l.Value
	start := int(l.Pos().Offset())
	after := start > 0 && start <= len(w.src) && v != "" && v[0] == '[' && w.src[start-1] != '}' && w.src[start-1] != ')' && w.src[start-1] != '"' && w.src[start-1] != '`'
	for i := 0; i < len(v) && !after; i++ {
		switch v[i] {
		case '\\':
			i++
		case '$':
			after = start+i+1 < len(w.src) && w.src[start+i+1] != '"'
		}
	}
	if after {
		w.block(CodeDialect, w.nodeSpan(l), "zsh may expand %s, which bash takes for text", escape(v))
	}
}

// part checks one part of a word against the closed list of what is
// understood and walks what it contains. It returns false for what is not
// understood; a blocking finding then stands.
func (w *walker) part(p syntax.WordPart, c ctx) bool {
	if !w.enter(p) {
		return false
	}
	defer w.leave()
	switch x := p.(type) {
	case *syntax.Lit:
		if c == cWord {
			w.zshLit(x)
		} else if c == cDquot && (w.d == Zsh || w.d == Any) {
			w.zshQuoted(x)
		}
		return w.lit(x, c)
	case *syntax.SglQuoted:
		if c != cWord && c != cParam && strings.ContainsAny(x.Value, "$`[\\") {
			w.block(CodeHiddenByParser, w.nodeSpan(x), "single quotes do not protect here, and they hold code")
			return false
		}
		if w.odd && c == cWord && !x.Dollar {
			w.oddAllowed = append(w.oddAllowed, Span{int(x.Pos().Offset()), int(x.End().Offset())})
		}
		return true
	case *syntax.DblQuoted:
		if x.Dollar {
			w.block(CodeUnsupported, w.nodeSpan(x), "translated strings are not understood")
			return false
		}
		in := cDquot
		switch c {
		case cArith:
			in = cArith
		case cParam, cParamQuoted:
			in = cParamQuoted
		}
		ok := true
		for _, q := range x.Parts {
			ok = w.part(q, in) && ok
		}
		return ok
	case *syntax.ParamExp:
		return w.paramExp(x, c)
	case *syntax.CmdSubst:
		if x.TempFile || x.ReplyVar {
			w.block(CodeUnsupported, w.nodeSpan(x), "this substitution is not understood by every bash")
			return false
		}
		if x.Backquotes {
			w.seenTicks++
			if strings.Contains(w.src[x.Pos().Offset():x.End().Offset()], "\\") {
				w.block(CodeHiddenByParser, w.nodeSpan(x), "a backslash stands inside backquotes")
			}
		} else {
			w.seenDollar++
		}
		if c == cHdoc || c == cParam || c == cParamQuoted {
			w.find(CodeNestedSubstitution, Notice, false, w.nodeSpan(x), "a command is run inside a here-document or a parameter expansion")
		}
		if c == cArith && !substValue(x).integer {
			w.unproven(CodeArithmetic, w.nodeSpan(x), "the output of a command is evaluated as arithmetic, in which a shell may run code")
		}
		w.substituted(x.Stmts)
		return true
	case *syntax.ProcSubst:
		if x.Op != syntax.CmdIn && x.Op != syntax.CmdOut || c != cWord {
			w.block(CodeUnsupported, w.nodeSpan(x), "this process substitution is not understood")
			return false
		}
		w.seenProcs++
		w.substituted(x.Stmts)
		return true
	case *syntax.ArithmExp:
		if x.Bracket || x.Unsigned {
			w.block(CodeUnsupported, w.nodeSpan(x), "this form of arithmetic is not understood")
		} else {
			w.seenDollar++
		}
		return w.arithm(x.X)
	case *syntax.ExtGlob:
		if w.d == Zsh || w.d == Any {
			w.block(CodeDialect, w.nodeSpan(x), "for zsh a parenthesis after a pattern may hold code")
			return false
		}
		for i := range len(x.Pattern.Value) {
			if c := x.Pattern.Value[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_.|*?-", c) >= 0) {
				w.block(CodeHiddenByParser, w.nodeSpan(x), "an extended pattern may hold code that the shell runs")
				return false
			}
		}
		return true
	}
	w.block(CodeUnsupported, w.nodeSpan(p), "this part of a word is not understood")
	return false
}

// lit looks at the source of a literal for what a shell would still expand.
func (w *walker) lit(l *syntax.Lit, c ctx) bool {
	start, end := int(l.Pos().Offset()), int(l.End().Offset())
	if end > len(w.src) || start > end {
		return false
	}
	s := w.src[start:end]
	for i := 0; i < len(s); i++ {
		bad := false
		switch s[i] {
		case '\\':
			i++
			continue
		case '`':
			bad = true
		case '$':
			next := byte(' ')
			if start+i+1 < len(w.src) {
				next = w.src[start+i+1]
			}
			ok := " \t\n|)/.,;:%=+]}^&"
			if c == cDquot || c == cHdoc {
				ok += "\"'<>~"
			}
			bad = strings.IndexByte(ok, next) < 0 || c == cArith
			if next == '\\' && start+i+2 < len(w.src) && w.src[start+i+2] != '\n' && c != cArith {
				bad = false
			}
		case '(':
			bad = c == cWord || c == cArith || c == cParam
		case '<', '>':
			bad = (c == cWord || c == cParam) && i+1 < len(s) && s[i+1] == '('
		}
		if bad {
			w.block(CodeHiddenByParser, w.nodeSpan(l), "a shell may run or expand what the parser takes for plain text: %s", escape(s))
			return false
		}
	}
	return true
}

func (w *walker) substituted(list []*syntax.Stmt) {
	w.subst++
	w.isolated(func() { w.stmts(list) })
	w.subst--
}

// paramExp allows the expansions that neither assign nor evaluate.
func (w *walker) paramExp(x *syntax.ParamExp, c ctx) bool {
	bad := func(code, text string) bool {
		w.block(code, w.nodeSpan(x), "%s", text)
		return false
	}
	if x.Param == nil || x.Excl || x.Width || x.IsSet || x.Flags != nil || x.NestedParam != nil || x.Names != 0 ||
		x.Split != 0 || x.GlobSubst != 0 || x.RcExpand != 0 || len(x.Modifiers) > 0 {
		return bad(CodeExpansion, "this expansion evaluates or indirects")
	}
	if c == cArith && !w.param(x).integer {
		w.unproven(CodeArithmetic, w.nodeSpan(x), "a variable that is not provably a number is evaluated as arithmetic, in which a shell may run code")
		return false
	}
	inner := c
	switch c {
	case cWord:
		inner = cParam
	case cDquot, cHdoc:
		inner = cParamQuoted
	}
	ok := true
	if x.Index != nil {
		if iw, isWord := x.Index.(*syntax.Word); !isWord || iw.Lit() != "@" && iw.Lit() != "*" {
			ok = w.arithm(x.Index) && ok
		}
	}
	if x.Slice != nil {
		if x.Slice.Offset != nil {
			ok = w.arithm(x.Slice.Offset) && ok
		}
		if x.Slice.Length != nil {
			ok = w.arithm(x.Slice.Length) && ok
		}
	}
	if x.Repl != nil {
		for _, v := range []*syntax.Word{x.Repl.Orig, x.Repl.With} {
			ok = w.wordParts(v, inner) && ok
		}
	}
	if x.Exp != nil {
		switch x.Exp.Op {
		case syntax.AlternateUnset, syntax.AlternateUnsetOrNull, syntax.DefaultUnset, syntax.DefaultUnsetOrNull,
			syntax.RemSmallPrefix, syntax.RemLargePrefix, syntax.RemSmallSuffix, syntax.RemLargeSuffix,
			syntax.UpperFirst, syntax.UpperAll, syntax.LowerFirst, syntax.LowerAll,
			syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
			ok = w.wordParts(x.Exp.Word, inner) && ok
		case syntax.OtherParamOps:
			if x.Exp.Word == nil || x.Exp.Word.Lit() != "Q" {
				return bad(CodeExpansion, "this expansion evaluates its value")
			}
		default:
			return bad(CodeExpansion, "this expansion assigns or evaluates")
		}
	}
	return ok
}

func (w *walker) wordParts(n *syntax.Word, c ctx) bool {
	ok := true
	if n != nil {
		for _, p := range n.Parts {
			ok = w.part(p, c) && ok
		}
	}
	return ok
}

// param is what is known about the value of an expansion that was accepted.
func (w *walker) param(x *syntax.ParamExp) value {
	if x.Param == nil {
		return value{}
	}
	if x.Length || x.Param.Value == "#" || x.Param.Value == "?" || x.Param.Value == "$" {
		return value{lead: '0', integer: true}
	}
	if w.d == Bash && !w.st.forget && w.numberOfShell(x.Param.Value) && x.Exp == nil && x.Index == nil && x.Slice == nil && x.Repl == nil && !x.Excl {
		return value{lead: '0', integer: true}
	}
	if x.Excl || x.Index != nil || x.Slice != nil || x.Repl != nil || x.Names != 0 || x.Exp != nil || x.Width {
		return value{}
	}
	return w.get(x.Param.Value)
}

func assigns(op syntax.BinAritOperator) bool {
	switch op {
	case syntax.Assgn, syntax.AddAssgn, syntax.SubAssgn, syntax.MulAssgn, syntax.QuoAssgn, syntax.RemAssgn, syntax.AndAssgn, syntax.OrAssgn,
		syntax.XorAssgn, syntax.ShlAssgn, syntax.ShrAssgn, syntax.AndBoolAssgn, syntax.OrBoolAssgn, syntax.XorBoolAssgn, syntax.PowAssgn:
		return true
	}
	return false
}

// numberOfShell lists the variables that bash keeps a number whatever the
// environment holds (bash manual, 5.2).
func (w *walker) numberOfShell(name string) bool {
	if _, set := w.st.vars[name]; set {
		return false
	}
	switch name {
	case "RANDOM", "LINENO", "SECONDS", "UID", "EUID", "PPID":
		return true
	}
	return false
}

func plainName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return s != ""
}

// arithm accepts arithmetic over numbers and variables that are numbers.
func (w *walker) arithm(e syntax.ArithmExpr) bool {
	if e == nil {
		return true
	}
	if !w.enter(e) {
		return false
	}
	defer w.leave()
	switch x := e.(type) {
	case *syntax.Word:
		if l := x.Lit(); l != "" {
			if isInteger(l) || w.get(l).integer || w.d == Bash && !w.st.forget && w.numberOfShell(l) {
				return true
			}
			w.unproven(CodeArithmetic, w.nodeSpan(x), "arithmetic uses %s, which is not provably a number; a shell may run code in it", escape(l))
			return false
		}
		ok := true
		for _, p := range x.Parts {
			switch q := p.(type) {
			case *syntax.ParamExp:
				ok = w.part(q, cArith) && ok
			case *syntax.ArithmExp:
				ok = w.part(q, cArith) && ok
			case *syntax.Lit:
				if !isInteger(q.Value) {
					w.block(CodeArithmetic, w.nodeSpan(x), "arithmetic uses something that is not a number")
					ok = false
				}
			case *syntax.CmdSubst:
				ok = w.part(q, cArith) && ok
			default:
				w.part(q, cArith)
				w.block(CodeArithmetic, w.nodeSpan(x), "quoted text is evaluated as arithmetic, in which a shell may run code")
				ok = false
			}
		}
		return ok
	case *syntax.BinaryArithm:
		assign := assigns(x.Op)
		if assign {
			name, ok := x.X.(*syntax.Word)
			if !ok || !plainName(name.Lit()) {
				w.block(CodeArithmetic, w.nodeSpan(x), "an assignment inside arithmetic is not understood")
				return false
			}
			if x.Op != syntax.Assgn && !w.arithm(x.X) {
				return false
			}
			ok = w.arithm(x.Y)
			w.assignName(name.Lit(), w.nodeSpan(x))
			w.set(name.Lit(), value{integer: ok})
			return ok
		}
		l := w.arithm(x.X)
		return w.arithm(x.Y) && l
	case *syntax.UnaryArithm:
		if x.Op == syntax.Inc || x.Op == syntax.Dec {
			if l, ok := x.X.(*syntax.Word); ok && w.get(l.Lit()).integer {
				w.set(l.Lit(), value{integer: true})
				return true
			}
		}
		return w.arithm(x.X)
	case *syntax.ParenArithm:
		return w.arithm(x.X)
	}
	w.block(CodeUnsupported, w.nodeSpan(e), "this arithmetic is not understood")
	return false
}

// test walks a [[ ]] expression.
func (w *walker) test(e syntax.TestExpr) {
	if e == nil || !w.enter(e) {
		return
	}
	defer w.leave()
	switch x := e.(type) {
	case *syntax.Word:
		w.value(x)
	case *syntax.ParenTest:
		w.test(x.X)
	case *syntax.UnaryTest:
		switch x.Op {
		case syntax.TsVarSet, syntax.TsRefVar, syntax.TsOptSet:
			w.block(CodeArithmetic, w.nodeSpan(x), "this test evaluates a variable name, in which a shell may run code")
		}
		w.test(x.X)
	case *syntax.BinaryTest:
		switch x.Op {
		case syntax.TsEql, syntax.TsNeq, syntax.TsLeq, syntax.TsGeq, syntax.TsLss, syntax.TsGtr:
			for _, s := range []syntax.TestExpr{x.X, x.Y} {
				if sw, ok := s.(*syntax.Word); ok {
					if v := w.value(sw); v.Static && isInteger(v.Text) || w.integerWord(sw) {
						continue
					}
				}
				w.unproven(CodeArithmetic, w.nodeSpan(x), "this test evaluates its operands as arithmetic, in which a shell may run code")
			}
			return
		}
		w.test(x.X)
		w.test(x.Y)
	default:
		w.block(CodeUnsupported, w.nodeSpan(e), "this test is not understood")
	}
}

func (w *walker) integerWord(n *syntax.Word) bool {
	if len(n.Parts) != 1 {
		return false
	}
	p := n.Parts[0]
	if d, ok := p.(*syntax.DblQuoted); ok && len(d.Parts) == 1 {
		p = d.Parts[0]
	}
	x, ok := p.(*syntax.ParamExp)
	return ok && w.param(x).integer
}

// printable are the bytes that escape leaves alone wherever they stand.
var printable = func() (set byteSet) {
	for c := 0x20; c < 0x7f; c++ {
		set[c] = true
	}
	return set
}()

// escape makes control and invisible characters visible.
func escape(s string) string {
	const most = 2000
	if len(s) <= most && printable.all(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if i > most {
			b.WriteString("…")
			break
		}
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f || r >= 0x80 && (oddRune(r) || r == 0xfffd):
			const hex = "0123456789ABCDEF"
			b.WriteString("<U+")
			for shift := 16; shift >= 0; shift -= 4 {
				b.WriteByte(hex[r>>shift&15])
			}
			b.WriteByte('>')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func baseName(s string) string { return path.Base(s) }
