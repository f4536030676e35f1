//go:build linux

package bashcheck

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
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

// flagCall is a call that is said to be read-only, and the shapes that it is of.
type flagCall struct {
	straceExample
	shapes []int // of the program's
}

// slowCalls are the most calls of a program that takes long to start.
const slowCalls = 6

// slowStart says that the program takes long to start: Python, Node, Ruby, Java.
func slowStart(file string) bool {
	file, err := filepath.EvalSymlinks(file)
	if err != nil {
		return false
	}
	if strings.Contains(file, "/jvm/") || strings.Contains(file, "/node") {
		return true
	}
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 64)
	n, _ := f.Read(head)
	line, _, _ := bytes.Cut(head[:n], []byte("\n"))
	return bytes.HasPrefix(line, []byte("#!")) && regexp.MustCompile("python|node|ruby").Match(line)
}

// flagEndless are programs that may run until they are ended, whatever stands on
// their standard input. They run alone, and not for long.
var flagEndless = []string{"tail", "top", "vmstat", "iostat", "sar", "pidstat", "mpstat", "free", "sleep", "yes", "watch", "findmnt", "netstat", "jstat", "lsof", "ping"}

// flagSeeds are how many seeds, one after the other, visit every shape.
const flagSeeds = 4

// flagCalls makes the calls of a program that the seed visits: shapes that the
// seed is due for, then some at random.
func flagCalls(a *Analyzer, p *program, shapes []flagShape, seed uint64, random int, slow bool) (calls []flagCall, made int) {
	r := rand.New(rand.NewPCG(seed, uint64(len(p.names[0]))<<32+uint64(p.names[0][0])<<8+uint64(p.names[0][len(p.names[0])-1])))
	seen := map[string]bool{}
	try := func(times int, due []int) bool {
		list := make([]flagShape, 0, len(due))
		for _, i := range due {
			list = append(list, shapes[i])
		}
		for range times {
			src := flagCommand(r, p, shapes, list)
			made++
			if seen[src] || len(src) > 400 {
				continue
			}
			if rep := a.Analyze(src); rep.ReadOnly() {
				seen[src] = true
				calls = append(calls, flagCall{straceExample{p, src, fmt.Sprintf("%s:%d", p.file, p.line), rep}, due})
				return true
			}
		}
		return false
	}
	var left []int
	for i := range shapes {
		if (uint64(i)+seed)%flagSeeds == 0 {
			left = append(left, i)
		}
	}
	most, together := len(left), 3
	if slow {
		most, together = slowCalls, 6
		r.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
	}
	for len(left) > 0 && len(calls) < most {
		// A few of one sub-command and one form.
		due, rest := left[:1:1], []int(nil)
		for _, i := range left[1:] {
			s, first := shapes[i], shapes[left[0]]
			if len(due) < together && s.at == first.at && s.sub == first.sub && (s.form == first.form || s.form == "") && s.flag != "" && first.flag != "" && (slow || r.IntN(2) == 0) {
				due = append(due, i)
			} else {
				rest = append(rest, i)
			}
		}
		left = rest
		if len(due) > 1 && try(12, due) {
			continue
		}
		for _, i := range due {
			try(24, []int{i})
		}
	}
	for n := 0; n < 40*random && random > 0 && len(calls) < max(most, random); n++ {
		if try(1, nil) {
			random--
		}
	}
	return calls, made
}

// flagHostile is what stands on the standard input of some calls and in a file:
// what programs that read commands would take for one.
const flagHostile = "!touch pwned\n\\! touch pwned\n.shell touch pwned\n.output pwned\nsystem(\"touch pwned\")\nw pwned\ne touch pwned\n$(touch pwned)\n`touch pwned`\n|touch pwned\n> pwned\n-o pwned\n--output=pwned\noutput = pwned\n@args\n"

// flagRequest runs calls of one program, each in a process of its own; the exit
// status tells which ended well.
func flagRequest(calls []flagCall, hostile bool) (oracle.Request, Report) {
	if len(calls) == 1 && !hostile {
		req := straceRequest(calls[0].command, calls[0].rep)
		req.Timeout = 3 * time.Second
		if slices.Contains(flagEndless, calls[0].program.names[0]) {
			req.Timeout = time.Second
		}
		return req, calls[0].rep
	}
	var rep Report
	var b strings.Builder
	b.WriteString("s=0\n")
	for i, c := range calls {
		rep.Commands = append(rep.Commands, c.rep.Commands...)
		in := ""
		if hostile {
			in = " </w/hostile"
		}
		fmt.Fprintf(&b, "(%s\n)%s && s=$((s|%d))\n", c.command, in, 1<<i)
	}
	b.WriteString("exit $s")
	req := straceRequest(b.String(), rep)
	req.Put = append(req.Put, oracle.File{Path: "/w/hostile", Data: []byte(flagHostile)}, oracle.File{Path: "/w/args", Data: []byte("-o\nout\n--output=out\n")})
	req.Timeout = 5 * time.Second
	if slices.Contains(flagEndless, calls[0].program.names[0]) {
		req.Timeout = time.Second
	}
	return req, rep
}

// TestOracleFlags calls described programs with what their own descriptions
// allow, in every shape that a flag can be written in. Every call that is said
// to be read-only is executed under strace: a flag that is described wrongly
// shows.
func TestOracleFlags(t *testing.T) {
	_, programs := straceExamples(true)
	a := New(Options{Home: oracle.Home})
	seed := oracleSeed(t)
	random := 2
	full := os.Getenv("CI") == "true"
	if s := os.Getenv("ORACLE_COUNT"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		random, full = n, true
	}
	only := strings.Fields(os.Getenv("ORACLE_PROGRAMS"))
	var batches [][]flagCall
	var never []string
	made, calls, shapesHere, shapesDue, reached := 0, 0, 0, 0, 0
	for i, p := range programs {
		if !full && i%12 != 0 || len(only) > 0 && !slices.Contains(only, p.names[0]) {
			continue
		}
		file, err := exec.LookPath(p.names[0])
		if err != nil {
			continue
		}
		shapes := flagShapes(p)
		slow := slowStart(file)
		list, n := flagCalls(a, p, shapes, seed, random, slow)
		made += n
		calls += len(list)
		// The seed visits these; what the next ones visit is only counted.
		hit := map[int]bool{}
		for s := range uint64(flagSeeds) {
			others := list
			if s > 0 {
				others, _ = flagCalls(a, p, shapes, seed+s, random, slow)
			}
			for _, c := range others {
				for _, i := range c.shapes {
					hit[i] = true
				}
			}
			if s == 0 {
				shapesDue += len(hit)
			}
		}
		shapesHere += len(shapes)
		reached += len(hit)
		if len(hit) == 0 {
			never = append(never, p.names[0])
		}
		together := 7 // as many bits as an exit status has, less one
		if slices.Contains(flagEndless, p.names[0]) {
			together = 1
		}
		for len(list) > 0 {
			n := min(together, len(list))
			batches = append(batches, list[:n:n])
			list = list[n:]
		}
		if os.Getenv("ORACLE_VERBOSE") != "" {
			for i, s := range shapes {
				if !hit[i] {
					t.Logf("not reached: %s %s %s %s %s", p.names[0], s.sub, s.flag, s.form, s.shape)
				}
			}
		}
	}
	begin := time.Now()
	ran := map[string]bool{}
	succeeded, late, alone := 0, 0, 0
	var once sync.Once
	type run struct {
		calls   []flagCall
		hostile bool
	}
	var started sync.Map
	see := func(x run, res oracle.Result) (again bool) {
		if at, ok := started.Load(x.calls[0].command); ok && os.Getenv("ORACLE_VERBOSE") != "" {
			t.Logf("%v for %d: %s (%v)", time.Since(at.(time.Time)).Round(time.Millisecond), len(x.calls), x.calls[0].command, len(res.Traces))
		}
		_, rep := flagRequest(x.calls, x.hostile)
		harm, executed := straceHarm(rep, res)
		for n := range executed {
			ran[path.Base(n)] = true
		}
		if len(x.calls) > 1 && (len(harm) > 0 || res.TimedOut || res.Status < 0 || res.Status >= 1<<len(x.calls)) {
			return true
		}
		for i := range x.calls {
			if len(x.calls) == 1 && !x.hostile && res.Status == 0 || (len(x.calls) > 1 || x.hostile) && res.Status>>i&1 == 1 {
				succeeded++
			} else if os.Getenv("ORACLE_VERBOSE") != "" {
				t.Logf("failed (%d): %s: %.1500q", res.Status, x.calls[i].command, res.Output)
			}
		}
		if res.TimedOut {
			late++
			t.Logf("out of time: %s", x.calls[0].command)
		}
		if len(harm) > 0 {
			c := x.calls[0]
			t.Errorf("%s: %s: called read-only, but: %s", c.where, c.command, strings.Join(harm[:min(3, len(harm))], "\n   "))
			once.Do(func() { t.Logf("seed %d", seed) })
		}
		return false
	}
	var first, second []run
	for i, b := range batches {
		first = append(first, run{b, i%2 == 1})
	}
	request := func(x run) oracle.Request {
		started.Store(x.calls[0].command, time.Now())
		req, _ := flagRequest(x.calls, x.hostile)
		return req
	}
	straceAll(t, first, request, func(x run, res oracle.Result) {
		if see(x, res) {
			for _, c := range x.calls {
				second = append(second, run{[]flagCall{c}, x.hostile})
			}
		}
	})
	straceAll(t, second, request, func(x run, res oracle.Result) {
		alone++
		see(x, res)
	})
	t.Logf("flags, seed %d: %d calls made, %d said to be read-only and executed, %d with status 0, %d once more alone, %d out of time; %d programs executed (%s)", seed, made, calls, succeeded, alone, late, len(ran), time.Since(begin).Round(100*time.Millisecond))
	t.Logf("flags, seed %d: of %d shapes of flags, operands and sub-commands %d stand in these calls, %d in those of this seed and the %d after it; the others are never read-only. Programs without a call: %s", seed, shapesHere, shapesDue, reached, flagSeeds-1, strings.Join(never, " "))
	assert.Greater(t, succeeded, calls/10, "too few calls did anything")
}
