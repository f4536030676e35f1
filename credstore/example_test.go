package credstore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/clearance-go/clearance/credstore"
)

func Example() {
	ctx := context.Background()
	base, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(base)
	secrets, err := credstore.Open(ctx, filepath.Join(base, "secrets"), credstore.Options{StateDir: filepath.Join(base, "state")})
	if err != nil {
		panic(err)
	}
	defer secrets.Close()
	value := credstore.NewSecret([]byte("sk-example-0123456789"))
	if err := secrets.Set(ctx, "example/api-key", value, credstore.Meta{Hosts: []string{"api.example.com"}}); err != nil {
		panic(err)
	}
	secret, err := secrets.Get(ctx, "example/api-key")
	if err != nil {
		panic(err)
	}
	fmt.Println(secret)
	fmt.Println(secrets.Redactor().String("Authorization: Bearer sk-example-0123456789"))
	status, err := secrets.Status(ctx)
	if err != nil {
		panic(err)
	}
	fmt.Println(status.Protection)
	// Output:
	// [redacted]
	// Authorization: Bearer [redacted]
	// obfuscation
}
