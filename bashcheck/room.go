package bashcheck

import (
	"slices"
	"sync"

	"mvdan.cc/sh/v3/syntax"
)

// room is the memory of a walk. What belongs to a report is made for it alone,
// in about the size that the syntax tree calls for, and the walk writes it where
// it stays. Where a part is full, another takes its place.
type room struct {
	effects []Effect
	words   []Word // of commands
	plain   []string
	argv    []word // of commands, while they are judged; kept for the next walk
}

// mostKept is how many words the room of a walker has that is kept.
const mostKept = 2048

var walkers = sync.Pool{New: func() any {
	return &walker{room: room{argv: make([]word, 0, 64)}, flows: make([]flow, 0, 8)}
}}

// newWalker returns a walker with an empty report of src.
func newWalker(a *Analyzer, src string) *walker {
	w := walkers.Get().(*walker)
	w.a, w.table = a, a.table()
	w.rep.Source, w.rep.Analyzer = src, a.identity()
	w.rep.Commands, w.rep.Assumptions = []Command{}, []Assumption{}
	w.st.dir = startDir
	return w
}

// release clears the walker and gives it back. Nothing of it may be used after.
func (w *walker) release() {
	if cap(w.room.argv) > mostKept || cap(w.flows) > mostKept {
		return
	}
	clear(w.room.argv) // a pool must not keep texts alive
	*w = walker{room: room{argv: w.room.argv[:0]}, flows: w.flows[:0]}
	walkers.Put(w)
}

// census is how many simple commands a text holds, and how many words they have.
type census struct{ commands, words int }

func (n *census) stmts(list []*syntax.Stmt) {
	for _, s := range list {
		n.stmt(s)
	}
}

// stmt counts what stands in s. It is an estimate: words may become several, and
// what stands inside of words is not counted.
func (n *census) stmt(s *syntax.Stmt) {
	switch x := s.Cmd.(type) {
	case *syntax.CallExpr:
		n.commands++
		n.words += len(x.Args)
	case *syntax.BinaryCmd:
		n.stmt(x.X)
		n.stmt(x.Y)
	case *syntax.Subshell:
		n.stmts(x.Stmts)
	case *syntax.Block:
		n.stmts(x.Stmts)
	case *syntax.IfClause:
		for ; x != nil; x = x.Else {
			n.stmts(x.Cond)
			n.stmts(x.Then)
		}
	case *syntax.WhileClause:
		n.stmts(x.Cond)
		n.stmts(x.Do)
	case *syntax.ForClause:
		n.stmts(x.Do)
	}
}

// Most reports are short. What stands in one is then allocated at once, as one
// of these: a call of one program, and a line of a few. Their sizes are those
// that the runtime allocates (on 64 bits 480 and, with its header, 1152 bytes).
// Words that are more have memory of their own.
type (
	oneCall struct {
		commands    [1]Command
		effects     [2]Effect
		words       [3]Word
		plain       [1]string
		assumptions [4]Assumption
	}
	fewCalls struct {
		commands    [3]Command
		effects     [4]Effect
		words       [7]Word
		plain       [3]string
		assumptions [4]Assumption
	}
)

// furnish makes the room of the report of a text.
func (w *walker) furnish(list []*syntax.Stmt, substitutions int) {
	n := census{substitutions, 3 * substitutions}
	n.stmts(list)
	n.commands = min(n.commands, w.a.opts.Limits.Commands)
	m := &w.room
	switch {
	case n.commands <= len(oneCall{}.commands):
		r := new(oneCall)
		w.rep.Commands, w.rep.Assumptions = r.commands[:0], r.assumptions[:0]
		m.effects, m.words, m.plain = r.effects[:0], r.words[:0], r.plain[:0]
	case n.commands <= len(fewCalls{}.commands):
		r := new(fewCalls)
		w.rep.Commands, w.rep.Assumptions = r.commands[:0], r.assumptions[:0]
		m.effects, m.words, m.plain = r.effects[:0], r.words[:0], r.plain[:0]
	default:
		w.rep.Commands, w.rep.Assumptions = make([]Command, 0, n.commands), make([]Assumption, 0, 6)
		m.effects, m.plain = make([]Effect, 0, n.commands+2), make([]string, 0, n.commands)
	}
	if n.words > cap(m.words) {
		m.words = make([]Word, 0, n.words)
	}
}

// put writes what differs: while the collector runs, to write a pointer costs more
// than to compare it.
func put[T comparable](at *T, v T) {
	if *at != v {
		*at = v
	}
}

// take returns an empty slice with room for n items.
func take[T any](from *[]T, n int) []T {
	at := len(*from)
	if n > cap(*from)-at {
		// What was handed out lives on with those who have it.
		*from = make([]T, 0, max(n, 2*cap(*from)))
		at = 0
	}
	*from = (*from)[:at+n]
	return (*from)[at : at : at+n]
}

// open returns the empty command that add puts into the report. Nothing else may
// be opened before.
func (w *walker) open() *Command {
	list := w.rep.Commands
	if len(list) == cap(list) {
		list = slices.Grow(list, 1)
		w.rep.Commands = list
	}
	return &list[:len(list)+1][len(list)]
}

// openEffects returns an empty slice of effects that grows in the room as long
// as nothing else is put there.
func (m *room) openEffects() []Effect { return m.effects[len(m.effects):] }

// closeEffects keeps what openEffects returned and was appended to.
func (m *room) closeEffects(list []Effect) []Effect {
	n, at := len(list), len(m.effects)
	if n > 0 && n <= cap(m.effects)-at && &list[0] == &m.effects[:at+1][at] {
		m.effects = m.effects[:at+n]
		return list[:n:n]
	}
	return list
}
