package gosdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/clearance-go/clearance/mcptrust"
)

// Limits of a guarded session.
const (
	// MaxMessageBytes is the size of one message from the server.
	MaxMessageBytes = 16 << 20
	// MaxInputs is how often a server may ask for input (elicitation or
	// sampling) during one call.
	MaxInputs = 3
	// MaxInputBytes is the size of one such question.
	MaxInputBytes = 64 << 10
)

// MetaUntrusted is the key in a result's _meta that names the server and tool
// that it came from. See [Untrusted].
const MetaUntrusted = "clearance/untrusted"

// Options configures a guard. Registry and Project are needed; the zero value of
// the rest is the safe choice.
type Options struct {
	Registry *mcptrust.Registry
	// Project is the folder whose decisions count and in which stdio servers
	// start.
	Project string

	// Authorize decides about one call of an approved tool; an error refuses it.
	// tool is the name of [mcptrust.ExposedName], for permission rules. Nil: the
	// approval of the tool is enough.
	Authorize func(ctx context.Context, tool string, input json.RawMessage) error
	// Withheld is told what a list held beside what passed, with prompts and
	// tokens for a person. It is called from the goroutine that lists.
	Withheld func([]mcptrust.ItemCheck)
	// RefuseAsResult answers a refused call with an error result for the model
	// in place of a Go error, which may end an agent's loop. The text is the same.
	RefuseAsResult bool
	// Methods names custom methods that may be sent. All others than the
	// standard ones are refused.
	Methods []string

	// Resolve supplies ${cred:NAME} in env and headers. For a remote server it
	// should know the server's address and keep to the hosts that a credential is
	// for: the definition may be a project's.
	Resolve func(ctx context.Context, name string) (string, error)
	// Env is the environment of a stdio server below its own; nil: a minimal one.
	Env []string
	// Prepare may change the command of a stdio server before it starts: put it
	// into a sandbox, say.
	Prepare func(*exec.Cmd) error
	// Stderr takes what a stdio server prints there; nil: it is dropped. Escape it
	// before it reaches a terminal. If several servers share it, it must be safe
	// for concurrent use.
	Stderr io.Writer
	// HTTPClient is used for remote servers; nil: a new one. Its redirects are
	// followed on the server's own origin only.
	HTTPClient *http.Client

	// Implementation names this client; nil: "clearance".
	Implementation *mcp.Implementation
	// Client holds the host's own SDK options. Its handlers are wrapped. Without
	// an elicitation or sampling handler the server cannot ask for either.
	Client *mcp.ClientOptions
	// Protocol forces a protocol version; empty: the newest that both know.
	Protocol string
}

// Guard is the gate of one session with one server. It is safe for concurrent
// use. Use one for each client.
type Guard struct {
	opts    Options
	session *mcptrust.Session

	mu     sync.Mutex
	active int // calls under way
	inputs int // questions that the server may still ask
}

// NewGuard checks the server and returns its guard. Nothing is started. Errors:
// *[mcptrust.NotTrustedError], with the prompt and token for a person, and those
// of [mcptrust.Registry.Check].
func NewGuard(ctx context.Context, server mcptrust.Server, opts Options) (*Guard, error) {
	if opts.Registry == nil {
		return nil, errors.New("gosdk: no registry: nothing can be trusted")
	}
	s, err := opts.Registry.Session(ctx, opts.Project, server)
	if err != nil {
		return nil, err
	}
	return &Guard{opts: opts, session: s}, nil
}

// Session is a live session behind its guard. Use it as the SDK's own; its
// methods are already gated.
type Session struct {
	*mcp.ClientSession
	guard *Guard
}

// Guard returns the session's guard.
func (s *Session) Guard() *Guard { return s.guard }

// Connect checks the server, then starts or connects it and opens a session.
// Before the decision nothing runs and no byte is sent. Errors: those of
// [NewGuard] and of the start.
func Connect(ctx context.Context, server mcptrust.Server, opts Options) (*Session, error) {
	g, err := NewGuard(ctx, server, opts)
	if err != nil {
		return nil, err
	}
	t, err := g.Transport(ctx)
	if err != nil {
		return nil, err
	}
	return g.Connect(ctx, t)
}

// Connect opens a session over a transport that the caller made, with a new
// client behind this guard.
func (g *Guard) Connect(ctx context.Context, t mcp.Transport) (*Session, error) {
	impl := g.opts.Implementation
	if impl == nil {
		impl = &mcp.Implementation{Name: "clearance", Version: "1"}
	}
	c := mcp.NewClient(impl, g.ClientOptions(g.opts.Client))
	c.AddSendingMiddleware(g.Middleware())
	cs, err := c.Connect(ctx, t, &mcp.ClientSessionOptions{ProtocolVersion: g.opts.Protocol})
	if err != nil {
		return nil, err
	}
	return &Session{cs, g}, nil
}

// Transport returns the transport of the server, made from the checked
// definition. The process of a stdio server starts when a client connects.
func (g *Guard) Transport(ctx context.Context) (mcp.Transport, error) {
	s := g.session.Server()
	if !s.HeadersHelper.IsZero() {
		return nil, fmt.Errorf("gosdk: server %s: headersHelper is not run: put the credential into headers as ${cred:NAME}", mcptrust.Escape(s.Name))
	}
	switch s.Transport {
	case mcptrust.Stdio:
		// The process outlives the context of the connection.
		cmd, err := s.Start(context.WithoutCancel(ctx), mcptrust.Start{Project: g.opts.Project, Env: g.opts.Env, Resolve: g.opts.Resolve})
		if err != nil {
			return nil, err
		}
		cmd.Stderr = g.opts.Stderr
		if g.opts.Prepare != nil {
			if err := g.opts.Prepare(cmd); err != nil {
				return nil, err
			}
		}
		return &mcp.CommandTransport{Command: cmd}, nil
	case mcptrust.HTTP, mcptrust.SSE:
		h, err := g.HTTPClient(ctx)
		if err != nil {
			return nil, err
		}
		if s.Transport == mcptrust.SSE {
			return &mcp.SSEClientTransport{Endpoint: s.URL.Expanded(), HTTPClient: h, MaxEventSize: MaxMessageBytes}, nil
		}
		return &mcp.StreamableClientTransport{Endpoint: s.URL.Expanded(), HTTPClient: h, MaxEventSize: MaxMessageBytes}, nil
	}
	return nil, fmt.Errorf("gosdk: server %s: transport %s is not supported by the SDK", mcptrust.Escape(s.Name), mcptrust.Escape(string(s.Transport)))
}

// refused answers a request that is not sent.
func (g *Guard) refused(method string, err error) (mcp.Result, error) {
	var r *mcptrust.RefusedError
	if g.opts.RefuseAsResult && method == "tools/call" {
		text := "the call was refused"
		if errors.As(err, &r) {
			text = r.Error()
		} else if err != nil {
			text = err.Error()
		}
		return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil
	}
	return nil, err
}

// Middleware returns the gate for Client.AddSendingMiddleware. Add it last, so
// that it is the outermost.
func (g *Guard) Middleware() mcp.Middleware {
	return func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			switch method {
			case "initialize", "server/discover":
				return g.hello(ctx, method, req, next)
			case "tools/list", "prompts/list", "resources/list", "resources/templates/list":
				return g.list(ctx, method, req, next)
			case "tools/call", "prompts/get", "resources/read", "resources/subscribe", "completion/complete":
				return g.use(ctx, method, req, next)
			case "ping", "logging/setLevel", "resources/unsubscribe", "subscriptions/listen":
				return next(ctx, method, req)
			}
			if strings.HasPrefix(method, "notifications/") || slices.Contains(g.opts.Methods, method) {
				return next(ctx, method, req)
			}
			return nil, fmt.Errorf("gosdk: method %s is not allowed: name it in Options.Methods", mcptrust.Escape(method))
		}
	}
}

func (g *Guard) hello(ctx context.Context, method string, req mcp.Request, next mcp.MethodHandler) (mcp.Result, error) {
	res, err := next(ctx, method, req)
	if err != nil {
		return res, err
	}
	var text *string
	switch r := res.(type) {
	case *mcp.InitializeResult:
		text = &r.Instructions
	case *mcp.DiscoverResult:
		text = &r.Instructions
		r.TTLMs = 0
	default:
		return nil, fmt.Errorf("gosdk: unexpected answer to %s", method)
	}
	c, err := g.session.Instructions(ctx, *text)
	if err != nil {
		return nil, err
	}
	if c.Status != mcptrust.Trusted {
		*text = ""
		g.withheld([]mcptrust.ItemCheck{c})
	}
	return res, nil
}

func (g *Guard) withheld(cs []mcptrust.ItemCheck) {
	if g.opts.Withheld != nil && len(cs) > 0 {
		g.opts.Withheld(cs)
	}
}

func (g *Guard) list(ctx context.Context, method string, req mcp.Request, next mcp.MethodHandler) (mcp.Result, error) {
	cursor := ""
	switch p := req.GetParams().(type) {
	case *mcp.ListToolsParams:
		if p != nil {
			cursor = p.Cursor
		}
	case *mcp.ListPromptsParams:
		if p != nil {
			cursor = p.Cursor
		}
	case *mcp.ListResourcesParams:
		if p != nil {
			cursor = p.Cursor
		}
	case *mcp.ListResourceTemplatesParams:
		if p != nil {
			cursor = p.Cursor
		}
	}
	kind := mcptrust.KindTool
	switch method {
	case "prompts/list":
		kind = mcptrust.KindPrompt
	case "resources/list", "resources/templates/list":
		kind = mcptrust.KindResource
	}
	mark := g.session.Begin(kind, cursor == "")
	res, err := next(ctx, method, req)
	if err != nil {
		return res, err
	}
	page := mcptrust.Page{First: cursor == ""}
	switch r := res.(type) {
	case *mcp.ListToolsResult:
		r.TTLMs = 0
		page.Last = r.NextCursor == ""
		var keep []*mcp.Tool
		var tools []mcptrust.Tool
		for _, t := range r.Tools {
			if t == nil {
				continue
			}
			// A value that cannot be encoded gives an invalid tool, which is blocked.
			tool, err := typedTool(t)
			if err != nil {
				tool = mcptrust.Tool{Name: t.Name}
			}
			keep, tools = append(keep, t), append(tools, tool)
		}
		checks, err := g.session.Tools(ctx, mark, page, tools)
		if err != nil {
			return nil, err
		}
		r.Tools = filter(g, keep, checks)
	case *mcp.ListPromptsResult:
		r.TTLMs = 0
		page.Last = r.NextCursor == ""
		r.Prompts, err = filterRaw(g, r.Prompts, func(raws []json.RawMessage) ([]mcptrust.ItemCheck, error) {
			return g.session.Prompts(ctx, mark, page, raws, false)
		})
	case *mcp.ListResourcesResult:
		r.TTLMs = 0
		page.Last = r.NextCursor == ""
		r.Resources, err = filterRaw(g, r.Resources, func(raws []json.RawMessage) ([]mcptrust.ItemCheck, error) {
			return g.session.Resources(ctx, mark, page, raws, false)
		})
	case *mcp.ListResourceTemplatesResult:
		r.TTLMs = 0
		page.Last = r.NextCursor == ""
		r.ResourceTemplates, err = filterRaw(g, r.ResourceTemplates, func(raws []json.RawMessage) ([]mcptrust.ItemCheck, error) {
			return g.session.Resources(ctx, mark, page, raws, false)
		})
	default:
		return nil, fmt.Errorf("gosdk: unexpected answer to %s", method)
	}
	if err != nil {
		return nil, err
	}
	return res, nil
}

// typedTool is the tool as the model gets it: the SDK's value.
func typedTool(t *mcp.Tool) (mcptrust.Tool, error) {
	b, err := json.Marshal(t)
	if err != nil {
		return mcptrust.Tool{}, err
	}
	tool, err := mcptrust.ParseTool(b)
	tool.Raw = false
	return tool, err
}

func filter[T any](g *Guard, in []T, checks []mcptrust.ItemCheck) []T {
	out := in[:0:0]
	var withheld []mcptrust.ItemCheck
	for i, c := range checks {
		if c.Status == mcptrust.Trusted {
			out = append(out, in[i])
		} else {
			withheld = append(withheld, c)
		}
	}
	g.withheld(withheld)
	return out
}

func filterRaw[T any](g *Guard, in []*T, check func([]json.RawMessage) ([]mcptrust.ItemCheck, error)) ([]*T, error) {
	keep := in[:0:0]
	var raws []json.RawMessage
	for _, v := range in {
		if v == nil {
			continue
		}
		b, err := json.Marshal(v)
		if err != nil {
			b = nil
		}
		keep, raws = append(keep, v), append(raws, b)
	}
	checks, err := check(raws)
	if err != nil {
		return nil, err
	}
	return filter(g, keep, checks), nil
}

// use gates what reaches the server by name.
func (g *Guard) use(ctx context.Context, method string, req mcp.Request, next mcp.MethodHandler) (mcp.Result, error) {
	var kind mcptrust.Kind
	var name string
	var input any
	switch p := req.GetParams().(type) {
	case *mcp.CallToolParams:
		kind, name, input = mcptrust.KindTool, p.Name, p.Arguments
	case *mcp.GetPromptParams:
		kind, name = mcptrust.KindPrompt, p.Name
	case *mcp.ReadResourceParams:
		kind, name = mcptrust.KindResource, p.URI
	case *mcp.SubscribeParams:
		kind, name = mcptrust.KindResource, p.URI
	case *mcp.CompleteParams:
		switch {
		case p.Ref == nil:
		case p.Ref.Type == "ref/prompt":
			kind, name = mcptrust.KindPrompt, p.Ref.Name
		case p.Ref.Type == "ref/resource":
			kind, name = mcptrust.KindResource, p.Ref.URI
		}
	}
	if name == "" {
		return g.refused(method, fmt.Errorf("gosdk: %s without a name", method))
	}
	if err := g.allow(ctx, req, kind, name); err != nil {
		return g.refused(method, err)
	}
	if method == "tools/call" && g.opts.Authorize != nil {
		b, err := json.Marshal(input)
		if err == nil {
			err = g.opts.Authorize(ctx, mcptrust.ExposedName(g.session.Server().Name, name), b)
		}
		if err != nil {
			return g.refused(method, err)
		}
		// A person may have taken minutes.
		if err := g.allow(ctx, req, kind, name); err != nil {
			return g.refused(method, err)
		}
	}
	g.begin()
	res, err := next(ctx, method, req)
	g.end()
	if err != nil {
		return res, err
	}
	from := g.session.Server().Name + "/" + name
	switch r := res.(type) {
	case *mcp.CallToolResult:
		r.Meta = label(r.Meta, from)
	case *mcp.GetPromptResult:
		r.Meta = label(r.Meta, from)
	case *mcp.ReadResourceResult:
		r.Meta = label(r.Meta, from)
		r.TTLMs = 0
	}
	return res, nil
}

// allow asks the gate. When the server said that its list changed, the list is
// fetched again first: an approved tool that is still the same goes on.
func (g *Guard) allow(ctx context.Context, req mcp.Request, kind mcptrust.Kind, name string) error {
	err := g.session.Allow(ctx, kind, name)
	var r *mcptrust.RefusedError
	cs, ok := req.GetSession().(*mcp.ClientSession)
	if !ok || !errors.As(err, &r) || r.Reason.Code != mcptrust.CodeListChanged {
		return err
	}
	if err := relist(ctx, cs, kind); err != nil {
		return fmt.Errorf("gosdk: the server's list changed and cannot be read: %w", err)
	}
	return g.session.Allow(ctx, kind, name)
}

func relist(ctx context.Context, cs *mcp.ClientSession, kind mcptrust.Kind) error {
	switch kind {
	case mcptrust.KindTool:
		return drain(cs.Tools(ctx, nil))
	case mcptrust.KindPrompt:
		return drain(cs.Prompts(ctx, nil))
	}
	if err := drain(cs.Resources(ctx, nil)); err != nil {
		return err
	}
	return drain(cs.ResourceTemplates(ctx, nil))
}

func drain[T any](list iter.Seq2[T, error]) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

func label(m mcp.Meta, from string) mcp.Meta {
	if m == nil {
		m = mcp.Meta{}
	}
	m[MetaUntrusted] = from
	return m
}

// Untrusted returns the server and name that a result came from, "SERVER/NAME",
// and whether it is labelled. Every result of a guarded call, prompt or resource
// is; what it says is text of that server, so a session that reads it carries
// permission's label Untrusted from then on.
func Untrusted(res mcp.Result) (from string, ok bool) {
	var m mcp.Meta
	switch r := res.(type) {
	case *mcp.CallToolResult:
		m = r.Meta
	case *mcp.GetPromptResult:
		m = r.Meta
	case *mcp.ReadResourceResult:
		m = r.Meta
	}
	from, ok = m[MetaUntrusted].(string)
	return from, ok
}
