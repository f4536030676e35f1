package scope

import (
	"io/fs"
	"os"
)

// Guard confines file operations to a root and its additional directories.
// It is safe for concurrent use.
type Guard struct{}

// New returns a guard for the root directory, which must exist.
func New(root string, opts Options) (*Guard, error) { return nil, ErrUnresolved }

// Check tells about a path.
func (g *Guard) Check(path string, op Op) Resolution { return Resolution{Path: path} }

// CheckFrom tells about a path.
func (g *Guard) CheckFrom(dir, path string, op Op) Resolution { return Resolution{Path: path} }

// Root returns the resolved root.
func (g *Guard) Root() string { return "" }

// Roots returns all roots.
func (g *Guard) Roots() []string { return nil }

// With returns a guard that also does what permits allows.
func (g *Guard) With(permits func(op Op, real string) bool) *Guard { return g }

// Close closes the handles.
func (g *Guard) Close() error { return nil }

// Open opens a file for reading.
func (g *Guard) Open(path string) (*os.File, error) { return nil, ErrUnresolved }

// ReadFile reads a file.
func (g *Guard) ReadFile(path string) ([]byte, error) { return nil, ErrUnresolved }

// ReadDir lists a directory.
func (g *Guard) ReadDir(path string) ([]fs.DirEntry, error) { return nil, ErrUnresolved }

// WriteFile replaces a file.
func (g *Guard) WriteFile(path string, data []byte) error { return ErrUnresolved }

// Create makes a file.
func (g *Guard) Create(path string) (*os.File, error) { return nil, ErrUnresolved }

// Mkdir makes a directory.
func (g *Guard) Mkdir(path string) error { return ErrUnresolved }

// MkdirAll makes a directory and its parents.
func (g *Guard) MkdirAll(path string) error { return ErrUnresolved }

// Remove removes a file or an empty directory.
func (g *Guard) Remove(path string) error { return ErrUnresolved }

// Rename renames.
func (g *Guard) Rename(oldpath, newpath string) error { return ErrUnresolved }
