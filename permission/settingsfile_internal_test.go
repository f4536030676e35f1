package permission

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// member is one key of a test file with its text.
type member struct{ key, text string }

// fileOf writes a settings file, one value a line, and returns the lines of
// the values.
func fileOf(members ...member) (data string, lines map[string][]int) {
	lines = map[string][]int{}
	var out strings.Builder
	line := 1
	put := func(s string) { out.WriteString(s); line += strings.Count(s, "\n") }
	var object func(prefix string, ms []member)
	object = func(prefix string, ms []member) {
		put("{\n")
		done := map[string]bool{}
		first := true
		for _, m := range ms {
			head, _, nested := strings.Cut(m.key, ".")
			if nested && done[head] {
				continue
			}
			if !first {
				put(",\n")
			}
			first = false
			if !nested {
				lines[prefix+m.key] = append(lines[prefix+m.key], line)
				put(fmt.Sprintf("%q: %s", m.key, m.text))
				continue
			}
			done[head] = true
			put(fmt.Sprintf("%q: ", head))
			var below []member
			for _, o := range ms {
				if rest, ok := strings.CutPrefix(o.key, head+"."); ok {
					below = append(below, member{rest, o.text})
				}
			}
			object(prefix+head+".", below)
		}
		put("\n}")
	}
	object("", members)
	return out.String(), lines
}

// strictest says for every key whether its strictest value is in force.
var strictest = map[string]func(p *Policy) bool{
	keyAllow:          func(p *Policy) bool { return !holds(p, Allow, "Bash(managed)") },
	keyAsk:            asksForAll,
	keyDeny:           asksForAll,
	keyDirectories:    func(p *Policy) bool { return len(p.Directories()) == 0 },
	keyMode:           func(p *Policy) bool { return p.DefaultMode() == ModeDefault },
	keyDisableBypass:  func(p *Policy) bool { return p.locks.disableBypass },
	keyDisableAuto:    func(p *Policy) bool { return p.locks.disableAuto },
	keyDisableAutoTop: func(p *Policy) bool { return p.locks.disableAuto },
	keyDenyPrompts:    func(p *Policy) bool { return p.locks.denyInsteadOfPrompts },
	keyBlockReads:     func(p *Policy) bool { return p.locks.blockReadsOutside },
	keyBlockWrites:    func(p *Policy) bool { return p.locks.blockWritesOutside },
	keyManagedRules: func(p *Policy) bool {
		return p.locks.managedRulesOnly && !holds(p, Allow, "Bash(user)")
	},
	keyManagedHooks:   func(p *Policy) bool { return p.Locks().ManagedHooksOnly },
	keyManagedServers: func(p *Policy) bool { return p.Locks().ManagedServersOnly },
	keyDisableHooks:   func(p *Policy) bool { return !p.Locks().DisableHooks && !p.Locks().DisableManagedHooks },
	keySkipWarning:    func(p *Policy) bool { return !p.Locks().SkipBypassWarning },
	keyConnectors:     func(p *Policy) bool { return p.Locks().DisableConnectors },
	keyAutoInPlan:     func(p *Policy) bool { return p.Locks().NoAutoInPlan },
	keyClassifyShell:  func(p *Policy) bool { return p.Locks().ClassifyAllShell },
	keyEnabled:        func(p *Policy) bool { return p.Sandbox("/p").Enabled },
	keyFail:           func(p *Policy) bool { return p.Sandbox("/p").FailIfUnavailable },
	keyAutoAllow:      func(p *Policy) bool { return !p.Sandbox("/p").AutoAllowBash },
	keyExcluded:       func(p *Policy) bool { return len(p.Sandbox("/p").ExcludedCommands) == 1 },
	keyUnsandboxed:    func(p *Policy) bool { return !p.Sandbox("/p").AllowUnsandboxed },
	keyAllowWrite:     func(p *Policy) bool { return len(p.Sandbox("/p").Filesystem.AllowWrite) == 1 },
	keyDenyWrite:      func(p *Policy) bool { return slices.Contains(p.Sandbox("/p").Filesystem.DenyWrite, "/") },
	keyAllowRead:      func(p *Policy) bool { return len(p.Sandbox("/p").Filesystem.AllowRead) == 1 },
	keyDenyRead:       func(p *Policy) bool { return slices.Contains(p.Sandbox("/p").Filesystem.DenyRead, "/") },
	keyFilesDisabled:  func(p *Policy) bool { return !p.Sandbox("/p").Filesystem.Disabled },
	keyManagedReads:   func(p *Policy) bool { return len(p.Sandbox("/p").Filesystem.AllowRead) == 0 },
	keyAllowedDomains: func(p *Policy) bool { return len(p.Sandbox("/p").Network.AllowedDomains) == 2 },
	keyDeniedDomains:  deniesAllHosts,
	keyStrictList:     func(p *Policy) bool { return p.Sandbox("/p").Network.StrictAllowlist },
	keyManagedDomains: func(p *Policy) bool { return len(p.Sandbox("/p").Network.AllowedDomains) == 0 },
	keySockets:        func(p *Policy) bool { return len(p.Sandbox("/p").Network.AllowUnixSockets) == 0 },
	keyAllSockets:     func(p *Policy) bool { return !p.Sandbox("/p").Network.AllowAllUnixSockets },
	keyLocalBinding:   func(p *Policy) bool { return !p.Sandbox("/p").Network.AllowLocalBinding },
	keyHTTPProxy:      deniesAllHosts,
	keySOCKSProxy:     deniesAllHosts,
	keyCredentialFiles: func(p *Policy) bool {
		return slices.ContainsFunc(p.Sandbox("/p").Credentials.Files, func(c SandboxCredential) bool { return c.Name == "/home/u" && !c.Mask })
	},
	keyCredentialVars: func(p *Policy) bool {
		return slices.ContainsFunc(p.Sandbox("/p").Credentials.EnvVars, func(c SandboxCredential) bool { return c.Name == "*" && !c.Mask })
	},
}

func holds(p *Policy, effect Verdict, text string) bool {
	return slices.ContainsFunc(p.Rules(), func(r RuleRef) bool { return r.Effect == effect && r.Text == text })
}

func asksForAll(p *Policy) bool {
	return slices.ContainsFunc(p.Rules(), func(r RuleRef) bool { return r.Effect == Ask && r.Text == "*" && r.File == "m.json" })
}

func deniesAllHosts(p *Policy) bool {
	return slices.Contains(p.Sandbox("/p").Network.DeniedDomains, "*")
}

// userFile is what the person has; where the organisation's file says the same
// key wrongly it must not count for more than without that key.
const userFile = `{"permissions":{"allow":["Bash(user)","WebFetch(domain:user.org)"],"defaultMode":"bypassPermissions"},
"sandbox":{"excludedCommands":["docker *"],"filesystem":{"allowWrite":["/w"],"denyRead":["/r"],"allowRead":["/r/x"]},"network":{"allowedDomains":["a.org"],"httpProxyPort":8080,"socksProxyPort":8081}}}`

func managedPolicy(t testing.TB, data string) (*Policy, error) {
	t.Helper()
	return ParsePolicy("/home/u", Source{Layer: LayerManaged, Name: "m.json", Base: "/etc/m", Data: []byte(data)},
		Source{Layer: LayerUser, Name: "u.json", Base: "/home/u/.claude", Data: []byte(userFile)})
}

// good is a value of each kind, and wrong are values of the right type that
// mean nothing.
var good = map[string]string{
	keyAllow: `["Bash(managed)"]`, keyAsk: `["Bash(a)"]`, keyDeny: `["Bash(d)"]`, keyDirectories: `["/x"]`, keyMode: `"acceptEdits"`,
	keyDisableBypass: `"disable"`, keyDisableAuto: `"disable"`, keyDisableAutoTop: `"disable"`,
	keyManagedHooks: `false`, keyManagedServers: `false`, keyDisableHooks: `true`, keySkipWarning: `true`, keyConnectors: `false`, keyAutoInPlan: `true`, keyClassifyShell: `false`,
	keyDenyPrompts: `false`, keyBlockReads: `false`, keyBlockWrites: `false`, keyManagedRules: `false`,
	keyEnabled: `false`, keyFail: `false`, keyAutoAllow: `true`, keyExcluded: `["make"]`, keyUnsandboxed: `true`,
	keyAllowWrite: `["/mw"]`, keyDenyWrite: `["/mw"]`, keyAllowRead: `["/mr"]`, keyDenyRead: `["/mr"]`, keyFilesDisabled: `true`, keyManagedReads: `false`,
	keyAllowedDomains: `["m.org"]`, keyDeniedDomains: `["m.org"]`, keyStrictList: `false`, keyManagedDomains: `false`, keySockets: `["/s"]`,
	keyAllSockets: `true`, keyLocalBinding: `true`, keyHTTPProxy: `3128`, keySOCKSProxy: `1080`,
	keyCredentialFiles: `[{"path":"/k","mode":"mask"}]`, keyCredentialVars: `[{"name":"TOKEN","mode":"mask"}]`,
}

var wrong = map[string][]string{
	keyMode: {`"yolo"`, `""`, `"Plan"`}, keyDisableBypass: {`"enable"`, `""`}, keyDisableAuto: {`"no"`}, keyDisableAutoTop: {`"false"`},
	keyExcluded: {`["  "]`}, keyAllowWrite: {`[""]`, `["~other/x"]`, `["/a\u0000"]`}, keyDenyWrite: {`["/ok",""]`, `["~other/x"]`}, keyAllowRead: {`[""]`}, keyDenyRead: {`["~x"]`},
	keyAllowedDomains: {`["https://m.org"]`, `["a b"]`, `["m.org:0"]`}, keyDeniedDomains: {`["m.org:99999"]`, `["evil.com","x/y"]`, `["m.org:"]`}, keySockets: {`[""]`},
	keyHTTPProxy: {`0`, `-1`, `65536`, `3.5`, `1e99`}, keySOCKSProxy: {`0`, `70000`},
	keyCredentialFiles: {`[{}]`, `[{"path":"","mode":"deny"}]`, `[{"path":"~x","mode":"deny"}]`}, keyCredentialVars: {`[{"name":"A=B","mode":"deny"}]`, `[{"mode":"deny"}]`},
}

// TestManagedKeysCloseOneByOne: whatever is wrong with one key of an
// organisation's file, that key gets its strictest value, the error names the
// place, and the other keys count.
func TestManagedKeysCloseOneByOne(t *testing.T) {
	var keys []string
	knownSettings.each(func(s *setting) { keys = append(keys, s.name) })
	slices.Sort(keys)
	require.Len(t, keys, len(good))
	types := map[settingKind]string{settingFlag: `true`, settingText: `"disable"`, settingNumber: `8080`, settingTexts: `["x"]`, settingEntries: `[{"path":"/x","name":"X","mode":"deny"}]`, settingObject: `{"a":[{"b":1}]}`}
	cases := 0
	for _, key := range keys {
		var kind settingKind
		knownSettings.each(func(s *setting) {
			if s.name == key {
				kind = s.kind
			}
		})
		tight, ok := strictest[key]
		require.True(t, ok, "%s has no test", key)
		// A neighbour in the same object and one elsewhere.
		beside := []member{{keyDeny, `["Bash(beside)"]`}, {keyStrictList, "true"}}
		if key == keyDeny {
			beside[0] = member{keyAsk, `["Bash(beside)"]`}
		}
		if key == keyStrictList {
			beside[1] = member{keyFail, "true"}
		}
		others := func(p *Policy) bool {
			effect := Deny
			if key == keyDeny {
				effect = Ask
			}
			s := p.Sandbox("/p")
			return holds(p, effect, "Bash(beside)") && (s.Network.StrictAllowlist || key == keyStrictList && s.FailIfUnavailable)
		}
		check := func(what, data string, line int, values ...string) {
			cases++
			p, err := managedPolicy(t, data)
			var se *SettingsError
			if !assert.ErrorAs(t, err, &se, "%s: %s: %s", key, what, data) {
				return
			}
			assert.Equal(t, "m.json", se.File)
			assert.Equal(t, line, se.Line, "%s: %s: %v\n%s", key, what, err, data)
			assert.Greater(t, se.Column, 0)
			if assert.LessOrEqual(t, se.Line, strings.Count(data, "\n")+1) && len(values) > 0 {
				at := strings.Split(data, "\n")[se.Line-1][se.Column-1:]
				assert.True(t, slices.ContainsFunc(values, func(v string) bool { return strings.HasPrefix(at, v) }), "%s: %s: the column points to %q", key, what, at)
			}
			assert.True(t, tight(p), "%s: %s: %s is not closed: %+v", key, what, data, p.Sandbox("/p"))
			assert.True(t, others(p), "%s: %s: the others do not count: %s", key, what, data)
			assert.False(t, holds(p, Allow, "Bash(user)") && key == keyManagedRules)
		}

		// The control: with a good value nothing is closed, so that a closed key
		// can be told from an open one.
		data, _ := fileOf(append(slices.Clone(beside), member{key, good[key]})...)
		p, err := managedPolicy(t, data)
		require.NoError(t, err, "%s: %s", key, data)
		require.True(t, others(p), key)
		switch key {
		case keyDisableBypass, keyDisableAuto, keyDisableAutoTop, keyAutoAllow, keyUnsandboxed, keyFilesDisabled, keyAllSockets, keyLocalBinding:
			// A managed file can only set the strict value of these.
		default:
			require.False(t, tight(p), "%s: the control is closed", key)
		}

		for other, text := range types {
			if other == kind || kind == settingTexts && other == settingEntries || kind == settingEntries && other == settingTexts {
				continue
			}
			data, lines := fileOf(append(slices.Clone(beside), member{key, text})...)
			check("of another type", data, lines[key][0], text)
		}
		data, lines := fileOf(append(slices.Clone(beside), member{key, "null"})...)
		check("null", data, lines[key][0], "null")
		if kind == settingTexts || kind == settingEntries {
			item := strings.TrimSuffix(strings.TrimPrefix(good[key], "["), "]")
			data, lines := fileOf(append(slices.Clone(beside), member{key, "[" + item + ", 3]"})...)
			check("an item of another type", data, lines[key][0], "3")
			data, lines = fileOf(append(slices.Clone(beside), member{key, "[[" + item + "]]"})...)
			check("a list in the list", data, lines[key][0], "[")
		}
		for _, text := range wrong[key] {
			data, lines := fileOf(append(slices.Clone(beside), member{key, text})...)
			check("of no meaning", data, lines[key][0])
		}
		data, lines = fileOf(append(slices.Clone(beside), member{key, good[key]}, member{key, good[key]})...)
		_, last, _ := cutLast(key, ".")
		check("twice", data, lines[key][1], `"`+last+`"`)
		up := strings.ToUpper(last)
		data, lines = fileOf(append(slices.Clone(beside), member{strings.TrimSuffix(key, last) + up, good[key]})...)
		check("in another case", data, lines[strings.TrimSuffix(key, last)+up][0], `"`+up+`"`)
	}
	for _, parent := range []string{"permissions", "sandbox", "sandbox.filesystem", "sandbox.network", "sandbox.credentials"} {
		for _, text := range []string{"3", `"x"`, "[]", "true", "null"} {
			data, lines := fileOf(member{keyManagedRules, "true"}, member{parent, text})
			p, err := managedPolicy(t, data)
			var se *SettingsError
			require.ErrorAs(t, err, &se)
			require.Equal(t, lines[parent][0], se.Line)
			for key, tight := range strictest {
				if strings.HasPrefix(key, parent+".") {
					cases++
					if key == keyAllow || key == keyAllowWrite || key == keyAllowRead || key == keyAllowedDomains {
						continue // counted with what the user has
					}
					assert.True(t, tight(p), "%s is %s and %s is open", parent, text, key)
				}
			}
			assert.True(t, p.locks.managedRulesOnly, "the other key counts")
		}
	}
	t.Logf("%d cases", cases)
	require.Greater(t, cases, 300)

	// Of anybody else the whole file is unknown.
	for _, key := range keys {
		data, _ := fileOf(member{keyAllow, `["Bash(x)"]`}, member{key, `{"a":1}`})
		if key == keyAllow {
			data, _ = fileOf(member{key, `{"a":1}`})
		}
		p, err := ParsePolicy("/home/u", Source{Layer: LayerUser, Name: "m.json", Base: "/b", Data: []byte(data)})
		var se *SettingsError
		require.ErrorAs(t, err, &se, "%s", data)
		require.True(t, asksForAll(p), key)
		require.False(t, holds(p, Allow, "Bash(x)"), key)
	}
}

// TestSandboxMerge: what each layer may say of the sandbox.
func TestSandboxMerge(t *testing.T) {
	box := func(s string) string { return `{"sandbox":` + s + `}` }
	type layers map[Layer]string
	for name, c := range map[string]struct {
		layers    layers
		untrusted bool
		want      func(s SandboxSettings) bool
	}{
		"nothing": {layers{}, false, func(s SandboxSettings) bool { return !s.Enabled && s.AutoAllowBash && s.AllowUnsandboxed }},
		"the higher layer": {layers{LayerUser: box(`{"enabled":true,"autoAllowBashIfSandboxed":false}`), LayerCommandLine: box(`{"enabled":false,"autoAllowBashIfSandboxed":true}`)}, false,
			func(s SandboxSettings) bool { return !s.Enabled && s.AutoAllowBash }},
		"a managed file only tightens": {layers{LayerUser: box(`{"enabled":true,"allowUnsandboxedCommands":false,"failIfUnavailable":true}`), LayerManaged: box(`{"enabled":false,"allowUnsandboxedCommands":true,"failIfUnavailable":false}`)}, false,
			func(s SandboxSettings) bool { return s.Enabled && !s.AllowUnsandboxed && s.FailIfUnavailable }},
		"and is not loosened": {layers{LayerManaged: box(`{"enabled":true,"autoAllowBashIfSandboxed":false}`), LayerCommandLine: box(`{"enabled":false,"autoAllowBashIfSandboxed":true}`)}, false,
			func(s SandboxSettings) bool { return s.Enabled && !s.AutoAllowBash }},
		"an untrusted project": {layers{LayerUser: box(`{"enabled":true}`), LayerProject: box(`{"enabled":false,"excludedCommands":["*"],"allowUnsandboxedCommands":false,
			"filesystem":{"allowWrite":["/"],"allowRead":["/"],"denyRead":["/r"],"denyWrite":["w"],"disabled":true},"network":{"allowedDomains":["*"],"deniedDomains":["evil.com"],"allowAllUnixSockets":true,"allowUnixSockets":["/s"],"allowLocalBinding":true,"httpProxyPort":1}}`)}, true,
			func(s SandboxSettings) bool {
				return s.Enabled && !s.AllowUnsandboxed && s.ExcludedCommands == nil && s.Filesystem.AllowWrite == nil && s.Filesystem.AllowRead == nil && !s.Filesystem.Disabled &&
					slices.Equal(s.Filesystem.DenyRead, []string{"/r"}) && slices.Equal(s.Filesystem.DenyWrite, []string{"/b/project/w"}) && s.Network.AllowedDomains == nil &&
					slices.Equal(s.Network.DeniedDomains, []string{"evil.com"}) && !s.Network.AllowAllUnixSockets && s.Network.AllowUnixSockets == nil && !s.Network.AllowLocalBinding && s.Network.HTTPProxyPort == 0
			}},
		"a trusted project": {layers{LayerProject: box(`{"excludedCommands":["docker *"],"filesystem":{"allowWrite":["out","~/cache","//tmp/x"],"disabled":true},"network":{"allowedDomains":["a.org:443"],"strictAllowlist":false}}`),
			LayerUser: box(`{"excludedCommands":["docker *","make"],"filesystem":{"allowWrite":["out"]},"network":{"strictAllowlist":true}}`)}, false,
			func(s SandboxSettings) bool {
				return slices.Equal(s.ExcludedCommands, []string{"docker *", "make"}) && slices.Equal(s.Filesystem.AllowWrite, []string{"/b/user/out", "/b/project/out", "/home/u/cache", "/tmp/x"}) &&
					!s.Filesystem.Disabled && s.Network.StrictAllowlist && slices.Equal(s.Network.AllowedDomains, []string{"a.org:443"})
			}},
		"managed domains only": {layers{LayerManaged: box(`{"network":{"allowManagedDomainsOnly":true,"allowedDomains":["m.org"]},"filesystem":{"allowManagedReadPathsOnly":true,"allowRead":["/m"]}}`),
			LayerUser: `{"permissions":{"allow":["WebFetch(domain:u.org)"],"deny":["WebFetch(domain:d.org)"]},"sandbox":{"network":{"allowedDomains":["u2.org"],"deniedDomains":["m.org"],"allowManagedDomainsOnly":true},"filesystem":{"allowRead":["/u"]}}}`}, false,
			func(s SandboxSettings) bool {
				return slices.Equal(s.Network.AllowedDomains, []string{"m.org"}) && slices.Equal(s.Network.DeniedDomains, []string{"m.org", "d.org"}) && slices.Equal(s.Filesystem.AllowRead, []string{"/m"})
			}},
		"a lock that is nobody's else": {layers{LayerUser: box(`{"network":{"allowManagedDomainsOnly":true,"allowedDomains":["u.org"]}}`)}, false,
			func(s SandboxSettings) bool { return slices.Equal(s.Network.AllowedDomains, []string{"u.org"}) }},
		"credentials": {layers{
			LayerUser:    box(`{"credentials":{"files":[{"path":"~/.aws","mode":"mask","injectHosts":["aws.com"]},{"path":"/k","mode":"deny"}],"envVars":[{"name":"A","mode":"mask","injectHosts":["a.org"]},{"name":"B","mode":"mask"}]}}`),
			LayerProject: box(`{"credentials":{"files":[{"path":"k","mode":"mask","injectHosts":["evil.com"]}],"envVars":[{"name":"A","mode":"deny"}]}}`),
			LayerManaged: box(`{"credentials":{"files":[{"path":"/k","mode":"mask","injectHosts":["m.org"]}],"envVars":[{"name":"B","mode":"mask","injectHosts":["b.org"]}]}}`)}, false,
			func(s SandboxSettings) bool {
				b, _ := json.Marshal(s.Credentials)
				return string(b) == `{"files":[{"name":"/home/u/.aws","mask":true,"injectHosts":["aws.com"]},{"name":"/k"},{"name":"/b/project/k"}],"envVars":[{"name":"A"},{"name":"B","mask":true,"injectHosts":["b.org"]}]}`
			}},
		"rules become paths and domains": {layers{LayerUser: `{"permissions":{"allow":["Edit(//w/**)","Edit(src/**)","Edit(*.md)","Edit(/own/a.txt)","Read(//r/**)","WebFetch(domain:*.a.org)","Edit([b)"],"ask":["Edit(//ask/**)"],
			"deny":["Edit(gen/**)","Read(.env)","Read(//etc/shadow)","Edit(~/x)","WebFetch(domain:evil.com)","WebFetch(domain:[::1])"]}}`}, false,
			func(s SandboxSettings) bool {
				return slices.Equal(s.Filesystem.AllowWrite, []string{"/w", "/p/src", "/p/**/*.md", "/b/user/own/a.txt"}) &&
					slices.Equal(s.Filesystem.DenyWrite, []string{"/p/**/gen", "/p/**/.env", "/etc/shadow", "/home/u/x"}) && slices.Equal(s.Filesystem.DenyRead, []string{"/p/**/.env", "/etc/shadow"}) &&
					slices.Equal(s.Network.AllowedDomains, []string{"*.a.org"}) && slices.Equal(s.Network.DeniedDomains, []string{"evil.com", "[::1]"})
			}},
	} {
		var sources []Source
		for l := LayerManaged; l > LayerUnknown; l-- {
			if data, ok := c.layers[l]; ok {
				sources = append(sources, Source{Layer: l, Name: l.String(), Base: "/b/" + l.String(), Data: []byte(data), TightenOnly: c.untrusted && fromRepository(l)})
			}
		}
		p, err := ParsePolicy("/home/u", sources...)
		var se *SettingsError
		require.False(t, errors.As(err, &se), "%s: %v", name, err)
		s := p.Sandbox("/p")
		b, _ := json.MarshalIndent(s, "", " ")
		assert.True(t, c.want(s), "%s: %s", name, b)
		// What is handed out is a copy.
		for _, list := range [][]string{s.ExcludedCommands, s.Filesystem.AllowWrite, s.Network.AllowedDomains} {
			for i := range list {
				list[i] = "changed"
			}
		}
		require.True(t, c.want(p.Sandbox("/p")), name)
	}
}

// TestSandboxDecides: where the sandbox settings decide.
func TestSandboxDecides(t *testing.T) {
	const proj = "/home/u/proj"
	run := func(text, host string, port uint16) Inspection {
		ins := Inspection{Family: "Bash", Actions: []Action{{Kind: Run, Origin: Tool, Command: &Command{Allow: []string{text}, Deny: []string{text}}}}}
		if host != "-" {
			ins.Actions = append(ins.Actions, Action{Kind: Connect, Of: 1, Origin: Operand, Host: host, Port: port})
		}
		return ins
	}
	const on = `"enabled":true`
	for name, c := range map[string]struct {
		sandbox, perm string
		ins           Inspection
		mode          Mode
		naked         bool // the host enforces nothing
		want          Verdict
		conf          Confinement
	}{
		"a plain command":                       {on, "", run("make", "-", 0), 0, false, Allow, ConfinementRequired},
		"without a level of confinement":        {on, "", run("make", "-", 0), 0, true, Ask, ConfinementRequired},
		"without auto-allow":                    {on + `,"autoAllowBashIfSandboxed":false`, "", run("make", "-", 0), 0, false, Ask, ConfinementRequired},
		"an excluded command":                   {on + `,"excludedCommands":["docker *"]`, "", run("docker ps", "-", 0), 0, false, Ask, ConfinementNotRequired},
		"an allowed host":                       {on + `,"network":{"allowedDomains":["*.a.org"]}`, "", run("curl", "x.a.org", 0), 0, false, Allow, ConfinementRequired},
		"a host of a rule":                      {on, `"allow":["WebFetch(domain:a.org)"]`, run("curl", "a.org", 0), 0, false, Allow, ConfinementRequired},
		"a new host":                            {on, "", run("curl", "a.org", 0), 0, false, Ask, ConfinementRequired},
		"a new host in bypass":                  {on, "", run("curl", "a.org", 0), ModeBypass, false, Allow, ConfinementRequired},
		"a new host in dontAsk":                 {on, "", run("curl", "a.org", 0), ModeDontAsk, false, Deny, ConfinementRequired},
		"a new host and a strict list":          {on + `,"network":{"strictAllowlist":true,"allowedDomains":["b.org"]}`, `"allow":["Bash(curl)"]`, run("curl", "a.org", 0), 0, false, Deny, ConfinementRequired},
		"a strict list outside of the sandbox":  {`"network":{"strictAllowlist":true}`, `"allow":["Bash(curl)"]`, run("curl", "a.org", 0), 0, false, Allow, ConfinementNotRequired},
		"a denied host":                         {on + `,"network":{"allowedDomains":["*"],"deniedDomains":["a.org"]}`, `"allow":["Bash(curl)"]`, run("curl", "a.org", 0), 0, false, Deny, ConfinementRequired},
		"a denied host in bypass":               {on + `,"network":{"deniedDomains":["a.org"]}`, "", run("curl", "a.org", 0), ModeBypass, false, Deny, ConfinementRequired},
		"a denied host outside of the sandbox":  {`"network":{"deniedDomains":["a.org"]}`, `"allow":["Bash(curl)"]`, run("curl", "a.org", 0), 0, true, Deny, ConfinementNotRequired},
		"a denied port":                         {`"network":{"deniedDomains":["a.org:25"]}`, `"allow":["Bash(curl)"]`, run("curl", "a.org", 25), 0, true, Deny, ConfinementNotRequired},
		"another port":                          {`"network":{"deniedDomains":["a.org:25"]}`, `"allow":["Bash(curl)"]`, run("curl", "a.org", 80), 0, true, Allow, ConfinementNotRequired},
		"a port that is not known":              {`"network":{"deniedDomains":["a.org:25"]}`, `"allow":["Bash(curl)"]`, run("curl", "a.org", 0), 0, true, Ask, ConfinementNotRequired},
		"a host that is not known":              {`"network":{"deniedDomains":["a.org"]}`, `"allow":["Bash(curl)"]`, run("curl", "", 0), 0, true, Ask, ConfinementNotRequired},
		"a host that the sandbox will see":      {on + `,"network":{"deniedDomains":["a.org"]}`, "", run("x", "", 0), 0, false, Allow, ConfinementRequired},
		"the metadata service, otherwise spelt": {`"network":{"deniedDomains":["169.254.169.254"]}`, `"allow":["Bash(curl)"]`, run("curl", "0xa9fea9fe", 0), 0, true, Deny, ConfinementNotRequired},
	} {
		p, err := ParsePolicy("/home/u", Source{Layer: LayerUser, Name: "s", Base: proj, Data: []byte(`{"permissions":{` + c.perm + `},"sandbox":{` + c.sandbox + `}}`)})
		require.NoError(t, err, name)
		e := &Evaluator{policy: p, interpreter: commonInterpreter}
		d := e.Decide(State{Dir: proj, Mode: c.mode, Enforces: !c.naked}, Call{Tool: "Bash", Dir: proj}, c.ins)
		assert.Equal(t, c.want, d.Verdict, "%s: %+v", name, d.Reasons)
		assert.Equal(t, c.conf, d.Confinement, name)
	}
}

// TestLocks: what the layers close is told to the host. A lock of managed
// settings is one in managed settings only, what loosens is not taken from the
// repository, and what cannot be read is closed.
func TestLocks(t *testing.T) {
	src := func(l Layer, data string) Source {
		return Source{Layer: l, Name: l.String(), Base: "/b", Data: []byte(data)}
	}
	const all = `{"allowManagedPermissionRulesOnly":true,"allowManagedHooksOnly":true,"allowManagedMcpServersOnly":true,"disableAllHooks":true,"skipDangerousModePermissionPrompt":true,
"disableClaudeAiConnectors":true,"useAutoModeDuringPlan":false,"autoMode":{"classifyAllShell":true,"environment":["x"]},"sandbox":{"network":{"allowManagedDomainsOnly":true},"filesystem":{"allowManagedReadPathsOnly":true}}}`
	tight := Locks{DisableConnectors: true, NoAutoInPlan: true, ClassifyAllShell: true}
	user, local, managed := tight, tight, tight
	user.DisableHooks, user.SkipBypassWarning = true, true
	local.SkipBypassWarning = true
	managed = user
	managed.DisableManagedHooks = true
	managed.ManagedRulesOnly, managed.ManagedHooksOnly, managed.ManagedServersOnly, managed.ManagedDomainsOnly, managed.ManagedReadsOnly = true, true, true, true, true
	for layer, want := range map[Layer]Locks{LayerUser: user, LayerCommandLine: user, LayerProject: tight, LayerLocal: local, LayerManaged: managed} {
		p, err := ParsePolicy("/home/u", src(layer, all))
		require.NoError(t, err)
		assert.Equal(t, want, p.Locks(), layer)
	}
	untrusted := src(LayerLocal, all)
	untrusted.TightenOnly = true
	p, err := ParsePolicy("/home/u", untrusted)
	require.NoError(t, err)
	assert.Equal(t, tight, p.Locks())
	// A weaker layer opens nothing again.
	p, err = ParsePolicy("/home/u", src(LayerManaged, `{"allowManagedHooksOnly":true,"disableClaudeAiConnectors":true,"useAutoModeDuringPlan":false}`),
		src(LayerUser, `{"allowManagedHooksOnly":false,"disableClaudeAiConnectors":false,"useAutoModeDuringPlan":true}`))
	require.NoError(t, err)
	assert.Equal(t, Locks{ManagedHooksOnly: true, DisableConnectors: true, NoAutoInPlan: true}, p.Locks())
	// Unreadable, as a whole and key by key.
	p, err = ParsePolicy("/home/u", src(LayerManaged, `{`))
	require.Error(t, err)
	assert.Equal(t, Locks{ManagedRulesOnly: true, ManagedHooksOnly: true, ManagedServersOnly: true, ManagedDomainsOnly: true, ManagedReadsOnly: true}, p.Locks())
	p, err = ParsePolicy("/home/u", src(LayerManaged, `{"allowManagedHooksOnly":"yes","allowManagedMcpServersOnly":1,"disableAllHooks":"yes"}`))
	require.Error(t, err)
	assert.Equal(t, Locks{ManagedHooksOnly: true, ManagedServersOnly: true}, p.Locks())
	assert.Equal(t, Locks{}, (&Policy{}).Locks())

	// In auto mode no rule for a shell command counts.
	for data, want := range map[string]Verdict{`{"permissions":{"allow":["Bash(npm test)"]}}`: Allow, `{"permissions":{"allow":["Bash(npm test)"]},"autoMode":{"classifyAllShell":true}}`: Ask} {
		p, err := ParsePolicy("/home/u", src(LayerUser, data))
		require.NoError(t, err)
		d := (&Evaluator{policy: p, interpreter: commonInterpreter}).Decide(State{Mode: ModeAuto, Classifier: true, Dir: "/p"}, Call{Tool: "Bash", Dir: "/p"},
			Inspection{Family: "Bash", Actions: []Action{{Kind: Run, Origin: Tool, Command: &Command{Allow: []string{"npm test"}, Deny: []string{"npm test"}}}}})
		assert.Equal(t, want, d.Verdict, data)
	}
}

// TestMistakesOfTheHand: what people get wrong in a file is an error that says
// where and what to write; and as long as it stands, every call asks.
func TestMistakesOfTheHand(t *testing.T) {
	for data, want := range map[string]string{
		"\xef\xbb\xbf{}": "s.json:1:1: ", "\xff\xfe{\x00}\x00": "UTF-16", "{\n  // rules\n}": "s.json:2:3: ", "{\n# rules\n}": "no comments",
		"{\"permissions\": {\"deny\": [\"Bash\",\n]}}": "s.json:2:1: ", "{\"permissions\": {},\n}": "remove the comma", `{'permissions': {}}`: "double quotes",
		`{"permissions": {"deny": ["a" "b"]}}`: "a comma is missing", `{"permissions": {"deny": ["a"`: "ends in the middle", `{"permissions": {"deny": "Bash"}}`: "must be a list of strings",
		`{"permissions": {"Deny": []}}`: `write "deny"`, `{"a":1,"A":2}`: "stands twice", `{}{}`: "something follows",
	} {
		p, err := ParsePolicy("/home/u", Source{Layer: LayerUser, Name: "s.json", Base: "/x", Data: []byte(data)})
		require.ErrorContains(t, err, want, "%q", data)
		var se *SettingsError
		require.ErrorAs(t, err, &se)
		require.Len(t, p.Rules(), 1)
		require.Equal(t, "*", p.Rules()[0].Text)
		e, err := New(Config{Policy: p, Inspector: noRules{}})
		require.NoError(t, err)
		read := Inspection{Family: "Read", Actions: []Action{{Kind: Read, Origin: Tool, Path: Path{Clean: "/x/a", Real: "/x/a", Extent: Exact, Zone: Inside, Class: Ordinary}}}}
		require.Equal(t, Ask, e.Decide(State{Mode: ModeBypass, Dir: "/x"}, Call{Tool: "Read", Dir: "/x"}, read).Verdict, "%q", data)
	}
}

// TestMisplacedKeys: rules in the wrong place decide nothing, and Lint says so;
// keys of others are not remarked upon.
func TestMisplacedKeys(t *testing.T) {
	for data, want := range map[string]string{
		`{"deny":["Bash(rm *)"]}`: `inside of "permissions"`, `{"allow":[]}`: `inside of "permissions"`, `{"defaultMode":"plan"}`: `inside of "permissions"`, `{"additionalDirectories":["/x"]}`: `inside of "permissions"`,
		`{"permission":{"deny":["Bash(rm *)"]}}`: `write "permissions"`, `{"permissions.deny":["x"]}`: `write "deny" inside of "permissions"`, `{"sandbox.enabled":true}`: `write "enabled" inside of "sandbox"`,
		`{"permissions":{"denied":["x"]}}`: `write "deny"`, `{"permissions":{"allowed":["x"]}}`: `write "allow"`, `{"permissions":{"denyList":["x"]}}`: `write "deny"`, `{"permissions":{"disallow":["x"]}}`: `write "deny"`, `{"permissions":{"mode":"plan"}}`: `write "defaultMode"`, `{"permissions":{"allowManagedHooksOnly":true}}`: "beside",
		`{"permissions":{"additionalDirectories":["/a","$HOME/x"]}}`: "not expanded", `{"permissions":{"additionalDirectories":["~bob/x"]}}`: "not expanded", `{"permissions":{"additionalDirectories":["/a/*","~/x"]}}`: "not expanded",
		`{"permissions":{"deny":["Bash(rm *)"],"disableBypassPermissionsMode":"disable"},"hooks":{},"env":{"deny":"x"},"model":"m","mcpServers":{"permission":{}},"statusLine":{"mode":1}}`: "",
		`{"disableAutoMode":"disable","sandbox":{"enabled":true,"allow":[]},"permissions":{"someLaterKey":true}}`:                                                                           "",
	} {
		p, err := ParsePolicy("/home/u", Source{Layer: LayerUser, Name: "s.json", Base: "/x", Data: []byte("\n" + data)})
		require.NoError(t, err, data)
		e, err := New(Config{Policy: p, Inspector: noRules{}})
		require.NoError(t, err)
		var got []Lint
		for _, l := range e.Lint() {
			if l.Code == LintMisplaced {
				got = append(got, l)
			}
		}
		if want == "" {
			require.Empty(t, got, data)
			continue
		}
		require.Len(t, got, 1, data)
		require.Contains(t, got[0].String(), want)
		require.Contains(t, got[0].String(), "s.json:2: the key ")
	}
}
