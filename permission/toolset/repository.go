package toolset

import (
	"bytes"
	"crypto/sha1" // the checksum of the format; nothing rests on it
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// repository finds the directory in which git, started in dir, finds its
// repository: the nearest one with an entry .git, or one that is itself laid
// out as a repository. bare says the latter.
func repository(dir string) (top string, bare bool) {
	for d := filepath.Clean(dir); ; {
		if _, err := os.Lstat(filepath.Join(d, ".git")); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return d, false
		}
		found := 0
		for _, n := range []string{"HEAD", "objects", "refs"} {
			if _, err := os.Lstat(filepath.Join(d, n)); err == nil {
				found++
			}
		}
		if found == 3 {
			return d, true
		}
		up := filepath.Dir(d)
		if up == d {
			return "", false
		}
		d = up
	}
}

// ownRepository says whether git, started in the directory of the call, finds
// the repository of the project: the one that the person approved with it.
// Any other may name programs that git starts (core.fsmonitor, textconv).
func (b *builder) ownRepository() bool {
	return b.t.o.Offline || b.inOwnRepository(b.call.Dir)
}

// inOwnRepository says that git, started in dir, finds the repository of the
// session's root.
func (b *builder) inOwnRepository(dir string) bool {
	if b.t.o.Offline {
		return false
	}
	r, ok := b.t.o.Files.(interface{ Root() string })
	if !ok {
		return false
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false
	}
	own, bare := repository(r.Root())
	if bare {
		return false
	}
	here, bare := repository(real)
	return !bare && here == own
}

// Limits of an index file.
const (
	maxIndexBytes = 64 << 20
	maxIndexFiles = 1 << 20
)

// tracked returns the absolute names of the files in the index of the
// repository that holds dir (gitformat-index(5), versions 2 to 4). ok is false
// where it cannot be read: then which files git reads is not known.
func tracked(dir string) (names []string, ok bool) {
	top, bare := repository(dir)
	if top == "" {
		return nil, true // git stops there: no repository
	}
	if bare {
		return nil, false
	}
	git, _, ok := gitDirs(top)
	if !ok {
		return nil, false
	}
	rel, _, ok := indexed(git)
	for _, r := range rel {
		names = append(names, filepath.Join(top, filepath.FromSlash(r)))
	}
	return names, ok
}

// indexed returns the paths in the index of a git directory, and those of its
// submodules among them.
func indexed(git string) (paths, links []string, ok bool) {
	data, err := readSmall(filepath.Join(git, "index"), maxIndexBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, true
	case err != nil:
		return nil, nil, false
	}
	return readIndex(data)
}

// readIndex returns the paths in an index, and those of the submodules among
// them. ok is false for what is not understood: another version, a split index,
// another hash.
func readIndex(data []byte) (paths, links []string, ok bool) {
	if len(data) < 12+sha1.Size || string(data[:4]) != "DIRC" {
		return nil, nil, false
	}
	end := len(data) - sha1.Size
	sum := sha1.Sum(data[:end])
	if tail := data[end:]; !bytes.Equal(tail, sum[:]) && !bytes.Equal(tail, make([]byte, sha1.Size)) {
		return nil, nil, false
	}
	version, n := binary.BigEndian.Uint32(data[4:]), binary.BigEndian.Uint32(data[8:])
	if version < 2 || version > 4 || n > maxIndexFiles {
		return nil, nil, false
	}
	at := 12
	previous := ""
	for range n {
		start := at
		if len(data)-at < 62 {
			return nil, nil, false
		}
		mode, flags := binary.BigEndian.Uint32(data[at+24:]), binary.BigEndian.Uint16(data[at+60:])
		at += 62
		if flags&0x4000 != 0 {
			if version < 3 {
				return nil, nil, false
			}
			at += 2
		}
		if version == 4 {
			drop, used := 0, 0
			for {
				if at+used >= len(data) || used > 4 {
					return nil, nil, false
				}
				c := data[at+used]
				used++
				drop |= int(c & 0x7f)
				if c&0x80 == 0 {
					break
				}
				drop = (drop + 1) << 7
			}
			at += used
			if drop > len(previous) {
				return nil, nil, false
			}
			stop := bytes.IndexByte(data[min(at, len(data)):], 0)
			if stop < 0 {
				return nil, nil, false
			}
			previous = previous[:len(previous)-drop] + string(data[at:at+stop])
			at += stop + 1
		} else {
			if at > len(data) {
				return nil, nil, false
			}
			stop := bytes.IndexByte(data[at:], 0)
			if stop < 0 {
				return nil, nil, false
			}
			previous = string(data[at : at+stop])
			// One to eight NUL bytes, to a multiple of eight.
			at = start + (at+stop-start+8)/8*8
		}
		if previous == "" || strings.HasPrefix(previous, "/") {
			return nil, nil, false
		}
		paths = append(paths, previous)
		if mode == 0o160000 {
			links = append(links, previous)
		}
	}
	// A split index keeps the rest in another file.
	for at+8 <= end {
		size := binary.BigEndian.Uint32(data[at+4:])
		if string(data[at:at+4]) == "link" || size > maxIndexBytes {
			return nil, nil, false
		}
		at += 8 + int(size)
	}
	return paths, links, at == end
}
