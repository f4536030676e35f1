package toolset_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/toolset"
)

// chooser always answers the same and keeps what it was asked.
type chooser struct {
	choice permission.Choice
	asked  []string
}

func (a *chooser) Approve(_ context.Context, r permission.Request) (permission.Answer, error) {
	a.asked = append(a.asked, fmt.Sprintf("%s: %s (%q)", r.Call.Input, r.Decision.Text(), r.Suggestions))
	return permission.Answer{Token: r.Token, Choice: a.choice}, nil
}

// TestSequences counts the questions of a working day, call by call, for a person
// who always says "once" and for one who always says "for the session": nothing is
// asked that an earlier answer covers. @web fetches a page and @secret reads .env,
// after which sending asks; @edit changes a file behind the granted call.
func TestSequences(t *testing.T) {
	ctx := context.Background()
	for _, seq := range []struct {
		steps         string
		once, session int
	}{
		{`go test ./...|go test ./...|@edit main.go|go test ./...`, 3, 1},
		{`make|@edit src/a.txt|make|make test|make`, 4, 2},
		{`npm test|@edit src/index.ts|npm test|npm test -- --watch=false|npm run lint|npm run lint`, 5, 3},
		{`pytest -q|@edit tests/test_app.py|pytest -q|pytest -q tests/test_app.py`, 3, 2},
		{`git add -A && git commit -m one|@edit a.txt|git add a.txt && git commit -m two|git add a.txt`, 3, 2},
		{`git push|git push`, 2, 1},
		{`mkdir -p a/b|mkdir -p c|touch c/x|touch c/y`, 0, 0},
		{`@web|make|@edit Makefile|make|make`, 4, 3},
		{`@web|go test ./...|@edit main.go|go test ./...|@edit go.mod|go test ./...|go test ./...`, 5, 3},
		{`@web|npm test|@edit package.json|npm test|npm test`, 4, 3},
		{`@web|./scripts/run.sh|@edit scripts/run.sh|./scripts/run.sh|./scripts/run.sh`, 4, 3},
		{`@web|@secret|go test ./...|go test ./...|@edit main.go|go test ./...`, 5, 3},
		{`@web|@secret|make|make|npm test|npm test`, 6, 4},
		{`@web|@secret|git push|git push|git push origin main`, 5, 5},
		{`@web|@secret|curl https://a.org|curl https://a.org|curl https://a.org/x`, 5, 5},
		{`@web|@web|@web2|@web2`, 4, 1},
		{`@write new.txt|@write new.txt|@write new2.txt`, 0, 0},
		{`cat /etc/hostname|cat ../out/f|cat ../out/f|ls ../out`, 0, 0},
		{`@read ../out/f|@read ../out/f|@read ../out/g`, 3, 2},
		{`@secret|@secret|cat .env`, 3, 3},
		{`rm a.txt|rm src/a.txt|rm src/a.txt`, 0, 0},
		{`docker compose up -d|docker compose up -d|docker compose ps`, 3, 2},
		{`npm install|npm install|npm install x`, 3, 2},
		{`go get x|go mod tidy|go mod tidy|go build ./...|go build ./...`, 5, 3},
		{`timeout 60 go test ./...|go test ./...|time go test ./...`, 3, 1},
		{`NODE_ENV=test npm test|npm test|NODE_ENV=test npm test`, 3, 2},
		{`cd src && npm test|npm test|cd src && npm test`, 3, 2},
		{`python3 x.py|python3 x.py|@edit src/app.py|python3 src/app.py|python3 src/app.py`, 4, 3},
		{`node -e 'x'|node -e 'x'`, 2, 2},
		{`for f in *.txt; do foo $f; done|for f in *.txt; do foo $f; done`, 2, 2},
		{`go run .|@edit main.go|go run .|go run . -x`, 3, 2},
		{`go build -o app . && ./app|@edit main.go|go build -o app . && ./app`, 2, 1},
		{`git checkout -b x|git checkout main|git checkout x|git checkout main`, 4, 3},
		{`git stash|git stash pop|git stash|git stash pop`, 4, 2},
		{`gh pr view 1|gh pr view 1|gh pr view 2`, 3, 2},
		{`sed -i s/a/b/ a.txt|sed -i s/a/c/ a.txt|sed -i s/a/b/ a.txt`, 0, 0},
		{`echo x > out.txt|echo y > out.txt|echo y >> out.txt|echo z > out2.txt`, 0, 0},
		{`gofmt -w .|gofmt -w .|gofmt -w main.go`, 3, 3},
		{`@web|@edit CLAUDE.md|@edit CLAUDE.md`, 3, 3},
		{`@web|python3 src/app.py|@edit src/app.py|python3 src/app.py|python3 src/app.py`, 4, 3},
	} {
		for choice, want := range map[permission.Choice]int{permission.Once: seq.once, permission.ForSession: seq.session} {
			m := newMachine(t, workspace, "")
			ledger, err := toolset.OpenLedger(filepath.Join(m.home, "ledger"))
			require.NoError(t, err)
			tools, err := toolset.NewWith(toolset.Options{Files: m.guard, Home: m.home, Analyzer: bashcheck.New(bashcheck.Options{Home: m.home}), Assume: bashcheck.SafeEnvAssumptions(), Ledger: ledger})
			require.NoError(t, err)
			eval, err := permission.New(permission.Config{Policy: m.eval.Policy(), Inspector: tools})
			require.NoError(t, err)
			who, mode := &chooser{choice: choice}, permission.ModeAcceptEdits
			s := permission.NewGate(eval, permission.GateOptions{Approver: who, Ledger: ledger}).Session(permission.SessionOptions{Dir: m.dir, Mode: &mode})
			for i, step := range strings.Split(seq.steps, "|") {
				verb, name, _ := strings.Cut(step, " ")
				name = filepath.Join(m.dir, name)
				c := shellCall(step)
				switch verb {
				case "@edit":
					c = call("Edit", map[string]any{"file_path": name, "old_string": "a", "new_string": fmt.Sprint(i)})
				case "@write":
					c = call("Write", map[string]any{"file_path": name, "content": "a"})
				case "@read":
					c = call("Read", map[string]any{"file_path": name})
				case "@web":
					c = call("WebFetch", map[string]any{"url": "https://docs.example/x", "prompt": "x"})
				case "@web2":
					c = call("WebFetch", map[string]any{"url": "https://docs.example:8443/y", "prompt": "x"})
				case "@secret":
					c = call("Read", map[string]any{"file_path": filepath.Join(m.dir, ".env")})
				}
				g, err := s.Authorize(ctx, c)
				require.NoError(t, err, "%s: %s", seq.steps, step)
				if verb == "@edit" {
					f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o755)
					require.NoError(t, err)
					_, err = fmt.Fprintln(f, "#", i)
					require.NoError(t, err)
					require.NoError(t, f.Close())
				}
				require.NoError(t, s.Outcome(ctx, g, "", 0))
			}
			assert.Len(t, who.asked, want, "%s, %s:\n%s", seq.steps, choice, strings.Join(who.asked, "\n"))
		}
	}
}
