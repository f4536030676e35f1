// Package gosdk puts the trust registry into a live session of the official Go
// SDK for MCP (github.com/modelcontextprotocol/go-sdk).
//
// [Connect] is the whole of it: it checks the server before anything starts,
// starts the process (or connects) from the checked definition, and returns a
// session in which
//
//   - lists hold only what is approved; everything else is reported to
//     [Options.Withheld] and never reaches the model,
//   - a call of a tool that is not approved, was never listed, changed since, or
//     was revoked is refused and never reaches the server; after a list_changed
//     the list is fetched again before the next call,
//   - a call also passes [Options.Authorize], if given,
//   - instructions that were not approved are empty,
//   - results carry a label, see [Untrusted],
//   - elicitation and sampling work only while a call of this client runs, a few
//     times for each, with a bounded text without hidden characters,
//   - answers are bounded, and HTTP requests and their headers stay on the
//     server's own origin.
//
// A host that builds its own client takes the parts: [NewGuard],
// [Guard.ClientOptions] before mcp.NewClient, [Guard.Middleware] for
// Client.AddSendingMiddleware, [Guard.HTTPClient].
//
// # What the SDK does that a guard must know (v1.8.0)
//
//   - List results are cached above the middleware for the server's ttlMs, so
//     the guard sets it to zero.
//   - From protocol 2026-07-28 on, list_changed arrives only when a handler was
//     set before NewClient, so the guard sets one.
//   - A wrapped connection of the streamable transport loses its protocol
//     header, so the guard wraps the HTTP round trips and no connection.
//   - Typed values lose fields and digits that the server sent. The model gets
//     the typed value, so that is what is pinned (mcptrust.Tool.Raw is false). A
//     program that forwards the server's bytes must pin these itself.
//   - Multi-round-trip calls run the elicitation and sampling handlers without
//     any receiving middleware, so the guard wraps the handlers.
//
// # What it does not do
//
// What an approved tool answers is as untrusted as before. Log messages,
// progress and the server's own name and title reach the host's handlers as they
// are: show them through mcptrust.Escape. A server that behaves
// differently under an unchanged definition is not noticed. The WebSocket
// transport and headersHelper are refused with an error.
package gosdk
