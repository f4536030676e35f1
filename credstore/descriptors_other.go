//go:build !unix

package credstore

// keepDescriptors does nothing: here a child inherits only the handles that it is given by name.
func keepDescriptors() {}
