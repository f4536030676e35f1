package checkedrun_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/bashcheck/checkedrun"
)

// TestBenignCorpus compares with a real bash: the same output and status for
// every command of the corpus that is run here, and prints the share.
func TestBenignCorpus(t *testing.T) {
	commands := corpus(t)
	bash, err := exec.LookPath("bash")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("bash is not installed")
		}
		t.Skip("bash is not installed: there is nothing to compare with")
	}
	var mu sync.Mutex
	same, refused, different := 0, 0, 0
	compare := func(text string) {
		rep := analyzer.Analyze(text)
		dir, wanted := project(t), project(t)
		cmd := exec.Command(bash, "--noprofile", "--norc", "-c", text)
		cmd.Dir, cmd.Env = wanted, env()
		want := make(chan []byte, 1)
		go func() {
			out, _ := cmd.Output()
			want <- out
		}()
		var out bytes.Buffer
		o := granted(text, dir)
		o.Stdout = &out
		o.Limits.Time = 2 * time.Minute
		status, err := checkedrun.Run(context.Background(), rep, o)
		bashed := strings.ReplaceAll(string(<-want), wanted, dir)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			refused++
			t.Logf("refused: %q: %v", text, err)
			return
		}
		if cmd.ProcessState.ExitCode() == status && (bashed == out.String() || volatile(rep)) && files(t, dir) == files(t, wanted) {
			same++
			return
		}
		different++
		t.Errorf("%q: status %d, bash %d\n%s%s\n-- bash --\n%s%s", text, status, cmd.ProcessState.ExitCode(), out.String(), files(t, dir), bashed, files(t, wanted))
	}
	var list []string
	for _, text := range commands {
		// What pgrep finds is the other processes of this test.
		if analyzer.Analyze(text).ReadOnly() && !strings.HasPrefix(text, "pgrep") {
			list = append(list, text)
		}
	}
	// Every day one in three runs, and none of the slow ones, which walk the whole
	// machine; all of them run in CI.
	total := len(list)
	var wg sync.WaitGroup
	next := make(chan string)
	for range 4 {
		wg.Go(func() {
			for text := range next {
				compare(text)
			}
		})
	}
	left := 0
	for i, text := range list {
		if os.Getenv("CI") != "true" && (slow(text) || i%3 != 0) {
			left++
			continue
		}
		next <- text
	}
	for _, text := range writers {
		next <- text
	}
	close(next)
	wg.Wait()
	require.NotZero(t, total)
	share := 100 * float64(same+different) / float64(same+different+refused)
	t.Logf("checkedrun: %d of %d commands run (%.1f %%), %d the same as bash; %d writers among them; %d more only in CI", same+different, same+different+refused, share, same, len(writers), left)
	require.GreaterOrEqual(t, share, 95.0)
}

// writers are everyday commands that change files; what they leave is compared
// too.
var writers = []string{
	"touch new1 new2", "cp a.txt c.txt", "cp a.txt b.txt src", "cp -r src dst", "mv a.txt src/", "mv b.txt c.txt", "rm b.txt", "rm -r src", "rm *.txt", "mkdir -p d1/d2/d3", "rmdir nothing 2>/dev/null || mkdir something",
	"cat a.txt b.txt > all.txt", "sort -r a.txt >> b.txt", "echo hi | tee out.txt", "sed -i s/one/uno/ a.txt", "ln -s a.txt link", "cd src && touch z.go", "for f in *.txt; do cp \"$f\" \"$f.bak\"; done",
	"for i in 1 2 3; do echo line $i; done > lines.txt", "{ echo a; echo b; } > ab.txt", "if [ ! -f none ]; then echo made > none; fi", "cat > here.txt <<'EOF'\nsome $text\nEOF", "x=$(wc -l < a.txt); echo \"$x lines\" > count.txt",
	"find . -name '*.go' -delete", "find . -name '*.txt' | xargs rm", "(cd src; echo x > sub.txt); ls", "true > empty && : > empty2", "mkdir d; mv *.txt d; ls d", "cat a.txt missing > out.txt 2>&1", "cat missing > out.txt || rm out.txt", "chmod +x a.txt", "tar cf src.tar src && rm -r src && tar xf src.tar && rm src.tar",
}

// files is what lies in a folder: names, modes and contents.
func files(t *testing.T, dir string) string {
	var b strings.Builder
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, name)
		info, err := d.Info()
		if err != nil {
			return err
		}
		data := []byte(nil)
		switch {
		case d.Type().IsRegular():
			data, err = os.ReadFile(name)
		case d.Type()&os.ModeSymlink != 0:
			var to string
			to, err = os.Readlink(name)
			data = []byte(to)
		}
		b.WriteString(rel + " " + info.Mode().String() + " " + strconv.Quote(string(data)) + "\n")
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return b.String()
}

// slow commands look through the whole machine or wait.
func slow(text string) bool {
	for _, w := range []string{"find /", "du ", "sleep", "lsof", "grep -r /", "rg ", "ls -R /", "go ", "npm", "tree /", "locate", "--version"} {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

// volatile says that two runs of a command may print different things: it
// tells the time, which processes there are or how full something is, or it
// looks at what belongs to the machine and not to the test.
func volatile(rep bashcheck.Report) bool {
	for _, c := range rep.Commands {
		switch path.Base(c.Argv[0].Text) {
		case "date", "ps", "pgrep", "pstree", "top", "uptime", "w", "who", "last", "free", "vmstat", "df", "du", "ss", "netstat", "lsof", "dmesg", "journalctl", "stat", "times", "jobs", "id", "docker", "kubectl", "systemctl", "ip", "lsblk", "mount", "findmnt":
			return true
		case "echo", "printf":
			if slices.ContainsFunc(c.Argv, func(w bashcheck.Word) bool {
				return strings.Contains(w.Text, "$$") || strings.Contains(w.Text, "RANDOM")
			}) {
				return true
			}
		}
	}
	return slices.ContainsFunc(rep.Effects(), func(e bashcheck.Effect) bool {
		if !path.IsAbs(e.Target) {
			return e.Extent == bashcheck.Anywhere && e.Kind == bashcheck.Read
		}
		for _, own := range []string{"/usr/", "/etc/", "/bin/", "/opt/"} {
			if strings.HasPrefix(e.Target, own) {
				return false
			}
		}
		return true
	})
}

func corpus(t *testing.T) []string {
	t.Helper()
	dir := os.Getenv("CLEARANCE_VECTORS")
	for up := "."; dir == ""; up = filepath.Join("..", up) {
		if _, err := os.Stat(filepath.Join(up, "go.mod")); err == nil {
			dir = filepath.Join(up, "..", "shared", "vectors")
		} else if len(up) > 40 {
			break
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "bash-benign.jsonl"))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("no test vectors: set CLEARANCE_VECTORS to their folder, or put shared/vectors beside the module")
	}
	var out []string
	for _, line := range strings.Split(string(data), "\n") {
		if line == "" {
			continue
		}
		var v struct{ Command, Expect string }
		require.NoError(t, json.Unmarshal([]byte(line), &v))
		if v.Expect == "readonly" {
			out = append(out, v.Command)
		}
	}
	return out
}
