package permission

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clearance-go/clearance/permission/internal/vectortest"
	"github.com/stretchr/testify/assert"
)

// ignored evaluates a whole ignore file for the paths vectors: the last match
// wins, and nothing below an ignored directory is looked at again.
func ignored(text, rel string, dir, fold bool) bool {
	var list []pathPattern
	for _, line := range strings.Split(text, "\n") {
		if fold {
			line = foldPattern(line)
		}
		p, err := compilePathPattern(line, true)
		if err == nil {
			list = append(list, p)
		}
	}
	if fold {
		rel = strings.ToLower(rel)
	}
	one := func(rel string, dir bool) bool {
		for i := len(list) - 1; i >= 0; i-- {
			if list[i].matchExact(rel, dir) {
				return !list[i].negated
			}
		}
		return false
	}
	for i := range rel {
		if rel[i] == '/' && one(rel[:i], true) {
			return true
		}
	}
	return one(rel, dir)
}

// foldPattern lower-cases a pattern for an ignorecase run; the class [:upper:]
// then has to mean [:lower:].
func foldPattern(line string) string {
	return strings.ReplaceAll(strings.ToLower(line), "[:upper:]", "[:lower:]")
}

func TestVectors(t *testing.T) {
	vectortest.Run(t, "paths.jsonl", func(t testing.TB, v vectortest.Vector) vectortest.Result {
		path := strings.TrimSuffix(v.String("path"), "/")
		if base := v.String("base"); base != "" {
			below, ok := strings.CutPrefix(path, base+"/")
			if !ok {
				return vectortest.Result{OK: !v.Bool("expect"), Detail: "outside the base"}
			}
			path = below
		}
		got := ignored(v.String("pattern"), path, v.String("kind") == "dir", v.Bool("ignorecase"))
		return vectortest.Result{OK: got == v.Bool("expect"), Detail: fmt.Sprintf("%q against %q: got %v", v.String("pattern"), path, got)}
	})
}

func TestPathPatternIsLinear(t *testing.T) {
	p, err := compilePathPattern(strings.Repeat("a*", 200)+"b", true)
	assert.NoError(t, err)
	assert.False(t, p.match(strings.Repeat("a", 4000), false))
	p, err = compilePathPattern(strings.Repeat("**/a/", 60)+"b", true)
	assert.NoError(t, err)
	assert.False(t, p.match(strings.Repeat("a/", 2000)+"c", false))
}

func TestPathPatternRefuses(t *testing.T) {
	for _, s := range []string{"", "#x", "/", "[abc", `a\`, "a//b", "../x", "a/./b", "[[:foo:]]x", "[[:alpha", "[[:", `[a-\`, "[", "[]", "[!]", strings.Repeat("a", 5000), strings.Repeat("**/a/", 65)} {
		_, err := compilePathPattern(s, false)
		assert.Error(t, err, "%q", s)
	}
}

// TestUnknownHost: no pattern for hosts matches a host that is not known, and none
// takes a name for an address.
func TestUnknownHost(t *testing.T) {
	for _, text := range []string{"*", "*.a.org", "a.org", "a*", "*.*", "127.0.0.1", "[::1]"} {
		p, err := compileHostPattern(text)
		if err != nil {
			continue
		}
		assert.False(t, p.matches(""), text)
	}
	local, err := compileHostPattern("127.0.0.1")
	assert.NoError(t, err)
	for host, want := range map[string]bool{"127.1": true, "0x7f.1": true, "2130706433": true, "017700000001": true, "127.0.0.1": true, "::ffff:127.0.0.1": true,
		"127.0.0.1.a.org": false, "a127.1": false, ":127.1": false, "127.0.0.256": false, "127.0.0.1.1": false, "1_27.1": false, "128.1": false} {
		assert.Equal(t, want, local.matches(host), host)
	}
}

func FuzzPathPattern(f *testing.F) {
	f.Add("a/**/b", "a/x/b")
	f.Add("[!a-c]*", "d")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		p, err := compilePathPattern(pattern, true)
		got := p.match(path, false)
		if err != nil && got {
			t.Errorf("%q is an error and matches %q", pattern, path)
		}
		narrow, err := compilePathPattern(pattern, false)
		if err == nil && narrow.match(path, false) && !got {
			t.Errorf("the wide form of %q misses %q", pattern, path)
		}
	})
}
