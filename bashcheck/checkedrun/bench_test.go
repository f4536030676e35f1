package checkedrun_test

import (
	"context"
	"io"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck/checkedrun"
)

// BenchmarkOverhead runs the same programs directly and checked, in turn, and
// prints the difference for one run and the ratio.
func BenchmarkOverhead(b *testing.B) {
	dir := b.TempDir()
	for _, c := range []struct {
		name, text string
		argv       [][]string
	}{
		{"true", "/bin/true", [][]string{{"/bin/true"}}},
		{"ls", "ls -la", [][]string{{"ls", "-la"}}},
		{"pipeline", "ls -la | sort | head -1", [][]string{{"ls", "-la"}, {"sort"}, {"head", "-1"}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			rep, o := analyzer.Analyze(c.text), granted(c.text, dir)
			var direct, checked time.Duration
			for b.Loop() {
				begin := time.Now()
				var list []*exec.Cmd
				var last io.ReadCloser
				for i, argv := range c.argv {
					cmd := exec.Command(argv[0], argv[1:]...)
					cmd.Dir, cmd.Env = dir, o.Env
					if last != nil {
						cmd.Stdin = last
					}
					if i < len(c.argv)-1 {
						var err error
						last, err = cmd.StdoutPipe()
						require.NoError(b, err)
					}
					require.NoError(b, cmd.Start())
					list = append(list, cmd)
				}
				for i := len(list) - 1; i >= 0; i-- {
					_ = list[i].Wait()
				}
				middle := time.Now()
				_, err := checkedrun.Run(context.Background(), rep, o)
				require.NoError(b, err)
				direct += middle.Sub(begin)
				checked += time.Since(middle)
			}
			b.ReportMetric(float64(direct.Microseconds())/float64(b.N), "direct-µs")
			b.ReportMetric(float64((checked-direct).Microseconds())/float64(b.N), "more-µs")
			b.ReportMetric(float64(checked)/float64(direct), "×direct")
		})
	}
}
