package bashcheck

import (
	"slices"
	"strings"
)

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

// gathered are operands. As long as they stand side by side among the arguments
// they are a part of these and not copied.
type gathered struct {
	list   []word
	args   []word
	from   int // where list begins in args, until it is a copy
	copied bool
	room   *[]word // for the copy
}

func (g *gathered) add(i int) {
	switch {
	case !g.copied && len(g.list) == 0:
		g.from, g.list = i, g.args[i:i+1:i+1]
	case !g.copied && g.from+len(g.list) == i:
		g.list = g.args[g.from : i+1 : i+1]
	default:
		g.addOwn(g.args[i])
	}
}

// addRest adds all arguments from i on.
func (g *gathered) addRest(i int) []word {
	if !g.copied && (len(g.list) == 0 || g.from+len(g.list) == i) {
		if len(g.list) == 0 {
			g.from = i
		}
		return g.args[g.from:len(g.args):len(g.args)]
	}
	return append(g.list, g.args[i:]...)
}

// addOwn adds a word that differs from the argument.
func (g *gathered) addOwn(o word) {
	if !g.copied {
		g.list, g.copied = append(take(g.room, len(g.args)), g.list...), true
	}
	g.list = append(g.list, o)
}

// flags separates flags from operands. subs: stop at the first operand, which
// names a sub-command.
func (w *walker) flags(p *program, args []word, j *judged, subs bool) (operands []word, mode string, command []word, ok bool) {
	ok = true
	found := gathered{args: args, room: &w.room.argv}
	f := &p.form
	if f.words {
		n := 0
		for n < len(args) && args[n].Static && p.cluster(args[n].Text) {
			n++
		}
		return found.addRest(n), "", nil, true
	}
	at := -1 // the operand at which a command begins
	for i, o := range f.operands {
		if o.kind == vCommand {
			at = i
		}
	}
	setMode := func(s *flagSpec) {
		if s.first && len(found.list) > 0 {
			ok = false // an operand to the program, which does what it does without the flag
		}
		j.names, j.nul, j.other = j.names || s.names, j.nul || s.nul, j.other || s.other
		j.mixed = j.mixed || s.mode == ""
		j.marks |= s.mark
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
		a := &args[i]
		if at >= 0 && len(found.list) == at && !(a.Static && strings.HasPrefix(a.Text, "-") && a.Text != "-") {
			// NAME=VALUE operands before the command are matched by count.
			return found.list, mode, args[i:], ok
		}
		if !a.Static || a.Glob {
			a := *a
			if s, v := longFlag(p, a); s != nil && (!a.fields || a.Glob && a.Static || f.globOK) {
				setMode(s)
				ok = w.flagValue(s, v, len(operands), j) && ok
				continue
			}
			if !f.globOK {
				w.plainUser(&a)
			}
			switch {
			case f.globBelow && a.Static && a.lead == leadName:
				j.globBelow = true
			case f.globDot && a.lead == leadName && dotted(a):
			case a.lead == '-' || a.mayBeFlag() && !f.globOK && !a.proc:
				ok = false
			}
			found.addOwn(a)
			if subs || f.posix {
				return found.addRest(i + 1), mode, nil, ok
			}
			continue
		}
		t := a.Text
		if t == "--" {
			if at >= 0 {
				rest := args[i+1:]
				n := min(at-len(found.list), len(rest))
				if len(found.list) > 0 {
					ok = false // GNU's and busybox's look for a program called --, others pass over it
				}
				if n < 0 {
					// More operands than stand before a command.
					return append(found.list, rest...), mode, nil, false
				}
				return append(found.list, rest[:n]...), mode, rest[n:], ok
			}
			// A program that looks for no flags behind its first operand takes the
			// two dashes there for one more (git config NAME --).
			return found.addRest(i + 1), mode, nil, ok && !(p.stops && len(found.list) > 0)
		}
		if len(t) < 2 || t[0] != '-' && !(t[0] == '+' && p.flags[t] != nil) {
			found.add(i)
			if subs || f.posix {
				return found.addRest(i + 1), mode, nil, ok
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
			case s.value.kind == vPair || s.value.kind == vPairFile:
				if has || i+2 >= len(args) || args[i+1].fields || args[i+2].fields {
					ok = false
				} else if s.value.kind == vPairFile {
					ok = w.usePath(pathOf(Read, Exact), args[i+2], j) && ok
				}
				i += 2
			case !s.takes:
				if has {
					ok = false
				}
			case has:
				v := *a
				v.Text = val
				ok = w.flagValue(s, v, len(operands), j) && ok
			case s.optional:
			case i+1 < len(args):
				i++
				if s.value.kind == vUserName {
					w.plainUser(&args[i])
				}
				if args[i].fields && !f.globOK && !severalPIDs(s, args[i]) || flagLike(s, args[i]) {
					ok = false
				}
				ok = w.flagValue(s, args[i], len(operands), j) && ok
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
		if strings.HasPrefix(t, "--") || t[0] == '+' || p.whole && len(t) > 2 {
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
				v := *a
				v.Text = t[k+1:]
				ok = ok && (!s.apart || strings.Trim(v.Text, "0123456789,") == "")
				if v.Text[0] == '=' && !s.value.equalsSign() {
					ok = false
				}
				ok = w.flagValue(s, v, len(operands), j) && ok
			} else if !s.optional {
				if i+1 >= len(args) {
					ok = false
					break
				}
				i++
				if s.value.kind == vUserName {
					w.plainUser(&args[i])
				}
				if args[i].fields && !f.globOK && !severalPIDs(s, args[i]) || flagLike(s, args[i]) {
					ok = false
				}
				ok = w.flagValue(s, args[i], len(operands), j) && ok
			}
			break
		}
	}
	return found.list, mode, nil, ok
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

// dotted says that all names that a word may stand for have a dot near the end,
// or are spelled and no flags.
func dotted(o word) bool {
	if one := o.guessed().one; !o.Static && len(one) > 0 {
		return !slices.ContainsFunc(one, func(x Word) bool { return !dotted(word{Word: x}) })
	}
	if !o.Glob {
		return o.Static && !strings.HasPrefix(o.Text, "-")
	}
	return o.Static && o.Text[0] != '-' && o.Text[0] != '\\' && strings.Contains(o.Text[strings.LastIndexAny(o.Text, "*?]")+1:], ".")
}

// severalPIDs says that the value of a flag for processes may become several
// words, each of which begins with a digit and is taken for one more.
func severalPIDs(s *flagSpec, v word) bool {
	return s.value.kind == vPIDs && v.lead == '0' && !v.later && !v.Glob
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
