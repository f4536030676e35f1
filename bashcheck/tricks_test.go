//go:build linux

package bashcheck

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// trick is a command that changes a file which its words do not tell, or seem
// not to tell.
type trick struct {
	name    string
	needs   string // programs, separated by blanks; one with ? may be missing in CI
	setup   string // a bash text, run in the scratch folder before
	command string
	victim  string // what the command makes, changes or removes
}

const mark = "printf '#!/bin/sh\\n: > HIT\\n' > evil; chmod +x evil; "

// hiddenTargets are commands of which no report may claim to know every file
// that they change.
var hiddenTargets = []trick{
	{"cp -r brings names", "cp", "mkdir -p src/.husky; echo evil > src/.husky/x", "cp -r src dst", "dst/.husky/x"},
	{"cp -a of the content of a folder", "cp", "mkdir -p src/.husky; echo evil > src/.husky/x", "cp -a src/. .", ".husky/x"},
	{"cp into a folder takes the base name", "cp", "mkdir d; echo evil > .bashrc", "cp .bashrc d", "d/.bashrc"},
	{"cp -b makes a backup", "cp", "echo a > a; echo b > b", "cp -b a b", "b~"},
	{"cp -S spells the rest of a name", "cp", "echo a > a; echo evil > .bash", "cp -b -S rc a .bash", ".bashrc"},
	{"cp --backup=numbered", "cp", "echo a > a; echo b > b", "cp --backup=numbered a b", "b.~1~"},
	{"cp -s makes a link", "cp", "echo a > a", "cp -s $PWD/a b", "b"},
	{"cp -l makes a hard link", "cp", "echo a > a", "cp -l a b", "b"},
	{"cp --parents makes folders", "cp", "mkdir -p a/.git b; echo x > a/.git/x", "cp --parents a/.git/x b", "b/a/.git/x"},
	{"cp -t names the target first", "cp", "echo x > x; mkdir .git", "cp -t .git x", ".git/x"},
	{"mv -b makes a backup", "mv", "echo a > a; echo b > b", "mv -b a b", "b~"},
	{"mv -S spells the rest of a name", "mv", "echo a > a; echo evil > .bash", "mv -b -S rc a .bash", ".bashrc"},
	{"mv into a folder takes the base name", "mv", "mkdir d; echo evil > .bashrc", "mv .bashrc d", "d/.bashrc"},
	{"mv of a tree brings names", "mv", "mkdir -p t/git; echo evil > t/git/config", "mv t u", "u/git/config"},
	{"ln with one operand makes its base name here", "ln", "mkdir d; echo x > d/x", "ln -s d/x", "x"},
	{"ln -b makes a backup", "ln", "echo a > a; echo b > b", "ln -b -S .old -sf a b", "b.old"},
	{"install -b makes a backup", "install", "echo a > a; echo b > b", "install -b -S .old a b", "b.old"},
	{"install -D makes folders", "install", "echo a > a", "install -D a n/m/b", "n/m/b"},
	{"install -t takes the base name", "install", "echo a > a; mkdir d", "install -t d a", "d/a"},
	{"sed -i with a suffix that is a path", "sed", "mkdir -p .git/hooks; echo a > pre", "sed -i'.git/hooks/*' s/a/b/ pre", ".git/hooks/pre"},
	{"sed -i with a suffix that leads up", "sed", "mkdir d; echo a > d/f", "cd d && sed -i'../*.bak' s/a/b/ f", "f.bak"},
	{"sed -i with a suffix", "sed", "echo a > f", "sed -i.bak s/a/b/ f", "f.bak"},
	{"sed --in-place with a suffix", "sed", "echo a > f", "sed --in-place=.bak s/a/b/ f", "f.bak"},
	{"tar extracts names", "tar", "echo x > .bashrc; tar cf a.tar .bashrc; rm .bashrc", "tar xf a.tar", ".bashrc"},
	{"tar extracts over a file", "tar", "echo x > f; tar cf a.tar f; echo y > f", "tar -xf a.tar", "f"},
	{"tar --to-command", "tar", mark + "echo x > f; tar cf a.tar f", "tar xf a.tar --to-command=./evil", "HIT"},
	{"tar --checkpoint-action while listing", "tar", mark + "echo x > f; tar cf a.tar f", "tar tf a.tar --checkpoint=1 --checkpoint-action=exec=./evil", "HIT"},
	{"tar -I while listing", "tar", mark + "echo x > f; tar cf a.tar f", "tar tf a.tar -I ./evil", "HIT"},
	{"tar --index-file while listing", "tar", "echo x > f; tar cf a.tar f", "tar tvf a.tar --index-file=out", "out"},
	{"TAR_OPTIONS", "tar", mark + "echo x > f; tar cf a.tar f", "TAR_OPTIONS=--checkpoint=1\\ --checkpoint-action=exec=./evil tar tf a.tar", "HIT"},
	{"unzip extracts names", "unzip zip", "echo x > .bashrc; zip -q a.zip .bashrc; rm .bashrc", "unzip a.zip", ".bashrc"},
	{"unzip takes a flag after the archive for a name", "unzip zip", "echo x > f; zip -q a.zip f; echo y > f", "unzip -o a.zip f -p", "f"},
	{"unzip -d", "unzip zip", "echo x > f; zip -q a.zip f", "unzip a.zip -d n", "n/f"},
	{"zip -m deletes", "zip", "echo x > f", "zip -qm a.zip f", "f"},
	{"zip -T with a program of its own", "zip", mark + "echo x > f", "zip -qT -TT ./evil a.zip f", "HIT"},
	{"cpio extracts names", "cpio", "echo x > .bashrc; echo .bashrc | cpio -o --quiet > a; rm .bashrc", "cpio -i --quiet < a", ".bashrc"},
	{"7z extracts names", "7z", "echo x > .bashrc; 7z a -bd a.7z .bashrc > /dev/null; rm .bashrc", "7z x -bd a.7z", ".bashrc"},
	{"ar extracts names", "ar", "echo x > f; ar rc a.a f; rm f", "ar x a.a", "f"},
	{"gzip -dN takes the name that the file holds", "gzip", "echo x > f; gzip f; mv f.gz g.gz", "gzip -dN g.gz", "f"},
	{"gunzip --name takes the name that the file holds", "gunzip gzip", "echo x > f; gzip f; mv f.gz g.gz", "gunzip --name g.gz", "f"},
	{"gunzip looks for other endings", "gunzip gzip", "echo x > f; gzip f", "gunzip f", "f"},
	{"rsync -R makes the names of the source", "rsync", "mkdir -p d/e dst; echo x > d/e/f", "rsync -aR d/e/f dst", "dst/d/e/f"},
	{"rsync --files-from", "rsync", "mkdir s d; echo x > s/f; echo f > l", "rsync -a --files-from=l s d", "d/f"},
	{"rsync --backup-dir", "rsync", "mkdir s d b; echo x > s/f; echo yy > d/f", "rsync -a --backup --backup-dir=../b s/ d", "b/f"},
	{"gcc -save-temps", "gcc", "echo 'int main(void) { return 0; }' > a.c", "gcc -save-temps -c a.c", "a.i"},
	{"gcc makes a header smaller to read", "gcc", "echo 'int f(void);' > a.h", "gcc a.h", "a.h.gch"},
	{"gcc @FILE", "gcc", "echo 'int main(void) { return 0; }' > a.c; echo '-o victim' > l", "gcc a.c @l", "victim"},
	{"gcc -Wl", "gcc", "echo 'int main(void) { return 0; }' > a.c", "gcc a.c -Wl,-Map=victim", "victim"},
	{"split --filter", "split", "echo x > f", "split --filter='cat > victim' f", "victim"},
	{"csplit -b", "csplit", "printf 'a\\nb\\n' > f; mkdir xx", "csplit -s -b /../victim%d f 2", "victim0"},
	{"zip -O", "zip", "echo x > f; zip -q a.zip f", "zip -q a.zip f -O victim.zip", "victim.zip"},
	{"tar with a list of its own", "tar", "echo x > f", "tar -c f --file=victim", "victim"},
	{"javac -h", "javac", "echo 'class A { }' > A.java; mkdir gen", "javac -h gen -d . A.java", "A.class"},
	{"bzip2 -t -d unpacks", "bzip2", "echo x > f; bzip2 f", "bzip2 -t -d f.bz2", "f"},
	{"xz -t -d unpacks", "xz", "echo x > f; xz f", "xz -t -d f.xz", "f"},
	{"zstd -t -d unpacks", "zstd", "echo x > f; zstd -q f; rm f", "zstd -q -t -d f.zst", "f"},
	{"pigz -t -d unpacks", "pigz", "echo x > f; pigz f", "pigz -t -d f.gz", "f"},
	{"split makes names", "split", "echo x > f", "split f", "xaa"},
	{"split --filter", "split", mark + "echo x > f", "split --filter=./evil f", "HIT"},
	{"csplit makes names", "csplit", "printf 'a\\nb\\n' > f", "csplit -s f 2", "xx00"},
	{"patch writes what the patch names", "patch", "echo a > f; printf -- '--- f\\n+++ f\\n@@ -1 +1 @@\\n-a\\n+b\\n' > p", "patch -s < p", "f"},
	{"patch -d leads elsewhere", "patch", "mkdir d; echo a > d/f; printf -- '--- f\\n+++ f\\n@@ -1 +1 @@\\n-a\\n+b\\n' > p", "patch -s -d d < p", "d/f"},
	{"rmdir -p removes what lies above", "rmdir", "mkdir -p a/b", "rmdir -p a/b", "a"},
	{"mktemp makes up a name", "mktemp", "", "mktemp -p . x.XXX > name; mv \"$(cat name)\" made", "made"},
	{"nohup writes nohup.out", "nohup bash script", "", "script -qec 'nohup bash -c :' /dev/null > /dev/null", "nohup.out"},
	{"xargs gets names from its input", "xargs touch", "echo x > list", "xargs touch < list", "x"},
	{"find -delete", "find", "mkdir d; echo x > d/f", "find d -name f -delete", "d/f"},
	{"find -exec", "find", "mkdir d; echo x > d/f", "find d -name f -exec rm {} +", "d/f"},
	{"tree -R writes in each folder", "tree", "mkdir -p a/b/c; echo x > a/b/c/d", "tree -R -H . -L 2 -o out", "a/b/00Tree.html"},
	{"a library by @FILE", "nm ar gcc?", "echo 'void f(void);' > e.c; echo '__attribute__((constructor)) static void g(void) { extern void *fopen(const char *, const char *); fopen(\"HIT\", \"w\"); }' > e.c; gcc -shared -fPIC -o e.so e.c; echo x > o; ar rc a.a o; echo '--plugin ./e.so a.a' > opts", "nm @opts", "HIT"},
}

// seemingReaders change exactly what they name, or something of the shell, by
// words that look as if they only read.
var seemingReaders = []trick{
	{"uniq with two operands", "uniq", "echo x > a", "uniq a b", "b"},
	{"xxd with two operands", "xxd", "echo x > a", "xxd a b", "b"},
	{"xxd -r", "xxd", "echo 00000000: 61 > a", "xxd -r a b", "b"},
	{"sort -o in a cluster", "sort", "echo x > a", "sort -uo b a", "b"},
	{"sort --output", "sort", "echo x > a", "sort a --output=b", "b"},
	{"sort --compress-program", "sort", mark + "seq 300000 > a", "sort -S 1K --compress-program=./evil a > /dev/null", "HIT"},
	{"shuf -o", "shuf", "echo x > a", "shuf -o b a", "b"},
	{"iconv -o", "iconv", "echo x > a", "iconv -f utf8 -t latin1 -o b a", "b"},
	{"tree -o", "tree", "", "tree -o b", "b"},
	{"file -C", "file", "echo '0 string x x' > m", "file -C -m m", "m.mgc"},
	{"ptx -G", "ptx", "echo x > a", "ptx -G a b", "b"},
	{"diff3 --diff-program", "diff3", mark + "echo x > a", "diff3 --diff-program=./evil a a a", "HIT"},
	{"find -fprint", "find", "", "find . -fprint b", "b"},
	{"find -fls", "find", "", "find . -fls b", "b"},
	{"find -fprintf", "find", "", "find . -fprintf b %p", "b"},
	{"find -execdir", "find", mark, "find . -name evil -execdir ./{} \\;", "HIT"},
	{"sed w", "sed", "echo x > a", "sed -n 'w b' a", "b"},
	{"sed w without a blank", "sed", "echo x > a", "sed -n wb a", "b"},
	{"sed s///w", "sed", "echo x > a", "sed -n 's/x/y/w b' a", "b"},
	{"sed e", "sed", mark + "echo x > a", "sed '1e ./evil' a", "HIT"},
	{"sed s///e", "sed", mark + "echo x > a", "sed 's/x/.\\/evil/e' a", "HIT"},
	{"sed -n in a cluster with i", "sed", "echo x > a", "sed -ni p a; echo y > b; sed -ni d b; test -s b || : > HIT", "HIT"},
	{"sed -f", "sed", mark + "echo '1e ./evil' > p; echo x > a", "sed -f p a", "HIT"},
	{"awk print >", "awk", "echo x > a", "awk '{print > \"b\"}' a", "b"},
	{"awk system", "awk", mark, "awk 'BEGIN{system(\"./evil\")}'", "HIT"},
	{"awk pipe", "awk", mark, "awk 'BEGIN{print | \"./evil\"}'", "HIT"},
	{"awk getline", "awk", mark, "awk 'BEGIN{\"./evil\" | getline}'", "HIT"},
	{"awk: a slash in brackets that begin with ]", "gawk mawk", mark + "echo '/\"' > a", "gawk '/[]/]\"/{system(\"./evil\")}#\"' a; mawk '/[^x/]\"/{system(\"./evil\")}#\"' a", "HIT"},
	{"awk: a slash in brackets after a class", "gawk", mark + "echo '/\"' > a", "gawk '/[[:alpha:]/]\"/{system(\"./evil\")}#\"' a", "HIT"},
	{"awk: print in the head of a loop", "gawk", "", "gawk 'BEGIN{for(print \"x\" > \"b\";0;);}'", "b"},
	{"awk: two regular expressions side by side", "original-awk", mark + "echo 'a]\"' > a", "original-awk '/[a]//]\"/{system(\"./evil\")}#\"' a", "HIT"},
	{"gawk -i inplace", "gawk", "echo x > a", "gawk -i inplace '{print \"y\"}' a; grep -q y a && : > HIT", "HIT"},
	{"gawk -d", "gawk", "", "gawk -db 'BEGIN{}'", "b"},
	{"rg --pre", "rg", mark + "echo x > a", "rg --pre ./evil x a", "HIT"},
	{"fd -x", "fdfind", mark, "fdfind -x ./evil", "HIT"},
	{"dos2unix tells only where -i stands first", "dos2unix", "printf 'a\\r\\n' > a", "dos2unix -q a -i; grep -q $'\\r' a || : > HIT", "HIT"},
	{"find -ok: + is no end", "find", "echo x > a; touch +", "yes | find a -ok sort {} + -o -name \\;", "-name"},
	{"uniq after its operand", "uniq", "echo x > a", "POSIXLY_CORRECT=1 uniq a -c", "-c"},
	{"xxd after its operand", "xxd", "echo x > a", "xxd a -c", "-c"},
	{"printf %n assigns PATH", "", "mkdir 1; printf '#!/bin/sh\\n: > HIT\\n' > 1/ls; chmod +x 1/ls", "printf 'x%n' PATH; ls", "HIT"},
	{"printf -v assigns PATH", "", "mkdir 1; printf '#!/bin/sh\\n: > HIT\\n' > 1/ls; chmod +x 1/ls", "printf -v PATH 1; ls", "HIT"},
	{"printf -v evaluates a subscript", "", mark, "printf -v 'a[$(./evil)]' x", "HIT"},
	{"read assigns PATH", "", "mkdir 1; printf '#!/bin/sh\\n: > HIT\\n' > 1/ls; chmod +x 1/ls", "read -r PATH <<< 1; ls", "HIT"},
	{"test -v evaluates a subscript", "", mark, "test -v 'a[$(./evil)]'", "HIT"},
	{"mapfile -C", "", mark + "echo x > a", "mapfile -C ./evil -c 1 x < a", "HIT"},
	{"trap", "", mark, "trap ./evil EXIT", "HIT"},
	{"history -w", "", "", "history -s x; history -w b", "b"},
	{"kill -l after a process", "", "", "sleep 15 & kill $! -l; wait $! || : > HIT", "HIT"},
	{"hash -p", "", mark, "hash -p ./evil ls; ls", "HIT"},
	{"env -i takes git's protection away", "git", mark + "git init -q . && git config core.fsmonitor \"$PWD/evil\"; echo x > f; git add f", "env -i git status", "HIT"},
	{"env -u takes git's protection away", "git", mark + "git init -q . && git config core.fsmonitor \"$PWD/evil\"; echo x > f; git add f", "env -u GIT_CONFIG_COUNT git status", "HIT"},
	{"chmod --reference changes every operand", "chmod", "echo > r; chmod 600 r; echo > a; echo > b; chmod 755 a b", "chmod --reference=r a b; test -x a || : > HIT", "HIT"},
	{"chmod -x changes every operand", "chmod", "echo > a; echo > b; chmod 755 a b", "chmod -x a b; test -x a || : > HIT", "HIT"},
	{"dd of=", "dd", "echo x > a", "dd if=a of=b status=none", "b"},
	{"curl -o", "curl", "echo x > a", "curl -qso b file://$PWD/a", "b"},
	{"openssl rand -out", "openssl", "", "openssl rand -out b 4", "b"},
	{"php runs the file that stands before -l", "php?", "echo '<?php touch(\"HIT\");' > a.php", "php a.php -l", "HIT"},
	{"clang-format reads -i out of @FILE", "clang-format?", "echo 'int  a;' > a.c; echo '-i a.c' > opts", "clang-format @opts; grep -q 'int a' a.c && : > HIT", "HIT"},
	{"strings prints what @FILE names", "strings", "echo secret > s; echo s > list", "strings @list > out; grep -q secret out && : > HIT", "HIT"},
}

// TestTricks: each command does the harm when nothing stands before it, and the
// report neither calls it read-only nor claims to know what it changes without
// naming it.
func TestTricks(t *testing.T) {
	env := SafeEnv(EnvOptions{})
	run := func(t *testing.T, x trick) (before, after string) {
		for _, p := range strings.Fields(x.needs) {
			p, optional := strings.CutSuffix(p, "?")
			if _, err := exec.LookPath(p); err != nil && optional {
				t.Skipf("%s is missing, so the harm cannot be shown", p)
			}
			need(t, p)
		}
		dir := t.TempDir()
		bash := func(text string) string {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, need(t, "bash"), "--norc", "-c", text)
			cmd.Dir, cmd.Env, cmd.WaitDelay = dir, env, time.Second
			out, _ := cmd.CombinedOutput()
			return string(out)
		}
		bash(x.setup)
		before = look(dir, x.victim)
		out := bash(x.command)
		after = look(dir, x.victim)
		require.NotEqual(t, before, after, "the harm is not done: %s", out)
		return before, after
	}
	for _, x := range hiddenTargets {
		t.Run(x.name, func(t *testing.T) {
			r := Analyze(x.command)
			assert.False(t, r.ReadOnly(), r.Explain())
			assert.False(t, exactChanges(r), "%s\n%+v", r.Explain(), r.Effects())
			run(t, x)
		})
	}
	for _, x := range seemingReaders {
		t.Run(x.name, func(t *testing.T) {
			r := Analyze(x.command)
			assert.False(t, r.ReadOnly(), r.Explain())
			if exactChanges(r) {
				assert.True(t, slices.ContainsFunc(r.Effects(), func(e Effect) bool { return changes(e) && e.Target == x.victim }), "%s\n%+v", r.Explain(), r.Effects())
			}
			run(t, x)
		})
	}
}

// look is what can be seen of a file: nothing, or its kind and content.
func look(dir, name string) string {
	p := filepath.Join(dir, name)
	st, err := os.Lstat(p)
	if err != nil {
		return ""
	}
	data, _ := os.ReadFile(p)
	return st.Mode().String() + string(data)
}

func changes(e Effect) bool {
	switch e.Kind {
	case Write, Delete, Change, Execute, Unknown:
		return true
	}
	return false
}

// exactChanges says that the report claims to know every file that the text
// changes, and each by one name.
func exactChanges(r Report) bool {
	if !provable(r) {
		return false
	}
	for _, c := range r.Commands {
		if !c.Described || c.Class == Shell || c.Dynamic {
			return false
		}
	}
	for _, e := range r.Effects() {
		if e.Kind == Environment || changes(e) && (e.Extent != Exact || e.Kind == Execute || e.Kind == Unknown) {
			return false
		}
	}
	return true
}

// TestExactChangesControl: the property of TestTricks can hold and not hold.
func TestExactChangesControl(t *testing.T) {
	for _, src := range []string{"touch f", "rm f", "mkdir d", "echo x > f", "sed -i s/a/b/ f", "tee f"} {
		assert.True(t, exactChanges(Analyze(src)), src)
	}
	for _, src := range []string{"cp -r a b", "rm *", "rm -r d", "frob f", "echo x > $f", "tar xf a.tar"} {
		assert.False(t, exactChanges(Analyze(src)), src)
	}
}
