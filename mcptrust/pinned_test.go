package mcptrust

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every field of a definition is pinned: a change in any one asks. A field that
// is added to the struct and not to this table fails the test.
func TestEveryFieldIsPinned(t *testing.T) {
	ctx := t.Context()
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	stdio := Server{Name: "s", Transport: Stdio, Command: Literal("a"), Args: Literals("x", "y"), Env: map[string]Value{"K": Literal("1")}, Dir: Literal("/d"),
		Extra: map[string]json.RawMessage{"later": raw(`1`)}, OAuth: raw(`{"clientId":"a"}`), Evidence: Evidence{Executable: "/a", SHA256: "1", Files: map[string]string{"f": "1"}, Image: "i"}}
	remote := Server{Name: "s", Transport: HTTP, URL: Literal("https://h.example/p"), Headers: map[string]Value{"H": Literal("1")}, HeadersHelper: Literal("h")}
	seen := map[string]bool{}
	for _, c := range []struct {
		field string
		base  Server
		edit  func(*Server)
	}{
		{"Name", stdio, func(s *Server) { s.Name = "other" }},
		{"Transport", remote, func(s *Server) { s.Transport = SSE }},
		{"Command", stdio, func(s *Server) { s.Command = Literal("b") }},
		{"Args", stdio, func(s *Server) { s.Args = Literals("y", "x") }},
		{"Args", stdio, func(s *Server) { s.Args = Literals("x", "y", "") }},
		{"Args", stdio, func(s *Server) { s.Args = Literals("x ", "y") }},
		{"Env", stdio, func(s *Server) { s.Env = map[string]Value{"K": Literal("2")} }},
		{"Env", stdio, func(s *Server) { s.Env = map[string]Value{"K": Literal("1"), "L": Literal("1")} }},
		{"Env", stdio, func(s *Server) { s.Env = map[string]Value{"k": Literal("1")} }},
		{"Env", stdio, func(s *Server) {
			v, _ := Expand("${K:-1}", nil)
			s.Env = map[string]Value{"K": v}
		}},
		{"Dir", stdio, func(s *Server) { s.Dir = Literal("/e") }},
		{"URL", remote, func(s *Server) { s.URL = Literal("https://h.example/P") }},
		{"URL", remote, func(s *Server) { s.URL = Literal("https://h.example/p/") }},
		{"URL", remote, func(s *Server) { s.URL = Literal("http://h.example/p") }},
		{"URL", remote, func(s *Server) { s.URL = Literal("https://h.example:444/p") }},
		{"URL", remote, func(s *Server) { s.URL = Literal("https://h.example/p?q=1") }},
		{"Headers", remote, func(s *Server) { s.Headers = map[string]Value{"H": Literal("2")} }},
		{"Headers", remote, func(s *Server) { s.Headers = map[string]Value{"H": Literal("1"), "I": Literal("1")} }},
		{"HeadersHelper", remote, func(s *Server) { s.HeadersHelper = Literal("g") }},
		{"OAuth", stdio, func(s *Server) { s.OAuth = raw(`{"clientId":"b"}`) }},
		{"Extra", stdio, func(s *Server) { s.Extra = map[string]json.RawMessage{"later": raw(`2`)} }},
		{"Extra", stdio, func(s *Server) { s.Extra = nil }},
		{"Evidence", stdio, func(s *Server) { s.Evidence.Executable = "/b" }},
		{"Evidence", stdio, func(s *Server) { s.Evidence.SHA256 = "2" }},
		{"Evidence", stdio, func(s *Server) { s.Evidence.Files = map[string]string{"f": "2"} }},
		{"Evidence", stdio, func(s *Server) { s.Evidence.Image = "j" }},
		{"Source", stdio, func(s *Server) { s.Source = Source{Scope: ScopePlugin, Name: "p"} }},
	} {
		seen[c.field] = true
		r, dir := registry(t, Options{}), t.TempDir()
		openSession(t, r, dir, c.base)
		now := c.base
		c.edit(&now)
		got, err := r.Check(ctx, dir, now)
		require.NoError(t, err)
		assert.NotEqual(t, Trusted, got.Status, "%s %+v", c.field, now)
	}
	for i := range reflect.TypeFor[Server]().NumField() {
		f := reflect.TypeFor[Server]().Field(i).Name
		assert.True(t, seen[f], "Server.%s has no row here", f)
	}

	base := Tool{Name: "t", Title: "T", Description: "d", InputSchema: raw(`{"type":"object","properties":{"p":{"type":"string","enum":["a","b"]}}}`), OutputSchema: raw(`{"type":"object"}`),
		Annotations: raw(`{"title":"x"}`), Execution: raw(`{"taskSupport":"optional"}`), Meta: raw(`{"k":1}`), Extra: map[string]json.RawMessage{"x-later": raw(`1`)}}
	clear(seen)
	for _, c := range []struct {
		field string
		edit  func(*Tool)
	}{
		{"Name", func(x *Tool) { x.Name = "T" }},
		{"Title", func(x *Tool) { x.Title = "T " }},
		{"Description", func(x *Tool) { x.Description = "d " }},
		{"Description", func(x *Tool) { x.Description = "" }},
		{"InputSchema", func(x *Tool) {
			x.InputSchema = raw(`{"type":"object","properties":{"p":{"type":"string","enum":["b","a"]}}}`)
		}},
		{"InputSchema", func(x *Tool) {
			x.InputSchema = raw(`{"type":"object","$comment":"x","properties":{"p":{"type":"string","enum":["a","b"]}}}`)
		}},
		{"InputSchema", func(x *Tool) {
			x.InputSchema = raw(`{"type":"object","properties":{"p":{"type":"string","default":"/etc","enum":["a","b"]}}}`)
		}},
		{"OutputSchema", func(x *Tool) { x.OutputSchema = nil }},
		{"Annotations", func(x *Tool) { x.Annotations = raw(`{"title":"y"}`) }},
		{"Annotations", func(x *Tool) { x.Annotations = raw(`{"title":"x","readOnlyHint":true}`) }},
		{"Annotations", func(x *Tool) { x.Annotations = raw(`{"title":"x","later":false}`) }},
		{"Execution", func(x *Tool) { x.Execution = raw(`{"taskSupport":"required"}`) }},
		{"Meta", func(x *Tool) { x.Meta = raw(`{"k":2}`) }},
		{"Extra", func(x *Tool) { x.Extra = nil }},
		{"Raw", func(x *Tool) { x.Raw = true }},
	} {
		seen[c.field] = true
		r, dir := registry(t, Options{}), t.TempDir()
		s := Server{Name: "s", Transport: Stdio, Command: Literal("s")}
		openSession(t, r, dir, s)
		cs, err := r.CheckTools(ctx, dir, s, []Tool{base})
		require.NoError(t, err)
		approveItems(t, r, cs)
		now := base
		c.edit(&now)
		cs, err = r.CheckTools(ctx, dir, s, []Tool{now})
		require.NoError(t, err)
		assert.NotEqual(t, Trusted, cs[0].Status, "%s %+v", c.field, now)
	}
	for i := range reflect.TypeFor[Tool]().NumField() {
		f := reflect.TypeFor[Tool]().Field(i).Name
		assert.True(t, seen[f], "Tool.%s has no row here", f)
	}
}

// What is parsed can be checked, and nothing about it panics or is unclear.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"mcpServers":{"a":{"command":"x","args":["${A:-b}","${cred:c}"],"env":{"K":"${B}"}}}}`,
		`{"mcpServers":{"a":{"type":"http","url":"https://h.example:443/p?q=1","headers":{"H":"v"},"oauth":{"a":1},"x":[1e2]}}}`, `{"servers":{"a":{"command":"${env:X}"}},}`} {
		f.Add(s, uint8(0))
		f.Add(s, uint8(1))
	}
	st := &store{key: make([]byte, 32)}
	f.Fuzz(func(t *testing.T, text string, format uint8) {
		servers, err := Parse([]byte(text), ParseOptions{Format: Format(format % 4), Lookup: func(k string) (string, bool) { return k, len(k)%2 == 0 }})
		if err != nil {
			for _, r := range err.Error() {
				require.True(t, r == '\n' || unicode.IsPrint(r), "%q", err.Error())
			}
		}
		for _, s := range servers {
			a, err1 := st.serverPin(&s, "")
			b, err2 := st.serverPin(&s, "")
			require.Equal(t, err1 == nil, err2 == nil)
			require.Equal(t, string(a), string(b))
			_ = serverFindings(&s)
			_, _ = portablePin(&s, "")
		}
	})
}

// Nothing that is shown holds a character that does not show itself.
func FuzzEscape(f *testing.F) {
	f.Add("a\u202e\x1b[31m\xff\U000E0041\\")
	f.Fuzz(func(t *testing.T, s string) {
		out := Escape(s)
		code, what := hidden(out, false)
		if code != "" {
			// Joiners and selectors are judged by their neighbours; none is printed.
			t.Fatalf("%q: %s", out, what)
		}
		require.GreaterOrEqual(t, len([]rune(out)), len([]rune(s)))
	})
}

// A URL pattern never allows what its components, read one by one, do not.
func FuzzURLPattern(f *testing.F) {
	for _, p := range []string{"https://mcp.example.com/*", "https://*.example.com", "*://h.example:*/a*b", "https://[::1]/x"} {
		for _, u := range []string{"https://mcp.example.com/api", "https://evil.example/mcp.example.com/", "https://a.example.com@evil.example/", "https://h.example:8443/a/../b", "https://[::1]/x"} {
			f.Add(p, u)
		}
	}
	component := func(pattern, text string) bool {
		parts := strings.Split(pattern, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		return regexp.MustCompile(`(?s)\A` + strings.Join(parts, ".*") + `\z`).MatchString(text)
	}
	f.Fuzz(func(t *testing.T, pattern, address string) {
		p, err := parsePattern(pattern)
		if err != nil {
			return
		}
		u, err := parseServerURL(address, WS)
		if err != nil || !p.matches(u, true) {
			return
		}
		require.Nil(t, u.User)
		require.True(t, component(p.scheme, strings.ToLower(u.Scheme)))
		require.True(t, component(p.host, normalHost(u.Hostname())), "%s %s", p.host, u.Hostname())
		port := u.Port()
		if port == "" {
			port = defaultPort(strings.ToLower(u.Scheme))
		}
		if p.noPort {
			require.Equal(t, defaultPort(strings.ToLower(u.Scheme)), port)
		} else {
			require.True(t, component(p.port, port))
		}
	})
}
