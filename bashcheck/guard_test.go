package bashcheck

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// differentials are texts in which bash runs code that the parser hides. The
// mark is a file named HIT; run in a temporary directory.
var differentials = []struct{ name, src string }{
	{"P1 comment continued", "echo a # foo \\\ntouch HIT"},
	{"P2 escaped carriage return", "echo a \\\r\ntouch HIT"},
	{"P3 carriage return before comment", "echo a\r#; touch HIT"},
	{"P4 extended pattern", "[[ x == @($(touch HIT)) ]]"},
	{"P5 regular expression group", "[[ x =~ (<(touch HIT)) ]]"},
	{"P6 single quotes in a quoted expansion", `echo "${x:-'$(touch HIT)'}"`},
	{"P7 continuation inside a dollar", "echo \"$\\\n(touch HIT)\""},
	{"P8 continuation before a string", "printf '' ; $\\\n'\\x74ouch' HIT"},
	{"P9 quoted arithmetic", "echo $(( 'a[$(touch HIT)]' ))"},
	{"P11 closed descriptor before a word", ">&-touch HIT"},
	{"P12 here-document in a here-document", "cat <<E\n$(cat <<F\nE\ntouch HIT\nF\n)\nE\n"},
	{"P13 quoted file after >&", "echo a >&'x$(touch HIT)'"},
	{"P14 program that looks like an assignment", "printf 'touch HIT\n' > './x=['; chmod +x './x=['; ./x=[ ls"},
	{"P10 NUL", "to\x00uch HIT"},
}

func TestParserDifferentials(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("bash is missing")
	}
	for _, d := range differentials {
		t.Run(d.name, func(t *testing.T) {
			r := Analyze(d.src)
			assert.False(t, r.ReadOnly(), r.Explain())
			blocks := false
			for _, f := range r.Findings {
				blocks = blocks || f.Blocks
			}
			assert.True(t, blocks || !r.Parsed, "the text must not count as understood")
			if bash == "" {
				t.Skip("bash is missing, so that it runs the hidden code is not shown")
			}
			dir := t.TempDir()
			file := dir + "/script"
			require.NoError(t, os.WriteFile(file, []byte(d.src), 0o600))
			cmd := exec.Command(bash, "-s")
			cmd.Dir = dir
			in, err := os.Open(file)
			require.NoError(t, err)
			defer in.Close()
			cmd.Stdin = in
			_ = cmd.Run()
			if d.name[:3] == "P5 " {
				// The process substitution runs beside the shell.
				assert.Eventually(t, func() bool { _, err := os.Stat(dir + "/HIT"); return err == nil }, time.Minute, 5*time.Millisecond)
			}
			_, err = os.Stat(dir + "/HIT")
			assert.NoError(t, err, "bash is expected to run the hidden command")
		})
	}
}

func TestHostile(t *testing.T) {
	deep := strings.Repeat
	for name, src := range map[string]string{
		"10 MB":             deep("a", 10<<20),
		"300000 brackets":   deep("(", 300_000),
		"balanced":          deep("(", 150_000) + deep(")", 150_000),
		"substitutions":     deep("$(", 200_000),
		"expansions":        deep("${a:-", 1_000_000),
		"short brackets":    deep("(", 4000),
		"short balanced":    deep("(", 79) + "ls" + deep(")", 79),
		"if":                deep("if ", 3000),
		"while":             deep("while ", 1600),
		"time":              deep("time ", 1900),
		"not":               deep("! ", 4900),
		"and":               deep("a&&", 3000) + "a",
		"pipe":              deep("a|", 4900) + "a",
		"semicolons":        deep("a;", 4900),
		"backticks":         deep("`", 5000),
		"dollar quotes":     deep("\"$(", 80),
		"here-documents":    deep("<<a ", 2400),
		"braces":            "echo " + deep("{a,b}", 1900),
		"arithmetic":        "echo $((" + deep("1+", 4900) + "1))",
		"unary":             "echo $((" + deep("-", 4900) + "1))",
		"tests":             "[[ " + deep("! ", 4800) + "a ]]",
		"functions":         deep("f() ", 2400) + "ls",
		"nested sh":         deep("sh -c '", 1400),
		"wrappers":          deep("env ", 2400) + "ls",
		"expansion in text": deep("${a:-", 1900),
		"else":              "if a; then b; " + deep("elif a; then b; ", 500) + "fi",
		"assignments":       deep("a=1;", 2400),
		"variables":         deep("a=1 b=2;", 1200),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			r := Analyze(src)
			assert.Less(t, time.Since(start), time.Minute, "only to catch what never ends")
			switch name {
			case "arithmetic", "unary", "assignments", "variables", "braces": // harmless, if long
			default:
				assert.False(t, r.ReadOnly())
			}
			_ = r.Explain()
		})
	}
}

func TestBadDescriptionIsLoud(t *testing.T) {
	a := New(Options{Programs: []Source{{"mine.txt", "program x\n  say runs\n  colour red\n"}}})
	var bad *DescriptionError
	require.ErrorAs(t, a.Err(), &bad)
	assert.Equal(t, "mine.txt:3:3: unknown keyword \"colour\": write one that bashcheck/programs/README.md lists", bad.Error())
	r := a.Analyze("ls")
	assert.False(t, r.ReadOnly())
	assert.Equal(t, CodeBadDescription, r.Findings[0].Code)
}

func TestOwnDescription(t *testing.T) {
	a := New(Options{Programs: []Source{{"mine.txt", "program frob\n  why ours\n  say frobs\n  operands read*\n  yes frob a\n"}}})
	require.NoError(t, a.Err())
	assert.True(t, a.Analyze("frob a").ReadOnly())
	assert.False(t, a.Analyze("frob --x a").ReadOnly())
	assert.False(t, Analyze("frob a").ReadOnly())
}

func TestDirs(t *testing.T) {
	for _, c := range []struct {
		src  string
		want []string // of the last command; nil: not known
	}{
		{"ls", []string{"."}},
		{"cd a && ls", []string{"a"}},
		{"cd a; ls", []string{"a", "."}},
		{"cd a || ls", []string{"."}},
		{"(cd a && ls); ls", []string{"."}},
		{"cd a && cd b && ls", []string{"a/b"}},
		{"cd /x && cd .. && ls", []string{"/"}},
		{"cd $x && ls", nil},
		{"cd - && ls", nil},
		{"cd && ls", []string{"/home/u"}},
		{"cd ~/p && ls", []string{"/home/u/p"}},
		{"if cd a; then ls; fi", []string{"a"}},
		{"cd a & ls", []string{"."}},
		{"command cd a && ls", []string{"a"}},
		{"builtin cd a; ls", []string{"a", "."}},
		{"eval 'cd a'; ls", nil},
		{"while true; do cd a; done; ls", nil},
	} {
		r := New(Options{Home: "/home/u"}).Analyze(c.src)
		require.NotEmpty(t, r.Commands, c.src)
		d := r.Commands[len(r.Commands)-1].Dir
		assert.Equal(t, c.want != nil, d.Known(), c.src)
		assert.Equal(t, c.want, d.Paths(), c.src)
	}
}

func TestCommandsInside(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"sudo rm -rf /x", "sudo rm -rf /x|rm -rf /x"},
		{"timeout 5 nice -n 3 git push", "timeout 5 nice -n 3 git push|nice -n 3 git push|git push"},
		{"bash -c 'rm a; ls'", "bash -c 'rm a; ls'|rm a|ls"},
		{"env A=1 rm x", "env A=1 rm x|rm x"},
		{"find . -exec rm {} \\;", "find . -exec rm {} \\;|rm {}"},
		{"ls | xargs rm -f", "ls|xargs rm -f|rm -f …"},
		{"echo $(rm x)", "rm x|echo $(rm x)"},
		{"FOO=1 ls > out", "FOO=1 ls"},
		{"NO_COLOR=1  rg   x", "rg x"},
		{"cat <<EOF\nhello\nEOF\n", "cat"},
		{"f() { rm x; }", "rm x"},
		{"for f in a b; do rm $f; done", "rm $f"},
		{"eval 'rm x'", "eval 'rm x'|rm x"},
	} {
		var got []string
		for _, x := range Analyze(c.src).Commands {
			got = append(got, x.Text)
		}
		assert.Equal(t, c.want, strings.Join(got, "|"), c.src)
	}
}

func TestFailClosed(t *testing.T) {
	for _, src := range []string{
		"", "  ", "# rm x", "$x", "l*", "./ls", "/tmp/ls", "PATH=/tmp ls", "export PATH=/tmp; ls", "ls > f", "ls >> ~/.bashrc", "ls &> f", "ls >| f", "ls <> f",
		"cat < /dev/tcp/h/80", "cat /proc/self/environ", "cd /proc/self && cat environ", "cat /proc/1/e*", "env", "set", "export -p", "printenv TOKEN",
		"echo $((x))", "x='a[$(id)]'; echo $((x))", "echo ${!x}", "echo ${x@P}", "echo ${x:=y}", "[[ -v 'a[$(id)]' ]]", "[[ 'a[$(id)]' -eq 0 ]]", "test -v 'a[$(id)]'",
		`[ "$x" "$y" ]`, "sort $x", "sort *", "sort \"$@\"", "uniq *", "xxd a b", "rg *", "git branch $x", "git tag x", "find $x", "find . $x",
		"find . -name a -fprint out", "sed w f", "sed 's/a/b/w f' g", "sed -n '1e id' f", "sed --expression='1w x' f", "awk '{print | \"sh\"}' f",
		"awk '{print > $1}' f", "awk 'BEGIN{while((getline l < \"/etc/x\")>0)print l}'", "jq env", "jq '$ENV.X'", "xargs -I{} rm {}", "find . -exec sh -c 'rm x' \\;",
		"x=5; read x; [[ $x -eq 1 ]]", "x=5; command read x; echo $((x))", "x=5; printf -v x a; echo $((x))", "strings /proc/$$/environ", "read PATH", "x=/dev/tcp/a/1; cat < \"$x\"", "cat < \"$y\"", "for f in a /dev/tcp/x/1; do cat < \"$f\"; done",
		"IFS=/; read -r a", "IFS+=/ read -r a", "IFS=$x read -r a", "IFS=, command read -r a", "IFS=x sort f", "IFS=, PATH=. read -r a", "for d in a -delete; do find . $d; done", "for d in a 'b -delete'; do find $d; done", "for d in a '*'; do find $d; done", "for d in a b; do read d; find $d; done",
		"bash -c ls", "command -p rm x", "builtin eval x", "coproc ls", "{fd}>x ls", "ls() { rm x; }; ls", "alias ls=rm", "trap 'rm x' EXIT", "git -C x status", "git -c a.b=c status",
		"git log --output=x", "git log --outp=x", "git diff --ext-diff", "date -s 1", "date 0101", "hostname x", "ps auxe", "ls\u202e", "ls\u00a0-l", "ls \u200b",
	} {
		r := Analyze(src)
		assert.False(t, r.ReadOnly(), "%s: %s", src, r.Explain())
	}
}

func TestEveryday(t *testing.T) {
	for _, src := range []string{
		"ls -la && pwd", "cat a.go | grep -n 'func ' | head -20", "grep -rn \"foo$\" .", "find . -type f -name '*.go' -not -path './vendor/*' | wc -l",
		"N=5; head -n $N f", "for f in src/*.go; do sort \"$f\"; done", "while IFS=, read -r a b; do echo \"$b\"; done < f", "while IFS= read -r l; do wc -l < \"./x\"; done", "for d in cmd internal; do find $d -name '*.go' | wc -l; done", "echo \"a (b) [c]\"", "git log --format='%h %s' -5", "test -d x && ls x || echo no",
		"wc -l $(git ls-files)", "diff <(sort a) <(sort b)", "x=$(ls | wc -l); echo \"$x files\"", "if [ -f go.mod ]; then cat go.mod; fi", "sort src/*.go | uniq -c",
		"echo $((1 + 2))", "sed -n '1,5p;10q' f", "ls 2>/dev/null || true", "/usr/bin/ls", "timeout 5 cat f", "time ls", "echo 'a $(b) `c`'", "cat ~/x",
	} {
		r := Analyze(src)
		assert.True(t, r.ReadOnly(), "%s: %s", src, r.Explain())
	}
}

func TestCommandFacts(t *testing.T) {
	last := func(src string) Command {
		r := Analyze(src)
		require.NotEmpty(t, r.Commands, src)
		return r.Commands[len(r.Commands)-1]
	}
	for src, want := range map[string]string{
		"git commit -m x": "git commit", "npm run build": "npm run build", "go test ./...": "go test", "python x.py": "", "sudo ls -l": "ls",
		"make build": "make build", "unknown x": "", "git -c a=b log": "", "npm run": "", "docker run x": "docker run",
	} {
		assert.Equal(t, want, last(src).Prefix, src)
	}
	for src, want := range map[string]bool{
		"sed -i s/a/b/ f": true, "sed -i 's/a/b/e' f": false, "sed -i -e 's/a/b/w x' f": false, "sed -i -e s/a/b/ f": true, "sed -i.bak s/a/b/ f": false,
		"cp a b": true, "cp --backup a b": false, "cp -s a b": false, "cp --parents a b": false, "mkdir -p a": true, "rm -rf a": true, "tee f": true, "ln -s a b": false, "touch a": true,
	} {
		c := last(src)
		assert.Equal(t, want, c.Edits, src)
		if !want && src != "ln -s a b" {
			assert.False(t, c.Described, src)
		}
	}
	assert.True(t, last("find . -delete").ExactOnly)
	assert.True(t, last("timeout 5 ls").Transparent)
	assert.True(t, last("ls | xargs grep x").Transparent)
	assert.False(t, last("ls | xargs -n 1 grep x").Transparent)
	assert.False(t, last("sudo ls").Transparent)
	assert.True(t, Analyze("xargs").Commands[0].Described) // it prints its input
	assert.Equal(t, 1, last("sudo ls").Parent)
	assert.Equal(t, []string{"/bin/rm -r x", "rm -r x"}, last("/bin/rm  -r 'x'").Plain)
}

// TestPositions puts every command that is not read-only into other places.
func TestPositions(t *testing.T) {
	f, err := os.ReadFile(vectorDir(t) + "/bash-bypass.jsonl")
	require.NoError(t, err)
	n := 0
	for line := range strings.Lines(string(f)) {
		var v vector
		require.NoError(t, json.Unmarshal([]byte(line), &v))
		if v.Expect != "not-readonly" || v.Shell == "zsh" || v.Shell == "dash" || strings.Contains(line, `"policy"`) || Analyze(v.Command).ReadOnly() {
			continue
		}
		for _, m := range []string{"ls; V", "true && V", "false || V", "! V", "V | cat", "(V\n)", "{ V\n}", "if true; then V\nfi", "for i in 1; do V\ndone", "while V\ndo ls; done",
			"echo $(V\n)", "cat <(V\n)", "timeout 5 V", "nice V", "command V", "env V", "xargs V", "time V", "ls & V", "case a in a) V\n;; esac"} {
			src := strings.ReplaceAll(m, "V", v.Command)
			n++
			if (m == "! V" || m == "env V") && (strings.HasPrefix(v.Command, "cd ") || strings.HasPrefix(v.Command, "pushd ")) {
				continue // git then runs only where cd failed
			}
			if (strings.HasPrefix(m, "xargs") || strings.HasPrefix(m, "timeout") || strings.HasPrefix(m, "nice")) && strings.ContainsAny(v.Command, "=;&|") {
				continue // another command then
			}
			if r := Analyze(src); r.ReadOnly() {
				t.Errorf("%s %q: %s", v.ID, src, r.Explain())
			}
		}
	}
	t.Logf("%d texts", n)
}

func TestExplainEscapes(t *testing.T) {
	s := Analyze("echo 'a\u202eb'\tc").Explain()
	assert.NotContains(t, s, "\u202e")
	assert.NotContains(t, s, "\t")
	assert.Contains(t, s, "U+202E")
	s = Analyze("cat 'a\u202eb'").Explain()
	assert.NotContains(t, s, "\u202e")
	assert.Contains(t, s, "<U+0202E>")
}

func TestReportSurvivesJSON(t *testing.T) {
	r := Analyze("cd a && sudo rm -rf b > c")
	data, err := json.Marshal(r)
	require.NoError(t, err)
	var back Report
	require.NoError(t, json.Unmarshal(data, &back))
	assert.Equal(t, r, back)
}

func FuzzAnalyze(f *testing.F) {
	for _, d := range differentials {
		f.Add(d.src)
	}
	for _, p := range everyProgram() {
		for _, e := range p.examples {
			f.Add(e.command)
		}
	}
	shells := []*Analyzer{New(Options{}), New(Options{Shell: Any, Home: "/h"})}
	always := New(Options{})
	always.always = true
	f.Fuzz(func(t *testing.T, src string) {
		if r, full := shells[0].Analyze(src), always.Analyze(src); r.ReadOnly() != full.ReadOnly() {
			t.Fatalf("printing and parsing again changes the verdict: %v", full.Findings)
		}
		for _, a := range shells {
			r := a.Analyze(src)
			_ = r.Explain()
			for _, f := range r.Findings {
				if f.Code == CodeInternal {
					t.Fatal(f.Text)
				}
			}
			if _, why := r.risk(); r.Risk() == RiskLow && !r.ReadOnly() {
				t.Fatal("low risk but not read-only: ", why)
			}
			for _, c := range r.Commands {
				if c.Span.Start < 0 || int(c.Span.End) > len(src) || c.Span.Start > c.Span.End {
					t.Fatalf("span %v outside the text", c.Span)
				}
			}
		}
	})
}

// TestLoopItems: a loop's variable stands for the items, one by one.
func TestLoopItems(t *testing.T) {
	effects := func(text string) string {
		var out []string
		for _, e := range Analyze(text).Effects() {
			out = append(out, fmt.Sprint(e.Kind, " ", e.Target, " ", e.Extent))
		}
		return strings.Join(out, ", ")
	}
	for text, want := range map[string]string{
		`for f in a b; do cat "$f"; done`:                         fmt.Sprint(Read, " a ", Exact, ", ", Read, " b ", Exact),
		`for f in a b; do cat $f; done`:                           fmt.Sprint(Read, " a ", Exact, ", ", Read, " b ", Exact),
		`for f in src/*.go; do wc -l "$f"; done`:                  fmt.Sprint(Read, " src/*.go ", Glob),
		`for f in src/*.go; do wc -l $f; done`:                    fmt.Sprint(Read, "  ", Anywhere), // a name may hold a blank
		`for f in a $x; do cat "$f"; done`:                        fmt.Sprint(Read, "  ", Anywhere),
		`for f in a; do while :; do cat "$f"; f=b; done; done`:    fmt.Sprint(Read, "  ", Anywhere),
		`for f in a; do read f; cat "$f"; done`:                   fmt.Sprint(Read, "  ", Anywhere),
		`for f in a; do if :; then f=b; fi; cat "$f"; done`:       fmt.Sprint(Read, "  ", Anywhere),
		`for f in .env; do cat "$f"; done`:                        fmt.Sprint(Read, " .env ", Exact),
		`for f in 'a b'; do cat "$f"; done`:                       fmt.Sprint(Read, " a b ", Exact),
		`for f in 'a b'; do cat $f; done`:                         fmt.Sprint(Read, "  ", Anywhere),
		`for f in a; do cat "$f"; done; cat "$f"`:                 fmt.Sprint(Read, " a ", Exact, ", ", Read, "  ", Anywhere),
		`for f in a; do for g in b "$f"; do cat "$g"; done; done`: fmt.Sprint(Read, "  ", Anywhere),
	} {
		require.Equal(t, want, effects(text), text)
	}
}

// TestOperandsBeforeDashes: more operands than a wrapper has before its
// command, then "--".
func TestOperandsBeforeDashes(t *testing.T) {
	for name := range everyProgram() {
		for _, tail := range []string{" a -- b", " a b -- c", " $x $y -- c", " -- -- a", " * * -- a", " a b c d -- e f"} {
			r := Analyze(name + tail)
			for _, f := range r.Findings {
				require.NotEqual(t, CodeInternal, f.Code, "%s: %s", name+tail, f.Text)
			}
		}
	}
}
