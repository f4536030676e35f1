package permission

import (
	"fmt"
	"strings"
)

// Provenance says what happens when a session that has read both untrusted
// text and sensitive data wants to send something. The zero Provenance asks.
type Provenance uint8

// The answers: ask a person, let the decision say so, take no notice.
const (
	ProvenanceAsk Provenance = iota
	ProvenanceWarn
	ProvenanceOff
)

var provenanceNames = []string{"ask", "warn", "off"}

// String returns "ask", "warn" or "off".
func (p Provenance) String() string { return name(provenanceNames, uint8(p)) }

// MarshalText writes the name of the value.
func (p Provenance) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads a name and refuses an unknown one.
func (p *Provenance) UnmarshalText(b []byte) error {
	i, err := parseName(provenanceNames, b, "provenance")
	*p = Provenance(i)
	return err
}

// provenance asks before a session that an attacker may have talked to, and
// that knows a secret, sends anything anywhere: rules and modes were given
// without knowing of either.
func (d *decider) provenance() {
	const both = Untrusted | SensitiveData
	// What the call itself reads it can send as well.
	if (d.st.Labels|d.ins.Brings&SensitiveData)&both != both || d.st.Provenance == ProvenanceOff {
		return
	}
	for i := range d.ins.Actions {
		to := d.destination(i)
		if to == "" || d.st.Destinations[to] {
			continue
		}
		r := Reason{Code: CodeSend, Action: i + 1, Span: d.ins.Actions[i].Span, Verdict: Allow,
			Text: fmt.Sprintf("The session has read untrusted text and sensitive data, and this can send to %s.", describeDestination(to))}
		if d.st.Provenance == ProvenanceWarn {
			d.settled = append([]Reason{r}, d.settled...)
			continue
		}
		d.ask(askedRule, &r)
	}
}

// Destinations are named by what can be answered once for a session.
const (
	toHost = "host:"
	toTool = "tool:"
	toRun  = "run:"
	runIn  = "\x1f" // before the directory: the same text is another program elsewhere
)

func describeDestination(to string) string {
	switch {
	case to == toHost:
		return "a host that is not known"
	case strings.HasPrefix(to, toHost):
		return to[len(toHost):]
	case strings.HasPrefix(to, toTool):
		return "whatever " + to[len(toTool):] + " reaches"
	}
	text, dir, _ := strings.Cut(to[len(toRun):], runIn)
	if dir == "" {
		return fmt.Sprintf("whatever %q reaches", shorten(strings.ReplaceAll(text, DynamicWord, "…"), 80))
	}
	return fmt.Sprintf("whatever %q in %s reaches", shorten(strings.ReplaceAll(text, DynamicWord, "…"), 80), dir)
}

func runDestination(c *Command) string {
	if c.Dir == "" {
		return toRun + commandText(c)
	}
	return toRun + commandText(c) + runIn + c.Dir
}

// destination names where an action can send to, "" where it cannot.
func (d *decider) destination(i int) string {
	a := &d.ins.Actions[i]
	switch a.Kind {
	case Read, List, Write, Delete:
		return ""
	case Connect:
		return toHost + a.Host
	case Run:
		if a.command().Closed || d.confined && d.st.Enforces && !d.opens() {
			return ""
		}
		// A program whose hosts are known sends to them.
		known := false
		for j := range d.ins.Actions {
			if b := &d.ins.Actions[j]; b.Of == i+1 && b.Kind == Connect {
				known = known || b.Host != ""
			} else if b.Of == i+1 && b.Kind == KindUnknown {
				return runDestination(a.command())
			}
		}
		if known {
			return ""
		}
		return runDestination(a.command())
	case Use:
		if a.Free || a.Origin != Tool || d.ins.Family == "Skill" || d.ins.Family == "Agent" {
			return ""
		}
		return toTool + a.Name
	}
	if a.Of > 0 && a.Of <= len(d.ins.Actions) && d.ins.Actions[a.Of-1].Kind == Run {
		return "" // asked for at its Run
	}
	return toTool + d.call.Tool
}
