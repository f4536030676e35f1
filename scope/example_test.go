package scope_test

import (
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/clearance-go/clearance/scope"
)

func Example() {
	dir, err := os.MkdirTemp("", "workspace")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	guard, err := scope.New(dir, scope.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer guard.Close()

	// Advice: what would this path be?
	r := guard.Check(".github/workflows/ci.yml", scope.Write)
	fmt.Println(r.Zone, r.Class, r.ClassName)
	r = guard.Check("../elsewhere", scope.Read)
	fmt.Println(r.Zone, r.Reason)

	// Guarantee: the operation goes where it was judged to go, or fails.
	fmt.Println(guard.WriteFile("notes.txt", []byte("hello")))
	err = guard.WriteFile(".git/hooks/pre-commit", nil)
	fmt.Println(errors.Is(err, scope.ErrProtected))

	// What a person approved is done, and nothing else.
	approved := guard.Check(".env.local", scope.Create).Real
	granted := guard.With(func(op scope.Op, real string) bool { return op == scope.Create && real == approved })
	fmt.Println(granted.WriteFile(".env.local", []byte("A=1")))
	_, err = granted.ReadFile(".env.local")
	fmt.Println(errors.Is(err, scope.ErrSensitive))
	// Output:
	// inside protected ci
	// outside outside
	// <nil>
	// true
	// <nil>
	// true
}
