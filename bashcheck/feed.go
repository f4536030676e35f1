package bashcheck

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// feed is what a command prints into a pipe when that is nothing but the names
// of files that its own effects reach: `find src -name '*.go' | xargs wc -l`
// reads below src and nowhere else.
type feed struct {
	places  []Effect // what the names lie in
	lead    byte     // the first byte of every name; leadName; 0 where not known
	nul     bool     // names end with NUL; otherwise with a newline
	command int      // the command that prints them, from 1
}

// feedOf is the feed of a described command that prints names, nil where what
// it reaches is not known.
func feedOf(p *program, j *judged, command int) *feed {
	f := &feed{nul: j.nul, command: command}
	for _, e := range j.effects {
		if e.Kind != Read && e.Kind != List {
			return nil
		}
		if e.Own {
			continue
		}
		if e.Extent == Anywhere || e.Target == "" || !e.Dir.Known() {
			return nil
		}
		if p.names[0] == "git" && strings.ContainsAny(e.Target, "*?[\\:") {
			// A pathspec, whose patterns match across folders.
			if c := e.Target[0]; c == ':' || c == '/' || strings.Contains(e.Target, "..") {
				return nil
			}
			e.Target, e.Extent = ".", Tree
		}
		lead := e.Target[0]
		if e.Target == "." && p.reader != vFind {
			lead = leadName // rg and git print bare names
		}
		if len(f.places) > 0 && lead != f.lead || lead == '-' {
			lead = 0
		}
		f.lead = lead
		f.places = append(f.places, e)
	}
	if len(f.places) == 0 {
		return nil
	}
	return f
}

// feeds says that a part of a pipe is one simple command without redirections,
// so that what it prints is what the next part reads.
func feeds(s *syntax.Stmt) bool {
	_, simple := s.Cmd.(*syntax.CallExpr)
	return simple && !s.Negated && !s.Background && len(s.Redirs) == 0
}

// pipesErrors says that one of the links of a pipe is |&.
func pipesErrors(b *syntax.BinaryCmd) bool {
	for ; b != nil; b = sameList(b.Y, true) {
		if b.Op == syntax.PipeAll {
			return true
		}
		if in := sameList(b.X, true); in != nil && pipesErrors(in) {
			return true
		}
	}
	return false
}

// readsPipe says that a command with these redirections still reads the pipe.
func readsPipe(redirs []*syntax.Redirect) bool {
	for _, r := range redirs {
		switch r.Op {
		case syntax.RdrOut, syntax.AppOut, syntax.DplOut, syntax.RdrClob, syntax.RdrAll, syntax.AppAll:
		default:
			return false
		}
		if r.N != nil && r.N.Value != "1" && r.N.Value != "2" {
			return false
		}
	}
	return true
}

// fedText is the text of the word that stands for names from the input.
const fedText = "…"

// fedWord is the word that stands for the names that xargs takes from its
// input. before are the words of xargs up to its command.
func (w *walker) fedWord(before []word, nul, fields bool, span Span) word {
	out := word{Word: Word{Text: fedText, Span: span}, fields: fields}
	if w.fed == nil || w.fed.nul != nul {
		return out
	}
	for _, a := range before {
		// -a reads another file, -d splits at another byte.
		if !a.Static || strings.HasPrefix(a.Text, "-") && strings.ContainsAny(a.Text, "adE") {
			return out
		}
	}
	out.guess = &guess{below: w.fed.places, feed: w.fed}
	if nul {
		out.lead = w.fed.lead // without NUL, what follows a blank in a name may be a flag
	}
	return out
}
