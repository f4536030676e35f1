package adk

import (
	"context"
	"iter"
	"strings"
	"testing"

	"google.golang.org/adk/agent"
	"google.golang.org/adk/agent/llmagent"
	"google.golang.org/adk/model"
	"google.golang.org/adk/runner"
	"google.golang.org/adk/session"
	"google.golang.org/adk/tool"
	"google.golang.org/adk/tool/functiontool"
	"google.golang.org/genai"

	"github.com/clearance-go/clearance/examples/adapters/internal/demo"
)

// recorded is a model that asks for one call and then stops.
type recorded struct{ call *genai.FunctionCall }

func (recorded) Name() string { return "recorded" }

func (m recorded) GenerateContent(_ context.Context, req *model.LLMRequest, _ bool) iter.Seq2[*model.LLMResponse, error] {
	return func(yield func(*model.LLMResponse, error) bool) {
		part := &genai.Part{FunctionCall: m.call}
		for _, c := range req.Contents {
			for _, p := range c.Parts {
				if p.FunctionResponse != nil {
					part = &genai.Part{Text: "done"}
				}
			}
		}
		yield(&model.LLMResponse{Content: &genai.Content{Role: "model", Parts: []*genai.Part{part}}}, nil)
	}
}

type args struct {
	Path string `json:"path"`
}

type result struct {
	Text string `json:"text"`
}

// play runs an agent that calls the tool once; it says whether the tool ran
// and what the model was told.
func play(t *testing.T, name string, before ...llmagent.BeforeToolCallback) (ran bool, told string) {
	t.Helper()
	ctx := context.Background()
	f, err := functiontool.New(functiontool.Config{Name: name, Description: name}, func(tool.Context, args) result {
		ran = true
		return result{"ran"}
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := llmagent.New(llmagent.Config{
		Name: "a", Model: recorded{&genai.FunctionCall{Name: name, Args: map[string]any{"path": "x"}}},
		Tools: []tool.Tool{f}, BeforeToolCallbacks: before,
	})
	if err != nil {
		t.Fatal(err)
	}
	sessions := session.InMemoryService()
	if _, err := sessions.Create(ctx, &session.CreateRequest{AppName: "app", UserID: "u", SessionID: "s"}); err != nil {
		t.Fatal(err)
	}
	r, err := runner.New(runner.Config{AppName: "app", Agent: a, SessionService: sessions})
	if err != nil {
		t.Fatal(err)
	}
	for event, err := range r.Run(ctx, "u", "s", genai.NewContentFromText("go", genai.RoleUser), agent.RunConfig{}) {
		if err != nil {
			t.Fatal(err)
		}
		if event.Content == nil {
			continue
		}
		for _, p := range event.Content.Parts {
			if p.FunctionResponse != nil {
				if s, ok := p.FunctionResponse.Response["error"].(string); ok {
					told += s
				}
			}
		}
	}
	return ran, told
}

func TestBeforeTool(t *testing.T) {
	s := demo.Session(t, []string{"read"}, []string{"wipe"})
	for name, want := range map[string]bool{"read": true, "write": false, "wipe": false} {
		ran, told := play(t, name, BeforeTool(s, nil))
		if ran != want {
			t.Errorf("%s: ran %v, told %q", name, ran, told)
		}
		if !want && !strings.Contains(told, name) {
			t.Errorf("%s: the reason does not reach the model: %q", name, told)
		}
	}
	if ran, _ := play(t, "wipe"); !ran {
		t.Error("the attack does not work even without the gate")
	}
}
