//go:build goexperiment.runtimesecret

package credstore

import "runtime/secret"

// wiped runs f so that the runtime clears its registers, stack and new heap objects afterwards.
func wiped(f func() error) (err error) {
	secret.Do(func() { err = f() })
	return err
}
