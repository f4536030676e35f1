package gosdk

//lint:file-ignore SA1019 sampling is deprecated in the protocol, and as long as servers may ask for it, it must be gated

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/clearance-go/clearance/mcptrust"
)

// ClientOptions returns opts with the guard around its handlers, for
// mcp.NewClient. opts may be nil and is not changed. Handlers that are not set
// stay so, except list_changed: without one the SDK would not ask for it.
func (g *Guard) ClientOptions(opts *mcp.ClientOptions) *mcp.ClientOptions {
	var o mcp.ClientOptions
	if opts != nil {
		o = *opts
	}
	tools, prompts, resources := o.ToolListChangedHandler, o.PromptListChangedHandler, o.ResourceListChangedHandler
	o.ToolListChangedHandler = func(ctx context.Context, req *mcp.ToolListChangedRequest) {
		g.session.Changed(mcptrust.KindTool)
		if tools != nil {
			tools(ctx, req)
		}
	}
	o.PromptListChangedHandler = func(ctx context.Context, req *mcp.PromptListChangedRequest) {
		g.session.Changed(mcptrust.KindPrompt)
		if prompts != nil {
			prompts(ctx, req)
		}
	}
	o.ResourceListChangedHandler = func(ctx context.Context, req *mcp.ResourceListChangedRequest) {
		g.session.Changed(mcptrust.KindResource)
		if resources != nil {
			resources(ctx, req)
		}
	}
	if h := o.ElicitationHandler; h != nil {
		o.ElicitationHandler = func(ctx context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			if req == nil || req.Params == nil || g.question(req.Params) != nil || !plainLink(req.Params) {
				return &mcp.ElicitResult{Action: "decline"}, nil
			}
			return h(ctx, req)
		}
	}
	if h := o.CreateMessageHandler; h != nil {
		o.CreateMessageHandler = func(ctx context.Context, req *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			if req == nil || req.Params == nil {
				return nil, errQuestion
			}
			if err := g.question(req.Params); err != nil {
				return nil, err
			}
			return h(ctx, req)
		}
	}
	if h := o.CreateMessageWithToolsHandler; h != nil {
		o.CreateMessageWithToolsHandler = func(ctx context.Context, req *mcp.CreateMessageWithToolsRequest) (*mcp.CreateMessageWithToolsResult, error) {
			if req == nil || req.Params == nil {
				return nil, errQuestion
			}
			if err := g.question(req.Params); err != nil {
				return nil, err
			}
			return h(ctx, req)
		}
	}
	return &o
}

var errQuestion = errors.New("gosdk: the server may not ask this now")

// begin and end frame one call. While calls run, the server may ask MaxInputs
// questions for each.
func (g *Guard) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.active++
	g.inputs += MaxInputs
}

func (g *Guard) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.active--; g.active == 0 {
		g.inputs = 0
	}
}

// question takes one question of the server, or says why it is not passed on.
func (g *Guard) question(params any) error {
	b, err := json.Marshal(params)
	if err != nil {
		return fmt.Errorf("%w: it cannot be read", errQuestion)
	}
	if len(b) > MaxInputBytes {
		return fmt.Errorf("%w: more than %d bytes", errQuestion, MaxInputBytes)
	}
	if mcptrust.Hidden(b) {
		return fmt.Errorf("%w: it holds hidden characters", errQuestion)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.active == 0 {
		return fmt.Errorf("%w: no call is under way", errQuestion)
	}
	if g.inputs == 0 {
		return fmt.Errorf("%w: more than %d questions in one call", errQuestion, MaxInputs)
	}
	g.inputs--
	return nil
}

// plainLink refuses a link that is not an https page with a visible host.
func plainLink(p *mcp.ElicitParams) bool {
	if p.URL == "" && p.Mode != "url" {
		return true
	}
	u, err := url.Parse(p.URL)
	return err == nil && strings.EqualFold(u.Scheme, "https") && u.Hostname() != "" && u.User == nil
}
