package credstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"
)

// acquire takes the exclusive lock on its own file, which is never replaced or removed: a lock on the data file would be a
// lock on an inode that the next save throws away. The kernel releases it when the holder dies.
func acquire(ctx context.Context, path string) (release func(), err error) {
	f, err := acquireFile(ctx, path, false)
	if err != nil {
		return nil, err
	}
	return func() { f.Close() }, nil
}

// errBusy is what acquireFile returns when it was not to wait.
var errBusy = errors.New("the lock is held")

// acquireFile returns the locked file; closing it releases the lock. The first 16 bytes are the holder's.
func acquireFile(ctx context.Context, path string, once bool) (_ *os.File, err error) {
	f, err := openLock(path)
	if err != nil {
		return nil, fmt.Errorf("credstore: lock file: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("credstore: %s: %w", path, ErrNotRegular)
	}
	if err == nil {
		err = checkOwner(path, info, 0o077, "run chmod 600 on it")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		held, err := tryLock(f)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("credstore: %s: %w", path, err)
		}
		if held {
			break
		}
		if once {
			f.Close()
			return nil, errBusy
		}
		timer := time.NewTimer(wait/2 + rand.N(wait))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			pid := 0
			text := make([]byte, 11)
			if n, _ := f.ReadAt(text, 0); n > 0 {
				pid, _ = strconv.Atoi(strings.TrimSpace(string(text[:n])))
			}
			f.Close()
			return nil, &LockedError{Path: path, PID: pid, cause: ctx.Err()}
		}
	}
	// Who holds it is a help for people only; nothing depends on it.
	_, _ = f.WriteAt(fmt.Appendf(nil, "%-10d\n", os.Getpid()), 0)
	return f, nil
}
