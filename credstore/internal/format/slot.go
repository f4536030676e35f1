package format

import "fmt"

// KDFPolicy bounds what a header may ask for. Floors follow the OWASP password storage cheat sheet (argon2id 19 MiB, two
// passes; PBKDF2-SHA256 600,000), ceilings keep a hostile header from using up the machine.
type KDFPolicy struct {
	MinM, MaxM, MinT, MaxT uint32
	MaxP                   uint8
	MinIter, MaxIter       int
	New                    Slot // parameters of a new argon2id slot
	NewIter                int
}

// DefaultPolicy makes slots by RFC 9106 §4, second recommended option: 64 MiB, three passes, four lanes.
func DefaultPolicy() KDFPolicy {
	return KDFPolicy{MinM: 19 << 10, MaxM: 1 << 20, MinT: 2, MaxT: 16, MaxP: 16, MinIter: 600_000, MaxIter: 10_000_000,
		New: Slot{M: 64 << 10, T: 3, P: 4}, NewIter: 600_000}
}

// FastPolicy is DefaultPolicy with no floor and parameters that cost nothing, for tests.
func FastPolicy() KDFPolicy {
	p := DefaultPolicy()
	p.MinM, p.MinT, p.MinIter, p.New, p.NewIter = 8, 1, 1, Slot{M: 64, T: 1, P: 1}, 10
	return p
}

// Check refuses parameters outside the limits; nothing is derived.
func (p KDFPolicy) Check(s *Slot) error {
	switch s.Type {
	case Argon2id:
		if s.M < p.MinM || s.M > p.MaxM || s.T < p.MinT || s.T > p.MaxT || s.P < 1 || s.P > p.MaxP {
			return fmt.Errorf("%w: argon2id m=%d KiB t=%d p=%d", ErrKDFPolicy, s.M, s.T, s.P)
		}
	case PBKDF2:
		if s.Iter < p.MinIter || s.Iter > p.MaxIter {
			return fmt.Errorf("%w: pbkdf2 with %d iterations", ErrKDFPolicy, s.Iter)
		}
	}
	return nil
}

// CheckAll checks every slot of a header.
func (p KDFPolicy) CheckAll(h *Header) error {
	for i := range h.Slots {
		if err := p.Check(&h.Slots[i]); err != nil {
			return err
		}
	}
	return nil
}

// NewSlot returns an empty slot for a source's key. For a passphrase it is argon2id, PBKDF2 under FIPS.
func (p KDFPolicy) NewSlot(passphrase bool, typ string) *Slot {
	s := &Slot{Type: typ, ID: Random(8), Salt: Random(32)}
	if passphrase && fipsMode() {
		s.Type, s.Iter = PBKDF2, p.NewIter
	} else if passphrase {
		s.Type, s.M, s.T, s.P = Argon2id, p.New.M, p.New.T, p.New.P
	}
	return s
}

// kek derives the key that wraps the data key.
func (p KDFPolicy) kek(s *Slot, key []byte) ([]byte, error) {
	if err := p.Check(s); err != nil {
		return nil, err
	}
	switch s.Type {
	case Argon2id:
		return argon2id(key, s.Salt, s.T, s.M, s.P), nil
	case PBKDF2:
		return pbkdf2SHA256(key, s.Salt, s.Iter)
	}
	if len(key) != KeySize {
		return nil, ErrWrongKey
	}
	return derive(key, s.Salt, "slot v1"), nil
}

func slotAdditional(h *Header, s *Slot) []byte {
	return append(append(append([]byte("wrap v1\x00"), h.ID...), s.ID...), s.Type...)
}

// Wrap puts dek into the slot under the source's key.
func (p KDFPolicy) Wrap(h *Header, s *Slot, key, dek []byte) error {
	kek, err := p.kek(s, key)
	if err != nil {
		return err
	}
	s.Wrap, err = seal(kek, dek, slotAdditional(h, s))
	return err
}

// Unwrap returns the data key, or ErrWrongKey. The same error stands for a damaged slot: nothing can tell them apart.
func (p KDFPolicy) Unwrap(h *Header, s *Slot, key []byte) ([]byte, error) {
	kek, err := p.kek(s, key)
	if err != nil {
		return nil, err
	}
	dek, ok := open(kek, s.Wrap, slotAdditional(h, s))
	if !ok {
		return nil, ErrWrongKey
	}
	return dek, nil
}
