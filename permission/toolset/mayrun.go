package toolset

import (
	"path"
	"slices"
	"strings"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
)

// A program that is not described, or whose description says that it runs others,
// may run any word of its command: git bisect run rm x, rg --pre 'rm x',
// python3 -c 'os.system("rm x")'. Where a deny or ask rule for commands begins with
// such a word, the rule may match, and a person is asked.

// commandLookout is a Lookout that also tells of the rules over commands.
type commandLookout interface {
	DeniesCommand(word string) bool
}

const (
	mostMayRun      = 64        // texts that are added to one command
	mostMayRunWords = 6         // words of each: enough to tell git push from git status
	mostMayRunBytes = 256 << 10 // that are looked through for one command
)

// mayRun finds the texts that a command may run and that begin with a word which
// a deny or ask rule for commands begins with.
func (b *builder) mayRun(c *bashcheck.Command, at *part, run *permission.Action) {
	if runsNothing(c) {
		return
	}
	l, ok := b.rules.(commandLookout)
	if !ok {
		return
	}
	words := runnable(c, at)
	if !at.parent && b.takesProgram(c, at.program) {
		words = append(words, b.shell.rep.Source)
	}
	for i := range c.Assignments {
		if a := &c.Assignments[i]; !inert(a) {
			words = append(words, a.Value.Text)
		}
	}
	if found := commandsIn(words, l); len(found) > 0 {
		d := run.Command.Details()
		d.MayRun = found
		run.Command.Describe(d)
		word, _, _ := strings.Cut(strings.TrimSuffix(found[0], permission.DynamicWord), " ")
		run.Note = "Its words hold " + word + ", which it may run."
	}
}

// runsNothing says of most commands, at little cost, that they run no word of
// theirs.
func runsNothing(c *bashcheck.Command) bool {
	if !c.Described || c.Class != bashcheck.Plain || len(c.Assignments) > 0 {
		return false
	}
	for i := range c.Effects {
		switch c.Effects[i].Kind {
		case bashcheck.Unknown, bashcheck.Execute, bashcheck.Environment:
			return false
		}
	}
	for i := range c.Argv {
		if w := c.Argv[i].Text; w != "" && w[0] == '!' {
			return false
		}
	}
	return true
}

// runnable are the words of a command that it may run.
func runnable(c *bashcheck.Command, at *part) (out []string) {
	if len(c.Argv) == 0 {
		return nil
	}
	table := knownLaunchers()
	row := table[at.program]
	if row != nil || c.Class == bashcheck.Runner && table != nil {
		return launched(c.Argv[1:], row)
	}
	all := table == nil || !c.Described || c.Class == bashcheck.Shell || c.Class == bashcheck.Interpreter || !at.parent && (c.Class == bashcheck.Wrapper || starters[at.program])
	for i := 1; i < len(c.Argv); i++ {
		w := &c.Argv[i]
		if all || strings.HasPrefix(strings.TrimPrefix(w.Text, "+"), "!") || startedBy(c, w) {
			out = append(out, w.Text)
		}
	}
	return out
}

// launched are the words that a program of the table runs: those behind a word
// like exec, and the value of a flag like --exec; nil is a program that runs what
// the project says, of which only variables can name a command (make CC=…).
func launched(words []bashcheck.Word, row *launcher) (out []string) {
	if row == nil {
		row = &launcher{}
	}
	all := row.all || slices.ContainsFunc(words, func(w bashcheck.Word) bool {
		return !strings.HasPrefix(w.Text, "-") && slices.Contains(row.behind, w.Text)
	})
	value := false
	for _, w := range words {
		name, text, set := strings.Cut(w.Text, "=")
		glued, next := row.valueOf(w.Text)
		switch {
		case all || value || strings.HasPrefix(w.Text, "!"):
			out = append(out, w.Text)
		case glued != "":
			out = append(out, glued)
		case set && name == strings.ToUpper(name) && name != "":
			out = append(out, text)
		}
		value = next
	}
	return out
}

// valueOf returns what a word gives to a flag of the row: the value that stands in
// the word itself, or that the next word is one. Short flags may stand behind
// others in one word, and the beginning of a long one is taken for it.
func (l *launcher) valueOf(word string) (glued string, next bool) {
	name, text, set := strings.Cut(word, "=")
	for _, f := range l.behind {
		switch {
		case strings.HasPrefix(f, "--"):
			if len(name) < 4 || !strings.HasPrefix(f, name) {
				continue
			}
			if set {
				return text, false
			}
			return "", true
		case f[0] != '-' || len(word) < 2 || word[0] != '-' || word[1] == '-':
		default:
			if i := strings.IndexByte(word[1:], f[1]); i >= 0 {
				rest := word[i+2:]
				return rest, rest == ""
			}
		}
	}
	return "", false
}

// startedBy says that a described command runs something, or may do anything,
// because of this word.
func startedBy(c *bashcheck.Command, w *bashcheck.Word) bool {
	for i := range c.Effects {
		switch e := &c.Effects[i]; e.Kind {
		case bashcheck.Unknown, bashcheck.Execute:
			if w.Span.Start <= e.Span.Start && e.Span.End <= w.Span.End && e.Span != (bashcheck.Span{}) {
				return true
			}
		case bashcheck.Environment:
			// alias x='rm y', bind -x, complete -C.
			if e.Target == "" && strings.ContainsAny(w.Text, " =") {
				return true
			}
		}
	}
	return false
}

// takesProgram says that a command may take a program from its input, or from a
// file that the text names elsewhere too and may write.
func (b *builder) takesProgram(c *bashcheck.Command, name string) bool {
	source := b.shell.rep.Source
	switch name {
	case "at", "batch", "crontab", "ed", "ex", "gdb", "parallel", "xargs", "tclsh", "expect", "wish", "psql", "mysql", "sqlite3", "nc", "telnet":
		return strings.ContainsAny(source, "<|")
	}
	if c.Class != bashcheck.Shell && c.Class != bashcheck.Interpreter || !strings.ContainsAny(source, "<|>") {
		return false
	}
	for i := 1; i < len(c.Argv); i++ {
		if w := c.Argv[i].Text; w != "" && w[0] != '-' {
			return strings.Contains(source, ">") && strings.Count(source, path.Base(w)) > 1
		}
	}
	return true
}

// commandsIn are the beginnings of commands that the words may hold, by the
// words that rules name. What stands behind them is not known to end there, so
// each ends in a word that is not known.
func commandsIn(words []string, l commandLookout) (out []string) {
	size := 0
	var tokens []string
	for _, w := range words {
		if size += len(w); size > mostMayRunBytes {
			return append(out, permission.DynamicWord)
		}
		tokens = appendTokens(tokens, w)
	}
	for i, t := range tokens {
		if t == "" || !l.DeniesCommand(path.Base(t)) && !l.DeniesCommand(strings.ToLower(path.Base(t))) {
			continue
		}
		if len(out) == mostMayRun {
			return append(out, permission.DynamicWord)
		}
		end := i + 1
		for end < len(tokens) && end < i+mostMayRunWords && tokens[end] != "" {
			end++
		}
		rest := strings.Join(tokens[i+1:end], " ")
		for _, first := range []string{path.Base(t), strings.ToLower(path.Base(t))} {
			out = appendNew(out, first+" "+rest+permission.DynamicWord)
		}
	}
	return out
}

// appendTokens adds the words of a text in whatever language: what stands
// between quotes, brackets, commas and blanks. An empty one ends a command.
func appendTokens(tokens []string, text string) []string {
	begin := -1
	for i := 0; i <= len(text); i++ {
		if i < len(text) && tokenByte(text[i]) {
			if begin < 0 {
				begin = i
			}
			continue
		}
		if begin >= 0 {
			if word := strings.TrimLeft(text[begin:i], ":@%"); word != "" {
				tokens = append(tokens, word)
			}
			begin = -1
		}
		if i < len(text) && strings.IndexByte(";|&\n`", text[i]) >= 0 {
			tokens = append(tokens, "")
		}
	}
	return tokens
}

func tokenByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80 || strings.IndexByte("-_./+:@%~", c) >= 0
}
