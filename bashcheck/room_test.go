package bashcheck

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
)

// TestRoomSizes: the room of a short report fills a size that the runtime
// allocates. One field more would cost a fifth of it in every report.
func TestRoomSizes(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the sizes are those of 64 bits")
	}
	const header = 8 // of what holds pointers and is larger than 512 bytes
	assert.LessOrEqual(t, unsafe.Sizeof(oneCall{}), uintptr(480))
	assert.LessOrEqual(t, unsafe.Sizeof(fewCalls{})+header, uintptr(1152))
}
