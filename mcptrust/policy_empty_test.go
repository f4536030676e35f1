package mcptrust

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEmptyManagedPolicy: a managed file that was cut to nothing is no reason
// to do without a policy.
func TestEmptyManagedPolicy(t *testing.T) {
	_, err := LoadPolicy([]PolicySource{{File: "managed.json", Managed: true}})
	require.NoError(t, err, "there is no such file")
	p, err := LoadPolicy([]PolicySource{{File: "managed.json", Managed: true, Data: []byte{}}})
	require.Error(t, err)
	var broken *ConfigError
	require.ErrorAs(t, err, &broken)
	require.NotNil(t, p.denyBroken, "it blocks every server")
}
