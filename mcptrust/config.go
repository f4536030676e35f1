package mcptrust

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Codes of [ConfigError].
const (
	CodeSyntax        Code = "SYNTAX"
	CodeDuplicateKey  Code = "DUPLICATE_KEY"
	CodeWrongType     Code = "WRONG_TYPE"
	CodeMissingType   Code = "MISSING_TYPE"
	CodeUnknownType   Code = "UNKNOWN_TYPE"
	CodeMissingField  Code = "MISSING_FIELD"
	CodeMixedFields   Code = "MIXED_FIELDS"
	CodeUnsetVariable Code = "UNSET_VARIABLE"
	CodeReservedName  Code = "RESERVED_NAME"
	CodeServerName    Code = "SERVER_NAME"
	CodeBadURL        Code = "BAD_URL"
	CodeBadText       Code = "BAD_TEXT"
	CodeTooBig        Code = "TOO_BIG"
	CodeSecretPlace   Code = "CREDENTIAL_PLACE"
)

const maxServerName = 128

// Format is the file format of a server configuration.
type Format uint8

const (
	// FormatMCP is .mcp.json and managed-mcp.json: strict
	// JSON with the key mcpServers.
	FormatMCP Format = iota
	// FormatVSCode is .vscode/mcp.json: JSON with comments and the key servers.
	// Variables are ${env:NAME} and ${workspaceFolder}; ${input:…} is an error.
	FormatVSCode
	// FormatCursor is .cursor/mcp.json: as FormatMCP, but a url without type is
	// HTTP, and variables are those of FormatVSCode and ${userHome}.
	FormatCursor
	// FormatClaudeUser is ~/.claude.json: mcpServers for [ScopeUser], and those
	// below projects and ParseOptions.Project for [ScopeLocal]. The rest of the
	// file is not looked at.
	FormatClaudeUser
)

// ParseOptions says what a file is and where variables come from.
type ParseOptions struct {
	Format Format
	Source Source // Line is set for each server
	// Lookup supplies ${VAR}. Nil knows no variable: give os.LookupEnv, or the
	// environment as it was when the program started.
	Lookup func(name string) (string, bool)
	// Project is the project's folder, for FormatClaudeUser and ${workspaceFolder}.
	Project string
}

func (o *ParseOptions) limit() int {
	if o.Format == FormatClaudeUser {
		return MaxUserFileBytes
	}
	return MaxFileBytes
}

// ReadFile reads opts.Source.File and parses it as [Parse]. The
// bytes are read once: start servers from what is returned, not from the file.
func ReadFile(opts ParseOptions) ([]Server, error) {
	f, err := openFile(opts.Source.File)
	if err != nil {
		return nil, fmt.Errorf("mcptrust: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, &ConfigError{File: opts.Source.File, Code: CodeBadText, Msg: "not a regular file", Fix: "give a plain file"}
	}
	var buf bytes.Buffer
	if _, err := buf.ReadFrom(&limitedFile{f, opts.limit() + 1}); err != nil || buf.Len() > opts.limit() {
		return nil, &ConfigError{File: opts.Source.File, Code: CodeTooBig, Msg: fmt.Sprintf("cannot read it, or more than %d bytes", opts.limit()), Fix: "split the file"}
	}
	return Parse(buf.Bytes(), opts)
}

// Parse reads server definitions strictly. When the file as a whole is unclear
// (not JSON, a key twice, no server map) no server is returned. When one server
// is broken, it is left out and the others are returned beside the error. The
// error joins *[ConfigError] values, each with file, line and the fix.
func Parse(data []byte, opts ParseOptions) ([]Server, error) {
	file := opts.Source.File
	if len(data) > opts.limit() {
		return nil, &ConfigError{File: file, Code: CodeTooBig, Msg: fmt.Sprintf("more than %d bytes", opts.limit()), Fix: "split the file"}
	}
	// A byte order mark is tolerated at the start, where editors put it.
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	root, err := parseJSON(data, opts.Format == FormatVSCode)
	if err != nil {
		return nil, syntaxConfigError(file, data, err)
	}
	key := "mcpServers"
	if opts.Format == FormatVSCode {
		key = "servers"
	}
	servers := root.get(key)
	if opts.Format == FormatClaudeUser {
		if opts.Source.Scope == ScopeLocal {
			servers = root.get("projects").get(opts.Project).get(key)
		}
		if servers == nil && root.kind == kindObject {
			return nil, nil
		}
	}
	if servers == nil {
		return nil, &ConfigError{File: file, Line: 1, Code: CodeMissingField, Msg: "no object " + key, Fix: `write {"` + key + `": {}} for no servers`}
	}
	if servers.kind != kindObject {
		return nil, &ConfigError{File: file, Line: line(data, servers.off), Code: CodeWrongType, Msg: key + " is not an object", Fix: "map each server's name to its definition"}
	}
	var out []Server
	var errs []error
	for i := range servers.obj {
		m := &servers.obj[i]
		p := entry{data: data, opts: opts, name: m.key, line: line(data, m.off)}
		s, err := p.server(&m.val)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, s)
	}
	return out, errors.Join(errs...)
}

func syntaxConfigError(file string, data []byte, err error) error {
	out := &ConfigError{File: file, Code: CodeSyntax, Fix: "correct the JSON"}
	var dup *duplicateError
	var syn *syntaxError
	switch {
	case errors.As(err, &dup):
		out.Code, out.Line, out.Msg = CodeDuplicateKey, line(data, dup.off), dup.msg
		out.Fix = "keep one: readers disagree about which one counts"
	case errors.As(err, &syn):
		out.Line, out.Msg = line(data, syn.off), syn.msg
		if len(bytes.TrimSpace(data)) == 0 {
			out.Msg, out.Fix = "the file is empty", `write {"mcpServers": {}} for no servers`
		}
	default:
		out.Msg = err.Error()
	}
	return out
}

// entry reads one server.
type entry struct {
	data []byte
	opts ParseOptions
	name string
	line int
}

func (p *entry) fail(off int, code Code, msg, fix string) error {
	l := p.line
	if off >= 0 {
		l = line(p.data, off)
	}
	return &ConfigError{File: p.opts.Source.File, Line: l, Server: p.name, Code: code, Msg: msg, Fix: fix}
}

func (p *entry) server(n *node) (Server, error) {
	s := Server{Name: p.name, Source: p.opts.Source}
	s.Source.Line = p.line
	if code, msg := checkName(p.name); code != "" {
		return s, p.fail(-1, code, msg, "choose another name of letters, digits, - and _")
	}
	if n.kind != kindObject {
		return s, p.fail(n.off, CodeWrongType, "the definition is not an object", "write an object")
	}
	typeNode, url, command := n.get("type"), n.get("url"), n.get("command")
	switch {
	case typeNode == nil && command != nil:
		s.Transport = Stdio
	case typeNode == nil && url != nil && p.opts.Format == FormatCursor:
		s.Transport = HTTP
	case typeNode == nil && url != nil:
		return s, p.fail(url.off, CodeMissingType, "url without type", `add "type": "http" (or "sse", "ws")`)
	case typeNode == nil:
		return s, p.fail(n.off, CodeMissingField, "neither command nor url", `add "command", or "type" and "url"`)
	case typeNode.kind != kindString:
		return s, p.fail(typeNode.off, CodeWrongType, "type is not a string", `use "stdio", "http", "sse" or "ws"`)
	default:
		switch typeNode.text {
		case "stdio", "http", "sse", "ws":
			s.Transport = Transport(typeNode.text)
		case "streamable-http":
			s.Transport = HTTP
		default:
			return s, p.fail(typeNode.off, CodeUnknownType, fmt.Sprintf("unknown type %q", Escape(typeNode.text)), `use "stdio", "http", "sse" or "ws"`)
		}
	}
	if s.Transport == Stdio && command == nil {
		return s, p.fail(n.off, CodeMissingField, "stdio without command", `add "command", or correct the type`)
	}
	if s.Transport != Stdio && url == nil {
		return s, p.fail(n.off, CodeMissingField, "no url", `add "url", or correct the type`)
	}
	if command != nil && url != nil {
		return s, p.fail(url.off, CodeMixedFields, "both command and url", "keep the one that the type means")
	}
	for i := range n.obj {
		m := &n.obj[i]
		var err error
		switch m.key {
		case "type":
		case "command":
			s.Command, err = p.value(&m.val, m.key)
		case "cwd":
			s.Dir, err = p.value(&m.val, m.key)
		case "url":
			s.URL, err = p.value(&m.val, m.key)
		case "headersHelper":
			s.HeadersHelper, err = p.value(&m.val, m.key)
		case "args":
			s.Args, err = p.values(&m.val)
		case "env":
			s.Env, err = p.valueMap(&m.val, m.key)
		case "headers":
			s.Headers, err = p.valueMap(&m.val, m.key)
		case "oauth":
			if m.val.kind != kindObject {
				err = p.fail(m.val.off, CodeWrongType, "oauth is not an object", "write an object")
			}
			s.OAuth = json.RawMessage(bytes.Clone(p.data[m.val.off:m.val.end]))
		default:
			if s.Extra == nil {
				s.Extra = map[string]json.RawMessage{}
			}
			c, cerr := m.val.canonical(nil)
			if cerr != nil {
				err = p.fail(m.val.off, CodeBadText, cerr.Error(), "correct the value")
			}
			s.Extra[m.key] = c
		}
		if err != nil {
			return s, err
		}
	}
	if s.OAuth != nil {
		c, err := n.get("oauth").canonical(nil)
		if err != nil {
			return s, p.fail(n.off, CodeBadText, err.Error(), "correct oauth")
		}
		s.OAuth = c
	}
	if code, msg, fix := s.invalid(); code != "" {
		return s, p.fail(-1, code, msg, fix)
	}
	return s, nil
}

func (p *entry) value(n *node, field string) (Value, error) {
	if n.kind != kindString {
		return Value{}, p.fail(n.off, CodeWrongType, field+" is not a string", "put it in double quotes")
	}
	v, err := expand(n.text, p.lookup, p.opts.Format == FormatVSCode || p.opts.Format == FormatCursor)
	var unset *UnsetError
	if errors.As(err, &unset) {
		return Value{}, p.fail(n.off, CodeUnsetVariable, field+": "+err.Error(), "set "+unset.Name+", or write ${"+unset.Name+":-default}")
	}
	if err != nil {
		return Value{}, p.fail(n.off, CodeUnsetVariable, field+": "+err.Error(), "write ${env:NAME}")
	}
	return v, nil
}

// lookup knows the folders that editors put in.
func (p *entry) lookup(name string) (string, bool) {
	if p.opts.Format == FormatVSCode || p.opts.Format == FormatCursor {
		switch {
		case name == "workspaceFolder" && p.opts.Project != "":
			return p.opts.Project, true
		case name == "userHome" && p.opts.Lookup != nil:
			return p.opts.Lookup("HOME")
		}
	}
	if p.opts.Lookup == nil {
		return "", false
	}
	return p.opts.Lookup(name)
}

func (p *entry) values(n *node) ([]Value, error) {
	if n.kind != kindArray {
		return nil, p.fail(n.off, CodeWrongType, "args is not an array", "write one string for each argument")
	}
	out := make([]Value, len(n.list))
	for i := range n.list {
		v, err := p.value(&n.list[i], fmt.Sprintf("args[%d]", i))
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func (p *entry) valueMap(n *node, field string) (map[string]Value, error) {
	if n.kind != kindObject {
		return nil, p.fail(n.off, CodeWrongType, field+" is not an object", "map each name to a string")
	}
	out := make(map[string]Value, len(n.obj))
	for i := range n.obj {
		m := &n.obj[i]
		v, err := p.value(&m.val, field+"."+Escape(m.key))
		if err != nil {
			return nil, err
		}
		out[m.key] = v
	}
	return out, nil
}

// checkName says why a server name cannot be used. The reserved names are those
// that the MCP documentation of Claude Code lists; "claude.ai NAME" is how it
// shows connectors.
func checkName(name string) (Code, string) {
	switch strings.ToLower(name) {
	case "":
		return CodeServerName, "the server has no name"
	case "workspace", "claude-in-chrome", "computer-use", "claude preview", "claude browser":
		return CodeReservedName, "the name is reserved for the host"
	}
	if len(name) > maxServerName {
		return CodeServerName, fmt.Sprintf("the name is longer than %d bytes", maxServerName)
	}
	if strings.HasPrefix(strings.ToLower(name), "claude.ai") {
		return CodeReservedName, "the name imitates a connector"
	}
	if !utf8.ValidString(name) {
		return CodeServerName, "the name is not UTF-8"
	}
	if code, what := hidden(name, false); code != "" {
		return CodeServerName, "the name holds what cannot be seen: " + what
	}
	return "", ""
}

// invalid says why a server cannot be started as it is.
func (s *Server) invalid() (code Code, msg, fix string) {
	if code, msg := checkName(s.Name); code != "" {
		return code, msg, "choose another name"
	}
	bad := func(field, text string) bool {
		if strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
			code, msg, fix = CodeBadText, field+" holds a NUL or broken UTF-8", "remove it"
			return true
		}
		return false
	}
	for field, v := range s.values() {
		if len(v.credentials()) > 0 && !strings.HasPrefix(field, "env.") && !strings.HasPrefix(field, "headers.") {
			return CodeSecretPlace, Escape(field) + " asks for a credential: every process can read it there", "pass ${cred:NAME} in env or headers"
		}
		if bad(Escape(field), v.Expanded()) || bad(Escape(field), field) {
			return code, msg, fix
		}
	}
	for _, raw := range append(mapValues(s.Extra), s.OAuth) {
		if raw == nil {
			continue
		}
		if _, err := canonicalJSON(raw); err != nil {
			return CodeBadText, "an extra field is not clear JSON: " + err.Error(), "correct it"
		}
	}
	switch s.Transport {
	case Stdio:
		if s.Command.Expanded() == "" {
			return CodeMissingField, "the command is empty", "give a command"
		}
		if !s.URL.IsZero() || len(s.Headers) > 0 || !s.HeadersHelper.IsZero() {
			return CodeMixedFields, "a stdio server with url, headers or headersHelper", "remove them, or correct the type"
		}
	case HTTP, SSE, WS:
		if !s.Command.IsZero() || len(s.Args) > 0 || len(s.Env) > 0 || !s.Dir.IsZero() {
			return CodeMixedFields, "a remote server with command, args, env or cwd", "remove them, or correct the type"
		}
		if _, err := parseServerURL(s.URL.Expanded(), s.Transport); err != nil {
			return CodeBadURL, err.Error(), "give an absolute https URL"
		}
	default:
		return CodeUnknownType, "unknown transport", "use stdio, http, sse or ws"
	}
	return "", "", ""
}

func mapValues(m map[string]json.RawMessage) []json.RawMessage {
	out := make([]json.RawMessage, 0, len(m)+1)
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// parseServerURL reads the address of a server. Its errors hold no part of it.
func parseServerURL(s string, t Transport) (*url.URL, error) {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f || s[i] == '\\' {
			return nil, errors.New("the url holds a blank, a control character or a backslash")
		}
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, errors.New("the url cannot be read")
	}
	scheme := strings.ToLower(u.Scheme)
	web := scheme == "http" || scheme == "https"
	if !web && !(t == WS && (scheme == "ws" || scheme == "wss")) {
		return nil, errors.New("the url's scheme is not allowed for this type")
	}
	if u.Opaque != "" || u.Hostname() == "" {
		return nil, errors.New("the url has no host")
	}
	if strings.Contains(u.Hostname(), "%") || u.Fragment != "" {
		return nil, errors.New("the url has a fragment or a zone")
	}
	return u, nil
}

// normalHost is the comparable form of a host name.
func normalHost(h string) string {
	h = strings.TrimSuffix(strings.ToLower(h), ".")
	if a, err := netip.ParseAddr(h); err == nil {
		return a.Unmap().String()
	}
	return h
}

func defaultPort(scheme string) string {
	switch scheme {
	case "https", "wss":
		return "443"
	case "http", "ws":
		return "80"
	}
	return ""
}

// normalURL returns the address in the form that is pinned: scheme and host
// lower-case without trailing dot, no default port (RFC 3986 6.2). Path and
// query stay as they are: they may name another resource.
func normalURL(u *url.URL) string {
	c := *u
	c.Scheme = strings.ToLower(u.Scheme)
	host := normalHost(u.Hostname())
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if p := u.Port(); p != "" && p != defaultPort(c.Scheme) {
		host += ":" + p
	}
	c.Host = host
	if c.Path == "" {
		c.Path = "/"
	}
	return c.String()
}
