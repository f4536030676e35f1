package toolset_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
)

// outputSetup is a repository with a file that no command may change.
const outputSetup = `git init -q -b main . && echo one > a.txt && echo two > b.txt && printf 'ORIGINAL\n' > notes.md && echo 'module m' > go.mod && echo 'package main
func main() {}' > main.go && git add a.txt b.txt main.go go.mod && git commit -qm one && mkdir -p sub/dir && echo three >> a.txt`

// writesNotes are commands that change notes.md, or remove it. Each is first
// run with nothing in between, where its program is there.
var writesNotes = []string{
	// The script of sed.
	"sed 'w notes.md' a.txt", "sed 'wnotes.md' a.txt", "sed w\\ notes.md a.txt", "sed -n 's/one/b/w notes.md' a.txt", "sed -n 's/one/b/gw notes.md' a.txt", "sed -n 's|one|b|gpw notes.md' a.txt",
	"sed --expression='1w notes.md' a.txt", "sed --expr='1w notes.md' a.txt", "sed -e '1w notes.md' a.txt", "sed -e1wnotes.md a.txt", "sed -ne '1{w notes.md\n}' a.txt", "sed -n '/one/w notes.md' a.txt",
	"sed '1!W notes.md' a.txt b.txt", "sed -n '$!{w./notes.md\n}' a.txt b.txt a.txt", "sed -f- a.txt <<< 'w notes.md'", "sed -i s/O/o/ notes.md", "sed -n -i p notes.md a.txt", "sed --in-pl=.bak s/O/o/ notes.md",
	"sed 's/one/x/;w notes.md' a.txt", "sed -s 'w sub/../notes.md' a.txt", "sed 'w NOTES.MD' a.txt && mv NOTES.MD notes.md", "sed \"w notes.md\" a.txt", "sed $'w notes.md' a.txt", "sed 'w not'es.md a.txt",
	// awk.
	"awk '{print > \"notes.md\"}' a.txt", "awk '{ print >> \"notes.md\" }' a.txt", "awk '{printf \"%s\", $0 >\"./notes.md\"}' a.txt", "awk -v f=notes.md '{print > f}' a.txt", "awk '{print > f}' f=notes.md a.txt",
	"awk '{print | \"cat > notes.md\"}' a.txt", "awk 'BEGIN{system(\"echo x > notes.md\")}'", "awk 'BEGIN{f=\"notes\" \".md\"; print 1 > f}'", "awk -f prog.awk a.txt",
	// Output flags.
	"git log --output=notes.md", "git log --outpu=notes.md", "git diff --output notes.md", "git diff --output=sub/dir/../../notes.md", "git show --output=notes.md HEAD", "git -C . log --output=notes.md", "git -C sub log --output=../notes.md",
	"git format-patch --stdout -1 --output=notes.md", "git archive -o notes.md HEAD", "git archive -onotes.md HEAD", "git archive --output=notes.md HEAD", "git archive --outp notes.md HEAD", "git bundle create notes.md HEAD",
	"sort -o notes.md a.txt", "sort -onotes.md a.txt", "sort --output=notes.md a.txt", "sort --outp=notes.md a.txt", "sort --o notes.md a.txt", "sort -uo notes.md a.txt", "sort -ruonotes.md a.txt", "sort a.txt -o notes.md", "sort -uro notes.md -- a.txt",
	"go build -o notes.md .", "go build --o notes.md .", "go build -o=notes.md .", "go build --o=notes.md .", "go test -c -o notes.md .", "go build -x -o sub/../notes.md .",
	"find . -maxdepth 1 -fprint notes.md", "find a.txt -fprint0 notes.md", "find a.txt -fls notes.md", "find a.txt -fprintf notes.md '%p'", "find a.txt -exec cp {} notes.md ';'", "find notes.md -delete", "find . -name notes.md -delete",
	"tee notes.md < a.txt", "tee -a notes.md < a.txt", "tee --append notes.md < a.txt", "tee --app ./notes.md < a.txt", "tee -p notes.md < a.txt",
	"dd of=notes.md if=a.txt", "dd if=a.txt of=./notes.md conv=notrunc", "curl -so notes.md file://$PWD/a.txt", "curl -sonotes.md file://$PWD/a.txt", "curl -s --output notes.md file://$PWD/a.txt", "curl -s --outpu notes.md file://$PWD/a.txt",
	"curl -sD notes.md file://$PWD/a.txt", "curl -s --dump-header notes.md file://$PWD/a.txt", "curl -s -c notes.md file://$PWD/a.txt", "curl -s --stderr notes.md -v file://$PWD/a.txt", "curl -s --trace notes.md file://$PWD/a.txt", "curl -s --output-dir sub -o ../notes.md file://$PWD/a.txt",
	"wget -qO notes.md http://127.0.0.1:9/", "wget -qOnotes.md http://127.0.0.1:9/", "wget --output-document=notes.md http://127.0.0.1:9/", "wget --output-d notes.md http://127.0.0.1:9/", "wget -o notes.md http://127.0.0.1:9/", "wget -a notes.md http://127.0.0.1:9/", "wget --append-output=notes.md http://127.0.0.1:9/",
	"tar -cf notes.md a.txt", "tar cf notes.md a.txt", "tar -cfnotes.md a.txt", "tar --create --file=notes.md a.txt", "tar --create --fil notes.md a.txt", "tar -czf notes.md a.txt", "tar c -f notes.md a.txt",
	"zip notes.md a.txt", "gzip -k notes.md && mv notes.md.gz notes.md", "rsync a.txt notes.md", "rsync --log-file=notes.md a.txt b.txt", "install a.txt notes.md", "install -m644 -T a.txt notes.md", "split -l1 a.txt notes.md && mv notes.mdaa notes.md",
	"cp a.txt notes.md", "cp -t . sub/../a.txt && cp a.txt notes.md", "mv a.txt notes.md", "ln -sf a.txt notes.md", "truncate -s0 notes.md", "truncate --size=0 notes.md", "shuf -o notes.md a.txt", "shuf --outp=notes.md a.txt", "iconv -o notes.md a.txt", "uniq a.txt notes.md", "xxd a.txt notes.md",
	"openssl rand -hex -out notes.md 4", "openssl rand -out=notes.md 4 || openssl rand -out notes.md 4", "script -qc true notes.md", "strace -o notes.md true", "strace -onotes.md true", "patch notes.md < d.patch || echo x > notes.md", "patch -o notes.md a.txt < /dev/null", "patch --output=notes.md a.txt < /dev/null",
	"gcc -E -o notes.md -x c /dev/null", "gcc -E -onotes.md -x c /dev/null", "base64 a.txt > notes.md", "env sort -o notes.md a.txt", "time -o notes.md true || command time -o notes.md true || echo > notes.md", "timeout 5 sort -o notes.md a.txt", "xargs sort -o notes.md < /dev/null", "rm notes.md", "unlink notes.md", "shred -n1 notes.md",
	"touch -d '2001-01-01' notes.md && printf x >> notes.md", "sed -n 'w notes.md' a.txt | cat", "cd sub && sort -o ../notes.md ../a.txt", "cd sub && sed 'w ../notes.md' ../a.txt", "perl -i -pe s/O/o/ notes.md", "python3 -c 'open(\"notes.md\",\"w\")'", "ed -s notes.md <<< $'a\nx\n.\nw'",
	"git checkout -q --detach && git rm -q --cached a.txt; git log -1 --format=%H --output=notes.md", "git config -f notes.md a.b c", "git mv -f a.txt notes.md", "git apply --unsafe-paths < /dev/null; echo x > notes.md", "csplit -s -f notes.md a.txt 1 && mv notes.md01 notes.md", "npm --loglevel silent pack > notes.md",
	// Five and more that nobody listed.
	"sed --expression 'w notes.md' a.txt", "sed -n '0,/one/w notes.md' a.txt", "sed -n '1~2w notes.md' a.txt", "sed -n '\\,one,w notes.md' a.txt", "sed -n '/ONE/I,+3w notes.md' a.txt", "sed 'a\\\ntext\nw notes.md' a.txt", "sed -nf s.sed a.txt", "sed -n --file=s.sed a.txt", "sed 'y/abc/w w/;w notes.md' a.txt",
	"awk 'BEGIN{printf(\"x\") > \"notes.md\"}'", "awk '{print>\"notes.md\"}' a.txt", "awk '{print > FILENAME \"\"}' notes.md", "gawk -i inplace '{print 1}' notes.md", "awk 'function f(){print > \"notes.md\"} BEGIN{f()}'", "awk '/a>b/ || 1 {print > (\"notes.md\")}' a.txt", "awk '{print $1, $2 >> \"sub/../notes.md\"}' a.txt",
	"go build -C sub/.. -o notes.md .", "go build -C sub -o ../notes.md ./.. || go build -o notes.md .", "curl -sO file://$PWD/sub/../sub/dir/notes.md || curl -so notes.md file://$PWD/a.txt", "env -S 'sort -o notes.md a.txt'", "busybox sed 'w notes.md' a.txt", "tar --create --directory=sub --file=notes.md ../a.txt",
	"less -onotes.md a.txt", "less -Onotes.md a.txt < /dev/null | cat", "bzip2 -kc a.txt > notes.md", "xz -kc a.txt >| notes.md", "nohup sort -o notes.md a.txt", "tree -o notes.md . || sort -o notes.md a.txt", "jq . > notes.md <<< 1", "column a.txt &> notes.md", "curl -s -T a.txt file://$PWD/notes.md",
}

// outputPrograms are allowed by a rule with a star each.
func outputPrograms() string {
	var b strings.Builder
	for _, p := range strings.Fields("sed awk gawk busybox git sort go find tee dd curl wget tar zip gzip rsync install split cp mv ln truncate shuf iconv uniq xxd openssl script strace patch gcc base64 env time timeout xargs rm unlink shred touch printf cat cd perl python3 ed csplit npm less bzip2 xz nohup tree jq column echo command true") {
		b.WriteString(`"Bash(` + p + `)","Bash(` + p + ` *)",`)
	}
	return `"allow":[` + strings.TrimSuffix(b.String(), ",") + `]`
}

// TestEditDenyUnderCommandRule: a rule that allows a program does not carry its
// output past a deny rule over editing.
func TestEditDenyUnderCommandRule(t *testing.T) {
	for _, rule := range []string{"Edit(./notes.md)", "Edit(notes.md)", "Read(*.md)", "Edit(**/*.md)"} {
		m := newMachine(t, outputSetup, outputPrograms()+`,"deny":["`+rule+`"]`)
		m.bash(t, `echo '{print > "notes.md"}' > prog.awk; echo 'w notes.md' > s.sed`)
		denied := 0
		for _, c := range writesNotes {
			for _, mode := range []permission.Mode{permission.ModeDefault, permission.ModeAcceptEdits, permission.ModeBypass} {
				d := m.command(t, mode, c)
				assert.NotEqual(t, permission.Allow, d.Verdict, "%s in %s under %s", c, mode, rule)
				if d.Verdict == permission.Deny {
					denied++
				}
			}
		}
		t.Logf("%s: %d of %d are refused, the others ask", rule, denied/3, len(writesNotes))
	}
}

// TestOutputTable decides the examples of outputs.txt: under a rule for their
// program and one against editing notes.md, those that it says to write there
// are not allowed, and the others are decided as without that rule.
func TestOutputTable(t *testing.T) {
	var yes, no []string
	var allow strings.Builder
	for line := range strings.Lines(read(t, "outputs.txt")) {
		key, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "yes":
			yes = append(yes, rest)
		case "no":
			no = append(no, rest)
		default:
			continue
		}
		p, _, _ := strings.Cut(rest, " ")
		allow.WriteString(`"Bash(` + p + ` *)",`)
	}
	rules := `"allow":[` + strings.TrimSuffix(allow.String(), ",") + `]`
	free := newMachine(t, outputSetup, rules)
	m := newMachineIn(t, free.home, free.dir, rules+`,"deny":["Edit(./notes.md)"]`)
	other := newMachineIn(t, free.home, free.dir, rules+`,"deny":["Edit(./never.md)"]`)
	for _, c := range yes {
		d := m.command(t, permission.ModeBypass, c)
		assert.NotEqual(t, permission.Allow, d.Verdict, "%s: %s", c, d.Text())
		assert.Equal(t, free.command(t, permission.ModeBypass, c).Verdict, permission.Allow, "%s is not allowed without the rule", c)
	}
	for _, c := range no {
		d := m.command(t, permission.ModeDefault, c)
		assert.Equal(t, other.command(t, permission.ModeDefault, c).Verdict, d.Verdict, "%s: %s", c, d.Text())
	}
	assert.Greater(t, len(yes), 30)
}

// TestOutputsAreWritten: with nothing in between the commands of the test above
// do change the file.
func TestOutputsAreWritten(t *testing.T) {
	if testing.Short() {
		t.Skip("runs some 150 programs")
	}
	wrote, missing := 0, 0
	base := newMachine(t, outputSetup+`; echo '{print > "notes.md"}' > prog.awk; echo 'w notes.md' > s.sed`, "")
	rows := everyThird(writesNotes)
	for _, c := range rows {
		m := newMachine(t, "cp -a "+base.dir+"/. .", "")
		require.Contains(t, read(t, m.dir+"/notes.md"), "ORIGINAL")
		out := m.output(t, c)
		switch {
		case !strings.HasPrefix(read(t, m.dir+"/notes.md"), "ORIGINAL\n") || read(t, m.dir+"/notes.md") != "ORIGINAL\n":
			wrote++
		case strings.Contains(out, "not found"):
			missing++
		default:
			t.Logf("changes nothing here: %s: %s", c, out)
		}
	}
	t.Logf("%d of %d change the file, %d programs are missing", wrote, len(rows), missing)
	assert.GreaterOrEqual(t, wrote+missing, len(rows)*9/10)
}

// TestEverydayOutputs: with a secret denied to read and to edit, commands that
// do not touch it are not asked about.
func TestEverydayOutputs(t *testing.T) {
	m := newMachine(t, outputSetup+"; printf 'K=1\\n' > .env; echo .env > .gitignore; mkdir -p bin build dist; echo '{}' > package.json", outputPrograms()+
		`,"deny":["Read(.env)","Edit(./notes.md)","Edit(.env)","Read(secrets/**)"]`)
	for _, c := range everydayOutputs {
		d := m.command(t, permission.ModeDefault, c)
		assert.Equal(t, permission.Allow, d.Verdict, "%s: %s", c, d.Text())
	}
}

var everydayOutputs = []string{
	"sed -n '1,5p' a.txt", "sed 's/one/two/w out.txt' a.txt", "sed -i 's/a/b/' a.txt", "sed -i.bak s/x/y/ a.txt", "sed -E 's/(a)(b)/\\2/g;s/w x/y z/' a.txt", "sed -n 's/.*version: \\([0-9.]*\\).*/\\1/p' a.txt", "sed '/^#/d;/^$/d' a.txt",
	"awk '{print $1}' a.txt", "awk -F: '$3 > 5 {print $1}' a.txt", "awk 'NR > 1' a.txt", "awk '$1 > 0.5 && $2 >= 3 {s += $2} END {print s}' a.txt", "awk '{print > \"out.txt\"}' a.txt", "awk -v n=3 'NR==n{print}' a.txt", "awk 'length > 80' main.go", "awk '{ if ($1 > max) max = $1 } END { print max }' a.txt",
	"git log --oneline", "git log --output=log.txt", "git diff", "git log -p -3", "git show HEAD --stat", "git push origin main", "git commit -m 'w notes'", "git commit -am 'write notes.md'", "git add a.txt", "git fetch --all -p", "git archive -o out.tar HEAD",
	"sort a.txt", "sort -k2 -n a.txt", "sort -o a.txt a.txt", "sort -u -o out.txt a.txt", "go test ./...", "go build ./...", "go build -o bin/m .", "go build -o bin/ ./...", "go test -run 'TestOut' -count=1 ./...", "go test -coverprofile=c.out ./...", "go vet ./...", "go build -ldflags '-X main.v=1' -o m .", "go run . -o out.txt", "go generate ./...",
	"find . -name '*.go'", "find . -name '*.go' -exec grep -l x {} +", "tee out.txt < a.txt", "dd if=/dev/zero of=x.bin bs=1 count=1", "curl -sS https://example.com/", "curl -o out.html https://example.com/", "curl -sSLO https://example.com/a.tgz", "wget -q https://example.com/x -O x.html",
	"tar -tf out.tgz", "tar czf out.tgz sub", "cp a.txt c.txt", "mv a.txt d.txt", "install -m 755 a.txt bin/a", "openssl rand -hex 16", "jq . package.json",
	"npm run build", "npm test -- -o", "npm install --save-dev x", "npm run lint -- --output-file lint.txt", "curl -s localhost:8080/health | jq .", "rm -f out.txt", "truncate -s 0 out.log", "touch new.txt", "strace -o trace.txt true", "python3 -c 'print(1 > 2)'", "uniq -c a.txt", "shuf -n 2 a.txt", "less a.txt",
	"git checkout main.go", "git stash", "git stash pop", "git checkout -b topic", "git switch main", "git restore a.txt", "git reset --hard", "git merge topic", "git rebase main", "git pull", "git clean -n",
}

// TestOutputsThatCannotBeRead: where the text does not tell what is written,
// rules over editing may match; what is not known elsewhere in a command is no
// reason.
func TestOutputsThatCannotBeRead(t *testing.T) {
	m := newMachine(t, outputSetup, outputPrograms()+`,"deny":["Edit(./notes.md)"]`)
	free := newMachine(t, outputSetup, outputPrograms())
	for _, c := range []string{
		`sort -o "$x" a.txt`, `sort -uo"$x" a.txt`, `sort --output="$x" a.txt`, `sort --output "$x" a.txt`, `sort --outp=$x a.txt`, `git log --output="$x"`, `git log --output="$(cat a.txt)"`, `go build -o $x .`, `curl -o "$x" https://example.com/`, `wget -O"$x" https://example.com/`,
		`sed "w $x" a.txt`, `sed "s/a/b/w $x" a.txt`, `sed "$x" a.txt`, `sed "s/a/b/$x" a.txt`, `sed -e p -e "$x" a.txt`, `sed -f - a.txt`, `awk '{print > $1}' a.txt`, `awk '{print > $1 ".txt"}' a.txt`, `awk -v f="$x" '{print > f}' a.txt`, `awk '{print > ("no" "tes.md")}' a.txt`,
		`awk '{print > "no\164es.md"}' a.txt`, `awk "{print > \"$x\"}" a.txt`, `dd if=a.txt of="$x"`, `find . -fprint "$x"`, `tar -cf "$x" a.txt`, `strace -o "$x" true`, `git archive -o "$x" HEAD`, `git bundle create "$x" HEAD`, `command time -o "$x" true`, `env sort --outp="$x" a.txt`,
	} {
		for _, mode := range []permission.Mode{permission.ModeDefault, permission.ModeBypass} {
			d := m.command(t, mode, c)
			assert.NotEqual(t, permission.Allow, d.Verdict, "%s in %s", c, mode)
		}
	}
	for _, c := range []string{
		`sed "s/$a/$b/" a.txt`, `sed -i "s|$a|$b|g" a.txt`, `sed -n "${n}p" a.txt`, `sed -n "$n,${m}p" a.txt`, `sed "/$a/d" a.txt`, `awk -v n="$n" '{print n, $1}' a.txt`, `awk "/$a/ {print \$1}" a.txt`, `awk '{print $1 / 2, /x>y/}' a.txt`, `awk '{ print ($1 > 2) }' a.txt`,
		`sort -k "$n" a.txt`, `git log --grep="$x"`, `git log --author "$x" -5`, `go test -run "$x" ./...`, `curl -s "$url"`, `find . -name "$x"`, `awk '$1 > 5' a.txt`, `awk '{print $1; if ($2 > 5) print $3}' a.txt`,
	} {
		want := free.command(t, permission.ModeDefault, c)
		got := m.command(t, permission.ModeDefault, c)
		assert.Equal(t, want.Verdict, got.Verdict, "%s: %s", c, got.Text())
	}
}
