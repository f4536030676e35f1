package bashcheck

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestKeys: behind each flag of the table a secret file is not reported, would
// be without it, and is beside it.
func TestKeys(t *testing.T) {
	rows, err := loadKeys("keys.txt", keysFile)
	require.NoError(t, err)
	sent := func(src string, flags map[string]bool) bool {
		a := New(Options{})
		a.keys = func() map[string]bool { return flags }
		return slices.Contains(codes(a.Analyze(src), Dangerous), CodeExfiltration)
	}
	all := keyFlags()
	for _, r := range rows {
		proven := map[string]bool{}
		for _, src := range r.yes {
			assert.False(t, sent(src, all), src)
			for _, f := range r.flags {
				without := maps.Clone(all)
				delete(without, f)
				proven[f] = proven[f] || sent(src, without)
			}
		}
		for _, f := range r.flags {
			assert.True(t, proven[f], "line %d: no example shows what %s is here for", r.line, f)
		}
		for _, src := range r.no {
			assert.True(t, sent(src, all), src)
		}
	}
}

// TestKeysAreStrict: a table that says something else than it seems to say is
// not loaded.
func TestKeysAreStrict(t *testing.T) {
	const good = "# x\nkeys -a --b\n  why ours\n  yes x\n  no y\n"
	_, err := loadKeys("k", good)
	require.NoError(t, err)
	for text, want := range map[string]string{
		"why x\n":                             `k:1:1: "why" before the first row: write keys FLAG…`,
		good + "keys -c\n why x\n yes y\n":    "k:6:1: keys -c needs a why, a yes and a no",
		good + "keys -c -a\n":                 `k:6:1: "-a" is not a flag, or stands here twice`,
		good + "keys c\n":                     `k:6:1: "c" is not a flag, or stands here twice`,
		good + "keys\n":                       "k:6:1: keys needs something behind it",
		good + "flags -x\n":                   `k:6:1: unknown keyword "flags": write keys, why, yes or no`,
		"keys -a\n yes x\n no y\nkeys -b\n":   "k:1:1: keys -a needs a why, a yes and a no",
		"keys -a\n  why\n  yes x\n  no y\n":   "k:2:1: why needs something behind it",
		"keys -a\n  why x\n  yes\n  no y\n":   "k:3:1: yes needs something behind it",
		"keys -a\n  why x\n  yes x\n  no  \n": "k:4:1: no needs something behind it",
	} {
		_, err := loadKeys("k", text)
		assert.EqualError(t, err, want)
	}
}
