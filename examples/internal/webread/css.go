package webread

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// This file understands just enough of CSS (https://www.w3.org/TR/CSS/) to see
// that text is hidden: style attributes and <style> elements, selectors of
// names, classes, ids and attributes with the descendant and child combinators,
// and the cascade. Other files are not loaded, and what is not understood hides
// nothing: the isolation of the Reader does not rest on it.

// The limits of a page's style.
const (
	maxRules     = 20_000
	maxSteps     = 20_000_000 // comparisons of an element with a selector's part
	screen       = 1280       // width of the screen that media queries are asked for
	usualSize    = 16         // of a font, in pixels
	smallest     = 2          // smaller text is not seen
	away         = 500        // pixels outside of the page
	sameColour   = 16         // difference in each of red, green and blue
	seeThrough   = 0.1        // more transparent text is not seen
	selectorDeep = 32         // parts of a selector
	maxAttrs     = 1000       // of an element
)

var errStyle = &parseError{"its style is too complex to tell what is hidden"}

type why int

const (
	whyStyle why = iota
	whyAria
	whyFallback
)

// style is what is in force for an element: what children inherit, and what
// hides all of them.
type style struct {
	hidden bool // with everything inside
	why    why
	// inherited, and a child can set them back:
	invisible bool
	size      float64
	colour    colour
	// ground is what stands behind, if it is known.
	ground      colour
	groundKnown bool
}

func rootStyle(external bool) style {
	// A style sheet that was not loaded may colour the page.
	return style{size: usualSize, colour: colour{0, 0, 0, 1}, ground: colour{255, 255, 255, 1}, groundKnown: !external}
}

// unseen says whether text in this style is not visible.
func (s *style) unseen() (why, bool) {
	switch {
	case s.hidden:
		return s.why, true
	case s.invisible, s.size < smallest, s.colour.a < seeThrough:
		return whyStyle, true
	case s.groundKnown && s.colour.over(s.ground).near(s.ground):
		return whyStyle, true
	}
	return 0, false
}

// declarations are properties of one block, later ones in force.
type declaration struct {
	name, value string
	important   bool
}

// rule is one selector with its declarations.
type rule struct {
	parts        []compound // the element itself last
	specificity  int
	order        int
	declarations []declaration
}

// compound is what one element must be; child says that the one before is its
// parent, not any ancestor.
type compound struct {
	tag, id    string
	classes    []string
	attributes []test
	child      bool
}

type test struct{ name, op, value string }

// sheet is the style of a page.
type sheet struct {
	byID, byClass, byTag map[string][]*rule
	others               []*rule
	count, steps         int
	external             bool
	tooMany              bool
}

func readSheets(doc *html.Node) *sheet {
	s := &sheet{byID: map[string][]*rule{}, byClass: map[string][]*rule{}, byTag: map[string][]*rule{}}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "style":
			if media, ok := attribute(n, "media"); ok && !applies(media) {
				continue
			}
			var b strings.Builder
			for c := n.FirstChild; c != nil; c = c.NextSibling {
				b.WriteString(c.Data)
			}
			text := uncomment(b.String())
			s.external = s.external || strings.Contains(strings.ToLower(text), "@import")
			s.read(text, 0)
		case "link":
			rel, _ := attribute(n, "rel")
			s.external = s.external || strings.Contains(strings.ToLower(rel), "stylesheet")
		}
	}
	return s
}

// uncomment replaces comments by a blank. A comment that does not end takes the rest.
func uncomment(s string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "/*")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte(' ')
		if _, s, found = strings.Cut(rest, "*/"); !found {
			return b.String()
		}
	}
}

// until returns the length of text before one of the stop characters, outside
// of strings and brackets.
func until(s, stops string) int {
	depth := 0
	var quote byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\':
			i++
		case quote != 0:
			if c == quote || c == '\n' {
				quote = 0
			}
		case depth == 0 && strings.IndexByte(stops, c) >= 0:
			return i
		case c == '"' || c == '\'':
			quote = c
		case c == '(' || c == '[':
			depth++
		case (c == ')' || c == ']') && depth > 0:
			depth--
		}
	}
	return len(s)
}

// block returns the text of a block that has just begun, and the rest.
func block(s string) (inside, rest string) {
	depth := 0
	for i := 0; i < len(s); {
		i += until(s[i:], "{}")
		if i >= len(s) {
			break
		}
		if s[i] == '{' {
			depth++
		} else if depth--; depth < 0 {
			return s[:i], s[i+1:]
		}
		i++
	}
	return s, ""
}

// read takes the rules of a style sheet.
func (s *sheet) read(text string, depth int) {
	for text != "" && !s.tooMany {
		i := until(text, "{};")
		head := strings.TrimSpace(text[:i])
		if i == len(text) {
			return
		}
		stop := text[i]
		text = text[i+1:]
		if stop != '{' {
			continue
		}
		var inside string
		inside, text = block(text)
		if at, ok := strings.CutPrefix(head, "@"); ok {
			name, condition, _ := strings.Cut(at, " ")
			switch name = strings.ToLower(name); {
			case depth > 16:
			case name == "media" && applies(condition), name == "supports", name == "layer":
				s.read(inside, depth+1)
			}
			continue
		}
		declared := declarations(inside)
		if len(declared) == 0 {
			continue
		}
		for head != "" {
			j := until(head, ",")
			if r, ok := selector(head[:j]); ok {
				s.add(r, declared)
			}
			head = strings.TrimPrefix(head[j:], ",")
		}
	}
}

func (s *sheet) add(r *rule, declared []declaration) {
	if s.count++; s.count > maxRules {
		s.tooMany = true
		return
	}
	r.order, r.declarations = s.count, declared
	switch last := &r.parts[len(r.parts)-1]; {
	case last.id != "":
		s.byID[last.id] = append(s.byID[last.id], r)
	case len(last.classes) > 0:
		s.byClass[last.classes[0]] = append(s.byClass[last.classes[0]], r)
	case last.tag != "":
		s.byTag[last.tag] = append(s.byTag[last.tag], r)
	default:
		s.others = append(s.others, r)
	}
}

// applies says whether a media query is true for a screen of usual size.
func applies(query string) bool {
	for part := range strings.SplitSeq(strings.ToLower(query), ",") {
		yes := true
		for _, term := range strings.Split(part, " and ") {
			term = strings.Join(strings.Fields(strings.TrimPrefix(strings.TrimSpace(term), "only ")), "")
			name, value, _ := strings.Cut(strings.Trim(term, "()"), ":")
			px, ok := length(value, usualSize)
			switch {
			case term == "" || term == "all" || term == "screen":
			case name == "min-width" && ok && px <= screen, name == "max-width" && ok && px >= screen:
			case name == "prefers-color-scheme" && value == "light":
			default:
				yes = false
			}
		}
		if yes {
			return true
		}
	}
	return false
}

// interesting are the properties that can hide text.
var interesting = map[string]bool{
	"display": true, "visibility": true, "content-visibility": true, "opacity": true, "filter": true,
	"color": true, "-webkit-text-fill-color": true, "background": true, "background-color": true, "background-image": true,
	"font": true, "font-size": true, "position": true, "left": true, "right": true, "top": true, "bottom": true, "inset": true,
	"text-indent": true, "margin": true, "margin-left": true, "margin-top": true, "transform": true, "clip": true, "clip-path": true,
	"width": true, "height": true, "max-width": true, "max-height": true, "overflow": true, "overflow-x": true, "overflow-y": true,
}

// declarations reads the inside of a block or a style attribute.
func declarations(text string) []declaration {
	var out []declaration
	for text != "" {
		i := until(text, ";{")
		one := text[:i]
		if i < len(text) && text[i] == '{' { // a nested rule
			_, text = block(text[i+1:])
			continue
		}
		text = strings.TrimPrefix(text[i:], ";")
		name, value, ok := strings.Cut(one, ":")
		name = strings.ToLower(unescape(strings.TrimSpace(name)))
		if !ok || !interesting[name] {
			continue
		}
		value = strings.ToLower(unescape(strings.Join(strings.Fields(value), " ")))
		value, important := cutImportant(value)
		// One of each name: a block may repeat itself a million times.
		same := slices.IndexFunc(out, func(d declaration) bool { return d.name == name })
		switch {
		case same < 0:
		case out[same].important && !important:
			continue
		default:
			out = slices.Delete(out, same, same+1)
		}
		out = append(out, declaration{name, value, important})
	}
	return out
}

func cutImportant(value string) (string, bool) {
	if rest, ok := strings.CutSuffix(value, "important"); ok {
		if rest, ok = strings.CutSuffix(strings.TrimSpace(rest), "!"); ok {
			return strings.TrimSpace(rest), true
		}
	}
	return value, false
}

// unescape resolves backslashes: \64 isplay is display.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		j := i + 1
		for j < len(s) && j < i+7 && strings.IndexByte("0123456789abcdefABCDEF", s[j]) >= 0 {
			j++
		}
		if j > i+1 {
			n, _ := strconv.ParseUint(s[i+1:j], 16, 32)
			b.WriteRune(rune(n))
			if j < len(s) && s[j] == ' ' {
				j++
			}
			i = j - 1
		}
	}
	return b.String()
}

// selector reads one selector. ok is false for what is not understood.
func selector(s string) (*rule, bool) {
	r := &rule{}
	s = strings.TrimSpace(s)
	child := false
	for s != "" {
		if len(r.parts) == selectorDeep {
			return nil, false
		}
		c := compound{child: child}
		child = false
		i := until(s, " \t\n\f>+~")
		if !c.read(s[:i], r) {
			return nil, false
		}
		r.parts = append(r.parts, c)
		rest := strings.TrimLeft(s[i:], " \t\n\f")
		if after, ok := strings.CutPrefix(rest, ">"); ok {
			child, rest = true, strings.TrimLeft(after, " \t\n\f")
			if rest == "" {
				return nil, false
			}
		}
		if rest != "" && strings.IndexByte(">+~", rest[0]) >= 0 {
			return nil, false
		}
		s = rest
	}
	return r, len(r.parts) > 0
}

func (c *compound) read(s string, r *rule) bool {
	if s == "" {
		return false
	}
	name := func() string {
		i := 0
		for i < len(s) && strings.IndexByte(".#[:*", s[i]) < 0 {
			if s[i] == '\\' {
				i++
			}
			i++
		}
		i = min(i, len(s))
		n := unescape(s[:i])
		s = s[i:]
		return n
	}
	if s[0] == '*' {
		s = s[1:]
	} else if strings.IndexByte(".#[:", s[0]) < 0 {
		if c.tag = strings.ToLower(name()); c.tag == "" {
			return false
		}
		r.specificity++
	}
	for s != "" {
		kind := s[0]
		s = s[1:]
		switch kind {
		case '.':
			n := name()
			if n == "" {
				return false
			}
			c.classes = append(c.classes, n)
			r.specificity += 1 << 10
		case '#':
			if c.id = name(); c.id == "" {
				return false
			}
			r.specificity += 1 << 20
		case '[':
			i := until(s, "]")
			if i == len(s) {
				return false
			}
			inside := strings.TrimSpace(s[:i])
			s = s[i+1:]
			t := test{name: strings.ToLower(inside)}
			if j := strings.IndexByte(inside, '='); j > 0 {
				t.name, t.op, t.value = inside[:j], "=", strings.TrimSpace(inside[j+1:])
				if k := strings.IndexByte("~|^$*", t.name[len(t.name)-1]); k >= 0 {
					t.op, t.name = t.name[len(t.name)-1:], t.name[:len(t.name)-1]
				}
				t.name = strings.ToLower(strings.TrimSpace(t.name))
				t.value = unescape(strings.Trim(t.value, `"'`))
			}
			c.attributes = append(c.attributes, t)
			r.specificity += 1 << 10
		default: // a pseudo class or element
			return false
		}
	}
	return true
}

func (c *compound) matches(n *html.Node, s *sheet) bool {
	if c.tag != "" && c.tag != n.Data {
		return false
	}
	if c.id != "" {
		if id, _ := attribute(n, "id"); id != c.id {
			return false
		}
	}
	if len(c.classes) > 0 {
		value, _ := attribute(n, "class")
		s.steps += len(value)*len(c.classes)/8 + len(n.Attr)
		have := strings.Fields(value)
		for _, want := range c.classes {
			if !slices.Contains(have, want) {
				return false
			}
		}
	}
	for _, t := range c.attributes {
		v, ok := attribute(n, t.name)
		s.steps += len(v)/8 + len(n.Attr)
		switch t.op {
		case "=":
			ok = ok && v == t.value
		case "~":
			ok = slices.Contains(strings.Fields(v), t.value)
		case "|":
			ok = ok && (v == t.value || strings.HasPrefix(v, t.value+"-"))
		case "^":
			ok = t.value != "" && strings.HasPrefix(v, t.value)
		case "$":
			ok = t.value != "" && strings.HasSuffix(v, t.value)
		case "*":
			ok = t.value != "" && strings.Contains(v, t.value)
		}
		if !ok {
			return false
		}
	}
	return true
}

// matches compares from the element upwards. Where an ancestor fits, the
// nearest one is taken: with the child combinator a farther one may have fitted
// instead, which is tried as well.
func (s *sheet) matches(r *rule, n *html.Node, i int) bool {
	if s.steps++; s.steps > maxSteps || !r.parts[i].matches(n, s) {
		return false
	}
	if i == 0 {
		return true
	}
	for p := n.Parent; p != nil && p.Type == html.ElementNode; p = p.Parent {
		if s.matches(r, p, i-1) {
			return true
		}
		if r.parts[i].child {
			return false
		}
	}
	return false
}

// apply brings the style of an element into st.
func (s *sheet) apply(n *html.Node, st *style) error {
	if s.tooMany || len(n.Attr) > maxAttrs {
		return errStyle
	}
	if st.hidden {
		return nil
	}
	type won struct {
		declaration
		weight int
	}
	var have []won
	set := func(list []declaration, specificity, order int) {
	next:
		for _, d := range list {
			weight := specificity<<16 + order
			if d.important {
				weight += 1 << 60
			}
			for i := range have {
				if have[i].name == d.name {
					if weight >= have[i].weight {
						have[i] = won{d, weight}
					}
					continue next
				}
			}
			have = append(have, won{d, weight})
		}
	}
	// What attributes say is weaker than any style.
	hint := func(name, property string) {
		if v, ok := attribute(n, name); ok {
			set([]declaration{{name: property, value: strings.ToLower(v)}}, 0, 0)
		}
	}
	hint("bgcolor", "background-color")
	if n.Data == "font" {
		hint("color", "color")
	}
	if n.Data == "body" {
		hint("text", "color")
	}
	try := func(rules []*rule) {
		for _, r := range rules {
			if s.matches(r, n, len(r.parts)-1) {
				set(r.declarations, r.specificity, r.order)
			}
		}
	}
	if s.count > 0 {
		try(s.others)
		try(s.byTag[n.Data])
		if id, ok := attribute(n, "id"); ok {
			try(s.byID[id])
		}
		if classes, ok := attribute(n, "class"); ok {
			for class := range strings.FieldsSeq(classes) {
				try(s.byClass[class])
			}
		}
	}
	if inline, ok := attribute(n, "style"); ok {
		set(declarations(uncomment(inline)), 1<<32, 0)
	}
	if s.steps > maxSteps {
		return errStyle
	}
	if v, ok := attribute(n, "aria-hidden"); ok && strings.EqualFold(strings.TrimSpace(v), "true") {
		st.hidden, st.why = true, whyAria
		return nil
	}
	_, hidden := attribute(n, "hidden")
	_, open := attribute(n, "open")
	kind, _ := attribute(n, "type")
	if hidden || n.Data == "dialog" && !open || n.Data == "input" && strings.EqualFold(kind, "hidden") {
		st.hidden, st.why = true, whyStyle
		return nil
	}
	// What shorthands set stands in the order of the declarations.
	slices.SortStableFunc(have, func(a, b won) int { return a.weight - b.weight })
	values := map[string]string{}
	for _, d := range have {
		values[d.name] = d.value
		st.inherit(d.name, d.value)
	}
	if gone(values, st.size) {
		st.hidden, st.why = true, whyStyle
	}
	return nil
}

// inherit takes the properties that children inherit, or stand on.
func (s *style) inherit(name, value string) {
	switch name {
	case "visibility":
		switch value {
		case "hidden", "collapse":
			s.invisible = true
		case "visible", "initial":
			s.invisible = false
		}
	case "font-size":
		if px, ok := fontSize(value, s.size); ok {
			s.size = px
		}
	case "font":
		for word := range strings.FieldsSeq(value) {
			word, _, _ = strings.Cut(word, "/")
			if n, err := strconv.ParseFloat(word, 64); err == nil && n != 0 {
				continue // a weight
			}
			if px, ok := fontSize(word, s.size); ok {
				s.size = px
				break
			}
		}
	case "color", "-webkit-text-fill-color":
		if c, ok := parseColour(value); ok {
			s.colour = c
		}
	case "background", "background-color", "background-image":
		if strings.Contains(value, "url(") || strings.Contains(value, "gradient(") {
			s.groundKnown = false
			return
		}
		for i := 0; i < len(value); {
			j := i + until(value[i:], " ")
			if c, ok := parseColour(value[i:j]); ok {
				switch {
				case c.a >= 1:
					s.ground, s.groundKnown = c, true
				case s.groundKnown:
					s.ground = c.over(s.ground)
				}
			}
			i = j + 1
		}
	}
}

// gone says whether an element's own box hides everything inside.
func gone(v map[string]string, size float64) bool {
	px := func(name string) (float64, bool) {
		return length(v[name], size)
	}
	number := func(s string) (float64, bool) {
		n, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
		if strings.HasSuffix(s, "%") {
			n /= 100
		}
		return n, err == nil
	}
	if v["display"] == "none" || v["content-visibility"] == "hidden" {
		return true
	}
	if n, ok := number(v["opacity"]); ok && n < seeThrough {
		return true
	}
	if inside, ok := strings.CutPrefix(v["filter"], "opacity("); ok {
		if n, ok := number(strings.TrimSuffix(inside, ")")); ok && n < seeThrough {
			return true
		}
	}
	if p := v["position"]; p != "" && p != "static" {
		for _, side := range []string{"left", "right", "top", "bottom"} {
			if n, ok := px(side); ok && (n <= -away || n >= 10*away && (side == "left" || side == "right")) {
				return true
			}
		}
		for word := range strings.FieldsSeq(v["inset"]) {
			if n, ok := length(word, size); ok && n <= -away {
				return true
			}
		}
	}
	for _, name := range []string{"text-indent", "margin-left", "margin-top"} {
		if n, ok := px(name); ok && (n <= -away || name != "margin-top" && n >= 10*away) {
			return true
		}
	}
	for word := range strings.FieldsSeq(v["margin"]) {
		if n, ok := length(word, size); ok && n <= -away {
			return true
		}
	}
	for s := v["transform"]; s != ""; {
		name, rest, ok := strings.Cut(s, "(")
		if !ok {
			break
		}
		inside, after, _ := strings.Cut(rest, ")")
		s = after
		for part := range strings.SplitSeq(inside, ",") {
			part = strings.TrimSpace(part)
			if n, ok := number(part); ok && n == 0 && strings.HasPrefix(strings.TrimSpace(name), "scale") {
				return true
			}
			if n, ok := length(part, size); ok && n <= -away && strings.HasPrefix(strings.TrimSpace(name), "translate") {
				return true
			}
		}
	}
	if inside, ok := strings.CutPrefix(strings.ReplaceAll(v["clip"], " ", ","), "rect("); ok {
		small := true
		for part := range strings.SplitSeq(strings.Trim(inside, "),"), ",") {
			if part != "" {
				n, ok := length(part, size)
				small = small && ok && n <= 1
			}
		}
		if small {
			return true
		}
	}
	if p := v["clip-path"]; strings.HasPrefix(p, "inset(") || strings.HasPrefix(p, "circle(") {
		name, inside, _ := strings.Cut(strings.TrimSuffix(p, ")"), "(")
		first, _, _ := strings.Cut(strings.TrimSpace(inside), " ")
		n, ok := number(strings.TrimSuffix(first, "px"))
		if ok && (name == "inset" && strings.HasSuffix(first, "%") && n >= 0.5 || name == "circle" && n == 0) {
			return true
		}
	}
	cuts := false
	for _, name := range []string{"overflow", "overflow-x", "overflow-y"} {
		cuts = cuts || strings.HasPrefix(v[name], "hidden") || strings.HasPrefix(v[name], "clip")
	}
	if cuts {
		for _, name := range []string{"width", "height", "max-width", "max-height"} {
			if n, ok := px(name); ok && n <= 1 {
				return true
			}
		}
	}
	return false
}

// fontSize reads a font size in pixels, given the parent's.
func fontSize(s string, parent float64) (float64, bool) {
	switch s {
	case "xx-small":
		return 9, true
	case "x-small":
		return 10, true
	case "small":
		return 13, true
	case "medium", "initial":
		return usualSize, true
	case "large", "x-large", "xx-large", "xxx-large":
		return 24, true
	case "smaller":
		return parent / 1.2, true
	case "larger":
		return parent * 1.2, true
	}
	n, ok := length(s, parent)
	return n, ok && n >= 0
}

// length reads a length in pixels; em is the font size.
func length(s string, em float64) (float64, bool) {
	i := len(s)
	for i > 0 && (s[i-1] >= 'a' && s[i-1] <= 'z' || s[i-1] == '%') {
		i--
	}
	n, err := strconv.ParseFloat(s[:i], 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, false
	}
	unit, ok := map[string]float64{"px": 1, "pt": 4.0 / 3, "pc": 16, "in": 96, "cm": 37.8, "mm": 3.78, "em": em, "rem": usualSize,
		"%": em / 100, "ex": em / 2, "ch": em / 2, "vw": screen / 100, "vh": 8, "vmin": 8, "vmax": screen / 100}[s[i:]]
	if !ok && (n != 0 || s[i:] != "") {
		return 0, false
	}
	return n * unit, true
}

// colour has channels from 0 to 255 and an alpha from 0 to 1.
type colour struct{ r, g, b, a float64 }

// over is the colour that is seen in front of another.
func (c colour) over(d colour) colour {
	mix := func(x, y float64) float64 { return x*c.a + y*(1-c.a) }
	return colour{mix(c.r, d.r), mix(c.g, d.g), mix(c.b, d.b), 1}
}

func (c colour) near(d colour) bool {
	return math.Abs(c.r-d.r) <= sameColour && math.Abs(c.g-d.g) <= sameColour && math.Abs(c.b-d.b) <= sameColour
}

// Of the named colours (https://www.w3.org/TR/css-color-4/#named-colors), those
// that text is hidden with: near white or black, or as common as a background.
var named = map[string]string{
	"white": "#ffffff", "snow": "#fffafa", "ghostwhite": "#f8f8ff", "whitesmoke": "#f5f5f5", "ivory": "#fffff0", "floralwhite": "#fffaf0",
	"mintcream": "#f5fffa", "azure": "#f0ffff", "aliceblue": "#f0f8ff", "seashell": "#fff5ee", "honeydew": "#f0fff0", "lavenderblush": "#fff0f5",
	"oldlace": "#fdf5e6", "linen": "#faf0e6", "beige": "#f5f5dc", "cornsilk": "#fff8dc", "lightyellow": "#ffffe0", "lightcyan": "#e0ffff",
	"lavender": "#e6e6fa", "gainsboro": "#dcdcdc", "lightgray": "#d3d3d3", "lightgrey": "#d3d3d3", "silver": "#c0c0c0", "darkgray": "#a9a9a9",
	"darkgrey": "#a9a9a9", "gray": "#808080", "grey": "#808080", "dimgray": "#696969", "dimgrey": "#696969", "black": "#000000",
	"red": "#ff0000", "green": "#008000", "lime": "#00ff00", "blue": "#0000ff", "navy": "#000080", "yellow": "#ffff00", "maroon": "#800000",
	"purple": "#800080", "olive": "#808000", "teal": "#008080", "aqua": "#00ffff", "cyan": "#00ffff", "fuchsia": "#ff00ff", "magenta": "#ff00ff",
	"orange": "#ffa500", "transparent": "#00000000",
}

func parseColour(s string) (colour, bool) {
	if hex, ok := named[s]; ok {
		s = hex
	}
	if hex, ok := strings.CutPrefix(s, "#"); ok {
		if len(hex) == 3 || len(hex) == 4 {
			var b strings.Builder
			for i := range len(hex) {
				b.WriteByte(hex[i])
				b.WriteByte(hex[i])
			}
			hex = b.String()
		}
		if len(hex) == 6 {
			hex += "ff"
		}
		n, err := strconv.ParseUint(hex, 16, 32)
		if err != nil || len(hex) != 8 {
			return colour{}, false
		}
		return colour{float64(n >> 24), float64(n >> 16 & 255), float64(n >> 8 & 255), float64(n&255) / 255}, true
	}
	name, inside, ok := strings.Cut(strings.TrimSuffix(s, ")"), "(")
	if !ok {
		return colour{}, false
	}
	words := strings.FieldsFunc(inside, func(r rune) bool { return r == ',' || r == ' ' || r == '/' })
	if len(words) != 3 && len(words) != 4 {
		return colour{}, false
	}
	n := make([]float64, 4)
	n[3] = 1
	for i, w := range words {
		v, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSuffix(w, "%"), "deg"), 64)
		if err != nil {
			return colour{}, false
		}
		if strings.HasSuffix(w, "%") {
			v /= 100
			if i < 3 && strings.HasPrefix(name, "rgb") {
				v *= 255
			}
		}
		n[i] = v
	}
	switch name {
	case "rgb", "rgba":
		return colour{n[0], n[1], n[2], n[3]}, true
	case "hsl", "hsla":
		f := func(k float64) float64 {
			k = math.Mod(k+n[0]/30, 12)
			return 255 * (n[2] - n[1]*math.Min(n[2], 1-n[2])*math.Max(-1, math.Min(math.Min(k-3, 9-k), 1)))
		}
		return colour{f(0), f(8), f(4), n[3]}, true
	}
	return colour{}, false
}
