package mcpsdk

import (
	"context"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/clearance-go/clearance/examples/adapters/internal/demo"
	"github.com/clearance-go/clearance/permission"
)

type input struct {
	Path string `json:"path"`
}

// play calls each tool and returns the results; calls counts what reached the
// server's handlers.
func play(t *testing.T, client, server *permission.Session, tools ...string) (errs map[string]bool, listed map[string]bool, calls map[string]int) {
	ctx := context.Background()
	errs, listed, calls = map[string]bool{}, map[string]bool{}, map[string]int{}
	srv := mcp.NewServer(&mcp.Implementation{Name: "s", Version: "1"}, nil)
	for _, name := range tools {
		mcp.AddTool(srv, &mcp.Tool{Name: name}, func(context.Context, *mcp.CallToolRequest, input) (*mcp.CallToolResult, any, error) {
			calls[name]++
			return &mcp.CallToolResult{}, nil, nil
		})
	}
	if server != nil {
		srv.AddReceivingMiddleware(Server(server, func(tool string) string { return "mcp__s__" + tool }))
	}
	a, b := mcp.NewInMemoryTransports()
	ss, err := srv.Connect(ctx, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ss.Close()
	cl := mcp.NewClient(&mcp.Implementation{Name: "c", Version: "1"}, nil)
	if client != nil {
		cl.AddSendingMiddleware(Client(client, "s"))
	}
	cs, err := cl.Connect(ctx, b, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer cs.Close()
	list, err := cs.ListTools(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range list.Tools {
		listed[tool.Name] = true
	}
	for _, name := range tools {
		res, err := cs.CallTool(ctx, &mcp.CallToolParams{Name: name, Arguments: input{Path: "x"}})
		if err != nil {
			t.Fatal(err)
		}
		errs[name] = res.IsError
	}
	return errs, listed, calls
}

func TestGate(t *testing.T) {
	s := func() *permission.Session {
		return demo.Session(t, []string{"mcp__s__read"}, []string{"mcp__s__wipe"})
	}
	for name, side := range map[string][2]*permission.Session{"client": {s(), nil}, "server": {nil, s()}} {
		errs, listed, calls := play(t, side[0], side[1], "read", "write", "wipe")
		if errs["read"] || !errs["write"] || !errs["wipe"] {
			t.Errorf("%s: refused %v", name, errs)
		}
		if calls["read"] != 1 || calls["write"] != 0 || calls["wipe"] != 0 {
			t.Errorf("%s: the handlers ran %v", name, calls)
		}
		if !listed["read"] || listed["wipe"] {
			t.Errorf("%s: listed %v", name, listed)
		}
	}
	// Without the gate every call arrives.
	if _, _, calls := play(t, nil, nil, "wipe"); calls["wipe"] != 1 {
		t.Error("the attack does not work even without the gate")
	}
}
