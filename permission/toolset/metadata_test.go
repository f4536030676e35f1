package toolset_test

import (
	"testing"

	"github.com/clearance-go/clearance/permission/internal/vectortest"
	"github.com/stretchr/testify/assert"
)

// TestCredentialHosts: an address at which clouds give out a machine's credentials
// is reached under a rule that names it, and under no wider one.
func TestCredentialHosts(t *testing.T) {
	decide := func(tool string, input map[string]any, rules ...string) string {
		got, _ := decideVector(t, vectortest.Vector{"mode": "default", "tool": tool, "input": input, "cwd": "/home/u/proj", "rules": map[string]any{"allow": rules}})
		return got
	}
	fetch := func(host string, rules ...string) string {
		return decide("WebFetch", map[string]any{"url": "http://" + host + "/latest/meta-data/", "prompt": "x"}, rules...)
	}
	curl := func(host string, rules ...string) string {
		return decide("Bash", map[string]any{"command": "curl http://" + host + "/latest/meta-data/"}, rules...)
	}
	for _, host := range []string{
		"169.254.169.254", "169.254.170.2", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "[::ffff:169.254.169.254]", "[fe80::1]", "[fd00:ec2::254]",
		"100.100.100.200", "metadata.google.internal", "METADATA.google.internal.", "user@169.254.169.254", "169.254.169.254:80",
	} {
		assert.Equal(t, "ask", fetch(host, "WebFetch", "WebFetch(domain:*)", "WebFetch(domain:169.254.*.*)", "WebFetch(domain:*.internal)"), host)
	}
	for _, host := range []string{"169.254.169.254", "2852039166", "metadata.google.internal"} {
		assert.Equal(t, "ask", curl(host, "Bash", "Bash(curl:*)", "WebFetch(domain:*)"), host)
	}
	assert.Equal(t, "allow", fetch("169.254.169.254", "WebFetch(domain:169.254.169.254)"))
	assert.Equal(t, "allow", fetch("metadata.google.internal", "WebFetch(domain:metadata.google.internal)"))
	for _, host := range []string{"example.com", "169.253.169.254", "metadata.example.com", "100.100.100.201", "192.168.1.1"} {
		assert.Equal(t, "allow", fetch(host, "WebFetch"), host)
		assert.Equal(t, "allow", curl(host, "Bash"), host)
	}
}
