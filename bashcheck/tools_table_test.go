package bashcheck

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestTools: packages, builds, languages and databases, as they are asked about
// every day and as they are abused.
func TestTools(t *testing.T) {
	a := New(Options{Home: "/home/u"})
	for _, src := range tableLines(t, "tools-everyday.txt") {
		r := a.Analyze(src)
		assert.True(t, r.ReadOnly(), "%s: %s", src, r.Explain())
	}
	for _, src := range tableLines(t, "tools-attacks.txt") {
		r := a.Analyze(src)
		assert.False(t, r.ReadOnly(), "%s: %s", src, r.Explain())
	}
}
