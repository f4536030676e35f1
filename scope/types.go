package scope

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
)

// Op is what is to be done with a path. The zero Op is unknown and is judged
// as the strictest one.
type Op uint8

// The operations. Whether the last link of a path is followed depends on the
// operation, as in the kernel: Delete, RenameFrom, RenameTo, Link and Symlink
// act on the name itself, all others on what it points to.
const (
	// OpUnknown is judged as a write and as a delete.
	OpUnknown Op = iota
	// Read reads the content of a file.
	Read
	// List reads the names in a directory.
	List
	// Stat reads what the file system says about a file, not its content.
	Stat
	// Create makes a new file or directory, or replaces a file by a new one
	// (temporary file and rename), which breaks hard links.
	Create
	// Write changes an existing file in place, or makes a new one.
	Write
	// Append adds to an existing file in place, or makes a new one.
	Append
	// Delete removes a name.
	Delete
	// RenameFrom is the old name of a rename.
	RenameFrom
	// RenameTo is the new name of a rename.
	RenameTo
	// Link makes a hard link of this name.
	Link
	// Symlink makes a symbolic link of this name.
	Symlink
	// Chmod changes mode, owner, times or extended attributes.
	Chmod
	// Exec starts the file as a program.
	Exec
)

var opNames = [...]string{"unknown", "read", "list", "stat", "create", "write", "append", "delete",
	"rename-from", "rename-to", "link", "symlink", "chmod", "exec"}

// String returns the operation in lower case, such as "rename-from".
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return "op(" + strconv.Itoa(int(o)) + ")"
}

// reads says that the operation changes nothing.
func (o Op) reads() bool { return o == Read || o == List || o == Stat || o == Exec }

// entry says that the operation acts on the name itself and so does not
// follow a link in the last place.
func (o Op) entry() bool {
	switch o {
	case Delete, RenameFrom, RenameTo, Link, Symlink:
		return true
	}
	return false
}

// tree says that the operation can move or remove what lies below the path,
// or put another tree in its place.
func (o Op) tree() bool { return o.entry() || o == OpUnknown || int(o) >= len(opNames) }

// inPlace says that the operation changes the inode that is there, and so
// every other name that the inode has.
func (o Op) inPlace() bool {
	return o == Write || o == Append || o == Chmod || o == OpUnknown || int(o) >= len(opNames)
}

// Zone says where a resolved path lies.
type Zone uint8

// The zones. The zero Zone refuses.
const (
	// Outside: below no root of the guard, or not known.
	Outside Zone = iota
	// Additional: below an additional directory.
	Additional
	// Inside: below the root of the guard.
	Inside
)

// String returns "outside", "additional" or "inside".
func (z Zone) String() string {
	switch z {
	case Outside:
		return "outside"
	case Additional:
		return "additional"
	case Inside:
		return "inside"
	}
	return "zone(" + strconv.Itoa(int(z)) + ")"
}

// Class says what kind of file a path names, for the operation that was asked
// about: a protected file that is only read is [Ordinary].
type Class uint8

// The classes, in rising order of care. The zero Class means that nothing is
// known, and refuses.
const (
	// Unclassified: the path could not be resolved.
	Unclassified Class = iota
	// Ordinary: no rule names it.
	Ordinary
	// Protected: writing it makes other programs run or behave differently
	// (git hooks, shell start files, agent and editor settings, CI).
	Protected
	// Sensitive: it holds, or usually holds, secrets.
	Sensitive
	// Forbidden: a file of the host program itself. Never granted.
	Forbidden
)

// String returns the class in lower case.
func (c Class) String() string {
	switch c {
	case Unclassified:
		return "unclassified"
	case Ordinary:
		return "ordinary"
	case Protected:
		return "protected"
	case Sensitive:
		return "sensitive"
	case Forbidden:
		return "forbidden"
	}
	return "class(" + strconv.Itoa(int(c)) + ")"
}

// Profile selects which data rows are in force.
type Profile uint8

const (
	// Default is the documented list of protected files, agent and editor
	// settings, CI definitions, and files with secrets.
	Default Profile = iota
	// Strict adds build files (package.json, Makefile, …), whose change runs
	// code at the next build.
	Strict
)

// String returns "default" or "strict".
func (p Profile) String() string {
	switch p {
	case Default:
		return "default"
	case Strict:
		return "strict"
	}
	return "profile(" + strconv.Itoa(int(p)) + ")"
}

// Options configure a [Guard]. The zero Options are safe: no additional
// directory, the default profile, nothing lifted, no home.
type Options struct {
	// Home is the home directory of the person, absolute. Rules that speak of
	// the home directory need it, and removing it is critical. It is never
	// taken from the environment; "" means unknown.
	Home string
	// Additional are directories that may be read and written besides the
	// root. A relative one is relative to the root.
	Additional []string
	// ReadOnly are directories that may be read besides the root. Where a
	// directory is in both lists, or is the root itself, it is read-only.
	ReadOnly []string
	// Mounts are mount points below a root that belong to it. Everything else
	// behind a mount point is [Outside]. Only Linux can tell.
	Mounts []string
	// Profile selects the data rows in force.
	Profile Profile
	// Protect are the host's own files and directories (settings, trust,
	// secrets, audit log), absolute. They are [Forbidden]; they need not exist.
	Protect []string
	// Classes are rules of the host, in force beside the built-in ones.
	Classes []Rule
	// Lift are names of built-in rows that are not in force. An unknown name
	// is an error.
	Lift []string
}

// Resolution is what is known about one path for one operation. It is plain
// data and may be copied and compared field by field. Everything in it is
// advice about a moment: only the operations of a [Guard] hold it to be true.
type Resolution struct {
	// Path is the path as given.
	Path string
	// Clean is the absolute path, cleaned as text, links not resolved. "" for
	// a path that cannot be used at all.
	Clean string
	// Op is the operation that was asked about.
	Op Op
	// Zone says where the resolved path lies.
	Zone Zone
	// ReadOnly says that it lies in a read-only additional directory.
	ReadOnly bool
	// Class is the highest class of the path as given, of every link crossed
	// and of the resolved path, for this operation.
	Class Class
	// ClassName is the name of the rule that gave Class, "" for Ordinary.
	ClassName string
	// ClassReason is the sentence that belongs to the rule.
	ClassReason string
	// Root is the root (resolved) that the path lies below, "" for Outside.
	Root string
	// Rel is the resolved path below Root with forward slashes, "." for the
	// root itself, "" for Outside.
	Rel string
	// Real is the resolved absolute path. Components that do not exist are
	// kept as they are.
	Real string
	// Via are the links crossed, in order, as absolute paths.
	Via []string
	// Exists says that Real exists. Always false for a [Lexical].
	Exists bool
	// Mode is the type and mode of what exists.
	Mode fs.FileMode
	// Links is the number of hard links of an existing regular file, 0 where
	// the platform does not tell.
	Links uint64
	// Critical says that removing this path is critical: /, a direct child of
	// /, home, a root, or a directory above one of these.
	Critical bool
	// Reason is a stable code: "" for nothing to say, else one of the Reason
	// constants.
	Reason string
	// Err says why the operation must not be done here, nil where only Zone,
	// ReadOnly and Class speak. It matches one of the errors of this package
	// with errors.Is.
	Err error

	known
}

// The codes in [Resolution.Reason].
const (
	ReasonOutside   = "outside"       // below no root
	ReasonReadOnly  = "read-only"     // a write in a read-only directory
	ReasonClass     = "class"         // ClassName says which
	ReasonInvalid   = "invalid-path"  // empty, NUL byte
	ReasonTooLong   = "too-long"      // longer than MaxPath, or too many components
	ReasonLoop      = "link-loop"     // more than 40 links
	ReasonMagic     = "magic-link"    // /proc/PID/root, /dev/fd and their like
	ReasonSpecial   = "special-file"  // FIFO, socket, device
	ReasonHardLink  = "hard-link"     // in-place change of a file with more names
	ReasonMount     = "mount"         // behind a mount point
	ReasonWindows   = "windows-name"  // device, stream, UNC, trailing dot or blank
	ReasonUnknown   = "unresolved"    // the file system gave an error
	ReasonRoot      = "root"          // removing or renaming a root or what holds it
	ReasonDirectory = "not-directory" // a component is no directory, or a slash after a file
)

// Errors that the operations return, wrapped in a [*PathError].
var (
	// ErrOutside: the path lies below no root.
	ErrOutside = errors.New("outside the working directories")
	// ErrReadOnly: the directory may only be read.
	ErrReadOnly = errors.New("in a read-only directory")
	// ErrProtected: the file is [Protected] (or a root that was to be removed).
	ErrProtected = errors.New("a protected path")
	// ErrSensitive: the file is [Sensitive].
	ErrSensitive = errors.New("a file that may hold secrets")
	// ErrForbidden: the file belongs to the host program.
	ErrForbidden = errors.New("a file of the host program")
	// ErrSpecial: neither a regular file nor a directory.
	ErrSpecial = errors.New("not a regular file or directory")
	// ErrHardLink: an in-place change of a file that has more than one name.
	ErrHardLink = errors.New("a file with more than one hard link")
	// ErrRaced: the path changed while it was being opened.
	ErrRaced = errors.New("the path changed during the operation")
	// ErrInvalid: the path cannot be used (empty, NUL, too long, loop, magic
	// link, a name that is special on Windows).
	ErrInvalid = errors.New("not a usable path")
	// ErrUnresolved: the file system refused to tell what the path is.
	ErrUnresolved = errors.New("the path cannot be resolved")
	// ErrTooLarge: the file is larger than the limit.
	ErrTooLarge = errors.New("the file is too large")
	// ErrClosed: the guard was closed.
	ErrClosed = errors.New("the guard is closed")
)

// PathError is the error of an operation. errors.Is finds the kind (one of the
// Err values) and, where there is one, the error of the file system.
type PathError struct {
	// Op is the operation that failed.
	Op Op
	// Resolution is what was known about the path.
	Resolution Resolution
	// Err is the kind of refusal, or the error of the file system.
	Err error
}

// Error names the operation, the path, where it leads, and the reason.
func (e *PathError) Error() string {
	r := &e.Resolution
	s := e.Op.String() + " " + quotePath(r.Path)
	if r.Real != "" && r.Real != r.Path && r.Real != r.Clean {
		s += " (" + quotePath(r.Real) + ")"
	}
	s += ": " + e.Err.Error()
	if r.ClassReason != "" && (errors.Is(e.Err, ErrProtected) || errors.Is(e.Err, ErrSensitive) || errors.Is(e.Err, ErrForbidden)) {
		s += fmt.Sprintf(" (%s: %s)", r.ClassName, r.ClassReason)
	}
	return s
}

// Unwrap returns the kind of refusal.
func (e *PathError) Unwrap() error { return e.Err }

// quotePath keeps hostile names on one short line.
func quotePath(p string) string {
	if len(p) > 300 {
		p = p[:300] + "…"
	}
	q := strconv.Quote(p)
	if len(q) == len(p)+2 {
		return p
	}
	return q
}

// Checker is what a [Guard] and a [Lexical] have in common.
type Checker interface {
	// Check tells about a path for an operation. A relative path is relative
	// to the root.
	Check(path string, op Op) Resolution
	// CheckFrom is Check with relative paths relative to dir. A relative dir
	// is relative to the root.
	CheckFrom(dir, path string, op Op) Resolution
}

var (
	_ Checker = (*Guard)(nil)
	_ Checker = (*Lexical)(nil)
)
