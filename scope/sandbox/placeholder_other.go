//go:build !linux

package sandbox

// isPlaceholder: only bubblewrap needs placeholders.
func isPlaceholder(string) bool { return false }
