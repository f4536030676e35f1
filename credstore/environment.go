package credstore

import (
	"context"
	"fmt"
	"os"
	"sync"
)

// environmentSource keeps what it read, because the variable is removed at the first reading.
type environmentSource struct {
	name string
	mu   sync.Mutex
	key  *Secret
}

func (e *environmentSource) Info(SlotInfo) SourceInfo {
	return SourceInfo{Name: "environment variable " + e.name, Kind: RawKey, Protection: EnvironmentProtection}
}

func (e *environmentSource) Unlock(context.Context, SlotInfo) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.key == nil {
		text, set := os.LookupEnv(e.name)
		if !set {
			return nil, fmt.Errorf("it is not set: %w", ErrSourceAbsent)
		}
		if text == "" {
			return nil, fmt.Errorf("credstore: environment variable %s is set but empty: %w: unset it or give it a key", e.name, ErrBadKey)
		}
		if len(text) == keySize {
			return nil, fmt.Errorf("credstore: environment variable %s: %w: want 64 hex digits or 44 base64 characters", e.name, ErrBadKey)
		}
		key, err := parseKey([]byte(text), "environment variable "+e.name)
		if err != nil {
			return nil, err
		}
		held := NewSecret(key)
		clear(key)
		e.key = &held
		if err := os.Unsetenv(e.name); err != nil {
			return nil, err
		}
	}
	return e.key.bytes(), nil
}

func (e *environmentSource) Enroll(ctx context.Context, slot SlotInfo) ([]byte, []byte, error) {
	key, err := e.Unlock(ctx, slot)
	return key, nil, err
}
