package credstore

import (
	"context"
	"io"
)

type Store struct{}
type Tx struct{}
type Redactor struct{}
type environmentSource struct{ name string }

func (e *environmentSource) Info(SlotInfo) SourceInfo { return SourceInfo{} }
func (e *environmentSource) Unlock(context.Context, SlotInfo) ([]byte, error) {
	return nil, ErrSourceAbsent
}
func (e *environmentSource) Enroll(context.Context, SlotInfo) ([]byte, []byte, error) {
	return nil, nil, ErrSourceAbsent
}
func readPrivate(string, int) ([]byte, error)                                     { return nil, ErrNotRegular }
func createPrivate(string, []byte) error                                          { return ErrNotRegular }
func Open(ctx context.Context, dir string, o Options) (*Store, error)             { return nil, ErrClosed }
func (s *Store) Get(ctx context.Context, name string) (Secret, error)             { return Secret{}, ErrClosed }
func (s *Store) Set(ctx context.Context, name string, value Secret, m Meta) error { return ErrClosed }
func (s *Store) Delete(ctx context.Context, name string) error                    { return ErrClosed }
func (s *Store) List(ctx context.Context) ([]Entry, error)                        { return nil, ErrClosed }
func (s *Store) Update(ctx context.Context, change func(*Tx) error) error         { return ErrClosed }
func (s *Store) Status(ctx context.Context) (Status, error)                       { return Status{}, ErrClosed }
func (s *Store) Close() error                                                     { return nil }
func (s *Store) Files() []string                                                  { return nil }
func (s *Store) Redactor() *Redactor                                              { return &Redactor{} }
func (tx *Tx) Get(name string) (Secret, error)                                    { return Secret{}, ErrClosed }
func (tx *Tx) Set(name string, value Secret, m Meta) error                        { return ErrClosed }
func (tx *Tx) Delete(name string) error                                           { return ErrClosed }
func (tx *Tx) List() []Entry                                                      { return nil }
func (r *Redactor) Bytes(b []byte) []byte                                         { return []byte(redacted) }
func (r *Redactor) String(s string) string                                        { return redacted }
func (r *Redactor) Writer(w io.Writer) io.WriteCloser                             { return nil }
