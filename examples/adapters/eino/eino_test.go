package eino

import (
	"context"
	"strings"
	"testing"

	"github.com/cloudwego/eino/components/tool"
	"github.com/cloudwego/eino/compose"
	"github.com/cloudwego/eino/schema"

	"github.com/clearance-go/clearance/examples/adapters/internal/demo"
)

// plain, stream, rich and richStream are tools of the four kinds.
type base struct {
	name  string
	calls *int
}

func (b base) Info(context.Context) (*schema.ToolInfo, error) {
	return &schema.ToolInfo{Name: b.name, Desc: b.name}, nil
}

type plain struct{ base }

func (p plain) InvokableRun(context.Context, string, ...tool.Option) (string, error) {
	*p.calls++
	return "done", nil
}

type stream struct{ base }

func (p stream) StreamableRun(context.Context, string, ...tool.Option) (*schema.StreamReader[string], error) {
	*p.calls++
	return schema.StreamReaderFromArray([]string{"done"}), nil
}

func done() *schema.ToolResult {
	return &schema.ToolResult{Parts: []schema.ToolOutputPart{{Type: schema.ToolPartTypeText, Text: "done"}}}
}

type rich struct{ base }

func (p rich) InvokableRun(context.Context, *schema.ToolArgument, ...tool.Option) (*schema.ToolResult, error) {
	*p.calls++
	return done(), nil
}

type richStream struct{ base }

func (p richStream) StreamableRun(context.Context, *schema.ToolArgument, ...tool.Option) (*schema.StreamReader[*schema.ToolResult], error) {
	*p.calls++
	return schema.StreamReaderFromArray([]*schema.ToolResult{done()}), nil
}

func play(t *testing.T, kind func(base) tool.BaseTool, name string, gates ...compose.ToolMiddleware) (calls int, told string) {
	t.Helper()
	ctx := context.Background()
	node, err := compose.NewToolNode(ctx, &compose.ToolsNodeConfig{Tools: []tool.BaseTool{kind(base{name, &calls})}, ToolCallMiddlewares: gates})
	if err != nil {
		t.Fatal(err)
	}
	msgs, err := node.Invoke(ctx, schema.AssistantMessage("", []schema.ToolCall{{ID: "1", Function: schema.FunctionCall{Name: name, Arguments: `{"path":"x"}`}}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range msgs {
		told += m.Content
		for _, p := range m.UserInputMultiContent {
			told += p.Text
		}
	}
	return calls, told
}

func TestMiddleware(t *testing.T) {
	s := demo.Session(t, []string{"read"}, []string{"wipe"})
	for kindName, kind := range map[string]func(base) tool.BaseTool{
		"invokable":           func(b base) tool.BaseTool { return plain{b} },
		"streamable":          func(b base) tool.BaseTool { return stream{b} },
		"enhanced invokable":  func(b base) tool.BaseTool { return rich{b} },
		"enhanced streamable": func(b base) tool.BaseTool { return richStream{b} },
	} {
		for name, want := range map[string]int{"read": 1, "write": 0, "wipe": 0} {
			calls, told := play(t, kind, name, Middleware(s, nil))
			if calls != want {
				t.Errorf("%s %s: ran %d times: %s", kindName, name, calls, told)
			}
			if want == 0 && !strings.Contains(told, "refused") && !strings.Contains(told, "not approved") {
				t.Errorf("%s %s: the reason does not reach the model: %q", kindName, name, told)
			}
		}
		if calls, _ := play(t, kind, "wipe"); calls != 1 {
			t.Errorf("%s: the attack does not work even without the gate", kindName)
		}
	}
}
