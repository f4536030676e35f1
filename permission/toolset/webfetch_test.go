package toolset_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/clearance-go/clearance/permission"
)

// TestWebFetchHosts: which host a URL is for, by RFC 3986 and by what browsers
// and curl make of it (https://url.spec.whatwg.org). Where readers differ, no
// allow rule speaks and every deny rule may. A rule names a host with all its
// ports: the documents know no port in it
// (https://code.claude.com/docs/en/permissions, "WebFetch").
func TestWebFetchHosts(t *testing.T) {
	const rule = "WebFetch(domain:example.com)"
	allow := newMachine(t, "true", `"allow":["`+rule+`","WebFetch(domain:xn--bcher-kva.example)","WebFetch(domain:[2001:db8::1])","WebFetch(domain:127.0.0.1)"]`)
	deny := newMachine(t, "true", `"allow":["WebFetch"],"deny":["`+rule+`","WebFetch(domain:xn--bcher-kva.example)","WebFetch(domain:[2001:db8::1])","WebFetch(domain:127.0.0.1)"]`)
	for name, c := range map[string]struct {
		url                string
		allowed, forbidden permission.Verdict
	}{
		"the host":                   {"https://example.com/", permission.Allow, permission.Deny},
		"plain http":                 {"http://example.com/", permission.Allow, permission.Deny},
		"no scheme":                  {"example.com/a", permission.Allow, permission.Deny},
		"upper case":                 {"HTTPS://EXAMPLE.COM/", permission.Allow, permission.Deny},
		"a trailing dot":             {"https://example.com./", permission.Allow, permission.Deny},
		"a port":                     {"https://example.com:8443/", permission.Allow, permission.Deny},
		"a port of its own scheme":   {"https://example.com:443/", permission.Allow, permission.Deny},
		"userinfo before the host":   {"https://user:pw@example.com/", permission.Allow, permission.Deny},
		"the host as userinfo":       {"https://example.com@evil.example/", permission.Ask, permission.Allow},
		"with a password":            {"https://example.com:443@evil.example/", permission.Ask, permission.Allow},
		"an escaped slash":           {"https://example.com%2f@evil.example/", permission.Ask, permission.Allow},
		"another as userinfo":        {"https://evil.example@example.com/", permission.Allow, permission.Deny},
		"in the fragment":            {"https://evil.example/#@example.com/", permission.Ask, permission.Allow},
		"in the query":               {"https://evil.example?@example.com/", permission.Ask, permission.Allow},
		"a fragment right behind":    {"https://example.com#@evil.example/", permission.Allow, permission.Deny},
		"a longer name":              {"https://example.com.evil.example/", permission.Ask, permission.Allow},
		"a prefix":                   {"https://notexample.com/", permission.Ask, permission.Allow},
		"a sub-domain":               {"https://www.example.com/", permission.Ask, permission.Allow},
		"punycode":                   {"https://xn--bcher-kva.example/", permission.Allow, permission.Deny},
		"punycode in upper case":     {"https://XN--BCHER-KVA.example/", permission.Allow, permission.Deny},
		"IPv6":                       {"https://[2001:db8::1]/", permission.Allow, permission.Deny},
		"IPv6 in full":               {"https://[2001:0DB8:0:0:0:0:0:1]:8080/", permission.Allow, permission.Deny},
		"IPv4":                       {"http://127.0.0.1:3000/", permission.Allow, permission.Deny},
		"IPv4 as a number":           {"http://2130706433/", permission.Allow, permission.Deny},
		"IPv4 in hexadecimal":        {"http://0x7f000001/", permission.Allow, permission.Deny},
		"IPv4, short":                {"http://127.1/", permission.Allow, permission.Deny},
		"IPv4 in octal":              {"http://0177.0.0.1/", permission.Allow, permission.Deny},
		"IPv4 in IPv6":               {"http://[::ffff:127.0.0.1]/", permission.Allow, permission.Deny},
		"letters outside ASCII":      {"https://bücher.example/", permission.Ask, permission.Ask},
		"another full stop":          {"https://example\u3002com/", permission.Ask, permission.Ask},
		"full-width letters":         {"https://ｅxample.com/", permission.Ask, permission.Ask},
		"a soft hyphen":              {"https://exam\u00adple.com/", permission.Ask, permission.Ask},
		"a backslash":                {`https://evil.example\@example.com/`, permission.Ask, permission.Ask},
		"backslashes for slashes":    {`https:\\example.com/`, permission.Ask, permission.Ask},
		"a tab inside":               {"https://exam\tple.com/", permission.Ask, permission.Ask},
		"a line end inside":          {"https://exam\nple.com/", permission.Ask, permission.Ask},
		"a blank before":             {" https://example.com/", permission.Ask, permission.Ask},
		"a NUL":                      {"https://example.com\x00.evil.example/", permission.Ask, permission.Ask},
		"an escaped letter":          {"https://%65xample.com/", permission.Ask, permission.Ask},
		"an escaped dot":             {"https://example%2ecom/", permission.Ask, permission.Ask},
		"no slashes":                 {"https:example.com", permission.Ask, permission.Ask},
		"three slashes":              {"https:///example.com/", permission.Ask, permission.Ask},
		"no host":                    {"https:///", permission.Ask, permission.Ask},
		"another scheme":             {"ftp://example.com/", permission.Ask, permission.Ask},
		"a scheme around":            {"view-source:https://example.com/", permission.Ask, permission.Ask},
		"a file":                     {"file:///etc/passwd", permission.Ask, permission.Ask},
		"a port that is none":        {"https://example.com:x/", permission.Ask, permission.Ask},
		"a port that is too large":   {"https://example.com:99999/", permission.Ask, permission.Ask},
		"a zone of IPv6":             {"https://[fe80::1%25eth0]/", permission.Ask, permission.Ask},
		"a number that is too large": {"http://4294967296/", permission.Ask, permission.Ask},
	} {
		input := map[string]any{"url": c.url, "prompt": "x"}
		d, ins := allow.decide(t, permission.ModeDefault, "WebFetch", input)
		assert.Equal(t, c.allowed, d.Verdict, "%s: %s: %s", name, c.url, d.Text())
		_, err := json.Marshal(ins)
		assert.NoError(t, err)
		for _, mode := range []permission.Mode{permission.ModeDefault, permission.ModeBypass} {
			d, _ = deny.decide(t, mode, "WebFetch", input)
			assert.Equal(t, c.forbidden, d.Verdict, "%s under a deny rule in %s: %s: %s", name, mode, c.url, d.Text())
		}
	}
}

// TestUnreadableInputMeetsDenyRules: what cannot be inspected may be what a rule
// denies, and bypassing prompts is no answer to that.
func TestUnreadableInputMeetsDenyRules(t *testing.T) {
	m := newMachine(t, "echo SECRET > .env", `"deny":["Read(.env)","Bash(rm *)","WebFetch(domain:evil.example)"]`)
	free := newMachine(t, "true", "")
	for _, c := range []struct{ tool, input string }{
		{"Read", `{"file_path":"a.txt","file_path":".env"}`}, {"Read", `{"file_path":"a.txt","File_Path":".env"}`}, {"Read", `{"file_path":"~/proj/.env"}`}, {"Read", `{"file_path":[".env"]}`}, {"Write", `{"file_path":"a","file_path":".env"}`},
		{"Bash", `{"command":"ls","command":"rm x"}`}, {"Bash", `{"command":["rm","x"]}`}, {"WebFetch", `{"url":"https://a.example","url":"https://evil.example"}`}, {"Grep", `{"pattern":"x","path":"~/proj"}`}, {"Edit", `{"file_path":null}x`},
	} {
		st := permission.State{Mode: permission.ModeBypass, Dir: m.dir}
		call := permission.Call{Tool: c.tool, Input: json.RawMessage(c.input), Dir: m.dir}
		ins, _ := m.eval.Inspect(t.Context(), st, call)
		d := m.eval.Decide(st, call, ins)
		assert.Equal(t, permission.Ask, d.Verdict, "%s %s: %s", c.tool, c.input, d.Text())
		assert.Equal(t, permission.ByPerson, d.Asked, "%s %s", c.tool, c.input)
		st.Dir, call.Dir = free.dir, free.dir
		ins, _ = free.eval.Inspect(t.Context(), st, call)
		assert.Equal(t, permission.Allow, free.eval.Decide(st, call, ins).Verdict, "with no rule, the mode settles it")
	}
}
