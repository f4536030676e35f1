package bashcheck

import "strings"

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
var findTests = map[string]int{
	"-print": 0, "-print0": 0, "-ls": 0, "-prune": 0, "-quit": 0, "-true": 0, "-false": 0, "-depth": 0, "-mount": 0, "-xdev": 0,
	"-daystart": 0, "-follow": 0, "-noleaf": 0, "-warn": 0, "-nowarn": 0, "-ignore_readdir_race": 0, "-noignore_readdir_race": 0,
	"-empty": 0, "-executable": 0, "-readable": 0, "-writable": 0, "-nouser": 0, "-nogroup": 0, "-a": 0, "-and": 0, "-o": 0, "-or": 0, "-not": 0,
	"!": 0, "(": 0, ")": 0, ",": 0, "-help": 0, "--help": 0, "-version": 0, "--version": 0,
	"-maxdepth": 1, "-mindepth": 1, "-regextype": 1, "-amin": 1, "-anewer": 1, "-atime": 1, "-cmin": 1, "-cnewer": 1, "-ctime": 1, "-fstype": 1,
	"-gid": 1, "-group": 1, "-ilname": 1, "-iname": 1, "-inum": 1, "-ipath": 1, "-iregex": 1, "-iwholename": 1, "-links": 1, "-lname": 1,
	"-mmin": 1, "-mtime": 1, "-name": 1, "-newer": 1, "-path": 1, "-perm": 1, "-regex": 1, "-samefile": 1, "-size": 1, "-type": 1, "-uid": 1,
	"-used": 1, "-user": 1, "-wholename": 1, "-xtype": 1, "-context": 1, "-printf": 1,
	"-newermt": 1, "-newerat": 1, "-newerct": 1, "-newermm": 1, "-neweraa": 1, "-newercc": 1,
}

func (w *walker) findArgs(args []word, j *judged) {
	i := 0
	for i < len(args) && args[i].Static && (args[i].Text == "-H" || args[i].Text == "-L" || args[i].Text == "-P") {
		i++
	}
	starts := 0
	lead := byte('.')
	for ; i < len(args); i++ {
		a := args[i]
		if a.Static && !a.Glob && (strings.HasPrefix(a.Text, "-") || a.Text == "(" || a.Text == ")" || a.Text == "!" || a.Text == ",") {
			break
		}
		first := a.lead
		if a.Static && a.Text != "" && !a.Glob {
			first = a.Text[0]
		}
		if first == 0 || strings.IndexByte("-(!),", first) >= 0 {
			j.ok = false
		}
		if first != '.' && first != '/' {
			lead = 'x'
		}
		starts++
		w.usePath(valueSpec{vPath, List, Tree}, a, j)
	}
	if starts == 0 {
		j.effects = append(j.effects, Effect{Kind: List, Target: ".", Extent: Tree, Dir: w.st.dir, Span: Span{}})
	}
	places := append([]Effect(nil), j.effects...)
	for ; i < len(args); i++ {
		a := args[i]
		if !a.Static || a.Glob {
			j.ok = false
			return
		}
		if n, ok := findTests[a.Text]; ok {
			for range n {
				if i++; i >= len(args) || args[i].fields || !args[i].Static && !strings.HasSuffix(a.Text, "name") && !strings.HasSuffix(a.Text, "path") {
					j.ok = false
					return
				}
			}
			continue
		}
		switch a.Text {
		case "-delete":
			j.exact = true
			for _, e := range places {
				e.Kind = Delete
				e.Span = a.Span
				j.effects = append(j.effects, e)
			}
		case "-exec", "-execdir", "-ok", "-okdir":
			j.exact = true
			var inner []word
			for i++; i < len(args); i++ {
				b := args[i]
				if b.Static && b.Text == ";" || b.Static && b.Text == "+" && len(inner) > 0 && inner[len(inner)-1].Text == "{}" {
					break
				}
				if b.Static && strings.Contains(b.Text, "{}") {
					b.Static = false
					b.lead = 0
					if b.Text == "{}" {
						b.lead = lead
						if a.Text == "-execdir" || a.Text == "-okdir" {
							b.lead = 0 // BSD find gives the bare name
						}
					} else if b.Text[0] != '{' {
						b.lead = b.Text[0]
					}
				}
				inner = append(inner, b)
			}
			if len(inner) == 0 || i >= len(args) {
				j.ok = false
				return
			}
			if t := args[i]; t.Text == "+" {
				inner[len(inner)-1].fields = true
			}
			j.execs = append(j.execs, inner)
		case "-fprint", "-fprint0", "-fls", "-fprintf":
			if i++; i >= len(args) {
				j.ok = false
				return
			}
			w.usePath(valueSpec{vPath, Write, Exact}, args[i], j)
			if a.Text == "-fprintf" {
				i++
			}
		default:
			j.ok = false
			return
		}
	}
}

// sed accepts programs made of addresses and commands that neither write nor
// run anything (GNU sed manual, chapters 3 and 4).
func (w *walker) sed(o word, j *judged) bool {
	return sedOnlyPrints(o.Text)
}

func sedOnlyPrints(s string) bool {
	i := 0
	depth := 0
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
				// Within a bracket expression the delimiter may be plain
				// text: only brackets without it are understood.
				k := i + 1
				if k < len(s) && s[k] == '^' {
					k++
				}
				if k < len(s) && s[k] == ']' {
					k++
				}
				for k < len(s) && s[k] != ']' && s[k] != '\n' {
					if s[k] == d || s[k] == '[' || s[k] == '\\' {
						return false
					}
					k++
				}
				if k >= len(s) || s[k] != ']' {
					return false
				}
				i = k
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
		case c == '/':
			i++
			if !delimited('/') {
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
			return depth == 0
		}
		if s[i] == '#' {
			for i < len(s) && s[i] != '\n' {
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
			depth++
			continue
		case '}':
			if depth--; depth < 0 {
				return false
			}
		case 'p', 'P', 'd', 'D', 'n', 'N', 'g', 'G', 'h', 'H', 'x', '=', 'l', 'z':
		case 'q', 'Q':
			skip(" 0123456789")
		case 's', 'y':
			if i >= len(s) || strings.IndexByte("/|,:#%@!_+~^;", s[i]) < 0 {
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

// awkOnlyPrints accepts awk programs without anything that could write, run,
// connect or read another file: every word is on a list, and a redirection
// sign stands only where it must be a comparison.
func awkOnlyPrints(s string) bool {
	depth, lastPrint := 0, false
	prevOperand := false // the last token could end an operand, so / divides
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ' || c == '\t':
			i++
		case c == '\n' || c == ';' || c == '{' || c == '}':
			if depth > 0 && c != '\n' {
				return false
			}
			lastPrint, prevOperand = false, false
			i++
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
			prevOperand = true
		case c == '/' && !prevOperand:
			i++
			for i < len(s) && s[i] != '/' {
				if s[i] == '\n' {
					return false
				}
				if s[i] == '[' { // a slash in a bracket is read differently by different awks
					end := strings.IndexByte(s[i:], ']')
					if end < 0 || strings.IndexByte(s[i:i+end], '/') >= 0 {
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
			prevOperand = true
		case c >= '0' && c <= '9' || c == '.':
			for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
				i++
			}
			prevOperand = true
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_':
			k := i
			for i < len(s) && (s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z' || s[i] == '_' || s[i] >= '0' && s[i] <= '9') {
				i++
			}
			word := s[k:i]
			next := i
			for next < len(s) && (s[next] == ' ' || s[next] == '\t') {
				next++
			}
			call := next < len(s) && s[next] == '('
			prevOperand = true
			switch word {
			case "print", "printf":
				lastPrint, prevOperand = true, false
			case "BEGIN", "END", "if", "else", "while", "for", "do", "next", "exit", "break", "continue", "in", "delete", "return":
				prevOperand = false
			case "length", "substr", "index", "split", "sub", "gsub", "gensub", "match", "sprintf", "tolower", "toupper", "int", "log", "exp", "sqrt",
				"sin", "cos", "atan2", "rand", "srand", "strftime", "mktime", "systime", "asort", "asorti", "and", "or", "xor", "compl", "lshift", "rshift":
			case "getline", "system", "close", "fflush", "function", "func", "ENVIRON", "PROCINFO", "ARGV", "ARGC", "SYMTAB", "FUNCTAB", "nextfile", "getenv":
				return false
			default:
				if call && i < len(s) && s[i] == '(' {
					return false
				}
			}
		case c == '(':
			depth++
			prevOperand = false
			i++
		case c == ')':
			if depth--; depth < 0 {
				return false
			}
			prevOperand = true
			i++
		case c == ']':
			prevOperand = true
			i++
		case c == '>':
			if lastPrint && depth == 0 {
				return false
			}
			prevOperand = false
			i++
		case c == '|':
			if i+1 >= len(s) || s[i+1] != '|' {
				return false
			}
			prevOperand = false
			i += 2
		case c == '&':
			if i+1 >= len(s) || s[i+1] != '&' {
				return false
			}
			prevOperand = false
			i += 2
		case strings.IndexByte("$,+-*/%^!=<~?:[", c) >= 0:
			prevOperand = false
			i++
		default:
			return false
		}
	}
	return depth == 0
}

// jqOnlyReads accepts filters that name neither the environment nor other
// files. jq itself can neither write nor run anything (jq manual 1.7).
func jqOnlyReads(s string) bool {
	for _, bad := range []string{"env", "ENV", "import", "include", "input_filename", "getpath(\"env", "$__", "halt", "debug", "stderr", "modulemeta", "get_search_list", "load"} {
		if strings.Contains(s, bad) {
			return false
		}
	}
	return true
}
