package credstore

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/clearance-go/clearance/credstore/internal/format"
)

// The errors of this package; test with errors.Is. No error text holds a value, a passphrase or a key.
var (
	// ErrNotFound: no entry has this name.
	ErrNotFound = errors.New("no such entry")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrBadName: the name is empty, has a character outside A-Z a-z 0-9 . _ / @ : + -, starts with '-', or has an empty, "." or ".." segment.
	ErrBadName = errors.New("bad entry name")
	// ErrTooLarge: a name, a value, the number of entries or the file is over its limit.
	ErrTooLarge = errors.New("over a limit")
	// ErrEmptyValue: an empty value is not stored; delete the entry instead.
	ErrEmptyValue = errors.New("empty value: delete the entry instead")
	// ErrRedactedValue: the value is the text "[redacted]", which a Secret prints in place of itself.
	ErrRedactedValue = errors.New(`the value is the placeholder "[redacted]", not a credential`)
	// ErrBadMeta: the metadata of an entry cannot be stored.
	ErrBadMeta = errors.New("bad metadata")

	// ErrWrongKey: no offered key opens the store. The caller may ask again.
	ErrWrongKey = errors.New("wrong key")
	// ErrNoKey: no key source had a key to offer.
	ErrNoKey = errors.New("no key source has a key for this store")
	// ErrBadKey: a source gave something that is not a key: wrong length, all bytes equal, or a set but empty variable.
	ErrBadKey = errors.New("not a usable key")
	// ErrEmptyPassphrase: a source gave an empty passphrase.
	ErrEmptyPassphrase = errors.New("empty passphrase")
	// ErrProtection: the source that opens the store protects less than Options.RequireProtection.
	ErrProtection = errors.New("the protection is below the required level")

	// ErrFormat: the file is not a store of a version that this package reads.
	ErrFormat = format.ErrFormat
	// ErrTampered: the key is right and the contents are not what was sealed.
	ErrTampered = format.ErrTampered
	// ErrKDFPolicy: the header asks for key derivation outside the limits; nothing was derived.
	ErrKDFPolicy = format.ErrKDFPolicy

	// ErrPermissions: others may read or write the file or directory, or somebody else owns it.
	ErrPermissions = errors.New("unsafe permissions")
	// ErrNotRegular: the file is a link, a directory, a pipe or a device.
	ErrNotRegular = errors.New("not a regular file")
	// ErrRemote: the directory may be shared with other machines, and Options.RequireLocal is set.
	ErrRemote = errors.New("not on a local file system")
	// ErrLocked: another process held the lock until the context ended.
	ErrLocked = errors.New("the store is locked")
	// ErrKeyChanged: another process rotated the data key, and no source opens the store under the new one.
	ErrKeyChanged = errors.New("the store's key was changed by another process")
	// ErrLastSlot: the last way to open a store cannot be removed.
	ErrLastSlot = errors.New("the last slot cannot be removed")
	// ErrSlotLocked: Rotate found slots that no source opens.
	ErrSlotLocked = errors.New("no key source opens a slot")
	// ErrNotFIPS: the feature rests on algorithms that are not approved, and Go runs with GODEBUG=fips140=only.
	ErrNotFIPS = errors.New("not available under fips140=only")

	// ErrExpired: the value has expired and could not be renewed.
	ErrExpired = errors.New("the credential has expired")
	// ErrRefresh: the issuer or helper did not give a new value. The stored one was not touched.
	ErrRefresh = errors.New("the credential could not be refreshed")
	// ErrNoRefresher: nothing renews this entry.
	ErrNoRefresher = errors.New("no refresher for this credential")
	// ErrRefused: the issuer refused a value that was refreshed a moment ago; a new login is needed.
	ErrRefused = errors.New("the credential was refused again after a refresh")
	// ErrHelper: a refresh command failed or printed something else than one value.
	ErrHelper = errors.New("the credential helper failed")
	// ErrHelperTimeout: a refresh command took too long and was ended. It is ErrHelper as well.
	ErrHelperTimeout = fmt.Errorf("%w: timeout", ErrHelper)
	// ErrUntrusted: nobody has trusted this exact command.
	ErrUntrusted = errors.New("the command is not trusted")
	// ErrBadValue: the value cannot be used in this place, such as a line break in a header.
	ErrBadValue = errors.New("the value does not fit this place")
	// ErrBadPlaceholder: a ${cred:name} is malformed or stands where no secret may go.
	ErrBadPlaceholder = errors.New("bad credential placeholder")
	// ErrHost: the credential may not be sent to this host, or not over this scheme.
	ErrHost = errors.New("the credential is not for this host")
	// ErrCommand: the program may not get the credential, or the variable is one that no secret may set.
	ErrCommand = errors.New("the credential is not for this command")
	// ErrAudit: the operation could not be recorded, and Options.RequireAudit is set.
	ErrAudit = errors.New("the audit log could not be written")
	// ErrAuditChain: a record of the audit log was changed, removed, reordered or cut off.
	ErrAuditChain = errors.New("the audit log was changed")
	// ErrImport: the text is not of the format that it was said to be.
	ErrImport = errors.New("cannot be imported")

	// ErrSave: the change could not be made durable. The previous generation stands, unless SaveError.Visible.
	ErrSave = errors.New("the store could not be saved")

	// ErrRollback: the file is older than the anchor remembers.
	ErrRollback = errors.New("the store was rolled back")
	// ErrForked: the file has the generation that the anchor remembers, with other contents.
	ErrForked = errors.New("the store was forked")
	// ErrStoreReplaced: the file is another store than the anchor remembers.
	ErrStoreReplaced = errors.New("the store was replaced")
	// ErrStoreMissing: the anchor remembers a store, and the file is gone.
	ErrStoreMissing = errors.New("the store file is missing")
	// ErrAnchorBehind: the file is newer than the anchor, and Options.StrictAnchor is set.
	ErrAnchorBehind = errors.New("the anchor is behind the store")
	// ErrAnchor: the anchor could not be read or written.
	ErrAnchor = errors.New("the anchor is not usable")

	// ErrSourceAbsent is what a KeySource returns when it has nothing to offer, so that the next source is tried.
	// Every other error of a source ends Open.
	ErrSourceAbsent = errors.New("key source absent")
)

// NameError says which name was refused and why. It is ErrBadName, or ErrTooLarge for a name over the limit.
type NameError struct {
	Name   string // quoted in the text, so control characters do not reach a terminal
	Reason string
	kind   error
}

// Error names the entry, quoted in ASCII.
func (e *NameError) Error() string { return fmt.Sprintf("credstore: name %+q: %s", e.Name, e.Reason) }

// Unwrap returns ErrBadName or ErrTooLarge.
func (e *NameError) Unwrap() error { return e.kind }

// PermissionError says which file is unsafe and how to repair it. It is ErrPermissions.
type PermissionError struct {
	Path   string
	Mode   fs.FileMode
	Reason string // with the repair
}

// Error names the file, its mode and the repair.
func (e *PermissionError) Error() string {
	return fmt.Sprintf("credstore: %s (mode %04o): %s", e.Path, e.Mode.Perm(), e.Reason)
}

// Unwrap returns ErrPermissions.
func (e *PermissionError) Unwrap() error { return ErrPermissions }

// RollbackError tells the generation that was found and the one that the anchor remembers. It is ErrRollback.
type RollbackError struct{ Have, Want uint64 }

// Error names both generations and the repair.
func (e *RollbackError) Error() string {
	return fmt.Sprintf("credstore: the store has generation %d, the anchor remembers %d: an older copy was put back; restore the newer file, or open with Options.Reanchor", e.Have, e.Want)
}

// Unwrap returns ErrRollback.
func (e *RollbackError) Unwrap() error { return ErrRollback }

// LockedError tells who holds the lock. It is ErrLocked and the error of the context.
type LockedError struct {
	Path  string
	PID   int // 0 when unknown
	cause error
}

// Error names the lock file and the process that holds it.
func (e *LockedError) Error() string {
	return fmt.Sprintf("credstore: %s is held by process %d: %v", e.Path, e.PID, e.cause)
}

// Unwrap returns ErrLocked and the error of the context.
func (e *LockedError) Unwrap() []error { return []error{ErrLocked, e.cause} }

// SaveError says how far a failed save came. It is ErrSave and the cause.
type SaveError struct {
	// Visible: every reader sees the change, but the disk did not confirm it: a power cut may take it back. Otherwise the
	// previous generation stands.
	Visible bool
	cause   error
}

// Error names the cause and what stands now.
func (e *SaveError) Error() string {
	if e.Visible {
		return fmt.Sprintf("credstore: %v for certain, the change is in place but may not survive a power cut; save again: %v", ErrSave, e.cause)
	}
	return fmt.Sprintf("credstore: %v, the previous generation stands: %v", ErrSave, e.cause)
}

// Unwrap returns ErrSave and the cause.
func (e *SaveError) Unwrap() []error { return []error{ErrSave, e.cause} }

// visible reports whether a failed save left the new generation in place.
func visible(err error) bool {
	var save *SaveError
	return errors.As(err, &save) && save.Visible
}
