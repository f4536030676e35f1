package audit

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
)

// TestWhatWaitsForTheDisk: only what nothing runs after may reach the disk with
// a later record. Whatever is not known to be so is brought there at once.
func TestWhatWaitsForTheDisk(t *testing.T) {
	decided := func(v permission.Verdict) permission.Record {
		return permission.Record{Event: permission.EventDecision, Decision: permission.Decision{Verdict: v}}
	}
	for _, r := range []permission.Record{
		decided(permission.Allow), {Event: permission.EventMode}, {Event: permission.EventSettings}, {Event: permission.EventTrust}, {}, {Event: "new"},
	} {
		require.False(t, last(r), "%+v", r)
	}
	for _, r := range []permission.Record{decided(permission.Deny), decided(permission.Ask), {Event: permission.EventOutcome}} {
		require.True(t, last(r), "%+v", r)
	}
	// These are in the file when Record returns, as all others are, so that the
	// end of the process loses none.
	name := filepath.Join(t.TempDir(), "log")
	l, err := Open(name, nil)
	require.NoError(t, err)
	require.NoError(t, l.Record(context.Background(), permission.Record{Event: permission.EventOutcome, Text: "done"}))
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	var ln line
	require.NoError(t, json.Unmarshal(b, &ln))
	require.Equal(t, "done", ln.Record.Text)
	require.NoError(t, l.Close())
	require.Error(t, l.Record(context.Background(), permission.Record{Event: permission.EventOutcome}))
}
