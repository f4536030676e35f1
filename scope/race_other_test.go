//go:build !linux

package scope

import "testing"

func runRaceVector(*testing.T, *vector, *Guard, string, string, string, string) (msg, skip string) {
	return "", "exchanging two names needs Linux"
}
