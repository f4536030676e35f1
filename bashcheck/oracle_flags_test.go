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
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck/internal/oracle"
)

// flagWords are values and operands; some are there, some would be made.
var flagWords = []string{"f", "f", "src", "README.md", "main.go", "out", "1", "2", "x", "HEAD", "-", "a=b", ".", "main", "package.json", "s/a/b/", "%s", "src/main.rs", "origin", "v1", "no such", "", "/", "/tmp/out", "-x", "f out", "json", "all", "name", "a,b", "dev", "+%s", "10", "u", "12:00", "stash@{0}", "HEAD:f", "0", "text", "never", "always", "auto"}

// flagCommand makes a call of a described program from its own description.
func flagCommand(r *rand.Rand, p *program) string {
	g := &oracleGen{r: r}
	if len(p.about) > 0 && r.IntN(4) == 0 {
		a := oraclePick(g, p.about)
		names := a.names
		if len(names) == 0 {
			names = p.names
		}
		return oraclePick(g, names) + " " + strings.Join(oraclePick(g, a.words), " ")
	}
	words := []string{oraclePick(g, p.names)}
	flags := func(q *program) {
		names := make([]string, 0, len(q.flags))
		for n := range q.flags {
			names = append(names, n)
		}
		slices.Sort(names)
		for n := r.IntN(4); n > 0 && len(names) > 0; n-- {
			f := oraclePick(g, names)
			if f == "-NUM" {
				f = "-3"
			}
			spec := q.flags[f]
			switch {
			case spec == nil || !spec.takes:
				words = append(words, f)
			case spec.optional || r.IntN(2) == 0:
				sep := ""
				if strings.HasPrefix(f, "--") {
					sep = "="
				}
				words = append(words, f+sep+flagValue(g, spec.value))
			default:
				words = append(words, f, flagValue(g, spec.value))
			}
			if spec != nil && len(f) == 2 && !spec.takes && r.IntN(3) == 0 {
				// A cluster.
				if h := oraclePick(g, names); len(h) == 2 {
					words[len(words)-1] += h[1:]
				}
			}
		}
	}
	form := &p.form
	flags(p)
	if len(p.subs) > 0 {
		names := make([]string, 0, len(p.subs))
		for n := range p.subs {
			names = append(names, n)
		}
		slices.Sort(names)
		n := oraclePick(g, names)
		words = append(words, n)
		flags(p.subs[n])
		form = &p.subs[n].form
	}
	for i := range form.operands {
		for n := r.IntN(3); n > 0; n-- {
			words = append(words, flagValue(g, form.operands[i].valueSpec))
		}
	}
	if r.IntN(3) == 0 {
		words = append(words, oraclePick(g, flagWords))
	}
	for i, w := range words {
		if plain := strings.Trim(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./,:+%@"); i > 0 && (plain != "" || w == "") && !strings.Contains(w, "'") && p.subs[w] == nil {
			words[i] = "'" + w + "'"
		}
	}
	return strings.Join(words, " ")
}

func flagValue(g *oracleGen, v valueSpec) string {
	switch v.kind {
	case vNumber:
		return oraclePick(g, []string{"1", "2", "10", "0", "3"})
	case vPath:
		return oraclePick(g, []string{"f", "src", "README.md", "main.go", ".", "out", "package.json"})
	case vSed:
		return oraclePick(g, []string{"1p", "s/a/b/", "2d", "$!N;P;D", "s/a/b/w out", "/a/,/b/p", "y/a/b/"})
	case vAwk:
		return oraclePick(g, []string{"{print $1}", "NR==1", "{n++} END {print n}", "/a/ {print > \"out\"}", "{system(\"id\")}"})
	case vJq:
		return oraclePick(g, []string{".", ".name", "keys", ".a[]"})
	case vCommand:
		return oraclePick(g, []string{"ls", "cat", "f"})
	case vFind, vTest:
		return oraclePick(g, []string{".", "-name", "f", "-type", "-print", "-f", "src", "-n", "x", "=", "-size", "1", "!", "-maxdepth", "-newer", "-ls", "-delete", "-exec", ";", "{}", "-prune", "-o", "-printf", "%p"})
	}
	return oraclePick(g, flagWords)
}

// TestOracleFlags calls described programs with what their own descriptions
// allow. Every call that is said to be read-only is executed under strace: a
// flag that is described wrongly shows.
func TestOracleFlags(t *testing.T) {
	_, programs := straceExamples(true)
	a := New(Options{Home: oracle.Home})
	seed := oracleSeed(t)
	each := 3
	full := os.Getenv("CI") == "true"
	if full {
		each = 6
	}
	if s := os.Getenv("ORACLE_COUNT"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		each, full = n, true
	}
	var list []straceExample
	made := 0
	for i, p := range programs {
		if !full && i%12 != 0 {
			continue
		}
		if _, err := exec.LookPath(p.names[0]); err != nil {
			continue
		}
		r := rand.New(rand.NewPCG(seed, uint64(len(p.names[0]))<<32+uint64(p.names[0][0])<<8+uint64(p.names[0][len(p.names[0])-1])))
		seen := map[string]bool{}
		for n := 0; n < 40*each && len(seen) < each; n++ {
			src := flagCommand(r, p)
			made++
			if rep := a.Analyze(src); rep.ReadOnly() && !seen[src] {
				seen[src] = true
				list = append(list, straceExample{p, src, fmt.Sprintf("%s:%d", p.file, p.line), rep})
			}
		}
	}
	begin := time.Now()
	ran := map[string]bool{}
	succeeded, late := 0, 0
	var once sync.Once
	straceAll(t, list, func(x straceExample) oracle.Request {
		req := straceRequest(x.command, x.rep)
		req.Timeout = 3 * time.Second
		return req
	}, func(x straceExample, res oracle.Result) {
		harm, executed := straceHarm(x.rep, res)
		for n := range executed {
			ran[path.Base(n)] = true
		}
		if res.Status == 0 {
			succeeded++
		}
		if res.TimedOut {
			late++
		}
		if len(harm) > 0 {
			t.Errorf("%s: %s: called read-only, but: %s", x.where, x.command, strings.Join(harm[:min(3, len(harm))], "\n   "))
			once.Do(func() { t.Logf("seed %d", seed) })
		}
	})
	t.Logf("flags, seed %d: %d calls made, %d said to be read-only and executed, %d with status 0, %d out of time; %d programs executed (%s)", seed, made, len(list), succeeded, late, len(ran), time.Since(begin).Round(100*time.Millisecond))
	assert.Greater(t, succeeded, len(list)/10, "too few calls did anything")
}
