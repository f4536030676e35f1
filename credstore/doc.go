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
// is empty) and what an Environment source names.
//
// # Files
//
// In the store's directory: credentials.store, credentials.store.bak (the generation before), credentials.lock (never
// replaced or removed). In the state directory: STOREID.key (only with AutoKeyFile) and one .anchor file for each store
// directory. If the store is damaged, copy credentials.store.bak over credentials.store and open with Options.Reanchor.
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
//	JSON   = {"gen","prev":32B,"created","anchorKey":32B,"auditHead"?,"entries":{name:{"id":16B,"ver","meta","val"}}}
//	val    = seal(derive(DEK, entry id, "entry v1"), value, u32 length of name | name | u64 ver | meta)
//	commit = derive(DEK, id, "commit v1")
//	wrap   = seal(KEK, DEK, "wrap v1\x00" | id | slot id | type)
//
// Byte strings are base64 in JSON (RFC 4648 §4, padded). The header has exactly one spelling, that of Go's encoding/json
// for the fields in this order: any other is refused. meta is kept and authenticated as bytes. prev is the SHA-256 of the
// file before. salt is new in each save, so no key ever seals many messages.
//
// KEK is argon2id (RFC 9106; m in KiB, t, p) for type argon2id, PBKDF2-HMAC-SHA256 for pbkdf2, and derive(key, slot salt,
// "slot v1") for raw, keyring and age. Before anything is derived, parameters must lie within 19 MiB to 1 GiB, t 2 to 16,
// p 1 to 16, and 600,000 to 10,000,000 iterations.
//
// commit is checked before the body is opened: GCM does not commit to its key, so without it one file could be made to open
// under two keys. A mismatch is ErrWrongKey; a failing tag after it is ErrTampered.
//
// An anchor record is JSON {"version":1,"storeId":hex,"committed":{"generation","hash"},"prepared"?,"mac"}; hash is the
// SHA-256 of the file and mac is HMAC-SHA256 under derive(anchorKey, "", "anchor v1") over the record without mac.
package credstore
