package bashcheck

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLoaderRefuses: a table that says less or something else than it seems to
// say is not loaded, and the error names the line.
func TestLoaderRefuses(t *testing.T) {
	const good = "program x\n  why ours\n  say prints\n  flags -a\n  operands read*\n  yes x f\n"
	require.NoError(t, loadPrograms("t", good, map[string]*program{}))
	for name, c := range map[string]struct{ text, want string }{
		"form bare after a sub-command": {"program x\n  why ours\n  sub a\n    say prints\n  form bare\n    say lists\n  yes x a\n",
			"t:5:3: a form of the sub-command is indented deeper than its sub; one of the program stands before the first sub"},
		"form after a sub-command whose mode is the program's": {"program x\n  why ours\n  mode list -l\n  sub a\n    say prints\n  form list\n    say lists\n  yes x a\n",
			"t:6:3: a form of the sub-command is indented deeper than its sub; one of the program stands before the first sub"},
		"form that no flag of the sub-command chooses": {"program x\n  why ours\n  sub a\n    say prints\n    form list\n      say lists\n  yes x a\n",
			`t:1:1: program x: no flag chooses form "list": write mode list FLAG…`},
		"operands beside sub-commands": {"program x\n  why ours\n  say prints\n  operands text*\n  sub a\n    say lists\n  yes x a\n",
			"t:1:1: program x: operands beside sub-commands: a word that is no sub-command would be one of them; write operands below a sub"},
		"form operands beside sub-commands": {"program x\n  why ours\n  say prints\n  form operands\n    operands text*\n  sub a\n    say lists\n  yes x a\n",
			"t:1:1: program x: operands beside sub-commands: a word that is no sub-command would be one of them; write operands below a sub"},
		"no reason":                   {"program x\n  say prints\n  operands read*\n  yes x f\n", "t:1:1: program x: why is missing: write why and where the facts come from"},
		"no reason in the second row": {good + "program y\n  say prints\n  yes y\n", "t:7:1: program y: why is missing: write why and where the facts come from"},
		"empty reason":                {"program x\n  why\n  say prints\n  yes x\n", "t:2:3: why needs a text: write where the facts come from"},
		"no example":                  {"program x\n  why ours\n  say prints\n", "t:1:1: program x: there is no example: write yes COMMAND and no COMMAND"},
		"an example of another row":   {good + "program y\n  why ours\n  say prints\n  yes x\n", "t:10:1: program y: the example calls another program: write one that calls this one"},
		"an example of a longer name": {"program x\n  why ours\n  say prints\n  no xy\n", "t:4:1: program x: the example calls another program: write one that calls this one"},
		"a flag twice in one line":    {"program x\n  why ours\n  say prints\n  flags -a -a\n  yes x\n", "t:4:12: flag -a stands here twice"},
		"a flag twice":                {"program x\n  why ours\n  say prints\n  flags -a\n  flag text -a\n  yes x\n", "t:5:13: flag -a stands here twice"},
		"a flag twice in modes":       {"program x\n  why ours\n  say prints\n  mode a -a\n  mode b -a\n  form a\n  form b\n  yes x\n", "t:5:10: flag -a already has a mode"},
		"a program twice":             {good + good, `t:7:9: program "x" is described twice`},
		"a name twice":                {"program x x\n  why ours\n  say prints\n  yes x\n", `t:1:11: program "x" is described twice`},
		"a sub-command twice":         {"program x\n  why ours\n  sub a\n    say b\n  sub a\n    say b\n  yes x a\n", `t:5:7: sub-command "a" is described twice`},
		"first for no flag":           {"program x\n  why ours\n  say prints\n  first -a\n  yes x\n", "t:4:9: flag -a is not described above this line: write flags -a before it"},
		"an unknown kind":             {"program x\n  why ours\n  say prints\n  operands file*\n  yes x\n", `t:4:12: unknown kind "file": it begins with what happens to the value: write args, change, connect, delete, enter, environment, execute, list, move, number, pair, process, read, refuse, run, text, unpack, upload, use or write`},
	} {
		t.Run(name, func(t *testing.T) {
			into := map[string]*program{}
			err := loadPrograms("t", c.text, into)
			var bad *DescriptionError
			require.ErrorAs(t, err, &bad)
			assert.Equal(t, c.want, bad.Error())
		})
	}
}

// TestLoaderExampleWords: an example calls its program wherever it stands.
func TestLoaderExampleWords(t *testing.T) {
	for _, src := range []string{"x", "/bin/x f", "ls | x", "A=1 x", `\x f`, "'x' f", "echo $(x)", "cd d && x;", "xargs x"} {
		assert.True(t, example{command: src}.calls([]string{"x"}), src)
	}
	for _, src := range []string{"y", "xy", "y x.txt", "--x"} {
		assert.False(t, example{command: src}.calls([]string{"x"}), src)
	}
}

// TestKindsAreStrict: there is one way to write a kind, and what is wrong is
// told with what to write.
func TestKindsAreStrict(t *testing.T) {
	for kind, want := range map[string]string{
		"read:frob":                   `unknown kind "read:frob": "frob" says nothing about a value; behind read: write awk-file, c-source, ending=…, gzip-file, iconv-charset, local, not=…, one=…, plain, remote, single, spelled, unzip-file or word`,
		"read:helm-chart":             `unknown kind "read:helm-chart": helm-chart stands behind read/tree; write read/tree:helm-chart`,
		"write:remote:local":          `unknown kind "write:remote:local": "remote" says nothing about a value; behind write: write`,
		"text:remote":                 `"remote" says nothing about a value; behind text: write`,
		"use:remote":                  `"remote" says nothing about a value`,
		"read:local:local":            `unknown kind "read:local:local": write local once, and one list`,
		"text:one=a:one=b":            "write one once, and one list",
		"text:one=a,,b":               "write one=WORD,WORD,…",
		"text:one=":                   "write one=WORD,WORD,…",
		"text:one":                    `"one" says nothing about a value`,
		"read:plain=a":                `"plain=a" says nothing about a value`,
		"read:ending=.md":             "the value must be known for that; write read:spelled:ending=.md or read:plain:ending=.md",
		"read:not=a":                  "the value must be known for that",
		"number:spelled":              "nothing stands behind number; write number",
		"process:spelled":             "nothing stands behind process; write process",
		"move/tree":                   `unknown kind "move/tree": it begins with`,
		"connect":                     `unknown kind "connect": it begins with`,
		"connect:frob":                `unknown kind "connect:frob": it begins with`,
		"privilege":                   `unknown kind "privilege": it begins with`,
		"environment":                 `unknown kind "environment": it begins with`,
		"read/all":                    `unknown kind "read/all": write read, read/tree or read/within`,
		"text/tree":                   `unknown kind "text/tree": it begins with`,
		"read:":                       `"" says nothing about a value`,
		"":                            `unknown kind ""`,
		"read:spelled:ending=.a:word": "",
		"write/within:local:single":   "",
		"use:spelled":                 "",
	} {
		_, problem := parseKind(kind)
		if want == "" {
			assert.Empty(t, problem, kind)
			continue
		}
		assert.Contains(t, problem, want, kind)
	}
}
