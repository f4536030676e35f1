package toolset

import (
	"path"
	"strings"

	"github.com/clearance-go/clearance/bashcheck"
)

// maxScript bounds the text of a script that is looked through, in bytes.
const maxScript = 256 << 10

// unknownRune stands in the text of a script for what the shell puts in.
const unknownRune = '\uFFFD'

// scriptText is the text of a script that a word holds, with what is not known
// replaced.
func scriptText(w bashcheck.Word) string {
	if w.Static {
		return w.Text
	}
	s := w.Text
	if n := len(s); n > 1 && s[0] == '"' && s[n-1] == '"' {
		s = s[1 : n-1]
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && strings.IndexByte("$`\"\\\n", s[i+1]) >= 0:
			i++
			b.WriteByte(s[i])
		case c == '"' || c == '\'':
		case c == '`':
			k := strings.IndexByte(s[i+1:], '`')
			if k < 0 {
				k = len(s) - i - 2
			}
			i += k + 1
			b.WriteRune(unknownRune)
		case c == '$' && i+1 < len(s):
			end := i + 1
			switch d := s[i+1]; {
			case d == '{' || d == '(':
				depth := 0
				for ; end < len(s); end++ {
					if s[end] == '{' || s[end] == '(' {
						depth++
					} else if s[end] == '}' || s[end] == ')' {
						if depth--; depth == 0 {
							break
						}
					}
				}
				end++
			case name(d):
				for end < len(s) && (name(s[end]) || s[end] >= '0' && s[end] <= '9') {
					end++
				}
			case strings.IndexByte("0123456789@*#?-$!", d) >= 0:
				end++
			default:
				b.WriteByte(c)
				continue
			}
			b.WriteRune(unknownRune)
			i = min(end, len(s)) - 1
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func name(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// script is the text of a file that holds one.
func (o *outputs) script(w bashcheck.Word, file string) {
	dirs := o.b.places(o.c.Dir)
	if !w.Static || file == "-" || strings.HasPrefix(file, "/dev/") || len(dirs) == 0 {
		o.unknown(w)
		return
	}
	if o.b.t.o.Offline {
		return
	}
	for _, d := range dirs {
		data, err := readSmall(absolute(d, file), maxScript)
		if err != nil {
			continue // it is not there, or not readable here
		}
		if path.Base(o.names[0]) == "sed" || o.names[0] == "gsed" {
			o.sedScript(string(data), w)
		} else {
			o.awkScript(string(data), w)
		}
	}
}

// following moves on to the word behind word i and returns it with its text;
// where there is none it returns word i and no text.
func (o *outputs) following(i *int) (bashcheck.Word, string) {
	if *i+1 >= len(o.c.Argv) {
		return o.c.Argv[*i], ""
	}
	*i++
	w := o.c.Argv[*i]
	return w, scriptText(w)
}

// sed finds the scripts among the words of a sed, and reads them.
func (o *outputs) sed() {
	var scripts []string
	var first, at bashcheck.Word
	operand, given := false, false
	add := func(w bashcheck.Word, text string) {
		given, at = true, w
		scripts = append(scripts, text)
	}
	start := o.word("sed") + 1
	if start == 0 {
		start = 1
	}
	for i := start; i < len(o.c.Argv); i++ {
		w := o.c.Argv[i]
		t := scriptText(w)
		next := func() (bashcheck.Word, string) { return o.following(&i) }
		flag, value, has := strings.Cut(t, "=")
		switch {
		case len(flag) > 2 && strings.HasPrefix("--expression", flag):
			if has {
				add(w, value)
			} else {
				add(next())
			}
		case len(flag) > 3 && strings.HasPrefix("--file", flag):
			given = true
			if has {
				o.script(w, value)
			} else {
				o.script(next())
			}
		case len(flag) > 2 && strings.HasPrefix("--line-length", flag):
			if !has {
				next()
			}
		case strings.HasPrefix(t, "--"):
		case len(t) > 1 && t[0] == '-':
			for k := 1; k < len(t); k++ {
				rest := t[k+1:]
				switch t[k] {
				case 'e':
					if rest == "" {
						add(next())
					} else {
						add(w, rest)
					}
				case 'f':
					given = true
					if rest == "" {
						o.script(next())
					} else {
						o.script(w, rest)
					}
				case 'l':
					if rest == "" {
						next()
					}
				case 'i':
				default:
					continue
				}
				break
			}
		case !operand:
			first, operand = w, true
		}
	}
	if !given && operand {
		add(first, scriptText(first))
	}
	if len(scripts) > 0 {
		o.sedScript(strings.Join(scripts, "\n"), at)
	}
}

// sedScript adds the files that a script of sed writes (GNU sed manual, 3.2 to
// 3.7): the w and W commands, the w flag of s. Of what it does not understand it
// takes what follows each w for a name that may be one.
func (o *outputs) sedScript(s string, w bashcheck.Word) {
	if len(s) > maxScript {
		o.unknown(w)
		return
	}
	i := 0
	skip := func(set string) {
		for i < len(s) && strings.IndexByte(set, s[i]) >= 0 {
			i++
		}
	}
	line := func() string {
		start := i
		for i < len(s) && s[i] != '\n' {
			i++
		}
		return s[start:i]
	}
	// delimited skips to the next delimiter that no backslash stands before.
	delimited := func(d byte) bool {
		for ; i < len(s); i++ {
			switch s[i] {
			case '\\':
				i++
			case d:
				i++
				return true
			}
		}
		return false
	}
	file := func() {
		skip(" \t")
		o.inScript(line(), w)
	}
	lost := func() {
		for k := 0; k < len(s); k++ {
			if s[k] == 'w' || s[k] == 'W' {
				rest, _, _ := strings.Cut(strings.TrimLeft(s[k+1:], " \t"), "\n")
				for _, name := range []string{rest, strings.TrimRight(rest, " \t;}")} {
					o.may(name, w)
				}
			}
		}
		o.protected(s, w)
	}
	for commands := 0; ; commands++ {
		skip(" \t\r\n;{}")
		if i >= len(s) {
			return
		}
		if commands > 4096 {
			lost()
			return
		}
		// Addresses. One that is not known is taken for a line number, unless
		// nothing follows it.
		for range 2 {
			switch c := s[i]; {
			case strings.HasPrefix(s[i:], string(unknownRune)):
				skip("0123456789$~" + string(unknownRune))
				if i >= len(s) || s[i] == '\n' || s[i] == ';' {
					o.unknown(w)
					if i >= len(s) {
						return
					}
				}
			case c >= '0' && c <= '9' || c == '$':
				skip("0123456789$~")
			case c == '/':
				i++
				if !delimited('/') {
					lost()
					return
				}
			case c == '\\' && i+1 < len(s):
				d := s[i+1]
				i += 2
				if !delimited(d) {
					lost()
					return
				}
			}
			skip("IM")
			skip(" \t")
			if i >= len(s) || s[i] != ',' {
				break
			}
			i++
			skip(" \t+~")
			if i >= len(s) {
				lost()
				return
			}
		}
		skip(" \t!")
		if i >= len(s) {
			lost()
			return
		}
		c := s[i]
		i++
		switch c {
		case '{', '}', ';', '\n':
		case 's', 'y':
			if i >= len(s) {
				lost()
				return
			}
			d := s[i]
			i++
			if d == '\n' || d == '\\' || d >= 0x80 || !delimited(d) || !delimited(d) {
				lost()
				return
			}
			for i < len(s) && strings.IndexByte(" \tgpiImMe0123456789", s[i]) >= 0 {
				i++
			}
			if c == 's' && i < len(s) && s[i] == 'w' {
				i++
				file()
			} else if strings.HasPrefix(s[i:], string(unknownRune)) {
				o.unknown(w)
				line()
			}
		case 'w', 'W':
			file()
		case 'a', 'i', 'c':
			for strings.HasSuffix(line(), `\`) && i < len(s) {
				i++
			}
		case 'r', 'R', 'e', '#', ':':
			line()
		case 'b', 't', 'T', 'v':
			for i < len(s) && s[i] != '\n' && s[i] != ';' && s[i] != '}' {
				i++
			}
		case '=', 'd', 'D', 'g', 'G', 'h', 'H', 'l', 'L', 'n', 'N', 'p', 'P', 'q', 'Q', 'x', 'z', 'F':
			skip(" \t0123456789")
		default:
			if strings.HasPrefix(s[i-1:], string(unknownRune)) {
				o.unknown(w)
			}
			lost()
			return
		}
	}
}

// inScript adds a file that a script names.
func (o *outputs) inScript(name string, w bashcheck.Word) {
	if strings.ContainsRune(name, unknownRune) {
		o.unknown(w)
		return
	}
	o.writes(name, w)
}

// protected adds the protected files among the pieces of a script that is not
// understood.
func (o *outputs) protected(s string, w bashcheck.Word) {
	for i, n := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t\n;{}", r) }) {
		if i > 64 {
			return
		}
		o.writes(n, w)
	}
}

// awk finds the program among the words of an awk, and reads it.
func (o *outputs) awk() {
	start := 1
	for i, w := range o.c.Argv {
		switch path.Base(w.Text) {
		case "awk", "gawk", "mawk", "nawk", "original-awk":
			if start == 1 {
				start = i + 1
			}
		}
	}
	given := false
	for i := start; i < len(o.c.Argv); i++ {
		w := o.c.Argv[i]
		t := scriptText(w)
		next := func() (bashcheck.Word, string) { return o.following(&i) }
		flag, value, has := strings.Cut(t, "=")
		switch {
		case t == "--":
			if v, text := next(); !given {
				o.awkScript(text, v)
			}
			return
		case t == "-f" || t == "-E" || flag == "--file" && !has || flag == "--exec" && !has:
			given = true
			o.script(next())
		case flag == "--file" || flag == "--exec":
			given = true
			o.script(w, value)
		case strings.HasPrefix(t, "-f"):
			given = true
			o.script(w, t[2:])
		case t == "-e" || flag == "--source" && !has:
			given = true
			v, text := next()
			o.awkScript(text, v)
		case flag == "--source":
			given = true
			o.awkScript(value, w)
		case t == "-v" || t == "-F" || flag == "--assign" && !has || flag == "--field-separator" && !has || t == "-i" || t == "-l":
			next()
		case len(t) > 1 && t[0] == '-':
		default:
			if !given {
				o.awkScript(t, w)
			}
			return
		}
	}
}

// awkScript adds the files that a program of awk writes (POSIX awk, "Output
// Statements"): print > "name". A name that is put together when it runs is not
// known. What it runs with | or system() is looked through for names.
func (o *outputs) awkScript(s string, w bashcheck.Word) {
	if len(s) > maxScript {
		o.unknown(w)
		return
	}
	printing, depth := false, 0
	operand := false // a value stands before: a slash divides
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '#':
			for i < len(s) && s[i] != '\n' {
				i++
			}
		case c == '"':
			_, n := awkString(s[i:])
			i += n
			operand = true
		case c == '/' && !operand:
			for i++; i < len(s) && s[i] != '/' && s[i] != '\n'; i++ {
				if s[i] == '\\' {
					i++
				} else if s[i] == '[' {
					if k := strings.IndexByte(s[min(i+2, len(s)):], ']'); k >= 0 && strings.IndexByte(s[i:i+2+k], '\n') < 0 {
						i += k + 2
					}
				}
			}
			i++
			operand = true
		case name(c):
			start := i
			for i < len(s) && (name(s[i]) || s[i] >= '0' && s[i] <= '9') {
				i++
			}
			switch s[start:i] {
			case "print", "printf":
				printing, depth, operand = true, 0, false
			case "in", "getline", "return", "if", "while", "else", "do", "case":
				operand = false
			default:
				operand = true
			}
		case c == ';' || c == '}' || c == '\n' || c == '{':
			printing, depth, operand = false, 0, false
			i++
		case c == '(' || c == '[':
			depth++
			operand = false
			i++
		case c == ')' || c == ']':
			depth--
			operand = true
			i++
		case c == '>' && printing && depth <= 0:
			i++
			if i < len(s) && s[i] == '>' {
				i++
			}
			rest := strings.TrimLeft(s[i:], " \t")
			text, n := awkString(rest)
			tail := strings.TrimLeft(rest[n:], " \t\r")
			if n > 0 && (tail == "" || strings.IndexByte(";}\n#", tail[0]) >= 0) {
				o.inScript(text, w)
			} else {
				o.unknown(w)
			}
			operand = false
		case c >= '0' && c <= '9' || c == '.' || c == '$':
			operand = c != '$'
			i++
		case c == ' ' || c == '\t' || c == '\r' || c == '\\':
			i++
		default:
			operand = (c == '+' || c == '-') && i > 0 && s[i-1] == c
			i++
		}
	}
}

// awkString reads a string of awk at the start of a text; n is its length, 0
// where there is none.
func awkString(s string) (text string, n int) {
	if s == "" || s[0] != '"' {
		return "", 0
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), i + 1
		case '\\':
			if i++; i < len(s) {
				if strings.IndexByte(`"\/`, s[i]) >= 0 {
					b.WriteByte(s[i])
				} else {
					b.WriteRune(unknownRune) // an escape that stands for another byte
				}
			}
		case '\n':
			return b.String(), i
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), len(s)
}
