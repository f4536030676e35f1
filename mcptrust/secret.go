package mcptrust

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// secretName reports whether a variable, flag, header or key is named like a
// credential (the name parts listed in the MCP documentation of Claude Code).
func secretName(name string) bool {
	return slices.ContainsFunc(secretWords(name), func(w string) bool {
		switch w {
		case "TOKENS", "PASS", "AUTH", "AUTHORIZATION", "COOKIE", "BEARER", "SIGNATURE", "SIG", "JWT":
			return true
		}
		return credentialWord(w)
	}) || strings.HasSuffix(strings.ToUpper(name), "_PWD")
}

// credentialName reports a name whose last word is a credential, and nothing
// before it says that it is a switch or a limit: API_TOKEN, not REQUIRE_AUTH,
// MAX_TOKENS or VERIFY_KEY.
func credentialName(name string) bool {
	words := secretWords(name)
	if len(words) == 0 || !credentialWord(words[len(words)-1]) {
		return false
	}
	return !slices.ContainsFunc(words, func(w string) bool {
		switch w {
		case "REQUIRE", "REQUIRED", "ENABLE", "ENABLED", "ENFORCE", "FORCE", "CHECK", "VERIFY", "VALIDATE", "USE", "NEED", "NEEDS", "ONLY",
			"MAX", "MIN", "LIMIT", "ALLOWED", "DISABLE", "DISABLED", "NO", "BLOCK", "DENY", "DENIED", "MASK", "HIDE", "REDACT", "PUBLIC":
			return true
		}
		return false
	})
}

func secretWords(name string) []string {
	return strings.FieldsFunc(strings.ToUpper(splitCamel(name)), func(r rune) bool {
		return !(r >= 'A' && r <= 'Z' || r >= '0' && r <= '9')
	})
}

// credentialWord reports a word that means a credential, also where others run
// into it: PGPASSWORD, GITHUBTOKEN.
func credentialWord(w string) bool {
	switch w {
	case "KEY", "PAT", "DSN", "CREDENTIAL", "CREDENTIALS", "CREDS", "SECRETS", "ACCESSKEY", "PRIVATEKEY":
		return true
	}
	for _, end := range [...]string{"TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "APIKEY", "SECRETKEY"} {
		if strings.HasSuffix(w, end) {
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
	if m := reSecretHeader.FindStringSubmatch(s); m != nil && secretName(m[1]) {
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

// The places of a secret in a text. A secret ends where a shell or JSON would
// end a word, so that no more than one word is ever hidden.
var (
	reSecretHeader = regexp.MustCompile(`\A([A-Za-z][A-Za-z0-9_-]*):[ \t]*[A-Za-z0-9_.+/=~-]{8,}\z`)
	reSecretMember = regexp.MustCompile(`("([A-Za-z0-9_.-]+)"[ \t]*:[ \t]*)"(?:[^"\\]|\\.)+"`)
	reSecretAssign = regexp.MustCompile(`([A-Za-z0-9_.-]+)(=|:[ \t]*)([A-Za-z0-9_.+/=~@%^!#-]+)`)
	reSecretPrefix = regexp.MustCompile(`\b(ghp_|gho_|ghs_|ghu_|github_pat_|glpat-|sk-|sk_live_|rk_live_|xoxb-|xoxp-|xapp-|AKIA|ASIA|AIza|npm_|pypi-|hf_|eyJhbGci)[A-Za-z0-9_.+=~-]{8,}`)
	reSecretScheme = regexp.MustCompile(`\b(Bearer |Basic )[A-Za-z0-9_.+/=~-]{8,}`)
	reSecretPEM    = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----[A-Za-z0-9+/=\\\r\n]*`)
	reSecretUser   = regexp.MustCompile(`(://[^/\s:@"]*:)[^/\s@"]+@`)
)

// maskSecrets replaces what looks like a secret and leaves everything else to be
// read: a text must not disappear from a prompt because a secret stands in it.
func maskSecrets(s string) string {
	const mask = "(hidden)"
	named := func(re *regexp.Regexp, name int, put func(m []string) string) {
		s = re.ReplaceAllStringFunc(s, func(all string) string {
			if m := re.FindStringSubmatch(all); secretName(m[name]) {
				return put(m)
			}
			return all
		})
	}
	s = reSecretUser.ReplaceAllString(s, "${1}"+mask+"@")
	s = reSecretPEM.ReplaceAllString(s, "-----BEGIN PRIVATE KEY-----"+mask)
	named(reSecretMember, 2, func(m []string) string { return m[1] + `"` + mask + `"` })
	named(reSecretAssign, 1, func(m []string) string {
		if m[2] != "=" && len(m[3]) < 8 {
			return m[0]
		}
		return m[1] + m[2] + mask
	})
	s = reSecretScheme.ReplaceAllString(s, "${1}"+mask)
	return reSecretPrefix.ReplaceAllString(s, "${1}"+mask)
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
