package credstore

import (
	"errors"
	"time"
)

// What the tests of package credstore_test put in place of the real thing.
type (
	Disk     = disk
	DiskFile = diskFile
)

func OSDisk() Disk { return osDisk{} }

func WithDisk(o Options, d Disk) Options { o.disk = d; return o }

func WithElapsed(o Options, elapsed func() time.Duration) Options { o.elapsed = elapsed; return o }

// Locked reports whether the store holds no data key.
func Locked(s *Store) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dek == nil && s.now == nil && s.page == nil
}

// WithFileSystem answers as if directories lay on a file system: local, remote or unknown.
func WithFileSystem(o Options, name, where string) Options {
	o.statfs = func(string) (string, locality, error) {
		at, ok := map[string]locality{"local": localFS, "remote": remoteFS, "unknown": unknownFS}[where]
		if !ok {
			return "", unknownFS, errors.New("no answer")
		}
		return name, at, nil
	}
	return o
}

// PatternExamples returns, for each row of the vendor patterns, its id and examples.
func PatternExamples() (ids []string, yes, no [][]string, err error) {
	rows, err := loadPatterns(patternFile)
	for _, r := range rows {
		ids, yes, no = append(ids, r.ID), append(yes, r.Yes), append(no, r.No)
	}
	return ids, yes, no, err
}
