package mcptrust

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func manyTools(n int) []Tool {
	schema := json.RawMessage(`{"type":"object","properties":{"path":{"type":"string","description":"relative path"},"n":{"type":"integer"}},"required":["path"]}`)
	tools := make([]Tool, n)
	for i := range tools {
		tools[i] = Tool{Name: fmt.Sprintf("tool_number_%d", i), Description: strings.Repeat("Does a thing. ", 20), InputSchema: schema}
	}
	return tools
}

// knownServer returns a server with n approved tools.
func knownServer(tb testing.TB, n int) (*Registry, string, Server, []Tool) {
	tb.Helper()
	r, err := Open(Options{Dir: filepath.Join(tb.TempDir(), "trust"), Home: tb.TempDir()})
	require.NoError(tb, err)
	project, s := tb.TempDir(), Server{Name: "s", Transport: Stdio, Command: Literal("srv")}
	c, err := r.Check(tb.Context(), project, s)
	require.NoError(tb, err)
	require.NoError(tb, r.Approve(tb.Context(), c.Token))
	tools := manyTools(n)
	is, err := r.CheckTools(tb.Context(), project, s, tools)
	require.NoError(tb, err)
	var tokens []Token
	for _, i := range is {
		tokens = append(tokens, i.Token.Confirm(i.Confirm))
	}
	require.NoError(tb, r.Approve(tb.Context(), tokens...))
	return r, project, s, tools
}

// The floor is the least that a pin costs: one decoding of the same schemas by
// encoding/json, and one SHA-256 over the same bytes. Budgets: 50 tools in 1 ms,
// 1,000 tools in 20 ms.
func BenchmarkCheckKnown(b *testing.B) {
	for _, n := range []int{50, 1000} {
		r, project, s, tools := knownServer(b, n)
		b.Run(fmt.Sprintf("tools=%d/check", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				is, err := r.CheckTools(b.Context(), project, s, tools)
				if err != nil || is[0].Status != Trusted || is[n-1].Status != Trusted {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("tools=%d/floor", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for i := range tools {
					var v any
					if json.Unmarshal(tools[i].InputSchema, &v) != nil {
						b.Fatal()
					}
					h := sha256.New()
					h.Write([]byte(tools[i].Name))
					h.Write([]byte(tools[i].Description))
					h.Write(tools[i].InputSchema)
					_ = h.Sum(nil)
				}
			}
		})
		b.Run(fmt.Sprintf("tools=%d/cold", n), func(b *testing.B) {
			// With a new registry for each round: the store file is read too.
			for b.Loop() {
				fresh, err := Open(Options{Dir: r.store.dir, Home: r.home})
				if err != nil {
					b.Fatal(err)
				}
				if is, err := fresh.CheckTools(b.Context(), project, s, tools); err != nil || is[n-1].Status != Trusted {
					b.Fatal(err)
				}
			}
		})
	}
}

// What a person waits for before the first prompt: all tools are new and are
// compared with those of another server.
func BenchmarkCheckNew1000(b *testing.B) {
	r, project, _, tools := knownServer(b, 1000)
	other := Server{Name: "other", Transport: Stdio, Command: Literal("other")}
	c, err := r.Check(b.Context(), project, other)
	require.NoError(b, err)
	require.NoError(b, r.Approve(b.Context(), c.Token.Confirm(c.Confirm)))
	for b.Loop() {
		is, err := r.CheckTools(b.Context(), project, other, tools)
		if err != nil || is[0].Status != Unknown {
			b.Fatal(err)
		}
	}
}

func BenchmarkSessionAllow(b *testing.B) {
	r, project, s, tools := knownServer(b, 50)
	live, err := r.Session(b.Context(), project, s)
	require.NoError(b, err)
	_, err = live.Tools(b.Context(), live.Begin(KindTool, true), Page{true, true}, tools)
	require.NoError(b, err)
	for b.Loop() {
		if err := live.Allow(b.Context(), KindTool, "tool_number_7"); err != nil {
			b.Fatal(err)
		}
	}
}

// The allocations of a check grow with the tools and with nothing else.
func TestCheckAllocations(t *testing.T) {
	r, project, s, tools := knownServer(t, 50)
	per := testing.AllocsPerRun(20, func() {
		is, err := r.CheckTools(t.Context(), project, s, tools)
		if err != nil || is[49].Status != Trusted {
			t.Error(err)
		}
	}) / 50
	require.LessOrEqual(t, per, 40.0, "allocations for one known tool")
}
