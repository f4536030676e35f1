package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/clearance-go/clearance/bashcheck/checkedrun"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/toolset"
	"github.com/clearance-go/clearance/scope"
)

// maxAppend is the size up to which a file is appended to.
const maxAppend = 16 << 20

// shell runs a granted command with the parser that judged it, in the
// environment that the verdict rests on, and inside the sandbox unless the
// decision does not demand that. Redirections go through the guard. labels are
// what the output puts on the session.
func (h *host) shell(ctx context.Context, session *permission.Session, grant *permission.Grant, command string, line func(string)) (text string, labels permission.Labels, err error) {
	files := toolset.Files(h.guard, grant)
	report := h.analyzer.Analyze(command)
	// As it came, for the labels only; out has the secrets taken out.
	raw, out := &tail{}, &tail{show: line}
	o := checkedrun.Options{
		Analyzer: h.analyzer, Digest: grant.Report(), Dir: h.w.project, Env: h.w.env, Stdout: out, Stderr: out,
		Unconfined: !grant.Confined(),
		Recheck:    toolset.Recheck(h.guard, grant),
		Open:       func(path string, flag int) (io.ReadWriteCloser, error) { return openThrough(files, path, flag) },
		Redact: func(w io.Writer) io.WriteCloser {
			clean := h.redact.Writer(w)
			return &forked{io.MultiWriter(raw, clean), clean}
		},
		Limits: checkedrun.Limits{Time: toolTimeout, Output: maxOutput},
	}
	end := func() error { return nil }
	if grant.Confined() {
		box, runner, err := h.confined(ctx, grant)
		if err != nil {
			return "", 0, fmt.Errorf("not run: %w", err)
		}
		o.Sandbox, end = box, runner.Close
	}
	wait := h.clock.outside()
	status, err := checkedrun.Run(ctx, report, o)
	if errors.Is(err, checkedrun.ErrUnsupported) && o.Sandbox.Level > checkedrun.None && h.w.bash != "" {
		// A real shell, held by the sandbox alone.
		status, err = checkedrun.Shell(ctx, report, h.w.bash, o)
	}
	ended := end()
	wait()
	if errors.Is(err, checkedrun.ErrUnsupported) {
		return "", 0, fmt.Errorf("not run: %w", err)
	}
	if err == nil && status != 0 {
		err = fmt.Errorf("exit status %d", status)
	}
	return out.String(), session.LabelsOf([]byte(raw.String())), errors.Join(err, ended)
}

// forked writes to two places and closes the second.
type forked struct {
	io.Writer
	clean io.Closer
}

func (f *forked) Close() error { return f.clean.Close() }

// openThrough opens the file of a redirection through the guard.
func openThrough(files *scope.Guard, path string, flag int) (io.ReadWriteCloser, error) {
	write := flag & (os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREATE | os.O_TRUNC)
	switch {
	case path == os.DevNull:
		return os.OpenFile(os.DevNull, os.O_RDWR, 0)
	case write == 0:
		return files.Open(path)
	case flag&os.O_RDWR != 0:
		return nil, fmt.Errorf("%s: opening for reading and writing at once is not supported", path)
	case flag&os.O_APPEND == 0:
		return files.Create(path)
	}
	old, version, err := files.ReadVersion(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return &appended{files: files, path: path, version: version, data: bytes.NewBuffer(old)}, nil
}

// appended is a file that is appended to: it is replaced in one step when it is
// closed, if nobody else changed it meanwhile.
type appended struct {
	files   *scope.Guard
	path    string
	version scope.Version
	mu      sync.Mutex
	data    *bytes.Buffer
}

func (a *appended) Read([]byte) (int, error) { return 0, os.ErrInvalid }

func (a *appended) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.data.Len()+len(p) > maxAppend {
		return 0, fmt.Errorf("%s: it would be larger than %d bytes", a.path, maxAppend)
	}
	return a.data.Write(p)
}

func (a *appended) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.files.Write(a.path, a.data.Bytes(), scope.WriteOptions{Expect: &a.version})
}

// tail keeps what a tool prints, up to what a result may hold, and shows the
// last line while it runs.
type tail struct {
	mu   sync.Mutex
	kept strings.Builder
	show func(string)
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := maxResult + 1 - t.kept.Len(); room > 0 {
		t.kept.Write(p[:min(room, len(p))])
	}
	if t.show != nil {
		lines := strings.Split(strings.TrimRight(string(p), "\r\n"), "\n")
		t.show(lines[len(lines)-1])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kept.String()
}
