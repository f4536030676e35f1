package toolset_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
)

// TestSwappedWhileAsked: what a call reaches changes between the question and the
// answer, on the disk and in the session: the yes is for what was shown, so that it
// is asked again. The control is the same call with nothing changed.
func TestSwappedWhileAsked(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege here")
	}
	ctx := context.Background()
	const setup = "mkdir -p d other ../out; echo x > a.txt; ln -s a.txt link; ln -s d dlink; printf '#!/bin/sh\\necho ok\\n' > run.sh; chmod +x run.sh; printf 'all:\\n\\ttrue\\n' > Makefile; echo 'print(1)' > x.py; echo s > ../out/secret"
	for name, c := range map[string]struct {
		call   permission.Call
		change string
	}{
		"a link to a file":          {shellCall("touch link"), "ln -sfn ../out/secret link"},
		"a link to a directory":     {shellCall("touch dlink/x"), "ln -sfn ../out dlink"},
		"a link, by the tool":       {call("Write", map[string]any{"file_path": "$P/link", "content": "x"}), "ln -sfn ../out/secret link"},
		"a directory on the way":    {call("Write", map[string]any{"file_path": "$P/d/x", "content": "x"}), "mv d e; ln -s ../out d"},
		"a file that becomes a dir": {shellCall("mv a.txt other/b"), "rm -rf other; ln -s ../out other"},
		"a script":                  {shellCall("./run.sh"), "echo 'touch mark' >> run.sh"},
		"a script, run by a shell":  {shellCall("sh run.sh"), "echo 'touch mark' >> run.sh"},
		"a script in Python":        {shellCall("python3 x.py"), "echo 'import os' >> x.py"},
		"a build file":              {shellCall("make all"), "printf '\\ttouch mark\\n' >> Makefile"},
		"another build file":        {shellCall("make all"), "cp Makefile GNUmakefile"},
		"a script that is a link":   {shellCall("./run.sh"), "mv run.sh was.sh; ln -s was.sh run.sh; echo 'touch mark' >> was.sh"},
		"what a pattern matches":    {shellCall("rm *.txt"), "echo x > b.txt"},
		"what a tree holds":         {shellCall("cp -rL d other"), "ln -s ../../out/secret d/l"},
	} {
		for _, change := range []bool{true, false} {
			m := newMachine(t, setup, "")
			s, _, _ := m.session(t, "")
			in := string(c.call.Input)
			q := c.call
			q.Input = json.RawMessage(strings.ReplaceAll(in, "$P", m.dir))
			_, req, err := s.Check(ctx, q)
			require.NoError(t, err, name)
			require.NotNil(t, req, name)
			if change {
				m.bash(t, c.change)
			}
			grant, next, err := s.Resolve(ctx, permission.Answer{Token: req.Token, Choice: permission.Once})
			if change {
				assert.True(t, grant == nil, "%s: granted", name)
				assert.True(t, next != nil || err != nil, "%s", name)
			} else {
				require.NoError(t, err, name)
				assert.NotNil(t, grant, "%s: the control", name)
			}
		}
	}
	// The root itself is replaced: what is there then was not looked at.
	m := newMachine(t, setup, "")
	s, _, _ := m.session(t, "")
	_, req, err := s.Check(ctx, shellCall("./run.sh"))
	require.NoError(t, err)
	require.NoError(t, os.Rename(m.dir, m.dir+"-was"))
	require.NoError(t, os.Mkdir(m.dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(m.dir, "run.sh"), []byte("#!/bin/sh\ntouch mark\n"), 0o755))
	grant, _, err := s.Resolve(ctx, permission.Answer{Token: req.Token, Choice: permission.Once})
	assert.True(t, grant == nil, "%v", err)
}
