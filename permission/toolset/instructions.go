package toolset

import (
	"strings"
	"sync"
)

// instructions are the files that coding agents read at the start of a session
// and follow, by the documents of each; the folders among them stand with the
// protected paths of package scope. One that an attacker may write, through a
// session that a page or an issue talked into it, speaks to every later session
// with the user's voice: it needs no exploit (Pillar Security's "Rules File
// Backdoor", 2025: instructions hidden in the rules of Cursor and Copilot).
var instructions = []struct {
	name, why string
}{
	{"claude.md", "Claude Code"}, {"claude.local.md", "Claude Code"},
	{"agents.md", "the common file of agents: https://agents.md"}, {"agents.override.md", "Codex"}, {"agent.md", "Amp"},
	{"gemini.md", "Gemini CLI"}, {"qwen.md", "Qwen Code"}, {"crush.md", "Crush"}, {"warp.md", "Warp"}, {"replit.md", "Replit Agent"},
	{".cursorrules", "Cursor"}, {".windsurfrules", "Windsurf"}, {".goosehints", "Goose"}, {".rules", "Zed"}, {".augment-guidelines", "Augment"},
	{".github/copilot-instructions.md", "GitHub Copilot"}, {".junie/guidelines.md", "Junie"},
}

// instructionsBy are the names of instructions by their last byte, in upper and
// in lower case: most paths end otherwise.
var instructionsBy = sync.OnceValue(func() *[256][]string {
	var out [256][]string
	for i := range instructions {
		n := instructions[i].name
		last := n[len(n)-1]
		out[last] = append(out[last], n)
		if upper := last &^ 0x20; upper != last && 'a' <= last && last <= 'z' {
			out[upper] = append(out[upper], n)
		}
	}
	return &out
})

// steers says that agents take a file for instructions. Upper and lower case
// play no part. For Copilot that is also every *.instructions.md below
// .github/instructions, for Amazon Q and Trae what lies in their folder of rules.
func steers(p string) bool {
	if p == "" {
		return false
	}
	at := strings.LastIndexByte(p, '/') + 1
	base := p[at:]
	for _, n := range instructionsBy()[p[len(p)-1]] {
		k := len(p) - len(n)
		if k >= 0 && (k == 0 || p[k-1] == '/') && strings.EqualFold(p[k:], n) {
			return true
		}
	}
	if !strings.Contains(p[:at], "/.") {
		return false
	}
	if n := len(".instructions.md"); len(base) > n && strings.EqualFold(base[len(base)-n:], ".instructions.md") {
		return containsFold(p[:at], "/.github/instructions/")
	}
	return containsFold(p[:at], "/.amazonq/rules/") || containsFold(p[:at], "/.trae/rules/")
}

func containsFold(s, part string) bool {
	for i := 0; i+len(part) <= len(s); i++ {
		if s[i] == part[0] && strings.EqualFold(s[i:i+len(part)], part) {
			return true
		}
	}
	return false
}
