package gosdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/clearance-go/clearance/mcptrust"
)

// ErrOrigin: a request would have left the server's own origin.
var ErrOrigin = errors.New("gosdk: the request would leave the server's own origin")

// ErrTooBig: an answer is larger than [MaxMessageBytes].
var ErrTooBig = fmt.Errorf("gosdk: an answer of more than %d bytes", MaxMessageBytes)

// HTTPClient returns a client for a remote server: requests and redirects stay
// on the origin of the approved URL, the definition's headers are added there,
// and answers are bounded. An event stream is bounded by event, see MaxEventSize
// of the SDK's transports. It works for one server only.
func (g *Guard) HTTPClient(ctx context.Context) (*http.Client, error) {
	s := g.session.Server()
	u, err := url.Parse(s.URL.Expanded())
	if err != nil {
		return nil, errors.New("gosdk: the URL of the server cannot be read")
	}
	headers, err := s.HTTPHeaders(ctx, g.opts.Resolve)
	if err != nil {
		return nil, err
	}
	var c http.Client
	if g.opts.HTTPClient != nil {
		c = *g.opts.HTTPClient
	}
	next := c.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	c.Transport = &roundTripper{next: next, origin: origin(u), headers: headers}
	follow := c.CheckRedirect
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if origin(req.URL) != origin(u) {
			return fmt.Errorf("%w: a redirect to %s", ErrOrigin, mcptrust.Escape(origin(req.URL)))
		}
		if follow != nil {
			return follow(req, via)
		}
		if len(via) >= 5 {
			return errors.New("gosdk: too many redirects")
		}
		return nil
	}
	return &c, nil
}

func origin(u *url.URL) string {
	port := u.Port()
	scheme := strings.ToLower(u.Scheme)
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return scheme + "://" + strings.TrimSuffix(strings.ToLower(u.Hostname()), ".") + ":" + port
}

type roundTripper struct {
	next    http.RoundTripper
	origin  string
	headers http.Header
}

func (t *roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	if origin(req.URL) != t.origin {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, fmt.Errorf("%w: %s", ErrOrigin, mcptrust.Escape(origin(req.URL)))
	}
	req = req.Clone(req.Context())
	for k, v := range t.headers {
		req.Header[k] = v
	}
	res, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err != nil || kind != "text/event-stream" {
		if res.ContentLength > MaxMessageBytes {
			res.Body.Close()
			return nil, ErrTooBig
		}
		res.Body = &bounded{res.Body, MaxMessageBytes}
	}
	return res, nil
}

// bounded fails when more than left bytes are read.
type bounded struct {
	io.ReadCloser
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, ErrTooBig
	}
	return n, err
}
