package permission

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// hostPattern is the HOST of WebFetch(domain:HOST). It means the host with every
// port: the grammar knows none, and an approval of a server on a port of this
// machine could not be saved otherwise. The sandbox settings name ports.
type hostPattern struct {
	any    bool
	sub    string   // "*.example.com": any depth below example.com
	labels []string // a star stays within its label
	// address says that the only label is an IP address in canonical form.
	address bool
}

var (
	errHost      = errors.New("not a host pattern: a host name, *.host, or * inside a label, without scheme, port or path")
	errHostASCII = errors.New("a host name stands here in its ASCII form (xn--…)")
)

// compileHostPattern reads a host pattern: case-insensitive, one trailing dot
// ignored; a leading "*." is any depth below, a star elsewhere stays within
// its label, "*" alone is every host.
func compileHostPattern(s string) (hostPattern, error) {
	s = canonicalHost(strings.TrimSpace(s))
	if s == "*" {
		return hostPattern{any: true}, nil
	}
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s = s[1 : len(s)-1]
	}
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return hostPattern{labels: []string{addr.Unmap().String()}, address: true}, nil
	}
	if s == "" || strings.ContainsAny(s, "/@#?:[]\\ \t,;()\"'") || strings.Contains(s, "..") || strings.HasPrefix(s, ".") {
		return hostPattern{}, errHost
	}
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 || s[i] < ' ' {
			return hostPattern{}, errHostASCII
		}
	}
	if rest, ok := strings.CutPrefix(s, "*."); ok {
		if rest == "" || strings.Contains(rest, "*") {
			return hostPattern{}, errHost
		}
		return hostPattern{sub: "." + rest}, nil
	}
	return hostPattern{labels: strings.Split(s, ".")}, nil
}

// String writes the pattern so that it reads back as the same.
func (p *hostPattern) String() string {
	switch {
	case p.any:
		return "*"
	case p.sub != "":
		return "*" + p.sub
	case p.address && strings.Contains(p.labels[0], ":"):
		return "[" + p.labels[0] + "]"
	}
	return strings.Join(p.labels, ".")
}

// exact says that the pattern names one host.
func (p *hostPattern) exact() bool {
	return !p.any && p.sub == "" && p.labels != nil && !strings.Contains(strings.Join(p.labels, ""), "*")
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
	case p.address:
		return host == p.labels[0] || hostAddress(host) == p.labels[0]
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

// urlHost returns the host in what stands for a whole one: an address without
// port and path. "" is none.
func urlHost(s string) string {
	for _, scheme := range []string{"https://", "http://"} {
		if rest, ok := strings.CutPrefix(s, scheme); ok {
			s = rest
			break
		}
	}
	host, rest, _ := strings.Cut(s, "/")
	if strings.Trim(rest, "*") != "" || strings.Contains(host, ":") || !strings.Contains(host, ".") && host != "localhost" {
		return ""
	}
	return host
}

// hostAddress returns the canonical form of an IP address in any of the
// spellings that system resolvers take (127.1, 0x7f000001, ::ffff:127.0.0.1),
// or "" where host is a name.
func hostAddress(host string) string {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.WithZone("").Unmap().String()
	}
	if host == "" || host[0] < '0' || host[0] > '9' {
		return ""
	}
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return ""
	}
	var v uint64
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 0, 32)
		if err != nil || strings.ContainsAny(part, "_oObB") {
			return ""
		}
		if i < len(parts)-1 {
			if n > 255 {
				return ""
			}
			v |= n << (8 * (3 - i))
			continue
		}
		if n >= 1<<(8*(5-len(parts))) {
			return ""
		}
		v |= n
	}
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}).String()
}
