package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/credstore"
)

// TestSetHosts: the hosts named with a value get it from another program, and
// no others; setting a new value keeps them.
func TestSetHosts(t *testing.T) {
	dir := home(t)
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = append(got, r.Header.Get("X-Key")) }))
	defer server.Close()
	must(t, "", "init")
	send := func() error {
		s, err := credstore.Open(t.Context(), filepath.Join(dir, ".config", "clearance", "secrets"), credstore.Options{ReadOnly: true})
		require.NoError(t, err)
		defer s.Close()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		require.NoError(t, err)
		req.Header.Set("X-Key", "${cred:test/key}")
		res, err := (&http.Client{Transport: s.Transport(nil)}).Do(req)
		if err == nil {
			res.Body.Close()
		}
		return err
	}
	must(t, "the-canary-value", "set", "test/key")
	require.ErrorIs(t, send(), credstore.ErrHost)
	must(t, "the-canary-value", "set", "test/key", strings.TrimPrefix(server.URL, "http://"))
	require.NoError(t, send())
	must(t, "another-canary-value", "set", "test/key")
	require.NoError(t, send())
	assert.Equal(t, []string{"the-canary-value", "another-canary-value"}, got)
	_, err := secrets(t, "x", "set")
	require.Error(t, err)
}
