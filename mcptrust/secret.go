package mcptrust

import (
	"net/url"
	"strings"
)

// secretName reports whether a variable, flag, header or key is named like a
// credential (the name parts listed in the MCP documentation of Claude Code).
func secretName(name string) bool {
	for _, w := range strings.FieldsFunc(strings.ToUpper(splitCamel(name)), func(r rune) bool {
		return !(r >= 'A' && r <= 'Z' || r >= '0' && r <= '9')
	}) {
		switch w {
		case "TOKEN", "TOKENS", "SECRET", "SECRETS", "PASSWORD", "PASSWD", "PASSPHRASE", "PASS", "KEY", "APIKEY",
			"AUTH", "AUTHORIZATION", "COOKIE", "PAT", "DSN", "CREDENTIAL", "CREDENTIALS", "BEARER", "SIGNATURE", "SIG":
			return true
		}
	}
	return false
}

func splitCamel(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if i > 0 && s[i] >= 'A' && s[i] <= 'Z' && s[i-1] >= 'a' && s[i-1] <= 'z' {
			b.WriteByte('_')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// secretLooking reports whether literal text in a value looks like a secret.
func secretLooking(v Value) bool {
	for _, p := range v.parts {
		if secretText(p.literal) || secretText(p.fallback) {
			return true
		}
	}
	return false
}

// secretText reports text with the shape of a credential: a published prefix,
// a named assignment (--token=…, KEY=…), or user information in a URL.
func secretText(s string) bool {
	for _, p := range [...]string{"ghp_", "gho_", "ghs_", "ghu_", "github_pat_", "glpat-", "sk-", "sk_live_", "rk_live_", "xoxb-", "xoxp-", "xapp-",
		"AKIA", "ASIA", "AIza", "npm_", "pypi-", "hf_", "eyJhbGci", "Bearer ", "Basic ", "-----BEGIN"} {
		for rest := s; ; {
			i := strings.Index(rest, p)
			if i < 0 {
				break
			}
			if before := i == 0 || !alphanumeric(rest[i-1]); before && len(rest) >= i+len(p)+8 {
				return true
			}
			rest = rest[i+len(p):]
		}
	}
	if name, value, ok := strings.Cut(s, "="); ok && value != "" && !strings.ContainsAny(name, "/?&: ") && secretName(name) {
		return true
	}
	if strings.Contains(s, "://") {
		if u, err := url.Parse(s); err == nil {
			_, password := u.User.Password()
			return password || secretQuery(u.RawQuery)
		}
		return strings.Contains(s, "@")
	}
	return false
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func secretQuery(raw string) bool {
	for _, kv := range strings.FieldsFunc(raw, func(r rune) bool { return r == '&' || r == ';' }) {
		if k, v, _ := strings.Cut(kv, "="); v != "" && secretName(k) {
			return true
		}
	}
	return false
}
