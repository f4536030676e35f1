package credstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

const (
	placeholderOpen  = "${cred:"
	placeholderClose = "}"
)

// Transport returns a RoundTripper that replaces ${cred:name} in the values of request headers by the entry's value, at the
// last moment and in a copy: the request that the caller, its logs and the model see keeps the placeholder. base nil means
// http.DefaultTransport. It is safe for concurrent use.
//
//   - The value goes only to the hosts in the entry's Meta.Hosts, over https; over http only to a loopback address. Anything
//     else is ErrHost, and nothing is sent.
//   - After a redirect to another host the header is left out (CVE-2024-53858 and CVE-2026-41506 are what happens else).
//   - A value with a line break or another control character is ErrBadValue. A placeholder in the URL is ErrBadPlaceholder:
//     URLs end up in logs and in errors.
//   - After a 401 or 403 the entry is refreshed once and the request is sent once more, if there is a Refresher and the body
//     can be sent again. Otherwise the response is returned as it is.
//   - Errors of base are redacted. The *url.Error that http.Client makes around them quotes the URL; if a secret of your own
//     stands there, print Redactor.Error(err).
//
// It does not look into bodies, neither of requests nor of responses.
func (s *Store) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{s, base}
}

type transport struct {
	store *Store
	base  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	refuse := func(err error) (*http.Response, error) {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	if u := req.URL; strings.Contains(u.Path+u.RawQuery+u.Fragment+u.Host, placeholderOpen) || u.User != nil && strings.Contains(u.User.String(), "cred:") {
		return refuse(fmt.Errorf("credstore: %w: a secret may stand in a header, not in a URL", ErrBadPlaceholder))
	}
	used := map[string]Secret{}
	filled, err := t.fill(req, used)
	if err != nil {
		return refuse(err)
	}
	resp, err := t.send(req, filled)
	if err != nil || len(used) == 0 {
		return resp, err
	}
	if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden || req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return resp, nil
	}
	for name, value := range used {
		if t.store.Invalidate(req.Context(), name, value) != nil {
			return resp, nil // nothing renews it, or it was renewed a moment ago: the caller sees the answer
		}
	}
	again := req.Clone(req.Context())
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return resp, nil
		}
	}
	if filled, err = t.fill(again, map[string]Secret{}); err != nil {
		if again.Body != nil {
			again.Body.Close()
		}
		return resp, nil
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	resp.Body.Close()
	return t.send(req, filled)
}

// send returns the response as one to req, so that nobody finds the filled headers in Response.Request.
func (t *transport) send(req, filled *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(filled)
	if err != nil {
		return nil, t.store.Redactor().Error(err)
	}
	resp.Request = req
	return resp, nil
}

// fill returns req with its placeholders replaced, in a copy if there are any.
func (t *transport) fill(req *http.Request, used map[string]Secret) (*http.Request, error) {
	out := req
	for key, values := range req.Header {
		for i, text := range values {
			if !strings.Contains(text, placeholderOpen) {
				continue
			}
			if out == req {
				out = req.Clone(req.Context())
			}
			filled, err := t.header(req, text, used)
			if errors.Is(err, ErrHost) && redirected(req) {
				delete(out.Header, key)
				break
			}
			if err != nil {
				return nil, fmt.Errorf("credstore: header %s: %w", key, err)
			}
			out.Header[key] = slices.Clone(out.Header[key])
			out.Header[key][i] = filled
		}
	}
	return out, nil
}

func redirected(req *http.Request) bool { return req.Response != nil }

func (t *transport) header(req *http.Request, text string, used map[string]Secret) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, placeholderOpen)
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name, after, closed := strings.Cut(rest, placeholderClose)
		if !closed {
			return "", fmt.Errorf("%w: no closing brace", ErrBadPlaceholder)
		}
		e, err := t.store.look(req.Context(), name, "", "")
		if err != nil {
			return "", err
		}
		if err := mayGo(req, e.meta.Hosts); err != nil {
			return "", fmt.Errorf("%q: %w", name, err)
		}
		secret, err := t.store.get(req.Context(), name, "use", req.URL.Host)
		if err != nil {
			return "", err
		}
		if err := secret.view(func(b []byte) error {
			if bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				return fmt.Errorf("%q: %w: it has a line break or another control character", name, ErrBadValue)
			}
			out.Write(b)
			return nil
		}); err != nil {
			return "", err
		}
		used[name] = secret
		text = after
	}
}

// mayGo compares where a request goes with the hosts of an entry.
func mayGo(req *http.Request, hosts []string) error {
	host, port := strings.ToLower(req.URL.Hostname()), req.URL.Port()
	usual := "443"
	switch req.URL.Scheme {
	case "https":
	case "http":
		usual = "80"
		ip, err := netip.ParseAddr(host)
		if !(err == nil && ip.Unmap().IsLoopback() || host == "localhost") {
			return fmt.Errorf("%w: %s is not encrypted", ErrHost, req.URL.Host)
		}
	default:
		return fmt.Errorf("%w: scheme %+q", ErrHost, req.URL.Scheme)
	}
	if port == "" {
		port = usual
	}
	// The Host header may route to another server behind the same front.
	if req.Host != "" && !strings.EqualFold(req.Host, req.URL.Host) {
		return fmt.Errorf("%w: the Host header names another host than the URL", ErrHost)
	}
	for _, allowed := range hosts {
		name, p, err := net.SplitHostPort(allowed)
		if err != nil {
			name, p = strings.Trim(allowed, "[]"), usual
		}
		if name == host && p == port {
			return nil
		}
	}
	if len(hosts) == 0 {
		return fmt.Errorf("%w: it lists no hosts; set Meta.Hosts", ErrHost)
	}
	return fmt.Errorf("%w %s; it is for %s", ErrHost, net.JoinHostPort(host, port), strings.Join(hosts, ", "))
}

// ResolveFor is Resolve for what is sent to one address: the headers of a remote MCP server, say. A value goes only to the
// hosts in the entry's Meta.Hosts, as with Transport: who writes a definition cannot name any credential for any host.
// Errors: as Resolve, and ErrHost.
func (s *Store) ResolveFor(address string) func(ctx context.Context, name string) (string, error) {
	return func(ctx context.Context, name string) (string, error) {
		u, err := url.Parse(address)
		if err != nil || u.User != nil {
			return "", fmt.Errorf("credstore: %q: %w that cannot be read", name, ErrHost)
		}
		e, err := s.look(ctx, name, "", "")
		if err != nil {
			return "", err
		}
		if err := mayGo(&http.Request{URL: u}, e.meta.Hosts); err != nil {
			return "", fmt.Errorf("credstore: %q: %w", name, err)
		}
		return s.Resolve(ctx, name)
	}
}
