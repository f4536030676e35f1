package credstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/clearance-go/clearance/credstore/internal/format"
)

// Backup writes the present generation, sealed as it is, to a new file at path (mode 0600, durable). It opens with the same
// keys: an automatic key file is not in it, keep that or another slot's key apart. To restore, copy it over
// credentials.store and open with Options.Reanchor. Errors: fs.ErrExist, and those of Get.
func (s *Store) Backup(ctx context.Context, path string) error {
	return s.see(ctx, func(snap *snapshot) error {
		raw, err := readPrivate(s.file, format.MaxFile)
		if err != nil {
			return err
		}
		if format.Hash(raw) != snap.hash { // replaced since: only what was checked is written
			if snap, err = s.load(ctx); err != nil {
				return err
			}
			if raw, err = readPrivate(s.file, format.MaxFile); err != nil {
				return err
			}
			if format.Hash(raw) != snap.hash {
				return fmt.Errorf("credstore: %s is changing; try again", s.file)
			}
		}
		if err := createPrivate(s.options.disk, path, raw); err != nil {
			return fmt.Errorf("credstore: backup: %w", err)
		}
		return nil
	})
}

const damagedFile = dataFile + ".damaged"

// recover puts the kept previous generation in place of a missing or damaged file; why is what Open met.
func (s *Store) recover(ctx context.Context, why error) error {
	if !errors.Is(why, ErrStoreMissing) && !errors.Is(why, ErrFormat) && !errors.Is(why, ErrTampered) && !errors.Is(why, ErrWrongKey) && !errors.Is(why, ErrKDFPolicy) {
		return why
	}
	release, err := acquire(ctx, s.path(lockFile))
	if err != nil {
		return err
	}
	defer release()
	d := s.options.disk
	if _, _, err := readPrivateInfo(s.path(backupFile), format.MaxFile); err != nil {
		return fmt.Errorf("%w; nothing to recover from: %w", why, err)
	}
	err = d.Rename(s.file, s.path(damagedFile))
	damaged := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("credstore: recover: %w", err)
	}
	if err := d.Link(s.path(backupFile), s.file); err != nil {
		return fmt.Errorf("credstore: recover: copy %s over %s: %w", backupFile, dataFile, err)
	}
	s.options.Reanchor = true
	if _, err := s.loadLocked(ctx); err != nil {
		// The kept generation is no better: everything back to where it was.
		_ = d.Remove(s.file)
		if damaged {
			_ = d.Rename(s.path(damagedFile), s.file)
		}
		return fmt.Errorf("%w; the generation before does not open either: %w", why, err)
	}
	s.options.Reanchor = false
	if err := d.SyncDir(s.dir); err != nil {
		return fmt.Errorf("credstore: recover: %w", err)
	}
	s.warn("recovered from the kept previous generation, the last change is lost: " + why.Error())
	return nil
}
