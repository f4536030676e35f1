package permission_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	. "github.com/clearance-go/clearance/permission"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// variants are a command with other flags, redirections, neighbours, assignments,
// wrappers and quotes: what a model could make of an approved text.
func variants(text string) []string {
	var out []string
	word, rest, _ := strings.Cut(text, " ")
	for _, tail := range []string{" --exec=touch", " -c touch", " -e touch", " -x touch", " --command touch", " -o ~/.bashrc", " -o /etc/x", " -O ../x", " --output=~/.profile", " --config=/tmp/x", " --config /tmp/x", " -C /", " -f /etc/passwd", " --file=/etc/passwd", " -I{} sh", " --checkpoint-action=exec=sh", " --upload-pack=touch", " --post-file=.env",
		"; touch x", " && touch x", " || touch x", " | sh", " |& tee ~/.bashrc", " & touch x", "\ntouch x", "\r\ntouch x", " > ~/.bashrc", " > /etc/x", " >> .git/config", " 2> ~/.profile", " <(touch x)", " >(sh)", " $(touch x)", " `touch x`", " \"$(touch x)\"", " ${X:=y}", " $X", " \"$@\"", " # x\ntouch x", " \\\n; touch x",
		" /etc/passwd", " ../../x", " ~/.ssh/id_rsa", " .env", " .git/config", " .git/hooks/pre-commit", " *", " {a,../b}", " -- -x", " --", " -rf /", " --force", " --no-verify", " --hard", " -D x", " --delete", " --global", " --unsafe-perm", " -i", " --in-place", " -exec touch {} ;", " --rcfile x", " --eval x", " -p 80", " --host evil.example", " https://evil.example", " @evil", " file:///etc/passwd", " --registry https://evil.example", " --index-url=https://evil.example", " -u", " --extension=x", "x", " \x00", " '\n'touch"} {
		out = append(out, text+tail)
	}
	for _, pre := range []string{"FOO=1 ", "PATH=. ", "LD_PRELOAD=./x.so ", "GIT_SSH_COMMAND=touch ", "GIT_DIR=/tmp/x ", "NODE_OPTIONS=--require=./x ", "PYTHONPATH=. ", "BASH_ENV=x ", "IFS=x ", "HOME=/tmp ", "env X=1 ", "env ", "sudo ", "doas ", "eval ", "exec ", "xargs ", "echo -x | xargs ", "xargs timeout 5 ", "nohup sh -c ", "find . -exec ", "watch ", "setsid ", "flock x ", "ssh h ", "docker run x ", "alias ls=touch; ", "ls() { touch x; }; ", "touch x; ", "touch x && ", "X=$(touch x) ", "> ~/.bashrc ", "time -o ~/.bashrc ", "set -x; ", "source x; ", ". ./x; ", "trap 'touch x' EXIT; ", "export PATH=.; ", "hash -p ./x ls; ", "enable -f ./x ls; ", "function f { touch x; }; f; ", "./", "/tmp/", "~/", "../", "bash -c '"} {
		out = append(out, pre+text)
	}
	if rest != "" {
		for _, mid := range []string{" -c core.pager=touch ", " -c alias.x=!touch ", " --git-dir=/tmp/x ", " -C / ", " --exec-path=. ", " --config x ", " --prefix / ", " -f /tmp/Makefile ", " -H evil ", " --context evil ", " -o ~/.bashrc ", " -e x ", " --require ./x ", " -r ./x ", " -m x ", " -W ignore "} {
			out = append(out, word+mid+rest)
		}
		out = append(out, word+" '"+rest+"'", strings.ReplaceAll(text, " ", "${IFS}"), strings.ReplaceAll(text, " ", "\n"), word+" "+rest+" "+rest)
	}
	return out
}

// TestSuggestedRuleIsForThatCommand: a suggestion that spells a command lets no
// variant of it run that would have asked before. The control is the same rule
// with a wildcard, as other agents save it.
func TestSuggestedRuleIsForThatCommand(t *testing.T) {
	ctx := context.Background()
	tools := offline(t)
	st := State{Dir: proj}
	plain := eval(t, tools, `{}`)
	commands, tried, wider := 0, 0, 0
	for _, text := range vectorCommands(t, "bash-benign.jsonl") {
		call := bashCall(text)
		ins, _ := plain.Inspect(ctx, st, call)
		if plain.Decide(st, call, ins).Verdict != Ask {
			continue
		}
		rules := plain.Suggest(st, call, ins)
		if len(rules) != 1 || rules[0] != "Bash("+text+")" {
			continue // of several parts, a path, or a wildcard
		}
		commands++
		rule := func(text string) *Evaluator {
			p, err := plain.Policy().With(LayerSession, proj, Allow, text)
			require.NoError(t, err)
			e, err := New(Config{Policy: p, Inspector: tools})
			require.NoError(t, err)
			return e
		}
		e, wild := rule(rules[0]), rule("Bash("+text+" *)")
		for _, v := range variants(text) {
			c := bashCall(v)
			ins, _ := plain.Inspect(ctx, st, c)
			if plain.Decide(st, c, ins).Verdict == Allow {
				continue
			}
			tried++
			assert.NotEqual(t, Allow, e.Decide(st, c, ins).Verdict, "%q lets %q run", rules[0], v)
			if wild.Decide(st, c, ins).Verdict == Allow {
				wider++
			}
		}
	}
	t.Logf("%d suggestions, %d variants that ask; rules with a wildcard would let %d of them run", commands, tried, wider)
	require.Greater(t, commands, 30)
	require.Greater(t, wider, 500, "the control")
}

// TestSuggestionsForWhatRunsOthers: no rule is offered for what runs code, other
// commands, or what its input says.
func TestSuggestionsForWhatRunsOthers(t *testing.T) {
	ctx := context.Background()
	tools := offline(t)
	st := State{Dir: proj}
	e := eval(t, tools, `{}`)
	for _, text := range []string{"psql db", "mysql x", "sqlite3 db x", "redis-cli", "irb", "pry", "octave", "julia x", "dc", "ghci", "iex", "swift", "gdb x", "tmux", "screen", "expect x", "at now", "patch -p1", "patch -p1 < d", "git apply", "git apply -", "git am", "git am -3", "kubectl exec -i p -- sh", "kubectl exec p -- bash", "kubectl apply -f -", "make -f -", "docker exec -i c sh", "docker run -i x",
		"vagrant ssh", "entr x", "watchexec x", "nodemon x", "concurrently x", "perf x", "npm exec x", "npx x", "git bisect run x", "git submodule foreach x", "git filter-branch x", "ssh h x", "sudo x", "xargs foo", "ls | xargs foo", "ls | xargs timeout 5 foo", "cd /tmp && make", "cd /tmp && ./x", "cd /tmp && pytest", "cd .. && npm test", "foo - <x", "foo 'a' bash"} {
		call := bashCall(text)
		ins, _ := e.Inspect(ctx, st, call)
		if assert.Equal(t, Ask, e.Decide(st, call, ins).Verdict, text) {
			assert.Empty(t, e.Suggest(st, call, ins), text)
		}
	}
	for text, want := range map[string]string{"kubectl apply -f x.yml": "kubectl apply -f x.yml", "swift build": "swift build", "vagrant up": "vagrant up", "git checkout -q -": "git checkout -q -", "make": "make", "./x": "./x", "cd sub && make": "make", "npm run x": "npm run x"} {
		call := bashCall(text)
		ins, _ := e.Inspect(ctx, st, call)
		assert.Equal(t, []string{"Bash(" + want + ")"}, e.Suggest(st, call, ins), text)
	}
}

// TestRuleIsForThisWorkspace: cd elsewhere makes another program of make, ./x and
// python3 x.py, which no rule was given for; xargs adds words that a rule without
// a wildcard does not hold.
func TestRuleIsForThisWorkspace(t *testing.T) {
	ctx := context.Background()
	tools := offline(t)
	st := State{Dir: proj}
	e := eval(t, tools, `{"permissions":{"allow":["Bash(./x)","Bash(./x *)","Bash(npm test)","Bash(make *)","Bash(tool run)","Bash(wild *)","Bash(python3 x.py)","Bash(git push origin main)","Bash(bash x.sh)"]}}`)
	all := eval(t, tools, `{"permissions":{"allow":["Bash"]}}`)
	for text, want := range map[string]Verdict{
		"./x": Allow, "npm test": Allow, "make all": Allow, "cd sub && ./x": Allow, "cd sub && make all": Allow, "cd " + proj + " && npm test": Allow, "cd sub/../ && python3 x.py": Allow, "cd /tmp && tool run": Allow, "cd /tmp && ls": Allow,
		"cd /tmp && ./x": Ask, "cd /tmp; ./x a": Ask, "cd .. && npm test": Ask, "(cd /tmp; make all)": Ask, "cd /tmp && python3 x.py": Ask, "pushd /tmp && make all": Ask, "D=/tmp; cd $D && npm test": Ask, "cd /tmp && cd x && make all": Ask, "cd /tmp && bash x.sh": Ask, "cd /tmp && timeout 5 npm test": Ask,
		"tool run": Allow, "timeout 5 tool run": Allow, "ls | xargs wild a": Allow, "xargs wild": Allow,
		"ls | xargs tool run": Ask, "echo --force | xargs git push origin main": Ask, "ls | xargs timeout 5 tool run": Ask, "xargs npm test": Ask,
	} {
		call := bashCall(text)
		ins, _ := e.Inspect(ctx, st, call)
		d := e.Decide(st, call, ins)
		assert.Equal(t, want, d.Verdict, "%s: %s", text, d.Text())
		assert.NotContains(t, d.Text(), "\x00")
		if want == Ask && strings.Contains(text, "cd ") {
			assert.Contains(t, d.Text(), "outside the working directories", text)
		}
		assert.Equal(t, Allow, all.Decide(st, call, ins).Verdict, "%s under a rule for everything, the control", text)
	}
}

// TestOddTextsInSuggestions: whatever characters a command holds, the rule that
// is offered for it says that text and no other, and is the same after it was
// written as JSON.
func TestOddTextsInSuggestions(t *testing.T) {
	ctx := context.Background()
	st := State{Dir: proj}
	pieces := []string{"*", ":*", "(", ")", `\`, `'`, `"`, "\n", "\x00", "\xff", " ", "  ", "\t", ":", "[", "]", "?", "{", "}", "~", "!", "#", "$X", "`x`", "$(x)", "é", "\u202e", "\u200b", "\u2028", "a", "%", "|", ";", "&", "<", ">", ",", "=", "--x", "/", "..", "domain:", "Bash(", "\r", "\x1b[2J", "\U0001F600", strings.Repeat("z", 400)}
	n, offered := 0, 0
	try := func(text string) {
		n++
		f := &tool{}
		e := eval(t, f, `{}`)
		a := command(text)
		a.Command.Prefix = "foo"
		f.set("c", shell(a))
		c := bash("c")
		ins, _ := e.Inspect(ctx, st, c)
		rules := e.Suggest(st, c, ins)
		if len(rules) == 0 {
			return
		}
		offered++
		require.Len(t, rules, 1)
		var again []string
		b, err := json.Marshal(rules)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(b, &again))
		require.Equal(t, rules, again, "%q", text)
		r, err := ParseRule(RuleRef{Effect: Allow, Text: rules[0]}, "/home/u", proj)
		require.NoError(t, err)
		require.Equal(t, rules[0], r.String(), "%q", text)
		p, err := e.Policy().With(LayerSession, proj, Allow, rules...)
		require.NoError(t, err)
		with, err := New(Config{Policy: p, Inspector: f})
		require.NoError(t, err)
		for _, other := range []string{text + "x", text + " x", "x" + text, "foo", "foo x", text + "\n", text + ")", strings.Replace(text, "?", "x", 1), strings.Replace(text, "[", "x", 1), strings.Replace(text, "~", "x", 1), strings.Replace(text, `\`, "", 1), strings.ToUpper(text), strings.TrimRight(text, ":")} {
			if other == text {
				continue
			}
			f.set("o", shell(command(other)))
			ins, _ := with.Inspect(ctx, st, bash("o"))
			require.NotEqual(t, Allow, with.Decide(st, bash("o"), ins).Verdict, "%q lets %q run", rules[0], other)
		}
	}
	for _, x := range pieces {
		for _, y := range pieces {
			try("foo " + x + y)
			try("foo" + x + y + "b")
			try("foo '" + x + "' " + y)
		}
	}
	try("foo " + strings.Repeat("x", 1<<20))
	t.Logf("%d texts, %d offer a rule", n, offered)
	require.Greater(t, offered, 1000)
}
