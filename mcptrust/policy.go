package mcptrust

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Policy is the organisation's allow and deny lists for MCP servers, by the
// documented keys allowedMcpServers, deniedMcpServers and
// allowManagedMcpServersOnly. It is immutable. A nil Policy allows every server
// to be asked about. A name is a label that its author chose: only entries with
// a command or a URL bind to what runs.
type Policy struct {
	pending    bool
	managed    bool // allowManagedMcpServersOnly
	allowSet   bool
	allow      []policyEntry
	deny       []policyEntry
	denyBroken *PolicySource
	ignored    *PolicySource // its allow list does not count
	narrow     [][]policyEntry
}

// PolicySource is one settings file that may hold the policy keys.
type PolicySource struct {
	File    string
	Managed bool // the organisation's own file
	Pending bool // not loaded yet: every check fails with ErrPolicyPending
	// Project says that the file belongs to the repository. It can only tighten:
	// its deny list merges, and its allow list narrows what the others allow.
	Project bool
	Data    []byte // the settings file: a JSON object; nil: no such file. One of no bytes is broken, as a file that was cut off
}

type policyEntry struct {
	name    string
	command []string
	url     string
	file    string
	line    int
}

// PolicyVerdict is the answer of [Policy.Evaluate].
type PolicyVerdict struct {
	Allowed bool
	Pending bool
	Reason  Reason // why not, with file and line of the entry
	// File and Line are those of the entry that decided, where one did.
	File string
	Line int
}

// LoadPolicy reads the policy keys of all sources. Allow lists of all sources
// are merged, unless a managed source sets allowManagedMcpServersOnly; those of
// a project's own files only narrow the result; deny lists always merge. The error joins *[ConfigError] values for entries that
// cannot be read; the Policy beside it is complete and fails closed: a broken
// allow entry allows nothing, a broken allow list is an empty one, a deny list
// of which nothing can be read blocks everything, and so does a file that is not
// JSON.
func LoadPolicy(sources []PolicySource) (*Policy, error) {
	p := &Policy{}
	var errs []error
	type parsed struct {
		src  *PolicySource
		root node
	}
	var files []parsed
	for i := range sources {
		s := &sources[i]
		p.pending = p.pending || s.Pending
		if s.Pending || s.Data == nil {
			continue
		}
		n, err := parseJSON(s.Data, false)
		if err != nil || n.kind != kindObject {
			if err == nil {
				err = &syntaxError{0, "not a JSON object"}
			}
			errs = append(errs, syntaxConfigError(s.File, s.Data, err))
			p.denyBroken = s
			continue
		}
		files = append(files, parsed{s, n})
		if v := n.get("allowManagedMcpServersOnly"); v != nil && s.Managed && !s.Project {
			if v.kind != kindBool {
				errs = append(errs, &ConfigError{File: s.File, Line: line(s.Data, v.off), Code: CodeWrongType, Msg: "allowManagedMcpServersOnly is not true or false", Fix: "write true or false; until then it counts as true"})
			}
			p.managed = p.managed || v.text != "false" || v.kind != kindBool
		}
	}
	for _, f := range files {
		v := f.root.get("allowedMcpServers")
		switch {
		case v == nil || v.kind == kindNull:
		case f.src.Project:
			es, bad := readEntries(f.src, v, "allowedMcpServers", true)
			p.narrow = append(p.narrow, es)
			errs = append(errs, bad...)
		case p.managed && !f.src.Managed:
			p.ignored = f.src
		default:
			p.allowSet = true
			es, bad := readEntries(f.src, v, "allowedMcpServers", true)
			p.allow = append(p.allow, es...)
			errs = append(errs, bad...)
		}
		if v := f.root.get("deniedMcpServers"); v != nil && v.kind != kindNull {
			es, bad := readEntries(f.src, v, "deniedMcpServers", false)
			p.deny = append(p.deny, es...)
			errs = append(errs, bad...)
			if len(es) == 0 && len(bad) > 0 {
				p.denyBroken = f.src
			}
		}
	}
	return p, errors.Join(errs...)
}

func readEntries(src *PolicySource, list *node, key string, allow bool) ([]policyEntry, []error) {
	bad := func(off int, msg string) error {
		return &ConfigError{File: src.File, Line: line(src.Data, off), Code: CodeWrongType, Msg: key + ": " + msg,
			Fix: `use objects with exactly one of "serverName", "serverCommand", "serverUrl"`}
	}
	if list.kind != kindArray {
		return nil, []error{bad(list.off, "not an array")}
	}
	var out []policyEntry
	var errs []error
	for i := range list.list {
		n := &list.list[i]
		if n.kind != kindObject || len(n.obj) != 1 {
			errs = append(errs, bad(n.off, "an entry that is not an object with one key"))
			continue
		}
		e := policyEntry{file: src.File, line: line(src.Data, n.off)}
		m := &n.obj[0]
		msg := ""
		switch m.key {
		case "serverName":
			e.name = m.val.text
			plain := strings.Trim(e.name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == ""
			if m.val.kind != kindString || e.name == "" || allow && !plain {
				msg = "serverName is not a name of A-Z a-z 0-9 _ -"
			}
		case "serverCommand":
			if m.val.kind != kindArray || len(m.val.list) == 0 {
				msg = "serverCommand is not an array of strings"
			}
			for j := range m.val.list {
				if m.val.list[j].kind != kindString {
					msg = "serverCommand is not an array of strings"
				}
				e.command = append(e.command, m.val.list[j].text)
			}
		case "serverUrl":
			e.url = m.val.text
			if m.val.kind != kindString || e.url == "" {
				msg = "serverUrl is not a pattern"
			} else if _, err := parsePattern(e.url); err != nil {
				msg = "serverUrl: " + err.Error()
			}
		default:
			msg = "unknown key " + quote(m.key)
		}
		if strings.Contains(e.url, "${") || slices.ContainsFunc(e.command, func(w string) bool { return strings.Contains(w, "${") }) {
			msg = "variables are not expanded here: write the value"
		}
		if msg != "" {
			errs = append(errs, bad(n.off, msg))
			continue
		}
		out = append(out, e)
	}
	return out, errs
}

func (e *policyEntry) at() string {
	if e.file == "" {
		return "the policy"
	}
	return fmt.Sprintf("%s:%d", Escape(e.file), e.line)
}

func (e *policyEntry) matches(s *Server, u *url.URL, allow bool) bool {
	switch {
	case e.name != "":
		return e.name == s.Name
	case e.command != nil:
		return s.Transport == Stdio && slices.Equal(e.command, s.Argv())
	}
	if u == nil {
		return false
	}
	pat, err := parsePattern(e.url)
	return err == nil && pat.matches(u, allow)
}

// Evaluate applies the policy to a server: any deny entry that matches blocks;
// without an allow list the rest passes; with one, a remote server must match a
// serverUrl and a stdio server a serverCommand, and a serverName counts only
// while the list has no such entry for its kind. It does not say that the server
// is trusted.
func (p *Policy) Evaluate(s Server) PolicyVerdict {
	if p == nil {
		return PolicyVerdict{Allowed: true}
	}
	if p.pending {
		return PolicyVerdict{Pending: true}
	}
	if p.denyBroken != nil {
		return PolicyVerdict{File: p.denyBroken.File, Reason: Reason{CodePolicyInvalidDeny, Escape(p.denyBroken.File) + " holds a deny list that cannot be read, so nothing is allowed: correct it"}}
	}
	var u *url.URL
	if s.Transport != Stdio {
		u, _ = parseServerURL(s.URL.Expanded(), s.Transport)
	}
	for i := range p.deny {
		if u != nil && p.deny[i].url != "" && oddHost(u.Hostname()) {
			return PolicyVerdict{File: p.deny[i].file, Line: p.deny[i].line, Reason: Reason{CodePolicyDeny,
				"the host can be another spelling of one that is denied by " + p.deny[i].at() + ": write it in plain letters, or as a plain address"}}
		}
		if p.deny[i].matches(&s, u, false) {
			return PolicyVerdict{File: p.deny[i].file, Line: p.deny[i].line, Reason: Reason{CodePolicyDeny, "denied by " + p.deny[i].at()}}
		}
	}
	out := PolicyVerdict{Allowed: true}
	if p.allowSet {
		e := allowedBy(p.allow, &s, u)
		if e == nil {
			return PolicyVerdict{Reason: Reason{CodePolicyNotAllowed, "not on the organisation's list of allowed servers"}}
		}
		out.File, out.Line = e.file, e.line
	}
	for _, list := range p.narrow {
		if allowedBy(list, &s, u) == nil {
			return PolicyVerdict{Reason: Reason{CodePolicyNotAllowed, "not on the project's own list of allowed servers"}}
		}
	}
	return out
}

// oddHost reports a host that clients resolve as another one: letters outside of
// ASCII (IDNA maps them), and the old spellings of IPv4.
func oddHost(host string) bool {
	h := normalHost(host)
	if strings.IndexFunc(h, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
		return true
	}
	_, err := netip.ParseAddr(h)
	return err != nil && numericHost(h)
}

// allowedBy returns the entry of an allow list that lets the server pass.
func allowedBy(list []policyEntry, s *Server, u *url.URL) *policyEntry {
	names := true
	for i := range list {
		if s.Transport == Stdio && list[i].command != nil || s.Transport != Stdio && list[i].url != "" {
			names = false
		}
	}
	for i := range list {
		if e := &list[i]; (e.name == "" || names) && e.matches(s, u, true) {
			return e
		}
	}
	return nil
}

// pattern is a URL pattern by component, so that a star in one cannot match a
// separator of the next.
type pattern struct {
	scheme, host, port, path string
	anyPath, noPort          bool
}

func parsePattern(s string) (pattern, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return pattern{}, errors.New("a pattern without ://")
	}
	p := pattern{scheme: strings.ToLower(scheme)}
	auth := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		auth, p.path = rest[:i], rest[i:]
	} else {
		p.anyPath = true
	}
	if strings.ContainsAny(auth, "@ \\") || strings.Contains(p.path, "#") {
		return pattern{}, errors.New("a pattern with user information or a fragment")
	}
	host := auth
	if i := strings.LastIndexByte(auth, ':'); i >= 0 && !strings.HasSuffix(auth, "]") {
		host, p.port = auth[:i], auth[i+1:]
	} else {
		p.noPort = true
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if host == "" {
		return pattern{}, errors.New("a pattern without a host")
	}
	if p.host = host; !strings.Contains(host, "*") {
		p.host = normalHost(host)
	}
	p.host = strings.TrimSuffix(strings.ToLower(p.host), ".")
	return p, nil
}

func (p pattern) matches(u *url.URL, allow bool) bool {
	// For an allow entry, a URL with user information is never what was meant.
	if allow && u.User != nil {
		return false
	}
	scheme := strings.ToLower(u.Scheme)
	if !star(p.scheme, scheme) || !star(p.host, normalHost(u.Hostname())) {
		return false
	}
	port := u.Port()
	if port == "" {
		port = defaultPort(scheme)
	}
	switch {
	case !p.noPort:
		if !star(p.port, port) {
			return false
		}
	case allow:
		// Not documented: a pattern without port means the default one. A deny
		// entry without port means every port.
		if port != defaultPort(scheme) {
			return false
		}
	}
	if p.anyPath {
		return true
	}
	// Dot segments count as a server resolves them, also when encoded.
	target := u.EscapedPath()
	if strings.Contains(target, "//") || strings.Contains(u.Path, "\\") || strings.Contains(u.Path, "/.") || strings.HasSuffix(target, "%2F") {
		clean := path.Clean("/" + u.Path)
		if strings.HasSuffix(u.Path, "/") && clean != "/" {
			clean += "/"
		}
		if allow && clean != u.Path {
			if strings.Contains(strings.ToLower(target), "%2e") || strings.Contains(strings.ToLower(target), "%2f") {
				return false
			}
		}
		target = (&url.URL{Path: clean}).EscapedPath()
	}
	if target == "" {
		target = "/"
	}
	full := target
	if u.RawQuery != "" {
		full += "?" + u.RawQuery
	}
	if star(p.path, full) || !strings.Contains(p.path, "?") && star(p.path, target) {
		return true
	}
	// A denied path is denied under every spelling.
	return !allow && star(strings.ToLower(p.path), strings.ToLower(path.Clean("/"+u.Path)))
}

// star matches text with "*" for any run of characters.
func star(pat, s string) bool {
	parts := strings.Split(pat, "*")
	if len(parts) == 1 {
		return pat == s
	}
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return strings.HasSuffix(s, parts[len(parts)-1])
}
