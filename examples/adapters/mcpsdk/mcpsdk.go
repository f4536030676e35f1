// Package mcpsdk puts a clearance session in front of the official MCP Go SDK,
// on the side that calls tools and on the side that offers them.
//
// It decides calls. Which servers and tools are trusted at all is the business
// of mcptrust and its gosdk package, which a client uses beside this.
package mcpsdk

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/clearance-go/clearance/permission"
)

// Client returns middleware for mcp.Client.AddSendingMiddleware: a call that
// the session refuses never leaves for the server; its result is an error for
// the model. Tools that a rule denies as a whole are not listed. server is the
// name that rules use: mcp__server__tool.
func Client(s *permission.Session, server string) mcp.Middleware {
	return gate(s, func(tool string) string { return "mcp__" + server + "__" + tool }, func(req mcp.Request) (string, any, bool) {
		p, ok := req.GetParams().(*mcp.CallToolParams)
		if !ok || p == nil {
			return "", nil, false
		}
		return p.Name, p.Arguments, true
	})
}

// Server returns middleware for mcp.Server.AddReceivingMiddleware: a call that
// the session refuses never reaches its handler. name turns a tool's name into
// the one that rules use; nil keeps it.
func Server(s *permission.Session, name func(tool string) string) mcp.Middleware {
	if name == nil {
		name = func(tool string) string { return tool }
	}
	return gate(s, name, func(req mcp.Request) (string, any, bool) {
		p, ok := req.GetParams().(*mcp.CallToolParamsRaw)
		if !ok || p == nil {
			return "", nil, false
		}
		return p.Name, p.Arguments, true
	})
}

func gate(s *permission.Session, name func(string) string, call func(mcp.Request) (string, any, bool)) mcp.Middleware {
	return func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			if method == "tools/call" {
				tool, args, ok := call(req)
				if !ok {
					return nil, fmt.Errorf("a tools/call without readable parameters is refused")
				}
				input, err := object(args)
				if err == nil {
					err = s.AuthorizeTool(ctx, name(tool), input)
				}
				if err != nil {
					return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: err.Error()}}}, nil
				}
			}
			res, err := next(ctx, method, req)
			if list, ok := res.(*mcp.ListToolsResult); ok && err == nil && list != nil {
				kept := make([]*mcp.Tool, 0, len(list.Tools))
				for _, t := range list.Tools {
					if t != nil && s.Offers(name(t.Name)) {
						kept = append(kept, t)
					}
				}
				list.Tools = kept
			}
			return res, err
		}
	}
}

// object is the arguments as the JSON object that they stand for.
func object(args any) (json.RawMessage, error) {
	if raw, ok := args.(json.RawMessage); ok && len(raw) > 0 {
		return raw, nil
	}
	b, err := json.Marshal(args)
	if err != nil || args == nil || string(b) == "null" || len(b) == 0 {
		return json.RawMessage("{}"), err
	}
	return b, nil
}
