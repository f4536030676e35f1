//go:build !unix

package settings

func sameOwner(a, b string) bool { return a == b }
