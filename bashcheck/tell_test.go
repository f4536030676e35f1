package bashcheck

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// allTexts are the commands of the vectors and of the tables of this package.
func allTexts(t *testing.T) []string {
	out := append(tableLines(t, "attacks.txt"), tableLines(t, "everyday.txt")...)
	out = append(append(out, tableLines(t, "tools-attacks.txt")...), tableLines(t, "tools-everyday.txt")...)
	for _, name := range []string{"bash-bypass.jsonl", "bash-benign.jsonl"} {
		data, err := os.ReadFile(vectorDir(t) + "/" + name)
		require.NoError(t, err)
		for line := range strings.Lines(string(data)) {
			var v vector
			require.NoError(t, json.Unmarshal([]byte(line), &v))
			out = append(out, v.Command)
		}
	}
	return out
}

// untold is the first thing that an explanation leaves out or says wrong, empty
// where there is none.
func untold(r Report, said string) string {
	switch {
	case !strings.HasSuffix(said, "."):
		return "no full stop"
	case strings.IndexFunc(said, func(c rune) bool { return unicode.IsControl(c) || c >= 0x80 && oddRune(c) }) >= 0:
		return "a character that is not seen"
	case r.ReadOnly():
		return ""
	case strings.Contains(said, "oes nothing") || strings.Contains(said, "only reads"):
		return "harmless"
	case strings.Contains(said, " more commands"):
		return ""
	}
	for i := range r.Commands {
		c := &r.Commands[i]
		if r.onlyReads(i) && strings.Contains(said, " more that only read") {
			continue
		}
		if !c.Described && strings.Contains(said, "`"+escape(c.Text)+"`") {
			continue // told as it stands
		}
		for k := range c.Effects {
			if e := &c.Effects[k]; !e.Own && e.Extent == Exact && !tells(said, e) {
				return "the target " + e.Target
			}
		}
	}
	for k := range r.Loose {
		if e := &r.Loose[k]; e.Extent == Exact && !tells(said, e) {
			return "the target " + e.Target
		}
	}
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Code == CodeDestructive && !strings.Contains(strings.ToLower(said), strings.ToLower(f.Text)) && len(r.Findings) < 3 {
			return "the finding " + f.Text
		}
	}
	return ""
}

func tells(said string, e *Effect) bool {
	target := escape(e.Target)
	return e.harmless() || strings.Contains(said, target) || e.Target == "." && strings.Contains(said, currentFolder) || e.Target == "-" ||
		e.URL != "" && strings.Contains(said, escape(e.URL)) || strings.Contains(said, "…") && len(target) > mostLetter
}

// TestExplainTells: of every text something is said, nothing that is not seen
// stands in it, what changes something is not said to be harmless, and every
// target that the text spells is named.
func TestExplainTells(t *testing.T) {
	texts := allTexts(t)
	a := New(Options{Home: "/home/u"})
	changing := 0
	for _, src := range texts {
		r := a.Analyze(src)
		if !r.ReadOnly() {
			changing++
		}
		said := r.Explain()
		if what := untold(r, said); what != "" {
			t.Errorf("%q: %s: %s", src, what, said)
		}
		if risk, _ := r.risk(); risk == RiskLow && !r.ReadOnly() {
			t.Errorf("%q: low risk", src)
		}
	}
	assert.Greater(t, changing, 1000)
	// The check sees what is left out.
	r := a.Analyze("rm x; git reset --hard")
	for _, said := range []string{"Deletes files", "Deletes files.", "Deletes x. It only reads.", "Deletes x and \x1b.", "Deletes x, then resets."} {
		assert.NotEmpty(t, untold(r, said), said)
	}
	assert.Empty(t, untold(r, r.Explain()))
}

// TestExplainTellsOfPairs is TestExplainTells for texts that are put together.
func TestExplainTellsOfPairs(t *testing.T) {
	texts := allTexts(t)
	chosen := rand.New(rand.NewPCG(1, 2))
	between := []string{"; ", " && ", " | ", "\n", " & ", " || ", ")(", "$(", "`", "'", "\"", " > ", " >> ", " <(", " 2> "}
	around := []string{"%s", "%s", "f() { %s; }; f", "bash -c '%s'", "sudo xargs %s", "if %s; then ls; fi > out", "(%s) >> log", "alias x='%s'\nx", "trap '%s' EXIT; ls"}
	a := New(Options{Home: "/home/u"})
	for range 6000 {
		src := texts[chosen.IntN(len(texts))] + between[chosen.IntN(len(between))] + texts[chosen.IntN(len(texts))]
		src = strings.Replace(around[chosen.IntN(len(around))], "%s", src, 1)
		r := a.Analyze(src)
		if what := untold(r, r.Explain()); what != "" {
			t.Errorf("%q: %s: %s", src, what, r.Explain())
		}
	}
}

// TestLost: what cannot be taken back is a notice that makes the risk high, is
// told, and keeps no rule from allowing the command; what only asks is none.
func TestLost(t *testing.T) {
	for src, want := range map[string]string{
		"git push -uf origin x": "commits of others", "git push origin '+HEAD:main'": "commits of others", "git push origin :x": "deleted for everyone",
		"git reset --hard": "not committed", "/usr/bin/git reset --hard": "not committed", "sudo git clean -xdf": "cannot be had back", "bash -c 'git checkout -- .'": "not committed",
		"git branch --delete --force x": "only this branch", "xargs git branch -D": "only this branch", "docker compose -p x down --volumes": "volumes of the project",
		"docker rm -fv c": "outside volumes", "kubectl -n x delete pod p": "is gone", "psql -c 'DROP TABLE x'": "database held", "redis-cli FLUSHALL": "database held",
		"aws s3 rb s3://x": "cannot be had back", "npm publish --access public": "others at once", "kill -s KILL 5": "not saved", "crontab -r": "run later", "dd if=a of=b": "overwritten",
		"truncate -s0 f": "beyond that size", "rsync -av --delete-after a/ b": "only at the destination", "git push $x --force": "commits of others", "git reset --har": "not committed", "git --no-pager push --mirr": "commits of others",
		"ssh h 'cd /srv && rm -rf x'": "cannot be had back", "docker exec c sh -c 'rm -rf /data'": "cannot be had back", "git restore . -- --staged": "not committed", "git push --force origin -- --dry-run": "commits of others", "command git stash clear": "kept aside", `\git gc --prune=now`: "no branch",
	} {
		r := Analyze(src)
		found := false
		for _, f := range r.Findings {
			if f.Code == CodeDestructive && strings.Contains(f.Text, want) {
				found = true
				assert.Equal(t, Notice, f.Severity, src)
				assert.False(t, f.Blocks, src)
				assert.NotZero(t, f.Command, src)
			}
		}
		assert.True(t, found, "%s: %v", src, r.Findings)
		assert.Equal(t, RiskHigh, r.Risk(), src)
		assert.Contains(t, strings.ToLower(r.Explain()), want, src)
		assert.False(t, r.ReadOnly(), src)
	}
	for _, src := range []string{
		"git push origin main", "git push -n --force", "git clean -ndx", "git restore --staged f", "git branch -d x", "git checkout main", "git rebase --continue", "kill 5", "docker compose down",
		"psql -c 'select dropped from x'", "rsync -an --delete a b", "npm publish --dry-run", "aws s3 ls", "git commit -m 'delete -f --amend'", "git log", "docker ps",
	} {
		for _, f := range Analyze(src).Findings {
			assert.NotEqual(t, CodeDestructive, f.Code, "%s: %s", src, f.Text)
		}
	}
	// Nothing that is read-only loses anything.
	for _, src := range allTexts(t) {
		if r := Analyze(src); r.ReadOnly() {
			for _, f := range r.Findings {
				assert.NotEqual(t, CodeDestructive, f.Code, src)
			}
		}
	}
}

// TestExplainShort: a long text is told from its beginning, and what changes
// something is told after a long row of what only reads.
func TestExplainShort(t *testing.T) {
	said := Analyze(strings.Repeat("ls a\ncat b\n", 80) + "rm precious").Explain()
	assert.Contains(t, said, "deletes precious")
	assert.Regexp(t, ` and \d+ more that only read`, said)
	assert.Less(t, len(said), 1500)
	writes := strings.Repeat("touch a\nmkdir b\n", 95)
	said = Analyze(writes).Explain()
	assert.Regexp(t, ` and \d+ more commands`, said)
	assert.Less(t, len(said), 5000)
	// A word that is long is cut, and one with a backquote closes nothing.
	said = Analyze("git merge '" + strings.Repeat("x", 300) + "` and nothing else'").Explain()
	assert.Less(t, len(said), 100)
	assert.Equal(t, 2, strings.Count(said, "`"))
}

// TestTellLines: what the lines lost, control, show and told of a description may hold.
func TestTellLines(t *testing.T) {
	program := func(line string) Options {
		return Options{Programs: []Source{{"x.txt", "program frob\n  why ours\n  say frobs\n  flags -q\n  flag text -m\n  operands text*\n  effect write ?\n" + line + "\n  no frob\n"}}}
	}
	for _, line := range []string{
		"lost", "control", "control -f :", "lost -f :", "lost ! : x", "lost ~ : x", "show -z : frobs", "lost all.", "lost a `b`", "show frobs", "show operands :", "show {0} : frobs", "show {x} : frobs", "show all : frobs", "show -m operands : frobs", "told yes", "told\n  told",
	} {
		a := New(program("  " + line))
		var bad *DescriptionError
		require.ErrorAs(t, a.Err(), &bad, line)
	}
	for line, want := range map[string]string{
		"show operands : frobs the":            "Frobs the `a b c …`",
		"show {2} : frobs the":                 "Frobs the `b`",
		"show {3*} : frobs the":                "Frobs the `c -mx d`",
		"show {0*} : frobs:":                   "Frobs: `a b c …`",
		"show whole {0*} : frobs:":             "Frobs: `a b c -mx d`",
		"show -m : frobs as":                   "Frobs as `x`",
		"show {1} : frobs\n  show -m : , with": "Frobs `a`, with `x`",
		"show -q : frobs\n  show -m : , with":  "Frobs, with `x`",
		"lost all of it":                       "All of it.",
		"control another gets it":              "Another gets it.",
		"lost -m B : all of it":                "All of it.",
		"lost ~B !d : all of it":               "Frobs",
	} {
		a := New(program("  " + line))
		require.NoError(t, a.Err(), line)
		assert.Contains(t, a.Analyze("frob a b c -mx d").Explain(), want, line)
	}
}
