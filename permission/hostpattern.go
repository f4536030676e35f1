package permission

import (
	"errors"
	"strings"
)

// hostPattern is the HOST of WebFetch(domain:HOST).
type hostPattern struct {
	any    bool
	sub    string   // "*.example.com": any depth below example.com
	labels []string // a star stays within its label
}

var errHost = errors.New("not a host pattern: a host name, *.host, or * inside a label")

// compileHostPattern reads a host pattern: case-insensitive, one trailing dot
// ignored; a leading "*." is any depth below, a star elsewhere stays within
// its label, "*" alone is every host.
func compileHostPattern(s string) (hostPattern, error) {
	s = canonicalHost(strings.TrimSpace(s))
	if s == "*" {
		return hostPattern{any: true}, nil
	}
	if s == "" || strings.ContainsAny(s, "/@#? \t") || strings.Contains(s, "..") {
		return hostPattern{}, errHost
	}
	if rest, ok := strings.CutPrefix(s, "*."); ok {
		if rest == "" || strings.Contains(rest, "*") {
			return hostPattern{}, errHost
		}
		return hostPattern{sub: "." + rest}, nil
	}
	return hostPattern{labels: strings.Split(s, ".")}, nil
}

// canonicalHost lower-cases a host and strips one trailing dot.
func canonicalHost(s string) string { return strings.TrimSuffix(strings.ToLower(s), ".") }

func (p *hostPattern) matches(host string) bool {
	if host == "" {
		return false
	}
	switch {
	case p.any:
		return true
	case p.sub != "":
		return strings.HasSuffix(host, p.sub) && len(host) > len(p.sub)
	}
	for _, want := range p.labels {
		label, rest, more := strings.Cut(host, ".")
		if label == "" || !globMatch(strings.Split(want, "*"), label) {
			return false
		}
		host = rest
		if !more {
			host = ""
		}
	}
	return host == "" && p.labels != nil
}
