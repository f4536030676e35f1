//go:build linux

package bashcheck

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// flagWords are values and operands of kinds that are data; some are there as
// files, some would be made, some mean more to a program that looks closely.
var flagWords = []string{"f", "f", "src", "README.md", "main.go", "out", "1", "2", "x", "HEAD", "-", "a=b", ".", "main", "package.json", "s/a/b/", "%s", "src/main.rs", "origin", "v1", "no such", "", "/w", "/tmp/out", "-x", "f out", "json", "all", "name", "a,b", "dev", "+%s", "10", "u", "12:00", "stash@{0}", "HEAD:f", "0", "text", "never", "always", "auto",
	"--", "@args", "@out", "a:b", "=", "=out", ":out", ",", ":", "|touch out", "f|", "> out", ">out", "|", "out|", "file:out", "f:out", "f,out", "o=out", "w=out", "out=out", "file=out", "-o", "-oout", "--output=out", "w out", "-1", "1:2", "1,2", "1-2", "*", "?", "[a]", "{}", "{f}", "%f", "%", "\\", "~", "~/out", "./f", "../w/f", "f/", "src/", "hostile", "yes", "no", "on", "2026-01-01", "now", "UTF-8", "C", "stdin", "/dev/stdin", "/dev/fd/0", "localhost", "127.0.0.1", "u@localhost", "host:f", "a b c", "$HOME", "`touch out`", "$(touch out)", ";touch out", "a;b", "a\nb"}

// flagFiles are paths that are there or are put there by exampleFiles, of
// different contents, beside names that programs may take for more.
var flagFiles = []string{"f", "f", "src", "README.md", "main.go", ".", "out", "package.json", "hostile", "args", "a.tar", "a.tar.gz", "a.zip", "a.gz", "a.bz2", "a.xz", "a.Z", "a.json", "a.yaml", "a.toml", "a.xml", "a.html", "a.py", "a.sh", "a.csv", "a.ini", "a.patch", "a.pem", "a.png", "a.pdf", "a.o", "a.jar", "a.db", "a.md", "a.txt", "a.conf", "a.1", "a.po", "a.class", "a.service", "Makefile", "-", "./f", "/w/f", "/tmp/f", "f/", "src/", "a=b", "a:b", "a,b", "@args", "f|", "|f", "no such", "*", "/dev/null", "/etc/passwd", "-x", "--", ""}

// flagValues are values that a kind accepts, and a few that it may not.
var flagValues = map[valueKind][]string{
	vNumber:     {"1", "2", "10", "0", "3", "-1", "+1", "1k", "0x10", "1.5"},
	vSed:        {"1p", "s/a/b/", "2d", "$!N;P;D", "s/a/b/w out", "/a/,/b/p", "y/a/b/", "s/x/y/e"},
	vAwk:        {"{print $1}", "NR==1", "{n++} END {print n}", "/a/ {print > \"out\"}", "{system(\"id\")}", "BEGIN{print length(\"x\")}"},
	vJq:         {".", ".name", "keys", ".a[]", "input_filename", "env.HOME"},
	vCommand:    {"ls", "cat", "f", "true", "echo"},
	vDateFormat: {"+%s", "+x", "+"},
	vFileMode:   {"644", "u+x", "0"},
	vFormat:     {"%H %s", "%an%n%ad", "oneline", "short", "%(refname)", "%h %d", "%G?", "raw", "fuller"},
	vGitObject:  {"HEAD", "main", "HEAD:f", "v1", "stash@{0}", "f", "src", "HEAD~1", "main..feature", "^feature", "@", ":/one", ":f", "main...feature", "--", "HEAD^{tree}", ":!src", "no such"},
	vRevision:   {"HEAD", "main", "v1", "stash@{0}", "HEAD~1", "main..feature", "@"},
	vGitKey:     {"user.name", "core.editor", "alias.st"},
	vGitSort:    {"refname", "-creatordate", "version:refname", "signature"},
	vPSFormat:   {"pid", "pid,comm", "user=,args", "pid,ppid=P"},
	vPSLetters:  {"aux", "a", "axf", "axo"},
	vSysctlName: {"kernel.hostname", "kernel.ostype", "vm.swappiness"},
	vKubeOutput: {"json", "yaml", "wide", "name", "jsonpath={.a}"},
	vCharset:    {"UTF-8", "latin1", "ASCII//TRANSLIT", "./f"},
	vUserName:   {"root", "u", "0", "nobody"},
	vPIDs:       {"1", "2", "1,2", "$$"},
	vAwkVar:     {"x=1", "FS=:", "x=a b", "OFS=-"},
	vAwkFile:    {"f", "x=1", "FS=:", "a.csv", "-", "hostile"},
	vPrintf:     {"%s\\n", "%d", "x", "%5.2f\\n", "%%", "%b", "%q", "-v"},
	vInet:       {":80", "TCP", "4", "6", "UDP:53", "TCP:3000,3001"},
	vSSFilter:   {"state", "listening", "sport", "=", ":80", "(", ")", "and"},
	vPcapFilter: {"tcp", "port 80", "udp and port 53"},
	vDD:         {"if=f", "bs=1", "count=1", "skip=1", "status=none", "of=out", "conv=ucase", "iflag=fullblock", "if=hostile"},
	vZipFile:    {"a.zip", "a", "a.jar", "f", "hostile"},
	vGzipFile:   {"a.gz", "a", "f", "a.tar.gz", "hostile"},
	vEnvName:    {"HOME", "PATH", "LANG", "TERM", "SECRET"},
	vPair:       {"n"},
	vPairFile:   {"n"},
	vReplace:    {"{}", "x", "%"},
	vStart:      {"src", ".", "/tmp"},
	vChart:      {"./chart", ".", "/tmp/chart"},
	vSetOption:  {"pipefail", "errexit"},
	vUsedFile:   {"f", "80/tcp", "src", "."},
	vSource:     {"a.c", "a.cc", "a.o"},
	vUpload:     {"x", "a=b", "@f"},
	vVarName:    {"x", "y"},
	vAssign:     {"A=1", "LC_ALL=C", "TZ=UTC"},
	vFind:       {".", "-name", "f", "-type", "-print", "-f", "src", "-n", "x", "=", "-size", "1", "!", "-maxdepth", "-newer", "-ls", "-delete", "-exec", ";", "{}", "-prune", "-o", "-printf", "%p", "(", ")", "-a", "-empty", "-path", "-regex", "*", "d", "-not", "-mtime", "+1", "-fprint", "out", "-okdir", "-quit", "-L", "-perm", "644", "-user", "root", "-files0-from", "args", "-print0"},
}

// flagValue makes a value of the kind.
func flagValue(g *oracleGen, v valueSpec) string {
	switch v.kind {
	case vTest:
		return flagValue(g, valueSpec{kind: vFind})
	case vText, vPath:
		if list := strings.Split(v.list, ","); v.narrow&nOne != 0 && g.r.IntN(8) > 0 {
			return oraclePick(g, list)
		} else if v.narrow&nEnding != 0 {
			return oraclePick(g, []string{"a", "src/b", "a-b"}) + oraclePick(g, list)
		}
	}
	switch v.kind {
	case vPath, vUnpacked, vComposeFile, vRemote, vPacked, vOutput:
		if g.r.IntN(3) == 0 {
			return oraclePick(g, flagFiles)
		}
		return oraclePick(g, flagFiles[:31])
	}
	if list := flagValues[v.kind]; list != nil && g.r.IntN(10) > 0 {
		return oraclePick(g, list)
	}
	if g.r.IntN(2) == 0 {
		return oraclePick(g, flagWords[:40])
	}
	return oraclePick(g, flagWords)
}

// flagShape is one way of writing a described flag, or one described operand.
type flagShape struct {
	at    *program // the program or the sub-command
	sub   string   // the words of the sub-command
	flag  string   // empty: an operand of the form
	form  string
	shape string
}

// flagShapes are all of a program, in order.
func flagShapes(p *program) (list []flagShape) {
	one := func(q *program, sub string) {
		names := make([]string, 0, len(q.flags))
		for n := range q.flags {
			names = append(names, n)
		}
		slices.Sort(names)
		for _, f := range names {
			spec := q.flags[f]
			var shapes []string
			long := len(f) > 2
			switch {
			case spec.value.kind == vRefuse:
			case !spec.takes && (long || q.whole || f[0] == '+'):
				shapes = []string{"alone"}
			case !spec.takes:
				shapes = []string{"alone", "cluster"}
			case spec.value.kind == vPair || spec.value.kind == vPairFile:
				shapes = []string{"apart"}
			case spec.optional:
				shapes = []string{"alone", "attached"}
			case !long && !q.whole:
				shapes = []string{"apart", "attached", "cluster"}
			default:
				shapes = []string{"apart", "attached"}
			}
			for _, s := range shapes {
				list = append(list, flagShape{q, sub, f, spec.mode, s})
			}
		}
		forms := make([]string, 0, len(q.forms))
		for n := range q.forms {
			forms = append(forms, n)
		}
		slices.Sort(forms)
		for _, n := range append([]string{""}, forms...) {
			list = append(list, flagShape{q, sub, "", n, "operands"})
		}
	}
	one(p, "")
	subs := make([]string, 0, len(p.subs))
	for n := range p.subs {
		subs = append(subs, n)
	}
	slices.Sort(subs)
	seen := map[*program]bool{}
	for _, n := range subs {
		if q := p.subs[n]; !seen[q] {
			seen[q] = true
			one(q, n)
		} else {
			list = append(list, flagShape{q, n, "", "", "alias"})
		}
	}
	return list
}

// write spells the flag.
func (s flagShape) write(g *oracleGen) []string {
	spec, f := s.at.flags[s.flag], s.flag
	if rest, ok := strings.CutPrefix(f, "-NUM"); ok {
		return []string{oraclePick(g, []string{"-3", "-1", "-10", "-0"}) + rest}
	}
	value := ""
	if spec.takes {
		value = flagValue(g, spec.value)
	}
	front := "" // other letters before it
	if s.shape == "cluster" {
		var letters []string
		for n, o := range s.at.flags {
			if len(n) == 2 && n[0] == '-' && !o.takes && o.value.kind != vRefuse && (o.mode == "" || o.mode == s.form) {
				letters = append(letters, n[1:])
			}
		}
		if len(letters) == 0 {
			return nil
		}
		slices.Sort(letters)
		front = oraclePick(g, letters)
		if g.r.IntN(3) == 0 {
			front += oraclePick(g, letters)
		}
		if !spec.takes && g.r.IntN(2) == 0 {
			return []string{f + front}
		}
		f = "-" + front + f[1:]
	}
	switch {
	case !spec.takes || s.shape == "alone":
		return []string{f}
	case spec.value.kind == vPair:
		return []string{f, value, oraclePick(g, flagWords)}
	case spec.value.kind == vPairFile:
		return []string{f, value, oraclePick(g, flagFiles)}
	case s.shape == "attached" && len(s.flag) > 2:
		return []string{f + "=" + value}
	case s.shape == "attached" || s.shape == "cluster" && g.r.IntN(2) == 0:
		return []string{f + value}
	}
	return []string{f, value}
}

// flagCommand makes a call of a described program that holds these shapes, all
// of one program or sub-command. Without any it takes some at random.
func flagCommand(r *rand.Rand, p *program, all, due []flagShape) string {
	g := &oracleGen{r: r}
	if len(p.about) > 0 && len(due) == 0 && r.IntN(4) == 0 {
		a := oraclePick(g, p.about)
		names := a.names
		if len(names) == 0 {
			names = p.names
		}
		return oraclePick(g, names) + " " + strings.Join(oraclePick(g, a.words), " ")
	}
	words := []string{oraclePick(g, p.names)}
	if r.IntN(20) == 0 {
		words = []string{oraclePick(g, []string{"LC_ALL=C", "TZ=UTC", "NO_COLOR=1", "COLUMNS=20"}), words[0]}
	}
	q, sub := p, ""
	if len(due) > 0 {
		q, sub = due[0].at, due[0].sub
	}
	pick := func(q *program, sub string) (some []flagShape) {
		for _, s := range all {
			if s.at == q && s.flag != "" {
				some = append(some, s)
			}
		}
		return some
	}
	if q == p && len(p.subs) > 0 {
		if len(due) > 0 && r.IntN(3) > 0 {
			for _, s := range due {
				if s.flag != "" {
					words = append(words, s.write(g)...)
				}
			}
			due = nil
		} else if some := pick(p, ""); len(due) == 0 && len(some) > 0 && r.IntN(4) == 0 {
			words = append(words, oraclePick(g, some).write(g)...)
		}
		if len(due) == 0 {
			names := make([]string, 0, len(p.subs))
			for n := range p.subs {
				names = append(names, n)
			}
			slices.Sort(names)
			sub = oraclePick(g, names)
			q = p.subs[sub]
		}
	}
	var flags [][]string
	form := ""
	for _, s := range due {
		if s.form != "" {
			form = s.form
		}
		if s.flag != "" {
			flags = append(flags, s.write(g))
		}
	}
	some := pick(q, sub)
	for n := r.IntN(3); n > 0 && len(some) > 0 && (len(due) == 0 || r.IntN(4) == 0); n-- {
		s := oraclePick(g, some)
		form = s.form
		flags = append(flags, s.write(g))
	}
	flags = slices.DeleteFunc(flags, func(w []string) bool { return len(w) == 0 })
	if len(flags) > 0 && r.IntN(8) == 0 { // one of them again
		flags = append(flags, flags[r.IntN(len(flags))])
	}
	f := &q.form
	switch {
	case form != "" && q.forms[form] != nil:
		f = q.forms[form]
		if len(flags) == 0 { // one that is chosen by its flag
			if i := slices.IndexFunc(some, func(s flagShape) bool { return s.form == form }); i >= 0 {
				flags = append(flags, some[i].write(g))
			}
		}
	case q.withOperands != nil && r.IntN(2) == 0:
		f = q.withOperands
	}
	var operands []string
	if f != q.bare || f == nil {
		for _, o := range f.operands {
			n := 1
			switch {
			case o.kind == vFind || o.kind == vTest:
				n = r.IntN(6)
			case o.repeat:
				n = r.IntN(4)
			case o.optional:
				n = r.IntN(2)
			}
			for ; n > 0; n-- {
				operands = append(operands, flagValue(g, o.valueSpec))
			}
		}
	}
	switch r.IntN(24) {
	case 0:
		operands = append(operands, oraclePick(g, flagWords))
	case 1:
		operands = append(operands, "-")
	case 2:
		operands = append([]string{"--"}, operands...)
	case 3:
		operands = append(operands, "")
	}
	flags = slices.DeleteFunc(flags, func(w []string) bool { return len(w) == 0 })
	if sub != "" {
		first, second, two := strings.Cut(sub, " ")
		if two && len(flags) > 0 && p.subs[first] != nil && p.subs[first].group && r.IntN(3) == 0 {
			words = append(append(append(words, first), flags[0]...), second)
			flags = flags[1:]
		} else {
			words = append(words, sub)
		}
	}
	if p.oldLetters && len(flags) > 0 && r.IntN(3) == 0 && len(flags[0][0]) == 2 { // tar tf
		flags[0][0] = flags[0][0][1:]
	}
	behind := r.IntN(4) == 0
	for i, w := range flags {
		if !behind || i < len(flags)-1 {
			words = append(words, w...)
		}
	}
	words = append(words, operands...)
	if behind && len(flags) > 0 {
		words = append(words, flags[len(flags)-1]...)
	}
	for i, w := range words {
		if plain := strings.Trim(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./,:+%@"); i > 0 && (plain != "" || w == "") && p.subs[w] == nil {
			words[i] = quoted([]string{w})
		}
	}
	return strings.Join(words, " ")
}
