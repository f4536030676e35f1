package credstore

import "time"

// idleState is what locking needs; Store.mu guards it.
type idleState struct {
	timer   *time.Timer
	elapsed time.Duration // of the last use, on the monotonic clock
	wall    time.Time     // of the last use
	last    *snapshot     // the one that Lock let go of; its keys are cleared
}

func (i *idleState) stop() {
	if i.timer != nil {
		i.timer.Stop()
		i.timer = nil
	}
}

// used notes a use of the store and sees to it that idleness is noticed.
func (s *Store) used() {
	if s.options.LockAfter <= 0 || s.closed {
		return
	}
	s.idle.elapsed, s.idle.wall = s.options.elapsed(), s.options.Now()
	if s.idle.timer == nil {
		s.idle.timer = time.AfterFunc(s.options.LockAfter, s.whenIdle)
	}
}

// unused is how long the store was not used, by the clock that says the longer: the monotonic one may stand still while the
// machine sleeps, the other may be set back.
func (s *Store) unused() time.Duration {
	return max(s.options.elapsed()-s.idle.elapsed, s.options.Now().Round(0).Sub(s.idle.wall.Round(0)))
}

// lockIfIdle locks before a use that comes too late, when the timer did not run in time.
func (s *Store) lockIfIdle() {
	if s.options.LockAfter > 0 && s.dek != nil && s.unused() >= s.options.LockAfter {
		s.lock()
	}
}

// whenIdle is what the timer calls.
func (s *Store) whenIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle.timer = nil
	if s.closed || s.dek == nil {
		return
	}
	if left := s.options.LockAfter - s.unused(); left > 0 {
		s.idle.timer = time.AfterFunc(left, s.whenIdle)
		return
	}
	s.lock()
}

func (s *Store) lock() {
	if s.now != nil {
		s.idle.last = s.now
	}
	s.forgetKey()
	s.idle.stop()
}

// Lock clears the data key and forgets the names; the next call that needs them asks the key sources again, in their order,
// and fails as Open does when none has the key. Options.LockAfter does the same by itself. What stays in memory: Secrets
// that were given out, the spellings that the Redactor searches for (it goes on without unlocking, as long as the file does
// not change), and what a key source itself keeps, as Environment and Key do. Locking is worth most with a source that asks
// somebody: Passphrase, or a keyring that locks with the screen.
func (s *Store) Lock() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lock()
}
