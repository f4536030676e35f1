package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/permission"
)

// last is a model that does something when it is done.
type last struct {
	model
	do func()
}

func (l *last) Next(ctx context.Context, history []turn) (step, error) {
	s, err := l.model.Next(ctx, history)
	if err == io.EOF {
		l.do()
	}
	return s, err
}

// TestTamperedLogIsFound: whatever was done to the log during the run, its end
// says so, and the run counts as failed.
func TestTamperedLogIsFound(t *testing.T) {
	const steps = `{"tool":"Bash","input":{"command":"echo one"},"expect":"ran"}
{"tool":"Bash","input":{"command":"echo two"},"expect":"ran"}
{"tool":"Read","input":{"file_path":"$WORK/.env"},"expect":"refused"}`
	for name, tamper := range map[string]func(b []byte) []byte{
		"untouched": func(b []byte) []byte { return b },
		"a word":    func(b []byte) []byte { return bytes.Replace(b, []byte("echo one"), []byte("echo 0ne"), 1) },
		"a line in the middle": func(b []byte) []byte {
			lines := bytes.SplitAfter(b, []byte("\n"))
			return bytes.Join(append(lines[:1:1], lines[2:]...), nil)
		},
		"the last line": func(b []byte) []byte {
			lines := bytes.SplitAfter(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
			return bytes.Join(lines[:len(lines)-1], nil)
		},
		"all of it": func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			var file string
			m := &last{model: recordedText(t.Context(), "t", steps)}
			m.do = func() {
				b, err := os.ReadFile(file)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(file, tamper(b), 0o600))
			}
			_, out, ok, err := try(t, m, nil, func(o *options) {
				file = filepath.Join(o.scratch, "conf", "audit.jsonl")
			})
			require.NoError(t, err)
			if name == "untouched" {
				require.True(t, ok, out)
				require.Contains(t, out, "The audit log verifies")
				return
			}
			require.False(t, ok, out)
			require.Contains(t, out, "The audit log does NOT verify")
		})
	}
}

var _ model = (*last)(nil)
var _ permission.Recorder = (*auditLog)(nil)
