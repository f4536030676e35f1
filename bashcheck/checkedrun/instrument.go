package checkedrun

import (
	"strconv"

	"mvdan.cc/sh/v3/syntax"
)

// Two things are put into the parsed text before it runs, as builtins that
// stand behind its end, so that call knows them from the text's own:
//
//   - before an assignment of variables to a variable, the sizes of these:
//     x=$x$x would fill the memory of this process in thirty steps;
//   - behind a command with process substitutions, a wait for them: they are
//     part of the run, and the interpreter goes on without them.

// Bounds of variables, in bytes.
const (
	maxValue    = 4 << 20   // made of other variables at once
	maxAssigned = 256 << 20 // made of other variables in a whole run
)

// statusName keeps the status of a command while its process substitutions are
// waited for.
const statusName = "__checkedrun_status"

func instrument(file *syntax.File, size int) (procs map[int][]syntax.ProcOperator) {
	own := syntax.NewPos(uint(size)+1, 1, 1)
	lit := func(s string) *syntax.Word {
		return &syntax.Word{Parts: []syntax.WordPart{&syntax.Lit{ValuePos: own, ValueEnd: own, Value: s}}}
	}
	quoted := func(p *syntax.ParamExp) *syntax.Word {
		return &syntax.Word{Parts: []syntax.WordPart{&syntax.DblQuoted{Left: own, Right: own, Parts: []syntax.WordPart{p}}}}
	}
	stmt := func(c syntax.Command) *syntax.Stmt { return &syntax.Stmt{Position: own, Cmd: c} }
	call := func(words ...*syntax.Word) *syntax.Stmt { return stmt(&syntax.CallExpr{Args: words}) }

	done := map[*syntax.Stmt]bool{}
	procs = map[int][]syntax.ProcOperator{}
	syntax.Walk(file, func(n syntax.Node) bool {
		s, ok := n.(*syntax.Stmt)
		if !ok || done[s] {
			return true
		}
		c, _ := s.Cmd.(*syntax.CallExpr)
		waits := false
		for _, rd := range s.Redirs {
			waits = waits || processOf(rd.Word) != nil
		}
		if c != nil && len(c.Args) > 0 {
			var ops []syntax.ProcOperator
			for _, w := range c.Args {
				if p := processOf(w); p != nil {
					ops = append(ops, p.Op)
				}
			}
			if ops != nil {
				waits = true
				procs[int(c.Args[0].Pos().Offset())] = ops
			}
		}
		var sizes []*syntax.Word
		if c != nil {
			sizes = sizesOf(c.Assigns, lit, quoted)
		}
		if !waits && sizes == nil {
			return true
		}
		inner := *s
		done[&inner] = true
		*s = syntax.Stmt{Position: s.Position, Comments: s.Comments}
		inner.Comments = nil
		body := &inner
		if sizes != nil {
			body = stmt(&syntax.Block{Stmts: []*syntax.Stmt{call(append([]*syntax.Word{lit(":")}, sizes...)...), &inner}})
			done[body] = true
		}
		if !waits {
			s.Cmd = body.Cmd
			return true
		}
		wait := call(lit("wait"))
		status := &syntax.ParamExp{Dollar: own, Short: true, Param: &syntax.Lit{ValuePos: own, ValueEnd: own, Value: "?"}}
		kept := &syntax.ParamExp{Dollar: own, Short: true, Param: &syntax.Lit{ValuePos: own, ValueEnd: own, Value: statusName}}
		keep := stmt(&syntax.CallExpr{Assigns: []*syntax.Assign{{
			Name: &syntax.Lit{ValuePos: own, ValueEnd: own, Value: statusName}, Value: quoted(status),
		}}})
		back := stmt(&syntax.Subshell{Stmts: []*syntax.Stmt{call(lit("exit"), quoted(kept))}})
		done[keep] = true
		s.Cmd = &syntax.IfClause{
			Cond: []*syntax.Stmt{body}, Then: []*syntax.Stmt{wait},
			Else: &syntax.IfClause{Then: []*syntax.Stmt{keep, wait, back}},
		}
		return true
	})
	return procs
}

// sizesOf are words that tell the sizes of the variables that assignments are
// made of: for each a factor and a length in characters, or, for several
// values at once, a factor of zero, one more factor and the values themselves.
func sizesOf(assigns []*syntax.Assign, lit func(string) *syntax.Word, quoted func(*syntax.ParamExp) *syntax.Word) []*syntax.Word {
	type use struct {
		name string
		list bool
	}
	factors := map[use]int{}
	var order []use
	add := func(u use, f int) {
		if factors[u] == 0 {
			order = append(order, u)
		}
		factors[u] += f
	}
	for _, a := range assigns {
		if a.Append && a.Name != nil {
			add(use{a.Name.Value, a.Array != nil || a.Index != nil}, 1)
		}
		syntax.Walk(a, func(n syntax.Node) bool {
			p, ok := n.(*syntax.ParamExp)
			if !ok || p.Param == nil || p.Param.Value == "?" || p.Length {
				return true
			}
			factor := 1
			if p.Repl != nil && p.Repl.With != nil {
				factor += len(literal(p.Repl.With))
			}
			add(use{p.Param.Value, p.Index != nil || p.Param.Value == "@" || p.Param.Value == "*"}, factor)
			return true
		})
	}
	var words []*syntax.Word
	for _, u := range order {
		p := &syntax.ParamExp{Param: &syntax.Lit{Value: u.name}}
		words = append(words, lit(strconv.Itoa(factors[u])))
		if u.list {
			if u.name != "@" && u.name != "*" {
				p.Index = &syntax.Word{Parts: []syntax.WordPart{&syntax.Lit{Value: "*"}}}
			}
			words[len(words)-1] = lit("0")
			words = append(words, lit(strconv.Itoa(factors[u])))
		} else {
			p.Length = true
		}
		words = append(words, quoted(p))
	}
	return words
}

// own does what was put into the text.
func (r *run) own(args []string) ([]string, error) {
	if args[0] != ":" {
		return args, nil // wait, and the exit that brings the status back
	}
	sum := 0
	for words := args[1:]; len(words) >= 2; {
		factor, _ := strconv.Atoi(words[0])
		n := 0
		if factor == 0 && len(words) >= 3 {
			factor, _ = strconv.Atoi(words[1])
			n = len(words[2])
			words = words[3:]
		} else {
			n, _ = strconv.Atoi(words[1])
			n *= 4 // bytes of a character
			words = words[2:]
		}
		sum += factor * n
		if sum > 4*maxValue {
			break
		}
	}
	r.mu.Lock()
	r.assigned += int64(sum)
	over := sum > 4*maxValue || r.assigned > 4*maxAssigned
	r.mu.Unlock()
	if over {
		return nil, r.stop(ErrMemory)
	}
	return args[:1], nil
}
