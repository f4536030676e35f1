//go:build !linux

package credstore

import (
	"errors"
	"fmt"
	"sync"
)

// keyPage holds the data key.
type keyPage struct {
	mu   sync.Mutex
	page []byte
}

func newKeyPage() *keyPage { return &keyPage{} }

// hold copies key, clears it, and returns the place.
func (p *keyPage) hold(key []byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.page == nil {
		p.page = make([]byte, keySize)
	}
	copy(p.page, key)
	clear(key)
	return p.page
}

func (p *keyPage) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.page)
	p.page = nil
}

// Harden is known on Linux only; elsewhere it fails with errors.ErrUnsupported.
func Harden() error { return fmt.Errorf("credstore: harden: %w", errors.ErrUnsupported) }
