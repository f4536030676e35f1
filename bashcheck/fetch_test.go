package bashcheck

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPlainGet(t *testing.T) {
	plain := func(src string) (bool, string) {
		r := Analyze(src)
		assert.False(t, r.ReadOnly(), src)
		for _, e := range r.Effects() {
			if e.PlainGet {
				return true, e.URL
			}
		}
		return false, ""
	}
	for _, src := range []string{
		"curl -q 'https://example.com/a?b=c'", "curl --disable -sS https://example.com/", "curl -q -fsS -m 10 'https://example.com/x'", "curl -q -o out.html https://example.com/",
		"wget --no-config --no-netrc --no-hsts --max-redirect=0 -q -O - https://example.com/", "curl -q https://example.com:8443/",
	} {
		ok, url := plain(src)
		assert.True(t, ok, src)
		assert.Contains(t, url, "https://example.com", src)
	}
	for _, src := range []string{
		"curl https://example.com", "curl -s -q https://example.com", "curl -q -L https://example.com", "curl -q -X POST https://example.com", "curl -q -d x https://example.com",
		"curl -q -d @f https://example.com", "curl -q -H 'A: b' https://example.com", "curl -q -b c https://example.com", "curl -q -K f https://example.com", "curl -q -x p:1 https://example.com",
		"curl -q --resolve a:1:2 https://a", "curl -q -u a:b https://example.com", "curl -q https://u:p@example.com", "curl -q 'https://example.com/{a,b}'", "curl -q https://example.com/a?b=c", "curl -q 'https://example.com/[1-3]'",
		"curl -q https://$h/", "curl -q https://example.com/$(id)", "curl -q ftp://example.com/", "curl -q example.com", "curl -q file:///etc/passwd", "curl -q -T f https://example.com",
		"curl -q --next https://example.com", "curl -q -sSfd x https://example.com", "curl -q --data=x https://example.com", "curl -q -n https://example.com", "curl -q --proto-default http x.com",
		"curl -q -I https://example.com", "curl -q --unix-socket /s https://example.com", "curl -q --interface eth0 https://example.com", "curl -q -o '#1' https://example.com", "curl -q 'https://example.com/a b'",
		"wget -q https://example.com", "wget --no-config -O - https://example.com", "wget --no-config --no-netrc --no-hsts --max-redirect=0 --post-data=x https://example.com",
		"wget --no-config --no-netrc --no-hsts --max-redirect=5 https://example.com", "https_proxy=http://p curl -q -L https://example.com", "curl",
	} {
		ok, _ := plain(src)
		assert.False(t, ok, src)
	}
}
