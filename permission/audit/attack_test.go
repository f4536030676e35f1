package audit_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/audit"
)

// A second writer would break the chain, and the next start would refuse the log.
func TestSecondWriterIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no flock here")
	}
	path := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	first, err := audit.Open(path, nil)
	require.NoError(t, err)
	_, err = audit.Open(path, nil)
	require.ErrorIs(t, err, audit.ErrInUse)
	require.NoError(t, first.Record(context.Background(), permission.Record{Event: permission.EventMode, Text: "plan"}))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Zero(t, info.Mode().Perm()&0o077, "a log that others could read is its owner's from now on")
	require.NoError(t, first.Close())
	second, err := audit.Open(path, nil)
	require.NoError(t, err)
	require.NoError(t, second.Record(context.Background(), permission.Record{Event: permission.EventMode, Text: "default"}))
	require.NoError(t, second.Close())
}
