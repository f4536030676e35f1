package bashcheck

import "encoding/json"

// Report is what a command line would do. It is plain data: it survives JSON,
// is never changed after [Analyzer.Analyze] returned it and is safe for
// concurrent use as long as no one writes to its slices. The zero Report is
// not read-only.
type Report struct {
	// Source is the text that was analyzed, byte for byte.
	Source string
	// Analyzer identifies the options and descriptions that it was analyzed by
	// ([Report.Digest]).
	Analyzer string
	// Parsed says that the whole text was understood as a program of the
	// shell. Where it is false, Commands may be incomplete.
	Parsed bool
	// Commands are all simple commands found anywhere in the text, in source
	// order, a wrapper before what it runs.
	Commands []Command
	// Loose are effects that belong to no simple command: redirections of
	// compound statements, assignments that stand alone.
	Loose []Effect
	// Findings tell why the text is not provable or deserves a second look.
	// A finding with Blocks set makes the Report not read-only.
	Findings []Finding
	// Assumptions are what the verdict rests on besides the text. A caller
	// that cannot grant all of them must treat the Report as not read-only.
	Assumptions []Assumption
}

// Command is one simple command.
type Command struct {
	// Argv are the words after the assignments, quotes removed.
	Argv []Word
	// Text is the source of the command with runs of blanks collapsed to one
	// space outside quotes, without inert assignments, redirections and
	// here-document bodies: the form that allow rules are matched against.
	Text string
	// Plain are forms for deny and ask rules: the words unquoted and joined
	// by one space, without any assignment, as written and with the command
	// reduced to its base name.
	Plain []string
	// Assignments are the NAME=VALUE prefixes of the command.
	Assignments []Assignment
	// Effects are what the command does, redirections included (ByShell).
	Effects []Effect
	// Dir is where the command starts; for `git -C dir`, which goes there by
	// itself before anything else, it is that directory.
	Dir Dir
	// Parent is the index+1 in Report.Commands of the command that runs this
	// one (sudo, xargs, find -exec, sh -c, …); 0 where the shell itself does.
	Parent int
	// Transparent says that the parent is one of those that allow rules look
	// through (timeout time nice nohup stdbuf command builtin noglob, bare
	// xargs).
	Transparent bool
	// Substituted says that the command stands in a command or process
	// substitution.
	Substituted bool
	// Described says that a description covers the program, the sub-command,
	// every flag and every operand: Effects is then complete.
	Described bool
	// Dynamic says that a word is not known before the command runs, so that
	// a deny or ask rule can only say "may match".
	Dynamic bool
	// ExactOnly says that only a rule that spells the whole command may allow
	// it (watch setsid ionice flock, find -exec and -delete).
	ExactOnly bool
	// Edits says that the program is one of mkdir touch rm rmdir mv cp sed, or
	// tee, in a form whose writes accept-edits mode may settle.
	Edits bool
	// Told says that Summary tells what the command runs, reaches and changes
	// without a name in the text, so that an explanation need not.
	Told bool
	// Class is what kind of program it is.
	Class Class
	// Summary says what the program does in this form, in the words of its
	// description ("lists files"), with the words of the command that the
	// description names between backquotes, escaped and perhaps cut; empty
	// where there is none.
	Summary string
	// Prefix is the longest literal prefix that a saved rule may have ("git
	// commit", "npm run build"); empty where only the exact text may be saved.
	Prefix string
	// Span is where the command stands in Source.
	Span Span
}

// Word is one word of a command after quote removal.
type Word struct {
	// Text is the value. Where Static is false it is the source text.
	Text string
	// Static says that Text is what the program will receive.
	Static bool
	// Glob says that the word is a pattern which the shell expands to names;
	// Text is then the pattern.
	Glob bool
	// Span is where the word stands in Report.Source.
	Span Span
}

// Assignment is a NAME=VALUE prefix, or a statement of its own.
type Assignment struct {
	Name  string
	Value Word
	// Inert says that the variable is on the short list of those that change
	// no program's behaviour beyond its language or colours.
	Inert bool
}

// Effect is one thing that a command does outside its own memory.
type Effect struct {
	Kind Kind
	// Extent says how much of what lies at Target is reached. A Write of an
	// Exact path may also make the directories above it (mkdir -p).
	Extent Extent
	// Below says that, with the extent Glob, everything below the matched names
	// is reached too (rm -r *.tmp).
	Below bool
	// Own says that the description marks the effect as the program's own
	// business (git's .git, npm's node_modules), which a rule for the command
	// covers.
	Own bool
	// ByShell says that the shell does it (a redirection), not the program.
	ByShell bool
	// PlainGet says that a Connect is one plain GET to a literal URL.
	PlainGet bool
	// Plain says that xargs splits the names that Listed tells of at blanks and
	// quotes too: then Target holds only as long as no name at it has one.
	Plain bool
	// kept says that what is read stays with the program (a key, its settings),
	// and that what is deleted lives on elsewhere (mv).
	kept bool
	// Port is set for Connect where the text names one; 0 otherwise.
	Port uint16
	// Listed is the command, from 1, that chose the names which are reached at
	// Target (find -exec, a pipe to xargs); 0: none.
	Listed int32
	// Target is the path, host, program or variable, quotes removed. A path
	// is relative to Dir. Empty where it is not known (Extent Anywhere).
	Target string
	// Dir is where a relative Target starts.
	Dir Dir
	// URL is the literal URL of a PlainGet.
	URL string
	// Span is where the words that cause it stand in Report.Source.
	Span Span
}

// Kind is what an effect does to its target.
type Kind uint8

// The kinds. Change alters mode, owner or links of a path; Environment reads
// or sets variables for what follows; Process signals or inspects processes;
// Privilege raises rights.
const (
	Unknown Kind = iota
	Read
	List
	Write
	Delete
	Change
	Execute
	Connect
	Environment
	Process
	Privilege
)

// Extent says how much of a tree an effect reaches.
type Extent uint8

// The extents. Anywhere is the zero value: nothing is known about the target.
// Glob: the names that the pattern Target matches. Tree: Target and all below.
// Within: names below Target that the text does not spell.
const (
	Anywhere Extent = iota
	Exact
	Glob
	Tree
	Within
)

// Dir is a directory as far as the text tells. The zero Dir is unknown. In JSON
// it is an object with the members Known and Paths.
type Dir struct{ paths *[]string } // never changed; nil: not known

func newDir(paths ...string) Dir { return Dir{&paths} }

// Known says that Paths are all candidates.
func (d Dir) Known() bool { return d.paths != nil }

// Paths are the candidates: absolute, or relative to where the shell started
// ("." is that directory). After `cd D;` both outcomes stand here. The slice is
// shared and must not be changed.
func (d Dir) Paths() []string {
	if d.paths == nil {
		return nil
	}
	return *d.paths
}

// dirJSON is the JSON form of a Dir.
type dirJSON struct {
	Known bool
	Paths []string
}

// MarshalJSON implements [json.Marshaler].
func (d Dir) MarshalJSON() ([]byte, error) { return json.Marshal(dirJSON{d.Known(), d.Paths()}) }

// UnmarshalJSON implements [json.Unmarshaler]. A Dir without Paths is not known,
// and one that is not known has none.
func (d *Dir) UnmarshalJSON(data []byte) error {
	var in dirJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*d = Dir{}
	if in.Known && len(in.Paths) > 0 {
		d.paths = &in.Paths
	}
	return nil
}

// Class is what kind of program a command is.
type Class uint8

// The classes: a plain program; a wrapper that runs its operands (env, sudo,
// xargs); an interpreter that runs program text (python, awk); a shell; a
// runner of whatever the workspace defines (npm run, make, go test).
const (
	UnknownClass Class = iota
	Plain
	Wrapper
	Interpreter
	Shell
	Runner
)

// Finding is something about the structure of the text.
type Finding struct {
	// Code is stable and documented in this package.
	Code string
	// Severity is how much a person should care.
	Severity Severity
	// Blocks says that nothing can be proven while it stands.
	Blocks bool
	// Text is one sentence for a person; control characters are escaped.
	Text string
	// Command is the index+1 of the command it is about, 0 for the whole text.
	Command int
	Span    Span
}

// Severity of a finding.
type Severity uint8

// The severities.
const (
	Notice Severity = iota
	Suspicious
	Dangerous
)

// Risk is the overall risk of a command line.
type Risk uint8

// The risks. The zero value is high: what was not judged is not harmless.
const (
	RiskHigh Risk = iota
	RiskMedium
	RiskLow
)

// Assumption names a condition outside the text ("git-config-trusted").
type Assumption string

// Span is a half-open range of bytes in [Report.Source].
type Span struct{ Start, End int32 }

// spanAt is the span between two offsets, which Limits keeps small.
func spanAt(start, end int) Span { return Span{int32(start), int32(end)} }
