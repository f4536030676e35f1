package mcptrust

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// workspace is a project folder by its real path.
type workspace struct {
	dir  string // real path of the folder
	root string // real path of the git top level, else dir
	main string // real path of the main checkout when root is a verified worktree
}

// folder is the path of dir below root with slashes; empty for the root.
func (w workspace) folder() string {
	rel, err := filepath.Rel(w.root, w.dir)
	if err != nil || rel == "." {
		return ""
	}
	return filepath.ToSlash(rel)
}

// folder returns the record of a folder itself, nil where there is none.
func (f *fileState) folder(rel string) *workspaceRecord {
	if rel == "" {
		return f.Workspace
	}
	return f.Folders[rel]
}

func (f *fileState) setFolder(rel string, w *workspaceRecord) {
	if rel == "" {
		f.Workspace = w
		return
	}
	if f.Folders == nil {
		f.Folders = map[string]*workspaceRecord{}
	}
	f.Folders[rel] = w
}

// trusts says whether a digest is trusted in a folder: approved there or in any
// other folder of the checkout, and not withdrawn since. known is false where
// there is no decision about the checkout at all.
func (f *fileState) trusts(rel, digest string) (ok, known bool) {
	rec := f.folder(rel)
	if rec == nil {
		rec = f.Workspace
	}
	if rec != nil && rec.Status == wordRevoked {
		return false, true
	}
	is := func(w *workspaceRecord) bool {
		known = known || w != nil && w.Status != wordForgotten
		return w != nil && w.Status == wordTrusted && w.Digest == digest
	}
	ok = is(f.Workspace)
	for _, w := range f.Folders {
		ok = is(w) || ok
	}
	return ok, known
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
// an empty one. Each folder of a git checkout keeps its own last digest, and each
// of these counts in all of the checkout. A parent folder's trust does not count
// beyond that. A git worktree without a decision of its own shares the trust of
// its main checkout when that checkout names it back, and the digest is equal. On
// an error the answer is false.
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
		was := r.session[w.root]
		return was.Status == wordTrusted && was.Digest == looseningDigest, nil
	}
	f, err := r.store.read(projectFile(w.root))
	if err != nil {
		return false, err
	}
	if f.Path != "" && f.Path != w.root {
		return false, nil
	}
	ok, known := f.trusts(w.folder(), looseningDigest)
	if !known && w.main != "" && !r.notKept(w.main) {
		if f, err = r.store.read(projectFile(w.main)); err != nil || f.Path != w.main {
			return false, err
		}
		ok, _ = f.trusts(w.folder(), looseningDigest)
	}
	return ok, nil
}

// ApproveWorkspace trusts the workspace at dir with exactly this digest,
// replacing an earlier one of the same folder. The caller has shown a person what the
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
		r.session[w.root] = state{wordTrusted, r.session[w.root].Rev + 1, looseningDigest}
		return nil
	}
	return r.store.update(ctx, projectFile(w.root), w.root, func(f *fileState) ([]Event, error) {
		rel := w.folder()
		rec := &workspaceRecord{Status: wordTrusted, Digest: looseningDigest}
		before := ""
		if old := f.folder(rel); old != nil {
			if old.Status == rec.Status && old.Digest == rec.Digest {
				return nil, nil
			}
			before, rec.extra, rec.Rev = old.Digest, old.extra, old.Rev+1
		}
		f.setFolder(rel, rec)
		return []Event{{Op: OpApprove, Kind: "workspace", Name: rel, Digest: looseningDigest, Before: before}}, nil
	})
}

// RevokeWorkspace withdraws trust from the workspace that holds dir: from the
// whole git checkout with every folder of it.
func (r *Registry) RevokeWorkspace(ctx context.Context, dir string) error {
	w, err := r.resolve(dir)
	if err != nil {
		return err
	}
	if r.notKept(w.root) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.session[w.root] = state{Status: wordRevoked, Rev: r.session[w.root].Rev + 1}
		return nil
	}
	return r.store.update(ctx, projectFile(w.root), w.root, func(f *fileState) ([]Event, error) {
		var events []Event
		for _, rel := range append([]string{""}, slices.Sorted(maps.Keys(f.Folders))...) {
			rec, before := &workspaceRecord{Status: wordRevoked}, ""
			if old := f.folder(rel); old != nil {
				if old.Status == wordRevoked {
					continue
				}
				before, rec.extra, rec.Rev = old.Digest, old.extra, old.Rev+1
			}
			f.setFolder(rel, rec)
			events = append(events, Event{Op: OpRevoke, Kind: "workspace", Name: rel, Before: before})
		}
		return events, nil
	})
}

// WorkspaceCheck is the answer of [Registry.CheckWorkspace].
type WorkspaceCheck struct {
	Status Status
	// Diff holds what the workspace would loosen and did not when it was
	// approved, and what is gone. What looks like a secret in an entry is hidden,
	// the rest of the entry is not.
	Diff []Change
	// Prompt is the complete text for the person; empty when Trusted.
	Prompt string
	// Token approves exactly this; empty when Trusted.
	Token Token
}

// CheckWorkspace compares what a workspace's own files would loosen with what
// was approved, for a prompt that shows what is new. digest is that of
// [Registry.Trusted], entries are its lines for a person, such as
// Settings.Loosening of permission/settings. Everything stays inert until the
// whole is approved. Errors: as [Registry.Trusted].
func (r *Registry) CheckWorkspace(ctx context.Context, dir, digest string, entries []string) (WorkspaceCheck, error) {
	var c WorkspaceCheck
	ok, err := r.Trusted(ctx, dir, digest)
	if err != nil {
		return c, err
	}
	if ok {
		c.Status = Trusted
		return c, nil
	}
	if digest == "" {
		return c, fmt.Errorf("mcptrust: no digest: the workspace loosens nothing, or its files could not be read")
	}
	w, err := r.resolve(dir)
	if err != nil {
		return c, err
	}
	rel := w.folder()
	var old, root *workspaceRecord
	if !r.notKept(w.root) {
		f, err := r.readPlace(place{file: projectFile(w.root), path: w.root})
		if err != nil {
			return c, err
		}
		old, root = f.folder(rel), f.Workspace
	}
	now := r.workspaceEntries(entries)
	var was []string
	if old != nil {
		was = old.Entries
		switch old.Status {
		case wordTrusted:
			c.Status = Changed
		case wordRevoked:
			c.Status = Revoked
		}
	} else if root != nil && root.Status == wordRevoked {
		c.Status = Revoked
	}
	for _, e := range now {
		if !slices.Contains(was, e) {
			c.Diff = append(c.Diff, Change{Field: "loosens", New: entryText(e)})
		}
	}
	for _, e := range was {
		if !slices.Contains(now, e) {
			c.Diff = append(c.Diff, Change{Field: "loosens", Old: entryText(e), Benign: true})
		}
	}
	c.Prompt = workspacePrompt(c.Status, w.dir, now, was, old != nil, r.notKept(w.root))
	if r.headless {
		if c.Status != Revoked {
			c.Status = Blocked
		}
		c.Prompt = ""
		return c, nil
	}
	before := workspaceState(old)
	if r.notKept(w.root) {
		r.mu.Lock()
		before = r.session[w.root]
		r.mu.Unlock()
	}
	c.Token = r.seal(ticket{Kind: ticketWorkspace, File: projectFile(w.root), Path: w.root, Folder: rel, Digest: digest, Entries: now,
		Before: before, Parent: workspaceState(root), Shown: shownDigest(c.Prompt)})
	return c, nil
}

// workspacePrompt is the text that a person approves. known says that there was a
// decision before, passing that trust is not kept.
func workspacePrompt(status Status, dir string, now, was []string, known, passing bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s workspace %s\nTrusting it puts in force what its own files say:\n", promptWord(status), quote(dir))
	for _, e := range now {
		mark := " "
		if known && !slices.Contains(was, e) {
			mark = "+"
		}
		fmt.Fprintf(&b, "  %s %s\n", mark, entryText(e))
	}
	for _, e := range was {
		if !slices.Contains(now, e) {
			fmt.Fprintf(&b, "  - %s\n", entryText(e))
		}
	}
	if passing {
		b.WriteString("Trust in this folder lasts for this run only.\n")
	}
	return b.String()
}

// workspaceEntries are the entries as they are stored: as written, or without
// what looks like a secret and with a keyed digest of the whole.
func (r *Registry) workspaceEntries(entries []string) []string {
	out := make([]string, 0, len(entries))
	for _, e := range entries {
		if shown := maskSecrets(e); shown != e || strings.ContainsRune(e, 0) {
			e = strings.ReplaceAll(shown, "\x00", `\u{0}`) + "\x00" + r.store.mac("entry/v1", e)
		}
		out = append(out, e)
	}
	return out
}

func entryText(e string) string {
	text, _, _ := strings.Cut(e, "\x00")
	return quote(text)
}

func workspaceState(w *workspaceRecord) state {
	if w == nil {
		return state{}
	}
	return state{w.Status, w.Rev, w.Digest}
}
