//go:build linux

package bashcheck

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck/internal/oracle"
)

// oracleReal are the programs that are really run after they were recorded:
// shells, the programs that run others, and those whose text arguments have a
// reader of their own.
var oracleReal = []string{"bash", "sh", "dash", "zsh", "env", "timeout", "nice", "nohup", "stdbuf", "xargs", "find", "setsid", "ionice", "chrt", "taskset", "flock", "sed", "awk", "gawk", "mawk", "sort", "uniq", "tee", "mkdir"}

// oracleBuiltins are those builtins of the shells that run text or assign by
// themselves. Where one of them, or one of oracleReal, is reported as doing
// something unknown, the report has said so much.
var oracleBuiltins = []string{".", "source", "eval", "exec", "command", "builtin", "trap", "mapfile", "readarray", "compgen", "complete", "fc", "hash", "jobs", "enable", "printf", "test", "[", "read", "unset", "declare", "typeset", "local", "export", "readonly", "let", "wait", "getopts", "bind", "alias", "set", "shopt", "history", "cd", "pushd", "popd", "noglob", "nocorrect", "-", "repeat", "coproc", "time", "autoload", "zmodload", "functions", "integer", "float", "print", "emulate", "r", "zparseopts", "vared", "setopt", "unsetopt", "sched", "unhash", "unalias", "unfunction"}

var oracleDirs = []string{"a", "b", "src", "src/x", "docs", "internal", "cmd", "pkg", "tmp", "build", "dir", "d", "x", "app", "lib", "test", "tests", ".git", ".claude", "node_modules"}

// oracleFiles is what every script finds. Contents and a name are hostile.
func oracleFiles() []oracle.File {
	var out []oracle.File
	for _, d := range oracleDirs {
		out = append(out, oracle.File{Path: path.Join(oracle.WorkDir, d), Dir: true})
	}
	for _, f := range []string{"f", "a.go", "b.go", "go.mod", "x.txt", "file.txt", "src/main.go", "a/f", "README.md"} {
		out = append(out, oracle.File{Path: path.Join(oracle.WorkDir, f), Data: []byte("a[$(hit 90)] $(hit 91)\n-exec hit {} ;\nw1\n")})
	}
	return append(out, oracle.File{Path: oracle.WorkDir + "/-exec", Data: []byte("x")}, oracle.File{Path: oracle.WorkDir + "/d/a b", Data: []byte("x")})
}

// oracleEnv is the environment; the lower-case variables are hostile.
func oracleEnv() []string {
	return []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + oracle.Home, "LANG=C.UTF-8", "TERM=dumb", "PAGER=cat", "EDITOR=true", "x=a[$(hit 80)]", "y=-exec hit ;", "n=$(hit 81)", "i=hit 82", "X=a[`hit 83`]"}
}

// How stubs answer.
var oracleOutputs = []string{"w1 w2\nw3\n", "a[$(hit 70)]", "$(hit 71); hit 72\n", "-exec hit {} ;\n", "5\n", "", "src\n", "a b\n*\n"}

type oracleCase struct {
	n      uint64
	src    string
	rep    Report
	stdin  bool
	output string
	fail   int
}

var oracleArgs = map[string][]string{"bash": {"--norc", "--noprofile"}, "dash": nil, "zsh": {"-f"}}

func (c oracleCase) request(shell, src string) oracle.Request {
	req := oracle.Request{Argv: append([]string{oracle.RealDir + "/" + shell}, oracleArgs[shell]...), Name: shell, Env: oracleEnv(), Timeout: 500 * time.Millisecond, Output: c.output, FailMod: c.fail}
	if c.stdin || strings.Contains(src, "\x00") {
		req.Argv = append(req.Argv, "-s")
		req.Stdin = []byte(src)
	} else {
		req.Argv = append(req.Argv, "-c", src)
	}
	return req
}

// provable says that the report claims to know which commands run.
func provable(r Report) bool {
	return r.Parsed && !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Blocks })
}

// wordsMatch says that argv can be what the words become.
func wordsMatch(words []Word, argv []string) bool {
	for len(words) > 0 && words[0].Static && !words[0].Glob {
		if len(argv) == 0 || argv[0] != words[0].Text {
			return false
		}
		words, argv = words[1:], argv[1:]
	}
	if len(words) == 0 {
		return len(argv) == 0
	}
	for i := 0; i <= len(argv); i++ {
		if wordsMatch(words[1:], argv[i:]) {
			return true
		}
	}
	return false
}

func dirMatches(d Dir, dir string) bool {
	if !d.Known() {
		return true
	}
	return slices.ContainsFunc(d.Paths(), func(p string) bool { return resolve(p) == dir })
}

func resolve(p string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join(oracle.WorkDir, p)
}

// mayDoAnything says that the report names a command that really runs here,
// with an effect that is not known.
func mayDoAnything(r Report) bool {
	if slices.ContainsFunc(r.Loose, func(e Effect) bool { return e.Kind == Unknown }) {
		return true // arithmetic over what is not known
	}
	return slices.ContainsFunc(r.Commands, func(c Command) bool {
		name := path.Base(c.Argv[0].Text)
		if !slices.Contains(oracleReal, name) && !slices.Contains(oracleBuiltins, name) {
			return false
		}
		return !c.Described || c.Class == Shell || slices.ContainsFunc(c.Effects, func(e Effect) bool { return e.Kind == Unknown || e.Kind == Execute })
	})
}

// covers says that the effect announces that p changes.
func (e Effect) covers(p string) bool {
	switch e.Kind {
	case Write, Delete, Change:
	default:
		return false
	}
	if e.Extent == Anywhere {
		return true
	}
	var targets []string
	switch {
	case path.IsAbs(e.Target):
		targets = []string{path.Clean(e.Target)}
	case e.Dir.Known():
		for _, d := range e.Dir.Paths() {
			targets = append(targets, path.Join(resolve(d), e.Target))
		}
	default: // relative to a place that is not known
		clean := path.Clean(e.Target)
		for strings.HasPrefix(clean, "../") {
			clean = clean[3:]
		}
		for q := p; ; q = path.Dir(q) {
			if clean == "." || clean == ".." || q == "/"+clean || strings.HasSuffix(q, "/"+clean) {
				targets = append(targets, q)
			}
			if q == "/" {
				break
			}
		}
	}
	for _, t := range targets {
		switch e.Extent {
		case Exact:
			if t == p {
				return true
			}
		case Tree, Within:
			if t == p || t == "/" || strings.HasPrefix(p, t+"/") {
				return true
			}
		case Glob:
			if t == p {
				return true // a pattern that nothing matches stays as it is
			}
			for q := p; ; q = path.Dir(q) {
				if ok, _ := path.Match(strings.ReplaceAll(t, "[!", "[^"), q); ok {
					return true
				}
				if !e.Below || q == "/" {
					break
				}
			}
		}
	}
	return false
}

// makes says that p is a directory above the target of an exact write.
func (e Effect) makes(p string) bool {
	if e.Kind != Write || e.Extent != Exact || !strings.Contains(e.Target, "/") {
		return false
	}
	up := e
	for up.Target = path.Dir(path.Clean(e.Target)); up.Target != "." && up.Target != "/" && up.Target != ".."; up.Target = path.Dir(up.Target) {
		if up.covers(p) {
			return true
		}
	}
	return false
}

// Variables that the shells keep themselves, or that change nothing.
var oracleOwnVars = []string{"_", "SHLVL", "PWD", "OLDPWD", "LINES", "COLUMNS", "LANG", "TERM", "LC_ALL", "TZ", "NO_COLOR", "CI", "FORCE_COLOR", "LOGNAME"}

// judgeRun compares what ran with what was reported. The empty answer means
// that they agree.
func judgeRun(r Report, res oracle.Result) string {
	readOnly := r.ReadOnly()
	if !readOnly && !provable(r) {
		return ""
	}
	if !readOnly && mayDoAnything(r) {
		return ""
	}
	base := oracleEnv()
	for _, e := range res.Execs {
		known, inPlace := false, false
		for _, c := range r.Commands {
			if wordsMatch(c.Argv, e.Argv) {
				known = true
				// git -C goes to its directory by itself, after it was started.
				goes := len(e.Argv) > 2 && e.Argv[0] == "git" && e.Argv[1] == "-C"
				inPlace = inPlace || dirMatches(c.Dir, e.Dir) || goes
			}
		}
		if !(known && inPlace) && len(e.Argv) > 0 && e.Argv[0] == "echo" && slices.ContainsFunc(r.Commands, func(c Command) bool { return path.Base(c.Argv[0].Text) == "xargs" }) {
			continue // xargs without a command prints
		}
		if !known {
			return fmt.Sprintf("executed but not reported: %q", e.Argv)
		}
		if !inPlace {
			return fmt.Sprintf("%q was executed in %s, which is not reported", e.Argv, e.Dir)
		}
		for _, v := range e.Env {
			name, _, _ := strings.Cut(v, "=")
			if slices.Contains(base, v) || slices.Contains(oracleOwnVars, name) {
				continue
			}
			if strings.HasPrefix(v, "_STDBUF_") || name == "LD_PRELOAD" && strings.Contains(v, "libstdbuf.so") {
				continue // stdbuf tells its library so
			}
			if readOnly && !safeVar(name, r) {
				return fmt.Sprintf("called read-only, but %q was executed with %q", e.Argv, v)
			}
			if !namesVar(r, name) {
				return fmt.Sprintf("%q was executed with %q, which is not reported", e.Argv, v)
			}
		}
	}
	for _, c := range res.Changes {
		if strings.HasPrefix(c.Path, "/dev/") && c.Op != "created" {
			continue
		}
		if readOnly {
			return fmt.Sprintf("called read-only, but %s was %s", c.Path, c.Op)
		}
		if !slices.ContainsFunc(r.Effects(), func(e Effect) bool { return e.covers(c.Path) || c.Op == "created" && e.makes(c.Path) }) {
			return fmt.Sprintf("%s was %s, which is not reported", c.Path, c.Op)
		}
	}
	return ""
}

// safeVar says that the variable means nothing to programs: a lower-case name
// that is no proxy, or one that the text sets to something inert.
func safeVar(name string, r Report) bool {
	if lowerCase(name) {
		return true
	}
	for _, c := range r.Commands {
		for _, a := range c.Assignments {
			if a.Name == name && a.Inert {
				return true
			}
		}
	}
	return false
}

func namesVar(r Report, name string) bool {
	for _, e := range r.Effects() {
		if e.Kind == Environment && (e.Extent == Anywhere || e.Target == name) {
			return true
		}
	}
	for _, c := range r.Commands {
		if slices.ContainsFunc(c.Assignments, func(a Assignment) bool { return a.Name == name }) {
			return true
		}
	}
	// Lower-case variables are assigned without being reported.
	return lowerCase(name)
}

func lowerCase(name string) bool {
	return name == strings.ToLower(name) && !strings.HasSuffix(name, "_proxy") || len(name) == 1
}

// oracleRun is one comparison of an analyzer with shells.
type oracleRun struct {
	name    string
	shells  []string
	analyze func(string) Report
	seed    uint64
	count   int  // of provable scripts that are run
	quick   bool // a few failures are enough, as they are
}

func oracleSeed(t testing.TB) uint64 {
	if s := os.Getenv("ORACLE_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		return n
	}
	return 20261123
}

// cases makes the scripts, in order, that the analyzer claims to understand.
func (o oracleRun) cases(seeds []string) (list []oracleCase, tried int) {
	for n := uint64(0); len(list) < o.count && n < 30*uint64(o.count)+1000; n++ {
		g := &oracleGen{rand.New(rand.NewPCG(o.seed, n)), seeds}
		src := g.script()
		tried++
		if len(src) > 2000 {
			continue
		}
		r := o.analyze(src)
		if !provable(r) {
			continue
		}
		c := oracleCase{n: n, src: src, rep: r, stdin: g.r.IntN(10) == 0}
		if g.r.IntN(2) == 0 {
			c.output = oracleOutputs[0]
		} else {
			c.output = oraclePick(g, oracleOutputs)
		}
		if g.r.IntN(3) == 0 {
			c.fail = 1 + g.r.IntN(3)
		}
		list = append(list, c)
	}
	return list, tried
}

// oracleStubs are the names that something in the scripts could be a call of.
func oracleStubs(texts ...[]string) []string {
	seen := map[string]bool{"hit": true}
	for _, list := range texts {
		for _, s := range list {
			for _, v := range []string{s, strings.NewReplacer("\\\n", "", "'", "", `"`, "", `\`, "").Replace(s)} {
				for w := range strings.FieldsFuncSeq(v, func(r rune) bool {
					return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_.+-[%@:,=!~^", r))
				}) {
					if len(w) <= 24 && len(seen) < 50_000 {
						seen[w] = true
					}
				}
			}
		}
	}
	out := make([]string, 0, len(seen))
	for w := range seen {
		out = append(out, w)
	}
	return out
}

type oracleFailure struct {
	c       oracleCase
	shell   string
	problem string
}

func (o oracleRun) run(t *testing.T, seeds []string) (failures []oracleFailure) {
	for _, s := range o.shells {
		oracleNeeds(t, s)
	}
	begin := time.Now()
	list, tried := o.cases(seeds)
	require.Len(t, list, o.count, "too few of %d scripts are understood", tried)
	var texts []string
	readOnly := 0
	for _, c := range list {
		texts = append(texts, c.src)
		if c.rep.ReadOnly() {
			readOnly++
		}
	}
	stubs := oracleStubs(texts)
	type total struct{ runs, execs, changes, late, lost int }
	var mu sync.Mutex
	var sum total
	next := 0
	var wg sync.WaitGroup
	for range min(runtime.NumCPU(), 4) {
		box := oracleBox(t, oracle.Options{Stubs: stubs, Real: oracleReal})
		_, err := box.Run(oracle.Request{Put: oracleFiles(), Save: true})
		require.NoError(t, err)
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				enough := i >= len(list) || len(failures) >= 40 || o.quick && len(failures) >= 5
				mu.Unlock()
				if enough {
					return
				}
				for _, shell := range o.shells {
					res, err := box.Run(list[i].request(shell, list[i].src))
					if err != nil {
						mu.Lock()
						failures = append(failures, oracleFailure{list[i], shell, "the sandbox failed: " + err.Error()})
						mu.Unlock()
						return
					}
					problem := judgeRun(list[i].rep, res)
					if problem != "" && !o.quick {
						list[i].src = o.minimise(box, list[i], shell)
						problem = o.again(box, list[i], shell)
					}
					mu.Lock()
					sum.runs++
					sum.execs += len(res.Execs)
					sum.changes += len(res.Changes)
					if res.TimedOut {
						sum.late++
					}
					if res.Lost {
						sum.lost++
					}
					if problem != "" {
						failures = append(failures, oracleFailure{list[i], shell, problem})
					}
					mu.Unlock()
					if problem != "" {
						break
					}
				}
			}
		})
	}
	wg.Wait()
	t.Logf("oracle %s, seed %d: %d scripts made, %d understood (%d read-only) and run %d times: %d programs executed, %d files changed; %d out of time, %d with a lost record (%s)",
		o.name, o.seed, tried, len(list), readOnly, sum.runs, sum.execs, sum.changes, sum.late, sum.lost, time.Since(begin).Round(100*time.Millisecond))
	if !o.quick {
		// About one program a script; few scripts spread around it.
		assert.Greater(t, sum.execs, len(list)*3/4, "the scripts do too little to prove anything")
		assert.Greater(t, sum.changes, len(list)/40, "the scripts do too little to prove anything")
		assert.Less(t, sum.late+sum.lost, len(list)/10+10, "too many scripts were cut off")
	}
	return failures
}

// again analyzes and runs a text.
func (o oracleRun) again(box *oracle.Sandbox, c oracleCase, shell string) string {
	res, err := box.Run(c.request(shell, c.src))
	if err != nil {
		return "the sandbox failed: " + err.Error()
	}
	return judgeRun(o.analyze(c.src), res)
}

// minimise leaves out what the failure does not need.
func (o oracleRun) minimise(box *oracle.Sandbox, c oracleCase, shell string) string {
	fails := func(s string) bool {
		d := c
		d.src = s
		return o.again(box, d, shell) != ""
	}
	src := c.src
	tries := 0
	for size := len(src) / 2; size > 0; size /= 2 {
		for i := 0; i+size <= len(src) && tries < 300; {
			tries++
			if s := src[:i] + src[i+size:]; fails(s) {
				src = s
			} else {
				i += size
			}
		}
	}
	return src
}

func (o oracleRun) report(t *testing.T, failures []oracleFailure) {
	for _, f := range failures {
		t.Errorf("script %d in %s: %s\n  %q\n  %s", f.c.n, f.shell, f.problem, f.c.src, o.analyze(f.c.src).Explain())
	}
}

// TestOracleShells runs what real shells make of generated scripts.
func TestOracleShells(t *testing.T) {
	seeds := oracleSeeds(t)
	seed := oracleSeed(t)
	full := os.Getenv("CI") == "true"
	for _, o := range []struct {
		shell       string
		dialect     Dialect
		shells      []string
		few, plenty int
	}{
		{"bash", Bash, []string{"bash"}, 160, 20_000},
		{"dash", POSIX, []string{"dash"}, 60, 5_000},
		{"zsh", Zsh, []string{"zsh"}, 60, 5_000},
		{"any", Any, []string{"bash", "dash", "zsh"}, 20, 1_000},
	} {
		t.Run(o.shell, func(t *testing.T) {
			a := New(Options{Shell: o.dialect, Home: oracle.Home})
			run := oracleRun{name: o.shell, shells: o.shells, analyze: a.Analyze, seed: seed, count: o.few}
			if full {
				run.count = o.plenty
			}
			if s := os.Getenv("ORACLE_COUNT"); s != "" {
				n, err := strconv.Atoi(s)
				require.NoError(t, err)
				run.count = n
			}
			run.report(t, run.run(t, seeds))
		})
	}
}

// FuzzOracle is for hours: go test -fuzz FuzzOracle ./bashcheck. Each worker
// has a sandbox of its own.
func FuzzOracle(f *testing.F) {
	oracleNeeds(f, "bwrap")
	var texts []string
	for _, s := range oracleShapes {
		f.Add(uint8(0), s)
		texts = append(texts, s)
	}
	for i, d := range differentials {
		f.Add(uint8(i), d.src)
		texts = append(texts, d.src)
	}
	texts = append(texts, oracleFragments...)
	for c := 'a'; c <= 'z'; c++ {
		texts = append(texts, string(c), string(c)+string(c))
	}
	shells := []struct {
		name string
		a    *Analyzer
	}{
		{"bash", New(Options{Home: oracle.Home})},
		{"dash", New(Options{Shell: POSIX, Home: oracle.Home})},
		{"zsh", New(Options{Shell: Zsh, Home: oracle.Home})},
	}
	for _, s := range shells {
		oracleNeeds(f, s.name)
	}
	box := oracleBox(f, oracle.Options{Stubs: oracleStubs(texts, oracleNames), Real: oracleReal})
	_, err := box.Run(oracle.Request{Put: oracleFiles(), Save: true})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, shell uint8, src string) {
		s := shells[int(shell)%len(shells)]
		r := s.a.Analyze(src)
		if !provable(r) || len(src) > 2000 {
			return
		}
		res, err := box.Run(oracleCase{output: "w1 w2\n"}.request(s.name, src))
		require.NoError(t, err)
		if problem := judgeRun(r, res); problem != "" {
			t.Fatalf("%s: %s\n  %q\n  %s", s.name, problem, src, r.Explain())
		}
	})
}
