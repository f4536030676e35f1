package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"syscall"

	"github.com/clearance-go/clearance/scope/sandbox/internal/confine"
	"golang.org/x/sys/unix"
)

const sandboxExec = "/usr/bin/sandbox-exec"

func probe(h Helper, o Options) (*Box, error) {
	err := errors.New("only Seatbelt is on macOS")
	if o.Level == None || o.Level == Seatbelt {
		r := Report{Level: Seatbelt, Program: sandboxExec}
		if err = unix.Access(sandboxExec, unix.X_OK); err == nil {
			b := &Box{helper: h, report: r}
			if err = try(b); err == nil {
				return b, nil
			}
		}
	}
	return nil, fmt.Errorf("%w: seatbelt: %w", ErrUnavailable, err)
}

func supported(Report, Profile) error { return nil }

func gaps(Report, Profile) []string {
	return []string{
		"memory is limited only as far as macOS counts it",
		"a process that leaves its process group is not ended with the command",
	}
}

// launch starts the child under sandbox-exec. There is no network of its own:
// the proxy listens on the loopback of the machine.
func (r *Runner) launch(cmd *exec.Cmd) (launch, error) {
	now, err := r.profile.current()
	if err != nil {
		return launch{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	tmp, err := r.tempDir()
	if err != nil {
		return launch{}, err
	}
	now.Entries = append(now.Entries, Entry{Path: tmp, Access: Write, Dir: true})
	text, err := now.Seatbelt()
	if err != nil {
		return launch{}, err
	}
	l := launch{path: sandboxExec, args: []string{"-p", text, r.box.helper.exe, confine.Mark}, session: true, plan: r.plan(cmd)}
	l.plan.Env = environment(cmd.Env, tmp)
	if r.profile.Network.Reach == Hosts {
		if r.proxyPort == 0 {
			ln, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				return launch{}, fmt.Errorf("%w: %w", ErrSetup, err)
			}
			stop, err := startProxy(r.profile.Network, ln)
			if err != nil {
				return launch{}, err
			}
			r.proxyPort = ln.Addr().(*net.TCPAddr).Port
			r.cleanup = append(r.cleanup, func() error { stop(); return nil })
		}
		l.plan.ProxyPort = r.proxyPort
	}
	return l, nil
}

func firstPidfd(*syscall.SysProcAttr, *int) {}
