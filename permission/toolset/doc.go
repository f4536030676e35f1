// Package toolset turns calls of the standard tools (Bash, Monitor, Read, Write,
// Edit, MultiEdit, NotebookEdit, Glob, Grep, LSP, WebFetch, WebSearch, Agent,
// Skill, mcp__*, and those for the agent's own notes) into the actions that
// package permission decides about. It is the one place where the words of
// bashcheck and scope meet those of permission.
//
// A tool that is not known is a Use of its name, which only a rule for the tool
// settles. What an MCP tool does is a Use as well, unless its path fields are
// declared ([Options.Fields]); the strings of its input still meet deny and ask
// rules, as paths in every usual spelling and as hosts. PowerShell is not
// analyzed: every call of it asks.
//
// # What is looked at
//
// Paths are resolved by [Options.Files], once for each question. Target sets
// that a command does not spell are walked, up to 10,000 entries in one call:
// patterns, rm -r, mv of a directory, cp -r and where each copy would land,
// find -delete. An entry that is protected, sensitive, of another zone, or that
// a deny or ask rule speaks of becomes an action of its own. Over the bound the
// call asks.
//
// A program that is not described, a shell or an interpreter may run what its words
// say, and so may ssh, npx, docker exec and their like (git bisect run rm x, python3 -c
// 'os.system("rm x")'): where a deny or ask rule for commands begins with a word among
// them, it may match, and a person is asked. What a script or a build file holds is
// not looked through for that.
//
// A command that reads a tree is looked through for names that rules deny and
// for files that may hold secrets, with the filters of the reader that are
// understood (--include, --exclude and --exclude-dir of grep, hidden names of
// rg, the index for git). Outside the roots a fully described command reads what
// everybody may read; credentials, other users' homes and files that are not
// world-readable are Sensitive, and ask.
//
// Where another part of the same command may make links or move names, later
// targets are not exact: no rule over paths and no mode settles them.
//
// git counts as described only where the directory of the call leads to the
// repository of the project: another one may name programs that git starts, and
// so may the configuration of a submodule, which is looked at. What git does to
// the work tree meets rules over editing where it spells a name, or touches a
// tracked one.
//
// A command whose form is not understood is read once more for what it may
// write: what an output flag, a script of sed or awk, or an operand names is a
// write that deny and ask rules see, and an output that cannot be read may be
// anywhere to them.
//
// # What it does not protect against
//
// An inspection is about a moment. Between it and the run another process may
// change links and files; a call that another process helps is held by
// scope.Guard's handles ([Files]) or by a sandbox, not by this. What a program
// that is not described reaches is not known, beyond the files that its words
// name. Commands of git that print contents are judged by the index and by the
// commits that they show, up to 20,000 objects of the store; where it cannot be
// told which these are, rules over paths may match. An object that is in no
// commit (one that was staged and never committed) has no name to judge it by.
// Contents that a message, a note or a tag repeats are not seen. A second name
// of a file (a hard link) is known for the file where the first lies among the
// first 5,000 entries of the project, outside of .git and node_modules, or in one
// of the usual places of secrets in the home directory; not on Windows.
package toolset

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope"
)

// Options configure [NewWith]. Files and Analyzer are required.
type Options struct {
	// Files resolves and classifies paths: a *scope.Guard.
	Files scope.Checker
	// Analyzer understands shell commands.
	Analyzer *bashcheck.Analyzer
	// Assume are the analyzer's assumptions that the host makes true, for
	// instance by starting commands with bashcheck.SafeEnv. A command whose
	// report rests on any other is not provably read-only.
	Assume []bashcheck.Assumption
	// Fields declares which input fields of an MCP tool name paths and what
	// the tool does with them: {"mcp__fs__read_file": {"path": permission.Read}}.
	// A declared tool does nothing else.
	Fields map[string]map[string]permission.Kind
	// Meta returns the _meta["anthropic/requiresUserInteraction"] value of an
	// MCP tool, nil where it has none. Anything but false asks on every call.
	Meta func(tool string) json.RawMessage
	// Home is the user's home directory, absolute: "~" in an input and the
	// homes of others are told by it. Empty: the usual place of home
	// directories that holds the project.
	Home string
	// Ledger knows which files untrusted sessions wrote: reading them makes a
	// session untrusted again. The same one belongs into
	// permission.GateOptions. Nil knows of none.
	Ledger *Ledger
	// Offline says that Files answers for another machine: nothing is looked
	// up on this one.
	Offline bool
}

// Tools is the [permission.Inspector] of the standard tools. It is immutable
// and safe for concurrent use.
type Tools struct {
	o    Options
	home string
}

var _ permission.Inspector = (*Tools)(nil)

// New returns the tools for a host that starts commands in the environment of
// bashcheck.SafeEnv, which makes the usual assumptions of the analyzer true.
func New(guard *scope.Guard, analyzer *bashcheck.Analyzer) *Tools {
	t, err := NewWith(Options{Files: guard, Analyzer: analyzer, Assume: bashcheck.SafeEnvAssumptions()})
	if err != nil {
		// A nil guard or analyzer: every inspection fails, so every call asks.
		return &Tools{}
	}
	return t
}

// NewWith returns the tools for the options.
func NewWith(o Options) (*Tools, error) {
	if g, ok := o.Files.(*scope.Guard); o.Files == nil || ok && g == nil {
		return nil, errors.New("toolset: Options.Files is missing: use a scope.Guard")
	}
	if o.Analyzer == nil {
		return nil, errors.New("toolset: Options.Analyzer is missing: use bashcheck.New")
	}
	o.Assume = slices.Clone(o.Assume)
	t := &Tools{o: o}
	t.home = o.Home
	if r, ok := o.Files.(interface{ Root() string }); ok && t.home == "" {
		t.home = homeOf(r.Root())
	}
	return t, nil
}

// Files returns a guard that does what guard does and, besides, exactly what
// the grant permits: the approved path is the one that is opened, or the
// operation fails. A nil grant adds nothing.
func Files(guard *scope.Guard, grant *permission.Grant) *scope.Guard {
	return guard.With(func(op scope.Op, real string) bool {
		for _, kind := range kindsOf(op) {
			if grant.Permits(kind, real) && (exactly(grant, real) || ordinary(guard, real, op)) {
				return true
			}
		}
		return false
	})
}

// exactly says whether an action of the grant names the path itself. A grant
// for a tree is none for the secrets and the protected files in it.
func exactly(grant *permission.Grant, real string) bool {
	for _, a := range grant.Inspection().Actions {
		if a.Path.Extent == permission.Exact && (a.Path.Real == real || a.Path.Real == "" && a.Path.Clean == real) {
			return true
		}
	}
	return false
}

func ordinary(guard *scope.Guard, real string, op scope.Op) bool {
	return guard.Check(real, op).Class == scope.Ordinary
}

func kindsOf(op scope.Op) []permission.Kind {
	switch op {
	case scope.Read:
		return []permission.Kind{permission.Read}
	case scope.List, scope.Stat:
		return []permission.Kind{permission.List}
	case scope.Create, scope.Write, scope.Append, scope.RenameTo:
		return []permission.Kind{permission.Write}
	case scope.Delete, scope.RenameFrom:
		return []permission.Kind{permission.Delete}
	}
	// Links and modes are not what any file tool was granted.
	return nil
}

func zone(z scope.Zone) permission.Zone {
	switch z {
	case scope.Inside:
		return permission.Inside
	case scope.Additional:
		return permission.Additional
	}
	return permission.Outside
}

func class(c scope.Class) permission.Class {
	switch c {
	case scope.Ordinary:
		return permission.Ordinary
	case scope.Protected:
		return permission.Protected
	case scope.Sensitive:
		return permission.Sensitive
	case scope.Forbidden:
		return permission.Forbidden
	}
	return permission.Unclassified
}

func extent(e bashcheck.Extent) permission.Extent {
	switch e {
	case bashcheck.Exact:
		return permission.Exact
	case bashcheck.Glob:
		return permission.Glob
	case bashcheck.Tree:
		return permission.Tree
	case bashcheck.Within:
		return permission.Within
	}
	return permission.Anywhere
}

func risk(r bashcheck.Risk) permission.Risk {
	switch r {
	case bashcheck.RiskLow:
		return permission.RiskLow
	case bashcheck.RiskMedium:
		return permission.RiskMedium
	}
	return permission.RiskHigh
}
