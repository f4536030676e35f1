package bashcheck

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestNames: every value has a name of its own, and what is no value the name
// of the strictest.
func TestNames(t *testing.T) {
	for last, c := range map[string]struct {
		of    func(uint8) fmt.Stringer
		count int
		none  string
	}{
		"privilege": {func(i uint8) fmt.Stringer { return Kind(i) }, int(Privilege) + 1, "unknown"},
		"low":       {func(i uint8) fmt.Stringer { return Risk(i) }, int(RiskLow) + 1, "high"},
		"dangerous": {func(i uint8) fmt.Stringer { return Severity(i) }, int(Dangerous) + 1, "dangerous"},
		"within":    {func(i uint8) fmt.Stringer { return Extent(i) }, int(Within) + 1, "anywhere"},
		"runner":    {func(i uint8) fmt.Stringer { return Class(i) }, int(Runner) + 1, "unknown"},
		"any":       {func(i uint8) fmt.Stringer { return Dialect(i) }, int(Any) + 1, "any"},
	} {
		seen := map[string]bool{}
		for i := range c.count {
			seen[c.of(uint8(i)).String()] = true
		}
		assert.Len(t, seen, c.count)
		assert.Equal(t, last, c.of(uint8(c.count-1)).String())
		assert.Equal(t, c.none, c.of(uint8(c.count)).String())
		assert.Equal(t, c.none, c.of(255).String())
	}
	assert.Equal(t, "high", fmt.Sprint(Report{}.Risk()))
}
