package toolset_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/internal/vectortest"
	"github.com/clearance-go/clearance/permission/toolset"
	"github.com/clearance-go/clearance/scope"
)

// commandsOf reads the commands of a vector file.
func commandsOf(t testing.TB, name string) []string {
	f, err := os.Open(filepath.Join(vectortest.Dir(t), name))
	require.NoError(t, err)
	defer f.Close()
	var out []string
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 4<<20)
	for sc.Scan() {
		var v vectortest.Vector
		require.NoError(t, json.Unmarshal(sc.Bytes(), &v))
		if c := v.String("command"); c != "" && (v.String("shell") == "" || v.String("shell") == "bash") {
			out = append(out, c)
		}
	}
	require.NoError(t, sc.Err())
	return out
}

// imagined is an evaluator for the machine of the vectors.
func imagined(t testing.TB, rules string) func(mode permission.Mode, command string) permission.Decision {
	const home, cwd = "/home/u", "/home/u/proj"
	policy, err := permission.ParsePolicy(home, permission.Source{Layer: permission.LayerUser, Name: "s.json", Base: cwd, Data: []byte(`{"permissions":{` + rules + `}}`)})
	require.NoError(t, err)
	files, err := scope.NewLexical(cwd, scope.Options{Home: home}, nil)
	require.NoError(t, err)
	tools, err := toolset.NewWith(toolset.Options{Files: files, Offline: true, Home: home,
		Analyzer: bashcheck.New(bashcheck.Options{Home: home}), Assume: bashcheck.SafeEnvAssumptions()})
	require.NoError(t, err)
	eval, err := permission.New(permission.Config{Policy: policy, Inspector: tools})
	require.NoError(t, err)
	return func(mode permission.Mode, command string) permission.Decision {
		in, err := json.Marshal(map[string]string{"command": command})
		require.NoError(t, err)
		st := permission.State{Mode: mode, Dir: cwd}
		call := permission.Call{Tool: "Bash", Input: in, Dir: cwd}
		ins, _ := eval.Inspect(context.Background(), st, call)
		return eval.Decide(st, call, ins)
	}
}

// TestWrappingNeverLoosens: what stands around a command never makes the
// verdict looser than that for the command alone.
func TestWrappingNeverLoosens(t *testing.T) {
	rules := `"allow":["Bash(npm *)","Bash(git *)","Bash(rm *)","Bash(echo *)","Bash(python3 *)","Edit(/out/**)"],"deny":["Bash(curl *)","Read(.env)","Bash(rm -rf *)"],"ask":["Bash(git push *)"]`
	decide := imagined(t, rules)
	around := []string{"%s; true", "true; %s", "(%s)", "{ %s; }", "%s > out.txt", "%s >> ~/x", "%s 2>&1", "if true; then %s; fi", "for i in 1 2; do %s; done",
		"echo \"$(%s)\"", "! { %s; }", "%s | cat", "cat <(%s)", "%s &", "time %s", "\n%s\n", "%s #x"}
	commands := append(commandsOf(t, "bash-benign.jsonl"), commandsOf(t, "bash-bypass.jsonl")...)
	require.NotEmpty(t, commands)
	for i, c := range commands {
		if strings.ContainsAny(c, "\n#\\") || len(c) > 2000 {
			continue // the frame would not stand around it
		}
		for _, mode := range []permission.Mode{permission.ModeDefault, permission.ModeAcceptEdits} {
			alone := decide(mode, c).Verdict
			// Each command with four of the frames; all of them over the files.
			for k := range 4 {
				framed := fmt.Sprintf(around[(i+k*5)%len(around)], c)
				got := decide(mode, framed)
				if got.Verdict > alone && !syntaxOpens(c) {
					t.Errorf("%s: %q is %s, %q is %s: %v", mode, c, alone, framed, got.Verdict, got.Reasons)
				}
			}
		}
	}
}

// syntaxOpens says that a text alone is broken, or empty, and that a frame may
// complete it.
func syntaxOpens(c string) bool {
	r := bashcheck.Analyze(c)
	return !r.Parsed || len(r.Commands) == 0
}

// TestLineEndsAndBlanks: a carriage return is part of a word for bash, so it
// never makes a text looser.
func TestLineEndsAndBlanks(t *testing.T) {
	decide := imagined(t, `"allow":["Bash(npm test)"],"deny":["Bash(rm *)"]`)
	for _, c := range []string{"npm test\r", "npm test\r\nrm x", "ls\r\nrm x", "ls\r\ncat a", "rm x\r\n", "npm\u00a0test", "npm test\x00", "npm test\u200b", "ls \u202e"} {
		assert.NotEqual(t, permission.Allow, decide(permission.ModeAcceptEdits, c).Verdict, "%q", c)
	}
	assert.Equal(t, permission.Allow, decide(permission.ModeDefault, "npm  test").Verdict)
}

// TestHostileInputs: bounded time, an answer that does not allow, no panic.
func TestHostileInputs(t *testing.T) {
	m := newMachine(t, "mkdir a; touch a/x", `"deny":["Read(**/a*b*c*d*e*f*g*h*)"],"allow":["Bash(a*a*a*a*a*a*a*b)","mcp__x"]`)
	big := strings.Repeat("a", 9000)
	for name, c := range map[string]struct{ tool, input string }{
		"deep JSON":        {"mcp__x__y", `{"a":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`},
		"many strings":     {"mcp__x__y", `{"a":[` + strings.TrimSuffix(strings.Repeat(`"./a",`, 5000), ",") + `]}`},
		"slow pattern":     {"Bash", `{"command":"` + big + `"}`},
		"slow glob":        {"Bash", `{"command":"cat /*/*/*/*/*/*/*/*x"}`},
		"slow path":        {"Read", `{"file_path":"` + strings.Repeat("a/", 4000) + `"}`},
		"many links":       {"Bash", `{"command":"cat ` + strings.Repeat("a/../", 1500) + `nothing.pem"}`},
		"many words":       {"Bash", `{"command":"tool ` + strings.Repeat("./a/x ", 1500) + `"}`},
		"NUL path":         {"Read", `{"file_path":"a\u0000b"}`},
		"duplicate field":  {"Read", `{"file_path":"a","file_path":"/etc/shadow"}`},
		"field by case":    {"Read", `{"file_path":"a","File_Path":"/etc/shadow"}`},
		"field by folding": {"Bash", `{"command":"ls","command\u0000":"rm"}`},
		"empty path":       {"Write", `{"file_path":""}`},
		"not a string":     {"Write", `{"file_path":{"a":1}}`},
		"no input":         {"Write", ``},
		"bad UTF-8":        {"Write", "{\"file_path\":\"\xff\"}"},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			st := permission.State{Mode: permission.ModeAcceptEdits, Dir: m.dir}
			call := permission.Call{Tool: c.tool, Input: json.RawMessage(c.input), Dir: m.dir}
			ins, _ := m.eval.Inspect(context.Background(), st, call)
			d := m.eval.Decide(st, call, ins)
			if name != "field by folding" && name != "slow path" {
				assert.NotEqual(t, permission.Allow, d.Verdict, "%v", d.Reasons)
			}
			assert.Less(t, time.Since(start), time.Minute)
		})
	}
}

// TestToolFields: what an MCP tool is declared to do meets the rules for files;
// what it is not declared to do still meets deny and ask rules.
func TestToolFields(t *testing.T) {
	m := newMachine(t, "echo k > .env; echo a > a.txt; ln -s .env link", `"allow":["mcp__fs"],"deny":["Read(/denied/**)","WebFetch(domain:evil.net)"]`)
	tools, err := toolset.NewWith(toolset.Options{Files: m.guard, Home: m.home, Analyzer: bashcheck.New(bashcheck.Options{}),
		Fields: map[string]map[string]permission.Kind{
			"mcp__fs__read": {"path": permission.Read}, "mcp__fs__write": {"path": permission.Write}, "mcp__fs__many": {"paths": permission.Read},
		}})
	require.NoError(t, err)
	eval, err := permission.New(permission.Config{Policy: m.eval.Policy(), Inspector: tools})
	require.NoError(t, err)
	for input, want := range map[string]permission.Verdict{
		`mcp__fs__read {"path":"a.txt"}`:                         permission.Allow,
		`mcp__fs__read {"path":".env"}`:                          permission.Ask,
		`mcp__fs__read {"path":"link"}`:                          permission.Ask,
		`mcp__fs__read {"path":"denied/x"}`:                      permission.Deny,
		`mcp__fs__many {"paths":["a.txt","denied/x"]}`:           permission.Deny,
		`mcp__fs__read {"path":"a.txt","also":"denied/x"}`:       permission.Deny,
		`mcp__fs__read {"path":"a.txt","also":".env"}`:           permission.Ask,
		`mcp__fs__read {"path":"a.txt","to":".git/hooks/x"}`:     permission.Ask,
		`mcp__fs__write {"path":".git/config"}`:                  permission.Ask,
		`mcp__fs__write {"path":"a.txt"}`:                        permission.Allow,
		`mcp__fs__other {"p":"link"}`:                            permission.Ask,
		`mcp__fs__other {"p":"./link"}`:                          permission.Ask,
		`mcp__fs__other {"p":{"q":["x","denied/y"]}}`:            permission.Deny,
		`mcp__fs__other {"u":"https://u:p@evil.net:1/x"}`:        permission.Deny,
		`mcp__fs__other {"u":"file:///etc/../root/.ssh/id_rsa"}`: permission.Ask,
		`mcp__fs__other {"text":"hello, world"}`:                 permission.Allow,
	} {
		tool, in, _ := strings.Cut(input, " ")
		st := permission.State{Dir: m.dir}
		call := permission.Call{Tool: tool, Input: json.RawMessage(in), Dir: m.dir}
		ins, _ := eval.Inspect(context.Background(), st, call)
		d := eval.Decide(st, call, ins)
		assert.Equal(t, want, d.Verdict, "%s: %v", input, d.Reasons)
		secret := strings.Contains(in, "link") || strings.Contains(in, ".env") || strings.Contains(in, ".ssh")
		assert.Equal(t, secret, ins.Brings&permission.SensitiveData != 0, "%s: what is known of a secret afterwards", input)
	}
}

// TestWrittenIsReported: what strace sees a writer change in the project is a
// path of a Write or Delete action.
func TestWrittenIsReported(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "strace is missing")
		t.Skip("strace is missing: what commands change cannot be observed")
	}
	const setup = "mkdir -p src/in dst; echo a > a.txt; echo b > b.txt; echo c > src/c; echo d > src/in/d; ln -s src lnk; touch x1 x2 y.log"
	calls := regexp.MustCompile(`(?:openat\([^,]+, "([^"]*)", ([A-Z_|]+)|(?:unlinkat|mkdirat|symlinkat)\([^"]*"([^"]*)"|(?:unlink|rmdir|mkdir|truncate|creat|chmod)\("([^"]*)"|(?:rename|renameat2?|link|linkat|symlink)\([^"]*"([^"]*)"[^"]*"([^"]*)").*= \d`)
	seen := 0
	commands := everyThird([]string{
		"rm a.txt", "rm -rf src", "rm -rf src dst", "rm x*", "rm -r s*c", "rmdir dst", "mkdir n", "mkdir -p n/m/o", "touch n1 n2", "touch x?", "touch a.txt",
		"mv a.txt c.txt", "mv a.txt dst", "mv a.txt b.txt dst/", "mv src dst", "mv src new", "cp a.txt c.txt", "cp a.txt dst", "cp a.txt b.txt dst",
		"cp -r src dst", "cp -r src new", "cp -r src/. dst", "cp -a src dst/x", "cp x* dst", "tee o1 o2 < a.txt", "echo x | tee -a a.txt",
		"sed -i s/a/b/ a.txt", "sed -i -e s/a/b/ a.txt b.txt", "echo hi > o.txt", "echo hi >> a.txt", "cat a.txt > dst/o", "cd src && echo hi > o", "cd lnk; echo hi > o; rm c",
		"{ echo a; echo b; } > o.txt", "(cd dst && touch z)", "for i in 1 2; do touch a.txt; done", "ls > o.txt 2> e.txt", "cat a.txt | sort > s.txt", "sort -o s.txt a.txt",
		"ln -s a.txt l", "ln a.txt h", "chmod +x a.txt", "chmod -R u+x src", "truncate -s 0 a.txt", "find . -name '*.log' -delete", "nohup touch q > /dev/null", "timeout 5 mv a.txt z.txt",
		"mkdir d && touch d/a && cp a.txt d/b && rm d/a", "if true; then rm a.txt; else rm b.txt; fi", "cat <<E > h.txt\nhi\nE", "touch 'a b' && rm 'a b'", "cp a.txt \"dst/new file\"", "printf x > x1",
	})
	for _, command := range commands {
		t.Run(command, func(t *testing.T) {
			m := newMachine(t, setup, "")
			_, ins := m.decide(t, permission.ModeAcceptEdits, "Bash", map[string]any{"command": command})
			trace := filepath.Join(t.TempDir(), "trace")
			c := exec.Command(strace, "-f", "-qq", "-o", trace, "-e", "trace=%file,%desc", "-e", "signal=none", "-s", "4096", "-y", "bash", "--norc", "-c", command)
			c.Dir = m.dir
			c.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + m.home, "LC_ALL=C"}
			before := tree(t, m.home)
			if out, err := c.CombinedOutput(); err != nil && strings.Contains(string(out), "ptrace") {
				require.NotEqual(t, "true", os.Getenv("CI"), "strace may not trace here")
				t.Skip("strace may not trace here")
			}
			changed := map[string]bool{}
			after := tree(t, m.home)
			for name, was := range before {
				if after[name] != was {
					changed[name] = true
				}
			}
			for name := range after {
				if _, ok := before[name]; !ok {
					changed[name] = true
				}
			}
			for _, line := range strings.Split(read(t, trace), "\n") {
				g := calls.FindStringSubmatch(line)
				if g == nil || g[1] != "" && !strings.Contains(g[2], "O_WRONLY") && !strings.Contains(g[2], "O_RDWR") {
					continue
				}
				if at := regexp.MustCompile(`-> |<([^<>]*)>\s*$`).FindStringSubmatch(line); g[1] != "" && len(at) > 1 && strings.HasPrefix(at[1], m.home) {
					changed[strings.TrimSuffix(at[1], " (deleted)")] = true
				}
			}
			for name := range changed {
				if strings.HasPrefix(filepath.Base(name), "sed") && len(filepath.Base(name)) == 9 {
					continue // the temporary file that sed renames over its target
				}
				seen++
				assert.True(t, covered(name, ins), "%s changed %s, which no action names: %+v", command, name, ins.Actions)
			}
			require.NotEmpty(t, changed, "the command changes nothing: the test shows nothing")
		})
	}
	require.Greater(t, seen, len(commands)*3/4)
}

// tree maps every name below a directory to what it is.
func tree(t testing.TB, dir string) map[string]string {
	out := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		content := ""
		if st.Mode().IsRegular() {
			content = fmt.Sprint(read(t, name), st.ModTime().UnixNano())
		}
		out[name] = fmt.Sprint(st.Mode(), content)
		return nil
	}))
	return out
}

// covered says whether a Write or Delete action names the path, or a tree with
// it. A directory whose entries are named is covered by them.
func covered(name string, ins permission.Inspection) bool {
	for i := range ins.Actions {
		a := &ins.Actions[i]
		if a.Kind != permission.Write && a.Kind != permission.Delete {
			continue
		}
		for _, p := range []string{a.Path.Clean, a.Path.Real} {
			switch {
			case p == "":
			case p == name:
				return true
			case a.Path.Extent != permission.Exact && strings.HasPrefix(name, strings.TrimSuffix(p, "/")+"/"):
				return true
			case strings.HasPrefix(p, name+"/"):
				return true // mkdir -p, and directories whose time changes
			}
		}
	}
	return false
}
