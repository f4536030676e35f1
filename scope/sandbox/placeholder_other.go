//go:build !linux

package sandbox

import "io/fs"

// Only bubblewrap needs placeholders.
func isPlaceholder(string) bool          { return false }
func isPlaceholderInfo(fs.FileInfo) bool { return false }

type lockedRoot struct{}
