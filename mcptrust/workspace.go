package mcptrust

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// workspace is a project folder by its real path.
type workspace struct {
	dir  string // real path of the folder
	root string // real path of the git top level, else dir
	main string // real path of the main checkout when root is a verified worktree
}

// resolve finds the workspace of a folder. No file below it can choose another
// workspace: a worktree counts only when the main repository names it back
// (GHSA-q5hj-mxqh-vv77 was a planted commondir that did choose one).
func (r *Registry) resolve(dir string) (workspace, error) {
	if dir == "" {
		return workspace{}, fmt.Errorf("mcptrust: no project folder given")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return workspace{}, fmt.Errorf("mcptrust: project folder: %w", err)
	}
	real, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return workspace{}, fmt.Errorf("mcptrust: project folder: %w", err)
	}
	if info, err := os.Stat(real); err != nil || !info.IsDir() {
		return workspace{}, fmt.Errorf("mcptrust: project folder %q is not a folder", Escape(dir))
	}
	w := workspace{dir: real, root: real}
	for d := real; ; {
		if info, err := os.Lstat(filepath.Join(d, ".git")); err == nil {
			// A home directory under version control is not one workspace.
			if d != real && r.notKept(d) {
				break
			}
			w.root = d
			if info.Mode().IsRegular() {
				w.main = mainCheckout(d)
			}
			break
		}
		up := filepath.Dir(d)
		if up == d {
			break
		}
		d = up
	}
	if within(w.root, r.store.dir) && !r.notKept(w.root) {
		return workspace{}, &StoreError{Path: r.store.dir, Code: CodeStoreUnsafe, Msg: "the store lies inside the project", Fix: "open the registry with a folder outside every project"}
	}
	return w, nil
}

// mainCheckout returns the main checkout of the worktree at root, or "".
func mainCheckout(root string) string {
	line, ok := smallFile(filepath.Join(root, ".git"))
	if !ok {
		return ""
	}
	gitdir, ok := strings.CutPrefix(line, "gitdir: ")
	if !ok {
		return ""
	}
	if !filepath.IsAbs(gitdir) {
		gitdir = filepath.Join(root, gitdir)
	}
	gitdir, err := filepath.EvalSymlinks(gitdir)
	if err != nil || filepath.Base(filepath.Dir(gitdir)) != "worktrees" {
		return ""
	}
	common := filepath.Dir(filepath.Dir(gitdir))
	main := filepath.Dir(common)
	if filepath.Base(common) != ".git" || within(root, common) {
		return ""
	}
	if info, err := os.Lstat(filepath.Join(main, ".git")); err != nil || !info.IsDir() {
		return ""
	}
	back, ok := smallFile(filepath.Join(gitdir, "gitdir"))
	if !ok {
		return ""
	}
	if !filepath.IsAbs(back) {
		back = filepath.Join(gitdir, back)
	}
	if real, err := filepath.EvalSymlinks(filepath.Dir(back)); err != nil || real != root || filepath.Base(back) != ".git" {
		return ""
	}
	return main
}

func smallFile(path string) (string, bool) {
	f, err := openNoFollow(path)
	if err != nil {
		return "", false
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > 8192 {
		return "", false
	}
	b := make([]byte, 8192)
	n, _ := f.Read(b)
	s := strings.TrimRight(string(b[:n]), "\r\n")
	return s, s != "" && !strings.ContainsAny(s, "\r\n\x00")
}

// within reports whether path is dir or lies below it. Both are clean.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// notKept reports a folder whose trust is not persisted: the home directory and
// everything above it, since any download would land inside.
func (r *Registry) notKept(root string) bool { return r.home == "" || within(root, r.home) }

// Trusted reports whether the workspace that holds dir was approved with
// exactly this digest of what its files would loosen. It satisfies the trust
// interface of permission/settings. A changed digest is not trusted, and so is
// an empty one. A parent folder's trust does not count; a sub-folder of the same
// git checkout does; a git worktree shares the trust of its main checkout when
// that checkout names it back, and the digest is equal. On an error the answer
// is false.
func (r *Registry) Trusted(ctx context.Context, dir, looseningDigest string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	w, err := r.resolve(dir)
	if err != nil || looseningDigest == "" {
		return false, err
	}
	if r.notKept(w.root) {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.session[w.root] == looseningDigest, nil
	}
	f, err := r.store.read(projectFile(w.root))
	if err != nil {
		return false, err
	}
	if f.Path != "" && f.Path != w.root {
		return false, nil
	}
	if f.Workspace != nil && f.Workspace.Status != wordForgotten {
		return f.Workspace.Status == wordTrusted && f.Workspace.Digest == looseningDigest, nil
	}
	if w.main == "" || r.notKept(w.main) {
		return false, nil
	}
	f, err = r.store.read(projectFile(w.main))
	if err != nil || f.Path != w.main || f.Workspace == nil {
		return false, err
	}
	return f.Workspace.Status == wordTrusted && f.Workspace.Digest == looseningDigest, nil
}

// ApproveWorkspace trusts the workspace that holds dir with exactly this
// digest, replacing an earlier one. The caller has shown a person what the
// digest stands for. For the home directory and above, trust lasts as long as
// this Registry and is not stored.
func (r *Registry) ApproveWorkspace(ctx context.Context, dir, looseningDigest string) error {
	w, err := r.resolve(dir)
	if err != nil {
		return err
	}
	if looseningDigest == "" {
		return fmt.Errorf("mcptrust: no digest to approve: trust is given to what a workspace loosens")
	}
	if r.notKept(w.root) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.session[w.root] = looseningDigest
		return nil
	}
	return r.setWorkspace(ctx, w.root, workspaceRecord{Status: wordTrusted, Digest: looseningDigest})
}

// RevokeWorkspace withdraws trust from the workspace that holds dir.
func (r *Registry) RevokeWorkspace(ctx context.Context, dir string) error {
	w, err := r.resolve(dir)
	if err != nil {
		return err
	}
	if r.notKept(w.root) {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.session, w.root)
		return nil
	}
	return r.setWorkspace(ctx, w.root, workspaceRecord{Status: wordRevoked})
}

func (r *Registry) setWorkspace(ctx context.Context, root string, rec workspaceRecord) error {
	return r.store.update(ctx, projectFile(root), root, func(f *fileState) ([]Event, error) {
		e := Event{Op: OpApprove, Kind: "workspace", Digest: rec.Digest}
		if rec.Status != wordTrusted {
			e.Op = OpRevoke
		}
		if f.Workspace != nil {
			e.Before = f.Workspace.Digest
			rec.extra = f.Workspace.extra
			if f.Workspace.Status == rec.Status && f.Workspace.Digest == rec.Digest {
				return nil, nil
			}
		}
		f.Workspace = &rec
		return []Event{e}, nil
	})
}
