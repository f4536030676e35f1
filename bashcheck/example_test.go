package bashcheck_test

import (
	"fmt"
	"slices"

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

// A check for commands in CI: what is not provably read-only, or rests on
// something that this host does not make true, fails.
func ExampleReport_ReadOnly() {
	analyzer := bashcheck.New(bashcheck.Options{Shell: bashcheck.Bash})
	granted := bashcheck.SafeEnvAssumptions() // the commands run in bashcheck.SafeEnv
	for _, src := range []string{"git log --oneline | head", "docker compose ps", "sed -i s/a/b/ x.txt"} {
		r := analyzer.Analyze(src)
		ok := r.ReadOnly()
		missing := slices.DeleteFunc(slices.Clone(r.Assumptions), func(a bashcheck.Assumption) bool { return slices.Contains(granted, a) })
		fmt.Println(ok && len(missing) == 0, r.Risk(), missing)
	}
	// Output:
	// true low []
	// false low [compose-file-trusted]
	// false medium []
}
