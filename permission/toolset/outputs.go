package toolset

import (
	"strings"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope"
)

// outputFlags name, in nearly every program, a file that is written.
var outputFlags = map[string]bool{
	"-o": true, "--output": true, "--out": true, "--outfile": true, "--out-file": true, "--output-file": true, "--outdir": true, "--out-dir": true, "--output-dir": true,
	"--output-directory": true, "--log-file": true, "--logfile": true, "--save": true, "--report-file": true,
}

// outputOf is the file that word i of a command that is not understood names
// for its output, or "".
func (b *builder) outputOf(c *bashcheck.Command, i int) string {
	t := c.Argv[i].Text
	if name, value, ok := strings.Cut(t, "="); ok && outputFlags[name] {
		return value
	}
	if i > 1 && outputFlags[c.Argv[i-1].Text] && c.Argv[i-1].Static && !strings.HasPrefix(t, "-") {
		return t
	}
	if strings.HasPrefix(t, "-o") && len(t) > 2 {
		return t[2:]
	}
	return ""
}

// outputs adds what a command that is not understood may write, as far as that
// is protected: a rule for the command covers the command and no more. The
// words of a sed script are looked at one by one, for its w command.
func (b *builder) outputs(c *bashcheck.Command, of int, out string, w bashcheck.Word) {
	names := []string{out}
	if out == "" {
		if !strings.ContainsAny(w.Text, " \t\n;") {
			return
		}
		names = strings.FieldsFunc(w.Text, func(r rune) bool { return strings.ContainsRune(" \t\n;{}", r) })
	}
	for i, n := range names {
		if n == "" || len(n) > 4096 || i > 64 || strings.ContainsRune(n, 0) {
			continue
		}
		for _, d := range b.places(c.Dir) {
			p := b.resolve(d, n, scope.Write)
			if p.Class != permission.Protected && p.Class != permission.Forbidden && p.Class != permission.Sensitive {
				continue
			}
			p.Extent = permission.Exact
			b.add(permission.Action{Kind: permission.Write, Of: of, Origin: permission.Operand, Path: p, Span: span(w.Span)})
		}
	}
}
