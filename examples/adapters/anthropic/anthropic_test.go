package anthropic

import (
	"context"
	"encoding/json"
	"testing"

	sdk "github.com/anthropics/anthropic-sdk-go"

	"github.com/clearance-go/clearance/examples/adapters/internal/demo"
)

type counted struct {
	name  string
	calls *int
}

func (c counted) Name() string                              { return c.name }
func (c counted) Description() string                       { return c.name }
func (c counted) InputSchema() sdk.BetaToolInputSchemaParam { return sdk.BetaToolInputSchemaParam{} }
func (c counted) Execute(context.Context, json.RawMessage) ([]sdk.BetaToolResultBlockParamContentUnion, error) {
	*c.calls++
	return nil, nil
}

func TestTools(t *testing.T) {
	var read, write, wipe int
	tools := []sdk.BetaTool{counted{"read", &read}, counted{"write", &write}, counted{"wipe", &wipe}}
	gated := Tools(demo.Session(t, []string{"read"}, []string{"wipe"}), nil, tools...)
	if len(gated) != 2 {
		t.Fatalf("offered %d tools, want read and write", len(gated))
	}
	for _, g := range gated {
		_, err := g.Execute(context.Background(), json.RawMessage(`{"path":"x"}`))
		if (err == nil) != (g.Name() == "read") {
			t.Errorf("%s: %v", g.Name(), err)
		}
	}
	if read != 1 || write != 0 || wipe != 0 {
		t.Errorf("ran: read %d, write %d, wipe %d", read, write, wipe)
	}
	// Undecorated, every call runs.
	for _, tool := range tools {
		_, _ = tool.Execute(context.Background(), nil)
	}
	if wipe != 1 {
		t.Error("the attack does not work even without the gate")
	}
}
