package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/audit"
)

var key = []byte("0123456789abcdef0123456789abcdef")

// tool is an inspector for which every call is a plain command.
type tool struct{}

func (tool) Inspect(_ context.Context, call permission.Call, _ permission.Lookout) (permission.Inspection, error) {
	var text string
	if err := json.Unmarshal(call.Input, &text); err != nil {
		return permission.Inspection{}, err
	}
	if text == "broken" {
		return permission.Inspection{}, errors.New("broken")
	}
	return permission.Inspection{Family: "Bash", Explanation: permission.TextOf("Runs " + text + "."), Actions: []permission.Action{
		{Kind: permission.Run, Origin: permission.Tool, Command: &permission.Command{Allow: []string{text}, Deny: []string{text, "\x00"}[:1], Prefix: text}},
	}}, nil
}

type says map[string]permission.Choice

func (s says) Approve(_ context.Context, r permission.Request) (permission.Answer, error) {
	var text string
	_ = json.Unmarshal(r.Call.Input, &text)
	return permission.Answer{Token: r.Token, Choice: s[text]}, nil
}

func policy(t testing.TB, settings string) *permission.Policy {
	p, err := permission.ParsePolicy("/home/u", permission.Source{Layer: permission.LayerUser, Name: "s.json", Base: "/home/u", Data: []byte(settings)})
	require.NoError(t, err)
	return p
}

// run makes calls through a gate that records into the log.
func run(t testing.TB, log permission.Recorder, o permission.GateOptions, answers says, calls ...string) {
	e, err := permission.New(permission.Config{Policy: policy(t, `{"permissions":{"deny":["Bash(rm *)"]}}`), Inspector: tool{}})
	require.NoError(t, err)
	o.Audit, o.Approver = log, answers
	s := permission.NewGate(e, o).Session(permission.SessionOptions{Dir: "/p"})
	for _, c := range calls {
		b, _ := json.Marshal(c)
		g, err := s.Authorize(context.Background(), permission.Call{Tool: "Bash", Input: b, Dir: "/p"})
		if err != nil {
			var re *permission.RefusedError
			require.ErrorAs(t, err, &re)
			continue
		}
		require.NoError(t, s.Outcome(context.Background(), g, "done", 0))
	}
}

func open(t testing.TB, path string, key []byte) *audit.Log {
	l, err := audit.Open(path, key)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

func verify(t testing.TB, data []byte, key []byte, head string) audit.Report {
	r, err := audit.Verify(bytes.NewReader(data), key, head)
	require.NoError(t, err)
	return r
}

// TestVerify: whatever is done to the file shows. Without a key an attacker
// can forge it, which the same test shows.
func TestVerify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path, key)
	run(t, l, permission.GateOptions{}, says{"a": permission.Once, "b": permission.Once}, "a", "b", "rm x", "c")
	head := l.Head()
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.Zero(t, st.Mode().Perm()&0o077)
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	r := verify(t, good, key, head)
	require.True(t, r.OK(), "%v", r)
	require.True(t, r.TailVerified)
	require.Equal(t, 6, r.Lines)
	require.NotContains(t, r.String(), "not verified")
	r = verify(t, good, key, "")
	require.True(t, r.OK())
	require.Contains(t, r.String(), "tail not verified")

	lines := bytes.SplitAfter(good, []byte("\n"))
	lines = lines[:len(lines)-1]
	join := func(ls ...[]byte) []byte { return bytes.Join(ls, nil) }
	for name, c := range map[string]struct {
		data []byte
		line int
		text string
	}{
		"changed":             {bytes.Replace(good, []byte(`"once"`), []byte(`"none"`), 1), 1, "changed"},
		"removed":             {join(lines[0], lines[2], lines[3], lines[4], lines[5]), 2, "removed"},
		"first removed":       {join(lines[1:]...), 1, "removed"},
		"reordered":           {join(lines[0], lines[2], lines[1], lines[3], lines[4], lines[5]), 2, "removed, repeated or reordered"},
		"repeated":            {join(lines[0], lines[1], lines[1], lines[2], lines[3], lines[4], lines[5]), 3, "removed, repeated or reordered"},
		"tail missing":        {join(lines[:5]...), 6, "end are missing"},
		"everything missing":  {nil, 1, "end are missing"},
		"last line cut":       {good[:len(good)-10], 6, "cut off"},
		"no digest":           {join(lines[0], []byte("{}\n"), join(lines[1:]...)), 2, "no digest"},
		"not JSON":            {join(lines[0], []byte(strings.Repeat("x", 200)+"\n"), join(lines[1:]...)), 2, "no digest"},
		"added at the end":    {join(good, lines[5]), 7, "removed, repeated or reordered"},
		"blank line inserted": {join(lines[0], []byte("\n"), join(lines[1:]...)), 2, "no digest"},
	} {
		r := verify(t, c.data, key, head)
		if assert.False(t, r.OK(), name) {
			assert.Equal(t, c.line, r.Problems[0].Line, "%s: %v", name, r.Problems)
			assert.Contains(t, r.Problems[0].Error(), c.text, name)
		}
		assert.False(t, r.TailVerified && c.line > 5, name)
	}
	require.False(t, verify(t, good, []byte("another key, long enough"), head).OK())
	require.False(t, verify(t, good, nil, head).OK())

	// The attack that the key stops works without one.
	plain := filepath.Join(t.TempDir(), "log")
	l2 := open(t, plain, nil)
	run(t, l2, permission.GateOptions{}, nil, "a")
	forged := filepath.Join(t.TempDir(), "log")
	l3 := open(t, forged, nil)
	run(t, l3, permission.GateOptions{}, says{"a": permission.Once}, "a")
	data, err := os.ReadFile(forged)
	require.NoError(t, err)
	r = verify(t, data, nil, "")
	require.True(t, r.OK(), "a chain without a key can be made anew")
	require.Contains(t, r.String(), "not keyed")
	require.False(t, verify(t, data, nil, l2.Head()).OK(), "but the head of the real one shows it")
}

// TestOpen goes on where the log ended, sets a torn line aside and does not go
// on after a broken one.
func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path, key)
	run(t, l, permission.GateOptions{}, nil, "a")
	require.NoError(t, l.Close())
	require.Error(t, l.Record(context.Background(), permission.Record{}))
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append(bytes.Clone(good), []byte(`{"v":1,"seq":2`)...), 0o600))
	l = open(t, path, key)
	torn, err := os.ReadFile(path + ".torn")
	require.NoError(t, err)
	require.Equal(t, `{"v":1,"seq":2`, string(torn))
	run(t, l, permission.GateOptions{}, nil, "b")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	r := verify(t, data, key, l.Head())
	require.True(t, r.OK() && r.TailVerified && r.Lines == 2, "%v", r)

	require.NoError(t, l.Close())
	require.NoError(t, os.WriteFile(path, bytes.Replace(data, []byte("Bash"), []byte("Bosh"), 1), 0o600))
	_, err = audit.Open(path, key)
	var be *audit.BrokenError
	require.ErrorAs(t, err, &be)
	require.Equal(t, 1, be.Line)
	_, err = audit.Open(filepath.Join(t.TempDir(), "log"), []byte("short"))
	require.Error(t, err)
	_, err = audit.Open(t.TempDir(), nil)
	require.Error(t, err)
	_, err = audit.Verify(bytes.NewReader(bytes.Repeat([]byte("x"), audit.MaxLine+10)), nil, "")
	require.Error(t, err)
}

func TestConcurrentRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path, key)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range 5 {
				assert.NoError(t, l.Record(context.Background(), permission.Record{Event: permission.EventTrust, Text: fmt.Sprint(i, j, "<&>\u2028")}))
			}
		}()
	}
	wg.Wait()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	r := verify(t, data, key, l.Head())
	require.True(t, r.OK() && r.Lines == 40, "%v", r)
}

// TestReplay: the same policy changes nothing, another one what it says.
func TestReplay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path, nil)
	run(t, l, permission.GateOptions{}, says{"a": permission.Once, "b": permission.ForSession}, "a", "b", "rm x", "c", "broken", "b")
	redact := func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("hunter2"), []byte("***")) }
	run(t, l, permission.GateOptions{Redact: redact}, nil, "login hunter2")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NotContains(t, string(data), "hunter2")
	now := policy(t, `{"permissions":{"deny":["Bash(rm *)"]}}`)
	same, err := audit.Replay(bytes.NewReader(data), now, now)
	require.NoError(t, err)
	require.Equal(t, 5, same.Calls)
	require.Equal(t, 2, same.NotReplayable, "one was redacted, one never inspected")
	require.Empty(t, same.Changes)
	other, err := audit.Replay(bytes.NewReader(data), now, policy(t, `{"permissions":{"allow":["Bash(a)","Bash(rm *)"],"deny":["Bash(c)"]}}`))
	require.NoError(t, err)
	var got []string
	for _, c := range other.Changes {
		got = append(got, fmt.Sprintf("%s %s>%s", c.Record.Input, c.A.Verdict, c.B.Verdict))
	}
	require.Equal(t, []string{`"a" ask>allow`, `"rm x" deny>allow`, `"c" ask>deny`}, got)
	_, err = audit.Replay(strings.NewReader("{\"v\":2}\n"), now, now)
	require.ErrorContains(t, err, "version 2")
	_, err = audit.Replay(strings.NewReader("nonsense\n"), now, now)
	require.Error(t, err)
}

// TestMine proposes what saves the most, and nothing that a person refused.
func TestMine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path, nil)
	yes := permission.Once
	run(t, l, permission.GateOptions{}, says{"a": yes, "b": yes, "d": permission.No}, "a", "a", "b", "a", "d", "c", "rm x")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	now := policy(t, `{"permissions":{"deny":["Bash(rm *)"]}}`)
	m, err := audit.Mine(bytes.NewReader(data), now, 0)
	require.NoError(t, err)
	require.Equal(t, 4, m.Prompts)
	require.Equal(t, 4, m.Saved)
	require.Equal(t, []audit.Proposal{{"Bash(a)", 3, []string{"Runs a."}}, {"Bash(b)", 1, []string{"Runs b."}}}, m.Proposals)
	m, err = audit.Mine(bytes.NewReader(data), now, 1)
	require.NoError(t, err)
	require.Len(t, m.Proposals, 1)
	require.Equal(t, 3, m.Saved)
	// What the rules say is so: with them the prompts are gone.
	after, err := now.With(permission.LayerUser, "/p", permission.Allow, "Bash(a)", "Bash(b)")
	require.NoError(t, err)
	r, err := audit.Replay(bytes.NewReader(data), now, after)
	require.NoError(t, err)
	require.Len(t, r.Changes, 4)
	m, err = audit.Mine(bytes.NewReader(data), after, 0)
	require.NoError(t, err)
	require.Zero(t, m.Prompts)
}

// TestDurableBeforeTheGrant: a log that cannot be written lets nothing run.
func TestDurableBeforeTheGrant(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "log"), key)
	e, err := permission.New(permission.Config{Policy: policy(t, `{"permissions":{"allow":["Bash"]}}`), Inspector: tool{}})
	require.NoError(t, err)
	s := permission.NewGate(e, permission.GateOptions{Audit: l}).Session(permission.SessionOptions{Dir: "/p"})
	call := permission.Call{Tool: "Bash", Input: json.RawMessage(`"a"`), Dir: "/p"}
	before := l.Head()
	_, err = s.Authorize(context.Background(), call)
	require.NoError(t, err)
	require.NotEqual(t, before, l.Head())
	require.NoError(t, l.Close())
	g, err := s.Authorize(context.Background(), call)
	require.Error(t, err)
	require.Nil(t, g)
}
