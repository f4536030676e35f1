package permission

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Call is a tool call of a model.
type Call struct {
	// ID is the caller's name for it; it plays no part in the decision.
	ID string `json:"id,omitempty"`
	// Tool is the canonical tool name: Bash, Read, mcp__server__tool. Case counts.
	Tool string `json:"tool"`
	// Input is the tool's input as the model sent it.
	Input json.RawMessage `json:"input"`
	// Dir is the absolute directory in which it will really start; empty is that
	// of the session. The host reports it; a wrong one makes relative paths mean
	// something else.
	Dir string `json:"dir"`
}

// Inspection is what a call would do. It is plain data, survives JSON, and is
// not changed after the inspector returned it.
type Inspection struct {
	// Family is the rule family whose specifiers apply to the call itself
	// (Bash, Read, Edit, WebFetch, Agent, Skill, mcp, or the tool's name).
	Family string `json:"family"`
	// Params are the top-level scalar input fields as literal text, for
	// parameter rules, without the tool's primary content field.
	Params map[string]string `json:"params,omitempty"`
	// Actions is a forest: an action's Of names the Run it belongs to.
	Actions []Action `json:"actions"`
	// Findings are reasons to look twice that no allow rule settles.
	Findings []Finding `json:"findings,omitempty"`
	// MustAsk says why the tool demands a person's answer on every call.
	MustAsk string `json:"mustAsk,omitempty"`
	// Strings are scalars found in the input of a tool whose meaning is not
	// declared; deny and ask rules meet them as possible paths and hosts.
	Strings []string `json:"strings,omitempty"`
	// Folders are existing folders below the directory of the session that such
	// strings name, absolute. What the tool reaches in them is not known: a deny
	// or ask rule that names something in one, by more than a pattern that would
	// fit any folder, may match.
	Folders []string `json:"folders,omitempty"`
	// Unconfined says that the call asks to run outside the sandbox.
	Unconfined bool `json:"unconfined,omitempty"`
	// Brings names the labels that the result would put on the session.
	Brings Labels `json:"brings,omitempty"`
	// Explanation says in plain words what the call does.
	Explanation Text `json:"explanation,omitzero"`
	Risk        Risk `json:"risk"`
	// Report identifies the analysis of a command text that the inspection was
	// made from (bashcheck.Report.Digest); empty where there was none. It is part
	// of what is granted: what runs the text refuses any other analysis.
	Report Text `json:"report,omitzero"`
}

// Action is one thing that a call would do.
type Action struct {
	Kind   Kind   `json:"kind"`
	Origin Origin `json:"origin"`
	// Free says that the action needs nobody's approval by itself: a read of a
	// described command outside the roots, starting a sub-agent. Deny and ask
	// rules, findings and sensitive classes still apply.
	Free bool `json:"free,omitempty"`
	// Own says that a command's description marks the action as its own
	// business (git's .git), which a rule for that command covers.
	Own bool `json:"own,omitempty"`
	// PlainGet says that a Connect sends nothing but one plain GET request.
	PlainGet bool `json:"plainGet,omitempty"`
	// Maybe says of a Read, List, Write, Delete or Connect that the call may do it
	// or may not: it is what a text that is not understood seems to say. Deny and
	// ask rules that match may match, the action settles nothing and needs nobody's
	// approval by itself, and a grant does not permit it.
	Maybe bool `json:"maybe,omitempty"`
	// Port is that of a Connect; 0 where the text names none.
	Port uint16 `json:"port,omitempty"`
	// Of is the index+1 of the Run that the action belongs to, 0 for the call
	// itself. A Run's Of is the Run that starts it.
	Of int `json:"of,omitempty"`
	// Path is set for Read, List, Write and Delete.
	Path Path `json:"path,omitzero"`
	// Command is set for Run; nil is a command of which nothing is known.
	Command *Command `json:"command,omitzero"`
	// Host is set for Connect: lower case, no trailing dot, no brackets; empty
	// where it is not known.
	Host string `json:"host,omitempty"`
	// Name is set for Use: an MCP tool, a sub-agent, "environment", "process".
	Name string `json:"name,omitempty"`
	// Note is a sentence for the reason where the action is refused or asked
	// about: what is not known, or how the command would leave the path out.
	Note string `json:"note,omitempty"`
	// Span is where in the command text the action comes from.
	Span Span `json:"span,omitzero"`
}

// Path is a file-system path as far as it is known.
type Path struct {
	// Clean is absolute and lexically cleaned.
	Clean string `json:"clean,omitempty"`
	// Real is Clean with every link resolved; equal to Clean where nothing is
	// there yet.
	Real string `json:"real,omitempty"`
	// PathDetails is what few paths have; nil is nothing. The methods of Path
	// read it, and [Path.Describe] sets it.
	*PathDetails
	Extent Extent `json:"extent"`
	Zone   Zone   `json:"zone"`
	Class  Class  `json:"class"`
	// Steers says that agents take the file for instructions (CLAUDE.md,
	// AGENTS.md, .cursorrules): what is written there speaks to the next session.
	// Under a session that has read untrusted text neither a rule nor a mode but
	// bypass settles writing it; otherwise it is a file like any other.
	Steers bool `json:"steers,omitempty"`
	// Under says that the path lies directly below a variable whose value is
	// not known ("$DIR"/*).
	Under bool `json:"under,omitempty"`
	// Critical says that deleting it is never settled by a rule: the root of
	// the file system, its children, home, the project and its parents.
	Critical bool `json:"critical,omitempty"`
	// ReadOnly says that it lies in an additional directory for reading only.
	ReadOnly bool `json:"readOnly,omitempty"`
	// Walked says that the inspector looked at everything below and listed each
	// name that a rule denies as an action of its own.
	Walked bool `json:"walked,omitempty"`
}

// PathDetails is what is known of few paths only. Copies of a path share it: it
// is not changed once it belongs to one.
type PathDetails struct {
	// Also are further names that deny and ask rules must see: links on the
	// way, case and Unicode folds.
	Also []string `json:"also,omitempty"`
	// ClassName names the row of the class table, for the reason.
	ClassName string `json:"className,omitempty"`
	// Secret is, for a Sensitive path, the part of Real from the root whose last
	// name makes it so: a directory that holds secrets, with everything below
	// it. Empty is Real itself.
	Secret string `json:"secret,omitempty"`
}

// Details returns what is known of the path beyond its fields.
func (p *Path) Details() PathDetails {
	if p.PathDetails == nil {
		return PathDetails{}
	}
	return *p.PathDetails
}

// Describe sets what is known of the path beyond its fields. It does not change
// that of the paths which this one was copied from.
func (p *Path) Describe(d PathDetails) {
	p.PathDetails = nil
	if d.Also != nil || d.ClassName != "" || d.Secret != "" {
		own := d // so that only this is allocated
		p.PathDetails = &own
	}
}

// Also returns [PathDetails.Also].
func (p *Path) Also() []string {
	if p.PathDetails == nil {
		return nil
	}
	return p.PathDetails.Also
}

// ClassName returns [PathDetails.ClassName].
func (p *Path) ClassName() string {
	if p.PathDetails == nil {
		return ""
	}
	return p.PathDetails.ClassName
}

// Secret returns [PathDetails.Secret].
func (p *Path) Secret() string {
	if p.PathDetails == nil {
		return ""
	}
	return p.PathDetails.Secret
}

// GoString returns the path in Go syntax, with its details as a value.
func (p Path) GoString() string {
	type path Path // without this method
	q := path(p)
	q.PathDetails = nil
	return fmt.Sprintf("%#v %#v", q, p.Details())
}

// Command is a simple command as rules see it.
type Command struct {
	// Allow are the texts that allow rules are matched against; empty where
	// no allow rule may speak of the command. [DynamicWord] stands for words that
	// it is given when it runs.
	Allow []string `json:"allow,omitempty"`
	// Deny are the texts that deny and ask rules are matched against.
	Deny []string `json:"deny,omitempty"`
	// CommandDetails is what is known of few commands only; nil is nothing. The
	// methods of Command read it, and [Command.Describe] sets it.
	*CommandDetails
	// Prefix is the longest prefix that a saved rule may have; empty where
	// only the exact text may be saved.
	Prefix string `json:"prefix,omitempty"`
	Dir    string `json:"dir,omitempty"`
	// Closed says that a description covers the command completely and every
	// effect of it is an action of this inspection.
	Closed bool `json:"closed,omitempty"`
	// ExactOnly says that only a rule without a wildcard may allow it.
	ExactOnly bool `json:"exactOnly,omitempty"`
	// Opaque says that something other than the transparent wrappers starts
	// it, so that no allow rule may speak of it; a rule for what starts it may.
	Opaque bool `json:"opaque,omitempty"`
	// Dynamic says that its words are not all known, so that a deny or ask
	// rule may match.
	Dynamic bool `json:"dynamic,omitempty"`
	// Edits says that accept-edits mode may settle its writes.
	Edits bool `json:"edits,omitempty"`
	// Runner says that it runs whatever the workspace defines.
	Runner bool `json:"runner,omitempty"`
}

// noCommand is what is known of the command of an action that has none.
var noCommand Command

// command returns the command of an action, never nil.
func (a *Action) command() *Command {
	if a.Command == nil {
		return &noCommand
	}
	return a.Command
}

// CommandDetails is what is known of few commands only. Copies of a command share
// it: it is not changed once it belongs to one.
type CommandDetails struct {
	// MayRun are texts of commands that the words of this one hold, where its
	// program may run what they say (git bisect run …, python3 -c …): deny and ask
	// rules that match one of them may match.
	MayRun []string `json:"mayRun,omitempty"`
	// Digest identifies the content that the command would run: the script, or
	// the files that define a runner's targets. Empty where nothing was read.
	// An approval for once or for a session is for this content.
	Digest string `json:"digest,omitempty"`
	// Inputs are the files that Digest stands for.
	Inputs []Input `json:"inputs,omitempty"`
}

// Details returns what is known of the command beyond its fields.
func (c *Command) Details() CommandDetails {
	if c.CommandDetails == nil {
		return CommandDetails{}
	}
	return *c.CommandDetails
}

// Describe sets what is known of the command beyond its fields. It does not
// change that of the commands which this one was copied from.
func (c *Command) Describe(d CommandDetails) {
	c.CommandDetails = nil
	if d.MayRun != nil || d.Digest != "" || d.Inputs != nil {
		own := d // so that only this is allocated
		c.CommandDetails = &own
	}
}

// MayRun returns those of the details.
func (c *Command) MayRun() []string {
	if c.CommandDetails == nil {
		return nil
	}
	return c.CommandDetails.MayRun
}

// Digest returns that of the details.
func (c *Command) Digest() string {
	if c.CommandDetails == nil {
		return ""
	}
	return c.CommandDetails.Digest
}

// Inputs returns those of the details.
func (c *Command) Inputs() []Input {
	if c.CommandDetails == nil {
		return nil
	}
	return c.CommandDetails.Inputs
}

// GoString returns the command in Go syntax, with its details as a value.
func (c *Command) GoString() string {
	if c == nil {
		c = &noCommand
	}
	type command Command // without this method
	plain := command(*c)
	plain.CommandDetails = nil
	return fmt.Sprintf("%#v %#v", plain, c.Details())
}

// Finding is a reason to look twice.
type Finding struct {
	Code string `json:"code"`
	Text string `json:"text"`
	Span Span   `json:"span,omitzero"`
}

// Span is a half-open byte range of the command text.
type Span struct {
	Start int32 `json:"start"`
	End   int32 `json:"end"`
}

// Labels say what a session has been in touch with.
type Labels uint8

// The labels.
const (
	// Untrusted: text that an attacker may have written was read.
	Untrusted Labels = 1 << iota
	// SensitiveData: a secret was read.
	SensitiveData
)

// Lookout answers which deny and ask rules name files below a tree, so that an
// inspector need not know the rules.
type Lookout interface {
	// Below reports the rules that can match a path below dir (absolute).
	// When it returns none, reading all of dir meets no path rule.
	Below(dir string) []RuleRef
	// Denies reports the deny or ask rule that matches reading path, if any.
	Denies(path string) (RuleRef, bool)
}

// Inspector translates a call into what it would do. Inspect may look at the
// disk; when it fails, the call asks with the error as the reason. It must be
// safe for concurrent use.
type Inspector interface {
	Inspect(ctx context.Context, call Call, rules Lookout) (Inspection, error)
}

// digest binds a call and its inspection, resolved paths included. It is made
// over Go syntax and not over JSON, which writes every byte that is not valid
// UTF-8 alike.
func digest(call Call, ins Inspection) string {
	call.ID = ""
	h := sha256.New()
	fmt.Fprintf(h, "clearance/call/v1 %#v %#v", call, ins)
	return hex.EncodeToString(h.Sum(nil))
}
