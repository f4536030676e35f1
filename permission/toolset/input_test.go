package toolset

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzReadInput: cutting the usual input by hand finds what the decoder of the
// standard library finds, and leaves to that what it does not understand.
func FuzzReadInput(f *testing.F) {
	for _, s := range []string{
		`{}`, ` { } `, `{"command":"ls -la"}`, `{ "command" : "ls" , "timeout" : 3.5e2 , "x" : [ {"a":"}\""}, "]" ] }`,
		`{"command":"a\"b\\","y":null,"z":true}`, "{\"c\":\"\\ud800\\u0041\"}", `{"a\u0062":1,"ab":2}`,
		`{"command":"ls","command":"rm"}`, `{"command":"ls","Command":"rm"}`, `{"k":1,"K":2}`, "{\"k\":1,\"\u212a\":2}",
		`{"a":1,}`, `{"a":1}{`, `{"a":1} x`, `{"a"`, `[1]`, `null`, `"x"`, ``, "{\"a\":\"\x01\"}", "{\"a\":\"\xff\"}", `{"":{}}`,
		`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1,"m":1,"n":1,"o":1,"p":1,"q":1}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := readInput(data)
		if !utf8.Valid(data) {
			require.Error(t, err)
			return
		}
		want, wantErr := readAny(data)
		require.Equal(t, wantErr, err)
		require.Len(t, got, len(want))
		for i := range want {
			require.Equal(t, want[i].name, got[i].name)
			require.Equal(t, string(want[i].raw), string(got[i].raw))
			require.Equal(t, want[i].isText, got[i].isText)
			var s string
			if json.Unmarshal(want[i].raw, &s) == nil && string(want[i].raw) != "null" {
				require.Equal(t, s, got[i].text)
			}
		}
	})
}

// TestSplitIsUsed: the usual input is not left to the slow way, which the
// comparison above would not notice.
func TestSplitIsUsed(t *testing.T) {
	in, ok := split([]byte(`{"command":"ls -la","description":"a \"list\"","timeout":5}`))
	require.True(t, ok)
	require.Len(t, in, 3)
	for _, s := range []string{`[]`, `{"a":1,"A":2}`, `{"é":1}`} {
		_, ok := split([]byte(s))
		require.False(t, ok, s)
	}
}
