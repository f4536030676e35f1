package bashcheck

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Digest identifies what was judged: the text and, by [Report.Analyzer], the
// options and descriptions that it was judged by. It is a hexadecimal SHA-256,
// the same in every process of one build of this package; a report that no
// Analyzer made has none (""). An approval can be bound to it: since Analyze
// is a function of the text and the analyzer alone, an equal digest means an
// equal report. It does not cover the other fields of the Report, so whoever
// receives a Report from elsewhere analyzes the text again.
func (r Report) Digest() string {
	if r.Analyzer == "" {
		return ""
	}
	var room [1024]byte
	b := append(room[:0], "clearance/report/v1\x00"...)
	b = append(b, r.Analyzer...)
	b = append(b, 0)
	b = append(b, r.Source...)
	sum := sha256.Sum256(b)
	var out [2 * sha256.Size]byte
	hex.Encode(out[:], sum[:])
	return string(out[:])
}

// builtinSum identifies the embedded descriptions.
var builtinSum = sync.OnceValue(func() [sha256.Size]byte {
	h := sha256.New()
	// A failure is one of builtin too, which then describes nothing.
	_ = eachProgramFile(programFiles, func(name string, data []byte) error {
		hashText(h, strings.TrimPrefix(name, programFolder+"/"))
		hashLength(h, len(data))
		h.Write(data)
		return nil
	})
	hashText(h, keysFile)
	return [sha256.Size]byte(h.Sum(nil))
})

// analyzerVersion changes when the code of the analyzer, and not its tables,
// would make other reports.
const analyzerVersion = "2"

// identity is the value of Report.Analyzer. An Analyzer that New did not make
// has none.
func (a *Analyzer) identity() string {
	if a.id == nil {
		return ""
	}
	return a.id()
}

// identify is the identity for options.
func identify(o Options) string {
	h := sha256.New()
	sum := builtinSum()
	h.Write(sum[:])
	hashText(h, analyzerVersion)
	hashText(h, string([]byte{byte(o.Shell)}))
	hashText(h, o.Home)
	for _, k := range slices.Sorted(maps.Keys(o.Vars)) {
		hashText(h, k)
		hashText(h, o.Vars[k])
	}
	hashText(h, "programs")
	for _, s := range o.Programs {
		hashText(h, s.Name)
		hashText(h, s.Text)
	}
	hashText(h, "limits")
	for _, n := range []int{o.Limits.Bytes, o.Limits.Depth, o.Limits.Nodes, o.Limits.Commands} {
		hashLength(h, n)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// hashText writes a text so that no two lists of texts look alike.
func hashText(h hash.Hash, s string) {
	hashLength(h, len(s))
	h.Write([]byte(s))
}

func hashLength(h hash.Hash, n int) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	h.Write(b[:])
}
