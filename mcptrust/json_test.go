package mcptrust

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCanonicalJSON(t *testing.T) {
	for in, want := range map[string]string{
		`{"b":1,"a":[true,false,null]}`: `{"a":[true,false,null],"b":1}`,
		`10.0`:                          `10`, `1e2`: `100`, `-0`: `0`, `-0.0`: `0`, `1E400e`: ``,
		`9007199254740993`: `9007199254740993`, `9007199254740992`: `9007199254740992`,
		`1e-7`: `1e-7`, `0.000001`: `0.000001`, `1e21`: `1e+21`, `333333333.33333329`: `333333333.3333333`, `4.50`: `4.5`, `2e-3`: `0.002`,
		// RFC 8785 section 3.2.3: order by UTF-16 code units.
		`{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}`: "{\"\\r\":2,\"1\":4,\"\u0080\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\ufb33\":3}",
		`"\u000f\n\"\\\/"`: `"\u000f\n\"\\/"`,
	} {
		got, err := canonicalJSON([]byte(in))
		if want == "" {
			assert.Error(t, err, in)
			continue
		}
		require.NoError(t, err, in)
		assert.Equal(t, want, string(got), in)
		again, err := canonicalJSON(got)
		require.NoError(t, err)
		assert.Equal(t, string(got), string(again), "idempotent")
	}
	for _, bad := range []string{``, `{`, `{"a":1,"a":2}`, `"\ud800"`, "\"\xff\"", "\"\n\"", `01`, `1.`, `[1,]`, `{"a":1,}`, `1 2`, `nul`, `1e400`,
		`{"a":1,"\u0061":2}`, "// c\n1", strings.Repeat("[", 200) + strings.Repeat("]", 200)} {
		_, err := canonicalJSON([]byte(bad))
		assert.Error(t, err, bad)
	}
}

func FuzzCanonicalJSON(f *testing.F) {
	for _, s := range []string{`{"b":1,"a":[1e2,"\u00e9"]}`, `-1.5e-9`, `"😀"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		a, err := canonicalJSON(src)
		if err != nil {
			return
		}
		b, err := canonicalJSON(a)
		require.NoError(t, err)
		require.Equal(t, string(a), string(b))
	})
}
