package scope

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// vectorFile finds a file of test vectors: in $CLEARANCE_VECTORS, else in
// shared/vectors beside the module root.
func vectorFile(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("CLEARANCE_VECTORS")
	if dir == "" {
		wd, err := os.Getwd()
		require.NoError(t, err)
		for d := wd; ; d = filepath.Dir(d) {
			if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
				dir = filepath.Join(d, "..", "shared", "vectors")
				break
			}
			if d == filepath.Dir(d) {
				break
			}
		}
	}
	file := filepath.Join(dir, name)
	if _, err := os.Stat(file); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the vector file %s is missing", name)
		}
		t.Skipf("the vector file %s is not here; set CLEARANCE_VECTORS to the folder that holds it", name)
	}
	return file
}

// socketLine is how a set-up makes a socket, in a language that need not be
// installed.
var socketLine = regexp.MustCompile(`^python3 -c 'import socket.*chdir\("'\$T'([^"]*)"\).*\.bind\("([^"]+)"\)'$`)

// withoutSockets takes the lines that make sockets out of a set-up and returns
// the paths of those below its directory.
func withoutSockets(lines []string) (rest, sockets []string) {
	for _, l := range lines {
		if m := socketLine.FindStringSubmatch(l); m != nil {
			sockets = append(sockets, m[1]+"/"+m[2])
			continue
		}
		rest = append(rest, l)
	}
	return rest, sockets
}

func vectorExceptions(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	data, err := os.ReadFile("testdata/vector-exceptions.txt")
	require.NoError(t, err)
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		id, why, ok := strings.Cut(line, ": ")
		require.True(t, ok && why != "", "want \"id: reason\": %q", line)
		out[id] = why
	}
	return out
}

type vector struct {
	ID             string   `json:"id"`
	Setup          []string `json:"setup"`
	Op             string   `json:"op"`
	Path           string   `json:"path"`
	Root           string   `json:"root"`
	Expect         string   `json:"expect"`
	Why            string   `json:"why"`
	ExtraRoots     []string `json:"extra_roots"`
	Deny           []string `json:"deny"`
	Race           string   `json:"race"`
	Invariant      string   `json:"invariant"`
	AfterConstruct []string `json:"after_construct"`
	Platform       string   `json:"platform"`
	Needs          string   `json:"needs"`
}

func (v *vector) UnmarshalJSON(data []byte) error {
	type plain vector
	aux := struct {
		*plain
		AfterConstruct any `json:"after_construct"`
	}{plain: (*plain)(v)}
	if err := json.Unmarshal(data, &aux); err != nil {
		return err
	}
	switch a := aux.AfterConstruct.(type) {
	case string:
		v.AfterConstruct = []string{a}
	case []any:
		for _, l := range a {
			v.AfterConstruct = append(v.AfterConstruct, fmt.Sprint(l))
		}
	}
	return nil
}

// ops are the operations that a word of the vectors stands for: all must give
// the expected answer. A rename vector names either end; the end is said by
// what the path is.
func (v *vector) ops() []Op {
	switch v.Op {
	case "read":
		return []Op{Read}
	case "list", "readdir":
		return []Op{List}
	case "stat":
		return []Op{Stat}
	case "create", "mkdir":
		return []Op{Create}
	case "write":
		return []Op{Write}
	case "append":
		return []Op{Append}
	case "delete", "remove", "removeall":
		return []Op{Delete}
	case "rename":
		return []Op{RenameFrom, RenameTo}
	case "link":
		return []Op{Link}
	case "symlink":
		return []Op{Symlink}
	case "chmod":
		return []Op{Chmod}
	case "exec":
		return []Op{Exec}
	}
	return []Op{OpUnknown}
}

// answer tells whether a resolution is what a vector expects. A path can be
// both outside and of a class; both are stated, and either is then right.
func answer(r Resolution, expect string) bool {
	switch expect {
	case "inside":
		return r.Zone != Outside && r.Class == Ordinary && r.Err == nil
	case "outside":
		return r.Zone == Outside || r.Err != nil
	case "protected":
		return r.Class >= Protected
	}
	return false
}

func denyRules(deny []string) []Rule {
	if len(deny) == 0 {
		return nil
	}
	return []Rule{{Name: "denied", Class: Sensitive, Patterns: deny, Reason: "denied by a rule"}}
}

func TestVectors(t *testing.T) {
	f, err := os.Open(vectorFile(t, "scope.jsonl"))
	require.NoError(t, err)
	defer f.Close()
	except := vectorExceptions(t)
	var passed, failed, skipped, excepted int
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var v vector
		require.NoError(t, json.Unmarshal(sc.Bytes(), &v))
		msg, skip := runVector(t, &v)
		switch {
		case skip != "":
			skipped++
			t.Logf("%s: skipped: %s", v.ID, skip)
		case msg == "":
			passed++
			if why, ok := except[v.ID]; ok {
				t.Errorf("%s passes, but is an exception (%s)", v.ID, why)
			}
		case except[v.ID] != "":
			excepted++
		default:
			failed++
			t.Errorf("%s: %s (%s)", v.ID, msg, v.Why)
		}
	}
	require.NoError(t, sc.Err())
	fmt.Printf("vectors scope: %d passed, %d failed, %d skipped", passed, failed, skipped)
	if excepted > 0 {
		fmt.Printf(" (%d exceptions)", excepted)
	}
	fmt.Println()
}

func runVector(t *testing.T, v *vector) (msg, skip string) {
	t.Helper()
	windowsRoot := len(v.Root) > 1 && v.Root[1] == ':'
	if windowsRoot {
		l, err := NewLexical(v.Root, Options{Additional: v.ExtraRoots, Classes: denyRules(v.Deny)}, nil)
		if err != nil {
			return err.Error(), ""
		}
		for _, op := range v.ops() {
			if r := l.Check(v.Path, op); !answer(r, v.Expect) {
				return fmt.Sprintf("%s gives %+v", op, r), ""
			}
		}
		return "", ""
	}
	if runtime.GOOS == "windows" {
		return "", "the set-up needs a POSIX shell and its file system"
	}
	if v.Needs == "root" && os.Getuid() != 0 {
		return "", "the set-up needs root"
	}
	if v.Platform != "" && v.Platform != "posix" && v.Platform != "windows" && v.Platform != runtime.GOOS {
		return "", "for " + v.Platform
	}
	dir, err := os.MkdirTemp("", "s")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	dir, err = filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	sh := func(lines []string) string {
		cmd := exec.Command("sh", "-e")
		cmd.Stdin = strings.NewReader(strings.Join(lines, "\n"))
		cmd.Env = append(os.Environ(), "T="+dir)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Sprintf("%v: %s", err, out)
		}
		return ""
	}
	if strings.Contains(strings.Join(v.Setup, "\n"), "mount") {
		return runMountVector(t, v, dir)
	}
	setup, sockets := withoutSockets(v.Setup)
	if out := sh(setup); out != "" {
		return "", "the set-up does not work here: " + out
	}
	x := strings.NewReplacer("$T", dir, "${T}", dir)
	for _, s := range sockets {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dir + s, Net: "unix"})
		if err != nil {
			return "", "the set-up does not work here: " + err.Error()
		}
		defer l.Close()
	}
	opts := Options{Home: filepath.Join(dir, "home"), Classes: denyRules(v.Deny)}
	for _, e := range v.ExtraRoots {
		opts.Additional = append(opts.Additional, x.Replace(e))
	}
	g, err := New(x.Replace(v.Root), opts)
	if err != nil {
		return "New: " + err.Error(), ""
	}
	defer g.Close()
	if len(v.AfterConstruct) > 0 {
		if out := sh(v.AfterConstruct); out != "" {
			return "", "the set-up does not work here: " + out
		}
	}
	path := x.Replace(v.Path)
	if v.Race != "" {
		return runRaceVector(t, v, g, path, x.Replace(v.Race), x.Replace(v.Invariant), dir)
	}
	for _, op := range v.ops() {
		if r := g.Check(path, op); !answer(r, v.Expect) {
			return fmt.Sprintf("%s gives %+v", op, r), ""
		}
	}
	// What the check says the operations do, or rather refuse to do.
	if v.Expect != "inside" {
		before := snapshot(t, dir)
		for name, do := range operations(g, path) {
			if reads := name == "Open" || name == "ReadFile" || name == "ReadDir"; reads != (v.Op == "read") {
				continue
			}
			// These break links instead of following them, and rename no more
			// than the name.
			if strings.HasPrefix(v.ID, "hardlink") && name != "Create" {
				continue
			}
			if change := v.Op == "delete" || v.Op == "rename"; change && name != "Remove" && name != "Rename" {
				continue
			}
			if (name == "Remove" || name == "Rename") && v.Op != "delete" && v.Op != "rename" {
				continue
			}
			if err := do(); err == nil {
				return name + " did it", ""
			}
		}
		if after := snapshot(t, dir); after != before {
			return "the tree changed:\n" + before + "---\n" + after, ""
		}
	}
	return "", ""
}

func operations(g *Guard, path string) map[string]func() error {
	return map[string]func() error{
		"Open": func() error {
			f, err := g.Open(path)
			if err == nil {
				f.Close()
			}
			return err
		},
		"ReadFile":  func() error { _, err := g.ReadFile(path); return err },
		"WriteFile": func() error { return g.WriteFile(path, []byte("pwned")) },
		"Create": func() error {
			f, err := g.Create(path)
			if err == nil {
				f.Close()
			}
			return err
		},
		"MkdirAll": func() error { return g.MkdirAll(path + "/x") },
		"Remove":   func() error { return g.Remove(path) },
		"Rename":   func() error { return g.Rename("src/a.txt", path) },
	}
}

// snapshot returns every name below dir with its content.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var out []string
	require.NoError(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		line := p + " " + d.Type().String()
		if d.Type().IsRegular() {
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			line += " " + string(data)
		}
		out = append(out, line)
		return nil
	}))
	slices.Sort(out)
	return strings.Join(out, "\n") + "\n"
}

// runMountVector runs this test binary in a mount namespace of its own.
func runMountVector(t *testing.T, v *vector, dir string) (msg, skip string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return "", "mounts need Linux"
	}
	if err := exec.Command("unshare", "-m", "true").Run(); err != nil {
		return "", "unshare -m does not work here: " + err.Error()
	}
	data, err := json.Marshal(v)
	require.NoError(t, err)
	script := strings.Join(v.Setup, "\n") + "\nexec \"$0\" -test.run='^TestMountChild$' -test.v"
	cmd := exec.Command("unshare", "-m", "sh", "-e", "-c", script, os.Args[0])
	cmd.Env = append(os.Environ(), "T="+dir, "SCOPE_MOUNT_VECTOR="+string(data))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), ""
	}
	if !strings.Contains(string(out), "--- PASS: TestMountChild") {
		return "the child ran nothing: " + string(out), ""
	}
	return "", ""
}

// TestMountChild is the part of a mount vector that runs in the namespace.
func TestMountChild(t *testing.T) {
	data := os.Getenv("SCOPE_MOUNT_VECTOR")
	if data == "" {
		t.Skip("runs only in a mount namespace that another test makes")
	}
	var v vector
	require.NoError(t, json.Unmarshal([]byte(data), &v))
	x := strings.NewReplacer("$T", os.Getenv("T"))
	g, err := New(x.Replace(v.Root), Options{Classes: denyRules(v.Deny)})
	require.NoError(t, err)
	defer g.Close()
	for _, op := range v.ops() {
		r := g.Check(x.Replace(v.Path), op)
		require.True(t, answer(r, v.Expect), "%+v", r)
		if v.Expect == "outside" && op == Read {
			plain, err := os.OpenRoot(x.Replace(v.Root))
			require.NoError(t, err)
			rel, err := filepath.Rel(x.Replace(v.Root), x.Replace(v.Path))
			require.NoError(t, err)
			_, err = plain.ReadFile(rel)
			require.NoError(t, err, "without the guard the mount is crossed")
			plain.Close()
			_, err = g.ReadFile(x.Replace(v.Path))
			require.Error(t, err)
		}
	}
}
