package mcptrust

// Limits bound what is read from files, servers and the store. What is larger
// is refused with an error or [Blocked], never cut.
const (
	// MaxFileBytes is the size of a server configuration file.
	MaxFileBytes = 1 << 20
	// MaxUserFileBytes is the size of a user's own file of many projects
	// ([FormatClaudeUser]).
	MaxUserFileBytes = 16 << 20
	// MaxItemBytes is the size of one tool, prompt, resource or instructions.
	MaxItemBytes = 1 << 20
	// MaxListBytes is the size of all definitions in one check, and of one kind
	// that a [Session] keeps.
	MaxListBytes = 8 << 20
	// MaxItems is the number of definitions in one check, and of one kind that
	// a [Session] keeps.
	MaxItems = 10000
	// MaxPages is the number of pages of one list in a [Session].
	MaxPages = 1000
	// MaxStoreBytes is the size of one store file: one project.
	MaxStoreBytes = 8 << 20
	// MaxDepth is the nesting of JSON.
	MaxDepth = 128
	// MaxNameBytes is the length of a tool's or prompt's name; a resource may
	// have four times as many.
	MaxNameBytes = 256
	// MaxFindings is the number of findings kept for one definition. One more
	// says that there are others.
	MaxFindings = 64
	// MaxEvidenceBytes is the size of a file that [Server.Collect] hashes.
	MaxEvidenceBytes = 1 << 30
)
