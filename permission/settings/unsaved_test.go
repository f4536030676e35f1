package settings_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/settings"
)

// always says yes for good and counts.
type always struct {
	layer permission.Layer
	asked int
}

func (a *always) Approve(_ context.Context, r permission.Request) (permission.Answer, error) {
	a.asked++
	return permission.Answer{Token: r.Token, Choice: permission.Always, Layer: a.layer}, nil
}

type records struct{ all []permission.Record }

func (r *records) Record(_ context.Context, rec permission.Record) error {
	r.all = append(r.all, rec)
	return nil
}

// TestYesSurvivesWhatCannotBeSaved: a person who says "always" to a call lets it
// run, wherever the rule could not be saved; that it could not is told in three
// places, the rule holds for the session, and no file holds a part of the answer.
func TestYesSurvivesWhatCannotBeSaved(t *testing.T) {
	mark := func(name string) func(p *place, s *settings.Settings) string {
		return func(p *place, _ *settings.Settings) string {
			return p.write(name, `{"permissions":{"allow":["Bash(theirs)"]}}`)
		}
	}
	for name, c := range map[string]struct {
		layer permission.Layer
		setup func(p *place, s *settings.Settings) string // returns the file
		is    error
	}{
		"a local file that nobody trusted":  {permission.LayerLocal, mark("home/proj/.claude/settings.local.json"), settings.ErrUntrusted},
		"a shared file that nobody trusted": {permission.LayerProject, mark("home/proj/.claude/settings.json"), settings.ErrUntrusted},
		"a layer that is not for saving":    {permission.LayerManaged, func(*place, *settings.Settings) string { return "" }, nil},
		"a file that is no JSON": {permission.LayerUser, func(p *place, _ *settings.Settings) string {
			return p.write("home/.claude/settings.json", `{"permissions":{"allow":["Bash(theirs)"],}}`)
		}, nil},
		"a file with another shape": {permission.LayerUser, func(p *place, _ *settings.Settings) string {
			return p.write("home/.claude/settings.json", `{"permissions":{"allow":"Bash(theirs)"}}`)
		}, nil},
		"a file that is marked read-only": {permission.LayerUser, func(p *place, _ *settings.Settings) string {
			f := p.write("home/.claude/settings.json", `{}`)
			require.NoError(p.t, os.Chmod(f, 0o444))
			return f
		}, fs.ErrPermission},
		"a folder that is a file": {permission.LayerLocal, func(p *place, _ *settings.Settings) string { return p.write("home/proj/.claude", "x") }, nil},
		"a state folder that is a file": {permission.LayerLocal, func(p *place, _ *settings.Settings) string {
			require.NoError(p.t, os.RemoveAll(p.src.State))
			p.write("state", "x")
			return ""
		}, nil},
		"another program that keeps writing": {permission.LayerUser, func(p *place, s *settings.Settings) string {
			f, n := p.write("home/.claude/settings.json", `{}`), 0
			s.SetFault(func(step string) {
				if step == "writing" {
					n++
					p.write("home/.claude/settings.json", `{"n":`+strings.Repeat("1", n)+`}`)
				}
			})
			return f
		}, settings.ErrBusy},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			s := p.load()
			file := c.setup(p, s)
			held := func() string {
				if file == "" {
					return ""
				}
				b, err := os.ReadFile(file)
				require.NoError(t, err)
				return string(b)
			}
			before := held()
			eval, err := permission.New(permission.Config{Policy: s.Policy(), Inspector: inspector{}})
			require.NoError(t, err)
			who, log := &always{layer: c.layer}, &records{}
			session := permission.NewGate(eval, permission.GateOptions{Approver: who, Remember: s, Audit: log}).Session(permission.SessionOptions{Dir: p.src.Dir})
			call := func(command string) permission.Call {
				in, _ := json.Marshal(map[string]string{"command": command})
				return permission.Call{Tool: "Bash", Input: in}
			}
			g, err := session.Authorize(context.Background(), call("mine"))
			require.NoError(t, err, "the yes stands")
			require.Equal(t, permission.Allow, g.Decision().Verdict)
			un := g.Unsaved()
			require.NotNil(t, un)
			if c.is != nil {
				require.ErrorIs(t, un, c.is)
			}
			require.Equal(t, []string{"Bash(mine)"}, un.Rules)
			last := g.Decision().Reasons[len(g.Decision().Reasons)-1]
			require.Equal(t, permission.CodeUnsaved, last.Code)
			require.Contains(t, last.Text, un.Err.Error())
			require.Len(t, log.all, 1)
			require.Equal(t, un.Err.Error(), log.all[0].Unsaved)
			require.Equal(t, "always", log.all[0].Answer)
			if name != "another program that keeps writing" {
				require.Equal(t, before, held(), "not a byte is changed")
			}
			require.NotContains(t, held(), "mine")
			// It is not asked again, and nothing else is let through.
			_, err = session.Authorize(context.Background(), call("mine"))
			require.NoError(t, err)
			require.Equal(t, 1, who.asked)
			_, err = session.Authorize(context.Background(), call("other"))
			require.NoError(t, err)
			require.Equal(t, 2, who.asked)
			s.SetFault(nil)
			for _, left := range []string{p.root + "/home/.claude/.settings-*", p.src.Dir + "/.claude/.settings-*"} {
				found, err := filepath.Glob(left)
				require.NoError(t, err)
				require.Empty(t, found)
			}
		})
	}
}

// TestWhatOthersWroteMeanwhileIsKept: an editor knows nothing of the lock.
func TestWhatOthersWroteMeanwhileIsKept(t *testing.T) {
	for _, there := range []bool{true, false} {
		p := newPlace(t)
		if there {
			p.write("home/.claude/settings.json", `{}`)
		}
		s := p.load()
		raced := false
		s.SetFault(func(step string) {
			if step == "writing" && !raced {
				raced = true
				p.write("home/.claude/settings.json", `{"permissions":{"deny":["Bash(never)"]}}`)
			}
		})
		require.NoError(t, s.Remember(context.Background(), permission.LayerUser, []string{"Bash(a)", "Bash(b)"}))
		require.True(t, raced)
		for command, want := range map[string]permission.Verdict{"a": permission.Allow, "b": permission.Allow, "never": permission.Deny} {
			assert.Equal(t, want, verdict(t, s.Policy(), command), command)
			assert.Equal(t, want, verdict(t, p.load().Policy(), command), command)
		}
	}
	// In the local file it is not vouched for.
	p := newPlace(t)
	s := p.load()
	require.NoError(t, s.Remember(context.Background(), permission.LayerLocal, []string{"Bash(a)"}))
	s.SetFault(func(step string) {
		if step == "writing" {
			p.write("home/proj/.claude/settings.local.json", `{"permissions":{"allow":["Bash(evil)"]}}`)
		}
	})
	require.ErrorIs(t, s.Remember(context.Background(), permission.LayerLocal, []string{"Bash(b)"}), settings.ErrUntrusted)
	assert.Equal(t, permission.Ask, verdict(t, p.load().Policy(), "evil"))
}

// TestSavedOrNot: what breaks after the file was written takes the rules out
// again; what was broken before does not keep a person from saving.
func TestSavedOrNot(t *testing.T) {
	for _, layer := range []permission.Layer{permission.LayerUser, permission.LayerLocal} {
		for _, there := range []bool{true, false} {
			p := newPlace(t)
			if there {
				require.NoError(t, p.load().Remember(context.Background(), layer, []string{"Bash(first)"}))
			}
			s := p.load()
			ctx, cancel := context.WithCancel(context.Background())
			s.SetFault(func(step string) {
				if step == "writing" {
					cancel()
				}
			})
			require.ErrorIs(t, s.Remember(ctx, layer, []string{"Bash(a)", "Bash(b)"}), context.Canceled)
			s.SetFault(nil)
			for command, want := range map[string]bool{"first": there, "a": false, "b": false} {
				assert.Equal(t, want, verdict(t, p.load().Policy(), command) == permission.Allow, "%s %v %s", layer, there, command)
			}
			require.NoError(t, s.Remember(context.Background(), layer, []string{"Bash(c)"}))
			assert.Equal(t, permission.Allow, verdict(t, p.load().Policy(), "c"))
		}
	}
	p := newPlace(t)
	p.write("etc/managed-settings.json", `{"permissions":{"deny":["Bash(x"]}}`)
	s, err := settings.Load(context.Background(), p.src)
	require.Error(t, err)
	require.NoError(t, s.Remember(context.Background(), permission.LayerUser, []string{"Bash(a)"}))
	data, err := os.ReadFile(p.root + "/home/.claude/settings.json")
	require.NoError(t, err)
	assert.Contains(t, string(data), "Bash(a)")
}

// TestLockOfAnother: a process that holds the lock for ever does not hold up the
// call.
func TestLockOfAnother(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	require.NoError(t, p.load().Remember(context.Background(), permission.LayerUser, []string{"Bash(first)"}))
	holder := p.load()
	held, done, end := make(chan struct{}), make(chan error), make(chan struct{})
	holder.SetFault(func(step string) {
		if step == "writing" {
			close(held)
			<-end
		}
	})
	go func() { done <- holder.Remember(context.Background(), permission.LayerUser, []string{"Bash(a)"}) }()
	<-held
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := p.load().Remember(ctx, permission.LayerUser, []string{"Bash(b)"})
	require.ErrorIs(t, err, settings.ErrBusy)
	require.False(t, errors.Is(err, context.DeadlineExceeded))
	close(end)
	require.NoError(t, <-done)
}
