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
	"rsync -a src/ dst/", "rsync -av --delete src/ build/", "rsync -av --exclude=node_modules src docs dist/", "rsync a.txt notes.txt docs/", "split -b 1m f part-", "split -l 100 f", "split -n 4 -d f build/part", "csplit f 10", "csplit -f part- f '/x/' '{*}'",
	"dd if=f of=g bs=1M", "cpio -t < f", "patch --dry-run -p1 < a.patch", "ffmpeg -i a.mp4 b.mp3", "ffmpeg -y -i a.mp4 -c:v libx264 -crf 23 out.mp4", "pdftotext a.pdf a.txt", "convert a.png b.jpg", "convert a.png -resize 50% small.png", "pandoc a.md -o a.html",
	"go build -o bin/x ./cmd/x", "go build ./...", "go build", "go test ./...", "go vet ./...", "javac -d build A.java", "javac A.java", "protoc --go_out=build x.proto", "esbuild in.ts --bundle --outfile=dist/out.js", "tsc --outDir dist", "tsc --noEmit",
	"wget -q -O x.html https://example.com/", "curl -sSo x.html https://example.com/", "openssl rand -hex 16", "make build", "npm run build", "ar rcs lib.a a.o", "ld -r -o b.o a.o", "objcopy a.o b.o", "strip a.o",
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
	assert.LessOrEqual(t, asked, len(underDeny))
}
