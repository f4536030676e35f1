package toolset_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission/internal/vectortest"
)

// TestCases decides the table in testdata/cases.txt for the machine of the
// vectors.
func TestCases(t *testing.T) {
	f, err := os.Open("testdata/cases.txt")
	require.NoError(t, err)
	defer f.Close()
	sc := bufio.NewScanner(f)
	n := 0
	for line := 1; sc.Scan(); line++ {
		text := sc.Text()
		if text == "" || text[0] == '#' {
			continue
		}
		cols := strings.SplitN(text, "|", 4)
		require.Len(t, cols, 4, "line %d", line)
		for i := range cols {
			cols[i] = strings.TrimSpace(cols[i])
		}
		v := caseVector(t, cols[1], cols[2], cols[3])
		n++
		got, why := decideVector(t, v)
		if got != cols[0] {
			t.Errorf("line %d: got %s: %s\n\t%s", line, got, text, why)
		}
	}
	require.NoError(t, sc.Err())
	require.Greater(t, n, 150)
}

func caseVector(t *testing.T, mode, rules, call string) vectortest.Vector {
	lists := map[string]any{}
	for _, r := range strings.Split(rules, " ; ") {
		if r == "" {
			continue
		}
		key := map[byte]string{'+': "allow", '?': "ask", '-': "deny"}[r[0]]
		require.NotEmpty(t, key, r)
		list, _ := lists[key].([]any)
		lists[key] = append(list, r[1:])
	}
	tool, input := "Bash", map[string]any{}
	if rest, ok := strings.CutPrefix(call, "@"); ok {
		tool, call, _ = strings.Cut(rest, " ")
	}
	field := map[string]string{"Bash": "command", "Read": "file_path", "Edit": "file_path", "MultiEdit": "file_path", "Write": "file_path",
		"NotebookEdit": "notebook_path", "WebFetch": "url", "WebSearch": "query"}[tool]
	if strings.HasPrefix(call, "{") && !strings.HasPrefix(call, "{ ") {
		require.NoError(t, json.Unmarshal([]byte(call), &input), call)
	} else {
		call = strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\\`, `\`).Replace(call)
		input[field] = call
	}
	return vectortest.Vector{"id": fmt.Sprint(tool, " ", call), "mode": mode, "rules": lists, "tool": tool, "input": input, "cwd": "/home/u/proj"}
}
