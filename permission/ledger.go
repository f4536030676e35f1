package permission

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Input is a file of the workspace that decides what a command runs: the script
// itself, or a file that defines the targets of a runner.
type Input struct {
	Path   string `json:"path"`   // absolute, resolved
	Digest string `json:"digest"` // SHA-256 of the content in hex
	Size   int64  `json:"size"`   // in bytes
	// Untrusted says that a session which had read untrusted text wrote the
	// content.
	Untrusted bool `json:"untrusted,omitempty"`
}

// Place is a file that a call writes, or a directory with everything below it.
type Place struct {
	Path string // absolute, resolved
	Tree bool
	// Since, where it is set, means of a tree only the files that were made or
	// changed after that: where the call wrote was not known before.
	Since time.Time
}

// Ledger remembers, longer than a session and outside of every project, what
// calls leave behind. Package toolset has one. It must be safe for concurrent
// use.
type Ledger interface {
	// Wrote notes that a session which has read untrusted text changes the
	// places: before the call runs, and again once it is done, when what they
	// hold is what the session wrote. It returns once that is durable; an error
	// refuses the call.
	Wrote(ctx context.Context, places []Place, done bool) error
	// Approved keeps what a command ran when it was granted. What it cannot
	// keep it leaves out.
	Approved(ctx context.Context, command, digest string, inputs []Input)
	// Last returns what was kept of a command; "" for nothing.
	Last(ctx context.Context, command string) (digest string, inputs []Input)
	// Diff shows a person how the files differ, as text that is safe to print.
	// What it cannot show it says.
	Diff(ctx context.Context, was, now []Input) string
}

// known adds to a state what the ledger knows of the commands of an inspection.
func (s *Session) known(ctx context.Context, st State, ins *Inspection) State {
	if s.gate.opts.Ledger == nil {
		return st
	}
	cloned := false
	for i := range ins.Actions {
		c := ins.Actions[i].command()
		if c.Digest() == "" {
			continue
		}
		key := contentKey(c)
		if _, ok := st.Contents[key]; ok {
			continue
		}
		if last, _ := s.gate.opts.Ledger.Last(ctx, key); last != "" {
			if !cloned {
				if st.Contents, cloned = maps.Clone(st.Contents), true; st.Contents == nil {
					st.Contents = map[string]string{}
				}
			}
			st.Contents[key] = last
		}
	}
	return st
}

// changes shows what changed of the contents that the decision asks about.
func (s *Session) changes(ctx context.Context, ins *Inspection, d *Decision) string {
	var b strings.Builder
	var told []string
	for _, r := range d.Reasons {
		if r.Code != CodeChanged || r.Action < 1 || r.Action > len(ins.Actions) {
			continue
		}
		c := ins.Actions[r.Action-1].command()
		key := contentKey(c)
		if slices.Contains(told, key) {
			continue
		}
		told = append(told, key)
		s.root.shared.Lock()
		was, ok := s.root.inputs[key]
		s.root.shared.Unlock()
		if l := s.gate.opts.Ledger; l != nil {
			if !ok {
				_, was = l.Last(ctx, key)
			}
			b.WriteString(l.Diff(ctx, was, c.Inputs()))
			continue
		}
		b.WriteString(DescribeInputs(was, c.Inputs()))
	}
	return b.String()
}

// DescribeInputs says in a line for each file that differs what is known of it
// without its text.
func DescribeInputs(was, now []Input) string {
	var b strings.Builder
	before := map[string]Input{}
	for _, in := range was {
		before[in.Path] = in
	}
	say := func(in Input) string { return fmt.Sprintf("%d bytes, SHA-256 %.12s", in.Size, in.Digest) }
	for _, in := range now {
		old, ok := before[in.Path]
		delete(before, in.Path)
		switch {
		case !ok:
			fmt.Fprintf(&b, "%q: not run before: %s\n", in.Path, say(in))
		case old.Digest != in.Digest:
			fmt.Fprintf(&b, "%q: was %s, is %s\n", in.Path, say(old), say(in))
		}
	}
	for _, in := range was {
		if _, gone := before[in.Path]; gone {
			fmt.Fprintf(&b, "%q: was %s, is gone\n", in.Path, say(in))
		}
	}
	return b.String()
}

// places are those that a granted call writes, as far as they are named. A
// directory that holds the session's own is not one: everything would be. Of an
// archive that is unpacked somewhere it is what is new once that is done.
func (s *Session) places(g *Grant) []Place {
	var out []Place
	for i := range g.ins.Actions {
		a := &g.ins.Actions[i]
		if a.Kind != Write || a.Own || a.Maybe {
			continue
		}
		if a.Path.Extent == Anywhere && g.ins.Brings&Untrusted != 0 && s.dir != "" && !g.since.IsZero() {
			out = append(out, Place{Path: s.dir, Tree: true, Since: g.since})
		}
		if !a.Path.known() {
			continue
		}
		switch a.Path.Extent {
		case Exact:
			out = append(out, Place{Path: a.Path.Real})
		case Tree, Within:
			if _, above := below(a.Path.Real, s.dir); !above {
				out = append(out, Place{Path: a.Path.Real, Tree: true})
			}
		}
	}
	return out
}

// wrote notes the places that a granted call writes, where the session or the
// call itself has to do with untrusted text.
func (s *Session) wrote(ctx context.Context, g *Grant, done bool) error {
	l := s.gate.opts.Ledger
	if l == nil || g == nil || (s.state().Labels|g.ins.Brings)&Untrusted == 0 {
		return nil
	}
	places := s.places(g)
	if len(places) == 0 {
		return nil
	}
	if err := l.Wrote(context.WithoutCancel(ctx), places, done); err != nil {
		return fmt.Errorf("permission: what an untrusted session writes could not be noted, so nothing runs: %w", err)
	}
	return nil
}
