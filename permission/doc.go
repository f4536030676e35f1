// Package permission decides whether a tool call of a language model may run,
// and says why.
//
// A call is translated once, by an [Inspector], into what it would do: an
// [Inspection], which is plain data. [Evaluator.Decide] combines that with the
// rules of the settings, the mode of the session and what others said of the
// call (a hook, a classifier, a person) into a [Decision]. It is a pure
// function: no disk, no clock, no parser, no network. A [Gate] does the rest:
// it inspects, decides, asks a person, remembers and records, and hands out a
// [Grant], without which nothing should run:
//
//	grant, err := session.Authorize(ctx, call)   // err: tell the model err.Error()
//
// # How a decision is made
//
// Rules speak about actions, not about tools: a denied Read(./.env) stops the
// Read tool, `cat .env`, `cp .env x` and `< .env` alike. Every action of a call
// must be settled on its own, and the call gets the strictest verdict of all:
// deny before ask before allow. An action that nothing settles asks. Matching a
// deny or an ask rule has three outcomes (no, yes, may), and "may" asks.
//
// An Ask names who may settle it (a mode, a hook, a classifier, the sandbox, a
// person); several asks intersect ([Decision.Asked]):
//
//	why it asks                       bypass  hook  classifier  sandbox    person
//	unmatched, outside, a finding     yes     yes   yes         yes        yes
//	a protected path                  yes     yes   yes         no         yes
//	an ask rule, or one that may      no      no    no          bare Bash  yes
//	removal of a critical path        no      no    yes         no         yes
//	the tool demands a person         no      no    no          no         yes
//
// The formats of rules and settings are those documented for Claude Code
// (https://code.claude.com/docs/en/permissions, /settings), with these safe
// answers where the documents are silent or a rule would silently do nothing:
// a deny or ask rule that cannot be read stays in force as "may match"; inert
// deny and ask rules are honoured as meant (Write(p) as Edit(p), Bash(command:x)
// as Bash(x)); a deny rule for reading a path stops every way of writing it.
//
// # What it does not protect against
//
// A decision is about what the inspector understood. What a program does after
// it was started is bounded only by a sandbox (package scope/sandbox). Nothing
// here stops a host that runs a call without a Grant.
package permission
