package mcptrust

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Codes of reasons and findings about several servers.
const (
	CodeNameCollision  Code = "NAME_COLLISION"
	CodeClone          Code = "CLONE"
	CodeCrossReference Code = "CROSS_REFERENCE"
	CodeNearServer     Code = "NEAR_SERVER_NAME"
)

// ExposedName is the name under which hosts show a tool to the model:
// mcp__SERVER__TOOL, with "_" for every character outside A-Z a-z 0-9 _ -. Two
// servers can meet in one name; the registry blocks such tools.
func ExposedName(server, tool string) string {
	return "mcp__" + exposed(server) + "__" + exposed(tool)
}

func exposed(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, s)
}

// neighbour is another server of the same project with its approved tools.
type neighbour struct {
	name string
	rec  *serverRecord
}

// neighbours lists the servers beside s whose tools the model may see. A record
// with the same definition is the same server under its former name.
func neighbours(st *standing, name string) []neighbour {
	var out []neighbour
	seen := map[string]bool{}
	for _, f := range st.files {
		for other, rec := range f.Servers {
			if other == name || rec.Status != wordTrusted || rec.Digest == st.digest || seen[other] {
				continue
			}
			seen[other] = true
			out = append(out, neighbour{other, rec})
		}
	}
	slices.SortFunc(out, func(a, b neighbour) int { return strings.Compare(a.name, b.name) })
	return out
}

// collisions returns the exposed names of approved tools of neighbours that a
// tool of this server could have too. That needs one server name to begin with
// the other, so mostly there are none.
func collisions(name string, others []neighbour) map[string]string {
	var out map[string]string
	own := exposed(name)
	for _, o := range others {
		their := exposed(o.name)
		if !strings.HasPrefix(own, their) && !strings.HasPrefix(their, own) {
			continue
		}
		for key, it := range o.rec.Items {
			tool, ok := strings.CutPrefix(key, "tool:")
			if ok && it.Status == wordTrusted {
				if out == nil {
					out = map[string]string{}
				}
				out[ExposedName(o.name, tool)] = o.name
			}
		}
	}
	return out
}

// shadows compares new tools with the approved tools of other servers. It is
// built when the first tool that is not trusted is met.
type shadows struct {
	own   map[string]bool // tools of this server
	tools []foreign
	refs  map[string]foreign // word in an approved foreign text → who says it
	// targets are the words that talk about a foreign tool.
	targets map[string]*foreign
}

type foreign struct {
	server, tool string
	plain, look  string
	desc         string
	same         bool // another instance of the same program
	distinct     bool // distinctive name
}

func newShadows(s *Server, others []neighbour, items []item) *shadows {
	sh := &shadows{own: map[string]bool{}, refs: map[string]foreign{}}
	wanted := map[string]bool{}
	for i := range items {
		if items[i].kind == KindTool && items[i].invalid == "" {
			sh.own[items[i].name] = true
			if distinctive(items[i].name) {
				wanted[items[i].name] = true
			}
		}
	}
	for _, o := range others {
		same := sameProgram(s, o.rec)
		for _, key := range sortedKeys(o.rec.Items) {
			it := o.rec.Items[key]
			kind, name, _ := strings.Cut(key, ":")
			if it.Status != wordTrusted {
				continue
			}
			n, err := parseJSON([]byte(it.Text), false)
			if err != nil {
				continue
			}
			f := foreign{server: o.name, tool: name, plain: squash(strings.ToLower(name)), look: lookalike(name), same: same, distinct: distinctive(name)}
			if d := n.get("description"); d != nil {
				f.desc = d.text
			}
			if kind == "tool" {
				sh.tools = append(sh.tools, f)
			}
			if same {
				continue
			}
			for i := range n.obj {
				if n.obj[i].key == "name" {
					continue
				}
				values(&n.obj[i].val, func(text string) {
					for w := range words(text) {
						// A server talks about its own tools.
						if own := o.rec.Items[itemKey(KindTool, w)]; wanted[w] && (own == nil || own.Status != wordTrusted) {
							sh.refs[w] = f
						}
					}
				})
			}
		}
	}
	sh.targets = make(map[string]*foreign, 2*len(sh.tools))
	for i := range sh.tools {
		if f := &sh.tools[i]; !f.same {
			if f.distinct && !sh.own[f.tool] {
				sh.targets[f.tool] = f
			}
			sh.targets[ExposedName(f.server, f.tool)] = f
		}
	}
	return sh
}

func (sh *shadows) findings(it *item) []Finding {
	if len(sh.tools) == 0 && len(sh.refs) == 0 {
		return nil
	}
	var out []Finding
	add := func(code Code, field, text string, confirm bool) {
		if len(out) < MaxFindings {
			out = append(out, Finding{code, field, text, confirm})
		}
	}
	if it.kind == KindTool && distinctive(it.name) {
		plain, look := squash(strings.ToLower(it.name)), lookalike(it.name)
		desc := ""
		if d := it.node.get("description"); d != nil {
			desc = d.text
		}
		for i := range sh.tools {
			f := &sh.tools[i]
			if f.same {
				continue
			}
			switch {
			case f.tool == it.name || f.plain == plain:
				if desc != "" && desc == f.desc {
					add(CodeClone, "name", "the same name and description as "+quote(f.tool)+" of server "+quote(f.server)+": calls meant for one can reach the other", true)
				}
			case !f.distinct:
			case f.look == look:
				add(CodeNearName, "name", "looks like "+quote(f.tool)+" of server "+quote(f.server), true)
			case near(f.plain, plain) && !honestPair(f.tool, it.name):
				add(CodeNearName, "name", "one letter away from "+quote(f.tool)+" of server "+quote(f.server), true)
			}
		}
		if f, ok := sh.refs[it.name]; ok {
			add(CodeCrossReference, "name", "a text of server "+quote(f.server)+" ("+quote(f.tool)+") talks about a tool with this name", true)
		}
	}
	done := map[string]bool{}
	for i := range it.node.obj {
		m := &it.node.obj[i]
		if m.key == "name" {
			continue
		}
		walkStrings(m.key, &m.val, func(field, text string) {
			if strings.HasSuffix(field, "(a key)") {
				return
			}
			for w := range words(text) {
				if f := sh.targets[w]; f != nil && !done[w] {
					done[w] = true
					add(CodeCrossReference, Escape(field), "talks about "+quote(f.tool)+", a tool of server "+quote(f.server), true)
				}
			}
		})
	}
	return out
}

// values calls f for every string value, not for keys.
func values(n *node, f func(string)) {
	switch n.kind {
	case kindString:
		f(n.text)
	case kindArray:
		for i := range n.list {
			values(&n.list[i], f)
		}
	case kindObject:
		for i := range n.obj {
			values(&n.obj[i].val, f)
		}
	}
}

// words yields the words of a text that could be names of tools.
func words(s string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		start := -1
		for i := 0; i <= len(s); i++ {
			in := i < len(s) && (alphanumeric(s[i]) || s[i] == '_' || s[i] == '-' || s[i] >= utf8.RuneSelf)
			switch {
			case in && start < 0:
				start = i
			case !in && start >= 0:
				if w := strings.Trim(s[start:i], "-"); len(w) >= 6 && !yield(w) {
					return
				}
				start = -1
			}
		}
	}
}

// distinctive reports a name that two servers do not share by chance: at least
// six letters, and more than one word. Published measurements show that bare
// collisions of names such as search are normal.
func distinctive(name string) bool {
	return len(squash(name)) >= 6 && len(nameWords(name)) >= 2
}

// nameWords splits a name at separators and at capital letters.
func nameWords(name string) []string {
	var out []string
	for _, p := range strings.FieldsFunc(splitCamel(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		out = append(out, strings.ToLower(p))
	}
	return out
}

// lookalike folds the ASCII characters that people do not tell apart.
func lookalike(name string) string {
	s := strings.NewReplacer("1", "l", "I", "l", "|", "l", "0", "o", "O", "o", "5", "s", "S", "s").Replace(name)
	return strings.NewReplacer("rn", "m", "vv", "w", "cl", "d").Replace(squash(strings.ToLower(s)))
}

// near reports two texts that one inserted, removed, replaced or swapped
// character separates.
func near(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || a == b {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	if a[i+1:] == b[i+1:] {
		return true
	}
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}

// honestPair reports names that differ in ways that honest servers do: a plural,
// a number, or one common verb for another (get and set).
func honestPair(a, b string) bool {
	x, y := nameWords(a), nameWords(b)
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		p, q := x[i], y[i]
		if p == q || p+"s" == q || q+"s" == p || commonVerb(p) && commonVerb(q) || number(p) && number(q) {
			continue
		}
		return false
	}
	return true
}

func number(s string) bool {
	s = strings.TrimPrefix(s, "v")
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func commonVerb(s string) bool {
	switch s {
	case "get", "set", "let", "put", "add", "ask", "run", "log", "map", "cut", "tag", "make", "take", "move", "more", "send", "read", "load", "list", "edit", "find", "bind", "post", "sort", "save", "call", "open", "lock", "link", "like", "stop", "start", "reset", "merge":
		return true
	}
	return false
}

// sameProgram reports another instance of one program: prod and dev of one
// server differ in an argument or a variable, and offer the same tools.
func sameProgram(s *Server, rec *serverRecord) bool {
	pin, err := parseJSON(rec.Pin, false)
	if err != nil {
		return false
	}
	if t := pin.get("type"); t == nil || t.text != string(s.Transport) {
		return false
	}
	if s.Transport != Stdio {
		u, err := parseServerURL(s.URL.Expanded(), s.Transport)
		o := pin.get("url")
		if err != nil || o == nil || o.kind != kindString {
			return false
		}
		v, err := parseServerURL(o.text, s.Transport)
		return err == nil && u.Scheme == v.Scheme && normalHost(u.Hostname()) == normalHost(v.Hostname()) && u.Port() == v.Port()
	}
	text := func(n *node) (string, bool) {
		if n == nil || n.kind != kindString {
			return "", false
		}
		return n.text, true
	}
	command, ok := text(pin.get("command"))
	if !ok || command != s.Command.Template() {
		return false
	}
	var theirs []string
	if list := pin.get("args"); list != nil {
		for i := range list.list {
			a, ok := text(&list.list[i])
			if !ok {
				a = "\x00"
			}
			theirs = append(theirs, a)
		}
	}
	ours := make([]string, len(s.Args))
	for i, a := range s.Args {
		ours[i] = a.Template()
	}
	// Of these programs the first operand is what runs.
	switch strings.TrimRight(program(command), "0123456789.") {
	case "node", "python", "deno", "bun", "npx", "bunx", "uvx":
		x, ok1 := firstOperand(ours)
		y, ok2 := firstOperand(theirs)
		return ok1 && ok2 && x == y && slices.Equal(ours[:slices.Index(ours, x)], theirs[:slices.Index(theirs, y)])
	}
	return slices.Equal(ours, theirs)
}

// nearServers finds other servers whose name this one could be mistaken for.
func nearServers(name string, others []neighbour) []Finding {
	var out []Finding
	plain := squash(strings.ToLower(name))
	for _, o := range others {
		their := squash(strings.ToLower(o.name))
		switch {
		case plain == their || lookalike(name) == lookalike(o.name):
			out = append(out, Finding{CodeNearServer, "name", "looks like the server " + quote(o.name), true})
		case len(plain) >= 6 && near(plain, their) && !honestPair(name, o.name):
			out = append(out, Finding{CodeNearServer, "name", fmt.Sprintf("one letter away from the server %s", quote(o.name)), false})
		}
		if len(out) >= MaxFindings {
			break
		}
	}
	return out
}
