package bashcheck

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// everyProgram are the embedded descriptions, all of them, read file by file
// and strictly. A broken one fails every test that asks.
var everyProgram = sync.OnceValue(func() map[string]*program {
	into := map[string]*program{}
	err := eachProgramFile(programFiles, func(name string, data []byte) error {
		return loadPrograms(name, string(data), into)
	})
	if err != nil {
		panic(err)
	}
	return into
})

// told is a description without what depends on the order of a map.
type told struct {
	program
	letters map[byte]flagSpec
	subs    map[string]told
}

func tell(p *program) told {
	out := told{program: *p, letters: map[byte]flagSpec{}, subs: map[string]told{}}
	for c := range byte(128) {
		if f := p.letter(c); f != nil {
			out.letters[c] = *f
		}
	}
	for name, s := range p.subs {
		out.subs[name] = tell(s)
	}
	out.program.letters, out.short, out.program.subs, out.parent = [128]uint8{}, nil, nil, nil
	return out
}

// TestFirstUse: each description read by itself is the one that is read with
// its whole file, and the index knows the same names.
func TestFirstUse(t *testing.T) {
	table := builtin()
	require.NoError(t, table.err)
	every := everyProgram()
	require.Greater(t, len(every), 500)
	require.ElementsMatch(t, slices.Collect(maps.Keys(every)), slices.Collect(maps.Keys(table.descriptions)))
	for name, want := range every {
		got, err := table.lookup(name)
		require.NoError(t, err)
		require.Equal(t, tell(want), tell(got), name)
	}
	missing, err := table.lookup("no such program")
	require.NoError(t, err)
	require.Nil(t, missing)
}

// everyText are the texts that the package is tested with: the examples of the
// descriptions, testdata, and the vectors where they are.
func everyText(t *testing.T) []string {
	var texts []string
	for _, p := range everyProgram() {
		for _, e := range p.examples {
			texts = append(texts, e.command)
		}
	}
	for _, d := range differentials {
		texts = append(texts, d.src)
	}
	for _, dir := range []string{os.Getenv("CLEARANCE_VECTORS"), "../../shared/vectors", "../../../shared/vectors"} {
		vectors, err := filepath.Glob(filepath.Join(dir, "bash-*.jsonl"))
		require.NoError(t, err)
		for _, name := range vectors {
			data, err := os.ReadFile(name)
			require.NoError(t, err)
			for line := range strings.Lines(string(data)) {
				var v vector
				require.NoError(t, json.Unmarshal([]byte(line), &v))
				texts = append(texts, v.Command)
			}
		}
	}
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	for _, name := range files {
		texts = append(texts, tableLines(t, filepath.Base(name))...)
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// TestFirstUseReports: an analyzer that reads descriptions when they are first
// asked for and one that has them all make the same reports.
func TestFirstUseReports(t *testing.T) {
	texts := everyText(t)
	require.Greater(t, len(texts), 3000)
	if testing.Short() {
		texts = texts[:len(texts)/10] // one goroutine: the race detector has nothing to see here
	}
	for _, o := range []Options{{}, {Home: "/home/u", Shell: Zsh}} {
		fresh, full := New(o), New(o)
		table := freshTable(t)
		fresh.table = func() *programTable { return table }
		full.table = func() *programTable { return &programTable{} } // nothing comes from there
		full.own = everyProgram()
		for _, src := range texts {
			a, b := fresh.Analyze(src), full.Analyze(src)
			require.Equal(t, b, a, src)
			require.Equal(t, b.Explain(), a.Explain(), src)
			require.Equal(t, b.Risk(), a.Risk(), src)
			require.Equal(t, b.RiskReason(), a.RiskReason(), src)
			require.Equal(t, b.ReadOnly(), a.ReadOnly(), src)
		}
	}
	// Without any description the reports are others: the comparison sees it.
	none := New(Options{})
	none.table = func() *programTable { return &programTable{} }
	require.NotEqual(t, Analyze("ls"), none.Analyze("ls"))
}

// freshTable is a table of the embedded descriptions, none of which was read.
func freshTable(t testing.TB) *programTable {
	table := indexPrograms(programFiles)
	require.NoError(t, table.err)
	return table
}

// folder holds descriptions in files that are named by their number.
func folder(texts ...string) fstest.MapFS {
	files := fstest.MapFS{}
	for i, text := range texts {
		files[fmt.Sprintf("programs/%d.txt", i)] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

// used are the first names of the programs whose descriptions were read.
func (t *programTable) used() (names []string) {
	for _, d := range t.descriptions {
		if d.err != nil {
			names = append(names, d.err.Error())
		} else if d.program != nil {
			names = append(names, d.program.names[0])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// TestFirstUseReadsLittle: a command costs its own descriptions and no others.
func TestFirstUseReadsLittle(t *testing.T) {
	for src, want := range map[string][]string{
		"ls -la": {"ls"}, "ls -la | head": {"head", "ls"}, "/bin/dir x": {"ls"}, "./build/ls": {"ls"}, "no-such-program": nil, "no-such-dir/x": nil, "x=1": nil,
		"git status && git diff | head": {"git", "head"}, "sudo env A=1 nice ls": {"env", "ls", "nice", "sudo"}, "find . -exec wc {} \\;": {"find", "wc"}, "bash -c 'cat f'": {"bash", "cat"},
	} {
		a, table := New(Options{}), freshTable(t)
		a.table = func() *programTable { return table }
		require.Empty(t, table.used())
		a.Analyze(src)
		assert.Equal(t, want, table.used(), src)
	}
}

// TestFirstUseAtOnce: many may ask for the same descriptions at the same time,
// and get the same ones. The race detector is its judge too.
func TestFirstUseAtOnce(t *testing.T) {
	a, table := New(Options{}), freshTable(t)
	a.table = func() *programTable { return table }
	names := slices.Sorted(maps.Keys(table.descriptions))
	const readers = 16
	found := make([][]*program, readers)
	reports := make([]Report, readers)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range readers {
		wg.Go(func() {
			<-start
			for j := range names {
				p, err := table.lookup(names[(j+i%4)%len(names)])
				if err != nil {
					t.Error(err)
				}
				found[i] = append(found[i], p)
			}
			reports[i] = a.Analyze(text488)
		})
	}
	close(start)
	wg.Wait()
	for i := range found {
		require.Equal(t, reports[0], reports[i])
		for j := range names {
			require.Same(t, found[i][j], found[0][(j+i%4)%len(names)])
		}
	}
}

// TestBrokenDescription: a description that cannot be read describes nothing,
// says so, and takes nothing from the others.
func TestBrokenDescription(t *testing.T) {
	const good = "# a comment\n\nprogram x y # a comment\n  why ours\n  say prints\n  flags -a\n  operands read*\n  yes x f\n"
	const bad = " \tprogram z zz\n  why ours\n  say prints\n  operands file*\n  yes z f\n"
	table := indexPrograms(folder(good+bad, "program ls\n  why ours\n  say lists\n  flags -a\n  operands list*\n  yes ls\n"))
	require.NoError(t, table.err)
	require.Equal(t, []string{"ls", "x", "y", "z", "zz"}, slices.Sorted(maps.Keys(table.descriptions)))
	a := New(Options{})
	a.table = func() *programTable { return table }
	for _, src := range []string{"x f", "y -a f", "ls", "x f | ls"} {
		assert.True(t, a.Analyze(src).ReadOnly(), src)
	}
	for range 2 { // it is still broken when it is asked for again
		for _, src := range []string{"z", "z f", "zz f", "./z f", "ls; z", "/bin/zz"} {
			r := a.Analyze(src)
			assert.False(t, r.ReadOnly(), src)
			assert.Equal(t, RiskHigh, r.Risk(), src)
			require.Contains(t, codes(r, Dangerous), CodeBadDescription, src)
			assert.Contains(t, r.Findings[0].Text, `programs/0.txt:12:12: unknown kind "file": it begins with`, src)
			assert.True(t, r.Findings[0].Blocks)
		}
	}
	_, err := table.lookup("zz")
	var typed *DescriptionError
	require.ErrorAs(t, err, &typed)
	// A program of the caller's own takes its place.
	own := New(Options{Programs: []Source{{"own", "program z\n  why ours\n  say prints\n  operands read*\n  yes z f\n"}}})
	own.table = a.table
	assert.True(t, own.Analyze("z f").ReadOnly())
	assert.False(t, own.Analyze("zz f").ReadOnly())
}

// TestIndexIsTheLoader: where the texts cannot be told apart into descriptions
// the index says what the loader says, or nothing is described; and a name is
// never found where the loader finds none.
func TestIndexIsTheLoader(t *testing.T) {
	const row = "\n  why ours\n  say prints\n  yes x\n"
	for name, files := range map[string][]string{
		"a line before the first": {"why ours\nprogram x" + row}, "no name": {"program" + row}, "a comment for a name": {"program # x" + row},
		"twice in a file": {"program x" + row + "program x" + row}, "twice in a row": {"program x x" + row}, "twice in two files": {"program x" + row, "program y x" + row},
		"an alias twice": {"program y x" + row + "\tprogram x\t" + row},
		"a longer word":  {"program x" + row + "programs y" + row}, "a shorter word": {"program x" + row + "  progra y\n"},
	} {
		var loaded error
		into := map[string]*program{}
		for i, text := range files {
			loaded = errors.Join(loaded, loadPrograms(fmt.Sprintf("programs/%d.txt", i), text, into))
		}
		require.Error(t, loaded, name)
		table := indexPrograms(folder(files...))
		a := New(Options{})
		a.table = func() *programTable { return table }
		r := a.Analyze("x")
		assert.False(t, r.ReadOnly(), name)
		assert.Contains(t, codes(r, Dangerous), CodeBadDescription, name)
		assert.Contains(t, r.Findings[0].Text, loaded.Error()[:strings.LastIndexByte(loaded.Error(), ':')+2], name)
	}
	// The first line of a description holds the same words for both.
	for _, line := range []string{"program x", "program\tx", "  program x y", "\t program  x\ty  ", "program x # y", "program x #y", "program x\r", "program x \u00a0", "program x\n#program y\n # program z", "program x\n\n   \n", "program x\n  why program y\n  say program z"} {
		text := line + "\n  say prints\n  operands read*\n  yes x f\n  why ours\n"
		into := map[string]*program{}
		err := loadPrograms("programs/0.txt", text, into)
		table := indexPrograms(folder(text))
		require.NoError(t, table.err, "%q", line)
		for n := range table.descriptions {
			p, failed := table.lookup(n)
			assert.Equal(t, err, failed, "%q", line)
			if err == nil {
				assert.Equal(t, tell(into[n]), tell(p), "%q", line)
			}
		}
		if err == nil {
			assert.Len(t, table.descriptions, len(into), "%q", line)
		}
	}
}
