package bashcheck

// state is what a list of commands changes for what follows.
type state struct {
	dir  Dir
	vars map[string]value // never changed in place
	// forget: a command assigned variables that the text may not name, so
	// only what is assigned after it is known.
	forget bool
}

// value is what is known about a variable.
type value struct {
	text    string
	known   bool
	lead    byte // of a value not known: its first byte, 0 not known
	integer bool
	solid   bool    // of a value not known: it holds no blank and no pattern
	own     bool    // the text itself gave it, always: nothing of the environment is left
	one     *[]Word // of a value not known: it is one of these literals, or matches one of these patterns
}

// maxChoices is how many items of a loop are followed one by one.
const maxChoices = 16

// choices are the items of a loop where each is a literal or a pattern.
func choices(items []word) *[]Word {
	if len(items) == 0 || len(items) > maxChoices {
		return nil
	}
	var out []Word
	for _, o := range items {
		if !o.Static || o.Text == "" {
			return nil
		}
		out = append(out, o.Word)
	}
	return &out
}

func (w *walker) set(name string, v value) {
	if len(w.st.vars) >= 64 { // copying them would cost more than knowing them brings
		w.st.forget, w.st.vars = true, nil
		return
	}
	n := make(map[string]value, len(w.st.vars)+1)
	for k, x := range w.st.vars {
		n[k] = x
	}
	n[name] = v
	w.st.vars = n
}

func (w *walker) get(name string) value {
	if name == "_" { // the last word of the command before
		return value{}
	}
	if v, ok := w.st.vars[name]; ok {
		return v
	}
	if w.st.forget {
		return value{}
	}
	if v, ok := w.a.opts.Vars[name]; ok {
		return value{text: v, known: true}
	}
	if name == "HOME" && w.a.opts.Home != "" {
		return value{text: w.a.opts.Home, known: true}
	}
	return value{}
}

// isolated walks in a subshell: nothing it changes is seen outside.
func (w *walker) isolated(f func()) {
	saved := w.st
	f()
	w.restore(saved)
}

// restore makes the state what it was before.
func (w *walker) restore(saved state) {
	put(&w.st.dir, saved.dir)
	if saved.vars != nil || w.st.vars != nil {
		w.st.vars = saved.vars
	}
	w.st.forget = saved.forget
}

// maybe walks something that may not run: variables it sets are unknown after.
func (w *walker) maybe(f func() dirs) dirs {
	before := w.st.vars
	d := f()
	after := w.st.vars
	if before == nil && after == nil {
		return d
	}
	if w.st.forget {
		w.st.vars = nil
		return d
	}
	w.st.vars = before
	for k := range after {
		b, ok := before[k]
		if !ok || b != after[k] {
			w.set(k, value{own: b.own && after[k].own})
		}
	}
	return d
}

// mergeLead is the lead of a word that is one of two.
func mergeLead(a, b byte) byte {
	switch {
	case a == b:
		return a
	case a == 0 || b == 0:
		return 0
	case a != '/' && b != '/' && (a == '-' || b == '-' || a == leadName || b == leadName):
		return leadName
	case a == '-' || b == '-' || a == leadName || b == leadName:
		return 0
	case a == '/' || b == '/':
		return '/' // no dash, and it may be absolute
	case a == leadObject || b == leadObject:
		return leadObject
	}
	return 'x' // neither
}
