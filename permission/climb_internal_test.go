package permission

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestShellWords(t *testing.T) {
	for text, want := range map[string]string{
		`a b`: "a|b", `a 'b c'd`: "a|b cd", `a "b $x"`: "a|b \x00x", `a\ b c`: "a b|c", `$'x\'y' z`: "\x00|z", "a`b`": "a\x00b\x00", `{a,b}c`: "ac|bc", `x{a,b}{c,d}`: "xac|xad|xbc|xbd",
		`{1..3}`: "1", `a{b}`: "a{b}", `'{a,b}'`: "{a,b}", `{a,{b,c}}`: "\x00", `''`: "", `a;b|c`: "a|b|c", `"unclosed`: "unclosed", `'unclosed`: "unclosed", `a\`: "a",
	} {
		assert.Equal(t, want, strings.Join(shellWords(text), "|"), text)
	}
}

func FuzzShellWords(f *testing.F) {
	for _, s := range []string{`a 'b c' "d $x" \e $'f' {g,h}`, "`a`{{{,}}}", "{,}{,}{,}{,}{,}{,}{,}{,}{,}", `"\`} {
		f.Add(s)
	}
	p := compileCommandPattern("python3 src/* lib/*")
	f.Fuzz(func(t *testing.T, s string) {
		for _, w := range shellWords(s) {
			_ = p.leadsUp(w)
		}
		// A plain climb is seen whatever stands around it.
		assert.True(t, p.climbs("python3 src/../x "+s, nil))
	})
}
