package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/clearance-go/clearance/credstore"
	"github.com/clearance-go/clearance/examples/internal/anthropic"
)

// openKeys opens the store in which the person keeps the API key, the one of
// examples/secrets, without writing to it.
func openKeys(ctx context.Context) (*credstore.Store, error) {
	conf := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(conf) {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, err
		}
		conf = filepath.Join(home, ".config")
	}
	store, err := credstore.Open(ctx, filepath.Join(conf, "clearance", "secrets"), credstore.Options{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("the store with the API key cannot be opened (make one with examples/secrets: init, then set %s api.anthropic.com): %w", anthropic.KeyName, err)
	}
	// Reading it once tells the redactor what must not be shown.
	if _, err := store.Get(ctx, anthropic.KeyName); err != nil {
		_ = store.Close()
		if errors.Is(err, credstore.ErrNotFound) {
			err = fmt.Errorf("no %s in the store (set it with examples/secrets: set NAME HOST): %w", anthropic.KeyName, err)
		}
		return nil, err
	}
	return store, nil
}

// newClient returns a client that gets the key from the store at the last
// moment, and only for the hosts of its entry.
func newClient(store *credstore.Store, url, model string) *anthropic.Client {
	return &anthropic.Client{HTTP: &http.Client{Transport: store.Transport(nil)}, URL: url, Model: model, Redact: store.Redactor().String}
}

// redactors take out the values of several stores.
type redactors []*credstore.Redactor

func (r redactors) Bytes(b []byte) []byte {
	for _, x := range r {
		b = x.Bytes(b)
	}
	return b
}

// Writer takes them out of what is written to w, however it is split.
func (r redactors) Writer(w io.Writer) io.WriteCloser {
	c := &redacting{Writer: w}
	for _, x := range r {
		wc := x.Writer(c.Writer)
		c.Writer, c.open = wc, append(c.open, wc)
	}
	return c
}

// redacting is a chain of redactors; the last one is written to first.
type redacting struct {
	io.Writer
	open []io.Closer
}

func (c *redacting) Close() error {
	var errs []error
	for i := len(c.open) - 1; i >= 0; i-- {
		errs = append(errs, c.open[i].Close())
	}
	return errors.Join(errs...)
}

func (r redactors) String(s string) string {
	for _, x := range r {
		s = x.String(s)
	}
	return s
}
