package permission_test

import (
	"encoding/json"
	"strings"
	"testing"

	. "github.com/clearance-go/clearance/permission"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func lint(t *testing.T, settings string) []string {
	p, _ := ParsePolicy("/home/u", Source{Layer: LayerProject, Name: "s.json", Base: proj, Data: []byte(settings)})
	e, err := New(Config{Policy: p, Inspector: noInspector{}})
	require.NoError(t, err)
	var out []string
	for _, l := range e.Lint() {
		require.NotEmpty(t, l.String())
		out = append(out, l.Code+" "+l.Rule.Text+" "+l.Fix)
	}
	return out
}

// TestLint: each rule gets exactly the remark that it deserves, and the good
// ones none.
func TestLint(t *testing.T) {
	for rule, want := range map[string]string{
		"allow Bash":                       "wide",
		"allow Bash(*)":                    "wide",
		"allow Bash(git * main)":           "wide",
		"allow Bash(python *)":             "wide",
		"allow Bash(python3.12 *)":         "wide",
		"allow Bash(timeout *)":            "wide",
		"allow Bash(ls*)":                  "wide",
		"allow Bash(* --help)":             "wide",
		"allow Bash(cd x && ls *)":         "inert",
		"allow Bash( ls)":                  "unreadable",
		"allow Write(src/**)":              "unreadable",
		"allow mcp__*":                     "unreadable",
		"allow WebFetch":                   "wide",
		"allow Read(//**)":                 "wide",
		"allow Read(~/**)":                 "wide",
		"allow Edit(/etc/hosts)":           "narrow",
		"allow bash":                       "inert",
		"deny Bash(rm)":                    "narrow",
		"deny Bash(a | b)":                 "inert",
		"deny Bash(rm":                     "unreadable",
		"deny Read":                        "bare",
		"deny WebFetch":                    "bare",
		"deny Write(x)":                    "inert",
		"deny Bash(command:rm *)":          "inert",
		"deny Read(conf/secrets/**)":       "narrow",
		"deny Read(/etc/passwd)":           "narrow",
		"allow Bash(npm test)":             "",
		"allow Bash(git status *)":         "",
		"allow Bash(git push:*)":           "",
		"allow Read(~/notes/**)":           "",
		"allow Edit(src/**)":               "",
		"allow mcp__github__get_*":         "",
		"allow WebFetch(domain:a.org)":     "",
		"deny Read(.env)":                  "",
		"deny Read(**/secrets/**)":         "",
		"deny Bash(rm *)":                  "",
		"deny WebFetch(domain:*.a.org)":    "",
		"deny Read(//etc/**)":              "",
		"ask Bash(git push *)":             "",
		"deny mcp__*":                      "",
		"deny Agent(model:opus)":           "",
		"ask Bash(run_in_background:true)": "",

		// Mistakes that people make.
		"deny bash(rm *)":                       "inert",
		"deny Read( .env)":                      "inert",
		"deny Read($HOME/.ssh/**)":              "inert",
		"deny Read(%USERPROFILE%\\.ssh\\**)":    "inert",
		"allow Read($HOME/x)":                   "unreadable",
		"deny Read($SECRETS/**)":                "unreadable",
		"deny Read(~bob/.ssh/**)":               "unreadable",
		"deny Read('.env')":                     "inert",
		"deny Read(**/*.{pem,key})":             "inert",
		"allow Read(src/{a,b}/**)":              "unreadable",
		"deny Read(src\\secrets\\**)":           "inert",
		"deny Read(.env,.env.local)":            "narrow",
		"deny Read(#x)":                         "unreadable",
		"deny Read(file:///etc/passwd)":         "inert",
		"deny Bash(rm -rf)":                     "narrow",
		"deny Bash(git push)":                   "narrow",
		"deny Bash(git push origin main)":       "",
		"deny Bash(rm, sudo)":                   "narrow",
		"deny Bash(git:* push)":                 "narrow",
		"deny Bash(git:push)":                   "narrow",
		"allow Bash(git:* push)":                "narrow",
		"deny Bash(curl * | bash *)":            "inert",
		"deny Bash(curl * && *)":                "inert",
		"deny Bash(ls *) && Bash(rm *)":         "inert",
		"deny Bash(find * -exec * \\;)":         "",
		"deny Bash(echo \"a;b\" *)":             "",
		"deny Bash(make * 2>&1)":                "",
		"deny mcp__s__":                         "inert",
		"deny mcp_s_t":                          "inert",
		"allow MCP__s__t":                       "inert",
		"deny BASH":                             "inert",
		"deny Exec":                             "unknown",
		"deny Fetch":                            "unknown",
		"deny my_tool":                          "",
		"allow TodoWrite":                       "",
		"deny TaskStop":                         "",
		"deny Cd(/x)":                           "",
		"deny Bash[ls]":                         "unreadable",
		"deny Bash,Read":                        "unreadable",
		"deny WebFetch(https://example.com/*)":  "inert",
		"deny WebFetch(example.com)":            "inert",
		"deny WebFetch(DOMAIN:example.com)":     "inert",
		"deny WebFetch(domain:example.com/x)":   "unreadable",
		"deny WebFetch(domain:a.com,b.com)":     "unreadable",
		"allow WebFetch(https://example.com/*)": "unreadable",
		"deny Agent(a, b)":                      "unreadable",
		"deny Agent( a )":                       "inert",
		"deny Skill(plug:in)":                   "",
		"allow Bash(npx tsc *)":                 "", "allow Bash(npx *)": "wide", "allow Bash(npx -y *)": "wide", "allow Bash(python -m pytest *)": "", "allow Bash(python3 -m *)": "wide", "allow Bash(python -c *)": "wide",
		"allow Bash(git * --stat)":     "wide",
		"allow Bash(npm *)":            "wide",
		"allow Bash(npm run *)":        "wide",
		"allow Bash(npm run test *)":   "",
		"allow Bash(npm test *)":       "",
		"allow Bash(pytest *)":         "",
		"allow Bash(cargo test *)":     "",
		"allow Bash(make *)":           "wide",
		"allow Bash(make test *)":      "",
		"allow Bash(kubectl get *)":    "",
		"allow Bash(kubectl *)":        "wide",
		"allow Bash(docker run *)":     "wide",
		"allow Bash(docker ps *)":      "",
		"allow Bash(terraform plan *)": "",
		"allow Bash(git -C * status)":  "wide",
		"allow Bash(grep -rn * src)":   "",
	} {
		effect, text, _ := strings.Cut(rule, " ")
		b, _ := json.Marshal(map[string]any{"permissions": map[string]any{effect: []string{text}}})
		got := lint(t, string(b))
		if want == "" {
			assert.Empty(t, got, rule)
			continue
		}
		if assert.Len(t, got, 1, "%s: %v", rule, got) {
			assert.True(t, strings.HasPrefix(got[0], want+" "), "%s: %v", rule, got)
		}
	}
	for rule, fix := range map[string]string{
		"Bash(git:* --force)": "write Bash(git * --force)", "Bash(git:push)": "write Bash(git push)", "Bash(git:push *)": "write Bash(git push *)", "Read($HOME/.ssh/**)": "write Read(~/.ssh/**)",
		"WebFetch(https://a.org/*)": "write WebFetch(domain:a.org)", "Bash(rm -rf)": "write Bash(rm -rf *)", "bash(x *)": "write Bash(x *)", "Read(C:\\x)": "write Read(//c/x)", "mcp__s__": "write mcp__s__*",
	} {
		b, _ := json.Marshal(map[string]any{"permissions": map[string]any{"deny": []string{rule}}})
		got := lint(t, string(b))
		require.Len(t, got, 1, rule)
		assert.True(t, strings.HasSuffix(got[0], " "+fix), "%s: %s", rule, got[0])
	}
	for settings, want := range map[string][]string{
		`{"permissions":{"deny":["Bash(rm *)"],"allow":["Bash(rm -rf build)","Bash(rm x)","Bash(rmdir x)"]}}`: {"shadowed Bash(rm -rf build)", "shadowed Bash(rm x)"},
		`{"permissions":{"ask":["Bash"],"allow":["Bash(ls *)"]}}`:                                             {"shadowed Bash(ls *)"},
		`{"permissions":{"allow":["Bash(git status)","Bash(git *)","Bash(git status)"]}}`:                     {"repeated Bash(git status)", "repeated Bash(git status)"},
		`{"permissions":{"deny":["mcp__*"],"allow":["mcp__s__t"]}}`:                                           {"shadowed mcp__s__t"},
		`{"permissions":{"deny":["WebFetch(domain:*.a.org)"],"allow":["WebFetch(domain:x.a.org)"]}}`:          {"shadowed WebFetch(domain:x.a.org)"},
		`{"permissions":{"allow":["Read(x)","Read(x)"]}}`:                                                     {"repeated Read(x)"},
		`{"permissions":{"deny":["TodoWrite","TodoWrite"]}}`:                                                  {"repeated TodoWrite"},
		`{"permissions":{"allow":["Bash(ls -l:*)","Bash(ls -l *)"]}}`:                                         {"repeated Bash(ls -l *)"},
		`{"permissions":{"deny":["Edit"],"allow":["Bash(ls *)","Read(x)"]}}`:                                  {"bare Edit"},
	} {
		got := lint(t, settings)
		if assert.Len(t, got, len(want), "%s: %v", settings, got) {
			for i := range want {
				assert.True(t, strings.HasPrefix(got[i], want[i]), "%s: %v", settings, got)
			}
		}
	}
	p, err := ParsePolicy("/home/u", Source{Layer: LayerProject, Name: "s.json", TightenOnly: true, Data: []byte(`{"permissions":{"allow":["Bash(ls)"]}}`)})
	require.NoError(t, err)
	e, err := New(Config{Policy: p, Inspector: noInspector{}})
	require.NoError(t, err)
	require.Equal(t, LintHeldBack, e.Lint()[0].Code)
}

// TestShadowedRulesAreDead: what Lint calls shadowed or repeated never changes
// a decision.
func TestShadowedRulesAreDead(t *testing.T) {
	settings := `{"permissions":{"deny":["Bash(rm *)","Edit"],"ask":["Bash(git push *)"],"allow":["Bash(rm x)","Bash(git *)","Bash(git push)","Bash(git status)","Bash(ls *)","Edit(src/**)"]}}`
	all := newEvaluator(t, settings)
	for _, l := range all.Lint() {
		if l.Code != LintShadowed && l.Code != LintRepeated {
			continue
		}
		without := newEvaluator(t, strings.Replace(strings.Replace(settings, `"`+l.Rule.Text+`",`, "", 1), `,"`+l.Rule.Text+`"`, "", 1))
		for _, c := range someCommands {
			st, call, ins := State{Dir: proj}, Call{Tool: "Bash", Dir: proj}, shell(command(c))
			require.Equal(t, all.Decide(st, call, ins).Verdict, without.Decide(st, call, ins).Verdict, "%s on %s", l, c)
		}
	}
}

// TestRulesInOrder: each rule once, deny before ask before allow, whatever the
// order of the layers.
func TestRulesInOrder(t *testing.T) {
	p, err := ParsePolicy("/home/u", Source{Layer: LayerProject, Name: "p.json", Base: proj, Data: []byte(`{"permissions":{"allow":["A"],"ask":["B_b"],"deny":["C_c"]}}`)},
		Source{Layer: LayerUser, Name: "u.json", Base: proj, Data: []byte(`{"permissions":{"allow":["D"],"ask":["E_e"],"deny":["F_f"]}}`)})
	require.NoError(t, err)
	var got []string
	for _, r := range p.Rules() {
		got = append(got, r.Effect.String()+" "+r.Text)
	}
	require.Equal(t, []string{"deny F_f", "deny C_c", "ask E_e", "ask B_b", "allow D", "allow A"}, got)
}

// TestDerivationText: a derivation names who may settle the question, and has no
// line for a call about which there is nothing to say.
func TestDerivationText(t *testing.T) {
	e := newEvaluator(t, `{"permissions":{"allow":["Skill(a)"]}}`)
	text := e.Explain(State{Dir: proj}, Call{Tool: "Bash", Dir: proj}, shell(command("foo"))).String()
	require.True(t, strings.HasPrefix(text, "ask (mode default, may be settled by the bypass mode, a hook, the classifier, the sandbox, a person)\n"), text)
	require.NotContains(t, text, "the call of Bash")
	require.Equal(t, "nobody", Settlers(0).String())
	require.Equal(t, "the sandbox, a person", (BySandbox | ByPerson).String())
	// A rule for a skill speaks of the call, and not of what a command uses.
	for origin, want := range map[Origin]bool{Tool: true, Operand: false, Shell: false} {
		d := e.Explain(State{Dir: proj}, Call{Tool: "Skill", Dir: proj}, Inspection{Family: "Skill", Actions: []Action{{Kind: Use, Origin: origin, Name: "a"}}})
		require.Equal(t, want, strings.Contains(d.String(), "Skill(a)"), "%s: %s", origin, d)
	}
	d := e.Explain(State{Dir: proj}, Call{Tool: "Skill", Dir: proj}, Inspection{Family: "Skill", Actions: []Action{{Kind: KindUnknown, Origin: Tool, Name: "a"}}})
	require.NotContains(t, d.String(), "Skill(a)")
}

func TestExplain(t *testing.T) {
	e := newEvaluator(t, `{"permissions":{"deny":["Read(.env)","Bash(sudo *)"],"ask":["Bash(git push *)"],"allow":["Bash(git *)","Read(//etc/**)"]}}`)
	ins := shell(command("git push"), command("\x00 x"), file(Read, proj+"/.env", Inside, Sensitive), file(Read, "/etc/x", Outside, Ordinary), Action{Kind: Connect, Origin: Operand, Of: 1})
	d := e.Explain(State{Dir: proj, Mode: ModeAuto}, Call{Tool: "Bash", Dir: proj}, ins)
	require.Equal(t, e.Decide(State{Dir: proj, Mode: ModeAuto}, Call{Tool: "Bash", Dir: proj}, ins), d.Decision)
	require.Equal(t, ModeDefault, d.Mode, "auto without a classifier")
	require.Len(t, d.Steps, 6)
	text := d.String()
	for _, want := range []string{
		`run "git push"`, "ask rule Bash(git push *) (settings.json:1) matches", "allow rule Bash(git *) (settings.json:1) matches",
		"deny rule Bash(sudo *) (settings.json:1) may match", "deny rule Read(.env) (settings.json:1) matches", "deny: Refused by the deny rule Read(.env)",
		"allow rule Read(//etc/**) (settings.json:1) matches", "connect to a host that is not known", "[deny-rule]", "mode default",
	} {
		assert.Contains(t, text, want)
	}
	b, err := json.Marshal(d)
	require.NoError(t, err)
	var back Derivation
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, d.String(), back.String())
}

// TestExplainNamesWhatDecided: the deciding part is marked, and a rule that
// meets a string of an undeclared input is among those that match.
func TestExplainNamesWhatDecided(t *testing.T) {
	e := newEvaluator(t, `{"permissions":{"deny":["Read(~/.ssh/**)","WebFetch(domain:evil.com)"],"ask":["mcp__s"],"allow":["mcp__s__t"]}}`)
	ins := Inspection{Family: "mcp", Strings: []string{"~/.ssh/id", "https://evil.com/x"}, Actions: []Action{{Kind: Use, Origin: Tool, Name: "mcp__s__t"}}}
	d := e.Explain(State{Dir: proj}, Call{Tool: "mcp__s__t", Dir: proj}, ins)
	require.Equal(t, Deny, d.Decision.Verdict)
	text := d.String()
	for _, want := range []string{"deny rule Read(~/.ssh/**) (settings.json:1) matches", "deny rule WebFetch(domain:evil.com) (settings.json:1) matches", "ask rule mcp__s (settings.json:1) matches",
		"allow rule mcp__s__t (settings.json:1) matches", "* deny: Refused by the deny rule Read(~/.ssh/**)", "  ask: "} {
		assert.Contains(t, text, want)
	}
	require.NotContains(t, text, "* ask")
}
