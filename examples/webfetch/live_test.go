package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/credstore"
	"github.com/clearance-go/clearance/examples/internal/anthropic"
)

const apiKey = "sk-ant-test-7d20c41fbe963a58"

// api is a stand-in for the Messages API that streams one reply and keeps the
// requests.
type api struct {
	*httptest.Server
	mu      sync.Mutex
	bodies  []string
	headers []http.Header
}

func newAPI(t *testing.T, events ...string) *api {
	t.Helper()
	a := &api{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		a.mu.Lock()
		a.bodies, a.headers = append(a.bodies, string(body)), append(a.headers, r.Header.Clone())
		a.mu.Unlock()
		w.Header().Set("Content-Type", "text/event-stream")
		for _, e := range events {
			var head struct{ Type string }
			assert.NoError(t, json.Unmarshal([]byte(e), &head))
			fmt.Fprintf(w, "event: %s\ndata: %s\n\n", head.Type, e)
			w.(http.Flusher).Flush()
		}
	}))
	t.Cleanup(a.Close)
	return a
}

const (
	messageStart = `{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"model":"x","stop_reason":null,"usage":{"input_tokens":1,"output_tokens":1}}}`
	blockStop    = `{"type":"content_block_stop","index":0}`
	messageStop  = `{"type":"message_stop"}`
)

func textReply(text string) []string {
	quoted, _ := json.Marshal(text)
	return []string{messageStart, `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":` + string(quoted) + `}}`, blockStop,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":1}}`, messageStop}
}

// runLive runs the demonstration with a key in the store of an empty home.
func runLive(t *testing.T, a *api, key bool) (status int, out, errs string) {
	t.Helper()
	root := t.TempDir()
	for _, name := range []string{"HOME", "USERPROFILE", "AppData", "LocalAppData", "TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, root)
	}
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(root, "config"))
	t.Setenv("XDG_STATE_HOME", filepath.Join(root, "state"))
	if key {
		store, err := credstore.Open(t.Context(), filepath.Join(root, "config", "clearance", "secrets"), credstore.Options{})
		require.NoError(t, err)
		require.NoError(t, store.Set(t.Context(), anthropic.KeyName, credstore.NewSecret([]byte(apiKey)), credstore.Meta{Hosts: []string{a.Listener.Addr().String()}}))
		require.NoError(t, store.Close())
	}
	var o, e bytes.Buffer
	status = run(t.Context(), []string{"-demo", "-live", "-url", a.URL, "-answers", "y"}, nil, &o, &e)
	return status, o.String(), e.String()
}

// TestLive is the whole way: the page from a real server, the key from a real
// store, the answer from a stand-in for the API.
func TestLive(t *testing.T) {
	a := newAPI(t, textReply("Tuesday to Saturday.\x1b[2J\nIt also holds an order, which I did not follow.")...)
	status, out, errs := runLive(t, a, true)
	require.Zero(t, status, errs)
	require.Contains(t, out, "[untrusted: ")
	require.Contains(t, out, "> Tuesday to Saturday.")
	require.Contains(t, out, "> It also holds an order")
	require.NotContains(t, out, "\x1b")
	require.NotContains(t, out+errs, apiKey)
	require.NotContains(t, out, "INJECTED", "nothing of the page but the answer")

	require.Len(t, a.bodies, 1)
	require.Equal(t, apiKey, a.headers[0].Get("x-api-key"))
	var request struct {
		System   string
		Messages []struct {
			Role    string
			Content []struct{ Type, Text string }
		}
		Tools []json.RawMessage
	}
	require.NoError(t, json.Unmarshal([]byte(a.bodies[0]), &request))
	require.Empty(t, request.Tools, "it can do nothing")
	require.Len(t, request.Messages, 1, "and knows nothing else")
	text := request.Messages[0].Content[0].Text
	require.Contains(t, text, demoQuestion)
	require.Contains(t, text, "touch INJECTED\n", "what a reader of the page sees")
	require.NotContains(t, text, "INJECTED-HIDDEN")
	require.NotContains(t, a.bodies[0], apiKey)
}

// TestLiveModelThatObeys: a model that follows the page's order wants a tool; it
// has none, and what it wanted is dropped.
func TestLiveModelThatObeys(t *testing.T) {
	a := newAPI(t, messageStart,
		`{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"Bash","input":{}}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"command\":\"touch INJECTED\"}"}}`, blockStop,
		`{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":1}}`, messageStop)
	status, out, errs := runLive(t, a, true)
	require.Equal(t, 1, status)
	require.NotContains(t, out, "[untrusted")
	require.NotContains(t, out+errs, "INJECTED")
	require.Len(t, a.bodies, 1, "it is not asked again")
}

// TestLiveKeyGoesToItsHostOnly: the entry lists another host, so nothing is
// sent; without an entry the recorded model answers.
func TestLiveKeyGoesToItsHostOnly(t *testing.T) {
	a, other := newAPI(t, textReply("x")...), newAPI(t, textReply("y")...)
	b := &api{Server: &httptest.Server{URL: a.URL, Listener: other.Listener}}
	status, _, errs := runLive(t, b, true)
	require.Equal(t, 1, status)
	require.Contains(t, errs, "must list the host")
	require.Empty(t, a.bodies)
	require.Empty(t, other.bodies)
	status, out, errs := runLive(t, a, false)
	require.Zero(t, status, errs)
	require.True(t, strings.Contains(out, "> From Tuesday to Saturday"), out)
	require.Empty(t, a.bodies)
}
