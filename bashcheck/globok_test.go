package bashcheck

import (
	"strings"
	"testing"
)

// TestGlobOK: a description that takes any word for an operand must be of a
// program without a dangerous flag, whether described or not. Its examples
// that are not read-only then differ by the shell's doing alone; one that
// shows a flag contradicts it (file -C writes, and a file may be called -C).
func TestGlobOK(t *testing.T) {
	// These read the files that a file names: less is known, nothing but reading
	// is done.
	indirect := map[string]bool{"-c": true, "--files0-from=list": true}
	seen := map[*program]bool{}
	for _, p := range everyProgram() {
		if seen[p] {
			continue
		}
		seen[p] = true
		ok := p.globOK
		for _, f := range p.forms {
			ok = ok || f.globOK
		}
		if !ok {
			continue
		}
		for _, e := range p.examples {
			reads := false
			for _, w := range strings.Fields(e.command) {
				reads = reads || indirect[w] || p.argFiles && w[0] == '@' // what may begin so is refused by itself
			}
			if !e.yes && !reads && !strings.ContainsAny(e.command, "<>;|&`$") {
				t.Errorf("%s:%d: %q is not read-only by a word of its own, yet the description says glob ok", e.file, e.line, e.command)
			}
		}
	}
}

// TestBareInterpreters: a program that runs text, given none, runs its input.
func TestBareInterpreters(t *testing.T) {
	// These do something of their own without a command: a report, and echo.
	own := map[string]bool{"time": true, "xargs": true}
	for name, p := range everyProgram() {
		if p.class == Plain || own[name] {
			continue
		}
		for _, text := range []string{name, "ls | " + name} {
			if r := Analyze(text); r.ReadOnly() {
				t.Errorf("%s:%d: %q is called read-only", p.file, p.line, text)
			}
		}
	}
}
