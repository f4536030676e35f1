//go:build linux

package bashcheck

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// refuser is a program that can be told to refuse program texts which write, run
// or connect, and so tells how it reads a text. Nothing is run: the programs stop
// at the text, or before its first action.
type refuser struct {
	name    string
	args    []string // before the text
	before  string   // put before the text
	input   string   // where it reads the text from a file only: what it is told then
	refuses *regexp.Regexp
}

var (
	awkRefusers = []refuser{
		{"original-awk", []string{"-safe"}, "BEGIN{exit}\n", "", regexp.MustCompile("is unsafe")},
		// These show what they made of the text; gawk's sandbox looks only at what runs.
		{"gawk", []string{"-D", "-f"}, "", "dump\nquit\n", regexp.MustCompile(`redir_type = "[^"]|Op_builtin +: system`)},
		{"mawk", []string{"-W", "dump"}, "", "", regexp.MustCompile(`pushint\s-\d+\n\d+ \.\s(print|printf|getline)|\.\s+system`)},
	}
	sedRefusers = []refuser{{"sed", []string{"-n", "--sandbox"}, "", "", regexp.MustCompile("sandbox mode")}}
)

// refused says that the program reads the text as one that does more than print.
func (p refuser) refused(t *testing.T, dir, text string) bool {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	text = p.before + text
	if p.input != "" {
		name, err := textFile(dir, text)
		if !assert.NoError(t, err) {
			return true
		}
		defer os.Remove(name)
		text = name
	}
	cmd := exec.CommandContext(ctx, p.name, append(p.args[:len(p.args):len(p.args)], text)...)
	cmd.Dir, cmd.Env, cmd.WaitDelay, cmd.Stdin = dir, SafeEnv(EnvOptions{}), time.Second, strings.NewReader(p.input)
	out, _ := cmd.CombinedOutput()
	return p.refuses.Match(out)
}

func textFile(dir, text string) (name string, err error) {
	f, err := os.CreateTemp(dir, "text")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(text + "\n")
	return f.Name(), errors.Join(err, f.Close())
}

var (
	awkPieces = []string{
		"{", "}", "(", ")", "[", "]", "/", "\"", ";", "\n", " ", " ", "print ", "print", "printf(\"x\")", "a", "$1", "NF", "1", "+", "++", "-", "--", ">", ">", "> \"f\"", "\"f\"", "~", "!", "!~", "=", "==", ",",
		"if(a)", "while(0)", "for(", "for(;0;)", " in ", "do ", "else ", "BEGIN", "END", "system(\"x\")", "|\"x\"", "/x/", "/[/", "[^", "[]", "[[:alpha:]", "[a[]", "]/", "\\", "\\/", "#", "?", ":", "&&", "||", "length", "length(a)",
		"*", "^", "%", "/=", "\"x\"|getline", "split(a,b)", "sub(/x/,\"\")", "gsub(", "match($0,/[", "return", "delete a", "next", "in", ";print 1 > \"f\"", "print(1)(2)", "{system(\"x\")}", "\\\"", "@",
	}
	awkSeeds = []string{
		`/[]/]"/{system("x")}#"`, `/[^]/]"/{system("x")}#"`, `/[[:alpha:]/]"/{system("x")}#"`, `{print $1}`, `BEGIN{for(print "x">"f";0;);}`, `{print > "f"}`, `$1 ~ /[a-z]+\/x/ {n++} END {print n}`,
		`{ if (1) /"/; print "a" > "f"; if (1) /"/ }`, `{print x++ / 2 > "f" / 3}`, `{gsub(/[^a-z]/, ""); print length($0)}`, `NR==1,/x/{print "a" "b"; print (a>b)}`, `{a[$1]+=$2} END{for (k in a) print k, a[k]}`,
		`BEGIN{print length / 2 > "f" / 3}`, `{printf "%s\n", $1; next} 1`, `match($0, /\[[^]]*\]/) {print substr($0, RSTART)}`, `BEGIN { while (i < 3) { i++; if (i / 2 > 1) print "x" } }`, `/[][]/{print}`, `!/#/{print "#" $0} # x`,
	}
	sedPieces = []string{
		"s", "/", "/", ";", "\n", "{", "}", "w f", "e x", "p", "d", "q", "n", "[", "]", "[^", "[]", "[[:alpha:]]", "\\", "\\/", ",", "|", "#", "g", "I", "M", "1", "$", "!", "~", "+", "a x", "i x", "c", "y/ab/cd/", "b a", ":a", "t",
		"r f", "W f", "=", "l", "0", " ", "s/a/b/w f", "s/a/b/e", "s,a,b,", "\\n", "&", "\\1", "x", "/x/", "\\c", "{p}", ";w f", "y", "e", "w",
	}
	sedSeeds = []string{
		`s/[/]/w f/`, `s/a/b/;w f`, `:a;w f`, `$!{N;D}`, `/a/,/b/{s/x/y/g;p}`, `s/[]/]/x/;w f`, `y/[/]/;w f/`, `s;a;b;w f`, `1~2p;$d`, `/[^/]/w f`, `s/\(a\)/\1/2p`, `a x\`, `a x` + "\n" + `w f`, `ba;s/x/y/w f`, `0,/x/{//!d}`, `s|[|]|x|w f`,
		`s/a[[:alpha:]]*$//`, `10,20p;21q`, `/x/I!s/y/z/gI`,
	}
)

// TestReadersAgainstRefusers: what the readers of awk and sed texts take for
// mere printing is no more than that to the programs, which say so themselves.
func TestReadersAgainstRefusers(t *testing.T) {
	count := 250
	if os.Getenv("CI") == "true" {
		count = 3000
	}
	for _, k := range []struct {
		name          string
		pieces, seeds []string
		grammar       grammar
		prints        func(string) bool
		programs      []refuser
		harm          []string // each program refuses one of these
	}{
		{"awk", awkPieces, awkSeeds, awkGrammar, awkOnlyPrints, awkRefusers, []string{`BEGIN{print 1 > "f"}`, `BEGIN{system("x")}`, `BEGIN{"x" | getline}`}},
		{"sed", sedPieces, sedSeeds, sedGrammar, sedOnlyPrints, sedRefusers, []string{"w f", "s/a/b/e", "1e x"}},
	} {
		t.Run(k.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, p := range k.programs {
				need(t, p.name)
				for _, text := range k.harm {
					assert.True(t, p.refused(t, dir, text), "%s refuses %s", p.name, text)
					assert.False(t, k.prints(text), text)
				}
			}
			r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
			texts := make(chan string)
			var workers sync.WaitGroup
			for range 2 {
				workers.Go(func() {
					for text := range texts {
						for _, p := range k.programs {
							assert.False(t, p.refused(t, dir, text), "%s: %q", p.name, text)
						}
					}
				})
			}
			for n := 0; n < count; {
				text := mutated(r, k.seeds[r.IntN(len(k.seeds))], k.pieces)
				if r.IntN(2) == 0 {
					text = mutated(r, k.grammar.make(r, "text", 0), k.pieces)
				}
				// What is printed to the standard error is a file to them too.
				if k.prints(text) && strings.ContainsAny(text, ">ew|(") && len(text) < 500 && !strings.Contains(text, "/dev/stderr") {
					texts <- text
					n++
				}
			}
			close(texts)
			workers.Wait()
		})
	}
}

// mutated is a text with a few pieces put in, taken out or in another place.
func mutated(r *rand.Rand, text string, pieces []string) string {
	for range 1 + r.IntN(4) {
		i, j := r.IntN(len(text)+1), r.IntN(len(text)+1)
		i, j = min(i, j), max(i, j)
		switch r.IntN(4) {
		case 0:
			if j-i < 8 {
				text = text[:i] + text[j:]
			}
		case 1:
			if j-i < 12 {
				text = text[:i] + text[i:j] + text[i:]
			}
		default:
			text = text[:i] + pieces[r.IntN(len(pieces))] + text[i:]
		}
	}
	return text
}
