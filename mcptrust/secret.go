package mcptrust

import "strings"

// secretName reports whether a variable, flag, header or key is named like a
// credential (the name parts listed in the MCP documentation of Claude Code).
func secretName(name string) bool {
	for _, w := range strings.FieldsFunc(strings.ToUpper(splitCamel(name)), func(r rune) bool {
		return !(r >= 'A' && r <= 'Z' || r >= '0' && r <= '9')
	}) {
		switch w {
		case "TOKEN", "TOKENS", "SECRET", "SECRETS", "PASSWORD", "PASSWD", "PASSPHRASE", "PWD", "PASS", "KEY", "APIKEY",
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
