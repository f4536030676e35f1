package toolset

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck"
)

// TestSourceRows: each row has a reason, and its examples are told apart.
func TestSourceRows(t *testing.T) {
	an := bashcheck.New(bashcheck.Options{Home: "/home/u"})
	for _, s := range sources {
		require.NotEmpty(t, s.why)
		require.NotZero(t, s.brings)
		yes, no := an.Analyze(s.yes), an.Analyze(s.no)
		require.NotEmpty(t, yes.Commands, s.yes)
		assert.Equal(t, s.brings, brought(&yes.Commands[0], program(&yes.Commands[0]))&s.brings, s.yes)
		for i := range no.Commands {
			assert.Zero(t, brought(&no.Commands[i], program(&no.Commands[i]))&s.brings, s.no)
		}
	}
}
