package bashcheck

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestQuestionsToTheShell: what the shell is asked about its own variables,
// functions and options only prints; what looks like such a question and is
// none is no read-only command.
func TestQuestionsToTheShell(t *testing.T) {
	for _, src := range []string{
		"declare -p PATH", "declare -p HOME x", "typeset -p HOME", "declare -F", "declare -F foo | head", "declare -f foo",
		"set -o | grep pipefail", "trap -p", "trap -p EXIT", "complete -p | head", "compgen -c | wc -l", "bind -P | head", "fc -l -10",
		`echo "${PATH//:/$'\n'}"`, `printf '%s\n' "${x//,/$'\t'}"`, "TZ=America/New_York date", "TZ=Etc/GMT+5 date", "TZ=UTC date",
		"printf -v n '%03d' 7; echo \"$n\"",
	} {
		r := Analyze(src)
		assert.True(t, r.ReadOnly(), "%s: %s", src, r.Explain())
	}
	for _, src := range []string{
		"declare -p", "declare -p AWS_SECRET_ACCESS_KEY", "declare -p x=1", "declare -p 'a[$(id)]'", "declare -p a[1]", "declare -p $x", "declare -px", "declare -F x=1", "declare -F -x PATH=/tmp",
		"export -p", "declare -x", "declare", "set -o vi", "set -o $x", "trap -p 'touch x' EXIT; trap 'touch x' EXIT", "trap 'touch x' -p", "trap -- -p EXIT",
		"complete -p -F f x", "compgen -F f", "compgen -cW '$(id)'", "bind -p -x '\"a\":id'", "fc -l -s", "fc -s",
		`echo "${x//a/$'$(id)'}"`, `echo "${x//a/$'\x24(id)'}"`, `echo "${x//a/'$(id)'}"`, `echo "${x:-'$(id)'}"`, `echo "${x//a/$'\\n$(id)'}"`, "echo \"${x//a/'\\n`id`'}\"",
		"TZ=/etc/passwd date", "TZ=:/etc/x date", "TZ=a/../../x date", "TZ=$x date", "LC_ALL=a/b date", "printf -v PATH x", "printf -v 'a[$(id)]' x",
	} {
		assert.False(t, Analyze(src).ReadOnly(), src)
	}
	// The same words to a shell that takes them otherwise.
	for _, src := range []string{"declare -F x", "trap -p", "declare -p x"} {
		assert.False(t, New(Options{Shell: Zsh}).Analyze(src).ReadOnly(), src)
		assert.False(t, New(Options{Shell: Any}).Analyze(src).ReadOnly(), src)
	}
}
