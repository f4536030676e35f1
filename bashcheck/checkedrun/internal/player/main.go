//go:build linux

// Player runs a text by bashcheck/checkedrun, for a host that approved it as it
// is. It ends with the status of the text, or with one of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/bashcheck/checkedrun"
	"github.com/clearance-go/clearance/bashcheck/internal/oracle"
)

func main() {
	dir, err := os.Getwd()
	if err != nil || len(os.Args) != 2 {
		os.Exit(oracle.PlayerFailed)
	}
	a := bashcheck.New(bashcheck.Options{Home: oracle.Home})
	rep := a.Analyze(os.Args[1])
	status, err := checkedrun.Run(context.Background(), rep, checkedrun.Options{
		Analyzer: a, Digest: rep.Digest(), Dir: dir, Env: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr, Unconfined: true,
		Recheck: func(bashcheck.Kind, string) error { return nil },
		Limits:  checkedrun.Limits{Time: 400 * time.Millisecond},
	})
	var refused *checkedrun.NotApprovedError
	switch {
	case err == nil:
	case errors.Is(err, checkedrun.ErrUnsupported):
		status = oracle.PlayerUnsupported
	case errors.As(err, &refused):
		status = oracle.PlayerRefused
	default:
		status = oracle.PlayerFailed
	}
	if err != nil {
		fmt.Println(err)
	}
	os.Exit(status)
}
