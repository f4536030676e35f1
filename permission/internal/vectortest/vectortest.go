// Package vectortest runs files of test vectors, one JSON object a line.
package vectortest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// Vector is one line of a file.
type Vector map[string]any

// String returns a string field, or "".
func (v Vector) String(key string) string { s, _ := v[key].(string); return s }

// Bool returns a boolean field, or false.
func (v Vector) Bool(key string) bool { b, _ := v[key].(bool); return b }

// ID names the vector: its id, else its line.
func (v Vector) ID() string { return v.String("id") }

// Result is the outcome of one vector.
type Result struct {
	// Skip, when not empty, says why the vector is not counted.
	Skip string
	OK   bool
	// Detail says what came out instead.
	Detail string
}

// Dir returns the folder of the vectors: $CLEARANCE_VECTORS, else
// shared/vectors beside the module root. Where there is none, the test is
// skipped, or fails when CI=true.
func Dir(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("CLEARANCE_VECTORS"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	for err == nil {
		if _, e := os.Stat(filepath.Join(dir, "go.mod")); e == nil {
			v := filepath.Join(filepath.Dir(dir), "shared", "vectors")
			if _, e := os.Stat(v); e == nil {
				return v
			}
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	const missing = "no test vectors: set CLEARANCE_VECTORS to their folder, or put shared/vectors beside the module"
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// Run evaluates every vector of a file and prints the counts and the failing
// ids. A vector named in testdata/vector-exceptions.txt is counted apart.
func Run(t *testing.T, name string, check func(testing.TB, Vector) Result) {
	t.Helper()
	f, err := os.Open(filepath.Join(Dir(t), name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	except := exceptions(t)
	var passed, skipped int
	var failed, excepted []string
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 4<<20)
	for line := 1; sc.Scan(); line++ {
		var v Vector
		if err := json.Unmarshal(sc.Bytes(), &v); err != nil {
			t.Fatalf("%s:%d: %v", name, line, err)
		}
		if v.ID() == "" {
			v["id"] = fmt.Sprintf("%s:%d", strings.TrimSuffix(name, ".jsonl"), line)
		}
		r := check(t, v)
		switch {
		case r.Skip != "":
			skipped++
		case r.OK:
			passed++
		case except[v.ID()] != "":
			excepted = append(excepted, v.ID())
		default:
			failed = append(failed, v.ID()+": "+r.Detail)
		}
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("vectors %s: %d passed, %d failed, %d skipped\n", name, passed, len(failed), skipped)
	if len(excepted) > 0 {
		sort.Strings(excepted)
		fmt.Printf("  excepted with a reason: %s\n", strings.Join(excepted, " "))
	}
	for _, f := range failed {
		fmt.Printf("  failed %s\n", f)
		t.Errorf("%s", f)
	}
}

func exceptions(t testing.TB) map[string]string {
	out := map[string]string{}
	data, err := os.ReadFile(filepath.Join("testdata", "vector-exceptions.txt"))
	if os.IsNotExist(err) {
		return out
	}
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		id, reason, ok := strings.Cut(line, ": ")
		if !ok || strings.TrimSpace(reason) == "" {
			t.Fatalf("testdata/vector-exceptions.txt:%d: want \"id: reason\"", i+1)
		}
		out[id] = reason
	}
	return out
}
