// Package adk puts a clearance session in front of the tools of an agent of
// google.golang.org/adk v0.1.0.
//
// That version has a callback before each tool and no way to wait for a
// confirmation inside it that outlives the call: what the session asks about is
// put to its Approver while the callback runs, and without one it is refused,
// with the reason as the tool's result.
package adk

import (
	"encoding/json"

	"google.golang.org/adk/agent/llmagent"
	"google.golang.org/adk/tool"

	"github.com/clearance-go/clearance/permission"
)

// BeforeTool is for llmagent.Config.BeforeToolCallbacks, as the first one: a
// callback before it that returns a result would skip it. A call that the
// session refuses does not run; the model gets the reason. name turns a tool's
// name into the one that rules use; nil keeps it.
func BeforeTool(s *permission.Session, name func(tool string) string) llmagent.BeforeToolCallback {
	return func(ctx tool.Context, t tool.Tool, args map[string]any) (map[string]any, error) {
		called := t.Name()
		if name != nil {
			called = name(called)
		}
		if args == nil {
			args = map[string]any{}
		}
		input, err := json.Marshal(args)
		if err == nil {
			err = s.AuthorizeTool(ctx, called, input)
		}
		if err != nil {
			return map[string]any{"error": err.Error()}, nil
		}
		return nil, nil
	}
}
