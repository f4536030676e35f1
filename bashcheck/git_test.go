//go:build linux

package bashcheck

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck/internal/oracle"
)

// harmfulReader is a command that looks like a reader, the scratch state in which
// it does harm, and what strace then sees of it.
type harmfulReader struct {
	setup, command, want, why string
}

// signedCommit makes HEAD a commit with something in the place of a signature.
const signedCommit = `printf 'tree %s\nauthor u <u@x> 1 +0000\ncommitter u <u@x> 1 +0000\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\nm\n' $(git rev-parse HEAD^{tree}) > /tmp/c
git reset -q --soft $(git hash-object -t commit -w /tmp/c)`

// clonedDash is a repository whose only branch came with a clone and begins
// with a dash.
const clonedDash = `git init -q /tmp/up && cd /tmp/up && git -c user.name=u -c user.email=u@x commit -q --allow-empty -m m
git update-ref refs/heads/--output=out HEAD && git symbolic-ref HEAD refs/heads/--output=out
rm -rf /w/.git; cd /w && git -c protocol.file.allow=always clone -q --bare /tmp/up .git && git config core.bare false`

var harmfulReaders = []harmfulReader{
	{signedCommit, "git log -1 --format=%G?", "exec /usr/bin/gpg", "a placeholder that checks a signature"},
	{signedCommit, "git log -1 --format=%+G?", "exec /usr/bin/gpg", "a sign may stand before the letter of a placeholder"},
	{signedCommit, "git show -s --pretty='tformat:%-GS' HEAD", "exec /usr/bin/gpg", "a sign may stand before the letter of a placeholder"},
	{signedCommit, "git log -1 --format='% GK'", "exec /usr/bin/gpg", "a blank may stand before the letter of a placeholder"},
	{"", "git describe --always --dirty", "open /w/.git/index.lock", "describe writes the index whatever GIT_OPTIONAL_LOCKS says"},
	{"", "git log -p --diff-merges=remerge -1", "mkdir /w/.git/objects/tmp_objdir-remerge-diff-", "a merge that is made again keeps its objects"},
	{"", "git show --diff-merges=r HEAD", "mkdir /w/.git/objects/tmp_objdir-remerge-diff-", "r is short for remerge"},
	{clonedDash, "git log $(git branch --show-current)", "created /w/out", "the name of a cloned branch may begin with a dash"},
	{clonedDash, `git diff "$(git rev-parse --abbrev-ref HEAD)"`, "created /w/out", "the name of a cloned branch may begin with a dash"},
	{clonedDash, "b=$(git branch --show-current); git log -1 $b", "created /w/out", "the name of a cloned branch may begin with a dash"},
	{"", `git log "$(git merge-base none HEAD)--output=out"`, "created /w/out", "a substitution may be empty, so that the word begins after it"},
	{"", `sort "$(wc -l < none)-oout" f`, "created /w/out", "a substitution may be empty, so that the word begins after it"},
	{"", `x=$(wc -l < none); sort "$x-oout" f`, "created /w/out", "a variable may be empty, so that the word begins after it"},
	{"mkdir '/w/a -oout' && echo x > /w/a", `cd 'a -oout' && sort $(pwd)`, "created /w/a -oout/out", "the name of a folder may hold a blank and a dash"},
	{"mkdir /w/a '/w/a -delete'", `cd 'a -delete' && find $(pwd)`, "remove /w/a", "the name of a folder may hold a blank and a dash"},
}

// TestOracleHarmfulReaders shows of each command that it does what its reason
// says, under SafeEnv, and that it is not called read-only.
func TestOracleHarmfulReaders(t *testing.T) {
	a := New(Options{Home: oracle.Home})
	oracleNeeds(t, "gpg")
	box := straceBox(t)
	for _, x := range harmfulReaders {
		r := a.Analyze(x.command)
		assert.False(t, r.ReadOnly(), "%s: %s", x.command, x.why)
		src := x.command
		if x.setup != "" {
			src = "{ " + x.setup + "\n} > /dev/null || exit 99\ncd /w\n" + src
		}
		res, err := box.Run(straceRequest(src, Report{}))
		require.NoError(t, err)
		assert.NotEqual(t, 99, res.Status, "%s: %s", x.command, res.Output)
		harm, _ := straceHarm(r, res)
		assert.True(t, slices.ContainsFunc(harm, func(h string) bool { return strings.HasPrefix(h, x.want) }), "%s: %s is not among %q: %s", x.command, x.want, harm, res.Output)
	}
}
