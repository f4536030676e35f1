package permission_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	. "github.com/clearance-go/clearance/permission"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const proj = "/home/u/proj"

// newEvaluator reads one trusted project settings file.
func newEvaluator(t testing.TB, settings string) *Evaluator {
	t.Helper()
	p, _ := ParsePolicy("/home/u", Source{Layer: LayerProject, Name: "settings.json", Base: proj, Data: []byte(settings)})
	e, err := New(Config{Policy: p, Inspector: noInspector{}})
	require.NoError(t, err)
	return e
}

func file(kind Kind, path string, zone Zone, class Class) Action {
	return Action{Kind: kind, Origin: Tool, Path: Path{Clean: path, Real: path, Extent: Exact, Zone: zone, Class: class}}
}

func command(text string) Action {
	return Action{Kind: Run, Origin: Tool, Command: &Command{Allow: []string{text}, Deny: []string{text}}}
}

func shell(actions ...Action) Inspection { return Inspection{Family: "Bash", Actions: actions} }

// TestReasons has one row for each reason code: what leads to it, and who may
// settle it. The rows are the table "who may settle an Ask".
func TestReasons(t *testing.T) {
	all := ByBypass | ByHook | ByClassifier | BySandbox | ByPerson
	noSandbox := all &^ BySandbox
	closed := command("ls")
	closed.Command.Closed = true
	critical := file(Delete, "/home/u", Outside, Ordinary)
	critical.Path.Critical = true
	runner := command("make")
	runner.Command.Describe(CommandDetails{Digest: "new"})
	steering := file(Write, proj+"/CLAUDE.md", Inside, Ordinary)
	steering.Path.Steers = true
	rows := []struct {
		code     string
		settings string
		state    State
		tool     string
		ins      Inspection
		verdict  Verdict
		asked    Settlers
	}{
		{CodeDenyRule, `{"permissions":{"deny":["Bash(rm *)"]}}`, State{}, "Bash", shell(command("rm x")), Deny, 0},
		{CodeForbidden, `{}`, State{}, "Read", Inspection{Family: "Read", Actions: []Action{file(Read, "/h", Inside, Forbidden)}}, Deny, 0},
		{CodeForbidden, `{}`, State{Mode: ModeBypass}, "Write", Inspection{Family: "Edit", Actions: []Action{file(Write, "/h", Inside, Forbidden)}}, Deny, 0},
		{CodeAskRule, `{"permissions":{"ask":["Bash(rm *)"]}}`, State{}, "Bash", shell(command("rm x")), Ask, ByPerson},
		{CodeAskRule, `{"permissions":{"ask":["Bash"]}}`, State{}, "Bash", shell(closed), Ask, ByPerson | BySandbox},
		{CodeMayMatch, `{"permissions":{"deny":["Bash(rm *)"]}}`, State{}, "Bash", shell(command("\x00 x")), Ask, ByPerson},
		{CodeMayMatch, `{"permissions":{"deny":["Read([a)"]}}`, State{}, "Read", Inspection{Family: "Read", Actions: []Action{file(Read, proj+"/a", Inside, Ordinary)}}, Ask, ByPerson},
		{CodeInteraction, `{}`, State{}, "X", Inspection{Family: "X", MustAsk: "x", Actions: []Action{{Kind: Use, Origin: Tool, Free: true}}}, Ask, ByPerson},
		{CodeCritical, `{"permissions":{"allow":["Edit(//**)","Bash"]}}`, State{}, "Bash", shell(critical), Ask, ByClassifier | ByPerson},
		{CodeProtected, `{"permissions":{"allow":["Edit(//**)"]}}`, State{Mode: ModeAcceptEdits}, "Write", Inspection{Family: "Edit", Actions: []Action{file(Write, proj+"/.git/config", Inside, Protected)}}, Ask, noSandbox},
		{CodeSensitive, `{}`, State{}, "Read", Inspection{Family: "Read", Actions: []Action{file(Read, proj+"/.env", Inside, Sensitive)}}, Ask, noSandbox},
		{CodeOutside, `{}`, State{}, "Read", Inspection{Family: "Read", Actions: []Action{file(Read, "/etc/x", Outside, Ordinary)}}, Ask, all},
		{CodeOutside, `{}`, State{}, "Write", Inspection{Family: "Edit", Actions: []Action{file(Write, "/etc/x", Outside, Ordinary)}}, Ask, all},
		{CodeFinding, `{"permissions":{"allow":["Bash"]}}`, State{}, "Bash", Inspection{Family: "Bash", Actions: []Action{closed}, Findings: []Finding{{Code: "x", Text: "x"}}}, Ask, all},
		{CodeUnmatched, `{}`, State{}, "Bash", shell(command("foo")), Ask, all},
		{CodeUnmatched, `{"permissions":{"allow":["PowerShell"]}}`, State{Mode: ModeBypass}, "PowerShell", Inspection{Family: "PowerShell", Actions: []Action{command("ls")}}, Ask, ByHook | ByClassifier | ByPerson},
		{CodeEdit, `{}`, State{}, "Write", Inspection{Family: "Edit", Actions: []Action{file(Write, proj+"/a", Inside, Ordinary)}}, Ask, all},
		{CodeNetwork, `{}`, State{}, "WebFetch", Inspection{Family: "WebFetch", Actions: []Action{{Kind: Connect, Origin: Tool, Host: "a.org"}}}, Ask, all},
		{CodePlan, `{"permissions":{"allow":["Edit","Edit(/**)"]}}`, State{Mode: ModePlan}, "Write", Inspection{Family: "Edit", Actions: []Action{file(Write, proj+"/a", Inside, Ordinary)}}, Ask, all &^ ByBypass},
		{CodePlan, `{"permissions":{"allow":["Bash"]}}`, State{Mode: ModePlan}, "Bash", shell(command("foo")), Ask, all},
		{CodeMode, `{}`, State{Mode: ModeAcceptEdits}, "Write", Inspection{Family: "Edit", Actions: []Action{file(Write, proj+"/a", Inside, Ordinary)}}, Allow, 0},
		{CodeMode, `{}`, State{Mode: ModeBypass}, "Bash", shell(command("foo")), Allow, 0},
		{CodeMode, `{}`, State{Mode: ModeDontAsk}, "Bash", shell(command("foo")), Deny, 0},
		{CodeMode, `{"permissions":{"denyInsteadOfPrompting":true}}`, State{}, "Bash", shell(command("foo")), Deny, 0},
		{CodeAllowRule, `{"permissions":{"allow":["Bash(foo *)"]}}`, State{}, "Bash", shell(command("foo x")), Allow, 0},
		{CodeClosed, `{}`, State{}, "Bash", shell(closed), Allow, 0},
		{CodeWorkspace, `{}`, State{}, "Read", Inspection{Family: "Read", Actions: []Action{file(Read, proj+"/a", Inside, Ordinary)}}, Allow, 0},
		{CodeSandbox, `{"sandbox":{"enabled":true}}`, State{Enforces: true}, "Bash", shell(command("foo")), Allow, 0},
		{CodeUnmatched, `{"sandbox":{"enabled":true}}`, State{}, "Bash", shell(command("foo")), Ask, all},
		{CodeNoAction, `{}`, State{}, "Bash", Inspection{Family: "Bash"}, Ask, all},
		{CodeBlocked, `{"permissions":{"blockReadsOutsideWorkingDirectories":true,"allow":["Read"]}}`, State{Mode: ModeBypass}, "Read", Inspection{Family: "Read", Actions: []Action{file(Read, "/etc/x", Outside, Ordinary)}}, Deny, 0},
		{CodeBlocked, `{"permissions":{"blockWritesOutsideWorkingDirectories":true,"allow":["Edit(//**)"]}}`, State{Mode: ModeBypass}, "Write", Inspection{Family: "Edit", Actions: []Action{file(Write, "/etc/x", Outside, Ordinary)}}, Deny, 0},
		{CodeSend, `{"permissions":{"allow":["WebFetch"]}}`, State{Labels: Untrusted | SensitiveData}, "WebFetch", Inspection{Family: "WebFetch", Actions: []Action{{Kind: Connect, Origin: Tool, Host: "a.org"}}}, Ask, ByPerson},
		{CodeSend, `{"permissions":{"allow":["WebFetch"]}}`, State{Labels: Untrusted | SensitiveData, Provenance: ProvenanceWarn}, "WebFetch", Inspection{Family: "WebFetch", Actions: []Action{{Kind: Connect, Origin: Tool, Host: "a.org"}}}, Allow, 0},
		{CodeMode, `{}`, State{Mode: ModeAcceptEdits}, "Write", Inspection{Family: "Edit", Actions: []Action{steering}}, Allow, 0},
		{CodeAllowRule, `{"permissions":{"allow":["Edit(/**)"]}}`, State{}, "Write", Inspection{Family: "Edit", Actions: []Action{steering}}, Allow, 0},
		{CodeSteers, `{"permissions":{"allow":["Edit(/**)","Edit"]}}`, State{Mode: ModeAcceptEdits, Labels: Untrusted}, "Write", Inspection{Family: "Edit", Actions: []Action{steering}}, Ask, noSandbox},
		{CodeChanged, `{"permissions":{"allow":["Bash(make)"]}}`, State{Labels: Untrusted, Contents: map[string]string{"make": "old"}}, "Bash", shell(runner), Ask, ByPerson},
	}
	seen := map[string]bool{CodeOpinion: true, CodeInspection: true} // have tests of their own
	for _, row := range rows {
		seen[row.code] = true
		row.state.Dir = proj
		d := newEvaluator(t, row.settings).Decide(row.state, Call{Tool: row.tool, Dir: proj}, row.ins)
		assert.Equal(t, row.verdict, d.Verdict, "%s: %+v", row.code, d.Reasons)
		if assert.NotEmpty(t, d.Reasons, row.code) {
			assert.Equal(t, row.code, d.Reasons[0].Code, "%+v", d.Reasons)
		}
		assert.NotEmpty(t, d.Text(), row.code)
		if row.verdict != Ask {
			continue
		}
		assert.Equal(t, row.asked, d.Asked, row.code)
		// Each of the five can settle it exactly where the table says so.
		for _, by := range []struct {
			bit  Settlers
			mode Mode
			op   []Opinion
		}{
			{ByBypass, ModeBypass, nil},
			{ByHook, row.state.Mode, []Opinion{{From: FromHook, Verdict: Allow}}},
			{ByClassifier, ModeAuto, []Opinion{{From: FromClassifier, Verdict: Allow}}},
			{ByPerson, row.state.Mode, []Opinion{{From: FromPerson, Verdict: Allow}}},
		} {
			if by.bit == ByBypass && row.state.Mode == ModePlan {
				continue // bypass is another mode then
			}
			st := row.state
			st.Mode, st.Classifier = by.mode, true
			got := newEvaluator(t, row.settings).Decide(st, Call{Tool: row.tool, Dir: proj}, row.ins, by.op...)
			assert.Equal(t, row.asked&by.bit != 0, got.Verdict == Allow, "%s by %05b: %+v", row.code, by.bit, got.Reasons)
		}
	}
	seen[CodeUnsaved] = true // the gate says it of a call that runs: TestKeptRulesAreOnRecord
	for code := range codes(t) {
		assert.True(t, seen[code], "no row for the code %q", code)
	}
}

// codes reads the Code constants from the source.
func codes(t *testing.T) map[string]bool {
	f, err := parser.ParseFile(token.NewFileSet(), "decision.go", nil, 0)
	require.NoError(t, err)
	out := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Code") {
			s, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			out[s] = true
		}
		return true
	})
	require.Greater(t, len(out), 15)
	return out
}

// TestModes: a plain unmatched command, an edit and a read in each mode.
func TestModes(t *testing.T) {
	want := map[Mode][3]Verdict{
		ModeDefault:     {Ask, Ask, Allow},
		ModeAcceptEdits: {Ask, Allow, Allow},
		ModePlan:        {Ask, Ask, Allow},
		ModeAuto:        {Ask, Allow, Allow},
		ModeDontAsk:     {Deny, Deny, Allow},
		ModeBypass:      {Allow, Allow, Allow},
		Mode(200):       {Ask, Ask, Allow},
	}
	e := newEvaluator(t, `{}`)
	for m, w := range want {
		st := State{Mode: m, Dir: proj, Classifier: true}
		assert.Equal(t, w[0], e.Decide(st, Call{Tool: "Bash", Dir: proj}, shell(command("foo"))).Verdict, "%s runs foo", m)
		assert.Equal(t, w[1], e.Decide(st, Call{Tool: "Write", Dir: proj}, Inspection{Family: "Edit", Actions: []Action{file(Write, proj+"/a", Inside, Ordinary)}}).Verdict, "%s edits", m)
		assert.Equal(t, w[2], e.Decide(st, Call{Tool: "Read", Dir: proj}, Inspection{Family: "Read", Actions: []Action{file(Read, proj+"/a", Inside, Ordinary)}}).Verdict, "%s reads", m)
		if m.String()[0] != 'i' {
			var back Mode
			b, err := json.Marshal(m)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(b, &back))
			assert.Equal(t, m, back)
		}
	}
}

// TestAutoSuspendsBroadRules: what auto mode is entered with is not what a
// model may run unseen.
func TestAutoSuspendsBroadRules(t *testing.T) {
	auto := State{Mode: ModeAuto, Classifier: true, Dir: proj}
	runner := command("npm run x")
	runner.Command.Runner = true
	for _, c := range []struct {
		rule string
		tool string
		act  Action
		want Verdict
	}{
		{"Bash", "Bash", command("foo"), Ask},
		{"Bash(*)", "Bash", command("foo"), Ask},
		{"Bash(python *)", "Bash", command("python x.py"), Ask},
		{"Bash(python3*)", "Bash", command("python3 x.py"), Ask},
		{"Bash(* x)", "Bash", command("foo x"), Ask},
		{"Bash(npm run *)", "Bash", runner, Ask},
		{"Bash(npm run x)", "Bash", runner, Allow},
		{"Bash(python x.py)", "Bash", command("python x.py"), Allow},
		{"Bash(foo *)", "Bash", command("foo x"), Allow},
		{"Monitor", "Monitor", command("foo"), Ask},
		{"Monitor(foo *)", "Monitor", command("foo x"), Ask},
	} {
		e := newEvaluator(t, `{"permissions":{"allow":["`+c.rule+`"]}}`)
		assert.Equal(t, c.want, e.Decide(auto, Call{Tool: c.tool, Dir: proj}, shell(c.act)).Verdict, "%s in auto mode", c.rule)
		assert.Equal(t, Allow, e.Decide(State{Dir: proj}, Call{Tool: c.tool, Dir: proj}, shell(c.act)).Verdict, "%s in default mode", c.rule)
	}
	noClassifier := auto
	noClassifier.Classifier = false
	assert.Equal(t, Allow, newEvaluator(t, `{"permissions":{"allow":["Bash(python *)"]}}`).Decide(noClassifier, Call{Tool: "Bash", Dir: proj}, shell(command("python x"))).Verdict,
		"auto without a classifier is default")
}

// TestNotAllowedByAccident holds inspections and rules that once let a call
// through, or could.
func TestNotAllowedByAccident(t *testing.T) {
	moved := file(Write, proj+"/x/passwd", Inside, Unclassified)
	moved.Origin = Shell
	within := file(Delete, proj+"/src", Inside, Ordinary)
	within.Path.Extent = Within
	env := Action{Kind: Use, Of: 1, Origin: Operand, Name: "environment"}
	noText := Action{Kind: Run, Origin: Tool, Command: &Command{Closed: true}}
	for name, c := range map[string]struct {
		settings string
		tool     string
		ins      Inspection
		mode     Mode
		want     Verdict
	}{
		"an edit rule for a path that an earlier part may have moved": {`{"permissions":{"allow":["Edit(x/**)"]}}`, "Bash", shell(moved), 0, Ask},
		"one unknown letter is not everything below":                  {`{"permissions":{"allow":["Edit(/src/?)","Edit(/src/[!a])"]}}`, "Edit", Inspection{Family: "Edit", Actions: []Action{within}}, 0, Ask},
		"a star is everything below":                                  {`{"permissions":{"allow":["Edit(/src/*)"]}}`, "Edit", Inspection{Family: "Edit", Actions: []Action{within}}, 0, Allow},
		"a zone of a later version":                                   {`{}`, "Read", Inspection{Family: "Read", Actions: []Action{file(Read, proj+"/a", Zone(3), Ordinary)}}, 0, Ask},
		"a class of a later version":                                  {`{}`, "Read", Inspection{Family: "Read", Actions: []Action{file(Read, proj+"/a", Inside, Class(5))}}, 0, Ask},
		"a command without text meets every deny rule":                {`{"permissions":{"deny":["Bash(rm *)"]}}`, "Bash", shell(noText), ModeBypass, Ask},
		"a path without a name meets every deny rule":                 {`{"permissions":{"deny":["Read(.env)"]}}`, "Read", Inspection{Family: "Read", Actions: []Action{file(Read, "", Inside, Ordinary)}}, ModeBypass, Ask},
		"a wildcard does not speak of the environment":                {`{"permissions":{"allow":["Bash(export *)"]}}`, "Bash", shell(command("export PATH=x"), env), 0, Ask},
		"a rule that spells it does":                                  {`{"permissions":{"allow":["Bash(export PATH=x)"]}}`, "Bash", shell(command("export PATH=x"), env), 0, Allow},
		"a broken Read rule and a command that reads":                 {`{"permissions":{"deny":["Read([a)"],"allow":["Bash"]}}`, "Bash", shell(command("cat x"), file(Read, proj+"/x", Inside, Ordinary)), ModeBypass, Ask},
		"a Windows path in a deny rule":                               {`{"permissions":{"deny":["Read(C:\\secrets\\x)"]}}`, "Read", Inspection{Family: "Read", Actions: []Action{file(Read, proj+"/x", Inside, Ordinary)}}, ModeBypass, Ask},
		"a file name with a colon in a deny rule":                     {`{"permissions":{"deny":["Read(foo:bar)"]}}`, "Read", Inspection{Family: "Read", Actions: []Action{file(Read, proj+"/foo:bar", Inside, Ordinary)}}, ModeBypass, Deny},
		"blanks around a deny pattern":                                {`{"permissions":{"deny":["Bash( rm * )"]}}`, "Bash", shell(command("rm x")), ModeBypass, Deny},
		"a deny pattern of nothing":                                   {`{"permissions":{"deny":["Bash(:*)"]}}`, "Bash", shell(command("rm x")), ModeBypass, Ask},
		"a host rule with a port":                                     {`{"permissions":{"deny":["WebFetch(domain:a.org:80)"]}}`, "WebFetch", Inspection{Family: "WebFetch", Actions: []Action{{Kind: Connect, Origin: Tool, Host: "a.org"}}}, ModeBypass, Ask},
		"an address in another spelling":                              {`{"permissions":{"deny":["WebFetch(domain:169.254.169.254)"]}}`, "WebFetch", Inspection{Family: "WebFetch", Actions: []Action{{Kind: Connect, Origin: Tool, Host: "0xa9fea9fe"}}}, ModeBypass, Deny},
		"an address mapped into IPv6":                                 {`{"permissions":{"deny":["WebFetch(domain:169.254.169.254)"]}}`, "WebFetch", Inspection{Family: "WebFetch", Actions: []Action{{Kind: Connect, Origin: Tool, Host: "::ffff:169.254.169.254"}}}, ModeBypass, Deny},
		"a host in an undeclared input, with a query":                 {`{"permissions":{"deny":["WebFetch(domain:evil.com)"],"allow":["mcp__s"]}}`, "mcp__s__t", Inspection{Family: "mcp", Strings: []string{"https://evil.com?x=/y"}, Actions: []Action{{Kind: Use, Origin: Tool, Name: "mcp__s__t"}}}, 0, Deny},
		"a path in an undeclared input, as a URL":                     {`{"permissions":{"deny":["Read(~/.ssh/**)"],"allow":["mcp__s"]}}`, "mcp__s__t", Inspection{Family: "mcp", Strings: []string{"FILE:///home/u/.ssh/id"}, Actions: []Action{{Kind: Use, Origin: Tool, Name: "mcp__s__t"}}}, 0, Deny},
		"a path in an undeclared input, below home":                   {`{"permissions":{"deny":["Read(~/.ssh/**)"],"allow":["mcp__s"]}}`, "mcp__s__t", Inspection{Family: "mcp", Strings: []string{"~/.ssh/id"}, Actions: []Action{{Kind: Use, Origin: Tool, Name: "mcp__s__t"}}}, 0, Deny},
		"a truthy escape from the sandbox":                            {`{"permissions":{"ask":["Bash(dangerouslyDisableSandbox:true)"],"allow":["Bash"]}}`, "Bash", Inspection{Family: "Bash", Unconfined: true, Params: map[string]string{"dangerouslyDisableSandbox": "1"}, Actions: []Action{command("ls")}}, ModeBypass, Ask},
		"a deny rule for a server with __ in its name":                {`{"permissions":{"deny":["mcp__a__b"],"allow":["mcp__a__*"]}}`, "mcp__a__b__t", Inspection{Family: "mcp", Actions: []Action{{Kind: Use, Origin: Tool, Name: "mcp__a__b__t"}}}, 0, Deny},
		"PowerShell text anywhere":                                    {`{"permissions":{"deny":["PowerShell(Remove-Item *)"]}}`, "PowerShell", Inspection{Family: "PowerShell", Actions: []Action{command("Get-ChildItem;remove-item  a.txt")}}, ModeBypass, Deny},
		"PowerShell and a rule that is not found":                     {`{"permissions":{"deny":["PowerShell(Remove-Item *)"]}}`, "PowerShell", Inspection{Family: "PowerShell", Actions: []Action{command("ri a.txt")}}, ModeBypass, Ask},
		"a Bash rule and PowerShell":                                  {`{"permissions":{"deny":["Bash(rm *)"]}}`, "PowerShell", Inspection{Family: "PowerShell", Actions: []Action{command("rm x")}}, ModeBypass, Deny},
		"a shell of the host's own under a Bash rule":                 {`{"permissions":{"deny":["Bash"]}}`, "shell_exec", shell(command("x")), ModeBypass, Deny},
		"an unknown tool in plan mode":                                {`{"permissions":{"allow":["Deploy"]}}`, "Deploy", Inspection{Family: "Deploy", Actions: []Action{{Kind: Use, Origin: Tool, Name: "Deploy"}}}, ModePlan, Ask},
		"keys that differ in case":                                    {`{"permissions":{"deny":["Bash(rm *)"],"Deny":[]}}`, "Bash", shell(command("rm x")), ModeBypass, Ask},
		"a key in another case":                                       {`{"permissions":{"Allow":["Bash(rm *)"]}}`, "Bash", shell(command("rm x")), 0, Ask},
	} {
		d := newEvaluator(t, c.settings).Decide(State{Dir: proj, Mode: c.mode}, Call{Tool: c.tool, Dir: proj}, c.ins)
		assert.Equal(t, c.want, d.Verdict, "%s: %+v", name, d.Reasons)
	}
}

// TestRuleErrors: every error names the place and what to write instead.
func TestRuleErrors(t *testing.T) {
	settings := "{\n  \"permissions\": {\n    \"deny\": [\n      \"Bash(rm\",\n      \"Read(../x)\", \"WebFetch(a.org)\",\n      \"Write(x)\"\n    ],\n    \"allow\": [\"mcp__*\", \"Bash( ls)\", \"\"]\n  }\n}"
	_, err := ParsePolicy("/home/u", Source{Layer: LayerUser, Name: "s.json", Base: "/home/u/.claude", Data: []byte(settings)})
	require.Error(t, err)
	text := err.Error()
	for _, want := range []string{
		`s.json:4:7: deny rule "Bash(rm": the closing parenthesis is missing; end the rule with ")"`,
		`s.json:5:7: deny rule "Read(../x)"`, `//path`,
		`s.json:5:21: deny rule "WebFetch(a.org)"`, `write WebFetch(domain:a.org)`,
		`s.json:6:7: deny rule "Write(x)"`, `write Edit(x)`,
		`s.json:8:15: allow rule "mcp__*"`, `write mcp__server__*`,
		`s.json:8:25: allow rule "Bash( ls)"`, `write Bash(ls)`,
		`s.json:8:38: allow rule ""`,
	} {
		assert.Contains(t, text, want)
	}
}

// TestBadInput: what is too large, too deep or ambiguous is a typed error and
// asks for everything.
func TestBadInput(t *testing.T) {
	big := append([]byte(`{"x":"`), append([]byte(strings.Repeat("a", 50<<20)), `"}`...)...)
	many := `{"permissions":{"deny":["` + strings.Repeat(`Bash(x)","`, MaxRules+1) + `y"]}}`
	for name, data := range map[string]string{
		"50 MB":            string(big),
		"too many rules":   many,
		"deep":             strings.Repeat(`{"a":`, 1_000_000),
		"deep arrays":      `{"a":` + strings.Repeat(`[`, 1_000_000),
		"key twice":        `{"permissions":{},"permissions":{"allow":["Bash"]}}`,
		"invalid UTF-8":    "{\"permissions\":{\"deny\":[\"\xff\"]}}",
		"trailing":         `{} {}`,
		"comment":          `{} // x`,
		"not an object":    `[]`,
		"null":             `null`,
		"wrong type":       `{"permissions":{"deny":"Bash"}}`,
		"wrong entry":      `{"permissions":{"deny":["Bash(rm *)", 3]}}`,
		"unterminated":     `{"permissions":`,
		"a number instead": `{"permissions":{"defaultMode":3}}`,
	} {
		p, err := ParsePolicy("/home/u", Source{Layer: LayerUser, Name: "s.json", Base: "/home/u/.claude", Data: []byte(data)})
		var se *SettingsError
		require.ErrorAs(t, err, &se, name)
		require.Equal(t, "s.json", se.File, name)
		require.Less(t, len(err.Error()), 10_000, name)
		e, err := New(Config{Policy: p, Inspector: noInspector{}})
		require.NoError(t, err)
		closed := command("ls")
		closed.Command.Closed = true
		require.Equal(t, Ask, e.Decide(State{Mode: ModeBypass, Dir: proj}, Call{Tool: "Bash", Dir: proj}, shell(closed)).Verdict, name)
	}
	// A hundred thousand rules that cannot be read make one short error.
	bad := `{"permissions":{"deny":["Bash(x)"` + strings.Repeat(`,"Bash(x"`, MaxRules-1) + `]}}`
	_, err := ParsePolicy("", Source{Layer: LayerUser, Name: "s.json", Data: []byte(bad)})
	require.Error(t, err)
	require.Less(t, len(err.Error()), 50_000)
	require.Contains(t, err.Error(), "more rules cannot be read")
	// A broken managed file does not open what another file denies.
	p, err := ParsePolicy("/home/u", Source{Layer: LayerUser, Name: "u.json", Data: []byte(`{"permissions":{"deny":["Bash(rm *)"],"allow":["Bash(ls)"]}}`)},
		Source{Layer: LayerManaged, Name: "m.json", Data: []byte(`{`)})
	require.Error(t, err)
	e, err := New(Config{Policy: p, Inspector: noInspector{}})
	require.NoError(t, err)
	require.Equal(t, Deny, e.Decide(State{Dir: proj}, Call{Tool: "Bash", Dir: proj}, shell(command("rm x"))).Verdict)
}

// TestSlowPatterns: no pattern takes long on any text.
func TestSlowPatterns(t *testing.T) {
	text := strings.Repeat("a ", 5000)
	for _, rule := range []string{
		"Bash(" + strings.Repeat("*a", 2000) + "b *)", "Bash(" + strings.Repeat("* ", 2000) + "b)", "Bash(a " + strings.Repeat("*", 4000) + "b *)",
		"Read(" + strings.Repeat("**/a/", 60) + "b)", "Read(" + strings.Repeat("a*", 1000) + "b)", "PowerShell(" + strings.Repeat("* ", 2000) + "b)",
	} {
		e := newEvaluator(t, `{"permissions":{"deny":["`+strings.Repeat(rule+`","`, 20)+rule+`"]}}`)
		for _, ins := range []Inspection{shell(command(text)), shell(command(text + "\x00" + text)), {Family: "PowerShell", Actions: []Action{command(text)}},
			{Family: "Read", Actions: []Action{file(Read, "/"+strings.ReplaceAll(text, " ", "/"), Inside, Ordinary)}}} {
			require.NotEqual(t, Deny, e.Decide(State{Dir: "/"}, Call{Tool: "X", Dir: "/"}, ins).Verdict)
		}
	}
}

// FuzzRule: what parses prints itself and parses to the same; what does not
// parse never allows.
func FuzzRule(f *testing.F) {
	for _, s := range append(allowSpecs, strictSpecs...) {
		f.Add(s, uint8(0))
		f.Add(s, uint8(2))
	}
	f.Add("Bash( ls )", uint8(1))
	f.Add("Read(C:\\x)", uint8(0))
	f.Add("Bash(command:rm *)", uint8(0))
	f.Fuzz(func(t *testing.T, text string, effect uint8) {
		ref := RuleRef{Effect: Verdict(effect % 3), Text: text, Layer: LayerUser}
		r, err := ParseRule(ref, "/home/u", proj)
		if r.Ref() != ref {
			t.Fatalf("%q: the ref changed to %v", text, r.Ref())
		}
		if err != nil {
			var re *RuleError
			if !assert.ErrorAs(t, err, &re) || re.Problem == "" {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		again := ref
		again.Text = r.String()
		r2, err := ParseRule(again, "/home/u", proj)
		if err != nil || r2.String() != r.String() {
			t.Fatalf("%q prints %q, which is %q %v", text, r, r2, err)
		}
		// The text and what it prints decide alike.
		b1, _ := json.Marshal(map[string]any{"permissions": map[string]any{ref.Effect.String(): []string{text}}})
		b2, _ := json.Marshal(map[string]any{"permissions": map[string]any{ref.Effect.String(): []string{r.String()}}})
		e1, e2 := newEvaluator(t, string(b1)), newEvaluator(t, string(b2))
		for _, c := range someCommands {
			st, call, ins := State{Dir: proj}, Call{Tool: "Bash", Dir: proj}, shell(command(c))
			if d1, d2 := e1.Decide(st, call, ins), e2.Decide(st, call, ins); d1.Verdict != d2.Verdict {
				t.Fatalf("%q is %s and %q is %s on %q", text, d1.Verdict, r, d2.Verdict, c)
			}
		}
	})
}

// TestServersWithUnderscores: a server named like another one with "__" in it
// is not allowed by what allows that one, and is denied by what denies either.
func TestServersWithUnderscores(t *testing.T) {
	for _, c := range []struct {
		rule, tool string
		servers    []string
		want       Verdict
	}{
		{"mcp__a__*", "mcp__a__t", nil, Allow},
		{"mcp__a", "mcp__a__t", nil, Allow},
		{"mcp__a__*", "mcp__a__b__t", nil, Ask},
		{"mcp__a", "mcp__a__b__t", nil, Ask},
		{"mcp__a__b*", "mcp__a__b__t", nil, Ask},
		{"mcp__a__b", "mcp__a__b__t", nil, Ask},
		{"mcp__a__b__t", "mcp__a__b__t", nil, Allow},
		{"mcp__a__b__*", "mcp__a__b__t", nil, Allow},
		{"mcp__a__*", "mcp__a___t", nil, Ask},
		{"mcp__a__*", "mcp__a__b__t", []string{"a"}, Allow},
		{"mcp__a", "mcp__a__b__t", []string{"a", "x"}, Allow},
		{"mcp__a__b*", "mcp__a__b__t", []string{"a"}, Allow},
		{"mcp__a__*", "mcp__a__b__t", []string{"a__b"}, Ask},
		{"mcp__a", "mcp__a__b__t", []string{"a__b"}, Ask},
		{"mcp__a__b*", "mcp__a__b__t", []string{"a__b"}, Ask},
		{"mcp__a__b*", "mcp__a__bc__t", []string{"a__bc"}, Ask},
		{"mcp__a__b", "mcp__a__b__t", []string{"a__b"}, Allow},
		{"mcp__a__b__*", "mcp__a__b__t", []string{"a__b"}, Allow},
		{"mcp__a__*", "mcp__a__b__t", []string{"a", "a__b"}, Ask},
		{"mcp__a__b", "mcp__a__b__t", []string{"a", "a__b"}, Ask},
		{"mcp__a__b__t", "mcp__a__b__t", []string{"a", "a__b"}, Allow},
		{"mcp__a__*", "mcp__a__b__t", []string{"x", ""}, Ask},
		{"mcp__a__*", "mcp__a__t", []string{"x"}, Allow},
	} {
		run := func(settings string) Verdict {
			p, err := ParsePolicy("/home/u", Source{Layer: LayerUser, Name: "s.json", Base: proj, Data: []byte(settings)})
			require.NoError(t, err)
			e, err := New(Config{Policy: p, Inspector: noInspector{}, Servers: c.servers})
			require.NoError(t, err)
			call := Call{Tool: c.tool, Dir: proj}
			ins := Inspection{Family: "mcp", Actions: []Action{{Kind: Use, Origin: Tool, Name: c.tool}}}
			d := e.Explain(State{Dir: proj}, call, ins)
			if !strings.Contains(settings, "deny") && !strings.Contains(settings, "ask") {
				require.Equal(t, d.Decision.Verdict == Allow, strings.Contains(d.String(), "allow rule"), "%+v: the explanation says the same", c)
			}
			return d.Decision.Verdict
		}
		assert.Equal(t, c.want, run(`{"permissions":{"allow":["`+c.rule+`"]}}`), "%+v", c)
		for _, effect := range []string{"deny", "ask"} {
			want := Deny
			if effect == "ask" {
				want = Ask
			}
			for _, wide := range []string{"mcp__a", "mcp__a__*", "mcp__*", c.tool} {
				assert.Equal(t, want, run(`{"permissions":{"`+effect+`":["`+wide+`"],"allow":["`+c.tool+`"]}}`), "%s %s on %s", effect, wide, c.tool)
			}
		}
	}
}
