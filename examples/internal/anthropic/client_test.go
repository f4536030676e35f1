package anthropic

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/credstore"
)

const key = "sk-ant-test-5bQ7xN0pZr41kTgW"

// store is a credential store that gives the key to one host.
func store(t *testing.T, hosts ...string) *credstore.Store {
	t.Helper()
	dir := t.TempDir()
	s, err := credstore.Open(t.Context(), filepath.Join(dir, "secrets"), credstore.Options{StateDir: filepath.Join(dir, "state")})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	require.NoError(t, s.Set(t.Context(), KeyName, credstore.NewSecret([]byte(key)), credstore.Meta{Hosts: hosts}))
	return s
}

// stub is a server with one handler and a client for it.
func stub(t *testing.T, h http.HandlerFunc) (*Client, *httptest.Server) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The server notices that a client went away only once it has read the body.
		b, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		r.Body = io.NopCloser(bytes.NewReader(b))
		h(w, r)
	}))
	t.Cleanup(srv.Close)
	s := store(t, srv.Listener.Addr().String())
	return &Client{HTTP: &http.Client{Transport: s.Transport(&http.Transport{DisableKeepAlives: true})}, URL: srv.URL, Model: "test-model", Redact: s.Redactor().String}, srv
}

func hello() Request {
	return Request{Messages: []Message{{Role: "user", Content: []Block{{Type: "text", Text: "hello"}}}}}
}

func ev(name, data string) string { return "event: " + name + "\ndata: " + data + "\n\n" }

// The events of the documentation, in its order.
var (
	start     = ev("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"test-model","stop_reason":null,"usage":{"input_tokens":25,"output_tokens":1}}}`)
	ping      = ev("ping", `{"type":"ping"}`)
	textStart = ev("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`)
	hel       = ev("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}`)
	lo        = ev("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo 世界"}}`)
	textStop  = ev("content_block_stop", `{"type":"content_block_stop","index":0}`)
	endTurn   = ev("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}}`)
	stop      = ev("message_stop", `{"type":"message_stop"}`)
	whole     = start + ping + textStart + hel + ping + lo + textStop + endTurn + stop
)

func stream(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("request-id", "req_011CSHoEeqs5C35K2UUqR7Fy")
	_, _ = io.WriteString(w, text)
}

func TestSend(t *testing.T) {
	var got map[string]any
	c, _ := stub(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/v1/messages", r.URL.Path)
		assert.Equal(t, http.MethodPost, r.Method)
		assert.Equal(t, key, r.Header.Get("x-api-key"), "the transport puts the key in")
		assert.Equal(t, "2023-06-01", r.Header.Get("anthropic-version"))
		assert.Equal(t, "application/json", r.Header.Get("content-type"))
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&got))
		stream(w, whole)
	})
	var pieces []string
	req := hello()
	req.System = "Be brief."
	req.Tools = []Tool{{Name: "Bash", Description: "runs", InputSchema: json.RawMessage(`{"type":"object","properties":{"command":{"type":"string"}}}`)}}
	req.Messages = append(req.Messages,
		Message{Role: "assistant", Content: []Block{{Type: "thinking", thinking: "hm", signature: "sig"}, {Type: "tool_use", ID: "t1", Name: "Bash", Input: json.RawMessage(`{"command":"ls"}`)}, {Type: "tool_use", ID: "t2", Name: "Bash"}}},
		Message{Role: "user", Content: []Block{{Type: "tool_result", ToolUseID: "t1", Content: "a.txt"}, {Type: "tool_result", ToolUseID: "t2", Content: "no", IsError: true}}})
	reply, err := c.Send(t.Context(), req, func(s string) { pieces = append(pieces, s) })
	require.NoError(t, err)
	require.Equal(t, Reply{Content: []Block{{Type: "text", Text: "Hello 世界"}}, StopReason: "end_turn", Usage: Usage{25, 15}}, reply)
	require.Equal(t, []string{"Hel", "lo 世界"}, pieces)
	require.Equal(t, "Hello 世界", reply.Text())
	want := `{"model":"test-model","max_tokens":4096,"stream":true,"system":"Be brief.",
		"messages":[{"role":"user","content":[{"type":"text","text":"hello"}]},
			{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"tool_use","id":"t1","name":"Bash","input":{"command":"ls"}},{"type":"tool_use","id":"t2","name":"Bash","input":{}}]},
			{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"a.txt"},{"type":"tool_result","tool_use_id":"t2","content":"no","is_error":true}]}],
		"tools":[{"name":"Bash","description":"runs","input_schema":{"type":"object","properties":{"command":{"type":"string"}}}}]}`
	b, err := json.Marshal(got)
	require.NoError(t, err)
	require.JSONEq(t, want, string(b))
}

// TestToolCall: input comes in pieces, thoughts go back as they came.
func TestToolCall(t *testing.T) {
	text := start +
		ev("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`) +
		ev("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Let me "}}`) +
		ev("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"see"}}`) +
		ev("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB"}}`) + textStop +
		ev("content_block_start", `{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"Emw"}}`) + ev("content_block_stop", `{"type":"content_block_stop","index":1}`) +
		ev("content_block_start", `{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"Bash","input":{}}}`) +
		ev("content_block_delta", `{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}`) +
		ev("content_block_delta", `{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"command\": \"l"}}`) +
		ev("content_block_delta", `{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"s\"}"}}`) +
		ev("content_block_stop", `{"type":"content_block_stop","index":2}`) +
		ev("content_block_start", `{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_2","name":"Now","input":{}}}`) + ev("content_block_stop", `{"type":"content_block_stop","index":3}`) +
		ev("message_delta", `{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":89}}`) + stop
	c, _ := stub(t, func(w http.ResponseWriter, _ *http.Request) { stream(w, text) })
	reply, err := c.Send(t.Context(), hello(), nil)
	require.NoError(t, err)
	require.Equal(t, "tool_use", reply.StopReason)
	require.Len(t, reply.Content, 4)
	require.Equal(t, Block{Type: "tool_use", ID: "toolu_1", Name: "Bash", Input: json.RawMessage(`{"command": "ls"}`)}, reply.Content[2])
	require.JSONEq(t, `{}`, string(reply.Content[3].Input))
	back, err := json.Marshal(reply.Content[:2])
	require.NoError(t, err)
	require.JSONEq(t, `[{"type":"thinking","thinking":"Let me see","signature":"EqQB"},{"type":"redacted_thinking","data":"Emw"}]`, string(back))
}

// TestChunks: how the bytes are cut into packets changes nothing.
func TestChunks(t *testing.T) {
	want, err := (&Client{}).read(strings.NewReader(whole), func(string) {})
	require.NoError(t, err)
	for name, text := range map[string]string{
		"as it is":         whole,
		"CRLF":             strings.ReplaceAll(whole, "\n", "\r\n"),
		"no blank":         strings.ReplaceAll(whole, ": {", ":{"),
		"comments and ids": ": hello\nid: 7\nretry: 10\n\n" + strings.ReplaceAll(whole, "event:", ":x\nid: 1\nevent:"),
		"lines of data":    strings.ReplaceAll(whole, `,"delta"`, "\ndata: "+`,"delta"`),
		"unknown events":   strings.ReplaceAll(whole, ping, ev("some_new_event", `anything`)),
	} {
		for _, size := range []int{1, 2, 3, 7, 64, 1 << 20} {
			got, err := (&Client{}).read(&slow{strings.NewReader(text), size}, func(string) {})
			require.NoError(t, err, "%s by %d", name, size)
			require.Equal(t, want, got, "%s by %d", name, size)
		}
	}
}

// slow reads few bytes at a time.
type slow struct {
	r io.Reader
	n int
}

func (s *slow) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), s.n)]) }

// TestBrokenStreams: each is an error with nothing to use, never a reply.
func TestBrokenStreams(t *testing.T) {
	tool := func(parts ...string) string {
		out := start + ev("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"Bash","input":{}}}`)
		for _, p := range parts {
			b, _ := json.Marshal(p)
			out += ev("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":`+string(b)+`}}`)
		}
		return out + textStop + endTurn + stop
	}
	many := start
	for i := range MaxBlocks + 1 {
		many += ev("content_block_start", fmt.Sprintf(`{"type":"content_block_start","index":%d,"content_block":{"type":"text","text":"x"}}`, i)) +
			ev("content_block_stop", fmt.Sprintf(`{"type":"content_block_stop","index":%d}`, i))
	}
	// One server and one store for all of them: making these takes longer than
	// reading a stream.
	var now atomic.Pointer[string]
	c, _ := stub(t, func(w http.ResponseWriter, _ *http.Request) { stream(w, *now.Load()) })
	for name, text := range map[string]string{
		"empty":                        "",
		"cut after the start":          start,
		"cut in a line":                whole[:len(whole)-7],
		"cut before the last blank":    whole[:len(whole)-1],
		"cut before message_stop":      strings.TrimSuffix(whole, stop),
		"no start":                     strings.TrimPrefix(whole, start),
		"two starts":                   start + whole,
		"start of a user":              strings.Replace(whole, `"role":"assistant"`, `"role":"user"`, 1),
		"delta without a block":        start + hel + stop,
		"delta after its block":        start + textStart + textStop + hel + endTurn + stop,
		"delta of another block":       strings.Replace(whole, `"index":0,"delta"`, `"index":1,"delta"`, 1),
		"block stopped twice":          start + textStart + textStop + textStop + endTurn + stop,
		"block in a block":             start + textStart + textStart + textStop + endTurn + stop,
		"block with a hole":            start + strings.Replace(textStart, `"index":0`, `"index":1`, 1) + stop,
		"block without an index":       start + strings.Replace(textStart, `"index":0,`, ``, 1) + stop,
		"block after the end":          start + endTurn + textStart + textStop + stop,
		"end inside a block":           start + textStart + hel + endTurn + stop,
		"stop without an end":          start + textStart + hel + textStop + stop,
		"stop at once":                 stop,
		"name and type differ":         strings.Replace(whole, "event: content_block_delta", "event: content_block_stop", 1),
		"no name":                      "data: {\"type\":\"message_start\"}\n\n" + whole,
		"not JSON":                     start + ev("content_block_start", `{"type":`) + stop,
		"an array":                     start + ev("content_block_start", `[]`) + stop,
		"index is text":                start + strings.Replace(textStart, `"index":0`, `"index":"0"`, 1) + stop,
		"index is negative":            start + strings.Replace(textStart, `"index":0`, `"index":-1`, 1) + stop,
		"unknown block":                start + strings.Replace(textStart, `"type":"text"`, `"type":"server_tool_use"`, 1) + stop,
		"unknown delta":                strings.Replace(whole, `text_delta`, `sound_delta`, 1),
		"tool delta in a text":         strings.Replace(whole, `text_delta`, `input_json_delta`, 1),
		"tool input cut":               tool(`{"command":"rm -`),
		"tool input an array":          tool(`[1]`),
		"tool input twice":             tool(`{"a":1}`, `{"b":1}`),
		"tool without a name":          strings.Replace(tool(`{}`), `"name":"Bash"`, `"name":""`, 1),
		"two tools of one id":          strings.Replace(tool(`{}`), endTurn, strings.ReplaceAll(strings.TrimPrefix(strings.TrimSuffix(tool(`{}`), endTurn+stop), start), `"index":0`, `"index":1`)+endTurn, 1),
		"deep":                         start + ev("content_block_start", `{"type":"content_block_start","x":`+strings.Repeat("[", 100_000)) + stop,
		"not UTF-8":                    strings.Replace(whole, "Hel", "H\xffl", 1),
		"NUL":                          strings.Replace(whole, "Hel", "H\x00l", 1),
		"lone CR":                      strings.Replace(whole, "\n", "\r", 3),
		"unknown field":                "evil: x\n" + whole,
		"HTML":                         "<html><body>Sign in to the hotel network</body></html>\n\n",
		"byte order mark":              "\ufeff" + whole,
		"a line of 2 MB":               start + ev("ping", strings.Repeat("x", 2<<20)),
		"a line that never ends":       start + "data: " + strings.Repeat("x", 20<<20),
		"an event of many lines":       start + strings.Repeat("data: x\n", 300_000) + "\n" + whole,
		"an event of endless comments": start + strings.Repeat(": x\n", 400_000) + whole,
		"too many blocks":              many + endTurn + stop,
	} {
		t.Run(name, func(t *testing.T) {
			now.Store(&text)
			reply, err := c.Send(t.Context(), hello(), nil)
			require.Error(t, err)
			require.Equal(t, Reply{}, reply, "an incomplete reply must not be used")
			var broken *StreamError
			require.ErrorAs(t, err, &broken)
			require.Equal(t, "req_011CSHoEeqs5C35K2UUqR7Fy", broken.RequestID)
			require.Less(t, len(err.Error()), 400)
		})
	}
	// The same server with the whole stream.
	now.Store(&whole)
	_, err := c.Send(t.Context(), hello(), nil)
	require.NoError(t, err)
}

// TestEndless: a server that never stops sending is stopped, in bounded memory.
func TestEndless(t *testing.T) {
	for name, part := range map[string]string{"pings": ping, "text": hel, "comments": ":\n\n", "unknown": ev("x", "y"), "blank lines": "\n\n\n\n"} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan struct{})
			c, _ := stub(t, func(w http.ResponseWriter, r *http.Request) {
				defer close(ended)
				stream(w, start+textStart)
				chunk := strings.Repeat(part, 1+64<<10/len(part))
				for {
					if _, err := io.WriteString(w, chunk); err != nil {
						return
					}
				}
			})
			// One kind is enough for the real limit: the shorter the events, the
			// longer 16 MiB of them take, most of all under the race detector.
			if name != "text" || testing.Short() {
				c.stream = 1 << 20
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := c.Send(t.Context(), hello(), nil)
			runtime.ReadMemStats(&after)
			require.ErrorIs(t, err, ErrTooLarge)
			<-ended
			if name != "text" {
				require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(40<<20))
			}
		})
	}
}

func TestZipBomb(t *testing.T) {
	c, _ := stub(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "text/event-stream")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, start)
		zeros := make([]byte, 1<<20)
		for range 256 {
			if _, err := z.Write(zeros); err != nil {
				return
			}
		}
		_ = z.Close()
	})
	if testing.Short() {
		c.stream = 1 << 20
	}
	_, err := c.Send(t.Context(), hello(), nil)
	require.ErrorIs(t, err, ErrTooLarge)
}

func TestSilence(t *testing.T) {
	wait := func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	for name, h := range map[string]http.HandlerFunc{
		"no header": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"no event":  func(w http.ResponseWriter, r *http.Request) { stream(w, ""); wait(w, r) },
		"half":      func(w http.ResponseWriter, r *http.Request) { stream(w, start+textStart+hel); wait(w, r) },
		"error":     func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500); wait(w, r) },
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := stub(t, h)
			c.idle = 100 * time.Millisecond
			_, err := c.Send(t.Context(), hello(), nil)
			require.ErrorIs(t, err, ErrTimeout)
		})
	}
	t.Run("drip", func(t *testing.T) {
		c, _ := stub(t, func(w http.ResponseWriter, r *http.Request) {
			stream(w, start)
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-r.Context().Done():
					return
				case <-tick.C:
					_, _ = io.WriteString(w, ping)
					w.(http.Flusher).Flush()
				}
			}
		})
		c.total = 200 * time.Millisecond
		_, err := c.Send(t.Context(), hello(), nil)
		require.ErrorIs(t, err, ErrTimeout)
	})
	// A slow reader of the text is not the server's silence.
	t.Run("slow caller", func(t *testing.T) {
		c, _ := stub(t, func(w http.ResponseWriter, _ *http.Request) { stream(w, whole) })
		// Where the machine is busy the server itself may be silent for so long.
		for c.idle = 200 * time.Millisecond; ; c.idle *= 4 {
			_, err := c.Send(t.Context(), hello(), func(string) {
				<-time.After(c.idle * 3 / 2) // longer than idle: that is what is tested
			})
			if err == nil {
				break
			}
			require.ErrorIs(t, err, ErrTimeout)
			require.Less(t, c.idle, 10*time.Second)
		}
	})
}

func TestCancel(t *testing.T) {
	gone := make(chan struct{})
	c, _ := stub(t, func(w http.ResponseWriter, r *http.Request) {
		stream(w, start+textStart+hel)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(gone)
	})
	ctx, cancel := context.WithCancel(t.Context())
	reply, err := c.Send(ctx, hello(), func(string) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, ErrTimeout)
	require.Equal(t, Reply{}, reply)
	<-gone // the connection was closed
	_, err = c.Send(ctx, hello(), nil)
	require.ErrorIs(t, err, context.Canceled)
}

func TestAPIErrors(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		kind   string
		retry  bool
	}{
		{400, "invalid_request_error", "invalid_request_error", false},
		{401, "authentication_error", "authentication_error", false},
		{402, "billing_error", "billing_error", false},
		{403, "permission_error", "permission_error", false},
		{404, "not_found_error", "not_found_error", false},
		{413, "request_too_large", "request_too_large", false},
		{429, "rate_limit_error", "rate_limit_error", true},
		{500, "api_error", "api_error", true},
		{504, "timeout_error", "timeout_error", true},
		{529, "overloaded_error", "overloaded_error", true},
		{400, key, "", false},
		{400, "\x1b[31m_error", "", false},
	} {
		c, _ := stub(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("request-id", "req_1")
			w.Header().Set("retry-after", "7")
			w.WriteHeader(tt.status)
			_ = json.NewEncoder(w).Encode(map[string]any{"type": "error", "error": map[string]string{
				"type": tt.body, "message": "the key " + key + " is\x1b[31m bad\n" + strings.Repeat("x", 2000)}})
		})
		_, err := c.Send(t.Context(), hello(), nil)
		var api *APIError
		require.ErrorAs(t, err, &api)
		require.Equal(t, tt.status, api.Status)
		require.Equal(t, tt.kind, api.Type)
		require.Equal(t, tt.retry, api.Retryable)
		require.Equal(t, "req_1", api.RequestID)
		require.Equal(t, 7*time.Second, api.RetryAfter)
		require.Contains(t, api.Message, "the key [redacted] is [31m bad x")
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), key)
		require.Less(t, len(err.Error()), 700)

		c.Redact = nil
		_, err = c.Send(t.Context(), hello(), nil)
		require.ErrorAs(t, err, &api)
		require.Empty(t, api.Message, "what cannot be redacted is left out")
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), key)
	}
	// A server that puts the key where names stand.
	c, _ := stub(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("request-id", "req_"+r.Header.Get("x-api-key"))
		w.WriteHeader(500)
		_, _ = io.WriteString(w, strings.Repeat("<p>"+r.Header.Get("x-api-key"), 100_000))
	})
	_, err := c.Send(t.Context(), hello(), nil)
	var api *APIError
	require.ErrorAs(t, err, &api)
	require.Equal(t, APIError{Status: 500, Retryable: true}, *api)
}

func TestErrorEvent(t *testing.T) {
	c, _ := stub(t, func(w http.ResponseWriter, _ *http.Request) {
		stream(w, start+textStart+hel+ev("error", `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`)+whole)
	})
	reply, err := c.Send(t.Context(), hello(), nil)
	require.Equal(t, Reply{}, reply)
	var api *APIError
	require.ErrorAs(t, err, &api)
	require.Equal(t, APIError{Status: 200, Type: "overloaded_error", Message: "Overloaded", RequestID: "req_011CSHoEeqs5C35K2UUqR7Fy", Retryable: true}, *api)
}

func TestNotAStream(t *testing.T) {
	for _, kind := range []string{"", "text/html", "application/json", "text/event-stream-x"} {
		c, _ := stub(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = []string{kind}
			_, _ = io.WriteString(w, whole)
		})
		_, err := c.Send(t.Context(), hello(), nil)
		var broken *StreamError
		require.ErrorAs(t, err, &broken, kind)
	}
}

// TestKeyStaysWithItsHost: the key reaches only the listed host, and a
// redirect takes neither the key nor the conversation elsewhere.
func TestKeyStaysWithItsHost(t *testing.T) {
	var reached atomic.Int32
	var seen atomic.Value
	seen.Store("")
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		b, _ := io.ReadAll(r.Body)
		seen.Store(fmt.Sprint(r.Header, string(b)))
		stream(w, whole)
	}))
	defer other.Close()

	for _, status := range []int{301, 302, 303, 307, 308} {
		c, _ := stub(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/v1/messages", status)
		})
		_, err := c.Send(t.Context(), hello(), nil)
		var api *APIError
		require.ErrorAs(t, err, &api)
		require.Equal(t, status, api.Status)
		require.Contains(t, err.Error(), "redirect")
		require.Zero(t, reached.Load())
	}

	// The guard off: a plain client follows, and the conversation leaves. The
	// key still does not, because the transport drops it.
	c, srv := stub(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/v1/messages", http.StatusTemporaryRedirect)
	})
	req, err := c.request(hello())
	require.NoError(t, err)
	resp, err := c.HTTP.Do(req)
	require.NoError(t, err)
	resp.Body.Close()
	require.EqualValues(t, 1, reached.Load())
	require.Contains(t, seen.Load(), "hello")
	require.NotContains(t, seen.Load(), key)

	// A URL that the entry does not list: nothing is sent.
	c.URL = other.URL
	_, err = c.Send(t.Context(), hello(), nil)
	require.ErrorIs(t, err, credstore.ErrHost)
	require.EqualValues(t, 1, reached.Load())

	// A name that leads to the listed address is another host.
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	require.NoError(t, err)
	c.URL = "http://localhost:" + port
	_, err = c.Send(t.Context(), hello(), nil)
	require.ErrorIs(t, err, credstore.ErrHost)

	// No key in the store.
	dir := t.TempDir()
	empty, err := credstore.Open(t.Context(), filepath.Join(dir, "secrets"), credstore.Options{StateDir: filepath.Join(dir, "state")})
	require.NoError(t, err)
	defer empty.Close()
	c.HTTP, c.URL = &http.Client{Transport: empty.Transport(nil)}, other.URL
	_, err = c.Send(t.Context(), hello(), nil)
	require.ErrorIs(t, err, credstore.ErrNotFound)
	require.EqualValues(t, 1, reached.Load())
}

func TestBadRequests(t *testing.T) {
	called := false
	good := Client{Model: "m", HTTP: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		called = true
		return nil, errors.New("sent")
	})}}
	bad := func(name string, c Client, r Request) {
		t.Helper()
		called = false
		_, err := c.Send(context.Background(), r, nil)
		require.Error(t, err, name)
		require.False(t, called, name)
	}
	with := func(f func(*Client)) Client { c := good; f(&c); return c }
	bad("zero client", Client{}, hello())
	bad("no HTTP", Client{Model: "m"}, hello())
	bad("no model", Client{HTTP: good.HTTP}, hello())
	bad("negative tokens", with(func(c *Client) { c.MaxTokens = -1 }), hello())
	for _, u := range []string{"file:///etc/passwd", "api.anthropic.com", "https://", "https://user:pass@host", "https://h?x=1", "https://h#x", "ftp://h", "https://h\n", "://"} {
		bad(u, with(func(c *Client) { c.URL = u }), hello())
	}
	bad("no message", good, Request{})
	bad("empty message", good, Request{Messages: []Message{{Role: "user"}}})
	bad("system role", good, Request{Messages: []Message{{Role: "system", Content: []Block{{Type: "text", Text: "x"}}}}})
	bad("unknown block", good, Request{Messages: []Message{{Role: "user", Content: []Block{{Type: "image"}}}}})
	bad("zero block", good, Request{Messages: []Message{{Role: "user", Content: []Block{{}}}}})
	bad("bad input", good, Request{Messages: []Message{{Role: "assistant", Content: []Block{{Type: "tool_use", Input: json.RawMessage(`{`)}}}}})
	bad("no tool name", good, Request{Messages: hello().Messages, Tools: []Tool{{}}})
	bad("huge", good, Request{Messages: hello().Messages, System: strings.Repeat("x", MaxRequest)})
	called = false
	_, err := good.Send(context.Background(), hello(), nil)
	require.ErrorContains(t, err, "sent")
	require.True(t, called)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// FuzzStream: no stream makes the reader panic, or a reply that cannot be sent
// back, and cutting a stream into bytes changes nothing.
func FuzzStream(f *testing.F) {
	f.Add(whole)
	f.Add(strings.ReplaceAll(whole, "\n", "\r\n"))
	f.Add(start + ev("error", `{"error":{"type":"overloaded_error"}}`))
	f.Fuzz(func(t *testing.T, text string) {
		c := &Client{}
		got, err := c.read(strings.NewReader(text), func(string) {})
		again, err2 := c.read(&slow{strings.NewReader(text), 1}, func(string) {})
		require.Equal(t, err == nil, err2 == nil)
		require.Equal(t, got, again)
		if err == nil {
			require.NotEmpty(t, got.StopReason)
			_, err := json.Marshal(got.Content)
			require.NoError(t, err)
		}
	})
}
