package bashcheck_test

import (
	"fmt"

	"github.com/clearance-go/clearance/bashcheck"
)

func Example() {
	for _, src := range []string{"grep -rn foo src | head", "sort -o out.txt in.txt"} {
		r := bashcheck.Analyze(src)
		fmt.Println(r.ReadOnly(), r.Explain())
	}
	// Output:
	// true Runs `grep -rn foo src` (reads src), and `head`. It only reads.
	// false Runs `sort -o out.txt in.txt` (writes out.txt, reads in.txt). Not provably read-only: It writes out.txt.
}
