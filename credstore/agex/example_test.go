package agex_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"filippo.io/age"

	"github.com/clearance-go/clearance/credstore"
	"github.com/clearance-go/clearance/credstore/agex"
)

// A store in a shared folder that each of a team opens with an identity of their
// own. Who joins later is a recipient of one more slot.
func ExampleSlot() {
	ctx := context.Background()
	base, err := os.MkdirTemp("", "team")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(base)
	// person makes an identity, as age-keygen does, and returns its public key.
	person := func(name string) (recipient, file string) {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			panic(err)
		}
		file = filepath.Join(base, name+".txt")
		if err := os.WriteFile(file, []byte(id.String()+"\n"), 0o600); err != nil {
			panic(err)
		}
		return id.Recipient().String(), file
	}
	ann, annFile := person("ann")
	ben, benFile := person("ben")
	cem, cemFile := person("cem")

	// open opens the shared store on the machine of one person. Each machine has
	// a state directory of its own; the first time there is no anchor in it, so
	// that a person says once that this store is the team's.
	open := func(name, file string, first bool, recipients ...string) *credstore.Store {
		s, err := credstore.Open(ctx, filepath.Join(base, "shared"), credstore.Options{
			StateDir: filepath.Join(base, "state-"+name), Reanchor: first,
			Keys: []credstore.KeySource{agex.Slot(agex.Options{Recipients: recipients, IdentityFile: file})},
		})
		if err != nil {
			panic(err)
		}
		return s
	}
	hers := open("ann", annFile, false, ann, ben) // makes the store
	defer hers.Close()
	if err := hers.Set(ctx, "api/key", credstore.NewSecret([]byte("sk-example-0123456789")), credstore.Meta{}); err != nil {
		panic(err)
	}
	if _, err := hers.AddSlot(ctx, agex.Slot(agex.Options{Recipients: []string{cem}}), "cem"); err != nil {
		panic(err)
	}
	for name, file := range map[string]string{"ben": benFile, "cem": cemFile} {
		s := open(name, file, true)
		value, err := s.Get(ctx, "api/key")
		if err != nil {
			panic(err)
		}
		fmt.Println(value, value.Len())
		s.Close()
	}
	// Output:
	// [redacted] 21
	// [redacted] 21
}
