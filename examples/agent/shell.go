package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/clearance-go/clearance/bashcheck/checkedrun"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/toolset"
)

// shell runs a granted command with the parser that judged it, in the
// environment that the verdict rests on, and inside the sandbox unless the
// decision does not demand that. Redirections go through the guard. labels are
// what the output puts on the session.
func (h *host) shell(ctx context.Context, session *permission.Session, grant *permission.Grant, command string, line func(string)) (text string, labels permission.Labels, err error) {
	report := h.analyzer.Analyze(command)
	// As it came, for the labels only; out has the secrets taken out.
	raw, out := &tail{}, &tail{show: line}
	o := checkedrun.Options{
		Analyzer: h.analyzer, Digest: grant.ReportDigest(), Dir: h.w.project, Env: h.w.env, Stdout: out, Stderr: out,
		Unconfined: !grant.Confined(),
		Recheck:    toolset.Recheck(h.guard, grant),
		Open:       toolset.Open(h.guard, grant),
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
