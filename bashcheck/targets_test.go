package bashcheck

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMarksAndTargetsAreStrict: what is wrong in the lines that put names
// together is an error when the table is loaded.
func TestMarksAndTargetsAreStrict(t *testing.T) {
	const good = "program p\n why x\n say works\n flags -a\n flag text -o\n mark out -o\n operands text*\n effect write {out:.d}x if out !out\n effect write {*}.gz if 2-\n effect write {2*} if 2+ 3-\n effect write ? if unclear\n no p a\n"
	require.NoError(t, loadPrograms("f", good, map[string]*program{}))
	for line, want := range map[string]string{
		"effect write {out} if":           "f:13:21: if needs conditions: write if NAME",
		"effect write {out} if none":      `f:13:24: there is no mark "none" above this line: write mark none FLAG…`,
		"effect write {out} if !none out": `f:13:24: there is no mark "none"`,
		"effect write {out} if out 0+":    `f:13:28: there is no mark "0+"`,
		"effect write {out} if +":         `no mark "+"`,
		"effect write {out} if x-":        `no mark "x-"`,
		"effect write {none}":             "no such target: write {1}",
		"effect write {0}":                "no such target: write {1}",
		"effect write {*:gz}":             "behind the colon",
		"effect write {*}**":              "one star at most",
		"effect write {*}[a]":             "one star at most",
		"effect write {*} to 1":           "write effect KIND TARGET [own] [if CONDITION…]",
		"effect frob {*}":                 `f:13:9: unknown effect "frob": write change, connect,`,
		"effect connect/tree h":           `unknown effect "connect/tree": only paths have something below them; write connect`,
		"effect read/all .":               `unknown effect "read/all": write read, read/tree or read/within`,
		"mark out":                        "a name and flags",
		"mark out -z":                     "flag -z is not described",
		"mark remote -a":                  "cannot be called remote",
		"mark unclear -a":                 "that is not remote, unnamed or unclear",
		"mark 2 -a":                       "small letters",
		"operands remote:frob":            "operands needs kinds, once",
		"otherwise write ?":               `unknown keyword "otherwise"`,
		"default write ?":                 `unknown keyword "default"`,
		"effect write":                    "f:13:2: effect needs a kind and a target",
		"effect write ? own if out if":    `no mark "if"`,
	} {
		err := loadPrograms("f", good+" "+line+"\n", map[string]*program{})
		require.Error(t, err, line)
		assert.Contains(t, err.Error(), want)
	}
}

// TestDownloaded: wget gives the names that are told, or nothing is told.
func TestDownloaded(t *testing.T) {
	for u, want := range map[string]string{"http://h/a%2fb": "", "http://h/a?b=c/d": "", "ftp://h/*.c": "", "http://h/%zz": "", "http://h/..": "", "h": "index.html", "http://u:p@h:1/x": "x", "http://h/%2eenv": ".env"} {
		assert.Equal(t, want, downloaded(u), u)
	}
	wget := need(t, "wget")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return
		}
		w.Header().Set("Content-Disposition", `attachment; filename=".env"`)
		fmt.Fprintln(w, "x")
	}))
	defer server.Close()
	for _, rest := range []string{"/a/b.txt", "", "/", "/d/", "/%2eenv", "/%2Eenv?a", "/a?b=1", "/a?", "/a#b", "?x", "/a%20b", "/a+b", "/.env", "/a;b", "/away", "/a%25b", "/a?x=%2e", "/a%3fb", "/a%23b", "/a%3a", "/a%22", "/~u", "/A%c3%a9"} {
		dir := t.TempDir()
		cmd := exec.CommandContext(t.Context(), wget, "-q", "--no-config", "--no-hsts", "--no-proxy", server.URL+rest)
		cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir, "LC_ALL=C.UTF-8"}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", rest, out)
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, entries, 1, rest)
		if told := downloaded(server.URL + rest); told != "" {
			assert.Equal(t, entries[0].Name(), told, rest)
		}
	}
}
