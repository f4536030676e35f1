package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/clearance-go/clearance/bashcheck/checkedrun"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope/sandbox"
)

// newBox returns the sandbox of this machine, or nil and why there is none.
func newBox(helper sandbox.Helper) (*sandbox.Box, string) {
	box, err := sandbox.New(helper, sandbox.Options{})
	if err != nil {
		return nil, err.Error()
	}
	return box, ""
}

// confined returns what starts the programs of one command inside the sandbox,
// as the settings in force want it. A protected or sensitive file that the grant
// names is there as it is. The caller closes the runner.
func (h *host) confined(ctx context.Context, grant *permission.Grant) (checkedrun.Sandbox, *sandbox.Runner, error) {
	want := h.rules.Policy().Sandbox(h.w.project)
	// Lean: each name that is covered costs time at the start of every command.
	o := sandbox.ProfileOptions{Lean: true, Limits: sandbox.Limits{Time: toolTimeout}}
	if hosts := want.Network.AllowedDomains; len(hosts) > 0 {
		o.Network = sandbox.Network{Reach: sandbox.Hosts, Hosts: hosts}
	}
	for _, a := range grant.Inspection().Actions {
		if p := a.Path; p.Extent == permission.Exact && (p.Class == permission.Sensitive || p.Class == permission.Protected && a.Kind != permission.Read && a.Kind != permission.List) {
			o.Unguarded = append(o.Unguarded, filepath.FromSlash(p.Real))
		}
	}
	profile, err := sandbox.FromGuard(h.guard, o)
	if err != nil {
		return checkedrun.Sandbox{}, nil, err
	}
	profile.Entries = append(profile.Entries, entries(want.Filesystem)...)
	runner, err := h.box.Runner(ctx, profile)
	if err != nil {
		return checkedrun.Sandbox{}, nil, err
	}
	level := checkedrun.Files
	if runner.Report().Level >= sandbox.Bubblewrap {
		level = checkedrun.Isolated
	}
	return checkedrun.Sandbox{Start: runner.Start, Level: level}, runner, nil
}

// entries are the paths of the settings. Of those with wildcards, which a
// sandbox does not know, one that allows is left out and one that denies holds
// for the whole folder before the first wildcard. What is not there is left out.
func entries(fs permission.SandboxFilesystem) []sandbox.Entry {
	var out []sandbox.Entry
	add := func(list []string, access sandbox.Access, widen bool) {
		for _, name := range list {
			if i := strings.IndexAny(name, `*?[\`); i >= 0 {
				if !widen {
					continue
				}
				name = filepath.Dir(name[:i] + "x")
			}
			real, err := filepath.EvalSymlinks(filepath.FromSlash(name))
			if err != nil {
				continue
			}
			if fi, err := os.Stat(real); err == nil {
				out = append(out, sandbox.Entry{Path: real, Access: access, Dir: fi.IsDir()})
			}
		}
	}
	add(fs.AllowWrite, sandbox.Write, false)
	add(fs.AllowRead, sandbox.Read, false)
	add(fs.DenyWrite, sandbox.Read, true)
	add(fs.DenyRead, sandbox.Hidden, true)
	return out
}

// where says in one word where a command runs.
func (h *host) where(grant *permission.Grant) string {
	switch {
	case grant == nil || grant.Call().Tool != "Bash":
		return ""
	case grant.Confined() && h.box != nil:
		return h.box.Report().Level.String()
	}
	return "unconfined"
}

// boxSentence says at the end of a run which sandbox there was.
func (h *host) boxSentence() string {
	if h.box == nil {
		return "No sandbox was used: " + h.noBox + "."
	}
	return fmt.Sprintf("Commands ran in the sandbox of this machine (%s) where the table says so.", h.box.Report())
}
