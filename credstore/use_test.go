//go:build linux

package credstore_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/credstore"
)

// runCommand runs a command that gets secrets and returns what it printed.
func runCommand(t *testing.T, s *credstore.Store, o credstore.CommandOptions, argv ...string) string {
	t.Helper()
	cmd, release, err := s.Command(t.Context(), o, argv...)
	require.NoError(t, err)
	defer release()
	out, err := cmd.Output()
	require.NoError(t, err)
	return string(out)
}

func TestCommandDelivery(t *testing.T) {
	s := secretStore(t, "value-of-a")
	set(t, s, "b", "value-of-b")
	assert.Equal(t, "value-of-a\n", runCommand(t, s, credstore.CommandOptions{Env: map[string]string{"API_TOKEN": "a"}}, "sh", "-c", "echo $API_TOKEN"))
	assert.Equal(t, "value-of-avalue-of-b", runCommand(t, s, credstore.CommandOptions{Files: []string{"a", "b"}}, "sh", "-c", "cat <&3; cat <&4"))
	assert.Equal(t, "value-of-b", runCommand(t, s, credstore.CommandOptions{Stdin: "b"}, "cat"))
	assert.Empty(t, runCommand(t, s, credstore.CommandOptions{}, "cat"), "no standard input of ours")
	assert.Equal(t, "x", runCommand(t, s, credstore.CommandOptions{Set: []string{"PLAIN=x"}}, "sh", "-c", "printf $PLAIN"))
	set(t, s, "big", strings.Repeat("0123456789", 1600))
	assert.Len(t, runCommand(t, s, credstore.CommandOptions{Stdin: "big"}, "cat"), 16000)
	set(t, s, "big", strings.Repeat("0123456789", 10000))
	_, _, err := s.Command(t.Context(), credstore.CommandOptions{Stdin: "big"}, "cat")
	require.ErrorIs(t, err, credstore.ErrTooLarge)
}

// TestCommandInheritsNothing: of our open files a child gets only those that it was given, also while the store is locked and
// written, and also where a file was opened without the close-on-exec mark.
func TestCommandInheritsNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, options(t))
	set(t, s, "a", canary)
	bare, err := syscall.Open(data(dir), syscall.O_RDONLY, 0) // as a C library, or whoever started us
	require.NoError(t, err)
	defer syscall.Close(bare)
	control, err := exec.Command("ls", "-l", "/proc/self/fd").Output()
	require.NoError(t, err)
	require.Contains(t, string(control), data(dir), "the control: a child of plain os/exec gets it")
	cmd, release, err := s.Command(t.Context(), credstore.CommandOptions{Files: []string{"a"}}, "ls", "-l", "/proc/self/fd")
	require.NoError(t, err)
	defer release()
	var out []byte
	require.NoError(t, s.Update(t.Context(), func(*credstore.Tx) error { // the lock file is open now
		out, err = cmd.Output()
		return err
	}))
	assert.NotContains(t, string(out), "credentials")
	assert.Equal(t, 5, strings.Count(string(out), " -> "), "0, 1, 2, the entry, and the directory that ls reads: %s", out)
}

func TestCommandRefuses(t *testing.T) {
	s := secretStore(t, "value-of-a")
	for _, name := range []string{"PATH", "LD_PRELOAD", "ld_library_path", "NODE_OPTIONS", "GIT_SSH_COMMAND", "BASH_ENV", "PYTHONSTARTUP", "DYLD_INSERT_LIBRARIES", "CREDSTORE_KEY", "A=B", "", "1A"} {
		_, _, err := s.Command(t.Context(), credstore.CommandOptions{Env: map[string]string{name: "a"}}, "true")
		require.ErrorIs(t, err, credstore.ErrCommand, name)
		if name != "" && !strings.Contains(name, "=") {
			_, _, err = s.Command(t.Context(), credstore.CommandOptions{Set: []string{name + "=x"}}, "true")
			require.ErrorIs(t, err, credstore.ErrCommand, name)
		}
	}
	_, _, err := s.Command(t.Context(), credstore.CommandOptions{}, "curl", "-H", "Authorization: ${cred:a}")
	require.ErrorIs(t, err, credstore.ErrBadPlaceholder)
	for _, program := range []string{"./relative", "no-such-program-here", ""} {
		_, _, err = s.Command(t.Context(), credstore.CommandOptions{}, program)
		require.Error(t, err, program)
	}
	_, _, err = s.Command(t.Context(), credstore.CommandOptions{Env: map[string]string{"X": "missing"}}, "true")
	require.ErrorIs(t, err, credstore.ErrNotFound)
	sh, err := exec.LookPath("sh")
	require.NoError(t, err)
	require.NoError(t, s.Set(t.Context(), "only", credstore.NewSecret([]byte("for sh alone")), credstore.Meta{Commands: []string{sh}}))
	assert.Equal(t, "for sh alone", runCommand(t, s, credstore.CommandOptions{Stdin: "only"}, "sh", "-c", "cat"))
	_, _, err = s.Command(t.Context(), credstore.CommandOptions{Stdin: "only"}, "cat")
	require.ErrorIs(t, err, credstore.ErrCommand)
	for _, meta := range []credstore.Meta{{Env: "LD_PRELOAD"}, {Env: "A B"}, {Commands: []string{"relative"}}, {Hosts: []string{"UPPER.example"}}, {Label: "a\x1b[31m"}} {
		require.ErrorIs(t, s.Set(t.Context(), "m", credstore.NewSecret([]byte("value")), meta), credstore.ErrBadMeta)
	}
}

func TestResolve(t *testing.T) {
	s := secretStore(t, "value-of-a")
	var resolve func(context.Context, string) (string, error) = s.Resolve
	value, err := resolve(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, "value-of-a", value)
	_, err = resolve(t.Context(), "../a")
	require.ErrorIs(t, err, credstore.ErrBadName)
	set(t, s, "n", "a\x00b")
	_, err = resolve(t.Context(), "n")
	require.ErrorIs(t, err, credstore.ErrBadValue)
}

// web is a server that records what it was sent; its address in both spellings.
type web struct {
	*httptest.Server
	seen atomic.Value
	host string
}

func newWeb(t *testing.T, handle func(http.ResponseWriter, *http.Request)) *web {
	w := &web{}
	w.Server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.seen.Store(r.Header.Clone())
		if handle != nil {
			handle(out, r)
		}
	}))
	t.Cleanup(w.Close)
	w.host = strings.TrimPrefix(w.URL, "http://")
	return w
}

func (w *web) header(name string) string {
	h, _ := w.seen.Load().(http.Header)
	return h.Get(name)
}

func request(t *testing.T, address string, header ...string) *http.Request {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return req
}

func TestTransport(t *testing.T) {
	here := newWeb(t, nil)
	other := newWeb(t, nil)
	s := open(t, t.TempDir(), options(t))
	require.NoError(t, s.Set(t.Context(), "api/key", credstore.NewSecret([]byte("the-api-key-value")), credstore.Meta{Hosts: []string{here.host, "api.example.com"}}))
	set(t, s, "no/hosts", "without-any-hosts")
	client := &http.Client{Transport: s.Transport(nil)}
	req := request(t, here.URL, "Authorization", "Bearer ${cred:api/key}", "X-Two", "${cred:api/key}:${cred:api/key}", "X-Plain", "plain")
	resp, err := client.Do(req)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, "Bearer the-api-key-value", here.header("Authorization"))
	assert.Equal(t, "the-api-key-value:the-api-key-value", here.header("X-Two"))
	assert.Equal(t, "plain", here.header("X-Plain"))
	assert.Equal(t, "Bearer ${cred:api/key}", req.Header.Get("Authorization"), "the caller's request keeps the placeholder")
	assert.Equal(t, "Bearer ${cred:api/key}", resp.Request.Header.Get("Authorization"))
	for address, header := range map[string]string{
		other.URL:                             "${cred:api/key}",
		here.URL + "/1":                       "${cred:no/hosts}",
		"http://api.example.com/":             "${cred:api/key}", // not encrypted
		"https://api.example.com.evil.test/":  "${cred:api/key}",
		"https://api.example.com:444/":        "${cred:api/key}",
		"https://evil.test/?api.example.com/": "${cred:api/key}",
		"ftp://api.example.com/":              "${cred:api/key}",
	} {
		_, err := s.Transport(nil).RoundTrip(request(t, address, "X-Key", header))
		require.ErrorIs(t, err, credstore.ErrHost, address)
	}
	assert.Nil(t, other.seen.Load(), "nothing was sent")
	fronted := request(t, here.URL, "X-Key", "${cred:api/key}")
	fronted.Host = "evil.test"
	_, err = client.Do(fronted)
	require.ErrorIs(t, err, credstore.ErrHost)
	for _, address := range []string{here.URL + "/?k=${cred:api/key}", here.URL + "/${cred:api/key}", "http://u:${cred:api/key}@" + here.host} {
		req := request(t, here.URL)
		if u, err := url.Parse(address); err == nil {
			req.URL = u
		} else {
			req.URL.Path = "/${cred:api/key}"
		}
		_, err = client.Do(req)
		require.ErrorIs(t, err, credstore.ErrBadPlaceholder, address)
	}
	_, err = client.Do(request(t, here.URL, "X-Key", "${cred:api/key"))
	require.ErrorIs(t, err, credstore.ErrBadPlaceholder)
	_, err = client.Do(request(t, here.URL, "X-Key", "${cred:missing}"))
	require.ErrorIs(t, err, credstore.ErrNotFound)
}

// TestTransportRedirect is CVE-2024-53858 (gh) and CVE-2026-41506 (go-git): the token follows a redirect to another host.
func TestTransportRedirect(t *testing.T) {
	other := newWeb(t, nil)
	here := newWeb(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stay" {
			http.Redirect(w, r, "/there", http.StatusFound)
		} else if r.URL.Path == "/leave" {
			http.Redirect(w, r, other.URL, http.StatusFound)
		}
	})
	s := open(t, t.TempDir(), options(t))
	require.NoError(t, s.Set(t.Context(), "k", credstore.NewSecret([]byte("the-api-key-value")), credstore.Meta{Hosts: []string{here.host}}))
	client := &http.Client{Transport: s.Transport(nil)}
	resp, err := client.Do(request(t, here.URL+"/stay", "X-Api-Key", "${cred:k}"))
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, "/there", resp.Request.URL.Path)
	assert.Equal(t, "the-api-key-value", here.header("X-Api-Key"), "the same host keeps it")
	resp, err = client.Do(request(t, here.URL+"/leave", "X-Api-Key", "${cred:k}"))
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, other.URL, resp.Request.URL.String())
	assert.Empty(t, other.header("X-Api-Key"))
	// The control: a program that fills the header itself sends it along.
	resp, err = http.DefaultClient.Do(request(t, here.URL+"/leave", "X-Api-Key", "the-api-key-value"))
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, "the-api-key-value", other.header("X-Api-Key"), "the control must leak")
}

// TestTransportHTTP2 sends to a real HTTP/2 server: the header is filled whatever its case, trailers and pseudo-headers are not.
func TestTransportHTTP2(t *testing.T) {
	type seen struct {
		proto, key, trailer, via string
		header                   http.Header
	}
	var got seen
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		got = seen{r.Proto, r.Header.Get("X-Api-Key"), r.Trailer.Get("X-Trailer"), r.URL.String(), r.Header.Clone()}
		w.Header().Set("Trailer", "X-Echo")
		w.Header().Set("X-Echo", r.Header.Get("X-Api-Key"))
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "https://")
	s := open(t, t.TempDir(), options(t))
	require.NoError(t, s.Set(t.Context(), "k", credstore.NewSecret([]byte("the-api-key-value")), credstore.Meta{Hosts: []string{host}}))
	client := &http.Client{Transport: s.Transport(server.Client().Transport)}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, io.NopCloser(strings.NewReader("body ${cred:k}")))
	require.NoError(t, err)
	req.Header["x-aPI-key"] = []string{"${cred:k}"}
	req.Trailer = http.Header{"X-Trailer": {"${cred:k}"}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	assert.Equal(t, "HTTP/2.0", got.proto)
	assert.Equal(t, "the-api-key-value", got.key)
	assert.Equal(t, "${cred:k}", got.trailer, "a trailer is not a header: no value goes there")
	assert.Equal(t, http.Header{"x-aPI-key": {"${cred:k}"}}, resp.Request.Header)
}

// TestTransportHosts: which spellings of an address are the listed host.
func TestTransportHosts(t *testing.T) {
	s := open(t, t.TempDir(), options(t))
	var sent []string
	base := roundTrip(func(r *http.Request) (*http.Response, error) {
		sent = append(sent, r.Header.Get("X-Key"))
		return &http.Response{StatusCode: 200, Body: http.NoBody, Header: http.Header{}, Request: r}, nil
	})
	for _, c := range []struct {
		hosts   []string
		address string
		ok      bool
	}{
		{[]string{"api.example.com"}, "https://api.example.com/v1", true},
		{[]string{"api.example.com"}, "https://API.Example.com:443/v1", true},
		{[]string{"api.example.com:443"}, "https://api.example.com/", true},
		{[]string{"api.example.com:8443"}, "https://api.example.com:8443/", true},
		{[]string{"api.example.com:8443"}, "https://api.example.com/", false},
		{[]string{"api.example.com"}, "https://api.example.com:8443/", false},
		{[]string{"api.example.com"}, "https://api.example.com./", false},
		{[]string{"api.example.com"}, "https://sub.api.example.com/", false},
		{[]string{"api.example.com"}, "https://example.com/", false},
		{[]string{"api.example.com"}, "https://xapi.example.com/", false},
		{[]string{"api.example.com"}, "https://api.example.com@evil.test/", false},
		{[]string{"api.example.com"}, "https://evil.test#api.example.com", false},
		{[]string{"api.example.com"}, "https://user:pw@api.example.com/", true},
		{[]string{"api.example.com"}, "http://api.example.com/", false},
		{[]string{"api.example.com:80"}, "http://api.example.com/", false},
		{[]string{"127.0.0.1"}, "http://127.0.0.1/", true},
		{[]string{"127.0.0.1"}, "http://127.0.0.1:8080/", false},
		{[]string{"[::1]:8080"}, "http://[::1]:8080/", true},
		{[]string{"[::1]"}, "https://[::1]/", true},
		{[]string{"127.0.0.1"}, "http://127.1/", false},
		{[]string{"127.0.0.1"}, "http://0x7f000001/", false},
		{[]string{"localhost"}, "http://localhost/", true},
		{[]string{"localhost"}, "http://localhost.evil.test/", false},
	} {
		require.NoError(t, s.Set(t.Context(), "k", credstore.NewSecret([]byte("the-api-key-value")), credstore.Meta{Hosts: c.hosts}))
		sent = nil
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.address, nil)
		require.NoError(t, err, c.address)
		req.Header.Set("X-Key", "${cred:k}")
		resp, err := s.Transport(base).RoundTrip(req)
		if c.ok {
			require.NoError(t, err, "%v %s", c.hosts, c.address)
			resp.Body.Close()
			assert.Equal(t, []string{"the-api-key-value"}, sent, "%v %s", c.hosts, c.address)
			continue
		}
		require.ErrorIs(t, err, credstore.ErrHost, "%v %s", c.hosts, c.address)
		assert.Empty(t, sent, "%v %s", c.hosts, c.address)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTransportRefreshesOnce(t *testing.T) {
	var requests atomic.Int32
	here := newWeb(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("X-Key") != "renewed-value-1" || string(body) != "body" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	c := newClock()
	r := &counter{c: c, life: time.Hour}
	o := c.in(options(t))
	o.Refresher = func(string, credstore.Meta) credstore.Refresher { return r }
	s := open(t, t.TempDir(), o)
	require.NoError(t, s.Set(t.Context(), "k", credstore.NewSecret([]byte("stale-value")), credstore.Meta{Hosts: []string{here.host}}))
	client := &http.Client{Transport: s.Transport(nil)}
	post := func() int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, here.URL, strings.NewReader("body"))
		require.NoError(t, err)
		req.Header.Set("X-Key", "${cred:k}")
		resp, err := client.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		return resp.StatusCode
	}
	assert.Equal(t, 200, post())
	assert.EqualValues(t, 2, requests.Load())
	assert.EqualValues(t, 1, r.calls.Load())
	set(t, s, "k", "refused-too")
	r.calls.Store(5)
	require.NoError(t, s.Set(t.Context(), "k", credstore.NewSecret([]byte("refused-too")), credstore.Meta{Hosts: []string{here.host}}))
	c.pass(time.Minute)
	assert.Equal(t, 401, post(), "renewed-value-6 is refused as well: one retry, then the caller sees it")
	assert.EqualValues(t, 4, requests.Load())
	assert.Equal(t, 401, post())
	assert.EqualValues(t, 5, requests.Load(), "refreshed a moment ago: not again")
}

func vectorR06(t *testing.T) {
	s := secretStore(t, "the-secret-key-in-a-query")
	client := &http.Client{Transport: s.Transport(failingRoundTripper{})}
	_, err := client.Get("http://127.0.0.1:1/?key=the-secret-key-in-a-query")
	require.Error(t, err)
	clean := s.Redactor().Error(err)
	assert.NotContains(t, clean.Error(), "the-secret-key")
	assert.Contains(t, clean.Error(), "[redacted]")
	require.ErrorIs(t, clean, errBase)
	assert.Contains(t, err.Error(), "the-secret-key", "the control: net/url's own text leaks")
	_, err = s.Transport(failingRoundTripper{}).RoundTrip(request(t, "http://127.0.0.1:1/?key=the-secret-key-in-a-query"))
	assert.NotContains(t, err.Error(), "the-secret-key")
	assert.NoError(t, s.Redactor().Error(nil))
}

var errBase = errors.New("refused")

type failingRoundTripper struct{}

func (failingRoundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("dial %s: %w", r.URL, errBase)
}

func TestRedactorRows(t *testing.T) {
	r := secretStore(t, canary).Redactor()
	ids, yes, no, err := credstore.PatternExamples()
	require.NoError(t, err)
	assert.GreaterOrEqual(t, len(ids), 40)
	for i, id := range ids {
		for n, example := range yes[i] {
			text := expand(example, n)
			for _, around := range [][2]string{{"", ""}, {"log: ", " end\n"}, {"\n", "\n"}, {`{"x": "`, `"}`}} {
				if id == "environment" && around[0] != "" && around[0] != "\n" || id == "aws-secret" && around[0] == `{"x": "` {
					continue
				}
				whole := around[0] + text + around[1]
				out := r.String(whole)
				assert.Contains(t, out, "[redacted]", "%s: %s", id, whole)
				assert.True(t, strings.HasPrefix(out, around[0]) && strings.HasSuffix(out, around[1]), "%s: %q → %q", id, whole, out)
				assert.Equal(t, out, streamed(t, r, whole, 1), id)
			}
		}
		for n, example := range no[i] {
			text := expand(example, n)
			assert.Equal(t, text, r.String(text), id)
			assert.Equal(t, text+"\n", r.String(text+"\n"), id)
		}
	}
}

// expand makes examples from {count:class}, so that no file of this project holds what looks like a credential.
func expand(example string, seed int) string {
	classes := map[byte]string{'a': "aZ3bY7cX9dW1eV5fU2gT8hS4iR6jQ0kPlOmNn", 'h': "3a7f0c9e1b5d2846", 'u': "Q7WE2RTY3UIP4ASD5FGH6JKL", 'd': "7392640815"}
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(example, "{")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		spec, after, _ := strings.Cut(rest, "}")
		count, class, ok := strings.Cut(spec, ":")
		n, err := strconv.Atoi(count)
		if !ok || err != nil {
			out.WriteString("{" + spec + "}")
			example = after
			continue
		}
		letters := classes[class[0]]
		for i := range n {
			out.WriteByte(letters[(i*5+seed+out.Len())%len(letters)])
		}
		example = after
	}
}

func streamed(t testing.TB, r *credstore.Redactor, text string, size int) string {
	var out bytes.Buffer
	w := r.Writer(&out)
	for rest := text; rest != ""; {
		n := min(size, len(rest))
		_, err := w.Write([]byte(rest[:n]))
		require.NoError(t, err)
		rest = rest[n:]
	}
	require.NoError(t, w.Close())
	return out.String()
}

func TestRedactorWrapped(t *testing.T) {
	value := "a rather long secret value that base64 and PEM tools break into several lines, 0123456789 abcdefghij"
	r := secretStore(t, value).Redactor()
	for _, before := range []string{"", "x", "xy", "Some words in front of it: "} {
		for name, encoded := range map[string]string{"base64": base64.StdEncoding.EncodeToString([]byte(before + value + " and after")), "hex": hex.EncodeToString([]byte(before + value))} {
			for _, width := range []int{19, 60, 64, 76} {
				for _, sep := range []string{"\n", "\r\n", "\n    "} {
					var wrapped []string
					for rest := encoded; rest != ""; {
						n := min(width, len(rest))
						wrapped = append(wrapped, rest[:n])
						rest = rest[n:]
					}
					text := strings.Join(wrapped, sep) + "\n"
					out := r.String(text)
					plain := strings.NewReplacer("\n", "", "\r", "", " ", "").Replace(out)
					for _, part := range []string{plain} {
						pieces := strings.Split(part, "[redacted]")
						for _, piece := range pieces {
							assert.LessOrEqual(t, len(piece), len(before)*2+len(" and after")*2+8, "%s %d %q: %s", name, width, sep, out)
						}
					}
					assert.Contains(t, out, "[redacted]")
					assert.Equal(t, out, streamed(t, r, text, 7), name)
				}
			}
		}
	}
}

// TestRedactorPrograms: what programs print of a value in their own ways is found, whole and byte by byte.
func TestRedactorPrograms(t *testing.T) {
	value := "it's the 1st secret: a<b>&\"c\" = $HOME/ü; long enough for several lines of any program that prints seventy-six columns\\."
	s := secretStore(t, value)
	r := s.Redactor()
	for _, script := range []string{"cat", "base64", "base64 -w 20", "od -An -v -tx1", "od -An -v -w7 -tx1", "fold -w 30", "fold -s -w 40", "xargs -0 printf %q",
		"sed 's/^/  /'", "tr -d '\\n'", "od -An -v -tx1 | tr -d ' \\n'", "od -An -v -tx1 | tr 'a-f' 'A-F'"} {
		shell := "sh"
		if strings.Contains(script, "%q") {
			script, shell = `printf %q "$(cat)"`, "bash"
			if _, err := exec.LookPath(shell); err != nil {
				t.Log("bash is missing: how it quotes is not tried")
				continue
			}
		}
		cmd := exec.CommandContext(t.Context(), shell, "-c", script)
		cmd.Stdin, cmd.Env = strings.NewReader(value), append(os.Environ(), "LC_ALL=C.UTF-8")
		out, err := cmd.Output()
		require.NoError(t, err, script)
		clean := r.String(string(out))
		assert.Contains(t, clean, "[redacted]", "%s: %q", script, out)
		assert.Less(t, len(strings.TrimSpace(strings.ReplaceAll(clean, "[redacted]", ""))), 8, "%s: %q becomes %q", script, out, clean)
		assert.Equal(t, clean, streamed(t, r, string(out), 1), script)
	}
	var mail bytes.Buffer
	w := quotedprintable.NewWriter(&mail)
	_, err := io.WriteString(w, "before: "+value+" after")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.Contains(t, mail.String(), "=\r\n", "there is a soft line break")
	clean := r.String(mail.String())
	assert.Equal(t, "before: [redacted] after", strings.ReplaceAll(clean, "=\r\n", ""))
	assert.Equal(t, clean, streamed(t, r, mail.String(), 1))
	assert.Equal(t, "the 1st", r.String("the 1st"), "a part is no secret")
}

// TestRedactorDoesNotHoldBack: what cannot become a secret is passed on at once, as a prompt must be.
func TestRedactorDoesNotHoldBack(t *testing.T) {
	r := secretStore(t, canary).Redactor()
	var out bytes.Buffer
	w := r.Writer(&out)
	for _, text := range []string{"Password: ", "Continue? [y/N] ", "50% done\r", "ok\n"} {
		out.Reset()
		_, err := io.WriteString(w, text)
		require.NoError(t, err)
		assert.Equal(t, text, out.String())
	}
	require.NoError(t, w.Close())
}

func TestRedactorLongPEM(t *testing.T) {
	r := secretStore(t, canary).Redactor()
	body := strings.Repeat(strings.Repeat("MIIEvQ", 10)+"\n", 2000)
	text := "before\n-----BEGIN RSA PRIVATE KEY-----\n" + body + "-----END RSA PRIVATE KEY-----\nafter\n"
	for _, size := range []int{1 << 20, 4096, 777} {
		out := streamed(t, r, text, size)
		assert.NotContains(t, out, "MIIEvQ", size)
		assert.True(t, strings.HasPrefix(out, "before\n") && strings.HasSuffix(out, "after\n"), "%q", out[max(0, len(out)-80):])
	}
	assert.NotContains(t, r.String(text), "MIIEvQ")
}

func TestSlogHandler(t *testing.T) {
	s := secretStore(t, canary)
	var out bytes.Buffer
	for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		log := slog.New(s.Redactor().Handler(h)).With("with", canary).WithGroup("g-" + canary)
		log.Info("message "+canary, "s", canary, "e", errors.New("x "+canary), "b", []byte(canary), "n", 42,
			slog.Group("group", "inner", canary), "st", struct{ A, b string }{canary, canary}, canary, 1,
			"m", map[string]string{"k": canary}, "h", hex.EncodeToString([]byte(canary)), "j", json.RawMessage(`{"a":"`+"ok"+`"}`),
			"v", valuer{}, "p", &struct{ K []byte }{[]byte(canary)})
	}
	assert.NotContains(t, out.String(), "canary")
	quoted, _ := json.Marshal(canary)
	assert.NotContains(t, out.String(), string(quoted[1:len(quoted)-1]))
	assert.NotContains(t, out.String(), base64.StdEncoding.EncodeToString([]byte(canary))[:20])
	assert.Contains(t, out.String(), `"n":42`, "what holds no secret keeps its type")
	assert.Contains(t, out.String(), "[redacted]")
	var control bytes.Buffer
	slog.New(slog.NewTextHandler(&control, nil)).Info("x", "s", canary)
	assert.Contains(t, control.String(), "canary")
}

type valuer struct{}

func (valuer) LogValue() slog.Value { return slog.StringValue("v " + canary) }

func useVectors() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"K17": func(t *testing.T) {
			t.Setenv("TEST_STORE_KEY", strings.Repeat("0123456789abcdef", 4))
			t.Setenv("CREDSTORE_PASSPHRASE", "also a key")
			t.Setenv("TEST_OTHER", "not named")
			o := options(t)
			o.Keys = []credstore.KeySource{credstore.Environment("TEST_STORE_KEY")}
			s := open(t, t.TempDir(), o)
			set(t, s, "a", "value-of-a")
			_, still := os.LookupEnv("TEST_STORE_KEY")
			assert.False(t, still, "read once, then gone")
			t.Setenv("TEST_STORE_KEY", "set again by somebody")
			out := runCommand(t, s, credstore.CommandOptions{Inherit: []string{"TEST_STORE_KEY", "CREDSTORE_PASSPHRASE", "PATH"}}, "env")
			assert.NotContains(t, out, "TEST_STORE_KEY")
			assert.NotContains(t, out, "CREDSTORE_")
			assert.NotContains(t, out, "TEST_OTHER")
			assert.Contains(t, out, "PATH=")
			control, err := exec.Command("env").Output()
			require.NoError(t, err)
			assert.Contains(t, string(control), "TEST_STORE_KEY", "the control: a plain child inherits it")
		},
		"V03": func(t *testing.T) {
			here := newWeb(t, nil)
			s := open(t, t.TempDir(), options(t))
			for _, value := range []string{"a\r\nX-Evil: 1", "a\nb", "a\x00b", "a\x7f"} {
				require.NoError(t, s.Set(t.Context(), "k", credstore.NewSecret([]byte(value)), credstore.Meta{Hosts: []string{here.host}}))
				_, err := (&http.Client{Transport: s.Transport(nil)}).Do(request(t, here.URL, "X-Key", "${cred:k}"))
				require.ErrorIs(t, err, credstore.ErrBadValue)
			}
			assert.Nil(t, here.seen.Load())
		},
		"V04": func(t *testing.T) {
			s := secretStore(t, "a\x00b-value")
			mark := filepath.Join(t.TempDir(), "ran")
			_, _, err := s.Command(t.Context(), credstore.CommandOptions{Env: map[string]string{"X": "a"}}, "touch", mark)
			require.ErrorIs(t, err, credstore.ErrBadValue)
			assert.NoFileExists(t, mark)
		},
		"R06": vectorR06,
		"X02": func(t *testing.T) {
			s := secretStore(t, canary)
			for _, argv := range [][]string{{"env"}, {"cat", "/proc/self/environ"}, {"sh", "-c", "cat /proc/$PPID/environ 2>/dev/null; ls -l /proc/self/fd"}} {
				assert.NotContains(t, runCommand(t, s, credstore.CommandOptions{}, argv...), "canary")
			}
			out := runCommand(t, s, credstore.CommandOptions{Env: map[string]string{"API_TOKEN": "a"}}, "env")
			assert.Contains(t, out, "canary", "the control: listed, it is there")
			assert.NotContains(t, s.Redactor().String(out), "canary")
		},
	}
}

// TestRedactorFlood: a run of beginnings of tokens, each of which an expression looks at, is cut off by a bound.
func TestRedactorFlood(t *testing.T) {
	r := secretStore(t, canary).Redactor()
	flood := strings.Repeat("xoxb-", 1_000)
	text := "before " + flood + " after\n" + strings.Repeat("xoxb-", 4) + "\n"
	whole := r.String(text)
	assert.True(t, strings.HasPrefix(whole, "before "), whole[:20])
	assert.Contains(t, whole, "[redacted]")
	assert.True(t, strings.HasSuffix(whole, " after\n"+strings.Repeat("xoxb-", 4)+"\n"), "what follows the run, and short runs, stay as they are")
	assert.LessOrEqual(t, strings.Count(whole, "xoxb-"), 16+4, "after so many the rest of the run is replaced unseen")
	var out strings.Builder
	w := r.Writer(&out)
	for i := range len(text) {
		_, err := io.WriteString(w, text[i:i+1])
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	assert.Equal(t, whole, out.String(), "byte by byte it is the same")
}

// TestRedactorHostile: text made to be slow takes time in proportion to its length.
func TestRedactorHostile(t *testing.T) {
	r := secretStore(t, canary).Redactor()
	for name, unit := range map[string]string{"open keys": "-----BEGIN RSA PRIVATE KEY", "keys": "-----BEGIN RSA PRIVATE KEY-----\n", "tokens": "eyJhbGciaaaaaa ", "bearer": "Bearer aaaaaaaaaaaaaaaa",
		"urls": "https://aaaaaaaaaa:", "variables": "A_TOKEN=a1\n", "blanks": " \n", "vendors": "xoxb-", "almost": canary[:len(canary)-1]} {
		small, large := strings.Repeat(unit, 2_000), strings.Repeat(unit, 40_000)
		r.String(small)
		start := time.Now()
		r.String(small)
		one := time.Since(start)
		start = time.Now()
		r.String(large)
		assert.Less(t, time.Since(start), 20*10*(one+5*time.Millisecond), name)
	}
}
