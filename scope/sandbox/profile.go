package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clearance-go/clearance/scope"
)

// Access says what a program may do with a path and what lies below it.
type Access uint8

// The accesses. The zero Access hides.
const (
	// Hidden: neither read nor written.
	Hidden Access = iota
	// Read: read and executed.
	Read
	// Write: read, executed and written.
	Write
)

var accessNames = []string{"hidden", "read", "write"}

// String returns "hidden", "read" or "write".
func (a Access) String() string {
	if int(a) < len(accessNames) {
		return accessNames[a]
	}
	return "access(" + strconv.Itoa(int(a)) + ")"
}

// MarshalText returns the name.
func (a Access) MarshalText() ([]byte, error) {
	if int(a) >= len(accessNames) {
		return nil, fmt.Errorf("sandbox: unknown access %d", a)
	}
	return []byte(a.String()), nil
}

// UnmarshalText reads a name. An unknown one is an error.
func (a *Access) UnmarshalText(text []byte) error {
	i := slices.Index(accessNames, string(text))
	if i < 0 {
		return fmt.Errorf("sandbox: unknown access %q", text)
	}
	*a = Access(i)
	return nil
}

// Entry is one line of a [Profile].
type Entry struct {
	// Path is absolute, clean, and names no link.
	Path string `json:"path"`
	// Access is what may be done there.
	Access Access `json:"access"`
	// Missing says that the path does not exist and must not come into being.
	// Access is Read then.
	Missing bool `json:"missing,omitempty"`
	// Dir says that it is a directory.
	Dir bool `json:"dir,omitempty"`
}

// Reach says how much of the network is open.
type Reach uint8

// The reaches. The zero Reach is no network.
const (
	// Off: no network. But for Landlock there is a loopback of its own.
	Off Reach = iota
	// Hosts: the named hosts, through a proxy in this process.
	Hosts
	// Open: everything. A program with an open network can send away whatever
	// it can read.
	Open
)

var reachNames = []string{"off", "hosts", "open"}

// String returns "off", "hosts" or "open".
func (r Reach) String() string {
	if int(r) < len(reachNames) {
		return reachNames[r]
	}
	return "reach(" + strconv.Itoa(int(r)) + ")"
}

// MarshalText returns the name.
func (r Reach) MarshalText() ([]byte, error) {
	if int(r) >= len(reachNames) {
		return nil, fmt.Errorf("sandbox: unknown reach %d", r)
	}
	return []byte(r.String()), nil
}

// UnmarshalText reads a name. An unknown one is an error.
func (r *Reach) UnmarshalText(text []byte) error {
	i := slices.Index(reachNames, string(text))
	if i < 0 {
		return fmt.Errorf("sandbox: unknown reach %q", text)
	}
	*r = Reach(i)
	return nil
}

// Network says what a program may reach. The zero Network is none.
type Network struct {
	Reach Reach `json:"reach"`
	// Hosts are the hosts of the reach Hosts: "host", "*.domain" (sub-domains
	// only), each with an optional ":port" (without one: 80 and 443). IPv6
	// addresses stand in brackets. The proxy resolves names itself.
	Hosts []string `json:"hosts,omitempty"`
	// Private lets the named hosts have loopback, private and link-local
	// addresses. Without it a name that resolves to one is refused, so that a
	// public name cannot be pointed at a service of this machine or at the
	// metadata service of a cloud.
	Private bool `json:"private,omitempty"`
	// UnixSockets lets the program make Unix sockets by name. Those of
	// services that run with the person's rights (docker, the session bus, an
	// agent with keys) lead out of every sandbox.
	UnixSockets bool `json:"unixSockets,omitempty"`
}

// Limits bound what a program uses. Zero stands for the default, a negative
// number for no limit.
type Limits struct {
	// Memory is the private memory in bytes of each process (RLIMIT_DATA).
	// Default 8 GiB. Shared memory does not count.
	Memory int64 `json:"memory,omitempty"`
	// Processes is the number of processes and threads (RLIMIT_NPROC). Default
	// 4096. The kernel does not apply it to uid 0: [Report.Gaps] says so, and a
	// positive number is then an error.
	Processes int `json:"processes,omitempty"`
	// Time is the wall-clock time. Default 10 minutes.
	Time time.Duration `json:"time,omitempty"`
	// Output is the number of bytes on standard output and error together.
	// Default 64 MiB.
	Output int64 `json:"output,omitempty"`
	// FileSize is the size of the largest file in bytes. Default 16 GiB.
	FileSize int64 `json:"fileSize,omitempty"`
}

// or returns the limit in force: 0 is none.
func or[T int | int64 | time.Duration](v, standard T) T {
	switch {
	case v == 0:
		return standard
	case v < 0:
		return 0
	}
	return v
}

func (l Limits) inForce() Limits {
	return Limits{
		Memory: or(l.Memory, 8<<30), Processes: or(l.Processes, 4096), Time: or(l.Time, 10*time.Minute),
		Output: or(l.Output, 64<<20), FileSize: or(l.FileSize, 16<<30),
	}
}

// Profile says what a program may touch. It is plain data and survives JSON.
// The zero Profile lets nothing be read, so that nothing can be started.
type Profile struct {
	// Entries, the most specific one wins. The order does not matter. What no
	// entry covers is hidden.
	Entries []Entry `json:"entries"`
	Network Network `json:"network"`
	Limits  Limits  `json:"limits"`
	// Namespaces lets programs make user namespaces, as browsers and other
	// sandboxes do for themselves. They reach more of the kernel then. Without
	// it a browser must be told to do without its own sandbox; mounts cannot be
	// made in either case.
	Namespaces bool `json:"namespaces,omitempty"`
	// Dir is where programs start, absolute; "" is the first writable entry.
	Dir string `json:"dir,omitempty"`
}

// ProfileOptions are what [FromGuard] needs to know beside the guard.
type ProfileOptions struct {
	Network Network
	Limits  Limits
	// Unguarded are paths, absolute or relative to the root, that are left to
	// the program with everything below them: their protected names are not
	// guarded and their secrets not hidden. Naming a protected path lifts it
	// alone.
	Unguarded []string
	// Commits lets the program write what git writes when it adds, commits,
	// branches and merges, in each .git directory of a writable root: objects,
	// refs, logs, index, HEAD. What makes git run or load things stays
	// read-only, whether it exists or not: hooks, config, config.worktree,
	// info/attributes, commondir, and the directories of sub-modules and work
	// trees. Without it all of .git is read-only. The program can leave a
	// history of its own making, and a rebase half done, whose list of steps may
	// name commands: look before "git rebase --continue". It needs namespaces
	// or bubblewrap, and [Box.Command]: Landlock cannot let git make its lock files beside
	// them, and git refuses the empty commondir that bare bwrap leaves.
	Commits bool
	// Lean covers only those missing names in the workspace that git, editors
	// and agents read by themselves (the rules git, editors and agents). Each
	// covered name is a file and a mount, which take time when a command starts. The others take effect when a person runs the
	// tool that they belong to; [Planted] finds them afterwards.
	Lean bool
	// Skip are names of directories that are not looked into for protected
	// names and secrets. nil stands for node_modules.
	Skip []string
	// MaxEntries is how many directory entries are looked through; 0 stands
	// for 200,000. More are an error.
	MaxEntries int
}

var leanRules = []string{"git", "editors", "agents"}

// maxMarked bounds the entries of a profile: each is a mount.
const maxMarked = 1000

// Errors of this package, beside those of the system.
var (
	// ErrUnavailable: this machine has no sandbox of the demanded level.
	ErrUnavailable = errors.New("sandbox: not available")
	// ErrNoHelper: the program did not call [Enter] first.
	ErrNoHelper = errors.New("sandbox: the program must call sandbox.Enter at the start of main and hand its result to New")
	// ErrSetup: the sandbox could not be set up; the program did not run.
	ErrSetup = errors.New("sandbox: set-up failed")
	// ErrProfile: the profile cannot be enforced.
	ErrProfile = errors.New("sandbox: bad profile")
	// ErrTime: the time limit was reached.
	ErrTime = errors.New("sandbox: time limit reached")
	// ErrOutput: the output limit was reached.
	ErrOutput = errors.New("sandbox: output limit reached")
)

// FromGuard returns the profile of a guard: everything may be read except what
// is sensitive or forbidden; its writable roots may be written except what is
// protected or forbidden, whether it exists or not ([scope.Guard.Survey]); no
// network.
//
// A protected path that is a symbolic link cannot be held (the link could be
// replaced): ErrProfile, and the message says what to do. It looks through the
// roots, so one profile should serve many commands; what changes in between is
// looked at again when a command starts, but not what is new.
func FromGuard(g *scope.Guard, o ProfileOptions) (Profile, error) {
	if o.Skip == nil {
		o.Skip = []string{"node_modules"}
	}
	marked, err := g.Survey(o.MaxEntries, o.Skip...)
	if err != nil {
		return Profile{}, fmt.Errorf("sandbox: %w", err)
	}
	p := Profile{Network: o.Network, Limits: o.Limits, Dir: g.Root()}
	p.Entries = append(p.Entries, Entry{Path: string(filepath.Separator), Access: Read, Dir: true})
	for _, r := range g.Roots() {
		a := Write
		if g.Check(r, scope.Create).ReadOnly {
			a = Read
		}
		p.Entries = append(p.Entries, Entry{Path: r, Access: a, Dir: true})
	}
	var free []string
	for _, u := range o.Unguarded {
		if !filepath.IsAbs(u) {
			u = filepath.Join(g.Root(), u)
		}
		free = append(free, filepath.Clean(u))
	}
	for _, m := range marked {
		if m.Class < scope.Forbidden && slices.ContainsFunc(free, func(f string) bool { return within(m.Path, f) }) {
			continue
		}
		e := Entry{Path: m.Path, Dir: m.Mode.IsDir()}
		switch {
		case m.Class == scope.Protected && (m.ReadOnly || m.Root == ""):
			continue
		case m.Class == scope.Protected:
			e.Access = Read
		}
		if o.Commits && m.Name == "git" && e.Dir && m.Exists && path.Base(m.Path) == ".git" {
			list, err := gitEntries(m.Path)
			if err != nil {
				return Profile{}, err
			}
			p.Entries = append(p.Entries, list...)
			continue
		}
		switch {
		case (!m.Exists || isPlaceholder(m.Path)) && o.Lean && m.Class == scope.Protected && !slices.Contains(leanRules, m.Name):
			continue
		case !m.Exists, isPlaceholder(m.Path):
			e.Access, e.Missing = Read, true
		case m.Mode&fs.ModeSymlink != 0:
			real, err := filepath.EvalSymlinks(m.Path)
			if m.Root != "" && !m.ReadOnly && m.Class != scope.Sensitive {
				return Profile{}, fmt.Errorf("%w: %s (%s) is a symbolic link, which a program could replace; make it a file or directory, or list it in Unguarded", ErrProfile, m.Path, m.Name)
			}
			if err != nil {
				continue
			}
			r := g.Check(real, scope.Stat)
			e.Path, e.Dir = real, r.Mode.IsDir()
		case !m.Mode.IsRegular() && !m.Mode.IsDir():
			continue
		}
		p.Entries = append(p.Entries, e)
	}
	if len(p.Entries) > maxMarked {
		return Profile{}, fmt.Errorf("%w: %d protected or sensitive paths; name the folders that hold most of them in Unguarded or Skip", ErrProfile, len(p.Entries))
	}
	return p.clean()
}

// gitGuarded are the names in a git directory that decide what git runs and
// where it looks (gitrepository-layout(5), gitattributes(5)).
var gitGuarded = []string{"commondir", "config", "config.worktree", "hooks", "info/attributes", "modules", "worktrees"}

// gitEntries returns what keeps the guarded names of a git directory as they
// are.
func gitEntries(dir string) ([]Entry, error) {
	var out []Entry
next:
	for _, name := range gitGuarded {
		at := dir
		for part := range strings.SplitSeq(name, "/") {
			at = path.Join(at, part)
			fi, err := os.Lstat(at)
			switch {
			case errors.Is(err, fs.ErrNotExist), err == nil && isPlaceholderInfo(fi):
				out = append(out, Entry{Path: at, Access: Read, Missing: true})
				continue next
			case err != nil:
				return nil, fmt.Errorf("%w: %w", ErrProfile, err)
			case fi.Mode()&fs.ModeSymlink != 0:
				return nil, fmt.Errorf("%w: %s is a symbolic link, which a program could replace; make it a file or directory, or do without Commits", ErrProfile, at)
			case at == path.Join(dir, name):
				out = append(out, Entry{Path: at, Access: Read, Dir: fi.IsDir()})
			}
		}
	}
	return out, nil
}

// within tells whether a path is dir or lies below it.
func within(p, dir string) bool {
	return p == dir || dir == "/" || strings.HasPrefix(p, dir) && len(p) > len(dir) && p[len(dir)] == filepath.Separator
}

// clean checks and sorts: parents before what lies in them; of two entries for
// one path the lower access wins.
func (p Profile) clean() (Profile, error) {
	bad := func(format string, a ...any) (Profile, error) {
		return Profile{}, fmt.Errorf("%w: "+format, append([]any{ErrProfile}, a...)...)
	}
	list := slices.Clone(p.Entries)
	for _, e := range list {
		switch {
		case e.Path == "" || !path.IsAbs(e.Path) || path.Clean(e.Path) != e.Path:
			return bad("path %q is not absolute and clean", e.Path)
		case strings.IndexByte(e.Path, 0) >= 0:
			return bad("path %q holds a NUL byte", e.Path)
		case e.Access > Write:
			return bad("%s: unknown access %d", e.Path, e.Access)
		case e.Missing && e.Access != Read:
			return bad("%s: a missing path has the access read", e.Path)
		}
	}
	slices.SortFunc(list, func(a, b Entry) int {
		if c := comparePaths(a.Path, b.Path); c != 0 {
			return c
		}
		return int(a.Access) - int(b.Access)
	})
	list = slices.CompactFunc(list, func(a, b Entry) bool { return a.Path == b.Path })
	// What lies below a hidden or missing path is gone with it; what has the
	// access of its parent says nothing.
	var out []Entry
	for _, e := range list {
		parent := nearest(out, e.Path)
		switch {
		case parent == nil:
		case parent.Missing, parent.Access == Hidden && e.Access == Hidden:
			continue
		case e.Missing && parent.Access != Write, parent.Access == e.Access && !e.Missing && e.Access != Hidden && (parent.Path != "/" || !isPrivate(e.Path)):
			continue
		}
		out = append(out, e)
	}
	p.Entries = out
	if p.Network.Reach > Open {
		return bad("unknown network reach %d", p.Network.Reach)
	}
	if _, err := parseHosts(p.Network.Hosts); err != nil {
		return bad("%v", err)
	}
	if p.Network.Reach == Hosts && len(p.Network.Hosts) == 0 {
		return bad("the network reach is hosts, but no host is named")
	}
	if p.Network.Reach != Hosts && len(p.Network.Hosts) > 0 {
		return bad("hosts are named, but the network reach is %s", p.Network.Reach)
	}
	if p.Dir == "" {
		if i := slices.IndexFunc(out, func(e Entry) bool { return e.Access == Write }); i >= 0 {
			p.Dir = out[i].Path
		} else {
			p.Dir = "/"
		}
	}
	if !path.IsAbs(p.Dir) {
		return bad("the directory %q is not absolute", p.Dir)
	}
	return p, nil
}

// isPrivate tells of paths that a sandbox has for itself unless they are named.
func isPrivate(p string) bool {
	return slices.ContainsFunc(private, func(d string) bool { return within(p, d) })
}

// comparePaths sorts parents before children and keeps what lies in one
// directory together.
func comparePaths(a, b string) int {
	// A slash counts as a zero byte, which no path holds.
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		if x == '/' {
			x = 0
		}
		if y == '/' {
			y = 0
		}
		if x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

// nearest returns the most specific entry at or above a path. Entries are
// sorted.
func nearest(list []Entry, p string) *Entry {
	for i := len(list) - 1; i >= 0; i-- {
		if within(p, list[i].Path) {
			return &list[i]
		}
	}
	return nil
}

// Access returns what the profile lets a program do with an absolute path.
func (p Profile) Access(name string) Access {
	c, err := p.clean()
	if err != nil {
		return Hidden
	}
	if e := nearest(c.Entries, filepath.Clean(name)); e != nil {
		return e.Access
	}
	return Hidden
}

// pins are the directories between a writable entry and what is restricted
// below it: whoever could move one of them could put another tree in its place.
func (p Profile) pins() []string {
	var out []string
	seen := map[string]bool{}
	for _, e := range p.Entries {
		if e.Access == Write {
			continue
		}
		for d := path.Dir(e.Path); !seen[d]; d = path.Dir(d) {
			seen[d] = true
			n := nearest(p.Entries, d)
			if n == nil || n.Access != Write || n.Path == d {
				break
			}
			out = append(out, d)
		}
	}
	return out
}

// Planted returns what is marked now and was not in the profile: protected
// names that a program made, in places that could not be guarded beforehand.
// The host should show or remove them before anything outside the sandbox
// reads them.
func Planted(g *scope.Guard, p Profile, o ProfileOptions) ([]string, error) {
	now, err := FromGuard(g, o)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range now.Entries {
		if e.Missing || slices.ContainsFunc(p.Entries, func(old Entry) bool { return old.Path == e.Path && !old.Missing }) {
			continue
		}
		if isPlaceholder(e.Path) {
			continue
		}
		out = append(out, e.Path)
	}
	return out, nil
}
