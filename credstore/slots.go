package credstore

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/clearance-go/clearance/credstore/internal/format"
)

// about describes a slot to a source; slot may be nil where only the kind of the source is asked for.
func (s *Store) about(storeID string, slot *format.Slot) SlotInfo {
	about := SlotInfo{StoreID: storeID, StateDir: s.stateDir}
	if slot != nil {
		about.SlotID, about.Data = hex.EncodeToString(slot.ID), slot.Data
	}
	return about
}

// ownKey reports whether a source has a key of its own for each slot.
func ownKey(source KeySource) bool {
	_, ok := source.(Forgetter)
	return ok
}

func (s *Store) forgetSlot(ctx context.Context, source KeySource, about SlotInfo) {
	if f, ok := source.(Forgetter); ok {
		if err := f.Forget(context.WithoutCancel(ctx), about); err != nil {
			s.warn("the key of a slot that is gone could not be removed: " + err.Error())
		}
	}
}

// newSlot asks source for a key for a new slot. The slot does not wrap anything yet.
func (s *Store) newSlot(ctx context.Context, storeID string, source KeySource) (*format.Slot, []byte, error) {
	if source == nil {
		return nil, nil, fmt.Errorf("credstore: %w: no source", ErrBadKey)
	}
	info := source.Info(s.about(storeID, nil))
	typ, ok := slotType(info.Kind)
	if !ok {
		return nil, nil, fmt.Errorf("credstore: %s: %w: unknown kind", info.Name, ErrBadKey)
	}
	if info.Protection < s.options.RequireProtection {
		return nil, nil, fmt.Errorf("credstore: %s gives %s: %w %s", info.Name, info.Protection, ErrProtection, s.options.RequireProtection)
	}
	slot := s.policy.NewSlot(info.Kind == PassphraseKey, typ)
	key, data, err := source.Enroll(ctx, s.about(storeID, slot))
	if err != nil {
		return nil, nil, err
	}
	if len(data) > format.MaxSlotData {
		clear(key)
		return nil, nil, fmt.Errorf("credstore: %s: %w: slot data over %d bytes", info.Name, ErrTooLarge, format.MaxSlotData)
	}
	slot.Data = data
	return slot, key, nil
}

func (s *Store) wrap(ctx context.Context, h *format.Header, slot *format.Slot, source KeySource, key, dek []byte) error {
	info := source.Info(s.about(hex.EncodeToString(h.ID), slot))
	if err := s.slow(ctx, info.Kind, func() error { return s.policy.Wrap(h, slot, key, dek) }); err != nil {
		return keyError(info, err)
	}
	return nil
}

func slotStatus(slot *format.Slot) SlotStatus {
	return SlotStatus{ID: hex.EncodeToString(slot.ID), Type: slot.Type, Label: slot.Label}
}

// AddSlot adds a way to open the store: a recovery passphrase, a second machine's key. Values are not encrypted anew. label
// is for people and stands in the clear; at most 64 printable ASCII characters. To change a passphrase, add the new one and
// remove the old. Errors: ErrTooLarge for the ninth slot or a bad label, ErrProtection, those of the source and of Update.
func (s *Store) AddSlot(ctx context.Context, source KeySource, label string) (SlotStatus, error) {
	if len(label) > 64 || bytes.ContainsFunc([]byte(label), func(r rune) bool { return r < ' ' || r > '~' }) {
		return SlotStatus{}, fmt.Errorf("credstore: label: %w: at most 64 printable ASCII characters", ErrTooLarge)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return SlotStatus{}, ErrClosed
	}
	storeID := hex.EncodeToString(s.header.ID)
	slot, key, err := s.newSlot(ctx, storeID, source) // before the lock: it may ask a person
	if err != nil {
		return SlotStatus{}, err
	}
	defer clear(key)
	slot.Label = label
	saved := false
	release, err := s.begin(ctx)
	if err == nil {
		defer release()
		saved, err = s.update(ctx, func(tx *Tx) error {
			if len(tx.header.Slots) >= format.MaxSlots {
				return fmt.Errorf("credstore: %w: a store has at most %d slots", ErrTooLarge, format.MaxSlots)
			}
			if err := s.wrap(ctx, &tx.header, slot, source, key, tx.dek); err != nil {
				return err
			}
			tx.header.Slots = append(tx.header.Slots, *slot)
			tx.record("slot-add", "", nil)
			return nil
		})
	}
	if !saved {
		s.forgetSlot(ctx, source, s.about(storeID, slot))
		return SlotStatus{}, err
	}
	return slotStatus(slot), err
}

// RemoveSlot removes a way to open the store. Errors: ErrNotFound, ErrLastSlot, and those of Update. Who has the removed key
// and an older copy of the file can still open that copy, and the data key in it: call Rotate after a key has leaked.
func (s *Store) RemoveSlot(ctx context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	release, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer release()
	var gone format.Slot
	storeID := ""
	saved, err := s.update(ctx, func(tx *Tx) error {
		storeID = hex.EncodeToString(tx.header.ID)
		i := slices.IndexFunc(tx.header.Slots, func(slot format.Slot) bool { return hex.EncodeToString(slot.ID) == id })
		if i < 0 {
			return fmt.Errorf("credstore: slot %+q: %w", id, ErrNotFound)
		}
		if len(tx.header.Slots) == 1 {
			return fmt.Errorf("credstore: slot %s: %w: add another way to open the store first", id, ErrLastSlot)
		}
		gone = tx.header.Slots[i]
		tx.header.Slots = slices.Delete(tx.header.Slots, i, i+1)
		tx.record("slot-remove", "", nil)
		return nil
	})
	if saved && err == nil {
		s.forgetType(ctx, storeID, &gone)
	}
	return err
}

func (s *Store) forgetType(ctx context.Context, storeID string, slot *format.Slot) {
	for _, source := range s.options.Keys {
		if typ, _ := slotType(source.Info(s.about(storeID, nil)).Kind); typ == slot.Type {
			s.forgetSlot(ctx, source, s.about(storeID, slot))
		}
	}
}

// RotateOptions configure Rotate.
type RotateOptions struct {
	// RemoveLocked removes the slots that no key source opens. Without it Rotate refuses when there are any.
	RemoveLocked bool
}

// Rotate encrypts everything under a new data key, in one save. Each slot is made anew: a source that makes its own keys
// (Forgetter) makes a new one, any other wraps the new data key under its key with a fresh salt and today's derivation cost.
// That needs the keys of all slots; see RotateOptions. The kept previous generation is replaced as well, so nothing in the
// directory opens under the old keys any more. Other processes notice and unlock anew. Errors: ErrSlotLocked, ErrKeyChanged
// when another process changed the slots meanwhile, those of the sources and of Update.
//
// Copies of the file from before stay readable for who has an old key: change the credentials where they were issued.
func (s *Store) Rotate(ctx context.Context, options RotateOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.lockIfIdle()
	before, err := s.load(ctx)
	if err != nil {
		return err
	}
	if s.options.ReadOnly {
		_, err := s.begin(ctx)
		return err
	}
	storeID := hex.EncodeToString(before.header.ID)
	type renewed struct {
		old    format.Slot
		slot   *format.Slot
		source KeySource
		key    []byte
		made   bool
	}
	var ways []renewed
	saved := false
	defer func() { // no key stays behind, neither in memory nor for a slot that came to nothing
		for _, w := range ways {
			clear(w.key)
			if w.made && !saved {
				s.forgetSlot(ctx, w.source, s.about(storeID, w.slot))
			}
		}
	}()
	for i := range before.header.Slots {
		old := before.header.Slots[i]
		source, key, err := s.opener(ctx, before.header, &old)
		if err != nil {
			return err
		}
		if source == nil {
			if !options.RemoveLocked {
				return fmt.Errorf("credstore: slot %x (%s %s): %w: offer its key, or set RotateOptions.RemoveLocked", old.ID, old.Type, old.Label, ErrSlotLocked)
			}
			continue
		}
		w := renewed{old: old, source: source, key: key}
		if ownKey(source) {
			clear(key)
			w.slot, w.key, err = s.newSlot(ctx, storeID, source)
			w.made = err == nil
		} else {
			w.slot = s.policy.NewSlot(old.Type == format.Argon2id || old.Type == format.PBKDF2, old.Type)
			w.slot.ID, w.slot.Data = old.ID, old.Data
		}
		if err != nil {
			return err
		}
		w.slot.Label = old.Label
		ways = append(ways, w)
	}
	if len(ways) == 0 {
		return fmt.Errorf("credstore: %w", ErrNoKey)
	}
	release, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer release()
	saved, err = s.update(ctx, func(tx *Tx) error {
		if !slices.EqualFunc(tx.header.Slots, before.header.Slots, func(a, b format.Slot) bool { return bytes.Equal(a.Wrap, b.Wrap) }) {
			return fmt.Errorf("credstore: %w: another process changed the slots; try again", ErrKeyChanged)
		}
		old := tx.dek
		tx.dek = tx.header.NewKey()
		tx.header.Slots = nil
		for _, w := range ways {
			if err := s.wrap(ctx, &tx.header, w.slot, w.source, w.key, tx.dek); err != nil {
				return err
			}
			tx.header.Slots = append(tx.header.Slots, *w.slot)
		}
		for name, e := range tx.body.Entries {
			fresh, err := format.Reseal(old, tx.dek, name, e)
			if err != nil {
				return fmt.Errorf("credstore: %q: %w", name, err)
			}
			tx.body.Entries[name] = fresh
		}
		tx.record("rotate", "", nil)
		return nil
	})
	if !saved {
		return err
	}
	s.source, s.slot = ways[0].source.Info(s.about(storeID, ways[0].slot)), hex.EncodeToString(ways[0].slot.ID)
	if err != nil {
		return err
	}
	if err := s.keepBackup(); err != nil {
		s.warn("the generation before the rotation is still kept in " + backupFile + ": " + err.Error())
	} else if err := s.options.disk.SyncDir(s.dir); err != nil {
		s.warn(err.Error())
	}
	for _, w := range ways {
		if w.made {
			s.forgetSlot(ctx, w.source, s.about(storeID, &w.old))
		}
	}
	return nil
}

// opener finds the source that opens a slot, and its key. A nil source means that none does.
func (s *Store) opener(ctx context.Context, h *format.Header, slot *format.Slot) (KeySource, []byte, error) {
	about := s.about(hex.EncodeToString(h.ID), slot)
	for _, source := range s.options.Keys {
		info := source.Info(about)
		typ, _ := slotType(info.Kind)
		if slot.Type != typ && !(typ == format.Argon2id && slot.Type == format.PBKDF2) {
			continue
		}
		key, err := source.Unlock(ctx, about)
		if errors.Is(err, ErrSourceAbsent) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		err = s.slow(ctx, info.Kind, func() error {
			dek, err := s.policy.Unwrap(h, slot, key)
			clear(dek)
			return err
		})
		if err == nil {
			return source, key, nil
		}
		clear(key)
		if !errors.Is(err, format.ErrWrongKey) {
			return nil, nil, keyError(info, err)
		}
	}
	return nil, nil, nil
}
