package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	rlimitNproc = 7 // RLIMIT_NPROC, which x/sys does not name
	sandboxExec = "/usr/bin/sandbox-exec"
)

func probe(h Helper, o Options) (Report, error) {
	err := errors.New("only Seatbelt is on macOS")
	if o.Level == None || o.Level == Seatbelt {
		r := Report{Level: Seatbelt, Program: sandboxExec}
		if err = unix.Access(sandboxExec, unix.X_OK); err == nil {
			if err = try(h, r); err == nil {
				return r, nil
			}
		}
	}
	return Report{}, fmt.Errorf("%w: seatbelt: %w", ErrUnavailable, err)
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
func (c *Cmd) launch() (launch, error) {
	dir := c.Dir
	if dir == "" {
		dir = c.profile.Dir
	}
	if !filepath.IsAbs(dir) {
		return launch{}, fmt.Errorf("%w: the directory %q is not absolute", ErrProfile, dir)
	}
	now, err := c.profile.current()
	if err != nil {
		return launch{}, err
	}
	tmp, err := os.MkdirTemp("", "sandbox-")
	if err != nil {
		return launch{}, fmt.Errorf("%w: %w", ErrSetup, err)
	}
	c.cleanup = append(c.cleanup, func() error { return os.RemoveAll(tmp) })
	if tmp, err = filepath.EvalSymlinks(tmp); err != nil {
		return launch{}, fmt.Errorf("%w: %w", ErrSetup, err)
	}
	now.Entries = append(now.Entries, Entry{Path: tmp, Access: Write, Dir: true})
	text, err := now.Seatbelt()
	if err != nil {
		return launch{}, err
	}
	l := launch{path: sandboxExec, args: []string{"-p", text, c.box.helper.exe, childMark}, session: true}
	l.plan = plan{Argv: c.argv, Env: c.environment(tmp), Dir: dir, Limits: c.limits}
	if c.profile.Network.Reach == Hosts {
		ln, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return launch{}, fmt.Errorf("%w: %w", ErrSetup, err)
		}
		l.plan.ProxyPort = ln.Addr().(*net.TCPAddr).Port
		if err := c.proxy(ln); err != nil {
			return launch{}, err
		}
	}
	return l, nil
}

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
		err = unix.Exec(name, p.Argv, p.Env)
	}
	_ = c.say("exec", execError(err))
	os.Exit(127)
	return nil
}
