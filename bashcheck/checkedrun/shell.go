package checkedrun

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"

	"mvdan.cc/sh/v3/interp"

	"github.com/clearance-go/clearance/bashcheck"
)

// Shell runs the text of the report by the bash at the absolute path shell, for
// a text that [Run] does not run ([ErrUnsupported]). The check of each command
// as it happens is then missing, so it is done only inside a sandbox
// (Options.Sandbox), whatever Options.Unconfined says: what holds is that
// sandbox. The text must still be the one that was approved, and output,
// limits, status and errors are those of Run. Options.Open and Options.Recheck
// are not used.
func Shell(ctx context.Context, rep bashcheck.Report, shell string, o Options) (status int, err error) {
	defer failed(&status, &err)
	r, err := prepare(rep, o, Files)
	if err != nil {
		return 0, err
	}
	if !filepath.IsAbs(shell) {
		return 0, fmt.Errorf("checkedrun: the shell %q is not an absolute path", shell)
	}
	end, err := r.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { status, err = end(status, err) }()
	cmd := exec.CommandContext(r.ctx, shell, "--noprofile", "--norc", "-c", r.rep.Source)
	cmd.Dir = r.o.Dir
	cmd.Env = r.o.Env
	if cmd.Env == nil {
		cmd.Env = []string{}
	}
	if r.mark != "" {
		cmd.Env = append(cmd.Env[:len(cmd.Env):len(cmd.Env)], markName+"="+r.mark)
	}
	if r.o.Stdin != nil {
		cmd.Stdin = r.o.Stdin
	}
	err = r.spawn(r.ctx, cmd, r.stdout, r.stderr, func() {})
	var s interp.ExitStatus
	if errors.As(err, &s) {
		return int(s), nil
	}
	return 0, err
}
