package credstore

import "fmt"

// locality says whether a file system belongs to this machine alone. On one that other machines write to, a lock may hold on
// this machine only, a rename may be seen late or twice (RFC 1813 §4.9 on retried requests, open(2) on O_EXCL and flock(2) on
// locks over NFS and CIFS), and a flush may end in a cache.
type locality int

const (
	unknownFS locality = iota // not in the table: may be anything
	localFS
	remoteFS
)

// checkFileSystem warns of a directory that other machines may share, or refuses it when Options.RequireLocal is set.
func (s *Store) checkFileSystem(dir, what string) error {
	name, where, err := s.options.statfs(dir)
	if err == nil && where == localFS {
		return nil
	}
	text := ""
	switch {
	case err != nil:
		text = fmt.Sprintf("what file system the %s lies on is not known: %v", what, err)
	case where == remoteFS:
		text = fmt.Sprintf("the %s lies on %s, which other machines can share: locks and renames may not hold between machines, so use the store from one machine at a time or move it to a local disk", what, name)
	default:
		text = fmt.Sprintf("the %s lies on %s, which may not be a local disk: locks and renames may not hold there", what, name)
	}
	if s.options.RequireLocal {
		return fmt.Errorf("credstore: %s: %w: %s", dir, ErrRemote, text)
	}
	s.warn(text)
	return nil
}
