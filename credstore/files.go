package credstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/clearance-go/clearance/credstore/internal/format"
)

// readPrivate reads a regular file that only its owner may read. All checks are on the opened file.
func readPrivate(path string, limit int) ([]byte, error) {
	data, _, err := readPrivateInfo(path, limit)
	return data, err
}

func readPrivateInfo(path string, limit int) ([]byte, fs.FileInfo, error) {
	f, err := openNoFollow(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("credstore: %s: %w", path, ErrNotRegular)
	}
	if err := checkOwner(path, info, 0o077, "run chmod 600 on it"); err != nil {
		return nil, nil, err
	}
	if info.Size() > int64(limit) {
		return nil, nil, fmt.Errorf("credstore: %s: %w of %d bytes", path, ErrTooLarge, limit)
	}
	data := make([]byte, 0, info.Size()+1)
	for len(data) <= limit { // the buffer never grows past the size, so no copy of a key is left behind
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			return data, info, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if len(data) == cap(data) {
			return nil, nil, fmt.Errorf("credstore: %s changed while it was read", path)
		}
	}
	return nil, nil, fmt.Errorf("credstore: %s: %w of %d bytes", path, ErrTooLarge, limit)
}

// createPrivate makes a new file, mode 0600 whatever the umask, durably; it refuses an existing one.
func createPrivate(d disk, path string, data []byte) error {
	if err := writePrivate(d, path, data); err != nil {
		return err
	}
	return d.SyncDir(filepath.Dir(path))
}

// makeDir makes a directory with mode 0700 and checks that nobody else can write into it.
func makeDir(path string, create bool) error {
	if create {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return fmt.Errorf("credstore: %w", err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("credstore: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("credstore: %s is not a directory", path)
	}
	return checkOwner(path, info, 0o022, "run chmod 700 on it")
}

// defaultStateDir is where this machine's own state belongs.
func defaultStateDir() (string, error) {
	if runtime.GOOS == "windows" {
		base, err := os.UserCacheDir() // %LocalAppData%
		return filepath.Join(base, "clearance", "credstore"), err
	}
	if base := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "clearance", "credstore"), nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "state", "clearance", "credstore"), err
}

// FileAnchor is an Anchor in a file of this path.
func FileAnchor(path string) Anchor { return fileAnchor{path, osDisk{}} }

type fileAnchor struct {
	path string
	disk disk
}

func (f fileAnchor) Describe() string { return "file " + f.path }

func (f fileAnchor) Load(context.Context) (*AnchorRecord, error) {
	raw, err := readPrivate(f.path, 64<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	record := &AnchorRecord{}
	if json.Unmarshal(raw, record) != nil {
		return nil, fmt.Errorf("%s is damaged", f.path)
	}
	return record, nil
}

func (f fileAnchor) Save(_ context.Context, record *AnchorRecord) error {
	raw, err := json.Marshal(record)
	if err != nil {
		return err
	}
	temp := fmt.Sprintf("%s.%x.tmp", f.path, format.Random(8))
	if err := writePrivate(f.disk, temp, raw); err != nil {
		return err
	}
	if err := f.disk.Rename(temp, f.path); err != nil {
		_ = f.disk.Remove(temp)
		return err
	}
	return f.disk.SyncDir(filepath.Dir(f.path))
}

// ReadPrivateFile reads a regular file that belongs to this user and that nobody else may read, up to limit bytes, and
// follows no link. It is for key sources that live outside this package. Errors: ErrPermissions, ErrNotRegular,
// ErrTooLarge, and those of the file system. The caller clears the bytes.
func ReadPrivateFile(path string, limit int) ([]byte, error) { return readPrivate(path, limit) }
