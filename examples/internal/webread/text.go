package webread

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"

	"github.com/clearance-go/clearance/mcptrust"
)

// Hidden counts the characters, blanks aside, that stand in a page but that a
// person who looks at it would not see.
type Hidden struct {
	Style      int // by style: not displayed, transparent, tiny, off-screen, of the colour of its background
	Aria       int // by aria-hidden
	Comments   int // in comments
	Attributes int // in alt, title, aria-label, placeholder and meta
	Fallback   int // in noscript, template and other parts that a browser does not show
	Characters int // invisible, control and bidirectional characters
}

// Total is the sum.
func (h Hidden) Total() int {
	return h.Style + h.Aria + h.Comments + h.Attributes + h.Fallback + h.Characters
}

// String names what is not zero.
func (h Hidden) String() string {
	var out []string
	for _, part := range []struct {
		n    int
		text string
	}{
		{h.Style, "hidden by style"}, {h.Aria, "hidden by aria-hidden"}, {h.Comments, "in comments"},
		{h.Attributes, "in alternative and other attributes"}, {h.Fallback, "in parts that are not shown"},
	} {
		if part.n > 0 {
			out = append(out, fmt.Sprintf("%d characters %s", part.n, part.text))
		}
	}
	if h.Characters > 0 {
		out = append(out, fmt.Sprintf("%d invisible characters", h.Characters))
	}
	return strings.Join(out, ", ")
}

// parseError is a page that cannot be taken apart. Its text is ours.
type parseError struct{ text string }

func (e *parseError) Error() string { return e.text }

// readPlain reads a page that is text already.
func readPlain(r io.Reader) (Page, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return Page{}, err
	}
	w := newWriter()
	w.raw(string(data))
	return w.page(), nil
}

// readHTML reads what a person would see of an HTML page.
func readHTML(r io.Reader) (page Page, err error) {
	// What the parser could stumble over must not end the agent.
	defer func() {
		if recover() != nil {
			page, err = Page{}, &parseError{"its HTML cannot be read"}
		}
	}()
	doc, err := html.Parse(r)
	if err != nil {
		var limit *limitError
		switch {
		case errors.As(err, &limit):
			return Page{}, err
		case strings.HasPrefix(err.Error(), "html: "):
			// The parser's own limit: elements nested more than 512 deep.
			return Page{}, &parseError{"its HTML is nested too deeply"}
		}
		return Page{}, err
	}
	w := newWriter()
	v := &viewer{w: w, sheet: readSheets(doc)}
	if title := find(doc, "title"); title != nil {
		var b strings.Builder
		for c := range title.Descendants() {
			if c.Type == html.TextNode {
				b.WriteString(c.Data)
			}
		}
		w.text(b.String(), false)
		w.line(2)
	}
	if err := v.see(doc, rootStyle(v.sheet.external)); err != nil {
		return Page{}, err
	}
	return w.page(), nil
}

// find returns the first HTML element of a name.
func find(doc *html.Node, name string) *html.Node {
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Namespace == "" && n.Data == name {
			return n
		}
	}
	return nil
}

func attribute(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Namespace == "" && a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// How elements are laid out, as far as text needs it: "skip" is code and
// counts as nothing, "fallback" is text that a browser does not show.
var layout = map[string]string{
	"script": "skip", "style": "skip", "title": "skip", "link": "skip", "base": "skip",
	"head": "head", "meta": "fallback",
	"noscript": "fallback", "template": "fallback", "iframe": "fallback", "noframes": "fallback", "noembed": "fallback", "object": "fallback",
	"embed": "fallback", "applet": "fallback", "canvas": "fallback", "audio": "fallback", "video": "fallback", "datalist": "fallback",
	"br": "break", "hr": "paragraph", "pre": "pre", "textarea": "pre", "listing": "pre",
	"li": "item", "dt": "line", "dd": "line", "tr": "line", "div": "line", "option": "line", "legend": "line", "summary": "line", "figcaption": "line", "caption": "line",
	"td": "cell", "th": "cell",
	"p": "paragraph", "h1": "paragraph", "h2": "paragraph", "h3": "paragraph", "h4": "paragraph", "h5": "paragraph", "h6": "paragraph",
	"ul": "paragraph", "ol": "paragraph", "dl": "paragraph", "table": "paragraph", "blockquote": "paragraph", "section": "paragraph", "article": "paragraph",
	"header": "paragraph", "footer": "paragraph", "main": "paragraph", "nav": "paragraph", "aside": "paragraph", "form": "paragraph", "fieldset": "paragraph",
	"figure": "paragraph", "address": "paragraph", "details": "paragraph", "dialog": "paragraph",
}

// The parts of SVG and MathML that are not drawn.
var undrawn = map[string]bool{"title": true, "desc": true, "metadata": true, "defs": true, "symbol": true, "annotation": true, "annotation-xml": true}

// viewer walks a document with the style that is in force.
type viewer struct {
	w     *writer
	sheet *sheet
	pre   int
}

func (v *viewer) see(n *html.Node, st style) error {
	switch n.Type {
	case html.TextNode:
		v.saw(n.Data, st)
		return nil
	case html.CommentNode:
		v.w.hidden.Comments += letters(n.Data)
		return nil
	case html.ElementNode:
	case html.DocumentNode:
		return v.children(n, st)
	default:
		return nil
	}
	for _, name := range []string{"alt", "title", "aria-label", "aria-description", "placeholder"} {
		if value, ok := attribute(n, name); ok {
			v.w.hidden.Attributes += letters(value)
		}
	}
	kind := layout[n.Data]
	if n.Namespace != "" {
		kind = ""
		switch {
		case n.Data == "script" || n.Data == "style":
			kind = "skip"
		case undrawn[n.Data]:
			kind = "fallback"
		}
	}
	if kind == "skip" {
		return nil
	}
	if n.Data == "meta" {
		value, _ := attribute(n, "content")
		v.w.hidden.Attributes += letters(value)
		return nil
	}
	if kind == "fallback" {
		st.hidden, st.why = true, whyFallback
	}
	if err := v.sheet.apply(n, &st); err != nil {
		return err
	}
	if st.hidden {
		return v.children(n, st)
	}
	switch kind {
	case "break":
		v.w.line(1)
	case "line", "item":
		v.w.line(1)
		if kind == "item" {
			v.w.text("- ", true)
		}
		defer v.w.line(1)
	case "paragraph":
		v.w.line(2)
		defer v.w.line(2)
	case "cell":
		v.w.space = true
	case "pre":
		v.w.line(2)
		v.pre++
		defer func() { v.pre--; v.w.line(2) }()
	}
	return v.children(n, st)
}

func (v *viewer) children(n *html.Node, st style) error {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if err := v.see(c, st); err != nil {
			return err
		}
	}
	return nil
}

// saw takes a piece of text that is visible or not.
func (v *viewer) saw(text string, st style) {
	why, hidden := st.unseen()
	if !hidden {
		v.w.text(text, v.pre > 0)
		return
	}
	n := letters(text)
	switch why {
	case whyAria:
		v.w.hidden.Aria += n
	case whyFallback:
		v.w.hidden.Fallback += n
	default:
		v.w.hidden.Style += n
	}
}

// letters counts the characters of a text that are no blanks.
func letters(s string) int {
	n := 0
	for _, r := range s {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}

// writer puts text together: blanks collapsed as a browser does, nothing that
// does not plainly show itself.
type writer struct {
	b      strings.Builder
	space  bool // a blank is due
	breaks int  // line ends are due
	cut    bool
	hidden Hidden
	plain  map[rune]bool
}

func newWriter() *writer { return &writer{plain: map[rune]bool{}} }

func (w *writer) page() Page {
	return Page{Text: w.b.String(), Hidden: w.hidden, Cut: w.cut}
}

// line asks for at least n line ends before the next text.
func (w *writer) line(n int) {
	w.breaks, w.space = max(w.breaks, n), false
}

// shows says whether a character can be seen. What counts as visible is what
// the trust prompts of mcptrust show as it is.
func (w *writer) shows(r rune) bool {
	if r < 0x80 {
		return r >= ' ' && r != 0x7f
	}
	ok, known := w.plain[r]
	if !known {
		ok = mcptrust.Escape(string(r)) == string(r)
		w.plain[r] = ok
	}
	return ok
}

func (w *writer) put(r rune) {
	if w.b.Len()+utf8.UTFMax > MaxText {
		w.cut = true
		return
	}
	w.b.WriteRune(r)
}

// text adds a piece; pre keeps its blanks.
func (w *writer) text(s string, pre bool) {
	for _, r := range s {
		if w.cut {
			return
		}
		switch {
		case unicode.IsSpace(r):
			if r == '\r' {
				continue
			}
			if pre && w.b.Len() > 0 {
				w.due()
				if r == '\n' || r == ' ' || r == '\t' {
					w.put(r)
				} else {
					w.put(' ')
				}
			} else if !pre {
				w.space = true
			}
		case w.shows(r):
			w.due()
			w.put(r)
		default:
			w.hidden.Characters++
		}
	}
}

// due writes the blanks and line ends that were asked for.
func (w *writer) due() {
	if w.b.Len() > 0 {
		for range w.breaks {
			w.put('\n')
		}
		if w.space && w.breaks == 0 {
			w.put(' ')
		}
	}
	w.breaks, w.space = 0, false
}

// raw adds text as it is, but for what does not show itself.
func (w *writer) raw(s string) {
	for _, r := range s {
		switch {
		case w.cut:
			return
		case r == '\n' || r == '\t' || w.shows(r):
			w.put(r)
		case r == '\r':
		case r == '\u2028' || r == '\u2029' || r == '\f' || r == '\v':
			w.put('\n')
		case unicode.IsSpace(r):
			w.put(' ')
		default:
			w.hidden.Characters++
		}
	}
}
