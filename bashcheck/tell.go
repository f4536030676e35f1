package bashcheck

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// What a description tells besides effects: what is lost for good, who gets
// control, and which words of a command the explanation names.

// warning is a sentence on what a command takes away for good or, with control,
// on who gets control by it.
type warning struct {
	words   []string // said only where an argument is like one of them; none: always
	not     []string // and none is like one of these
	text    string
	control bool
}

// showing puts words of the command into the phrase of the explanation.
type showing struct {
	flags  []string // the values of these flags, or the flag itself where it takes none
	first  int      // or operands from this one, from 1
	last   int      // up to this one; 0: all of them
	rest   bool     // and every word after it, flags too
	long   bool     // none of them is cut
	phrase string   // what stands before them
}

// allWords is the first of showing where every word after the program's name is
// shown.
const allWords = -1

// telling is what a form tells.
type telling struct {
	warnings []warning
	shows    []showing
	told     bool // the phrase tells what is run, reached and changed without a name
}

// tell reads the line of one of the keywords lost, control and show.
func (t *telling) tell(key, rest string) (problem string) {
	head, text, ok := strings.Cut(" "+rest, " : ")
	words := strings.Fields(head)
	warns := key == "lost" || key == "control"
	if !ok && warns {
		words, text = nil, strings.TrimSuffix(rest, " :")
		ok = text == rest
	}
	if text = strings.TrimSpace(text); !ok || text == "" || strings.HasSuffix(text, ".") || strings.Contains(text, "`") {
		if key == "show" {
			return "show needs what is shown and a phrase, without a full stop or backquotes: write show WHAT… : PHRASE"
		}
		return fmt.Sprintf("%s needs a text, without a full stop or backquotes: write %s TEXT or %s WORD… : TEXT", key, key, key)
	}
	if warns {
		l := warning{text: text, control: key == "control"}
		for _, w := range words {
			if strings.Trim(w, "!~") == "" {
				return fmt.Sprintf("%s needs words that are not empty: write %s -x ~drop !--dry-run : TEXT", key, key)
			}
			if n, ok := strings.CutPrefix(w, "!"); ok {
				l.not = append(l.not, n)
			} else {
				l.words = append(l.words, w)
			}
		}
		t.warnings = append(t.warnings, l)
		return ""
	}
	s := showing{phrase: text}
	for _, w := range words {
		switch {
		case w == "whole":
			s.long = true
		case w == "operands":
			s.first = 1
		case strings.HasPrefix(w, "{") && strings.HasSuffix(w, "}"):
			n, rest := strings.CutSuffix(strings.Trim(w, "{}"), "*")
			at, err := strconv.Atoi(n)
			if err != nil || at < 0 || at == 0 && !rest {
				return "show names operands and words in braces: write {1}, {2*} or, for all words, {0*}"
			}
			if s.first, s.rest = at, rest; !rest {
				s.last = at
			} else if at == 0 {
				s.first = allWords
			}
		case strings.HasPrefix(w, "-") && len(w) > 1:
			s.flags = append(s.flags, w)
		default:
			return "show does not know the word: write flags, or operands, {1}, {2*} or {0*}"
		}
	}
	if (s.first == 0) == (len(s.flags) == 0) {
		return "show is about flags or about operands: write one line for each"
	}
	t.shows = append(t.shows, s)
	return ""
}

// shownUndescribed is a flag that a show line names and no other describes.
func (p *program) shownUndescribed() string {
	bad := func(t *telling) string {
		for i := range t.shows {
			for _, f := range t.shows[i].flags {
				if p.flag(f) == nil {
					return f
				}
			}
		}
		return ""
	}
	flag := bad(&p.telling)
	for _, f := range p.forms {
		flag = cmp.Or(flag, bad(&f.telling))
	}
	return flag
}

// tell adds what the description tells of an argument list. A form that says
// nothing of its own says what its program says.
func (p *program) tell(f *form, operands []word, j *judged) {
	args := append(j.argv[1:len(j.argv):len(j.argv)], j.input...)
	from := f
	if f != &p.form && f.say == "" {
		from = &p.form
		j.warn(&p.form.telling, args)
	}
	j.warn(&f.telling, args)
	j.told = from.told
	if len(from.shows) == 0 {
		return
	}
	var b strings.Builder
	for i := range from.shows {
		s := &from.shows[i]
		words := s.words(p, j.argv[1:], operands)
		if len(words) == 0 {
			continue
		}
		if s.phrase[0] == ',' || s.phrase[0] == ':' {
			if b.Len() == 0 {
				b.WriteString(j.say)
			}
		} else if b.Len() > 0 {
			continue // the first phrase that has words
		}
		b.WriteString(s.phrase)
		b.WriteByte(' ')
		s.write(&b, words)
	}
	if b.Len() > 0 {
		j.say = b.String()
	}
}

// warnLater adds what the first sub-command among the arguments warns of, where a
// flag before it is not understood: kubectl --context prod delete ns x.
func (p *program) warnLater(j *judged) {
	args := j.argv[1:]
	for i, a := range args {
		sub := p.subs[a.Text]
		if i+1 < len(args) {
			if two := p.subs[a.Text+" "+args[i+1].Text]; two != nil {
				sub = two
			}
		}
		if sub == nil {
			continue
		}
		j.warn(&sub.form.telling, args[i:])
		for name, f := range sub.forms {
			for flag, spec := range sub.flags {
				if slices.Contains(strings.Split(name, "+"), spec.mode) && slices.ContainsFunc(args[i:], func(a word) bool { return alike(flag, a.Text) }) {
					j.warn(&f.telling, args[i:])
				}
			}
		}
		slices.SortFunc(j.warnings, func(a, b *warning) int { return strings.Compare(a.text, b.text) })
		return
	}
}

// mostTyped bounds the input that is looked through for words, in bytes.
const mostTyped = 64 << 10

// typedWords are the words of an input, and the whole of it.
func typedWords(text string) []word {
	if text == "" {
		return nil
	}
	if len(text) > mostTyped {
		text = text[:mostTyped]
	}
	out := []word{{Word: Word{Text: text, Static: true}}}
	for w := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(" \t\n;\"'\\", r) }) {
		out = append(out, word{Word: Word{Text: w, Static: true}})
	}
	return out
}

// typedText is what the source spells for the input of a command: a
// here-document, a here-string, or what echo, printf and cat put into the pipe
// before it. Quotes and expansions stand in it as they are written.
func (w *walker) typedText(redirs []*syntax.Redirect) string {
	text := w.piped
	put(&w.piped, "")
	for _, r := range redirs {
		switch {
		case r.Hdoc != nil:
			text = w.src[r.Hdoc.Pos().Offset():r.Hdoc.End().Offset()]
		case r.Op == syntax.WordHdoc:
			text = w.src[r.Word.Pos().Offset():r.Word.End().Offset()]
		case r.Op == syntax.RdrIn:
			text = ""
		}
	}
	return text
}

// printed is what the one command from the given one on prints of its source.
func (w *walker) printed(start int) string {
	if len(w.rep.Commands) != start+1 {
		return ""
	}
	c := &w.rep.Commands[start]
	switch program := baseName(c.Argv[0].Text); {
	case program == "echo" || program == "printf":
		var b strings.Builder
		for _, a := range c.Argv[1:] {
			b.WriteString(a.Text)
			b.WriteByte(' ')
		}
		return b.String()
	case program == "cat" && len(c.Argv) == 1:
		return w.typed
	}
	return ""
}

func (j *judged) warn(t *telling, args []word) {
	for i := range t.warnings {
		l := &t.warnings[i]
		if l.holds(args) && !slices.ContainsFunc(j.warnings, func(o *warning) bool { return o.text == l.text }) {
			j.warnings = append(j.warnings, l)
		}
	}
}

// holds says that the sentence is true of a command with these arguments.
func (l *warning) holds(args []word) bool {
	like := func(patterns []string, short bool) bool {
		for i, a := range args {
			if slices.ContainsFunc(patterns, func(p string) bool {
				if name, value, ok := strings.Cut(p, "="); ok && short && p[0] == '-' {
					return valued(name, value, args[i:])
				}
				// Most programs take the beginning of a long flag for it.
				return alike(p, a.Text) || short && len(a.Text) > 3 && strings.HasPrefix(a.Text, "--") && strings.HasPrefix(p, a.Text)
			}) {
				return true
			}
		}
		return false
	}
	if len(l.words) > 0 && !like(l.words, true) {
		return false
	}
	// Behind -- a word is a name, whatever it looks like, and excepts nothing.
	if end := slices.IndexFunc(args, func(a word) bool { return a.Text == "--" }); end >= 0 {
		args = args[:end]
	}
	return !like(l.not, false)
}

// alike says that an argument is like a pattern of a warning: -x also among
// other letters, a beginning before *, ~word anywhere in a text. Case matters
// in flags only. It errs by saying too much.
func alike(p, arg string) bool {
	if word, ok := strings.CutPrefix(p, "~"); ok {
		return holdsWord(arg, word)
	}
	if begin, ok := strings.CutSuffix(p, "*"); ok {
		return len(arg) >= len(begin) && strings.EqualFold(arg[:len(begin)], begin)
	}
	switch {
	case p[0] != '-':
		return strings.EqualFold(p, arg)
	case p == arg:
		return true
	}
	// Among other letters.
	if len(p) != 2 || len(arg) < 3 || arg[0] != '-' || arg[1] == '-' || p[1] >= '0' && p[1] <= '9' {
		return false
	}
	letters := arg[1:]
	for i := range len(letters) {
		if c := letters[i] | 0x20; c < 'a' || c > 'z' {
			letters = letters[:i]
			break
		}
	}
	return strings.IndexByte(letters, p[1]) >= 0
}

// valued says that the first argument is the flag, with the value attached or in
// the next one: --pid=host, --pid host, -v/:/h, -itv /:/h. The value, or one of
// several between commas, is compared in any case, and a path in it by what it
// comes to: /./ and /etc/.. are /.
func valued(flag, value string, args []word) bool {
	given, attached, ok := strings.Cut(args[0].Text, "=")
	switch {
	case strings.HasPrefix(given, "--"):
		if given != flag && (len(given) < 4 || !strings.HasPrefix(flag, given)) {
			return false
		}
	case len(flag) != 2 || !alike(flag, given):
		return false
	default:
		_, rest, _ := strings.Cut(args[0].Text, flag[1:])
		attached, ok = strings.TrimPrefix(rest, "="), rest != ""
	}
	if !ok {
		if len(args) < 2 {
			return false
		}
		attached = args[1].Text
	}
	begin, open := strings.CutSuffix(value, "*")
	for part := range strings.SplitSeq(attached, ",") {
		key, place := "", strings.Trim(part, `"'`)
		if k, v, ok := strings.Cut(place, "=/"); ok {
			key, place = k+"=", "/"+v
		}
		if from, _, _ := strings.Cut(place, ":"); strings.HasPrefix(from, "/") {
			place = path.Clean(from) + strings.TrimPrefix(place, from)
		}
		place = key + place
		if strings.EqualFold(place, value) || open && len(place) >= len(begin) && strings.EqualFold(place[:len(begin)], begin) {
			return true
		}
	}
	return false
}

// holdsWord says that the word stands in the text, between what is no letter.
func holdsWord(text, word string) bool {
	letter := func(c byte) bool { c |= 0x20; return c >= 'a' && c <= 'z' || c == '_'|0x20 }
	for i := 0; i+len(word) <= len(text); i++ {
		if strings.EqualFold(text[i:i+len(word)], word) && (i == 0 || !letter(text[i-1])) && (i+len(word) == len(text) || !letter(text[i+len(word)])) {
			return true
		}
	}
	return false
}

// words are the words that are shown.
func (s *showing) words(p *program, args, operands []word) (out []word) {
	if s.first != 0 {
		switch {
		case s.first == allWords:
			return args
		case len(operands) < s.first:
			return nil
		case s.last > 0:
			return operands[s.first-1 : min(s.last, len(operands))]
		case !s.rest:
			return operands[s.first-1:]
		}
		o := operands[s.first-1]
		at := slices.IndexFunc(args, func(a word) bool { return a.Span == o.Span && a.Text == o.Text })
		if at < 0 {
			return operands[s.first-1:]
		}
		return args[at:]
	}
	for i, a := range args {
		if a.Text == "--" {
			break
		}
		for _, f := range s.flags {
			if v, next, ok := valueOf(p, f, a.Text); ok {
				switch {
				case !next:
					a.Text = v
					out = append(out, a)
				case i+1 < len(args):
					out = append(out, args[i+1])
				}
			}
		}
	}
	return out
}

// valueOf is what a word says of a flag: its value, or that the value is the
// next word. Of a flag without a value it is the flag.
func valueOf(p *program, f, t string) (value string, next, ok bool) {
	spec := p.flag(f)
	if spec == nil {
		return "", false, false
	}
	takes := spec.takes && !spec.optional
	if t == f {
		return f, takes, true
	}
	if v, attached := strings.CutPrefix(t, f+"="); attached && len(f) > 2 {
		return v, false, true
	}
	if len(f) != 2 || len(t) < 3 || t[0] != '-' || t[1] == '-' || p.manyLetters && p.flags[t] != nil {
		return "", false, false
	}
	for k := 1; k < len(t); k++ {
		at := p.letter(t[k])
		switch {
		case at == nil:
			return "", false, false
		case t[k] == f[1] && !spec.takes:
			return f, false, true
		case t[k] == f[1]:
			return t[k+1:], takes && k+1 == len(t), true
		case at.takes:
			return "", false, false
		}
	}
	return "", false, false
}

// The words of a command that are shown beside the phrase, and their length.
const (
	mostShown  = 3
	mostLetter = 40
	mostWhole  = 400
)

// write writes the words between backquotes.
func (s *showing) write(b *strings.Builder, words []word) {
	b.WriteByte('`')
	for i, a := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		if i == mostShown && !s.long {
			b.WriteString("…")
			break
		}
		most := mostLetter
		if s.long {
			most = mostWhole
		}
		b.WriteString(strings.ReplaceAll(cut(escape(a.Text), most), "`", "'"))
	}
	b.WriteByte('`')
}

// cut is the beginning of a text that is longer than so many characters.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	n := 0
	for i := range s {
		if n++; n > most {
			return s[:i] + "…"
		}
	}
	return s
}
