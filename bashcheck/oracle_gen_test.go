package bashcheck

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// oracleSeeds are the texts that scripts are made from: the examples of the
// program tables, the parser differentials, and the vectors where they are.
func oracleSeeds(t testing.TB) []string {
	seen := map[string]bool{}
	var seeds []string
	add := func(s string) {
		if s != "" && len(s) < 400 && !seen[s] {
			seen[s] = true
			seeds = append(seeds, s)
		}
	}
	for _, p := range everyProgram() {
		for _, e := range p.examples {
			add(e.command)
		}
	}
	for _, d := range differentials {
		add(d.src)
	}
	for _, s := range oracleShapes {
		add(s)
	}
	for _, dir := range []string{os.Getenv("CLEARANCE_VECTORS"), "../../shared/vectors", "../../../shared/vectors"} {
		files, _ := filepath.Glob(filepath.Join(dir, "*.jsonl"))
		if dir == "" || len(files) == 0 {
			continue
		}
		for _, name := range files {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			sc := bufio.NewScanner(f)
			sc.Buffer(nil, 1<<20)
			for sc.Scan() {
				var v struct {
					Command json.RawMessage
					Input   json.RawMessage
				}
				_ = json.Unmarshal(sc.Bytes(), &v)
				var s string
				if json.Unmarshal(v.Command, &s) == nil {
					add(s)
				}
				var in struct{ Command string }
				if json.Unmarshal(v.Input, &in) == nil {
					add(in.Command)
				}
			}
			_ = f.Close()
		}
		break
	}
	slices.Sort(seeds) // maps have no order, and a seed must make the same scripts again
	return seeds
}

// oracleShapes are everyday shapes that the vectors do not hold in every variant.
var oracleShapes = []string{
	"cd src && ls", "cd src; ls; cd ..; ls a", "for f in *.go; do wc -l $f; done", "while read -r l; do echo \"$l\"; done < f",
	"if [ -f f ]; then cat f; else ls; fi", "case $x in a*) ls;; *) cat f;; esac", "cat <<EOF\n$x $(ls)\nEOF", "cat <<'EOF' | sort\n$(ls)\nEOF",
	"diff <(ls a) <(ls b)", "x=5; head -n $x f", "echo ${x:-y} ${#x} ${x%.go} \"${x##*/}\"", "ls | xargs wc -l", "find . -name '*.go' -exec wc -l {} +",
	"[[ $x == a* && -f f ]] && ls", "(( 1 + 2 )) && ls", "n=$(wc -l < f); echo $((1+1))", "{ ls; cat f; } | sort", "(cd a && ls)", "! ls | grep x",
	"f() { ls \"$@\"; }; f a", "ls 2>&1 | head", "ls >/dev/null 2>&1", "ls > out; ls >> log", "cat < f > g", "time ls", "env A=1 ls", "timeout 5 ls a", "bash -c 'ls; cat f'",
	"sh -c \"ls a\"", "eval ls", "exec ls", "command ls", "x=ls; $x a", "tee out < f", "ls &", "ls & wait", "set -e; ls", "trap ls EXIT", "echo a >| f", "echo a &> f", "echo a >& f",
	"printf '%s\\n' a | sort -u", "select x in a b; do ls; done < f", "until ls; do cat f; done", "for ((i=0;i<2;i++)); do ls; done", "let x=1+1; ls", "a=(1 2 3); echo ${a[1]} ${a[@]}",
	"ls $(cat f)", "grep -n x $(find . -name f)", "read x < f; ls $x", "IFS=,; ls a,b", "coproc ls", "ls {a,b}", "ls a{1..3}", "cat ~/x ~u/x", "ls -- -x", "test -f f -a -d a && ls", "ls;ls", "ls\tf\nls g\n",
	"nice -n 5 ls", "xargs -n 1 ls a < f", "echo 'it''s' \"a\"'b'c", "ls \\\n  a \\\n  b", "# c\nls # d\n", "ls a#b", "git log --format='%h' | head -5", "cd a && git status", "mkdir -p x/y && touch x/y/z && rm -r x",
	"alias ll='ls'\nll", "x=1 y=2 ls", "export X=1; ls", "printf -v x %s ls; $x", "echo $'a\\'b' $'\\x41'", "echo \"a\\\"b\\$c\"", "ls -la || exit 1", "cat f | while read l; do ls $l; done", "ls <<< \"$x\"", "ls 3< f 4>&1 <&3",
}

// oracleFragments are what is put into texts at random.
var oracleFragments = []string{
	"\\\n", "'", "\"", "$(hit 2)", "`hit 3`", "#", " #", " # x \\\n", "\n", ";", "&", "|", "{", "}", "[[ ", " ]]", "((", "))", "<<E", "\nE\n", "<<-E\n\thit\n\tE\n", "\r", "|&", "&>", "!", "! ", "~", "=(hit)",
	"$'", "$\"", "\\", "\t", "${x:-", "${x", "}", "@P}", "<(hit 4)", ">(hit 5)", "*(", "?(", "@(", "!(", ")", "(", "$[", "]", "[", "{a,b}", "{hit,1}", "~+", "=", "$", "$x", "${!x}", "%", "^", "<>", ">|", ">!", "&|", "&!", ";;", ";&",
	"case x in x) hit;; esac", "\v", "\f", "\x80", "é", "\u00a0", "\u200b", "\x1b", " hit ", "; hit 1", "&& hit 1", "|| hit 1", "| hit 1", "\nhit 1\n", "& hit 1", "> o1", ">o2 ", ">>o3", ">&o4", "2>o5", "<o6", "<<<", "'$(hit 6)'", "\"$(hit 7)\"",
	"\\'", "\\\"", "\\$", "\\`", "$((", "$(( 'a[$(hit 8)]' ))", "esac", "fi", "done", "do ", "then ", "if ", "for x in a b; do ", "while ", "case a in ", "a) ", "in ", "function f ", "f() ", "time ", "coproc ", "select x in a; do ", "exec ", "eval ", "command ", "builtin ", "env ", "xargs ", "- ",
	"noglob ", "repeat 2 ", "always ", "declare ", "local ", "let ", "export ", "readonly ", "typeset ", "set -- ", "shift ", "return ", "break", "continue", "exit ", "cd a", "cd ..", "cd -", "cd ", "pushd a ", "popd", "x=", "x+=", "a[0]=", "A=1 ", "PATH=a ", "HOME=/ ", "HOME=/", "IFS=x ", "IFS=", "read x ", "unset x ", "test ", "[ ", "-v ", "-eq ", " -a ", "=~ ", "== ", "< ", "> ",
	"${x@P}", "${x/a/b}", "${x//'/'}", "${x#\"}", "${#x}", "${x:0:1}", "${x[0]}", "${a[hit]}", "${x^^}", "${x:?y}", "${x:=hit}", "$@", "$*", "$1", "$#", "$?", "$$", "$!", "$-", "$0", "$_", "{1..3}", "*", "?", "[a-z]", "*.go", "!!", "!x", "~/", "~u", "x~y", "^a^b", "a=(", "a=(1 2)", "+=(", ";;&", "<&-", ">&-", ">&2", "2>&1", "<&3", "{v}>o7", "{v}<f", "<<\\E\n$(hit)\nE\n", "<<'E'\n$(hit)\nE\n", "<<E\n$(hit 9)\nE\n", "<<\"E\"\nx\nE\n", "<<E F\nx\nE\n",
}

// oracleWrap are the positions in which a text V is put.
var oracleWrap = []string{
	"x; V", "true && V", "false || V", "V | cat", "echo a | V", "$(V)", "echo $(V)", "echo \"$(V)\"", "echo `V`", "cat <(V)", "cat f > >(V)", "if V; then ls; fi", "if true; then V; fi", "if false; then ls; else V; fi", "for i in 1 2; do V; done",
	"while V; do break; done", "until V; do break; done", "f() { V; }; f", "f() { V\n}\nf", "{ V; }", "( V )", "(V\n)", "! V", "time V", "V &", "V & ls", "ls & V", "case a in a) V;; esac", "cat <<E\n$(V)\nE", "cat <<'E'\nV\nE", "V <<E\nx\nE", "V # c", "# c\nV", "ls # c\nV",
	"timeout 5 V", "env V", "env A=1 V", "nice V", "nohup V", "command V", "xargs V", "echo w1 | xargs V", "echo w1 | xargs -n 1 V", "stdbuf -o0 V", "setsid V", "bash -c 'V'", "sh -c \"V\"", "eval 'V'", "cd a && V", "cd a; V", "cd a || V", "(cd a && V)", "cd nowhere && V", "cd nowhere; V", "cd a && cd .. && V", "pushd a && V",
	"x=$(V); echo \"$x\"", "x=$(V)", "A=$(V) ls", "[[ -n $(V) ]]", "[ -n \"$(V)\" ] && ls", "V && ls || cat f", "V; ls", "V\nls\n", "set -e\nV", "V > out", "V >> out 2>&1", "V < f", "V 2>/dev/null", "V >/dev/null", "V >&2", "{ V; } > out", "(V) > out", "V | while read l; do echo $l; done",
	"for f in $(V); do ls $f; done", "find . -name f -exec V {} \\;", "find . -maxdepth 1 -type f -exec V {} +", "sudo V", "exec V", "builtin V", "case $(V) in *) ls;; esac", "echo ${x:-$(V)}", "echo \"${x:-$(V)}\"", "echo $((1+1)); V", "a=($(V)); ls ${a[@]}", "while read -r l; do V; done < f", "coproc V", "trap 'V' EXIT", "x=1; V", "x=1 V", "LC_ALL=C V", "V; cd a; V", "time -p V", "noglob V", "- V",
}

// oracleGen makes scripts.
type oracleGen struct {
	r     *rand.Rand
	seeds []string
}

func oraclePick[T any](g *oracleGen, list []T) T { return list[g.r.IntN(len(list))] }

// script makes one script.
func (g *oracleGen) script() string {
	var s string
	switch k := g.r.IntN(20); {
	case k < 6:
		s = g.mutateWords(oraclePick(g, g.seeds))
	case k < 12:
		s = g.list(3)
	case k < 18:
		s = g.splice(oraclePick(g, g.seeds))
	default:
		s = g.splice(g.list(2))
	}
	for g.r.IntN(3) == 0 {
		s = strings.ReplaceAll(oraclePick(g, oracleWrap), "V", s)
	}
	return s
}

// splice changes the text without looking at its structure.
func (g *oracleGen) splice(s string) string {
	for n := 1 + g.r.IntN(3); n > 0; n-- {
		i := g.r.IntN(len(s) + 1)
		switch g.r.IntN(12) {
		case 0: // leave something out
			j := min(len(s), i+1+g.r.IntN(4))
			s = s[:i] + s[j:]
		case 1: // say something twice
			j := min(len(s), i+1+g.r.IntN(8))
			s = s[:j] + s[i:]
		case 2: // a piece of another text
			o := oraclePick(g, g.seeds)
			a := g.r.IntN(len(o))
			s = s[:i] + o[a:min(len(o), a+1+g.r.IntN(12))] + s[i:]
		case 3: // blanks into line breaks and continuations
			if j := strings.IndexByte(s[i:], ' '); j >= 0 {
				s = s[:i+j] + oraclePick(g, []string{"\n", " \\\n", "\\\n", "\t", "  ", " \\\n\\\n", "\n\n"}) + s[i+j+1:]
			}
		default:
			f := oraclePick(g, oracleFragments)
			s = s[:i] + f + s[i:]
		}
	}
	return s
}

// mutateWords respells single words of a text, as someone would who wants to
// pass a list of what is forbidden.
func (g *oracleGen) mutateWords(s string) string {
	words := strings.Split(s, " ")
	for n := g.r.IntN(3); n > 0; n-- {
		i := g.r.IntN(len(words))
		words[i] = g.respell(words[i])
	}
	switch g.r.IntN(8) {
	case 0:
		words[0] = oraclePick(g, []string{"timeout 5 ", "env ", "command ", "nice ", "nohup ", "/bin/", "/usr/bin/", "\\", "exec ", "builtin ", "time ", "xargs ", "stdbuf -oL ", "setsid ", "A=1 ", "env -i ", "env -u x ", "env -- ", "command -p ", "nice -n5 "}) + words[0]
	case 1:
		if len(words) > 2 { // another order of flags
			i, j := 1+g.r.IntN(len(words)-1), 1+g.r.IntN(len(words)-1)
			words[i], words[j] = words[j], words[i]
		}
	}
	return strings.Join(words, " ")
}

func (g *oracleGen) respell(w string) string {
	if w == "" {
		return w
	}
	i := g.r.IntN(len(w))
	switch g.r.IntN(13) {
	case 0:
		return w[:i] + "''" + w[i:]
	case 1:
		return w[:i] + `""` + w[i:]
	case 2:
		return w[:i] + `\` + w[i:]
	case 3:
		return w[:i] + "'" + w[i:] + "'"
	case 4:
		return `"` + w + `"`
	case 5:
		return w[:i] + fmt.Sprintf(`$'\x%02x'`, w[i]) + w[i+1:]
	case 6:
		return w[:i] + fmt.Sprintf(`$'\%03o'`, w[i]) + w[i+1:]
	case 7:
		return w[:i] + "\\\n" + w[i:]
	case 8:
		return w[:i] + "$y" + w[i:]
	case 9:
		return w[:i] + "${y}" + w[i:]
	case 10:
		if strings.HasPrefix(w, "--") {
			return w + "=v"
		}
		return w[:i] + "{" + w[i:] + ",}"
	case 11:
		if before, after, ok := strings.Cut(w, "="); ok {
			return before + " " + after
		}
		return w[:i] + "`echo " + w[i:] + "`"
	}
	return w[:i] + `$"` + w[i:] + `"`
}

var oracleNames = []string{"ls", "cat", "grep", "hit", "touch", "git", "sort", "wc", "rm", "head", "ls", "cat", "frob", "find", "xargs", "env", "timeout 5", "sed", "tee", "cp", "command", "nice", "echo", "printf", "true", "false", "test", "cd", "a", "f", "bash", "[", ":", "pwd", "type", "read"}
var oracleVars = []string{"x", "y", "f", "i", "n", "A", "HOME", "PATH", "@", "*", "#", "?", "1", "PWD", "_", "IFS", "a"}

// list makes a list of statements.
func (g *oracleGen) list(depth int) string {
	var b strings.Builder
	n := 1 + g.r.IntN(2)
	for i := range n {
		if i > 0 {
			b.WriteString(oraclePick(g, []string{"; ", "\n", " && ", " || ", " | ", " & ", "; ", "\n", " |& ", " # c\n", ";\n", "&&\n", "|\n", " && ! ", "; # it's\n"}))
		}
		b.WriteString(g.stmt(depth))
	}
	return b.String()
}

func (g *oracleGen) stmt(depth int) string {
	k := g.r.IntN(34)
	if depth <= 0 {
		k = 33
	}
	in := func() string { return g.list(depth - 1) }
	end := func() string { return oraclePick(g, []string{"; ", "\n", " ;", "\n\n"}) }
	switch k {
	case 0:
		return "(" + in() + ")" + g.redir()
	case 1:
		return "{ " + in() + end() + "}" + g.redir()
	case 2:
		return "if " + in() + end() + "then " + in() + end() + "fi" + g.redir()
	case 3:
		return "if " + in() + end() + "then " + in() + end() + "else " + in() + end() + "fi"
	case 4:
		return "for " + oraclePick(g, oracleVars[:6]) + " in " + g.words(depth-1) + end() + "do " + in() + end() + "done" + g.redir()
	case 5:
		return "while " + in() + end() + "do " + in() + "; break" + end() + "done" + g.redir()
	case 6:
		return "case " + g.word(depth-1) + " in " + g.word(0) + ") " + in() + ";; *) " + in() + ";; esac"
	case 7:
		return "[[ " + oraclePick(g, []string{"-n ", "-f ", "! -z ", "x == ", "x != ", "x < ", "x =~ ", "1 -eq ", "-v ", "( x ) && x > "}) + g.word(depth-1) + " ]]"
	case 8:
		return "(( " + g.arith(depth-1) + " ))"
	case 9:
		return oraclePick(g, []string{"f() { ", "f () { ", "function f { ", "ls() { "}) + in() + end() + "}" + end() + oraclePick(g, []string{"f", "ls", "f a"})
	case 10:
		return "! " + g.simple(depth)
	case 11:
		return "time " + g.simple(depth)
	case 12, 13:
		mark := oraclePick(g, []string{"E", "'E'", `"E"`, `\E`, "E", "E", "-E", "-'E'", " E", "E''", "$E", "E\\\nF", "E;F"})
		plain := strings.NewReplacer("'", "", `"`, "", `\`, "", "-", "", " ", "", "\n", "").Replace(mark)
		return g.simple(depth) + " <<" + mark + oraclePick(g, []string{"", " | " + g.simple(depth-1), " && " + g.simple(depth-1), " > out", " # c"}) + "\n" + g.hereBody(depth-1) + "\n" + plain + "\n"
	case 14:
		return oraclePick(g, oracleVars[:6]) + oraclePick(g, []string{"=", "=", "+="}) + g.word(depth-1) + end() + g.simple(depth-1)
	case 15:
		return "x=" + oraclePick(g, []string{"a", "5", "ls", "'a b'", "-x", "*", "a.go", "/"}) + end() + oraclePick(g, []string{"ls $x", "$x a", "head -n $x f", "ls \"$x\"y", "echo $(( x + 1 ))", "[[ $x -eq 1 ]] && ls", "cd $x && ls", "echo a > $x", "x=b; ls $x", "(x=b); ls $x", "x=b | ls; ls $x", "x=b ls $x", "unset x; ls $x", "read x < f; ls $x", "for x in 1 2; do :; done; ls $x", "f && x=b; ls $x", ": ${x:=b}; ls $x", "printf -v x b; ls $x", "ls ${x}b ${x}", "ls a$x/b", "export x=b; ls $x", "x+=b; ls $x", "{ x=b; }; ls $x", "if ls; then x=b; fi; ls $x", "ls $x || x=c; ls $x"})
	case 16:
		return "cd " + oraclePick(g, []string{"a", "b", "..", ".", "/", "/tmp", "src", "nowhere", "\"a\"", "a/..", "~", "a b", "$x", "-", "", "-P a", "-- a", "./a", "src/x", "'a'", "{a,b}", "a*", "-L src"}) + oraclePick(g, []string{"; ", " && ", " || ", "\n", " | ", " & ", " > out; ", " 2>/dev/null && "}) + g.simple(depth-1) + oraclePick(g, []string{"", "; ls z", " && ls z", "; cd b; ls z"})
	case 17:
		return "select x in a; do " + in() + "; break; done < f"
	case 18:
		return "until " + in() + end() + "do " + in() + "; break; done"
	case 19:
		return "for ((i=0; i<1; i++)); do " + in() + end() + "done"
	case 20:
		return g.simple(depth) + " &"
	case 21:
		return "a=(" + g.words(depth-1) + ")" + end() + g.simple(depth-1)
	}
	return g.simple(depth)
}

func (g *oracleGen) simple(depth int) string {
	var b strings.Builder
	if g.r.IntN(12) == 0 {
		b.WriteString(oraclePick(g, []string{"A=1 ", "x=b ", "x=$(hit) ", "LC_ALL=C ", "NO_COLOR=1 ", "HOME=/tmp ", "x= ", "x=a y=b ", "PATH=/oracle/bin ", "IFS=a ", "a[0]=1 "}))
	}
	b.WriteString(oraclePick(g, oracleNames))
	for n := g.r.IntN(4); n > 0; n-- {
		b.WriteString(oraclePick(g, []string{" ", " ", " ", " ", " ", "  ", "\t", " \\\n"}))
		if g.r.IntN(6) == 0 {
			b.WriteString(strings.TrimPrefix(g.redir(), " "))
		} else {
			b.WriteString(g.word(depth - 1))
		}
	}
	if g.r.IntN(5) == 0 {
		b.WriteString(g.redir())
	}
	return b.String()
}

func (g *oracleGen) words(depth int) string {
	var out []string
	for n := 1 + g.r.IntN(3); n > 0; n-- {
		out = append(out, g.word(depth))
	}
	return strings.Join(out, " ")
}

func (g *oracleGen) redir() string {
	switch g.r.IntN(3) {
	case 0:
		return ""
	case 1:
		return oraclePick(g, []string{" >out", " >> out", " 2>/dev/null", " 2>&1", " >|out", " &>out", " >&out", " <f", " <>f", " 3>out", " >/dev/null", " >&2", " {v}>out", " <<<x", " &>>out", " <f >out", " >'o t'", " 2>&1 >out", " >a/out", " >../out", " >/tmp/out", " >~/out", " >$x", " >o*", " >out{1,2}", " <&-", " >&-", " 1>out", " 12>out", " <(ls)", " > >(cat)", " < <(ls)", " >/dev/stdout", " >./out", " >out\\\n2", " >\"$x\"", " >out; >out2", " 2>out1>out3", " >-", " >&1out", " >&$x", " >&'out'", " <&out"})
	}
	return oraclePick(g, []string{" > ", " >>", " 2>"}) + g.word(0)
}

func (g *oracleGen) hereBody(depth int) string {
	return oraclePick(g, []string{"x", "$x", "$(hit)", "`hit`", "\\$(hit)", "${x:-'$(hit)'}", "E ", " E", "\tE", "E\\", "\\\nE", "a\\\nb", "'$(hit)'", "\"$(hit)\"", "$((1+1))", "$(ls a", "E\r", "$\\\n(hit)", "\\\\$(hit)", "it's", "\"", "`", "${x", "#", "<<F", "$(cat <<F\nx\nF\n)", "${x:-a}"}) + oraclePick(g, []string{"", "", "\n" + g.list(min(depth, 1)), "\n\n$y"})
}

func (g *oracleGen) arith(depth int) string {
	return oraclePick(g, []string{"1", "1+2", "x", "x=1", "$x", "$(hit)", "'a[$(hit)]'", "a[0]", "a[$(hit)]", "x++", "1 ? 2 : 3", "1,2", "0x1f", "16#ff", "#", "${#x}", "$#", "\"1\"", "\"x\"", "1<<2", "1 # 2", "(1)", "(1); (2)", "!1", "$((1))", "`hit`", "n", "-1", "1 > 0", "1;1"})
}

func (g *oracleGen) word(depth int) string {
	var b strings.Builder
	for n := 1 + g.r.IntN(2)*g.r.IntN(2); n > 0; n-- {
		b.WriteString(g.part(depth))
	}
	return b.String()
}

func (g *oracleGen) part(depth int) string {
	k := g.r.IntN(30)
	if depth <= 0 && k >= 22 {
		k = g.r.IntN(22)
	}
	v := func() string { return oraclePick(g, oracleVars) }
	switch k {
	case 0, 1, 2, 3, 4, 5:
		return oraclePick(g, []string{"a", "b", "f", "src", "-l", "-n", "--all", "x.go", "w1", "/tmp", "a/b", ".", "-", "--", "5", "a=b", "--opt=v", "a,b", "a:b", "%h", "@", "+x", "a-b", "a_b", "^a", "a]b", "if", "done", "in", "}", "{", "!"})
	case 6:
		return oraclePick(g, []string{"'a b'", "''", "'$(hit)'", "'\\'", "'a\"b'", "'#'", "'\n'", "'{a,b}'", "'*'", "'~'", "';'", "'a[$(hit)]'", "'-x'", "'`hit`'"})
	case 7:
		return oraclePick(g, []string{`"a b"`, `""`, `"\$(hit)"`, `"\\"`, `"a'b"`, `"#"`, `"\""`, `"a\b"`, `"*"`, `"~"`, `"-x"`, `"{a,b}"`, `"$"`, `"a$"`, `"\` + "`hit\\`" + `"`, `"!x"`, "\"a\\\nb\""})
	case 8:
		return oraclePick(g, []string{`$'a'`, `$'\x61'`, `$'\n'`, `$'\''`, `$'\\'`, `$'a\tb'`, `$'$(hit)'`, `$'\u0061'`, `$'\c'`, `$'\`, `$"a"`, `$'\141'`, `$'\e'`, `$'a\0b'`})
	case 9:
		return oraclePick(g, []string{`\a`, `\ `, `\;`, `\'`, `\"`, `\$x`, `\\`, `\#`, `\*`, `\~`, `\{a,b}`, "\\\n", `\(`, "\\`", `\&`, `\|`, `\>`, `\-x`, `\!`, `\=`})
	case 10, 11:
		return "$" + v()
	case 12:
		return "${" + v() + "}"
	case 13:
		return `"$` + v() + `"`
	case 14:
		return oraclePick(g, []string{"*", "?", "*.go", "[ab]", "[!a]", "a*", "./*", "[", "]", "[a", "a[b", "**", "*/", "[[:alpha:]]", "[a]b", "{a,b}", "{1..2}", "{a}", "a{b,c}d", "{a,b", "{,}", "{a..c}", "@(a|b)", "!(a)", "?(a)", "*(a)", "+(a)"})
	case 15:
		return oraclePick(g, []string{"~", "~/a", "~+", "~-", "~u", "a~", "~/*", "a:~", "x=~", "~x/y", "=ls", "=a", "a=ls", "%1", "^", "a^b", "#a", "a#", "a#b", "a!b", "!a", "!!"})
	case 16:
		return "${" + v() + oraclePick(g, []string{":-a", "-a", ":+a", "+a", "%a", "%%*", "#a", "##*/", "/a/b", "//a", ":0", ":0:1", ":1:$x", ":=a", "?a", "^", "^^", ",,", "@Q", "@P", "@a", "@E", "[0]", "[@]", "[$x]", "[hit]", ":-$(hit)", ":-'$(hit)'", ":-\"$(hit)\"", ":-\"a b\"", "%\"$x\"", "%'a'", ":-`hit`", ":-$x", "/\\//a", "#\\}", ":-a b", ":-*", ":-~", ":x", ":-{a,b}", ":-\\", ":+'$(hit)'", "%$(hit)"}) + "}"
	case 17:
		return `"${` + v() + oraclePick(g, []string{":-a", ":-'a b'", ":-'$(hit)'", ":-\"a\"", ":-$x", "%'*'", "##*/", "//'a'/b", ":-}a", ":-\\}a", ":-`hit`", "[@]", "[*]", "@Q", ":0:1", "#'", ":-'", ":-$'a'", ":-\"$(hit)\""}) + `}"`
	case 18:
		return oraclePick(g, []string{"$((" + g.arith(0) + "))", "$[" + g.arith(0) + "]", "\"$((" + g.arith(0) + "))\""})
	case 19:
		return oraclePick(g, []string{"$#", "$?", "$$", "$!", "$-", "$0", "$_", "${#x}", "${!x}", "${!x*}", "${#}", "${#a[@]}", "${!a[@]}", "$1a", "${10}"})
	case 20, 21:
		return g.stringsOf("abcdefghij")
	case 22, 23, 24:
		return "$(" + g.list(depth-1) + oraclePick(g, []string{")", "\n)", " )"})
	case 25:
		return `"$(` + g.list(depth-1) + `)"`
	case 26:
		return "`" + strings.ReplaceAll(g.simple(depth-1), "`", "\\`") + "`"
	case 27:
		return oraclePick(g, []string{"<(", ">(", "=("}) + g.list(depth-1) + ")"
	case 28:
		return `"a` + g.part(depth-1) + `b"`
	}
	return "$x" + g.part(depth-1)
}

func (g *oracleGen) stringsOf(letters string) string {
	b := make([]byte, 1+g.r.IntN(3))
	for i := range b {
		b[i] = letters[g.r.IntN(len(letters))]
	}
	return string(b)
}
