package bashcheck

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// formatPage is programs/README.md by its sections.
func formatPage(t *testing.T) map[string]string {
	data, err := os.ReadFile("programs/README.md")
	require.NoError(t, err)
	sections := map[string]string{}
	for _, part := range strings.Split("\n"+string(data), "\n## ")[1:] {
		title, text, _ := strings.Cut(part, "\n")
		sections[title] = text
	}
	return sections
}

// firstColumn are the words in backquotes of the first column of tables, by the
// title of the column.
func firstColumn(section string) map[string][]string {
	out := map[string][]string{}
	title := ""
	for line := range strings.Lines(section) {
		cell, ok := strings.CutPrefix(line, "| ")
		if !ok {
			title = ""
			continue
		}
		cell, _, _ = strings.Cut(cell, " |")
		switch {
		case title == "":
			title = cell
		case cell != "---":
			for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
				out[title] = append(out[title], m[1])
			}
		}
	}
	return out
}

// TestFormatWords: every word that the loader knows is documented, and every
// documented word is known.
func TestFormatWords(t *testing.T) {
	page := formatPage(t)
	same := func(documented []string, known ...string) {
		t.Helper()
		assert.ElementsMatch(t, known, documented)
	}
	var lines []string
	for _, w := range firstColumn(page["Lines"])["line"] {
		first, _, _ := strings.Cut(w, " ")
		lines = append(lines, first)
	}
	same(lines, append(slices.Collect(maps.Keys(keywords)), "program")...)
	for w := range classWords {
		assert.Contains(t, page["Lines"], "`"+w+"`")
	}

	kinds := firstColumn(page["Kinds"])
	same(kinds["what"], append(slices.Collect(maps.Keys(kindWords)), pathWords...)...)
	var forms []string
	for _, w := range kinds["form"] {
		first, _, _ := strings.Cut(w, "=")
		forms = append(forms, first)
	}
	same(forms, slices.Concat(slices.Collect(maps.Keys(formWords)), slices.Collect(maps.Keys(listWords)), []string{remoteForm})...)
	same(kinds["kind"], slices.Collect(maps.Keys(readerWords))...)
	for _, w := range slices.Concat(kinds["what"], kinds["kind"], []string{"read/tree", "write/within"}) {
		_, problem := parseKind(w)
		assert.Empty(t, problem)
	}
	for _, w := range kinds["form"] {
		if strings.HasPrefix(w, "ending=") || strings.HasPrefix(w, "not=") {
			w = "spelled:" + w
		}
		_, problem := parseKind("read:" + w)
		assert.Empty(t, problem)
	}

	_, list, ok := strings.Cut(page["Effects"], "EFFECT is ")
	require.True(t, ok)
	list, _, _ = strings.Cut(list, ".\n")
	var effects []string
	for _, m := range regexp.MustCompile("`([a-z/]+)`").FindAllStringSubmatch(list, -1) {
		if m[1] != "/tree" && m[1] != "/within" {
			effects = append(effects, m[1])
		}
	}
	same(effects, slices.Collect(maps.Keys(effectWords))...)
	tables := firstColumn(page["Effects"])
	same(tables["condition"], "NAME", "!NAME", "2+", "1-", unnamedWord, unclearWord, remoteForm)
	p := &program{marks: []string{"NAME"}}
	for _, w := range tables["condition"] {
		assert.Empty(t, new(conditions).condition(p, w))
	}
	var hows []string
	for _, w := range tables["target"] {
		fe := fixedEffect{target: w}
		assert.Empty(t, fe.aim(p), w)
		assert.True(t, fe.computed() || fe.operand != 0, w)
		if fe.how != "" {
			hows = append(hows, fe.how)
		}
	}
	same(hows, "dir", "unpacked", "url", ".o", "/.o", "+.zip")
}

// TestFormatExamples: the examples of the page are descriptions, and what their
// yes and no lines say holds.
func TestFormatExamples(t *testing.T) {
	blocks := strings.Split(formatPage(t)["Three examples"], "```text\n")[1:]
	require.Len(t, blocks, 3)
	var sources []Source
	into := map[string]*program{}
	for i, b := range blocks {
		text, _, ok := strings.Cut(b, "```")
		require.True(t, ok)
		require.NoError(t, loadPrograms(fmt.Sprint(i), text, into))
		sources = append(sources, Source{fmt.Sprint(i), text})
	}
	require.Len(t, into, 3)
	a := New(Options{Programs: sources})
	require.NoError(t, a.Err())
	for name, p := range into {
		require.NotEmpty(t, p.examples, name)
		for _, e := range p.examples {
			assert.Equal(t, e.yes, a.Analyze(e.command).ReadOnly(), "%s: %s", e.command, a.Analyze(e.command).Explain())
		}
	}
	targets := func(src string, k Kind) (out []string) {
		for _, e := range a.Analyze(src).Effects() {
			if e.Kind == k {
				out = append(out, e.Target)
			}
		}
		return out
	}
	assert.Equal(t, []string{"a.txt.sq"}, targets("squeeze a.txt", Write))
	assert.Equal(t, []string{"a.txt"}, targets("squeeze a.txt", Delete))
	assert.Equal(t, []string{"b.sq"}, targets("squeeze -k -o b.sq a.txt", Write))
	assert.Contains(t, targets("squeeze --frob a.txt", Write), "")
}

// everyError holds, for each error of the page, a line or a text that has it.
// What does not begin with program stands in a description that is right.
var everyError = []string{
	"say x", "why x\nprogram x", "\tprogram", "program x x", "program twice\nwhy x\nsay x\nyes twice\nprogram twice", "program other",
	"frob", "own x", "own\nown", "why", "class", "class frob", "say", "say x", "lost", "control x.", "show x", "lost ! : x", "show {x} : y", "show frob : y", "show -a operands : y", "show --none : y",
	"flags", "flag text", "flags x", "flag text -a", "names -z", "mode a -m", "mode a", "mode none -x", "mark a", "mark remote -a", "mark x -z",
	"mark ma -a\nmark mb -a\nmark mc -a\nmark md -a\nmark me -a\nmark mf -a\nmark mg -a\nmark mh -a\nmark mi -a\nmark mj -a\nmark mk -a\nmark ml -a\nmark mm -a\nmark mn -a\nmark mo -a\nmark mp -a",
	"first", "operands", "form m\noperands text*+", "form m\noperands text* text+", "form m\noperands run:command text", "form m\noperands text args:find",
	"flag frob -x", "flag number:word -x", "flag text:frob -x", "flag write:helm-chart -x", "flag text:word:word -x", "flag text:one=,a -x", "flag read:not=a -x", "effect connect/tree x", "flag read/all -x",
	"effect frob x", "effect read", "effect read {x}", "effect read {1:x}", "effect read {1}**", "effect read x if", "effect read x if x",
	"assume", "glob", "flag write -x\nglob ok", "prefix", "form", "form none", "sub s\n say x\nform y", "sub", "sub s s", `sub "a b`, "program y\nwhy x\noperands text\nsub s\nsay x\nno y", "sub s\n say x\n help", "about", "about : --version", "about frob : --version", "sub s\n say x\n about --version", "group", "alone", "yes", "no",
	"program y\nwhy x\nsay x", "program y\nwhy x\nsay x\nno z", "program y\nwhy x\nno y", "program y\nsay x\nno y", "program y\nwhy x\nsay x\nno y\nmode none -x",
}

// TestFormatErrors: every error is in the index of the page, every entry of the
// index is an error, and none is without file, line and column.
func TestFormatErrors(t *testing.T) {
	entries := map[string]*regexp.Regexp{}
	for _, e := range firstColumn(formatPage(t)["Errors"])["error"] {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(e), "…", ".+")
		entries[e] = regexp.MustCompile(`^f:\d+:\d+: (program \S+: )?` + pattern + "$")
	}
	const good = "program x\nwhy x\nsay x\nflags -a\nmode m -m\nform m\nform operands\noperands read*\nyes x\n"
	const base = "program x\nwhy x\nsay x\nflags -a\nmode m -m\noperands read*\nyes x\n"
	require.NoError(t, loadPrograms("f", good, map[string]*program{}))
	met := map[string]bool{}
	for _, text := range everyError {
		if !strings.HasPrefix(strings.TrimSpace(text), "program") && text != "say x" && !strings.HasPrefix(text, "why x") {
			text = base + text + "\n"
			if !strings.Contains(text, "form m") {
				text += "form m\n"
			}
		}
		into := map[string]*program{"other": {file: "another"}}
		err := loadPrograms("f", text, into)
		if !assert.Error(t, err, text) {
			continue
		}
		found := false
		for e, r := range entries {
			if r.MatchString(err.Error()) {
				met[e], found = true, true
			}
		}
		assert.True(t, found, "the index lacks %s", err)
	}
	for e := range entries {
		assert.True(t, met[e], "no error is %q", e)
	}
}
