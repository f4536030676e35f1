package bashcheck

import "sync"

// room is the memory of a walk. It is pooled: while a text is walked, all that
// is found stands here, and pack copies it into a Report of exactly its size.
// What a walk hands out stays valid until release, even where a part of the
// room was full and another took its place.
type room struct {
	commands    []Command
	effects     []Effect
	words       []Word // of commands
	plain       []string
	argv        []word // of commands, while they are judged
	flows       []flow
	assumptions []Assumption
}

// The parts of a room as it is made. A part that grew beyond mostRoom times
// that is not kept.
const (
	roomCommands = 8
	roomEffects  = 24
	roomWords    = 48
	mostRoom     = 32
)

var walkers = sync.Pool{New: func() any {
	return &walker{room: room{
		commands: make([]Command, 0, roomCommands), effects: make([]Effect, 0, roomEffects),
		words: make([]Word, 0, roomWords), plain: make([]string, 0, 2*roomCommands), argv: make([]word, 0, roomWords),
		flows: make([]flow, 0, roomCommands), assumptions: make([]Assumption, 0, 8),
	}}
}}

// newWalker returns a walker with an empty report of src.
func newWalker(a *Analyzer, src string) *walker {
	w := walkers.Get().(*walker)
	w.a, w.table = a, a.table()
	w.rep.Source, w.rep.Analyzer = src, a.identity()
	w.rep.Commands, w.rep.Assumptions, w.flows = w.room.commands, w.room.assumptions, w.room.flows
	w.st.dir = startDir
	return w
}

// lists are the memory of a report.
type lists struct {
	commands    []Command
	effects     []Effect
	words       []Word
	plain       []string
	assumptions []Assumption
}

// Most reports are short. What stands in one is then allocated at once, as one
// of these: a call of one program, and a line of a few.
type (
	oneCall struct {
		commands    [1]Command
		effects     [2]Effect
		words       [4]Word
		plain       [2]string
		assumptions [5]Assumption
	}
	fewCalls struct {
		commands    [3]Command
		effects     [4]Effect
		words       [8]Word
		plain       [4]string
		assumptions [6]Assumption
	}
)

// newLists returns empty lists that have room for so many items.
func newLists(commands, effects, words, plain, assumptions int) lists {
	if m := (*oneCall)(nil); commands <= len(m.commands) && effects <= len(m.effects) && words <= len(m.words) && plain <= len(m.plain) && assumptions <= len(m.assumptions) {
		m = new(oneCall)
		return lists{m.commands[:0], m.effects[:0], m.words[:0], m.plain[:0], m.assumptions[:0]}
	}
	if m := (*fewCalls)(nil); commands <= len(m.commands) && effects <= len(m.effects) && words <= len(m.words) && plain <= len(m.plain) && assumptions <= len(m.assumptions) {
		m = new(fewCalls)
		return lists{m.commands[:0], m.effects[:0], m.words[:0], m.plain[:0], m.assumptions[:0]}
	}
	return lists{make([]Command, 0, commands), make([]Effect, 0, effects), make([]Word, 0, words), make([]string, 0, plain), make([]Assumption, 0, assumptions)}
}

// pack fills r with the report in memory of its own.
func (w *walker) pack(r *Report) {
	*r = w.rep
	effects, words, plain := 0, 0, 0
	for i := range r.Commands {
		c := &r.Commands[i]
		effects, words, plain = effects+len(c.Effects), words+len(c.Argv), plain+len(c.Plain)
	}
	all := newLists(len(r.Commands), effects, words, plain, len(r.Assumptions))
	r.Commands, _ = moved(r.Commands, all.commands)
	for i := range r.Commands {
		c := &r.Commands[i]
		c.Effects, all.effects = moved(c.Effects, all.effects)
		c.Argv, all.words = moved(c.Argv, all.words)
		c.Plain, all.plain = moved(c.Plain, all.plain)
	}
	r.Assumptions, _ = moved(r.Assumptions, all.assumptions)
}

// moved appends list to all and returns it as it stands there.
func moved[T any](list, all []T) ([]T, []T) {
	if list == nil {
		return nil, all
	}
	at := len(all)
	all = append(all, list...)
	return all[at:len(all):len(all)], all
}

// release clears the walker and gives it back. Nothing of it may be used after.
func (w *walker) release() {
	w.room.commands, w.room.assumptions, w.room.flows = w.rep.Commands, w.rep.Assumptions, w.flows
	m := &w.room
	if cap(m.commands) > mostRoom*roomCommands || cap(m.effects) > mostRoom*roomEffects || cap(m.words) > mostRoom*roomWords ||
		cap(m.argv) > mostRoom*roomWords || cap(m.flows) > mostRoom*roomCommands || cap(m.plain) > mostRoom*roomCommands {
		return
	}
	*w = walker{room: room{
		commands: emptied(m.commands), effects: emptied(m.effects), words: emptied(m.words), plain: emptied(m.plain),
		argv: emptied(m.argv), flows: emptied(m.flows), assumptions: emptied(m.assumptions),
	}}
	walkers.Put(w)
}

// emptied is the list without its items: a pool must not keep texts alive.
func emptied[T any](list []T) []T {
	clear(list)
	return list[:0]
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

// openEffects returns an empty slice of effects that grows in the room as long
// as nothing else is put there.
func (m *room) openEffects() []Effect {
	if cap(m.effects)-len(m.effects) < 8 {
		m.effects = make([]Effect, 0, 2*cap(m.effects))
	}
	return m.effects[len(m.effects):]
}

// closeEffects keeps what openEffects returned and was appended to.
func (m *room) closeEffects(list []Effect) []Effect {
	n, at := len(list), len(m.effects)
	if n > 0 && n <= cap(m.effects)-at && &list[0] == &m.effects[:at+1][at] {
		m.effects = m.effects[:at+n]
		return list[:n:n]
	}
	return list
}
