//go:build linux

package bashcheck

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck/internal/oracle"
)

// textKind is a language that the analyzer reads, and the programs for it.
type textKind struct {
	name string
	make func(*rand.Rand) string
	// judge says that the reader takes the text for one that only prints. Where
	// the text is a whole command, the report tells what it reads and runs.
	judge func(text string) (Report, bool)
	// commands are what the text is run as.
	commands func(r *rand.Rand, text string) [][]string
	harm     []string // words without one of which a text can do nothing
	count    int      // of texts that are run under CI=true
}

// textSecret stands in the environment and in files that no text is given.
const textSecret = "hunter2"

// textReal are the programs that are run; busybox where there is one, and in CI.
var textReal = []string{"gawk", "mawk", "original-awk", "sed", "jq", "find", "sort", "uniq", "cut", "head", "tail", "wc", "cat", "grep", "tr", "paste", "nl", "od", "xargs", "dd", "shuf", "date", "diff", "gzip", "bzip2", "busybox"}

// textStubs are recorded where a text runs them.
var textStubs = []string{"sh", "bash", "hit", "ls", "rm", "echo", "true", "touch", "out"}

func textBox(t testing.TB) *oracle.Sandbox {
	t.Helper()
	for _, p := range textReal {
		if p != "busybox" || os.Getenv("CI") == "true" {
			oracleNeeds(t, p)
		}
	}
	box := oracleBox(t, oracle.Options{Stubs: textStubs, Real: textReal})
	_, err := box.Run(oracle.Request{Save: true, Put: []oracle.File{
		{Path: "/w/in", Data: []byte("a 1 x\nb 2 y/z\nhit\n\"[c]\" 3 #\n")}, {Path: "/w/in.json", Data: []byte(`{"a":[1,2],"b":{"c":"d"},"env":1}` + "\n")},
		{Path: "/w/secret", Data: []byte(textSecret + "-file\n")}, {Path: "/w/m.jq", Data: []byte(`def m: "` + textSecret + `-module";`)}, {Path: "/w/d.json", Data: []byte(`"` + textSecret + `-data"`)},
		{Path: "/w/inc.awk", Data: []byte("BEGIN { system(\"hit\") }\n")}, {Path: "/w/dir/a.txt", Data: []byte("x\n")}, {Path: "/w/dir/b", Data: []byte("x\n")},
	}})
	require.NoError(t, err)
	return box
}

// textHarm is what a run did beyond printing what it was given.
func textHarm(rep Report, res oracle.Result) string {
	for _, e := range res.Execs {
		if !slices.ContainsFunc(rep.Commands, func(c Command) bool {
			return wordsMatch(c.Argv, e.Argv) || path.Base(c.Argv[0].Text) == "xargs" && e.Argv[0] == "echo" // xargs without a command
		}) {
			return fmt.Sprintf("ran %q", e.Argv)
		}
	}
	for _, c := range res.Changes {
		if !strings.HasPrefix(c.Path, "/dev/") || c.Op == "created" {
			return c.Op + " " + c.Path
		}
	}
	if i := strings.Index(string(res.Output), textSecret); i >= 0 && !slices.ContainsFunc(rep.Effects(), func(e Effect) bool {
		read := e.Kind == Read
		e.Kind = Write
		return read && e.covers("/w/secret")
	}) {
		return fmt.Sprintf("printed %.40q", res.Output[i:])
	}
	return ""
}

// runText runs a command in the sandbox. ran: it ended well.
func runText(t testing.TB, box *oracle.Sandbox, rep Report, argv []string, posix bool) (harm string, ran bool) {
	t.Helper()
	env := []string{"PATH=/usr/bin:/bin", "HOME=" + oracle.Home, "LANG=C.UTF-8", "SECRET=" + textSecret + "-env"}
	if posix {
		env = append(env, "POSIXLY_CORRECT=1")
	}
	res, err := box.Run(oracle.Request{
		Argv: append([]string{oracle.RealDir + "/" + argv[0]}, argv[1:]...), Name: argv[0], Timeout: 300 * time.Millisecond, Stdin: []byte("y\ny b\nsecret\ny\n"), Env: env,
	})
	require.NoError(t, err, "%q", argv)
	return textHarm(rep, res), res.Status == 0 && !res.TimedOut
}

// textHere are the programs of textReal that this machine has.
func textHere() map[string]bool {
	here := map[string]bool{}
	for _, p := range textReal {
		_, err := exec.LookPath(p)
		here[p] = err == nil
	}
	return here
}

// quoted makes a shell text of words.
func quoted(words []string) string {
	var list []string
	for _, w := range words {
		list = append(list, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
	}
	return strings.Join(list, " ")
}

func textKinds() []textKind {
	here := textHere()
	piecewise := func(g grammar) func(*rand.Rand) string {
		pieces := g.pieces()
		return func(r *rand.Rand) string {
			text := g.make(r, "text", 0)
			if r.IntN(2) == 0 {
				text = mutated(r, text, pieces)
			}
			return text
		}
	}
	awk, sed, jq := piecewise(awkGrammar), piecewise(sedGrammar), piecewise(jqGrammar)
	text := func(prints func(string) bool) func(string) (Report, bool) {
		return func(s string) (Report, bool) { return Report{}, !strings.Contains(s, "\x00") && prints(s) }
	}
	a := New(Options{Home: oracle.Home})
	command := func(s string) (Report, bool) {
		words := strings.Fields(s)
		rep := a.Analyze(quoted(words))
		return rep, rep.ReadOnly() && here[words[0]]
	}
	words := func(_ *rand.Rand, s string) [][]string { return [][]string{strings.Fields(s)} }
	return []textKind{
		{"awk", awk, text(awkOnlyPrints), func(r *rand.Rand, s string) [][]string {
			list := [][]string{{"gawk", s, "in"}, {"mawk", s, "in"}, {"original-awk", s, "in"}}
			if here["busybox"] {
				list = append(list, []string{"busybox", "awk", s, "in"})
			}
			return list
		}, []string{"out", "hit", "secret", "ENVIRON"}, 300},
		{"sed", func(r *rand.Rand) string {
			s := sed(r)
			for r.IntN(5) == 0 { // one more -e
				s += "\x00" + sed(r)
			}
			return s
		}, func(s string) (Report, bool) {
			return Report{}, !slices.ContainsFunc(strings.Split(s, "\x00"), func(piece string) bool { return !sedOnlyPrints(piece) })
		}, func(r *rand.Rand, s string) [][]string {
			var args []string
			for _, piece := range strings.Split(s, "\x00") {
				args = append(args, "-e", piece)
			}
			args = append(args, "in", "dir/b")
			flags := [][]string{{}, {}, {"-n"}, {"-E"}, {"-s", "-n"}, {"-z"}, {"--posix"}, {"-u", "-r"}, {"--debug"}}
			list := [][]string{append(append([]string{"sed"}, flags[r.IntN(len(flags))]...), args...)}
			if here["busybox"] {
				list = append(list, append(append([]string{"busybox", "sed"}, flags[r.IntN(4)]...), args...))
			}
			return list
		}, []string{"out", "hit", "secret"}, 500},
		{"jq", jq, text(jqOnlyReads), func(r *rand.Rand, s string) [][]string {
			flags := []string{"-c", "-r", "-n", "-s", "-R", "-e"}
			return [][]string{{"jq", flags[r.IntN(len(flags))], s, "in.json"}}
		}, []string{"env", "ENV", "m", "$d", "__prog", "stderr"}, 120},
		{"find", func(r *rand.Rand) string { return "find " + findGrammar.make(r, "text", 0) }, command, words, []string{"out", "hit", "-delete", "rm", "-ok", "sort"}, 400},
		{"flags", func(r *rand.Rand) string { return flagsGrammar.make(r, "text", 0) }, command, words, []string{"out", "hit", "secret", "gzip", "bzip2"}, 700},
	}
}

// breach is a text that did harm although a reader took it for printing only.
type breach struct{ text, program, harm string }

// proves runs texts that the reader accepts, until count were run.
func (k textKind) proves(t testing.TB, box *oracle.Sandbox, r *rand.Rand, count int, see func(breach)) (made, ran, well int) {
	for ; ran < count && made < 4000*count; made++ {
		text := k.make(r)
		if len(text) > 400 || !slices.ContainsFunc(k.harm, func(h string) bool { return strings.Contains(text, h) }) {
			continue
		}
		rep, ok := k.judge(text)
		if !ok {
			continue
		}
		ran++
		good := false
		for _, argv := range k.commands(r, text) {
			posix := r.IntN(5) == 0
			harm, ended := runText(t, box, rep, argv, posix)
			good = good || ended
			if harm != "" {
				see(breach{text, strings.Join(argv, " "), harm})
			}
		}
		if good {
			well++
		}
	}
	return made, ran, well
}

// smallest takes pieces out of a text as long as it stays a breach.
func (k textKind) smallest(t testing.TB, box *oracle.Sandbox, text string) string {
	bad := func(s string) bool {
		rep, ok := k.judge(s)
		if !ok {
			return false
		}
		for seed := range uint64(3) {
			for _, argv := range k.commands(rand.New(rand.NewPCG(seed, 1)), s) {
				if harm, _ := runText(t, box, rep, argv, false); harm != "" {
					return true
				}
			}
		}
		return false
	}
	for size := max(1, len(text)/2); size > 0; size /= 2 {
		for i := 0; i+size <= len(text); {
			if s := text[:i] + text[i+size:]; bad(s) {
				text = s
			} else {
				i++
			}
		}
	}
	return text
}

// TestOracleTexts makes program texts and argument lists, runs those that are
// said to print only, and watches for files, commands, other files' content and
// the environment.
func TestOracleTexts(t *testing.T) {
	box := textBox(t)
	seed := oracleSeed(t)
	for _, k := range textKinds() {
		t.Run(k.name, func(t *testing.T) {
			count := k.count / 25
			if os.Getenv("CI") == "true" {
				count = k.count
			}
			if s := os.Getenv("ORACLE_COUNT"); s != "" {
				n, err := strconv.Atoi(s)
				require.NoError(t, err)
				count = n
			}
			begin, found := time.Now(), 0
			made, ran, well := k.proves(t, box, rand.New(rand.NewPCG(seed, 7)), count, func(b breach) {
				if found++; found < 6 {
					t.Errorf("%s: said to print only, but it %s: %q\n   smallest %q", b.program, b.harm, b.text, k.smallest(t, box, b.text))
				}
			})
			t.Logf("texts %s, seed %d: %d made, %d said to print only and run, %d of them ended well, %d breaches (%s)", k.name, seed, made, ran, well, found, time.Since(begin).Round(100*time.Millisecond))
			assert.Greater(t, well, ran/8, "too few of the texts did anything")
			assert.Greater(t, ran, count/2, "too few texts are accepted")
		})
	}
}

// TestOracleTextsSeeHarm is the control: with a reader that accepts everything
// the same texts write, run and print what they must not, in every program.
func TestOracleTextsSeeHarm(t *testing.T) {
	box := textBox(t)
	here := textHere()
	for _, k := range textKinds() {
		judge := k.judge
		k.judge = func(text string) (Report, bool) {
			_, ok := judge(text)
			return Report{}, !ok && !(k.name == "awk" && strings.Contains(text, "\x00"))
		}
		seen := map[string]int{}
		k.proves(t, box, rand.New(rand.NewPCG(1, 1)), 60, func(b breach) {
			program, _, _ := strings.Cut(b.program, " ")
			what, _, _ := strings.Cut(b.harm, " ")
			seen[program]++
			seen[k.name+" "+what]++
		})
		switch k.name {
		case "awk":
			for _, p := range []string{"gawk", "mawk", "original-awk", "busybox", "awk ran", "awk created", "awk printed"} {
				assert.True(t, seen[p] > 0 || p == "busybox" && !here[p], "%s: %v", p, seen)
			}
		case "sed":
			for _, p := range []string{"sed", "busybox", "sed created"} {
				assert.True(t, seen[p] > 0 || p == "busybox" && !here[p], "%s: %v", p, seen)
			}
		default:
			assert.NotEmpty(t, seen, k.name)
		}
	}
}

// knownBreaches did harm in the program while a reader took them for printing
// only.
var knownBreaches = []struct{ name, kind, text, program string }{
	{"a word begins in an exponent", "awk", `BEGIN{1e5getline<"secret";print}`, "mawk"},
	{"a word begins in an exponent: environment", "awk", `BEGIN{x=1e5ENVIRON["SECRET"];print x}`, "original-awk"},
	{"a word begins in a hexadecimal number", "awk", `BEGIN{0xfgetline<"secret";print}`, "gawk"},
	{"a comment right after a label", "sed", "b#;wout", "busybox"},
	{"a comment instead of a label", "sed", "t# wout", "busybox"},
	{"a comment ends at a carriage return", "sed", "#\rwout", "busybox"},
	{"+ is no end to -ok", "find", "find in -ok sort {} in -o out {} + -o -name ;", "find"},
	{"flags after the operand are operands", "flags", "uniq in -c", "uniq"},
	{"-l after the operand is an operand", "flags", "gzip in -l", "gzip"},
	{"-e after the operand is an operand", "flags", "sed wout -e p in", "sed"},
}

// TestOracleKnownBreaches: they are refused now, and they do the harm.
func TestOracleKnownBreaches(t *testing.T) {
	box := textBox(t)
	here := textHere()
	for _, k := range textKinds() {
		for _, b := range knownBreaches {
			if b.kind != k.name || !here[b.program] {
				continue
			}
			_, ok := k.judge(b.text)
			assert.False(t, ok, "%s: %q", b.name, b.text)
			harms := ""
			for seed := range uint64(8) {
				for _, argv := range k.commands(rand.New(rand.NewPCG(seed, 1)), b.text) {
					if argv[0] == b.program {
						harm, _ := runText(t, box, Report{}, argv, b.kind == "flags")
						harms += harm
					}
				}
			}
			assert.NotEmpty(t, harms, "%s: %q", b.name, b.text)
		}
	}
}

// FuzzOracleTexts is for hours: go test -fuzz FuzzOracleTexts ./bashcheck. The
// number chooses texts of each kind.
func FuzzOracleTexts(f *testing.F) {
	oracleNeeds(f, "bwrap")
	box := textBox(f)
	kinds := textKinds()
	for n := range uint64(10) {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, n uint64) {
		for _, k := range kinds {
			k.proves(t, box, rand.New(rand.NewPCG(n, 3)), 4, func(b breach) {
				t.Errorf("%s: said to print only, but it %s: %q\n   smallest %q", b.program, b.harm, b.text, k.smallest(t, box, b.text))
			})
		}
	})
}

// grammar makes texts: each name stands for one of its choices, in which names
// stand in angle brackets. The first choice comes to an end.
type grammar map[string][]string

func (g grammar) make(r *rand.Rand, name string, depth int) string {
	text := g[name][0]
	if depth < 9 {
		text = g[name][r.IntN(len(g[name]))]
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(text, '<')
		if i < 0 {
			return b.String() + text
		}
		b.WriteString(text[:i])
		inner, rest, ok := strings.Cut(text[i+1:], ">")
		if !ok || g[inner] == nil {
			b.WriteByte('<')
			text = text[i+1:]
			continue
		}
		b.WriteString(g.make(r, inner, depth+1))
		text = rest
	}
}

// pieces are the choices that hold no names.
func (g grammar) pieces() (list []string) {
	for _, choices := range g {
		for _, c := range choices {
			if !strings.Contains(c, "<") && c != "" {
				list = append(list, c)
			}
		}
	}
	slices.Sort(list)
	return list
}
