package toolset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope"
)

// maxAppend is the size in bytes up to which a redirection appends to a file.
const maxAppend = 16 << 20

// Open returns what bashcheck/checkedrun opens the files of redirections with
// (checkedrun.Options.Open): through the guard, so that the file that is opened is
// the one that was approved, whatever links were changed meanwhile. path is
// absolute, flag one of os.OpenFile; a missing file is made where the flag asks
// to write. A nil grant opens only what the guard allows by itself.
//
// A file that is appended to (>>) is replaced in one step when it is closed, if
// nobody else changed it meanwhile; it may have 16 MiB. Reading and writing at
// once (<>) is refused. Errors are those of [scope.Guard]. The function is safe
// for concurrent use.
func Open(guard *scope.Guard, grant *permission.Grant) func(path string, flag int) (io.ReadWriteCloser, error) {
	files := Files(guard, grant)
	return func(path string, flag int) (io.ReadWriteCloser, error) {
		writes := flag&(os.O_WRONLY|os.O_RDWR|os.O_APPEND|os.O_CREATE|os.O_TRUNC) != 0
		switch {
		case path == os.DevNull:
			return os.OpenFile(os.DevNull, os.O_RDWR, 0)
		case !writes:
			return files.Open(path)
		case flag&os.O_RDWR != 0:
			return nil, fmt.Errorf("toolset: %s: opening for reading and writing at once is not supported: use one redirection for each", path)
		case flag&os.O_APPEND == 0:
			return files.Create(path)
		}
		old, version, err := files.ReadVersion(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return &appended{files: files, path: path, version: version, data: bytes.NewBuffer(old)}, nil
	}
}

// appended is a file that is appended to.
type appended struct {
	files   *scope.Guard
	path    string
	version scope.Version
	mu      sync.Mutex
	data    *bytes.Buffer
}

func (a *appended) Read([]byte) (int, error) { return 0, os.ErrInvalid }

func (a *appended) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.data.Len()+len(p) > maxAppend {
		return 0, fmt.Errorf("toolset: %s: it would be larger than %d bytes", a.path, maxAppend)
	}
	return a.data.Write(p)
}

func (a *appended) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.files.Write(a.path, a.data.Bytes(), scope.WriteOptions{Expect: &a.version})
}
