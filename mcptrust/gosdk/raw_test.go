package gosdk

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/mcptrust"
)

// rawServer speaks the older protocol and answers with the bytes it is told, so
// that it can be worse than any server of the SDK.
type rawServer struct {
	tools func(cursor string) string
	call  func() string
}

func (s *rawServer) answer(line []byte) string {
	var m struct {
		ID     json.RawMessage
		Method string
		Params struct{ Cursor string }
	}
	if json.Unmarshal(line, &m) != nil || m.ID == nil {
		return ""
	}
	result := `{}`
	switch m.Method {
	case "server/discover":
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}`, m.ID)
	case "initialize":
		result = `{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"raw","version":"1"}}`
	case "tools/list":
		result = s.tools(m.Params.Cursor)
	case "tools/call":
		result = s.call()
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
}

func (s *rawServer) connect(t *testing.T) mcp.Transport {
	fromClient, toServer := io.Pipe()
	fromServer, toClient := io.Pipe()
	t.Cleanup(func() { fromClient.Close(); toClient.Close() })
	go func() {
		in := bufio.NewReader(fromClient)
		for {
			line, err := in.ReadBytes('\n')
			if err != nil {
				toClient.Close()
				return
			}
			if out := s.answer(line); out != "" {
				if _, err := io.WriteString(toClient, out+"\n"); err != nil {
					return
				}
			}
		}
	}()
	return &mcp.IOTransport{Reader: fromServer, Writer: toServer}
}

func (s *rawServer) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	b, _ := io.ReadAll(req.Body)
	out := s.answer(b)
	if out == "" {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, out)
}

const page = `{"name":%q,"description":"x","inputSchema":{"type":"object"}}`

// A server that pages forever ends in an error, not in a loop.
func TestHostilePagesForever(t *testing.T) {
	n := 0
	s := &rawServer{tools: func(string) string {
		n++
		return fmt.Sprintf(`{"tools":[],"nextCursor":"%d"}`, n)
	}}
	control := plain(t, s.connect(t), "2025-11-25", nil)
	cursor := ""
	for range mcptrust.MaxPages + 10 {
		res, err := control.ListTools(t.Context(), &mcp.ListToolsParams{Cursor: cursor})
		require.NoError(t, err, "without the guard it goes on")
		cursor = res.NextCursor
	}
	f := guarded(t, s.connect(t), Options{})
	n = 0
	var last error
	for _, err := range f.Tools(t.Context(), nil) {
		last = err
	}
	require.ErrorContains(t, last, "pages")
	assert.LessOrEqual(t, n, mcptrust.MaxPages+1)
}

// Duplicates on one page and across pages, names that the SDK passes through,
// and schemas that are none.
func TestHostileLists(t *testing.T) {
	approveAll := func(f *fixture) {
		for _, c := range f.held.take() {
			if c.Token != "" {
				require.NoError(t, f.reg.Approve(t.Context(), c.Token.Confirm(c.Confirm)))
			}
		}
	}
	t.Run("one page", func(t *testing.T) {
		s := &rawServer{tools: func(string) string {
			return `{"tools":[{"name":"a","description":"one","inputSchema":{"type":"object"}},{"name":"a","description":"two","inputSchema":{"type":"object"}},` +
				`{"name":"","inputSchema":{"type":"object"}},{"name":"b","inputSchema":null},null,` + fmt.Sprintf(page, "good") + `]}`
		}, call: func() string { return `{"content":[]}` }}
		control := plain(t, s.connect(t), "2025-11-25", nil)
		assert.Subset(t, names(t, control), []string{"a", "a", "b"}, "the SDK passes them through")
		f := guarded(t, s.connect(t), Options{})
		names(t, f.ClientSession)
		approveAll(f)
		assert.Equal(t, []string{"good"}, names(t, f.ClientSession))
		_, err := call(t, f.ClientSession, "a")
		require.Error(t, err)
	})
	t.Run("two pages", func(t *testing.T) {
		s := &rawServer{tools: func(cursor string) string {
			if cursor == "" {
				return `{"tools":[` + fmt.Sprintf(page, "a") + `,` + fmt.Sprintf(page, "b") + `],"nextCursor":"2"}`
			}
			return `{"tools":[{"name":"a","description":"another","inputSchema":{"type":"object"}}]}`
		}, call: func() string { return `{"content":[]}` }}
		f := guarded(t, s.connect(t), Options{})
		names(t, f.ClientSession)
		approveAll(f)
		names(t, f.ClientSession)
		_, err := call(t, f.ClientSession, "b")
		require.NoError(t, err)
		_, err = call(t, f.ClientSession, "a")
		require.Error(t, err, "which of the two is not clear")
	})
	t.Run("broken UTF-8", func(t *testing.T) {
		s := &rawServer{tools: func(string) string {
			return "{\"tools\":[{\"name\":\"a\\ud800\",\"description\":\"\xff\xfe\",\"inputSchema\":{\"type\":\"object\"}}," + fmt.Sprintf(page, "good") + "]}"
		}}
		f := guarded(t, s.connect(t), Options{})
		_, err := f.ListTools(t.Context(), nil)
		if err == nil {
			// The SDK repaired it; the repaired text is flagged and what passes is clean.
			for _, c := range f.held.take() {
				if c.Name != "good" {
					assert.NotEqual(t, mcptrust.Trusted, c.Status)
					assert.NotContains(t, c.Prompt, "\xff")
				}
			}
		}
	})
	t.Run("1e400", func(t *testing.T) {
		s := &rawServer{tools: func(string) string {
			return `{"tools":[{"name":"a","inputSchema":{"type":"object","maximum":1e400}}]}`
		}}
		f := guarded(t, s.connect(t), Options{})
		list, err := f.ListTools(t.Context(), nil)
		if err == nil {
			assert.Empty(t, list.Tools)
		}
		_, err = call(t, f.ClientSession, "a")
		require.Error(t, err)
	})
	t.Run("too many", func(t *testing.T) {
		s := &rawServer{tools: func(string) string {
			return `{"tools":[` + strings.Repeat(`{"name":"a","inputSchema":{}},`, mcptrust.MaxItems) + `{"name":"a","inputSchema":{}}]}`
		}}
		f := guarded(t, s.connect(t), Options{})
		_, err := f.ListTools(t.Context(), nil)
		require.Error(t, err)
	})
}

// An answer of 100 MB ends in an error before it is all in memory. Without the
// guard the SDK reads a JSON answer over HTTP to its end.
func TestHostileHugeAnswer(t *testing.T) {
	const huge = 100 << 20
	body := func(w io.Writer, n int) (sent int) {
		chunk := []byte(strings.Repeat("x", 1<<20))
		for sent < n {
			m, err := w.Write(chunk)
			sent += m
			if err != nil {
				return sent
			}
		}
		return sent
	}
	var sent int
	size := huge
	done := make(chan struct{}, 8)
	s := &rawServer{tools: func(string) string { return `{"tools":[` + fmt.Sprintf(page, "read") + `]}` }}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, _ := io.ReadAll(req.Body)
		if !strings.Contains(string(b), `"tools/call"`) {
			req.Body = io.NopCloser(strings.NewReader(string(b)))
			s.ServeHTTP(w, req)
			return
		}
		var m struct{ ID json.RawMessage }
		_ = json.Unmarshal(b, &m)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"`, m.ID)
		sent = body(w, size)
		_, _ = io.WriteString(w, `"}]}}`)
		done <- struct{}{}
	}))
	t.Cleanup(web.Close)

	size = 20 << 20 // the control reads all of it; less is enough to show that
	control := plain(t, &mcp.StreamableClientTransport{Endpoint: web.URL}, "2025-11-25", nil)
	res, err := call(t, control, "read")
	require.NoError(t, err)
	assert.Greater(t, len(res.Content[0].(*mcp.TextContent).Text), MaxMessageBytes, "without the guard there is no bound")
	<-done

	size = huge
	r, project := newRegistry(t)
	srv := mcptrust.Server{Name: "web", Transport: mcptrust.HTTP, URL: mcptrust.Literal(web.URL)}
	trust(t, r, project, srv)
	var held withheld
	cs, err := Connect(t.Context(), srv, Options{Registry: r, Project: project, Withheld: held.add})
	require.NoError(t, err)
	t.Cleanup(func() { _ = cs.Close() })
	names(t, cs.ClientSession)
	held.approve(t, r)
	names(t, cs.ClientSession)
	_, err = call(t, cs.ClientSession, "read")
	require.Error(t, err)
	<-done
	assert.Less(t, sent, huge, "the connection was closed before the end")

	// Over stdio.
	s.call = func() string {
		return `{"content":[{"type":"text","text":"` + strings.Repeat("x", huge) + `"}]}`
	}
	f := guarded(t, s.connect(t), Options{})
	names(t, f.ClientSession)
	f.held.approve(t, f.reg)
	names(t, f.ClientSession)
	_, err = call(t, f.ClientSession, "read")
	require.Error(t, err)
}

// A redirect or an endpoint on another origin would take the headers along.
func TestHTTPStaysOnOrigin(t *testing.T) {
	leaked := 0
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("X-Api-Key") != "" {
			leaked++
		}
	}))
	t.Cleanup(other.Close)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, other.URL, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(web.Close)

	req, err := http.NewRequest(http.MethodPost, web.URL, strings.NewReader("{}"))
	require.NoError(t, err)
	req.Header.Set("X-Api-Key", "k")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	res.Body.Close()
	assert.Equal(t, 1, leaked, "a plain client takes the key along")

	r, project := newRegistry(t)
	s := mcptrust.Server{Name: "web", Transport: mcptrust.HTTP, URL: mcptrust.Literal(web.URL), Headers: map[string]mcptrust.Value{"X-Api-Key": mcptrust.Literal("k")}}
	trust(t, r, project, s)
	_, err = Connect(t.Context(), s, Options{Registry: r, Project: project})
	require.Error(t, err)
	assert.Equal(t, 1, leaked)
	g, err := NewGuard(t.Context(), s, Options{Registry: r, Project: project})
	require.NoError(t, err)
	c, err := g.HTTPClient(t.Context())
	require.NoError(t, err)
	_, err = c.Get(other.URL)
	assert.ErrorIs(t, err, ErrOrigin)
}

func TestTransportsThatAreRefused(t *testing.T) {
	r, project := newRegistry(t)
	helper := mcptrust.Server{Name: "h", Transport: mcptrust.HTTP, URL: mcptrust.Literal("https://x.example/mcp"), HeadersHelper: mcptrust.Literal("print-headers")}
	ws := mcptrust.Server{Name: "w", Transport: mcptrust.WS, URL: mcptrust.Literal("wss://x.example/mcp")}
	for _, s := range []mcptrust.Server{helper, ws} {
		trust(t, r, project, s)
		_, err := Connect(t.Context(), s, Options{Registry: r, Project: project})
		require.Error(t, err)
	}
}
