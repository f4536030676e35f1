package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// hostRule is one line of Network.Hosts.
type hostRule struct {
	name string // lower case, without "*."
	sub  bool   // sub-domains only
	port string // "" for 80 and 443
}

func parseHosts(list []string) ([]hostRule, error) {
	var out []hostRule
	for _, text := range list {
		r := hostRule{name: strings.ToLower(text)}
		if host, port, err := net.SplitHostPort(r.name); err == nil {
			if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
				return nil, fmt.Errorf("host %q: bad port", text)
			}
			r.name, r.port = host, port
		} else if strings.HasPrefix(r.name, "[") {
			r.name = strings.TrimSuffix(strings.TrimPrefix(r.name, "["), "]")
		}
		if rest, ok := strings.CutPrefix(r.name, "*."); ok {
			r.name, r.sub = rest, true
		}
		r.name = strings.TrimSuffix(r.name, ".")
		if r.name == "" || strings.ContainsAny(r.name, "*/@ \t\r\n\x00%?#\\") {
			return nil, fmt.Errorf("host %q: want \"host\", \"*.domain\", each with an optional \":port\"", text)
		}
		if _, err := netip.ParseAddr(r.name); err != nil && strings.Contains(r.name, ":") || err == nil && r.sub {
			return nil, fmt.Errorf("host %q: want a name or an address", text)
		}
		out = append(out, r)
	}
	return out, nil
}

// proxy is an HTTP proxy that reaches named hosts only. It decides on the name
// that is asked for; what is said inside TLS it does not see.
type proxy struct {
	rules   []hostRule
	private bool
	server  *http.Server
	client  *http.Transport
	mu      sync.Mutex
	conns   map[net.Conn]bool
	closed  bool
}

func newProxy(n Network) (*proxy, error) {
	rules, err := parseHosts(n.Hosts)
	if err != nil {
		return nil, err
	}
	p := &proxy{rules: rules, private: n.Private, conns: map[net.Conn]bool{}}
	p.client = &http.Transport{DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) { return p.dial(ctx, addr) },
		DisableKeepAlives: true, ResponseHeaderTimeout: time.Minute}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 30 * time.Second, MaxHeaderBytes: 1 << 16}
	return p, nil
}

func (p *proxy) serve(l net.Listener) { _ = p.server.Serve(l) }

// close ends the proxy and every connection through it.
func (p *proxy) close(l net.Listener) {
	_ = p.server.Close()
	_ = l.Close()
	p.client.CloseIdleConnections()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for c := range p.conns {
		_ = c.Close()
	}
}

// keep notes a connection to be closed at the end.
func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.Close()
		return false
	}
	p.conns[c] = true
	return true
}

func (p *proxy) drop(c net.Conn) {
	c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// allows tells whether a host and port are named.
func (p *proxy) allows(host, port string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for _, r := range p.rules {
		if r.port != port && (r.port != "" || port != "80" && port != "443") {
			continue
		}
		if r.sub && strings.HasSuffix(host, "."+r.name) || !r.sub && host == r.name {
			return true
		}
	}
	return false
}

var errHost = errors.New("this host is not in the list of the sandbox")

// dial resolves a named host and connects to an address that was looked at.
func (p *proxy) dial(ctx context.Context, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if !p.allows(host, port) {
		return nil, fmt.Errorf("%s: %w", addr, errHost)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	list, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	err = fmt.Errorf("%s: no address", addr)
	for _, ip := range list {
		ip = ip.Unmap()
		if !p.private && !public(ip) {
			err = fmt.Errorf("%s: %w: its address %s is not a public one", addr, errHost, ip)
			continue
		}
		var c net.Conn
		var d net.Dialer
		if c, err = d.DialContext(ctx, "tcp", net.JoinHostPort(ip.String(), port)); err == nil {
			return c, nil
		}
	}
	return nil, err
}

// notPublic are the blocks that netip's own questions leave out (RFC 6890,
// RFC 6598, RFC 6052 and 3056, which carry an IPv4 address inside).
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"),
}

func public(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
		return false
	}
	for _, b := range notPublic {
		if b.Contains(ip) {
			return false
		}
	}
	return true
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := func(err error) {
		code := http.StatusBadGateway
		if errors.Is(err, errHost) {
			code = http.StatusForbidden
		}
		http.Error(w, "sandbox: "+err.Error(), code)
	}
	if r.Method != http.MethodConnect {
		if r.URL.Scheme != "http" || r.URL.Host == "" {
			http.Error(w, "sandbox: this is a proxy", http.StatusBadRequest)
			return
		}
		out := r.Clone(r.Context())
		out.RequestURI = ""
		out.Host = r.URL.Host // not a name of the client's choice
		for _, h := range []string{"Connection", "Proxy-Connection", "Proxy-Authorization", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade"} {
			out.Header.Del(h)
		}
		resp, err := p.client.RoundTrip(out)
		if err != nil {
			refuse(err)
			return
		}
		defer resp.Body.Close()
		for k, v := range resp.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
		return
	}
	up, err := p.dial(r.Context(), r.Host)
	if err != nil {
		refuse(err)
		return
	}
	if !p.keep(up) {
		return
	}
	defer p.drop(up)
	down, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		refuse(err)
		return
	}
	if !p.keep(down) {
		return
	}
	defer p.drop(down)
	if _, err := io.WriteString(down, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(up, buffered)
		if t, ok := up.(*net.TCPConn); ok {
			_ = t.CloseWrite()
		}
	}()
	_, _ = io.Copy(down, up)
	if t, ok := down.(*net.TCPConn); ok {
		_ = t.CloseWrite()
	}
	// One side may still speak; close ends that.
	<-done
}
