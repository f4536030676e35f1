package mcptrust

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// values yields every value of the definition with its field name, in a fixed
// order.
func (s *Server) values() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		one := func(field string, v Value) bool { return v.IsZero() || yield(field, v) }
		if !one("command", s.Command) {
			return
		}
		for i, v := range s.Args {
			if !yield(fmt.Sprintf("args[%d]", i), v) {
				return
			}
		}
		if !one("cwd", s.Dir) {
			return
		}
		for _, k := range slices.Sorted(maps.Keys(s.Env)) {
			if !yield("env."+k, s.Env[k]) {
				return
			}
		}
		if !one("url", s.URL) {
			return
		}
		for _, k := range slices.Sorted(maps.Keys(s.Headers)) {
			if !yield("headers."+k, s.Headers[k]) {
				return
			}
		}
		one("headersHelper", s.HeadersHelper)
	}
}

// operational fields change how the host uses a server, not what it is.
func operational(key string) bool {
	switch key {
	case "timeout", "alwaysLoad", "enabled", "disabled", "icons":
		return true
	}
	return false
}

// serverPin is the identity of a server, as it is stored: canonical JSON that
// holds no value of env or headers, no value of a variable, and nothing that
// looks like a secret; for these a keyed digest stands.
func (st *store) serverPin(s *Server, start string) (json.RawMessage, error) {
	pin := map[string]any{"type": string(s.Transport), "source": s.Source.String()}
	open := func(field string, v Value, secret bool) any {
		text, full := v.Template(), v.Expanded()
		if !secret && !v.variables() {
			return text
		}
		o := map[string]any{"mac": st.mac("value/v1", field, text, full)}
		if !secret {
			o["text"] = text
		}
		return o
	}
	// The literal text is pinned, what the user's environment supplies is not:
	// so a token rotates silently and a changed file does not.
	closed := func(field string, v Value, byValue bool) any {
		o := map[string]any{}
		if byValue {
			o["mac"] = st.mac("value/v1", field, v.Template(), v.Expanded())
		} else {
			o["mac"] = st.mac("template/v1", field, v.Template())
		}
		if len(v.parts) == 1 && v.variables() && !v.parts[0].hasFall {
			o["text"] = v.Template()
		}
		return o
	}
	switch s.Transport {
	case Stdio:
		pin["command"] = open("command", s.Command, secretLooking(s.Command))
		args := make([]any, len(s.Args))
		for i, v := range s.Args {
			// The value after a flag named like a secret is one.
			after := i > 0 && strings.HasPrefix(s.Args[i-1].Template(), "-") && secretName(s.Args[i-1].Template())
			args[i] = open("args", v, after || secretLooking(v))
		}
		pin["args"] = args
		if !s.Dir.IsZero() {
			pin["cwd"] = open("cwd", s.Dir, secretLooking(s.Dir))
		}
		if start != "" {
			pin["start"] = start
		}
		env := map[string]any{}
		for k, v := range s.Env {
			env[k] = closed("env."+k, v, loaderVariable(k))
		}
		pin["env"] = env
	default:
		u, err := parseServerURL(s.URL.Expanded(), s.Transport)
		if err != nil {
			return nil, err
		}
		normal := normalURL(u)
		if !s.URL.variables() && u.User == nil && !secretQuery(u.RawQuery) && !secretLooking(s.URL) {
			pin["url"] = normal
		} else {
			c := *u
			c.User, c.RawQuery = nil, ""
			text := normalURL(&c)
			if s.URL.variables() || secretLooking(s.URL) {
				text = c.Scheme + "://" + c.Host
				if s.URL.variables() {
					text = variableNames(s.URL)
				}
			}
			pin["url"] = map[string]any{"text": text, "mac": st.mac("value/v1", "url", s.URL.Template(), normal)}
		}
		headers := map[string]any{}
		for k, v := range s.Headers {
			k = strings.ToLower(k)
			if _, twice := headers[k]; twice {
				return nil, fmt.Errorf("header %s stands twice", Escape(k))
			}
			headers[k] = closed("headers."+k, v, false)
		}
		pin["headers"] = headers
		if !s.HeadersHelper.IsZero() {
			pin["headersHelper"] = open("headersHelper", s.HeadersHelper, secretLooking(s.HeadersHelper))
		}
	}
	if s.OAuth != nil {
		pin["oauth"] = st.hideSecrets("oauth", s.OAuth)
	}
	extra := map[string]any{}
	for k, v := range s.Extra {
		if !operational(k) {
			extra[k] = st.hideSecrets(k, v)
		}
	}
	if len(extra) > 0 {
		pin["extra"] = extra
	}
	if e := s.Evidence; e.Executable != "" || e.SHA256 != "" || e.Image != "" || len(e.Files) > 0 {
		pin["evidence"] = map[string]any{"executable": e.Executable, "sha256": e.SHA256, "image": e.Image, "files": e.Files}
	}
	b, err := json.Marshal(pin)
	if err != nil {
		return nil, err
	}
	return canonicalJSON(b)
}

// hideSecrets keeps an unknown field as written, unless a name or a text in it
// looks like a secret: then only its keyed digest.
func (st *store) hideSecrets(name string, raw json.RawMessage) any {
	n, err := parseJSON(raw, false)
	if err == nil && !secretName(name) && !secretNode(&n) {
		return raw
	}
	return map[string]any{"mac": st.mac("extra/v1", name, string(raw))}
}

func secretNode(n *node) bool {
	if n.kind == kindString && secretText(n.text) {
		return true
	}
	for i := range n.list {
		if secretNode(&n.list[i]) {
			return true
		}
	}
	for i := range n.obj {
		m := &n.obj[i]
		if secretName(m.key) && m.val.kind == kindString || secretNode(&m.val) {
			return true
		}
	}
	return false
}

func variableNames(v Value) string {
	var out []string
	for _, p := range v.parts {
		if p.name != "" {
			out = append(out, "${"+p.name+"}")
		}
	}
	return strings.Join(out, " ")
}

// loaderVariable reports an environment variable that decides which code runs,
// or where a program sends what it knows. Its value is part of the identity.
func loaderVariable(name string) bool {
	u := strings.ToUpper(name)
	switch u {
	case "PATH", "BASH_ENV", "ENV", "SHELL", "IFS", "NODE_OPTIONS", "NODE_PATH", "NODE_EXTRA_CA_CERTS", "PYTHONPATH", "PYTHONSTARTUP",
		"PYTHONHOME", "PYTHONUSERBASE", "PERL5LIB", "PERL5OPT", "PERLLIB", "RUBYOPT", "RUBYLIB", "GEM_PATH", "GEM_HOME", "JAVA_TOOL_OPTIONS",
		"_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH", "GOFLAGS", "GOPROXY", "CARGO_HOME", "RUSTC_WRAPPER", "DOTNET_STARTUP_HOOKS",
		"LUA_INIT", "PHPRC", "HOME", "XDG_CONFIG_HOME", "EDITOR", "VISUAL", "PAGER", "BROWSER", "DOCKER_HOST", "SSL_CERT_FILE", "SSL_CERT_DIR",
		"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "ELECTRON_RUN_AS_NODE", "NODE_TLS_REJECT_UNAUTHORIZED":
		return true
	}
	for _, p := range [...]string{"LD_", "DYLD_", "GIT_", "NPM_CONFIG_", "PIP_", "BASH_FUNC_", "GCONV_"} {
		if strings.HasPrefix(u, p) {
			return true
		}
	}
	return strings.HasSuffix(u, "_BASE_URL") || strings.HasSuffix(u, "_INDEX_URL")
}

// differences compares two pins field by field. Both are canonical JSON.
// hides says that they are pins of servers, in which a keyed digest stands for
// what must not be shown; in what a server sent, nothing does.
func differences(old, current json.RawMessage, hides bool) ([]Change, error) {
	a, err := parseJSON(old, false)
	if err != nil {
		return nil, err
	}
	b, err := parseJSON(current, false)
	if err != nil {
		return nil, err
	}
	d := differ{hides: hides}
	d.nodes("", &a, &b)
	return d.out, nil
}

type differ struct {
	out   []Change
	hides bool
}

func (d *differ) nodes(field string, a, b *node) {
	join := func(key string) string {
		if field == "" {
			return Escape(key)
		}
		return field + "." + Escape(key)
	}
	switch {
	case a != nil && b != nil && a.kind == b.kind && a.kind == kindObject && !d.hidden(a) && !d.hidden(b):
		for i := range a.obj {
			d.nodes(join(a.obj[i].key), &a.obj[i].val, b.get(a.obj[i].key))
		}
		for i := range b.obj {
			if a.get(b.obj[i].key) == nil {
				d.nodes(join(b.obj[i].key), nil, &b.obj[i].val)
			}
		}
	case a != nil && b != nil && a.kind == kindArray && b.kind == kindArray:
		for i := range max(len(a.list), len(b.list)) {
			var x, y *node
			if i < len(a.list) {
				x = &a.list[i]
			}
			if i < len(b.list) {
				y = &b.list[i]
			}
			d.nodes(fmt.Sprintf("%s[%d]", field, i), x, y)
		}
	default:
		x, y := canonicalText(a), canonicalText(b)
		if x != y {
			d.out = append(d.out, Change{Field: field, Old: d.shown(a), New: d.shown(b)})
		}
	}
}

func canonicalText(n *node) string {
	if n == nil {
		return ""
	}
	b, err := n.canonical(nil)
	if err != nil {
		return "?" + err.Error()
	}
	return string(b)
}

// hidden reports the keyed digest of a value, as [store.serverPin] writes it. A
// property or variable that is called mac is none.
func (d *differ) hidden(n *node) bool {
	mac, text := n.get("mac"), n.get("text")
	return d.hides && mac != nil && mac.kind == kindString && len(mac.text) == 43 &&
		(len(n.obj) == 1 || len(n.obj) == 2 && text != nil && text.kind == kindString)
}

// shown is the text of a pinned value for a person.
func (d *differ) shown(n *node) string {
	switch {
	case n == nil:
		return ""
	case n.kind == kindString:
		return quote(n.text)
	case d.hidden(n):
		if t := n.get("text"); t != nil {
			return quote(t.text) + " (value hidden)"
		}
		return "(hidden)"
	}
	return Escape(canonicalText(n))
}

// quote escapes and quotes, so that blanks at the ends are seen.
func quote(s string) string {
	return `"` + strings.ReplaceAll(Escape(s), `"`, `\"`) + `"`
}
