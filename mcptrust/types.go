package mcptrust

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Status says what the registry knows about a server, a tool or another
// definition. The zero value is Unknown, and only Trusted lets anything run.
type Status uint8

const (
	// Unknown was never approved. It must not start and must not reach the model.
	Unknown Status = iota
	// Trusted is exactly what a person approved, or differs from it only in
	// ways that cannot widen anything.
	Trusted
	// Changed was approved once, and is another definition now.
	Changed
	// Revoked was refused or withdrawn by a person. It stays so under any
	// definition until it is approved again.
	Revoked
	// Blocked cannot be approved: policy forbids it, or it is broken.
	Blocked
)

// String returns the lower-case word for the status.
func (s Status) String() string {
	switch s {
	case Unknown:
		return "unknown"
	case Trusted:
		return "trusted"
	case Changed:
		return "changed"
	case Revoked:
		return "revoked"
	case Blocked:
		return "blocked"
	}
	return "invalid"
}

// Transport is how a server is reached: the type field of .mcp.json.
type Transport string

// The transports of .mcp.json. "streamable-http" in a file is read as HTTP.
const (
	Stdio Transport = "stdio"
	HTTP  Transport = "http"
	SSE   Transport = "sse"
	WS    Transport = "ws"
)

// Scope says who wrote a server definition. It is part of the identity: the
// same definition from a plugin is not the one that was approved in the project.
type Scope uint8

const (
	// ScopeProject is a file of the repository, the least trusted origin and
	// therefore the zero value.
	ScopeProject Scope = iota
	// ScopeLocal is the user's own file, for this project only.
	ScopeLocal
	// ScopeUser is the user's own file, for every project.
	ScopeUser
	// ScopePlugin is an installed plugin; Source.Name names it.
	ScopePlugin
	// ScopeCommandLine is a definition given to the program by its caller.
	ScopeCommandLine
	// ScopeManaged is the organisation's managed file.
	ScopeManaged
)

// String returns the lower-case word for the scope.
func (s Scope) String() string {
	switch s {
	case ScopeProject:
		return "project"
	case ScopeLocal:
		return "local"
	case ScopeUser:
		return "user"
	case ScopePlugin:
		return "plugin"
	case ScopeCommandLine:
		return "command-line"
	case ScopeManaged:
		return "managed"
	}
	return "invalid"
}

// Source is where a definition was read.
type Source struct {
	Scope Scope
	Name  string // the plugin's name, for ScopePlugin
	File  string // shown, not part of the identity
	Line  int    // 1-based; 0 when not known
}

// String returns the scope and name, for example "plugin:acme".
func (s Source) String() string {
	if s.Name == "" {
		return s.Scope.String()
	}
	return s.Scope.String() + ":" + s.Name
}

// Server is one server definition, expanded. Build it with [Parse] or
// [ReadFile]; by hand, use [Literal] for the values. It is plain data and is
// not changed by this package.
type Server struct {
	Name      string
	Transport Transport

	Command Value            // Stdio
	Args    []Value          // Stdio
	Env     map[string]Value // Stdio
	Dir     Value            // Stdio; empty: the project folder

	URL           Value            // HTTP, SSE, WS
	Headers       map[string]Value // HTTP, SSE, WS
	HeadersHelper Value            // a shell command that prints headers
	OAuth         json.RawMessage  // the oauth object, as written

	// Extra holds the fields that this package does not know, as written. They
	// are part of the identity, except the operational ones: timeout,
	// alwaysLoad, enabled, disabled, icons.
	Extra map[string]json.RawMessage

	// Evidence is what the caller learned about the files that would run. It is
	// part of the identity when it is given.
	Evidence Evidence

	Source Source
}

// Evidence ties a definition to bytes. Every field is optional.
type Evidence struct {
	Executable string            // the absolute path that the command resolves to
	SHA256     string            // of the executable, lower-case hex
	Files      map[string]string // file named in Args to its SHA-256
	Image      string            // container image digest
}

// Argv returns the command and its arguments, expanded: the words to start.
func (s Server) Argv() []string {
	argv := make([]string, 0, 1+len(s.Args))
	argv = append(argv, s.Command.Expanded())
	for _, a := range s.Args {
		argv = append(argv, a.Expanded())
	}
	return argv
}

// Tool is one tool as the server describes it: every byte that a model would
// see. Unmarshal it from the server's JSON with [ParseTool] (or json.Unmarshal),
// or fill it from an SDK's typed value.
type Tool struct {
	Name         string
	Title        string
	Description  string
	InputSchema  json.RawMessage
	OutputSchema json.RawMessage
	Annotations  json.RawMessage
	Execution    json.RawMessage
	Meta         json.RawMessage
	// Extra holds fields that this package does not know, as received.
	Extra map[string]json.RawMessage
	// Raw says that the value was parsed from the server's own bytes. Typed SDK
	// values lose fields, so the two are never compared with each other.
	Raw bool
}

// Kind is the kind of a definition that a server supplies.
type Kind uint8

const (
	// KindTool is an element of tools/list.
	KindTool Kind = iota
	// KindPrompt is an element of prompts/list.
	KindPrompt
	// KindResource is an element of resources/list or resources/templates/list.
	KindResource
	// KindInstructions is the text that a server gives at its start.
	KindInstructions
)

// String returns the lower-case word for the kind.
func (k Kind) String() string {
	switch k {
	case KindTool:
		return "tool"
	case KindPrompt:
		return "prompt"
	case KindResource:
		return "resource"
	case KindInstructions:
		return "instructions"
	}
	return "invalid"
}

// A Code is the stable name of a reason or finding.
type Code string

// Reason says why a check came out as it did.
type Reason struct {
	Code Code
	Text string // one escaped sentence
}

// Finding is something about a definition that a person should know before
// they approve it. Findings never make anything more trusted.
type Finding struct {
	Code  Code
	Field string // for example "args[1]" or "inputSchema.properties.path.description"
	Text  string // one escaped sentence
	// Confirm says that a plain yes is not enough: the approval must hold the
	// typed name, see [Token.Confirm]. False: a hint.
	Confirm bool
}

// Change is one field that differs from what was approved. Old and New are
// escaped; empty means absent; a value that must not be shown reads "(hidden)".
type Change struct {
	Field    string
	Old, New string
	// Benign says that the change cannot widen anything and does not ask.
	Benign bool
}

// ServerCheck is the answer of [Registry.Check].
type ServerCheck struct {
	Status   Status
	Server   Server
	Reasons  []Reason
	Findings []Finding
	Diff     []Change
	// Token approves exactly this; empty when there is nothing to approve or
	// approval is not possible.
	Token Token
	// Prompt is the complete text for the person: the whole definition, the
	// findings, and the diff. Every character outside printable text is escaped.
	// It is empty when there is nothing to ask.
	Prompt string
	// Confirm is what the person must type, empty when a plain yes is enough.
	Confirm string
}

// Flagged reports whether approval needs a typed confirmation.
func (c ServerCheck) Flagged() bool { return c.Confirm != "" }

// ItemCheck is the answer for one tool, prompt, resource or the instructions.
// Only Status Trusted may reach the model.
type ItemCheck struct {
	Kind     Kind
	Name     string
	Status   Status
	Reasons  []Reason
	Findings []Finding
	Diff     []Change
	Token    Token  // as in [ServerCheck]
	Prompt   string // as in [ServerCheck]
	Confirm  string // as in [ServerCheck]
}

// Flagged reports whether approval needs a typed confirmation.
func (c ItemCheck) Flagged() bool { return c.Confirm != "" }

// Token stands for exactly one shown definition: the definition, the project,
// the text of the prompt and the state of the store when it was checked. It is
// authenticated with the key of this installation and holds no secret. It may
// be sent to another process of the same user.
type Token string

// Confirm returns the token with what the person typed. [Registry.Approve]
// compares it with the check's Confirm field.
func (t Token) Confirm(typed string) Token {
	body, _, _ := strings.Cut(string(t), "\n")
	return Token(body + "\n" + typed)
}

// Record is one decision in the store, as [Registry.List] returns it.
type Record struct {
	Project string // real path; empty for the user's own file
	Kind    string // "workspace", "server", "tool", "prompt", "resource" or "instructions"
	Server  string
	Name    string // of the tool or prompt; of a workspace the folder below the root, empty for the root
	Status  Status // Trusted or Revoked
	Digest  string
}

// Errors that a caller may act on, for errors.Is.
var (
	// ErrToken: the token is not one of this store, or was altered.
	ErrToken = errors.New("mcptrust: invalid token: check again and show the prompt")
	// ErrStale: the decision changed since the check.
	ErrStale = errors.New("mcptrust: the decision changed since this was shown: check again and show the prompt")
	// ErrConfirm: a typed confirmation is missing or wrong.
	ErrConfirm = errors.New("mcptrust: the findings need the typed name: use Token.Confirm")
	// ErrBlocked: policy forbids it now.
	ErrBlocked = errors.New("mcptrust: blocked by policy")
	// ErrPolicyPending: managed policy is not loaded yet. Wait and check again.
	ErrPolicyPending = errors.New("mcptrust: managed policy is still loading: check again later")
	// ErrNotFound: there is no such record.
	ErrNotFound = errors.New("mcptrust: no such record")
)

// ConfigError is a mistake in a configuration file or a policy source.
type ConfigError struct {
	File   string
	Line   int    // 1-based; 0 when the whole file is meant
	Server string // empty when the whole file is meant
	Code   Code
	Msg    string // what is wrong; never holds a value of env or headers
	Fix    string // what to do
}

// Error returns one line with file, line, server, problem and fix.
func (e *ConfigError) Error() string {
	var b strings.Builder
	b.WriteString("mcptrust: ")
	if e.File != "" {
		b.WriteString(Escape(e.File))
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
		}
		b.WriteString(": ")
	}
	if e.Server != "" {
		fmt.Fprintf(&b, "server %q: ", Escape(e.Server))
	}
	b.WriteString(e.Msg)
	if e.Fix != "" {
		b.WriteString(": " + e.Fix)
	}
	return b.String()
}

// StoreError is a store file that cannot be used. Nothing in it is trusted, and
// it is never overwritten.
type StoreError struct {
	Path string
	Code Code // STORE_CORRUPT, STORE_NEWER, STORE_UNSAFE, STORE_IO or STORE_BUSY
	Msg  string
	Fix  string
	Err  error
}

// Error returns the path, the problem and the fix.
func (e *StoreError) Error() string {
	s := "mcptrust: " + Escape(e.Path) + ": " + e.Msg
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Fix != "" {
		s += ": " + e.Fix
	}
	return s
}

// Unwrap returns the underlying error.
func (e *StoreError) Unwrap() error { return e.Err }
