//go:build linux

package bashcheck

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck/internal/oracle"
)

// flagProbe is one flag that a program is asked about by a call that cannot be
// right if the flag is described wrongly.
type flagProbe struct {
	where, command string
	taken          bool // the flag is described as one that takes a value
}

var (
	// wantsValue and wantsNone are how programs complain.
	wantsValue = regexp.MustCompile(`(?i)requires? an? (argument|value|parameter)|requires (argument|parameter)|missing (argument|parameter|value)|expected (one|at least one|an?) argument|needs an? (argument|value|parameter)|argument (expected|required|missing|needed)|expects? an? (argument|value|parameter)|a value is required`)
	wantsNone  = regexp.MustCompile(`(?i)doesn't allow an argument|does not (take|accept|allow) an?y? ?(argument|value|parameter)|takes no (value|argument|parameter)|ignored explicit argument|unexpected value|(invalid|unrecognized|unknown|illegal|bad) (option|flag|switch)[^\n]*[ '"‘-]@['"’]?\s*$`)
)

// valueExceptions are flags whose value is described differently from what this
// machine's program says, or where it complains about something else.
var valueExceptions = map[string]string{
	"bash -c":                  "its value is an operand, behind more flags (POSIX sh)",
	"cal -m":                   "that of util-linux takes none",
	"nm -U":                    "that of LLVM takes none",
	"envsubst -v":              "the text is missing, an operand",
	"envsubst --variables":     "the text is missing, an operand",
	"pmap --device":            "the process is missing, an operand",
	"pmap --extended":          "the process is missing, an operand",
	"pmap --quiet":             "the process is missing, an operand",
	"pmap --show-path":         "the process is missing, an operand",
	"pmap -X":                  "the process is missing, an operand",
	"pmap -d":                  "the process is missing, an operand",
	"pmap -p":                  "the process is missing, an operand",
	"pmap -q":                  "the process is missing, an operand",
	"pmap -x":                  "the process is missing, an operand",
	"llvm-nm -t":               "that of binutils takes one, too: the description is of those that take none",
	"docker config inspect -f": "several sub-commands are described as one; none of them writes",
}

// neverReads are programs that no flag makes read-only beside these operands, so
// that only their effects matter, which are told as not known.
func neverReads(a *Analyzer, command string) bool {
	for _, more := range []string{"", " x", " x y", " f", " 1"} {
		if a.Analyze(command + more).ReadOnly() {
			return false
		}
	}
	return true
}

// flagProbes are those of a program: each flag alone at the end of the words,
// and with a value that only a flag with a value can have.
func flagProbes(p *program) (list []flagProbe) {
	for _, s := range flagShapes(p) {
		spec := s.at.flags[s.flag]
		if s.flag == "" || strings.HasPrefix(s.flag, "-NUM") || s.flag[0] == '+' || s.shape == "cluster" || spec.optional || strings.Contains(s.flag, "=") || strings.HasSuffix(s.flag, ":") {
			continue
		}
		words := p.names[0]
		if s.sub != "" {
			words += " " + s.sub
		}
		probe := flagProbe{where: fmt.Sprintf("%s:%d", p.file, p.line), taken: spec.takes}
		switch {
		case !spec.takes && s.shape == "alone":
			probe.command = words + " " + s.flag
		case s.shape != "attached":
			continue
		case len(s.flag) == 2:
			probe.command = words + " " + s.flag + "@"
		case strings.HasPrefix(s.flag, "--"):
			probe.command = words + " " + s.flag + "=@"
		default:
			continue
		}
		list = append(list, probe)
	}
	return list
}

// TestOracleFlagValues asks programs whether their flags take a value, as they
// are described to.
func TestOracleFlagValues(t *testing.T) {
	_, programs := straceExamples(true)
	only := strings.Fields(os.Getenv("ORACLE_PROGRAMS"))
	a := New(Options{Home: oracle.Home})
	seed, parts, number := oracleSeed(t), uint64(40), uint64(0)
	if os.Getenv("CI") == "true" {
		parts = 10
	}
	if os.Getenv("ORACLE_COUNT") != "" || len(only) > 0 {
		parts = 1
	}
	var batches [][]flagProbe
	for _, p := range programs {
		if len(only) > 0 && !slices.Contains(only, p.names[0]) {
			continue
		}
		file, err := exec.LookPath(p.names[0])
		if err != nil || slowStart(file) {
			continue
		}
		// Each seed asks about some.
		list := slices.DeleteFunc(flagProbes(p), func(q flagProbe) bool {
			number++
			return (number+seed)%parts != 0 || valueExceptions[q.command] != "" || neverReads(a, q.command)
		})
		for len(list) > 0 {
			n := min(24, len(list))
			batches = append(batches, list[:n])
			list = list[n:]
		}
	}
	asked, answered, late := 0, 0, 0
	begin := time.Now()
	straceAll(t, batches, func(x []flagProbe) oracle.Request {
		var b strings.Builder
		for _, q := range x {
			fmt.Fprintf(&b, "echo '#'; timeout 1 %s </dev/null >/tmp/answer 2>&1; read -r -N 500 -d '' text </tmp/answer; printf '%%s\n' \"$text\"\n", q.command)
		}
		return oracle.Request{Argv: []string{"/bin/bash", "--norc", "--noprofile", "-c", b.String()}, Env: append(SafeEnv(EnvOptions{Home: oracle.Home, Temp: "/tmp"}), "LC_ALL=C"), Timeout: 15 * time.Second}
	}, func(x []flagProbe, res oracle.Result) {
		if res.TimedOut {
			late++
		}
		answers := strings.Split("\n"+string(res.Output), "\n#\n")[1:]
		for i, q := range x {
			asked++
			if i >= len(answers) {
				continue
			}
			answered++
			if q.taken && wantsNone.MatchString(answers[i]) {
				t.Errorf("%s: %s: described with a value: %.200q", q.where, q.command, answers[i])
			} else if !q.taken && wantsValue.MatchString(answers[i]) {
				t.Errorf("%s: %s: described without a value: %.200q", q.where, q.command, answers[i])
			}
		}
	})
	t.Logf("values: %d flags asked about, %d answers, %d batches out of time (%s)", asked, answered, late, time.Since(begin).Round(100*time.Millisecond))
	assert.Greater(t, answered, asked*8/10)
}

// TestOracleFlagValuesSee is the control: what programs say of flags that are
// described wrongly is understood.
func TestOracleFlagValuesSee(t *testing.T) {
	box := straceBox(t)
	for command, complaint := range map[string]*regexp.Regexp{
		"head -n": wantsValue, "grep -e": wantsValue, "git branch --sort": wantsValue, "head --lines": wantsValue, "ls --all=@": wantsNone, "ls -l@": wantsNone, "git status --short=@": wantsNone,
	} {
		res, err := box.Run(oracle.Request{Argv: []string{"/bin/bash", "--norc", "-c", command}, Env: append(SafeEnv(EnvOptions{Home: oracle.Home, Temp: "/tmp"}), "LC_ALL=C")})
		require.NoError(t, err)
		first, _, _ := strings.Cut(string(res.Output), "\n")
		assert.Regexp(t, complaint, first, command)
	}
}
