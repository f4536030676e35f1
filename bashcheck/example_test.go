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
	// true Searches text in src, then prints the beginning of its input. It only reads.
	// false Sorts lines in in.txt, writing out.txt.
}
