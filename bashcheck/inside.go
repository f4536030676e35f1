package bashcheck

import (
	"path"
	"slices"
	"strings"
)

// follow analyzes the commands and texts inside a command. It returns where
// the wrapped command, run by the shell itself, would leave the shell.
func (w *walker) follow(index int, j *judged) (inside dirs) {
	if len(j.inner) == 0 && len(j.execs) == 0 && len(j.shells) == 0 {
		return
	}
	parent, transp := w.parent, w.transp
	put(&w.stdin, nil)
	defer func() { w.parent, w.transp = parent, transp }()
	w.depth++
	defer func() { w.depth-- }()
	if w.depth > w.a.opts.Limits.Depth*3 {
		w.block(CodeLimit, Span{}, "commands nest too deeply to be judged")
		return
	}
	w.parent, w.transp = index, j.transp
	if len(j.inner) > 0 {
		w.isolated(func() { inside = w.run(spelling{at: spanOf(j.inner)}, j.inner) })
	}
	w.transp = false
	for _, e := range j.execs {
		if len(e) > 0 {
			w.isolated(func() {
				if j.away {
					w.st.dir = Dir{}
				}
				w.run(spelling{at: spanOf(e)}, e)
			})
		}
	}
	for _, t := range j.shells {
		if !t.Static || t.Glob {
			w.block(CodeIndirectExecution, t.Span, "the text of a shell program is known only when it runs")
			continue
		}
		s := t.Span
		d := w.d
		if d == Bash {
			d = Any // which shell it is depends on the machine
			if w.shellIs("bash", index) {
				d = Bash
			} else if !w.shellIs("zsh", index) {
				d = POSIX
			}
		}
		w.isolated(func() {
			w.st.vars = nil
			base := -1
			if w.outer == nil || w.base >= 0 {
				// Quoted once and without escapes, the text stands in the source as it is.
				for quote := 0; quote <= 1; quote++ {
					if a, z := int(s.Start)+quote, int(s.End)-quote; a <= z && w.rep.Source[a:z] == t.Text {
						base = a
						break
					}
				}
			}
			saved := w.reading
			w.reading = reading{}
			ok := w.text(t.Text, d, &s, base)
			w.reading = saved
			if !ok {
				w.block(CodeIndirectExecution, s, "the text of a shell program inside the command was not understood")
			}
		})
	}
	return inside
}

func (w *walker) shellIs(name string, index int) bool {
	if index < 1 || index > len(w.rep.Commands) {
		return false
	}
	return path.Base(w.rep.Commands[index-1].Argv[0].Text) == name
}

func spanOf(ws []word) Span {
	return Span{ws[0].Span.Start, max(ws[len(ws)-1].Span.End, ws[0].Span.End)}
}

// inner prepares the command that a wrapper runs; before are the words between
// the two names.
func (w *walker) inner(p *program, before, command []word, j *judged) {
	name := p.names[0]
	switch name {
	case "timeout", "time", "nice", "nohup", "stdbuf", "command", "builtin", "noglob":
		j.transp = true
	case "env":
		for len(command) > 0 && command[0].Static && strings.Contains(command[0].Text, "=") {
			w.useValue(valueSpec{kind: vAssign}, command[0], j)
			command = command[1:]
		}
		if len(command) == 0 {
			j.effects = append(j.effects, Effect{Kind: Environment, Dir: w.st.dir})
		}
	case "xargs":
		if j.replace != "" {
			command = slices.Clone(command)
			for i := range command {
				if command[i].Static && command[i].Text == j.replace {
					command[i] = w.fedWord(before, j.nul, false, command[i].Span)
				} else if strings.Contains(command[i].Text, j.replace) {
					command[i].Static, command[i].lead = false, 0
					if t := command[i].Text; !strings.HasPrefix(t, j.replace) {
						command[i].lead = t[0]
					}
				}
			}
			break
		}
		j.transp = true
		command = append(append([]word{}, command...), w.fedWord(before, j.nul, true, command[len(command)-1].Span))
	}
	j.inner = command
}
