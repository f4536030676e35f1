//go:build darwin

package sandbox

// mount is one mount of the helper. There are none here.
type mount struct{}

func (*mount) code(*coder) {}
