package sandbox

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// The start and end of a command that does nothing: bare, and in each level,
// with the profile of a small workspace and with the barest one.
func BenchmarkStart(b *testing.B) {
	b.Run("floor-bare", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, exec.Command("/bin/true").Run())
		}
	})
	if bwrap, err := exec.LookPath("bwrap"); err == nil {
		b.Run("floor-bwrap", func(b *testing.B) {
			for b.Loop() {
				require.NoError(b, exec.Command(bwrap, "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-all", "/bin/true").Run())
			}
		})
	}
	b.Run("floor-helper", func(b *testing.B) {
		for b.Loop() {
			// Ends at once: no channel.
			_ = exec.Command(helper.exe, childMark).Run()
		}
	})
	for l, box := range boxes(b) {
		p := newPlace(b)
		for name, prof := range map[string]Profile{"workspace": p.profile(b, ProfileOptions{}), "lean": p.profile(b, ProfileOptions{Lean: true}), "unguarded": p.profile(b, ProfileOptions{Unguarded: []string{"."}})} {
			b.Run(l.String()+"-"+name, func(b *testing.B) {
				for b.Loop() {
					cmd, err := box.Command(b.Context(), prof, "/bin/true")
					require.NoError(b, err)
					require.NoError(b, cmd.Run())
				}
				b.ReportMetric(float64(len(prof.Entries)), "entries")
			})
		}
	}
}
