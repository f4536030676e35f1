package permission

import (
	"slices"
	"strings"
)

// Decision is the answer to a call, with everything that led to it. The zero
// Decision denies.
type Decision struct {
	Verdict     Verdict     `json:"verdict"`
	Confinement Confinement `json:"confinement"`
	// Reasons explain the verdict, the deciding ones first.
	Reasons []Reason `json:"reasons,omitempty"`
	// Asked is who may settle an Ask; meaningless for the other verdicts.
	Asked       Settlers `json:"asked,omitempty"`
	Explanation Text     `json:"explanation,omitzero"`
	Risk        Risk     `json:"risk"`
}

// Reason is one step of a decision.
type Reason struct {
	// Code is stable; see the Code constants.
	Code    string  `json:"code"`
	Verdict Verdict `json:"verdict"`
	// Rule is set where a rule decided.
	Rule *RuleRef `json:"rule,omitempty"`
	// Action is the index+1 of the action in the inspection; 0 for the call.
	Action int `json:"action,omitempty"`
	// Text is one sentence for a person. Paths and words of the call stand in it
	// as they came, control characters included: [Request.Prompt] escapes them.
	Text string `json:"text"`
	Span Span   `json:"span,omitzero"`
}

// The reason codes.
const (
	CodeDenyRule    = "deny-rule"   // a deny rule matches
	CodeForbidden   = "forbidden"   // one of the host's own files
	CodeOpinion     = "opinion"     // a hook, classifier or person decided
	CodeAskRule     = "ask-rule"    // an ask rule matches
	CodeMayMatch    = "may-match"   // a deny or ask rule may match
	CodeInteraction = "interaction" // the tool demands a person
	CodeCritical    = "critical"    // removal of a critical path
	CodeProtected   = "protected"   // a write to a protected path
	// CodeSensitive is a file that may hold secrets. No rule for a command or
	// for a whole tool covers it, and one for paths only where the pattern says
	// that it means it: Read(.env), Read(*.pem), Read(~/.ssh/**), but not
	// Read(**), Read(src/*) or Read(~/**), which were written with other files
	// in mind. The documents do not tell of such a class; deny rules are needed
	// there for what is asked about here.
	CodeSensitive  = "sensitive"
	CodeOutside    = "outside"      // outside the working directories
	CodeFinding    = "finding"      // the inspection found something suspicious
	CodeUnmatched  = "unmatched"    // nothing settles the action
	CodeEdit       = "edit"         // a write that the mode does not settle
	CodeNetwork    = "network"      // a connection that no rule settles
	CodePlan       = "plan"         // plan mode changes nothing
	CodeMode       = "mode"         // the mode turned an ask into allow or deny
	CodeAllowRule  = "allow-rule"   // an allow rule settled the action
	CodeClosed     = "closed"       // provably does no more than its actions
	CodeWorkspace  = "workspace"    // reading inside the working directories
	CodeSandbox    = "sandbox"      // runs confined
	CodeNoAction   = "empty"        // the inspection holds no action
	CodeInspection = "inspection"   // the call could not be inspected
	CodeBlocked    = "blocked-zone" // a setting closes what lies outside
	CodeSend       = "send"         // it can send, and the session knows a secret and untrusted text
	// CodeSteers: a session that has read untrusted text writes a file that agents
	// take for instructions.
	CodeSteers  = "steers"
	CodeUnsaved = "unsaved" // the rules of an answer for good hold for the session only: they could not be saved
	CodeChanged = "changed" // what a runner runs has changed under an untrusted session
)

// Settlers is a set of those who may settle an Ask. Several Asks of a call
// intersect. The zero set is nobody.
type Settlers uint8

// The settlers.
const (
	ByBypass Settlers = 1 << iota
	ByHook
	ByClassifier
	BySandbox
	ByPerson
)

// Asked by kind of reason. A protected path is not settled by the sandbox,
// because what is written there takes effect outside of it; rules that ask are
// settled by a person only.
const (
	askedPlain       = ByBypass | ByHook | ByClassifier | BySandbox | ByPerson
	askedProtected   = ByBypass | ByHook | ByClassifier | ByPerson
	askedRule        = ByPerson
	askedBareBash    = ByPerson | BySandbox
	askedCritical    = ByClassifier | ByPerson
	askedInteraction = ByPerson
)

// OpinionSource is who has an opinion on a call.
type OpinionSource uint8

// The sources. The zero source settles nothing.
const (
	FromUnknown OpinionSource = iota
	FromHook
	FromClassifier
	FromPerson
)

var opinionNames = []string{"unknown", "hook", "classifier", "person"}

// String returns the source in lower case.
func (s OpinionSource) String() string { return name(opinionNames, uint8(s)) }

// MarshalText writes the name of the source.
func (s OpinionSource) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name and refuses an unknown one.
func (s *OpinionSource) UnmarshalText(b []byte) error {
	i, err := parseName(opinionNames, b, "source of an opinion")
	*s = OpinionSource(i)
	return err
}

// Opinion is what someone outside the rules said of a call. Deny always
// counts; Ask adds an ask; Allow settles only the asks that its source may
// settle.
type Opinion struct {
	From    OpinionSource `json:"from"`
	Verdict Verdict       `json:"verdict"`
	Reason  string        `json:"reason,omitempty"`
}

// State is what a decision depends on besides the rules and the call.
type State struct {
	Mode Mode `json:"mode"`
	// Dir is the absolute directory in which the session started: relative
	// rules start there.
	Dir string `json:"dir"`
	// Classifier says that the host has one; auto mode without it is default.
	Classifier bool `json:"classifier,omitempty"`
	// Enforces says that the host runs what a decision confines inside a
	// sandbox. Without it an allow never rests on confinement.
	Enforces bool `json:"enforces,omitempty"`
	// Labels say what the session has been in touch with.
	Labels Labels `json:"labels,omitempty"`
	// Provenance is what both labels together lead to.
	Provenance Provenance `json:"provenance,omitempty"`
	// Destinations are those that a person let this session send to despite
	// its labels, as named by the Gate.
	Destinations map[string]bool `json:"destinations,omitempty"`
	// Contents are the digests ([Command.Digest]) of what commands of this
	// session last ran, by command.
	Contents map[string]string `json:"contents,omitempty"`
}

// uninspected says that the call asks for nothing but that it could not be
// inspected.
func (d *Decision) uninspected() bool {
	found := false
	for _, r := range d.Reasons {
		switch {
		case r.Verdict != Ask, r.Code == CodeMode, r.Code == CodeMayMatch:
		case r.Code == CodeFinding && strings.HasPrefix(r.Text, notInspected):
			found = true
		default:
			return false
		}
	}
	return found
}

// Text returns the deciding reasons as one paragraph, each sentence once; where
// nothing but the mode refuses, with what it refuses to ask about. It may
// be printed: what would not show itself (control and format characters, broken
// UTF-8) is written as \xNN or \u{NNNN}. The Text of each [Reason] is as it came.
func (d Decision) Text() string {
	var b strings.Builder
	said := map[string]bool{}
	byMode := d.Verdict == Deny && !slices.ContainsFunc(d.Reasons, func(r Reason) bool { return r.Verdict == Deny && r.Code != CodeMode })
	for _, r := range d.Reasons {
		if r.Verdict != d.Verdict && !(byMode && r.Verdict == Ask) || r.Text == "" || said[r.Text] {
			continue
		}
		said[r.Text] = true
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(visible(r.Text))
	}
	return b.String()
}
