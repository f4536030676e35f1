package mcptrust

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// Codes of [RefusedError].
const (
	CodeNotListed   Code = "NOT_LISTED"
	CodeListChanged Code = "LIST_CHANGED"
	CodeWithheld    Code = "WITHHELD"
)

// Session is the gate of one live connection to one server. It knows what the
// server listed last, so a tool that was never listed, that changed, or whose
// trust was withdrawn since, is not called. It is safe for concurrent use, keeps
// no goroutine and needs no Close. It does not see the answers of a call: what a
// server returns is untrusted however well its tools are known.
type Session struct {
	reg     *Registry
	project string
	server  Server

	mu    sync.Mutex
	lists [4]listing // by Kind
}

// listing is the newest list of one kind.
type listing struct {
	change uint64 // number of list_changed notifications
	round  uint64 // number of listings that were begun
	pages  int
	bytes  int // of the texts in items
	items  map[string]*listed
}

type listed struct {
	item   item
	change uint64
	round  uint64
	status Status
	reason Reason
	twice  bool
}

// Mark is the moment at which a list was asked for, see [Session.Begin].
type Mark struct {
	change uint64
	round  uint64
	kind   Kind
}

// Page says which part of a list was received.
type Page struct {
	First bool // asked for without a cursor
	Last  bool // no next cursor
}

// RefusedError says why a tool must not be called, a prompt not got, or a
// resource not read. Its text holds nothing that the server wrote except the
// escaped name, so it may be given to the model.
type RefusedError struct {
	Kind   Kind
	Name   string
	Status Status
	Reason Reason
}

// Error returns one sentence.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("the %s %s was not used: %s", e.Kind, quote(e.Name), e.Reason.Text)
}

// Session opens the gate for a server that is about to be connected. Errors:
// *[NotTrustedError] when the server is not Trusted, and those of
// [Registry.Check]. Start the server only after that, from the returned
// session's [Session.Server].
func (r *Registry) Session(ctx context.Context, project string, s Server) (*Session, error) {
	c, err := r.Check(ctx, project, s)
	if err != nil {
		return nil, err
	}
	if c.Status != Trusted {
		return nil, &NotTrustedError{Check: c}
	}
	return &Session{reg: r, project: project, server: c.Server}, nil
}

// Server returns the definition that was checked.
func (s *Session) Server() Server { return s.server }

// Project returns the folder that the session was opened for.
func (s *Session) Project() string { return s.project }

// Begin notes that a list of this kind is asked for now. Call it before the
// request is sent: what arrives after a change that the request may have missed
// then stays withheld. first says that the request has no cursor.
func (s *Session) Begin(kind Kind, first bool) Mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.list(kind)
	if first {
		l.round++
		l.pages = 0
	}
	return Mark{l.change, l.round, kind}
}

func (s *Session) list(kind Kind) *listing {
	if int(kind) >= len(s.lists) {
		kind = KindTool
	}
	return &s.lists[kind]
}

// Changed notes a list_changed notification. Everything of the kind is refused
// until it is listed again.
func (s *Session) Changed(kind Kind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list(kind).change++
}

// Tools checks one page of a tools/list result like [Registry.CheckTools] and
// remembers it for [Session.Allow]. A name that stands on two pages with two
// definitions is Blocked.
func (s *Session) Tools(ctx context.Context, m Mark, p Page, tools []Tool) ([]ItemCheck, error) {
	if len(tools) > MaxItems {
		return nil, fmt.Errorf("mcptrust: %d tools, more than %d", len(tools), MaxItems)
	}
	items := make([]item, len(tools))
	for i, t := range tools {
		items[i] = toolItem(t)
	}
	return s.page(ctx, KindTool, m, p, items)
}

// Prompts is [Session.Tools] for elements of a prompts/list result. raw says
// that they are the server's own bytes and not an SDK's value.
func (s *Session) Prompts(ctx context.Context, m Mark, p Page, prompts []json.RawMessage, raw bool) ([]ItemCheck, error) {
	items, err := rawItems(KindPrompt, "name", prompts, raw)
	if err != nil {
		return nil, err
	}
	return s.page(ctx, KindPrompt, m, p, items)
}

// Resources is [Session.Tools] for elements of a resources/list or
// resources/templates/list result. The two lists are told apart by their
// elements; each is begun on its own.
func (s *Session) Resources(ctx context.Context, m Mark, p Page, resources []json.RawMessage, raw bool) ([]ItemCheck, error) {
	items, err := rawItems(KindResource, "uri", resources, raw)
	if err != nil {
		return nil, err
	}
	return s.page(ctx, KindResource, m, p, items)
}

// Instructions is [Registry.CheckInstructions] for this server.
func (s *Session) Instructions(ctx context.Context, text string) (ItemCheck, error) {
	return s.reg.CheckInstructions(ctx, s.project, s.server, text)
}

func (s *Session) page(ctx context.Context, kind Kind, m Mark, p Page, items []item) ([]ItemCheck, error) {
	checks, err := s.reg.checkItems(ctx, s.project, s.server, items)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.list(kind)
	if l.pages++; l.pages > MaxPages {
		return nil, fmt.Errorf("mcptrust: more than %d pages of one list", MaxPages)
	}
	if l.items == nil {
		l.items = map[string]*listed{}
	}
	for i := range items {
		it := &items[i]
		c := &checks[i]
		old := l.items[it.name]
		if old == nil && len(l.items) >= MaxItems {
			l.items, l.bytes = nil, 0
			return nil, fmt.Errorf("mcptrust: more than %d definitions of one kind", MaxItems)
		}
		if old != nil {
			l.bytes -= len(old.item.text)
		}
		if l.bytes += len(it.text); l.bytes > MaxListBytes {
			l.items, l.bytes = nil, 0
			return nil, fmt.Errorf("mcptrust: more than %d bytes of definitions of one kind", MaxListBytes)
		}
		e := &listed{item: *it, change: m.change, round: m.round, status: c.Status}
		e.item.node = node{} // the text is enough to check it again
		if len(c.Reasons) > 0 {
			e.reason = c.Reasons[0]
		}
		if old != nil && old.round == m.round && (old.twice || old.item.text != it.text || old.item.invalid != it.invalid) {
			e.twice = true
			*c = ItemCheck{Kind: kind, Name: it.name, Status: Blocked,
				Reasons: []Reason{{CodeDuplicateItem, "the server lists this name twice with two definitions"}}}
			e.status, e.reason = Blocked, c.Reasons[0]
		}
		l.items[it.name] = e
	}
	if p.Last && kind != KindResource {
		// What the newest complete list lacks is gone. Resources come in two
		// lists, so theirs go with the next change.
		for name, e := range l.items {
			if e.round < m.round {
				l.bytes -= len(e.item.text)
				delete(l.items, name)
			}
		}
	}
	return checks, nil
}

// Allow reports whether a tool may be called, a prompt got, or a resource read:
// it was in the newest list, no change was notified since, and server and
// definition are Trusted at this moment. A resource may also match an approved
// template. Errors: *[RefusedError], and those of [Registry.Check].
func (s *Session) Allow(ctx context.Context, kind Kind, name string) error {
	refuse := func(status Status, code Code, text string) error {
		return &RefusedError{kind, name, status, Reason{code, text}}
	}
	s.mu.Lock()
	l := s.list(kind)
	e := l.items[name]
	if e == nil && kind == KindResource {
		for uri, t := range l.items {
			if strings.Contains(uri, "{") && t.status == Trusted && t.change == l.change && matchTemplate(uri, name) {
				e = t
				break
			}
		}
	}
	change := l.change
	var cp listed
	if e != nil {
		cp = *e
	}
	s.mu.Unlock()
	switch {
	case e == nil:
		return refuse(Unknown, CodeNotListed, "the server does not list it")
	case cp.change != change:
		return refuse(cp.status, CodeListChanged, "the server said that its list changed: list again first")
	case cp.twice || cp.status == Blocked:
		return refuse(Blocked, CodeWithheld, "it is blocked")
	}
	checks, err := s.reg.checkItems(ctx, s.project, s.server, []item{cp.item})
	if err != nil {
		return err
	}
	if c := checks[0]; c.Status != Trusted {
		text := "it is " + c.Status.String() + " and was not approved"
		if len(c.Reasons) > 0 && c.Reasons[0].Code == CodeServerNotTrusted {
			text = c.Reasons[0].Text
		}
		return refuse(c.Status, CodeWithheld, text)
	}
	return nil
}

// matchTemplate reports whether a URI can come from a URI template (RFC 6570).
// A simple expression stands for one part without "/", "?" and "#"; the others
// can stand for anything. What stands before the first expression must hold the
// scheme, so that a template never matches every URI.
func matchTemplate(template, uri string) bool {
	head, _, _ := strings.Cut(template, "{")
	if scheme, rest, ok := strings.Cut(head, ":"); !ok || scheme == "" || rest == "" {
		return false
	}
	if strings.ContainsAny(uri, "\\\x00") {
		return false
	}
	// Segments that go up, also where a dot is encoded (RFC 3986 5.2.4, 6.2.2.2).
	for _, segment := range strings.FieldsFunc(strings.NewReplacer("%2e", ".", "%2E", ".", "%2f", "/", "%2F", "/", "%5c", "/", "%5C", "/").Replace(uri),
		func(r rune) bool { return strings.ContainsRune("/?#;&=", r) }) {
		if segment == ".." {
			return false
		}
	}
	if len(template) > 4*MaxNameBytes || len(uri) > 16*MaxNameBytes {
		return false
	}
	var pattern strings.Builder
	pattern.WriteString(`\A`)
	for rest := template; rest != ""; {
		lit, tail, ok := strings.Cut(rest, "{")
		pattern.WriteString(regexp.QuoteMeta(lit))
		if !ok {
			break
		}
		expr, tail, ok := strings.Cut(tail, "}")
		if !ok || expr == "" {
			return false
		}
		if strings.ContainsAny(expr[:1], "+#./;?&") {
			pattern.WriteString(`(?s:.*)`)
		} else {
			pattern.WriteString(`[^/?#]*`)
		}
		rest = tail
	}
	pattern.WriteString(`\z`)
	re, err := regexp.Compile(pattern.String())
	return err == nil && re.MatchString(uri)
}
