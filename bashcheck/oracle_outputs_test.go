//go:build linux

package bashcheck

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/clearance-go/clearance/bashcheck/internal/oracle"
)

// What is compiled and copied.
const (
	withC    = "echo 'int main(void) { return 0; }' > a.c; mkdir -p build lib; cp a.c lib/b.c; cp a.c c.cc; echo 'int two(void) { return 2; }' > two.c; "
	withJava = "mkdir -p lib out; echo 'class A { class B { } } class C { }' > A.java; echo 'package p.q; class D { }' > lib/D.java; "
	withTree = "mkdir -p s/sub d/old t; echo 1 > s/one; echo 2 > s/sub/two; echo 3 > d/old/three; echo 4 > s/.hidden; ln -s one s/link; "
)

// outputCommands make files whose names they put together, or start programs of
// their own besides. What they write must be among the effects.
var outputCommands = []string{
	"tar czf out.tgz src", "tar -czf out.tgz src f", "tar cfz out.tgz src", "tar -cJf out.txz src", "tar -caf out.tar.zst src", "tar --create --bzip2 --file=out.tbz src", "tar -C src -cf out.tar main.rs", "tar cfC out.tar src main.rs", "tar -cf out.tar f -C src main.rs", "tar -rf out.tar f", "tar cf out.tar f && tar -uf out.tar README.md", "tar -cf - src | wc -c", "tar cvf out.tar --exclude=x src",
	"zip -r out.zip src", "zip out f README.md", "zip -qr9 out src -x '*.o'", "zip -m out.zip f", "zip -rm out src", "zip -j out src/main.rs", "zip out.zip f && zip -u out.zip f README.md", "zip out.d f",
	"gzip f", "gzip -k f README.md", "gzip -9 f && gzip -d f.gz", "gzip f && gunzip f.gz", "tar cf a.tar f && gzip -S .tgz a.tar", "tar czf a.tgz f && gunzip -k a.tgz", "gzip -N f && gzip -d f.gz", "bzip2 f", "bzip2 -kf f && bzip2 -dkf f.bz2", "bzip2 -f f && bunzip2 f.bz2", "xz f", "xz -k f && unxz -f f.xz", "lzma f", "lzma f && unlzma f.lzma", "zstd f", "zstd -o out f", "zstd -f f && unzstd -f f.zst", "zstd -f f && zstd -d -o out f.zst", "gzip -r src",
	withC + "gcc a.c", withC + "gcc -o a a.c", withC + "gcc -Wall -O2 -g -o build/a a.c two.c -lm", withC + "gcc -c a.c", withC + "gcc -c a.c lib/b.c", withC + "gcc -c lib/b.c -o build/b.o", withC + "gcc -S a.c lib/b.c", withC + "gcc -S -c a.c", withC + "gcc -E a.c", withC + "gcc -E -o out a.c", withC + "gcc -M a.c", withC + "gcc -MM -MF deps a.c",
	withC + "gcc -MMD -c a.c lib/b.c", withC + "gcc -MD -c lib/b.c -o build/b.o", withC + "gcc -MMD -MP -MF deps -MT x -c a.c", withC + "gcc -MMD -o build/a a.c two.c", withC + "gcc -MMD a.c", withC + "gcc -MD -E a.c -o out", withC + "gcc -fsyntax-only a.c", withC + "g++ -c c.cc -o build/c.o", withC + "g++ c.cc", withC + "gcc -c a.c && gcc a.o", withC + "gcc -c a.c two.c && gcc -o prog a.o two.o", withC + "gcc -shared -fPIC -o lib.so two.c", withC + "cc a.c -o build/x -s",
	withC + "gcc -fsyntax-only -MMD a.c", withC + "gcc -S -MMD lib/b.c -o build/b.s", withC + "gcc -c a.c && ar rcs lib.a a.o", withC + "gcc -c a.c two.c && ar rc lib.a a.o && ar q lib.a two.o && ar s lib.a", withC + "gcc -o a.out.x a.c", withC + "gcc -g a.c",
	withJava + "javac A.java", withJava + "javac -d out A.java lib/D.java", withJava + "javac lib/D.java", withJava + "javac -Xlint:all -g -d out A.java",
	withTree + "rsync -a s/ d/", withTree + "rsync -a s d", withTree + "rsync -av --delete s/ d/", withTree + "rsync s/one d", withTree + "rsync s/one new", withTree + "rsync -a s/one s/sub d/", withTree + "rsync -a s/ new/", withTree + "rsync -rP --exclude=one s t", withTree + "rsync -a --inplace --checksum s/ d", withTree + "rsync -a --delete s/sub d", withTree + "rsync -azH s/ t/", withTree + "rsync -a s/link d", withTree + "rsync -a ./ ../w2/",
	"split -l 1 f", "split -b 2 f part-", "split -n 2 -d f src/p", "split -l1 -a 3 --additional-suffix=.txt f part", "seq 2000 | split -l 2 - n", "csplit f 2", "csplit -f src/p f 2", "csplit -s -z -n 3 --prefix=p f 2",
}

// TestOracleOutputs: what outputCommands change, strace sees and no effect
// announces, is nothing; and each is one whose form is understood.
func TestOracleOutputs(t *testing.T) {
	for _, p := range []string{"tar", "zip", "gcc", "rsync", "javac", "zstd", "xz"} {
		oracleNeeds(t, p)
	}
	a := New(Options{Home: oracle.Home})
	var list []straceExample
	for _, c := range outputCommands {
		rep := a.Analyze(c)
		exact := !slices.ContainsFunc(rep.Effects(), func(e Effect) bool { return e.Extent == Anywhere && e.Kind == Write })
		if !exact {
			t.Logf("asks: %s", c)
		}
		list = append(list, straceExample{nil, c, "outputCommands", rep})
	}
	if os.Getenv("CI") != "true" && os.Getenv("ORACLE_COUNT") == "" {
		var some []straceExample
		for i := 0; i < len(list); i += 4 {
			some = append(some, list[i])
		}
		list = some
	}
	wrote, blind := 0, 0
	straceAll(t, list, func(x straceExample) oracle.Request { return straceRequest(x.command, x.rep) }, func(x straceExample, res oracle.Result) {
		bad, n := writesNotReported(x.rep, res)
		if n > 0 {
			wrote++
		} else {
			t.Logf("changes nothing: %s: %.200s", x.command, res.Output)
		}
		for i, b := range bad {
			if i < 4 {
				t.Errorf("%q: not reported: %s\n   %s", x.command, b, x.rep.Explain())
			}
		}
		// The same without the effects of the program: then the writes are seen.
		x.rep.Commands = slices.Clone(x.rep.Commands)
		for i := range x.rep.Commands {
			x.rep.Commands[i].Effects = slices.DeleteFunc(slices.Clone(x.rep.Commands[i].Effects), func(e Effect) bool { return !e.ByShell && e.Kind != Execute })
		}
		if left, _ := writesNotReported(x.rep, res); n > 0 && len(left) > len(bad) {
			blind++
		}
	})
	t.Logf("outputs: %d commands, %d changed something, in %d the missing effects are seen", len(list), wrote, blind)
	assert.Greater(t, wrote, len(list)*8/10)
	assert.Greater(t, blind, len(list)*7/10)
}
