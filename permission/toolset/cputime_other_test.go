//go:build !unix

package toolset

import "time"

var started = time.Now()

// processorTime is the time that has passed, where that of the processors is not told.
func processorTime() time.Duration { return time.Since(started) }
