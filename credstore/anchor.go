package credstore

import "context"

// Point is one saved state of a store.
type Point struct {
	Generation uint64 `json:"generation"`
	Hash       []byte `json:"hash"` // SHA-256 of the whole file
}

// AnchorRecord is what an Anchor remembers. Committed is the last save that finished, Prepared one that has begun: after
// a crash between the two either may be the file's state. MAC is made with a key inside the store, so that a record can be
// deleted or replayed by others, but not forged.
type AnchorRecord struct {
	Version   int    `json:"version"`
	StoreID   string `json:"storeId"`
	Committed *Point `json:"committed,omitempty"`
	Prepared  *Point `json:"prepared,omitempty"`
	MAC       []byte `json:"mac"`
}

// Anchor remembers the newest state of one store in a place apart from it, so that an older, forked or foreign file is
// noticed. It is as strong as its place: a file in the state directory stops rollbacks by sync and backup tools; who can
// write both places can roll back both. Implementations must be safe for concurrent use; the store calls Save only under
// its lock.
type Anchor interface {
	// Load returns the record, or nil and no error when there is none.
	Load(context.Context) (*AnchorRecord, error)
	// Save replaces the record; it is durable when Save returns.
	Save(context.Context, *AnchorRecord) error
	// Describe names the place, for Status.
	Describe() string
}
