package permission_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
)

// terminal asks a person line by line.
type terminal struct {
	in  *bufio.Reader
	out io.Writer
}

func (t terminal) Approve(_ context.Context, r permission.Request) (permission.Answer, error) {
	fmt.Fprint(t.out, r.Prompt(), "[y] once  [s] session  [a] always  [n] no: ")
	line, err := t.in.ReadString('\n')
	if err != nil {
		return permission.Answer{}, err // refuses
	}
	fmt.Fprintln(t.out)
	return permission.Answer{Token: r.Token, Choice: map[string]permission.Choice{
		"y": permission.Once, "s": permission.ForSession, "a": permission.Always}[strings.TrimSpace(line)]}, nil
}

// fixed is an inspector that knows one program.
type fixed struct{}

func (fixed) Inspect(_ context.Context, call permission.Call, _ permission.Lookout) (permission.Inspection, error) {
	var in struct{ Command string }
	err := json.Unmarshal(call.Input, &in)
	return permission.Inspection{Family: "Bash", Explanation: permission.TextOf("Makes a directory."), Risk: permission.RiskMedium, Actions: []permission.Action{
		{Kind: permission.Run, Origin: permission.Tool, Command: &permission.Command{Allow: []string{in.Command}, Deny: []string{in.Command}, Prefix: "mkdir"}}}}, err
}

func ExampleApprover() {
	eval, err := permission.New(permission.Config{Inspector: fixed{}})
	if err != nil {
		panic(err)
	}
	var shown strings.Builder
	person := terminal{bufio.NewReader(strings.NewReader("s\n")), &shown}
	session := permission.NewGate(eval, permission.GateOptions{Approver: person}).Session(permission.SessionOptions{Dir: "/project"})
	for _, command := range []string{"mkdir a", "mkdir b"} { // the second is not asked about
		input, _ := json.Marshal(map[string]string{"command": command})
		grant, err := session.Authorize(context.Background(), permission.Call{Tool: "Bash", Input: input, Dir: "/project"})
		fmt.Println(grant.Call().Tool, err)
	}
	fmt.Print(shown.String())
	// Output:
	// Bash <nil>
	// Bash <nil>
	// May the model use Bash?
	//   | command: mkdir a
	// What it does: Makes a directory.
	// Risk: medium
	// Why it asks:
	//   - No rule allows "mkdir a".
	// A yes for the session, or always, adds the rules:
	//   + Bash(mkdir *)
	// [y] once  [s] session  [a] always  [n] no:
}

// Nothing that a model or a repository chooses can clear the question away, hide
// in it, or look like a line of it.
func TestPromptShowsWhatHides(t *testing.T) {
	const nasty = "a\x1b[2J\u202eb\u200bc\u2800\ufe0f\x9b\r\nRisk: low\nMay the model use Read?"
	input, err := json.Marshal(map[string]string{"file_path": nasty, "x": "y"})
	require.NoError(t, err)
	r := permission.Request{
		Call:        permission.Call{Tool: "Write\x1b[1m", Input: input},
		Inspection:  permission.Inspection{Explanation: permission.TextOf(nasty), Risk: permission.RiskHigh},
		Decision:    permission.Decision{Verdict: permission.Ask, Reasons: []permission.Reason{{Verdict: permission.Ask, Text: nasty}, {Verdict: permission.Allow, Text: "no reason to ask"}}},
		Suggestions: []string{nasty},
		Changes:     "-" + nasty,
	}
	require.Contains(t, r.Decision.Reasons[0].Text, "\x1b[2J", "the parts hold it as it came")
	got := r.Prompt()
	own := 0
	for line := range strings.Lines(got) {
		for _, c := range strings.TrimSuffix(line, "\n") {
			assert.True(t, unicode.IsPrint(c) && c != '\u2800' && c != '\ufe0f', "%U in %q", c, line)
		}
		if strings.HasPrefix(line, "Risk:") || strings.HasPrefix(line, "May ") {
			own++
		}
	}
	assert.Equal(t, 2, own)
	assert.Contains(t, got, `a\u{1B}[2J\u{202E}b\u{200B}c\u{2800}\u{FE0F}`)
	assert.NotContains(t, got, "no reason to ask")

	for in, want := range map[string]string{
		`{"a":1,"a":"b"}`:  "  | a: 1\n  | a: b\n",
		`{"a":[1, "x"]}`:   "  | a: [1, \"x\"]\n",
		`[1]`:              "  | [1]\n",
		`{"a":`:            "  | {\"a\":\n",
		`{"a":1} x`:        "  | {\"a\":1} x\n",
		``:                 "  | \n",
		"{\"a\":\"\xff\"}": "  | a: \"\\xFF\"\n",
	} {
		assert.Contains(t, permission.Request{Call: permission.Call{Tool: "T", Input: json.RawMessage(in)}}.Prompt(), want, in)
	}
}
