package mcptrust

import (
	"context"
	"errors"
)

// Options configures [Open]. Only Dir is needed.
type Options struct {
	// Dir is the folder of the store: absolute, outside every project, on a
	// local file system. It is created with mode 0700. Take it from the user's
	// own configuration folder, never from a file or environment of a project.
	Dir string
	// Policy is the organisation's allow and deny lists; nil: none.
	Policy *Policy
	// Home is the user's home directory, whose trust is never kept. Empty: as
	// os.UserHomeDir says.
	Home string
	// BuiltinTools are the names of the host's own tools, which no server may
	// imitate.
	BuiltinTools []string
}

// Registry holds the decisions. It is safe for concurrent use, also by several
// processes on one store.
type Registry struct{ opts Options }

var errClosed = errors.New("mcptrust: closed")

// Open opens or creates the store.
func Open(opts Options) (*Registry, error) { return nil, errClosed }

// Paths returns the files and folders that a host must keep from the model's
// tools: the store folder.
func (r *Registry) Paths() []string { return []string{r.opts.Dir} }

// Check compares a server with what was approved for the project.
func (r *Registry) Check(ctx context.Context, project string, s Server) (ServerCheck, error) {
	return ServerCheck{}, errClosed
}

// Approve records the decision that the token stands for.
func (r *Registry) Approve(ctx context.Context, t Token) error { return errClosed }

// Revoke withdraws trust from a server.
func (r *Registry) Revoke(ctx context.Context, project, server string) error { return errClosed }

// RevokeTool withdraws trust from one tool of a server.
func (r *Registry) RevokeTool(ctx context.Context, project, server, tool string) error {
	return errClosed
}

// Forget drops a decision, so that it is asked again.
func (r *Registry) Forget(ctx context.Context, project, server string) error { return errClosed }

// List returns every decision.
func (r *Registry) List(ctx context.Context) ([]Record, error) { return nil, errClosed }

// CheckTools compares tools with what was approved for the server.
func (r *Registry) CheckTools(ctx context.Context, project string, s Server, tools []Tool) ([]ItemCheck, error) {
	return nil, errClosed
}

// CheckInstructions compares the server's instructions with what was approved.
func (r *Registry) CheckInstructions(ctx context.Context, project string, s Server, text string) (ItemCheck, error) {
	return ItemCheck{}, errClosed
}

// Trusted reports whether the workspace was approved with this digest.
func (r *Registry) Trusted(ctx context.Context, dir, looseningDigest string) (bool, error) {
	return false, errClosed
}

// ApproveWorkspace trusts the workspace with exactly this digest.
func (r *Registry) ApproveWorkspace(ctx context.Context, dir, looseningDigest string) error {
	return errClosed
}

// RevokeWorkspace withdraws trust from the workspace.
func (r *Registry) RevokeWorkspace(ctx context.Context, dir string) error { return errClosed }
