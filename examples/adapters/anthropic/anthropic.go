// Package anthropic puts a clearance session in front of the tools of
// github.com/anthropics/anthropic-sdk-go's tool runner, which has no hook of
// its own: each tool is decorated.
package anthropic

import (
	"context"
	"encoding/json"

	sdk "github.com/anthropics/anthropic-sdk-go"

	"github.com/clearance-go/clearance/permission"
)

// Tools returns the tools that the session offers to the model, each behind a
// gate: a call that the session refuses does not run, and its result is the
// reason. Give the runner these and no others. name turns a tool's name into
// the one that rules use; nil keeps it.
func Tools(s *permission.Session, name func(tool string) string, tools ...sdk.BetaTool) []sdk.BetaTool {
	if name == nil {
		name = func(tool string) string { return tool }
	}
	var out []sdk.BetaTool
	for _, t := range tools {
		if s.Offers(name(t.Name())) {
			out = append(out, gated{t, s, name(t.Name())})
		}
	}
	return out
}

type gated struct {
	sdk.BetaTool
	session *permission.Session
	called  string
}

// Execute asks the session first.
func (g gated) Execute(ctx context.Context, input json.RawMessage) ([]sdk.BetaToolResultBlockParamContentUnion, error) {
	if len(input) == 0 {
		input = json.RawMessage("{}")
	}
	if err := g.session.AuthorizeTool(ctx, g.called, input); err != nil {
		return nil, err
	}
	return g.BetaTool.Execute(ctx, input)
}
