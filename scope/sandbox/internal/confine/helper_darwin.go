package confine

import (
	"os"

	"golang.org/x/sys/unix"
)

const rlimitNproc = 7 // RLIMIT_NPROC, which x/sys does not name

func dup(from, to int) error { return unix.Dup2(from, to) }

const fdDir = "/dev/fd"

func markRange(int) bool { return false }

// confine applies the limits and becomes the command: sandbox-exec has confined
// this process already.
func confine(p *Plan, c control) error {
	if err := setLimits(p.Limits); err != nil {
		return err
	}
	if err := p.proxied(c); err != nil {
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
