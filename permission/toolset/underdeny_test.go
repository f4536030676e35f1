package toolset_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/clearance-go/clearance/permission"
)

// usualDeny are the deny rules that most settings hold.
const usualDeny = `"deny":["Read(.env)","Edit(.env*)","Read(secrets/**)","Edit(.github/**)"]`

// usualProject is a project that such rules are about: what they name is there,
// beside what everyday commands work on.
const usualProject = `git init -q -b main . && mkdir -p src/lib docs dist build cmd/x .github/workflows secrets assets && printf 'K=1\n' > .env && echo k > secrets/key && echo 'on: push' > .github/workflows/ci.yml &&
printf '.env\nsecrets/\n' > .gitignore && echo 'module m' > go.mod && echo 'package main
func main() {}' | tee main.go > cmd/x/main.go && echo 'int main(void) { return 0; }' | tee a.c > src/main.c && echo 'class A { }' > A.java && echo one | tee f a.txt docs/a.md src/lib/x.h > notes.txt && touch a.mp4 a.png a.pdf x.proto a.proto in.ts a.patch &&
echo '{}' > package.json && gzip -k f && git add -A && git commit -qm one`

// underDeny are everyday commands under a rule that allows their program: none
// of them touches what the rules above name.
var underDeny = []string{
	"tar -czf out.tgz src", "tar czf out.tgz src docs", "tar -cf - src | wc -c", "tar --create --gzip --file=out.tgz src", "tar -C src -cf lib.tar lib", "tar -cJf out.txz --exclude='*.o' src", "tar czvf dist/app.tar.gz -C build .", "tar tzf out.tgz",
	"zip -r out.zip src", "zip out.zip a.txt notes.txt", "zip -qr dist/app.zip src docs", "zip -r9 out src -x '*.o'", "unzip -l out.zip", "gzip f", "gzip -k a.txt", "gzip -9 a.txt notes.txt", "gunzip f.gz", "xz -k a.txt", "bzip2 -k a.txt", "zstd a.txt",
	"gcc -o a a.c", "gcc -c a.c", "gcc a.c", "gcc -Wall -O2 -g -Isrc -o build/a a.c src/main.c -lm", "cc -std=c11 -c src/main.c -o build/main.o", "g++ -MMD -c a.cc -o build/a.o", "clang -fsyntax-only a.c", "gcc -E a.c", "gcc -S a.c",
	"rsync -a src/ dst/", "rsync -av --delete src/ build/", "rsync -av --exclude=node_modules src docs dist/", "rsync a.txt notes.txt docs/", "split -b 1m f part-", "split -l 100 f", "split -dl 100 f docs/p", "split -n 4 -d f build/part", "csplit f 10", "csplit -f part- f '/x/' '{*}'",
	"dd if=f of=g bs=1M", "cpio -t < f", "patch --dry-run -p1 < a.patch", "ffmpeg -i a.mp4 b.mp3", "ffmpeg -y -i a.mp4 -c:v libx264 -crf 23 out.mp4", "pdftotext a.pdf a.txt", "convert a.png b.jpg", "convert a.png -resize 50% small.png", "pandoc a.md -o a.html",
	"go build -o bin/x ./cmd/x", "go build ./...", "go build", "go test ./...", "go vet ./...", "javac -d build A.java", "javac A.java", "protoc --go_out=build x.proto", "esbuild in.ts --bundle --outfile=dist/out.js", "tsc --outDir dist", "tsc --noEmit",
	"wget -q -O x.html https://example.com/", "curl -sSo x.html https://example.com/", "openssl rand -hex 16", "make build", "npm run build", "ar rcs lib.a a.o", "ld -r -o b.o a.o", "objcopy a.o b.o", "strip a.o",
}

// forbiddenOutputs are commands that write what a rule over editing names, or
// copy what one over reading does. victim is the file; of the second kind all
// that the command makes and prints holds S3CRET afterwards.
var forbiddenOutputs = []struct{ command, victim, rule string }{
	{"tar -cf .env src", ".env", ""}, {"tar cf .env src", ".env", ""}, {"tar cfC .env src lib", ".env", ""}, {"tar -C src -cf .env lib", ".env", ""}, {"tar --create --file=./src/../.env src", ".env", ""}, {"tar -rf .env f", ".env", ""}, {"tar -xf evil.tar", ".env", ""}, {"tar -C . -xf evil.tar", ".env", ""},
	{"tar cf out.tar f --transform=s/x/y/ --checkpoint=1 --checkpoint-action=exec='sh x.sh'", ".env", ""}, {"tar -cf out.tar f -I 'sh x.sh'", ".env", ""},
	{"zip -q out a.txt", "out.zip", "Edit(out.zip)"}, {"zip -q out.zip a.txt", "out.zip", "Edit(*.zip)"}, {"zip -q in.zip a.txt -O out.zip", "out.zip", "Edit(*.zip)"}, {"zip -q in.zip a.txt -T -TT 'sh x.sh'", ".env", ""}, {"zip -qm out.zip .env", ".env", "Edit(.env)"},
	{"gcc -o .env a.c", ".env", ""}, {"gcc -o.env a.c", ".env", ""}, {"gcc -c a.c -o src/../.env", ".env", ""}, {"gcc -MMD -MF .env -c a.c", ".env", ""}, {"gcc -E a.c -o .env", ".env", ""}, {"gcc a.c", "a.out", "Edit(a.out)"}, {"gcc -c src/main.c", "main.o", "Edit(*.o)"}, {"gcc -S a.c", "a.s", "Edit(a.s)"}, {"gcc -MMD -c src/main.c -o build/m.o", "build/m.d", "Edit(*.d)"},
	{"gcc -save-temps a.c", "a.i", "Edit(a.i)"}, {"gcc -wrapper sh,x.sh -c a.c", ".env", ""}, {"gcc a.c @args", ".env", ""}, {"gcc a.c -Wl,-Map=.env", ".env", ""}, {"gcc h.h", "h.h.gch", "Edit(*.gch)"}, {"gcc -MMD a.c -o a", "a.d", "Edit(*.d)"},
	{"rsync -a s/ .", ".env", ""}, {"rsync s/.env .", ".env", ""}, {"rsync s/.env src/../", ".env", ""}, {"rsync -a s/ ./src/..", ".env", ""}, {"rsync -a --delete empty/ keep/", "keep/k", "Edit(keep/**)"}, {"rsync -a --del src/lib/ keep", "keep/k", "Edit(k)"}, {"rsync -a --files-from=list s .", ".env", ""}, {"rsync -a --backup --backup-dir=../.github s/ old", ".github/f", "Edit(.github/f)"},
	{"split f part", "partaa", "Edit(partaa)"}, {"split -l1 -d f part", "part01", "Edit(part0*)"}, {"split -l 1 f", "xab", "Edit(x?b)"}, {"split -l1 f .env", ".envab", ""}, {"split --filter='sh x.sh' f", ".env", ""}, {"split -l1 -a1 many .en", ".env", ""}, {"split -l1 -a3 many .", ".env", ""}, {"split -l1 --additional-suffix=v many .", ".env", ""}, {"split -l1 many .e", ".env", ""}, {"split -xl1 many p", "p0a", "Edit(p0a)"}, {"csplit -sf p many 1 {200}", "p150", "Edit(p150)"}, {"csplit -sn1 many 1 {20}", "xx9", "Edit(xx9)"},
	{"csplit -s f 2", "xx01", "Edit(xx*)"}, {"csplit -sf .env f 2", ".env01", ""},
	{"gzip -fk .env", ".env.gz", ""}, {"gzip -f .env", ".env", ""}, {"gunzip -f .env.gz", ".env", ""}, {"gzip -dkf .env.gz", ".env", ""}, {"gzip -dfN named.gz", ".env", ""}, {"xz -df .env.xz", ".env", ""}, {"unxz -f .env.xz", ".env", ""}, {"bunzip2 -f .env.bz2", ".env", ""}, {"zstd -qdf .env.zst", ".env", ""}, {"zstd -qf f -o .env", ".env", ""},
	{"unzip -qo evil.zip -d build", "build/.env", "Edit(.env*)"}, {"unzip -qo evil.zip -d new", "new/.env", "Edit(.env*)"}, {"tar -tf in.tar --checkpoint=1 --checkpoint-action=exec='sh x.sh'", ".env", ""}, {"tar -tf in.tar f --checkpoint=1 --checkpoint-action=exec='sh x.sh'", ".env", ""}, {"rsync -n -e 'sh x.sh' h:a b", ".env", ""},
	{"install s/.env build", "build/.env", "Edit(.env*)"}, {"install -D s/.env new/.env", "new/.env", "Edit(.env*)"}, {"install -t build s/.env f", "build/.env", "Edit(.env*)"},
	{"javac A.java", "A$B.class", "Edit(*.class)"}, {"javac -d build A.java", "build/A.class", "Edit(*.class)"}, {"javac -d keep A.java", "keep/A.class", "Edit(keep/**)"}, {"ar rcs lib.a f", "lib.a", "Edit(*.a)"},

	{"tar cf out.tar .", "", ""}, {"tar -cf - .env", "", ""}, {"tar -C . -cf out.tar .", "", ""}, {"tar -cf out.tar -C src -C .. .env", "", ""}, {"tar -chf out.tar link", "", ""}, {"tar -cf out.tar . --exclude=.env", "", ""}, {"tar -cf out.tar -T names", "", ""}, {"tar -C src -cf out.tar ../.env", "", ""},
	{"zip -0qr out.zip .", "", ""}, {"zip -0q out.zip link", "", ""}, {"zip -0qr out.zip . -x 'env'", "", ""}, {"zip -0q out.zip .env", "", ""}, {"zip -0q -@ out.zip < names", "", ""},
	{"tar -cf out.tar $PWD/.env", "", ""}, {"tar -cvzf- .env | gunzip -c", "", ""}, {"tar cC . .env", "", ""}, {"tar -cf out.tar .en?", "", ""}, {"tar -cf out.tar -- .[e]nv", "", ""}, {"tar -cf out.tar src/../.env", "", ""}, {"cd src && tar cf ../out.tar ..", "", ""}, {"tar c .env > out.tar", "", ""}, {"tar cf out.tar --exclude=.env/ .", "", ""}, {"cd src && zip -0qr ../out.zip ../../proj", "", ""},
	{"gcc -E -P -imacros .env -include .env a.c", "", ""}, {"gcc -E -P -xc .env", "", ""}, {"gcc -E -P -xc - < .env", "", ""}, {"rsync -a --exclude=.env/ . ../copy", "", ""}, {"rsync -r $PWD/ ../copy", "", ""}, {"rsync -a --include=.env --exclude=.env . ../copy", "", ""}, {"rsync -a --exclude=.env --exclude-from=bang . ../copy", "", ""},
	{"rsync -a . ../copy", "", ""}, {"rsync .env src/", "", ""}, {"rsync -a --exclude=.env --exclude='!' . ../copy", "", ""}, {"rsync -aL link src/", "", ""}, {"gcc -E -P -include .env a.c", "", ""}, {"split .env p", "", ""}, {"csplit -s .env 1", "", ""}, {"gzip -c .env | gunzip -c", "", ""},
}

// TestForbiddenOutputs: none of them is allowed by a rule for its program; each
// is run with nothing in between first.
func TestForbiddenOutputs(t *testing.T) {
	const setup = usualProject + `; printf 'S3CRET\n' > .env; mkdir -p s empty keep build old; printf 'EVIL\n' > s/.env; echo x > keep/k; ln -s .env link; echo .env > names; echo '!' > bang; echo .env > list; echo '-o .env' > args; echo 'int f(void);' > h.h; echo ok > s/f; echo new > old/f; echo old > old/f;
printf 'one\ntwo\nthree\n' > f; echo 'echo EVIL > .env' > x.sh; zip -q in.zip notes.txt; tar -C s -cf evil.tar .env; tar -cf in.tar f; seq 4000 > many; (cd s; zip -q ../evil.zip .env); echo 'class A { class B { } }' > A.java;
cd s; for p in gzip bzip2 xz 'zstd -q'; do $p -k .env; done; mv .env.gz .env.bz2 .env.xz .env.zst ..; cd ..; cp .env.gz named.gz; touch -d 2001-01-01 s/.env s/f`
	base := newMachine(t, setup, "")
	rows := everyThird(forbiddenOutputs)
	for _, x := range rows {
		if x.rule == "" {
			x.rule = "Edit(.env*)"
		}
		p, _, _ := strings.Cut(x.command, " ")
		m := newMachine(t, "cp -a "+base.dir+"/. .", `"allow":["Bash(`+p+` *)","Bash(gunzip *)","Bash(tar *)","Bash(zip *)","Bash(cd *)"],"deny":["`+x.rule+`","Read(.env)"]`)
		for _, mode := range []permission.Mode{permission.ModeDefault, permission.ModeAcceptEdits, permission.ModeBypass} {
			d := m.command(t, mode, x.command)
			assert.NotEqual(t, permission.Allow, d.Verdict, "%s in %s: %s", x.command, mode, d.Text())
		}
		before, out := read(t, m.dir+"/"+x.victim), ""
		if out = m.output(t, x.command); x.victim != "" {
			assert.NotEqual(t, before, read(t, m.dir+"/"+x.victim), "%s does no harm: %s", x.command, out)
		} else {
			out += m.output(t, "cat out.tar out.zip ../copy/.env src/.env src/link paa xx00 xx01 2>/dev/null")
			assert.Contains(t, out, "S3CRET", x.command)
		}
	}
}

// TestManyPieces: trying names out is bounded, and beyond the bound a rule may
// match.
func TestManyPieces(t *testing.T) {
	m := newMachine(t, usualProject, `"allow":["Bash(split *)"],"deny":["Edit(other/x)"]`)
	assert.Equal(t, permission.Allow, m.command(t, permission.ModeDefault, "split f p; split f q").Verdict)
	d := m.command(t, permission.ModeDefault, strings.Repeat("split f p; ", 200))
	assert.Equal(t, permission.Ask, d.Verdict)
}

// TestUnderDenyRules counts how many everyday commands are asked about because
// of deny rules that do not mean them.
func TestUnderDenyRules(t *testing.T) {
	var allow strings.Builder
	for _, c := range underDeny {
		p, _, _ := strings.Cut(c, " ")
		allow.WriteString(`"Bash(` + p + ` *)","Bash(` + p + `)",`)
	}
	rules := `"allow":[` + allow.String() + `"Bash(wc *)"]`
	free := newMachine(t, usualProject, rules)
	m := newMachineIn(t, free.home, free.dir, rules+","+usualDeny)
	asked := 0
	for _, c := range underDeny {
		want, got := free.command(t, permission.ModeDefault, c), m.command(t, permission.ModeDefault, c)
		if got.Verdict != permission.Allow {
			asked++
			t.Logf("%s %s (%s without the rules): %s", got.Verdict, c, want.Verdict, strings.ReplaceAll(got.Text(), "\n", " "))
		}
	}
	t.Logf("%d of %d are asked about", asked, len(underDeny))
	assert.LessOrEqual(t, asked, 11)
}
