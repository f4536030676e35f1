package permission_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	. "github.com/clearance-go/clearance/permission"
	"github.com/stretchr/testify/require"
)

// manyRules are n rules of the kinds that people have: a fifth each of deny
// and allow rules for paths, of allow rules for commands with one program and
// with many, and of hosts and MCP tools.
func manyRules(n int) string {
	var deny, allow []string
	for i := range n {
		switch i % 5 {
		case 0:
			deny = append(deny, fmt.Sprintf("Read(secrets/deep/file%d.key)", i))
		case 1:
			allow = append(allow, fmt.Sprintf("Edit(/src/pkg%d/**)", i))
		case 2:
			allow = append(allow, fmt.Sprintf("Bash(npm run script%d *)", i))
		case 3:
			allow = append(allow, fmt.Sprintf("Bash(tool%d --flag)", i))
		case 4:
			allow = append(allow, fmt.Sprintf("WebFetch(domain:host%d.example.com)", i), fmt.Sprintf("mcp__server%d__*", i))
		}
	}
	b, err := json.Marshal(map[string]any{"permissions": map[string]any{"deny": deny, "allow": allow}})
	if err != nil {
		panic(err)
	}
	return string(b)
}

type benchCase struct {
	name string
	call Call
	ins  Inspection
}

func benchCases() []benchCase {
	edit := file(Write, proj+"/src/pkg1/a.go", Inside, Ordinary)
	npm := command("npm run script2 --x")
	return []benchCase{
		{"file tool", Call{Tool: "Read", Dir: proj}, Inspection{Family: "Read", Actions: []Action{file(Read, proj+"/src/pkg1/a.go", Inside, Ordinary)}}},
		{"edit by rule", Call{Tool: "Edit", Dir: proj}, Inspection{Family: "Edit", Actions: []Action{edit}}},
		{"command by rule", Call{Tool: "Bash", Dir: proj}, shell(npm)},
		{"MCP by rule", Call{Tool: "mcp__server4__x", Dir: proj}, Inspection{Family: "mcp", Actions: []Action{{Kind: Use, Origin: Tool, Name: "mcp__server4__x"}}}},
	}
}

// BenchmarkDecide decides with growing policies. Beside it stand the floors: a
// look-up in a map, and a scan over the same texts that compares their starts.
func BenchmarkDecide(b *testing.B) {
	st := State{Dir: proj}
	for _, n := range []int{10, 100, 1000, 10_000} {
		e := newEvaluator(b, manyRules(n))
		for _, c := range benchCases() {
			b.Run(fmt.Sprintf("%s/%d", strings.ReplaceAll(c.name, " ", "-"), n), func(b *testing.B) {
				b.ReportAllocs()
				if v := e.Decide(st, c.call, c.ins).Verdict; v != Allow {
					b.Fatal(v)
				}
				for b.Loop() {
					e.Decide(st, c.call, c.ins)
				}
			})
		}
		var texts []string
		index := map[string]bool{}
		for _, r := range e.Policy().Rules() {
			texts = append(texts, r.Text)
			index[r.Text] = true
		}
		b.Run(fmt.Sprintf("floor-map/%d", n), func(b *testing.B) {
			for b.Loop() {
				if !index["Bash(npm run script2 *)"] {
					b.Fatal()
				}
			}
		})
		b.Run(fmt.Sprintf("floor-scan/%d", n), func(b *testing.B) {
			hits := 0
			for b.Loop() {
				for _, t := range texts {
					if strings.HasPrefix("Bash(npm run nothing", t[:len(t)-1]) {
						hits++
					}
				}
			}
			_ = hits
		})
	}
}

// BenchmarkParsePolicy reads settings.
func BenchmarkParsePolicy(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		data := []byte(manyRules(n))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = ParsePolicy("/home/u", Source{Layer: LayerProject, Name: "s", Base: proj, Data: data})
			}
		})
	}
}

// TestDecideAllocations: a decision about a file allocates its reasons and
// nothing more, however many rules there are.
func TestDecideAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("not in short: a build for the race detector allocates what others keep on the stack")
	}
	st := State{Dir: proj}
	for _, n := range []int{10, 10_000} {
		e := newEvaluator(t, manyRules(n))
		for _, c := range benchCases() {
			got := testing.AllocsPerRun(100, func() { e.Decide(st, c.call, c.ins) })
			require.LessOrEqual(t, got, 1.0, "%s with %d rules", c.name, n)
		}
	}
}
