package bashcheck

import (
	"path"
	"slices"
	"strings"
)

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
	assume    [3][]Assumption // of the program, of its sub-command, of the form
	globBelow bool            // a pattern may become a flag that makes it act on trees
	mixed     bool            // a flag was given that chooses no form
	replace   string          // what xargs replaces in the inner command
	argv      []word
	names     bool // it prints nothing but names of what its effects reach
	nul       bool // they end with NUL; xargs: it splits at NUL
	other     bool // it prints something else
	warnings  []*warning
	told      bool
	input     []word   // what its input says, where that is a program like its arguments
	marks     uint16   // of the flags that were given
	marked    []marked // their values
	start     *start   // where operands begin, beside the directory of the command
	socket    ssPlace  // how much of the filter of ss was read
}

func onlyHelp(a word) bool { return a.Static && !a.Glob && a.Text == "--help" }

// tellsAbout says that the program, called with these words, only tells about
// itself.
func (p *program) tellsAbout(argv []word) bool {
	return slices.ContainsFunc(p.about, func(a about) bool {
		return (len(a.names) == 0 || slices.Contains(a.names, path.Base(argv[0].Text))) &&
			slices.ContainsFunc(a.words, func(list []string) bool {
				return slices.EqualFunc(list, argv[1:], func(s string, w word) bool { return w.Static && !w.Glob && w.Text == s })
			})
	})
}

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
		p.tell(&p.form, nil, j)
		w.fixed(&p.form, nil, j, argv)
		return
	}
	if p.help && len(args) == 1 && onlyHelp(args[0]) {
		j.class, j.say, j.prefix = Plain, "explains itself", 1
		return
	}
	if p.about != nil && p.tellsAbout(argv) {
		j.class, j.say, j.prefix, j.assume[1] = Plain, "tells about itself", 0, p.assume
		return
	}
	if p.oldLetters {
		if args = p.spellLetters(args); len(args) > 0 && args[0].Span == argv[1].Span && args[0].Text != argv[1].Text {
			words = 2
		}
	}
	operands, mode, command, ok := w.flags(p, args, j, len(p.subs) > 0)
	if len(p.subs) > 0 && mode != "" && len(operands) > 0 {
		// A flag chose a form, so that no sub-command stops the search for flags:
		// tar -tf a.tar x --checkpoint-action=exec=./x.
		j.effects, j.assigns, j.shells, j.inner, j.marked, j.start = j.effects[:0], nil, nil, nil, nil, nil
		operands, mode, command, ok = w.flags(p, args, j, false)
	}
	j.ok = ok && !(p.argFiles && slices.ContainsFunc(args, word.mayNameArguments))
	base := p
	if len(p.subs) > 0 && mode == "" && len(operands) > 0 {
		name := operands[0]
		var sub *program
		if name.Static && !name.Glob {
			if len(operands) > 1 && operands[1].Static {
				if sub = p.sub(name.Text, operands[1].Text); sub != nil {
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
						if inner := p.sub(name.Text, rest[0].Text); inner != nil {
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
				p.warnLater(j)
				return
			}
		} else {
			p = sub
			j.class = p.class
			j.assume[0] = base.assume
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
	var chosen *form
	if mode != "" {
		chosen = p.forms[mode]
	}
	if chosen != nil {
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
	if p.assume != nil {
		j.assume[1] = p.assume
	}
	if f != &p.form {
		j.assume[2] = f.assume
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
	if p.script {
		j.input = typedWords(w.typed)
	}
	p.tell(f, operands, j)
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
	left := len(specs) // the optional operand that is left out although one follows
	if n := len(specs) - 1; repeat < 0 && len(ops) == n && !specs[n].optional {
		for i := range specs[:n] {
			if specs[i].optional {
				left = i
			}
		}
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
			if s = specs[i]; i >= left {
				s = specs[i+1]
			}
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
		j.ok = w.operand(s.valueSpec, o, i, j) && j.ok
	}
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
		case !fe.holds(len(operands), named, j):
		case fe.computed():
			w.compute(fe, operands, j)
		case fe.operand == 0:
			j.effects = append(j.effects, Effect{Kind: fe.kind, Extent: fe.extent, Target: fe.target, Own: fe.own, Dir: w.st.dir, Span: Span{argv[0].Span.Start, argv[len(argv)-1].Span.End}})
		case fe.operand == allOperands:
			for _, o := range operands {
				w.usePath(pathOf(fe.kind, fe.extent), o, j)
			}
		case fe.operand <= len(operands):
			w.usePath(pathOf(fe.kind, fe.extent), operands[fe.operand-1], j)
		}
	}
}
