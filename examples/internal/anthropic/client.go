// Package anthropic is a small client of the Anthropic Messages API
// (https://platform.claude.com/docs/en/api/messages), for programs that keep the
// key in a credential store: it never sees the key. It sends the header
//
//	x-api-key: ${cred:anthropic/api-key}
//
// and the HTTP client, whose Transport is that of the store
// (credstore.Store.Transport), puts the value in its place for the hosts that
// the entry lists:
//
//	store.Set(ctx, anthropic.KeyName, key, credstore.Meta{Hosts: []string{"api.anthropic.com"}})
//	c := &anthropic.Client{
//		HTTP:   &http.Client{Transport: store.Transport(nil)},
//		Model:  anthropic.DefaultModel,
//		Redact: store.Redactor().String,
//	}
//	reply, err := c.Send(ctx, request, func(delta string) { fmt.Print(delta) })
//
// What the model wrote is text that nobody has vouched for: escape its control
// characters before showing it, and authorize every tool call.
package anthropic

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// KeyName is the entry of the credential store that holds the API key.
	KeyName = "anthropic/api-key"
	// DefaultURL is where the official API listens.
	DefaultURL = "https://api.anthropic.com"
	// DefaultModel is what the examples ask when nobody names a model.
	DefaultModel = "claude-haiku-4-5"
	// DefaultMaxTokens is the length of a reply when nobody names one.
	DefaultMaxTokens = 4096

	version = "2023-06-01"
)

// Limits of a request and its reply. What exceeds them is an error.
const (
	MaxRequest = 32 << 20         // bytes of a request: what the API takes
	MaxStream  = 16 << 20         // bytes of a streamed reply, after decompression
	MaxEvent   = 1 << 20          // bytes of one event of it
	MaxBlocks  = 256              // blocks of a reply
	IdleTime   = 90 * time.Second // without a byte; the API sends pings
	TotalTime  = 15 * time.Minute // of one Send
	maxError   = 64 << 10         // bytes of an error response
	maxMessage = 500              // bytes of an error message that are kept
)

// Client sends requests. It is not changed by use and safe for concurrent use
// when HTTP is. The zero Client refuses.
type Client struct {
	// HTTP carries the Transport of a credential store. Required. Redirects are
	// never followed, whatever its CheckRedirect says.
	HTTP *http.Client
	// URL is where the API listens, without /v1/messages. Empty is DefaultURL.
	// It must be https, or http on a loopback address.
	URL string
	// Model is the model's documented name. Required.
	Model string
	// MaxTokens bounds the reply; 0 is DefaultMaxTokens.
	MaxTokens int
	// Redact takes secrets out of what the server says in an error. Nil leaves
	// the server's words out, so that a server that echoes the key reveals
	// nothing.
	Redact func(string) string

	idle, total time.Duration // for tests; 0 is IdleTime and TotalTime
	stream      int           // for tests; 0 is MaxStream
}

// Request is one turn of a conversation, which the API knows nothing else of.
type Request struct {
	System   string
	Messages []Message
	Tools    []Tool
}

// Message is what one side said: Role is "user" or "assistant".
type Message struct {
	Role    string  `json:"role"`
	Content []Block `json:"content"`
}

// Block is a part of a message. Type decides which fields count:
//
//	"text"         Text
//	"tool_use"     ID, Name, Input (a JSON object)
//	"tool_result"  ToolUseID, Content, IsError
//
// A model that thinks also sends "thinking" and "redacted_thinking" blocks.
// They have nothing to show; send them back as they came, in the same place.
type Block struct {
	Type      string
	Text      string
	ID, Name  string
	Input     json.RawMessage
	ToolUseID string
	Content   string
	IsError   bool

	thinking, signature, data string
}

// MarshalJSON writes the documented form. An unknown type is an error.
func (b Block) MarshalJSON() ([]byte, error) {
	switch b.Type {
	case "text":
		return json.Marshal(struct {
			Type string `json:"type"`
			Text string `json:"text"`
		}{b.Type, b.Text})
	case "tool_use":
		input, err := object(b.Input)
		if err != nil {
			return nil, err
		}
		return json.Marshal(struct {
			Type  string          `json:"type"`
			ID    string          `json:"id"`
			Name  string          `json:"name"`
			Input json.RawMessage `json:"input"`
		}{b.Type, b.ID, b.Name, input})
	case "tool_result":
		return json.Marshal(struct {
			Type      string `json:"type"`
			ToolUseID string `json:"tool_use_id"`
			Content   string `json:"content,omitempty"`
			IsError   bool   `json:"is_error,omitempty"`
		}{b.Type, b.ToolUseID, b.Content, b.IsError})
	case "thinking":
		return json.Marshal(struct {
			Type      string `json:"type"`
			Thinking  string `json:"thinking"`
			Signature string `json:"signature"`
		}{b.Type, b.thinking, b.signature})
	case "redacted_thinking":
		return json.Marshal(struct {
			Type string `json:"type"`
			Data string `json:"data"`
		}{b.Type, b.data})
	}
	return nil, fmt.Errorf("anthropic: a block of type %+q cannot be sent", b.Type)
}

// object returns an input as a JSON object; empty is the empty one.
func object(input json.RawMessage) (json.RawMessage, error) {
	input = bytes.TrimSpace(input)
	if len(input) == 0 {
		return json.RawMessage("{}"), nil
	}
	if input[0] != '{' || !json.Valid(input) {
		return nil, errors.New("anthropic: the input of a tool is not a JSON object")
	}
	return input, nil
}

// Tool is a tool that the model may call. InputSchema is JSON Schema; empty is
// an object without declared fields.
type Tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	InputSchema json.RawMessage `json:"input_schema"`
}

// Reply is what the model answered. StopReason is the API's word: "end_turn",
// "tool_use", "max_tokens", "stop_sequence", "pause_turn", "refusal", …
type Reply struct {
	Content    []Block
	StopReason string
	Usage      Usage
}

// Text is the text of the reply.
func (r Reply) Text() string {
	var out strings.Builder
	for _, b := range r.Content {
		if b.Type == "text" {
			out.WriteString(b.Text)
		}
	}
	return out.String()
}

// Usage counts tokens.
type Usage struct {
	InputTokens  int `json:"input_tokens"`
	OutputTokens int `json:"output_tokens"`
}

// The errors that a caller may act on, beside *APIError and *StreamError.
var (
	// ErrTooLarge: the request or the reply is over a limit of this package.
	ErrTooLarge = errors.New("over a size limit")
	// ErrTimeout: nothing came for IdleTime, or the whole took TotalTime.
	ErrTimeout = errors.New("timeout")
)

// APIError is what the API answers instead of a reply
// (https://platform.claude.com/docs/en/api/errors). Its text never holds the
// key: see Client.Redact.
type APIError struct {
	// Status is the HTTP status; 200 when the error came inside a stream.
	Status int
	// Type is the documented word: "invalid_request_error",
	// "overloaded_error", …; empty if the body was none of the API's.
	Type string
	// Message is what the server says, redacted, without control characters,
	// at most 500 bytes.
	Message string
	// RequestID names the request to Anthropic's support; may be empty.
	RequestID string
	// Retryable says that the same request may succeed later.
	Retryable bool
	// RetryAfter is how long to wait if the server said so.
	RetryAfter time.Duration
}

// Error says what the API said.
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "anthropic: HTTP %d", e.Status)
	for _, s := range []string{e.Type, e.Message} {
		if s != "" {
			b.WriteString(": " + s)
		}
	}
	if e.RequestID != "" {
		b.WriteString(" (request " + e.RequestID + ")")
	}
	return b.String()
}

// StreamError is a response that is not the documented stream of events, or
// ends before it is complete. Problem is in our words only. It wraps
// ErrTooLarge, ErrTimeout or what the connection ended with, if one of these is
// the cause.
type StreamError struct {
	Problem   string
	RequestID string
	Err       error
}

// Error says what is wrong.
func (e *StreamError) Error() string {
	s := "anthropic: the response is broken: " + e.Problem
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.RequestID != "" {
		s += " (request " + e.RequestID + ")"
	}
	return s
}

// Unwrap returns the cause.
func (e *StreamError) Unwrap() error { return e.Err }

type body struct {
	Model     string    `json:"model"`
	MaxTokens int       `json:"max_tokens"`
	Stream    bool      `json:"stream"`
	System    string    `json:"system,omitempty"`
	Messages  []Message `json:"messages"`
	Tools     []Tool    `json:"tools,omitempty"`
}

// Send sends one request and reads the streamed reply. text, if not nil, is
// called with each piece of text as it comes, in the calling goroutine; what
// was handed to it stands even if Send then fails. A reply is returned only
// when it is complete: on an error it is empty. Send never repeats a request.
//
// Errors: *APIError, *StreamError, ErrTooLarge, ErrTimeout, the context's
// error, those of the transport (credstore.ErrNotFound, credstore.ErrHost),
// and one that names what is wrong with the request.
func (c *Client) Send(ctx context.Context, r Request, text func(string)) (Reply, error) {
	req, err := c.request(r)
	if err != nil {
		return Reply{}, err
	}
	total, idle := c.total, c.idle
	if total == 0 {
		total = TotalTime
	}
	if idle == 0 {
		idle = IdleTime
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	end := time.AfterFunc(total, func() { cancel(fmt.Errorf("%w: the reply took longer than %v", ErrTimeout, total)) })
	defer end.Stop()
	quiet := time.AfterFunc(idle, func() { cancel(fmt.Errorf("%w: nothing came for %v", ErrTimeout, idle)) })
	defer quiet.Stop()

	// A redirect would take the conversation to another place.
	client := *c.HTTP
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req.WithContext(ctx))
	if err != nil {
		return Reply{}, fmt.Errorf("anthropic: %w", cause(ctx, err))
	}
	defer resp.Body.Close()
	id := c.clean(resp.Header.Get("request-id"), requestID)
	in := &reader{r: resp.Body, idle: idle, quiet: quiet, left: cmp.Or(c.stream, MaxStream), most: cmp.Or(c.stream, MaxStream)}
	if resp.StatusCode != http.StatusOK {
		return Reply{}, c.refused(ctx, resp, in, id)
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "text/event-stream" {
		return Reply{}, &StreamError{Problem: "the content type is not text/event-stream", RequestID: id}
	}
	if text == nil {
		text = func(string) {}
	}
	reply, err := c.read(in, text)
	if err == nil {
		return reply, nil
	}
	var api *APIError
	if errors.As(err, &api) {
		if api.RequestID == "" {
			api.RequestID = id
		}
		return Reply{}, err
	}
	var broken *StreamError
	if errors.As(err, &broken) {
		broken.RequestID = id
		if broken.Err != nil {
			broken.Err = cause(ctx, broken.Err)
		}
	}
	return Reply{}, err
}

// cause returns why the context ended, if that is why err came.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// request builds the HTTP request and refuses what the API would refuse, or
// what would go to the wrong place.
func (c *Client) request(r Request) (*http.Request, error) {
	fail := func(text string) (*http.Request, error) { return nil, errors.New("anthropic: " + text) }
	base := c.URL
	if base == "" {
		base = DefaultURL
	}
	u, err := url.Parse(base)
	switch {
	case c.HTTP == nil:
		return fail("no HTTP client; give it one with the Transport of a credential store")
	case c.Model == "":
		return fail("no model")
	case c.MaxTokens < 0:
		return fail("a negative MaxTokens")
	case err != nil, u.Host == "", u.User != nil, u.RawQuery != "", u.Fragment != "", u.Scheme != "https" && u.Scheme != "http":
		return fail("the URL is not https://HOST")
	case len(r.Messages) == 0:
		return fail("no message to send")
	}
	for _, m := range r.Messages {
		if m.Role != "user" && m.Role != "assistant" {
			return fail(fmt.Sprintf("a message has the role %+q, not user or assistant", m.Role))
		}
		if len(m.Content) == 0 {
			return fail("a message is empty")
		}
	}
	b := body{Model: c.Model, MaxTokens: c.MaxTokens, Stream: true, System: r.System, Messages: r.Messages}
	if b.MaxTokens == 0 {
		b.MaxTokens = DefaultMaxTokens
	}
	for _, t := range r.Tools {
		if t.Name == "" {
			return fail("a tool without a name")
		}
		if len(t.InputSchema) == 0 {
			t.InputSchema = json.RawMessage(`{"type":"object"}`)
		}
		b.Tools = append(b.Tools, t)
	}
	data, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	if len(data) > MaxRequest {
		return nil, fmt.Errorf("anthropic: %w: the request has %d bytes, at most %d may be sent", ErrTooLarge, len(data), MaxRequest)
	}
	req, err := http.NewRequest(http.MethodPost, u.JoinPath("v1", "messages").String(), bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	req.Header = http.Header{
		"Content-Type":      {"application/json"},
		"Accept":            {"text/event-stream"},
		"Anthropic-Version": {version},
		"X-Api-Key":         {"${cred:" + KeyName + "}"},
	}
	return req, nil
}

// refused makes an error of a response that is no reply.
func (c *Client) refused(ctx context.Context, resp *http.Response, in io.Reader, id string) error {
	e := &APIError{Status: resp.StatusCode, RequestID: id}
	data, err := io.ReadAll(io.LimitReader(in, maxError))
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("anthropic: %w", context.Cause(ctx))
	}
	if e.Status >= 300 && e.Status < 400 {
		e.Message = "a redirect, which is not followed"
		return e
	}
	c.fill(e, data)
	// 529: overloaded. The API's other 5xx and 429 pass as well.
	e.Retryable = e.Retryable || e.Status == http.StatusRequestTimeout || e.Status == http.StatusTooManyRequests || e.Status >= 500
	if n, err := strconv.Atoi(resp.Header.Get("retry-after")); err == nil && n >= 0 && n <= 24*60*60 {
		e.RetryAfter = time.Duration(n) * time.Second
	}
	return e
}

// fill reads the documented error object into e.
func (c *Client) fill(e *APIError, data []byte) {
	var v struct {
		Error struct {
			Type    string `json:"type"`
			Message string `json:"message"`
		} `json:"error"`
		RequestID string `json:"request_id"`
	}
	if json.Unmarshal(data, &v) != nil {
		return
	}
	e.Type = c.clean(v.Error.Type, errorType)
	switch e.Type {
	case "rate_limit_error", "api_error", "timeout_error", "overloaded_error":
		e.Retryable = true
	}
	if c.Redact != nil {
		e.Message = bounded(c.Redact(v.Error.Message), maxMessage)
	}
	if e.RequestID == "" {
		e.RequestID = c.clean(v.RequestID, requestID)
	}
}

// clean returns a name that a server sent if it has the form of one.
func (c *Client) clean(s string, ok func(string) bool) string {
	if !ok(s) || c.Redact != nil && c.Redact(s) != s {
		return ""
	}
	return s
}

func requestID(s string) bool {
	rest, ok := strings.CutPrefix(s, "req_")
	return ok && len(rest) > 0 && len(rest) <= 64 && !strings.ContainsFunc(rest, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9')
	})
}

// errorType accepts the words of the documentation and those built like them.
func errorType(s string) bool {
	return len(s) <= 40 && (strings.HasSuffix(s, "_error") || s == "request_too_large") && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r == '_')
	})
}

// bounded returns at most n bytes of s, its control characters as spaces.
func bounded(s string, n int) string {
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// reader bounds a body: bytes, and the time without one. The clock runs only
// while it waits for the network.
type reader struct {
	r     io.Reader
	idle  time.Duration
	quiet *time.Timer
	left  int
	most  int // what left began with
}

func (r *reader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, r.most)
	}
	if len(p) > r.left {
		p = p[:r.left]
	}
	r.quiet.Reset(r.idle)
	n, err := r.r.Read(p)
	r.quiet.Stop()
	r.left -= n
	return n, err
}
