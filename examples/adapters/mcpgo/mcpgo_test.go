package mcpgo

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/clearance-go/clearance/examples/adapters/internal/demo"
)

func play(t *testing.T, opts []server.ServerOption, tools ...string) (answers map[string]string, list string, calls map[string]int) {
	calls, answers = map[string]int{}, map[string]string{}
	s := server.NewMCPServer("s", "1", opts...)
	for _, name := range tools {
		s.AddTool(mcp.NewTool(name), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			calls[name]++
			return mcp.NewToolResultText("done"), nil
		})
	}
	send := func(method, params string) string {
		res := s.HandleMessage(context.Background(), json.RawMessage(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)))
		b, err := json.Marshal(res)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	list = send("tools/list", "{}")
	for _, name := range tools {
		answers[name] = send("tools/call", fmt.Sprintf(`{"name":%q,"arguments":{"path":"x"}}`, name))
	}
	return answers, list, calls
}

func TestGate(t *testing.T) {
	s := demo.Session(t, []string{"mcp__s__read"}, []string{"mcp__s__wipe"})
	answers, list, calls := play(t, Options(s, func(tool string) string { return "mcp__s__" + tool }), "read", "write", "wipe")
	if calls["read"] != 1 || calls["write"] != 0 || calls["wipe"] != 0 {
		t.Errorf("the handlers ran %v: %v", calls, answers)
	}
	if !strings.Contains(answers["read"], "done") || !strings.Contains(answers["write"], "isError\":true") {
		t.Errorf("answers: %v", answers)
	}
	if !strings.Contains(list, `"read"`) || strings.Contains(list, `"wipe"`) {
		t.Errorf("listed: %s", list)
	}
	if _, _, calls := play(t, nil, "wipe"); calls["wipe"] != 1 {
		t.Error("the attack does not work even without the gate")
	}
}
