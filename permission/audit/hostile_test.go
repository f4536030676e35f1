package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/audit"
)

// TestPoisonedLog: lines that somebody made up propose no rule that is wider than
// one call. Mine does not check the chain, and whoever could write into the log
// could wait for it to be mined.
func TestPoisonedLog(t *testing.T) {
	act := func(a permission.Action) []permission.Action { return []permission.Action{a} }
	use := permission.Action{Kind: permission.Use, Origin: permission.Tool, Name: "x"}
	at := func(k permission.Kind, p string) permission.Action {
		return permission.Action{Kind: k, Origin: permission.Tool, Path: permission.Path{Clean: p, Real: p, Extent: permission.Exact, Zone: permission.Outside, Class: permission.Ordinary}}
	}
	cmd := func(c permission.Command) permission.Action {
		return permission.Action{Kind: permission.Run, Origin: permission.Tool, Command: &c}
	}
	host := permission.Action{Kind: permission.Connect, Origin: permission.Tool, Host: "*"}
	for name, r := range map[string]permission.Record{
		"a whole tool for commands": {Tool: "Bash", Inspection: permission.Inspection{Family: "x", Actions: act(use)}},
		"a whole tool for files":    {Tool: "Edit", Inspection: permission.Inspection{Family: "x", Actions: act(use)}},
		"every page":                {Tool: "WebFetch", Inspection: permission.Inspection{Family: "WebFetch", Actions: act(use)}},
		"every host":                {Tool: "WebFetch", Inspection: permission.Inspection{Family: "WebFetch", Actions: act(host)}},
		"every server":              {Tool: "mcp__*", Inspection: permission.Inspection{Family: "mcp", Actions: act(use)}},
		"a whole server":            {Tool: "mcp__s", Inspection: permission.Inspection{Family: "mcp", Actions: act(use)}},
		"the root, to write":        {Tool: "Write", Inspection: permission.Inspection{Family: "Edit", Actions: act(at(permission.Write, "/"))}},
		"the root, to read":         {Tool: "Read", Inspection: permission.Inspection{Family: "Read", Actions: act(at(permission.Read, "/"))}},
		"a star in a path":          {Tool: "Read", Inspection: permission.Inspection{Family: "Read", Actions: act(at(permission.Read, "/**"))}},
		"a prefix of nothing":       {Tool: "Bash", Inspection: permission.Inspection{Family: "Bash", Actions: act(cmd(permission.Command{Allow: []string{"touch x"}, Deny: []string{"touch x"}, Prefix: ""}))}},
		"another prefix":            {Tool: "Bash", Inspection: permission.Inspection{Family: "Bash", Actions: act(cmd(permission.Command{Allow: []string{"curl x"}, Deny: []string{"curl x"}, Prefix: "mkdir"}))}},
		"a star for a command":      {Tool: "Bash", Inspection: permission.Inspection{Family: "Bash", Actions: act(cmd(permission.Command{Allow: []string{"*"}, Deny: []string{"*"}}))}},
		"a colon and a star":        {Tool: "Bash", Inspection: permission.Inspection{Family: "Bash", Actions: act(cmd(permission.Command{Allow: []string{"sudo :*"}, Deny: []string{"sudo :*"}}))}},
		"an interpreter":            {Tool: "Bash", Inspection: permission.Inspection{Family: "Bash", Actions: act(cmd(permission.Command{Allow: []string{"python3 -c x"}, Deny: []string{"python3 -c x"}, Prefix: "python3"}))}},
		"a rule in a name":          {Tool: "Skill", Inspection: permission.Inspection{Family: "Skill", Actions: act(permission.Action{Kind: permission.Use, Origin: permission.Tool, Name: "*"})}},
	} {
		r.Event, r.Answer, r.State.Dir, r.Dir = permission.EventDecision, permission.Once.String(), "/p", "/p"
		r.Input = json.RawMessage(`{}`)
		r.Decision.Verdict = permission.Allow
		path := filepath.Join(t.TempDir(), "log")
		l := open(t, path, nil)
		for range 5 {
			require.NoError(t, l.Record(context.Background(), r))
		}
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		empty := policy(t, `{}`)
		m, err := audit.Mine(bytes.NewReader(data), empty, 0)
		require.NoError(t, err)
		require.Equal(t, 5, m.Prompts, name)
		for _, p := range m.Proposals {
			with, err := empty.With(permission.LayerUser, "/p", permission.Allow, p.Rule)
			require.NoError(t, err)
			e, err := permission.New(permission.Config{Policy: with, Inspector: tool{}})
			require.NoError(t, err)
			for _, x := range e.Lint() {
				assert.NotEqual(t, permission.LintWide, x.Code, "%s: %s", name, x)
			}
			assert.NotContains(t, []string{"Bash", "Edit", "Write", "Read", "WebFetch", "mcp__s", "mcp__*", "Read(//)", "Edit(//)", "Skill(*)", "Skill"}, p.Rule, name)
			assert.NotContains(t, strings.ReplaceAll(p.Rule, `\*`, ""), "*", name)
		}
	}
}

// TestOddRecords: bytes that are no UTF-8 and input that is no JSON are recorded
// in a chain that stays whole, and what is too large to be recorded does not run
// and does not break the log.
func TestOddRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path, key)
	e, err := permission.New(permission.Config{Policy: policy(t, `{"permissions":{"allow":["Bash"]}}`), Inspector: tool{}})
	require.NoError(t, err)
	s := permission.NewGate(e, permission.GateOptions{Audit: l}).Session(permission.SessionOptions{Dir: "/p"})
	n := 0
	for _, input := range []string{"\"a\xff\xfe\"", "\"\u2028</script>\"", `"\ud800"`, `{"a"`, "", "\xff", `"a" "b"`, "null", "\"\x00\""} {
		_, err := s.Authorize(context.Background(), permission.Call{Tool: "Bash", Input: json.RawMessage(input), Dir: "/p"})
		if err != nil {
			var re *permission.RefusedError
			require.ErrorAs(t, err, &re, "%q: a refusal is on record like any other", input)
		}
		n++
	}
	large := permission.Record{Event: permission.EventMode, Text: strings.Repeat("x", audit.MaxLine)}
	require.ErrorContains(t, l.Record(context.Background(), large), "larger than")
	require.NoError(t, l.Record(context.Background(), permission.Record{Event: permission.EventMode, Text: "plan"}))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	r := verify(t, data, key, l.Head())
	require.True(t, r.OK(), "%v", r)
	require.True(t, r.TailVerified)
	require.Equal(t, n+1, r.Lines)
	_, err = audit.Replay(bytes.NewReader(data), policy(t, `{}`), policy(t, `{}`))
	require.NoError(t, err)
}

// TestHugeLog: neither one endless line nor many broken ones take more memory
// than one line may, and every reader gives up with an error.
func TestHugeLog(t *testing.T) {
	endless := func() io.Reader { return io.LimitReader(zeros{}, 1<<40) }
	_, err := audit.Verify(endless(), key, "")
	require.ErrorContains(t, err, "longer than")
	_, err = audit.Replay(endless(), policy(t, `{}`), policy(t, `{}`))
	require.ErrorContains(t, err, "longer than")
	_, err = audit.Mine(endless(), policy(t, `{}`), 0)
	require.ErrorContains(t, err, "longer than")
	r, err := audit.Verify(strings.NewReader(strings.Repeat("x\n", 10_000)), key, "")
	require.NoError(t, err)
	require.Equal(t, 10_000, r.Lines)
	require.Len(t, r.Problems, 100)
	require.False(t, r.OK())
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestReadersOfATornLog: what a crash left at the end is an error with its line,
// after what stands before it.
func TestReadersOfATornLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path, key)
	run(t, l, permission.GateOptions{}, says{"a": permission.Once}, "a", "b")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	whole := bytes.Count(data, []byte("\n"))
	torn := append(bytes.Clone(data), []byte(`{"v":1,"seq"`)...)
	r, err := audit.Replay(bytes.NewReader(torn), policy(t, `{}`), policy(t, `{}`))
	var be *audit.BrokenError
	require.ErrorAs(t, err, &be)
	require.Equal(t, whole+1, be.Line)
	require.Equal(t, 2, r.Calls)
	_, err = audit.Mine(bytes.NewReader(torn), policy(t, `{}`), 0)
	require.ErrorAs(t, err, &be)
	_, err = audit.Replay(bytes.NewReader(data), policy(t, `{}`), policy(t, `{}`))
	require.NoError(t, err)
	for name, bad := range map[string]string{"not JSON": "x\n", "a later version": `{"v":2,"seq":9}` + "\n"} {
		_, err = audit.Replay(strings.NewReader(string(data)+bad), policy(t, `{}`), policy(t, `{}`))
		require.ErrorAs(t, err, &be, name)
		require.Equal(t, whole+1, be.Line, name)
	}
	// Two crashes lose nothing of either.
	for i := range 2 {
		require.NoError(t, os.WriteFile(path, append(bytes.Clone(data), fmt.Sprintf("torn%d", i)...), 0o600))
		l.Close()
		l, err = audit.Open(path, key)
		require.NoError(t, err)
	}
	require.NoError(t, l.Close())
	kept, err := os.ReadFile(path + ".torn")
	require.NoError(t, err)
	require.Contains(t, string(kept), "torn0")
	require.Contains(t, string(kept), "torn1")
}

// TestTwoLogs: a line of one log in another, and one log in place of the other.
func TestTwoLogs(t *testing.T) {
	var data [2][]byte
	var head [2]string
	for i := range data {
		path := filepath.Join(t.TempDir(), "log")
		l := open(t, path, key)
		run(t, l, permission.GateOptions{}, says{"a": permission.Once}, "a", fmt.Sprint("b", i))
		head[i] = l.Head()
		var err error
		data[i], err = os.ReadFile(path)
		require.NoError(t, err)
	}
	require.False(t, verify(t, append(bytes.Clone(data[0]), data[1]...), key, head[1]).OK())
	require.False(t, verify(t, append(bytes.Clone(data[0]), data[1]...), key, "").OK())
	swapped := verify(t, data[1], key, head[0])
	require.False(t, swapped.OK())
	require.False(t, swapped.TailVerified)
	require.False(t, verify(t, data[1], key, "").TailVerified, "without a head nobody knows")
}

// TestRemovedLog: a log whose file was removed under it records nothing any more,
// so nothing runs.
func TestRemovedLog(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be removed here")
	}
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path, key)
	require.NoError(t, l.Record(context.Background(), permission.Record{Event: permission.EventMode, Text: "plan"}))
	require.NoError(t, os.Remove(path))
	err := l.Record(context.Background(), permission.Record{Event: permission.EventMode, Text: "default"})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Error(t, l.Record(context.Background(), permission.Record{Event: permission.EventMode, Text: "default"}))
	// One that was set aside under another name goes on there.
	l = open(t, path, key)
	require.NoError(t, os.Rename(path, path+".1"))
	require.NoError(t, l.Record(context.Background(), permission.Record{Event: permission.EventMode, Text: "plan"}))
	require.False(t, errors.Is(l.Close(), os.ErrNotExist))
}
