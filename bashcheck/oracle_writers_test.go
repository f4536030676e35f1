//go:build linux

package bashcheck

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/clearance-go/clearance/bashcheck/internal/oracle"
)

// writerCommands are everyday writers, beside the examples of the tables.
var writerCommands = []string{
	"touch f", "touch new1 new2", "touch -c f", "touch -r f new", "touch -d 2020-01-01 f", "cp f g", "cp -p f g", "cp f README.md src", "cp f src/", "cp -r src dst", "cp -r src docs", "cp -a src dst", "cp -t src f", "cp -R src/. dst", "cp -v f go.mod src", "cp -f f main.go", "cp -n f main.go", "cp -u f main.go",
	"mv f g", "mv f src", "mv f README.md src/", "mv src dst", "mv -t src f", "mv -n f g", "mv src docs/moved", "mv -f f main.go", "rm f", "rm -f f nope", "rm -r src", "rm -rf src docs", "rm -rf src/", "rm *.md", "rm -rf ./*", "rmdir src/empty", "rmdir -p src/empty", "unlink f",
	"mkdir d1", "mkdir -p d1/d2/d3", "mkdir -m 700 d1", "tee out < f", "tee -a f < README.md", "cat f | tee out1 out2", "ln f g", "ln -s f g", "ln -sf main.go g", "ln -s ../f src", "ln -s f README.md src", "ln -sfn src g",
	"sed -i s/a/b/ f", "sed -i -e s/a/b/ -e 2d f README.md", "sed -i.bak s/a/b/ f", "sed -i'.git/hooks/*' s/a/b/ f", "sed --in-place=.orig s/a/b/ f", "sed -n 'w out' f", "sed s/a/b/w\\ out f", "sed -i 1d src/main.rs", "sed -E -i 's/(a)/\\1/' f",
	"chmod +x f", "chmod 600 f README.md", "chmod -R u+w src", "truncate -s 0 f", "truncate -s 10 new", "gzip f", "gzip -k f", "gzip -c f > f.gz", "gzip -k f && gunzip -f f.gz", "bzip2 f", "xz f", "zstd f", "tar cf out.tar src", "tar czf out.tar.gz src f", "tar -cf out.tar -C src .", "tar cf out.tar src && tar xf out.tar", "tar cf out.tar src && tar xf out.tar -C docs", "zip out.zip f", "zip -r out.zip src", "unzip a.zip", "unzip a.zip -d docs",
	"dd if=f of=out", "dd if=/dev/zero of=out bs=1 count=4", "split f", "split -l 1 f part-", "csplit f 2", "install f g", "install -d d1", "install -m 755 f src/", "sort -o out f", "sort f -o f", "uniq f out", "shuf f -o out", "patch f < /dev/null", "mktemp", "mktemp -d", "mktemp ./tmp.XXXX", "mkfifo pipe", "xxd f out", "base64 f > out", "iconv -f utf8 -t latin1 -o out f", "truncate -s +1 f", "shred -u f", "cp -b f g && cp -b README.md g", "cp -s /w/f g", "cp -l f g", "cp --parents src/main.rs docs", "mv -b f main.go", "cp -S .git f main.go", "cp --backup=numbered f main.go", "rsync -a src/ dst/", "rsync -a src dst",
	"git add f", "git add -A", "git add .", "git commit -am x", "git commit --allow-empty -m x", "git checkout -b new", "git checkout feature", "git switch feature", "git switch -c new", "git branch new", "git branch -d dev", "git branch -D dev", "git branch -m dev dev2", "git tag t2", "git tag -d v1", "git stash", "git stash pop", "git stash drop", "git stash apply", "git reset --hard", "git reset HEAD~0", "git rm f", "git rm --cached f", "git mv f g", "git merge feature", "git rebase feature", "git cherry-pick feature", "git revert --no-edit HEAD", "git restore README.md", "git restore --staged f", "git checkout -- README.md", "git clean -fd", "git clean -n", "git config user.name x", "git config --global user.name x", "git remote add up /w/none2", "git remote remove origin", "git init sub", "git init", "git gc", "git worktree add ../wt", "git notes add -f -m x", "git update-ref refs/heads/z HEAD", "git apply /dev/null", "git fetch", "git pull", "git push", "git clone . copy", "git submodule update", "git am /dev/null", "git format-patch -1", "git bundle create out.bundle HEAD", "git archive -o out.tar HEAD", "git diff --output=out", "git log --output=out", "git status", "git bisect start",
	"find . -name f -delete", "find src -type f -delete", "find . -name '*.md' -exec rm {} \\;", "find . -fprint out", "find src -exec touch {} +", "ls | xargs touch", "echo f | xargs rm", "timeout 5 touch f", "env A=1 touch f", "nohup touch f", "cd src && touch new", "cd src; touch new", "cd docs || touch new", "(cd src && rm main.rs)", "for x in a b; do touch $x; done", "x=f; rm $x", "rm \"$HOME\"/x", "touch ~/x", "bash -c 'touch f'", "sh -c 'cd src && touch new'", "echo x > out", "echo x >> f", ": > f", "> out", "cat f > out 2>&1", "{ echo a; echo b; } > out", "echo x > src/out", "cd src && echo x > out", "awk '{ print > \"out\" }' f", "awk 'BEGIN { print 1 > \"a\" \"b\" }'",
	"go build", "go build -o out .", "go vet ./...", "go fmt ./...", "gofmt -w main.go", "go mod tidy", "go mod init x", "go run main.go", "go test ./...", "go env -w GOFLAGS=-x", "npm install", "npm init -y", "make", "make -n", "python3 -c 'open(\"out\",\"w\")'", "node -e 'require(\"fs\").writeFileSync(\"out\",\"\")'", "perl -e 'open(F,\">out\")'", "perl -pi -e s/a/b/ f", "ruby -e 'File.write(\"out\",\"\")'", "jq . package.json > out", "yq -i .a=1 a.yaml", "curl -o out http://127.0.0.1:1/", "wget -O out http://127.0.0.1:1/", "pip install x", "crontab f", "script out", "openssl genrsa -out key.pem 512", "ssh-keygen -q -N '' -f k", "sqlite3 db.sqlite 'create table t(a)'", "gcc -o out x.c", "cc -c x.c", "ar r out.a f", "tic f", "localedef x", "man ls", "less f", "more f", "vi -c wq f", "ed f", "tree -o out", "rg --pre cat x", "ctags f", "diff f README.md > out", "cmp f README.md", "patch -p1 < a.patch", "envsubst < f > out", "tsort f > out", "truncate -r f new", "chown 0 f", "chgrp 0 f", "touch -h f", "setfattr -n user.x -v y f", "cpio -o < f > out",
}

// writerExceptions are what programs do besides what they are called for, and
// what no text can announce.
var writerExceptions = []straceException{
	{"go", "mkdir", "/home/u/go/**", "the module cache"},
	{"go", "open", "/home/u/go/**", "the module cache"},
	{"go", "created", "/home/u/go/**", "the module cache"},
	{"ctags", "exec", "sh", "ctags sorts its own file with a fixed text"},
	{"ctags", "exec", "sort", "ctags sorts its own file with a fixed text"},
	{"mkfs", "exec", "mkfs.*", "mkfs starts the program of its own for a kind of file system"},
	{"scp", "exec", "ssh", "scp is made of ssh"},
	{"sftp", "exec", "ssh", "sftp is made of ssh"},
	{"logger", "connect", "/dev/log", "that is the log which it is said to write"},
	{"git", "exec", "/bin/sh", "a remote that is a path is served by git-upload-pack, which git starts through sh; under the assumption git-config-trusted"},
}

// TestOracleWriters executes commands that change something and compares every
// write that strace sees with the effects that were reported. A command that
// the report calls unknown promises nothing and is only counted.
func TestOracleWriters(t *testing.T) {
	a := New(Options{Home: oracle.Home})
	var list []straceExample
	add := func(where, src string) {
		list = append(list, straceExample{nil, src, where, a.Analyze(src)})
	}
	for _, c := range writerCommands {
		add("writerCommands", c)
	}
	no, _ := straceExamples(false)
	for _, x := range no {
		add(x.where, x.command)
	}
	known := func(r Report) bool {
		return provable(r) && !slices.ContainsFunc(r.Commands, func(c Command) bool {
			return !c.Described || c.Class == Shell || slices.ContainsFunc(c.Effects, func(e Effect) bool {
				return e.Kind == Unknown || e.Kind == Privilege || e.Kind == Execute && e.Extent == Anywhere
			})
		})
	}
	total := len(list)
	list = slices.DeleteFunc(list, func(x straceExample) bool { return !known(x.rep) })
	promising := len(list)
	if os.Getenv("CI") != "true" && os.Getenv("ORACLE_COUNT") == "" {
		var some []straceExample
		for i := 0; i < len(list); i += max(1, len(list)/20) {
			some = append(some, list[i])
		}
		list = some
	}
	events, wrote := 0, 0
	straceAll(t, list, func(x straceExample) oracle.Request { return straceRequest(x.command, x.rep) }, func(x straceExample, res oracle.Result) {
		bad, n := writesNotReported(x.rep, res)
		events += n
		if n > 0 {
			wrote++
		}
		for i, b := range bad {
			if i < 4 {
				t.Errorf("%s: %q: not reported: %s\n   %s", x.where, x.command, b, x.rep.Explain())
			}
		}
	})
	t.Logf("writers: %d commands, %d with effects that are said to be complete; %d executed, %d of them changed something in %d system calls", total, promising, len(list), wrote, events)
	assert.Greater(t, wrote, len(list)/4, "too few of the writers did anything")
}

// leadsThrough says that the folder p lies above the exact target, so that
// whoever may write the target may make it (mkdir -p).
func (e Effect) leadsThrough(p string) bool {
	if e.Kind != Write || e.Extent != Exact || e.Target == "" {
		return false
	}
	if path.IsAbs(e.Target) {
		return strings.HasPrefix(path.Clean(e.Target), p+"/")
	}
	return slices.ContainsFunc(e.Dir.Paths(), func(d string) bool { return strings.HasPrefix(path.Join(resolve(d), e.Target), p+"/") })
}

// writesNotReported is what a run changed that no effect announces, and how
// many changes there were.
func writesNotReported(r Report, res oracle.Result) (bad []string, n int) {
	events, problems := straceEvents(res.Traces, oracle.WorkDir)
	bad = append(bad, problems...)
	left := map[string]bool{} // what is not as before
	for _, c := range res.Changes {
		left[c.Path] = true
	}
	gone := map[string]bool{}
	for _, e := range events {
		if e.call == "remove" {
			gone[e.path] = true
		}
	}
	effects := r.Effects()
	for i, e := range events {
		if straceAllowed(r, e, writerExceptions) {
			continue
		}
		switch e.call {
		case "exec":
			if i == 0 && path.Base(e.path) == "bash" || execReported(r, e) {
				continue
			}
			bad = append(bad, "executes "+e.path+" "+fmt.Sprintf("%q", e.argv))
		case "connect":
			if !slices.ContainsFunc(effects, func(x Effect) bool { return x.Kind == Connect }) {
				bad = append(bad, "connects: "+e.line)
			}
		case "signal":
			if !slices.ContainsFunc(effects, func(x Effect) bool { return x.Kind == Process }) {
				bad = append(bad, "signals: "+e.line)
			}
		case "system":
			bad = append(bad, e.line)
		default:
			if gone[e.path] && !left[e.path] {
				continue // made and gone again
			}
			if strings.HasPrefix(e.path, "/proc/") {
				continue
			}
			n++
			if strings.Contains(e.line, "EEXIST") {
				continue // a folder that was there
			}
			if !slices.ContainsFunc(effects, func(x Effect) bool { return x.covers(e.path) || e.call == "mkdir" && x.leadsThrough(e.path) }) {
				bad = append(bad, e.call+" "+e.path+": "+e.line)
			}
		}
	}
	for _, c := range res.Changes {
		if straceAllowed(r, straceEvent{call: c.Op, path: c.Path}, writerExceptions) {
			continue
		}
		if !slices.ContainsFunc(effects, func(x Effect) bool { return x.covers(c.Path) || c.Op == "created" && x.leadsThrough(c.Path) }) {
			bad = append(bad, c.Op+" "+c.Path)
		}
	}
	return bad, n
}
