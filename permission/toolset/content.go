package toolset

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"os"
	"path"
	"strings"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope"
)

// maxContent bounds how much of one script is read for its digest.
const maxContent = 16 << 20

// buildFiles define what the runners of a workspace start, in the directory
// that they run in.
var buildFiles = []string{
	"GNUmakefile", "makefile", "Makefile", "build.ninja", "package.json", "go.mod", "Cargo.toml", "build.rs", "pyproject.toml", "setup.py", "setup.cfg",
	"pytest.ini", "conftest.py", "tox.ini", "noxfile.py", "build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts", "pom.xml", "justfile", "Justfile",
	"Taskfile.yml", "Taskfile.yaml", "Rakefile", "Gemfile", "composer.json", "deno.json", "CMakeLists.txt", "meson.build", "docker-compose.yml", "compose.yaml",
}

// content identifies what a command would run out of the workspace: a script of
// it, or the files that define the targets of a runner. It is "" where the
// command runs no such thing, or where it cannot be told which.
func (b *builder) content(c *bashcheck.Command) (digest string, inputs []permission.Input) {
	if b.t.o.Offline || len(c.Argv) == 0 {
		return "", nil
	}
	places := b.places(c.Dir)
	if len(places) != 1 {
		return "", nil
	}
	var h hash.Hash
	add := func(name string) bool {
		r := b.look(places[0], name, scope.Read)
		if !r.regular || r.path.Zone == permission.Outside {
			return false
		}
		in, err := input(r.path.Real)
		if err != nil {
			return false
		}
		in.Untrusted = b.t.o.Ledger.holds(in.Path, &in, &b.compared)
		if h == nil {
			h = sha256.New()
		}
		_, _ = io.WriteString(h, name+"\x00"+in.Digest+"\x00")
		inputs = append(inputs, in)
		return true
	}
	if w := c.Argv[0]; w.Static && strings.Contains(w.Text, "/") {
		add(w.Text)
	}
	switch c.Class {
	case bashcheck.Runner:
		for _, n := range buildFiles {
			if _, err := os.Lstat(path.Join(places[0], n)); err == nil {
				add(n)
			}
		}
		fallthrough
	case bashcheck.Shell, bashcheck.Interpreter:
		for _, w := range c.Argv[1:] {
			if w.Static && !strings.HasPrefix(w.Text, "-") && len(w.Text) < 4096 && add(w.Text) {
				break
			}
		}
	}
	if len(inputs) == 0 {
		return "", nil
	}
	return hex.EncodeToString(h.Sum(nil)), inputs
}

// input reads what identifies a file.
func input(name string) (permission.Input, error) {
	f, err := os.Open(name)
	if err != nil {
		return permission.Input{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(f, maxContent))
	if err != nil {
		return permission.Input{}, err
	}
	st, err := f.Stat()
	if err != nil {
		return permission.Input{}, err
	}
	return permission.Input{Path: name, Digest: hex.EncodeToString(h.Sum(nil)), Size: max(n, st.Size())}, nil
}
