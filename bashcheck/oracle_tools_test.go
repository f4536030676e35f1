//go:build linux

package bashcheck

import (
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck/internal/oracle"
)

// toolTricks do harm with calls that look like questions to a tool. Each is run
// for real with the files beside it, and makes the file mark, or prints the word
// of a file that the call does not name.
var toolTricks = []struct {
	program, command, why string
	files                 map[string]string
	prints                string
}{
	{"gcc", "gcc -v --version -D @x", "the words of @FILE hold -wrapper, and with -v the compiler is started", map[string]string{"x": "X -wrapper ./e\n", "e": "#!/bin/sh\ntouch mark\n"}, ""},
	{"gcc", "gcc --version -v -wrapper ./e", "a wrapper of the compiler", map[string]string{"e": "#!/bin/sh\ntouch mark\n"}, ""},
	{"c++filt", "c++filt @secret", "the words of @FILE are printed", map[string]string{"secret": "hunter2\n"}, "hunter2"},
	{"nm", "nm -t d @x", "the words of @FILE name another file", map[string]string{"x": "secret\n", "secret": "\x7fnothing\n"}, "secret"},
	{"size", "size @x", "the words of @FILE name another file", map[string]string{"x": "secret\n", "secret": "\x7fnothing\n"}, "secret"},
	{"strings", "strings @x", "the words of @FILE name another file", map[string]string{"x": "secret\n", "secret": "hunter2\n"}, "hunter2"},
	{"java", "java -Xlog:all:file=mark -version", "a log is written", nil, ""},
	{"java", "java -XX:+UnlockDiagnosticVMOptions -XX:+LogVMOutput -XX:LogFile=mark -version", "a log is written", nil, ""},
	{"javac", "javac -version -cp @x", "the words of @FILE name sources and where classes go", map[string]string{"x": ". -d . mark.java\n", "mark.java": "class mark {}\n"}, ""},
	{"npm", "npm ls", "the project's .npmrc makes npm write what it measured", map[string]string{".npmrc": "timing=true\nlogs-dir=/w/mark\n", "mark/a.txt": "x"}, ""},
	{"npm", "npm ls", "the project's .npmrc makes npm make folders where it says", map[string]string{".npmrc": "cache=/w/mark\n"}, ""},
	{"sqlite3", "sqlite3 -init x -version", "a start-up file is run before the version is printed", map[string]string{"x": ".shell touch mark\n"}, ""},
	{"psql", "psql -o mark --version", "the output is opened before the version is printed", nil, ""},
	{"ctest", "ctest -N", "a list makes a folder", nil, ""},
	{"find", "cd 'mark -delete' && find $(pwd) -name x", "a folder whose name has a blank becomes two words", map[string]string{"mark -delete/a": "", "mark/b": ""}, ""},
	{"as", "as -v < /dev/null", "the version is printed and then the input read and a.out made", nil, ""},
}

// TestOracleTools runs the tricks in a sandbox: the harm is real, and none is
// called read-only, npm's excepted, for which SafeEnv speaks.
func TestOracleTools(t *testing.T) {
	box := straceBox(t)
	ran := 0
	for _, k := range toolTricks {
		if _, err := exec.LookPath(k.program); err != nil {
			continue
		}
		r := Analyze(k.command)
		if k.program != "npm" {
			assert.False(t, r.ReadOnly(), "%s: %s", k.command, k.why)
		} else {
			assert.Contains(t, r.Assumptions, AssumeQuietManagers)
		}
		if os.Getenv("CI") != "true" && (k.program == "java" || k.program == "javac" || k.program == "npm") {
			continue // they take seconds to start; CI runs them
		}
		req := straceRequest(k.command, Report{})
		for name, data := range k.files {
			if d := path.Dir(name); d != "." {
				req.Put = append(req.Put, oracle.File{Path: "/w/" + d, Dir: true})
			}
			req.Put = append(req.Put, oracle.File{Path: "/w/" + name, Data: []byte(data), Mode: 0o755})
		}
		if k.program == "npm" {
			res, err := box.Run(req)
			require.NoError(t, err)
			for _, c := range res.Changes {
				assert.Equal(t, "/home/u/.npm", c.Path, "with SafeEnv: %s", k.command)
			}
			req.Env = without(req.Env, "npm_config_timing", "npm_config_logs_dir", "npm_config_cache")
		}
		res, err := box.Run(req)
		require.NoError(t, err)
		ran++
		if k.prints != "" {
			assert.Contains(t, string(res.Output), k.prints, "%s: %s", k.command, k.why)
			continue
		}
		assert.True(t, slices.ContainsFunc(res.Changes, func(c oracle.Change) bool {
			return strings.HasPrefix(c.Path, "/w/mark") || strings.HasPrefix(c.Path, "/w/Testing") || c.Path == "/w/a.out"
		}), "%s: %s: no harm seen: %v %s", k.command, k.why, res.Changes, res.Output)
	}
	t.Logf("%d of %d tricks were run", ran, len(toolTricks))
	if os.Getenv("CI") == "true" {
		assert.Greater(t, ran, 7, "too few tricks were run: install testdata/oracle-packages.txt")
	}
}

// TestUnquotedFolder: a substitution that prints a folder is one word only in
// quotes, or for cd, which takes no second one.
func TestUnquotedFolder(t *testing.T) {
	for src, want := range map[string]bool{
		`find "$(pwd)" -name x`: true, `find $(pwd) -name x`: false, `find $(git rev-parse --show-toplevel) -name x`: false,
		`cd $(git rev-parse --show-toplevel) && ls`: true, `ls $(pwd)`: true, `cd "$(git rev-parse --show-toplevel)" && find . -name x`: true,
		`dpkg -S "$(which curl)"`: true, `dpkg -S $(which curl)`: false, `dpkg -S "$(which -a curl)"`: false, `dpkg -S "$(which ./x)"`: false,
	} {
		assert.Equal(t, want, Analyze(src).ReadOnly(), src)
	}
}
