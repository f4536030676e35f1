package bashcheck

import "slices"

// dirs are where the shell stands after success and after failure.
type dirs struct{ ok, fail Dir }

func union(a, b Dir) Dir {
	if !a.Known || !b.Known {
		return Dir{}
	}
	if slices.Equal(a.Paths, b.Paths) {
		return a
	}
	out := slices.Clone(a.Paths)
	for _, p := range b.Paths {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	if len(out) > 16 {
		return Dir{}
	}
	return Dir{Known: true, Paths: out}
}

func (d dirs) any() Dir { return union(d.ok, d.fail) }

func sameDir(a, b Dir) bool { return a.Known == b.Known && slices.Equal(a.Paths, b.Paths) }
