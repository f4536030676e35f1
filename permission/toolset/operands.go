package toolset

import (
	"strings"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope"
)

// operands looks at the words of a command that is not understood. A word that
// names a file which may hold secrets, or which rules speak of, is an action:
// no rule for the command covers that. The words of a program that writes are
// places where it may write, as far as they are protected.
func (b *builder) operands(c *bashcheck.Command, of int) {
	name := program(c)
	o := outputs{b: b, c: c, of: of}
	edits := o.programs()
	row := knownOutputs()[name]
	if row == nil {
		row = &outputRow{}
	}
	for i, w := range c.Argv {
		if i == 0 || !w.Static || w.Text == "" || len(w.Text) > 4096 {
			continue
		}
		code := (c.Class == bashcheck.Interpreter || starters[name]) && strings.ContainsAny(w.Text, " \t\n\"'(;")
		for _, t := range candidates(w.Text, c.Class, code) {
			for _, d := range b.places(c.Dir) {
				b.operand(t, d, of, row, edits || code && t != w.Text, span(w.Span))
			}
		}
	}
	o.find()
}

// operand looks at one name in a command. edits says that a file which it names
// may be written.
func (b *builder) operand(t, d string, of int, row *outputRow, edits bool, at permission.Span) {
	a := permission.Action{Kind: permission.Read, Of: of, Origin: permission.Operand, Free: true, Span: at}
	r := b.look(d, t, scope.Read)
	if r.regular {
		b.recognize(&r.path)
	}
	if _, denied := b.denies(&r.path); denied || r.path.Class == permission.Sensitive || r.path.Class == permission.Forbidden {
		a.Path = r.path
		a.Path.Extent = permission.Exact
		b.add(a)
	}
	if edits && b.namedForWriting(&r.path) {
		e := a
		e.Kind, e.Free, e.Path = permission.Write, false, r.path
		e.Path.Extent = permission.Exact
		b.addMaybe(e, !row.changes)
	}
	if !row.guards {
		return
	}
	op, kind := scope.Write, permission.Write
	if row.deletes {
		op, kind = scope.Delete, permission.Delete
	}
	p := b.resolve(d, t, op)
	if p.Class == permission.Protected || p.Class == permission.Forbidden || p.Critical && kind == permission.Delete {
		a.Kind, a.Free, a.Path = kind, false, p
		a.Path.Extent = permission.Exact
		b.add(a)
	}
}

// candidates are the paths that a word may name: itself, what stands after a
// "=" or a short flag, and, in the text of a program, every piece that could
// be a path.
func candidates(t string, class bashcheck.Class, code bool) []string {
	var out []string
	add := func(s string) {
		if s = strings.TrimPrefix(s, "@"); s != "" && !strings.ContainsAny(s, "\n\x00") {
			out = appendNew(out, s)
		}
	}
	if !strings.HasPrefix(t, "-") {
		add(t)
	} else if len(t) > 2 && t[1] != '-' {
		add(t[2:])
	}
	if _, v, ok := strings.Cut(t, "="); ok {
		add(v)
	}
	if code || class == bashcheck.Interpreter || class == bashcheck.Shell {
		for _, s := range strings.FieldsFunc(t, func(r rune) bool {
			return !(r == '/' || r == '.' || r == '_' || r == '-' || r == '~' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80)
		}) {
			if len(out) < 64 && strings.ContainsAny(s, "./") {
				add(s)
			}
		}
	}
	return out
}
