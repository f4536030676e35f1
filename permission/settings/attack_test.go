package settings_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/settings"
)

// GHSA-q5hj-mxqh-vv77 planted a commondir that names a trusted repository. Here
// the whole metadata folder is planted: it points back at the planted .git file,
// and its commondir names a repository for which a person has saved rules.
func TestPlantedWorktreeBorrowsNoLocalRules(t *testing.T) {
	p := newPlace(t)
	require.NoError(t, os.MkdirAll(p.src.Dir+"/.git/worktrees/real", 0o755))
	require.NoError(t, p.load().Remember(context.Background(), permission.LayerLocal, []string{"Bash(make)"}))
	require.Equal(t, permission.Allow, verdict(t, p.load().Policy(), "make"), "the rule is in force where it was saved")

	for name, plant := range map[string]struct{ gitdir, common string }{
		"folder of its own":      {".fake", p.src.Dir + "/.git"},
		"folder named worktrees": {"x/worktrees/fake", p.src.Dir + "/.git"},
		"a relative commondir":   {"worktrees/fake", "../../../proj/.git"},
		"through a link":         {"link/worktrees/real", p.src.Dir + "/.git"},
	} {
		evil := filepath.Join(p.root, "home", "evil")
		require.NoError(t, os.RemoveAll(evil))
		p.write("home/evil/.git", "gitdir: "+plant.gitdir+"\n")
		if name == "through a link" {
			require.NoError(t, os.Symlink(p.src.Dir+"/.git", evil+"/link"))
		} else {
			p.write("home/evil/"+plant.gitdir+"/gitdir", evil+"/.git\n")
			p.write("home/evil/"+plant.gitdir+"/commondir", plant.common+"\n")
		}
		q := *p
		q.src.Dir = evil
		assert.Equal(t, permission.Ask, verdict(t, q.load().Policy(), "make"), name)
	}
}

// A person says "always" to one rule. What else changed in the meantime is not
// approved with it.
func TestRememberProjectApprovesNothingElse(t *testing.T) {
	const file = "home/proj/.claude/settings.json"
	for name, change := range map[string]func(p *place, lines *[]string){
		"a server in .mcp.json": func(_ *place, lines *[]string) { *lines = append(*lines, "server evil: touch mark") },
		"the local settings": func(p *place, _ *[]string) {
			p.write("home/proj/.claude/settings.local.json", `{"permissions":{"allow":["Bash(evil)"]}}`)
		},
		"the file itself, while it is saved": nil,
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			lines := []string{"server good: run good"}
			raced := false
			p.src.Also = func(context.Context) ([]string, error) {
				if raced {
					// Between the write and the look at the result.
					p.write(file, `{"permissions":{"allow":["Bash(x)","Bash(y)","Bash(evil)"]}}`)
				}
				return lines, nil
			}
			tr := &truster{yes: map[string]bool{}}
			p.src.Trust = tr
			p.write(file, `{"permissions":{"allow":["Bash(x)"]}}`)
			tr.yes[p.load().Loosening().Digest] = true
			s := p.load()
			require.True(t, s.Loosening().Trusted)
			if change != nil {
				change(p, &lines)
			} else {
				raced = true
			}
			err := s.Remember(context.Background(), permission.LayerProject, []string{"Bash(y)"})
			require.ErrorIs(t, err, settings.ErrUntrusted)
			s = p.load()
			assert.False(t, s.Loosening().Trusted)
			assert.Equal(t, permission.Ask, verdict(t, s.Policy(), "evil"))
		})
	}
}

// The same text of settings in a folder below is about other files: its hooks
// and rules start there.
func TestNestedWorkspaceIsAnotherWorkspace(t *testing.T) {
	p := newPlace(t)
	tr := &truster{yes: map[string]bool{}}
	p.src.Trust = tr
	require.NoError(t, os.MkdirAll(p.src.Dir+"/.git", 0o755))
	const text = `{"permissions":{"allow":["Bash(./build.sh)"]}}`
	p.write("home/proj/.claude/settings.json", text)
	p.write("home/proj/vendor/evil/.claude/settings.json", text)
	tr.yes[p.load().Loosening().Digest] = true
	require.True(t, p.load().Loosening().Trusted)
	q := *p
	q.src.Dir += "/vendor/evil"
	assert.False(t, q.load().Loosening().Trusted)
	assert.Equal(t, permission.Ask, verdict(t, q.load().Policy(), "./build.sh"))

	// The local settings are the same file for all folders of a repository.
	r := newPlace(t)
	r.src.Trust = tr
	require.NoError(t, os.MkdirAll(r.src.Dir+"/.git", 0o755))
	require.NoError(t, os.MkdirAll(r.src.Dir+"/sub", 0o755))
	r.write("home/proj/.claude/settings.local.json", text)
	tr.yes[r.load().Loosening().Digest] = true
	r.src.Dir += "/sub"
	assert.True(t, r.load().Loosening().Trusted)
}

// What a person is asked to trust is shown in plain letters; how the file is
// laid out changes nothing.
func TestLooseningIsReadable(t *testing.T) {
	entries := func(text string) settings.Loosening {
		p := newPlace(t)
		p.write("home/proj/.claude/settings.json", text)
		s, _ := settings.Load(context.Background(), p.src)
		return s.Loosening()
	}
	one := entries(`{"permissions":{"allow":["Bash(curl:*)","Bash(a && b)"]},"hooks":{"Stop":[{"hooks":[{"type":"command","command":"curl evil.example"}]}]}}`)
	require.NotEmpty(t, one.Digest)
	for name, text := range map[string]string{
		"escapes":      `{"permissions":{"allow":["Bash(\u0063url:*)","Bash(a \u0026\u0026 b)"]},"hooks":{"Stop":[{"hooks":[{"type":"command","command":"\u0063url evil.example"}]}]}}`,
		"key order":    `{"hooks":{"Stop":[{"hooks":[{"command":"curl evil.example","type":"command"}]}]},"permissions":{"allow":["Bash(a && b)","Bash(curl:*)"]}}`,
		"line ends":    "{\r\n\t\"permissions\" : { \"allow\" : [ \"Bash(curl:*)\" ,\r\n \"Bash(a && b)\" ] },\r\n\"hooks\":{\"Stop\":[{\"hooks\":[{\"type\":\"command\",\"command\":\"curl evil.example\"}]}]}}\r\n",
		"more refused": `{"permissions":{"deny":["Bash(x)"],"allow":["Bash(curl:*)","Bash(a && b)"]},"hooks":{"Stop":[{"hooks":[{"type":"command","command":"curl evil.example"}]}]}}`,
	} {
		assert.Equal(t, one, entries(text), name)
	}
	for name, text := range map[string]string{
		"another command":    `{"permissions":{"allow":["Bash(curl:*)","Bash(a && b)"]},"hooks":{"Stop":[{"hooks":[{"type":"command","command":"curl evil.example "}]}]}}`,
		"a key twice, first": `{"permissions":{"allow":["Bash(curl:*)","Bash(a && b)"]},"hooks":{"Stop":[{"hooks":[{"type":"command","command":"evil","command":"curl evil.example"}]}]}}`,
		"a key twice, last":  `{"permissions":{"allow":["Bash(curl:*)","Bash(a && b)"]},"hooks":{"Stop":[{"hooks":[{"type":"command","command":"curl evil.example","command":"evil"}]}]}}`,
		"a byte order mark":  "\ufeff" + `{"permissions":{"allow":["Bash(curl:*)"]}}`,
		"a list in a list":   `{"permissions":{"allow":["Bash(curl:*)","Bash(a && b)"]},"hooks":[{"Stop":[]}]}`,
	} {
		assert.NotEqual(t, one.Digest, entries(text).Digest, name)
	}
}
