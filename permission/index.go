package permission

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// ruleTable is a list of rules with indexes by what an action always has: the
// tool, the first words of a command, a segment of a path, a host. A look-up
// yields every rule that can match and few that cannot; whether one does is
// decided by the rule itself. It is immutable.
type ruleTable struct {
	rules []Rule

	tools       map[string][]int32 // rules about calls, by literal tool or server
	toolGlobs   []int32
	heads       map[string][]int32 // command rules by their literal first words
	firstWords  map[string][]int32 // the same rules by the first of these words
	headKeys    keySet
	headMax     int                // bytes of the longest head
	loose       []int32            // command rules without a literal first word
	commands    []int32            // all command rules
	segments    map[string][]int32 // path rules by a literal segment
	segmentKeys keySet
	exts        map[string][]int32 // path rules like *.pem, by ".pem"
	loosePaths  []int32
	paths       []int32 // all path rules
	// fixed and relative are the deny and ask rules for paths by where their
	// patterns begin: fixed in absolute directories, relative below that of a
	// session.
	fixed, relative placeIndex
	hosts           map[string][]int32
	subs            map[string][]int32 // *.example.com by ".example.com"
	looseHosts      []int32
	allHosts        []int32
	broken          []int32
}

// keySet says of most strings that are not keys of a map that they are not,
// without hashing them.
type keySet [16]uint64

func (k *keySet) bit(s string) (word, bit int) {
	if s == "" {
		return 0, 0
	}
	n := len(s)*131 + int(s[0])*7 + int(s[len(s)-1])*31 + int(s[len(s)/2])*61
	return n >> 6 & 15, n & 63
}

func (k *keySet) add(s string) {
	w, b := k.bit(s)
	k[w] |= 1 << b
}

func (k *keySet) may(s string) bool {
	w, b := k.bit(s)
	return k[w]>>b&1 != 0
}

func add(m *map[string][]int32, key string, i int32) {
	if *m == nil {
		*m = map[string][]int32{}
	}
	(*m)[key] = append((*m)[key], i)
}

// newRuleTable indexes the rules; nil for none.
func newRuleTable(rules []Rule) *ruleTable {
	if len(rules) == 0 {
		return nil
	}
	// Exactly as many as there are: a policy lives long.
	t := &ruleTable{rules: append(make([]Rule, 0, len(rules)), rules...)}
	rules = t.rules
	// The rarest literal segment of a pattern is its key.
	count := map[string]int{}
	for i := range rules {
		if r := &rules[i]; r.hasPath() {
			for _, s := range r.indexed().segs {
				if !s.any && s.tokens == nil {
					count[s.literal]++
				}
			}
		}
	}
	for n := range rules {
		r, i := &rules[n], int32(n)
		if r.broken {
			t.broken = append(t.broken, i)
		}
		if r.broken || r.kind == ruleBare || r.kind == ruleParam || r.kind == ruleName {
			t.addTool(r, i)
		}
		switch r.kind {
		case ruleCommand:
			t.commands = append(t.commands, i)
			head, ok := r.command.head()
			if !ok || r.family == "PowerShell" {
				t.loose = append(t.loose, i)
				break
			}
			add(&t.heads, head, i)
			t.headKeys.add(head)
			word, _, _ := strings.Cut(head, " ")
			add(&t.firstWords, word, i)
			t.headMax = max(t.headMax, len(head))
		case ruleHost:
			t.allHosts = append(t.allHosts, i)
			switch h := r.host; {
			case h.sub != "":
				add(&t.subs, h.sub, i)
			case h.any || h.address || strings.Contains(strings.Join(h.labels, "."), "*"):
				t.looseHosts = append(t.looseHosts, i)
			default:
				add(&t.hosts, strings.Join(h.labels, "."), i)
			}
		}
		if r.hasPath() {
			t.addPath(r, i, count)
		}
	}
	t.fixed.sort()
	t.relative.sort()
	return t
}

func (t *ruleTable) addTool(r *Rule, i int32) {
	switch {
	case r.toolParts == nil:
		add(&t.tools, r.tool, i)
	case len(r.toolParts) == 2 && r.toolParts[1] == "" && strings.HasPrefix(r.tool, "mcp__") && strings.HasSuffix(r.toolParts[0], "__"):
		// mcp__server__* stands beside mcp__server.
		add(&t.tools, strings.TrimSuffix(r.toolParts[0], "__"), i)
	default:
		t.toolGlobs = append(t.toolGlobs, i)
	}
}

func (t *ruleTable) addPath(r *Rule, i int32, count map[string]int) {
	t.paths = append(t.paths, i)
	if r.ref.Effect != Allow {
		if r.path.base == "" {
			t.relative.add(literalStart("", &r.path.folded), i)
		} else {
			t.fixed.add(literalStart(r.path.foldedBase, &r.path.folded), i)
		}
	}
	key, best, ext := "", math.MaxInt, ""
	for _, s := range r.indexed().segs {
		switch {
		case s.any:
		case s.tokens == nil:
			if n := count[s.literal]; n < best {
				key, best = s.literal, n
			}
		case ext == "":
			ext = extension(s.tokens)
		}
	}
	switch {
	case key != "":
		add(&t.segments, key, i)
		t.segmentKeys.add(key)
	case ext != "":
		add(&t.exts, ext, i)
	default:
		t.loosePaths = append(t.loosePaths, i)
	}
}

// extension returns ".pem" for the tokens of "*.pem".
func extension(tokens []globToken) string {
	for n := len(tokens) - 1; n >= 0 && tokens[n].kind == 'c'; n-- {
		if tokens[n].r == '.' {
			var b strings.Builder
			for _, t := range tokens[n:] {
				b.WriteRune(t.r)
			}
			return b.String()
		}
	}
	return ""
}

func (r *Rule) hasPath() bool { return r.kind == rulePath || r.alsoPath }

// indexed is the pattern that look-ups see: folded for deny and ask.
func (r *Rule) indexed() *pathPattern {
	if r.ref.Effect == Allow {
		return &r.path.pattern
	}
	return &r.path.folded
}

// eachTool yields the rules about calls that may speak of the tool.
func (t *ruleTable) eachTool(tool, fam string, yield func(i int32)) {
	all := func(list []int32) {
		for _, i := range list {
			yield(i)
		}
	}
	all(t.tools[tool])
	if f := family(tool); f != tool {
		all(t.tools[f])
		if fam != f && fam != tool {
			all(t.tools[fam])
		}
	} else if fam != tool {
		all(t.tools[fam])
	}
	if strings.HasPrefix(tool, "mcp__") {
		for at := len("mcp__"); ; {
			n := strings.Index(tool[at:], "__")
			if n < 0 {
				break
			}
			at += n
			all(t.tools[tool[:at]])
			at++
		}
	}
	all(t.toolGlobs)
}

// eachCommand yields the command rules that may match the text. known is false
// where the text holds words that are not known.
func (t *ruleTable) eachCommand(text string, known bool, yield func(i int32)) {
	if len(t.commands) == 0 {
		return
	}
	if !known {
		head, _, _ := strings.Cut(text, DynamicWord)
		word, _, whole := strings.Cut(head, " ")
		list := t.commands
		if whole {
			list = t.firstWords[word]
		}
		for _, i := range list {
			yield(i)
		}
		if whole {
			for _, i := range t.loose {
				yield(i)
			}
		}
		return
	}
	if t.heads != nil {
		for at := 0; at <= len(text) && at <= t.headMax; at++ {
			if (at == len(text) || text[at] == ' ') && t.headKeys.may(text[:at]) {
				for _, i := range t.heads[text[:at]] {
					yield(i)
				}
			}
		}
	}
	for _, i := range t.loose {
		yield(i)
	}
}

// eachPath yields the path rules that may match the path or a directory above
// it. The path is folded for tables of deny and ask rules.
func (t *ruleTable) eachPath(p string, yield func(i int32)) {
	if len(t.paths) == 0 {
		return
	}
	for at, end := 0, 0; end <= len(p); end++ {
		if end < len(p) && p[end] != '/' {
			continue
		}
		if seg := p[at:end]; seg != "" {
			if t.segmentKeys.may(seg) {
				for _, i := range t.segments[seg] {
					yield(i)
				}
			}
			if t.exts != nil {
				if dot := strings.LastIndexByte(seg, '.'); dot >= 0 {
					for _, i := range t.exts[seg[dot:]] {
						yield(i)
					}
				}
			}
		}
		at = end + 1
	}
	for _, i := range t.loosePaths {
		yield(i)
	}
}

// eachHost yields the host rules that may match a host name.
func (t *ruleTable) eachHost(host string, yield func(i int32)) {
	if len(t.allHosts) == 0 {
		return
	}
	for _, i := range t.hosts[host] {
		yield(i)
	}
	if t.subs != nil {
		for at := 1; at < len(host); at++ {
			if host[at] == '.' {
				for _, i := range t.subs[host[at:]] {
					yield(i)
				}
			}
		}
	}
	for _, i := range t.looseHosts {
		yield(i)
	}
}

// placeIndex finds path rules by the literal directory that their patterns
// begin in, written with a slash before each name: "" is the root.
type placeIndex struct {
	at     map[string][]int32
	keys   keySet
	above  keySet // the directories above these
	sorted []placed
}

type placed struct {
	dir  string
	rule int32
}

func (x *placeIndex) add(dir string, i int32) {
	add(&x.at, dir, i)
	x.keys.add(dir)
	for i := range dir {
		if dir[i] == '/' {
			x.above.add(dir[:i])
		}
	}
	x.sorted = append(x.sorted, placed{dir, i})
}

func (x *placeIndex) sort() {
	slices.SortFunc(x.sorted, func(a, b placed) int { return cmp.Compare(a.dir, b.dir) })
}

// each yields the rules that begin in dir, above it or below it: no other rule
// can name something below dir.
func (x *placeIndex) each(dir string, yield func(i int32)) {
	if len(x.sorted) == 0 {
		return
	}
	for at := 0; at <= len(dir); at++ {
		if at == len(dir) || dir[at] == '/' {
			if !x.keys.may(dir[:at]) {
				continue
			}
			for _, i := range x.at[dir[:at]] {
				yield(i)
			}
		}
	}
	if !x.above.may(dir) {
		return
	}
	// Those below it follow dir with a slash.
	n, _ := slices.BinarySearchFunc(x.sorted, dir, func(p placed, dir string) int {
		if rest, ok := strings.CutPrefix(p.dir, dir); ok {
			return cmp.Compare(rest, "/")
		}
		return cmp.Compare(p.dir, dir)
	})
	for ; n < len(x.sorted); n++ {
		if rest, ok := strings.CutPrefix(x.sorted[n].dir, dir); !ok || rest == "" || rest[0] != '/' {
			return
		}
		yield(x.sorted[n].rule)
	}
}

// literalStart is the directory that every name which the pattern can match
// lies in, or is.
func literalStart(base string, p *pathPattern) string {
	dir := strings.TrimSuffix(base, "/")
	if !p.anchored || p.rest != nil {
		return dir
	}
	for _, s := range p.segs {
		if s.any || s.tokens != nil {
			break
		}
		dir += "/" + s.literal
	}
	return dir
}

// maxBelow bounds the rules that are sorted out one by one.
const maxBelow = 64

// mayBelow returns, in their order, the deny and ask rules that may name
// something below the folded directory dir, for relative rules that begin in
// one of starts. Where there are many it returns all path rules.
func (t *ruleTable) mayBelow(dir string, starts ...string) []int32 {
	if len(t.paths) <= 4 {
		return t.paths // as cheap as looking up
	}
	var out []int32
	many := false
	yield := func(i int32) {
		if many = many || len(out) == maxBelow; !many {
			out = append(out, i)
		}
	}
	dir = strings.TrimSuffix(dir, "/")
	t.fixed.each(dir, yield)
	for n, start := range starts {
		start = strings.TrimSuffix(start, "/")
		switch {
		case n > 0 && start == strings.TrimSuffix(starts[0], "/"):
		case start == "" || strings.HasPrefix(start, dir+"/"):
			// All of them begin below dir, or nobody knows where.
			t.relative.each("", yield)
		case dir == start || strings.HasPrefix(dir, start+"/"):
			t.relative.each(dir[len(start):], yield)
		}
	}
	if many {
		return t.paths
	}
	if len(out) > 1 {
		slices.Sort(out)
		out = slices.Compact(out)
	}
	return out
}
