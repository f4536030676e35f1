package checkedrun

import (
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// output is one output of a run: a pipe, so that programs and builtins write
// to the same file in the order in which they run, and what copies from it.
type output struct {
	r    *run
	in   *os.File // where the run writes
	from *os.File
	to   io.Writer
	// close writes what a redactor holds back.
	close func() error
	done  chan struct{}
}

// output starts one. w may be nil.
func (r *run) output(w io.Writer) (in *os.File, err error) {
	o := &output{r: r, to: w, done: make(chan struct{})}
	switch {
	case w == nil:
		o.to = io.Discard
	case r.o.Redact != nil:
		redacted := r.o.Redact(w)
		o.to, o.close = redacted, redacted.Close
	}
	if o.from, o.in, err = os.Pipe(); err != nil {
		return nil, err
	}
	r.outputs = append(r.outputs, o)
	go o.copy()
	return o.in, nil
}

// copy passes on what a run writes, up to its limit. What comes after is read
// and dropped, so that nothing waits.
func (o *output) copy() {
	defer close(o.done)
	buf := make([]byte, 32<<10)
	read(o.from, buf, func(p []byte) {
		o.r.mu.Lock()
		o.r.written += int64(len(p))
		over := o.r.written > o.r.o.Limits.Output
		o.r.mu.Unlock()
		if over {
			o.to, o.close = io.Discard, nil
			_ = o.r.stop(ErrOutput)
			return
		}
		if _, err := o.to.Write(p); err != nil {
			o.to, o.close = io.Discard, nil
			_ = o.r.stop(err)
		}
	})
}

// read reads until the end, or until what is there was read after a deadline
// that was set on the file.
func read(from *os.File, buf []byte, got func([]byte)) {
	late := 0
	for {
		n, err := from.Read(buf)
		if n > 0 {
			got(buf[:n])
		}
		switch {
		case err == nil:
			if late > 0 {
				late++
			}
		case errors.Is(err, os.ErrDeadlineExceeded) && late == 0:
			// What lies in the pipe is still to be had, however long its reader
			// took for what came before.
			late++
		default:
			return
		}
		if late > 0 {
			if late > 64 || from.SetReadDeadline(time.Now().Add(time.Millisecond)) != nil {
				return
			}
		}
	}
}

// finish ends an output. whole says that what a redactor holds back is written;
// in a run that was cut off it may be half a secret.
func (o *output) finish(whole bool) {
	_ = o.in.Close()
	// Everything that could hold the other end was ended; what could not be
	// ended does not hold up the host.
	giveUpSoon(o.from)
	<-o.done
	_ = o.from.Close()
	if whole && o.close != nil {
		if err := o.close(); err != nil {
			_ = o.r.stop(err)
		}
	}
}

// giveUpSoon has a read end after some time.
func giveUpSoon(f *os.File) {
	if f.SetReadDeadline(time.Now().Add(killDelay)) != nil {
		// No deadlines on the pipes of this system.
		time.AfterFunc(killDelay, func() { _ = f.Close() })
	}
}

// maxCaptured is how many bytes the command substitutions of a run may bring
// into this process.
const maxCaptured = 4 << 20

// capture takes what a program writes into this process: into a command
// substitution, or into a file of the host that is none of the system.
type capture struct {
	in, from *os.File
	done     chan struct{}
}

func (r *run) capture(w io.Writer) (*capture, error) {
	_, host := w.(redirected)
	c := &capture{done: make(chan struct{})}
	var err error
	if c.from, c.in, err = os.Pipe(); err != nil {
		return nil, err
	}
	go func() {
		defer close(c.done)
		buf := make([]byte, 4<<10)
		read(c.from, buf, func(p []byte) {
			if host {
				if _, err := w.Write(p); err != nil {
					_ = r.stop(err)
				}
			} else if r.take(len(p)) == nil {
				_, _ = w.Write(p)
			}
		})
	}()
	return c, nil
}

// take counts bytes that come into this process.
func (r *run) take(n int) error {
	r.mu.Lock()
	r.captured += int64(n)
	over := r.captured > maxCaptured
	r.mu.Unlock()
	if over {
		return r.stop(ErrMemory)
	}
	return nil
}

// writes counts what a builtin writes into a command substitution.
func (r *run) writes(stdout io.Writer, args []string) error {
	switch stdout.(type) {
	case *os.File, redirected:
		return nil
	}
	n := 1
	for _, a := range args {
		n += len(a) + 1
	}
	return r.take(n)
}

// wait waits until all was taken; the program and its group have ended. What
// left the group may still write: as long as a shell would wait, and at most
// until the run ends.
func (c *capture) wait(ctx context.Context) {
	select {
	case <-c.done:
	case <-ctx.Done():
		giveUpSoon(c.from)
		<-c.done
	}
	_ = c.from.Close()
}

// finish ends a capture whose program did not start.
func (c *capture) finish() {
	_ = c.in.Close()
	<-c.done
	_ = c.from.Close()
}
