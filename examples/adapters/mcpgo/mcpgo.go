// Package mcpgo puts a clearance session in front of a server of
// github.com/mark3labs/mcp-go.
package mcpgo

import (
	"context"
	"encoding/json"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/clearance-go/clearance/permission"
)

// Options returns the two options of server.NewMCPServer that put the session
// in front of every tool: a call that it refuses does not reach its handler,
// and a tool that a rule denies as a whole is neither listed nor callable.
// name turns a tool's name into the one that rules use; nil keeps it.
func Options(s *permission.Session, name func(tool string) string) []server.ServerOption {
	if name == nil {
		name = func(tool string) string { return tool }
	}
	return []server.ServerOption{
		server.WithToolHandlerMiddleware(func(next server.ToolHandlerFunc) server.ToolHandlerFunc {
			return func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				input := json.RawMessage("{}")
				if req.Params.Arguments != nil {
					b, err := json.Marshal(req.Params.Arguments)
					if err != nil {
						return mcp.NewToolResultError("the arguments cannot be read"), nil
					}
					input = b
				}
				if err := s.AuthorizeTool(ctx, name(req.Params.Name), input); err != nil {
					return mcp.NewToolResultError(err.Error()), nil
				}
				return next(ctx, req)
			}
		}),
		server.WithToolFilter(func(_ context.Context, tools []mcp.Tool) []mcp.Tool {
			kept := make([]mcp.Tool, 0, len(tools))
			for _, t := range tools {
				if s.Offers(name(t.Name)) {
					kept = append(kept, t)
				}
			}
			return kept
		}),
	}
}
