// Package eino puts a clearance session in front of the tools of
// github.com/cloudwego/eino.
package eino

import (
	"context"
	"encoding/json"

	"github.com/cloudwego/eino/compose"
	"github.com/cloudwego/eino/schema"

	"github.com/clearance-go/clearance/permission"
)

// Middleware is for compose.ToolsNodeConfig.ToolCallMiddlewares. All four of
// its slots are set: a kind of tool without one would run unasked. A call that
// the session refuses does not run; its result is the reason. name turns a
// tool's name into the one that rules use; nil keeps it.
func Middleware(s *permission.Session, name func(tool string) string) compose.ToolMiddleware {
	refuse := func(ctx context.Context, in *compose.ToolInput) string {
		called := in.Name
		if name != nil {
			called = name(called)
		}
		args := in.Arguments
		if args == "" {
			args = "{}"
		}
		if err := s.AuthorizeTool(ctx, called, json.RawMessage(args)); err != nil {
			return err.Error()
		}
		return ""
	}
	parts := func(text string) *schema.ToolResult {
		return &schema.ToolResult{Parts: []schema.ToolOutputPart{{Type: schema.ToolPartTypeText, Text: text}}}
	}
	return compose.ToolMiddleware{
		Invokable: func(next compose.InvokableToolEndpoint) compose.InvokableToolEndpoint {
			return func(ctx context.Context, in *compose.ToolInput) (*compose.ToolOutput, error) {
				if why := refuse(ctx, in); why != "" {
					return &compose.ToolOutput{Result: why}, nil
				}
				return next(ctx, in)
			}
		},
		Streamable: func(next compose.StreamableToolEndpoint) compose.StreamableToolEndpoint {
			return func(ctx context.Context, in *compose.ToolInput) (*compose.StreamToolOutput, error) {
				if why := refuse(ctx, in); why != "" {
					return &compose.StreamToolOutput{Result: schema.StreamReaderFromArray([]string{why})}, nil
				}
				return next(ctx, in)
			}
		},
		EnhancedInvokable: func(next compose.EnhancedInvokableToolEndpoint) compose.EnhancedInvokableToolEndpoint {
			return func(ctx context.Context, in *compose.ToolInput) (*compose.EnhancedInvokableToolOutput, error) {
				if why := refuse(ctx, in); why != "" {
					return &compose.EnhancedInvokableToolOutput{Result: parts(why)}, nil
				}
				return next(ctx, in)
			}
		},
		EnhancedStreamable: func(next compose.EnhancedStreamableToolEndpoint) compose.EnhancedStreamableToolEndpoint {
			return func(ctx context.Context, in *compose.ToolInput) (*compose.EnhancedStreamableToolOutput, error) {
				if why := refuse(ctx, in); why != "" {
					return &compose.EnhancedStreamableToolOutput{Result: schema.StreamReaderFromArray([]*schema.ToolResult{parts(why)})}, nil
				}
				return next(ctx, in)
			}
		},
	}
}
