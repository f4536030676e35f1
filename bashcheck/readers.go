package bashcheck

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// reader judges programs whose arguments are a language of their own.
func (w *walker) reader(p *program, args []word, j *judged) {
	switch p.reader {
	case vFind:
		w.findArgs(args, j)
	case vTest:
		j.ok = w.testArgs(args)
	default:
		j.ok = false
	}
}

// testArgs accepts test and [ without the operators that evaluate variable
// names (-v, -R), which may run code in a subscript.
func (w *walker) testArgs(args []word) bool {
	dynamic := false
	for _, a := range args {
		if a.fields {
			return false
		}
		if !a.Static {
			dynamic = true
		} else if a.Text == "-v" || a.Text == "-R" || a.Text == "-o" && len(args) < 4 {
			return false
		}
	}
	if n := len(args); n > 0 && args[n-1].Static && args[n-1].Text == "]" {
		args = args[:n-1]
	}
	if len(args) > 0 && args[0].Static && args[0].Text == "!" {
		args = args[1:]
	}
	numeric := false
	for _, a := range args {
		switch a.Text {
		case "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-t":
			numeric = a.Static
		}
	}
	if numeric && (w.d == Zsh || w.d == Any) {
		// zsh evaluates the operands as arithmetic.
		for _, a := range args {
			if !a.Static || !isInteger(a.Text) && !strings.HasPrefix(a.Text, "-") {
				return false
			}
		}
	}
	if !dynamic {
		return true
	}
	switch len(args) {
	case 1:
		return true
	case 2:
		return args[0].Static && len(args[0].Text) == 2 && args[0].Text[0] == '-'
	case 3:
		if !args[1].Static {
			return false
		}
		switch args[1].Text {
		case "=", "==", "!=", "<", ">", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef":
			return true
		}
	}
	return false
}

// findTests are the expressions of find that only test or print, with the
// number of their arguments.
func findTests(w string) (args int, ok bool) {
	switch w {
	case "-print", "-print0", "-ls", "-prune", "-quit", "-true", "-false", "-depth", "-mount", "-xdev", "-daystart", "-follow", "-noleaf",
		"-warn", "-nowarn", "-ignore_readdir_race", "-noignore_readdir_race", "-empty", "-executable", "-readable", "-writable", "-nouser",
		"-nogroup", "-a", "-and", "-o", "-or", "-not", "!", "(", ")", ",", "-help", "--help", "-version", "--version":
		return 0, true
	case "-maxdepth", "-mindepth", "-regextype", "-amin", "-anewer", "-atime", "-cmin", "-cnewer", "-ctime", "-fstype", "-gid", "-group",
		"-ilname", "-iname", "-inum", "-ipath", "-iregex", "-iwholename", "-links", "-lname", "-mmin", "-mtime", "-name", "-newer", "-path",
		"-perm", "-regex", "-samefile", "-size", "-type", "-uid", "-used", "-user", "-wholename", "-xtype", "-context", "-printf", "-newermt",
		"-newerat", "-newerct", "-newermm", "-neweraa", "-newercc":
		return 1, true
	}
	return 0, false
}

// findCall is a call of find while its arguments are read.
type findCall struct {
	w      *walker
	args   []word
	at     int
	places []Effect // where it starts
	lead   byte     // of every name that it finds: a dot, a slash, or x for what is neither
	tests  bool     // an expression chooses among the names
	lines  int      // how often it prints names, one a line
}

func (w *walker) findArgs(args []word, j *judged) {
	c := findCall{w: w, args: args, lead: '.'}
	c.starts(j)
	j.names = true
	for ; c.at < len(args); c.at++ {
		if a := args[c.at]; !a.Static || a.Glob || !c.expression(a.Text, j) {
			j.ok = false
			return
		}
	}
	if j.nul && c.lines > 0 {
		j.names = false // both kinds of lines
	}
}

// starts reads the words before the expression: where the search begins.
func (c *findCall) starts(j *judged) {
	args := c.args
	for c.at < len(args) && args[c.at].Static && (args[c.at].Text == "-H" || args[c.at].Text == "-L" || args[c.at].Text == "-P") {
		c.at++
	}
	first := c.at
	for ; c.at < len(args); c.at++ {
		a := args[c.at]
		if a.Static && !a.Glob && (strings.HasPrefix(a.Text, "-") || a.Text == "(" || a.Text == ")" || a.Text == "!" || a.Text == ",") {
			break
		}
		lead := a.lead
		if a.Static && a.Text != "" && !a.Glob {
			lead = a.Text[0]
		}
		if lead == 0 || lead == leadName || a.later || strings.IndexByte("-(!),", lead) >= 0 {
			j.ok = false
		}
		if lead != '.' && lead != '/' {
			c.lead = 'x'
		}
		c.w.usePath(pathOf(List, Tree), a, j)
	}
	if c.at == first {
		j.effects = append(j.effects, Effect{Kind: List, Target: ".", Extent: Tree, Dir: c.w.st.dir, Span: Span{}})
	}
	c.places = append([]Effect(nil), j.effects...)
}

// expression reads one expression, which begins with that word, up to its last
// word.
func (c *findCall) expression(name string, j *judged) bool {
	if n, ok := findTests(name); ok {
		return c.test(name, n, j)
	}
	switch name {
	case "-delete":
		c.delete(j)
		return true
	case "-exec", "-execdir", "-ok", "-okdir":
		return c.exec(name, j)
	case "-fprint", "-fprint0", "-fls", "-fprintf":
		if c.at++; c.at >= len(c.args) {
			return false
		}
		c.w.usePath(pathOf(Write, Exact), c.args[c.at], j)
		if name == "-fprintf" {
			c.at++
		}
		return true
	}
	return false
}

// test passes over an expression that only tests or prints, and its n arguments.
func (c *findCall) test(name string, n int, j *judged) bool {
	switch name {
	case "-print0":
		j.nul = true
	case "-print":
		c.lines++
	case "-ls", "-printf", "-help", "--help", "-version", "--version":
		j.names = false
	}
	switch name {
	case "-depth", "-mount", "-xdev", "-a", "-and", "(", ")", "-print", "-maxdepth", "-warn", "-nowarn":
	default:
		c.tests = true
	}
	for range n {
		if c.at++; c.at >= len(c.args) || c.args[c.at].fields || !c.args[c.at].Static && !strings.HasSuffix(name, "name") && !strings.HasSuffix(name, "path") {
			return false
		}
	}
	return true
}

// delete adds what -delete deletes.
func (c *findCall) delete(j *judged) {
	j.exact = true
	for _, e := range c.places {
		e.Kind = Delete
		if e.Extent != Anywhere || c.tests {
			e.Span = c.args[c.at].Span
		}
		if c.tests && e.Extent == Tree {
			e.Extent = Within // what the tests choose below the start
		}
		j.effects = append(j.effects, e)
	}
}

// exec reads the command of -exec and its like.
func (c *findCall) exec(name string, j *judged) bool {
	j.exact, j.names = true, false
	var inner []word
	for c.at++; c.at < len(c.args); c.at++ {
		b := c.args[c.at]
		if b.Static && b.Text == ";" {
			break
		}
		if b.Static && b.Text == "+" && strings.HasPrefix(name, "-exec") && len(inner) > 0 && inner[len(inner)-1].Text == "{}" {
			break // to -ok a word like others
		}
		if b.Static && strings.Contains(b.Text, "{}") {
			b.Static = false
			b.lead = 0
			if b.Text == "{}" {
				b.lead = c.lead
				b.guess = &guess{below: c.places, feed: &feed{nul: true, command: len(c.w.rep.Commands) + 1}}
				if name == "-execdir" || name == "-okdir" {
					b.lead = 0 // BSD find gives the bare name
				}
			} else if b.Text[0] != '{' {
				b.lead = b.Text[0]
			}
		}
		inner = append(inner, b)
	}
	if len(inner) == 0 || c.at >= len(c.args) {
		return false
	}
	if c.args[c.at].Text == "+" {
		inner[len(inner)-1].fields = true
	}
	j.execs = append(j.execs, inner)
	j.away = j.away || strings.HasSuffix(name, "dir")
	return true
}

// sedDelimiters may stand around the parts of s, y and an address.
const sedDelimiters = "/|,:#%@!_+~^;"

// sedOnlyPrints accepts programs made of addresses and commands that neither
// write nor run anything (GNU sed manual, chapters 3 and 4).
func sedOnlyPrints(s string) bool {
	i := 0
	skip := func(set string) {
		for i < len(s) && strings.IndexByte(set, s[i]) >= 0 {
			i++
		}
	}
	// delimited skips to the next unescaped d, outside bracket expressions
	// only as far as both readings agree.
	delimited := func(d byte) bool {
		for i < len(s) {
			switch s[i] {
			case '\\':
				i++
				if i < len(s) && s[i] == '\n' {
					return false
				}
			case d:
				i++
				return true
			case '\n':
				return false
			case '[':
				if i = bracketEnd(s, i, d); i < 0 {
					return false
				}
			}
			i++
		}
		return false
	}
	address := func() (found, ok bool) {
		if i >= len(s) {
			return false, true
		}
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			skip("0123456789")
			if i < len(s) && s[i] == '~' {
				i++
				skip("0123456789")
			}
			return true, true
		case c == '$':
			i++
			return true, true
		case c == '/' || c == '\\' && i+1 < len(s) && strings.IndexByte(sedDelimiters, s[i+1]) >= 0:
			if c == '\\' {
				i++
			}
			i++
			if !delimited(s[i-1]) {
				return true, false
			}
			skip("IM")
			return true, true
		}
		return false, true
	}
	for {
		skip(" \t\n;")
		if i >= len(s) {
			return true // of another -e, or an error to sed, where braces do not match
		}
		if s[i] == '#' {
			for i < len(s) && s[i] != '\n' {
				if s[i] == '\r' { // busybox ends the line there
					return false
				}
				i++
			}
			continue
		}
		found, ok := address()
		if !ok {
			return false
		}
		if found {
			skip(" \t")
			if i < len(s) && s[i] == ',' {
				i++
				skip(" \t")
				if i < len(s) && (s[i] == '+' || s[i] == '~') {
					i++
				}
				if found, ok := address(); !found || !ok {
					return false
				}
			}
		}
		skip(" \t")
		if i < len(s) && s[i] == '!' {
			i++
			skip(" \t")
		}
		if i >= len(s) {
			return false
		}
		c := s[i]
		i++
		switch c {
		case '{':
			continue
		case '}':
		case 'p', 'P', 'd', 'D', 'n', 'N', 'g', 'G', 'h', 'H', 'x', '=', 'l', 'z':
		case 'q', 'Q':
			skip(" 0123456789")
		case ':', 'b', 't', 'T':
			// A label. Where it ends at the line's end alone (POSIX, BSD), what
			// follows is part of it and no command.
			skip(" \t")
			label := i
			skip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
			if c == ':' && (found || i == label) || i < len(s) && s[i] == '#' { // to busybox # is part of the label
				return false
			}
		case 'a', 'i', 'c':
			// The rest of the line is text that is printed, or after a backslash
			// at its end the next line. GNU and BSD differ in the other forms.
			skip(" \t")
			if i < len(s) && s[i] == '\\' {
				i++
				if i < len(s) && s[i] == '\n' {
					i++
				} else {
					skip(" \t")
				}
			}
			text := i
			for i < len(s) && s[i] != '\n' {
				if s[i] == '\\' {
					return false
				}
				i++
			}
			if i == text {
				return false
			}
			continue
		case 's', 'y':
			if i >= len(s) || strings.IndexByte(sedDelimiters, s[i]) < 0 {
				return false
			}
			d := s[i]
			i++
			if !delimited(d) || !replacement(s, &i, d) {
				return false
			}
			if c == 's' {
				skip("gpiImM0123456789")
			}
		default:
			return false
		}
		skip(" \t")
		if i < len(s) && strings.IndexByte(";\n}#", s[i]) < 0 {
			return false
		}
	}
}

func replacement(s string, i *int, d byte) bool {
	for *i < len(s) {
		switch s[*i] {
		case '\\':
			*i++
			if *i < len(s) && s[*i] == '\n' {
				return false
			}
		case d:
			*i++
			return true
		case '\n':
			return false
		}
		*i++
	}
	return false
}

type awkWord uint8

const (
	awkVar awkWord = iota
	awkKey
	awkHead // a parenthesis follows, and then a statement
	awkPrint
	awkCall
)

// awkKind sorts the words of awk that neither write, run, connect nor read
// another file (POSIX awk, gawk manual 5.1).
func awkKind(w string) awkWord {
	switch w {
	case "BEGIN", "END", "else", "do", "next", "exit", "break", "continue", "in", "delete", "return":
		return awkKey
	case "if", "while", "for":
		return awkHead
	case "print", "printf":
		return awkPrint
	case "length", "substr", "index", "split", "sub", "gsub", "gensub", "match", "sprintf", "tolower", "toupper", "int", "log", "exp",
		"sqrt", "sin", "cos", "atan2", "rand", "srand", "strftime", "mktime", "systime", "asort", "asorti", "and", "or", "xor",
		"compl", "lshift", "rshift", "strtonum":
		return awkCall
	}
	return awkVar
}

// awkRefused are the words that read, run, write or name the environment, or
// that mean different things in different awks.
func awkRefused(w string) bool {
	switch w {
	case "getline", "system", "close", "fflush", "func", "ENVIRON", "PROCINFO", "ARGV", "ARGC", "SYMTAB", "FUNCTAB",
		"nextfile", "getenv", "switch", "case", "default", "BEGINFILE", "ENDFILE", "namespace", "eval", "use", "popen", "fopen":
		return true
	}
	return false
}

// awkAssignment says that awk takes an operand for an assignment (POSIX awk,
// "Operands").
func awkAssignment(t string) bool {
	name, _, ok := strings.Cut(t, "=")
	return ok && syntax.ValidName(name)
}

// mayBeInet says that an operand may be /inet/…, /inet4/… or /inet6/…: gawk
// opens these as connections wherever it opens a file (gawk manual, "Using gawk
// for Network Programming").
func mayBeInet(o word) bool {
	const inet = "/inet"
	g := o.guessed()
	begins := func(known string) bool { return strings.HasPrefix(known, inet) }
	switch {
	case o.proc:
		return false
	case g.feed != nil && !g.feed.nul: // "x /inet/…" is the name of a file in a folder
		return true
	case o.Static && o.Glob: // a pattern that matches nothing stays as it is
		known := o.Text
		if i := strings.IndexAny(known, "*?[\\"); i >= 0 {
			known = known[:i]
		}
		return begins(known) || strings.HasPrefix(inet, known) && known != ""
	case o.Static:
		return begins(o.Text)
	case len(g.one) > 0:
		return slices.ContainsFunc(g.one, func(w Word) bool { return mayBeInet(word{Word: w}) })
	case len(g.below) > 0:
		return slices.ContainsFunc(g.below, func(e Effect) bool { return begins(e.Target) })
	case g.prefix != "":
		return begins(g.prefix) || strings.HasPrefix(inet, g.prefix)
	}
	return o.lead == 0 || o.lead == '/'
}

// socketFilter says that a text is what lsof -i takes, [46][PROTOCOL][:PORTS],
// without a host, whose name it would look up (lsof(8)).
func socketFilter(t string) bool {
	t = strings.TrimLeft(t, "46")
	address, ports, _ := strings.Cut(t, ":")
	switch strings.ToLower(address) {
	case "", "tcp", "udp":
	default:
		return false
	}
	return strings.Trim(ports, "abcdefghijklmnopqrstuvwxyz0123456789-,") == ""
}

// awkOnlyPrints accepts awk programs without anything that could write, run,
// connect or read another file: every function is on a list, a redirection
// sign stands only where it must be a comparison, and where a slash could be
// a division or a regular expression the program is not understood.
func awkOnlyPrints(s string) bool {
	const (
		slashRegexp = iota // no operand before: a regular expression
		slashDivide
		slashEither
	)
	printing := false // inside a print statement, as far as lines tell
	slash := slashRegexp
	var open []byte  // what is open: ( [ or h, the ( of the head of if, while or for
	head := false    // the last word was if, while or for
	var own []string // functions that the text has defined
	for i := 0; i < len(s); {
		c := s[i]
		wasHead := head
		if c != ' ' && c != '\t' {
			if head && c != '(' { // busybox passes over a newline there
				return false
			}
			head = false
		}
		switch {
		case c == ' ' || c == '\t':
			i++
		case c == '\n':
			// It may or may not end a statement; a print goes on after a comma.
			if len(open) > 0 {
				return false
			}
			if slash == slashDivide {
				slash = slashRegexp
			}
			i++
		case c == ';':
			if len(open) > 0 && open[len(open)-1] != 'h' {
				return false
			}
			if len(open) == 0 {
				printing = false
			}
			slash = slashRegexp
			i++
		case c == '{' || c == '}':
			if len(open) > 0 {
				return false
			}
			printing, slash = false, slashRegexp
			i++
		case c == '#':
			if i > 0 && strings.IndexByte(" \t\n;{}", s[i-1]) < 0 {
				return false
			}
			for i < len(s) && s[i] != '\n' {
				if s[i] == '\\' {
					return false
				}
				i++
			}
		case c == '"':
			i++
			for i < len(s) && s[i] != '"' {
				if s[i] == '\\' {
					i++
				}
				if i < len(s) && s[i] == '\n' {
					return false
				}
				i++
			}
			if i >= len(s) {
				return false
			}
			i++
			slash = slashDivide
		case c == '/':
			switch slash {
			case slashEither:
				return false
			case slashDivide:
				slash = slashRegexp
				i++
				if i < len(s) && s[i] == '=' {
					return false // the assignment /= or a regular expression
				}
				continue
			}
			i++
			for i < len(s) && s[i] != '/' {
				if s[i] == '\n' {
					return false
				}
				if s[i] == '[' { // a slash in a bracket is read differently by different awks
					if i = bracketEnd(s, i, '/'); i < 0 {
						return false
					}
				}
				if s[i] == '\\' {
					i++
				}
				i++
			}
			if i >= len(s) {
				return false
			}
			i++
			slash = slashEither // some awks join two regular expressions
		case c >= '0' && c <= '9' || c == '.':
			if i = numberEnd(s, i); i < 0 {
				return false
			}
			slash = slashDivide
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_':
			k := i
			for i < len(s) && (s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z' || s[i] == '_' || s[i] >= '0' && s[i] <= '9') {
				i++
			}
			word := s[k:i]
			if awkRefused(word) {
				return false
			}
			slash = slashDivide
			if word == "function" {
				for i < len(s) && s[i] == ' ' {
					i++
				}
				name, _, called := strings.Cut(s[i:], "(")
				if !called || len(open) > 0 || !syntax.ValidName(name) || awkRefused(name) || name == "function" || awkKind(name) != awkVar {
					return false
				}
				own = append(own, name)
				i += len(name)
				continue
			}
			switch awkKind(word) {
			case awkPrint:
				if len(open) > 0 { // for (print > "f";;): gawk takes a print in the head of a loop
					return false
				}
				printing, slash = true, slashRegexp
			case awkKey:
				slash = slashRegexp
			case awkHead:
				slash, head = slashRegexp, true
			case awkCall:
				slash = slashEither
			default:
				if i < len(s) && s[i] == '(' && !slices.Contains(own, word) {
					return false // a function that is not on the list
				}
			}
		case c == '(' || c == '[':
			if wasHead {
				c = 'h'
			}
			open = append(open, c)
			slash = slashRegexp
			i++
		case c == ')' || c == ']':
			if len(open) == 0 || (open[len(open)-1] == '[') != (c == ']') {
				return false
			}
			slash = slashDivide
			if open[len(open)-1] == 'h' {
				slash = slashRegexp
			}
			open = open[:len(open)-1]
			i++
		case c == '>':
			if printing && len(open) == 0 {
				if i = awkStandardError(s, i); i < 0 {
					return false
				}
				printing = false
				continue
			}
			if printing && open[len(open)-1] == '[' {
				return false
			}
			slash = slashRegexp
			i++
		case c == '|' || c == '&':
			if i+1 >= len(s) || s[i+1] != c {
				return false
			}
			slash = slashRegexp
			i += 2
		case c == '+' || c == '-':
			slash = slashRegexp
			if i+1 < len(s) && s[i+1] == c {
				i++
				slash = slashEither
			}
			i++
		case strings.IndexByte("$,*%^!=<~?:", c) >= 0:
			slash = slashRegexp
			i++
		default:
			return false
		}
	}
	return len(open) == 0
}

// awkStandardError returns where the words > "/dev/stderr" at i end, which end a
// statement too, or -1.
func awkStandardError(s string, i int) int {
	rest := strings.TrimLeft(s[i+1:], " ")
	if t, ok := strings.CutPrefix(rest, `"/dev/stderr"`); ok {
		if t = strings.TrimLeft(t, " "); t == "" || strings.IndexByte(";}\n", t[0]) >= 0 {
			return len(s) - len(t)
		}
	}
	return -1
}

// numberEnd returns where the decimal number at i ends, or -1 where a letter,
// a digit or a dot follows: programs begin the next word at another place
// (1e5getline, 0xfgetline).
func numberEnd(s string, i int) int {
	digits := func() {
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
	}
	begin := i
	digits()
	if i < len(s) && s[i] == '.' {
		i++
		digits()
	}
	if s[begin:i] == "." {
		return -1
	}
	if i+1 < len(s) && s[i]|' ' == 'e' && (s[i+1] >= '0' && s[i+1] <= '9' || i+2 < len(s) && (s[i+1] == '+' || s[i+1] == '-') && s[i+2] >= '0' && s[i+2] <= '9') {
		i += 2
		digits()
	}
	if i < len(s) && (s[i] == '.' || s[i] == '_' || s[i] >= '0' && s[i] <= '9' || s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z') {
		return -1
	}
	return i
}

// bracketEnd returns where the bracket expression at i of a regular expression
// ends, at its ], or -1 where programs may disagree about that. To gawk and mawk
// the delimiter d is a character there, and so is a ] at the beginning ([]/],
// [^]/]); others, and GNU sed, end the expression at the delimiter. To some a backslash
// is a character there, to others it takes the next one along: that makes a
// difference before a bracket.
func bracketEnd(s string, i int, d byte) int {
	if i++; i < len(s) && s[i] == '^' {
		i++
	}
	if i < len(s) && s[i] == ']' {
		i++
	}
	for ; i < len(s) && s[i] != d && s[i] != '\n'; i++ {
		switch s[i] {
		case ']':
			return i
		case '\\':
			if i++; i >= len(s) || strings.IndexByte("[]\n", s[i]) >= 0 {
				return -1
			}
		case '[':
			n := strings.IndexByte(s[i:], ']')
			if n < 4 || d == ':' || s[i+1] != ':' || s[i+n-1] != ':' || strings.Trim(s[i+2:i+n-1], "abcdefghijklmnopqrstuvwxyz") != "" {
				return -1
			}
			i += n
		}
	}
	return -1
}

// jqName lists the builtins of jq 1.6 to 1.8 that compute from their input alone.
// Not among them: env, input_filename, import, include, modulemeta, halt_error
// and what names the environment or other files.
func jqName(w string) bool {
	switch w {
	case "GROUP_BY", "IN", "INDEX", "JOIN", "UNIQUE_BY", "abs", "acos", "acosh", "add", "all", "and", "any", "arrays", "as", "ascii",
		"ascii_downcase", "ascii_upcase", "asin", "asinh", "atan", "atan2", "atanh", "booleans", "break", "bsearch", "capture", "catch", "cbrt",
		"ceil", "combinations", "contains", "copysign", "cos", "cosh", "date", "dateadd", "datesub", "debug", "def", "del", "delpaths", "drem",
		"elif", "else", "empty", "end", "endswith", "error", "exp", "exp10", "exp2", "explode", "fabs", "false", "finites", "first", "flatten",
		"floor", "fma", "fmax", "fmin", "fmod", "foreach", "format", "frexp", "from_entries", "fromdate", "fromdateiso8601", "fromjson",
		"fromstream", "gamma", "getpath", "gmtime", "group_by", "gsub", "halt", "halt_error", "has", "have_decnum", "have_literal_numbers", "if",
		"implode", "in", "index", "indices", "infinite", "input", "input_line_number", "inputs", "inside", "isempty", "isfinite", "isinfinite",
		"isnan", "isnormal", "isvalid", "iterables", "join", "keys", "keys_unsorted", "label", "last", "ldexp", "length", "lgamma", "limit",
		"localtime", "log", "log10", "log2", "logb", "ltrim", "ltrimstr", "map", "map_values", "match", "max", "max_by", "min", "min_by",
		"mktime", "modf", "nan", "nearbyint", "normals", "not", "now", "nth", "null", "nulls", "numbers", "objects", "or", "path", "paths",
		"pick", "pow", "pow10", "range", "recurse", "recurse_down", "reduce", "repeat", "reverse", "rindex", "round", "rtrim", "rtrimstr",
		"scalars", "scalb", "scalbln", "scan", "select", "setpath", "significand", "sin", "sinh", "skip", "sort", "sort_by", "split", "splits",
		"sqrt", "startswith", "strflocaltime", "strftime", "strings", "strptime", "sub", "tan", "tanh", "test", "tgamma", "then", "to_entries",
		"toarray", "todate", "todateiso8601", "tojson", "tonumber", "tostream", "tostring", "transpose", "trim", "trimstr", "true", "trunc",
		"truncate_stream", "try", "type", "unique", "unique_by", "until", "utf8bytelength", "values", "walk", "while", "with_entries":
		return true
	}
	return false
}

// jqRefused are the builtins that a filter may not name, not even as its own.
func jqRefused(w string) bool {
	switch w {
	case "env", "import", "include", "input_filename", "modulemeta", "get_search_list":
		return true
	}
	return false
}

// jqOnlyReads accepts filters made of listed builtins, their own functions and
// variables, fields and operators. jq itself can neither write nor run anything
// (jq manual 1.7); what is refused tells the environment or reads other files.
func jqOnlyReads(s string) bool {
	own := map[string]bool{}
	end, ok := jqScan(s, 0, false, own)
	return ok && end == len(s)
}

// jqScan reads a filter up to its end, or to the closing parenthesis of a
// string interpolation.
func jqScan(s string, i int, inString bool, own map[string]bool) (end int, ok bool) {
	var open []byte   // the brackets that are open
	var branch []bool // a statement stands inside, in which commas join results
	prev := ""
	ident := func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= '0' && c <= '9'
	}
	for i < len(s) {
		c := s[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n':
			i++
			continue
		case c == '#':
			for i < len(s) && s[i] != '\n' {
				if s[i] == '\\' || s[i] == '\r' { // newer versions continue a comment, or end it there
					return i, false
				}
				i++
			}
			continue
		case c == '"':
			if i, ok = jqString(s, i+1, own); !ok {
				return i, false
			}
			prev = "\""
			continue
		case c >= '0' && c <= '9':
			if i = numberEnd(s, i); i < 0 {
				return len(s), false
			}
			prev = "0"
			continue
		case c == '$' || c == '@' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_':
			k := i
			for i++; i < len(s) && (ident(s[i]) || s[i] == ':' && i+1 < len(s) && s[i+1] == ':'); i++ {
				if s[i] == ':' {
					return i, false // a module
				}
			}
			word := s[k:i]
			switch {
			case c == '@':
			case c == '$':
				if word == "$ENV" || strings.HasPrefix(word, "$__") && word != "$__loc__" || len(word) == 1 {
					return i, false
				}
			case prev == ".":
				word = "." + word // .def is no def
			case prev == "def":
				if jqRefused(word) {
					return i, false
				}
				own[word] = true
			default:
				// The key of an object is data.
				n := i
				for n < len(s) && (s[n] == ' ' || s[n] == '\t' || s[n] == '\n') {
					n++
				}
				key := n < len(s) && len(open) > 0 && open[len(open)-1] == '{' && (prev == "{" || prev == ",") &&
					(s[n] == ':' || (s[n] == ',' || s[n] == '}') && !branch[len(branch)-1]) // {name, size} takes the fields of these names
				switch word {
				case "if", "then", "elif", "else", "try", "catch", "reduce", "foreach", "label", "def", "as":
					if !key && len(branch) > 0 {
						branch[len(branch)-1] = true
					}
				}
				if !key && !jqName(word) && !own[word] {
					if jqRefused(word) || prev != "(" && prev != ";" || !jqParameter(s[:k]) {
						return i, false
					}
					own[word] = true
				}
			}
			prev = word
			continue
		case c == '(' || c == '[' || c == '{':
			open, branch = append(open, c), append(branch, false)
		case c == ')' || c == ']' || c == '}':
			if len(open) == 0 {
				return i, inString && c == ')'
			}
			open, branch = open[:len(open)-1], branch[:len(branch)-1]
		case strings.IndexByte(".,:;|?+-*/%=<>!", c) < 0:
			return i, false
		}
		prev = s[i : i+1]
		i++
	}
	return i, !inString && len(open) == 0
}

// jqParameter says that what follows is a parameter of a def.
func jqParameter(before string) bool {
	i, def := strings.LastIndexByte(before, '('), strings.LastIndex(before, "def ")
	return def >= 0 && def < i && !strings.ContainsAny(before[def:i], ":|[{")
}

func jqString(s string, i int, own map[string]bool) (end int, ok bool) {
	for i < len(s) {
		switch s[i] {
		case '"':
			return i + 1, true
		case '\\':
			i++
			if i < len(s) && s[i] == '(' {
				if i, ok = jqScan(s, i+1, true, own); !ok {
					return i, false
				}
			}
		}
		i++
	}
	return i, false
}

// printfFormat accepts a format of printf without %n, which assigns a variable
// that an operand names: after `printf x%n PATH` programs come out of the
// folder 1 (bash 5.2 and zsh 5.9 do so, their manuals do not tell).
func (w *walker) printfFormat(o word, j *judged) bool {
	args := j.argv[1:]
	for len(args) > 0 && args[0].Span != o.Span {
		args = args[1:]
	}
	named := false // what follows may be a name
	for _, a := range args[min(1, len(args)):] {
		named = named || !a.Static || a.Glob || a.Text != "" && !(a.Text[0] >= '0' && a.Text[0] <= '9')
	}
	if !named {
		return true
	}
	if one := o.guessed().one; !o.Static && len(one) > 0 {
		return !slices.ContainsFunc(one, func(x Word) bool { return !printfPrints(x.Text) })
	}
	return o.Static && !o.Glob && printfPrints(o.Text)
}

// printfPrints reads the directives of a format. An escape may stand for any
// byte of one (zsh undoes them before).
func printfPrints(f string) bool {
	for i := 0; i < len(f); i++ {
		switch f[i] {
		case '\\':
			n, base, digits := i+1, 8, 3
			if n < len(f) {
				switch f[n] {
				case 'x':
					n, base, digits = n+1, 16, 2
				case 'u', 'U':
					n, base, digits = n+1, 16, 8
				case '0':
					digits = 4
				}
			}
			end := n
			for end < len(f) && end < n+digits && (f[end] >= '0' && f[end] <= '7' || base == 16 && strings.IndexByte("89abcdefABCDEF", f[end]) >= 0) {
				end++
			}
			if v, err := strconv.ParseUint(f[n:end], base, 64); err == nil && v == '%' {
				return false
			}
			if i+1 < len(f) && f[i+1] == '\\' {
				i++
			}
		case '%':
			for i++; i < len(f) && strings.IndexByte("#0 +-'123456789*.hjlLtz$", f[i]) >= 0; i++ {
			}
			if i >= len(f) {
				return true
			}
			if f[i] == 'n' || f[i] == '\\' {
				return false
			}
		}
	}
	return true
}

// ssFilter says that a word of the filter of ss, or the whole filter in one
// word, names states, ports by number and addresses by number (ss(8)): a name
// would be looked up.
func ssFilter(text string) bool {
	for _, t := range strings.Fields(text) {
		switch t {
		case "state", "exclude", "sport", "dport", "src", "dst", "=", "==", "!=", "eq", "ne", "neq", "<", ">", "<=", ">=", "lt", "gt", "le", "ge", "leq", "geq",
			"and", "or", "not", "&&", "||", "&", "|", "!", "(", ")",
			"all", "connected", "synchronized", "bucket", "big", "established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait",
			"closed", "close-wait", "last-ack", "listening", "listen", "closing":
		default:
			if !socketAddress(t) {
				return false
			}
		}
	}
	return true
}

// socketAddress says that the text is an address in numbers, with a port or
// without: anything else would be looked up ("." too).
func socketAddress(t string) bool {
	host, port := t, ""
	if at := strings.LastIndexByte(t, ':'); at >= 0 && !strings.HasSuffix(t, "]") {
		host, port = t[:at], t[at+1:]
	}
	if port != "*" && strings.Trim(port, "0123456789") != "" {
		return false
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inner, "]")
	}
	_, addr := netip.ParseAddr(host)
	_, prefix := netip.ParsePrefix(host)
	return host == "" && t != "" || host == "*" || addr == nil || prefix == nil
}

// ddOperand adds what an operand of dd reads or writes.
func (w *walker) ddOperand(o word, j *judged) bool {
	name, file, ok := strings.Cut(o.Text, "=")
	if !ok || !o.Static || o.Glob {
		return false
	}
	switch o.Text = file; name {
	case "if":
		return w.usePath(pathOf(Read, Exact), o, j)
	case "of":
		return w.usePath(pathOf(Write, Exact), o, j)
	case "bs", "cbs", "ibs", "obs", "count", "skip", "seek", "iseek", "oseek", "conv", "iflag", "oflag", "status":
		return true
	}
	return false
}

// gzipFile adds what gzip and pigz read of a packed file: where there is none of
// the name, and it does not end as packed files do, one with such an ending
// (gzip 1.12 and pigz 2.6 do; bzip2, xz and zstd open what they are told).
func (w *walker) gzipFile(o word, j *judged) bool {
	read := pathOf(Read, Exact)
	if one := o.guessed().one; !o.Static && len(one) > 0 {
		for _, item := range one {
			item.Span = o.Span
			if !w.gzipFile(word{Word: item}, j) {
				return false
			}
		}
		return true
	}
	if !w.usePath(read, o, j) {
		return false
	}
	if !o.Static || o.Text == "-" {
		return true
	}
	lower := strings.ToLower(o.Text)
	for _, end := range []string{".gz", ".z", ".tgz", ".taz", "-gz", "-z", "_z"} {
		if strings.HasSuffix(lower, end) {
			return true
		}
	}
	// A pattern that matches nothing is a name too.
	for _, end := range []string{".gz", ".z", "-z", "_z", ".Z"} {
		longer := o
		longer.Text += end
		w.usePath(read, longer, j)
	}
	return true
}

// isLocalFile says that an archiver takes the word for the name of a file, not
// for HOST:FILE (a colon before any slash) and not for @FILE (GNU tar manual,
// "Device Selection and Switching").
func (o word) isLocalFile() bool {
	g := o.guessed()
	if len(g.one) > 0 {
		return !slices.ContainsFunc(g.one, func(x Word) bool { return !(word{Word: x}).isLocalFile() })
	}
	known := g.prefix
	if o.Static {
		known = o.Text
		if i := strings.IndexAny(known, "*?[\\"); o.Glob && i >= 0 {
			known = known[:i]
		}
	}
	if strings.HasPrefix(known, "@") || o.fields && !o.Glob {
		return false
	}
	slash, colon := strings.IndexByte(known, '/'), strings.IndexByte(known, ':')
	return slash >= 0 && (colon < 0 || slash < colon) || o.Static && !o.Glob && colon < 0
}

// mayNameArguments says that a word may be @FILE, of which some programs read
// further arguments.
func (o word) mayNameArguments() bool {
	g := o.guessed()
	switch {
	case o.proc:
		return false
	case o.Static && !o.Glob:
		return strings.HasPrefix(o.Text, "@")
	case o.Static:
		return strings.IndexByte("@*?[\\", o.Text[0]) >= 0
	case len(g.one) > 0:
		return slices.ContainsFunc(g.one, func(x Word) bool { return word{Word: x}.mayNameArguments() })
	case g.prefix != "":
		return g.prefix[0] == '@'
	}
	return o.lead != '/' && o.lead != '.'
}
