package sandbox

import (
	"path"
	"path/filepath"
	"slices"

	"github.com/clearance-go/clearance/scope/sandbox/internal/confine"
)

// bwrap reads the table of mounts anew for each mount it makes, which takes a
// third of a millisecond each, and needs a second user namespace to mount /dev
// for anybody but root. So it makes the namespaces only, with one user
// namespace in which the caller keeps its number, and lets the helper, which
// runs inside, make the mounts. They belong into the namespace of bwrap itself:
// the first process of the sandbox stays there, and /proc/1/root leads to what
// it sees. The helper gives all of its capabilities away before the command
// runs. Without Landlock, for others than root, the command starts in a user
// namespace below besides, without rights in the one that owns the mounts.

// own tells of paths that every sandbox has for itself with content.
func own(name string) bool { return within(name, "/dev") || within(name, "/proc") }

// mounts returns the mounts of a clean profile whose missing paths have
// placeholders. exe is this program.
func (p Profile) mounts(exe string) []confine.Mount {
	top := nearest(p.Entries, "/")
	wide, out := p.split()
	for _, e := range wide.Entries {
		m := confine.Mount{Path: e.Path}
		switch {
		case e.Path == "/", e.Missing:
			continue
		case e.Access == Write:
			m.Kind = confine.MountBind
		case e.Access == Read:
			m.Kind = confine.MountBindRead
		case !e.Dir:
			m.Kind = confine.MountFile
		case slices.ContainsFunc(p.Entries, func(b Entry) bool { return b.Path != e.Path && within(b.Path, e.Path) }):
			m.Kind = confine.MountShut
		default:
			m.Kind = confine.MountDir
		}
		out = append(out, m)
	}
	for _, d := range wide.pins() {
		out = append(out, confine.Mount{Path: d, Kind: confine.MountPin})
	}
	for _, d := range system {
		if top == nil || top.Access == Hidden {
			break
		}
		if real, err := filepath.EvalSymlinks(d); err == nil && !slices.ContainsFunc(out, func(m confine.Mount) bool { return m.Path == d }) {
			out = append(out, confine.Mount{Path: d, Kind: confine.MountBindRead, From: real})
		}
	}
	out = append(out, confine.Mount{Path: helperPath, Kind: confine.MountBindRead, From: exe})
	slices.SortStableFunc(out, func(a, b confine.Mount) int { return comparePaths(a.Path, b.Path) })
	return out
}

// split returns the entries that open something, or stand alone, and the mounts
// for those that only take away from what lies above them. The profile is clean.
func (p Profile) split() (wide Profile, masks []confine.Mount) {
	wide = p
	wide.Entries = nil
	fixed := func(name string) bool {
		return slices.ContainsFunc(system, func(d string) bool { return within(name, d) })
	}
	for _, e := range p.Entries {
		parent := (*Entry)(nil)
		if e.Path != "/" {
			parent = nearest(p.Entries, path.Dir(e.Path))
		}
		if parent == nil || parent.Access <= e.Access || own(e.Path) || fixed(e.Path) ||
			slices.ContainsFunc(p.Entries, func(b Entry) bool { return b.Access > e.Access && b.Path != e.Path && within(b.Path, e.Path) }) {
			wide.Entries = append(wide.Entries, e)
			continue
		}
		if isPrivate(e.Path) && !isPrivate(parent.Path) {
			continue // the sandbox has another directory there
		}
		switch {
		case e.Missing:
			masks = append(masks, confine.Mount{Path: e.Path, Kind: confine.MountFile})
		case e.Access == Read:
			masks = append(masks, confine.Mount{Path: e.Path, Kind: confine.MountRead})
		case e.Dir:
			masks = append(masks, confine.Mount{Path: e.Path, Kind: confine.MountDir})
		default:
			masks = append(masks, confine.Mount{Path: e.Path, Kind: confine.MountFile})
		}
	}
	have := wide.pins()
	for _, d := range p.pins() {
		if !slices.Contains(have, d) {
			masks = append(masks, confine.Mount{Path: d, Kind: confine.MountPin})
		}
	}
	return wide, masks
}
