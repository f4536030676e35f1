package main

import (
	"context"
	"errors"

	"github.com/clearance-go/clearance/permission"
)

// trustWorkspace shows what the repository's settings would loosen, and puts
// that in force if the person trusts it.
func (h *host) trustWorkspace(ctx context.Context) (string, error) {
	l := h.rules.Loosening()
	if l.Digest == "" || l.Trusted {
		return "nothing to trust", nil
	}
	check, err := h.trust.CheckWorkspace(ctx, h.w.project, l.Digest, l.Entries)
	if err != nil {
		return "", err
	}
	yes, err := h.person.confirm(ctx, "Trust this workspace?", check.Prompt, "")
	if err != nil {
		return "", err
	}
	if !yes {
		return "", errors.New("not trusted: the repository's settings may only tighten")
	}
	if err := h.trust.Approve(ctx, check.Token); err != nil {
		return "", err
	}
	if err := h.rules.Reload(ctx); err != nil {
		return "", err
	}
	if err := h.refresh(); err != nil {
		return "", err
	}
	return "trusted", nil
}

// refresh decides by the settings and the connected servers of now.
func (h *host) refresh() error {
	eval, err := permission.New(permission.Config{Policy: h.rules.Policy(), Inspector: h.tools, Servers: h.servers.names})
	if err != nil {
		return err
	}
	h.gate.Swap(eval)
	return nil
}
