package permission

import (
	"context"
	"encoding/json"
)

// AuthorizeTool is [Session.Authorize] for hosts that know a tool only by its
// name and its input, such as the hooks of agent frameworks: nil means that
// the call may run now. The call starts in the session's directory. What needs
// the Grant (a file opened outside the roots, a confined command) needs
// Authorize.
func (s *Session) AuthorizeTool(ctx context.Context, tool string, input json.RawMessage) error {
	grant, err := s.Authorize(ctx, Call{Tool: tool, Input: input})
	if err != nil {
		return err
	}
	if grant.Confined() {
		d := grant.Decision()
		d.Verdict = Deny
		d.Reasons = []Reason{{Code: CodeSandbox, Verdict: Deny, Text: "It may run only inside a sandbox, which this way of calling tools cannot provide."}}
		return &RefusedError{Call: grant.Call(), Decision: d}
	}
	return nil
}
