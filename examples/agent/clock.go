package main

import (
	"fmt"
	"sync"
	"time"
)

// clock tells the agent's own time from that of what it waits for: tools that
// work, a person who thinks, a model that answers.
type clock struct {
	now   func() time.Time
	mu    sync.Mutex
	start time.Time
	// open is how many waits are under way, since when, and their sum so far.
	open   int
	since  time.Time
	waited time.Duration
}

func newClock(now func() time.Time) *clock { return &clock{now: now, start: now()} }

// outside begins a wait; the returned function ends it. Waits may nest.
func (c *clock) outside() (end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == 0 {
		c.since = c.now()
	}
	c.open++
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.open--; c.open == 0 {
			c.waited += c.now().Sub(c.since)
		}
	})
}

// own returns the agent's own time and the whole time since the start.
func (c *clock) own() (own, whole time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	whole, own = now.Sub(c.start), now.Sub(c.start)-c.waited
	if c.open > 0 {
		own -= now.Sub(c.since)
	}
	return own, whole
}

// share puts it into one sentence.
func (c *clock) share() string {
	own, whole := c.own()
	return fmt.Sprintf("The agent itself took %s of %s (%.1f %%); the rest was tools, people and the model.",
		own.Round(time.Millisecond), whole.Round(time.Millisecond), 100*own.Seconds()/max(whole.Seconds(), 1e-9))
}
