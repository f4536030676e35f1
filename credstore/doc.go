// Package credstore keeps credentials encrypted at rest, shared safely by many processes, and out of sight of the model.
//
// Open with zero Options works on a fresh machine with no desktop, no prompt and no set-up: the store is always encrypted,
// and Status says in plain words how much the place of its key protects.
//
// # What it protects against, and what not
//
// Reading the files from a stolen disk, a backup, a synced folder, a commit or another account (how far depends on the key
// source, see Protection); changing, deleting, swapping or truncating anything in the file; torn files and lost updates;
// and, with the anchor, putting back an older file, a forked copy or another store. It does not protect against root, a
// debugger, or programs that run as the same user while the store is unlocked, nor against a model that spells a value it
// has already seen in another way. Who can write both the store and the anchor can roll back both. A rollback by exactly
// one generation goes unnoticed in the moment between a save's rename and its last step.
//
// Nothing is read from the environment except HOME and XDG_STATE_HOME (to place the state directory when Options.StateDir
// is empty), what an Environment source names, CREDENTIALS_DIRECTORY for a SystemdCredential, and the variables that a child
// gets (see Command).
//
// # Using a value without showing it
//
// Get returns a Secret, which prints as "[redacted]" everywhere. Command gives values to a child program, Transport to the
// hosts that an entry lists, Resolve to whoever needs a string. Redactor takes out of a program's output what must not
// reach the model. Options.Refresher renews what expires, in one process at a time.
//
// # Files
//
// In the store's directory: credentials.store; credentials.store.bak (the generation before); credentials.lock and
// credentials.audit.lock (never replaced or removed); credentials.locks (one lock for each entry that was refreshed);
// credentials.audit, its older part with the ending .1, and .damaged for a log or a store that was put aside. In the state
// directory: one STOREID-SLOTID.key for each slot of AutoKeyFile, and one .anchor file for each store directory. Files names
// them all.
//
// A damaged or missing store is never replaced silently. To go back to the generation before, open with Options.Recover; to
// a Backup, copy it over credentials.store and open with Options.Reanchor.
//
// One slow key derivation runs at a time in a process, whatever the number of stores: ten at once would need ten times the
// memory. That turn is the only state that stores share.
//
// # Format
//
// All integers are big-endian. derive(key, salt, info) is HKDF-SHA256 (RFC 5869) with 32 bytes of output. seal(key, data,
// additional) is a random 12-byte nonce, then AES-256-GCM ciphertext and 16-byte tag (NIST SP 800-38D).
//
//	file   = "CREDST1\n" | u32 length of header (≤ 65,536) | header | body; at most 16 MiB
//	header = JSON {"v":1,"id":16B,"kid":8B,"commit":32B,"salt":32B,"slots":[1 to 8 slots]}, then optional opt_ fields by name
//	slot   = {"type","id":8B,"label"?,"salt":32B,"m"?,"t"?,"p"?,"iter"?,"data"?,"wrap":60B}
//	body   = seal(derive(DEK, salt, "body v1"), plain, all bytes before the body)
//	plain  = u32 n | n bytes of JSON | zeros to a multiple of 512
//	JSON   = {"gen","prev":32B,"created","anchorKey":32B,"audit"?:{"first","sequence","mac":32B},
//	          "entries":{name:{"id":16B,"ver","meta","val","ref"?}}}
//	val    = seal(derive(DEK, entry id, "entry v1"), value, u32 length of name | name | u64 ver | meta)
//	ref    = seal(derive(DEK, entry id, "refresh v1"), refresh token, as for val)
//	commit = derive(DEK, id, "commit v1")
//	wrap   = seal(KEK, DEK, "wrap v1\x00" | id | slot id | type)
//
// Byte strings are base64 in JSON (RFC 4648 §4, padded). The header has exactly one spelling, that of Go's encoding/json for
// the fields in this order: any other is refused. meta is JSON {"label"?,"hosts"?,"env"?,"commands"?,"expires"?,"updated"},
// kept and authenticated as bytes. data of an age slot is the age file that holds the key. prev is the SHA-256 of the file
// before. salt is new in each save, so no key ever seals many messages.
//
// KEK is argon2id (RFC 9106; m in KiB, t, p) for type argon2id, PBKDF2-HMAC-SHA256 for pbkdf2, and derive(key, slot salt,
// "slot v1") for raw, keyring and age. Before anything is derived, parameters must lie within 19 MiB to 1 GiB, t 2 to 16,
// p 1 to 16, and 600,000 to 10,000,000 iterations.
//
// commit is checked before the body is opened: GCM does not commit to its key, so without it one file could be made to open
// under two keys. A mismatch is ErrWrongKey; a failing tag after it is ErrTampered.
//
// An anchor record is JSON {"version":1,"storeId":hex,"committed":{"generation","hash"},"prepared"?,"mac"}; hash is the
// SHA-256 of the file and mac is HMAC-SHA256 under derive(anchorKey, "", "anchor v1") over the record with a mac of null,
// spelled as Go's encoding/json does with the fields in this order.
//
// A line of the audit log is an AuditRecord in JSON; mac is HMAC-SHA256, in hex, under derive(anchorKey, "", "audit v1") over
// the record with an empty mac, prev the mac of the line before. A hidden name is the first 16 bytes, a fingerprint the first
// 8, of HMAC-SHA256 under derive(anchorKey, "", "name v1" or "fingerprint v1").
package credstore
