package bashcheck

import (
	"strings"
)

// Explain says in one or two plain sentences what the text does: every simple
// command with what it works on, and then whether it only reads or what makes
// it more. Control and invisible characters are escaped.
func (r Report) Explain() string {
	var b strings.Builder
	if !r.Parsed && len(r.Commands) == 0 {
		b.WriteString("The text was not understood, so nothing is known about what it does")
	} else {
		b.WriteString(r.what())
	}
	if !strings.HasSuffix(b.String(), ".") {
		b.WriteByte('.')
	}
	var more []string
	add := func(s string) {
		s = strings.TrimSuffix(s, ".")
		for _, m := range more {
			if m == s {
				return
			}
		}
		more = append(more, s)
	}
	if r.ReadOnly() {
		add("It only reads")
	} else if s := r.unsaid(); s != "" {
		add(s)
	}
	n := 0
	for _, f := range r.Findings {
		if f.Severity >= Suspicious && !f.Blocks && n < 3 {
			n++
			add(f.Text)
		}
	}
	if len(more) > 0 {
		b.WriteByte(' ')
		b.WriteString(sentence(strings.Join(more, "; ")))
	}
	return b.String()
}

// unsaid is why the text is not read-only, where the first sentence does not
// tell.
func (r Report) unsaid() string {
	for _, f := range r.Findings {
		if f.Blocks || f.Code == CodeNestedSubstitution {
			return "It is not proven to only read: " + f.Text
		}
	}
	for _, c := range r.Commands {
		if !c.Described {
			return "It may do anything"
		}
	}
	for _, e := range r.Loose {
		if e.Kind == Unknown {
			return strings.TrimSuffix(r.notReadOnly(), ".")
		}
	}
	for _, c := range r.Commands {
		for _, e := range c.Effects {
			if e.Own && e.Kind != Connect && e.Target != "" && e.harm() != "" {
				return e.harm()
			}
			if (e.Kind == Read || e.Kind == Environment && e.Target == "") && e.harm() != "" {
				return e.harm()
			}
		}
	}
	for _, e := range r.Loose {
		if e.Kind == Read && e.harm() != "" {
			return e.harm()
		}
	}
	return ""
}

// what is one sentence over all commands and over what the shell does by itself.
func (r Report) what() string {
	children := make([][]int, len(r.Commands)+1)
	for i, c := range r.Commands {
		if c.Parent >= 0 && c.Parent <= i {
			children[c.Parent] = append(children[c.Parent], i)
		}
	}
	var parts []string
	var tell func(i int) string
	tell = func(i int) string {
		s := phrase(&r.Commands[i], len(children[i+1]) > 0)
		for k, c := range children[i+1] {
			sep := ", then "
			if k == 0 {
				sep = ": "
			}
			s += sep + tell(c)
		}
		return s
	}
	for _, i := range children[0] {
		s := tell(i)
		if n := len(parts); n > 0 && parts[n-1] == s {
			continue
		}
		parts = append(parts, s)
	}
	var loose []Effect
	for _, e := range r.Loose {
		if e.Kind != Unknown {
			loose = append(loose, e)
		}
	}
	if s := shellPhrase(loose); s != "" {
		parts = append(parts, s)
	}
	if len(parts) == 0 {
		return "Runs no program"
	}
	return upper(strings.Join(parts, ", then "))
}

// touched are the targets of a command, by what happens to them.
type touched struct {
	list, read, write, remove, change, run, connect, env []string
	process, privilege, unknown                          bool
	input, output                                        []string // redirections
	get                                                  []string // plain GETs
	ownConnect                                           bool
}

func touch(effects []Effect) touched {
	var t touched
	add := func(list *[]string, s string) {
		for _, x := range *list {
			if x == s {
				return
			}
		}
		*list = append(*list, s)
	}
	exact := map[string]bool{}
	for _, e := range effects {
		if e.Extent == Exact && e.Kind == Write {
			exact[e.Target] = true
		}
	}
	for _, e := range effects {
		if e.Own {
			t.ownConnect = t.ownConnect || e.Kind == Connect
			continue
		}
		name := place(e)
		switch e.Kind {
		case List:
			add(&t.list, name)
		case Read:
			if e.ByShell {
				add(&t.input, name)
			} else {
				add(&t.read, name)
			}
		case Write:
			switch {
			case e.ByShell:
				add(&t.output, name)
			case e.Extent == Within && exact[e.Target]:
			default:
				add(&t.write, name)
			}
		case Delete:
			add(&t.remove, name)
		case Change:
			add(&t.change, name)
		case Execute:
			add(&t.run, name)
		case Connect:
			if e.PlainGet {
				add(&t.get, escape(e.URL))
			} else {
				add(&t.connect, name)
			}
		case Environment:
			add(&t.env, name)
		case Process:
			t.process = true
		case Privilege:
			t.privilege = true
		default:
			t.unknown = true
		}
	}
	return t
}

// place names a target as a person would.
func place(e Effect) string {
	s := escape(e.Target)
	switch {
	case e.Target == "" || e.Extent == Anywhere:
		switch e.Kind {
		case Connect:
			return "a host that the text does not name"
		case Execute:
			return "other programs"
		case Environment:
			return "the environment"
		}
		return "files that the text does not name"
	case e.Target == ".":
		s = "the current folder"
	case strings.ContainsAny(e.Target, " ;|&`'\"()") || s != e.Target:
		s = "“" + s + "”"
	}
	switch e.Kind {
	case Delete, Change, Write:
		switch {
		case e.Extent == Tree:
			s += " and everything below it"
		case e.Extent == Within && e.Kind == Delete:
			s = "what it finds below " + s
		case e.Extent == Within && e.Kind == Write:
			s = "files in " + s
		case e.Below:
			s += " and everything below them"
		}
	case Read:
		if e.Extent == Tree && e.Target == "." {
			s = "the current folder"
		}
	}
	return s
}

// phrase says what a command does. parent: what it runs is told after it.
func phrase(c *Command, parent bool) string {
	if c.Summary == "" {
		s := "runs `" + escape(c.Text) + "`"
		if !c.Described {
			s += ", a program that is not known"
		}
		return s + shellTail(touch(c.Effects))
	}
	if !c.Described && !parent && (c.Class == Plain || c.Class == Runner) {
		return "runs `" + escape(c.Text) + "`, a form of " + escape(short(*c)) + " that is not known" + shellTail(touch(c.Effects))
	}
	t := touch(c.Effects)
	say := c.Summary
	verb, object, _ := strings.Cut(say, " ")
	used := false // the targets are in the sentence
	put := func(targets []string) {
		if len(targets) == 0 {
			return
		}
		used = true
		for _, noun := range []string{"files", "trees", "a file", "directories", "empty directories", "folders"} {
			if object == noun {
				if strings.HasPrefix(noun, "empty") || noun == "directories" || noun == "folders" {
					kind := "directory "
					if len(targets) > 1 {
						kind = "directories "
					}
					if strings.HasPrefix(noun, "empty") {
						kind = "empty " + kind
					}
					say = verb + " the " + kind + and(targets)
					return
				}
				say = verb + " " + and(targets)
				return
			}
		}
		if strings.HasSuffix(say, " files") {
			say = strings.TrimSuffix(say, "files") + and(targets)
			return
		}
		say += " in " + and(targets)
	}
	switch {
	case strings.HasPrefix(say, "goes back"):
	case say == "goes":
		say = "goes to " + strings.ReplaceAll(and(t.list), "files that", "a folder that")
	case len(t.get) > 0:
		say, used = "fetches "+and(t.get), true
		t.get, t.connect = nil, nil
	case len(t.connect) > 0 && len(t.read) > 0:
		noun := "file "
		if len(t.read) > 1 {
			noun = "files "
		}
		say, used = "sends the "+noun+and(t.read)+" to "+and(t.connect), true
		t.connect, t.read = nil, nil
	case len(t.remove) > 0 && len(t.write) > 0 && verb == "moves":
		say, used = "moves "+and(trimTree(t.remove))+" to "+and(t.write), true
		t.remove, t.write = nil, nil
	case len(t.read) > 0 && len(t.write) > 0 && verb == "copies":
		say, used = "copies "+and(t.read)+" to "+and(t.write), true
		t.read, t.write = nil, nil
	case len(t.remove) > 0:
		if verb == "deletes" || verb == "removes" {
			put(t.remove)
		} else {
			say += ", deleting " + and(t.remove)
		}
		t.remove = nil
	case verb == "edits" && len(t.write) > 0:
		if object == "files in place" {
			say, used = "edits "+and(t.write)+" in place", true
			t.write = nil
		}
	case len(t.read) > 0:
		put(t.read)
		t.read = nil
	case len(t.write) > 0 && (strings.HasSuffix(say, "files") || strings.HasSuffix(say, "directories")):
		put(t.write)
		t.write = nil
	case len(t.change) > 0:
		if strings.Contains(object, "links") {
			say += " at " + and(t.change)
		} else {
			say += " of " + and(t.change)
		}
		t.change = nil
	case len(t.list) > 0 && (verb == "lists" || verb == "finds" || strings.HasPrefix(say, "changes to")):
		say, used = listed(say, t.list), true
		t.list = nil
	case len(t.list) > 0:
		put(t.list)
		t.list = nil
	}
	if !used && len(t.input) == 0 && c.Class == Plain && len(t.read)+len(t.list)+len(t.write)+len(t.remove)+len(t.change) == 0 {
		switch {
		case object == "files":
			say = verb + " its input"
		case strings.HasSuffix(say, " of files"):
			say = strings.TrimSuffix(say, "files") + "its input"
		}
	}
	var more []string
	if len(t.read) > 0 {
		more = append(more, "reading "+and(t.read))
	}
	if len(t.remove) > 0 {
		more = append(more, "deleting "+and(t.remove))
	}
	if len(t.write) > 0 {
		more = append(more, "writing "+and(t.write))
	}
	if len(t.change) > 0 {
		more = append(more, "changing the rights or links of "+and(t.change))
	}
	if len(t.connect) > 0 {
		more = append(more, "connecting to "+and(t.connect))
	} else if t.ownConnect {
		more = append(more, "over the network")
	}
	if len(t.run) > 0 && !parent {
		switch {
		case c.Class == Runner:
			more = append(more, "which runs whatever the project says")
		case c.Class == Interpreter || c.Class == Shell:
			more = append(more, "which can do anything")
		default:
			more = append(more, "running "+and(t.run))
		}
	}
	if len(t.env) > 0 && c.Described {
		if len(c.Assignments) > 0 {
			more = append(more, "with "+and(t.env)+" set")
		} else if !strings.Contains(say, "environment") && !strings.Contains(say, "variable") {
			more = append(more, "which shows or changes "+and(t.env))
		} else if t.env[0] != "the environment" {
			more = append(more, "namely "+and(t.env))
		}
	}
	if t.process && !strings.Contains(say, "process") {
		more = append(more, "which acts on processes")
	}
	for _, m := range more {
		say += ", " + m
	}
	if !c.Described || c.Class == Runner || c.Class == Interpreter || c.Class == Shell && !parent {
		say += " (`" + escape(c.Text) + "`)"
	}
	if !c.Described {
		say += ", in a form that is not known"
	}
	return say + shellTail(t)
}

// listed says where names are listed.
func listed(say string, where []string) string {
	for _, w := range where {
		if !strings.ContainsAny(w, "*?[") || !strings.HasSuffix(say, " files") {
			return say + " in " + and(where)
		}
	}
	return strings.TrimSuffix(say, "files") + and(where)
}

func trimTree(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.TrimSuffix(strings.TrimSuffix(s, " and everything below it"), " and everything below them")
	}
	return out
}

// shellTail says what the redirections of a command do.
func shellTail(t touched) string {
	s := ""
	if len(t.input) > 0 {
		s += ", from " + and(t.input)
	}
	if len(t.output) > 0 {
		s += ", and writes the output to " + and(t.output)
	}
	return s
}

// shellPhrase is about effects that belong to no command.
func shellPhrase(effects []Effect) string {
	t := touch(effects)
	var parts []string
	if len(t.input)+len(t.read) > 0 {
		parts = append(parts, "reads "+and(append(t.input, t.read...)))
	}
	if len(t.output)+len(t.write) > 0 {
		parts = append(parts, "writes to "+and(append(t.output, t.write...)))
	}
	if len(t.env) > 0 {
		parts = append(parts, "sets "+and(t.env))
	}
	if len(t.connect) > 0 {
		parts = append(parts, "connects to "+and(t.connect))
	}
	return strings.Join(parts, " and ")
}

// and joins names: a, b and c.
func and(list []string) string {
	switch len(list) {
	case 0:
		return ""
	case 1:
		return list[0]
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
