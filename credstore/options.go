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
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Meta describes an entry. It is sealed with the entry: nobody can change it without the store's key.
type Meta struct {
	Label   string    `json:"label,omitempty"`
	Hosts   []string  `json:"hosts,omitempty"`  // exact host names that the value may be sent to
	Env     string    `json:"env,omitempty"`    // the variable that programs expect the value in
	Expires time.Time `json:"expires,omitzero"` // zero: not known
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
}
