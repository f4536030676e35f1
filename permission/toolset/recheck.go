package toolset

import (
	"fmt"
	"path"
	"strings"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope"
)

// MovedError is a path that leads elsewhere than when it was approved.
type MovedError struct {
	Path string
	// Was is where it led when it was approved, Now where it leads; Now is
	// empty where it cannot be resolved any more.
	Was, Now string
}

// Error names the path and where it led and leads.
func (e *MovedError) Error() string {
	return fmt.Sprintf("toolset: %s led to %s when it was approved and leads to %q now: ask again", e.Path, e.Was, e.Now)
}

// NotGrantedError is a path that the grant does not name for what would be
// done there.
type NotGrantedError struct {
	Kind bashcheck.Kind
	Path string
}

// Error names the path and the effect.
func (e *NotGrantedError) Error() string {
	return fmt.Sprintf("toolset: the grant does not cover %s with the effect %s: ask again", e.Path, e.Kind)
}

// Recheck returns what bashcheck/checkedrun calls right before a program of a
// granted command starts: it resolves a path (absolute) again and compares
// with where it led when the call was approved. The error is a *MovedError or
// a *NotGrantedError. What was approved without a known target ("reads
// something that is not known") holds nothing; a nil grant refuses everything.
//
// Between the answer and the moment when the program opens the path it may
// still change: a sandbox or a handle has no such gap. The function is safe for
// concurrent use.
func Recheck(files scope.Checker, grant *permission.Grant) func(kind bashcheck.Kind, name string) error {
	var actions []permission.Action
	if grant != nil && grant.Decision().Verdict == permission.Allow {
		actions = grant.Inspection().Actions
	}
	at := make(map[string][]int, len(actions))
	anywhere := map[permission.Kind]bool{}
	for i := range actions {
		switch a := &actions[i]; {
		case opOf(a.Kind) == scope.OpUnknown || a.Path.Class == permission.Forbidden:
		case a.Path.Extent == permission.Anywhere:
			anywhere[a.Kind] = true
		default:
			at[a.Path.Clean] = append(at[a.Path.Clean], i)
		}
	}
	return func(kind bashcheck.Kind, name string) error {
		kinds, op := kindsFor(kind)
		name = path.Clean(name)
		if kinds == nil {
			return &NotGrantedError{kind, name}
		}
		if device(name, op != scope.Read && op != scope.List) {
			return nil
		}
		for _, k := range kinds {
			if anywhere[k] {
				return nil
			}
		}
		is := func(i int) bool {
			for _, k := range kinds {
				if actions[i].Kind == k {
					return true
				}
			}
			return false
		}
		now := files.Check(name, op).Real
		for _, i := range at[name] {
			if !is(i) {
				continue
			}
			// Where another part of the command may change where it leads, that
			// is what was approved.
			if was := actions[i].Path.Real; was != "" && was != now {
				return &MovedError{name, was, now}
			}
			return nil
		}
		// Below a tree that was approved, on the way through its real root.
		for dir := name; dir != "/" && dir != "."; {
			dir = path.Dir(dir)
			for _, i := range at[dir] {
				p := &actions[i].Path
				if !is(i) || p.Extent != permission.Tree && p.Extent != permission.Within {
					continue
				}
				if p.Real != "" && !below(p.Real, now) {
					return &MovedError{name, path.Join(p.Real, strings.TrimPrefix(name, dir)), now}
				}
				return nil
			}
		}
		// A directory in which names were approved one by one (cp f dir).
		found := false
		for i := range actions {
			p := &actions[i].Path
			if !is(i) || p.Extent == permission.Anywhere || path.Dir(p.Clean) != name || p.Class == permission.Forbidden {
				continue
			}
			if again := files.Check(p.Clean, op).Real; p.Real != "" && p.Real != again {
				return &MovedError{p.Clean, p.Real, again}
			}
			found = true
		}
		if found {
			return nil
		}
		if kind == bashcheck.Write {
			// Of a lock file only the name matters (flock), and it was told so.
			for i := range actions {
				if actions[i].Kind == permission.Use && actions[i].Name == "the lock file "+name {
					return nil
				}
			}
		}
		return &NotGrantedError{kind, name}
	}
}

// kindsFor are the kinds of action that cover an effect, and the operation
// that its path is resolved for.
func kindsFor(kind bashcheck.Kind) ([]permission.Kind, scope.Op) {
	switch kind {
	case bashcheck.Read:
		return []permission.Kind{permission.Read, permission.Write}, scope.Read
	case bashcheck.List:
		return []permission.Kind{permission.List, permission.Read, permission.Write}, scope.List
	case bashcheck.Write:
		return []permission.Kind{permission.Write}, scope.Write
	case bashcheck.Change:
		return []permission.Kind{permission.Write}, scope.Chmod
	case bashcheck.Delete:
		return []permission.Kind{permission.Delete}, scope.Delete
	}
	return nil, scope.OpUnknown
}

func below(root, name string) bool {
	return name == root || strings.HasPrefix(name, strings.TrimSuffix(root, "/")+"/")
}
