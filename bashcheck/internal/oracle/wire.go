//go:build linux

package oracle

import "time"

// Where things stand inside a sandbox.
const (
	BinDir    = "/oracle/bin"  // stubs
	RealDir   = "/oracle/real" // programs that stubs hand over to
	RecordDir = "/oracle/rec"  // what was recorded
	LogFile   = RecordDir + "/log"
	ReplyFile = RecordDir + "/reply"
	TraceFile = RecordDir + "/trace"
	WorkDir   = "/w" // where requests start unless they say otherwise
	Home      = "/home/u"
)

// Request is one program to run.
type Request struct {
	Argv    []string // Argv[0] is the path of the program
	Name    string   // the argv[0] it gets; empty: Argv[0]
	Env     []string
	Dir     string // empty: WorkDir
	Stdin   []byte
	Timeout time.Duration
	// Put are files that stand there before the run, and for it alone; what is
	// there already is left alone.
	Put []File
	// Save makes what the run leaves the state that later requests find.
	// Without it everything is restored.
	Save bool
	// Output and FailMod are how stubs answer: what they print, and that those
	// fail whose words' length is divisible by FailMod (0: none fails).
	Output  string
	FailMod int
}

// File is a file, folder (Data nil and Dir set) or link of a request.
type File struct {
	Path string
	Data []byte
	Link string
	Dir  bool
	Mode uint32 // 0: 0644 or 0755
}

// Result is what a run did.
type Result struct {
	Err      string // the runner could not run it
	Status   int
	TimedOut bool
	// Lost says that the record was removed or cut, so that Execs is not whole.
	Lost    bool
	Execs   []Exec
	Changes []Change
	// Traces are the files that strace -ff wrote, by process.
	Traces map[int]string
	// Output is what the program wrote, cut at 16 kB.
	Output []byte
}

// Exec is one execution of a stub.
type Exec struct {
	File string // of the program, its name in BinDir
	Dir  string
	Argv []string
	Env  []string
}

// Change is one file that is not as before.
type Change struct {
	Path string
	Op   string // created, changed, removed
}

// What the player (checkedrun/internal/player) ends with where a text was not run to its
// end.
const (
	PlayerUnsupported = 121 + iota
	PlayerRefused
	PlayerFailed
)
