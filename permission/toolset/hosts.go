package toolset

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// hostOf returns the host that a client connects to for an http URL.
func hostOf(raw string) (string, uint16, error) {
	if strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
		return "", 0, errors.New("the URL holds a blank, a backslash or a control character")
	}
	if !strings.Contains(raw, "://") {
		raw = "https://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", 0, errors.New("the URL cannot be read")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", 0, fmt.Errorf("the URL's scheme is %q, not http or https", u.Scheme)
	}
	host, err := canonicalHost(u.Hostname())
	if err != nil {
		return "", 0, err
	}
	p := u.Port()
	if p == "" {
		return host, 0, nil
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if err != nil || n == 0 {
		return "", 0, errors.New("the URL's port is not a number from 1 to 65535")
	}
	return host, uint16(n), nil
}

// canonicalHost returns the one spelling of a host that rules are matched
// against: lower case, without a trailing dot, an address in its usual form.
// Names outside ASCII are refused, because clients turn several of them into
// the same host.
func canonicalHost(s string) (string, error) {
	s = strings.TrimSuffix(strings.ToLower(s), ".")
	s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	if s == "" {
		return "", errors.New("the URL names no host")
	}
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return "", errors.New("the host is not written in ASCII: write its xn-- form")
		}
		if c := s[i]; c <= ' ' || c == 0x7f || c == '%' || c == '*' || c == '/' || c == '@' {
			return "", fmt.Errorf("the host holds %q", c)
		}
	}
	if strings.Contains(s, ":") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return "", errors.New("the host is no name and no address")
		}
		return a.Unmap().String(), nil
	}
	last := s[strings.LastIndexByte(s, '.')+1:]
	if last == "" || last[0] < '0' || last[0] > '9' {
		return s, nil
	}
	// A name whose last label is a number is an IPv4 address, in one of the
	// forms of inet_aton(3): parts in decimal, octal or hexadecimal, the last
	// one filling the rest.
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return "", errors.New("the host is no name and no address")
	}
	var addr uint64
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 0, 32)
		if err != nil || strings.ContainsAny(p, "_bo") && !strings.HasPrefix(p, "0x") {
			return "", errors.New("the host is no name and no address")
		}
		if i < len(parts)-1 {
			if v > 255 {
				return "", errors.New("the host is no name and no address")
			}
			addr |= v << (24 - 8*i)
			continue
		}
		if v >= 1<<(32-8*i) {
			return "", errors.New("the host is no name and no address")
		}
		addr |= v
	}
	return netip.AddrFrom4([4]byte{byte(addr >> 24), byte(addr >> 16), byte(addr >> 8), byte(addr)}).String(), nil
}
