package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	rlimitNproc = 7 // RLIMIT_NPROC, which x/sys does not name
	sandboxExec = "/usr/bin/sandbox-exec"
)

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
	l := launch{path: sandboxExec, args: []string{"-p", text, r.box.helper.exe, childMark}, session: true, plan: r.plan(cmd)}
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

func loopback() error { return errors.ErrUnsupported }

func firstPidfd(*syscall.SysProcAttr, *int) {}

func dup(from, to int) error { return unix.Dup2(from, to) }

const fdDir = "/dev/fd"

func markRange(int) bool { return false }

// confine applies the limits and becomes the command: sandbox-exec has confined
// this process already.
func confine(p *plan, c control) error {
	if err := setLimits(p.Limits); err != nil {
		return err
	}
	if len(p.Argv) == 0 {
		_ = c.say("ok", "")
		os.Exit(0)
	}
	if err := os.Chdir(p.Dir); err != nil {
		return err
	}
	name, err := look(p)
	_ = c.say("ok", "")
	if err == nil {
		err = c.become(name, p)
	}
	_ = c.say("exec", execError(err))
	os.Exit(127)
	return nil
}
