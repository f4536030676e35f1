//go:build goexperiment.jsonv2

package mcptrust

import (
	"encoding/json/jsontext"
	"errors"
	"math"
	"strconv"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// plainNumbers reports a value whose numbers RFC 8785 and this package write
// alike: no integer beyond 2^53, where this package keeps the text.
func plainNumbers(n *node) bool {
	if n.kind == kindNumber {
		f, err := strconv.ParseFloat(n.text, 64)
		return err == nil && math.Abs(f) < 1<<53
	}
	for i := range n.list {
		if !plainNumbers(&n.list[i]) {
			return false
		}
	}
	for i := range n.obj {
		if !plainNumbers(&n.obj[i].val) {
			return false
		}
	}
	return true
}

func agree(t *testing.T, src []byte) {
	t.Helper()
	ours, err := canonicalJSON(src)
	theirs := jsontext.Value(append([]byte(nil), src...))
	verr := theirs.Canonicalize()
	if err != nil {
		// What only this package refuses: too deep, and numbers out of range.
		if verr == nil && utf8.Valid(src) {
			var syn *syntaxError
			var dup *duplicateError
			require.False(t, errors.As(err, &dup), "%s", src)
			if errors.As(err, &syn) {
				require.Contains(t, syn.msg, "deeper", "%s", src)
			}
		}
		return
	}
	require.NoError(t, verr, "%s", src)
	n, err := parseJSON(src, false)
	require.NoError(t, err)
	if plainNumbers(&n) {
		require.Equal(t, string(theirs), string(ours))
	}
}

// The canonical form is that of encoding/json/jsontext, which nobody here wrote.
// Run with GOEXPERIMENT=jsonv2.
func FuzzCanonicalAgainstJSONText(f *testing.F) {
	for _, s := range []string{`{"b":1,"a":[1e2,"\u00e9",true,null]}`, `-1.5e-9`, `"😀\ud83d\ude00"`, `{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}`,
		`[1E21,1e-7,0.000001,-0,-0.0,333333333.33333329,4.50,2e-3,1e400,9007199254740993]`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `"\ud800"`, "\"\xff\"",
		`"\u000f\n\"\\\/\u2028\u007f"`, ` [ ] `, `{"":{}}`, `5e-324`, `1.7976931348623157e308`, `0.1e-5`, `123456789012345680000`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) { agree(t, src) })
}
