package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/clearance-go/clearance/scope"
	"github.com/clearance-go/clearance/scope/sandbox"
)

// The shape of a program that runs commands in a sandbox.
func Example() {
	helper := sandbox.Enter() // the first thing that main does

	guard, err := scope.New(".", scope.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer guard.Close()
	profile, err := sandbox.FromGuard(guard, sandbox.ProfileOptions{
		Network: sandbox.Network{Reach: sandbox.Hosts, Hosts: []string{"registry.example"}},
	})
	if err != nil {
		log.Fatal(err)
	}

	box, err := sandbox.New(helper, sandbox.Options{})
	if errors.Is(err, sandbox.ErrUnavailable) {
		log.Print(err) // ask a person before anything runs without one
		return
	}
	if err := box.Require(sandbox.Bubblewrap); err != nil {
		log.Print(err)
		return
	}
	for _, gap := range box.Gaps(profile) {
		log.Print("not enforced: ", gap)
	}
	cmd, err := box.Command(context.Background(), profile, "go", "test", "./...")
	if err != nil {
		log.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Println(err)
	}
}
