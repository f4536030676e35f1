// Package mcptrust remembers which MCP servers, tools, prompts, resources,
// instructions and workspaces a person approved, and says when one of them is
// new, changed, revoked or forbidden by policy. It uses the standard library
// only, starts no process and opens no connection.
//
// The way of a server: [Load] or [Parse] its definition, [Registry.Check] it,
// show the prompt and [Registry.Approve] its token, open a [Session], start it
// with [Server.Start], give every list to the session and ask [Session.Allow]
// before every call. Package mcptrust/gosdk does all of it for the official SDK.
//
// # What it guarantees
//
//   - Trust binds to content. A server is its whole definition: transport,
//     command, arguments, folder, environment, URL, headers, helper command,
//     unknown fields, and who wrote it. A tool is every byte that a model would
//     see. A changed one is not Trusted until a person approves it with the diff.
//   - No byte of a project can make anything more trusted. Fields such as
//     autoApprove have no effect and are reported, settings that approve
//     themselves are reported by [ScanSettings], and a lock file counts only when
//     the caller gives it.
//   - An approval is for exactly what was shown: the token binds the definition,
//     the prompt and the state of the store.
//   - What nobody can be asked about is Blocked: [Options.Headless].
//   - In a live session a tool that was never listed, that changed since, or
//     whose trust was withdrawn is not called.
//   - Values of environment variables and headers, and texts that look like
//     secrets, are stored only as keyed digests.
//   - The store survives parallel processes and crashes: every write takes a
//     lock, reads again, applies one operation and renames a synced file. A
//     damaged file is an error, trusts nothing and is never overwritten. Every
//     decision is in a chained history, and none that gives trust is made without.
//   - Memory is bounded by the limits from [MaxFileBytes] on. Decisions use no
//     network and no clock.
//
// # What it does not
//
//   - It cannot tell that an approved program or remote server is honest. The
//     bytes behind a command are pinned only where [Evidence] is given, and then
//     not what a script imports. Decisions belong to the path of a project: without
//     Evidence, another repository at the same path with the same definition runs
//     its own script.
//   - A process with the user's rights that can write the store can approve.
//     Keep [Registry.Paths] from the model's tools, or give a [Sealer]. Neither
//     stops who puts an older copy of the store back.
//   - Findings are a help for the prompt, not a filter: realistic poisoned
//     descriptions carry no pattern. The pin and the approval are the defence.
//   - Servers of the organisation's managed file are asked about as all others.
//   - A secret in an unusual place, such as a URL path, is stored as written.
//   - On Windows the access control list of the store is not checked.
//
// # Statuses
//
// Published test vectors use other words for the same answers:
//
//	trusted          Trusted
//	needs-approval   Unknown, Changed or Revoked, approval by a plain yes
//	flagged          Unknown, Changed or Revoked, approval needs the typed name
//	blocked          Blocked, withheld because the server is not Trusted, or
//	                 refused by a Session
//	error            an error, or Blocked because the definition is broken
package mcptrust
