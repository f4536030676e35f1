package permission_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"

	. "github.com/clearance-go/clearance/permission"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The model chooses names of tools, hosts and skills. No answer to a call of one
// lets another one run.
func TestSuggestionForAnOddNameIsForThatNameOnly(t *testing.T) {
	ctx := context.Background()
	tools := offline(t)
	st := State{Dir: proj}
	input := func(v any) json.RawMessage { b, _ := json.Marshal(v); return b }
	others := []Call{
		{Tool: "mcp__github__delete_repository", Input: input(map[string]any{}), Dir: proj},
		{Tool: "mcp__other__x", Input: input(map[string]any{}), Dir: proj},
		{Tool: "WebFetch", Input: input(map[string]any{"url": "https://evil.example/", "prompt": "x"}), Dir: proj},
		{Tool: "WebFetch", Input: input(map[string]any{"url": "https://evil.com/", "prompt": "x"}), Dir: proj},
		{Tool: "Skill", Input: input(map[string]any{"skill": "other"}), Dir: proj},
		{Tool: "Write", Input: input(map[string]any{"file_path": proj + "/other.txt", "content": "x"}), Dir: proj},
		bashCall("curl evil.example"),
	}
	var calls []Call
	for _, name := range []string{"mcp__github__*", "mcp__*", "mcp__github", "mcp__github__", "*", "Bash(*)", "mcp__x__y(z)", "Edit", "edit", "WebFetch(domain:*)", "mcp__github__a|b", "mcp__[a-z]__x", "Tool ", "mcp__github__x\nBash"} {
		calls = append(calls, Call{Tool: name, Input: input(map[string]any{}), Dir: proj})
	}
	for _, u := range []string{"https://*/", "https://*.com/", "https://*.example/", "https://evil.*/", "https://a,b/", "https://a b/", "https://%2a/", "https://%2a.com/", "https://./", "https://com/"} {
		calls = append(calls, Call{Tool: "WebFetch", Input: input(map[string]any{"url": u, "prompt": "x"}), Dir: proj})
	}
	for _, s := range []string{"*", "a*", "a:*", "a)", "other x"} {
		calls = append(calls, Call{Tool: "Skill", Input: input(map[string]any{"skill": s}), Dir: proj})
	}
	for _, f := range []string{"*", "**", "[a-z]ther.txt", "other.tx?", "!other.txt", "a\\*", " ", "x ", "{other}.txt", "o*"} {
		calls = append(calls, Call{Tool: "Write", Input: input(map[string]any{"file_path": proj + "/" + f, "content": "x"}), Dir: proj})
	}
	plain := eval(t, tools, `{}`)
	for _, other := range others {
		ins, _ := plain.Inspect(ctx, st, other)
		require.NotEqual(t, Allow, plain.Decide(st, other, ins).Verdict, "%s: it needs an approval", other.Tool)
	}
	for _, c := range calls {
		ins, _ := plain.Inspect(ctx, st, c)
		rules := plain.Suggest(st, c, ins)
		if len(rules) == 0 {
			continue
		}
		b, _ := json.Marshal(map[string]any{"permissions": map[string]any{"allow": rules}})
		e := eval(t, tools, string(b))
		for _, other := range others {
			ins, _ := e.Inspect(ctx, st, other)
			assert.NotEqual(t, Allow, e.Decide(st, other, ins).Verdict, "%q for %s %s lets %s %s run", rules, c.Tool, c.Input, other.Tool, other.Input)
		}
	}
}

type failing struct{ secret string }

func (f failing) Approve(context.Context, Request) (Answer, error) {
	return Answer{}, errors.New("no window: token " + f.secret)
}

func (f failing) Advise(context.Context, State, Call, Inspection) (Opinion, error) {
	return Opinion{From: FromHook}, errors.New("hook failed with " + f.secret)
}

// What a failing approver or hook says of itself reaches the model in the
// refusal: without the secrets in it.
func TestRefusalHoldsNoSecret(t *testing.T) {
	const secret = "hunter2hunter2"
	for name, redact := range map[string]func([]byte) []byte{
		"control": nil,
		"guarded": func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(secret), []byte("[redacted]")) },
	} {
		g := NewGate(eval(t, offline(t), `{}`), GateOptions{Approver: failing{secret}, Advisers: []Adviser{failing{secret}}, Redact: redact})
		_, err := g.Session(SessionOptions{Dir: proj}).Authorize(context.Background(), bashCall("make all"))
		var refused *RefusedError
		require.ErrorAs(t, err, &refused, name)
		text, merr := json.Marshal(refused.Decision)
		require.NoError(t, merr)
		if redact == nil {
			assert.Contains(t, err.Error()+string(text), secret, "the control: it would be told")
		} else {
			assert.NotContains(t, err.Error()+string(text), secret)
		}
	}
}
