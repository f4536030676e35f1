package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/clearance-go/clearance/permission"
)

// kinds are the sub-agents that the Agent tool starts, and what each may not
// do beyond what its parent may not do. None starts another.
var kinds = map[string]struct {
	about string
	mode  *permission.Mode
	deny  []string
}{
	"explore": {about: "reads and reports, changes nothing", mode: new(permission.ModePlan), deny: []string{"Agent", "Edit", "Write", "WebFetch", "Edit(//**)"}},
	"general": {about: "works like its parent", deny: []string{"Agent"}},
}

// subagent runs a sub-agent in a session of its own, which never may more than
// the one that started it. What it has read labels its parent as well.
func (h *host) subagent(ctx context.Context, a *actor, s *step, n string) (string, error) {
	var in struct {
		Kind string `json:"subagent_type"`
	}
	if err := json.Unmarshal(s.Input, &in); err != nil {
		return "", err
	}
	if in.Kind == "" {
		in.Kind = "explore"
	}
	kind, ok := kinds[in.Kind]
	if !ok {
		return "", fmt.Errorf("there is no sub-agent %q; there are explore and general", in.Kind)
	}
	session, err := a.session.Child(kind.mode)
	if err != nil {
		return "", err
	}
	if err := session.Restrict(kind.deny...); err != nil {
		return "", err
	}
	m, err := a.model.Child(s, session)
	if err != nil {
		return "", err
	}
	child := &actor{session: session, model: m, prefix: n + "."}
	if err := h.loop(ctx, child); err != nil {
		return "", err
	}
	// Its answer is what it said last, or of a recording what its calls returned.
	if said := m.Said(); said != "" {
		return said, nil
	}
	var out strings.Builder
	for _, t := range child.history {
		fmt.Fprintf(&out, "%s: %s\n", describe(t.Step), strings.TrimSpace(t.Result))
	}
	return out.String(), nil
}
