package mcptrust

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Codes of [Reason].
const (
	CodeServerNew         Code = "SERVER_NEW"
	CodeServerChanged     Code = "SERVER_CHANGED"
	CodeServerBenign      Code = "SERVER_CHANGED_BENIGN"
	CodeServerRevoked     Code = "SERVER_REVOKED"
	CodeServerRenamed     Code = "SERVER_RENAMED"
	CodeServerInvalid     Code = "SERVER_INVALID"
	CodeServerNotTrusted  Code = "SERVER_NOT_TRUSTED"
	CodeWorktree          Code = "WORKTREE_SHARED"
	CodePolicyDeny        Code = "POLICY_DENY"
	CodePolicyNotAllowed  Code = "POLICY_NOT_ALLOWED"
	CodePolicyInvalidDeny Code = "POLICY_INVALID_DENY"
	CodeHeadless          Code = "HEADLESS"
	CodeLock              Code = "LOCK_FILE"
	CodeLockMismatch      Code = "LOCK_FILE_MISMATCH"
	CodeLockSuggested     Code = "LOCK_FILE_SUGGESTED"
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
	// Headless says that no person can answer: what is not decided is Blocked,
	// and no check returns a token. Only earlier decisions and Lock let anything
	// run.
	Headless bool
	// Lock holds reviewed definitions that count as approved, for teams and CI.
	// Read it with [ReadLock] from a path that the caller chose, never because
	// it was found in a checkout: who writes it approves.
	Lock *Lock
	// Sealer encrypts or authenticates the store's files; nil: they are plain
	// text, which Paths, modes and owner protect.
	Sealer Sealer
}

// Registry holds the decisions. It is safe for concurrent use, also by several
// processes on one store.
type Registry struct {
	store  *store
	policy *Policy
	home   string // real path; empty: not known, then nothing is kept
	tools  []string

	headless bool
	lock     *Lock

	mu      sync.Mutex
	session map[string]state // trust of workspaces that is not kept
}

// Open opens or creates the store. Errors: *[StoreError]. A store folder that
// another user may write, or that is a link, is refused.
func Open(opts Options) (*Registry, error) {
	st, err := openStore(context.Background(), opts.Dir, opts.Sealer)
	if err != nil {
		return nil, err
	}
	home := opts.Home
	if home == "" {
		home, _ = os.UserHomeDir()
	}
	if home != "" {
		if real, err := filepath.EvalSymlinks(home); err == nil {
			home = real
		}
		home = filepath.Clean(home)
	}
	return &Registry{store: st, policy: opts.Policy, home: home, tools: slices.Clone(opts.BuiltinTools),
		headless: opts.Headless, lock: opts.Lock, session: map[string]state{}}, nil
}

// Paths returns what a host must keep from the model's tools, reading and
// writing: the store folder with everything in it. Who can write it can approve,
// who can read its key can forge tokens.
func (r *Registry) Paths() []string { return []string{r.store.dir} }

// place is where decisions about a server live.
type place struct {
	file  string
	path  string // real path of the project; empty for the user's file
	start string // where a stdio server starts, relative to the project
	ws    workspace
}

func (r *Registry) place(project string, s *Server) (place, error) {
	// A stdio server without a fixed folder finds its files, and packages such
	// as node_modules, in the project: another project is another server.
	movable := s.Transport == Stdio && !filepath.IsAbs(s.Dir.Expanded())
	w, err := r.resolve(project)
	if err != nil {
		return place{}, err
	}
	p := place{file: projectFile(w.root), path: w.root, ws: w}
	if s.Source.Scope == ScopeUser && !movable {
		p.file, p.path = userFile, ""
	}
	if movable {
		if rel, err := filepath.Rel(w.root, w.dir); err == nil && rel != "." {
			p.start = filepath.ToSlash(rel)
		}
	}
	return p, nil
}

// Check compares a server with what was approved for the project (a folder; a
// sub-folder of the same git checkout is the same project). It starts nothing
// and writes nothing. Call it before the server is started or connected, and
// start exactly the Server that it returns: only Status Trusted may start. A
// headless host blocks everything else.
//
// Decisions about a server of [ScopeUser] count in every project when it is
// remote or has an absolute Dir, and per project otherwise.
//
// Errors: *[StoreError], [ErrPolicyPending], and those of the project folder.
// With an error the status is never Trusted.
func (r *Registry) Check(ctx context.Context, project string, s Server) (ServerCheck, error) {
	c, _, err := r.check(ctx, project, s)
	return c, err
}

// standing is what check knows beside its answer.
type standing struct {
	place
	pin    json.RawMessage
	digest string
	rec    *serverRecord // nil when there is none
	locked *lockedServer // the lock file's entry, when it is what makes the server trusted
	files  []*fileState  // that hold decisions for the project
}

// revoked reports an item that was revoked where the decision about its server
// stands, in the project itself, or for every project.
func (st *standing) revoked(server, key string) (found, elsewhere bool) {
	is := func(rec *serverRecord) bool {
		return rec != nil && rec.Items[key] != nil && rec.Items[key].Status == wordRevoked
	}
	if is(st.rec) {
		return true, false
	}
	for _, f := range st.files {
		if is(f.Servers[server]) {
			return true, true
		}
	}
	return false, false
}

func (r *Registry) check(ctx context.Context, project string, s Server) (ServerCheck, standing, error) {
	out, st, err := r.compare(ctx, project, s)
	if err == nil && r.headless && out.Status != Trusted {
		if out.Status != Revoked {
			out.Status = Blocked
		}
		out.Token, out.Prompt, out.Confirm = "", "", ""
		out.Reasons = append(out.Reasons, Reason{CodeHeadless, "nobody can be asked here: approve it in an interactive run, or give a lock file"})
	}
	return out, st, err
}

func (r *Registry) compare(ctx context.Context, project string, s Server) (ServerCheck, standing, error) {
	out := ServerCheck{Server: s}
	if err := ctx.Err(); err != nil {
		return out, standing{}, err
	}
	block := func(code Code, text string) (ServerCheck, standing, error) {
		out.Status = Blocked
		out.Reasons = append(out.Reasons, Reason{code, text})
		return out, standing{}, nil
	}
	if code, msg, fix := s.invalid(); code != "" {
		return block(CodeServerInvalid, fmt.Sprintf("%s: %s (%s)", msg, fix, code))
	}
	verdict := r.policy.Evaluate(s)
	if verdict.Pending {
		return out, standing{}, ErrPolicyPending
	}
	if !verdict.Allowed {
		return block(verdict.Reason.Code, verdict.Reason.Text)
	}
	pl, err := r.place(project, &s)
	if err != nil {
		return out, standing{}, err
	}
	pin, err := r.store.serverPin(&s, pl.start)
	if err != nil {
		return block(CodeServerInvalid, Escape(err.Error()))
	}
	st := standing{place: pl, pin: pin, digest: digest("server/v1", string(pin))}
	out.Findings = serverFindings(&s)

	f, err := r.readPlace(pl)
	if err != nil {
		return out, standing{}, err
	}
	own := f
	if pl.file == userFile {
		// A revocation in the project counts beside the user's own decision.
		if own, err = r.readPlace(place{file: projectFile(pl.ws.root), path: pl.ws.root}); err != nil {
			return out, standing{}, err
		}
	}
	everywhere := f
	if f == own {
		if everywhere, err = r.readPlace(place{file: userFile}); err != nil {
			return out, standing{}, err
		}
	}
	st.files = []*fileState{own, everywhere}
	rec := f.Servers[s.Name]
	if rec != nil {
		st.rec = rec
	}
	revoked := rec != nil && rec.Status == wordRevoked
	if o := own.Servers[s.Name]; o != nil && o.Status == wordRevoked {
		revoked = true
		if pl.file == userFile {
			out.Status = Revoked
			out.Reasons = append(out.Reasons, Reason{CodeServerRevoked, "revoked for this project: forget that decision first"})
			return out, st, nil
		}
	}
	if u := everywhere.Servers[s.Name]; u != nil && u.Status == wordRevoked && pl.file != userFile {
		out.Status = Revoked
		out.Reasons = append(out.Reasons, Reason{CodeServerRevoked, "revoked for every project: forget that decision first"})
		return out, st, nil
	}
	if l := r.lock.server(s.Name); l != nil && !revoked {
		if l.matches(&s, pl.start) {
			st.locked = l
			out.Status = Trusted
			out.Reasons = append(out.Reasons, Reason{CodeLock, "listed in the given lock file"})
			return out, st, nil
		}
		out.Reasons = append(out.Reasons, Reason{CodeLockMismatch, "the given lock file lists another definition under this name"})
	}
	if (rec == nil || rec.Status == wordForgotten) && pl.ws.main != "" && s.Transport != Stdio && pl.file != userFile {
		// A verified worktree shares decisions about remote servers with its
		// main checkout. A stdio server would run other files.
		m, err := r.readPlace(place{file: projectFile(pl.ws.main), path: pl.ws.main})
		if err != nil {
			return out, standing{}, err
		}
		if mrec := m.Servers[s.Name]; mrec != nil && mrec.Status == wordTrusted && mrec.Digest == st.digest {
			// Decisions about its tools go where the server was approved.
			st.rec, st.file, st.path = mrec, projectFile(pl.ws.main), pl.ws.main
			out.Status = Trusted
			out.Reasons = append(out.Reasons, Reason{CodeWorktree, "approved for the main checkout of this worktree"})
			return out, st, nil
		}
	}
	if ask, err := r.judgeServer(&out, &st, f, revoked); err != nil || !ask {
		return out, st, err
	}
	out.Findings = atMost(append(out.Findings, nearServers(s.Name, neighbours(&st, s.Name))...))
	if needsTyping(out.Findings) {
		out.Confirm = s.Name
	}
	out.Prompt = serverPrompt(&out, pl)
	out.Token = r.seal(ticket{
		Kind: ticketServer, File: pl.file, Path: pl.path, Server: s.Name, Digest: st.digest, Pin: pin,
		Before: recordState(rec), Confirm: out.Confirm, Shown: digest("prompt/v1", out.Prompt),
	})
	return out, st, nil
}

// judgeServer compares a server with its record in f and sets status, reasons and
// diff. ask says that a person may be asked about it.
func (r *Registry) judgeServer(out *ServerCheck, st *standing, f *fileState, revoked bool) (ask bool, err error) {
	s, rec := &out.Server, f.Servers[out.Server.Name]
	switch {
	case revoked:
		out.Status = Revoked
		out.Reasons = append(out.Reasons, Reason{CodeServerRevoked, "trust was withdrawn"})
	case rec == nil || rec.Status == wordForgotten:
		out.Status = Unknown
		out.Reasons = append(out.Reasons, Reason{CodeServerNew, "this server was never approved here"})
		if r.lock == nil && s.Source.Scope == ScopeProject {
			if _, err := os.Lstat(filepath.Join(st.ws.root, LockName)); err == nil {
				out.Reasons = append(out.Reasons, Reason{CodeLockSuggested, "the project brings a " + LockName + ", which counts only when you give it to the program yourself"})
			}
		}
		for _, name := range slices.Sorted(maps.Keys(f.Servers)) {
			if o := f.Servers[name]; o.Digest == st.digest && o.Status != wordForgotten {
				out.Reasons = append(out.Reasons, Reason{CodeServerRenamed, fmt.Sprintf("the same definition is %s under the name %s", o.Status, quote(name))})
			}
		}
	case rec.Digest == st.digest:
		out.Status = Trusted
		return false, nil
	default:
		if out.Diff, err = differences(rec.Pin, st.pin, true); err != nil {
			return false, fmt.Errorf("mcptrust: stored definition of %s: %w", quote(s.Name), err)
		}
		benign := len(out.Diff) > 0
		for i := range out.Diff {
			d := &out.Diff[i]
			// A credential that is no longer given lets the server do less. Any
			// other variable can be what restricted it, such as READ_ONLY=1 or
			// REQUIRE_AUTH=1.
			name, env := strings.CutPrefix(d.Field, "env.")
			d.Benign = env && d.New == "" && d.Old != "" && credentialName(name) && !loaderVariable(name)
			benign = benign && d.Benign
		}
		if benign {
			out.Status = Trusted
			out.Reasons = append(out.Reasons, Reason{CodeServerBenign, "differs from what was approved only in ways that give it nothing new"})
			return false, nil
		}
		out.Status = Changed
		out.Reasons = append(out.Reasons, Reason{CodeServerChanged, "this is not what was approved"})
	}
	return true, nil
}

// atMost keeps [MaxFindings] and says that there are others.
func atMost(fs []Finding) []Finding {
	if n := len(fs); n > MaxFindings {
		return append(fs[:MaxFindings:MaxFindings], Finding{CodeTooLong, "", fmt.Sprintf("%d more findings", n-MaxFindings), true})
	}
	return fs
}

func needsTyping(fs []Finding) bool {
	return slices.ContainsFunc(fs, func(f Finding) bool { return f.Confirm })
}

// readPlace reads a file and makes sure that it is that project's.
func (r *Registry) readPlace(p place) (*fileState, error) {
	f, err := r.store.read(p.file)
	if err != nil {
		return nil, err
	}
	if f.Path != "" && f.Path != p.path {
		return nil, &StoreError{Path: filepath.Join(r.store.dir, p.file), Code: CodeStoreCorrupt, Msg: "the file belongs to another project", Fix: "move it away and approve again"}
	}
	return f, nil
}

// ticket is the content of a token.
type ticket struct {
	Kind    string          `json:"k"`
	File    string          `json:"f"`
	Path    string          `json:"p"`
	Server  string          `json:"s"`
	Item    string          `json:"i,omitempty"` // kind:name
	Digest  string          `json:"d"`
	Pin     json.RawMessage `json:"n,omitempty"`
	Text    string          `json:"t,omitempty"`
	Raw     bool            `json:"r,omitempty"`
	Before  state           `json:"b"`
	Parent  state           `json:"q"` // the server's state for an item, the root's for a folder
	Confirm string          `json:"c,omitempty"`
	Shown   string          `json:"h"`
	Entries []string        `json:"e,omitempty"` // of a workspace
	Folder  string          `json:"w,omitempty"` // of a workspace, below its root
}

const (
	ticketServer = "server"
	ticketItem   = "item"

	ticketWorkspace = "workspace"
)

// state is what a decision looked like when it was checked.
type state struct {
	Status string `json:"s,omitempty"`
	Rev    uint64 `json:"r,omitempty"`
	Digest string `json:"d,omitempty"`
}

func recordState(r *serverRecord) state {
	if r == nil {
		return state{}
	}
	return state{r.Status, r.Rev, r.Digest}
}

func itemState(r *itemRecord) state {
	if r == nil {
		return state{}
	}
	return state{r.Status, r.Rev, r.Digest}
}

func (r *Registry) seal(t ticket) Token {
	b, err := json.Marshal(t)
	if err != nil {
		return "" // no token: nothing can be approved
	}
	body := base64.RawURLEncoding.EncodeToString(b)
	return Token(body + "." + r.store.mac("token/v1", body))
}

func (r *Registry) unseal(t Token) (ticket, error) {
	sealed, typed, _ := strings.Cut(string(t), "\n")
	body, mac, ok := strings.Cut(sealed, ".")
	if !ok || !equalMAC(mac, r.store.mac("token/v1", body)) {
		return ticket{}, ErrToken
	}
	b, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return ticket{}, ErrToken
	}
	var k ticket
	if err := json.Unmarshal(b, &k); err != nil {
		return ticket{}, ErrToken
	}
	if k.Confirm != typed {
		return ticket{}, ErrConfirm
	}
	return k, nil
}

// Approve records the decisions that the tokens stand for. A token is good as
// long as the decision it was made for stands: after any other decision about
// the same server or tool, the error is [ErrStale]. Tokens of one project are
// applied together or not at all. Approving the same token again does nothing.
//
// Errors: [ErrToken], [ErrStale], [ErrConfirm], *[StoreError].
func (r *Registry) Approve(ctx context.Context, tokens ...Token) error {
	var tickets []ticket
	for _, t := range tokens {
		k, err := r.unseal(t)
		if err != nil {
			return err
		}
		if k.Kind == ticketWorkspace && r.notKept(k.Path) {
			if err := r.approveSession(k); err != nil {
				return err
			}
			continue
		}
		tickets = append(tickets, k)
	}
	var files []string
	byFile := map[string][]ticket{}
	for _, k := range tickets {
		if _, ok := byFile[k.File]; !ok {
			files = append(files, k.File)
		}
		byFile[k.File] = append(byFile[k.File], k)
	}
	for _, file := range files {
		ks := byFile[file]
		err := r.store.update(ctx, file, ks[0].Path, func(f *fileState) ([]Event, error) {
			var events []Event
			for _, k := range ks {
				changed, err := f.apply(k)
				if err != nil {
					return nil, err
				}
				if changed {
					kind, item, _ := strings.Cut(k.Item, ":")
					if k.Kind != ticketItem {
						kind, item = k.Kind, k.Folder
					}
					events = append(events, Event{Op: OpApprove, Kind: kind, Server: k.Server, Name: item, Digest: k.Digest, Before: k.Before.Digest})
				}
			}
			return events, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// approveSession is apply for a workspace whose trust is not kept.
func (r *Registry) approveSession(k ticket) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	want := state{wordTrusted, k.Before.Rev + 1, k.Digest}
	switch r.session[k.Path] {
	case want:
	case k.Before:
		r.session[k.Path] = want
	default:
		return ErrStale
	}
	return nil
}

func (f *fileState) apply(k ticket) (bool, error) {
	rec := f.Servers[k.Server]
	switch k.Kind {
	case ticketServer:
		now := recordState(rec)
		if now == (state{wordTrusted, k.Before.Rev + 1, k.Digest}) {
			return false, nil
		}
		if now != k.Before {
			return false, ErrStale
		}
		if rec == nil {
			rec = &serverRecord{}
			if f.Servers == nil {
				f.Servers = map[string]*serverRecord{}
			}
			f.Servers[k.Server] = rec
		}
		rec.Status, rec.Digest, rec.Pin = wordTrusted, k.Digest, k.Pin
		rec.Rev++
		return true, nil
	case ticketWorkspace:
		old := f.folder(k.Folder)
		now := workspaceState(old)
		if now == (state{wordTrusted, k.Before.Rev + 1, k.Digest}) {
			return false, nil
		}
		if root := workspaceState(f.Workspace); now != k.Before || root.Status == wordRevoked && root != k.Parent {
			return false, ErrStale
		}
		w := &workspaceRecord{Status: wordTrusted, Digest: k.Digest, Rev: k.Before.Rev + 1, Entries: k.Entries}
		if old != nil {
			w.extra = old.extra
		}
		f.setFolder(k.Folder, w)
		return true, nil
	case ticketItem:
		if rec == nil || rec.Status != wordTrusted || recordState(rec) != k.Parent {
			return false, ErrStale
		}
		it := rec.Items[k.Item]
		now := itemState(it)
		if now == (state{wordTrusted, k.Before.Rev + 1, k.Digest}) {
			return false, nil
		}
		if now != k.Before {
			return false, ErrStale
		}
		if it == nil {
			it = &itemRecord{}
			if rec.Items == nil {
				rec.Items = map[string]*itemRecord{}
			}
			rec.Items[k.Item] = it
		}
		it.Status, it.Digest, it.Text, it.Raw = wordTrusted, k.Digest, k.Text, k.Raw
		it.Rev++
		return true, nil
	}
	return false, ErrToken
}

// target is the file that a decision without a definition is about.
func (r *Registry) target(project string) (file, path string, err error) {
	if project == "" {
		return userFile, "", nil
	}
	w, err := r.resolve(project)
	return projectFile(w.root), w.root, err
}

// Revoke withdraws trust from a server of the project, under any definition; an
// empty project means every project. It also refuses a server
// that was never approved. A revoked server comes back only by [Registry.Approve]
// of a new check, or by [Registry.Forget]; one that was revoked in another place
// than where it is approved (for every project, or for the project where it is
// approved for all) only by Forget with that project.
func (r *Registry) Revoke(ctx context.Context, project, server string) error {
	return r.change(ctx, project, server, func(rec *serverRecord) ([]Event, error) {
		if rec.Status == wordRevoked {
			return nil, nil
		}
		rec.Status = wordRevoked
		rec.Rev++
		return []Event{{Op: OpRevoke, Kind: "server", Server: server, Before: rec.Digest}}, nil
	})
}

// RevokeTool withdraws trust from one tool of a server, under any definition; for
// the project and what brings it back see [Registry.Revoke].
func (r *Registry) RevokeTool(ctx context.Context, project, server, tool string) error {
	return r.change(ctx, project, server, func(rec *serverRecord) ([]Event, error) {
		key := itemKey(KindTool, tool)
		it := rec.Items[key]
		if it == nil {
			it = &itemRecord{}
			if rec.Items == nil {
				rec.Items = map[string]*itemRecord{}
			}
			rec.Items[key] = it
		}
		if rec.Status == "" {
			rec.Status = wordForgotten
		}
		if it.Status == wordRevoked {
			return nil, nil
		}
		it.Status = wordRevoked
		it.Rev++
		return []Event{{Op: OpRevoke, Kind: "tool", Server: server, Name: tool, Before: it.Digest}}, nil
	})
}

func (r *Registry) change(ctx context.Context, project, server string, op func(*serverRecord) ([]Event, error)) error {
	if server == "" {
		return ErrNotFound
	}
	file, path, err := r.target(project)
	if err != nil {
		return err
	}
	return r.store.update(ctx, file, path, func(f *fileState) ([]Event, error) {
		rec := f.Servers[server]
		if rec == nil {
			rec = &serverRecord{}
			if f.Servers == nil {
				f.Servers = map[string]*serverRecord{}
			}
			f.Servers[server] = rec
		}
		return op(rec)
	})
}

// Forget drops the decision about a server and its tools, so that it is asked
// again as if it were new. Tokens made before are stale. [ErrNotFound] when
// there is none.
func (r *Registry) Forget(ctx context.Context, project, server string) error {
	file, path, err := r.target(project)
	if err != nil {
		return err
	}
	return r.store.update(ctx, file, path, func(f *fileState) ([]Event, error) {
		rec := f.Servers[server]
		if rec == nil || rec.Status == wordForgotten && len(rec.Items) == 0 {
			return nil, ErrNotFound
		}
		f.Servers[server] = &serverRecord{Status: wordForgotten, Rev: rec.Rev + 1, extra: rec.extra}
		return []Event{{Op: OpForget, Kind: "server", Server: server, Before: rec.Digest}}, nil
	})
}

// List returns every decision, ordered by project, server, kind and name. Files
// that cannot be read are reported in the error, beside the records of the others.
func (r *Registry) List(ctx context.Context) ([]Record, error) {
	names, err := r.store.files()
	if err != nil {
		return nil, err
	}
	var out []Record
	var errs []error
	status := func(word string) Status {
		if word == wordTrusted {
			return Trusted
		}
		return Revoked
	}
	for _, n := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f, err := r.store.read(n)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if w := f.Workspace; w != nil && w.Status != wordForgotten {
			out = append(out, Record{Project: f.Path, Kind: "workspace", Status: status(w.Status), Digest: w.Digest})
		}
		for rel, w := range f.Folders {
			if w.Status != wordForgotten {
				out = append(out, Record{Project: f.Path, Kind: "workspace", Name: rel, Status: status(w.Status), Digest: w.Digest})
			}
		}
		for name, s := range f.Servers {
			if s.Status != wordForgotten {
				out = append(out, Record{Project: f.Path, Kind: "server", Server: name, Status: status(s.Status), Digest: s.Digest})
			}
			for key, it := range s.Items {
				kind, item, _ := strings.Cut(key, ":")
				if it.Status != wordForgotten {
					out = append(out, Record{Project: f.Path, Kind: kind, Server: name, Name: item, Status: status(it.Status), Digest: it.Digest})
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.Server, b.Server), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return out, errors.Join(errs...)
}
