package bashcheck

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestPrintedObjects: what git prints is known not to begin with a dash where it
// is a digest, and nowhere else.
func TestPrintedObjects(t *testing.T) {
	for _, src := range []string{
		"git log $(git merge-base main HEAD)..HEAD", `git diff "$(git merge-base main HEAD)" HEAD`, "git diff $(git rev-list -n 1 v1.0) HEAD --stat", "git show $(git log -1 --format=%H -- f):f",
		"git log $(git rev-list --max-parents=0 HEAD)..HEAD", "git diff $(git rev-parse origin/main)..HEAD", "git describe --tags $(git rev-list --tags --max-count=1)",
		"git log origin/$(git branch --show-current)..HEAD", `b=$(git branch --show-current); git log "origin/$b"`, "git cat-file -p $(git hash-object f)", "for i in 1 2; do git show HEAD~$i; done",
		"for c in $(git rev-list -5 HEAD); do git show --stat $c; done", "for c in $(git log -3 --format=%h); do git show $c; done",
		`find "$(pwd)" -name x`, "cd $(git rev-parse --show-toplevel) && ls", `head -n "$(wc -l < f)" f`,
	} {
		r := Analyze(src)
		assert.True(t, r.ReadOnly(), "%s: %s", src, r.Explain())
	}
	for _, src := range []string{
		"git log $(git branch --show-current)", "git log $(git describe)", "git log $(git rev-parse --abbrev-ref @{u})", "git log $(git rev-parse --default --output=x)", "git log $(git rev-list --objects HEAD)",
		"git log $(git rev-list --header HEAD)", "git log $(git rev-list --format=%s HEAD)", "git log $(git log -1 --format=%s)", "git log $(git log -1 --format=%H --show-signature)", "git log $(git log -1)",
		"git log $(git log -1 --format=%H -p)", "git log $(git merge-base a b)--output=f", `git log "$(git merge-base a b)"--output=f`, `git log "$(git merge-base a b)"'--output=f'`, `git log "$(git merge-base a b)$x"`,
		`x=$(git merge-base a b); git log "$x"--output=f`, `git log "$(git merge-base a b)$(git branch --show-current)"`, `sort "$(nproc)$x" f`, `x=; git log "$x--output=f"`, "for c in $(git rev-list HEAD) --output=x; do git show $c; done", "for c in $(git branch); do git show $c; done",
		`for c in $(git rev-list HEAD)" --output=x"; do git show $c; done`, `for c in "$(git rev-list HEAD)"; do git show $c; done`, `for c in $(git rev-list HEAD); do c="-x y"; git show $c; done`,
		"for c in $(git rev-list HEAD); do :; done; git show $c--output=x", "for c; do git show $c; done", "IFS=a; for c in $(git rev-list HEAD); do git show x$c; done",
		"find $(pwd)", "sort $(git rev-parse --show-toplevel)/f",
	} {
		assert.False(t, Analyze(src).ReadOnly(), src)
	}
}
