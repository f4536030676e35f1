package credstore

import "time"

// Options configure Open. The zero value works on a fresh machine with no desktop and no prompt: an automatic key file in
// the state directory (protection "obfuscation", as Status says) and an anchor file beside it.
type Options struct {
	// Keys are tried in order. A new store gets its key from the first source that is not absent. Nil means AutoKeyFile().
	// Nothing else is ever tried, and no key is read from the environment unless an Environment source stands here.
	Keys []KeySource
	// RequireProtection refuses a source that protects less (ErrProtection), before a store is made or opened.
	RequireProtection Protection
	// StateDir holds the automatic key file and the anchor. It must not lie in a synced folder. Empty means
	// clearance/credstore below $XDG_STATE_HOME, or ~/.local/state, or the user's local application data on Windows.
	StateDir string
	// Anchor remembers the newest state. Nil means a file in StateDir.
	Anchor Anchor
	// StrictAnchor refuses to open an existing store when the anchor is missing, unreadable or behind.
	StrictAnchor bool
	// Reanchor accepts the file as it is, once, and makes the anchor anew: the way back after ErrRollback, ErrForked,
	// ErrStoreReplaced, ErrStoreMissing or a damaged anchor, when a person has decided which file is right.
	Reanchor bool
	// ReadOnly opens an existing store without writing anything, the lock file and the anchor included.
	ReadOnly bool
	// InsecureFastKDF makes and accepts passphrase slots with a derivation so cheap that guessing is cheap too. For tests.
	InsecureFastKDF bool
	// Recover puts the kept previous generation in place of a store file that is missing or damaged, once, and accepts it
	// as Reanchor does. The damaged file is kept as credentials.store.damaged. The last change is lost, so it is for a
	// person to choose; Status tells of it.
	Recover bool
	// Audit says what the audit log records. The zero value records changes and exports.
	Audit AuditPolicy
	// RequireAudit refuses what cannot be recorded (ErrAudit). Without it the operation goes on and Status counts.
	RequireAudit bool
	// AuditNames writes the names of entries into the audit log in the clear. Without it a keyed hash stands there, because
	// the store encrypts names: the same hash for the same name, see Store.HiddenName.
	AuditNames bool
	// Refresher returns what renews an entry, or nil if nothing does. It must be quick and do no I/O. See Get.
	Refresher func(name string, meta Meta) Refresher
	// RequireLocal refuses (ErrRemote) a store or a state directory on a file system that other machines may share, or whose
	// kind is not known. Without it Status warns.
	RequireLocal bool
	// LockAfter drops the data key after this time without use; 0 means never. The next call that needs it asks the key source
	// again. See Store.Lock.
	LockAfter time.Duration
	// Now is the clock. Nil means time.Now.
	Now func() time.Time

	disk    disk                 // nil: the real one
	elapsed func() time.Duration // nil: the monotonic clock since Open
	statfs  func(dir string) (name string, where locality, err error)
}

// Meta describes an entry. It is sealed with the entry: nobody can change it without the store's key.
type Meta struct {
	Label string `json:"label,omitempty"`
	// Hosts are the exact hosts that Transport may send the value to: "api.example.com" (the default port of its scheme)
	// or "127.0.0.1:8080". Empty: none.
	Hosts []string `json:"hosts,omitempty"`
	// Env is the variable that programs expect the value in.
	Env string `json:"env,omitempty"`
	// Commands are the absolute paths of the programs that Command may give the value to. Empty: any that the caller names.
	Commands []string `json:"commands,omitempty"`
	// Expires is when the value ends for good. Zero: not known.
	Expires time.Time `json:"expires,omitzero"`
}

// Entry describes an entry without its value.
type Entry struct {
	Name    string
	Version uint64 // counts the writes of this entry, from 1
	Updated time.Time
	Meta    Meta
}

// SlotStatus describes one way to open the store.
type SlotStatus struct {
	ID    string
	Type  string // argon2id, pbkdf2, raw, keyring, age
	Label string
}

// Status tells the truth about a store in words for people.
type Status struct {
	Path        string
	StoreID     string
	Generation  uint64
	Entries     int
	Source      string // the key source that opened the store
	Protection  Protection
	Explanation string // Protection.Explain
	Rollback    string // "anchored (place)", or "unverified: why"
	Slots       []SlotStatus
	Warnings    []string
	// AuditFailures counts the operations since Open that could not be recorded.
	AuditFailures uint64
}
