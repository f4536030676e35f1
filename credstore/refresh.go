package credstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"encoding/hex"
	"encoding/json"

	"github.com/clearance-go/clearance/credstore/internal/format"
)

// The times of refreshing.
const (
	refreshTimeout = 2 * time.Minute  // of a Refresher that sets no shorter one
	refreshAgain   = 5 * time.Second  // how long a failure is remembered, by every process
	refusedAgain   = 30 * time.Second // how long after a forced refresh another one is refused
	softMargin     = time.Minute      // how long before the end a value is renewed, at least; covers clocks that differ
	futureMargin   = 5 * time.Minute  // a value written further in the future than this tells of a clock that jumped
)

// Token is a value with what renews it.
type Token struct {
	Value   Secret
	Refresh Secret    // from a Refresher, an empty one keeps the stored one
	Expires time.Time // when Value ends for good; zero: not known
}

// Refreshing is what a Refresher gets to work with.
type Refreshing struct {
	Name    string
	Meta    Meta
	Value   Secret // the present value
	Refresh Secret // the refresh token, empty if none is stored
	Reason  string // "expires soon", "expired" or "refused"
}

// Refresher buys a new value. It is called by one process at a time for each entry, with the newest stored tokens, and with
// a context that does not end when the caller of Get gives up: a refresh token that can be used once must not be lost on
// the way back. An error must not hold a token. Implementations must be safe for concurrent use for different entries.
type Refresher interface {
	Refresh(context.Context, Refreshing) (Token, error)
}

// RefreshFunc is a Refresher from a function.
type RefreshFunc func(context.Context, Refreshing) (Token, error)

// Refresh calls f.
func (f RefreshFunc) Refresh(ctx context.Context, r Refreshing) (Token, error) { return f(ctx, r) }

// RefreshError says which entry could not be renewed. It is ErrRefresh and the cause, and ErrExpired when the stored value
// is of no use any more.
type RefreshError struct {
	Name    string
	Expired bool
	cause   error
}

// Error names the entry and the cause.
func (e *RefreshError) Error() string {
	state := "the stored value is untouched"
	if e.Expired {
		state = "the stored value has expired"
	}
	return fmt.Sprintf("credstore: %q could not be refreshed, %s: %v", e.Name, state, e.cause)
}

// Unwrap returns ErrRefresh, the cause, and ErrExpired if Expired.
func (e *RefreshError) Unwrap() []error {
	out := []error{ErrRefresh, e.cause}
	if e.Expired {
		out = append(out, ErrExpired)
	}
	return out
}

// staleness says how urgent a refresh is.
type staleness int

const (
	valid   staleness = iota
	soft              // still good; renew if nobody else does
	refused           // good by the clock, and the issuer said no
	hard              // over
)

// renewalState is what one process remembers about expiry; Store.mu guards it.
type renewalState struct {
	deadlines map[string]deadline
	refused   map[string]uint64        // entry → the version that the issuer refused
	forced    map[string]time.Duration // entry → when it was renewed after a refusal
	unsaved   map[string]unsavedToken
}

// deadline is the end of a value on the monotonic clock, so that a wall clock set back does not bring it back to life.
type deadline struct {
	version uint64
	at      time.Duration
}

// unsavedToken was bought and could not be saved; the old refresh token may be used up already.
type unsavedToken struct {
	version uint64
	token   Token
}

// looked is one entry as Get sees it.
type looked struct {
	value   Secret
	version uint64
	meta    *storedMeta
	state   staleness
}

// Get returns the value of an entry, renewed if it must be and Options.Refresher knows how.
//
// A value that ends within a minute, or a tenth of its life, is renewed if no other process is at it; if that fails the old
// one is returned while it lasts. A value that has ended, or that Invalidate refused, is renewed before Get returns. Only
// one process at a time renews an entry; the others wait and take over what it saved. A failed refresh never changes what
// is stored, and for five seconds nobody tries again. Get may then last as long as the Refresher, whatever ctx says: a
// refresh that began is brought to its end.
//
// Errors: ErrBadName, ErrNotFound, ErrTampered; ErrExpired and *RefreshError; ErrSave when a new value was bought and could
// not be stored (this process keeps it and saves it at the next Get); ErrAudit; those of Open when another process has
// changed the file.
func (s *Store) Get(ctx context.Context, name string) (Secret, error) {
	return s.get(ctx, name, "get", "")
}

func (s *Store) get(ctx context.Context, name, op, target string) (Secret, error) {
	e, err := s.look(ctx, name, op, target)
	if err != nil || e.state == valid {
		return e.value, err
	}
	var r Refresher
	if s.options.Refresher != nil && !s.options.ReadOnly {
		r = s.options.Refresher(name, e.meta.Meta)
	}
	if r != nil {
		e, err = s.renew(ctx, name, e, r)
	} else if e.state == hard {
		err = fmt.Errorf("credstore: %q: %w at %s: set a new value", name, ErrExpired, e.meta.Expires.Format(time.RFC3339))
	}
	if err != nil {
		return Secret{}, err
	}
	return e.value, nil
}

// look reads an entry and how stale it is. With an op it is a use, which the audit log may have to record.
func (s *Store) look(ctx context.Context, name, op, target string) (looked, error) {
	var out looked
	err := s.see(ctx, func(snap *snapshot) error {
		value, err := s.open(snap.body, s.dek, name)
		if err != nil {
			return err
		}
		meta, err := snap.meta(name)
		if err != nil {
			return err
		}
		if op != "" {
			if err := s.auditUse(snap, op, name, target, value); err != nil {
				return err
			}
		}
		version := snap.body.Entries[name].Version
		out = looked{value: value, version: version, meta: meta, state: s.stale(name, version, meta)}
		return nil
	})
	return out, err
}

// meta decodes the metadata of an entry, once for each generation.
func (snap *snapshot) meta(name string) (*storedMeta, error) {
	if m := snap.metas[name]; m != nil {
		return m, nil
	}
	m := &storedMeta{}
	if json.Unmarshal(snap.body.Entries[name].Meta, m) != nil {
		return nil, fmt.Errorf("credstore: %q: %w", name, ErrTampered)
	}
	if snap.metas == nil {
		snap.metas = map[string]*storedMeta{}
	}
	snap.metas[name] = m
	return m, nil
}

// stale judges by the wall clock and by the monotonic one, whichever says the worse: the first may be set back, the second
// may stand still while the machine sleeps.
func (s *Store) stale(name string, version uint64, m *storedMeta) staleness {
	state := valid
	if s.renewal.refused[name] == version && version != 0 {
		state = refused
	}
	if m.Expires.IsZero() {
		return state
	}
	now, elapsed := s.options.Now(), s.options.elapsed()
	end := m.Expires.Round(0).Sub(now.Round(0))
	d := s.renewal.deadlines[name]
	if d.version != version {
		d = deadline{version, elapsed + end}
		if s.renewal.deadlines == nil {
			s.renewal.deadlines = map[string]deadline{}
		}
		s.renewal.deadlines[name] = d
	}
	end = min(end, d.at-elapsed)
	life := m.Expires.Sub(m.Updated)
	margin := min(max(softMargin, life/10), life/2)
	switch {
	case end <= 0:
		return hard
	case state == refused:
		return refused
	case end <= margin || m.Updated.After(now.Add(futureMargin)):
		return soft
	}
	return valid
}

// addClockWarnings tells of entries that were written in the future.
func (s *Store) addClockWarnings(st *Status, snap *snapshot) {
	limit := s.options.Now().Add(futureMargin)
	for name := range snap.body.Entries {
		if m, err := snap.meta(name); err == nil && m.Updated.After(limit) {
			st.Warnings = append(st.Warnings, fmt.Sprintf("%q was written at %s, which is in the future: a clock was wrong, so its expiry may be too", name, m.Updated.Format(time.RFC3339)))
		}
	}
}

// renew gets a new value under the entry's own lock, or takes over what another process got.
func (s *Store) renew(ctx context.Context, name string, e looked, r Refresher) (looked, error) {
	lock, err := s.refreshLock(ctx, name, e.state == soft)
	if errors.Is(err, errBusy) {
		return e, nil // somebody is at it, and the value still lasts
	}
	if err != nil {
		return e, err
	}
	defer lock.Close()
	if e, err = s.look(ctx, name, "", ""); err != nil || e.state == valid {
		return e, err
	}
	failed := func(cause error) (looked, error) {
		now, err := s.look(ctx, name, "", "")
		if err == nil && (now.state == valid || now.state == soft) {
			s.mu.Lock()
			s.warn(fmt.Sprintf("%q could not be refreshed: %v", name, cause))
			s.mu.Unlock()
			return now, nil // changed meanwhile, or still good
		}
		return e, &RefreshError{Name: name, Expired: e.state == hard, cause: cause}
	}
	s.mu.Lock()
	pending, bought := s.renewal.unsaved[name]
	s.mu.Unlock()
	if !bought || pending.version != e.version {
		if at, by := failure(lock, e.version); time.Since(at) >= 0 && time.Since(at) < refreshAgain {
			return failed(fmt.Errorf("process %d tried at %s without success; the next try is %s later", by, at.Format(time.TimeOnly), refreshAgain))
		}
		if err := ctx.Err(); err != nil {
			return e, err
		}
		refresh, err := s.refreshToken(ctx, name, e.version)
		if err != nil {
			return e, err
		}
		reason := map[staleness]string{soft: "expires soon", refused: "refused", hard: "expired"}[e.state]
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTimeout)
		token, err := r.Refresh(call, Refreshing{Name: name, Meta: e.meta.Meta, Value: e.value, Refresh: refresh, Reason: reason})
		cancel()
		if err == nil {
			err = checkToken(token)
		}
		if err == nil && !token.Expires.IsZero() && !token.Expires.After(s.options.Now()) {
			err = fmt.Errorf("the new value expired at %s already", token.Expires.Format(time.RFC3339))
		}
		if err != nil {
			noteFailure(lock, e.version)
			return failed(err)
		}
		if token.Refresh.Len() == 0 {
			token.Refresh = refresh
		}
		pending = unsavedToken{e.version, token}
	}
	if err := s.saveToken(context.WithoutCancel(ctx), name, pending, e.meta.Meta); err != nil {
		return e, err
	}
	if e.state == refused {
		s.mu.Lock()
		if s.renewal.forced == nil {
			s.renewal.forced = map[string]time.Duration{}
		}
		s.renewal.forced[name] = s.options.elapsed()
		s.mu.Unlock()
	}
	return s.look(context.WithoutCancel(ctx), name, "", "")
}

func (s *Store) refreshToken(ctx context.Context, name string, version uint64) (Secret, error) {
	var out Secret
	err := s.see(ctx, func(snap *snapshot) error {
		e := snap.body.Entries[name]
		if e == nil || e.Version != version {
			return fmt.Errorf("credstore: %q was changed meanwhile: %w", name, ErrRefresh)
		}
		var err error
		out, err = s.openRefresh(snap.body, name)
		return err
	})
	return out, err
}

// saveToken stores what was bought, unless somebody has set another value meanwhile.
func (s *Store) saveToken(ctx context.Context, name string, bought unsavedToken, meta Meta) error {
	err := s.Update(ctx, func(tx *Tx) error {
		if e := tx.body.Entries[name]; e == nil || e.Version != bought.version {
			return nil // deleted, or set by hand: that is newer
		}
		return tx.put("refresh", name, bought.token, meta)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil || visible(err) {
		delete(s.renewal.unsaved, name)
		return nil
	}
	if s.renewal.unsaved == nil {
		s.renewal.unsaved = map[string]unsavedToken{}
	}
	s.renewal.unsaved[name] = bought
	s.warn(fmt.Sprintf("%q was refreshed and could not be saved; it lives in this process only: %v", name, err))
	return fmt.Errorf("credstore: %q was refreshed and could not be stored: %w", name, err)
}

// Invalidate says that the issuer refused value (HTTP 401 or 403) although it has not expired. If it is still what is
// stored, the next Get renews it; if not, the next Get has the newer one. Errors: ErrRefused if it was renewed after a
// refusal within the last 30 seconds, so that a login which is truly over does not become a loop; ErrNoRefresher; those of
// Get.
func (s *Store) Invalidate(ctx context.Context, name string, value Secret) error {
	e, err := s.look(ctx, name, "", "")
	if err != nil || !e.value.Equal(value) {
		return err
	}
	if s.options.Refresher == nil || s.options.ReadOnly || s.options.Refresher(name, e.meta.Meta) == nil {
		return fmt.Errorf("credstore: %q: %w", name, ErrNoRefresher)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.renewal.forced[name]; ok && s.options.elapsed()-at < refusedAgain {
		return fmt.Errorf("credstore: %q: %w", name, ErrRefused)
	}
	if s.renewal.refused == nil {
		s.renewal.refused = map[string]uint64{}
	}
	s.renewal.refused[name] = e.version
	return nil
}

// refreshLock takes the entry's lock: its own file, so that a slow issuer does not hold up the store.
func (s *Store) refreshLock(ctx context.Context, name string, once bool) (*os.File, error) {
	dir := s.path(lockDir)
	if err := makeDir(dir, true); err != nil {
		return nil, err
	}
	hidden := ""
	err := s.see(ctx, func(snap *snapshot) error {
		hidden = hex.EncodeToString(format.HiddenName(snap.body.AnchorKey, name))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return acquireFile(ctx, filepath.Join(dir, hidden+".lock"), once)
}

// The lock file remembers the last failure, so that sixteen processes do not send sixteen dead tokens to the issuer.
const failureAt = 16

func noteFailure(lock *os.File, version uint64) {
	_, _ = lock.WriteAt(fmt.Appendf(nil, "%-20d %-20d %-10d\n", version, time.Now().UnixNano(), os.Getpid()), failureAt)
}

// failure reads when the refresh of this version failed last, the zero time if it did not.
func failure(lock *os.File, version uint64) (time.Time, int) {
	text := make([]byte, 53)
	n, _ := lock.ReadAt(text, failureAt)
	fields := strings.Fields(string(text[:n]))
	if len(fields) != 3 || fields[0] != strconv.FormatUint(version, 10) {
		return time.Time{}, 0
	}
	nano, err := strconv.ParseInt(fields[1], 10, 64)
	pid, err2 := strconv.Atoi(fields[2])
	if err != nil || err2 != nil {
		return time.Time{}, 0
	}
	return time.Unix(0, nano), pid
}
