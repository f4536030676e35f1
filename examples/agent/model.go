package main

import (
	"context"

	"github.com/clearance-go/clearance/permission"
)

// model is what decides about the next step: a recording or a live one.
type model interface {
	// Next returns the next step after what happened so far. io.EOF: it is done.
	// Any other error ends the run, with its table.
	Next(ctx context.Context, history []turn) (step, error)
	// Child returns the model of the sub-agent that the step s starts in a
	// session of its own.
	Child(s *step, session *permission.Session) (model, error)
	// Said is what the model said last; "" of a recording.
	Said() string
}

// turn is a step and what came of it.
type turn struct {
	Step   *step
	Result string
	// Failed says that the call was refused or went wrong.
	Failed bool
}
