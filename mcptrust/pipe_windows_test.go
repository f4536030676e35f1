package mcptrust

import "testing"

func testPipe(*testing.T, string) {}
