//go:build linux

package oracle

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ErrMissing says that bubblewrap is not on this machine.
var ErrMissing = errors.New("bwrap is missing: install bubblewrap")

// Options configure a sandbox.
type Options struct {
	// Stubs are the names of programs that are only recorded. Empty: the
	// sandbox has the machine's own /usr, read-only.
	Stubs []string
	// Real are the stubs that hand over to the machine's program.
	Real []string
	// ReadOnly are further paths of the machine, where they exist.
	ReadOnly []string
	// GoStub takes the stub in Go even where there is one in C.
	GoStub bool
}

// Tools are the built programs that a sandbox needs.
type Tools struct {
	dir  string
	fast error // why there is no stub in C
}

// Dir is the folder they are in.
func (t *Tools) Dir() string { return t.dir }

// GoOnly is why there is no stub in C, so that the slow one in Go serves. It is
// nil where there is one.
func (t *Tools) GoOnly() error { return t.fast }

// Build compiles the runner and the stubs into dir. It is called in the folder
// of package bashcheck. Without a C compiler the stub in Go serves.
func Build(dir string) (*Tools, error) {
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", dir+string(filepath.Separator), "./internal/oracle/runner", "./internal/oracle/stub")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the runner: %w: %s", err, out)
	}
	t := &Tools{dir: dir}
	if out, err := exec.Command("cc", "-Os", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-o", filepath.Join(dir, "cstub"), "internal/oracle/cstub/stub.c").CombinedOutput(); err != nil {
		t.fast = fmt.Errorf("building the one in C: %w: %s", err, out)
	}
	return t, nil
}

// Sandbox is a running sandbox. It serves one request at a time and is not
// safe for concurrent use.
type Sandbox struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	enc  *gob.Encoder
	dec  *gob.Decoder
	errs *strings.Builder
	dead bool
}

// Start makes a sandbox. dir is an empty folder of the host for its stubs.
func (t *Tools) Start(dir string, o Options) (*Sandbox, error) {
	bwrap, err := exec.LookPath("bwrap")
	if err != nil {
		return nil, ErrMissing
	}
	args := []string{"--unshare-all", "--as-pid-1", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv", "--hostname", "sandbox",
		"--proc", "/proc", "--dev", "/dev", "--dir", WorkDir, "--dir", Home, "--dir", "/tmp", "--dir", "/etc", "--dir", "/var/tmp", "--dir", "/opt", "--dir", "/root"}
	link := func(p string) {
		if target, err := os.Readlink(p); err == nil {
			args = append(args, "--symlink", target, p)
		} else if _, err := os.Stat(p); err == nil {
			args = append(args, "--ro-bind", p, p)
		}
	}
	for _, p := range []string{"/lib", "/lib64", "/lib32", "/libx32"} {
		link(p)
	}
	for _, p := range append([]string{"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf"}, o.ReadOnly...) {
		args = append(args, "--ro-bind-try", p, p)
	}
	if len(o.Stubs) == 0 {
		args = append(args, "--ro-bind", "/usr", "/usr")
		link("/bin")
		link("/sbin")
	} else {
		bin := filepath.Join(dir, "bin")
		if err := os.MkdirAll(bin, 0o755); err != nil {
			return nil, err
		}
		name := "cstub"
		if t.fast != nil || o.GoStub {
			name = "stub"
		}
		stub, err := os.ReadFile(filepath.Join(t.dir, name))
		if err != nil {
			return nil, err
		}
		first := filepath.Join(bin, ".stub")
		if err := os.WriteFile(first, stub, 0o755); err != nil {
			return nil, err
		}
		for _, n := range append(append([]string(nil), o.Stubs...), o.Real...) {
			if n == "" || n == "." || n == ".." || strings.ContainsAny(n, "/\x00") {
				continue
			}
			// A hard link, so that the stub can tell by which name it was found.
			if err := os.Link(first, filepath.Join(bin, n)); err != nil && !os.IsExist(err) {
				return nil, err
			}
		}
		args = append(args, "--ro-bind", bin, BinDir, "--ro-bind", "/usr/lib", "/usr/lib", "--ro-bind-try", "/usr/lib64", "/usr/lib64", "--ro-bind-try", "/usr/libexec", "/usr/libexec")
		for _, p := range []string{"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin"} {
			args = append(args, "--symlink", BinDir, p)
		}
		for _, n := range o.Real {
			p, err := exec.LookPath(n)
			if err != nil {
				continue
			}
			if p, err = filepath.EvalSymlinks(p); err == nil {
				args = append(args, "--ro-bind", p, RealDir+"/"+n)
			}
		}
	}
	args = append(args, "--tmpfs", RecordDir, "--ro-bind", filepath.Join(t.dir, "runner"), "/oracle/runner", "--chdir", WorkDir, "/oracle/runner")
	s := &Sandbox{cmd: exec.Command(bwrap, args...), errs: &strings.Builder{}}
	s.cmd.Stderr = s.errs
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.enc, s.dec = gob.NewEncoder(s.in), gob.NewDecoder(out)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	return s, nil
}

// Run runs one request. An error means that the sandbox is broken.
func (s *Sandbox) Run(req Request) (Result, error) {
	if s.dead {
		return Result{}, errors.New("the sandbox has ended")
	}
	if req.Timeout <= 0 {
		req.Timeout = 2 * time.Second
	}
	// A runner that hangs is ended from outside.
	guard := time.AfterFunc(2*req.Timeout+20*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer guard.Stop()
	var res Result
	err := s.enc.Encode(req)
	if err == nil {
		err = s.dec.Decode(&res)
	}
	if err != nil {
		s.dead = true
		_ = s.in.Close()
		_ = s.cmd.Wait()
		return res, fmt.Errorf("the sandbox broke: %w: %s", err, s.errs.String())
	}
	if res.Err != "" {
		return res, errors.New(res.Err)
	}
	return res, nil
}

// Close ends the sandbox and everything in it.
func (s *Sandbox) Close() error {
	if s.dead {
		return nil
	}
	s.dead = true
	_ = s.in.Close()
	guard := time.AfterFunc(5*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer guard.Stop()
	return s.cmd.Wait()
}
