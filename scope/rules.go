package scope

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed rules.txt
var rulesText string

// Rule puts the paths that a pattern matches, and everything below them, into
// a class.
type Rule struct {
	// Name is the stable name of the rule: lower case letters, digits and "-".
	Name string
	// Class is Protected, Sensitive or Forbidden.
	Class Class
	// Patterns are paths with forward slashes that match from any directory;
	// with "~/" in front they match from the home directory, with "/" from the
	// root of the file system. "*" stands for any run of characters in one
	// component. The rule covers a matched path and everything below it; a
	// leading "**/" and a trailing "/**" or "/" say the same again and are
	// accepted. "**" elsewhere, "?", "[", "\" and "{" are refused, because a
	// rule that does not mean what it seems to mean protects nothing.
	Patterns []string
	// Except are patterns in the same form. Where one matches, the components
	// up to the end of that match are not covered; what lies deeper still is,
	// when a pattern matches there. Exceptions count only below a root.
	Except []string
	// Reason is one sentence for a person.
	Reason string
}

// row is a rule as it stands in rules.txt.
type row struct {
	Rule
	profile Profile
	yes, no []string
}

// rows loads the built-in rules once. The text is a constant of the program,
// so the result is too.
var rows = sync.OnceValues(func() ([]row, error) { return parseRows(rulesText) })

// Rules returns a copy of the built-in rules that are in force in a profile,
// in order.
func Rules(p Profile) []Rule {
	all, err := rows()
	if err != nil {
		return nil
	}
	var out []Rule
	for _, r := range all {
		if r.profile <= p {
			c := r.Rule
			c.Patterns, c.Except = slices.Clone(c.Patterns), slices.Clone(c.Except)
			out = append(out, c)
		}
	}
	return out
}

// parseRows reads the form that rules.txt explains. Anything unknown, missing
// or repeated is an error with its line.
func parseRows(text string) ([]row, error) {
	var out []row
	names := map[string]bool{}
	var cur *row
	var start int
	var seen map[string]bool
	finish := func() error {
		if cur == nil {
			return nil
		}
		for _, k := range []string{"name", "class", "profile", "path", "reason", "yes", "no"} {
			if !seen[k] {
				return fmt.Errorf("rules: line %d: row without %q", start, k)
			}
		}
		if _, err := compileRule(cur.Rule); err != nil {
			return fmt.Errorf("rules: line %d: %w", start, err)
		}
		if names[cur.Name] {
			return fmt.Errorf("rules: line %d: name %q is used twice", start, cur.Name)
		}
		names[cur.Name] = true
		out = append(out, *cur)
		cur = nil
		return nil
	}
	for i, line := range strings.Split(text, "\n") {
		if strings.TrimSpace(line) == "" {
			if err := finish(); err != nil {
				return nil, err
			}
			continue
		}
		if line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, ": ")
		value = strings.TrimSpace(value)
		if !ok || value == "" {
			return nil, fmt.Errorf("rules: line %d: want \"key: value\"", i+1)
		}
		if cur == nil {
			cur, start, seen = &row{}, i+1, map[string]bool{}
		}
		if seen[key] {
			return nil, fmt.Errorf("rules: line %d: %q twice in one row", i+1, key)
		}
		seen[key] = true
		switch key {
		case "name":
			cur.Name = value
		case "class":
			switch value {
			case "protected":
				cur.Class = Protected
			case "sensitive":
				cur.Class = Sensitive
			default:
				return nil, fmt.Errorf("rules: line %d: class %q", i+1, value)
			}
		case "profile":
			switch value {
			case "default":
				cur.profile = Default
			case "strict":
				cur.profile = Strict
			default:
				return nil, fmt.Errorf("rules: line %d: profile %q", i+1, value)
			}
		case "path":
			cur.Patterns = strings.Fields(value)
		case "except":
			cur.Except = strings.Fields(value)
		case "reason":
			cur.Reason = value
		case "yes":
			cur.yes = strings.Fields(value)
		case "no":
			cur.no = strings.Fields(value)
		default:
			return nil, fmt.Errorf("rules: line %d: unknown key %q", i+1, key)
		}
	}
	return out, finish()
}

// anchor says from where a pattern matches.
type anchor uint8

const (
	anywhere anchor = iota
	fromHome
	fromTop
)

// pattern is a compiled pattern: folded segments.
type pattern struct {
	anchor anchor
	segs   []string
}

type compiledRule struct {
	Rule
	patterns, except []pattern
}

func compileRule(r Rule) (compiledRule, error) {
	c := compiledRule{Rule: r}
	if r.Name == "" || strings.Trim(r.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return c, fmt.Errorf("rule name %q: want lower case letters, digits and \"-\"", r.Name)
	}
	if r.Class != Protected && r.Class != Sensitive && r.Class != Forbidden {
		return c, fmt.Errorf("rule %s: class must be protected, sensitive or forbidden", r.Name)
	}
	if len(r.Patterns) == 0 {
		return c, fmt.Errorf("rule %s: no pattern", r.Name)
	}
	for _, p := range r.Patterns {
		cp, err := compilePattern(p)
		if err != nil {
			return c, fmt.Errorf("rule %s: %w", r.Name, err)
		}
		c.patterns = append(c.patterns, cp)
	}
	for _, p := range r.Except {
		cp, err := compilePattern(p)
		if err != nil {
			return c, fmt.Errorf("rule %s: %w", r.Name, err)
		}
		c.except = append(c.except, cp)
	}
	return c, nil
}

func compilePattern(p string) (pattern, error) {
	bad := func(why string) (pattern, error) { return pattern{}, fmt.Errorf("pattern %q: %s", p, why) }
	if len(p) > 4096 {
		return bad("longer than 4096 bytes")
	}
	if strings.ContainsAny(p, "?[\\{\x00") {
		return bad("only \"*\" is special; ?, [, \\ and { are refused")
	}
	var c pattern
	s := p
	switch {
	case strings.HasPrefix(s, "~/"):
		c.anchor, s = fromHome, s[2:]
	case strings.HasPrefix(s, "/"):
		c.anchor, s = fromTop, s[1:]
	default:
		s = strings.TrimPrefix(s, "**/")
	}
	s = strings.TrimSuffix(strings.TrimSuffix(s, "/**"), "/")
	if s == "" {
		return bad("it names everything")
	}
	for _, seg := range strings.Split(s, "/") {
		switch {
		case seg == "" || seg == "." || seg == "..":
			return bad("empty, \".\" or \"..\" component never matches")
		case strings.Contains(seg, "**"):
			return bad("\"**\" only at the start or the end")
		case seg == "*" && len(s) == 1:
			return bad("it names everything")
		}
		c.segs = append(c.segs, foldUnicode(seg))
	}
	return c, nil
}

// classifier is the set of rules in force. It is immutable.
type classifier struct {
	rules   []compiledRule
	homes   [][]string    // components of Home, as given and resolved
	protect [][]component // Forbidden paths, as given and resolved
	// The patterns by what a component must be for them to match: a literal
	// segment, the end of the name from its last dot on, or anything.
	literal, suffix map[string][]ref
	any             []ref
	// above are the components that stand before the last one in some pattern,
	// "*" for one with a star.
	above map[string]bool
}

// ref names a pattern of a rule.
type ref struct{ rule, pattern int }

// buildIndex sorts the patterns into the maps.
func (c *classifier) buildIndex() {
	c.literal, c.suffix, c.above = map[string][]ref{}, map[string][]ref{}, map[string]bool{}
	for i := range c.rules {
	patterns:
		for j, p := range c.rules[i].patterns {
			for _, seg := range p.segs[:len(p.segs)-1] {
				if strings.IndexByte(seg, '*') >= 0 {
					seg = "*"
				}
				c.above[seg] = true
			}
			for _, seg := range slices.Backward(p.segs) {
				if strings.IndexByte(seg, '*') < 0 {
					c.literal[seg] = append(c.literal[seg], ref{i, j})
					continue patterns
				}
			}
			last := p.segs[len(p.segs)-1]
			if dot := strings.LastIndexByte(last, '.'); dot > strings.LastIndexByte(last, '*') {
				c.suffix[last[dot:]] = append(c.suffix[last[dot:]], ref{i, j})
				continue
			}
			c.any = append(c.any, ref{i, j})
		}
	}
}

func newClassifier(o Options) (*classifier, error) {
	all, err := rows()
	if err != nil {
		return nil, err
	}
	if o.Profile > Strict {
		return nil, fmt.Errorf("scope: unknown profile %d", o.Profile)
	}
	c := &classifier{}
	lift := map[string]bool{}
	for _, n := range o.Lift {
		lift[n] = true
	}
	for _, r := range all {
		if lift[r.Name] {
			delete(lift, r.Name)
			continue
		}
		if r.profile > o.Profile {
			continue
		}
		cr, err := compileRule(r.Rule)
		if err != nil {
			return nil, err
		}
		c.rules = append(c.rules, cr)
	}
	for n := range lift {
		return nil, fmt.Errorf("scope: Lift names no built-in rule: %q", n)
	}
	for _, r := range o.Classes {
		cr, err := compileRule(r)
		if err != nil {
			return nil, fmt.Errorf("scope: Classes: %w", err)
		}
		c.rules = append(c.rules, cr)
	}
	c.buildIndex()
	return c, nil
}

// verdict is what the rules say about one spelling of a path.
type verdict struct {
	class  Class
	name   string
	reason string
	rule   int // its number, for the first of several to win
}

func (v *verdict) raise(w verdict) {
	if w.class > v.class {
		*v = w
	}
}

// name forms of one component: as folded text, and as Windows would take it.
type component struct{ plain, ntfs string }

func foldComponents(names []string) []component {
	out := make([]component, len(names))
	for i, n := range names {
		p := foldUnicode(n)
		out[i] = component{p, foldNTFS(p)}
	}
	return out
}

// classify judges one absolute path given as its components. base is the
// number of components of the root that it lies below, -1 for none.
func (c *classifier) classify(names []string, base int, op Op) verdict {
	v := verdict{class: Ordinary}
	comps := foldComponents(names)
	homeLen := -1
	for _, h := range c.homes {
		if under(names, h) {
			homeLen = len(h)
		}
	}
	if op != Stat {
		for _, p := range c.protect {
			if under2(comps, p) || op.tree() && under2(p, comps) {
				return verdict{Forbidden, "host-file", "the host program keeps its settings, trust or secrets there", -1}
			}
		}
	}
	short := slices.ContainsFunc(comps, func(n component) bool { return strings.IndexByte(n.ntfs, '~') > 0 })
	if op.tree() || short || c.literal == nil {
		// Directories above, and names that stand for a longer one, are not in
		// the index.
		c.scan(&v, comps, homeLen, base, op)
		return v
	}
	try := func(refs []ref) {
		for _, f := range refs {
			r := &c.rules[f.rule]
			if !relevant(r.Class, op) || r.Class < v.class || r.Class == v.class && v.rule <= f.rule || !r.patterns[f.pattern].matches(comps, homeLen, 0) {
				continue
			}
			if r.patterns[f.pattern].matches(comps, homeLen, c.skip(r, comps, homeLen, base)) {
				v = verdict{r.Class, r.Name, r.Reason, f.rule}
			}
		}
	}
	for _, n := range comps {
		try(c.literal[n.plain])
		if dot := strings.LastIndexByte(n.plain, '.'); dot >= 0 {
			try(c.suffix[n.plain[dot:]])
		}
		if n.ntfs != n.plain {
			try(c.literal[n.ntfs])
			if dot := strings.LastIndexByte(n.ntfs, '.'); dot >= 0 {
				try(c.suffix[n.ntfs[dot:]])
			}
		}
	}
	try(c.any)
	return v
}

// scan tries every rule.
func (c *classifier) scan(v *verdict, comps []component, homeLen, base int, op Op) {
	for i := range c.rules {
		r := &c.rules[i]
		if !relevant(r.Class, op) || r.Class <= v.class {
			continue
		}
		if c.covers(r, comps, homeLen, base, op) {
			v.raise(verdict{r.Class, r.Name, r.Reason, i})
		}
	}
}

// under tells whether a path is dir or lies below it.
func under(path, dir []string) bool {
	return len(path) >= len(dir) && slices.Equal(path[:len(dir)], dir)
}

// under2 is under for folded names.
func under2(path, dir []component) bool {
	if len(path) < len(dir) {
		return false
	}
	for i, d := range dir {
		if !matchSegment(d.plain, path[i]) && d.ntfs != path[i].ntfs {
			return false
		}
	}
	return true
}

// relevant says whether a class matters for an operation: protection is
// against change, secrecy against reading content, and what belongs to the
// host is closed.
func relevant(c Class, op Op) bool {
	switch c {
	case Protected:
		return !op.reads()
	case Sensitive:
		return op != List && op != Stat
	}
	return op != Stat
}

// skip returns how many components belong to an exception of the rule.
func (c *classifier) skip(r *compiledRule, comps []component, homeLen, base int) int {
	skip := 0
	if base >= 0 {
		for _, e := range r.except {
			if end := e.lastMatch(comps, homeLen, base); end > skip {
				skip = end
			}
		}
	}
	return skip
}

// covers tells whether the rule covers the path, or, for an operation that
// moves trees, whether the path may be a directory above what it covers.
func (c *classifier) covers(r *compiledRule, comps []component, homeLen, base int, op Op) bool {
	skip := c.skip(r, comps, homeLen, base)
	for _, p := range r.patterns {
		if p.matches(comps, homeLen, skip) {
			return true
		}
		if op.tree() && p.above(comps, homeLen, skip) {
			return true
		}
	}
	return false
}

// matches tells whether the pattern matches somewhere and ends behind skip.
func (p pattern) matches(comps []component, homeLen, skip int) bool {
	n := len(p.segs)
	switch p.anchor {
	case fromTop:
		return n > skip && matchAt(p.segs, comps, 0)
	case fromHome:
		return homeLen >= 0 && homeLen+n > skip && matchAt(p.segs, comps, homeLen)
	}
	for i := max(0, skip-n+1); i+n <= len(comps); i++ {
		if matchAt(p.segs, comps, i) {
			return true
		}
	}
	return false
}

// lastMatch returns the end of the last match that begins at or behind base, 0
// for none.
func (p pattern) lastMatch(comps []component, homeLen, base int) int {
	n := len(p.segs)
	switch p.anchor {
	case fromTop:
		if matchAt(p.segs, comps, 0) {
			return n
		}
		return 0
	case fromHome:
		if homeLen >= 0 && matchAt(p.segs, comps, homeLen) {
			return homeLen + n
		}
		return 0
	}
	// A match that lies wholly in the path of the root counts too: the host
	// chose that root. One that begins above the root and ends in it does not.
	for i := len(comps) - n; i >= 0; i-- {
		if (i >= base || i+n <= base) && matchAt(p.segs, comps, i) {
			return i + n
		}
	}
	return 0
}

// above tells whether the path ends with a proper beginning of the pattern:
// ".github" for ".github/workflows".
func (p pattern) above(comps []component, homeLen, skip int) bool {
	for n := len(p.segs) - 1; n >= 1; n-- {
		if len(comps) <= skip {
			return false
		}
		switch p.anchor {
		case fromTop:
			if len(comps) == n && matchAt(p.segs[:n], comps, 0) {
				return true
			}
		case fromHome:
			if homeLen >= 0 && len(comps) == homeLen+n && matchAt(p.segs[:n], comps, homeLen) {
				return true
			}
		default:
			// A bare "hooks" or "testdata" in front of a hook name is no
			// ground to ask: only dotted directories hold protected files.
			if p.segs[0][0] == '.' && len(comps) >= n && matchAt(p.segs[:n], comps, len(comps)-n) {
				return true
			}
		}
	}
	return false
}

func matchAt(segs []string, comps []component, at int) bool {
	if at+len(segs) > len(comps) {
		return false
	}
	for i, s := range segs {
		if !matchSegment(s, comps[at+i]) {
			return false
		}
	}
	return true
}

// matchSegment compares one folded pattern segment with one name.
func matchSegment(seg string, c component) bool {
	if strings.IndexByte(seg, '*') >= 0 {
		return matchStar(seg, c.plain) || c.ntfs != c.plain && matchStar(seg, c.ntfs)
	}
	if seg == c.plain || seg == c.ntfs {
		return true
	}
	if strings.IndexByte(c.ntfs, '~') > 0 {
		if stem, ext, ok := shortName(c.ntfs); ok {
			return shortOf(stem, ext, seg)
		}
	}
	return false
}

// matchStar matches with "*" as any run, in linear time per star.
func matchStar(pat, name string) bool {
	i, j, star, mark := 0, 0, -1, 0
	for j < len(name) {
		switch {
		case i < len(pat) && pat[i] == '*':
			star, mark = i, j
			i++
		case i < len(pat) && pat[i] == name[j]:
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(pat) && pat[i] == '*' {
		i++
	}
	return i == len(pat)
}
