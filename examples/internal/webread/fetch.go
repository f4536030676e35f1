package webread

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/html/charset"

	"github.com/clearance-go/clearance/mcptrust"
)

const (
	userAgent   = "clearance-webfetch/1.0"
	dialTime    = 10 * time.Second
	maxAttempts = 8    // addresses of a name that are tried
	maxShown    = 1000 // bytes of a URL in an error
)

// The errors that a caller may act on, beside *RedirectError.
var (
	// ErrAddress: the host is at an address that is not public.
	ErrAddress = errors.New("the address is not public")
	// ErrLimit: the page is over a limit.
	ErrLimit = errors.New("over a limit")
	// ErrTimeout: the page did not come in time.
	ErrTimeout = errors.New("timeout")
	// ErrContent: the page is of a kind that is not read.
	ErrContent = errors.New("not a page of text")
)

// FetchError is a page that was not read. Its text holds nothing that the
// server said. It wraps one of the errors above where one is the cause.
type FetchError struct {
	URL     string
	Problem string // in our words
	Status  int    // of HTTP, if that is the problem
	Err     error
}

// Error says what is wrong.
func (e *FetchError) Error() string {
	return "webread: " + show(e.URL) + " was not read: " + e.Problem
}

// Unwrap returns the cause.
func (e *FetchError) Unwrap() error { return e.Err }

// RedirectError is a page that points to another host or port. It was not
// followed: that needs a new call, and a new decision.
type RedirectError struct {
	// From and To are absolute https URLs. To was written by the server.
	From, To string
}

// Error says where to.
func (e *RedirectError) Error() string {
	return fmt.Sprintf("webread: %s redirects to another host, which was not followed. To follow it, fetch this URL, if it is one you want: %s", show(e.From), show(e.To))
}

func show(u string) string {
	if len(u) > maxShown {
		u, _ = bound(u, maxShown)
		u += "…"
	}
	return `"` + mcptrust.Escape(u) + `"`
}

// Page is the text of a page as a person would see it.
type Page struct {
	// URL is its address after redirects.
	URL string
	// Text is the title and the text, at most MaxText bytes of valid UTF-8.
	Text string
	// Hidden is what was dropped.
	Hidden Hidden
	// Cut says that Text is only the beginning.
	Cut bool
}

// Fetcher loads pages. The zero Fetcher is ready. It keeps no connection, no
// cookie and no state, and is safe for concurrent use.
type Fetcher struct {
	// Own is a server of this program on a loopback address, the only one that
	// may be read there, by http, if the URL names exactly this address and
	// port. Zero is none.
	Own netip.AddrPort
	// Timeout bounds a page with its redirects; 0 is FetchTime.
	Timeout time.Duration

	// For tests.
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	dialer func(ctx context.Context, network, address string) (net.Conn, error)
	roots  *x509.CertPool
}

// Fetch loads one page and returns its text. It does not ask anybody: use a
// Tool. Errors: *FetchError, *RedirectError and the context's.
func (f *Fetcher) Fetch(ctx context.Context, raw string) (Page, error) {
	u, err := parseURL(raw)
	if err != nil {
		return Page{}, err
	}
	limit := f.Timeout
	if limit == 0 {
		limit = FetchTime
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, ErrTimeout)
	defer cancel()
	transport := &http.Transport{
		// No Proxy: a proxy would dial for us, without the rule for addresses.
		DialContext:            f.dial,
		TLSClientConfig:        &tls.Config{RootCAs: f.roots, MinVersion: tls.VersionTLS12},
		DisableKeepAlives:      true,
		DisableCompression:     true, // see body
		MaxResponseHeaderBytes: MaxHeader,
	}
	defer transport.CloseIdleConnections()
	for hop := 0; ; hop++ {
		if u.Scheme == "http" && !f.own(u) {
			upgrade(u)
		}
		page, next, err := f.get(ctx, transport, u)
		if err != nil {
			return Page{}, f.explain(ctx, u, err)
		}
		if next == nil {
			return page, nil
		}
		if next.Scheme == "http" && !f.own(next) {
			upgrade(next)
		}
		if origin(next) != origin(u) {
			return Page{}, &RedirectError{From: u.String(), To: next.String()}
		}
		if hop == MaxRedirects {
			return Page{}, &FetchError{URL: u.String(), Problem: fmt.Sprintf("more than %d redirects", MaxRedirects), Err: ErrLimit}
		}
		u = next
	}
}

// parseURL reads an absolute http or https URL, strictly. What it accepts is
// what it sends: nothing in it has two readings.
func parseURL(raw string) (*url.URL, error) {
	fail := func(problem string) (*url.URL, error) {
		return nil, &FetchError{URL: raw, Problem: problem}
	}
	if len(raw) > MaxURL {
		return fail(fmt.Sprintf("the URL is longer than %d bytes", MaxURL))
	}
	if strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
		return fail("the URL holds a blank, a backslash or a control character")
	}
	if !strings.Contains(raw, "://") {
		raw = "https://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" {
		return fail("the URL cannot be read")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return fail("the URL is not http or https")
	}
	if u.User != nil {
		return fail("the URL holds a user name; a page is read without credentials")
	}
	host := canonicalHost(u)
	switch {
	case host == "" || strings.ContainsFunc(host, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_' || r == ':')
	}):
		return fail("the host is not a name in ASCII letters (xn--… for others) or an address")
	case strings.Contains(host, "..") || strings.HasPrefix(host, ".") || len(host) > 253:
		return fail("the host is not a name or an address")
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if strings.Contains(host, ":") || last[0] >= '0' && last[0] <= '9' {
		// 0x7f.1, 2130706433 and the like are addresses to some programs.
		if _, err := netip.ParseAddr(host); err != nil {
			return fail("the host is an address in an unusual form")
		}
	}
	if p := u.Port(); p != "" {
		if _, err := netip.ParseAddrPort("[::]:" + p); err != nil || p == "0" {
			return fail("the port is not a number from 1 to 65535")
		}
	}
	port := u.Port()
	u.Host, u.Fragment, u.RawFragment = host, "", ""
	if strings.Contains(host, ":") {
		u.Host = "[" + host + "]"
	}
	if port != "" && !(port == "443" && u.Scheme == "https") && !(port == "80" && u.Scheme == "http") {
		u.Host += ":" + port
	}
	if u.Path == "" {
		u.Path = "/"
	}
	u.RawQuery = escapeQuery(u.RawQuery)
	return u, nil
}

// escapeQuery writes the bytes of a query that are no plain ASCII as %XX.
func escapeQuery(q string) string {
	var b strings.Builder
	for i := range len(q) {
		if c := q[i]; c >= 0x80 || c == '"' || c == '<' || c == '>' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// canonicalHost is a URL's host in lower case, without a trailing dot, an
// address in its usual form.
func canonicalHost(u *url.URL) string {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().String()
	}
	return host
}

// upgrade turns an http URL into an https one.
func upgrade(u *url.URL) { u.Scheme = "https" }

// own says whether a URL is of this program's own server.
func (f *Fetcher) own(u *url.URL) bool {
	return f.Own.IsValid() && f.Own.Addr().IsLoopback() && u.Host == f.Own.String()
}

func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// refusedAddress is an address that the rule refuses.
type refusedAddress struct{ err error }

func (e *refusedAddress) Error() string { return e.err.Error() }

// may is the rule for an address that is about to be dialled.
func (f *Fetcher) may(a netip.AddrPort) error {
	if f.Own.IsValid() && f.Own.Addr().IsLoopback() && a == f.Own {
		return nil
	}
	if err := Public(a.Addr()); err != nil {
		return &refusedAddress{err}
	}
	return nil
}

// dial resolves a host and connects to one of its public addresses. The address
// that is checked is the one that is dialled; the socket checks it once more.
func (f *Fetcher) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	at, err := netip.ParseAddrPort("[::]:" + portText)
	if err != nil {
		return nil, err
	}
	var list []netip.Addr
	literal := false
	if a, err := netip.ParseAddr(host); err == nil {
		list, literal = []netip.Addr{a}, true
	} else if list, err = f.resolve(ctx, host); err != nil {
		return nil, err
	}
	if len(list) > maxAttempts {
		list = list[:maxAttempts]
	}
	last := errors.New("the name has no address")
	for _, a := range list {
		to := netip.AddrPortFrom(a.Unmap(), at.Port())
		// A name that leads to our own server is somebody else's name.
		if err := f.may(to); err != nil || !literal && to == f.Own {
			if err == nil {
				err = &refusedAddress{Public(to.Addr())}
			}
			var refused *refusedAddress
			if !errors.As(last, &refused) {
				last = err
			}
			continue
		}
		conn, err := f.connect(ctx, to)
		if err == nil {
			return conn, nil
		}
		if last = err; ctx.Err() != nil {
			break
		}
	}
	return nil, last
}

func (f *Fetcher) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if f.lookup != nil {
		return f.lookup(ctx, host)
	}
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

func (f *Fetcher) connect(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	if f.dialer != nil {
		return f.dialer(ctx, "tcp", to.String())
	}
	d := net.Dialer{Timeout: dialTime, KeepAlive: -1, Control: f.control}
	return d.DialContext(ctx, "tcp", to.String())
}

// control is called with the address of the socket that is about to connect.
func (f *Fetcher) control(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return &refusedAddress{errors.New("an address that cannot be read")}
	}
	return f.may(netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
}

// get sends one request. next is where a redirect points.
func (f *Fetcher) get(ctx context.Context, transport *http.Transport, u *url.URL) (page Page, next *url.URL, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Page{}, nil, &FetchError{URL: u.String(), Problem: "the URL cannot be requested"}
	}
	req.Header = http.Header{
		"User-Agent":      {userAgent},
		"Accept":          {"text/html, application/xhtml+xml, text/plain, text/markdown, application/json;q=0.8, text/*;q=0.5"},
		"Accept-Encoding": {"gzip"},
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return Page{}, nil, err
	}
	defer resp.Body.Close()
	fail := func(cause error, format string, args ...any) (Page, *url.URL, error) {
		return Page{}, nil, &FetchError{URL: u.String(), Problem: fmt.Sprintf(format, args...), Err: cause}
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNonAuthoritativeInfo:
	case 301, 302, 303, 307, 308:
		location := resp.Header.Values("Location")
		if len(location) != 1 || len(location[0]) > MaxURL || strings.ContainsFunc(location[0], func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
			return fail(nil, "it redirects, but not to a URL")
		}
		to, err := u.Parse(location[0])
		if err == nil {
			to, err = parseURL(to.String())
		}
		if err != nil {
			return fail(nil, "it redirects, but not to a URL of a page")
		}
		return Page{}, to, nil
	default:
		_, _, err := fail(nil, "HTTP status %d", resp.StatusCode)
		err.(*FetchError).Status = resp.StatusCode
		return Page{}, nil, err
	}
	kind := ""
	if types := resp.Header.Values("Content-Type"); len(types) == 1 {
		if kind, _, err = mime.ParseMediaType(types[0]); err != nil {
			kind = ""
		}
	}
	read, ok := kinds[kind]
	if !ok {
		return fail(ErrContent, "its content type is not one of a page of text")
	}
	if resp.ContentLength > MaxBody {
		return fail(ErrLimit, "it is larger than %d MiB", MaxBody>>20)
	}
	in, err := body(resp)
	if err != nil {
		return Page{}, nil, err
	}
	// What a charset is called in the header or the page decides how bytes
	// become text; a label that is not known means windows-1252 (WHATWG).
	text, err := charset.NewReader(in, resp.Header.Get("Content-Type"))
	if err != nil && !errors.Is(err, io.EOF) {
		return Page{}, nil, err
	}
	if err != nil {
		text = strings.NewReader("")
	}
	page, err = read(&bounded{r: &cancelable{ctx, text}, left: MaxBody, what: "text"})
	switch {
	case err != nil:
		return Page{}, nil, err
	case in.err != nil:
		// A decoder may have taken a broken connection for the end.
		return Page{}, nil, in.err
	case strings.TrimSpace(page.Text) == "":
		return fail(ErrContent, "it has no text that a reader would see")
	}
	page.URL = u.String()
	return page, nil, nil
}

// kinds are the content types that are read. There is no guessing: a server
// that does not say what it sends is not read.
var kinds = map[string]func(io.Reader) (Page, error){
	"text/html":             readHTML,
	"application/xhtml+xml": readHTML,
	"text/plain":            readPlain,
	"text/markdown":         readPlain,
	"text/csv":              readPlain,
	"application/json":      readPlain,
}

// body bounds a response before and after decompression: before, because a
// compressed stream can be endless and hold nothing.
func body(resp *http.Response) (*bounded, error) {
	wire := &bounded{r: resp.Body, left: MaxBody, what: "data"}
	switch encoding := resp.Header.Values("Content-Encoding"); {
	case len(encoding) == 0 || len(encoding) == 1 && strings.EqualFold(encoding[0], "identity"):
		return wire, nil
	case len(encoding) == 1 && strings.EqualFold(encoding[0], "gzip"):
		z, err := gzip.NewReader(wire)
		if err != nil {
			return nil, err
		}
		return &bounded{r: z, left: MaxBody, what: "decompressed data"}, nil
	}
	return nil, &FetchError{URL: resp.Request.URL.String(), Problem: "it is encoded in a way that was not asked for", Err: ErrContent}
}

// bounded is an error behind its limit, not an end.
type bounded struct {
	r    io.Reader
	left int
	what string
	err  error // the first that was not the end
}

type limitError struct{ what string }

func (e *limitError) Error() string {
	return fmt.Sprintf("it is more than %d MiB of %s", MaxBody>>20, e.what)
}

func (b *bounded) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(p) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if n > b.left {
		n, err = b.left, &limitError{b.what}
	}
	b.left -= n
	if b.err == nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// cancelable ends a parser that reads from it when the context ends.
type cancelable struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancelable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// explain turns an error into one that holds none of the server's words:
// net/http, crypto/tls and others quote what they could not read.
func (f *Fetcher) explain(ctx context.Context, u *url.URL, err error) error {
	e := &FetchError{URL: u.String(), Problem: "the connection failed, or what came is not HTTP"}
	var fetch *FetchError
	var refused *refusedAddress
	var limit *limitError
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var deep *parseError
	switch {
	case errors.Is(context.Cause(ctx), ErrTimeout):
		e.Problem, e.Err = "it did not come in time", ErrTimeout
	case ctx.Err() != nil:
		return fmt.Errorf("webread: %w", ctx.Err())
	case errors.As(err, &fetch):
		return fetch
	case errors.As(err, &refused):
		e.Problem, e.Err = "the address is not public: "+refused.Error(), ErrAddress
	case errors.As(err, &limit):
		e.Problem, e.Err = limit.Error(), ErrLimit
	case errors.As(err, &deep):
		e.Problem, e.Err = deep.Error(), ErrContent
	case errors.As(err, &dns):
		e.Problem = "its name cannot be resolved"
	case errors.As(err, &cert):
		e.Problem = "its certificate is not valid for it"
	case errors.As(err, &record), errors.As(err, &alert), errors.Is(err, http.ErrSchemeMismatch):
		e.Problem = "it does not speak https"
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.Is(err, io.ErrUnexpectedEOF):
		e.Problem = "it came incomplete or damaged"
	}
	return e
}
